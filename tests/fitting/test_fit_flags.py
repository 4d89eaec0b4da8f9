# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of flags, which mean the same for every fitter, and of their checks.
"""

import astropy.units as u
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    load_example,
)
from astro_pix2prof.background.noise import noise_in_cells, noise_is_wrong
from astro_pix2prof.fitting.checks import has_host, is_point_source
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.rings import MeasuredRings


@pytest.fixture(scope='module', params=[Pix2ProfFitter, IsophoteFitter])
def fitter(request):
    return request.param()


@pytest.fixture(scope='module')
def network():
    return Pix2ProfFitter()


@pytest.fixture(scope='module')
def example():
    # (without the outer sky, which takes time and tells nothing new)
    return GalaxyCutout(load_example()).data[48:208, 48:208]


def moffat(beta, fwhm, r):
    alpha = 0.5 * fwhm / np.sqrt(2**(1 / beta) - 1)
    return (1 + (r / alpha)**2)**-beta


def draw(profile, n=160, seed=1, sigma=1.0):
    """
    A round source in the middle of a noisy frame.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:n, :n]
    image = profile(np.hypot(x - n / 2 + 0.3, y - n / 2))
    return image + rng.normal(0, sigma, image.shape)


def measure(fitter, image, **options):
    profile = fitter(image, zeropoint=22.5, pixel_scale=0.4, **options)
    return GalaxyFlag(profile.meta['flag'])


@pytest.mark.parametrize('n', [1, 3])
def test_one_pixel_is_masked(fitter, n):
    """
    The brightest pixel alone is no mask, and the errors hold that it lacks.
    """
    image = draw(lambda r: gaussian_filter(
        400 * np.exp(-(r / 5)**(1 / n) * n), 1.4))
    mask = np.zeros(image.shape, bool)
    mask[80, 80] = True
    profiles = [fitter(image, zeropoint=22.5, pixel_scale=0.4, **options)
                for options in ({}, {'mask': mask})]
    assert profiles[1].meta['flag'] == profiles[0].meta['flag']
    whole, lost = (np.interp(0.0, one['radius'].value,
                             one['surface_brightness'].value)
                   for one in profiles)
    assert abs(lost - whole) < 2 * profiles[1][
        'surface_brightness_err'][0].value
    # nine of them are
    mask[79:82, 79:82] = True
    assert measure(fitter, image, mask=mask) & GalaxyFlag.HEAVILY_MASKED


class TestPointSource:
    sma = np.concatenate([[0], np.geomspace(0.5, 60, 40)])
    round = np.zeros(41)

    @pytest.mark.parametrize('beta', [2.5, 3.5, 8.0])
    @pytest.mark.parametrize('fwhm', [2.5, 5.0])
    def test_stars(self, beta, fwhm):
        peak = 500 * moffat(beta, fwhm, self.sma)
        assert is_point_source(self.sma, peak, self.round, 1.0)
        # nothing is said of faint ones
        assert not is_point_source(self.sma, peak, self.round, 30.0)

    @pytest.mark.parametrize('index', [0.8, 1.0, 4.0])
    def test_galaxies(self, index):
        profile = 500 * np.exp(-(self.sma / 3)**(1 / index))
        assert not is_point_source(self.sma, profile, self.round, 1.0)

    def test_flat_is_no_star(self):
        profile = 500 * moffat(3, 4, self.sma)
        assert not is_point_source(self.sma, profile, self.round + 0.4, 1.0)

    @pytest.mark.parametrize('long', [0.2, 0.27, 0.35])
    def test_elongated(self, long):
        """
        Stars are as elongated within the core, and galaxies are not.
        """
        star = 500 * moffat(3, 4, self.sma * np.sqrt(1 - long))
        eps = self.round + long
        assert is_point_source(self.sma, star, eps, 1.0)
        # (a trail is rounder where the point-spread function shows)
        trail = long * (1 + 0.5 * np.exp(-self.sma / 2))
        assert is_point_source(self.sma, star, trail - 0.1 * long, 1.0)
        disc = long * (1 - 0.5 * np.exp(-self.sma / 2))
        assert not is_point_source(self.sma, star, disc, 1.0)
        # (nor if no ring tells)
        assert not is_point_source(
            self.sma[[0, *range(16, 41)]], star[[0, *range(16, 41)]],
            eps[:26], 1.0)

    @pytest.mark.parametrize('part', [0.8, 0.7])
    def test_flag_of_elongated(self, fitter, part):
        y, x = np.mgrid[:121, :121] - 60.2
        image = 800 * moffat(3, 3.5, np.hypot(0.8 * x + 0.6 * y, (
            0.8 * y - 0.6 * x) / part))
        image += np.random.default_rng(0).normal(size=image.shape)
        assert measure(fitter, image) & GalaxyFlag.POINT_SOURCE

    def test_size(self):
        """
        A known point-spread function tells a large one from a core.
        """
        wide = 500 * moffat(3, 12, self.sma)
        assert not is_point_source(self.sma, wide, self.round, 1.0)
        assert is_point_source(self.sma, wide, self.round, 1.0, fwhm=12)
        narrow = 500 * moffat(3, 4, self.sma)
        assert not is_point_source(self.sma, narrow, self.round, 1.0, fwhm=2)

    def test_flag(self, fitter):
        star = draw(lambda r: 800 * moffat(3, 3.5, r))
        assert measure(fitter, star) & GalaxyFlag.POINT_SOURCE
        disc = draw(lambda r: 200 * np.exp(-r / 5))
        assert not measure(fitter, disc) & GalaxyFlag.POINT_SOURCE

    @pytest.mark.parametrize(('fwhm', 'flagged'), [
        (2.6, False), (5.8, True), (9.0, True)])
    def test_other_sources(self, fitter, fwhm, flagged):
        """
        A flat galaxy is wider than the stars in its frame.
        """
        image = draw(lambda r: 800 * moffat(3.5, 5.8, r))
        assert measure(fitter, image) & GalaxyFlag.POINT_SOURCE
        y, x = np.indices(image.shape)
        for x0, y0 in ((30, 40), (120.4, 30.3), (41, 131)):
            image += 100 * moffat(3.5, fwhm, np.hypot(x - x0, y - y0))
        flag = measure(fitter, image)
        assert bool(flag & GalaxyFlag.POINT_SOURCE) == flagged
        if not flagged:
            # what is known counts
            assert measure(fitter, image, psf_fwhm=5.8 * 0.4 * u.arcsec
                           ) & GalaxyFlag.POINT_SOURCE

    def test_hits_of_cosmic_rays(self, fitter):
        """
        What is narrower than any star tells nothing of a star.
        """
        image = draw(lambda r: 800 * moffat(3.5, 5.8, r))
        image[40, 30] += 300
        image[130, 41:43] += 150
        assert measure(fitter, image) & GalaxyFlag.POINT_SOURCE


class TestHost:
    sma = np.concatenate([[0], np.geomspace(0.5, 60, 40)])
    size = 1.0 + 0 * sma

    def rings(self, intensity, **changes):
        cutout = GalaxyCutout(np.zeros((121, 121)), unit='nmgy',
                              pixel_scale=0.4)
        return MeasuredRings(cutout, self.sma, intensity, **{
            'intensity_err': self.size, 'eps': 0 * self.sma,
            'theta': 0 * self.sma, 'n_valid': self.size,
            'flag': np.zeros(len(self.sma), int),
            'galaxy_flag': GalaxyFlag(0), 'centre': (60, 60), 'noise': 1.0,
            **changes})

    @pytest.mark.parametrize('beta', [2.5, 3.0, 4.8, 30.0])
    @pytest.mark.parametrize('aureole', [0.0, 0.1])
    @pytest.mark.parametrize('peak', [50, 1e3, 1e5])
    def test_stars(self, beta, aureole, peak):
        core, wing = moffat(beta, 3, self.sma), moffat(1.6, 15, self.sma)
        light = [np.trapezoid(one * self.sma, self.sma)
                 for one in (core, wing)]
        star = core + aureole / (1 - aureole) * light[0] / light[1] * wing
        star *= peak / star[0]
        assert not has_host(self.rings(star))
        assert not has_host(self.rings(np.minimum(star, 0.3 * peak)))

    @pytest.mark.parametrize('beta', [2.5, 4.8, 30.0])
    @pytest.mark.parametrize('ratio', [1.0, 2.0])
    @pytest.mark.parametrize('scale', [6, 12])
    def test_hosts(self, beta, ratio, scale):
        host = 40 * np.exp(-self.sma / scale)
        star = moffat(beta, 3, self.sma)
        light = [np.trapezoid(one * self.sma, self.sma)
                 for one in (host, star)]
        both = host + ratio * light[0] / light[1] * star
        assert has_host(self.rings(both))
        # (not if nothing of it stands out of the noise, or of the sky)
        assert not has_host(self.rings(both, noise=1e3))
        assert not has_host(self.rings(both, sky_err=30.0))

    def test_flattened(self):
        # a tenth of the light beyond the core, seen by its shape alone
        host = 20 * np.exp(-self.sma / 8)
        star = moffat(3.5, 3, self.sma)
        light = [np.trapezoid(one * self.sma, self.sma)
                 for one in (host, star)]
        both = host + 3 * light[0] / light[1] * star
        eps = np.where(self.sma > 6, 0.5, 0.05)
        assert has_host(self.rings(both, eps=eps))
        # (one direction; of a round core; that is not full)
        theta = 0.5 * np.arange(len(eps))
        assert not has_host(self.rings(both, eps=eps, theta=theta))
        assert not has_host(self.rings(both, eps=np.fmax(eps, 0.2)))
        full = np.where(self.sma < 2, int(RingFlag.SATURATED), 0)
        assert not has_host(self.rings(both, eps=eps, flag=full))

    def test_nothing(self):
        assert not has_host(self.rings(-self.size))
        assert not has_host(self.rings(np.nan * self.size))

    def test_flag(self, fitter):
        y, x = np.mgrid[:181, :181] - 90.2
        host = gaussian_filter(15 * np.exp(-np.hypot(x, y / 0.6) / 10), 1.3)
        star = moffat(3.5, 3, np.hypot(x, y))
        image = host + host.sum() / star.sum() * star
        image += np.random.default_rng(4).normal(size=image.shape)
        flag = measure(fitter, image)
        assert not flag & (GalaxyFlag.POINT_SOURCE | GalaxyFlag.NO_SOURCE)


class TestNoise:
    def noise(self, shape=(128, 128), seed=3):
        return np.random.default_rng(seed).normal(0, 1, shape)

    @pytest.mark.parametrize('shape', [(32, 33), (128, 90), (700, 1300)])
    def test_ratio(self, shape):
        image = self.noise(shape)
        good = np.zeros(shape, dtype=bool)
        ratio = noise_in_cells(image, good, 1.0)
        assert ratio.shape == (2, 8, 8)
        assert np.median(ratio) == pytest.approx(1, abs=0.06)
        np.testing.assert_allclose(noise_in_cells(image, good, 2.0),
                                   ratio / 2)
        assert not noise_is_wrong(image, good, 1.0)

    def test_small(self):
        image = self.noise((31, 200))
        assert noise_in_cells(image, image > 9, 1.0) is None
        assert not noise_is_wrong(image, image > 9, 100.0)

    def test_masked(self):
        """
        Bad pixels and padding tell nothing.
        """
        image = self.noise()
        bad = np.zeros(image.shape, dtype=bool)
        image[:, :40], bad[:, :40] = 1e9, True
        image[:50, 40:] = 0
        ratio = noise_in_cells(image, bad, 1.0)
        assert np.isnan(ratio[:, :, 0]).all()
        assert np.isnan(ratio[:, 0]).all()
        assert np.nanmedian(ratio) == pytest.approx(1, abs=0.1)
        assert not noise_is_wrong(image, bad, 1.0)
        assert not noise_is_wrong(image, np.ones_like(bad), 1.0)

    def test_correlated(self):
        """
        Resampling by half a pixel passes, smoothing does not.
        """
        image, good = self.noise((256, 256)), np.zeros((256, 256), dtype=bool)
        half = 0.5 * (image + np.roll(image, 1, 0))
        half = 0.5 * (half + np.roll(half, 1, 1))
        assert not noise_is_wrong(half, good, half.std())
        smooth = gaussian_filter(image, 1.5)
        assert noise_is_wrong(smooth, good, smooth.std())
        rows = image + 4 * self.noise((64, 1)).repeat(4, 0)
        assert noise_is_wrong(rows, good, rows.std())
        assert noise_is_wrong(rows.T, good, rows.std())

    def test_uneven(self):
        """
        A map of the noise makes uneven noise right, if it is true.
        """
        image, good = self.noise(), np.zeros((128, 128), dtype=bool)
        image[:, 64:] *= 3
        noise = np.ones(image.shape)
        assert noise_is_wrong(image, good, 1.0)
        assert noise_is_wrong(image, good, noise)
        noise[:, 64:] = 3
        noise[3, 3] = np.inf
        assert not noise_is_wrong(image, good, noise)
        assert noise_is_wrong(image, good, noise / 2)

    def test_flag(self, fitter, example):
        rng = np.random.default_rng(2)
        assert not measure(fitter, example) & GalaxyFlag.WRONG_NOISE
        smooth = measure(fitter, gaussian_filter(example, 1.5))
        assert smooth & GalaxyFlag.WRONG_NOISE
        sigma = GalaxyCutout(example, calibrated=False).background_noise
        noise = np.full(example.shape, sigma)
        noise[:, 80:] *= 4
        uneven = example + rng.normal(0, np.sqrt(noise**2 - sigma**2))
        assert measure(fitter, uneven) & GalaxyFlag.WRONG_NOISE
        known = measure(fitter, uneven, noise=noise)
        assert not known & GalaxyFlag.WRONG_NOISE


class TestDomain:
    def test_blank(self, network):
        found = measure(network, draw(lambda r: 0 * r))
        assert found & GalaxyFlag.OUT_OF_DOMAIN

    def test_denoised(self, network):
        """
        More signal than any image of the training simulator has.

        It is measured as if it had some noise, which is not its own.
        """
        def profile(r):
            return 3000 * np.exp(-r / 8)

        usual, none = (measure(network, draw(profile, sigma=sigma))
                       for sigma in (1.0, 0.02))
        assert not usual & (GalaxyFlag.OUT_OF_DOMAIN | GalaxyFlag.WRONG_NOISE)
        assert none & GalaxyFlag.WRONG_NOISE

    def test_large_frame(self, network):
        """
        A galaxy that fills the first square is no stranger for that.
        """
        image = draw(lambda r: 200 * np.exp(-0.5 * (r / 100)**2), n=800)
        found = measure(network, image)
        assert not found & GalaxyFlag.OUT_OF_DOMAIN
        # of the square alone, nobody can tell where the sky is
        part = measure(network, image[272:528, 272:528])
        assert part & GalaxyFlag.TRUNCATED
        assert part & GalaxyFlag.SKY_UNCERTAIN


class TestSaturated:
    def test_faint(self, fitter):
        """
        A flat top little above the noise, which rounding makes as well.
        """
        image = draw(lambda r: 40 * np.exp(-r / 9))
        assert not measure(fitter, image) & GalaxyFlag.SATURATED
        cut = np.minimum(image, 14)
        assert measure(fitter, cut) & GalaxyFlag.SATURATED
        rounded = 2 * np.round(draw(lambda r: 14 * np.exp(-(r / 9)**4)) / 2)
        assert not measure(fitter, rounded) & GalaxyFlag.SATURATED


class TestHidden:
    """
    A peak that may be hidden, or lies too far away, is no certain centre.
    """

    disc = draw(lambda r: 40 * np.exp(-r / 8))

    @pytest.mark.parametrize(('part', 'hidden'), [
        (np.s_[:, 82:], True), (np.s_[:, :79], True), (np.s_[90:, :], False),
        (np.s_[70:76, 92:98], False)])
    def test_missing_pixels(self, fitter, part, hidden):
        image = self.disc.copy()
        image[part] = np.nan
        found = measure(fitter, image)
        assert bool(found & GalaxyFlag.CENTRE_UNCERTAIN) == hidden

    def test_small_holes_are_no_other_domain(self, network):
        for x in (84, 88, 92):
            image = self.disc.copy()
            image[:, x] = np.nan
            assert not measure(network, image) & GalaxyFlag.OUT_OF_DOMAIN

    def test_search_radius(self, fitter):
        near = measure(fitter, self.disc, position=(76, 80))
        assert not near & GalaxyFlag.CENTRE_UNCERTAIN
        far = IsophoteFitter(search_radius=8)(
            self.disc, zeropoint=22.5, pixel_scale=0.4, position=(68, 72))
        assert far.meta['flag'] & GalaxyFlag.CENTRE_UNCERTAIN

    @pytest.mark.parametrize(('make', 'away'), [
        *((make, away) for make in (
            Pix2ProfFitter, lambda: Pix2ProfFitter('rings-fast'))
          for away in (8.2, 12.0, 18.0)),
        # (isophotes are held at the radius by a centre just beyond it)
        (IsophoteFitter, 10.5), (IsophoteFitter, 18.0)])
    def test_fitters_leave_the_usual_search_radius(self, make, away):
        """
        A galaxy that is found exactly lies far away, and has its centre.
        """
        profile = make()(
            self.disc, zeropoint=22.5, pixel_scale=0.4,
            position=(79.7 - 0.6 * away, 80 + 0.8 * away))
        assert np.hypot(profile.meta['x_centre'] - 79.7,
                        profile.meta['y_centre'] - 80) < 0.3
        assert profile.meta['flag'] == GalaxyFlag.CENTRE_OFFSET


class TestOthers:
    def test_no_source(self, fitter):
        assert measure(fitter, draw(lambda r: 0 * r)) & GalaxyFlag.NO_SOURCE
        disc = draw(lambda r: 20 * np.exp(-r / 5))
        assert not measure(fitter, disc) & GalaxyFlag.NO_SOURCE

    def test_edge(self, fitter):
        """
        A galaxy that goes on beyond the frame is told, with its rings.
        """
        image = draw(lambda r: 200 * np.exp(-r / 30))
        profile = fitter(image, zeropoint=22.5, pixel_scale=0.4)
        assert profile.meta['flag'] & GalaxyFlag.TRUNCATED
        leaves = (profile['flag'] & RingFlag.EDGE) != 0
        radius = profile['radius'].value / 0.4
        assert not leaves[radius < 79].any()
        assert leaves[radius > 81].all()

    def test_neighbour(self, fitter):
        """
        A second galaxy a third as bright is told, a faint one is not.
        """
        y, x = np.mgrid[:160, :160]
        second = np.exp(-np.hypot(x - 112, y - 95) / 6)
        image = draw(lambda r: 60 * np.exp(-r / 7))
        assert measure(fitter, image + 30 * second) & GalaxyFlag.NEIGHBOUR
        assert not measure(fitter, image + second) & GalaxyFlag.NEIGHBOUR
