# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of surveys on clusters whose workers come and go.
"""

import os
import signal
import threading
import time

import numpy as np
import pytest
from astropy.table import Table

from astro_pix2prof import (
    ProfileBatch,
    load_example_truth,
    read_survey,
    run_survey,
)
from astro_pix2prof.survey.engine import Engine

pytest.importorskip('pyarrow')
distributed = pytest.importorskip('distributed')

N = 60


def make_fitter(seconds):
    """
    A fitter that takes its time, and notes in which process.
    """
    class Slow:
        def __call__(self, image):
            raise NotImplementedError

        def fit_many(self, images, *, workers=0):
            n = len(list(images))
            time.sleep(n * seconds)
            profile = load_example_truth()
            profile.meta['band'] = str(os.getpid())
            yield ProfileBatch.from_profiles([profile] * n)

    return Slow()


# (one at a time: two clusters of one process share a port)
@pytest.fixture(name='cluster', scope='class')
def make_cluster():
    """
    A cluster of one worker.
    """
    with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None,
            host='127.0.0.1') as cluster:
        yield cluster


def run(cluster, out, *, seconds=0.0, images=None, n=N, **options):
    return run_survey(
        Table({'id': np.arange(n)}), out, fitter=make_fitter(seconds),
        images=images or (lambda row: str(row['id'])), chunk_size=1,
        scheduler=cluster.scheduler_address, **options)


def processes(out):
    return set(read_survey(out).galaxies(['band'])['band'])


@pytest.mark.slow
class TestCluster:
    def test_late_workers(self, cluster, tmp_path):
        """
        A worker that joins in the middle is used.
        """
        out = tmp_path / 'out'

        def join():
            while not (out / 'part-000002.parquet').is_file():
                time.sleep(0.05)
            cluster.scale(2)

        thread = threading.Thread(target=join)
        thread.start()
        # (as long as it takes a worker to start)
        seconds = 0.1
        result = run(cluster, out, seconds=seconds, n=400)
        thread.join()
        assert result.n_failed == 0
        assert len(processes(out)) == 2
        assert read_survey(out).times['n_workers'] == 2

    def test_workers_that_leave(self, cluster, tmp_path):
        """
        A worker that is gone has its part done again, by another one.
        """
        cluster.scale(2)
        cluster.wait_for_workers(2)
        out = tmp_path / 'out'

        def leave():
            while not (out / 'part-000002.parquet').is_file():
                time.sleep(0.05)
            cluster.scale(1)

        thread = threading.Thread(target=leave)
        thread.start()
        assert run(cluster, out, seconds=0.1).n_failed == 0
        thread.join()
        assert list(read_survey(out).galaxies()['index']) == list(range(N))
        assert not list(out.glob('.part*'))

    @pytest.mark.skipif(os.name != 'posix', reason='needs signals')
    def test_image_that_kills(self, cluster, tmp_path):
        """
        One process ends, once; the galaxy has failed, and no other.
        """
        def images(row):
            if row['id'] in (3, 11):
                os.kill(os.getpid(), signal.SIGKILL)
            return str(row['id'])

        result = run(cluster, tmp_path / 'out', images=images, n=20)
        assert result.n_failed == 2
        failures = read_survey(tmp_path / 'out').failures
        assert list(failures['index']) == [3, 11]
        assert all('SIGKILL' in text for text in failures['message'])


@pytest.mark.slow
def test_several_threads(tmp_path):
    """
    Each thread of a worker measures in a process of its own.
    """
    with distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address=None,
            host='127.0.0.1') as cluster:
        run(cluster, tmp_path / 'out', seconds=0.2, n=100)
        found = processes(tmp_path / 'out')
        workers = {str(info['pid']) if 'pid' in info else ''
                   for info in cluster.scheduler_info['workers'].values()}
    assert len(found) == 2
    assert not found & workers


class FakeFuture:
    """
    A future whose task is done when it is asked for.
    """

    def __init__(self, key, outcome):
        self.key, self._outcome = key, outcome

    def add_done_callback(self, callback):
        self._callback = callback

    def result(self):
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class FakeClient:
    """
    A cluster whose number of workers changes; it does one task at a time.
    """

    def __init__(self, outcome=None):
        self.n_workers, self.waiting, self.most = 1, [], []
        self.outcome = outcome or (lambda k, attempt: k)
        self.attempts = {}

    def nthreads(self):
        if self.n_workers < 0:
            msg = 'the scheduler is gone'
            raise OSError(msg)
        return dict.fromkeys(range(self.n_workers), 1)

    def submit(self, function, job, k, *, key, pure):
        self.attempts[k] = self.attempts.get(k, 0) + 1
        self.waiting.append(FakeFuture(key, self.outcome(
            k, self.attempts[k])))
        return self.waiting[-1]

    def step(self):
        self.most.append(len(self.waiting))
        if self.waiting:
            future = self.waiting.pop(0)
            future._callback(future)


@pytest.fixture(name='engine')
def make_engine(monkeypatch):
    """
    An engine on a cluster that is none; it is counted all the time.
    """
    monkeypatch.setattr('astro_pix2prof.survey.engine._COUNT', 0.001)

    def make(**options):
        engine = Engine(None, n_workers=2)
        engine.client, engine.n_workers = FakeClient(**options), None
        done = threading.Event()

        def work():
            while not done.wait(0.002):
                engine.client.step()

        thread = threading.Thread(target=work)
        thread.start()
        stops.append((done, thread))
        return engine

    stops = []
    yield make
    for done, thread in stops:
        done.set()
        thread.join()


class TestFakeCluster:
    def test_parts_on_their_way(self, engine):
        """
        Their number follows that of the workers, up and down.
        """
        engine = engine()
        client, found = engine.client, []
        for k in engine.map(None, ((k,) for k in range(200))):
            found.append(k)
            client.n_workers = {20: 6, 100: 0, 150: -1}.get(
                len(found), client.n_workers)
        assert sorted(found) == list(range(200))
        assert max(client.most[:10]) <= 4
        assert 20 <= max(client.most) <= 24
        assert engine.n_workers == 6

    def test_nothing_is_ready(self, engine):
        """
        Workers that join while nothing is ready get parts at once.
        """
        engine = engine()
        client = engine.client
        step, client.step = client.step, lambda: None
        limit = time.monotonic() + 60

        def join():
            while len(client.waiting) < 4 and time.monotonic() < limit:
                time.sleep(0.01)
            client.n_workers = 3
            while len(client.waiting) < 12 and time.monotonic() < limit:
                time.sleep(0.01)
            client.step = step

        thread = threading.Thread(target=join)
        thread.start()
        assert len(list(engine.map(None, ((k,) for k in range(30))))) == 30
        thread.join()
        assert max(client.most) >= 12

    def test_deaths(self, engine):
        """
        A part is tried again if its process died, and not for ever.
        """
        killed = distributed.KilledWorker('key', 'worker', 1)
        engine = engine(outcome=lambda k, attempt: killed if (
            k == 3 and attempt < 3) or k == 5 else k)
        found = []
        with pytest.raises(RuntimeError, match=r'1 part.* because of Process'
                                               'DiedError: the process that'):
            found.extend(engine.map(None, ((k,) for k in range(8))))
        assert sorted(found) == [0, 1, 2, 3, 4, 6, 7]
        assert engine.client.attempts[3] == 3
        assert engine.client.attempts[5] == 4

    def test_errors(self, engine):
        engine = engine(outcome=lambda k, attempt: ValueError('no') if k % 2
                        else k)
        with pytest.raises(RuntimeError, match=r'5 part.* because of ValueErr'
                                               'or: no'):
            list(engine.map(None, ((k,) for k in range(100))))
