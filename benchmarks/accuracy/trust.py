# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Count what flags catch: images that are no galaxy, or spoilt.

Galaxies are rendered with GalSim (``benchmarks.render.galaxies``), the
network was trained on another simulator. Each kind of image that is not of
the domain is counted by the flags that it got. Images of the training
simulator, with seeds of their own, tell how often galaxies of the domain are
flagged.

    python -m benchmarks.accuracy.trust --n 40 --table docs/trust.inc
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import galsim
import numpy as np
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter, ProfileBatch, decode_flags
from astro_pix2prof.networks import read_card
from astro_pix2prof.simulation import GalaxySimulator
from benchmarks.render.galaxies import SURVEYS, render

SEED = 6100
# of images of the training simulator
SEED_SIMULATED = 61_000_000
N_PIX = 256
# A galaxy is resolved if its half-light radius, as seen, is so many times the
# FWHM of its image.
RESOLVED = 1.5
HERE = Path(__file__).resolve().parent
# What tells a user not to trust the profile as it is.
TRUST = ('OUT_OF_DOMAIN', 'NO_SOURCE', 'NEIGHBOUR', 'CENTRE_UNCERTAIN',
         'SATURATED', 'POINT_SOURCE', 'WRONG_NOISE')


def galaxy(rng, seed, survey='sdss-r', case='plain'):
    """
    A galaxy: its image, its noise-free image, and the noise of a pixel.
    """
    hdus = render(seed, survey=survey, case=case, keep_galaxy=True)
    return (hdus[0].data.astype(float), hdus['GALAXY'].data.astype(float),
            hdus[0].header['SKYNOISE'])


def plain(rng, seed):
    """
    Galaxies as they are, of the domain.
    """
    return galaxy(rng, seed, case=None)[0]


def star(rng, seed):
    """
    A star instead of the galaxy, of magnitude 14 to 19.
    """
    pixel, fwhm, gain, sigma = SURVEYS['sdss-r']
    psf = galsim.Moffat(beta=rng.uniform(2.5, 4.5), fwhm=fwhm)
    flux = 10**(-0.4 * (rng.uniform(14, 19) - 22.5))
    stamp = galsim.Image(N_PIX, N_PIX, scale=pixel, dtype=float)
    psf.withFlux(flux).drawImage(stamp, offset=rng.uniform(-3, 3, 2))
    noise = np.sqrt(sigma**2 + np.maximum(stamp.array, 0) / gain)
    return stamp.array + noise * rng.normal(size=noise.shape)


def blank(rng, seed):
    """
    Sky without any galaxy.
    """
    sigma = SURVEYS['sdss-r'][3]
    slope = rng.uniform(-0.15, 0.15, 2)
    y, x = np.mgrid[:N_PIX, :N_PIX] / N_PIX - 0.5
    return sigma * (rng.normal(size=(N_PIX, N_PIX))
                    + slope[0] * x + slope[1] * y)


def trail(rng, seed):
    """
    The trail of a satellite through the galaxy.
    """
    image, _, sigma = galaxy(rng, seed)
    y, x = np.mgrid[:N_PIX, :N_PIX] - N_PIX / 2
    angle = rng.uniform(0, np.pi)
    across = x * np.sin(angle) - y * np.cos(angle) - rng.uniform(-10, 10)
    return image + rng.uniform(20, 100) * sigma * np.exp(
        -0.5 * (across / rng.uniform(1.5, 4))**2)


def stripes(rng, seed):
    """
    Rows with other levels, as of a bad read-out.
    """
    image, _, sigma = galaxy(rng, seed)
    level = np.repeat(rng.normal(size=N_PIX // 4), 4)
    return image + rng.uniform(2, 6) * sigma * level[:, None]


def step(rng, seed):
    """
    Two exposures with other skies, and an edge through the galaxy.
    """
    image, _, sigma = galaxy(rng, seed)
    image[:, N_PIX // 2 + int(rng.uniform(-30, 30)):] += (
        rng.uniform(3, 10) * sigma)
    return image


def merger(rng, seed):
    """
    Two galaxies of like brightness, the second within the first.
    """
    image, one, _ = galaxy(rng, seed)
    _, two, _ = galaxy(rng, seed + 50_000)
    two = two * one.sum() / two.sum() * rng.uniform(0.5, 1)
    weight = one / one.sum()
    y, x = np.mgrid[:N_PIX, :N_PIX]
    size = np.sqrt((weight * ((x - (weight * x).sum())**2
                              + (y - (weight * y).sum())**2)).sum())
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.2) * size
    shift = np.round([away * np.sin(angle), away * np.cos(angle)]).astype(int)
    return image + np.roll(two, shift, (0, 1))


def smooth(rng, seed):
    """
    An image that was smoothed: correlated noise.
    """
    image, _, _ = galaxy(rng, seed)
    return gaussian_filter(image, rng.uniform(1.5, 3))


def denoised(rng, seed):
    """
    The galaxy with hardly any noise, as of a denoised picture.
    """
    _, one, sigma = galaxy(rng, seed)
    return one + 1e-3 * sigma * rng.normal(size=one.shape)


def uneven(rng, seed):
    """
    Noise that is several times larger in a half of the frame.
    """
    image, _, sigma = galaxy(rng, seed)
    image[:, N_PIX // 2:] += (rng.uniform(3, 6) * sigma
                              * rng.normal(size=(N_PIX, N_PIX // 2)))
    return image


def saturated(rng, seed):
    """
    A core that is cut off, without a header that says it.
    """
    image, one, _ = galaxy(rng, seed)
    return np.minimum(image, rng.uniform(0.2, 0.5) * one.max())


KINDS = (plain, star, blank, merger, trail, stripes, step, uneven, smooth,
         denoised, saturated)


def _make(kind, number):
    rng = np.random.default_rng([SEED, number, KINDS.index(kind)])
    return kind(rng, SEED * 100_000 + number)


def measure(weights, n, n_jobs=1):
    """
    The share of images of each kind with each flag.

    Parameters
    ----------
    weights : str
        A name, or a ``.safetensors`` file.

    n : int
        Images of each kind.

    n_jobs : int, optional
        Processes that render.

    Returns
    -------
    rows : list of dict
    """
    fitter = Pix2ProfFitter(weights, device='cpu')
    rows = []
    with ProcessPoolExecutor(n_jobs, get_context('spawn')) as pool:
        for kind in KINDS:
            images = list(pool.map(_make, [kind] * n, range(n)))
            profiles = ProfileBatch.concatenate(fitter.fit_many(
                images, zeropoint=22.5, pixel_scale=0.396))
            flags = decode_flags(profiles.galaxies['flag'], 'galaxy')
            rows.append(count(kind.__name__,
                              kind.__doc__.strip().rstrip('.'), flags))
            print_row(rows[-1])
    return rows


def flags_of(profile):
    """
    List the names of the flags of a profile.
    """
    return decode_flags(profile.meta['flag'], kind='galaxy')


def count(kind, what, flags):
    """
    A row: the share of images with each flag.
    """
    names = (*TRUST, 'FAILED')
    return {'kind': kind, 'what': what, 'n': len(flags),
            'any': float(np.mean([bool({*f} & {*names}) for f in flags])),
            **{name: float(np.mean([name in f for f in flags]))
               for name in names}}


def measure_simulated(weights, n):
    """
    The same for galaxies of the training simulator.

    Parameters
    ----------
    weights : str
        A name, or a ``.safetensors`` file.

    n : int
        Images of galaxies that stand alone, and of such among stars and
        other galaxies.

    Returns
    -------
    rows : list of dict
        Alone; among others; and of all of these those that are resolved.
    """
    fitter = Pix2ProfFitter(weights, device='cpu')
    rows, everything = [], []
    for clutter in (False, True):
        galaxies = GalaxySimulator('mix', n_pix=N_PIX, clutter=clutter
                                   ).simulate(n, seed=SEED_SIMULATED + clutter)
        flags = [flags_of(fitter(
            galaxies.image[k].numpy(), mask=galaxies.mask[k].numpy(),
            zeropoint=22.5, pixel_scale=0.396)) for k in range(n)]
        everything += [f for k, f in enumerate(flags)
                       if is_resolved(galaxies, k)]
        rows.append(count(
            *(('crowded', 'The training simulator: galaxies among others')
              if clutter else
              ('alone', 'The training simulator: galaxies alone')), flags))
        print_row(rows[-1])
    rows.append(count('resolved', 'Of both, resolved galaxies', everything))
    print_row(rows[-1])
    return rows


def is_resolved(galaxies, k):
    """
    Whether half of the light lies farther out than 1.5 FWHM.
    """
    light = galaxies.clean[k].numpy().astype(float)
    x, y = galaxies.centre[k].tolist()
    ny, nx = light.shape
    radius = np.hypot(np.arange(nx) - x, np.arange(ny)[:, None] - y)
    inside = light[radius < RESOLVED * float(galaxies.fwhm[k])].sum()
    return bool(inside < 0.5 * light.sum())


def make_table(rows):
    """
    The rows as a table for the guide.
    """
    lines = ['.. list-table::', '    :header-rows: 1',
             '    :widths: 40 10 10 40', '',
             '    * - Images', '      - Number', '      - Any (%)',
             '      - Flags (%)']
    for row in rows:
        # one image of forty is 2.5%
        digits = 0 if row['n'] < 200 else 1
        shares = sorted(((row[name], name) for name in (*TRUST, 'FAILED')
                         if row[name] > 0), reverse=True)
        flags = [f'``{name}`` {100 * share:.{digits}f}'
                 for share, name in shares]
        lines += [f'    * - {row["what"]}', f'      - {row["n"]}',
                  f'      - {100 * row["any"]:.{digits}f}',
                  f'      - {", ".join(flags) or "none"}']
    return '\n'.join(lines) + '\n'


def print_row(row):
    """
    One line of the table.
    """
    print(f'{row["kind"]:10}' + f'{row["any"]:8.0%}' + ''.join(
        f'{row[name]:18.0%}' for name in (*TRUST, 'FAILED')), flush=True)


def main(args=None):
    """
    Print the table, and write it.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=40)
    parser.add_argument('--simulated', type=int, default=1000, metavar='N',
                        help='images of the training simulator, twice')
    parser.add_argument('--weights', default='rings')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--out', type=Path, metavar='FILE.json',
                        default=HERE / 'trust.json')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    args = parser.parse_args(args)
    print(f'{"":10}{"any":>8}' + ''.join(
        f'{name:>18}' for name in (*TRUST, 'FAILED')))
    rows = measure_simulated(args.weights, args.simulated)
    rows += measure(args.weights, args.n, args.jobs)
    args.out.write_text(json.dumps(
        {'seed': SEED, 'seed_simulated': SEED_SIMULATED,
         'weights': args.weights,
         'sha256': read_card(args.weights)['sha256'], 'rows': rows},
        indent=1) + '\n')
    if args.table:
        args.table.write_text(make_table(rows))


if __name__ == '__main__':
    main()
