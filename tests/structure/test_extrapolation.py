# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of light beyond the end of a profile.

Truths are analytic: an exponential disc has 1 - (1 + x) exp(-x) of its light
within x scale lengths.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import gammainc, gammaincinv

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    ProfileBatch,
    build_profile,
    measure_structure,
)
from astro_pix2prof.profile.flags import (
    GalaxyFlag,
    RingFlag,
    StructureFlag,
    decode_structure_flags,
)
from astro_pix2prof.structure.extrapolation import extrapolate_light
from astro_pix2prof.structure.growth import _too_much
from astro_pix2prof.structure.models import sersic_flux

PIXEL, Q, R_E = 0.5, 0.7, 10.0


def make_profile(n, reach, *, seed=None, sky_err=2e-3, noise=0.01,
                 galaxy_flag=GalaxyFlag.TRUNCATED, n_valid=None, over=0.0):
    """
    A Sersic profile that ends at a multiple of its effective radius.

    With ``over``, that part of its last value is taken for sky.
    """
    sma = np.concatenate([np.arange(0.5, 6, 0.5), np.geomspace(
        6, reach * R_E / PIXEL, 30)])
    b = gammaincinv(2 * n, 0.5)
    value = np.exp(-b * ((sma * PIXEL / R_E)**(1 / n) - 1))
    value -= over * value[-1]
    ring = np.hypot(noise / np.sqrt(sma), 0.005 * value)
    if seed is not None:
        rng = np.random.default_rng(seed)
        value = (value + ring * rng.normal(size=len(sma))
                 + sky_err * rng.normal())
    cutout = GalaxyCutout(np.ones((9, 9)), unit=u.nmgy, pixel_scale=PIXEL)
    return build_profile(
        cutout, sma, value, np.hypot(ring, sky_err),
        ellipticity=np.full(len(sma), 1 - Q),
        ellipticity_err=np.full(len(sma), 0.01),
        theta=np.full(len(sma), 30.0), theta_err=np.ones(len(sma)),
        sky_err=sky_err, galaxy_flag=galaxy_flag,
        n_valid=np.ones(len(sma)) if n_valid is None else n_valid)


def true_magnitude(n):
    return 22.5 - 2.5 * np.log10(Q * sersic_flux(1.0, R_E, n) / PIXEL**2)


def true_part(n, reach):
    """
    The part of the light beyond a multiple of the effective radius.
    """
    return 1 - gammainc(2 * n, gammaincinv(2 * n, 0.5) * reach**(1 / n))


def measure(profile, **options):
    return measure_structure(profile, fits=False, **options)[0]


class TestTruncated:
    @pytest.mark.parametrize('n', [1.0, 4.0])
    @pytest.mark.parametrize('reach', [1.5, 2.0, 3.0])
    def test_fraction(self, n, reach):
        row = measure(make_profile(n, reach))
        part, error = (row['extrapolated_fraction'],
                       row['extrapolated_fraction_err'])
        assert abs(part - true_part(n, reach)) < 1.5 * error
        assert 0 < error < 0.3
        assert abs(row['mag_total'].value
                   - true_magnitude(n)) < 1.5 * row['mag_total_err'].value
        # what was measured and what was added make up the total
        assert_allclose(10**(-0.4 * (row['mag_aperture']
                                     - row['mag_total']).value),
                        1 - part, rtol=1e-6)
        assert row['mag_aperture'] > row['mag_total']
        flags = decode_structure_flags(row['flag'])
        assert 'NOT_ASYMPTOTIC' in flags
        assert ('EXTRAPOLATED' in flags) == (part > 0.1)

    @pytest.mark.parametrize(('n', 'reach'), [(0.5, 0.35), (1.0, 0.35)])
    def test_almost_flat(self, n, reach):
        """
        Outskirts that hardly decline yet tell nothing of the total.
        """
        row = measure(make_profile(n, reach, seed=1))
        assert row['mag_total'] == row['mag_aperture']
        for name in ('mag_total_err', 'extrapolated_fraction', 'r50_err'):
            assert np.isnan(row[name]), name
        assert 'NOT_ASYMPTOTIC' in decode_structure_flags(row['flag'])

    def test_errors_hold(self):
        """
        Over discs and spheroids that are cut at three radii.
        """
        pulls = []
        for seed in range(60):
            n, reach = (1.0, 4.0)[seed % 2], (1.5, 2.0, 3.0)[seed // 2 % 3]
            row = measure(make_profile(n, reach, seed=seed), n_samples=60,
                          seed=seed)
            pulls.append((row['mag_total'].value - true_magnitude(n))
                         / row['mag_total_err'].value)
        assert 0.55 < np.mean(np.abs(pulls) < 1) < 0.95
        assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.3

    def test_error_holds_the_extrapolation(self):
        row = measure(make_profile(1.0, 1.5, noise=1e-4, sky_err=1e-5))
        assert row['mag_aperture_err'].value < 0.01
        assert row['mag_total_err'].value > 2 * row['mag_aperture_err'].value

    def test_sky_counts(self):
        small, large = (measure(make_profile(1.0, 2.0, sky_err=sky))
                        for sky in (1e-4, 1e-2))
        assert (large['extrapolated_fraction_err']
                > 1.5 * small['extrapolated_fraction_err'])

    def test_radii(self):
        """
        Half of the light is half of all of it; what is out of reach is NaN.
        """
        row = measure(make_profile(1.0, 1.5))
        assert_allclose(row['r50'].value, R_E,
                        atol=2 * row['r50_err'].value)
        assert row['r50_err'].value > 0
        assert np.isnan(row['r90'].value)

    def test_whole_galaxy(self):
        """
        Nothing changes for a galaxy that its frame holds.
        """
        row = measure(make_profile(1.0, 6.0, sky_err=1e-6, noise=1e-5,
                                   galaxy_flag=GalaxyFlag(0)))
        assert row['flag'] == 0 or decode_structure_flags(row['flag']) == [
            'LEVEL_NOT_REACHED']
        assert abs(row['extrapolated_fraction']) < 1e-3
        assert_allclose(row['mag_total'].value, true_magnitude(1.0),
                        atol=5e-3)

    def test_rising(self):
        """
        Without a decline there is no error, and the total is a limit.
        """
        profile = make_profile(1.0, 2.0)
        profile['intensity'] = np.linspace(1, 2, len(profile)) * profile[
            'intensity'].unit
        row = measure(profile)
        assert row['mag_total'] == row['mag_aperture']
        for name in ('mag_total_err', 'extrapolated_fraction', 'r50_err'):
            assert np.isnan(getattr(row[name], 'value', row[name])), name
        assert row['mag_aperture_err'].value > 0
        assert row['flag'] & StructureFlag.NOT_ASYMPTOTIC


class TestParts:
    def test_masked(self):
        """
        Half of the rings beyond the effective radius are not seen.
        """
        profile = make_profile(1.0, 3.0)
        n_valid = np.where(profile['radius'].value < R_E, 1.0, 0.5)
        row = measure(make_profile(1.0, 3.0, n_valid=n_valid))
        expected = 0.5 * (0.5 - true_part(1.0, 3.0))
        assert_allclose(row['interpolated_fraction'], expected, atol=0.03)
        assert measure(profile)['interpolated_fraction'] == 0

    def test_rings_without_pixels(self):
        """
        They are not measured: their light is extrapolated.
        """
        profile = make_profile(1.0, 3.0)
        far = profile['radius'].value > 2 * R_E
        profile['flag'][far] |= RingFlag.EXTRAPOLATED
        row = measure(profile)
        inner = measure(profile[~far])
        assert row['mag_aperture'] == inner['mag_aperture']
        assert row['extrapolated_fraction'] > 0.05

    def test_no_source(self):
        profile = make_profile(1.0, 3.0)
        profile.meta['flag'] = int(GalaxyFlag.NO_SOURCE)
        row = measure_structure(profile)[0]
        assert 'NO_SOURCE' in decode_structure_flags(row['flag'])
        for name in ('mag_total', 'mag_aperture', 'r50', 'r90', 'r25_0',
                     'extrapolated_fraction', 'sersic_n', 'mu_0'):
            assert np.isnan(getattr(row[name], 'value', row[name])), name


@pytest.mark.parametrize('fitter', [IsophoteFitter, Pix2ProfFitter])
@pytest.mark.parametrize('kind', ['constant', 'noise'])
def test_galaxy_that_is_not_there(fitter, kind):
    """
    Rows with upper limits, and not-a-number for all that needs a galaxy.
    """
    data = np.full((80, 80), 5.0)
    if kind == 'noise':
        data += np.random.default_rng(3).normal(size=data.shape)
    options = {'zeropoint': 25.0, 'pixel_scale': 0.4}
    profile = fitter()(data, **options)
    batch, = fitter().fit_many([data], **options)
    assert profile.meta['flag'] & GalaxyFlag.NO_SOURCE
    assert len(profile) > 0
    assert np.isfinite(profile['intensity'].value).any()
    for name in ('surface_brightness', 'mag_enclosed'):
        assert np.isnan(profile[name].value).all()
    assert np.isnan(batch.galaxies['mag'].value).all()
    assert np.isnan(batch.galaxies['radius_50'].value).all()
    row = measure_structure(profile, fits=False)[0]
    assert np.isnan(row['mag_total'].value)
    assert np.isnan(row['r50'].value)


class TestExtrapolateLight:
    RADIUS = np.geomspace(1, 10, 25)

    def extrapolate(self, value, covariance=None):
        if covariance is None:
            covariance = np.diag((0.01 * value)**2)
        samples = np.tile(value, (50, 1))
        return extrapolate_light(self.RADIUS, samples, 0.5, covariance,
                                 np.random.default_rng(1))

    def test_exact(self):
        """
        Rings without noise leave the shape only, around the true flux.
        """
        value = np.exp(-self.RADIUS / 2)
        light = self.extrapolate(value, np.diag((1e-5 * value)**2))
        true = 2 * np.pi * 0.5 * 4 * 6 * np.exp(-5)
        assert_allclose(np.median(light), true, rtol=0.15)
        assert_allclose(light[0], true, rtol=0.25)

    def test_too_little(self):
        value = np.exp(-self.RADIUS / 2)
        assert self.extrapolate(value, np.diag(value**2)) is None
        assert self.extrapolate(1 / value) is None
        assert self.extrapolate(-value) is None
        few = extrapolate_light(self.RADIUS[-4:], value[None, -4:], 0.5,
                                np.diag((0.01 * value[-4:])**2),
                                np.random.default_rng(1))
        assert few is None


def test_batch():
    """
    A row for each galaxy; radii have no unit if their units differ.
    """
    profiles = [make_profile(1.0, 2.0), ValueError('not there'),
                make_profile(4.0, 3.0)]
    batch = ProfileBatch.from_profiles(profiles)
    table = measure_structure(batch, fits=False)
    assert len(table) == 3
    for k in (0, 2):
        row = measure(profiles[k])
        for name in ('mag_total', 'r50_err', 'extrapolated_fraction'):
            assert_allclose(table[name][k], row[name])
    assert np.isnan(table['mag_total'][1])
    assert table['r50'].unit == u.arcsec
    profiles[1] = profiles[0].copy()
    profiles[1]['radius'] = profiles[1]['radius'].value * u.pix
    mixed = measure_structure(ProfileBatch.from_profiles(profiles),
                              fits=False, n_samples=4)
    assert getattr(mixed['r50'], 'unit', None) is None
    assert mixed['mag_total'].unit == u.mag
    assert len(measure_structure(batch[:0])) == 0


class TestWings:
    """
    Galaxies that are not cut, whose growth curves seem to level off.
    """

    @pytest.mark.parametrize(('n', 'reach', 'over'), [
        (4, 4.5, 0.1), (4, 5, 0.0), (6, 4.5, 0.25)])
    def test_spheroid(self, n, reach, over):
        profile = make_profile(n, reach, sky_err=3e-5, noise=1e-4,
                               galaxy_flag=0, over=over)
        row = measure_structure(profile, n_samples=100, fits=False)[0]
        assert row['flag'] & StructureFlag.NOT_ASYMPTOTIC
        missing = row['mag_total'].value - true_magnitude(n)
        # (index 6 has a fifth of its light beyond)
        assert abs(missing) < (3 if n == 6 else 2) * row[
            'mag_total_err'].value
        assert missing < row['mag_aperture'].value - true_magnitude(n)

    @pytest.mark.parametrize(('n', 'reach'), [(1, 2.5), (1, 5), (0.6, 3)])
    def test_disc(self, n, reach):
        profile = make_profile(n, reach, sky_err=3e-5, noise=1e-4,
                               galaxy_flag=0)
        row = measure_structure(profile, n_samples=20, fits=False)[0]
        assert not row['flag'] & StructureFlag.NOT_ASYMPTOTIC
        assert abs(row['mag_total'].value - true_magnitude(n)) < 0.04


class TestErrorOfPart:
    @pytest.mark.parametrize('n', [0.5, 0.7, 1.0, 1.3, 1.5])
    def test_holds(self, n):
        """
        The part beyond the last ring is known to its error, deep as it is.
        """
        off, errors = [], []
        for reach in (2.5, 3.0, 3.5, 4.0):
            row = measure(make_profile(n, reach, galaxy_flag=0, sky_err=1e-5,
                                       noise=1e-4))
            if row['flag'] & StructureFlag.NOT_ASYMPTOTIC:
                continue
            part = row['extrapolated_fraction']
            errors.append(row['extrapolated_fraction_err'])
            off.append(part - true_part(n, reach))
            assert errors[-1] >= 0.25 * part
        assert len(off) > 1
        assert np.all(np.abs(off) < 1.5 * np.array(errors))


class TestSteepOutskirts:
    @pytest.mark.parametrize('n', [0.4, 0.5, 0.6, 0.8])
    @pytest.mark.parametrize('reach', [2.2, 2.5, 3.0])
    def test_dwarfs(self, n, reach):
        # a straight line through the growth curve adds too much
        row = measure(make_profile(n, reach, galaxy_flag=0, sky_err=1e-5,
                                   noise=1e-4))
        assert not row['flag'] & StructureFlag.NOT_ASYMPTOTIC
        for name, true in (('mag_total', true_magnitude(n) * u.mag),
                           ('extrapolated_fraction', true_part(n, reach))):
            assert abs(row[name] - true) < row[f'{name}_err']
        assert_allclose(row['mag_total'].value, true_magnitude(n), atol=0.004)
        r_90 = R_E * (gammaincinv(2 * n, 0.9) / gammaincinv(2 * n, 0.5))**n
        assert_allclose(row['r90'].value, r_90, rtol=0.01)
        assert abs(row['r90'].value - r_90) < row['r90_err'].value

    @pytest.mark.parametrize('n', [1.0, 1.3])
    def test_discs_stay(self, n):
        # the asymptote adds what a Sersic law does, or less
        radius = np.linspace(0, 3 * R_E, 40)
        value = np.exp(-gammaincinv(2 * n, 0.5) * (
            (radius / R_E)**(1 / n) - 1))
        covariance = np.diag((0.01 * value)**2)
        light = extrapolate_light(radius, value[None], Q, covariance,
                                  np.random.default_rng(0))[0]
        assert _too_much(0.9 * light, radius, value, Q, covariance) == 0
        assert_allclose(_too_much(1.5 * light, radius, value, Q, covariance),
                        0.5 * light)

    def test_few_rings(self):
        radius = np.linspace(0, 20, 4)
        value = np.exp(-radius)
        assert _too_much(1.0, radius, value, Q, np.diag(
            (0.01 * value)**2)) == 0

    @pytest.mark.parametrize('n', [0.5, 0.7])
    def test_errors_hold(self, n):
        pulls = []
        for seed in range(30):
            row = measure(make_profile(n, 2.4, galaxy_flag=0, seed=seed))
            pulls.append((row['mag_total'].value - true_magnitude(n))
                         / row['mag_total_err'].value)
        pulls = np.array(pulls)
        assert 0.6 < np.mean(np.abs(pulls) < 1) < 0.95
        assert abs(np.median(pulls)) < 0.6
