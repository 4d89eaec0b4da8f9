# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the isophote and isophote_steps modules.

The synthetic galaxies are astropy Sersic models smoothed with a Gaussian
PSF; their true profile is the same model sampled along its own ellipses,
so that differences of 0.02 mag (bright) are those of the fitter.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Gaussian2D, Sersic2D
from astropy.nddata import CCDData, InverseVariance
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyCutout, IsophoteFitter, decode_flags
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.table import interpolate_profile

SIGMA = 0.03
PIXEL = 0.396


def make_galaxy(*, shape=(201, 201), centre=(100.0, 100.0), r_eff=14, n=1.0,
                amplitude=1.0, ellip=0.4, theta=0.7):
    """
    A noise-free galaxy, smoothed by a PSF of 3 pixels FWHM.
    """
    y, x = np.mgrid[:shape[0] * 3, :shape[1] * 3] / 3 - 1 / 3
    image = Sersic2D(amplitude, r_eff, n, *centre, ellip, theta)(x, y)
    image = gaussian_filter(image, 3 * 3 / 2.355)
    return image.reshape(shape[0], 3, shape[1], 3).mean((1, 3))


def add_noise(image, *, seed=1, sigma=SIGMA):
    rng = np.random.default_rng(seed)
    return image + rng.normal(scale=sigma, size=image.shape)


def true_intensity(clean, centre, sma, ellip, theta):
    """
    Mean of the clean image along ellipses of one shape.
    """
    from astro_pix2prof.ellipses.annuli import measure_rings

    n = len(sma)
    return measure_rings(clean, np.ones(clean.shape, bool), centre,
                         np.asarray(sma, float), np.full(n, ellip),
                         np.full(n, theta), sigma=np.inf).mean


@pytest.fixture(name='galaxy', scope='module')
def fixture_galaxy():
    return make_galaxy()


@pytest.fixture(name='options')
def fixture_options():
    return {'unit': u.nmgy, 'pixel_scale': PIXEL}


@pytest.fixture(name='fit', scope='module')
def fixture_fit(galaxy):
    """
    The fit of the galaxy with noise, which tests only look at.
    """
    return IsophoteFitter().fit(add_noise(galaxy), unit=u.nmgy,
                                pixel_scale=PIXEL)


def offsets(profile, clean, centre=(100.0, 100.0), ellip=0.4, theta=0.7):
    """
    Magnitude differences from the truth, and S/N, of each ring.
    """
    sma = profile['radius'].to_value(u.arcsec) / PIXEL
    value = profile['intensity'].value * PIXEL**2
    true = true_intensity(clean, centre, sma, ellip, theta)
    with np.errstate(invalid='ignore', divide='ignore'):
        return sma, -2.5 * np.log10(value / true), true


class TestIsophoteFitter:
    def test_accuracy(self, galaxy, fit):
        profile = fit.profile
        sma, delta, true = offsets(profile, galaxy)
        # The PSF rounds the inner isophotes: compare outside it.
        bright = (sma > 12) & (true > 1.0 * SIGMA)
        assert bright.sum() > 15
        assert_allclose(delta[bright], 0, atol=0.1)
        assert np.median(np.abs(delta[bright])) < 0.025
        middle = (sma > 10) & (sma < 30)
        assert_allclose(profile['ellipticity'][middle], 0.4, atol=0.03)
        assert_allclose(profile['pa'].value[middle], np.degrees(0.7),
                        atol=3)
        assert profile.meta['pa_frame'] == 'pixel'
        assert_allclose([profile.meta['x_centre'], profile.meta['y_centre']],
                        100, atol=0.2)

    def test_reaches_faint_rings(self, galaxy, fit):
        profile = fit.profile
        true = true_intensity(galaxy, (100, 100), np.arange(1, 95), 0.4, 0.7)
        limit = np.argmax(true < 0.2 * SIGMA)
        assert profile['radius'][-1].value / PIXEL > limit

    def test_errors_hold(self, options):
        centre = (70.0, 70.0)
        clean = make_galaxy(shape=(141, 141), centre=centre, r_eff=10,
                            ellip=0.0)
        pulls = []
        for seed in range(3):
            profile = IsophoteFitter()(add_noise(clean, seed=seed), **options)
            sma, _, true = offsets(profile, clean, centre, ellip=0.0)
            pull = (profile['intensity'].value * PIXEL**2 - true) / (
                profile['intensity_err'].value * PIXEL**2)
            pulls.append(pull[(sma > 6) & (true > 0.2 * SIGMA)])
        held = np.mean(np.abs(np.concatenate(pulls)) < 1)
        assert 0.55 < held < 0.97

    @pytest.mark.parametrize(('dx', 'dy'), [
        (-8, 12), *(pytest.param(*shift, marks=pytest.mark.slow)
                    for shift in ((15, 0), (0, -15)))])
    def test_off_centre(self, options, dx, dy):
        centre = (100.0 + dx, 100.0 + dy)
        clean = make_galaxy(centre=centre, r_eff=8)
        profile = IsophoteFitter()(add_noise(clean), **options)
        assert_allclose(profile.meta['x_centre'], centre[0], atol=0.3)
        assert_allclose(profile.meta['y_centre'], centre[1], atol=0.3)
        assert not profile.meta['flag'] & GalaxyFlag.NO_SOURCE

    def test_edge_on(self, options):
        clean = make_galaxy(ellip=0.85, r_eff=20)
        profile = IsophoteFitter()(add_noise(clean), **options)
        sma = profile['radius'].value / PIXEL
        assert_allclose(profile['ellipticity'][(sma > 20) & (sma < 40)],
                        0.82, atol=0.06)
        assert profile['radius'][-1].value / PIXEL > 40

    @pytest.mark.parametrize('case', ['star', 'neighbour', 'near star'])
    def test_contaminants(self, galaxy, options, case):
        y, x = np.mgrid[:201, :201]
        other = {
            'star': Gaussian2D(20, 118, 107, 1.4, 1.4),
            'neighbour': Sersic2D(0.8, 8, 1.0, 140, 70, 0.3, 2.0),
            'near star': Gaussian2D(6, 107, 104, 1.4, 1.4)}[case](x, y)
        profile = IsophoteFitter()(add_noise(galaxy + other), **options)
        sma, delta, true = offsets(profile, galaxy)
        part = (sma > 8) & (true > SIGMA)
        assert np.median(np.abs(delta[part])) < 0.05
        assert_allclose(profile.meta['x_centre'], 100, atol=0.5)

    def test_mask_and_nan(self, galaxy, options):
        image = add_noise(galaxy)
        image[95:106, 110:125] = np.nan
        mask = np.zeros(image.shape, bool)
        mask[:, 60:64] = True
        image[mask] = 500.0
        fit = IsophoteFitter().fit(image, mask=mask, **options)
        assert fit.mask[mask].all()
        assert fit.mask[100, 115]
        sma, delta, true = offsets(fit.profile, galaxy)
        part = (sma > 12) & (true > SIGMA)
        assert np.median(np.abs(delta[part])) < 0.02
        assert fit.profile['n_valid'][np.argmin(np.abs(sma - 17))] < 0.95

    def test_flat_dwarf(self, options):
        clean = make_galaxy(n=0.4, r_eff=18, amplitude=0.05, ellip=0.2)
        profile = IsophoteFitter()(add_noise(clean), **options)
        sma, delta, true = offsets(profile, clean, ellip=0.2)
        part = (sma > 5) & (true > 0.5 * SIGMA)
        assert np.median(np.abs(delta[part])) < 0.12

    def test_never_empty(self, options):
        noise = add_noise(np.zeros((101, 101)))
        profile = IsophoteFitter()(noise, **options)
        assert len(profile) >= 4
        assert profile.meta['flag'] & GalaxyFlag.NO_SOURCE

    @pytest.mark.parametrize('shape', [(64, 64), (65, 90), (130, 71)])
    def test_small_and_odd_frames(self, options, shape):
        centre = ((shape[1] - 1) / 2, (shape[0] - 1) / 2)
        clean = make_galaxy(shape=shape, centre=centre, r_eff=5)
        profile = IsophoteFitter()(add_noise(clean), **options)
        assert np.isfinite(profile['surface_brightness'][:20]).all()

    def test_given_sky(self, galaxy, options):
        image = add_noise(galaxy) + 7.0
        given = IsophoteFitter(sky=7.0, sky_err=0.01).fit(image, **options)
        assert given.sky == 7.0
        assert given.profile.meta['sky_err'] == 0.01
        assert given.profile['intensity_err'].value.min() >= 0.01 / PIXEL**2

    def test_background_pedestal_changes_nothing(self, galaxy, fit, options):
        one = fit.profile
        lifted = IsophoteFitter().fit(add_noise(galaxy) + 100, **options)
        two = lifted.profile
        assert_allclose(lifted.sky, 100, atol=3 * two.meta['sky_err'])
        assert two.meta['sky_err'] < 0.2 * SIGMA
        n = min(len(one), len(two)) - 5
        assert_allclose(one['intensity'][:n], two['intensity'][:n],
                        rtol=0.02, atol=0.02 * one['intensity'][0].value)

    def test_scale(self, galaxy, fit, options):
        # A power of two, so that rounding is the same.
        two = IsophoteFitter()(add_noise(galaxy) * 1024, **options)
        assert_allclose(two['surface_brightness'][:30].value,
                        fit.profile['surface_brightness'][:30].value
                        - 2.5 * np.log10(1024), atol=1e-3)

    def test_uncertainty_is_used(self, galaxy, fit):
        image = add_noise(galaxy)
        ccd = CCDData(image, unit='nmgy', uncertainty=InverseVariance(
            np.full(image.shape, (3 * SIGMA)**-2)))
        wide = IsophoteFitter()(ccd, pixel_scale=PIXEL)
        # Further in, arms and ellipse dominate; further out the sky.
        ratio = (wide['intensity_err'][1:6]
                 / fit.profile['intensity_err'][1:6]).value
        assert np.median(ratio) > 1.5

    def test_gain_adds_poisson_noise(self, galaxy, fit, options):
        low = IsophoteFitter()(add_noise(galaxy), gain=20.0, **options)
        assert (low['intensity_err'][5]
                > 1.3 * fit.profile['intensity_err'][5])

    def test_saturation(self, galaxy, options):
        image = np.minimum(add_noise(galaxy), 2.0)
        profile = IsophoteFitter()(image, saturation=2.0, **options)
        assert profile.meta['flag'] & GalaxyFlag.SATURATED
        assert profile['flag'][0] & RingFlag.SATURATED
        assert not profile['flag'][-1] & RingFlag.SATURATED

    def test_position(self, galaxy, options):
        other = make_galaxy(centre=(150.0, 40.0), r_eff=6)
        image = add_noise(galaxy + other)
        profile = IsophoteFitter()(image, position=(151, 39), **options)
        assert_allclose(profile.meta['x_centre'], 150, atol=0.5)
        assert_allclose(profile.meta['y_centre'], 40, atol=0.5)
        held = IsophoteFitter(fit_centre=False)(image, position=(152, 41),
                                                **options)
        assert held.meta['x_centre'] == 152
        assert held.meta['y_centre'] == 41

    def test_max_sma(self, galaxy, options):
        profile = IsophoteFitter(max_sma=20)(add_noise(galaxy), **options)
        assert 18 < profile['radius'][-1].value / PIXEL <= 20.01

    def test_truncated(self, options):
        clean = make_galaxy(shape=(91, 91), centre=(45.0, 45.0), r_eff=25)
        profile = IsophoteFitter()(add_noise(clean), **options)
        assert 'TRUNCATED' in decode_flags(profile.meta['flag'], 'galaxy')
        assert (profile['flag'] & RingFlag.EDGE).any()

    def test_uncalibrated(self, galaxy):
        profile = IsophoteFitter()(add_noise(galaxy), calibrated=False)
        assert profile['radius'].unit == u.pix
        assert np.isnan(profile['surface_brightness']).all()
        assert profile.meta['flag'] & GalaxyFlag.UNCALIBRATED
        assert np.isfinite(profile['intensity'][:20]).all()

    def test_ring_flags(self, galaxy, options):
        profile = IsophoteFitter()(add_noise(galaxy), psf_fwhm=1.2,
                                   **options)
        assert profile['flag'][0] & RingFlag.UNRESOLVED
        assert not profile['flag'][12] & RingFlag.UNRESOLVED
        assert profile['flag'][-1] & RingFlag.EXTENDED

    def test_repeatable(self, galaxy, fit, options):
        again = IsophoteFitter()(add_noise(galaxy), **options)
        assert_allclose(again['intensity'], fit.profile['intensity'],
                        rtol=0)

    def test_follow(self, galaxy, options):
        fit = IsophoteFitter(smooth=False, mask_sources=False).fit(
            add_noise(galaxy), **options)
        assert not fit.mask.any()
        sma, delta, true = offsets(fit.profile, galaxy)
        part = (sma > 6) & (true > 3 * SIGMA)
        assert_allclose(delta[part], 0, atol=0.08)

    def test_model(self, galaxy, fit):
        y, x = np.mgrid[:201, :201]
        part = np.hypot(x - 100, y - 100) < 30
        ratio = fit.model()[part] / galaxy[part]
        assert abs(np.median(ratio) - 1) < 0.02

    @pytest.mark.parametrize(('name', 'value', 'match'), [
        ('step', 0.0, r'step must be a finite number from 0.01 to 0.5, got 0'),
        ('step', 2, r'step must be a finite number from 0.01 to 0.5, got 2'),
        ('step', True, r'step must be .*, got True'),
        ('sky_err', 'a', r"sky_err must be .* at least 0, got 'a'"),
        ('sky_err', -1, r'sky_err must be .* at least 0, got -1'),
        ('smooth', 'no', r"smooth must be True or False, got 'no'"),
        ('mask_sources', 0, r'mask_sources must be True or False, got 0'),
        ('max_sma', -3, r'max_sma must be .* at least 2, got -3')])
    def test_wrong_settings(self, name, value, match):
        with pytest.raises((TypeError, ValueError), match=match):
            IsophoteFitter(**{name: value})

    def test_wrong_image(self):
        with pytest.raises(ValueError, match='zeropoint'):
            IsophoteFitter()(np.ones((50, 50)), pixel_scale=1)


class TestFixedGeometry:
    def test_other_band(self, galaxy, fit, options):
        first = fit.profile
        faint = add_noise(0.5 * galaxy, seed=5)
        second = IsophoteFitter()(faint, geometry=first, **options)
        assert len(second) == len(first)
        assert_allclose(second['radius'], first['radius'])
        assert_allclose(second['ellipticity'], first['ellipticity'])
        assert_allclose(second['pa'], first['pa'])
        assert second.meta['flag'] & GalaxyFlag.FORCED
        assert (second['flag'] & RingFlag.FIXED_GEOMETRY).all()
        colour = (second['surface_brightness']
                  - first['surface_brightness']).value[5:30]
        assert_allclose(colour, 2.5 * np.log10(2), atol=0.06)

    def test_centre_of_faint_band(self, galaxy, fit, options):
        # a centre that is given is certain, whether a peak is seen or not
        faint = add_noise(0.03 * galaxy, seed=6)
        alone = IsophoteFitter().fit(faint, **options)
        assert 'CENTRE_UNCERTAIN' in alone.flags
        forced = IsophoteFitter().fit(faint, geometry=fit.profile, **options)
        assert 'CENTRE_UNCERTAIN' not in forced.flags

    def test_wcs_and_other_pixels(self, galaxy, make_wcs):
        image = CCDData(add_noise(galaxy), unit='nmgy',
                        wcs=make_wcs(galaxy.shape, rotation=30.0))
        first = IsophoteFitter()(image)
        # The same sky with pixels half as wide.
        fine = np.kron(galaxy, np.ones((2, 2))) / 4
        wcs = make_wcs(fine.shape, pixel_scale=PIXEL / 2, rotation=30.0)
        other = CCDData(add_noise(fine, sigma=SIGMA / 2), unit='nmgy',
                        wcs=wcs)
        second = IsophoteFitter()(other, geometry=first)
        assert_allclose(second['pa'][10:30], first['pa'][10:30],
                        atol=2)
        delta = (second['surface_brightness']
                 - first['surface_brightness']).value[8:30]
        assert_allclose(delta, 0, atol=0.05)

    def test_outside(self, fit, options):
        with pytest.raises(ValueError, match='outside the image of 50 x 50'):
            IsophoteFitter()(add_noise(np.zeros((50, 50))),
                             geometry=fit.profile, **options)

    def test_units_differ(self, galaxy, fit):
        with pytest.raises(ValueError, match='has radii in arcsec'):
            IsophoteFitter()(add_noise(galaxy), calibrated=False,
                             geometry=fit.profile)

    def test_wcs_missing(self, galaxy, options, make_wcs):
        image = CCDData(add_noise(galaxy), unit='nmgy',
                        wcs=make_wcs(galaxy.shape))
        first = IsophoteFitter()(image)
        with pytest.raises(ValueError, match='has no WCS'):
            IsophoteFitter()(add_noise(galaxy), geometry=first,
                             **options)


class TestRealGalaxies:
    """
    Against ellipse tables made with IRAF: the bounds are the project's.
    """

    def compare(self, fit, path, *, scale=1.0):
        table = fits.getdata(path)
        sma = np.asarray(table['SMA'], float)
        intensity = np.asarray(table['INTENS'], float)
        ok = (intensity > 0) & (sma > 0)
        mine = np.interp(sma[ok], fit.sma, fit.intensity / scale,
                         right=np.nan)
        with np.errstate(invalid='ignore'):
            return -2.5 * np.log10(mine / intensity[ok])

    def test_m51(self, real_data):
        folder = real_data / 'm51_photutils'
        fit = IsophoteFitter(sky=0.0, smooth=False).fit(
            folder / 'M51.fits', zeropoint=25.0, pixel_scale=1.0)
        delta = self.compare(fit, folder / 'M51_table.fits')
        delta = np.abs(delta - np.nanmedian(delta))
        assert np.nanmedian(delta) < 0.01
        assert np.nanquantile(delta, 0.9) < 0.15

    @pytest.mark.slow
    @pytest.mark.parametrize(('smooth', 'middle'), [
        (False, 0.01),
        # without following each isophote the bar is smoothed somewhat
        (True, 0.015)])
    def test_ngc4608(self, real_data, smooth, middle):
        folder = real_data / 'ngc4608_irac1'
        path = folder / 'n4608irac1ss_fitted_cutout.fits'
        image = GalaxyCutout(fits.getdata(path), unit=u.MJy / u.sr / 187.75,
                             pixel_scale=0.6)
        fit = IsophoteFitter(sky=0.0, smooth=smooth).fit(image)
        delta = np.abs(self.compare(fit, folder / 'el_n4608irac1ss.fits',
                                    scale=187.75))
        assert np.nanmedian(delta) < middle
        assert np.nanquantile(delta, 0.9) < 0.15

    def test_ngc3610(self, real_data):
        path = real_data / 'sdss_legacy_viewer_cubes' / 'ngc3610.fits'
        profile = IsophoteFitter()(path, band='r', unit='nanomaggy',
                                   native_pixel_scale=0.396)
        assert_allclose(profile['mag_enclosed'][-1].value, 10.6, atol=0.15)

    def test_eso243(self, real_data):
        path = real_data / 'sdss_legacy_viewer_cubes' / 'eso243-49.fits'
        profile = IsophoteFitter()(path, band='r', unit='nanomaggy',
                                   native_pixel_scale=0.262)
        assert not (profile['flag'] & RingFlag.NEGATIVE)[:-3].any()
        snr = (profile['intensity'] / profile['intensity_err']).value
        # it goes on to where the signal ends, or says that the frame does
        assert snr[-1] < 2 or profile.meta['flag'] & GalaxyFlag.TRUNCATED
        mu = interpolate_profile(profile, [5, 10, 20] * u.arcsec)
        assert (np.diff(mu.value) > 0).all()
