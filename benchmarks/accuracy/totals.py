# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Total magnitudes of galaxies that their frames cut.

Sersic galaxies of index 1 and 4, rendered with GalSim, fill frames that end
at 1.5, 2 and 3 effective radii (Moffat PSF, white noise, no sky). Both fitters
measure them with their own sky, and ``measure_structure`` says how much light
is beyond the profile. The figures are written to totals.json.

    python -m benchmarks.accuracy.totals --n 60 --seed 21 \
        --out benchmarks/accuracy
"""

import argparse
import json
from pathlib import Path

import galsim
import numpy as np

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter, measure_structure
from benchmarks.accuracy.pulls import width
from benchmarks.tables import describe_environment, to_json

INDICES, CUTS = (1.0, 4.0), (1.5, 2.0, 3.0)
PIXEL, ZEROPOINT, NOISE = 0.4, 25.0, 0.5


def draw(k, seed):
    """
    Draw a galaxy that its frame cuts, with its index, cut and magnitude.
    """
    rng = np.random.default_rng([seed, k])
    index, cut = INDICES[k % 2], CUTS[k // 2 % 3]
    q, angle = rng.uniform(0.5, 1.0), rng.uniform(0, 180)
    r_e = rng.uniform(18, 32)
    flux = 2e4 * (r_e / 25)**2 * 10**rng.uniform(-0.3, 0.3)
    galaxy = galsim.Sersic(
        index, half_light_radius=r_e * PIXEL * q**0.5,
        gsparams=galsim.GSParams(maximum_fft_size=16384))
    galaxy = flux * galaxy.shear(q=q, beta=angle * galsim.degrees)
    n_pix = int(2 * cut * r_e)
    image = galsim.Convolve(galaxy, galsim.Moffat(beta=3, fwhm=1.2)).drawImage(
        nx=n_pix, ny=n_pix, scale=PIXEL).array.astype(float)
    return (image + rng.normal(0, NOISE, image.shape), index, cut,
            ZEROPOINT - 2.5 * np.log10(flux))


def measure(fitter, n, seed):
    """
    Measure galaxies: index, cut, deviations of total and aperture, error.
    """
    rows = []
    for k in range(n):
        image, index, cut, true = draw(k, seed)
        row = measure_structure(fitter(
            image, zeropoint=ZEROPOINT, pixel_scale=PIXEL), fits=False)[0]
        rows.append((index, cut, row['mag_total'].value - true,
                     row['mag_aperture'].value - true,
                     row['mag_total_err'].value))
    return np.array(rows)


def figures(rows):
    """
    Summarise the totals of all galaxies, and of those of each index.
    """
    out = {}
    for name, part in (('all', rows), *(
            (f'n = {index:g}', rows[rows[:, 0] == index])
            for index in INDICES)):
        off, aperture, error = part[:, 2:].T
        known = np.isfinite(error) & (error > 0)
        pulls = (off / error)[known]
        out[name] = {
            'n': len(part), 'n_with_error': int(known.sum()),
            'median_abs': float(np.nanmedian(np.abs(off))),
            'median_abs_aperture': float(np.nanmedian(np.abs(aperture))),
            'bias': float(np.nanmedian(off)),
            'median_error': float(np.nanmedian(error)),
            'within_error': float(np.mean(np.abs(pulls) < 1)),
            'within_2_errors': float(np.mean(np.abs(pulls) < 2)),
            'width': width(pulls)}
    return out


def main(args=None):
    """
    Print the figures and write them as ``totals.json``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=60)
    parser.add_argument('--n-isophotes', type=int, default=30)
    parser.add_argument('--seed', type=int, default=21)
    parser.add_argument('--out', type=Path)
    args = parser.parse_args(args)
    found = {'seed': args.seed, 'environment': describe_environment()}
    for fitter, n in ((Pix2ProfFitter(device='cpu'), args.n),
                      (IsophoteFitter(), args.n_isophotes)):
        name = type(fitter).__name__
        found[name] = figures(measure(fitter, n, args.seed))
        for part, row in found[name].items():
            print(name, part, {key: round(value, 3)
                               for key, value in row.items()}, flush=True)
    if args.out:
        (args.out / 'totals.json').write_text(
            json.dumps(to_json(found), indent=1) + '\n')


if __name__ == '__main__':
    main()
