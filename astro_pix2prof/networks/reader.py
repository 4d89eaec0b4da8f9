# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles of whole frames, of any size, from a captioner.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from astro_pix2prof.networks.captioner import prepare_images

__all__ = ['Caption', 'CaptionReader', 'Frame']

# The profile of a crop is used up to these fractions of its side, and
# blended into that of the next coarser crop between them.
_BLEND = (0.3, 0.42)

# Along the profile that follows its end the network repeats its last value;
# so many values that scatter so little (mag) are an end.
_TAIL = 24
_TAIL_SCATTER = 0.015

# A ring with more signal than this has not ended.
_TAIL_SNR = 4.0


@dataclass
class Frame:
    """
    What a network needs to know of an image.

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
    """

    image: np.ndarray
    mask: np.ndarray
    sigma: float
    centre: tuple
    eps: float = 0.0
    gain: float = np.inf
    to_nanomaggies: float = 1.0
    pixel_area: float = 1.0

    def ring_snr(self, sma, intensity):
        """
        Signal-to-noise ratio of rings one pixel wide.

        Parameters
        ----------
        sma, intensity : 1D `~numpy.ndarray`, shape (n,)
            Semi-major axis in pixels, mean pixel value.

        Returns
        -------
        snr : 1D `~numpy.ndarray`, shape (n,)
            From photon and sky noise alone.
        """
        n_pixels = np.maximum(2 * np.pi * sma * np.sqrt(
            0.5 * (1 + (1 - self.eps)**2)), 1.0)
        variance = self.sigma**2 + np.maximum(intensity, 0) / self.gain
        return intensity * np.sqrt(n_pixels / variance)


@dataclass
class Caption:
    """
    The profile that a network wrote.

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
    """

    sma: np.ndarray
    intensity: np.ndarray
    error: np.ndarray
    reached_edge: bool


class CaptionReader:
    """
    Runs a captioner over frames.

    A crop of the size that the network was trained on is taken around the
    centre. A galaxy that goes on beyond it is read again in images binned
    by 2, 4, ..., and the parts are joined.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.captioner.Captioner`
        The network.

    card : dict, optional
        Its model card, with the table ``error_model`` (see
        `~astro_pix2prof.training.error_model.measure_errors`).

    batch_size : int, optional
        Crops that are read at once; the result does not depend on it.

    n_views : int, optional
        The average is taken over so many of the eight turns and
        reflections of a crop.

    min_snr : float, optional
        Signal-to-noise ratio of the last ring.

    measure_noise : callable, optional
        A function of an image and its mask that returns the noise of a
        sky pixel, for binned images, in which correlated noise averages
        out less. By default, it is taken as not correlated.
    """

    def __init__(self, network, card=None, *, batch_size=16, n_views=8,
                 min_snr=1.0, measure_noise=None):
        self.network = network
        self.config = network.config
        self.errors = (card or {}).get('error_model')
        self.batch_size = batch_size
        self.n_views = n_views
        self.min_snr = min_snr
        self.measure_noise = measure_noise

    def read(self, frames):
        """
        Read the profiles of frames.

        Parameters
        ----------
        frames : list of `Frame`
            The frames; they may differ in size.

        Returns
        -------
        captions : list of `Caption`
        """
        done = [None] * len(frames)
        current = [(i, frame, 1, []) for i, frame in enumerate(frames)]
        while current:
            again = []
            sides = [self._side(frame) for _, frame, _, _ in current]
            for side in sorted(set(sides)):
                group = [item for item, own in zip(current, sides,
                                                   strict=True)
                         if own == side]
                parts = self._read_crops([frame for _, frame, _, _ in group],
                                         side)
                for (i, frame, bins, before), part in zip(group, parts,
                                                          strict=True):
                    sma, intensity, error = part
                    parts_here = [*before, (bins, side, sma * bins,
                                            intensity, error)]
                    if self._goes_on(frames[i], parts_here[-1], frame, side):
                        again.append((i, self._bin(frame), 2 * bins,
                                      parts_here))
                    else:
                        done[i] = self._join(frames[i], parts_here)
            current = again
        return done

    def _side(self, frame):
        """
        The side of the crop: half of the usual for small frames.
        """
        n = self.config.n_pix
        return n if max(frame.image.shape) > 0.625 * n else n // 2

    def _goes_on(self, original, part, frame, side):
        """
        Whether a galaxy leaves its crop and the frame does, too.
        """
        if self.config.image_scaling != 'noise':
            return False
        if max(frame.image.shape) < 1.15 * side:
            return False
        bins, _, sma, intensity, _ = part
        n = self._end(original, sma, intensity)[0]
        return sma[n - 1] > _BLEND[1] * side * bins

    def _read_crops(self, frames, side):
        """
        Profiles of crops: semi-major axis, intensity, error.
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
            crops = [_crop(frame, side) for frame in part]
            image = torch.from_numpy(np.stack([c[0] for c in crops]))
            mask = torch.from_numpy(np.stack([c[1] for c in crops]))
            if cfg.image_scaling == 'fixed':
                image = image * torch.tensor(
                    [[[frame.to_nanomaggies]] for frame in part])
            sigma = torch.tensor([float(frame.sigma) for frame in part])
            scaled = prepare_images(image, sigma, mask, cfg).to(device)
            views = torch.stack([
                self._caption(_turn(scaled, k), length)
                for k in range(self.n_views)])
            views = views.double().cpu().numpy()
            value = views.mean(0)
            scatter = (views.std(0, ddof=1) if self.n_views > 1
                       else np.zeros_like(value))
            for row, frame in enumerate(part):
                out.append((sma, self._intensity(value[row], frame),
                            self._error(value[row], scatter[row], frame)))
        return out

    def _caption(self, scaled, length):
        return self.network.caption(scaled, length=length)[0]

    def _intensity(self, value, frame):
        if self.config.value == 'relative':
            return frame.sigma * 10**(-0.4 * value)
        nanomaggies = 10**(-0.4 * (value - 22.5)) * frame.pixel_area
        return nanomaggies / frame.to_nanomaggies

    def _error(self, value, scatter, frame):
        """
        Error (mag) from the network's errors on simulated images.
        """
        model = self.errors
        if model is None:
            return np.full(len(value), np.nan)
        if self.config.value == 'absolute':
            value = -2.5 * np.log10(self._intensity(value, frame)
                                    / frame.sigma)
        floor = np.interp(value, model['value'], model['floor'])
        return np.hypot(floor, model['scatter_factor'] * scatter)

    def _end(self, frame, sma, intensity):
        """
        The number of rings, and whether the signal goes on after them.
        """
        snr = frame.ring_snr(sma, intensity)
        over = ~(snr >= self.min_snr)
        value = -2.5 * np.log10(np.maximum(intensity, 1e-300))
        if len(value) >= _TAIL:
            parts = np.lib.stride_tricks.sliding_window_view(value, _TAIL)
            still = (np.ptp(parts, axis=1) < 2 * _TAIL_SCATTER)
            # the value at which the profile ended belongs to it
            over[1:len(still) + 1] |= still[:len(over) - 1] & (
                snr[1:len(still) + 1] < _TAIL_SNR)
        # the centre of a faint galaxy has fewer pixels than the rings
        # around it: the profile ends beyond its best ring
        over[:int(np.argmax(np.where(over, -np.inf, snr))) + 1] = False
        n = int(np.argmax(over)) if over.any() else len(sma)
        return max(n, min(4, len(sma))), not over.any()

    def _bin(self, frame):
        """
        The frame in pixels twice as large, still in flux per native pixel.
        """
        ny, nx = frame.image.shape
        pad = (0, nx % 2, 0, ny % 2)
        good = torch.from_numpy(~frame.mask).float()[None, None]
        image = torch.from_numpy(np.ascontiguousarray(
            frame.image, dtype=np.float32))[None, None]
        image = functional.pad(torch.where(good > 0, image, 0.0), pad)
        share = functional.avg_pool2d(functional.pad(good, pad), 2)
        mean = functional.avg_pool2d(image, 2) / share.clamp(min=0.25)
        image, mask = mean[0, 0].numpy(), share[0, 0].numpy() < 0.5
        sigma = 0.5 * frame.sigma
        if self.measure_noise is not None:
            found = self.measure_noise(image, mask)
            if np.isfinite(found):
                sigma = float(np.clip(found, sigma, frame.sigma))
        return Frame(image, mask, sigma,
                     tuple((c - 0.5) / 2 for c in frame.centre),
                     eps=frame.eps, gain=4 * frame.gain)

    def _join(self, frame, parts):
        """
        One profile from those of finer and coarser crops.
        """
        bins, side, sma, intensity, error = parts[0]
        for coarse in parts[1:]:
            low, high = (share * side * bins for share in _BLEND)
            at, value = coarse[2], -2.5 * np.log10(coarse[3])
            inner = sma < high
            weight = np.clip((high - sma[inner]) / (high - low), 0, 1)
            fine = -2.5 * np.log10(intensity[inner])
            joined = weight * fine + (1 - weight) * np.interp(
                sma[inner], at, value)
            joined_error = weight * error[inner] + (1 - weight) * np.interp(
                sma[inner], at, coarse[4])
            rest = at >= high
            sma = np.concatenate([sma[inner], at[rest]])
            intensity = 10**(-0.4 * np.concatenate([joined, value[rest]]))
            error = np.concatenate([joined_error, coarse[4][rest]])
            bins, side = coarse[0], coarse[1]
        # nothing is known beyond the farthest corner
        ny, nx = frame.image.shape
        x, y = frame.centre
        corner = np.hypot(max(x, nx - 1 - x), max(y, ny - 1 - y))
        n_inside = max(int((sma <= corner).sum()), 1)
        sma, intensity, error = (v[:n_inside] for v in (sma, intensity,
                                                        error))
        n, goes_on = self._end(frame, sma, intensity)
        return Caption(sma[:n], intensity[:n], error[:n], goes_on)


def _crop(frame, side):
    """
    A square around the centre; what lies beyond the frame is masked.
    """
    x, y = (int(np.floor(c - side / 2 + 1)) for c in frame.centre)
    ny, nx = frame.image.shape
    image = np.zeros((side, side), dtype=np.float32)
    mask = np.ones((side, side), dtype=bool)
    inside = (slice(max(y, 0), min(y + side, ny)),
              slice(max(x, 0), min(x + side, nx)))
    to = tuple(slice(s.start - o, s.stop - o)
               for s, o in zip(inside, (y, x), strict=True))
    image[to] = frame.image[inside]
    mask[to] = frame.mask[inside]
    return image, mask


def _turn(images, k):
    if k >= 4:
        images = images.flip(-1)
    return torch.rot90(images, k % 4, (-2, -1))
