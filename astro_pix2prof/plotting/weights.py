# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A figure of how much the pixels of a galaxy count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.plotting.columns import _isophote_levels, _level_colours
from astro_pix2prof.plotting.galaxy import GalaxyView
from astro_pix2prof.plotting.style import _new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['plot_weights']


_OBJECT_COLOUR = '#D55E00'


def plot_weights(fit: ProfileFit, *, fig: Figure | None = None) -> Figure:
    """
    Plot a galaxy and, beside it, how much its pixels count.

    Other objects, as `ProfileFit.object_mask` finds them, are outlined on
    the weights; a low weight elsewhere is noise.

    Parameters
    ----------
    fit : `ProfileFit`
        The result of `Pix2ProfFitter.fit`, with weights that weigh pixels.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure, with the image, the weights and a colour bar.

    Raises
    ------
    TypeError
        If ``fit`` is not a `ProfileFit`.

    ValueError
        If the fitter has no weights of pixels, as captioners and
        `IsophoteFitter`.
    """
    if not isinstance(fit, ProfileFit):
        msg = ('fit must be a ProfileFit, as the method fit of a fitter '
               f'returns it, got {type(fit).__name__}')
        raise TypeError(msg)
    weight = fit.weight_map()
    if weight is None:
        msg = ('fit must come from a network that weighs pixels, such as '
               "Pix2ProfFitter('rings'), got one of "
               f'{fit.profile.meta.get("fitter")} without weights')
        raise ValueError(msg)
    fig = _new_figure(fig, (10.0, 4.9))
    fig.set_layout_engine('constrained')
    left, right = fig.subplots(1, 2, sharex=True, sharey=True)
    view = GalaxyView(fit.cutout, fit.profile)
    rows, _ = _isophote_levels(fit.profile)
    view.plot_image(left, fit.mask)
    view.plot_isophotes(left, rows, colours=_level_colours(len(rows)),
                        dashed=[False] * len(rows))
    shown = right.imshow(weight, origin='lower', cmap='cividis', vmin=0,
                         vmax=1, interpolation='nearest',
                         extent=left.images[0].get_extent())
    objects = fit.object_mask()
    if objects.any():
        right.contour(objects.astype(float), levels=[0.5], origin='lower',
                      extent=left.images[0].get_extent(),
                      colors=_OBJECT_COLOUR, linewidths=1.0)
    right.set_facecolor('0.85')
    right.set_xlabel(left.get_xlabel())
    right.tick_params(labelleft=False)
    left.set_title('image', loc='left')
    right.set_title('weights, and other objects', loc='left')
    fig.colorbar(shown, ax=(left, right), label='weight', shrink=0.9)
    return fig
