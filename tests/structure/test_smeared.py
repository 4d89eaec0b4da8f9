# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the smeared and sharpened modules.

Profiles are made of known galaxies by a map that has tests of its own, or
measured on images of GalSim.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import gammaincinv

from astro_pix2prof import (
    PSF,
    GalaxyCutout,
    IsophoteFitter,
    ProfileBatch,
    build_profile,
    correct_psf,
    measure_structure,
)
from astro_pix2prof.profile.flags import (
    GalaxyFlag,
    RingFlag,
    StructureFlag,
)
from astro_pix2prof.profile.samples import correlated_noise
from astro_pix2prof.psf.rings import RingConvolution
from astro_pix2prof.structure.smeared import MODELS, read_rings

PIXEL, FWHM, EPS = 0.4, 1.4, 0.3
MOFFAT = PSF(FWHM, beta=3.0)


def sersic(r, r_e, n, level=1.0):
    b = gammaincinv(2 * n, 0.5)
    return level * np.exp(-b * ((r / r_e)**(1 / n) - 1))


def core(r, r_b=2.0, gamma=0.1, r_e=12.0, n=4.0, a=5.0):
    b = gammaincinv(2 * n, 0.5)
    return (1 + (r_b / r)**a)**(gamma / a) * np.exp(
        -b * ((r**a + r_b**a) / r_e**a)**(1 / (n * a)))


def smeared(law, *, psf=MOFFAT, r_max=60.0, noise=1e-3, seed=1, r_0=1.0,
            radius=None):
    """
    The profile of a galaxy behind a PSF, on ellipses of its own shape.

    They are given, so that they count as those of the galaxy.
    """
    if radius is None:
        radius = np.concatenate([[0, 0.5, 1.0], np.geomspace(
            1.5, r_max / PIXEL, 27)]) * PIXEL
    n = len(radius)
    rings = RingConvolution(
        psf.sampled(PIXEL), radius, np.full(n, EPS), np.zeros(n),
        lambda a: (np.full(np.shape(a), EPS), np.zeros(np.shape(a))))
    value = rings.matrix @ law(rings.nodes) * PIXEL**2
    rng = np.random.default_rng(seed)
    error = noise * value + 1e-6 * value.max()
    value = value + rng.normal(size=n) * error
    cutout = GalaxyCutout(np.ones((9, 9)), zeropoint=25.0, pixel_scale=PIXEL)
    return build_profile(
        cutout, radius / PIXEL, value, error, ellipticity=np.full(n, EPS),
        theta=np.zeros(n), galaxy_flag=2048, sky_err=1e-8 * value.max())


class TestFits:
    @pytest.mark.parametrize(('n', 'r_e'), [(0.8, 1.6), (2.0, 2.0),
                                            (4.0, 3.0)])
    def test_sersic(self, n, r_e):
        profile = smeared(lambda r: sersic(r, r_e, n), r_max=12 * r_e)
        row = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        assert_allclose(row['sersic_n'], n, rtol=0.02)
        assert_allclose(row['sersic_r_e'].value, r_e, rtol=0.01)
        assert_allclose(row['sersic_mu_e'].value, 25, atol=0.03)
        assert not row['flag'] & StructureFlag.PSF_SIZED
        # without, the index is another
        plain = measure_structure(profile, n_samples=2)[0]
        assert abs(plain['sersic_n'] / n - 1) > 0.05
        assert 'core_n' not in plain.colnames

    def test_bulge_and_disc(self):
        """
        A bulge of the size of the PSF, which is lost without it.
        """
        profile = smeared(lambda r: sersic(r, 1.5, 2.0, 3.0)
                          + 2.0 * np.exp(-r / 8))
        row = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        assert_allclose(row['bulge_r_e'].value, 1.5, rtol=0.05)
        assert_allclose(row['bulge_n'], 2.0, rtol=0.08)
        assert_allclose(row['disc_h'].value, 8, rtol=0.01)
        bulge = 3 * 1.5**2 * 2 * np.pi * np.trapezoid(
            (x := np.geomspace(1e-5, 200, 40000)) * sersic(x, 1.0, 2.0), x)
        assert_allclose(row['b_t'], bulge / (bulge + 4 * np.pi * 64),
                        atol=0.01)
        assert 0 < row['b_t_err'] < 0.1

    def test_core(self):
        row = measure_structure(smeared(core), psf=MOFFAT, n_samples=2)[0]
        assert_allclose(row['core_r_b'].value, 2.0, rtol=0.1)
        assert_allclose(row['core_gamma'], 0.1, atol=0.1)
        assert_allclose(row['core_n'], 4.0, rtol=0.1)
        assert_allclose(row['core_mu_b'].value,
                        25 - 2.5 * np.log10(core(2.0)), atol=0.1)
        assert row['core_chi2'] < 0.2 * row['sersic_chi2']

    def test_small(self):
        profile = smeared(lambda r: sersic(r, 0.8, 1.0), r_max=10)
        row = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        assert row['flag'] & StructureFlag.PSF_SIZED
        assert_allclose(row['sersic_r_e'].value, 0.8, rtol=0.03)

    def test_sky(self):
        """
        A level that all rings share is fitted within its error.
        """
        profile = smeared(lambda r: sersic(r, 4.0, 4.0), r_max=25)
        level = 0.02 * profile['intensity'][18]
        profile['intensity'] -= level
        error = profile['intensity_err']
        profile['intensity_err'] = np.hypot(error, level)
        profile.meta['sky_err'] = level.value * PIXEL**2
        row = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        assert_allclose(row['sersic_n'], 4.0, rtol=0.05)
        assert row['sersic_n_err'] > 0.02

    def test_correlated_rings(self):
        """
        Errors of neighbours that are alike are not averaged away.
        """
        profile = smeared(lambda r: sersic(r, 4.0, 2.0), r_max=40, seed=3,
                          noise=0.02)
        alone = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        correlation = {'length': 0.5, 'smooth': 0.9, 'common': 0.0}
        profile.meta['correlation'] = correlation
        row = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        # the rings count as before, their errors do not
        assert row['sersic_n'] == alone['sersic_n']
        assert row['sersic_r_e_err'] > 1.25 * alone['sersic_r_e_err']
        # noise that is correlated in this way moves the fit by its errors
        rings = read_rings(profile, MOFFAT, np.ones(len(profile), bool))
        truth = smeared(lambda r: sersic(r, 4.0, 2.0), r_max=40, noise=0)
        noise = correlated_noise(profile['radius'].value / PIXEL, correlation,
                                 30, np.random.default_rng(5))
        rings.error = 0.02 * truth['intensity'].value
        pulls = []
        for one in noise.T:
            rings.intensity = truth['intensity'].value + rings.error * one
            values = MODELS['sersic'][1](MODELS['sersic'][0](rings))
            pulls.append([(values[name][0] - true) / values[name][1]
                          for name, true in (('sersic_r_e', 4.0),
                                             ('sersic_n', 2.0))])
        assert np.all(np.abs(np.sqrt(np.mean(np.square(pulls), axis=0)) - 1)
                      < 0.35)

    def test_wings_in_the_sky(self):
        """
        The sky may hold the light of wings beyond the profile.
        """
        profile = smeared(lambda r: sersic(r, 4.0, 4.0), r_max=25)
        level = profile['intensity'][-1]
        profile['intensity'] -= 0.5 * level
        error = 0.05 * level
        profile['intensity_err'] = np.hypot(profile['intensity_err'], error)
        profile.meta['sky_err'] = error.value * PIXEL**2
        row = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        # (within its error alone, both are too small by 2 per cent)
        assert_allclose(row['sersic_r_e'].value, 4.0, rtol=0.01)
        assert_allclose(row['sersic_n'], 4.0, rtol=0.01)

    def test_shared_noise(self):
        """
        Rings that overlap have the same noise, which does not average out.
        """
        profile = smeared(lambda r: sersic(r, 4.0, 2.0), r_max=40, seed=3,
                          noise=2e-4)
        ring = 2e-3 * profile['intensity'].value.max() / np.maximum(
            profile['radius'].value, 1)
        profile['intensity_err'] = ring * profile['intensity'].unit
        profile.meta.update(noise=100.0, fitter='another')
        alone = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        profile.meta['fitter'] = 'IsophoteFitter'
        row = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        assert row['sersic_n'] == alone['sersic_n']
        # (errors that are no noise may be smaller: it is all that differs)
        rings = read_rings(profile, MOFFAT, np.ones(len(profile), bool))
        shared = MODELS['sersic'][1](MODELS['sersic'][0](rings))
        assert shared['sersic_n'][1] == pytest.approx(row['sersic_n_err'])
        rings.noise_share = np.eye(len(profile))
        alone = MODELS['sersic'][1](MODELS['sersic'][0](rings))
        for name in ('sersic_n', 'sersic_r_e'):
            assert shared[name][1] > 1.1 * alone[name][1]

    def test_smooth_galaxy(self):
        """
        Residuals tell how much of the errors of isophotes is there.
        """
        profile = smeared(lambda r: sersic(r, 4.0, 2.0), r_max=40, seed=3,
                          noise=1e-3)
        profile['intensity_err'] = 0.02 * profile['intensity']
        profile.meta['fitter'] = 'IsophoteFitter'
        rings = read_rings(profile, MOFFAT, np.ones(len(profile), bool))

        def errors(disturbed):
            rings.disturbed = disturbed
            values = MODELS['sersic'][1](MODELS['sersic'][0](rings))
            return np.array([values[name][1] for name in (
                'sersic_n', 'sersic_r_e')])

        assert rings.disturbed
        # the root of a fifth, and the error of the sky
        assert_allclose(errors(True) / errors(False), 0.455, atol=0.02)
        # rings that scatter by their errors keep them
        rings.intensity = rings.intensity * (1 + 0.02 * np.random.default_rng(
            2).normal(size=len(profile)))
        assert np.all(errors(True) > 0.8 * errors(False))

    def test_psf_of_another_image(self):
        """
        A PSF that is too broad gave an index of 10 and infinite corrections.
        """
        profile = smeared(lambda r: sersic(r, 4.0, 2.5))
        wrong = PSF(1.7 * FWHM, beta=3.0)
        match = 'no model behind the psf follows the centre'
        with pytest.warns(AstropyUserWarning, match=match):
            row = measure_structure(profile, psf=wrong, n_samples=2)[0]
        assert row['sersic_n'] > 3
        with pytest.warns(AstropyUserWarning, match=match):
            correct_psf(profile, wrong)
        wrong = PSF(10 * FWHM)
        match = 'psf is broader than that of the image: along the rings, the '
        with pytest.warns(AstropyUserWarning, match=match):
            measure_structure(profile, psf=wrong, n_samples=2)
        with pytest.raises(ValueError, match=f'{match}.*nothing corrects it'):
            correct_psf(profile, wrong)

    def test_few_rings(self):
        profile = smeared(lambda r: sersic(r, 4.0, 1.0))[:4]
        row = measure_structure(profile, psf=MOFFAT, n_samples=2)[0]
        assert np.isnan(row['sersic_n'])
        assert np.isnan(row['core_r_b'])
        assert row['flag'] & StructureFlag.CORE_FAILED

    def test_batch(self):
        profile = smeared(lambda r: sersic(r, 3.0, 1.0))
        batch = ProfileBatch.from_profiles([profile, ValueError('bad')])
        table = measure_structure(batch, psf=MOFFAT, n_samples=2)
        assert_allclose(table['sersic_n'][0], 1.0, rtol=0.02)
        assert np.isnan(table['sersic_n'][1])

    def test_errors(self):
        profile = smeared(lambda r: sersic(r, 3.0, 1.0))
        with pytest.raises(ValueError, match='psf needs the fits of models'):
            measure_structure(profile, psf=1.2, fits=False)
        sharp = correct_psf(profile, MOFFAT)
        match = 'profile is one of correct_psf'
        with pytest.raises(ValueError, match=match):
            measure_structure(sharp, psf=1.2)
        with pytest.raises(ValueError, match=match):
            correct_psf(sharp, 1.2)

    def test_pixels(self):
        """
        Radii in pixels need a PSF in pixels.
        """
        profile = smeared(lambda r: sersic(r, 3.0, 1.0))
        pixels = QTable(profile, copy=True)
        pixels['radius'] = profile['radius'].value / PIXEL * u.pix
        del pixels.meta['pixel_scale']
        with pytest.raises(ValueError, match='psf is in arcsec but the image'):
            measure_structure(pixels, psf=MOFFAT, n_samples=2)
        row = measure_structure(pixels, psf=PSF(FWHM / PIXEL * u.pix,
                                                beta=3.0), n_samples=2)[0]
        assert_allclose(row['sersic_r_e'].value, 3.0 / PIXEL, rtol=0.01)


class TestCorrection:
    @pytest.mark.parametrize('n', [1.0, 4.0])
    def test_sersic(self, n):
        profile = smeared(lambda r: sersic(r, 3.0, n))
        sharp = correct_psf(profile, MOFFAT)
        true = 25 - 2.5 * np.log10(sersic(profile['radius'].value, 3.0, n))
        use = slice(2, 18)
        off = (sharp['surface_brightness'].value - true)[use]
        assert np.abs(off).max() < 0.05
        before = (profile['surface_brightness'].value - true)[use]
        assert np.abs(before).max() > 0.2
        # errors hold those of the correction
        change, error = (sharp[name].value for name in (
            'psf_correction', 'psf_correction_err'))
        # (none where there is no signal)
        known = np.isfinite(change)
        assert known.sum() > 15
        change, error = np.nan_to_num(change), np.nan_to_num(error)
        assert_allclose(sharp['surface_brightness'].value, profile[
            'surface_brightness'].value + change)
        assert_allclose(sharp['surface_brightness_err'].value, np.hypot(
            profile['surface_brightness_err'].value, error))
        assert np.all(error >= 0.15 * np.abs(change))
        large = (sharp['flag'] & RingFlag.PSF_CORRECTED) != 0
        assert_array_equal(large, np.abs(change) > 0.1)
        assert large[0]
        assert not large.all()
        # light moves inwards, and none is lost
        moved = (sharp['mag_enclosed'] - profile['mag_enclosed']).value
        assert moved[4] < -0.1
        assert abs(moved[-1]) < 0.02
        assert sharp.meta['psf_fwhm'] == pytest.approx(FWHM, rel=0.01)

    def test_centre(self):
        """
        The mean over a pixel, as a cusp has no central value.
        """
        profile = smeared(lambda r: sersic(r, 3.0, 4.0))
        sharp = correct_psf(profile, MOFFAT)
        half = PIXEL / np.sqrt(np.pi)
        at = half * np.sqrt((np.arange(4000) + 0.5) / 4000)
        true = 25 - 2.5 * np.log10(sersic(at, 3.0, 4.0).mean())
        assert_allclose(sharp['surface_brightness'].value[0], true, atol=0.2)

    def test_samples(self):
        profile = smeared(lambda r: sersic(r, 3.0, 1.0))
        mu = profile['surface_brightness']
        profile['surface_brightness_samples'] = mu[:, None] + [
            -0.1, 0.1] * mu.unit
        sharp = correct_psf(profile, MOFFAT)
        assert_allclose(
            sharp['surface_brightness_samples'].value.mean(1),
            sharp['surface_brightness'].value)

    def test_no_galaxy(self):
        profile = smeared(lambda r: sersic(r, 3.0, 1.0))
        profile.meta['flag'] = int(GalaxyFlag.NO_SOURCE)
        with pytest.raises(ValueError, match='with the flag NO_SOURCE'):
            correct_psf(profile, MOFFAT)

    @pytest.mark.parametrize(('q', 'frame', 'warns'), [
        (0.8, 'sky', True), (0.8, 'pixel', False), (0.97, 'sky', False)])
    def test_elongated(self, q, frame, warns, recwarn):
        y, x = np.mgrid[-15:16, -15:16]
        array = np.exp(-0.5 * (x**2 + (y / q)**2) / 2.0**2)
        profile = smeared(lambda r: sersic(r, 3.0, 1.0))
        profile.meta['pa_frame'] = frame
        correct_psf(profile, array)
        found = [str(one.message) for one in recwarn]
        assert any('psf is elongated' in text for text in found) == warns

    def test_no_signal(self):
        profile = smeared(lambda r: sersic(r, 3.0, 1.0))
        profile['intensity_err'] = 10 * np.abs(profile['intensity'])
        with pytest.raises(ValueError, match='at least five rings'):
            correct_psf(profile, MOFFAT)

    def test_no_model(self):
        profile = smeared(lambda r: sersic(r, 3.0, 1.0))
        # five rings, four of which lie beyond the centre
        profile['intensity'][5:] = np.nan
        with pytest.raises(ValueError, match='profile could not be corrected'):
            correct_psf(profile, MOFFAT)


@pytest.mark.parametrize(('n', 'eps', 'size'), [(1.0, 0.5, 2.0),
                                                (4.0, 0.2, 3.0)])
def test_on_images(n, eps, size):
    """
    Images of GalSim, with the PSF as an array: the whole chain.
    """
    galsim = pytest.importorskip('galsim')
    rng = np.random.default_rng(3)
    q, r_e = 1 - eps, size * FWHM
    galaxy = galsim.Sersic(n, half_light_radius=r_e * q**0.5, flux=1e5).shear(
        q=q, beta=35 * galsim.degrees)
    star = galsim.Moffat(beta=3.0, fwhm=FWHM)
    image = galsim.Convolve(galaxy, star).drawImage(
        nx=200, ny=200, scale=PIXEL).array
    sigma = 0.5e5 / np.sqrt(np.pi * (r_e / PIXEL)**2 * q) / 1000
    image = image + rng.normal(0, sigma, image.shape)
    profile = IsophoteFitter(sky=0.0)(
        image, zeropoint=25.0, pixel_scale=PIXEL, noise=sigma)
    psf = star.drawImage(nx=64, ny=64, scale=PIXEL).array
    row = measure_structure(profile, psf=psf, n_samples=2)[0]
    assert_allclose(row['sersic_n'], n, rtol=0.05)
    assert_allclose(row['sersic_r_e'].value, r_e, rtol=0.03)
