# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell settings of a fitter from options of its calls.
"""

import difflib
import functools
import inspect

from astro_pix2prof.arguments import check_options, known_as
from astro_pix2prof.image.cutout import GalaxyCutout

__all__ = ['call_options', 'named_settings', 'settings_of']


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
        check_options(unknown, known, kind.__name__, what='a setting')
    name = kind.__name__
    given = ', '.join(f'{option}=...' for option in there.values())
    text = (f'{" and ".join(map(repr, there))} are options of the calls of '
            f'{name}, not settings of it: give them' if len(there) > 1 else
            f'{next(iter(there))!r} is an option of the calls of {name}, not '
            'a setting of it: give it')
    msg = f'{text} there, fitter(image, {given})'
    raise TypeError(msg)
