# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of rings where a galaxy ends otherwise than networks expect.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.inference import captions
from astro_pix2prof.profile.flags import GalaxyFlag

SHAPE = (181, 176)
CENTRE, Q, LENGTH = (88.3, 90.6), 0.7, 8.0
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / Q)


@pytest.fixture(scope='module', name='fitter')
def make_fitter():
    return Pix2ProfFitter()


def _galaxy(end):
    """
    Make a disc, cut off or with a steep outer part beyond a radius.
    """
    disc = 60 * np.exp(-RADIUS / LENGTH)
    if end == 'cut off':
        disc = disc / (1 + np.exp((RADIUS - 28) / 2))
    elif end == 'break':
        disc = disc * np.exp(-2 * np.maximum(RADIUS - 28, 0) / LENGTH)
    return gaussian_filter(disc, 1.3)


def _faint_excess(profile, galaxy):
    """
    Calculate by how many errors (mag) seen rings are too bright at most.
    """
    radius = profile['radius'].value / 0.4
    truth = np.array([galaxy[np.abs(RADIUS / r - 1) < 0.04].mean()
                      if r > 6 else np.nan for r in radius]) / 0.4**2
    seen = (radius > 15) & (profile['intensity'] > 3 * profile[
        'intensity_err'])
    off = 2.5 * np.log10(profile['intensity'].value[seen] / truth[seen])
    return np.max(off / profile['surface_brightness_err'].value[seen],
                  initial=0.0)


@pytest.mark.parametrize('end', ['cut off', 'break'])
def test_ends(fitter, end, monkeypatch):
    galaxy = _galaxy(end)
    images = [galaxy + np.random.default_rng(seed).normal(0, 1, SHAPE)
              for seed in range(8)]
    profiles = [fitter(image, **OPTIONS) for image in images]
    assert max(_faint_excess(one, galaxy) for one in profiles) < 3
    monkeypatch.setattr(captions, 'add_steep_errors', lambda *args: None)
    before = [fitter(image, **OPTIONS) for image in images]
    assert max(_faint_excess(one, galaxy) for one in before) > 3
    for one, other in zip(profiles, before, strict=True):
        assert np.all(one['intensity'] == other['intensity'])
        assert np.all(one['intensity_err'] >= other['intensity_err'])
        # only the end of the galaxy is touched
        same = one['radius'].value / 0.4 < 20
        assert np.all(one['intensity_err'][same]
                      == other['intensity_err'][same])


@pytest.mark.parametrize('seed', range(3))
def test_discs_without_end(fitter, seed, monkeypatch):
    image = _galaxy('none') + np.random.default_rng(seed).normal(0, 1, SHAPE)
    profile = fitter(image, **OPTIONS)
    monkeypatch.setattr(captions, 'add_steep_errors', lambda *args: None)
    before = fitter(image, **OPTIONS)
    assert np.all(profile['surface_brightness_err']
                  == before['surface_brightness_err'])


def test_large_bulges(fitter, monkeypatch):
    """
    The last rings of a disc are not drawn to the slope of its bulge.
    """
    y, x = np.indices((256, 256))
    radius = np.hypot(x - 127.3, (y - 128.2) / 0.7)
    galaxy = gaussian_filter(20 * np.exp(-radius / 15) + 40 * np.exp(
        -4.667 * ((radius / 7.5)**0.4 - 1)), 1.3)
    images = [galaxy + np.random.default_rng(seed).normal(0, 1, galaxy.shape)
              for seed in range(6)]

    def excess(image):
        profile = fitter(image, **OPTIONS)
        sma = profile['radius'].value / 0.4
        outer = sma > 45
        truth = np.array([galaxy[np.abs(radius / r - 1) < 0.04].mean()
                          for r in sma[outer]]) / 0.4**2
        seen = truth > 0.07 / 0.4**2
        off = 2.5 * np.log10(profile['intensity'].value[outer] / truth)[seen]
        error = profile['surface_brightness_err'].value[outer][seen]
        return off.max(), (off / error).max()

    held, pull = np.transpose([excess(image) for image in images])
    monkeypatch.setattr(captions, 'hold_rises', lambda *args: None)
    free, free_pull = np.transpose([excess(image) for image in images])
    assert held.mean() < 0.75 * free.mean()
    assert pull.max() < 2 < free_pull.max()


def test_all_is_taken_back(fitter, monkeypatch):
    """
    Some light is left, whatever the network says.
    """
    image = _galaxy('none') + np.random.default_rng(1).normal(0, 1, SHAPE)
    before = fitter(image, **OPTIONS)
    hold = captions.hold_rises
    monkeypatch.setattr(captions, 'hold_rises', lambda rings, rise: hold(
        rings, 2 * rings.intensity * (rings.sma > 20)))
    profile = fitter(image, **OPTIONS)
    outer = profile['radius'].value / 0.4 > 20
    assert np.all(profile['intensity'][outer] > 0)
    assert np.all(profile['intensity'][outer] < before['intensity'][outer])
    assert np.all(profile['surface_brightness_err'][outer]
                  > before['surface_brightness_err'][outer])
    assert np.all(profile['intensity'][~outer] == before['intensity'][~outer])


@pytest.mark.parametrize('flag', ['SKY_UNCERTAIN', 'TRUNCATED'])
def test_sky_that_is_off(fitter, flag, monkeypatch):
    """
    What a network adds is not taken back where pixels may be too dark.
    """
    image = _galaxy('none') + np.random.default_rng(1).normal(0, 1, SHAPE)
    given = []
    monkeypatch.setattr(captions, 'hold_rises',
                        lambda rings, rise: given.append(rise))
    fitter(image, **OPTIONS)
    assert len(given) == 1
    assert (given[0] >= 0).all()
    monkeypatch.setattr(captions, 'flag_galaxy',
                        lambda *args: GalaxyFlag[flag])
    fitter(image, **OPTIONS)
    assert len(given) == 1
