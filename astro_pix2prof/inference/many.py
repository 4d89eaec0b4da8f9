# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure many galaxies at once with a network.
"""

from astro_pix2prof.fitting.parts import split_options, take_options
from astro_pix2prof.image.cropping import without_border
from astro_pix2prof.image.pictures import (
    is_picture,
    picture_options,
    read_picture,
)
from astro_pix2prof.inference.preparation import (
    PreparedGalaxy,
    read_galaxies,
)
from astro_pix2prof.profile.build import build_batch

__all__ = ['PrepareJob', 'measure_prepared', 'prepare_part', 'read_each',
           'shared_meta', 'takes_picture']


class PrepareJob:
    """
    Read and prepare a part of the images, for a network in another process.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    options : dict
        Options for all images.

    pictures : bool, optional
        As for `prepare_part`.
    """

    def __init__(self, fitter, options, *, pictures=False):
        self.fitter, self.options = fitter, options
        self.pictures = pictures

    def __call__(self, part):
        """
        Prepare a part: a list of pairs of numbers and images.
        """
        images = [image for _, image in part]
        return part[0][0], *prepare_part(
            self.fitter, images, self.options, pictures=self.pictures)


def prepare_part(fitter, images, options, *, pictures=False):
    """
    Read and prepare some galaxies.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    images : list
        Images, or tuples of an image and a dict of options of its own.

    options : dict
        Options for all images.

    pictures : bool, optional
        Whether to take colour pictures, which hold no photometry.

    Returns
    -------
    prepared : list of `PreparedGalaxy` or Exception
        The prepared galaxies, or the exceptions that they led to.

    sources : list of str
        Names of the images.
    """
    prepared, sources = [], []
    for item in images:
        image, own, source = split_options(item, options)
        sources.append(source)
        try:
            choice = take_options(own)
            if pictures and takes_picture(image, own):
                image, own = read_picture(image), picture_options(own)
            cutout = without_border(fitter._read_image(image, own))
            prepared.append(fitter._prepare(cutout, **choice))
        except Exception as error:
            # Store the exception so that one bad image does not stop the
            # others.
            prepared.append(error)
    return prepared, sources


def takes_picture(image, options):
    """
    Tell whether an image is to be read as a colour picture.

    Parameters
    ----------
    image : object
        The image.

    options : dict
        Its options; those that choose a plane mean a cube.

    Returns
    -------
    found : bool
    """
    return is_picture(image) and not {'band', 'hdu'} & options.keys()


def measure_prepared(fitter, start, prepared, sources, columns=()):
    """
    Measure prepared galaxies.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    start : int
        The number of the first.

    prepared, sources : list
        See `prepare_part`.

    columns : sequence of str, optional
        Columns of rings that all galaxies were to have.

    Returns
    -------
    batch : `~astro_pix2prof.ProfileBatch`
    """
    measured = read_each(fitter.reader, prepared, fitter._measure)
    return build_batch(measured, start=start, sources=sources,
                       meta=shared_meta(fitter), columns=columns)


def shared_meta(fitter):
    """
    Collect the meta that the batches of a fitter share.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    Returns
    -------
    meta : dict
    """
    from astro_pix2prof import __version__

    return {'fitter': type(fitter).__name__, 'version': __version__,
            **fitter._meta()}


def read_each(reader, prepared, finish):
    """
    Read prepared galaxies with a network and finish each.

    Exceptions are passed through; an error in one galaxy does not affect
    the others.

    Parameters
    ----------
    reader : reader
        Hands frames to the network.

    prepared : list of `PreparedGalaxy` or Exception
        The galaxies.

    finish : callable
        Takes a prepared galaxy and its caption.

    Returns
    -------
    results : list
        For each galaxy the result of ``finish``, or an exception.
    """
    captions = iter(_captions(
        reader, [item for item in prepared
                 if isinstance(item, PreparedGalaxy)]))
    results = []
    for item in prepared:
        result = item
        if isinstance(item, PreparedGalaxy):
            result = next(captions)
            if not isinstance(result, Exception):
                try:
                    result = finish(item, result)
                except Exception as error:
                    # Store the exception: it concerns this galaxy only.
                    result = error
        results.append(result)
    return results


def _captions(reader, prepared):
    """
    Read the caption of each galaxy, or the exception that it led to.
    """
    try:
        return read_galaxies(reader, prepared)
    except Exception as error:
        if len(prepared) < 2:
            return [error] * len(prepared)
        # one of them is to blame
        return [_captions(reader, [item])[0] for item in prepared]
