# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Images to measure the throughput on.
"""

import numpy as np
from astropy.io import fits

__all__ = ['SCALE', 'read_truths', 'render_images', 'write_smooth']

SCALE = 0.396   # arcsec per pixel, the Sloan survey's
N_PIX = 256
SEED = 20_250
_AT_ONCE = 50   # images that are simulated together

# A pixel with more light of other objects than so many times the noise is
# masked.
_OTHERS = 0.5

# The ellipse that photutils starts at is at least so large, in pixels.
_LEAST = 4.0

# A smooth galaxy fills its frame: scale length over side, brightness of
# its centre over the noise, ellipticity. Rings reach S/N 1 near the edge.
_SMOOTH = 1 / 14, 300.0, 0.4


def render_images(folder, n):
    """
    Files of simulated galaxies, one extension each, and what is true.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where they are written; what is there is used.

    n : int
        How many.

    Returns
    -------
    paths : list of `~pathlib.Path`
    """
    from astro_pix2prof.datasets.simulated import make_simulated_hdus
    from astro_pix2prof.simulation import GalaxySimulator

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'galaxy_{k:05d}.fits' for k in range(n)]
    simulator = GalaxySimulator('sdss-r', n_pix=N_PIX)
    for start in range(0, n, _AT_ONCE):
        part = paths[start:start + _AT_ONCE]
        truth = folder / f'truth_{start:05d}.npz'
        if truth.exists() and all(path.exists() for path in part):
            continue
        # (always as many, so that the first galaxies are the same)
        galaxies = simulator.simulate(_AT_ONCE, seed=SEED + start)
        for k, path in enumerate(part):
            make_simulated_hdus(galaxies, k, number=start + k)[0].writeto(
                path, overwrite=True)
        others = galaxies.contamination / galaxies.sigma[:, None, None]
        np.savez_compressed(
            truth, centre=galaxies.centre.numpy(), sma=galaxies.sma.numpy(),
            eps=galaxies.ellipticity.numpy(), theta=galaxies.theta.numpy(),
            enclosed=galaxies.enclosed.numpy(),
            mask=np.packbits((galaxies.mask | (others > _OTHERS)).numpy(),
                             axis=-1))
    return paths


def read_truths(folder, n):
    """
    What photutils is told of the first galaxies.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder of the images.

    n : int
        How many.

    Returns
    -------
    truths : list of dict
        See `~benchmarks.throughput.others.time_photutils`. The ellipse is
        the true one that holds half of the light.
    """
    truths = []
    for start in range(0, n, _AT_ONCE):
        with np.load(folder / f'truth_{start:05d}.npz') as file:
            mask = np.unpackbits(file['mask'], axis=-1).astype(bool)
            sma = file['sma']
            for k in range(min(_AT_ONCE, n - start)):
                x, y = (float(value) for value in file['centre'][k])
                enclosed = file['enclosed'][k]
                half = int(np.argmax(enclosed >= 0.5 * enclosed.max()))
                half = max(half, int(np.argmax(sma >= _LEAST)))
                truths.append({
                    'x': x, 'y': y, 'sma': float(sma[half]),
                    'eps': max(float(file['eps'][k, half]), 0.05),
                    'theta': float(file['theta'][k, half]), 'mask': mask[k]})
    return truths


def write_smooth(folder, n_pix, n):
    """
    Files of galaxies that fill frames of any size: a disc and white noise.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where they are written; what is there is used.

    n_pix : int
        The side.

    n : int
        How many.

    Returns
    -------
    paths : list of `~pathlib.Path`
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'smooth_{n_pix}_{k:03d}.fits' for k in range(n)]
    for k, path in enumerate(paths):
        if path.exists():
            continue
        length, peak, eps = _SMOOTH
        rng = np.random.default_rng([SEED, n_pix, k])
        middle = (n_pix - 1) / 2
        angle = rng.uniform(0, np.pi)
        x = np.arange(n_pix, dtype=np.float32) - middle
        along = x * np.cos(angle) + x[:, None] * np.sin(angle)
        across = x[:, None] * np.cos(angle) - x * np.sin(angle)
        radius = np.hypot(along, across / (1 - eps))
        image = peak * np.exp(-radius / (length * n_pix))
        image += rng.standard_normal(image.shape, dtype=np.float32)
        hdu = fits.PrimaryHDU((0.02 * image).astype(np.float32))
        hdu.header.update({
            'BUNIT': 'nanomaggy', 'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN',
            'CRPIX1': middle + 1, 'CRPIX2': middle + 1, 'CRVAL1': 10.0 + k,
            'CRVAL2': 0.0, 'CDELT1': -SCALE / 3600, 'CDELT2': SCALE / 3600})
        hdu.writeto(path)
    return paths
