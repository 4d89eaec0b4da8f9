# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Comments of zero points: what one belongs to, in the words of a header.
"""

import re

import astropy.units as u

__all__ = ['doubt_of_counts', 'is_per_area', 'is_per_second', 'is_per_unit']


_EXPOSED = r'\(?\s*(t_?exp|exp_?t(ime)?\b|exposure|itime)'
_IN_A_SECOND = re.compile(
    r'(\bper\s+|/\s*)s(ec(ond)?s?)?\b(?![./])|\b(s|sec)(\^|\*\*)?\(?-1\b|'
    r'\b(1|one)[\s-]*s(ec(ond)?)?\b(?![./])|\bcps\b|\bcount[\s-]?rate|'
    rf'/\s*{_EXPOSED}|=.*\+\s*2\.5\s*\*?\s*log(10)?\s*{_EXPOSED}',
    re.IGNORECASE)
_IN_A_UNIT = re.compile(
    r'\b(per|1|one)\s+(count|adu|dn|electron|e-|data|pixel)|'
    r'log(10)?\s*\(\s*(data|counts?|adu|dn|flux|pix\w*)\s*\)',
    re.IGNORECASE)

_IN_AN_AREA = re.compile(
    r'\bmag(nitude)?s?\s*(/|per\s)\s*(sq(uare|\.)?\s*)?(arcsec|")|'
    r'\bmag\s+arcsec(\^|\*\*)?\(?-2|\bsurface[\s-]brightness',
    re.IGNORECASE)

# Counts before and behind an amplifier, which a gain apart are; counts
# (``ct``) may be either.
_ELECTRONS = re.compile(r'\b(electrons?|photo-?electrons?)\b|\be-', re.I)
_NUMBERS = re.compile(r'\b(adus?|dns?)\b', re.IGNORECASE)


def is_per_second(comment):
    """
    Tell whether a zero point is that of one data unit per second.

    Parameters
    ----------
    comment : str
        The comment of the keyword.

    Returns
    -------
    result : bool

    Examples
    --------
    >>> from astro_pix2prof.image.zero_comments import is_per_second
    >>> is_per_second('[mag] of 1 ADU/s'), is_per_second('[mag] of 1 ADU')
    (True, False)
    """
    return bool(_IN_A_SECOND.search(comment))


def is_per_unit(comment):
    """
    Tell whether a comment says that a zero point is that of one data unit.

    Parameters
    ----------
    comment : str
        The comment of the keyword.

    Returns
    -------
    result : bool
    """
    return bool(_IN_A_UNIT.search(comment))


def is_per_area(comment):
    """
    Tell whether a zero point is a surface brightness, in mag/arcsec2.

    Parameters
    ----------
    comment : str
        The comment of the keyword.

    Returns
    -------
    result : bool

    Examples
    --------
    >>> from astro_pix2prof.image.zero_comments import is_per_area
    >>> is_per_area('[mag/arcsec2] of one count per pixel')
    True
    """
    return bool(_IN_AN_AREA.search(comment))


def doubt_of_counts(comment, unit, text, value):
    """
    Write that a zero point is of electrons, and the image not, or reverse.

    Parameters
    ----------
    comment : str
        The comment of the keyword.

    unit : `~astropy.units.UnitBase`
        The unit of the image.

    text : str
        The keyword and its value.

    value : float
        The zero point of one data unit that follows from it.

    Returns
    -------
    doubt : str
        Empty if they are of the same counts, or one does not tell.
    """
    electrons = bool(_ELECTRONS.search(comment))
    if electrons == bool(_NUMBERS.search(comment)):
        return ''
    bases = set(unit.bases)
    if electrons and bases & {u.adu, u.DN}:
        return (f'{text} is that of electrons, as its comment says, and the '
                f'image is in {unit}: it is used as that of one of these; '
                f'if that is not meant, give zeropoint={value:.4f} less '
                '2.5 log10 of the electrons in one data unit (the gain)')
    if not electrons and bases & {u.electron, u.photon}:
        return (f'{text} is that of data numbers, as its comment says, and '
                f'the image is in {unit}: it is used as that of one of '
                f'these; if that is not meant, give zeropoint={value:.4f} '
                'plus 2.5 log10 of the electrons in a data number (the '
                'gain)')
    return ''
