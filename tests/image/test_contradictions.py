# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the contradictions module.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.contradictions import (
    object_width,
    photon_excess,
    warn_contradictions,
)

SIZE, GAIN, SKY = 128, 4.0, 50.0
Y, X = np.indices((SIZE, SIZE)) - 64.0


def counts(*, scale=8.0, peak=2000.0, seed=0):
    """
    Draw a galaxy and a sky in counts of four electrons each.
    """
    light = SKY + peak * np.exp(-np.hypot(X, Y) / scale)
    return np.random.default_rng(seed).poisson(GAIN * light) / GAIN


def cutout_of(image, **options):
    return GalaxyCutout(image, **{'unit': 'adu', 'pixel_scale': 0.4,
                                  'zeropoint': 25.0} | options)


class TestGain:
    def test_excess(self):
        # photons of the sky add to those of the galaxy
        cutout = cutout_of(counts(), gain=GAIN)
        assert 0.6 < photon_excess(cutout) < 1.0
        cutout.gain = 0.01 * GAIN
        assert 6 < photon_excess(cutout) < 10

    @pytest.mark.parametrize('gain', [1e-6, 1e-3])
    def test_warning(self, gain):
        match = f'gain={gain:g} electrons per data unit means photon noise'
        with pytest.warns(AstropyUserWarning, match=match):
            cutout_of(counts(), gain=gain)
        with pytest.warns(AstropyUserWarning, match=match):
            GalaxyCutout.from_any(cutout_of(counts()), gain=gain)

    def test_limit(self):
        image, excess = counts(), photon_excess(cutout_of(counts(),
                                                          gain=GAIN))
        limit = GAIN * (excess / 10)**2
        cutout_of(image, gain=1.03 * limit)
        with pytest.warns(AstropyUserWarning, match='of 10 times'):
            cutout_of(image, gain=0.97 * limit)

    @pytest.mark.parametrize('unit', [1e-30, 1e-12, 1e-3, 1.0, 1e6])
    def test_units(self, unit):
        # a flux may have any number of electrons per unit
        image = counts() * unit
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            cutout = cutout_of(image, gain=GAIN / unit)
        assert photon_excess(cutout) == pytest.approx(photon_excess(
            cutout_of(counts(), gain=GAIN)), rel=0.01)
        # quantities, too
        cutout_of(image, gain=GAIN / unit * u.electron / u.adu)
        with pytest.warns(AstropyUserWarning, match='photon noise'):
            cutout_of(image, gain=1e-5 * GAIN / unit)

    def test_large(self):
        # what has no photon noise may be a mean of many images
        cutout = cutout_of(counts(), gain=1e30)
        assert 0 < photon_excess(cutout) < 1e-6

    def test_smoothed(self):
        image = gaussian_filter(counts(), 3 / 2.355)
        assert 1 < photon_excess(cutout_of(image, gain=GAIN)) < 5

    def test_saturated(self):
        # a full well has no noise
        image = np.minimum(counts(peak=1e5), 2000.0)
        assert photon_excess(cutout_of(image, gain=GAIN)) < 1.5

    def test_masked(self):
        mask = np.zeros((SIZE, SIZE), bool)
        image = counts()
        rng = np.random.default_rng(4)
        mask[rng.random(mask.shape) < 0.2] = True
        image[mask] = 1e4 * rng.normal(size=np.count_nonzero(mask))
        assert 0.6 < photon_excess(cutout_of(image, gain=GAIN,
                                             mask=mask)) < 1.0

    def test_not_known(self):
        # nothing is bright, or has noise
        rng = np.random.default_rng(1)
        cutout = cutout_of(SKY + rng.normal(size=X.shape), gain=1e-6)
        assert photon_excess(cutout) == 0
        cutout = cutout_of(np.where(np.hypot(X, Y) < 20, 1.0, 0.0), gain=1e-6)
        assert photon_excess(cutout) == 0

    def test_header(self):
        # only what was given is looked at
        cutout = cutout_of(counts(), gain=GAIN)
        cutout.gain *= 1e-6
        assert photon_excess(cutout) > 100
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter('always')
            warn_contradictions(cutout)
        assert not found


class TestFWHM:
    @pytest.mark.parametrize(('fwhm', 'warns'), [(63, False), (65, True)])
    def test_frame(self, fwhm, warns):
        # of noise alone, only the frame tells
        image = np.random.default_rng(2).normal(size=X.shape)
        for value in (0.4 * fwhm, fwhm * u.pix):
            with warnings.catch_warnings(record=True) as found:
                warnings.simplefilter('always')
                cutout_of(image, psf_fwhm=value)
            assert len(found) == warns
        if warns:
            assert '65 pixels, more than half of the frame of 128 x 128' in (
                str(found[0].message))

    @pytest.mark.parametrize('sigma', [4.0, 8.0])
    def test_object(self, sigma):
        image = 1000 * np.exp(-0.5 * (X**2 + Y**2) / sigma**2)
        image += np.random.default_rng(3).normal(size=X.shape)
        width = 2.355 * sigma
        cutout = cutout_of(image, psf_fwhm=width * u.pix)
        # (the filter lowers the peak)
        assert object_width(cutout, width) == pytest.approx(width, rel=0.1)
        cutout_of(image, psf_fwhm=1.9 * width * u.pix)
        match = 'pixels, but the brightest object near the galaxy has'
        with pytest.warns(AstropyUserWarning, match=match):
            cutout_of(image, psf_fwhm=2.3 * width * u.pix)
        with pytest.warns(AstropyUserWarning, match=match):
            GalaxyCutout.from_any(cutout_of(image),
                                  psf_fwhm=2.3 * width * u.pix)

    def test_small(self):
        # PSFs of a few pixels are not looked at: objects may be cosmic rays
        image = np.random.default_rng(5).normal(size=X.shape)
        image[60:68, 60:62] += 1000
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter('always')
            cutout_of(image, psf_fwhm=8 * u.pix)
            # nor are thin ones seen
            cutout = cutout_of(image, psf_fwhm=20 * u.pix)
        assert not found
        assert object_width(cutout, 20.0) == np.inf

    def test_masked(self):
        # the middle of a star may be masked
        image = 1000 * np.exp(-0.5 * (X**2 + Y**2) / 8**2)
        image += np.random.default_rng(3).normal(size=X.shape)
        mask = np.hypot(X, Y) < 13
        mask[64, 64:] = True
        cutout = cutout_of(image, mask=mask)
        assert object_width(cutout, 18.8) == np.inf

    def test_faint(self):
        image = np.random.default_rng(3).normal(size=X.shape)
        assert object_width(cutout_of(image), 20.0) == np.inf
        image += 10 * np.exp(-0.5 * (X**2 + Y**2) / 16)
        assert object_width(cutout_of(image), 20.0) == np.inf
