# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Deviations from ellipses (a3 to b4) of simulated galaxies with noise.

Sersic galaxies whose isophotes deviate from ellipses by known amplitudes,
with and without noise, at several signal-to-noise ratios. Each is measured
on its true ellipses, and on those that the fitters find.

    python -m benchmarks.accuracy.harmonics --n 200 --seed 50 \
        --out benchmarks/accuracy
"""

import argparse
import json
from pathlib import Path

import numpy as np
from astropy.table import Table
from scipy.special import gammaincinv

from astro_pix2prof import GalaxyCutout, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.ellipses.harmonics import measure_harmonics
from astro_pix2prof.fitting.harmonics import ring_width
from benchmarks.tables import describe_environment, to_json

NAMES = ('a3', 'b3', 'a4', 'b4')
# Intensity at the effective radius in units of the noise of a pixel.
LEVELS = 2.0, 10.0, 50.0
GAIN = 50.0

# Rings with more light than this (in units of the noise of a pixel) and larger
# semi-major axes (pixels) tell which part of an amplitude is found.
BRIGHT, RESOLVED = 3.0, 8.0


def draw(rng, level, *, amplitude=0.012):
    """
    Draw the parameters of a galaxy.

    Parameters
    ----------
    rng : `numpy.random.Generator`
        The source of random numbers.

    level : float
        Intensity at the effective radius.

    amplitude : float, optional
        The scatter of the deviations.

    Returns
    -------
    galaxy : dict
    """
    return {'level': level, 'n': rng.choice([1.0, 2.0, 4.0]),
            'r_e': rng.uniform(9, 18), 'eps': rng.uniform(0.05, 0.6),
            'theta': rng.uniform(0, np.pi),
            'centre': tuple(80 + rng.uniform(-2, 2, 2)),
            **{name: rng.normal(0, amplitude) for name in NAMES}}


def intensity(galaxy, n_pix=161, fine=3):
    """
    Make the image without noise: means over pixels.

    Parameters
    ----------
    galaxy : dict
        As `draw` returns it.

    n_pix, fine : int, optional
        The side of the image, and points along the side of a pixel.

    Returns
    -------
    image : 2D `~numpy.ndarray`
    """
    n = n_pix * fine
    y, x = ((np.mgrid[:n, :n] + 0.5) / fine - 0.5)
    x, y = x - galaxy['centre'][0], y - galaxy['centre'][1]
    c, s = np.cos(galaxy['theta']), np.sin(galaxy['theta'])
    u, v = x * c + y * s, (y * c - x * s) / (1 - galaxy['eps'])
    anomaly = np.arctan2(v, u)
    away = sum(galaxy[f'{part}{k}'] * wave(k * anomaly) for k in (3, 4)
               for part, wave in (('a', np.sin), ('b', np.cos)))
    sma = np.hypot(u, v) / (1 + away)
    b = gammaincinv(2 * galaxy['n'], 0.5)
    value = galaxy['level'] * np.exp(-b * (
        (sma / galaxy['r_e'])**(1 / galaxy['n']) - 1))
    return value.reshape(n_pix, fine, n_pix, fine).mean((1, 3))


def on_true_ellipses(image, galaxy, sigma=1.0):
    """
    Measure the deviations on the true ellipses.

    Returns
    -------
    sma : 1D `~numpy.ndarray`
        Semi-major axes (pixels).

    found : dict of tuple of 2 1D `~numpy.ndarray`
        Value and error of each.
    """
    sma = np.geomspace(3, 50, 24)
    one = np.ones_like(sma)
    level = np.interp(sma, *true_profile(galaxy))
    rings = measure_harmonics(
        image, np.ones(image.shape, bool), galaxy['centre'], sma,
        galaxy['eps'] * one, galaxy['theta'] * one, width=ring_width(sma),
        variance=sigma**2 + level / GAIN,
        correlation=ring_correlation(1.0, ring_width(sma)))
    found = {}
    for k in (3, 4):
        a, a_err, b, b_err = rings.deviation(k, sma)
        found |= {f'a{k}': (a, a_err), f'b{k}': (b, b_err)}
    return sma, found


def true_profile(galaxy):
    """
    Make the profile: semi-major axes and intensities.
    """
    sma = np.linspace(0.5, 120, 500)
    b = gammaincinv(2 * galaxy['n'], 0.5)
    return sma, galaxy['level'] * np.exp(-b * (
        (sma / galaxy['r_e'])**(1 / galaxy['n']) - 1))


def with_fitter(fitter, image):
    """
    Measure the deviations on the ellipses of a fitter.
    """
    profile = fitter(GalaxyCutout(image, gain=GAIN, calibrated=False),
                     harmonics=True)
    # (ellipses that are counted from the opposite end of the axis)
    return (profile['radius'].value,
            {name: (np.asarray(profile[name]),
                    np.asarray(profile[f'{name}_err'])) for name in NAMES})


def measure(way, n, seed):
    """
    Measure galaxies in one way.

    Parameters
    ----------
    way : {'ellipses', 'network', 'isophotes'}
        The true ellipses, or the fitter.

    n, seed : int
        The number of galaxies and the seed.

    Returns
    -------
    rings : `~astropy.table.Table`
        A row for each ring and deviation.
    """
    fitter = {'ellipses': None, 'network': Pix2ProfFitter,
              'isophotes': IsophoteFitter}[way]
    fitter = fitter and fitter()
    rows = []
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        level = LEVELS[k % len(LEVELS)]
        galaxy = draw(rng, level)
        clean = intensity(galaxy)
        image = clean + rng.normal(size=clean.shape) * np.sqrt(
            1 + clean / GAIN)
        sma, found = (on_true_ellipses(image, galaxy) if fitter is None
                      else with_fitter(fitter, image))
        for name, (value, error) in found.items():
            good = np.isfinite(value) & (sma >= 3) & (sma < 60)
            light = np.interp(sma, *true_profile(galaxy))
            rows += [(k, level, name, a, b, v, e, galaxy[name])
                     for a, b, v, e in zip(sma[good], light[good],
                                           value[good], error[good],
                                           strict=True)]
    return Table(rows=rows, names=('galaxy', 'level', 'name', 'sma', 'light',
                                   'value', 'error', 'true'))


def width(pulls):
    """
    Half of the interval that holds 68% of the pulls.
    """
    return 0.5 * float(np.diff(np.quantile(pulls, [0.16, 0.84]))[0])


def summarise(rings):
    """
    Calculate the widths of the pulls, and the part of the amplitude.

    Parameters
    ----------
    rings : `~astropy.table.Table`
        As `measure` returns it.

    Returns
    -------
    summary : dict
    """
    pull = (rings['value'] - rings['true']) / rings['error']
    out = {}
    for name in NAMES:
        part = pull[rings['name'] == name]
        out[name] = {'width': round(width(part), 3),
                     'median': round(float(np.median(part)), 3),
                     'beyond_3': round(float(np.mean(np.abs(part) > 3)), 4),
                     'n': len(part)}
    for level in LEVELS:
        here = rings['level'] == level
        # (by the true light: values and errors hold the same gradient)
        sure = here & (rings['light'] > BRIGHT) & (rings['sma'] > RESOLVED)
        value, error, true = (np.asarray(rings[name])[sure]
                              for name in ('value', 'error', 'true'))
        out[f'{level:g}'] = {
            'width': round(width(pull[here]), 3),
            'slope': round(float(value @ true / (true @ true)), 4),
            'slope_err': round(float(np.sqrt(((error * true)**2).sum())
                                     / (true @ true)), 4)}
    return out


def main():
    """
    Measure, and write or print the summary.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--n', type=int, default=200)
    parser.add_argument('--seed', type=int, default=50)
    parser.add_argument('--n-isophotes', type=int, default=40)
    parser.add_argument('--ways', nargs='+',
                        default=['ellipses', 'network', 'isophotes'])
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    found = {'seed': args.seed, 'environment': describe_environment()}
    for way in args.ways:
        n = args.n_isophotes if way == 'isophotes' else args.n
        found[way] = {'n_galaxies': n,
                      **summarise(measure(way, n, args.seed))}
    text = json.dumps(to_json(found), indent=1)
    if args.out:
        (args.out / 'harmonics.json').write_text(text + '\n')
    print(text)


if __name__ == '__main__':
    main()
