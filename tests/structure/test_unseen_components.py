# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of fits of bulge and disc to galaxies that lack one of them.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, build_profile, measure_structure
from astro_pix2prof.profile.flags import StructureFlag
from astro_pix2prof.structure.fitted import _hide_unseen
from astro_pix2prof.structure.parameter_errors import invert_normal

BULGE = ('bulge_mu_e', 'bulge_r_e', 'bulge_n')
DISC = ('disc_mu_0', 'disc_h')
PIXEL, H = 0.4, 5.0


def measure(shape, seed, *, psf=None):
    """
    Structure of a noisy round profile of intensities ``shape(radius)``.
    """
    radius = np.append(0, np.geomspace(0.2, 40, 45))
    value = shape(radius) * PIXEL**2
    error = np.hypot(0.01 * value, 1e-4)
    value = value + np.random.default_rng(seed).normal(scale=0.3 * error)
    cutout = GalaxyCutout(np.ones((9, 9)) * u.nmgy, pixel_scale=PIXEL)
    n = len(radius)
    return measure_structure(build_profile(
        cutout, radius / PIXEL, value, error, ellipticity=np.full(n, 0.01),
        ellipticity_err=np.full(n, 0.01), theta=np.zeros(n)), psf=psf)[0]


def known(row, name):
    return row[name].value if hasattr(row[name], 'value') else row[name]


@pytest.mark.parametrize('psf', [None, 1.2])
@pytest.mark.parametrize('index', [1.0, 0.7])
@pytest.mark.parametrize('seed', [1, 2])
def test_no_bulge(index, seed, psf):
    """
    What is not NaN has an error that means something.
    """
    row = measure(lambda r: 5 * np.exp(-(r / H)**(1 / index)), seed, psf=psf)
    for name in (*BULGE, *DISC, 'b_t'):
        value, error = known(row, name), known(row, f'{name}_err')
        assert np.isfinite(value) == np.isfinite(error)
        if np.isfinite(value):
            assert 1e-6 < error < 100
    if np.isnan(row['bulge_n']) or np.isnan(row['disc_h']):
        assert row['flag'] & (StructureFlag.COMPONENT_UNSEEN
                              | StructureFlag.BULGE_DISC_FAILED)
    # (the fits that are not of two components are what they were)
    assert_allclose(row['sersic_n'], index, rtol=0.15)


@pytest.mark.parametrize('part', [0.03, 0.3])
def test_bulge(part):
    """
    Bulges that are there stay.
    """
    def shape(r):
        bulge = part * H**2 / 1.0**2 * np.exp(-r / 1.0) / (1 - part)
        return 5 * (np.exp(-r / H) + bulge)

    row = measure(shape, 3)
    assert not row['flag'] & (StructureFlag.COMPONENT_UNSEEN
                              | StructureFlag.BULGE_DISC_FAILED)
    assert_allclose(row['b_t'], part, rtol=0.2)
    assert_allclose(row['disc_h'].value, H, rtol=0.05)


def result(**changes):
    names = (*BULGE, *DISC, 'b_t', 'sersic_chi2', 'bulge_disc_chi2')
    return dict.fromkeys(names, (1.0, 0.2)) | changes


@pytest.mark.parametrize(('changes', 'gone', 'flag'), [
    ({}, (), 0),
    ({'bulge_mu_e': (22.0, 2.0)}, (), 0),
    ({'bulge_mu_e': (29.0, 8.0)}, BULGE, StructureFlag.COMPONENT_UNSEEN),
    ({'bulge_mu_e': (29.0, 0.0), 'b_t': (1e-9, 1e-11)}, (*BULGE, 'b_t'),
     StructureFlag.COMPONENT_UNSEEN),
    ({'bulge_mu_e': (29.0, np.nan)}, BULGE, StructureFlag.COMPONENT_UNSEEN),
    ({'disc_mu_0': (27.0, 52.0)}, DISC, StructureFlag.COMPONENT_UNSEEN),
    ({'bulge_disc_chi2': (1.6, np.nan)},
     (*BULGE, *DISC, 'b_t', 'bulge_disc_chi2'),
     StructureFlag.BULGE_DISC_FAILED),
    # (a fit that failed has a flag of its own)
    ({'disc_h': (np.nan, np.nan)}, ('disc_h',), 0)])
def test_rules(changes, gone, flag):
    found = result(**changes)
    assert _hide_unseen(found, 45) == flag
    assert {name for name, (value, _) in found.items()
            if np.isnan(value)} == set(gone)


def test_inverse_by_limits():
    """
    A parameter on which nothing depends has the variance of its range.
    """
    jac = np.array([[2.0, 0.0], [0.0, 0.0]])
    inverse, limits = invert_normal(jac, np.array([1e6, 3.0]))
    assert_allclose(np.diag(inverse), [0.25, 3.0**2 / 12])
    assert_allclose(np.diag(limits), [12e-12, 12 / 9])
    inverse, limits = invert_normal(np.eye(2), np.array([1.0, 1.0]))
    assert_allclose(inverse, np.eye(2))
    assert_allclose(limits, 0)
