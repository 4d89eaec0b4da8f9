# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Small parts of the reading of images, each on its own.
"""

import zipfile

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.astrometry import axis_senses, is_inside
from astro_pix2prof.image.companions import hdu_name, read_plane
from astro_pix2prof.image.copying import image_header
from astro_pix2prof.image.crop_size import pixel_size
from astro_pix2prof.image.few_values import find_few_values
from astro_pix2prof.image.file_kinds import describe_zip
from astro_pix2prof.image.pictures import is_picture, read_picture
from astro_pix2prof.image.planes import cut_window, data_scale
from astro_pix2prof.image.sections import _cut
from astro_pix2prof.image.zeropoint import unit_zeropoint


@pytest.mark.parametrize(('unit', 'value', 'system'), [
    # of one nanomaggy, of the AB and ST definitions, and of 1e-17 of these
    (u.nmgy, 22.5, 'AB'), (u.Jy, 8.9, 'AB'), (u.ABflux, 0.0, 'AB'),
    (u.erg / u.s / u.cm**2 / u.AA, -21.1, 'ST'),
    (1e-17 * u.erg / u.s / u.cm**2 / u.AA, 21.4, 'ST'),
    (u.MJy / u.arcsec**2, -6.1, 'AB')])
def test_zero_points_of_units(unit, value, system):
    zero = unit_zeropoint(u.Unit(unit))
    assert zero.system == system
    assert_allclose(zero.value, value, atol=1e-3)
    assert unit_zeropoint(u.s) is None


@pytest.mark.parametrize('theta', [0.0, 30.0, 89.0, 91.0, 179.0, 181.0,
                                   359.0, -20.0, 400.0])
def test_senses_of_axes(theta):
    # from +x, or from the north (+y) to the east (-x, or +x)
    assert axis_senses(None, theta) == (1 if theta % 360 < 180 else -1, 1.0)
    t = np.radians(theta)
    for to_east in (-1, 1):
        matrix = np.array([[to_east, 0.0], [0.0, 1.0]])
        along, sense = axis_senses(matrix, theta)
        pa = np.degrees(np.arctan2(to_east * np.cos(t), np.sin(t))) % 360
        assert along == (1 if pa < 180 else -1)
        assert sense == -to_east


def test_inside():
    # pixels reach half a pixel beyond their middle
    for at in (-0.4, 9.4):
        assert is_inside(at, 3.0, (8, 10))
        assert is_inside(3.0, at, (10, 8))
    for at in (-0.6, 9.6):
        assert not is_inside(at, 3.0, (8, 10))
        assert not is_inside(3.0, at, (10, 8))


@pytest.mark.parametrize(('text', 'name'), [
    ('SCI', 'SCI'), ('2', 2), ('SCI,2', ('SCI', 2)), (' SCI , 3', ('SCI', 3)),
    ('SCI,X', 'SCI,X')])
def test_names_of_extensions(text, name):
    assert hdu_name(text) == name


def test_planes_of_files(tmp_path):
    data = np.arange(20.0).reshape(4, 5)
    path = tmp_path / 'a.fits'
    fits.PrimaryHDU(data, fits.Header({'BUNIT': 'nmgy'})).writeto(path)
    whole = read_plane('uncertainty', path)
    assert_array_equal(whole.value, data)
    assert whole.unit == u.nmgy
    part = read_plane('uncertainty', path, shape=(4, 5), window=(
        slice(1, 3), slice(2, 5)))
    assert_array_equal(part.value, data[1:3, 2:])
    with pytest.raises(ValueError, match='holds 5 x 4 pixels, but the image '
                       'has 7 x 6'):
        read_plane('uncertainty', path, shape=(6, 7))


@pytest.mark.parametrize(('n', 'expected'), [
    (2, '(0, 1)'), (3, '(0, 1, 2)'), (4, '(0, 1, 2, ...)')])
def test_files_in_a_zip(tmp_path, n, expected):
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
        archive.writestr('folder/', '')
        for k in range(n):
            archive.writestr(str(k), 'x')
        text = describe_zip(archive)
    assert f'it holds {n} {expected}' in text


@pytest.mark.parametrize(('name', 'power'), [
    ('ERR', 1), ('SIGMA', 1), ('RMS', 1), ('STD', 1), ('STDDEV', 1),
    ('UNCERT', 1), ('UNC', 1), ('ERROR', 1), ('VAR', 2), ('VARIANCE', 2),
    ('STAT', 2), ('IVAR', -2), ('INVVAR', -2)])
def test_extensions_of_errors(tmp_path, name, power):
    path = tmp_path / 'a.fits'
    data = np.random.default_rng(1).normal(size=(40, 40))
    fits.HDUList([fits.PrimaryHDU(data), fits.ImageHDU(
        np.full(data.shape, 0.25**power), name=name)]).writeto(path)
    cutout = GalaxyCutout(path, unit='nmgy', pixel_scale=1.0)
    assert_allclose(cutout.noise, 0.25, rtol=1e-6)


class TestPictures:
    def test_arrays(self):
        for shape, is_one in (((5, 5, 3), True), ((5, 9, 4), True),
                              ((4, 9, 3), False), ((9, 4, 3), False),
                              ((9, 9, 2), False), ((9, 9, 5), False),
                              ((9, 9), False)):
            assert is_picture(np.zeros(shape)) == is_one

    def test_bands(self):
        rng = np.random.default_rng(1)
        picture = rng.integers(0, 255, (9, 8, 3)).astype(np.uint8)
        for band in (0, 1, 2):
            found = np.ma.getdata(read_picture(picture, band))
            assert_allclose(found, picture[..., band])
        found = np.ma.getdata(read_picture(picture))
        assert_allclose(found, picture.mean(-1))
        for band in (3, -1, True, 1.0):
            with pytest.raises((ValueError, TypeError), match='band must be'):
                read_picture(picture, band)


class TestWindows:
    @pytest.mark.parametrize('origin', [
        (0, 0), (-2, 3), (4, -3), (5, 6), (-9, 0), (0, -9), (30, 2), (2, 30),
        (-3, -3)])
    def test_by_hand(self, origin):
        array = np.arange(72.0).reshape(8, 9)
        found = cut_window(array, origin, (4, 5), -1.0)
        for y, x in np.ndindex(4, 5):
            at = y + origin[1], x + origin[0]
            inside = 0 <= at[0] < 8 and 0 <= at[1] < 9
            assert found[y, x] == (array[at] if inside else -1)

    @pytest.mark.parametrize('power', [-30, -20, -16, -10, 0, 10, 16, 30])
    def test_scale(self, power):
        data = 2 * 10.0**power * np.ones((20, 20))
        scale = data_scale(data, data < 0)
        assert scale == (1 if abs(power) < 15 else pytest.approx(
            10.0**power, rel=1e-6))


class TestFewValues:
    def areas(self, kinds=4, *, n=64, width=24, many=None):
        data = np.random.default_rng(0).normal(size=(n, 64)) + 0.01
        data[:, 64 - width:] = 100 + np.indices((n, width)).sum(0) % kinds
        if many is not None:
            data[:, 64 - width:] = 100 + (
                np.arange(n * width).reshape(n, width) < many)
        return find_few_values(data, np.ones(data.shape, bool))

    def test_number_of_values(self):
        # two at least, and 32 at most
        for kinds, n in ((1, 0), (2, 1), (32, 1), (33, 0)):
            assert len(self.areas(kinds)) == n

    @pytest.mark.parametrize(('width', 'n'), [(50, 1), (53, 0)])
    def test_rest(self, width, n):
        # a fifth of the pixels holds other values
        assert len(self.areas(width=width)) == n

    @pytest.mark.parametrize(('part', 'n'), [(0.015, 0), (0.025, 1)])
    def test_second_value(self, part, n):
        # two in a hundred are not of the commonest value
        assert len(self.areas(many=part * 64 * 24)) == n

    @pytest.mark.parametrize(('shape', 'n'), [((4, 6), 0), ((5, 5), 1)])
    def test_size(self, shape, n):
        # of 25 connected pixels; the values occur elsewhere, too
        data = np.random.default_rng(0).normal(size=(64, 64)) + 0.01
        data[:, 50:] = 100 + np.indices((64, 14)).sum(0) % 3
        data[9:9 + shape[0], 9:9 + shape[1]] = 100 + np.indices(
            shape).sum(0) % 3
        found = find_few_values(data, np.ones(data.shape, bool))
        assert len(found) == 1 + n
        # corners connect
        data[20:24, 9:15] = data[24:28, 15:21] = 100 + np.indices(
            (4, 6)).sum(0) % 3
        assert len(find_few_values(data, np.ones(data.shape, bool))) == 2 + n


class TestHeaders:
    def hdulist(self):
        cards = {'OBJECT': 'one', 'CRPIX1': 3.0, 'BUNIT': 'nmgy',
                 'WCSAXES': 2, 'A_0_2': 1.0, 'FILTER': 'r'}
        first = fits.PrimaryHDU(header=fits.Header(cards))
        second = fits.ImageHDU(np.ones((30, 30)), fits.Header({
            'FILTER': 'g', 'GAIN': 2.0, 'CD1_1': 1.0}))
        return fits.HDUList([first, second])

    @pytest.mark.parametrize('kind', ['list', 'path', 'text'])
    def test_of_files(self, tmp_path, kind):
        # those of both extensions, and the second of two; none of the WCS
        image = self.hdulist()
        if kind != 'list':
            image.writeto(tmp_path / 'a.fits')
            image = tmp_path / 'a.fits'
            image = image if kind == 'path' else str(image)
        found = dict(image_header(image))
        assert found == {'OBJECT': 'one', 'FILTER': 'g', 'GAIN': 2.0}

    def test_of_one_extension(self):
        header = fits.Header([('OBJECT', 'one', 'a name')])
        header.add_comment('mine')
        image = fits.HDUList([fits.PrimaryHDU(np.ones((30, 30)), header)])
        found = image_header(image)
        assert found.comments['OBJECT'] == 'a name'
        # (once, not twice)
        assert [str(one) for one in found['COMMENT']] == ['mine']
        assert not image_header(np.ones((30, 30)))

    @pytest.mark.parametrize('crpix', [None, 4.5])
    def test_cut(self, tmp_path, crpix):
        # the default of the place of the reference is zero
        data = np.arange(60.0).reshape(6, 10)
        item = fits.PrimaryHDU(data)
        if crpix is not None:
            item.header['CRPIX1'] = item.header['CRPIX2'] = crpix
        item.writeto(tmp_path / 'a.fits')
        with fits.open(tmp_path / 'a.fits', memmap=False) as hdulist:
            found = _cut(hdulist[0], (6, 10), slice(1, 4), slice(3, 9),
                         first=False)
        assert_array_equal(found.data, data[1:4, 3:9])
        assert found.header['CRPIX1'] == (crpix or 0) - 3
        assert found.header['CRPIX2'] == (crpix or 0) - 1


class TestSizes:
    @pytest.mark.parametrize(('size', 'expected'), [
        (7, (7, 7)), ((5, 9), (5, 9)), ('4 arcsec', (8, 8)),
        ((4 * u.arcsec, 5 * u.pix), (8, 5)), (0.6, (1, 1))])
    def test_shapes(self, size, expected):
        assert pixel_size(size, 0.5) == expected

    @pytest.mark.parametrize(('size', 'shape', 'is_right'), [
        (0.49, None, False), (0.51, None, True), (1024, (30, 30), True),
        (1025, (30, 30), False), (2000, (30, 500), True),
        (2001, (30, 500), False), (2001, (600, 30), True)])
    def test_limits(self, size, shape, is_right):
        # four times the longer side, or 1024 pixels
        if is_right:
            assert min(pixel_size(size, shape=shape)) >= 1
        else:
            with pytest.raises(ValueError, match='size must be at'):
                pixel_size(size, shape=shape)
