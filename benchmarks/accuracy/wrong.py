# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Count how often a profile with each flag is wrong, on simulated galaxies.

Galaxies among stars and other galaxies, of the training simulator with seeds
of its own, and a share of images that are spoilt or show no galaxy
(``benchmarks.accuracy.trust``), are measured with both fitters. A profile is
wrong if half of its rings are off by more than 0.2 mag, or if there is no
galaxy to measure. One row a galaxy is kept in wrong.ecsv: the flags, the
error of the profile, that which it states, and whether it is wrong.

    python -m benchmarks.accuracy.wrong --n 600 --isophotes 100
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import spline_filter

from astro_pix2prof import (
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    ProfileBatch,
)
from astro_pix2prof.review.doubts import stated_errors
from astro_pix2prof.simulation import GalaxySimulator
from benchmarks.accuracy import trust
from benchmarks.render.galaxies import SURVEYS, render
from benchmarks.render.truth import sample_ellipses

# of images of the training simulator, and of spoilt ones
SEED, SEED_SPOILT = 77_000_000, 7700
# Half of the rings of a profile that is wrong are off by more (mag).
TOLERANCE = 0.2
# Rings count down to this signal-to-noise ratio of a ring one pixel wide.
MIN_SNR = 3.0
# One image of so many is spoilt, of the kinds in turn.
EVERY = 10
BLOCK = 100
PIXEL = 0.396
# Images without a galaxy: any profile is wrong.
EMPTY = ('star', 'blank')
HERE = Path(__file__).resolve().parent


def make_images(n):
    """
    Yield images, what is known of each, and the options of the fitter.
    """
    kinds = [kind for kind in trust.KINDS if kind is not trust.plain]
    for number in range(n):
        k = number % BLOCK
        if k == 0:
            galaxies = GalaxySimulator(
                'mix', n_pix=256, clutter=True).simulate(BLOCK,
                                                         seed=SEED + number)
        if number % EVERY == EVERY - 1:
            turn = number // EVERY
            kind = kinds[turn % len(kinds)]
            seed = SEED_SPOILT * 100_000 + turn
            rng = np.random.default_rng([SEED_SPOILT, turn])
            yield kind(rng, seed), spoilt_truth(kind.__name__, seed), {}
            continue
        yield (galaxies.image[k].numpy(), {
            'kind': 'galaxy', 'sma': galaxies.sma.numpy(),
            'intensity': galaxies.intensity[k].numpy(),
            'noise': galaxies.ring_noise[k].numpy(),
            'fwhm': float(galaxies.fwhm[k])},
            {'mask': galaxies.mask[k].numpy()})


def spoilt_truth(kind, seed):
    """
    Average the light of the galaxy in an image that was spoilt.
    """
    if kind in EMPTY:
        return {'kind': kind}
    hdus = render(seed, survey='sdss-r', case='plain', keep_galaxy=True)
    header, truth = hdus[0].header, hdus['TRUTH'].data
    sma, eps, theta = (np.asarray(truth[name], dtype=float) for name in (
        'sma', 'ellipticity', 'theta'))
    light, _ = sample_ellipses(
        spline_filter(hdus['GALAXY'].data.astype(float)), header['XTRUE'],
        header['YTRUE'], sma, eps, np.radians(theta))
    pixel, fwhm, _, _ = SURVEYS['sdss-r']
    area = 2 * np.pi * np.maximum(sma, 0.5) * np.sqrt(1 - eps)
    return {'kind': kind, 'sma': sma, 'intensity': light,
            'noise': header['SKYNOISE'] / np.sqrt(area),
            'fwhm': fwhm / pixel}


def true_error(profile, truth):
    """
    Measure the median error of the rings (mag); infinite without a galaxy.

    Rings count from one FWHM outwards to where the galaxy fades.
    """
    if truth['kind'] in EMPTY:
        return np.inf
    true, sma = truth['intensity'], truth['sma']
    use = ((true > MIN_SNR * truth['noise']) & (sma > truth['fwhm'])
           & (true > 0))
    if use.sum() < 2:
        return np.nan
    radius = profile['radius'].value / PIXEL
    good = np.isfinite(profile['intensity'].value)
    if good.sum() < 2:
        return np.inf
    found = np.interp(sma[use], radius[good],
                      profile['intensity'].value[good]) * PIXEL**2
    off = np.full(use.sum(), np.inf)
    off[found > 0] = np.abs(2.5 * np.log10(
        found[found > 0] / true[use][found > 0]))
    return float(np.median(off))


def measure(fitter, n):
    """
    Measure images and tell how far the profiles are off.

    Yields
    ------
    row : tuple
        The fitter, the kind of the image, the flags, the error that the
        profile states and the one that it has (mag).
    """
    for image, truth, options in make_images(n):
        start = type(fitter).__name__, truth['kind']
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', AstropyUserWarning)
                profile = fitter(image, zeropoint=22.5, pixel_scale=PIXEL,
                                 **options)
        except (ValueError, RuntimeError):
            yield *start, int(GalaxyFlag.FAILED), np.nan, np.inf
            continue
        stated, = stated_errors(ProfileBatch.from_profiles([profile]))
        yield (*start, profile.meta['flag'], float(f'{stated:.4g}'),
               float(f'{true_error(profile, truth):.4g}'))


def main(args=None):
    """
    Measure, and write the table.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=600)
    parser.add_argument('--isophotes', type=int, default=100)
    parser.add_argument('--out', type=Path, default=HERE / 'wrong.ecsv')
    args = parser.parse_args(args)
    rows = []
    for fitter, n in ((Pix2ProfFitter(device='cpu'), args.n),
                      (IsophoteFitter(), args.isophotes)):
        for row in measure(fitter, n):
            rows.append(row)
            if len(rows) % 20 == 0:
                write(rows, args.out)
    write(rows, args.out)


def write(rows, path):
    """
    Write the table, so far.
    """
    Table(rows=rows, names=('fitter', 'kind', 'flag', 'stated', 'error')
          ).write(path, overwrite=True)


if __name__ == '__main__':
    main()
