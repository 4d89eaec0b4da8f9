# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the galaxies of a catalogue, in parallel and restartable.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import is_address
from astro_pix2prof.arguments import (
    check_choice,
    check_flag,
    check_integer,
    known_as,
)
from astro_pix2prof.fitting.harmonics import HARMONIC_OPTIONS
from astro_pix2prof.fitting.radii import RADIUS_OPTIONS
from astro_pix2prof.survey.arrow import pack_rows
from astro_pix2prof.survey.bands import BandImages, find_bands
from astro_pix2prof.survey.catalogue import is_hats, open_catalogue
from astro_pix2prof.survey.collect import SurveyResult, finish_parts
from astro_pix2prof.survey.engine import Engine, measure_part
from astro_pix2prof.survey.failures import write_failures
from astro_pix2prof.survey.files import check_folder, prepare_folder
from astro_pix2prof.survey.fitter_spec import FitterSpec
from astro_pix2prof.survey.images import SurveyImages
from astro_pix2prof.survey.integrity import recover_settings
from astro_pix2prof.survey.job import SurveyJob
from astro_pix2prof.survey.lock import hold_folder
from astro_pix2prof.survey.psfs import BandPSFs
from astro_pix2prof.survey.repeated_ids import warn_of_repeated_ids
from astro_pix2prof.survey.resume import CHANGES, PartPlan, check_share
from astro_pix2prof.survey.services import CutoutService
from astro_pix2prof.survey.stop import resumable
from astro_pix2prof.survey.storage import (
    find_folder,
    is_folder,
    make_folder,
)
from astro_pix2prof.survey.times import RunClock, join_times, times_file
from astro_pix2prof.survey.unanswered import withdraw_unanswered
from astro_pix2prof.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal

    from astropy.table import Table
    from astropy.units import Quantity

    from astro_pix2prof.fitting.base import ProfileFitter
    from astro_pix2prof.typing import PathLike

__all__ = ['run_survey']

# (the examples need an optional package)
__doctest_requires__ = {'run_survey': ['pyarrow']}


# Options of GalaxyCutout that are the same for all images.
_OPTIONS = ('zeropoint', 'pixel_scale', 'native_pixel_scale', 'unit', 'gain',
            'band', 'hdu', 'bad_bits', 'calibrated', 'psf_fwhm',
            'saturation', 'mag_system')

# Options of single images, and what stands for them here; and settings of
# fitters.
_OWN = 'images= as a function that returns an image and a dict of its options'
_ELSEWHERE = {
    'position': 'ra= and dec=, or x= and y=, the columns', 'mask': 'masks=',
    'uncertainty': 'uncertainties=', 'noise': 'uncertainties=',
    'invvar': 'invvars=', 'background': 'backgrounds=', 'geometry': _OWN,
    'ellipticity': _OWN, 'pa': _OWN, 'name': _OWN}
_OF_FITTERS = ('method', 'weights', 'device', 'sky', 'search_radius',
               'fit_centre', 'min_snr', *RADIUS_OPTIONS, *HARMONIC_OPTIONS)


def run_survey(
        catalogue: PathLike | Table, out: PathLike, *,
        images: str | Sequence[str] | CutoutService | Callable[..., Any] |
            None = None,
        fitter: ProfileFitter | dict[str, Any] | None = None,
        chunk_size: int = 500, scheduler: str | None = None,
        n_workers: int | None = None, readers: int = 0, progress: bool = False,
        overwrite: bool = False, columns: Sequence[str] | None = None,
        ra: str | None = None, dec: str | None = None, x: str | None = None,
        y: str | None = None, size: int | str | Quantity | None = None,
        masks: str | None = None, uncertainties: str | None = None,
        invvars: str | None = None, backgrounds: str | None = None,
        allow_remote: bool = False, structure: bool = False,
        part: str | tuple[int, int] | None = None, isolate: bool = False,
        changed: Literal['warn', 'redo', 'ignore'] = 'warn',
        bands: dict[str, Any] | Sequence[str] | None = None,
        reference: str | None = None, colours: Sequence[str] | None = None,
        psf: dict[str, Any] | None = None, embedding: bool = False,
        **options: Any) -> SurveyResult:
    """
    Measure the galaxies of a catalogue.

    It can be interrupted at any time: the same call goes on where it
    stopped. The results do not depend on the number of processes.

    Parameters
    ----------
    catalogue : str, path-like, ``upath.UPath`` or `~astropy.table.Table`
        A Parquet file, a folder of Parquet files, a FITS table, ECSV, CSV, a
        table (also of pandas), or the folder of a HATS catalogue; or the
        address of one, such as 's3://bucket/galaxies.parquet'.

    out : str, path-like or ``upath.UPath``
        The folder for the results, or its address in an object store. It is
        made.

    images : str, list of str, `CutoutService` or callable, optional
        Where the images are: a column of paths (relative ones: to the
        folder of the catalogue); a template such as ``'images/{id}.fits'``
        with columns in braces; tiles of the sky, as a list, a pattern such
        as ``'tiles/*.fits'`` or a folder, out of which galaxies are cut; a
        service on the web that cuts them out; or a function that takes the
        row as a dict and returns an image, or an image and a dict of its
        options. By default, a column with a name such as 'image' or 'path'.

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
        another unit. For tiles and services they are guessed from common
        names; images of one galaxy are measured in the middle if no position
        is given.

    x, y : str, optional
        Columns of the positions in pixels of the image, from 0.

    size : int, str or `~astropy.units.Quantity`, optional
        The size of the cut-outs: pixels, an angle such as '90arcsec', or a
        column, which counts in pixels if it has no unit. It is needed for
        tiles and services.

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

    part : str or tuple of int, optional
        The share of the catalogue to measure, such as ``'3/8'`` or
        ``(3, 8)``, the third of eight. Runs with other shares may go on at
        the same time, on any machines that share the folder ``out``: one
        for each task of an array job. The last one completes the survey.

    isolate : bool, optional
        Whether to measure in a child of each process from the start, so
        that an image that ends a process ends no other than that. By
        default, after the first time that it happened.

    changed : {'warn', 'redo', 'ignore'}, optional
        What to do about galaxies that are done and whose files have changed
        since (another size, or time of the last change): warn, measure
        their parts again, or not look.

    bands : dict or list of str, optional
        Several bands, to measure on the same ellipses: for each, by its
        name, where its images are, in any of the ways of ``images``, which
        is left out. Or their names, along with ``images`` in which
        ``{band}`` stands for them, or a `CutoutService`. ``size``, ``masks``
        and the like, and the options below, may then be dicts with a value
        for each band. The fitter must take ellipses (``geometry``), as those
        of this package do.

    reference : str, optional
        The band that is measured first; its centre, ellipses and radii are
        those of all. By default 'r'.

    colours : list of str, optional
        The colours, such as ``['g-r', 'g-z']``; by default those of bands
        that follow each other.

    psf : dict, optional
        For each of several bands what `~astro_pix2prof.PSF` takes, such as
        ``{'g': 1.4, 'r': 'psf_r.fits'}``, or a column of the catalogue with
        the full width at half maximum (arcsec) of each galaxy. Colours are
        then as seen behind the broadest of these, which the column
        ``psf_matched`` names; the profiles are as measured.

    embedding : bool, optional
        Whether to add the column ``embedding``, 64 numbers that tell how a
        galaxy looks, and probabilities such as ``p_bar``; see
        `Pix2ProfFitter.encode`. Of several bands, they are of the
        reference.

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
        or error, ``out`` holds other things, or another run uses it.

    RuntimeError
        If parts of the catalogue could not be done at all, for instance
        because the disk is full or a service on the web does not answer. A
        galaxy that cannot be measured is no error: it has a row with the
        flag ``FAILED`` and a message.

    ImportError
        If pyarrow, Dask or LSDB is needed and not installed.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If a column ``id``, ``galaxy_id``, ``object_id``, ``objid`` or
        ``source_id`` has a name twice; and at the end, for each kind of
        warning that reading or measuring images led to, with its number.

    See Also
    --------
    read_survey : Read the results.
    collect_survey : Join the shares of several runs.

    Notes
    -----
    ``out`` holds the files ``part-000000.parquet`` and so on, in folders of
    1000 if there are more; they appear when they are complete. There are
    ``_survey.json``, what was asked for, which each part knows, too; and in
    the end ``_failures.ecsv``, a table of the galaxies that could not be
    measured, and ``_times.json``, the time that it took. For a HATS
    catalogue, ``out`` becomes one with the same pixels.

    A part counts as done if it is whole, each page has its checksum, and it
    holds these galaxies of this survey; others are measured again.

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
    >>> result.n_measured, result.n_failed
    (2, 0)
    """
    begin = time.perf_counter()
    chunk_size = check_integer(chunk_size, 'chunk_size', least=1)
    readers = check_integer(readers, 'readers', least=0)
    check_integer(n_workers, 'n_workers', least=1, optional=True)
    allow_remote = check_flag(allow_remote, 'allow_remote')
    structure = check_flag(structure, 'structure')
    embedding = check_flag(embedding, 'embedding')
    isolate = check_flag(isolate, 'isolate')
    changed = check_choice(changed, 'changed', CHANGES)
    part = check_share(part)
    if part is not None and overwrite:
        msg = ('overwrite=True and part= do not go together: a share would '
               'remove the results of the others. Remove the folder, or call '
               'once without part=')
        raise ValueError(msg)
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        msg = (f'no such option: {", ".join(unknown)}; {_where(unknown)}')
        raise ValueError(msg)
    options = {name: value for name, value in options.items()
               if value is not None}
    bands = find_bands(bands, images, reference=reference, colours=colours,
                       options=options)
    if bands is None and psf is not None:
        msg = (f'psf={psf!r} is for the colours of several bands: give '
               'bands=')
        raise ValueError(msg)
    if bands is None:
        services = [images] if isinstance(images, CutoutService) else []
        options = _complete(images, options)
    else:
        services = [source for source in bands.sources.values()
                    if isinstance(source, CutoutService)]
        bands.options = {band: _complete(source, bands.choose(band, options))
                         for band, source in bands.sources.items()}
        options = bands.options
    # (first, so that nothing is done for results that have no place)
    out = find_folder(out, 'out')
    if getattr(out, 'protocol', '') == 'memory' and (
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
        catalogue = open_catalogue(catalogue, columns)
    carried = catalogue.columns if columns is None else list(columns)
    for name in carried:
        if name not in catalogue.columns:
            msg = (f'columns: {name!r} is not a column of the catalogue, '
                   f'which has: {", ".join(catalogue.columns)}')
            raise ValueError(msg)
    places = {'ra': ra, 'dec': dec, 'x': x, 'y': y, 'size': size,
              'allow_remote': allow_remote, 'companions': {
                  'masks': masks, 'uncertainties': uncertainties,
                  'invvars': invvars, 'backgrounds': backgrounds}}
    if bands is None:
        source = SurveyImages(images, catalogue, hdu=options.get('hdu'),
                              band=options.get('band'), **places)
    else:
        if psf is not None:
            bands.psfs = BandPSFs(psf, bands.names, catalogue.columns)
        source = BandImages(bands, catalogue, **places)
    if hats:
        carried = catalogue.with_position(carried)
    else:
        source.check_first(catalogue)
        if part is None or part[0] == 1:
            warn_of_repeated_ids(catalogue)
    spec = FitterSpec(fitter)
    if bands is not None:
        spec.check_bands()
    if embedding and not spec.encodes:
        msg = (f'embedding needs a Pix2ProfFitter, got {spec!r}: leave '
               'embedding out')
        raise ValueError(msg)
    job = SurveyJob(spec, source, options, carried, readers,
                    structure=structure, bands=bands, embedding=embedding)
    job.isolate = isolate
    settings = _settings(job, catalogue, chunk_size)
    job.identity = json.dumps(settings)
    for service in services:
        service.prepare()
    if not (overwrite and is_folder(out, 'out ')):
        check_folder(out, recover_settings)
    with resumable(out):
        make_folder(out)
    with resumable(out), hold_folder(out, part):
        prepare_folder(out, settings, overwrite=overwrite,
                       alone=part is None, recover=recover_settings)
        run = _run_hats if hats else _run_parts
        n_rows, n_skipped, counts = run(
            job, catalogue, out, chunk_size, part=part, carried=carried,
            settings=settings, changed=changed, progress=progress,
            n_workers=n_workers, scheduler=scheduler)
    return SurveyResult(out, n_rows, n_rows - n_skipped, n_skipped,
                        counts.galaxies, time.perf_counter() - begin,
                        counts.bands, counts.flags)


def _complete(images, options):
    """
    Complete the options of all images by those of a service.
    """
    if isinstance(images, CutoutService):
        return images.complete(options)
    return options


def _where(unknown):
    """
    Say where options belong that are none of all images.
    """
    hints = []
    for name in unknown:
        meant = known_as(name, [*_ELSEWHERE, *_OF_FITTERS, *_OPTIONS]) or name
        if meant in _ELSEWHERE:
            hints.append(f'{name}: give {_ELSEWHERE[meant]}')
        elif meant in _OF_FITTERS:
            hints.append(f"{name}: give fitter={{'{meant}': ...}}")
        elif meant != name:
            hints.append(f'{name}: give {meant}=')
    return '; '.join(hints) or ('options of all images are '
                                + ', '.join(_OPTIONS))


def _settings(job, catalogue, chunk_size):
    """
    Describe everything that determines the results.
    """
    from astro_pix2prof import __version__

    return {'catalogue': catalogue.fingerprint,
            'catalogue_name': catalogue.name,
            'catalogue_folder': str(catalogue.base),
            'images_folder': job.images.folder,
            'n_rows': catalogue.n_rows, 'chunk_size': chunk_size,
            **job.images.describe(), 'options': _plain(job.options),
            **({'structure': True} if job.structure else {}),
            **_encoder(job),
            'columns': job.columns, **{
                {'options': 'fitter_options', 'state': 'fitter_state'}.get(
                    key, key): value
                for key, value in job.fitter.describe().items()},
            'version': __version__}


def _encoder(job):
    """
    Describe the encoder of a survey with embeddings.
    """
    if not job.embedding:
        return {}
    from astro_pix2prof.inference.encoder import encoder_sha256

    return {'embedding': encoder_sha256()}


def _plain(value):
    """
    Convert options to what JSON can hold.
    """
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, int | float | str | bool) else str(
        value)


def _run_hats(job, catalogue, out, chunk_size, *, part, carried, settings,
              changed, **options):
    """
    Measure the partitions of a HATS catalogue that are missing.

    Returns the galaxies, those that were there, and those that failed.
    """
    from astro_pix2prof.survey.hats import finish_hats, run_hats

    if part is not None:
        msg = ('a HATS catalogue has no shares: give scheduler= instead of '
               'part=')
        raise ValueError(msg)
    n_skipped = run_hats(job, catalogue, out, chunk_size, settings=settings,
                         **options)
    finish_hats(catalogue, out, carried)
    return catalogue.n_rows, n_skipped, write_failures(out)


def _run_parts(job, catalogue, out, chunk_size, *, part, carried, settings,
               changed, n_workers, scheduler, progress):
    """
    Measure the parts that are missing.

    Returns the galaxies, those that were there, and those that failed.
    """
    plan = PartPlan(out, catalogue.n_rows, chunk_size, part)
    plan.find_done(settings)
    plan.check_images(catalogue, job.images, changed)
    n_rows = plan.n_galaxies(plan.numbers)
    n_skipped = plan.n_galaxies(plan.done)
    if part is None:
        join_times(out)
    clock = RunClock(times_file(out, part), n_skipped, plan.last_time())
    left = len(plan.numbers) - len(plan.done)
    if left:
        if scheduler is None and n_workers is None and left == 1:
            n_workers = 1
        elif scheduler is None and n_workers is not None and n_workers > left:
            # (each takes seconds to start)
            warnings.warn(
                f'n_workers={n_workers}, but the catalogue has '
                f'{counted(left, "part")} of chunk_size={chunk_size} to '
                f'measure: {counted(left, "process", "processes")} for them; '
                'a smaller chunk_size gives work to more',
                AstropyUserWarning, stacklevel=4)
            n_workers = left
        # a process that ended before would end again, for another image
        job.isolate = job.isolate or (
            plan.died and scheduler is None and n_workers == 1)
        engine = Engine(job, n_workers=n_workers, scheduler=scheduler)
        with engine.warned.shown():
            failed = _measure_parts(engine, job, catalogue, plan, clock,
                                    progress)
            # (what was measured before tells that the service answers)
            if (failed or job.bands is not None) and not plan.done:
                withdraw_unanswered([plan.path(number)
                                     for number in plan.numbers
                                     if number not in plan.done])
            return n_rows, n_skipped, finish_parts(plan, part)
    return n_rows, n_skipped, finish_parts(plan, part)


def _measure_parts(engine, job, catalogue, plan, clock, progress):
    """
    Measure the parts that are missing, and note the time.

    Returns whether all of their galaxies have failed.
    """
    needed = job.images.needed
    columns = catalogue.columns if needed is None else list(
        dict.fromkeys([*job.columns, *needed]))
    first = min(number for number in plan.numbers if number not in plan.done)

    def tasks():
        rows_of_parts = catalogue.parts(plan.chunk_size, columns, start=first)
        for number, rows in enumerate(rows_of_parts, first):
            if number not in plan.numbers:
                return
            if number not in plan.done:
                folder = plan.path(number).parent
                make_folder(folder)
                # (an address keeps its options)
                yield folder, number, plan.start(number), pack_rows(rows)

    from tqdm import tqdm

    n_done = n_failed = 0
    clock.start()
    try:
        with engine, tqdm(
                total=plan.n_galaxies(plan.numbers),
                initial=plan.n_galaxies(plan.done), unit='galaxy',
                disable=not progress, smoothing=0.05) as bar:
            for n, n_more in engine.map(measure_part, tasks()):
                n_done, n_failed = n_done + n, n_failed + n_more
                notes = [f'{n_failed} failed'] if n_failed else []
                if engine.warned:
                    # (they are shown at the end)
                    notes.append(counted(len(engine.warned), 'warning'))
                bar.set_postfix_str(', '.join(notes), refresh=False)
                bar.update(n)
    finally:
        clock.stop(n_done, engine.n_workers)
    return 0 < n_done == n_failed
