# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figures of profiles and of the galaxies that they describe.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.ellipses.model import model_image
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.plotting.columns import (
    _CARRIED,
    _DOUBTFUL,
    _band_text,
    _brightness,
    _check_radius_scale,
    _fitter_text,
    _is_calibrated,
    _isophote_levels,
    _level_colours,
    _plain,
    _ring_flags,
    _set_brightness_axis,
    _set_radius_axis,
    _shown_radius,
    _source_text,
    _unit_text,
)
from astro_pix2prof.plotting.galaxy import GalaxyView
from astro_pix2prof.plotting.style import _COLOURS, _band, _new_figure, _style
from astro_pix2prof.profile.brightness import curve_of_growth
from astro_pix2prof.profile.checks import check_profile

if TYPE_CHECKING:
    from typing import Any, Literal

    from astropy.table import QTable
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from astro_pix2prof.typing import ImageLike

__all__ = ['plot_fit']


def plot_fit(image: ImageLike | ProfileFit, profile: QTable | None = None, *,
             mask: ArrayLike | None = None, model: ArrayLike | None = None,
             beside: dict[str, QTable] | None = None,
             radius_scale: Literal['linear', 'log', 'r1/4'] = 'linear',
             fig: Figure | None = None, **options: Any) -> Figure:
    """
    Plot a galaxy and its profile.

    The panels show the image with its isophotes and mask, the residual
    image after the subtraction of the elliptical model, and, against the
    semi-major axis, surface brightness, ellipticity, position angle and
    curve of growth.

    Parameters
    ----------
    image : `~astro_pix2prof.ProfileFit` or image of any kind
        What a fitter returned, or the image that was measured: see
        `~astro_pix2prof.GalaxyCutout`.

    profile : `~astropy.table.QTable`, optional
        The profile of the image. By default, that of the fit.

    mask : 2D array_like of bool, optional
        The pixels that did not count. By default, those that the fitter left
        out or, of an image, those that it masks itself.

    model : 2D array_like, optional
        The model in the unit of the image, without the sky. By default, it
        is made by `~astro_pix2prof.model_image`.

    beside : dict of `~astropy.table.QTable`, optional
        Other profiles of the galaxy by their labels, which are drawn as
        lines beside the first.

    radius_scale : {'linear', 'log', 'r1/4'}, optional
        The scale of the semi-major axis: linear, logarithmic (without the
        ring at the centre), or its fourth root.

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
    TypeError
        If ``profile``, or one of ``beside``, is no profile table, or an
        image comes without one.

    ValueError
        If the mask or the model has another shape than the image, the
        profile has no ring, or the scale is not known.

    Examples
    --------
    .. plot::
        :include-source:

        from astro_pix2prof import IsophoteFitter, load_example, plot_fit

        image = load_example()
        fit = IsophoteFitter().fit(image)
        plot_fit(fit)
    """
    if isinstance(image, ProfileFit):
        profile = image.profile if profile is None else profile
        mask = image.mask if mask is None else mask
        image = image.cutout
    elif profile is None:
        msg = ('profile= is missing: give what a fitter returned, '
               'plot_fit(fit), or an image and its profile, '
               'plot_fit(image, profile)')
        raise TypeError(msg)
    cutout = GalaxyCutout.from_any(image, **options)
    profile = check_profile(profile)
    beside = _checked_beside(beside)
    scale = _check_radius_scale(radius_scale)
    mask = _same_shape(cutout.mask if mask is None else mask, 'mask', cutout)
    if model is None:
        model = model_image(profile, cutout)
    model = _same_shape(model, 'model', cutout)

    fig = _new_figure(fig, (10.0, 7.6))
    view = GalaxyView(cutout, profile)
    (top, bottom), stack = _make_panels(fig, view.aspect)
    rows, levels = _isophote_levels(profile)
    colours = _level_colours(len(rows))
    carried = (_ring_flags(profile) & int(_CARRIED)) != 0
    view.plot_image(top, mask)
    view.plot_isophotes(top, rows, colours=colours,
                        dashed=carried[np.rint(rows).astype(int)])
    view.plot_compass(top)
    view.plot_scale_bar(top)
    view.plot_residual(bottom, mask, model)
    # (labels at the outer edges only)
    for ax in (top, bottom):
        ax.label_outer()
    _draw_brightness(stack[0], cutout, profile, scale)
    if _is_calibrated(profile) and len(rows):
        at = np.interp(rows, np.arange(len(profile)),
                       _shown_radius(profile, scale))
        stack[0].scatter(at, levels, s=46, lw=1.6, facecolors='none',
                         edgecolors=colours, zorder=5,
                         label='drawn on the image')
    for (label, other), style in zip(beside.items(),
                                     itertools.cycle(('--', '-.', ':'))):
        _, value, error = _brightness(other)
        radius = _shown_radius(other, scale)
        sure = ~(error > 1.0)
        stack[0].plot(radius[sure], value[sure], ls=style, lw=1.2,
                      color=_COLOURS[1], zorder=4, label=label)
    stack[0].legend(frameon=False, loc='upper right', fontsize='small')
    _draw_geometry(stack[1], profile, 'ellipticity', 'Ellipticity', scale)
    on_sky = profile.meta.get('pa_frame') == 'sky'
    label = 'PA [deg]' if on_sky else 'Angle [deg]'
    _draw_geometry(stack[2], profile, 'pa', label, scale)
    _draw_growth(stack[3], profile, scale)
    stack[-1].set_xlabel(f'Semi-major axis [{_unit_text(profile)}]')
    for ax in stack:
        _set_radius_axis(ax, scale, [profile])
        ax.label_outer()
    fig.align_ylabels(stack)
    title = ', '.join(
        text for text in (_source_text(profile, cutout), _band_text(profile),
                          _fitter_text(profile)) if text)
    _write_title(stack[0], title)
    return fig


def _write_title(ax, text):
    """
    Write a title that is as wide as the axes at most.
    """
    title = ax.set_title(text, loc='left')
    wide = title.get_window_extent().width / ax.get_window_extent().width
    title.set_fontsize(title.get_fontsize() / max(wide, 1.0))


def _make_panels(fig, aspect):
    """
    Make the axes of the pictures, as large as fits, and of the profiles.

    Parameters
    ----------
    fig : `~matplotlib.figure.FigureBase`
        The figure, or a part of one.

    aspect : float
        The width of a picture in heights.

    Returns
    -------
    pictures, stack : list of `~matplotlib.axes.Axes`
        Two and four.
    """
    # (inches; what labels and the colour bar take is estimated)
    width, height = (side / fig.dpi for side in fig.bbox.size)
    below = min(0.5 * (height - 1.0), (0.47 * width - 1.6) / aspect)
    beside = min(height - 0.9, 0.5 * (0.5 * width - 1.6) / aspect)
    above = min(0.36 * height - 0.5, 0.5 * (width - 2.0) / aspect)
    largest, tall = max(below, beside, above), 3.0
    if above == largest:
        tall = 2.2
        outer = fig.add_gridspec(2, 1, height_ratios=(
            above + 0.5, height - above - 0.5))
        grid = outer[0].subgridspec(1, 2)
    else:
        share = (below * aspect + 1.9 if below == largest
                 else 2 * beside * aspect + 1.6)
        outer = fig.add_gridspec(1, 2, width_ratios=(share, width - share))
        grid = outer[0].subgridspec(2, 1, hspace=0.05) if (
            below == largest) else outer[0].subgridspec(1, 2)
    first = fig.add_subplot(grid[0])
    pictures = [first, fig.add_subplot(grid[1], sharex=first, sharey=first)]
    # (the layout sees the labels at the left of a picture only if it is not
    # centred in its place)
    for ax in pictures:
        ax.set_anchor('W')
    rows = outer[1].subgridspec(4, 1, height_ratios=(tall, 1, 1, 1),
                                hspace=0.0)
    stack = [fig.add_subplot(rows[0])]
    stack += [fig.add_subplot(rows[i], sharex=stack[0]) for i in (1, 2, 3)]
    return pictures, stack


def _checked_beside(beside):
    """
    Check the profiles to draw beside the first, by their labels.
    """
    if beside is None:
        return {}
    if not isinstance(beside, Mapping):
        msg = ('beside must be a dict of profiles by their labels, got '
               f'{type(beside).__name__}')
        raise TypeError(msg)
    return {label: check_profile(other, f'beside[{label!r}]')
            for label, other in beside.items()}


def _same_shape(array, name, cutout):
    array = np.asarray(array, dtype=bool if name == 'mask' else float)
    if array.shape != cutout.shape:
        msg = (f'{name} must have the shape {cutout.shape} of the image, got '
               f'{array.shape}')
        raise ValueError(msg)
    return array


def _draw_brightness(ax, cutout, profile, scale):
    _, value, error = _brightness(profile)
    radius = _shown_radius(profile, scale)
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
    _style(ax)


def _draw_geometry(ax, profile, name, label, scale):
    radius, value = _shown_radius(profile, scale), _plain(profile, name)
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
    Remove the jumps of position angles (deg), from outside inwards.
    """
    good = np.isfinite(pa)
    if not good.any():
        return pa
    # start from outside, where the ellipses are the most elongated
    out = pa.copy()
    out[good] = np.unwrap(pa[good][::-1], period=180)[::-1]
    return out - 180 * np.round((np.median(out[good]) - 90) / 180)


def _draw_growth(ax, profile, scale):
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
    ax.plot(_shown_radius(profile, scale), value, 'o-', color=_COLOURS[3],
            ms=2.5, lw=0.8)
    _style(ax)
