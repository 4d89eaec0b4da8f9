# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of SATURATE in images of count rates.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.calibration import find_saturation
from astro_pix2prof.image.header import header_values

# Of WFPC2 (HST): of raw data values, in drizzled images of counts/s, too.
WFPC2 = ('SATURATE', 4095, 'Data value at which saturation occurs')


def level(card, peak, unit='ct/s', exptime=100.0, **cards):
    header = fits.Header([card, ('EXPTIME', exptime)])
    header.update(cards)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return find_saturation(u.Unit(unit), header_values(header),
                               np.array([[0.0, np.nan, peak]]))


@pytest.mark.parametrize(('comment', 'peak', 'expected'), [
    ('[adu] saturation level', 30.0, 40.95),
    ('saturation level in electrons', 43.0, 40.95),
    ('saturation [e-]', 43.0, 40.95),
    # (pixels that are much brighter: it is none in counts)
    ('[adu] saturation level', 5000.0, 4095.0),
    ('saturation level (adu/s)', 3000.0, 4095.0),
    ('saturation level in counts per second', 3000.0, 4095.0),
    ('Saturation level', 30.0, 4095.0)])
def test_comment(comment, peak, expected):
    assert level(('SATURATE', 4095, comment), peak) == expected


def test_other_units():
    card = ('SATURATE', 4095, '[adu]')
    assert level(card, 30.0, 'ct') == 4095.0
    assert level(card, 30.0, 'ct/min') == pytest.approx(4095 / 100 * 60)
    assert level(card, 30.0, exptime=1.0) == 4095.0
    # (a level of counts would be larger)
    assert level(('SATURATE', 600, 'Saturation level'), 30.0) == 600.0
    # (SWarp scales the number, and not the comment)
    swarp = ('SATURATE', 40.0, 'Saturation Level (ADU)')
    assert level(swarp, 0.1, COMBINET='MEDIAN') == 40.0


def test_doubt():
    y, x = np.mgrid[:64, :64]
    data = np.minimum(500 * np.exp(-np.hypot(x - 32, y - 32) / 4), 40.9)
    header = fits.Header([WFPC2, ('EXPTIME', 100.0), ('BUNIT', 'COUNTS/S'),
                          ('MAGZERO', 25.0, '1 ADU/s')])
    image = fits.PrimaryHDU(data.astype('f4'), header)
    match = (r'SATURATE=4095 is taken in the unit of the image, .* give '
             r'saturation=40\.95 then, otherwise saturation=4095')
    with pytest.warns(AstropyUserWarning, match=match):
        assert GalaxyCutout(image, pixel_scale=0.1).saturation == 4095
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert GalaxyCutout(image, pixel_scale=0.1,
                            saturation=40.95).saturation == 40.95
        # nothing comes near to it
        image.data /= 2
        GalaxyCutout(image, pixel_scale=0.1)


def test_peak_of_good_pixels():
    """
    A hot pixel that is masked, or is no number, is no peak; nor are integers.
    """
    header = header_values(fits.Header([
        ('SATURATE', 60000, '[adu]'), ('EXPTIME', 100.0)]))
    hot = np.array([[30.0, 1e5]])
    unit = u.Unit('ct/s')
    assert find_saturation(unit, header, hot) == 60000
    assert find_saturation(unit, header, hot, hot > 100) == 600
    hot[0, 1] = np.inf
    assert find_saturation(unit, header, hot) == 600
    assert find_saturation(unit, header, np.array([[30]], 'i2')) == 600
    assert find_saturation(unit, header, hot, np.ones((1, 2), bool)) == 600
