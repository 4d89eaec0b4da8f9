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
from astro_pix2prof.survey.arrow import join_results
from astro_pix2prof.survey.engine import Engine, get_job, run_part
from astro_pix2prof.survey.files import MAPS, part_files, part_path
from astro_pix2prof.survey.integrity import (
    check_part,
    is_complete,
    write_part,
)
from astro_pix2prof.survey.job import SurveyJob
from astro_pix2prof.survey.resume import set_aside, warn_again
from astro_pix2prof.survey.stop import stop_if_full
from astro_pix2prof.survey.storage import copy_file, make_folder, remove_tree
from astro_pix2prof.survey.times import RunClock, times_file

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

    def with_position(self, columns):
        """
        Columns, with those that a HATS catalogue must have.
        """
        needed = [self.info.healpix_column, self.info.ra_column,
                  self.info.dec_column]
        return [name for name in self.columns
                if name in columns or name in needed]


class HatsJob(SurveyJob):
    """
    Measures the galaxies in a partition of a HATS catalogue.
    """

    def __init__(self, job, catalogue, out, chunk_size):
        super().__init__(job.fitter, job.images, job.options, job.columns,
                         job.readers, structure=job.structure,
                         bands=job.bands)
        self.identity, self.isolate = job.identity, job.isolate
        self.schema, self.starts = catalogue.schema, catalogue.starts
        self.out, self.chunk_size = find_path(out), chunk_size


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
    import pandas as pd
    from hats.pixel_math import HealpixPixel
    from tqdm import tqdm

    files = {pixel: pixel_path(out, *pixel) for pixel in catalogue.pixels}
    missing, n_skipped = _find_missing(catalogue, files, settings, out)
    clock = RunClock(times_file(out), n_skipped, max(
        (file.stat().st_mtime for file in files.values() if file.is_file()),
        default=None))
    if not missing:
        return n_skipped
    job = HatsJob(job, catalogue, out, chunk_size)
    engine = Engine(job, n_workers=n_workers, scheduler=scheduler)
    n_done = 0
    clock.start()
    with (_stopping(clock, lambda: (n_done, engine.n_workers)), engine,
          tqdm(total=catalogue.n_rows, initial=n_skipped, unit='galaxy',
               disable=not progress, smoothing=0.05) as bar):
        parts = catalogue.lsdb.partitions[
            [HealpixPixel(*pixel) for pixel in missing]]
        delayed = parts.map_partitions(
            measure_partition, engine.key, include_pixel=True,
            meta=pd.DataFrame({'n_rows': pd.Series(dtype='int64')}),
        ).to_delayed()
        for found in engine.compute(delayed):
            bar.update(int(found['n_rows'].sum()))
            n_done += int(found['n_rows'].sum())
    return n_skipped


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


def measure_partition(frame, pixel, key):
    """
    Measure a partition and write its file.

    Parameters
    ----------
    frame : `nested_pandas.NestedFrame`
        The rows.

    pixel : `hats.pixel_math.HealpixPixel`
        The partition.

    key : str
        The key of the job in this process.

    Returns
    -------
    frame : `pandas.DataFrame`
        The number of galaxies.
    """
    import pandas as pd

    n_rows = len(frame)
    if n_rows:
        job = get_job(key)
        path = pixel_path(job.out, pixel.order, pixel.pixel)
        if not path.is_file():
            with stop_if_full(job.out):
                _measure_partition(frame, (pixel.order, pixel.pixel), path,
                                   key)
    return pd.DataFrame({'n_rows': [n_rows]})


def _measure_partition(frame, pixel, path, key):
    import pyarrow.parquet as pq

    pa = import_pyarrow()
    job = get_job(key)
    rows = pa.Table.from_pandas(frame.reset_index(), preserve_index=False)
    # units, and the types of the files, are lost in pandas
    rows = pa.Table.from_arrays(
        [rows[field.name].cast(field.type) for field in job.schema],
        schema=job.schema)
    # the parts of a large partition are kept, as the files of a survey are
    folder = job.out / '.parts' / f'{pixel[0]}-{pixel[1]}'
    make_folder(folder)
    for k, start in enumerate(range(0, rows.num_rows, job.chunk_size)):
        part = part_path(folder, k)
        if not part.is_file() or not is_complete(part):
            run_part(key, rows.slice(start, job.chunk_size),
                     job.starts[pixel] + start, part)
    make_folder(path.parent)
    tables = [pq.read_table(as_source(part), partitioning=None)
              for part in part_files(folder)]
    write_part(join_results(tables), path, job.identity)
    remove_tree(folder)


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
