# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compare the morphology with and without what the fit knows.

    python -m benchmarks.accuracy.morphology --table docs/morphology.inc
        --out benchmarks/accuracy/morphology.json

Simulated Sersic galaxies with three stars on or beside each. The reference is
statmorph on the same galaxy and noise without stars, on a segmentation by
photutils. Beside it: statmorph with stars, without a mask; the same with the
mask of the isophote fit; and `measure_morphology`, which fills the mask.
Smooth galaxies are the easy case for a smooth model.
"""

import argparse
import json
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
import statmorph
from astropy.convolution import Gaussian2DKernel, convolve
from astropy.modeling.models import Sersic2D
from photutils.segmentation import detect_sources

from astro_pix2prof import IsophoteFitter, measure_morphology

SHAPE = (101, 105)
NAMES = {'concentration': 'C', 'asymmetry': 'A', 'smoothness': 'S',
         'gini': 'Gini', 'm20': 'M20', 'shape_asymmetry': 'Shape asymmetry',
         'r50': 'R50, pixels'}


def simulate(seed):
    """
    Simulate a galaxy: without stars, with stars, and the level of its sky.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    n, r_eff = rng.uniform(0.8, 3.0), rng.uniform(6, 9)
    light = Sersic2D(24 if n > 2 else 40, r_eff=r_eff, n=n,
                     x_0=52 + rng.uniform(-0.5, 0.5),
                     y_0=50 + rng.uniform(-0.5, 0.5),
                     ellip=rng.uniform(0, 0.5), theta=rng.uniform(0, 3))(x, y)
    image = light + rng.normal(size=SHAPE)
    sky = rng.uniform(5, 50)
    stars = np.zeros(SHAPE)
    for _ in range(3):
        radius, angle = rng.uniform(8, 30), rng.uniform(0, 2 * np.pi)
        stars += 10**rng.uniform(1.5, 2.7) * np.exp(-0.5 * (
            (x - 52 - radius * np.cos(angle))**2
            + (y - 50 - radius * np.sin(angle))**2) / 1.4**2)
    return image + sky, image + sky + stars, sky


def alone(image):
    """
    Run statmorph as its tutorial does.
    """
    smooth = convolve(image, Gaussian2DKernel(1.2))
    threshold = 1.5 / (2 * np.sqrt(np.pi) * 1.2)
    segments = detect_sources(smooth, threshold, 5)
    return statmorph.SourceMorphology(
        image, segments.data, segments.data[50, 52],
        weightmap=np.ones(SHAPE))


def deviations(seed):
    """
    Measure one galaxy in each way; return deviations from the reference.
    """
    plain, image, sky = simulate(seed)
    truth, bare = alone(plain - sky), alone(image - sky)
    fit = IsophoteFitter().fit(image * u.nJy, pixel_scale=1.0)
    tables = [measure_morphology(fit, fill=fill) for fill in (False, True)]
    result = {}
    for name in NAMES:
        others = [float(u.Quantity(table[name][0]).value)
                  for table in tables]
        result[name] = [float(value) - float(truth[name])
                        for value in (bare[name], *others)]
    return result


def make_table(result):
    """
    The figures as a part of a page of the documentation.
    """
    lines = [
        f'{result["n"]} simulated Sersic galaxies with three stars on or '
        'beside each, against statmorph on the same', 'galaxies without '
        'stars: root mean square of the deviations.', '',
        '.. list-table::', '    :header-rows: 1', '', '    * - Measure',
        '      - statmorph alone', '      - with the mask of the fit '
        '(``fill=False``)', '      - mask filled (the default)']
    for name, text in NAMES.items():
        lines.append(f'    * - {text}')
        lines += [f'      - {value:.3f}' for value in result[name]]
    return '\n'.join(lines) + '\n'


def main():
    """
    Measure all galaxies and write the table.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--out', required=True)
    parser.add_argument('--table')
    parser.add_argument('--first', type=int, default=50)
    parser.add_argument('--n', type=int, default=16)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    found = [deviations(args.first + k) for k in range(args.n)]
    result = {'n': args.n, 'first': args.first}
    for name in NAMES:
        values = np.array([one[name] for one in found])
        result[name] = np.sqrt(np.mean(values**2, axis=0)).round(4).tolist()
    Path(args.out).write_text(json.dumps(result, indent=1) + '\n',
                              encoding='utf-8')
    print(json.dumps(result, indent=1))
    if args.table:
        Path(args.table).write_text(make_table(result), encoding='utf-8')


if __name__ == '__main__':
    main()
