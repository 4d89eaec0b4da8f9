# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
What a ring network may add to the means of faint rings.
"""

import pytest
import torch

from astro_pix2prof.networks.rings.sampling import ring_radii
from astro_pix2prof.networks.rings.stages import _bounded

RADII = ring_radii(180, ratio=1.2)


def held(rise, snr, doubt=0.0):
    """
    Add a rise, in units of the noise, to rings of a signal-to-noise ratio.
    """
    rise, snr, doubt = (torch.as_tensor(part, dtype=torch.float32).expand(
        1, len(RADII)) for part in (rise, snr, doubt))
    added, kept_back = _bounded(torch.zeros_like(rise), rise, snr, RADII,
                                doubt)
    return added[0], kept_back[0]


def test_rise_of_faint_rings():
    """
    Outer rings, among bright inner ones, rise by little more than noise.
    """
    outer = RADII > 60
    snr = torch.where(outer, 8.0, 80.0)
    added, kept_back = held(torch.where(outer, 5.0, 0.0), snr)
    assert (added[RADII > 80] < 2.0).all()
    assert (kept_back[RADII > 80] > 1.5).all()


@pytest.mark.parametrize(('rise', 'snr', 'doubt'), [
    (5.0, 80.0, 0.0), (5.0, 15.0, 4.0), (1.0, 15.0, 0.0),
    (-5.0, 15.0, 0.0)])
def test_what_is_not_held(rise, snr, doubt):
    """
    Bright rings, those whose sky is in doubt, small rises, and falls.
    """
    added, kept_back = held(rise, snr, doubt)
    assert (kept_back == 0).all()
    torch.testing.assert_close(added, torch.full_like(added, rise))


def test_close_to_the_centre():
    """
    Rings that share pixels with the centre may rise.
    """
    kept_back = held(4.0, 15.0)[1]
    assert (kept_back[RADII < 6] == 0).all()
    assert (kept_back[RADII > 30] > 1).all()
