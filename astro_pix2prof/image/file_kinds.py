# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell what a file is that is no FITS file, and what to do with it.
"""

import re
from contextlib import suppress

__all__ = ['describe_kind', 'describe_zip']


# Bytes that tell a kind: the magic of a tar archive stands at its end.
_LOOKED_AT = 512

# How files begin that are taken for FITS files, and what to do.
_PICTURE = ('a picture and no FITS file ({}), whose values are stretched and '
            'no fluxes: take the FITS image for a profile')
_BEGINNINGS = (
    *((start, _PICTURE.format(name)) for start, name in (
        (rb'\xff\xd8\xff', 'JPEG'), (rb'\x89PNG', 'PNG'), (rb'GIF8', 'GIF'),
        (rb'II\*\x00|MM\x00\*', 'TIFF'), (rb'RIFF.{4}WEBP', 'WEBP'),
        # (the four bytes after the size of the file are zero)
        (rb'BM.{4}\0{4}', 'BMP'), (rb'.{4}ftyp(hei|mif|avi)', 'HEIF'),
        (rb'\0{3}\x0cjP', 'JPEG 2000'))),
    (rb'%PDF|%!PS', 'a PDF or PostScript document and no FITS file: take the '
                    'FITS image that its figures were made of'),
    (rb'\x93NUMPY', 'an array of numpy and no FITS file: give what '
                    'numpy.load reads from it'),
    (rb'\x89HDF', 'an HDF5 file and no FITS file: give its array'),
    (rb'#ASDF', 'an ASDF file and no FITS file: give its array, with unit= '
                'and pixel_scale='),
    (rb'PAR1', 'a Parquet table and no FITS file: give an image'),
    (rb'.{8}\{"', 'a safetensors file (weights of a network) and no FITS '
                  'file: give an image'),
    (rb'\x80[\x02-\x05]', 'a pickle and no FITS file: give the object that '
                          'it holds'),
    (rb'version https://git-lfs', 'a pointer of Git LFS and no FITS file: '
                                  'fetch the file itself with git lfs pull'),
    (rb'.{257}ustar', 'a tar archive and no FITS file: unpack it, and give '
                      'the FITS file that it holds'),
    (rb'7z\xbc\xaf|Rar!', 'an archive and no FITS file: unpack it, and give '
                          'the FITS file that it holds'))
_MARKUP = (
    (re.compile(rb'<(!doctype\s+html|html|head|body)|.*<html',
                re.IGNORECASE | re.DOTALL),
     'a web page and no FITS file: a download that failed?'),
    (re.compile(rb'<(\?xml|votable|svg|!doctype)', re.IGNORECASE),
     'an XML document and no FITS file: a table of a service, or an error '
     'message in place of the image?'),
    (re.compile(rb'[{\[]\s*["{]'), 'a JSON document and no FITS file: an '
                                   'error message in place of the image?'))


def describe_kind(stream):
    """
    Tell what a file is, and what to do.

    Parameters
    ----------
    stream : file object or `None`
        The file, which may be decompressed.

    Returns
    -------
    text : str
        What it is; empty if it may be a FITS file, or cannot be read.
    """
    try:
        stream.seek(0)
        start = stream.read(_LOOKED_AT)
    except (AttributeError, ValueError, OSError):
        # (it was not opened, or is closed)
        return ''
    if not start:
        return ('not a readable FITS file: it is empty, as after a download '
                'that failed')
    if start.startswith(b'SIMPLE'):
        return ''
    for pattern, text in _BEGINNINGS:
        if re.match(pattern, start, re.DOTALL):
            return text
    start = start.removeprefix(b'\xef\xbb\xbf').lstrip()
    for pattern, text in _MARKUP:
        if pattern.match(start):
            return text
    with suppress(UnicodeDecodeError):
        # (a character may be cut at the end)
        text = start[:-3].decode() if len(start) > 3 else start.decode()
        if text and all(c.isprintable() or c.isspace() for c in text):
            line = text.splitlines()[0][:60]
            return ('not a readable FITS file but a text that begins with '
                    f'{line!r}: give the file of the image')
    return ''


def describe_zip(archive):
    """
    Tell what a zip file with several files is, and what to do.

    Parameters
    ----------
    archive : `~zipfile.ZipFile`
        The file.

    Returns
    -------
    text : str
    """
    names = [name for name in archive.namelist() if not name.endswith('/')]
    if names and all(name.endswith('.npy') for name in names):
        return ('arrays of numpy (npz) and no FITS file: give what '
                'numpy.load reads from it')
    listed = ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
    return (f'a zip file that must hold one file, it holds {len(names)} '
            f'({listed}): unpack it, and give the FITS file')
