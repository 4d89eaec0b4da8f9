# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that columns of times and coordinates come back from files.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time

from astro_pix2prof import read_profile, write_profile
from astro_pix2prof.datasets import load_example_truth


@pytest.mark.parametrize('ending', ['ecsv', 'fits', 'parquet'])
def test_times(ending, tmp_path):
    """
    From FITS, as two numbers of days, as astropy writes them there.
    """
    profile = load_example_truth()[:4]
    profile['seen'] = Time(59000.0 + np.arange(4.0), format='mjd')
    path = tmp_path / f'profile.{ending}'
    write_profile(profile, path)
    back = read_profile(path)['seen']
    days = back.value.sum(1) if ending == 'fits' else back.jd
    assert np.allclose(days, profile['seen'].jd, rtol=0, atol=1e-6)


@pytest.mark.parametrize('ending', ['ecsv', 'parquet'])
def test_places(ending, tmp_path):
    profile = load_example_truth()[:4]
    profile['place'] = SkyCoord(np.arange(4.0), 2.0, unit=u.deg)
    path = tmp_path / f'profile.{ending}'
    write_profile(profile, path)
    assert np.allclose(read_profile(path)['place'].ra.deg, np.arange(4.0))
