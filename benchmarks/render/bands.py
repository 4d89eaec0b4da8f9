# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Render galaxies with known profiles in the SDSS bands g, r and i.

The test set of Smith et al. (2021) was 100 galaxies in three bands. Here,
too, a galaxy keeps its structure, orientation and position, and its stars
and neighbours, while its components have colours of their own: bulges
are redder than discs, arms and knots are bluer. Every band has its own
seeing, noise and sky. The layout of the files is that of
``benchmarks.render.galaxies``.

    python -m benchmarks.render.bands --n 100 --seed 300 --out DIR
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.render.galaxies import SURVEYS, draw_psf, render

BANDS = ('g', 'r', 'i')
# Mean g-r, its scatter, and r-i of the largest component, the disc if
# there is one (nearby galaxies in SDSS; dust reddens edge-on discs).
COLOURS = {'spiral': (0.50, 0.09, 0.24), 'barred': (0.54, 0.09, 0.26),
           's0': (0.71, 0.05, 0.36), 'elliptical': (0.76, 0.04, 0.39),
           'dwarf': (0.42, 0.11, 0.17), 'edge-on': (0.62, 0.10, 0.32)}
# The other components' g-r and r-i relative to those: bulges and bars are
# as red as ellipticals, whatever the disc.
RED = (0.76, 0.39)
BLUER = {'arms': (-0.12, -0.07), 'knots': (-0.45, -0.30),
         'nucleus': (0.08, 0.04)}


class Band:
    """
    How a scene that was drawn in the r band looks in a band.

    Parameters
    ----------
    seed : int
        The seed of the scene.

    name : {'g', 'r', 'i'}
        The band.
    """

    def __init__(self, seed, name):
        self.name = name
        self.survey = f'sdss-{name}'
        # The colours are the galaxy's own, the noise is the band's.
        self._colour_rng = np.random.default_rng([seed, 20210102])
        self._noise_rng = np.random.default_rng(
            [seed, 20210103, BANDS.index(name)])

    def _factor(self, colour):
        """
        Flux relative to the r band, from g-r and r-i.
        """
        g_r, r_i = colour
        return 10**(0.4 * {'g': -g_r, 'r': 0.0, 'i': r_i}[self.name])

    def tint(self, kind):
        """
        Factors of the components of a galaxy of a type.
        """
        rng = self._colour_rng
        mean, scatter, r_i = COLOURS[kind]
        shift = np.clip(rng.normal(), -2.5, 2.5) * scatter
        main = np.array([mean + shift, r_i + 0.55 * shift])
        # a tenth of the bulges is young
        old = np.array(RED) + rng.normal(0, 0.03)
        bulge = main if rng.random() < 0.1 else np.maximum(old, main)
        bar = 0.5 * (main + bulge)
        colours = {'body': main, 'disc': main, 'bulge': bulge, 'bar': bar}
        colours |= {name: main + offset for name, offset in BLUER.items()}
        return {name: self._factor(c) for name, c in colours.items()}

    def tint_contaminants(self, contaminants):
        """
        The contaminants with their magnitudes in the band.
        """
        rng = self._colour_rng
        out = []
        for obj, mag, x, y in contaminants:
            red, a, b = rng.random(), rng.normal(), rng.random()
            if obj is not None:
                g_r = np.clip(0.75 + 0.28 * a, 0.1, 1.6)
                r_i = 0.08 + 0.42 * g_r
            elif red < 0.55:
                # M and late K dwarfs: the stellar locus turns in r-i
                g_r, r_i = 1.38 + 0.06 * a, 0.5 + 1.1 * b
            else:
                g_r = np.clip(0.5 + 0.17 * a, 0.1, 1.2)
                r_i = 0.38 * g_r - 0.01
            factor = self._factor((g_r, r_i))
            out.append((obj, mag - 2.5 * np.log10(factor), x, y))
        return out

    def observe(self, seeing):
        """
        Random numbers, FWHM, noise and PSF of the band.

        SDSS scans the bands within minutes: they share most of the
        seeing, which is given relative to the survey's median.
        """
        rng = self._noise_rng
        _, fwhm, _, sigma = SURVEYS[self.survey]
        fwhm *= seeing * rng.lognormal(0, 0.05)
        sigma *= rng.uniform(0.85, 1.2)
        return rng, fwhm, sigma, draw_psf(rng, fwhm)


def main(args=None):
    """
    Write ``--n`` galaxies in three bands to ``--out``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=100, help='galaxies')
    parser.add_argument('--seed', type=int, default=300)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(args)
    args.out.mkdir(parents=True, exist_ok=True)
    for k in range(args.n):
        seed = args.seed * 100_000 + k
        for name in BANDS:
            path = args.out / f'galaxy_{k:04d}_{name}.fits'
            if path.exists():
                continue
            # a file that is there is whole
            part = path.with_suffix('.part')
            render(seed, survey='sdss-r', band=Band(seed, name)).writeto(
                part, overwrite=True)
            part.replace(path)


if __name__ == '__main__':
    main()
