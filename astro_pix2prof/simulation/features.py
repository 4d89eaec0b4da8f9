# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Draw more and stronger features for networks that learn to see them.

In the local Universe, and so in the simulator, tidal tails, outer rings and
strong bars are rare or weak. A network that tells galaxies by their features
needs many examples of each.
"""

import torch

__all__ = ['strengthen_features']


def strengthen_features(galaxies, generator):
    """
    Make bars, rings, clumps and tides of galaxies more common and stronger.

    Parameters
    ----------
    galaxies : dict of `torch.Tensor`, shape (B, 1)
        Parameters as `~astro_pix2prof.simulation.galaxies.draw_galaxies`
        returns them.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    Returns
    -------
    galaxies : dict of `torch.Tensor`, shape (B, 1)
        A copy with other parameters. The types and their shares, sizes and
        brightnesses are the same.
    """
    g = dict(galaxies)
    kind = g['kind']

    def uniform(low=0.0, high=1.0):
        return low + (high - low) * torch.rand(kind.shape,
                                               generator=generator)

    def chance(p):
        return uniform() < p

    disc = (kind >= 1) & (kind <= 3)
    barred = g['bar'] > 0
    g['bar'] = torch.where(barred & disc, torch.maximum(
        g['bar'], uniform(0.04, 0.25)), g['bar'])
    # bars a few pixels long are not seen
    g['a_bar'] = torch.where(barred, g['a_bar'].clamp(min=3.0), g['a_bar'])
    inner, outer = disc & chance(0.3), disc & chance(0.25)
    g['ring_in'] = torch.where(inner, uniform(0.3, 1.5), g['ring_in'])
    g['ring_out'] = torch.where(outer, uniform(0.4, 2.0), g['ring_out'])
    clumpy = ((kind == 4) & chance(0.5)) | ((kind == 3) & chance(0.25))
    g['clumps'] = torch.where(clumpy, uniform(0.05, 0.35), g['clumps'])
    g['tides'] = torch.where(chance(0.22), uniform(0.02, 0.12), g['tides'])
    return g
