# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising a sky that is darker around the galaxy.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter, decode_flags
from astro_pix2prof.fitting.bowls import has_bowl
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.rings import MeasuredRings

SIZE = 161
Y, X = np.indices((SIZE, SIZE))
RADIUS = np.hypot(X - 80.2, (Y - 79.7) / 0.7)
GALAXY = gaussian_filter(200 * np.exp(-RADIUS / 5), 1.3)
NONE = np.zeros(GALAXY.shape, bool)


def _noise(width=0.0, seed=4):
    noise = np.random.default_rng(seed).normal(size=GALAXY.shape)
    if width:
        noise = gaussian_filter(noise, width)
    return noise / noise.std()


def _rings(**values):
    sma = np.geomspace(1, 60, 25)
    intensity = np.interp(sma, np.arange(80), [
        GALAXY[(RADIUS >= k) & (RADIUS < k + 1)].mean() for k in range(80)])
    cutout = GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4)
    same = np.ones(len(sma))
    values = {'noise': 1.0, 'sky_err': 0.01, 'eps': 0.3 * same, **values}
    return MeasuredRings(
        cutout, sma, intensity, 0.1 + 0.01 * intensity, theta=0 * same,
        n_valid=same, flag=0 * same.astype(int), galaxy_flag=GalaxyFlag(0),
        centre=(80.2, 79.7), **values)


@pytest.fixture(scope='module')
def moat():
    """
    A galaxy from which a map that follows it was subtracted.
    """
    image = GALAXY + _noise()
    return image - 0.7 * gaussian_filter(image, 15, mode='nearest')


def test_moat(moat):
    assert has_bowl(moat, NONE, _rings())
    # (an error of the sky that explains it, or no source)
    assert not has_bowl(moat, NONE, _rings(sky_err=1.0))
    assert not has_bowl(moat, NONE, _rings(noise=0.0))
    assert not has_bowl(moat, ~NONE, _rings())
    assert not has_bowl(moat, NONE, _rings(eps=np.full(25, np.nan)))


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('width', [0.0, 1.5])
def test_good_sky(width, seed):
    rings = _rings(noise_correlation=max(3.5 * width, 1.0))
    image = GALAXY + _noise(width, seed)
    assert not has_bowl(image, NONE, rings)
    # dark on one side only, and a star in the sky
    image[:, 110:] -= 0.5
    image[RADIUS > 60] += 3.0
    assert not has_bowl(image, NONE, rings)


@pytest.mark.parametrize('make', [Pix2ProfFitter, IsophoteFitter])
def test_flag(make, moat):
    fitter = make()
    for image, wanted in ((moat, True), (GALAXY + _noise(), False)):
        profile = fitter(image, unit='nmgy', pixel_scale=0.4)
        flags = decode_flags(profile.meta['flag'], kind='galaxy')
        assert ('SKY_UNCERTAIN' in flags) is wanted
