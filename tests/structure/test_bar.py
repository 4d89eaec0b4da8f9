# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of Fourier modes and of the radii of bars.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyCutout,
    Pix2ProfFitter,
    ProfileFit,
    RingFlag,
    bar_radius,
    build_profile,
    fourier_profile,
)
from astro_pix2prof.structure.bar_ellipses import (
    DiscEllipses,
    bar_ellipses,
    ellipses_in_disc,
)

CENTRE, SCALE, EPS, THETA = (90.4, 89.7), 14.0, 0.3, 25.0
SIGMA = 0.5


def polar(centre=CENTRE, eps=EPS, theta=THETA):
    """
    Radius and azimuth in the plane of the disc, from the major axis.
    """
    y, x = np.indices((181, 181), dtype=float)
    x, y = x - centre[0], y - centre[1]
    c, s = np.cos(np.radians(theta)), np.sin(np.radians(theta))
    u_, v = x * c + y * s, (y * c - x * s) / (1 - eps)
    return np.hypot(u_, v), np.arctan2(v, u_)


def make_fit(image, *, eps=EPS, theta=THETA, noise=SIGMA, sky_err=0.0,
             mask=None, **options):
    """
    The result of a fit that knows the true ellipses.
    """
    cutout = GalaxyCutout(image, mask=mask, **{
        'zeropoint': 25, 'pixel_scale': 0.5, **options})
    sma = np.concatenate([[0.0], np.geomspace(1, 70, 40)])
    one = np.ones_like(sma)
    value = 200 * np.exp(-sma / SCALE)
    profile = build_profile(
        cutout, sma, value, 0.01 * value + 1e-3, ellipticity=eps * one,
        theta=theta * one, centre=CENTRE, noise=noise, sky_err=sky_err)
    return ProfileFit(profile, cutout, cutout.mask, 0.0, CENTRE, sma,
                      eps * one, theta * one, value)


def make_image(amplitudes=(), *, seed=1, **shape):
    """
    A disc with modes (order, amplitude, phase in degrees), and noise.
    """
    r, phi = polar(**shape)
    light = 200 * np.exp(-r / SCALE) * (1 + sum(
        size * np.cos(order * (phi - np.radians(phase)))
        for order, size, phase in amplitudes))
    return light + np.random.default_rng(seed).normal(0, SIGMA, r.shape)


def make_bar(length=22.0, phase=50.0, part=0.8, **options):
    """
    A disc with a bar that ends where its light falls by half.
    """
    r, phi = polar()
    a = r * np.cos(phi - np.radians(phase))
    b = r * np.sin(phi - np.radians(phase))
    m = np.hypot(a / length, b / (0.3 * length))
    light = 200 * (np.exp(-r / SCALE) + part / (1 + np.exp((m - 1) * 12)))
    return light + np.random.default_rng(2).normal(0, SIGMA, r.shape)


def as_seen(sma, eps, phase):
    """
    Project ellipses in the plane: moments of their points.
    """
    t = np.linspace(0, 2 * np.pi, 720, endpoint=False)[:, None]
    x, y = sma * np.cos(t), sma * (1 - eps) * np.sin(t)
    x, y = (x * np.cos(phase) - y * np.sin(phase),
            (1 - EPS) * (x * np.sin(phase) + y * np.cos(phase)))
    a, b, c = (np.mean(one * two, 0) for one, two in ((x, x), (y, y), (x, y)))
    half, away = a + b, np.hypot(a - b, 2 * c)
    return (np.sqrt(half + away),
            1 - np.sqrt((half - away) / (half + away)),
            0.5 * np.arctan2(2 * c, a - b))


MODES = [(1, 0.12, 200.0), (2, 0.3, 60.0), (3, 0.08, 100.0), (4, 0.1, 30.0)]


class TestModes:
    def test_known(self):
        modes = fourier_profile(make_fit(make_image(MODES)))
        rows = (modes['radius'].value > 3) & (modes['radius'].value < 20)
        for order, size, phase in MODES:
            off = modes[f'amplitude_{order}'][rows] - size
            error = modes[f'amplitude_{order}_err'][rows]
            assert np.all(np.abs(off) < 4 * error + 2e-3)
            assert_allclose(modes[f'phase_{order}'][rows].value, phase,
                            atol=3)
        assert_allclose(modes.meta['ellipticity'], EPS)
        assert_allclose(modes.meta['pa'], THETA)
        assert modes['radius'].unit == u.arcsec
        assert modes['phase_2'].unit == u.deg

    def test_errors_hold(self):
        pulls, turns = [], []
        for seed in range(12):
            modes = fourier_profile(make_fit(make_image(MODES, seed=seed)),
                                    radii=np.geomspace(8, 48, 12))
            for order, size, phase in MODES:
                value, error = (modes[f'amplitude_{order}{end}']
                                for end in ('', '_err'))
                pulls += ((value - size) / error).tolist()
                turned = modes[f'phase_{order}'].value - phase
                turns += (turned / modes[
                    f'phase_{order}_err'].value).tolist()
        for found in (pulls, turns):
            low, high = np.quantile(found, [0.16, 0.84])
            assert 0.87 < 0.5 * (high - low) < 1.13

    def test_noise_has_none(self):
        # on average: the noise alone has an amplitude
        modes = fourier_profile(make_fit(make_image()))
        rows = modes['amplitude_2_err'] < 0.2
        assert np.median(modes['amplitude_2'][rows]
                         / modes['amplitude_2_err'][rows]) < 1
        faint = modes['intensity'] < 2 * modes['intensity_err']
        assert np.isnan(modes['amplitude_2'][faint]).all()

    def test_given_disc(self):
        # as it is seen: the inclination alone is a mode 2 along the axis
        fit = make_fit(make_image())
        seen = fourier_profile(fit, ellipticity=0)
        rows = (seen['radius'].value > 3) & (seen['radius'].value < 15)
        assert np.all(seen['amplitude_2'][rows] > 0.05)
        plane = fourier_profile(fit, ellipticity='30%', pa=THETA)
        assert np.all(plane['amplitude_2'][rows] < 0.02)
        # half a shape takes the other half from the profile
        half = fourier_profile(fit, pa=THETA)
        assert_allclose(half.meta['ellipticity'], EPS)

    def test_sky_error_counts(self):
        image = make_image(MODES)
        plain, unsure = (fourier_profile(make_fit(image, sky_err=size))
                         for size in (0.0, 2.0))
        outer = np.nonzero(np.isfinite(unsure['amplitude_2']))[0][-3:]
        assert np.all(unsure['amplitude_2_err'][outer]
                      > 1.05 * plain['amplitude_2_err'][outer])

    def test_asked_radii(self):
        modes = fourier_profile(make_fit(make_image()),
                                radii=[0.2, 4, 8] * u.arcsec)
        assert_allclose(modes['radius'].value, [0.2, 4, 8])
        # (there is no mode at the centre)
        for order in range(1, 5):
            assert (np.isfinite(modes[f'amplitude_{order}'])
                    == [False, True, True]).all()

    def test_masked(self):
        mask = np.zeros((181, 181), bool)
        mask[100:, 100:] = True
        image = make_image(MODES)
        image[mask] = 1e4
        modes = fourier_profile(make_fit(image, mask=mask))
        rows = (modes['radius'].value > 4) & (modes['radius'].value < 12)
        good = rows & np.isfinite(modes['amplitude_2'])
        assert_allclose(modes['amplitude_2'][good], 0.3, atol=0.03)

    def test_real_fitter(self):
        # the network's own ellipses and masks
        image = make_image([(2, 0.25, 60.0)], eps=0.05)
        fit = Pix2ProfFitter().fit(image, zeropoint=25, pixel_scale=0.5)
        modes = fourier_profile(fit, ellipticity=0.05, pa=THETA)
        rows = (modes['radius'].value > 4) & (modes['radius'].value < 14)
        assert_allclose(modes['amplitude_2'][rows], 0.25, atol=0.03)

    def test_edge_on(self):
        fit = make_fit(make_image(eps=0.8), eps=0.8)
        with pytest.warns(AstropyUserWarning, match='seen from the side'):
            modes = fourier_profile(fit)
        bar = bar_radius(modes)
        assert not bar['is_barred'][0]
        assert 'seen from the side' in bar['reason'][0]

    def test_errors(self):
        fit = make_fit(make_image())
        with pytest.raises(TypeError, match='fit must be the result'):
            fourier_profile(fit.profile)
        with pytest.raises(ValueError, match='ellipticity must be'):
            fourier_profile(fit, ellipticity=1.2)
        with pytest.raises(TypeError, match='pa must be'):
            fourier_profile(fit, pa='north')
        with pytest.raises(ValueError, match='radii must increase'):
            fourier_profile(fit, radii=[5, 3])


class TestBar:
    @pytest.mark.parametrize('length', [14.0, 22.0, 30.0])
    def test_radius(self, length):
        bar = bar_radius(fourier_profile(make_fit(make_bar(length))))[0]
        assert bar['is_barred']
        assert bar['reason'] == ''
        off = bar['bar_radius'].value / (0.5 * length) - 1
        assert abs(off) < 0.15
        assert 0.02 < bar['bar_radius_err'] / bar['bar_radius'] < 0.15
        assert_allclose(bar['bar_phase'].value, 50, atol=2)
        # as it is seen: the angle in the plane is foreshortened
        assert_allclose(bar['bar_pa'].value, THETA + np.degrees(np.arctan(
            0.7 * np.tan(np.radians(50)))), atol=2)
        assert bar['bar_strength'] > 0.4

    def test_arms_are_none(self):
        r, phi = polar()
        phase = 2 * (phi - np.log(np.maximum(r, 1) / 8) / np.tan(
            np.radians(18)))
        image = make_image() + 200 * np.exp(-r / SCALE) * 0.5 * np.cos(
            phase) / (1 + np.exp(-(r - 8) / 2))
        bar = bar_radius(fourier_profile(make_fit(image)))[0]
        assert not bar['is_barred']
        assert np.isnan(bar['bar_radius'])
        assert 'arms, no bar' in bar['reason']
        assert bar['bar_strength'] > 0.3

    def test_disc_has_none(self):
        bar = bar_radius(fourier_profile(make_fit(make_image())))[0]
        assert not bar['is_barred']
        assert 'below 0.2' in bar['reason']
        assert np.isnan(bar['bar_pa'])

    def test_noise_outside_hides_nothing(self):
        # a maximum that is not significant is not the last one
        modes = fourier_profile(make_fit(make_bar(part=0.2)))
        expected = bar_radius(modes)
        assert 0.2 < expected['bar_strength'][0] < 0.4
        noisy = modes[np.isfinite(modes['amplitude_2'])].copy()
        for row, size, error in ((-3, 0.05, 0.05), (-2, 0.44, 0.09),
                                 (-1, 0.05, 0.05)):
            noisy['amplitude_2'][row] = size
            noisy['amplitude_2_err'][row] = error
        found = bar_radius(noisy)
        assert found['is_barred'][0]
        assert_allclose(found['bar_radius'][0].value,
                        expected['bar_radius'][0].value, rtol=1e-6)

    def test_strength_without_a_bar(self):
        r = np.geomspace(1, 20, 20) * u.arcsec
        size, error = np.full(20, 0.1), np.full(20, 0.01)
        size[-2], error[-2] = 0.4, 0.09
        bar = bar_radius(QTable({
            'radius': r, 'amplitude_2': size, 'amplitude_2_err': error,
            'phase_2': np.linspace(0, 170, 20) * u.deg}))
        assert bar['bar_strength'][0] == 0.1
        assert bar['reason'][0] == 'no maximum of mode 2 is significant'

    def test_least(self):
        modes = fourier_profile(make_fit(make_bar(part=0.12)))
        assert not bar_radius(modes, least=0.6)['is_barred'][0]
        assert bar_radius(modes, least=0.05)['is_barred'][0]

    def test_profile_ends(self):
        modes = fourier_profile(make_fit(make_bar()))
        bar = bar_radius(modes[modes['radius'].value < 7])
        assert 'profile ends before the bar' in bar['reason'][0]

    def test_seed(self):
        modes = fourier_profile(make_fit(make_bar()))
        one, two, other = (bar_radius(modes, seed=seed)['bar_radius_err'][0]
                           for seed in (1, 1, 2))
        assert one == two
        assert other != one

    def test_masked_bar(self):
        """
        A bar under a mask is not told from none, one in sight is found.
        """
        r, _ = polar()
        # (the mask ends within the outer rings: those beyond are seen)
        hidden = make_fit(make_bar(), mask=(r > 2) & (r < 24))
        bar = bar_radius(fourier_profile(hidden))[0]
        assert not bar['is_barred']
        assert np.isnan(bar['bar_strength'])
        assert 'could hide a bar' in bar['reason']
        plain = make_fit(make_image(), mask=(r > 60) & (r < 62))
        bar = bar_radius(fourier_profile(plain))[0]
        assert 'hide' not in bar['reason']
        assert np.isfinite(bar['bar_strength'])

    def test_few_rings(self):
        modes = fourier_profile(make_fit(make_bar()))
        bar = bar_radius(modes[:2])
        assert bar['reason'][0].startswith('too few rings')
        assert np.isnan(bar['bar_strength'][0])

    def test_not_certain(self):
        # few rings, whose phases are known to a few degrees
        r = np.geomspace(1, 20, 20) * u.arcsec
        size = np.where(np.arange(20) < 4, 0.46, 0.04)
        phase = np.where(np.arange(20) < 4, 30.0, 120.0)
        modes = QTable({'radius': r, 'amplitude_2': size,
                        'amplitude_2_err': np.full(20, 0.09),
                        'phase_2': phase * u.deg})
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            bar = bar_radius(modes)
        assert bar['reason'][0] == 'the bar is not certain'

    def test_other_lengths_of_the_modes(self):
        """
        The phase of a bar that a turned one follows, and the largest mode.
        """
        r = np.geomspace(1, 40, 60)
        modes = QTable({
            'radius': r * u.arcsec,
            'amplitude_2': 0.1 + 0.5 * np.exp(-(np.log(r / 7) / 0.8)**2),
            'amplitude_2_err': np.full(60, 0.002),
            'phase_2': (30 + 40 * np.clip(np.log(r / 12), 0, 1)) * u.deg})
        bar = bar_radius(modes)[0]
        assert_allclose(bar['radius_amplitude'].value, 7, rtol=0.01)
        # 10 degrees from the phase at 7, where the first 40 * log(r / 12) are
        assert_allclose(bar['radius_phase'].value, 12 * np.exp(0.25),
                        rtol=0.02)
        assert 0 < bar['radius_phase_err'].value < 1
        assert np.isnan(bar['radius_ellipticity'])

    def test_lengths_of_the_ellipses(self):
        """
        Ellipses that are flattest at 8 and turn from 11 on.
        """
        fit = make_fit(make_bar())
        modes = fourier_profile(fit)
        sma = fit.profile['radius'].value.copy()
        flat = 0.1 + 0.5 * np.exp(-(np.log(np.maximum(sma, 0.1) / 8)
                                    / 0.5)**2)
        turn = np.radians(50 + 60 * np.clip(np.log(np.maximum(
            sma, 0.1) / 11), 0, 1))
        profile = fit.profile.copy()
        seen = as_seen(np.maximum(sma, 1e-3), flat, turn)
        profile['radius'] = seen[0] * u.arcsec
        profile['ellipticity'] = seen[1]
        profile['pa'] = (THETA + np.degrees(seen[2])) * u.deg
        bar = bar_radius(modes, profile=profile)[0]
        assert_allclose(bar['radius_ellipticity'].value, 8, rtol=0.04)
        assert_allclose(bar['radius_turn'].value, 11 * np.exp(1 / 6),
                        rtol=0.04)
        for name in ('radius_ellipticity', 'radius_turn'):
            assert 0.05 < bar[f'{name}_err'].value < 2
        # the core is that of the PSF
        core = sma < 2
        profile['ellipticity'][core] = 0.9
        profile['pa'][core] = (THETA + np.degrees(seen[2][sma > 8][0])) * u.deg
        profile['flag'][core] |= int(RingFlag.UNRESOLVED)
        again = bar_radius(modes, profile=profile)[0]
        for name in ('radius_ellipticity', 'radius_turn'):
            assert again[name] == bar[name]
        # the radius itself is that of the modes
        assert bar['bar_radius'] == bar_radius(modes)['bar_radius'][0]

    def test_noisy_ellipses_near_the_centre(self):
        """
        Ellipses that are flat and round by turns within a bar end no bar.
        """
        fit = make_fit(make_bar())
        modes = fourier_profile(fit)
        sma = fit.profile['radius'].value
        end = bar_radius(modes)['bar_radius'][0].value
        flat = np.where(sma < 1.1 * end, 0.5, 0.05)
        inner = (sma > 0.1 * end) & (sma < 0.4 * end)
        flat[inner] += np.resize([0.1, -0.1], np.count_nonzero(inner))
        seen = as_seen(np.maximum(sma, 1e-3), flat, np.radians(50))
        profile = fit.profile.copy()
        profile['radius'] = seen[0] * u.arcsec
        profile['ellipticity'] = seen[1]
        profile['pa'] = (THETA + np.degrees(seen[2])) * u.deg
        bar = bar_radius(modes, profile=profile)[0]
        assert bar['radius_ellipticity'].value < 0.5 * end
        assert_allclose(bar['radius_turn'].value, 1.1 * end, rtol=0.1)

    def test_bar_that_gets_round(self):
        """
        A minimum of the ellipticity ends a bar that does not turn.
        """
        sma = np.geomspace(3, 40, 80)
        flat = 0.4 + 0.2 * np.cos(2 * np.pi * np.log(sma / 6) / 1.5)
        found = bar_ellipses(DiscEllipses(sma, flat, np.full(80, 0.4)), 0.4,
                             12.0)
        assert_allclose(found, [6, 6 * np.exp(0.75)], rtol=0.03)
        other = bar_ellipses(DiscEllipses(sma, flat, np.full(80, 1.4)), 0.4,
                             12.0)
        assert np.isnan(other).all()

    def test_ellipses_in_the_disc(self):
        sma, eps, phase = np.array([3.0, 7.0]), np.array([0.2, 0.7]), (
            np.array([0.4, -1.2]))
        found = ellipses_in_disc(sma, eps, phase, 0.5)
        t = np.linspace(0, 2 * np.pi, 40)[:, None]
        x, y = sma * np.cos(t), sma * (1 - eps) * np.sin(t)
        x, y = (x * np.cos(phase) - y * np.sin(phase),
                2 * (x * np.sin(phase) + y * np.cos(phase)))
        along = x * np.cos(found.phase) + y * np.sin(found.phase)
        across = y * np.cos(found.phase) - x * np.sin(found.phase)
        assert_allclose(np.hypot(along, across / (1 - found.eps)),
                        np.broadcast_to(found.sma, x.shape))

    def test_errors(self):
        with pytest.raises(TypeError, match='modes must be a table from'):
            bar_radius(QTable({'radius': [1.0]}))
        modes = fourier_profile(make_fit(make_bar()))
        with pytest.raises(ValueError, match='least must be'):
            bar_radius(modes, least=-1)
        with pytest.raises(ValueError, match='n_samples must be'):
            bar_radius(modes, n_samples=1)
        with pytest.raises(TypeError, match='profile must be'):
            bar_radius(modes, profile=5)
        profile = make_fit(make_bar()).profile
        profile['radius'] = profile['radius'].value * u.pix
        with pytest.raises(ValueError, match='must have radii in arcsec'):
            bar_radius(modes, profile=profile)

    def test_profile_of_another_galaxy(self):
        modes = fourier_profile(make_fit(make_bar()))
        profile = make_fit(make_bar()).profile
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            modes.meta['source'], profile.meta['source'] = 'n1_g', 'n1_r'
            bar_radius(modes, profile=profile)
        modes.meta['source'] = 'n2_g'
        with pytest.warns(AstropyUserWarning, match=r"their sources are 'n2_g'"
                          r" and 'n1_r'; give the profile of the fit"):
            bar_radius(modes, profile=profile)
        profile.meta['x_centre'] += 20
        with pytest.warns(AstropyUserWarning, match='may be of two galaxies: '
                          r'the centres are at pixels \(90\.4, 89\.7\) and '
                          r'\(110\.4, 89\.7\)'):
            bar_radius(modes, profile=profile)
        for meta, ra in ((modes.meta, 150.0), (profile.meta, 151.0)):
            meta.update(ra=ra, dec=0.0)
        match = 'got one whose centre is 3.6e[+]03 arcsec away: give the prof'
        with pytest.raises(ValueError, match=match):
            bar_radius(modes, profile=profile)
        profile.meta['ra'] = 150.0
        with warnings.catch_warnings():
            # (where the sky tells, pixels and names do not count)
            warnings.simplefilter('error')
            bar_radius(modes, profile=profile)


def test_round_bulge():
    """
    A bulge that is rounder than its inclined disc is no bar along the minor
    axis, but what lies across the disc is.
    """
    y, x = np.indices((181, 181), dtype=float)
    bulge = 500 * np.exp(-np.hypot(x - CENTRE[0], y - CENTRE[1]) / 5)
    fit = make_fit(make_image(eps=0.5) + bulge, eps=0.5)
    modes = fourier_profile(fit)
    alone = bar_radius(modes)[0]
    assert alone['is_barred']
    assert abs(alone['bar_phase'].value - 90) < 5
    profile = fit.profile.copy()
    inner = profile['radius'] < 0.5 * alone['bar_radius']
    profile['ellipticity'][inner] = 0.1
    found = bar_radius(modes, profile=profile)[0]
    assert not found['is_barred']
    assert found['reason'].startswith('a bulge that is rounder')
    assert found['bar_strength'] > 0.2
    assert np.isnan(found['bar_radius'])
    # the same ellipses, turned
    profile['ellipticity'][inner] = 0.3
    profile['pa'][inner] = (profile['pa'][inner] + 90 * u.deg) % (180 * u.deg)
    assert bar_radius(modes, profile=profile)[0]['is_barred']
