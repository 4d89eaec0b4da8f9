# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Stated errors of ellipses and structural parameters, held against the truth.

Galaxies are rendered with GalSim as two surveys see them, with stars,
neighbours and a residual sky, and measured by both fitters. A pull is the
deviation from the truth in units of the stated error; half the range of the
inner 68% of the pulls is 1 if errors hold.

    python -m benchmarks.accuracy.stated --n 60 --seed 7315 --table

The figures are written to stated.json, and with ``--table`` the table of the
documentation.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.interpolate import PchipInterpolator

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter, measure_structure
from astro_pix2prof.profile.brightness import light_within
from benchmarks.accuracy.pulls import LEAST_FLAT, width
from benchmarks.render.galaxies import render
from benchmarks.tables import (
    describe_environment,
    list_table,
    text,
    to_json,
)

HERE = Path(__file__).resolve().parent
SURVEYS = 'sdss-r', 'hsc-i'
FITTERS = 'network', 'isophotes'
NAMES = {
    'ellipticity_50': 'ellipticity at R50', 'pa_50': 'angle at R50',
    'ellipticity_out': 'ellipticity at R90', 'pa_out': 'angle at R90',
    'mag_total': 'total magnitude', 'r20': 'R20', 'r50': 'R50',
    'r80': 'R80', 'r90': 'R90', 'c28': 'C28', 'c59': 'R90 / R50',
    'r_petro': 'Petrosian radius', 'h_disc': '``h_disc``',
    'disc_h': '``disc_h``'}
# Half-light radius of a disc in units of its scale length, in the renderer.
HALF_LIGHT = 1.678


def true_structure(header, true):
    """
    Compute the parameters of a galaxy from its true profile.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        The header of the image.

    true : `~numpy.ndarray`
        Its table TRUTH.

    Returns
    -------
    found : dict
        By the names of the columns of `measure_structure`; radii in arcsec.
    """
    pixel = 3600 * header['CDELT2']
    known = np.isfinite(true['intensity']) & np.isfinite(true['ellipticity'])
    n = len(true) if known.all() else int(np.argmin(known))
    sma, axis_ratio = true['sma'][:n], 1 - true['ellipticity'][:n]
    at = np.linspace(0, sma[-1], 6 * n)
    value = np.exp(PchipInterpolator(sma, np.log(np.maximum(
        true['intensity'][:n], 1e-12)))(at))
    q = np.interp(at, sma, axis_ratio)
    growth = light_within(at, value[None], q)[0]
    total = 10**(-0.4 * (header['MAGTRUE'] - 22.5))
    found = {'mag_total': header['MAGTRUE']}
    for part in (20, 50, 80, 90):
        found[f'r{part}'] = pixel * np.interp(0.01 * part * total, growth, at,
                                              right=np.nan)
    found['c28'] = 5 * np.log10(found['r80'] / found['r20'])
    found['c59'] = found['r90'] / found['r50']
    # the mean from 0.8 to 1.25 r over that within r
    r = at[(at > 0) & (1.25 * at <= at[-1])]
    area = np.pi * r**2 * np.interp(r, at, q)
    inner, outer = (np.interp(f * r, at, growth) for f in (0.8, 1.25))
    ring = np.pi * r**2 * (1.25**2 * np.interp(1.25 * r, at, q)
                           - 0.8**2 * np.interp(0.8 * r, at, q))
    above = (outer - inner) / ring > 0.2 * np.interp(r, at, growth) / area
    found['r_petro'] = pixel * r[np.flatnonzero(above)[-1]] if (
        above.any() and not above[-1]) else np.nan
    if header['G_TYPE'] in ('spiral', 'barred', 's0'):
        found['h_disc'] = found['disc_h'] = header['G_R_E'] / HALF_LIGHT
    return found


def pulls_of(profile, header, true):
    """
    Compute the pulls of one galaxy, by the names of `NAMES`.
    """
    row = measure_structure(profile)[0]
    found = {}

    def put(name, difference):
        error = float(getattr(row[f'{name}_err'], 'value',
                              row[f'{name}_err']))
        if np.isfinite(difference) and error > 0:
            found[name] = float(difference / error)

    def value(name):
        return float(getattr(row[name], 'value', row[name]))

    for name, known in true_structure(header, true).items():
        put(name, value(name) - known)
    pixel = 3600 * header['CDELT2']
    radius = profile['radius'].value
    for end, name in (('50', 'r50'), ('out', 'r90')):
        if not np.isfinite(value(name)):
            continue
        at = radius[np.argmin(np.abs(radius - value(name)))] / pixel
        twice = 2 * np.radians(true['theta'])
        e1, e2 = (np.interp(at, true['sma'], true['ellipticity'] * part)
                  for part in (np.cos(twice), np.sin(twice)))
        eps = np.interp(at, true['sma'], true['ellipticity'])
        put(f'ellipticity_{end}', value(f'ellipticity_{end}') - eps)
        if eps > LEAST_FLAT:
            # (north is up: angles of the truth are from +x)
            off = value(f'pa_{end}') + 90 - 0.5 * np.degrees(
                np.arctan2(e2, e1))
            put(f'pa_{end}', (off + 90) % 180 - 90)
    return found


def measure(n, seed, folder=None):
    """
    Measure galaxies: the widths of their pulls.

    Parameters
    ----------
    n, seed : int
        The number of galaxies of each survey, and their seed.

    folder : `~pathlib.Path`, optional
        Where images are kept, ``SURVEY/galaxy_NNNN.fits``, and used again.

    Returns
    -------
    out : dict
        By fitter, survey and parameter: ``n``, ``width`` and ``median``.
    """
    out = {}
    fitters = dict(zip(FITTERS, (Pix2ProfFitter(device='cpu'),
                                 IsophoteFitter()), strict=True))
    for survey in SURVEYS:
        pulls = {name: [] for name in FITTERS}
        for k in range(n):
            path = folder and folder / survey / f'galaxy_{k:04d}.fits'
            if path and path.exists():
                hdus = fits.open(path)
            else:
                hdus = render(seed * 100_000 + k, survey=survey)
                if path:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    hdus.writeto(path)
            for name, fitter in fitters.items():
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore')
                    profile = fitter(hdus)
                    pulls[name].append(pulls_of(
                        profile, hdus[0].header, hdus['TRUTH'].data))
        for name, rows in pulls.items():
            out.setdefault(name, {})[survey] = {key: summary(
                [row[key] for row in rows if key in row]) for key in NAMES}
    return out


def summary(pulls):
    """
    Count pulls, and compute their width and median.
    """
    return {'n': len(pulls), 'width': width(pulls),
            'median': float(np.median(pulls)) if pulls else np.nan}


def make_table(out):
    """
    The widths as a part of a page of the documentation.
    """
    rows = [(title, *(text(out[fitter][survey][key]['width'], '.2f')
                      for fitter in FITTERS for survey in SURVEYS))
            for key, title in NAMES.items()]
    heading = ('Quantity', *(f'{fitter}, {survey}' for fitter in FITTERS
                             for survey in SURVEYS))
    return '\n'.join([
        '.. Written by benchmarks/accuracy/stated.py; not to be edited.', '',
        *list_table(heading, rows)]).rstrip() + '\n'


def main(args=None):
    """
    Print the figures, and write them as ``stated.json``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=60)
    parser.add_argument('--seed', type=int, default=7315)
    parser.add_argument('--folder', type=Path, help='where images are kept')
    parser.add_argument('--table', action='store_true',
                        help='write docs/stated.inc')
    args = parser.parse_args(args)
    out = to_json({'n': args.n, 'seed': args.seed,
                   **measure(args.n, args.seed, args.folder),
                   'environment': describe_environment()})
    print(make_table(out))
    if args.table:
        (HERE / 'stated.json').write_text(json.dumps(out, indent=1) + '\n')
        (HERE.parents[1] / 'docs' / 'stated.inc').write_text(make_table(out))


if __name__ == '__main__':
    main()
