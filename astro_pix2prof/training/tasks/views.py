# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Crop, shift, turn and mirror galaxies and their true profiles.
"""

from dataclasses import dataclass, replace

import torch
from torch.nn import functional

__all__ = ['Views', 'shift_crop', 'show_differently', 'turn']


def turn(image, mask, k, flip):
    """
    Turn and mirror squares and their masks.
    """
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    return torch.rot90(image, k, (-2, -1)), torch.rot90(mask, k, (-2, -1))


def shift_crop(image, mask, n_pix, dx, dy):
    """
    Crop a square of ``n_pix``, moved from the middle; outside is masked.
    """
    h, w = image.shape[-2:]
    need = max(0, (n_pix - min(h, w) + 1) // 2) + max(abs(dx), abs(dy))
    room = (min(h, w) - n_pix) // 2
    pad = max(0, need - max(room, 0))
    if pad:
        image = functional.pad(image, (pad,) * 4)
        mask = functional.pad(mask, (pad,) * 4, value=True)
        h, w = image.shape[-2:]
    y, x = (h - n_pix) // 2 + dy, (w - n_pix) // 2 + dx
    return image[..., y:y + n_pix, x:x + n_pix], mask[..., y:y + n_pix,
                                                     x:x + n_pix]


def show_differently(views, n_pix, dx, dy, k, flip):
    """
    Crop, shift, turn and mirror galaxies and their true profiles.

    Parameters
    ----------
    views : `~astro_pix2prof.training.tasks.views.Views`
        The galaxies.

    n_pix : int
        The side of the crop.

    dx, dy : int
        Shift of the crop in pixels.

    k : int
        Quarter turns.

    flip : bool
        Whether to mirror left and right first.

    Returns
    -------
    views : `~astro_pix2prof.training.tasks.views.Views`
    """
    height, width = views.image.shape[-2:]
    image, mask = shift_crop(views.image, views.mask, n_pix, dx, dy)
    image, mask = turn(image, mask, k, flip)
    changes = {'image': image, 'mask': mask}
    for name in ('others', 'sky'):
        part = getattr(views, name)
        if part is not None:
            moved = shift_crop(part, views.mask, n_pix, dx, dy)
            changes[name] = turn(*moved, k, flip)[0]
    last = n_pix - 1
    if views.centre is not None:
        first = views.centre.new_tensor([dx + (width - n_pix) // 2,
                                         dy + (height - n_pix) // 2])
        x, y = (views.centre - first).unbind(1)
        if flip:
            x = last - x
        for _ in range(k):
            x, y = y, last - x
        changes['centre'] = torch.stack([x, y], 1)
        if views.clumps is not None:
            x, y = (views.clumps[..., :2] - first).unbind(-1)
            if flip:
                x = last - x
            for _ in range(k):
                x, y = y, last - x
            changes['clumps'] = torch.cat([torch.stack(
                [x, y], -1), views.clumps[..., 2:]], -1)
    if views.e1 is not None:
        changes['e2'] = -views.e2 if flip else views.e2
        changes['e1'] = views.e1
        if k % 2:
            # a quarter turn is half a turn of twice the angle
            changes = {**changes, 'e1': -changes['e1'], 'e2': -changes['e2']}
    return replace(views, **changes)


@dataclass
class Views:
    """
    Galaxies, cropped and turned, with their true profiles.

    Attributes
    ----------
    image, mask : `torch.Tensor`, shape (B, n, n)
        Pixel values; pixels that are not to be used.

    sigma : `torch.Tensor`, shape (B,)
        Noise of a sky pixel.

    sma : `torch.Tensor`, shape (N,)
        Semi-major axes of the truth in pixels.

    intensity : `torch.Tensor`, shape (B, N)
        Flux per pixel.

    end : `torch.Tensor`, shape (B,)
        Semi-major axis at which the signal-to-noise ratio ends the profile,
        in pixels.

    pixel_area : `torch.Tensor`, shape (B,)
        In square arcseconds.

    ring_noise, e1, e2 : `torch.Tensor`, shape (B, N), optional
        Noise of a ring one pixel wide; the ellipses.

    centre : `torch.Tensor`, shape (B, 2), optional
        The centre (x, y).

    kind : `torch.Tensor`, shape (B,), optional
        The type of the galaxy.

    others, sky : `torch.Tensor`, shape (B, n, n), optional
        Light of other objects, and of the sky, in the image.

    sky_error : `torch.Tensor`, shape (B,), optional
        The error of the sky that was subtracted, as it would be stated.

    enclosed : `torch.Tensor`, shape (B, N), optional
        Flux within the ellipses.

    fwhm, gain : `torch.Tensor`, shape (B,), optional
        Seeing in pixels; electrons in a unit of the image.

    clumps : `torch.Tensor`, shape (B, M, 4), optional
        The galaxy's clumps: x, y, flux and size in pixels; the flux is zero
        where there is none.
    labels : dict of `torch.Tensor`, shape (B,), optional
        What is seen: see
        `~astro_pix2prof.simulation.labels.visible_features`.
    """

    image: torch.Tensor
    mask: torch.Tensor
    sigma: torch.Tensor
    sma: torch.Tensor
    intensity: torch.Tensor
    end: torch.Tensor
    pixel_area: torch.Tensor
    ring_noise: torch.Tensor = None
    e1: torch.Tensor = None
    e2: torch.Tensor = None
    centre: torch.Tensor = None
    kind: torch.Tensor = None
    others: torch.Tensor = None
    sky: torch.Tensor = None
    sky_error: torch.Tensor = None
    enclosed: torch.Tensor = None
    fwhm: torch.Tensor = None
    gain: torch.Tensor = None
    clumps: torch.Tensor = None
    labels: dict = None
