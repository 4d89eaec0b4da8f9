# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figures of a galaxy in several bands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.fitting.bands import BandProfiles
from astro_pix2prof.plotting.style import _COLOURS, _band, _new_figure, _style
from astro_pix2prof.profile.flags import RingFlag

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['plot_colours']


# Errors (mag) beyond which a point says nothing.
_LARGEST = 1.0


def plot_colours(result: BandProfiles, *, fig: Figure | None = None) -> Figure:
    """
    Plot the profiles of all bands and, below, the colours.

    Bands around the lines are errors; rings with the flag UNRESOLVED are
    drawn as open circles, those with an error above 1 mag not at all.

    Parameters
    ----------
    result : `BandProfiles`
        The result of ``fit_bands`` of a fitter.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure, with one axes if there is no colour, else two.

    Raises
    ------
    TypeError
        If ``result`` is not a `BandProfiles`.
    """
    if not isinstance(result, BandProfiles):
        msg = ('result must be a BandProfiles, as fit_bands returns it, got '
               f'{type(result).__name__}')
        raise TypeError(msg)
    fig = _new_figure(fig, (6.4, 6.4))
    table = result.colours
    colours = table.meta['colours']
    ratios = (2, 1) if colours else (1,)
    axes = fig.subplots(len(ratios), 1, sharex=True, squeeze=False,
                        gridspec_kw={'height_ratios': ratios})[:, 0]
    _draw(axes[0], table, result.profiles)
    axes[0].invert_yaxis()
    axes[0].set_ylabel(r'$\mu$ [mag arcsec$^{-2}$]')
    if colours:
        _draw(axes[1], table, colours)
        axes[1].set_ylabel('colour [mag]')
    axes[-1].set_xlabel(f'semi-major axis [{table["radius"].unit}]')
    axes[-1].set_xlim(left=0)
    return fig


def _draw(ax, table, names):
    radius = table['radius'].value
    for k, name in enumerate(names):
        colour = _COLOURS[k % len(_COLOURS)]
        value, error = table[name].value, table[f'{name}_err'].value
        value = np.where(error > _LARGEST, np.nan, value)
        _band(ax, radius, value, error, colour)
        ax.plot(radius, value, color=colour, lw=0.8, zorder=3)
        inner = (table[f'{name}_flag'] & int(RingFlag.UNRESOLVED)) != 0
        for rows, face, label in ((~inner, colour, name), (inner, 'w', None)):
            ax.plot(radius[rows], value[rows], 'o', ms=3.0, mec=colour,
                    mfc=face, mew=0.8, label=label, zorder=4)
    ax.legend(fontsize='small')
    _style(ax)
