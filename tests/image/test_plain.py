# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the lean way for plain FITS images.
"""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS

from astro_pix2prof.image import fits as image_fits
from astro_pix2prof.image import plain
from astro_pix2prof.image.fits import _read_file
from astro_pix2prof.image.plain import PlainCards, read_plain

MATRIX = {'CD1_1': -2e-4, 'CD1_2': 1e-5, 'CD2_1': 1.1e-5, 'CD2_2': 2.1e-4}
SCALES = {'CDELT1': -2e-4, 'CDELT2': 2.1e-4}
NUMBERS = ('lonpole', 'latpole', 'equinox', 'mjdobs', 'dateobs', 'radesys')
TURNED = {'PC1_1': 0.8, 'PC1_2': -0.6, 'PC2_1': 0.6, 'PC2_2': 0.8}


def make_header(*parts, **more):
    header = fits.Header()
    header['CTYPE1'], header['CTYPE2'] = 'RA---TAN', 'DEC--TAN'
    header['CRPIX1'], header['CRPIX2'] = 11.5, 9.25
    header['CRVAL1'], header['CRVAL2'] = 184.123456789, -12.3
    header['OBJECT'], header['BUNIT'] = "the dog's galaxy", 'nanomaggy'
    for part in (*parts, more):
        for key, value in part.items():
            header[key] = value
    return header


def write(path, header, kind='>f4', shape=(21, 25), **options):
    data = np.random.default_rng(3).normal(50, 9, shape).astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyWarning)
        fits.writeto(path, data, header, output_verify='ignore', **options)
    return path


def read(path, monkeypatch, lean, **options):
    """
    Return everything that is read, warnings and errors included.
    """
    with monkeypatch.context() as patch, warnings.catch_warnings(
            record=True) as caught:
        warnings.simplefilter('always')
        if not lean:
            patch.setattr(image_fits, 'read_plain', lambda path: None)
            patch.setattr(image_fits, 'extension_wcs', lambda block: None)
        try:
            parts = _read_file(path, *(options.get(name) for name in (
                'hdu', 'band', 'bad_bits')))
        except (ValueError, OSError) as error:
            return repr(error)
        texts = [str(item.message) for item in caught]
        wcs = None
        if isinstance(parts.wcs, WCS):
            pixels = np.outer([0, 20, 7.5], np.ones(parts.wcs.naxis))
            wcs = (vars(parts.wcs), parts.wcs.to_header_string(relax=True),
                   parts.wcs.sip is None, [getattr(parts.wcs.wcs, name)
                                           for name in NUMBERS],
                   parts.wcs.all_pix2world(pixels, 0).tobytes())
    return repr((parts.data.dtype, parts.data.shape, parts.data.tobytes(),
                 parts.unit, parts.band, parts.name, parts.position,
                 dict(parts.header), len(parts.masks), parts.error is None,
                 wcs, texts))


@pytest.mark.parametrize('header', [
    make_header(MATRIX), make_header(SCALES), make_header(SCALES, TURNED),
    make_header(SCALES, CROTA2=33.0), make_header(MATRIX, SCALES),
    make_header(MATRIX, LONPOLE=170.0, LATPOLE=20.0, WCSAXES=2),
    make_header(MATRIX, {'MJD-OBS': 51234.5, 'DATE-OBS': '03/02/99'},
                EQUINOX=1950.0, RADESYS='FK4', CUNIT1='degree',
                CUNIT2='deg'),
    make_header(MATRIX, WAT1_001='wtype=tan axtype=ra', COMMENT='text',
                EXTEND=True, EXPTIME=-1.5e-3, FILTER='r'),
    make_header(MATRIX, BSOFTEN=1.5, BOFFSET=0.25, BUNIT='cows')])
def test_plain(tmp_path, monkeypatch, header):
    """
    Pixels, header, unit, WCS and warnings are those that astropy gives.
    """
    path = write(tmp_path / 'image.fits', header)
    assert read_plain(path) is not None
    assert read(path, monkeypatch, True) == read(path, monkeypatch, False)
    assert 'RA---TAN' in read(path, monkeypatch, True)


@pytest.mark.parametrize('kind', ['u1', '>i2', '>i4', '>i8', '>f4', '>f8'])
@pytest.mark.parametrize('options', [{}, {'hdu': 0}, {'band': 'g'}])
def test_types(tmp_path, monkeypatch, kind, options):
    """
    All kinds of numbers are read, in one way, and can be written to.
    """
    path = write(tmp_path / 'image.fits', make_header(MATRIX), kind)
    image = read_plain(path)
    assert image.pixels.dtype == kind
    assert image.pixels.flags.writeable
    assert read(path, monkeypatch, True, **options) == read(
        path, monkeypatch, False, **options)


def test_astropy_opens_no_plain_file(tmp_path, monkeypatch):
    """
    A plain file does not pass through `astropy.io.fits.open`.
    """
    path = write(tmp_path / 'image.fits', make_header(MATRIX))

    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(fits, 'open', refuse)
    assert _read_file(path, None, None, None).wcs.has_celestial


@pytest.mark.parametrize('more', [
    {'CTYPE1': 'RA---SIN', 'CTYPE2': 'DEC--SIN'}, {'CTYPE1': 'LINEAR'},
    {'CTYPE1': 'RA---TAN-SIP', 'CTYPE2': 'DEC--TAN-SIP', 'A_ORDER': 2,
     'B_ORDER': 2, 'A_2_0': 1e-5, 'B_0_2': 1e-5},
    {'A_ORDER': 2, 'B_ORDER': 2, 'A_2_0': 1e-5, 'B_0_2': 1e-5},
    {'CTYPE1': 'RA---TPV', 'CTYPE2': 'DEC--TPV', 'PV1_1': 1.1},
    {'PV1_1': 1.1, 'PV1_2': 0.1, 'PV2_1': 1.0}, {'CPDIS1': 'LOOKUP'},
    {'WCSAXES': 3}, {'CUNIT1': 'zork'}, dict.fromkeys(MATRIX, 0.0),
    {'HIERARCH ESO DET': 3}, {'NOTE': 'x' * 100}, {'NOTE': 'a.b: 5'}])
@pytest.mark.parametrize('kind', ['>f4', '>i2'])
def test_not_plain(tmp_path, monkeypatch, more, kind):
    """
    Distortions, scales, broken and rare cards are left to astropy.
    """
    path = write(tmp_path / 'image.fits', make_header(MATRIX, more), kind)
    assert read_plain(path) is None
    assert read(path, monkeypatch, True) == read(path, monkeypatch, False)


@pytest.mark.parametrize(('name', 'options'), [
    ('image.fits.gz', {}), ('image.fits', {'checksum': True}),
    ('cube.fits', {'shape': (2, 21, 25)}), ('row.fits', {'shape': (25,)})])
def test_other_files(tmp_path, monkeypatch, name, options):
    """
    Compressed files, sums and cubes are left to astropy.
    """
    path = write(tmp_path / name, make_header(MATRIX), **options)
    assert read_plain(path) is None
    assert read(path, monkeypatch, True) == read(path, monkeypatch, False)


def test_extension(tmp_path, monkeypatch):
    """
    An image with a mask beside it is left to astropy.
    """
    path = write(tmp_path / 'image.fits', make_header(MATRIX))
    fits.append(path, np.eye(21, 25).astype('u1'),
                fits.Header({'EXTNAME': 'MASK'}))
    assert read_plain(path) is None
    assert '21, 25' in read(path, monkeypatch, True)


@pytest.mark.parametrize(('more', 'leanly'), [
    ({}, True), ({'HIERARCH ESO DET CHIP': 3}, True),
    ({'NOTE': 'x' * 100}, True), ({'BSCALE': 2.0, 'BZERO': 5.0}, True),
    ({'CTYPE1A': 'LINEAR', 'CRPIX1A': 3.0}, True), ({'NOTE': 'a.b: 5'}, False),
    ({'A_ORDER': 2, 'B_ORDER': 2, 'A_2_0': 1e-5, 'B_0_2': 1e-5}, False),
    ({'PV1_1': 1.1, 'PV1_2': 0.1, 'PV2_1': 1.0}, False),
    ({'CPDIS1': 'LOOKUP'}, False), (dict.fromkeys(MATRIX, 0.0), False),
    ({'CTYPE1': 'RA---SIN', 'CTYPE2': 'DEC--SIN'}, False)])
@pytest.mark.parametrize('name', ['image.fits', 'image.fits.gz'])
@pytest.mark.parametrize('first', [True, False])
def test_wcs_of_extensions(tmp_path, monkeypatch, more, leanly, name, first):
    """
    The WCS of an image among others is that of astropy, without astropy.
    """
    path, header = tmp_path / name, make_header(MATRIX, more)
    scale = header.get('BSCALE', 1)
    pixels = np.arange(21 * 25.0).reshape(21, 25).astype('>i2')
    image = (fits.PrimaryHDU if first else fits.ImageHDU)(
        pixels, header, do_not_scale_image_data=True)
    image.header.update({key: header[key] for key in ('BSCALE', 'BZERO')
                         if key in header})
    mask = fits.ImageHDU(np.eye(21, 25).astype('u1'), name='MASK')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyWarning)
        fits.HDUList([*([] if first else [fits.PrimaryHDU()]), image,
                      mask]).writeto(path, output_verify='ignore',
                                     checksum=True)
    seen, whole = [], image_fits.read_wcs
    monkeypatch.setattr(image_fits, 'read_wcs', lambda *args: (
        seen.append(args) or whole(*args)))
    found = read(path, monkeypatch, True)
    assert (not seen) == leanly
    assert found == read(path, monkeypatch, False)
    assert seen
    data = _read_file(path, None, None, None).data
    assert data[20, 24] == 524 * scale + header.get('BZERO', 0)


def test_wcs_of_changed_extension(tmp_path):
    """
    Of an HDU list that the caller may have changed, the header counts.
    """
    path = write(tmp_path / 'image.fits', make_header(MATRIX))
    with fits.open(path) as hdulist:
        hdulist[0].header['CRPIX1'] = 3.0
        parts = image_fits._read_hdulist(hdulist, None, None, None)
    assert parts.wcs.wcs.crpix[0] == 3.0


@pytest.mark.parametrize(('old', 'new'), [
    (b'CRVAL1  =', b'crval1  ='), (b'CRVAL1  =', b'CRVAL1   '),
    (b'OBJECT', b'OBJ\x00CT'), (b'dog', b'd\xf6g'),
    (b'SIMPLE  =                    T', b'SIMPLE  =                    F'),
    (b'BITPIX  =                   32', b'BITPIX  =                   31'),
    (b'NAXIS1  =                   25', b'NAXIS1  =                   99'),
    (b'XCALE   =', b'BSCALE  ='), (b'XCALE   =', b'BZERO   ='),
    (b'XCALE   =', b'BLANK   ='), (b'XCALE   =', b'GROUPS  ='),
    (b'XCALE   =', b'DATASUM ='),
    (b'NAXIS1  =                   25', b'NAXIS1  =                    0'),
    (b'NAXIS1  =                   25', b'NAXIS1  =                 -25 '),
    (b'NAXIS2  =', b'NAXIS3  ='), (b'END     ', b'ENDE    ')])
def test_changed_header(tmp_path, monkeypatch, old, new):
    """
    Scales and damage lead to what they led to without the lean way.
    """
    path = write(tmp_path / 'image.fits', make_header(MATRIX, XCALE=2),
                 '>i4')
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    assert read_plain(path) is None
    assert read(path, monkeypatch, True) == read(path, monkeypatch, False)


@pytest.mark.parametrize('n', [0, 100, 2880, 4000, -1, -2880])
def test_cut_short(tmp_path, monkeypatch, n):
    """
    Files that end too early are refused as before.
    """
    path = write(tmp_path / 'image.fits', make_header(MATRIX))
    path.write_bytes(path.read_bytes()[:n])
    assert read_plain(path) is None
    assert read(path, monkeypatch, True) == read(path, monkeypatch, False)


def test_longer(tmp_path, monkeypatch):
    """
    Bytes behind the image make a file one that is not plain.
    """
    path = write(tmp_path / 'image.fits', make_header(MATRIX))
    path.write_bytes(path.read_bytes() + b'\0' * 2880)
    assert read_plain(path) is None
    assert read(path, monkeypatch, True) == read(path, monkeypatch, False)


def test_no_file(tmp_path):
    """
    Folders, devices and missing files are left to those who explain them.
    """
    assert read_plain(tmp_path) is None
    assert read_plain(tmp_path / 'missing.fits') is None
    assert read_plain('/dev/zero') is None


def test_twice():
    """
    Of several cards with one keyword, the first counts, as for astropy.
    """
    block = b''.join(b'%-8s= %20d' % (key, value) + b' ' * 50 for key, value
                     in ((b'A', 1), (b'B', 2), (b'A', 3)))
    cards = PlainCards(block)
    assert dict(cards) == {'A': 1, 'B': 2}
    assert (len(cards), 'B' in cards, 'C' in cards) == (2, True, False)
    assert (cards.integer('B'), cards.integer('C')) == (2, None)


def test_strange_card():
    """
    A card without a value is no plain card.
    """
    with pytest.raises(ValueError, match='no plain card'):
        PlainCards(b'STRANGE ' + b' ' * 72)


@pytest.mark.parametrize('text', [
    "'nmgy    '           / unit", "'a/b c d'", "''", "'    '", "'  x '",
    "'it''s'", "'x' / it's", "'x'y", 'T', '                   F / no', 'TRUE',
    '12', '-0012 / n', '+5', '1.5', '-.5 / x', '5.', '1.E-3', '1.5D+02',
    '1E5', '(1, 2)', '12 34', '1.2.3', '--3', '', '/ nothing', 'NAN',
    "'" + 66 * 'x' + "'", "'&'", '12345678901234567890'])
def test_values_as_astropy(text):
    """
    Values that are read without astropy are those of astropy.
    """
    card = f'KEY     = {text}'.ljust(80).encode()
    found = plain._usual_value(card)
    try:
        expected = fits.Card.fromstring(card).value
    except (fits.VerifyError, ValueError):
        expected = None
    assert found is None or (
        type(found) is type(expected) and found == expected)
    assert (found is None) == (text in (
        "''", "'    '", "'  x '", "'it''s'", "'x'y", 'TRUE', '1.5D+02', '1E5',
        '(1, 2)', '12 34', '1.2.3', '--3', '', '/ nothing', 'NAN'))
