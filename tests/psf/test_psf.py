# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the psf folder: PSFs of any kind, and smeared rings.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.convolution import Gaussian2DKernel
from astropy.io import fits
from astropy.modeling.models import (
    Gaussian1D,
    Gaussian2D,
    Moffat2D,
    Polynomial2D,
)
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose
from photutils.psf import GaussianPSF, GriddedPSFModel, ImagePSF
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import PSF
from astro_pix2prof.psf.deconvolution import sharpen_rings, steady_shape
from astro_pix2prof.psf.rings import RingConvolution

SIGMA = 1 / 2.354820045


def mean_on_ellipses(image, middle, sma, eps, theta):
    """
    Average an image along ellipses about its middle; return values, too.
    """
    t = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    a = np.asarray(sma)[:, None]
    b = a * (1 - np.asarray(eps)[:, None])
    u_, v = a * np.cos(t), b * np.sin(t)
    c, s = np.cos(theta), np.sin(theta)
    values = map_coordinates(image, [middle + u_ * s + v * c,
                                     middle + u_ * c - v * s], order=1)
    arc = np.hypot(a * np.sin(t), b * np.cos(t)) + 1e-9
    return (values * arc).sum(1) / arc.sum(1), values


def gaussian(n_pix=31, fwhm=4.0, at=None, n_y=None):
    shape = (n_y or n_pix, n_pix)
    x0, y0 = at or ((n_pix - 1) / 2, (shape[0] - 1) / 2)
    y, x = np.indices(shape)
    return np.exp(-((x - x0)**2 + (y - y0)**2) / (2 * (fwhm * SIGMA)**2))


def second_moment(psf):
    """
    The variance along x, which a shift would raise.
    """
    n = len(psf.values) // 2
    x = np.arange(-n, n + 1) * psf.step
    return (psf.values.sum(0) * x**2).sum() * psf.step**2


class TestKinds:
    @pytest.mark.parametrize(('given', 'options'), [
        (1.6, {}), (1.6 * u.arcsec, {}), (4 * u.pix, {}),
        (1600 * u.mas, {}),
        (gaussian(), {}), (5 * gaussian(), {}), (gaussian(32), {}),
        (gaussian(30, at=(13.2, 15.7)), {}), (gaussian(31, n_y=40), {}),
        (gaussian(61, fwhm=8.0), {'oversampling': 2}),
        (gaussian(61, fwhm=8.0), {'pixel_scale': 0.2}),
        (gaussian(61, fwhm=8.0), {'pixel_scale': 0.2 * u.arcsec / u.pix}),
        (gaussian().astype('>f4'), {}),
        (Gaussian2D(3, 7.3, 2.1, 4 * SIGMA, 4 * SIGMA), {}),
        (GaussianPSF(x_0=5.2, y_0=1, x_fwhm=4, y_fwhm=4), {}),
        (ImagePSF(gaussian(61, fwhm=8.0), oversampling=2), {}),
        (Gaussian2DKernel(4 * SIGMA, x_size=31), {}),
        (fits.ImageHDU(gaussian()), {}),
        (PSF(gaussian()), {})])
    def test_one_gaussian(self, given, options):
        """
        A Gaussian of 4 pixels or 1.6 arcsec, however it is given.
        """
        psf = PSF(given, **options).sampled(0.4)
        assert_allclose(psf.fwhm, 1.6, rtol=0.01)
        assert_allclose(second_moment(psf), (1.6 * SIGMA)**2, rtol=0.02)
        assert_allclose(psf.values.sum() * psf.step**2, 1)

    def test_moffat(self):
        psf = PSF(1.2, beta=3.0)
        assert psf.kind == 'moffat'
        assert repr(psf) == '<PSF: moffat, FWHM 1.2 arcsec>'
        same = PSF(Moffat2D(1, 0, 0, 3 / (2 * np.sqrt(2**(1 / 3) - 1)), 3.0))
        a, b = psf.sampled(0.4), same.sampled(0.4)
        at = np.array([0.0, 0.3, 0.6, 1.2, 3.0])
        assert_allclose(b(at, 0 * at), a(at, 0 * at), rtol=0.02)
        # wider wings than a Gaussian of the same width
        assert a(3.0, 0.0) > 10 * PSF(1.2).sampled(0.4)(3.0, 0.0)

    def test_gridded(self):
        data = np.array([gaussian(61, fwhm=8.0)] * 4)
        model = GriddedPSFModel(NDData(data, meta={
            'grid_xypos': [(0, 0), (0, 9), (9, 0), (9, 9)],
            'oversampling': 2}))
        model.x_0, model.y_0 = 4.0, 5.0
        assert_allclose(PSF(model).fwhm, 4.0, rtol=0.01)

    def test_file(self, tmp_path):
        """
        Extensions; the scale of a celestial WCS, and of no other.
        """
        path = tmp_path / 'psf.fits'
        header = fits.Header({'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN',
                              'CDELT1': -0.2 / 3600, 'CDELT2': 0.2 / 3600})
        plain = fits.Header({'CDELT1': 1.0, 'CDELT2': 1.0, 'CRVAL1': 3.5})
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(
            gaussian(), header, name='SKY'), fits.ImageHDU(
            gaussian(), plain)]).writeto(path)
        assert_allclose(PSF(f'{path}[SKY]').sampled(0.4).fwhm, 0.8,
                        rtol=0.01)
        assert_allclose(PSF(f'{path}[2]').sampled(0.4).fwhm, 1.6, rtol=0.01)
        with pytest.raises(ValueError, match=r'has 2 images .*give one, such'):
            PSF(path)
        for text in ('1.3', 'moffat', '1.3x', str(tmp_path / 'psf.fit')):
            match = "No such file; psf must be .* such as '1.3 arcsec': '"
            with pytest.raises(FileNotFoundError, match=match):
                PSF(text)
        with pytest.raises(ValueError, match="has no extension 'X'"):
            PSF(f'{path}[X]')
        with pytest.raises(ValueError, match='holds no image'):
            PSF(f'{path}[0]')
        with pytest.raises(ValueError, match='psf must have one image, got'):
            PSF(fits.HDUList([fits.PrimaryHDU(gaussian()),
                              fits.ImageHDU(gaussian())]))
        with pytest.raises(FileNotFoundError):
            PSF(tmp_path / 'none.fits')

    def test_rounded(self):
        psf = PSF(Gaussian2D(1, 0, 0, 2.0, 1.0)).sampled()
        round_ = psf.rounded()
        at = np.array([1.0, 2.0])
        assert_allclose(round_(at, 0 * at), round_(0 * at, at), rtol=0.02)
        assert psf(2.0, 0.0) > 2 * psf(0.0, 2.0)


class TestErrors:
    @pytest.mark.parametrize(('given', 'options', 'match'), [
        (0, {}, 'psf must be positive and finite'),
        (np.nan, {}, 'psf must be positive and finite'),
        (3 * u.mag, {}, "psf must be in 'arcsec'"),
        (np.ones(5), {}, 'psf must be a two-dimensional array'),
        (np.full((5, 5), np.nan), {}, 'psf must be finite, got 25'),
        (-gaussian(), {}, 'psf must have a positive sum'),
        (gaussian(at=(2, 15)), {}, 'psf must have its peak near the middle'),
        (np.ones((9, 9)), {}, 'psf must have its peak near the middle'),
        (1.2, {'beta': 1.0}, 'beta must be a finite number above 1'),
        (1.2, {'oversampling': 2}, 'oversampling must not be given with a f'),
        (gaussian(), {'beta': 3.0}, 'beta must not be given with an array'),
        (gaussian(), {'oversampling': 2, 'pixel_scale': 1},
         'pixel_scale and oversampling must not be given both'),
        (PSF(1.2), {'beta': 3.0}, 'beta must not be given of another PSF'),
        (Gaussian1D(), {}, 'psf must be a model of two coordinates'),
        (Gaussian2D(), {'pixel_scale': 1},
         'pixel_scale must not be given with a model'),
        (Gaussian2D(-1), {}, 'psf must be a model with a positive, finite'),
        (Polynomial2D(0, c0_0=1), {}, 'that falls to half of its peak')])
    def test_wrong_value(self, given, options, match):
        with pytest.raises(ValueError, match=match):
            PSF(given, **options)

    @pytest.mark.parametrize('given', [None, True, ['a'], {}])
    def test_wrong_type(self, given):
        with pytest.raises(TypeError, match='psf must be a full width'):
            PSF(given)

    def test_no_scale(self):
        with pytest.raises(ValueError, match='psf is in arcsec but the image'):
            PSF(1.2).sampled()

    @pytest.mark.parametrize(('array', 'match'), [
        (gaussian() + 0.01, 'psf does not fall to zero'),
        (gaussian(15, fwhm=1.2), 'full width at half maximum of 1'),
        (gaussian() - 0.05 * gaussian(fwhm=10.0), 'in negative values')])
    def test_warnings(self, array, match):
        with pytest.warns(AstropyUserWarning, match=match):
            PSF(array)


def shape(eps, theta):
    return lambda sma: (np.full(np.shape(sma), eps),
                        np.full(np.shape(sma), theta))


class TestRings:
    """
    Against an image that is rendered finely and smoothed.
    """

    @pytest.mark.parametrize(('eps', 'scale'), [(0.0, 3.0), (0.5, 3.0),
                                                (0.7, 8.0)])
    def test_against_image(self, eps, scale):
        theta, fwhm, n = 0.6, 3.0, 4
        y, x = (np.indices((161 * n, 161 * n)) + 0.5) / n - 80.5
        c, s = np.cos(theta), np.sin(theta)
        r = np.hypot(x * c + y * s, (y * c - x * s) / (1 - eps))
        image = gaussian_filter(np.exp(-r / scale), fwhm * SIGMA * n,
                                truncate=6)
        sma = np.array([0.0, 1.0, 2.0, 4.0, 7.0, 12.0, 20.0])
        middle = 80.5 * n - 0.5
        # (rings that are rounder than the galaxy)
        ring = np.full(len(sma), 0.8 * eps)
        true, values = mean_on_ellipses(image, middle, n * sma, ring, theta)
        rings = RingConvolution(PSF(fwhm * u.pix).sampled(), sma, ring,
                                np.full(len(sma), theta), shape(eps, theta))
        found = rings.matrix @ np.exp(-rings.nodes / scale)
        assert_allclose(found, true, rtol=1e-2)
        assert_allclose(found[:-1], true[:-1], rtol=5e-3)
        # the second harmonic, which says that the galaxy is flatter
        t = np.arange(values.shape[1]) * 2 * np.pi / values.shape[1]
        second = 2 * (values * np.cos(2 * t)).mean(1)
        assert_allclose((rings.flattening @ np.exp(-rings.nodes / scale))[2:],
                        second[2:], atol=6e-3 * true[2:].max())

    def test_constant(self):
        sma = np.array([0.0, 1.0, 3.0, 10.0])
        rings = RingConvolution(
            PSF(2.0, beta=2.5).sampled(1.0), sma, np.full(4, 0.2),
            np.zeros(4), lambda a: (0.4 - 0.1 * np.exp(-a), 0.1 * a / (1 + a)))
        assert_allclose(rings.matrix.sum(1), 1, rtol=0.02)

    def test_sharpen(self):
        """
        The shape without PSF, from rings that follow smeared isophotes.
        """
        theta, eps, fwhm, scale = 0.6, 0.5, 3.0, 4.0
        sma = np.concatenate([[0, 0.7], np.geomspace(1, 30, 30)])
        psf = PSF(fwhm * u.pix).sampled()
        low, high = np.zeros(len(sma)), np.full(len(sma), 0.9)
        # bisection: no second harmonic is left on the ring
        for _ in range(9):
            ring = 0.5 * (low + high)
            rings = RingConvolution(psf, sma, ring, np.full(len(sma), theta),
                                    shape(eps, theta))
            more = rings.flattening @ np.exp(-rings.nodes / scale) > 0
            low, high = np.where(more, ring, low), np.where(more, high, ring)
        near = sma < 3
        assert ring[(sma > 2) & near].max() < 0.4
        galaxy = sharpen_rings(
            psf, sma, rings.matrix @ np.exp(-rings.nodes / scale),
            np.full(len(sma), 100.0), ring, np.full(len(sma), theta))
        assert_allclose(galaxy.shape(np.array([1.0, 3.0, 6.0, 12.0]))[0],
                        eps, atol=0.025)
        assert_allclose(galaxy.shape(np.array([3.0]))[1], theta, atol=0.01)
        # a profile of its own, which gives the rings
        model = galaxy.rings.matrix @ galaxy.intensity
        ratio = model / (rings.matrix @ np.exp(-rings.nodes / scale))
        assert_allclose(ratio[sma < 20], 1, atol=0.03)

    def test_forced(self):
        sma = np.arange(0, 20.0)
        galaxy = sharpen_rings(
            PSF(3 * u.pix).sampled(), sma, np.exp(-sma / 4),
            np.full(20, 50.0), np.full(20, 0.3), np.zeros(20), forced=True)
        assert_allclose(galaxy.shape(sma)[0], 0.3)


class TestSteady:
    """
    Shapes of rings that differ by chance, and those that do not.
    """

    sma = np.geomspace(2, 60, 40)

    def shape_of(self, eps, theta):
        return lambda radius: (np.interp(radius, self.sma, eps),
                               np.interp(radius, self.sma, theta))

    def test_chance(self):
        rng = np.random.default_rng(3)
        shape = self.shape_of(0.4 + 0.04 * rng.normal(size=40),
                              0.3 + 0.04 * rng.normal(size=40))
        steady = steady_shape(shape, self.sma, np.full(40, 0.02), 4.0)
        eps, theta = steady(np.array([0.1, 5.0, 30.0, 200.0]))
        assert_allclose(eps, 0.4, atol=0.02)
        assert_allclose(eps, eps[0])
        assert_allclose(theta, 0.3, atol=0.02)

    def test_real_changes(self):
        """
        A round bulge in a flat disc, and a twist, stay.
        """
        eps = np.interp(np.log(self.sma), np.log([5.0, 15.0]), [0.1, 0.7])
        theta = np.interp(np.log(self.sma), np.log([5.0, 15.0]), [0.9, 0.2])
        steady = steady_shape(self.shape_of(eps, theta), self.sma,
                              np.full(40, 0.01), 3.0)
        found = steady(self.sma)
        assert_allclose(found[0], eps, atol=0.04)
        flat = eps > 0.3
        assert_allclose(found[1][flat], theta[flat], atol=0.03)

    def test_few_rings(self):
        shape = self.shape_of(np.full(40, 0.4), np.zeros(40))
        assert steady_shape(shape, self.sma, np.zeros(40), 58.0) is shape
