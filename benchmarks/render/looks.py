# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Render galaxies of known looks with GalSim, to test embeddings.

Nine looks, each as common as the others; what makes a look is planted: a
bar, a ring, a tidal tail, clumps off the centre, a second galaxy in the
first. Stars, other galaxies, noise and a residual sky are those of
``benchmarks.render.galaxies``.
"""

import galsim
import numpy as np

from benchmarks.render.galaxies import (
    GSPARAMS,
    SURVEYS,
    draw_contaminants,
    draw_galaxy,
    draw_psf,
)
from benchmarks.render.hard import _strong_arms

__all__ = ['LOOKS', 'render_look']

LOOKS = ('elliptical', 'lenticular', 'spiral', 'barred', 'ringed',
         'tidal tail', 'irregular', 'merger', 'edge-on')

# Galaxies are so many FWHM large at least (half-light radius).
_LEAST = 2.0


def _stamp(light, step):
    return galsim.InterpolatedImage(
        galsim.Image(light, scale=step), x_interpolant='linear',
        normalization='flux', gsparams=GSPARAMS)


def _grid(reach, step):
    n = int(reach / step) * 2 + 1
    y, x = (np.mgrid[:n, :n] - n // 2) * step
    return np.hypot(x, y) + 1e-6, np.arctan2(y, x)


def _ring(rng, h, fwhm):
    """
    Draw a ring in the plane of a disc of scale length h, of unit flux.
    """
    step = 0.3 * fwhm
    radius = h * rng.uniform(1.2, 2.8)
    rad, _ = _grid(2.2 * radius, step)
    light = np.exp(-0.5 * ((rad - radius) / (
        radius * rng.uniform(0.08, 0.18)))**2)
    return _stamp(light / light.sum(), step)


def _tail(rng, r_e, fwhm):
    """
    Draw a tail that winds outwards, of unit flux.
    """
    step = 0.3 * fwhm
    start, turn = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
    rad, phi = _grid(5.5 * r_e, step)
    along = np.mod(turn * (phi - start), 2 * np.pi)
    length = rng.uniform(1.2, 2.6)
    ridge = r_e * rng.uniform(1.4, 2.0) * np.exp(
        rng.uniform(0.2, 0.45) * along)
    width = r_e * rng.uniform(0.15, 0.3)
    light = np.exp(-0.5 * ((rad - ridge) / width)**2) * (
        along < length) * np.exp(-along / length)
    return _stamp(light / light.sum(), step)


def _draw(rng, kind, size, fwhm, depth):
    while True:
        smooth, detail, par = draw_galaxy(rng, kind, size, fwhm, depth)
        bright = par['mag'] < 17.7 + depth / 0.6
        if bright and par['r_e'] > _LEAST * fwhm and (
                kind != 'spiral' or detail is not None):
            return smooth, detail, par


def _look(rng, look, size, fwhm, depth, pixel):
    """
    Draw a galaxy of a look: the object, and what is known of it.
    """
    kind = {'lenticular': 's0', 'ringed': str(rng.choice(['s0', 'spiral'])),
            'tidal tail': str(rng.choice(['elliptical', 's0', 'spiral'])),
            'merger': str(rng.choice(['elliptical', 's0', 'spiral'])),
            'irregular': 'dwarf'}.get(look, look)
    if look == 'spiral' and rng.random() < 0.4:
        while True:
            smooth, detail, par = _strong_arms(rng, size, fwhm, pixel)
            if par['r_e'] > _LEAST * fwhm:
                break
        par['mag'] += depth
    else:
        smooth, detail, par = _draw(rng, kind, size, fwhm, depth)
    obj = smooth if detail is None else smooth + detail
    r_e, pa = par['r_e'], np.radians(par['theta'])
    if look == 'ringed':
        q = max(np.cos(np.radians(par['inclination'])), 0.35)
        ring = _ring(rng, r_e / 1.678, fwhm)
        ring = ring.transform(1, 0, 0, q).rotate(pa * galsim.radians)
        part = rng.uniform(0.1, 0.3)
        obj = (1 - part) * obj + part / ring.flux * ring
    elif look == 'tidal tail':
        tail = _tail(rng, r_e, fwhm)
        obj = obj + rng.uniform(0.04, 0.12) / tail.flux * tail
    elif look == 'irregular':
        knots = galsim.RandomKnots(
            int(rng.integers(4, 14)), rng=galsim.BaseDeviate(
                int(rng.integers(1, 2**30))),
            profile=galsim.Gaussian(half_light_radius=r_e),
            gsparams=GSPARAMS)
        knots = galsim.Convolve(
            knots, galsim.Gaussian(sigma=rng.uniform(0.04, 0.12) * r_e))
        aside = galsim.Exponential(half_light_radius=0.6 * r_e,
                                   gsparams=GSPARAMS).shift(
            *(0.7 * r_e * rng.uniform(-1, 1, 2)))
        part = rng.uniform(0.15, 0.4)
        obj = (1 - part - 0.15) * obj + part * knots + 0.15 * aside
    elif look == 'merger':
        other, more, _ = _draw(rng, str(rng.choice(
            ['elliptical', 's0', 'spiral'])), size, fwhm, depth)
        other = other if more is None else other + more
        away, angle = r_e * rng.uniform(0.6, 1.6), rng.uniform(0, 2 * np.pi)
        obj = obj + rng.uniform(0.3, 0.9) * other.shift(
            away * np.cos(angle), away * np.sin(angle))
        tail = _tail(rng, r_e, fwhm)
        obj = obj + rng.uniform(0.02, 0.08) / tail.flux * tail
    return obj, par


def render_look(seed, *, look=None, n_pix=160):
    """
    Render a galaxy.

    Parameters
    ----------
    seed : int
        The seed of everything.

    look : str, optional
        One of `LOOKS`; by default they take turns with the seed.

    n_pix : int, optional
        The side of the frame.

    Returns
    -------
    image : 2D `~numpy.ndarray`, shape (n_pix, n_pix)
        Nanomaggies.

    known : dict
        ``look``, ``pixel_scale`` and ``fwhm`` (arcsec), ``r_e`` (arcsec) of
        the galaxy before anything was planted, ``survey``.
    """
    look = look or LOOKS[seed % len(LOOKS)]
    rng = np.random.default_rng([seed, 20261126])
    survey = str(rng.choice(['sdss-r', 'legacy-r', 'sdss-g']))
    pixel, fwhm0, gain, sigma = SURVEYS[survey]
    fwhm = fwhm0 * rng.lognormal(0, 0.1)
    sigma *= rng.uniform(0.85, 1.2)
    psf = draw_psf(rng, fwhm)
    size = n_pix * pixel
    depth = 0.6 * 2.5 * np.log10(0.030 / 0.396 * pixel / SURVEYS[survey][3])
    obj, par = _look(rng, look, size, fwhm, depth, pixel)
    flux = 10**(-0.4 * (par['mag'] - 22.5))
    dx, dy = rng.uniform(-4, 4, 2)

    def draw(obj, x, y):
        image = galsim.Image(n_pix, n_pix, scale=pixel, dtype=float)
        galsim.Convolve(obj, psf, gsparams=GSPARAMS).drawImage(
            image, offset=(x, y), method='auto')
        return image.array

    model = draw(obj * flux, dx, dy)
    for other, mag, x, y in draw_contaminants(
            rng, par, size, fwhm, (dx * pixel, dy * pixel), 'plain'):
        other = galsim.DeltaFunction() if other is None else other
        model += draw(other * 10**(-0.4 * (mag - 22.5)), x / pixel,
                      y / pixel)
    noise = rng.normal(size=model.shape) * np.sqrt(
        sigma**2 + np.maximum(model, 0) / gain)
    image = model + noise + sigma * rng.normal(0, 0.1)
    return image.astype('f4'), {
        'look': look, 'pixel_scale': pixel, 'fwhm': fwhm, 'r_e': par['r_e'],
        'survey': survey}
