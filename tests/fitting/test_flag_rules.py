# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the rules of flags, on rings that no fitter measured.

Each rule is tried a little on both sides of its limit.
"""

import numpy as np
import pytest

from astro_pix2prof import GalaxyCutout, GalaxyFlag, RingFlag
from astro_pix2prof.fitting.flags import (
    Evidence,
    flag_galaxy,
    flag_rings,
    shape_effect,
)
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (121, 121)
CENTRE = (60.0, 60.0)
SMA = np.arange(0.5, 50)
LIGHT = 200 * np.exp(-SMA / 6)
NOISE = np.random.default_rng(1).normal(size=SHAPE)
Y, X = np.mgrid[:SHAPE[0], :SHAPE[1]]
GALAXY = 200 * np.exp(-np.hypot(X - 60, Y - 60) / 6) + NOISE


def make_rings(*, image=GALAXY, mask=None, psf_fwhm=None, given=None,
               **changes):
    """
    The rings of a round exponential galaxy, with noise of 1 in a pixel.
    """
    cutout = GalaxyCutout(image, mask=mask, unit='nmgy', pixel_scale=0.5,
                          psf_fwhm=psf_fwhm, noise=given)
    n = len(changes.get('sma', SMA))
    sma = changes.get('sma', SMA)
    values = {
        'sma': sma, 'intensity': 200 * np.exp(-sma / 6),
        'intensity_err': np.full(n, 0.1), 'eps': np.zeros(n),
        'theta': np.zeros(n), 'n_valid': np.ones(n),
        'flag': np.zeros(n, int), 'galaxy_flag': GalaxyFlag(0),
        'centre': CENTRE, 'noise': 1.0} | changes
    return MeasuredRings(cutout, **values)


def flags_of(rings, *, search=20.0, **evidence):
    return flag_galaxy(rings, Evidence(search, **evidence))


def with_value(value, where, *, usual=1.0):
    """
    Numbers of rings, of which some differ.
    """
    values = np.full(len(SMA), usual)
    values[where] = value
    return values


def test_nothing_wrong():
    assert flags_of(make_rings()) == 0
    assert not flag_rings(make_rings())[1:].any()


class TestCentre:
    @pytest.mark.parametrize(('part', 'offset', 'uncertain'), [
        (0.55, False, False), (0.65, True, False), (0.93, True, False),
        (0.97, True, True)])
    @pytest.mark.parametrize('direction', [0.3, 3.9])
    def test_search_radius(self, part, offset, uncertain, direction):
        # parts of the search radius by which the galaxy is off
        shift = part * 20 * np.array([np.cos(direction), np.sin(direction)])
        x, y = CENTRE + shift
        image = 200 * np.exp(-np.hypot(X - x, Y - y) / 6) + NOISE
        rings = make_rings(image=image, centre=(x, y))
        flag = flags_of(rings)
        assert bool(flag & GalaxyFlag.CENTRE_OFFSET) == offset
        assert bool(flag & GalaxyFlag.CENTRE_UNCERTAIN) == uncertain
        assert flags_of(rings, forced=True) == 0
        assert flags_of(rings, search=50) == 0
        # a fitter that may leave the radius has its own centre
        assert flags_of(rings, bounded=False) == (
            GalaxyFlag.CENTRE_OFFSET if offset else 0)

    def test_frame_that_is_no_square(self):
        rows, columns = np.indices((121, 141))
        image = 200 * np.exp(-np.hypot(columns - 70, rows - 60) / 6)
        image += np.random.default_rng(2).normal(size=image.shape)
        for away, offset in ((0.0, 0), (3.5, GalaxyFlag.CENTRE_OFFSET)):
            rings = make_rings(image=image, centre=(70.0, 60.0 + away))
            flag = flags_of(rings, search=5.0)
            assert flag & GalaxyFlag.CENTRE_OFFSET == offset

    @pytest.mark.parametrize(('evidence', 'uncertain'), [
        ({'centre_is_clear': False}, True), ({'shift': 0.28}, False),
        ({'shift': 0.32}, True), ({'centre_error': 0.45}, False),
        ({'centre_error': 0.55}, True)])
    def test_last_look(self, evidence, uncertain):
        flag = flags_of(make_rings(), **evidence)
        assert flag == (GalaxyFlag.CENTRE_UNCERTAIN if uncertain else 0)

    def test_error_of_a_flat_middle(self):
        # half of the peak is at 4.5 pixels in a cusp, at 20 in the other
        flat = 200 * np.exp(-0.5 * (SMA / 17)**2)
        image = 200 * np.exp(-0.5 * np.hypot(X - 60, Y - 60)**2 / 17**2)
        rings = make_rings(intensity=flat, image=image + NOISE)
        assert flags_of(rings, centre_error=0.9) == 0
        assert flags_of(rings, centre_error=1.1) & GalaxyFlag.CENTRE_UNCERTAIN
        # a trail is flat at any size
        trail = make_rings(intensity=200 / (1 + (SMA / 60)**2))
        assert flags_of(trail, centre_error=1.9) == 0
        assert flags_of(trail, centre_error=2.1) & GalaxyFlag.CENTRE_UNCERTAIN
        # a knot beside the middle may be the nucleus
        for away, height, seen in ((3.4, 200, True), (3.4, 40, False),
                                   (12, 200, False)):
            knot = np.exp(-0.5 * np.hypot(X - 60 - away, Y - 60)**2 / 1.5**2)
            rings = make_rings(intensity=flat,
                               image=image + NOISE + height * knot)
            assert bool(flags_of(rings, centre_error=0.9)
                        & GalaxyFlag.CENTRE_UNCERTAIN) == seen

    @pytest.mark.parametrize(('radius', 'part', 'hidden'), [
        (2.9, 0.45, True), (2.9, 0.55, False), (1.4, 0.1, False)])
    def test_rings_of_the_nucleus(self, radius, part, hidden):
        # half of most rings within three pixels
        rings = make_rings(n_valid=with_value(part, SMA < radius))
        flag = flags_of(rings)
        assert bool(flag & GalaxyFlag.CENTRE_UNCERTAIN) == hidden
        for evidence in ({'forced': True}, {'held': True}):
            flag = flags_of(rings, **evidence)
            assert not flag & GalaxyFlag.CENTRE_UNCERTAIN

    @pytest.mark.parametrize(('part', 'hidden'), [(0.2, False), (0.3, True)])
    @pytest.mark.parametrize('side', [0, 1, 2, 3])
    def test_pixels_around(self, part, hidden, side):
        # a quarter of those within ten pixels
        near = np.hypot(X - 60, Y - 60) <= 10
        distance = np.rot90(X - Y, side)
        limit = np.quantile(distance[near], 1 - part)
        rings = make_rings(mask=distance > limit)
        assert bool(flags_of(rings)
                    & GalaxyFlag.CENTRE_UNCERTAIN) == hidden

    @pytest.mark.parametrize('mask', [
        np.random.default_rng(3).random(SHAPE) < 0.4, (X + Y) % 5 < 2,
        X % 3 == 0], ids=['scattered', 'stripes', 'columns'])
    def test_scattered_pixels_hide_no_peak(self, mask):
        assert not flags_of(make_rings(mask=mask)) & (
            GalaxyFlag.CENTRE_UNCERTAIN)
        hole = mask | (np.hypot(X - 57, Y - 60) < 7)
        assert flags_of(make_rings(mask=hole)) & GalaxyFlag.CENTRE_UNCERTAIN

    @pytest.mark.parametrize(('room', 'hidden'), [(5, False), (2, True)])
    @pytest.mark.parametrize('axis', [0, 1])
    @pytest.mark.parametrize('far', [False, True])
    def test_pixels_beyond_the_frame(self, room, hidden, axis, far):
        # beyond a chord 5 and 2 pixels away lie 20 and 37 per cent
        centre = list(CENTRE)
        centre[axis] = 120.0 - room if far else float(room)
        rings = make_rings(centre=tuple(centre))
        flag = flags_of(rings, search=90)
        assert bool(flag & GalaxyFlag.CENTRE_UNCERTAIN) == hidden


class TestSource:
    @pytest.mark.parametrize(('snr', 'none'), [(3.8, True), (4.2, False)])
    def test_stated_errors(self, snr, none):
        # (of pixels that have no more light than noise)
        rings = make_rings(image=NOISE, intensity_err=LIGHT / snr)
        assert bool(flags_of(rings) & GalaxyFlag.NO_SOURCE) == none

    @pytest.mark.parametrize(('snr', 'none'), [(3.8, True), (4.2, False)])
    def test_photons(self, snr, none):
        # of rings one pixel wide
        area = np.maximum(2 * np.pi * SMA, 1)
        rings = make_rings(image=NOISE, intensity=snr / np.sqrt(area),
                           intensity_err=np.full(len(SMA), 1e-9))
        assert bool(flags_of(rings) & GalaxyFlag.NO_SOURCE) == none

    @pytest.mark.parametrize(('snr', 'none'), [(6.8, True), (7.2, False)])
    def test_all_light(self, snr, none):
        # an even disc, no ring of which is seen
        inside = np.hypot(X - 60, Y - 60) <= 20
        level = snr / np.sqrt(np.count_nonzero(inside))
        rings = make_rings(
            image=level * inside,
            intensity=with_value(0.0, SMA > 20.2, usual=level),
            intensity_err=np.full(len(SMA), 1.0))
        assert bool(flags_of(rings) & GalaxyFlag.NO_SOURCE) == none
        assert flags_of(rings, found=False) & GalaxyFlag.NO_SOURCE

    @pytest.mark.parametrize(('level', 'none'), [(0.09, True),
                                                 (0.11, False)])
    def test_faint_sky(self, level, none):
        # a tenth of the noise of a pixel, however significant
        sma = np.arange(0.5, 400)
        rings = make_rings(sma=sma, intensity=np.full(400, level),
                           intensity_err=np.full(400, 1e-9))
        assert bool(flags_of(rings) & GalaxyFlag.NO_SOURCE) == none

    def test_not_found(self):
        assert flags_of(make_rings(), found=False) == GalaxyFlag.NO_SOURCE
        # what is not there is not truncated
        assert flags_of(make_rings(), found=False,
                        truncated=True) == GalaxyFlag.NO_SOURCE

    def test_bits_stay(self):
        rings = make_rings(galaxy_flag=GalaxyFlag.FORCED)
        assert flags_of(rings) == GalaxyFlag.FORCED


class TestRings:
    @pytest.mark.parametrize(('where', 'saturated'), [(2, True), (3, False)])
    def test_saturated(self, where, saturated):
        # rings within three pixels
        flag = np.zeros(len(SMA), int)
        flag[where] = RingFlag.SATURATED
        assert flags_of(make_rings(flag=flag)) == (
            GalaxyFlag.SATURATED if saturated else 0)

    @pytest.mark.parametrize(('snr', 'last', 'truncated'), [
        (2.8, 70.5, False), (3.2, 70.5, True), (3.2, 58.5, False)])
    def test_truncated(self, snr, last, truncated):
        # light beyond the edge, 60.5 pixels away
        sma = np.append(SMA, last)
        intensity = np.append(LIGHT, snr / np.sqrt(
            2 * np.pi * last))
        rings = make_rings(sma=sma, intensity=intensity)
        assert bool(flags_of(rings) & GalaxyFlag.TRUNCATED) == truncated

    def test_truncated_as_the_fitter_says(self):
        assert flags_of(make_rings(),
                        truncated=True) == GalaxyFlag.TRUNCATED

    @pytest.mark.parametrize(('light', 'part', 'truncated'), [
        (1.2, 0.85, True), (1.2, 0.95, False), (0.8, 0.85, False)])
    def test_cut_off(self, light, part, truncated):
        # rings brighter than the noise of a pixel leave the frame, though
        # not the last one
        sma = np.append(SMA, [70.5, 80.5])
        intensity = np.append(LIGHT, [light, 0.0])
        rings = make_rings(sma=sma, intensity=intensity,
                           n_valid=np.append(np.ones(50), [part, 0.5]))
        assert bool(flags_of(rings) & GalaxyFlag.TRUNCATED) == truncated

    @pytest.mark.parametrize(('snr', 'truncated'), [(9, False), (11, True)])
    def test_cut_off_clearly(self, snr, truncated):
        # ten times the noise of a ring one pixel wide, 4.5 pixels away
        light = np.where(SMA < 4, 100.0, 0.0)
        light[6] = snr / np.sqrt(2 * np.pi * 6.5)
        rings = make_rings(intensity=light, centre=(4.0, 60.0),
                           n_valid=with_value(0.8, 6))
        flag = flags_of(rings, search=90)
        assert bool(flag & GalaxyFlag.TRUNCATED) == truncated

    def test_point_source(self):
        # a Gaussian, alone and within a PSF known to be half as wide
        light = 1e3 * 0.5**(SMA / 2)**2
        for psf_fwhm, flag in ((None, GalaxyFlag.POINT_SOURCE),
                               (2.0, GalaxyFlag.POINT_SOURCE), (1.0, 0)):
            rings = make_rings(intensity=light, psf_fwhm=psf_fwhm)
            assert flags_of(rings) == flag

    @pytest.mark.parametrize(('peak', 'flag'), [
        (1e3, GalaxyFlag.POINT_SOURCE),
        (0, GalaxyFlag.POINT_SOURCE | GalaxyFlag.NO_SOURCE)])
    def test_unsure_of_a_star(self, peak, flag):
        # errors as large as the light, of a star and of noise
        light = 1e3 * 0.5**(SMA / 2)**2
        image = NOISE + peak * 0.5**(((X - 60)**2 + (Y - 60)**2) / 4)
        rings = make_rings(image=image, intensity=light,
                           intensity_err=light)
        assert flags_of(rings) == flag

    @pytest.mark.parametrize(('where', 'part', 'masked'), [
        (20, 0.48, True), (20, 0.52, False), (49, 0.1, False)])
    def test_heavily_masked(self, where, part, masked):
        # half of a ring that stands out of the noise
        rings = make_rings(n_valid=with_value(part, where))
        assert flags_of(rings) == (GalaxyFlag.HEAVILY_MASKED if masked
                                   else 0)

    @pytest.mark.parametrize(('n', 'where', 'masked'), [
        (1, 0, False), (2, 0, True), (1, 1, True)])
    def test_one_pixel(self, n, where, masked):
        # a ring within a pixel of the centre may miss one
        mask = np.zeros(SHAPE, bool)
        mask[60, 60:60 + n] = True
        mask[60, 62] = True
        rings = make_rings(mask=mask, n_valid=with_value(0.1, where))
        assert bool(flags_of(rings) & GalaxyFlag.HEAVILY_MASKED) == masked

    @pytest.mark.parametrize(('light', 'flag'), [
        (0.09, 0), (0.11, GalaxyFlag.NEIGHBOUR)])
    def test_neighbour(self, light, flag):
        assert flags_of(make_rings(), neighbour=light) == flag

    @pytest.mark.parametrize(('masked', 'flag'), [
        ({'masked_pixels': 0.049, 'masked_light': 0.019}, 0),
        ({'masked_pixels': 0.051}, GalaxyFlag.NEIGHBOUR),
        ({'masked_light': 0.021}, GalaxyFlag.NEIGHBOUR)])
    def test_masked_objects(self, masked, flag):
        assert flags_of(make_rings(), **masked) == flag

    @pytest.mark.parametrize(('change', 'rough'), [
        (0.069, False), (0.071, True)])
    def test_rough_ellipses(self, change, rough):
        # the median change of the profile by the error of the axis ratio, of
        # light that falls with the square of the radius
        light = 5e4 / SMA**2
        error = 0.4 * change / (0.5 * 2 * 1.085736)
        options = {'intensity': light, 'intensity_err': np.full(50, 60.0),
                   'eps': np.full(50, 0.6)}
        seen = light / 60 > 3
        assert np.count_nonzero(seen & (SMA > 3)) == 14
        for known in (seen, seen & (SMA < 12) & (SMA > 3)):
            eps_err = np.where(seen, np.nan, 9.0)
            eps_err[known] = error
            rings = make_rings(eps_err=eps_err, **options)
            flag = flags_of(rings) & GalaxyFlag.GEOMETRY_UNCERTAIN
            assert bool(flag) == rough
        # neither the core nor what is not seen counts
        other = np.where(seen & (SMA > 3), error, 9.0 if not rough else 0.0)
        rings = make_rings(eps_err=other, **options)
        assert bool(flags_of(rings) & GalaxyFlag.GEOMETRY_UNCERTAIN) == rough
        # the error that will be stated counts
        rings = make_rings(eps_err=9 - other, **options)
        for limit, expected in ((0.07, rough), (0.1, False)):
            flag = flags_of(rings, eps_err=other, rough=limit)
            assert bool(flag & GalaxyFlag.GEOMETRY_UNCERTAIN) == expected

    def test_ellipses_of_a_flat_core(self):
        """
        Errors of the shape do not matter where the light does not change.
        """
        options = {'eps': np.full(50, 0.6), 'eps_err': np.full(50, 0.1)}
        flag = flags_of(make_rings(**options))
        assert flag & GalaxyFlag.GEOMETRY_UNCERTAIN
        light = 20 * np.exp(-(SMA / 40)**4)
        rings = make_rings(intensity=light, intensity_err=np.where(
            SMA < 25, 1.0, 99.0), **options)
        assert not flags_of(rings) & GalaxyFlag.GEOMETRY_UNCERTAIN

    def test_ellipses_without_errors(self):
        eps = np.full(50, 0.6)
        for rings in (make_rings(eps=eps),
                      make_rings(eps=eps, eps_err=np.full(50, np.nan))):
            assert flags_of(rings) == 0
        rings = make_rings(eps=eps, eps_err=np.ones(50),
                           galaxy_flag=GalaxyFlag.FORCED)
        assert flags_of(rings) == GalaxyFlag.FORCED

    @pytest.mark.parametrize(('outer', 'rough'), [(2, True), (3, False)])
    def test_ellipses_of_a_small_galaxy(self, outer, rough):
        # where fewer than three rings are beyond three pixels, all count
        sma = np.append([0.6, 1, 1.5, 2, 2.5], [3.2, 3.6, 4.0][:outer])
        rings = make_rings(sma=sma, eps_err=np.where(sma < 3, 2.0, 0.01))
        assert bool(flags_of(rings) & GalaxyFlag.GEOMETRY_UNCERTAIN) == rough

    def test_effect_of_the_shape(self):
        # along an ellipse whose axis ratio is off, the mean of the light
        # differs by so much
        angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
        light = [np.mean(200 * np.exp(-np.hypot(
            20 * np.cos(angle), 20 * q / 0.6 * np.sin(angle)) / 6))
            for q in (0.59, 0.61)]
        rings = make_rings(eps=np.full(50, 0.4))
        effect = np.interp(20, SMA, shape_effect(rings, np.full(50, 0.01)))
        assert effect == pytest.approx(
            1.25 * np.log10(light[0] / light[1]), rel=0.03)
        rings = make_rings(sma=np.arange(0.0, 4), intensity=np.array(
            [9, 1, -1, np.nan]))
        assert np.isnan(shape_effect(rings, np.ones(4))).all()

    def test_blend(self):
        # a galaxy as bright that stands in its light; but not of nothing
        other = 200 * np.exp(-np.hypot(X - 78, Y - 66) / 6)
        rings = make_rings(image=GALAXY + other)
        assert flags_of(rings) & GalaxyFlag.NEIGHBOUR
        assert not flags_of(rings, found=False) & GalaxyFlag.NEIGHBOUR
        # (the sky may be tilted, and has a level)
        rings = make_rings(image=GALAXY + 40.0, sky=20.0)
        assert flags_of(rings, tilt=np.full(SHAPE, 20.0)) == 0

    @pytest.mark.parametrize('equal', [False, True])
    def test_image_of_equal_pixels(self, equal):
        rings = make_rings(image=GALAXY.copy())
        if equal:
            # (but for a pixel that does not count)
            rings.cutout.data[:] = 5.0
            rings.cutout.data[3, 3], rings.cutout.mask[3, 3] = 9.0, True
        assert bool(flags_of(rings) & GalaxyFlag.NO_SOURCE) == equal

    def test_noise(self):
        image = GALAXY + NOISE
        rings = make_rings(image=image, given=np.ones(SHAPE))
        assert flags_of(rings) == GalaxyFlag.WRONG_NOISE
        rings = make_rings(image=image, given=np.full(SHAPE, 2.0))
        assert flags_of(rings) == 0
        # (that of the image is believed, rather than a calmer one)
        assert flags_of(make_rings(noise=0.01)) == 0


class TestDomain:
    @pytest.mark.parametrize(('distance', 'flag'), [
        (0.98, 0), (1.02, GalaxyFlag.OUT_OF_DOMAIN)])
    def test_distance(self, distance, flag):
        assert flags_of(make_rings(), distance=distance) == flag

    @pytest.mark.parametrize('sign', [-1, 1])
    @pytest.mark.parametrize(('mag', 'differs'), [(0.38, False),
                                                  (0.42, True)])
    def test_means(self, sign, mag, differs):
        # the median over bright rings
        rings = make_rings()
        mean = rings.intensity * 10**(0.4 * sign * mag)
        expected = GalaxyFlag.OUT_OF_DOMAIN if differs else 0
        assert flags_of(rings, mean=mean) == expected
        # the centre, faint rings, hidden ones and those without light
        # do not count, and two rings are too few
        for left_out in (SMA < 3, SMA > 3):
            half = np.where(left_out, mean, rings.intensity)
            assert flags_of(rings, mean=half) == (
                0 if left_out[0] else expected)
        hidden = make_rings(n_valid=with_value(0.55, SMA > 3))
        assert flags_of(hidden, mean=mean) == expected
        for dark in (-1.0, 0.0):
            few = np.where(SMA < 5, mean, dark)
            assert flags_of(rings, mean=few) == 0
            few = np.where(SMA < 6, mean, dark)
            assert flags_of(rings, mean=few) == expected

    def test_faint_rings(self):
        rings = make_rings()
        bright = rings.photon_snr > 8
        mean = np.where(bright, rings.intensity, 1e9)
        assert flags_of(rings, mean=mean) == 0
        assert 30 < bright.sum() < 49


class TestRingFlags:
    def has(self, rings, flag, **options):
        return (flag_rings(rings, **options) & int(flag)) > 0

    def test_unresolved(self):
        # within a pixel, or half of the width of the PSF (4.6 arcsec)
        found = self.has(make_rings(), RingFlag.UNRESOLVED)
        np.testing.assert_array_equal(found, SMA < 1)
        rings = make_rings(psf_fwhm=4.6)
        found = self.has(rings, RingFlag.UNRESOLVED)
        np.testing.assert_array_equal(found, SMA < 4.6)

    def test_extrapolated(self):
        rings = make_rings(n_valid=with_value(0.0, 7),
                           intensity=with_value(np.nan, 9, usual=5.0))
        found = self.has(rings, RingFlag.EXTRAPOLATED)
        assert np.flatnonzero(found).tolist() == [7, 9]

    def test_fixed(self):
        assert self.has(make_rings(), RingFlag.FIXED_GEOMETRY,
                        fixed=True).all()
        assert not self.has(make_rings(), RingFlag.FIXED_GEOMETRY).any()

    def test_own_flags_stay(self):
        rings = make_rings(flag=np.full(len(SMA), int(RingFlag.EXTENDED)))
        assert self.has(rings, RingFlag.EXTENDED).all()

    @pytest.mark.parametrize(('theta', 'room'), [
        (0.0, 20.5), (np.pi / 2, 20.5 / 0.4), (np.pi, 20.5),
        (0.6, 20.5 / np.hypot(np.cos(0.6), 0.4 * np.sin(0.6)))])
    @pytest.mark.parametrize('far', [False, True])
    def test_edge(self, theta, room, far):
        # an ellipse of axis ratio 0.4, 20.5 pixels from the edge
        sma = np.arange(0.75, 60, 0.5)
        n = len(sma)
        for axis, angle in ((0, theta), (1, np.pi / 2 - theta)):
            centre = list(CENTRE)
            centre[axis] = 100.0 if far else 20.0
            rings = make_rings(sma=sma, centre=tuple(centre),
                               eps=np.full(n, 0.6), theta=np.full(n, angle))
            found = self.has(rings, RingFlag.EDGE)
            np.testing.assert_array_equal(found, sma > room)

    def test_growth_beyond_frame(self):
        """
        With all of the light that rings count for beyond the frame.
        """
        sma = np.arange(0.5, 60)
        light = 200 * np.exp(-sma / 20)
        leaves = sma > 20.5
        seen = np.where(leaves, 0.7, 1.0)
        rings = make_rings(sma=sma, intensity=light, n_valid=seen,
                           centre=(20.0, 60.0))
        found = self.has(rings, RingFlag.GROWTH_EXTRAPOLATED)
        flux = np.cumsum(light * sma)
        part = np.cumsum(light * sma * (1 - seen)) / flux
        assert not found[part < 0.04].any()
        assert found[part > 0.06].all()
        # in any unit
        faint = make_rings(sma=sma, intensity=1e-9 * light, n_valid=seen,
                           centre=(20.0, 60.0), noise=1e-9)
        np.testing.assert_array_equal(
            self.has(faint, RingFlag.GROWTH_EXTRAPOLATED), found)
        # a steep profile has next to no light out there
        steep = make_rings(sma=sma, intensity=200 * np.exp(-sma / 3),
                           n_valid=seen, centre=(20.0, 60.0))
        assert not self.has(steep, RingFlag.GROWTH_EXTRAPOLATED).any()

    def test_masked_light_is_not_beyond_frame(self):
        rings = make_rings(n_valid=np.full(len(SMA), 0.5))
        assert not self.has(rings, RingFlag.GROWTH_EXTRAPOLATED).any()

    @pytest.mark.parametrize(('n_pixels', 'saturated'), [(1, False),
                                                         (6, True)])
    def test_saturated(self, n_pixels, saturated):
        # two per cent of a ring of 126 pixels
        image = GALAXY.copy()
        image[60:60 + n_pixels, 80] = 1e4 + np.arange(n_pixels)
        rings = make_rings(image=image, sma=np.arange(1.0, 50))
        rings.cutout.saturation = 9e3
        found = self.has(rings, RingFlag.SATURATED)
        assert found[19] == saturated
        assert not found[:17].any()
        assert not found[24:].any()
