# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Open FITS files and read their pixels with limits on time and memory.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import math
import os
import stat
import warnings
import zipfile
import zlib

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import find_path, is_address, open_address
from astro_pix2prof.image.file_kinds import (
    describe_damage,
    describe_kind,
    describe_zip,
)
from astro_pix2prof.image.windows import map_window

__all__ = ['check_sums', 'header_block', 'open_fits', 'read_pixels',
           'scale_integers']


# Bytes that any compressed file may grow to, how many times its size beyond
# that (noise compresses by less than 10, masks by 100, and gzip at most by
# 1030), and the most in all.
_FREE, _GROWTH, _MOST = 2**29, 200, 2**32

_CHUNK = 2**20

# How compressed files begin, and what they are called
_OPENERS = ((b'\x1f\x8b\x08', gzip.open, 'gzip'),
            (b'BZh', bz2.open, 'bzip2'),
            (b'\xfd7zXZ\x00', lzma.open, 'xz'))

# What is raised for compressed files that are damaged, also by zipfile for
# a password, and for a compression that it does not know. (gzip.BadGzipFile
# is an OSError, as that of bz2 is.)
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
            RuntimeError)


class _PackedError(OSError):
    """
    Error for a compressed file that cannot be unpacked to one file.
    """


class _Decompressed(io.BytesIO):
    """
    The content of a compressed file, which keeps its name.
    """

    name = ''


def open_fits(path):
    """
    Open a FITS file whose pixels are read when they are asked for.

    Parameters
    ----------
    path : str, path-like or ``upath.UPath``
        The file, or its address; it may be compressed as a whole (gzip,
        bzip2, xz, zip, and LZW with the package uncompresspy).

    Returns
    -------
    hdulist : `~astropy.io.fits.HDUList`
        The file, to be closed, without memory mapping. Use `read_pixels`
        for the pixels.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If there is no such file, or it may not be read.

    OSError
        If it is not a regular file (a device or a pipe) or no FITS file, or
        if it is compressed and would grow beyond 4 GiB, or beyond 512 MiB
        and 200 times its size.
    """
    if is_address(path):
        path = find_path(path, 'image')
    if is_address(path):
        return _open_hdus(path, str(path))
    path = os.path.expanduser(os.fspath(path))
    name = _shown(path)
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        msg = f'{name} is a folder, not a FITS file'
        raise IsADirectoryError(msg)
    if not stat.S_ISREG(mode):
        msg = (f'{name} is not a regular file but a device, a pipe or a '
               'socket: copy the image to a file first')
        raise OSError(msg)
    return _open_hdus(path, name)


def _open_hdus(path, name):
    source = None
    try:
        source = _open_source(path)
        with warnings.catch_warnings():
            # (it is an error, if it concerns the pixels that are read)
            warnings.filterwarnings('ignore', 'File may have been truncated')
            hdulist = fits.open(source, memmap=False)
            # reads the other headers
            len(hdulist)
    except (PermissionError, FileNotFoundError, ConnectionError):
        raise
    except Exception as exc:
        # (astropy raises almost anything for files that are damaged, and
        # leaves them open)
        known = (str(exc) if isinstance(exc, _PackedError)
                 else describe_kind(source))
        if hasattr(source, 'close'):
            source.close()
        msg = (f'{name} is {known}' if known else
               f'{name} is not a readable FITS file: {_reason(exc)}')
        raise OSError(msg) from exc
    return hdulist


def _reason(exc):
    return str(exc).strip() or type(exc).__name__


def _shown(path):
    """
    Convert a path to text that can be written (names may be any bytes).
    """
    return str(path).encode('utf-8', 'backslashreplace').decode()


def _open_source(path):
    """
    Open a file for astropy; a compressed one is decompressed into memory.

    Returns the path of a compressed file that is large, but not too large:
    astropy reads it piece by piece.
    """
    if is_address(path):
        stream = open_address(path, 'image')
        magic = stream.read(6)
        stream.seek(0)
    else:
        with open(path, 'rb') as stream:
            magic = stream.read(6)
        stream = None
    opener, kind = next(((opener, kind) for start, opener, kind in _OPENERS
                         if magic.startswith(start)), (None, ''))
    if magic.startswith(b'PK\x03\x04'):
        opener, kind = _open_zip, 'zip'
    elif magic.startswith(b'\x1f\x9d'):
        try:
            from uncompresspy import LZWFile
        except ImportError:
            # (the error of astropy names the package)
            return path
        opener, kind = LZWFile, 'compress'
    if opener is None:
        return open(path, 'rb') if stream is None else stream
    if stream is None:
        size = os.path.getsize(path)
    else:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
    most = min(max(_FREE, _GROWTH * size), _MOST)
    content = _Decompressed()
    content.name = path if stream is None else stream.name
    n_bytes = 0
    with (_naming_damage(kind),
          opener(path if stream is None else stream, 'rb') as unpacked):
        while chunk := unpacked.read(_CHUNK):
            n_bytes += len(chunk)
            if n_bytes > most:
                msg = (f'it takes more than {most / 2**20:.0f} MiB when '
                       f'decompressed, from {size} bytes: '
                       'decompress it first if it is what it should be')
                raise OSError(msg)
            if n_bytes <= _FREE:
                content.write(chunk)
    if n_bytes > _FREE:
        if stream is not None:
            msg = (f'it takes more than {_FREE / 2**20:.0f} MiB when '
                   'decompressed: copy it to this machine first')
            raise OSError(msg)
        return path
    content.seek(0)
    return content


@contextlib.contextmanager
def _naming_damage(kind):
    """
    Say in errors that a compressed file is damaged.
    """
    try:
        yield
    except (*_DAMAGED, OSError) as exc:
        # (bz2 raises an OSError without a number; others concern the disk,
        # the network or the size)
        if isinstance(exc, OSError) and not (
                isinstance(exc, gzip.BadGzipFile)
                or str(exc) == 'Invalid data stream'):
            raise
        raise _PackedError(describe_damage(exc, kind)) from exc


def _open_zip(path, mode):
    archive = zipfile.ZipFile(path)
    # (without folders, and what macOS adds)
    names = [name for name in archive.namelist() if not (
        name.endswith('/') or name.startswith('__MACOSX/'))]
    if len(names) != 1 or names[0].endswith('.npy'):
        raise _PackedError(describe_zip(archive))
    return archive.open(names[0])


def header_block(hdu):
    """
    Read the header of an extension as its file has it.

    Parameters
    ----------
    hdu : HDU of `astropy.io.fits`
        The extension of a file that is open.

    Returns
    -------
    block : bytes
        Empty if it is in no file, or if the image in the file is compressed,
        whose header is another one.
    """
    info = None if isinstance(hdu, fits.CompImageHDU) else hdu.fileinfo()
    if not info or info['file'] is None:
        return b''
    info['file'].seek(info['hdrLoc'])
    return info['file'].read(info['datLoc'] - info['hdrLoc'])


def _place(hdu):
    """
    Describe an extension for messages: its file, its number and its name.
    """
    info = hdu.fileinfo()
    name = getattr(info['file'], 'name', None) if info else None
    label = f"the extension '{hdu.name}'" if hdu.name else 'the image'
    return f'{_shown(name)}: {label}' if name else label


def _check_size(hdu, section=None):
    """
    Refuse an extension that is not all there, or would grow too much.
    """
    info = hdu.fileinfo()
    compressed = isinstance(hdu, fits.CompImageHDU)
    # (pixels that are in memory may have been set since)
    if not info or info['file'] is None or 'data' in vars(hdu):
        return
    size = info['file'].size or 0
    announced = info['datSpan'] if compressed else hdu.size
    missing = info['datLoc'] + announced - size
    # (the end of the last block may be missing)
    if size and missing > (2879 if compressed else 0):
        msg = (f'{_place(hdu)} is cut short or its header is wrong: '
               f'{announced} bytes are announced from byte '
               f"{info['datLoc']} on, but the file has {size} bytes")
        raise OSError(msg)
    shape = list(hdu.shape)
    if section is not None:
        shape[-2:] = [len(range(n)[part]) for n, part in zip(
            shape[-2:], section, strict=True)]
    wanted = math.prod(shape) * abs(hdu.header['BITPIX']) // 8
    most = min(max(_FREE, _GROWTH * size), _MOST)
    if compressed and size and wanted > most:
        msg = (f'{_place(hdu)} is compressed and takes {wanted} bytes, '
               f'but its file only {size}: decompress it first (with '
               'funpack) if it is what it should be')
        raise OSError(msg)


def read_pixels(hdu, section=None):
    """
    Read the pixels of an extension, after a look at the size of its file.

    Parameters
    ----------
    hdu : HDU of `astropy.io.fits`
        The extension, in memory or of a file.

    section : tuple of slice, optional
        The rows and columns to read.

    Returns
    -------
    data : `~numpy.ndarray` or `None`
        The pixels, `None` if there are none.

    Raises
    ------
    OSError
        If the file is shorter than the header says, or damaged; or if a
        tile-compressed image would grow too much (see `open_fits`); or if
        its BSCALE is 0.
    """
    _check_size(hdu, section)
    if hdu.header.get('BSCALE') == 0:
        msg = (f'{_place(hdu)} has BSCALE=0, which makes all pixels equal: '
               'correct its header')
        raise OSError(msg)
    try:
        if section is None:
            return scale_integers(hdu.data, hdu.header)
        window = map_window(hdu, section)
        return scale_integers(hdu.section[(..., *section)] if window is None
                              else window, hdu.header)
    except (MemoryError, Exception) as exc:
        msg = f'{_place(hdu)} cannot be read: {_reason(exc)}'
        raise OSError(msg) from exc


def scale_integers(data, header):
    """
    Scale integers that are still as a file holds them.

    Parameters
    ----------
    data : `~numpy.ndarray` or `None`
        The pixels.

    header : mapping
        The header. Where astropy has scaled pixels they are no integers, or
        BSCALE is gone: it is there after ``do_not_scale_image_data=True`` and
        the ``scale`` method of an HDU.

    Returns
    -------
    data : `~numpy.ndarray` or `None`
        BZERO + BSCALE * data, not-a-number for BLANK; the pixels themselves
        if BSCALE is 1.
    """
    scale = header.get('BSCALE', 1)
    if data is None or data.dtype.kind not in 'iu' or scale == 1:
        return data
    scaled = data * float(scale) + float(header.get('BZERO', 0))
    blank = header.get('BLANK')
    return scaled if blank is None else np.where(data == blank, np.nan,
                                                 scaled)


def check_sums(hdulist, index):
    """
    Compare an extension of a file with its DATASUM and CHECKSUM.

    Parameters
    ----------
    hdulist : `~astropy.io.fits.HDUList`
        The file, as `open_fits` returns it, whose pixels were not read yet.

    index : int
        The number of the extension.

    Raises
    ------
    OSError
        If the file is shorter than the header says.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If they disagree: the file is damaged, or was changed by a program
        that left the old sums in it.
    """
    hdu = hdulist[index]
    place = _place(hdu)
    _check_size(hdu)
    opened = None
    try:
        if isinstance(hdu, fits.CompImageHDU):
            # the sums are those of the table that holds the tiles
            name = hdulist.filename()
            opened = fits.open(
                open_address(name) if is_address(name) else name,
                memmap=False, disable_image_compression=True)
            hdu = opened[index]
        sums = (('DATASUM', hdu.verify_datasum()),
                ('CHECKSUM', hdu.verify_checksum()))
    except (OSError, ValueError, TypeError, zlib.error, EOFError):
        # (read_pixels says what is wrong)
        return
    finally:
        if opened is not None:
            opened.close()
    wrong = [name for name, result in sums if result == 0]
    if wrong:
        what = 'pixels' if 'DATASUM' in wrong else 'header'
        warnings.warn(f'{place} does not agree with its '
                      f'{" and ".join(wrong)}: its {what} may be damaged, '
                      'or were changed after the sum was written',
                      AstropyUserWarning, stacklevel=2)
