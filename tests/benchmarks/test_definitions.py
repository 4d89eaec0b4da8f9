# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the steps from a table of IRAF to a profile.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='definitions')
def fixture_definitions(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.real.definitions')


def ellipses(*, x=40.0):
    n = 12
    return Table({'sma': np.linspace(1, 20, n), 'intensity': np.ones(n),
                  'eps': np.full(n, 0.4), 'theta': np.full(n, 0.7),
                  'x': np.full(n, x), 'y': np.full(n, 38.0)})


class TestAverage:
    rows = ellipses()
    y, x = np.mgrid[:81, :81]
    along = (x - 40) * np.cos(0.7) + (y - 38) * np.sin(0.7)
    across = (y - 38) * np.cos(0.7) - (x - 40) * np.sin(0.7)
    image = 100 * np.exp(-np.hypot(along, across / 0.6)**2 / 200)

    def test_own_ellipses(self, definitions):
        # constant along the ellipses
        true = 100 * np.exp(-self.rows['sma']**2 / 200)
        for statistic in (np.mean, np.median):
            assert_allclose(definitions.average(
                self.image, self.rows, order=3, statistic=statistic), true,
                rtol=1e-3)

    def test_bilinear_cuts_the_peak(self, definitions):
        peak = 100 * np.exp(-np.hypot(self.x - 40, self.y - 38)**2 / 3)
        one = self.rows[:1].copy()
        one['sma'], one['eps'] = 0.5, 0.0
        bilinear, splines = (definitions.average(peak, one, order=order)[0]
                             for order in (1, 3))
        assert splines == pytest.approx(100 * np.exp(-0.25 / 3), rel=0.01)
        assert bilinear < 0.97 * splines

    def test_another_centre(self, definitions):
        off = ellipses(x=44.0)
        assert_allclose(
            definitions.average(self.image, off, order=3, centre=(40, 38)),
            definitions.average(self.image, self.rows, order=3))


def test_off(definitions):
    rows = ellipses()
    rows['intensity'] = 10.0
    # the scale of the table is free
    found = np.full(12, 5.0)
    assert definitions.off(found, rows)['median'] == 0
    found[-3:] *= 10**-0.4
    row = definitions.off(found, rows)
    assert row['median'] == row['within'] == 0
    assert row['p90'] == pytest.approx(1)


def test_iraf(definitions, real_data):
    rows = definitions.read_isophotes(real_data)
    image = definitions.fits.getdata(
        real_data / definitions.TABLES['M51'][0]).astype(float)
    found = definitions.average(image, rows, order=1)
    assert definitions.off(found, rows)['median'] < 0.001
