# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for masks, errors and weights as archives name and fill them.
"""

import re
import warnings
from contextlib import closing

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.companions import read_plane
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.planes import mask_to_bool
from astro_pix2prof.image.sections import open_sections

SHAPE = (30, 40)


def make_images(*planes, name='SCI', **cards):
    image = np.random.default_rng(0).normal(5.0, 0.5, SHAPE)
    header = fits.Header({'BUNIT': 'nmgy', **cards})
    return fits.HDUList([fits.PrimaryHDU(),
                         fits.ImageHDU(image, header, name=name), *planes])


def cut_quietly(images, **options):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return GalaxyCutout(images, pixel_scale=0.4, **options)


class TestNotANumber:
    def test_extension(self):
        mask = np.zeros(SHAPE)
        mask[2, 3], mask[4, :5] = 4.0, np.nan
        images = make_images(fits.ImageHDU(mask, name='DQ'))
        match = ('the extension DQ is not-a-number or infinite in 5 of 1200 '
                 'pixels, which are masked')
        with pytest.warns(AstropyUserWarning, match=match):
            cutout = GalaxyCutout(images, pixel_scale=0.4)
        np.testing.assert_array_equal(cutout.mask, mask != 0)

    def test_option(self):
        mask = np.zeros(SHAPE)
        mask[0, 0], mask[1, 1], mask[2, 2] = np.inf, np.nan, 2.0
        with pytest.warns(AstropyUserWarning, match='mask is .* 2 of 1200'):
            cutout = GalaxyCutout(make_images(), pixel_scale=0.4, mask=mask,
                                  bad_bits=1)
        # (the bit of the third is none of those)
        assert cutout.mask.sum() == 2
        assert not cutout.mask[2, 2]

    def test_nothing_else(self):
        with pytest.raises(TypeError, match='got float64: 0 means'):
            mask_to_bool(np.full(SHAPE, np.nan))

    def test_fractions(self):
        mask = np.zeros(SHAPE)
        mask[2, 3] = 0.3
        match = ('the extension MASK must hold booleans .* float64 from 0 to '
                 r'0\.3: .* such as mask > 0 for what was resampled')
        with pytest.raises(TypeError, match=match):
            GalaxyCutout(make_images(fits.ImageHDU(mask, name='MASK')),
                         pixel_scale=0.4)


@pytest.mark.parametrize('name', ['CONF', 'CONFIDENCE', 'NCOMBINE', 'NEXP'])
def test_zeros_have_no_data(name):
    plane = np.full(SHAPE, 100, dtype='i2')
    plane[:4] = 0
    # (0.97 of the full confidence is no reason to reject a pixel)
    plane[10, 10] = 97
    cutout = cut_quietly(make_images(fits.ImageHDU(plane, name=name)))
    np.testing.assert_array_equal(cutout.mask, plane == 0)
    assert cutout.noise is None


@pytest.mark.parametrize('name', ['CTX', 'CON'])
@pytest.mark.parametrize('n_planes', [0, 1, 2])
def test_context(name, n_planes):
    context = np.full(SHAPE, 3, dtype='i4')
    context[:4], context[5, 5] = 0, 0
    # the last bit makes the number negative
    context[6, 6] = np.iinfo('i4').min
    no_data = context == 0
    if n_planes:
        context = np.stack([context, *[0 * context] * (n_planes - 1)])
    if n_planes == 2:
        context[1, 5, 5], no_data[5, 5] = 1, False
    cutout = cut_quietly(make_images(fits.ImageHDU(context, name=name)))
    np.testing.assert_array_equal(cutout.mask, no_data)


@pytest.mark.parametrize('name', ['MASK', 'WHT', 'CTX'])
def test_plane_of_a_cube(name):
    plane = np.ones(SHAPE, dtype='i4')
    plane[:4] = 0
    images = make_images(fits.ImageHDU(1 - plane if name == 'MASK' else plane,
                                       name=name))
    images[1].data = np.stack([images[1].data, 2 * images[1].data])
    cutout = cut_quietly(images, band=1)
    np.testing.assert_array_equal(cutout.mask, plane == 0)


def test_error_of_a_cube():
    # (its planes have errors of their own)
    images = make_images(fits.ImageHDU(np.full(SHAPE, 0.5), name='ERR'))
    images[1].data = np.stack([images[1].data, 2 * images[1].data])
    with pytest.warns(AstropyUserWarning, match='ERR has the shape'):
        assert GalaxyCutout(images, pixel_scale=0.4, band=1).noise is None


def test_all_weights_are_read():
    planes = []
    for row, name in enumerate(('WHT', 'NEXP', 'CONF')):
        plane = np.ones(SHAPE)
        plane[row] = 0
        planes.append(fits.ImageHDU(plane, name=name))
    # (a weight has all that a context has)
    planes.append(fits.ImageHDU(np.zeros(SHAPE, 'i4'), name='CTX'))
    cutout = cut_quietly(make_images(*planes))
    assert cutout.mask[:3].all()
    assert not cutout.mask[3:].any()


@pytest.mark.parametrize('name', ['NOISE', 'UNCERTAINTY', 'stDev'])
def test_names_of_errors(name, tmp_path):
    images = make_images(fits.ImageHDU(np.full(SHAPE, 0.5), name=name))
    np.testing.assert_allclose(cut_quietly(images).noise, 0.5)
    path = tmp_path / 'errors.fits'
    images.writeto(path)
    assert read_plane('uncertainty', path)[2, 3] == 0.5


def test_two_masks():
    images = make_images(fits.ImageHDU(np.zeros(SHAPE, 'i2'), name='DQ'),
                         fits.ImageHDU(np.zeros(SHAPE, 'u1'), name='BPM'))
    match = (r'has 2 extensions that may be its mask \(2 DQ, 3 BPM\): none is '
             'used')
    with pytest.warns(AstropyUserWarning, match=match):
        GalaxyCutout(images, pixel_scale=0.4)


def test_names_with_a_band():
    """
    As in the cut-outs of the Legacy Surveys with their errors.
    """
    planes = [fits.ImageHDU(np.full(SHAPE, 4.0), name='INVVAR_R'),
              fits.ImageHDU(np.full(SHAPE, 16.0), name='INVVAR_Z')]
    for band, value in (('R', 0.5), ('Z', 0.25)):
        cutout = cut_quietly(make_images(*planes, name=f'IMAGE_{band}'))
        np.testing.assert_allclose(cutout.noise, value)


def test_objects_are_no_mask():
    images = make_images(fits.ImageHDU(np.ones(SHAPE, 'i2'), name='OBJMASK'))
    assert not cut_quietly(images).mask.any()


@pytest.mark.parametrize(('image', 'others', 'sigma'), [
    ('3150p015_ac51-w1-int-3', {'unc-3': 0.5, 'cov-3': 1.0}, 0.5),
    ('unwise-0000p000-w2-img-m', {'invvar-m': 4.0, 'n-m': 1.0}, 0.5),
    ('v20100411_00555_st_tl', {'conf': 100.0}, None),
    ('w20060515_00192_sf_st', {'conf': 100.0}, None)])
def test_files_of_archives(tmp_path, image, others, sigma):
    data = np.random.default_rng(0).normal(5.0, 0.5, SHAPE)
    path = tmp_path / f'{image}.fit'
    fits.PrimaryHDU(data, fits.Header({'BUNIT': 'nmgy'})).writeto(path)
    stem = re.sub('-(int-3|img-m)$', '-', image)
    stem += '' if stem.endswith('-') else '_'
    for name, value in others.items():
        plane = np.full(SHAPE, value)
        plane[:4] = 0
        fits.PrimaryHDU(plane).writeto(tmp_path / f'{stem}{name}.fit')
    cutout = cut_quietly(path)
    assert cutout.mask[:4].all()
    assert not cutout.mask[4:].any()
    if sigma is None:
        assert cutout.noise is None
    else:
        np.testing.assert_allclose(cutout.noise, sigma)


class TestMarksGoodPixels:
    """
    Masks in which 1 or `True` marks the pixels to use.
    """

    match = (r'reject 94% of the pixels, those at the position of the '
             r'galaxy too. If 1 or True marks good pixels in a mask, '
             r'invert it \(mask')

    def make_mask(self):
        return np.random.default_rng(1).random(SHAPE) < 0.95

    @pytest.mark.parametrize('kind', ['bool', 'i2', 'f4'])
    def test_option(self, kind):
        mask = self.make_mask().astype(kind)
        with pytest.warns(AstropyUserWarning, match=self.match):
            GalaxyCutout(make_images(), pixel_scale=0.4, mask=mask)
        assert cut_quietly(make_images(), mask=mask == 0).mask.mean() < 0.1

    def test_extension(self):
        plane = fits.ImageHDU(self.make_mask().astype('u1'), name='BPM')
        with pytest.warns(AstropyUserWarning, match=self.match):
            GalaxyCutout(make_images(plane), pixel_scale=0.4)

    def test_every_pixel(self):
        match = r'no usable pixel: .* Its mask rejects every one: if 1 or True'
        with pytest.raises(ValueError, match=match):
            cut_quietly(make_images(), mask=np.ones(SHAPE, 'u1'))
        match = 'all are masked or not finite$'
        with pytest.raises(ValueError, match=match):
            cut_quietly(np.full(SHAPE, np.nan), unit='nmgy')

    def test_galaxy_that_is_seen(self):
        """
        A hidden nucleus in a good image, and a galaxy at the edge of a
        survey.
        """
        nucleus = np.zeros(SHAPE, dtype=bool)
        nucleus[10:20, 14:26] = True
        cut_quietly(make_images(), mask=nucleus)
        edge = np.ones(SHAPE, dtype=bool)
        edge[10:20, 14:26] = False
        assert cut_quietly(make_images(), mask=edge).mask.mean() > 0.8

    @pytest.mark.parametrize('position', [(2, 3), (20, 15), (38, 28)])
    def test_part_of_a_tile(self, position):
        """
        What the mask is elsewhere does not matter.
        """
        x, y = position
        mask = np.ones(SHAPE, dtype=bool)
        mask[max(y - 3, 0):y + 4, max(x - 3, 0):x + 4] = False
        cut_quietly(make_images(), mask=mask, position=position, size=9)
        mask[:] = True
        mask[max(y - 4, 0), max(x - 4, 0)] = False
        with pytest.warns(AstropyUserWarning, match='reject 100% of the pix'):
            GalaxyCutout(make_images(), mask=mask, position=position,
                         size=41, pixel_scale=0.4)

    def test_mask_of_a_file_left_out(self):
        plane = fits.ImageHDU(self.make_mask().astype('u1'), name='BPM')
        bad = ~self.make_mask()
        cutout = cut_quietly(make_images(plane), bad_bits=0, mask=bad)
        np.testing.assert_array_equal(cutout.mask, bad)


@pytest.mark.parametrize(('unit', 'is_told'), [
    ('adu', True), ('mag', False), ('nmgy', False), ('', False),
    ('uJy', True)])
def test_unit_of_errors(unit, is_told):
    error = fits.ImageHDU(np.full(SHAPE, 0.5),
                          fits.Header({'BUNIT': unit}), name='ERR')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        cutout = GalaxyCutout(make_images(error), pixel_scale=0.4)
    np.testing.assert_allclose(cutout.noise, 0.5)
    match = f"unit '{unit}' of ERR does not go with the unit 'nmgy' of the im"
    assert [match in str(item.message) for item in caught] == [True] * is_told


@pytest.mark.parametrize(('unit', 'own', 'is_told'), [
    ('DN', 'adu', False), ('electron', 'adu', False),
    ('electron', 'electron/s', True), ('adu/s', 'DN/s', False)])
def test_names_of_counts(unit, own, is_told):
    error = fits.ImageHDU(np.full(SHAPE, 0.5),
                          fits.Header({'BUNIT': unit}), name='ERR')
    images = make_images(error, BUNIT=own, MAGZERO=30.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        GalaxyCutout(images, pixel_scale=0.4)
    assert len(caught) == is_told


def test_repeated_unit_of_variances():
    # (many files do so)
    error = fits.ImageHDU(np.full(SHAPE, 0.25),
                          fits.Header({'BUNIT': 'nmgy'}), name='VAR')
    np.testing.assert_allclose(cut_quietly(make_images(error)).noise, 0.5)


def test_file_of_several_chips(tmp_path):
    """
    The confidence map of a chip of VISTA, which has one for each.
    """
    names = [f'DET1.CHIP{k}' for k in (1, 2, 3)]
    planes = [np.full(SHAPE, 100, dtype='i2') for _ in names]
    for row, plane in enumerate(planes):
        plane[4 * row:4 * row + 4] = 0
    for end, arrays in (('', [5.0 + 0.01 * plane for plane in planes]),
                        ('_conf', planes)):
        rng = np.random.default_rng(0)
        images = [fits.ImageHDU(
            array if end else array + rng.normal(0, 0.5, SHAPE),
            fits.Header({'BUNIT': 'nmgy'}), name=name)
                  for name, array in zip(names, arrays, strict=True)]
        fits.HDUList([fits.PrimaryHDU(), *images]).writeto(
            tmp_path / f'v20100411_00555_st{end}.fit')
    path = tmp_path / 'v20100411_00555_st.fit'
    cutout = cut_quietly(path, hdu=2)
    np.testing.assert_array_equal(cutout.mask, planes[1] == 0)
    with closing(open_sections(path, hdu=2)) as file:
        section, position, (x0, y0) = file.cut((20, 8), 4)
    cutout = cut_quietly(section, hdu=2, position=position)
    ny, nx = cutout.shape
    np.testing.assert_array_equal(
        cutout.mask, planes[1][y0:y0 + ny, x0:x0 + nx] == 0)
    assert 0 < cutout.mask.sum() < cutout.mask.size


class TestNegativeErrors:
    def test_realisation_of_noise(self):
        noise = np.random.default_rng(3).normal(0.1, 0.5, SHAPE)
        images = make_images(fits.ImageHDU(noise, name='NOISE'))
        match = 'is negative in 4[0-9]% of the pixels, which are masked: is it'
        with pytest.warns(AstropyUserWarning, match=match):
            GalaxyCutout(images, pixel_scale=0.4)

    def test_one_value_is_no_data(self):
        error = np.full(SHAPE, 0.5)
        error[:4] = -1.0
        cutout = cut_quietly(make_images(fits.ImageHDU(error, name='ERR')))
        assert cutout.mask[:4].all()
        assert not cutout.mask[4:].any()
