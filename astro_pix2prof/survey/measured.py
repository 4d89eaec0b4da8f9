# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the images of some rows, in one band or in several.

The reference is measured as a survey of one band is, many galaxies at once;
then each of the other bands, on the ellipses that were found.
"""

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from astro_pix2prof.addresses import is_address
from astro_pix2prof.fitting.forced import ForcedImage
from astro_pix2prof.fitting.joint import GEOMETRY_FLAGS
from astro_pix2prof.fitting.radii import RADIUS_OPTIONS
from astro_pix2prof.image.sections import find_shape
from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.survey.bands import BandError
from astro_pix2prof.survey.stop import StopSurveyError, raise_if_full

__all__ = ['Measured', 'failed_images', 'measure_all_bands',
           'measure_images']


# Options of an image that are kept until its colours are known. (Others,
# such as masks, are large.)
_KEPT = ('psf_fwhm', 'hdu', 'band', *RADIUS_OPTIONS)


@dataclass
class Measured:
    """
    The profiles of rows in one band.

    Attributes
    ----------
    batch : `ProfileBatch`
        The profiles, in any order.

    order : 1D `~numpy.ndarray` of int, shape (n,)
        The row of each.

    sources : list of str
        The names of the images, by row.

    origins : 2D `~numpy.ndarray`, shape (n, 2)
        The pixels (x, y) of the files that are the first of the images, by
        row.

    options : list of dict
        Some of the options of single images, by row.

    grids : list
        The shape (ny, nx) of each file or, where that is not known yet, its
        path; `None` if it is not known at all.

    embeddings : `~astro_pix2prof.inference.encoder.Embeddings`, optional
        Those of the galaxies, in the order of the profiles.
    """

    batch: ProfileBatch
    order: np.ndarray
    sources: list
    origins: np.ndarray
    options: list
    grids: list
    embeddings: object = None

    @cached_property
    def places(self):
        """
        The place of each row in the batch (1D array of int, shape (n,)).
        """
        return np.argsort(self.order)

    @classmethod
    def join(cls, parts):
        """
        Join parts that follow each other.
        """
        sizes = np.cumsum([0, *(len(part.order) for part in parts)])
        return cls(
            ProfileBatch.concatenate(part.batch for part in parts),
            np.concatenate([part.order + first for part, first in zip(
                parts, sizes, strict=False)]),
            [name for part in parts for name in part.sources],
            np.concatenate([part.origins for part in parts]),
            [own for part in parts for own in part.options],
            [grid for part in parts for grid in part.grids])


def failed_images(errors, columns=()):
    """
    Make the results of galaxies that cannot be measured.

    Parameters
    ----------
    errors : list of Exception
        The reason for each row.

    columns : sequence of str, optional
        Columns of rings that were asked for.

    Returns
    -------
    measured : `Measured`
    """
    n = len(errors)
    return Measured(ProfileBatch.from_profiles(errors, columns=columns),
                    np.arange(n), [''] * n, np.zeros((n, 2)), [{}] * n,
                    [None] * n)


def measure_images(items, n, fitter, *, workers=0, options=None,
                   columns=()):
    """
    Measure images.

    Parameters
    ----------
    items : iterable of `~astro_pix2prof.survey.sources.LoadedImage`
        The images of all rows, in any order, or their errors.

    n : int
        The number of rows.

    fitter : fitter
        The fitter.

    workers : int, optional
        Processes that read the images ahead.

    options : dict, optional
        Options for all images.

    columns : sequence of str, optional
        Columns of rings that were asked for, also of galaxies without a
        profile.

    Returns
    -------
    measured : `Measured`

    Raises
    ------
    RuntimeError
        If the fitter does not give as many profiles as there are images.
    """
    sources, origins = [''] * n, np.zeros((n, 2))
    own, order, bad = [{} for _ in range(n)], [], {}
    grids = [None] * n

    def images():
        for item in items:
            sources[item.row] = item.source
            origins[item.row] = item.origin
            if item.error is not None:
                bad[item.row] = item.error
                continue
            found = item.options if item.own is None else item.own
            own[item.row] = {name: value for name, value in found.items()
                             if name in _KEPT}
            grids[item.row] = item.grid or _find_grid(item.image, found)
            order.append(item.row)
            yield item.image, item.options

    batches = list(fitter.fit_many(images(), workers=workers,
                                   **(options or {})))
    embeddings = None
    if hasattr(fitter, 'embeddings'):
        embeddings = fitter.embeddings(len(bad))
    if bad:
        batches.append(ProfileBatch.from_profiles(list(bad.values()),
                                                  columns=columns))
    batch = ProfileBatch.concatenate(batches)
    order = np.array(order + list(bad), dtype=int)
    if len(batch) != n or len(order) != n:
        msg = (f'the fitter gave {len(batch)} profiles for '
               f'{len(order)} images')
        raise RuntimeError(msg)
    return Measured(batch, order, sources, origins, own, grids, embeddings)


def _find_grid(image, options):
    """
    Find the shape of an image, or the file that tells it if needed.
    """
    if (isinstance(image, str | os.PathLike | ForcedImage)
            or is_address(image)):
        # (most files have a WCS: nobody asks)
        return None if isinstance(image, ForcedImage) else image
    try:
        return find_shape(image, hdu=options.get('hdu'),
                          band=options.get('band'))
    except Exception:
        # (the fitter tells what is wrong with it)
        return None


def measure_all_bands(bands, images, rows, fitter, given, *, workers=0,
                      columns=()):
    """
    Measure rows in all bands of a survey.

    Parameters
    ----------
    bands : `~astro_pix2prof.survey.bands.BandSet`
        The bands.

    images : `~astro_pix2prof.survey.bands.BandImages`
        The images.

    rows : `pyarrow.Table`
        The rows.

    fitter : fitter
        The fitter.

    given : dict of Exception
        Reasons for not measuring a galaxy, by row: in all bands, or in some
        of them (`BandError`).

    workers : int, optional
        Processes that read the images ahead.

    columns : sequence of str, optional
        Columns of rings that were asked for.

    Returns
    -------
    measured : dict of `Measured`
        By band. A galaxy without a profile in the reference has none.
    """
    first = bands.reference
    whole = {row: error for row, error in given.items()
             if not isinstance(error, BandError)}
    reference = measure_images(
        images.of(first)(rows, whole), rows.num_rows, fitter,
        workers=workers, options=bands.options[first], columns=columns)
    found = {first: reference}
    # (one embedding a galaxy)
    fitter = getattr(fitter, 'plain', fitter)
    failed = np.zeros(rows.num_rows, dtype=bool)
    failed[reference.order] = reference.batch.failed
    for band in bands.others:
        errors = {row: error.errors[band] for row, error in given.items()
                  if isinstance(error, BandError) and band in error.errors}
        for row in np.flatnonzero(failed).tolist():
            msg = f'the reference band {first} has no profile'
            errors[row] = ValueError(msg)
        forced = _Forced(reference, bands.options[band], fitter, workers,
                         columns, bands.options[first])
        found[band] = _measure_band(images.of(band), rows, forced, errors, 0)
        _inherit_flags(found[band], reference)
    return {band: found[band] for band in bands.names}


def _inherit_flags(measured, reference):
    """
    Add the flags of uncertain ellipses to a band measured along them.
    """
    flags = (reference.batch.galaxies['flag'][reference.places]
             & int(GEOMETRY_FLAGS))
    measured.batch = measured.batch.with_flags(flags[measured.order])


def _measure_band(images, rows, forced, errors, start):
    """
    Measure a band or, if that raises, in ever smaller parts.
    """
    try:
        return measure_images(forced.images(images(rows, errors), start),
                              rows.num_rows, forced.fitter,
                              workers=forced.workers,
                              columns=forced.columns)
    except StopSurveyError:
        raise
    except Exception as error:
        # Errors of images are rows already: this is one of the fitter
        raise_if_full(error)
        if rows.num_rows < 2:
            return failed_images([error], forced.columns)
    half = rows.num_rows // 2
    return Measured.join([
        _measure_band(images, rows.slice(0, half), forced, {
            row: error for row, error in errors.items() if row < half},
            start),
        _measure_band(images, rows.slice(half), forced, {
            row - half: error for row, error in errors.items()
            if row >= half}, start + half)])


class _Forced:
    """
    Prepares images of a band for the ellipses of the reference.
    """

    def __init__(self, reference, options, fitter, workers, columns,
                 first):
        self.first = first  # (the options of the reference)
        self.reference, self.options = reference, options
        self.fitter, self.workers = fitter, workers
        self.columns = columns
        self._places = reference.places
        # a fitter of this package reads them in its processes
        self._later = workers > 0 and hasattr(fitter, '_read_image')
        self._chooses_radii = getattr(fitter, '_chooses_radii',
                                      lambda options: False)

    def images(self, items, start):
        """
        Yield the images; ``start`` is the row of the first.
        """
        for item in items:
            if item.error is None:
                try:
                    self._prepare(item, start + item.row)
                except Exception as error:
                    raise_if_full(error)
                    # Store the exception so that the others are measured
                    item.error = error
            yield item

    def _prepare(self, item, row):
        reference = self.reference
        own = item.own = dict(item.options)
        shape = reference.batch[self._places[row]]
        # (images without WCS may be other parts of their files)
        for name, shift in zip(('x_centre', 'y_centre'), np.subtract(
                reference.origins[row], item.origin), strict=True):
            shape.meta[name] += float(shift)
        forced = ForcedImage(
            item.image, {**self.options, **own}, shape,
            reference=reference.grids[row],
            reference_options={**self.first, **reference.options[row]},
            grid=item.grid,
            given_radii=self._chooses_radii({
                name: value for name, value in reference.options[row].items()
                if name in RADIUS_OPTIONS}))
        item.options = forced.call
        item.image = forced if self._later else forced.read()
