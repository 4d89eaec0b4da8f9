# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Galaxies fainter than those of the training.
"""

import numpy as np

from astro_pix2prof import Pix2ProfFitter


def test_faint_galaxies_are_what_the_pixels_say():
    """
    A disc fainter than those of the training is not made a brighter one.

    On given ellipses nothing but the means of the rings counts.
    """
    y, x = np.mgrid[:192, :192].astype(float)
    radius = np.hypot(x - 96.3, y - 95.6)
    noise = 0.02
    found, held = [], []
    for seed in range(4):
        # (the brightest pixel is 1.3 times the noise)
        image = 1.3 * noise * np.exp(-radius / 10)
        image = image + np.random.default_rng(seed).normal(
            0, noise, image.shape)
        profile = Pix2ProfFitter(fit_centre=False, device='cpu')(
            image, unit='nmgy', pixel_scale=0.4, position=(96.3, 95.6),
            ellipticity=0)
        sma = profile['radius'].value / 0.4
        use = (sma > 2) & (sma < 16)
        true = 1.3 * noise * np.exp(-sma / 10) / 0.4**2
        away = (profile['intensity'].value - true)[use]
        found.append(np.median(away / true[use]))
        held.append(np.mean(np.abs(away)
                            < profile['intensity_err'].value[use]))
    assert abs(np.mean(found)) < 0.25
    assert np.mean(held) > 0.45
