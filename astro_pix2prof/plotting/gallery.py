# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A poster of several galaxies with their profiles.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.arguments import check_integer
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.plotting.columns import (
    _brightness,
    _check_radius_scale,
    _is_calibrated,
    _isophote_levels,
    _level_colours,
    _plain,
    _set_brightness_axis,
    _set_radius_axis,
    _shown_radius,
    _source_text,
    _unit_text,
)
from astro_pix2prof.plotting.galaxy import GalaxyView
from astro_pix2prof.plotting.style import _COLOURS, _band, _new_figure, _style
from astro_pix2prof.profile.flags import GalaxyFlag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from matplotlib.figure import Figure

__all__ = ['plot_gallery']


# Width of a card and height of its picture and its profile, in inches.
_WIDTH, _PICTURE, _PROFILE = 2.6, 2.5, 1.5


def plot_gallery(fits: Sequence[ProfileFit], *,
                 labels: Sequence[str] | None = None, n_columns: int = 4,
                 radius_scale: Literal['linear', 'log', 'r1/4'] = 'r1/4',
                 fig: Figure | None = None) -> Figure:
    """
    Plot several galaxies with their isophotes, and their profiles below.

    All profiles have the same axes where all are calibrated, but for those
    without any galaxy.

    Parameters
    ----------
    fits : sequence of `ProfileFit`
        The results of the method ``fit`` of a fitter.

    labels : sequence of str, optional
        Their names. By default, those of the files and galaxies.

    n_columns : int, optional
        The number of galaxies in a row.

    radius_scale : {'linear', 'log', 'r1/4'}, optional
        The scale of the semi-major axis, as for `plot_fit`.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.

    Raises
    ------
    TypeError
        If ``fits`` are not results of fitters.

    ValueError
        If there are none, or not as many labels, or an option is not known.
    """
    fits = [fits] if isinstance(fits, ProfileFit) else list(fits)
    if not fits:
        msg = 'fits must hold at least one fit, got none'
        raise ValueError(msg)
    for k, fit in enumerate(fits):
        if not isinstance(fit, ProfileFit):
            msg = (f'fits[{k}] must be a ProfileFit, as the method fit of a '
                   f'fitter returns it, got {type(fit).__name__}')
            raise TypeError(msg)
    if labels is None:
        labels = [_source_text(fit.profile, fit.cutout) or f'galaxy {k}'
                  for k, fit in enumerate(fits, 1)]
    elif len(labels) != len(fits):
        msg = (f'labels must be as many as fits, {len(fits)}, got '
               f'{len(labels)}')
        raise ValueError(msg)
    scale = _check_radius_scale(radius_scale)
    n_columns = min(check_integer(n_columns, 'n_columns', least=1), len(fits))
    n_rows = math.ceil(len(fits) / n_columns)

    fig = _new_figure(fig, (_WIDTH * n_columns + 0.5,
                            (_PICTURE + _PROFILE) * n_rows + 0.3))
    grid = fig.add_gridspec(2 * n_rows, n_columns,
                            height_ratios=(_PICTURE, _PROFILE) * n_rows)
    # (profiles with and without magnitudes have no axis in common; one
    # without a galaxy has nothing to compare)
    seen = [fit.profile for fit in fits if not _is_empty(fit.profile)]
    shared = (len({(_is_calibrated(profile), _unit_text(profile))
                   for profile in seen}) == 1 and _is_calibrated(seen[0]))
    first = None
    for k, (fit, label) in enumerate(zip(fits, labels, strict=True)):
        row, column = divmod(k, n_columns)
        colours = _draw_picture(fig.add_subplot(grid[2 * row, column]), fit,
                                label)
        joins = shared and not _is_empty(fit.profile)
        other = first if joins else None
        ax = fig.add_subplot(grid[2 * row + 1, column], sharex=other,
                             sharey=other)
        first = ax if joins and first is None else first
        _draw_profile(ax, fit.profile, colours, scale)
        shown = seen if joins else [fit.profile]
        _set_brightness_axis(ax, shown)
        _style(ax)
        _set_radius_axis(ax, scale, shown)
        if column and joins:
            ax.tick_params(labelleft=False)
        if column:
            ax.set_ylabel('')
        if k + n_columns >= len(fits):
            ax.set_xlabel(f'a [{_unit_text(fit.profile)}]')
    return fig


def _is_empty(profile):
    """
    Check if no galaxy was found, so that there are no magnitudes.
    """
    flag = int(profile.meta.get('flag', 0))
    return bool(flag & GalaxyFlag.NO_SOURCE) and not _is_calibrated(profile)


def _draw_picture(ax, fit, label):
    view = GalaxyView(fit.cutout, fit.profile)
    rows, _ = _isophote_levels(fit.profile)
    # (every other one is enough at this size)
    rows = rows[::-2][::-1]
    colours = _level_colours(len(rows))
    view.plot_image(ax, np.asarray(fit.mask, dtype=bool))
    view.plot_isophotes(ax, rows, colours=colours, dashed=[False] * len(rows))
    view.plot_scale_bar(ax)
    ax.set(xticks=[], yticks=[], xlabel='', ylabel='')
    ax.set_title(label, loc='left', fontsize='medium')
    return rows, colours


def _draw_profile(ax, profile, isophotes, scale):
    _, value, error = _brightness(profile)
    radius = _shown_radius(profile, scale)
    _band(ax, radius, value, error, _COLOURS[0], largest=(
        1.5 if _is_calibrated(profile) else np.inf))
    ax.plot(radius, value, '.-', color=_COLOURS[0], ms=4, lw=0.8, zorder=3)
    rows, colours = isophotes
    index = np.arange(len(profile))
    ax.scatter(np.interp(rows, index, _plain(profile, 'radius')),
               np.interp(rows, index, value), s=34, lw=1.5,
               facecolors='none', edgecolors=colours, zorder=5)
