# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Work on parts of a stream in parallel processes, in order.
"""

import torch
from torch.utils.data import DataLoader

__all__ = ['count_gpus', 'map_parts']


# Parts that each process holds ready.
_AHEAD = 2


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
        In the order of the parts.

    Raises
    ------
    RuntimeError
        If a process died.
    """
    return iter(DataLoader(
        _Stream(job), batch_sampler=parts, num_workers=workers,
        prefetch_factor=_AHEAD, collate_fn=_same))


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


def _same(found):
    return found
