# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the profiles of frames with a captioner.
"""

import numpy as np
import torch

from astro_pix2prof.networks.captioner import prepare_images
from astro_pix2prof.networks.ellipse import NANOMAGGY_ZEROPOINT
from astro_pix2prof.networks.readers.frame import crop_filled, crop_frames
from astro_pix2prof.networks.readers.squares import FrameReader

__all__ = ['CaptionReader']


# Along the profile that follows its end the network goes on with its last
# value; so many values that differ so little (mag) are an end.
_TAIL = 24

_TAIL_CHANGE = 0.06

# A ring with more signal than this has not ended.
_TAIL_SNR = 4.0


class CaptionReader(FrameReader):
    """
    Reader of frames with a captioner.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.captioner.Captioner`
        The network.

    card : dict, optional
        Its model card, with the table ``error_model`` (see
        `~astro_pix2prof.training.error_model.measure_errors`).

    batch_size : int, optional
        Squares that are read at once; the result does not depend on it.

    n_views : int, optional
        The average is taken over so many of the eight turns and
        reflections of a square.

    **options
        As for `FrameReader`.
    """

    def __init__(self, network, card=None, *, batch_size=16, n_views=8,
                 **options):
        super().__init__(**options)
        self.network = network
        self.config = network.config
        self.errors = (card or {}).get('error_model')
        self.batch_size = batch_size
        self.n_views = n_views
        self.bins = network.config.image_scaling == 'noise'

    def _side(self, frame):
        """
        Return the side that the network was trained on; half for small frames.
        """
        n = self.config.n_pix
        return n if max(frame.image.shape) > 0.625 * n else n // 2

    def _read_squares(self, frames, side):
        """
        Compute semi-major axes (pixels), magnitudes and errors (mag).
        """
        cfg = self.config
        length = int(0.7 * side / cfg.radius_step)
        if cfg.value == 'absolute':
            length = cfg.max_length
        sma = np.arange(length) * cfg.radius_step
        device = next(self.network.parameters()).device
        out = []
        for start in range(0, len(frames), self.batch_size):
            part = frames[start:start + self.batch_size]
            image, mask, first = crop_frames(part, side)
            filled = crop_filled(part, side, first)
            if filled is not None:
                mask &= ~filled
            if cfg.image_scaling == 'fixed':
                image = image * torch.tensor(
                    [[[frame.to_nanomaggies]] for frame in part])
            sigma = torch.tensor([float(frame.sigma) for frame in part])
            scaled = prepare_images(image, sigma, mask, cfg).to(device)
            views = torch.stack([
                self._caption(_turn(scaled, k), length)
                for k in range(self.n_views)])
            views = views.cpu().double().numpy()
            value = views.mean(0)
            scatter = (views.std(0, ddof=1) if self.n_views > 1
                       else np.zeros_like(value))
            for row, frame in enumerate(part):
                mag = -2.5 * np.log10(self._intensity(value[row], frame))
                out.append({'sma': sma, 'mag': mag, 'error': self._error(
                    value[row], scatter[row], frame)})
        return out

    def _caption(self, scaled, length):
        return self.network.caption(scaled, length=length)[0]

    def _intensity(self, value, frame):
        if self.config.value == 'relative':
            return frame.sigma * 10**(-0.4 * value)
        nanomaggies = 10**(-0.4 * (value - NANOMAGGY_ZEROPOINT))
        return nanomaggies * frame.pixel_area / frame.to_nanomaggies

    def _error(self, value, scatter, frame):
        """
        Compute errors (mag) from those measured on simulated images.
        """
        model = self.errors
        if model is None:
            return np.full(len(value), np.nan)
        if self.config.value == 'absolute':
            value = -2.5 * np.log10(self._intensity(value, frame)
                                    / frame.sigma)
        floor = np.interp(value, model['value'], model['floor'])
        return np.hypot(floor, model['scatter_factor'] * scatter)

    def _repeats(self, mag, snr):
        repeats = np.zeros(len(mag), dtype=bool)
        if len(mag) >= _TAIL:
            parts = np.lib.stride_tricks.sliding_window_view(mag, _TAIL)
            still = np.ptp(parts, axis=1) < _TAIL_CHANGE
            # the value at which the profile ended belongs to it
            n = len(still)
            repeats[1:n + 1] = still & (snr[1:n + 1] < _TAIL_SNR)
        return repeats


def _turn(images, k):
    if k >= 4:
        images = images.flip(-1)
    return torch.rot90(images, k % 4, (-2, -1))
