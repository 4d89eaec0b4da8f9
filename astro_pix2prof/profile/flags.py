# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Bit flags of rings, profiles and structural parameters.
"""

import enum

import numpy as np

__all__ = ['GalaxyFlag', 'RingFlag', 'StructureFlag', 'decode_flags',
           'decode_structure_flags']


class RingFlag(enum.IntFlag):
    """
    What to know about one row of a profile.
    """

    #: The intensity is not positive: the surface brightness is NaN.
    NEGATIVE = 1
    #: The signal-to-noise ratio of the ring is below 1.
    LOW_SNR = 2
    #: The ellipse carries on the outermost fitted one.
    EXTENDED = 4
    #: No good fit at this radius: the ellipse is interpolated.
    INTERPOLATED = 8
    #: The ellipse was given or held, not fitted.
    FIXED_GEOMETRY = 16
    #: Less than half of the ring was usable.
    FEW_PIXELS = 32
    #: Saturated pixels on the ring.
    SATURATED = 64
    #: The ring leaves the frame.
    EDGE = 128
    #: Inside the core of the PSF, or the innermost pixel.
    UNRESOLVED = 256
    #: The value does not come from pixels of this ring.
    EXTRAPOLATED = 512


class GalaxyFlag(enum.IntFlag):
    """
    What to know about a whole profile: ``profile.meta['flag']``.
    """

    #: No zero point: magnitudes are NaN.
    UNCALIBRATED = 1
    #: The first geometry led nowhere, a later one did.
    SECOND_GUESS = 2
    #: No isophote could be fitted: annuli of fixed shape.
    FIXED_ELLIPSES = 4
    #: The galaxy has no clear centre.
    CENTRE_UNCERTAIN = 8
    #: The galaxy was found far from the position.
    CENTRE_OFFSET = 16
    #: Another object touches the galaxy.
    NEIGHBOUR = 32
    #: The galaxy reaches the edge of the frame.
    TRUNCATED = 64
    #: The centre is saturated.
    SATURATED = 128
    #: Too little sky in the frame: its level is that of the outskirts.
    SKY_UNCERTAIN = 256
    #: Nothing significant at the position.
    NO_SOURCE = 512
    #: The image is unlike those that the network was trained on.
    OUT_OF_DOMAIN = 1024
    #: The ellipses come from another profile.
    FORCED = 2048
    #: More than half of a bright ring is masked.
    HEAVILY_MASKED = 4096
    #: The initial geometry was of no use: measured without it.
    NO_INITIAL = 8192
    #: Nothing was measured; ``message`` says why.
    FAILED = 16384
    #: As compact as the point-spread function: a star, or not resolved.
    POINT_SOURCE = 32768
    #: The noise is not as stated, correlated or uneven: no error holds.
    WRONG_NOISE = 65536


def decode_flags(value, kind='ring'):
    """
    The names of the bits that are set.

    Parameters
    ----------
    value : int or array-like of int
        A flag, or a column of flags.

    kind : {'ring', 'galaxy'}, optional
        'ring' for the column ``flag``, 'galaxy' for ``meta['flag']``.

    Returns
    -------
    names : list of str, or list of such lists

    Raises
    ------
    ValueError
        If ``kind`` is neither of the two.

    Examples
    --------
    >>> from astro_pix2prof import decode_flags
    >>> decode_flags(5)
    ['NEGATIVE', 'EXTENDED']
    >>> decode_flags([0, 2])
    [[], ['LOW_SNR']]
    >>> decode_flags(96, kind='galaxy')
    ['NEIGHBOUR', 'TRUNCATED']
    """
    kinds = {'ring': RingFlag, 'galaxy': GalaxyFlag}
    if kind not in kinds:
        msg = f"kind must be 'ring' or 'galaxy', got {kind!r}"
        raise ValueError(msg)
    if np.ndim(value):
        return [decode_flags(v, kind) for v in np.asarray(value).tolist()]
    return [bit.name for bit in kinds[kind] if int(value) & bit]


class StructureFlag(enum.IntFlag):
    """
    What to know about the structural parameters.
    """

    #: No zero point: magnitudes and isophotal radii are NaN.
    UNCALIBRATED = 1
    #: Fewer than five usable rings: nothing was measured.
    TOO_FEW_RINGS = 2
    #: The growth curve has not levelled off: the total is the aperture's.
    NOT_ASYMPTOTIC = 4
    #: The profile does not reach one of the isophotal levels.
    LEVEL_NOT_REACHED = 8
    #: The profile does not reach the Petrosian radius, or twice of it.
    PETROSIAN_NOT_REACHED = 16
    #: The Sersic fit failed.
    SERSIC_FAILED = 32
    #: The Sersic + exponential fit failed.
    BULGE_DISC_FAILED = 64
    #: No disc scale length could be fitted.
    DISC_FAILED = 128


def decode_structure_flags(value):
    """
    The names of the `StructureFlag` bits that are set.

    Parameters
    ----------
    value : int
        A flag.

    Returns
    -------
    names : list of str
    """
    return [bit.name for bit in StructureFlag if int(value) & bit]
