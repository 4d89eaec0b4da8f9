# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figures of profiles and of the galaxies that they describe.
"""

import astropy.units as u
import numpy as np

from astro_pix2prof.cutout import GalaxyCutout
from astro_pix2prof.galaxy_view import GalaxyView
from astro_pix2prof.model import model_image
from astro_pix2prof.profile import (
    RingFlag,
    curve_of_growth,
    interpolate_profile,
)

__all__ = ['plot_fit', 'plot_profiles']

# Colours that people of any colour vision tell apart (Okabe & Ito 2008).
_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9',
            '#000000')
_MARKERS = 'osD^vPX'

# Rings whose ellipse was not fitted there, and rings whose value needs care.
_CARRIED = (RingFlag.EXTENDED | RingFlag.INTERPOLATED
            | RingFlag.FIXED_GEOMETRY)
_DOUBTFUL = (RingFlag.NEGATIVE | RingFlag.LOW_SNR | RingFlag.FEW_PIXELS
             | RingFlag.SATURATED | RingFlag.EDGE | RingFlag.EXTRAPOLATED)


def plot_fit(image, profile, *, mask=None, model=None, beside=None, fig=None,
             **options):
    """
    Plot a galaxy and its profile.

    The panels show the image with its isophotes and mask, the residual
    image after the subtraction of the elliptical model, and, against the
    semi-major axis, surface brightness, ellipticity, position angle and
    curve of growth.

    Parameters
    ----------
    image : image of any kind
        The image that was measured: see
        `~astro_pix2prof.GalaxyCutout`.

    profile : `~astropy.table.QTable`
        Its profile.

    mask : 2D array_like of bool, optional
        The pixels that did not count, as ``IsophoteFit.mask`` has them. By
        default, those that the image itself masks.

    model : 2D array_like, optional
        The model in the unit of the image, without the sky. By default, it
        is made by `~astro_pix2prof.model_image`.

    beside : dict of `~astropy.table.QTable`, optional
        Other profiles of the galaxy by their labels, which are drawn as
        lines beside the first.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    **options
        The options of `~astro_pix2prof.GalaxyCutout` with which the
        image was measured.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.

    Raises
    ------
    ValueError
        If the mask or the model has another shape than the image.

    Examples
    --------
    .. plot::
        :include-source:

        from astro_pix2prof import IsophoteFitter, load_example, plot_fit

        image = load_example()
        fit = IsophoteFitter().fit(image)
        plot_fit(fit.cutout, fit.profile, mask=fit.mask)
    """
    cutout = GalaxyCutout.from_any(image, **options)
    mask = _same_shape(cutout.mask if mask is None else mask, 'mask', cutout)
    if model is None:
        model = model_image(profile, cutout)
    model = _same_shape(model, 'model', cutout)

    fig = _new_figure(fig, (10.0, 7.6))
    outer = fig.add_gridspec(1, 2, width_ratios=(1.0, 1.25))
    left = outer[0].subgridspec(2, 1, hspace=0.05)
    right = outer[1].subgridspec(4, 1, height_ratios=(3, 1, 1, 1), hspace=0.0)
    top = fig.add_subplot(left[0])
    bottom = fig.add_subplot(left[1], sharex=top, sharey=top)
    stack = [fig.add_subplot(right[0])]
    stack += [fig.add_subplot(right[i], sharex=stack[0]) for i in (1, 2, 3)]

    rows, levels = _isophote_levels(profile)
    colours = _level_colours(len(rows))
    carried = (_ring_flags(profile) & int(_CARRIED)) != 0
    view = GalaxyView(cutout, profile)
    view.plot_image(top, mask)
    view.plot_isophotes(top, rows, colours=colours,
                        dashed=carried[np.rint(rows).astype(int)])
    view.plot_compass(top)
    view.plot_scale_bar(top)
    view.plot_residual(bottom, mask, model)
    top.set_xlabel('')
    top.tick_params(labelbottom=False)

    _draw_brightness(stack[0], cutout, profile)
    if _is_calibrated(profile) and len(rows):
        at = np.interp(rows, np.arange(len(profile)),
                       _plain(profile, 'radius'))
        stack[0].scatter(at, levels, s=46, lw=1.6, facecolors='none',
                         edgecolors=colours, zorder=5,
                         label='drawn on the image')
    for (label, other), style in zip((beside or {}).items(),
                                     ('--', '-.', ':'), strict=False):
        radius, value, error = _brightness(other)
        sure = ~(error > 1.0)
        stack[0].plot(radius[sure], value[sure], ls=style, lw=1.2,
                      color=_COLOURS[1], zorder=4, label=label)
    stack[0].legend(frameon=False, loc='upper right', fontsize='small')
    _draw_geometry(stack[1], profile, 'ellipticity', 'Ellipticity')
    on_sky = profile.meta.get('pa_frame') == 'sky'
    label = 'PA [deg]' if on_sky else 'Angle [deg]'
    _draw_geometry(stack[2], profile, 'pa', label)
    _draw_growth(stack[3], profile)
    stack[-1].set_xlabel(f'Semi-major axis [{_unit_text(profile)}]')
    for ax in stack[:-1]:
        ax.tick_params(labelbottom=False)
    fig.align_ylabels(stack)
    title = ', '.join(
        text for text in (profile.meta.get('source', cutout.name),
                          _band_text(profile), profile.meta.get('fitter'))
        if text)
    stack[0].set_title(title, loc='left')
    return fig


def plot_profiles(profiles, *, reference=None, fig=None):
    """
    Compare the profiles of several fitters, or of several bands.

    Parameters
    ----------
    profiles : dict of `~astropy.table.QTable`
        The profiles by their labels.

    reference : str or `~astropy.table.QTable`, optional
        The label of the profile, or a further one, from which the lower
        panel shows the differences. By default, the first of ``profiles``
        if there is more than one.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.

    Raises
    ------
    ValueError
        If there is no profile, if the reference is not the label of one, or
        if there is a reference and a profile is not calibrated.

    Examples
    --------
    .. plot::
        :include-source:

        from astro_pix2prof import (
            IsophoteFitter,
            load_example,
            load_example_truth,
            plot_profiles,
        )

        profile = IsophoteFitter()(load_example())
        plot_profiles({'isophotes': profile},
                      reference=load_example_truth())
    """
    profiles = dict(profiles)
    if not profiles:
        msg = 'profiles must hold at least one profile, got none'
        raise ValueError(msg)
    if isinstance(reference, str):
        if reference not in profiles:
            msg = (f'reference must be one of {", ".join(profiles)}, or a '
                   f'profile, got {reference!r}')
            raise ValueError(msg)
        reference = profiles[reference]
    calibrated = all(_is_calibrated(profile) for profile in (
        *profiles.values(), *([] if reference is None else [reference])))
    if reference is not None and not calibrated:
        msg = ('reference needs profiles with surface brightnesses, but one '
               'of them is not calibrated')
        raise ValueError(msg)
    if reference is None and calibrated and len(profiles) > 1:
        reference = next(iter(profiles.values()))

    fig = _new_figure(fig, (7.0, 6.0))
    if reference is None:
        axes = [fig.add_subplot()]
    else:
        grid = fig.add_gridspec(2, 1, height_ratios=(2.4, 1), hspace=0.0)
        axes = [fig.add_subplot(grid[0])]
        axes.append(fig.add_subplot(grid[1], sharex=axes[0]))
        axes[0].tick_params(labelbottom=False)
        if not any(reference is profile for profile in profiles.values()):
            radius, value, _ = _brightness(reference)
            axes[0].plot(radius, value, color='0.25', lw=1.0, zorder=1,
                         label=reference.meta.get('fitter', 'reference'))
    shown = []
    for i, (label, profile) in enumerate(profiles.items()):
        radius, value, error = _brightness(profile)
        style = {'color': _COLOURS[i % len(_COLOURS)], 'ms': 3.5,
                 'marker': _MARKERS[i % len(_MARKERS)], 'lw': 0.8}
        axes[0].plot(radius, value, label=label, zorder=3 + i, **style)
        largest = 1.5 if _is_calibrated(profile) else np.inf
        _band(axes[0], radius, value, error, style['color'],
              largest=largest)
        if reference is not None and profile is not reference:
            difference = value - interpolate_profile(
                reference, profile['radius']).value
            axes[1].plot(radius, difference, zorder=3 + i, **style)
            # the faintest rings scatter by more than is worth showing
            shown.append(difference[~(error > 0.3)])
            _band(axes[1], radius, difference, error, style['color'],
                  largest=largest)
    first = next(iter(profiles.values()))
    _set_brightness_axis(axes[0], [*profiles.values()])
    axes[0].legend(frameon=False)
    if reference is not None:
        axes[1].axhline(0, color='0.25', lw=0.8, zorder=1)
        axes[1].set_ylabel(r'$\Delta\mu$ [mag arcsec$^{-2}$]')
        shown = np.abs(np.concatenate([*shown, [0.04]]))
        limit = 1.2 * np.nanmax(shown)
        axes[1].set_ylim(min(limit, 2.0), -min(limit, 2.0))
        fig.align_ylabels(axes)
    axes[-1].set_xlabel(f'Semi-major axis [{_unit_text(first)}]')
    axes[-1].set_xlim(left=0)
    for ax in axes:
        _style(ax)
    return fig


def _new_figure(fig, size):
    if fig is None:
        import matplotlib.pyplot as plt

        fig = plt.figure(figsize=size)
    if fig.get_layout_engine() is None:
        # panels that share an axis touch
        fig.set_layout_engine('constrained', h_pad=0.02, hspace=0.0)
    return fig


def _same_shape(array, name, cutout):
    array = np.asarray(array, dtype=bool if name == 'mask' else float)
    if array.shape != cutout.shape:
        msg = (f'{name} must have the shape {cutout.shape} of the image, got '
               f'{array.shape}')
        raise ValueError(msg)
    return array


def _plain(profile, name):
    """
    The values of a column, not-a-number if there is none.
    """
    if name not in profile.colnames:
        return np.full(len(profile), np.nan)
    column = u.Quantity(profile[name])
    return np.asarray(column.value, dtype=float)


def _ring_flags(profile):
    if 'flag' not in profile.colnames:
        return np.zeros(len(profile), dtype=int)
    return np.asarray(profile['flag'], dtype=int)


def _is_calibrated(profile):
    return bool(np.any(np.isfinite(_plain(profile, 'surface_brightness'))))


def _brightness(profile):
    """
    Radius, surface brightness (or intensity) and its error.
    """
    name = 'surface_brightness' if _is_calibrated(profile) else 'intensity'
    return (_plain(profile, 'radius'), _plain(profile, name),
            _plain(profile, f'{name}_err'))


def _unit_text(profile):
    unit = u.Quantity(profile['radius']).unit
    return 'pixel' if unit == u.pix else str(unit)


def _band_text(profile):
    band = profile.meta.get('band')
    return f'{band} band' if band else None


def _band(ax, x, y, error, colour, *, largest=np.inf):
    # errors beyond the largest say no more than the points do
    good = np.isfinite(y + error) & (error < largest)
    ax.fill_between(x, y - error, y + error, where=good, color=colour,
                    alpha=0.22, lw=0, zorder=2)


def _style(ax):
    ax.tick_params(direction='in', which='both', top=True, right=True)
    ax.minorticks_on()


def _isophote_levels(profile):
    """
    The rings to draw: fractional indices into the profile, and labels.
    """
    radius, value, error = _brightness(profile)
    if not _is_calibrated(profile):
        # steps of one magnitude here too, so that the spacing means the same
        with np.errstate(invalid='ignore', divide='ignore'):
            error = 2.5 / np.log(10) * error / value
            value = -2.5 * np.log10(np.where(value > 0, value, np.nan))
    good = np.isfinite(value) & (radius > 0)
    good &= ~(np.isfinite(error) & (error > 0.5))
    noise = RingFlag.NEGATIVE | RingFlag.LOW_SNR | RingFlag.EXTRAPOLATED
    good &= (_ring_flags(profile) & int(noise)) == 0
    if np.count_nonzero(good) < 2:
        return np.array([]), np.array([])
    index, value = np.flatnonzero(good), value[good]
    # a level is drawn once, where the smooth profile last crosses it
    faint = np.maximum.accumulate(value)
    span = np.ptp(faint)
    step = 1.0 if span >= 4 else 0.5
    first = np.ceil(faint[0] / step) * step
    levels = np.arange(first, faint[-1], step)
    keep = np.concatenate([[True], np.diff(faint) > 0])
    return np.interp(levels, faint[keep], index[keep]), levels


def _level_colours(n):
    import matplotlib as mpl

    return mpl.colormaps['viridis'](np.linspace(0.05, 0.92, n))


def _set_brightness_axis(ax, profiles):
    values = [_brightness(profile) for profile in profiles]
    calibrated = _is_calibrated(profiles[0])
    if not calibrated:
        unit = u.Quantity(profiles[0]['intensity']).unit
        if any(np.any(value > 0) for _, value, _ in values):
            ax.set_yscale('log')
        ax.set_ylabel(f'Intensity [{unit}]')
        return
    # a ring that is all noise does not set the range
    kept = np.concatenate([value[np.isfinite(value) & ~(error > 1.0)]
                           for _, value, error in values])
    if kept.size:
        pad = 0.05 * np.ptp(kept) + 0.1
        ax.set_ylim(kept.max() + 2 * pad, kept.min() - pad)
    else:
        ax.invert_yaxis()
    ax.set_ylabel(r'$\mu$ [mag arcsec$^{-2}$]')


def _draw_brightness(ax, cutout, profile):
    radius, value, error = _brightness(profile)
    flags = _ring_flags(profile)
    doubtful = (flags & int(_DOUBTFUL)) != 0
    carried = ((flags & int(_CARRIED)) != 0) & ~doubtful
    fitted = ~doubtful & ~carried
    colour = _COLOURS[0]
    _band(ax, radius, value, error, colour)
    ax.plot(radius, value, color=colour, lw=0.8, zorder=3)
    for rows, label, style in (
            (fitted, 'ellipse fitted', {'marker': 'o', 'mfc': colour}),
            (carried, 'ellipse carried over', {'marker': 'o', 'mfc': 'w'}),
            (doubtful, 'doubtful', {'marker': 'x', 'mec': '0.35'})):
        if rows.any():
            style = {'mec': colour, 'ms': 4.0, 'mew': 0.9, 'ls': '',
                     'zorder': 4, **style}
            ax.plot(radius[rows], value[rows], label=label, **style)
    limit = profile.meta.get('sky_err', 0.0) * cutout.intensity_scale
    _set_brightness_axis(ax, [profile])
    if limit > 0 and _is_calibrated(profile):
        mu = cutout.sb_zeropoint - 2.5 * np.log10(limit)
        if mu < ax.get_ylim()[0]:
            ax.axhline(mu, color='0.5', lw=0.8, ls=':', zorder=1)
            ax.annotate('error of the sky', (0, mu), (4, 2), fontsize='small',
                        xycoords=('axes fraction', 'data'), color='0.4',
                        textcoords='offset points', ha='left', va='bottom')
    ax.set_xlim(left=0)
    _style(ax)


def _draw_geometry(ax, profile, name, label):
    radius, value = _plain(profile, 'radius'), _plain(profile, name)
    error = _plain(profile, f'{name}_err')
    if name == 'pa':
        value = _unwrap(value)
    carried = (_ring_flags(profile) & int(_CARRIED)) != 0
    colour = _COLOURS[2]
    _band(ax, radius, value, error, colour)
    ax.plot(radius, value, color=colour, lw=0.8, zorder=3)
    for rows, face in ((~carried, colour), (carried, 'w')):
        ax.plot(radius[rows], value[rows], 'o', ms=3.0, mec=colour, mfc=face,
                mew=0.8, zorder=4)
    good = value[np.isfinite(value)]
    if name == 'ellipticity':
        top = good.max() if good.size else 1.0
        ax.set_ylim(0, min(1.0, 1.25 * top + 0.05))
    elif good.size:
        # the inner isophotes are round, and their angle is anyone's guess
        low, high = np.percentile(good, [5, 95])
        pad = 0.3 * (high - low) + 3
        ax.set_ylim(low - pad, high + pad)
    ax.set_ylabel(label)
    _style(ax)


def _unwrap(pa):
    """
    Position angles without jumps, close to the median of the outer ones.
    """
    good = np.isfinite(pa)
    if not good.any():
        return pa
    # start from outside, where the ellipses are the most elongated
    out = pa.copy()
    out[good] = np.unwrap(pa[good][::-1], period=180)[::-1]
    return out - 180 * np.round((np.median(out[good]) - 90) / 180)


def _draw_growth(ax, profile):
    radius, value = _plain(profile, 'radius'), _plain(profile, 'mag_enclosed')
    good = np.isfinite(value)
    if good.any():
        bright = value[good].min()
        # the last four magnitudes are the galaxy
        ax.set_ylim(min(bright + 4, value[good].max() + 0.2), bright - 0.35)
        ax.axhline(bright, color='0.5', lw=0.8, ls=':', zorder=1)
        ax.annotate(f'{bright:.2f}', (0, bright), (4, -2), color='0.4',
                    xycoords=('axes fraction', 'data'), fontsize='small',
                    textcoords='offset points', ha='left', va='top')
        ax.set_ylabel(r'$m(<a)$ [mag]')
    else:
        flux = curve_of_growth(radius, _plain(profile, 'intensity'),
                               _plain(profile, 'ellipticity'))
        largest = np.max(flux, initial=0.0, where=np.isfinite(flux))
        value = flux / largest if largest > 0 else np.nan * flux
        ax.set_ylim(0, 1.1)
        ax.set_ylabel(r'$F(<a)\,/\,F$')
    ax.plot(radius, value, 'o-', color=_COLOURS[3], ms=2.5, lw=0.8)
    _style(ax)
