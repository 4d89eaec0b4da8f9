# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Interpolation of profiles between their rings.

A profile whose rings lie 20% apart is no straight line between them, not in
magnitudes either: that of an elliptical galaxy is off by up to 0.01 mag.
"""

import numpy as np

__all__ = ['divide_steps', 'interpolate_intensity', 'interpolate_smoothly']


def divide_steps(radius, n):
    """
    Divide each step from one radius to the next into equal ones.

    Parameters
    ----------
    radius : 1D `~numpy.ndarray`, shape (k,)
        Radii.

    n : int
        How many steps each becomes.

    Returns
    -------
    radius : 1D `~numpy.ndarray`, shape (n (k - 1) + 1,)
        Every n-th is one of those given.
    """
    share = np.arange(n) / n
    return np.append(radius[:-1, None] + share * np.diff(radius)[:, None],
                     radius[-1])


def interpolate_smoothly(radius, values, at):
    """
    Interpolate values at other radii by a cubic that does not overshoot.

    The cubic of Fritsch & Butland (1984, SIAM J. Sci. Stat. Comput. 5, 300);
    between two points a straight line.

    Parameters
    ----------
    radius : 1D `~numpy.ndarray`, shape (n,)
        Radii, increasing.

    values : `~numpy.ndarray`, shape (..., n)
        The values there, without not-a-number.

    at : 1D `~numpy.ndarray`, shape (m,)
        Where they are wanted.

    Returns
    -------
    values : `~numpy.ndarray`, shape (..., m)
        Not-a-number beyond the radii.
    """
    values = np.asarray(values, dtype=float)
    at = np.asarray(at, dtype=float)
    if len(radius) > 1:
        # (values of the same radius cannot be told apart)
        own, first = np.unique(radius, return_index=True)
        if len(own) > 1:
            return _cubics(own, values[..., first], at)
        radius, values = own, values[..., first]
    same = at == (radius[0] if len(radius) else np.nan)
    found = np.full((*values.shape[:-1], *at.shape), np.nan)
    if same.any():
        found[..., same] = values
    return found


def _cubics(radius, values, at):
    """
    Evaluate the cubics between points.

    As `scipy.interpolate.PchipInterpolator`, whose import would delay the
    start of every command.
    """
    step = np.diff(radius)
    slope = np.diff(values) / step
    bend = np.repeat(slope, 2, -1)[..., [0, -1]]
    if len(step) > 1:
        # (the harmonic mean, or level where the values turn)
        one, two = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
        before, after = slope[..., :-1], slope[..., 1:]
        rise = before * after > 0
        with np.errstate(divide='ignore', invalid='ignore'):
            mean = (one + two) / (one / before + two / after)
        bend = np.concatenate([
            _end(step, slope)[..., None], np.where(rise, mean, 0.0),
            _end(step[::-1], slope[..., ::-1])[..., None]], -1)
    k = np.clip(np.searchsorted(radius, at, side='right') - 1, 0,
                len(step) - 1)
    part = (at - radius[k]) / step[k]
    curve = (3 * slope[..., k] - 2 * bend[..., k] - bend[..., k + 1],
             bend[..., k] + bend[..., k + 1] - 2 * slope[..., k])
    found = values[..., k] + step[k] * part * (
        bend[..., k] + part * (curve[0] + part * curve[1]))
    found = np.where(part == 1, values[..., k + 1], found)
    return np.where((at >= radius[0]) & (at <= radius[-1]), found, np.nan)


def _end(step, slope):
    """
    Compute the derivative at the first point, of three points.
    """
    first, second = slope[..., 0], slope[..., 1]
    end = ((2 * step[0] + step[1]) * first - step[0] * second) / (
        step[0] + step[1])
    end = np.where(end * first > 0, end, 0.0)
    turns = (first * second < 0) & (np.abs(end) > 3 * np.abs(first))
    return np.where(turns, 3 * first, end)


def interpolate_intensity(radius, intensity, at):
    """
    Interpolate intensities at other radii, smooth in their magnitudes.

    Beside a ring without light, they are straight lines.

    Parameters
    ----------
    radius : 1D `~numpy.ndarray`, shape (n,)
        Radii, increasing.

    intensity : 1D or 2D `~numpy.ndarray`, shape (n,) or (k, n)
        Flux per unit area. Not-a-number inside is bridged.

    at : 1D `~numpy.ndarray`, shape (m,)
        Where they are wanted.

    Returns
    -------
    intensity : `~numpy.ndarray`, shape (m,) or (k, m)
        Not-a-number beyond the radii with a value.
    """
    intensity = np.asarray(intensity, dtype=float)
    known = np.isfinite(intensity)
    if not known.all():
        if intensity.ndim > 1:
            return np.array([interpolate_intensity(radius, row, at)
                             for row in intensity])
        if not known.any():
            return np.full(len(at), np.nan)
        radius, intensity = radius[known], intensity[known]
    with np.errstate(over='ignore'):
        # (what is large beside rings without light is not used)
        smooth = np.exp(interpolate_smoothly(radius, _logarithms(
            radius, intensity), at))
    k = np.clip(np.searchsorted(radius, at, side='right') - 1, 0,
                max(len(radius) - 2, 0))
    after = np.minimum(k + 1, len(radius) - 1)
    inner, outer = intensity[..., k], intensity[..., after]
    step = radius[after] - radius[k]
    share = (at - radius[k]) / np.where(step > 0, step, 1.0)
    return np.where((inner > 0) & (outer > 0), smooth, np.where(
        (at >= radius[0]) & (at <= radius[-1]),
        inner + share * (outer - inner), np.nan))


def _logarithms(radius, intensity):
    """
    Compute logarithms; rings without light go on as those before them.

    So that rings beside them bend as if the profile ended there.
    """
    found = np.log(np.where(intensity > 0, intensity, np.nan))
    if (intensity > 0).all():
        return found
    # (outwards, and then inwards for the first rings)
    for part, at in ((found, radius), (found[..., ::-1], radius[::-1])):
        for j in range(1, part.shape[-1]):
            before, last = max(j - 2, 0), j - 1
            step = at[last] - at[before]
            slope = (part[..., last] - part[..., before]) / (step or 1.0)
            part[..., j] = np.where(
                np.isfinite(part[..., j]), part[..., j],
                part[..., last] + slope * (at[j] - at[last]))
    return np.where(np.isfinite(found), found, 0.0)
