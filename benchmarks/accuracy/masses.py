# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Stellar-mass profiles of simulated galaxies with known ones, and of NGC 3610.

Galaxies of ``benchmarks.render.bands``, whose components have colours of
their own, are rendered in g, r and i and measured in one call. The true
surface density of a ring is that of the noise-free images of the galaxy
alone, averaged in g and in i along the true ellipses of the r band, by the
same relation. Images are kept in ``--images`` and rendered where they are
missing. The figures are written to masses.json, and a table to
docs/masses.inc.

    python -m benchmarks.accuracy.masses --n 24 --seed 63 --images DIR \
        --real DATA --out benchmarks/accuracy
"""

import argparse
import json
import time
import warnings
from itertools import pairwise
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import spline_filter

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    absolute_magnitude,
    mass_profile,
    measure_structure,
)
from astro_pix2prof.profile.brightness import curve_of_growth
from astro_pix2prof.structure.physical import DENSITY_ZERO
from astro_pix2prof.structure.relations import RELATIONS
from benchmarks.accuracy.pulls import width
from benchmarks.render.bands import BANDS, Band
from benchmarks.render.galaxies import render
from benchmarks.render.truth import sample_ellipses
from benchmarks.tables import describe_environment, to_json

RELATION, DISTANCE, PIXEL = 'taylor2011', 50.0, 0.396
# Surface brightness (mag/arcsec2) down to which the truth is read off.
FAINTEST = 28.5
# Surface densities (Msun/pc2) in which rings are sorted.
EDGES = (1.0, 10.0, 100.0, 1e3, 1e5)


def read_images(k, seed, folder):
    """
    Read a galaxy in three bands, and render it where it is not there.

    Returns
    -------
    paths : dict of `~pathlib.Path`
    """
    paths = {}
    for band in BANDS:
        path = paths[band] = folder / f'mass_{seed}_{k:03d}_{band}.fits'
        if not path.exists():
            number = seed * 100_000 + k
            part = path.with_suffix('.part')
            render(number, survey='sdss-r', band=Band(number, band),
                   keep_galaxy=True).writeto(part, overwrite=True)
            part.replace(path)
    return paths


def true_masses(paths):
    """
    Calculate true surface densities and masses within (semi-major axis).

    Returns
    -------
    sma, density, within, total : `~numpy.ndarray`
        Arcsec, Msun/pc2, Msun; the total is that within the last ellipse
        of the truth, times the light that is beyond it.
    """
    with fits.open(paths['r']) as hdus:
        truth = hdus['TRUTH'].data
        header = hdus[0].header
        centre = header['XTRUE'], header['YTRUE']
    sma, eps, theta = (np.asarray(truth[name], dtype=float) for name in (
        'sma', 'ellipticity', 'theta'))
    light = {}
    for band in BANDS:
        with fits.open(paths[band]) as hdus:
            image = hdus['GALAXY'].data.astype(float)
            total = 10**(-0.4 * (hdus[0].header['MAGTRUE'] - 22.5))
        light[band], _ = sample_ellipses(
            spline_filter(image), *centre, sma, eps, np.radians(theta))
    # (the total is that of the last band, i)
    with np.errstate(invalid='ignore', divide='ignore'):
        mu = {band: 22.5 - 2.5 * np.log10(value / PIXEL**2)
              for band, value in light.items()}
        # Fainter, the colour of the rendered image is that of its rounding.
        faint = ~((mu['g'] < FAINTEST) & (mu['i'] < FAINTEST))
    last = np.argmax(faint) - 1 if faint.any() else len(sma) - 1
    beyond = total / curve_of_growth(sma, light['i'], eps)[last]
    relation = RELATIONS[RELATION]
    ratio = 10**relation.log_mass_to_light(mu['g'] - mu['i'], 'g-i', 'i')
    density = ratio * 10**(-0.4 * (
        mu['i'] - relation.solar_magnitude('i') - DENSITY_ZERO))
    parsec = DISTANCE * 1e6 * (1 * u.arcsec).to_value(u.rad)
    arcsec, known = sma * PIXEL, slice(last + 1)
    within = curve_of_growth(arcsec[known] * parsec, density[known],
                             eps[known])
    return (arcsec[known], density[known], within,
            within[last] * max(beyond, 1.0))


def measure(fitter, n, seed, folder):
    """
    Measure galaxies; pulls of rings, of masses within, and of totals.
    """
    rings, totals, sizes, seconds, names = [], [], [], [], []
    for k in range(n):
        paths = read_images(k, seed, folder)
        arcsec, density, within, total = true_masses(paths)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyUserWarning)
            result = fitter.fit_bands(paths, predict='mass',
                                      relation=RELATION, distance=DISTANCE)
        seconds.append(time.perf_counter() - start)
        table = result.mass
        if table is None:
            print(f'galaxy {k}: {result.failed}')
            continue
        radius = table['radius'].value
        # Rings in the PSF have other means than ellipses of one pixel.
        use = (radius > 1.5) & (table['mass_density'].value
                                > 2 * table['mass_density_err'].value)
        for column, true in (('mass_density', density),
                             ('mass_enclosed', within)):
            value, error = (table[name].value[use]
                            for name in (column, f'{column}_err'))
            expected = np.interp(radius[use], arcsec, true, right=np.nan)
            off = value - expected
            log = np.log10(value / expected)
            level = np.interp(radius[use], arcsec, density, right=np.nan)
            rings.append(np.column_stack([
                np.full(use.sum(), column == 'mass_density'), level, log,
                off / error, table['colour_held'][use]]))
        meta = table.meta
        half = np.interp(0.5, within / total, arcsec)
        kpc = meta['kpc_per_arcsec']
        totals.append((np.log10(meta['mass'] / total),
                       (meta['mass'] - total) / meta['mass_err'],
                       meta['held_fraction'],
                       meta['extrapolated_fraction']))
        sizes.append((np.log10(meta['r50_mass'] / (half * kpc)),
                      (meta['r50_mass'] - half * kpc)
                      / meta['r50_mass_err']))
        names.append(k)
    return (np.vstack(rings), np.array(totals), np.array(sizes),
            float(np.median(seconds)))


def _row(log, pull):
    finite = np.isfinite(log) & np.isfinite(pull)
    log, pull = log[finite], pull[finite]
    if not len(log):
        return None
    return {'n': len(log), 'bias_dex': float(np.median(log)),
            'median_abs_dex': float(np.median(np.abs(log))),
            'within_error': float(np.mean(np.abs(pull) < 1)),
            'within_2_errors': float(np.mean(np.abs(pull) < 2)),
            'width': width(pull)}


def figures(rings, totals, sizes, seconds):
    """
    Summarise the deviations from the truth.
    """
    is_density = rings[:, 0] == 1
    found = {'seconds': seconds,
             'held_fraction': float(np.median(totals[:, 2])),
             'extrapolated_fraction': float(np.median(totals[:, 3])),
             'total': _row(totals[:, 0], totals[:, 1]),
             'r50': _row(*sizes.T),
             'enclosed': _row(*rings[~is_density, 2:4].T),
             'density': _row(*rings[is_density, 2:4].T)}
    for low, high in pairwise(EDGES):
        part = is_density & (rings[:, 1] >= low) & (rings[:, 1] < high)
        found[f'density {low:g} to {high:g}'] = _row(*rings[part, 2:4].T)
    held = is_density & (rings[:, 4] == 1)
    found['density, colour held'] = _row(*rings[held, 2:4].T)
    return found


def measure_real(fitter, data):
    """
    Compare the mass profile of NGC 3610 with the masses of its totals.

    The total magnitudes are those of `measure_structure` for each band;
    the mass that they have by the same relation is that of the whole
    galaxy with one colour.
    """
    path = data / 'sdss_legacy_viewer_cubes' / 'ngc3610.fits'
    distance, ebv = 35.0 * u.Mpc, 0.01
    bands = fitter.fit_bands(
        dict.fromkeys(BANDS, path), band={band: band for band in BANDS},
        unit='nanomaggy', native_pixel_scale=0.396)
    mags = {}
    for band, profile in bands.profiles.items():
        row = measure_structure(profile, fits=False)[0]
        mags[band] = float(absolute_magnitude(
            row['mag_total'], band=band, distance=distance, ebv=ebv).value)
    found = {'absolute_magnitudes': mags}
    for name, relation in RELATIONS.items():
        table = mass_profile(bands, relation=name, distance=distance,
                             ebv=ebv)
        colour, light = table.meta['colour'], table.meta['light']
        blue, red = colour.split('-')
        ratio = relation.log_mass_to_light(mags[blue] - mags[red], colour,
                                           light)
        total = float(ratio) - 0.4 * (mags[light]
                                      - relation.solar_magnitude(light))
        value = table['colour'].value
        radius = table['radius'].value
        found[name] = {
            'colour': colour, 'light': light,
            'log_mass': table.meta['log_mass'],
            'log_mass_err': table.meta['log_mass_err'],
            'of_totals': total, 'difference': table.meta['log_mass'] - total,
            'r50_kpc': table.meta['r50_mass'],
            'colour_3_arcsec': float(np.interp(3, radius, value)),
            'colour_60_arcsec': float(np.interp(60, radius, value)),
            'held_fraction': table.meta['held_fraction']}
    return found


# The fitters, as the pages call them.
_LABELS = {'Pix2ProfFitter': 'rings', 'IsophoteFitter': 'isophotes'}
_ROWS = (('total', 'total mass'), ('r50', 'radius of half the mass'),
         ('enclosed', 'mass within a ring'),
         ('density', 'surface density, all rings'),
         ('density 1000 to 100000', 'above 1000 Msun/pc2'),
         ('density 100 to 1000', '100 to 1000'),
         ('density 10 to 100', '10 to 100'),
         ('density 1 to 10', '1 to 10'),
         ('density, colour held', 'rings whose colour is that of others'))


def write_inc(path, found):
    """
    Write the tables of the documentation.
    """
    lines = ['.. list-table::', '    :header-rows: 1', '',
             '    * - Quantity', '      - Fitter', '      - Number',
             '      - Bias (dex)', '      - Median deviation (dex)',
             '      - Within 1 and 2 errors']
    for key, title in _ROWS:
        for fitter, label in _LABELS.items():
            row = found.get(fitter, {}).get(key)
            if row is None:
                continue
            lines += [f'    * - {title}', f'      - {label}',
                      f'      - {row["n"]}', f'      - {row["bias_dex"]:+.3f}',
                      f'      - {row["median_abs_dex"]:.3f}',
                      f'      - {row["within_error"]:.0%}, '
                      f'{row["within_2_errors"]:.0%}']
    real = found.get('NGC 3610', {})
    lines += ['', 'NGC 3610 at 35 Mpc (SDSS, with the network):', '',
              '.. list-table::', '    :header-rows: 1', '',
              '    * - Relation', '      - Colour, light',
              '      - log mass', '      - of the total magnitudes',
              '      - Radius of half the mass (kpc)']
    for name in RELATIONS:
        if name in real:
            row = real[name]
            lines += [f'    * - ``{name}``',
                      f'      - {row["colour"]}, {row["light"]}',
                      f'      - {row["log_mass"]:.3f} ± '
                      f'{row["log_mass_err"]:.3f}',
                      f'      - {row["of_totals"]:.3f}',
                      f'      - {row["r50_kpc"]:.2f}']
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def main(args=None):
    """
    Print the figures and write them.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=24)
    parser.add_argument('--n-isophotes', type=int, default=8)
    parser.add_argument('--seed', type=int, default=63)
    parser.add_argument('--images', type=Path, required=True)
    parser.add_argument('--real', type=Path)
    parser.add_argument('--out', type=Path)
    args = parser.parse_args(args)
    args.images.mkdir(parents=True, exist_ok=True)
    found = {'seed': args.seed, 'relation': RELATION,
             'environment': describe_environment()}
    network = Pix2ProfFitter(device='cpu')
    for fitter, n in ((network, args.n), (IsophoteFitter(),
                                          args.n_isophotes)):
        if not n:
            continue
        name = type(fitter).__name__
        found[name] = figures(*measure(fitter, n, args.seed, args.images))
        for part, row in found[name].items():
            print(name, part, row, flush=True)
    if args.real:
        found['NGC 3610'] = measure_real(network, args.real)
        print(json.dumps(to_json(found['NGC 3610']), indent=1))
    if args.out:
        # (the tables are those of what is stored, to its last digit)
        found = to_json(found)
        (args.out / 'masses.json').write_text(
            json.dumps(found, indent=1) + '\n')
        write_inc(Path('docs') / 'masses.inc', found)


if __name__ == '__main__':
    main()
