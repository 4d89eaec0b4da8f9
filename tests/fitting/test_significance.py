# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the light within ellipses, and of NO_SOURCE.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
)
from astro_pix2prof.fitting.significance import light_snr
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (128, 128)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE) - 64.0
RADIUS = np.hypot(X, Y)


def _rings(profile, **values):
    sma = np.arange(0.5, 40)
    same = np.ones(len(sma))
    return MeasuredRings(
        GalaxyCutout(np.ones(SHAPE), unit='nmgy', pixel_scale=0.4), sma,
        profile(sma), intensity_err=same, eps=0 * same, theta=0 * same,
        n_valid=same, flag=0 * same.astype(int), galaxy_flag=GalaxyFlag(0),
        centre=(64.0, 64.0), noise=1.0, **values)


def _disc(radius):
    return np.where(radius < 20, 0.3, 0.0)


class TestLight:
    # an even disc, without noise
    image = np.where(RADIUS <= 19.5, 0.3, 0.0)
    number = np.count_nonzero(RADIUS <= 19.5)

    def test_disc(self):
        snr = light_snr(self.image, NONE, _rings(_disc), noise=1.0)
        assert snr == pytest.approx(0.3 * np.sqrt(self.number))
        # any unit
        rings = _rings(lambda r: 1e-9 * _disc(r))
        snr = light_snr(1e-9 * self.image, NONE, rings, noise=2e-9)
        assert snr == pytest.approx(0.15 * np.sqrt(self.number))

    def test_map_of_the_noise(self):
        """
        It counts where it says more than the noise of the sky.
        """
        rings = _rings(_disc)
        for level, factor in ((3.0, 3.0), (0.1, 1.0)):
            rings.cutout = GalaxyCutout(
                np.ones(SHAPE), unit='nmgy', pixel_scale=0.4,
                noise=np.full(SHAPE, level))
            assert light_snr(self.image, NONE, rings, noise=1.0) == (
                pytest.approx(0.3 * np.sqrt(self.number) / factor))

    def test_errors(self):
        snr = light_snr(self.image, NONE, _rings(_disc, noise_correlation=2.0),
                        noise=1.0)
        assert snr == pytest.approx(0.15 * np.sqrt(self.number))
        # a sky that is known as well as the disc is bright
        snr = light_snr(self.image, NONE, _rings(_disc, sky_err=0.3),
                        noise=1.0)
        assert 0.9 < snr < 1.0

    def test_other_objects(self):
        image = self.image.copy()
        image[64, 70] = 1e4
        # beyond the visible part of the galaxy
        image[RADIUS > 25] = 3.0
        usual = light_snr(self.image, NONE, _rings(_disc), noise=1.0)
        snr = light_snr(image, NONE, _rings(_disc), noise=1.0)
        assert snr == pytest.approx(usual, rel=1e-3)
        mask = NONE.copy()
        mask[:64] = True
        snr = light_snr(image, mask, _rings(_disc), noise=1.0)
        assert snr == pytest.approx(usual / np.sqrt(2), rel=0.03)

    @pytest.mark.parametrize(('beyond', 'counts'), [
        (0.07, False), (0.14, True)])
    def test_faint_rings(self, beyond, counts):
        """
        Noise gives rings of 100 pixels a tenth of that of a pixel.
        """
        rings = _rings(lambda r: np.where(r < 20, 0.3, beyond))
        image = np.where(RADIUS <= 19.5, 0.3, 0.0)
        image[(RADIUS > 19.5) & (RADIUS <= 39.5)] = 0.3
        number = np.count_nonzero(RADIUS <= (39.5 if counts else 19.5))
        assert light_snr(image, NONE, rings, noise=1.0) == pytest.approx(
            0.3 * np.sqrt(number))

    def test_bright_pixels(self):
        """
        Pixels of noise count, and an object of 7 times the noise does not.

        One of 10,000 pixels is brighter than 3.7 times its noise.
        """
        level = 2.0
        image = level * self.image
        rings = _rings(lambda r: level * _disc(r))
        usual = light_snr(image, NONE, rings, noise=level)
        for above, counts in ((3.7, True), (7.0, False)):
            other = image.copy()
            other[66, 60] += above * level
            snr = light_snr(other, NONE, rings, noise=level)
            total, number = 0.3 * self.number, self.number
            expected = ((total + above) / np.sqrt(number) if counts
                        else 0.3 * np.sqrt(number - 1))
            assert snr == pytest.approx(expected)
            assert usual == pytest.approx(0.3 * np.sqrt(number))

    def test_beyond_the_frame(self):
        rings = _rings(_disc)
        rings.centre = (10.0, 64.0)
        image = np.roll(self.image, -54, 1)
        snr = light_snr(image, NONE, rings, noise=1.0)
        assert snr == pytest.approx(0.3 * np.sqrt(np.pi * 10.5**2), rel=0.05)

    def test_unknown_sky(self):
        """
        Its error is infinite, also where no pixel of a ring is left.
        """
        mask = RADIUS < 5
        rings = _rings(_disc, sky_err=np.inf)
        assert light_snr(self.image, mask, rings, noise=1.0) == 0.0

    def test_nothing(self):
        assert light_snr(self.image, NONE, _rings(_disc), noise=0.0) == 0.0
        rings = _rings(lambda r: 0 * r)
        assert light_snr(self.image, NONE, rings, noise=1.0) == 0.0
        assert light_snr(-self.image, NONE, _rings(_disc), noise=1.0) == 0.0
        assert light_snr(self.image, ~NONE, _rings(_disc), noise=1.0) == 0.0


def _dwarf(seed):
    """
    A faint disc, and no ring of it that stands out of its noise.
    """
    rng = np.random.default_rng(seed)
    disc = gaussian_filter(np.exp(-np.hypot(X, Y / 0.8) / 5.0), 1.3)
    disc *= 13.0 / np.sqrt((disc**2).sum())
    return disc + rng.normal(size=SHAPE)


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_faint_dwarf(fitter):
    fitter = fitter()
    options = {'zeropoint': 22.5, 'pixel_scale': 0.4}
    for seed in range(4):
        profile = fitter(_dwarf(seed), **options)
        assert not profile.meta['flag'] & GalaxyFlag.NO_SOURCE
        noise = np.random.default_rng(seed).normal(size=SHAPE)
        profile = fitter(noise, **options)
        assert profile.meta['flag'] & GalaxyFlag.NO_SOURCE


def test_photon_starved_sky():
    # counts of a few photons in a hundred pixels, and a galaxy
    rng = np.random.default_rng(5)
    galaxy = gaussian_filter(20 * np.exp(-np.hypot(X, Y / 0.7) / 4), 1.3)
    counts = rng.poisson(galaxy + 0.02)
    profile = Pix2ProfFitter()(counts, zeropoint=25, pixel_scale=0.4,
                               gain=1.0)
    assert profile.meta['flag'] == 0
    profile = IsophoteFitter()(counts, zeropoint=25, pixel_scale=0.4,
                               gain=1.0)
    assert not profile.meta['flag'] & (GalaxyFlag.WRONG_NOISE
                                       | GalaxyFlag.OUT_OF_DOMAIN)
