# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of radii that a user asks for.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
    measure_structure,
)
from astro_pix2prof.fitting.radii import (
    RingRadii,
    geometric_radii,
    read_lengths,
)
from astro_pix2prof.profile.brightness import curve_of_growth

MU = 'surface_brightness'
OPTIONS = {'zeropoint': 22.5, 'pixel_scale': 0.4}
FITTERS = [Pix2ProfFitter, IsophoteFitter]

# In arcsec: from the centre to beyond the frame, some close together.
RADII = np.array([0, 1, 2.5, 4, 5, 7.2, 7.8, 8.48, 9.2, 9.8, 12, 200])


def draw(ring=0.0):
    """
    An exponential disc of axis ratio 0.7, perhaps with a narrow ring.
    """
    y, x = np.mgrid[:100, :104]
    radius = np.hypot(x - 51, (y - 50) / 0.7)
    noise = np.random.default_rng(3).normal(0, 1, radius.shape)
    light = 400 * np.exp(-radius / 9)
    return light + ring * np.exp(-0.5 * ((radius - 21.2) / 0.7)**2) + noise


@pytest.fixture(scope='module')
def image():
    return draw()


@pytest.fixture(scope='module', params=FITTERS)
def fitter(request):
    return request.param()


@pytest.fixture(scope='module')
def whole(fitter, image):
    return fitter(image, **OPTIONS)


@pytest.fixture(scope='module')
def found(fitter, image):
    """
    The profile at ``RADII``, which tests only look at.
    """
    return fitter(image, radii=RADII * u.arcsec, **OPTIONS)


class TestRadii:
    def test_rows_are_those_asked_for(self, found, whole):
        assert_allclose(found['radius'].value, RADII, rtol=1e-12)
        truth = 22.5 - 2.5 * np.log10(
            400 * np.exp(-RADII[1:5] / 0.4 / 9) / 0.16)
        assert_allclose(found[MU].value[1:5], truth, atol=0.06)
        # nothing lies beyond the frame, but its row is there
        assert np.isnan(found['intensity'][-1])
        assert found['n_valid'][-1] == 0
        assert found['flag'][-1] & RingFlag.EXTRAPOLATED
        assert found['flag'][-1] & RingFlag.EDGE
        assert found.meta['radii'] == 'given'
        assert 'radii' not in whole.meta
        assert found.meta['flag'] == whole.meta['flag']

    def test_enclosed_light_is_that_of_the_whole_profile(
            self, found, whole):
        rows = [4, 10]
        expected = np.interp(RADII[rows] * u.arcsec, whole['radius'],
                             whole['mag_enclosed'])
        assert_allclose(found['mag_enclosed'].value[rows], expected.value,
                        atol=0.02)
        # the few rings alone would be far off
        flux = curve_of_growth(
            RADII[rows], found['intensity'].value[rows],
            found['ellipticity'][rows])
        alone = 22.5 - 2.5 * np.log10(flux)
        assert np.abs(alone - expected.value).max() > 0.2

    def test_faint_rings_alone_are_a_galaxy(self, fitter, image, whole):
        found = fitter(image, radii=[15] * u.arcsec, **OPTIONS)
        assert found.meta['flag'] == whole.meta['flag']

    def test_narrow_ring_is_seen(self, fitter, found):
        """
        A ring between those of the network is not interpolated away.
        """
        bright = fitter(draw(60.0), radii=RADII * u.arcsec, **OPTIONS)
        excess = (bright['intensity'] - found['intensity']).value * 0.16
        # (the ring lies at 21.2 pixels)
        assert excess[7] > 30
        assert np.abs(excess[[5, 9]]).max() < 12

    def test_plain_numbers_are_pixels(self, fitter, image, whole):
        # (along given ellipses nothing is fitted, which is quick)
        one, two = (fitter(image, geometry=whole, radii=radii, **OPTIONS)
                    for radii in ([5, 10], [2, 4] * u.arcsec))
        assert_allclose(one[MU].value, two[MU].value, rtol=1e-12)

    def test_units(self, image):
        cutout = GalaxyCutout(image, **OPTIONS)
        for radii in ([5, 10], [5, 10] * u.pix, [2, 4] * u.arcsec,
                      [2 / 60, 4 / 60] * u.arcmin):
            wanted = RingRadii(radii=radii).wanted(cutout, None)
            assert_allclose(wanted, [5, 10], rtol=1e-12)

    def test_setting_and_call(self, image, whole):
        for kind in FITTERS:
            fitter = kind(radii=[2, 6])
            options = {'geometry': whole, **OPTIONS}
            assert len(fitter(image, **options)) == 2
            assert len(fitter(image, radii=[2, 5, 8], **options)) == 3
            assert 'radii' not in repr(kind()) or kind is Pix2ProfFitter
        assert 'radii=<Quantity [2., 6.]>' in repr(fitter)

    def test_own_radii_are_unchanged(self, image):
        fitter = Pix2ProfFitter()
        whole = fitter(image, **OPTIONS)
        again = fitter(image, radii=whole['radius'], **OPTIONS)
        for name in ('intensity', 'intensity_err', MU, 'n_valid'):
            assert_allclose(again[name].value, whole[name].value, rtol=1e-9)

    def test_beyond_the_network(self, image):
        """
        The pixels are measured, within their error.
        """
        fitter = Pix2ProfFitter(min_snr=30)
        radii = fitter(image, **OPTIONS)['radius'][-1] * np.array(
            [1.05, 1.1, 1.15, 1.2])
        found = fitter(image, radii=radii, **OPTIONS)
        assert np.all(np.asarray(found['flag']) & int(RingFlag.EXTENDED))
        true = 400 * np.exp(-radii.value / 0.4 / 9) / 0.16
        pull = (found['intensity'].value - true) / found[
            'intensity_err'].value
        assert np.abs(pull).max() < 3.5

    def test_many_and_bands(self, fitter, image, found):
        radii = RADII * u.arcsec
        batch, = fitter.fit_many(
            [image, (image, {'radii': [2, 4]})], radii=radii, **OPTIONS)
        assert_allclose(batch[0][MU].value, found[MU].value, rtol=1e-6)
        assert_allclose(batch[1]['radius'].value, [0.8, 1.6])
        assert_allclose(batch[0]['mag_enclosed'].value,
                        found['mag_enclosed'].value, rtol=1e-6)
        radii = [1, 3, 7] * u.arcsec
        bands = fitter.fit_bands({'g': 0.5 * image, 'r': image}, radii=radii,
                                 **OPTIONS)
        for profile in bands.profiles.values():
            assert_allclose(profile['radius'].value, radii.value)
        assert_allclose(bands.colours['g-r'].value, 2.5 * np.log10(2),
                        atol=0.05)

    def test_structure_warns(self, found):
        with pytest.warns(UserWarning, match='few radii, which were asked'):
            measure_structure(found[1:-1])


class TestSteps:
    def test_linear(self, fitter, image, whole):
        found = fitter(image, geometry=whole, step=1.2 * u.arcsec,
                       max_radius=30, **OPTIONS)
        assert_allclose(found['radius'].value, 1.2 * np.arange(11),
                        atol=1e-9)

    def test_units(self, image):
        cutout = GalaxyCutout(image, **OPTIONS)
        for options in ({'step': 1.2 * u.arcsec}, {'step': 3 * u.pix},
                        {'step': 3, 'linear': True}):
            wanted = RingRadii(max_radius=30, **options).wanted(cutout, None)
            assert_allclose(wanted, 3 * np.arange(11), atol=1e-9)

    def test_continue(self, image):
        """
        The steps go on beyond the own rings, or these end before.
        """
        cutout = GalaxyCutout(image, **OPTIONS)
        own = np.array([0, 1, 2, 4, 8.0])
        for largest, expected in ((4, own[:-1]), (7.9, own[:-1]), (8, own),
                                  (15.9, own), (16, [*own, 16]),
                                  (12 * u.arcsec, [*own, 16]),
                                  (1e6, [*own, 16, 32, 64, 128])):
            wanted = RingRadii(max_radius=largest).wanted(cutout, own)
            assert_allclose(wanted, expected, rtol=1e-12)

    def test_geometric(self, fitter, image):
        found = fitter(image, step=0.2, max_radius=12 * u.arcsec, **OPTIONS)
        assert_allclose(found['radius'].value / 0.4,
                        geometric_radii(30, 0.2), rtol=1e-8)

    def test_max_radius(self, fitter, image, whole):
        """
        The profile ends there, nearer or farther than it would by itself.
        """
        near = fitter(image, max_radius=6 * u.arcsec, **OPTIONS)
        assert 4.8 < near['radius'].value[-1] <= 6
        assert_allclose(near[MU].value, whole[MU].value[:len(near)],
                        rtol=1e-3)
        if isinstance(fitter, IsophoteFitter):
            again = IsophoteFitter(max_sma=15)(image, **OPTIONS)
            assert_allclose(again[MU].value, near[MU].value, rtol=1e-12)
        # there is no ring farther out than the image is long
        far = fitter(image, max_radius=1e6, **OPTIONS)
        assert len(far) < 200
        last = far['radius'].value[-1]
        assert whole['radius'].value[-1] < last <= 0.4 * np.hypot(*image.shape)


class TestTexts:
    @pytest.mark.parametrize(('text', 'same'), [
        ({'step': '2arcsec'}, {'step': 2 * u.arcsec}),
        ({'step': '2 arcsec'}, {'step': 2 * u.arcsec}),
        ({'step': "0.1'"}, {'step': 0.1 * u.arcmin}),
        ({'step': '10%'}, {'step': 0.1}),
        ({'step': 10 * u.percent}, {'step': 0.1}),
        ({'step': '0.1'}, {'step': 0.1}),
        ({'step': '3', 'linear': True}, {'step': 3, 'linear': True}),
        ({'max_radius': '10arcsec'}, {'max_radius': 10 * u.arcsec}),
        ({'max_radius': '20 pixels'}, {'max_radius': 20}),
        ({'radii': '1, 2,5"'}, {'radii': [1, 2, 5] * u.arcsec}),
        ({'radii': '1 2 5'}, {'radii': [1, 2, 5]})])
    def test_same(self, image, text, same):
        cutout = GalaxyCutout(image, **OPTIONS)
        own = np.arange(1.0, 40.0)
        one, two = (RingRadii(**options).wanted(cutout, own)
                    for options in (text, same))
        assert_allclose(one, two, rtol=1e-12)

    def test_call_and_setting(self, image):
        one = IsophoteFitter(step='2arcsec')(image, **OPTIONS)
        two = IsophoteFitter()(image, step=2 * u.arcsec, **OPTIONS)
        assert_allclose(one['radius'].value, two['radius'].value)

    @pytest.mark.parametrize(('options', 'message'), [
        ({'step': 'fine'}, "step must be a number, or a quantity such as '2a"),
        ({'step': '1,2'}, "step must be a number, .*got '1,2'"),
        ({'step': '3kpc'}, 'step must be angles or pixels'),
        ({'step': '3 parrots'}, 'step must be a number, or a quantity'),
        ({'max_radius': 'far'}, 'max_radius must be a number of pixels, or'),
        ({'max_radius': '10%'}, 'max_radius must be angles or pixels')])
    def test_wrong(self, options, message):
        with pytest.raises(ValueError, match=message):
            RingRadii(**options)

    def test_read_lengths(self):
        assert read_lengths('1 2') == [1, 2]
        with pytest.raises(ValueError, match='text must be numbers, or num'):
            read_lengths('1,far')


class TestErrors:
    @pytest.mark.parametrize(('options', 'error', 'message'), [
        ({'radii': [1, -2]}, ValueError, 'radii must be finite and not neg'),
        ({'radii': [1, np.nan]}, ValueError, 'radii must be finite'),
        ({'radii': []}, ValueError, 'at least one, got the shape'),
        ({'radii': [[1, 2]]}, ValueError, 'got the shape'),
        ({'radii': [1, 3, 2]}, ValueError, 'got 3 before 2: sort them'),
        ({'radii': [1, 1]}, ValueError, 'radii must increase'),
        ({'radii': np.arange(30000)}, ValueError, 'at most 20000'),
        ({'radii': [1, 2] * u.kpc}, ValueError, "got the unit 'kpc'"),
        ({'radii': 'all'}, TypeError, 'radii must be a list of numbers'),
        ({'radii': np.ma.array([1.0, 2.0], mask=[0, 1])}, ValueError,
         'radii must be finite'),
        ({'radii': [1], 'step': 0.1}, ValueError,
         'radii must not be given with step='),
        ({'step': 3}, ValueError, 'step must be a finite number from 0.01'),
        ({'step': np.float64(10)}, ValueError, "0.5, got 10.0: write '10pix' "
         "or '10arcsec' for a constant step, '10%' for a relative one$"),
        ({'step': '10'}, ValueError, "got '10': write '10pix' or '10arcsec'"),
        ({'step': 60}, ValueError, "got 60: write .* for a constant step$"),
        ({'step': 600 * u.percent}, ValueError, 'to 0.5, got 600.0 %$'),
        ({'step': '600%'}, ValueError, "to 0.5, got '600%'$"),
        ({'step': -0.1}, ValueError, 'to 0.5, got -0.1$'),
        ({'step': np.nan}, ValueError, 'step must be finite, got nan'),
        ({'step': True}, TypeError, 'step must be a finite number, got True'),
        ({'max_radius': -3 * u.pix}, ValueError,
         'max_radius must be positive and finite, got -3.0 pix'),
        ({'step': 0.1, 'linear': 'no'}, TypeError, 'linear must be True'),
        ({'step': 2 * u.pix, 'linear': False}, ValueError,
         'step must be a number without unit'),
        ({'step': -2 * u.pix}, ValueError, 'step must be positive'),
        ({'step': -2, 'linear': True}, ValueError, 'step must be positive'),
        ({'step': 2 * u.kpc}, ValueError, 'step must be angles or pixels'),
        ({'linear': True}, ValueError, 'linear=True needs a step'),
        ({'max_radius': 0}, ValueError, 'max_radius must be positive'),
        ({'max_radius': 1}, ValueError, 'max_radius must be a finite number'),
        ({'max_radius': 2 * u.s}, ValueError, 'max_radius must be angles'),
    ])
    def test_settings(self, options, error, message):
        with pytest.raises(error, match=message):
            RingRadii(**options)

    @pytest.mark.parametrize(('options', 'message'), [
        ({'radii': [1, 2] * u.arcsec}, 'radii must be in pixels for an image'),
        ({'step': 1 * u.arcsec}, 'step must be in pixels for an image'),
        ({'max_radius': 9 * u.arcsec}, 'max_radius must be in pixels'),
        ({'max_radius': 1 * u.pix}, 'max_radius must be at least 2 pixels'),
    ])
    def test_image(self, fitter, image, options, message):
        with pytest.raises(ValueError, match=message):
            fitter(image, calibrated=False, **options)

    def test_too_many(self, image):
        cutout = GalaxyCutout(image, **OPTIONS)
        choice = RingRadii(step=1e-4, linear=True)
        with pytest.raises(ValueError, match='step must be larger'):
            choice.wanted(cutout, np.array([0.0, 1.0, 30.0]))

    def test_both_names(self):
        with pytest.raises(ValueError, match='max_sma must not be given with'):
            IsophoteFitter(max_sma=20, max_radius=20)
