# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise stars and saturated cores, on arrays.
"""

import numpy as np

__all__ = ['find_plateau', 'is_point_source']


# A point source: the radii of a tenth and of three hundredths of the peak,
# over that of half of it; the largest such (pixels, or the part of a known
# FWHM); ellipticity; signal-to-noise ratio of the peak. An exponential has
# 3.3 and 5.1, Moffat profiles have 1.9 to 2.2 and 2.5 to 3.3.
_TENTH, _FAINT, _SIZE, _PART, _ROUND, _PEAK = 2.3, 3.3, 4.0, 0.65, 0.15, 20.0

# Full wells at the centre: the relative difference up to which pixels are
# equal, the least number of equal pixels, and how far (pixels) from the
# centre they are looked for.
_EQUAL, _N_EQUAL, _CORE = 1e-5, 4, 6

# Least height of full wells above the sky, in units of the noise; more where
# values are rounded to more than a part of the noise and are equal for that.
_WELL, _WELL_ROUNDED, _ROUNDED = 5.0, 20.0, 0.2


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
    return bool(half < size and tenth < _TENTH * half
                and faint < _FAINT * half
                and np.mean(core) < _ROUND if len(core) else False)


def find_plateau(data, bad, centre, sky, sigma):
    """
    Find the value at which the centre of a galaxy is cut off.

    Images that do not state their saturation are saturated where several
    pixels have the same value, the largest one, far above the noise.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The pixels.

    bad : 2D bool `~numpy.ndarray`
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    sky, sigma : float
        The sky level and the noise of a sky pixel.

    Returns
    -------
    level : float or `None`
        `None` if the centre is not cut off.
    """
    x, y = (round(c) for c in centre)
    inside = np.s_[max(y - _CORE, 0):max(y + _CORE + 1, 0),
                   max(x - _CORE, 0):max(x + _CORE + 1, 0)]
    values = data[inside][~bad[inside]]
    if values.size < _N_EQUAL:
        return None
    top = float(values.max())
    equal = np.count_nonzero(values >= top - _EQUAL * abs(top))
    if equal < _N_EQUAL:
        return None
    steps = np.diff(np.unique(values))
    # (all may be equal)
    rounded = steps.size and steps.min() > _ROUNDED * sigma
    least = _WELL_ROUNDED if rounded else _WELL
    if top - sky < least * sigma:
        return None
    return top - _EQUAL * abs(top)
