# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Many galaxies: images in, batches of profiles out.
"""

import itertools
import os

import numpy as np

from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.inference.filling import read_filled
from astro_pix2prof.inference.preparation import PreparedGalaxy, frame_of
from astro_pix2prof.inference.processes import map_parts
from astro_pix2prof.profile.build import build_batch

__all__ = ['FitManyMixin']


# Galaxies of a batch: enough that what is done once for a batch is little,
# few enough that their images fit into memory many times.
_BATCH = 64


class FitManyMixin:
    """
    The method `fit_many` of network fitters.
    """

    def fit_many(self, images, *, batch_size=None, workers=0, progress=False,
                 **options):
        """
        Measure any number of galaxies.

        Few images are in memory at a time, and no table is made for each
        galaxy. What cannot be read or measured becomes a row with the flag
        ``FAILED`` and a message.

        Parameters
        ----------
        images : iterable
            Images of any kind that `GalaxyCutout` takes, or tuples of an
            image and a dict of options of its own, such as ``position``,
            ``size`` or ``geometry``. It may be a generator.

        batch_size : int, optional
            The number of galaxies in a batch; by default 64, or 256 on a
            GPU.

        workers : int, optional
            The number of processes that read the images. On a CPU they
            measure them, too, on one core each, which is faster than
            several cores on the same image; on a GPU, the network runs
            in this process. By default 0: this process does it all.

        progress : bool, optional
            Whether to show a progress bar.

        **options
            Options of `GalaxyCutout` for all images.

        Yields
        ------
        batch : `~astro_pix2prof.ProfileBatch`
            The next galaxies, in the order of the images. ``batch[i]`` is
            the profile that a single call gives.

        Raises
        ------
        ValueError
            If ``batch_size`` or ``workers`` is out of range.

        RuntimeError
            If a process died, for instance for lack of memory.

        Notes
        -----
        Where processes are started afresh (Windows, macOS), a script needs
        ``if __name__ == '__main__':``, and the images are sent to the
        processes: give paths.
        """
        if batch_size is None:
            batch_size = max(_BATCH, self.batch_size)
        for name, value, least in (('batch_size', batch_size, 1),
                                   ('workers', workers, 0)):
            if isinstance(value, bool) or not isinstance(
                    value, int | np.integer) or value < least:
                msg = (f'{name} must be an integer from {least} on, got '
                       f'{value!r}')
                raise ValueError(msg)
        # (the arguments are checked now, and not with the first batch)
        return self._batches(images, int(batch_size), int(workers),
                             progress, options)

    def _batches(self, images, size, workers, progress, options):
        bar = None
        if progress:
            from tqdm import tqdm

            total = len(images) if hasattr(images, '__len__') else None
            bar = tqdm(total=total, unit='galaxy')
        try:
            for batch in self._parts(images, size, workers, options):
                yield batch
                if bar is not None:
                    bar.update(len(batch))
        finally:
            if bar is not None:
                bar.close()

    def _parts(self, images, size, workers, options):
        remote = workers > 0 and self.device.type == 'cpu'
        job = _Job(self, options, finish=remote or workers == 0)
        parts = _parts_of(images, size)
        if workers == 0:
            yield from map(job, parts)
            return
        for found in map_parts(job, parts, workers):
            yield found if remote else self._measure_prepared(*found)

    def _prepare_part(self, part, options):
        """
        The prepared galaxies, or exceptions, of a part of the images.
        """
        prepared, sources = [], []
        for image in part:
            own = options
            if isinstance(image, tuple) and len(image) == 2 and isinstance(
                    image[1], dict):
                image, own = image[0], {**options, **image[1]}
            is_path = isinstance(image, str | os.PathLike)
            sources.append(os.fspath(image) if is_path
                           else getattr(image, 'name', None) or '')
            try:
                own = dict(own)
                geometry = own.pop('geometry', None)
                cutout = GalaxyCutout.from_any(image, **own)
                prepared.append(self._prepare(cutout, geometry))
            except Exception as error:  # it is the image's result
                prepared.append(error)
        return prepared, sources

    def _measure_prepared(self, start, prepared, sources):
        """
        The batch of prepared galaxies.
        """
        measured = self._read_each(prepared, self._rings)
        meta = {'fitter': type(self).__name__, 'version': _version(),
                'weights': self.card.get('name', self.weights),
                'sha256': self.card['sha256']}
        correlation = self.card.get('error_model', {}).get('correlation')
        if correlation is not None:
            meta['correlation'] = dict(correlation)
        return build_batch(measured, start=start, sources=sources, meta=meta)

    def _read_each(self, prepared, finish):
        """
        ``finish(galaxy, caption)`` of each prepared galaxy.

        What is an exception stays one, and what one galaxy leads to is no
        other's concern.
        """
        captions = iter(self._captions(
            [item for item in prepared if isinstance(item, PreparedGalaxy)]))
        results = []
        for item in prepared:
            result = item
            if isinstance(item, PreparedGalaxy):
                result = next(captions)
                if not isinstance(result, Exception):
                    try:
                        result = finish(item, result)
                    except Exception as error:  # it is the image's result
                        result = error
            results.append(result)
        return results

    def _captions(self, prepared):
        """
        What the network wrote of each, or the exception that it led to.
        """
        try:
            return read_filled(self.reader,
                               [frame_of(item) for item in prepared])
        except Exception as error:
            if len(prepared) < 2:
                return [error] * len(prepared)
            # one of them is to blame
            return [self._captions([item])[0] for item in prepared]


class _Job:
    """
    What a process does with a part of the images.
    """

    def __init__(self, fitter, options, *, finish):
        self.fitter, self.options, self.finish = fitter, options, finish

    def __call__(self, part):
        start, images = part[0][0], [image for _, image in part]
        prepared, sources = self.fitter._prepare_part(images, self.options)
        if not self.finish:
            return start, prepared, sources
        return self.fitter._measure_prepared(start, prepared, sources)


def _parts_of(images, size):
    """
    Parts of an iterable: lists of numbers and elements.
    """
    numbered = enumerate(images)
    while part := list(itertools.islice(numbered, size)):
        yield part


def _version():
    from astro_pix2prof import __version__

    return __version__
