# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Galaxies fainter than those of the training.
"""

import numpy as np
import pytest

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


@pytest.mark.parametrize('brightness', [0.4, 0.8, 1.5])
def test_errors_of_a_faint_band_hold(brightness):
    """
    On the ellipses of a deep band, intensities are right within their errors.

    Close to the centre, too, where one pixel is all that there is: its noise
    makes some intensities small, and must not make their errors small.
    """
    y, x = np.mgrid[:192, :192].astype(float)
    u, v = 0.8 * (x - 96.3) + 0.6 * (y - 95.6), (
        0.8 * (y - 95.6) - 0.6 * (x - 96.3))
    radius = np.hypot(u, v / 0.6)
    noise = 0.02
    fitter = Pix2ProfFitter(device='cpu')
    rng = np.random.default_rng(12)
    options = {'unit': 'nmgy', 'pixel_scale': 0.4}
    deep = fitter(50 * noise * np.exp(-radius / 8) + rng.normal(
        0, noise, radius.shape), **options)
    pulls, centres = [], []
    for _ in range(4):
        # (in units of the noise, at the centre)
        image = brightness * noise * np.exp(-radius / 8)
        profile = fitter(image + rng.normal(0, noise, image.shape),
                         geometry=deep, **options)
        sma = profile['radius'].value / 0.4
        true = brightness * noise * np.exp(-sma / 8) / 0.4**2
        pull = (profile['intensity'].value - true) / (
            profile['intensity_err'].value)
        pulls.extend(pull[sma < 12])
        centres.extend(pull[sma < 2])
    assert np.sqrt(np.mean(np.square(pulls))) < 1.5
    assert np.abs(centres).max() < 4
