# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Deviations from ellipses of NGC 4608 beside published ones.

P. Erwin measured the IRAC1 image with IRAF. Here both fitters and
`photutils.isophote` measure the same image on the same ellipses. The
differences of A3 to B4 are compared with the errors that IRAF and this package
state.

    python -m benchmarks.real.harmonics DATA --out benchmarks/real
"""

import argparse
import json
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from photutils.isophote import EllipseGeometry, EllipseSample, Isophote

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    bar_radius,
    fourier_profile,
)
from astro_pix2prof.ellipses.harmonics import measure_harmonics
from astro_pix2prof.fitting.harmonics import ring_width

NAMES = ('A3', 'B3', 'A4', 'B4')


def read_iraf(folder):
    """
    Read the ellipses and deviations that IRAF found.

    Returns
    -------
    iraf : dict of 1D `~numpy.ndarray`
        The columns of the rings whose fit ended well, with centres in
        pixels of the cut-out and angles in radians from +x.
    """
    header = fits.getheader(folder / 'n4608irac1ss_fitted_cutout.fits')
    rows = fits.getdata(folder / 'el_n4608irac1ss.fits')
    iraf = {name: np.asarray(rows[name], dtype=float) for name in rows.names}
    use = (iraf['SMA'] > 4) & (iraf['SMA'] < 150) & (iraf['STOP'] <= 2) & (
        iraf['B4_ERR'] > 0)
    iraf = {name: values[use] for name, values in iraf.items()}
    iraf['X0'] += header['LTV1'] - 1
    iraf['Y0'] += header['LTV2'] - 1
    iraf['THETA'] = np.radians(iraf['PA'] + 90)
    return iraf


def with_photutils(image, iraf):
    """
    Measure the deviations on the same ellipses with photutils.
    """
    found = {name: ([], []) for name in NAMES}
    for k, sma in enumerate(iraf['SMA']):
        sample = EllipseSample(image, sma, geometry=EllipseGeometry(
            iraf['X0'][k], iraf['Y0'][k], sma, iraf['ELLIP'][k],
            iraf['THETA'][k] % np.pi))
        sample.update()
        ring = Isophote(sample, 0, True, 0)
        turned = 1 if 0 <= iraf['THETA'][k] < np.pi else -1
        for name in NAMES:
            sign = turned if name[1] == '3' else 1
            found[name][0].append(sign * getattr(ring, name.lower()))
            found[name][1].append(getattr(ring, f'{name.lower()}_err'))
    return {name: tuple(map(np.array, pair)) for name, pair in found.items()}


def with_pixels(image, iraf, *, polar=False):
    """
    Measure the deviations on the same ellipses, about the same centres.
    """
    sma = iraf['SMA']
    step = np.diff(image, axis=0)
    sigma = 1.4826 * np.median(np.abs(step)) / 2**0.5
    rings = measure_harmonics(
        image, np.isfinite(image), (iraf['X0'], iraf['Y0']), sma,
        iraf['ELLIP'], iraf['THETA'], width=ring_width(sma),
        variance=np.full(len(sma), sigma**2), polar=polar)
    found = {}
    for order in (3, 4):
        a, a_err, b, b_err = rings.deviation(order, sma)
        found |= {f'A{order}': (a, a_err), f'B{order}': (b, b_err)}
    return found


def with_fitter(fitter, path, iraf):
    """
    Measure the deviations on the same ellipses, about one centre.

    The signs are not compared: the axis of a profile points to the position
    angle on the sky.
    """
    profile = fitter(
        path, unit=u.MJy / u.sr, harmonics=True,
        position=(np.median(iraf['X0']), np.median(iraf['Y0'])),
        geometry=Table({'sma': iraf['SMA'], 'ellipticity': iraf['ELLIP'],
                        'theta': np.degrees(iraf['THETA'])}))
    at = profile['radius'].value / profile.meta['pixel_scale']
    return {name: tuple(np.interp(iraf['SMA'], at, part, right=np.nan)
                        for part in (np.abs(profile[name.lower()]),
                                     profile[f'{name.lower()}_err']))
            for name in NAMES}


def compare(found, iraf, *, signs=True):
    """
    Compare deviations with those of IRAF.

    Returns
    -------
    rows : dict
        For each, the median absolute difference, the median of the error
        of both, and the part of the rings within this error.
    """
    rows = {}
    for name, (value, error) in found.items():
        true = iraf[name] if signs else np.abs(iraf[name])
        away = np.abs(value - true)
        both = np.hypot(error, iraf[f'{name}_ERR'])
        good = np.isfinite(away) & np.isfinite(both)
        rows[name] = {
            'difference': round(float(np.median(away[good])), 5),
            'iraf_error': round(float(np.median(
                iraf[f'{name}_ERR'][good])), 5),
            'own_error': round(float(np.median(error[good])), 5),
            'within': round(float(np.mean(away[good] < both[good])), 3),
            'n': int(good.sum())}
    return rows


def main():
    """
    Measure, and print or write the comparison.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('data', type=Path)
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    folder = args.data / 'ngc4608_irac1'
    path = folder / 'n4608irac1ss_fitted_cutout.fits'
    image, iraf = fits.getdata(path).astype(float), read_iraf(folder)
    fitters = {'network': Pix2ProfFitter(),
               'isophotes': IsophoteFitter()}
    found = {
        'pixels': compare(with_pixels(image, iraf), iraf),
        'pixels, polar angle': compare(with_pixels(image, iraf, polar=True),
                                       iraf),
        'photutils': compare(with_photutils(image, iraf), iraf),
        **{name: compare(with_fitter(fitter, path, iraf), iraf, signs=False)
           for name, fitter in fitters.items()}}
    for name, fitter in fitters.items():
        fit = fitter.fit(path, unit=u.MJy / u.sr)
        row = bar_radius(fourier_profile(fit))[0]
        found[f'bar, {name}'] = {
            key: (round(float(getattr(row[key], 'value', row[key])), 3))
            for key in ('bar_radius', 'bar_radius_err', 'bar_strength',
                        'bar_pa')}
    flat = np.argmax(np.where(iraf['SMA'] > 40, iraf['ELLIP'], 0))
    found['largest ellipticity of IRAF'] = {
        'ellipticity': round(float(iraf['ELLIP'][flat]), 3),
        'sma_arcsec': round(0.6 * float(iraf['SMA'][flat]), 1)}
    text = json.dumps(found, indent=1)
    print(text)
    if args.out:
        (args.out / 'harmonics.json').write_text(text + '\n')


if __name__ == '__main__':
    main()
