# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure a part of the catalogue in a process of a survey.
"""

import threading
import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.fitting.notes import record_warnings
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.texts import utf8_text
from astro_pix2prof.structure.measure import measure_structure
from astro_pix2prof.survey.arrow import join_results, table_to_arrow
from astro_pix2prof.survey.cluster import one_thread
from astro_pix2prof.survey.colours import join_bands
from astro_pix2prof.survey.measured import (
    failed_images,
    measure_all_bands,
    measure_images,
)
from astro_pix2prof.survey.stop import StopSurveyError, raise_if_full
from astro_pix2prof.survey.warned import WARNED

__all__ = ['SurveyJob']


# A process measures one part at a time, though it may have more threads.
_LOCK = threading.Lock()


class SurveyJob:
    """
    Measures the galaxies in some rows of a catalogue.

    Parameters
    ----------
    fitter : `FitterSpec`
        The fitter.

    images : `SurveyImages` or `BandImages`
        The images.

    options : dict
        Options of `~astro_pix2prof.GalaxyCutout` for all images.

    columns : list of str
        The columns of the catalogue to carry over.

    readers : int, optional
        Processes that read the images ahead.

    structure : bool, optional
        Whether to add structural parameters.

    bands : `~astro_pix2prof.survey.bands.BandSet`, optional
        Several bands, which have options of their own.

    embedding : bool, optional
        Whether to add embeddings, of the reference if there are several
        bands.

    Attributes
    ----------
    identity : str
        Everything that determines the results, as JSON; empty before it is
        known.

    isolate : bool
        Whether every process measures in a child.
    """

    def __init__(self, fitter, images, options, columns, readers=0, *,
                 structure=False, bands=None, embedding=False):
        self.fitter, self.images = fitter, images
        self.options, self.columns = options, columns
        self.readers, self.structure = readers, structure
        self.bands, self.embedding = bands, embedding
        self.identity, self.isolate = '', False

    def prepare(self, number=0):
        """
        Make the fitter of a process, before the first galaxy.

        Parameters
        ----------
        number : int, optional
            The number of the process.
        """
        with _LOCK, one_thread():
            self.fitter.make(number)

    def __call__(self, rows, start, *, number=0, errors=None, strict=True):
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

        errors : dict of Exception, optional
            Reasons for not measuring a galaxy, by its place among the rows.

        strict : bool, optional
            Whether it is an error if the fitter raises for each galaxy.

        Returns
        -------
        table : `pyarrow.Table`
            The columns that are carried over, and those of
            `~astro_pix2prof.ProfileBatch.to_arrow`, with those of
            `~astro_pix2prof.survey.colours.join_bands` for several bands. A
            column of the catalogue whose name is among these ends in
            ``_input``.

        Raises
        ------
        Exception
            What the fitter raises for each galaxy, if there are several.

        StopSurveyError
            If no galaxy is to blame.

        Notes
        -----
        Warnings are counted in
        `~astro_pix2prof.survey.warned.WARNED` of the process.
        """
        given, notes = errors or {}, []
        with _LOCK:
            fitter = self.fitter.make(number)
            if self.embedding:
                from astro_pix2prof.inference.encoder import EncodingFitter

                fitter = EncodingFitter(fitter)
            with one_thread(), record_warnings(notes):
                table, raised = self._measure_apart(rows, start, fitter,
                                                    given)
        for text in notes:
            WARNED.add(text)
        if strict and len(raised) == rows.num_rows > 1:
            # no single image is to blame
            raise raised[0]
        return table

    def fail(self, rows, start, error):
        """
        Make the results of galaxies that cannot be measured.

        Parameters
        ----------
        rows, start
            As for a call.

        error : Exception
            The reason.

        Returns
        -------
        table : `pyarrow.Table`
            As of a call.
        """
        names = [None] if self.bands is None else self.bands.names
        return self._to_table(rows, start, dict.fromkeys(
            names, failed_images([error] * rows.num_rows,
                                 self.fitter.ring_columns)))

    def _measure_apart(self, rows, start, fitter, given):
        """
        Measure rows together or, if that raises, in ever smaller parts.

        Returns the table, and the errors of rows that raise by themselves.
        """
        try:
            return self._to_table(rows, start, self._measure(
                rows, fitter, given)), []
        except StopSurveyError:
            raise
        except Exception as error:
            # Errors of images are rows already: this is one of the fitter
            raise_if_full(error)
            if rows.num_rows < 2:
                return self.fail(rows, start, error), [error]
        half = rows.num_rows // 2
        first, errors = self._measure_apart(
            rows.slice(0, half), start, fitter,
            {row: error for row, error in given.items() if row < half})
        second, more = self._measure_apart(
            rows.slice(half), start + half, fitter,
            {row - half: error for row, error in given.items()
             if row >= half})
        return join_results([first, second]), errors + more

    def _to_table(self, rows, start, measured):
        """
        Make the table of results from profiles in any order, by band.
        """
        tables = {band: self._galaxies(found, start)
                  for band, found in measured.items()}
        if self.bands is None:
            table = tables[None]
        else:
            table = join_bands(self.bands, tables, measured, rows)
        if self.embedding:
            table = _add_embeddings(table, measured[
                None if self.bands is None else self.bands.reference])
        metadata = table.schema.metadata
        for k, name in enumerate(self.columns):
            field = rows.schema.field(name)
            new = name
            while new in table.column_names or (
                    new != name and new in self.columns):
                new += '_input'
            table = table.add_column(k, field.with_name(new), rows[name])
        return table.replace_schema_metadata(metadata)

    def _galaxies(self, measured, start):
        """
        Make the table of the galaxies in a band, in the order of the rows.
        """
        pa = import_pyarrow()
        batch, order = measured.batch, measured.order
        table = batch.to_arrow()
        if self.structure:
            table = _add_structure(table, batch)
        if not np.array_equal(order, np.arange(len(order))):
            table = table.take(np.argsort(order)).combine_chunks()
        replaced = {
            'index': np.arange(start, start + len(order)),
            'x_centre': table['x_centre'].to_numpy() + measured.origins[:, 0],
            'y_centre': table['y_centre'].to_numpy() + measured.origins[:, 1],
            'source': [utf8_text(new) or old for new, old in zip(
                measured.sources, table['source'].to_pylist(), strict=True)]}
        for name, values in replaced.items():
            k = table.schema.get_field_index(name)
            field = table.schema.field(k)
            table = table.set_column(k, field,
                                     pa.array(values, type=field.type))
        return table

    def _measure(self, rows, fitter, given):
        """
        Measure rows, but for those for which errors are given.

        Returns what was measured by band; of a survey of one, it is `None`.
        """
        columns = self.fitter.ring_columns
        if self.bands is None:
            return {None: measure_images(
                self.images(rows, given), rows.num_rows, fitter,
                workers=self.readers, options=self.options, columns=columns)}
        return measure_all_bands(self.bands, self.images, rows, fitter, given,
                                 workers=self.readers, columns=columns)


def _add_structure(table, batch):
    """
    Add structural parameters in front of the profiles.
    """
    with warnings.catch_warnings():
        # (each galaxy of a survey has a column with its system)
        warnings.filterwarnings('ignore', 'profile is a batch of galaxies',
                                AstropyUserWarning)
        rows = measure_structure(batch, fits=False)
    rows.rename_column('flag', 'structure_flag')
    found = table_to_arrow(rows)
    place = table.schema.get_field_index('profile')
    metadata = table.schema.metadata
    for k, field in enumerate(found.schema):
        table = table.add_column(place + k, field, found[field.name])
    return table.replace_schema_metadata(metadata)


def _add_embeddings(table, measured):
    """
    Add the embeddings and the probabilities in front of the profiles.
    """
    pa = import_pyarrow()
    from astro_pix2prof.inference.encoder import Embeddings

    found = measured.embeddings
    if found is None:
        found = Embeddings.missing(len(measured.order))
    metadata = table.schema.metadata
    vectors = np.ascontiguousarray(found.vectors[measured.places])
    columns = {'embedding': pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.ravel()), vectors.shape[1])}
    columns.update({name: pa.array(values[measured.places])
                    for name, values in found.votes.items()})
    place = table.schema.get_field_index('profile')
    for k, (name, array) in enumerate(columns.items()):
        table = table.add_column(place + k, name, array)
    return table.replace_schema_metadata(metadata)
