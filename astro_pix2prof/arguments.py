# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Check the arguments that a user gives, with one wording for all errors.

All functions take the value and the name of the argument, and return the
value as a plain Python number, text or boolean. An argument of the wrong
kind is a `TypeError`, one out of range or in the wrong unit a `ValueError`;
both read "name must be ..., got ...". Booleans, texts and masked values are
no numbers, numpy's numbers and arrays without dimension are. With
``optional=True``, `None` is passed through.

* ``check_integer(value, name, *, least=None, most=None, optional=False)``
* ``check_number(value, name, *, unit=None, least=None, above=None,
  most=None, equivalencies=(), optional=False)``
* ``check_positive(value, name, *, unit=None, equivalencies=(),
  optional=False)``
* ``check_flag(value, name)``
* ``check_text(value, name, *, optional=False)``
* ``check_choice(value, name, choices, *, optional=False)``
* ``check_options(options, known, of, *, what='an option')``

`named_options` decorates an ``__init__`` with the last one, and `known_as`
finds the option that a name of other programs stands for.
"""

import difflib
import functools
import inspect
import numbers
import re

import astropy.units as u
import numpy as np

from astro_pix2prof.wording import shown

__all__ = ['check_choice', 'check_flag', 'check_integer', 'check_number',
           'check_options', 'check_positive', 'check_seed', 'check_text',
           'known_as', 'named_options', 'option_names', 'read_lengths',
           'read_text_quantity']


# Names that options have in other programs, with those that they have here.
_OTHER_NAMES = {
    'position': ('centre', 'center', 'xy', 'x', 'y', 'x0', 'y0', 'xc', 'yc',
                 'coord', 'coords', 'coordinates', 'ra', 'dec', 'skycoord'),
    'ellipticity': ('eps', 'ellip', 'e', 'axis_ratio', 'q', 'ba'),
    'pa': ('theta', 'angle', 'position_angle', 'posang'),
    'radii': ('sma', 'radius', 'semimajor', 'rings'),
    'max_radius': ('maxsma', 'max_sma', 'rmax', 'r_max', 'maxrad'),
    'uncertainty': ('error', 'err', 'sigma', 'rms', 'std', 'stddev'),
    'invvar': ('weight', 'ivar', 'inverse_variance'),
    'background': ('bkg', 'bg', 'sky_map'),
    'zeropoint': ('zp', 'magzp', 'mag_zero', 'magzero'),
    'pixel_scale': ('pixscale', 'pixel_size', 'scale', 'plate_scale'),
    'psf_fwhm': ('fwhm', 'seeing', 'psf'),
    'hdu': ('ext', 'extension'),
    'size': ('box', 'cutout_size'),
    'saturation': ('satur', 'saturate', 'sat_level'),
    'weights': ('model', 'network', 'checkpoint'),
    'geometry': ('ellipses', 'isophotes'),
    'min_snr': ('snr', 'sn', 'min_sn'),
}

# Names of units that astropy does not know, or knows as others.
_UNITS = {'"': 'arcsec', "'": 'arcmin', 'px': 'pix', 'pixel': 'pix',
          'pixels': 'pix'}

# Units of which a text may have the wrong capitals.
_COMMON_UNITS = ('Mpc', 'Gpc', 'kpc', 'pc', 'lyr', 'km', 'arcsec', 'arcmin',
                 'deg', 'mag', 'pix', 'Jy', 's')


def _refuse(error, name, kind, value):
    msg = f'{name} must be {kind}, got {shown(value)}'
    raise error(msg)


def _plain_number(value):
    """
    Convert to a Python number; `None` if the value is not one real number.
    """
    if np.any(getattr(value, 'mask', False)):
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return array.item() if array.ndim == 0 and array.dtype.kind in 'iuf' \
        else None


def read_text_quantity(value):
    """
    Convert a text such as '1.2 arcsec' to a quantity.

    Parameters
    ----------
    value : object
        A text with a number and a unit, or anything else.

    Returns
    -------
    value : `~astropy.units.Quantity` or object
        Texts without a unit and everything else as they are.
    """
    if not isinstance(value, str) or not value.strip()[-1:].isalpha():
        return value
    try:
        found = u.Quantity(value)
    except (TypeError, ValueError):
        return value
    # ('nan' is a number without a unit)
    return value if found.unit == u.dimensionless_unscaled else found


def read_lengths(text):
    """
    Read lengths with one unit, or numbers.

    Parameters
    ----------
    text : str
        Such as '1,2,5,10arcsec', '5 10 20', '2pix' or '10%'.

    Returns
    -------
    lengths : list of float or `~astropy.units.Quantity`
        A list of numbers, or a quantity.

    Raises
    ------
    ValueError
        If it is none.
    """
    # (the e of 1e3 is followed by a digit)
    match = re.fullmatch(r"""\s*(.*?)[\s,]*([a-zA-Z"'%]*)\s*""", text)
    try:
        values = [float(part) for part in re.split(r'[\s,]+', match[1])]
        if not match[2]:
            return values
        return values * u.Unit(_UNITS.get(match[2], match[2]))
    except (AttributeError, ValueError):
        msg = ('text must be numbers, or numbers followed by a unit such as '
               f'1,2,5arcsec, got {text!r}')
        raise ValueError(msg) from None


def _strip_unit(value, name, unit, equivalencies):
    """
    Convert a Quantity to a number in the unit that is wanted.
    """
    if unit is not None:
        value = read_text_quantity(value)
    if not isinstance(value, u.Quantity):
        return value
    units = unit if isinstance(unit, tuple) else (unit,)
    wanted = u.dimensionless_unscaled if units[0] is None else units[0]
    try:
        for other in units[1:]:
            if value.unit.is_equivalent(other):
                return value.to_value(other)
        return value.to_value(wanted, equivalencies=list(equivalencies))
    except u.UnitConversionError:
        kind = ('a number without unit' if units[0] is None
                else f"in '{wanted}'")
        msg = f"{name} must be {kind}, got the unit '{value.unit}'"
        raise ValueError(msg) from None


def _refuse_unit(value, name):
    """
    Refuse a text with a number whose unit is not known.
    """
    match = isinstance(value, str) and re.fullmatch(
        r'\s*[+-]?[\d.]+(?:[eE][+-]?\d+)?\s*([A-Za-z]+)\s*', value)
    if not match or match[1].lower() in ('nan', 'inf'):
        return
    near = [known for known in _COMMON_UNITS
            if known.lower() == match[1].lower()]
    hint = f'write {near[0]}' if near else (
        'give a number, or a unit that astropy.units knows')
    msg = f'{name} has the unit {match[1]!r}, which is not known: {hint}'
    raise ValueError(msg)


def check_integer(value, name, *, least=None, most=None, optional=False):
    """
    Check an integer.

    Parameters
    ----------
    value : int or numpy integer
        The argument.

    name : str
        Its name.

    least, most : int, optional
        The range, ends included.

    optional : bool, optional
        Whether the value may be `None`.

    Returns
    -------
    value : int or `None`
        The integer.

    Raises
    ------
    TypeError
        If the value is not an integer.

    ValueError
        If it is out of range.
    """
    if value is None and optional:
        return None
    if least == 1 and most is None:
        kind = 'a positive integer'
    else:
        kind = 'an integer' + _range(least, most)
    number = _plain_number(value) if not isinstance(value, u.Quantity) \
        else None
    if not isinstance(number, numbers.Integral):
        _refuse(TypeError, name, kind, value)
    if ((least is not None and number < least)
            or (most is not None and number > most)):
        _refuse(ValueError, name, kind, value)
    return int(number)


def check_seed(seed):
    """
    Check the seed of random numbers.

    Parameters
    ----------
    seed : int or `None`
        The seed, or `None` for one that nobody knows.

    Returns
    -------
    seed : int
        The seed, drawn from the operating system for `None`.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer, or negative.
    """
    if seed is None:
        return int(np.random.default_rng().integers(2**63))
    return check_integer(seed, 'seed', least=0)


def _range(least, most):
    if least is not None and most is not None:
        return f' from {least} to {most}'
    if least is not None:
        return f' of at least {least}'
    return '' if most is None else f' of at most {most}'


def check_number(value, name, *, unit=None, least=None, above=None,
                 most=None, equivalencies=(), optional=False):
    """
    Check a finite number, with or without a unit.

    Parameters
    ----------
    value : float, numpy number, `~astropy.units.Quantity` or str
        The argument; a text such as '1.2 arcsec' is a quantity.

    name : str
        Its name.

    unit : `~astropy.units.UnitBase` or tuple of them, optional
        The unit of plain numbers, into which a `~astropy.units.Quantity` is
        converted. Of several, all that follow the first mean the same (a
        pixel scale in arcsec may be in arcsec per pixel). Without it, only
        dimensionless quantities pass.

    least, most : float, optional
        The range, ends included.

    above : float, optional
        The value has to be larger than this.

    equivalencies : list of tuple, optional
        For the conversion of units, see `astropy.units`.

    optional : bool, optional
        Whether the value may be `None`.

    Returns
    -------
    value : float or `None`
        The number, in ``unit``.

    Raises
    ------
    TypeError
        If the value is not one number.

    ValueError
        If it is not finite, out of range or in another unit.
    """
    if value is None and optional:
        return None
    more = '' if above is None else f' above {above}'
    kind = f'a finite number{more}{_range(least, most)}'
    if above == 0 and most is None:
        kind = 'a positive, finite number'
    number = _plain_number(_strip_unit(value, name, unit, equivalencies))
    if number is None:
        if unit is not None:
            _refuse_unit(value, name)
        _refuse(TypeError, name, kind, value)
    try:
        number = float(number)
    except OverflowError:
        number = np.inf
    if above == 0 and most is None:
        kind = 'positive and finite'
    if not np.isfinite(number):
        _refuse(ValueError, name, kind if above == 0 else 'finite', value)
    if ((least is not None and number < least)
            or (above is not None and number <= above)
            or (most is not None and number > most)):
        _refuse(ValueError, name, kind, value)
    return number


def check_positive(value, name, *, unit=None, equivalencies=(),
                   optional=False):
    """
    Check a positive, finite number, with or without a unit.

    Parameters
    ----------
    value, name, unit, equivalencies, optional
        As for `check_number`.

    Returns
    -------
    value : float or `None`
        The number, in ``unit``.

    Raises
    ------
    TypeError
        If the value is not one number.

    ValueError
        If it is not positive and finite, or in another unit.
    """
    return check_number(value, name, unit=unit, above=0,
                        equivalencies=equivalencies, optional=optional)


def check_flag(value, name):
    """
    Check a boolean.

    Parameters
    ----------
    value : bool or numpy boolean
        The argument.

    name : str
        Its name.

    Returns
    -------
    value : bool
        The boolean.

    Raises
    ------
    TypeError
        If the value is anything else (also 0, 1 and 'no').
    """
    if not isinstance(value, (bool, np.bool_)):
        _refuse(TypeError, name, 'True or False', value)
    return bool(value)


def check_text(value, name, *, optional=False):
    """
    Check a text that can be written to a file.

    Parameters
    ----------
    value : str
        The argument.

    name : str
        Its name.

    optional : bool, optional
        Whether the value may be `None`.

    Returns
    -------
    value : str or `None`
        The text.

    Raises
    ------
    TypeError
        If the value is not a text.

    ValueError
        If it holds lone surrogates, which no encoding can write.
    """
    if value is None and optional:
        return None
    if not isinstance(value, str):
        _refuse(TypeError, name, 'a text', value)
    try:
        value.encode()
    except UnicodeEncodeError:
        _refuse(ValueError, name, 'a text that UTF-8 can encode', value)
    return str(value)


def check_choice(value, name, choices, *, optional=False):
    """
    Check one of a few texts, upper or lower case.

    Parameters
    ----------
    value : str
        The argument.

    name : str
        Its name.

    choices : sequence of str
        The texts that are allowed, as they are returned.

    optional : bool, optional
        Whether the value may be `None`.

    Returns
    -------
    value : str or `None`
        The choice.

    Raises
    ------
    TypeError
        If the value is not a text.

    ValueError
        If it is none of the choices.
    """
    if value is None and optional:
        return None
    *most, last = map(repr, choices)
    kind = f'{", ".join(most)} or {last}' if most else last
    if not isinstance(value, str):
        _refuse(TypeError, name, kind, value)
    for choice in choices:
        if value.lower() == choice.lower():
            return choice
    return _refuse(ValueError, name, kind, value)


def known_as(name, known):
    """
    Find the option that somebody means.

    Parameters
    ----------
    name : str
        The name that was given.

    known : sequence of str
        The names of the options that exist.

    Returns
    -------
    option : str or `None`
        The same name, if there is such an option; or that of the option
        which has this name in other programs; `None` if there is none.
    """
    if name in known:
        return name
    return next((option for option, others in _OTHER_NAMES.items()
                 if option in known and name.lower() in others), None)


def check_options(options, known, of, *, what='an option'):
    """
    Refuse options that do not exist.

    Parameters
    ----------
    options : iterable of str
        The names of the options that were given.

    known : iterable of str
        The names of those that exist.

    of : str
        The name of their owner, for the message.

    what : str, optional
        Their kind, for the message.

    Raises
    ------
    TypeError
        If an option does not exist; the message suggests the nearest name.
    """
    known = list(known)
    for name in options:
        if name not in known:
            near = known_as(name, known) or next(iter(
                difflib.get_close_matches(name.lower(), known, 1)), None)
            hint = (f'did you mean {near}?' if near
                    else f'it takes {", ".join(known)}')
            msg = f'{name!r} is not {what} of {of}: {hint}'
            raise TypeError(msg)


def option_names(function):
    """
    List the names of options; the first argument is none.

    Parameters
    ----------
    function : callable
        The function or class.

    Returns
    -------
    names : tuple of str
    """
    return _option_names(function)


@functools.cache
def _option_names(function):
    return tuple(inspect.signature(function).parameters)[1:]


def named_options(function):
    """
    Decorate an ``__init__``: unknown options are refused by `check_options`.

    Parameters
    ----------
    function : callable
        The method.

    Returns
    -------
    init : callable
        The same method, whose `TypeError` suggests the nearest name.
    """
    known = list(inspect.signature(function).parameters)[1:]

    @functools.wraps(function)
    def init(self, *args, **options):
        check_options(options, known, type(self).__name__)
        function(self, *args, **options)

    return init
