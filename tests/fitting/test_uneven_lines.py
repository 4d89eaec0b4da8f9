# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising rows and columns that differ from the ellipses.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting import uneven_lines
from astro_pix2prof.fitting.uneven_lines import has_uneven_line
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (130, 120)
CENTRE = (60.3, 64.8)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
COS, SIN = np.cos(np.radians(35)), np.sin(np.radians(35))
RADIUS = np.hypot((X - CENTRE[0]) * COS + (Y - CENTRE[1]) * SIN,
                  ((Y - CENTRE[1]) * COS - (X - CENTRE[0]) * SIN) / 0.6)
GALAXY = gaussian_filter(300 * np.exp(-RADIUS / 6), 1.2)


def _rings(model=GALAXY):
    sma = np.append(0.0, np.geomspace(0.8, 45, 25))
    angle = np.linspace(0, 2 * np.pi, 65)[1:]
    u, v = np.outer(sma, np.cos(angle)), 0.6 * np.outer(sma, np.sin(angle))
    light = map_coordinates(model, [CENTRE[1] + u * SIN + v * COS,
                                    CENTRE[0] + u * COS - v * SIN], order=1)
    same = np.ones(len(sma))
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma,
        light.mean(1), None, 0.4 * same, np.radians(35) * same, same,
        0 * same.astype(int), GalaxyFlag(0), CENTRE)


RINGS = _rings()


def _noisy(model, seed=0, gain=50.0):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return model + np.sqrt(1 + model / gain) * noise


def _has_line(image, mask=NONE, rings=RINGS, **options):
    return has_uneven_line(image, mask, rings, **{
        'noise': 1.0, 'gain': 50.0, **options})


@pytest.mark.parametrize('offset', [-8, -4, -1, 3])
@pytest.mark.parametrize('width', [3, 5, 8])
@pytest.mark.parametrize('part', [0.7, 0.85])
def test_lines(offset, width, part):
    first = 60 + offset
    for axis, middle in ((1, first), (0, first + 5)):
        model = GALAXY.copy()
        line = model[middle:middle + width] if axis == 0 else (
            model[:, middle:middle + width])
        line *= part
        image = _noisy(model)
        # (the fit follows the line)
        rings = _rings(model)
        assert _has_line(image, rings=rings)
        # (of any unit, and with photons that are not known)
        rings.intensity *= 1e-9
        assert _has_line(1e-9 * image, rings=rings, noise=1e-9, gain=5e10)
        assert _has_line(1e-9 * image, rings=rings, noise=1e-9, gain=None)


@pytest.mark.parametrize('width', [3, 6])
@pytest.mark.parametrize('part', [1.2, 1.5])
def test_lines_that_gained_light(width, part):
    for line in (np.s_[:, 55:55 + width], np.s_[60:60 + width]):
        model = GALAXY.copy()
        model[line] *= part
        assert _has_line(_noisy(model), rings=_rings(model))
        assert _has_line(_noisy(model), rings=_rings(model), gain=None)


@pytest.mark.parametrize('line', [np.s_[64:, 54:58], np.s_[:62, 54:60],
                                  np.s_[67:72, 62:], np.s_[60:63, :58]])
@pytest.mark.parametrize('part', [0.0, 0.5, 0.75])
def test_lines_that_end_beside_the_nucleus(line, part):
    model = GALAXY.copy()
    model[line] *= part
    assert _has_line(_noisy(model), rings=_rings(model))


@pytest.mark.parametrize('amplitude', [0.2, 0.4])
def test_half_a_bright_line_may_be_a_thin_disc(amplitude):
    more = np.zeros(SHAPE)
    more[:62, 54:60] = amplitude
    model = GALAXY * (1 + gaussian_filter(more, 1.0))
    for seed in range(4):
        assert not _has_line(_noisy(model, seed))


@pytest.mark.parametrize('seed', [6, 10, 18])
@pytest.mark.parametrize('angle', [0, 90, 0.5, 91])
def test_edge_on_discs_along_lines(seed, angle):
    """
    Bands of a disc are brighter than its ellipses by the same part all along.
    """
    rng = np.random.default_rng(seed)
    y, x = np.indices((140, 150))
    x, y = x - 75 - rng.uniform(-1, 1), y - 70 - rng.uniform(-1, 1)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    u, v = x * cos + y * sin, y * cos - x * sin
    model = np.exp(-np.hypot(u, 1.5) / rng.uniform(8, 18)) / np.cosh(
        v / rng.uniform(1.5, 4))**2
    if seed % 3 == 0:
        model += rng.uniform(0.2, 1) * np.exp(
            -np.hypot(u, v / 0.8) / rng.uniform(2, 4))
    model = gaussian_filter(rng.choice([20, 100, 500]) * model, 1.1)
    noise = np.sqrt(1 + model / rng.choice([3, 30, 300]))
    profile = Pix2ProfFitter()(model + noise * rng.normal(size=x.shape),
                               unit='nmgy', pixel_scale=0.4)
    assert not profile.meta['flag'] & GalaxyFlag.WRONG_NOISE


@pytest.mark.parametrize('seed', [3, 24, 63, 100, 149])
def test_boxy_bars_along_lines(seed):
    """
    The ellipses of a disc leave dark columns, the same on both sides.
    """
    rng = np.random.default_rng(seed)
    y, x = np.indices((140, 150))
    x, y = x - 75 - rng.uniform(-1, 1), y - 70 - rng.uniform(-1, 1)
    angle = rng.uniform(0, np.pi)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = y * np.cos(angle) - x * np.sin(angle)
    model = 60 * np.exp(-np.hypot(u, v / rng.uniform(0.5, 0.9))
                        / rng.uniform(6, 16))
    if seed % 2:
        x, y = y, x
    size, power = rng.uniform(8, 18), rng.uniform(3, 6)
    box = (np.abs(x / size)**power + np.abs(y / (
        size * rng.uniform(0.2, 0.4)))**power)**(1 / power)
    model += 60 * rng.uniform(0.5, 2) * np.exp(-0.5 * box**4)
    model = gaussian_filter(model, 1.3)
    image = model + np.sqrt(1 + model / 30) * rng.normal(size=x.shape)
    fitter = Pix2ProfFitter()
    profile = fitter(image, unit='nmgy', pixel_scale=0.4)
    assert not profile.meta['flag'] & GalaxyFlag.WRONG_NOISE


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('offset', [5, 7])
@pytest.mark.parametrize(('size', 'begin'), [
    (-0.3, -99), (0.4, -99), (-0.3, 0)])
def test_the_same_on_both_sides(monkeypatch, axis, offset, size, begin):
    # (at a sharp line the light breaks off, too)
    monkeypatch.setattr(uneven_lines, 'has_break', lambda *args, **_: False)
    found = []
    for sides in ((1,), (1, -1)):
        factor = np.ones(SHAPE)
        for side in sides:
            across, along = (side * (part - c) for part, c in zip(
                (X, Y) if axis else (Y, X),
                CENTRE if axis else CENTRE[::-1], strict=True))
            factor += size * ((np.abs(across - offset) < 2)
                              & (along > begin))
        model = GALAXY * gaussian_filter(factor, 0.8)
        found.append(_has_line(_noisy(model), rings=_rings(model)))
    assert found == [True, False]


def test_missing_pixels():
    image = _noisy(GALAXY)
    image[:, 55:60] *= 0.8
    mask = np.random.default_rng(1).random(SHAPE) < 0.01
    image[mask] = np.nan
    assert _has_line(image, mask)
    mask[:, 55:60] = True
    assert not _has_line(image, mask)


@pytest.mark.parametrize('seed', range(8))
def test_galaxies(seed):
    assert not _has_line(_noisy(GALAXY, seed))
    assert not _has_line(_noisy(GALAXY, seed), gain=None)
    # (arms, a bar, a star, a dark spot, a gradient)
    angle = np.arctan2(Y - CENTRE[1], X - CENTRE[0])
    arms = 1 + 0.3 * np.cos(2 * angle - 4 * np.log(RADIUS + 1) + seed)
    bar = 60 * np.exp(-((X - 60) / 12)**2 - ((Y - 65) / 2.5)**2)
    spot = 1 - 0.5 * np.exp(-((X - 55)**2 + (Y - 66)**2) / 8)
    star = 200 * np.exp(-((X - 66)**2 + (Y - 68)**2) / 3)
    for model in (GALAXY * arms, GALAXY + bar, GALAXY * spot,
                  GALAXY + star, GALAXY * (1 + 0.01 * X)):
        assert not _has_line(_noisy(model, seed), rings=_rings(model))


@pytest.mark.parametrize('seed', [35, 148, 164, 241])
def test_fewer_photons_than_usual(seed):
    assert not _has_line(_noisy(GALAXY, seed, gain=0.3), gain=None)


def test_needs_light():
    image = _noisy(GALAXY)
    image[:, 55:60] *= 0.8
    assert _has_line(image)
    assert not _has_line(image, noise=0.0)
    assert not _has_line(image, noise=1e3)
    assert not _has_line(image, ~NONE)
    rings = _rings()
    rings.intensity[:] = np.nan
    assert not _has_line(image, rings=rings)
    rings = _rings()
    rings.centre = (1.0, 64.0)
    assert not _has_line(image[:, 59:], NONE[:, 59:], rings)


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_fitters(fitter):
    image = _noisy(GALAXY)
    image[54:62] -= 0.12 * GALAXY[54:62]
    profile = fitter()(image, zeropoint=22.5, pixel_scale=0.4, gain=50.0)
    assert profile.meta['flag'] == GalaxyFlag.WRONG_NOISE
