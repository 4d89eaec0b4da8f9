# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of light on both sides of a galaxy that networks leave out.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.inference import both_sides, captions
from astro_pix2prof.profile.flags import GalaxyFlag

OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}
SHAPE = (262, 256)
CENTRE = (127.4, 131.2)
Y, X = np.indices(SHAPE)
DX, DY = X - CENTRE[0], Y - CENTRE[1]


@pytest.fixture(scope='module', name='fitter', params=['rings', 'rings-fast'])
def make_fitter(request):
    return Pix2ProfFitter(weights=request.param)


def _polar(brightness):
    """
    Make a disc with a ring at right angles to it.
    """
    light = 60 * np.exp(-np.hypot(DX, DY / 0.5) / 8)
    polar = np.hypot(DX / 0.3, DY)
    light = light + brightness * np.exp(-0.5 * ((polar - 36) / 5)**2)
    return gaussian_filter(light, 1.3)


def _off(profile, light):
    """
    Calculate by how much rings are off (mag), and in units of their errors.
    """
    sma = profile['radius'].value / 0.4
    good = np.ones(SHAPE, bool)
    true = measure_rings(
        light, good, (profile.meta['x_centre'], profile.meta['y_centre']),
        sma, np.array(profile['ellipticity']),
        np.nan_to_num(profile['pa'].to_value('rad')), sigma=1.0).mean
    seen = (sma > 20) & (sma < 60) & (true > 0.15)
    off = 2.5 * np.log10(true[seen] / 0.4**2) - 22.5 + profile[
        'surface_brightness'].value[seen]
    return off, off / profile['surface_brightness_err'].value[seen]


@pytest.mark.parametrize('brightness', [3.0, 1.5])
def test_polar_ring(fitter, brightness, monkeypatch):
    light = _polar(brightness)
    images = [light + np.random.default_rng(seed).normal(0, 1, SHAPE)
              for seed in range(3)]

    def off(image):
        profile = fitter(image, **OPTIONS)
        flags.append(profile.meta['flag'] & (
            GalaxyFlag.NEIGHBOUR | GalaxyFlag.GEOMETRY_UNCERTAIN))
        away, pull = _off(profile, light)
        return away.max(), np.abs(pull).max()

    flags = []
    found = [off(image) for image in images]
    # (the ring is the galaxy's own, and is not along its ellipses)
    assert flags == [GalaxyFlag.GEOMETRY_UNCERTAIN] * 3
    monkeypatch.setattr(captions, 'measure_both_sides', lambda *args: None)
    before = [off(image) for image in images]
    away, pull = np.transpose(found)
    assert away.max() < 0.2
    assert pull.max() < 2.5
    assert np.min(before, 0)[0] > 0.6


def test_other_objects(fitter, monkeypatch):
    """
    Two stars on opposite sides that are not alike stay out.
    """
    light = _polar(0.0)
    stars = gaussian_filter(2500.0 * ((X == 128) & (Y == 163))
                            + 900.0 * ((X == 127) & (Y == 100)), 1.3)
    image = light + stars + np.random.default_rng(3).normal(0, 1, SHAPE)
    found = []
    measure = captions.measure_both_sides
    monkeypatch.setattr(captions, 'measure_both_sides', lambda *args: (
        found.append(measure(*args)) or found[-1]))
    profile = fitter(image, **OPTIONS)
    assert found == [None]
    assert np.abs(_off(profile, light)[0]).max() < 0.2


def _companions(number, size, away, *, unlike=0.0):
    """
    Make round galaxies around another, alike on both sides.
    """
    light = 0.0
    for k in range(number):
        angle = 0.7 + 2 * np.pi * k / number
        far = away * (1 + unlike * (k > 0))
        distance = np.hypot(DX - far * np.cos(angle), DY - far * np.sin(angle))
        part = np.exp(-1.68 * distance / size)
        light = light + part / part.sum()
    return gaussian_filter(light, 1.3)


@pytest.mark.parametrize(('number', 'size', 'unlike'), [
    (2, 3.0, 0.0), (2, 7.0, 0.0), (2, 4.0, 0.02), (4, 3.0, 0.0),
    (6, 2.0, 0.0)])
def test_companions(fitter, number, size, unlike):
    """
    Galaxies that lie alike on both sides have peaks of their own.
    """
    light = 60 * np.exp(-np.hypot(DX, DY / 0.7) / 8)
    light = gaussian_filter(light, 1.3)
    others = 0.1 * light.sum() * _companions(number, size, 34.0,
                                             unlike=unlike)
    image = light + others + np.random.default_rng(3).normal(0, 0.5, SHAPE)
    profile = fitter(image, **OPTIONS)
    assert profile.meta['flag'] & GalaxyFlag.NEIGHBOUR
    away, pull = _off(profile, light)
    assert np.abs(away).max() < 0.25
    assert np.abs(pull).max() < 3.0
    total = 22.5 - 2.5 * np.log10(light.sum())
    assert profile['mag_enclosed'].value[-1] == pytest.approx(total, abs=0.1)


def _sides(fitter, image, monkeypatch):
    """
    Measure a galaxy, and return what is said of its sides.
    """
    found = []

    def measure(*args):
        found.append(both_sides.measure_both_sides(*args))
        return found[-1]

    monkeypatch.setattr(captions, 'measure_both_sides', measure)
    profile = fitter(image, **OPTIONS)
    return found[0], profile


def test_sides(fitter, monkeypatch):
    """
    Whose the light is, and how much there is of it.
    """
    noise = np.random.default_rng(5).normal(0, 1, SHAPE)
    light = _polar(3.0)
    sides, _ = _sides(fitter, light + noise, monkeypatch)
    assert sides.is_own
    assert sides.is_much
    assert not sides.is_other
    # the light of the ring beyond its disc, over that of the disc
    disc = _polar(0.0)
    assert sides.part == pytest.approx(
        (light - disc).sum() / disc.sum(), rel=0.4)
    others = 0.1 * disc.sum() * _companions(2, 4.0, 34.0)
    sides, _ = _sides(fitter, disc + others + 0.5 * noise, monkeypatch)
    assert sides.is_other
    assert not sides.is_own


def test_neighbour_beside_polar_ring(fitter):
    """
    A third object has its flag, whosever the light on both sides is.
    """
    light = _polar(3.0)
    distance = np.hypot(DX - 40, DY - 8)
    star = 0.4 * light.sum() * np.exp(-0.5 * (distance / 3)**2) / (
        2 * np.pi * 9)
    image = light + star + np.random.default_rng(1).normal(0, 1, SHAPE)
    assert fitter(image, **OPTIONS).meta['flag'] & GalaxyFlag.NEIGHBOUR


def test_large_galaxy(monkeypatch):
    """
    Maps of large galaxies are binned, and say the same.
    """
    fitter = Pix2ProfFitter()
    noise = np.random.default_rng(5).normal(0, 1, SHAPE)
    small, _ = _sides(fitter, _polar(3.0) + noise, monkeypatch)
    large = np.kron(_polar(3.0), np.ones((4, 4)))
    image = gaussian_filter(large, 3.0)
    image = image + np.random.default_rng(5).normal(0, 2, image.shape)
    sides, profile = _sides(fitter, image, monkeypatch)
    assert sides.is_own
    assert sides.part == pytest.approx(small.part, rel=0.3)
    assert profile.meta['flag'] & GalaxyFlag.GEOMETRY_UNCERTAIN
