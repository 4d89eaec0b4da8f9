# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Real galaxies with noise added and with larger pixels, against themselves.

Noise of 2, 5 and 10 times that of the image is added to each, or its pixels
are binned by 2 and 4. The profile is then compared with that of the image as
it is, where a ring has a signal-to-noise ratio above 3: how many rings lie
within their error of it, and by how much they are brighter in the median.

    python -m benchmarks.real.noisier DATA [--weights rings] [--json FILE]
"""

import argparse
import json
from pathlib import Path

import numpy as np
from astropy.nddata import block_reduce

from astro_pix2prof import GalaxyCutout, Pix2ProfFitter
from benchmarks.real.galaxies import CUBES, PAIRS, TABLES
from benchmarks.real.tables import TOTALS

NOISE, BINS = (2.0, 5.0, 10.0), (2, 4)
SEED = 4242
# Rings within so many pixels are those of another sampling of the centre.
INNER = 2.0
CLEAR = 3.0


def list_images(data):
    """
    List the images and the options with which they are read.

    Parameters
    ----------
    data : `~pathlib.Path`
        The folder of the real galaxies.

    Returns
    -------
    images : dict of tuple
        Path and options by name.
    """
    found = {name: (data / image, options)
             for name, (image, _, options) in TABLES.items()}
    stem, bands, native = CUBES['NGC 3610']
    for band in bands:
        found[f'NGC 3610 {band}'] = (
            data / 'sdss_legacy_viewer_cubes' / f'{stem}.fits',
            {'band': band, 'unit': 'nanomaggy',
             'native_pixel_scale': native})
    found['Abell 2744 cD'] = (data / TOTALS['Abell 2744 cD'], {})
    for name, (image, bands) in PAIRS.items():
        for band in bands:
            found[f'{name} {band}'] = (data / image, {
                'band': band, 'unit': 'nanomaggy'})
    return found


def plain_image(fit):
    """
    Convert the image of a fit to nanomaggies.

    Returns
    -------
    image : 2D `~numpy.ndarray`
        Nanomaggies per pixel.

    mask : 2D `~numpy.ndarray` of bool

    scale : float
        Arcsec per pixel.
    """
    scale = fit.cutout.pixel_scale.to_value('arcsec') if hasattr(
        fit.cutout.pixel_scale, 'to_value') else float(
            fit.cutout.pixel_scale)
    known = 10**(-0.4 * (fit.profile['surface_brightness'].value - 22.5))
    factor = np.nanmedian(known / fit.intensity) * scale**2
    return fit.cutout.data * factor, fit.cutout.mask, scale


def compare(profile, known, inner):
    """
    Compare a profile with another of the same galaxy.

    Parameters
    ----------
    profile, known : `~astropy.table.QTable`
        The profiles.

    inner : float
        The radius (arcsec) within which they are not compared.

    Returns
    -------
    row : dict
        ``n`` rings, ``within`` (the share within the error) and ``bias``
        (mag).
    """
    at = profile['radius'].to_value('arcsec')
    difference = profile['surface_brightness'].value - np.interp(
        at, known['radius'].to_value('arcsec'),
        known['surface_brightness'].value, right=np.nan)
    error = profile['surface_brightness_err'].value
    snr = profile['intensity'].value / profile['intensity_err'].value
    use = (snr > CLEAR) & (at >= inner) & np.isfinite(difference)
    return {'n': int(use.sum()), 'flag': int(profile.meta['flag']),
            'within': float(np.mean(np.abs(difference[use]) < error[use]))
            if use.any() else None,
            'bias': float(np.median(difference[use]))
            if use.any() else None,
            'largest': float(np.max(np.abs(difference[use])))
            if use.any() else None}


def measure(path, options, fitter, random):
    """
    Measure an image as it is, noisier, and with larger pixels.

    Returns
    -------
    rows : dict of dict
        As of `compare`, by what was done.
    """
    image, mask, scale = plain_image(fitter.fit(path, **options))
    mask = mask | ~np.isfinite(image)
    image = np.where(mask, 0.0, image)

    def fit(data, hidden, factor=1):
        return fitter.fit(GalaxyCutout(
            data, mask=hidden, unit='nanomaggy',
            pixel_scale=scale * factor))

    known = fit(image, mask)
    sigma = known.profile.meta['noise']
    rows = {}
    for level in NOISE:
        noisy = image + level * sigma * random.standard_normal(image.shape)
        rows[f'noise {level:g}'] = compare(
            fit(noisy, mask).profile, known.profile, 0.0)
    for n in BINS:
        # (a large pixel of which a part is missing is missing)
        hidden = block_reduce(mask.astype(float), n) > 0
        rows[f'binned {n}'] = compare(
            fit(block_reduce(image, n), hidden, n).profile, known.profile,
            INNER * n * scale)
    return rows


def main(args=None):
    """
    Measure all, and print.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('data', type=Path)
    parser.add_argument('--weights', default='rings')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args(args)
    fitter = Pix2ProfFitter(args.weights, device='cpu')
    random = np.random.default_rng(SEED)
    found = {}
    for name, (path, options) in list_images(args.data).items():
        found[name] = measure(path, options, fitter, random)
        for what, row in found[name].items():
            if row['n']:
                print(f'{name:16} {what:10} {row["n"]:3} rings, within '
                      f'{row["within"]:.0%}, bias {row["bias"]:+.3f}, '
                      f'largest {row["largest"]:.3f}, flag {row["flag"]}')
            else:
                print(f'{name:16} {what:10} nothing above S/N 3')
    for what in next(iter(found.values())):
        rows = [part[what] for part in found.values() if part[what]['n']]
        n = sum(row['n'] for row in rows)
        print(f'all {what}: within '
              f'{sum(row["n"] * row["within"] for row in rows) / n:.0%} of '
              f'{n} rings, bias '
              f'{np.median([row["bias"] for row in rows]):+.3f}')
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + '\n')


if __name__ == '__main__':
    main()
