# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Radii, hidden light and gaps of a profile, on numbers that are known.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from astro_pix2prof.structure.growth import REFINE, falling_radius
from astro_pix2prof.structure.measure import _put_parts, _warn_of_gaps
from astro_pix2prof.structure.petrosian import put_petrosian


class TestCrossing:
    radius = np.arange(1.0, 21)

    @pytest.mark.parametrize('level', [0.3, 3e-9])
    def test_exponential(self, level):
        values = level * np.exp(-(self.radius - 9.3) / 3)[None]
        found = falling_radius(self.radius, values, level)
        assert_allclose(found, 9.3, atol=0.01)

    def test_outermost(self):
        # arcsinh(10 v) falls from that of 2 to that of 0.5 between 16 and 17
        values = np.full((4, 20), 2.0)
        values[0, 5] = values[1, 5:8] = 0.1
        values[:3, 16:] = 0.5
        values[3] = 0.5
        share = (np.arcsinh(20) - np.arcsinh(10)) / (
            np.arcsinh(20) - np.arcsinh(5))
        found = falling_radius(self.radius, values, 1.0)
        assert_allclose(found, [16 + share, 16 + share, 16 + share, np.nan])
        # a ring that is as bright as the level is above it
        values[0, 15] = 1.0
        assert_allclose(falling_radius(self.radius, values, 1.0)[0], 16)
        # negative rings, and none that falls
        values[0, 16:] = -3.0
        assert 16 <= falling_radius(self.radius, values, 1.0)[0] < 17
        bright = np.full((1, 20), 5.0)
        assert np.isnan(falling_radius(self.radius, bright, 1.0)[0])


class TestGaps:
    def warned(self, radius, given=True):
        profile = QTable({'radius': np.array(radius) * u.arcsec})
        if given:
            profile.meta['radii'] = 'given'
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            _warn_of_gaps(profile)
        assert all('profile has few radii' in str(one.message)
                   and one.category is AstropyUserWarning for one in caught)
        return bool(caught)

    @pytest.mark.parametrize(('first', 'is_sparse'), [
        (1.98, False), (2.02, True)])
    def test_first(self, first, is_sparse):
        # a twentieth of the outermost radius of 40
        radius = np.append(first, np.linspace(2.1, 40, 60))
        assert self.warned(radius) == is_sparse
        assert not self.warned(radius, given=False)

    @pytest.mark.parametrize(('low', 'high', 'is_sparse'), [
        # a twentieth of the outermost, or 35 per cent
        (2.0, 3.9, False), (2.0, 4.1, True), (20.0, 26.9, False),
        (20.0, 27.1, True)])
    def test_gap(self, low, high, is_sparse):
        radius = np.concatenate([np.arange(0.0, low, 0.5), [low, high],
                                 np.arange(high + 1, 40, 0.5), [40.0]])
        assert self.warned(radius) == is_sparse

    def test_empty(self):
        assert not self.warned([])


class TestParts:
    def put_parts(self, n_valid, *, few=False, unknown=False):
        """
        Parts of the light of four rings, of two samples.
        """
        growth = np.repeat([[1.0, 2.0, 4.0, 7.0]], 2, axis=0)
        fine = np.array([np.interp(np.arange(3 * REFINE + 1) / REFINE,
                                   np.arange(4), row) for row in growth])
        fine[1] *= 2
        total = np.array([10.0, np.nan if unknown else 15.0])
        ok = np.array([True, True, True, True, False])
        profile = QTable({'n_valid': n_valid}) if n_valid else QTable()
        found = {}
        found['flag'] = _put_parts(found.__setitem__, profile, ok,
                                   fine[:, -1], total, fine, few)
        return found

    def test_beyond(self):
        found = self.put_parts(None)
        assert_allclose(found['extrapolated_fraction'], [0.3, 1 / 15],
                        atol=1e-12)
        assert np.isnan(found['interpolated_fraction']).all()
        assert found['flag']
        for options in ({'few': True}, {'unknown': True}):
            found = self.put_parts(None, **options)
            assert np.isnan(found['extrapolated_fraction']).all()
            assert not found['flag']

    def test_hidden(self):
        # the innermost ring is a disc; others reach half way to the next
        found = self.put_parts([0.5, 1.0, 0.8, 0.0, 0.3])
        hidden = 1 * 0.5 + 1 * 0.25 + 2 * 0.1 + 3 * 0.6
        assert_allclose(found['interpolated_fraction'], [
            hidden / 10, 2 * hidden / 15])
        # rings that nobody counted, or more than all of one
        found = self.put_parts([np.nan, 1.2, 1.0, -0.5, 0.3])
        assert_allclose(found['interpolated_fraction'][0], 3 * 0.5 / 10)
        found = self.put_parts([0.5] * 5, few=True)
        assert np.isnan(found['interpolated_fraction']).all()


class TestPetrosian:
    def put(self, radius, *, few=False, ratio=0.2, times=2.0, total=np.nan):
        found, self.least = {}, {}

        def put(name, values, least=0.0):
            found[name], self.least[name] = values, least

        values = np.exp(-radius / 3)[None]
        at = np.linspace(0, radius[-1], 4000)
        growth = 2 * np.pi * 9 * (1 - np.exp(-at / 3) * (1 + at / 3))[None]
        put_petrosian(put, (radius, np.repeat(values, 2, 0)),
                      (at, np.repeat(growth, 2, 0)), np.full(2, total),
                      np.zeros(len(radius)), 22.5, few, (ratio, times))
        return found

    def test_exponential(self):
        # mean within 0.8 to 1.25 radii over that within one
        radius = np.linspace(0.0, 40, 161)

        def light(r):
            return 2 * np.pi * 9 * (1 - np.exp(-r / 3) * (1 + r / 3))

        r = np.linspace(3, 20, 4000)
        ratio = (light(1.25 * r) - light(0.8 * r)) / (
            1.25**2 - 0.8**2) / light(r)
        for level, times in ((0.2, 2.0), (0.4, 1.5)):
            found = self.put(radius, ratio=level, times=times)
            true = np.interp(-level, -ratio, r)
            assert_allclose(found['r_petro'], true, rtol=1e-3)
            assert_allclose(found['mag_petro'], 22.5 - 2.5 * np.log10(
                light(times * true)), atol=1e-3)
        # an aperture beyond the last ring has no light if that is not known
        found = self.put(radius, times=4.0)
        assert np.isnan(found['mag_petro']).all()
        assert np.isfinite(found['r_petro']).all()

    def test_beyond_the_last_ring(self):
        # of 20 pixels, to 22: 1% of the light is outside, 0.5% of the aperture
        radius = np.linspace(0.0, 20, 81)
        total = 2 * np.pi * 9
        found = self.put(radius, total=total)
        x = 2 * found['r_petro'] / 3
        assert (x > 20 / 3).all()
        light = total * (1 - (1 + x) * np.exp(-x))
        assert_allclose(found['mag_petro'], 22.5 - 2.5 * np.log10(light),
                        atol=2e-3)
        # what is not seen is between the last ring and the aperture
        seen = 1 - (1 + 20 / 3) * np.exp(-20 / 3)
        unseen = light[0] / total - seen
        assert unseen < 1 - light[0] / total
        assert_allclose(self.least['mag_petro'], 0.5 * 1.0857 * unseen,
                        rtol=0.3)
        # an aperture that ends at the last ring is seen whole
        self.put(np.linspace(0.0, found['r_petro'][0] * 2 - 0.01, 81),
                 total=total)
        assert self.least['mag_petro'] < 5e-5
        # nor is there one where more than a tenth of the light is outside
        found = self.put(radius, total=1.2 * total)
        assert np.isnan(found['mag_petro']).all()
        # within the profile nothing changes
        inner = self.put(radius, times=1.5, total=total)
        assert self.least['mag_petro'] == 0
        assert_allclose(inner['mag_petro'], self.put(radius, times=1.5)[
            'mag_petro'])

    def test_few(self):
        assert np.isnan(self.put(np.linspace(0, 40, 161), few=True)[
            'r_petro']).all()
        # two rings have others a quarter farther out
        for last, is_known in ((12.4, False), (12.6, True)):
            radius = np.array([0.0, 8.0, 10.0, last])
            found = self.put(radius, ratio=0.99)
            assert set(found) == {'r_petro', 'mag_petro'}
            assert np.isnan(found['r_petro']).all() or is_known
