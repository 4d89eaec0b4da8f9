# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Units of images: their spellings and their kinds.
"""

import re
import warnings
from functools import lru_cache

import astropy.units as u
import numpy as np

__all__ = ['count_scale', 'flux_hint', 'is_counts_like', 'is_flux_scale',
           'is_rate', 'is_surface_brightness', 'parse_unit', 'pixel_level',
           'time_scale']

# Zero points of images that are scaled to a unit of flux: nanomaggies, uJy,
# nJy, Jy, mJy, 10 nJy. No telescope has one beyond the last number in a
# second, or one before the first.
_FLUX_SCALES = (22.5, 23.9, 31.4, 8.9, 16.4, 28.9)
_BRIGHTEST_RATE, _FAINTEST_RATE = 10.0, 29.5


# Lower-case spellings found in the BUNIT of public images. Spellings whose
# case matters (mJy and MJy) are left to astropy.
_WORDS = {
    'nanomaggies': 'nmgy', 'nanomaggie': 'nmgy', 'nanomaggy': 'nmgy',
    'nmgy': 'nmgy', 'nmaggies': 'nmgy', 'nmaggy': 'nmgy',
    'maggies': 'mgy', 'maggie': 'mgy', 'maggy': 'mgy', 'mgy': 'mgy',
    'counts': 'ct', 'count': 'ct', 'cts': 'ct', 'ct': 'ct', 'cnts': 'ct',
    'cnt': 'ct', 'adu': 'adu', 'adus': 'adu', 'dn': 'DN', 'dns': 'DN',
    'electrons': 'electron', 'electron': 'electron', 'e-': 'electron',
    'e': 'electron', 'elec': 'electron', 'el': 'electron',
    'photoelectrons': 'electron', 'photoelectron': 'electron',
    'photons': 'photon',
    'photon': 'photon', 'ph': 'photon',
    'microjansky': 'uJy', 'microjanskys': 'uJy', 'microjanskies': 'uJy',
    'microjy': 'uJy', 'mujy': 'uJy', 'ujy': 'uJy', 'njy': 'nJy',
    'nanojansky': 'nJy', 'nanojanskys': 'nJy', 'nanojy': 'nJy',
    'millijansky': 'mJy', 'millijanskys': 'mJy', 'millijy': 'mJy',
    'megajansky': 'MJy', 'megajanskys': 'MJy', 'megajy': 'MJy',
    'kjy': 'kJy', 'kilojansky': 'kJy', 'kilojy': 'kJy',
    'jansky': 'Jy', 'janskys': 'Jy', 'janskies': 'Jy', 'jy': 'Jy',
    's': 's', 'sec': 's', 'secs': 's', 'second': 's', 'seconds': 's',
    # (counts that were divided by the exposure time are those of a second)
    'exptime': 's', 'texp': 's',
    'erg': 'erg', 'ergs': 'erg', 'cm': 'cm', 'm': 'm', 'w': 'W',
    'hz': 'Hz', 'hertz': 'Hz',
    # the ampere is not a unit of images
    'a': 'Angstrom', 'aa': 'Angstrom', 'ang': 'Angstrom',
    'angstrom': 'Angstrom', 'angstroms': 'Angstrom',
    'sr': 'sr', 'steradian': 'sr', 'steradians': 'sr', 'ster': 'sr',
    'sqarcsec': 'arcsec2', 'sq_arcsec': 'arcsec2', 'arcsec': 'arcsec',
    'arcsecond': 'arcsec', 'arcseconds': 'arcsec', 'asec': 'arcsec',
    'pixel': 'pix', 'pixels': 'pix', 'pix': 'pix', 'px': 'pix',
    'spaxel': 'pix', 'spaxels': 'pix',
    'beam': 'beam', 'beams': 'beam', 'bm': 'beam',
    'abflux': 'AB', 'stflux': 'ST',
    'abmag': 'mag(AB)', 'stmag': 'mag(ST)', 'mag': 'mag', 'mags': 'mag',
    'magnitude': 'mag', 'magnitudes': 'mag', 'vegamag': 'mag',
}

# Short names of units per second, and of fluxes (HST)
_RATES = {'cps': 'ct/s', 'dnps': 'DN/s', 'e-ps': 'electron/s',
          'eps': 'electron/s', 'flam': 'erg/(s cm2 AA)',
          'fnu': 'erg/(s cm2 Hz)'}

# Fluxes by wavelength in powers of ten: FLAM16 of KCWI is 1e-16 FLAM.
_FLAM = re.compile(r'flam[-_ ]?(\d{1,2})', re.IGNORECASE)

# Janskys with the prefix m or M, which differ by 22.5 mag. Where both
# letters are small, or both capitals, the prefix is not what was meant for
# sure; nor is it in a word that only begins with a capital.
_PREFIXED = re.compile(r'(?<![A-Za-z])(m)(jy)(?![A-Za-z])', re.IGNORECASE)
_STERADIAN = re.compile(r'(?<![A-Za-z])(sr|ster|steradians?)(?![A-Za-z])',
                        re.IGNORECASE)

# Texts of logarithms.
_LOGARITHM = re.compile(r'\s*(log|log10|ln|dex|asinh)\b.*', re.IGNORECASE)

# How numbers and words are written that astropy reads otherwise.
_SPELLINGS = (
    (r'[{(]\s*([+-]?\d+)\s*[})]', r'\1'), (r'\^', '**'), (r'[µμ]', 'u'),
    (r'\bper\b', '/'), (r'\b(sq|square)\b\.?\s*arcsec', 'sqarcsec'),
    (r'(?<=[/ .*])"', 'arcsec'), (r'^\s*[x×]\s*(?=10?)', ''),
    (r'\bdata[- ]?(numbers?|units?)\b', 'DN'),
    (r'\bphoto-(?=electron)', 'photo'),
    (r'\b(nano|micro|milli|kilo|mega)[- ](?=[a-z])', r'\1'),
    (r'(?<![\w.])10\*\*([+-]?\d+)', r'1e\1'),
    (r'(?<=[A-Za-z])\*\*([+-]?\d+)', r'\1'),
    (r'^\s*\(([^()]*)\)\s*$', r'\1'),
)

_NO_UNIT = ('', 'none', 'unknown', 'n/a', 'dimensionless', 'arbitrary',
            'relative', 'unitless', 'undefined', 'null')


def parse_unit(unit):
    """
    Turn a unit as found in images into an astropy unit.

    Besides everything that `astropy.units.Unit` reads, the spellings that
    are common in the ``BUNIT`` of public images are understood, for example
    'nanomaggies', 'counts', 'DN/s', 'e-/s', 'microJansky', 'ADU' or
    'ERGS/CM2/S/A'.

    Parameters
    ----------
    unit : str, `~astropy.units.UnitBase` or `None`
        The unit. `None`, an empty string and 'unknown' stand for no unit.

    Returns
    -------
    unit : `~astropy.units.UnitBase`
        The unit, dimensionless if there is none.

    Raises
    ------
    ValueError
        If the text is not a known unit, or if the unit is a logarithmic one
        (magnitudes) or a flux per beam.

    TypeError
        If ``unit`` is neither a unit nor text.

    Examples
    --------
    >>> from astro_pix2prof.image.units import parse_unit
    >>> parse_unit('nanomaggies')
    Unit("nmgy")
    >>> parse_unit('e-/s')
    Unit("electron / s")
    """
    if unit is None:
        return u.dimensionless_unscaled
    if isinstance(unit, str):
        return _parse_usual(unit.strip())
    if isinstance(unit, u.Quantity) and unit.isscalar:
        parsed = u.Unit(unit)
    elif isinstance(unit, (u.UnitBase, u.FunctionUnitBase)):
        parsed = unit
    else:
        msg = (f'unit must be an astropy unit or its name, got '
               f'{type(unit).__name__}')
        raise TypeError(msg)
    return _per_pixel(parsed)


# (the images of a survey have the same unit, and astropy takes as long to
# compare units as to read an image)
@lru_cache(maxsize=256)
def _parse_usual(text):
    if text.lower() in _NO_UNIT:
        return u.dimensionless_unscaled
    return _per_pixel(_parse_text(text))


def _per_pixel(parsed):
    """
    Refuse units that are not linear; leave out that they are per pixel.
    """
    logarithmic = isinstance(parsed, u.FunctionUnitBase) or any(
        base in getattr(parsed, 'bases', ()) for base in (u.mag, u.dex, u.dB))
    if logarithmic:
        _refuse_logarithm(parsed)
    if u.beam in parsed.bases:
        _refuse_beam(parsed)
    if u.pix in parsed.bases and parsed.powers[parsed.bases.index(u.pix)] < 0:
        power = parsed.powers[parsed.bases.index(u.pix)]
        # a value in a pixel is per pixel already
        parsed = parsed * u.pix**-power
    return parsed


def _refuse_logarithm(unit):
    msg = (f"unit is '{unit}', but a profile needs linear intensities: "
           'convert the image to a flux first (for AB magnitudes, '
           'data.to(u.Jy))')
    raise ValueError(msg)


def _refuse_beam(unit):
    msg = (f"unit '{unit}' is a flux per beam: convert it first with "
           'the beam area (BMAJ, BMIN), image.to(u.Jy / u.sr, '
           'equivalencies=u.beam_angular_area(area))')
    raise ValueError(msg)


def _check_prefix(text):
    """
    Refuse janskys that may be mJy or MJy.

    MJY and Mjy are MJy per steradian, which nobody writes with mJy, and may
    be either elsewhere; mjy is mJy in a pixel, and may be either per
    steradian.
    """
    match = _PREFIXED.search(text)
    if match is None:
        return
    first, second = match[1], match[2][0]
    per_steradian = bool(_STERADIAN.search(text))
    is_small = first == 'm' and second == 'j'
    is_trusted = match[0] == 'MJy' or (first, second) == ('m', 'J')
    if not is_trusted and is_small == per_steradian:
        msg = (f"unit '{text}' may be mJy or MJy, which differ by 22.5 mag: "
               'spell it as one of them')
        raise ValueError(msg)


def _parse_text(text):
    _check_prefix(text)
    if _LOGARITHM.fullmatch(text):
        _refuse_logarithm(text)
    candidates = (text, _respell(text))
    with warnings.catch_warnings():
        # Several slashes are discouraged, but frequent and unambiguous.
        warnings.simplefilter('ignore', u.UnitsWarning)
        for candidate in reversed(candidates):
            for form in ('generic', 'fits', 'cds'):
                try:
                    return u.Unit(candidate, format=form)
                except (ValueError, TypeError):
                    continue
            try:
                return u.Unit(candidate)
            except (ValueError, TypeError):
                continue
    if re.search(r'(?<![a-z])beam', text, re.IGNORECASE):
        _refuse_beam(text)
    if re.search(r'\bvega\b.*(magg|mgy)', text, re.IGNORECASE):
        msg = f"unit '{text}': give 'nmgy' and mag_system='Vega'"
        raise ValueError(msg)
    msg = (f"unit '{text}' is not understood: use a name that "
           "astropy.units knows, for example 'nmgy', 'Jy', 'MJy/sr', "
           "'adu' or 'electron/s'")
    raise ValueError(msg)


def _respell(text):
    if text.lower() in _RATES:
        return _RATES[text.lower()]
    if power := _FLAM.fullmatch(text):
        return f'1e-{power[1]} {_RATES["flam"]}'
    for pattern, written in _SPELLINGS:
        text = re.sub(pattern, written, text, flags=re.IGNORECASE)

    def replace(match):
        word, power = match.group(1), match.group(2)
        # (what may be either was refused)
        if word.lower() == 'mjy':
            return word[0] + 'Jy' + power
        if word.lower() == 'e' and power:
            return match.group(0)
        return _WORDS.get(word.lower(), word) + power

    # e-, then words with an optional power; numbers like 1e-17 are no words
    pattern = r'(?<![\w.])([eE]-(?!\d)|[A-Za-z_]+)([+-]?\d*)(?![\w(])'
    return re.sub(pattern, replace, text)


@lru_cache(maxsize=256)
def is_counts_like(unit):
    """
    Tell whether a unit is a detector count or a rate of counts.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit.

    Returns
    -------
    result : bool
        `True` for counts, adu, DN, electrons, photons and their rates.
    """
    bases = (u.ct, u.adu, u.DN, u.electron, u.photon)
    return (any(base in unit.bases for base in bases)
            and not any(base in unit.bases for base in (u.cm, u.m)))


def is_flux_scale(zeropoint):
    """
    Tell whether a zero point is that of an image scaled to a unit of flux.

    Parameters
    ----------
    zeropoint : float
        The magnitude of one data unit.

    Returns
    -------
    result : bool
        `True` for nanomaggies, microjanskys and the like.
    """
    return not _BRIGHTEST_RATE < zeropoint < _FAINTEST_RATE or any(
        abs(zeropoint - scale) < 0.011 for scale in _FLUX_SCALES)


def is_rate(unit):
    """
    Tell whether a unit is per time.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit.

    Returns
    -------
    result : bool
        `True` if the time appears with power -1.
    """
    return any(base.is_equivalent(u.s) and power == -1
               for base, power in zip(unit.bases, unit.powers, strict=True))


def count_scale(unit):
    """
    Find the counts, or the counts in a second, that one data unit stands for.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit: counts of any kind or their rate.

    Returns
    -------
    scale : float
        Such as 1/60 for counts per minute, and 0.001 for 0.001 adu.
    """
    return float(np.real(unit.scale)) * time_scale(unit)


def time_scale(unit):
    """
    Find the factor by which a rate is the same rate per second.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit.

    Returns
    -------
    scale : float
        Such as 1/60 for counts per minute; 1 for what is per second, or not
        per time.
    """
    scale = 1.0
    for base, power in zip(unit.bases, unit.powers, strict=True):
        if base.is_equivalent(u.s):
            scale *= base.to(u.s)**float(power)
    return scale


def is_surface_brightness(unit):
    """
    Tell whether a unit is per solid angle.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit.

    Returns
    -------
    result : bool
        `True` for MJy/sr, nmgy/arcsec2 and their like.
    """
    angle = 0
    for base, power in zip(unit.bases, unit.powers, strict=True):
        if base.is_equivalent(u.rad):
            angle += power
        elif base.is_equivalent(u.sr):
            angle += 2 * power
    return angle == -2


def flux_hint(name, unit, image_unit):
    """
    Tell how to convert between a flux density and maggies.

    Parameters
    ----------
    name : str
        The argument.

    unit, image_unit : `~astropy.units.UnitBase`
        Its unit and that of the image.

    Returns
    -------
    hint : str
        Empty for other units.
    """
    flux = u.zero_point_flux(1 * u.AB)
    if not unit.is_equivalent(image_unit, flux):
        return ''
    return (f'; if these are AB, give {name}.to({str(image_unit)!r}, '
            'u.zero_point_flux(1 * u.AB))')


def _level_of_flux(value, cutout):
    """
    Convert a flux density, of a pixel or an area, by the zero point.

    Returns `None` if it is none, or the image has no AB magnitudes.
    """
    from astro_pix2prof.image.zeropoint import unit_zeropoint

    own = unit_zeropoint(value.unit)
    if own is None or own.system != 'AB' or cutout.mag_system != 'AB' or (
            cutout.radius_unit != u.arcsec
            or not np.isfinite(cutout.sb_zeropoint)):
        return None
    area = 1.0 if own.per_area else cutout.pixel_scale**2
    return float(value.value) / area / cutout.intensity_scale * 10**(
        0.4 * (cutout.sb_zeropoint - own.value))


def pixel_level(value, name, cutout):
    """
    Convert a level to a number like the pixels of an image.

    Parameters
    ----------
    value : float or `~astropy.units.Quantity`
        The level; a plain number is in the unit of the image as it was
        given. A flux density, of a pixel or an area, goes with an image that
        has a zero point in AB.

    name : str
        What the level is, for the message.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Returns
    -------
    level : float
        In ``cutout.unit``, which is another power of ten for tiny and huge
        values.

    Raises
    ------
    ValueError
        If it has a unit that does not go with the image.
    """
    if not isinstance(value, u.Quantity):
        return float(value) / cutout._data_scale
    if value.unit.is_equivalent(cutout.unit):
        return float(value.to_value(cutout.unit))
    level = _level_of_flux(value, cutout)
    if level is None:
        msg = (f"{name} has the unit '{value.unit}', the image "
               f"'{u.Unit(cutout.unit / cutout._data_scale)}'")
        raise ValueError(msg)
    return level
