# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Render flat Sersic galaxies with numpy alone.

A third renderer, beside GalSim and the simulator of the package: Sersic
laws, sampled five times finer than the pixels and convolved with a Gaussian
and the pixel. Nothing else is in the frames but the noise. The layout of
the files is that of ``benchmarks.render.galaxies``.

    python -m benchmarks.render.sersic --n 40 --seed 2028 --out DIR
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.special import gammaincinv

from benchmarks.render.frame import start_header, truth_table
from benchmarks.render.truth import true_profile

__all__ = ['render_sersic']

# Pixels of the finer grid in one of the frame; arcsec per pixel; electrons
# per nanomaggy; noise of a sky pixel (nanomaggies), as of SDSS in r.
_FINER, _PIXEL, _GAIN, _SIGMA = 5, 0.396, 954.0, 0.030


def render_sersic(seed, *, ellipticity=0.9, n_pix=256):
    """
    Render a frame of a Sersic galaxy.

    Parameters
    ----------
    seed : int
        The seed of everything.

    ellipticity : float, optional
        The ellipticity, before the PSF.

    n_pix : int, optional
        The side of the frame.

    Returns
    -------
    hdus : `~astropy.io.fits.HDUList`
        Image in nanomaggies, and the true profile (table).
    """
    rng = np.random.default_rng([seed, 20280101])
    n = float(rng.choice([0.7, 1.0, 1.5, 2.5, 4.0]))
    r_e = np.exp(rng.uniform(np.log(12), np.log(0.16 * n_pix)))
    mu_e, fwhm = rng.uniform(20.5, 23.0), rng.uniform(2.2, 4.5)
    theta = rng.uniform(0, np.pi)
    centre = (n_pix - 1) / 2 + rng.uniform(-8, 8, 2)
    # the finer grid goes beyond the frame, for ellipses that do
    margin = n_pix // 4
    size = (n_pix + 2 * margin) * _FINER
    at = (np.arange(size) + 0.5) / _FINER - 0.5 - margin
    dx, dy = at[None, :] - centre[0], at[:, None] - centre[1]
    u = dx * np.cos(theta) + dy * np.sin(theta)
    v = dy * np.cos(theta) - dx * np.sin(theta)
    r = np.hypot(u, v / (1 - ellipticity))
    level = 10**(-0.4 * (mu_e - 22.5)) * _PIXEL**2
    fine = level * np.exp(-gammaincinv(2 * n, 0.5) * (
        (r / r_e)**(1 / n) - 1))
    fine = gaussian_filter(fine, fwhm / 2.3548 * _FINER, truncate=5)
    fine = uniform_filter(fine, _FINER)
    sma = np.concatenate([[0, 0.5], np.arange(1, 0.7 * n_pix)])
    place = (centre + margin + 0.5) * _FINER - 0.5
    true = true_profile(fine, fine, *place, sma, scale=_FINER)
    inner = fine[margin * _FINER + _FINER // 2::_FINER,
                 margin * _FINER + _FINER // 2::_FINER][:n_pix, :n_pix]
    image = inner + rng.normal(size=inner.shape) * np.sqrt(
        _SIGMA**2 + inner / _GAIN)
    header = start_header(n_pix, _PIXEL)
    header.update({
        'FILTER': 'r', 'SURVEY': 'sdss-r',
        'GAIN': _GAIN, 'SKYNOISE': _SIGMA, 'FWHM': fwhm * _PIXEL,
        'XTRUE': centre[0], 'YTRUE': centre[1], 'CASE': f'n = {n:g}',
        'SEED': seed, 'G_TYPE': 'edge-on', 'G_N': n, 'G_R_E': r_e * _PIXEL,
        'MAGTRUE': 22.5 - 2.5 * np.log10(_total(n, r_e, level)
                                         * (1 - ellipticity))})
    table = truth_table(true, _SIGMA, _GAIN)
    return fits.HDUList([fits.PrimaryHDU(image.astype('f4'), header),
                         fits.BinTableHDU(table, name='TRUTH')])


def _total(n, r_e, level):
    """
    Compute the flux of a round Sersic law by integration.
    """
    r = np.geomspace(1e-4, 1e3, 20000) * r_e
    light = level * np.exp(-gammaincinv(2 * n, 0.5) * (
        (r / r_e)**(1 / n) - 1))
    return np.trapezoid(2 * np.pi * r * light, r)


def main(args=None):
    """
    Write ``--n`` frames to ``--out``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=40)
    parser.add_argument('--seed', type=int, default=2028)
    parser.add_argument('--ellipticity', type=float, default=0.9)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(args)
    args.out.mkdir(parents=True, exist_ok=True)
    for k in range(args.n):
        path = args.out / f'galaxy_{k:04d}.fits'
        if not path.exists():
            render_sersic(args.seed * 100_000 + k,
                          ellipticity=args.ellipticity).writeto(path)


if __name__ == '__main__':
    main()
