# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The sky and the noise of images, as the profile of a network shows them.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import GalaxyCutout, GalaxyFlag, Pix2ProfFitter
from astro_pix2prof.networks.readers.rings import split_sky_error

SIGMA = 0.03
OPTIONS = {'zeropoint': 22.5, 'pixel_scale': 0.4}


@pytest.fixture(scope='module')
def fitter():
    return Pix2ProfFitter(device='cpu')


def image_of(r_e, *, shape=(192, 192), centre=(97.0, 94.0), blur=0.0,
             seed=0):
    """
    An exponential galaxy with noise that may be correlated.
    """
    y, x = np.mgrid[:shape[0], :shape[1]]
    galaxy = Sersic2D(0.4, r_e, 1.0, *centre, ellip=0.4, theta=0.5)(x, y)
    noise = np.random.default_rng(seed).normal(size=shape)
    if blur:
        noise = gaussian_filter(noise, blur)
    return gaussian_filter(galaxy, 1.2) + SIGMA * noise / noise.std()


def true_intensity(radius, r_e, centre=(97.0, 94.0)):
    """
    The intensity of the isophotes of that galaxy, behind its PSF.

    (These are where they cross its major axis.)
    """
    y, x = np.mgrid[:192, :192]
    galaxy = gaussian_filter(Sersic2D(0.4, r_e, 1.0, *centre, ellip=0.4,
                                      theta=0.5)(x, y), 1.2)
    ends = [map_coordinates(galaxy, [centre[1] + side * np.sin(0.5) * radius,
                                     centre[0] + side * np.cos(0.5) * radius])
            for side in (1, -1)]
    return np.mean(ends, axis=0) / 0.4**2


def change(one, two, factor=1.0):
    """
    The largest change of a ring in units of its error.
    """
    assert len(one) == len(two)
    return np.max(np.abs(two['intensity'].value / factor
                         - one['intensity'].value)
                  / one['intensity_err'].value)


class TestSky:
    @pytest.mark.parametrize('r_e', [8, 45])
    def test_constant(self, fitter, r_e):
        """
        A constant changes no profile, and is recorded.
        """
        image = image_of(r_e)
        one = fitter(image, **OPTIONS)
        for constant in (-5 * SIGMA, 0.4 * SIGMA, 2 * SIGMA, 1000 * SIGMA):
            two = fitter(image + constant, **OPTIONS)
            assert change(one, two) < 0.02
            assert np.isclose(two.meta['sky'] - constant, one.meta['sky'],
                              atol=1e-3 * SIGMA)

    def test_errors_hold_the_structure_of_a_sky(self, fitter):
        """
        That of a sky which is not flat is in the error of each ring.
        """
        image = image_of(6, shape=(256, 256), centre=(127.0, 124.0))
        y, x = np.mgrid[:256, :256] / 255 - 0.5
        bowl = 2.0 * SIGMA * 2 * (x**2 + y**2)
        for sky, is_uneven in ((0, False), (bowl, True)):
            cutout = GalaxyCutout(image + sky, **OPTIONS)
            found = fitter._prepare(cutout).background
            assert found.is_uneven == is_uneven
            profile = fitter(cutout)
            assert is_uneven == bool(
                GalaxyFlag.SKY_UNCERTAIN & profile.meta['flag'])
        # (intensities are for a square arcsec)
        structure = found.structure / 0.4**2
        assert 0.99 < profile['intensity_err'].value.min() / structure < 1.5

    def test_galaxy_fills_frame(self, fitter):
        image = image_of(60, seed=3)
        profile = fitter(image + 2 * SIGMA, **OPTIONS)
        assert profile.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
        assert abs(profile.meta['sky'] - 2 * SIGMA) < min(
            3 * profile.meta['sky_err'], 0.5 * SIGMA)
        known = Pix2ProfFitter(device='cpu', sky=2 * SIGMA)(
            image + 2 * SIGMA, **OPTIONS)
        ring = np.argmin(np.abs(profile['radius'].value - 0.4 * 80))
        ratio = profile['intensity'][ring] / known['intensity'][ring]
        assert abs(-2.5 * np.log10(ratio)) < 0.07
        assert (profile['surface_brightness_err'][ring]
                > known['surface_brightness_err'][ring])

    def test_record_holds_what_network_subtracts(self, fitter):
        image = image_of(8)
        profile = fitter(image + 0.6 * SIGMA, **OPTIONS)
        assert np.isclose(profile.meta['sky'], 0.6 * SIGMA,
                          atol=4 * profile.meta['sky_err'])
        assert 0 < profile.meta['sky_err'] < 0.1 * SIGMA
        # a sky that is given is known, and left as it is
        given = Pix2ProfFitter(device='cpu', sky=0.5 * SIGMA)(
            image + 0.6 * SIGMA, **OPTIONS)
        assert np.isclose(given.meta['sky'], 0.5 * SIGMA, rtol=1e-5)

    @pytest.mark.parametrize('weights', ['rings', 'captioner'])
    @pytest.mark.parametrize('error', [
        0.2 * SIGMA, 2e-10 * SIGMA * u.mgy])
    def test_error_of_given_sky(self, weights, error):
        """
        It changes no value and adds up with the other errors of each ring.
        """
        level, image = {'sky': 0.0, 'device': 'cpu'}, image_of(8)
        with warnings.catch_warnings():
            # (captioners are of another survey)
            warnings.simplefilter('ignore', AstropyUserWarning)
            one, two = (Pix2ProfFitter(weights, **level, **more)(
                image, unit='nmgy', pixel_scale=0.4)
                for more in ({}, {'sky_err': error}))
        assert one.meta['sky_err'] == 0
        assert np.isclose(two.meta['sky_err'], 0.2 * SIGMA)
        for name in ('radius', 'intensity', 'ellipticity'):
            assert (one[name] == two[name]).all()
        added = np.sqrt(two['intensity_err'].value**2
                        - one['intensity_err'].value**2)
        ring = one['intensity'].value > 0
        assert ring.sum() > 10
        np.testing.assert_allclose(added[ring], 0.2 * SIGMA / 0.4**2,
                                   rtol=1e-3)

    def test_wrong_sky_within_its_error(self):
        """
        A level that is wrong has a flag, unless its error says so.
        """
        one, two = (Pix2ProfFitter(device='cpu', sky=0.3 * SIGMA, **more)(
            image_of(8), **OPTIONS) for more in ({}, {
                'sky_err': 0.2 * SIGMA}))
        assert one.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
        assert not two.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
        assert one.meta['sky'] == two.meta['sky'] == 0.3 * SIGMA

    def test_error_without_sky(self):
        with pytest.raises(ValueError, match='give sky= a level, too'):
            Pix2ProfFitter(device='cpu', sky_err=0.1)

    def test_error_of_sky_in_rings(self, fitter):
        profile = fitter(image_of(60), **OPTIONS)
        given = Pix2ProfFitter(device='cpu', sky=profile.meta['sky'])(
            image_of(60), **OPTIONS)
        added = np.sqrt(profile['intensity_err'].value[-1]**2
                        - given['intensity_err'].value[-1]**2)
        # (the network is told a part of it, and answers with about that)
        told, untold = split_sky_error(
            np.array([profile.meta['sky_err'] / SIGMA]),
            fitter.reader.sky_factor)
        most = np.hypot(told, untold)[0] * SIGMA / 0.4**2
        assert 0.9 * most < added < 1.3 * most
        # (no ring is known better than its sky)
        assert (profile['intensity_err'].value > 0.95 * most).all()

    def test_plane(self, fitter):
        image = image_of(8)
        y, x = np.mgrid[:192, :192]
        tilted = image + 0.03 * SIGMA * (x - 97) - 0.02 * SIGMA * (y - 94)
        one = fitter(image, **OPTIONS)
        two = Pix2ProfFitter(device='cpu', sky='plane')(tilted, **OPTIONS)
        n = min(len(one), len(two))
        assert change(one[:n], two[:n]) < 0.5

    @pytest.mark.parametrize(('rise', 'angle', 'r_e', 'side'), [
        (4, 20, 8, 200), (8, 200, 8, 256), (8, 110, 25, 256),
        (12, 290, 15, 300), (20, 65, 8, 256)])
    def test_tilt(self, fitter, rise, angle, r_e, side):
        """
        A steep sky hides no galaxy, and its profile hardly changes.
        """
        centre = side / 2 + 3.0, side / 2 - 2.0
        image = image_of(r_e, shape=(side, side), centre=centre)
        y, x = np.mgrid[:side, :side] / side - 0.5
        angle = np.radians(angle)
        slope = SIGMA * rise * (x * np.cos(angle) + y * np.sin(angle))
        one = fitter(image, **OPTIONS)
        two = fitter(image + slope, **OPTIONS)
        assert not one.meta['flag'] & (GalaxyFlag.NO_SOURCE
                                       | GalaxyFlag.SKY_UNCERTAIN)
        assert two.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
        assert not two.meta['flag'] & (
            GalaxyFlag.NO_SOURCE | GalaxyFlag.NEIGHBOUR
            | GalaxyFlag.OUT_OF_DOMAIN | GalaxyFlag.TRUNCATED)
        n = min(len(one), len(two))
        bright = one['intensity'].value[:n] > SIGMA / 0.4**2
        assert bright.sum() > 15
        mag = [profile['surface_brightness'].value[:n][bright]
               for profile in (one, two)]
        assert np.abs(mag[1] - mag[0]).max() < 0.06

    def test_gentle_tilt_is_not_taken_away(self, fitter):
        image = image_of(8)
        x = np.arange(192) / 192 - 0.5
        profile = fitter(image + 0.8 * SIGMA * x, **OPTIONS)
        assert not profile.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN

    def test_batch(self, fitter):
        images = [image_of(8), image_of(20, seed=1) + 1]
        batch, = fitter.fit_many(images, **OPTIONS)
        for image, profile in zip(images, batch, strict=True):
            one = fitter(image, **OPTIONS)
            assert change(one, profile) < 1e-3
            for name in ('sky', 'sky_err', 'noise_correlation'):
                assert np.isclose(one.meta[name], profile.meta[name],
                                  rtol=1e-4, atol=1e-5 * SIGMA)

    @pytest.mark.parametrize('factor', [1e-12, 1e12])
    def test_unit(self, fitter, factor):
        image = image_of(12) + SIGMA
        one = fitter(image, **OPTIONS)
        two = fitter(factor * image, zeropoint=22.5 + 2.5 * np.log10(factor),
                     pixel_scale=0.4)
        # (the noise of a pixel is known to 1e-4)
        assert change(one, two, factor) < 0.1
        assert np.isclose(two.meta['sky'] / factor, one.meta['sky'],
                          atol=1e-3 * SIGMA)


class TestCorrelatedNoise:
    def test_error_grows(self, fitter):
        white, smooth = (fitter(image_of(12, blur=blur), **OPTIONS)
                         for blur in (0, 0.7))
        assert white.meta['noise_correlation'] == 1.0
        assert 2.0 < smooth.meta['noise_correlation'] < 3.0
        n = min(len(white), len(smooth))
        more = (smooth['surface_brightness_err'][:n]
                / white['surface_brightness_err'][:n])
        assert np.median(more) > 1.2

    @pytest.mark.slow
    @pytest.mark.parametrize('blur', [0, 0.5, 0.7, 1.0])
    def test_coverage(self, fitter, blur):
        within = []
        for seed in range(12):
            profile = fitter(image_of(15, blur=blur, seed=seed), **OPTIONS)
            radius = profile['radius'].value / 0.4
            true = true_intensity(radius, 15)
            keep = (radius > 6) & (true > 0.1 * SIGMA / 0.4**2)
            within.append(np.abs(profile['intensity'].value - true)[keep]
                          < profile['intensity_err'].value[keep])
        assert 0.55 < np.mean(np.concatenate(within)) < 0.95


class TestSecondLook:
    def test_far_from_position(self, fitter, monkeypatch):
        """
        A galaxy that is not where it was expected is looked at there.
        """
        read, seen = fitter.reader.read, []

        def watch(frames):
            seen.append([frame.centre for frame in frames])
            return read(frames)

        monkeypatch.setattr(fitter.reader, 'read', watch)
        near = image_of(8)
        far = image_of(8, centre=(132.0, 110.0))
        fitter(near, **OPTIONS)
        assert len(seen) == 1
        profile = fitter(far, **OPTIONS)
        # (as often as it takes to arrive)
        n_looks = len(seen)
        assert 2 < n_looks <= 6
        assert np.allclose(seen[-1], [(132, 110)], atol=1.0)
        expected = fitter(far, position=(132, 110), **OPTIONS)
        n = min(len(profile), len(expected))
        # (the pixels of the coarser images are others)
        assert change(profile[:n], expected[:n]) < 1
        seen.clear()
        batch, = fitter.fit_many([near, far, near], **OPTIONS)
        assert [len(frames) for frames in seen] == [3] + [1] * (n_looks - 2)
        assert change(profile, batch[1]) < 1e-3

    def test_position_that_is_held(self, monkeypatch):
        held = Pix2ProfFitter(device='cpu', fit_centre=False)
        profile = held(image_of(8, centre=(132.0, 110.0)), **OPTIONS)
        assert profile.meta['x_centre'] == 95.5
