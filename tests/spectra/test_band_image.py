# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for filters and for the image of a cube through one.

Independent values: a flux density of 1 uJy at all wavelengths is 23.9 AB mag
through any filter, and numerical integrals on a fine grid.
"""

import astropy.constants as const
import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal
from specutils import Spectrum

from astro_pix2prof import GalaxyCutout, band_image
from astro_pix2prof.spectra.filters import BANDS, read_filter

FLAM = u.Unit('1e-20 erg / (s cm2 AA)')
WAVE = np.linspace(4800, 9300, 901)


def make_cube(spectrum, *, shape=(7, 8), unit=FLAM, wave=WAVE, sigma=None,
              mask=None):
    """
    A cube with the same spectrum, times 1, 2, ... in its spaxels.
    """
    factor = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN', 'AWAV'
    wcs.wcs.cunit = 'deg', 'deg', 'Angstrom'
    wcs.wcs.crval = 40.0, -5.0, wave[0]
    wcs.wcs.crpix = 4.0, 4.0, 1.0
    wcs.wcs.cdelt = -0.2 / 3600, 0.2 / 3600, wave[1] - wave[0]
    data = spectrum[:, None, None] * factor
    return Spectrum(
        data * unit, wcs=wcs, mask=mask, uncertainty=None if sigma is None
        else StdDevUncertainty(np.full(data.shape, sigma))), factor


def flat_fnu(wave=WAVE):
    """
    1 uJy at all wavelengths, as a flux density per wavelength.
    """
    return (1 * u.uJy).to_value(FLAM, u.spectral_density(wave * u.AA))


@pytest.mark.parametrize('filter', [
    'white', 'r', 'i', '6000:7000', (6003.3, 7001.1), (0.6, 0.7) * u.um,
    (np.array([5500, 6000, 6500.0]), np.array([0, 1, 0.2])),
    np.array([[5500, 0], [6000, 1], [6500, 0.2]]),
    (np.array([6500, 6000, 5500.0]), [0.2, 1, 0])])
def test_ab_magnitude(filter):
    cube, factor = make_cube(flat_fnu())
    image = band_image(cube, filter)
    assert image.unit == u.nJy
    # the flux density per wavelength is constant in a plane
    assert_allclose(image.data, 1000 * factor, rtol=2e-6)
    assert not image.mask.any()
    cutout = GalaxyCutout(image)
    assert_allclose(cutout.pixel_scale, 0.2, rtol=1e-6)
    magnitude = cutout.zeropoint - 2.5 * np.log10(cutout.data)
    assert_allclose(magnitude, 23.9 - 2.5 * np.log10(factor), atol=1e-4)


def test_photons_are_counted():
    """
    A steep spectrum through a curve, against a fine numerical integral.
    """
    wave, transmission = np.array([5500, 6000, 7500.0]), [0.1, 0.9, 0.4]
    slope = (WAVE / 6000)**3.0
    cube, factor = make_cube(slope)
    image = band_image(cube, (wave, transmission))
    fine = np.linspace(5500, 7500, 400001)
    curve = np.interp(fine, wave, transmission)
    mean = (np.trapezoid((fine / 6000)**3 * curve * fine, fine) * FLAM
            / (np.trapezoid(curve / fine, fine) * const.c)
            * u.AA**2).to_value(u.nJy)
    assert_allclose(image.data, mean * factor, rtol=1e-5)
    # counting energies would be wrong by more than a per cent
    energy = (np.trapezoid((fine / 6000)**3 * curve, fine) * FLAM
              / (np.trapezoid(curve / fine**2, fine) * const.c)
              * u.AA**2).to_value(u.nJy)
    assert abs(energy / mean - 1) > 0.01


@pytest.mark.parametrize('turned', [False, True])
def test_weights(turned):
    edges = np.array([5000, 5100, 5300, 5350, 5600.0])
    curve = read_filter((np.array([5050, 5200, 5330.0]), [0.2, 1.0, 0.5]),
                        edges)
    energy, number = curve.weights(edges[::-1] if turned else edges)
    fine = np.linspace(5050, 5330, 280001)
    part = np.searchsorted(edges, 0.5 * (fine[1:] + fine[:-1])) - 1
    middle = 0.5 * (fine[1:] + fine[:-1])
    t = np.interp(middle, curve.wave, curve.transmission) * np.diff(fine)
    expected = [np.bincount(part, t * middle, 4),
                np.bincount(part, t / middle, 4)]
    for got, want in zip((energy, number), expected, strict=True):
        assert_allclose(got[::-1] if turned else got, want, rtol=1e-8)


def test_surface_brightness_and_frequency():
    cube, factor = make_cube(np.ones(len(WAVE)), unit=u.MJy / u.sr)
    image = band_image(cube, 'white')
    area = (0.2 * u.arcsec)**2
    assert_allclose(image.data, factor * (1 * u.MJy / u.sr * area).to_value(
        u.nJy), rtol=1e-6)


def test_errors():
    cube, _ = make_cube(np.ones(len(WAVE)), sigma=0.3)
    image = band_image(cube, '6000:7000')
    energy, _ = read_filter('6000:7000', WAVE).weights(
        np.append(WAVE - 2.5, WAVE[-1] + 2.5))
    share = np.sqrt((energy**2).sum()) / energy.sum()
    assert_allclose(image.uncertainty.array,
                    0.3 * share * image.data[0, 0], rtol=1e-6)
    noise = GalaxyCutout(image).noise
    assert_allclose(noise, image.uncertainty.array, rtol=1e-6)
    assert band_image(make_cube(np.ones(len(WAVE)))[0]).uncertainty is None


def test_masked_values():
    """
    The usable wavelengths stand for others, unless too few are left.
    """
    mask = np.zeros((len(WAVE), 7, 8), bool)
    mask[(WAVE > 6500) & (WAVE < 6550), 2, 3] = True
    mask[(WAVE > 6500) & (WAVE < 6700), 4, 5] = True
    spectrum = flat_fnu()
    cube, factor = make_cube(spectrum, mask=mask)
    cube.data[mask] = 1e9
    image = band_image(cube, '6000:7000')
    assert_array_equal(np.argwhere(image.mask), [[4, 5]])
    assert np.isnan(image.data[4, 5])
    assert_allclose(image.data[~image.mask], 1000 * factor[~image.mask],
                    rtol=2e-3)
    image = band_image(cube, '6000:7000', min_coverage=0.5)
    assert not image.mask.any()
    star = np.zeros((7, 8), bool)
    star[1, 1] = True
    image = band_image(cube, '8000:9000', mask=star)
    assert_array_equal(image.mask, star)


def test_meta():
    cube, _ = make_cube(np.ones(len(WAVE)))
    image = band_image(cube, 'r')
    assert image.meta['BAND'] == 'r (box)'
    assert image.meta['MEDIUM'] == 'air'
    low, high = BANDS['r']
    assert_allclose(image.meta['PIVOT'], np.sqrt(
        (high**2 - low**2) / 2 / np.log(high / low)))
    assert GalaxyCutout(band_image(cube, name='x')).band == 'x'


def test_filter_beyond_the_cube():
    cube, factor = make_cube(flat_fnu())
    with pytest.warns(AstropyUserWarning,
                      match=r"% of the filter '9000-9400 Angstrom' lies"):
        image = band_image(cube, '9000:9400')
    assert_allclose(image.data, 1000 * factor, rtol=1e-5)
    with pytest.raises(ValueError, match=r'range of the cube, 479[78] to 9302 '
                                         r'Angstrom, got 100% of it outside'):
        band_image(cube, (3000, 4000))


@pytest.mark.parametrize(('filter', 'error', 'match'), [
    ('sdss_r', ValueError, "must be 'white', 'g', .*got 'sdss_r'"),
    ('6000:x', ValueError, "such as '6000:7000', got '6000:x'"),
    ('7000:6000', ValueError, 'range of increasing wavelengths'),
    ((7000, 6000), ValueError, 'range of increasing wavelengths'),
    (6000, TypeError, 'or a curve .wavelength, transmission., got 6000'),
    ((6000, [7000, 1]), TypeError, 'or a curve'),
    (('a', 'b'), TypeError, 'or a curve .wavelength, transmission., got'),
    ((6000 * u.kg, 7000 * u.kg), ValueError, "got the unit 'kg'"),
    (([6000, 6000, 7000], [1, 1, 1]), ValueError, 'wavelengths in order'),
    (([6000, 6500, 7000], [0, 0, 0]), ValueError, 'not 0 everywhere'),
    (([6000, 6500, 7000], [0, -1, 1]), ValueError, 'transmission from 0 on'),
])
def test_wrong_filters(filter, error, match):
    cube, _ = make_cube(np.ones(len(WAVE)))
    with pytest.raises(error, match=match):
        band_image(cube, filter)


def test_wrong_options():
    cube, _ = make_cube(np.ones(len(WAVE)))
    with pytest.raises(ValueError, match='min_coverage must be'):
        band_image(cube, min_coverage=0)
    with pytest.raises(ValueError, match='bad_bits must be'):
        band_image(cube, bad_bits=-1)
    with pytest.raises(ValueError, match="got the unit 'ct'"):
        band_image(cube, unit='ct')
