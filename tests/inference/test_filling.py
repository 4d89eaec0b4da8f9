# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of filling missing pixels before a network looks.
"""

from dataclasses import replace

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import Pix2ProfFitter, decode_flags
from astro_pix2prof.detection.hidden import HiddenCentre
from astro_pix2prof.inference import filling
from astro_pix2prof.inference.filling import (
    fill_frame,
    fill_pixels,
    read_filled,
)
from astro_pix2prof.networks.readers.frame import (
    Caption,
    Frame,
    crop_filled,
    crop_frames,
)
from astro_pix2prof.networks.readers.views import turn_frame

NOISE = 0.03
SHAPE = (160, 160)
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 1.0}


def _render(shape, x0, y0, *, level=0.3, re=12.0, n=1.2, q=0.6, theta=0.6,
            fwhm=3.0):
    """
    A galaxy without noise, as a camera sees it.
    """
    model = Sersic2D(level, re, n, x0, y0, 1 - q, theta)
    y, x = np.mgrid[:shape[0], :shape[1]].astype(float)
    steps = (np.arange(4) + 0.5) / 4 - 0.5
    image = sum(model(x + dx, y + dy) for dx in steps for dy in steps) / 16
    return gaussian_filter(image, fwhm / 2.3548)


CENTRE = (80.3, 78.6)


@pytest.fixture(scope='module')
def clean():
    return _render(SHAPE, *CENTRE)


@pytest.fixture(scope='module')
def image(clean):
    return clean + np.random.default_rng(2).normal(0, NOISE, SHAPE)


@pytest.fixture(scope='module')
def fitter():
    return Pix2ProfFitter()


@pytest.fixture(scope='module')
def whole(fitter, image):
    return fitter(image, **OPTIONS)


def _distance(x0, y0, shape=SHAPE):
    y, x = np.mgrid[:shape[0], :shape[1]]
    return np.hypot(x - x0, y - y0)


def _columns(first, last):
    mask = np.zeros(SHAPE, bool)
    mask[:, first:last] = True
    return mask


HOLES = {
    'star': _distance(92, 84) < 8, 'columns': _columns(84, 97),
    'pixel': _distance(80, 79) < 0.5, 'half': _columns(95, 160),
    'core': _distance(*CENTRE) < 6}

ELLIPSES = (np.array([0.0, 100.0]), np.full(2, 0.4), np.full(2, 0.6))


def _fill(data, mask, **options):
    return fill_pixels(np.where(mask, 0, data), mask, CENTRE, *ELLIPSES,
                       sigma=NOISE, extent=50.0, reach=60.0, **options)


@pytest.mark.parametrize('hole', ['star', 'columns', 'pixel', 'half'])
def test_filled_values(clean, hole):
    mask = HOLES[hole]
    out, filled = _fill(clean, mask)
    assert filled.any()
    assert not (filled & ~mask).any()
    np.testing.assert_array_equal(out[~mask], clean[~mask])
    np.testing.assert_allclose(out[filled], clean[filled], rtol=0.1,
                               atol=0.2 * NOISE)


def test_mirror_pixels_missing_too(clean):
    mask = HOLES['star'] | (_distance(68.6, 73.2) < 8)
    out, filled = _fill(clean, mask)
    np.testing.assert_allclose(out[filled], clean[filled], rtol=0.15,
                               atol=NOISE)


def test_star_in_the_mirror_is_not_copied(clean):
    star = 50 * np.exp(-0.5 * (_distance(68.6, 73.2) / 1.5)**2)
    mask = HOLES['star']
    out, filled = _fill(clean + star, mask)
    assert (out[filled] < 3 * clean[filled] + 10 * NOISE).all()


def test_missing_core_is_continued(clean):
    mask = HOLES['core']
    out, filled = _fill(clean, mask)
    edge = clean[(_distance(*CENTRE) < 8) & ~mask].max()
    assert out[79, 80] > edge
    np.testing.assert_allclose(out[filled], clean[filled], rtol=0.5)


def test_no_missing_pixel_in_the_galaxy(clean):
    mask = _distance(10, 10) < 5
    out, filled = _fill(clean, mask)
    assert not filled.any()
    np.testing.assert_array_equal(out, np.where(mask, 0, clean))


def _frame(image, mask, centre=CENTRE):
    return Frame(np.where(mask, 0, image).astype(np.float32), mask, NOISE,
                 centre, position=centre)


def _caption(centre=CENTRE, **changes):
    sma = np.arange(40.0)
    caption = Caption(sma, 2 * np.exp(-sma / 9), np.full(40, 0.01), False,
                      e1=np.full(40, 0.14), e2=np.full(40, 0.37),
                      valid=np.ones(40), centre=centre)
    return replace(caption, **changes)


def test_frame_without_missing_pixels(image):
    mask = np.zeros(SHAPE, bool)
    assert fill_frame(_frame(image, mask), _caption()) is None


def test_galaxy_that_was_not_found(image):
    frame = _frame(image, HOLES['star'])
    assert fill_frame(frame, _caption(intensity=np.zeros(40))) is None
    assert fill_frame(frame, _caption((np.nan, 80.0))) is None


def test_frame_is_enlarged_at_a_near_edge(image):
    frame = _frame(image[:, 74:], np.zeros((160, 86), bool),
                   (6.3, CENTRE[1]))
    wide, before = fill_frame(frame, _caption((6.3, CENTRE[1])))
    assert before[0] > 20
    assert before[1] == 0
    x = before[0] + 6.3
    assert wide.centre == (x, CENTRE[1])
    assert wide.position == (x, CENTRE[1])
    assert wide.mask[:, :before[0]].all()
    # what was cut off comes back
    part = np.s_[60:100, before[0] - 15:before[0]]
    assert wide.filled[part].all()
    np.testing.assert_allclose(wide.image[part], image[60:100, 59:74],
                               atol=6 * NOISE)


@pytest.mark.parametrize(('far', 'start'), [
    (False, (70.0, 70.0)), (True, CENTRE)])
def test_filled_frame_is_read_from_where_the_galaxy_is(image, far, start):
    frame = replace(_frame(image, HOLES['star'], (70.0, 70.0)),
                    may_be_far=far)
    assert fill_frame(frame, _caption())[0].centre == start


def test_filled_frame_is_read_from_its_centre_close_by(image):
    frame = replace(_frame(image, HOLES['star'], (78.0, 78.0)),
                    may_be_far=True)
    assert fill_frame(frame, _caption())[0].centre == (78.0, 78.0)


def test_reader_is_asked_once_without_missing_pixels(image):
    class Reader:
        calls, step = 0, 0.0

        def read(self, frames):
            self.calls += 1
            caption = _caption()
            caption.intensity = caption.intensity * (
                1 + self.step * self.calls)
            return [caption for _ in frames]

    reader = Reader()
    plain, holed = (_frame(image, mask) for mask in (
        np.zeros(SHAPE, bool), HOLES['star']))
    read_filled(reader, [plain])
    assert reader.calls == 1
    # Once more with holes, if nothing moves by then, and three times at most.
    # (the errors are 0.01 mag)
    for step, calls in ((0.0, 3), (0.0008, 3), (0.0012, 5), (0.05, 5)):
        reader.calls, reader.step = 1, step
        read_filled(reader, [plain, holed])
        assert reader.calls == calls, step


def test_filled_pixels_follow_views_and_squares(image):
    mask = HOLES['star']
    frame = replace(_frame(image, mask), filled=mask)
    turned = turn_frame(frame, 5)
    np.testing.assert_array_equal(turned.filled, turned.mask)
    _, _, first = crop_frames([frame], 64)
    square = crop_filled([frame], 64, first)
    np.testing.assert_array_equal(
        square[0], mask[first[0, 1]:, first[0, 0]:][:64, :64])
    assert crop_filled([_frame(image, mask)], 64, first) is None
    _, _, first = crop_frames([frame], 256)
    assert crop_filled([frame], 256, first).sum() == mask.sum()


class TestHiddenCentre:
    @pytest.fixture(name='frames')
    def read_hidden(self, image, monkeypatch):
        """
        Read with an error of the centre along x; give the last four frames.
        """
        def read(spread):
            frames = []

            class Reader:
                def read(self, given):
                    frames.extend(given)
                    return [_caption(frame.centre) for frame in given]

            monkeypatch.setattr(
                filling, 'find_hidden_centre', lambda *_, **__: HiddenCentre(
                    CENTRE, np.diag([spread**2, 1.0])))
            caption, = read_filled(Reader(), [_frame(image, HOLES['core'])])
            assert caption.trust['hidden'] == spread
            assert all(frame.hold for frame in frames[-4:])
            return frames[-4:]
        return read

    def test_error(self, frames):
        """
        The galaxy is read about centres that are moved by their error.
        """
        found = sorted(frame.centre for frame in frames(4.0))
        np.testing.assert_allclose(found, [
            (76.3, 78.6), (80.3, 77.6), (80.3, 79.6), (84.3, 78.6)])

    def test_error_that_leads_out_of_the_frame(self, frames):
        """
        A centre that could be anywhere is somewhere in the frame.

        (The frame was enlarged to hold the places it was moved to.)
        """
        found = frames(1e4)
        sizes = [frame.image.shape[1] for frame in found]
        # the reach of the profile is added on one side, at most
        assert max(sizes) < SHAPE[1] + 1.3 * 40 + 8 + 2
        # the first column of the image, and the last one
        left, = (frame for frame in found if (
            frame.image.shape[1] - frame.centre[0] == SHAPE[1]))
        assert left.image.shape[1] > SHAPE[1]
        assert max(frame.centre[0] for frame in found) == SHAPE[1] - 1


def _difference(profile, whole, data_limit=0.5 * NOISE):
    """
    Magnitudes and errors of a profile less those of the whole image.
    """
    sma = profile['radius'].value
    usual = np.interp(sma, whole['radius'].value, whole['intensity'].value)
    use = usual > data_limit
    change = -2.5 * np.log10(profile['intensity'].value / usual)[use]
    return sma[use], change, profile['surface_brightness_err'].value[use]


@pytest.mark.parametrize('hole', ['star', 'columns', 'half', 'pixel'])
def test_holes_do_not_bend_a_profile(fitter, image, whole, hole):
    profile = fitter(np.where(HOLES[hole], np.nan, image), **OPTIONS)
    _, change, error = _difference(profile, whole)
    assert abs(np.median(change)) < 0.03
    assert (abs(change) / error).max() < 5
    shape = [np.interp(15, table['radius'].value, table['ellipticity'])
             for table in (profile, whole)]
    assert abs(shape[0] - shape[1]) < 0.04
    assert profile['n_valid'].min() < 0.9
    assert np.hypot(profile.meta['x_centre'] - CENTRE[0],
                    profile.meta['y_centre'] - CENTRE[1]) < 0.5


@pytest.mark.parametrize('seed', [1, 2])
def test_star_on_the_long_side(fitter, seed):
    """
    A hole beside the nucleus, on the major axis, does not draw the centre.

    (What was interpolated from its rim did, about which it was filled next.)
    """
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    disc = Sersic2D(20 * NOISE, 20, 1, *CENTRE, 0.4, np.radians(30))(x, y)
    disc = gaussian_filter(disc, 1.3)
    image = disc + np.random.default_rng(seed).normal(0, NOISE, SHAPE)
    hole = np.hypot(x - CENTRE[0] - 12, y - CENTRE[1] - 6) < 8
    usual = fitter(image, **OPTIONS)
    profile = fitter(np.where(hole, np.nan, image), **OPTIONS)
    _, change, _ = _difference(profile, usual)
    assert abs(np.median(change)) < 0.015
    assert np.hypot(profile.meta['x_centre'] - usual.meta['x_centre'],
                    profile.meta['y_centre'] - usual.meta['y_centre']) < 0.15


def test_rows_of_no_weight(fitter, image, whole):
    weight = np.full(SHAPE, NOISE**-2)
    weight[82:90] = 0
    profile = fitter(image, invvar=weight, **OPTIONS)
    _, change, error = _difference(profile, whole)
    assert abs(np.median(change)) < 0.03
    assert (abs(change) / error).max() < 5


def test_masked_core_is_flagged(fitter, image, whole):
    profile = fitter(image, mask=HOLES['core'], **OPTIONS)
    sma, change, error = _difference(profile, whole)
    assert abs(np.median(change[sma > 7])) < 0.05
    assert (abs(change) / error).max() < 5
    flags = decode_flags(profile.meta['flag'], kind='galaxy')
    assert {'CENTRE_UNCERTAIN', 'HEAVILY_MASKED'} <= set(flags)
    inner = profile['radius'].value < 2
    assert (profile['n_valid'][inner] == 0).all()
    assert (profile['surface_brightness_err'].value[inner] > 0.25).all()
    assert all('EXTRAPOLATED' in names for names in decode_flags(
        profile['flag'][inner]))


def test_galaxy_at_the_edge(fitter, image, whole):
    cut = image[:, 74:]
    profile = fitter(cut, position=(6.3, 78.6), **OPTIONS)
    _, change, error = _difference(profile, whole)
    assert abs(np.median(change)) < 0.05
    assert (abs(change) / error).max() < 5
    assert abs(profile.meta['x_centre'] - 6.3) < 0.5
    assert 'TRUNCATED' in decode_flags(profile.meta['flag'], kind='galaxy')


def test_single_and_many_are_the_same(fitter, image):
    hidden = np.where(HOLES['star'], np.nan, image)
    one = fitter(hidden, **OPTIONS)
    batch, = fitter.fit_many([image, hidden], **OPTIONS)
    many = batch[1]
    np.testing.assert_allclose(
        many['intensity'].value[:len(one)], one['intensity'].value,
        rtol=1e-4)


@pytest.mark.parametrize('seed', [3, 8])
def test_nucleus_beside_the_edge_of_what_is_seen(fitter, seed):
    """
    A mirror image about a wrong centre must not lead it farther away.
    """
    rng = np.random.default_rng(seed)
    x0, y0 = 70.7 + rng.uniform(-1, 1), 87.4 + rng.uniform(-1, 1)
    data = _render(SHAPE, x0, y0, level=0.4, re=15.0, n=3.3, q=0.47,
                   theta=0.85) + rng.normal(0, NOISE, SHAPE)
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    hole = 0.6 * (x - x0) - 0.8 * (y - y0) > 4.2
    fit = fitter.fit(np.where(hole, np.nan, data), **OPTIONS)
    assert np.hypot(fit.centre[0] - x0, fit.centre[1] - y0) < 0.5
    _, change, error = _difference(fit.profile, fitter(data, **OPTIONS))
    assert (np.abs(change) < 5 * error).all()
    assert abs(np.median(change)) < 0.05


@pytest.mark.parametrize('fill', [False, True])
@pytest.mark.parametrize('widths', [((90, 90), (90, 90)), ((0, 201), (0, 0))])
def test_missing_border_is_no_part_of_a_frame(fitter, widths, fill):
    """
    A frame larger than the largest square was read in coarse pixels, too.
    """
    rng = np.random.default_rng(6)
    data = _render((256, 256), 127.3, 128.1, level=0.1, re=45.0, n=1.5)
    data += rng.normal(0, NOISE, data.shape)
    mask = _distance(140, 133, data.shape) < (8 if fill else 0)
    frames = [
        Frame(np.pad(data, more).astype(np.float32),
              np.pad(mask, more, constant_values=True), NOISE,
              (127.0 + more[1][0], 128.0 + more[0][0]))
        for more in (((0, 0), (0, 0)), widths)]
    one, two = read_filled(fitter.reader, frames)
    assert one.sma[-1] > 107
    np.testing.assert_allclose(two.sma, one.sma)
    np.testing.assert_allclose(two.intensity, one.intensity, rtol=1e-3)
    assert two.centre[0] - widths[1][0] == pytest.approx(one.centre[0],
                                                         abs=1e-2)


def _random_hole(kind, rng, centre):
    d = rng.uniform(3, 25)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    x, y = x - centre[0], y - centre[1]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    if kind == 'star':
        return np.hypot(along - d, across) < rng.uniform(3, 10)
    if kind == 'strip':
        first = rng.uniform(-5, 25)
        return (along > first) & (along < first + rng.uniform(1, 15))
    if kind == 'half':
        return along > rng.uniform(3, 40)
    if kind == 'core':
        return np.hypot(x, y) < rng.uniform(0.5, 7)
    return rng.random(SHAPE) < rng.uniform(0.02, 0.3)


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'level'), [
    *((kind, np.nan) for kind in ('star', 'strip', 'half', 'core',
                                  'pixels')),
    ('strip', 0.0), ('half', -99.0), ('half', -2 * NOISE)])
def test_random_holes(fitter, kind, level):
    rng = np.random.default_rng(sum(map(ord, kind)))
    failures, within = [], []
    for k in range(20):
        centre = rng.uniform(70, 90, 2)
        data = _render(SHAPE, *centre, level=np.exp(rng.uniform(-2, 0.7)),
                       re=rng.uniform(6, 16), n=rng.uniform(0.7, 4),
                       q=rng.uniform(0.4, 1), theta=rng.uniform(0, np.pi))
        data += rng.normal(0, NOISE, SHAPE)
        hole = _random_hole(kind, rng, centre)
        profile = fitter(np.where(hole, level, data), **OPTIONS)
        _, change, error = _difference(profile, fitter(data, **OPTIONS))
        score = np.abs(change) / error
        within.append((score < 1).mean())
        if score.max() > 5 or abs(np.median(change)) > max(
                0.05, np.median(error)):
            failures.append(k)
    assert failures == []
    assert np.mean(within) > 0.68


def test_annulus_of_each_pixel():
    """
    A table tells the annulus that a search finds.
    """
    radius = np.random.default_rng(0).uniform(0, 70, size=(60, 50))
    radius.flat[:15] = [*range(9), *(8 * 1.12**k for k in range(1, 7))]
    edges = filling._annuli(70.0)
    np.testing.assert_array_equal(
        filling._which_annulus(edges, radius),
        np.searchsorted(edges, radius, 'right') - 1)


def test_splines_of_a_part():
    """
    Splines of the part around some places are those of the image.
    """
    rng = np.random.default_rng(0)
    image = rng.normal(size=(90, 120))
    places = rng.uniform(50, 60, size=(2, 40))
    places[1] += 61
    np.testing.assert_allclose(
        filling._interpolate(image, places),
        map_coordinates(image, places, order=3, mode='nearest'), rtol=1e-9,
        atol=1e-10)
