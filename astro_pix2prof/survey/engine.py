# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The processes of a survey: this one, several on this machine, or a cluster.
"""

import uuid
from itertools import islice

from astro_pix2prof.arguments import check_integer, check_text
from astro_pix2prof.survey.arrow import join_results, pack_rows, unpack_rows
from astro_pix2prof.survey.cluster import (
    connect,
    default_workers,
    import_dask,
)
from astro_pix2prof.survey.files import part_path, write_parquet

__all__ = ['Engine', 'ProcessDiedError', 'get_job', 'measure_part',
           'rescue_part', 'run_job']


# Parts on their way for each process: none waits, and few rows are held.
_AHEAD = 4

# How many parts may fail as a whole (a full disk, processes that die again
# and again) before the survey gives up.
_MAX_BROKEN = 5

# The jobs that this process knows, by their key.
_JOBS = {}


class Engine:
    """
    Measures parts of a catalogue in processes.

    Parameters
    ----------
    job : `~astro_pix2prof.survey.job.SurveyJob`
        The job. It is sent to each process once.

    n_workers : int, optional
        The number of processes; with 1, it is this one. By default one for
        each GPU, or for each core that may be used.

    scheduler : str, optional
        The address of a Dask scheduler, whose workers are used instead.

    Raises
    ------
    TypeError, ValueError
        If the number is no positive integer.

    ImportError
        If Dask is needed and not installed.

    Notes
    -----
    Use it in a ``with`` statement.
    """

    def __init__(self, job, *, n_workers=None, scheduler=None):
        n_workers = check_integer(n_workers, 'n_workers', least=1,
                                  optional=True)
        check_text(scheduler, 'scheduler', optional=True)
        if scheduler is None and n_workers is None:
            n_workers = default_workers(use_gpus=job.fitter.uses_gpus)
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
        self._stack = connect(self.n_workers, self.scheduler)
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

    def map(self, function, tasks, *, rescue=None):
        """
        Call a function for tasks, few of them at a time.

        Parameters
        ----------
        function : callable
            ``function(key, *task)``, with the key of the job.

        tasks : iterable of tuple
            The arguments.

        rescue : callable, optional
            ``rescue(engine, *task)`` is called in this process, at the end,
            for tasks with which processes died; its result is yielded.

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
                             else self._there(function, tasks, rescue))

    def call(self, function, *args):
        """
        Call a function in one of the processes, and wait for its result.

        Parameters
        ----------
        function : callable
            ``function(key, *args)``, with the key of the job.

        *args : object
            The arguments.

        Returns
        -------
        result : object
            The result.

        Raises
        ------
        ProcessDiedError
            If processes died in the attempt.
        """
        found, error = _outcome(self._submit(function, args))
        if error is not None:
            raise error
        return found

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

    def _submit(self, function, args):
        # (dask would read the arguments to find out whether it has seen
        # them)
        return self.client.submit(
            function, self.key, *args, pure=False,
            key=f'{self.key}-{uuid.uuid4().hex}')

    def _there(self, function, tasks, rescue):
        from distributed import as_completed

        tasks, running, died = iter(tasks), {}, []

        def submit(task):
            future = self._submit(function, task)
            running[future.key] = task
            return future

        first = [submit(task) for task in islice(
            tasks, _AHEAD * self.n_workers)]
        if not first:
            return
        pending = as_completed(first, loop=self.client.loop)
        del first   # (futures that are held keep their results)
        for future in pending:
            task = running.pop(future.key)
            found, error = _outcome(future)
            if isinstance(error, ProcessDiedError) and rescue is not None:
                died.append(task)
            else:
                yield found, error
            del future
            for task in islice(tasks, 1):
                pending.add(submit(task))
        # by themselves, so that no other task dies with them
        for task in died:
            try:
                found = rescue(self, *task), None
            except Exception as error:
                found = None, error
            yield found


class ProcessDiedError(RuntimeError):
    """
    A process ended in the middle of a task, for instance for lack of memory.
    """


def _outcome(future):
    """
    Get the result and the exception of a future, one of them `None`.
    """
    from distributed import KilledWorker

    try:
        return future.result(), None
    except KilledWorker:
        msg = ('the process that measured it ended: out of memory, or a '
               'fault in a library')
        return None, ProcessDiedError(msg)
    except Exception as error:
        return None, error


def _make_plugin(key, job):
    """
    Make a plug-in that gives the job to each worker, also to later ones.
    """
    from distributed import WorkerPlugin

    class JobPlugin(WorkerPlugin):
        name = key

        def setup(self, worker):
            from astro_pix2prof.survey.engine import _JOBS

            _JOBS[key] = job

        def teardown(self, worker):
            from astro_pix2prof.survey.engine import _JOBS

            _JOBS.pop(key, None)

    return JobPlugin()


def get_job(key):
    """
    Get the job that this process knows by a key.
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
        See `~astro_pix2prof.survey.job.SurveyJob`.
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


def measure_rows(key, start, rows):
    """
    Measure some rows, without writing them.

    Parameters
    ----------
    key, start, rows
        As for `measure_part`.

    Returns
    -------
    results : bytes
        The results, as `pack_rows` packs them.
    """
    return pack_rows(run_job(key, unpack_rows(rows), start))


def rescue_part(engine, folder, number, start, rows):
    """
    Measure a part with which processes died, in ever smaller pieces.

    Parameters
    ----------
    engine : `Engine`
        The processes.

    folder, number, start, rows
        As for `measure_part`. Galaxies with which a process dies also when
        they are alone have failed.

    Returns
    -------
    n_rows : int
        The number of galaxies.
    """
    path, table = part_path(folder, number), unpack_rows(rows)
    if not path.is_file():
        write_parquet(join_results(
            list(_rescue(engine, start, table))), path)
    return table.num_rows


def _rescue(engine, start, rows):
    try:
        yield unpack_rows(engine.call(measure_rows, start, pack_rows(rows)))
        return
    except ProcessDiedError as error:
        if rows.num_rows == 1:
            yield engine.job.fail(rows, start, error)
            return
    half = rows.num_rows // 2
    yield from _rescue(engine, start, rows.slice(0, half))
    yield from _rescue(engine, start + half, rows.slice(half))


def _worker_number():
    """
    Get the number of this process on its machine, 0 if it has none.
    """
    try:
        from distributed import get_worker

        name = get_worker().name
    except (ImportError, ValueError):
        return 0
    return name if isinstance(name, int) else 0
