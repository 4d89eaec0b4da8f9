# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of light on both sides of a galaxy that networks leave out.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.inference import captions
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
        flags.append(profile.meta['flag'] & GalaxyFlag.NEIGHBOUR)
        away, pull = _off(profile, light)
        return away.max(), np.abs(pull).max()

    flags = []
    found = [off(image) for image in images]
    # (two other objects that are alike look the same)
    assert all(flags)
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
