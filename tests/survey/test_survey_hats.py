# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the parts of the partitions of a HATS catalogue.
"""

import numpy as np
import pytest
from astropy.table import Table

from astro_pix2prof import GalaxyCutout, read_survey, run_survey
from astro_pix2prof.profile.build import build_batch
from astro_pix2prof.profile.rings import MeasuredRings
from astro_pix2prof.survey import hats
from astro_pix2prof.survey.files import part_files

lsdb = pytest.importorskip('lsdb')
pq = pytest.importorskip('pyarrow.parquet')
pytestmark = pytest.mark.filterwarnings('ignore:The inplace keyword')

N, CHUNK = 11, 3
SMA = np.array([0.0, 1.0, 2.0, 4.0, 8.0])


class Stub:
    """
    A fitter whose profiles are as bright as the number in the name says.
    """

    def __call__(self, image):
        raise NotImplementedError

    def fit_many(self, images, *, workers=0, **options):
        cutout = GalaxyCutout(np.random.default_rng(1).normal(size=(40, 40)),
                              zeropoint=22.5, pixel_scale=0.4)
        rings = []
        for image, _ in images:
            value = (1 + int(image[-7:-5])) * np.exp(-SMA / 5)
            rings.append(MeasuredRings(
                cutout=cutout, sma=SMA, intensity=value,
                intensity_err=0.02 * value, eps=np.full(5, 0.2),
                theta=np.full(5, 0.3), n_valid=np.ones(5),
                flag=np.zeros(5, dtype=int), galaxy_flag=0,
                centre=(20.0, 19.0), noise=1.0))
        yield build_batch(rings)


@pytest.fixture(name='catalogue', scope='module')
def fixture_catalogue(tmp_path_factory):
    """
    A catalogue of one large and one small partition, with groups of rows.
    """
    folder = tmp_path_factory.mktemp('hats')
    names = [f'{folder}/g{k:02d}.fits' for k in range(N)]
    for name in names:
        with open(name, 'w') as file:
            file.write(name)
    ra = np.where(np.arange(N) == 4, 200.0, 10.0 + 0.01 * np.arange(N))
    frame = Table({'id': np.arange(N), 'path': names, 'ra': ra,
                   'dec': np.zeros(N), 'wide': np.arange(N) * 1.5,
                   'more': np.arange(N) % 3}).to_pandas()
    lsdb.from_dataframe(
        frame, ra_column='ra', dec_column='dec', catalog_name='galaxies',
        lowest_order=0, highest_order=0, margin_threshold=None,
    ).write_catalog(folder / 'cat', progress_bar=False)
    files = sorted((folder / 'cat').rglob('Npix*.parquet'))
    assert sorted(pq.read_metadata(path).num_rows for path in files) == [
        1, N - 1]
    for path in files:
        pq.write_table(pq.read_table(path, partitioning=None), path,
                       row_group_size=2)
    return folder / 'cat'


def run(catalogue, out, **options):
    return run_survey(catalogue, out, images='path', fitter=Stub(), **{
        'n_workers': 1, 'chunk_size': CHUNK, 'columns': ['id'], **options})


def contents(out):
    return {path.relative_to(out): path.read_bytes()
            for path in part_files(out)}


def test_one_partition_for_all_processes(catalogue, tmp_path, monkeypatch):
    """
    Each part of a partition is a task of its own.
    """
    tasks = []
    measure = hats.measure_part

    def note(key, folder, number, start, rows):
        tasks.append((folder.name, number, start))
        return measure(key, folder, number, start, rows)

    monkeypatch.setattr(hats, 'measure_part', note)
    result = run(catalogue, tmp_path / 'out')
    assert (result.n_done, result.n_failed) == (N, 0)
    large = max({name for name, *_ in tasks}, key=[
        name for name, *_ in tasks].count)
    assert [number for name, number, _ in tasks if name == large] == [
        0, 1, 2, 3]
    starts = [start for name, _, start in tasks if name == large]
    assert list(np.diff(starts)) == [CHUNK] * 3
    survey = read_survey(tmp_path / 'out')
    assert survey.complete
    galaxies = survey.galaxies()
    assert list(galaxies['index']) == list(range(N))
    assert sorted(galaxies['id']) == list(range(N))
    # (rows and images belong together)
    for k, number in enumerate(galaxies['id']):
        assert survey[k]['intensity'].value[0] == pytest.approx(
            (1 + number) / 0.4**2)
    assert not (tmp_path / 'out' / '.parts').exists()
    assert len(lsdb.open_catalog(tmp_path / 'out')) == N


def test_needed_columns(catalogue, tmp_path, monkeypatch):
    """
    Other columns, and groups of rows that are done, are not read.
    """
    out, read = tmp_path / 'out', []
    batches = pq.ParquetFile.iter_batches

    def note(file, **options):
        read.append((options['columns'], options['row_groups']))
        return batches(file, **options)

    monkeypatch.setattr(pq.ParquetFile, 'iter_batches', note)
    run(catalogue, out)
    assert len(read) == 2
    for columns, _ in read:
        assert set(columns) == {'id', 'path', 'ra', 'dec', '_healpix_29'}
    assert [max(len(groups) for _, groups in read)] == [-(-(N - 1) // 2)]


@pytest.mark.parametrize('damage', ['none', 'cut', 'foreign'])
def test_interrupted(catalogue, tmp_path, monkeypatch, damage):
    """
    Parts that are there are not measured again, unless they are damaged.
    """
    run(catalogue, tmp_path / 'quiet')
    out, done = tmp_path / 'out', []
    measure = hats.measure_part

    def stop(key, folder, number, *args):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append((folder, number))
        return measure(key, folder, number, *args)

    monkeypatch.setattr(hats, 'measure_part', stop)
    with pytest.raises(KeyboardInterrupt):
        run(catalogue, out)
    parts = sorted((out / '.parts').rglob('part-*.parquet'))
    assert parts
    expected = N - CHUNK * len(parts) - (1 if len(parts) < 3 else 0)
    if damage == 'cut':
        parts[0].write_bytes(parts[0].read_bytes()[:-50])
    elif damage == 'foreign':
        parts[0].write_bytes(parts[1].read_bytes())
    again = []
    monkeypatch.setattr(hats, 'measure_part', lambda key, folder, number,
                        *args: (again.append((folder, number)), measure(
                            key, folder, number, *args))[1])
    run(catalogue, out)
    assert contents(out) == contents(tmp_path / 'quiet')
    assert expected >= 0
    assert (damage != 'none') == bool(set(again) & set(done))


def test_joined_after_an_interruption(catalogue, tmp_path, monkeypatch):
    """
    A partition whose parts are all there is joined without measuring.
    """
    run(catalogue, tmp_path / 'quiet')
    out = tmp_path / 'out'

    def stop(plan, identity):
        if not plan.missing:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hats.PartitionPlan, 'finish', stop)
        with pytest.raises(KeyboardInterrupt):
            run(catalogue, out)
    asked = []
    measure = hats.measure_part
    monkeypatch.setattr(hats, 'measure_part', lambda key, folder, *args: (
        asked.append(folder.name), measure(key, folder, *args))[1])
    result = run(catalogue, out)
    assert contents(out) == contents(tmp_path / 'quiet')
    assert len(set(asked)) == 1
    assert result.n_done == N
