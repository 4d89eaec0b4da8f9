# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise a line of pixels across a galaxy at which its light breaks off.
"""

from functools import cache

import numpy as np

from astro_pix2prof.background.medians import median
from astro_pix2prof.fitting.gains import photon_part, step_weights
from astro_pix2prof.fitting.step_evidence import step_evidence

__all__ = ['has_break']


# Pixels on each side of a line whose light tells the step at it.
_SIDE = len(step_weights()) // 2

# Bands count where the ellipses have this part of the noise of a sum. Without
# a gain, so many photons make a count of the size of the noise, or more, as
# the scatter of steps tells.
_LEAST, _PHOTONS = 0.5, 2.0

# The median of the squares of deviates of unit variance.
_MEDIAN = 0.455

# The scatter of the steps of good images, as a part of the light, and the
# farthest (pixels) that a line is from the nucleus.
_MODEL, _FARTHEST = 0.02, 12.0

# A step that is the same part of the light all along, in logarithms, or that
# of light that is missing, or was moved along the line, by so many pixels; it
# is at least as large as this, and so many times its error, and so many bands
# tell of it. Of good images, steps at the edges of strong arms exceed 5 times
# the error of the first kind, and 4 times that of the others.
_SIZES, _SURE = np.array([[0.03], [0.4], [0.5]]), np.array([[7], [5.5], [5]])
_BANDS = 1.8

# Steps that exceed their error so many times are weighed against the structure
# of the galaxy, from pixels with this part of the noise of a sum: the largest
# ones, if they are not so large that only arms and edges explain them, nor
# farther (pixels) from the nucleus. They have to exceed the error of that by
# so many times, and so many bands tell of it. Of good images, steps that two
# bands show exceed it; those of more have at most half of it.
_LIKELY, _SEEN, _MOST = 3.0, 1.0, 3
_LARGEST, _FAR = np.array([[0.45], [3.5], [6.0]]), 18.0
_SURELY, _BANDS_TOGETHER = 4.5, 2.5

# The steps so many lines to each side are those that follow from one break,
# to this part of it.
_BESIDE, _ELSE = 3, 0.4

# The part of a step that the ellipses may have themselves.
_OWN = 0.3


def has_break(light, usual, at, *, band, noise, gain=None):
    """
    Tell whether the light of a galaxy breaks off at a line of pixels.

    Where rows were lost or read twice, the part of the galaxy beyond them is
    too near or too far. Where two halves of an image were joined wrongly, one
    lies too far along the line; and where two amplifiers meet, one is
    brighter. At such a line, and there only, the light has a step, by as much
    as the ellipses change over some pixels across it or along it, or by the
    same part all along. Seen through a point-spread function, no dust, arm or
    edge of a disc is as sharp, and as straight along pixels.

    Parameters
    ----------
    light, usual : 3D `~numpy.ndarray`, shape (2, n_bands, n)
        Sums over bands of rows, and over bands of columns, of the pixels and
        of the ellipses. Not finite where pixels are missing.

    at : 2D `~numpy.ndarray`, shape (2, n)
        The distances of columns, and of rows, from the centre.

    band : int
        The number of rows in a band.

    noise : float
        The noise of a sky pixel.

    gain : float, optional
        Photons per unit of the image.

    Returns
    -------
    result : bool
    """
    known = (usual > _LEAST * noise * np.sqrt(band)) & np.isfinite(light)
    model = np.where(known, usual, 1.0)
    off = np.where(known, light / model - 1, 0.0)
    sky = np.where(known, band * noise**2 / model**2, 0.0)
    photons = np.where(known, (1 / gain if gain else noise / _PHOTONS)
                       / model, 0.0)
    kernel, square, uses = _kernels(light.shape[2])
    step, error = off @ kernel, sky @ square
    hidden = (~known).astype(np.float32) @ uses > 0
    shot = np.where(hidden, 0.0, photons @ square)
    if not gain:
        part = photon_part(step, error, shot)
        shot *= part
        photons *= part
    error += shot
    error *= _excess(step, error, ~hidden)
    weight = 1 / (error + _MODEL**2)
    weight[hidden] = 0.0
    power = (weight * step**2).sum(1)
    line = 0.5 * (at[:, _SIDE - 1:-_SIDE] + at[:, _SIDE:1 - _SIDE])
    # (no kind of step is more certain than all that deviates)
    if not ((power > _LIKELY**2) & (np.abs(line) < _FAR)).any():
        return False
    slopes = _slopes(usual, noise, band)
    size, sure, bands = (np.moveaxis(part, 0, 1) for part in _fit(
        weight, step, power, slopes))
    own = np.log(model) @ kernel
    there = (np.abs(size) > _SIZES) & (bands > _BANDS)
    clear = there & (sure > _SURE) & (np.abs(line) < _FARTHEST)[:, None]
    for axis, kind, k in np.argwhere(clear):
        part = weight[axis], slopes[kind][axis], size[axis, kind, k]
        if _is_alone(k, step[axis], *part) and not _is_of_ellipses(
                k, own[axis], *part):
            return True
    likely = there & (sure > _LIKELY) & (np.abs(size) < _LARGEST) & (
        np.abs(line) < _FAR)[:, None]
    variance = np.where(known & (usual > _SEEN * noise * np.sqrt(band)),
                        sky + photons, np.inf)
    places = np.argwhere(likely)
    order = np.argsort([-sure[tuple(place)] for place in places])
    for axis, kind, k in places[order[:_MOST]]:
        slope = slopes[kind][axis]
        most, better, together = step_evidence(
            off[axis], variance[axis], k + _SIDE, slope[:, k])
        if better > _SURELY and together > _BANDS_TOGETHER and (
                _SIZES[kind] < abs(most) < _LARGEST[kind]
                and not _is_of_ellipses(k, own[axis], weight[axis], slope,
                                        most)):
            return True
    return False


def _excess(step, error, known):
    """
    Calculate by how much steps vary more than noise, as those of arms do.
    """
    if not known.any():
        return 1.0
    return max(float(median(step[known]**2 / error[known])) / _MEDIAN, 1.0)


def _slopes(usual, noise, band):
    """
    List the steps by which one kind of break each shows, of unit size.

    A part of the light; light that is missing, by pixels; light that was
    moved along the line, by pixels.
    """
    log = np.log(np.maximum(usual, 1e-3 * noise))
    # (beside each line)
    before, after = log[..., _SIDE - 1:-_SIDE], log[..., _SIDE:1 - _SIDE]
    along = np.gradient(0.5 * (before + after), band, axis=1)
    return np.stack([np.ones(along.shape), after - before, along])


def _fit(weight, step, power, slopes):
    """
    Fit the size of each kind of break to the steps at each line.

    Parameters
    ----------
    weight, step : 3D `~numpy.ndarray`, shape (2, n_bands, m)
        The steps, and the inverse of their variances.

    power : 2D `~numpy.ndarray`, shape (2, m)
        The sum of the squares of the steps in units of their errors.

    slopes : 4D `~numpy.ndarray`, shape (3, 2, n_bands, m)
        The steps of breaks of unit size.

    Returns
    -------
    size, sure, bands : 3D `~numpy.ndarray`, shape (3, 2, m)
        The size; by how many times it exceeds its error from noise, and from
        the scatter of bands; and how many bands tell of it.
    """
    each = weight * slopes
    part = each * slopes
    total = part.sum(2)
    # (lines at which nothing is seen)
    some = np.where(total > 0, total, 1.0)
    size = (each * step).sum(2) / some
    left = power - size**2 * total
    number = np.maximum(np.count_nonzero(weight, axis=1) - 1, 1)
    sure = np.abs(size) * np.sqrt(total / np.maximum(left / number, 1.0))
    return size, sure, total**2 / np.where(total > 0, (part**2).sum(2), 1.0)


def _is_alone(k, step, weight, slope, size):
    """
    Tell whether the steps beside a line are those of a break at it.
    """
    first = max(k - _BESIDE, 0)
    near = np.s_[first:k + _BESIDE + 1]
    seen = weight[:, near] > 0
    part = (weight[:, k] * slope[:, k])[:, None] * seen
    total = (part * slope[:, k, None]).sum(0)
    known = total > 0.5 * total[k - first]
    values = (part * step[:, near]).sum(0)[known] / total[known]
    shape = _shape()[_BESIDE - (k - first):][:len(known)][known]
    factor = values @ shape / (shape @ shape)
    return np.abs(values - factor * shape).max() < _ELSE * abs(size)


def _is_of_ellipses(k, step, weight, slope, size):
    """
    Tell whether the ellipses, and not the pixels, have a part of the step.

    Those of a galaxy with strong arms may change from one pixel to the next.
    """
    each = weight[:, k] * slope[:, k]
    own = each @ step[:, k] / (each @ slope[:, k])
    return abs(own) > _OWN * abs(size)


@cache
def _kernels(n):
    """
    Make the weights of pixels in the steps at all lines.

    Returns
    -------
    kernel, power, uses : 2D `~numpy.ndarray`, shape (n, m)
        The weights, their squares, and which are not zero.
    """
    kernel = np.zeros((n, n - 2 * _SIDE + 1))
    for k in range(kernel.shape[1]):
        kernel[k:k + 2 * _SIDE, k] = step_weights()
    return kernel, kernel**2, (kernel != 0).astype(np.float32)


@cache
def _shape():
    """
    Calculate the steps at lines beside a step of one.
    """
    x = np.arange(-_SIDE, _SIDE) + 0.5
    return np.array([step_weights() @ np.where(x + off > 0, 0.5, -0.5)
                     for off in range(-_BESIDE, _BESIDE + 1)])
