# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the masks module of detection.
"""

import numpy as np

from astro_pix2prof.detection.masks import residual_mask


def disc(shape, x, y, peak, scale):
    rows, columns = np.indices(shape)
    radius = np.hypot(columns - x, rows - y)
    return peak * np.exp(-radius / scale), radius


class TestResidualMask:
    shape = 121, 121

    def mask(self, others):
        galaxy, radius = disc(self.shape, 60, 60, 200.0, 5.0)
        noise = np.random.default_rng(1).normal(size=self.shape)
        return residual_mask(galaxy + others + noise, galaxy, 1.0, radius,
                             (60, 60)), radius

    def test_halo_all_around(self):
        # as that of the centre of a cluster, which hides no galaxy
        _, radius = disc(self.shape, 60, 60, 1.0, 1.0)
        mask, _ = self.mask(np.where((radius > 25) & (radius < 40), 80, 0))
        assert mask[(radius > 27) & (radius < 38)].all()
        assert not mask[radius < 15].any()

    def test_hole_beside_the_galaxy(self):
        # a ring, whose middle belongs to the same object
        ring = disc(self.shape, 95, 60, 1.0, 1.0)[1]
        mask, radius = self.mask(np.where((ring > 8) & (ring < 12), 80, 0))
        assert mask[ring < 12].all()
        assert not mask[radius < 8].any()

    def test_star(self):
        star, distance = disc(self.shape, 85, 60, 1e4, 1.0)
        mask, _ = self.mask(star)
        assert mask[distance < 5].all()
        assert mask[distance > 20].mean() < 0.01
