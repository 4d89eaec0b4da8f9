# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Render galaxies that are hard to measure, with GalSim.

Thin discs with rounder outskirts, strong arms, neighbours that overlap, and
frames as observers have them: a masked star beside the nucleus, a gap, an
edge close by, a galaxy that fills the frame and a sky that is left over.
Missing pixels are NaN. The layout of the files is that of
``benchmarks.render.galaxies``.

    python -m benchmarks.render.hard --n 70 --seed 2027 --out DIR
"""

import argparse
from pathlib import Path

import galsim
import numpy as np

from benchmarks.render.galaxies import (
    GSPARAMS,
    SURVEYS,
    draw_contaminants,
    draw_galaxy,
    draw_psf,
    expose,
)

__all__ = ['HARD', 'render_hard']

# Each as common as the others.
HARD = ('thin disc', 'strong arms', 'overlap', 'masked star', 'gap', 'edge',
        'full frame')
# Radius of the mask of a star, its distance from the nucleus, the width of
# a gap, the distance of an edge, in pixels; left-over sky, in sigma.
MASK_RADIUS, MASK_DISTANCE, GAP, EDGE, SKY = 8, 13, 13, 6, 0.7
# Kinds of galaxies of the frames with missing pixels.
_USUAL = ('spiral', 's0', 'elliptical', 'barred', 'dwarf')


def _thin_disc(rng, size, fwhm):
    """
    Draw a thin disc, with what makes it rounder outside.
    """
    # so large that the PSF leaves it flat
    r_e = min(fwhm * rng.uniform(4, 12), rng.uniform(0.1, 0.16) * size)
    h = r_e / 1.678
    pa = rng.uniform(0, np.pi)
    thickness = rng.uniform(0.06, 0.16)
    inclination = np.arccos(rng.uniform(0.0, 0.15))
    disc = galsim.InclinedExponential(
        inclination * galsim.radians, scale_radius=h,
        scale_h_over_r=thickness / 2, gsparams=GSPARAMS)
    disc = disc.rotate(pa * galsim.radians)
    outer = rng.choice(['none', 'bulge', 'thick disc', 'halo'])
    if outer == 'bulge':
        n, size_of, q, part = (rng.uniform(2, 4), rng.uniform(0.3, 0.7),
                               rng.uniform(0.6, 0.9), rng.uniform(0.1, 0.3))
    elif outer == 'thick disc':
        n, size_of, q, part = (1.0, rng.uniform(1.1, 1.5),
                               rng.uniform(0.3, 0.45), rng.uniform(0.1, 0.3))
    else:
        n, size_of, q, part = (rng.uniform(2, 4), rng.uniform(1.5, 2.5),
                               rng.uniform(0.5, 0.8), rng.uniform(0.05, 0.15))
    smooth = disc
    if outer != 'none':
        round_ = galsim.Sersic(n, half_light_radius=size_of * r_e,
                               trunc=10 * r_e, gsparams=GSPARAMS)
        round_ = round_.shear(q=q, beta=pa * galsim.radians)
        smooth = (1 - part) * disc + part * round_
    # an edge-on disc is bright for its size
    mu_e = np.clip(rng.normal(21.0, 0.7), 19.5, 22.5)
    mag = mu_e - 2.5 * np.log10(2 * np.pi * r_e**2 * 0.3)
    return smooth, None, {
        'type': 'edge-on', 'r_e': r_e, 'theta': np.degrees(pa),
        'inclination': np.degrees(inclination), 'outer': outer, 'mag': mag,
        'mu_e': mu_e}


def _strong_arms(rng, size, fwhm, pixel):
    """
    Draw a disc whose arms multiply its light by up to e^1.6.
    """
    r_e = min(fwhm * rng.uniform(4, 12), rng.uniform(0.1, 0.16) * size)
    h = r_e / 1.678
    pa = rng.uniform(0, np.pi)
    q = rng.uniform(0.35, 0.95)
    step = 0.25 * fwhm
    n_grid = int(2 * min(9 * h, size) / step) // 2 * 2 + 1
    y, x = (np.mgrid[:n_grid, :n_grid] - n_grid // 2) * step
    rad, phi = np.hypot(x, y) + 1e-3, np.arctan2(y, x)
    n_arms = int(rng.choice([2, 2, 3, 4]))
    pitch = np.radians(rng.uniform(10, 32))
    contrast = rng.uniform(0.6, 1.6)
    wave = np.cos(n_arms * (phi - np.log(rad / h) / np.tan(pitch)
                            - rng.uniform(0, 2 * np.pi)))
    ring = np.round(rad / step).astype(int)
    arm = np.exp(contrast * wave)
    mean = np.bincount(ring.ravel(), arm.ravel()) / np.bincount(ring.ravel())
    start = 1 / (1 + np.exp(-(rad / h - 0.7) * 5))
    # none of the light of a ring is gained or lost
    arm = (arm / mean[ring] - 1) * start * np.exp(-rad / h)
    arm *= step**2 / (2 * np.pi * h**2)
    detail = galsim.InterpolatedImage(
        galsim.Image(arm, scale=step), x_interpolant='linear',
        normalization='flux', gsparams=GSPARAMS)
    disc = galsim.Exponential(scale_radius=h, gsparams=GSPARAMS)
    disc, detail = (obj.transform(1, 0, 0, q).rotate(pa * galsim.radians)
                    for obj in (disc, detail))
    part = rng.uniform(0, 0.2)
    bulge = galsim.Sersic(2.0, half_light_radius=0.25 * h,
                          gsparams=GSPARAMS).shear(
        q=(1 + q) / 2, beta=pa * galsim.radians)
    smooth = (1 - part) * disc + part * bulge
    detail = (1 - part) * q**-1 * detail
    mu_e = np.clip(rng.normal(21.3, 0.7), 19.5, 22.8)
    mag = mu_e - 2.5 * np.log10(2 * np.pi * r_e**2)
    return smooth, detail, {
        'type': 'spiral', 'r_e': r_e, 'theta': np.degrees(pa), 'arms': True,
        'n_arms': n_arms, 'pitch': np.degrees(pitch), 'contrast': contrast,
        'mag': mag, 'mu_e': mu_e}


def _spoil(data, case, centre, angle, rng):
    """
    Take away pixels as the case has it.
    """
    y, x = np.mgrid[:data.shape[0], :data.shape[1]]
    u = ((x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle))
    if case == 'masked star':
        v = ((y - centre[1]) * np.cos(angle) - (x - centre[0])
             * np.sin(angle))
        data[np.hypot(u - MASK_DISTANCE, v) < MASK_RADIUS] = np.nan
    elif case == 'gap':
        first = rng.uniform(2, 20)
        # most gaps are columns or rows
        if rng.random() < 0.7:
            u = rng.choice([-1, 1]) * (x - centre[0]) if (
                rng.random() < 0.5) else (
                rng.choice([-1, 1]) * (y - centre[1]))
        data[(u > first) & (u < first + GAP)] = np.nan
    elif case == 'edge':
        side = rng.integers(4)
        away = (x - centre[0], centre[0] - x, y - centre[1],
                centre[1] - y)[side]
        data[away > EDGE] = np.nan


def render_hard(seed, *, survey='sdss-r', case=None, n_pix=256):
    """
    Render a frame that is hard to measure.

    Parameters
    ----------
    seed : int
        The seed of everything.

    survey : str, optional
        A key of ``benchmarks.render.galaxies.SURVEYS``.

    case : str, optional
        One of `HARD`; by default they take turns with the seed.

    n_pix : int, optional
        The side of the frame.

    Returns
    -------
    hdus : `~astropy.io.fits.HDUList`
        As of ``benchmarks.render.galaxies.render``; the header's CASE tells
        the case.
    """
    case = case or HARD[seed % len(HARD)]
    rng = np.random.default_rng([seed, 20270101])
    pixel, fwhm0, gain, sigma = SURVEYS[survey]
    fwhm = fwhm0 * rng.lognormal(0, 0.12)
    sigma *= rng.uniform(0.85, 1.2)
    psf = draw_psf(rng, fwhm)
    depth = 2.5 * np.log10(0.030 / 0.396 * pixel / SURVEYS[survey][3])
    size, sky = n_pix * pixel, None
    scene = 'plain'
    if case == 'thin disc':
        smooth, detail, par = _thin_disc(rng, size, fwhm)
        par['mag'] += 0.6 * depth
    elif case == 'strong arms':
        smooth, detail, par = _strong_arms(rng, size, fwhm, pixel)
        par['mag'] += 0.6 * depth
    else:
        # (a galaxy of three times the size fills the frame)
        scale = 3.0 if case == 'full frame' else 1.0
        while True:
            kind = str(rng.choice(_USUAL))
            smooth, detail, par = draw_galaxy(
                rng, kind, size * scale, fwhm * scale, 0.6 * depth)
            wide = par['r_e'] > 0.22 * size
            if par['mag'] < 18.0 + depth and (
                    wide or case != 'full frame'):
                break
        if case == 'overlap':
            scene = 'neighbour'
        elif case == 'full frame':
            sky = float(rng.choice([-SKY, SKY]))
    offset, angle = rng.uniform(-8, 8, 2), rng.uniform(0, 2 * np.pi)
    contaminants = draw_contaminants(rng, par, size, fwhm, tuple(
        pixel * offset), scene)
    if case == 'masked star':
        # as bright as a tenth of the galaxy or as all of it
        away = offset + MASK_DISTANCE * np.array(
            [np.cos(angle), np.sin(angle)])
        contaminants.append((None, max(par['mag'] + rng.uniform(0, 2.5),
                                       15.0), *(pixel * away)))
    hdus = expose(smooth, detail, par, contaminants,
                  flux=10**(-0.4 * (par['mag'] - 22.5)),
                  offset=tuple(offset), psf=psf, survey=survey, gain=gain,
                  sigma=sigma, fwhm=fwhm, rng=rng, n_pix=n_pix, case=case,
                  seed=seed, sky=sky, keep_galaxy=False)
    header = hdus[0].header
    _spoil(hdus[0].data, case, (header['XTRUE'], header['YTRUE']), angle, rng)
    return hdus


def main(args=None):
    """
    Write ``--n`` frames to ``--out``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=70)
    parser.add_argument('--seed', type=int, default=2027)
    parser.add_argument('--survey', default='sdss-r', choices=SURVEYS)
    parser.add_argument('--case', choices=HARD)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(args)
    args.out.mkdir(parents=True, exist_ok=True)
    for k in range(args.n):
        path = args.out / f'galaxy_{k:04d}.fits'
        if not path.exists():
            render_hard(args.seed * 100_000 + k, survey=args.survey,
                        case=args.case).writeto(path)


if __name__ == '__main__':
    main()
