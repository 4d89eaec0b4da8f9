# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the wcs_cards module: keywords of a WCS that contradict each other.
"""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.wcs_cards import find_contradiction

# 0.4 arcsec
SIZE = 0.4 / 3600

CD = {'CD1_1': -SIZE, 'CD2_2': SIZE}
DELTA = {'CDELT1': -SIZE, 'CDELT2': SIZE}
# a rotation by 30 degrees
COS, SIN = np.cos(np.pi / 6), 0.5
PC = {'PC1_1': COS, 'PC1_2': SIN, 'PC2_1': -SIN, 'PC2_2': COS}
TURNED = {'CD1_1': -SIZE * COS, 'CD1_2': -SIZE * SIN, 'CD2_1': -SIZE * SIN,
          'CD2_2': SIZE * COS}

IMAGE = np.random.default_rng(0).normal(5.0, 0.5, (30, 40))


def make_header(*cards):
    header = fits.Header({
        'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN', 'CRVAL1': 150.0,
        'CRVAL2': 2.0, 'CRPIX1': 20.5, 'CRPIX2': 15.5, 'BUNIT': 'nmgy'})
    for part in cards:
        header.update(part)
    return header


@pytest.mark.parametrize(('cards', 'match', 'angle'), [
    # (binned, with the old CD)
    ([CD, {'CDELT1': -2 * SIZE, 'CDELT2': 2 * SIZE}],
     r'CD with pixels of 0\.0001111 and CDELT with pixels of 0\.0002222: CD '
     'is used', 90),
    ([CD, {'CROTA2': 30.0}],
     'CROTA2=30 and CD with a rotation by 0 degrees: CD is used', 90),
    ([DELTA, {'PC1_1': 1.0, 'CROTA2': 30.0}],
     'CROTA2=30 and PC with a rotation by 0 degrees: PC is used', 90),
    ([CD, DELTA, PC], 'CD and PC with CDELT, which give different', None),
    ([DELTA, {'CROTA1': 30.0}], 'CROTA1=30 and no CROTA2', 90)])
@pytest.mark.parametrize('is_plain', [True, False])
def test_contradictions(tmp_path, cards, match, angle, is_plain):
    image = fits.PrimaryHDU(IMAGE, make_header(*cards))
    if is_plain:
        image.writeto(tmp_path / 'a.fits')
        image = tmp_path / 'a.fits'
    with pytest.warns(AstropyUserWarning, match=match):
        cutout = GalaxyCutout(image)
    assert cutout.pixel_scale == pytest.approx(0.4)
    if angle is not None:
        assert cutout.to_sky_pa(0.0)[0] == pytest.approx(angle, abs=0.01)


@pytest.mark.parametrize('cards', [
    [CD], [CD, DELTA], [TURNED], [TURNED, DELTA], [TURNED, {'CROTA2': 30.0}],
    [TURNED, {'CROTA2': -30.0}], [TURNED, {'CROTA2': 0.0}],
    [TURNED, {'CROTA2': 210.0}], [TURNED, {'CROTA2': 31.0}],
    [CD, {'CDELT1': 1.0, 'CDELT2': 1.0}], [DELTA, {'CROTA2': 30.0}],
    [CD, {'CDELT1': -1.02 * SIZE, 'CDELT2': 1.02 * SIZE}],
    [DELTA, {'CROTA1': 10.0, 'CROTA2': 30.0}], [DELTA, PC],
    [DELTA, {'CROTA1': 180.0}], [DELTA, {'CROTA1': 0.0, 'CROTA2': 0.0}]])
def test_no_contradiction(cards):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        cutout = GalaxyCutout(fits.PrimaryHDU(IMAGE, make_header(*cards)))
    assert cutout.pixel_scale == pytest.approx(0.4)


def test_matrices_that_agree():
    both = {'CD1_1': -SIZE * COS, 'CD1_2': -SIZE * SIN, 'CD2_1': -SIZE * SIN,
            'CD2_2': SIZE * COS}
    assert find_contradiction(make_header(both, DELTA, PC)) == ''
    assert find_contradiction({}) == ''


@pytest.mark.parametrize(('size', 'is_told'), [
    # HST and JWST without CUNIT; radians of 0.05 arcsec
    (0.05, True), (0.03, True), (2.4e-7, True),
    # a map of 60 arcsec, and radio interferometers
    (59.0 / 3600, False), (0.002 / 3600, False)])
def test_size_of_pixels(size, is_told):
    header = make_header({'CDELT1': -size, 'CDELT2': size})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        cutout = GalaxyCutout(fits.PrimaryHDU(IMAGE, header))
    assert cutout.pixel_scale == pytest.approx(3600 * size, rel=1e-5)
    match = f'pixels of the WCS are {3600 * size:.4g} arcsec large, as if CD'
    assert [match in str(item.message) for item in caught] == [True] * is_told
    with pytest.warns(AstropyUserWarning, match='although the WCS says'):
        assert GalaxyCutout(fits.PrimaryHDU(IMAGE, header),
                            pixel_scale=0.5).pixel_scale == 0.5


class TestUnits:
    """
    CUNIT is the unit of CRVAL, too (FITS standard 4.0, section 8.2).
    """

    @staticmethod
    def header(place, unit='arcsec', ctype=('RA---TAN', 'DEC--TAN')):
        cards = {'CRPIX1': 20.0, 'CRPIX2': 20.0, 'CDELT1': -0.4,
                 'CDELT2': 0.4, 'BUNIT': 'nanomaggy'}
        for k in (1, 2):
            cards |= {f'CTYPE{k}': ctype[k - 1], f'CUNIT{k}': unit,
                      f'CRVAL{k}': place[k - 1]}
        return fits.Header(cards)

    def test_degrees(self, tmp_path):
        header = self.header((150.1, 2.2))
        match = (r"CUNIT1='arcsec', which is the unit of CRVAL1=150\.1 and "
                 r'CRVAL2=2\.2, too: these are 0\.04169 and 0\.0006111 degr')
        image = fits.PrimaryHDU(np.ones((40, 40), dtype='f4'), header)
        image.writeto(tmp_path / 'a.fits')
        for given in (image, tmp_path / 'a.fits'):
            with pytest.warns(AstropyUserWarning, match=match):
                assert GalaxyCutout(given).pixel_scale == pytest.approx(0.4)

    @pytest.mark.parametrize('header', [
        header((540360.0, 7920.0)), header((0.0, 0.0)), header((0.5, -0.9)),
        header((150.1, 2.2), 'deg'),
        header((30.0, 20.0), ctype=('HPLN-TAN', 'HPLT-TAN'))])
    def test_right_ones(self, header):
        assert find_contradiction(header) == ''
