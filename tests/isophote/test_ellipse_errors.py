# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the errors of the ellipses of isophotes.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import IsophoteFitter
from astro_pix2prof.isophote.ellipse_fit import EllipseFit
from astro_pix2prof.isophote.errors import ellipse_error


def make_steps(*, miss=0.0, own=1e-6, change=0.0):
    """
    A run of ellipses of e = 0.3, and isophotes to either side of it.
    """
    sma = np.geomspace(1, 100, 41)
    thin = np.concatenate([np.arange(0, 16, 0.5), np.arange(16, 101.0)])
    eps = 0.3 + change * np.log(np.maximum(thin, 0.3) / 50)
    sides = np.where(np.arange(41) % 2, 1, -1)
    at = np.interp(sma, thin, eps)
    fit = EllipseFit(sma, at + miss * sides, np.zeros(41), np.full(41, own),
                     np.ones(41, bool), 0)
    return SimpleNamespace(ellipse_fit=fit, thin=thin, eps=eps,
                           theta=np.zeros(len(thin)))


@pytest.mark.parametrize(('options', 'expected'), [
    # twice the scatter of one component; it saturates
    ({'miss': 0.01}, 2 * 0.00707 / np.hypot(1, 0.00707 / 0.057)),
    ({'miss': 0.4}, 2 * 0.2828 / np.hypot(1, 0.2828 / 0.057)),
    ({'own': 0.004}, 1.25 * 0.004 / np.hypot(1, 0.004 / 0.018)),
    ({'change': 0.2}, 0.017 * 0.2)])
def test_ellipse_error_worked_by_hand(options, expected):
    found = ellipse_error(make_steps(**options), np.array([50.0]))
    assert_allclose(found, expected, rtol=0.01)


def test_ellipses_of_few_pixels_are_uncertain():
    found = ellipse_error(make_steps(), np.array([0.0, 1.0, 2.0, 4.0]))
    assert_allclose(found, 0.08 * 0.7 / np.array([1, 1, 4, 16]), rtol=0.01)


def test_isophotes_that_scatter_count_where_they_are():
    steps = make_steps()
    steps.ellipse_fit.eps[30:] += 0.05 * (-1)**np.arange(11)
    inner, outer = ellipse_error(steps, np.array([8.0, 70.0]))
    assert inner < 0.002
    assert outer > 0.04


def clumpy(seed, size=81, n_clumps=40):
    """
    A disc of ellipticity 0.3 with clumps.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - size // 2
    image = 40 * np.exp(-np.hypot(x, y / 0.7) / 7)
    for r, t in zip(rng.gamma(2, 7, n_clumps), rng.uniform(
            0, 2 * np.pi, n_clumps), strict=True):
        off = (x - r * np.cos(t))**2 + (y - 0.7 * r * np.sin(t))**2
        image += 20 * np.exp(-r / 7 - off / (2 * 1.5**2))
    return image + rng.normal(0, 0.5, image.shape)


def test_errors_know_that_isophotes_are_no_ellipses():
    profile = IsophoteFitter()(clumpy(4), zeropoint=25, pixel_scale=1,
                               position=(40, 40))
    use = (profile['radius'].value > 4) & (
        profile['intensity'] > 5 * profile['intensity_err'])
    off = np.abs(profile['ellipticity'][use] - 0.3)
    turned = (profile['pa'][use].value + 90) % 180 - 90
    assert use.sum() > 15
    assert np.mean(off < profile['ellipticity_err'][use]) > 0.6
    assert np.mean(np.abs(turned) < profile['pa_err'][use].value) > 0.45
