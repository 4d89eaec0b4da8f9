# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Random hostile images: a profile that holds together, or a clear error.

The quick tests try 24 images; ``--slow`` tries 5,000.
"""

import warnings

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter

NETWORK = Pix2ProfFitter()
ISOPHOTES = IsophoteFitter(step=0.2)

# Flags without which no profile may come from an image without a galaxy.
DOUBTFUL = (GalaxyFlag.NO_SOURCE | GalaxyFlag.OUT_OF_DOMAIN
            | GalaxyFlag.CENTRE_UNCERTAIN | GalaxyFlag.POINT_SOURCE
            | GalaxyFlag.WRONG_NOISE | GalaxyFlag.HEAVILY_MASKED
            | GalaxyFlag.NEIGHBOUR | GalaxyFlag.TRUNCATED
            | GalaxyFlag.SATURATED | GalaxyFlag.SKY_UNCERTAIN
            | GalaxyFlag.CENTRE_OFFSET)


@st.composite
def images(draw):
    """
    Draw an image, its mask, and whether there is a galaxy in it.
    """
    ny, nx = (draw(st.integers(24, 90)) for _ in range(2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y, x = np.mgrid[:ny, :nx]
    peak = draw(st.sampled_from([0.0, 3.0, 60.0, 1e4]))
    scale = draw(st.floats(1.0, 30.0))
    x_0, y_0 = (draw(st.floats(0.2, 0.8)) * n for n in (nx, ny))
    q = draw(st.floats(0.15, 1.0))
    image = peak * np.exp(-np.hypot(x - x_0, (y - y_0) / q) / scale)
    noise = draw(st.sampled_from(['white', 'smooth', 'none', 'poisson',
                                  'integers', 'uneven']))
    white = rng.normal(0, 1, (ny, nx))
    if noise == 'poisson':
        image = rng.poisson(image * 0.1 + 0.02).astype(float)
    elif noise != 'none':
        image = image + (gaussian_filter(white, 1.5) if noise == 'smooth'
                         else white)
    if noise == 'integers':
        image = np.round(image)
    elif noise == 'uneven':
        image[:, nx // 2:] += rng.normal(0, 5, (ny, nx - nx // 2))
    image = image + draw(st.sampled_from([0.0, 0.0, -5.0, 2.0, 1e3]))
    mask = np.zeros((ny, nx), bool)
    for _ in range(draw(st.integers(0, 3))):
        first, last = sorted(draw(st.integers(0, nx)) for _ in range(2))
        part = draw(st.sampled_from([
            np.s_[:, first:last], np.s_[first % ny:, :], np.s_[::2],
            np.s_[first % ny, first % nx], np.s_[:, :3]]))
        value = draw(st.sampled_from([np.nan, np.inf, 0.0, -99.0, 1e5,
                                      'mask', 'clip', 'hot']))
        if value == 'mask':
            mask[part] = True
        elif value == 'clip':
            image = np.minimum(image, np.nanmedian(image) + 20)
        elif value == 'hot':
            image[ny // 2, nx // 2] += 1e5
        else:
            image[part] = value
    image = image * draw(st.sampled_from([1.0, 1e-33, 1e12, -1.0]))
    kind = draw(st.sampled_from(['f8', 'f4', '>f4']))
    return image.astype(kind), mask, peak > 0


def check(fitter, drawn):
    image, mask, is_galaxy = drawn
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyUserWarning)
        try:
            profile = fitter(image, mask=mask, zeropoint=25.0,
                             pixel_scale=0.3)
        except ValueError as error:
            # nothing to measure is an error that says so
            if 'usable pixel' not in str(error):
                raise
            return
    radius = profile['radius'].value
    assert len(radius) >= 1
    assert np.all(np.diff(radius) > 0)
    eps, valid = (np.asarray(profile[name]) for name in (
        'ellipticity', 'n_valid'))
    assert np.all((eps >= 0) & (eps < 1))
    assert np.all((valid >= 0) & (valid <= 1.0001))
    value, error = (profile[name].value for name in (
        'intensity', 'intensity_err'))
    assert np.all((error > 0) | ~np.isfinite(value) | (value <= 0))
    bright = profile['surface_brightness'].value
    # what is no galaxy has no surface brightness, and says so
    gone = bool(profile.meta['flag'] & int(GalaxyFlag.NO_SOURCE))
    assert np.array_equal(np.isfinite(bright), np.isfinite(value)
                          & (value > 0) & (not gone))
    assert np.isfinite(profile.meta['sky'])
    assert profile.meta['noise'] > 0
    if not is_galaxy:
        assert profile.meta['flag'] & int(DOUBTFUL)


QUIET = {'deadline': None, 'derandomize': True, 'database': None,
         'suppress_health_check': list(HealthCheck)}


@settings(max_examples=24, **QUIET)
@given(images())
def test_network(drawn):
    check(NETWORK, drawn)


@settings(max_examples=6, **QUIET)
@given(images())
def test_isophotes(drawn):
    check(ISOPHOTES, drawn)


@pytest.mark.slow
@settings(max_examples=5000, **QUIET)
@given(images())
def test_network_at_length(drawn):
    check(NETWORK, drawn)


@pytest.mark.slow
@settings(max_examples=300, **QUIET)
@given(images())
def test_isophotes_at_length(drawn):
    check(ISOPHOTES, drawn)


def no_box_of_sky():
    """
    An image whose few pixels below a constant are all next to missing ones.
    """
    image = np.full((70, 53), 99.0)
    image[::2, :6] = -3.0
    return image


def all_sizes():
    """
    A galaxy below a sky without noise, down to the smallest numbers.
    """
    y, x = np.mgrid[:72, :47]
    return -3.2e-5 * np.exp(-2.5 * np.hypot(x - 23, y - 36)).astype('f4')


def steep():
    """
    A galaxy without noise, whose light falls below any digit of its peak.
    """
    y, x = np.mgrid[:64, :70]
    return 60 * np.exp(-np.hypot(x - 35, (y - 32) / 0.15))


def centre_leaves():
    """
    A dark spot, from which a network goes on until it leaves the frame.
    """
    y, x = np.mgrid[:29, :50]
    return -3 * np.exp(-np.hypot(x - 24.134, (y - 3.885) / 0.27181) / 2.7443)


@pytest.mark.parametrize('fitter', [NETWORK, ISOPHOTES])
@pytest.mark.parametrize('make', [no_box_of_sky, all_sizes, steep,
                                  centre_leaves])
def test_unlikely(fitter, make):
    image = make()
    check(fitter, (image, np.zeros(image.shape, bool), True))


def test_noise_below_the_digits():
    """
    What is less than a digit of the brightest pixels is no noise.
    """
    y, x = np.mgrid[:90, :90]
    image = 60 * np.exp(-np.hypot(x - 74, (y - 74) / 0.15))
    meta = NETWORK(image, zeropoint=25.0, pixel_scale=0.3).meta
    assert meta['noise'] > 1e-12 * 60
