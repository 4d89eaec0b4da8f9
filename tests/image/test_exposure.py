# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the exposure module: exposure times by the keywords of telescopes.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.calibration import find_gain
from astro_pix2prof.image.exposure import exposure_time, find_exposure
from astro_pix2prof.image.header import header_values
from astro_pix2prof.image.zeropoint import header_zeropoint

IMAGE = np.random.default_rng(0).normal(5.0, 0.5, (30, 40))

PER_SECOND = {'ZP': (25.0, '[mag] zero point for 1 ADU/s')}

# 26.2690 mag of one electron per second
HST = {'PHOTFLAM': 3.0386574e-20, 'PHOTPLAM': 10551.0}


def make_header(cards, **more):
    header = fits.Header()
    for key, value in {**cards, **more}.items():
        header[f'HIERARCH {key}' if len(key) > 8 else key] = value
    return header_values(header)


def find_quietly(header, unit='adu'):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return header_zeropoint(header, u.Unit(unit))


@pytest.mark.parametrize('keyword', [
    'ITIME', 'DIT', 'TRUITIME', 'INTTIME', 'ELAPTIME', 'EFFTIME', 'TOTEXP',
    'EXPTOT', 'ESO DET DIT', 'ONTIME'])
class TestOtherKeywords:
    def test_counts_of_a_rate(self, keyword):
        header = make_header(PER_SECOND, **{keyword: 100.0})
        match = (rf'per second, and the header gives {keyword}=100 s: 100 s '
                 'are taken as the exposure time')
        with pytest.warns(AstropyUserWarning, match=match):
            zero = header_zeropoint(header, u.adu)
        assert zero.value == pytest.approx(30.0)
        # (that of rates needs none)
        assert find_quietly(header, 'adu/s').value == 25.0

    def test_open_convention(self, keyword):
        header = make_header({'MAGZERO': 25.0}, **{keyword: 100.0})
        with pytest.warns(AstropyUserWarning, match=r'zeropoint=30\.0000 '):
            assert header_zeropoint(header, u.adu).value == 25.0

    def test_explains_two(self, keyword):
        header = make_header({'MAGZERO': 25.0, 'MAGZPT': 30.0},
                             **{keyword: 100.0})
        assert find_quietly(header).value == 30.0


@pytest.mark.parametrize('keyword', [
    'EXPTIME', 'TEXPTIME', 'EXPOSURE', 'XPOSURE', 'EFFEXPTM', 'EXP_TIME'])
def test_keywords_of_archives(keyword):
    header = make_header(PER_SECOND, ELAPTIME=300.0, **{keyword: 100.0})
    assert exposure_time(header) == 100.0
    assert find_quietly(header).value == pytest.approx(30.0)


@pytest.mark.parametrize('cards', [
    {'ITIME': 10.0, 'COADDS': 10}, {'DIT': 10.0, 'NDIT': 10},
    {'ESO DET DIT': 10.0, 'ESO DET NDIT': 10}])
def test_one_of_several(cards):
    """
    Counts are added by some instruments and averaged by others.
    """
    time, number = cards
    header = make_header(PER_SECOND, BUNIT='adu', **cards)
    assert header_zeropoint(header, u.adu) is None
    match = (rf'ZP of the header is the .* needs an exposure time.* has '
             rf'{time}=10 s and {number}=10, which may be .* 10 or 100\)')
    image = fits.PrimaryHDU(IMAGE, fits.Header(dict(
        (f'HIERARCH {key}' if ' ' in key else key, header[key])
        for key in header)))
    image.header.comments['ZP'] = PER_SECOND['ZP'][1]
    with pytest.raises(ValueError, match=match):
        GalaxyCutout(image, pixel_scale=0.4)


@pytest.mark.parametrize(('cards', 'match'), [
    ({'TEXPTIME': 1000.0}, 'EXPTIME=100 s and TEXPTIME=1000 s: 100 s are'),
    ({'COADDS': 10}, 'EXPTIME=100 s and COADDS=10: 100 s are taken')])
def test_two_times(cards, match):
    for zero, unit, value in ((PER_SECOND, u.adu, 30.0),
                              (HST, u.electron, 31.269)):
        header = make_header(zero, EXPTIME=100.0, **cards)
        with pytest.warns(AstropyUserWarning, match=match):
            found = header_zeropoint(header, unit)
        assert found.value == pytest.approx(value, abs=1e-3)
    # (archives that define EXPTIME)
    for header in (make_header(HST, EXPTIME=100.0, TELESCOP='HST', **cards),
                   make_header({'MAGZPT': 26.269}, EXPTIME=100.0,
                               INSTRUME='VIRCAM', **cards)):
        assert find_quietly(header, 'electron').value == pytest.approx(
            31.269, abs=1e-3)


def test_nearly_the_same():
    header = make_header(PER_SECOND, EXPTIME=100.0, TEXPTIME=101.0, NDIT=1)
    assert find_exposure(header).other is None
    assert find_quietly(header).value == pytest.approx(30.0)


@pytest.mark.parametrize(('comment', 'seconds'), [
    ('', 60.0), ('[s] exposure', 60.0), ('[ms] exposure', 0.06),
    ('Exposure time in milliseconds', 0.06), ('exposure (min)', 3600.0),
    ('[hours]', 216000.0), ('minimum time', 60.0)])
def test_units_of_comments(comment, seconds):
    assert exposure_time(make_header({'EXPTIME': (60.0, comment)})) == (
        pytest.approx(seconds))


def test_none():
    for cards in ({}, {'EXPTIME': 0.0}, {'ITIME': -1.0}, {'NDIT': 10},
                  {'EXPTIME': 'unknown'}):
        assert find_exposure(make_header(cards)) is None


def test_error_of_a_rate_without_time():
    header = fits.Header({'MAGZPT': 23.6, 'INSTRUME': 'VIRCAM',
                          'BUNIT': 'adu'})
    with pytest.raises(ValueError, match=r'MAGZPT of the header is the magnit'
                                         'ude of one count per second and '
                                         'needs an exposure time, such as '
                                         r'EXPTIME\Z'):
        GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)


@pytest.mark.parametrize(('cards', 'value'), [
    # 22.8 + 2.5 log10(10 s) - 0.05 (1.4 - 1)
    ({'EXTINCT': 0.05, 'AMSTART': 1.3, 'AMEND': 1.5}, 25.28),
    ({'EXTINCT': 0.05, 'AIRMASS': 1.4}, 25.28),
    ({'EXTINCT': 0.05}, 25.3), ({'AMSTART': 1.4}, 25.3),
    ({'EXTINCT': 0.05, 'AIRMASS': -99.0}, 25.3),
    ({'EXTINCT': 9.99, 'AIRMASS': 1.4}, 25.3)])
def test_airmass_of_casu(cards, value):
    cards = {'MAGZPT': 22.8, 'EXPTIME': 10.0, **cards}
    header = make_header(cards, INSTRUME='WFCAM')
    assert find_quietly(header).value == pytest.approx(value)
    assert find_quietly(header, 'adu/s').value == pytest.approx(value - 2.5)
    # (no other pipeline is known to leave it out)
    header = make_header(cards, INSTRUME='other')
    assert find_quietly(header, 'adu/s').value == 22.8


@pytest.mark.parametrize(('cards', 'used'), [
    ({'MAGZERO': 26.0, 'MAGZPT': 21.0, 'EXPTIME': 100.0}, 'MAGZERO'),
    ({'MAGZERO': 25.0, 'MAGZPT': 30.0, 'EXPTIME': 100.0}, 'MAGZPT'),
    ({'MAGZERO': 26.0, 'MAGZPT': 25.0, 'EXPTIME': 100.0}, 'MAGZERO'),
    ({'MAGZERO': 26.0, 'MAGZPT': 25.0}, 'MAGZERO')])
def test_two_zero_points_without_a_unit(cards, used):
    header = make_header(cards)
    with pytest.warns(AstropyUserWarning, match=f'{used} is used'):
        assert header_zeropoint(header).value == cards[used]


@pytest.mark.parametrize('cards', [
    {'MAGZERO': 26.0, 'INSTRUME': 'DECam'},
    # (no telescope has 30 in a second: the image is scaled)
    {'MAGZERO': 30.0}])
def test_two_zero_points_that_are_settled(cards):
    header = make_header({**cards, 'MAGZPT': cards['MAGZERO'] - 5},
                         EXPTIME=100.0)
    assert find_quietly(header, '').value == cards['MAGZERO']


@pytest.mark.parametrize(('unit', 'step'), [
    # 2.5 log10(60), of an hour, of 1000 s, and of 10 counts a second
    ('adu/s', 0.0), ('adu/min', 4.4454), ('adu/h', 8.8908),
    ('adu/ks', 7.5), ('adu/ms', -7.5), ('10 adu/s', -2.5)])
def test_other_rates(unit, step):
    """
    Zero points per second belong to counts in a second.
    """
    cards = {**PER_SECOND, 'EXPTIME': 600.0, 'GAIN': 2.0}
    assert find_quietly(make_header(cards), unit).value == pytest.approx(
        25.0 + step, abs=1e-4)
    zero = find_quietly(make_header(HST), unit.replace('adu', 'electron'))
    assert zero.value == pytest.approx(26.269 + step, abs=1e-3)
    # (the magnitude of one data unit is what it is, if that is told)
    assert find_quietly(make_header({'ZP': (25.0, 'mag of one ADU')}),
                        unit).value == 25.0
    assert find_gain(u.Unit(unit), cards) == pytest.approx(
        1200 * 10**(-0.4 * step), rel=1e-4)


def test_scaled_counts():
    header = make_header(PER_SECOND, EXPTIME=100.0)
    assert find_quietly(header, '10 adu').value == pytest.approx(27.5)
    assert find_gain(u.Unit('10 electron'), header) == 10.0


def test_two_gains():
    """
    GAIN of amateur cameras is a setting, EGAIN is what it stands for.
    """
    match = r'gives GAIN=120 and EGAIN=0\.25: GAIN is used .* give gain='
    with pytest.warns(AstropyUserWarning, match=match):
        assert find_gain(u.adu, {'GAIN': 120.0, 'EGAIN': 0.25}) == 120.0
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert find_gain(u.adu, {'GAIN': 2.0, 'EGAIN': 2.2}) == 2.0
        # (electrons have none)
        assert find_gain(u.electron, {'GAIN': 120.0, 'EGAIN': 0.25}) == 1.0
