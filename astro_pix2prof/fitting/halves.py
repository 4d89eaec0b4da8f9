# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compare the two halves of a galaxy at a line where the noise changes.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof.fitting.opposite_pixels import (
    MISSING,
    PHOTONS,
    SMOOTH,
    SMOOTH_NOISE,
    centre_slopes,
    cut_around,
    one_of_each_pair,
)

__all__ = ['halves_gain']


# Every other pixel up to this distance from the centre is compared with the
# one opposite; so many pairs are needed.
_RADIUS, _EVERY, _PAIRS = 30, 2, 60

# The light of a galaxy differs from that opposite by this part.
_MODEL = 0.03

# The step that fits best differs from that of the noise by less than so many
# times its error and this part.
_ERRORS, _PART = 2.5, 0.15


def halves_gain(image, mask, lines, step, centre, *, noise, gain=None):
    """
    Calculate how much better a step between halves of a galaxy is than none.

    A step near a line is seen only where a few pixels of the galaxy are
    bright. In a faint one, all pixels beyond the line together are brighter
    than those opposite, by the same part; an error of the centre, which is
    fitted with the step, makes them differ in another way.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    lines : iterable of int
        The first columns of the second half that are tried.

    step : float
        The difference of the logarithms of the noise of the halves.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    noise : float
        The noise of a sky pixel.

    gain : float, optional
        Photons per unit of the image.

    Returns
    -------
    better : float
        The squares of deviations in units of their errors, without the step
        less those with it; 0 where the galaxy has another step.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.fitting.halves import halves_gain
    >>> y, x = np.mgrid[:160, :160]
    >>> image = 4 * np.exp(-np.hypot(x - 80, y - 80) / 12)
    >>> image += np.random.default_rng(0).normal(size=image.shape)
    >>> none = np.zeros(image.shape, bool)
    >>> lines = range(80, 90)
    >>> halves_gain(image, none, lines, 0.3, (80, 80), noise=1.0) > 20
    False
    >>> image[:, 85:] *= np.exp(0.3)
    >>> halves_gain(image, none, lines, 0.3, (80, 80), noise=1.1) > 20
    True
    """
    part, hidden, middle = cut_around(image, mask, centre, _RADIUS)
    if part is None or not noise > 0:
        return 0.0
    offsets = np.arange(-_RADIUS, _RADIUS + 1, _EVERY)
    y, x = (grid.ravel() for grid in np.meshgrid(offsets, offsets,
                                                 indexing='ij'))
    chosen = one_of_each_pair(x, y, 0, _RADIUS)
    both = np.array([[1], [-1]])
    x, y = both * x[chosen], both * y[chosen]
    at = np.stack([middle[1] + y, middle[0] + x])
    near = gaussian_filter(hidden.astype(float), SMOOTH)
    # (beyond the frame, too, are no pixels)
    use = (map_coordinates(near, at, order=1, cval=1.0) < MISSING).all(0)
    if np.count_nonzero(use) < _PAIRS:
        return 0.0
    # (in double precision: the unit of the image may be any)
    part = gaussian_filter(np.where(hidden, 0.0, part / float(noise)), SMOOTH)
    here, there = map_coordinates(part, at[..., use], order=1)
    odd, even = 0.5 * (here - there), 0.5 * (here + there)
    slope = centre_slopes(part, at[..., use])
    light = np.maximum(even, 0)
    photons = light / (PHOTONS if gain is None else gain * noise)
    root = 1 / np.sqrt(0.5 * SMOOTH_NOISE**2 * (1 + photons)
                       + (_MODEL * light)**2)
    basis = np.linalg.qr((slope * root).T)[0]
    place = centre[0] + x[:, use] + 0.5
    beyond = place[:, None] > np.asarray(lines)[:, None]
    shape = 0.5 * (beyond[0].astype(float) - beyond[1]) * even
    shape, odd = (values * root - (values * root) @ basis @ basis.T
                  for values in (shape, odd))
    power = (shape**2).sum(1)
    # (a line beyond the galaxy tells nothing)
    some = np.where(power > 0, power, np.inf)
    size, error = shape @ odd / some, 1 / np.sqrt(some)
    likely = np.abs(size - step) < _ERRORS * error + _PART * abs(step)
    return float(np.max(np.where(likely, power * step * (2 * size - step),
                                 0.0), initial=0.0))
