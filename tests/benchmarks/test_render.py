# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the images on which the fitters are judged.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='render')
def fixture_render(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)

    def get(name):
        if name != 'sersic':
            pytest.importorskip('galsim')
        return import_module(f'benchmarks.render.{name}')

    return get


def of_nucleus(hdus):
    """
    Distances (pixels) of the pixels of a frame from its galaxy.
    """
    header, data = hdus[0].header, hdus[0].data
    y, x = np.indices(data.shape)
    return np.hypot(x - header['XTRUE'], y - header['YTRUE'])


def test_cases_take_turns(render):
    hard = render('hard')
    first = hard.render_hard(700, n_pix=128)[0]
    assert first.header['CASE'] == hard.HARD[0]
    again = hard.render_hard(700, n_pix=128)[0]
    np.testing.assert_array_equal(first.data, again.data)


def test_masked_star_is_beside_the_nucleus(render):
    hdus = render('hard').render_hard(5, case='masked star', n_pix=128)
    gone = ~np.isfinite(hdus[0].data)
    # a disc of radius 8 whose middle is 13 px away
    assert gone.sum() == pytest.approx(np.pi * 8**2, rel=0.1)
    nearest = of_nucleus(hdus)[gone]
    assert 4.5 < nearest.min() < 6.5
    assert nearest.mean() == pytest.approx(13.5, abs=1.0)


def test_edge_is_close_to_the_nucleus(render):
    hdus = render('hard').render_hard(6, case='edge', n_pix=128)
    gone = ~np.isfinite(hdus[0].data)
    assert 6.0 <= of_nucleus(hdus)[gone].min() < 7.5
    # the nucleus is up to 8 px from the middle
    assert 64 - 8 - 6 - 1.5 <= gone.mean() * 128 <= 64 + 8 - 6 + 1.5


def test_thin_disc_is_thin(render):
    hdus = render('hard').render_hard(7, case='thin disc', n_pix=128)
    truth = hdus['TRUTH'].data
    bright = truth['intensity'] > 3 * truth['ring_noise']
    assert truth['ellipticity'][bright].max() > 0.7


def test_sersic_has_the_law_that_it_is_named_after(render):
    hdus = render('sersic').render_sersic(3, n_pix=128)
    truth, header = hdus['TRUTH'].data, hdus[0].header
    pixel = 3600 * header['CDELT2']
    outer = ((truth['sma'] * pixel > 5 * header['FWHM'])
             & (truth['sma'] < 60))
    x = truth['sma'][outer]**(1 / header['G_N'])
    log = np.log(truth['intensity'][outer])
    assert np.corrcoef(x, log)[0, 1] < -0.999
    # what the PSF rounds becomes flat outwards, and no flatter than 0.9
    flat = truth['ellipticity'][outer]
    assert np.all(np.diff(flat) > 0)
    assert 0.85 < flat[-1] < 0.9


def test_width_of_pulls(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    pulls = import_module('benchmarks.accuracy.pulls')
    draws = np.random.default_rng(3).normal(0, 2.5, 20_000)
    assert pulls.width(draws) == pytest.approx(2.5, rel=0.03)
    assert np.isnan(pulls.width(draws[:10]))


def test_rings_within_their_errors(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    pulls = import_module('benchmarks.accuracy.pulls')
    rng = np.random.default_rng(4)
    n = 4000
    rings = {'sma': rng.uniform(0, 40, n), 'mu': rng.uniform(20, 27, n),
             'snr': rng.uniform(1, 200, n), 'eps': rng.uniform(0, 0.95, n),
             'delta': rng.normal(0, 0.1, n), 'error': np.full(n, 0.1),
             'eps_pull': rng.normal(0, 1, n), 'pa_pull': np.full(n, np.nan),
             'flag': np.zeros(n, int), 'image_flag': np.zeros(n, int)}
    # a flag takes what is far off out of the count
    rings['delta'][:40] = 0.9
    rings['flag'][:20] = 1
    found = pulls.figures_of_rings(rings)
    assert found['within_error'] == pytest.approx(0.683, abs=0.03)
    assert found['n_unflagged'] == n - 20
    assert found['beyond_3'] == pytest.approx(20 / (n - 20) + 0.0027,
                                              abs=0.002)
    assert found['eps_width'] == pytest.approx(1, abs=0.05)
    assert np.isnan(found['pa_width'])
    assert [row['name'] for row in found['bins']['radius']] == [
        '0 to 1', '1 to 4', '4 to 10', '10 to 30', '> 30']
