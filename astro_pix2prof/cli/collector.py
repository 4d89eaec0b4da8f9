# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Keep the garbage collector of Python out of the start and the end of a run.
"""

import gc
from contextlib import contextmanager

__all__ = ['leave_to_the_system', 'pause_collector']


@contextmanager
def pause_collector():
    """
    Pause the collector while large packages are imported.

    They make hundreds of thousands of objects that stay, through which it
    would search again and again.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def leave_to_the_system():
    """
    Exempt all objects from the search for garbage as a process ends.

    The system takes back their memory at once; to search the modules of
    torch takes half a second.
    """
    gc.freeze()
