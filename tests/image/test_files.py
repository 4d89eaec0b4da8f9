# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the files module: files that are damaged, hostile or too large.
"""

import bz2
import gzip
import lzma
import os
import warnings
import zipfile

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image import files
from astro_pix2prof.image.files import (
    check_sums,
    open_fits,
    read_pixels,
    scale_integers,
)
from astro_pix2prof.image.sections import cut_section

SHAPE = (50, 60)
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}


@pytest.fixture(name='array')
def make_array():
    return np.random.default_rng(0).normal(1.0, 0.1, SHAPE).astype('f4')


@pytest.fixture(name='raw')
def make_raw(array, tmp_path):
    fits.PrimaryHDU(array).writeto(tmp_path / 'raw.fits', checksum=True)
    return (tmp_path / 'raw.fits').read_bytes()


def read(path, **options):
    return GalaxyCutout(path, **{**OPTIONS, **options})


class TestRegular:
    def test_device(self):
        if not os.path.exists('/dev/zero'):
            pytest.skip('no /dev/zero')
        with pytest.raises(OSError, match='/dev/zero is not a regular file'):
            read('/dev/zero')

    def test_pipe(self, tmp_path):
        if not hasattr(os, 'mkfifo'):
            pytest.skip('no pipes')
        os.mkfifo(tmp_path / 'a.fits')
        with pytest.raises(OSError, match=r'a\.fits is not a regular file'):
            read(tmp_path / 'a.fits')
        # a link leads to the same
        (tmp_path / 'b.fits').symlink_to(tmp_path / 'a.fits')
        with pytest.raises(OSError, match=r'b\.fits is not a regular file'):
            read(tmp_path / 'b.fits')

    def test_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError, match='is a folder, not a FIT'):
            read(tmp_path)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'a\.fits'):
            open_fits(tmp_path / 'a.fits')

    @pytest.mark.parametrize('content', [b'', b'no image', b'\0' * 5000,
                                         b'SIMPLE  =                    T'])
    def test_no_fits(self, content, tmp_path):
        (tmp_path / 'a.fits').write_bytes(content)
        with pytest.raises(OSError, match=r'a\.fits is not a readable FITS'):
            read(tmp_path / 'a.fits')

    @pytest.mark.parametrize(('content', 'match'), [
        (b'\xff\xd8\xff\xe0', 'is a picture and no FITS file'),
        (b'\x89PNG\r\n\x1a\n', 'is a picture and no FITS file'),
        (b'GIF89a', 'is a picture'), (b'II*\0', 'is a picture'),
        (b'MM\0*', 'is a picture'), (b'RIFF\0\0\0\0WEBP', 'is a picture'),
        (b'\x93NUMPY', 'is an array of numpy .* give what numpy'),
        (b'\x89HDF\r\n', 'is an HDF5 file'),
        (b'\n<!DOCTYPE html>', 'is a web page .* download that failed'),
        (b'<html>', 'is a web page')])
    @pytest.mark.parametrize('packed', [False, True])
    def test_other_kinds_of_files(self, content, match, packed, tmp_path):
        content += bytes(200)
        (tmp_path / 'a.fits').write_bytes(
            gzip.compress(content) if packed else content)
        with pytest.raises(OSError, match=rf'a\.fits {match}'):
            open_fits(tmp_path / 'a.fits')

    def test_name_in_other_bytes(self, raw, array, tmp_path):
        path = os.fsencode(tmp_path) + b'/a\xe9.fits'
        with open(path, 'wb') as stream:
            stream.write(raw)
        cutout = read(os.fsdecode(path))
        np.testing.assert_array_equal(cutout.data, array)
        assert cutout.name == 'a?'
        with open(path, 'wb') as stream:
            stream.write(raw[:5000])
        with pytest.raises(OSError, match=r'a\\udce9\.fits: the ext') as info:
            read(os.fsdecode(path))
        assert str(info.value).encode()

    def test_home(self, raw, array, tmp_path, monkeypatch):
        monkeypatch.setenv('HOME', str(tmp_path))
        np.testing.assert_array_equal(read('~/raw.fits').data, array)


class TestShort:
    @pytest.mark.parametrize('size', [2880, 2881, 5000, 2880 + 11999])
    def test_truncated(self, size, raw, tmp_path):
        (tmp_path / 'a.fits').write_bytes(raw[:size])
        match = (r"a\.fits: the extension 'PRIMARY' is cut short or its "
                 f'header is wrong: 12000 bytes .* the file has {size} bytes')
        with pytest.raises(OSError, match=match):
            read(tmp_path / 'a.fits')

    def test_padding_may_be_missing(self, raw, array, tmp_path):
        (tmp_path / 'a.fits').write_bytes(raw[:2880 + 12000])
        np.testing.assert_array_equal(read(tmp_path / 'a.fits').data, array)

    def test_header_announces_too_much(self, raw, tmp_path):
        # 200 GB, that must not be allocated
        huge = raw.replace(b'NAXIS1  =                   60',
                           b'NAXIS1  =           1000000000')
        assert huge != raw
        (tmp_path / 'a.fits').write_bytes(huge)
        with pytest.raises(OSError, match=r'a\.fits: .* 200000000000 bytes'):
            read(tmp_path / 'a.fits')

    def test_section(self, raw, tmp_path):
        (tmp_path / 'a.fits').write_bytes(raw[:5000])
        with open_fits(tmp_path / 'a.fits') as hdulist, pytest.raises(
                OSError, match=r'a\.fits: .* is cut short'):
            cut_section(hdulist, (30, 20), 10)

    def test_companion(self, array, tmp_path):
        images = fits.HDUList([fits.PrimaryHDU(array),
                               fits.ImageHDU(array, name='ERR')])
        images.writeto(tmp_path / 'a.fits')
        content = (tmp_path / 'a.fits').read_bytes()
        (tmp_path / 'a.fits').write_bytes(content[:-8000])
        with pytest.raises(OSError, match="the extension 'ERR' is cut short"):
            read(tmp_path / 'a.fits')

    def test_pixels_that_were_set(self, raw, array, tmp_path):
        # what is in memory has nothing to do with the size of the file
        with open_fits(tmp_path / 'raw.fits') as hdulist:
            hdulist[0].data = np.ones((200, 200), 'f4')
            assert GalaxyCutout(hdulist, **OPTIONS).shape == (200, 200)

    def test_damaged_tiles(self, array, tmp_path):
        path = tmp_path / 'a.fits.fz'
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(
            array, compression_type='GZIP_1', quantize_level=0)]
            ).writeto(path)
        content = bytearray(path.read_bytes())
        content[9000] ^= 255
        path.write_bytes(content)
        with pytest.raises(OSError, match=r"a\.fits\.fz: .* cannot be read"):
            read(path)


class TestCompressed:
    @pytest.mark.parametrize(('suffix', 'opener'), [
        ('gz', gzip.open), ('bz2', bz2.open), ('xz', lzma.open)])
    def test_kinds(self, suffix, opener, raw, array, tmp_path):
        path = tmp_path / f'a.fits.{suffix}'
        with opener(path, 'wb') as stream:
            stream.write(raw)
        np.testing.assert_array_equal(read(path).data, array)
        # also where the name does not tell
        path.rename(tmp_path / 'b.fits')
        np.testing.assert_array_equal(read(tmp_path / 'b.fits').data, array)
        content = (tmp_path / 'b.fits').read_bytes()
        (tmp_path / 'c.fits').write_bytes(content[:len(content) // 2])
        with pytest.raises(OSError, match=r'c\.fits is not a readable FITS'):
            read(tmp_path / 'c.fits')
        with opener(tmp_path / 'd.fits', 'wb') as stream:
            stream.write(raw[:5000])
        with pytest.raises(OSError, match=r'd\.fits: .* is cut short'):
            read(tmp_path / 'd.fits')

    def test_zip(self, raw, array, tmp_path):
        with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
            archive.writestr('a.fits', raw)
        np.testing.assert_array_equal(read(tmp_path / 'a.zip').data, array)
        with zipfile.ZipFile(tmp_path / 'a.zip', 'a') as archive:
            archive.writestr('b.fits', raw)
        with pytest.raises(OSError, match='must hold one file, it holds 2'):
            read(tmp_path / 'a.zip')

    def test_lzw(self, tmp_path):
        path = tmp_path / 'a.fits.Z'
        path.write_bytes(b'\x1f\x9d\x90' + b'a' * 100)
        with pytest.raises(OSError, match=r'a\.fits\.Z is not a readable FI'):
            read(path)

    def test_bomb(self, tmp_path, monkeypatch):
        # as large as its header says, a thousandth of that when compressed
        monkeypatch.setattr(files, '_FREE', 2**20)
        path = tmp_path / 'a.fits.gz'
        header = fits.PrimaryHDU(np.zeros((2, 2), 'f4')).header
        header['NAXIS1'], header['NAXIS2'] = 1000, 2880
        with gzip.open(path, 'wb') as stream:
            stream.write(header.tostring().encode())
            stream.write(bytes(4 * 1000 * 2880))
        size = path.stat().st_size
        match = (r'a\.fits\.gz is not a readable FITS file: it takes more '
                 f'than .* MiB when decompressed, from {size} bytes')
        with pytest.raises(OSError, match=match):
            read(path)

    def test_endless_header(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, '_FREE', 2**20)
        with gzip.open(tmp_path / 'a.fits.gz', 'wb') as stream:
            stream.write(b'SIMPLE  =                    T'.ljust(80))
            stream.write(b' ' * (80 * 10**5))
        with pytest.raises(OSError, match='when decompressed'):
            read(tmp_path / 'a.fits.gz')

    def test_large_but_honest(self, raw, array, tmp_path, monkeypatch):
        # (noise does not compress: it is read piece by piece)
        monkeypatch.setattr(files, '_FREE', 1000)
        with gzip.open(tmp_path / 'a.fits.gz', 'wb') as stream:
            stream.write(raw)
        np.testing.assert_array_equal(read(tmp_path / 'a.fits.gz').data,
                                      array)

    def test_most(self, raw, tmp_path, monkeypatch):
        monkeypatch.setattr(files, '_FREE', 1000)
        monkeypatch.setattr(files, '_MOST', 10000)
        with gzip.open(tmp_path / 'a.fits.gz', 'wb') as stream:
            stream.write(raw)
        with pytest.raises(OSError, match='when decompressed'):
            read(tmp_path / 'a.fits.gz')

    def test_tiles(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, '_FREE', 2**20)
        path = tmp_path / 'a.fits.fz'
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(
            np.zeros((2000, 2000), 'f4'), compression_type='GZIP_1',
            tile_shape=(500, 2000), quantize_level=0)]).writeto(path)
        size = path.stat().st_size
        match = (rf'a\.fits\.fz: .* takes 16000000 bytes, but its file only '
                 f'{size}')
        with pytest.raises(OSError, match=match):
            read(path)
        # a part of it is no trouble
        with open_fits(path) as hdulist:
            assert read_pixels(hdulist[1], np.s_[:50, :50]).shape == (50, 50)


class TestSums:
    def test_right(self, raw, array, tmp_path):
        np.testing.assert_array_equal(read(tmp_path / 'raw.fits').data, array)

    def test_pixels(self, raw, tmp_path):
        damaged = bytearray(raw)
        damaged[4001] ^= 1
        (tmp_path / 'a.fits').write_bytes(damaged)
        match = (r"a\.fits: the extension 'PRIMARY' does not agree with its "
                 'DATASUM and CHECKSUM: its pixels may be damaged')
        with pytest.warns(AstropyUserWarning, match=match):
            read(tmp_path / 'a.fits')

    def test_header(self, raw, tmp_path):
        changed = raw.replace(b'BITPIX  =                  -32',
                              b'BITPIX  =                 -32 ')
        (tmp_path / 'a.fits').write_bytes(changed)
        match = 'does not agree with its CHECKSUM: its header may be damaged'
        with pytest.warns(AstropyUserWarning, match=match):
            read(tmp_path / 'a.fits')

    def test_tiles(self, array, tmp_path):
        path = tmp_path / 'a.fits.fz'
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(
            array, compression_type='NOCOMPRESS', quantize_level=0)]).writeto(
                path, checksum=True)
        read(path)
        content = path.read_bytes()
        # within the pixels of the first tiles
        start = len(content) - 5760
        damaged = bytearray(content)
        damaged[start] ^= 1
        path.write_bytes(damaged)
        with pytest.warns(AstropyUserWarning, match='not agree with its DATA'):
            read(path)

    def test_mask(self, array, tmp_path):
        fits.HDUList([fits.PrimaryHDU(array), fits.ImageHDU(
            np.zeros(SHAPE, 'u1'), name='MASK')]).writeto(
                tmp_path / 'a.fits', checksum=True)
        damaged = bytearray((tmp_path / 'a.fits').read_bytes())
        damaged[-2880] ^= 1
        (tmp_path / 'a.fits').write_bytes(damaged)
        with pytest.warns(AstropyUserWarning, match="extension 'MASK' does"):
            read(tmp_path / 'a.fits')

    def test_none(self, array, tmp_path):
        fits.PrimaryHDU(array).writeto(tmp_path / 'a.fits')
        with open_fits(tmp_path / 'a.fits') as hdulist:
            with warnings.catch_warnings():
                warnings.simplefilter('error')
                check_sums(hdulist, 0)

    def test_in_memory(self, raw, tmp_path):
        # sums are of a file, not of what became of its pixels
        with fits.open(tmp_path / 'raw.fits') as hdulist:
            hdulist[0].data = hdulist[0].data + 1
            first = hdulist[0].data[0, 0]
            assert GalaxyCutout(hdulist, **OPTIONS).data[0, 0] == first


class TestIntegersThatWereNotScaled:
    @pytest.fixture(name='scaled')
    def make_scaled(self, tmp_path):
        """
        A file of integers, 0.5 + 0.01 of which are pixels.
        """
        image = np.arange(1, 1201).reshape(30, 40) * 0.03
        hdu = fits.PrimaryHDU(image.copy(), fits.Header({'BUNIT': 'nmgy'}))
        hdu.scale('int16', bscale=0.01, bzero=0.5)
        hdu.writeto(tmp_path / 'a.fits')
        return image, hdu, tmp_path / 'a.fits'

    def test_scaled_in_memory(self, scaled):
        image, hdu, _ = scaled
        np.testing.assert_allclose(GalaxyCutout(hdu, pixel_scale=0.4).data,
                                   image, atol=0.006)

    @pytest.mark.parametrize('raw', [True, False])
    def test_opened(self, scaled, raw):
        image, _, path = scaled
        with fits.open(path, do_not_scale_image_data=raw) as images:
            cutout = GalaxyCutout(images, pixel_scale=0.4)
        np.testing.assert_allclose(cutout.data, image, atol=0.006)

    def test_blank(self):
        data = np.full((30, 40), 5, 'i2')
        data[3, 4] = -7
        header = {'BSCALE': 2.0, 'BLANK': -7}
        found = scale_integers(data, header)
        assert np.isnan(found[3, 4])
        assert found[0, 0] == 10.0
        for same in ({}, {'BZERO': 32768}, {'BSCALE': 1, 'BZERO': 32768}):
            assert scale_integers(data, same) is data

    def test_ccddata(self):
        image = np.arange(1200).reshape(30, 40)
        ccd = CCDData(image, unit='nmgy', meta={'BSCALE': 0.01})
        with pytest.raises(ValueError, match=r'header BSCALE=0\.01: they '
                                             'were not scaled'):
            GalaxyCutout(ccd, pixel_scale=0.4)
        # (floats were)
        ccd = CCDData(0.01 * image, unit='nmgy', meta={'BSCALE': 0.01})
        assert GalaxyCutout(ccd, pixel_scale=0.4).data[0, 1] == (
            pytest.approx(0.01))

    def test_zero(self, scaled):
        _, _, path = scaled
        with fits.open(path, 'update', do_not_scale_image_data=True) as file:
            file[0].header['BSCALE'] = 0.0
        with pytest.raises(OSError, match='has BSCALE=0, which makes all pix'):
            GalaxyCutout(path, pixel_scale=0.4)

    def test_part(self, scaled):
        image, _, path = scaled
        with fits.open(path, do_not_scale_image_data=True) as file:
            part = read_pixels(file[0], (slice(2, 4), slice(5, 9)))
        np.testing.assert_allclose(part, image[2:4, 5:9], atol=0.006)
