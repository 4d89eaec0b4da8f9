# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Colours, markers and axes that figures share.
"""

import numpy as np

__all__ = []


# Colours that people of any colour vision tell apart (Okabe & Ito 2008).
_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9',
            '#000000')

_MARKERS = 'osD^vPX'


def _given_figure(fig, size, **options):
    """
    Return the figure that was given, or make one.
    """
    from matplotlib.figure import FigureBase

    if fig is None:
        import matplotlib.pyplot as plt

        return plt.figure(figsize=size, **options)
    # (figures, and parts of figures)
    if not isinstance(fig, FigureBase):
        msg = f'fig must be a matplotlib Figure, got {type(fig).__name__}'
        raise TypeError(msg)
    return fig


def _new_figure(fig, size):
    """
    Return a figure whose layout follows its labels.
    """
    fig = _given_figure(fig, size)
    # (a part of a figure has the layout of the whole)
    if fig.get_layout_engine() is None and hasattr(fig, 'set_layout_engine'):
        # panels that share an axis touch
        fig.set_layout_engine('constrained', h_pad=0.02, hspace=0.0)
    return fig


def _band(ax, x, y, error, colour, *, largest=np.inf):
    # errors beyond the largest say no more than the points do
    good = np.isfinite(x + y + error) & (error < largest)
    ax.fill_between(x, y - error, y + error, where=good, color=colour,
                    alpha=0.22, lw=0, zorder=2)


def _style(ax):
    ax.tick_params(direction='in', which='both', top=True, right=True)
    ax.minorticks_on()
