# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Speed of the simulator, and its errors relative to GalSim.

Images of 256 x 256 pixels with everything on, on one core; and Sersic
galaxies with Moffat PSFs beside GalSim's, along the same ellipses.

    python -m benchmarks.throughput.simulator --out simulator_speed.json
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import platform
import time
from pathlib import Path

import galsim
import numpy as np
import torch
from scipy.ndimage import spline_filter

from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.simulation.components import (
    elliptical_radius,
    rotate,
    sersic,
)
from astro_pix2prof.simulation.convolution import NestedGrid
from astro_pix2prof.simulation.psf import PSF
from astro_pix2prof.simulation.truth import sma_grid, true_profile
from benchmarks.render.truth import sample_ellipses

# r_e and FWHM in pixels, Moffat index, axis ratio
SHAPES = ((5.0, 2.2, 3.0, 0.6), (8.0, 3.3, 3.5, 0.4), (12.0, 3.0, 2.5, 0.8))
INDICES = (0.5, 1.0, 2.5, 4.0, 6.0)
N_PIX, CENTRE, ANGLE, OVERSAMPLE = 128, (63.7, 64.2), 0.6, 5


def measure_speed(survey, *, n, repeats, seed):
    """
    Images per second, the median and the best of several runs.
    """
    simulator = GalaxySimulator(survey)
    simulator.simulate(16, seed=seed)
    rates = []
    for k in range(repeats):
        start = time.perf_counter()
        simulator.simulate(n, seed=seed + k)
        rates.append(n / (time.perf_counter() - start))
    return {'survey': survey, 'median': float(np.median(rates)),
            'best': max(rates)}


def compare(index, r_e, fwhm, beta, q):
    """
    Differences from GalSim of one galaxy, brighter than 0.001 of its peak.
    """
    def column(value):
        return torch.tensor([[value]])

    grid = NestedGrid(N_PIX, torch.tensor([CENTRE]))
    u, v = rotate(grid.x, grid.y, column(ANGLE))
    light = sersic(elliptical_radius(u, v, column(q)), column(index),
                   column(r_e), column(q))
    image = grid.convolve(light, PSF.moffat([fwhm], beta))
    sma = sma_grid(N_PIX)
    profile = {k: t[0].double().numpy() for k, t in true_profile(
        image, image, sma).items()}
    sma = sma.double().numpy()
    params = galsim.GSParams(maximum_fft_size=16384, kvalue_accuracy=1e-6,
                             folding_threshold=1e-3, maxk_threshold=1e-4)
    model = galsim.Sersic(index, half_light_radius=r_e * q**0.5,
                          gsparams=params).shear(
                              q=q, beta=ANGLE * galsim.radians)
    model = galsim.Convolve(model, galsim.Moffat(
        beta, fwhm=fwhm, gsparams=params), galsim.Pixel(1), gsparams=params)

    def draw(n, scale, offset=(0, 0)):
        out = galsim.Image(n, n, scale=scale, dtype=float)
        model.drawImage(out, method='no_pixel', offset=offset)
        return out.array / scale**2

    middle = (N_PIX - 1) / 2
    flux = draw(N_PIX, 1, (CENTRE[0] - middle, CENTRE[1] - middle)).sum()
    side = N_PIX * OVERSAMPLE + 1
    wanted, _ = sample_ellipses(
        spline_filter(draw(side, 1 / OVERSAMPLE)), side // 2, side // 2, sma,
        np.hypot(profile['e1'], profile['e2']),
        0.5 * np.arctan2(profile['e2'], profile['e1']), scale=OVERSAMPLE)
    seen = (wanted > 1e-3 * wanted[0]) & (sma < 0.43 * N_PIX)
    delta = np.abs(2.5 * np.log10(profile['intensity'] / wanted))[seen]
    return {'sersic_index': index, 'r_e': r_e, 'fwhm': fwhm, 'beta': beta,
            'axis_ratio': q,
            'flux_error': float(image.frame.sum()) / flux - 1,
            'profile_max': float(delta.max()),
            'profile_median': float(np.median(delta))}


def main(args=None):
    """
    Measure, print, and write ``--out``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=160, help='images a run')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--out', type=Path, help='a JSON file')
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    load = os.getloadavg()[0] if hasattr(os, 'getloadavg') else None
    result = {'machine': platform.processor() or platform.machine(),
              'system': platform.system(), 'cores': os.cpu_count(),
              'load': load, 'torch': torch.__version__,
              'galsim': galsim.__version__, 'seed': args.seed,
              'n_pix': 256, 'n': args.n}
    print(', '.join(f'{key} {value}' for key, value in result.items()))
    result['speed'] = []
    for survey in ('sdss', 'legacy', 'mix'):
        row = measure_speed(survey, n=args.n, repeats=args.repeats,
                            seed=args.seed)
        result['speed'].append(row)
        print(f'{survey:8s} {row["median"]:6.1f} images/s (median), '
              f'{row["best"]:6.1f} (best of {args.repeats})', flush=True)
    result['errors'] = []
    print('   n   r_e  fwhm  beta    q   flux      max   median (mag)')
    for index in INDICES:
        for shape in SHAPES:
            row = compare(index, *shape)
            result['errors'].append(row)
            print('{:4.1f}  {:4.1f}  {:4.1f}  {:4.1f}  {:3.1f}'.format(
                index, *shape), f'{row["flux_error"]:+.4f}  '
                f'{row["profile_max"]:.4f}  {row["profile_median"]:.4f}',
                flush=True)
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + '\n')


if __name__ == '__main__':
    main()
