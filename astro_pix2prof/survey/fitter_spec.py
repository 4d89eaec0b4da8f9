# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Describe a fitter so that other processes can make it.
"""

import hashlib
import inspect
import json
import os
from importlib import import_module
from pathlib import Path

import astropy.units as u
import numpy as np

from astro_pix2prof.fitting.base import ProfileFitter, as_fitter
from astro_pix2prof.fitting.common_settings import (
    check_settings,
    check_sky_err,
)
from astro_pix2prof.fitting.harmonics import HARMONIC_OPTIONS, RingChoice
from astro_pix2prof.fitting.radii import RADIUS_OPTIONS, RingRadii
from astro_pix2prof.survey.cluster import count_gpus

__all__ = ['FitterSpec']


_METHODS = {'pix2prof': ('astro_pix2prof.inference.fitter', 'Pix2ProfFitter'),
            'isophote': ('astro_pix2prof.isophote.fitter', 'IsophoteFitter')}

# Options that change where a fitter runs, and no result.
_FREE = ('device', 'batch_size')

# Longer texts of a model card are compared by their checksum.
_SHORT = 80

# The fitters that this process has made.
_FITTERS = {}


class FitterSpec:
    """
    Describes how to make a fitter.

    Of the fitters of this package, the name and the options travel to the
    processes, not the weights. Any other object with the interface of a
    fitter is sent as it is.

    Parameters
    ----------
    fitter : fitter, dict or `None`
        A fitter; or a dict of its options, with ``'method'``, 'pix2prof'
        (the default) or 'isophote'.

    Raises
    ------
    ValueError
        If the method or an option is not known.

    TypeError
        If it is no fitter.
    """

    def __init__(self, fitter=None):
        self.fitter = None
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
            unknown = sorted(set(options) - set(self._known()))
            if unknown:
                msg = (f'{self.name} has no option '
                       f'{", ".join(map(repr, unknown))}')
                raise ValueError(msg)
            self._check(options)
        else:
            if not callable(fitter):
                msg = ('fitter must be a Pix2ProfFitter, an IsophoteFitter, '
                       'another object with their methods, or a dict such as '
                       f"{{'method': 'isophote'}}, got {fitter!r}")
                raise TypeError(msg)
            kind = (fitter if inspect.isroutine(fitter)
                    or inspect.isclass(fitter) else type(fitter))
            self.module, self.name = kind.__module__, kind.__qualname__
            options = _own_options(fitter, kind)
            if options is None:
                self.fitter, self.options = fitter, {}
                return
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

    def _check(self, options):
        """
        Check options now, and not when the first process makes the fitter.
        """
        if 'weights' not in self._known():
            # (it is made at once)
            self._class()(**{name: value for name, value in options.items()
                             if name != 'initial'})
            return
        sky, *_ = check_settings(*(
            options.get(name, default) for name, default in (
                ('sky', 'auto'), ('search_radius', None),
                ('fit_centre', True), ('min_snr', 1.0))))
        check_sky_err(options.get('sky_err', 0.0), sky)
        RingRadii(*(options.get(name) for name in RADIUS_OPTIONS))
        RingChoice(*(options.get(name, False) for name in HARMONIC_OPTIONS))

    def _known(self):
        return _options_of(self._class())

    def _identity(self):
        """
        Describe the fitter in full: a text of arrays leaves out the middle.
        """
        options = {name: value._identity() if isinstance(value, FitterSpec)
                   else value for name, value in self.options.items()}
        return f'{self.module}.{self.name} ' + json.dumps(
            options, default=_plain, sort_keys=True)

    @property
    def uses_gpus(self):
        """
        Tell whether the fitter runs on the GPUs of a machine that has some.
        """
        return (self.fitter is None and 'device' in self._known()
                and self.options.get('device') is None)

    @property
    def encodes(self):
        """
        Tell whether the fitter computes embeddings (bool).
        """
        from astro_pix2prof.inference.fitter import Pix2ProfFitter

        if self.fitter is not None:
            return isinstance(self.fitter, Pix2ProfFitter)
        return issubclass(self._class(), Pix2ProfFitter)

    def check_bands(self):
        """
        Refuse a network that measures along no ellipses for several bands.

        Raises
        ------
        ValueError
            If the ellipses of one band would change nothing in the others.
        """
        from astro_pix2prof.networks.architectures import (
            READERS,
            find_architecture,
        )
        from astro_pix2prof.networks.weights import read_card

        if self.fitter is not None:
            architecture = getattr(self.fitter, 'architecture', None)
            weights = getattr(self.fitter, 'weights', self.name)
        elif 'weights' in self._known():
            weights = self.options.get('weights', 'rings')
            architecture = find_architecture(
                read_card(weights, kinds=READERS)['architecture'])
        else:
            return
        if architecture is not None and not architecture.finds_geometry:
            msg = (f'bands must not be given with weights={str(weights)!r}, '
                   'a network that measures along no ellipses, which the '
                   "bands would share: use weights='rings' or an "
                   'IsophoteFitter')
            raise ValueError(msg)

    @property
    def ring_columns(self):
        """
        The columns of rings that all profiles have on request (tuple of str).
        """
        options = self.options
        if isinstance(self.fitter, ProfileFitter):
            options = {name: getattr(self.fitter, name, False)
                       for name in HARMONIC_OPTIONS}
        return RingChoice(*(options.get(name, False) is True
                            for name in HARMONIC_OPTIONS)).columns

    def describe(self):
        """
        Describe everything that determines the results.

        Returns
        -------
        found : dict
            The name, the options, the weights and their checksum, and the
            parts of the model card, of which calibration, error model and
            domain of validity change results and flags. JSON can hold it.
        """
        if self.fitter is not None:
            return {'fitter': self.name, 'options': {},
                    'state': _checksum(_state(self.fitter))}
        # (columns that were not asked for change nothing)
        options = {name: value.describe() if isinstance(value, FitterSpec)
                   else value for name, value in self.options.items()
                   if name not in _FREE and not (
                       name in HARMONIC_OPTIONS and value is False)}
        found = {'fitter': self.name, 'options': options}
        if 'weights' in self._known():
            from astro_pix2prof.networks.architectures import (
                READERS,
                find_architecture,
            )
            from astro_pix2prof.networks.weights import read_card

            weights = options.pop('weights', 'rings')
            card = read_card(weights, kinds=READERS)
            find_architecture(card['architecture']).check_reader(weights)
            found['weights'] = Path(weights).stem
            found['sha256'] = card.get('sha256')
            found['card'] = {key: _shortened(value)
                             for key, value in card.items()}
        found['options'] = json.loads(json.dumps(options, default=_plain))
        return found

    def make(self, number=0):
        """
        Make the fitter, once in each process.

        Parameters
        ----------
        number : int, optional
            The number of the process: with several GPUs, each has its own.

        Returns
        -------
        fitter : fitter
        """
        if self.fitter is not None:
            return as_fitter(self.fitter)
        key = self._identity(), number
        if key not in _FITTERS:
            options = {name: value.make(number)
                       if isinstance(value, FitterSpec) else value
                       for name, value in self.options.items()}
            if self.uses_gpus:
                count = count_gpus()
                if count > 1:
                    options['device'] = f'cuda:{number % count}'
            _FITTERS[key] = self._class()(**options)
        return _FITTERS[key]


def _options_of(kind):
    return [name for name in inspect.signature(kind.__init__).parameters
            if name != 'self']


def _own_options(fitter, kind):
    """
    Get the options that make a fitter of this package, `None` of others.
    """
    if not kind.__module__.startswith('astro_pix2prof.'):
        return None
    known = _options_of(kind)
    if inspect.isroutine(fitter) or not all(
            hasattr(fitter, name) for name in known):
        return None
    options = {name: getattr(fitter, name) for name in known}
    card = getattr(fitter, 'card', None)
    if card is None:
        return options
    # (weights that were loaded in another way than by their name, or that
    # have changed since, go with the fitter)
    from astro_pix2prof.networks.weights import read_card

    try:
        same = read_card(options['weights']) == card
    except (OSError, ValueError, KeyError):
        same = False
    return options if same else None


def _plain(value):
    if isinstance(value, u.Quantity):
        return [value.value.tolist(), value.unit.to_string()]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else str(value)


def _checksum(value):
    text = json.dumps(value, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shortened(value):
    """
    Keep short values of a model card, and the checksums of longer ones.
    """
    short = len(json.dumps(value, default=_plain)) <= _SHORT
    return value if short else f'sha256 {_checksum(value)}'


def _state(value, depth=8):
    """
    Describe the state of an object as far as it can determine results.

    Parameters
    ----------
    value : object
        A fitter, or a part of one.

    depth : int, optional
        The number of levels to go down.

    Returns
    -------
    state : object
        Numbers, texts, lists and dicts.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(key): _state(item, depth - 1)
                for key, item in value.items()} if depth else '...'
    if isinstance(value, list | tuple):
        return [_state(item, depth - 1) for item in value] if depth else '...'
    if hasattr(value, 'detach'):
        # a tensor of a network
        value = value.detach().cpu().double().numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind != 'O':
        return [value.dtype.str, list(value.shape),
                hashlib.sha256(value.tobytes()).hexdigest()]
    name = getattr(value, '__qualname__', type(value).__qualname__)
    if inspect.isroutine(value) or inspect.isclass(value) or not depth:
        return f'{getattr(value, "__module__", "")}.{name}'
    if hasattr(value, 'state_dict'):
        return [name, _state(dict(value.state_dict()), depth - 1)]
    parts = {key: _state(item, depth - 1)
             for key, item in getattr(value, '__dict__', {}).items()
             if key not in _FREE}
    return [name, parts]
