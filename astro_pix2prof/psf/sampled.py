# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Point-spread functions on a fine grid.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import map_coordinates, spline_filter

__all__ = ['SampledPSF', 'sample_array', 'sample_function']


# Samples per full width at half maximum of the fine grid.
_FINE = 16

# The largest side of the fine grid of an array, unless the array is larger.
_LARGEST = 2000

# The largest distance of the peak from the middle of an array, as a part of
# its side.
_OFF = 0.25

# The part of the flux in the outermost pixels, and in negative pixels, above
# which there is a warning.
_BORDER, _NEGATIVE = 0.02, 0.05

# The fewest pixels per full width at half maximum from which a spline between
# them is the function.
_SAMPLED = 1.5


class SampledPSF:
    """
    A point-spread function on a fine grid around its centre.

    Parameters
    ----------
    values : 2D `~numpy.ndarray`, shape (n, n)
        Values on the grid, with the centre in the middle; n is odd.

    step : float
        The distance of two samples.
    """

    def __init__(self, values, step):
        # A galaxy of ellipses is the same on both sides: only the part that
        # is symmetric about the centre matters.
        values = 0.5 * (values + values[::-1, ::-1])
        self.step = step
        self.values = values / (values.sum() * step**2)
        self.radius = step * (len(values) // 2)
        at, mean = self._azimuthal()
        below = np.nonzero(mean < 0.5 * mean[0])[0]
        k = below[0] if len(below) else len(at) - 1
        self.fwhm = 2 * float(np.interp(
            -0.5 * mean[0], -mean[k - 1:k + 1], at[k - 1:k + 1]))

    def scaled(self, factor):
        """
        Change the unit of length.

        Parameters
        ----------
        factor : float
            The length of the present unit in the new one.

        Returns
        -------
        psf : `SampledPSF`
        """
        return SampledPSF(self.values, self.step * factor)

    def rounded(self):
        """
        Average the function in azimuth.

        Returns
        -------
        psf : `SampledPSF`
        """
        at, mean = self._azimuthal()
        y, x = np.indices(self.values.shape) - len(self.values) // 2
        return SampledPSF(np.interp(self.step * np.hypot(x, y), at, mean,
                                    right=0.0), self.step)

    @property
    def elongation(self):
        """
        The range of values on the circle of half maximum over their mean.

        For a Gaussian with the axis ratio q, it is about 1.4 (1 - q).
        """
        angle = np.arange(64) * (2 * np.pi / 64)
        around = self(0.5 * self.fwhm * np.cos(angle),
                      0.5 * self.fwhm * np.sin(angle))
        return float(np.ptp(around) / around.mean())

    def _azimuthal(self):
        at = np.arange(len(self.values) // 2 + 1) * self.step
        angle = np.arange(64) * (2 * np.pi / 64)
        return at, self(at[:, None] * np.cos(angle),
                        at[:, None] * np.sin(angle)).mean(1)

    def __call__(self, x, y):
        """
        Calculate the flux per unit of area at an offset from the centre.

        Parameters
        ----------
        x, y : `~numpy.ndarray`, shape (...)
            The offsets.

        Returns
        -------
        density : `~numpy.ndarray`, shape (...)
            Zero outside of the grid.
        """
        middle = len(self.values) // 2
        x, y = np.broadcast_arrays(x, y)
        at = [np.atleast_1d(part) / self.step + middle for part in (y, x)]
        return map_coordinates(self.values, at, order=1, mode='constant',
                               cval=0.0).reshape(x.shape)


def _area_width(values):
    """
    Calculate the diameter of the circle of the area above half the peak.
    """
    return 2 * np.sqrt(np.count_nonzero(
        values > 0.5 * values.max()) / np.pi)


def sample_function(function, fwhm, radius):
    """
    Sample a function on a fine grid.

    Parameters
    ----------
    function : callable
        Takes offsets x and y from the centre, arrays of one shape.

    fwhm : float
        Its full width at half maximum.

    radius : float
        Half of the side of the grid.

    Returns
    -------
    psf : `SampledPSF`
    """
    step = fwhm / _FINE
    middle = int(np.ceil(radius / step))
    y, x = (np.indices((2 * middle + 1, 2 * middle + 1)) - middle) * step
    return SampledPSF(np.asarray(function(x, y), dtype=float), step)


def sample_array(array, step, name='psf'):
    """
    Resample an array to a fine grid around its centre.

    Parameters
    ----------
    array : 2D `~numpy.ndarray`, shape (ny, nx)
        Values of the function; sides may be odd or even.

    step : float
        The distance of two samples.

    name : str, optional
        The name of the argument, for messages.

    Returns
    -------
    psf : `SampledPSF`

    Raises
    ------
    ValueError
        If the array is not two-dimensional, too small or not finite, or has
        no peak near its middle.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the array is not zero at its border, has much negative flux, or is
        undersampled.
    """
    array = _check_array(array, name)
    x, y, fwhm = _centre_and_width(array)
    if fwhm < _SAMPLED:
        warnings.warn(
            f'{name} has a full width at half maximum of {fwhm:.1f} samples: '
            'give one with more samples (oversampling=)', AstropyUserWarning,
            stacklevel=5)
    ny, nx = array.shape
    finer = int(np.clip(np.ceil(_FINE / fwhm), 1,
                        max(_LARGEST // max(nx, ny), 1)))
    # (the grid reaches to the farthest side, and is zero outside)
    half = int(np.ceil(finer * max(x, y, nx - 1 - x, ny - 1 - y)))
    at = np.arange(-half, half + 1) / finer
    values = map_coordinates(
        spline_filter(array), np.meshgrid(y + at, x + at, indexing='ij'),
        order=3, prefilter=False, mode='constant', cval=0.0)
    return SampledPSF(values, step / finer)


def _check_array(array, name):
    array = np.asarray(array, dtype=float)
    if array.ndim != 2 or min(array.shape) < 3:
        msg = (f'{name} must be a two-dimensional array of at least 3 x 3 '
               f'samples, got the shape {array.shape}')
        raise ValueError(msg)
    if not np.all(np.isfinite(array)):
        n_bad = np.count_nonzero(~np.isfinite(array))
        msg = f'{name} must be finite, got {n_bad} values that are not'
        raise ValueError(msg)
    total = array.sum()
    if not (total > 0 and array.max() > 0):
        msg = f'{name} must have a positive sum, got {total:.4g}'
        raise ValueError(msg)
    array = array / total
    border = np.concatenate([array[0], array[-1], array[1:-1, 0],
                             array[1:-1, -1]])
    peak = array.max()
    y, x = np.unravel_index(array.argmax(), array.shape)
    off = max(abs(x - (array.shape[1] - 1) / 2) / array.shape[1],
              abs(y - (array.shape[0] - 1) / 2) / array.shape[0])
    if off > _OFF or border.max() >= peak:
        msg = (f'{name} must have its peak near the middle, got the peak at '
               f'pixel ({x}, {y}) of {array.shape[1]} x {array.shape[0]}: '
               'cut it out around the peak')
        raise ValueError(msg)
    # (a constant level of the border would hold this part of the flux)
    level = np.median(border) * array.size
    if abs(level) > _BORDER:
        warnings.warn(
            f'{name} does not fall to zero: a level as at its border would '
            f'hold {level:.0%} of the flux; subtract its background or give '
            'a larger one', AstropyUserWarning, stacklevel=6)
    negative = -array[array < 0].sum()
    if negative > _NEGATIVE:
        warnings.warn(f'{name} has {negative:.0%} of its flux in negative '
                      'values', AstropyUserWarning, stacklevel=6)
    return array


def _centre_and_width(array):
    """
    Measure the centre (x, y) and the full width at half maximum.
    """
    ny, nx = array.shape
    y, x = (float(v) for v in np.unravel_index(array.argmax(), array.shape))
    # the core alone, on a fine grid
    half, finer = min(30, max(nx, ny)), 8
    at = np.arange(-half * finer, half * finer + 1) / finer
    core = map_coordinates(array, np.meshgrid(y + at, x + at, indexing='ij'),
                           order=3, mode='constant', cval=0.0)
    fwhm = _area_width(core) / finer
    # Centroid within a window that follows it (a Gaussian of its own width).
    yy, xx = np.indices(array.shape)
    sigma = max(fwhm, 1.0) / 2.3548
    for _ in range(30):
        weight = array * np.exp(-((xx - x)**2 + (yy - y)**2) / (2 * sigma**2))
        total = weight.sum()
        # (a window of the width of the source moves by half of the way)
        dx, dy = (2 * ((weight * (v - c)).sum() / total)
                  for v, c in ((xx, x), (yy, y)))
        x, y = x + dx, y + dy
        if np.hypot(dx, dy) < 1e-4:
            break
    return x, y, fwhm
