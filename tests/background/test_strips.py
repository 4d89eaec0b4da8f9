# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the boxes of sky that tell the noise all over a frame.
"""

import numpy as np
import pytest

from astro_pix2prof.background.strips import SIDE, sky_boxes, sky_strips

SHAPE = (160, 256)
NONE = np.zeros(SHAPE, bool)


def _noise(seed=0):
    return np.random.default_rng(seed).normal(size=SHAPE)


@pytest.mark.parametrize('factor', [1.0, 1e-15, 1e15])
def test_even_noise(factor):
    strips = sky_strips(factor * _noise(), NONE, factor)
    assert (strips.noise == factor).mean() > 0.99
    assert strips.sky.mean() > 0.99


def test_noise_of_strips():
    x = np.arange(SHAPE[1])
    true = np.array([0.5, 3.0, 1.0, 2.0])[x // 64]
    strips = sky_strips(true * _noise(), NONE, 1.2)
    # (at borders, it is between those of the two sides)
    inside = (x[::SIDE] % 64 > 3) & (x[::SIDE] % 64 < 60)
    ratio = (strips.noise / true[::SIDE])[:, inside]
    assert abs(ratio.mean() - 1) < 0.1
    assert ratio.std() < 0.15
    # boxes are sky everywhere, though those of large noise were not all
    assert strips.sky.mean() > 0.95


def test_objects_are_no_noise():
    y, x = np.indices(SHAPE)
    image = _noise() + 300 * np.exp(-np.hypot(x - 130, y - 80) / 6)
    total, within, sky, local = sky_boxes(image, NONE, 1.0)
    assert total.shape == within.shape == sky.shape == local.shape
    middle = np.hypot(x - 130, y - 80)[1::SIDE, 1::SIDE]
    assert not sky[middle < 25].any()
    assert np.median(local[middle < 25]) == 1.0
    assert sky[middle > 60].mean() > 0.98
