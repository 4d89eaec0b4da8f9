# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of images whose bad pixels hold the profile of the galaxy.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from astro_pix2prof.ellipses.annuli import sample_rings
from astro_pix2prof.ellipses.model import ellipse_model
from astro_pix2prof.inference.radii import (
    clean_image,
    means_of_samples,
    pixel_means,
)

SHAPE = (90, 101)


def make_image():
    return np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


@pytest.fixture(name='rings')
def make_rings():
    sma = np.append(0.0, np.geomspace(0.5, 40, 30))
    mask = np.random.default_rng(0).random(SHAPE) < 0.03
    return SimpleNamespace(
        cutout=SimpleNamespace(mask=mask, gain=30.0), centre=(50.3, 44.1),
        sma=sma, eps=np.linspace(0.1, 0.6, 31), sky=2.5, noise=1.0,
        theta=np.linspace(0.2, 1.1, 31), intensity=90 * np.exp(-sma / 9),
        noise_correlation=1.2)


@pytest.fixture(name='prepared')
def make_prepared():
    return SimpleNamespace(image=make_image(), sky=2.0)


@pytest.mark.parametrize('part', ['some', 'one', 'none', 'all'])
def test_bad_pixels_are_those_of_the_model(rings, prepared, part):
    mask = rings.cutout.mask
    mask[...] = {'some': mask, 'all': True}.get(part, False)
    mask[3, 7] |= part == 'one'
    model = ellipse_model(SHAPE, rings.centre, rings.sma, rings.eps,
                          rings.theta, rings.intensity)
    found = clean_image(rings, prepared)
    expected = np.where(mask, model, prepared.image - 0.5)
    assert found.dtype == np.float32
    assert np.array_equal(found, expected.astype(np.float32))
    assert (prepared.image == make_image()).all()

@pytest.mark.parametrize('even', [False, True])
def test_rings_that_were_sampled_have_the_same_means(rings, prepared, even):
    image = clean_image(rings, prepared)
    weight = np.random.default_rng(2).random((31, 64))
    ellipses = rings.sma, rings.eps, rings.theta
    one = pixel_means(rings, image, *ellipses, weight, even=even)
    samples = list(sample_rings(image, ~rings.cutout.mask, rings.centre,
                                *ellipses))
    for _ in range(2):
        two = means_of_samples(rings, samples, rings.theta, weight, even=even)
        for name in ('mean', 'noise', 'valid'):
            assert np.array_equal(getattr(one, name), getattr(two, name))
    assert np.all((one.valid > 0.5) & (one.valid <= 1))
    flat = pixel_means(rings, np.full(SHAPE, 3.0), *ellipses, weight)
    assert np.allclose(flat.mean, 3.0)
    assert np.array_equal(flat.valid, one.valid)
