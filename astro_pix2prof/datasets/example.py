# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The galaxy that ships with the package.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from astropy.nddata import CCDData

from astro_pix2prof.profile.io import read_profile

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ['load_example', 'load_example_truth']


def _open(name):
    """
    Give the path of a file of the package, as a context manager.
    """
    folder = resources.files('astro_pix2prof.datasets') / 'data'
    return resources.as_file(folder / name)


def load_example() -> CCDData:
    """
    Load the image of the demo galaxy.

    An inclined, barred spiral of magnitude 14.5 with stars and background
    galaxies around it, as the SDSS would see it in the r band. It was
    rendered with GalSim by ``benchmarks/render/demo.py``.

    Returns
    -------
    image : `~astropy.nddata.CCDData`
        The image, 256 x 256 pixels of 0.396 arcsec in nanomaggies, with a
        celestial WCS.

    Examples
    --------
    >>> from astro_pix2prof import load_example
    >>> image = load_example()
    >>> image.shape, str(image.unit)
    ((256, 256), 'nmgy')
    """
    with _open('demo_galaxy_r.fits.gz') as path:
        return CCDData.read(path)


def load_example_truth() -> QTable:
    """
    Load the true profile of the demo galaxy.

    At each semi-major axis the noise-free image of the galaxy alone, with
    the point-spread function, averaged along the ellipse that follows its
    isophote.

    Returns
    -------
    truth : `~astropy.table.QTable`
        A profile without errors; ``meta['magnitude']`` is the total
        magnitude.

    Examples
    --------
    >>> from astro_pix2prof import load_example_truth
    >>> truth = load_example_truth()
    >>> truth.meta['magnitude']
    14.5
    """
    with _open('demo_galaxy_r_true.ecsv') as path:
        return read_profile(path)
