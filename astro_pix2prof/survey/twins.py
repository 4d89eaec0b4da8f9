# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Find bands of a survey that are one image.
"""

import warnings
from contextlib import closing
from itertools import combinations

from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.fits import choose_hdu

__all__ = ['warn_of_twins']


# So many rows of the catalogue are looked at.
_FIRST = 4


def warn_of_twins(images, options, catalogue, needed):
    """
    Warn of bands whose first images are the same pixels.

    Parameters
    ----------
    images : dict of `~astro_pix2prof.survey.images.SurveyImages`
        The images of each band.

    options : dict of dict
        The options of each band, of which ``hdu`` and ``band`` choose what
        is read of a file.

    catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
        The catalogue.

    needed : list of str or `None`
        The columns to read, `None` for all.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For each pair whose first images are the same files and planes.
    """
    local = [band for band, item in images.items() if item.has_files]
    if len(local) < 2:
        return
    rows = next(catalogue.parts(_FIRST, needed)).slice(0, _FIRST)
    paths = {band: [found[0] for found in images[band].files(rows)]
             for band in local}
    for one, two in combinations(local, 2):
        pairs = [pair for pair in zip(paths[one], paths[two], strict=True)
                 if None not in pair]
        if pairs and all(str(first) == str(second) and _is_same_plane(
                first, options[one], options[two])
                for first, second in pairs):
            warnings.warn(
                f'the bands {one} and {two} have the same pixels, such as '
                f'those of {pairs[0][0]}: their colour is 0. band= chooses '
                'among the planes of a cube and is only a name for a 2D '
                'image: give the files of each band', AstropyUserWarning,
                stacklevel=4)


def _is_same_plane(path, one, two):
    """
    Tell whether the options of two bands choose the same plane of a file.
    """
    if is_address(path):
        # (nothing is fetched for this)
        return False
    try:
        with warnings.catch_warnings(), closing(
                open_fits(find_path(path))) as hdulist:
            warnings.simplefilter('ignore', AstropyUserWarning)
            chosen = [choose_hdu(hdulist, own.get('hdu'), own.get('band'))
                      for own in (one, two)]
            is_flat = sum(n > 1 for n in chosen[0].shape) <= 2
    except (OSError, ValueError, TypeError):
        # (its rows tell why)
        return False
    return chosen[0] is chosen[1] and (
        is_flat or one.get('band') == two.get('band'))
