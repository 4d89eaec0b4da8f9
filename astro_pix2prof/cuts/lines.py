# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Means of an image along lines, and averages of neighbouring lines.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ['LineMeans', 'combine_lines', 'line_places', 'line_widths',
           'measure_lines']


# Samples that are taken at once.
_CHUNK = 1_000_000

# Half the width (pixels) over which lines are averaged, as a part of the
# distance, and the least that is an average.
_WIDEST, _LEAST = 0.1, 1.0

# Within this distance (pixels) a galaxy bends too much to be averaged.
_INNER = 4.0

# Steps between lines (pixels), and the distances up to which they hold.
_STEPS = ((4.0, 0.25), (12.0, 0.5), (np.inf, 1.0))

# The slope (per pixel) of the logarithm of the intensity is no larger, and
# counts where the intensity is this many times its error.
_STEEPEST, _SEEN = 2.5, 3.0


@dataclass
class LineMeans:
    """
    Record of means along n lines of one pixel's width.

    Attributes
    ----------
    at : 1D `~numpy.ndarray`, shape (n,)
        Distances from the centre in pixels, increasing.

    mean : 1D `~numpy.ndarray`, shape (n,)
        Mean pixel values; not-a-number where no pixel counts.

    length, seen : 1D `~numpy.ndarray`, shape (n,)
        Lengths in pixels, whole and of what counts.

    variance : 1D `~numpy.ndarray`, shape (n,)
        Mean variance of a pixel of the noise map; not-a-number without.

    full : 1D `~numpy.ndarray`, shape (n,)
        Saturated parts.

    leaves : 1D bool `~numpy.ndarray`, shape (n,)
        Whether a line leaves the frame.
    """

    at: np.ndarray
    mean: np.ndarray
    length: np.ndarray
    seen: np.ndarray
    variance: np.ndarray
    full: np.ndarray
    leaves: np.ndarray


def line_places(want):
    """
    Choose the distances of lines, those that are wanted among them.

    Parameters
    ----------
    want : 1D `~numpy.ndarray`, shape (m,)
        Distances in pixels, increasing.

    Returns
    -------
    at : 1D `~numpy.ndarray`, shape (n,)
        In pixels, increasing, out to the outermost ones and the widths
        around them.
    """
    widths = line_widths(want)
    parts, start = [want], 0.0
    end = np.abs(want).max() + widths.max(initial=0.0)
    for top, step in _STEPS:
        parts.append(np.arange(start, min(top, end), step))
        start = top
    outer = np.concatenate(parts[1:])
    if want[0] < 0:
        outer = np.concatenate([-outer, outer])
    # only those that take part in an average
    near = np.abs(outer[:, None] - want) < widths
    return np.unique(np.concatenate([want, outer[near.any(1)]]))


def line_widths(want):
    """
    Choose the half widths over which lines are averaged.

    Parameters
    ----------
    want : 1D `~numpy.ndarray`, shape (m,)
        Distances in pixels, increasing.

    Returns
    -------
    width : 1D `~numpy.ndarray`, shape (m,)
        In pixels: up to the next distance, and no more than a tenth of the
        distance; 0, a single line, near the centre and where that is less
        than a pixel.
    """
    width = np.maximum(_WIDEST * np.abs(want), _LEAST)
    if len(want) > 1:
        gap = np.diff(want)
        width = np.minimum(width, np.minimum(np.append(gap, np.inf),
                                             np.insert(gap, 0, np.inf)))
    single = (width < _LEAST) | (np.abs(want) < _INNER)
    return np.where(single, 0.0, width)


def measure_lines(field, at, points):
    """
    Measure the means of an image along lines.

    Parameters
    ----------
    field : `~astro_pix2prof.cuts.field.CutField`
        The image.

    at : 1D `~numpy.ndarray`, shape (n,)
        The distances of the lines in pixels.

    points : callable
        Takes one distance and returns the positions ``x`` and ``y`` of
        points along its line, and the length in pixels that each stands for.

    Returns
    -------
    lines : `LineMeans`
    """
    rows, pending, count = [], [], 0
    for place in at:
        pending.append(points(place))
        count += len(pending[-1][0])
        if count > _CHUNK:
            rows.append(_means(field, pending))
            pending, count = [], 0
    if pending:
        rows.append(_means(field, pending))
    return LineMeans(at, *(np.concatenate(column) for column in zip(
        *rows, strict=True)))


def _means(field, lines):
    """
    Measure some lines at once.
    """
    x, y, part = (np.concatenate(column) for column in zip(
        *lines, strict=True))
    first = np.cumsum([0, *(len(line[0]) for line in lines[:-1])])

    def total(values):
        return np.add.reduceat(values, first)

    values, good, inside, variance, full = field.sample(x, y)
    weight = part * good
    length, seen = total(part), total(weight)

    def mean(plane):
        return np.divide(total(weight * plane), seen, where=seen > 0,
                         out=np.full(len(first), np.nan))

    nothing = np.full(len(first), np.nan)
    return (mean(values), length, seen,
            nothing if variance is None else mean(variance),
            np.zeros(len(first)) if full is None
            else total(part * full) / length,
            total((~inside).astype(float)) > 0)


def combine_lines(field, lines, want):
    """
    Average neighbouring lines, true to the slope of the profile.

    Parameters
    ----------
    field : `~astro_pix2prof.cuts.field.CutField`
        The image, for its noise.

    lines : `LineMeans`
        The lines, those at ``want`` among them.

    want : 1D `~numpy.ndarray`, shape (m,)
        Distances in pixels, increasing.

    Returns
    -------
    value, noise : 1D `~numpy.ndarray`, shape (m,)
        Means, and their errors by the noise of the pixels.

    valid : 1D `~numpy.ndarray`, shape (m,)
        Usable parts.

    full : 1D `~numpy.ndarray`, shape (m,)
        Saturated parts.

    leaves : 1D bool `~numpy.ndarray`, shape (m,)
        Whether the line leaves the frame.
    """
    at = lines.at
    row = np.searchsorted(at, want)
    width = line_widths(want)
    step = np.gradient(at) if len(at) > 1 else np.ones(1)
    # (beyond a group of lines comes a gap)
    step = np.minimum(step, 1.0)
    apart = at - want[:, None]
    kernel = np.where(width[:, None] > 0, np.maximum(
        1 - np.abs(apart) / np.maximum(width[:, None], _LEAST), 0.0), 0.0)
    kernel[np.arange(len(want)), row] = 1.0
    area = lines.seen * step
    weight = kernel * area
    norm = weight.sum(1)
    there = norm > 0
    safe = np.where(there, norm, 1.0)
    mean = np.nan_to_num(lines.mean)
    first = weight @ mean / safe
    # pixels that an average stands for
    n_pixels = norm**2 / np.maximum((kernel**2 * area).sum(1), 1e-30)
    # (a single line is one pixel wide)
    n_pixels = np.maximum(n_pixels, np.maximum(lines.seen[row], 1.0))
    given = weight @ np.nan_to_num(lines.variance) / safe
    if np.isnan(lines.variance).all():
        given = np.full(len(want), np.nan)
    # Noise that is correlated alike along both axes counts in full in areas
    # that are wide and long, and with its root in lines.
    long = np.minimum(np.maximum(width, 1.0), np.maximum(
        lines.seen[row], 1.0))
    factor = field.correlation**(1 - 0.5 / long)
    noise = factor * np.sqrt(field.pixel_variance(first, given) / n_pixels)
    slope = _slopes(want, first, noise, there)
    shape = np.exp(np.clip(slope[:, None] * apart, -3, 3))
    value = np.divide(weight @ mean, (weight * shape).sum(1), where=there,
                      out=np.full(len(want), np.nan))
    whole = (kernel * lines.length * step).sum(1)
    valid = norm / np.maximum(whole, 1e-30)
    noise[~there] = np.nan
    return value, noise, valid, lines.full[row], lines.leaves[row]


def _slopes(want, value, noise, there):
    """
    Measure d ln I / d a where the profile is seen; 0 elsewhere.
    """
    slope = np.zeros(len(want))
    if len(want) < 3:
        return slope
    seen = there & (value > _SEEN * noise) & (value > 0)
    log = np.log(np.where(seen, value, 1.0))
    found = np.gradient(log, want)
    # (a difference takes a neighbour on each side)
    whole = np.convolve(seen, np.ones(3), 'same') >= np.where(
        np.isin(np.arange(len(want)), [0, len(want) - 1]), 2, 3)
    found[~whole] = 0.0
    slope = np.convolve(np.pad(found, 1, mode='edge'), [0.25, 0.5, 0.25],
                        'valid')
    return np.clip(slope, -_STEEPEST, _STEEPEST)
