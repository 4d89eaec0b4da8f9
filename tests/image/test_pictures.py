# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of JPEG and PNG pictures.
"""

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal
from PIL import Image

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.pictures import is_picture, read_picture

COLOUR = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def write(tmp_path, array, mode=None):
    path = tmp_path / 'picture.png'
    picture = Image.fromarray(array)
    (picture if mode is None else picture.convert(mode)).save(path)
    return path


def test_endings():
    assert is_picture('a/b.JPG')
    assert is_picture('c.jpeg')
    assert not is_picture('jpg.fits')


class TestRead:
    def test_colour(self, tmp_path):
        path = write(tmp_path, COLOUR)
        assert_array_equal(read_picture(path), COLOUR.mean(-1))
        assert_array_equal(read_picture(path, 2), COLOUR[..., 2])

    def test_grey(self, tmp_path):
        path = write(tmp_path, COLOUR[..., 0])
        assert_array_equal(read_picture(path), COLOUR[..., 0])
        deep = (COLOUR[..., 0].astype(np.uint16)) * 300
        assert_array_equal(read_picture(write(tmp_path, deep)), deep)
        with pytest.raises(ValueError, match='which is a grey picture; got 1'):
            read_picture(path, 1)

    def test_palette(self, tmp_path):
        path = write(tmp_path, COLOUR, 'P')
        assert read_picture(path).shape == (4, 5)

    def test_transparent(self, tmp_path):
        array = np.concatenate([COLOUR, np.full((4, 5, 1), 255, 'u1')], -1)
        array[1, 2, 3] = 0
        image = read_picture(write(tmp_path, array))
        assert np.isnan(image[1, 2])
        assert np.isfinite(image).sum() == 19

    def test_errors(self, tmp_path):
        with pytest.raises(ValueError, match='band must be 0'):
            read_picture(write(tmp_path, COLOUR), 'g')
        with pytest.raises(FileNotFoundError, match='does not exist'):
            read_picture(tmp_path / 'no.jpg')
        bad = tmp_path / 'bad.jpg'
        bad.write_bytes(b'no picture')
        with pytest.raises(ValueError, match='is no picture that can be'):
            read_picture(bad)
        bad.write_bytes(b'<html>404</html>')
        with pytest.raises(ValueError, match='is a web page and no picture'):
            read_picture(bad)
        Image.new('RGB', (60, 50), 'red').save(bad)
        bad.write_bytes(bad.read_bytes()[:-40])
        with pytest.raises(ValueError, match=r'is no picture that .* truncat'):
            read_picture(bad)

    @pytest.mark.parametrize('kind', ['f4', 'u1'])
    def test_fits_in_disguise(self, kind, tmp_path):
        path = tmp_path / 'galaxy.jpg'
        fits.PrimaryHDU(COLOUR[..., 0].astype(kind)).writeto(path)
        with pytest.raises(ValueError, match='is a FITS file and no picture'):
            read_picture(path)


def test_smooth_core(tmp_path):
    """
    What compression has smoothed is not taken for pixels that were filled.
    """
    rng = np.random.default_rng(1)
    y, x = np.indices((96, 96)) - 48
    values = 60 + 150 * np.exp(-np.hypot(x, y) / 20) + rng.normal(
        0, 4, x.shape)
    # (a plane, as in a block that lost its details)
    values[44:52, 44:52] = 180 + 0.9 * x[:8, :8] + 0.37 * y[:8, :8]
    image = read_picture(write(tmp_path, (250 * values).astype('u2')))
    assert not GalaxyCutout(image, calibrated=False).mask.any()
    # (in an image that was measured, these are filled)
    same = GalaxyCutout(np.array(image), calibrated=False)
    assert same.mask[45:51, 45:51].all()
