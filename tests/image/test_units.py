# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the units module.
"""

import astropy.units as u
import pytest

from astro_pix2prof.image.units import (
    is_counts_like,
    is_rate,
    is_surface_brightness,
    parse_unit,
    time_scale,
)

ST = u.erg / u.s / u.cm**2 / u.AA


@pytest.mark.parametrize(('text', 'expected'), [
    ('nanomaggy', u.nmgy), ('nanomaggies', u.nmgy), ('NANOMAGGIES', u.nmgy),
    ('nmgy', u.nmgy), ('nMgy', u.nmgy), ('nanomaggy/pixel', u.nmgy),
    ('nanomaggies/arcsec^2', u.nmgy / u.arcsec**2),
    ('maggy', u.mgy), ('maggies', u.mgy), ('Mgy', u.mgy),
    ('counts', u.ct), ('COUNTS', u.ct), ('count', u.ct), ('ct', u.ct),
    ('counts/s', u.ct / u.s), ('COUNTS/S', u.ct / u.s),
    ('counts/pixel/sec', u.ct / u.s),
    ('ADU', u.adu), ('adu', u.adu), ('adu/sec', u.adu / u.s),
    ('DN', u.DN), ('dn', u.DN), ('DN/s', u.DN / u.s),
    ('e-', u.electron), ('e-/s', u.electron / u.s),
    ('counts/EXPTIME', u.ct / u.s), ('ADU / texp', u.adu / u.s),
    ('photoelectrons', u.electron), ('photo-electrons/s', u.electron / u.s),
    ('data numbers', u.DN), ('Data Units', u.DN),
    ('x 1e-20 erg/s/cm2/A', 1e-20 * ST),
    ('e- s-1', u.electron / u.s), ('e/s', u.electron / u.s),
    ('electrons', u.electron), ('ELECTRONS/S', u.electron / u.s),
    ('electron / s', u.electron / u.s), ('photons', u.photon),
    ('microJansky', u.uJy), ('microJanskys', u.uJy), ('uJy', u.uJy),
    ('µJy', u.uJy), ('nJy', u.nJy), ('mJy', u.mJy), ('MJy', u.MJy),
    ('Jy', u.Jy), ('JY', u.Jy), ('Jansky', u.Jy), ('Jy/pix', u.Jy),
    ('MJy/sr', u.MJy / u.sr), ('MJY/SR', u.MJy / u.sr),
    ('MJy sr-1', u.MJy / u.sr), ('Jy/arcsec2', u.Jy / u.arcsec**2),
    ('mJy/arcsec**2', u.mJy / u.arcsec**2),
    ('ergs/s/cm2/Hz', u.erg / u.s / u.cm**2 / u.Hz),
    ('erg s-1 cm-2 Angstrom-1', ST), ('erg/s/cm^2/Angstrom', ST),
    ('ERGS/CM2/S/A', ST), ('erg/cm**2/s/A', ST),
    ('10^-17 erg/s/cm^2/A', 1e-17 * ST),
    ('1e-17 erg/s/cm2/AA', 1e-17 * ST),
    ('ABflux', u.AB), ('STflux', u.ST),
    ('Mjy/sr', u.MJy / u.sr), ('Mjy/Sr', u.MJy / u.sr),
    ('MJY SR-1', u.MJy / u.sr), ('MJy/Sr', u.MJy / u.sr),
    ('MJY/STERADIAN', u.MJy / u.sr), ('1E-3 MJY/SR', 1e-3 * u.MJy / u.sr),
    ('mJy/Sr', u.mJy / u.sr), ('mJY', u.mJy), ('KJY/SR', u.kJy / u.sr),
    ('mega-jansky/sr', u.MJy / u.sr), ('MILLIJANSKY', u.mJy),
    ('mjy/arcsec2', u.mJy / u.arcsec**2), ('mjy/pixel', u.mJy),
    ('nano-maggies', u.nmgy), ('nanomaggies per arcsec^2',
                               u.nmgy / u.arcsec**2),
    ('electrons per second', u.electron / u.s), ('E-/S', u.electron / u.s),
    ('DN per s', u.DN / u.s), ('el/s', u.electron / u.s), ('muJy', u.uJy),
    ('uJy/sq arcsec', u.uJy / u.arcsec**2), ('Jy/"^2', u.Jy / u.arcsec**2),
    ('W M-2 HZ-1 SR-1', u.W / u.m**2 / u.Hz / u.sr),
    ('W/m^2/micron', u.W / u.m**2 / u.um), ('FLAM', ST),
    ('FLAM16', 1e-16 * ST), ('flam-17', 1e-17 * ST),
    ('fnu', u.erg / u.s / u.cm**2 / u.Hz),
    ('1E-17 erg/s/cm^2/Ang/spaxel', 1e-17 * ST),
    ('10**(-20)*erg/s/cm**2/Angstrom', 1e-20 * ST),
    ('(10**-20 erg/s/cm**2/Angstrom)', 1e-20 * ST),
    ('10^{-20} erg/s/cm^2/A', 1e-20 * ST),
    ('x10^-20 erg/s/cm^2/A', 1e-20 * ST),
    ('1e-18 erg s-1 cm-2 A-1', 1e-18 * ST),
    (u.Jy, u.Jy), (2 * u.Jy, u.Unit(2 * u.Jy)), (u.Jy / u.pix, u.Jy),
    ('', u.dimensionless_unscaled), (' unknown ', u.dimensionless_unscaled),
    (None, u.dimensionless_unscaled),
])
def test_parse_unit(text, expected):
    # equal units have the ratio 1; == would accept Jy and 1000 mJy too
    assert parse_unit(text).to(u.Unit(expected)) == pytest.approx(1, rel=1e-12)


def test_parse_unit_keeps_case_of_prefix():
    assert parse_unit('MJy').to(u.mJy) == pytest.approx(1e9)
    assert parse_unit('mJY').to(u.mJy) == pytest.approx(1)


def test_parse_unit_scaled():
    unit = parse_unit(u.MJy / u.sr / 187.75)
    assert unit.to(u.MJy / u.sr) == pytest.approx(1 / 187.75)


@pytest.mark.parametrize('text', ['florins', 'e-17 erg', 'Jy??'])
def test_parse_unit_unknown(text):
    with pytest.raises(ValueError, match='is not understood: use a name'):
        parse_unit(text)


@pytest.mark.parametrize('unit', [
    'mag', 'MAG', 'ABmag', 'mag/arcsec2', 'mag/sq arcsec', 'magnitude',
    'vegamag', 'log(Jy)', 'log10(flux)', 'dex', 'dB', u.ABmag, u.STmag,
    u.mag, u.dex, u.dex(u.Jy)])
def test_parse_unit_magnitudes(unit):
    with pytest.raises(ValueError, match='needs linear intensities'):
        parse_unit(unit)


@pytest.mark.parametrize('unit', [
    'Jy/beam', 'JY/BEAM', 'Jy per beam', 'Jy/bm', 'mjy beam-1',
    'JY/BEAM KM/S', u.mJy / u.beam])
def test_parse_unit_beam(unit):
    with pytest.raises(ValueError, match='is a flux per beam: convert'):
        parse_unit(unit)


@pytest.mark.parametrize('unit', [3, [u.Jy], [1, 2] * u.Jy])
def test_parse_unit_type(unit):
    with pytest.raises(TypeError, match='must be an astropy unit or its'):
        parse_unit(unit)


def test_kinds():
    assert is_counts_like(u.adu)
    assert is_counts_like(u.electron / u.s)
    assert not is_counts_like(u.nmgy)
    assert not is_counts_like(u.photon / u.s / u.cm**2 / u.AA)
    assert is_rate(u.DN / u.s)
    assert is_rate(u.DN / u.min)
    assert time_scale(u.DN / u.min) == pytest.approx(1 / 60)
    assert time_scale(u.Unit('0.1 DN / s')) == time_scale(u.DN) == 1
    assert not is_rate(u.DN)
    for unit in ('MJy/sr', 'Jy/arcsec2', 'nmgy/arcmin2', 'DN/s/arcsec2'):
        assert is_surface_brightness(parse_unit(unit))
    for unit in (u.Jy, u.adu, u.Jy / u.arcsec, u.dimensionless_unscaled):
        assert not is_surface_brightness(unit)


@pytest.mark.parametrize('text', [
    'mjy/sr', 'mjy / sr', 'mjy sr-1', 'mjy sr**-1', 'MJY', 'MJY/PIXEL',
    'mjy/Sr', 'mjY/sr', 'mjy/steradian', 'Mjy', 'MJY PIXEL-1', 'MJY/BEAM',
    'MJY/ARCSEC^2', '1e-3 mjy/SR'])
def test_ambiguous_jansky(text):
    with pytest.raises(ValueError, match='may be mJy or MJy, which differ'):
        parse_unit(text)
    assert parse_unit('mJy/sr') == u.mJy / u.sr
    assert parse_unit('mjy') == u.mJy


def test_vega_maggies():
    match = "'Vega nanomaggies': give 'nmgy' and mag_system='Vega'"
    with pytest.raises(ValueError, match=match):
        parse_unit('Vega nanomaggies')
