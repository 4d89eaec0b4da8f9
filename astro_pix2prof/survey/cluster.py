# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Worker processes and clusters.
"""

import os
import sys
from contextlib import contextmanager

from astro_pix2prof.extras import missing_extra

__all__ = ['ENVIRONMENT', 'connect', 'default_workers', 'import_dask',
           'one_thread']


# Environment of the processes: one thread each, and no chatter.
ENVIRONMENT = {'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1',
                'OPENBLAS_NUM_THREADS': '1',
                'DASK_LOGGING__DISTRIBUTED': 'critical',
                # they may have processes of their own, which read
                'DASK_DISTRIBUTED__WORKER__DAEMON': 'False',
                # Dask has the C library give back all memory above 64 kB at
                # once; to get it again costs as much as to use it
                'MALLOC_TRIM_THRESHOLD_': str(2**28),
                'MALLOC_MMAP_THRESHOLD_': str(2**25),
                'MALLOC_ARENA_MAX': '1'}

_SEVERAL = 'a survey in several processes (n_workers=1 is one)'

# Seconds until all processes of a cluster have to be there.
_START = 600


def import_dask():
    """
    Import `distributed`.

    Returns
    -------
    distributed : module

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra.
    """
    try:
        import distributed
    except ImportError as error:
        raise missing_extra(
            package='dask', extra='survey', what=_SEVERAL) from error
    return distributed


def default_workers(*, use_gpus=False):
    """
    Count the processes that suit this machine.

    Parameters
    ----------
    use_gpus : bool, optional
        Whether the fitter runs on a GPU if there is one.

    Returns
    -------
    n_workers : int
        The number of GPUs, or, where there is none or none is used, of the
        cores that this process may use.
    """
    n_gpus = count_gpus() if use_gpus else 0
    if n_gpus:
        return n_gpus
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_gpus():
    """
    Count the GPUs of this machine that torch can use.
    """
    # (torch takes seconds to import: only for fitters that use it)
    from astro_pix2prof.inference.processes import count_gpus

    return count_gpus()


@contextmanager
def connect(n_workers, scheduler):
    """
    Connect to a cluster, or to processes that are started on this machine.

    Parameters
    ----------
    n_workers : int
        The number of processes to start.

    scheduler : str or `None`
        The address of the scheduler of a cluster that exists.

    Yields
    ------
    client : `distributed.Client`
        The client, not the default one of the user's other work with Dask.

    Raises
    ------
    ImportError
        If Dask, or cryptography for the certificate, is not installed.
    """
    distributed = import_dask()
    if scheduler is not None:
        with distributed.Client(scheduler, set_as_default=False) as client:
            yield client
        return
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise missing_extra(
            package='cryptography', extra='survey', what=_SEVERAL) from error
    from astro_pix2prof.survey.loopback import make_cluster

    with (make_cluster(n_workers, ENVIRONMENT) as cluster,
          distributed.Client(cluster, set_as_default=False) as client):
        client.wait_for_workers(n_workers, timeout=_START)
        yield client


class one_thread:  # noqa: N801
    """
    Let torch use one core: the number of threads is seen in last digits.

    Enter it when the fitter is made, which imports torch if it needs it.
    """

    def __enter__(self):
        self.torch = sys.modules.get('torch')
        if self.torch is not None:
            self.before = self.torch.get_num_threads()
            self.torch.set_num_threads(1)

    def __exit__(self, *_):
        if self.torch is not None:
            self.torch.set_num_threads(self.before)
