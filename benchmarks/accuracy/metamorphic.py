# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
How much a profile changes when the image changes in a way that means nothing.

Galaxies with Sersic profiles are changed in their unit, sky, orientation,
frame and mask, and measured again. Changes are in units of the error that is
stated for the ring.

    python -m benchmarks.accuracy.metamorphic --n 100 --out FILE.json
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from astropy.modeling.models import Sersic2D
from scipy.ndimage import gaussian_filter

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter
from benchmarks.tables import (
    describe_environment,
    describe_weights,
    list_table,
    plain,
)

HERE = Path(__file__).resolve().parent
# The side of the frames (pixels), the noise of a pixel, the standard
# deviation of the PSF (pixels).
N_PIX, SIGMA, BLUR = 256, 0.03, 1.3
# Pixels that a crop takes from each side, and that a frame adds.
CROP, FRAME = 28, 40
# Changes that must change nothing but the last digits.
EXACT = ('times 1e-12', 'times 1e12', 'other unit', 'batch', 'two threads')
CALIBRATION = {'zeropoint': 22.5, 'pixel_scale': 0.4}


def draw(rng):
    """
    An image of a galaxy with noise, and the galaxy's centre (x, y).
    """
    x, y = (N_PIX - 1) / 2 + rng.uniform(-6, 6, 2)
    n, r_e = rng.uniform(0.7, 4.0), np.exp(rng.uniform(np.log(4),
                                                      np.log(30)))
    model = Sersic2D(
        amplitude=SIGMA * np.exp(rng.uniform(np.log(1), np.log(30))),
        r_eff=r_e, n=n, x_0=x, y_0=y, ellip=rng.uniform(0, 0.7),
        theta=rng.uniform(0, np.pi))
    # (nine points a pixel: the centre of a cuspy galaxy is steep)
    at = (np.arange(3 * N_PIX) - 1) / 3
    fine = model(at[None, :], at[:, None])
    image = fine.reshape(N_PIX, 3, N_PIX, 3).mean((1, 3))
    image = gaussian_filter(image, BLUR)
    return image + rng.normal(0, SIGMA, image.shape), (x, y)


def changes(image, rng):
    """
    Changed images: name, image, options, factor, and margin.

    The factor is that of the fluxes; rings that reach into the margin of
    the first image do not count.
    """
    def framed(value):
        return np.pad(image, FRAME, constant_values=value)

    noise = framed(0.0)
    edge = np.pad(np.zeros(image.shape, bool), FRAME, constant_values=True)
    noise[edge] = rng.normal(0, SIGMA, edge.sum())
    moved = np.roll(image, 1, axis=1)
    corner = np.zeros(image.shape, bool)
    corner[:48, :48] = True
    crop = np.s_[CROP:-CROP, CROP:-CROP]
    yield 'times 1e-12', 1e-12 * image, {'zeropoint': -7.5}, 1e-12, 0
    yield 'times 1e12', 1e12 * image, {'zeropoint': 52.5}, 1e12, 0
    yield 'other unit', 3.631 * image, {
        'zeropoint': None, 'unit': 'uJy'}, 3.631, 0
    for sky in (-5, 2, 1000):
        yield f'sky of {sky} sigma', image + sky * SIGMA, {}, 1, 0
    yield 'mirrored', image[:, ::-1], {}, 1, 0
    yield 'quarter turn', np.rot90(image), {}, 1, 0
    yield f'crop by {CROP} px', image[crop], {}, 1, CROP
    yield 'frame of noise', noise, {}, 1, 0
    yield 'frame of NaN', framed(np.nan), {}, 1, 0
    yield 'frame of zeros', framed(0.0), {}, 1, 0
    yield 'shift by a pixel', moved, {}, 1, 2
    yield 'mask of empty sky', image, {'mask': corner}, 1, 0
    yield 'noise of 1e-7', image * (1 + 1e-7 * rng.normal(
        size=image.shape)), {}, 1, 0


def difference(first, second, centre, factor, margin):
    """
    Changes of the intensities of rings in units of their error.

    Parameters
    ----------
    first, second : `~astropy.table.QTable`
        The profiles.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy.

    factor : float
        That of the fluxes.

    margin : float
        Rings that reach so far into the frame (pixels) are left out.

    Returns
    -------
    change : 1D `~numpy.ndarray`
        For the rings of the first profile that lie in the frame and have a
        signal-to-noise ratio of 1 or more.
    """
    radius, value, error = (np.asarray(first[name].value, dtype=float)
                            for name in ('radius', 'intensity',
                                         'intensity_err'))
    edge = min(*centre, *(N_PIX - 1 - c for c in centre)) - margin
    keep = (value > error) & (radius < CALIBRATION['pixel_scale'] * edge)
    at = second['radius'].value
    other = np.asarray(second['intensity'].value, dtype=float) / factor
    found = np.interp(radius, at, other, right=np.nan)
    change = np.abs(found - value) / error
    return change[keep & np.isfinite(change)]


def measure(name, fitter, n, seed):
    """
    All changes of all galaxies by a fitter.

    Returns
    -------
    rows : list of dict
        For each change the median and the largest change of a ring in
        units of its error, and the number of galaxies that failed.
    """
    found, failed, images, first = {}, {}, [], []
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        image, centre = draw(rng)
        one = fitter(image, **CALIBRATION)
        images.append(image)
        first.append((one, centre))
        for what, other, options, factor, margin in changes(image, rng):
            options = {key: value for key, value in {
                **CALIBRATION, **options}.items() if value is not None}
            try:
                two = fitter(other, **options)
            except Exception as error:  # one galaxy stops no table
                print(f'{name}, galaxy {k}, {what}: {error}')
                failed[what] = failed.get(what, 0) + 1
                continue
            found.setdefault(what, []).append(
                difference(one, two, centre, factor, margin))
    if hasattr(fitter, 'network'):
        profiles = [profile for batch in fitter.fit_many(
            images, **CALIBRATION) for profile in batch]
        found['batch'] = [difference(one, two, centre, 1, 0) for (
            one, centre), two in zip(first, profiles, strict=True)]
        threads = torch.get_num_threads()
        torch.set_num_threads(3 - min(threads, 2))
        found['two threads'] = [
            difference(one, fitter(image, **CALIBRATION), centre, 1, 0)
            for image, (one, centre) in zip(images, first, strict=True)]
        torch.set_num_threads(threads)
    rows = []
    for what, parts in found.items():
        values = np.concatenate(parts)
        worst = [part.max() for part in parts if part.size]
        rows.append({
            'fitter': name, 'change': what, 'exact': what in EXACT,
            'median': plain(float(np.median(values))),
            'p95': plain(float(np.quantile(worst, 0.95))),
            'largest': plain(float(np.max(worst))),
            'failed': failed.get(what, 0)})
        print('{fitter:9} {change:20} median {median:10.2g} p95 of largest '
              '{p95:10.2g} largest {largest:10.2g}'.format(**rows[-1]),
              flush=True)
    return rows


def make_table(out):
    """
    The figures as a part of a page of the documentation.
    """
    heading = ['Fitter', 'Change', 'Median', '95% of galaxies', 'Largest']
    rows = [[row['fitter'], row['change'], *(
        f'{row[key]:.2g}' for key in ('median', 'p95', 'largest'))]
        for row in out['rows']]
    return '\n'.join([
        '.. Written by benchmarks/accuracy/metamorphic.py; not to be edited.',
        '', *list_table(heading, rows)]).rstrip() + '\n'


def main(args=None):
    """
    Print the table, and write it.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=100)
    parser.add_argument('--seed', type=int, default=9400)
    parser.add_argument('--weights', default='rings')
    parser.add_argument('--isophotes', action='store_true',
                        help='measure with IsophoteFitter, too (slow)')
    parser.add_argument('--out', type=Path, metavar='FILE.json',
                        default=HERE / 'metamorphic.json')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    network = Pix2ProfFitter(args.weights, device='cpu')
    rows = measure('network', network, args.n, args.seed)
    if args.isophotes:
        rows += measure('isophotes', IsophoteFitter(), args.n, args.seed)
    out = {'n': args.n, 'seed': args.seed,
           'weights': describe_weights(network),
           'environment': describe_environment(), 'rows': rows}
    args.out.write_text(json.dumps(out, indent=1) + '\n', encoding='utf-8')
    if args.table:
        args.table.write_text(make_table(out), encoding='utf-8')


if __name__ == '__main__':
    main()
