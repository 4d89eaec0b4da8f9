# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command line ``pix2prof``: a module for each command.

It may import everything; nothing imports it.
"""

from astro_pix2prof.cli.main import main

__all__ = ['main']
