# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Test galaxies whose centre is beyond the search radius of an isophote fit.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from astro_pix2prof import GalaxyFlag, IsophoteFitter
from astro_pix2prof.isophote.following import follow_light

SHAPE, SCALE, SIGMA = (201, 221), 7.0, 0.02
OPTIONS = {'zeropoint': 22.5, 'pixel_scale': 0.4}


def galaxy(x0, y0, peak=1.0, scale=SCALE, q=0.7):
    y, x = np.indices(SHAPE)
    return peak * np.exp(-np.hypot(x - x0, (y - y0) / q) / scale)


def noise(seed):
    return np.random.default_rng(seed).normal(0, SIGMA, SHAPE)


def found_at(centre, galaxy, *, found=True):
    return SimpleNamespace(centre=centre, galaxy=galaxy, found=found,
                           scale=1.2)


@pytest.mark.parametrize(('centre', 'options', 'search'), [
    ((142.3, 118.4), {}, 25), ((92.0, 72.5), {}, 25),
    ((131.0, 108.0), {'position': (121, 100)}, 8)])
def test_profile_of_a_galaxy_beyond_the_search_radius(centre, options,
                                                      search):
    position = options.get('position', (110, 100))
    assert np.hypot(*np.subtract(centre, position)) > search
    image = galaxy(*centre) + noise(3)
    fit = IsophoteFitter().fit(image, **OPTIONS, **options)
    assert np.hypot(*np.subtract(fit.centre, centre)) < 0.3
    assert fit.profile.meta['flag'] == GalaxyFlag.CENTRE_OFFSET
    use = (fit.sma > 3) & (fit.sma < 21)
    true = np.exp(-fit.sma[use] / SCALE)
    assert np.abs(fit.intensity[use] / true - 1).max() < 0.06
    np.testing.assert_allclose(fit.eps[use], 0.3, atol=0.05)
    # the position changes nothing else
    known = IsophoteFitter().fit(image, **OPTIONS, position=centre)
    np.testing.assert_allclose(known.intensity[:len(fit.sma)][use],
                               fit.intensity[use], rtol=1e-3)


def test_a_search_radius_that_was_asked_for_is_kept():
    image = galaxy(142.3, 118.4) + noise(3)
    fit = IsophoteFitter(search_radius=20).fit(image, **OPTIONS)
    assert np.hypot(*np.subtract(fit.centre, (110, 100))) <= 20.01
    fit = IsophoteFitter(fit_centre=False).fit(image, **OPTIONS)
    assert fit.centre == (110, 100)


def test_a_faint_galaxy_is_not_left_for_a_bright_one_beside():
    image = galaxy(121, 100, 0.5, 5.0) + galaxy(150, 100, 4.0) + noise(5)
    fit = IsophoteFitter().fit(image, **OPTIONS, position=(120, 100))
    # (its light lies on that of the other, which draws the centre)
    assert np.hypot(*np.subtract(fit.centre, (121, 100))) < 2.5
    assert fit.profile.meta['flag'] & GalaxyFlag.NEIGHBOUR


@pytest.mark.parametrize(('faint', 'bright', 'away', 'own'), [
    (0.5, 4.0, 20.5, True), (0.46, 2.6, 15.0, False)])
def test_a_galaxy_at_the_position_is_not_left(faint, bright, away, own):
    """
    It has a peak of its own, or is brighter than the far side of the other.
    """
    image = (galaxy(121, 100, faint, 5.0) + noise(5)
             + galaxy(121 + away, 100, bright, 5.0))
    fit = IsophoteFitter().fit(image, **OPTIONS, position=(121, 100))
    off = np.hypot(*np.subtract(fit.centre, (121, 100)))
    assert off < (3 if own else 8.1)
    assert fit.profile.meta['flag'] & GalaxyFlag.NEIGHBOUR
    if not own:
        assert fit.profile.meta['flag'] & GalaxyFlag.CENTRE_UNCERTAIN


def test_what_is_followed():
    image = galaxy(150.0, 100.0)
    own = image > 0.02
    edge = (135.0, 100.0)
    peak = follow_light(image, found_at(edge, own), (110, 100), 25, SIGMA)
    assert peak == (150.0, 100.0)
    # nothing was found; a centre inside; one that is as bright as all beyond
    for found in (found_at(edge, own, found=False),
                  found_at((130.0, 100.0), own),
                  found_at((149.0, 100.0), own)):
        search = 25 if found.centre[0] < 140 else 39
        assert follow_light(image, found, (110, 100), search, SIGMA) is None
    # light that ends at the edge of the galaxy's pixels, and farther away
    # than three times the radius
    part = own & (np.indices(SHAPE)[1] < 136)
    assert follow_light(image, found_at(edge, part), (110, 100), 25,
                        SIGMA) is None
    assert follow_light(image, found_at((121.0, 100.0), own), (110, 100), 11,
                        SIGMA) is None
    # a rise that noise may be
    assert follow_light(image, found_at(edge, own), (110, 100), 25,
                        0.9) is None
