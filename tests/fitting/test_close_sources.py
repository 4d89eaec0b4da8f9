# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising stars beside a nucleus, alone and in both fitters.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.close_sources import (
    find_close_source,
    has_close_source,
)

SHAPE = (120, 110)
CENTRE = (54.3, 60.8)
NONE = np.zeros(SHAPE, bool)
Y, X = np.mgrid[:SHAPE[0], :SHAPE[1]]
FWHM = 3.0


def _exponential(peak, scale, q=0.7, angle=35.0, dx=0.0, dy=0.0):
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = X - CENTRE[0] - dx, Y - CENTRE[1] - dy
    return peak * np.exp(-np.hypot(
        x * cos + y * sin, (y * cos - x * sin) / q) / scale)


def _image(*parts, seed=0, gain=30.0):
    model = gaussian_filter(sum(parts), FWHM / 2.355)
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return model + np.sqrt(1 + np.maximum(model, 0) / gain) * noise


def _star(peak, angle, away=1.4 * FWHM):
    """
    A Moffat function, which has more light in its wings than the templates.
    """
    x = X - CENTRE[0] - away * np.cos(angle)
    y = Y - CENTRE[1] - away * np.sin(angle)
    width = 0.5 * FWHM / np.sqrt(2**(1 / 3.5) - 1)
    return peak * (1 + (x**2 + y**2) / width**2)**-3.5


GALAXY = _exponential(400, 2.0), _exponential(60, 9.0)


@pytest.mark.parametrize('away', [1.1, 1.4, 1.7])
@pytest.mark.parametrize('part', [0.35, 0.8, 1.5])
def test_star(part, away):
    for seed, angle in enumerate([0.4, 2.2, 4.5]):
        image = _image(*GALAXY, seed=seed)
        image += _star(part * image.max(), angle, away * FWHM)
        # (a fit is centred between the two)
        moved = 0.3 * away
        centre = (CENTRE[0] + moved * np.cos(angle),
                  CENTRE[1] + moved * np.sin(angle))
        assert has_close_source(image, NONE, centre, noise=1.0, gain=30.0)
        assert has_close_source(1e-25 * image, NONE, centre, noise=1e-25)


@pytest.mark.parametrize(('fwhm', 'away', 'part'), [
    (5.5, 4.4, 0.3), (5.0, 7.2, 0.3), (4.3, 3.7, 0.15), (3.1, 6.5, 0.3),
    (5.9, 4.2, 0.8)])
def test_wide_and_far_star(fwhm, away, part):
    """
    Wide stars, faint ones, and those at the edge of the core.
    """
    cos, sin = np.cos(0.6), np.sin(0.6)
    for seed, angle in enumerate([0.4, 2.2, 4.5]):
        radius = np.hypot(cos * (X - CENTRE[0]) + sin * (Y - CENTRE[1]), (
            cos * (Y - CENTRE[1]) - sin * (X - CENTRE[0])) / 0.7)
        image = gaussian_filter(3e5 * np.exp(
            -7 * (1 + radius / 12)**0.33), fwhm / 2.355)
        noise = np.random.default_rng(seed).normal(size=SHAPE)
        image *= 300 / image.max()
        assert not has_close_source(image + noise, NONE, CENTRE, noise=1.0)
        x, y = (X - CENTRE[0] - away * np.cos(angle),
                Y - CENTRE[1] - away * np.sin(angle))
        star = 300 * part * np.exp(-4 * np.log(2) * (x**2 + y**2) / fwhm**2)
        # (the centre is that of the light)
        moved = min(0.3 * part * away * fwhm / (away + fwhm), 0.5)
        centre = (CENTRE[0] + moved * np.cos(angle),
                  CENTRE[1] + moved * np.sin(angle))
        found = find_close_source(image + star + noise, NONE, centre,
                                  noise=1.0)
        assert np.hypot(found.x - away * np.cos(angle),
                        found.y - away * np.sin(angle)) < 1.2
        assert has_close_source(image + star + noise, NONE, centre,
                                noise=1.0)


def test_noise_explains_nothing():
    """
    The part that a source explains is that of what noise leaves.
    """
    image = _image(*GALAXY)
    image += _star(0.8 * image.max(), 2.2)
    faint = 0.1 * image + np.random.default_rng(3).normal(size=SHAPE)
    found = find_close_source(faint, NONE, CENTRE, noise=1.0)
    assert found.significance < 30
    assert found.explained > 0.95


def test_lopsided_disc():
    """
    What looks like a source is the brighter side: the disc is off-centre.
    """
    for seed in range(4):
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        x, y = X - CENTRE[0], Y - CENTRE[1]
        side = (x * np.cos(angle) + y * np.sin(angle)) / np.hypot(
            np.hypot(x, y), 5)
        image = _image(_exponential(60, 9.0, 0.9) * (1 + 0.4 * side),
                       seed=seed)
        found = find_close_source(image, NONE, CENTRE, noise=1.0)
        assert np.hypot(*found.shift) > 2
        assert not has_close_source(image, NONE, CENTRE, noise=1.0)
    image = _image(*GALAXY)
    image += _star(0.3 * image.max(), 2.2)
    found = find_close_source(image, NONE, (CENTRE[0] - 0.4, CENTRE[1] + 0.3),
                              noise=1.0)
    np.testing.assert_allclose(found.shift, (0.4, -0.3), atol=0.1)


def test_place():
    image = _image(*GALAXY)
    image += _star(0.8 * image.max(), 2.2)
    found = find_close_source(image, NONE, CENTRE, noise=1.0)
    assert abs(np.arctan2(found.y, found.x) - 2.2) < 0.2
    assert abs(np.hypot(found.x, found.y) - 1.4 * FWHM) < 0.8
    assert found.significance > 20
    assert found.explained > 0.9


def test_masked_star():
    image = _image(*GALAXY)
    image += _star(0.5 * image.max(), 2.2)
    mask = np.hypot(X - CENTRE[0] - 1.4 * FWHM * np.cos(2.2),
                    Y - CENTRE[1] - 1.4 * FWHM * np.sin(2.2)) < 3
    image[mask] = np.nan
    assert not has_close_source(image, mask, CENTRE, noise=1.0)


@pytest.mark.parametrize('q', [0.15, 0.5, 0.9])
def test_own_structure(q):
    """
    Thin discs, bulges beside the middle of their disc, and lopsided discs.
    """
    for seed in range(4):
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        x, y = X - CENTRE[0], Y - CENTRE[1]
        side = (x * np.cos(angle) + y * np.sin(angle)) / np.hypot(
            np.hypot(x, y), 5)
        disc = _exponential(60, 9.0, q)
        for parts in ((*GALAXY[:1], disc),
                      (_exponential(400, 2.0, dx=1.5), disc),
                      (*GALAXY[:1], disc * (1 + 0.4 * side)),
                      (disc * (1 + 0.4 * side),),
                      (_exponential(150, 5.0, 0.3, 80), disc)):
            image = _image(*parts, seed=seed)
            for centre in (CENTRE, (CENTRE[0] + 0.3, CENTRE[1] - 0.2)):
                assert not has_close_source(image, NONE, centre, noise=1.0)


def test_noise():
    for seed in range(20):
        image = _image(0 * X, seed=seed)
        assert not has_close_source(image, NONE, CENTRE, noise=1.0)


def test_edges():
    image = _image(*GALAXY)
    for centre in ((0.0, 0.0), (3.0, 60.0), (-30.0, 400.0)):
        assert not has_close_source(image, NONE, centre, noise=1.0)
    assert not has_close_source(image, NONE, CENTRE, noise=0.0)
    assert not has_close_source(image, ~NONE, CENTRE, noise=1.0)
    assert not has_close_source(image[:3, :3], NONE[:3, :3], (1, 1),
                                noise=1.0)


@pytest.fixture(scope='module', params=[Pix2ProfFitter, IsophoteFitter])
def fitter(request):
    return request.param()


def _flag(fitter, image):
    profile = fitter.fit(image, zeropoint=25, pixel_scale=0.4).profile
    return profile.meta['flag']


def test_flag(fitter):
    image = _image(*GALAXY, seed=5)
    assert not _flag(fitter, image) & GalaxyFlag.NEIGHBOUR
    image += _star(0.5 * image.max(), 1.0)
    assert _flag(fitter, image) & GalaxyFlag.NEIGHBOUR


@pytest.mark.parametrize('part', [0.7, 1.0, 1.4])
def test_flag_of_bright_star(fitter, part):
    """
    The isophote fit may be centred between star and nucleus.
    """
    image = _image(*GALAXY, seed=5)
    image += _star(part * image.max(), 1.0)
    flag = _flag(fitter, image)
    assert flag & (GalaxyFlag.NEIGHBOUR | GalaxyFlag.CENTRE_UNCERTAIN)
    if isinstance(fitter, Pix2ProfFitter):
        assert flag & GalaxyFlag.NEIGHBOUR
