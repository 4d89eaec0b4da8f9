# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Work on parts of a stream in parallel processes, in order.
"""

from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from astro_pix2prof.fitting.notes import NotingJob, repeat_warnings

__all__ = ['map_parts']

# Parts that each process holds ready.
_AHEAD = 2


def map_parts(job, parts, workers):
    """
    Apply a function to each part of a stream in parallel processes.

    Parameters
    ----------
    job : callable
        Takes a part, a list; it and its result can be pickled. It must not
        raise.

    parts : iterable of list
        The parts; few are taken from it ahead.

    workers : int
        The number of processes.

    Returns
    -------
    results : iterator
        In the order of the parts. The warnings of the processes are given
        in this one.

    Raises
    ------
    RuntimeError
        If a process died.
    """
    return repeat_warnings(_map_parts(NotingJob(job), parts, workers))


def _map_parts(job, parts, workers):
    # (processes that are started afresh inherit no threads and no locks)
    pool = ProcessPoolExecutor(workers, mp_context=get_context('spawn'),
                               initializer=_set_job, initargs=(job,))
    waiting = deque()
    try:
        with pool:
            for part in parts:
                waiting.append(pool.submit(_run_job, part))
                if len(waiting) >= _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    except BrokenProcessPool as error:
        msg = ('a process that measured images died: a script that uses '
               "workers needs the line if __name__ == '__main__':, and "
               'memory may be lacking for so many workers')
        raise RuntimeError(msg) from error
    finally:
        # (a caller that stops early waits for nothing)
        pool.shutdown(wait=False, cancel_futures=True)


# The job of this process.
_JOB = []


def _set_job(job):
    _JOB[:] = [job]


def _run_job(part):
    return _JOB[0](part)
