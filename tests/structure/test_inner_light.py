# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the light inside the first ring of a profile.

Truths are analytic (Graham & Driver 2005).
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose
from scipy.special import gamma, gammaincinv

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    ProfileBatch,
    build_profile,
    measure_structure,
    physical_profile,
)
from astro_pix2prof.profile.flags import RingFlag, StructureFlag
from astro_pix2prof.structure.inner_light import (
    begins_outside,
    centre_factor,
    saturated_core,
)

PIXEL, Q, R_E, MU_E = 0.4, 0.7, 8.0, 21.5


def sersic_profile(n, *, last=60.0, error=0.005):
    """
    A Sersic profile on rings from the centre on.
    """
    radius = np.append(0, np.geomspace(0.1, last, 90))
    b = gammaincinv(2 * n, 0.5)
    value = 10**(-0.4 * (MU_E - 22.5)) * np.exp(
        -b * ((radius / R_E)**(1 / n) - 1)) * PIXEL**2
    cutout = GalaxyCutout(np.ones((9, 9)) * u.nmgy, pixel_scale=PIXEL)
    shape = np.full(len(radius), 1 - Q)
    return build_profile(cutout, radius / PIXEL, value, error * value,
                         ellipticity=shape, ellipticity_err=0.01 * shape,
                         theta=np.full(len(radius), 30.0))


def true_total(n):
    b = gammaincinv(2 * n, 0.5)
    light = (2 * np.pi * n * R_E**2 * np.exp(b) * b**(-2 * n) * gamma(2 * n)
             * Q)
    return MU_E - 2.5 * np.log10(light)


def cut(profile, first, *, stated):
    part = profile[profile['radius'] > first * u.arcsec]
    if not stated:
        part.remove_column('mag_enclosed')
    return part


def pull(row, name, truth):
    value, error = (row[key].value for key in (name, f'{name}_err'))
    return (value - truth) / error


@pytest.mark.parametrize('n', [0.5, 1.0, 2.0])
@pytest.mark.parametrize('first', [1.0, 2.0, 4.0])
def test_inner_rings_left_out(n, first):
    """
    Without them, the total was too faint by up to 100 errors.
    """
    profile = sersic_profile(n)
    whole = measure_structure(profile, fits=False)[0]
    row = measure_structure(cut(profile, first, stated=False), fits=False)[0]
    for name in ('mag_total', 'mag_aperture', 'r50', 'r90', 'r_petro',
                 'mag_petro'):
        assert abs(pull(row, name, whole[name].value)) < 1
    assert abs(pull(row, 'mag_aperture', whole['mag_aperture'].value)) < 0.5
    # (what is not seen there may be anything)
    assert row['mag_total_err'] > whole['mag_total_err']
    assert np.isnan(row['mu_0'])


def test_steep_centre():
    profile = sersic_profile(4.0, last=200.0)
    row = measure_structure(cut(profile, 3, stated=False), fits=False)[0]
    assert abs(pull(row, 'mag_total', true_total(4.0))) < 1
    assert abs(pull(row, 'r50', R_E)) < 1
    assert row['flag'] & StructureFlag.CENTRE_MISSING
    assert np.isnan(row['r20'])
    assert np.isnan(row['c28'])


@pytest.mark.parametrize('first', [1.0, 2.0, 4.0])
def test_stated_light(first):
    """
    The column mag_enclosed holds the light of the rings that were left out.
    """
    profile = sersic_profile(2.0)
    whole = measure_structure(profile, fits=False)[0]
    row = measure_structure(cut(profile, first, stated=True), fits=False)[0]
    for name in ('mag_total', 'r50', 'r90', 'r_petro', 'mag_petro'):
        assert abs(pull(row, name, whole[name].value)) < 0.3
        ratio = row[f'{name}_err'] / whole[f'{name}_err']
        assert 0.8 < ratio < 2
    assert not row['flag'] & StructureFlag.CENTRE_MISSING


def test_saturated_light_is_a_lower_limit():
    profile = sersic_profile(2.0)
    profile.meta['flag'] = int(GalaxyFlag.SATURATED)
    profile['mag_enclosed'] += 0.03 * u.mag
    row = measure_structure(cut(profile, 2, stated=True), fits=False)[0]
    assert row['flag'] & StructureFlag.CENTRE_MISSING
    assert abs(pull(row, 'mag_total', true_total(2.0))) < 1


@pytest.mark.parametrize('n', [0.7, 1.0, 2.5])
@pytest.mark.parametrize('first', [1.0, 2.5])
def test_saturated_rings_do_not_count(n, first):
    """
    A total with a flat core was too faint by up to 12 errors.
    """
    whole = sersic_profile(n)
    inside = whole['radius'].value < first
    profile = whole.copy()
    for name in ('intensity', 'surface_brightness'):
        profile[name][inside] = whole[name][~inside][0]
    profile['flag'][inside] |= RingFlag.SATURATED
    profile.meta['flag'] = int(GalaxyFlag.SATURATED)
    # (as a fitter measures it)
    fainter = np.log10(2.5) * u.mag
    profile['mag_enclosed'] = whole['mag_enclosed'] + fainter * inside
    row = measure_structure(profile, fits=False)[0]
    for name in ('mag_total', 'r90'):
        true = measure_structure(whole, fits=False)[0]
        assert abs(pull(row, name, true[name].value)) < 1.2
    assert np.isnan(row['mu_0'])
    left = measure_structure(profile[~inside], fits=False)[0]
    assert_allclose(row['mag_total'].value, left['mag_total'].value)
    # rings with the flag beyond others, or of a galaxy without it, count
    core, is_large = saturated_core(profile)
    assert (core == inside).all()
    assert not is_large
    profile['flag'][0] = 0
    assert not saturated_core(profile)[0].any()
    profile['flag'][0] = RingFlag.SATURATED
    profile.meta['flag'] = 0
    assert not saturated_core(profile)[0].any()


def test_large_saturated_core():
    """
    What it misses is not known, and the rings count as they are.
    """
    whole = sersic_profile(1.0)
    profile = whole.copy()
    inside = whole['radius'].value < 10
    profile['flag'][inside] |= RingFlag.SATURATED
    profile.meta['flag'] = int(GalaxyFlag.SATURATED)
    assert saturated_core(profile)[1]
    row, expected = (measure_structure(part, fits=False)[0]
                     for part in (profile, whole))
    assert_allclose(row['mag_total'].value, expected['mag_total'].value)
    assert row['flag'] == expected['flag'] | StructureFlag.CENTRE_MISSING


def test_few_rings_miss_no_centre():
    few = measure_structure(sersic_profile(1.0)[:2], fits=False)[0]
    assert few['flag'] & StructureFlag.TOO_FEW_RINGS
    assert not few['flag'] & StructureFlag.CENTRE_MISSING


def test_bright_ring_taken_for_a_saturated_core():
    """
    What a steep rim would hide in a faint middle is not believed.
    """
    profile = sersic_profile(1.0)
    radius = profile['radius'].value
    factor = 0.5 + 3 * np.exp(-0.5 * ((radius - 4) / 1.2)**2)
    for name in ('intensity', 'intensity_err'):
        profile[name] = profile[name] * np.where(
            radius < 9, factor, factor[np.searchsorted(radius, 9)])
    expected = measure_structure(profile, fits=False)[0]
    profile['flag'][radius < 4] |= RingFlag.SATURATED
    profile.meta['flag'] = int(GalaxyFlag.SATURATED)
    assert saturated_core(profile)[1]
    row = measure_structure(profile, fits=False)[0]
    assert_allclose(row['mag_total'].value, expected['mag_total'].value)
    assert row['flag'] & StructureFlag.CENTRE_MISSING


def test_light_of_other_rings():
    """
    Magnitudes that do not fit the intensities are not used.
    """
    profile = sersic_profile(1.0)
    part = cut(profile, 4, stated=True)
    part['mag_enclosed'] -= 0.3 * u.mag
    row = measure_structure(part, fits=False)[0]
    assert row['flag'] & StructureFlag.CENTRE_MISSING
    assert abs(pull(row, 'mag_total', true_total(1.0))) < 1


def test_whole_profiles():
    profile = sersic_profile(1.0)
    radius = profile['radius'].value
    assert not begins_outside(profile, radius)
    # half a pixel
    assert not begins_outside(profile, np.append(0.2, radius[radius > 0.2]))
    assert begins_outside(profile, radius[radius > 0.5])
    del profile.meta['pixel_scale']
    assert begins_outside(profile, radius[radius > 0.5])
    assert not begins_outside(profile, np.array([0.2, 0.6, 1.0]))
    factor, seen = centre_factor(profile, np.ones(len(radius), bool),
                                 profile['intensity'].value[None],
                                 np.full(len(radius), 1 - Q), 0)
    assert_allclose(factor, 1)
    assert seen


def test_physical_profile():
    """
    The luminosity inside the first ring is that of the whole galaxy.
    """
    profile = sersic_profile(1.0)

    def enclosed(table):
        return physical_profile(table, band='r', distance=20 * u.Mpc)[
            'luminosity_enclosed'][-1].value

    whole = enclosed(profile)
    assert_allclose(enclosed(cut(profile, 4, stated=True)), whole, rtol=3e-3)
    with pytest.warns(AstropyUserWarning, match='not begin at the centre'):
        rough = enclosed(cut(profile, 4, stated=False))
    assert_allclose(rough, whole, rtol=0.02)


def test_fresh_seed():
    profile = sersic_profile(1.0)
    first, second = (measure_structure(profile, fits=False, seed=None)[0]
                     for _ in range(2))
    assert first['r50'] == second['r50']
    assert first['r50_err'] != second['r50_err']
    assert_allclose(first['r50_err'].value, second['r50_err'].value, rtol=0.5)


def test_systems():
    """
    The table says in which system its magnitudes are.
    """
    ab, vega = sersic_profile(1.0), sersic_profile(1.0)
    vega.meta['mag_system'] = 'Vega'
    assert measure_structure(ab, fits=False).meta == {'MAGSYS': 'AB'}
    one = ProfileBatch.from_profiles([ab, ab])
    assert measure_structure(one, fits=False).meta == {'MAGSYS': 'AB'}
    with pytest.warns(AstropyUserWarning, match='magnitudes of AB and Vega'):
        table = measure_structure(ProfileBatch.from_profiles([ab, vega]),
                                  fits=False)
    assert table.meta == {'MAGSYS': 'AB Vega'}
