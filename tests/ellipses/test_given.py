# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of ellipses that a user gives.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose
from photutils.isophote import EllipseGeometry

from astro_pix2prof import (
    GalaxyCutout,
    Pix2ProfFitter,
    build_profile,
    decode_flags,
)
from astro_pix2prof.ellipses.given import (
    check_ellipticity,
    check_pa,
    read_ellipses,
)


@pytest.fixture(scope='module')
def plain():
    """
    A disc of ellipticity 0.4 at 25 degrees from +x, without a WCS.
    """
    y, x = np.mgrid[:100, :104]
    angle = np.radians(25)
    dx, dy = x - 51.3, y - 49.2
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    noise = np.random.default_rng(3).normal(0, 1, x.shape)
    image = 400 * np.exp(-np.hypot(along, across / 0.6) / 9) + noise
    return GalaxyCutout(image, zeropoint=22.5, pixel_scale=0.4)


@pytest.fixture
def on_sky(galaxy_ccd):
    return GalaxyCutout(galaxy_ccd)


class TestValues:
    @pytest.mark.parametrize('value', [
        0.4, '40%', '0.4', 40 * u.percent, np.float32(0.4), ' 40 % '])
    def test_ellipticity(self, value):
        assert_allclose(check_ellipticity(value), 0.4, rtol=1e-6)

    @pytest.mark.parametrize(('value', 'error', 'message'), [
        (40, ValueError, "from 0 to below 1 .for per cent, write '40%'."),
        (1, ValueError, 'from 0 to below 1'),
        (-0.1, ValueError, 'from 0 to below 1'),
        (np.nan, ValueError, 'from 0 to below 1'),
        ('flat', TypeError, 'ellipticity must be a number'),
        (True, TypeError, 'ellipticity must be a number'),
        ([0.1, 0.2], TypeError, 'ellipticity must be a number'),
        (0.4 * u.deg, ValueError, "got the unit 'deg'"),
    ])
    def test_wrong_ellipticity(self, value, error, message):
        with pytest.raises(error, match=message):
            check_ellipticity(value)

    @pytest.mark.parametrize('value', [
        30, 30 * u.deg, np.pi / 6 * u.rad, '30', '30 deg', 1800 * u.arcmin])
    def test_pa(self, value):
        assert_allclose(check_pa(value), 30)

    @pytest.mark.parametrize(('value', 'error', 'message'), [
        (np.inf, ValueError, 'pa must be finite'),
        (3 * u.m, ValueError, "pa must be an angle, got the unit 'm'"),
        ('north', TypeError, 'pa must be degrees or an angle'),
        ([1, 2], TypeError, 'pa must be degrees or an angle'),
    ])
    def test_wrong_pa(self, value, error, message):
        with pytest.raises(error, match=message):
            check_pa(value)


class TestConventions:
    def test_without_wcs_pa_counts_from_x(self, plain):
        found = read_ellipses(plain, None, 0.4, 25)
        assert found.centre is None
        assert_allclose(np.degrees(found.theta), 25)

    def test_with_wcs_pa_counts_from_north(self, on_sky):
        """
        North is up and east to the left: 30 degrees are 120 from +x.
        """
        found = read_ellipses(on_sky, None, 0.4, 30)
        assert_allclose(np.degrees(found.theta), 120, atol=0.01)

    def test_photutils_counts_from_x(self, on_sky):
        geometry = EllipseGeometry(60, 64, 10, 0.3, np.radians(30))
        found = read_ellipses(on_sky, geometry)
        assert found.centre == (60, 64)
        assert not found.has_radii
        assert_allclose(np.degrees(found.theta), 30)
        assert_allclose(found.eps, 0.3)

    def test_centre_is_in_the_pixels_of_the_input(self, on_sky):
        part = on_sky.crop(60)
        geometry = EllipseGeometry(60, 64, 10, 0.3, 0.2)
        found = read_ellipses(part, geometry)
        assert_allclose(found.centre, np.subtract((60, 64), part.origin))

    def test_tables(self, on_sky):
        sma, eps = [2.0, 5.0, 9.0], [0.1, 0.2, 0.3]
        own = QTable({'radius': sma * u.arcsec, 'ellipticity': eps,
                      'pa': [30, 30, 30] * u.deg})
        theirs = Table({'sma': sma, 'ellipticity': eps, 'pa': [30, 30, 30],
                        'x0': [60, 60, 60], 'y0': [64, 64, 64]})
        angle = Table({'SMA': sma, 'eps': eps, 'theta': [30, 30, 30]})
        for table, theta, scale, centre in (
                (own, 120, 1 / on_sky.pixel_scale, None),
                (theirs, 30, 1, (60, 64)), (angle, 30, 1, None)):
            found = read_ellipses(on_sky, table)
            assert found.has_radii
            assert found.centre == centre
            assert_allclose(np.degrees(found.theta), theta, atol=0.01)
            assert_allclose(found.sma, np.array(sma) * scale)
            assert_allclose(found.at(np.array([2 * scale]))[0], 0.1)

    def test_two_columns(self, plain):
        table = Table({'sma': [2.0, 5.0], 'ellipticity': [0.1, 0.3]})
        found = read_ellipses(plain, table, pa=40)
        assert_allclose(np.degrees(found.theta), 40)
        assert_allclose(found.eps, [0.1, 0.3])

    def test_rows_without_shape(self, plain):
        """
        They keep their radii, and say where their shape comes from.
        """
        table = Table({'sma': [0.0, 2.0, 4.0, 6.0],
                       'ellipticity': [np.nan, 0.2, 0.3, 0.4],
                       'pa': [np.nan, 30.0, np.nan, 30.0]})
        with pytest.warns(AstropyUserWarning,
                          match=r'no shape in 1 row\(s\), .* 4 to 4 pixels'):
            found = read_ellipses(plain, table)
        assert_allclose(found.sma, [2, 4, 6])
        assert_allclose(found.eps, [0.2, 0.3, 0.4])
        assert_allclose(np.degrees(found.theta), 30)
        table['sma'][2] = np.nan
        with pytest.warns(AstropyUserWarning, match='no radius in 1 row'):
            found = read_ellipses(plain, table)
        assert_allclose(found.sma, [2, 6])

    def test_circles_of_a_table_need_no_angle(self, plain):
        table = Table({'sma': [2.0, 4.0], 'ellipticity': [0.0, 0.2],
                       'pa': [np.nan, 30.0]})
        assert_allclose(read_ellipses(plain, table).eps, [0, 0.2])

    def test_circles_need_no_angle(self, plain):
        assert_allclose(read_ellipses(plain, None, 0).eps, 0)

    @pytest.mark.parametrize(('frame', 'theta'), [
        (None, 120), ('sky', 120), ('pixel', 30)])
    def test_profile_without_centre(self, on_sky, sersic_profile, frame,
                                    theta):
        """
        The centre is found; a warning tells of angles from anywhere.
        """
        profile = sersic_profile.copy()
        profile.meta.clear()
        profile['pa'] = 30 * u.deg
        profile['ellipticity_err'] = 0.05
        if frame is not None:
            profile.meta['pa_frame'] = frame
        with (pytest.warns(AstropyUserWarning, match='count from north')
              if frame is None else nullcontext()):
            found = read_ellipses(on_sky, profile)
        assert found.centre is None
        assert_allclose(np.degrees(found.theta), theta, atol=0.01)
        assert_allclose(found.sma * on_sky.pixel_scale,
                        profile['radius'].value)
        assert_allclose(found.eps_err, 0.05)
        profile['radius'] = profile['radius'].value * u.pix
        with pytest.raises(ValueError, match='geometry has radii in pix'):
            read_ellipses(on_sky, profile)


class TestRows:
    def photutils(self, sma, **columns):
        n = len(sma)
        values = {'sma': sma, 'eps': np.full(n, 0.3), 'pa': np.full(n, 0.5),
                  'x0': np.full(n, 40.0), 'y0': np.full(n, 50.0), **columns}
        return SimpleNamespace(**values)

    def test_central_pixel_of_isophotes(self, plain):
        # it has no shape, nor has one that is not finite
        found = read_ellipses(plain, self.photutils(
            np.array([0.0, 3.0, 5.0, np.nan]),
            eps=np.array([0.9, 0.3, 0.4, 0.3]),
            x0=np.array([9.0, 40.0, 42.0, 9.0])))
        assert_allclose(found.sma, [3, 5])
        assert_allclose(found.eps, [0.3, 0.4])
        assert found.centre == (41, 50)
        assert found.has_radii
        # one ellipse alone is one without radii, of any size
        for sma in (0.0, 7.0):
            found = read_ellipses(plain, self.photutils(np.array([sma])))
            assert not found.has_radii
            assert_allclose(found.theta, 0.5)
        with pytest.raises(ValueError, match='got none that is finite'):
            read_ellipses(plain, self.photutils(np.array([0.0, np.nan])))

    @pytest.mark.parametrize('name', ['eps', 'theta'])
    def test_unknown_shapes(self, plain, name):
        columns = {'sma': [2.0, 4.0, 6.0], 'eps': [0.0, 0.2, 0.3],
                   'theta': [np.nan, 30.0, 40.0]}
        found = read_ellipses(plain, Table(columns))
        # (a circle needs no angle)
        assert_allclose(np.degrees(found.theta), [0, 30, 40])
        columns[name][2] = np.nan
        with pytest.warns(AstropyUserWarning, match='no shape in 1 row'):
            found = read_ellipses(plain, Table(columns))
        assert_allclose(found.sma, [2, 4, 6])
        assert_allclose(found.eps, [0, 0.2, 0.2])

    @pytest.mark.parametrize('sma', [[2.0, 2.0], [3.0, 2.0], [np.nan] * 2])
    def test_radii_that_do_not_increase(self, plain, sma):
        with pytest.raises(ValueError, match='increasing radii'):
            read_ellipses(plain, Table({'sma': sma, 'eps': [0.1, 0.2],
                                        'theta': [3.0, 4.0]}))

    @pytest.mark.parametrize('meta', [{}, {'x_centre': 40.0},
                                      {'y_centre': 40.0}, {'ra': 150.0}])
    def test_half_of_a_centre(self, on_sky, meta):
        table = Table({'sma': [2.0, 4.0], 'eps': [0.1, 0.2],
                       'theta': [3.0, 4.0]}, meta=meta)
        assert read_ellipses(on_sky, table).centre is None
        table.meta = {'x_centre': 40.0, 'y_centre': 50.0}
        assert read_ellipses(on_sky, table).centre == (40, 50)
        # the sky comes first
        centre = on_sky.wcs.pixel_to_world(60, 70)
        table.meta.update(ra=centre.ra.deg, dec=centre.dec.deg)
        assert_allclose(read_ellipses(on_sky, table).centre, (60, 70))

    @pytest.mark.parametrize('eps', [-0.1, 1.0])
    def test_limits(self, plain, eps):
        with pytest.raises(ValueError, match='from 0 to below 1'):
            read_ellipses(plain, self.photutils(np.array([3.0]),
                                                eps=np.array([eps])))
        found = read_ellipses(plain, self.photutils(
            np.array([3.0]), eps=np.array([abs(eps) - 0.1])))
        assert found.eps == abs(eps) - 0.1


class TestRefusals:
    @pytest.mark.parametrize(('options', 'error', 'message'), [
        ({'ellipticity': 0.4}, ValueError, 'ellipticity needs a position an'),
        ({'pa': 4}, ValueError, 'pa needs an ellipticity'),
        ({'geometry': 3}, TypeError, 'geometry must be a profile table'),
        ({'geometry': 'a.fits'}, TypeError, 'files are read by read_profile'),
        ({'geometry': EllipseGeometry(50, 50, 9, 0.2, 0.1), 'pa': 4},
         ValueError, 'pa must not be given with a geometry'),
        ({'geometry': EllipseGeometry(500, 50, 9, 0.2, 0.1)}, ValueError,
         'outside the image'),
        ({'geometry': EllipseGeometry(50, 50, 9, np.nan, 0.1)}, ValueError,
         'geometry must have an ellipse'),
        ({'geometry': Table({'a': [1]})}, ValueError,
         'must have a column radius or sma'),
        ({'geometry': Table({'radius': [1, 2]})}, ValueError,
         'must have a column ellipticity, .* for radii alone give radii= ins'
         'tead, got radius$'),
        ({'geometry': Table({'sma': [1, 2], 'pa': [3, 4]})}, ValueError,
         'must have a column ellipticity, .* got sma, pa$'),
        ({'geometry': Table({'sma': [1, 2], 'eps': [0.3, 0.4]})}, ValueError,
         'must have a column pa, or pa= has to be given besides, got sma, e'),
        ({'geometry': Table({'sma': [2.0, 1.0], 'eps': [0.1, 0.1],
                             'pa': [1, 1]})}, ValueError,
         'must have finite, increasing radii'),
        ({'geometry': Table({'sma': [1.0, 2.0], 'eps': [10, 20],
                             'pa': [1, 1]})}, ValueError,
         'ellipticities from 0 to below 1'),
        ({'geometry': QTable({'sma': [1, 2] * u.kpc, 'eps': [0.1, 0.2],
                              'pa': [1, 1]})}, ValueError, "unit 'kpc'"),
        ({'geometry': QTable({'sma': [1, 2], 'eps': [0.1, 0.2],
                              'pa': [1, 1] * u.m})}, ValueError,
         'must have its angles in degrees'),
        ({'geometry': Table({'sma': [1, 2], 'eps': [0.1, 0.2],
                             'pa': [1, 1]}, meta={'pa_frame': 'sky'})},
         ValueError, 'has no WCS'),
        ({'geometry': Table({'SMA': [1, 2], 'ELLIP': [0.1, 0.2],
                             'PA': [1, 1]})}, ValueError, 'read_iraf_table'),
        ({'geometry': Table({'sma': [1, 2], 'ellip': [0.1, 0.2],
                             'pa': [1, 1], 'x0': [50, 50], 'y0': [50, 50]})},
         ValueError, 'read_iraf_table'),
        ({'geometry': Table({'R': [1, 2], 'SB': [20, 21], 'pa': [1, 1],
                             'ellip': [0.1, 0.2]})}, ValueError,
         'read_autoprof'),
    ])
    def test_wrong(self, plain, options, error, message):
        with pytest.raises(error, match=message):
            read_ellipses(plain, **options)


class TestFit:
    def test_network(self, plain):
        """
        The shape is held, the centre found.
        """
        fit = Pix2ProfFitter().fit(plain, ellipticity='40%', pa=25 * u.deg)
        assert_allclose(fit.centre, (51.3, 49.2), atol=0.3)
        assert_allclose(fit.profile['ellipticity'], 0.4, atol=1e-4)
        assert_allclose(fit.profile['pa'].value, 25, atol=0.01)
        flags = decode_flags(fit.profile.meta['flag'], kind='galaxy')
        assert 'FORCED' in flags
        radius = fit.profile['radius'].value / 0.4
        use = (radius > 2) & (radius < 30)
        truth = 400 * np.exp(-radius / 9) / 0.16
        assert_allclose(fit.profile['intensity'].value[use], truth[use],
                        rtol=0.08)

    def test_network_around_a_given_centre(self, plain):
        geometry = EllipseGeometry(54, 47, 9, 0.2, 0.5)
        fit = Pix2ProfFitter().fit(plain, geometry=geometry)
        assert_allclose(fit.centre, (54, 47))
        assert_allclose(fit.profile['pa'].value, np.degrees(0.5), atol=0.01)


@pytest.mark.parametrize(('flag', 'fitted'), [(0, True), (2048, False)])
def test_ellipses_of_a_fit(flag, fitted):
    """
    Those that were forced on a galaxy are not those of a fit.
    """
    cutout = GalaxyCutout(np.ones((64, 64)), zeropoint=25, pixel_scale=0.5)
    sma = np.arange(1, 20.0)
    profile = build_profile(
        cutout, sma, np.exp(-sma / 5), 0.01 * np.exp(-sma / 5),
        ellipticity=np.full(19, 0.3), theta=np.zeros(19), galaxy_flag=flag)
    assert read_ellipses(cutout, profile).is_fitted == fitted
    assert not read_ellipses(cutout, ellipticity=0.4, pa=20).is_fitted
