# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Ellipses as two numbers without a jump at half a turn, and magnitudes.

An ellipse is written as its ellipticity times cosine and sine of twice the
angle of its major axis: a mean of such pairs is an ellipse between the
others, as a mean of angles is not. The functions take tensors or arrays.
"""

import math

import numpy as np
import torch

__all__ = ['NANOMAGGY_ZEROPOINT', 'POGSON', 'ellipse_components',
           'ellipse_shape', 'ellipticity', 'position_angle']


# Magnitudes for a unit of the natural logarithm of the flux, 1.0857 mag.
POGSON = 2.5 / math.log(10)

# AB magnitude of one nanomaggy.
NANOMAGGY_ZEROPOINT = 22.5


def _library(value):
    return torch if isinstance(value, torch.Tensor) else np


def ellipse_components(eps, angle):
    """
    Compute the two components of ellipses.

    Parameters
    ----------
    eps : `torch.Tensor` or `~numpy.ndarray`
        Ellipticity, 1 - b/a.

    angle : `torch.Tensor` or `~numpy.ndarray`
        Angle of the major axis in radians.

    Returns
    -------
    e1, e2 : `torch.Tensor` or `~numpy.ndarray`
        Ellipticity times cosine and sine of twice the angle.
    """
    library, double = _library(angle), 2 * angle
    return eps * library.cos(double), eps * library.sin(double)


def ellipticity(e1, e2):
    """
    Compute the ellipticity from the two components.

    Parameters
    ----------
    e1, e2 : `torch.Tensor` or `~numpy.ndarray`
        See `ellipse_components`.

    Returns
    -------
    eps : `torch.Tensor` or `~numpy.ndarray`
    """
    return _library(e1).hypot(e1, e2)


def position_angle(e1, e2):
    """
    Compute the angle of the major axis from the two components.

    Parameters
    ----------
    e1, e2 : `torch.Tensor` or `~numpy.ndarray`
        See `ellipse_components`.

    Returns
    -------
    angle : `torch.Tensor` or `~numpy.ndarray`
        From -pi/2 to pi/2 in radians.
    """
    return 0.5 * _library(e1).atan2(e2, e1)


def ellipse_shape(e1, e2):
    """
    Compute ellipticity and angle from the two components.

    Parameters
    ----------
    e1, e2 : `torch.Tensor` or `~numpy.ndarray`
        See `ellipse_components`.

    Returns
    -------
    eps, angle : `torch.Tensor` or `~numpy.ndarray`
        See `ellipticity` and `position_angle`.
    """
    return ellipticity(e1, e2), position_angle(e1, e2)
