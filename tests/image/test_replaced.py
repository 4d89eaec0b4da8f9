# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of finding pixels that were replaced by others.
"""

import numpy as np
import pytest
from scipy.ndimage import (
    gaussian_filter,
    map_coordinates,
    median_filter,
    rotate,
)

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.replaced import (
    find_copies,
    find_interpolated,
    find_replaced,
    find_rounded,
)

SHAPE = (120, 130)
CENTRE = (64.3, 60.2)
Y, X = np.indices(SHAPE)
NONE = np.zeros(SHAPE, bool)
RADIUS = np.hypot(X - CENTRE[0], Y - CENTRE[1])


def _image(noise=1.0, seed=1):
    rng = np.random.default_rng(seed)
    galaxy = gaussian_filter(500 * np.exp(-RADIUS / 4), 1.3)
    return (galaxy + noise * rng.normal(size=SHAPE)).astype(np.float32)


def _fill(image, first, width, rows=np.s_[:]):
    """
    Interpolate columns from both sides.
    """
    left, right = image[rows, first - 1], image[rows, first + width]
    for k in range(width):
        image[rows, first + k] = left + (right - left) * (k + 1) / (width + 1)


@pytest.mark.parametrize('sky', [0.0, 300.0])
@pytest.mark.parametrize('width', [1, 2, 3, 8])
@pytest.mark.parametrize('along', [False, True])
def test_interpolated_columns_are_found(width, sky, along):
    image, truth = _image() + np.float32(sky), NONE.copy()
    truth[:, 62:62 + width] = True
    _fill(image, 62, width)
    if along:
        image, truth = image.T.copy(), truth.T
    found = find_interpolated(image, np.zeros(image.shape, bool))
    assert found[truth].mean() > 0.99
    assert np.count_nonzero(found & ~truth) < 5


def test_interpolated_core_is_found():
    image = _image()
    _fill(image, 62, 4, np.s_[58:63])
    found = find_replaced(image, NONE, CENTRE)
    assert found[58:63, 62:66].all()
    assert found.sum() == 20


def test_copied_column_is_found():
    image = _image()
    image[:, 64] = image[:, 63]
    found = find_interpolated(image, NONE)
    assert found[:, 63:65].all()
    assert found.sum() == 2 * SHAPE[0]


def test_median_core_is_found():
    image = _image()
    core = RADIUS < 2.5
    image[core] = median_filter(image, 7)[core]
    found = find_replaced(image, NONE, CENTRE)
    assert found[core].mean() > 0.9
    assert found[RADIUS > 8].sum() == 0


@pytest.mark.parametrize('size', [5, 7])
@pytest.mark.parametrize('core', [
    np.s_[59:62, 63:66], np.s_[60:61, 62:67], np.s_[59:62, 64:65],
    np.s_[59:61, 63:66]])
def test_median_core_of_an_inclined_galaxy_is_found(core, size):
    # (whose copies lie side by side)
    rng = np.random.default_rng(3)
    x, y = X - CENTRE[0], Y - CENTRE[1]
    r = np.hypot(x + y, (x - y) / 0.35) / np.sqrt(2)
    image = gaussian_filter(500 * np.exp(-r / 6) + 500 * np.exp(-r), 1.3)
    image = (image + rng.normal(size=SHAPE)).astype(np.float32)
    assert find_replaced(image, NONE, CENTRE) is None
    image[core] = median_filter(image, size)[core]
    found = find_replaced(image, NONE, CENTRE)
    assert found[core].all()
    assert found[RADIUS > 8].sum() == 0


def test_full_wells_beside_a_brighter_pixel_are_data():
    image = np.minimum(_image(), 150.0)
    level, full = image.max(), np.argwhere(image == image.max())
    assert len(full) > 5
    image[tuple(full[0])] = 2 * level
    assert find_copies(image, NONE, CENTRE) is None


def _enlarged(factor, order):
    return map_coordinates(_image(), [Y / factor + 1, X / factor + 1],
                           order=order).astype(np.float32)


@pytest.mark.parametrize('image', [
    _image(), _image(0.0), _image() + np.float32(1e4), np.round(_image()),
    np.round(_image() * 10), gaussian_filter(_image(), 1.0),
    median_filter(_image(), 3), np.minimum(_image(), 100.0),
    np.kron(_image()[:60, :65], np.ones((2, 2), np.float32)),
    X.astype(np.float32), np.zeros(SHAPE, np.float32),
    *(_enlarged(factor, order) for factor in (1.1, 1.5, 2.05, 2.2, 3.0)
      for order in (0, 1))])
def test_other_images_are_data(image):
    found = find_replaced(image, NONE, CENTRE)
    assert found is None or found.mean() < 1e-3
    assert find_interpolated(image, NONE).mean() < 1e-3


@pytest.mark.parametrize('n_full', [3, 6, 9, 20, 40])
def test_full_wells_are_data(n_full):
    """
    Pixels of a core that is cut off equal their neighbours, and no others.
    """
    image = _image()
    level = np.sort(image.ravel())[-n_full]
    assert find_replaced(np.minimum(image, level), NONE, CENTRE) is None


@pytest.mark.parametrize('angle', [1.0, 4.0, 20.0, 45.0])
def test_turned_images_are_data(angle):
    turned = rotate(_image(), angle, order=0, reshape=False)
    assert find_copies(turned, NONE, CENTRE) is None


@pytest.mark.parametrize('gap', [np.s_[:, :3], np.s_[96:106, 96:106]])
def test_gaps_do_not_hide_them(gap):
    image = _image()
    _fill(image, 62, 3)
    image[gap] = np.nan
    cutout = GalaxyCutout(image, unit='nmgy', pixel_scale=0.4)
    rows = np.isfinite(image).all(1) if gap[0] != slice(None) else (
        np.ones(len(image), bool))
    assert cutout.mask[rows][:, 62:65].all()


def test_nothing_of_masked_pixels():
    image = _image()
    _fill(image, 62, 4)
    mask = NONE.copy()
    mask[:, 62:66] = True
    assert not find_interpolated(image, mask).any()
    image = _image()
    image[58:62, 62:66] = image[62:66, 62:66]
    mask = NONE.copy()
    mask[58:62, 62:66] = True
    assert find_copies(image, mask, CENTRE) is None


def test_cutout_masks_them():
    image = _image()
    _fill(image, 62, 3)
    cutout = GalaxyCutout(image, unit='nmgy', pixel_scale=0.4)
    assert cutout.mask[:, 62:65].all()
    assert cutout.mask.sum() == 3 * SHAPE[0]


@pytest.mark.parametrize('shape', [(1, 40), (2, 2), (3, 3)])
def test_small_frames(shape):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert find_replaced(image, np.zeros(shape, bool), (1.0, 1.0)) is None


class TestRounded:
    @staticmethod
    def make(noise, step=1.0, seed=4):
        """
        Make a rounded image with a nucleus that was interpolated, and one not.
        """
        image = _image(noise=noise, seed=seed) * np.float32(20)
        filled = image.copy()
        _fill(filled, 62, 5, np.s_[58:63])
        return [np.float32(step) * np.round(part + np.float32(300))
                for part in (filled, image)]

    @pytest.mark.parametrize('step', [1.0, 0.013, 250.0])
    @pytest.mark.parametrize('along', [False, True])
    def test_found(self, step, along):
        filled, image = self.make(1.0, step)
        where = CENTRE[::-1] if along else CENTRE
        if along:
            filled, image = filled.T.copy(), image.T.copy()
        none = np.zeros(filled.shape, bool)
        found = find_rounded(filled, none, where)
        truth = NONE.copy()
        truth[58:63, 62:67] = True
        truth = truth.T if along else truth
        assert found[truth].all()
        assert np.count_nonzero(found & ~truth) < 5
        assert find_rounded(image, none, where) is None
        assert find_replaced(image, none, where) is None
        assert find_replaced(filled, none, where)[truth].all()

    def test_coarse_steps(self):
        # noise of two steps puts pixels on lines by chance
        for part in self.make(0.1):
            assert find_rounded(part, NONE, CENTRE) is None

    @pytest.mark.parametrize('seed', range(20))
    def test_chance(self, seed):
        image = self.make(0.5, seed=seed)[1]
        assert find_rounded(image, NONE, CENTRE) is None

    def test_no_steps(self):
        image = _image()
        _fill(image, 62, 5, np.s_[58:63])
        assert find_rounded(image, NONE, CENTRE) is None

    def test_model_and_core(self):
        # a model without noise, and full wells
        model = np.round(20 * _image(noise=0.0))
        assert find_rounded(model, NONE, CENTRE) is None
        full = np.minimum(self.make(1.0)[1], 3000)
        assert find_rounded(full, NONE, CENTRE) is None

    def test_masked(self):
        filled, _ = self.make(1.0)
        mask = NONE.copy()
        mask[58:63, 62:67] = True
        assert find_rounded(filled, mask, CENTRE) is None

    def test_few_values(self):
        assert find_rounded(np.ones(SHAPE, np.float32), NONE, CENTRE) is None
        assert find_rounded(np.ones((2, 2), np.float32),
                            np.zeros((2, 2), bool), (1, 1)) is None

    @pytest.mark.parametrize('width', [2, 3, 5])
    def test_columns(self, width):
        image = _image(noise=1.0) * np.float32(20)
        _fill(image, 62, width)
        found = find_rounded(np.round(image), NONE, CENTRE)
        assert found[50:70, 62:62 + width].all()
        assert not found[:, 70:].any()
