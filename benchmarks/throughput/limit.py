# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Split the time of the network fitter, and find the least it takes.
"""

import contextlib
import os
import time
from unittest import mock

import numpy as np

from benchmarks.throughput.parts import ROWS, repeat

__all__ = ['compare_precisions', 'count_limit', 'measure_gpu', 'split_time']

PRECISIONS = 'float32', 'bfloat16'

# Batches of which the precisions are compared on a GPU.
_N_COMPARED = 32

_STEPS = (('read', 'read the file'), ('prepare', 'noise and sky'),
          ('network', 'network'), ('around', 'batches around it'),
          ('rings', 'rings and flags'), ('table', 'tables'),
          ('write', 'write Parquet'), ('rest', 'the rest'))


class _Clock:
    """
    Seconds within functions, without those within functions inside.
    """

    def __init__(self):
        self.seconds, self._inside = {}, []

    def wrap(self, function, name):
        def timed(*args, **options):
            start = time.perf_counter()
            self._inside.append(0.0)
            try:
                return function(*args, **options)
            finally:
                total = time.perf_counter() - start
                own = total - self._inside.pop()
                self.seconds[name] = self.seconds.get(name, 0.0) + own
                if self._inside:
                    self._inside[-1] += total

        return timed


def split_time(paths, n, out, *, weights='rings', precision='float32'):
    """
    What the time goes into, on one core.

    Parameters
    ----------
    paths, n, out, weights, precision : optional
        As for `fit_files`.

    Returns
    -------
    rows : list of dict
        ``step`` and ``ms``, milliseconds for a galaxy.
    """
    import pyarrow.parquet as pq
    import torch

    from astro_pix2prof import Pix2ProfFitter
    from astro_pix2prof.inference import fitter as fitting
    from astro_pix2prof.inference import many as fit_many

    torch.set_num_threads(1)
    fitter = Pix2ProfFitter(weights, device='cpu', precision=precision)
    for batch in fitter.fit_many(repeat(paths, 16)):
        batch.to_arrow()
    clock = _Clock()
    network = fitter.reader.network
    patches = (
        mock.patch.object(fit_many, 'build_batch', clock.wrap(
            fit_many.build_batch, 'table')),
        mock.patch.object(network, 'forward', clock.wrap(
            network.forward, 'network')),
        *(mock.patch.object(owner, method, clock.wrap(
            getattr(owner, method), name)) for owner, method, name in (
                (fitter, '_read_image', 'read'),
                (fitter, '_prepare', 'prepare'),
                (fitter.reader, 'read', 'around'),
                (fitting, 'rings_of_caption', 'rings'))))

    def write(tables):
        import pyarrow as pa

        pq.write_table(pa.concat_tables(tables), out, compression='zstd')

    to_table = clock.wrap(lambda batch: batch.to_arrow(), 'table')
    write = clock.wrap(write, 'write')
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        start = time.perf_counter()
        held = []
        for batch in fitter.fit_many(repeat(paths, n)):
            held.append(to_table(batch))
            if sum(map(len, held)) >= ROWS:
                write(held)
                held = []
        if held:
            write(held)
        total = time.perf_counter() - start
    clock.seconds['rest'] = total - sum(clock.seconds.values())
    return [{'step': title, 'ms': 1000 * clock.seconds.get(name, 0.0) / n}
            for name, title in _STEPS]


def count_limit(paths, *, weights='rings', batch=16, device='cpu',
                precision='float32'):
    """
    What the arithmetic and the bytes of a galaxy take at the least.

    Parameters
    ----------
    paths : list of path-like
        The images.

    weights, device, precision : str, optional
        As for `~astro_pix2prof.Pix2ProfFitter`.

    batch : int, optional
        Images that the network gets at once.

    Returns
    -------
    row : dict
        ``gflop`` of the network for an image (a multiplication and an
        addition are two), ``network_ms`` it takes, ``gflops``, the rate of
        large matrix products in that precision (10^9/s), ``bytes`` of a file,
        ``read_gbs`` and ``copy_gbs``, rates of reading files that are in
        memory and of copying memory (10^9 bytes/s), ``limit_ms``, the
        least time of the network and of reading, for an image.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from astro_pix2prof import Pix2ProfFitter

    torch.set_num_threads(1)
    fitter = Pix2ProfFitter(weights, device=device, precision=precision,
                            batch_size=batch)
    seen = []
    network = fitter.reader.network

    def catch(_, args, options):
        seen.append((args, options))

    handle = network.register_forward_pre_hook(catch, with_kwargs=True)
    list(fitter.fit_many(repeat(paths, batch), batch_size=batch))
    handle.remove()
    args, options = max(seen, key=lambda found: len(found[0][0]))
    n = len(args[0])
    with torch.inference_mode():
        seconds = _best(lambda: network(*args, **options), device)
    args = [part.clone() if isinstance(part, torch.Tensor) else part
            for part in args]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*args, **options)
    gflop = counter.get_total_flops() / n / 1e9
    a, b = torch.rand(2, 2048, 2048, device=device).to(
        getattr(torch, precision))
    gflops = 2 * 2048**3 / _best(lambda: a @ b, device) / 1e9

    def read():
        for path in paths:
            with open(path, 'rb', buffering=0) as file:
                file.read()

    size = sum(os.path.getsize(path) for path in paths)
    read_gbs = size / _best(read) / 1e9
    source = np.ones(2**25)
    target = np.empty_like(source)
    copy_gbs = source.nbytes / _best(
        lambda: np.copyto(target, source)) / 1e9
    size /= len(paths)
    return {'device': str(device), 'batch': n, 'gflop': gflop,
            'network_ms': 1000 * seconds / n, 'gflops': gflops,
            'bytes': size, 'read_gbs': read_gbs, 'copy_gbs': copy_gbs,
            'limit_ms': 1000 * gflop / gflops + size / read_gbs / 1e6}


def _best(function, device='cpu', n=5):
    """
    The least of some times in seconds, after one call.
    """
    import torch

    def wait():
        if str(device).startswith('cuda'):
            torch.cuda.synchronize()

    times = []
    for _ in range(n + 1):
        wait()
        start = time.perf_counter()
        function()
        wait()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def measure_gpu(paths, n, *, batches=(16, 32, 64, 128, 256, 512),
                weights='rings', device='cuda', workers=None):
    """
    Rates on a GPU by batch size, and bfloat16 against float32.

    Parameters
    ----------
    paths, n, weights, device : optional
        As for `fit_files`.

    batches : sequence of int, optional
        Images that the network gets at once.

    workers : int, optional
        Processes that read; by default one for each core.

    Returns
    -------
    row : dict
        ``rows``: ``batch``, ``precision``, ``network_per_second`` and
        ``per_second`` (files to batches); ``difference``: as of
        `compare_precisions`.
    """
    import torch

    from astro_pix2prof import Pix2ProfFitter

    workers = os.cpu_count() if workers is None else workers
    rows, profiles = [], {}
    for batch in batches:
        for precision in PRECISIONS:
            limit = count_limit(paths, weights=weights, batch=batch,
                                device=device, precision=precision)
            fitter = Pix2ProfFitter(weights, device=device,
                                    batch_size=batch, precision=precision)
            start = time.perf_counter()
            found = list(fitter.fit_many(
                repeat(paths, n), batch_size=batch, workers=workers))
            seconds = time.perf_counter() - start
            profiles.setdefault(precision, found[:_N_COMPARED])
            rows.append({'batch': batch, 'precision': precision,
                         'network_per_second': 1000 / limit['network_ms'],
                         'limit_per_second': limit['gflops']
                         / limit['gflop'], 'per_second': n / seconds})
    name = (torch.cuda.get_device_name()
            if torch.device(device).type == 'cuda' else device)
    return {'name': name, 'rows': rows, 'workers': workers, 'n': n,
            'difference': _difference(*profiles.values())}


def compare_precisions(paths, *, weights='rings', device='cpu'):
    """
    Surface brightnesses in bfloat16 minus those in float32.

    Parameters
    ----------
    paths, weights, device : optional
        As for `~benchmarks.throughput.parts.fit_files`.

    Returns
    -------
    row : dict
        ``median`` and ``p99``, the 99th percentile, of the absolute
        differences (mag/arcsec2), ``n`` rings, and ``n_galaxies``.
    """
    from astro_pix2prof import Pix2ProfFitter

    found = [list(Pix2ProfFitter(
        weights, device=device, precision=precision).fit_many(paths))
        for precision in PRECISIONS]
    return {**_difference(*found), 'n_galaxies': len(paths)}


def _difference(one, other):
    values = []
    for first, second in zip(one, other, strict=True):
        for a, b in zip(first, second, strict=True):
            m = min(len(a), len(b))
            values.append(np.abs((
                a['surface_brightness'][:m] - b['surface_brightness'][:m]
                ).value))
    values = np.concatenate(values)
    values = values[np.isfinite(values)]
    return {'median': float(np.median(values)),
            'p99': float(np.quantile(values, 0.99)), 'n': len(values)}
