# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Rings, masks and files of a fit, in the pixels of its image.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.fitting.fit import ProfileFit

__all__ = ['FitRings', 'check_fit', 'fit_rings', 'masked_pixels', 'new_path']


@dataclass
class FitRings:
    """
    The rings of a fit that have an ellipse and a value.

    Attributes
    ----------
    rows : 1D `~numpy.ndarray` of int, shape (n,)
        Their rows in the profile.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, ellipticities, and angles in radians from
        +x, which go on without jumps along radius.

    intensity, intensity_err : 1D `~numpy.ndarray`, shape (n,)
        Mean pixel values, and their errors.
    """

    rows: np.ndarray
    sma: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    intensity: np.ndarray
    intensity_err: np.ndarray


def check_fit(fit):
    """
    Refuse anything but the result of a fit.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The fit.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(fit, ProfileFit):
        msg = ('fit must be the result of the method fit of a fitter, got '
               f'{type(fit).__name__}')
        raise TypeError(msg)


def fit_rings(fit):
    """
    Collect the rings of a fit that have an ellipse and a value.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The fit.

    Returns
    -------
    rings : `FitRings`

    Raises
    ------
    TypeError
        If ``fit`` is no fit.

    ValueError
        If no ring has an ellipse and a value.
    """
    check_fit(fit)
    sma, eps, theta, value = (np.asarray(part, dtype=float) for part in (
        fit.sma, fit.eps, fit.theta, fit.intensity))
    rows = np.nonzero(np.isfinite(sma + eps + theta + value))[0]
    if not len(rows):
        msg = ('fit must have rings with an ellipse and a value, got none '
               f'in {len(sma)}')
        raise ValueError(msg)
    error = np.asarray(fit.profile['intensity_err'].value, dtype=float)
    error = error / fit.cutout.intensity_scale
    # (half turns make no difference to an ellipse, but splines of angles
    # take a jump for a turn)
    angle = np.unwrap(np.radians(theta[rows]), period=np.pi)
    return FitRings(rows, sma[rows], eps[rows], angle, value[rows],
                    error[rows])


def masked_pixels(fit):
    """
    Tell bad pixels and other objects apart.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The fit.

    Returns
    -------
    bad, others : 2D bool `~numpy.ndarray`
        Bad pixels; and pixels of other objects, which the fitter masked or
        whose weight is low.
    """
    bad = np.array(fit.cutout.mask, dtype=bool)
    others = np.array(fit.mask, dtype=bool)
    seen = fit.object_mask()
    if seen is not None:
        others |= seen
    return bad, others & ~bad


def new_path(path, overwrite) -> Path:
    """
    Check that a file may be written.

    Parameters
    ----------
    path : str or path-like
        The file.

    overwrite : bool
        Whether to replace a file that exists.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    FileExistsError
        If it exists and is not to be replaced.

    ValueError
        If it is an address.
    """
    path = find_path(path, 'path')
    if is_address(path):
        msg = (f'path={str(path)!r} is an address: results are written to '
               'files of this machine')
        raise ValueError(msg)
    if path.exists() and not overwrite:
        msg = f'{path} exists; give overwrite=True to replace it'
        raise FileExistsError(msg)
    return Path(path)
