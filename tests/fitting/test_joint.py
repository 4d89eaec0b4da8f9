# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of colours behind one PSF, and of ellipses of all bands together.

A bulge and a disc of other colours, behind a Gaussian PSF in each band.
"""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import GalaxyCutout, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.joint import GEOMETRY_FLAGS, stack_bands
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag

PIXEL, N_PIX, FINER = 0.4, 121, 3
ANGLE, EPS = 0.7, 0.4

NONE_IN_U = r'no galaxy is seen in u \(NO_SOURCE\)'


def mean_on_ellipses(image, middle, sma, eps, theta):
    """
    Average an image along ellipses about its middle, by arc length.
    """
    t = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    a = np.asarray(sma)[:, None]
    b = a * (1 - np.asarray(eps)[:, None])
    u_, v = a * np.cos(t), b * np.sin(t)
    c, s = np.cos(theta), np.sin(theta)
    values = map_coordinates(image, [middle + u_ * s + v * c,
                                     middle + u_ * c - v * s], order=1)
    arc = np.hypot(a * np.sin(t), b * np.cos(t)) + 1e-9
    return (values * arc).sum(1) / arc.sum(1)


def galaxy(fwhm, *, bulge=0.0, disc=1.0, scale=1.0):
    """
    The noise-free image; ``scale`` is the size of a pixel.
    """
    n = round(N_PIX / scale)
    y, x = (np.indices((n * FINER, n * FINER)) + 0.5) / FINER * scale
    middle = N_PIX / 2
    image = sum(
        light * Sersic2D(1.0, size, 1.0, middle, middle, EPS, ANGLE)(x, y)
        for light, size in ((disc, 10.0), (bulge, 2.5)))
    image = gaussian_filter(image, fwhm / 2.3548 * FINER / scale)
    return image.reshape(n, FINER, n, FINER).mean((1, 3)) * scale**2


def as_image(clean, sigma, seed, make_wcs, scale=1.0):
    noise = np.random.default_rng(seed).normal(0, sigma, clean.shape)
    return CCDData(clean + noise, unit='nmgy', wcs=make_wcs(
        clean.shape, pixel_scale=PIXEL * scale))


@pytest.fixture(name='two', scope='module')
def fixture_two(make_wcs):
    g = as_image(galaxy(5.0, bulge=1.0), 2e-3, 1, make_wcs)
    r = as_image(galaxy(2.5, bulge=4.0), 2e-3, 2, make_wcs)
    return {'g': g, 'r': r}


@pytest.fixture(name='three', scope='module')
def fixture_three(make_wcs):
    """
    Two bands of some signal, one with pixels of its own, and noise.
    """
    return {
        'g': as_image(galaxy(3.0), 0.10, 3, make_wcs),
        'i': as_image(galaxy(3.0, scale=0.5), 0.035, 4, make_wcs,
                      scale=0.5),
        'u': as_image(galaxy(3.0, disc=0.02), 0.3, 5, make_wcs)}


class TestMatching:
    def deviation(self, result):
        """
        Deviation of g-r from that of both bands behind the broader PSF.
        """
        table, shape = result.colours, result.profiles['r']
        light = [mean_on_ellipses(
            galaxy(5.0, bulge=bulge), 60, shape['radius'].value / PIXEL,
            shape['ellipticity'], ANGLE) for bulge in (1.0, 4.0)]
        true = -2.5 * np.log10(light[0] / light[1])
        at = table['radius'].value / PIXEL
        use = (at > 1) & (at < 12)
        return (table['g-r'].value - true)[use], table['g-r_err'].value[use]

    def test_colours(self, two):
        fitter = IsophoteFitter()
        plain = fitter.fit_bands(two, psf_fwhm={'g': 2.0, 'r': 1.0})
        psf = {'g': 5.0 * PIXEL, 'r': 2.5 * PIXEL}
        matched = fitter.fit_bands(two, psf=psf,
                                   psf_fwhm={'g': 2.0, 'r': 1.0})
        before, _ = self.deviation(plain)
        after, error = self.deviation(matched)
        assert np.abs(before).max() > 0.25
        assert np.abs(after).max() < 0.05
        assert np.mean(np.abs(after) < 2 * error) > 0.8
        table = matched.colours
        assert table.meta['psf_matched'] == 'g'
        assert 'psf_matched' not in plain.colours.meta
        # the broadest is as it was, and so are the profiles
        for name in ('g', 'g_err'):
            assert_allclose(table[name].value, plain.colours[name].value)
        for band in 'gr':
            assert_allclose(
                matched.profiles[band]['surface_brightness'].value,
                plain.profiles[band]['surface_brightness'].value)
        assert plain.colours['g-r_flag'][0] & RingFlag.UNRESOLVED
        assert not np.any(table['g-r_flag'] & RingFlag.UNRESOLVED)
        assert table['g-r_flag'][0] & RingFlag.PSF_CORRECTED
        assert not table['g-r_flag'][-1] & RingFlag.PSF_CORRECTED

    @pytest.mark.parametrize(('psf', 'error', 'match'), [
        (1.2, TypeError, "psf must be a dict with the PSF of each band"),
        ({'g': 1.2}, ValueError, r"for each of the bands \['g', 'r'\], got"),
        ({'g': 1, 'r': 1, 'i': 1}, ValueError, 'for each of the bands'),
        ({'g': 1, 'r': -1}, ValueError, 'psf must be positive')])
    def test_wrong(self, two, psf, error, match):
        with pytest.raises(error, match=match):
            IsophoteFitter().fit_bands(two, psf=psf)


class TestJoint:
    def test_all(self, three):
        with pytest.warns(AstropyUserWarning, match=NONE_IN_U):
            result = IsophoteFitter().fit_bands(three, reference='all')
        assert result.reference == 'all'
        assert not result.failed
        shape = result.geometry
        assert 'on the ellipses of all' in repr(result)
        # a weight for each; the faint one is left out
        share = dict(part.split('=') for part in shape.meta['bands'].split())
        assert float(share['u']) < 0.01
        assert float(share['g']) > 0.2
        assert float(share['i']) > 0.2
        for profile in result.profiles.values():
            assert profile.meta['flag'] & GalaxyFlag.FORCED
            assert_allclose(profile['radius'], shape['radius'])
            assert_allclose(profile['ellipticity'], shape['ellipticity'])
        assert len(result.colours) == len(shape)
        assert result.colours.meta['reference'] == 'all'
        at = shape['radius'].value / PIXEL
        use = (at > 5) & (at < 20)
        assert_allclose(np.median(np.asarray(shape['ellipticity'])[use]),
                        EPS, atol=0.04)
        # g and i have the same light
        colour = result.colours['g-i'].value[use]
        assert abs(np.median(colour)) < 0.05

    def test_flags(self, three, monkeypatch):
        """
        Flags of the geometry hold for all bands, others do not.
        """
        fitter = Pix2ProfFitter()
        fit = fitter.fit

        def with_flags(image, **options):
            found = fit(image, **options)
            if 'geometry' not in options:
                found.profile.meta['flag'] |= int(
                    GalaxyFlag.GEOMETRY_UNCERTAIN | GalaxyFlag.SATURATED)
            return found

        monkeypatch.setattr(fitter, 'fit', with_flags)
        with pytest.warns(AstropyUserWarning, match=NONE_IN_U):
            result = fitter.fit_bands(three, reference='all')
        for profile in result.profiles.values():
            flag = profile.meta['flag']
            assert flag & GalaxyFlag.GEOMETRY_UNCERTAIN
            assert not flag & GalaxyFlag.SATURATED
        assert GalaxyFlag.SATURATED not in GEOMETRY_FLAGS

    def test_stack(self, three):
        """
        The sum has the light of the first, and less noise.
        """
        cutouts = {band: GalaxyCutout.from_any(image)
                   for band, image in three.items()}
        stack, shares = stack_bands(cutouts)
        assert_allclose(sum(shares.values()), 1)
        first = max(cutouts, key=shares.get)
        assert stack.shape in {cutout.shape for cutout in cutouts.values()}
        assert first in 'gi'
        y, x = np.indices(stack.shape)
        near = np.hypot(x - stack.shape[1] / 2,
                        y - stack.shape[0] / 2) < 0.15 * stack.shape[0]
        base = next(cutout for cutout in cutouts.values()
                    if cutout.shape == stack.shape)
        assert_allclose(stack.data[near].sum(), base.data[near].sum(),
                        rtol=0.02)
        assert np.median(stack.noise) < 0.9 * base.background_noise

    def test_masked_pixels(self, three):
        """
        A pixel that one band lacks comes from the other.
        """
        image = three['g']
        mask = np.zeros(image.shape, bool)
        mask[50:56, 60:90] = True
        cutouts = {'a': GalaxyCutout(image), 'b': GalaxyCutout(
            image, mask=mask)}
        stack, shares = stack_bands(cutouts)
        assert not stack.mask.any()
        assert_allclose(stack.data, cutouts['a'].data, atol=0.02)
        assert stack.noise[52, 70] > 1.3 * stack.noise[20, 20]
        assert_allclose(shares['a'], 0.5, atol=0.03)

    def test_bad_band(self, three):
        bad = three['g'].copy()
        bad.data = np.full(bad.shape, np.nan)
        result = Pix2ProfFitter().fit_bands(
            {'g': three['g'], 'x': bad}, reference='all')
        assert list(result.failed) == ['x']
        with pytest.raises(ValueError, match='no band that can be measured'):
            Pix2ProfFitter().fit_bands({'x': bad, 'y': bad}, reference='all')

    def test_without_wcs(self, three):
        arrays = {band: three[band].data for band in 'gi'}
        with pytest.raises(ValueError, match="reference='all' needs images"):
            Pix2ProfFitter().fit_bands(arrays, reference='all',
                                       calibrated=False)
        result = Pix2ProfFitter().fit_bands(
            {'a': arrays['g'], 'b': arrays['g']}, reference='all',
            calibrated=False)
        assert list(result.profiles) == ['a', 'b']


def test_position_in_pixels(two, make_wcs):
    """
    One pixel is another place of the sky in a band with other pixels.
    """
    moved = make_wcs(two['g'].data.shape, pixel_scale=PIXEL)
    moved.wcs.crpix -= 10, 0
    images = {'g': CCDData(two['g'].data[:, 10:], unit='nmgy', wcs=moved),
              'r': two['r']}
    fitter = Pix2ProfFitter()
    with pytest.warns(AstropyUserWarning, match=(
            r'position=\(60, 60\) in pixels is not the same place in all '
            r'bands: g and r are 4.0 arcsec apart. Give sky coordinates')):
        fitter.fit_bands(images, reference='all', position=(60, 60))
    # (a warning is an error in these tests)
    sky = two['r'].wcs.pixel_to_world(60, 60)
    assert not fitter.fit_bands(images, reference='all', position=sky).failed
