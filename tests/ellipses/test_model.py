# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the model image.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, Pix2ProfFitter, model_image
from astro_pix2prof.ellipses.geometry import profile_ellipses


@pytest.fixture
def sersic_image(galaxy_truth):
    """
    The noise-free image of ``galaxy_ccd``.
    """
    truth = galaxy_truth
    model = Sersic2D(amplitude=truth['amplitude'], r_eff=truth['r_eff'],
                     n=truth['n'], x_0=truth['x_0'], y_0=truth['y_0'],
                     ellip=truth['ellip'], theta=np.radians(truth['theta']))
    yy, xx = np.mgrid[:128, :128]
    return model(xx, yy)


class TestModelImage:
    def test_sersic(self, galaxy_ccd, sersic_profile, sersic_image,
                    galaxy_truth):
        """
        The model is the galaxy to 1 per cent, out to the last ring.
        """
        model = model_image(sersic_profile, galaxy_ccd)
        yy, xx = np.mgrid[:128, :128]
        radius = np.hypot(xx - galaxy_truth['x_0'], yy - galaxy_truth['y_0'])
        inside = (radius < 34) & (radius > 1)
        assert_allclose(model[inside], sersic_image[inside], rtol=0.01)

    def test_fit(self, galaxy_ccd):
        fit = Pix2ProfFitter().fit(galaxy_ccd)
        expected = model_image(fit.profile, galaxy_ccd)
        for args in ((fit,), (fit, galaxy_ccd)):
            assert_allclose(model_image(*args), expected, rtol=1e-9)
        with pytest.raises(TypeError, match='image must be the image that was '
                                            'measured, got none'):
            model_image(fit.profile)

    def test_varying_geometry(self, galaxy_ccd, sersic_profile):
        """
        On each ellipse, the model has the value of its ring.
        """
        profile = sersic_profile.copy()
        n = len(profile)
        profile['ellipticity'] = np.linspace(0.2, 0.4, n)
        profile['pa'] = np.linspace(20, 40, n) * u.deg
        cutout = GalaxyCutout(galaxy_ccd)
        model = model_image(profile, cutout)
        centre, sma, eps, theta = profile_ellipses(profile, cutout)
        for row in (15, 20, 25):
            t = np.linspace(0, 2 * np.pi, 50)
            a, b = sma[row], sma[row] * (1 - eps[row])
            c, s = np.cos(np.radians(theta[row])), np.sin(
                np.radians(theta[row]))
            x = centre[0] + a * np.cos(t) * c - b * np.sin(t) * s
            y = centre[1] + a * np.cos(t) * s + b * np.sin(t) * c
            value = model[np.rint(y).astype(int), np.rint(x).astype(int)]
            expected = profile['intensity'][row].value * 0.396**2
            assert np.median(value) == pytest.approx(expected, rel=0.02)

    def test_crop(self, galaxy_ccd, sersic_profile):
        """
        A crop of the image gets the crop of the model.
        """
        whole = model_image(sersic_profile, galaxy_ccd)
        crop = GalaxyCutout(galaxy_ccd, position=(60, 66), size=(40, 50))
        x0, y0 = crop.origin
        part = model_image(sersic_profile, crop)
        assert_allclose(part, whole[y0:y0 + 40, x0:x0 + 50], rtol=1e-3,
                        atol=1e-4)

    def test_negative_and_missing_rings(self, galaxy_ccd, sersic_profile):
        profile = sersic_profile.copy()
        profile['intensity'][-3] = -0.01 * profile['intensity'].unit
        profile['intensity'][12] = np.nan * profile['intensity'].unit
        model = model_image(profile, galaxy_ccd)
        assert np.all(np.isfinite(model))
        assert_allclose(model[60:70, 60:65], model_image(
            sersic_profile, galaxy_ccd)[60:70, 60:65], rtol=0.01)

    def test_one_ring(self, galaxy_ccd, sersic_profile):
        match = 'the profile needs at least two rings'
        with pytest.raises(ValueError, match=match):
            model_image(sersic_profile[:1], galaxy_ccd)

    def test_other_unit(self, galaxy_ccd, sersic_profile):
        match = 'the profile has intensities in nmgy / arcsec2, but'
        with pytest.raises(ValueError, match=match):
            model_image(sersic_profile, CCDData(
                galaxy_ccd.data, unit='adu', wcs=galaxy_ccd.wcs),
                zeropoint=25.0)


    def test_another_galaxy(self, galaxy_ccd, sersic_profile):
        there = sersic_profile.copy()
        there.meta['ra'] += 1.0
        match = (r'has its centre at pixel \(-9024.\d, 68.\d\) and its last '
                 'ring 60.0 pixels from there, all outside the image')
        with pytest.raises(ValueError, match=match):
            model_image(there, galaxy_ccd)
        # (its outskirts may reach into the image of another one)
        there.meta['ra'] = sersic_profile.meta['ra'] - 100 * 0.396 / 3600
        model = model_image(there, galaxy_ccd)
        assert 0 < np.count_nonzero(model) < model.size / 4

    @pytest.mark.parametrize(('name', 'warns'), [
        ('n1_r', False), ('n2_g', True), ('galaxy', False)])
    def test_another_name(self, galaxy_ccd, sersic_profile, name, warns,
                          recwarn):
        profile = sersic_profile.copy()
        profile.meta.update(source='n1_g', pa_frame='pixel')
        for key in ('ra', 'dec'):
            del profile.meta[key]
        model_image(profile, galaxy_ccd.data, unit='nmgy', name=name,
                    pixel_scale=0.396)
        assert [str(item.message)[:49] for item in recwarn] == [
            "the profile is of 'n1_g' and the image of 'n2_g':"] * warns


class TestProfileEllipses:
    def test_same_image(self, galaxy_ccd, sersic_profile, galaxy_truth):
        centre, sma, eps, theta = profile_ellipses(sersic_profile,
                                                   GalaxyCutout(galaxy_ccd))
        assert_allclose(centre, (galaxy_truth['x_0'], galaxy_truth['y_0']),
                        atol=1e-5)
        assert_allclose(sma[-1], 60, rtol=1e-6)
        assert_allclose(eps, 0.4)
        assert_allclose(theta, galaxy_truth['theta'], atol=1e-6)

    def test_other_pixels(self, sersic_profile, galaxy_truth, make_wcs):
        """
        On an image with other pixels, the ellipses are the same on the sky.
        """
        wcs = make_wcs((50, 60), pixel_scale=0.792, rotation=90.0)
        cutout = GalaxyCutout(CCDData(np.ones((50, 60)), unit='nmgy',
                                      wcs=wcs))
        centre, sma, _, theta = profile_ellipses(sersic_profile, cutout)
        # turned by 90 degrees about the middle of the frame, and twice as
        # large
        dx, dy = galaxy_truth['x_0'] - 63.5, galaxy_truth['y_0'] - 63.5
        offset = np.hypot(centre[0] - 29.5, centre[1] - 24.5)
        assert offset == pytest.approx(np.hypot(dx, dy) / 2, rel=1e-3)
        assert_allclose(sma[-1], 30, rtol=1e-4)
        turned = (theta - galaxy_truth['theta']) % 180
        assert_allclose(turned, 90, atol=0.01)

    def test_no_wcs(self, galaxy_ccd, sersic_profile):
        cutout = GalaxyCutout(galaxy_ccd.data, unit='nmgy', pixel_scale=0.396)
        match = 'the profile has position angles on the sky, but the image'
        with pytest.raises(ValueError, match=match):
            profile_ellipses(sersic_profile, cutout)

    def test_no_pixel_scale(self, galaxy_ccd, sersic_profile):
        cutout = GalaxyCutout(galaxy_ccd.data, calibrated=False)
        profile = sersic_profile.copy()
        profile.meta['pa_frame'] = 'pixel'
        match = 'the profile has radii on the sky, but the image has no pixel'
        with pytest.raises(ValueError, match=match):
            profile_ellipses(profile, cutout)

    def test_pixels(self, galaxy_ccd, sersic_profile):
        cutout = GalaxyCutout(galaxy_ccd.data, calibrated=False)
        profile = sersic_profile.copy()
        profile.meta['pa_frame'] = 'pixel'
        profile['radius'] = np.arange(len(profile)) * u.pix
        profile['pa'] = np.full(len(profile), 190.0) * u.deg
        centre, sma, _, theta = profile_ellipses(profile, cutout)
        assert centre == (62.3, 65.8)
        assert_allclose(sma, np.arange(len(profile)))
        assert_allclose(theta, 10)
