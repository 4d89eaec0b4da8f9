# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the figures that benchmarks/accuracy/run.py computes.
"""

from importlib import import_module
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import QTable

from astro_pix2prof import Evaluation, GalaxyCutout
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.table import build_profile

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)

SB_UNIT = u.mag / u.arcsec**2
N_IMAGES, N_RINGS = 4, 2000


@pytest.fixture(name='figures')
def fixture_figures(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.accuracy.figures')


@pytest.fixture(name='checks')
def fixture_checks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.accuracy.checks')


def make_evaluation(*, missing=0.0, factor=1.0, bias=0.0):
    """
    An evaluation of a fitter with photon noise, errors stated as noise
    times a factor, and the faintest rings missing.
    """
    rng = np.random.default_rng(8)
    n = N_IMAGES * N_RINGS
    mu = np.tile(np.linspace(18, 26, N_RINGS), N_IMAGES)
    snr = 10**(0.4 * (27 - mu))
    noise = POGSON / snr
    difference = rng.normal(size=n) * noise + bias
    difference[mu > 26 - 8 * missing] = np.nan
    image = np.repeat(np.arange(N_IMAGES), N_RINGS)
    runs = QTable({
        'fitter': np.full(N_IMAGES, 'f'), 'image': np.arange(N_IMAGES),
        'name': np.full(N_IMAGES, ''), 'band': ['g', 'g', 'r', 'r'],
        'type': ['dwarf', 'spiral', 'dwarf', 'spiral'],
        'seconds': np.ones(N_IMAGES) * u.s,
        'message': np.full(N_IMAGES, '')})
    rings = QTable({
        'fitter': np.full(n, 'f'), 'image': image,
        'radius': np.tile(np.arange(N_RINGS), N_IMAGES) * u.arcsec,
        'surface_brightness': mu * SB_UNIT, 'snr': snr,
        'in_snr': np.full(n, True), 'difference': difference * SB_UNIT,
        'error': factor * noise * SB_UNIT})
    return Evaluation(runs, rings)


CLASSES = [['arms'], ['arms', 'bars'], ['rest'], ['rest']]


class TestFiguresOf:
    def test_honest_errors(self, figures):
        out = figures.figures_of(make_evaluation(), CLASSES,
                                 [0, 1, 0, 1])['f']
        assert out['n_images'] == N_IMAGES
        assert out['n_rings'] == N_IMAGES * N_RINGS
        assert out['success'] == 1
        assert out['within_error'] == pytest.approx(0.683, abs=0.02)
        for row in out['reliability']:
            assert row['actual'] == pytest.approx(row['stated'], rel=0.2)
        # a normal deviate has a median absolute value of 0.6745
        for row in out['photon']:
            assert row['ratio_each'] == pytest.approx(0.6745, abs=0.05)
            assert row['ratio'] == pytest.approx(0.6745, abs=0.08)
        assert {row['name'] for row in out['coverage']['band']} == {'g', 'r'}
        assert [row['n_rings'] for row in out['coverage']['type']] == [
            2 * N_RINGS, 2 * N_RINGS]

    def test_small_errors(self, figures):
        out = figures.figures_of(make_evaluation(factor=0.5), CLASSES,
                                 range(N_IMAGES))['f']
        # within half a standard deviation
        assert out['within_error'] == pytest.approx(0.383, abs=0.02)
        for part in out['coverage'].values():
            for row in part:
                assert row['within_error'] < 0.5
        for row in out['reliability']:
            assert row['actual'] == pytest.approx(2 * row['stated'], rel=0.2)

    def test_missing(self, figures):
        out = figures.figures_of(make_evaluation(missing=0.6), CLASSES,
                                 range(N_IMAGES))['f']
        # more than half of the radii are missing: 1 mag each
        assert out['median_bright'] == 1
        assert out['success'] == 0
        assert out['n_rings'] == pytest.approx(
            0.4 * N_IMAGES * N_RINGS, rel=0.01)
        # beyond 21.2, there is nothing to take a bias of
        assert max(row['faint'] for row in out['by_surface_brightness']
                   ) == 21.5

    def test_bias(self, figures):
        out = figures.figures_of(make_evaluation(bias=0.2), CLASSES,
                                 range(N_IMAGES))['f']
        assert out['by_surface_brightness'][0]['bright'] == 17.5
        for row in out['by_surface_brightness']:
            assert row['bias'] == pytest.approx(0.2, abs=0.05)

    def test_by_class(self, figures):
        evaluation = make_evaluation()
        rows = figures.by_class(evaluation.to_table(), CLASSES, 'f')
        assert [(row['class'], row['n_images']) for row in rows] == [
            ('arms', 2), ('bars', 1), ('rest', 2)]
        median = evaluation.to_table()['median_bright'].value
        assert rows[1]['median_bright'] == median[1]
        assert rows[0]['median_bright'] == np.median(median[:2])


class TestBootstrap:
    def test_galaxies_not_images(self, figures):
        values = np.repeat(np.random.default_rng(3).normal(size=60), 3)
        galaxies = np.repeat(np.arange(60), 3)
        error = figures.bootstrap_error(values, galaxies)
        # of a median of 60 normal deviates
        assert error == pytest.approx(1.2533 / np.sqrt(60), rel=0.35)
        # images of a galaxy are no galaxies of their own
        assert error > 1.3 * figures.bootstrap_error(values, np.arange(180))

    def test_one_galaxy(self, figures):
        assert np.isnan(figures.bootstrap_error([1.0, 2.0], [0, 0]))


class TestIsophotalRadius:
    def test_crossing(self, checks):
        radius = np.arange(5.0)
        mu = np.array([20.0, 22.0, 24.0, 26.0, 28.0])
        assert checks.isophotal_radius(radius, mu, 25.0) == 2.5

    @pytest.mark.parametrize('level', [19.0, 29.0])
    def test_not_reached(self, checks, level):
        mu = np.linspace(20.0, 28.0, 5)
        assert np.isnan(checks.isophotal_radius(np.arange(5.0), mu, level))


class TestGrowthDifference:
    def test_exponential_disc(self, checks):
        n, h, q = 201, 10.0, 0.6
        y, x = np.mgrid[:n, :n] - (n - 1) / 2
        # the same ellipses for all radii, and fine pixels
        image = np.exp(-np.hypot(x, y / q) / h)
        cutout = GalaxyCutout.from_any(CCDData(image, unit=u.nmgy),
                                       pixel_scale=1.0, zeropoint=22.5)
        sma = np.concatenate([[0, 0.5], np.arange(1.0, 130.0)])
        eps, theta = np.full(len(sma), 1 - q), np.zeros(len(sma))
        intensity = np.exp(-sma / h)
        profile = build_profile(cutout, sma, intensity, 0.01 * intensity,
                                ellipticity=eps, theta=theta,
                                centre=(100.0, 100.0))
        fit = ProfileFit(profile=profile, cutout=cutout, mask=cutout.mask,
                         sky=0.0, centre=(100.0, 100.0), sma=sma, eps=eps,
                         theta=theta, intensity=intensity)
        difference = checks.growth_difference(fit, image)
        # 2 to 100 pixels: the last inside of the frame
        assert len(difference) == 99
        assert np.abs(difference[8:]).max() < 0.005
        # twice the light: half the magnitude of the curve of growth
        brighter = checks.growth_difference(fit, 2 * image)
        np.testing.assert_allclose(brighter - difference,
                                   2.5 * np.log10(2))


class TestDifferenceOf:
    def test_only_where_both_are_good(self, checks):
        cutout = GalaxyCutout.from_any(
            CCDData(np.ones((32, 32)), unit=u.nmgy), pixel_scale=1.0,
            zeropoint=22.5)

        def make(error, shift):
            sma = np.arange(1.0, 11.0)
            intensity = np.exp(-sma) * 10**(-0.4 * shift)
            return build_profile(cutout, sma, intensity, np.full(10, error),
                                 ellipticity=np.zeros(10),
                                 theta=np.zeros(10), centre=(16.0, 16.0))

        network = make(np.exp(-4.5) / 5, 0.1)
        found = checks.difference_of(network, make(1e-6, 0.0))
        np.testing.assert_allclose(found, np.full(4, 0.1))
        found = checks.difference_of(network, make(np.exp(-2.5) / 5, 0.0))
        np.testing.assert_allclose(found, np.full(2, 0.1))
