# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising cores that break off more sharply than galaxies do.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from astro_pix2prof import (
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
)
from astro_pix2prof.fitting.cut_tops import find_cut_top
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (150, 140)
CENTRE = (70.3, 74.8)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
COS, SIN = np.cos(np.radians(35)), np.sin(np.radians(35))
RADIUS = np.hypot((X - CENTRE[0]) * COS + (Y - CENTRE[1]) * SIN,
                  ((Y - CENTRE[1]) * COS - (X - CENTRE[0]) * SIN) / 0.7)
SMA = np.append(0.0, np.geomspace(0.8, 65, 40))


def _galaxy(peak, r_e=9, n=1.5, blur=1.2):
    light = gaussian_filter(np.exp(-3 * (RADIUS / r_e)**(1 / n)), blur)
    return light * (peak / light.max())


def _noise(seed, size=1.0):
    return size * np.random.default_rng(seed).normal(size=SHAPE)


def _rings(image, **values):
    same = np.ones(len(SMA))
    near = np.abs(RADIUS[None] - SMA[:, None, None]) < 1.0
    return MeasuredRings(
        GalaxyCutout(image, unit='nmgy', pixel_scale=0.4), SMA,
        np.array([image[ring].mean() for ring in near]), None,
        **{'eps': 0.3 * same, 'theta': np.radians(35) * same,
           'n_valid': same, 'flag': 0 * same.astype(int),
           'galaxy_flag': GalaxyFlag(0), 'centre': CENTRE, 'noise': 1.0,
           **values})


def _find(image, mask=NONE, **values):
    return find_cut_top(image, mask, _rings(image, **values))


@pytest.mark.parametrize(('level', 'peak'), [(8, 60), (15, 60), (60, 200)])
def test_tops_as_noisy_as_the_sky(level, peak):
    light = _galaxy(peak)
    cut = light > level
    for seed in range(5):
        found = _find(np.minimum(light, level) + _noise(seed))
        assert found[75, 70]
        inside = np.count_nonzero(found & cut)
        assert inside > 0.75 * np.count_nonzero(cut)
        assert inside > 0.85 * np.count_nonzero(found)


def test_resampled_tops_that_scatter():
    light = _galaxy(600)
    for seed in range(5):
        image = light + _noise(seed)
        top = 150 * (1 + _noise(seed + 50, 0.04))
        image = np.where(image > 150, top, image)
        found = _find(shift(image, (0.3, 0.4), order=1, mode='nearest'),
                      centre=(CENTRE[0] + 0.4, CENTRE[1] + 0.3))
        assert found[75, 70]


@pytest.mark.parametrize('peak', [15, 100, 1000])
@pytest.mark.parametrize('n', [0.25, 0.4, 0.7, 1, 4])
def test_galaxies(n, peak):
    light = _galaxy(peak, n=n, r_e=14)
    for seed in range(3):
        assert _find(light + _noise(seed)) is None


@pytest.mark.parametrize('sharpness', [1.5, 3, 5])
@pytest.mark.parametrize('radius', [4, 9])
def test_cores_of_galaxies(radius, sharpness):
    """
    A core of no slope bends over a part of its radius.
    """
    light = gaussian_filter(
        (1 + (RADIUS / radius)**sharpness)**(-2 / sharpness), 1.0)
    for seed in range(3):
        for peak in (20, 300):
            assert _find(light * peak + _noise(seed)) is None


def test_evidence_is_weighed_by_noise():
    image = np.minimum(_galaxy(60), 15) + _noise(0)
    assert _find(image) is not None
    # (as if the pixels told as much as a sixteenth of them)
    assert _find(image, noise_correlation=4.0) is None


def test_masked_pixels_do_not_count():
    image = np.minimum(_galaxy(60), 15) + _noise(0)
    image[70:76, 70] = 1e6
    mask = NONE.copy()
    mask[70:76, 70] = True
    rings = _rings(np.where(mask, 15, image))
    assert find_cut_top(image, mask, rings)[75, 67]
    assert find_cut_top(image, ~NONE, rings) is None


def test_nothing_to_look_at():
    image = np.minimum(_galaxy(60), 15) + _noise(0)
    assert _find(image, noise=0.0) is None
    assert _find(image, eps=np.full(len(SMA), np.nan)) is None
    rings = _rings(image)
    rings.intensity = np.full(len(SMA), np.nan)
    assert find_cut_top(image, NONE, rings) is None
    assert _find(image, centre=(500.0, -300.0)) is None


@pytest.mark.parametrize('fitter', [
    Pix2ProfFitter(), Pix2ProfFitter('rings-fast'), IsophoteFitter()])
def test_fitters(fitter):
    light = _galaxy(60)
    image = np.minimum(light, 15) + _noise(3)
    profile = fitter(image, unit='nmgy', pixel_scale=0.4)
    assert profile.meta['flag'] & GalaxyFlag.SATURATED
    full = (profile['flag'] & RingFlag.SATURATED) > 0
    assert full[profile['radius'].value < 0.4 * 5].all()
    assert not full[profile['radius'].value > 0.4 * 12].any()
    # few rings do not tell it by themselves
    few = fitter(image, unit='nmgy', pixel_scale=0.4,
                 radii=np.array([0.0, 1.0, 3.0, 8.0]))
    assert few.meta['flag'] & GalaxyFlag.SATURATED
    assert ((few['flag'] & RingFlag.SATURATED) > 0).tolist() == [
        True, True, True, False]
    profile = fitter(light + _noise(3), unit='nmgy', pixel_scale=0.4)
    assert not profile.meta['flag'] & GalaxyFlag.SATURATED
