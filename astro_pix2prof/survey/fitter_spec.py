# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Describe a fitter so that another process can make it.
"""

import inspect
import json
import os
from importlib import import_module
from pathlib import Path

from astro_pix2prof.survey.cluster import _count_gpus

__all__ = ['FitterSpec']


_METHODS = {'pix2prof': ('astro_pix2prof.inference.fitter', 'Pix2ProfFitter'),
            'isophote': ('astro_pix2prof.isophote.fitter', 'IsophoteFitter')}

# The fitters that this process has made.
_FITTERS = {}


class FitterSpec:
    """
    How to make a fitter: its name and options travel, not its weights.

    Parameters
    ----------
    fitter : fitter, dict or `None`
        A `~astro_pix2prof.Pix2ProfFitter`, an
        `~astro_pix2prof.IsophoteFitter`; or a dict of its options, with
        ``'method'``, 'pix2prof' (the default) or 'isophote'.

    Raises
    ------
    ValueError
        If the method or an option is not known.

    TypeError
        If it is no fitter, or one that its options do not describe.
    """

    def __init__(self, fitter=None):
        if fitter is None:
            fitter = {}
        if isinstance(fitter, dict):
            options = dict(fitter)
            method = options.pop('method', 'pix2prof')
            if method not in _METHODS:
                msg = (f"method must be 'pix2prof' or 'isophote', got "
                       f'{method!r}')
                raise ValueError(msg)
            self.module, self.name = _METHODS[method]
            known = inspect.signature(self._class().__init__).parameters
            unknown = sorted(set(options) - set(known))
            if unknown:
                msg = (f'{self.name} has no option '
                       f'{", ".join(map(repr, unknown))}')
                raise ValueError(msg)
        else:
            kind = type(fitter)
            self.module, self.name = kind.__module__, kind.__qualname__
            known = [name for name in inspect.signature(
                kind.__init__).parameters if name != 'self']
            original = getattr(fitter, 'card', {}).get(
                'architecture') == 'original'
            if (not callable(fitter) or original
                    or not all(hasattr(fitter, name) for name in known)):
                msg = ('fitter must be a Pix2ProfFitter, an IsophoteFitter or '
                       "a dict such as {'method': 'isophote'}, got "
                       f'{fitter!r}; only its name and its options are sent '
                       'to the processes')
                raise TypeError(msg)
            options = {name: getattr(fitter, name) for name in known}
        if options.get('device') is not None:
            options['device'] = str(options['device'])
        if isinstance(options.get('weights'), str | os.PathLike):
            path = Path(options['weights'])
            # the processes may have another working directory
            options['weights'] = (str(path.resolve()) if path.is_file()
                                  else str(path))
        initial = options.get('initial')
        if initial is not None and not isinstance(initial, FitterSpec):
            options['initial'] = FitterSpec(initial)
        self.options = options

    def __repr__(self):
        options = ', '.join(f'{name}={value!r}'
                            for name, value in self.options.items())
        return f'{self.name}({options})'

    def _class(self):
        return getattr(import_module(self.module), self.name)

    def describe(self):
        """
        What was asked for, as a dict that JSON can hold.

        Where the network runs and how many galaxies it reads at once are
        left out.
        """
        options = {name: value.describe() if isinstance(value, FitterSpec)
                   else value for name, value in self.options.items()
                   if name not in ('device', 'batch_size')}
        found = {'fitter': self.name,
                 'options': json.loads(json.dumps(options, default=str))}
        if self.name == 'Pix2ProfFitter':
            from astro_pix2prof.networks.weights import read_card

            weights = options.get('weights', 'rings')
            found['options'].pop('weights', None)
            found['weights'] = Path(weights).stem
            found['sha256'] = read_card(weights)['sha256']
        return found

    def make(self, number=0):
        """
        The fitter, made once in each process.

        Parameters
        ----------
        number : int, optional
            The number of the process: with several GPUs, each has its own.
        """
        key = repr(self), number
        if key not in _FITTERS:
            options = {name: value.make(number)
                       if isinstance(value, FitterSpec) else value
                       for name, value in self.options.items()}
            kind = self._class()
            if options.get('device') is None and 'device' in (
                    inspect.signature(kind.__init__).parameters):
                count = _count_gpus()
                if count > 1:
                    options['device'] = f'cuda:{number % count}'
            _FITTERS[key] = kind(**options)
        return _FITTERS[key]
