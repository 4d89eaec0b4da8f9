# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the sections module of image.
"""

import pickle
import warnings
from contextlib import closing
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image import plain as image_plain
from astro_pix2prof.image import sections as image_sections
from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.header import header_wcs
from astro_pix2prof.image.plain import PlainImage, plain_wcs
from astro_pix2prof.image.sections import cut_section, open_sections

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

    def test_outside_on_sky(self, cut, header):
        middle = WCS(header).pixel_to_world(49.5, 39.5)
        far = SkyCoord(middle.ra, -middle.dec - 1 * u.deg)
        with pytest.raises(ValueError, match='of 100 x 80 pixels, whose mid'
                           f'dle is at {middle.ra.deg:.5f}d '
                           f'{middle.dec.deg:.5f}d') as error:
            cut(VALUES, far, 10, header)
        assert str(error.value).startswith(
            f'position={far.ra.deg:.5f}d {far.dec.deg:.5f}d is outside')

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


@pytest.fixture(name='plain')
def fixture_plain(tmp_path):
    """
    A plain file of a noisy galaxy, with a WCS, a unit and a gain.
    """
    y, x = np.indices(SHAPE)
    data = np.random.default_rng(4).normal(0, 0.02, SHAPE) + 5 * np.exp(
        -np.hypot(x - 52, y - 41) / 5)
    header = fits.Header({
        'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN', 'CRPIX1': 3.0,
        'CRPIX2': 5.0, 'CRVAL1': 10.0, 'CRVAL2': 20.0, 'CD1_1': -1e-4,
        'CD1_2': 2e-5, 'CD2_1': 2e-5, 'CD2_2': 1e-4, 'BUNIT': 'nanomaggy',
        'GAIN': 900.0, 'FILTER': 'r', 'OBJECT': 'M 1'})
    path = tmp_path / 'plain.fits'
    fits.writeto(path, data.astype('>f4'), header)
    return path


def assert_same(one, other):
    """
    Check that two cutouts are the same, bit for bit.
    """
    for name in ('data', 'mask', 'position', 'origin', 'pixel_scale', 'gain',
                 'zeropoint', 'band', 'name', 'unit', 'shape'):
        assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.data.dtype == other.data.dtype
    pixels = [[0, 3.5], [7, 1.25]]
    assert_array_equal(one.wcs.all_pix2world(pixels, 0),
                       other.wcs.all_pix2world(pixels, 0))
    assert one.wcs.array_shape == other.wcs.array_shape
    assert one.to_sky_pa(12.0) == other.to_sky_pa(12.0)


class TestSectionFile:
    @pytest.mark.parametrize(('position', 'size'), [
        ((52.0, 41.0), 20), ((3.0, 77.0), (12, 16)), ((52, 41), 30 * u.pix),
        ((52.0, 41.0), 8 * u.arcsec),
        (SkyCoord(9.9946, 20.0045, unit='deg'), 8 * u.arcsec)])
    def test_plain_is_as_any_other(self, plain, position, size):
        """
        The lean way gives the cutout that astropy's HDUs give.
        """
        with closing(open_sections(plain)) as file:
            lean, *places = file.cut(position, size)
        with open_fits(plain) as hdulist:
            section, *others = cut_section(hdulist, position, size)
        assert isinstance(lean, PlainImage)
        assert places == others
        assert_same(GalaxyCutout(lean, position=places[0], size=size),
                    GalaxyCutout(section, position=places[0], size=size))
        # (as it is sent to another process)
        assert_same(
            GalaxyCutout(pickle.loads(pickle.dumps(lean)),
                         position=places[0], size=size),
            GalaxyCutout(section, position=places[0], size=size))

    @pytest.mark.parametrize(('given', 'read'), [
        ((), ()), (('mask',), ('mask', 'weight')),
        (('invvar',), ('weight',)), (('uncertainty', 'mask'), ('mask',
                                                               'weight'))])
    def test_files_beside_it(self, plain, given, read):
        """
        What may belong to the image is named, unless it is given.
        """
        for word in ('mask', 'weight'):
            fits.writeto(plain.with_name(f'{plain.stem}_{word}.fits'), VALUES)
        for hdu in (None, 'PRIMARY'):
            with closing(open_sections(plain, hdu=hdu)) as file, \
                    warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter('always')
                file.warn_of_unread(given)
            assert [str(item.message).split()[0] for item in caught] == [
                f'{plain.stem}_{word}.fits' for word in ('mask', 'weight')
                if word not in read]

    def test_mask_inside_of_the_file(self, plain):
        fits.append(plain, np.zeros(SHAPE, dtype=np.uint8),
                    fits.Header({'EXTNAME': 'MASK'}))
        fits.writeto(plain.with_name(f'{plain.stem}_mask.fits'), VALUES)
        with closing(open_sections(plain)) as file, \
                warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            file.warn_of_unread()
        assert not caught

    def test_header_is_parsed_once(self, plain, monkeypatch):
        parsed = []

        def parse(cards):
            parsed.append(cards)
            return plain_wcs(cards)

        monkeypatch.setattr(image_plain, 'plain_wcs', parse)
        with closing(open_sections(plain)) as file:
            for x in (20, 40, 60):
                section, place, _ = file.cut((x, 40), 8 * u.arcsec)
                assert section.cards['GAIN'] == 900
                GalaxyCutout(section, position=place)
        assert len(parsed) == 1

    def test_wcs_of_extensions_is_parsed_once(self, plain, monkeypatch):
        with fits.open(plain, mode='append') as hdulist:
            hdulist.append(fits.ImageHDU(np.full(SHAPE, 0.02), name='ERR'))
        parsed = []

        def parse(header, hdulist=None):
            parsed.append(header)
            return header_wcs(header, hdulist)

        monkeypatch.setattr(image_sections, 'header_wcs', parse)
        with closing(open_sections(plain)) as file:
            for x in (20, 40, 60):
                section, _, _ = file.cut((x, 40), 8 * u.arcsec)
                assert [item.name for item in section] == ['PRIMARY', 'ERR']
        assert len(parsed) == 1

    @pytest.mark.parametrize('hdu', [1, 'NOISE'])
    def test_wrong_hdu(self, plain, hdu):
        with pytest.raises(ValueError, match='is not in the file'):
            open_sections(plain, hdu=hdu)

    def test_outside(self, plain):
        with (closing(open_sections(plain)) as file,
              pytest.raises(ValueError, match='lies outside of the image')):
            file.cut((100.0, 3.0), 8)

    def test_no_wcs(self, tmp_path):
        fits.writeto(tmp_path / 'a.fits', VALUES)
        with (closing(open_sections(tmp_path / 'a.fits')) as file,
              pytest.raises(ValueError, match='has no celestial WCS')):
            file.cut((10.0, 3.0), 8 * u.arcsec)

    def test_companions_are_not_forgotten(self, plain, monkeypatch):
        """
        A plain file with a mask beside it is no plain image.
        """
        found = []

        def find(path):
            found.append(path)
            return [SimpleNamespace(path=plain, role='mask', bits=None,
                                    power=1)]

        monkeypatch.setattr(image_sections, 'companion_files', find)
        with closing(open_sections(plain)) as file:
            section, _, _ = file.cut((52.0, 41.0), 20)
        assert found[0] == plain
        assert [item.name for item in section] == ['PRIMARY', 'MASK']
