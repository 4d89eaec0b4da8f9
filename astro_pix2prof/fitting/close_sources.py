# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise a star, or another point-like source, beside a nucleus.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma
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
from astro_pix2prof.profile.brightness import POGSON

__all__ = ['CloseSource', 'find_close_source', 'has_close_source']


# Pixels at these distances from the centre are compared with those opposite:
# each to the second, and one of so many along rows and columns to the third,
# which tell where the centre would be without the source. The noise of
# neighbouring pixels may be correlated, by this factor.
_INNER, _MIDDLE, _OUTER, _EVERY, _CORRELATED = 1.0, 8.0, 16.0, 2, 1.5

# Sources are tried at these distances (pixels) on a grid of this step, with
# these widths (pixels) before the pixels are smoothed.
_NEAREST, _FARTHEST, _STEP = 1.2, 8.25, 0.75
_WIDTHS = (2.0, 2.6, 3.4, 4.4, 5.2)

# The light of a galaxy differs from that opposite by this part.
_MODEL = 0.004

# A source is so many times its error, explains this part of the differences
# that are not noise, and changes the ring through it by this (mag).
_SURE, _EXPLAINED, _CHANGE = 8.0, 0.9, 0.03

# One that is wider than this (pixels), as faint arms and dust may seem to be,
# is so many times its error.
_WIDE, _SURE_WIDE = 5.0, 12.0

# A source is farther from the centre than this part of its width: what fits
# better closer to it is no source, but a nucleus that is not in the middle of
# its galaxy, or one side of a disc.
_APART = 0.62

# Without it, the centre of the galaxy is nearer than this part of its distance
# to the one that was given. That of a lopsided disc, whose brighter side looks
# like a source, is farther.
_SHIFT = 0.5

# It covers pixels nearer to it than this part of its width.
_COVERS = 0.9

# In a quick look, the inner pixels differ by so many times their errors, all
# together, besides at least this part of what noise makes of them.
_QUICK, _LEAST = 5.0, 0.8

# The part of a template that has to be left without what a wrong centre does.
_LEFT = 0.1


@dataclass
class CloseSource:
    """
    The point-like source that explains best how a core is not symmetric.

    Attributes
    ----------
    x, y : float
        Its place, from the centre that was given, in pixels.

    fwhm : float
        Its width in pixels.

    significance : float
        Its peak over its error.

    explained : float
        The part of the differences between opposite pixels, without those
        that noise makes, that it explains.

    change : float
        By how much (mag) it makes the ring through it brighter.

    shift : tuple of 2 floats
        Where the centre without it lies (x, y) from the one that was given,
        in pixels.
    """

    x: float
    y: float
    fwhm: float
    significance: float
    explained: float
    change: float
    shift: tuple[float, float]

    @property
    def is_clear(self):
        """
        Tell whether this is a source, and no side of a galaxy (bool).
        """
        away = float(np.hypot(self.x, self.y))
        sure = _SURE if self.fwhm < _WIDE else _SURE_WIDE
        return (self.significance > sure and self.explained > _EXPLAINED
                and self.change > _CHANGE and away > _APART * self.fwhm
                and np.hypot(*self.shift) < _SHIFT * away)

    def covers(self, shape, centre):
        """
        Find the pixels that it makes brighter.

        Parameters
        ----------
        shape : tuple of 2 ints
            The shape (ny, nx) of the image.

        centre : tuple of 2 floats
            The centre (x, y) that was given.

        Returns
        -------
        covered : 2D bool `~numpy.ndarray`, shape (ny, nx)
        """
        x, y = (np.arange(n) - c - own for n, c, own in zip(
            shape[::-1], centre, (self.x, self.y), strict=True))
        return np.hypot(x, y[:, None]) < _COVERS * self.fwhm


def has_close_source(image, mask, centre, *, noise, gain=None):
    """
    Tell whether a star changes the profile of the core of a galaxy.

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

    Returns
    -------
    result : bool

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.fitting.close_sources import has_close_source
    >>> y, x = np.mgrid[:61, :61]
    >>> image = 300 * np.exp(-np.hypot(x - 30, 1.5 * (y - 30)) / 4)
    >>> none = np.zeros(image.shape, bool)
    >>> has_close_source(image, none, (30, 30), noise=1.0)
    False
    >>> image += 100 * np.exp(-((x - 33)**2 + (y - 32)**2) / 3)
    >>> has_close_source(image, none, (30, 30), noise=1.0)
    True
    """
    found = find_close_source(image, mask, centre, noise=noise, gain=gain)
    return found is not None and bool(found.is_clear)


def find_close_source(image, mask, centre, *, noise, gain=None):
    """
    Find the point-like source that explains best how a core is not symmetric.

    A galaxy looks the same from both sides of its nucleus. A star within two
    widths of the point-spread function is no peak of its own, and moves the
    centre of the fit: the differences between opposite pixels are those of
    the star and of this shift together, which is fitted with it. Those of a
    lopsided disc, an arm, or a lane of dust have another shape.

    Parameters
    ----------
    image, mask, centre, noise, gain
        As for `has_close_source`.

    Returns
    -------
    found : `CloseSource` or `None`
        `None` where nothing is significant, or pixels are missing.
    """
    part, hidden, middle = cut_around(image, mask, centre, int(_OUTER))
    if part is None or not noise > 0:
        return None
    x, y, area, template, square, place = _templates()
    both = np.array([[1], [-1]])
    at = (middle[1] + both * y, middle[0] + both * x)
    use = _seen(hidden, at)
    if use is not None:
        if 2 * np.count_nonzero(use) < len(x):
            return None
        part = np.where(hidden, 0.0, part)
    # (in double precision: the unit of the image may be any)
    part = gaussian_filter(part.astype(float) / noise, SMOOTH)
    here, there = map_coordinates(part, at, order=1, mode='nearest')
    odd, light = 0.5 * (here - there), np.maximum(0.5 * (here + there), 0.0)
    photons = light / (PHOTONS if gain is None else gain * noise)
    power = 0.5 * SMOOTH_NOISE**2 * (1 + photons)
    weight = area / (_CORRELATED**2 * power + (_MODEL * light)**2)
    if use is not None:
        weight[~use] = 0.0
    # (a quick look at the inner pixels)
    if not np.where(area > 1, 0.0, weight) @ (
            odd**2 - _LEAST * power) > _QUICK**2:
        return None
    # (a centre that is off by one makes these differences)
    slope = centre_slopes(part, at, mode='nearest')
    root = np.sqrt(weight)
    basis = np.linalg.qr((slope * root).T)[0]
    left = root * odd - basis @ (basis.T @ (root * odd))
    along = template @ (root[:, None] * basis)
    whole = square @ weight
    inverse = whole - (along**2).sum(1)
    inverse[inverse < _LEFT * whole] = np.inf
    fit = template @ (root * left)
    sure = fit / np.sqrt(inverse)
    best = int(np.argmax(np.abs(sure)))
    if not abs(sure[best]) > _SURE:
        return None
    px, py, fwhm, around = place[best]
    peak = fit[best] / inverse[best]
    near = np.abs(np.hypot(x, y) - np.hypot(px, py)) < _STEP
    usual = light[near if use is None else near & use]
    usual = usual.mean() if usual.size else 0.0
    sign = np.sign(peak)
    explained = float(sure[best]**2)
    shift = np.linalg.lstsq(
        (root * slope).T, root * (odd - peak * template[best]))[0]
    rest = max(float(left @ left) - explained - float(weight @ power), 0.0)
    return CloseSource(
        x=float(sign * px), y=float(sign * py), fwhm=float(fwhm),
        significance=float(abs(sure[best])),
        explained=explained / (explained + rest),
        change=float(POGSON * abs(peak) * around / usual) if usual > 0
        else np.inf, shift=(-float(shift[1]), -float(shift[0])))


def _seen(hidden, at):
    """
    Tell which pixels are seen on both sides; `None` if all are.
    """
    inside = np.all([(0 <= places) & (places <= n - 1) for places, n in zip(
        at, hidden.shape, strict=True)], axis=0)
    if not hidden.any():
        return None if inside.all() else inside.all(axis=0)
    near = gaussian_filter(hidden.astype(float), SMOOTH)
    return (inside & (map_coordinates(near, at, order=1, mode='nearest')
                      < MISSING)).all(axis=0)


@cache
def _templates():
    """
    Make the differences of opposite pixels that sources of unit peak make.

    Returns
    -------
    x, y : 1D `~numpy.ndarray`, shape (n,)
        Pixels from the centre, one of each pair.

    area : 1D `~numpy.ndarray`, shape (n,)
        How many pixels each stands for.

    template, square : 2D `~numpy.ndarray`, shape (m, n)
        The differences, and their squares.

    place : 2D `~numpy.ndarray`, shape (m, 4)
        The place (x, y) of each source, its width, and its mean on the
        circle through it.
    """
    half = int(_OUTER)
    y, x = (part.ravel().astype(float) for part in np.mgrid[
        -half:half + 1, -half:half + 1])
    chosen = one_of_each_pair(x, y, _INNER, _OUTER) & (
        (np.hypot(x, y) < _MIDDLE) | ((x % _EVERY == 0) & (y % _EVERY == 0)))
    x, y = x[chosen], y[chosen]
    area = np.where(np.hypot(x, y) < _MIDDLE, 1.0, _EVERY**2)
    number = int(_FARTHEST / _STEP)
    py, px = (_STEP * part.ravel() for part in np.mgrid[
        -number:number + 1, -number:number + 1])
    chosen = one_of_each_pair(px, py, _NEAREST, _FARTHEST)
    px, py = px[chosen], py[chosen]
    radius = np.hypot(px, py)[:, None]
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    away = 2 * radius**2 * (1 - np.cos(angle))
    template, place = [], []
    for fwhm in _WIDTHS:
        # (the peak is that after the pixels are smoothed)
        power = (fwhm * gaussian_fwhm_to_sigma)**2 + SMOOTH**2
        here, there = (np.exp(-0.5 * (
            (x - k * px[:, None])**2 + (y - k * py[:, None])**2) / power)
            for k in (1, -1))
        template.append(0.5 * (here - there))
        place.append(np.stack([
            px, py, np.full(len(px), fwhm),
            np.exp(-0.5 * away / power).mean(axis=1)], axis=1))
    template = np.concatenate(template)
    return x, y, area, template, template**2, np.concatenate(place)
