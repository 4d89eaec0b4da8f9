# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The light beyond a profile against integrals and fits of numpy and scipy.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

from astro_pix2prof.structure import extrapolation
from astro_pix2prof.structure.extrapolation import extrapolate_light


def light_beyond(n, level, slope):
    """
    Integrate a Sersic profile of known value and slope at 1 from there on.
    """
    if slope <= 0:
        return 0.0
    return quad(lambda x: np.exp(2 * x + level + slope * n * (
        1 - np.exp(x / n))), 0, 9 * n, limit=400)[0]


@pytest.mark.parametrize('n', [0.4, 1.0, 3.0, 8.0])
@pytest.mark.parametrize('slope', [1.5, 4.0])
def test_integral(n, slope):
    found = extrapolation.light_beyond(np.array(n), np.array(0.3),
                                       np.array(slope))
    assert_allclose(found, light_beyond(n, 0.3, slope), rtol=1e-5)
    assert np.isnan(extrapolation.light_beyond(
        np.array(n), np.array(0.3), np.array(-slope)))


def by_numpy(radius, value, covariance):
    """
    Fit the outer rings with 33 indices, each with its probability.

    Returns the light for the profile, and the light and the probability of
    each index for others, as a function of the change of the rings.
    """
    error = np.sqrt(np.diag(covariance))
    use = (radius >= 0.4 * radius[-1]) & (value > 2 * error)
    r, i = radius[use] / radius[-1], value[use]
    relative = covariance[np.ix_(use, use)] / np.outer(i, i)
    # (any ring is off by a hundredth, the slope is 3.0 +- 1.5)
    relative += 1e-4 * np.eye(len(i))
    whole = np.zeros((len(i) + 1,) * 2)
    whole[:-1, :-1], whole[-1, -1] = relative, 1.5**2
    root = np.linalg.inv(np.linalg.cholesky(whole))
    indices = np.geomspace(0.4, 10, 33)
    fits, chi2, information = [], [], []
    for n in indices:
        design = np.vstack([np.stack([np.ones(len(i)), n * (
            1 - r**(1 / n))], -1), [0, 1]])
        want = np.append(np.log(i), 3.0)
        found = np.linalg.lstsq(root @ design, root @ want, rcond=None)[0]
        fits.append((root @ design, found))
        chi2.append(((root @ (want - design @ found))**2).sum())
        information.append(np.linalg.slogdet(
            (root @ design).T @ (root @ design))[1])
    chi2 = np.array(chi2)
    log_p = (-0.5 * chi2 / max(chi2.min() / max(len(i) - 3, 1), 1)
             - 0.5 * np.array(information)
             - 0.5 * (np.log(indices / 2) / 0.8)**2)
    prob = np.exp(log_p - log_p.max())
    prob[[found[1] <= 0 for _, found in fits]] = 0
    prob /= prob.sum()

    def light(change):
        want = root @ np.append(np.log(i) + change[use] / i, 3.0)
        return np.array([light_beyond(n, *np.linalg.lstsq(
            design, want, rcond=None)[0]) for n, (design, _) in zip(
                indices, fits, strict=True)])

    return light, prob


@pytest.mark.parametrize('kind', ['disc', 'spheroid', 'rough', 'sky', 'few'])
def test_as_numpy(kind):
    rng = np.random.default_rng(2)
    radius = np.linspace(0.0, 20, 11 if kind == 'few' else 30)
    value = 50 * np.exp(-radius / 6)
    if kind == 'spheroid':
        value = 5e3 * np.exp(-5 * (radius / 4)**0.3)
    elif kind == 'rough':
        value = value * np.exp(0.1 * rng.normal(size=len(radius)))
    covariance = np.diag((0.03 * value + 0.05)**2)
    if kind == 'sky':
        covariance = covariance + 0.2**2
    samples = np.vstack([value, rng.multivariate_normal(
        value, covariance, 6)])
    found = extrapolate_light(radius, samples, 0.7, covariance,
                              np.random.default_rng(5))
    light, prob = by_numpy(radius, value, covariance)
    unit = 2 * np.pi * 0.7 * 20**2
    assert_allclose(found[0], unit * (prob @ light(0 * value)), rtol=1e-4)
    # of each version one index, drawn by its probability; with 1.6 times
    # the distance from the middle, and none below zero
    chosen = np.random.default_rng(5).choice(33, size=6, p=prob)
    drawn = np.array([unit * light(row - value)[k] for k, row in zip(
        chosen, samples[1:], strict=True)])
    middle = np.median(drawn)
    assert_allclose(found[1:], np.maximum(
        middle + 1.6 * (drawn - middle), 0), rtol=1e-4)


@pytest.mark.parametrize(('n', 'is_known'), [(4, False), (5, True)])
def test_five_rings(n, is_known):
    radius = np.append(np.linspace(0, 7.9, 9), np.linspace(8.1, 20, n))
    value = 50 * np.exp(-radius / 6)
    covariance = np.diag((0.03 * value)**2)
    found = extrapolate_light(radius, value[None], 0.7, covariance,
                              np.random.default_rng(5))
    assert (found is not None) == is_known
    # of two times their errors
    radius = np.append(radius, 19.0)[np.argsort(np.append(radius, 19.0))]
    value = 50 * np.exp(-radius / 6)
    for times, counts in ((1.9, False), (2.1, True)):
        error = 0.03 * value
        error[-2] = value[-2] / times
        found = extrapolate_light(radius, value[None], 0.7, np.diag(
            error**2), np.random.default_rng(5))
        assert (found is not None) == (is_known or counts)
