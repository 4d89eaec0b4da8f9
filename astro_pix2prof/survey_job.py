# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
What a process of a survey does with a part of the catalogue.
"""

import inspect
import json
import os
import sys
import threading
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.profile_batch import ProfileBatch, import_pyarrow

__all__ = ['FitterSpec', 'SurveyJob']

_METHODS = {'pix2prof': ('astro_pix2prof.fitter', 'Pix2ProfFitter'),
            'isophote': ('astro_pix2prof.isophote', 'IsophoteFitter')}

# A process measures one part at a time, though it may have more threads.
_LOCK = threading.Lock()

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


class SurveyJob:
    """
    How to measure the galaxies in some rows of a catalogue.

    Parameters
    ----------
    fitter : `FitterSpec`
        The fitter.

    images : `~astro_pix2prof.survey_images.SurveyImages`
        Where the images are.

    options : dict
        Options of `~astro_pix2prof.GalaxyCutout` for all images.

    columns : list of str
        The columns of the catalogue to carry over.

    readers : int, optional
        Processes that read the images ahead, for fitters with ``fit_many``.
    """

    def __init__(self, fitter, images, options, columns, readers=0):
        self.fitter, self.images = fitter, images
        self.options, self.columns = options, columns
        self.readers = readers

    def __call__(self, rows, start, *, number=0):
        """
        Measure some galaxies.

        Parameters
        ----------
        rows : `pyarrow.Table`
            Rows of the catalogue.

        start : int
            The number of the first.

        number : int, optional
            The number of this process.

        Returns
        -------
        table : `pyarrow.Table`
            The columns that are carried over, and those of
            `~astro_pix2prof.ProfileBatch.to_arrow`. A column of the
            catalogue whose name is among these ends in ``_input``.
        """
        pa = import_pyarrow()
        with _LOCK, _one_thread(), warnings.catch_warnings():
            # the flags tell what the warnings say
            warnings.simplefilter('ignore', AstropyUserWarning)
            found = self._measure(rows, self.fitter.make(number))
        batch, order, sources, origins = found
        table = batch.to_arrow()
        if not np.array_equal(order, np.arange(len(order))):
            table = table.take(np.argsort(order)).combine_chunks()
        replaced = {
            'index': np.arange(start, start + rows.num_rows),
            'x_centre': table['x_centre'].to_numpy() + origins[:, 0],
            'y_centre': table['y_centre'].to_numpy() + origins[:, 1],
            'source': [new or old for new, old in zip(
                sources, table['source'].to_pylist(), strict=True)]}
        for name, values in replaced.items():
            k = table.schema.get_field_index(name)
            field = table.schema.field(k)
            table = table.set_column(k, field,
                                     pa.array(values, type=field.type))
        metadata = table.schema.metadata
        for k, name in enumerate(self.columns):
            field = rows.schema.field(name)
            new = name
            while new in table.column_names or (
                    new != name and new in self.columns):
                new += '_input'
            table = table.add_column(k, field.with_name(new), rows[name])
        return table.replace_schema_metadata(metadata)

    def _measure(self, rows, fitter):
        """
        The batch, the row of each of its galaxies, and, by row, the images.

        Of the images, what they are called, and their first pixels.
        """
        sources = [''] * rows.num_rows
        origins = np.zeros((rows.num_rows, 2))
        order, bad = [], {}

        def images():
            for item in self.images(rows):
                sources[item.row] = item.source
                origins[item.row] = item.origin
                if item.error is not None:
                    bad[item.row] = item.error
                    continue
                order.append(item.row)
                yield item.image, item.options

        if hasattr(fitter, 'fit_many'):
            batches = list(fitter.fit_many(images(), workers=self.readers,
                                           **self.options))
        else:
            batches = [_fit_each(fitter, images(), self.options)]
        if bad:
            batches.append(ProfileBatch.from_profiles(list(bad.values())))
        batch = ProfileBatch.concatenate(batches)
        return batch, np.array(order + list(bad)), sources, origins


def _fit_each(fitter, images, options):
    """
    The batch of single calls.
    """
    profiles = []
    for image, own in images:
        try:
            profiles.append(fitter(image, **{**options, **own}))
        except Exception as error:  # it is the image's result
            profiles.append(error)
    return ProfileBatch.from_profiles(profiles)


class _one_thread:  # noqa: N801
    """
    Let torch use one core: the number of threads is seen in last digits.
    """

    def __enter__(self):
        # (a fitter that needs torch has imported it)
        self.torch = sys.modules.get('torch')
        if self.torch is not None:
            self.before = self.torch.get_num_threads()
            self.torch.set_num_threads(1)

    def __exit__(self, *_):
        if self.torch is not None:
            self.torch.set_num_threads(self.before)


def _count_gpus():
    """
    The number of GPUs that torch sees.
    """
    torch = sys.modules.get('torch')
    return 0 if torch is None else torch.cuda.device_count()
