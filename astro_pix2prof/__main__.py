# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Run the command line as ``python -m astro_pix2prof``.
"""

import sys

from astro_pix2prof.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
