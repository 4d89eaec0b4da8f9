# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Render galaxies with known profiles with GalSim.

The galaxies test the fitters, and GalSim is used for nothing else, so
that no network is tested with the renderer that it was trained on. Every
file holds the image (nanomaggies, TAN WCS), and the true profile of
the galaxy alone. Frames hold foreground stars, background galaxies,
overlapping neighbours, and a residual sky with a gradient.

    python -m benchmarks.render.galaxies --n 200 --seed 2026 --out DIR
"""

import argparse
from pathlib import Path

import galsim
import numpy as np
from astropy.io import fits

from benchmarks.render.frame import start_header, truth_table
from benchmarks.render.truth import true_profile

# Pixel scale (arcsec), median FWHM (arcsec), electrons per nanomaggy,
# noise of a sky pixel (nanomaggies). From surveycodex (pixels, seeing,
# exposures, sky) and the depths that the surveys published; LSST after ten
# years. HSC and LSST have zero points of 27 mag and of 1 nJy (31.4 mag).
SURVEYS = {
    'sdss-g': (0.396, 1.44, 1056.0, 0.020),
    'sdss-r': (0.396, 1.32, 954.0, 0.030),
    'sdss-i': (0.396, 1.26, 698.0, 0.050),
    'legacy-r': (0.262, 1.18, 8.4e3, 0.0068),
    'hsc-i': (0.168, 0.61, 3.3e5, 0.00113),
    'lsst-r': (0.200, 0.81, 9.6e5, 0.00036),
}
TYPES = {'spiral': 0.30, 'barred': 0.12, 's0': 0.10, 'elliptical': 0.20,
         'dwarf': 0.16, 'edge-on': 0.12}
OVERSAMPLE = 2
GSPARAMS = galsim.GSParams(maximum_fft_size=16384, folding_threshold=2e-3)


def draw_psf(rng, fwhm):
    """
    A Moffat or a Kolmogorov PSF, slightly elliptical.
    """
    if rng.random() < 0.6:
        psf = galsim.Moffat(beta=rng.uniform(2.5, 4.5), fwhm=fwhm,
                            gsparams=GSPARAMS)
    else:
        psf = galsim.Kolmogorov(fwhm=fwhm, gsparams=GSPARAMS)
    return psf.shear(g=rng.uniform(0, 0.025),
                     beta=rng.uniform(0, np.pi) * galsim.radians)


def _project(obj, inclination, pa):
    """
    A face-on object, inclined about its x axis and turned to ``pa``.
    """
    q = max(np.cos(inclination), 0.1)
    return obj.transform(1, 0, 0, q).rotate(pa * galsim.radians)


def _arms(rng, scale_length, inclination, pa, size, pixel):
    """
    Log-spiral modulation of an exponential disc; no net flux per ring.
    """
    n = int(2 * (min(9 * scale_length, size) // pixel)) // 2 * 2 + 1
    y, x = (np.mgrid[:n, :n] - n // 2) * pixel
    rad, phi = np.hypot(x, y) + 1e-3, np.arctan2(y, x)
    m = rng.choice([2, 2, 2, 3, 4])
    pitch = np.radians(np.clip(rng.normal(18, 6), 8, 35))
    phase = m * (phi - np.log(rad / scale_length) / np.tan(pitch)
                 - rng.uniform(0, 2 * np.pi))
    sharp = rng.uniform(1, 3)
    arm = np.exp(sharp * (np.cos(phase) - 1))
    # Ragged arms: multiply by smooth noise along them.
    ragged = rng.normal(size=(12, 24))
    k = (np.clip(np.log(rad / pixel + 1) * 2, 0, 11.99).astype(int),
         ((phi + np.pi) / (2 * np.pi) * 23.99).astype(int))
    arm *= np.clip(1 + 0.35 * ragged[k], 0.1, 2)
    ring = np.round(rad / pixel).astype(int)
    mean = np.bincount(ring.ravel(), arm.ravel()) / np.bincount(ring.ravel())
    contrast = rng.uniform(0.15, 0.8)
    start = 1 / (1 + np.exp(-(rad / scale_length - 0.8) * 5))
    arm = (arm / mean[ring] - 1) * contrast * np.exp(-rad / scale_length)
    arm *= start / (2 * np.pi * scale_length**2) * pixel**2
    obj = galsim.InterpolatedImage(galsim.Image(arm, scale=pixel),
                                   x_interpolant='linear',
                                   normalization='flux', gsparams=GSPARAMS)
    return _project(obj, inclination, pa)


def draw_galaxy(rng, kind, size, fwhm, mu_offset, tint=None):
    """
    A galaxy: ``(smooth, detail, parameters)``, unit flux in ``smooth``.

    ``tint`` holds factors by which the fluxes of the components differ in
    another band: 'body', 'nucleus', 'bulge', 'disc', 'bar', 'arms' and
    'knots', 1 by default.
    """
    tint = dict.fromkeys(('body', 'nucleus', 'bulge', 'disc', 'bar', 'arms',
                          'knots'), 1.0) | (tint or {})
    # Half-light radius in units of the PSF, at most a third of the frame.
    r_e = fwhm * np.exp(rng.uniform(np.log(1.3), np.log(12)))
    r_e = min(r_e, rng.uniform(0.1, 0.16) * size)
    mu_e = np.clip(rng.normal(21.3, 1.0), 18.8, 23.5)
    pa = rng.uniform(0, np.pi)
    detail = None
    par = {'type': kind, 'r_e': r_e, 'theta': np.degrees(pa)}
    if kind == 'elliptical':
        n = np.clip(rng.lognormal(np.log(4), 0.35), 1.8, 6.0)
        q = rng.uniform(0.45, 1.0)
        smooth = galsim.Sersic(n, half_light_radius=r_e / q**0.5,
                               trunc=12 * r_e, gsparams=GSPARAMS)
        smooth = smooth.shear(q=q, beta=pa * galsim.radians)
        smooth = tint['body'] * smooth
        par.update(n=n, ellipticity=1 - q)
    elif kind == 'dwarf':
        n = rng.uniform(0.4, 1.3)
        q = rng.uniform(0.35, 1.0)
        mu_e = np.clip(rng.normal(23.0, 0.7), 21.5, 24.3)
        smooth = galsim.Sersic(n, half_light_radius=r_e / q**0.5,
                               gsparams=GSPARAMS)
        smooth = smooth.shear(q=q, beta=pa * galsim.radians)
        smooth = tint['body'] * smooth
        if rng.random() < 0.3:
            smooth = 0.985 * smooth + (
                0.015 * tint['nucleus'] * galsim.Gaussian(
                    sigma=0.05, gsparams=GSPARAMS))
        par.update(n=n, ellipticity=1 - q)
    else:
        bulge_fraction = {'spiral': rng.beta(1.5, 8), 'barred':
                          rng.beta(1.5, 7), 's0': rng.uniform(0.15, 0.6),
                          'edge-on': rng.beta(1.2, 7)}[kind]
        low, high = ((0.0, 0.17) if kind == 'edge-on' else (0.34, 1.0))
        inclination = np.arccos(rng.uniform(low, high))
        h = r_e / 1.678
        thick = np.clip(rng.normal(0.2, 0.05), 0.1, 0.32)
        disc = galsim.InclinedExponential(
            inclination * galsim.radians, scale_radius=h,
            scale_h_over_r=thick / 2, gsparams=GSPARAMS)
        disc = disc.rotate(pa * galsim.radians)
        n_b = np.clip(rng.lognormal(np.log(2.0), 0.4), 0.8, 4.5)
        q_b = 1 - 0.5 * (1 - np.cos(inclination))
        bulge = galsim.Sersic(n_b, half_light_radius=h * np.clip(
            rng.lognormal(np.log(0.22), 0.3), 0.08, 0.5),
            trunc=9 * h if n_b > 2 else 0, gsparams=GSPARAMS)
        bulge = bulge.shear(q=q_b, beta=pa * galsim.radians)
        smooth = (bulge_fraction * tint['bulge'] * bulge
                  + (1 - bulge_fraction) * tint['disc'] * disc)
        if kind == 'barred':
            length = h * rng.uniform(0.5, 1.4)
            bar = galsim.Sersic(0.5, half_light_radius=0.45 * length,
                                gsparams=GSPARAMS)
            bar = bar.shear(q=rng.uniform(0.25, 0.5),
                            beta=rng.uniform(0, np.pi) * galsim.radians)
            fraction = rng.uniform(0.05, 0.2)
            smooth = ((1 - fraction) * smooth
                      + fraction * tint['bar'] * _project(
                          bar, inclination, pa))
        if kind == 'barred' or (kind == 'spiral' and rng.random() < 0.8):
            detail = (1 - bulge_fraction) * tint['arms'] * _arms(
                rng, h, inclination, pa, size, 0.25 * fwhm)
            knots = galsim.RandomKnots(
                int(rng.integers(10, 60)), rng=galsim.BaseDeviate(
                    int(rng.integers(1, 2**30))),
                profile=galsim.Exponential(scale_radius=h), gsparams=GSPARAMS)
            knots = galsim.Convolve(_project(knots, inclination, pa),
                                    galsim.Gaussian(sigma=0.05 * h))
            detail = detail + (
                rng.uniform(0, 0.06) * tint['knots'] * knots)
        par.update(inclination=np.degrees(inclination), b_t=bulge_fraction,
                   arms=detail is not None)
    mag = mu_e + mu_offset - 2.5 * np.log10(2 * np.pi * r_e**2)
    par.update(mag=mag, mu_e=mu_e)
    return smooth, detail, par


def draw_contaminants(rng, par, size, fwhm, centre, case):
    """
    Stars, background galaxies and neighbours: (object, dx, dy) in arcsec.
    """
    area = (size / 3600)**2
    out = []
    # log N(<20) per square degree spans the galactic latitudes.
    n_star = rng.poisson(area * 10**rng.uniform(3.1, 4.2))
    mag = 20 + np.log10(rng.uniform(10**(0.28 * -5.5), 10**(0.28 * 3),
                                    n_star)) / 0.28
    for m in mag:
        out.append((None, m, *rng.uniform(-size / 2, size / 2, 2)))
    n_gal = rng.poisson(area * 1.2e4)
    for m in 21.5 + np.log10(rng.uniform(10**(0.42 * -4), 1, n_gal)) / 0.42:
        obj = galsim.Sersic(rng.choice([1.0, 1.5, 3.0]), half_light_radius=(
            0.35 * fwhm + 10**(0.16 * (20.5 - m)) * rng.uniform(0.3, 1.2)),
            gsparams=GSPARAMS)
        obj = obj.shear(q=rng.uniform(0.3, 1),
                        beta=rng.uniform(0, np.pi) * galsim.radians)
        out.append((obj, m, *rng.uniform(-size / 2, size / 2, 2)))
    if case == 'neighbour':
        q = rng.uniform(0.4, 1)
        r_n = par['r_e'] * rng.uniform(0.4, 1.1)
        n = rng.choice([1.0, 2.0, 4.0])
        obj = galsim.Sersic(n, half_light_radius=r_n, gsparams=GSPARAMS,
                            trunc=10 * r_n if n > 2 else 0)
        obj = obj.shear(q=q, beta=rng.uniform(0, np.pi) * galsim.radians)
        dist = rng.uniform(1.3, 2.8) * (par['r_e'] + r_n) + fwhm
        ang = rng.uniform(0, 2 * np.pi)
        out.append((obj, par['mag'] + rng.uniform(-0.3, 2.5),
                    centre[0] + dist * np.cos(ang),
                    centre[1] + dist * np.sin(ang)))
    elif case == 'star':
        dist = fwhm * rng.uniform(1.5, 4)
        ang = rng.uniform(0, 2 * np.pi)
        out.append((None, max(par['mag'] + rng.uniform(0.5, 4), 14.5),
                    centre[0] + dist * np.cos(ang),
                    centre[1] + dist * np.sin(ang)))
    return out


def expose(smooth, detail, par, contaminants, *, flux, offset, psf, survey,
           gain, sigma, fwhm, rng, n_pix, case, seed, sky=None,
           keep_galaxy=False):
    """
    Expose a frame of a scene.

    Parameters
    ----------
    smooth, detail : `galsim.GSObject`
        The galaxy without its arms and knots, and these; `None` for none.

    par : dict
        What the header is to tell of it.

    contaminants : list of tuple
        As `draw_contaminants` returns them.

    flux : float
        Nanomaggies by which ``smooth`` and ``detail`` are multiplied.

    offset : tuple of float
        Place of the galaxy from the middle of the frame (pixels).

    psf : `galsim.GSObject`
        The PSF.

    survey, case : str
        Key of ``SURVEYS``; what the header says of the scene.

    gain, sigma, fwhm : float
        Electrons per nanomaggy, noise of a sky pixel (nanomaggies), arcsec.

    rng : `numpy.random.Generator`
        The source of noise and sky.

    n_pix, seed : int
        Side of the frame, and the seed for the header.

    sky : float, optional
        Sky that is left over, in units of the noise; by default a small
        level with a gradient, drawn.

    keep_galaxy : bool, optional
        Whether to add the galaxy alone, without noise: an extension
        GALAXY.

    Returns
    -------
    hdus : `~astropy.io.fits.HDUList`
        As of `render`.
    """
    pixel = SURVEYS[survey][0]
    dx, dy = offset

    def draw(obj, n, scale, off_x, off_y):
        image = galsim.Image(n, n, scale=scale, dtype=float)
        obj.drawImage(image, method='no_pixel',
                      offset=(off_x / scale, off_y / scale))
        return image.array

    # The pixel is convolved in, so that a finer grid samples the same
    # function that the frame's own pixels sample.
    beam = galsim.Convolve(psf, galsim.Pixel(pixel), gsparams=GSPARAMS)
    full = smooth if detail is None else smooth + detail
    fine = pixel / OVERSAMPLE
    n_big = int(1.5 * n_pix) * OVERSAMPLE // 2 * 2 + 1
    clean = draw(galsim.Convolve(full * flux, beam, gsparams=GSPARAMS),
                 n_big, fine, 0, 0) * OVERSAMPLE**2
    plain = clean if detail is None else draw(
        galsim.Convolve(smooth * flux, beam, gsparams=GSPARAMS),
        n_big, fine, 0, 0) * OVERSAMPLE**2
    sma = np.concatenate([[0, 0.5], np.arange(1, 0.7 * n_pix)])
    true = true_profile(clean, plain, n_big // 2, n_big // 2, sma,
                        scale=OVERSAMPLE)
    galaxy = draw(galsim.Convolve(full * flux, beam, gsparams=GSPARAMS),
                  n_pix, pixel, dx * pixel, dy * pixel)
    others = np.zeros((n_pix, n_pix))
    for obj, mag, x, y in contaminants:
        f = 10**(-0.4 * (mag - 22.5))
        conv = (psf * f if obj is None
                else galsim.Convolve(obj * f, psf, gsparams=GSPARAMS))
        conv = galsim.Convolve(conv, galsim.Pixel(pixel), gsparams=GSPARAMS)
        others += draw(conv, n_pix, pixel, x, y)
    if sky is None:
        yy, xx = (np.mgrid[:n_pix, :n_pix] - n_pix / 2) / n_pix
        sky = (rng.normal(0, 0.15) + rng.uniform(-0.15, 0.15) * xx
               + rng.uniform(-0.15, 0.15) * yy)
    sky = sigma * sky
    model = galaxy + others
    image = (model + sky + rng.normal(size=model.shape)
             * np.sqrt(sigma**2 + np.maximum(model, 0) / gain))

    header = start_header(n_pix, pixel)
    header['FILTER'] = survey.split('-')[-1]
    header['SURVEY'] = survey
    header['GAIN'] = (gain, 'electrons per nanomaggy')
    header['SKYNOISE'] = (sigma, 'noise of a sky pixel')
    header['FWHM'] = (fwhm, 'arcsec')
    header['XTRUE'] = ((n_pix - 1) / 2 + dx, 'centre, 0-based')
    header['YTRUE'] = ((n_pix - 1) / 2 + dy, 'centre, 0-based')
    header['CASE'] = case
    header['MAGTRUE'] = (22.5 - 2.5 * np.log10(full.flux * flux),
                         'arms and knots included')
    header['SEED'] = seed
    for key, value in par.items():
        header[f'G_{key[:6]}'.upper()] = value
    table = truth_table(true, sigma, gain)
    hdus = fits.HDUList([
        fits.PrimaryHDU(image.astype('f4'), header),
        fits.BinTableHDU(table, name='TRUTH'),
        fits.ImageHDU(others.astype('f4'), name='OTHERS')])
    if keep_galaxy:
        hdus.append(fits.ImageHDU(galaxy.astype('f4'), name='GALAXY'))
    return hdus


def render(seed, *, survey='sdss-r', n_pix=256, max_offset=15, kind=None,
           case=None, band=None, keep_galaxy=False):
    """
    One frame.

    Parameters
    ----------
    seed : int
        The seed of everything.

    survey : str, optional
        A key of ``SURVEYS``.

    n_pix : int, optional
        The side of the frame.

    max_offset : float, optional
        The galaxy lies up to this many pixels from the frame's centre.

    kind, case : str, optional
        A key of ``TYPES``; 'neighbour', 'star' or 'plain'. Drawn if
        `None`.

    band : `benchmarks.render.bands.Band`, optional
        Another band to observe the scene of ``survey`` in.

    keep_galaxy : bool, optional
        Whether to add the galaxy alone, without noise: an extension
        GALAXY.

    Returns
    -------
    hdus : `~astropy.io.fits.HDUList`
        Image in nanomaggies; true profile (table); the contaminants'
        noise-free image.
    """
    rng = np.random.default_rng([seed, 20210101])
    pixel, fwhm0, gain, sigma = SURVEYS[survey]
    fwhm = fwhm0 * rng.lognormal(0, 0.12)
    sigma *= rng.uniform(0.85, 1.2)
    kind = kind or rng.choice(list(TYPES), p=list(TYPES.values()))
    case = case or rng.choice(['plain', 'neighbour', 'star'],
                              p=[0.8, 0.12, 0.08])
    psf = draw_psf(rng, fwhm)
    size = n_pix * pixel
    # Deeper surveys see fainter galaxies in the same way as SDSS does.
    depth = 2.5 * np.log10(0.030 / 0.396 * pixel / SURVEYS[survey][3])
    # Nobody asks for the profile of what is a smudge in the image.
    tint = None if band is None else band.tint(kind)
    while True:
        smooth, detail, par = draw_galaxy(rng, kind, size, fwhm,
                                          0.6 * depth, tint)
        if par['mag'] < 18.0 + depth:
            break
    flux = 10**(-0.4 * (par['mag'] - 22.5))
    radius, angle = max_offset * rng.random()**0.5, rng.uniform(0, 2 * np.pi)
    dx, dy = radius * np.cos(angle), radius * np.sin(angle)   # px

    # What the scene holds is drawn by now, but for the contaminants.
    contaminants = draw_contaminants(
        rng, par, size, fwhm, (dx * pixel, dy * pixel), case)
    if band is not None:
        contaminants = band.tint_contaminants(contaminants)
        par.update(mag=par['mag'] - 2.5 * np.log10(smooth.flux),
                   mu_e=par['mu_e'] - 2.5 * np.log10(smooth.flux))
        survey, gain = band.survey, SURVEYS[band.survey][2]
        rng, fwhm, sigma, psf = band.observe(fwhm / fwhm0)
    return expose(smooth, detail, par, contaminants, flux=flux,
                  offset=(dx, dy), psf=psf, survey=survey, gain=gain,
                  sigma=sigma, fwhm=fwhm, rng=rng, n_pix=n_pix, case=case,
                  seed=seed, keep_galaxy=keep_galaxy)


def main(args=None):
    """
    Write ``--n`` frames to ``--out``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=200)
    parser.add_argument('--seed', type=int, default=2026)
    parser.add_argument('--survey', default='sdss-r', choices=SURVEYS)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(args)
    args.out.mkdir(parents=True, exist_ok=True)
    for k in range(args.n):
        path = args.out / f'galaxy_{k:04d}.fits'
        if not path.exists():
            render(args.seed * 100_000 + k,
                   survey=args.survey).writeto(path)


if __name__ == '__main__':
    main()
