# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Both fitters on real galaxies against tables, each other and a spectrograph.

M51 and NGC 4608 against IRAF's ellipse tables, the totals of two galaxies of
Abell 2744, and the central galaxy of Abell 478 as HST and as MUSE saw it.

    python -m benchmarks.real.tables DATA --table docs/real_tables.inc
"""

import argparse
import json
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    decode_flags,
    measure_structure,
)
from benchmarks.real.galaxies import TABLES, read_table
from benchmarks.tables import (
    describe_environment,
    describe_weights,
    list_table,
    to_json,
)

__all__ = ['against_iraf', 'make_tables', 'muse_image', 'muse_minus_hst',
           'total']

HERE = Path(__file__).parent

FITTERS = {'network': Pix2ProfFitter, 'isophotes': IsophoteFitter}
TOTALS = {
    'Abell 2744 cD': 'abell2744_hst/abell_2744_cd_galaxy_f105w.fits.gz',
    'Abell 2744 dwarf': 'abell2744_hst/abell_2744_dwarf_galaxy_f105w.fits.gz',
}
HST = 'abell478_muse_hst/a478_hst_f814w.fits.gz'
MUSE = 'abell478_muse_hst/a478_muse_cube_bin9.fits.gz'
# The wavelengths (AA) of F814W that MUSE sees, and the pivot of the filter.
LOW, HIGH, PIVOT = 7100.0, 9300.0, 7995.94
# Where both see the galaxy well, in arcsec.
RADII = np.linspace(0.8, 4.5, 20)
# Beyond this semi-major axis (pixels) it does not matter how a cusp is
# interpolated: IRAF does it bilinearly, the fitters with splines.
RESOLVED = 4.0


def against_iraf(name, data, fitter, *, add_sky=False):
    """
    Compare a fitter with an IRAF table.

    Parameters
    ----------
    name : str
        A galaxy of `~benchmarks.real.galaxies.TABLES`.

    data : `~pathlib.Path`
        The folder of the real galaxies.

    fitter : `~astro_pix2prof.fitting.base.ProfileFitter`
        The fitter.

    add_sky : bool, optional
        Whether to add the sky that was subtracted, since the table is of
        the image as it is.

    Returns
    -------
    row : dict
        ``n`` radii, ``median`` and ``p90`` of the absolute differences
        (mag), those beyond `RESOLVED` (``median_resolved``,
        ``p90_resolved``), and the share without a value (``missing``). For
        M51, whose table has a scale of its own, about the median.
    """
    image, _, options = TABLES[name]
    sma, intensity = read_table(name, data)
    fit = fitter.fit(data / image, **options)
    ok = np.isfinite(intensity) & (intensity > 0) & (sma > 0)
    mine = np.interp(sma[ok], fit.sma, fit.intensity
                     + (fit.sky if add_sky else 0.0), right=np.nan)
    with np.errstate(invalid='ignore'):
        delta = -2.5 * np.log10(mine / intensity[ok])
    if name == 'M51':
        delta -= np.nanmedian(delta)
    off, far = np.abs(delta), sma[ok] > RESOLVED
    return {'n': int(ok.sum()), 'median': float(np.nanmedian(off)),
            'p90': float(np.nanquantile(off, 0.9)),
            'median_resolved': float(np.nanmedian(off[far])),
            'p90_resolved': float(np.nanquantile(off[far], 0.9)),
            'missing': float(np.isnan(off).mean())}


def total(path, fitter):
    """
    Measure the total magnitude of an image.

    Returns
    -------
    mag, error : float
    flags : list of str
    """
    profile = fitter(path)
    found = measure_structure(profile, fits=False)[0]
    return (found['mag_total'].to_value(u.mag),
            found['mag_total_err'].to_value(u.mag),
            decode_flags(profile.meta['flag'], 'galaxy'))


def muse_image(path):
    """
    Average the planes of the cube that F814W sees.

    Returns
    -------
    image : `~astropy.nddata.CCDData`
        Without its sky, in 1e-20 erg/s/cm2/AA.

    zeropoint : float
        The AB magnitude of a data unit.
    """
    with fits.open(path) as hdus:
        header, data = hdus['DATA'].header, hdus['DATA'].data
        wave = header['CRVAL3'] + header['CD3_3'] * (
            np.arange(len(data)) + 1 - header['CRPIX3'])
        image = np.nanmean(data[(wave > LOW) & (wave < HIGH)], axis=0)
        wcs = WCS(header).celestial
    flux = u.Quantity(1e-20, 'erg / (s cm2 AA)')
    zeropoint = flux.to_value(u.ABmag, u.spectral_density(PIVOT * u.AA))
    return CCDData(image, unit=u.adu, wcs=wcs), zeropoint


def muse_minus_hst(data, fitter, sky):
    """
    Compare the profile of a galaxy with MUSE and with HST.

    Parameters
    ----------
    data : `~pathlib.Path`
        The folder of the real galaxies.

    fitter : class
        The fitter; HST's image gets its defaults.

    sky : 'auto' or float
        The sky of the MUSE image, which the galaxy fills.

    Returns
    -------
    median, scatter : float
        MUSE minus HST in mag, and the standard deviation over `RADII`.
    """
    image, zeropoint = muse_image(data / MUSE)
    hst, muse = (np.interp(RADII, profile['radius'].value,
                           profile['surface_brightness'].value,
                           right=np.nan)
                 for profile in (fitter()(data / HST),
                                 fitter(sky=sky)(image,
                                                 zeropoint=zeropoint)))
    return float(np.nanmedian(muse - hst)), float(np.nanstd(muse - hst))


def measure(data, only=None):
    """
    Make all comparisons, and print them.

    Parameters
    ----------
    data : `~pathlib.Path`
        The folder of the real galaxies.

    only : list of str, optional
        The galaxies; by default all whose files are there.

    Returns
    -------
    found : dict of list of dict
        'iraf', 'totals' and 'muse', each with a row for every galaxy,
        fitter and, but for totals, sky.
    """
    found = {'iraf': [], 'totals': [], 'muse': []}

    def chosen(name, *files):
        missing = [file for file in files if not (data / file).exists()]
        if missing:
            print(f'{name}: skipped, {missing[0]} is not in {data}')
        return not missing and (not only or name in only)

    def add(part, **row):
        found[part].append(row)
        print(', '.join(f'{key} {value:.4g}' if isinstance(value, float)
                        else f'{key} {value}' for key, value in row.items()),
              flush=True)

    skies = [(label, fitter, sky) for label, fitter in FITTERS.items()
             for sky in ('auto', 0.0)]
    for name, (image, table, _) in TABLES.items():
        if chosen(name, image, table):
            for label, fitter, sky in skies:
                add('iraf', galaxy=name, fitter=label, sky=sky,
                    **against_iraf(name, data, fitter(sky=sky),
                                   add_sky=sky == 'auto'))
    for name, path in TOTALS.items():
        if chosen(name, path):
            for label, fitter in FITTERS.items():
                mag, error, flags = total(data / path, fitter())
                add('totals', galaxy=name, fitter=label, mag=float(mag),
                    mag_err=float(error), flags=flags)
    if chosen('Abell 478', HST, MUSE):
        for label, fitter, sky in skies:
            median, scatter = muse_minus_hst(data, fitter, sky)
            add('muse', fitter=label, sky=sky, median=median,
                scatter=scatter)
    return found


def make_tables(found):
    """
    Write the comparisons as tables for the documentation.
    """
    lines = ['.. begin iraf', '']
    lines += list_table(
        ['Galaxy', 'Fitter', 'sky', 'Median (mag)', '90% within',
         f'Median beyond {RESOLVED:.0f} pixels', 'Rings without a value'],
        [[row['galaxy'], row['fitter'], f'``{row["sky"]}``',
          f'{row["median"]:.3f}', f'{row["p90"]:.3f}',
          f'{row["median_resolved"]:.3f}', f'{row["missing"]:.0%}']
         for row in found['iraf']])
    lines += ['.. end iraf', '', '.. begin totals', '']
    lines += list_table(
        ['Galaxy', 'Fitter', 'Total (mag)', 'Flags'],
        [[row['galaxy'], row['fitter'],
          f'{row["mag"]:.2f} ± {row["mag_err"]:.2f}'
          if np.isfinite(row['mag_err'] or np.nan) else
          f'{row["mag"]:.2f}, to the last ring; what is beyond cannot be told',
          ', '.join(f'``{flag}``' for flag in row['flags'])]
         for row in found['totals']])
    lines += ['.. end totals', '', '.. begin muse', '']
    lines += list_table(
        ['Fitter', 'sky of MUSE', 'Median difference (mag)', 'Scatter (mag)'],
        [[row['fitter'], f'``{row["sky"]}``', f'{row["median"]:+.3f}',
          f'{row["scatter"]:.3f}'] for row in found['muse']])
    return '\n'.join([*lines, '.. end muse', ''])


def main(args=None):
    """
    Print all comparisons, and store them unless galaxies are chosen.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('data', type=Path)
    parser.add_argument('--only', nargs='+',
                        help='galaxies, of which nothing is stored')
    parser.add_argument('--out', type=Path, metavar='FILE.json',
                        default=HERE / 'tables.json')
    parser.add_argument('--table', type=Path, metavar='FILE.inc',
                        help='write the tables of the documentation')
    args = parser.parse_args(args)
    found = measure(args.data, args.only)
    if args.only:
        return
    found = to_json({'environment': describe_environment(),
                     'weights': describe_weights(Pix2ProfFitter()), **found})
    args.out.write_text(json.dumps(found, indent=1) + '\n',
                        encoding='utf-8')
    if args.table:
        args.table.write_text(make_tables(found), encoding='utf-8')


if __name__ == '__main__':
    main()
