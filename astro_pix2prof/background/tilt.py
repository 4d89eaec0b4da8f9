# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A sky that is so tilted that no level describes it.
"""

from dataclasses import replace

from astro_pix2prof.background.level import measure_sky
from astro_pix2prof.background.structure import rise_of

__all__ = ['measure_sky_or_tilt']


# The sky is tilted if it rises across the frame by more than so many times
# the noise of a pixel: where there is sky beyond the galaxy, and where the
# galaxy fills the frame and its neighbours may tilt the plane.
_FREE, _FILLED = 2.0, 3.0

# A plane is taken if it makes the error of the sky smaller by this factor.
_BETTER = 0.7


def measure_sky_or_tilt(data, bad, position, *, search=25.0):
    """
    Measure the sky below a galaxy; take away a tilt if it is large.

    A network that was trained on a flat sky takes the bright side of a
    tilted one for a galaxy. A sky that rises by less than twice the
    noise of a pixel across the frame is measured as flat.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The image.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels to leave out.

    position : tuple of 2 floats
        Where (x, y) the galaxy is expected, in pixels.

    search : float, optional
        How far from there its centre may lie, in pixels.

    Returns
    -------
    sky : `~astro_pix2prof.background.level.Sky`
        With a slope, and uncertain, if the sky is tilted.
    """
    flat = measure_sky(data, bad, position, search=search)
    least = (_FREE if flat.how == 'free' else _FILLED) * flat.noise
    if not flat.rise > least:
        return flat
    tilted = measure_sky(data, bad, position, search=search, plane=True)
    if not (rise_of(tilted.slope, data.shape) > least
            and tilted.error < _BETTER * flat.error):
        return flat
    return replace(tilted, tilted=True)
