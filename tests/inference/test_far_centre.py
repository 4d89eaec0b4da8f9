# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of galaxies that are far from where they are looked for.
"""

import numpy as np
import pytest
import torch

from astro_pix2prof import GalaxyFlag, Pix2ProfFitter
from astro_pix2prof.networks.rings.far import is_on_its_way


def make_galaxy(centre, side=192, sigma=0.02):
    """
    An exponential disc of r_e 8 px, axis ratio 0.7, and its noise.
    """
    y, x = np.mgrid[:side, :side]
    dx, dy = x - centre[0], y - centre[1]
    r = np.hypot(dx * 0.8 + dy * 0.6, (dy * 0.8 - dx * 0.6) / 0.7)
    noise = np.random.default_rng(12).normal(0, sigma, (side, side))
    return 3 * np.exp(-r / 5.0) + noise


@pytest.fixture(scope='module', name='fitter')
def fixture_fitter():
    return Pix2ProfFitter()


@pytest.mark.parametrize('angle', [0, 80, 150, 220, 290])
def test_far(fitter, angle):
    """
    The centre arrives, and the profile is that of the galaxy.
    """
    t = np.radians(angle)
    centre = 95.5 + 36 * np.array([np.cos(t), np.sin(t)])
    profile = fitter(make_galaxy(centre), unit='nmgy', pixel_scale=0.4)
    assert profile.meta['x_centre'] == pytest.approx(centre[0], abs=0.3)
    assert profile.meta['y_centre'] == pytest.approx(centre[1], abs=0.3)
    sma = profile['radius'].value / 0.4
    part = (sma > 2) & (sma < 20)
    true = 3 * np.exp(-sma[part] / 5.0) / 0.16
    change = np.log(profile['intensity'].value[part] / true)
    assert np.median(np.abs(change)) < 0.03


def test_is_on_its_way():
    """
    Those that came far and still move; of one stage, from the start.
    """
    start = torch.zeros(4, 2)
    last = torch.tensor([[10.0, 0], [10, 0], [3, 4], [0, 0]])
    before = torch.tensor([[9.0, 0], [9.9, 0], [2, 3], [5, 5]])
    found = is_on_its_way(start, [before, last])
    assert found.tolist() == [True, False, False, False]
    assert is_on_its_way(start, [last]).tolist() == [
        True, True, False, False]


def test_looks_again(fitter):
    """
    Only galaxies that may be far, and are, are looked at again.
    """
    side, far = 128, torch.tensor([True, True, False])
    image = torch.tensor(np.array([make_galaxy(centre, side) for centre in (
        (80.0, 72.0), (65.0, 62.0), (80.0, 72.0))])).float() / 0.02
    start = torch.full((3, 2), 63.5)
    good = torch.ones(image.shape, dtype=torch.bool)
    with torch.inference_mode():
        plain = fitter.network(image, good, start)
        found = fitter.network(image, good, start, far=far)
    last = [profile.centres[-1] - profile.centres[-2]
            for profile in (plain, found)]
    assert torch.hypot(*last[1][0]) < torch.hypot(*last[0][0])
    np.testing.assert_allclose(found.centre[0], (80, 72), atol=0.2)
    np.testing.assert_allclose(found.value[1:], plain.value[1:], atol=1e-4)


def test_larger_frame(fitter):
    """
    Of a frame that is larger than a square, another square is cut.
    """
    side = 400
    centre = np.array((215.0, 211.0))
    profile = fitter(make_galaxy(centre, side), unit='nmgy', pixel_scale=0.4)
    assert profile.meta['x_centre'] == pytest.approx(centre[0], abs=0.3)
    assert profile.meta['y_centre'] == pytest.approx(centre[1], abs=0.3)


def test_neighbour(fitter):
    """
    From a position that was given, it does not go on to another galaxy.
    """
    image = make_galaxy((125.0, 110.0)) + 0.05 * make_galaxy((95.5, 95.5))
    profile = fitter(image, unit='nmgy', pixel_scale=0.4,
                     position=(95.5, 95.5))
    assert not np.hypot(profile.meta['x_centre'] - 125,
                        profile.meta['y_centre'] - 110) < 2 or (
        profile.meta['flag'] & GalaxyFlag.CENTRE_OFFSET)


def test_batch(fitter):
    """
    Others of a batch are measured as they are alone.
    """
    images = [make_galaxy(centre) for centre in (
        (96.0, 95.0), (67.9, 72.4), (98.0, 94.0))]
    options = {'unit': 'nmgy', 'pixel_scale': 0.4}
    batch, = fitter.fit_many(images, **options)
    for k, image in enumerate(images):
        alone = fitter(image, **options)
        np.testing.assert_allclose(
            batch[k]['surface_brightness'].value,
            alone['surface_brightness'].value, atol=1e-3)
