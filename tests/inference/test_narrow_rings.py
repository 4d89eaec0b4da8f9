# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of rings between those of a network in galaxies with narrow rings.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter

Y, X = np.indices((280, 280))
RADIUS = np.hypot(X - 139.3, (Y - 140.4) / 0.75)


def test_errors():
    """
    Errors hold what the pixels say and the profile does not follow.
    """
    galaxy = gaussian_filter(
        25 * np.exp(-RADIUS / 18)
        + 6 * np.exp(-0.5 * ((RADIUS - 35) / 3)**2), 1.3)
    fitter = Pix2ProfFitter()
    pulls = []
    for seed in range(6):
        image = galaxy + np.random.default_rng(seed).normal(
            size=galaxy.shape)
        profile = fitter(image, unit='nmgy', pixel_scale=0.4, step=0.05)
        radius = profile['radius'].value / 0.4
        seen = (radius > 20) & (radius < 55)
        truth = np.array([galaxy[np.abs(RADIUS / r - 1) < 0.02].mean()
                          for r in radius[seen]]) / 0.4**2
        off = profile['surface_brightness'].value[seen] - 22.5 + (
            2.5 * np.log10(truth))
        pulls.append(np.abs(off / profile['surface_brightness_err'].value[
            seen]).max())
    assert np.mean(pulls) < 2.75
