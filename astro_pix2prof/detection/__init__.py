# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Find the galaxy, and the objects that are not the galaxy, on arrays.

It imports ``ellipses``; the fitters may import it.
"""

__all__ = []
