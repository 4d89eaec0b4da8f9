# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the mask of other objects.
"""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.fitting.objects import find_objects, low_weight

SIGMA = 0.02
NEIGHBOUR = 130, 112


@pytest.fixture(name='fitter', scope='module')
def fixture_fitter():
    return Pix2ProfFitter()


def make_image(*, neighbour, seed=0):
    """
    A galaxy, and a smaller one on its outskirts.
    """
    y, x = np.mgrid[:200, :200]
    other = Sersic2D(0.8, 4, 1.0, *NEIGHBOUR, 0.2, 1.0)(x, y)
    image = Sersic2D(1.0, 14, 1.0, 100, 100, 0.4, 0.6)(x, y)
    if neighbour:
        image = image + other
    noise = np.random.default_rng(seed).normal(0, SIGMA, image.shape)
    return CCDData(image + noise, unit='nmgy'), other


class TestObjectMask:
    def test_neighbour(self, fitter):
        image, other = make_image(neighbour=True)
        fit = fitter.fit(image, pixel_scale=0.4)
        mask = fit.object_mask()
        assert mask.dtype == bool
        known = np.isfinite(fit.weight_map())
        assert not mask[~known].any()
        # most of what is brighter than the noise, and little else
        assert mask[known & (other > 2 * SIGMA)].mean() > 0.75
        assert mask[known & (other < 0.1 * SIGMA)].mean() < 0.01
        assert mask[NEIGHBOUR[1], NEIGHBOUR[0]]

    @pytest.mark.parametrize('seed', [0, 1])
    @pytest.mark.parametrize('brightness', [1.0, 0.05])
    def test_alone(self, fitter, seed, brightness):
        image, _ = make_image(neighbour=False, seed=seed)
        image.data *= brightness
        image.data += np.random.default_rng(seed).normal(
            0, SIGMA, image.shape)
        fit = fitter.fit(image, pixel_scale=0.4)
        known = np.isfinite(fit.weight_map())
        assert fit.object_mask()[known].mean() < 0.01

    def test_noise_is_no_object(self, fitter):
        # half of the outskirts of the demo galaxy weigh less than 0.5
        from astro_pix2prof import load_example

        fit = fitter.fit(load_example())
        weight, mask = fit.weight_map(), fit.object_mask()
        known = np.isfinite(weight)
        assert (weight[known] < 0.5).mean() > 0.3
        assert 0.005 < mask[known].mean() < 0.15

    def test_captioner(self):
        image, _ = make_image(neighbour=False)
        fit = Pix2ProfFitter('captioner', n_views=1).fit(image,
                                                         pixel_scale=0.4)
        assert fit.object_mask() is None
        assert fit.weight_map() is None


class TestParts:
    def scene(self):
        y, x = np.mgrid[:101, :101]
        radius = np.hypot(x - 50, y - 50)
        model = 10 * np.exp(-radius / 10)
        return x, y, radius, model

    def test_low_weight(self):
        x, y, radius, _ = self.scene()
        weight = np.where(np.hypot(x - 70, y - 50) < 4, 0.2, 0.8)
        weight[radius > 45] = np.nan
        weight[50, 50] = 0
        sma = np.linspace(0, 45, 20)
        zero = np.zeros(20)
        for scale in (1.0, 0.05):
            low = low_weight(weight * scale, (50, 50), sma, zero, zero)
            np.testing.assert_array_equal(low, weight == 0.2)
        none = low_weight(weight * np.nan, (50, 50), sma, zero, zero)
        assert not none.any()

    @pytest.mark.parametrize(('height', 'found'), [(0.3, False), (1.5, True),
                                                   (-1.5, False)])
    def test_light(self, height, found):
        # of the pixels of low weight, those with the light of an object
        x, y, _, model = self.scene()
        spot = np.hypot(x - 75, y - 60) < 3
        noise = np.random.default_rng(1).normal(0, 0.2, model.shape)
        objects = find_objects(model + height * spot + noise, model,
                               x > 65, (50, 50), 0.2)
        assert objects[60, 75] == found
        assert objects.sum() < 120

    def test_both_sides(self):
        # arms are on both sides
        x, y, _, model = self.scene()
        arms = (np.hypot(x - 75, y - 60) < 3) | (np.hypot(x - 25, y - 40) < 3)
        objects = find_objects(model + 1.5 * arms, model, x > 65, (50, 50),
                               0.2)
        assert not objects.any()

    def test_full_weight(self):
        x, y, _, model = self.scene()
        spot = np.hypot(x - 75, y - 60) < 3
        objects = find_objects(model + 1.5 * spot, model, x > 95, (50, 50),
                               0.2)
        assert not objects.any()
