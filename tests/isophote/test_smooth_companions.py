# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising faint, smooth companions of galaxies.
"""

import numpy as np
import pytest

from astro_pix2prof import GalaxyFlag, IsophoteFitter
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.isophote.companions import has_companion
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (150, 140)
CENTRE = (70.3, 74.8)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
SMA = np.append(0.0, np.geomspace(0.8, 60, 36))
LEVELS = 30 * np.exp(-SMA / 9)


def _light(x=CENTRE[0], y=CENTRE[1], *, peak=30.0, scale=9.0, q=0.7):
    along, across = (X - x) * 0.8 + (Y - y) * 0.6, (
        (Y - y) * 0.8 - (X - x) * 0.6) / q
    return peak * np.exp(-np.hypot(along, across) / scale)


def _companion(angle, *, away=22.0, peak=2.0, width=8.0):
    return peak * np.exp(-0.5 * (
        (X - CENTRE[0] - away * np.cos(angle))**2
        + (Y - CENTRE[1] - away * np.sin(angle))**2) / width**2)


def _noise(seed):
    return np.random.default_rng(seed).normal(size=SHAPE)


def _has(image, mask=NONE, *, noise=1.0, **values):
    same = np.ones(len(SMA))
    rings = MeasuredRings(
        GalaxyCutout(image, unit='nmgy', pixel_scale=0.4), SMA,
        **{'intensity': LEVELS, 'intensity_err': 0.1 * same,
           'eps': 0.3 * same, 'theta': np.arctan2(0.6, 0.8) * same,
           'n_valid': same, 'flag': 0 * same.astype(int),
           'galaxy_flag': GalaxyFlag(0), 'centre': CENTRE, 'noise': noise,
           **values})
    return has_companion(image, mask, rings, noise=noise)


@pytest.mark.parametrize('angle', np.arange(0.2, 6.2, 0.6))
def test_companions_fainter_than_noise(angle):
    light = _light() + _companion(angle)
    for seed in range(3):
        assert _has(light + _noise(seed))


def test_galaxies_without_companions():
    for seed in range(60):
        assert not _has(_light() + _noise(seed))


def test_companions_on_both_sides_are_the_galaxy():
    light = _light() + _companion(0.5) + _companion(0.5 + np.pi)
    for seed in range(5):
        assert not _has(light + _noise(seed))


def test_a_centre_that_is_off_is_no_companion():
    for seed in range(5):
        image = _light(CENTRE[0] + 0.4, CENTRE[1] - 0.3) + _noise(seed)
        assert not _has(image)


@pytest.mark.parametrize('angle', [0.4, 2.0, 4.1])
def test_a_tilted_sky_is_no_companion(angle):
    tilt = ((X - CENTRE[0]) * np.cos(angle)
            + (Y - CENTRE[1]) * np.sin(angle)) / 70
    for seed in range(5):
        assert not _has(_light() + tilt + _noise(seed))


def test_little_light_and_what_does_not_change_the_profile():
    # (clear at once, and a hundredth of the galaxy)
    small = _companion(1.0, away=12, peak=4.0, width=2.0)
    assert small.sum() < 0.02 * _light().sum()
    for seed in range(3):
        assert not _has(_light() + small + _noise(seed))
    # (the same companion beside a galaxy that is ten times as bright)
    for seed in range(3):
        assert not _has(10 * _light() + _companion(1.0) + _noise(seed),
                        intensity=10 * LEVELS)


def test_evidence_is_weighed_by_noise():
    image = _light() + _companion(1.0) + _noise(0)
    assert _has(image)
    assert not _has(image, noise=4.0)
    assert not _has(image, noise_correlation=4.0)


def test_masked_pixels_do_not_count():
    image = _light() + _companion(1.0) + _noise(0)
    image[85:95, 75:90] = np.nan
    mask = ~np.isfinite(image)
    assert _has(image, mask)
    # (a fit that has masked the companion has it not in its profile)
    away = _companion(1.0) > 0.05
    assert not _has(image, mask | away)
    assert not _has(image, ~NONE)


def test_nothing_to_look_at():
    image = _light() + _companion(1.0) + _noise(0)
    assert not _has(image, noise=0.0)
    assert not _has(image, centre=(400.0, -300.0))
    assert not _has(image, intensity_err=LEVELS)
    assert not _has(image, eps=np.full(len(SMA), np.nan))
    assert not _has(image, intensity_err=np.where(SMA > 6, 1e3, 0.1))


def test_isophote_fits():
    fit = IsophoteFitter()
    galaxy = _light(scale=10, q=0.8)
    companion = _companion(1.0, peak=2.3)
    assert 0.04 < companion.sum() / galaxy.sum() < 0.1
    told = [bool(fit(galaxy + more + _noise(seed), unit='nmgy',
                     pixel_scale=0.4).meta['flag'] & GalaxyFlag.NEIGHBOUR)
            for more in (companion, 0) for seed in range(3)]
    assert told == [True, True, True, False, False, False]
