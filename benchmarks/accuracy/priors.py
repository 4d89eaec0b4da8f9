# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compare the errors that the sky has with those that its measurement states.

The sky of images whose sky is known is measured as
`~astro_pix2prof.Pix2ProfFitter` does it, and compared with the true one.
Training images follow a law for both (see
`astro_pix2prof.simulation.sky.subtract_prior`), which is shown beside the
measurement on the same training images, before it was applied, and on GalSim
images that were rendered to calibrate errors.

    python -m benchmarks.accuracy.priors --simulated 200
    python -m benchmarks.accuracy.priors --folders build/validation/*
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits

from astro_pix2prof.background.tilt import measure_sky_or_tilt
from astro_pix2prof.simulation import GalaxySimulator

SIDES = 64, 128, 256
SEARCH = 25.0
QUANTILES = 0.05, 0.16, 0.5, 0.84, 0.95
# Bins of what a galaxy leaves at the faintest seventh of its frame, in units
# of the noise of a pixel.
EDGES = 0.0, 0.003, 0.03, 0.1, 0.3, 1.0, np.inf


def compare_sky(image, bad, light, own, sky):
    """
    Measure the sky of an image, and how wrong that is.

    Parameters
    ----------
    image, light, own, sky : 2D `~numpy.ndarray`
        The image, the light of all objects and of the galaxy, and the sky
        (with the noise, if it is not known apart), in units of the noise.

    bad : 2D bool `~numpy.ndarray`
        Pixels to leave out.

    Returns
    -------
    tail, error, wrong : float
        The galaxy's light at the faintest pixels, the stated error, and the
        true sky beyond that measured.
    """
    middle = tuple(0.5 * (n - 1) for n in image.shape[::-1])
    found = measure_sky_or_tilt(np.where(bad, 0.0, image), bad, middle,
                                search=SEARCH)
    weight = np.where(bad, 0.0, 1 / (1 + (3 * light)**2))
    true = (weight * np.where(bad, 0.0, sky)).sum() / weight.sum()
    faint = np.sort(own[1::3, 1::3].ravel())
    tail = max(faint[max(1, faint.size // 7) - 1], 0.0)
    return tail, found.error, true - found.level


def simulated(n, seed):
    """
    Compare the sky of training images.

    Returns
    -------
    measured, drawn : 2D `~numpy.ndarray`, shape (n, 3)
        See `compare_sky`: as measured, and as the law draws it.
    """
    measured, drawn = [], []
    for side in SIDES:
        made = GalaxySimulator('mix', n_pix=side, wobble=0.03).simulate(
            n, seed=seed + side)
        for k in range(n):
            image, sky, own, others = (
                (part[k] / made.sigma[k]).double().numpy() for part in (
                    made.image, made.sky, made.clean, made.contamination))
            light = own + others
            tail, error, wrong = compare_sky(
                image, made.mask[k].numpy(), light, own, sky)
            measured.append((tail, error, wrong))
            weight = 1 / (1 + (3 * light)**2)
            drawn.append((tail, float(made.sky_prior_error[k]
                                      / made.sigma[k]),
                          (weight * sky).sum() / weight.sum()))
    return np.array(measured), np.array(drawn)


def rendered(folder):
    """
    Compare the sky of the GalSim images of a folder, if it can be known.

    Returns
    -------
    measured : 2D `~numpy.ndarray`, shape (n, 3)
    """
    out = []
    for path in sorted(Path(folder).glob('*.fits')):
        with fits.open(path) as hdus:
            if 'GALAXY' not in hdus:
                continue
            noise = hdus[0].header['SKYNOISE']
            image, own, others = (np.asarray(hdus[name].data, float) / noise
                                  for name in (0, 'GALAXY', 'OTHERS'))
        light = own + others
        out.append(compare_sky(image, ~np.isfinite(image), light, own,
                               image - light))
    return np.array(out).reshape(-1, 3)


def print_rows(name, rows):
    """
    Print quantiles of stated errors and of deviations in units of them.
    """
    print(f'{name}: {len(rows)} images; quantiles',
          *QUANTILES)
    tail = rows[:, 0]
    for low, high in pairwise(EDGES):
        part = rows[(tail >= low) & (tail < high)]
        if len(part) < 10:
            continue
        print(f'  light left {low:g} to {high:g} ({len(part)})')
        for label, value in (('stated', part[:, 1]),
                             ('pull', part[:, 2] / part[:, 1])):
            print(f'    {label:8}', *(f'{v:8.3f}' for v in np.quantile(
                value, QUANTILES)))


def main():
    """
    Compare, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--simulated', type=int, default=0,
                        help='training images of each side')
    parser.add_argument('--folders', nargs='*', default=[],
                        help='folders of GalSim images')
    parser.add_argument('--seed', type=int, default=7600)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.simulated:
        measured, drawn = simulated(args.simulated, args.seed)
        print_rows('Training images, as measured', measured)
        print_rows('Training images, as the law draws it', drawn)
    for folder in args.folders:
        rows = rendered(folder)
        if len(rows):
            print_rows(str(folder), rows)


if __name__ == '__main__':
    main()
