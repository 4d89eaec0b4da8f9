# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of light beyond the edge of the frame, and of TRUNCATED.

An exponential disc has (1 + x) exp(-x) of its light beyond x scale lengths.
"""

import numpy as np
import pytest

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
)
from astro_pix2prof.fitting.flags import Evidence, flag_galaxy
from astro_pix2prof.fitting.frame_edges import light_beyond_edge
from astro_pix2prof.profile.rings import MeasuredRings

HALF = 60.5


def disc_rings(lengths, *, reach=1.3, error=0.01, **changes):
    """
    Rings of a disc whose frame reaches so many scale lengths.
    """
    y, x = np.mgrid[:121, :121] - 60.0
    h = HALF / lengths
    image = 300 * np.exp(-np.hypot(x, y) / h) + np.random.default_rng(
        1).normal(size=x.shape)
    sma = np.append(np.arange(0.5, 50), np.linspace(50, reach * HALF, 8))
    same = np.ones(len(sma))
    values = {
        'intensity': 300 * np.exp(-sma / h), 'intensity_err': error * same,
        'eps': 0 * same, 'theta': 0 * same, 'n_valid': same,
        'flag': np.zeros(len(sma), int), 'galaxy_flag': GalaxyFlag(0),
        'centre': (60.0, 60.0), 'noise': 1.0} | changes
    return MeasuredRings(GalaxyCutout(image, unit='nmgy', pixel_scale=0.5),
                         sma, **values)


class TestLight:
    @pytest.mark.parametrize('lengths', [3.0, 5.0, 7.0, 9.0])
    @pytest.mark.parametrize('reach', [1.05, 1.3])
    def test_disc(self, lengths, reach):
        # no less than is there, and not much more: outskirts of spheroids
        # decline as a power
        part = light_beyond_edge(disc_rings(lengths, reach=reach,
                                            error=1e-6))
        true = (1 + lengths) * np.exp(-lengths)
        assert part > 0.97 * true
        if lengths >= 5:
            assert part < 2.5 * true + 0.002

    def test_error_counts(self):
        # what may be there
        deep, shallow = (light_beyond_edge(disc_rings(9.0, error=error))
                         for error in (1e-6, 0.3))
        assert deep < 0.003 < 0.01 < shallow

    def test_not_known(self):
        # no ring reaches the edge; there is no light
        assert light_beyond_edge(disc_rings(5.0, reach=0.9)) == 1
        rings = disc_rings(5.0)
        rings.intensity = -rings.intensity
        assert light_beyond_edge(rings) == 1


class TestFlag:
    @pytest.mark.parametrize(('lengths', 'truncated'), [(4.5, True),
                                                        (9.0, False)])
    def test_rings(self, lengths, truncated):
        for evidence in (Evidence(20.0, truncated=True), Evidence(20.0)):
            flag = flag_galaxy(disc_rings(
                lengths, intensity_err=np.full(58, 1e-4)), evidence)
            assert bool(flag & GalaxyFlag.TRUNCATED) == truncated

    def test_uncertain_sky(self):
        # it may have taken the light that seems to be missing
        rings = disc_rings(9.0, error=1e-4,
                           galaxy_flag=GalaxyFlag.SKY_UNCERTAIN)
        assert flag_galaxy(rings, Evidence(
            20.0, truncated=True)) & GalaxyFlag.TRUNCATED

    @pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
    @pytest.mark.parametrize(('lengths', 'truncated'), [(4.0, True),
                                                        (10.0, False)])
    def test_images(self, fitter, lengths, truncated):
        """
        Deep discs whose rings reach the edge.
        """
        y, x = np.mgrid[:150, :150] - 74.6
        image = 4000 * np.exp(-np.hypot(x, y / 0.9) * lengths / 75)
        image += np.random.default_rng(4).normal(size=x.shape)
        profile = fitter()(GalaxyCutout(image, unit='nmgy', pixel_scale=0.4))
        assert bool(profile.meta['flag'] & GalaxyFlag.TRUNCATED) == truncated
