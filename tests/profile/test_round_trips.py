# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that profiles come back from files as they were written.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from astro_pix2prof import (
    GalaxyCutout,
    build_profile,
    read_profile,
    write_profile,
)
from astro_pix2prof.profile.meta import store_correlation

WHOLE = 'ecsv', 'fits', 'fits.gz', 'parquet', 'vot'


def make_profile(n=4):
    """
    A profile with a gap, harmonics, masses and more meta.
    """
    sma = np.arange(1.0, n + 1)
    cutout = GalaxyCutout(np.zeros((9, 9)), unit='nmgy', pixel_scale=0.5)
    value = 10 / sma
    value[1:2] = np.nan
    profile = build_profile(
        cutout, sma, value, 0.1 * value, ellipticity=np.full(n, 0.3),
        theta=np.full(n, 20.0), sky_err=0.01, noise=0.1)
    intensity, length = profile['intensity'].unit, profile['radius'].unit
    profile['a3'] = np.linspace(-0.1, 0.1, n)
    profile['gradient'] = -value * intensity / length
    profile['area'] = sma * length**2
    profile['mass'] = 1e9 * sma * u.solMass
    profile['surface_brightness'].info.description = 'in the band "r"'
    profile.meta['parts'] = {'a': [1, 2.5]}
    store_correlation(profile, {'length': 0.904, 'smooth': 0.9672,
                                'common': 0.0328})
    return profile


@pytest.mark.parametrize('n', [0, 1, 4])
@pytest.mark.parametrize('ending', WHOLE)
def test_every_column(tmp_path, ending, n):
    if ending == 'parquet':
        pytest.importorskip('pyarrow')
    profile = make_profile(4)[:n]
    path = tmp_path / f'profile.{ending}'
    write_profile(profile, path)
    found = read_profile(path)
    assert found.colnames == profile.colnames
    assert len(found) == n
    for name in profile.colnames:
        one, other = profile[name], found[name]
        assert getattr(one, 'unit', None) == getattr(other, 'unit', None)
        assert_array_equal(getattr(one, 'value', one),
                           getattr(other, 'value', other), strict=True)
        assert one.info.description == other.info.description
    assert found.meta == profile.meta


@pytest.mark.parametrize('ending', WHOLE)
def test_quantity_in_the_meta(tmp_path, ending):
    if ending == 'parquet':
        pytest.importorskip('pyarrow')
    profile = make_profile()
    profile.meta['distance'] = 20 * u.Mpc
    path = tmp_path / f'profile.{ending}'
    write_profile(profile, path)
    # (as text where the file knows no units there)
    assert u.Quantity(read_profile(path).meta['distance']) == 20 * u.Mpc


def test_fits_holds_no_letters_beyond_ascii(tmp_path):
    profile = make_profile()
    profile['name'] = ['A', 'B', '\xe9', 'C']
    with pytest.raises(ValueError, match='column name that FITS'):
        write_profile(profile, tmp_path / 'profile.fits')
    assert not (tmp_path / 'profile.fits').exists()
    write_profile(profile, tmp_path / 'profile.ecsv')
    found = read_profile(tmp_path / 'profile.ecsv')
    assert found['name'].tolist() == ['A', 'B', '\xe9', 'C']
