# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of parts that are damaged, of locks, shares, times and changed images.
"""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    ProfileBatch,
    collect_survey,
    load_example_truth,
    read_survey,
    run_survey,
)
from astro_pix2prof.survey import files, lock
from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.integrity import check_part, read_identity
from astro_pix2prof.survey.lock import hold_folder
from astro_pix2prof.survey.resume import check_share, share_of
from astro_pix2prof.survey.run import _run_hats
from astro_pix2prof.survey.stamps import changed_rows, pack_stamps
from astro_pix2prof.survey.times import RunClock, join_times, times_file

pa = pytest.importorskip('pyarrow')
pq = pytest.importorskip('pyarrow.parquet')

N = 11


class Stub:
    """
    A fitter that measures nothing.
    """

    def __call__(self, image):
        raise NotImplementedError

    def fit_many(self, images, *, workers=0, **options):
        profile = load_example_truth()
        yield ProfileBatch.from_profiles([
            ValueError('no') if '3' in str(image) else profile
            for image, _ in images])


@pytest.fixture(name='catalogue')
def make_catalogue(tmp_path):
    """
    A catalogue of images (no fitter looks into them).
    """
    names = [f'image{chr(97 + k)}.fits' for k in range(N)]
    for name in names:
        (tmp_path / name).write_text(name)
    path = tmp_path / 'cat.parquet'
    Table({'id': np.arange(N), 'path': names}).write(path)
    return path


def run(catalogue, out, **options):
    return run_survey(catalogue, out, fitter=Stub(), **{
        'n_workers': 1, 'chunk_size': 3, **options})


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob('*')
            if path.is_file() and path.name != '_times.json'}


def break_part(path, how, folder):
    data = path.read_bytes()
    if how == 'cut':
        path.write_bytes(data[:-100])
    elif how == 'empty':
        path.write_bytes(b'')
    elif how == 'flipped':
        # (within a page: headers of pages have no sums)
        metadata = pq.read_metadata(path)
        column = metadata.row_group(0).column(metadata.num_columns // 2)
        place = (column.dictionary_page_offset or column.data_page_offset
                 ) + column.total_compressed_size - 1
        path.write_bytes(data[:place] + bytes([data[place] ^ 1])
                         + data[place + 1:])
    elif how == 'another part':
        shutil.copy(folder / 'part-000001.parquet', path)
    elif how == 'plain':
        pq.write_table(pq.read_table(path, partitioning=None), path)
    else:
        shutil.copy(folder / 'foreign' / path.name, path)


class TestIntegrity:
    @pytest.mark.parametrize(('how', 'match', 'kept'), [
        ('cut', r'000.parquet is damaged \(', False),
        ('empty', r'000.parquet is damaged \(', False),
        ('flipped', r'000.parquet is damaged \(', False),
        ('another part', r'holds other galaxies \(kept as \.part', True),
        ('plain', '000.parquet belongs to another survey', True),
        ('foreign', '000.parquet belongs to another survey', True)])
    def test_done_again(self, catalogue, tmp_path, how, match, kept):
        out = tmp_path / 'out'
        run(catalogue, out)
        before = contents(out)
        if how == 'foreign':
            run(catalogue, out / 'foreign', zeropoint=25.0)
        part = out / 'part-000000.parquet'
        break_part(part, how, out)
        shutil.rmtree(out / 'foreign', ignore_errors=True)
        data = part.read_bytes()
        with pytest.warns(AstropyUserWarning, match=match):
            result = run(catalogue, out)
        assert (result.n_done, result.n_skipped) == (3, 8)
        # whole files are kept under another name
        aside = out / f'.{part.name}.other'
        assert aside.is_file() == kept
        if kept:
            assert aside.read_bytes() == data
            aside.unlink()
        assert contents(out) == before

    def test_every_page(self, catalogue, tmp_path):
        """
        A bit that flips anywhere in the pages is found.
        """
        run(catalogue, tmp_path / 'out')
        path = tmp_path / 'out' / 'part-000000.parquet'
        settings, stamps = read_identity(path)
        assert stamps
        assert check_part(path, settings, 0, 3) == (None, False)
        assert check_part(path, settings, 0, 2)[0] == 'holds other galaxies'
        metadata = pq.read_metadata(path)
        data = path.read_bytes()
        for k in range(0, metadata.num_columns, 7):
            column = metadata.row_group(0).column(k)
            # (the last byte of its last page)
            place = (column.dictionary_page_offset or column.data_page_offset
                     ) + column.total_compressed_size - 1
            path.write_bytes(data[:place] + bytes([data[place] ^ 64])
                             + data[place + 1:])
            assert check_part(path, settings, 0, 3)[0].startswith(
                'is damaged'), column.path_in_schema

    @pytest.mark.parametrize('text', [None, '', '{"half": '])
    def test_lost_settings(self, catalogue, tmp_path, text):
        """
        Each part knows what was asked for.
        """
        out = tmp_path / 'out'
        run(catalogue, out)
        before = contents(out)
        path = out / '_survey.json'
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
        survey = read_survey(out)
        assert survey.settings['n_rows'] == N
        assert survey.complete
        with pytest.raises(ValueError, match='holds another survey: chunk_s'):
            run(catalogue, out, chunk_size=4)
        result = run(catalogue, out)
        assert (result.n_done, result.n_skipped) == (0, N)
        assert contents(out) == before
        # it is known as a survey, too, where it is to be removed
        path.unlink()
        result = run(catalogue, out, chunk_size=4, overwrite=True)
        assert result.n_done == N


class TestChangedImages:
    def test_changed(self, catalogue, tmp_path, recwarn):
        out = tmp_path / 'out'
        run(catalogue, out)
        before = contents(out)
        (tmp_path / 'imageb.fits').write_text('another size')
        os.utime(tmp_path / 'imagek.fits', ns=(5, 10**18 + 5))
        with pytest.warns(AstropyUserWarning, match=(
                r'the images of 2 galaxies .* have changed since \(rows 1, 10 '
                r'of the catalogue\); their results are kept')):
            assert run(catalogue, out).n_done == 0
        assert contents(out) == before
        assert run(catalogue, out, changed='ignore').n_done == 0
        with pytest.warns(AstropyUserWarning, match='2 parts are measured ag'):
            assert run(catalogue, out, changed='redo').n_done == 5
        recwarn.clear()
        assert run(catalogue, out).n_done == 0
        assert not recwarn
        with pytest.raises(ValueError, match="changed must be 'warn', 'red"):
            run(catalogue, out, changed='no')

    def test_masks(self, catalogue, tmp_path):
        """
        What lies beside an image counts as well.
        """
        for name in list(tmp_path.glob('image*.fits')):
            (tmp_path / f'{name.stem}_mask.txt').write_text('mask')
        masks = f'{tmp_path}/{{name}}_mask.txt'
        out = tmp_path / 'out'
        run(catalogue, out, masks=masks)
        (tmp_path / 'imagec_mask.txt').write_text('another')
        with pytest.warns(AstropyUserWarning, match=r'of 1 galaxy .*row 2 '):
            run(catalogue, out, masks=masks)

    def test_stamps(self):
        stamps = np.array([[[5, 10**9 + 7]], [[6, 2 * 10**9]], [[-1, -1]]])
        before = pack_stamps(stamps)
        assert not changed_rows(before, stamps).any()
        # a copy may keep whole seconds; files may be gone, or come
        assert not changed_rows(before, np.array(
            [[[5, 10**9]], [[6, 2 * 10**9 + 5]], [[3, 3]]])).any()
        assert list(changed_rows(before, np.array(
            [[[5, 10**9 + 8]], [[7, 2 * 10**9]], [[-1, -1]]]))) == [
                True, True, False]
        assert changed_rows(before, np.zeros((3, 2, 2))).all()
        assert not changed_rows('', stamps).any()
        assert pack_stamps(np.zeros((3, 0, 2), dtype=int)) == ''


class TestLock:
    def owner(self, path, **changes):
        path.write_text(json.dumps({**lock._describe_owner(), **changes}))

    def test_two_runs(self, catalogue, tmp_path):
        out = tmp_path / 'out'
        out.mkdir()
        with hold_folder(out) as path:
            assert path.is_file()
            with pytest.raises(FileExistsError, match=(
                    rf'is in use by another run: process {os.getpid()}.* on '
                    r'.*, since 20.*remove .*/\.lock$')):
                run(catalogue, out)
        assert not list(out.iterdir())
        assert run(catalogue, out).n_done == N
        assert not list(out.glob('.lock*'))

    def test_stale(self, tmp_path):
        done = subprocess.Popen([sys.executable, '-c', ''])
        done.wait()
        path = tmp_path / '.lock'
        # the process is gone; another has its number; the machine was
        # started again; it was killed while it wrote
        machine = lock._machine().split(' ')
        for changes in ({'pid': done.pid}, {'process': 5},
                        {'machine': ' '.join([machine[0], 'x', 'y'])}):
            self.owner(path, **changes)
            with hold_folder(tmp_path):
                assert json.loads(path.read_text())['pid'] == os.getpid()
            assert not path.exists()
        assert list(tmp_path.iterdir()) == []

    def test_broken(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lock, '_WRITE', 0.1)
        (tmp_path / '.lock').write_text('{')
        with hold_folder(tmp_path):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_other_machine(self, tmp_path):
        """
        Of a run elsewhere, only the signs of life can be seen.
        """
        path = tmp_path / '.lock'
        self.owner(path, machine='far', host='far', user='')
        with (pytest.raises(FileExistsError, match=r'process \d+ on far'),
              hold_folder(tmp_path)):
            pass
        old = time.time() - 2 * lock._STALE
        os.utime(path, (old, old))
        with hold_folder(tmp_path):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_signs_of_life(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lock, '_BEAT', 0.05)
        with hold_folder(tmp_path) as path:
            os.utime(path, (5, 5))
            limit = time.monotonic() + 20
            while path.stat().st_mtime < 100:
                assert time.monotonic() < limit
                time.sleep(0.05)

    def test_faster(self, tmp_path):
        """
        A lock that somebody else has taken over by now is put back.
        """
        path = tmp_path / '.lock'
        self.owner(path, token='new')
        lock._remove(path, {'token': 'old'})
        assert json.loads(path.read_text())['token'] == 'new'
        lock._remove(path, {'token': 'new'})
        lock._remove(path, {'token': 'new'})
        assert list(tmp_path.iterdir()) == []

    def test_shares(self, tmp_path):
        with hold_folder(tmp_path, (1, 3)), hold_folder(tmp_path, (2, 3)):
            for other in (None, (1, 3), (2, 3), (1, 2)):
                with (pytest.raises(FileExistsError, match='in use by anoth'),
                      hold_folder(tmp_path, other)):
                    pass
        with (hold_folder(tmp_path),
              pytest.raises(FileExistsError, match='in use by another'),
              hold_folder(tmp_path, (1, 3))):
            pass
        assert list(tmp_path.iterdir()) == []


class TestShares:
    def test_check(self):
        assert check_share(None) is None
        assert check_share('3/8') == check_share((3, 8)) == (3, 8)
        for part in ('3', 'a/b', (1, 2, 3), 5):
            with pytest.raises(ValueError, match="part must be such as '3/8'"):
                check_share(part)
        with pytest.raises(ValueError, match='part=9/8: the number must be'):
            check_share('9/8')
        with pytest.raises(ValueError, match='part=0/8: the number must be'):
            check_share('0/8')
        with pytest.raises(ValueError, match='part=1/0: the number of share'):
            check_share('1/0')
        with pytest.raises(TypeError, match='part must be a'):
            check_share((1.0, 8))
        for n in (0, 1, 7, 8, 100):
            found = [k for i in range(8) for k in share_of((i + 1, 8), n)]
            assert found == list(range(n))

    def test_shares(self, catalogue, tmp_path):
        """
        In any order, with an interruption: the bytes of a single run.
        """
        run(catalogue, tmp_path / 'one')
        out = tmp_path / 'out'
        results = [run(catalogue, out, part=f'{k}/3') for k in (3, 1)]
        assert [result.n_rows for result in results] == [5, 3]
        with pytest.raises(RuntimeError, match=r'1 of 4 parts of .* missing, '
                                               'the first is part-000001'):
            collect_survey(out)
        assert not (out / '_failures.ecsv').exists()
        assert not read_survey(out).complete
        assert run(catalogue, out, part=(1, 3)).n_skipped == 3
        run(catalogue, out, part=(2, 3))
        # the last one has completed it
        assert (out / '_failures.ecsv').is_file()
        result = collect_survey(out)
        assert (result.n_rows, result.n_done, result.n_skipped) == (N, 0, N)
        assert contents(out) == contents(tmp_path / 'one')
        times = read_survey(out).times
        assert times['n_done'] == N
        assert len(times['runs']) == 3
        # more shares than parts
        assert run(catalogue, out, part='1/99').n_rows == 0

    def test_faults(self, catalogue, tmp_path):
        """
        Parts that are damaged or foreign are told from those that are missing.
        """
        out = tmp_path / 'out'
        run(catalogue, out)
        one, two, three, four = files.part_files(out)
        one.write_bytes(one.read_bytes()[:100])
        two.unlink()
        three.write_bytes(four.read_bytes())
        before = contents(out)
        match = (r'1 of 4 parts of .*/out is missing, the first is '
                 'part-000001.parquet; 2 of 4 parts of .*/out cannot be used: '
                 r'part-000000.parquet is damaged \(.*\), '
                 r'part-000002.parquet holds other galaxies\. Run the survey')
        for _ in range(2):
            with pytest.raises(RuntimeError, match=match):
                collect_survey(out)
            assert contents(out) == before
        with pytest.warns(AstropyUserWarning, match='2 parts are measured'):
            result = run(catalogue, out)
        assert result.n_done == 9
        assert result.n_measured + result.n_failed == N
        assert collect_survey(out).n_measured == result.n_measured

    def test_overwrite(self, catalogue, tmp_path):
        """
        A folder whose settings are lost for good can be begun anew.
        """
        out = tmp_path / 'out'
        out.mkdir()
        (out / '_survey.json').write_text('{')
        with pytest.raises(ValueError, match=r'_survey.json is not the file'):
            run(catalogue, out)
        assert run(catalogue, out, overwrite=True).n_done == N

    def test_failures(self, tmp_path):
        """
        Each share counts its own; the table has all.
        """
        table = Table({'id': [0, 3, 33, 5]})
        results = [run_survey(
            table, tmp_path / 'out', images=lambda row: str(row['id']),
            fitter=Stub(), chunk_size=1, n_workers=1, part=(k, 2))
            for k in (1, 2)]
        assert [result.n_failed for result in results] == [1, 1]
        assert list(read_survey(tmp_path / 'out').failures['index']) == [1, 2]
        assert collect_survey(tmp_path / 'out').n_failed == 2

    def test_exceptions(self, catalogue, tmp_path):
        with pytest.raises(ValueError, match='overwrite=True and part= do no'):
            run(catalogue, tmp_path / 'out', part='1/2', overwrite=True)
        with pytest.raises(FileNotFoundError, match='is not the folder of a'):
            collect_survey(tmp_path / 'none')
        with pytest.raises(ValueError, match='a HATS catalogue has no shares'):
            _run_hats(None, None, None, 1, part=(1, 2), carried=[],
                      settings={}, changed='warn')
        run(catalogue, tmp_path / 'out')
        (tmp_path / 'out' / 'dataset').mkdir()
        with pytest.raises(ValueError, match='is a survey of a HATS catal'):
            collect_survey(tmp_path / 'out')


def test_folders_of_parts(catalogue, tmp_path, monkeypatch):
    """
    Many parts lie in folders; all that reads them finds them.
    """
    run(catalogue, tmp_path / 'one', chunk_size=1)
    monkeypatch.setattr(files, '_FLAT', 4)
    out = tmp_path / 'out'
    run(catalogue, out, chunk_size=1)
    (out / 'parts-mine').mkdir()
    shutil.copy(out / 'parts-00000' / 'part-000000.parquet',
                out / 'parts-mine' / 'part-000099.parquet')
    survey = read_survey(out)
    assert len(survey.files) == N
    assert survey.files[10] == out / 'parts-00002' / 'part-000010.parquet'
    assert list(survey.galaxies()['index']) == list(range(N))
    for one, other in zip(read_survey(tmp_path / 'one').files, survey.files,
                          strict=True):
        assert one.read_bytes() == other.read_bytes()
    survey.files[5].unlink()
    assert run(catalogue, out, chunk_size=1).n_done == 1
    (out / 'parts-mine').rename(tmp_path / 'mine')
    run(catalogue, out, chunk_size=2, overwrite=True)
    assert len(read_survey(out).files) == 6


def test_catalogue_from_the_middle(catalogue, tmp_path):
    """
    Rows in front of those that are needed are not read.
    """
    table = Table.read(catalogue)
    folder = tmp_path / 'folder'
    folder.mkdir()
    for k, part in enumerate((table[:4], table[4:5], table[5:])):
        pq.write_table(pa.table({'id': np.asarray(part['id'])}),
                       folder / f'{k}.parquet', row_group_size=2)
    table['id',].write(tmp_path / 'cat.fits')
    for found in (table['id',], folder, tmp_path / 'cat.fits'):
        for size in (1, 2, 3, 20):
            for start in range(0, N // size + 1):
                rows = [row for part in open_catalogue(found).parts(
                    size, ['id'], start=start)
                    for row in part['id'].to_pylist()]
                assert rows == list(range(start * size, N))


class TestTimes:
    def test_killed(self, tmp_path):
        """
        What a killed run has done counts, with the time of its last file.
        """
        path = times_file(tmp_path)
        clock = RunClock(path, 0, None)
        clock.start()
        clock.stop(10, 4)
        clock = RunClock(path, 10, time.time())
        clock.start()
        begin = json.loads(path.read_text())['runs'][1]['begin']
        # (it is killed here, after 25 galaxies in 100 s)
        clock = RunClock(path, 35, begin + 100)
        found = json.loads(path.read_text())
        assert found['n_done'] == 35
        assert found['runs'][1] == {'begin': begin, 'n_done': 25,
                                    'seconds': 100.0}
        assert found['n_workers'] == 4
        clock.start()
        clock.stop(0, 1)
        assert json.loads(path.read_text())['n_done'] == 35
        # killed before it did anything
        clock.start()
        RunClock(path, 35, begin)
        assert len(json.loads(path.read_text())['runs']) == 2

    def test_earlier_versions(self, tmp_path):
        path = times_file(tmp_path)
        path.write_text('{"n_done": 5, "seconds": 2.5, "n_workers": 2}')
        clock = RunClock(path, 5, None)
        clock.start()
        clock.stop(3, 1)
        assert json.loads(path.read_text())['n_done'] == 8
        path.write_text('{')
        assert RunClock(path, 5, None)._runs == []

    def test_at_the_same_time(self, tmp_path):
        """
        No second counts twice.
        """
        for k, begin in enumerate((100.0, 104.0, 200.0)):
            times_file(tmp_path, (k + 1, 3)).write_text(json.dumps({'runs': [
                {'begin': begin, 'seconds': 10.0, 'n_done': 5,
                 'n_workers': 2}]}))
        join_times(tmp_path)
        found = json.loads(times_file(tmp_path).read_text())
        assert (found['n_done'], found['seconds']) == (15, 24.0)
        assert list(tmp_path.iterdir()) == [times_file(tmp_path)]

    def test_error(self, catalogue, tmp_path, monkeypatch):
        """
        A run that ends with an error has taken time, too.
        """
        write = pq.ParquetWriter

        def broken(path, *args, **options):
            if '000002' in path.name:
                msg = 'disk full'
                raise OSError(msg)
            return write(path, *args, **options)

        out = tmp_path / 'out'
        monkeypatch.setattr(pq, 'ParquetWriter', broken)
        with pytest.raises(RuntimeError, match='because of OSError: disk'):
            run(catalogue, out)
        assert read_survey(out).times['n_done'] == 8
        monkeypatch.setattr(pq, 'ParquetWriter', write)
        run(catalogue, out)
        assert read_survey(out).times['n_done'] == N
