# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for planes that lie in files of their own.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import VarianceUncertainty

from astro_pix2prof.image.companions import read_plane
from astro_pix2prof.image.cutout import GalaxyCutout

SHAPE = (6, 7)


@pytest.mark.parametrize('name', ['STAT', 'VAR'])
def test_variances_are_no_standard_deviations(tmp_path, name):
    path = tmp_path / 'noise.fits'
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(
        np.full(SHAPE, 4.0), name=name)]).writeto(path)
    plane = read_plane('uncertainty', path, shape=SHAPE)
    assert isinstance(plane, VarianceUncertainty)
    assert plane.array[2, 3] == 4.0


def test_stat_beside_data_is_chosen(tmp_path):
    # as in a cube of MUSE that was made an image
    path = tmp_path / 'muse.fits'
    fits.HDUList([fits.PrimaryHDU(),
                  fits.ImageHDU(np.zeros(SHAPE), name='DATA'),
                  fits.ImageHDU(np.full(SHAPE, 9.0), name='STAT'),
                  ]).writeto(path)
    plane = read_plane('uncertainty', path)
    assert isinstance(plane, VarianceUncertainty)
    assert plane.array[0, 0] == 9.0


def test_exposure_time_is_no_inverse_variance(tmp_path):
    path = tmp_path / 'exposure.fits'
    header = fits.Header({'BUNIT': 's'})
    fits.PrimaryHDU(np.full(SHAPE, 900.0), header).writeto(path)
    plane = read_plane('invvar', path)
    image = np.random.default_rng(0).normal(5.0, 0.5, SHAPE)
    with pytest.raises(ValueError, match="the unit 's' of the uncertainty do"):
        GalaxyCutout(image, unit='nmgy', pixel_scale=0.4, invvar=plane)
