# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the profiles of frames with the network of the original authors.
"""

import numpy as np

from astro_pix2prof.networks.ellipse import NANOMAGGY_ZEROPOINT
from astro_pix2prof.networks.original import N_PIX
from astro_pix2prof.networks.readers.frame import Caption, crop_frames

__all__ = ['OriginalReader']


class OriginalReader:
    """
    Reader of frames with the original network.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.original.OriginalPix2Prof`
        The network.

    card : dict, optional
        Its model card, which says nothing of errors.

    radius_step : float, optional
        The step of the profiles in arcsec; by default one pixel.

    batch_size : int, optional
        Frames that are read at once.
    """

    def __init__(self, network, card=None, *, radius_step=None,
                 batch_size=16):
        self.network = network
        self.radius_step = radius_step
        self.batch_size = batch_size

    def read(self, frames):
        """
        Read the profiles of frames.

        Parameters
        ----------
        frames : list of `~astro_pix2prof.networks.readers.frame.Frame`
            The frames, which are cropped around their positions.

        Returns
        -------
        captions : list of `~astro_pix2prof.networks.readers.frame.Caption`
            Without errors.
        """
        captions = []
        for start in range(0, len(frames), self.batch_size):
            part = frames[start:start + self.batch_size]
            image, _, _ = crop_frames(part, N_PIX, use_position=True)
            images = [square.numpy() * frame.to_nanomaggies
                      for square, frame in zip(image, part, strict=True)]
            for frame, mu in zip(part, self.network.profiles(images),
                                 strict=True):
                step = (1.0 if self.radius_step is None
                        else self.radius_step / frame.pixel_area**0.5)
                intensity = (10**(-0.4 * (np.asarray(mu, float)
                                      - NANOMAGGY_ZEROPOINT))
                             * frame.pixel_area / frame.to_nanomaggies)
                captions.append(Caption(
                    step * np.arange(len(mu)), intensity,
                    np.full(len(mu), np.nan), reached_edge=False))
        return captions
