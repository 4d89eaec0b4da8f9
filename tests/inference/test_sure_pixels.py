# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of galaxies that are darker at the centre, and of sharp cores.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.inference import captions
from astro_pix2prof.inference.sure_pixels import follow_sure_pixels
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag

SHAPE, CENTRE, Q = (160, 160), (79.3, 80.1), 0.7
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 1.0}
SMA = np.array([0, 0.5, 0.65, 0.82, 1.04, 1.24, 1.49, 1.79, 2.15, 2.58, 3.1,
                3.7, 4.5, 5.3, 6.4, 7.7, 9.2])
NOISE = 1 / np.sqrt(np.maximum(2 * np.pi * SMA, 1))


@pytest.fixture(scope='module', name='fitter', params=('rings', 'rings-fast'))
def make_fitter(request):
    return Pix2ProfFitter(request.param, device='cpu')


def _disc(depth, width):
    """
    Make a disc that is darker by a part at the centre.
    """
    y, x = np.indices(SHAPE)
    radius = np.hypot(x - CENTRE[0], (y - CENTRE[1]) / Q)
    disc = 100 * np.exp(-radius / 14)
    return gaussian_filter(
        disc * (1 - depth * np.exp(-0.5 * (radius / width)**2)), 1.3)


def _pulls(profile, image, width=5.0):
    """
    Calculate by how many errors rings within some pixels are off.
    """
    near = profile['radius'].value < width
    t = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    a = profile['radius'].value[near, None]
    q = 1 - np.asarray(profile['ellipticity'])[near, None]
    pa = profile['pa'].to_value('rad')[near, None]
    u, v = a * np.cos(t), a * q * np.sin(t)
    x = profile.meta['x_centre'] + u * np.cos(pa) - v * np.sin(pa)
    y = profile.meta['y_centre'] + u * np.sin(pa) + v * np.cos(pa)
    arc = np.hypot(a * np.sin(t), a * q * np.cos(t)) + 1e-9
    truth = (map_coordinates(image, [y, x], order=3) * arc).sum(1) / arc.sum(1)
    return (profile['intensity'].value[near] - truth) / profile[
        'intensity_err'].value[near]


@pytest.mark.parametrize('depth', [0.6, 0.9])
def test_dips(fitter, depth):
    """
    A galaxy that is darker at the centre is measured so.
    """
    galaxy = _disc(depth, 2.5)
    worst = []
    for seed in range(6):
        image = galaxy + np.random.default_rng(seed).normal(size=SHAPE)
        worst.append(np.abs(_pulls(fitter(image, **OPTIONS), galaxy)).max())
    assert np.median(worst) < 2
    assert max(worst) < 4


def test_other_galaxies(fitter, monkeypatch):
    """
    The centres of others stay what they are, and hardly have larger errors.
    """
    galaxy, part, moved = _disc(0, 1), [], []
    for seed in range(6):
        image = galaxy + np.random.default_rng(seed).normal(size=SHAPE)
        with monkeypatch.context() as patch:
            patch.setattr(captions, 'follow_sure_pixels', lambda *args: None)
            before = fitter(image, **OPTIONS)
        after = fitter(image, **OPTIONS)
        moved.append(np.abs(after['intensity'] / before['intensity'] - 1
                            ).max())
        part.append(np.median(after['intensity_err'][:15]
                              / before['intensity_err'][:15]))
        assert after.meta['flag'] == before.meta['flag']
    assert max(moved) < 0.02
    assert np.mean(part) < 1.1


def test_sharp_cores(fitter):
    """
    The light between the pixels of a sharp core is not known as well.
    """
    y, x = np.indices(SHAPE)

    def light(x, y):
        radius = np.sqrt((x - 79.5)**2 + ((y - 79.6) / Q)**2 + 1)
        return 50 * np.exp(-radius / 14) + 1200 * np.exp(-2.77 * (
            (x - 79.5)**2 + (y - 79.6)**2) / 1.6**2)

    worst = []
    for seed in range(4):
        image = light(x, y) + np.random.default_rng(seed).normal(size=SHAPE)
        profile = fitter(image, **OPTIONS)
        t = np.linspace(0, 2 * np.pi, 256, endpoint=False)
        a = profile['radius'].value[:18, None]
        b = a * (1 - np.asarray(profile['ellipticity'])[:18, None])
        pa = profile['pa'].to_value('rad')[:18, None]
        u, v = a * np.cos(t), b * np.sin(t)
        arc = np.hypot(a * np.sin(t), b * np.cos(t)) + 1e-9
        truth = (light(
            profile.meta['x_centre'] + u * np.cos(pa) - v * np.sin(pa),
            profile.meta['y_centre'] + u * np.sin(pa) + v * np.cos(pa))
            * arc).sum(1) / arc.sum(1)
        worst.append(np.abs((profile['intensity'].value[:18] - truth)
                            / profile['intensity_err'].value[:18]).max())
    assert max(worst) < 3


def _rings(value, error=0.2, *, flag=0, galaxy_flag=0, gain=1e9, valid=1.0,
           eps=0.3):
    value = np.full(len(SMA), float(value))
    error = np.full(len(SMA), error)
    return SimpleNamespace(
        sma=SMA, intensity=value, intensity_err=error, noise=1.0,
        sb_err=POGSON * error / value, n_valid=np.full(len(SMA), valid),
        eps=np.full(len(SMA), eps), flag=np.full(len(SMA), flag),
        galaxy_flag=galaxy_flag,
        cutout=SimpleNamespace(gain=gain))


def _means(mean, valid=1.0):
    return SimpleNamespace(
        mean=np.broadcast_to(mean, SMA.shape).astype(float), noise=NOISE,
        valid=np.full(len(SMA), valid))


def test_pixels_are_followed():
    """
    Rings are drawn to what their pixels say.
    """
    rings = _rings(50)
    follow_sure_pixels(rings, _means(35))
    assert np.allclose(rings.intensity, 35, atol=1)
    assert (rings.intensity_err > 0.3 * 14).all()
    assert np.allclose(rings.sb_err,
                       POGSON * rings.intensity_err / rings.intensity)


def test_noise():
    """
    What may be noise moves no ring.
    """
    rings = _rings(50)
    follow_sure_pixels(rings, _means(50 + 0.4 * NOISE))
    assert (rings.intensity == 50).all()
    assert np.allclose(rings.intensity_err, 0.2)
    follow_sure_pixels(rings, _means(50 + 1.5 * NOISE))
    assert (rings.intensity == 50).all()
    assert (rings.intensity_err[SMA < 5] > 0.2).all()


def test_farther_out():
    """
    Ellipses that are a little off explain more where they are flat.
    """
    round_, flat = _rings(500, eps=0), _rings(500, eps=0.8)
    for rings in (round_, flat):
        follow_sure_pixels(rings, _means(460))
    far = SMA > 6
    assert (round_.intensity[far] < 490).all()
    assert (flat.intensity[far] == 500).all()
    assert (flat.intensity[SMA < 3] < 480).all()


def test_faint_rings():
    """
    Rings that are hardly brighter than their noise stay as they are.
    """
    rings = _rings(0.5, 0.01)
    follow_sure_pixels(rings, _means(0))
    assert (rings.intensity[SMA > 6] == 0.5).all()
    assert (rings.intensity_err[SMA > 6] == 0.01).all()


def test_uncertain_sky():
    """
    Where the sky is in doubt, only the centre follows its pixels.
    """
    rings = _rings(50, galaxy_flag=GalaxyFlag.SKY_UNCERTAIN)
    follow_sure_pixels(rings, _means(35))
    assert (rings.intensity[SMA < 5] < 37).all()
    assert (rings.intensity[SMA > 6] == 50).all()


def test_one_pixel():
    """
    The pixel at the centre alone tells nothing.
    """
    rings = _rings(50)
    follow_sure_pixels(rings, _means(np.where(SMA < 0.9, 20, 50)))
    assert (rings.intensity == 50).all()
    assert rings.intensity_err[0] > 25


def test_unknown_gain():
    """
    Where the gain is not known, pixels may have the noise of photons.
    """
    rings = _rings(500)
    follow_sure_pixels(rings, _means(490))
    assert (rings.intensity == 500).all()
    known, unknown = _rings(500), _rings(500, gain=None)
    for part in (known, unknown):
        follow_sure_pixels(part, _means(480))
    assert known.intensity[4] < unknown.intensity[4]


@pytest.mark.parametrize('options', [
    {'flag': RingFlag.SATURATED}, {'valid': 0.5}])
def test_unusable(options):
    """
    Saturated rings, and those that miss pixels, stay as they are.
    """
    rings = _rings(50, **options)
    follow_sure_pixels(rings, _means(35))
    assert (rings.intensity == 50).all()
    assert (rings.intensity_err == 0.2).all()


def test_missing_means():
    """
    Rings without a mean of pixels stay as they are.
    """
    rings = _rings(50)
    follow_sure_pixels(rings, _means(np.nan, 0.0))
    assert (rings.intensity == 50).all()
    assert (rings.intensity_err == 0.2).all()


def test_neighbours():
    """
    Where others add light, pixels draw no ring up.
    """
    rings = _rings(50, galaxy_flag=GalaxyFlag.NEIGHBOUR)
    follow_sure_pixels(rings, _means(70))
    assert (rings.intensity == 50).all()
    follow_sure_pixels(rings, _means(35))
    assert (rings.intensity[SMA < 5] < 37).all()
