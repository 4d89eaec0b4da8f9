# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of addresses of files.
"""

import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astro_pix2prof.addresses import (
    as_source,
    beside,
    copy_here,
    find_path,
    is_address,
    open_address,
    require_found,
    translated,
)
from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.reading import read_background, read_image
from astro_pix2prof.survey.storage import copy_file


@pytest.fixture(name='box')
def make_box():
    fsspec = pytest.importorskip('fsspec')
    pytest.importorskip('upath')
    files = fsspec.filesystem('memory')
    files.store.clear()
    yield find_path('memory://box')
    files.store.clear()
    files.pseudo_dirs[:] = ['']


def fits_bytes(pixels, **options):
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)] if options
                 else [fits.PrimaryHDU(pixels)]).writeto(
                     stream, checksum=True)
    return stream.getvalue()


@pytest.mark.parametrize(('path', 'expected'), [
    ('s3://b/x', True), ('https://h/x', True), ('file:///x', True),
    ('simplecache::s3://b/x', True), ('x.fits', False), ('/a/b', False),
    ('a:b', False), ('C:\\x', False), ('s3:/b/x', False),
    ('a/s3://b', False), (Path('x'), False), (3, False), (None, False)])
def test_is_address(path, expected):
    assert is_address(path) is expected


def test_plain_paths():
    """
    A plain path imports nothing, and stays what it is.
    """
    assert find_path('a/b.fits') == Path('a/b.fits')
    assert find_path('file:///a/b c.fits') == Path('/a/b c.fits')
    assert find_path('FILE://localhost/a') == Path('/a')
    assert as_source(Path('a')) == Path('a')
    code = ('import sys\n'
            'from astro_pix2prof.survey.run import run_survey\n'
            'from astro_pix2prof.addresses import find_path\n'
            "find_path('a/b.fits')\n"
            "print(*{'upath', 'fsspec', 'aiohttp', 's3fs'} "
            '& set(sys.modules))')
    done = subprocess.run([sys.executable, '-c', code], check=True,
                          capture_output=True, text=True)
    assert done.stdout.strip() == ''


def test_lost_slash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ('s3:/bucket/x', Path('https://host/x')):
        with pytest.raises(ValueError, match=r"x='.*looks like an address th"):
            find_path(path, 'x')
    # unless there is such a folder
    (tmp_path / 's3:').mkdir()
    assert find_path('s3:/bucket/x') == Path('s3:/bucket/x')


def test_open(box, monkeypatch):
    """
    Short files are read at once, long ones in parts: the same bytes.
    """
    data = bytes(range(256)) * 64
    path = box / 'a.bin'
    path.write_bytes(data)
    for whole in (1 << 24, 100):
        monkeypatch.setattr('astro_pix2prof.addresses._WHOLE', whole)
        with open_address(str(path)) as file:
            assert file.name == 'memory://box/a.bin'
            assert find_path(file.name) == path
            assert file.seek(0, 2) == len(data)
            file.seek(1000)
            assert file.read(20) == data[1000:1020]
        with copy_here(path) as copy:
            assert copy.name == 'a.bin'
            assert copy.read_bytes() == data
        assert not copy.exists()


def test_errors(box):
    with pytest.raises(FileNotFoundError, match='no such file: memory://box/'):
        open_address(box / 'none')
    with pytest.raises(FileNotFoundError, match='image memory://box/none doe'):
        require_found(box / 'none', 'image')
    (box / 'sub' / 'a').write_bytes(b'1')
    with pytest.raises(ValueError, match='is not a regular file'):
        require_found(box / 'sub', 'image')
    for kind, expected, match in (
            (PermissionError, PermissionError, 'x: .* cannot be read: Permis'),
            (TimeoutError, ConnectionError, 'cannot be read: TimeoutError'),
            (RuntimeError, ConnectionError, 'cannot be read: RuntimeError')):
        with (pytest.raises(expected, match=match),
              translated(box, what='x: ')):
            raise kind


@pytest.mark.parametrize('name', ['a.fits', 'a.fits.gz', 'packed.fits'])
def test_images(box, name, tmp_path):
    """
    Images, also compressed ones, are read with their sums and companions.
    """
    pixels = np.arange(400, dtype='i4').reshape(20, 20)
    data = fits_bytes(pixels, **{'packed': 1} if 'packed' in name else {})
    if name.endswith('gz'):
        data = gzip.compress(data)
    (tmp_path / name).write_bytes(data)
    (box / name).write_bytes(data)
    here, there = read_image(tmp_path / name), read_image(box / name)
    assert here.error is None
    assert here.name == there.name
    np.testing.assert_array_equal(here.data, there.data)
    np.testing.assert_array_equal(
        read_background(str(box / name), here.unit, lambda part, _: part)
        if 'packed' not in name else pixels, pixels)
    # the noise beside it
    rms = name.replace('.fits', '_rms.fits')
    (box / rms).write_bytes(gzip.compress(fits_bytes(2.0 + pixels))
                            if name.endswith('gz') else
                            fits_bytes(2.0 + pixels))
    assert beside(box / name, rms) == box / rms
    np.testing.assert_array_equal(
        np.asarray(read_image(box / name).error.array), 2.0 + pixels)


def test_broken_images(box):
    data = fits_bytes(np.ones((100, 100)))
    (box / 'cut.fits').write_bytes(data[:5000])
    with pytest.raises(OSError, match=r'memory://box/cut\.fits.*is cut short'):
        read_image(box / 'cut.fits')
    (box / 'text.fits').write_bytes(b'no image')
    with pytest.raises(OSError, match=r'memory://box/text\.fits is not a rea'):
        open_fits(box / 'text.fits')


def test_bomb(box, monkeypatch):
    """
    A compressed file does not fill the memory.
    """
    monkeypatch.setattr('astro_pix2prof.image.files._FREE', 1000)
    (box / 'a.fits.gz').write_bytes(gzip.compress(bytes(10**6)))
    with pytest.raises(OSError, match='it takes more than'):
        open_fits(box / 'a.fits.gz')
    monkeypatch.setattr('astro_pix2prof.image.files._GROWTH', 2000)
    with pytest.raises(OSError, match='copy it to this machine first'):
        open_fits(box / 'a.fits.gz')


def test_copy_file(box, tmp_path):
    (tmp_path / 'a').write_bytes(b'1')
    copy_file(tmp_path / 'a', box / 'b')
    copy_file(box / 'b', tmp_path / 'c')
    copy_file(tmp_path / 'c', tmp_path / 'd')
    assert (tmp_path / 'd').read_bytes() == b'1'
