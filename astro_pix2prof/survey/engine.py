# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The processes of a survey: this one, several on this machine, or a cluster.
"""

import contextlib
import queue
import time
import uuid
from functools import partial
from typing import NamedTuple

from astro_pix2prof.arguments import check_integer, check_text
from astro_pix2prof.survey.arrow import unpack_rows
from astro_pix2prof.survey.cluster import (
    connect,
    default_workers,
    import_dask,
)
from astro_pix2prof.survey.failures import count_failed, count_failures
from astro_pix2prof.survey.files import part_path
from astro_pix2prof.survey.integrity import write_part
from astro_pix2prof.survey.isolation import (
    ProcessDiedError,
    begin_part,
    close_children,
    get_child,
    mark_path,
    measure_apart,
)
from astro_pix2prof.survey.stamps import pack_stamps, read_stamps
from astro_pix2prof.survey.stop import find_stop, stop_if_full
from astro_pix2prof.survey.warned import WARNED, WarningCounts
from astro_pix2prof.wording import counted

__all__ = ['Engine', 'get_job', 'measure_part', 'run_part']


# Parts on their way for each process: none waits, and few rows are held.
_AHEAD = 4

# Seconds after which the processes of a cluster are counted again.
_COUNT = 1.0

# Attempts at a part with which processes end: the first one marks it, and
# the next measures it in a child. Others may die with a process that is not
# theirs.
_ATTEMPTS = 4

# How many parts may fail as a whole (a full disk, processes that die again
# and again) before the survey gives up.
_MAX_BROKEN = 5

# The jobs that this process knows, by their key.
_JOBS = {}


class _Noted(NamedTuple):
    """
    A result, and the warnings of its process until then.
    """

    found: object
    warned: list


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
    Use it in a ``with`` statement. The warnings of all processes are to be
    shown when the survey is finished.

    Attributes
    ----------
    warned : `~astro_pix2prof.survey.warned.WarningCounts`
        The warnings until now.
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
        self.client, self._counted = None, None
        self.warned = WarningCounts()
        if scheduler is not None or n_workers > 1:
            import_dask()

    def __enter__(self):
        _JOBS[self.key] = self.job
        # (those of a survey that was interrupted)
        WARNED.take()
        if self.scheduler is None and self.n_workers == 1:
            return self
        self._stack = connect(self.n_workers, self.scheduler)
        self.client = self._stack.__enter__()
        try:
            self.client.register_plugin(_make_plugin(self.key, self.job))
            self.n_workers = max(self.n_workers or 1, self._count())
        except BaseException:
            self._stack.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        try:
            self._close()
        finally:
            self.warned.update(WARNED.take())

    def _close(self):
        _JOBS.pop(self.key, None)
        close_children(self.key)
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

        Processes that join later get some, too.

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
            At the end, if some tasks failed; at once if all others would,
            too.
        """
        return self._checked(self._here(function, tasks)
                             if self.client is None
                             else self._there(function, tasks))

    def _checked(self, results):
        broken = []
        for result, error in results:
            if error is None:
                if isinstance(result, _Noted):
                    self.warned.update(result.warned)
                    result = result.found
                yield result
                continue
            stop = find_stop(error)
            if stop is not None:
                # (the next part would end in the same way)
                raise stop
            broken.append(error)
            if len(broken) >= _MAX_BROKEN:
                break
        if broken:
            first = broken[0]
            msg = (f'{counted(len(broken), "part")} of the catalogue could '
                   'not be done, the first because of '
                   f'{type(first).__name__}: {first}. What is done is kept: '
                   'call again to go on')
            raise RuntimeError(msg) from first

    def _here(self, function, tasks):
        for task in tasks:
            try:
                found = _with_warnings(function, self.key, *task), None
            except Exception as error:
                found = None, error
            yield found

    def _submit(self, function, args):
        # (dask would read the arguments to find out whether it has seen
        # them)
        return self.client.submit(
            partial(_with_warnings, function), self.key, *args, pure=False,
            key=f'{self.key}-{uuid.uuid4().hex}')

    def _count(self):
        """
        Count the threads of all processes, again after a while.
        """
        now = time.monotonic()
        if self._counted is None or now - self._counted[0] > _COUNT:
            n_threads = 1 if self._counted is None else self._counted[1]
            # (a scheduler that is gone ends the tasks, with an error)
            with contextlib.suppress(OSError):
                n_threads = max(sum(self.client.nthreads().values()), 1)
            self._counted = now, n_threads
            self.n_workers = max(self.n_workers or 1, n_threads)
        return self._counted[1]

    def _there(self, function, tasks):
        tasks, running, done = iter(tasks), {}, queue.SimpleQueue()

        def submit(task, attempt=1):
            future = self._submit(function, task)
            running[future.key] = future, task, attempt
            future.add_done_callback(lambda future: done.put(future.key))

        there_are_more = True
        while True:
            while there_are_more and len(running) < _AHEAD * self._count():
                try:
                    submit(next(tasks))
                except StopIteration:
                    there_are_more = False
            if not running:
                return
            try:
                key = done.get(timeout=_COUNT)
            except queue.Empty:
                continue   # (there may be more processes by now)
            future, task, attempt = running.pop(key)
            found, error = _outcome(future)
            del future   # (one that is held keeps its result)
            if isinstance(error, ProcessDiedError) and attempt < _ATTEMPTS:
                submit(task, attempt + 1)
                continue
            yield found, error


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
            from astro_pix2prof.survey.isolation import close_children

            _JOBS.pop(key, None)
            close_children(key)

    return JobPlugin()


def _with_warnings(function, *args):
    """
    Call a function; return its result, and the warnings of this process.
    """
    return _Noted(function(*args), WARNED.take())


def get_job(key):
    """
    Get the job that this process knows by a key.
    """
    return _JOBS[key]


def run_part(key, rows, start, path):
    """
    Measure some rows in this process or a child, and write their file.

    Parameters
    ----------
    key : str
        The key of the job.

    rows : `pyarrow.Table`
        Rows of the catalogue.

    start : int
        The number of the first.

    path : `~pathlib.Path`
        The file. With an earlier attempt at it, a process ended, if it has
        a mark: then galaxies with which a child ends are found, and fail.

    Returns
    -------
    n_failed : int
        The galaxies that could not be measured.

    Raises
    ------
    StopSurveyError
        If the disk is full.
    """
    job = get_job(key)
    number, n_threads = _worker()
    with stop_if_full(path.parent), begin_part(path) as died:
        # (taken before, so that a change in the meantime is noticed)
        stamps = pack_stamps(read_stamps(job.images, rows))
        if died or job.isolate or n_threads > 1:
            # (threads of one process would wait for each other)
            table = measure_apart(get_child(key, job, number), rows, start)
            if not (job.isolate or n_threads > 1):
                close_children(key)
        else:
            table = job(rows, start, number=number)
        write_part(table, path, job.identity, stamps)
    return count_failed(table)


def measure_part(key, folder, number, start, rows):
    """
    Measure a part of the catalogue and write its file.

    Parameters
    ----------
    key : str
        The key of the job.

    folder : `~pathlib.Path` or ``upath.UPath``
        The folder of the file.

    number, start : int
        The numbers of the part, and of its first galaxy.

    rows : bytes
        The rows, as `pack_rows` packs them.

    Returns
    -------
    n_rows, n_failed : int
        The number of galaxies, and of those that could not be measured.
    """
    table = unpack_rows(rows)
    path = part_path(folder, number)
    if not path.is_file():
        return table.num_rows, run_part(key, table, start, path)
    # (the process died just after it wrote it, and before it took its mark)
    mark_path(path).unlink(missing_ok=True)
    return table.num_rows, count_failures([path]).galaxies


def _worker():
    """
    Get the number of this process on its machine, and that of its threads.
    """
    try:
        from distributed import get_worker

        worker = get_worker()
    except (ImportError, ValueError):
        return 0, 1
    return (worker.name if isinstance(worker.name, int) else 0,
            worker.state.nthreads)
