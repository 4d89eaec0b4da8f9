# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
What a process of a survey does with a part of the catalogue.
"""

import threading
import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.survey.cluster import _one_thread

__all__ = ['SurveyJob']


# A process measures one part at a time, though it may have more threads.
_LOCK = threading.Lock()


class SurveyJob:
    """
    How to measure the galaxies in some rows of a catalogue.

    Parameters
    ----------
    fitter : `FitterSpec`
        The fitter.

    images : `~astro_pix2prof.survey.images.SurveyImages`
        Where the images are.

    options : dict
        Options of `~astro_pix2prof.GalaxyCutout` for all images.

    columns : list of str
        The columns of the catalogue to carry over.

    readers : int, optional
        Processes that read the images ahead.
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

        batches = list(fitter.fit_many(images(), workers=self.readers,
                                       **self.options))
        if bad:
            batches.append(ProfileBatch.from_profiles(list(bad.values())))
        batch = ProfileBatch.concatenate(batches)
        return batch, np.array(order + list(bad)), sources, origins
