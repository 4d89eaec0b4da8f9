# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the galaxy that ships with the package.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData

from astro_pix2prof import GalaxyCutout, load_example, load_example_truth


def test_load_example():
    image = load_example()
    assert isinstance(image, CCDData)
    assert image.shape == (256, 256)
    assert image.unit == u.nmgy
    cutout = GalaxyCutout(image)
    assert cutout.zeropoint == 22.5
    assert cutout.band == 'r'
    assert cutout.pixel_scale == pytest.approx(0.396, rel=1e-6)
    # the sky noise that the image was rendered with
    assert cutout.background_noise == pytest.approx(0.022, rel=0.05)


def test_truth_belongs_to_image():
    """
    The rings of the image have the true brightness, where it is bright.
    """
    image, truth = load_example(), load_example_truth()
    cutout = GalaxyCutout(image)
    meta = truth.meta
    x0, y0 = meta['x_centre'], meta['y_centre']
    yy, xx = np.mgrid[:256, :256]
    for row in truth[(truth['radius'] > 4 * u.arcsec)
                     & (truth['radius'] < 15 * u.arcsec)]:
        sma = row['radius'].to_value(u.arcsec) / 0.396
        theta = np.radians(cutout.from_sky_pa(row['pa'].value))
        dx, dy = xx - x0, yy - y0
        along = dx * np.cos(theta) + dy * np.sin(theta)
        across = dy * np.cos(theta) - dx * np.sin(theta)
        radius = np.hypot(along, across / (1 - row['ellipticity']))
        ring = image.data[np.abs(radius - sma) < 1.0]
        # stars and arms are in the ring: a median is close to the mean
        expected = row['intensity'].value * 0.396**2
        assert np.median(ring) == pytest.approx(expected, rel=0.15)


def test_true_magnitude():
    """
    The profile, integrated, gives the magnitude up to the frame's edge.
    """
    truth = load_example_truth()
    radius = truth['radius'].value
    area = np.pi * radius**2 * (1 - truth['ellipticity'])
    flux = np.trapezoid(truth['intensity'].value, area)
    magnitude = 22.5 - 2.5 * np.log10(flux)
    assert magnitude == pytest.approx(truth.meta['magnitude'], abs=0.02)
