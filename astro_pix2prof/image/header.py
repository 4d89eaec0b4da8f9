# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read values and the WCS from a FITS header.
"""

import re
import warnings
from collections.abc import Mapping

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning
from astropy.wcs import WCS, FITSFixedWarning

from astro_pix2prof.image.astrometry import BrokenWCSError

__all__ = ['header_comment', 'header_keywords', 'header_number',
           'header_values', 'header_wcs', 'matching_values',
           'pivot_wavelength', 'read_wcs']


# The least pivot wavelength (Angstrom), where hydrogen hides all galaxies:
# below, it is in another unit.
_SHORTEST = 900.0


# Numbers that are texts, also with the exponents of Fortran and with a unit.
_NUMBER = re.compile(
    r'\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[ed][+-]?\d+)?)\s*'
    r'(?:(?:ab\s*)?mags?|s|secs?|seconds?|angstroms?)?\s*', re.IGNORECASE)


def header_number(header, keyword):
    """
    Read a finite number of a header.

    Parameters
    ----------
    header : dict
        Header values by upper-case keyword.

    keyword : str
        The keyword.

    Returns
    -------
    value : float or `None`
        `None` if the keyword is absent or not a finite number. Texts such
        as '26.3 mag' and '100 s' are numbers.
    """
    value = header.get(keyword)
    if value is None or isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        if match is None:
            return None
        value = match[1].lower().replace('d', 'e')
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def pivot_wavelength(header):
    """
    Read the pivot wavelength (Angstrom) of a header.

    Parameters
    ----------
    header : dict
        Header values by upper-case keyword.

    Returns
    -------
    value : float or `None`
        That of ``PHOTPLAM``; `None` if there is none, NaN if it cannot be in
        Angstrom.
    """
    value = header_number(header, 'PHOTPLAM')
    if value is None or value <= 0:
        return None
    return value if value >= _SHORTEST else np.nan


def header_keywords(header):
    """
    List the keywords of a header, those of cards that cannot be read too.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Returns
    -------
    keywords : list of str
    """
    return list(header._keys if isinstance(header, _HeaderValues) else header)


def header_comment(header, keyword):
    """
    Read the comment beside a value of a header.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    keyword : str
        The keyword.

    Returns
    -------
    comment : str
        Empty if there is none, as in all headers that are no FITS headers.
    """
    return (header.comment(keyword) if isinstance(header, _HeaderValues)
            else '')


def header_values(*headers):
    """
    Merge headers to one mapping; the last one wins.

    Parameters
    ----------
    *headers : mapping or `~astropy.io.fits.Header`
        The headers.

    Returns
    -------
    values : mapping
        Values by upper-case keyword; unreadable cards are left out. A card
        is read when it is asked for: of a hundred, few are.
    """
    return _HeaderValues([header for header in headers if isinstance(
        header, (Mapping, fits.Header))])


class _HeaderValues(Mapping):
    """
    The plain values of headers.
    """

    def __init__(self, headers):
        self._keys = {}
        for header in headers:
            for key in header:
                if not isinstance(key, str) or key in ('', 'COMMENT',
                                                       'HISTORY'):
                    continue
                if key.lower() == 'header' and isinstance(
                        self._value(header, key), (Mapping, fits.Header)):
                    inner = _HeaderValues([header[key]])
                    for name, places in inner._keys.items():
                        self._keys.setdefault(name, []).extend(places)
                    continue
                # (a card that cannot be read does not hide another)
                self._keys.setdefault(key.upper(), []).append((header, key))

    @staticmethod
    def _value(header, key):
        try:
            return header[key]
        except (fits.VerifyError, ValueError, KeyError):
            return None

    def _find(self, key):
        """
        Find the value that counts, and the header that it is of.
        """
        for header, own in reversed(self._keys[key]):
            value = self._value(header, own)
            if isinstance(value, (str, bool, int, float, np.generic)):
                return value, header, own
        raise KeyError(key)

    def __getitem__(self, key):
        return self._find(key)[0]

    def get(self, key, default=None):
        # (most keywords that are asked for are absent, and an exception for
        # each takes long)
        if key not in self._keys:
            return default
        return super().get(key, default)

    def comment(self, key):
        """
        Read the comment beside a value; empty if there is none.
        """
        _, header, own = self._find(key)
        comments = getattr(header, 'comments', None)
        return '' if comments is None else str(comments[own] or '')

    def __iter__(self):
        return (key for key in self._keys if key in self)

    def __len__(self):
        return sum(1 for _ in self)

    def __bool__(self):
        # (counting would read all cards)
        return bool(self._keys)


def matching_values(header, pattern):
    """
    Read the values of all keywords of a pattern.

    Parameters
    ----------
    header : mapping
        The header. Cards of other keywords are not read.

    pattern : str
        A regular expression for the whole keyword.

    Returns
    -------
    values : list
        In the order of the header.
    """
    pattern = re.compile(pattern)
    return [header[name] for name in header_keywords(header)
            if pattern.fullmatch(name) and name in header]


def _header_text(header, *keywords):
    """
    Read a text of a header.

    Parameters
    ----------
    header : mapping
        The header.

    *keywords : str
        The keywords to try.

    Returns
    -------
    text : str or `None`
        The first that is not empty.
    """
    for keyword in keywords:
        value = header.get(keyword)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def read_wcs(header, hdulist=None):
    """
    Read the WCS of a header.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        The header.

    hdulist : `~astropy.io.fits.HDUList`, optional
        The file, whose other extensions may hold tables of distortions.

    Returns
    -------
    wcs : `~astropy.wcs.WCS` or `None`
        `None` if there is no celestial one.

    Raises
    ------
    BrokenWCSError
        If it cannot be read, or its matrix of CD is zero.
    """
    with warnings.catch_warnings():
        # Old keywords that astropy repairs are no concern of the user.
        warnings.simplefilter('ignore', FITSFixedWarning)
        warnings.simplefilter('ignore', AstropyWarning)
        try:
            wcs = WCS(header, fobj=hdulist)
            if not wcs.has_celestial:
                return None
            matrix = [header[key] for key in header
                      if re.fullmatch(r'CD[12]_[12]', key)]
        except Exception as exc:
            raise BrokenWCSError(exc) from exc
    if matrix and not any(matrix):
        # (astropy takes such pixels for degrees)
        msg = 'the matrix of CD is zero'
        raise BrokenWCSError(msg)
    return wcs


def header_wcs(header, hdulist=None):
    """
    Read the WCS of a header; one that cannot be read is left aside.

    Parameters
    ----------
    header, hdulist
        As for `read_wcs`.

    Returns
    -------
    wcs : `~astropy.wcs.WCS` or `None`
        `None` if there is no celestial one.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If it cannot be read.
    """
    try:
        return read_wcs(header, hdulist)
    except BrokenWCSError as exc:
        warnings.warn(f'{exc}; it is left aside', AstropyUserWarning,
                      stacklevel=2)
        return None
