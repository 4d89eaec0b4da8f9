# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Images of a call, in parts, with the options of their own.
"""

import itertools
import os
from collections.abc import Mapping

import numpy as np

from astro_pix2prof.addresses import is_address
from astro_pix2prof.ellipses.given import GEOMETRY_OPTIONS
from astro_pix2prof.fitting.harmonics import HARMONIC_OPTIONS
from astro_pix2prof.fitting.radii import RADIUS_OPTIONS
from astro_pix2prof.image.pictures import is_picture

__all__ = ['PartJob', 'check_images', 'split_options', 'split_parts',
           'take_options']


class PartJob:
    """
    Measure a part of the images, here or in another process.

    Parameters
    ----------
    fitter : `ProfileFitter`
        The fitter.

    options : dict
        Options for all images.
    """

    def __init__(self, fitter, options):
        self.fitter, self.options = fitter, options

    def __call__(self, part):
        """
        Measure a part: a list of pairs of numbers and images.
        """
        start, images = part[0][0], [image for _, image in part]
        return self.fitter._measure_part(start, images, self.options)


def check_images(images):
    """
    Refuse a single image, whose letters or rows would count as images.

    Parameters
    ----------
    images : object
        What was given as images.

    Raises
    ------
    TypeError
        If it is one image or a dict, or cannot be iterated.
    """
    if isinstance(images, Mapping):
        msg = ('images must be a list of images, got a dict, whose keys would '
               'be taken for names of files: give list(images.values()), or '
               'use fit_bands if it has the bands of one galaxy')
        raise TypeError(msg)
    is_pair = isinstance(images, tuple) and len(images) == 2 and isinstance(
        images[1], dict)
    is_array = isinstance(images, np.ndarray) and images.dtype != object and (
        images.ndim < 3)
    if isinstance(images, str | bytes | os.PathLike):
        what = f'the path {os.fspath(images)!r}'
    elif is_address(images):
        what = f'the address {images}'
    elif is_pair:
        what = 'an image with its options'
    elif is_array or is_picture(images):
        what = f'an array of the shape {np.shape(images)}'
    elif not hasattr(images, '__iter__'):
        what = type(images).__name__
    else:
        return
    msg = ('images must be a list of images, or another iterable: give one '
           f'image in a list, [image]; got {what}')
    raise TypeError(msg)


def split_parts(images, size):
    """
    Split an iterable into lists of pairs of numbers and elements.

    Parameters
    ----------
    images : iterable
        The elements.

    size : int
        The length of a list.

    Yields
    ------
    part : list of tuple
    """
    numbered = enumerate(images)
    while part := list(itertools.islice(numbered, size)):
        yield part


def split_options(item, options):
    """
    Separate an image from the options of its own.

    Parameters
    ----------
    item : image or tuple
        An image, or an image and a dict of options of its own.

    options : dict
        Options for all images.

    Returns
    -------
    image : image
        The image.

    options : dict
        The options for this image.

    source : str
        The path or the name of the image; empty if it has none.
    """
    own = dict(options)
    if isinstance(item, tuple) and len(item) == 2 and isinstance(
            item[1], dict):
        item, own = item[0], {**own, **item[1]}
    is_path = isinstance(item, str | os.PathLike)
    source = os.fspath(item) if is_path else getattr(item, 'name', None) or ''
    if is_address(item):
        source = str(item)
    return item, own, source


def take_options(options):
    """
    Take the options of radii, ellipses and columns out of those of a call.

    Parameters
    ----------
    options : dict
        The options of a call; those that are found are removed.

    Returns
    -------
    found : dict
        Some of ``geometry``, ``ellipticity``, ``pa``, ``radii``, ``step``,
        ``linear``, ``max_radius``, ``harmonics`` and ``free_centres``.
    """
    return {name: options.pop(name)
            for name in (*GEOMETRY_OPTIONS, *RADIUS_OPTIONS,
                         *HARMONIC_OPTIONS)
            if name in options}
