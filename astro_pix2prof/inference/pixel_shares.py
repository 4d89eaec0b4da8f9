# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Shares of what pixels say beyond the profile of a network.
"""

import numpy as np

__all__ = ['ADDED_ERROR', 'SIGNIFICANT', 'rest_error', 'significant_share']


# What the pixels of a ring say beyond the profile of the network counts from
# so many times its noise on; this part of what is added is an error.
SIGNIFICANT, ADDED_ERROR = 2.0, 0.3


def significant_share(excess, noise):
    """
    Calculate how much of what pixels say beyond a profile is to be added.

    Parameters
    ----------
    excess, noise : `~numpy.ndarray`
        The means of pixels less the profile, and their noise.

    Returns
    -------
    share : `~numpy.ndarray`
        0 to ``SIGNIFICANT`` times the noise, and from there on to 1.
    """
    sure = np.abs(excess) > SIGNIFICANT * noise
    return np.where(sure, 1 - (SIGNIFICANT * noise / np.where(
        sure, excess, 1.0))**2, 0.0)


def rest_error(excess, noise, share, *, within):
    """
    Calculate the error by what pixels say and is not added.

    Parameters
    ----------
    excess, noise, share : `~numpy.ndarray`
        As of `significant_share`.

    within : float
        Up to so many times the noise, what is left is noise.

    Returns
    -------
    error : `~numpy.ndarray`
    """
    return (1 - share) * np.maximum(np.abs(excess) - within * noise, 0.0)
