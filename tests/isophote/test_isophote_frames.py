# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the isophote fit on frames that are not what they should be.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyFlag, IsophoteFitter
from astro_pix2prof.isophote.window import frame_window, sample_sky

OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}
SIGMA = 0.03


def make_galaxy(*, shape=(161, 161), centre=(80.0, 80.0), scale=8.0, q=0.6,
                theta=0.6):
    """
    An exponential disc without noise.
    """
    y, x = np.mgrid[:shape[0], :shape[1]]
    u = (x - centre[0]) * np.cos(theta) + (y - centre[1]) * np.sin(theta)
    v = (y - centre[1]) * np.cos(theta) - (x - centre[0]) * np.sin(theta)
    return 1.5 * np.exp(-np.hypot(u, v / q) / scale)


def offsets(profile, *, scale=8.0, inner=4.0):
    """
    Magnitude differences from the disc where it is bright.
    """
    a = profile['radius'].to_value('arcsec') / 0.4
    part = (a > inner) & (1.5 * np.exp(-a / scale) > SIGMA)
    value = profile['intensity'].value[part] * 0.4**2
    return -2.5 * np.log10(value / (1.5 * np.exp(-a[part] / scale)))


@pytest.fixture(name='image', scope='module')
def fixture_image():
    rng = np.random.default_rng(4)
    return make_galaxy() + rng.normal(0, SIGMA, (161, 161))


@pytest.fixture(name='whole', scope='module')
def fixture_whole(image):
    """
    The profile of the image as it is.
    """
    return IsophoteFitter()(image, **OPTIONS)


class TestMissing:
    @pytest.mark.parametrize('columns', [slice(84, 96), slice(70, 77)])
    def test_columns(self, image, columns):
        image = image.copy()
        image[:, columns] = np.nan
        profile = IsophoteFitter()(image, **OPTIONS)
        assert abs(np.median(offsets(profile))) < 0.04
        a = profile['radius'].value / 0.4
        part = (a > 8) & (a < 30)
        assert_allclose(np.median(profile['ellipticity'][part]), 0.4,
                        atol=0.03)

    def test_core(self, image):
        y, x = np.mgrid[:161, :161]
        mask = np.hypot(x - 80, y - 80) < 7
        profile = IsophoteFitter()(image, mask=mask, **OPTIONS)
        meta = profile.meta
        assert np.hypot(meta['x_centre'] - 80, meta['y_centre'] - 80) < 1.0
        assert abs(np.median(offsets(profile, inner=10))) < 0.06

    def test_cosmic_ray(self, image):
        image = image.copy()
        image[82, 83] += 100.0
        fit = IsophoteFitter().fit(image, **OPTIONS)
        assert fit.mask[82, 83]
        assert_allclose(fit.centre, (80, 80), atol=0.5)
        assert abs(np.median(offsets(fit.profile))) < 0.04
        bare = IsophoteFitter(mask_sources=False).fit(image, **OPTIONS)
        assert not bare.mask.any()


class TestHostile:
    @pytest.mark.parametrize('name', [
        'integers', 'counts', 'flat', 'flat with a pixel', 'step', 'huge',
        'tiny'])
    def test_no_exception(self, name):
        rng = np.random.default_rng(1)
        clean = make_galaxy(shape=(72, 64), centre=(31.0, 35.0), scale=4.0)
        noisy = clean + rng.normal(0, SIGMA, clean.shape)
        image = {
            'integers': np.round(noisy * 20),
            'counts': rng.poisson(clean + 0.02).astype(float),
            'flat': np.full(clean.shape, 7.0),
            'flat with a pixel': np.where(clean == clean.max(), 5.0, 0.0),
            'step': np.repeat([[0.0], [3.0]], 36, axis=0) * np.ones(64),
            'huge': noisy * 1e30,
            'tiny': noisy * 1e-33}[name]
        profile = IsophoteFitter()(image, **OPTIONS)
        assert len(profile) >= 4

    def test_coarse_integers(self, image):
        profile = IsophoteFitter()(np.round(image * 20) / 20, **OPTIONS)
        assert abs(np.median(offsets(profile))) < 0.05

    def test_unit(self, image, whole):
        one = whole
        two = IsophoteFitter()(image * 1e-33, **OPTIONS)
        n = min(len(one), len(two)) - 6
        assert_allclose(two['surface_brightness'][:n].value - 82.5,
                        one['surface_brightness'][:n].value, atol=1e-3)
        assert_allclose(two['intensity'][:n] * 1e33, one['intensity'][:n],
                        rtol=1e-3)

    def test_search_radius(self, image):
        image = image + 2 * SIGMA * np.linspace(-0.5, 0.5, 161)
        image[:, 92:95] += 30.0
        meta = IsophoteFitter()(image, **OPTIONS).meta
        assert np.hypot(meta['x_centre'] - 80, meta['y_centre'] - 80) < 1.5


class TestLastDigit:
    @pytest.mark.parametrize('seed', [1, 2])
    def test_noise_of_1e7(self, image, whole, seed):
        rng = np.random.default_rng(seed)
        one = whole
        two = IsophoteFitter()(
            image * (1 + 1e-7 * rng.standard_normal(image.shape)), **OPTIONS)
        n = min(len(one), len(two))
        snr = (one['intensity'] / one['intensity_err'])[:n].value
        change = np.abs(one['surface_brightness'][:n]
                        - two['surface_brightness'][:n]).value
        assert (change[snr > 2] < 0.003).all()


class TestLargeFrames:
    def test_window(self):
        assert frame_window((500, 600), (300, 250), 256) == (
            slice(0, 500), slice(0, 600))
        assert frame_window((2000, 3000), (2900, 100), 256) == (
            slice(0, 357), slice(2644, 3000))

    def test_sky_of_a_part(self):
        rng = np.random.default_rng(0)
        image = rng.normal(5.0, 2.0, (1400, 1300))
        level, sigma = sample_sky(image, np.zeros(image.shape, bool))
        assert_allclose(level, 5.0, atol=0.05)
        assert_allclose(sigma, 2.0, rtol=0.03)

    def test_small_galaxy_in_a_large_frame(self):
        shape = (1100, 1200)
        rng = np.random.default_rng(2)
        image = rng.normal(0, SIGMA, shape)
        part = np.s_[819:980, 219:380]
        image[part] += make_galaxy()
        fit = IsophoteFitter().fit(image, position=(300, 898), **OPTIONS)
        assert_allclose(fit.centre, (299, 899), atol=0.3)
        assert fit.mask.shape == shape
        # Alone in its surroundings, it has the same profile.
        cut = image[640:1100, 60:540]
        small = IsophoteFitter()(cut, position=(240, 258), **OPTIONS)
        n = 30
        assert_allclose(fit.profile['surface_brightness'][:n].value,
                        small['surface_brightness'][:n].value, atol=0.02)
        assert abs(np.median(offsets(fit.profile))) < 0.04
        forced = IsophoteFitter()(image, geometry=fit.profile, **OPTIONS)
        assert_allclose(forced['surface_brightness'][:n].value,
                        fit.profile['surface_brightness'][:n].value,
                        atol=0.01)


def test_companion_on_the_galaxy(image, whole):
    """
    What touches the outline only is no neighbour, what lies on the disc is.
    """
    assert not whole.meta['flag'] & GalaxyFlag.NEIGHBOUR
    y, x = np.mgrid[:161, :161]
    for away, seen in ((17, True), (55, False)):
        other = 0.5 * np.exp(-np.hypot(x - 80 - away, y - 80) / 2)
        profile = IsophoteFitter()(image + other, **OPTIONS)
        assert bool(profile.meta['flag'] & GalaxyFlag.NEIGHBOUR) == seen
