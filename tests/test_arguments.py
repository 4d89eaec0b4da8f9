# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the checks of arguments.
"""

import inspect
from fractions import Fraction

import astropy.units as u
import numpy as np
import pytest

from astro_pix2prof.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_options,
    check_positive,
    check_seed,
    check_text,
    named_options,
)

NO_NUMBERS = [True, False, np.True_, 'x', '2', b'2', None, [1.0], (1, 2),
              np.array([2.0]), np.array(True), np.ma.masked, 1j, object(),
              [2.0] * u.arcsec, {}, np.datetime64('2020-01-01')]


class TestInteger:
    @pytest.mark.parametrize('value', [3, np.int64(3), np.uint8(3),
                                       np.array(3)])
    def test_integer(self, value):
        result = check_integer(value, 'n', least=1, most=3)
        assert result == 3
        assert type(result) is int

    @pytest.mark.parametrize('value', [*NO_NUMBERS, 2.0, np.nan,
                                       np.float64(2), 2 * u.one])
    def test_no_integer(self, value):
        with pytest.raises(TypeError, match='n must be an integer, got'):
            check_integer(value, 'n')

    @pytest.mark.parametrize(('limits', 'value', 'match'), [
        ({'least': 1}, 0, 'n must be a positive integer, got 0'),
        ({'least': 2}, 1, 'n must be an integer of at least 2, got 1'),
        ({'most': 2}, 3, 'n must be an integer of at most 2, got 3'),
        ({'least': 1, 'most': 2}, 3, 'n must be an integer from 1 to 2, '
                                     'got 3'),
        ({'least': 1, 'most': 2}, 0, 'from 1 to 2, got 0')])
    def test_range(self, limits, value, match):
        with pytest.raises(ValueError, match=match):
            check_integer(value, 'n', **limits)

    def test_optional(self):
        assert check_integer(None, 'n', optional=True) is None
        assert check_integer(-2, 'n', optional=True) == -2


class TestSeed:
    def test_given(self):
        assert check_seed(np.int64(3)) == 3

    def test_none(self):
        first, second = check_seed(None), check_seed(None)
        assert isinstance(first, int)
        assert first != second

    def test_wrong(self):
        with pytest.raises(ValueError, match='seed must be an integer of at'):
            check_seed(-1)
        with pytest.raises(TypeError, match='seed must be an integer'):
            check_seed('1')


class TestNumber:
    @pytest.mark.parametrize('value', [
        2, 2.0, np.float32(2), np.int16(2), np.array(2.0), Fraction(2),
        2 * u.one, 200 * u.percent])
    def test_number(self, value):
        result = check_number(value, 'x', least=2, most=2, above=1)
        assert result == 2.0
        assert type(result) is float

    @pytest.mark.parametrize('value', NO_NUMBERS)
    def test_no_number(self, value):
        with pytest.raises(TypeError, match='x must be a finite number, got'):
            check_number(value, 'x', unit=u.arcsec)

    @pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 10**400,
                                       np.float32(np.nan), np.nan * u.deg])
    def test_not_finite(self, value):
        with pytest.raises(ValueError, match='x must be finite, got'):
            check_number(value, 'x', unit=u.arcsec)

    @pytest.mark.parametrize(('limits', 'match'), [
        ({'least': 1.5}, 'x must be a finite number of at least 1.5, got 1'),
        ({'most': 0.5}, 'x must be a finite number of at most 0.5, got 1'),
        ({'above': 1}, 'x must be a finite number above 1, got 1'),
        ({'least': 2, 'most': 3}, 'x must be a finite number from 2 to 3')])
    def test_range(self, limits, match):
        with pytest.raises(ValueError, match=match):
            check_number(1, 'x', **limits)

    def test_units(self):
        assert check_number(2, 'x', unit=u.arcsec) == 2
        assert check_number(0.5 * u.arcmin, 'x', unit=u.arcsec) == 30
        scales = (u.arcsec, u.arcsec / u.pix)
        assert check_number(0.4 * u.arcsec / u.pix, 'x', unit=scales) == 0.4
        assert check_number(0.5 * u.arcmin, 'x', unit=scales) == 30
        with pytest.raises(ValueError,
                           match="x must be in 'arcsec', got the unit 's'"):
            check_number(1 * u.s, 'x', unit=scales)
        with pytest.raises(ValueError, match="in 'arcsec', got the unit ''"):
            check_number(1 * u.one, 'x', unit=u.arcsec)
        with pytest.raises(ValueError, match='x must be a number without '
                                             "unit, got the unit 'arcsec'"):
            check_number(1 * u.arcsec, 'x')

    def test_equivalencies(self):
        scale = u.pixel_scale(0.5 * u.arcsec / u.pix)
        assert check_positive(4 * u.pix, 'x', unit=u.arcsec,
                              equivalencies=scale) == 2

    def test_masked(self):
        column = np.ma.array([1.0, 2.0], mask=[False, True])
        assert check_number(column[0], 'x') == 1
        with pytest.raises(TypeError, match='x must be a finite number'):
            check_number(column[1], 'x')

    def test_positive_type(self):
        with pytest.raises(TypeError, match='a positive, finite number, got'):
            check_positive('x', 'x')

    def test_optional(self):
        assert check_number(None, 'x', optional=True) is None
        assert check_positive(None, 'x', optional=True) is None

    def test_text(self):
        """
        A text with a unit is a quantity; without one, it is no number.
        """
        assert check_number('1.5 arcsec', 'x', unit=u.arcsec) == 1.5
        assert check_number(' 3arcmin ', 'x', unit=u.arcsec) == 180
        assert check_number('20 Mpc', 'x', unit=u.kpc) == 20000
        with pytest.raises(ValueError, match="in 'arcsec', got the unit 'm'"):
            check_number('2 m', 'x', unit=u.arcsec)
        with pytest.raises(ValueError, match="the unit 'furlongs', which is"):
            check_number('1.5 furlongs', 'x', unit=u.arcsec)
        for value in ('1.5', 'arcsec', 'nan'):
            with pytest.raises(TypeError, match='x must be a finite number'):
                check_number(value, 'x', unit=u.arcsec)
        with pytest.raises(TypeError, match='x must be a finite number'):
            check_number('1.5 arcsec', 'x')

    @pytest.mark.parametrize('value', [0, -1, np.nan, -1 * u.arcsec])
    def test_positive(self, value):
        with pytest.raises(ValueError, match='x must be positive and finite'):
            check_positive(value, 'x', unit=u.arcsec)


@pytest.mark.parametrize('value', [True, False, np.True_, np.False_])
def test_flag(value):
    assert check_flag(value, 'x') is bool(value)


@pytest.mark.parametrize('value', [0, 1, None, 'no', np.array([True])])
def test_no_flag(value):
    with pytest.raises(TypeError, match='x must be True or False, got'):
        check_flag(value, 'x')


def test_text():
    assert check_text(np.str_('NGC 1'), 'name') == 'NGC 1'
    assert check_text(None, 'name', optional=True) is None
    with pytest.raises(TypeError, match='name must be a text, got 1'):
        check_text(1, 'name')
    with pytest.raises(ValueError, match='name must be a text that UTF-8 can '
                                         'encode'):
        check_text('a\udce9', 'name')


def test_choice():
    assert check_choice('vega', 'system', ('AB', 'Vega')) == 'Vega'
    assert check_choice(None, 'system', ('AB',), optional=True) is None
    match = "system must be 'AB', 'ST' or 'Vega', got 'x'"
    with pytest.raises(ValueError, match=match):
        check_choice('x', 'system', ('AB', 'ST', 'Vega'))
    with pytest.raises(TypeError, match="system must be 'AB', got 1"):
        check_choice(1, 'system', ('AB',))


def test_options():
    known = ('zeropoint', 'pixel_scale')
    check_options({'zeropoint': 1}, known, 'GalaxyCutout')
    match = ("'zeropont' is not an option of GalaxyCutout: did you mean "
             'zeropoint')
    with pytest.raises(TypeError, match=match):
        check_options(['pixel_scale', 'zeropont'], known, 'GalaxyCutout')
    match = "'x' is not an option of GalaxyCutout: it takes zeropoint, pixel"
    with pytest.raises(TypeError, match=match):
        check_options(['x'], known, 'GalaxyCutout')


def test_named_options():
    class Thing:
        @named_options
        def __init__(self, first, *, pixel_scale=1, pa=0):
            self.values = first, pixel_scale, pa

    assert Thing(3, pa=2).values == (3, 1, 2)
    assert list(inspect.signature(Thing).parameters) == [
        'first', 'pixel_scale', 'pa']
    for name, near in (('pixelscale', 'pixel_scale'), ('theta', 'pa')):
        match = f"'{name}' is not an option of Thing: did you mean {near}"
        with pytest.raises(TypeError, match=match):
            Thing(3, **{name: 3})
    with pytest.raises(TypeError, match='missing 1 required positional'):
        Thing(pa=3)
