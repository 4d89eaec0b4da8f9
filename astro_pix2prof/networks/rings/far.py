# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Galaxies that are far from where a ring network looks for them.

One that is further away than those of the training is reached in several
parts.
"""

import torch

__all__ = ['FAR', 'is_on_its_way', 'look_again']


# Galaxies are far that are more pixels than this from where they are looked
# for; they have not arrived if the last step was longer than the second.
FAR, _MOVES = 6.0, 0.5

# How often they are looked at again.
_AGAIN = 3


def _is_far(shift):
    """
    Tell which shifts, shape (B, 2), are longer than usual ones.
    """
    return shift.square().sum(1) > FAR**2


def is_on_its_way(start, centres):
    """
    Tell which centres have not arrived: far from the start, and moving.

    Parameters
    ----------
    start : `torch.Tensor`, shape (B, 2)
        First guesses.

    centres : list of `torch.Tensor`, shape (B, 2)
        The centres after each stage.

    Returns
    -------
    lost : `torch.Tensor` of bool, shape (B,)
    """
    before = centres[-2] if len(centres) > 1 else start
    return _is_far(centres[-1] - start) & (
        (centres[-1] - before).square().sum(1) > _MOVES**2)


def look_again(look, pyramid, far, start, centre, found):
    """
    Look again at galaxies that are far, from where they were found.

    A stage that finds the centre takes a part of the time of the whole
    network.

    Parameters
    ----------
    look : callable
        The stage: of a pyramid and centres, the shift of each centre (B, 2)
        and the ellipses (B, K, 2).

    pyramid : `~astro_pix2prof.networks.rings.sampling.Pyramid`
        The images.

    far : `torch.Tensor`, shape (B,), bool
        Which galaxies may be far.

    start, centre : `torch.Tensor`, shape (B, 2)
        First guesses, and the centres from which the stage looked.

    found : tuple of `torch.Tensor`
        What it returned.

    Returns
    -------
    centre : `torch.Tensor`, shape (B, 2)
        The centres from which the stage looked last.

    found : tuple of `torch.Tensor`
        What was returned then.
    """
    start, centre, shift, e = (
        part.clone() for part in (start, centre, *found))
    last = start.new_tensor(pyramid.shape[:0:-1]) - 1
    rows = far.nonzero()[:, 0]
    for _ in range(_AGAIN):
        there = centre[rows] + shift[rows]
        moved = _is_far(there - start[rows])
        rows = rows[moved]
        if not len(rows):
            break
        # (within the frame, whatever the stage says)
        start[rows] = centre[rows] = torch.minimum(
            there[moved].clamp(min=0), last)
        shift[rows], e[rows] = look(pyramid.select(rows), centre[rows])
    return centre, (shift, e)
