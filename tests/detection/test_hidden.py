# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of centres of galaxies whose nucleus is missing.
"""

import numpy as np
import pytest

from astro_pix2prof.detection import hidden
from astro_pix2prof.detection.hidden import (
    HiddenCentre,
    find_hidden_centre,
    fit_centre,
    missing_part,
)

CENTRE, NOISE = (58.3, 61.6), 0.03
Y, X = np.mgrid[:120, :120]
FROM = np.hypot(X - CENTRE[0], Y - CENTRE[1])


@pytest.fixture(scope='module')
def image():
    along = (X - CENTRE[0]) * np.cos(0.6) + (Y - CENTRE[1]) * np.sin(0.6)
    across = (Y - CENTRE[1]) * np.cos(0.6) - (X - CENTRE[0]) * np.sin(0.6)
    light = 3 * np.exp(-np.hypot(along, across / 0.6) / 7)
    return light + np.random.default_rng(4).normal(0, NOISE, X.shape)


# The nucleus in a core, off the middle of a large disc, in a column, and
# beyond and close to an edge.
HOLES = {
    'core': FROM < 5, 'disc': np.hypot(X - 64.3, Y - 61.6) < 12,
    'column': (X > 55) & (X < 60), 'beyond': X < 62, 'edge': X < 56.2}


@pytest.mark.parametrize('hole', HOLES)
def test_centres_lie_within_their_errors(image, hole):
    mask = HOLES[hole]
    start = CENTRE[0] + 3, CENTRE[1] - 2
    found = find_hidden_centre(np.where(mask, 0, image), mask, start, NOISE)
    apart = np.subtract(found.centre, CENTRE)
    assert np.hypot(*apart) < (2 if hole == 'beyond' else 0.5)
    assert apart @ np.linalg.solve(found.covariance, apart) < 9
    assert found.error < 2


def test_guess_that_a_hole_has_bent(image):
    mask = HOLES['disc']
    found = find_hidden_centre(np.where(mask, 0, image), mask, (50.0, 69.0),
                               NOISE, eps=0.5, theta=0.6 + np.pi / 2)
    assert np.hypot(*np.subtract(found.centre, CENTRE)) < 0.5


def test_nucleus_that_is_seen(image):
    mask = np.hypot(X - 70, Y - 66) < 8
    data = np.where(mask, 0, image)
    assert find_hidden_centre(data, mask, CENTRE, NOISE) is None
    none = np.zeros(mask.shape, bool)
    assert find_hidden_centre(image, none, CENTRE, NOISE) is None


def test_nothing_is_fitted_where_the_nucleus_is_seen(image, monkeypatch):
    """
    Fits take as long as all else; a look at the pixels says no.
    """
    def refuse(*_, **options):
        raise AssertionError

    monkeypatch.setattr(hidden, '_fit', refuse)
    mask = np.hypot(X - 70, Y - 66) < 5
    data = np.where(mask, 0, image)
    assert find_hidden_centre(data, mask, CENTRE, NOISE) is None
    # a brighter place, and a hole at the nucleus, are looked at
    for start, other in (((64.0, 61.6), mask), (CENTRE, FROM < 2)):
        with pytest.raises(AssertionError):
            find_hidden_centre(np.where(other, 0, image), other, start, NOISE)


@pytest.mark.parametrize('start', [(60.0, 59.3), (54.8, 64.0)])
def test_first_guess_was_led_off_a_nucleus_that_is_seen(image, start):
    mask = X < 53
    data = np.where(mask, 0, image)
    found = find_hidden_centre(data, mask, start, NOISE)
    assert np.hypot(*np.subtract(found.centre, CENTRE)) < 0.3
    # a brighter object elsewhere is no nucleus
    far = CENTRE[0] + 10, CENTRE[1] + 9
    assert find_hidden_centre(data, mask, far, NOISE) is None


def test_bright_first_guess_is_kept(image):
    mask = X < 53
    # the light is lopsided: the nucleus is not the middle of the isophotes
    knot = 4 * np.exp(-0.5 * np.hypot(X - 61, Y - 61)**2 / 1.2**2)
    data = np.where(mask, 0, image + knot)
    assert find_hidden_centre(data, mask, (61.0, 61.0), NOISE) is None


def test_other_objects_are_ignored(image):
    star = np.hypot(X - 75, Y - 70) < 5
    data = image + np.where(star, 2.0, 0.0)
    found = fit_centre(data, HOLES['core'], CENTRE, NOISE, ignore=star)
    assert np.hypot(*np.subtract(found.centre, CENTRE)) < 0.1


def test_too_few_pixels(image):
    mask = np.ones(image.shape, bool)
    mask[::20, ::20] = False
    assert find_hidden_centre(image, mask, CENTRE, NOISE) is None


def test_missing_part_counts_what_lies_beyond_the_frame():
    mask = np.zeros((40, 40), bool)
    assert missing_part(mask, (20.0, 20.0), 5) == 0
    assert missing_part(mask, (-0.5, 20.0), 5) == pytest.approx(0.5, abs=0.1)
    assert missing_part(mask, (-20.0, 20.0), 5) == 1
    mask[20, 20] = True
    assert 0 < missing_part(mask, (20.0, 20.0), 5) < 0.02


def test_shifted_centres_have_the_covariance():
    covariance = np.array([[4.0, 1.0], [1.0, 2.0]])
    found = HiddenCentre((10.0, 20.0), covariance)
    moves = np.subtract(found.shifted(), found.centre)
    np.testing.assert_allclose(moves[0], -moves[1])
    np.testing.assert_allclose(0.5 * moves.T @ moves, covariance)
    assert found.error == pytest.approx(np.sqrt(3 + np.sqrt(2)))
