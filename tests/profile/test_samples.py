# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the samples module, and of the errors that follow from samples.

Of 200 profiles, the share within one standard error scatters by 0.033
about 0.68; it has to lie between 0.60 and 0.76.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import (
    GalaxyCutout,
    build_profile,
    measure_structure,
    read_profile,
    sample_profile,
    write_profile,
)
from astro_pix2prof.profile.samples import (
    SAMPLES,
    correlated_noise,
    intensity_covariance,
    ring_correlations,
    sample_intensity,
)
from astro_pix2prof.training.error_model import fit_correlation

PIXEL = 0.5
MU_0, H, Q = 20.0, 6.0, 0.6
CORRELATION = {'length': 0.6, 'smooth': 0.55, 'common': 0.4}


def make_profile(*, error=0.1, noise=0.0, sky_err=0.0, correlation=None,
                 r_max=48.0, calibrated=True):
    """
    An exponential disc with errors in magnitudes; ``noise`` is added.
    """
    options = {'unit': u.nmgy} if calibrated else {'calibrated': False}
    cutout = GalaxyCutout(np.ones((9, 9)), pixel_scale=PIXEL, **options)
    sma = np.concatenate([np.arange(0, 8, 0.5),
                          np.geomspace(8, r_max / PIXEL, 40)])
    value = 10**(-0.4 * (MU_0 - 22.5)) * np.exp(-sma * PIXEL / H) * PIXEL**2
    value = value * 10**(-0.4 * noise)
    profile = build_profile(
        cutout, sma, value, value * error / 1.0857362,
        ellipticity=np.full(len(sma), 1 - Q), theta=np.zeros(len(sma)),
        sky_err=sky_err)
    if correlation is not None:
        profile.meta['correlation'] = dict(correlation)
    return profile


def radius_pixels(profile):
    return profile['radius'].value / PIXEL


class TestSampleProfile:
    def test_spread_and_correlation(self):
        profile = make_profile(correlation=CORRELATION)
        samples = sample_profile(profile, 4000, seed=3)
        assert samples.shape == (len(profile), 4000)
        assert samples.unit == u.mag / u.arcsec**2
        delta = (samples - profile['surface_brightness'][:, None]).value
        assert_allclose(delta.std(1), 0.1, rtol=0.06)
        sma = np.maximum(radius_pixels(profile), 0.5)
        distance = np.abs(np.log(sma[:, None] / sma))
        expected = 0.4 + 0.55 * np.exp(-distance / 0.6)
        np.fill_diagonal(expected, 1.0)
        # (the error of a correlation of 0.4 is 0.013 with 4000 samples)
        assert_allclose(np.corrcoef(delta), expected, atol=0.05)

    def test_without_model(self):
        profile = make_profile(error=0.02)
        samples = sample_profile(profile, 4000, seed=3)
        delta = (samples - profile['surface_brightness'][:, None]).value
        matrix = np.corrcoef(delta)
        np.fill_diagonal(matrix, 0.0)
        assert_allclose(delta.std(1), 0.02, rtol=0.06)
        assert_allclose(matrix, 0.0, atol=0.08)

    def test_sky(self):
        """
        Without a model the error of the sky moves the outer rings together.
        """
        sky_err = 0.02 * 10**(-0.4 * (MU_0 - 22.5)) * np.exp(-8) * PIXEL**2
        profile = make_profile(error=0.03, sky_err=sky_err)
        samples = sample_profile(profile, 4000, seed=3)
        delta = (samples - profile['surface_brightness'][:, None]).value
        matrix = np.corrcoef(delta)
        assert_allclose(delta.std(1), 0.03, rtol=0.06)
        share = sky_err / PIXEL**2 / profile['intensity_err'].value
        assert share[-1] > 0.6
        assert_allclose(matrix[-1, -2], share[-1] * share[-2], atol=0.05)
        assert abs(matrix[5, -1]) < 0.08

    def test_sky_with_model(self):
        """
        The error of the sky moves all intensities together there, too.
        """
        sky_err = 0.1 * 10**(-0.4 * (MU_0 - 22.5)) * np.exp(-8) * PIXEL**2
        correlation = {'length': 0.1, 'smooth': 0.0, 'common': 0.0}
        profile = make_profile(error=0.12, sky_err=sky_err,
                               correlation=correlation)
        samples = sample_intensity(profile, 4000, np.random.default_rng(3))
        share = sky_err / PIXEL**2 / profile['intensity_err'].value
        assert share[-1] > 0.6
        matrix = np.corrcoef(samples)
        assert_allclose(matrix[-1, -2], share[-1] * share[-2], atol=0.05)
        assert abs(matrix[5, -1]) < 0.08
        # and errors remain those of the profile
        assert_allclose(samples.std(1) / profile['intensity_err'].value, 1,
                        rtol=0.07)
        expected = intensity_covariance(profile)
        assert_allclose(np.cov(samples) / np.sqrt(np.outer(
            np.diag(expected), np.diag(expected))), expected / np.sqrt(
                np.outer(np.diag(expected), np.diag(expected))), atol=0.09)

    def test_covariance_by_hand(self):
        profile = make_profile(error=0.1, correlation=CORRELATION)
        sma = radius_pixels(profile)
        share = ring_correlations(profile)
        # rings at 4 and 8 pixels; and at 0 and 1, of which 0 counts as 0.5
        for one, two in ((4.0, 8.0), (0.0, 1.0)):
            j, k = (np.flatnonzero(sma == a)[0] for a in (one, two))
            assert_allclose(share[j, k], 0.4 + 0.55 * 0.5**(1 / 0.6))
        assert_allclose(np.diag(share), 1)
        error = profile['intensity_err'].value
        assert_allclose(intensity_covariance(profile),
                        share * np.outer(error, error))
        # the sky's part of an error is common to all; the rest is not
        plain = make_profile(error=0.1, sky_err=1e-3 * PIXEL**2)
        error = plain['intensity_err'].value
        expected = np.full((len(error), len(error)), 1e-6)
        small = error < 1e-3
        expected[small] *= error[small, None] / 1e-3
        expected[:, small] *= error[small] / 1e-3
        np.fill_diagonal(expected, error**2)
        assert small.any()
        assert not small.all()
        assert_allclose(intensity_covariance(plain), expected, rtol=1e-9)

    def test_seed(self):
        profile = make_profile(correlation=CORRELATION)
        one = sample_profile(profile, 5, seed=3)
        assert_array_equal(one, sample_profile(profile, 5, seed=3))
        assert np.any(one != sample_profile(profile, 5, seed=4))
        assert np.any(one != sample_profile(profile, 5))

    def test_rings_without_value(self):
        profile = make_profile(correlation=CORRELATION)
        profile['intensity'][-1] *= -1
        profile['surface_brightness'][-1] = np.nan
        samples = sample_profile(profile, 5, seed=1)
        assert np.isnan(samples[-1]).all()
        assert np.isfinite(samples[:-1]).all()
        assert np.isnan(sample_profile(make_profile(calibrated=False), 3,
                                       seed=1)).all()

    @pytest.mark.parametrize('number', [0, -1, 2.0, True, '3'])
    def test_wrong_number(self, number):
        with pytest.raises(ValueError, match='integer of at least 1, got'):
            sample_profile(make_profile(), number)

    def test_no_profile(self):
        with pytest.raises(TypeError, match='must be a profile table'):
            sample_profile(QTable({'radius': [1.0]}), 3)

    @pytest.mark.parametrize(('correlation', 'match'), [
        ({'length': 1.0}, "dict with 'length', 'smooth'"),
        (0.3, "dict with 'length', 'smooth'"),
        ({'length': 0.0, 'smooth': 0.5, 'common': 0.1}, 'positive'),
        ({'length': 1.0, 'smooth': 0.8, 'common': 0.4}, 'at most 1'),
        ({'length': 'x', 'smooth': 0.8, 'common': 0.1}, 'positive'),
        ({'length': 1.0, 'smooth': np.nan, 'common': 0.1}, 'positive')])
    def test_wrong_correlation(self, correlation, match):
        profile = make_profile()
        profile.meta['correlation'] = correlation
        with pytest.raises(ValueError, match=match):
            sample_profile(profile, 3)

    @pytest.mark.parametrize('ending', ['ecsv', 'fits', 'parquet'])
    def test_files(self, tmp_path, ending):
        if ending == 'parquet':
            pytest.importorskip('pyarrow')
            pytest.importorskip('pandas')
        profile = make_profile(correlation=CORRELATION)
        profile[SAMPLES] = sample_profile(profile, 7, seed=1)
        path = tmp_path / f'profile.{ending}'
        write_profile(profile, path)
        again = read_profile(path)
        assert again.meta == profile.meta
        assert again[SAMPLES].unit == profile[SAMPLES].unit
        assert_array_equal(again[SAMPLES].value, profile[SAMPLES].value)


class TestStructureErrors:
    """
    Whether the errors of structural parameters are those of their scatter.
    """

    def coverage(self, n_profiles, *, correlated):
        rng = np.random.default_rng(8)
        clean = make_profile()
        noise = 0.1 * correlated_noise(radius_pixels(clean), CORRELATION,
                                       n_profiles, rng)
        truth = {'r25_0': H * (25 - MU_0) / 1.0857362, 'r50': 1.67835 * H,
                 'mag_total': MU_0 - 2.5 * np.log10(2 * np.pi * H**2 * Q)}
        inside = dict.fromkeys(truth, 0)
        for k in range(n_profiles):
            profile = make_profile(
                noise=noise[:, k],
                correlation=CORRELATION if correlated else None)
            row = measure_structure(profile, fits=False, n_samples=30,
                                    levels=(25.0,), seed=k)[0]
            for name, true in truth.items():
                value, error = (getattr(row[part], 'value', row[part])
                                for part in (name, f'{name}_err'))
                inside[name] += abs(value - true) < error
        return {name: number / n_profiles for name, number in inside.items()}

    def test_coverage(self):
        share = self.coverage(120, correlated=True)
        for name, value in share.items():
            assert 0.60 <= value <= 0.76, name

    def test_independent_is_wrong(self):
        share = self.coverage(40, correlated=False)
        assert share['mag_total'] < 0.35

    def test_column(self):
        """
        The samples that a profile brings are used, all of them.
        """
        profile = make_profile(correlation=CORRELATION)
        drawn = measure_structure(profile, fits=False, n_samples=300)[0]
        samples = sample_profile(profile, 300, seed=5)
        middle = profile['surface_brightness'][:, None]
        profile[SAMPLES] = middle + 2 * (samples - middle)
        wide = measure_structure(profile, fits=False, n_samples=2)[0]
        assert wide['mag_total'] == drawn['mag_total']
        ratio = wide['mag_aperture_err'] / drawn['mag_aperture_err']
        assert_allclose(ratio, 2.0, rtol=0.2)

    def test_not_calibrated(self):
        profile = make_profile(correlation=CORRELATION, calibrated=False)
        profile[SAMPLES] = sample_profile(profile, 10, seed=1)
        row = measure_structure(profile, fits=False)[0]
        assert row['r50_err'].value > 0


class TestFitCorrelation:
    def simulate(self, correlation, n_images=600):
        rng = np.random.default_rng(2)
        sma = np.concatenate([np.arange(0, 4, 0.5),
                              np.geomspace(4, 100, 30)])
        noise = correlated_noise(sma, correlation, n_images, rng)
        image = np.repeat(np.arange(n_images), len(sma))
        return np.tile(sma, n_images), noise.T.ravel(), image

    @pytest.mark.parametrize('correlation', [
        {'length': 0.5, 'smooth': 0.6, 'common': 0.3},
        {'length': 0.15, 'smooth': 0.4, 'common': 0.1},
        {'length': 1.2, 'smooth': 0.9, 'common': 0.0}])
    def test_recovers(self, correlation):
        found = fit_correlation(*self.simulate(correlation))
        # an error of one standard deviation is a third of these
        assert_allclose(found['smooth'], correlation['smooth'], atol=0.1)
        assert_allclose(found['common'], correlation['common'], atol=0.1)
        assert_allclose(found['length'], correlation['length'], rtol=0.3)
        assert found['smooth'] + found['common'] <= 1.0002

    def test_independent(self):
        sma, noise, image = self.simulate(None)
        found = fit_correlation(sma, noise, image)
        # (nothing tells a very short correlation from none)
        assert found['common'] < 0.03
        assert found['smooth'] * np.exp(-0.1 / found['length']) < 0.05

    def test_scale_and_gaps(self):
        """
        Errors that are all too small, and rings that are missing.
        """
        sma, noise, image = self.simulate(CORRELATION)
        one = fit_correlation(sma, 0.5 * noise, image)
        noise = np.where(np.arange(len(sma)) % 9 == 0, np.nan, noise)
        two = fit_correlation(sma, noise, image)
        for name in one:
            assert_allclose(one[name], two[name], rtol=0.25, atol=0.05)

    def test_wrong_input(self):
        with pytest.raises(ValueError, match='1D arrays of one length'):
            fit_correlation([1.0, 2.0], [1.0], [0, 0])
        with pytest.raises(ValueError, match='several rings of each image'):
            fit_correlation([1.0, 2.0], [1.0, 1.0], [0, 1])
