# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of Pix2ProfFitter.
"""

import astropy.units as u
import numpy as np
import pytest
import torch
from astropy.nddata import CCDData, Cutout2D
from astropy.table import QTable
from astropy.utils.exceptions import AstropyDeprecationWarning

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    build_profile,
    compare_profiles,
    load_example,
    load_example_truth,
    measure_structure,
    plot_fit,
    sample_profile,
)
from astro_pix2prof.networks import Captioner, CaptionerConfig
from astro_pix2prof.networks.weights import write_weights
from astro_pix2prof.profile.columns import COLUMNS
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.meta import profile_correlation
from astro_pix2prof.profile.table import interpolate_profile

MU = 'surface_brightness'


@pytest.fixture(scope='module')
def fitter():
    return Pix2ProfFitter()


@pytest.fixture(scope='module')
def captioner():
    return Pix2ProfFitter('captioner', n_views=2)


@pytest.fixture(scope='module')
def example():
    return load_example()


@pytest.fixture(scope='module')
def fit(fitter, example):
    return fitter.fit(example)


def enlarge(ccd, factor):
    """
    The same image with pixels that are divided, and as much noise in each.
    """
    rng = np.random.default_rng(1)
    data = np.repeat(np.repeat(ccd.data, factor, 0), factor, 1) / factor**2
    sigma = GalaxyCutout(ccd).background_noise
    data += rng.normal(0, sigma / factor, data.shape) * (
        1 - 1 / factor**2)**0.5
    return CCDData(data, unit=ccd.unit)


class TestProfile:
    def test_table(self, fit, example):
        profile = fit.profile
        assert isinstance(profile, QTable)
        assert tuple(profile.colnames) == COLUMNS
        assert profile['radius'].unit == u.arcsec
        assert profile[MU].unit == u.mag / u.arcsec**2
        assert profile['radius'][0] == 0 * u.arcsec
        assert np.all(np.diff(profile['radius'].value) > 0)
        assert np.isfinite(profile[MU]).all()
        assert np.all(profile['surface_brightness_err'].value > 0)
        assert profile.meta['fitter'] == 'Pix2ProfFitter'
        assert profile.meta['weights'] == 'rings'
        assert len(profile.meta['sha256']) == 64
        assert profile.meta['pa_frame'] == 'sky'

    def test_truth(self, fit):
        """
        The demo galaxy, rendered by GalSim, to the accuracy of the network.
        """
        truth = load_example_truth()
        delta = fit.profile[MU] - interpolate_profile(
            truth, fit.profile['radius'])
        bright = (truth[MU].max() > fit.profile[MU]) & (
            fit.profile[MU].value < 26.5)
        assert np.nanmedian(np.abs(delta[bright].value)) < 0.25
        np.testing.assert_allclose(
            np.nanmin(fit.profile['mag_enclosed'].value),
            truth.meta['magnitude'], atol=0.25)

    def test_geometry(self, fit):
        """
        The ellipses of the rendered galaxy, ring by ring.
        """
        profile, truth = fit.profile, load_example_truth()
        assert not np.any(profile['flag'] & int(RingFlag.FIXED_GEOMETRY))
        radius = profile['radius'].to_value(u.arcsec)
        use = (radius > 4) & (radius < 25)
        eps, pa = (np.interp(radius[use], truth['radius'].value,
                             truth[name].value)
                   for name in ('ellipticity', 'pa'))
        assert np.abs(profile['ellipticity'][use] - eps).max() < 0.1
        turn = profile['pa'][use].to_value(u.deg) - pa
        assert np.abs((turn + 90) % 180 - 90).max() < 12

    def test_no_ellipses_for_a_captioner(self, captioner, example):
        with pytest.raises(ValueError, match='ellipticity and pa must not be '
                           "given with weights='captioner'"):
            captioner(example, ellipticity=0.4, pa=80)
        with pytest.raises(ValueError, match='several bands must not'):
            captioner.fit_bands({'g': example, 'r': example})

    def test_geometry_captioner(self, captioner, example):
        """
        One ellipse from moments, near that of the isophotes, and flagged.
        """
        profile = captioner(example)
        assert profile.meta['weights'] == 'captioner'
        np.testing.assert_allclose(np.diff(profile['radius'].value), 0.396,
                                   rtol=1e-4)
        assert np.ptp(profile['ellipticity']) == 0
        assert np.all(profile['flag'] & int(RingFlag.FIXED_GEOMETRY))
        truth = load_example_truth()
        outer = np.argmin(np.abs(truth['radius'] - 20 * u.arcsec))
        assert abs(profile['ellipticity'][0]
                   - truth['ellipticity'][outer]) < 0.15
        turn = (profile['pa'][0] - truth['pa'][outer]).to_value(u.deg)
        # moments feel the neighbours that isophotes leave out
        assert abs((turn + 90) % 180 - 90) < 30

    def test_works_like_isophotes(self, fit, example):
        """
        What takes one fitter's result takes the other's.
        """
        structure = measure_structure(fit.profile)
        assert np.isfinite(structure['mag_total'][0])
        table = compare_profiles({'network': fit.profile},
                                 load_example_truth())
        assert np.isfinite(table['median_abs'][0])
        residual = fit.cutout.data - fit.model()
        centre = (slice(100, 156),) * 2
        assert (np.abs(residual[centre]).mean()
                < 0.5 * np.abs(fit.cutout.data[centre]).mean())

    def test_plot(self, fit):
        from matplotlib.figure import Figure

        other = IsophoteFitter().fit(fit.cutout)
        fig = plot_fit(fit.cutout, fit.profile, fig=Figure(),
                       beside={'isophotes': other.profile})
        labels = [text.get_text() for text in
                  fig.axes[2].get_legend().get_texts()]
        assert 'isophotes' in labels


class TestSameResult:
    def test_repeat(self, fitter, fit, example):
        again = fitter(example)
        np.testing.assert_array_equal(again[MU], fit.profile[MU])

    @pytest.mark.parametrize('noise', [None, 0.02])
    def test_image_without_noise(self, fitter, noise):
        """
        Of a model, too: its gradients are not taken for the noise.
        """
        y, x = np.mgrid[:200, :200] - np.array([98.3, 101.6])[:, None, None]
        true = 3.0 * np.exp(-np.hypot(x, y / 0.6) / 12)
        profile = fitter(true, unit='nmgy', pixel_scale=0.4, noise=noise)
        flag = profile.meta['flag']
        assert not flag & (GalaxyFlag.OUT_OF_DOMAIN | GalaxyFlag.NO_SOURCE
                           | GalaxyFlag.CENTRE_UNCERTAIN)
        assert profile.meta['x_centre'] == pytest.approx(101.6, abs=0.1)
        assert profile.meta['y_centre'] == pytest.approx(98.3, abs=0.1)
        sma = profile['radius'].value / 0.4
        use = (sma > 3) & (sma < 60)
        expected = 22.5 - 2.5 * np.log10(3.0 * np.exp(-sma[use] / 12)
                                         / 0.4**2)
        np.testing.assert_allclose(profile[MU].value[use], expected,
                                   atol=0.06)
        # (small isophotes are rounder, as galaxies are behind a PSF)
        use &= sma > 10
        np.testing.assert_allclose(profile['ellipticity'][use], 0.4,
                                   atol=0.03)

    def test_batch(self, fitter, example, galaxy_ccd):
        """
        A batch equals the single calls, whatever the sizes of the frames.
        """
        small = Cutout2D(example, (131, 131), (120, 90), copy=True)
        images = [example, galaxy_ccd[:100, :110], small, example]
        options = {'pixel_scale': 0.396, 'unit': 'nmgy'}
        images = [GalaxyCutout(image, **({} if k in (0, 3) else options))
                  if k != 2 else GalaxyCutout(image, **options)
                  for k, image in enumerate(images)]
        batch, = fitter.fit_many(images)
        for image, profile in zip(images, batch, strict=True):
            single = fitter(image)
            assert len(single) == len(profile)
            np.testing.assert_allclose(profile[MU].value, single[MU].value,
                                       atol=1e-4)

    def test_bad_image_loses_nothing(self, fitter, example, fit):
        images = [example, np.full((50, 50), np.nan), 'missing.fits',
                  example]
        batch, = fitter.fit_many(images)
        assert batch.failed.tolist() == [False, True, True, False]
        assert batch.galaxies['message'][1].startswith('ValueError: ')
        assert batch.galaxies['message'][2].startswith('FileNotFoundError: ')
        for profile in (batch[0], batch[3]):
            np.testing.assert_allclose(profile[MU].value,
                                       fit.profile[MU].value, atol=1e-4)

    def test_bad_read_loses_nothing(self, fitter, example, monkeypatch):
        """
        A network that fails on one image does not fail on the others.
        """
        read = fitter.reader.read

        def picky(frames):
            if any(frame.image.shape == (90, 90) for frame in frames):
                msg = 'no'
                raise RuntimeError(msg)
            return read(frames)

        monkeypatch.setattr(fitter.reader, 'read', picky)
        images = [example, GalaxyCutout(example).crop(90), example]
        batch, = fitter.fit_many(images)
        assert batch.failed.tolist() == [False, True, False]
        assert batch.galaxies['message'][1] == 'RuntimeError: no'
        assert len(batch[0]) == len(batch[2]) > 10

    def test_views_are_deprecated(self):
        with pytest.warns(AstropyDeprecationWarning,
                          match='n_views=8 is deprecated for ring networks'):
            fitter = Pix2ProfFitter(n_views=8)
        assert fitter.n_views == 8

    def test_views(self, example, fit):
        """
        The average over eight views does not depend on how the image lies.
        """
        fitter = Pix2ProfFitter()
        assert fitter.n_views == 1
        assert Pix2ProfFitter('captioner').n_views == 8
        cutout = GalaxyCutout(example)
        options = {'pixel_scale': 0.396, 'unit': 'nmgy', 'position': (
            127.5, 127.5), 'fit_centre': False}
        options.pop('fit_centre')
        held = Pix2ProfFitter(fit_centre=False)
        one = held(cutout.data, **options)
        turned = held(np.rot90(cutout.data).copy(), **options)
        n = min(len(one), len(turned))
        # (where there is hardly any signal, a fiftieth of the error)
        limit = np.maximum(
            1e-3, 0.02 * one['surface_brightness_err'][:n].value)
        assert (np.abs((one[MU][:n] - turned[MU][:n]).value) < limit).all()


class TestCalibration:
    def test_scale(self, fitter, example, fit):
        """
        Times ten is 2.5 mag brighter, exactly.
        """
        cutout = GalaxyCutout(example)
        scaled = fitter(CCDData(10 * cutout.data, unit=u.nmgy,
                                wcs=example.wcs))
        n = min(len(scaled), len(fit.profile))
        np.testing.assert_allclose(scaled[MU][:n].value + 2.5,
                                   fit.profile[MU][:n].value, atol=2e-3)
        assert len(scaled) == len(fit.profile)

    def test_zero_point_and_pixel_scale(self, fitter, example, fit):
        data = GalaxyCutout(example).data
        profile = fitter(data, zeropoint=25.0, pixel_scale=0.8)
        np.testing.assert_allclose(
            profile['radius'].value,
            fit.profile['radius'].value * 0.8 / 0.396, rtol=1e-4)
        shift = 2.5 + 5 * np.log10(0.8 / 0.396)
        np.testing.assert_allclose(profile[MU].value,
                                   fit.profile[MU].value + shift, atol=2e-3)

    def test_uncalibrated(self, fitter, example, fit):
        profile = fitter(GalaxyCutout(example).data, calibrated=False)
        assert profile['radius'].unit == u.pix
        assert np.isnan(profile[MU]).all()
        np.testing.assert_allclose(
            profile['intensity'].value,
            fit.profile['intensity'].value * 0.396**2, rtol=2e-3)

    def test_sky_that_was_left_in(self, fitter, example, fit):
        image = GalaxyCutout(example).data + 7.0
        profile = fitter(image, pixel_scale=0.396, unit='nmgy')
        np.testing.assert_allclose(profile.meta['sky'], 7.0, atol=0.01)
        np.testing.assert_allclose(profile.meta['sky'] - 7.0,
                                   fit.profile.meta['sky'], atol=1e-5)
        np.testing.assert_allclose(profile[MU].value, fit.profile[MU].value,
                                   atol=2e-3)
        given = Pix2ProfFitter(sky=7.0)(
            image, pixel_scale=0.396, unit='nmgy')
        none = Pix2ProfFitter(sky=0.0)(example)
        np.testing.assert_allclose(given[MU].value, none[MU].value,
                                   atol=2e-3)

    def test_given_noise(self, fitter, example):
        """
        A map of the noise counts where the frame has no empty sky.
        """
        cutout = GalaxyCutout(example, noise=0.01)
        profile = fitter(cutout)
        assert profile.meta['noise'] <= 0.024


class TestFrames:
    def test_large(self, fitter, example):
        """
        A galaxy larger than the crop is read again in binned images.
        """
        large = GalaxyCutout(enlarge(example, 3),
                             pixel_scale=0.396 / 3)
        assert large.shape == (768, 768)
        profile = fitter(large)
        radius = profile['radius'].value
        assert np.all(np.diff(radius) > 0)
        assert radius[-1] > 256 * 0.132 * 0.7
        # (256 pixels around the centre reach 24 arcsec)
        assert radius[-1] > 35
        whole = fitter(example)
        delta = profile[MU] - interpolate_profile(whole, profile['radius'])
        use = (profile[MU].value < 25.5) & (radius > 2)
        assert np.nanmedian(np.abs(delta[use].value)) < 0.35

    @pytest.mark.parametrize('shape', [(64, 64), (71, 90), (300, 100)])
    def test_shapes(self, fitter, shape):
        rng = np.random.default_rng(3)
        y, x = np.mgrid[:shape[0], :shape[1]]
        r = np.hypot(x - shape[1] / 2, y - shape[0] / 2)
        image = 20 * np.exp(-r / 8) + rng.normal(0, 0.1, shape)
        profile = fitter(image, pixel_scale=0.5, zeropoint=22.5)
        assert np.isfinite(profile[MU]).all()
        assert np.all(profile['radius'].value <= 0.5 * np.hypot(*shape))

    def test_masked(self, fitter, example, fit):
        """
        Bad pixels are not read, and their rings say so.
        """
        cutout = GalaxyCutout(example)
        data, mask = cutout.data.copy(), np.zeros(cutout.shape, bool)
        mask[:, 180:] = True
        data[mask] = 1e6
        options = {'pixel_scale': 0.396, 'unit': 'nmgy'}
        profile = fitter(data, mask=mask, **options)
        nan = fitter(np.where(mask, np.nan, data), **options)
        np.testing.assert_array_equal(profile[MU], nan[MU])
        assert profile['n_valid'][10] == 1
        outside = profile['radius'].value > 80 * 0.396
        assert np.all(profile['n_valid'][outside] < 0.9)
        n = min(len(profile), len(fit.profile), 50)
        delta = profile[MU][:n].value - fit.profile[MU][:n].value
        assert np.median(np.abs(delta)) < 0.25

    def test_off_centre(self, fitter, example, fit):
        moved = GalaxyCutout(example).data[14:, :-17]
        profile = fitter(moved, pixel_scale=0.396, unit='nmgy')
        np.testing.assert_allclose(
            [profile.meta['x_centre'], profile.meta['y_centre'] + 14],
            [fit.profile.meta['x_centre'], fit.profile.meta['y_centre']],
            atol=0.3)
        n = min(len(profile), len(fit.profile), 50)
        delta = profile[MU][:n].value - fit.profile[MU][:n].value
        assert np.median(np.abs(delta)) < 0.1

    def test_no_galaxy(self, fitter):
        rng = np.random.default_rng(5)
        image = rng.normal(0, 1, (128, 128))
        profile = fitter(image, zeropoint=22.5, pixel_scale=0.4)
        assert profile.meta['flag'] & GalaxyFlag.NO_SOURCE

    def test_no_noise(self, fitter):
        y, x = np.mgrid[:128, :128]
        image = np.exp(-np.hypot(x - 64, y - 64) / 6)
        profile = fitter(image, zeropoint=22.5, pixel_scale=0.4)
        assert np.isfinite(profile[MU]).all()

    def test_forced(self, fitter, example, fit):
        truth = IsophoteFitter()(example)
        profile = fitter(example, geometry=truth)
        assert profile.meta['flag'] & GalaxyFlag.FORCED
        at = 30
        np.testing.assert_allclose(
            profile['ellipticity'][at], interpolate_profile(
                truth, profile['radius'][at:at + 1], 'ellipticity')[0],
            atol=0.01)


class TestOptions:
    @pytest.mark.parametrize(('options', 'match'), [
        ({'weights': 'nothing'}, "got 'nothing'"),
        ({'n_views': 9}, 'n_views must be an integer from 1 to 8, got 9'),
        ({'batch_size': 0}, 'batch_size must be a positive integer, got 0'),
        ({'precision': 'float16'}, "'float32' or 'bfloat16', got 'float16'"),
        ({'device': 'abacus'}, "device .* got 'abacus'")])
    def test_errors(self, options, match):
        with pytest.raises(ValueError, match=match):
            Pix2ProfFitter(**options)

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='does not exist'):
            Pix2ProfFitter(tmp_path / 'w.safetensors')

    def test_no_gpu(self, monkeypatch):
        monkeypatch.setattr('torch.cuda.is_available', lambda: False)
        match = "device='cuda:7' needs a GPU, and torch finds none here: leave"
        with pytest.raises(ValueError, match=match):
            Pix2ProfFitter(device='cuda:7')

    def test_repr(self, fitter):
        text = repr(fitter)
        assert "weights 'rings'" in text
        assert 'cpu' in text or 'cuda' in text

    def test_min_snr(self, example, fit):
        short = Pix2ProfFitter(min_snr=20)(example)
        assert len(short) < len(fit.profile)

    def test_absolute_weights(self, tmp_path, example):
        """
        Weights with the paper's scaling need calibrated images.
        """
        torch.manual_seed(0)
        network = Captioner(CaptionerConfig.paper(
            size=16, layers=1, n_pix=64, max_length=30))
        path = write_weights(network, {
            'name': 'paper', 'architecture': 'captioner'},
            tmp_path / 'paper.safetensors')
        fitter = Pix2ProfFitter(path, n_views=1)
        data = GalaxyCutout(example).data
        one = fitter(example)
        assert np.isnan(one['surface_brightness_err']).all()
        # the same sky in other units
        counts = fitter(100 * data, zeropoint=27.5, pixel_scale=0.396)
        n = min(len(one), len(counts))
        np.testing.assert_allclose(one[MU][:n].value, counts[MU][:n].value,
                                   atol=1e-3)
        with pytest.raises(ValueError, match='need images with a zero'):
            fitter(data, calibrated=False)

    def test_flags_of_disagreement(self, fitter, example):
        """
        A network that does not see the galaxy is found out.
        """
        blind = Pix2ProfFitter('captioner', n_views=1)
        blind.network = blind.reader.network = Captioner(
            blind.network.config).eval()
        profile = blind(example)
        assert profile.meta['flag'] & GalaxyFlag.OUT_OF_DOMAIN

    @pytest.mark.parametrize(('name', 'least'), [
        ('captioner', 0.999), ('fitter', 0.25)])
    def test_errors_hold(self, request, example, name, least):
        """
        The error of a ring is never below photon noise.

        A ring that knows of its neighbours may be better than alone, but
        only so much.
        """
        from astro_pix2prof.profile.brightness import POGSON

        profile = request.getfixturevalue(name)(example)
        noise = profile.meta['noise'] / 0.396**2
        radius = profile['radius'].value / 0.396
        snr = (profile['intensity'].value / noise
               * np.sqrt(np.maximum(2 * np.pi * radius, 1)))
        error = profile['surface_brightness_err'].value
        assert np.all(error >= least * POGSON / snr)


def test_build_profile_keeps_errors(fit):
    cutout = fit.cutout
    table = build_profile(
        cutout, fit.sma, fit.intensity, 0.1 * fit.intensity,
        ellipticity=fit.eps, theta=fit.theta,
        surface_brightness_err=np.full(len(fit.sma), 0.3))
    np.testing.assert_allclose(table['surface_brightness_err'].value, 0.3)


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    """
    A checkpoint with the layout of the authors', of random weights.
    """
    from astro_pix2prof.networks import OriginalPix2Prof

    torch.manual_seed(4)
    network = OriginalPix2Prof()
    with torch.no_grad():
        network.decoder.fc.bias.fill_(21.0)
    path = tmp_path_factory.mktemp('original') / 'pix2prof.pth'
    torch.save({'encoder': network.encoder.state_dict(),
                'decoder': network.decoder.state_dict(),
                'encoder_op': {}, 'decoder_op': {}, 'epoch': 1,
                'logdir': 'log'}, path)
    return path, network.eval()


@pytest.fixture(scope='module')
def mu(original):
    """
    The profile of the example by the network of the authors itself.
    """
    return original[1].profile(GalaxyCutout(load_example()).data)


class TestOriginal:
    def test_same_as_network(self, original, example, mu):
        path, _ = original
        fitter = Pix2ProfFitter.from_original(path)
        profile = fitter(example)
        np.testing.assert_allclose(profile[MU].value, mu, atol=1e-4)
        np.testing.assert_allclose(np.diff(profile['radius'].value), 0.396,
                                   rtol=1e-4)
        assert np.isnan(profile['surface_brightness_err']).all()
        assert profile.meta['weights'] == 'pix2prof.pth'

    def test_central_pixels_and_step(self, original, example, mu):
        """
        A larger image is cut to its central 256 x 256 pixels.
        """
        path, _ = original
        data = np.pad(GalaxyCutout(example).data, ((4, 4), (5, 6)))
        fitter = Pix2ProfFitter.from_original(path, radius_step=0.5)
        # counts with another zero point are the same nanomaggies
        profile = fitter(100 * data, zeropoint=27.5, pixel_scale=0.396)
        np.testing.assert_allclose(profile[MU].value, mu, atol=1e-3)
        np.testing.assert_allclose(np.diff(profile['radius'].value), 0.5)

    def test_errors(self, original, example, tmp_path):
        path, _ = original
        fitter = Pix2ProfFitter.from_original(path)
        small = np.ones((200, 300))
        with pytest.raises(ValueError, match='256 x 256 pixels or more'):
            fitter(small, zeropoint=22.5, pixel_scale=0.4)
        batch, = fitter.fit_many([small, GalaxyCutout(example).data],
                                 zeropoint=22.5, pixel_scale=0.396)
        assert batch.failed.tolist() == [True, False]
        assert '256 x 256 pixels or more' in batch.galaxies['message'][0]
        assert len(batch[1]) > 10
        with pytest.raises(ValueError, match='radius_step must be positive'):
            Pix2ProfFitter.from_original(path, radius_step=0)
        with pytest.raises(FileNotFoundError):
            Pix2ProfFitter.from_original(tmp_path / 'nothing.pth')


class TestSamples:
    def test_column(self, fitter, example):
        profile = fitter(example, n_samples=6, seed=2)
        samples = profile['surface_brightness_samples']
        assert samples.shape == (len(profile), 6)
        assert samples.unit == profile[MU].unit
        np.testing.assert_array_equal(
            samples, sample_profile(profile, 6, seed=2))

    def test_correlation_of_card(self, fitter, example, monkeypatch):
        known = {'length': 0.4, 'smooth': 0.5, 'common': 0.2}
        errors = {**fitter.card['error_model'], 'correlation': known}
        monkeypatch.setitem(fitter.card, 'error_model', errors)
        profile = fitter(example)
        assert profile_correlation(profile) == known
        batch, = fitter.fit_many([example])
        assert batch[0].meta['correlation'] == profile.meta['correlation']

    @pytest.mark.parametrize('number', [-1, 1.5, True, None])
    def test_wrong_number(self, fitter, example, number):
        with pytest.raises(ValueError, match='integer of at least 0, got'):
            fitter(example, n_samples=number)


class TestRings:
    """
    What the default weights promise, whatever they have learned.
    """

    @pytest.fixture
    def plain(self, example):
        return GalaxyCutout(example).data

    def measure(self, fitter, data, **options):
        return fitter(data, pixel_scale=0.396, unit='nmgy', **options)

    def test_scaling(self, fitter, plain):
        """
        A brighter image has the same profile, brighter.
        """
        one, two = (self.measure(fitter, plain * k) for k in (1, 250.0))
        np.testing.assert_allclose(
            (one[MU] - two[MU]).value, 2.5 * np.log10(250), atol=1e-3)
        np.testing.assert_allclose(one['ellipticity'], two['ellipticity'],
                                   atol=1e-4)

    def test_calibration(self, fitter, plain):
        """
        Pixel scale and zero point come in outside of the network.
        """
        one = fitter(plain, pixel_scale=0.4, zeropoint=22.5)
        two = fitter(plain, pixel_scale=0.8, zeropoint=25.0)
        np.testing.assert_allclose(two['radius'].value,
                                   2 * one['radius'].value, rtol=1e-6)
        np.testing.assert_allclose(
            (two[MU] - one[MU]).value, 2.5 + 5 * np.log10(2), atol=1e-5)
        np.testing.assert_allclose(two['ellipticity'], one['ellipticity'])

    def test_sky(self, fitter, plain):
        """
        What a survey leaves of the sky is found and taken out.
        """
        one = self.measure(fitter, plain)
        left = 0.3 * one.meta['noise']
        two = self.measure(fitter, plain + left)
        n = min(len(one), len(two))
        delta = (two[MU][:n] - one[MU][:n]).value
        ignored = -2.5 * np.log10(1 + left / 0.396**2 / one[
            'intensity'].value[:n])
        faint = (one[MU][:n].value > 24.5) & (one[MU][:n].value < 26)
        assert faint.sum() >= 2
        assert np.abs(delta[faint]).max() < 0.5 * np.abs(ignored[faint]).max()

    @pytest.mark.parametrize('views', [1, 8])
    @pytest.mark.parametrize(('turns', 'mirror'), [
        (1, False), (2, False), (3, True), (0, True)])
    def test_symmetry(self, plain, turns, mirror, views):
        """
        Turned or mirrored, a galaxy has the same profile; the angle turns.
        """
        data = plain[20:201, 30:223]
        view = np.rot90(data[:, ::-1] if mirror else data, -turns)
        fitter = Pix2ProfFitter()
        fitter.reader.n_views = views
        one, two = (self.measure(fitter, image) for image in (data, view))
        n = min(len(one), len(two))
        assert abs(len(one) - len(two)) <= 1
        bright = one[MU][:n].value < 25
        # (other pixels are binned together in the turned image: what that
        # changes is part of the errors)
        tolerance, part = {1: (0.05, 1.0), 8: (3e-3, 0.25)}[views]
        limit = np.maximum(tolerance, part * one[
            'surface_brightness_err'][:n].value)
        change = np.abs((one[MU][:n] - two[MU][:n]).value)
        assert (change < limit)[bright].all()
        np.testing.assert_allclose(one['ellipticity'][:n][bright],
                                   two['ellipticity'][:n][bright],
                                   atol=tolerance)
        error = {len(p): p['surface_brightness_err'].value
                 for p in (one, two)}
        assert all(np.all(e > 0) for e in error.values())
        angle = one['pa'][:n].value * (-1 if mirror else 1) - 90 * turns
        flat = bright & (one['ellipticity'][:n] > 0.15)
        turn = two['pa'][:n].value - angle
        assert np.abs((turn[flat] + 90) % 180 - 90).max() < 40 * tolerance

    def test_star(self, fitter, plain):
        """
        The weights leave a star out, and the profile hardly notices.
        """
        fit = fitter.fit(plain, pixel_scale=0.396, unit='nmgy')
        x, y = fit.centre
        x, y = x - 24, y + 18
        yy, xx = np.mgrid[:plain.shape[0], :plain.shape[1]]
        r2 = (xx - x)**2 + (yy - y)**2
        sigma = fit.profile.meta['noise']
        other = fitter.fit(plain + 400 * sigma * np.exp(-0.5 * r2 / 1.5**2),
                           pixel_scale=0.396, unit='nmgy')
        weight = other.weight_map()
        assert weight.shape == plain.shape
        at = weight[round(y) - 1:round(y) + 2, round(x) - 1:round(x) + 2]
        before = fit.weight_map()[round(y) - 1:round(y) + 2,
                                  round(x) - 1:round(x) + 2]
        assert np.nanmax(at) < 0.5 * np.nanmin(before)
        n = min(len(fit.profile), len(other.profile))
        delta = fit.profile[MU][:n].value - other.profile[MU][:n].value
        ring = np.abs(fit.profile['radius'][:n].value - 30 * 0.396) < 4
        assert np.abs(delta[ring]).max() < 0.25

    def test_saturated(self, fitter, plain):
        """
        A flat top is found without a header that tells its level.
        """
        cut = np.minimum(plain, 0.3 * plain[100:156, 100:156].max())
        profile = self.measure(fitter, cut)
        assert profile.meta['flag'] & GalaxyFlag.SATURATED
        assert profile['flag'][0] & RingFlag.SATURATED
        assert not profile['flag'][-1] & RingFlag.SATURATED
        whole = self.measure(fitter, plain)
        assert not whole.meta['flag'] & GalaxyFlag.SATURATED

    def test_noise_map(self, fitter, plain):
        """
        Where the noise is much larger, pixels hardly count.
        """
        rng = np.random.default_rng(8)
        sigma = GalaxyCutout(
            plain, pixel_scale=0.396, calibrated=False).background_noise
        noise = np.full(plain.shape, sigma)
        noise[:, :100] = 8 * sigma
        data = plain + rng.normal(size=plain.shape) * np.sqrt(
            noise**2 - sigma**2)
        profile = self.measure(fitter, data, noise=noise)
        outer = profile['radius'].value > 60 * 0.396
        assert np.all(profile['n_valid'][outer] < 0.9)
        whole = self.measure(fitter, plain)
        n = min(len(profile), len(whole))
        bright = whole[MU][:n].value < 24.5
        delta = (profile[MU][:n] - whole[MU][:n]).value[bright]
        assert np.median(np.abs(delta)) < 0.1

    def test_held(self, fitter, plain):
        """
        A centre that is held stays where it is.
        """
        profile = self.measure(Pix2ProfFitter(fit_centre=False), plain,
                               position=(120.0, 131.0))
        assert (profile.meta['x_centre'], profile.meta['y_centre']) == (
            pytest.approx(120, abs=1e-3), pytest.approx(131, abs=1e-3))

    @pytest.mark.parametrize('shape', [(64, 64), (65, 200), (513, 401)])
    def test_frames(self, fitter, shape):
        """
        Odd frames, and frames that are not square.
        """
        rng = np.random.default_rng(2)
        y, x = np.mgrid[:shape[0], :shape[1]]
        r = np.hypot((x - shape[1] / 2) * 0.7, y - shape[0] / 2)
        scale = min(shape) / 12
        image = 30 * np.exp(-r / scale) + rng.normal(0, 0.1, shape)
        fit = fitter.fit(image, pixel_scale=0.5, zeropoint=22.5)
        np.testing.assert_allclose(
            fit.centre, (shape[1] / 2, shape[0] / 2), atol=0.5)
        inner = (fit.sma > 3) & (fit.sma < 3 * scale)
        want = 30 * np.exp(-0.7 * fit.sma[inner] / scale)
        delta = 2.5 * np.log10(fit.intensity[inner] / want)
        assert np.abs(delta).max() < 0.1
