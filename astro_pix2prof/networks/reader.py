# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles of whole frames, of any size, from a captioner.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from astro_pix2prof.networks.captioner import prepare_images

__all__ = ['Caption', 'CaptionReader', 'Frame', 'FrameReader',
           'crop_frames']

# The profile of a crop is used up to these fractions of its side, and
# blended into that of the next coarser crop between them.
_BLEND = (0.3, 0.42)

# Along the profile that follows its end the network goes on with its last
# value; so many values that differ so little (mag) are an end.
_TAIL = 24
_TAIL_CHANGE = 0.06

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

    hold : bool
        Whether the centre is exact and is not to be improved.

    position : tuple of 2 floats, optional
        Where the user said that the galaxy is, or the middle.

    weight : 2D `~numpy.ndarray`, optional
        From 0 to 1: how much less noise pixels have than others of their
        brightness; by default all count alike.

    ellipses : tuple of 3 1D `~numpy.ndarray`, optional
        Semi-major axes, and ellipticity times cosine and sine of twice the
        angle from +x, to measure on. The centre is held, too.
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

    def ring_snr(self, sma, intensity, eps=None):
        """
        Signal-to-noise ratio of rings one pixel wide.

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

    e1, e2, valid : 1D `~numpy.ndarray`, shape (n,), optional
        Ellipticity times cosine and sine of twice the angle from +x, and
        the usable part of the rings, from networks that find them.

    centre : tuple of 2 floats, optional
        The centre (x, y) in pixels of the frame, likewise.

    weight : 2D `~numpy.ndarray`, shape (n, n_angle), optional
        How much the points of each ring count, from 0 to 1; the first
        point of a circle lies on +x.

    trust : dict
        What the network thinks of the image: ``shift``, how far its last
        look moved the centre (pixels); ``excess``, the light that the
        weights left out over that of the galaxy; ``distance`` from the
        images that it was trained on, above 1 outside of them.
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


class FrameReader:
    """
    Runs a network over frames of any size.

    A square around the centre is read. A galaxy that goes on beyond it is
    read again in images binned by 2, 4, ..., and the parts are joined.
    Subclasses say how a square is read.

    Parameters
    ----------
    min_snr : float, optional
        Signal-to-noise ratio of the last ring.

    measure_noise : callable, optional
        A function of an image and its mask that returns the noise of a
        sky pixel, for binned images, in which correlated noise averages
        out less. By default, it is taken as not correlated.
    """

    # whether binned images mean anything to the network
    bins = True

    def __init__(self, *, min_snr=1.0, measure_noise=None):
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
                parts = self._read_squares(
                    [frame for _, frame, _, _ in group], side)
                for (i, frame, bins, before), part in zip(group, parts,
                                                          strict=True):
                    part['sma'] = part['sma'] * bins
                    part.update(side=side, bins=bins)
                    parts_here = [*before, part]
                    if self._goes_on(frames[i], part, frame):
                        again.append((i, self._bin(frame), 2 * bins,
                                      parts_here))
                    else:
                        done[i] = self._join(frames[i], parts_here)
            current = again
        return done

    def _goes_on(self, original, part, frame):
        """
        Whether a galaxy leaves its square and the frame does, too.
        """
        if not self.bins or max(frame.image.shape) < 1.15 * part['side']:
            return False
        n = self._end(original, part)[0]
        reach = _BLEND[1] * part['side'] * part['bins']
        return part['sma'][n - 1] > reach

    def _end(self, frame, part):
        """
        The number of rings, and whether the signal goes on after them.
        """
        snr = frame.ring_snr(part['sma'], 10**(-0.4 * part['mag']),
                             part.get('eps'))
        over = ~(snr >= self.min_snr) | self._repeats(part['mag'], snr)
        # the centre of a faint galaxy has fewer pixels than the rings
        # around it: the profile ends beyond its best ring
        over[:int(np.argmax(np.where(over, -np.inf, snr))) + 1] = False
        n = int(np.argmax(over)) if over.any() else len(snr)
        return max(n, min(4, len(snr))), not over.any()

    def _repeats(self, mag, snr):
        """
        Where the network says that the profile has ended.
        """
        return np.zeros(len(mag), dtype=bool)

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
        weight = frame.weight
        if weight is not None:
            weight = torch.from_numpy(weight)[None, None]
            weight = (functional.avg_pool2d(functional.pad(
                weight * good, pad), 2) / share.clamp(min=0.25))[0, 0].numpy()
        ellipses = frame.ellipses and (frame.ellipses[0] / 2,
                                       *frame.ellipses[1:])
        return Frame(image, mask, sigma,
                     tuple((c - 0.5) / 2 for c in frame.centre),
                     eps=frame.eps, gain=4 * frame.gain, hold=frame.hold,
                     ellipses=ellipses, weight=weight)

    def _join(self, frame, parts):
        """
        One profile from those of finer and coarser squares.
        """
        names = [name for name in ('mag', 'error', 'e1', 'e2', 'valid',
                                   'weight') if name in parts[0]]
        joined = {name: parts[0][name] for name in ('sma', *names)}
        for fine, coarse in itertools.pairwise(parts):
            low, high = (share * fine['side'] * fine['bins']
                         for share in _BLEND)
            inner, rest = joined['sma'] < high, coarse['sma'] >= high
            sma = joined['sma'][inner]
            weight = np.clip((high - sma) / (high - low), 0, 1)
            for name in names:
                value = _blend(weight, joined[name][inner],
                               sma, coarse['sma'], coarse[name])
                joined[name] = np.concatenate([value, coarse[name][rest]])
            joined['sma'] = np.concatenate([sma, coarse['sma'][rest]])
        # nothing is known beyond the farthest corner
        ny, nx = frame.image.shape
        x, y = centre = parts[0].get('centre', frame.centre)
        corner = np.hypot(max(x, nx - 1 - x), max(y, ny - 1 - y))
        n_inside = max(int((joined['sma'] <= corner).sum()), 1)
        joined = {name: v[:n_inside] for name, v in joined.items()}
        if 'e1' in joined:
            joined['eps'] = np.hypot(joined['e1'], joined['e2'])
        n, goes_on = self._end(frame, joined)
        more = {name: joined[name][:n]
                for name in ('e1', 'e2', 'valid', 'weight') if name in joined}
        if more:
            # The networks know galaxies that end within their frame: the
            # coarsest square, which holds all of it, is like these.
            whole = parts[-1].get('trust', {})
            trust = {**whole, **{name: value for name, value in parts[
                0].get('trust', {}).items() if name == 'shift'}}
            more.update(centre=centre, trust=trust)
        return Caption(joined['sma'][:n], 10**(-0.4 * joined['mag'][:n]),
                       joined['error'][:n], goes_on, **more)


class CaptionReader(FrameReader):
    """
    Runs a captioner over frames.

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
        The side that the network was trained on; half for small frames.
        """
        n = self.config.n_pix
        return n if max(frame.image.shape) > 0.625 * n else n // 2

    def _read_squares(self, frames, side):
        """
        Semi-major axes, magnitudes and errors.
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
            image, mask, _ = crop_frames(part, side)
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
                mag = -2.5 * np.log10(self._intensity(value[row], frame))
                out.append({'sma': sma, 'mag': mag, 'error': self._error(
                    value[row], scatter[row], frame)})
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

    def _repeats(self, mag, snr):
        repeats = np.zeros(len(mag), dtype=bool)
        if len(mag) >= _TAIL:
            parts = np.lib.stride_tricks.sliding_window_view(mag, _TAIL)
            still = np.ptp(parts, axis=1) < _TAIL_CHANGE
            # the value at which the profile ended belongs to it
            n = len(still)
            repeats[1:n + 1] = still & (snr[1:n + 1] < _TAIL_SNR)
        return repeats


def crop_frames(frames, side, *, use_position=False):
    """
    Squares around the centres; what lies beyond a frame is masked.

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


def _blend(weight, fine, sma, at, coarse):
    """
    Values on fine radii, going over to those on coarse ones.
    """
    if coarse.ndim == 1:
        return weight * fine + (1 - weight) * np.interp(sma, at, coarse)
    return np.stack([_blend(weight, one, sma, at, other)
                     for one, other in zip(fine.T, coarse.T, strict=True)], 1)


def _turn(images, k):
    if k >= 4:
        images = images.flip(-1)
    return torch.rot90(images, k % 4, (-2, -1))
