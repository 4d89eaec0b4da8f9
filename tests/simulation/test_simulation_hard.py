# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of what is hard in simulated frames: thin discs, arms, gaps and skies.
"""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import map_coordinates, spline_filter

torch = pytest.importorskip('torch')

from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.simulation.clutter import draw_stars
from astro_pix2prof.simulation.convolution import NestedGrid
from astro_pix2prof.simulation.galaxies import draw_galaxies
from astro_pix2prof.simulation.light import (
    clump_light,
    detail_light,
    smooth_light,
)
from astro_pix2prof.simulation.missing import mask_missing
from astro_pix2prof.simulation.psf import PSF
from astro_pix2prof.simulation.sky import (
    add_noise,
    quantise,
    subtract_prior,
    subtract_sky,
)
from astro_pix2prof.simulation.surveys import draw_instruments
from astro_pix2prof.simulation.truth import sma_grid, true_profile


def make_generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw_kind(kind, n, *, n_pix=256, seed=1, survey='sdss-r'):
    tools = draw_instruments(survey, n, make_generator())
    return draw_galaxies(tools, n_pix, make_generator(seed), kind=kind)


def set_all(galaxies, **values):
    for name, value in values.items():
        galaxies[name] = torch.full_like(galaxies[name].float(), value)


def render(galaxies, *, n_pix=256, fwhm=2.5, generator=None):
    """
    Images without and with arms, and the truth.
    """
    n = len(galaxies['kind'])
    grid = NestedGrid(n_pix, torch.full((n, 2), n_pix / 2 - 0.3))
    psf = PSF.moffat(torch.full((n,), fwhm), 4.0)
    light, disc = smooth_light(galaxies, grid.x, grid.y)
    smooth = total = grid.convolve(light, psf)
    if generator is not None:
        detail = detail_light(galaxies, grid.x, grid.y, disc, generator)
        total = grid.convolve(light + detail, psf)
    sma = sma_grid(n_pix)
    return smooth, total, sma, true_profile(total, smooth, sma)


def shape_of(profile):
    return (torch.hypot(profile['e1'], profile['e2']),
            0.5 * torch.atan2(profile['e2'], profile['e1']))


class TestThinDiscs:
    @pytest.mark.parametrize('q', [0.08, 0.1, 0.2])
    def test_truth(self, q):
        # beyond the seeing, the ellipse of the disc, and the mean of the
        # clean pixels along it
        g = draw_kind('thin disc', 2)
        set_all(g, q_body=q, r_e=30 * q**0.5, n_body=1.0, bulge=0.0,
                envelope=0.0, nucleus=0.0, flux=1e4, e_slope=0.0,
                pa_slope=0.0, boxy=0.0)
        smooth, _, sma, profile = render(g)
        eps, theta = shape_of(profile)
        outer = (sma > 50) & (sma < 100)
        assert_allclose(eps[:, outer], 1 - q, atol=0.02)
        assert_allclose(torch.remainder(theta - g['pa'] + 1.5708, math.pi)
                        [:, outer], 1.5708, atol=0.005)
        x0 = float(smooth.grid.centre[0, 0])
        for k in range(2):
            image = spline_filter(smooth.frame[k].double().numpy())
            for j in np.flatnonzero((sma > 3) & (sma < 100))[::4]:
                mean = self.mean_along(image, x0, float(sma[j]), float(
                    eps[k, j]), float(theta[k, j]))
                assert_allclose(profile['intensity'][k, j], mean, rtol=0.01)

    def mean_along(self, image, x0, a, eps, theta, n=2000):
        t = (np.arange(n) + 0.5) * (2 * np.pi / n)
        u, v = a * np.cos(t), a * (1 - eps) * np.sin(t)
        c, s = np.cos(theta), np.sin(theta)
        value = map_coordinates(image, [x0 + u * s + v * c,
                                        x0 + u * c - v * s], prefilter=False)
        arc = np.hypot(a * np.sin(t), a * (1 - eps) * np.cos(t))
        return (value * arc).sum() / arc.sum()

    def test_drawn(self):
        g = draw_kind('thin disc', 2000)
        eps = 1 - g['q_body']
        assert (eps >= 0.75 - 1e-6).all()
        assert (eps <= 0.94 + 1e-6).all()
        # at all sizes
        for small in (True, False):
            part = (g['h'] < g['h'].median()) == small
            assert (eps[part] > 0.9).float().mean() > 0.2
        assert ((g['n_body'] >= 0.5) & (g['n_body'] <= 4.5)).all()
        # two in three are exponential, the others steeper
        steep = (g['n_body'] > 2.5).float().mean()
        assert_allclose(steep, 0.35 * 2 / 3.3, atol=0.04)

    def test_high_ellipticities_are_seen(self):
        # in the truth, where the signal is three times the noise
        g = GalaxySimulator('mix', n_pix=128, clutter=False,
                            kind='thin disc').simulate(64, seed=2)
        seen = g.intensity > 3 * g.ring_noise
        eps = torch.where(seen, g.ellipticity, 0.0).amax(1)
        assert (eps > 0.75).float().mean() > 0.3
        assert (eps > 0.85).float().mean() > 0.05


class TestEnvelopes:
    def test_isophotes_get_rounder(self):
        # a thin disc of 0.74 in a rounder halo
        g = draw_kind('s0', 1)
        set_all(g, q_disc=0.26, bulge=0.0, bar=0.0, nucleus=0.0,
                ring_in=0.0, ring_out=0.0, warp=0.0, lopsided=0.0,
                slope_1=0.0, slope_2=0.0, h=12.0, envelope=0.25,
                q_envelope=0.6, n_envelope=1.0, r_envelope=45.0)
        _, _, sma, profile = render(g)
        eps = shape_of(profile)[0][0]
        inner = eps[(sma > 15) & (sma < 25)].max()
        outer = eps[(sma > 90) & (sma < 110)].mean()
        assert_allclose(inner, 0.72, atol=0.04)
        assert_allclose(outer, 0.42, atol=0.04)

    def test_wings_of_bulges(self):
        g = draw_kind('s0', 1)
        set_all(g, q_disc=0.26, bulge=0.3, bar=0.0, nucleus=0.0,
                ring_in=0.0, ring_out=0.0, warp=0.0, lopsided=0.0,
                slope_1=0.0, slope_2=0.0, h=10.0, envelope=0.0, boxy=0.0,
                q_bulge=0.6, n_bulge=4.0, r_bulge=10.0, bulge_end=400.0)
        _, _, sma, profile = render(g)
        eps = shape_of(profile)[0][0]
        inner = eps[(sma > 20) & (sma < 40)].max()
        outer = eps[(sma > 100) & (sma < 115)].mean()
        assert inner > 0.6
        assert outer < 0.5

    def test_flux(self):
        # the envelope takes what it gives
        g = draw_kind('edge-on', 4)
        set_all(g, flux=1.0, h=6.0, h_z=1.5, tau=0.0, r_envelope=15.0,
                n_envelope=1.0, bar=0.0)
        total = []
        for share in (0.0, 0.4):
            set_all(g, envelope=share)
            total.append(render(g)[0].frame.sum((1, 2)))
        assert_allclose(total[0], total[1], rtol=0.02)

    def test_shares(self):
        g = draw_kind(None, 8000)
        disc = ~((g['kind'] == 0) | (g['kind'] == 4))
        assert not g['envelope'][~disc].any()
        inclined = disc & (g['q_disc'] < 0.5) & (g['kind'] != 6)
        assert_allclose((g['envelope'] > 0)[inclined].float().mean(), 0.4,
                        atol=0.05)
        winged = disc & (g['bulge_end'] > 20 * g['h'])
        assert_allclose(winged[disc].float().mean(), 0.17, atol=0.03)
        assert (g['n_bulge'][winged] >= 2).all()


class TestArms:
    def test_grand(self):
        g = draw_kind('late spiral', 4000)
        grand = (g['arms'] == 1)
        # nine in ten spirals of a cosine above 0.2 have arms
        assert_allclose(grand.float().mean(), 0.9 * 0.35 * 0.8 / 0.98,
                        atol=0.03)
        assert ((g['n_arms'] >= 2) & (g['n_arms'] <= 4))[grand].all()
        pitch = torch.rad2deg(g['pitch'][grand])
        assert ((pitch > 9.9) & (pitch < 32.1)).all()
        assert (g['arm_sharp'][grand] <= 1.6).all()
        assert (g['flocculence'] > 0.4).float().mean() > 0.05

    def test_truth_is_of_the_smooth_galaxy(self):
        # a contrast of e^1.6 moves ellipses not at all, and the mean
        # little: arms take as much light as they give, on the circle in
        # the plane of the disc
        g = draw_kind('late spiral', 4)
        set_all(g, q_disc=0.6, arms=1.0, arm_sharp=1.6, n_arms=2.0,
                pitch=0.35, h=18.0, bulge=0.1, bar=0.0, flocculence=0.0,
                ring_in=0.0, ring_out=0.0, warp=0.0, lopsided=0.0,
                envelope=0.0, tides=0.0, arm_start=8.0, arm_end=90.0,
                slope_1=0.0, slope_2=0.0, flux=1e4)
        smooth, total, sma, profile = render(g, generator=make_generator(3))
        alone = true_profile(smooth, smooth, sma)
        assert_allclose(profile['e1'], alone['e1'])
        assert_allclose(profile['e2'], alone['e2'])
        some = (sma > 15) & (sma < 80)
        delta = 2.5 * torch.log10(profile['intensity'] / alone['intensity'])
        assert delta[:, some].abs().max() < 0.2
        assert delta[:, some].mean().abs() < 0.02
        # the arms are strong: from half to more than 1.6 times
        ratio = (total.frame / smooth.frame).flatten(1)
        assert (ratio.amax(1) > 1.6).all()
        assert (ratio.amin(1) < 0.5).all()


class TestClumps:
    def test_positions(self):
        # the table gives the light again
        g = draw_kind('late spiral', 3)
        set_all(g, clumps=0.2, flux=100.0, h=8.0)
        grid = NestedGrid(128, torch.full((3, 2), 63.8))
        flux, clumps = clump_light(g, grid, torch.full((3,), 3.0),
                                   make_generator(1))
        assert clumps.shape == (3, 80, 4)
        assert_allclose(clumps[..., 2].sum(1), 20.0, rtol=1e-4)
        x, y, light, size = clumps[0].unbind(-1)
        k = int(light.argmax())
        column, row = (int(torch.round(v[k])) + grid.pad for v in (x, y))
        axis = torch.arange(grid.size) - grid.pad
        model = sum(
            light[j] / (2 * math.pi * size[j]**2) * torch.exp(
                -0.5 * ((axis[None, :] - x[j])**2 + (axis[:, None] - y[j])**2)
                / size[j]**2) for j in range(80) if light[j] > 0)
        assert_allclose(flux[0, row, column], model[row, column], rtol=1e-3)
        assert_allclose(flux[0], model, atol=1e-4 * float(model.max()))

    def test_in_batch(self):
        batch = GalaxySimulator('sdss-r', n_pix=64).simulate(24, seed=3)
        assert batch.clumps.shape == (24, 80, 4)
        some = (batch.clumps[..., 2] > 0).any(1)
        assert torch.equal(some, batch.parameters['clumps'][:, 0] > 0)
        assert some.any()
        assert not batch.clumps[~some].any()


class TestMissing:
    def test_shares(self):
        batch = GalaxySimulator('mix', n_pix=64, chunk=16).simulate(
            144, seed=8)
        whole = ~batch.mask.flatten(1).any(1)
        # (a scatter of 4%)
        assert 0.51 < whole.float().mean() < 0.74
        # nowhere is all of the galaxy lost
        assert batch.mask.flatten(1).float().mean(1).max() < 0.8

    def frames(self, n=400, n_pix=128, seed=2):
        tools = draw_instruments('sdss-r', n, make_generator())
        grid = NestedGrid(n_pix, torch.full((n, 2), n_pix / 2 - 0.3))
        stars = draw_stars(tools, grid, torch.full((n, 1), 10.0),
                           make_generator(seed))
        return tools, grid, stars

    def test_discs(self):
        _, grid, stars = self.frames()
        disc = stars['disc']
        hidden = disc > 0
        assert (stars['flux'][hidden] > 0).all()
        assert (disc[hidden] >= 4).all()
        assert (disc[hidden] <= 12).all()
        near = hidden[:, 2]
        dist = torch.hypot(stars['x'] - grid.centre[:, :1],
                           stars['y'] - grid.centre[:, 1:])[:, 2]
        close = near & (dist < 25.01)
        assert_allclose(close.float().mean(), 0.09, atol=0.035)
        assert (dist[close] < 17).any()
        assert (dist[close] > 20).any()
        # brighter stars have larger discs
        radius, flux = disc[hidden], stars['flux'][hidden]
        bright = flux > flux.quantile(0.8)
        assert radius[bright].mean() > radius[~bright].mean() + 1

    def test_small_frames(self):
        _, _, stars = self.frames(n_pix=64)
        assert stars['disc'].max() <= 6.4 + 1e-4

    def test_blank_and_pixels(self):
        tools, grid, stars = self.frames()
        image = torch.ones(400, 128, 128)
        stars['disc'] = torch.zeros_like(stars['disc'])
        mask = torch.zeros_like(image, dtype=torch.bool)
        mask_missing(image, stars, tools, grid, mask, make_generator(4))
        assert ((image == 1) | mask).all()
        share = mask.flatten(1).float().mean(1)
        assert_allclose((share > 0).float().mean(), 0.215, atol=0.05)
        # one to a few pixels at the nucleus
        few = (share > 0) & (share * 128**2 < 6)
        assert few.any()
        assert mask[few][:, 64, 64].all()
        # edges come to within a few pixels, but not over the nucleus
        large = share > 0.2
        assert large.any()
        assert not mask[large][:, 64, 64].any()
        axis = torch.arange(128) - 63.7
        dist = torch.hypot(axis[None, :], axis[:, None])
        nearest = torch.where(mask[large], dist, 1e3).flatten(1).amin(1)
        assert nearest.min() < 9


class TestSky:
    def make(self, brightness, n=200, n_pix=64):
        sigma = torch.full((n,), 0.02)
        axis = torch.arange(n_pix) - n_pix / 2
        r = torch.hypot(axis[None, :], axis[:, None])
        clean = (brightness * 0.02 * torch.exp(-r / 10)).expand(
            n, -1, -1).clone()
        sky = 0.02 * (torch.arange(n) / n).view(-1, 1, 1).expand(
            n, n_pix, n_pix).clone()
        image = clean + sky
        before = image.clone()
        prior, error = subtract_prior(image, sky, clean,
                                      torch.zeros_like(clean), sigma,
                                      make_generator(5))
        assert_allclose(image + prior[:, None, None], before, atol=1e-5)
        assert_allclose(image, clean + sky, atol=1e-5)
        return sky.mean((1, 2)), error, sigma

    @pytest.mark.parametrize(('brightness', 'low', 'high', 'typical'), [
        (0.5, 0.01, 0.1, 0.41), (100.0, 0.3, 1.5, 0.95),
        (3000.0, 2.9, 3.0, 1.1)])
    def test_prior(self, brightness, low, high, typical):
        left, error, sigma = self.make(brightness, n=800)
        assert low - 1e-3 <= (error / sigma).median() <= high + 1e-3
        assert (error <= sigma * 3.0001).all()
        pull = left / error
        # (the sky that was subtracted is too high in four of five)
        much = pull < 0
        assert_allclose(much.float().mean(), 0.8, atol=0.05)
        # the medians of 640 and 160 lognormal deviates
        assert_allclose(-pull[much].median(), typical, rtol=0.15)
        assert_allclose(pull[~much].median(), typical / 2, rtol=0.3)
        assert pull.abs().max() <= 6.001

    def test_uneven(self):
        # one in three is uneven, and of these 71% by more than any flat sky
        # is uncertain
        _, error, sigma = self.make(0.0, n=800, n_pix=128)
        uneven = error / sigma > 0.0525
        assert_allclose(uneven.float().mean(), 0.35 * 0.71, atol=0.05)
        assert_allclose((error / sigma).max(), 0.3, rtol=0.1)

    def test_batch(self):
        batch = GalaxySimulator('sdss-r', n_pix=96).simulate(48, seed=1)
        error = batch.sky_prior_error / batch.sigma
        assert (error > 0.008).all()
        assert (error <= 3.0001).all()
        assert error.median() < 0.1
        light = ((batch.clean + batch.contamination)
                 / batch.sigma[:, None, None])
        weight = 1 / (1 + (3 * light)**2)
        level = (weight * batch.sky).sum((1, 2)) / weight.sum((1, 2))
        pull = level / batch.sky_prior_error
        # (the simulator uses one pixel in nine)
        assert 0.2 < pull.abs().median() < 0.9
        assert (pull < 0).float().mean() > 0.6
        assert batch.sky_prior.abs().max() > batch.sigma.min()

    def test_without_clutter(self):
        batch = GalaxySimulator('sdss-r', n_pix=64, clutter=False).simulate(
            3, seed=1)
        assert not batch.sky_prior.any()
        assert not batch.sky_prior_error.any()

    def test_subtraction_is_limited(self):
        # a galaxy that fills the frame does not lose its shape
        tools = draw_instruments('sdss-r', 6, make_generator())
        sigma = tools['sigma'].float()[:, None, None]
        axis = torch.arange(96) - 48.0
        light = 50 * sigma * torch.exp(-torch.hypot(
            axis[None, :], axis[:, None]) / 40)
        image = light + sigma * torch.randn(6, 96, 96,
                                            generator=make_generator(2))
        mask = torch.zeros_like(image, dtype=torch.bool)
        taken = subtract_sky(image, tools, mask, make_generator(1), share=1)
        swing = (taken - taken.mean((1, 2), keepdim=True)).abs() / sigma
        assert swing.max() < 1.001
        assert swing.max() > 0.5


class TestExtremes:
    def test_shares(self):
        tools = draw_instruments('mix', 4000, make_generator())
        for name, share in (('bright', 0.05), ('poisson', 0.03)):
            assert_allclose(tools[name].float().mean(), share, atol=0.012)
        step = tools['quantum']
        assert_allclose((step > 0).float().mean(), 0.04, atol=0.012)
        assert ((step == 0) | ((step >= 0.2) & (step <= 1.5))).all()
        plain = draw_instruments('sdss', 50, make_generator())
        assert not plain['bright'].any()
        assert not plain['poisson'].any()
        assert not plain['quantum'].any()

    def test_bright(self):
        # peaks of 1e2 to 1e5 times the noise of the sky
        tools = draw_instruments('sdss-r', 24, make_generator())
        tools['bright'] = torch.arange(24) < 16
        g = draw_galaxies(tools, 128, make_generator(3), kind='s0')
        peak = (render(g, n_pix=128)[0].frame.amax((1, 2))
                / tools['sigma'].float())[:16]
        assert peak.min() > 50
        assert peak.max() < 3e5
        assert 300 < peak.median() < 1e4

    def test_poisson(self):
        # whole numbers of electrons, of the right mean and variance
        tools = draw_instruments('sdss-r', 3, make_generator())
        tools['poisson'] = torch.ones(3, dtype=torch.bool)
        sigma = tools['sigma'].float()
        gain = tools['gain'] = 2.0 / sigma
        flux = 3 * sigma[:, None, None].expand(-1, 96, 96)
        noise, _ = add_noise(flux, tools, make_generator(1))
        assert_allclose(noise.mean((1, 2)) / sigma, 0, atol=0.08)
        assert_allclose(noise.var((1, 2)),
                        sigma**2 + flux[:, 0, 0] / gain, rtol=0.05)
        # 4 electrons of sky in a pixel
        counts = (flux + noise) * gain[:, None, None] + 4
        assert_allclose(counts, counts.round(), atol=1e-3)

    def test_quantised(self):
        tools = draw_instruments('sdss-r', 3, make_generator())
        tools['quantum'] = torch.tensor([0.0, 0.5, 1.5])
        image = torch.randn(3, 64, 64, generator=make_generator(2))
        image *= tools['sigma'].float()[:, None, None]
        before = image.clone()
        quantise(image, tools, make_generator(1))
        assert torch.equal(image[0], before[0])
        for k in (1, 2):
            step = float(tools['quantum'][k] * tools['sigma'][k])
            assert (image[k] - before[k]).abs().max() < 0.5001 * step
            shift = (image[k] / step - image[k, 0, 0] / step)
            assert_allclose(shift, shift.round(), atol=1e-3)

    def test_faint_dwarfs(self):
        g = draw_kind('dwarf', 2000, survey='lsst-r')
        tools = draw_instruments('lsst-r', 2000, make_generator())
        area = tools['pixel_scale'].float()[:, None]**2
        mean = 22.5 - 2.5 * torch.log10(
            g['flux'] / (2 * math.pi * g['r_e']**2 * area))
        assert (mean > 25).float().mean() > 0.15

    def test_frames_that_are_filled(self):
        g = draw_kind(None, 4000, n_pix=400)
        fills = g['fills']
        assert_allclose(fills.float().mean(), 0.05, atol=0.012)
        assert (g['h'][fills] * 1.6 >= 79.9).all()
        assert (g['h'][fills] * 1.6 <= 140.1).all()


class TestFrames:
    @pytest.mark.parametrize('n_pix', [
        64, 320, pytest.param(768, marks=pytest.mark.slow)])
    def test_sides(self, n_pix):
        batch = GalaxySimulator('mix', n_pix=n_pix, chunk=2).simulate(
            2, seed=4)
        assert batch.image.shape == (2, n_pix, n_pix)
        assert torch.isfinite(batch.image).all()
        assert torch.isfinite(batch.intensity).all()

    def test_sizes(self):
        # large frames are taken of large galaxies
        for n_pix in (64, 256, 768):
            r_e = draw_kind('s0', 1000, n_pix=n_pix)['r_e']
            assert r_e.min() >= 0.0119 * n_pix
            assert r_e.max() <= 0.361 * n_pix
            assert r_e.max() > 0.3 * n_pix

    def test_stars_of_large_frames(self):
        n = 20
        tools = draw_instruments('lsst-i', n, make_generator())
        counts = []
        for n_pix in (256, 768):
            grid = NestedGrid(n_pix, torch.full((n, 2), n_pix / 2))
            stars = draw_stars(tools, grid, torch.full((n, 1), 10.0),
                               make_generator(3))
            counts.append((stars['flux'] > 0).sum().item())
        assert counts[1] > 4 * counts[0]
