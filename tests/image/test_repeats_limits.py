# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Steps of the search for repeated areas against numpy, and their limits.
"""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof.image.repeats import (
    _certain,
    _combined,
    _is_enlarged,
    _is_rounded,
    _needed,
    _share,
    _solid,
    _trimmed,
    _without_chance,
    find_repeats,
)


@pytest.fixture(name='rng')
def fixture_rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize('size', [(1, 1), (2, 2), (3, 5), (7, 1), (4, 9)])
def test_combined(rng, size):
    plane = rng.random((20, 23)) < 0.8
    windows = sliding_window_view(plane, size)
    assert_array_equal(_combined(plane, size, np.logical_and),
                       windows.all((2, 3)))
    assert_array_equal(_combined(plane, size, np.logical_or),
                       windows.any((2, 3)))
    assert not _combined(plane[:3], (9, 2), np.logical_and).any()


@pytest.mark.parametrize('share', [0.05, 0.3, 0.7])
def test_needed(share):
    # so many pixels, and the more the more are equal together, are equal
    # by chance in one of 1e7 frames
    n = _needed(1e6, share)
    assert_allclose(1e6 * share**(n / (1 + share)), 1e-7)


class TestShare:
    def planes(self, counts):
        """
        Cells of 16 x 16 pixels, with so many that are equal.
        """
        equal = np.zeros((64, 64), bool)
        for k, n in enumerate(counts):
            cell = equal[k // 4 * 16:k // 4 * 16 + 16,
                         k % 4 * 16:k % 4 * 16 + 16]
            cell.flat[:] = np.arange(256) < n
        return equal, np.ones(equal.shape, bool)

    @pytest.mark.parametrize('part', [0.5, 0.9])
    def test_quantile(self, part, rng):
        counts = rng.integers(20, 100, 16)
        equal, both = self.planes(counts)
        expected = np.quantile(counts / 256, part)
        options = () if part == 0.9 else (part,)
        assert_allclose(_share(equal, both, *options), expected)
        # what is left of a frame does not count
        wide = np.pad(equal, ((0, 15), (0, 9)), constant_values=True)
        assert_allclose(_share(wide, np.pad(both, ((0, 15), (0, 9)))),
                        np.quantile(counts / 256, 0.9))

    def test_areas_do_not_count(self):
        # more than half way from the median to all
        counts = np.full(16, 64)
        for many, counts_in in ((159, True), (161, False)):
            counts[:4] = many
            found = _share(*self.planes(counts))
            assert_allclose(found, many / 256 if counts_in else 0.25)

    @pytest.mark.parametrize(('known', 'is_used'), [(128, False),
                                                    (129, True)])
    def test_half_of_a_cell(self, known, is_used):
        equal, both = self.planes(np.full(16, 32))
        both[:, :32] = False
        for k in range(8):
            cell = both[k // 2 * 16:k // 2 * 16 + 16,
                        k % 2 * 16:k % 2 * 16 + 16]
            cell[:] = (np.arange(256) < known).reshape(16, 16)
        found = _share(equal & both, both)
        assert_allclose(found, 32 / known if is_used else 32 / 256)
        assert _share(equal, ~both & both) == 1

    def test_least(self):
        equal, both = self.planes(np.zeros(16))
        assert _share(equal, both) == 1 / 4096

    @pytest.mark.parametrize(('more', 'is_looked_at'), [(0.23, False),
                                                        (0.27, True)])
    def test_large_frames(self, more, is_looked_at):
        equal = np.zeros((1040, 1040), bool)
        equal[::4] = True
        equal[:16, :16] = np.arange(256).reshape(16, 16) < 256 * (
            0.25 + more)
        share = _share(equal, np.ones(equal.shape, bool))
        assert share == (0.25 if is_looked_at else 1.0)
        small = _share(equal[:800], np.ones((800, 1040), bool))
        assert small == 0.25


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('every', [2, 3, 4, 5])
@pytest.mark.parametrize(('part', 'is_much'), [(0.88, False), (0.92, True)])
def test_enlarged(rng, every, part, is_much, axis):
    equal = rng.random((60, 80)) < 0.3
    equal[1::every] = np.arange(80) < part * 80
    equal = equal if axis else equal.T
    assert _is_enlarged(equal) == (is_much and every < 5)


@pytest.mark.parametrize(('distinct', 'is_rounded'), [(0.38, True),
                                                      (0.42, False)])
def test_few_values(distinct, is_rounded):
    data = np.arange(1000.0) % (1000 * distinct)
    good = np.ones((20, 50), bool)
    assert _is_rounded(data.reshape(20, 50), good) == is_rounded
    # pixels that do not count are no values
    data = np.append(data, 5000 + np.arange(1000)).reshape(40, 50)
    good = np.repeat(np.arange(40) < 20, 50).reshape(40, 50)
    assert _is_rounded(data, good) == is_rounded


class TestSolid:
    @pytest.mark.parametrize(('size', 'is_found'), [
        # of twenty that are needed: twice as many together
        ((4, 9), False), ((4, 10), True), ((2, 20), True), ((2, 19), False),
        ((20, 2), True), ((1, 40), True), ((1, 39), False), ((7, 6), True)])
    def test_rectangles(self, size, is_found):
        equal = np.zeros((60, 70), bool)
        part = np.s_[11:11 + size[0], 17:17 + size[1]]
        equal[part] = True
        found = _solid(equal, 20)
        assert found.any() == is_found
        if is_found:
            assert_array_equal(found, equal)

    def test_scattered(self, rng):
        equal = rng.random((60, 70)) < 0.3
        assert not _solid(equal, _needed(equal.size, 0.3)).any()

    def test_trimmed(self):
        # a square loses what sticks out; a line is kept
        area = np.zeros((20, 30), bool)
        area[3:9, 3:9] = area[5, 9:12] = True
        area[15, 2:28] = True
        expected = area.copy()
        expected[5, 9:12] = False
        assert_array_equal(_trimmed(area), expected)
        # where seven tenths and more are in squares
        area = np.zeros((20, 30), bool)
        area[5:7, 3:10] = True
        for n, is_thin in ((5, False), (7, True)):
            area[5, 10:10 + n] = True
            assert _trimmed(area)[5, 10] == is_thin


class TestChance:
    def found(self, size, *, values=(0.0,), many=1, low=-3):
        data = np.full((80, 90), 4.0)
        data[0, 0] = low
        area = np.zeros(data.shape, bool)
        for k in range(many):
            y, x = 3 + k // 10 * 8, 2 + k % 10 * 8
            area[y:y + 6, x:x + 6].flat[:] = np.arange(36) < size
            data[y:y + 6, x:x + 6] = np.resize(values, (6, 6))
        return _without_chance(data, np.ones(data.shape, bool), area)

    @pytest.mark.parametrize(('size', 'is_found'), [(29, False), (30, True)])
    def test_thirty_pixels(self, size, is_found):
        assert self.found(size).any() == is_found

    @pytest.mark.parametrize(('low', 'values', 'is_found'), [
        (-1, (0.0,), True), (0, (0.0,), False), (-1, (4.0,), False),
        (0, (0.0, 1.0), True)])
    def test_least_and_largest_value(self, low, values, is_found):
        # (are looked at elsewhere, but for patterns)
        assert self.found(36, low=low, values=values).any() == is_found

    @pytest.mark.parametrize(('many', 'are_found'), [(40, True),
                                                     (41, False)])
    def test_forty_areas(self, many, are_found):
        assert self.found(36, many=many).any() == are_found

    @pytest.mark.parametrize(('hole', 'is_found'), [(2, True), (3, False)])
    def test_others_within(self, hole, is_found):
        # a thousandth of 900, and two
        data = np.full((80, 90), 4.0)
        data[0, 0] = -3
        area = np.zeros(data.shape, bool)
        area[40:70, 40:70] = True
        data[area] = 0.0
        area[50, 50:50 + hole] = False
        found = _without_chance(data, np.ones(data.shape, bool), area)
        assert found.any() == is_found
        # (holes of more than a hundred pixels are others' business)
        area[45:55, 45:56] = False
        assert _without_chance(data, np.ones(data.shape, bool), area).any()
        # or those that are known to be bad
        area[45:55, 45:56] = True
        area[50, 50:50 + hole] = False
        assert _without_chance(data, area | (data != 0), area).any()

    @pytest.mark.parametrize(('around', 'is_certain'), [(0.2, True),
                                                        (0.85, False)])
    def test_what_is_around(self, around, is_certain, rng):
        equal = rng.random((80, 90)) < 0.1
        equal[20:50, 20:50] = rng.random((30, 30)) < around
        solid = np.zeros(equal.shape, bool)
        solid[30:40, 30:40] = equal[30:40, 30:40] = True
        both = np.ones(equal.shape, bool)
        found = _certain(equal, both, solid, 0.1)
        assert found[35, 35] == is_certain
        # pixels that cannot be compared tell nothing
        both[20:50, 20:50] = solid[20:50, 20:50]
        assert _certain(equal, both, solid, 0.1)[35, 35]


@pytest.mark.parametrize(('n', 'is_large'), [(31, False), (32, True)])
def test_small_frames(rng, n, is_large):
    for shape in ((n, 200), (200, n)):
        data = rng.normal(0.3, 1, shape).round()
        data[5:20, 5:20] = 0.0
        found = find_repeats(data, np.ones(shape, bool))
        assert found[5:20, 5:20].all() == is_large
        assert found.any() == is_large


@pytest.mark.parametrize('step', [(0, 1), (1, 0), (1, 1), (1, -1), (0, 2),
                                  (2, 0), (0, 3), (3, 0), (0, 4), (4, 0)])
def test_steps(rng, step):
    # each pixel equals that after a step, and others by chance
    data = rng.normal(0.3, 1.5, (64, 64)).round()
    area = rng.integers(-3, 5, (34, 34)).astype(float)
    for y, x in np.ndindex(34, 34):
        before = y - step[0], x - step[1]
        if 0 <= before[0] and 0 <= before[1] < 34:
            area[y, x] = area[before]
    good = np.ones(data.shape, bool)
    assert not find_repeats(data, good).any()
    data[15:49, 15:49] = area
    found = find_repeats(data, good)
    assert found[19:45, 19:45].all()
    found[15:49, 15:49] = False
    assert np.count_nonzero(found) < 20
