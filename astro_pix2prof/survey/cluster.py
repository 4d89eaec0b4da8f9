# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Worker processes and clusters.
"""

import os
import sys
from contextlib import contextmanager

__all__ = ['import_dask']


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


class _one_thread:  # noqa: N801
    """
    Let torch use one core: the number of threads is seen in last digits.
    """

    def __enter__(self):
        # (a fitter that needs torch has imported it)
        self.torch = sys.modules.get('torch')
        if self.torch is not None:
            self.before = self.torch.get_num_threads()
            self.torch.set_num_threads(1)

    def __exit__(self, *_):
        if self.torch is not None:
            self.torch.set_num_threads(self.before)


def _count_gpus():
    """
    The number of GPUs that torch sees.
    """
    torch = sys.modules.get('torch')
    return 0 if torch is None else torch.cuda.device_count()
