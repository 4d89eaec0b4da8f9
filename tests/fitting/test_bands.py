# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the bands and band_plots modules.

The galaxies are exponential discs of one shape, smoothed by a PSF of 3
pixels FWHM: bands that differ by a factor have the same colour everywhere.
"""

import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    BandProfiles,
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    load_example,
    plot_colours,
)
from astro_pix2prof.fitting.bands import (
    _at_radii,
    _join,
    measure_bands,
    warn_of_colours,
)
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag

PIXEL = 0.396
SIGMA = 0.02

# The options of an image without a unit and a WCS.
PLAIN = {'unit': 'nmgy', 'pixel_scale': PIXEL}


def make_image(make_wcs, *, factor=1.0, seed=1, n_pix=101, scale=PIXEL,
               sigma=SIGMA):
    """
    A disc in the middle, the same on the sky whatever the pixels.
    """
    y, x = np.mgrid[:n_pix, :n_pix]
    ratio = PIXEL / scale
    middle = (n_pix - 1) / 2
    image = Sersic2D(factor / ratio**2, 9 * ratio, 1.0, middle, middle, 0.4,
                     0.7)(x, y)
    image = gaussian_filter(image, 3 * ratio / 2.355)
    rng = np.random.default_rng(seed)
    image += rng.normal(scale=sigma, size=image.shape)
    return CCDData(image, unit='nmgy',
                   wcs=make_wcs(image.shape, pixel_scale=scale))


@pytest.fixture(scope='module')
def images(make_wcs):
    """
    g fainter by half, r, i with pixels of half the size, and a bad one.
    """
    bad = make_image(make_wcs)
    bad.data[:] = np.nan
    return {'g': make_image(make_wcs, factor=0.5, seed=2),
            'r': make_image(make_wcs),
            'u': bad,
            'i': make_image(make_wcs, factor=1.5, seed=3, n_pix=203,
                            scale=PIXEL / 2, sigma=SIGMA / 2)}


@pytest.fixture(scope='module')
def result(images):
    return IsophoteFitter().fit_bands(
        images, psf_fwhm={'g': 2.0, 'r': 1.0, 'i': 1.0})


class TestFitBands:
    def test_profiles(self, result):
        assert list(result.profiles) == ['g', 'r', 'i']
        assert result.reference == 'r'
        first = result.profiles['r']
        assert not first.meta['flag'] & GalaxyFlag.FORCED
        for band in 'gi':
            profile = result.profiles[band]
            assert profile.meta['flag'] & GalaxyFlag.FORCED
            assert_allclose(profile['radius'], first['radius'])
            assert_allclose(profile['ellipticity'], first['ellipticity'])

    def test_failed(self, result):
        assert list(result.failed) == ['u']
        assert 'usable' in result.failed['u'] or 'finite' in result.failed[
            'u']

    def test_colours(self, result):
        table = result.colours
        assert table.meta['colours'] == ['g-r', 'r-i']
        assert_array_equal(table['radius'], result.profiles['r']['radius'])
        good = (table['radius'].value > 1.5) & (table['r'].value < 24.0)
        assert good.sum() > 15
        # g is half of r, and i one and a half times
        for name, true in (('g-r', 2.5 * np.log10(2)),
                           ('r-i', 2.5 * np.log10(1.5))):
            value, error = (table[part].value[good]
                            for part in (name, f'{name}_err'))
            assert_allclose(np.median(value), true, atol=0.03)
            assert np.mean(np.abs(value - true) < 3 * error) > 0.9
        one, two = 'g', 'r'
        assert_allclose(table['g-r_err'].value, np.hypot(
            table[f'{one}_err'].value, table[f'{two}_err'].value))

    def test_unresolved(self, result):
        """
        Within the FWHM of the broader of the two.
        """
        table = result.colours
        for name, fwhm in (('g-r', 2.0), ('r-i', 1.0)):
            flagged = (table[f'{name}_flag'] & RingFlag.UNRESOLVED) != 0
            assert_array_equal(flagged, table['radius'].value < fwhm)

    def test_repr(self, result):
        number = len(result.colours)
        assert repr(result) == ('<BandProfiles: g, r, i on the ellipses of '
                                f'r, {number} rings; failed: u>')

    def test_without_r(self, images):
        """
        The band with the most signal; colours as asked for.
        """
        result = Pix2ProfFitter().fit_bands(
            {'a': images['g'], 'u': images['u'], 'b': images['r']},
            colours=['b-a', 'a-u'])
        assert result.reference == 'b'
        assert list(result.failed) == ['u']
        assert result.colours.meta['colours'] == ['b-a']
        good = result.colours['b'].value < 23.5
        assert_allclose(np.median(result.colours['b-a'].value[good]),
                        -2.5 * np.log10(2), atol=0.03)

    def test_position_and_size(self, images):
        """
        Both hold for the reference; the others follow on their own pixels.
        """
        result = Pix2ProfFitter().fit_bands(
            {'r': images['r'], 'i': images['i']}, position=(50, 50),
            size=(80, 80), calibrated={'r': True, 'i': True})
        assert not result.failed
        i, r = result.profiles['i'], result.profiles['r']
        assert_allclose([i.meta['x_centre'], r.meta['x_centre']], [101, 50],
                        atol=0.4)
        # 80 pixels of the half size end inside the profile
        assert (i['flag'][-1] & RingFlag.EXTRAPOLATED
                or i['n_valid'][-1] < 0.9)

    def test_nothing(self, images):
        with pytest.raises(ValueError, match='no band that can be measured'):
            Pix2ProfFitter().fit_bands({'r': images['u'], 'i': images['u']})

    def test_reference_fails(self, images):
        with pytest.raises(ValueError, match='pixel'):
            Pix2ProfFitter().fit_bands(images, reference='u')

    @pytest.mark.parametrize(('change', 'match'), [
        ({'reference': 'z'}, r"reference must be one of \['g', 'r'"),
        ({'colours': ['g-z']}, "colours must be a list of names such as"),
        ({'colours': 'g-r'}, "colours must be a list of names such as"),
        ({'zeropoint': {'z': 25}}, r"zeropoint has values for the bands \['"
                                   r"z'\]"),
        ({'images': {'g': 1}}, 'must have two or more bands'),
        ({'images': {'g': 1, 'radius': 2}}, 'must have two or more bands'),
        ({'images': {'g': 1, 2: 2}}, 'must have two or more bands'),
        ({'images': {'g': 1, 'r': 1, 'g-r': 2}},
         'several columns the name g-r, g-r_err, g-r_flag: give them other'),
        ({'images': {'g': 1, 'g_err': 1}}, 'several columns the name g_err')])
    def test_wrong_input(self, images, change, match):
        with pytest.raises(ValueError, match=match):
            Pix2ProfFitter().fit_bands(**{'images': images, **change})

    @pytest.mark.parametrize('name', ['distance', 'redshift'])
    def test_mass_was_meant(self, images, name):
        with pytest.raises(TypeError, match="give predict='mass', too"):
            Pix2ProfFitter().fit_bands(images, **{name: 0.1})

    def test_flags_of_ellipses(self, images):
        """
        Uncertain ellipses are uncertain in all bands, neighbours in one.
        """
        fitter = Pix2ProfFitter()

        def fit(image, **options):
            found = fitter.fit(image, **options)
            if 'geometry' not in options:
                found.profile.meta['flag'] |= int(
                    GalaxyFlag.GEOMETRY_UNCERTAIN | GalaxyFlag.NEIGHBOUR)
            return found

        plain = fitter.fit_bands(images)
        found = measure_bands(fit, images)
        for band, profile in found.profiles.items():
            more = GalaxyFlag.GEOMETRY_UNCERTAIN
            if band == found.reference:
                more |= GalaxyFlag.NEIGHBOUR
            assert profile.meta['flag'] == (
                plain.profiles[band].meta['flag'] | int(more))

    def test_same_path(self, images, tmp_path):
        path = tmp_path / 'both.fits'
        images['r'].write(path)
        fitter = Pix2ProfFitter()
        with pytest.warns(AstropyUserWarning,
                          match='bands g and r are the same image'):
            fitter.fit_bands({'g': str(path), 'r': path})
        assert list(fitter.fit_bands({'g': path, 'r': path}, hdu={
            'g': 0, 'r': 'PRIMARY'}).profiles) == ['g', 'r']

    def test_band_of_a_plain_image(self, images, tmp_path):
        path = tmp_path / 'both.fits'
        images['r'].write(path)
        match = (r'bands g and r have the same pixels, of .*both\.fits: their '
                 'colour is 0')
        with pytest.warns(AstropyUserWarning, match=match):
            Pix2ProfFitter().fit_bands({'g': path, 'r': path}, band={
                'g': 'g', 'r': 'r'})

    def test_band_without_a_zero_point(self, images):
        """
        There is no colour with it, which is told.
        """
        plain = {**images, 'g': CCDData(images['g'].data, unit='adu',
                                        wcs=images['g'].wcs)}
        del plain['u']
        with pytest.warns(AstropyUserWarning, match='the bands g have no '
                                                    'zero point: there are'):
            found = Pix2ProfFitter().fit_bands(
                plain, calibrated={'g': False, 'r': True, 'i': True})
        assert np.isnan(found.colours['g-r'].value).all()
        assert np.isfinite(found.colours['r-i'].value).any()

    def test_mixed_up(self):
        def profile(band):
            return QTable(meta={'band': band, 'flag': 0, 'mag_system': 'AB',
                                'sb_zeropoint': 22.5})

        with pytest.warns(AstropyUserWarning, match=re.escape(
                "images of 'g' (band 'r'), 'r' (band 'g') say that")):
            warn_of_colours({'g': profile('r'), 'r': profile('g')},
                            [('g', 'r')])
        # (names of their own, or one image for two bands, are no doubt)
        warn_of_colours({'g': profile('r'), 'r': profile('r')}, [('g', 'r')])
        warn_of_colours({'blue': profile('g'), 'red': profile('r')},
                        [('blue', 'red')])

    def test_two_magnitude_systems(self, images):
        counts = {band: CCDData(images[band].data, unit='adu',
                                wcs=images[band].wcs) for band in 'gr'}
        options = {'zeropoint': 22.5}
        with pytest.warns(AstropyUserWarning, match=(
                'colour g-r is the difference of Vega and AB magnitudes')):
            mixed = Pix2ProfFitter().fit_bands(
                counts, mag_system={'g': 'Vega', 'r': 'AB'}, **options)
        assert mixed.colours.meta['mag_system'] == 'Vega AB'
        with warnings.catch_warnings():
            warnings.simplefilter('error', AstropyUserWarning)
            same = Pix2ProfFitter().fit_bands(
                counts, mag_system='Vega', **options)
        assert same.colours.meta['mag_system'] == 'Vega'

    def test_band_without_the_galaxy(self, images):
        empty = CCDData(np.random.default_rng(5).normal(
            scale=SIGMA, size=images['g'].shape), unit='nmgy',
            wcs=images['g'].wcs)
        with pytest.warns(AstropyUserWarning, match=(
                r'no galaxy is seen in g \(NO_SOURCE\): colours')):
            result = Pix2ProfFitter().fit_bands(
                {'g': empty, 'r': images['r']}, reference='r')
        assert (result.profiles['g'].meta['flag'] & GalaxyFlag.NO_SOURCE)

    def test_other_place_on_the_sky(self, images, make_wcs):
        there = CCDData(images['g'].data, unit='nmgy', wcs=make_wcs(
            images['g'].shape, pixel_scale=PIXEL))
        there.wcs.wcs.crval = (there.wcs.wcs.crval[0] + 120) % 360, 0.0
        result = Pix2ProfFitter().fit_bands({'g': there, 'r': images['r']})
        assert result.failed['g'].startswith(
            'the galaxy of the reference, at ')
        assert result.failed['g'].endswith(
            'is outside of the image, which has 101 x 101 pixels: give '
            'images of one galaxy')

    def test_wrong_type(self, images):
        with pytest.raises(TypeError, match='images must be a dict'):
            Pix2ProfFitter().fit_bands(list(images.values()))

    def test_network(self):
        image = load_example()
        half = CCDData(0.5 * image.data, unit=image.unit, wcs=image.wcs,
                       meta=image.meta)
        result = Pix2ProfFitter(n_views=1).fit_bands(
            {'g': half, 'r': image}, n_samples=3, seed=1)
        table = result.colours
        assert len(table) == len(result.profiles['r'])
        assert 'surface_brightness_samples' in result.profiles['g'].colnames
        good = (table['radius'].value > 1) & (table['r'].value < 23)
        # a network reads ratios to the noise: half of both is the same (but
        # for the weights, as it does not look for the ellipses again)
        off = np.abs(table['g-r'].value - 2.5 * np.log10(2))
        assert (off < np.maximum(0.02, table['g-r_err'].value))[good].all()
        assert np.median(off[good]) < 5e-3


class TestWithoutWCS:
    """
    Images without a WCS have the same pixels, or they do not go together.
    """

    @pytest.fixture(name='plain')
    def fixture_plain(self, images):
        g, r = images['g'].data, images['r'].data
        return {'g': g[3:-1, 5:-3], 'r': r, 'u': 0.5 * r}

    def check(self, result):
        assert list(result.failed) == ['g']
        assert 'shape of the image is (97, 93)' in result.failed['g']
        assert 'the reference (101, 101)' in result.failed['g']
        table = result.colours
        good = (table['radius'].value > 1.5) & (table['r'].value < 23.0)
        assert_allclose(np.median(table['r-u'].value[good]),
                        -2.5 * np.log10(2), atol=0.03)

    @pytest.mark.parametrize('size', [None, 81])
    def test_shapes(self, plain, size):
        """
        The shapes of the images count, not those they are cut to.
        """
        self.check(Pix2ProfFitter().fit_bands(
            plain, reference='r', size=size, **PLAIN))

    def test_one_with_wcs(self, plain, images):
        """
        A WCS of one of the two leads to nothing.
        """
        own = {'g': CCDData(plain['g'], unit='nmgy', wcs=images['r'].wcs),
               'r': plain['r']}
        failed = Pix2ProfFitter().fit_bands(
            own, reference='r', **PLAIN).failed
        assert 'no WCS of the reference, so' in failed['g']

    def test_scales(self, plain):
        failed = Pix2ProfFitter().fit_bands(
            {band: plain[band] for band in 'ur'}, unit='nmgy',
            pixel_scale={'r': PIXEL, 'u': 0.2}).failed
        assert ('no WCS of the image and of the reference, so that both must '
                'have the same pixels, but the pixel scale of the image is '
                '0.2 arcsec') in failed['u']

    def test_all(self, plain):
        with pytest.raises(ValueError, match="of one shape and cut at one "
                                             r"place, got g: \(97, 93\)"):
            Pix2ProfFitter().fit_bands(plain, reference='all', size=81,
                                       **PLAIN)
        with pytest.raises(ValueError, match=r'from pixel \(12, 12\)'):
            Pix2ProfFitter().fit_bands(
                {band: plain[band] for band in 'ur'}, reference='all',
                size=81, position={'r': (50, 50), 'u': (52, 52)},
                **PLAIN)

        with pytest.raises(ValueError, match=r'pixel scale, got u: 0\.2 a'):
            Pix2ProfFitter().fit_bands(
                {band: plain[band] for band in 'ur'}, reference='all',
                unit='nmgy', pixel_scale={'r': PIXEL, 'u': 0.2})

    def test_input_shape(self, plain):
        cutout = GalaxyCutout(plain['g'], size=31, **PLAIN)
        assert (cutout.shape, cutout.input_shape) == ((31, 31), (97, 93))
        assert cutout.crop(21).input_shape == (97, 93)


class TestJoin:
    def test_other_radii(self, result):
        """
        Values at radii between; a ring without a value is not bridged.
        """
        profile = QTable(result.profiles['g'], copy=True)
        profile['surface_brightness'][6] = np.nan
        radius = profile['radius']
        want = 0.5 * (radius[1:] + radius[:-1])
        want[-1] = 2 * radius[-1]
        value, _, flag = _at_radii(profile, want)
        sb = profile['surface_brightness'].value
        assert_allclose(value[2], 0.5 * (sb[2] + sb[3]))
        assert np.isnan(value[[5, 6, -1]]).all()
        assert np.isfinite(value[[4, 7]]).all()
        assert flag[-1] & RingFlag.EXTRAPOLATED

    def test_same_radii(self, result):
        table = _join(result.profiles, 'r', [], {})
        assert 'g-r' not in table.colnames
        assert_array_equal(table['g'].value, result.profiles['g'][
            'surface_brightness'].value)


class TestPlotColours:
    def test_panels(self, result):
        fig = plot_colours(result)
        top, bottom = fig.axes
        assert top.yaxis_inverted()
        assert 'arcsec' in bottom.get_xlabel()
        labels = [text.get_text() for text in bottom.get_legend().texts]
        assert labels == ['g-r', 'r-i']
        fig.canvas.draw()
        plt.close(fig)

    def test_colour_twice(self, images):
        found = Pix2ProfFitter().fit_bands(
            {band: images[band] for band in 'gr'}, colours=['g-r', 'g-r'])
        assert found.colours.meta['colours'] == ['g-r']

    def test_no_colour(self, result):
        table = _join(result.profiles, 'r', [], {})
        fig = plot_colours(BandProfiles(result.profiles, table, 'r'))
        assert len(fig.axes) == 1
        plt.close(fig)

    def test_wrong_type(self, result):
        with pytest.raises(TypeError, match='result must be a BandProfiles'):
            plot_colours(result.colours)
