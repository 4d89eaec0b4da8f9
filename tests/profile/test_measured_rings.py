# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of what follows from measured rings.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.rings import MeasuredRings


def make_rings(*, centre=(3.0, 4.0), gain=None, noise=2.0, **changes):
    """
    Three rings in a frame of 20 x 10 pixels.
    """
    values = {
        'sma': np.array([0.05, 3.0, 10.0]), 'eps': np.array([0.0, 0.4, 0.0]),
        'intensity': np.array([50.0, 8.0, -1.0]),
        'intensity_err': np.array([0.5, 0.4, 0.5])} | changes
    return MeasuredRings(
        SimpleNamespace(shape=(10, 20), gain=gain), theta=np.zeros(3),
        n_valid=np.ones(3), flag=np.zeros(3, int), galaxy_flag=GalaxyFlag(0),
        centre=centre, noise=noise, **values)


@pytest.mark.parametrize(('centre', 'edge'), [
    ((3.0, 4.0), 3.5), ((6.0, 4.0), 4.5), ((15.0, 4.0), 4.5),
    ((17.0, 4.0), 2.5), ((9.0, 7.0), 2.5), ((9.0, 1.0), 1.5)])
def test_edge(centre, edge):
    # the frame ends half a pixel beyond the middles of its first and last
    assert make_rings(centre=centre).edge() == edge


def test_signal_to_noise():
    rings = make_rings()
    assert len(rings) == 3
    assert_allclose(rings.snr, [100, 20, -2])
    # as many pixels as the mean square of the axes has on a circle, and one
    # at the centre
    n = np.array([1.0, 2 * np.pi * 3 * np.sqrt((1 + 0.36) / 2),
                  2 * np.pi * 10])
    assert_allclose(rings.photon_snr, rings.intensity * np.sqrt(n) / 2)
    # photons: a variance of the intensity over the gain, where it is light
    photons = make_rings(gain=4.0)
    variance = 4 + np.array([50.0, 8.0, 0.0]) / 4
    assert_allclose(photons.photon_snr,
                    rings.intensity * np.sqrt(n / variance))
    dark = make_rings(intensity=np.array([np.nan, 8.0, 0.0]))
    assert_allclose(dark.photon_snr[[0, 2]], 0)


def test_errors_of_magnitudes():
    # 2.5 / ln 10 of the relative error, unless they are known better
    assert_allclose(make_rings().mag_err, [
        0.01 * 2.5 / np.log(10), 0.05 * 2.5 / np.log(10), np.nan])
    own = np.array([0.1, 0.2, 0.3])
    assert make_rings(sb_err=own).mag_err is own
