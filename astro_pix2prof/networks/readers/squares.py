# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles of whole frames, of any size, from a captioner.
"""

import itertools

import numpy as np
import torch
from torch.nn import functional

from astro_pix2prof.networks.ellipse import ellipticity
from astro_pix2prof.networks.readers.frame import Caption, Frame

__all__ = ['FrameReader']


# The profile of a crop is used up to these fractions of its side, and
# blended into that of the next coarser crop between them.
_BLEND = (0.3, 0.42)

# What else some networks state of each ring.
_MORE = 'eps_error', 'pa_error', 'enclosed_error', 'rise'


class FrameReader:
    """
    Reader of frames of any size.

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
        Tell whether galaxy and frame both extend beyond the square.
        """
        if not self.bins or max(frame.image.shape) < 1.15 * part['side']:
            return False
        n = self._end(original, part)[0]
        reach = _BLEND[1] * part['side'] * part['bins']
        return part['sma'][n - 1] > reach

    def _end(self, frame, part):
        """
        Count the rings with signal, and tell whether it goes on after them.
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
        Find the rings at which the network repeats its last value.
        """
        return np.zeros(len(mag), dtype=bool)

    def _bin(self, frame):
        """
        Bin the frame by two, keeping the flux per native pixel.
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
        filled = frame.filled
        if filled is not None:
            image, filled = self._bin_filled(frame, image, mask, pad)
        return Frame(image, mask, sigma,
                     tuple((c - 0.5) / 2 for c in frame.centre),
                     eps=frame.eps, gain=4 * frame.gain, hold=frame.hold,
                     ellipses=ellipses, weight=weight, filled=filled,
                     sky_error=frame.sky_error,
                     may_be_far=frame.may_be_far)

    def _bin_filled(self, frame, image, mask, pad):
        """
        Bin the image, with values where only filled pixels were.
        """
        usable = torch.from_numpy(~frame.mask | frame.filled).float()
        values = torch.from_numpy(np.ascontiguousarray(
            frame.image, dtype=np.float32))
        values = torch.where(usable > 0, values, 0.0)
        share, total = (functional.avg_pool2d(
            functional.pad(plane[None, None], pad), 2)[0, 0].numpy()
            for plane in (usable, values))
        filled = mask & (share >= 0.5)
        return np.where(filled, total / np.maximum(share, 0.25),
                        image), filled

    def _join(self, frame, parts):
        """
        Join the profiles of finer and coarser squares.
        """
        names = [name for name in (
            'mag', 'error', 'e1', 'e2', 'valid', 'weight', *_MORE)
            if parts[0].get(name) is not None]
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
            joined['eps'] = ellipticity(joined['e1'], joined['e2'])
        n, goes_on = self._end(frame, joined)
        more = {name: joined[name][:n]
                for name in ('e1', 'e2', 'valid', 'weight', *_MORE)
                if name in joined}
        if more:
            # The networks know galaxies that end within their frame: the
            # coarsest square, which holds all of it, is like these.
            whole = parts[-1].get('trust', {})
            trust = {**whole, **{name: value for name, value in parts[
                0].get('trust', {}).items() if name == 'shift'}}
            more.update(centre=centre, trust=trust,
                        centre_error=parts[0].get('centre_error'))
        return Caption(joined['sma'][:n], 10**(-0.4 * joined['mag'][:n]),
                       joined['error'][:n], goes_on, **more)


def _blend(weight, fine, sma, at, coarse):
    """
    Blend values on fine radii into those on coarse ones.
    """
    if coarse.ndim == 1:
        return weight * fine + (1 - weight) * np.interp(sma, at, coarse)
    return np.stack([_blend(weight, one, sma, at, other)
                     for one, other in zip(fine.T, coarse.T, strict=True)], 1)
