# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Lengths of a bar from the ellipses of a profile.
"""

from typing import NamedTuple

import numpy as np

__all__ = ['DiscEllipses', 'bar_ellipses', 'ellipses_in_disc',
           'noisy_shapes', 'peak_place']


# The ellipses of a bar point along it to so many degrees, and it ends where
# they have turned by this many from where they are flattest.
_ALONG, _TURN = 20.0, 10.0

# No noisy ellipse is flatter.
_FLATTEST = 0.95

# Ellipses that are rounder than this in the plane have no direction, and are
# those of no bar.
_ROUND = 0.1


class DiscEllipses(NamedTuple):
    """
    Ellipses in the plane of a disc.

    Attributes
    ----------
    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes.

    eps : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities.

    phase : 1D `~numpy.ndarray`, shape (n,)
        Angles from the major axis of the disc, in radians.
    """

    sma: np.ndarray
    eps: np.ndarray
    phase: np.ndarray


def ellipses_in_disc(sma, eps, phase, flat):
    """
    Turn ellipses as they are seen into those in the plane of a disc.

    Parameters
    ----------
    sma, eps, phase : `~numpy.ndarray`, shape (..., n)
        Semi-major axes, ellipticities, and angles from the major axis of
        the disc, in radians.

    flat : float
        The ellipticity of the disc, which is thin.

    Returns
    -------
    ellipses : `DiscEllipses`
    """
    c, s = np.cos(phase), np.sin(phase)
    q, stretch = 1 - eps, 1 / (1 - flat)
    # the two axes as vectors, stretched across the line of nodes
    matrix = np.stack([np.stack([c, -s * q], -1),
                       np.stack([s * stretch, c * q * stretch], -1)], -2)
    u, size, _ = np.linalg.svd(matrix)
    return DiscEllipses(sma * size[..., 0], 1 - size[..., 1] / size[..., 0],
                        np.arctan2(u[..., 1, 0], u[..., 0, 0]))


def peak_place(place, value, k):
    """
    Find the place of a maximum between samples, by a parabola.

    Parameters
    ----------
    place, value : 1D `~numpy.ndarray`, shape (n,)
        The places, increasing, and the values.

    k : int
        The largest of the values.

    Returns
    -------
    place : float
        That of the sample where it has no neighbours on both sides, or
        where one of them is larger.
    """
    if not 0 < k < len(place) - 1:
        return float(place[k])
    x, y = place[k - 1:k + 2] - place[k], value[k - 1:k + 2] - value[k]
    # (beyond its reach a bar's ellipses may be flatter still)
    if not (np.isfinite(y).all() and y.max() <= 0 and y.min() < 0):
        return float(place[k])
    curve, slope, _ = np.polyfit(x, y, 2)
    return float(place[k] + np.clip(-0.5 * slope / curve, x[0], x[2]))


def bar_ellipses(ellipses, phase, reach, inside=0.0):
    """
    Measure where the ellipses of a bar are flattest, and where they turn.

    Parameters
    ----------
    ellipses : `DiscEllipses`
        The ellipses, those that are known.

    phase : float
        The angle of the bar from the major axis, in radians.

    reach : float
        The largest semi-major axis of the flattest ellipse.

    inside : float, optional
        A semi-major axis within which the bar does not end, by other
        evidence: what noisy ellipses do there is not looked at.

    Returns
    -------
    flattest : float
        The semi-major axis of the largest ellipticity of those ellipses
        that point along the bar; not-a-number if there is none.

    turned : float
        The semi-major axis where they have turned by 10 degrees from that,
        or the first beyond it where the ellipticity is smallest, whichever
        is smaller; not-a-number if there is neither.
    """
    sma, eps, angle = ellipses
    away = np.degrees(_apart(angle, phase))
    of_bar = (away < _ALONG) & (eps > _ROUND) & (sma <= reach)
    if not of_bar.any():
        return np.nan, np.nan
    top = int(np.argmax(np.where(of_bar, eps, -1)))
    log = np.log(np.maximum(sma, 1e-6))
    flattest = float(np.exp(peak_place(log, eps, top)))
    turn = np.degrees(_apart(angle, angle[top]))
    ends = []
    # (in the plane, their order may be another than that of the rings)
    first = max(top + 1, np.count_nonzero(np.cumsum(sma >= inside) == 0))
    for k in range(first, len(sma)):
        if turn[k] >= _TURN or eps[k] <= _ROUND:
            # (a round ellipse has no direction: the bar has ended)
            # (where a ring inside has turned already, here)
            share = 1.0 if turn[k] < _TURN or turn[k - 1] >= _TURN else (
                (_TURN - turn[k - 1]) / (turn[k] - turn[k - 1]))
            ends.append(sma[k - 1] + share * (sma[k] - sma[k - 1]))
            break
    low = [k for k in range(first, len(sma) - 1)
           if eps[k] <= eps[k - 1] and eps[k] < eps[k + 1]]
    if low:
        ends.append(np.exp(peak_place(log, -eps, low[0])))
    return flattest, float(min(ends)) if ends else np.nan


def _apart(one, two):
    """
    Calculate the angle between two axes (radians, at most a right one).
    """
    return np.abs(np.mod(one - two + np.pi / 2, np.pi) - np.pi / 2)


def noisy_shapes(eps, phase, error, turned, rng, n):
    """
    Draw noisy versions of ellipses.

    Parameters
    ----------
    eps, phase : 1D `~numpy.ndarray`, shape (k,)
        Ellipticities and angles (radians).

    error, turned : 1D `~numpy.ndarray`, shape (k,)
        Their errors.

    rng : `~numpy.random.Generator`
        The source of random numbers.

    n : int
        The number of versions.

    Returns
    -------
    eps, phase : 2D `~numpy.ndarray`, shape (n, k)
    """
    # As complex numbers, since angles of round ellipses are not known.
    across = np.minimum(2 * eps * turned, 0.5)
    along, beside = rng.normal(size=(2, n, len(eps)))
    shape = (eps + along * error + 1j * beside * across) * np.exp(2j * phase)
    return np.minimum(np.abs(shape), _FLATTEST), 0.5 * np.angle(shape)
