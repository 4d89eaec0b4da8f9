# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Steps of the search for blank areas, pixel by pixel.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import label

from astro_pix2prof.background.areas import grown
from astro_pix2prof.image.blanks import (
    _equal_groups,
    _Frame,
    _unlikely,
)

SHAPE = (14, 17)
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))


def frame_of(data, rest=None, good=None):
    good = np.ones(data.shape, bool) if good is None else good
    rest = good if rest is None else rest
    return _Frame(data, good, rest, data[:, 1:] == data[:, :-1],
                  data[1:] == data[:-1])


def is_inside(y, x, shape):
    return 0 <= y < shape[0] and 0 <= x < shape[1]


@pytest.mark.parametrize('seed', range(4))
def test_equal_groups(seed):
    data = np.random.default_rng(seed).integers(0, 3, SHAPE)
    groups, sizes = _equal_groups(data[:, 1:] == data[:, :-1],
                                  data[1:] == data[:-1])
    assert sizes[0] == 0
    assert_array_equal(sizes[1:], np.bincount(groups.ravel())[1:])
    expected = set()
    for value in range(3):
        parts, n = label(data == value)
        expected |= {frozenset(np.flatnonzero(parts == k))
                     for k in range(1, n + 1)}
    found = {frozenset(np.flatnonzero(groups == k))
             for k in range(1, groups.max() + 1)}
    assert found == {part for part in expected if len(part) > 1}


def test_grown():
    area = np.zeros((7, 9), bool)
    for at in ((0, 0), (6, 8), (3, 4)):
        area[:] = False
        area[at] = True
        expected = [at, *((at[0] + y, at[1] + x) for y, x in SIDES
                          if is_inside(at[0] + y, at[1] + x, area.shape))]
        assert {tuple(p) for p in np.argwhere(grown(area))} == {*expected}


@pytest.mark.parametrize('every', [1, 3])
def test_differences(every):
    rng = np.random.default_rng(1)
    data, rest = rng.normal(size=SHAPE), rng.random(SHAPE) < 0.7
    first, second = [], []
    for values, keep in ((data, rest), (data.T, rest.T)):
        for row, use in zip(values[::every], keep[::every], strict=True):
            for k in range(1, len(row) - 1):
                if use[k - 1:k + 2].all():
                    first.append(abs(row[k + 1] - row[k - 1]))
                    second.append(abs(row[k - 1] - 2 * row[k] + row[k + 1]))
    found = frame_of(data, rest)._differences(every)
    assert_allclose(np.sort(found[0]), np.sort(first))
    assert_allclose(np.sort(found[1]), np.sort(second))


@pytest.mark.parametrize('box', [
    np.s_[:, :], np.s_[3:9, 2:12], np.s_[:5, 10:], np.s_[8:99, :3]])
def test_equal_part(box):
    rng = np.random.default_rng(2)
    data = rng.integers(0, 3, SHAPE).astype(float)
    keep = rng.random(SHAPE)[box] < 0.8
    part = data[box]
    equal = pairs = 0
    for y, x in np.ndindex(part.shape):
        for down, right in ((0, 1), (1, 0)):
            to = y + down, x + right
            if is_inside(*to, part.shape) and keep[y, x] and keep[to]:
                pairs += 1
                equal += part[y, x] == part[to]
    frame = frame_of(data)
    assert_allclose(frame._equal_part(box, keep), equal / pairs)
    assert frame._equal_part(box, keep & False) == 0


@pytest.mark.parametrize(('equal', 'expected'), [
    (0.1, 0.1 * 2**0.5), (0.19, 0.19 * 2**0.5), (0.21, 0.21**0.5),
    (0.64, 0.8)])
def test_share_around(monkeypatch, equal, expected):
    # Gaussian noise that is rounded to r steps a standard deviation has a
    # value in 1 / (r sqrt(2 pi)) of its pixels, and equal neighbours in
    # 1 / (2 r sqrt(pi)); one value in a part has them in its square
    frame = frame_of(np.zeros(SHAPE))
    monkeypatch.setattr(frame, '_equal_part', lambda box, near: equal)
    assert_allclose(frame._share_around(None, None), expected)


def test_share():
    data = np.arange(200.0).reshape(10, 20)
    data[2:5, 3:9] = data[8, :6] = 50.0
    good = data != 41
    group = np.zeros(data.shape, bool)
    group[2:5, 3:9] = True
    # (one more pixel had this value before)
    assert_allclose(frame_of(data, good=good)._share(50.0, group),
                    7 / (good.sum() - 18))


def breaks_off(frame, group, value):
    """
    Tell whether a fifth of an outline is a jump, pixel by pixel.
    """
    data, rest = frame.data, frame.rest
    peak = frame.values.max() - np.median(frame.values)
    found = []
    for y, x in np.argwhere(group):
        for down, right in SIDES:
            near, far = (y + down, x + right), (y + 2 * down, x + 2 * right)
            if not is_inside(*near, data.shape) or not rest[near]:
                continue
            change = 0.0
            if is_inside(*far, data.shape) and rest[far]:
                change = abs(data[far] - data[near])
            jump = abs(data[near] - value)
            found.append(jump > 5 * change and jump > max(
                1e-3 * peak, 2.5 * frame.quantum))
    return bool(found) and np.mean(found) > 0.2


@pytest.mark.parametrize('place', [
    np.s_[4:8, 5:11], np.s_[:3, 5:9], np.s_[10:, 3:7], np.s_[5:9, :4],
    np.s_[3:7, 13:], np.s_[:4, :4], np.s_[5:6, 8:9]])
def test_jumps(place):
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    outcomes = set()
    for _ in range(60):
        data = 40 * np.exp(-0.5 * np.hypot(x - 9, y - 6)**2 / 25) + rng.normal(
            ) * 0.3 * x + rng.normal() * 0.3 * y
        group = np.zeros(SHAPE, bool)
        group[place] = True
        value = np.mean(data[place]) + rng.choice([0.3, 3, 10]) * rng.normal()
        data[group] = value
        rest = ~group & (rng.random(SHAPE) < 0.9)
        frame = frame_of(data, rest)
        box = np.s_[:, :]
        found = frame._jumps(group, box, value)
        assert found == breaks_off(frame, group, value)
        outcomes.add(found)
    assert outcomes == {False, True}


def test_all_around():
    # the sky around all that there is
    data = np.zeros(SHAPE)
    data[3:9, 4:12] = 50 + np.arange(8.0)
    group = data == 0
    frame = frame_of(data, ~group)
    assert not frame._jumps(group, np.s_[:, :], 0.0)
    assert breaks_off(frame, group, 0.0)
    # it touches three sides only
    data[10:] = 50 + np.arange(17.0)
    group = data == 0
    assert frame_of(data, ~group)._jumps(group, np.s_[:, :], 0.0)


@pytest.mark.parametrize(('level', 'beside', 'is_top'), [
    (100.0, 14.0, True), (100.0, 8.0, False), (49.0, 40.0, False)])
def test_saturated(level, beside, is_top):
    # a tenth of the level above the middle of all; the top of all
    data = np.full((9, 9), 4.0)
    data[0, 0] = 50.0
    found = frame_of(data).is_saturated(level, np.full(5, beside))
    assert found == is_top
    limit = 4 + 0.1 * 96
    for change, found in ((-0.1, False), (0.1, True)):
        assert frame_of(data).is_saturated(100.0, np.full(
            5, limit + change)) == found


class TestUnlikely:
    def numbers(self, data):
        groups, sizes = _equal_groups(data[:, 1:] == data[:, :-1],
                                      data[1:] == data[:-1])
        found = _unlikely(data, np.ones(data.shape, bool), groups, sizes)
        return [int(sizes[k]) for k in found]

    def test_largest_first(self):
        data = np.random.default_rng(1).normal(size=(200, 200))
        for k, n in enumerate((12, 30, 7, 50)):
            data[10 * k, 5:5 + n] = float(k + 10)
        assert self.numbers(data)[:3] == [50, 30, 12]

    @pytest.mark.parametrize('kinds', [4, 12])
    def test_values_that_occur_elsewhere(self, kinds):
        # one in a hundred pixels has each value: chance makes groups, and
        # those of twelve pixels in one of 1e10 frames
        data = np.random.default_rng(1).normal(size=(200, 200))
        for k in range(kinds):
            spots = np.random.default_rng(k).random(data.shape) < 0.01
            data[spots] = float(k + 10)
        for k in range(kinds):
            data[10 * k + 5, 5:25] = float(k + 10)
        found = self.numbers(data)
        assert min(found[:kinds]) >= 20
        assert len(found) <= kinds + 2

    def test_most(self):
        data = np.random.default_rng(1).normal(size=(300, 300))
        data[::2, 5:25] = np.arange(150.0)[:, None]
        assert len(self.numbers(data)) == 100


class TestSolidPart:
    """
    A square of a common value in rounded noise, with a ragged rim.
    """

    def frame(self, *, beside=9.0, ragged=0.0, n_ragged=0, share=0.25):
        """
        A group of zeros; its neighbours, but for some, have one value.
        """
        data = np.full((60, 70), 20.0)
        data[30:, :] = np.arange(70) % 4 + 30.0
        data[:8, :] = 31.0
        data[14:30, 20:36] = beside
        data[15:29, 21:35] = 0.0
        # a line that is too thin, beside whose pixels others lie
        data[20, 35:35 + n_ragged] = 0.0
        data[19, 35:36 + n_ragged] = data[21, 35:36 + n_ragged] = ragged
        group = data == 0
        rest = ~group
        frame = frame_of(data, rest)
        frame.quantum = 2.0
        return group, frame._solid_part(group, rest, data, share)

    @pytest.mark.parametrize(('beside', 'is_blank'), [(4.9, False),
                                                      (5.1, True)])
    def test_quanta(self, beside, is_blank):
        # two and a half times the least step
        group, found = self.frame(beside=beside)
        assert_array_equal(found, group if is_blank else group & False)

    @pytest.mark.parametrize(('ragged', 'is_solid'), [(1.7, True),
                                                      (1.9, False)])
    def test_ragged(self, ragged, is_solid):
        # five times the difference along the ragged part
        group, found = self.frame(ragged=ragged, n_ragged=9)
        solid = group.copy()
        solid[20, 35:44] = False
        assert_array_equal(found, solid if is_solid else group & False)

    def test_little_is_ragged(self):
        # less than a tenth of the outline
        group, found = self.frame(ragged=8.0, n_ragged=1)
        assert_array_equal(found, group)
        assert not self.frame(ragged=8.0, n_ragged=9)[1].any()

    @pytest.mark.parametrize('share', [0.1, 0.5, 0.9, 0.96])
    def test_side(self, share):
        # a square that no chance fills in one of 1e4 frames, of odd sides;
        # a value of a fifth of the pixels at least is common
        least = np.log(1e-4 / 4200) / np.log(max(share, 0.2))
        side = int(np.sqrt(least)) + 1
        side += side % 2 == 0
        found = self.frame(share=share)[1]
        assert found.any() == (side <= 14)
