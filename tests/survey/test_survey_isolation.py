# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of images that end their process.
"""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from astropy.table import Table

from astro_pix2prof import (
    ProfileBatch,
    load_example_truth,
    read_survey,
    run_survey,
)
from astro_pix2prof.survey.arrow import pack_rows
from astro_pix2prof.survey.engine import measure_part
from astro_pix2prof.survey.isolation import (
    ChildProcess,
    ProcessDiedError,
    begin_part,
    find_marks,
    mark_path,
    measure_apart,
)

pa = pytest.importorskip('pyarrow')

pytestmark = pytest.mark.skipif(os.name != 'posix', reason='needs signals')

N = 12


def make_fitter():
    """
    A fitter that measures nothing; it goes to other processes as it is.
    """
    class Stub:
        def __call__(self, image):
            raise NotImplementedError

        def fit_many(self, images, *, workers=0):
            profile = load_example_truth()
            yield ProfileBatch.from_profiles([profile for _ in images])

    return Stub()


def make_images(*killers, error=False):
    """
    Images by name; with some, the process is killed, or they are none.
    """
    def images(row):
        if row['id'] in killers and error:
            msg = 'no image'
            raise ValueError(msg)
        if row['id'] in killers:
            os.kill(os.getpid(), signal.SIGKILL)
        return f'{row["id"]}.fits'

    return images


def run(out, images, **options):
    return run_survey(Table({'id': np.arange(N)}), out, images=images,
                      fitter=make_fitter(), chunk_size=6,
                      **{'n_workers': 1, **options})


class FakeChild:
    """
    Measures rows of one column, and dies as it is told to.
    """

    def __init__(self, dies):
        self.dies, self.asked = dies, []

    def measure(self, rows, start, *, errors=None, strict=False):
        ids = [value for k, value in enumerate(rows['id'].to_pylist())
               if k not in (errors or {})]
        self.asked.append(ids)
        if self.dies(ids):
            msg = f'died with {ids}'
            raise ProcessDiedError(msg)
        assert start == 100 + rows['id'][0].as_py()
        return rows.append_column('bad', pa.array(
            [k in (errors or {}) for k in range(rows.num_rows)]))


class TestMeasureApart:
    def measure(self, dies, n=10):
        child = FakeChild(dies)
        table = measure_apart(child, pa.table({'id': list(range(n))}), 100)
        assert table['id'].to_pylist() == list(range(n))
        bad = table.filter(table['bad'])['id'].to_pylist()
        return child, bad

    def test_no_death(self):
        child, bad = self.measure(lambda ids: False)
        assert (bad, len(child.asked)) == ([], 1)

    @pytest.mark.parametrize('killers', [{0}, {9}, {4, 5}, {0, 3, 9}])
    def test_killers(self, killers):
        """
        They fail, and the others are measured together in the end.
        """
        child, bad = self.measure(lambda ids: killers & set(ids))
        assert bad == sorted(killers)
        assert child.asked[-1] == [k for k in range(10) if k not in killers]
        # halving, not one by one
        assert len(child.asked) <= 3 + 9 * len(killers)

    def test_too_many_for_the_memory(self):
        """
        Nobody is to blame if pieces can be measured.
        """
        _, bad = self.measure(lambda ids: len(ids) > 3)
        assert bad == []
        _, bad = self.measure(lambda ids: len(ids) > 3 or 7 in ids)
        assert bad == [7]

    def test_bad_luck(self):
        """
        A galaxy that can be measured when it is tried again has not failed.
        """
        deaths = []

        def dies(ids):
            deaths.append(ids)
            return 2 in ids and deaths.count([2]) < 2

        _, bad = self.measure(dies)
        assert bad == []

    def test_all(self):
        with pytest.raises(RuntimeError, match='the first 8 galaxies all'):
            self.measure(lambda ids: ids, n=30)
        _, bad = self.measure(lambda ids: ids, n=3)
        assert bad == [0, 1, 2]


class TestChildProcess:
    class Job:
        def prepare(self, number):
            pass

    def test_exceptions(self):
        class Broken(self.Job):
            def prepare(self, number):
                os._exit(3)

        class Raises(self.Job):
            def prepare(self, number):
                msg = 'no weights'
                raise ValueError(msg)

            def __call__(self, rows, start, **_):
                raise NotImplementedError

        rows = pa.table({'id': [1]})
        child = ChildProcess(Broken())
        with pytest.raises(RuntimeError, match='cannot be started: it ended '
                                               'with the status 3'):
            child.measure(rows, 0)
        child = ChildProcess(Raises())
        with pytest.raises(ValueError, match='no weights'):
            child.measure(rows, 0)
        child.close()

    def test_deaths(self):
        """
        The reason is told, errors come through, and it goes on.
        """
        class Job(self.Job):
            def __call__(self, rows, start, **_):
                sys.stdout.write('this is not an answer')
                sys.stdout.flush()
                if start == 1:
                    os.kill(os.getpid(), signal.SIGSEGV)
                if start == 2:
                    os._exit(7)
                if start == 3:
                    class LocalError(Exception):
                        pass

                    msg = 'cannot be pickled'
                    raise LocalError(msg)
                return rows

        rows = pa.table({'id': list(range(50_000))})
        child = ChildProcess(Job())
        try:
            assert child.measure(rows, 0).equals(rows)
            with pytest.raises(ProcessDiedError, match='was killed by SIGSEGV'
                                                       ': a fault in a lib'):
                child.measure(rows, 1)
            with pytest.raises(ProcessDiedError, match='the process that mea'
                                                       'sured it ended with '
                                                       'the status 7'):
                child.measure(rows, 2)
            with pytest.raises(RuntimeError, match='LocalError: cannot be p'):
                child.measure(rows, 3)
            assert child.measure(rows, 4).equals(rows)
        finally:
            child.close()

    def test_cloudpickle(self, monkeypatch):
        monkeypatch.setitem(sys.modules, 'cloudpickle', None)
        job = self.Job()
        job.function = lambda: 1
        with pytest.raises(ImportError, match='needs cloudpickle: install'):
            ChildProcess(job).measure(pa.table({'id': [1]}), 0)


def test_begin_part(tmp_path):
    """
    A mark stays where a process ends, and where it was in the beginning.
    """
    path = tmp_path / 'part-000000.parquet'
    with begin_part(path) as died:
        assert not died
        assert find_marks(tmp_path) == [mark_path(path)]
    assert find_marks(tmp_path) == []

    def fail():
        with begin_part(path):
            raise OSError

    with pytest.raises(OSError, match=r'^$'):
        fail()
    assert find_marks(tmp_path) == []
    mark_path(path).write_text('of a process that is gone')
    with pytest.raises(OSError, match=r'^$'):
        fail()
    with begin_part(path) as died:
        assert died
    assert find_marks(tmp_path) == []


def test_image_that_kills(tmp_path):
    """
    It has failed; all else is as if it could not be read.
    """
    # (a mark tells that a process ended with the second part)
    out = tmp_path / 'out'
    run(out, make_images())
    part = out / 'part-000001.parquet'
    part.unlink()
    mark_path(part).touch()
    result = run(out, make_images(6, 9))
    assert (result.n_done, result.n_failed) == (6, 2)
    survey = read_survey(out)
    assert survey.complete
    assert list(survey.failures['index']) == [6, 9]
    assert list(survey.failures['message']) == 2 * [
        'ProcessDiedError: the process that measured it was killed by '
        'SIGKILL: out of memory?']
    assert find_marks(out) == []
    run(tmp_path / 'errors', make_images(6, 9, error=True))
    columns = [name for name in survey.galaxies().colnames
               if name not in ('message', 'source')]
    for name in columns:
        np.testing.assert_array_equal(
            *(read_survey(folder).galaxies([name])[name]
              for folder in (out, tmp_path / 'errors')))
    assert survey[:].offsets.tolist() == read_survey(
        tmp_path / 'errors')[:].offsets.tolist()
    # undisturbed, a child writes the same bytes
    run(tmp_path / 'one', make_images())
    run(tmp_path / 'other', make_images(), isolate=True)
    for name in ('part-000000.parquet', 'part-000001.parquet'):
        assert (tmp_path / 'one' / name).read_bytes() == (
            tmp_path / 'other' / name).read_bytes()


def test_mark_of_a_part_that_was_written(tmp_path):
    """
    The process ended between the two: the part stays, and the mark goes.
    """
    out = tmp_path / 'out'
    run(out, make_images())
    path = out / 'part-000001.parquet'
    before = path.read_bytes()
    mark_path(path).touch()
    rows = pack_rows(pa.table({'id': np.arange(6, 12)}))
    assert measure_part('no job', out, 1, 6, rows) == (6, 0)
    assert find_marks(out) == []
    assert path.read_bytes() == before


SCRIPT = textwrap.dedent('''
    import sys
    sys.path.insert(0, {folder!r})
    from test_survey_isolation import make_images, run

    if __name__ == '__main__':
        result = run(sys.argv[1], make_images(1, 8),
                     n_workers=int(sys.argv[2]))
        print(result.n_failed)
''')


@pytest.mark.slow
@pytest.mark.parametrize('n_workers', [1, 2])
def test_real_killers(tmp_path, n_workers):
    """
    One process dies once, and the same call goes on; of several, all live.
    """
    if n_workers > 1:
        pytest.importorskip('distributed')
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT.format(folder=os.path.dirname(__file__)))
    command = [sys.executable, script, tmp_path / 'out', str(n_workers)]
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=900)
    if n_workers == 1:
        assert done.returncode == -signal.SIGKILL
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=900)
    assert done.stdout.strip() == '2', done.stderr
    assert list(read_survey(tmp_path / 'out').failures['index']) == [1, 8]
