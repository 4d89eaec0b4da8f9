# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figures of stellar-mass profiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.plotting.style import _COLOURS, _band, _new_figure, _style

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.figure import Figure

__all__ = ['plot_mass_profile']


_NEEDED = ('radius_kpc', 'mass_density', 'mass_density_err', 'colour',
           'colour_err', 'colour_held', 'mass_enclosed')


def plot_mass_profile(table: QTable, *, fig: Figure | None = None) -> Figure:
    """
    Plot the surface density of the mass, the mass within, and the colour.

    Bands around the lines are errors without the scatter of the relation;
    open circles are rings that have the colour of others.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        As `~astro_pix2prof.mass_profile` returns it.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure, with three axes.

    Raises
    ------
    TypeError
        If ``table`` is not a mass profile.
    """
    if not set(_NEEDED) <= set(getattr(table, 'colnames', ())):
        msg = ('table must be a mass profile, as mass_profile returns it, '
               f'got {type(table).__name__}')
        raise TypeError(msg)
    fig = _new_figure(fig, (6.4, 7.2))
    axes = fig.subplots(3, 1, sharex=True,
                        gridspec_kw={'height_ratios': (2, 1, 1)})
    kpc = table['radius_kpc'].value
    density, error = (table[name].value for name in (
        'mass_density', 'mass_density_err'))
    with np.errstate(invalid='ignore', divide='ignore'):
        _points(axes[0], kpc, np.log10(np.where(density > 0, density,
                                                np.nan)),
                error / density / np.log(10), table['colour_held'], 0)
        within = np.log10(table['mass_enclosed'].value)
    axes[0].set_ylabel(r'log $\Sigma_*$ [M$_\odot$ pc$^{-2}$]')
    axes[1].plot(kpc, np.where(np.isfinite(within), within, np.nan),
                 color=_COLOURS[1])
    total = table.meta.get('log_mass', np.nan)
    if np.isfinite(total):
        axes[1].axhline(total, color='0.5', lw=0.8, ls='--')
    half = table.meta.get('r50_mass', np.nan)
    if np.isfinite(half):
        for ax in axes:
            ax.axvline(half, color='0.5', lw=0.8, ls=':')
    axes[1].set_ylabel(r'log M(<R) [M$_\odot$]')
    _points(axes[2], kpc, table['colour'].value, table['colour_err'].value,
            table['colour_held'], 2)
    axes[2].set_ylabel(f'{table.meta.get("colour", "colour")} [mag]')
    axes[2].set_xlabel('semi-major axis [kpc]')
    axes[2].set_xlim(left=0)
    for ax in axes:
        _style(ax)
    return fig


def _points(ax, radius, value, error, held, k):
    """
    Draw a column with its errors; open circles where the colour is held.
    """
    colour = _COLOURS[k % len(_COLOURS)]
    _band(ax, radius, value, error, colour)
    ax.plot(radius, value, color=colour, lw=0.8, zorder=3)
    held = np.asarray(held, dtype=bool)
    for rows, face in ((~held, colour), (held, 'w')):
        ax.plot(radius[rows], value[rows], 'o', ms=3.0, mec=colour, mfc=face,
                mew=0.8, zorder=4)
