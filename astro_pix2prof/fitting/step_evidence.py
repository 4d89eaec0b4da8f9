# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Weigh a step in the light of a galaxy against its smooth structure.
"""

from functools import cache

import numpy as np
from scipy.special import ndtr

__all__ = ['step_evidence']


# What the ellipses of a galaxy leave is a normal process whose correlation
# falls as Gaussians of these lengths (pixels): that of a point-spread function
# and that of bars and arms. Their standard deviations are one of these pairs,
# as parts of the light, whichever fits best.
_LENGTHS = 2.0, 6.0
_PAIRS = (0.005, 0.02), (0.02, 0.06), (0.05, 0.2), (0.15, 0.6)

# The standard deviation of the level of a band, and the variance of pixels
# that are not known.
_LEVEL, _UNKNOWN = 1.0, 1e3

# Pixels on each side of the line, and how many of a band are known.
_SIDE, _KNOWN = 12, 8

# Edges of galaxies are at least as wide (pixels, standard deviation): they are
# no steps where the sum of squares of deviations is less by more than this.
_EDGE, _BETTER = 1.2, 2.0

# Bands whose steps differ by so many times their variance do not agree.
_UNLIKE = 2.0

# A variance larger than the power of all values.
_LARGE = 1e12


def step_evidence(off, variance, line, slope):
    """
    Calculate by how many times a step exceeds its error.

    Its error is that of the noise and of smooth structure, as strong as the
    galaxy has it: where there is little, pixels far from the line tell of the
    step, too. Structure that explains the step counts against it, and so does
    an edge as wide as a point-spread function makes it.

    Parameters
    ----------
    off : 2D `~numpy.ndarray`, shape (n_bands, n)
        Sums across bands of the pixels over those of the ellipses, less one.

    variance : 2D `~numpy.ndarray`, shape (n_bands, n)
        That of the noise; not finite where there are no pixels.

    line : int
        The first pixel beyond the step.

    slope : 1D `~numpy.ndarray`, shape (n_bands,)
        The step of unit size in each band.

    Returns
    -------
    size, sure, bands : float
        The size of the step; by how many times it exceeds its error, and how
        many bands tell of it. These are zero where structure as strong as
        that of arms or a wider edge fits best, and where the bands do not
        agree.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.fitting.step_evidence import step_evidence
    >>> off = 0.03 * np.random.default_rng(0).normal(size=(6, 30))
    >>> variance = np.full(off.shape, 0.03**2)
    >>> size, sure, _ = step_evidence(off, variance, 14, np.ones(6))
    >>> bool(sure < 3)
    True
    >>> off[:, 14:] += 0.1
    >>> size, sure, _ = step_evidence(off, variance, 14, np.ones(6))
    >>> bool(abs(size - 0.1) < 0.02 and sure > 5)
    True
    """
    first = max(line - _SIDE, 0)
    near = np.s_[:, first:line + _SIDE]
    known = np.isfinite(variance[near])
    use = (known.sum(1) >= _KNOWN) & (slope != 0)
    if np.count_nonzero(use) < 2:
        return 0.0, 0.0, 0.0
    known, slope = known[use], slope[use]
    values = np.where(known, off[near][use], 0.0)
    number, n = values.shape
    # (one decomposition whitens the values and the step as well)
    whole = np.zeros((len(_PAIRS), number, n + 3, n + 3))
    whole[..., :n, :n] = _structure()[:, None, :n, :n]
    at = np.arange(n)
    whole[..., at, at] += np.where(known, variance[near][use], _UNKNOWN)
    whole[..., n, :n] = values
    whole[..., n + 1, :n] = at >= line - first
    whole[..., n + 2, :n] = ndtr((at - (line - first - 0.5)) / _EDGE)
    more = np.arange(n, n + 3)
    whole[..., more, more] = _LARGE
    root = np.linalg.cholesky(whole)
    light, (step, edge) = root[..., n, :n], np.moveaxis(
        root[..., n + 1:, :n], 2, 0)
    part, wide = (light * step).sum(2), (light * edge).sum(2)
    weight = (step**2).sum(2)
    usual = -np.log(root[..., at, at]).sum((1, 2)) - 0.5 * (light**2).sum(
        (1, 2))
    total = weight @ slope**2
    size = part @ slope / total
    left = ((part - size[:, None] * weight * slope)**2 / weight).sum(1)
    left /= number - 1
    better = size**2 * total / np.maximum(left, 1.0)
    best = np.argmax(usual + 0.5 * better)
    smooth = (wide @ slope)**2 / ((edge**2).sum(2) @ slope**2)
    if best == len(_PAIRS) - 1 or left[best] > _UNLIKE or (
            smooth[best] > size[best]**2 * total[best] + _BETTER):
        return float(size[best]), 0.0, 0.0
    sure = better[best] - 2 * (usual.max() - usual[best])
    bands = total[best]**2 / ((weight[best] * slope**2)**2).sum()
    return float(size[best]), float(np.sqrt(max(sure, 0.0))), float(bands)


@cache
def _structure():
    """
    Calculate the covariance of pixels for each strength of structure.
    """
    x = np.arange(2 * _SIDE)
    square = (x[:, None] - x)**2
    one, other = (np.exp(-0.5 * square / length**2) for length in _LENGTHS)
    return np.array([_LEVEL**2 + a**2 * one + b**2 * other
                     for a, b in _PAIRS])
