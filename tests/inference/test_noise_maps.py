# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of networks on images whose noise map is uneven.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.background.noise import noise_weights

OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}
SHAPE = (240, 260)
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - 131.3, (Y - 118.6) / 0.7)
GALAXY = gaussian_filter(15 * np.exp(-RADIUS / 10), 1.3)


@pytest.fixture(scope='module', name='fitter')
def make_fitter():
    return Pix2ProfFitter()


def _noise(kind):
    """
    Make a map: rising across the frame, or with the photons of the galaxy.
    """
    if kind == 'ramp':
        return 9.0**(X / SHAPE[1] - 0.5)
    return np.sqrt(1 + 2 * GALAXY)


@pytest.mark.parametrize('kind', ['ramp', 'photons'])
def test_profiles(fitter, kind):
    """
    Rings are neither too bright nor too faint, nor is the magnitude.
    """
    noise = _noise(kind)
    off, total = [], []
    for seed in range(4):
        image = GALAXY + noise * np.random.default_rng(seed).normal(size=SHAPE)
        profile = fitter(image, noise=noise, **OPTIONS)
        radius = profile['radius'].value / 0.4
        seen = (radius > 8) & (radius < 30)
        truth = np.array([GALAXY[np.abs(RADIUS / r - 1) < 0.04].mean()
                          for r in radius[seen]]) / 0.4**2
        off.append(profile['surface_brightness'].value[seen]
                   - 22.5 + 2.5 * np.log10(truth))
        last = np.flatnonzero(radius < 45)[-1]
        inside = RADIUS <= radius[last]
        total.append(profile['mag_enclosed'].value[last]
                     - 22.5 + 2.5 * np.log10(GALAXY[inside].sum()))
    assert abs(np.mean(np.concatenate(off))) < 0.05
    assert np.abs(np.mean(off, 0)).max() < 0.15
    assert abs(np.mean(total)) < 0.06


@pytest.mark.parametrize('known', [True, False])
@pytest.mark.parametrize('kind', ['ramp', 'photons'])
def test_weights(kind, known):
    """
    Weights do not follow the noise of the pixels.
    """
    noise = _noise(kind)
    deviation = noise * np.random.default_rng(5).normal(size=SHAPE)
    image = GALAXY + deviation
    if not known and kind == 'photons':
        # (a variance of what was observed)
        noise = np.sqrt(1 + 2 * np.maximum(image, 0))
    weight = noise_weights(noise, image, image > 1e9, 1.0)
    if weight is None:
        weight = np.ones(SHAPE)
    part = (RADIUS > 8) & (RADIUS < 30)
    assert weight[part].mean() > 0.3
    mean = (weight * deviation)[part].sum() / weight[part].sum()
    usual = deviation[part].std() / np.sqrt(np.count_nonzero(part))
    assert abs(mean) < 3 * usual
