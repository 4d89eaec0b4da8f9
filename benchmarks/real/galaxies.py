# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
IsophoteFitter on real galaxies beside published measurements.

M51 (companion and survey image of photutils' own tests) and NGC 4608 come
with ellipse tables made with IRAF; NGC 3610 has a known total magnitude;
ESO 243-49 is seen edge-on.

    python -m benchmarks.real.galaxies DATA --out PICTURES
"""

import argparse
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits

from astro_pix2prof import (
    IsophoteFitter,
    decode_flags,
    measure_structure,
    plot_fit,
)

# Image, table, and what is needed to read the image.
TABLES = {
    'M51': ('m51_photutils/M51.fits', 'm51_photutils/M51_table.fits',
            {'zeropoint': 25.0, 'pixel_scale': 1.0}),
    'NGC 4608': ('ngc4608_irac1/n4608irac1ss_fitted_cutout.fits',
                 'ngc4608_irac1/el_n4608irac1ss.fits',
                 {'unit': u.MJy / u.sr / 187.75}),
}
CUBES = {
    'NGC 3610': ('ngc3610', 'gri', 0.396),
    'ESO 243-49': ('eso243-49', 'grz', 0.262),
}
# Images with inverse variances, and the FWHM of the PSF (arcsec): the circle
# as large as the part of the PSF's image above half of its maximum.
PAIRS = {
    'J0356-3029': ('decals_pair/cutout_59.1067_-30.4848.fits',
                   {'g': 1.06, 'r': 0.96, 'z': 0.93}),
}


def read_table(name, data):
    """
    What was measured with IRAF.

    Parameters
    ----------
    name : str
        A galaxy of `TABLES`.

    data : `~pathlib.Path`
        The folder of the real galaxies.

    Returns
    -------
    sma, intensity : 1D `~numpy.ndarray`
        Semi-major axes in pixels, and intensities in the image's unit.
    """
    columns = fits.getdata(data / TABLES[name][1])
    # the table of NGC 4608 is in MJy/sr
    scale = 187.75 if name == 'NGC 4608' else 1.0
    return (np.asarray(columns['SMA'], dtype=float),
            np.asarray(columns['INTENS'], dtype=float) * scale)


def against_table(name, data, **settings):
    """
    Magnitude differences from an IRAF ellipse table.

    Returns
    -------
    fit : `IsophoteFit`
    sma, delta_mu : `~numpy.ndarray`
        Pixels; NaN where the fit has no value. The scale of M51 is free:
        its median is taken off.
    """
    image, _, options = TABLES[name]
    sma, intensity = read_table(name, data)
    # Both frames are sky-subtracted, and filled by the galaxy.
    fit = IsophoteFitter(sky=0.0, **settings).fit(data / image, **options)
    ok = np.isfinite(intensity) & (intensity > 0) & (sma > 0)
    mine = np.interp(sma[ok], fit.sma, fit.intensity, right=np.nan)
    with np.errstate(invalid='ignore'):
        delta = -2.5 * np.log10(mine / intensity[ok])
    if name == 'M51':
        delta -= np.nanmedian(delta)
    return fit, sma[ok], delta


def main(args=None):
    """
    Print all comparisons; write the pictures.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('data', type=Path)
    parser.add_argument('--out', type=Path)
    args = parser.parse_args(args)
    fits_made = {}
    for name in TABLES:
        for settings in ({}, {'smooth': False, 'mask_sources': False}):
            fit, sma, delta = against_table(name, args.data, **settings)
            off = np.abs(delta)
            print(f'{name} {settings or "default"}: {len(sma)} radii, '
                  f'|difference| median {np.nanmedian(off):.4f}, p90 '
                  f'{np.nanquantile(off, 0.9):.4f}, missing '
                  f'{np.isnan(off).mean():.3f}')
            fits_made.setdefault(name, fit)
    for name, (stem, bands, native) in CUBES.items():
        path = args.data / 'sdss_legacy_viewer_cubes' / f'{stem}.fits'
        reference = None
        for band in reversed(bands):
            fit = IsophoteFitter().fit(path, band=band,
                                       unit='nanomaggy',
                                       native_pixel_scale=native,
                                       geometry=reference)
            profile = fit.profile
            found = measure_structure(profile)
            snr = profile['intensity'] / profile['intensity_err']
            print(f'{name} {band}: total '
                  f'{found["mag_total"][0]:.3f} +- '
                  f'{found["mag_total_err"][0]:.3f}, R50 '
                  f'{found["r50"][0]:.2f}, {len(profile)} rings to '
                  f'{profile["radius"][-1]:.1f}, last S/N {snr[-1]:.1f}, '
                  f'{decode_flags(profile.meta["flag"], "galaxy")}')
            fits_made[f'{name} {band}'] = fit
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        for name, fit in fits_made.items():
            plot_fit(fit.cutout, fit.profile, mask=fit.mask).savefig(
                args.out / f'{name.replace(" ", "_")}.png', dpi=100)


if __name__ == '__main__':
    main()
