# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Ten operations that asv times from release to release.
"""

__all__ = []
