# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Errors of the parameters of models that were fitted to rings.
"""

import numpy as np

__all__ = ['invert_normal', 'part_of_errors', 'with_limits']


# Errors of isophotes are those of galaxies with arms. Of a smooth galaxy,
# what they hold beside the noise of pixels is no larger than its residuals
# tell (as variances), but no less than this part of it: set on 90 Sersic
# galaxies at S/N 30 to 1500 (as in benchmarks/accuracy/psf.py; seeds 901 and
# 902).
_LEAST_PART = 0.2


def invert_normal(jac, ranges):
    """
    Invert the normal matrix of a fit, by the limits where it has no inverse.

    Parameters
    ----------
    jac : 2D `~numpy.ndarray`, shape (n, q)
        The derivatives of the residuals by the parameters.

    ranges : 1D `~numpy.ndarray`, shape (p,)
        The ranges that were allowed for the first of them.

    Returns
    -------
    inverse : 2D `~numpy.ndarray`, shape (q, q)

    limits : 2D `~numpy.ndarray`, shape (q, q)
        What the limits add to the normal matrix: zeros if it has an inverse.
        Without, a bulge that has no light left would leave the disc without
        an error, too.

    Raises
    ------
    LinAlgError
        If there is no inverse with the limits either.
    """
    normal = jac.T @ jac
    limits = np.zeros_like(normal)
    try:
        return np.linalg.inv(normal), limits
    except np.linalg.LinAlgError:
        k = np.arange(len(ranges))
        limits[k, k] = 12 / ranges**2
        return np.linalg.inv(normal + limits), limits


def part_of_errors(residuals, jac, inverse, rest, sure):
    """
    Find which part of a covariance the residuals of a fit show.

    Parameters
    ----------
    residuals : 1D `~numpy.ndarray`, shape (n,)
        The residuals, in units of the stated errors.

    jac : 2D `~numpy.ndarray`, shape (n, p)
        Their derivatives by the parameters.

    inverse : 2D `~numpy.ndarray`, shape (p, p)
        The inverse of the normal matrix.

    rest, sure : 2D `~numpy.ndarray`, shape (n, n)
        The covariance of which a part is looked for, and that of other
        errors, in the same units.

    Returns
    -------
    part : float
        Between 0.2 and 1.
    """
    # The residuals are what the fit leaves of the errors.
    left = np.eye(len(residuals)) - jac @ inverse @ jac.T
    expected, known = (np.sum((left @ part) * left) for part in (rest, sure))
    found = (residuals @ residuals - known) / max(expected, 1e-300)
    return float(np.clip(found, _LEAST_PART, 1.0))


def with_limits(covariance, ranges):
    """
    Narrow the covariance of parameters that have limits.

    Parameters
    ----------
    covariance : 2D `~numpy.ndarray`, shape (p, p)
        The covariance without limits.

    ranges : 1D `~numpy.ndarray`, shape (p,)
        The ranges that were allowed.

    Returns
    -------
    covariance : 2D `~numpy.ndarray`, shape (p, p)

    Raises
    ------
    LinAlgError
        If the covariance has no inverse.
    """
    # (the variance of what is as probable anywhere within a range)
    return np.linalg.inv(np.linalg.inv(covariance)
                         + np.diag(12 / ranges**2))
