# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
What the flags of a network catch: images that are no galaxy, or spoilt.

Galaxies are rendered with GalSim (``render_galaxies.py``), the network was
trained on another simulator. Each kind of image that is not of the domain
is counted by the flags that it got.

    python benchmarks/trust.py --n 60 --weights rings
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import galsim
import numpy as np
from render_galaxies import SURVEYS, render
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter, decode_flags

SEED = 6100
N_PIX = 256
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
            profiles = fitter.measure_all(images, zeropoint=22.5,
                                          pixel_scale=0.396)
            flags = [['FAILED'] if isinstance(p, Exception) else
                     decode_flags(p.meta['flag'], kind='galaxy')
                     for p in profiles]
            shares = {name: float(np.mean([name in f for f in flags]))
                      for name in (*TRUST, 'FAILED')}
            rows.append({'kind': kind.__name__,
                         'what': kind.__doc__.strip().rstrip('.'), 'n': n,
                         'any': float(np.mean([bool({*f} & {
                             *TRUST, 'FAILED'}) for f in flags])), **shares})
            print_row(rows[-1])
    return rows


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
    parser.add_argument('--n', type=int, default=60)
    parser.add_argument('--weights', default='rings')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--out', type=Path, metavar='FILE.json')
    args = parser.parse_args(args)
    print(f'{"":10}{"any":>8}' + ''.join(
        f'{name:>18}' for name in (*TRUST, 'FAILED')))
    rows = measure(args.weights, args.n, args.jobs)
    if args.out:
        args.out.write_text(json.dumps(
            {'seed': SEED, 'rows': rows}, indent=1) + '\n')


if __name__ == '__main__':
    main()
