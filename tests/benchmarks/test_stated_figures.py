# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the figures of stated errors.
"""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from astro_pix2prof import GalaxyCutout, build_profile

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='stated')
def fixture_stated(monkeypatch):
    pytest.importorskip('galsim')
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.accuracy.stated')


def test_documentation_has_the_stored_figures(stated):
    out = json.loads((ROOT / 'benchmarks' / 'accuracy'
                      / 'stated.json').read_text(encoding='utf-8'))
    assert (ROOT / 'docs' / 'stated.inc').read_text(
        encoding='utf-8') == stated.make_table(out)


def test_true_structure_of_an_exponential(stated):
    sma = np.arange(181.0)
    true = np.zeros(181, dtype=[(name, float) for name in (
        'sma', 'intensity', 'ellipticity')])
    true['sma'], true['intensity'] = sma, np.exp(-sma / 12)
    true['ellipticity'] = 0.4
    flux = 2 * np.pi * 12**2 * 0.6
    found = stated.true_structure({
        'CDELT2': 0.5 / 3600, 'MAGTRUE': 22.5 - 2.5 * np.log10(flux),
        'G_TYPE': 'spiral', 'G_R_E': 1.678 * 6}, true)
    # radii are arcsec, half a pixel of the image each
    assert_allclose([found[name] for name in ('r20', 'r50', 'r80', 'r90')],
                    6 * np.array([0.8244, 1.6783, 2.9943, 3.8897]), rtol=2e-3)
    assert_allclose(found['c28'], 5 * np.log10(2.9943 / 0.8244), rtol=2e-3)

    # 0.1 nanomaggies per square arcsec
    assert_allclose(found['r25_0'], 6 * np.log(40), rtol=1e-4)

    def light(x):
        return 1 - (1 + x) * np.exp(-x)

    petrosian = brentq(lambda x: (light(1.25 * x) - light(0.8 * x)) / (
        1.25**2 - 0.8**2) - 0.2 * light(x), 1, 8)
    assert_allclose(found['r_petro'], petrosian * 6, rtol=5e-3)
    assert_allclose([found['h_disc'], found['disc_h']], 6)


def test_pulls_of_ellipses_and_radii(stated):
    sma = np.arange(181.0)
    true = np.zeros(181, dtype=[(name, float) for name in (
        'sma', 'intensity', 'ellipticity', 'theta')])
    true['sma'], true['intensity'] = sma, 50 * np.exp(-sma / 12)
    true['ellipticity'], true['theta'] = 0.4, 30.0
    cutout = GalaxyCutout(np.zeros((9, 9)), zeropoint=22.5, pixel_scale=0.5)
    profile = build_profile(
        cutout, sma[:90], true['intensity'][:90],
        0.01 * true['intensity'][:90], ellipticity=np.full(90, 0.42),
        ellipticity_err=np.full(90, 0.01), theta=np.full(90, 30.0),
        theta_err=np.full(90, 2.0))
    # as on the sky, from north
    profile['pa'] = profile['pa'] - 90 * profile['pa'].unit
    flux = 50 * 2 * np.pi * 12**2 * 0.6
    found = stated.pulls_of(profile, {
        'CDELT2': 0.5 / 3600, 'MAGTRUE': 22.5 - 2.5 * np.log10(flux),
        'G_TYPE': 'dwarf'}, true)
    assert_allclose([found['ellipticity_50'], found['ellipticity_out']], 2)
    assert_allclose([found['pa_50'], found['pa_out']], 0, atol=1e-6)
    assert abs(found['r50']) < 3
    assert 'h_disc' not in found


def test_rings_without_noise(stated):
    sma = np.arange(101.0)
    true = np.zeros(101, dtype=[(name, float) for name in (
        'sma', 'intensity')])
    true['sma'], true['intensity'] = sma, 50 * np.exp(-sma / 12)
    cutout = GalaxyCutout(np.zeros((9, 9)), zeropoint=22.5, pixel_scale=0.5)
    at = np.linspace(0.25, 120, 90)
    noisy = 50 * np.exp(-at / 12) * 1.1
    profile = build_profile(cutout, at, noisy, 0.01 * noisy,
                            ellipticity=0 * at, theta=0 * at)
    found = stated.true_rings(profile, {'CDELT2': 0.5 / 3600}, true)
    inside = at < 100
    ratio = (found['intensity'] / profile['intensity']).value
    assert_allclose(ratio[inside], 1 / 1.1, rtol=1e-4)
    # beyond the truth they stay as they are
    assert_allclose(ratio[~inside], 1)


def test_table_of_models(stated):
    figures = {'n': 40, 'width': 1.04, 'within': 0.65, 'median': 0.1}
    rows = {name: figures for name in (*stated.NAMES, *stated.FITTED)}
    out = {fitter: dict.fromkeys(stated.SURVEYS, rows)
           for fitter in stated.FITTERS}
    names = stated.MODEL_NAMES
    table = stated.make_table(out | {'models': dict.fromkeys(names, figures)})
    assert table.count('1.04 (65%)') == 4 * len(rows)
    for title in names.values():
        assert (f'    * - {title}\n      - 40\n      - 1.04\n      - 65%'
                in table)
    # without, there is one table
    assert 'Within the error' not in stated.make_table(out)


def test_parts_keep_how_they_were_made(stated):
    """
    A part that is measured anew leaves the others as they are stored.
    """
    first, second = stated.SURVEYS
    figures = {name: {'r50': {'n': 3}} for name in stated.FITTERS}
    out = stated.add_part({}, first, figures, n=60, seed=1, environment='a')
    out = stated.add_part(out, 'models', {'b_t': {'n': 2}}, seed=2,
                          environment='b')
    kept = json.loads(json.dumps(out))
    more = stated.add_part(out, second, figures, n=5, seed=3, environment='c')
    assert out == kept
    assert more['parts'] == {
        first: {'n': 60, 'seed': 1, 'environment': 'a'},
        second: {'n': 5, 'seed': 3, 'environment': 'c'},
        'models': {'seed': 2, 'environment': 'b'}}
    assert more['models'] == {'b_t': {'n': 2}}
    assert all(set(more[name]) == {first, second}
               for name in stated.FITTERS)


def test_pulls_of_dust(stated, monkeypatch):
    models = import_module('benchmarks.accuracy.stated_models')
    monkeypatch.setattr(models, 'N_DUST', 40)
    pulls = np.array([pull for _, pull in models.dust_pulls(3)])
    assert pulls.shape == (40,)
    assert 0.7 < np.sqrt(np.mean(pulls**2)) < 1.3
    assert abs(pulls.mean()) < 0.5
