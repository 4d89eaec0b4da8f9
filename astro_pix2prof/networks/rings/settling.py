# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Last steps of flat ellipses, to where the light along them is even.

A network that was trained on many kinds of galaxy draws the ellipses of a
thin disc towards those of usual galaxies; an axis ratio of 0.15 instead of
0.12 makes the outer profile half a magnitude too faint. The pixels of all
rings together tell the axis ratio better. Only flat ellipses take these
steps: where galaxies are round, arms and bars vary as the second harmonic
too, and the network tells them apart.
"""

import math

import torch

from astro_pix2prof.networks.ellipse import ellipticity, position_angle
from astro_pix2prof.networks.rings.harmonics import harmonic_step
from astro_pix2prof.networks.rings.layers import (
    average_rings,
    log_shape,
    shape_of_log,
)

__all__ = ['flatness', 'has_flat_ellipses', 'settle_ellipses']


# The ellipticities at which steps begin, and are taken wholly.
_FROM, _WHOLE = 0.55, 0.7
# How far the network's axis ratios are off, as a logarithm: so much where the
# light is bright, a part of the noise of a step more where it is faint, and
# at most so much; and over how much of the logarithm of the radius alike.
_SURE, _OF_NOISE, _SPREAD, _LENGTH = 0.04, 0.6, 0.15, 0.15
# Besides, those of a galaxy may all be off alike by so much, or not at all,
# which is more likely by so much (a logarithm): isophotes that are no ellipses
# have steps that are off alike, too.
_COMMON, _LIKELY = (0.0, 0.2), (10.0, 0.0)
# Axis ratios change smoothly with the radius: they may have any value, but the
# same over so much of its logarithm.
_ANY, _SMOOTH = 2.0, 0.35
# Two rings at one radius must not be the same to the last bit.
_APART = 0.01
# The error that the step of a ring has besides its noise.
_LEAST = 0.05
# Isophotes that are no ellipses, of a disc within a rounder halo, have as
# many best ellipses as there are ways to count directions: how much of the
# difference of two is an error.
_ODD = 2.5
# How many steps, and how far those after the first are taken: of very thin
# ellipses a whole step goes too far.
_STEPS, _PART = 3, 0.7


def flatness(eps):
    """
    Compute how far ellipses count as flat, from 0 to 1.

    Parameters
    ----------
    eps : `torch.Tensor`
        Ellipticities.

    Returns
    -------
    share : `torch.Tensor`
        Of the same shape.
    """
    return ((eps - _FROM) / (_WHOLE - _FROM)).clamp(0, 1)


def has_flat_ellipses(e):
    """
    Tell which galaxies have ellipses that `settle_ellipses` changes.

    Parameters
    ----------
    e : `torch.Tensor`, shape (B, K, 2)
        The ellipses: ellipticity times cosine and sine of twice the angle.

    Returns
    -------
    found : `torch.Tensor` of bool, shape (B,)
    """
    return (ellipticity(*e.unbind(-1)) > _FROM).any(-1)


@torch.no_grad()
def settle_ellipses(look, radii, e, weight):
    """
    Take steps to flat ellipses along which the light is even.

    The step of each ring (`harmonic_step`; Jedrzejewski 1987, MNRAS 226,
    747) has an error, and so have the ellipses that the network found. Both
    are measurements of axis ratios that are drawn as a Gaussian process of
    the logarithm of the radius (Rasmussen & Williams 2006, Gaussian Processes
    for Machine Learning, eq. 2.25). Whether the network is wrong in all
    rings alike is told by how well its ellipses and the steps agree (the
    marginal likelihood, eq. 2.30). All directions as seen from the centre
    count alike, as for the true ellipses of the training.

    Parameters
    ----------
    look : callable
        Of ellipses, shape (B, K, 2): the light along them and how usable it
        is, each (B, K, T), and the number of independent samples, (B, K).

    radii : `torch.Tensor`, shape (K,)
        Semi-major axes.

    e : `torch.Tensor`, shape (B, K, 2)
        The ellipses: ellipticity times cosine and sine of twice the angle.

    weight : `torch.Tensor`, shape (B, K, T)
        How far each point belongs to the galaxy.

    Returns
    -------
    e : `torch.Tensor`, shape (B, K, 2)
        The ellipses after the steps.
    """
    share = flatness(ellipticity(*e.unbind(-1)))[..., None]
    first, taken = log_shape(e), torch.zeros_like(e)
    expected = weights = None
    for k in range(_STEPS):
        value, valid, number = look(e)
        part = weight * valid
        # points at equal angles as seen from the centre, or at equal steps
        # of the eccentric anomaly
        (step, error), (even, other) = (
            harmonic_step(value, part * counts, radii, e, number,
                          shrink=False)
            for counts in (_directions(e, value.shape[-1]), 1.0))
        apart = average_rings(even - step, 5)
        noise = 0.5 * (error.square() + other.square())
        own = torch.diag_embed(noise + _LEAST**2
                               + (_ODD * apart).square().sum(-1))
        if expected is None:
            spread = (_SURE + _OF_NOISE * average_rings(noise.sqrt(), 5)
                      ).clamp(max=_SPREAD)
            expected = _expect(first, spread, radii)
        drawn, evidence = _draw(expected, share * taken + step, own)
        if weights is None:
            weights = evidence.softmax(0)[..., None, None]
        drawn = (weights * drawn).sum(0)
        taken = drawn if k == 0 else torch.lerp(taken, drawn, _PART)
        e = shape_of_log(first + share * taken)
    return e


def _expect(first, spread, radii):
    """
    Calculate what is known of ellipses before any step.

    Of the changes to those of the network, of which errors are given, that
    make them smooth: means (M, B, K, 2), covariances (M, B, K, K) and the
    logarithm of the likelihood (M, B), for each of the M ways to be wrong.
    """
    # (in double precision: processes as smooth as this one need it)
    log_radius = torch.log(radii.clamp(min=0.5)).double()
    distance = (log_radius[:, None] - log_radius).abs()
    smooth = _ANY**2 * torch.exp(-0.5 * (distance / _SMOOTH)**2)
    spread = spread.double()[..., None]
    error = spread * torch.exp(-distance / _LENGTH) * spread.mT
    error = error + _APART**2 * torch.eye(
        len(radii), device=error.device, dtype=error.dtype)
    error = torch.stack([error + common**2 for common in _COMMON])
    root = torch.linalg.cholesky(smooth + error)
    first = first.double()
    solved = torch.cholesky_solve(first, root)
    likely = torch.tensor(_LIKELY, device=error.device, dtype=error.dtype)
    covariance = error - error @ torch.cholesky_solve(error, root)
    return (-(error @ solved).float(), covariance.float(),
            (likely[:, None] + _likelihood(first, solved, root)).float())


def _draw(expected, change, own):
    """
    Draw the changes of all rings together from those of each.

    Each way to be wrong gives changes (M, B, K, 2) and a logarithm of the
    likelihood (M, B).
    """
    mean, covariance, likelihood = expected
    off = change - mean
    root = torch.linalg.cholesky(covariance + own)
    solved = torch.cholesky_solve(off, root)
    return (mean + covariance @ solved,
            likelihood + _likelihood(off, solved, root))


def _likelihood(value, solved, root):
    """
    Calculate the logarithm of a Gaussian likelihood but for a constant.
    """
    size = torch.diagonal(root, dim1=-2, dim2=-1).log().sum(-1)
    return (-0.5 * (value * solved).sum((-2, -1))
            - value.shape[-1] * size)


def _directions(e, n_angle):
    """
    Compute how far points count by the angle that each stands for.

    Shape (B, K, T), with a mean of 1.
    """
    q = 1 - ellipticity(*e.unbind(-1))[..., None]
    t = torch.arange(n_angle, device=e.device) * (2 * math.pi / n_angle)
    anomaly = t - position_angle(*e.unbind(-1))[..., None]
    stands = q / (torch.cos(anomaly)**2 + (q * torch.sin(anomaly))**2)
    return stands / stands.mean(-1, keepdim=True)
