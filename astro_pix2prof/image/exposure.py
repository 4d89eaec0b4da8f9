# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Exposure times of headers, by the keywords of telescopes.
"""

import re
from dataclasses import dataclass

from astro_pix2prof.image.header import header_comment, header_number

__all__ = ['Exposure', 'exposure_time', 'find_exposure', 'time_of_counts']


# The time in which the counts of an image were collected (EXP_TIME: UKIDSS).
_KNOWN = ('EXPTIME', 'TEXPTIME', 'EXPOSURE', 'XPOSURE', 'EFFEXPTM',
          'EXP_TIME')

# Times of one exposure, of all or of a mean one, as pipelines differ.
_OTHERS = ('INTTIME', 'INT_TIME', 'INTTM', 'INTEGTIM', 'ELAPTIME', 'EXPT',
           'TEXP', 'T_EXP', 'TEXPT', 'EXPTM', 'EFFTIME', 'EFFEXP', 'EFFEXPT',
           'EFF_EXP', 'TOTEXP', 'TOT_EXP', 'TOTEXPT', 'TOTEXPTM', 'EXPTOT',
           'EXP_TOT', 'TOTTIME', 'TOTALEXP', 'DURATION', 'ONTIME',
           'LIVETIME', 'OPENTIME', 'TELAPSE')

# Times of one of several exposures whose counts are added (NIRC2) or
# averaged (ESO), and their numbers.
_ONE = ('ITIME', 'TRUITIME', 'DIT', 'ESO DET DIT')
_NUMBERS = ('COADDS', 'NCOADDS', 'NDIT', 'ESO DET NDIT')

# Units of time in comments, which are seconds unless they are told.
_UNITS = ((re.compile(r'[\[(]\s*(ms|msec|milli-?seconds?)\s*[\])]|'
                      r'\bin (ms|milli-?seconds)\b', re.IGNORECASE), 1e-3),
          (re.compile(r'[\[(]\s*(min|minutes?)\s*[\])]|\bin minutes\b',
                      re.IGNORECASE), 60.0),
          (re.compile(r'[\[(]\s*(h|hr|hours?)\s*[\])]|\bin hours\b',
                      re.IGNORECASE), 3600.0))

# A part by which exposure times may differ that are the same.
_SAME = 0.02


@dataclass(frozen=True)
class Exposure:
    """
    The exposure time that a header states.

    Attributes
    ----------
    seconds : float
        The exposure time in seconds.

    text : str
        What the header says, for messages.

    other : float or `None`
        Another time in seconds that may be meant instead.

    is_known : bool
        Whether the keyword is one that archives use for the time in which
        the counts of the image were collected.
    """

    seconds: float
    text: str
    other: float | None = None
    is_known: bool = True

    @property
    def is_usable(self):
        """
        Tell whether counts may be divided by it, with a warning if need be.
        """
        return self.is_known or self.other is None


def exposure_time(header):
    """
    Read the exposure time by the keywords of archives.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Returns
    -------
    seconds : float or `None`
        The exposure time in seconds, `None` if there is none.
    """
    exposure = find_exposure(header)
    return exposure.seconds if exposure is not None and (
        exposure.is_known) else None


def find_exposure(header):
    """
    Find the exposure time by the keywords of archives and telescopes.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Returns
    -------
    exposure : `Exposure` or `None`
        `None` if the header states none.
    """
    number, counted = _find_number(header)
    found = [(keyword, seconds) for keyword in _KNOWN
             if (seconds := _seconds(header, keyword)) is not None]
    if found:
        keyword, seconds = found[0]
        text = f'{keyword}={seconds:g} s'
        for name, other in found[1:]:
            if abs(other / seconds - 1) > _SAME:
                return Exposure(seconds, f'{text} and {name}={other:g} s',
                                other)
        if number > 1:
            return Exposure(seconds, f'{text} and {counted}', seconds * number)
        return Exposure(seconds, text)
    for keyword in (*_OTHERS, *_ONE):
        seconds = _seconds(header, keyword)
        if seconds is None:
            continue
        text = f'{keyword}={seconds:g} s'
        if keyword in _ONE and number > 1:
            return Exposure(seconds, f'{text} and {counted}',
                            seconds * number, is_known=False)
        return Exposure(seconds, text, is_known=False)
    return None


def time_of_counts(header, *, is_settled=False):
    """
    Find the time by which a zero point per second becomes that of counts.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    is_settled : bool, optional
        Whether the archive defines EXPTIME as the time of all counts.

    Returns
    -------
    seconds : float or `None`
        The time in seconds, `None` if the header does not tell.

    doubt : str
        What a warning should say of it; empty if there is no doubt.
    """
    exposure = find_exposure(header)
    if exposure is None or not exposure.is_usable:
        return None, ''
    if exposure.is_known and (exposure.other is None or is_settled):
        return exposure.seconds, ''
    return exposure.seconds, (
        'the zero point of the header is that of one data unit per second, '
        f'and the header gives {exposure.text}: {exposure.seconds:g} s are '
        'taken as the exposure time of the image; give zeropoint= to choose')


def _find_number(header):
    """
    Find the number of exposures in one image, and what the header says.
    """
    for keyword in _NUMBERS:
        number = header_number(header, keyword)
        if number is not None and number >= 1:
            return number, f'{keyword}={number:g}'
    return 1, ''


def _seconds(header, keyword):
    value = header_number(header, keyword)
    if value is None or value <= 0:
        return None
    comment = header_comment(header, keyword)
    return value * next((factor for pattern, factor in _UNITS
                         if pattern.search(comment)), 1.0)
