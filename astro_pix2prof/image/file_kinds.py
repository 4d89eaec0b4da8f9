# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell what a file is that is no FITS file, and what to do with it.
"""

import re
from contextlib import suppress

__all__ = ['describe_damage', 'describe_kind', 'describe_zip']


# Bytes that tell a kind: the magic of a tar archive stands at its end.
_LOOKED_AT = 512

# Bytes of a block and of a card of a header, and the most that are searched
# for its last card (300 blocks).
_BLOCK, _CARD, _LONGEST_HEADER = 2880, 80, 864000

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
        What it is; empty if its header is that of a FITS file, or it
        cannot be read.
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
        return _describe_header(stream)
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
    return _describe_bytes(stream)


def _describe_header(stream):
    """
    Tell that a header has no end; empty if it has one.
    """
    stream.seek(0)
    header = stream.read(_LONGEST_HEADER)
    if len(header) >= _BLOCK and any(
            header[k:k + 8] == b'END     ' for k in range(0, len(header),
                                                          _CARD)):
        return ''
    return ('not a readable FITS file: its header has no END, as after a '
            'download or copy that was cut short: fetch the file again')


def _describe_bytes(stream):
    """
    Tell how a file begins that is of no known kind.
    """
    stream.seek(0)
    start = stream.read(_LOOKED_AT)
    if not any(start):
        return (f'not a readable FITS file: its first {len(start)} bytes are '
                'all zero, as after a download or copy that failed: fetch '
                'the file again')
    return (f'not a readable FITS file: it begins with {start[:8]!r} and not '
            'with SIMPLE: give the FITS file of the image (plain numbers '
            'have to be saved as FITS first)')


def describe_damage(error, kind):
    """
    Tell what is wrong with a compressed file, and what to do.

    Parameters
    ----------
    error : `Exception`
        The error of the package that decompresses.

    kind : str
        The kind of file, such as 'gzip'.

    Returns
    -------
    text : str
    """
    if isinstance(error, EOFError):
        what = 'is cut short'
    elif 'password required' in str(error):
        return ('not a readable FITS file but a zip file with a password: '
                'unpack it, and give the FITS file')
    elif isinstance(error, NotImplementedError):
        return (f'not a readable FITS file but a {kind} file of a kind that '
                f'is not known ({error}): unpack it, and give the FITS file')
    else:
        what = f'is damaged or cut short ({error})'
    article = 'an' if kind == 'xz' else 'a'
    return (f'not a readable FITS file but {article} {kind} file that {what}: '
            'fetch the file again')


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
