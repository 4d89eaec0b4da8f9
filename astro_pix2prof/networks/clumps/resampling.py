# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Bring images to pixels in which the PSF is as wide as in training.
"""

import torch
from torch.nn import functional

__all__ = ['LEAST_FWHM', 'average_pixels', 'bin_factor', 'enlarge',
           'enlargement']


# Images are binned until their FWHM is below twice this many pixels, and
# enlarged if it is below 0.8 times as many.
LEAST_FWHM = 2.5


def bin_factor(fwhm):
    """
    Choose by which factor an image is binned.

    Parameters
    ----------
    fwhm : float
        The full width at half maximum of the PSF in pixels.

    Returns
    -------
    factor : int
    """
    return max(1, int(fwhm / LEAST_FWHM))


def enlargement(fwhm):
    """
    Choose by which factor an image is enlarged: from 1 to 2.

    Parameters
    ----------
    fwhm : float
        The full width at half maximum of the PSF in pixels.

    Returns
    -------
    scale : float
    """
    return min(LEAST_FWHM / fwhm, 2.0) if fwhm < 0.8 * LEAST_FWHM else 1.0


def enlarge(image, good, centre, scale):
    """
    Interpolate an image to smaller pixels; a point stays where it is.

    Parameters
    ----------
    image : `torch.Tensor`, shape (H, W)
        The image.

    good : `torch.Tensor`, shape (H, W), bool
        Pixels that are not missing.

    centre : `torch.Tensor`, shape (2,)
        The point (x, y) that stays.

    scale : float
        The number of new pixels in an old one.

    Returns
    -------
    image : `torch.Tensor`, shape (H, W)
    good : `torch.Tensor`, shape (H, W), bool
    """
    h, w = image.shape
    n = torch.arange(max(h, w), dtype=torch.float32)
    x = (n[:w] - centre[0]) / scale + centre[0]
    y = (n[:h] - centre[1]) / scale + centre[1]
    grid = torch.stack([(x * (2 / (w - 1)) - 1).expand(h, w),
                        (y * (2 / (h - 1)) - 1)[:, None].expand(h, w)], -1)
    out = functional.grid_sample(image[None, None], grid[None],
                                 mode='bicubic', padding_mode='border',
                                 align_corners=True)[0, 0]
    known = functional.grid_sample(good[None, None].float(), grid[None],
                                   mode='bilinear', align_corners=True)[0, 0]
    return out, known > 0.99


def average_pixels(image, good, factor):
    """
    Average squares of pixels; independent noise of 1 stays 1.

    Parameters
    ----------
    image : `torch.Tensor`, shape (H, W)
        The image in units of the noise.

    good : `torch.Tensor`, shape (H, W), bool
        Pixels that are not missing.

    factor : int
        The side of a square; what is left over at the ends is cut.

    Returns
    -------
    image : `torch.Tensor`, shape (H // factor, W // factor)
    good : `torch.Tensor`, bool
        Where at least half of the pixels are.
    """
    h, w = (n - n % factor for n in image.shape)
    known = good[:h, :w].float()[None, None]
    total = functional.avg_pool2d(image[None, None, :h, :w] * known, factor)
    share = functional.avg_pool2d(known, factor)
    image = (total / share.clamp(min=1e-3))[0, 0] * factor
    return image, share[0, 0] > 0.5
