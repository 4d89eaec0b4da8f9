# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Isophote fits with and without a network's geometry to begin with.

Both measure the same images, one after the other, on one core. The images
are those of ``benchmarks.render.bands`` or ``benchmarks.render.galaxies``.
The time of the hybrid holds that of the network; it is also given apart.

    python -m benchmarks.render.bands --n 20 --seed 300 --out DIR
    python -m benchmarks.accuracy.hybrid DIR --weights captioner \
        --out hybrid.ecsv
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from astro_pix2prof import GalaxyCutout, IsophoteFitter, Pix2ProfFitter
from benchmarks.accuracy.isophotes import MU_LIMIT, delta_mu, median_error

METHODS = ('isophotes', 'hybrid')


class Timed:
    """
    A fitter that tells how long it took, or a failing one.
    """

    def __init__(self, fitter):
        self.fitter = fitter
        self.seconds = 0.0

    def fit(self, image):
        """
        Fit and measure the time.
        """
        start = time.perf_counter()
        try:
            return self.fitter.fit(image)
        finally:
            self.seconds = time.perf_counter() - start


def measure_file(path, network):
    """
    Both methods on one file: one row of the table.
    """
    with fits.open(path) as hdus:
        header, true = hdus[0].header, hdus['TRUTH'].data
    sma, intensity = true['sma'], true['intensity']
    cutout = GalaxyCutout(path)
    with np.errstate(invalid='ignore'):
        mu = 22.5 - 2.5 * np.log10(intensity / cutout.pixel_scale**2)
        snr = intensity / true['ring_noise']
    rows = {'bright': mu < MU_LIMIT, 'to_one': np.cumsum(~(snr > 1)) == 0}
    network = Timed(network)
    result = {'file': path.name, 'case': header.get('CASE', ''),
              'type': header.get('G_TYPE', '')}
    for method, initial in zip(METHODS, (None, network), strict=True):
        with warnings.catch_warnings():
            # The flag NO_INITIAL says so as well.
            warnings.simplefilter('ignore')
            start = time.perf_counter()
            fit = IsophoteFitter(initial=initial).fit(cutout)
            seconds = time.perf_counter() - start
        level = np.interp(sma, fit.sma, fit.intensity, right=np.nan)
        errors = {'dmu': {method: delta_mu(level, intensity)}, **rows}
        found = np.isfinite(errors['dmu'][method][rows['bright']])
        result |= {
            f'{method}_success': bool(found.mean() >= 0.8),
            f'{method}_bright': median_error(errors, method, 'bright'),
            f'{method}_to_one': median_error(errors, method, 'to_one'),
            f'{method}_seconds': seconds,
            f'{method}_fits': fit.n_fits,
            f'{method}_masked': float(fit.mask.mean()),
            f'{method}_offset': float(np.hypot(
                fit.centre[0] - header['XTRUE'],
                fit.centre[1] - header['YTRUE'])),
            f'{method}_flag': fit.profile.meta['flag']}
    return {**result, 'network_seconds': network.seconds}


def report(table):
    """
    The figures of all files as lines of text.
    """
    lines = [f'{len(table)} images; medians over them',
             f'{"":10s} {"success":>8s} {"mu<26.5":>8s} {"S/N>1":>8s} '
             f'{"time/s":>8s} {"fits":>6s} {"offset/px":>10s}']
    for method in METHODS:
        column = {name: np.asarray(table[f'{method}_{name}'], dtype=float)
                  for name in ('success', 'bright', 'to_one', 'seconds',
                               'fits', 'offset')}
        lines.append(
            f'{method:10s} {column["success"].mean():8.3f} '
            f'{np.median(column["bright"]):8.4f} '
            f'{np.median(column["to_one"]):8.4f} '
            f'{np.median(column["seconds"]):8.2f} '
            f'{column["fits"].mean():6.2f} '
            f'{np.median(column["offset"]):10.2f}')
    better = table['hybrid_bright'] < table['isophotes_bright']
    lines.append(f'hybrid closer in {better.mean():.2f} of the images; '
                 'network alone '
                 f'{np.median(table["network_seconds"]):.2f} s; fits are '
                 'the mean number per image')
    return '\n'.join(lines)


def main(args=None):
    """
    Measure the images of a folder.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--weights', default='captioner')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--pattern', default='*.fits')
    parser.add_argument('--limit', type=int, help='measure the first images')
    parser.add_argument('--out', type=Path, help='write this ECSV file')
    args = parser.parse_args(args)
    network = Pix2ProfFitter(args.weights, device=args.device)
    files = sorted(args.folder.glob(args.pattern))[:args.limit]
    if not files:
        parser.error(f'no {args.pattern} in {args.folder}')
    network.fit(files[0])    # the first call is slower than all others
    rows = []
    for path in files:
        rows.append(measure_file(path, network))
        print(path.name, *(f'{name} {rows[-1][f"{name}_bright"]:.3f} mag '
                           f'{rows[-1][f"{name}_seconds"]:.1f} s '
                           f'{rows[-1][f"{name}_fits"]} fits'
                           for name in METHODS), sep='  ', flush=True)
    table = Table(rows)
    table.meta['weights'] = args.weights
    table.meta['sha256'] = network.card['sha256']
    print(report(table))
    if args.out:
        table.write(args.out, format='ascii.ecsv', overwrite=True)


if __name__ == '__main__':
    main()
