# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the packing module of image.
"""

import copy
import pickle
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.packing import PackedWCS, pack_wcs, unpack_wcs

BASE = {'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN', 'CRPIX1': 11.5,
        'CRPIX2': 9.25, 'CRVAL1': 184.123456789, 'CRVAL2': -12.3}
SCALES = {'CDELT1': -2e-4, 'CDELT2': 2.1e-4}
MATRIX = {'CD1_1': -2e-4, 'CD1_2': 1e-5, 'CD2_1': 1.1e-5, 'CD2_2': 2.1e-4}
PIXELS = np.array([[0.0, 0.0], [20.0, 3.5], [-7.0, 1e4]])


def make(*parts, **more):
    header = fits.Header()
    for part in (BASE, *parts, more):
        header.update(part)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FITSFixedWarning)
        wcs = WCS(header)
    wcs.array_shape = 21, 25
    return wcs


@pytest.mark.parametrize('wcs', [
    make(SCALES), make(MATRIX), make(SCALES, PC1_1=0.8, PC1_2=-0.6,
                                     PC2_1=0.6, PC2_2=0.8),
    make(MATRIX, RADESYS='FK5', EQUINOX=1975.0),
    make(MATRIX, {'DATE-OBS': '2001-02-03T04:05:06'}, CUNIT1='arcsec',
         CUNIT2='arcsec'),
    make(SCALES, LONPOLE=170.0, LATPOLE=20.0),
    make(SCALES, CTYPE1='GLON-CAR', CTYPE2='GLAT-CAR'),
    make(SCALES, CTYPE1='RA---SIN', CTYPE2='DEC--SIN')])
def test_numbers(wcs):
    """
    A WCS of its numbers is the same, bit for bit.
    """
    packed = pack_wcs(wcs)
    assert isinstance(packed, PackedWCS)
    again = unpack_wcs(pickle.loads(pickle.dumps(packed)))
    assert wcs.wcs.compare(again.wcs)
    assert vars(wcs) == vars(again)
    for name in ('all_pix2world', 'wcs_pix2world'):
        np.testing.assert_array_equal(getattr(wcs, name)(PIXELS, 0),
                                      getattr(again, name)(PIXELS, 0))
    assert wcs.to_header_string(relax=True) == again.to_header_string(
        relax=True)
    assert len(pickle.dumps(packed)) < 1000


def test_used_wcs():
    """
    A WCS that has converted coordinates keeps functions between calls.
    """
    wcs = make(MATRIX)
    sky = wcs.pixel_to_world(3, 4)
    packed = pack_wcs(wcs)
    assert isinstance(packed, PackedWCS)
    again = unpack_wcs(pickle.loads(pickle.dumps(packed)))
    assert again.pixel_to_world(3, 4).separation(sky).arcsec < 1e-9


@pytest.mark.parametrize('wcs', [
    make(MATRIX, CTYPE1='RA---TAN-SIP', CTYPE2='DEC--TAN-SIP', A_ORDER=2,
         B_ORDER=2, A_2_0=1e-5, B_0_2=1e-5),
    make(MATRIX, CTYPE1='RA---TPV', CTYPE2='DEC--TPV', PV1_1=1.1, PV1_2=0.1),
    make(MATRIX, CTYPE1='RA---TPV', CTYPE2='DEC--TPV', PV2_4=1e-9),
    make(MATRIX, CTYPE1='RA---ZPN', CTYPE2='DEC--ZPN', PV2_1=1.0,
         PV2_3=40.0),
    make(SCALES, CRDER1=0.5), make(SCALES, CROTA2=30.0), WCS(naxis=3)])
def test_more_than_numbers(wcs):
    """
    A WCS with more in it is left as it is.
    """
    assert pack_wcs(wcs) is wcs


def test_none():
    assert pack_wcs(None) is None
    assert unpack_wcs(None) is None


@pytest.mark.parametrize('wcs', [make(MATRIX), None])
def test_cutout(wcs):
    """
    A cutout that is sent to another process is the same.
    """
    data = np.random.default_rng(1).normal(size=(21, 25))
    cutout = GalaxyCutout(data, pixel_scale=0.4, unit='nanomaggy')
    cutout.wcs = wcs
    again = pickle.loads(pickle.dumps(cutout))
    np.testing.assert_array_equal(again.data, cutout.data)
    assert again.sky_position(3, 4) == pytest.approx(
        cutout.sky_position(3, 4), rel=0, abs=0, nan_ok=True)
    assert set(vars(again)) == set(vars(cutout))
    assert cutout.wcs is wcs
    # (a copy shares it)
    assert copy.copy(cutout).wcs is wcs
