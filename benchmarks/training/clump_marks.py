# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Prepare galaxies with known clumps for the training of clump networks.

Galaxies of the simulator, with clumps, stars and companions planted in them,
are fitted as in use, and their rings are subtracted. Kept are the maps, the
true objects, and all candidates, measured: the marks of a network and the
peaks of the filtered image.

    python -m benchmarks.training.clump_marks FOLDER --galaxies SEED:N
"""

import argparse
import functools
import warnings
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table

from astro_pix2prof import GalaxyCutout, Pix2ProfFitter, measure_detections
from astro_pix2prof.inference.clump_classes import class_features
from astro_pix2prof.inference.clump_maps import find_width, make_maps
from astro_pix2prof.inference.clumps import measure_candidates
from astro_pix2prof.networks.clumps.resampling import enlarge
from astro_pix2prof.networks.weights import load_network
from astro_pix2prof.simulation.planting import draw_sources
from astro_pix2prof.training.tasks.distortion import stretch
from benchmarks.accuracy.clumps import (
    MIN_SHARE,
    MIN_SNR,
    rendered_cases,
    simulated_cases,
)

# Galaxies with 0, 1, 2, ... clumps, and mean numbers of stars and companions:
# more than in use, so that there are more to learn from. How many there are
# in use, relative to these numbers, by kind.
_NUMBERS = (0.10, 0.22, 0.24, 0.18, 0.12, 0.08, 0.06)
_STARS, _COMPANIONS = 1.0, 0.5
IN_USE = {'nothing': 1.0, 'clump': 1.66 / 2.48, 'own': 1.0,
          'star': 0.35 / _STARS, 'companion': 0.25 / _COMPANIONS,
          'field': 1.0}
KINDS = tuple(IN_USE)

# Parts of the galaxies that are stretched as pictures, and enlarged; the
# error of the width of the PSF (in its logarithm).
_STRETCHED, _ENLARGED, _OFF_FWHM = 0.15, 0.12, 0.02

# Galaxies in a file.
_SHARD = 64


def cases(n, seed):
    """
    Plant many objects in galaxies, some of which look as pictures do.
    """
    rng = np.random.default_rng(seed)
    draw = functools.partial(draw_sources, numbers=_NUMBERS, stars=_STARS,
                             companions=_COMPANIONS)
    for cutout, options, truth, fwhm in simulated_cases(n, seed, draw=draw):
        image, mask = cutout.data, cutout.mask
        scale = 1 + rng.uniform() if rng.uniform() < _ENLARGED else 1.0
        if scale > 1:
            centre = torch.tensor([(k - 1) / 2 for k in image.shape[::-1]])
            image, good = enlarge(
                torch.tensor(image, dtype=torch.float32),
                torch.tensor(~mask), centre, scale)
            image, mask = image.numpy(), ~good.numpy()
            for name, middle in zip('xy', centre.tolist(), strict=True):
                truth[name] = (truth[name] - middle) * scale + middle
            fwhm *= scale
        if rng.uniform() < _STRETCHED:
            noise = 1.48 * np.median(np.abs(np.diff(image[~mask]))) / 2**0.5
            image = stretch(torch.tensor(
                image / noise, dtype=torch.float32),
                rng.uniform(size=4).tolist()).numpy() * noise
        pixel = cutout.pixel_scale / scale
        wrong = np.exp(_OFF_FWHM * rng.normal())
        place = ((cutout.position[0] - (image.shape[1] - 1) / 2) * scale
                 + (image.shape[1] - 1) / 2,
                 (cutout.position[1] - (image.shape[0] - 1) / 2) * scale
                 + (image.shape[0] - 1) / 2)
        yield GalaxyCutout(
            image, mask=mask, pixel_scale=pixel, zeropoint=22.5, unit='nmgy',
            position=place, psf_fwhm=fwhm * wrong * pixel), options, truth, (
                fwhm)


def prepare(network, cutout, truth, fwhm, fitter):
    """
    Fit a galaxy, and measure its candidates.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        The network whose marks are candidates.

    cutout, truth, fwhm
        See `benchmarks.accuracy.clumps.simulated_cases`.

    fitter : object
        The fitter.

    Returns
    -------
    galaxy : dict or `None`
        `None` if the image cannot be fitted.
    """
    try:
        fit = fitter.fit(cutout)
    except ValueError:
        return None
    maps = make_maps(fit, find_width(fit)[0], reach=3.0)
    if maps is None:
        return None
    rows = measure_candidates(fit, maps, network)
    share, snr = (_numbers(truth, name) for name in ('share', 'snr'))
    own = np.asarray(truth['class']) == 'clump'
    kinds = (np.asarray(truth['kind']) if 'kind' in truth.colnames
             else np.where(own, 'clump', 'star'))
    clear = (np.asarray(truth['clear']) if 'clear' in truth.colnames
             else snr > 5)
    bright = (snr > MIN_SNR) & (share > MIN_SHARE)
    kind = np.zeros(len(rows), dtype=int)
    match = np.full(len(rows), -1)
    if rows:
        found = Table({name: [row[name] for row in rows]
                       for name in ('x', 'y')})
        for i, j in measure_detections(
                found, truth, radius=fwhm, label=None).meta['pairs']:
            kind[j], match[j] = KINDS.index(kinds[i]), i
    x, y = maps.to_maps(truth['x'], truth['y'])
    sources = np.stack([
        x, y, ~own, clear, np.full(len(x), maps.fwhm),
        snr], 1)
    return {
        'channels': maps.maps.channels[0].half(), 'centre': maps.centre,
        'fwhm': maps.fwhm, 'sources': torch.tensor(
            sources, dtype=torch.float32),
        'truth': {'own': own, 'bright': bright, 'snr': snr, 'share': share,
                  'kind': kinds.tolist(),
                  'size': _numbers(truth, 'size'), 'q': _numbers(truth, 'q'),
                  'x': np.asarray(x), 'y': np.asarray(y)},
        'place': np.array([row['place'] for row in rows]).reshape(-1, 2),
        'features': np.array([class_features(row) for row in rows],
                             dtype=np.float32),
        'stamps': (torch.stack([row['stamp'] for row in rows]).half()
                   if rows else None),
        'snr': np.array([row['snr'] for row in rows]),
        'share': np.array([row['share'] for row in rows]),
        'kind': kind, 'match': match}


def _numbers(truth, name):
    """
    Take a column of the truth; 0 where it is not known.
    """
    if name not in truth.colnames:
        return np.zeros(len(truth))
    column = truth[name]
    return np.asarray(column.filled(0) if hasattr(column, 'filled')
                      else column, dtype=float)


def main(args=None):
    """
    Prepare, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--galaxies', metavar='SEED:N', default='9101:2000')
    parser.add_argument('--weights', default='clumps')
    parser.add_argument('--set', choices=('varied', 'plain', 'galsim'),
                        default='varied', help='images that are varied (for '
                        'training) or plain, or discs of GalSim (both for '
                        'validation)')
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    network, _ = load_network(args.weights)
    fitter = Pix2ProfFitter(device='cpu')
    seed, n = map(int, args.galaxies.split(':'))
    args.folder.mkdir(parents=True, exist_ok=True)
    galaxies = []
    chosen = {'varied': cases, 'plain': simulated_cases,
              'galsim': rendered_cases}[args.set]
    for k, (cutout, _, truth, fwhm) in enumerate(chosen(n, seed)):
        galaxy = prepare(network, cutout, truth, fwhm, fitter)
        if galaxy is not None:
            galaxies.append(galaxy)
        if len(galaxies) == _SHARD or (k + 1 == n and galaxies):
            torch.save(galaxies, args.folder / f'{seed}_{k:05d}.pt')
            galaxies = []
            print(seed, k + 1, flush=True)


if __name__ == '__main__':
    main()
