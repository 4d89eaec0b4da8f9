# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of radii at and beyond the edge of the frame.
"""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
)

EPS, PA, SIDE = 0.6, 25.0, 96
CENTRE = 47.3, 48.2


@pytest.fixture(name='image', scope='module')
def make_image():
    """
    An elongated disc that the frame cuts on its major axis.
    """
    y, x = np.mgrid[:SIDE, :SIDE]
    dx, dy = x - CENTRE[0], y - CENTRE[1]
    angle = np.radians(PA)
    u = dx * np.cos(angle) + dy * np.sin(angle)
    v = (dy * np.cos(angle) - dx * np.sin(angle)) / (1 - EPS)
    image = 300 * np.exp(-np.hypot(u, v) / 14)
    return image + np.random.default_rng(4).normal(0, 0.5, image.shape)


@pytest.fixture(name='fitter', scope='module', params=['network',
                                                       'isophotes'])
def make_fitter(request):
    return (Pix2ProfFitter(device='cpu') if request.param == 'network'
            else IsophoteFitter())


OPTIONS = {'zeropoint': 25.0, 'pixel_scale': 1.0}
BEYOND = int(RingFlag.EDGE | RingFlag.FEW_PIXELS | RingFlag.EXTRAPOLATED)


def table(radii):
    return Table({'sma': np.array(radii, dtype=float),
                  'pa': np.full(len(radii), PA),
                  'ellipticity': np.full(len(radii), EPS)})


@pytest.mark.parametrize('radii', [[300], [200, 300, 400.5]])
@pytest.mark.parametrize('shape', [{}, {'ellipticity': EPS, 'pa': PA}])
def test_all_beyond(fitter, image, radii, shape):
    """
    A row for each, with flags and without a value.
    """
    profile = fitter(image, radii=radii, **shape, **OPTIONS)
    assert_allclose(profile['radius'].value, radii)
    for name in ('intensity', 'intensity_err', 'surface_brightness',
                 'surface_brightness_err', 'mag_enclosed'):
        assert np.isnan(profile[name]).all()
    assert_allclose(profile['n_valid'], 0)
    assert (profile['flag'] & BEYOND == BEYOND).all()
    # (it is seen where there are no rings)
    assert not profile.meta['flag'] & GalaxyFlag.NO_SOURCE
    assert_allclose([profile.meta['x_centre'], profile.meta['y_centre']],
                    CENTRE, atol=0.5)


def test_rows_of_a_batch(fitter, image):
    batch, = fitter.fit_many([image], radii=[200, 300], **OPTIONS)
    assert len(batch[0]) == 2
    assert np.isnan(batch[0]['intensity']).all()


def test_table_of_outskirts(image):
    """
    A galaxy is there, whatever the radii of a table of ellipses are.
    """
    fitter = IsophoteFitter()
    whole = fitter(image, ellipticity=EPS, pa=PA, **OPTIONS)
    for radii in ([200, 300], [38, 44], [5, 20, 44, 200]):
        profile = fitter(image, geometry=table(radii), **OPTIONS)
        assert_allclose(profile['radius'].value, radii)
        assert profile.meta['flag'] == whole.meta['flag']
        assert not profile.meta['flag'] & GalaxyFlag.NO_SOURCE
        there = profile['radius'].value < 100
        assert (np.isfinite(profile['intensity']) == there).all()
        assert (profile['flag'][~there] & BEYOND == BEYOND).all()
        expected = np.interp(profile['radius'].value,
                             whole['radius'].value, whole['intensity'].value)
        assert_allclose(profile['intensity'].value[there], expected[there],
                        rtol=0.02, atol=0.3)


def test_table_ends_before_it_begins(image):
    fitter = IsophoteFitter()
    match = (r'max_radius must be at least the least radius of geometry, 60 '
             r'pixels, got 20: give a larger one, or radii=')
    with pytest.raises(ValueError, match=match):
        fitter(image, geometry=table([60, 80]), max_radius=20, **OPTIONS)
    with pytest.raises(ValueError, match='max_radius must be at least'):
        IsophoteFitter(max_sma=20)(image, geometry=table([60, 80]), **OPTIONS)
    for least in (2, 10):
        # (a single ring is left)
        profile = fitter(image, geometry=table([least, 80]), max_radius=20,
                         **OPTIONS)
        assert_allclose(profile['radius'].value, [least])
        assert_allclose(profile['intensity'].value,
                        300 * np.exp(-least / 14), rtol=0.02)


def test_minor_axis_in_the_frame(fitter, image):
    """
    Beyond the corners, an elongated ring is still seen on its minor axis.
    """
    radii = np.array([30, 75, 90, 100, 180.0])
    profile = fitter(image, radii=radii, ellipticity=EPS, pa=PA, **OPTIONS)
    angle = np.linspace(0, 2 * np.pi, 20_000)
    share = []
    for sma in radii:
        u, v = sma * np.cos(angle), sma * (1 - EPS) * np.sin(angle)
        x = CENTRE[0] + u * np.cos(np.radians(PA)) - v * np.sin(np.radians(PA))
        y = CENTRE[1] + u * np.sin(np.radians(PA)) + v * np.cos(np.radians(PA))
        inside = (abs(x - 47.5) < 48) & (abs(y - 47.5) < 48)
        arc = np.hypot(np.gradient(u), np.gradient(v))
        share.append((arc * inside).sum() / arc.sum())
    assert share[3] > 0.25
    assert share[4] == 0
    assert_allclose(profile['n_valid'], share, atol=0.03)
    seen = np.array(share) > 0
    assert (np.isfinite(profile['intensity']) == seen).all()
    truth = 300 * np.exp(-radii / 14)
    off = (profile['intensity'].value - truth)[seen]
    assert (np.abs(off) < 4 * profile['intensity_err'].value[seen]).all()
    edge = (profile['flag'] & RingFlag.EDGE) > 0
    assert edge[1:].all()
