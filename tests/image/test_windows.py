# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of parts of images by memory maps.
"""

import numpy as np
import pytest
from astropy.io import fits

from astro_pix2prof.image.files import open_fits, read_pixels
from astro_pix2prof.image.windows import map_window

WINDOW = slice(3, 17), slice(5, 20)


def write(path, kind='>f4', shape=(20, 30), **cards):
    data = np.random.default_rng(5).normal(50, 9, shape).astype(kind)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, fits.Header(cards))]
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.parametrize('kind', ['u1', '>i2', '>i4', '>i8', '>f4', '>f8'])
@pytest.mark.parametrize('shape', [(20, 30), (2, 20, 30)])
def test_window(tmp_path, kind, shape):
    """
    The pixels and their type are those of a section of astropy.
    """
    with open_fits(write(tmp_path / 'tile.fits', kind, shape)) as hdulist:
        expected = hdulist[1].section[(..., *WINDOW)]
        window = map_window(hdulist[1], WINDOW)
        assert window.dtype == expected.dtype
        assert window.shape == (*shape[:-2], 14, 15)
        assert (window == expected).all()
        assert window.flags.owndata
        assert (read_pixels(hdulist[1], WINDOW) == expected).all()


def test_read_by_map(tmp_path, monkeypatch):
    """
    A plain tile is not read row by row.
    """
    def refuse(*args):
        raise AssertionError

    with open_fits(write(tmp_path / 'tile.fits')) as hdulist:
        monkeypatch.setattr(fits.hdu.image.Section, '__getitem__', refuse)
        assert read_pixels(hdulist[1], WINDOW).shape == (14, 15)


@pytest.mark.parametrize(('name', 'kind'), [
    ('tile.fits.gz', '>f4'), ('scaled.fits', 'u2')])
def test_others(tmp_path, name, kind):
    """
    Compressed and scaled images are read by astropy.
    """
    with open_fits(write(tmp_path / name, kind)) as hdulist:
        assert map_window(hdulist[1], WINDOW) is None
        expected = hdulist[1].section[WINDOW]
        assert (read_pixels(hdulist[1], WINDOW) == expected).all()


def test_memory(tmp_path):
    """
    Pixels in memory are left to astropy.
    """
    with open_fits(write(tmp_path / 'tile.fits')) as hdulist:
        hdulist[1].data[:] = 7
        assert map_window(hdulist[1], WINDOW) is None


def test_no_file():
    """
    Images in memory have no file to map.
    """
    assert map_window(fits.ImageHDU(np.zeros((20, 30))), WINDOW) is None


def test_gone(tmp_path):
    """
    A file that was replaced since is not mapped.
    """
    path = write(tmp_path / 'tile.fits')
    with open_fits(path) as hdulist:
        path.unlink()
        assert map_window(hdulist[1], WINDOW) is None
        write(path, shape=(90, 90))
        assert map_window(hdulist[1], WINDOW) is None
