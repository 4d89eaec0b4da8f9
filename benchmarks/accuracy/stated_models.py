# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Stated errors of fitted models and of corrections, held against the truth.

These are the galaxies of `benchmarks.accuracy.stated` that need another
scene: Sersic galaxies, and bulges with discs, behind a known PSF; discs with
a break; lopsided discs; isophotes that are no ellipses; and profiles behind
dust. The isophote fitter measures all images.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    PSF,
    GalaxyCutout,
    IsophoteFitter,
    build_profile,
    disc_inclination,
    disc_inclination_err,
    measure_structure,
    physical_profile,
)
from astro_pix2prof.structure.smeared import MODELS, read_rings
from benchmarks.accuracy import harmonics, psf
from benchmarks.render.truth import true_profile

__all__ = ['MODEL_NAMES', 'measure_models']


# What is measured, and its name in the table.
MODEL_NAMES = {
    **{f'psf {name} {snr}': f'{title} behind a PSF, S/N {snr}'
       for snr in (30, 100, 300, 1500)
       for name, title in (('sersic_n', 'Sersic index'),
                           ('sersic_r_e', 'effective radius'))},
    'psf b_t': 'B/T behind a PSF',
    'psf bulge_r_e': 'bulge radius behind a PSF',
    'psf bulge_n': 'bulge index behind a PSF',
    'psf disc_h': '``disc_h`` behind a PSF',
    'h_in': '``h_in``', 'h_out': '``h_out``', 'r_break': '``r_break``',
    'inclination': 'inclination of a thin disc',
    'lopsided ellipticity': 'ellipticity of a lopsided disc',
    'lopsided pa': 'angle of a lopsided disc',
    'a3': 'a3', 'b3': 'b3', 'a4': 'a4', 'b4': 'b4',
    'extinction': 'enclosed magnitude less extinction'}

# Galaxies of each kind.
N_SERSIC, N_BULGES, N_BROKEN, N_LOPSIDED, N_HARMONICS, N_DUST = (
    30, 36, 44, 24, 16, 400)

# Width of the Gaussian PSF (pixels), and gain of the images of discs.
SIGMA, GAIN = 1.3, 5.0


def smeared_pulls(fitter, seed):
    """
    Measure Sersic galaxies behind a known PSF.
    """
    pulls = []
    for k in range(N_SERSIC):
        rng = np.random.default_rng([seed, 1, k])
        n, r_e = rng.choice([1.0, 2.0, 4.0]), rng.uniform(1.3, 6) * psf.FWHM
        eps, angle = rng.uniform(0.05, 0.6), rng.uniform(0, 180)
        star = psf.draw_psf(rng, k % 2)
        galaxy = psf.sersic(n, r_e, eps, 1e5, angle)
        for snr in (30, 100, 300, 1500):
            image, _, sigma = psf.observe(
                galaxy, star, rng, snr=snr, r_e=r_e, eps=eps, flux=1e5,
                n_pix=int(np.clip(16 * r_e, 128, 400)))
            row = _fit_model(fitter(psf.as_cutout(image, sigma)), star,
                             'sersic')
            pulls += [(f'psf {name} {snr}', _pull(row, name, true))
                      for name, true in (('sersic_n', n),
                                         ('sersic_r_e', r_e * psf.PIXEL))]
    return pulls


def bulge_pulls(fitter, seed):
    """
    Measure bulges in discs behind a known PSF.
    """
    pulls = []
    for k in range(N_BULGES):
        rng = np.random.default_rng([seed, 2, k])
        part, eps = rng.uniform(0.1, 0.7), rng.uniform(0.05, 0.5)
        r_e, h = (factor * psf.FWHM for factor in (rng.uniform(0.8, 2),
                                                   rng.uniform(3, 6)))
        n, angle = rng.choice([1.0, 2.0, 4.0]), rng.uniform(0, 180)
        galaxy = (psf.sersic(n, r_e, eps, part * 1e5, angle)
                  + psf.sersic(1.0, 1.67835 * h, eps, (1 - part) * 1e5, angle))
        star = psf.draw_psf(rng, k % 2)
        image, _, sigma = psf.observe(
            galaxy, star, rng, snr=(100, 300, 1000)[k % 3], r_e=1.5 * h,
            eps=eps, flux=1e5, n_pix=int(np.clip(20 * h, 160, 400)))
        row = _fit_model(fitter(psf.as_cutout(image, sigma)), star,
                         'bulge_disc')
        pulls += [(f'psf {name}', _pull(row, name, true)) for name, true in (
            ('b_t', part), ('bulge_r_e', r_e * psf.PIXEL), ('bulge_n', n),
            ('disc_h', h * psf.PIXEL))]
    return pulls


def _fit_model(profile, star, model):
    """
    Fit one of the models of `measure_structure` behind a PSF, with its errors.
    """
    value = profile['intensity'].value
    seen = np.nonzero(value > profile['intensity_err'].value)[0]
    rings = read_rings(profile, PSF(psf.psf_array(star)), np.isfinite(value)
                       & (np.arange(len(value)) <= seen[-1]), steady=True)
    fit, columns = MODELS[model]
    found = columns(fit(rings))
    return ({name: pair[0] for name, pair in found.items()}
            | {f'{name}_err': pair[1] for name, pair in found.items()})


def _pull(row, name, true):
    value, error = (float(getattr(row[key], 'value', row[key]))
                    for key in (name, f'{name}_err'))
    return (value - true) / error if error > 0 else np.nan


def _disc_image(rng, law, n_pix, eps, theta):
    """
    Draw a disc behind a Gaussian PSF: the image, and its centre.

    ``law`` takes radius and anomaly in the ellipses.
    """
    fine = 3
    centre = (n_pix - 1) / 2 + rng.uniform(-0.5, 0.5, 2)
    y, x = (np.mgrid[:n_pix * fine, :n_pix * fine] + 0.5) / fine - 0.5
    x, y = x - centre[0], y - centre[1]
    c, s = np.cos(theta), np.sin(theta)
    u, v = x * c + y * s, (y * c - x * s) / (1 - eps)
    image = gaussian_filter(law(np.hypot(u, v), np.arctan2(v, u)),
                            SIGMA * fine)
    return image.reshape(n_pix, fine, n_pix, fine).mean((1, 3)), centre


def _fit_disc(fitter, image, rng):
    noisy = image + rng.normal(size=image.shape) * np.sqrt(1 + image / GAIN)
    return fitter(GalaxyCutout(noisy, zeropoint=25, pixel_scale=1, gain=GAIN))


def broken_pulls(fitter, seed):
    """
    Measure discs with a break, whose type is found, and inclinations.
    """
    pulls = []
    for k in range(N_BROKEN):
        rng = np.random.default_rng([seed, 3, k])
        h_in = rng.uniform(8, 16)
        h_out = h_in * (1 / rng.uniform(1.5, 3) if k % 4
                        else rng.uniform(1.5, 2.5))
        r_break, eps = h_in * rng.uniform(1.5, 2.8), rng.uniform(0.05, 0.6)
        bulge, size = rng.choice([0, rng.uniform(0.2, 1.2)]), 0.1 * h_in

        def law(r, _, h_in=h_in, h_out=h_out, r_break=r_break, bulge=bulge,
                size=size):
            return (np.exp(-np.minimum(r, r_break) / h_in
                           - np.maximum(r - r_break, 0) / h_out)
                    + bulge * np.exp(-r / size))

        image, _ = _disc_image(rng, law, 261, eps, rng.uniform(0, np.pi))
        level = 10**rng.uniform(1.5, 2.8)
        row = measure_structure(_fit_disc(fitter, level * image, rng),
                                n_samples=2)[0]
        if row['disc_type'] == (2 if h_in > h_out else 3):
            pulls += [(name, _pull(row, name, true)) for name, true in (
                ('h_in', h_in), ('h_out', h_out), ('r_break', r_break))]
        flat, error = row['ellipticity_out'], row['ellipticity_out_err']
        if np.isfinite(flat) and error > 0:
            found, true = (disc_inclination(value, thickness=0)
                           for value in (flat, eps))
            pulls.append(('inclination', float(
                (found - true) / disc_inclination_err(
                    flat, error, thickness=0, thickness_err=0))))
    return pulls


def lopsided_pulls(fitter, seed):
    """
    Measure ellipses of lopsided discs at their scale length and twice it.
    """
    pulls = []
    for k in range(N_LOPSIDED):
        rng = np.random.default_rng([seed, 4, k])
        h, eps = rng.uniform(7, 14), rng.uniform(0.2, 0.6)
        theta, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        part, level = rng.uniform(0.1, 0.35), 10**rng.uniform(1.5, 2.7)

        def law(r, t, h=h, part=part, phase=phase):
            side = part * np.clip(r / h - 0.5, 0, 2) / 2
            return (np.exp(-r / h) * (1 + side * np.cos(t - phase))
                    + 0.8 * np.exp(-5 * r / h))

        state = rng.bit_generator.state
        image, centre = _disc_image(rng, law, 221, eps, theta)
        rng.bit_generator.state = state
        # (the same without the part that is lopsided)
        even, _ = _disc_image(rng, lambda r, t, h=h: law(r, t, h, 0.0, 0.0),
                              221, eps, theta)
        at = np.array([h, 2 * h])
        true = true_profile(even, even, *centre, at).eps
        profile = _fit_disc(fitter, level * image, rng)
        rows = [int(np.argmin(np.abs(profile['radius'].value - r)))
                for r in at]
        for i, flat in zip(rows, true, strict=True):
            row = profile[i]
            pulls.append(('lopsided ellipticity',
                          _pull(row, 'ellipticity', flat)))
            off = (row['pa'].value - np.degrees(theta) + 90) % 180 - 90
            pulls.append(('lopsided pa', off / row['pa_err'].value))
    return pulls


def harmonic_pulls(seed):
    """
    Measure deviations from ellipses, those of the isophote fitter.
    """
    rings = harmonics.measure('isophotes', N_HARMONICS, seed)
    return [(row['name'], (row['value'] - row['true']) / row['error'])
            for row in rings]


def dust_pulls(seed):
    """
    Correct magnitudes for an extinction that is known within its error.
    """
    rng = np.random.default_rng([seed, 5])
    radius = np.linspace(0.5, 60, 60)
    light = 50 * np.exp(-radius / 10)
    cutout = GalaxyCutout(np.zeros((9, 9)), zeropoint=25, pixel_scale=1)
    true, pulls = None, []
    for k in range(N_DUST + 1):
        ebv = rng.uniform(0.02, 0.3)
        # (the first has neither noise nor an error of the dust)
        own, more = (0, 0) if k == 0 else rng.normal(size=2)
        profile = build_profile(cutout, radius, light, 0.01 * light,
                                ellipticity=0 * radius, theta=0 * radius)
        error = 0.01 * profile['mag_enclosed'].unit
        profile['mag_enclosed_err'] = np.full(len(radius), 1.0) * error
        # what is seen is fainter by the dust that is there
        dust = 2.285 * ebv * (1 + 0.16 * more)
        profile['mag_enclosed'] += (dust + 0.01 * own) * error / 0.01
        profile['intensity'] *= 10**(-0.4 * (dust + 0.01 * own))
        table = physical_profile(profile, band='r', distance=50.0, ebv=ebv)
        value, error = (table[name].value[-1] for name in (
            'mag_enclosed', 'mag_enclosed_err'))
        if k == 0:
            true = value
        else:
            pulls.append(('extinction', (value - true) / error))
    return pulls


def measure_models(seed):
    """
    Measure all of these galaxies.

    Parameters
    ----------
    seed : int
        Their seed.

    Returns
    -------
    pulls : dict of list of float
        By the names of `MODEL_NAMES`.
    """
    fitter = IsophoteFitter()
    found = {name: [] for name in MODEL_NAMES}
    for name, pull in (*smeared_pulls(fitter, seed),
                       *bulge_pulls(fitter, seed),
                       *broken_pulls(fitter, seed),
                       *lopsided_pulls(fitter, seed), *harmonic_pulls(seed),
                       *dust_pulls(seed)):
        if np.isfinite(pull):
            found[name].append(float(pull))
    return found
