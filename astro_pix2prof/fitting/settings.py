# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell settings of a fitter from options of its calls.
"""

import difflib
import functools
import inspect

from astro_pix2prof.arguments import check_options, known_as
from astro_pix2prof.image.cutout import GalaxyCutout

__all__ = ['call_options', 'named_settings', 'refuse_setting_of_another',
           'settings_of']

# The fitters, by their public names.
_FITTERS = ('Pix2ProfFitter', 'IsophoteFitter')


@functools.cache
def settings_of(kind):
    """
    List the settings of a fitter.

    Parameters
    ----------
    kind : type
        Its class.

    Returns
    -------
    names : tuple of str
    """
    return tuple(inspect.signature(kind).parameters)


@functools.cache
def call_options(kind):
    """
    List the options of a call of a fitter, with those of the image.

    Parameters
    ----------
    kind : type
        Its class.

    Returns
    -------
    names : tuple of str
    """
    image, call = (list(inspect.signature(function).parameters)
                   for function in (GalaxyCutout, kind.fit))
    # (the first are the image, and the fitter and the image)
    return (*image[1:], *(name for name in call[2:] if name != 'options'))


def refuse_setting_of_another(kind, name, known):
    """
    Refuse a setting that another fitter has.

    Parameters
    ----------
    kind : type
        The class of the fitter.

    name : str
        The name of an option that it does not have.

    known : sequence of str
        The options that it has there.

    Raises
    ------
    TypeError
        If it is a setting of another fitter, and no other name of one that
        this one has.
    """
    import astro_pix2prof

    if known_as(name, known) is not None:
        return
    for other in _FITTERS:
        if kind.__name__ in _FITTERS and other != kind.__name__ and (
                name in settings_of(getattr(astro_pix2prof, other))):
            msg = (f'{name!r} is a setting of {other}, which '
                   f'{kind.__name__} does not have: leave it out, or use '
                   f'{other}({name}=...)')
            raise TypeError(msg)


def named_settings(function):
    """
    Decorate the ``__init__`` of a fitter: name what does not belong there.

    Parameters
    ----------
    function : callable
        The method.

    Returns
    -------
    init : callable
        The same method. For an option of a call, its `TypeError` says that
        it is one; for an unknown name, which one was meant.
    """
    known = list(inspect.signature(function).parameters)[1:]

    @functools.wraps(function)
    def init(self, *args, **settings):
        unknown = [name for name in settings if name not in known]
        if unknown:
            _refuse(type(self), unknown, known)
        function(self, *args, **settings)

    return init


def _refuse(kind, unknown, known):
    """
    Say where settings belong that a fitter does not have.
    """
    options = call_options(kind)
    there = {name: known_as(name, options) for name in unknown}
    there = {name: option for name, option in there.items()
             if option is not None and known_as(name, known) is None
             and not difflib.get_close_matches(name, known, 1, cutoff=0.8)}
    if not there:
        for name in unknown:
            refuse_setting_of_another(kind, name, known)
        check_options(unknown, known, kind.__name__, what='a setting')
    name = kind.__name__
    given = ', '.join(f'{option}=...' for option in there.values())
    text = (f'{" and ".join(map(repr, there))} are options of the calls of '
            f'{name}, not settings of it: give them' if len(there) > 1 else
            f'{next(iter(there))!r} is an option of the calls of {name}, not '
            'a setting of it: give it')
    msg = f'{text} there, fitter(image, {given})'
    raise TypeError(msg)
