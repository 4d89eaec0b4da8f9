# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Make the fitters that the command line knows.
"""

from astro_pix2prof.cli.options import fitter_options
from astro_pix2prof.cli.output import option_text, show_traceback

__all__ = ['METHODS', 'make_fitter', 'network_fitter']


# The networks that were loaded, by their options.
_LOADED = {}


def network_fitter(weights='rings', device=None, **options):
    """
    Make a `~astro_pix2prof.Pix2ProfFitter`, once for the same options.

    Parameters
    ----------
    weights, device : str, optional
        The network and where it runs.

    **options
        Further options of the fitter.

    Returns
    -------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
    """
    import numpy as np

    from astro_pix2prof.inference.fitter import Pix2ProfFitter

    # (an array has no hash, and its representation leaves out its middle)
    key = repr([weights, device, sorted(
        (name, getattr(value, 'unit', ''), np.array(value).tolist())
        for name, value in options.items())])
    if key not in _LOADED:
        _LOADED[key] = Pix2ProfFitter(weights, device=device, **options)
    return _LOADED[key]


def _isophote_fitter(weights=None, device=None, **options):
    """
    Make an `~astro_pix2prof.IsophoteFitter`, which has no network.
    """
    from astro_pix2prof.isophote.fitter import IsophoteFitter

    return IsophoteFitter(**options)


# Each makes a fitter of the options of the command line; the first measures
# if nothing else is asked for.
METHODS = {'pix2prof': network_fitter, 'isophote': _isophote_fitter}


def make_fitter(method, args, **options):
    """
    Make the fitter of a method; wrong options end the program.

    Parameters
    ----------
    method : str
        One of ``METHODS``.

    args : `argparse.Namespace`
        The arguments, with ``weights`` and ``device`` and perhaps others of
        the fitters.

    **options
        In place of those in ``args``.

    Returns
    -------
    fitter : `~astro_pix2prof.fitting.base.ProfileFitter`
    """
    given = {name: getattr(args, name, None)
             for name in ('weights', 'device')}
    given |= fitter_options(args) | options
    # (the default of the weights is that of the command line)
    given = {name: value for name, value in given.items()
             if value is not None or name in ('weights', 'device')}
    try:
        return METHODS[method](**given)
    except (ValueError, TypeError, FileNotFoundError) as error:
        show_traceback(error, args)
        return args.command.error(option_text(
            ' '.join(str(error).split()), args.command))
