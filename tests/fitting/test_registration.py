# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of finding bands whose coordinates are off.
"""

import warnings

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.fitting.registration import find_offset, warn_of_offsets
from astro_pix2prof.image.cutout import GalaxyCutout


def _image(x, y, *, size=121, scale=1.0, knot=0.0, seed=1):
    rows, columns = np.mgrid[:size, :size]
    dx, dy = columns - x, rows - y
    image = 100 * np.exp(-np.hypot(dx, dy / 0.6) / (6 * scale))
    image += knot * np.exp(-np.hypot(dx - 5, dy - 4)**2 / 2)
    image = gaussian_filter(image, 1.3 * scale)
    return image + np.random.default_rng(seed).normal(0, 0.5, image.shape)


def _fit(image, centre, wcs=None):
    cutout = GalaxyCutout(CCDData(image, unit='nmgy', wcs=wcs),
                          position=centre,
                          pixel_scale=None if wcs is not None else 0.4)
    sma = np.geomspace(1, 40, 12)
    return ProfileFit(profile=None, cutout=cutout, mask=cutout.mask, sky=0.0,
                      centre=centre, sma=sma, eps=0.4 + 0 * sma,
                      theta=0 * sma, intensity=100 * np.exp(-sma / 6))


@pytest.mark.parametrize('move', [(2.0, 0.0), (-2.0, 3.0), (0.0, -5.0)])
def test_offset(move):
    one = _fit(_image(60.0, 60.0), (60.0, 60.0))
    two = _fit(_image(60.0 + move[0], 60.0 + move[1], seed=2), (60.0, 60.0))
    assert find_offset(one, two) == pytest.approx(np.hypot(*move), abs=0.4)


def test_offset_of_other_pixels(make_wcs):
    one = _fit(_image(60.0, 60.0), (60.0, 60.0),
               make_wcs((121, 121), pixel_scale=0.4))
    image = _image(83.0, 80.0, size=161, scale=2.0, seed=2)
    wcs = make_wcs((161, 161), pixel_scale=0.2)
    assert find_offset(one, _fit(image, (83.0, 80.0), wcs)) < 0.5
    # (three pixels of the first)
    assert find_offset(one, _fit(image, (77.0, 80.0), wcs)) == (
        pytest.approx(3.0, abs=0.4))


def test_knot_is_no_offset():
    one = _fit(_image(60.0, 60.0), (60.0, 60.0))
    two = _fit(_image(60.0, 60.0, knot=300.0, seed=2), (60.0, 60.0))
    assert find_offset(one, two) == 0.0


def test_nothing_without_light():
    one = _fit(_image(60.0, 60.0), (60.0, 60.0))
    noise = np.random.default_rng(3).normal(size=(121, 121))
    assert find_offset(one, _fit(noise, (60.0, 60.0))) == 0.0
    image = _image(64.0, 60.0)
    image[58:62, 62:66] = np.nan
    assert find_offset(one, _fit(image, (60.0, 60.0))) == 0.0


def test_reference_is_the_brightest():
    fits = {band: _fit(factor * _image(60.0 + move, 60.0), (60.0, 60.0))
            for band, factor, move in (('g', 1, 4), ('r', 1, 0),
                                       ('i', 1, 0))}
    fits['i'].intensity = 2 * fits['i'].intensity
    with pytest.warns(AstropyUserWarning, match=r'in g is 4\.\d pixels '
                      r'\(1\.6 arcsec\) from where i has it'):
        warn_of_offsets(fits, 'all')


@pytest.mark.parametrize('reference', ['r', 'all'])
def test_bands_warn(make_wcs, reference):
    images = {band: CCDData(
        _image(60.0, 60.0, seed=k), unit='nmgy',
        wcs=make_wcs((121, 121), pixel_scale=0.4))
        for k, band in enumerate('gr')}
    fitter = Pix2ProfFitter(device='cpu')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        fitter.fit_bands(images, reference=reference)
    images['g'].wcs.wcs.crval += [0.0, 1.6 / 3600]
    with pytest.warns(AstropyUserWarning, match='Correct the coordinates'):
        fitter.fit_bands(images, reference=reference)
