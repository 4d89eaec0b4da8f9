# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the scripts that train on a GPU, compare weights, and degrade images.
"""

import json
from importlib import import_module
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
import torch
from astropy.table import QTable

import astro_pix2prof
from astro_pix2prof.networks.weights import load_network
from astro_pix2prof.training import read_recipe

ROOT = Path(astro_pix2prof.__file__).parents[1]
SMALL = {'channels': 8, 'channels_find': 8, 'hidden': 8, 'looks': 2}


@pytest.fixture(name='load')
def fixture_load(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: import_module(f'benchmarks.{name}')


def make_parts(first, n):
    """
    Galaxies whose values are their numbers.
    """
    number = np.arange(first, first + n, dtype=np.float32)
    image = number[:, None, None] * np.ones((n, 8, 8), dtype=np.float32)
    rows = number[:, None] * np.ones((n, 5), dtype=np.float32)
    return {**dict.fromkeys(('image', 'others', 'sky'), image),
            'mask': image < 0, **dict.fromkeys((
                'sigma', 'end', 'pixel_area', 'sky_error'), number),
            **dict.fromkeys(('intensity', 'ring_noise', 'e1', 'e2'), rows),
            'centre': rows[:, :2], 'kind': number.astype(np.int64)}


def test_pool(load):
    """
    The newest galaxies are there, the others gave way.
    """
    pool = load('training.pooled').Pool(10, 'cpu')
    for first in range(0, 32, 8):
        pool.add(np.arange(5.0, dtype=np.float32), make_parts(first, 8))
    assert (pool.n, pool.made) == (10, 32)
    views = pool.draw(200, torch.Generator().manual_seed(1))
    assert set(views.sigma.tolist()) == set(range(22, 32))
    assert torch.equal(views.image[:, 0, 0], views.sigma)
    assert torch.equal(views.kind.float(), views.sigma)
    assert views.mask.dtype == torch.bool


@pytest.mark.slow
def test_train_and_finish(load, tmp_path):
    """
    A run of a fraction of a minute leaves weights that can be loaded.
    """
    pytest.importorskip('lightning')
    pooled, finish = load('training.pooled'), load('training.finish')
    recipe = read_recipe('rings', name='tiny', network=SMALL, data={
        'survey': 'sdss-r', 'n_pix': [64], 'batch_size': [4],
        'validation': 12}, training={'start': ''})
    plan = pooled.Plan([64], [1.0], [4], [32])
    pooled.train_pooled(recipe, plan, tmp_path, minutes=0.6, fall=0.5,
                        workers=1, device='cpu')
    state = torch.load(tmp_path / 'average.pt', weights_only=True)
    assert state['step'] > 0
    assert state['presentations'] == 4 * state['step']
    path = finish.finish(tmp_path / 'average.pt', recipe, tmp_path, {
        'presentations': 7, 'learning_curve': {'rows': []}})
    network, card = load_network(path)
    assert card['presentations'] == 7
    assert card['learning_curve']['rows'][0][0] == 7
    assert card['error_model']['factor']
    for name, value in network.state_dict().items():
        if not name.startswith('domain'):
            torch.testing.assert_close(
                value, state['average'][name], atol=1e-2, rtol=1e-2)


def make_profile(mag, error=0.02):
    mag = np.asarray(mag, dtype=float)
    profile = QTable({
        'radius': np.arange(len(mag)) * u.arcsec,
        'surface_brightness': mag * u.mag / u.arcsec**2,
        'surface_brightness_err': np.full(len(mag), error) * u.mag
        / u.arcsec**2,
        'intensity': 10**(-0.4 * (mag - 22.5)) * u.nmgy / u.arcsec**2})
    profile['intensity_err'] = profile['intensity'] * np.where(
        np.arange(len(mag)) < 8, error, 1.0)
    profile.meta['flag'] = 64
    return profile


def test_compare(load):
    compare = load('real.noisier').compare
    known = make_profile(np.linspace(20, 25, 10))
    # (of ten rings, two are noise and two lie inside)
    found = compare(make_profile(np.linspace(20, 25, 10) + [
        *[0.0] * 5, 0.01, 0.03, 0.05, 9, 9]), known, 2.0)
    assert found['n'] == 6
    assert found['within'] == pytest.approx(4 / 6)
    assert found['bias'] == pytest.approx(0.005)
    assert found['largest'] == pytest.approx(0.05)
    assert found['flag'] == 64


def test_variants(load, tmp_path, monkeypatch):
    variants = load('accuracy.variants')
    figures = [{'weights': {'name': name}, 'sets': {'sdss': {
        'title': 'SDSS', 'fitters': {'Pix2ProfFitter': {
            'median_bright': value, 'p90_bright': 0.1, 'median': 0.05,
            'p90': 0.2}}}}} for name, value in (('a', 0.0321), ('b', None))]
    assert json.loads(json.dumps(figures)) == figures
    path = tmp_path / 'variants.inc'
    variants.write_table(figures, ['``a``', '``b``'], [0.01, 0.004], path)
    text = path.read_text()
    assert '- 1.00\n      - 0.40' in text
    assert '- 0.032 (0.100)\n      - - (0.100)' in text
    # (the benchmark takes more, for its last digits)
    monkeypatch.setattr(variants, '_BATCH', 1)
    monkeypatch.setattr(variants, '_TIMES', 2)
    first, second = variants.time_networks(['rings', 'rings-fast'])
    assert 0 < second < first


def test_truth_between_radii(load):
    """
    The truth at other radii is right to a thousandth of a mag.
    """
    interpolate = load('accuracy.pulls').interpolate_truth
    sma, at = np.arange(30.0), np.linspace(0, 35, 200)

    def mu(r):
        # a core of two pixels, as a point-spread function makes it
        return 20 + 2.5 * 3 * np.log10(1 + (r / 3)**2)

    found = interpolate(sma, mu(sma), at)
    inside = at <= 29
    np.testing.assert_allclose(found[inside], mu(at[inside]), atol=2e-3)
    assert np.abs(np.interp(at, sma, mu(sma)) - mu(at))[inside].max() > 0.02
    assert np.isnan(found[~inside]).all()
    cut = mu(sma)
    cut[12:] = np.nan
    assert np.isnan(interpolate(sma, cut, np.array([11.5]))).all()
    assert np.isnan(interpolate(sma[:3], cut[:3], at)).all()
