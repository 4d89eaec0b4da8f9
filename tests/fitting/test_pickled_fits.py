# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of fits that are sent to other processes, or copied.
"""

import copy
import pickle

import pytest
from numpy.testing import assert_array_equal

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter, load_example


@pytest.fixture(scope='module')
def image():
    return load_example()


def fit_at_position(image):
    return Pix2ProfFitter().fit(image,
                                position=image.wcs.pixel_to_world(128, 128))


def fit_with_geometry(image):
    fitter = Pix2ProfFitter()
    return fitter.fit(image, geometry=fitter(image))


def fit_isophotes(image):
    return IsophoteFitter().fit(image)


def fit_two_bands(image):
    return Pix2ProfFitter().fit_bands({'g': image, 'r': image},
                                      keep_fits=True).fits['g']


@pytest.mark.parametrize('measure', [fit_at_position, fit_with_geometry,
                                     fit_isophotes, fit_two_bands])
def test_copies(image, measure):
    fit = measure(image)
    sky = fit.cutout.wcs.pixel_to_world(*fit.centre)
    for again in (pickle.loads(pickle.dumps(fit)), copy.deepcopy(fit)):
        assert type(again) is type(fit)
        assert_array_equal(again.profile['surface_brightness'],
                           fit.profile['surface_brightness'])
        assert_array_equal(again.cutout.data, fit.cutout.data)
        assert_array_equal(again.mask, fit.mask)
        found = again.cutout.wcs.pixel_to_world(*again.centre)
        assert found.separation(sky).arcsec < 1e-9


def test_all_bands(image):
    bands = Pix2ProfFitter().fit_bands({'g': image, 'r': image},
                                       keep_fits=True)
    again = pickle.loads(pickle.dumps(bands))
    assert list(again.fits) == ['g', 'r']
    assert_array_equal(again.colours['g-r'], bands.colours['g-r'])
