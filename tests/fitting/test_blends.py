# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Two galaxies that were measured as one, and skies that are not flat, as the
flags of both fitters show them.
"""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting import blends
from astro_pix2prof.fitting.blends import (
    _mirrored,
    core_asymmetry,
    is_blended,
    lopsided_light,
)
from astro_pix2prof.profile.flags import GalaxyFlag

N, CENTRE, SIGMA = 160, (80.0, 79.0), 0.03
OPTIONS = {'zeropoint': 22.5, 'pixel_scale': 0.4}


@pytest.fixture(scope='module', params=[Pix2ProfFitter, IsophoteFitter])
def fitter(request):
    return request.param()


def galaxy(dx=0.0, dy=0.0, *, light=1.0, r_e=8.0, n=1.0):
    y, x = np.mgrid[:N, :N]
    image = Sersic2D(0.4 * light, r_e, n, CENTRE[0] + dx, CENTRE[1] + dy,
                     ellip=0.4, theta=0.5)(x, y)
    return gaussian_filter(image, 1.2)


def noisy(image, seed=0):
    return image + np.random.default_rng(seed).normal(0, SIGMA, image.shape)


def blended(image, mask=None, factor=1.0):
    if mask is None:
        mask = np.zeros(image.shape, bool)
    return is_blended(factor * image, mask, CENTRE, factor * SIGMA)


class TestIsBlended:
    @pytest.mark.parametrize('angle', [0.5, 1.5, 3.0, 5.0])
    @pytest.mark.parametrize('light', [0.6, 1.0])
    def test_second_galaxy(self, angle, light):
        second = galaxy(12 * np.cos(angle), 12 * np.sin(angle), light=light)
        image = noisy(galaxy() + second)
        assert blended(image)
        assert blended(image, factor=1e-25)

    def test_no_peak(self):
        """
        Light on one side, whose peak the smoothing hides.
        """
        image = gaussian_filter(galaxy(), 3) + gaussian_filter(
            galaxy(10.0, 3.0), 3)
        assert blended(noisy(image))

    @pytest.mark.parametrize('seed', range(3))
    @pytest.mark.parametrize('n', [0.6, 1.0, 3.5])
    def test_alone(self, n, seed):
        assert not blended(noisy(galaxy(n=n), seed))
        assert not blended(noisy(galaxy(n=n, light=0.15), seed))

    def test_arms_and_lane(self):
        """
        Two arms, and a lane across one side.
        """
        y, x = np.mgrid[:N, :N]
        dx, dy = x - CENTRE[0], y - CENTRE[1]
        radius = np.hypot(dx, dy)
        arms = 1 + 0.6 * np.cos(2 * (np.arctan2(dy, dx) - 0.2 * radius))
        assert not blended(noisy(galaxy() * arms))
        lane = 1 - 0.5 * np.exp(-0.5 * ((dy - 3) / 1.5)**2)
        assert not blended(noisy(galaxy() * lane))

    @pytest.mark.parametrize('turn', range(4))
    @pytest.mark.parametrize('wound', [2.5, -2.5, 4.0])
    def test_one_arm(self, turn, wound):
        """
        More light than opposite, in all directions; the same on one side.
        """
        y, x = np.mgrid[:N, :N]
        dx, dy = x - CENTRE[0], y - CENTRE[1]
        radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx) - turn
        disc = 2 * np.exp(-radius / 10)
        arm, side = (gaussian_filter(disc * (1 + 0.8 * np.cos(
            angle - k * np.log(np.maximum(radius, 2)))), 1.2)
            for k in (wound, 0.0))
        assert not blended(noisy(arm, turn))
        assert blended(noisy(side, turn))

    def test_faint_object_and_mask(self):
        image = noisy(galaxy() + galaxy(20, 0, light=0.1, r_e=2.0))
        assert not blended(image)
        image = noisy(galaxy() + galaxy(12, 0))
        y, x = np.mgrid[:N, :N]
        mask = np.hypot(x - CENTRE[0] - 14, y - CENTRE[1]) < 12
        assert not blended(image, mask | (x - CENTRE[0] > 5))
        assert not blended(image, np.ones(image.shape, bool))

    def test_nothing(self):
        assert not blended(np.zeros((N, N)))
        assert not blended(-galaxy())


class TestFlags:
    def test_blend(self, fitter):
        alone, both = (fitter(noisy(image), **OPTIONS) for image in (
            galaxy(), galaxy() + galaxy(9.0, 8.0, light=0.8)))
        assert not alone.meta['flag'] & GalaxyFlag.NEIGHBOUR
        assert both.meta['flag'] & GalaxyFlag.NEIGHBOUR

    def test_sky(self, fitter):
        """
        A bowl enters the errors of all rings, and is flagged.
        """
        y, x = (np.mgrid[:N, :N] - N / 2) / N
        flat, bent = (fitter(noisy(galaxy() + size * SIGMA * (x**2 + y**2)),
                             **OPTIONS) for size in (0, 2))
        assert not flat.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
        assert flat.meta['sky_err'] < 0.06 * SIGMA
        assert bent.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
        assert bent.meta['sky_err'] > 0.15 * SIGMA
        radius = 13.0
        small, large = (np.interp(radius, p['radius'].value,
                                  p['intensity_err'].value)
                        for p in (flat, bent))
        assert large > small


@pytest.mark.parametrize('centre', [(20.0, 11.0), (19.5, 12.25), (3.3, 30.7),
                                    (-2.2, 12.1)])
def test_mirrored(centre):
    """
    The point-symmetric image is that of scipy.
    """
    image = np.random.default_rng(0).normal(size=(31, 41))
    image[5, 7] = np.nan
    rows, columns = np.indices(image.shape)
    np.testing.assert_allclose(_mirrored(image, centre), map_coordinates(
        image, [2 * centre[1] - rows, 2 * centre[0] - columns], order=1,
        cval=np.nan), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('r_e', [2.0, 8.0, 16.0])
@pytest.mark.parametrize('centre', [CENTRE, (6.0, 150.2)])
def test_small_window(monkeypatch, r_e, centre):
    """
    Of small galaxies, the part that is looked at makes no difference.
    """
    image = noisy(galaxy(r_e=r_e) + galaxy(9.0, 8.0, light=0.3))
    mask = np.zeros(image.shape, bool)
    light = []
    monkeypatch.setattr(blends, 'lopsided_light', lambda *args: light.append(
        lopsided_light(*args)) or 0.0)
    for window in (blends._SMALL, blends._WINDOW):
        monkeypatch.setattr(blends, '_SMALL', window)
        is_blended(image, mask, centre, SIGMA)
    assert light[0] == light[1]


class TestCoreAsymmetry:
    def measure(self, image, centre=CENTRE, mask=None, **options):
        if mask is None:
            mask = np.zeros(image.shape, bool)
        return core_asymmetry(image, mask, centre, SIGMA, **options)

    def test_known(self):
        """
        Light that rises across the core, by a twentieth in a pixel.
        """
        y, x = np.mgrid[:N, :N] - np.array(CENTRE[::-1])[:, None, None]
        near = (np.hypot(x, y) > 1.5) & (np.hypot(x, y) < 7)
        # (differences of x, of sums of 20)
        true = np.abs(x[near]).mean() / 20
        assert self.measure(10 + 0.5 * x) == pytest.approx(true, abs=0.01)
        assert self.measure(10 - 0.5 * y) == pytest.approx(true, abs=0.01)
        assert self.measure(np.full((N, N), 10.0)) == 0

    @pytest.mark.parametrize('n', [1.0, 4.0])
    def test_even(self, n):
        image = noisy(galaxy(n=n))
        assert self.measure(image) < 0.01
        assert self.measure(noisy(np.zeros((N, N)))) == 0
        # half a pixel beside the centre
        assert self.measure(image, (CENTRE[0] + 1.5, CENTRE[1])) > 0.02

    def test_photons(self):
        rng = np.random.default_rng(3)
        image = noisy(rng.poisson(100 * galaxy()) / 100)
        assert self.measure(image, gain=100.0) < 0.01

    def test_few_pixels(self):
        image = noisy(galaxy())
        mask = np.ones(image.shape, bool)
        mask[75:84, 80:] = False
        assert self.measure(image, mask=mask) == 0
        assert self.measure(image, (-40.0, 5.0)) == 0
        # what is hidden on one side has no pair
        image[:, 83:] += 5
        assert self.measure(image) > 0.2
        mask = np.zeros(image.shape, bool)
        mask[:, 83:] = True
        assert self.measure(image, mask=mask) < 0.01

    @pytest.mark.parametrize('seed', [1, 2, 3])
    def test_star_in_the_core(self, seed):
        """
        Isophotes about a centre between the two said nothing.
        """
        rng = np.random.default_rng(seed)
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[:N, :N]
        far = np.hypot(x - CENTRE[0] - 4.6 * np.cos(angle),
                       y - CENTRE[1] - 4.6 * np.sin(angle))
        image = galaxy(light=8.0) + 8.0 * np.exp(-0.5 * (far / 1.3)**2)
        profile = IsophoteFitter()(noisy(image, seed), position=CENTRE,
                                   **OPTIONS)
        assert profile.meta['flag'] & GalaxyFlag.CENTRE_UNCERTAIN
        alone = IsophoteFitter()(noisy(galaxy(light=8.0), seed),
                                 position=CENTRE, **OPTIONS)
        assert alone.meta['flag'] == 0
