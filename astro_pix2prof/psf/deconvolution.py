# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles and shapes of galaxies as they are in front of a PSF.
"""

import numpy as np

from astro_pix2prof.psf.rings import RingConvolution

__all__ = ['SharpGalaxy', 'sharpen_rings', 'steady_shape']


# Shapes are known from this radius on (full widths at half maximum), and
# corrected out to this one.
_SHAPED, _CORRECTED = 0.8, 20.0

# Width of the smoothing of shapes and of their corrections, in the logarithm
# of radius: that of bars in discs.
_FLAT, _WIDTH = 0.35, 0.5

# Steps of the correction of the shape, and of the profile at each.
_SHAPE_STEPS, _STEPS = 6, 3

# Shapes react to less than the whole of a change, where the PSF is broad.
_GAIN = 1.4

# Rings on which the shape is corrected.
_RINGS = 24

# Ratios of rings with this signal-to-noise ratio count by half.
_HALF_SNR = 3.0

# No ellipse is flatter.
_FLATTEST = 0.95

# Shapes of rings are those of one ellipse if they scatter by no more than so
# many times their errors and this error of the correction for the PSF.
_WORSE, _ALIKE = 2.0, 0.02


class SharpGalaxy:
    """
    Estimate of a galaxy in front of a PSF, from its rings.

    Attributes
    ----------
    shape : callable
        Takes semi-major axes and returns ellipticities and angles (radians)
        of the galaxy.

    rings : `~astro_pix2prof.psf.rings.RingConvolution`
        The map to the rings that were measured.

    intensity : 1D `~numpy.ndarray`, shape (m,)
        The profile at ``rings.nodes``, made without a model: smooth on the
        scale of the PSF.
    """

    def __init__(self, shape, rings, intensity):
        self.shape, self.rings, self.intensity = shape, rings, intensity


def sharpen_rings(psf, sma, intensity, snr, eps, theta, *, forced=False,
                  shape=None, eps_err=None):
    """
    Estimate the galaxy in front of a PSF from its rings.

    The profile is multiplied by the smoothed ratio of the rings to those of
    the smeared estimate, and the ellipticity is changed until the smeared
    galaxy is no flatter and no rounder than the rings, in turns.

    Parameters
    ----------
    psf : `~astro_pix2prof.psf.sampled.SampledPSF`
        The point-spread function.

    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, increasing, in the unit of the PSF.

    intensity, snr : 1D `~numpy.ndarray`, shape (n,)
        Mean intensity of the rings, and its signal-to-noise ratio; both
        finite.

    eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities, and angles in radians from +x of the PSF.

    forced : bool, optional
        Whether the ellipses were given: then they are those of the galaxy,
        too.

    shape : callable, optional
        The shape of the galaxy, if it is known: see `SharpGalaxy`.

    eps_err : 1D `~numpy.ndarray`, shape (n,), optional
        The errors of the ellipticities, for a galaxy that has one shape
        unless its rings say otherwise: see `steady_shape`.

    Returns
    -------
    galaxy : `SharpGalaxy`
    """
    sma, eps, theta = (np.asarray(v, dtype=float) for v in (sma, eps, theta))
    snr = np.maximum(np.nan_to_num(snr, posinf=1e3), 0)
    if shape is None:
        shape = _find_shape(psf, sma, intensity, snr, eps, theta, forced)
        if eps_err is not None and not forced:
            shape = steady_shape(shape, sma, eps_err, psf.fwhm)
    rings = RingConvolution(psf, sma, eps, theta, shape)
    profile = _Sharpening(rings, sma, intensity, snr, None)
    profile.improve(np.arange(len(sma)), 4 * _STEPS)
    return SharpGalaxy(shape, rings, profile.intensity)


def steady_shape(shape, sma, error, fwhm):
    """
    Replace shapes that differ by chance by those nearer to their mean.

    What is left of the differences is the part of their variance that
    errors do not explain (James & Stein 1961): nothing, if these explain
    all of it.

    Parameters
    ----------
    shape : callable
        Takes semi-major axes and returns ellipticities and angles.

    sma, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes of the rings, and the errors of their ellipticities.

    fwhm : float
        The full width at half maximum of the PSF, within which rings do not
        count.

    Returns
    -------
    steady : callable
        Likewise.
    """
    use = sma > fwhm
    if np.count_nonzero(use) < 3:
        return shape

    def components(radius):
        eps, theta = shape(radius)
        return eps * np.exp(2j * theta)

    weight = 1 / ((_WORSE * error[use])**2 + _ALIKE**2)
    found = components(sma[use])
    mean = np.average(found, weights=weight)
    # (two components, each of which scatters by its error)
    chi2 = (weight * np.abs(found - mean)**2).sum()
    part = max(1 - 2 * np.count_nonzero(use) / max(chi2, 1e-9), 0.0)

    def steady(radius):
        moved = mean + part * (components(radius) - mean)
        return np.abs(moved), 0.5 * np.angle(moved)

    return steady


def _find_shape(psf, sma, intensity, snr, eps, theta, forced):
    """
    Find the ellipses of the galaxy that give those of the rings.
    """
    trust = np.minimum(snr, 10.0)**2 + 1e-6
    known = (sma > 0) if forced else sma >= min(_SHAPED * psf.fwhm,
                                                0.5 * sma[-1])
    place = np.log(np.maximum(sma, 0.1 * psf.fwhm))
    e1, e2 = (_smooth_line(place[known], part[known], trust[known])
              for part in (eps * np.cos(2 * theta), eps * np.sin(2 * theta)))
    shaped = sma[known]
    flat, angle = np.hypot(e1, e2), 0.5 * np.unwrap(np.arctan2(e2, e1))
    change = np.zeros(len(shaped))

    def shape(radius):
        low = np.clip(np.interp(radius, shaped, flat + change), 0, _FLATTEST)
        return low, np.interp(radius, shaped, angle)

    near = sma < _CORRECTED * psf.fwhm
    if not forced and np.count_nonzero(near & known) > 3:
        some = _spread(sma, near)
        start = None
        for _ in range(_SHAPE_STEPS):
            rings = RingConvolution(psf, sma[some], eps[some], theta[some],
                                    shape)
            profile = _Sharpening(rings, sma, intensity, snr, start)
            profile.improve(some, _STEPS)
            start = rings.nodes, profile.intensity
            off = _flatter_by(profile, sma, eps, some)
            use = known[some] & np.isfinite(off)
            if use.sum() < 3:
                break
            step = _smooth(place[some][use], off[use], trust[some][use],
                           at=place[known])
            # beyond, the PSF does not matter
            fade = np.clip(np.log(_CORRECTED * psf.fwhm / shaped)
                           / np.log(2.0), 0, 1)
            change = np.clip(flat + change - _GAIN * step * fade, 0,
                             _FLATTEST) - flat
    return shape


def _spread(sma, near):
    """
    Choose some rings, as shapes are smooth: evenly in the logarithm.
    """
    index = np.nonzero(near)[0]
    place = np.log(np.maximum(sma[index], sma[index[1]]))
    want = np.linspace(place[0], place[-1], _RINGS)
    return np.unique(np.append(0, index[np.abs(
        want[:, None] - place).argmin(1)]))


def _smooth(place, values, weights, at=None):
    """
    Smooth values along the logarithm of radius.
    """
    at = place if at is None else at
    off = place - at[:, None]
    w = weights * (np.exp(-0.5 * (off / _WIDTH)**2)
                   + 1e-6 * np.exp(-np.abs(off)))
    return (w @ values) / w.sum(1)


def _smooth_line(place, values, weights):
    """
    Smooth values by local straight lines, which do not lag behind.
    """
    off = place - place[:, None]
    w = weights * (np.exp(-0.5 * (off / _FLAT)**2)
                   + 1e-6 * np.exp(-np.abs(off)))
    s0, s1, s2 = w.sum(1), (w * off).sum(1), (w * off**2).sum(1)
    mean, first = (w @ values) / s0, (w * off) @ values
    slope = (first * s0 - s1 * (w @ values)) / np.maximum(
        s2 * s0 - s1**2, 0.03 * (s0 * _FLAT)**2)
    return mean - slope * s1 / s0


class _Sharpening:
    """
    Iterations of the profile at the nodes.
    """

    def __init__(self, rings, sma, intensity, snr, start):
        self.rings, self.data, self.snr = rings, intensity, snr
        self.sma = sma
        if start is None:
            start = _first_profile(sma, intensity, snr)
        at, value = start
        self.intensity = np.exp(np.interp(
            np.log(rings.nodes), np.log(np.maximum(at, rings.nodes[0])),
            np.log(value)))
        beyond = rings.nodes > at[-1]
        if beyond.any():
            k = max(np.searchsorted(at, 0.7 * at[-1]) - 1, 0)
            rate = max(np.log(value[k] / value[-1]) / (at[-1] - at[k]), 0.0)
            self.intensity[beyond] *= np.exp(
                -rate * (rings.nodes[beyond] - at[-1]))

    def improve(self, index, n_steps):
        """
        Multiply by the smoothed ratio of data and model, again and again.
        """
        trust = self.snr[index]**2 / (self.snr[index]**2 + _HALF_SNR**2)
        place = np.log(np.maximum(self.sma[index],
                                  0.2 * self.sma[index][1]))
        at = np.clip(np.log(self.rings.nodes), place[0], place[-1])
        for _ in range(n_steps):
            model = self.rings.matrix @ self.intensity
            ratio = np.clip(self.data[index] / model, 0.2, 5.0)
            step = trust * np.log(ratio)
            self.intensity *= np.exp(np.interp(at, place, step))


def _first_profile(sma, intensity, snr):
    """
    Make the profile positive, and smooth where it is noise.
    """
    good = (snr > 2) & (intensity > 0)
    if not good.any():
        good = intensity > 0
    floor = 1e-6 * np.max(intensity)
    if good.sum() < 2:
        return sma[[0, -1]] + np.array([0.0, 1e-9]), np.full(2, floor)
    return sma[good], np.maximum(intensity[good], floor)


def _flatter_by(profile, sma, eps, index):
    """
    Calculate how much flatter than the rings the smeared galaxy is.
    """
    model = profile.rings.matrix @ profile.intensity
    second = profile.rings.flattening @ profile.intensity / model
    with np.errstate(divide='ignore', invalid='ignore'):
        slope = -np.gradient(np.log(model), sma[index]) * sma[index]
        off = 2 * (1 - eps[index]) * second / slope
    # (a flat core has no shape)
    return np.where(slope > 0.2, np.clip(off, -0.2, 0.2), np.nan)
