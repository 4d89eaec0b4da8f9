# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the structure and sersic modules.

Truths are analytic: an exponential disc has R50 = 1.678 h, R90 = 3.890 h,
R20 = 0.824 h, R80 = 2.994 h, and a magnitude of
mu_0 - 2.5 log10(2 pi h^2 q).
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose
from scipy.special import gammaincinv

from astro_pix2prof import (
    GalaxyCutout,
    ProfileBatch,
    build_profile,
    measure_structure,
    sample_profile,
)
from astro_pix2prof.profile.flags import StructureFlag, decode_structure_flags
from astro_pix2prof.profile.meta import store_correlation
from astro_pix2prof.structure.columns import STRUCTURE_COLUMNS, level_name
from astro_pix2prof.structure.models import (
    fit_bulge_disc,
    fit_disc,
    fit_sersic,
    sersic_flux,
)

PIXEL = 0.5
Q = 0.6
MU_0, H = 20.0, 6.0
SKY_ERR = 2e-5


def make_profile(shape, *, r_max=60.0, seed=None, calibrated=True,
                 sky_err=SKY_ERR):
    """
    A profile of intensities ``shape(radius)`` in nmgy/arcsec2.
    """
    options = ({'unit': u.nmgy, 'pixel_scale': PIXEL} if calibrated
               else {'calibrated': False, 'pixel_scale': PIXEL})
    cutout = GalaxyCutout(np.ones((9, 9)), **options)
    sma = np.concatenate([np.arange(0, 8, 0.5), np.geomspace(
        8, r_max / PIXEL, 50)])
    value = shape(sma * PIXEL) * PIXEL**2
    noise = 5e-4 / np.sqrt(np.maximum(sma, 1))
    error = np.hypot(noise, sky_err)
    if seed is not None:
        rng = np.random.default_rng(seed)
        value = (value + rng.normal(size=len(sma)) * noise
                 + rng.normal() * sky_err)
    return build_profile(cutout, sma, value, error,
                         ellipticity=np.full(len(sma), 1 - Q),
                         ellipticity_err=np.full(len(sma), 0.01),
                         theta=np.full(len(sma), 30.0),
                         theta_err=np.ones(len(sma)), sky_err=sky_err)


def disc(radius, mu_0=MU_0, h=H):
    return 10**(-0.4 * (mu_0 - 22.5)) * np.exp(-radius / h)


def fit_coarse(at, h_out, r_max, *, seed=None):
    """
    Fit a broken disc to rings that lie a fifth apart.

    With a seed, the rings have noise, from a hundredth inside to a quarter of
    the last ring.
    """
    r = r_max / 1.2**np.arange(24)[::-1]
    value = np.where(r < at, np.exp(-r / H),
                     np.exp(-at / H - (r - at) / h_out))
    error = 0.01 * value
    if seed is not None:
        error = np.hypot(error, 0.25 * value[-1] * (r[-1] / r)**0.5)
        value = value + error * np.random.default_rng([3, seed]).normal(
            size=len(r))
    return fit_disc(r, value, error)


def sersic(radius, mu_e=21.0, r_e=5.0, n=4.0):
    b = gammaincinv(2 * n, 0.5)
    return 10**(-0.4 * (mu_e - 22.5)) * np.exp(
        -b * ((radius / r_e)**(1 / n) - 1))


@pytest.fixture(name='result', scope='module')
def fixture_result():
    return measure_structure(make_profile(disc))[0]


class TestExponential:
    def test_magnitude(self, result):
        true = MU_0 - 2.5 * np.log10(2 * np.pi * H**2 * Q)
        assert_allclose(result['mag_total'].value, true, atol=0.01)
        # Within 10 h nothing is missing.
        assert_allclose(result['mag_aperture'].value, true, atol=0.01)
        assert result['mag_total'].unit == u.mag

    @pytest.mark.parametrize(('name', 'factor'), [
        ('r20', 0.8244), ('r50', 1.6783), ('r80', 2.9943), ('r90', 3.8897)])
    def test_radii(self, result, name, factor):
        assert_allclose(result[name].to_value(u.arcsec), factor * H,
                        rtol=0.01)
        assert 0 < result[f'{name}_err'].value < 0.1 * H

    def test_concentration(self, result):
        assert_allclose(result['c28'], 5 * np.log10(2.9943 / 0.8244),
                        atol=0.03)
        assert_allclose(result['c59'], 3.8897 / 1.6783, atol=0.03)

    def test_isophotal_radii(self, result):
        for level in (23.5, 25.0, 26.5):
            name = f'r{level:.1f}'.replace('.', '_')
            assert_allclose(result[name].value, H * (level - MU_0) / 1.0857,
                            rtol=0.01)

    def test_petrosian(self, result):
        # eta(r) = 0.2 at 3.63 h for thin annuli of an exponential.
        assert_allclose(result['r_petro'].value, 3.63 * H, rtol=0.03)
        assert_allclose(result['mag_petro'].value, result[
            'mag_total'].value, atol=0.02)

    def test_surface_brightness(self, result):
        assert_allclose(result['mu_0'].value, MU_0, atol=0.01)
        r_50 = 1.6783 * H
        mean = result['mag_total'].value + 2.5 * np.log10(
            2 * np.pi * r_50**2 * Q)
        assert_allclose(result['mu_mean_50'].value, mean, atol=0.02)
        assert result['mu_0'].unit == u.mag / u.arcsec**2

    def test_shape(self, result):
        assert_allclose(result['ellipticity_50'], 1 - Q)
        assert_allclose(result['ellipticity_out_err'], 0.01)
        assert_allclose(result['pa_50'].to_value(u.deg), 30)

    def test_fits(self, result):
        assert_allclose(result['sersic_n'], 1, atol=0.02)
        assert_allclose(result['sersic_r_e'].value, 1.6783 * H, rtol=0.01)
        assert_allclose(result['h_disc'].value, H, rtol=0.01)
        assert result['disc_type'] == 1
        assert np.isnan(result['r_break'].value)
        # (there is no bulge)
        assert np.isnan(result['bulge_n'])
        assert result['flag'] == StructureFlag.COMPONENT_UNSEEN


class TestOtherShapes:
    def test_de_vaucouleurs(self):
        result = measure_structure(make_profile(sersic, r_max=200.0))[0]
        assert_allclose(result['sersic_n'], 4, atol=0.05)
        assert_allclose(result['sersic_r_e'].value, 5, rtol=0.02)
        assert_allclose(result['sersic_mu_e'].value, 21, atol=0.05)

    def test_concentration_of_de_vaucouleurs(self):
        # No image shows the cusp itself: soften it.
        profile = make_profile(lambda r: sersic(np.hypot(r, 0.2)), r_max=200)
        result = measure_structure(profile, fits=False)[0]
        r = np.geomspace(1e-3, 5000, 200_000)
        flux = np.cumsum(np.gradient(r) * 2 * np.pi * Q * r
                         * sersic(np.hypot(r, 0.2)))
        r_20, r_80 = np.interp([0.2, 0.8], flux / flux[-1], r)
        assert_allclose(result['c28'], 5 * np.log10(r_80 / r_20), atol=0.08)
        assert_allclose(result['mag_total'].value,
                        22.5 - 2.5 * np.log10(flux[-1]), atol=0.03)

    def test_bulge_and_disc(self):
        profile = make_profile(lambda r: sersic(r, 19.5, 1.5, 2.0)
                               + disc(r, 20.5, 8.0), r_max=70)
        result = measure_structure(profile)[0]
        assert_allclose(result['bulge_r_e'].value, 1.5, rtol=0.05)
        assert_allclose(result['bulge_n'], 2, rtol=0.05)
        assert_allclose(result['disc_h'].value, 8, rtol=0.02)
        bulge = sersic_flux(sersic(1.5, 19.5, 1.5, 2.0), 1.5, 2.0)
        total = bulge + 2 * np.pi * disc(0, 20.5) * 64
        assert_allclose(result['b_t'], bulge / total, atol=0.01)

    @pytest.mark.parametrize(('h_out', 'kind'), [(3.0, 2), (12.0, 3)])
    def test_break(self, h_out, kind):
        def broken(r):
            return np.where(r < 20, disc(r), disc(20.0) * np.exp(
                -(r - 20) / h_out))

        result = measure_structure(make_profile(broken, seed=3))[0]
        assert result['disc_type'] == kind
        assert_allclose(result['r_break'].value, 20, atol=1.5)
        assert_allclose(result['h_in'].value, H, rtol=0.05)
        assert_allclose(result['h_out'].value, h_out, rtol=0.15)

    @pytest.mark.parametrize('r_max', [40.0, 50.0])
    @pytest.mark.parametrize(('at', 'h_out'), [(20, 2.0), (20, 3.0),
                                               (15, 2.5)])
    def test_break_of_coarse_rings(self, at, h_out, r_max):
        # as networks measure them: a fifth apart, six to nine are of the disc
        found = fit_coarse(at, h_out, r_max)
        assert found['type'] == 2
        assert_allclose(found['r_break'][0], at, atol=0.06 * at)
        assert_allclose(found['h_in'][0], H, rtol=0.07)
        assert_allclose(found['h_out'][0], h_out, rtol=0.07)

    @pytest.mark.parametrize('r_max', [20.0, 26.0, 32.0])
    def test_noise_of_coarse_rings_is_no_break(self, r_max):
        # (of few rings, one that is bright bends the line up)
        kinds = [fit_coarse(20, H, r_max, seed=seed)['type']
                 for seed in range(60)]
        assert sum(kind != 1 for kind in kinds) <= 1

    def test_flux_of_exponential(self):
        # Sersic n=1: amplitude at 1.678 h.
        assert_allclose(sersic_flux(disc(1.67835 * H), 1.67835 * H, 1.0),
                        2 * np.pi * H**2 * disc(0), rtol=1e-4)


class TestErrors:
    def test_sky_moves_all_rings(self):
        # The sky is all of the error in the outskirts: the total is off by
        # its error times the area, which rings on their own would average.
        profile = make_profile(disc, r_max=40, sky_err=2e-4)
        result = measure_structure(profile, fits=False, n_samples=400)[0]
        flux = 10**(-0.4 * (result['mag_aperture'].value - 22.5))
        # A pixel value of 2e-4 is 8e-4 per arcsec2.
        sky = 1.0857 * 8e-4 * np.pi * 40**2 * Q / flux
        assert_allclose(result['mag_aperture_err'].value, sky, rtol=0.15)

    def test_fits_hold_what_rings_share(self):
        # Noise that all rings share moves the scale of a disc by its errors.
        radius = np.linspace(2, 40, 40)
        value = disc(radius)
        rng = np.random.default_rng(7)
        share = 0.9**np.abs(np.arange(40)[:, None] - np.arange(40))
        error = 0.1 * value
        covariance = share * np.outer(error, error)
        pulls = {'h': [], 'sersic_r_e': []}
        for noise in rng.multivariate_normal(np.zeros(40), covariance, 25):
            part = fit_disc(radius, value + noise, error, covariance)
            pulls['h'].append((part['h'][0] - H) / part['h'][1])
            part = fit_sersic(radius, value + noise, error, covariance)
            found = part['sersic_r_e']
            pulls['sersic_r_e'].append((found[0] - 1.6783 * H) / found[1])
        for values in pulls.values():
            assert 0.7 < np.sqrt(np.mean(np.square(values))) < 1.35
        alone = fit_disc(radius, value, error)['h'][1]
        assert fit_disc(radius, value, error, covariance)['h'][1] > 2 * alone

    @pytest.mark.parametrize('error', [0.0, np.nan])
    def test_ring_without_error(self, error):
        # One such ring does not make the sky certain.
        profile = make_profile(disc, r_max=40, sky_err=2e-4)
        usual = measure_structure(profile, fits=False)[0]
        profile['intensity_err'][3] = error * profile['intensity_err'].unit
        result = measure_structure(profile, fits=False)[0]
        assert_allclose(result['mag_aperture_err'].value,
                        usual['mag_aperture_err'].value, rtol=0.2)

    def test_profile_without_errors(self):
        profile = make_profile(disc)
        profile['intensity_err'] *= np.nan
        result = measure_structure(profile)[0]
        assert_allclose(result['r50'].value, 1.6783 * H, rtol=1e-3)
        assert_allclose(result['sersic_n'], 1, atol=0.02)
        assert np.isnan(result['r50_err'].value)
        assert result['flag'] == StructureFlag.COMPONENT_UNSEEN

    def test_wings_in_the_sky(self):
        # Wings that were taken for sky leave a growth curve that levels off,
        # 0.05 mag too faint: the errors hold that.
        profile = make_profile(sersic, r_max=30, sky_err=2e-3)
        profile['intensity'] -= 4e-3 / PIXEL**2 * profile['intensity'].unit
        row = measure_structure(profile, fits=False)[0]
        assert not row['flag'] & StructureFlag.NOT_ASYMPTOTIC
        r = np.geomspace(1e-3, 5000, 100_000)
        flux = np.cumsum(np.gradient(r) * 2 * np.pi * Q * r * sersic(r))
        r_80, r_90 = np.interp([0.8, 0.9], flux / flux[-1], r)
        mag = 22.5 - 2.5 * np.log10(flux[-1])
        for name, true in (('mag_total', mag), ('r80', r_80), ('r90', r_90)):
            off = row[name].value - true
            assert 0.5 < abs(off) / row[f'{name}_err'].value < 2.7

    def test_coverage(self):
        true_mag = MU_0 - 2.5 * np.log10(2 * np.pi * H**2 * Q)
        pulls = {'mag_aperture': [], 'r50': [], 'r25_0': []}
        truth = {'mag_aperture': true_mag, 'r50': 1.6783 * H,
                 'r25_0': H * 5 / 1.0857}
        for seed in range(50):
            # A sky error that dominates the total magnitude.
            profile = make_profile(disc, seed=seed, sky_err=4e-4)
            # (the ellipses are the true ones)
            profile['ellipticity_err'] = 0.0
            row = measure_structure(profile, fits=False, seed=seed,
                                    n_samples=100)[0]
            for name, values in pulls.items():
                values.append((row[name].value - truth[name])
                              / row[f'{name}_err'].value)
        for name, values in pulls.items():
            held = np.mean(np.abs(values) < 1)
            assert 0.48 < held < 0.9, name

    def test_repeatable(self):
        profile = make_profile(disc, seed=1)
        one, two = (measure_structure(profile, seed=5) for _ in range(2))
        assert one['r50_err'][0] == two['r50_err'][0]
        other = measure_structure(profile, seed=6)
        assert other['r50_err'][0] != one['r50_err'][0]


class TestLimits:
    def test_level_in_the_noise(self):
        # 26.5 mag/arcsec2 at 36 arcsec, in rings that err by as much.
        level = 10**(-0.4 * 4)
        profile = make_profile(disc, sky_err=0)
        far = profile['radius'].value > 30
        unit = profile['intensity'].unit
        for part, reached in ((0.3, True), (0.5, True), (1.1, False)):
            profile['intensity_err'][far] = part * level * unit
            row = measure_structure(profile, fits=False)[0]
            assert np.isfinite(row['r26_5']) == reached
            assert bool(row['flag'] & StructureFlag.LEVEL_NOT_REACHED) != (
                reached)
            if part == 0.5:
                # the slope is that of the disc, 36 / 6
                assert row['r26_5_err'].value > 0.9 * part * H / 2**0.5

    def test_not_reached(self):
        result = measure_structure(make_profile(disc, r_max=15))[0]
        names = decode_structure_flags(result['flag'])
        assert 'LEVEL_NOT_REACHED' in names
        assert 'PETROSIAN_NOT_REACHED' in names
        assert np.isnan(result['r26_5'].value)
        assert np.isfinite(result['mag_aperture'].value)

    def test_petrosian_aperture_not_reached(self):
        # The radius is 21 arcsec, the aperture 42: 1% of the light lies
        # beyond that, which the decline of the outer rings tells.
        result, whole = (measure_structure(make_profile(disc, r_max=size))[0]
                         for size in (34, 60))
        assert np.isfinite(result['r_petro'].value)
        off = abs(result['mag_petro'] - whole['mag_petro']).value
        assert off < 0.005
        assert off < 2 * result['mag_petro_err'].value
        names = decode_structure_flags(result['flag'])
        assert 'PETROSIAN_NOT_REACHED' not in names
        # with an aperture of ten times as much, all of the light
        wide = measure_structure(make_profile(disc, r_max=34), fits=False,
                                 petrosian_aperture=20)[0]
        assert_allclose(wide['mag_petro'].value, wide['mag_total'].value,
                        atol=1e-3)

    def test_petrosian_aperture_far_outside(self):
        # of a spheroid, a fifth lies beyond the profile
        spheroid = make_profile(lambda r: sersic(r, r_e=12), r_max=34)
        result = measure_structure(spheroid, fits=False)[0]
        assert 17 < result['r_petro'].value < 0.8 * 34
        assert result['extrapolated_fraction'] > 0.1
        assert np.isnan(result['mag_petro'].value)
        assert 'PETROSIAN_NOT_REACHED' in decode_structure_flags(
            result['flag'])

    def test_between_rings(self):
        # Rings are 2 arcsec apart there; radii are exact all the same.
        result = measure_structure(make_profile(disc), levels=[26.0])[0]
        assert_allclose(result['r26_0'].value, H * 6 / 1.0857362, rtol=2e-4)
        assert_allclose(result['r50'].value, 1.67835 * H, rtol=5e-4)

    def test_own_levels(self):
        result = measure_structure(make_profile(disc), levels=[22.25, 24])
        assert_allclose(result['r22_25'][0].value, H * 2.25 / 1.0857,
                        rtol=0.01)
        assert 'r24_0' in result.colnames
        assert 'r25_0' not in result.colnames

    def test_uncalibrated(self):
        result = measure_structure(make_profile(disc, calibrated=False))[0]
        assert result['flag'] & StructureFlag.UNCALIBRATED
        assert np.isnan(result['mag_total'].value)
        assert np.isnan(result['r25_0'].value)
        assert_allclose(result['r50'].value, 1.6783 * H, rtol=0.01)

    @pytest.mark.parametrize('n', [1, 2, 4])
    def test_few_rings(self, n):
        result = measure_structure(make_profile(disc)[:n])[0]
        assert result['flag'] & StructureFlag.TOO_FEW_RINGS
        assert np.isnan(result['r50'].value)
        assert np.isnan(result['sersic_n'])

    def test_all_negative(self):
        profile = make_profile(lambda r: -disc(r))
        result = measure_structure(profile)[0]
        assert result['flag'] & StructureFlag.TOO_FEW_RINGS

    def test_without_fits(self):
        result = measure_structure(make_profile(disc), fits=False)
        assert isinstance(result, QTable)
        assert len(result) == 1
        assert 'sersic_n' not in result.colnames

    def test_fits_of_too_little(self):
        few = np.arange(1.0, 4)
        assert fit_sersic(few, few, few) is None
        assert fit_bulge_disc(few, few, few) is None
        assert fit_disc(few, few, few) is None
        rising = np.arange(1.0, 30)
        assert fit_disc(rising, rising, 0.01 * rising) is None

    def test_wrong_input(self):
        with pytest.raises(TypeError, match='must be a profile table'):
            measure_structure(Table({'a': [1]}))
        with pytest.raises(ValueError, match='levels must be finite'):
            measure_structure(make_profile(disc), levels=[np.nan])


class TestColumns:
    def test_errors_can_have_values(self, result):
        # every error has a value where all is well
        profile = make_profile(lambda r: sersic(r, 19.5, 1.5, 2.0) + np.where(
            r < 30, disc(r, 20.5, 8.0), disc(30, 20.5, 8.0)
            * np.exp(-(r - 30) / 4)), r_max=70, seed=4)
        row = measure_structure(profile)[0]
        errors = [name for name in row.colnames if name.endswith('_err')]
        assert len(errors) > 30
        for name in errors:
            assert np.isfinite(row[name]), name
        assert result.colnames == row.colnames
        for name in ('sersic_chi2', 'bulge_disc_chi2', 'disc_type'):
            assert np.isfinite(row[name])
            assert f'{name}_err' not in row.colnames

    def test_one_definition(self, result):
        names = []
        for column in STRUCTURE_COLUMNS:
            if column.needs_psf:
                assert column.text.startswith('With ``psf=``: ')
                continue
            found = {'r_level': [level_name(v) for v in
                                 np.arange(23.5, 27, 0.5)],
                     # (there are no such columns unless they are asked for)
                     'r_part': []}.get(column.name, [column.name])
            for name in found:
                names += [name, f'{name}_err'] if column.has_error else [name]
            assert column.text.endswith('.')
        assert result.colnames == [*names, 'flag']

    @pytest.mark.parametrize(('level', 'name'), [
        (20, 'r20_0'), (20.001, 'r20_0'), (22.25, 'r22_25'), (24.5, 'r24_5'),
        (26.999, 'r27_0')])
    def test_names_of_levels(self, level, name):
        # a level never takes the column of a fraction of the light
        assert level_name(level) == name
        table = measure_structure(make_profile(disc), levels=[level],
                                  fits=False)
        assert_allclose(table['r20'][0].value, 0.8244 * H, rtol=0.01)
        assert name in table.colnames

    def test_levels_with_unit(self):
        levels = [24.0, 25.0] * u.mag / u.arcsec**2
        table = measure_structure(make_profile(disc), levels=levels,
                                  fits=False)
        assert_allclose(table['r24_0'][0].value, H * 4 / 1.0857, rtol=0.01)

    @pytest.mark.parametrize('levels', [
        ['a'], [None], [np.inf], [24] * u.m, [[24.0], [25.0]]])
    def test_wrong_levels(self, levels):
        with pytest.raises(ValueError, match='levels must be finite surface'):
            measure_structure(make_profile(disc), levels=levels)

    def test_equal_levels(self):
        with pytest.raises(ValueError, match='levels must differ by a hund'):
            measure_structure(make_profile(disc), levels=[24.0, 24.001])


class TestDescriptions:
    @pytest.mark.parametrize('end', ['ecsv', 'fits'])
    def test_files(self, tmp_path, end):
        # each column says what it is, also in files
        table = measure_structure(make_profile(disc), fractions=[75],
                                  levels=[25.0, 26.25])
        table.write(tmp_path / f'structure.{end}')
        for one in (table, QTable.read(tmp_path / f'structure.{end}')):
            texts = {name: one[name].info.description
                     for name in one.colnames}
            assert texts['r75'] == 'Radius that encloses 75% of the total.'
            assert texts['r26_25'] == ('Outermost radius of a surface '
                                       'brightness of 26.25 mag/arcsec2.')
            assert texts['disc_type'].startswith('1 without a break')
            assert texts['sersic_n_err'] == 'Error of sersic_n.'
            assert all(texts.values())
            assert not any('`' in text for text in texts.values())

    def test_batch(self):
        profile = make_profile(disc)
        one, many = (measure_structure(given, fits=False) for given in (
            profile, ProfileBatch.from_profiles([profile])))
        for name in one.colnames:
            assert (many[name].info.description
                    == one[name].info.description)


class TestCorrelationMissing:
    def test_network(self):
        profile = make_profile(disc)
        profile.meta.update(fitter='Pix2ProfFitter', weights='rings')
        match = 'comes from a network but its meta has no .correlation.'
        with pytest.warns(AstropyUserWarning, match=match):
            measure_structure(profile, fits=False)
        store_correlation(profile, {'length': 0.8, 'smooth': 0.8,
                                    'common': 0.2})
        measure_structure(profile, fits=False)

    def test_samples(self):
        # noisy versions of the profile need no correlation
        profile = make_profile(disc)
        profile['surface_brightness_samples'] = sample_profile(profile, 20,
                                                               seed=1)
        profile.meta.update(fitter='Pix2ProfFitter', weights='rings')
        result = measure_structure(profile, fits=False)
        assert result['mag_total_err'][0] > 0

    def test_lost_meta(self):
        profile = make_profile(disc)
        profile.meta.clear()
        match = 'has neither .correlation. nor .sky_err.'
        with pytest.warns(AstropyUserWarning, match=match):
            result = measure_structure(profile, fits=False)
        # the zero point follows from the columns
        assert result['flag'][0] == 0

    def test_no_errors(self):
        profile = make_profile(disc)
        profile.meta.clear()
        profile['intensity_err'] *= np.nan
        result = measure_structure(profile, fits=False)
        assert not np.isfinite(result['mag_total_err'][0])


class TestOddProfiles:
    """
    Each is measured, or refused by name; nothing fails inside.
    """

    @pytest.mark.parametrize('column', [
        'intensity', 'intensity_err', 'surface_brightness',
        'surface_brightness_err', 'ellipticity', 'pa', 'mag_enclosed'])
    @pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 0.0])
    @pytest.mark.parametrize('rows', [slice(None), slice(0, None, 2)])
    def test_odd_values(self, column, value, rows):
        profile = make_profile(disc)
        numbers = np.array(profile[column], dtype=float)
        numbers[rows] = value
        profile[column] = (numbers * profile[column].unit
                           if column != 'ellipticity' else numbers)
        row = measure_structure(profile, n_samples=4,
                                fits=np.isnan(value))[0]
        whole = rows == slice(None)
        few = bool(row['flag'] & StructureFlag.TOO_FEW_RINGS)
        assert few == (whole and column == 'intensity')
        unshaped = whole and column == 'ellipticity' and value != 0
        assert np.isnan(row['mag_total'].value) == (few or unshaped)

    def test_out_of_range(self):
        for value in (-0.1, 1.0, 7.0):
            profile = make_profile(disc)
            profile['ellipticity'][3] = value
            with pytest.raises(ValueError, match='ellipticities from 0 to be'):
                measure_structure(profile)
        profile = make_profile(disc)
        profile['intensity_err'] *= -1
        match = 'no negative errors in the column intensity_err'
        with pytest.raises(ValueError, match=match):
            measure_structure(profile)

    @pytest.mark.parametrize('n', [0, 1, 2, 3])
    def test_few_rings(self, n):
        row = measure_structure(make_profile(disc)[:n])[0]
        assert row['flag'] & StructureFlag.TOO_FEW_RINGS
        assert np.isnan(row['mag_total'].value)

    def test_masked_rows(self):
        profile = make_profile(disc)
        masked = QTable(profile, masked=True)
        for name in masked.colnames:
            if name not in ('radius', 'flag'):
                masked[name].mask[4:7] = True
        row = measure_structure(masked)[0]
        whole = measure_structure(profile)[0]
        assert_allclose(row['mag_total'].value, whole['mag_total'].value,
                        atol=0.01)
        assert_allclose(row['sersic_n'], whole['sersic_n'], atol=0.02)

    def test_without_columns(self):
        profile = make_profile(disc)
        profile.remove_columns(['surface_brightness', 'pa_err', 'n_valid',
                                'surface_brightness_err', 'mag_enclosed',
                                'ellipticity_err'])
        row = measure_structure(profile)[0]
        assert np.isfinite(row['mag_total'].value)
        assert np.isnan(row['pa_50_err'])

    def test_wrong_number_of_samples(self):
        for number in (1, 2.5, 'x', None, True):
            with pytest.raises(ValueError, match='n_samples must be an int'):
                measure_structure(make_profile(disc), n_samples=number)


class TestNumbers:
    """
    Limits and constants of the measurement, each of which shows.
    """

    def test_floor_of_errors(self):
        # rings count with 3 per cent at least: a scatter of 3 per cent
        # has a reduced chi squared of 1
        profile = make_profile(disc, r_max=40)
        sign = np.where(np.arange(len(profile)) % 2, 1, -1)
        profile['intensity'] *= 1 + 0.03 * sign
        profile['intensity_err'] *= 1e-6
        row = measure_structure(profile, n_samples=2)[0]
        assert_allclose(row['sersic_chi2'], 1, atol=0.1)
        # and errors of the fit follow from it
        profile['intensity'] /= 1 + 0.03 * sign
        small = measure_structure(profile, n_samples=2)[0]
        assert_allclose(small['sersic_mu_e_err'].value, row[
            'sersic_mu_e_err'].value, rtol=0.1)

    def test_last_reliable_ring(self):
        # the aperture ends at the last ring above its error
        profile = make_profile(disc, r_max=60)
        last = np.nonzero(profile['radius'].value < 20)[0][-1]
        unit = profile['intensity'].unit
        profile['intensity_err'][last + 1:] = 1.01 * profile['intensity'][
            last + 1:].value * unit
        row = measure_structure(profile, n_samples=4, fits=False)[0]
        x = profile['radius'][last].value / H
        part = 1 - (1 + x) * np.exp(-x)
        assert_allclose(row['mag_aperture'].value, MU_0 - 2.5 * np.log10(
            2 * np.pi * H**2 * Q * part), atol=2e-3)
        profile['intensity_err'][last + 1:] *= 0.9 / 1.01
        again = measure_structure(profile, n_samples=4, fits=False)[0]
        assert again['mag_aperture'] < row['mag_aperture']

    @pytest.mark.parametrize(('r_max', 'levelled'), [(12, False), (20, True),
                                                     (60, True)])
    def test_asymptotic(self, r_max, levelled):
        # 2, 3.3 and 10 scale lengths: 0.57, 0.18 and 0 mag are missing
        row = measure_structure(make_profile(disc, r_max=r_max),
                                n_samples=4, fits=False)[0]
        true = MU_0 - 2.5 * np.log10(2 * np.pi * H**2 * Q)
        assert bool(row['flag'] & StructureFlag.NOT_ASYMPTOTIC) != levelled
        if levelled:
            assert_allclose(row['mag_total'].value, true, atol=0.06)
        else:
            # the rest is that of a fit to the outer rings
            assert row['mag_aperture'].value > true + 0.4
            error = row['mag_total_err'].value
            assert 0.02 < error < 0.5
            assert abs(row['mag_total'].value - true) < 2 * error

    def test_five_rings(self):
        profile = make_profile(disc)
        rows = measure_structure(profile[:5], n_samples=4, fits=False)[0]
        assert not rows['flag'] & StructureFlag.TOO_FEW_RINGS
        assert np.isfinite(rows['mag_aperture'].value)

    def test_outermost_crossing(self):
        # a ring of light: the outermost radius counts
        def shape(r):
            return disc(r) + disc(0) * 0.05 * np.exp(-(r - 30)**2 / 8)

        row = measure_structure(make_profile(shape), levels=[24.0],
                                n_samples=4, fits=False)[0]
        fine = np.linspace(0, 60, 60_001)
        above = shape(fine) > 10**(-0.4 * 1.5)
        assert_allclose(row['r24_0'].value, fine[above][-1], rtol=2e-3)

    def test_error_is_half_the_spread(self):
        profile = make_profile(disc)
        rng = np.random.default_rng(1)
        shift = rng.normal(0, 0.1, 4000)
        profile['surface_brightness_samples'] = (
            profile['surface_brightness'].value[:, None] + shift
        ) * u.mag / u.arcsec**2
        row = measure_structure(profile, levels=[24.0], fits=False)[0]
        assert_allclose(row['mag_aperture_err'].value, 0.1, rtol=0.04)
        assert_allclose(row['mu_0_err'].value, 0.1, rtol=0.04)
        assert_allclose(row['r24_0_err'].value, 0.1 * H / 1.0857, rtol=0.04)

    def test_error_of_bulge_to_total(self):
        # what the bulge has more the disc has less: fluxes are not
        # independent, and the part is better known than either
        rng, r = np.random.default_rng(3), np.linspace(0.4, 35, 60)
        true = sersic(r, 19.5, 1.5, 2.0) + disc(r, 20.5, 8.0)
        error = 0.05 * true
        found = np.array([fit_bulge_disc(
            r, true + rng.normal(0, error), error, np.diag(error**2))['b_t']
            for _ in range(12)])
        assert_allclose(np.median(found[:, 1]), found[:, 0].std(), rtol=0.4)
        # That of rings without noise is that of an independent propagation:
        # rings count with 3 per cent besides, and are independent or share
        # a tenth of their variance.
        share = 0.1 * np.ones((60, 60)) + 0.9 * np.eye(60)
        covariance = share * np.outer(error, error)
        weight = np.hypot(error, 0.03 * true)
        start = np.array([19.5, 1.5, 2.0, 20.5, 8.0])

        def rings(values):
            return (sersic(r, *values[:3]) + disc(r, *values[3:])) / weight

        def part(values):
            at = np.geomspace(1e-4, 400, 4000)
            bulge, rest = (np.trapezoid(at * light, at) for light in (
                sersic(at, *values[:3]), disc(at, *values[3:])))
            return bulge / (bulge + rest)

        steps = np.diag([0.01, 0.01, 0.01, 0.01, 0.05])
        jac, slope = (np.array([(law(start + step) - law(start - step)) / (
            2 * step.sum()) for step in steps]) for law in (rings, part))
        inverse = np.linalg.pinv(jac.T)
        for extra, given in ((np.diag(error**2), None),
                             (covariance, covariance)):
            spread = (extra + np.diag((0.03 * true)**2)) / np.outer(
                weight, weight)
            expected = np.sqrt(slope @ inverse @ spread @ inverse.T @ slope)
            assert_allclose(
                fit_bulge_disc(r, true, error, given)['b_t'],
                (part(start), expected), rtol=0.02)

    def test_error_of_bulge_to_total_is_at_most_one(self):
        # two discs, which are hard to tell apart: errors of 0.06 and 0.2
        # each, and two that are all but the same
        r = np.geomspace(0.5, 60, 40)
        first, other, same = np.exp(-r / 8), 0.5 * np.exp(-r / 5), np.exp(
            -r / 7)
        small, large, most = (
            fit_bulge_disc(r, value, part * value)['b_t'][1] for value, part
            in ((first + other, 0.06), (first + other, 0.2),
                (first + same, 0.1)))
        assert 0.5 < large < 1
        assert_allclose(small / large, 1 / 3, rtol=0.06)
        assert most == 1

    def test_disc_without_noise(self):
        # rings below twice their error take no part in the fit of a disc
        r = np.arange(1.0, 31)
        value = np.where(r <= 15, np.exp(-r / 6), np.exp(-2.5))
        error = value / np.where(r <= 15, 4.0, 1.5)
        assert_allclose(fit_disc(r, value, error)['h'][0], 6, rtol=1e-6)

    @pytest.mark.parametrize(('n', 'used'), [(6, 6), (10, 8)])
    def test_rings_of_the_disc(self, n, used):
        # those beyond 35 per cent of the light (here from the second or
        # third on), and at least six: wiggles tell which rings count
        r = np.arange(1.0, n + 1)
        log = -r / 2.2 + 0.1 * (-1)**r
        slope, _ = np.polyfit(r[-used:], log[-used:], 1)
        value = np.exp(log)
        assert_allclose(fit_disc(r, value, 0.1 * value)['h'][0], -1 / slope,
                        rtol=1e-6)

    @pytest.mark.parametrize(('gain', 'kind'), [(9, 1), (11, 2)])
    def test_break_is_worth_its_parameters(self, gain, kind):
        # two lines lower the Bayesian information criterion by 10 or more
        r = np.arange(1.0, 41)
        log = -r / 6 - np.maximum(r - 25, 0) * (1 / 4.7 - 1 / 6)
        growth = np.cumsum(r * np.exp(log))
        use = r >= np.interp(0.35 * growth[-1], growth, r)
        line = np.polyval(np.polyfit(r[use], log[use], 1), r[use])
        error = np.sqrt(np.sum((log[use] - line)**2) / (
            gain + 2 * np.log(use.sum())))
        value = np.exp(log)
        fit = fit_disc(r, value, np.sqrt(error**2 - 0.03**2) * value)
        assert fit['type'] == kind

    @pytest.mark.parametrize(('ratio', 'kind'), [
        (1.15, 1), (1.25, 2), (1 / 1.15, 1), (1 / 1.25, 3)])
    def test_break_of_a_fifth(self, ratio, kind):
        r = np.arange(1.0, 41)
        value = np.exp(-r / 6 - np.maximum(r - 25, 0) * (ratio - 1) / 6)
        fit = fit_disc(r, value, 1e-3 * value)
        assert fit['type'] == kind
        if kind > 1:
            assert_allclose(fit['r_break'][0], 25, atol=0.5)
            assert_allclose(fit['h_in'][0] / fit['h_out'][0], ratio,
                            rtol=0.02)
        else:
            assert np.isnan(fit['r_break'][0])


class TestInvariance:
    @pytest.mark.parametrize('factor', [1e-12, 1e12])
    def test_unit_of_light(self, factor):
        # a galaxy that is fainter or brighter as a whole, with its errors
        one = make_profile(lambda r: disc(r) + sersic(r, 19.5, 1.5, 2.0))
        two = one.copy()
        for name in ('intensity', 'intensity_err'):
            two[name] = factor * one[name]
        two.meta['sky_err'] *= factor
        shift = 2.5 * np.log10(factor)
        two['surface_brightness'] -= shift * u.mag / u.arcsec**2
        levels = [23.0, 25.0]
        row = measure_structure(one, levels=levels)[0]
        other = measure_structure(two, levels=[v - shift for v in levels])[0]
        for name in ('r50', 'r90', 'r_petro', 'c28', 'sersic_n', 'b_t',
                     'disc_h', 'sersic_chi2', 'r50_err', 'mag_total_err'):
            assert_allclose(np.asarray(other[name]), np.asarray(row[name]),
                            rtol=1e-3, err_msg=name)
        for name in ('mag_total', 'mag_petro', 'mu_0', 'disc_mu_0'):
            assert_allclose(other[name].value, row[name].value - shift,
                            atol=1e-3, err_msg=name)
        for level in levels:
            assert_allclose(other[level_name(level - shift)].value,
                            row[level_name(level)].value, rtol=1e-4)
        assert other['flag'] == row['flag'] == 0

    @pytest.mark.parametrize('which', [0, 1, -1])
    def test_flags_are_those_of_the_profile(self, which):
        # one noisy version that reaches nothing changes no flag
        profile = make_profile(disc)
        versions = np.repeat(profile['surface_brightness'].value[:, None],
                             9, axis=1)
        versions[:, which] += 7.0
        versions[40:, which] = 22.0
        profile['surface_brightness_samples'] = (versions * u.mag
                                                 / u.arcsec**2)
        row = measure_structure(profile, fits=False)[0]
        assert row['flag'] == 0
        plain = measure_structure(make_profile(disc), fits=False)[0]
        for name in ('mag_total', 'r50', 'r26_5', 'mag_petro', 'pa_50',
                     'ellipticity_50'):
            assert row[name] == plain[name]


class TestErrorsOfFits:
    """
    Of fits to profiles with noise, the errors are as large as the scatter.
    """

    def check(self, fit, truth, n):
        rng = np.random.default_rng(1)
        r = np.arange(1.0, 61)
        pulls = {name: [] for name in truth}
        for _ in range(n):
            found = fit(r, rng.normal(size=60))
            for name, true in truth.items():
                pulls[name].append((found[name][0] - true) / found[name][1])
        for name, values in pulls.items():
            assert abs(np.mean(values)) < 0.6, name
            assert 0.4 < np.sqrt(np.mean(np.square(values))) < 1.6, name

    def test_line(self):
        def fit(r, noise):
            value = np.exp(-r / 12)
            found = fit_disc(r, value * (1 + 0.05 * noise), 0.04 * value)
            assert found['type'] == 1
            return found

        self.check(fit, {'h': 12}, 60)

    def test_break(self):
        def fit(r, noise):
            value = np.exp(-r / 12 - np.maximum(r - 35, 0) / 12)
            return fit_disc(r, value * (1 + 0.05 * noise), 0.04 * value)

        self.check(fit, {'h_in': 12, 'h_out': 6, 'r_break': 35}, 60)

    def test_sersic(self):
        def fit(r, noise):
            value = sersic(r, 22.5, 15.0, 2.5)
            found = fit_sersic(r, value * (1 + 0.05 * noise), 0.04 * value)
            assert 0.5 < found['chi2'] < 1.6
            return found

        self.check(fit, {'sersic_mu_e': 1, 'sersic_r_e': 15,
                         'sersic_n': 2.5}, 15)

    def test_bulge_and_disc(self):
        def fit(r, noise):
            value = 8 * sersic(r, 22.5, 3.0, 2.0) + 3 * np.exp(-r / 14)
            found = fit_bulge_disc(r, value * (1 + 0.036 * noise),
                                   0.02 * value)
            assert 0.5 < found['chi2'] < 1.6
            return found

        self.check(fit, {'bulge_mu_e': 8, 'bulge_r_e': 3, 'bulge_n': 2,
                         'disc_mu_0': 3, 'disc_h': 14}, 8)

    @pytest.mark.parametrize('n', [0.5, 1.0, 4.0, 7.0])
    def test_sersic_without_noise(self, n):
        r = np.geomspace(0.5, 60, 50)
        value = sersic(r, 22.5, 12.0, n)
        found = fit_sersic(r, value, 0.01 * value)
        assert_allclose(found['sersic_n'][0], n, rtol=1e-3)
        assert_allclose(found['sersic_r_e'][0], 12, rtol=1e-3)
        assert_allclose(found['sersic_mu_e'][0], 1, rtol=1e-3)
        assert found['chi2'] < 1e-3
