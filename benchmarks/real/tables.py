# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Both fitters on real galaxies against tables, each other and a spectrograph.

M51 and NGC 4608 against IRAF's ellipse tables, the totals of two galaxies of
Abell 2744, and the central galaxy of Abell 478 as HST and as MUSE saw it.

    python -m benchmarks.real.tables DATA [--only M51 'Abell 478']
"""

import argparse
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

__all__ = ['against_iraf', 'muse_image', 'muse_minus_hst', 'total']

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


def main(args=None):
    """
    Print all comparisons.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('data', type=Path)
    parser.add_argument('--only', nargs='+', help='galaxies')
    args = parser.parse_args(args)

    def chosen(name, *files):
        missing = [file for file in files if not (args.data / file).exists()]
        if missing:
            print(f'{name}: skipped, {missing[0]} is not in {args.data}')
        return not missing and (not args.only or name in args.only)

    for name, (image, table, _) in TABLES.items():
        if chosen(name, image, table):
            for label, fitter in FITTERS.items():
                for sky in ('auto', 0.0):
                    row = against_iraf(name, args.data, fitter(sky=sky),
                                       add_sky=sky == 'auto')
                    print(f'{name} {label} sky={sky}: ' + ', '.join(
                        f'{key} {value:.4g}' for key, value in row.items()))
    for name, path in TOTALS.items():
        if chosen(name, path):
            for label, fitter in FITTERS.items():
                mag, error, flags = total(args.data / path, fitter())
                print(f'{name} {label}: {mag:.3f} +- {error:.3f} {flags}')
    if chosen('Abell 478', HST, MUSE):
        for label, fitter in FITTERS.items():
            for sky in ('auto', 0.0):
                median, scatter = muse_minus_hst(args.data, fitter, sky)
                print(f'Abell 478 {label} sky={sky}: MUSE minus HST '
                      f'{median:+.3f}, scatter {scatter:.3f}')


if __name__ == '__main__':
    main()
