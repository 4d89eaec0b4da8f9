# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of centres of galaxies whose nucleus is missing.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter
from scipy.optimize import least_squares

from astro_pix2prof.detection import hidden
from astro_pix2prof.detection.hidden import (
    HiddenCentre,
    _descend,
    _Isophotes,
    _paired_part,
    _peak,
    _pixels,
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


def test_first_guess_in_a_hole_beside_the_nucleus(image):
    start = CENTRE[0] + 7.5, CENTRE[1] + 6
    mask = np.hypot(X - start[0], Y - start[1]) < 2.5
    found = find_hidden_centre(np.where(mask, 0, image), mask, start, NOISE)
    assert np.hypot(*np.subtract(found.centre, CENTRE)) < 0.3


def test_errors_of_noise_that_is_understated(image):
    mask = HOLES['edge']
    noisy = np.where(mask, 0, image + np.random.default_rng(5).normal(
        0, 0.2, image.shape))
    right, low = (fit_centre(noisy, mask, CENTRE, noise).error
                  for noise in (0.2, 0.05))
    assert right > 0.1
    assert 0.7 * right < low < 2 * right


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


@pytest.mark.parametrize(('away', 'is_found'), [(11.5, True), (12.0, False)])
def test_holes_farther_than_twelve_pixels(image, away, is_found):
    # (a hole may have led the first guess off a nucleus)
    start = CENTRE[0] + 3, CENTRE[1] - 2
    radius = np.hypot(X - start[0], Y - start[1])
    mask = (radius > away) & (radius <= away + 0.5)
    found = find_hidden_centre(image, mask, start, NOISE)
    assert (found is not None) == is_found


@pytest.mark.parametrize(('n', 'is_found'), [(4, False), (6, True)])
def test_a_tenth_of_the_nucleus(image, n, is_found):
    # of the 50 pixels within four; in the first place it is seen
    order = np.argsort(np.where(FROM < 2.5, 9, FROM), axis=None)
    mask = np.zeros(image.shape, bool)
    mask.flat[order[:n]] = True
    found = find_hidden_centre(image, mask, CENTRE, NOISE)
    assert (found is not None) == is_found


@pytest.mark.parametrize(('n', 'is_found'), [(59, False), (60, True)])
def test_sixty_pixels(image, n, is_found):
    near = np.flatnonzero(FROM < 15)
    mask = np.ones(image.shape, bool)
    mask.flat[np.random.default_rng(1).permutation(near)[:n]] = False
    found = fit_centre(image, mask, CENTRE, NOISE)
    assert (found is not None) == is_found


def test_least_error():
    # of a galaxy without noise
    light = 1e4 * np.exp(-FROM / 7)
    found = fit_centre(light, HOLES['core'], CENTRE, 1e-3)
    assert 0.03 <= found.error < 0.05


def test_fast_fit_is_least_squares():
    # nine knots along arcsinh of the radius, whose second differences are
    # residuals, too
    rng = np.random.default_rng(3)
    x, y, value = rng.uniform((-20, -20, 0), (20, 20, 5), (200, 3)).T
    weight = rng.uniform(0.5, 2, 200)
    bounds = np.array([[-9, -9, -3, -3], [9, 9, 3, 3]], dtype=float)
    galaxy = _Isophotes(x, y, value, weight, 20.0, bounds)
    p = np.array([0.7, -1.2, 0.3, -0.2])
    q = 1 - 0.95 * np.tanh(np.hypot(*p[2:]))
    angle = 0.5 * np.arctan2(p[3], p[2])
    u, v = x - p[0], y - p[1]
    radius = np.hypot(u * np.cos(angle) + v * np.sin(angle),
                      (v * np.cos(angle) - u * np.sin(angle)) / q)
    place = np.minimum(8 * np.arcsinh(radius) / np.arcsinh(30.0), 8)
    design = np.maximum(1 - np.abs(place[:, None] - np.arange(9)), 0)
    bend = 0.3 * np.diff(np.eye(9), 2, axis=0)
    both = np.vstack([design * weight[:, None], bend])
    want = np.append(value * weight, np.zeros(7))
    profile = np.linalg.lstsq(both, want, rcond=None)[0]
    left = want - both @ profile
    left[-7:] *= -1
    found = galaxy.linearise(p[None])
    assert_allclose(found.residual[0], left, atol=1e-6)
    assert_allclose(found.cost, (left**2).sum())
    for k, step in enumerate((-0.2, 0.2, -0.04, 0.04)):
        there = galaxy.linearise((p + step * np.eye(4)[k])[None]).residual[0]
        assert_allclose(found.jacobian[0, :, k],
                        (there - found.residual[0]) / step)
    # at a bound the step goes inwards
    edge = np.array([[9.0, -9.0, 3.0, -3.0]])
    assert np.isfinite(galaxy.linearise(edge).jacobian).all()
    few = galaxy.only(x > 0)
    assert len(few) == (x > 0).sum()


def test_same_minimum_as_scipy(image):
    mask = HOLES['core']
    galaxy = _Isophotes.of(image, mask, (51.0, 48.5), NOISE, 30.0, 600)
    starts = np.array([[51.0, 48.5, 0.3, 0.1], [51.0, 48.5, 0.0, 0.0],
                       [51.0, 48.5, -0.3, -0.1]])
    found = _descend(galaxy, starts)

    def residual(p):
        return galaxy.linearise(p[None]).residual[0]

    for start, p, cost in zip(starts, found.p, found.cost, strict=True):
        usual = least_squares(residual, start, x_scale=[1, 1, 0.2, 0.2],
                              diff_step=1e-4)
        assert cost <= 2 * usual.cost * (1 + 1e-4)
        assert_allclose(p[:2], usual.x[:2], atol=0.02)
    # a start alone ends where it ends among others
    assert_allclose(_descend(galaxy, starts[1:2]).p[0], found.p[1],
                    rtol=1e-9)


def test_place_of_frame_does_not_matter(image):
    # pixels far from the origin are fitted as those near it
    wide = np.pad(image, ((300, 0), (900, 0)), constant_values=np.nan)
    mask = np.pad(HOLES['core'], ((300, 0), (900, 0)), constant_values=True)
    near = fit_centre(image, HOLES['core'], CENTRE, NOISE)
    far = fit_centre(wide, mask, np.add(CENTRE, (900, 300)), NOISE)
    assert_allclose(np.subtract(far.centre, near.centre), (900, 300),
                    atol=1e-6)
    assert_allclose(far.covariance, near.covariance, rtol=1e-4)


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


@pytest.mark.parametrize('side', range(4))
def test_missing_part_at_the_edges(side):
    # of the 21 pixels within two and a half, five are those of the edge
    mask = np.zeros((30, 40), bool)
    for along, n in ((mask, 30), (mask.T, 40)):
        along[-1], along[0] = side % 2, not side % 2
        at = (17.0, n - 3.0 if side % 2 else 2.0)
        at = at if along is mask else at[::-1]
        assert missing_part(mask, at, 2.5) == 3 / 21
        along[-1] = along[0] = False


# In the frame, at its edges and corners, and beyond.
PLACES = [(11.3, 9.8), (0.2, 0.4), (21.4, 17.7), (-1.3, 12.0), (8.0, 19.6),
          (23.4, 8.5), (10.0, -2.2)]


@pytest.mark.parametrize('place', PLACES)
def test_against_loops(place):
    rng = np.random.default_rng(7)
    image, mask = rng.normal(size=(18, 22)), rng.random((18, 22)) < 0.2
    x0, y0 = place
    seen = [(x, y) for y in range(18) for x in range(22) if not mask[y, x]]
    peak = [image[y, x] for x, y in seen if np.hypot(x - x0, y - y0) <= 2]
    assert _peak(image, mask, place) == pytest.approx(
        np.mean(peak) if peak else -np.inf)
    for radius in (2.5, 6.0):
        around = [(x, y) for y in range(-20, 40) for x in range(-20, 45)
                  if np.hypot(x - x0, y - y0) <= radius]
        assert missing_part(mask, place, radius) == pytest.approx(
            1 - len({*around} & {*seen}) / len(around))
        near = [(x, y) for x, y in seen if np.hypot(x - x0, y - y0) <= radius]
        opposite = [(round(2 * x0 - x), round(2 * y0 - y)) for x, y in near]
        assert _paired_part(mask, place, radius) == pytest.approx(
            np.mean([at in {*seen} for at in opposite]) if near else 0)


@pytest.mark.parametrize('place', PLACES[:3])
@pytest.mark.parametrize('most', [1000, 40])
def test_pixels_of_a_fit(place, most):
    rng = np.random.default_rng(7)
    image, mask = rng.normal(3, 2, (18, 22)), rng.random((18, 22)) < 0.2
    x, y, value, weight = _pixels(image, mask, place, 0.5, 9.0, most)
    yy, xx = np.nonzero(~mask & (np.hypot(
        np.arange(22) - place[0], np.arange(18)[:, None] - place[1]) <= 9))
    step = int(np.ceil(len(xx) / most))
    assert step == 1 or most == 40
    np.testing.assert_array_equal((x, y), (xx[::step], yy[::step]))
    assert_allclose(value, np.arcsinh(
        image[yy, xx][::step] / 0.5))
    # a tenth of the light, as far as it exceeds the noise, is structure; the
    # light is the mean of the good pixels of the part that is looked at
    (x0, x1), (y0, y1) = ((max(int(c - 9), 0), int(c + 9) + 2)
                          for c in place)
    good = ~mask[y0:y1, x0:x1]
    level = gaussian_filter(np.where(good, image[y0:y1, x0:x1], 0), 1.5)
    level /= gaussian_filter(good.astype(float), 1.5)
    bright = np.maximum(level[yy - y0, xx - x0][::step] / 0.5, 0)
    assert_allclose(weight, 1 / np.sqrt(
        1 / (1 + bright**2) + 0.01))


def test_shifted_centres_have_the_covariance():
    covariance = np.array([[4.0, 1.0], [1.0, 2.0]])
    found = HiddenCentre((10.0, 20.0), covariance)
    moves = np.subtract(found.shifted(), found.centre)
    assert_allclose(moves[0], -moves[1])
    assert_allclose(0.5 * moves.T @ moves, covariance)
    assert found.error == pytest.approx(np.sqrt(3 + np.sqrt(2)))
