# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of files that were rounded when they were compressed.
"""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image import compression
from astro_pix2prof.image.compression import (
    check_compression,
    compression_step,
)

NOISE = 0.2


def _write(path, level, *, method=1, kind='RICE_1', data=None):
    if data is None:
        rng = np.random.default_rng(1)
        data = rng.normal(3.0, NOISE, (96, 96)).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(
        data, name='SCI', compression_type=kind, quantize_method=method,
        quantize_level=level, dither_seed=5)]).writeto(path)
    return path


@pytest.mark.parametrize('kind', ['RICE_1', 'GZIP_1', 'HCOMPRESS_1'])
@pytest.mark.parametrize('method', [-1, 1, 2])
@pytest.mark.parametrize('level', [0.3, 1.0])
def test_coarse_steps_are_told(tmp_path, kind, method, level):
    path = _write(tmp_path / 'a.fits', level, method=method, kind=kind)
    with pytest.warns(AstropyUserWarning, match=r"extension 'SCI' was "
                      r'rounded to steps of \d.* times the noise'):
        GalaxyCutout(path, unit='nmgy', pixel_scale=0.4)


@pytest.mark.parametrize('level', [16, 4, 0])
def test_fine_steps_are_not(tmp_path, level):
    kind = 'RICE_1' if level else 'GZIP_1'
    path = _write(tmp_path / 'a.fits', level, kind=kind)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        cutout = GalaxyCutout(path, unit='nmgy', pixel_scale=0.4)
    assert [str(warning.message) for warning in caught] == []
    # (half a step is lost; the noise that sets it is that of each row of 96
    # pixels, and up to twice the true one)
    data = np.random.default_rng(1).normal(3.0, NOISE, (96, 96))
    step = NOISE / level if level else 0.0
    assert np.abs(cutout.data - data).max() < step + 1e-6


def test_steps(tmp_path):
    with fits.open(_write(tmp_path / 'a.fits', 0.5)) as hdulist:
        assert compression_step(hdulist[1]) == pytest.approx(2 * NOISE,
                                                             rel=0.2)
        assert compression_step(hdulist[0]) == 0
    counts = np.random.default_rng(2).integers(0, 50, (96, 96))
    with fits.open(_write(tmp_path / 'b.fits', 16, data=counts.astype(
            np.int16))) as hdulist:
        assert compression_step(hdulist[1]) == 0
    assert compression_step(fits.CompImageHDU(np.ones((40, 40)))) == 0


def test_no_noise_at_all(tmp_path):
    with fits.open(_write(tmp_path / 'a.fits', 0.5)) as hdulist:
        with pytest.warns(AstropyUserWarning,
                          match='^this was rounded to steps of more than'):
            check_compression(hdulist[1], np.zeros((96, 96)), 'this')


@pytest.mark.parametrize('kind', ['RICE_1', 'GZIP_2', 'HCOMPRESS_1'])
@pytest.mark.parametrize('dtype', ['u1', 'i2', 'u2', 'i4', 'u4'])
def test_integers_are_those_of_astropy(tmp_path, kind, dtype):
    info = np.iinfo(dtype)
    rng = np.random.default_rng(3)
    data = rng.normal(100.0, 9.0, (64, 72)).round()
    # (the ends of the range: below zero, and above that of signed ones)
    data[30, 20:23] = max(info.min, -2**24), min(info.max, 2**24), 0
    data = data.astype(dtype)
    path = _write(tmp_path / 'a.fits', 16, kind=kind, data=data)
    with fits.open(path) as hdulist:
        assert np.array_equal(hdulist[1].data, data)
    cutout = GalaxyCutout(path, pixel_scale=0.4, calibrated=False)
    assert np.array_equal(cutout.data, data.astype(np.float32))
    assert not cutout.mask.any()


@pytest.mark.parametrize('method', [-1, 1, 2])
def test_missing_pixels_of_quantised_values(tmp_path, method):
    data = np.random.default_rng(4).normal(3.0, NOISE, (96, 96))
    data[:, 60:] = np.nan
    data[70:, :60] = 0.0
    path = _write(tmp_path / 'a.fits', 16, method=method,
                  data=data.astype(np.float32))
    with fits.open(path) as hdulist:
        read = np.array(hdulist[1].data)
    cutout = GalaxyCutout(path, unit='nmgy', pixel_scale=0.4)
    assert cutout.mask[:, 60:].all()
    assert cutout.mask[70:].mean() > 0.99
    good = ~cutout.mask
    assert good[:70, :60].mean() > 0.99
    assert np.array_equal(cutout.data[good], read[good])


def test_blank_and_scale_of_compressed_integers(tmp_path):
    data = np.random.default_rng(5).normal(900.0, 9.0, (64, 72)).round()
    data[:, 50:] = -32768
    hdu = fits.CompImageHDU(data.astype(np.int16), compression_type='RICE_1')
    hdu.header['BLANK'] = -32768
    hdu.header['BSCALE'], hdu.header['BZERO'] = 0.01, 5.0
    path = tmp_path / 'a.fits'
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    cutout = GalaxyCutout(path, unit='nmgy', pixel_scale=0.4)
    assert cutout.mask[:, 50:].all()
    assert not cutout.mask[:, :50].any()
    assert np.allclose(cutout.data[:, :50], 0.01 * data[:, :50] + 5.0)


@pytest.mark.parametrize(('step', 'is_told'), [
    (0.0, False), (0.46, False), (0.54, True)])
@pytest.mark.parametrize('shape', [(64, 64), (2, 64, 64), (1, 3, 64, 64)])
def test_half_of_the_noise(monkeypatch, shape, step, is_told):
    # of the first image of a cube
    monkeypatch.setattr(compression, 'compression_step', lambda hdu: step)
    data = np.random.default_rng(1).normal(size=shape)
    data.reshape(-1, 64, 64)[1:] *= 50
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        check_compression(None, data, 'one')
    assert bool(caught) == is_told
    if is_told:
        assert 'steps of 0.5' in str(caught[0].message)
        with pytest.warns(AstropyUserWarning, match='of more than the noise'):
            check_compression(None, 0 * data, 'one')
