# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Radii of the bars of simulated galaxies.

Exponential discs with a bulge and a bar, inclined, smeared by a Gaussian and
with noise. The bars are those of the simulator of the training images
(`astro_pix2prof.simulation.components.bar`), from Ferrers bars to flat ones;
and some discs have arms or no bar. The radius that is measured, and the other
definitions of a length, are compared with the half-length of the bar.

    python -m benchmarks.accuracy.bars --n 100 --seed 60 \
        --out benchmarks/accuracy
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    bar_radius,
    fourier_profile,
)
from astro_pix2prof.simulation.components import bar
from benchmarks.accuracy.rings import LENGTHS
from benchmarks.tables import describe_environment, to_json

FITTERS = {'network': Pix2ProfFitter, 'isophotes': IsophoteFitter}

# Bars that are flat by less than this fade towards their ends.
FADING = 1 / 3


def draw(seed, k, *, n_pix=181, fine=2):
    """
    Draw a galaxy and its image.

    Parameters
    ----------
    seed, k : int
        The seed, and the number of the galaxy: of five, three have a bar,
        one has arms and one is a plain disc.

    n_pix, fine : int, optional
        The side of the image, and points along the side of a pixel.

    Returns
    -------
    image : 2D `~numpy.ndarray`
        The image, with noise of 1.

    galaxy : dict
        'kind', 'length' (pixels) and others.
    """
    rng = np.random.default_rng([seed, k])
    kind = ('bar', 'bar', 'bar', 'arms', 'disc')[k % 5]
    h, theta = rng.uniform(9, 14), rng.uniform(0, np.pi)
    q = np.cos(np.radians(rng.uniform(0, 55)))
    galaxy = {'kind': kind, 'h': h, 'theta': theta, 'q': q,
              'length': rng.uniform(0.7, 1.5) * h,
              'angle': rng.uniform(0, np.pi), 'flat': rng.uniform(),
              'bar_q': rng.uniform(0.2, 0.5), 'shape': rng.uniform(2, 3.4),
              'part': rng.uniform(0.1, 0.25), 'bulge': rng.uniform(0, 0.2)}
    n = n_pix * fine
    y, x = (np.mgrid[:n, :n] + 0.5) / fine - 0.5 - (n_pix - 1) / 2
    x, y = x - rng.uniform(-2, 2), y - rng.uniform(-2, 2)
    c, s = np.cos(theta), np.sin(theta)
    u, v = x * c + y * s, (y * c - x * s) / q
    r, phi = np.hypot(u, v), np.arctan2(v, u)
    disc = np.exp(-r / h) / (2 * np.pi * h**2)
    size = 0.15 * h
    light = (1 - galaxy['bulge']) * disc + galaxy['bulge'] * np.exp(
        -r / size) / (2 * np.pi * size**2)
    if kind == 'bar':
        c, s = np.cos(galaxy['angle']), np.sin(galaxy['angle'])
        along, across = u * c + v * s, v * c - u * s
        one = [torch.tensor([[galaxy[name]]], dtype=torch.float64)
               for name in ('length', 'bar_q', 'shape', 'flat')]
        shape = bar(torch.from_numpy(along.reshape(1, -1)),
                    torch.from_numpy(across.reshape(1, -1)), *one)
        light = (1 - galaxy['part']) * light + galaxy['part'] * (
            shape.numpy().reshape(light.shape))
    elif kind == 'arms':
        pitch = np.radians(rng.uniform(10, 25))
        wave = np.cos(2 * (phi - np.log(np.maximum(r, 0.1) / h)
                           / np.tan(pitch)))
        start = 1 / (1 + np.exp(-(r / h - 0.6) * 6))
        light = light + rng.uniform(0.3, 0.7) * wave * start * disc
    light = gaussian_filter(light, rng.uniform(0.8, 1.6) * fine)
    light = light.reshape(n_pix, fine, n_pix, fine).mean((1, 3))
    light *= rng.uniform(8, 40) / np.interp(h, *_profile(light, h))
    return light + rng.normal(size=light.shape), galaxy


def _profile(light, h):
    """
    Mean light in circles about the middle.
    """
    y, x = np.indices(light.shape) - (light.shape[0] - 1) / 2
    ring = np.hypot(x, y).astype(int).ravel()
    mean = np.bincount(ring, light.ravel()) / np.bincount(ring)
    return np.arange(len(mean)) + 0.5, mean


def measure(fitter, n, seed):
    """
    Measure the bars of n galaxies.

    Returns
    -------
    rows : list of dict
    """
    rows = []
    for k in range(n):
        image, galaxy = draw(seed, k)
        fit = fitter.fit(GalaxyCutout(image, calibrated=False))
        modes = fourier_profile(fit)
        row = bar_radius(modes, profile=fit.profile)[0]
        rows.append({**galaxy, 'radius': float(row['bar_radius'].value),
                     'error': float(row['bar_radius_err'].value),
                     'lengths': [[float(row[f'{name}{end}'].value)
                                  for end in ('', '_err')]
                                 for name in LENGTHS],
                     'strength': float(row['bar_strength']),
                     'disc_eps': modes.meta['ellipticity'],
                     'reason': str(row['reason'])})
    return rows


def _quantiles(ratio):
    """
    Calculate quantiles of parts of the length, and their number.
    """
    return {'n': len(ratio), **{f'{level:g}': round(float(np.quantile(
        ratio, level)), 3) for level in (0, 0.16, 0.5, 0.84, 1)}}


def summarise(rows):
    """
    Calculate how well radii are found, and how often a bar is seen.
    """
    bars = [row for row in rows if row['kind'] == 'bar']
    ratio = np.array([row['radius'] / row['length'] for row in bars])
    error = np.array([row['error'] / row['length'] for row in bars])
    found = np.isfinite(ratio)
    out = {'n_bars': len(bars), 'found': int(found.sum()),
           'median_ratio': round(float(np.median(ratio[found])), 3),
           'scatter': round(0.5 * float(np.diff(np.quantile(
               ratio[found], [0.16, 0.84]))[0]), 3),
           'median_error': round(float(np.median(error[found])), 3),
           'part_of_length': _quantiles(ratio[found])}
    # (0 is a Ferrers bar, 1 one that ends abruptly)
    fading = np.array([row['flat'] for row in bars]) < FADING
    out['part_of_length_fading'] = _quantiles(ratio[found & fading])
    lengths = np.array([row['lengths'] for row in bars])
    length = np.array([row['length'] for row in bars])
    for k, name in enumerate(LENGTHS):
        value = lengths[:, k, 0] / length
        known = np.isfinite(value)
        low, high = np.quantile(value[known], [0.16, 0.84])
        out[name] = {
            'n': len(bars), 'found': int(known.sum()),
            'median_ratio': round(float(np.median(value[known])), 3),
            'scatter': round(0.5 * float(high - low), 3),
            'median_error': round(float(np.nanmedian(
                lengths[known, k, 1] / length[known])), 3)}
    for kind in ('arms', 'disc'):
        part = [row for row in rows if row['kind'] == kind]
        out[kind] = {'n': len(part), 'taken_for_bars': sum(
            bool(np.isfinite(row['radius'])) for row in part)}
    return out


def main():
    """
    Measure, and print or write the summary.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--n', type=int, default=100)
    parser.add_argument('--seed', type=int, default=60)
    parser.add_argument('--n-isophotes', type=int, default=40)
    parser.add_argument('--fitters', nargs='+', choices=FITTERS,
                        default=list(FITTERS))
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    found = {'seed': args.seed, 'environment': describe_environment()}
    for name in args.fitters:
        n = args.n_isophotes if name == 'isophotes' else args.n
        found[name] = summarise(measure(FITTERS[name](), n, args.seed))
    text = json.dumps(to_json(found), indent=1)
    if args.out:
        (args.out / 'bars.json').write_text(text + '\n')
    print(text)


if __name__ == '__main__':
    main()
