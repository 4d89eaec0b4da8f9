# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The sky level of an image and the noise of its pixels, on arrays.

It imports nothing of the package but ``ellipses``; ``image`` and the fitters
may import it.
"""

__all__ = []
