# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the galaxies of a catalogue, in parallel and restartable.
"""

import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import is_address
from astro_pix2prof.arguments import check_flag, check_integer
from astro_pix2prof.survey.arrow import pack_rows
from astro_pix2prof.survey.catalogue import is_hats, open_catalogue
from astro_pix2prof.survey.engine import Engine, measure_part, rescue_part
from astro_pix2prof.survey.files import (
    find_done,
    prepare_folder,
    write_failures,
    write_times,
)
from astro_pix2prof.survey.fitter_spec import FitterSpec
from astro_pix2prof.survey.images import SurveyImages
from astro_pix2prof.survey.job import SurveyJob
from astro_pix2prof.survey.storage import find_folder

__all__ = ['SurveyResult', 'run_survey']


# Options of GalaxyCutout that are the same for all images.
_OPTIONS = ('zeropoint', 'pixel_scale', 'native_pixel_scale', 'unit', 'gain',
            'band', 'hdu', 'bad_bits', 'calibrated', 'psf_fwhm',
            'saturation', 'mag_system')


@dataclass(frozen=True)
class SurveyResult:
    """
    The numbers of galaxies that `run_survey` measured.

    Attributes
    ----------
    out : `~pathlib.Path` or ``upath.UPath``
        The folder of the results.

    n_rows : int
        The galaxies of the catalogue.

    n_done : int
        Those that this call measured, or tried to.

    n_skipped : int
        Those that an earlier call had done.

    n_failed : int
        Those in ``out`` that could not be measured.

    seconds : float
        The time that it took.
    """

    out: Path
    n_rows: int
    n_done: int
    n_skipped: int
    n_failed: int
    seconds: float


def run_survey(catalogue, out, *, images=None, fitter=None, chunk_size=500,
               scheduler=None, n_workers=None, readers=0, progress=False,
               overwrite=False, columns=None, ra=None, dec=None, x=None,
               y=None, size=None, masks=None, uncertainties=None,
               invvars=None, backgrounds=None, allow_remote=False,
               structure=False, **options):
    """
    Measure the galaxies of a catalogue.

    It can be interrupted at any time: the same call goes on where it
    stopped. The results do not depend on the number of processes.

    Parameters
    ----------
    catalogue : str, path-like, ``upath.UPath`` or `~astropy.table.Table`
        A Parquet file, a folder of Parquet files, a FITS table, ECSV, CSV, a
        table, or the folder of a HATS catalogue; or the address of one,
        such as 's3://bucket/galaxies.parquet'.

    out : str, path-like or ``upath.UPath``
        The folder for the results, or its address in an object store. It is
        made.

    images : str, list of str or callable, optional
        Where the images are: a column of paths (relative ones: to the
        folder of the catalogue); a template such as ``'images/{id}.fits'``
        with columns in braces; tiles of the sky, as a list, a pattern such
        as ``'tiles/*.fits'`` or a folder, out of which galaxies are cut; or
        a function that takes the row as a dict and returns an image, or an
        image and a dict of its options. By default, a column with a name
        such as 'image' or 'path'.

    fitter : fitter or dict, optional
        Any fitter, such as a `Pix2ProfFitter` or an `IsophoteFitter`, or the
        options to make one of these, with ``'method'``, 'pix2prof' or
        'isophote'. By default `Pix2ProfFitter`.

    chunk_size : int, optional
        The galaxies of a part: one file, and what is lost at most by each
        process if it dies.

    scheduler : str, optional
        The address of a Dask scheduler, to use its workers. They need the
        package, the images and ``out`` under the same names. Everybody who
        can reach the scheduler can run code on its workers: see the guide.

    n_workers : int, optional
        The number of processes on this machine; 1 does without Dask. No
        more are started than there are parts to measure. By
        default, one for each core or, for fitters that use GPUs, for each
        GPU if there are any.

    readers : int, optional
        The number of further processes that read the images for each of
        these. On a GPU, which would wait for images otherwise, give some,
        and a ``chunk_size`` of some thousands.

    progress : bool, optional
        Whether to show a progress bar.

    overwrite : bool, optional
        Whether to remove the results of another survey from ``out``, or to
        begin this one anew.

    columns : list of str, optional
        The columns of the catalogue to copy into the results; by default
        all.

    ra, dec : str, optional
        Columns of the positions on the sky, in degrees unless they have
        another unit. For tiles they are guessed from common names; images
        of one galaxy are measured in the middle if no position is given.

    x, y : str, optional
        Columns of the positions in pixels of the image, from 0.

    size : int, str or `~astropy.units.Quantity`, optional
        The size of the cut-outs: pixels, an angle such as '90arcsec', or a
        column. It is needed for tiles.

    masks, uncertainties, invvars, backgrounds : str, optional
        Where the masks, the standard deviations, the inverse variances (or
        weights that are such) and the skies of the images are: a column of
        paths or a template such as ``'{id}_mask.fits[1]'``, as for
        ``images``. ``{name}`` is the name of the image without its ending,
        unless there is such a column. A galaxy without its file has failed.

    allow_remote : bool, optional
        Whether the names that a column or a template gives may be addresses
        (such as 'https://...' and 's3://...'). By default, only regular
        files of this machine are read. From a template, only those below
        its folder are.

    structure : bool, optional
        Whether to add the columns of `measure_structure` without fits, such
        as ``mag_total`` and ``extrapolated_fraction``; its flag is the
        column ``structure_flag``.

    **options
        Options of `GalaxyCutout` for all images: ``zeropoint``,
        ``pixel_scale``, ``native_pixel_scale``, ``unit``, ``gain``,
        ``band``, ``hdu``, ``bad_bits``, ``calibrated``, ``psf_fwhm``,
        ``saturation`` and ``mag_system``.

    Returns
    -------
    result : `SurveyResult`
        How many were measured, and how many not.

    Raises
    ------
    ConnectionError, PermissionError
        If an address cannot be reached or may not be used.

    ValueError, TypeError
        If columns do not exist, options are not known or out of range, or
        ``out`` holds another survey.

    FileNotFoundError, FileExistsError
        If there is no such catalogue, the first images all lack their mask
        or error, or ``out`` holds other things.

    RuntimeError
        If parts of the catalogue could not be done at all, for instance
        because the disk is full. A galaxy that cannot be measured is no
        error: it has a row with the flag ``FAILED`` and a message.

    ImportError
        If pyarrow, Dask or LSDB is needed and not installed.

    See Also
    --------
    read_survey : Read the results.

    Notes
    -----
    ``out`` holds the files ``part-000000.parquet`` and so on, which appear
    when they are complete; ``_survey.json``, what was asked for; and in the
    end ``_failures.ecsv``, a table of the galaxies that could not be
    measured, and ``_times.json``, the time that it took. For a HATS
    catalogue, ``out`` becomes one with the same pixels.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from astropy.table import Table
    >>> from astro_pix2prof import load_example, read_survey, run_survey
    >>> catalogue = Table({'id': [7, 8]})
    >>> with TemporaryDirectory() as folder:
    ...     result = run_survey(catalogue, f'{folder}/out', n_workers=1,
    ...                         images=lambda row: load_example())
    ...     profile = read_survey(result.out)[0]
    >>> result.n_done, result.n_failed
    (2, 0)
    """
    begin = time.perf_counter()
    chunk_size = check_integer(chunk_size, 'chunk_size', least=1)
    readers = check_integer(readers, 'readers', least=0)
    check_integer(n_workers, 'n_workers', least=1, optional=True)
    allow_remote = check_flag(allow_remote, 'allow_remote')
    structure = check_flag(structure, 'structure')
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        msg = (f'no such option: {", ".join(unknown)}; options of all images '
               f'are {", ".join(_OPTIONS)}')
        raise ValueError(msg)
    options = {name: value for name, value in options.items()
               if value is not None}
    # (first, so that nothing is done for results that have no place)
    out = find_folder(out, 'out')
    if is_address(out) and out.protocol == 'memory' and (
            n_workers != 1 or scheduler is not None):
        msg = (f'out={str(out)!r} is the memory of one process, where others '
               'cannot write: give n_workers=1')
        raise ValueError(msg)
    hats = (isinstance(catalogue, str | os.PathLike)
            or is_address(catalogue)) and is_hats(catalogue)
    if hats:
        from astro_pix2prof.survey.hats import open_hats

        catalogue = open_hats(catalogue)
    else:
        catalogue = open_catalogue(catalogue)
    carried = catalogue.columns if columns is None else list(columns)
    for name in carried:
        if name not in catalogue.columns:
            msg = (f'columns: {name!r} is not a column of the catalogue, '
                   f'which has: {", ".join(catalogue.columns)}')
            raise ValueError(msg)
    source = SurveyImages(images, catalogue, ra=ra, dec=dec, x=x, y=y,
                          size=size, hdu=options.get('hdu'),
                          band=options.get('band'),
                          allow_remote=allow_remote, companions={
                              'masks': masks, 'uncertainties': uncertainties,
                              'invvars': invvars,
                              'backgrounds': backgrounds})
    if hats:
        carried = catalogue.with_position(carried)
    else:
        source.check_first(catalogue)
    job = SurveyJob(FitterSpec(fitter), source, options, carried, readers,
                    structure=structure)
    prepare_folder(out, _settings(job, catalogue, chunk_size),
                   overwrite=overwrite)
    if hats:
        from astro_pix2prof.survey.hats import finish_hats, run_hats

        n_skipped, used = run_hats(
            job, catalogue, out, chunk_size, progress=progress,
            n_workers=n_workers, scheduler=scheduler)
        finish_hats(catalogue, out, carried)
    else:
        n_skipped, used = _run_parts(
            job, catalogue, out, chunk_size, progress=progress,
            n_workers=n_workers, scheduler=scheduler)
    n_failed = write_failures(out)
    n_done = catalogue.n_rows - n_skipped
    seconds = time.perf_counter() - begin
    if n_done:
        write_times(out, n_done, seconds, used)
    return SurveyResult(out, catalogue.n_rows, n_done, n_skipped, n_failed,
                        seconds)


def _settings(job, catalogue, chunk_size):
    """
    Describe everything that determines the results.
    """
    from astro_pix2prof import __version__

    options = {name: value.item() if isinstance(value, np.generic) else value
               for name, value in job.options.items()}
    options = {name: value if isinstance(value, int | float | str | bool)
               else str(value) for name, value in options.items()}
    return {'catalogue': catalogue.fingerprint,
            'catalogue_name': catalogue.name,
            'catalogue_folder': str(catalogue.base),
            'images_folder': job.images.folder,
            'n_rows': catalogue.n_rows, 'chunk_size': chunk_size,
            **job.images.describe(), 'options': options,
            **({'structure': True} if job.structure else {}),
            'columns': job.columns, **{
                {'options': 'fitter_options', 'state': 'fitter_state'}.get(
                    key, key): value
                for key, value in job.fitter.describe().items()},
            'version': __version__}


def _run_parts(job, catalogue, out, chunk_size, *, n_workers, scheduler,
               progress):
    """
    Measure the parts that are missing.

    Returns the number of galaxies that were there, and that of processes.
    """
    n_rows = catalogue.n_rows
    n_parts = -(-n_rows // chunk_size)
    done = find_done(out, n_parts)
    n_skipped = sum(min(chunk_size, n_rows - k * chunk_size) for k in done)
    if len(done) == n_parts:
        return n_skipped, None
    needed = job.images.needed
    columns = catalogue.columns if needed is None else list(
        dict.fromkeys([*job.columns, *needed]))
    left = n_parts - len(done)
    if scheduler is None and n_workers is None and left == 1:
        n_workers = 1
    elif scheduler is None and n_workers is not None and n_workers > left:
        # (each takes seconds to start)
        warnings.warn(
            f'n_workers={n_workers}, but the catalogue has {left} part(s) of '
            f'chunk_size={chunk_size} to measure: {left} process(es) do it; '
            'a smaller chunk_size gives work to more', AstropyUserWarning,
            stacklevel=3)
        n_workers = left

    def tasks():
        for k, rows in enumerate(catalogue.parts(chunk_size, columns)):
            if k not in done:
                # (an address keeps its options)
                yield out, k, k * chunk_size, pack_rows(rows)

    from tqdm import tqdm

    with (Engine(job, n_workers=n_workers, scheduler=scheduler) as engine,
          tqdm(total=n_rows, initial=n_skipped, unit='galaxy',
               disable=not progress, smoothing=0.05) as bar):
        for n in engine.map(measure_part, tasks(), rescue=rescue_part):
            bar.update(n)
    return n_skipped, engine.n_workers
