# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read plain FITS images at once, without the machinery for all others.

Most images of a survey are one array of numbers with a tangential
projection. `astropy.io.fits` and `astropy.wcs` print, copy and parse the
cards of their headers several times, which takes longer than to read the
pixels. Here the file is read once, each card that is asked for is parsed
once (by astropy, unless it is as plain as most), and the projection is parsed
once (by the parser of astropy). Any other file is left to astropy, for its
result or its error; the projection of one of its extensions may be as plain.
"""

import os
import re
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS, FITSFixedWarning, Wcsprm

from astro_pix2prof.image.astrometry import shift_wcs

__all__ = ['PIXEL_TYPES', 'PlainCards', 'PlainFile', 'PlainImage',
           'extension_wcs', 'open_plain', 'plain_wcs', 'read_plain']


_BLOCK, _CARD = 2880, 80

# The longest header that is read here, in blocks of 36 cards.
_LONGEST = 100

# The types of pixels by BITPIX, as they are in a file.
PIXEL_TYPES = {8: 'u1', 16: '>i2', 32: '>i4', 64: '>i8', -32: '>f4',
               -64: '>f8'}

_INTEGER = re.compile(rb'= +(-?\d+) *(/.*)?')

# Values as most are written: a text without a quote or a blank before it, a
# truth, an integer, or a number with a decimal point
_USUAL = re.compile(
    rb" *(?:'([!-&(-~](?:[ -&(-~]*[!-&(-~])?) *'|([TF])|([+-]?\d+)|"
    rb'([+-]?(?:\d+\.\d*|\.\d+)(?:E[+-]?\d+)?)) *(?:/.*)?')

_KEYWORD = re.compile(rb'[A-Z0-9_-]{1,8} *')

# A text that may be a value within a value (a record-valued card)
_RECORD = re.compile(rb" *'[^']*: ")

# Cards that change the pixels, or what else is in a file
_NOT_PLAIN = {b'BSCALE', b'BZERO', b'BLANK', b'GROUPS', b'PCOUNT', b'GCOUNT',
              b'XTENSION', b'CHECKSUM', b'DATASUM', b'CONTINUE', b'HIERARCH'}

# Cards longer than others
_LONG = {b'CONTINUE', b'HIERARCH'}

# Distortions and other parts of a WCS that astropy reads besides its parser
_DISTORTION = re.compile(
    rb'(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)|(CP|CQ)(DIS|ERR)\d.*|D[PQ]\d.*|'
    rb'DVERR.*|D2IM.*|AXISCORR|P[VS]\d+_\d+.*|PROJP\d+|'
    rb'(AMD|PLT|PPO|CNPIX|XPIXELSZ|YPIXELSZ).*')

_TANGENTIAL = ('RA---TAN', 'DEC--TAN')


class PlainCards(Mapping):
    """
    The values of a header by their keywords.

    Parameters
    ----------
    block : bytes
        The cards, 80 bytes each, without the last one (END).

    all_plain : bool, optional
        Whether cards that change the pixels, and long ones, are refused. They
        say nothing of a projection.

    Raises
    ------
    ValueError
        If a card is of a kind that is not plain.
    """

    def __init__(self, block, *, all_plain=True):
        self.block = block
        self._cards, self._values = {}, {}
        for start in range(0, len(block), _CARD):
            card = block[start:start + _CARD]
            key = card[:8].rstrip()
            if card[8:10] == b'= ':
                if ((all_plain and key in _NOT_PLAIN)
                        or not _KEYWORD.fullmatch(card[:8])
                        or _RECORD.match(card, 10)):
                    msg = f'{card!r} is no plain card'
                    raise ValueError(msg)
                # (astropy finds the first of several)
                self._cards.setdefault(key.decode(), card)
            elif key not in (b'', b'COMMENT', b'HISTORY') and (
                    all_plain or key not in _LONG):
                msg = f'{card!r} is no plain card'
                raise ValueError(msg)

    def __getitem__(self, key):
        if key not in self._values:
            card = self._cards[key]
            value = _usual_value(card)
            if value is None:
                value = fits.Card.fromstring(card).value
            self._values[key] = value
        return self._values[key]

    def __iter__(self):
        return iter(self._cards)

    def __len__(self):
        return len(self._cards)

    def __contains__(self, key):
        return key in self._cards

    @property
    def comments(self):
        """
        The comments of the cards by their keywords (dict).
        """
        return _Comments(self._cards)

    def integer(self, key):
        """
        Read an integer; `None` if the card has none.
        """
        found = _INTEGER.fullmatch(self._cards.get(key, b'')[8:].rstrip())
        return int(found[1]) if found else None


def _usual_value(card):
    """
    Read the value of a card as most are written; `None` of others.

    Astropy reads all cards, and takes many times as long.
    """
    found = _USUAL.fullmatch(card, 10)
    if found is None:
        return None
    text, flag, whole, number = found.groups()
    if text is not None:
        return text.decode()
    if flag is not None:
        return flag == b'T'
    return float(number) if whole is None else int(whole)


class _Comments(Mapping):
    """
    The comments of cards, parsed when they are asked for.
    """

    def __init__(self, cards):
        self._cards = cards

    def __getitem__(self, key):
        return fits.Card.fromstring(self._cards[key]).comment

    def __iter__(self):
        return iter(self._cards)

    def __len__(self):
        return len(self._cards)


@dataclass
class PlainImage:
    """
    A plain image.

    Attributes
    ----------
    cards : `PlainCards`
        The header.

    pixels : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels, in the byte order of the file if it is all of it.

    wcs : `~astropy.wcs.WCS`
        The WCS of these pixels, celestial and tangential.

    origin : tuple of 2 ints, optional
        The pixel (x, y) of the file that is the first of these.
    """

    cards: PlainCards
    pixels: np.ndarray
    wcs: WCS
    origin: tuple = (0, 0)

    def __reduce__(self):
        # (a WCS is pickled as a FITS file of its own, which takes longer
        # than to parse the cards again)
        return _restore, (self.cards.block, self.pixels, self.origin)


def _restore(block, pixels, origin):
    """
    Make a plain image that was pickled.
    """
    cards = PlainCards(block)
    return PlainImage(cards, pixels,
                      shift_wcs(plain_wcs(cards), origin, pixels.shape),
                      origin)


class PlainFile:
    """
    File of a plain image of which parts are read.

    Parameters
    ----------
    cards : `PlainCards`
        The header.

    pixels : 2D `~numpy.ndarray`, shape (ny, nx)
        A memory map of the pixels.

    wcs : `~astropy.wcs.WCS`
        The WCS.
    """

    def __init__(self, cards, pixels, wcs):
        self.cards, self.wcs = cards, wcs
        self._pixels = pixels

    @property
    def shape(self):
        """
        The shape (ny, nx) of the image.
        """
        return self._pixels.shape

    def cut(self, rows, columns):
        """
        Copy some rows and columns.

        Parameters
        ----------
        rows, columns : slice
            The rows and columns, with a start and a stop.

        Returns
        -------
        image : `PlainImage`
            The part of the image, with a WCS of its own.
        """
        window = self._pixels[rows, columns]
        origin = columns.start, rows.start
        return PlainImage(
            self.cards, np.array(window, window.dtype.newbyteorder('=')),
            shift_wcs(self.wcs, origin, window.shape), origin)


def read_plain(path):
    """
    Read a FITS file that holds nothing but a plain 2D image.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    image : `PlainImage` or `None`
        `None` if the file is anything else, cannot be read, or is damaged:
        `~astro_pix2prof.image.files.open_fits` and astropy know what to do.
    """
    return _open(path, _read_all)


def open_plain(path):
    """
    Open a FITS file of a plain 2D image whose parts are read.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    file : `PlainFile` or `None`
        `None` if the file is anything else: see `read_plain`.
    """
    return _open(path, _map_all)


def _open(path, read):
    """
    Read a file in some way; `None` if it cannot be read so.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, 'rb') as stream:
            return read(stream)
    except (OSError, ValueError, MemoryError):
        return None


def _read_all(stream):
    header = _read_header(stream)
    if header is None:
        return None
    cards, wcs, shape, kind = header
    pixels = np.empty(shape, dtype=kind)
    if stream.readinto(pixels.data.cast('B')) != pixels.nbytes:
        return None
    return PlainImage(cards, pixels, wcs)


def _map_all(stream):
    header = _read_header(stream)
    if header is None:
        return None
    cards, wcs, shape, kind = header
    return PlainFile(cards, np.memmap(
        stream, dtype=kind, mode='r', offset=stream.tell(), shape=shape), wcs)


def _read_header(stream):
    """
    Read the cards, the WCS, and the shape and the type of the pixels.

    The stream stands where they begin.
    """
    block = stream.read(_BLOCK)
    if not block.startswith(b'SIMPLE  = '):
        return None
    while (end := _find_end(block)) is None:
        more = stream.read(_BLOCK)
        if len(more) < _BLOCK or len(block) >= _LONGEST * _BLOCK:
            return None
        block += more
    if not _is_proper(block, end):
        return None
    cards = PlainCards(block[:end])
    shape = _shape(cards)
    if shape is None:
        return None
    bits = cards.integer('BITPIX')
    n_bytes = shape[0] * shape[1] * abs(bits) // 8
    rest = os.fstat(stream.fileno()).st_size - len(block)
    if rest != n_bytes + -n_bytes % _BLOCK:
        # cut short, or with extensions
        return None
    wcs = plain_wcs(cards)
    return None if wcs is None else (cards, wcs, shape, PIXEL_TYPES[bits])


def _is_proper(block, end):
    """
    Tell whether astropy would find nothing to warn of in the characters.
    """
    return not block[end + 3:].strip(b' ') and block.isascii() and (
        block.decode().isprintable())


def _find_end(block, start=None):
    """
    Find where the last card begins; `None` if it is not in the last block.
    """
    start = len(block) - _BLOCK if start is None else start
    for place in range(start, len(block), _CARD):
        if block[place:place + 8] == b'END     ':
            return place
    return None


def _shape(cards):
    """
    Read the shape of a 2D image; `None` if the header is another one.
    """
    if list(cards)[:5] != ['SIMPLE', 'BITPIX', 'NAXIS', 'NAXIS1', 'NAXIS2']:
        return None
    nx, ny = (cards.integer(key) for key in ('NAXIS1', 'NAXIS2'))
    plain = (cards['SIMPLE'] is True and cards.integer('NAXIS') == 2
             and cards.integer('BITPIX') in PIXEL_TYPES
             and nx is not None and ny is not None and min(nx, ny) > 0)
    return (ny, nx) if plain else None


def plain_wcs(cards):
    """
    Make the WCS of a header with a tangential projection and no distortion.

    Parameters
    ----------
    cards : `PlainCards`
        The header.

    Returns
    -------
    wcs : `~astropy.wcs.WCS` or `None`
        The one that `~astropy.wcs.WCS` gives; `None` if the header is not
        so plain.
    """
    if tuple(cards.get(f'CTYPE{k}') for k in (1, 2)) != _TANGENTIAL or any(
            _DISTORTION.fullmatch(key.encode()) for key in cards):
        return None
    matrix = [cards[key] for key in ('CD1_1', 'CD1_2', 'CD2_1', 'CD2_2')
              if key in cards]
    if matrix and not any(matrix):
        return None
    with warnings.catch_warnings():
        # (as in read_wcs)
        warnings.simplefilter('ignore', FITSFixedWarning)
        warnings.simplefilter('ignore', AstropyWarning)
        try:
            parsed = Wcsprm(header=cards.block, relax=True)
            if parsed.naxis != 2:
                return None
            wcs = WCS(naxis=2)
            wcs.wcs = parsed
            wcs.fix()
            wcs.wcs.set()
        except Exception:  # (the parser raises several kinds)
            return None
    wcs.pixel_shape = tuple(cards.integer(f'NAXIS{k}') for k in (1, 2))
    return wcs


def extension_wcs(block):
    """
    Make the WCS of an extension with a tangential projection.

    Parameters
    ----------
    block : bytes
        Its header as it is in the file, with the last card (END).

    Returns
    -------
    wcs : `~astropy.wcs.WCS` or `None`
        The one that `~astropy.wcs.WCS` gives; `None` if the header is not
        so plain.
    """
    end = _find_end(block, max(len(block) - _BLOCK, 0))
    if end is None or not _is_proper(block, end):
        return None
    try:
        return plain_wcs(PlainCards(block[:end], all_plain=False))
    except (ValueError, fits.VerifyError):
        return None
