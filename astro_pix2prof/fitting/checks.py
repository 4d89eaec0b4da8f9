# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise stars by their profiles.
"""

import numpy as np

__all__ = ['is_point_source']


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
