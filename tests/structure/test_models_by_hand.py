# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fits of models to a profile against numpy and scipy, and their limits.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.optimize import curve_fit
from scipy.special import gammaincinv

from astro_pix2prof.structure.models import (
    fit_bulge_disc,
    fit_disc,
    fit_sersic,
    sersic_flux,
)


def sersic(r, amplitude, r_e, n):
    return amplitude * np.exp(-gammaincinv(2 * n, 0.5) * (
        (r / r_e)**(1 / n) - 1))


def with_noise(radius, value, *, part=0.05, seed=1):
    error = part * value
    return value + np.random.default_rng(seed).normal(0, error), error


def sigma_of(value, error):
    # no ring is known to better than three per cent
    return np.hypot(error, 0.03 * np.abs(value))


@pytest.mark.parametrize(('amplitude', 'r_e', 'n'), [
    (1.0, 1.0, 1.0), (2.0, 3.0, 4.0), (0.5, 2.0, 0.6)])
def test_flux(amplitude, r_e, n):
    # (in the logarithm of the radius)
    flux, _ = quad(lambda x: 2 * np.pi * np.exp(2 * x) * sersic(
        np.exp(x), amplitude, r_e, n), -20, 12, limit=400)
    assert_allclose(sersic_flux(amplitude, r_e, n), flux, rtol=1e-6)


class TestSersic:
    radius = np.linspace(0.5, 30, 40)

    @pytest.mark.parametrize('n', [0.5, 1.3, 3.5])
    @pytest.mark.parametrize('scatter', [0.02, 0.2])
    def test_as_scipy(self, n, scatter):
        # errors are those of the rings, or of their scatter if that is more
        value, _ = with_noise(self.radius, sersic(self.radius, 5, 6, n),
                              part=scatter)
        value = np.abs(value)
        error = 0.05 * value
        sigma = sigma_of(value, error)
        best, cov = curve_fit(sersic, self.radius, value, (5, 6, n), sigma,
                              absolute_sigma=True)
        chi2 = (((value - sersic(self.radius, *best)) / sigma)**2).sum() / (
            40 - 3)
        found = fit_sersic(self.radius, value, error)
        names = 'sersic_mu_e', 'sersic_r_e', 'sersic_n'
        assert_allclose([found[name][0] for name in names], best, rtol=1e-3)
        assert_allclose([found[name][1] for name in names], np.sqrt(
            np.diag(cov) * max(chi2, 1)), rtol=0.02)
        assert_allclose(found['chi2'], chi2, rtol=1e-4)

    @pytest.mark.parametrize(('n', 'expected'), [(0.1, 0.2), (14.0, 10.0)])
    def test_limits_of_the_index(self, n, expected):
        value = sersic(self.radius, 5.0, 6.0, n)
        found = fit_sersic(self.radius, value, 0.01 * value + 1e-9)
        assert_allclose(found['sersic_n'][0], expected, rtol=0.02)

    def test_rings_that_count(self):
        value = sersic(self.radius, 5.0, 6.0, 2.0)
        error = 0.01 * value
        usual = fit_sersic(self.radius, value, error)
        for bad in (np.nan, np.inf):
            worse = np.append(value, [bad, 3.0])
            found = fit_sersic(np.append(self.radius, [31.0, 0.0]), worse,
                               np.append(error, [0.1, 0.1]))
            assert_allclose(found['sersic_n'], usual['sersic_n'])
        for few, is_fit in ((4, False), (5, True)):
            found = fit_sersic(self.radius[:few], value[:few], error[:few])
            assert (found is not None) == is_fit
        assert fit_sersic(self.radius, -value, error) is None


class TestDisc:
    radius = np.linspace(0.5, 30, 40)

    def outer(self, value, part=0.35):
        """
        The rings beyond 35 per cent of the light.
        """
        growth = np.cumsum(np.gradient(self.radius) * self.radius * value)
        return self.radius >= np.interp(part * growth[-1], growth,
                                        self.radius)

    def change(self, value, error, h):
        """
        Difference of the scale length beyond 60 per cent of the light.
        """
        far = self.outer(value, 0.6)
        weight = value[far] / sigma_of(value, error)[far]
        x, y = self.radius[far], np.log(value[far])
        line, cov = np.polyfit(x, y, 1, w=weight, cov='unscaled')
        chi2 = ((weight * (y - np.polyval(line, x)))**2).sum()
        widen = max(chi2 / (len(x) - 2), 1)
        return np.sqrt(max((-1 / line[0] - h)**2 - widen * cov[0, 0]
                           / line[0]**4, 0))

    @pytest.mark.parametrize('scatter', [0.02, 0.15])
    @pytest.mark.parametrize('seed', range(3))
    def test_line(self, seed, scatter):
        value, _ = with_noise(self.radius, 50 * np.exp(-self.radius / 7),
                              part=scatter, seed=seed)
        error = 0.04 * value
        part = self.outer(value)
        weight = value[part] / sigma_of(value, error)[part]
        x, y = self.radius[part], np.log(value[part])
        line, cov = np.polyfit(x, y, 1, w=weight, cov='unscaled')
        chi2 = ((weight * (y - np.polyval(line, x)))**2).sum()
        widen = max(chi2 / (len(x) - 2), 1)**0.5
        found = fit_disc(self.radius, value, error)
        assert found['type'] == 1
        h, spread = -1 / line[0], widen * cov[0, 0]**0.5 / line[0]**2
        change = self.change(value, error, h)
        assert_allclose(found['change'], change, atol=1e-9)
        assert_allclose(found['h'], (h, np.hypot(spread, 0.7 * change)))
        assert_allclose(found['i_0'], np.exp(line[1]))
        assert np.isnan([found[name] for name in (
            'r_break', 'h_in', 'h_out')]).all()

    def test_lengths_that_change_are_uncertain(self):
        r = self.radius
        straight = 50 * np.exp(-r / 7)
        bent = straight * (1 + 0.2 * np.cos(2 * np.log(r / 6) / 0.35))
        errors = []
        for value in (straight, bent):
            found = fit_disc(r, value, 0.04 * value)
            change = self.change(value, 0.04 * value, found['h'][0])
            assert_allclose(found['change'], change, atol=1e-6)
            errors.append(found['h'][1] / found['h'][0])
        assert change > 0.5
        assert errors[0] < 0.02
        assert errors[1] > 0.7 * change / found['h'][0] > 0.05

    @pytest.mark.parametrize(('h_out', 'kind'), [(3.0, 2), (14.0, 3)])
    @pytest.mark.parametrize('scatter', [0.02, 0.1])
    def test_broken(self, h_out, kind, scatter):
        r = self.radius
        true = 50 * np.exp(-np.minimum(r, 17.3) / 7
                           - np.maximum(r - 17.3, 0) / h_out)
        value, _ = with_noise(r, true, part=scatter)
        error = 0.04 * value
        part = self.outer(value)
        weight = value[part] / sigma_of(value, error)[part]
        x, y = r[part], np.log(value[part])
        grid = np.linspace(x[3], x[-4], 60)

        def lines(x, at, level, inner, outer):
            return (level + inner * np.minimum(x - at, 0)
                    + outer * np.maximum(x - at, 0))

        def best_of(weight):
            found = []
            for at in grid:
                design = lines(x[:, None], at, *np.eye(3))
                c = np.linalg.lstsq(design * weight[:, None], y * weight,
                                    rcond=None)[0]
                left = (y - design @ c) * weight
                found.append((left @ left, at, *c))
            return min(found), np.array(found)[:, 0]

        # then, rings count by the errors that the model has
        first, _ = best_of(weight)
        weight = weight * np.exp(lines(x, *first[1:]) - y)
        (chi2, at, *c), trail = best_of(weight)
        noise = max(chi2 / (len(x) - 4), 1)
        steps = 1e-6 * np.eye(4)
        jac = np.stack([(lines(x, *([at, *c] + step))
                         - lines(x, *([at, *c] - step))) / 2e-6
                        for step in steps], -1) * weight[:, None]
        spread = np.sqrt(noise * np.diag(np.linalg.inv(jac.T @ jac)))
        inside = grid[trail < chi2 + noise]
        found = fit_disc(r, value, error)
        assert found['type'] == kind
        assert_allclose(found['r_break'], (at, max(
            spread[0], np.ptp(inside) / 2, grid[1] - grid[0])), rtol=1e-5)
        for name, slope, err, away in (
                ('h_in', c[1], spread[2], x < 0.75 * at),
                ('h_out', c[2], spread[3], x > 1.25 * at)):
            other = np.polyfit(x[away], y[away], 1, w=weight[away])[0]
            assert_allclose(found[name], (-1 / slope, np.hypot(
                err / slope**2, 1 / slope - 1 / other)), rtol=1e-5)

    def test_errors_of_breaks_hold(self):
        """
        Rings that are bright by chance count no more than others.
        """
        r, rng, pulls = np.linspace(0.5, 45, 60), np.random.default_rng(8), []
        true = 50 * np.exp(-np.minimum(r, 18) / 7 - np.maximum(r - 18, 0) / 4)
        error = 0.03 * true + 0.03
        covariance = np.diag(error**2)
        for _ in range(40):
            value = true + rng.normal(0, error)
            found = fit_disc(r, value, error, covariance)
            pulls.append([(found[name][0] - known) / found[name][1]
                          for name, known in (('h_in', 7), ('h_out', 4),
                                              ('r_break', 18))])
        within = np.mean(np.abs(pulls) < 1, axis=0)
        assert np.all(within > 0.6)
        assert np.all(np.abs(np.median(pulls, axis=0)) < 0.35)

    @pytest.mark.parametrize(('ratio', 'kind'), [
        (1.15, 1), (1.25, 2), (1 / 1.15, 1), (1 / 1.25, 3)])
    def test_ratio_of_lengths(self, ratio, kind):
        # a fifth
        r = np.linspace(0.5, 30, 400)
        value = 50 * np.exp(-np.minimum(r, 17) / 7
                            - np.maximum(r - 17, 0) / 7 * ratio)
        assert fit_disc(r, value, 1e-3 * value)['type'] == kind

    @pytest.mark.parametrize(('gain', 'kind'), [(9.0, 1), (11.0, 2)])
    def test_information(self, gain, kind):
        # the criterion counts two more parameters
        r = self.radius
        true = 50 * np.exp(-np.minimum(r, 17) / 7
                           - np.maximum(r - 17, 0) / 4)
        part = self.outer(true)
        x, y = r[part], np.log(true[part])
        left = y - np.polyval(np.polyfit(x, y, 1), x)
        # (of equal errors, and of a broken line that fits but for the grid)
        error = np.sqrt((left**2).sum() / (gain + 2 * np.log(len(x))))
        value = true
        found = fit_disc(r, value, value * np.sqrt(error**2 - 0.03**2))
        assert found['type'] == kind

    def test_few_rings(self):
        value = 50 * np.exp(-self.radius / 7)
        error = 0.01 * value
        for few, is_fit in ((5, False), (6, True)):
            found = fit_disc(self.radius[:few], value[:few], error[:few])
            assert (found is not None) == is_fit
        # nor those fainter than twice their errors
        error[5:] = value[5:] / 1.98
        assert fit_disc(self.radius, value, error) is None
        error[5] = value[5] / 2.02
        assert fit_disc(self.radius, value, error) is not None
        # a profile that rises is none
        assert fit_disc(self.radius, 1 / value, error * 0) is None


class TestBulgeAndDisc:
    radius = np.linspace(0.4, 35, 60)

    @pytest.mark.parametrize('bulge', [(40.0, 1.5, 1.5), (9.0, 2.0, 3.0)])
    def test_shares(self, bulge):
        value, error = with_noise(
            self.radius, sersic(self.radius, *bulge) + 20 * np.exp(
                -self.radius / 6), part=0.01)
        found = fit_bulge_disc(self.radius, value, error)
        amplitude, r_e, n, i_0, h = (found[name][0] for name in (
            'bulge_mu_e', 'bulge_r_e', 'bulge_n', 'disc_mu_0', 'disc_h'))
        assert_allclose((i_0, h), (20, 6), rtol=0.1)
        flux, _ = quad(lambda x: 2 * np.pi * np.exp(2 * x) * sersic(
            np.exp(x), amplitude, r_e, n), -20, 12, limit=400)
        share = flux / (flux + 2 * np.pi * i_0 * h**2)
        assert_allclose(found['b_t'][0], share, rtol=1e-5)
        # errors are those of a least-squares fit, and with the scale length
        # of the disc, which may be another, all parameters change
        names = ('bulge_mu_e', 'bulge_r_e', 'bulge_n', 'disc_mu_0', 'disc_h')
        best, cov = curve_fit(
            lambda r, *p: sersic(r, *p[:3]) + p[3] * np.exp(-r / p[4]),
            self.radius, value, (amplitude, r_e, n, i_0, h),
            sigma_of(value, error), absolute_sigma=True)
        assert_allclose(best, (amplitude, r_e, n, i_0, h), rtol=1e-3)
        more = max(found['disc_h'][1]**2 - cov[4, 4], 0)
        cov += more * np.outer(cov[4], cov[4]) / cov[4, 4]**2
        assert_allclose([found[name][1] for name in names],
                        np.diag(cov)**0.5, rtol=0.01)
        drawn = np.random.default_rng(1).multivariate_normal(
            best, cov / 100, 4000)
        flux = sersic_flux(*drawn[:, :3].T)
        assert_allclose(found['b_t'][1], 10 * np.std(flux / (
            flux + 2 * np.pi * drawn[:, 3] * drawn[:, 4]**2)), rtol=0.05)
        model = sersic(self.radius, amplitude, r_e, n) + i_0 * np.exp(
            -self.radius / h)
        chi2 = (((value - model) / sigma_of(value, error))**2).sum() / (
            60 - 5)
        assert_allclose(found['chi2'], chi2, rtol=1e-6)

    def test_arms(self):
        r = self.radius
        plain = sersic(r, 40.0, 1.5, 1.5) + 20 * np.exp(-r / 6)
        arms = plain * (1 + 0.15 * np.cos(2 * np.log(r / 6) / 0.35))
        errors = [fit_bulge_disc(r, value, 0.01 * value)['disc_h'][1]
                  for value in (plain, arms)]
        assert errors[0] < 0.15
        # (the true length is 6)
        found = fit_bulge_disc(r, arms, 0.01 * arms)['disc_h']
        assert errors[1] > 2 * errors[0]
        assert abs(found[0] - 6) < 2 * found[1]

    def test_bulges_in_uncertain_discs(self):
        """
        What the disc takes or leaves is the bulge's.
        """
        r = self.radius
        plain = sersic(r, 40.0, 1.5, 1.5) + 20 * np.exp(-r / 6)
        arms = plain * (1 + 0.05 * np.cos(2 * np.log(r / 6) / 0.35))
        clear, found = (fit_bulge_disc(r, value, 0.01 * value)
                        for value in (plain, arms))
        for name, true in (('bulge_r_e', 1.5), ('bulge_n', 1.5)):
            assert abs(found[name][0] - true) < 1.2 * found[name][1]
            assert found[name][1] > 1.5 * clear[name][1]

    def test_few_rings(self):
        value = sersic(self.radius, 20, 1.5, 1.5) + 20 * np.exp(
            -self.radius / 6)
        part = np.linspace(0, 59, 8).astype(int)
        for few, is_fit in ((7, False), (8, True)):
            use = part[-few:]
            found = fit_bulge_disc(self.radius[use], value[use],
                                   0.01 * value[use])
            assert (found is not None) == is_fit
