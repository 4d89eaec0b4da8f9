# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Units of images: their spellings and their kinds.
"""

import re
import warnings

import astropy.units as u

__all__ = ['is_counts_like', 'is_rate', 'is_surface_brightness', 'parse_unit']


# Lower-case spellings found in the BUNIT of public images. Spellings whose
# case matters (mJy and MJy) are left to astropy.
_WORDS = {
    'nanomaggies': 'nmgy', 'nanomaggie': 'nmgy', 'nanomaggy': 'nmgy',
    'nmgy': 'nmgy', 'nmaggies': 'nmgy', 'nmaggy': 'nmgy',
    'maggies': 'mgy', 'maggie': 'mgy', 'maggy': 'mgy', 'mgy': 'mgy',
    'counts': 'ct', 'count': 'ct', 'cts': 'ct', 'ct': 'ct', 'cnts': 'ct',
    'cnt': 'ct', 'adu': 'adu', 'adus': 'adu', 'dn': 'DN', 'dns': 'DN',
    'electrons': 'electron', 'electron': 'electron', 'e-': 'electron',
    'e': 'electron', 'elec': 'electron', 'photons': 'photon',
    'photon': 'photon', 'ph': 'photon',
    'microjansky': 'uJy', 'microjanskys': 'uJy', 'microjanskies': 'uJy',
    'microjy': 'uJy', 'ujy': 'uJy', 'njy': 'nJy', 'nanojansky': 'nJy',
    'nanojanskys': 'nJy', 'nanojy': 'nJy', 'millijansky': 'mJy',
    'millijanskys': 'mJy', 'megajansky': 'MJy', 'megajanskys': 'MJy',
    'jansky': 'Jy', 'janskys': 'Jy', 'janskies': 'Jy', 'jy': 'Jy',
    's': 's', 'sec': 's', 'secs': 's', 'second': 's', 'seconds': 's',
    'erg': 'erg', 'ergs': 'erg', 'cm': 'cm', 'hz': 'Hz', 'hertz': 'Hz',
    # the ampere is not a unit of images
    'a': 'Angstrom', 'aa': 'Angstrom', 'ang': 'Angstrom',
    'angstrom': 'Angstrom', 'angstroms': 'Angstrom',
    'sr': 'sr', 'steradian': 'sr', 'ster': 'sr',
    'sqarcsec': 'arcsec2', 'sq_arcsec': 'arcsec2', 'arcsec': 'arcsec',
    'arcsecond': 'arcsec', 'arcseconds': 'arcsec', 'asec': 'arcsec',
    'pixel': 'pix', 'pixels': 'pix', 'pix': 'pix', 'px': 'pix',
    'beam': 'beam', 'abflux': 'AB', 'stflux': 'ST',
    'abmag': 'mag(AB)', 'stmag': 'mag(ST)', 'mags': 'mag',
}

# Short names of units per second
_RATES = {'cps': 'ct/s', 'dnps': 'DN/s', 'e-ps': 'electron/s',
          'eps': 'electron/s'}

# Spellings in small letters or capitals only that leave open what is meant
# (mjy alone is mJy, and MJY/SR is MJy/sr).
_AMBIGUOUS = (r'mjy\s*[/ .]\s*(sr|ster|steradian)(\*\*|\^)?(-1)?'
              r'|MJY(/PIX(EL)?)?')

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
        if unit.strip().lower() in _NO_UNIT:
            return u.dimensionless_unscaled
        parsed = _parse_text(unit.strip())
    elif isinstance(unit, u.Quantity) and unit.isscalar:
        parsed = u.Unit(unit)
    elif isinstance(unit, (u.UnitBase, u.FunctionUnitBase)):
        parsed = unit
    else:
        msg = (f'unit must be an astropy unit or its name, got '
               f'{type(unit).__name__}')
        raise TypeError(msg)

    logarithmic = (isinstance(parsed, u.FunctionUnitBase)
                   or u.mag in getattr(parsed, 'bases', ()))
    if logarithmic:
        msg = (f"unit is '{parsed}', but a profile needs linear intensities: "
               'convert the image to a flux first (for AB magnitudes, '
               'data.to(u.Jy))')
        raise ValueError(msg)
    if u.beam in parsed.bases:
        msg = (f"unit '{parsed}' is a flux per beam: convert it first with "
               'the beam area (BMAJ, BMIN), image.to(u.Jy / u.sr, '
               'equivalencies=u.beam_angular_area(area))')
        raise ValueError(msg)
    if u.pix in parsed.bases and parsed.powers[parsed.bases.index(u.pix)] < 0:
        power = parsed.powers[parsed.bases.index(u.pix)]
        # a value in a pixel is per pixel already
        parsed = parsed * u.pix**-power
    return parsed


def _parse_text(text):
    if re.fullmatch(_AMBIGUOUS, text):
        msg = (f"unit '{text}' may be mJy or MJy, which differ by 22.5 mag: "
               'spell it as one of them')
        raise ValueError(msg)
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
    msg = (f"unit '{text}' is not understood: use a name that "
           "astropy.units knows, for example 'nmgy', 'Jy', 'MJy/sr', "
           "'adu' or 'electron/s'")
    raise ValueError(msg)


def _respell(text):
    if text in ('MJY/SR', 'MJY/STER'):
        return 'MJy/sr'
    if text.lower() in _RATES:
        return _RATES[text.lower()]
    text = text.replace('^', '**').replace('sq. arcsec', 'sqarcsec')
    text = text.replace('µ', 'u').replace('μ', 'u')
    text = re.sub(r'(?<![\w.])10\*\*\(?([+-]?\d+)\)?', r'1e\1', text)
    text = re.sub(r'(?<=[A-Za-z])\*\*\(?([+-]?\d+)\)?', r'\1', text)

    def replace(match):
        word, power = match.group(1), match.group(2)
        # MJY and mJY are told apart, mjy is taken for what it says
        if word.lower() == 'mjy':
            return word[0] + 'Jy' + power
        if word.lower() == 'e' and power:
            return match.group(0)
        return _WORDS.get(word.lower(), word) + power

    # e-, then words with an optional power; numbers like 1e-17 are no words
    pattern = r'(?<![\w.])(e-(?!\d)|[A-Za-z_]+)([+-]?\d*)(?![\w(])'
    return re.sub(pattern, replace, text)


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
