# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the isophote fit of galaxies whose nucleus is missing.
"""

import numpy as np
import pytest

from astro_pix2prof import IsophoteFitter, RingFlag, decode_flags

OPTIONS = {'unit': 'nmgy', 'pixel_scale': 1.0}
SIGMA, SCALE, CENTRE = 0.03, 7.0, (58.4, 61.7)
Y, X = np.mgrid[:120, :120]
FROM = np.hypot(X - CENTRE[0], Y - CENTRE[1])


@pytest.fixture(name='image', scope='module')
def fixture_image():
    """
    A disc of 1.5 in the middle, in the noise.
    """
    u = (X - CENTRE[0]) * np.cos(0.6) + (Y - CENTRE[1]) * np.sin(0.6)
    v = (Y - CENTRE[1]) * np.cos(0.6) - (X - CENTRE[0]) * np.sin(0.6)
    return 1.5 * np.exp(-np.hypot(u, v / 0.7) / SCALE) + (
        np.random.default_rng(12).normal(0, SIGMA, X.shape))


def scores(profile):
    """
    Deviations of bright rings from the disc in units of their errors.
    """
    sma = profile['radius'].value
    use = (sma > 1) & (1.5 * np.exp(-sma / SCALE) > SIGMA)
    # (rings far inside a hole have no value)
    use &= np.isfinite(profile['intensity'].value)
    value, error = (profile[name].value[use]
                    for name in ('intensity', 'intensity_err'))
    assert use.sum() > 15
    return np.abs(value - 1.5 * np.exp(-sma[use] / SCALE)) / error


HOLES = {
    'core': np.hypot(X - 59.2, Y - 61.2) < 6,
    'column beside it': np.abs(X - CENTRE[0] - 2.6) < 1.6,
    'disc beside it': np.hypot(X - 68.4, Y - 66.7) < 9.5}


@pytest.mark.parametrize('hole', HOLES)
def test_errors_hold(image, hole):
    profile = IsophoteFitter()(image, mask=HOLES[hole], **OPTIONS)
    meta = profile.meta
    assert np.hypot(meta['x_centre'] - CENTRE[0],
                    meta['y_centre'] - CENTRE[1]) < 1.0
    score = scores(profile)
    assert (score < 4).all()
    assert (score < 1.5).mean() > 0.6


def test_errors_of_a_saturated_core(image):
    flat = np.minimum(image, 0.6)
    profile = IsophoteFitter()(flat, saturation=0.59, **OPTIONS)
    assert 'SATURATED' in decode_flags(profile.meta['flag'], kind='galaxy')
    # (rings on saturated pixels are what the pixels say, and flagged)
    burnt = (profile['flag'] & int(RingFlag.SATURATED)) != 0
    assert 3 < profile['radius'].value[burnt].max() < 12
    assert (scores(profile[~burnt]) < 4).all()


def test_galaxy_beyond_the_search_radius(image):
    position = CENTRE[0] - 9, CENTRE[1]
    profile = IsophoteFitter(search_radius=5)(image, position=position,
                                              **OPTIONS)
    meta = profile.meta
    assert np.hypot(meta['x_centre'] - position[0],
                    meta['y_centre'] - position[1]) < 5.5
    assert (scores(profile) < 4).all()
