# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figure of a galaxy and its clumps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.image.astrometry import sky_to_pixel
from astro_pix2prof.plotting.style import _COLOURS, _new_figure

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.figure import Figure

    from astro_pix2prof import ProfileFit
    from astro_pix2prof.typing import BandsLike

__all__ = ['plot_clumps']


# The frame that is shown, in semi-major axes that hold half of the light.
_REACH = 3.6
# Pixels that the centres of two fits of the same galaxy may be apart.
_APART = 5.0


def plot_clumps(fit: ProfileFit | BandsLike, clumps: QTable, *,
                fig: Figure | None = None) -> Figure:
    """
    Plot a galaxy, what is left without its rings, and its clumps.

    Circles of two full widths at half maximum mark what was found: in solid
    lines clumps of the galaxy, with their shares of its light, in dashed
    lines stars and other galaxies.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit` or bands
        The galaxy, as ``fitter.fit(image)`` returns it. Of the fits of
        several bands, that of the reference is shown.

    clumps : `~astropy.table.QTable`
        Its clumps, as `~astro_pix2prof.find_clumps` returns them.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.

    Raises
    ------
    TypeError
        If ``fit`` is no fit, or ``clumps`` no table of clumps.

    ValueError
        If the clumps are those of another frame or galaxy than the fit, or
        their reference is none of its bands.

    Examples
    --------
    .. plot::
        :include-source:

        from astro_pix2prof import (IsophoteFitter, find_clumps,
                                    load_example, plot_clumps)

        fit = IsophoteFitter().fit(load_example())
        clumps = find_clumps(fit, psf=1.3)
        plot_clumps(fit, clumps)
    """
    from matplotlib.patches import Circle, Ellipse
    from matplotlib.patheffects import withStroke

    fit = _reference(fit, clumps)
    if not all(hasattr(fit, name) for name in ('profile', 'cutout', 'sma')):
        msg = ('fit must be the result of the method fit of a fitter, got '
               f'{type(fit).__name__}: fitter.fit(image)')
        raise TypeError(msg)
    if not {'x', 'y', 'class', 'share'} <= set(
            getattr(clumps, 'colnames', ())):
        msg = ('clumps must be a table of find_clumps, got '
               f'{type(clumps).__name__}')
        raise TypeError(msg)
    _check_frame(fit, clumps)
    fig = _new_figure(fig, (10, 5))
    axes = fig.subplots(1, 2, sharex=True, sharey=True)
    image = np.where(fit.cutout.mask, np.nan, fit.subtracted())
    rest = image - fit.model()
    noise = max(float(fit.profile.meta.get('noise') or 0.0), 1e-30)
    scale = fit.cutout.radius_scale
    r50 = clumps.meta.get('r50', scale * fit.sma[-1] / 3) / scale
    fwhm = clumps.meta.get('fwhm', 3.0)
    _show(axes[0], image, noise, 'gray_r', (-2, None))
    _show(axes[1], rest, noise, 'RdBu_r', (-12, 12))
    k = int(np.argmin(np.abs(fit.sma - r50)))
    halo = [withStroke(linewidth=2.5, foreground='white')]
    for ax in axes:
        ax.add_patch(Ellipse(
            fit.centre, 2 * r50, 2 * r50 * (1 - fit.eps[k]),
            angle=fit.theta[k], fill=False, lw=0.8, ls=':',
            ec='0.35'))
        for row in clumps:
            own = row['class'] == 'clump'
            colour = _COLOURS[1] if own else _COLOURS[0]
            ax.add_patch(Circle(
                (row['x'], row['y']), fwhm, fill=False, ec=colour, lw=1.5,
                ls='-' if own else '--', path_effects=halo))
    for row in clumps:
        if row['class'] == 'clump':
            axes[1].annotate(
                f'{100 * float(row["share"]):.1f}%', (row['x'], row['y']),
                xytext=(0, 9), textcoords='offset points', ha='center',
                fontsize=8, color=_COLOURS[1], path_effects=halo)
    ny, nx = image.shape
    reach = _REACH * r50 + 2 * fwhm
    x, y = fit.centre
    axes[0].set_xlim(max(x - reach, -0.5), min(x + reach, nx - 0.5))
    limits = max(y - reach, -0.5), min(y + reach, ny - 0.5)
    # (the first row of a picture is at its top)
    axes[0].set_ylim(limits[::-1] if clumps.meta.get('picture') else limits)
    n = int(np.sum(np.asarray(clumps['class']) == 'clump'))
    axes[0].set_title(str(fit.profile.meta.get('source') or 'image'))
    axes[1].set_title(f'without its rings: {n} clump{"s" * (n != 1)}, '
                      f'{len(clumps) - n} other')
    for ax in axes:
        ax.set_xlabel('x (pixels)')
    axes[0].set_ylabel('y (pixels)')
    return fig


def _reference(fit, clumps):
    """
    Find the fit of the reference among those of several bands.
    """
    band = getattr(clumps, 'meta', {}).get('reference')
    fits = getattr(fit, 'fits', fit)
    if isinstance(fits, list | tuple):
        fits = {one.profile.meta.get('band'): one for one in fits
                if hasattr(one, 'profile')}
    if not isinstance(fits, dict):
        return fits
    if not fits:
        msg = ('fit must have the fits of its bands, got none: measure them '
               'with fit_bands(images, keep_fits=True)')
        raise ValueError(msg)
    if band is None and len(fits) == 1:
        return next(iter(fits.values()))
    if band not in fits:
        names = ', '.join(map(str, fits))
        wanted = ('of one band, as its clumps are' if band is None else
                  f'of the band {band!r}, the reference of its clumps')
        msg = f'fit must be the fit {wanted}, got fits of the bands {names}'
        raise ValueError(msg)
    return fits[band]


def _check_frame(fit, clumps):
    """
    Check that the pixels of clumps are those of the fit.
    """
    if 'x_centre' in clumps.meta and 'x_centre' in fit.profile.meta:
        apart = np.hypot(*(
            float(clumps.meta[key]) - float(fit.profile.meta[key])
            for key in ('x_centre', 'y_centre')))
    else:
        apart = 0.0
    # (a part that was cut out has the centre of the whole image, but not
    # its pixels)
    if fit.cutout.wcs is not None and len(clumps) and (
            {'ra', 'dec'} <= set(clumps.colnames)):
        ra, dec = (float(u.Quantity(clumps[name][0], u.deg).value)
                   for name in ('ra', 'dec'))
        x, y = sky_to_pixel(fit.cutout.wcs, SkyCoord(ra, dec, unit='deg'))
        apart = max(apart, np.hypot(x - float(clumps['x'][0]),
                                    y - float(clumps['y'][0])))
    if apart > _APART:
        msg = (f'clumps must be those of this fit, but lie {apart:.0f} pixels '
               'off: they are of another frame, cutout or galaxy; call '
               'find_clumps with this fit')
        raise ValueError(msg)


def _show(ax, image, noise, colours, limits):
    """
    Show an image in a stretch that is linear in the noise.
    """
    shown = np.arcsinh(image / (3 * noise))
    low, high = (None if limit is None else np.arcsinh(limit / 3)
                 for limit in limits)
    if high is None:
        high = np.nanmax(shown) if np.isfinite(shown).any() else 1.0
    ax.imshow(shown, origin='lower', cmap=colours, vmin=low, vmax=high,
              interpolation='nearest')
