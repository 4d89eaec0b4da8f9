# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of weighing a step in the light of a galaxy against its structure.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from astro_pix2prof.fitting.step_evidence import step_evidence

SAME = np.ones(6)


def _noise(seed, size=0.03, shape=(6, 30)):
    return size * np.random.default_rng(seed).normal(size=shape)


def test_size_and_error():
    """
    Steps are those put in, and exceed their scatter by more than stated.
    """
    variance = np.full((6, 30), 0.03**2)
    sizes, sures = np.array([step_evidence(
        _noise(seed) + 0.1 * (np.arange(30) >= 14), variance, 14, SAME)[:2]
        for seed in range(200)]).T
    assert np.mean(sizes) == pytest.approx(0.1, abs=0.003)
    # (with noise alone, 72 pixels on each side: 0.005; the structure that
    # galaxies may have makes the error larger)
    assert 0.006 < np.std(sizes) < 0.014
    # (structure of that size counts against the step)
    assert 5 < np.median(sures) < 0.1 / np.std(sizes)


def test_nothing():
    variance = np.full((6, 30), 0.03**2)
    sures = [step_evidence(_noise(seed), variance, 14, SAME)[1]
             for seed in range(200)]
    assert np.mean(np.array(sures) > 2) < 0.1
    assert max(sures) < 4.5


def test_structure():
    """
    Structure of the same size as the step explains it; little does not.
    """
    variance = np.full((6, 30), 0.003**2)
    step = np.where(np.arange(30) < 14, -0.03, 0.03)
    found = []
    for size in (0.02, 0.3):
        arms = gaussian_filter1d(_noise(3, size), 1.4, axis=1)
        found.append(step_evidence(arms + step, variance, 14, SAME)[1])
        assert step_evidence(arms, variance, 14, SAME)[1] < 3
    assert found[0] > 6 > 3 > found[1]
    # (as smooth as a point-spread function makes it)
    smooth = gaussian_filter1d(np.tile(step, (6, 1)), 2, axis=1)
    assert step_evidence(smooth + _noise(4, 0.003), variance, 14, SAME)[1] < 3


def test_bands():
    """
    Bands count by their weights; those that do not agree do not count.
    """
    variance = np.full((6, 30), 0.03**2)
    step = 0.15 * (np.arange(30) >= 14)
    assert step_evidence(_noise(0) + step, variance, 14, SAME)[
        2] == pytest.approx(6)
    few = variance.copy()
    few[2:] *= 1e6
    assert step_evidence(_noise(0) + step, few, 14, SAME)[
        2] == pytest.approx(2, abs=0.1)
    slope = np.array([1, -1, 1, -1, 1, -1])
    assert step_evidence(_noise(0) + step, variance, 14, slope)[1] == 0
    size, sure, _ = step_evidence(_noise(0) + step * slope[:, None], variance,
                                  14, slope)
    assert size == pytest.approx(0.15, abs=0.03)
    assert sure > 6


def test_missing_pixels():
    variance = np.full((6, 30), 0.03**2)
    off = _noise(0) + 0.15 * (np.arange(30) >= 14)
    usual = step_evidence(off, variance, 14, SAME)
    missing = np.random.default_rng(1).random(off.shape) < 0.1
    found = step_evidence(np.where(missing, np.nan, off),
                          np.where(missing, np.inf, variance), 14, SAME)
    assert found == pytest.approx(usual, rel=0.25)
    # (near an end, and bands without pixels)
    assert step_evidence(off[:, 9:], variance[:, 9:], 5, SAME)[1] > 4
    variance[1:] = np.inf
    assert step_evidence(off, variance, 14, SAME) == (0.0, 0.0, 0.0)
