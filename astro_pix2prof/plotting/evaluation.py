# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figures of the errors of fitters: figures 3 to 5 of Smith et al. (2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from astro_pix2prof.evaluation.result import Evaluation
from astro_pix2prof.plotting.style import _COLOURS, _new_figure, _style
from astro_pix2prof.profile.brightness import SB_UNIT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['plot_evaluation', 'plot_evaluation_profiles']


# Smaller errors than this are not told apart (mag/arcsec2).
_FLOOR = 1e-3

# The fraction of the profiles that have to reach a radius.
_REACH = 0.1

_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def plot_evaluation(evaluation: Evaluation, *,
                    fig: Figure | None = None) -> Figure:
    """
    Plot the distribution of the errors of fitters, and where they are large.

    The violins show the medians of the absolute deviation for each image,
    with their quartiles, to a signal-to-noise ratio of 1 and where the
    truth is brighter than the limit; a missing value counts 1 mag/arcsec2.
    Against the radius, the lines show the median of the absolute deviation
    and the shades its interquartile range, for all images and for those in
    each band. They end where 90% of the true profiles have ended, and have
    gaps where a fitter measured less than half of the rings.

    Parameters
    ----------
    evaluation : `~astro_pix2prof.Evaluation`
        The result of `~astro_pix2prof.evaluate_fitters`.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.

    Raises
    ------
    TypeError
        If ``evaluation`` is not an `~astro_pix2prof.Evaluation`.

    Examples
    --------
    .. plot::
        :include-source:

        from astro_pix2prof import (
            IsophoteFitter,
            evaluate_fitters,
            load_example,
            load_example_truth,
            plot_evaluation,
        )

        evaluation = evaluate_fitters(
            {'isophotes': IsophoteFitter()},
            [(load_example(), load_example_truth())])
        plot_evaluation(evaluation)
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    _check_evaluation(evaluation)
    bands = [band for band in evaluation.bands if band]
    n_rows = 2 if len(bands) > 1 else 1
    fig = _new_figure(fig, (10.0, 4.2 * n_rows + 0.4))
    engine = fig.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(h_pad=0.07)
    outer = fig.add_gridspec(n_rows, 1)
    top = outer[0].subgridspec(1, 3, width_ratios=(1, 1, 1.7), wspace=0.03)
    left = fig.add_subplot(top[0])
    middle = fig.add_subplot(top[1], sharey=left)
    right = fig.add_subplot(top[2])
    limit = evaluation.mu_limit.value
    _draw_violins(left, evaluation, 'median')
    left.set_title('S/N > 1', fontsize='medium')
    _draw_violins(middle, evaluation, 'median_bright')
    middle.set_title(rf'$\mu$ < {limit:g}', fontsize='medium')
    middle.tick_params(labelleft=False)
    _set_violin_limits([left, middle])
    _draw_radius(right, evaluation)
    right.set_title('All images, S/N > 1', fontsize='medium')
    right.set_ylabel(r'Median $|\Delta\mu|$ [mag arcsec$^{-2}$]')
    _draw_legend(fig, right)
    axes = [right]
    if n_rows == 2:
        bottom = outer[1].subgridspec(1, len(bands), wspace=0.03)
        for i, band in enumerate(bands):
            ax = fig.add_subplot(bottom[i], sharey=axes[1] if i else None)
            axes.append(ax)
            _draw_radius(ax, evaluation, band)
            ax.set_title(f'{band} band', fontsize='medium', y=1.0, pad=-14)
            if i:
                ax.tick_params(labelleft=False)
        axes[1].set_ylabel(r'Median $|\Delta\mu|$ [mag arcsec$^{-2}$]')
    _set_log_limits([line for ax in axes for line in ax.get_lines()], axes)
    end = max((ax.get_xlim()[1] for ax in axes[1:]), default=None)
    for ax in axes[1:]:
        ax.set_xlim(right=end)
    return fig


def plot_evaluation_profiles(evaluation: Evaluation, *, n: int = 25,
                             seed: int = 0,
                             fig: Figure | None = None) -> Figure:
    """
    Plot profiles of a random sample of images beside the truth.

    Below each of the profiles are the residuals, measured minus true, to a
    signal-to-noise ratio of 1. The radii are on a logarithmic scale, to
    spread out the bright centre.

    Parameters
    ----------
    evaluation : `~astro_pix2prof.Evaluation`
        The result of `~astro_pix2prof.evaluate_fitters`.

    n : int, optional
        The number of images, or less if there are not as many.

    seed : int, optional
        The seed of the random choice.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.

    Raises
    ------
    TypeError
        If ``evaluation`` is not an `~astro_pix2prof.Evaluation`.

    ValueError
        If ``n`` is not a positive integer.
    """
    _check_evaluation(evaluation)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        msg = f'n must be a positive integer, got {n!r}'
        raise ValueError(msg)
    images = np.unique(np.asarray(evaluation.runs['image']))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(images, min(n, len(images)), replace=False))
    n_columns = int(np.ceil(np.sqrt(len(chosen))))
    n_rows = -(-len(chosen) // n_columns)
    fig = _new_figure(fig, (max(2.3 * n_columns + 0.7, 4.0),
                            2.5 * n_rows + 0.8))
    grid = fig.add_gridspec(n_rows, n_columns)
    start = _first_radius(evaluation)
    panels = [_draw_image(fig, grid[divmod(k, n_columns)], evaluation, image)
              for k, image in enumerate(chosen)]
    _share_limits(panels, start, n_columns)
    _draw_legend(fig, panels[0][0])
    fig.supxlabel('Semi-major axis [arcsec]', fontsize='medium')
    fig.supylabel(r'$\mu$, and measured minus true [mag arcsec$^{-2}$]',
                  fontsize='medium')
    return fig


def _check_evaluation(evaluation):
    if not isinstance(evaluation, Evaluation):
        msg = ('evaluation must be an Evaluation, as evaluate_fitters '
               f'returns it, got {type(evaluation).__name__}')
        raise TypeError(msg)


def _colour(evaluation, label):
    return _COLOURS[evaluation.labels.index(label) % len(_COLOURS)]


def _draw_legend(fig, ax):
    fig.legend(*ax.get_legend_handles_labels(), frameon=False,
               loc='outside upper center',
               ncols=max(int(fig.get_figwidth() / 2), 1))


def _draw_violins(ax, evaluation, column):
    """
    Draw a violin for each fitter, of the logarithms of the errors.
    """
    table = evaluation.to_table()
    labels = evaluation.labels
    for i, label in enumerate(labels):
        values = table[column].value[np.asarray(table['fitter']) == label]
        values = np.log10(np.maximum(values[np.isfinite(values)], _FLOOR))
        if not values.size:
            continue
        # rounding errors are no distribution
        values = np.round(values, 6)
        colour = _colour(evaluation, label)
        if len(values) > 1:
            parts = ax.violinplot(values, [i], widths=0.8, showextrema=False,
                                  orientation='horizontal')
            for body in parts['bodies']:
                body.set(facecolor=colour, edgecolor=colour, alpha=0.35)
        low, mid, high = np.quantile(values, [0.25, 0.5, 0.75])
        ax.hlines(i, low, high, color=colour, lw=5)
        ax.plot(mid, i, 'o', ms=5, mfc='w', mec=colour, label=label)
        ax.annotate(f'{10**mid:.3f}', (mid, i), (0, 6), ha='center',
                    textcoords='offset points', fontsize='small')
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_xlabel(r'Median $|\Delta\mu|$ [mag arcsec$^{-2}$]')
    ax.tick_params(direction='in', top=True)


def _set_violin_limits(axes):
    """
    Give all violins the same logarithmic axis.
    """
    limits = np.array([ax.get_xlim() for ax in axes])
    # the numbers are inside the frame
    low, high = limits[:, 0].min() - 0.2, limits[:, 1].max() + 0.2
    step = 3 if high - low > 2 else 1
    ticks = [t for t in _TICKS[::step] if low <= np.log10(t) <= high]
    for ax in axes:
        ax.set_xticks(np.log10(ticks), [f'{t:g}' for t in ticks])
        ax.set_xlim(low, high)


def _draw_radius(ax, evaluation, band=None):
    table = evaluation.by_radius(_radius_edges(evaluation), band=band)
    table = table[table['fraction_images'] > _REACH]
    for label in evaluation.labels:
        rows = table[np.asarray(table['fitter'], dtype=str) == label]
        radius = 0.5 * (rows['inner'] + rows['outer']).value
        colour = _colour(evaluation, label)
        q25, median, q75 = (np.maximum(rows[name].value, _FLOOR)
                            for name in ('q25', 'median', 'q75'))
        # the median of what counts 1 mag only because it is missing
        median[rows['missing'] > 0.5] = np.nan
        shown = np.isfinite(median)
        ax.plot(radius, median, color=colour, label=label, lw=1.5)
        ax.fill_between(radius, q25, q75, where=shown, color=colour,
                        alpha=0.2, lw=0)
    ax.set_yscale('log')
    ax.set_xlim(left=0)
    ax.set_xlabel('Semi-major axis [arcsec]')
    _style(ax)


def _radius_edges(evaluation):
    """
    Make bins as wide as the rings are apart, a tenth further out.
    """
    used = np.asarray(evaluation.rings['in_snr'], dtype=bool)
    radius = np.unique(evaluation.rings['radius'].to_value(u.arcsec)[used])
    last = np.max(radius, initial=1.0)
    step = max(last / 150, 0.4)
    edges = [0.0]
    while edges[-1] <= last:
        edges.append(edges[-1] + max(step, 0.1 * edges[-1]))
    return np.array(edges)


def _set_log_limits(lines, axes):
    from matplotlib.ticker import FixedLocator, NullFormatter

    values = np.concatenate([line.get_ydata() for line in lines])
    values = values[np.isfinite(values)]
    if not values.size:
        values = np.array([0.1])
    low = max(values.min() / 3, 0.8 * _FLOOR)
    # room for the title above the lines
    high = 4 * values.max()
    for ax in axes:
        ax.set_ylim(low, high)
        ax.yaxis.set_major_locator(FixedLocator(
            [t for t in _TICKS if low <= t <= high]))
        ax.yaxis.set_major_formatter('{x:g}')
        ax.yaxis.set_minor_formatter(NullFormatter())


def _first_radius(evaluation):
    """
    Choose the radius at which a logarithmic axis shows the centre.
    """
    radius = evaluation.rings['radius'].to_value(u.arcsec)
    return 0.7 * np.min(radius[radius > 0], initial=1.0)


def _draw_image(fig, place, evaluation, image):
    """
    Draw the profiles and the residuals of an image: two panels.
    """
    both = place.subgridspec(2, 1, height_ratios=(2.2, 1), hspace=0.0)
    upper = fig.add_subplot(both[0])
    lower = fig.add_subplot(both[1], sharex=upper)
    upper.set_xscale('log')
    start = _first_radius(evaluation)
    rings = evaluation.rings[np.asarray(evaluation.rings['image']) == image]
    rings = rings[np.asarray(rings['in_snr'], dtype=bool)]
    fitters = np.asarray(rings['fitter'], dtype=str)
    for i, label in enumerate(evaluation.labels):
        mine = rings[fitters == label]
        radius = np.maximum(mine['radius'].to_value(u.arcsec), start)
        mu = mine['surface_brightness'].to_value(SB_UNIT)
        delta = mine['difference'].to_value(SB_UNIT)
        colour = _colour(evaluation, label)
        if not i:
            upper.plot(radius, mu, color='0.2', lw=2.2, label='truth')
        upper.plot(radius, mu + delta, color=colour, lw=1.1, label=label)
        lower.plot(radius, delta, color=colour, lw=1.1)
    upper.invert_yaxis()
    lower.axhline(0, color='0.2', lw=0.7, zorder=1)
    runs = evaluation.runs
    run = runs[np.flatnonzero(np.asarray(runs['image']) == image)[0]]
    title = ' '.join(str(text) for text in (
        run['name'] or f'image {image}', run['type']) if text)
    band = str(run['band'])
    if band and not str(run['name']).endswith(f'_{band}'):
        title = f'{title} {band}'
    upper.text(0.04, 0.04, title, transform=upper.transAxes,
               fontsize='x-small')
    return upper, lower


def _share_limits(panels, start, n_columns):
    """
    Give all panels the same axes, labelled at the outer ones only.
    """
    from matplotlib.ticker import MultipleLocator

    last = max(upper.get_xlim()[1] for upper, _ in panels)
    values = np.concatenate([np.concatenate([
        line.get_ydata() for line in upper.get_lines()])
        for upper, _ in panels])
    values = values[np.isfinite(values)]
    delta = np.abs(np.concatenate([np.concatenate([
        line.get_ydata() for line in lower.get_lines()])
        for _, lower in panels]))
    delta = delta[np.isfinite(delta)]
    # a few wild values do not set the range
    limit = np.clip(1.5 * np.quantile(delta, 0.98), 0.1, 1.5)
    # labels of one width keep the columns in line
    step = 4 if np.ptp(values) > 7 else 2
    for k, (upper, lower) in enumerate(panels):
        upper.set_xlim(start * 0.9, last)
        if values.size:
            low, high = np.quantile(values, [0.0, 0.995])
            upper.set_ylim(high + 2.0, low - 0.5)
        upper.yaxis.set_major_locator(MultipleLocator(step))
        lower.set_ylim(limit, -limit)
        upper.tick_params(labelbottom=False)
        if k % n_columns:
            upper.tick_params(labelleft=False)
            lower.tick_params(labelleft=False)
        if k < len(panels) - n_columns:
            lower.tick_params(labelbottom=False)
        lower.xaxis.set_major_formatter('{x:g}')
        for ax in (upper, lower):
            ax.tick_params(direction='in', which='both', top=True,
                           right=True, labelsize='small')
