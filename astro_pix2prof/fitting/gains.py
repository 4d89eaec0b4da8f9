# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise a border between parts of a detector with different gains.
"""

from functools import cache

import numpy as np

from astro_pix2prof.background.medians import median
from astro_pix2prof.background.strips import SIDE, sky_strips
from astro_pix2prof.fitting.halves import halves_gain

__all__ = ['has_border', 'photon_part', 'step_weights']


# Borders are looked for up to so far (pixels) from the nucleus, with this part
# of the sky on either side at least.
_REACH, _PART = 13, 0.08

# The variance of a box of sky counts up to so many times the usual one; its
# scatter is then this part of it.
_MOST, _SCATTER = 2.2, 0.72

# The noise on both sides of a border differs by so many times its error, and
# the noise tells where the border is to so many pixels.
_SURE, _NEAR = 3.5, 10

# Half the side (pixels) of the part of the galaxy that is looked at, in bands
# of so many rows, whose sums are above so many times their error. The same of
# faint galaxies.
_HALF, _BAND, _CLEAR = 18, 5, 6.0
_HALF_FAINT, _BAND_FAINT = 27, 12

# Pixels on each side of a border whose logarithms tell the step, without what
# changes as a polynomial of third order across them.
_SIDE = 4

# The step of the galaxy is that of the noise to this part. With it, the sum of
# the squares of deviations, in units of their errors, is less by so much, or
# by so much where the noise changes at other places, too. Likewise for the
# bands of faint galaxies, and for all of their pixels on both sides, where
# these bands do not tell against it.
_MODEL, _BETTER, _BETTER_STILL = 0.25, 4.5, 8.5
_BETTER_FAINT, _BETTER_HALVES, _AGAINST = 5.5, 20.0, -0.5

# Lines of boxes that tell together whether noise changes, by so many times the
# error.
_GROUP, _CHANGES = 4, 5.0

# Without a gain, so many photons make a count of the size of the noise, or so
# many times as many. At least so many steps tell, whose median of the squares
# over the variance is this; else the noise is that part of that of the fewest.
_PHOTONS, _MOST_PHOTONS, _ENOUGH, _MEDIAN, _UNKNOWN = (
    2.0, 30.0, 12, 0.455, 0.2)


def has_border(image, mask, centre, noise, *, gain=None, strips=None):
    """
    Tell whether noise and galaxy change by the same factor at one line.

    Two amplifiers of different gain, whose border runs through the galaxy,
    make one side of it brighter than the other, and the noise of the sky
    there larger by the same factor.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    noise : float
        The noise of a sky pixel.

    gain : float, optional
        Photons per unit of the image.

    strips : `~astro_pix2prof.background.strips.SkyStrips`, optional
        Boxes of sky, if they are known.

    Returns
    -------
    result : bool
        `False` if most of the frame is no sky.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.fitting.gains import has_border
    >>> y, x = np.mgrid[:160, :160]
    >>> image = 300 * np.exp(-np.hypot(x - 80, y - 80) / 6)
    >>> image += np.random.default_rng(0).normal(size=image.shape)
    >>> none = np.zeros(image.shape, bool)
    >>> has_border(image, none, (80, 80), 1.0)
    False
    >>> image[:, 83:] *= 1.2
    >>> has_border(image, none, (80, 80), 1.1)
    True
    """
    strips = sky_strips(image, mask, noise) if strips is None else strips
    if strips is None:
        return False
    sky = strips.sky
    usual = np.mean(strips.within[sky])
    if not usual > 0:
        return False
    power = np.where(sky, np.minimum(strips.within, _MOST * usual), 0.0)
    ny, nx = image.shape
    for axis, length in ((0, nx), (1, ny)):
        if axis == 0:
            lines = SIDE * np.arange(1, sky.shape[1])
        else:
            lines = strips.first[1:]
        found = _noise_step(power.sum(axis), sky.sum(axis), lines,
                            centre[axis])
        if found is None:
            continue
        line_at, step = found
        line = int(lines[line_at - 1])
        part = (image, mask) if axis == 0 else (image.T, mask.T)
        # (noise that changes elsewhere, too, is that of other exposures)
        uneven = any(_is_uneven(power.sum(k), sky.sum(k), at) for k, at in (
            (axis, line_at), (1 - axis, 0)))
        local = _line_noise(strips, axis)[np.searchsorted(
            lines, np.arange(length), side='right')]
        if line < length and _changes(
                *part, line, step, (centre[axis], centre[1 - axis]), local,
                gain, uneven=uneven):
            return True
    return False


def _changes(image, mask, line, step, centre, noise, gain, *, uneven):
    """
    Tell whether the galaxy changes near a column by the step of the noise.
    """
    for half, band, better in ((_HALF, _BAND, _BETTER),
                               (_HALF_FAINT, _BAND_FAINT, _BETTER_FAINT)):
        lines, gains = _step_gain(image, mask, line, step, *centre, noise,
                                  gain, half, band)
        if gains.max(initial=0.0) > (_BETTER_STILL if uneven else better):
            return True
    # (where the pixels beside a line are bright they tell that it is none)
    lines = lines[gains > _AGAINST]
    return not uneven and len(lines) > 0 and halves_gain(
        image, mask, lines, step, centre, noise=float(np.mean(noise)),
        gain=gain) > _BETTER_HALVES


def _is_uneven(power, number, line):
    """
    Tell whether noise changes along lines, but for a step at one of them.
    """
    for part in (np.s_[:line], np.s_[line:]):
        values, n = (np.add.reduceat(a[part], np.arange(
            0, len(a[part]), _GROUP)) if len(a[part]) else a[part]
            for a in (power, number))
        use = n >= _GROUP
        if use.any():
            values, n = values[use], n[use]
            mean = values.sum() / n.sum()
            if (np.abs(values / n - mean) * np.sqrt(n)
                    > _CHANGES * _SCATTER * mean).any():
                return True
    return False


def _line_noise(strips, axis):
    """
    Calculate the noise of a pixel of sky along lines, and those beside these.
    """
    power, number = (np.convolve(part.sum(axis), np.ones(3), 'same')
                     for part in (np.where(strips.sky, strips.noise, 0)**2,
                                  strips.sky))
    usual = power.sum() / number.sum()
    return np.sqrt(np.where(number > 0, power / np.maximum(number, 1), usual))


def _noise_step(power, number, lines, middle):
    """
    Find the line at which the noise changes the most, and by how much.

    As a difference of logarithms; `None` if it may be by chance.
    """
    below, n_below = np.cumsum(power)[:-1], np.cumsum(number)[:-1]
    n_all = n_below[-1] + number[-1]
    above, n_above = below[-1] + power[-1] - below, n_all - n_below
    # (a part without noise, as of a constant, has no gain)
    use = (np.abs(lines - middle) < _REACH) & (
        np.minimum(n_below, n_above) > _PART * n_all) & (
        np.minimum(below, above) > 0)
    if not use.any():
        return None
    below, above = below[use] / n_below[use], above[use] / n_above[use]
    step = 0.5 * np.log(above / below)
    sure = np.abs(step) / (0.5 * _SCATTER * np.sqrt(
        1 / n_below[use] + 1 / n_above[use]))
    k = int(np.argmax(sure))
    return (int(np.flatnonzero(use)[k]) + 1, step[k]) if (
        sure[k] > _SURE) else None


# (sums without light have no logarithm, and are not used)
@np.errstate(invalid='ignore', divide='ignore')
def _step_gain(image, mask, line, step, x, y, noise, gain, half=_HALF,
               band=_BAND):
    """
    List columns, and how much better a step of the galaxy there is than none.
    """
    first = max(line - _NEAR - _SIDE, 0)
    box = np.s_[max(round(y) - half, 0):max(round(y) + half, 0),
                first:max(line + _NEAR + _SIDE, 0)]
    # (in double precision: the unit of the image may be any)
    values = np.where(mask[box], np.nan, image[box].astype(float))
    number = len(values) // band
    n_steps = values.shape[1] - 2 * _SIDE + 1
    if number < 2 or n_steps < 1:
        return np.zeros(0, int), np.zeros(0)
    light = values[:number * band].reshape(number, band, -1).sum(1)
    noise = noise[first:first + values.shape[1]]
    photons = light / gain if gain else light * noise / _PHOTONS
    sky = band * noise**2 + 0 * light
    light = np.where(light > _CLEAR * np.sqrt(
        sky + photons / (1 if gain else _MOST_PHOTONS)), light, np.nan)
    weight = step_weights()
    found = sum(w * np.log(light[:, k:k + n_steps])
                for k, w in enumerate(weight))
    error, shot = (sum(w**2 * part[:, k:k + n_steps]
                       for k, w in enumerate(weight))
                   for part in (sky / light**2, photons / light**2))
    if not gain:
        shot *= photon_part(found, error, shot)
    error += shot + (_MODEL * step)**2
    better = np.nansum((found**2 - (found - step)**2) / error, axis=0)
    return np.arange(n_steps) + first + _SIDE, better


def photon_part(found, error, shot):
    """
    Estimate the noise of photons, as a part of that of the fewest.

    From how even the galaxy is where photons dominate.

    Parameters
    ----------
    found : `~numpy.ndarray`
        Steps of the light of a galaxy, in logarithms.

    error, shot : `~numpy.ndarray`
        Their variances from the noise of the sky, and from photons if these
        are as few as may be.

    Returns
    -------
    part : float
        A fifth where too few steps tell.
    """
    use = shot > 2 * error
    if np.count_nonzero(use) < _ENOUGH:
        return _UNKNOWN
    part = median(found[use]**2 / shot[use]) / _MEDIAN
    return min(max(part, 1 / _MOST_PHOTONS), 1.0)


@cache
def step_weights():
    """
    Calculate weights that measure a step, and no smooth change.

    Returns
    -------
    weight : 1D `~numpy.ndarray`, shape (8,)
        Of the four pixels on each side of the step.
    """
    x = np.arange(-_SIDE, _SIDE) + 0.5
    smooth = np.stack([x, x**3], axis=1)
    step = np.sign(x)
    step -= smooth @ np.linalg.lstsq(smooth, step, rcond=None)[0]
    return 2 * step / (step @ step)
