# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the file_kinds module: files that are no FITS images.
"""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from PIL import Image

from astro_pix2prof import PSF, GalaxyCutout
from astro_pix2prof.image.file_kinds import describe_kind


def picture(kind):
    stream = io.BytesIO()
    Image.new('RGB', (40, 30), 'red').save(stream, kind)
    return stream.getvalue()


def tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w') as archive:
        archive.addfile(tarfile.TarInfo('galaxy.fits'))
    return stream.getvalue()


def zipped(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        for name in names:
            archive.writestr(name, b'x')
    return stream.getvalue()


def locked():
    """
    A zip file whose only file needs a password, as its flags say.
    """
    content = bytearray(zipped('a.fits'))
    content[6] |= 1
    content[content.index(b'PK\x01\x02') + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(('content', 'match'), [
    *((picture(kind), rf'a picture and no FITS file \({kind}\), .* take the F')
      for kind in ('JPEG', 'PNG', 'GIF', 'TIFF', 'WEBP',
                                  'BMP')),
    (picture('JPEG')[:200], r'a picture and no FITS file \(JPEG\)'),
    (b'%PDF-1.5\n' + bytes(900), 'a PDF or PostScript document'),
    (b'<!DOCTYPE html><html>404</html>', 'a web page .* download that fai'),
    (b'\xef\xbb\xbf\n <HTML><body>Not found', 'a web page and no FITS file'),
    (b'<?xml version="1.0"?><html xmlns="x">', 'a web page and no FITS'),
    (b'<?xml version="1.0"?><VOTABLE/>', 'an XML document and no FITS file'),
    (json.dumps({'error': 'no such tile'}).encode(), 'a JSON document'),
    (b'[{"detail": 1}]', 'a JSON document'),
    (b'# id ra dec\n1 2 3\n' * 50, "but a text that begins with '# id ra d"),
    ('Größe der Galaxie'.encode(), "a text that begins with 'Größe der Ga"),
    (b'', 'not a readable FITS file: it is empty, as after a download'),
    (tar(), 'a tar archive and no FITS file: unpack it'),
    (gzip.compress(tar()), 'a tar archive and no FITS file: unpack it'),
    (gzip.compress(b'<html>'), 'a web page and no FITS file'),
    (zipped('a.fits', 'b.fits'), r'zip file .* holds 2 \(a\.fits, b\.fits'),
    (zipped(*'abcde'), r'it holds 5 \(a, b, c, \.\.\.\): unpack'),
    (zipped('data.npy'), r'arrays of numpy \(npz\)'),
    (b'\x93NUMPY\x01\x00' + bytes(200), 'what numpy.load reads from it'),
    (b'\x89HDF\r\n\x1a\n' + bytes(200), 'an HDF5 file'),
    (b'#ASDF 1.0.0\n', 'an ASDF file'), (b'PAR1' + bytes(60), 'a Parquet'),
    (bytes([8] + [0] * 7) + b'{"weight', 'a safetensors file'),
    (pickle.dumps([1, 2]), 'a pickle'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
    (b'Rar!\x1a\x07' + bytes(60), 'an archive and no FITS file'),
    (np.random.default_rng(0).bytes(4000), 'is not a readable FITS file: it '
     r"begins with b'.*' and not with SIMPLE: give the FITS file"),
    (bytes(5760), 'its first 512 bytes are all zero, as after a download'),
    (b'SIMPLE  =                    T'.ljust(5760), 'header has no END'),
    (b'SIMPLE  =                    T'.ljust(80) + b'END'.ljust(80),
     'header has no END, .* cut short: fetch the file again'),
    *((packed(b'SIMPLE' * 500)[:40], f'a readable FITS file but {name} file '
       'that is cut short: fetch the file again') for packed, name in (
          (gzip.compress, 'a gzip'), (bz2.compress, 'a bzip2'),
          (lzma.compress, 'an xz'))),
    (gzip.compress(b'SIMPLE' * 500)[:-8] + bytes(8),
     r'a gzip file that is damaged or cut short \(CRC'),
    (b'BZh9' + bytes(60), r'a bzip2 file that is damaged .* \(Invalid data'),
    (zipped('a.fits')[:40], r'a zip file that is damaged or cut short \('),
    (locked(), 'a zip file with a password: unpack it')],
    # (archives hold the time)
    ids=lambda value: value if isinstance(value, str) else '')
def test_kinds(content, match, tmp_path):
    path = tmp_path / 'galaxy.fits'
    path.write_bytes(content)
    with pytest.raises(OSError, match=match) as info:
        GalaxyCutout(path)
    assert str(path) in str(info.value)


def test_nothing_is_known():
    assert describe_kind(None) == ''
    closed = io.BytesIO(b'')
    closed.close()
    assert describe_kind(closed) == ''
    header = b'SIMPLE  =                    T'.ljust(80) + b'END'.ljust(80)
    assert describe_kind(io.BytesIO(header.ljust(2880))) == ''


def test_zip_of_macos(tmp_path):
    path = tmp_path / 'galaxy.zip'
    stream = io.BytesIO()
    fits.PrimaryHDU(np.ones((20, 20))).writeto(stream)
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('images/', b'')
        archive.writestr('images/galaxy.fits', stream.getvalue())
        archive.writestr('__MACOSX/images/._galaxy.fits', b'x')
    cutout = GalaxyCutout(path, pixel_scale=0.4, calibrated=False)
    assert cutout.shape == (20, 20)


@pytest.mark.parametrize(('text', 'hdu'), [
    ('a.dat[0]', 'hdu=0'), ('a.dat[SCI]', "hdu='SCI'"),
    ('a.dat[SCI,2]', r"hdu=\('SCI', 2\)")])
def test_extension_in_the_name(text, hdu, tmp_path):
    (tmp_path / 'a.dat').write_bytes(b'\1\2\3' * 1000)
    match = rf'no such file: .*\]: give .*a\.dat with {hdu}$'
    with pytest.raises(FileNotFoundError, match=match):
        GalaxyCutout(tmp_path / text)
    with pytest.raises(FileNotFoundError, match=r'b\.dat\[0\]'):
        GalaxyCutout(tmp_path / 'b.dat[0]')
    # (the file of a PSF is named with its extension)
    with pytest.raises(OSError, match=r'a\.dat is not a readable FITS file: '
                                      r"it begins with b'\\x01"):
        PSF(str(tmp_path / text))


def test_table(tmp_path):
    path = tmp_path / 'catalogue.fits'
    table = fits.table_to_hdu(Table({'x': [1.0]}))
    table.name = 'OBJECTS'
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    match = (rf'{path.name} holds no image, but 1 table \(OBJECTS\): give '
             'the file of the image')
    with pytest.raises(ValueError, match=match):
        GalaxyCutout(path)


def image_hdus(n, **cards):
    image = np.random.default_rng(0).normal(0.0, 1.0, (20, 20))
    return [fits.PrimaryHDU(), *(fits.ImageHDU(
        image + k, fits.Header({'BUNIT': 'nmgy', **{
            key: values[k] for key, values in cards.items()}}),
        name=f'CCD{k}') for k in range(n))]


@pytest.mark.parametrize(('n', 'cards', 'match'), [
    (3, {}, r'holds 3 images \(1 CCD0, 2 CCD1, 3 CCD2\): the first is taken; '
            r'choose one with hdu=$'),
    (8, {}, r'holds 8 images \(1 CCD0, .* 6 CCD5, \.\.\.\)'),
    (2, {'FILTER': 'gr'}, r'choose one with hdu=, or band= \(g, r\)')])
def test_several_images(n, cards, match, tmp_path):
    path = tmp_path / 'mosaic.fits'
    hdulist = fits.HDUList(image_hdus(n, **cards))
    hdulist.writeto(path)
    for image in (path, hdulist):
        with pytest.warns(AstropyUserWarning, match=match):
            first = GalaxyCutout(image, pixel_scale=0.4)
        assert np.median(first.data) < 0.5


def test_image_before_others():
    """
    The image before all extensions is the one that is meant.
    """
    _, first, second = image_hdus(2)
    hdulist = fits.HDUList([fits.PrimaryHDU(first.data, first.header),
                            fits.ImageHDU(second.data, name='OTHERS')])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        cutout = GalaxyCutout(hdulist, pixel_scale=0.4)
    assert np.median(cutout.data) < 0.5


def test_choice_of_several_images(recwarn):
    hdulist = fits.HDUList(image_hdus(2, FILTER='gr'))
    for options in ({'hdu': 2}, {'hdu': 'CCD1'}, {'band': 'r'}):
        cutout = GalaxyCutout(hdulist, pixel_scale=0.4, **options)
        assert np.median(cutout.data) > 0.5
    # (planes of an image are told by their names)
    hdulist[2].name = 'ERR'
    GalaxyCutout(hdulist, pixel_scale=0.4)
    assert not recwarn.list
