# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the interface that all fitters share.
"""

import astropy.units as u
import numpy as np
import pytest
from echo import Echo
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import (
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    ProfileBatch,
    ProfileFit,
)
from astro_pix2prof.fitting.base import ProfileFitter, as_fitter
from astro_pix2prof.profile.columns import COLUMNS

FITTERS = [Pix2ProfFitter, IsophoteFitter]


class Disc(ProfileFitter):
    """
    A fitter of someone else: one method, and all others follow.
    """

    def fit(self, image, **options):
        return Pix2ProfFitter().fit(image, **options)


@pytest.fixture(scope='module', params=FITTERS)
def fitter(request):
    return request.param()


@pytest.fixture(scope='module')
def image():
    y, x = np.mgrid[:80, :84]
    radius = np.hypot(x - 41, (y - 40) / 0.7)
    noise = np.random.default_rng(3).normal(0, 1, radius.shape)
    return 60 * np.exp(-radius / 6) + noise


OPTIONS = {'zeropoint': 22.5, 'pixel_scale': 0.4}


class TestInterface:
    @pytest.mark.parametrize('kind', [*FITTERS, Disc])
    def test_methods(self, kind):
        assert issubclass(kind, ProfileFitter)
        for name in ('__call__', 'fit_many', 'fit_bands'):
            assert getattr(kind, name) is getattr(ProfileFitter, name)

    def test_needs_fit(self):
        with pytest.raises(TypeError, match='abstract'):
            ProfileFitter()

    def test_same_table(self, fitter, image):
        fit = fitter.fit(image, **OPTIONS)
        assert isinstance(fit, ProfileFit)
        assert tuple(fit.profile.colnames) == COLUMNS
        again = fitter(image, **OPTIONS)
        assert_allclose(again['intensity'].value,
                        fit.profile['intensity'].value, rtol=1e-6)
        for key in ('fitter', 'version', 'created', 'flag', 'sky', 'sky_err',
                    'noise', 'x_centre', 'y_centre', 'zeropoint'):
            assert key in fit.profile.meta, key
        assert fit.profile.meta['fitter'] == type(fitter).__name__

    def test_repr(self, fitter, image):
        text = repr(fitter.fit(image, **OPTIONS))
        assert len(text) < 250
        assert ' rings to ' in text
        assert len(repr(fitter)) < 100

    def test_flags(self, fitter, image):
        fit = fitter.fit(image, **OPTIONS)
        fit.profile.meta['flag'] = int(GalaxyFlag.NEIGHBOUR
                                       | GalaxyFlag.TRUNCATED)
        assert fit.flags == ['NEIGHBOUR', 'TRUNCATED']
        assert 'flags: NEIGHBOUR, TRUNCATED' in repr(fit)
        fit.profile.meta['flag'] = 0
        assert fit.flags == []

    def test_repr_of_options(self):
        assert repr(IsophoteFitter()) == 'IsophoteFitter()'
        assert repr(IsophoteFitter(step=0.2, sky=1)) == (
            'IsophoteFitter(step=0.2, sky=1.0)')


@pytest.mark.parametrize('size', [1, 9, (30, 3), '3.5arcsec'])
def test_small_sizes(image, size):
    """
    Sizes that no galaxy with its sky has are slips in the unit.
    """
    with pytest.raises(ValueError, match=r'pixels of the image: a profile nee'
                                         'ds 10 at least. Numbers without'):
        IsophoteFitter().fit(image, size=size, **OPTIONS)
    profile, failed = next(Pix2ProfFitter().fit_many(
        [image, (image, {'size': size})], **OPTIONS))
    assert len(profile) > 5
    assert failed.meta['message'].startswith('ValueError: size=')


class TestFitMany:
    @pytest.mark.parametrize('kind', [*FITTERS, Disc])
    def test_as_single_calls(self, kind, image, assert_same):
        fitter = kind()
        images = [image, np.full((64, 64), np.nan),
                  (image[:70], {'zeropoint': 25.0})]
        first, second = fitter.fit_many(images, batch_size=2, **OPTIONS)
        assert (len(first), len(second)) == (2, 1)
        assert_same(first[0], fitter(image, **OPTIONS), rtol=1e-5)
        assert first.failed.tolist() == [False, True]
        assert first.galaxies['flag'][1] == GalaxyFlag.FAILED
        assert first.galaxies['message'][1].startswith('ValueError: ')
        assert second.galaxies['index'][0] == 2
        assert second[0].meta['zeropoint'] == 25.0

    def test_workers(self, image):
        """
        Processes give what this one gives, in the same order.
        """
        network = Pix2ProfFitter()
        fits = [network.fit(2**k * image, **OPTIONS) for k in range(3)]
        images = [np.full((4, 4), k) for k in range(3)]
        here, there = (ProfileBatch.concatenate(Echo(fits).fit_many(
            images, batch_size=1, workers=n)) for n in (0, 2))
        assert here.galaxies['index'].tolist() == [0, 1, 2]
        for k in range(3):
            for batch in (here, there):
                assert_array_equal(batch[k]['intensity'],
                                   fits[k].profile['intensity'])

    @pytest.mark.parametrize(('name', 'value', 'error'), [
        ('batch_size', 0, ValueError), ('batch_size', 2.5, TypeError),
        ('workers', -1, ValueError), ('workers', True, TypeError)])
    def test_wrong_arguments(self, fitter, name, value, error):
        with pytest.raises(error, match=f'{name} must be .*, got {value}'):
            fitter.fit_many([], **{name: value})
        with pytest.raises(TypeError, match='got a dict, whose keys would be'):
            fitter.fit_many({'a': np.ones((9, 9))})

    def test_numpy_integers(self, fitter):
        assert list(fitter.fit_many([], batch_size=np.int64(2),
                                    workers=np.int32(0))) == []


class TestFunction:
    def test_many(self, image):
        """
        A function of an image measures many, one after the other.
        """
        def measure(image, **options):
            if np.isnan(image).all():
                msg = 'nothing there'
                raise ValueError(msg)
            return IsophoteFitter(step=0.3)(image, **options)

        fitter = as_fitter(measure)
        assert as_fitter(fitter) is fitter
        batch, = fitter.fit_many([image, np.full((40, 40), np.nan)],
                                 **OPTIONS)
        assert batch.failed.tolist() == [False, True]
        assert batch.galaxies['message'][1] == 'ValueError: nothing there'
        with pytest.raises(TypeError, match='a profile and no full result'):
            fitter.fit(image)


class TestSettings:
    @pytest.mark.parametrize(('name', 'value', 'error', 'match'), [
        ('min_snr', 'x', TypeError, "min_snr must be .*, got 'x'"),
        ('min_snr', np.nan, ValueError, 'min_snr must be .*, got nan'),
        ('min_snr', -1, ValueError, 'min_snr must be .*, got -1'),
        ('min_snr', True, TypeError, 'min_snr must be .*, got True'),
        ('sky', 'flat', ValueError, "'auto', 'plane' or .*, got 'flat'"),
        ('sky', np.nan, ValueError, 'sky must be finite, got nan'),
        ('sky', [3, 4] * u.mJy, TypeError, 'sky must be a finite number'),
        ('sky', np.inf * u.mJy, ValueError, 'sky must be finite, got inf'),
        ('sky', '3 frogs', ValueError, "'plane' or .*, got '3 frogs'"),
        ('sky', [1, 2], TypeError, 'sky must be a finite number'),
        ('search_radius', 1, ValueError, 'search_radius .* at least 2, got 1'),
        ('search_radius', '9', TypeError, "search_radius must be .*, got '9'"),
        ('search_radius', 0, ValueError,
         'at least 2, got 0: the pixels within .* fit_centre=False holds the'),
        ('search_radius', 3 * u.arcsec, ValueError,
         "search_radius must be in pixels, got the unit 'arcsec': divide it"),
        ('fit_centre', 1, TypeError, 'fit_centre must be True or False')])
    @pytest.mark.parametrize('kind', FITTERS)
    def test_wrong(self, kind, name, value, error, match):
        with pytest.raises(error, match=match):
            kind(**{name: value})

    @pytest.mark.parametrize('kind', FITTERS)
    def test_search_radius_in_pixels(self, kind):
        assert kind(search_radius=3 * u.pix).search_radius == 3

    @pytest.mark.parametrize('kind', FITTERS)
    @pytest.mark.parametrize(('data_unit', 'sky'), [
        (1.0, 5.0), (1.0, 5 * u.nmgy), (1.0, '5 nmgy'), (1.0, 5e-9 * u.mgy),
        # (the pixels of these are held in another power of ten)
        (1e-25, 5e-25), (1e-25, 5e-25 * u.nmgy), (1e25, 5e16 * u.mgy)])
    def test_sky_with_a_unit(self, kind, image, data_unit, sky):
        def measure(sky, data):
            profile = kind(sky=sky)(data, unit='nmgy', pixel_scale=0.4)
            return profile['intensity'].to_value(u.nmgy / u.arcsec**2)

        expected = measure(0.0, image)
        found = measure(sky, data_unit * (image + 5)) / data_unit
        n = min(len(found), len(expected)) - 3
        np.testing.assert_allclose(found[:n], expected[:n], rtol=1e-3,
                                   atol=1e-3 * expected.max())

    @pytest.mark.parametrize('kind', FITTERS)
    @pytest.mark.parametrize('sky', [
        5 * 3.63078e-3 * u.mJy,
        5 * 3.63078e-6 * u.Jy / (0.4 * u.arcsec)**2,
        5 / 0.16 * u.nmgy / u.arcsec**2])
    def test_sky_in_janskys(self, kind, sky, image):
        """
        A flux density goes with maggies, and one of an area with a pixel.
        """
        options = {'unit': 'nmgy', 'pixel_scale': 0.4}
        expected = kind(sky=5.0, sky_err=0.01)(image, **options)
        found = kind(sky=sky, sky_err=3.63078e-5 * u.mJy)(image, **options)
        assert found.meta['sky'] == pytest.approx(expected.meta['sky'],
                                                  rel=1e-5)
        assert found.meta['sky_err'] == pytest.approx(
            expected.meta['sky_err'], rel=1e-4)
        with pytest.raises(ValueError, match=r"^sky has the unit 'mJy', the im"
                           r"age 'nmgy'$"):
            kind(sky=5 * u.mJy)(image, mag_system='Vega', **options)

    @pytest.mark.parametrize('kind', FITTERS)
    def test_sky_of_another_unit(self, kind, image):
        with pytest.raises(ValueError, match=(
                r"^sky has the unit 'm', the image 'nmgy'$")):
            kind(sky=3 * u.m)(image, unit='nmgy', pixel_scale=0.4)

    @pytest.mark.parametrize('kind', FITTERS)
    @pytest.mark.parametrize(('sky', 'sky_err', 'error', 'match'), [
        (0.0, -1, ValueError, 'sky_err must be .*, got -1'),
        (0.0, 'x', TypeError, "sky_err must be .*, got 'x'"),
        ('auto', 0.1, ValueError, "give sky= a level, .*got sky='auto'"),
        ('plane', 0.1, ValueError, "give sky= a level, .*got sky='plane'")])
    def test_error_of_a_sky(self, kind, sky, sky_err, error, match):
        with pytest.raises(error, match=match):
            kind(sky=sky, sky_err=sky_err)

    @pytest.mark.parametrize('kind', FITTERS)
    def test_error_of_a_sky_with_a_unit(self, kind, image):
        found = [kind(sky=0.0, sky_err=error)(
            image, unit='nmgy', pixel_scale=0.4).meta['sky_err']
            for error in (0.3, 0.3 * u.nmgy, '3e-10 mgy')]
        np.testing.assert_allclose(found, 0.3)

    @pytest.mark.parametrize(('name', 'value'), [
        ('sky', 0.0), ('min_snr', 2), ('fit_centre', False)])
    def test_setting_in_a_call(self, fitter, image, name, value):
        kind = type(fitter).__name__
        match = rf"'{name}' is a setting of {kind}, .*{kind}\({name}=\.\.\."
        with pytest.raises(TypeError, match=match):
            fitter(image, **{name: value})

    def test_owner_of_options(self, fitter, image):
        match = rf"'radi' is not an option of {type(fitter).__name__}: did "
        with pytest.raises(TypeError, match=match + 'you mean radii'):
            fitter(image, radi=[1, 2])

    def test_unknown_option(self, fitter, image):
        with pytest.raises(TypeError, match=r"'zeropont' is not an option of "
                                            r'.*did you mean zeropoint'):
            fitter(image, zeropont=22.5, pixel_scale=0.4)

    def test_no_fitter(self, fitter):
        kind = type(fitter).__name__
        with pytest.raises(TypeError, match='fitter must be a fitter and not '
                                            rf'its class: {kind}\(\)'):
            as_fitter(type(fitter))
        with pytest.raises(TypeError, match='function of an image, got int'):
            as_fitter(3)
