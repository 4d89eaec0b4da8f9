# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Sums in boxes, and the correlation of the noise that they show.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof.background.boxes import (
    difference_noise,
    fill_boxes,
    noise_correlation,
    ring_correlation,
    sum_boxes,
)


def measure(image, side=4, bad=None):
    """
    The correlation of an image that holds nothing but noise.
    """
    if bad is None:
        bad = np.zeros(image.shape, bool)
    boxes = sum_boxes(image, bad, side)
    return noise_correlation(boxes, boxes.usable, 0.0)


class TestSums:
    def test_sums(self):
        image = np.arange(42.0).reshape(6, 7)
        bad = np.zeros((6, 7), bool)
        bad[2, 2] = True
        boxes = sum_boxes(image, bad, 3)
        assert boxes.first == (0, 0)
        assert boxes.count.tolist() == [[8, 9], [9, 9]]
        assert boxes.total[0, 0] == image[:3, :3].sum() - image[2, 2]
        assert boxes.square[1, 1] == (image[3:, 3:6]**2).sum()
        assert_allclose(boxes.mean[1, 1], image[3:, 3:6].mean())

    def test_usable(self):
        bad = np.zeros((8, 8), bool)
        bad[:3] = True
        assert sum_boxes(np.ones((8, 8)), bad, 4).usable.tolist() == [
            [False, False], [True, True]]
        # half of the pixels are enough
        bad[2] = False
        bad[6:] = bad[5, 7] = True
        assert sum_boxes(np.ones((8, 8)), bad, 4).usable.tolist() == [
            [True, True], [True, False]]

    @pytest.mark.parametrize('shape', [(16, 24), (19, 31), (22, 29)])
    @pytest.mark.parametrize('side', [1, 3, 8])
    def test_in_the_middle(self, shape, side):
        # what is left of a frame lies on both sides
        image = np.random.default_rng(1).normal(size=shape)
        bad = np.random.default_rng(2).random(shape) < 0.1
        boxes = sum_boxes(image, bad, side)
        (ny, y0), (nx, x0) = ((n // side, n % side // 2) for n in shape)
        assert boxes.first == (x0, y0)
        assert boxes.count.shape == (ny, nx)
        for k, j in np.ndindex(ny, nx):
            part = np.s_[y0 + k * side:y0 + (k + 1) * side,
                         x0 + j * side:x0 + (j + 1) * side]
            used = image[part][~bad[part]]
            assert_allclose(
                (boxes.count[k, j], boxes.total[k, j], boxes.square[k, j]),
                (len(used), used.sum(), (used**2).sum()), atol=1e-12)


class TestFewPhotons:
    @pytest.mark.parametrize(('light', 'side'), [
        (3.0, 2), (0.5, 4), (0.12, 8), (0.03, 16)])
    def test_larger_boxes(self, light, side):
        # of five photons or more; the differences of two numbers of less
        # than four are zero in more than 15 of a hundred
        image = np.random.default_rng(1).poisson(light, (256, 256))
        none = np.zeros(image.shape, bool)
        boxes, noise = fill_boxes(image - 3.0, none, 2)
        assert boxes.side == side
        assert_allclose(noise, np.sqrt(light) / side, rtol=0.35)
        assert_allclose(boxes.total, sum_boxes(image - 3.0, none, side).total)

    @pytest.mark.parametrize(('shape', 'side'), [
        ((11, 30), 1), ((23, 30), 1), ((24, 24), 2), ((30, 47), 2),
        ((48, 90), 4), ((400, 95), 4)])
    def test_twelve_boxes_are_left(self, shape, side):
        image = np.random.default_rng(1).poisson(0.02, shape)
        assert fill_boxes(image, image < 0, 1)[0].side == side

    @pytest.mark.parametrize(('equal', 'are_few'), [(14, False),
                                                      (16, True)])
    def test_neighbours(self, equal, are_few):
        # so many of a hundred differences are zero, the others are one
        step = np.ones(101)
        step[1:1 + equal] = 0
        image = np.cumsum(step)[None]
        assert difference_noise(image, image < 0)[1] == are_few
        # or a quarter of the others is, and not less
        few = np.where(np.arange(101) % 20 < 7, step, 3 * step)
        image = np.cumsum(few)[None]
        assert difference_noise(image, image < 0)[1] == are_few
        # but for some that differ by less
        few[30:33] *= 0.3
        image = np.cumsum(few)[None]
        assert difference_noise(image, image < 0)[1] == are_few
        few = np.where(np.arange(101) % 20 < 5, step, 3 * step)
        image = np.cumsum(few)[None]
        assert not difference_noise(image, image < 0)[1]

    @pytest.mark.parametrize(('unit', 'level'), [
        (1.0, 0.0), (0.37, 0.0123), (1e-12, 3.3e-12), (1e9, 7.7e9)])
    def test_last_digits(self, unit, level):
        # equal numbers of photons are not equal after a subtraction
        image = np.random.default_rng(1).poisson(0.12, (200, 200)) * unit
        image = image - level
        boxes, noise = fill_boxes(image, image < -np.inf, 2)
        assert boxes.side == 8
        assert_allclose(noise / unit, np.sqrt(0.12) / 8, rtol=0.4)
        one = difference_noise(image, image < -np.inf)
        assert_allclose(one[0] / unit, np.sqrt(0.12), rtol=0.1)
        assert one[1]

    @pytest.mark.parametrize(('bright', 'is_left'), [(3e6, True),
                                                     (3e9, False)])
    def test_bright_pixel(self, bright, is_left):
        # a difference of a ten-millionth of the root mean square is none
        image = np.random.default_rng(1).normal(size=(100, 100))
        image[50, 50] = bright
        noise, _ = difference_noise(image, image < -np.inf)
        if is_left:
            assert_allclose(noise, 1, rtol=0.05)
        else:
            assert noise > 1e6

    def test_plateaus_are_no_photons(self):
        image = np.random.default_rng(1).normal(size=(64, 64))
        image[:, ::4] = image[:, 1::4] = 1e5
        none = np.zeros(image.shape, bool)
        assert fill_boxes(image, none, 1)[0].side == 1
        assert fill_boxes(none * 1.0, none, 1)[0].side == 1

    def test_noise(self):
        image = np.random.default_rng(1).normal(0, 3, (200, 200))
        hidden = np.zeros(image.shape, bool)
        assert_allclose(difference_noise(image, hidden)[0], 3, rtol=0.02)
        # neither of the two may be hidden
        hidden[::2] = hidden[:, ::3] = True
        noise, _ = difference_noise(np.where(hidden, 1e5, image), hidden)
        assert_allclose(noise, 3, rtol=0.05)
        # objects do not count
        image[:, 180:] += np.random.default_rng(2).exponential(40, (200, 20))
        assert_allclose(difference_noise(image, hidden & False)[0], 3,
                        rtol=0.15)
        hidden[:, ::2] = True
        assert difference_noise(image, hidden | True) == (0.0, False)

    def test_most_are_equal(self):
        # the root mean square of all differences
        image = np.random.default_rng(1).poisson(0.05, (200, 200))
        noise, are_few = difference_noise(10.0 * image, image < 0)
        assert_allclose(noise, 10 * np.sqrt(0.05), rtol=0.05)
        assert are_few

    def test_hidden(self):
        # nine of ten boxes have few pixels: those that have any count
        bad = np.ones((20, 20), bool)
        bad[::2, ::2] = False
        bad[:4, :4] = True
        boxes = sum_boxes(np.ones(bad.shape), bad, 2)
        assert boxes.hidden.sum() == 4
        assert boxes.hidden[:2, :2].all()
        bad[4:8, :10] = False
        boxes = sum_boxes(np.ones(bad.shape), bad, 2)
        assert boxes.hidden.sum() == 90
        assert not boxes.hidden[2:4, :5].any()


class TestCorrelation:
    @pytest.mark.parametrize('side', [1, 2, 4, 8])
    def test_white(self, side):
        for seed in range(5):
            image = np.random.default_rng(seed).normal(size=(200, 256))
            assert measure(image, side) == 1.0

    @pytest.mark.parametrize('width', [0.5, 0.7, 1.0])
    def test_smoothed(self, width):
        """
        The mean of all pixels is as uncertain as before the smoothing.
        """
        peak = np.zeros((41, 41))
        peak[20, 20] = 1
        expected = 1 / np.sqrt((gaussian_filter(peak, width)**2).sum())
        found = [measure(gaussian_filter(np.random.default_rng(
            seed).normal(size=(256, 256)), width)) for seed in range(4)]
        assert_allclose(np.mean(found), expected, rtol=0.08)
        assert_allclose(found, expected, rtol=0.15)

    def test_gradient_is_no_noise(self):
        image = np.random.default_rng(1).normal(size=(256, 256))
        assert measure(image + 0.01 * np.arange(256)) == 1.0

    def test_constant_is_no_noise(self):
        smooth = gaussian_filter(np.random.default_rng(3).normal(
            size=(128, 128)), 0.7)
        assert_allclose(measure(smooth + 3), measure(smooth), rtol=1e-9)
        assert measure(smooth) > 1.5

    def test_nothing_to_measure(self):
        smooth = gaussian_filter(np.random.default_rng(1).normal(
            size=(128, 128)), 1)
        assert measure(smooth) > 2
        assert measure(smooth[:16, :16]) == 1.0
        bad = np.ones(smooth.shape, bool)
        bad[:8, :80] = False
        assert measure(smooth, bad=bad) == 1.0
        assert measure(np.zeros((128, 128))) == 1.0

    @staticmethod
    def chequered(ratio, n=16, side=4):
        """
        Boxes, and what is noise in them, whose means differ in turn.

        The pixels of a box are off by one both ways; its mean is so chosen
        that it is noisier than that of 64 pixels by a factor.
        """
        # 1.4826 times the median of twice the size, over the noise of two
        # means of 64 pixels
        scatter = (1.482602 * 2)**2 * 32
        # ratio**2 = scatter * size**2 / (64 / 63 + scatter * size**2 / 64)
        size = np.sqrt(64 / 63 * ratio**2 / (1 - ratio**2 / 64) / scatter)
        turn = (-1.0)**np.indices((n, n)).sum(0)
        image = np.kron(size * turn, np.ones((8, 8)))
        return image + (-1.0)**np.indices(image.shape).sum(0)

    @pytest.mark.parametrize('side', [1, 2, 4, 8])
    @pytest.mark.parametrize('ratio', [1.5, 3.0])
    def test_known(self, ratio, side):
        # the excess, and a third more for what neighbours share
        assert_allclose(measure(self.chequered(ratio), side),
                        1 + 1.35 * (ratio - 1), rtol=1e-6)

    @pytest.mark.parametrize(('chances', 'counts'), [(2.4, False),
                                                     (2.6, True)])
    def test_chance(self, chances, counts):
        # a median of n absolute deviations is known to 1.17 / sqrt(n)
        ratio = 1 + chances * 1.17 / np.sqrt(2 * 16 * 15)
        assert (measure(self.chequered(ratio)) > 1) == counts

    @pytest.mark.parametrize(('shape', 'counts'), [
        ((1, 12), False), ((1, 13), True), ((3, 3), True), ((2, 4), False)])
    def test_twelve_pairs(self, shape, counts):
        image = self.chequered(6.0)[:8 * shape[0], :8 * shape[1]]
        assert (measure(image) > 1) == counts

    @pytest.mark.parametrize(('n', 'counts'), [(38, False), (39, True)])
    def test_boxes_of_few_pixels(self, n, counts):
        # six tenths of 64
        image = self.chequered(6.0)
        bad = np.ones((8, 8), bool)
        bad.flat[:n] = False
        boxes = sum_boxes(image, np.tile(bad, (16, 16)), 8)
        sky = np.ones(boxes.count.shape, bool)
        assert (noise_correlation(boxes, sky, 0.0) > 1) == counts

    @pytest.mark.parametrize('side', [1, 4, 8])
    def test_model_is_no_noise(self, side):
        image = self.chequered(2.0)
        model = np.random.default_rng(1).normal(5, 3, (128 // side,
                                                       128 // side))
        bad = np.random.default_rng(2).random(image.shape) < 0.05
        alone, both = (sum_boxes(part, bad, side) for part in (
            image, image + np.kron(model, np.ones((side, side)))))
        sky = np.ones(model.shape, bool)
        found = noise_correlation(both, sky, model)
        assert_allclose(found, noise_correlation(alone, sky, 0.0))
        assert 2 < found < 2.7
        # nor are boxes that are no sky
        sky[:, ::5] = False
        assert_allclose(noise_correlation(both, sky, np.where(
            sky, model, 99.0)), noise_correlation(both, sky, model))

    def test_rings(self):
        assert_allclose(ring_correlation(4.0, np.array([0.3, 1, 2, 1e9])),
                        [2, 2, 4**0.75, 4])
        assert (ring_correlation(1.0, np.arange(5.0)) == 1).all()
