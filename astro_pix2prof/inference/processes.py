# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Work on parts of a stream in parallel processes, in order.

Arrays come back in shared memory: nothing of them is copied or unpickled by
the process that waits for them. The files of that memory have no name by the
time it gets them, so that none is left after a crash.
"""

import pickle
from itertools import accumulate

import torch
from torch.utils.data import DataLoader

from astro_pix2prof.fitting.notes import NotingJob, repeat_warnings

__all__ = ['count_gpus', 'map_parts']


# Parts that each process holds ready.
_AHEAD = 2

# Less than so many bytes of arrays are sent through the pipe.
_LEAST = 2**20


def count_gpus():
    """
    Count the GPUs of this machine that torch can use.
    """
    return torch.cuda.device_count()


def map_parts(job, parts, workers):
    """
    Apply a function to each part of a stream in parallel processes.

    Parameters
    ----------
    job : callable
        Takes a part, a list, and returns anything that can be pickled. It
        must not raise.

    parts : iterable of list
        The parts; few are taken from it ahead.

    workers : int
        The number of processes, each with one thread.

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
    return repeat_warnings(map(unpack, DataLoader(
        _Stream(NotingJob(job)), batch_sampler=parts, num_workers=workers,
        prefetch_factor=_AHEAD, collate_fn=pack)))


class _Stream:
    """
    A data set whose indices are the elements themselves.
    """

    def __init__(self, job):
        self.job = job

    def __getitem__(self, item):
        return self.job([item])

    def __getitems__(self, items):
        return self.job(items)


def pack(found):
    """
    Put the arrays of a result into shared memory.

    Parameters
    ----------
    found : object
        Anything that can be pickled.

    Returns
    -------
    packed : tuple
        A pickle without the arrays; where each of them begins and ends; and
        a tensor of bytes in shared memory, or the bytes of each array if
        they are few or there is no such memory (a container may have
        64 MiB).
    """
    buffers = []
    head = pickle.dumps(found, protocol=5, buffer_callback=buffers.append)
    arrays = [buffer.raw() for buffer in buffers]
    # (arrays begin at multiples of 64 bytes, as numpy has them)
    ends = [0, *accumulate(-(-len(array) // 64) * 64 for array in arrays)]
    if ends[-1] >= _LEAST:
        block = torch.empty(ends[-1], dtype=torch.uint8)
        view = memoryview(block.numpy())
        for start, array in zip(ends, arrays, strict=False):
            view[start:start + len(array)] = array
        # (the memory that it shows is about to move)
        view.release()
        try:
            return head, [(start, start + len(array)) for start, array in zip(
                ends, arrays, strict=False)], block.share_memory_()
        except RuntimeError:
            # (no space is left for it)
            pass
    return head, None, [bytearray(array) for array in arrays]


def unpack(packed):
    """
    Make the result of what `pack` returned, without copying its arrays.
    """
    head, places, block = packed
    if places is not None:
        view = memoryview(block.numpy())
        block = [view[start:stop] for start, stop in places]
    return pickle.loads(head, buffers=block)
