# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise stars, and nuclei that outshine their galaxies, by their profiles.
"""

import numpy as np

from astro_pix2prof.profile.flags import RingFlag

__all__ = ['has_host', 'is_point_source']


# A point source: the radii of a tenth and of three hundredths of the peak,
# over that of half of it; the largest such (pixels, or the part of a known
# FWHM); ellipticity; signal-to-noise ratio of the peak. An exponential has
# 3.3 and 5.1, Moffat profiles have 1.9 to 2.2 and 2.5 to 3.3.
_TENTH, _FAINT, _SIZE, _PART, _ROUND, _PEAK = 2.3, 3.3, 4.0, 0.65, 0.15, 20.0

# Stars of a telescope that was guided badly are elongated, up to this: as much
# within the radius of half of the peak, from this part of it on, to this part
# of the ellipticity beyond. Galaxies are rounder there, which the point-spread
# function makes them: those of a profile like these have up to 0.8.
_LONGEST, _WITHIN, _AS_LONG = 0.38, 0.4, 0.87

# More than this part of the light is seen beyond so many times the radius of
# half of the peak. Of stars (Moffat functions from an exponent of 2.5 on,
# obscured Airy patterns, all with up to a tenth of the light in an aureole,
# spikes or a neighbour) it is hardly ever more; of saturated ones, which miss
# light of the core, it may be.
_BEYOND, _OUTSIDE, _OUTSIDE_SATURATED = 5.0, 0.14, 0.28

# Or the light at a logarithmic interval of radii rises again by this factor,
# from so many times the radius of half of the peak on (Airy rings end within
# that), and there is some light beyond. Intervals are of this factor in
# radius, in such steps.
_RISE, _RINGS, _SOME, _INTERVAL, _STEP = 1.2, 3.5, 0.08, 2.0, 0.05

# Or there is some light beyond, of an ellipticity that point sources do not
# have: the median of at least so many rings of this signal-to-noise ratio,
# whose directions agree to this mean of unit vectors, around a round core.
_FLATTENED, _SOME_FLAT, _MEASURED, _CLEAR, _AGREE = 0.25, 0.05, 3, 8.0, 0.9

# Light counts less so many times its error.
_SURE = 3.0


def is_point_source(sma, intensity, eps, sigma, *, fwhm=None):
    """
    Tell whether a profile is that of a point-spread function.

    Galaxies more compact than the point-spread function count as such:
    nothing of them is resolved.

    Parameters
    ----------
    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, from the centre on.

    intensity : 1D `~numpy.ndarray`, shape (n,)
        Mean pixel values.

    eps : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities.

    sigma : float
        The noise of a sky pixel, in the unit of the intensity.

    fwhm : float, optional
        The width of the point-spread function in pixels, if known.

    Returns
    -------
    is_point : bool
        `False` where the peak is below 20 times the noise: it does not
        tell.
    """
    peak = intensity[0]
    if not peak > _PEAK * sigma:
        return False
    radius = sma * np.sqrt(1 - eps)
    # what rises again is another object
    level = np.log(np.maximum(np.minimum.accumulate(intensity), 1e-9 * peak)
                   / peak)
    wanted = np.log([0.5, 0.1, 0.03])
    if level[-1] > wanted[-1]:
        return False
    half, tenth, faint = np.interp(-wanted, -level, radius)
    size = _SIZE if not fwhm else _PART * fwhm
    core = eps[(radius > half) & (radius < 1.2 * tenth)]
    if not (half < size and tenth < _TENTH * half and faint < _FAINT * half
            and len(core)):
        return False
    long = np.mean(core)
    if long < _ROUND:
        return True
    within = eps[(radius > _WITHIN * half) & (radius < half)]
    return bool(long < _LONGEST and len(within)
                and np.mean(within) > _AS_LONG * long)


def has_host(rings):
    """
    Tell whether there is a galaxy around a nucleus like a point source.

    The light of a point-spread function at logarithmic intervals of radii
    declines from the core on, little is in its wings, and these are as round
    as the core. That of a quasar in its host does not decline, or much of it
    lies beyond the core, or is elongated there.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings, the inner of which are those of a point source.

    Returns
    -------
    has_host : bool
        `False` where the light beyond the core is that of a star, or does
        not stand out of the noise and the error of the sky.
    """
    # (a network may be unsure of what it rarely saw; the pixels are not)
    n_pixels = np.maximum(2 * np.pi * rings.sma * np.sqrt(
        0.5 * (1 + (1 - rings.eps)**2)), 1.0)
    gain = rings.cutout.gain or np.inf
    variance = rings.noise**2 + np.maximum(rings.intensity, 0) / gain
    error = np.hypot(np.sqrt(variance / n_pixels) * rings.noise_correlation,
                     rings.sky_err)
    radius = rings.sma * np.sqrt(1 - rings.eps)
    known = np.isfinite(radius + rings.intensity + error)
    value, error, radius, eps, theta = (
        part[known] for part in (rings.intensity, error, radius, rings.eps,
                                 rings.theta))
    if len(value) < 2 or not value[0] > 0:
        return False
    radius = np.maximum.accumulate(radius)
    level = np.minimum.accumulate(np.maximum(value / value[0], 1e-9))
    half, tenth = np.interp(-np.log([0.5, 0.1]), -np.log(level), radius)
    seen = value > _SURE * error
    end = radius[seen].max() if seen.any() else 0.0
    if not end > _BEYOND * half:
        return False
    least = np.maximum(value - _SURE * error, 0)
    r = np.linspace(0, end, 2000)
    total = np.sum(r * np.interp(r, radius, value))
    beyond = np.sum((r * np.interp(r, radius, least))[r > _BEYOND * half])
    full = ((rings.flag & RingFlag.SATURATED) > 0).any()
    if beyond > (_OUTSIDE_SATURATED if full else _OUTSIDE) * total:
        return True
    clear = (radius > _BEYOND * half) & (value > _CLEAR * error)
    core = (radius > half) & (radius < 1.2 * tenth)
    # (light that runs over along columns is elongated, too)
    if not full and beyond > _SOME_FLAT * total and (
            np.count_nonzero(clear) >= _MEASURED and core.any()
            and np.median(eps[clear]) > _FLATTENED
            and np.mean(eps[core]) < _ROUND
            and np.abs(np.mean(np.exp(2j * theta[clear]))) > _AGREE):
        return True
    return beyond > _SOME * total and _rises(value, least, radius, half, tenth)


def _rises(value, least, radius, half, tenth):
    """
    Tell whether the light at intervals of radii rises again beyond the core.
    """
    r = np.exp(np.arange(np.log(tenth), np.log(radius[-1]), _STEP))
    width = round(np.log(_INTERVAL) / _STEP)
    if len(r) < width:
        return False
    kernel = np.full(width, 1 / width)
    light, surely = (np.convolve(r**2 * np.interp(r, radius, part), kernel,
                                 'valid') for part in (value, least))
    lowest = np.minimum.accumulate(np.maximum(light, 1e-9 * light[0]))
    rises = surely > _RISE * lowest
    return bool(rises[r[:len(rises)] > _RINGS * half].any())
