# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Dask processes that nobody else can reach.

They listen on the loopback interface only, talk to nobody without the
certificate that was made for this cluster, and have no HTTP server. It is
imported only where several processes are asked for.
"""

import asyncio
import json
import logging
import os
import sys
import threading

import distributed
from distributed.deploy.cluster import Cluster
from distributed.deploy.subprocess import Subprocess

__all__ = ['PrivateScheduler', 'PrivateWorker', 'WorkerProcess',
           'make_cluster']


_HOST = '127.0.0.1'

# Deaths of workers that a task survives: one more, and it is given up. (A
# part ends one process at most: the next attempt is in a child.)
_ALLOWED_DEATHS = 5

# The parts of the certificate that a worker needs.
_CREDENTIALS = ('tls_ca_file', 'tls_worker_cert', 'tls_worker_key',
                'tls_client_cert', 'tls_client_key')

_COMMAND = 'from astro_pix2prof.survey.loopback import main; main()'


class PrivateScheduler(distributed.Scheduler):
    """
    A scheduler without HTTP server.
    """

    def start_http_server(self, *_, **__):
        """
        Start nothing; Dask opens a port here also without a dashboard.
        """


class PrivateCluster(distributed.SpecCluster):
    """
    A cluster that waits for the nannies to replace workers that died.

    Dask's own closes a nanny whose worker has been gone for 15 s, which a
    busy machine needs to start another; then nobody is left to do the work.
    """

    def _update_worker_status(self, op, msg):
        Cluster._update_worker_status(self, op, msg)


class PrivateWorker(distributed.Worker):
    """
    A worker without HTTP server.
    """

    def start_http_server(self, *_, **__):
        """
        Start nothing; Dask opens a port here also without a dashboard.
        """


class WorkerProcess(Subprocess):
    """
    A process with a nanny, which starts the worker and replaces it.

    It is started from the command line and does not import the user's
    script, which may lack ``if __name__ == '__main__':``. The key of the
    certificate goes through its standard input: the command line can be
    read by every user of the machine.

    Parameters
    ----------
    scheduler : str
        The address of the scheduler.

    name : int
        The number of the worker.

    security : `distributed.Security`
        The certificate of the cluster.

    env : dict of str
        Environment variables of the process, besides those of this one.
    """

    def __init__(self, scheduler, name=None, security=None, env=None):
        self.scheduler, self.name = scheduler, name
        self.security, self.env = security, env or {}
        super().__init__()

    async def _start(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, '-c', _COMMAND, stdin=asyncio.subprocess.PIPE,
            env={**os.environ, **self.env})
        self.process.stdin.write(json.dumps({
            'scheduler': self.scheduler, 'name': self.name, 'credentials': {
                name: getattr(self.security, name)
                for name in _CREDENTIALS}}).encode() + b'\n')
        # (it stays open: its end tells the process that this one is gone)
        await self.process.stdin.drain()


def make_cluster(n_workers, env):
    """
    Start processes on this machine that end with this one.

    Parameters
    ----------
    n_workers : int
        The number of workers, each with one thread.

    env : dict of str
        Environment variables of the workers.

    Returns
    -------
    cluster : `distributed.SpecCluster`
        The cluster; a client takes the certificate from it.
    """
    security = distributed.Security.temporary()
    if os.name == 'nt':
        # (Dask's subprocesses do not work there)
        kind = distributed.Nanny
        options = {**_nanny_options(security), 'env': env}
    else:
        kind, options = WorkerProcess, {'security': security, 'env': env}
    return PrivateCluster(
        scheduler={'cls': PrivateScheduler, 'options': {
            'host': _HOST, 'protocol': 'tls://', 'security': security,
            'dashboard': False, 'dashboard_address': None,
            'allowed_failures': _ALLOWED_DEATHS}},
        workers={k: {'cls': kind, 'options': {**options, 'name': k}}
                 for k in range(n_workers)},
        security=security, silence_logs=logging.CRITICAL)


def _nanny_options(security):
    return {'host': _HOST, 'protocol': 'tls', 'security': security,
            'worker_class': PrivateWorker, 'nthreads': 1, 'memory_limit': 0,
            'dashboard': False, 'dashboard_address': None}


def main():
    """
    Run a nanny and its worker; standard input tells for which scheduler.
    """
    given = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    asyncio.run(_run(given['scheduler'], given['name'], distributed.Security(
        require_encryption=True, **given['credentials'])))


def _end_with_parent():
    """
    End this process and its worker when the process that started it is gone.
    """
    import psutil

    sys.stdin.read()
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(0)


async def _run(scheduler, name, security):
    async with distributed.Nanny(scheduler, name=name,
                                 **_nanny_options(security)) as nanny:
        await nanny.finished()
