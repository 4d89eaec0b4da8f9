# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the simulation subpackage: what is drawn, noise and contaminants.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip('torch')

from astro_pix2prof.simulation import (
    SURVEYS,
    TYPES,
    GalaxySimulator,
    SimulatedGalaxies,
)
from astro_pix2prof.simulation.clutter import draw_stars
from astro_pix2prof.simulation.convolution import NestedGrid
from astro_pix2prof.simulation.galaxies import draw_galaxies
from astro_pix2prof.simulation.light import smooth_light
from astro_pix2prof.simulation.psf import PSF
from astro_pix2prof.simulation.sky import add_noise, subtract_sky
from astro_pix2prof.simulation.surveys import GROUPS, draw_instruments

IMAGES = ('image', 'clean', 'contamination', 'mask', 'sky')
NUMBERS = ('pixel_scale', 'fwhm', 'sigma', 'gain', 'sky_prior',
           'sky_prior_error')
TRUTH = ('intensity', 'ellipticity', 'theta', 'enclosed', 'ring_noise')


def make_generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope='module')
def sdss():
    """
    A batch with everything on.
    """
    return GalaxySimulator('sdss', n_pix=96).simulate(24, seed=5)


def assert_same(first, second, rows=slice(None)):
    for name in (*IMAGES, *NUMBERS, *TRUTH, 'centre', 'kind'):
        assert torch.equal(getattr(first, name)[rows], getattr(second, name)
                           [rows]), name


class TestBatch:
    def test_shapes(self, sdss):
        n_sma = len(sdss.sma)
        assert len(sdss) == 24
        for name in IMAGES:
            assert getattr(sdss, name).shape == (24, 96, 96)
        for name in NUMBERS:
            assert getattr(sdss, name).shape == (24,)
        for name in TRUTH:
            assert getattr(sdss, name).shape == (24, n_sma)
        assert sdss.centre.shape == (24, 2)
        for name in {*IMAGES, *NUMBERS, *TRUTH, 'centre'} - {'mask'}:
            assert getattr(sdss, name).dtype == torch.float32
            assert torch.isfinite(getattr(sdss, name)).all()
        assert sdss.mask.dtype == torch.bool
        assert len(sdss.survey) == 24
        assert sdss.zeropoint == 22.5
        assert sdss.seed == 5
        assert all(value.shape == (24, 1)
                   for value in sdss.parameters.values())

    def test_truth_ranges(self, sdss):
        assert sdss.sma[0] == 0
        assert (sdss.sma.diff() > 0).all()
        assert ((sdss.ellipticity >= 0) & (sdss.ellipticity < 1)).all()
        assert (sdss.enclosed.diff(dim=1) >= -1e-4
                * sdss.enclosed[:, -1:]).all()
        assert (sdss.ring_noise > 0).all()

    def test_centre_wobbles(self, sdss):
        shift = (sdss.centre - 47.5).norm(dim=1)
        assert shift.max() <= 0.06 * 96 + 1e-3
        assert shift.max() > 1
        still = GalaxySimulator('sdss-r', n_pix=64, wobble=0)
        assert_allclose(still.simulate(2, seed=1).centre, 31.5, atol=1e-4)

    def test_seed(self, sdss):
        again = GalaxySimulator('sdss', n_pix=96).simulate(24, seed=5)
        assert_same(sdss, again)
        other = GalaxySimulator('sdss', n_pix=96).simulate(24, seed=6)
        assert not torch.equal(sdss.image, other.image)

    def test_global_random_state(self):
        simulator = GalaxySimulator('mix', n_pix=64)
        torch.manual_seed(1)
        first = simulator.simulate(4, seed=3)
        torch.manual_seed(2)
        np.random.seed(0)  # noqa: NPY002
        state = torch.get_rng_state()
        assert_same(first, simulator.simulate(4, seed=3))
        assert torch.equal(state, torch.get_rng_state())

    def test_first_chunks(self, sdss):
        # whole chunks do not depend on how many follow
        short = GalaxySimulator('sdss', n_pix=96).simulate(16, seed=5)
        for name in (*IMAGES, *TRUTH):
            assert torch.equal(getattr(short, name), getattr(sdss, name)[:16])

    def test_independent_of_batch(self):
        # a galaxy computed alone is what it is in company
        tools = draw_instruments('sdss-r', 12, make_generator())
        galaxies = draw_galaxies(tools, 96, make_generator(1))
        centre = torch.full((12, 2), 47.3)
        grid = NestedGrid(96, centre)
        psf = PSF.moffat(torch.full((12,), 3.3), 3.0)
        light = smooth_light(galaxies, grid.x, grid.y)[0]
        image = grid.convolve(light, psf).frame
        for k in range(12):
            one = {key: value[k:k + 1] for key, value in galaxies.items()}
            grid = NestedGrid(96, centre[k:k + 1])
            alone = smooth_light(one, grid.x, grid.y)[0]
            assert_allclose(alone[0], light[k], rtol=2e-4,
                            atol=1e-6 * float(light[k].max()))
            alone = grid.convolve(alone, PSF.moffat([3.3], 3.0)).frame[0]
            assert_allclose(alone, image[k], rtol=1e-3,
                            atol=1e-5 * float(image[k].max()))

    def test_concatenate(self):
        simulator = GalaxySimulator('sdss-r', n_pix=64)
        parts = [simulator.simulate(n, seed=n) for n in (2, 3)]
        both = SimulatedGalaxies.concatenate(parts)
        assert len(both) == 5
        assert both.seed is None
        assert len(both.survey) == 5
        assert both.sma.ndim == 1
        assert torch.equal(both.image[2:], parts[1].image)
        assert SimulatedGalaxies.concatenate(parts[:1]).seed == 2

    def test_parts_add_up(self, sdss):
        # what is left is the noise; where nothing saturates or is bad
        model = sdss.clean + sdss.contamination + sdss.sky
        rest = (sdss.image - model) / sdss.sigma[:, None, None]
        faint = (sdss.clean + sdss.contamination
                 < 0.1 * sdss.sigma[:, None, None]) & ~sdss.mask
        middle = rest[faint]
        assert abs(middle.median()) < 0.05
        spread = 1.4826 * (middle - middle.median()).abs().median()
        assert_allclose(spread, 1, atol=0.05)

    def test_smallest_signal(self, sdss):
        # no galaxy is a smudge
        best = (sdss.intensity / sdss.ring_noise).amax(1)
        assert (best > 3).all()


class TestArguments:
    @pytest.mark.parametrize(('options', 'match'), [
        ({'n_pix': 63}, 'n_pix must be an even integer of 64 or more'),
        ({'n_pix': 65}, 'n_pix must be an even integer'),
        ({'n_pix': 80.5}, 'n_pix must be an even integer'),
        ({'wobble': -0.1}, 'wobble must be from 0 to 0.25, got -0.1'),
        ({'wobble': 0.3}, 'wobble must be from 0 to 0.25, got 0.3'),
        ({'chunk': 0}, 'chunk must be 1 or more, got 0'),
        ({'kind': 'blob'}, "kind must be one of elliptical.*got 'blob'"),
        ({'survey': 'sdss-y'}, "survey must be one of.*got 'sdss-y'"),
    ])
    def test_invalid(self, options, match):
        with pytest.raises(ValueError, match=match):
            GalaxySimulator(**options)

    def test_number(self):
        with pytest.raises(ValueError, match='n must be an integer from 1'):
            GalaxySimulator('sdss-r', n_pix=64).simulate(0, seed=1)

    def test_kind_of_draw(self):
        tools = draw_instruments('sdss-r', 2, make_generator())
        with pytest.raises(ValueError, match=r"kind must be .*got 'blob'"):
            draw_galaxies(tools, 64, make_generator(), kind='blob')


class TestTypes:
    @pytest.mark.parametrize('kind', TYPES)
    def test_one_type(self, kind):
        batch = GalaxySimulator('sdss-r', n_pix=64, kind=kind).simulate(
            4, seed=2)
        assert {batch.type_name(k) for k in range(4)} == {kind}
        assert torch.isfinite(batch.image).all()
        assert (batch.clean.sum((1, 2)) > 0).all()

    def test_shares(self):
        tools = draw_instruments('sdss-r', 20000, make_generator())
        galaxies = draw_galaxies(tools, 256, make_generator(1))
        share = torch.bincount(galaxies['kind'][:, 0]) / 20000
        wanted = np.array(list(TYPES.values()))
        # three standard deviations of a count
        assert_allclose(share, wanted / wanted.sum(), atol=0.011)

    def test_parameters_of_types(self):
        tools = draw_instruments('sdss-r', 3000, make_generator())
        g = draw_galaxies(tools, 256, make_generator(1))
        kind = g['kind']
        body = (kind == 0) | (kind == 4)
        assert (g['bulge'][body] == 0).all()
        assert (g['bar'][body] == 0).all()
        assert (g['tau'][kind != 5] == 0).all()
        assert (g['cos_i'][kind == 5] <= 0.16).all()
        assert (g['n_body'][kind == 0] >= 1.8).all()
        assert (g['q_disc'] >= 0.07).all()
        assert (g['flux'] > 0).all()
        # half of the early discs are barred
        early = (kind == 1) | (kind == 2)
        assert_allclose((g['bar'][early] > 0).float().mean(), 0.5, atol=0.06)
        for value in g.values():
            assert torch.isfinite(value.float()).all()


class TestInstruments:
    @pytest.mark.parametrize('survey', [*SURVEYS, *GROUPS, 'any', 'mix'])
    def test_every_survey(self, survey):
        batch = GalaxySimulator(survey, n_pix=64).simulate(3, seed=1)
        for name in (*IMAGES, *TRUTH):
            assert torch.isfinite(getattr(batch, name).float()).all(), name
        assert (batch.fwhm >= 1.5).all()
        assert (batch.sigma > 0).all()
        names = batch.survey
        if survey in SURVEYS:
            assert names == [survey] * 3
            assert_allclose(batch.pixel_scale, SURVEYS[survey].pixel_scale)
            assert_allclose(batch.gain, SURVEYS[survey].gain)
        elif survey in GROUPS:
            assert set(names) <= set(GROUPS[survey])

    def test_bands(self):
        tools = draw_instruments('sdss', 600, make_generator())
        assert set(tools['names']) == {'sdss-g', 'sdss-r', 'sdss-i'}
        for number, band in enumerate('gri'):
            rows = torch.tensor([name.endswith(band)
                                 for name in tools['names']])
            assert (tools['band'][rows] == number).all()
            survey = SURVEYS[f'sdss-{band}']
            low, high = survey.sigma
            sigma = tools['sigma'][rows]
            assert ((sigma >= low) & (sigma <= high)).all()
            seeing = (tools['fwhm'] * tools['pixel_scale'])[rows]
            assert_allclose(seeing.median(), survey.fwhm, rtol=0.04)

    def test_mix(self):
        tools = draw_instruments('mix', 1000, make_generator())
        sdss = np.mean([n.startswith('sdss') for n in tools['names']])
        wide = np.mean([n == 'any' for n in tools['names']])
        assert_allclose(sdss, 0.5, atol=0.05)
        assert_allclose(wide, 0.2, atol=0.04)

    def test_any_is_wide(self):
        tools = draw_instruments('any', 500, make_generator())
        for name, low, high in (('pixel_scale', 0.12, 0.7),
                                ('fwhm', 1.7, 5.5)):
            assert tools[name].min() < low
            assert tools[name].max() > high

    def test_band_of_galaxies(self):
        # a galaxy is brighter in redder bands
        flux = [draw_galaxies(
            draw_instruments(f'sdss-{band}', 400, make_generator()), 256,
            make_generator(1), kind='elliptical')['flux'].median()
            for band in 'gri']
        assert flux[0] < flux[1] < flux[2]


class TestNoise:
    def test_variance(self):
        # sky and photons, correlated or not: sigma^2 + flux / gain
        tools = draw_instruments('sdss-r', 40, make_generator())
        sigma, gain = tools['sigma'].float(), tools['gain'].float()
        flux = 5 * sigma[:, None, None].expand(-1, 128, 128)
        noise, _ = add_noise(flux, tools, make_generator(3))
        theory = sigma**2 + flux[:, 0, 0] / gain
        ratio = (noise**2).mean((1, 2)) / theory
        # of 16384 pixels, 1% scatter; more where they are correlated
        assert_allclose(ratio.mean(), 1, atol=0.008)
        assert_allclose(ratio, 1, atol=0.06)

    def test_correlation(self):
        tools = draw_instruments('sdss-r', 100, make_generator())
        zero = torch.zeros(100, 64, 64)
        noise, kernel = add_noise(zero, tools, make_generator(3))
        pairs = (noise[:, :, 1:] * noise[:, :, :-1]).mean((1, 2))
        correlated = pairs / (noise**2).mean((1, 2)) > 0.08
        # three frames in ten, some of them hardly
        assert 0.15 < correlated.float().mean() < 0.45
        assert ((kernel == 0) | (kernel >= 0.4)).all()
        assert (kernel <= 1).all()
        wide = kernel > 0.6
        assert wide.sum() > 5
        # neighbours of a Gaussian: exp(-1 / 4 kernel^2)
        ratio = pairs / (noise**2).mean((1, 2))
        assert_allclose(ratio[wide], torch.exp(-0.25 / kernel[wide]**2),
                        atol=0.06)

    def test_frames(self):
        batch = GalaxySimulator('sdss-r', n_pix=128, clutter=False).simulate(
            16, seed=4)
        rest = batch.image - batch.clean
        theory = batch.sigma[:, None, None]**2 + batch.clean.clamp(
            min=0) / batch.gain[:, None, None]
        ratio = (rest**2 / theory).mean((1, 2))
        assert_allclose(ratio.mean(), 1, atol=0.015)

    def test_ring_noise(self):
        # the photon limit is the scatter of the means of rings
        batch = GalaxySimulator('sdss-r', n_pix=64, clutter=False).simulate(
            2, seed=4)
        k, j = 0, 40
        a, eps = float(batch.sma[j]), float(batch.ellipticity[k, j])
        pixels = 2 * np.pi * a * np.sqrt((1 + (1 - eps)**2) / 2)
        value = (batch.sigma[k]**2 + batch.intensity[k, j].clamp(min=0)
                 / batch.gain[k]) / max(pixels, 1)
        assert_allclose(batch.ring_noise[k, j], value.sqrt(), rtol=1e-4)

    def test_sky_is_taken(self):
        tools = draw_instruments('sdss-r', 8, make_generator())
        sigma = tools['sigma'].float()[:, None, None]
        noise = sigma * torch.randn(8, 128, 128, generator=make_generator(2))
        image = 2 * sigma + noise
        before = image.clone()
        mask = torch.zeros_like(image, dtype=torch.bool)
        taken = subtract_sky(image, tools, mask, make_generator(1), share=1)
        assert_allclose(image, before - taken, rtol=1e-5)
        level = (taken / sigma).mean((1, 2))
        assert_allclose(level, 2, atol=0.1)


class TestClutter:
    def test_off(self):
        batch = GalaxySimulator('sdss-r', n_pix=64, clutter=False).simulate(
            8, seed=4)
        assert not batch.contamination.any()
        assert not batch.mask.any()
        assert not batch.sky.any()

    def test_on(self, sdss):
        # every frame has a sky and nearly every one other sources
        assert sdss.sky.flatten(1).abs().amax(1).min() > 0
        full = sdss.contamination.flatten(1).amax(1) > sdss.sigma
        assert full.float().mean() > 0.8
        # noise-free: only the ringing of sharp stars is negative
        low = sdss.contamination.flatten(1).amin(1)
        assert (low >= -1e-3 * sdss.contamination.flatten(1).amax(1)).all()

    def test_same_galaxy_without(self):
        # the contaminants do not change the galaxies of a first chunk
        batches = [GalaxySimulator('sdss-r', n_pix=64, clutter=on, chunk=4)
                   .simulate(4, seed=9) for on in (True, False)]
        assert torch.equal(batches[0].clean, batches[1].clean)
        assert torch.equal(batches[0].intensity, batches[1].intensity)

    def test_masks(self):
        batch = GalaxySimulator('sdss-r', n_pix=64).simulate(64, seed=4)
        share = batch.mask.float().mean((1, 2))
        assert 0.05 < (share > 0).float().mean() < 0.6
        # blanks of a frame's edge are zero and masked
        blank = (batch.image == 0)
        wide = blank.float().mean((1, 2)) > 0.02
        assert wide.any()
        # one pixel may be the median that was subtracted as the sky
        assert ((blank & ~batch.mask).sum((1, 2)) <= 1).all()

    def test_star_counts(self):
        # log N(<m) is a line of the slope that was drawn: bright stars are
        # rarer than faint ones
        tools = draw_instruments('sdss-r', 300, make_generator())
        grid = NestedGrid(256, torch.full((300, 2), 127.5))
        stars = draw_stars(tools, grid, torch.full((300, 1), 10.0),
                           make_generator(2))
        flux = stars['flux'][:, 2:]
        mag = 22.5 - 2.5 * torch.log10(flux[flux > 0])
        counts = [(mag < m).sum().item() for m in (17, 19, 21)]
        slopes = np.diff(np.log10(counts)) / 2
        assert ((slopes > 0.15) & (slopes < 0.42)).all()

    def test_device(self):
        with pytest.raises(RuntimeError):
            GalaxySimulator(device='nonsense')
