# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles of networks at other radii, on other ellipses, or of other points.
"""

from dataclasses import dataclass, replace

import numpy as np

from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.ellipses.annuli import (
    SPLINE_RADIUS,
    measure_rings,
    sample_rings,
)
from astro_pix2prof.ellipses.area import area_excess
from astro_pix2prof.ellipses.geometry import (
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.ellipses.model import light_at, radius_at
from astro_pix2prof.inference.pixel_shares import (
    ADDED_ERROR,
    rest_error,
    significant_share,
)
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import RingFlag

__all__ = ['OWN', 'STRUCTURE', 'clean_image', 'excess_of_area',
           'means_of_samples', 'measure_own_shape', 'opposite_weight',
           'pixel_means', 'point_weights', 'rings_at']


# What pixels say and is not added is an error, from so many times their noise
# on.
_WITHIN = 0.5

# The error of a mean of pixels in units of the scatter that noise does not
# explain, as of isophotes.
STRUCTURE = 0.3

# A galaxy was taken for another object if so much of the points of bright
# rings beyond so many pixels lost its weight on both of two opposite sides.
OWN, _SEEING = 0.08, 3.0

# On such sides lies the galaxy itself if, along the rings, the light that
# keeps its weight varies as the second harmonic by so much of its mean: of
# two objects on opposite sides, the rest is even.
_UNEVEN = 0.1

# Then, the error of a mean is this part of that variation. Up to so many
# pixels, a cubic spline is interpolated: the light of a thin disc is curved.
_OF_UNEVEN, _SPLINE = 0.02, 60.0

# What is so many times as bright as the opposite side, and so many times the
# noise above that, is another object on the galaxy.
_SINGLE, _CLEAR = 1.5, 4.0

# Least usable part of a ring whose mean is a measurement.
_LEAST_VALID = 0.02


@dataclass
class _Means:
    """
    Record of the weighted means of the pixels along ellipses.
    """

    mean: np.ndarray
    noise: np.ndarray
    valid: np.ndarray


def rings_at(rings, prepared, sma, weight=None):
    """
    Measure a galaxy at other radii, on the ellipses of a network.

    Between the rings of the network, ellipses, weights and errors are
    interpolated, and the brightness too; what the pixels of the ring say
    beyond that is added where it is significant, so that a ring narrower
    than the network's steps is seen. Farther out, the mean is that of the
    pixels on the outermost ellipse, which is carried on; outliers among
    them are left out.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The galaxy at the radii of the network.

    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The galaxy.

    sma : 1D `~numpy.ndarray`, shape (m,)
        The semi-major axes in pixels.

    weight : 2D `~numpy.ndarray`, shape (n, n_angle), optional
        The weights of the points of the network's rings.

    Returns
    -------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        With the flags EXTENDED and EXTRAPOLATED, and those of the galaxy.

    weight : 2D `~numpy.ndarray`, shape (m, n_angle), or `None`
        The weights of the points.
    """
    own = rings.sma
    at = np.clip(sma, own[0], own[-1])
    eps, theta = shape_from_components(*(
        np.interp(at, own, part)
        for part in shape_to_components(rings.eps, rings.theta)))
    image = clean_image(rings, prepared)
    want_weight = None if weight is None else _rows(at, own, weight)
    there = pixel_means(rings, image, sma, eps, theta, want_weight)
    here = pixel_means(rings, image, own, rings.eps, rings.theta, weight)
    # asinh is a logarithm for bright rings and linear in the noise
    level = np.maximum(np.interp(at, own, here.noise), 1e-300)
    value = _interpolated(at, own, rings.intensity, level)
    middle = _interpolated(at, own, np.where(
        np.isfinite(here.mean), here.mean, rings.intensity), level)
    excess = there.mean - middle
    noise = np.hypot(there.noise, 0.7 * np.interp(at, own, here.noise))
    share = significant_share(excess, noise)
    value = value + np.where(share > 0, share * excess, 0.0)
    with np.errstate(invalid='ignore', divide='ignore'):
        relative = np.exp(np.interp(at, own, np.log(rings.sb_err))) / POGSON
    left = rest_error(excess, noise, share, within=_WITHIN)
    error = np.hypot(np.hypot(np.abs(value) * relative, np.nan_to_num(left)),
                     np.where(share > 0, share * np.hypot(
                         there.noise, ADDED_ERROR * excess), 0.0))
    valid = there.valid
    flag = np.zeros(len(sma), dtype=np.int32)
    beyond = sma > own[-1] * (1 + 1e-9)
    if beyond.any():
        flag[beyond] |= RingFlag.EXTENDED
        if want_weight is not None:
            want_weight[beyond] = 1.0
        value[beyond], error[beyond], valid[beyond] = _outer_means(
            rings, image, sma[beyond], eps[beyond], theta[beyond])
    # The network's own rings are what it says.
    nearest = np.abs(sma[:, None] - own).argmin(1)
    same = np.abs(sma - own[nearest]) <= 1e-6 * np.maximum(sma, 1.0)
    value, error, valid = (
        np.where(same, given[nearest], part) for part, given in (
            (value, rings.intensity), (error, rings.intensity_err),
            (valid, rings.n_valid)))
    found = replace(
        rings, sma=sma, intensity=value, intensity_err=error, eps=eps,
        theta=theta, n_valid=valid, flag=flag, sb_err=None,
        meta=dict(rings.meta))
    for name in ('eps_err', 'theta_err', 'mag_enclosed_err', 'area_excess'):
        known = getattr(rings, name)
        if known is not None:
            setattr(found, name, np.interp(at, own, known))
    sb_err = found.mag_err
    found.sb_err = np.where(same, rings.sb_err[nearest], sb_err)
    return found, want_weight


def measure_own_shape(rings, prepared, weight):
    """
    Measure rings on which the galaxy itself was taken for another object.

    Along ellipses of another shape than its own, a galaxy is brighter on two
    opposite sides, and a network that finds its own ellipses gives these
    sides little weight. Other objects are on one side.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        Rings along given ellipses.

    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The galaxy.

    weight : 2D `~numpy.ndarray`, shape (n, n_angle)
        Weights of the points of each ring, from 0 to 1.

    Returns
    -------
    found : tuple of 1D `~numpy.ndarray`, shape (n,), or `None`
        Intensities and their errors, with weight for what is there on
        opposite sides. `None` if the galaxy keeps its weight.
    """
    both = opposite_weight(weight)
    bright = _bright(rings)
    if not bright.any() or np.median(both[bright].mean(1)) < OWN:
        return None
    amplitude = _unevenness(rings, prepared, weight)
    if not _is_uneven(rings, amplitude):
        return None
    means = pixel_means(rings, clean_image(rings, prepared), rings.sma,
                        rings.eps, rings.theta, weight + both, even=True,
                        spline_radius=_SPLINE)
    # (where the light varies along a ring, its mean is that of fewer points)
    uneven = _OF_UNEVEN * np.nan_to_num(amplitude) * np.abs(means.mean)
    return means.mean, np.hypot(np.hypot(means.noise, rings.sky_err), uneven)


def _bright(rings):
    """
    Rings that tell whose light is on two sides, shape (n,).
    """
    return (rings.intensity > rings.noise) & (rings.sma > _SEEING)


def opposite_weight(weight):
    """
    Calculate the weight that points lost on two opposite sides.

    Parameters
    ----------
    weight : 2D `~numpy.ndarray`, shape (n, n_angle)
        Weights of the points of each ring, from 0 to 1.

    Returns
    -------
    both : 2D `~numpy.ndarray`, shape (n, n_angle)
        The lesser of what each point and the opposite one lost.
    """
    left_out = 1 - weight
    return np.minimum(left_out, np.roll(left_out, weight.shape[1] // 2, 1))


def _unevenness(rings, prepared, weight):
    """
    Measure the second harmonics of rings over their means, shape (n,).

    Not-a-number of rings that have none.
    """
    amplitude = np.full(len(rings), np.nan)
    for index, values, used, _ in sample_rings(
            clean_image(rings, prepared), ~rings.cutout.mask, rings.centre,
            rings.sma, rings.eps, rings.theta):
        n = used.shape[1]
        used = used * point_weights(weight[index], rings.theta[index], n)
        t = (np.arange(n) + 0.5) * (2 * np.pi / n)
        design = np.stack([np.ones(n), np.cos(2 * t), np.sin(2 * t)])
        normal = np.einsum('ik,jk,nk->nij', design, design, used)
        right = np.einsum('ik,nk->ni', design, used * values)
        mean, *second = (np.linalg.pinv(normal, hermitian=True)
                         @ right[..., None])[..., 0].T
        amplitude[index] = np.where(mean > 0, np.hypot(*second) / np.where(
            mean > 0, mean, 1.0), np.nan)
    return amplitude


def _is_uneven(rings, amplitude):
    """
    Tell whether the galaxy has another shape than the rings.
    """
    known = amplitude[_bright(rings) & np.isfinite(amplitude)]
    return bool(known.size) and bool(np.median(known) > _UNEVEN)


def excess_of_area(rings, prepared, weight):
    """
    Calculate how much brighter the area of given rings is than their mean.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        Rings along given ellipses.

    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The galaxy.

    weight : 2D `~numpy.ndarray`, shape (n, n_angle), or `None`
        Weights of the points of each ring, from 0 to 1. Where the galaxy
        has another shape, what is there on opposite sides is the galaxy.

    Returns
    -------
    excess : 1D `~numpy.ndarray`, shape (n,)
        As `~astro_pix2prof.ellipses.area.area_excess` has it.
    """
    across = weight is not None and _is_uneven(
        rings, _unevenness(rings, prepared, weight))
    if across:
        weight = weight + opposite_weight(weight)

    def samples():
        for index, values, used, arc in sample_rings(
                clean_image(rings, prepared), ~rings.cutout.mask,
                rings.centre, rings.sma, rings.eps, rings.theta):
            known = used > 0
            if weight is not None:
                used = used * point_weights(
                    weight[index], rings.theta[index], used.shape[1])
            if across:
                used = np.where(_is_single(values, known, rings.noise), 0.0,
                                used)
            yield index, values, used, arc

    return area_excess(samples(), len(rings))


def clean_image(rings, prepared):
    """
    Subtract the whole sky, and fill bad pixels with the profile.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings of the galaxy.

    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The galaxy.

    Returns
    -------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        In the unit of the image.
    """
    image = prepared.image - (rings.sky - prepared.sky)
    bad = rings.cutout.mask
    if bad.any():
        # (samples beside bad pixels hold a part of them)
        y, x = np.nonzero(bad)
        radius = radius_at(x - rings.centre[0], y - rings.centre[1],
                           rings.sma, rings.eps, rings.theta)
        image[y, x] = light_at(radius, rings.sma, rings.intensity)
    return image


def _rows(at, own, values):
    """
    Interpolate the rows of an array along radius.
    """
    row = np.interp(at, own, np.arange(len(own)))
    low = np.minimum(row.astype(int), len(own) - 2)
    part = (row - low)[:, None]
    return (1 - part) * values[low] + part * values[low + 1]


def _interpolated(at, own, values, level):
    """
    Interpolate a profile in the inverse hyperbolic sine of its values.
    """
    k = np.clip(np.searchsorted(own, at, side='right') - 1, 0, len(own) - 2)
    part = (at - own[k]) / (own[k + 1] - own[k])
    low, high = (np.arcsinh(values[j] / level) for j in (k, k + 1))
    return level * np.sinh((1 - part) * low + part * high)


def _is_single(values, known, noise):
    """
    Tell which points along rings hold far more light than those opposite.

    A point opposite a missing one stays: what is filled in is a mean.
    """
    half = values.shape[1] // 2
    other = np.roll(values, half, 1)
    return np.roll(known, half, 1) & (
        values > _SINGLE * np.maximum(other, 0.0) + _CLEAR * noise)


def pixel_means(rings, image, sma, eps, theta, weight, *, even=False,
                spline_radius=SPLINE_RADIUS):
    """
    Measure the weighted means of an image along ellipses.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        Rings of the galaxy, for centre and noise.

    image : 2D `~numpy.ndarray`, shape (ny, nx)
        As `clean_image` returns it.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        The ellipses: semi-major axes in pixels, ellipticities, and angles
        in radians from +x.

    weight : 2D `~numpy.ndarray`, shape (n, n_angle), or `None`
        Weights of the points of each ring, from 0 to 1.

    even : bool, optional
        Whether what is on one of two opposite sides only is left out.

    spline_radius : float, optional
        As of `~astro_pix2prof.ellipses.annuli.sample_rings`.

    Returns
    -------
    means : record of 1D `~numpy.ndarray`, shape (n,)
        With ``mean``, its ``noise``, and the ``valid`` part of each ring.
    """
    samples = sample_rings(image, ~rings.cutout.mask, rings.centre, sma, eps,
                           theta, spline_radius=spline_radius)
    return means_of_samples(rings, samples, theta, weight, even=even)


def means_of_samples(rings, samples, theta, weight, *, even=False):
    """
    Measure the weighted means of an image that was sampled along ellipses.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        As for `pixel_means`.

    samples : iterable of tuple
        As `~astro_pix2prof.ellipses.annuli.sample_rings` yields them.

    theta, weight, even
        As for `pixel_means`.

    Returns
    -------
    means : record of 1D `~numpy.ndarray`, shape (n,)
        As of `pixel_means`.
    """
    norm, light, seen, whole, mean_arc, power = np.full(
        (6, len(theta)), np.nan)
    for index, values, weights, arc in samples:
        used = weights
        if weight is not None:
            used = weights * point_weights(weight[index], theta[index],
                                           weights.shape[1])
        if even:
            used = np.where(_is_single(values, weights > 0, rings.noise),
                            0.0, used)
        norm[index] = used.sum(1)
        light[index] = (used * values).sum(1)
        whole[index] = total = arc.sum(1)
        seen[index] = total if weights is arc else weights.sum(1)
        mean_arc[index] = total / arc.shape[1]
        power[index] = (used**2 / np.maximum(arc, 1e-9)).sum(1)
    ok = norm > 0
    mean = np.where(ok, light / np.where(ok, norm, 1.0), np.nan)
    # pixels of a ring that is one pixel wide; weights count as parts
    part = norm**2 / np.maximum(power * whole, 1e-30)
    n_pixels = np.maximum(2 * np.pi * mean_arc * part, 1.0)
    variance = rings.noise**2 + np.maximum(np.nan_to_num(mean), 0) / (
        rings.cutout.gain or np.inf)
    factor = ring_correlation(rings.noise_correlation, np.ones(len(theta)))
    return _Means(mean, np.where(
        ok, factor * np.sqrt(variance / n_pixels), np.nan), seen / whole)


def _outer_means(rings, image, sma, eps, theta):
    """
    Measure means of pixels beyond the network's profile, outliers clipped.

    Returns
    -------
    value, error, valid : 1D `~numpy.ndarray`, shape (n,)
        Not-a-number where next to nothing of a ring is usable.
    """
    found = measure_rings(image, ~rings.cutout.mask, rings.centre, sma, eps,
                          theta, sigma=rings.noise, clip=3.0)
    valid = np.nan_to_num(found.n_valid)
    seen = valid > _LEAST_VALID
    factor = ring_correlation(rings.noise_correlation, np.ones(len(sma)))
    noise = factor * rings.noise / np.sqrt(np.maximum(found.n_pixels, 1.0))
    # (what scatters more than noise does is light of other objects)
    structure = STRUCTURE * np.sqrt(np.maximum(
        found.scatter**2 - rings.noise**2, 0.0))
    error = np.sqrt(noise**2 + structure**2 + rings.sky_err**2)
    return (np.where(seen, found.mean, np.nan),
            np.where(seen, error, np.nan), valid)


def point_weights(weight, theta, n_angle):
    """
    Interpolate the weights of the points of rings along the ellipses.

    Parameters
    ----------
    weight : 2D `~numpy.ndarray`, shape (n, m)
        Weights at m angles from +x.

    theta : 1D `~numpy.ndarray`, shape (n,)
        Angles of the ellipses in radians from +x.

    n_angle : int
        The number of points.

    Returns
    -------
    weight : 2D `~numpy.ndarray`, shape (n, n_angle)
        At equal steps of the eccentric anomaly.
    """
    n = weight.shape[1]
    anomaly = (np.arange(n_angle) + 0.5) * (2 * np.pi / n_angle)
    column = np.mod((anomaly + theta[:, None]) / (2 * np.pi) * n, n)
    low = column.astype(int) % n
    part = column - np.floor(column)
    # (the last column is followed by the first)
    wide = np.concatenate([weight, weight[:, :1]], axis=1).ravel()
    low += (n + 1) * np.arange(len(weight))[:, None]
    lower = wide.take(low)
    low += 1
    return (1 - part) * lower + part * wide.take(low)
