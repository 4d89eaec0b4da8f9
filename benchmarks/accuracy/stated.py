# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Stated errors of ellipses and structural parameters, held against the truth.

Galaxies are rendered with GalSim as two surveys see them, with stars,
neighbours and a residual sky, and measured by both fitters. Models that are
fitted and corrections are held against galaxies of their own (see
`benchmarks.accuracy.stated_models`). A pull is the deviation from the truth in
units of the stated error; half the range of the inner 68% of the pulls is 1,
and 68% of them are within 1, if errors hold.

    python -m benchmarks.accuracy.stated --n 60 --seed 7315 --table

The figures are written to stated.json, and with ``--table`` the tables of the
documentation. ``--parts`` measures some of the parts, which are the surveys
and ``models``, and keeps the others as they are stored. Each part has its own
number of galaxies, seed and environment.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from scipy.interpolate import PchipInterpolator

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    disc_inclination,
    disc_inclination_err,
    measure_structure,
)
from astro_pix2prof.profile.brightness import light_within
from benchmarks.accuracy.pulls import LEAST_FLAT, width
from benchmarks.accuracy.stated_models import MODEL_NAMES, measure_models
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
PARTS = (*SURVEYS, 'models')
NAMES = {
    'ellipticity_50': 'ellipticity at R50', 'pa_50': 'angle at R50',
    'ellipticity_out': 'ellipticity at R90', 'pa_out': 'angle at R90',
    'mag_total': 'total magnitude', 'r20': 'R20', 'r50': 'R50',
    'r80': 'R80', 'r90': 'R90', 'c28': 'C28', 'c59': 'R90 / R50',
    'r_petro': 'Petrosian radius', 'r25_0': 'R25', 'h_disc': '``h_disc``',
    'disc_h': '``disc_h``', 'inclination': 'inclination'}
# Models without a PSF, held against the fit to the rings without noise.
FITTED = {
    'sersic_n': '``sersic_n``', 'sersic_r_e': '``sersic_r_e``',
    'b_t': '``b_t``', 'bulge_r_e': '``bulge_r_e``', 'bulge_n': '``bulge_n``'}
# Galaxies whose outskirts are a disc that is not seen edge-on.
DISCS = 'spiral', 'barred', 's0'
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
    bright = value > pixel**2 * 10**(-0.4 * (25 - 22.5))
    if bright.any() and not bright[-1]:
        last = np.flatnonzero(bright)[-1]
        ends = slice(last, last + 2)
        found['r25_0'] = pixel * np.interp(
            25, 22.5 - 2.5 * np.log10(value[ends] / pixel**2), at[ends])
    # the mean from 0.8 to 1.25 r over that within r
    r = at[(at > 0) & (1.25 * at <= at[-1])]
    area = np.pi * r**2 * np.interp(r, at, q)
    inner, outer = (np.interp(f * r, at, growth) for f in (0.8, 1.25))
    ring = np.pi * r**2 * (1.25**2 * np.interp(1.25 * r, at, q)
                           - 0.8**2 * np.interp(0.8 * r, at, q))
    above = (outer - inner) / ring > 0.2 * np.interp(r, at, growth) / area
    found['r_petro'] = pixel * r[np.flatnonzero(above)[-1]] if (
        above.any() and not above[-1]) else np.nan
    if header['G_TYPE'] in DISCS:
        found['h_disc'] = found['disc_h'] = header['G_R_E'] / HALF_LIGHT
    return found


def pulls_of(profile, header, true):
    """
    Compute the pulls of one galaxy, by the names of `NAMES` and `FITTED`.
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
    if header['G_TYPE'] in DISCS and np.isfinite(value('ellipticity_out')):
        # (discs of the renderer are as thick as those of the default)
        flat, error = value('ellipticity_out'), value('ellipticity_out_err')
        if error > 0:
            found['inclination'] = float((
                disc_inclination(flat).value - header['G_INCLIN'])
                / disc_inclination_err(flat, error).value)
    known = measure_structure(true_rings(profile, header, true),
                              n_samples=2)[0]
    for name in FITTED:
        put(name, value(name) - float(getattr(known[name], 'value',
                                              known[name])))
    return found


def true_rings(profile, header, true):
    """
    Give the rings of a profile the true intensities, where these are known.
    """
    pixel = 3600 * header['CDELT2']
    good = np.isfinite(true['intensity']) & (true['intensity'] > 0)
    value = np.exp(PchipInterpolator(
        true['sma'][good], np.log(true['intensity'][good]),
        extrapolate=False)(profile['radius'].value / pixel)) / pixel**2
    out = QTable(profile, copy=True)
    out['intensity'] = np.where(
        np.isfinite(value), value,
        profile['intensity'].value) * profile['intensity'].unit
    return out


def measure(survey, n, seed, folder=None):
    """
    Measure galaxies of a survey: the widths of their pulls.

    Parameters
    ----------
    survey : str
        The survey.

    n, seed : int
        The number of galaxies, and their seed.

    folder : `~pathlib.Path`, optional
        Where images are kept, ``SURVEY/galaxy_NNNN.fits``, and used again.

    Returns
    -------
    out : dict
        By fitter and parameter: ``n``, ``width``, ``within`` (the
        part within 1) and ``median``.
    """
    fitters = dict(zip(FITTERS, (Pix2ProfFitter(device='cpu'),
                                 IsophoteFitter()), strict=True))
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
    return {name: {key: summary([row[key] for row in rows if key in row])
                   for key in (*NAMES, *FITTED)}
            for name, rows in pulls.items()}


def add_part(stored, part, found, **made):
    """
    Add the figures of a part to those that are stored.

    Parameters
    ----------
    stored : dict
        What is stored.

    part : str
        One of `PARTS`.

    found : dict
        By fitter and parameter, or for ``models`` by parameter.

    **made
        How the part was made: ``n``, ``seed`` and ``environment``.

    Returns
    -------
    out : dict
        All parts; those of the others, and how they were made, as stored.
    """
    out = {**stored, 'parts': {**stored.get('parts', {}), part: made}}
    if part == 'models':
        return out | {'models': found}
    return out | {name: {**stored.get(name, {}), part: figures}
                  for name, figures in found.items()}


def summary(pulls):
    """
    Count pulls, and compute their width, the part within 1, and the median.
    """
    return {'n': len(pulls), 'width': width(pulls),
            'within': float(np.mean(np.abs(pulls) < 1)) if pulls else np.nan,
            'median': float(np.median(pulls)) if pulls else np.nan}


def make_table(out):
    """
    The widths as a part of a page of the documentation.
    """
    names = {key: title for key, title in (NAMES | FITTED).items()
             if any(key in out.get(FITTERS[0], {}).get(survey, {})
                    for survey in SURVEYS)}
    rows = [(title, *(_cell(out.get(fitter, {}).get(survey, {}).get(key))
                      for fitter in FITTERS for survey in SURVEYS))
            for key, title in names.items()]
    heading = ('Quantity', *(f'{fitter}, {survey}' for fitter in FITTERS
                             for survey in SURVEYS))
    lines = ['.. Written by benchmarks/accuracy/stated.py; not to be edited.',
             '', *list_table(heading, rows)]
    if 'models' in out:
        lines += ['', *list_table(
            ('Quantity', 'Pulls', 'Width', 'Within the error'),
            [(title, str(found['n']), text(found['width'], '.2f'),
              f"{found['within']:.0%}") for title, found in (
                  (title, out['models'][key])
                  for key, title in MODEL_NAMES.items())])]
    return '\n'.join(lines).rstrip() + '\n'


def _cell(found):
    """
    The width of pulls, and the part of them within 1 where these are stored.
    """
    if found is None:
        return ''
    cell = text(found['width'], '.2f')
    return f"{cell} ({found['within']:.0%})" if 'within' in found else cell


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
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=PARTS)
    args = parser.parse_args(args)
    kept = HERE / 'stated.json'
    out = json.loads(kept.read_text()) if kept.exists() else {}
    for part in args.parts:
        made = {'seed': args.seed, 'environment': describe_environment()}
        if part == 'models':
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                found = {name: summary(pulls) for name, pulls
                         in measure_models(args.seed).items()}
        else:
            made['n'] = args.n
            found = measure(part, args.n, args.seed, args.folder)
        out = to_json(add_part(out, part, found, **made))
    print(make_table(out))
    if args.table:
        kept.write_text(json.dumps(out, indent=1) + '\n')
        (HERE.parents[1] / 'docs' / 'stated.inc').write_text(make_table(out))


if __name__ == '__main__':
    main()
