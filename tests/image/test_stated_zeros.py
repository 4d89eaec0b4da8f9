# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the conventions module: several zero points in one header, each
by its own convention.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.conventions import stated_zeros, unread_keywords
from astro_pix2prof.image.header import header_number, header_values
from astro_pix2prof.image.zeropoint import find_zeropoint, header_zeropoint

# 2.5 log10(100 s)
STEP = 5.0

# 26.2690 mag of one electron per second
HST = {'PHOTFLAM': 3.0386574e-20, 'PHOTPLAM': 10551.0}

IMAGE = np.random.default_rng(0).normal(5.0, 0.5, (30, 40))


def make_header(cards):
    header = fits.Header()
    for key, value in cards.items():
        header[f'HIERARCH {key}' if '.' in key or len(key) > 8
               else key] = value
    return header


def find_quietly(cards, unit, **options):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return header_zeropoint(header_values(make_header(cards)),
                                u.Unit(unit), **options)


@pytest.mark.parametrize(('cards', 'unit', 'value'), [
    # of the DECam pipeline: MAGZPT is per second
    ({'MAGZERO': 30.0, 'MAGZPT': 25.0}, 'electron', 30.0),
    ({'MAGZERO': 30.0, 'MAGZPT': 25.0}, 'adu', 30.0),
    ({'MAGZERO': 30.0, 'MAGZPT': 25.0}, '', 30.0),
    ({'MAGZERO': 30.0, 'MAGZPT': 25.0}, 'adu/s', 25.0),
    ({'MAGZPT': 25.0, 'ZP': 30.0}, 'electron', 30.0),
    ({'MAGZERO': 25.0, 'MAGZP': 30.0}, 'adu', 30.0),
    # PHOTFLAM is per second, and tells what ZP is
    ({'ZP': 26.27, **HST}, 'electron', 31.269),
    ({'ZP': 31.27, **HST}, 'electron', 31.27),
    ({'ZP': 26.27, **HST}, 'electron/s', 26.27),
    ({'MAGZPT': 25.0, 'INSTRUME': 'VIRCAM', 'PHOTZP': 30.0,
      'PHOTSYS': 'VEGA'}, 'adu', 30.0)])
def test_exposure_time_explains(cards, unit, value):
    zero = find_quietly({**cards, 'EXPTIME': 100.0}, unit)
    assert zero.value == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(('cards', 'unit', 'match'), [
    ({'MAGZERO': 30.0, 'MAGZPT': 25.1}, 'adu',
     r'gives MAGZERO=30\.0000 and MAGZPT=25\.1000: MAGZERO is used'),
    ({'MAGZERO': 25.0, 'MAGZP': 26.0, 'PHOTZP': 26.0}, 'adu',
     r'MAGZERO=25\.0000 and MAGZP=26\.0000: MAGZERO is used'),
    ({'MAGZERO': 27.0, 'FLUXMAG0': 1e12}, '',
     r'MAGZERO=27\.0000 and FLUXMAG0=1e\+12 \(zero point 30\.0000\)'),
    ({'FLUXMAG0': 1e12, **HST}, 'electron/s',
     r'FLUXMAG0=1e\+12 \(zero point 30\.0000\) and PHOTFLAM=3\.03866e-20 and '
     r'PHOTPLAM=10551 \(zero point 26\.2689\): FLUXMAG0 is used'),
    ({**HST, 'PHOTFNU': 2e-7}, 'electron/s',
     r'PHOTPLAM=10551 \(.*\) and PHOTFNU=2e-07 \(zero point 25\.6474\): '
     'PHOTFLAM and PHOTPLAM is used'),
    ({'FPA.ZP': 25.0, 'ZP': 31.0}, 'adu',
     r'ZP=31\.0000 and FPA\.ZP=25\.0000 per second \(zero point 30\.0000\)'),
    # (without a unit, nothing tells which of both is meant)
    ({'MAGZERO': 25.0, 'MAGZP': 30.0}, '',
     r'differ by the exposure time of 100 s: MAGZP is used, as that of one'),
    # (the other of both is confirmed)
    ({'MAGZERO': 25.0, 'MAGZP': 25.0, 'PHOTZP': 30.0}, 'adu',
     r'MAGZERO=25\.0000 and PHOTZP=30\.0000: MAGZERO is used')])
def test_disagreement(cards, unit, match):
    header = header_values(make_header({**cards, 'EXPTIME': 100.0}))
    with pytest.warns(AstropyUserWarning, match=match):
        header_zeropoint(header, u.Unit(unit))


@pytest.mark.parametrize('photzp', [23.0, 22.95])
def test_photzp_of_eso_beside_magzpt_of_vista(photzp):
    """
    ESO: MAG=-2.5*log(data)+PHOTZP; CASU: MAGZPT is of one count per second.
    """
    vista = {'MAGZPT': 23.0, 'EXPTIME': 40.0, 'INSTRUME': 'VIRCAM',
             'PHOTSYS': 'VEGA', 'EXTINCT': 0.05, 'AMSTART': 1.2,
             'AMEND': 1.2}
    of_count = 23.0 + 2.5 * np.log10(40) - 0.05 * 0.2
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        zero = header_zeropoint(header_values(
            {**vista, 'PHOTZP': of_count}), u.adu)
    assert zero.value == pytest.approx(of_count)
    match = ('PHOTZP=.* and MAGZPT=23.0000 per second'
             if photzp < 22.99 else 'differ by the exposure time of 40 s')
    with pytest.warns(AstropyUserWarning, match=match):
        header_zeropoint(header_values({**vista, 'PHOTZP': photzp}), u.adu)


def test_small_disagreement():
    assert find_quietly({'MAGZERO': 25.0, 'MAGZP': 25.019}, '').value == 25.0
    with pytest.warns(AstropyUserWarning, match='MAGZERO is used'):
        header_zeropoint({'MAGZERO': 25.0, 'MAGZP': 25.021})


def test_surface_brightness_against_flux():
    """
    20.4721 of a MJy/sr; pixels of 0.5 arcsec have 1.5051 less.
    """
    cards = {'PHOTMJSR': 1.0, 'PHOTFNU': 0.25 * 1e6 / 206264.806**2}
    zero = find_quietly(cards, 'DN/s', pixel_scale=0.5)
    assert zero.per_area
    assert zero.value == pytest.approx(20.4721, abs=1e-4)
    header = header_values({**cards, 'PHOTFNU': 2e-6})
    match = r'PHOTMJSR=1 \(zero point 20\.4721\) and PHOTFNU=2e-06'
    with pytest.warns(AstropyUserWarning, match=match):
        header_zeropoint(header, u.DN / u.s, 0.5)
    with pytest.warns(AstropyUserWarning, match=f'gives ZP=25.* {match[:8]}'):
        header_zeropoint({'ZP': 25.0, **cards}, u.DN / u.s, 0.5)
    # (without a pixel scale, they cannot be compared)
    assert find_quietly({**cards, 'PHOTFNU': 2e-6}, 'DN/s').per_area


@pytest.mark.parametrize(('bunit', 'cards', 'match'), [
    ('nanomaggy', {'MAGZERO': 25.0},
     r"the unit 'nmgy' gives the zero point 22\.5000, and the header "
     r'MAGZERO=25\.0000: the unit is used'),
    ('nJy', {'FLUXMAG0': 10**10.8},
     r'FLUXMAG0=6\.30957e\+10 \(zero point 27\.0000\)'),
    # (in pixels of 0.4 arcsec: 20.4721 + 1.9897)
    ('MJy/sr', {'ZP': 28.9}, r"'MJy / sr' gives the zero point 20\.4721")])
def test_unit_against_header(bunit, cards, match):
    header = make_header({'BUNIT': bunit, **cards})
    with pytest.warns(AstropyUserWarning, match=match):
        cutout = GalaxyCutout(fits.PrimaryHDU(IMAGE, header),
                              pixel_scale=0.4)
    right = {'nanomaggy': 22.5, 'nJy': 31.4, 'MJy/sr': 22.4618}[bunit]
    assert cutout.zeropoint == pytest.approx(right, abs=1e-3)


@pytest.mark.parametrize(('bunit', 'cards'), [
    ('nanomaggy', {'MAGZERO': 22.5}), ('nJy', {'FLUXMAG0': 3.631e12}),
    ('MJy/sr', {'ZP': 22.4618}), ('uJy', {'MAGZERO': 23.9}),
    # (of counts, that the image is not in)
    ('MJy/sr', {'PHOTMJSR': 0.3, 'EXPTIME': 100.0}),
    ('erg/s/cm2/Hz', HST),
    # (other systems cannot be compared)
    ('nJy', {'MAGZP': 25.0, 'MAGSYS': 'Vega'})])
def test_unit_agrees_with_header(bunit, cards, recwarn):
    header = make_header({'BUNIT': bunit, **cards})
    GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)
    assert not [item for item in recwarn.list
                if 'zero point' in str(item.message)]


@pytest.mark.parametrize('keyword', [
    'ZP', 'ZPT', 'MAG_ZP', 'ZEROPNT', 'ZEROPOINT', 'MAGZEROP', 'MAGZPT',
    # (archives tell what these are, others do not)
    'MAGZERO', 'MAGZP', 'PHOTZP'])
@pytest.mark.parametrize('unit', ['electron', ''])
def test_open_conventions(keyword, unit):
    """
    Pipelines differ in what these mean, and nothing in the header tells.
    """
    header = header_values(make_header({keyword: 26.0, 'EXPTIME': 100.0}))
    match = (rf'{keyword} is taken as the magnitude of one data unit, .* give '
             r'zeropoint=31\.0000 .* otherwise zeropoint=26\.0000')
    with pytest.warns(AstropyUserWarning, match=match):
        assert header_zeropoint(header, u.Unit(unit)).value == 26.0


@pytest.mark.parametrize(('unit', 'other'), [
    ('adu/min', 26 + 2.5 * np.log10(60)), ('ct/h', 26 + 2.5 * np.log10(3600)),
    ('electron/ms', 18.5)])
@pytest.mark.parametrize('keyword', ['MAGZPT', 'ZP', 'MAGZERO'])
@pytest.mark.parametrize('exptime', [{}, {'EXPTIME': 100.0}])
def test_rates_in_other_times_than_seconds(unit, other, keyword, exptime):
    header = header_values(make_header({keyword: 26.0, **exptime}))
    match = rf'{keyword} is taken .* zeropoint={other:.4f} .*=26\.0000'
    with pytest.warns(AstropyUserWarning, match=match):
        assert header_zeropoint(header, u.Unit(unit)).value == 26.0
    archive = {'MAGZERO': 26.0, 'INSTRUME': 'DECam', **exptime}
    assert find_quietly(archive, unit).value == 26.0


def test_rates_in_other_times_beside_an_exposure():
    # (the one that is less by the exposure time is that of a rate)
    header = header_values(make_header({
        'MAGZERO': 26.0 + STEP, 'MAGZPT': 26.0, 'EXPTIME': 100.0}))
    with pytest.warns(AstropyUserWarning, match=r'MAGZPT is taken as .* give '
                      r'zeropoint=30\.4454 .* otherwise zeropoint=26\.0000'):
        assert header_zeropoint(header, u.Unit('adu/min')).value == 26.0


@pytest.mark.parametrize(('cards', 'unit'), [
    ({'ZP': 26.0, 'EXPTIME': 100.0}, 'electron/s'),
    ({'ZP': 26.0, 'EXPTIME': 1.0}, 'electron'), ({'ZP': 26.0}, 'electron'),
    ({'MAGZERO': 26.0, 'EXPTIME': 100.0, 'INSTRUME': 'DECam'}, 'electron'),
    ({'MAGZERO': 26.0, 'EXPTIME': 100.0}, 'electron/s'),
    ({'MAGZERO': 24.6, 'EXPTIME': 100.0, 'TELESCOP': 'EUCLID'}, 'adu'),
    ({'MAGZP': 26.3, 'EXPTIME': 30.0, 'INSTRUME': 'ZTF/MOSAIC'}, 'DN'),
    ({'MAGZP': 20.5, 'EXPTIME': 7.7, 'TELESCOP': 'WISE'}, 'DN'),
    ({'PHOTZP': 26.0, 'EXPTIME': 100.0, 'PHOTSYS': 'AB'}, 'adu'),
    ({'PHOTZP': (26.0, 'MAG=-2.5*log(data)+PHOTZP'), 'EXPTIME': 100.0},
     'adu'),
    # no telescope has 30 in a second; nanomaggies, uJy and others are fluxes
    ({'ZP': 30.0, 'EXPTIME': 100.0}, 'electron'),
    ({'ZP': 22.5, 'EXPTIME': 100.0}, ''),
    ({'ZP': 23.9, 'EXPTIME': 100.0}, ''),
    ({'ZP': (26.0, 'mag of 1 ADU'), 'EXPTIME': 100.0}, 'adu')])
def test_conventions_that_are_not_open(cards, unit):
    value = next(iter(cards.values()))
    assert find_quietly(cards, unit).value == (
        value[0] if isinstance(value, tuple) else value)


@pytest.mark.parametrize('comment', [
    '[mag] zero point for 1 ADU/s', 'zero point per second', 'mag of 1 e-/sec',
    '[mag] 1 s exposure', 'AB mag for one second', 'counts s**-1',
    'm = ZP - 2.5log10(counts/EXPTIME)', 'm=zp-2.5*log(DN / texp)',
    'mag = ZP - 2.5 log10(DN) + 2.5 log10(EXPTIME)', 'of a count rate',
    'mag of 1 cps', 'ADU/exposure time'])
@pytest.mark.parametrize('keyword', ['MAGZERO', 'ZP'])
def test_comment_tells_seconds(keyword, comment):
    cards = {keyword: (26.0, comment), 'EXPTIME': 100.0}
    # (of the counts that the comment names)
    unit = 'electron' if 'e-' in comment else 'adu'
    assert find_quietly(cards, unit).value == pytest.approx(31.0)
    assert find_quietly(cards, f'{unit}/s').value == 26.0
    del cards['EXPTIME']
    assert find_quietly(cards, unit) is None


@pytest.mark.parametrize(('comment', 'unit', 'match'), [
    ('mag of 1 e-/s', 'adu/s', 'electrons.* less 2.5 log10'),
    ('AB mag of one electron', 'DN', 'electrons.* less 2.5 log10'),
    ('mag for 1 ADU', 'electron', 'data numbers.* plus 2.5 log10')])
def test_comment_tells_other_counts(comment, unit, match):
    header = header_values(make_header({'MAGZERO': (26.0, comment)}))
    with pytest.warns(AstropyUserWarning, match=f'MAGZERO=26.0000 .*{match}'):
        assert header_zeropoint(header, u.Unit(unit)).value == 26.0
    # (counts may be either, and a comment may name both)
    cards = {'MAGZERO': (26.0, comment)}
    assert find_quietly(cards, unit.replace('adu', 'ct').replace(
        'DN', 'ct').replace('electron', 'ct')).value == 26.0
    cards = {'MAGZERO': (26.0, f'{comment}, 2 electrons in an ADU')}
    assert find_quietly(cards, unit).value == 26.0


def test_comment_tells_other_counts_per_second():
    """
    What to give is the zero point of a data unit less the gain.
    """
    header = header_values(make_header({
        'MAGZERO': (26.0, 'mag of 1 e-/s'), 'EXPTIME': 100.0}))
    with pytest.warns(AstropyUserWarning, match=(
            r'electrons.* give zeropoint=31\.0000 less 2\.5 log10')):
        assert header_zeropoint(header, u.adu).value == 31.0


@pytest.mark.parametrize('comment', [
    '[mag/arcsec2] of one ADU', 'mag per square arcsec', 'mag arcsec^-2',
    'surface brightness zero point', 'mag / sq. arcsec'])
def test_comment_tells_surface_brightness(comment):
    zero = find_quietly({'MAGZERO': (26.0, comment)}, 'adu')
    assert zero.value == 26.0
    assert zero.per_area
    assert not find_quietly({'MAGZERO': (26.0, 'mag')}, 'adu').per_area


@pytest.mark.parametrize('comment', [
    '', '[mag] zero point', 'AB/ST', 'from stars of S/N > 100', 'level 1 S/N',
    'error of 1 s.d.', '1-sigma', 'sources per square degree',
    'phot. zeropoint corr for exptime', 'includes 2.5 log10(EXPTIME)'])
def test_comment_that_tells_nothing(comment):
    header = header_values(make_header({'MAGZERO': (26.0, comment),
                                        'EXPTIME': 100.0}))
    with pytest.warns(AstropyUserWarning, match=r'in that case give zeropoint'
                                                r'=31\.0000'):
        assert header_zeropoint(header, u.adu).value == 26.0
    # (in a known archive, nothing is to be told)
    assert find_quietly({'MAGZERO': (26.0, comment), 'EXPTIME': 100.0,
                         'INSTRUME': 'DECam'}, 'adu').value == 26.0


@pytest.mark.parametrize('unit', ['K', 'K km/s', 'erg/s/cm2'])
def test_units_without_zero_point(unit):
    header = make_header({'MAGZERO': 25.0, 'BUNIT': unit})
    with pytest.raises(ValueError, match=r'MAGZERO=25\.0, .* unit has none'):
        GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)


def test_comment_of_a_file(tmp_path):
    path = tmp_path / 'a.fits'
    header = make_header({
        'MAGZP': (26.0, 'Vega magnitude of 1 count/s'), 'EXPTIME': 100.0,
        'BUNIT': 'adu', 'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN',
        'CDELT1': -1e-4, 'CDELT2': 1e-4})
    fits.PrimaryHDU(IMAGE, header).writeto(path)
    cutout = GalaxyCutout(path)
    assert cutout.zeropoint == pytest.approx(31.0)
    assert cutout.mag_system == 'Vega'


@pytest.mark.parametrize(('cards', 'system'), [
    ({'ORIGIN': '2MASS, IPAC'}, 'Vega'), ({'SURVEY': '2MASS-J'}, 'Vega'),
    ({'ORIGIN': 'WISE Science Data Center, IPAC'}, 'Vega'),
    ({'UNW_VER': 'x'}, 'Vega'), ({'TELESCOP': 'WISER'}, 'AB'),
    ({'ORIGIN': '2MASS', 'MAGSYS': 'AB'}, 'AB')])
def test_system(cards, system):
    assert find_quietly({'MAGZP': 20.5, **cards}, '').system == system


def test_unknown_system():
    header = {'MAGZP': 25.0, 'PHOTSYS': 'Landolt'}
    match = "says PHOTSYS='Landolt', which is not AB, ST or Vega: .* as AB"
    with pytest.warns(AstropyUserWarning, match=match):
        assert find_zeropoint(u.adu, header=header).system == 'AB'
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert find_zeropoint(u.adu, header=header,
                              mag_system='Vega').system == 'Vega'
        assert find_zeropoint(u.adu, header={
            **header, 'MAGSYS': 'Vega'}).system == 'Vega'
        find_zeropoint(u.nmgy, header={**header, 'MAGZP': 22.5})


@pytest.mark.parametrize(('value', 'number'), [
    ('26.3', 26.3), ('26.3 mag', 26.3), ('26.3 ABmag', 26.3), ('100 s', 100),
    ('1234.0 sec', 1234), ('2.5D-19', 2.5e-19), ('.5', 0.5), ('-1.', -1.0),
    ('26,3', None), ('26.3 Jy', None), ('nan', None), ('inf', None),
    ('1_0', None), ('', None), (True, None), (float('inf'), None)])
def test_numbers_that_are_texts(value, number):
    assert header_number({'X': value}, 'X') == number


@pytest.mark.parametrize('value', [
    0.0, -1.0, 1.0, -2.5, 4.9, 99.0, -99.0, '26,3', 'none', True])
def test_no_zero_points(value):
    header = make_header({'MAGZERO': value, 'BUNIT': 'adu'})
    match = (rf'no zero point: .* The header has MAGZERO={value!r}, which is '
             'not used')
    with pytest.raises(ValueError, match=match):
        GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)
    header['ZP'] = 26.0
    cutout = GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)
    assert cutout.zeropoint == 26.0


@pytest.mark.parametrize(('cards', 'match'), [
    ({'MAGZERO': 'unknown'}, "The header has MAGZERO='unknown', which is not "
                             'used: it is a text where a number belongs$'),
    ({'MAGZERO': 'unknown', 'ZP': 'n/a', 'ZPAPPROX': 25.3},
     "has MAGZERO='unknown' and ZP='n/a', which is not used: it is a text "
     r'where a number belongs\. The header has ZPAPPROX=25\.3, which is')])
def test_text_in_place_of_a_zero_point(cards, match):
    header = make_header({**cards, 'BUNIT': 'adu'})
    with pytest.raises(ValueError, match=match):
        GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)


@pytest.mark.parametrize(('value', 'right'), [
    (5.0, 5.0), (-5.0, -5.0), (8.9, 8.9), (-48.6, -48.6), (89.9, 89.9),
    (4.99, None), (-4.99, None), (90.0, None), (-90.0, None)])
def test_range_of_zero_points(value, right):
    zero = find_quietly({'MAGZP': value}, '')
    assert (zero and zero.value) == right


def test_magnitude_in_place_of_a_flux():
    header = make_header({'FLUXMAG0': 30.0})
    with pytest.raises(ValueError, match=r'The header has FLUXMAG0=30\.0, wh'):
        GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)


def test_maggies():
    assert find_quietly({'FLUXMAG0': 1.0}, '').value == 0.0
    assert find_quietly({'FLUXMAG0': 3631.0}, '').value == pytest.approx(
        8.9, abs=1e-3)
    assert find_quietly({'FLUXMAG0': 30.0}, '') is None


def test_zero_point_that_cannot_be():
    header = make_header({'MAGZERO': 50.0, 'BUNIT': 'adu'})
    with pytest.warns(AstropyUserWarning, match='mag/arcsec2, which cannot'):
        GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)


def test_sdss_before_dr8():
    # 20 + 2.5 log10(1966.9)
    zero = find_quietly({'FLUX20': 1966.9, 'EXPTIME': 53.9}, 'DN')
    assert zero.value == pytest.approx(28.2345, abs=1e-4)


def test_photfnu():
    # 8.9 - 2.5 log10(1e-7)
    zero = find_quietly({'PHOTFNU': 1e-7}, 'ct/s')
    assert (zero.value, zero.system) == (pytest.approx(26.4, abs=1e-3), 'AB')
    zero = find_quietly({'PHOTFNU': 1e-7, 'EXPTIME': 100.0}, 'ct')
    assert zero.value == pytest.approx(31.4, abs=1e-3)
    assert stated_zeros({'PHOTFNU': 1e-7}, u.ct) == []
    assert stated_zeros({'PHOTFNU': -1.0}, u.ct / u.s) == []
    with pytest.raises(ValueError, match="mag_system='Vega' does not go wit"):
        find_zeropoint(u.ct / u.s, header={'PHOTFNU': 1e-7},
                       mag_system='Vega')


@pytest.mark.parametrize('pivot', [1.0551, 805.7, 1e-6])
def test_wavelength_in_another_unit(pivot):
    header = make_header({**HST, 'PHOTPLAM': pivot, 'BUNIT': 'electron/s'})
    with pytest.raises(ValueError, match='PHOTPLAM is in Angstrom'):
        GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4)


def test_sensitivity_of_photons_in_an_area():
    assert stated_zeros(HST, u.photon / u.s / u.cm**2) == []
    assert len(stated_zeros(HST, u.s**-1)) == 1


def test_exposure_time_of_ukidss():
    zero = find_quietly({'MAGZPT': 23.0, 'INSTRUME': 'WFCAM',
                         'EXP_TIME': 10.0}, 'adu')
    assert (zero.value, zero.system) == (25.5, 'Vega')


def test_unread_keywords():
    header = {'ZPAPPROX': 25.0, 'MAG0': 26.0, 'PHOT_C': 27.0, 'NMGY': 0.005,
              'ZPSYS': 'AB', 'PHOTZPT': -21.1, 'EXPTIME': 1.0, 'ZP': None}
    assert unread_keywords(header) == ['ZPAPPROX=25.0', 'MAG0=26.0',
                                       'PHOT_C=27.0']


@pytest.mark.parametrize(('cards', 'match'), [
    ({'PIXSCALE': 0.4}, r'no pixel scale: .* \(PIXSCALE=0\.4 .* '
                        r'pixel_scale=0\.4 if it is in arcsec'),
    ({'SECPIX': '1.7'}, r'SECPIX=1\.7 of the header'),
    ({'PIXSCALE': 0.0}, 'or pixel_scale= in arcsec$')])
def test_pixel_scale_of_a_header(cards, match):
    header = make_header({'BUNIT': 'nmgy', **cards})
    with pytest.raises(ValueError, match=match):
        GalaxyCutout(fits.PrimaryHDU(IMAGE, header))


class TestVegaMaggies:
    """
    A maggy is the flux of magnitude 0 of one system or another.
    """

    def cut(self, options=None, **cards):
        header = make_header(cards)
        return GalaxyCutout(fits.PrimaryHDU(IMAGE, header), pixel_scale=0.4,
                            **options or {})

    @pytest.mark.parametrize('cards', [
        # coadds of unWISE, and of the Legacy Surveys in bands of WISE
        {'BUNIT': 'nanomaggy', 'MAGZP': 22.5, 'UNW_VER': 'x'},
        {'BUNIT': 'nanomaggy', 'MAGZERO': 22.5, 'MAGSYS': 'Vega'},
        {'BUNIT': 'nanomaggies', 'SURVEY': 'unwise-neo7'},
        {'BUNIT': 'Vega nanomaggies'}, {'BUNIT': 'nanomaggy (Vega)'},
        {'BUNIT': 'vega nMgy'}])
    def test_header(self, cards):
        cutout = self.cut(**cards)
        assert (cutout.zeropoint, cutout.mag_system) == (22.5, 'Vega')

    @pytest.mark.parametrize('cards', [
        {'BUNIT': 'nanomaggy'}, {'BUNIT': 'AB nanomaggies'},
        # (as converted by the Siena Galaxy Atlas)
        {'BUNIT': 'nanomaggy', 'TELESCOP': 'WISE', 'PHOTSYS': 'AB'},
        {'BUNIT': 'uJy', 'TELESCOP': 'WISE', 'MAGZP': 20.5}])
    def test_ab(self, cards):
        assert self.cut(**cards).mag_system == 'AB'

    def test_option(self):
        cutout = self.cut({'mag_system': 'Vega'}, BUNIT='nanomaggy')
        assert (cutout.zeropoint, cutout.mag_system) == (22.5, 'Vega')
        cutout = self.cut({'mag_system': 'AB'}, BUNIT='nanomaggy',
                          TELESCOP='WISE')
        assert cutout.mag_system == 'AB'

    def test_given_zero_point(self):
        cards = {'BUNIT': 'DN', 'TELESCOP': 'WISE'}
        match = 'zeropoint= is taken as AB, although .* such headers are Vega'
        with pytest.warns(AstropyUserWarning, match=match):
            assert self.cut({'zeropoint': 23.2}, **cards).mag_system == 'AB'
        for options in ({'zeropoint': 23.2, 'mag_system': 'AB'},
                        {'zeropoint': 23.2 * u.ABmag}):
            assert self.cut(options, **cards).mag_system == 'AB'


@pytest.mark.parametrize(('name', 'is_told'), [
    ('Ks', True), ('K', True), ('H', True), ('J', True), ('K_s', True),
    ('J (1254 nm)', True), ('Ks.MKO', True), ('r', False), ('z', False),
    ('H-alpha', False), ('Halpha', False), ('i', False), ('F160W', False),
    # (lines, and continua beside them)
    ('H-beta', False), ('H_beta', False), ('H beta', False), ('H-b', False),
    ('H_gamma', False), ('K-cont', False), ('J-PAS', False), ('H2', False),
    ('H-band', True), ('J_G0202', True), ("K'", True), ('H MKO', True),
    # of Johnson and Cousins
    ('R', True), ('B', True), ('I Cousins', True), ('Bessell R', True),
    ('R_Harris', True), ('Rc/162', True), ('Johnson U', True), ('V', False),
    ('b', False), ('R-cont', False), ('r_Gunn', False)])
def test_system_of_infrared_bands(name, is_told):
    header = header_values(make_header({'MAGZP': 25.0, 'FILTER': name}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        assert find_zeropoint(u.adu, header=header).system == 'AB'
    match = f"system of MAGZP, which often is Vega with FILTER={name!r}"
    assert [match in str(item.message) for item in caught] == [True] * is_told


@pytest.mark.parametrize('cards', [
    {'PHOTSYS': 'AB'}, {'TELESCOP': 'EUCLID'}, {'MAGZP': (25.0, 'AB mag')},
    {'TELESCOP': '2MASS'}, {'MAGZP': (25.0, 'Vega')}])
def test_system_of_infrared_bands_is_known(cards):
    header = header_values(make_header({'MAGZP': 25.0, 'FILTER': 'H',
                                        **cards}))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert find_zeropoint(u.adu, header=header).value == 25
        found = find_zeropoint(u.adu, header=make_header({'MAGZP': 25.0}),
                               mag_system='Vega')
    assert found.system == 'Vega'
