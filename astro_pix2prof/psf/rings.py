# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Convolution of elliptical galaxies, averaged on rings.
"""

import numpy as np
from scipy.interpolate import CubicSpline

__all__ = ['RingConvolution']


# Nodes of the intrinsic profile: the first, in full widths at half maximum;
# the last, in outermost radii; their number.
_FIRST, _LAST, _NODES = 0.002, 1.4, 256

# The core of the galaxy, of which each part is smeared for itself, ends
# between these radii (full widths at half maximum).
_CORE = 1.0, 4.0

# Radii of the core, angles of its ellipses, and angles of half a ring.
_RADII, _ANGLES, _HALF = 29, 32, 16


class RingConvolution:
    """
    Linear map from the profile of a galaxy to its profile behind a PSF.

    The galaxy has constant intensity on ellipses. It is smeared by the PSF,
    and averaged along the rings on which it was measured, which may be other
    ellipses.

    Parameters
    ----------
    psf : `~astro_pix2prof.psf.sampled.SampledPSF`
        The point-spread function.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes of the rings, increasing, in the unit of the PSF,
        their ellipticities, and their angles in radians from +x of the PSF.

    shape : callable
        Takes semi-major axes and returns the ellipticities and the angles of
        the galaxy without PSF.

    Attributes
    ----------
    nodes : 1D `~numpy.ndarray`, shape (m,)
        Semi-major axes at which the intrinsic profile is needed: even in
        their logarithm.

    matrix : 2D `~numpy.ndarray`, shape (n, m)
        The map: ``matrix @ intensity`` is the mean intensity on each ring.

    flattening : 2D `~numpy.ndarray`, shape (n, m)
        The map to the second harmonic along each ring, in the eccentric
        anomaly: positive if the image is flatter than the ring.
    """

    def __init__(self, psf, sma, eps, theta, shape):
        self._psf, self._shape = psf, shape
        self.nodes = np.geomspace(_FIRST * psf.fwhm, _LAST * max(
            sma[-1] + psf.fwhm, 8 * psf.fwhm), _NODES)
        self._first = np.log(self.nodes[0])
        self._step = np.log(self.nodes[1] / self.nodes[0])
        self._shapes = shape(self.nodes)
        t = (np.arange(_HALF) + 0.5) * (np.pi / _HALF)
        self._anomaly = t
        u = sma[:, None] * np.cos(t)
        v = (sma * (1 - eps))[:, None] * np.sin(t)
        c, s = np.cos(theta)[:, None], np.sin(theta)[:, None]
        self._x, self._y = u * c - v * s, u * s + v * c
        # Rings are averages along the ellipse, as in ``ellipses.annuli``.
        arc = np.hypot(sma[:, None] * np.sin(t), (
            sma * (1 - eps))[:, None] * np.cos(t)) + 1e-3 * psf.step
        self._weight = arc / arc.sum(1, keepdims=True)
        near = sma * (1 - eps) < _CORE[1] * psf.fwhm + psf.radius
        core, core_2 = self._smear_core(near)
        rest, rest_2 = self._smear_rest()
        self.matrix, self.flattening = core + rest, core_2 + rest_2

    def of_star(self):
        """
        Calculate the means on the rings of a star at their centre.

        Returns
        -------
        mean : 1D `~numpy.ndarray`, shape (n,)
            Of a flux of 1.
        """
        return (self._weight * self._psf(self._x, self._y)).sum(1)

    def _taper(self, sma):
        """
        Calculate the part that belongs to the core.
        """
        low, high = np.log(np.array(_CORE) * self._psf.fwhm)
        with np.errstate(divide='ignore'):
            at = np.clip((np.log(sma) - low) / (high - low), 0, 1)
        return 1 - at**2 * (3 - 2 * at)

    def _smear_core(self, near):
        """
        Add up the smeared ellipses of the core, on each ring.
        """
        psf, q = self._psf, 1 - self._shapes[0]
        reach = _CORE[1] * psf.fwhm
        radii = reach * np.linspace(0, 1, _RADII)**1.5
        eps, theta = self._shape(radii)
        t = (np.arange(_ANGLES) + 0.5) * (2 * np.pi / _ANGLES)
        u = radii[:, None] * np.cos(t)
        v = (radii * (1 - eps))[:, None] * np.sin(t)
        c, s = np.cos(theta)[:, None], np.sin(theta)[:, None]
        x, y = u * c - v * s, u * s + v * c
        second = 2 * np.cos(2 * self._anomaly) / _HALF
        mean = np.zeros((2, len(near), _RADII))
        for k in np.nonzero(near)[0]:
            # (half ring, radii): the mean over each ellipse of the core
            seen = psf(self._x[k][:, None, None] - x,
                       self._y[k][:, None, None] - y).mean(-1)
            mean[0, k] = self._weight[k] @ seen
            mean[1, k] = second @ seen
        inside = self.nodes < reach
        at = self.nodes[inside]
        smooth = CubicSpline(radii, mean, axis=-1)(at)
        # The area between ellipses, by trapezoids in the logarithm of the
        # radius; the innermost ellipse is full.
        area = np.pi * q * self.nodes**2
        ring = np.gradient(area, np.log(self.nodes)) * self._step
        ring[0] = 0.5 * ring[0] + area[0]
        out = np.zeros((2, len(near), _NODES))
        out[..., inside] = smooth * (ring * self._taper(self.nodes))[inside]
        return out

    def _offsets(self):
        """
        Return points of the PSF (x, y) and their parts of its flux.
        """
        psf = self._psf
        edges = [np.arange(0, 1.5, 0.125) * psf.fwhm]
        start = 1.5 * psf.fwhm
        if psf.radius > start:
            n = int(np.ceil(np.log(psf.radius / start) / 0.15))
            edges.append(np.geomspace(start, psf.radius, n + 1))
        else:
            edges.append([start])
        edges = np.concatenate(edges)
        n_angle = 24
        turn = np.arange(len(edges) - 1) * 2.4
        angle = (np.arange(n_angle) * (2 * np.pi / n_angle)
                 + turn[:, None])
        r = np.sqrt(0.5 * (edges[1:]**2 + edges[:-1]**2))[:, None]
        x, y = (r * np.cos(angle)).ravel(), (r * np.sin(angle)).ravel()
        # the mean over a cell: at three radii of it
        area = np.pi * np.diff(edges**2)[:, None] / n_angle
        parts = [psf(rr[:, None] * np.cos(angle), rr[:, None] * np.sin(angle))
                 for rr in (np.sqrt(
                     edges[:-1]**2 + f * np.diff(edges**2))
                     for f in (1 / 6, 1 / 2, 5 / 6))]
        part = (area * np.mean(parts, axis=0)).ravel()
        return x, y, part / part.sum()

    def _smear_rest(self):
        """
        Average the galaxy outside of the core over the PSF, on each ring.
        """
        dx, dy, part = self._offsets()
        second = 2 * np.cos(2 * self._anomaly) / _HALF
        n = len(self._x)
        out = np.zeros((2, n, _NODES))
        for k in range(n):
            x = self._x[k][:, None] + dx
            y = self._y[k][:, None] + dy
            sma = self._semi_major(x, y)
            rest = part * (1 - self._taper(sma))
            place = np.clip((np.log(np.maximum(sma, self.nodes[0]))
                             - self._first) / self._step, 1, _NODES - 2.001)
            index = place.astype(int)
            f = place - index
            # cubic interpolation between nodes (Lagrange)
            lagrange = (-f * (f - 1) * (f - 2) / 6,
                        (f + 1) * (f - 1) * (f - 2) / 2,
                        -(f + 1) * f * (f - 2) / 2,
                        (f + 1) * f * (f - 1) / 6)
            for row, weight in ((0, self._weight[k]), (1, second)):
                w = weight[:, None] * rest
                for shift, factor in zip((-1, 0, 1, 2), lagrange,
                                         strict=True):
                    out[row, k] += np.bincount(
                        (index + shift).ravel(), (w * factor).ravel(),
                        _NODES)
        return out

    def _semi_major(self, x, y):
        """
        Calculate the semi-major axis of the galaxy's ellipse at points.
        """
        eps, theta = self._shapes
        e1, e2 = eps * np.cos(2 * theta), eps * np.sin(2 * theta)
        constant = np.ptp(e1) + np.ptp(e2) < 1e-6
        if constant:
            return _elliptical(x, y, eps[0], np.cos(theta[0]),
                               np.sin(theta[0]))
        # (a fixed point, from the mean shape at that distance)
        sma = np.hypot(x, y)
        for _ in range(2):
            index = np.clip((np.log(np.maximum(sma, self.nodes[0]))
                             - self._first) / self._step + 0.5, 0,
                            _NODES - 1).astype(int)
            sma = _elliptical(x, y, eps[index], np.cos(theta)[index],
                              np.sin(theta)[index])
        return sma


def _elliptical(x, y, eps, c, s):
    return np.hypot(x * c + y * s, (y * c - x * s) / (1 - eps))
