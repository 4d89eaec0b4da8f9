# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Render the galaxy that ships with the package, with GalSim.

An inclined, barred spiral as SDSS would see it in the r band, with
foreground stars and background galaxies. It writes the image and the
true profile of the galaxy alone (in the sense of ``truth.py``) to the
package's data folder.

    python -m benchmarks.render.demo [--out DIR]
"""

import argparse
import gzip
from io import BytesIO
from pathlib import Path

import galsim
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from astro_pix2prof import GalaxyCutout, build_profile, write_profile
from benchmarks.render.truth import true_profile

SEED = 20210304
N_PIX = 256
PIXEL_SCALE = 0.396  # arcsec; this and the next three are SDSS r
FWHM = 1.3  # arcsec
GAIN = 954.0  # electrons per nanomaggy
SKY_NOISE = 0.022  # nanomaggies per pixel
SKY_LEVEL = 0.004  # nanomaggies per pixel that the survey left
ZEROPOINT = 22.5  # AB magnitude of one nanomaggy
OVERSAMPLE = 2

MAGNITUDE = 14.5
CENTRE = (131.4, 124.7)  # pixels, 0-based
PA = 62.0  # degrees counter-clockwise from +x
INCLINATION = 52.0  # degrees
SCALE_LENGTH = 6.6  # arcsec
BULGE_TO_TOTAL = 0.16
BAR_TO_TOTAL = 0.08
ROTATION = 8.0  # degrees from north to +y, towards east


def draw_arms(gsparams):
    """
    Two log-spiral arms: what they add to a face-on disc of unit flux.

    The mean around each circle is zero, so that the arms change the
    isophotes but not the profile of the disc.
    """
    step = 0.2  # arcsec
    n = 2 * int(8 * SCALE_LENGTH / step) + 1
    y, x = (np.mgrid[:n, :n] - n // 2) * step
    radius, phi = np.hypot(x, y) + 1e-3, np.arctan2(y, x)
    pitch = np.radians(19.0)
    phase = 2 * (phi + np.log(radius / SCALE_LENGTH) / np.tan(pitch))
    arms = np.cos(phase) + 0.25 * np.cos(2 * phase)
    # no arms inside the bar, and weak ones in the outskirts
    strength = (0.28 / (1 + np.exp(-(radius - 5.0) / 0.8))
                * np.exp(-((radius / (4.5 * SCALE_LENGTH))**2)))
    disc = (np.exp(-radius / SCALE_LENGTH)
            / (2 * np.pi * SCALE_LENGTH**2) * step**2)
    return galsim.InterpolatedImage(
        galsim.Image(arms * strength * disc, scale=step),
        x_interpolant='linear', normalization='flux', gsparams=gsparams)


def draw_galaxy(gsparams):
    """
    The galaxy, without and with its arms: flux 1 each.
    """
    cos_i = np.cos(np.radians(INCLINATION))
    disc = galsim.InclinedExponential(
        INCLINATION * galsim.degrees, scale_radius=SCALE_LENGTH,
        scale_h_over_r=0.1, gsparams=gsparams)
    bulge = galsim.Sersic(2.0, half_light_radius=1.7, gsparams=gsparams)
    bulge = bulge.shear(q=0.82, beta=0 * galsim.degrees)
    bar = galsim.Sersic(0.6, half_light_radius=3.2, gsparams=gsparams)
    bar = bar.shear(q=0.3, beta=38 * galsim.degrees)
    bar = bar.transform(1, 0, 0, cos_i) / cos_i
    disc_to_total = 1 - BULGE_TO_TOTAL - BAR_TO_TOTAL
    smooth = (disc_to_total * disc + BULGE_TO_TOTAL * bulge
              + BAR_TO_TOTAL * bar)
    arms = draw_arms(gsparams).transform(1, 0, 0, cos_i) / cos_i
    full = smooth + disc_to_total * arms
    return (smooth.rotate(PA * galsim.degrees),
            full.rotate(PA * galsim.degrees))


def draw_others(rng, gsparams):
    """
    Stars and background galaxies: (object, x, y), pixels and 0-based.
    """
    stars = [(16.4, 218.0, 201.0), (17.9, 96.5, 158.2), (18.6, 171.3, 84.6),
             (17.2, 38.6, 62.9), (19.4, 150.9, 171.7), (19.8, 109.0, 92.1),
             (20.3, 60.2, 222.4), (20.9, 236.1, 118.7), (21.2, 191.7, 20.3)]
    others = [(galsim.DeltaFunction(gsparams=gsparams) * to_flux(mag), x, y)
              for mag, x, y in stars]
    for mag in rng.uniform(18.6, 22.0, 22):
        x, y = rng.uniform(5, N_PIX - 5, 2)
        galaxy = galsim.Sersic(
            rng.choice([1.0, 2.5]), gsparams=gsparams,
            half_light_radius=0.45 * 10**(0.17 * (22.0 - mag)))
        galaxy = galaxy.shear(q=rng.uniform(0.35, 0.95),
                              beta=rng.uniform(0, 180) * galsim.degrees)
        others.append((galaxy * to_flux(mag), x, y))
    return others


def to_flux(magnitude):
    """
    Nanomaggies of an AB magnitude.
    """
    return 10**(-0.4 * (magnitude - ZEROPOINT))


def make_header():
    """
    The header of the image, with a turned TAN WCS.
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
    wcs.wcs.crval = 184.7312, 12.4085
    wcs.wcs.crpix = (N_PIX + 1) / 2, (N_PIX + 1) / 2
    cos, sin = np.cos(np.radians(ROTATION)), np.sin(np.radians(ROTATION))
    wcs.wcs.cd = (PIXEL_SCALE / 3600
                  * np.array([[-cos, sin], [sin, cos]]))
    wcs.wcs.radesys = 'ICRS'
    header = wcs.to_header()
    header['BUNIT'] = ('nanomaggy', 'AB magnitude 22.5')
    header['OBJECT'] = 'demo galaxy'
    header['TELESCOP'] = ('simulation', 'like the SDSS 2.5 m')
    header['FILTER'] = 'r'
    header['GAIN'] = (GAIN, 'electrons per nanomaggy')
    header['SEEING'] = (FWHM, 'FWHM of the PSF in arcsec')
    header['MAGTRUE'] = (MAGNITUDE, 'AB magnitude of the galaxy')
    header['SEED'] = SEED
    header['HISTORY'] = 'Rendered with GalSim by benchmarks/render/demo.py'
    return header


def render():
    """
    Render the image and measure the true profile.

    Returns
    -------
    hdu : `~astropy.io.fits.PrimaryHDU`
        The image in nanomaggies.

    truth : `~astropy.table.QTable`
        The true profile.
    """
    rng = np.random.default_rng(SEED)
    gsparams = galsim.GSParams(maximum_fft_size=16384,
                               folding_threshold=2e-3)
    psf = galsim.Moffat(beta=3.2, fwhm=FWHM, gsparams=gsparams)
    beam = galsim.Convolve(psf, galsim.Pixel(PIXEL_SCALE),
                           gsparams=gsparams)

    def draw(obj, n, scale, x, y):
        # the pixel is part of the beam, so that grids of any step sample
        # the same function
        image = galsim.Image(n, n, scale=scale, dtype=float)
        galsim.Convolve(obj, beam, gsparams=gsparams).drawImage(
            image, method='no_pixel',
            offset=(x - (n - 1) / 2, y - (n - 1) / 2))
        return image.array * (PIXEL_SCALE / scale)**2

    flux = to_flux(MAGNITUDE)
    smooth, full = draw_galaxy(gsparams)
    galaxy = draw(flux * full, N_PIX, PIXEL_SCALE, *CENTRE)
    model = galaxy + SKY_LEVEL
    for obj, x, y in draw_others(rng, gsparams):
        model += draw(obj, N_PIX, PIXEL_SCALE, x, y)
    noise = np.sqrt(SKY_NOISE**2 + np.maximum(model, 0) / GAIN)
    image = model + noise * rng.standard_normal(model.shape)

    n_fine = 2 * OVERSAMPLE * N_PIX // 2 + 1
    fine = PIXEL_SCALE / OVERSAMPLE
    clean, plain = (draw(flux * obj, n_fine, fine, n_fine // 2, n_fine // 2)
                    for obj in (full, smooth))
    sma = np.concatenate([np.arange(0, 8, 0.5),
                          np.geomspace(8, 0.48 * N_PIX, 48)])
    true = true_profile(clean, plain, n_fine // 2, n_fine // 2, sma,
                        scale=OVERSAMPLE)
    hdu = fits.PrimaryHDU(image.astype('>f4'), make_header())
    zero = np.zeros(len(sma))
    truth = build_profile(
        GalaxyCutout(hdu), sma, true.intensity, zero, ellipticity=true.eps,
        ellipticity_err=zero, theta=np.degrees(true.theta), theta_err=zero,
        centre=CENTRE, sky=SKY_LEVEL, noise=SKY_NOISE, fitter='truth',
        meta={'magnitude': MAGNITUDE})
    # the same file in every run
    for key in ('created', 'version'):
        del truth.meta[key]
    for name, digits in (('radius', 4), ('surface_brightness', 4),
                         ('intensity', 6), ('ellipticity', 4), ('pa', 3),
                         ('mag_enclosed', 4)):
        truth[name] = np.round(truth[name], digits)
    return hdu, truth


def main(args=None):
    """
    Write the image and the true profile.
    """
    folder = (Path(__file__).parents[2] / 'astro_pix2prof' / 'datasets'
              / 'data')
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--out', type=Path, default=folder)
    args = parser.parse_args(args)
    hdu, truth = render()
    # The last bits of the mantissa hold nothing but noise that does not
    # compress: keep a twentieth of the sky noise.
    step = 2.0**np.floor(np.log2(0.05 * SKY_NOISE))
    hdu.data = (np.round(hdu.data / step) * step).astype('>f4')
    args.out.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    hdu.writeto(buffer)
    path = args.out / 'demo_galaxy_r.fits.gz'
    # no time stamp and no name in the archive: the bytes are the same in
    # every run
    path.write_bytes(gzip.compress(buffer.getvalue(), 9, mtime=0))
    write_profile(truth, args.out / 'demo_galaxy_r_true.ecsv',
                  overwrite=True)
    print(f'{path}: {path.stat().st_size} bytes')


if __name__ == '__main__':
    main()
