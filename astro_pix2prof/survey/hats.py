# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Surveys of HATS catalogues, through LSDB.
"""

import hashlib
import json
from contextlib import contextmanager

from astro_pix2prof.addresses import as_source, beside, find_path, is_address
from astro_pix2prof.extras import missing_extra
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.survey.arrow import join_results, pack_rows
from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.engine import Engine, measure_part
from astro_pix2prof.survey.files import MAPS, part_files, part_path
from astro_pix2prof.survey.integrity import (
    check_part,
    is_complete,
    write_part,
)
from astro_pix2prof.survey.resume import set_aside, warn_again
from astro_pix2prof.survey.stop import stop_if_full
from astro_pix2prof.survey.storage import copy_file, make_folder, remove_tree
from astro_pix2prof.survey.times import RunClock, times_file
from astro_pix2prof.survey.unanswered import withdraw_unanswered

__all__ = ['HatsCatalogue', 'finish_hats', 'open_hats', 'run_hats']


# The file with which a folder is a catalogue.
_PROPERTIES = 'hats.properties'


class HatsCatalogue:
    """
    A HATS catalogue, as a survey sees it.

    Parameters
    ----------
    path : str, path-like or ``upath.UPath``
        The folder of a catalogue, or of a collection, or its address.

    Attributes
    ----------
    lsdb : `lsdb.Catalog`
        The catalogue.

    schema : `pyarrow.Schema`
        Its columns.

    pixels : list of (order, pixel)
        Its partitions.

    starts, counts : dict
        For each, the number of its first row in the whole catalogue, and
        that of its rows.

    n_rows : int
        The number of rows.

    fingerprint : str
        A checksum of the names and sizes of its files.
    """

    def __init__(self, path):
        try:
            import lsdb
        except ImportError as error:
            raise missing_extra(
                package='lsdb', extra='survey',
                what='reading a HATS catalogue') from error
        import pyarrow.dataset as ds

        path = find_path(path, 'catalogue')
        path = path if is_address(path) else path.absolute()
        self.base, self.name = path, path.name
        self.lsdb = lsdb.open_catalog(path, columns='all')
        structure = self.lsdb.hc_structure
        self.schema = structure.schema
        self.info = structure.catalog_info
        self.root = find_path(structure.catalog_base_dir)
        self.pixels = sorted((pixel.order, pixel.pixel)
                             for pixel in self.lsdb.get_healpix_pixels())
        self.starts, self.counts, self.n_rows = {}, {}, 0
        digest = hashlib.sha256()
        for order, pixel in self.pixels:
            file = pixel_path(self.root, order, pixel, self.info.npix_suffix)
            self.starts[order, pixel] = self.n_rows
            self.counts[order, pixel] = ds.dataset(
                file.path if is_address(file) else file, format='parquet',
                filesystem=file.fs if is_address(file) else None
            ).count_rows()
            self.n_rows += self.counts[order, pixel]
            size = file.stat().st_size if file.is_file() else 0
            digest.update(f'{order} {pixel} {size} {self.n_rows};'.encode())
        self.fingerprint = digest.hexdigest()

    @property
    def columns(self):
        """
        The names of the columns.
        """
        return list(self.schema.names)

    def parts(self, pixel, size, columns, *, start=0):
        """
        Read the rows of a partition in parts of one size.

        Groups of rows of its file are read, and not all of it.

        Parameters
        ----------
        pixel : tuple of int
            The order and the pixel of the partition.

        size, columns, start
            As for `~astro_pix2prof.survey.catalogue.SurveyCatalogue.parts`.

        Yields
        ------
        part : `pyarrow.Table`
            The next rows.
        """
        pa = import_pyarrow()
        schema = pa.schema([self.schema.field(name) for name in columns])
        opened = open_catalogue(pixel_path(self.root, *pixel,
                                           self.info.npix_suffix))
        for rows in opened.parts(size, columns, start=start):
            # (units, and the types of the catalogue as a whole)
            yield pa.Table.from_arrays(
                [rows[field.name].cast(field.type) for field in schema],
                schema=schema)

    def with_position(self, columns):
        """
        Columns, with those that a HATS catalogue must have.
        """
        needed = [self.info.healpix_column, self.info.ra_column,
                  self.info.dec_column]
        return [name for name in self.columns
                if name in columns or name in needed]


def open_hats(path):
    """
    Open a HATS catalogue.

    Parameters
    ----------
    path : str or path-like
        Its folder.

    Returns
    -------
    catalogue : `HatsCatalogue`

    Raises
    ------
    ImportError
        If LSDB is not installed.

    ValueError
        If it has no rows.
    """
    catalogue = HatsCatalogue(path)
    if catalogue.n_rows == 0:
        msg = f'catalogue {path} has no rows'
        raise ValueError(msg)
    return catalogue


def pixel_path(folder, order, pixel, suffix='.parquet'):
    """
    The file (or, with the suffix '/', the folder) of a partition.
    """
    return (find_path(folder) / 'dataset' / f'Norder={order}'
            / f'Dir={pixel // 10000 * 10000}'
            / f'Npix={pixel}{suffix.rstrip("/")}')


def run_hats(job, catalogue, out, chunk_size, *, settings, n_workers=None,
             scheduler=None, progress=False):
    """
    Measure the partitions that are missing.

    Parameters
    ----------
    job : `~astro_pix2prof.survey.job.SurveyJob`
        What to do.

    catalogue : `HatsCatalogue`
        The catalogue.

    out : `~pathlib.Path`
        The folder of the survey.

    chunk_size : int
        The galaxies of a part of a partition.

    settings : dict
        Everything that determines the results.

    n_workers, scheduler, progress : optional
        See `~astro_pix2prof.run_survey`.

    Returns
    -------
    n_skipped : int
        The galaxies of partitions that were there.
    """
    from tqdm import tqdm

    files = {pixel: pixel_path(out, *pixel) for pixel in catalogue.pixels}
    missing, n_skipped = _find_missing(catalogue, files, settings, out)
    clock = RunClock(times_file(out), n_skipped, max(
        (file.stat().st_mtime for file in files.values() if file.is_file()),
        default=None))
    if not missing:
        return n_skipped
    plans = {pixel: PartitionPlan(catalogue, pixel, out, chunk_size, settings)
             for pixel in missing}
    needed = job.images.needed
    columns = catalogue.columns if needed is None else list(
        dict.fromkeys([*job.columns, *needed]))
    engine = Engine(job, n_workers=n_workers, scheduler=scheduler)
    n_done = 0
    clock.start()
    with (engine.warned.shown(),
          _stopping(clock, lambda: (n_done, engine.n_workers)), engine,
          tqdm(total=catalogue.n_rows, initial=n_skipped, unit='galaxy',
               disable=not progress, smoothing=0.05) as bar):
        for plan in plans.values():
            # (all parts were there when an earlier call was interrupted)
            bar.update(plan.n_done)
            n_done += plan.n_done
            plan.finish(job.identity)
        for pixel, number, n_rows in engine.map(measure_rows, (
                task for plan in plans.values()
                for task in plan.tasks(columns))):
            bar.update(n_rows)
            n_done += n_rows
            plans[pixel].missing.discard(number)
            plans[pixel].finish(job.identity)
    # (what was measured before tells that the service answers)
    if not n_skipped and not any(plan.n_done for plan in plans.values()):
        withdraw_unanswered([file for file in files.values()
                             if file.is_file()])
    return n_skipped


class PartitionPlan:
    """
    Parts of a partition that have to be measured.

    Parameters
    ----------
    catalogue : `HatsCatalogue`
        The catalogue.

    pixel : tuple of int
        The order and the pixel of the partition.

    out : `~pathlib.Path`
        The folder of the survey.

    chunk_size : int
        The galaxies of a part.

    settings : dict
        Everything that determines the results.

    Attributes
    ----------
    missing : set of int
        The numbers of the parts that are not there.

    n_done : int
        The galaxies of the others.
    """

    def __init__(self, catalogue, pixel, out, chunk_size, settings):
        self.catalogue, self.pixel = catalogue, pixel
        self.chunk_size, self.out = chunk_size, out
        self.folder = out / '.parts' / f'{pixel[0]}-{pixel[1]}'
        self.missing, self.n_done = set(), 0
        settings = json.loads(json.dumps(settings))
        n_rows, first = catalogue.counts[pixel], catalogue.starts[pixel]
        for number, start in enumerate(range(0, n_rows, chunk_size)):
            n = min(chunk_size, n_rows - start)
            file = part_path(self.folder, number)
            if file.is_file():
                problem, _ = check_part(file, settings, first + start, n)
                if problem is None and is_complete(file):
                    self.n_done += n
                    continue
                file.unlink()
            self.missing.add(number)

    def tasks(self, columns):
        """
        Read the rows of the parts that are missing.

        Parameters
        ----------
        columns : list of str
            The columns that are needed.

        Yields
        ------
        task : tuple
            The arguments of `measure_rows`.
        """
        if not self.missing:
            return
        make_folder(self.folder)
        wanted, first = frozenset(self.missing), min(self.missing)
        start = self.catalogue.starts[self.pixel]
        parts = self.catalogue.parts(self.pixel, self.chunk_size, columns,
                                     start=first)
        for number, rows in enumerate(parts, first):
            if number in wanted:
                yield (self.pixel, self.folder, number,
                       start + number * self.chunk_size, pack_rows(rows))

    def finish(self, identity):
        """
        Join the parts to the file of the partition, once all are there.

        Parameters
        ----------
        identity : str
            As of `~astro_pix2prof.survey.job.SurveyJob`.
        """
        import pyarrow.parquet as pq

        path = pixel_path(self.out, *self.pixel)
        if self.missing or not self.catalogue.counts[self.pixel] or (
                path.is_file()):
            return
        with stop_if_full(self.out):
            make_folder(path.parent)
            tables = [pq.read_table(as_source(part), partitioning=None)
                      for part in part_files(self.folder)]
            write_part(join_results(tables), path, identity)
            remove_tree(self.folder)


@contextmanager
def _stopping(clock, numbers):
    """
    Stop a clock in the end, also after an error.
    """
    try:
        yield
    finally:
        clock.stop(*numbers())


def _find_missing(catalogue, files, settings, out):
    """
    Find the partitions that are missing, and count the galaxies of others.
    """
    settings = json.loads(json.dumps(settings))
    missing, again, n_skipped = [], [], 0
    for pixel, file in files.items():
        if not file.is_file():
            missing.append(pixel)
            continue
        problem, foreign = check_part(file, settings, catalogue.starts[pixel],
                                      catalogue.counts[pixel])
        if problem is None and not is_complete(file):
            # (the partitions of such a catalogue have the same columns)
            problem, foreign = 'lacks columns of this version', True
            # (nor is what describes them any longer true)
            (out / _PROPERTIES).unlink(missing_ok=True)
        if problem is None:
            n_skipped += catalogue.counts[pixel]
            continue
        missing.append(pixel)
        # (not beside the others: readers of HATS heed hidden files, too)
        note = set_aside(file, keep=foreign, folder=out)
        again.append(f'{file.name} {problem}{note}')
    if again:
        warn_again(again)
    return missing, n_skipped


def measure_rows(key, pixel, folder, number, start, rows):
    """
    Measure a part of a partition and write its file.

    Parameters
    ----------
    key, folder, number, start, rows
        As for `~astro_pix2prof.survey.engine.measure_part`.

    pixel : tuple of int
        The order and the pixel of the partition.

    Returns
    -------
    pixel : tuple of int
        The same.

    number, n_rows : int
        The number of the part, and that of its galaxies.
    """
    n_rows, _ = measure_part(key, folder, number, start, rows)
    return pixel, number, n_rows


def _find_maps(folder):
    if is_address(folder) and folder.protocol in ('http', 'https'):
        # (web servers do not list their files)
        found = [beside(folder / 'properties', name) for name in MAPS
                 if '*' not in name]
        return [path for path in found if path is not None]
    return [path for name in MAPS for path in folder.glob(name)]


def finish_hats(catalogue, out, columns):
    """
    Make the folder of a survey a HATS catalogue.

    Parameters
    ----------
    catalogue : `HatsCatalogue`
        The input, whose pixels it shares.

    out : `~pathlib.Path`
        The folder, with the files of all partitions.

    columns : list of str
        The columns of the catalogue that were carried over.
    """
    import hats
    import pyarrow.parquet as pq
    from hats.catalog import PartitionInfo
    from hats.pixel_math import HealpixPixel

    from astro_pix2prof import __version__

    remove_tree(out / '.parts')
    if (out / _PROPERTIES).is_file():
        return
    hats.io.write_parquet_metadata(out)
    PartitionInfo([HealpixPixel(*pixel) for pixel in catalogue.pixels]
                  ).write_to_file(out / 'partition_info.csv')
    # the same galaxies: the same maps
    for path in _find_maps(catalogue.root):
        copy_file(path, out / path.name)
    files = [pixel_path(out, *pixel) for pixel in catalogue.pixels]
    names = pq.read_schema(as_source(files[0])).names
    # (the columns of the catalogue come first)
    new = dict(zip(columns, names, strict=False))
    info = catalogue.info.copy_and_update(
        catalog_name=out.name.split('.')[0], total_rows=catalogue.n_rows,
        ra_column=new[catalogue.info.ra_column],
        dec_column=new[catalogue.info.dec_column], default_columns=None,
        npix_suffix='.parquet', hats_builder=f'astro_pix2prof {__version__}',
        hats_estsize=sum(path.stat().st_size for path in files) // 1024)
    # last: with it, the folder is a catalogue
    info.to_properties_file(out)
