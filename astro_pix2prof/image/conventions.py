# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Conventions of archives: the zero points that the keywords of headers state.
"""

import re
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from astro_pix2prof.image.exposure import find_exposure, time_of_counts
from astro_pix2prof.image.filters import is_vega_filter
from astro_pix2prof.image.header import (
    header_comment,
    header_keywords,
    header_number,
    pivot_wavelength,
)
from astro_pix2prof.image.units import (
    count_scale,
    is_counts_like,
    is_flux_scale,
    is_rate,
    time_scale,
)
from astro_pix2prof.image.zero_comments import (
    doubt_of_counts,
    is_per_area,
    is_per_second,
    is_per_unit,
)

__all__ = ['StatedZero', 'choose_zero', 'find_disagreeing', 'header_system',
           'stated_system', 'stated_zeros', 'text_zeros', 'unread_keywords',
           'unread_system', 'unstated_system']


# Keywords whose value is the magnitude of one data unit, in the order in
# which they are tried: MAGZERO of DES, Euclid and the Legacy Surveys, MAGZP of
# 2MASS, WISE and ZTF, PHOTZP of ESO's archive and of MegaPipe (UNIONS).
# PHOTZPT is not one of them: HST uses it for the constant -21.10 of the ST
# system.
_MAG_KEYWORDS = ('MAGZERO', 'MAGZP', 'PHOTZP', 'MAGZPT', 'ZEROPOINT',
                 'ZEROPNT', 'MAGZEROP', 'MAG_ZP', 'ZP', 'ZPT', 'FPA.ZP')

# The magnitude of one data unit per second: Pan-STARRS1.
_PER_SECOND = ('FPA.ZP',)

# No archive fixes what these mean: pipelines differ.
_OPEN = ('MAGZPT', 'ZEROPOINT', 'ZEROPNT', 'MAGZEROP', 'MAG_ZP', 'ZP', 'ZPT')

# Cameras whose MAGZPT is the magnitude of one data unit per second (pipeline
# of the Cambridge Astronomy Survey Unit), and their system. It is for airmass
# 1: the extinction above it (EXTINCT, mag per airmass) has to be taken off
# (Dye et al. 2006, MNRAS 372, 1227).
_CASU = {'VIRCAM': 'Vega', 'WFCAM': 'Vega', 'WFC': None, 'OMEGACAM': None}

# The most of both that is no placeholder.
_MOST_EXTINCTION, _MOST_AIRMASS = 1.0, 5.0

# Data units of a magnitude: of 0 (HSC, early LSST), of 20 (SDSS to DR7).
_FLUX_KEYWORDS = {'FLUXMAG0': 0.0, 'FLUX20': 20.0}

# Numbers near 0 and beyond 90 are placeholders and no zero points (mag): the
# brightest that is common is 8.9, of a jansky. Of others that cannot be, the
# brightness of the image tells.
_NEAR_ZERO, _TOO_FAR = 5.0, 90.0

_SYSTEM_KEYWORDS = ('PHOTSYS', 'MAGSYS', 'ZPSYS')

# Surveys whose images carry a Vega zero point without saying so, and the
# keywords that tell them, by value or by name.
_VEGA_SURVEYS = re.compile(r'\b(2MASS|(UN|NEO|ALL)?WISE)\b')
_VEGA_KEYWORDS = ('ORIGIN', 'TELESCOP', 'SURVEY', 'OBSERVAT')
_VEGA_PREFIX = 'UNW_'

# Archives that say that their MAGZERO, MAGZP and PHOTZP are the magnitude of
# one data unit: the pipelines of NOIRLab, MegaPipe (UNIONS), Euclid, ZTF,
# 2MASS and WISE. So does ESO of a PHOTZP beside PHOTSYS.
_SETTLED = re.compile(
    r'\b(DECAM|90PRIME|MOSAIC-?[123]|NEWFIRM|MEGAPRIME|EUCLID|ZTF|ZWICKY|'
    r'2MASS|(UN|NEO|ALL)?WISE)\b')
_SETTLED_KEYWORDS = (*_VEGA_KEYWORDS, 'INSTRUME')

_AB_ARCHIVES = re.compile(r'\b(EUCLID|ROMAN|JWST|HST)\b')

# A disagreement between zero points of a header that is worth a warning (mag).
_TOLERANCE = 0.02

# Keywords that look like zero points.
_SIMILAR = re.compile(
    r'.*(ZP|ZERO_?P|MAG_?0|MAG_?ZERO|NMGY|FLUXMAG|FLUX20|FLUXCONV|PHOT_C).*')

_ST = u.erg / u.s / u.cm**2 / u.AA


@dataclass(frozen=True)
class StatedZero:
    """
    A zero point that a header states.

    Attributes
    ----------
    keyword : str
        The keywords that state it.

    value : float
        The magnitude of one data unit in one pixel or, if ``per_area``, its
        surface brightness in mag/arcsec2.

    system : {'AB', 'ST', 'Vega'}
        The magnitude system.

    per_area : bool
        Whether ``value`` is a surface brightness.

    text : str
        What the header says, for messages.

    is_open : bool
        Whether the keyword leaves open that it is the magnitude of one data
        unit per second.

    is_settled : bool
        Whether the archive, a comment or the keyword tells which it is.

    doubt : str
        What a warning should say of the exposure time that it needs, or of
        the counts that it is of.
    """

    keyword: str
    value: float
    system: str
    per_area: bool = False
    text: str = ''
    is_open: bool = False
    is_settled: bool = True
    doubt: str = ''


def stated_zeros(header, unit):
    """
    List the zero points that a header states, each by its own convention.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    unit : `~astropy.units.UnitBase`
        The unit of the image.

    Returns
    -------
    zeros : list of `StatedZero`
        The one to use first: magnitudes, then fluxes of a magnitude, then
        the inverse sensitivities, which belong to count rates.
    """
    found = [_of_magnitude(keyword, header, unit)
             for keyword in _MAG_KEYWORDS]
    found += [_of_flux(keyword, header) for keyword in _FLUX_KEYWORDS]
    found += _of_sensitivities(header, unit)
    return [zero for zero in found if zero is not None]


def _of_magnitude(keyword, header, unit):
    """
    Zero point from a keyword that holds a magnitude.
    """
    value = header_number(header, keyword)
    # (images of ESO's archive, which state PHOTSYS, may have a PHOTZP of 0:
    # KiDS)
    is_zero = value == 0 and keyword == 'PHOTZP' and 'PHOTSYS' in header
    if value is None or not (is_zero or _is_possible(value)):
        return None
    comment = header_comment(header, keyword)
    system = stated_system(header)
    if system is None and re.search(r'\bvega', comment, re.IGNORECASE):
        system = 'Vega'
    per_second = keyword in _PER_SECOND or is_per_second(comment)
    if keyword == 'MAGZPT' and _camera(header) in _CASU:
        per_second = True
        system = system or _CASU[_camera(header)]
    is_told = per_second or is_per_unit(comment)
    is_open = keyword in _OPEN and not is_told
    is_settled = not is_open and (is_told or bool(_SETTLED.search(
        _texts(header, _SETTLED_KEYWORDS))) or (
            keyword == 'PHOTZP' and 'PHOTSYS' in header))
    text = f'{keyword}={value:.4f}'
    doubts = []
    if keyword == 'MAGZPT' and _camera(header) in _CASU:
        value -= _extinction(header)
    if per_second:
        # (of counts in a minute, and the like)
        value -= 2.5 * np.log10(count_scale(unit))
    if per_second and not is_rate(unit):
        exptime, doubt = time_of_counts(
            header, is_settled=_is_fixed_time(header))
        if exptime is None:
            return None
        doubts.append(doubt)
        value += 2.5 * np.log10(exptime)
        text += f' per second (zero point {value:.4f})'
    doubts.append(doubt_of_counts(comment, unit, text, value))
    return StatedZero(
        keyword, float(value), system or _default_system(header),
        is_per_area(comment), text, is_open, is_settled,
        '; '.join(filter(None, doubts)))


def _is_fixed_time(header):
    """
    Tell whether EXPTIME is the time of all counts by the archive.
    """
    return _camera(header) in _CASU or (
        _texts(header, ('TELESCOP',)).strip() == 'HST')


def _extinction(header):
    """
    Extinction of an airmass above 1 (mag), which MAGZPT of CASU leaves out.
    """
    extinction = header_number(header, 'EXTINCT')
    airmasses = [value for key in (
        'AMSTART', 'AMEND', 'ESO TEL AIRM START', 'ESO TEL AIRM END',
        'AIRMASS') if (value := header_number(header, key)) is not None]
    if extinction is None or not airmasses:
        return 0.0
    airmass = float(np.mean(airmasses[:2]))
    # (numbers beyond these are placeholders)
    if not (0 <= extinction <= _MOST_EXTINCTION
            and 1 <= airmass <= _MOST_AIRMASS):
        return 0.0
    return extinction * (airmass - 1)


def _is_possible(value):
    """
    Tell whether a zero point is none of 0, 1, -1, 99, -99 and their like.
    """
    return _NEAR_ZERO <= abs(value) < _TOO_FAR


def _of_flux(keyword, header):
    """
    Zero point from a keyword that holds the data units of a magnitude.
    """
    value = header_number(header, keyword)
    if value is None or value <= 0:
        return None
    zero = float(_FLUX_KEYWORDS[keyword] + 2.5 * np.log10(value))
    # (1 is the one of maggies; 30 is a magnitude in place of a flux)
    if not _is_possible(zero) and zero != 0:
        return None
    return StatedZero(keyword, zero, header_system(header),
                      text=_with_zero(f'{keyword}={value:.6g}', zero))


def _with_zero(text, zero):
    return f'{text} (zero point {zero:.4f})'


def _of_sensitivities(header, unit):
    """
    Zero points from PHOTMJSR, PHOTFLAM and PHOTFNU: of count rates.
    """
    photmjsr, photflam, photfnu = (
        value if value is not None and value > 0 else None
        for value in (header_number(header, keyword) for keyword in (
            'PHOTMJSR', 'PHOTFLAM', 'PHOTFNU')))
    photplam = pivot_wavelength(header)
    per_second, doubt = 0.0, ''
    # (most headers have none, and units take long to compare)
    if {photmjsr, photflam, photfnu} == {None} or not (
            is_counts_like(unit) or unit == u.s**-1):
        return []
    if not is_rate(unit):
        exptime, doubt = time_of_counts(
            header, is_settled=_is_fixed_time(header))
        if exptime is None:
            return []
        per_second = 2.5 * np.log10(exptime)
    per_second -= 2.5 * np.log10(count_scale(unit))
    found = []

    def add(keyword, flux, system, reference, *, per_area=False):
        zero = float(per_second - 2.5 * np.log10(flux.to_value(reference)))
        if system == 'ST':
            zero -= 21.10
        names = keyword.split(' and ')
        text = ' and '.join(f'{name}={header_number(header, name):.6g}'
                            for name in names)
        found.append(StatedZero(keyword, zero, system, per_area,
                                _with_zero(text, zero), doubt=doubt))

    if photmjsr is not None:
        add('PHOTMJSR', photmjsr * u.MJy / u.sr, 'AB', u.AB / u.arcsec**2,
            per_area=True)
    if photflam is not None and photplam is None:
        add('PHOTFLAM', photflam * _ST, 'ST', _ST)
    elif photflam is not None and np.isfinite(photplam):
        add('PHOTFLAM and PHOTPLAM', (photflam * _ST).to(
            u.Jy, u.spectral_density(photplam * u.AA)), 'AB', u.AB)
    if photfnu is not None:
        add('PHOTFNU', photfnu * u.Jy, 'AB', u.AB)
    return found


def _camera(header):
    return str(header.get('INSTRUME', '')).strip().upper()


def stated_system(header):
    """
    Find the magnitude system that a header states.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Returns
    -------
    system : {'AB', 'ST', 'Vega'} or `None`
        `None` if it states none that is known.
    """
    for keyword in _SYSTEM_KEYWORDS:
        value = str(header.get(keyword, '')).strip().upper()
        for system in ('Vega', 'AB', 'ST'):
            if value.startswith(system.upper()):
                return system
    # 'Vega nanomaggies'
    unit = str(header.get('BUNIT', ''))
    for system in ('Vega', 'AB'):
        if re.search(rf'\b{system}\b', unit, re.IGNORECASE):
            return system
    return None


def unread_system(header):
    """
    Find the statement of a magnitude system that is not known.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Returns
    -------
    text : str
        Such as "PHOTSYS='Landolt'"; empty if there is none, or another
        keyword states one that is known.
    """
    if stated_system(header) is not None:
        return ''
    for keyword in _SYSTEM_KEYWORDS:
        value = header.get(keyword)
        if isinstance(value, str) and value.strip():
            return f'{keyword}={value.strip()!r}'
    return ''


def unstated_system(header, keyword):
    """
    Find a filter whose zero points are Vega at most telescopes.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    keyword : str
        The keyword of the zero point.

    Returns
    -------
    text : str
        Such as "FILTER='Ks'"; empty if the header, the comment of the zero
        point or the archive tells the system.
    """
    comment = header_comment(header, keyword) if keyword in header else ''
    if stated_system(header) or re.search(
            r'\bAB(mag)?\b|\b[Vv]ega', comment) or _AB_ARCHIVES.search(
                _texts(header, _SETTLED_KEYWORDS)):
        return ''
    for name in ('FILTER', 'BAND'):
        value = header.get(name)
        if isinstance(value, str) and is_vega_filter(value):
            return f'{name}={value.strip()!r}'
    return ''


def header_system(header):
    """
    Find the magnitude system of a header, or that of its survey.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Returns
    -------
    system : {'AB', 'ST', 'Vega'}
        AB if nothing tells another.
    """
    return stated_system(header) or _default_system(header)


def _texts(header, keywords):
    return ' '.join(str(header.get(keyword, ''))
                    for keyword in keywords).upper()


def _default_system(header):
    is_vega = _VEGA_SURVEYS.search(_texts(header, _VEGA_KEYWORDS)) or any(
        keyword.startswith(_VEGA_PREFIX)
        for keyword in header_keywords(header))
    return 'Vega' if is_vega else 'AB'


def choose_zero(zeros, header, unit, pixel_scale=None):
    """
    Choose the zero point of an image among those that its header states.

    Two that differ by 2.5 log10 of the exposure time are one: the fainter
    is the magnitude of one data unit, the brighter that of one per second.

    Parameters
    ----------
    zeros : list of `StatedZero`
        As `stated_zeros` returns them, at least one.

    header : mapping
        Header values by upper-case keyword.

    unit : `~astropy.units.UnitBase`
        The unit of the image.

    pixel_scale : float, optional
        The size of a pixel in arcsec, to compare surface brightness with
        magnitudes in a pixel.

    Returns
    -------
    zero : `StatedZero`
        The one to use.

    doubt : str
        What a warning should say of it; empty if there is no doubt.
    """
    used = zeros[0]
    exposure = find_exposure(header)
    exptime = None if exposure is None else exposure.seconds
    seconds = 0.0 if exptime is None else 2.5 * np.log10(exptime)
    others = [(zero, step) for zero in zeros[1:] if (step := _difference(
        zero, used, pixel_scale)) is not None]
    if any(abs(step) <= _TOLERANCE and not zero.is_open
           for zero, step in others):
        return used, ''
    if is_rate(unit) and (minute := time_scale(unit)) != 1:
        # (the one that is less by the exposure time is that of a rate)
        used = next((zero for zero, step in others
                     if abs(step + seconds) <= _TOLERANCE), used)
        return used, '' if used.is_settled else _either_meaning(
            used, -2.5 * np.log10(minute), f'log10({1 / minute:g})')
    if abs(seconds) <= _TOLERANCE:
        return used, ''
    # (the step to the one that fits an image in counts or in count rates)
    wanted = -seconds if is_rate(unit) else seconds
    for zero, step in others:
        if abs(step - wanted) <= _TOLERANCE:
            # (ESO says that PHOTZP is that of one data unit)
            is_told = used.keyword == 'PHOTZP' and used.is_settled
            doubt = '' if is_counts_like(unit) and not is_told else (
                f'the header gives {used.text} and {zero.text}, which differ '
                f'by the exposure time of {exptime:g} s: {zero.keyword} is '
                'used, as that of one data unit; give zeropoint= to choose')
            return zero, doubt
    is_doubted = not (used.is_settled or is_rate(unit)
                      or is_flux_scale(used.value))
    for zero, step in others:
        if abs(step + wanted) <= _TOLERANCE:
            doubt = '' if not is_doubted or is_counts_like(unit) else (
                f'the header gives {used.text} and {zero.text}, which differ '
                f'by the exposure time of {exptime:g} s: {used.keyword} is '
                'used, as that of one data unit; give zeropoint= to choose')
            return used, doubt
    if not is_doubted:
        return used, ''
    return used, _either_meaning(used, seconds, f'log10({exptime:g} s)')


def _either_meaning(used, more, text):
    """
    Write that a zero point may be that of one data unit per second.
    """
    return (f'{used.keyword} is taken as the magnitude of one data unit, but '
            'some pipelines mean one unit per second; in that case give '
            f'zeropoint={used.value + more:.4f} ({used.keyword} + 2.5 {text})'
            f', otherwise zeropoint={used.value:.4f}')


def _difference(zero, other, pixel_scale):
    """
    Magnitudes from another zero point to one; `None` if they do not compare.
    """
    if zero.system != other.system:
        return None
    difference = zero.value - other.value
    if zero.per_area != other.per_area:
        if pixel_scale is None:
            return None
        # (a surface brightness is that of a pixel and 2.5 log10 of its area)
        area = 5 * np.log10(pixel_scale)
        difference += area if other.per_area else -area
    return difference


def find_disagreeing(used, zeros, header, unit, pixel_scale=None):
    """
    Find a zero point of a header that contradicts another one.

    Parameters
    ----------
    used : `StatedZero` or `~astro_pix2prof.image.zeropoint.ZeroPoint`
        The one that is used.

    zeros : list of `StatedZero`
        All that the header states.

    header, unit, pixel_scale
        As for `choose_zero`.

    Returns
    -------
    zero : `StatedZero` or `None`
        The first that is of the same system and differs by more than 0.02
        mag, and not by the exposure time of an image in counts.
    """
    allowed = [0.0]
    exposure = find_exposure(header)
    if exposure is not None and (is_counts_like(unit)
                                 or unit == u.dimensionless_unscaled):
        # (those of the other of counts and rates)
        sign = 1 if is_rate(unit) else -1
        allowed += [sign * 2.5 * np.log10(time) for time in (
            exposure.seconds, exposure.other) if time is not None]
    for zero in zeros:
        step = _difference(zero, used, pixel_scale)
        if step is not None and all(
                abs(step - other) > _TOLERANCE for other in allowed):
            return zero
    return None


def unread_keywords(header):
    """
    List keywords that look like zero points, but are not read as such.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Returns
    -------
    texts : list of str
        Such as 'ZPAPPROX=25.3', at most three.
    """
    names = [keyword for keyword in header_keywords(header)
             if _SIMILAR.fullmatch(keyword)
             and keyword not in (*_SYSTEM_KEYWORDS, 'PHOTZPT')
             and header.get(keyword) not in (None, '')]
    return [f'{name}={header[name]!r}' for name in names[:3]]


def text_zeros(header):
    """
    List known keywords of zero points whose value is no number.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Returns
    -------
    texts : list of str
        Such as "MAGZERO='unknown'".
    """
    return [f'{name}={header[name]!r}' for name in (
        *_MAG_KEYWORDS, *_FLUX_KEYWORDS)
            if isinstance(header.get(name), str) and header[name].strip()
            and header_number(header, name) is None]
