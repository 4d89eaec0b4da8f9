# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Warn of bands that are one image.
"""

import os
import warnings
from itertools import combinations

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

__all__ = ['warn_of_same_images', 'warn_of_same_pixels']


def warn_of_same_pixels(images, each, fits):
    """
    Warn of bands of one file whose names did not choose different planes.

    Parameters
    ----------
    images : dict
        The image of each band.

    each : dict of dict
        The options of each.

    fits : dict of `~astro_pix2prof.ProfileFit`
        The fit of each band that was measured.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For each pair.
    """
    for one, two in combinations(fits, 2):
        if (each[one].get('band') != each[two].get('band')
                and _same_file(images, each, one, two, ('hdu',))
                and np.array_equal(fits[one].cutout.data,
                                   fits[two].cutout.data, equal_nan=True)):
            warnings.warn(
                f'the bands {one} and {two} have the same pixels, of '
                f'{os.fspath(images[one])}: their colour is 0. band= chooses '
                'among the planes of a cube and is only a name for a 2D '
                'image: give the file of each band', AstropyUserWarning,
                stacklevel=4)


def warn_of_same_images(images, each):
    """
    Warn of bands that are one image of one file.

    Parameters
    ----------
    images, each : dict
        As of `warn_of_same_pixels`.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For each pair.
    """
    for one, two in combinations(images, 2):
        if _same_file(images, each, one, two, ('hdu', 'band')):
            warnings.warn(
                f'the bands {one} and {two} are the same image, '
                f'{os.fspath(images[one])}: their colour is 0. Give hdu= or '
                'band= a value for each, if they are parts of one file',
                AstropyUserWarning, stacklevel=4)


def _same_file(images, each, one, two, options):
    """
    Tell whether two bands are one file, read with the same options.
    """
    paths = images[one], images[two]
    return all(isinstance(path, str | os.PathLike) for path in paths) and (
        os.fspath(paths[0]) == os.fspath(paths[1])) and all(
            each[one].get(name) == each[two].get(name) for name in options)
