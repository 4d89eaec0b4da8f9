# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The processes of a survey: this one, several on this machine, or a cluster.
"""

import os
import uuid
from contextlib import contextmanager
from itertools import islice

from astro_pix2prof.profile_batch import import_pyarrow
from astro_pix2prof.survey_output import part_path, write_parquet

__all__ = ['Engine', 'get_job', 'import_dask', 'measure_part', 'pack_rows',
           'run_job', 'unpack_rows']

# Parts on their way for each process: none waits, and few rows are held.
_AHEAD = 4

# How many parts may fail as a whole (a full disk, processes that die again
# and again) before the survey gives up.
_MAX_BROKEN = 5

# Environment of the processes: one thread each, and no chatter.
_ENVIRONMENT = {'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1',
                'OPENBLAS_NUM_THREADS': '1',
                'DASK_LOGGING__DISTRIBUTED': 'critical',
                # they may have processes of their own, which read
                'DASK_DISTRIBUTED__WORKER__DAEMON': 'False',
                # Dask has the C library give back all memory above 64 kB at
                # once; to get it again costs as much as to use it
                'MALLOC_TRIM_THRESHOLD_': str(2**28),
                'MALLOC_MMAP_THRESHOLD_': str(2**25),
                'MALLOC_ARENA_MAX': '1'}

# The jobs that this process knows, by their key.
_JOBS = {}


class Engine:
    """
    Measures parts of a catalogue in processes.

    Parameters
    ----------
    job : `~astro_pix2prof.survey_job.SurveyJob`
        What to do. It is sent to each process once.

    n_workers : int, optional
        The number of processes; with 1, it is this one. By default one for
        each GPU, or for each core that may be used.

    scheduler : str, optional
        The address of a Dask scheduler, whose workers are used instead.

    Raises
    ------
    ValueError
        If the number is not positive.

    ImportError
        If Dask is needed and not installed.

    Notes
    -----
    Use it in a ``with`` statement.
    """

    def __init__(self, job, *, n_workers=None, scheduler=None):
        if n_workers is not None and (isinstance(n_workers, bool) or not
                                      isinstance(n_workers, int)
                                      or n_workers < 1):
            msg = f'n_workers must be a positive integer, got {n_workers!r}'
            raise ValueError(msg)
        if scheduler is None and n_workers is None:
            n_workers = default_workers()
        self.job, self.n_workers = job, n_workers
        self.scheduler = scheduler
        self.key = f'astro_pix2prof-{uuid.uuid4().hex[:12]}'
        self.client = None
        if scheduler is not None or n_workers > 1:
            import_dask()

    def __enter__(self):
        _JOBS[self.key] = self.job
        if self.scheduler is None and self.n_workers == 1:
            return self
        self._stack = _connect(self.n_workers, self.scheduler)
        self.client = self._stack.__enter__()
        try:
            self.client.register_plugin(_make_plugin(self.key, self.job))
            if self.n_workers is None:
                self.n_workers = max(1, sum(self.client.nthreads().values()))
        except BaseException:
            self._stack.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        _JOBS.pop(self.key, None)
        if self.client is None:
            return
        try:
            if self.scheduler is not None:
                self.client.unregister_worker_plugin(self.key)
        finally:
            self._stack.__exit__(None, None, None)

    def map(self, function, tasks):
        """
        Call a function for tasks, few of them at a time.

        Parameters
        ----------
        function : callable
            ``function(key, *task)``, with the key of the job.

        tasks : iterable of tuple
            The arguments.

        Yields
        ------
        result : object
            The results, in the order in which they are ready.

        Raises
        ------
        RuntimeError
            At the end, if some tasks failed.
        """
        return self._checked(self._here(function, tasks)
                             if self.client is None
                             else self._there(function, tasks))

    def compute(self, delayed):
        """
        Compute delayed objects of Dask.

        Parameters
        ----------
        delayed : list of `dask.delayed.Delayed`
            The objects.

        Yields
        ------
        result : object
            The results, in the order in which they are ready.

        Raises
        ------
        RuntimeError
            At the end, if some failed.
        """
        if self.client is None:
            return self._checked(self._here(
                lambda _, item: item.compute(scheduler='synchronous'),
                ((item,) for item in delayed)))
        from distributed import as_completed

        return self._checked(map(_outcome, as_completed(
            self.client.compute(delayed), loop=self.client.loop)))

    def _checked(self, results):
        broken = []
        for result, error in results:
            if error is None:
                yield result
                continue
            broken.append(error)
            if len(broken) >= _MAX_BROKEN:
                break
        if broken:
            first = broken[0]
            msg = (f'{len(broken)} part(s) of the catalogue could not be '
                   f'done, the first because of {type(first).__name__}: '
                   f'{first}. What is done is kept: call again to go on')
            raise RuntimeError(msg) from first

    def _here(self, function, tasks):
        for task in tasks:
            try:
                found = function(self.key, *task), None
            except Exception as error:
                found = None, error
            yield found

    def _there(self, function, tasks):
        from distributed import as_completed

        tasks = iter(tasks)

        def submit(task):
            # (dask would read the arguments to find out whether it has seen
            # them)
            return self.client.submit(
                function, self.key, *task, pure=False,
                key=f'{self.key}-{uuid.uuid4().hex}')

        first = [submit(task) for task in islice(
            tasks, _AHEAD * self.n_workers)]
        if not first:
            return
        pending = as_completed(first, loop=self.client.loop)
        del first   # (futures that are held keep their results)
        for future in pending:
            yield _outcome(future)
            del future
            for task in islice(tasks, 1):
                pending.add(submit(task))


def _outcome(future):
    """
    The result and the exception of a future, one of them `None`.
    """
    try:
        return future.result(), None
    except Exception as error:
        return None, error


def import_dask():
    """
    The module `distributed`, or an error that says how to get it.
    """
    try:
        import distributed
    except ImportError as error:
        msg = ('several processes need Dask: pip install '
               "'astro_pix2prof[survey]', or n_workers=1")
        raise ImportError(msg) from error
    return distributed


def default_workers():
    """
    The number of GPUs, or of the cores that this process may use.
    """
    import sys

    torch = sys.modules.get('torch')
    n_gpus = 0 if torch is None else torch.cuda.device_count()
    if n_gpus:
        return n_gpus
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _connect(n_workers, scheduler):
    """
    A client of a cluster, or of processes on this machine.
    """
    distributed = import_dask()
    if scheduler is not None:
        # (not as the default of the user's other work with Dask)
        with distributed.Client(scheduler, set_as_default=False) as client:
            yield client
        return
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        with (_make_cluster(n_workers) as cluster,
              distributed.Client(cluster, set_as_default=False) as client):
            client.wait_for_workers(n_workers, timeout=120)
            yield client
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _make_cluster(n_workers):
    """
    Processes on this machine that end with this one.
    """
    import logging

    distributed = import_dask()
    options = {'nthreads': 1, 'memory_limit': 0, 'dashboard_address': None}
    if os.name == 'nt':
        return distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=1, memory_limit=0,
            dashboard_address=None, silence_logs=logging.CRITICAL)
    # Processes that start from the command line do not import the user's
    # script, which may lack `if __name__ == '__main__':`.
    from distributed.deploy.subprocess import SubprocessWorker

    return distributed.SpecCluster(
        scheduler={'cls': distributed.Scheduler, 'options': {
            'host': '127.0.0.1', 'dashboard_address': None}},
        workers={k: {'cls': SubprocessWorker, 'options': {
            'worker_kwargs': {**options, 'name': k}}}
            for k in range(n_workers)},
        silence_logs=logging.CRITICAL)


def _make_plugin(key, job):
    """
    A plug-in that gives the job to each worker, also to later ones.
    """
    from distributed import WorkerPlugin

    class JobPlugin(WorkerPlugin):
        name = key

        def setup(self, worker):
            from astro_pix2prof.survey_engine import _JOBS

            _JOBS[key] = job

        def teardown(self, worker):
            from astro_pix2prof.survey_engine import _JOBS

            _JOBS.pop(key, None)

    return JobPlugin()


def get_job(key):
    """
    The job that this process knows by a key.
    """
    return _JOBS[key]


def run_job(key, rows, start):
    """
    Do the job for some rows in this process.

    Parameters
    ----------
    key : str
        The key of the job.

    rows : `pyarrow.Table`
        Rows of the catalogue.

    start : int
        The number of the first.

    Returns
    -------
    table : `pyarrow.Table`
        See `~astro_pix2prof.survey_job.SurveyJob`.
    """
    return _JOBS[key](rows, start, number=_worker_number())


def measure_part(key, folder, number, start, rows):
    """
    Measure a part of the catalogue and write its file.

    Parameters
    ----------
    key : str
        The key of the job.

    folder : str
        The folder of the survey.

    number, start : int
        The numbers of the part, and of its first galaxy.

    rows : bytes
        The rows, as `pack_rows` packs them.

    Returns
    -------
    n_rows : int
        The number of galaxies.
    """
    table = unpack_rows(rows)
    path = part_path(folder, number)
    # (it is there if the process died just after it wrote it)
    if not path.is_file():
        write_parquet(run_job(key, table, start), path)
    return table.num_rows


def _worker_number():
    """
    The number of this process on its machine, 0 if it has none.
    """
    try:
        from distributed import get_worker

        name = get_worker().name
    except (ImportError, ValueError):
        return 0
    return name if isinstance(name, int) else 0


def pack_rows(table):
    """
    The bytes of an Arrow table, those of a slice only.
    """
    pa = import_pyarrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def unpack_rows(data):
    """
    The Arrow table that was packed.
    """
    pa = import_pyarrow()
    return pa.ipc.open_stream(data).read_all()
