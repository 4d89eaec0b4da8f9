# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the benchmark on real galaxies.
"""

from importlib import import_module
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, IsophoteFitter, load_example
from astro_pix2prof.profile.table import build_profile

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='real')
def fixture_real(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.real.network')


@pytest.fixture(name='fit', scope='module')
def fixture_fit():
    return IsophoteFitter().fit(load_example())


class TestDescribe:
    def test_same(self, real, fit):
        row = real.describe(fit, fit.profile)
        assert row['n_rings'] > 10
        assert_allclose([row['median'], row['median_abs'], row['centre'],
                         row['ellipticity'], row['outer']['difference']], 0,
                        atol=1e-9)
        assert_allclose([row['outer']['sky'], row['outer']['ellipses']], 0,
                        atol=0.01)
        assert row['network'] == row['isophotes']

    def test_sky(self, real, fit):
        # a higher sky makes the isophotes fainter: the network is brighter
        rings = np.flatnonzero(fit.sma > 0.5 * fit.sma[-1])[:5]
        step = 0.2 * fit.intensity[rings].min()
        isophotes = fit.profile.copy()
        isophotes.meta['sky'] += step
        row = real.explain(fit, isophotes, rings)
        assert_allclose(row['sky'], 2.5 * np.log10(1 - np.median(
            step / fit.intensity[rings])), atol=0.05)
        assert_allclose(row['ellipses'], 0, atol=0.02)

    def test_ellipses(self, real, fit):
        isophotes = fit.profile.copy()
        isophotes['ellipticity'] *= 0.3
        rings = np.flatnonzero((fit.sma > 5) & (fit.eps > 0.2))[:10]
        assert rings.size
        row = real.explain(fit, isophotes, rings)
        assert_allclose(row['sky'], 0, atol=1e-9)
        # rounder ellipses cross fainter pixels
        assert row['ellipses'] < -0.05


def test_tables(real, fit):
    row = real.describe(fit, fit.profile)
    lines = real.make_tables({'NGC 1': {'r': row}},
                             {'name': 'rings', 'sha256': 'abcdef' * 4}, 0.2)
    assert '    * - NGC 1' in lines
    assert f'      - {row["n_rings"]}' in lines
    assert 'abcdefabcdef)' in lines[-1]
    assert not any('IRAF' in line for line in lines)


def test_no_galaxies(real, tmp_path, capsys):
    real.main(['--data', str(tmp_path), '--out', str(tmp_path / 'out')])
    assert capsys.readouterr().out.startswith('skipped: none of the')
    assert not (tmp_path / 'out').exists()


def test_pair(real, real_data):
    images = {image[1]: image for image in real.real_images(real_data)
              if image[0] == 'J0356-3029'}
    assert list(images) == ['g', 'r', 'z']
    _, _, path, options, _ = images['r']
    cutout = GalaxyCutout.from_any(path, **options)
    assert cutout.psf_fwhm == 0.96
    # the errors are those of the file's inverse variances
    assert cutout.noise.shape == cutout.shape
    assert_allclose(np.median(cutout.noise), cutout.background_noise,
                    rtol=0.2)


def test_iraf(real, real_data):
    # the IRAF profile itself, as a profile of the package, is right
    cutout = GalaxyCutout.from_any(
        real_data / real.TABLES['M51'][0], **real.TABLES['M51'][2])
    sma, intensity = real.read_table('M51', real_data)
    good = intensity > 0
    none = np.zeros(good.sum())
    profile = build_profile(cutout, sma[good], intensity[good], none,
                            ellipticity=none, theta=none)
    row = real.against_iraf('M51', real_data, cutout, profile, 60 * u.arcsec)
    assert row['n'] > 20
    assert_allclose([row['median'], row['median_abs']], 0, atol=1e-6)
