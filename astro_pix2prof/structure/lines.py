# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Straight lines, and two that meet, through logarithmic profiles.
"""

import numpy as np

__all__ = ['excess', 'fit_broken_line', 'fit_line']


# Break radii that are tried; the points on either side of all of them, of
# profiles with at least so many points and of those with fewer (the rings of
# a network lie a fifth apart, and a disc that ends steeply has few of them).
_N_BREAKS, _BESIDE, _MANY, _BESIDE_FEW = 60, 4, 10, 3

# A break has a Bayesian information criterion that is lower by this, and
# scale lengths with this ratio.
_GAIN, _RATIO = 10.0, 1.2

# Points farther than this from the break, as a part of its radius, tell by how
# much a slope depends on those near it, if they are no fewer than this: set on
# 52 broken discs (as in benchmarks/accuracy/stated_models.py).
_AWAY, _N_AWAY = 0.25, 5


def excess(difference, error):
    """
    Calculate the part of a difference that its error does not explain.
    """
    return np.sqrt(max(difference**2 - error**2, 0.0))


def fit_line(x, y, weight, share):
    """
    Fit a weighted straight line.

    Parameters
    ----------
    x, y, weight : 1D `~numpy.ndarray`, shape (n,)
        The points, and weights of their squares.

    share : 2D `~numpy.ndarray`, shape (n, n)
        The covariance of the points in units of the weights.

    Returns
    -------
    coeff : 1D `~numpy.ndarray`, shape (2,)
        Value at 0, and slope.

    covariance : 2D `~numpy.ndarray`, shape (2, 2)
        Their covariance.

    chi2 : float
        Chi squared.
    """
    design = np.stack([np.ones_like(x), x], -1)
    inverse = np.linalg.inv(design.T @ (weight[:, None] * design))
    coeff = inverse @ (design.T @ (weight * y))
    return (coeff, _propagated(inverse, design, weight, share),
            float((weight * (y - design @ coeff)**2).sum()))


def fit_broken_line(x, y, weight, share, chi2):
    """
    Fit two lines that meet, if they are much better than one.

    Parameters
    ----------
    x, y, weight, share
        As for `fit_line`; ``y`` are logarithms of intensities.

    chi2 : float
        Chi squared of one line.

    Returns
    -------
    found : dict or None
        ``r_break``, ``h_in`` and ``h_out``: (value, error); ``type``, 2
        (down-bending) or 3 (up-bending, of ten points or more). `None` if
        one line is as good, one of two does not decline, or there are
        fewer than six points.
    """
    if len(x) < 2 * _BESIDE_FEW:
        return None
    best = _best_break(x, y, weight)
    if best is None or not _bends(best, chi2, len(x)):
        return None
    # (of few points, the last one or two bend a line up by their noise)
    if len(x) < _MANY and best[2][2] > best[2][1]:
        return None
    # A point that is bright by chance must not count for more.
    model = _design(x, best[1]) @ best[2]
    fair = weight * np.exp(2 * np.clip(model - y, -1, 1))
    again = _best_break(x, y, fair)
    if again is not None and _slopes(again[2]):
        best, weight = again, fair
    least, r_b, coeff, trail = best
    widen = max(least / max(len(x) - 4, 1), 1.0)
    spread = _break_errors(x, r_b, coeff, weight, share) * widen**0.5
    grid = _breaks(x)
    inside = grid[trail < least + widen]
    found = {'r_break': (r_b, max(spread[3], np.ptp(inside) / 2,
                                  grid[1] - grid[0]))}
    for k, name, away in ((1, 'h_in', x < (1 - _AWAY) * r_b),
                          (2, 'h_out', x > (1 + _AWAY) * r_b)):
        scale = -1 / coeff[k]
        found[name] = scale, np.hypot(
            spread[k] * scale**2,
            _change_away(x[away], y[away], weight[away], scale))
    found['type'] = 2 if found['h_in'][0] > found['h_out'][0] else 3
    return found


def _breaks(x):
    k = _BESIDE if len(x) >= _MANY else _BESIDE_FEW
    return np.linspace(x[k - 1], x[-k], _N_BREAKS)


def _design(x, r_b):
    return np.stack([np.ones_like(x), np.minimum(x - r_b, 0),
                     np.maximum(x - r_b, 0)], -1)


def _best_break(x, y, weight):
    """
    Find the best break: chi squared, radius, coefficients, all chi squared.
    """
    best, trail = None, []
    for r_b in _breaks(x):
        design = _design(x, r_b)
        normal = design.T @ (weight[:, None] * design)
        if np.linalg.cond(normal) > 1e12:
            trail.append(np.inf)
            continue
        coeff = np.linalg.solve(normal, design.T @ (weight * y))
        trail.append(float((weight * (y - design @ coeff)**2).sum()))
        if best is None or trail[-1] < best[0]:
            best = trail[-1], r_b, coeff
    return None if best is None else (*best, np.array(trail))


def _slopes(coeff):
    """
    Tell whether both lines decline, in different ways.
    """
    if not (coeff[1] < 0 and coeff[2] < 0):
        return False
    ratio = coeff[2] / coeff[1]
    return bool(ratio > _RATIO or ratio < 1 / _RATIO)


def _bends(best, chi2, n):
    """
    Tell whether two lines are much better than one.
    """
    noise = max(best[0] / max(n - 4, 1), 1.0)
    gain = (chi2 - best[0]) / noise - 2 * np.log(n)
    return gain > _GAIN and _slopes(best[2])


def _change_away(x, y, weight, scale):
    """
    Calculate by how much a scale length is another away from the break.
    """
    if len(x) < _N_AWAY:
        return 0.0
    slope = fit_line(x, y, weight, np.eye(len(x)))[0][1]
    return min(abs(-1 / slope - scale), scale) if slope < 0 else scale


def _propagated(inverse, design, weight, share):
    """
    Propagate the covariance of weighted points to linear coefficients.
    """
    part = inverse @ (design * weight[:, None]**0.5).T
    return part @ share @ part.T


def _break_errors(x, r_b, coeff, weight, share):
    """
    Calculate errors of level, inner and outer slope, and break radius.

    The slopes are less certain than for a given break.
    """
    below = x < r_b
    design = np.stack([np.ones_like(x), np.where(below, x - r_b, 0),
                       np.where(below, 0, x - r_b),
                       -np.where(below, coeff[1], coeff[2])], -1)
    inverse = np.linalg.pinv(design.T @ (weight[:, None] * design))
    return np.sqrt(np.maximum(np.diag(
        _propagated(inverse, design, weight, share)), 0))
