# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Skies that are not flat, and two galaxies that overlap.

A bowl, a wave, a step of an amplifier, a gradient and scattered light, of 0.3
to 2 times the noise of a pixel over the frame, are added to galaxies that
GalSim rendered, and a second galaxy 12 pixels from the first, with a third to
all of its light. The figures are those of the rings of 0.05 to 0.5 times the
noise of a pixel (of all brighter ones for the second galaxy).

    python -m benchmarks.render.galaxies --n 40 --seed 9301 --out FOLDER
    python -m benchmarks.accuracy.skies FOLDER --out benchmarks/accuracy
"""

import argparse
import json
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.modeling.models import Sersic2D
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter

KINDS = ('flat', 'gradient', 'bowl', 'wave', 'step', 'scattered light',
         'blend')
LEAST, MOST = 0.3, 2.0
# the rings, in units of the noise of a pixel
FAINT, BRIGHT = 0.05, 0.5
DISTANCE = 12.0


def draw_sky(shape, kind, rng):
    """
    Draw a sky of one kind, whose values span about 1.
    """
    y, x = (np.mgrid[:shape[0], :shape[1]] + 0.5) / np.reshape(
        shape, (2, 1, 1)) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    if kind == 'gradient':
        return along
    if kind == 'bowl':
        return rng.choice([-2, 2]) * (x**2 + y**2)
    if kind == 'wave':
        return 0.5 * np.sin(2 * np.pi * (along * rng.uniform(1, 2.5)
                                         + rng.random()))
    if kind == 'step':
        return (x > rng.uniform(-0.3, 0.3)).astype(float)
    if kind == 'scattered light':
        x0, y0 = rng.uniform(-0.6, 0.6, 2)
        return np.exp(-np.hypot(x - x0, y - y0) / 0.4)
    return np.zeros(shape)


def draw_second(header, truth, shape, rng):
    """
    Draw an exponential galaxy that overlaps the first.
    """
    y, x = np.mgrid[:shape[0], :shape[1]]
    angle = rng.uniform(0, 2 * np.pi)
    image = Sersic2D(
        1.0, rng.uniform(3, 10), 1.0,
        header['XTRUE'] + DISTANCE * np.cos(angle),
        header['YTRUE'] + DISTANCE * np.sin(angle),
        ellip=rng.uniform(0, 0.6), theta=rng.uniform(0, np.pi))(x, y)
    light = np.trapezoid(2 * np.pi * truth['sma'] * truth['intensity'] * (
        1 - truth['ellipticity']), truth['sma'])
    image *= np.exp(rng.uniform(np.log(1 / 3), 0)) * light / image.sum()
    return gaussian_filter(image, 1.4)


def measure(fitter, path, kind, rng):
    """
    Measure one galaxy.

    Returns
    -------
    delta, in_errors : 1D `~numpy.ndarray`
        The differences of the rings in mag, and in units of their errors.

    flag : `GalaxyFlag`
    """
    with fits.open(path) as hdus:
        image, header = hdus[0].data.astype(float), hdus[0].header
        truth = hdus['TRUTH'].data
    sigma = header['SKYNOISE']
    if kind == 'blend':
        image += draw_second(header, truth, image.shape, rng)
    else:
        size = np.exp(rng.uniform(np.log(LEAST), np.log(MOST)))
        image += size * sigma * draw_sky(image.shape, kind, rng)
    profile = fitter(fits.HDUList([fits.PrimaryHDU(
        image.astype('f4'), header)]))
    scale, level = profile.meta['pixel_scale'], truth['intensity'] / sigma
    use = level > FAINT
    if kind != 'blend':
        use &= level < BRIGHT
    true = profile.meta['sb_zeropoint'] - 2.5 * np.log10(
        truth['intensity'][use] / scale**2)
    found, error = (np.interp(
        truth['sma'][use] * scale, profile['radius'].value,
        profile[name].value, left=np.nan, right=np.nan)
        for name in ('surface_brightness', 'surface_brightness_err'))
    delta = found - true
    ok = np.isfinite(delta / error)
    return (delta[ok], (delta / error)[ok], GalaxyFlag(profile.meta['flag']))


def figures(fitter, paths, kind, seed):
    """
    Collect the figures of one fitter and one kind.
    """
    want = (GalaxyFlag.NEIGHBOUR if kind == 'blend'
            else GalaxyFlag.SKY_UNCERTAIN)
    delta, in_errors, flagged, silent, second = [], [], [], [], []
    for k, path in enumerate(paths):
        one, units, flag = measure(fitter, path, kind, np.random.default_rng(
            [seed, k, KINDS.index(kind)]))
        delta.append(one)
        in_errors.append(units)
        flagged.append(bool(flag & want))
        # (also where there is none)
        second.append(bool(flag & GalaxyFlag.NEIGHBOUR))
        wrong = len(one) and np.median(np.abs(one)) > 0.3 and np.median(
            np.abs(units)) > 2
        silent.append(bool(wrong and not flag & want))
    delta, in_errors = map(np.concatenate, (delta, in_errors))
    return {'n': len(paths), 'bias': float(np.median(delta)),
            'median': float(np.median(np.abs(delta))),
            'within_1': float(np.mean(np.abs(in_errors) < 1)),
            'within_2': float(np.mean(np.abs(in_errors) < 2)),
            'flagged': float(np.mean(flagged)),
            'neighbour': float(np.mean(second)),
            'wrong_and_silent': float(np.mean(silent))}


def main(args=None):
    """
    Print the figures and write them as ``skies.json``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--n', type=int, help='galaxies of each kind')
    parser.add_argument('--n-isophotes', type=int, default=12,
                        help='galaxies that IsophoteFitter measures')
    parser.add_argument('--out', type=Path)
    args = parser.parse_args(args)
    paths = sorted(args.folder.glob('galaxy_*.fits'))[:args.n]
    found = {}
    for fitter, n in ((Pix2ProfFitter(device='cpu'), None),
                      (IsophoteFitter(), args.n_isophotes)):
        for kind in KINDS:
            row = figures(fitter, paths[:n], kind, args.seed)
            found.setdefault(type(fitter).__name__, {})[kind] = row
            print(type(fitter).__name__, kind, {
                key: round(value, 3) for key, value in row.items()},
                flush=True)
            if args.out:
                (args.out / 'skies.json').write_text(
                    json.dumps(found, indent=2) + '\n')


if __name__ == '__main__':
    main()
