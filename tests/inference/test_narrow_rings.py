# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of rings between those of a network in galaxies with narrow rings.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter

Y, X = np.indices((280, 280))
RADIUS = np.hypot(X - 139.3, (Y - 140.4) / 0.75)


def _pulls(fitter, amplitude, width, **options):
    """
    Find the largest pulls of rings around a narrow ring of a galaxy.
    """
    ring = np.exp(-0.5 * ((RADIUS - 35) / width)**2)
    galaxy = gaussian_filter(
        25 * np.exp(-RADIUS / 18) + amplitude * ring, 1.3)
    pulls = []
    for seed in range(6):
        image = galaxy + np.random.default_rng(seed).normal(
            size=galaxy.shape)
        profile = fitter(image, unit='nmgy', pixel_scale=0.4, **options)
        radius = profile['radius'].value / 0.4
        seen = (radius > 20) & (radius < 55)
        # (bins as narrow as the ring needs)
        order = np.argsort(RADIUS, axis=None)
        mean = gaussian_filter(galaxy.flat[order], 20)
        truth = np.interp(radius[seen], RADIUS.flat[order], mean) / 0.4**2
        off = profile['surface_brightness'].value[seen] - 22.5 + (
            2.5 * np.log10(truth))
        pulls.append(np.abs(off / profile['surface_brightness_err'].value[
            seen]).max())
    return pulls


@pytest.fixture(scope='module', name='fitter')
def make_fitter():
    return Pix2ProfFitter()


def test_errors(fitter):
    """
    Errors hold what the pixels say and the profile does not follow.
    """
    assert np.mean(_pulls(fitter, 6, 3, step=0.05)) < 2.75


@pytest.mark.parametrize('amplitude', [12, -3])
def test_own_rings(fitter, amplitude):
    """
    The rings of a network follow a bright or dark ring of the galaxy.
    """
    assert np.mean(_pulls(fitter, amplitude, 1.5)) < 2.75
