# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Readers that hand frames to a network and return captions, in batches.

They know torch and numpy only; ``inference`` imports them.
"""

__all__ = []
