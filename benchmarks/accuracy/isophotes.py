# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Accuracy of IsophoteFitter on GalSim galaxies with known profiles.

Beside it, on the same images: `photutils.isophote.Ellipse` called as its
tutorial does (first geometry at the frame's centre), and the oracle, the
masked means along the true ellipses with IsophoteFitter's sky and mask.

    python -m benchmarks.render.galaxies --n 200 --seed 2026 --out DIR
    python -m benchmarks.accuracy.isophotes DIR --out isophote_accuracy
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import platform
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import astropy
import numpy as np
import photutils
from astropy.io import fits
from photutils.isophote import Ellipse, EllipseGeometry

from astro_pix2prof import IsophoteFitter
from astro_pix2prof.ellipses.annuli import measure_rings

MU_LIMIT = 26.5
METHODS = ('IsophoteFitter', 'photutils tutorial', 'oracle')


def delta_mu(measured, true):
    """
    Magnitude difference; NaN where there is no measurement.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        d = -2.5 * np.log10(measured / true)
    return np.where(np.isfinite(d), d, np.nan)


def photutils_tutorial(data):
    """
    The call of photutils' own tutorial, with a guess at the centre.
    """
    ny, nx = data.shape
    geometry = EllipseGeometry((nx - 1) / 2, (ny - 1) / 2, 20, 0.3, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            found = Ellipse(data, geometry=geometry).fit_image()
        except Exception:  # its failures are part of what is measured
            return np.array([0.0]), np.array([np.nan])
    if len(found) < 2:
        return np.array([0.0]), np.array([np.nan])
    return np.asarray(found.sma), np.asarray(found.intens)


def measure_file(path):
    """
    All methods on one file: a dict of plain values and arrays.
    """
    with fits.open(path) as hdus:
        header, data = hdus[0].header, hdus[0].data.astype(float)
        true = hdus['TRUTH'].data
    sma, intensity = true['sma'], true['intensity']
    area = 3600**2 * abs(header['CDELT1'] * header['CDELT2'])
    with np.errstate(invalid='ignore'):
        mu = 22.5 - 2.5 * np.log10(intensity / area)
        snr = intensity / true['ring_noise']
    bright = mu < MU_LIMIT
    to_one = np.cumsum(~(snr > 1)) == 0
    start = time.perf_counter()
    fit = IsophoteFitter().fit(path)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    sma_p, int_p = photutils_tutorial(data)
    seconds_p = time.perf_counter() - start
    level = np.interp(sma, fit.sma, fit.intensity, right=np.nan)
    error = np.interp(sma, fit.sma,
                      fit.profile['intensity_err'].value * area,
                      right=np.nan)
    rings = measure_rings(data - fit.sky, ~fit.mask,
                          (header['XTRUE'], header['YTRUE']), sma,
                          true['ellipticity'], np.radians(true['theta']),
                          sigma=header['SKYNOISE'])
    result = {'file': path.name, 'type': header['G_TYPE'],
              'case': header['CASE'], 'mu': mu, 'bright': bright,
              'to_one': to_one, 'pull': (level - intensity) / error,
              'photon': 1.0857 / snr, 'flag': fit.profile.meta['flag'],
              'ellipticity': true['ellipticity'],
              'seconds': {'IsophoteFitter': seconds,
                          'photutils tutorial': seconds_p}}
    result['dmu'] = {
        'IsophoteFitter': delta_mu(level, intensity),
        'photutils tutorial': delta_mu(
            np.interp(sma, sma_p, int_p, right=np.nan), intensity),
        'oracle': delta_mu(rings.mean, intensity)}
    result['offset'] = float(np.hypot(fit.centre[0] - header['XTRUE'],
                                      fit.centre[1] - header['YTRUE']))
    return result


def median_error(result, method, rows):
    """
    Median absolute error over the rows; a missing one counts 1 mag.
    """
    d = np.abs(result['dmu'][method][result[rows]])
    return float(np.median(np.where(np.isfinite(d), d, 1.0)))


def summarise(results):
    """
    The figures of all files, as a nested dict.
    """
    out = {}
    for method in METHODS:
        row = {}
        for rows in ('bright', 'to_one'):
            # (one galaxy in a hundred has no ring of such a ratio)
            row[rows] = float(np.nanmedian([median_error(r, method, rows)
                                            for r in results]))
        row['complete'] = float(np.mean([
            np.isfinite(r['dmu'][method][r['bright']]).mean() >= 0.8
            for r in results]))
        times = [r['seconds'][method] for r in results
                 if method in r['seconds']]
        if times:
            row['seconds'] = float(np.median(times))
            row['seconds_p95'] = float(np.quantile(times, 0.95))
        row['by'] = {}
        for key in ('type', 'case'):
            for name in sorted({r[key] for r in results}):
                part = [r for r in results if r[key] == name]
                row['by'][name] = (len(part), float(np.median([
                    median_error(r, method, 'bright') for r in part])))
        out[method] = row
    pull = np.concatenate([r['pull'][r['to_one']] for r in results])
    mu = np.concatenate([r['mu'][r['to_one']] for r in results])
    d = np.concatenate([r['dmu']['IsophoteFitter'][r['to_one']]
                        for r in results])
    photon = np.concatenate([r['photon'][r['to_one']] for r in results])
    ok = np.isfinite(pull)
    out['one_sigma_holds'] = float((np.abs(pull[ok]) < 1).mean())
    out['by_mu'] = {}
    for low in range(17, 27):
        part = ok & (mu >= low) & (mu < low + 1)
        if part.sum() > 30:
            out['by_mu'][low] = {
                'n': int(part.sum()),
                'bias': float(np.nanmedian(d[part])),
                'median': float(np.nanmedian(np.abs(d[part]))),
                'over_photon_limit': float(np.nanmedian(
                    np.abs(d[part]) / photon[part])),
                'one_sigma_holds': float((np.abs(pull[part]) < 1).mean())}
    out['centre_offset_px'] = [float(np.quantile(
        [r['offset'] for r in results], q)) for q in (0.5, 0.95)]
    return out


def report(out, n):
    """
    The figures as lines of text.
    """
    lines = [f'{n} galaxies',
             f'{"method":20s} {"mu<26.5":>8s} {"S/N>1":>8s} '
             f'{"complete":>9s} {"s":>6s} {"p95":>6s}']
    for method in METHODS:
        row = out[method]
        lines.append(
            f'{method:20s} {row["bright"]:8.4f} {row["to_one"]:8.4f} '
            f'{row["complete"]:9.3f} {row.get("seconds", np.nan):6.2f} '
            f'{row.get("seconds_p95", np.nan):6.2f}')
    lines.append('by type and case: ' + ', '.join(
        f'{k} ({v[0]}) {v[1]:.3f}'
        for k, v in out['IsophoteFitter']['by'].items()))
    lines.append(f'1 sigma holds: {out["one_sigma_holds"]:.3f}')
    lines += [f'mu {low}-{low + 1}: bias {v["bias"]:+.3f} median '
              f'{v["median"]:.3f} = {v["over_photon_limit"]:.2f} photon '
              f'limits, 1 sigma holds {v["one_sigma_holds"]:.2f}'
              for low, v in out['by_mu'].items()]
    lines.append('centre offset, median and p95: {:.2f} {:.2f} px'.format(
        *out['centre_offset_px']))
    return '\n'.join(lines)


def main(args=None):
    """
    Measure all files of a folder.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--out', type=Path, help='write OUT.json')
    args = parser.parse_args(args)
    files = sorted(args.folder.glob('*.fits'))
    with ProcessPoolExecutor(args.workers) as pool:
        results = list(pool.map(measure_file, files))
    out = summarise(results)
    out['environment'] = {
        'python': platform.python_version(), 'machine': platform.machine(),
        'workers': args.workers, 'astropy': astropy.__version__,
        'photutils': photutils.__version__, 'numpy': np.__version__}
    print(report(out, len(results)))
    if args.out:
        args.out.with_suffix('.json').write_text(
            json.dumps(out, indent=1) + '\n')


if __name__ == '__main__':
    main()
