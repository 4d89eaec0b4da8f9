# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Galaxies behind a point-spread function, with and without it.

GalSim renders Sersic galaxies and bulges with discs behind Gaussian, Moffat
and real PSFs, with white noise. The profile of a fitter is measured, models
behind the PSF are fitted to it, and the profile is corrected. Galaxies in two
bands with different PSFs have their colours matched, by profiles and by
images. Galaxies in three bands, one of them faint, are measured on the
ellipses of one band and of all. The figures are written to psf.json and, as
tables of the documentation, to a file.

    python -m benchmarks.accuracy.psf --seed 31 --out benchmarks/accuracy \
        --table docs/psf.inc
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import galsim
import numpy as np
from astropy.convolution import convolve_fft
from astropy.io import fits
from photutils.psf_matching import SplitCosineBellWindow, make_kernel

from astro_pix2prof import (
    PSF,
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    correct_psf,
    measure_structure,
)
from benchmarks.render.truth import sample_ellipses, true_profile
from benchmarks.tables import describe_environment, list_table, to_json

PIXEL, ZEROPOINT, FWHM = 0.4, 25.0, 3.5
LARGE = galsim.GSParams(maximum_fft_size=16384)
# Half-light radius (FWHM) and ellipticity.
SHAPES = ((1.0, 0.1), (1.5, 0.5), (2.0, 0.3), (3.0, 0.6), (6.0, 0.2))
INDICES, SNRS = (1.0, 2.0, 4.0), (300, 1500)


def sersic(n, r_e, eps, flux, angle):
    """
    Make a Sersic galaxy with a semi-major effective radius in pixels.
    """
    q = 1 - eps
    return galsim.Sersic(n, half_light_radius=r_e * q**0.5, flux=flux,
                         gsparams=LARGE).shear(
        q=q, beta=angle * galsim.degrees)


def draw_psf(rng, kind):
    """
    Draw the PSF of an image: Gaussian or Moffat, slightly elongated.
    """
    psf = (galsim.Gaussian(fwhm=FWHM) if kind == 0 else
           galsim.Moffat(beta=rng.uniform(2.5, 4.0), fwhm=FWHM))
    return psf.shear(e=rng.uniform(0, 0.05),
                     beta=rng.uniform(0, 180) * galsim.degrees)


def observe(galaxy, psf, rng, *, snr, r_e, eps, flux, n_pix, offset=None):
    """
    Render an image with the signal-to-noise ratio within r_e.
    """
    offset = rng.uniform(-0.5, 0.5, 2) if offset is None else offset
    sharp = galsim.Convolve(galaxy, psf, gsparams=LARGE).drawImage(
        nx=n_pix, ny=n_pix, scale=1.0, offset=tuple(offset)).array
    sigma = 0.5 * flux / np.sqrt(np.pi * r_e**2 * (1 - eps)) / snr
    image = sharp.astype(float)
    return image + rng.normal(0, sigma, image.shape), image, sigma


def psf_array(psf, n_pix=71):
    """
    Draw the PSF with its pixels, as a star shows it.
    """
    return psf.drawImage(nx=n_pix, ny=n_pix, scale=1.0).array.astype(float)


def as_cutout(image, sigma):
    """
    Make a cutout with zero point, pixel scale and noise.
    """
    return GalaxyCutout(image, zeropoint=ZEROPOINT, pixel_scale=PIXEL,
                        noise=sigma)


def sersic_rows(fitter, seed, snrs=SNRS):
    """
    Measure Sersic galaxies: truth, and ratios of fit and truth.
    """
    rows = []
    for k, (n, (size, eps), snr) in enumerate(
            (n, shape, snr) for n in INDICES for shape in SHAPES
            for snr in snrs):
        rng = np.random.default_rng([seed, k])
        r_e, flux = size * FWHM, 1e5
        psf = draw_psf(rng, k % 2)
        galaxy = sersic(n, r_e, eps, flux, rng.uniform(0, 180))
        image, _, sigma = observe(
            galaxy, psf, rng, snr=snr, r_e=r_e, eps=eps, flux=flux,
            n_pix=int(np.clip(16 * r_e, 128, 400)))
        try:
            profile = fitter(as_cutout(image, sigma))
            plain = measure_structure(profile, n_samples=2)[0]
            start = time.perf_counter()
            row = measure_structure(profile, psf=psf_array(psf),
                                    n_samples=2)[0]
            seconds = time.perf_counter() - start
        except ValueError as error:
            print(n, size, eps, snr, error)
            continue
        rows.append((n, size, eps, snr, row['sersic_n'] / n,
                     row['sersic_r_e'].value / (r_e * PIXEL),
                     row['sersic_n_err'] / n,
                     row['sersic_r_e_err'].value / (r_e * PIXEL),
                     plain['sersic_n'] / n,
                     plain['sersic_r_e'].value / (r_e * PIXEL), seconds))
    return np.array(rows, dtype=float)


def sersic_figures(rows):
    """
    Summarise deviations of index and radius.
    """
    n, r_e = rows[:, 4] - 1, rows[:, 5] - 1
    return {'galaxies': len(rows),
            'n_bias': np.median(n), 'n_median_abs': np.median(np.abs(n)),
            'n_within_5': np.mean(np.abs(n) < 0.05),
            'n_within_error': np.mean(np.abs(n) < rows[:, 6]),
            'n_pull': np.sqrt(np.mean((n / rows[:, 6])**2)),
            'r_bias': np.median(r_e), 'r_median_abs': np.median(np.abs(r_e)),
            'r_within_3': np.mean(np.abs(r_e) < 0.03),
            'r_within_error': np.mean(np.abs(r_e) < rows[:, 7]),
            'r_pull': np.sqrt(np.mean((r_e / rows[:, 7])**2)),
            'plain_n': np.median(np.abs(rows[:, 8] - 1)),
            'plain_r': np.median(np.abs(rows[:, 9] - 1)),
            'seconds': np.median(rows[:, 10])}


def bulge_disc_rows(fitter, seed, n_galaxies=6):
    """
    Measure bulges of one to two FWHM in discs.
    """
    rows = []
    for k in range(n_galaxies):
        rng = np.random.default_rng([seed, 7, k])
        part, eps = (0.2, 0.4, 0.6)[k % 3], rng.uniform(0.1, 0.5)
        bulge_r, h = rng.uniform(1.0, 2.0) * FWHM, rng.uniform(4, 6) * FWHM
        n, flux, angle = (1.0, 2.0, 4.0)[k // 3 % 3], 1e5, rng.uniform(0, 180)
        galaxy = (sersic(n, bulge_r, eps, part * flux, angle)
                  + sersic(1.0, 1.67835 * h, eps, (1 - part) * flux, angle))
        psf = draw_psf(rng, k % 2)
        image, _, sigma = observe(galaxy, psf, rng, snr=1000, r_e=1.5 * h,
                                  eps=eps, flux=flux, n_pix=400)
        profile = fitter(as_cutout(image, sigma))
        row = measure_structure(profile, psf=psf_array(psf), n_samples=2)[0]
        plain = measure_structure(profile, n_samples=2)[0]
        rows.append([v for one in (row, plain) for v in (
            one['b_t'] - part, one['bulge_r_e'].value / (bulge_r * PIXEL),
            one['bulge_n'] / n, one['disc_h'].value / (h * PIXEL))])
    return np.array(rows, dtype=float)


def bulge_disc_figures(rows):
    """
    Summarise deviations of bulge and disc.
    """
    off = np.abs(rows - np.array([0, 1, 1, 1] * 2))
    names = ('b_t', 'bulge_r_e', 'bulge_n', 'disc_h')
    return {'galaxies': len(rows), **{
        f'{kind}{name}': np.median(off[:, i + 4 * j])
        for j, kind in enumerate(('', 'plain_'))
        for i, name in enumerate(names)}}


def real_rows(fitter, seed, files):
    """
    Measure Sersic galaxies behind PSFs of files, sampled as their pixels.
    """
    rows = []
    for number, path in enumerate(files):
        values = fits.getdata(path).astype(float)
        star = galsim.InterpolatedImage(galsim.Image(values, scale=1.0),
                                        x_interpolant='lanczos5', flux=1.0)
        width = PSF(values).fwhm
        for k, n in enumerate((1.0, 2.0, 4.0)):
            for size in (2.0,):
                rng = np.random.default_rng([seed, 11, number, k])
                r_e, eps, flux = size * width, 0.3, 1e5
                galaxy = sersic(n, r_e, eps, flux, 30.0)
                # (the PSF has its pixels already)
                image = galsim.Convolve(
                    galaxy, star, gsparams=LARGE).drawImage(
                    nx=301, ny=301, scale=1.0, method='no_pixel').array
                sigma = 0.5 * flux / np.sqrt(np.pi * r_e**2 * 0.7) / 1000
                image = image + rng.normal(0, sigma, image.shape)
                profile = fitter(as_cutout(image, sigma))
                row = measure_structure(profile, psf=values, n_samples=2)[0]
                rows.append((number, width, n, size, row['sersic_n'] / n,
                             row['sersic_r_e'].value / (r_e * PIXEL)))
    return np.array(rows, dtype=float)


def correction_rows(fitter, seed, n_galaxies=8):
    """
    Correct profiles: deviations (mag) from the galaxy without PSF.
    """
    rows = []
    for k in range(n_galaxies):
        rng = np.random.default_rng([seed, 13, k])
        n, eps = (1.0, 2.0, 4.0)[k % 3], rng.uniform(0.1, 0.6)
        r_e, flux = rng.uniform(1.5, 4) * FWHM, 1e5
        psf = draw_psf(rng, k % 2)
        # every other one is not the model that is fitted
        galaxy = sersic(n, r_e, eps, flux, 40.0)
        if k % 2:
            galaxy = 0.7 * galaxy + 0.3 * sersic(0.7, 0.6 * r_e, eps, flux,
                                                 40.0)
        image, _, sigma = observe(galaxy, psf, rng, snr=500, r_e=r_e, eps=eps,
                                  flux=flux, n_pix=256)
        profile = fitter(as_cutout(image, sigma))
        sharp = correct_psf(profile, psf_array(psf))
        at = profile['radius'].value / PIXEL
        c, s = np.cos(np.radians(40)), np.sin(np.radians(40))
        true = np.array([_sb(galaxy, a * c, a * s) for a in at])
        use = (at > 0.9) & (np.abs(sharp['psf_correction'].value) > 0.03) & (
            profile['surface_brightness_err'].value < 0.1)
        raw, new, error = ((one['surface_brightness'].value - true)[use]
                           if k != 2 else
                           sharp['surface_brightness_err'].value[use]
                           for k, one in enumerate((profile, sharp, None)))
        rows += list(zip(raw, new, error, strict=True))
    return np.array(rows)


def _sb(galaxy, x, y):
    """
    Calculate the surface brightness of a galaxy without PSF.
    """
    parts = getattr(galaxy, 'obj_list', [galaxy])
    value = sum(part.xValue(float(x), float(y)) for part in parts)
    return ZEROPOINT - 2.5 * np.log10(value / PIXEL**2)


def colour_rows(fitter, seed, n_galaxies=2, *, masked=False):
    """
    Match colours: deviations (mag) without, by profiles and by images.
    """
    rows = []
    for k in range(n_galaxies):
        rng = np.random.default_rng([seed, 17, k])
        eps, flux, angle = rng.uniform(0.1, 0.5), 1e5, 40.0
        bulge = sersic(2.5, rng.uniform(0.7, 1.5) * FWHM, eps / 2, 1.0, angle)
        disc = sersic(1.0, rng.uniform(4, 6) * FWHM, eps, 1.0, angle)
        images, psfs, clean = {}, {}, {}
        for band, (fwhm, part) in {'g': (1.5 * FWHM, 0.2),
                                   'r': (FWHM, 0.4)}.items():
            light = 0.6 if band == 'g' else 1.0
            galaxy = flux * light * (part * bulge + (1 - part) * disc)
            psfs[band] = galsim.Moffat(beta=3.0, fwhm=fwhm)
            image, _, sigma = observe(
                galaxy, psfs[band], rng, snr=1000, r_e=5 * FWHM, eps=eps,
                flux=flux, n_pix=300, offset=(0.0, 0.0))
            images[band] = image, sigma
            # both as seen behind the broader one
            clean[band] = galsim.Convolve(
                galaxy, galsim.Moffat(beta=3.0, fwhm=1.5 * FWHM),
                gsparams=LARGE).drawImage(nx=300, ny=300,
                                          scale=1.0).array.astype(float)
        mask = np.zeros((300, 300), bool)
        if masked:
            # stars in front of the galaxy, near its centre too
            y, x = np.indices(mask.shape) - 149.5
            for _ in range(12):
                d, t = rng.uniform(6, 60), rng.uniform(0, 2 * np.pi)
                mask |= np.hypot(x - d * np.cos(t), y - d * np.sin(t)) < 4
        arrays = {band: psf_array(psf) for band, psf in psfs.items()}

        def cut(image, sigma, mask=mask):
            return GalaxyCutout(image, mask=mask, zeropoint=ZEROPOINT,
                                pixel_scale=PIXEL, noise=sigma)

        bands = {band: cut(*pair) for band, pair in images.items()}
        plain = fitter.fit_bands(bands)
        matched = fitter.fit_bands(bands, psf=arrays)
        kernel = make_kernel(arrays['r'], arrays['g'],
                             window=SplitCosineBellWindow(0.3, 0.3))
        broad = convolve_fft(np.where(mask, np.nan, images['r'][0]), kernel,
                             boundary='wrap', normalize_kernel=True)
        by_images = fitter.fit_bands({'g': bands['g'], 'r': cut(
            np.nan_to_num(broad), images['r'][1])})
        centre = plain.profiles['r'].meta
        for j, result in enumerate((plain, matched, by_images)):
            table = result.colours
            shape = result.profiles['r']
            true = {band: sample_ellipses(
                clean[band], centre['x_centre'], centre['y_centre'],
                shape['radius'].value / PIXEL, np.asarray(
                    shape['ellipticity']), np.radians(shape['pa'].value),
                order=1)[0] for band in 'gr'}
            off = table['g-r'].value + 2.5 * np.log10(true['g'] / true['r'])
            at = table['radius'].value / PIXEL
            rows += [(j, a / FWHM, value, error) for a, value, error in zip(
                at, off, table['g-r_err'].value, strict=True)
                if 0.5 < a < 6 * FWHM and np.isfinite(value)]
    return np.array(rows)


def joint_rows(fitter, seed, n_galaxies=4):
    """
    Measure three bands, one of them faint, on one and on all.

    Rows: the reference, the galaxy, the error of the ellipses.
    """
    rows = []
    noise = {'u': 4.0, 'g': 1.3, 'r': 1.0}
    for k in range(n_galaxies):
        rng = np.random.default_rng([seed, 19, k])
        eps, angle = rng.uniform(0.15, 0.6), rng.uniform(0, 180)
        r_e, n, flux = rng.uniform(8, 14), rng.choice([1.0, 2.0]), 1e5
        psf = galsim.Moffat(beta=3.0, fwhm=FWHM)
        galaxy = sersic(n, r_e, eps, flux, angle)
        images, clean = {}, {}
        for band, light in {'u': 0.3, 'g': 0.8, 'r': 1.0}.items():
            image, clean[band], sigma = observe(
                galaxy * light, psf, rng, snr=60 / noise[band], r_e=r_e,
                eps=eps, flux=flux, n_pix=200, offset=(0.0, 0.0))
            images[band] = as_cutout(image, sigma)
        for j, reference in enumerate(('u', 'g', 'r', 'all')):
            try:
                result = fitter.fit_bands(images, reference=reference)
            except ValueError:
                continue
            shape = (result.geometry if reference == 'all'
                     else result.profiles[reference])
            at = shape['radius'].value / PIXEL
            use = (at > 1.5 * FWHM) & (at < 2 * r_e)
            if use.sum() < 3:
                continue
            pa = np.radians(shape['pa'].value[use])
            e = np.asarray(shape['ellipticity'])[use] * np.exp(2j * pa)
            # against the ellipses of the noise-free image
            true = _true_shape(clean['r'], at[use])
            off = np.median(np.abs(e - true))
            rows.append((j, k, off))
    return np.array(rows, dtype=float)


def _true_shape(image, sma):
    """
    Measure the ellipses of a noise-free image.
    """
    found = true_profile(image, image, 99.5, 99.5, sma)
    return found.eps * np.exp(2j * found.theta)


def make_tables(found):
    """
    Write the tables of the documentation as lines of text.
    """
    lines = []

    def percent(value):
        return f'{100 * value:.1f}%'

    name = 'IsophoteFitter'
    rows = [('Sersic galaxies', 'Galaxies', 'n: median deviation',
             'within 5%', 'R_e: median deviation', 'within 3%',
             'pulls (n, R_e)', 'without PSF (n, R_e)')]
    for key in (f'sersic {name}', f'sersic {name} n', f'sersic {name} small'):
        for label, part in found[key].items():
            if label == 'rows':
                continue
            rows.append((
                label + (', S/N 1500' if label.startswith(('n', 'R'))
                         else ''), str(part['galaxies']),
                percent(part['n_median_abs']), percent(part['n_within_5']),
                percent(part['r_median_abs']), percent(part['r_within_3']),
                f'{part["n_pull"]:.2f}, {part["r_pull"]:.2f}',
                f'{percent(part["plain_n"])}, {percent(part["plain_r"])}'))
    lines += list_table(rows[0], rows[1:])
    part = found['bulge and disc']
    lines += ['', *list_table(
        ('Bulges and discs, median deviation', 'B/T', 'bulge R_e',
         'bulge n', 'disc h'),
        [(label, f'{part[kind + "b_t"]:.3f}', *(
            percent(part[kind + key]) for key in (
                'bulge_r_e', 'bulge_n', 'disc_h')))
         for label, kind in (('with PSF', ''), ('without', 'plain_'))])]
    if 'real PSFs' in found:
        lines += ['', *list_table(
            ('PSF of a file', 'FWHM (pixels)', 'n: median, largest',
             'R_e: median, largest'),
            [(label, f'{part["fwhm"]:.2f}',
              f'{percent(part["n_median"])}, {percent(part["n"])}',
              f'{percent(part["r_median"])}, {percent(part["r"])}')
             for label, part in found['real PSFs'].items()])]
    part = found['correction']
    lines += ['', *list_table(
        ('Rings (mag)', 'median deviation', '90%', 'within the error'),
        [('as measured', f'{part["raw"]:.3f}', f'{part["p90_raw"]:.3f}',
          ''), ('corrected', f'{part["corrected"]:.3f}',
                f'{part["p90_corrected"]:.3f}',
                percent(part['within_error']))])]
    rows = []
    for key in ('colours', 'colours, masked'):
        for label, part in found[key].items():
            rows.append((f'{key}: {label}', f'{part["inner"]:.3f}',
                         f'{part["inner_p90"]:.3f}', f'{part["all"]:.3f}'))
    lines += ['', *list_table(
        ('Deviation of g-r (mag)', 'within 2 FWHM', '90%',
         'within 6 FWHM'), rows)]
    lines += ['', *list_table(
        ('Ellipses of', 'Galaxies', 'Median deviation of the ellipticity'),
        [(label, str(part['galaxies']), f'{part["shape"]:.4f}')
         for label, part in found['joint'].items()])]
    return lines


def main(args=None):
    """
    Print the figures and write them as ``psf.json``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--seed', type=int, default=31)
    parser.add_argument('--out', type=Path)
    parser.add_argument('--table', type=Path)
    parser.add_argument('--network', action='store_true',
                        help='measure Sersic galaxies with the network, too')
    parser.add_argument('--psfs', type=Path, nargs='*', default=[])
    parser.add_argument('--parts', nargs='*', default=[
        'sersic', 'bulge', 'real', 'correction', 'colour', 'joint'])
    args = parser.parse_args(args)
    warnings.simplefilter('ignore')
    fitter = IsophoteFitter()
    found = {'seed': args.seed, 'environment': describe_environment()}
    if args.out and (args.out / 'psf.json').exists():
        found = json.loads((args.out / 'psf.json').read_text()) | found
    if 'sersic' in args.parts:
        kinds = {'IsophoteFitter': fitter}
        if args.network:
            kinds['Pix2ProfFitter'] = Pix2ProfFitter(device='cpu')
        for name, kind in kinds.items():
            rows = sersic_rows(kind, args.seed)
            large = rows[rows[:, 1] > 1]
            found[f'sersic {name}'] = {
                f'S/N {snr}': sersic_figures(large[large[:, 3] == snr])
                for snr in SNRS}
            found[f'sersic {name}']['rows'] = rows[:, :8].tolist()
            found[f'sersic {name} n'] = {
                f'n = {n:g}': sersic_figures(large[
                    (large[:, 0] == n) & (large[:, 3] == SNRS[-1])])
                for n in INDICES}
            found[f'sersic {name} small'] = {'R50 = FWHM': sersic_figures(
                rows[(rows[:, 1] == 1) & (rows[:, 3] == SNRS[-1])])}
    if 'bulge' in args.parts:
        found['bulge and disc'] = bulge_disc_figures(
            bulge_disc_rows(fitter, args.seed))
    if 'real' in args.parts and args.psfs:
        rows = real_rows(fitter, args.seed, args.psfs)
        found['real PSFs'] = {path.name: {
            'fwhm': rows[rows[:, 0] == k, 1][0],
            'n': np.max(np.abs(rows[rows[:, 0] == k, 4] - 1)),
            'n_median': np.median(np.abs(rows[rows[:, 0] == k, 4] - 1)),
            'r': np.max(np.abs(rows[rows[:, 0] == k, 5] - 1)),
            'r_median': np.median(np.abs(rows[rows[:, 0] == k, 5] - 1))}
            for k, path in enumerate(args.psfs)}
    if 'correction' in args.parts:
        rows = correction_rows(fitter, args.seed)
        found['correction'] = {
            'rings': len(rows), 'raw': np.median(np.abs(rows[:, 0])),
            'corrected': np.median(np.abs(rows[:, 1])),
            'p90_raw': np.quantile(np.abs(rows[:, 0]), 0.9),
            'p90_corrected': np.quantile(np.abs(rows[:, 1]), 0.9),
            'within_error': np.mean(np.abs(rows[:, 1]) < rows[:, 2])}
    if 'colour' in args.parts:
        for name, masked in (('colours', False), ('colours, masked', True)):
            rows = colour_rows(fitter, args.seed, masked=masked)
            inner = rows[rows[:, 1] < 2]
            found[name] = {kind: {
                'inner': np.median(np.abs(inner[inner[:, 0] == j, 2])),
                'inner_p90': np.quantile(np.abs(
                    inner[inner[:, 0] == j, 2]), 0.9),
                'all': np.median(np.abs(rows[rows[:, 0] == j, 2])),
                'within_error': np.mean(np.abs(inner[inner[:, 0] == j, 2])
                                        < inner[inner[:, 0] == j, 3])}
                for j, kind in enumerate(('none', 'profiles', 'images'))}
    if 'joint' in args.parts:
        rows = joint_rows(fitter, args.seed)
        found['joint'] = {kind: {
            'galaxies': int((rows[:, 0] == j).sum()),
            'shape': np.median(rows[rows[:, 0] == j, 2])}
            for j, kind in enumerate(('u', 'g', 'r', 'all'))
            if (rows[:, 0] == j).any()}
    found = to_json(found)
    print(json.dumps({key: value for key, value in found.items()
                      if key != 'environment'}, indent=1))
    if args.out:
        (args.out / 'psf.json').write_text(json.dumps(found, indent=1) + '\n')
    if args.table:
        args.table.write_text('\n'.join(make_tables(found)) + '\n')


if __name__ == '__main__':
    main()
