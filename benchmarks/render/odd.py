# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Render many usual galaxies and a few odd ones with GalSim, for searches.

Usual galaxies are those of ``benchmarks.render.galaxies`` that the frame
resolves. Odd ones are of three kinds that none of them has: a detached
ring, two tidal tails, and a second nucleus in a common envelope. The images
of a block lie in one file, with the kind of each.

    nice -n 5 python -m benchmarks.render.odd --n 10000 --odd 100 \
        --seed 41 --out DIR
"""

import argparse
from pathlib import Path

import galsim
import numpy as np

from benchmarks.render.galaxies import (
    GSPARAMS,
    SURVEYS,
    TYPES,
    draw_contaminants,
    draw_galaxy,
    draw_psf,
)

__all__ = ['ODD', 'draw_odd', 'render_small']

# Kinds of odd galaxies.
ODD = ('ring', 'tails', 'merger')
# Smallest half-light radius in units of the FWHM; side of a frame.
_RESOLVED, _SIDE = 3.0, 128
# Accuracy of the light around the galaxy, which needs little.
_COARSE = galsim.GSParams(folding_threshold=0.02, maxk_threshold=0.01)


def _drawn(light, step, flux):
    """
    Make an object of an array of light, of a given flux.
    """
    return galsim.InterpolatedImage(
        galsim.Image(light * (flux / light.sum()), scale=step),
        x_interpolant='linear', normalization='flux', gsparams=GSPARAMS)


def _grid(size, fwhm):
    step = 0.25 * fwhm
    n = int(size / step) // 2 * 2 + 1
    y, x = (np.mgrid[:n, :n] - n // 2) * step
    return x, y, step


def draw_odd(rng, kind, size, fwhm, offset):
    """
    Draw an odd galaxy: (object of flux 1 without its feature, feature, par).

    Parameters
    ----------
    rng : `numpy.random.Generator`
        The source of random numbers.

    kind : str
        One of ``ODD``.

    size, fwhm, offset : float
        As for `benchmarks.render.galaxies.draw_galaxy`.

    Returns
    -------
    smooth, detail, par
        Likewise.
    """
    base = rng.choice(['s0', 'elliptical', 'spiral'], p=[0.4, 0.2, 0.4])
    smooth, detail, par = draw_galaxy(rng, base, size, fwhm, offset)
    r_e, pa = par['r_e'], np.radians(par['theta'])
    x, y, step = _grid(size, fwhm)
    if kind == 'ring':
        q = np.cos(np.radians(rng.uniform(0, 55)))
        c, s = np.cos(pa), np.sin(pa)
        r = np.hypot(x * c + y * s, (y * c - x * s) / q)
        phi = np.arctan2((y * c - x * s) / q, x * c + y * s)
        radius = r_e * rng.uniform(1.3, 2.3)
        width = radius * rng.uniform(0.06, 0.14)
        light = np.exp(-0.5 * ((r - radius) / width)**2) * (
            1 + rng.uniform(0, 0.5) * np.cos(phi - rng.uniform(0, 6.28)))
        flux = rng.uniform(0.15, 0.5)
        detail = None
    elif kind == 'tails':
        light = np.zeros_like(x)
        turn = rng.choice([-1, 1])
        length = rng.uniform(2.5, 4.0) * r_e
        for side in (0, 1):
            reach = length * rng.uniform(0.7, 1.0)
            t = np.linspace(0, 1, 120)
            r = 0.8 * r_e + t * reach
            phi = pa + np.pi * side + turn * rng.uniform(0.6, 1.4) * t
            width = r_e * (0.12 + 0.25 * t) * rng.uniform(0.7, 1.2)
            for one, angle, w, part in zip(r, phi, width, (1 - t)**0.7,
                                           strict=True):
                light += part / w**2 * np.exp(-0.5 * (
                    (x - one * np.cos(angle))**2
                    + (y - one * np.sin(angle))**2) / w**2)
        flux = rng.uniform(0.12, 0.35)
    else:
        distance = rng.uniform(0.5, 1.2) * r_e
        angle = rng.uniform(0, 2 * np.pi)
        dx, dy = distance * np.cos(angle), distance * np.sin(angle)
        second = galsim.Sersic(
            rng.uniform(1, 3), half_light_radius=rng.uniform(0.3, 0.7) * r_e,
            gsparams=GSPARAMS).shear(
            q=rng.uniform(0.5, 0.95),
            beta=rng.uniform(0, np.pi) * galsim.radians)
        second = rng.uniform(0.3, 0.9) * second.shift(dx, dy)
        # the envelope is pulled to one side
        across = angle + rng.uniform(1, 2)
        w = r_e * rng.uniform(0.7, 1.1)
        light = np.exp(-0.5 * ((x - 1.8 * r_e * np.cos(across))**2
                               + (y - 1.8 * r_e * np.sin(across))**2) / w**2)
        flux = rng.uniform(0.05, 0.15)
        smooth = smooth + second
    feature = _drawn(light, step, flux)
    detail = feature if detail is None else detail + feature
    par['type'] = kind
    return smooth, detail, par


def render_small(seed, *, kind=None, survey='sdss-r', n_pix=_SIDE):
    """
    Render a small frame with one resolved galaxy near its middle.

    Parameters
    ----------
    seed : sequence of int
        The seed.

    kind : str, optional
        One of ``ODD``; by default, a usual galaxy.

    survey : str, optional
        A key of ``benchmarks.render.galaxies.SURVEYS``.

    n_pix : int, optional
        The side of the frame.

    Returns
    -------
    image : 2D `~numpy.ndarray`
        In nanomaggies.

    par : dict
        'type', 'r_e' (arcsec), 'fwhm' (arcsec), 'mag' and others.
    """
    rng = np.random.default_rng([*seed, 20261126])
    pixel, fwhm, gain, sigma = SURVEYS[survey]
    fwhm *= rng.lognormal(0, 0.12)
    sigma *= rng.uniform(0.85, 1.2)
    psf = draw_psf(rng, fwhm)
    size = n_pix * pixel
    base = rng.choice(list(TYPES), p=list(TYPES.values()))
    while True:
        try:
            smooth, detail, par = (
                draw_galaxy(rng, base, size, fwhm, 0.0) if kind is None
                else draw_odd(rng, kind, size, fwhm, 0.0))
        except galsim.GalSimError:
            # (it cannot make every bulge: another one)
            continue
        # (the frame holds tails of 4 half-light radii)
        if par['mag'] < 17.5 and par['r_e'] > _RESOLVED * fwhm:
            break
    flux = 10**(-0.4 * (par['mag'] - 22.5))
    dx, dy = rng.uniform(-3, 3, 2)
    case = rng.choice(['plain', 'neighbour'], p=[0.93, 0.07])

    def draw(obj, x, y, params=GSPARAMS):
        frame = galsim.Image(n_pix, n_pix, scale=pixel, dtype=float)
        galsim.Convolve(obj, psf, galsim.Pixel(pixel),
                        gsparams=params).drawImage(
            frame, method='no_pixel', offset=(x / pixel, y / pixel))
        return frame.array

    full = smooth if detail is None else smooth + detail
    model = draw(full * flux, dx * pixel, dy * pixel)
    for obj, mag, x, y in draw_contaminants(
            rng, par, size, fwhm, (dx * pixel, dy * pixel), case):
        # (a star brighter than this would be masked by any survey)
        mag = max(mag, 16.5)
        point = galsim.DeltaFunction()
        model += draw((point if obj is None else obj)
                      * 10**(-0.4 * (mag - 22.5)), x, y, _COARSE)
    image = model + rng.normal(size=model.shape) * np.sqrt(
        sigma**2 + np.maximum(model, 0) / gain) + sigma * rng.normal(0, 0.15)
    par.update(fwhm=fwhm, case=str(case), noise=sigma, gain=gain)
    return image.astype('f4'), par


def main(args=None):
    """
    Write blocks of ``--n`` usual and ``--odd`` of each odd kind.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=10_000)
    parser.add_argument('--odd', type=int, default=100)
    parser.add_argument('--seed', type=int, default=41)
    parser.add_argument('--block', type=int, default=250)
    parser.add_argument('--survey', default='sdss-r', choices=SURVEYS)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(args)
    args.out.mkdir(parents=True, exist_ok=True)
    kinds = [kind for kind in ODD for _ in range(args.odd)] + (
        [None] * args.n)
    for start in range(0, len(kinds), args.block):
        path = args.out / f'block_{start:06d}.npz'
        if path.exists():
            continue
        done = [render_small((args.seed, k), kind=kinds[k],
                             survey=args.survey)
                for k in range(start, min(start + args.block, len(kinds)))]
        part = path.with_suffix('.part.npz')
        np.savez(part, images=np.stack([image for image, _ in done]),
                 **{name: np.array([par[name] for _, par in done])
                    for name in ('type', 'r_e', 'fwhm', 'mag', 'noise',
                                 'gain', 'case')})
        part.rename(path)


if __name__ == '__main__':
    main()
