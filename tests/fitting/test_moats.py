# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising wide, shallow moats around galaxies.
"""

from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter, zoom

from astro_pix2prof import Pix2ProfFitter, decode_flags
from astro_pix2prof.fitting.bowls import has_bowl
from astro_pix2prof.fitting.moats import has_moat
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (224, 232)
CENTRE = (115.4, 110.7)
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / 0.7)
GALAXY = gaussian_filter(200 * np.exp(-RADIUS / 8), 1.3)
NONE = np.zeros(SHAPE, bool)


def _noise(width=0.0, seed=4):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    if width:
        noise = gaussian_filter(noise, width)
    return noise / noise.std()


def _rings(image=GALAXY, **values):
    edges = np.geomspace(2, 100, 26)
    sma = np.sqrt(edges[1:] * edges[:-1])
    cells = [(RADIUS >= low) & (RADIUS < high)
             for low, high in pairwise(edges)]
    intensity = np.array([image[cell].mean() for cell in cells])
    error = np.array([1.1 / np.sqrt(cell.sum()) for cell in cells])
    same = np.ones(len(sma))
    values = {'noise': 1.0, 'eps': 0.3 * same, 'intensity_err': error + 0.01,
              **values}
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma, intensity,
        theta=0 * same, n_valid=same, flag=0 * same.astype(int),
        galaxy_flag=GalaxyFlag(0), centre=CENTRE, **values)


def _filtered(image, size):
    """
    Subtract the median of pixels around, as of binned ones.
    """
    binned = image.reshape(SHAPE[0] // 4, 4, SHAPE[1] // 4, 4).mean((1, 3))
    sky = median_filter(binned, size // 4, mode='nearest')
    return image - zoom(sky, 4, order=1, grid_mode=True, mode='nearest')


@pytest.mark.parametrize('size', [72, 96])
@pytest.mark.parametrize('factor', [1.0, 1e-12])
def test_filtered_sky(size, factor):
    image = factor * _filtered(GALAXY + _noise(), size)
    rings = _rings(image, noise=factor,
                   intensity_err=factor * _rings().intensity_err)
    assert has_moat(image, NONE, rings)
    # it is too shallow for pixels around the galaxy to tell
    assert not has_bowl(image, NONE, rings)
    # (stars do not hide it, nor missing pixels)
    image[20:24, 30:34] += 400 * factor
    mask = NONE.copy()
    mask[150:, :60] = True
    image[mask] = np.nan
    assert has_moat(image, mask, rings)


def _mesh(image, side):
    """
    Subtract clipped medians of boxes, smoothed over three by three of them.
    """
    ny, nx = (n // side for n in SHAPE)
    boxes = image[:ny * side, :nx * side].reshape(ny, side, nx, side)
    boxes = boxes.swapaxes(1, 2).reshape(ny, nx, -1)
    for _ in range(3):
        middle = np.nanmedian(boxes, 2, keepdims=True)
        far = np.abs(boxes - middle) > 3 * np.nanstd(boxes, 2, keepdims=True)
        boxes = np.where(far, np.nan, boxes)
    sky = median_filter(np.nanmedian(boxes, 2), 3, mode='nearest')
    sky = zoom(sky, side, order=1, grid_mode=True, mode='nearest')
    return image - np.pad(sky, [(0, SHAPE[0] - len(sky)),
                                (0, SHAPE[1] - sky.shape[1])], 'edge')


@pytest.mark.parametrize(('change', 'size'), [
    (_filtered, 40), (_filtered, 48), (_mesh, 32)])
def test_sky_of_small_areas(change, size):
    for seed in range(8):
        image = change(GALAXY + _noise(seed=seed), size)
        rings = _rings(image)
        assert has_moat(image, NONE, rings)
        # (what was subtracted follows the galaxy: no pixel is much darker)
        assert not has_bowl(image, NONE, rings)


@pytest.mark.parametrize('axis', [0, 1])
def test_level_of_rows(axis):
    # as where the noise of rows is taken away
    image = GALAXY + _noise()
    image -= np.median(image, axis=axis, keepdims=True)
    rings = _rings(image)
    assert has_moat(image, NONE, rings)
    assert not has_bowl(image, NONE, rings)
    # which each have a level of their own before
    image = GALAXY + _noise() + 0.3 * np.random.default_rng(2).normal(
        size=np.take(SHAPE, [1 - axis])).reshape((1, -1) if axis == 0
                                                 else (-1, 1))
    assert not has_moat(image, NONE, _rings(image))


def test_what_matters():
    image = _filtered(GALAXY + _noise(), 80)
    assert has_moat(image, NONE, _rings(image))
    # errors that hold it
    assert not has_moat(image, NONE, _rings(
        image, intensity_err=0.3 + 0 * _rings().intensity_err))
    # correlated noise has such moats by chance
    assert not has_moat(image, NONE, _rings(image, noise_correlation=6.0))
    assert not has_moat(image, NONE, _rings(image, noise=0.0))
    assert not has_moat(image, ~NONE, _rings(image))
    assert not has_moat(image, NONE, _rings(image, eps=np.full(25, np.nan)))
    assert not has_moat(image, NONE, _rings(0 * image))


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('width', [0.0, 1.0])
def test_good_sky(width, seed):
    noise = _noise(width, seed)
    image = GALAXY + noise
    rings = _rings(image, noise_correlation=max(3.5 * width, 1.0))
    assert not has_moat(image, NONE, rings)
    # a level, a tilt, faint objects, an edge
    for sky in (-0.2, 0.004 * (X - 115), 0.2 * (X > 180),
                3.0 * (np.hypot(X - 40, Y - 160) < 12)):
        assert not has_moat(image + sky, NONE, rings)


@pytest.mark.parametrize('shape', [(8, 9), (30, 200)])
def test_small_frames(shape):
    image = np.random.default_rng(0).normal(size=shape)
    assert not has_moat(image, np.zeros(shape, bool), _rings())


def test_flag():
    fitter = Pix2ProfFitter()
    image = GALAXY + _noise()
    true = _rings()
    for data, wanted, low, high in (
            (image, False, 0.85, 1.0), (_filtered(image, 80), True, 0.7, 1.0),
            (_mesh(image, 32), True, 0.7, 1.0),
            (_filtered(image, 40), True, 0.2, 0.7)):
        profile = fitter(data, unit='nmgy', pixel_scale=0.4)
        flags = decode_flags(profile.meta['flag'], kind='galaxy')
        assert ('SKY_UNCERTAIN' in flags) is wanted
        # the medians of small areas hold a half of the light of some rings
        sma = profile['radius'].value / 0.4
        light = np.exp(np.interp(sma, true.sma, np.log(true.intensity)))
        bright = (sma > 4) & (light > 0.4)
        ratio = profile['intensity'].value * 0.4**2 / light
        assert low < ratio[bright].min() < high
