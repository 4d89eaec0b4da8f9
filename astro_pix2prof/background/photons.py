# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Skies of so few photons that most pixels hold none.
"""

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

__all__ = ['find_photon', 'photon_noise_in_cells']


# The smallest of the other values is that of one photon, of which so large a
# part of these lies within this factor; of this part of the pixels the
# neighbour is empty.
_SMALLEST, _FACTOR, _ONES, _APART = 0.05, 1.5, 0.4, 0.2

# Pixels with two photons are at least this part of those that follow from
# the others, if there should be so many. Rounding leaves fewer.
_TWICE, _EXPECTED = 0.3, 5.0

# Of pixels that stand alone, no more have two photons than a multiple of those
# that follow from the ones, a part of the ones (sources of a pixel), and a
# number. Noise that was cut off leaves more.
_MORE, _PART, _CHANCE = 2.0, 0.05, 5.0

# Single photons near each other have the same value but for the flat field:
# the median change to the third nearest is less than this part of it. Of noise
# above twice its sigma it is 0.11, above three times 0.07. So many photons are
# needed, and at most so many are compared.
_CHANGE, _NEAREST, _COMPARED = 0.04, 3, (12, 4000)

# The frame is divided into so many cells each way, if there are so many
# photons in most of them; else into fewer.
_CELLS, _COUNTED = (8, 4), 16


def find_photon(data, mask):
    """
    Find the value of one photon, where most pixels hold none.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    Returns
    -------
    photon : float or `None`
        In the unit of the image. `None` where more than half of the pixels
        have some light, and where it does not come in such parts: noise
        that was cut off at zero or at a level above it, or a rounded sky.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.background.photons import find_photon
    >>> counts = np.random.default_rng(0).poisson(0.05, (64, 64))
    >>> find_photon(0.5 * counts, np.zeros(counts.shape, bool))
    0.5
    """
    good = ~mask
    if not good.any():
        return None
    # (a few pixels tell most images apart)
    some = data[::8, ::8][good[::8, ::8]]
    if len(some) and 4 * np.count_nonzero(some == some.min()) < len(some):
        return None
    values = data[good]
    none = values.min()
    light = values[values > none] - none
    if not 0 < 2 * len(light) < len(values):
        return None
    few = light[light <= _FACTOR * np.quantile(light, _SMALLEST)]
    if len(few) < _ONES * len(light):
        return None
    one = float(np.median(few))
    # (a border of zeros is no sky)
    filled = (data > none) & good
    beside = filled[:, :-1] & good[:, 1:]
    apart = np.count_nonzero(beside & ~filled[:, 1:])
    if apart < _APART * np.count_nonzero(beside):
        return None
    # (galaxies add more of them, and never less)
    expected = 0.5 * len(few)**2 / (len(values) - len(light))
    twos = np.count_nonzero((light > _FACTOR * one)
                            & (light < (_FACTOR + 1) * one))
    if expected > _EXPECTED and twos < _TWICE * expected:
        return None
    value = np.where(good, data - none, 0.0)
    if _change_of_ones(value, one) > _CHANGE or _has_more_twos(
            value, good, one):
        return None
    return one


def _is_one(value, one):
    """
    Tell which pixels hold one photon.
    """
    return (value > 0) & (value <= _FACTOR * one)


def _change_of_ones(value, one):
    """
    Calculate how much pixels with one photon differ from others nearby.

    They do by nothing, or by what the response differs. Noise above a level
    is independent of the place.
    """
    place = np.argwhere(_is_one(value, one))
    least, most = _COMPARED
    if len(place) < least:
        return 0.0
    place = place[::-(-len(place) // most)]
    ones = value[tuple(place.T)]
    if ones.min() == ones.max():
        return 0.0
    _, near = cKDTree(place).query(place, [_NEAREST + 1])
    return np.median(np.abs(ones[near[:, 0]] - ones)) / one


def _has_more_twos(value, good, one):
    """
    Tell whether more pixels that stand alone have two than by chance.
    """
    filled = value > 0
    # (the eight around it are empty)
    around = np.ones((3, 3), bool)
    around[1, 1] = False
    alone = filled & ~binary_dilation(filled, around)
    ones = _is_one(value, one)
    mean = np.count_nonzero(ones) / np.count_nonzero(good & ~filled)
    twos = np.count_nonzero(alone & (value > _FACTOR * one)
                            & (value < (_FACTOR + 1) * one))
    usual = (_MORE * 0.5 * mean + _PART) * np.count_nonzero(ones & alone)
    return twos > _CHANCE + usual


def photon_noise_in_cells(image, mask, noise, photon):
    """
    Measure the noise between neighbouring pixels that hold few photons.

    Its mean square is that of a normal distribution of the same variance, as
    their mean size is not.

    Parameters
    ----------
    image, mask : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels, and those not to use.

    noise : float or 2D `~numpy.ndarray`
        The noise of a pixel.

    photon : float
        The value of one photon.

    Returns
    -------
    ratio : 3D `~numpy.ndarray`, shape (2, n, n), or `None`
        As of `~astro_pix2prof.background.noise.noise_in_cells`, in 8 or 4
        cells each way; `None` for too few photons.
    """
    variance = np.broadcast_to(np.asarray(noise, dtype=float)**2, image.shape)
    good = ~mask & np.isfinite(variance) & (variance > 0)
    for n in _CELLS:
        rows, columns = (np.linspace(0, size, n, endpoint=False).astype(int)
                         for size in image.shape)
        ratio, counted = [], []
        for here, there in ((np.s_[:, :-1], np.s_[:, 1:]),
                            (np.s_[:-1], np.s_[1:])):
            both = good[here] & good[there]
            change = np.where(both, (image[there] - image[here])**2, 0.0)
            usual = np.where(both, variance[here] + variance[there], 0.0)
            change, usual, number, most = (np.add.reduceat(
                np.add.reduceat(part, rows, axis=0), columns, axis=1)
                for part in (change, usual, both.astype(float),
                             np.ones_like(change)))
            known = number > 0.5 * most
            counted.append(np.median(change[known]) / photon**2
                           if known.any() else 0.0)
            ratio.append(np.sqrt(np.where(
                known, change / np.where(known, usual, 1.0), np.nan)))
        if min(counted) > 2 * _COUNTED:
            return np.array(ratio)
    return None
