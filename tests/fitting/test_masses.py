# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of fit_bands with the stellar mass.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    absolute_magnitude,
    mass_profile,
    measure_structure,
)

PIXEL = 0.396
FACTORS = {'g': 0.4, 'r': 0.75, 'i': 1.0}


@pytest.fixture(scope='module')
def images(make_wcs):
    """
    An exponential disc of one colour in three bands.
    """
    y, x = np.mgrid[:121, :121]
    disc = gaussian_filter(Sersic2D(1.0, 9, 1.0, 60, 60, 0.4, 0.7)(x, y), 1.3)
    images = {}
    for k, (band, factor) in enumerate(FACTORS.items()):
        noise = np.random.default_rng(k).normal(scale=0.01, size=disc.shape)
        images[band] = CCDData(4 * factor * disc + noise, unit='nmgy',
                               wcs=make_wcs(disc.shape, pixel_scale=PIXEL))
    return images


@pytest.fixture(scope='module')
def result(images):
    return Pix2ProfFitter(device='cpu').fit_bands(
        images, predict='mass', distance=50 * u.Mpc)


class TestPredictMass:
    def test_light(self, images, result):
        """
        The profiles are those that there are without the mass.
        """
        plain = Pix2ProfFitter(device='cpu').fit_bands(images)
        assert plain.mass is None
        for band in images:
            assert_allclose(plain.profiles[band]['intensity'],
                            result.profiles[band]['intensity'])
        assert result.failed == {}

    def test_mass(self, result):
        mass = result.mass
        colour = -2.5 * np.log10(FACTORS['g'])
        known = ~mass['colour_held'] & (mass['radius'].value > 1)
        assert known.sum() > 8
        assert_allclose(np.median(mass['colour'][known].value), colour,
                        atol=0.02)
        total = measure_structure(result.profiles['i'],
                                  fits=False)['mag_total'][0]
        mag = absolute_magnitude(total, band='i', distance=50).value
        assert_allclose(mass.meta['log_mass'],
                        1.152 + 0.7 * colour - 0.4 * mag, atol=0.02)
        assert mass.meta['light'] == 'i'

    def test_same_as_mass_profile(self, result):
        again = mass_profile(result, distance=50)
        assert_allclose(again['mass_density'], result.mass['mass_density'])
        assert_allclose(again['mass_density_err'],
                        result.mass['mass_density_err'])

    def test_error_of_the_ellipses(self, result):
        """
        Densities are no more certain than the band with the ellipses.
        """
        alone = mass_profile(result.profiles, distance=50)
        assert np.all(alone['mass_density_err']
                      <= result.mass['mass_density_err'])
        shape = np.sqrt(result.mass['mass_density_err']**2
                        - alone['mass_density_err']**2)
        whole, own = (result.profiles[band]['surface_brightness_err'].value
                      for band in 'ri')
        # (the bands end where they are too faint)
        lengths = len(whole), len(own), len(shape)
        n = min(lengths)
        assert max(lengths) - n <= 1
        extra = np.sqrt(np.maximum(whole[:n]**2 - own[:n]**2, 0)) / 1.0857362
        known = np.isfinite(extra)
        assert np.any(extra[known] > 0)
        assert_allclose(
            (shape / result.mass['mass_density']).value[:n][known],
            extra[known],
            rtol=1e-6, atol=1e-6)
        assert_allclose(alone['mass_enclosed_err'],
                        result.mass['mass_enclosed_err'])

    def test_isophotes(self, images):
        result = IsophoteFitter().fit_bands(
            {band: images[band] for band in 'gi'}, predict='mass',
            distance=50, relation='zibetti2009', reference='i')
        assert result.mass.meta['relation'] == 'zibetti2009'
        assert 9 < result.mass.meta['log_mass'] < 11

    def test_failed_band(self, images):
        """
        Without one of its bands there is no mass, and all else there is.
        """
        bad = images['g'].copy()
        bad.data[:] = np.nan
        result = Pix2ProfFitter(device='cpu').fit_bands(
            {**images, 'g': bad}, predict='mass', distance=50)
        assert list(result.profiles) == ['r', 'i']
        assert result.mass is None
        assert list(result.failed) == ['g', 'mass']
        assert 'bands must have these, got r, i' in result.failed['mass']

    def test_failed_hook(self, images):
        """
        What a K-correction raises loses nothing else.
        """
        def k_correction(band, redshift, colour):
            msg = f'no spectrum in {band}'
            raise RuntimeError(msg)

        result = Pix2ProfFitter(device='cpu').fit_bands(
            {band: images[band] for band in 'gi'}, predict='mass',
            redshift=0.02, k_correction=k_correction)
        assert result.failed == {'mass': 'no spectrum in g'}
        assert list(result.profiles) == ['g', 'i']

    @pytest.mark.parametrize(('options', 'match'), [
        ({}, 'give distance= or redshift='),
        ({'distance': 50, 'relation': 'x'}, 'relation must be'),
        ({'distance': 50, 'colour': 'g-z'}, 'and g-z was asked for')])
    def test_checked_before(self, images, options, match, monkeypatch):
        """
        Wrong options raise before anything is measured.
        """
        fitter = Pix2ProfFitter(device='cpu')
        monkeypatch.setattr(Pix2ProfFitter, 'fit', None)
        with pytest.raises(ValueError, match=match):
            fitter.fit_bands(images, predict='mass', **options)

    def test_wrong(self, images):
        fitter = Pix2ProfFitter(device='cpu')
        with pytest.raises(ValueError, match="predict must be 'light' or"):
            fitter.fit_bands(images, predict='age')
        with pytest.raises(TypeError, match="give predict='mass', too"):
            fitter.fit_bands(images, distance=50)
        with pytest.raises(TypeError, match='images must be a dict'):
            fitter.fit_bands(list(images.values()), predict='mass',
                             distance=50)

    def test_map_of_the_position(self, images):
        """
        The position for a map of reddening is that of the profile.
        """
        asked = []

        def query(position):
            asked.append((position.ra.deg, position.dec.deg))
            return 0.1

        result = Pix2ProfFitter(device='cpu').fit_bands(
            {band: images[band] for band in 'gi'}, predict='mass',
            distance=50, ebv=query)
        assert_allclose(asked[0], (150, 2), atol=0.001)
        assert result.mass.meta['ebv'] == 0.1


def test_ngc3610(real_data):
    """
    A mass within 0.15 dex of what the total magnitudes give.
    """
    path = real_data / 'sdss_legacy_viewer_cubes' / 'ngc3610.fits'
    distance = 35 * u.Mpc
    result = Pix2ProfFitter(device='cpu').fit_bands(
        dict.fromkeys('gri', path), band={band: band for band in 'gri'},
        unit='nanomaggy', native_pixel_scale=0.396, predict='mass',
        distance=distance)
    mags = {band: absolute_magnitude(
        measure_structure(profile, fits=False)['mag_total'][0], band=band,
        distance=distance).value
        for band, profile in result.profiles.items()}
    # an elliptical galaxy, red throughout
    assert 1.0 < mags['g'] - mags['i'] < 1.2
    assert abs(result.mass.meta['log_mass'] - (
        1.152 + 0.7 * (mags['g'] - mags['i']) - 0.4 * mags['i'])) < 0.05
    assert 10.7 < result.mass.meta['log_mass'] < 11.1
