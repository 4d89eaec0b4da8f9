# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the planes module: masks and errors.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import (
    InverseVariance,
    NDData,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.planes import (
    ErrorPlane,
    clean_planes,
    cut_window,
    data_scale,
    mask_to_bool,
)

SHAPE = (12, 15)


def make(image=None, *, unit='nmgy', **options):
    image = np.ones(SHAPE) if image is None else image
    return GalaxyCutout(image, unit=unit, pixel_scale=1, **options)


class TestMask:
    def test_not_finite(self):
        data = np.ones(SHAPE)
        data[0, 0], data[1, 1], data[2, 2] = np.nan, np.inf, -np.inf
        cutout = make(data)
        assert np.count_nonzero(cutout.mask) == 3
        assert np.all(cutout.data[cutout.mask] == 0)
        assert cutout.mask.dtype == bool

    def test_beyond_float32(self):
        data = np.ones(SHAPE)
        data[0, 0] = 1e300
        assert make(data).mask[0, 0]

    def test_union(self):
        own = np.zeros(SHAPE, dtype=bool)
        own[0, 0] = True
        given = np.zeros(SHAPE, dtype=bool)
        given[1, 1] = True
        cutout = make(NDData(np.ones(SHAPE), mask=own), mask=given)
        np.testing.assert_array_equal(cutout.mask, own | given)

    def test_bits(self):
        flags = np.zeros(SHAPE, dtype=np.uint16)
        flags[0, :4] = 1, 2, 3, 2**15
        assert np.count_nonzero(make(mask=flags).mask) == 4
        for bits, expected in ((1, [1, 0, 1, 0]), (2, [0, 1, 1, 0]),
                               (2**15, [0, 0, 0, 1]), (0, [0, 0, 0, 0])):
            mask = make(mask=flags, bad_bits=bits).mask
            np.testing.assert_array_equal(mask[0, :4], expected)
            assert np.count_nonzero(mask) == sum(expected)
        image = NDData(np.ones(SHAPE), mask=flags)
        assert np.count_nonzero(make(image, bad_bits=3).mask) == 3

    def test_float_flags(self):
        mask = mask_to_bool(np.array([0.0, 1.0, 6.0]), bad_bits=2)
        np.testing.assert_array_equal(mask, [False, False, True])

    def test_bits_without_flags(self):
        match = 'bad_bits selects bits of an integer mask, but the image has'
        with pytest.raises(ValueError, match=match):
            make(bad_bits=1)
        with pytest.raises(ValueError, match=match):
            make(bad_bits=1, mask=np.zeros(SHAPE, dtype=bool))

    @pytest.mark.parametrize('bits', [1.5, 'DO_NOT_USE', True])
    def test_bits_type(self, bits):
        with pytest.raises(TypeError, match='bad_bits must be an integer fr'):
            make(bad_bits=bits)

    @pytest.mark.parametrize('mask', [np.full(SHAPE, 0.5),
                                      np.full(SHAPE, 'x')])
    def test_type(self, mask):
        with pytest.raises(TypeError, match='mask must hold booleans or int'):
            make(mask=mask)

    @pytest.mark.parametrize(('mask', 'match'), [
        (np.linspace(-1, 3, 180, dtype='>f4').reshape(SHAPE),
         'float32 from -1 to 3: 0 means that a pixel is good'),
        (np.full(SHAPE, np.nan), 'float64: 0 means'),
        (np.full(SHAPE, b'x'), 'bytes8: 0 means'),
        ('mask.fits', r"the text 'mask\.fits' \(of a file, give what astro")])
    def test_type_is_described(self, mask, match):
        with pytest.raises(TypeError, match=f'bit flags, got {match}'):
            make(mask=mask)

    def test_shape(self):
        match = r'mask must have the shape of the image, \(12, 15\), got \(3'
        with pytest.raises(ValueError, match=match):
            make(mask=np.zeros((3, 3), dtype=bool))

    def test_all_masked(self):
        with pytest.raises(ValueError, match='the image has no usable pixel'):
            make(mask=np.ones(SHAPE, dtype=bool))
        with pytest.raises(ValueError, match='the image has no usable pixel'):
            make(np.full(SHAPE, np.nan))


class TestErrors:
    @pytest.mark.parametrize(('kind', 'value'), [
        (StdDevUncertainty, 0.5), (VarianceUncertainty, 0.25),
        (InverseVariance, 4.0)])
    def test_kinds(self, kind, value):
        values = np.full(SHAPE, value)
        values[0, 0], values[1, 1], values[2, 2] = 0.0, np.nan, -1.0
        cutout = make(uncertainty=kind(values))
        assert cutout.noise.dtype == np.dtype('=f4')
        np.testing.assert_allclose(cutout.noise, 0.5)
        np.testing.assert_array_equal(np.argwhere(cutout.mask),
                                      [[0, 0], [1, 1], [2, 2]])
        image = NDData(np.ones(SHAPE), uncertainty=kind(values))
        np.testing.assert_array_equal(make(image).mask, cutout.mask)

    @pytest.mark.parametrize('option', [
        {'noise': 0.5}, {'noise': np.full(SHAPE, 0.5)},
        {'noise': np.full(SHAPE, 5e-10) * u.mgy},
        {'invvar': np.full(SHAPE, 4.0)},
        {'invvar': np.full(SHAPE, 4e18) / u.mgy**2},
        {'uncertainty': np.full(SHAPE, 0.5)}])
    def test_arrays(self, option):
        np.testing.assert_allclose(make(**option).noise, 0.5)

    def test_masked_error(self):
        noise = np.ma.array(np.full(SHAPE, 2), mask=np.eye(12, 15))
        cutout = make(noise=noise)
        np.testing.assert_array_equal(cutout.mask, np.eye(12, 15) == 1)

    def test_infinite_error(self):
        noise = np.full(SHAPE, 0.5)
        noise[3, 3] = np.inf
        assert make(noise=noise).mask[3, 3]

    def test_none(self):
        assert make().noise is None

    def test_given_replaces_own(self):
        image = NDData(np.ones(SHAPE), uncertainty=UnknownUncertainty(
            np.ones(SHAPE)))
        np.testing.assert_allclose(make(image, noise=0.5).noise, 0.5)

    def test_counts_called_nanomaggies(self):
        # the unit= of an image in adu is also that of its errors
        image = NDData(np.ones(SHAPE), unit='adu',
                       uncertainty=StdDevUncertainty(np.full(SHAPE, 0.5)))
        np.testing.assert_allclose(make(image).noise, 0.5)

    def test_unknown(self):
        image = NDData(np.ones(SHAPE), uncertainty=UnknownUncertainty(
            np.ones(SHAPE)))
        match = 'is an UnknownUncertainty and is ignored: use StdDevUncert'
        with pytest.warns(AstropyUserWarning, match=match):
            assert make(image).noise is None

    def test_other_kind(self):
        class Odd(UnknownUncertainty):
            pass

        match = 'is an UnknownUncertainty and is ignored'
        with pytest.warns(AstropyUserWarning, match=match):
            assert make(uncertainty=Odd(np.ones(SHAPE))).noise is None

    def test_two(self):
        with pytest.raises(ValueError, match='noise and invvar were given'):
            make(noise=1.0, invvar=1.0)

    def test_unit(self):
        with pytest.raises(ValueError, match='of the uncertainty does not'):
            make(noise=np.ones(SHAPE) * u.s)
        with pytest.raises(ValueError, match=r"if these are AB, give noise.to"
                           r"\('nmgy', u.zero_point_flux"):
            make(noise=np.ones(SHAPE) * u.uJy, unit='nmgy')

    @pytest.mark.parametrize('name', ['noise', 'invvar', 'uncertainty'])
    def test_shape(self, name):
        with pytest.raises(ValueError, match=f'{name} must have the shape'):
            make(**{name: np.ones((3, 3))})

    @pytest.mark.parametrize('name', ['noise', 'invvar', 'uncertainty'])
    def test_type(self, name):
        with pytest.raises(TypeError, match=f'{name} must hold real numbers'):
            make(**{name: np.full(SHAPE, 'x')})

    @pytest.mark.parametrize(('rows', 'warns'), [(6, False), (8, True)])
    def test_mostly_useless(self, rows, warns, recwarn):
        error = np.ones(SHAPE)
        error[:rows] = 0
        cutout = make(np.random.default_rng(1).normal(size=SHAPE),
                      uncertainty=error)
        assert cutout.mask[:rows].all()
        assert [str(item.message) for item in recwarn] == [
            'the uncertainty is 0, negative or not finite in 67% of the '
            'pixels, which are masked: is it an uncertainty?'] * warns

    def test_useless(self):
        with pytest.raises(ValueError, match='is nowhere positive and finite'):
            make(invvar=np.zeros(SHAPE))

    def test_sigma_of_either_unit(self):
        plane = ErrorPlane(np.array([4.0]), 2, u.adu**2)
        assert plane.sigma(u.nmgy, u.adu) == 2.0

    def test_clean_planes_without_errors(self):
        data, mask, noise = clean_planes(np.array([[1.0, np.nan]]),
                                         np.array([[False, False]]))
        np.testing.assert_array_equal(data, [[1.0, 0.0]])
        np.testing.assert_array_equal(mask, [[False, True]])
        assert noise is None


class TestKindsOfMasks:
    def test_masked_array(self):
        mask = np.ma.zeros(SHAPE, dtype=int)
        mask[0, 0], mask[1, 1] = 1, np.ma.masked
        cutout = make(mask=mask)
        assert cutout.mask[0, 0]
        assert cutout.mask[1, 1]
        assert np.count_nonzero(cutout.mask) == 2

    def test_quantity(self):
        with pytest.raises(TypeError, match="flags, got a Quantity in 'm'"):
            make(mask=np.zeros(SHAPE) * u.m)

    @pytest.mark.parametrize('option', ['noise', 'invvar', 'uncertainty'])
    def test_dimensionless_errors(self, option):
        # a number of no unit is no flux, an array is in that of the image
        with pytest.raises(ValueError, match="the unit '' of the uncertain"):
            make(**{option: np.ones(SHAPE) * u.one})
        assert make(unit='', zeropoint=25, **{option: np.ones(SHAPE) * u.one}
                    ).noise[0, 0] == 1


class TestLargeBits:
    """
    Bit 63 and beyond what a float or a signed number holds.
    """

    def test_bit_63(self):
        mask = np.zeros((3, 4), dtype='u8')
        mask[0, 0], mask[1, 1] = np.uint64(1) << np.uint64(63), 1
        for bits, expected in ((None, mask > 0), (1 << 63, mask > 1),
                               (1, mask == 1), (2**64 - 1, mask > 0)):
            np.testing.assert_array_equal(
                mask_to_bool(mask, bad_bits=bits), expected)

    def test_signed(self):
        mask = np.array([[0, -1, np.iinfo('i8').min]])
        np.testing.assert_array_equal(mask_to_bool(mask, bad_bits=1 << 63),
                                      [[False, True, True]])
        np.testing.assert_array_equal(mask_to_bool(mask, bad_bits=1),
                                      [[False, True, False]])

    @pytest.mark.parametrize('value', [2.0**63, 1e300, np.nan, 0.5])
    def test_floats(self, value):
        with pytest.raises(TypeError, match='integer bit flags, got float64'):
            mask_to_bool(np.full((3, 4), value))

    @pytest.mark.parametrize('bits', [-1, 2**64])
    def test_range(self, bits):
        with pytest.raises(ValueError, match='bad_bits must be an integer fr'):
            GalaxyCutout(np.ones((3, 4)), mask=np.ones((3, 4), dtype=int),
                         bad_bits=bits, calibrated=False)


class TestDataScale:
    def test_values(self):
        data = np.full((20, 30), 3e-20)
        mask = np.zeros(data.shape, dtype=bool)
        assert data_scale(data, mask) == 1e-20
        data[0, 0] = 1e30
        assert data_scale(data, mask) == 1e-20
        assert data_scale(np.full((20, 30), 2e20), mask) == 1e20
        assert data_scale(np.zeros((20, 30)), mask) == 1
        assert data_scale(np.full((20, 30), np.nan), mask) == 1
        assert data_scale(data, ~mask) == 1
        for value in (1.1e-15, -1.1e-15, 1e15, 7):
            assert data_scale(np.full((20, 30), value), mask) == 1

    def test_large_image(self):
        # only a part of the pixels is looked at, in all columns
        data = np.zeros((2**9, 2**9))
        data[:, ::2] = 1e-20
        assert data_scale(data, data > 1) == 1e-20


@pytest.mark.parametrize(('origin', 'shape'), [
    ((0, 0), (4, 5)), ((-2, -3), (4, 5)), ((3, 2), (9, 9)), ((9, 9), (2, 2)),
    ((-9, 0), (2, 2)), ((1, 1), (2, 3))])
def test_cut_window(origin, shape):
    array = np.arange(20.0).reshape(4, 5)
    padded = np.pad(array, 20, constant_values=-1)
    expected = padded[20 + origin[1]:20 + origin[1] + shape[0],
                      20 + origin[0]:20 + origin[0] + shape[1]]
    np.testing.assert_array_equal(cut_window(array, origin, shape, -1),
                                  expected)
