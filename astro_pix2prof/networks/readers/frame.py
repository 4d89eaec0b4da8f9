# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Frames that networks read, and the captions that they return.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

__all__ = ['Caption', 'Frame', 'crop_filled', 'crop_frames']


@dataclass
class Frame:
    """
    Image of a galaxy with all that a network needs to read it.

    Attributes
    ----------
    image : 2D `~numpy.ndarray`
        Pixel values without the bulk of the sky.

    mask : 2D bool `~numpy.ndarray`
        Pixels not to use.

    sigma : float
        Noise of a sky pixel.

    centre : tuple of 2 floats
        The galaxy's centre (x, y) in pixels, good to a few pixels.

    eps : float
        Its ellipticity; only the number of pixels on a ring follows from
        it.

    gain : float
        Electrons per unit of the image; infinite if unknown.

    to_nanomaggies : float
        Nanomaggies per unit of the image; only networks with fixed scaling
        need it.

    pixel_area : float
        In square arcseconds; likewise.

    hold : bool
        Whether the centre is exact and is not to be improved.

    position : tuple of 2 floats, optional
        The position (x, y) that the user gave, or the middle.

    weight : 2D `~numpy.ndarray`, optional
        Weights of the pixels from 0 to 1, lower for pixels with more noise
        than others of their brightness; by default all count alike.

    ellipses : tuple of 3 1D `~numpy.ndarray`, optional
        Semi-major axes, and ellipticity times cosine and sine of twice the
        angle from +x, to measure on. The centre is held, too.

    theta : float
        The angle of its major axis from +x in radians, if ``eps`` is known.

    filled : 2D bool `~numpy.ndarray`, optional
        Pixels of the mask that hold estimated values. Networks look at
        them, but they have no weight in means.

    sky_error : float, optional
        The error of the sky that was subtracted, in the unit of the image:
        0 if it is known, and by default nobody knows.

    may_be_far : bool
        Whether the galaxy may be far from the position, so that it is looked
        for again from where a network came to.
    """

    image: np.ndarray
    mask: np.ndarray
    sigma: float
    centre: tuple
    eps: float = 0.0
    gain: float = np.inf
    to_nanomaggies: float = 1.0
    pixel_area: float = 1.0
    hold: bool = False
    position: tuple = None
    ellipses: tuple = None
    weight: np.ndarray = None
    theta: float = 0.0
    filled: np.ndarray = None
    sky_error: float = None
    may_be_far: bool = False

    def ring_snr(self, sma, intensity, eps=None):
        """
        Compute the signal-to-noise ratio of rings one pixel wide.

        Parameters
        ----------
        sma, intensity : 1D `~numpy.ndarray`, shape (n,)
            Semi-major axis in pixels, mean pixel value.

        eps : 1D `~numpy.ndarray`, shape (n,), optional
            Ellipticities; by default that of the frame.

        Returns
        -------
        snr : 1D `~numpy.ndarray`, shape (n,)
            From photon and sky noise alone.
        """
        q = 1 - (self.eps if eps is None else eps)
        n_pixels = np.maximum(2 * np.pi * sma * np.sqrt(
            0.5 * (1 + q**2)), 1.0)
        variance = self.sigma**2 + np.maximum(intensity, 0) / self.gain
        return intensity * np.sqrt(n_pixels / variance)


@dataclass
class Caption:
    """
    Profile of a galaxy as a network gives it.

    Attributes
    ----------
    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels.

    intensity : 1D `~numpy.ndarray`, shape (n,)
        Mean pixel values in the unit of the frame.

    error : 1D `~numpy.ndarray`, shape (n,)
        Error in mag; NaN if the network's errors were never measured.

    reached_edge : bool
        Whether the signal goes on where the profile ends.

    e1, e2, valid : 1D `~numpy.ndarray`, shape (n,), optional
        Ellipticity times cosine and sine of twice the angle from +x, and
        the usable part of the rings, from networks that find them.

    centre : tuple of 2 floats, optional
        The centre (x, y) in pixels of the frame, likewise.

    weight : 2D `~numpy.ndarray`, shape (n, n_angle), optional
        Weights of the points of each ring, from 0 to 1; the first point of
        a circle lies on +x.

    eps_error, pa_error, enclosed_error : 1D `~numpy.ndarray`, optional
        Errors of the ellipticity, of the position angle (radians; 1.07
        where it may be anything) and of the magnitude within each ring
        (mag), from networks that state them.

    centre_error : float, optional
        That of each coordinate of the centre, in pixels.

    rise : 1D `~numpy.ndarray`, optional
        How much brighter than its pixels each ring is, beyond what noise
        allows, in the unit of the frame.

    trust : dict
        Indicators of trouble: ``shift``, the last step of the centre
        (pixels); ``excess``, the light that the weights left out over that
        of the galaxy; ``distance`` from the images that the network was
        trained on, above 1 outside of them. And ``sky``, the level that the
        network subtracted itself, in the unit of the frame, with
        ``sky_error`` from networks that know the error of the sky before.
    """

    sma: np.ndarray
    intensity: np.ndarray
    error: np.ndarray
    reached_edge: bool
    e1: np.ndarray = None
    e2: np.ndarray = None
    valid: np.ndarray = None
    centre: tuple = None
    weight: np.ndarray = None
    trust: dict = field(default_factory=dict)
    eps_error: np.ndarray = None
    pa_error: np.ndarray = None
    centre_error: float = None
    enclosed_error: np.ndarray = None
    rise: np.ndarray = None


def crop_frames(frames, side, *, use_position=False):
    """
    Crop squares around the centres; pixels beyond a frame are masked.

    Parameters
    ----------
    frames : list of `Frame`
        The frames.

    side : int
        The side in pixels.

    use_position : bool, optional
        Whether to crop around the position that the user knows.

    Returns
    -------
    image : `torch.Tensor`, shape (B, side, side)
        Pixel values.

    mask : `torch.Tensor`, shape (B, side, side), bool
        Pixels not to use.

    first : `~numpy.ndarray`, shape (B, 2)
        The pixel (x, y) of each frame that is the first of its square.
    """
    image = np.zeros((len(frames), side, side), dtype=np.float32)
    mask = np.ones(image.shape, dtype=bool)
    first = np.zeros((len(frames), 2), dtype=int)
    for row, frame in enumerate(frames):
        middle = frame.position if use_position else frame.centre
        x, y = (int(np.floor(c - side / 2 + 1)) for c in middle)
        ny, nx = frame.image.shape
        inside = (slice(max(y, 0), min(y + side, ny)),
                  slice(max(x, 0), min(x + side, nx)))
        to = (row, *(slice(s.start - o, s.stop - o)
                     for s, o in zip(inside, (y, x), strict=True)))
        image[to] = frame.image[inside]
        mask[to] = frame.mask[inside]
        first[row] = x, y
    return torch.from_numpy(image), torch.from_numpy(mask), first


def crop_filled(frames, side, first):
    """
    Crop the filled pixels of squares.

    Parameters
    ----------
    frames : list of `Frame`
        The frames.

    side : int
        The side in pixels.

    first : `~numpy.ndarray`, shape (B, 2)
        As `crop_frames` returns it.

    Returns
    -------
    filled : `torch.Tensor`, shape (B, side, side), bool, or `None`
        `None` if no frame has filled pixels.
    """
    if all(frame.filled is None for frame in frames):
        return None
    out = np.zeros((len(frames), side, side), dtype=bool)
    for row, frame in enumerate(frames):
        if frame.filled is not None:
            x, y = first[row]
            part = frame.filled[max(y, 0):y + side, max(x, 0):x + side]
            y, x = max(-y, 0), max(-x, 0)
            out[row, y:y + part.shape[0], x:x + part.shape[1]] = part
    return torch.from_numpy(out)
