# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of images with a border of missing pixels.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import GalaxyCutout, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.image.cropping import without_border

OPTIONS = {'zeropoint': 22.5, 'pixel_scale': 0.4}
NY, NX = 90, 97


@pytest.fixture(scope='module', params=[Pix2ProfFitter, IsophoteFitter])
def fitter(request):
    return request.param()


@pytest.fixture(name='image', scope='module')
def fixture_image():
    """
    A galaxy that fills its frame.
    """
    y, x = np.mgrid[:NY, :NX]
    x, y = x - 47.3, y - 45.2
    radius = np.hypot(0.8 * x + 0.6 * y, (0.8 * y - 0.6 * x) / 0.6)
    return 300 * np.exp(-radius / 18) + np.random.default_rng(5).normal(
        size=(NY, NX))


@pytest.fixture(name='plain', scope='module')
def fixture_plain(fitter, image):
    return fitter.fit(image, **OPTIONS)


def check(fit, plain, first, shape):
    """
    Check that a fit is that of the image alone, in pixels of the whole.
    """
    assert fit.flags == plain.flags
    for name in ('radius', 'intensity', 'intensity_err', 'ellipticity', 'pa',
                 'n_valid'):
        assert_allclose(fit.profile[name].value if hasattr(
            fit.profile[name], 'value') else fit.profile[name], getattr(
                plain.profile[name], 'value', plain.profile[name]), rtol=1e-6)
    assert_array_equal(fit.profile['flag'], plain.profile['flag'])
    assert_allclose(fit.centre, np.add(plain.centre, first))
    assert fit.cutout.shape == fit.mask.shape == shape
    inside = np.s_[first[1]:first[1] + NY, first[0]:first[0] + NX]
    assert_array_equal(fit.mask[inside], plain.mask)
    assert (~fit.mask).sum() == (~plain.mask).sum()
    assert_allclose(fit.model()[inside], plain.model(), rtol=1e-6)
    assert_allclose(fit.subtracted()[inside], plain.subtracted(), rtol=1e-6)


def test_missing_border(fitter, image, plain):
    whole = np.full((NY + 70, NX + 81), np.nan)
    whole[30:30 + NY, 40:40 + NX] = image
    position = tuple(np.add(plain.cutout.position, (40, 30)))
    fit = fitter.fit(whole, position=position, **OPTIONS)
    alone = fitter.fit(image, position=plain.cutout.position, **OPTIONS)
    check(fit, alone, (40, 30), whole.shape)
    for name, first in (('x_centre', 40), ('y_centre', 30)):
        assert_allclose(fit.profile.meta[name],
                        alone.profile.meta[name] + first)
    batch, = fitter.fit_many([whole], position=position, **OPTIONS)
    assert batch.galaxies['flag'][0] == alone.profile.meta['flag']


def test_size_beyond_the_frame(fitter, image, plain):
    fit = fitter.fit(image, size=(200, 220), **OPTIONS)
    check(fit, plain, tuple(-n for n in fit.cutout.origin), (200, 220))
    assert_allclose(fit.profile.meta['x_centre'],
                    plain.profile.meta['x_centre'])


def test_given_ellipses(fitter, image, plain):
    fit = fitter.fit(image, size=(200, 220), geometry=plain.profile,
                     **OPTIONS)
    alone = fitter.fit(image, geometry=plain.profile, **OPTIONS)
    assert_allclose(fit.profile['intensity'].value,
                    alone.profile['intensity'].value, rtol=1e-6)


class TestWithoutBorder:
    def test_nothing_to_cut(self, image):
        cutout = GalaxyCutout(image, **OPTIONS)
        assert without_border(cutout) is cutout
        gap = image.copy()
        gap[20:30] = np.nan
        gap[:40, :3] = np.nan
        cutout = GalaxyCutout(gap, **OPTIONS)
        assert without_border(cutout) is cutout

    def test_position_in_the_border(self, image):
        image = image.copy()
        image[:20] = np.nan
        cutout = GalaxyCutout(image, position=(40, 10), **OPTIONS)
        assert without_border(cutout) is cutout
        cutout = without_border(GalaxyCutout(image, position=(40, 20),
                                             **OPTIONS))
        assert cutout.shape == (NY - 20, NX)
        assert cutout.position == (40, 0)
        assert cutout.origin == (0, 20)

    def test_few_pixels(self, image):
        image = np.where(np.arange(NX) // 3 == 15, image, np.nan)
        cutout = GalaxyCutout(image, position=(46, 40), **OPTIONS)
        assert without_border(cutout) is cutout
