# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the sections module of image.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.sections import cut_section

SHAPE = (80, 100)
VALUES = np.arange(8000.0).reshape(SHAPE)


@pytest.fixture(name='header')
def fixture_header(make_wcs):
    return make_wcs(SHAPE, rotation=20.0).to_header()


@pytest.fixture(name='cut')
def fixture_cut(tmp_path):
    """
    A function that returns the section, and where its first pixel lies.
    """
    def cut(data, position, size, header=None, others=()):
        images = fits.HDUList([fits.PrimaryHDU(data, header), *others])
        images.writeto(tmp_path / 'image.fits')
        with open_fits(tmp_path / 'image.fits') as hdulist:
            section, place, (x, y) = cut_section(hdulist, position, size,
                                                 hdu=0)
        ny, nx = section[0].data.shape[-2:]
        assert_array_equal(section[0].data, data[..., y:y + ny, x:x + nx])
        return section, place, (x, y)

    return cut


class TestCutSection:
    @pytest.mark.parametrize('size', [20, (20, 12), 20 * u.pix])
    def test_size(self, cut, size):
        # a tenth and a few pixels more than what was asked for
        section, place, _ = cut(VALUES, (52.0, 41.0), size)
        ny, nx = section[0].data.shape
        assert (ny, nx) == (31, 31)
        assert place == (15, 15)

    @pytest.mark.parametrize('position', [
        (-0.5, 40.0), (99.5, 40.0), (50.0, -0.5), (50.0, 79.5), (3.0, 77.0)])
    def test_edge(self, cut, position):
        section, place, origin = cut(VALUES, position, 10)
        assert_allclose(np.add(place, origin), position)
        ny, nx = section[0].data.shape
        assert 9 <= min(ny, nx) <= max(ny, nx) <= 21
        assert (origin[0] == 0) or (origin[0] + nx == 100) or (nx == 21)
        # all pixels within five of the position
        for k, (length, n) in enumerate(((nx, 100), (ny, 80))):
            assert origin[k] <= max(position[k] - 5, 0)
            assert origin[k] + length >= min(position[k] + 5, n)

    @pytest.mark.parametrize('position', [
        (-0.6, 40.0), (99.6, 40.0), (50.0, -0.6), (50.0, 79.6)])
    def test_outside(self, cut, position):
        with pytest.raises(ValueError, match='lies outside of the image of '
                           '100 x 80 pixels'):
            cut(VALUES, position, 10)

    def test_sky(self, cut, header):
        # the section maps its pixels to the same sky
        wcs = WCS(header)
        place = wcs.pixel_to_world(61.3, 33.8)
        section, (x, y), origin = cut(VALUES, place, 20, header)
        assert_allclose((x + origin[0], y + origin[1]), (61.3, 33.8),
                        atol=1e-6)
        found = WCS(section[0].header).pixel_to_world(x, y)
        assert found.separation(place) < 1e-6 * u.arcsec

    def test_angle(self, cut, header):
        # pixels of 0.396 arcsec
        section, *_ = cut(VALUES, (50.0, 40.0), 20.1 * 0.396 * u.arcsec,
                          header)
        assert section[0].data.shape in ((31, 31), (33, 33))

    @pytest.mark.parametrize(('position', 'size'), [
        ((50, 40), 8 * u.arcsec), (SkyCoord(150, 2, unit='deg'), 20)])
    def test_no_wcs(self, cut, position, size):
        with pytest.raises(ValueError, match='the image has no celestial'):
            cut(VALUES, position, size)

    def test_planes(self, cut):
        # all planes of a cube, and the extensions of its shape
        cube = np.stack([VALUES, 2 * VALUES, -VALUES])
        others = [fits.ImageHDU(VALUES + 1, name='ERR'),
                  fits.ImageHDU(np.ones((7, 7)), name='SMALL'),
                  fits.ImageHDU(VALUES.ravel(), name='LINE')]
        section, _, (x, y) = cut(cube, (50.0, 40.0), 12, others=others)
        ny, nx = section[0].data.shape[1:]
        assert section[0].data.shape[0] == 3
        assert_array_equal(section['ERR'].data,
                           VALUES[y:y + ny, x:x + nx] + 1)
        assert section['SMALL'].data is None
        assert section['LINE'].data is None
        assert len(section) == 4
