# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fine-tune a ring network with few pairs of frames and measured profiles.
"""

import copy
import math
import time
from dataclasses import dataclass, field

import numpy as np
import torch

from astro_pix2prof.networks.ellipse import POGSON, ellipse_components
from astro_pix2prof.networks.readers.frame import (
    Frame,
    crop_filled,
    crop_frames,
)
from astro_pix2prof.networks.readers.rings import split_sky_error
from astro_pix2prof.training.tasks.rings import RingTask

__all__ = ['PARTS', 'FramePair', 'PairTask', 'Tuning', 'choose_parts',
           'make_squares', 'pair_errors', 'shift_domain', 'tune_network']


#: Parts of a ring network that may learn, the last ones first.
PARTS = {'last': ('correction', 'geometry'),
         'rings': ('correction', 'geometry', 'along'),
         'all': ('correction', 'geometry', 'along', 'look', 'find')}

# Rings count less if their measured profile is less certain than this (mag).
_CERTAIN = 0.2

# An error of one ring counts at most this much (mag) in the score.
_MOST = 1.0

# The network reads a square up to this part of its side if the galaxy goes
# on beyond it, and then a coarser one.
_SQUARE = 0.42

# Decay of the average of the weights, and the pull towards their start.
_AVERAGE, _PULL = 0.98, 3e-3


@dataclass
class FramePair:
    """
    Frame of a galaxy as a network reads it, and its measured profile.

    Attributes
    ----------
    frame : `~astro_pix2prof.networks.readers.frame.Frame`
        The frame.

    centre : tuple of 2 floats
        The centre (x, y) of the profile in pixels of the frame.

    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, increasing.

    intensity, error : 1D `~numpy.ndarray`, shape (n,)
        In the unit of the frame; NaN where not known.

    eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Ellipticity, and angle from +x in radians; NaN where not known.

    group : str
        What must not be divided, such as a galaxy in all its bands.
    """

    frame: Frame
    centre: tuple
    sma: np.ndarray
    intensity: np.ndarray
    error: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    group: str = ''

    def ring_snr(self):
        """
        Compute the signal-to-noise ratios of rings one pixel wide.
        """
        eps = np.nan_to_num(self.eps)
        n_pixels = np.maximum(2 * np.pi * self.sma * np.sqrt(
            (1 + (1 - eps)**2) / 2), 1)
        return self.intensity / self.frame.sigma * np.sqrt(n_pixels)

    def end(self):
        """
        Find the semi-major axis (pixels) at which the signal is lost.

        The first one beyond that of the most signal at which the
        signal-to-noise ratio is below 1; 0 if there is no signal at all.
        """
        snr = np.nan_to_num(self.ring_snr())
        above = snr > 1
        if not above.any():
            return 0.0
        above |= np.arange(len(snr)) <= np.argmax(snr)
        known = np.isfinite(self.intensity)
        inside = np.logical_and.accumulate(above | ~known) & known
        return float(self.sma[np.flatnonzero(inside)[-1]])

    def radii(self):
        """
        Find the semi-major axes (pixels) at which the profile has signal.
        """
        return self.sma[(self.sma <= max(self.end(), 1.0))
                        & (np.nan_to_num(self.intensity) > 0)]

    def compare(self, sma, intensity):
        """
        Compare a measured profile with that of the pair.

        Parameters
        ----------
        sma, intensity : 1D `~numpy.ndarray`, shape (k,)
            Semi-major axes in pixels, and the measured profile.

        Returns
        -------
        difference : 1D `~numpy.ndarray`
            Measured less true (mag) at `radii`; at most 1 mag, which is also
            what counts where nothing was measured.
        """
        at = self.radii()
        value = -POGSON * np.log(np.maximum(np.nan_to_num(intensity), 1e-30))
        off = np.interp(at, sma, value) - self.at(at)['value']
        off[at > sma[-1]] = _MOST
        return np.clip(off, -_MOST, _MOST)

    def at(self, sma):
        """
        Interpolate the profile to other semi-major axes.

        Parameters
        ----------
        sma : 1D `~numpy.ndarray`, shape (k,)
            Semi-major axes in pixels.

        Returns
        -------
        rows : dict of 1D `~numpy.ndarray`, shape (k,)
            'value' (-2.5 log10 of the intensity), 'error' (mag), 'e1' and
            'e2', continued beyond what is known, and 'known' and 'shaped',
            1 where that is between known values.
        """
        good = np.isfinite(self.intensity) & (self.intensity > 0)
        rows = {'value': np.zeros(len(sma)), 'error': np.zeros(len(sma)),
                'known': np.zeros(len(sma))}
        if good.any():
            at = self.sma[good]
            value = -POGSON * np.log(self.intensity[good])
            error = POGSON * np.nan_to_num(
                self.error[good]) / self.intensity[good]
            rows = {'value': np.interp(sma, at, value),
                    'error': np.interp(sma, at, error),
                    'known': ((sma >= at[0]) & (sma <= at[-1])).astype(
                        float)}
        e1, e2 = ellipse_components(self.eps, np.where(
            self.eps == 0, 0.0, self.theta))
        shaped = np.isfinite(e1) & np.isfinite(e2)
        rows.update(e1=np.zeros(len(sma)), e2=np.zeros(len(sma)),
                    shaped=np.zeros(len(sma)))
        if shaped.any():
            at = self.sma[shaped]
            rows.update(
                e1=np.interp(sma, at, e1[shaped]),
                e2=np.interp(sma, at, e2[shaped]),
                shaped=(sma <= at[-1]).astype(float))
        return rows


class PairTask(RingTask):
    """
    Training task of ring networks with frames whose light is not known.

    Parameters
    ----------
    config : `~astro_pix2prof.networks.rings.config.RingConfig`
        The settings of the network.
    """

    def __init__(self, config):
        super().__init__(None, config)

    def _targets(self, batch, sma):
        # (squares hold their profile at the radii of the network)
        return batch

    def _shapes(self, out, true, w):
        return super()._shapes(out, true, w * true['shaped'])

    def _error_losses(self, out, true, centre, w):
        return super()._error_losses(out, true, centre, w * true['shaped'])

    def _decisions(self, network, batch, out, value, w):
        # which light is the galaxy's, nobody knows of a real image
        return value.new_zeros(2, len(value))


def make_squares(pairs, reader):
    """
    Make the squares that a reader reads of frames, with their profiles.

    Parameters
    ----------
    pairs : list of `FramePair`
        The pairs.

    reader : `~astro_pix2prof.networks.readers.rings.RingReader`
        The reader.

    Returns
    -------
    groups : list of dict of `torch.Tensor`
        A dictionary for each side of squares, with one row for each square.
    """
    rows = {}
    for pair in pairs:
        frame, bins, goes_on = pair.frame, 1, True
        while goes_on:
            side = reader._side(frame)
            goes_on = (max(frame.image.shape) >= 1.15 * side
                       and pair.end() > _SQUARE * side * bins)
            row = _square(pair, frame, side, bins, goes_on, reader)
            if bool((row['weight'] > 0).any()):
                rows.setdefault(side, []).append(row)
            if goes_on:
                frame, bins = reader._bin(frame), 2 * bins
    return [{key: torch.stack([row[key] for row in part])
             for key in part[0]} for part in rows.values()]


def _square(pair, frame, side, bins, goes_on, reader):
    """
    Make one square: the inputs of the network, and the truth.
    """
    image, mask, first = crop_frames([frame], side)
    good = ~mask
    look = crop_filled([frame], side, first)
    look = good if look is None else good | look
    radii = reader.network.radii((side, side)).cpu().numpy().astype(float)
    sma = radii * bins
    found = pair.at(sma)
    value = found['value'] + POGSON * math.log(frame.sigma)
    noise = pair.frame.sigma / np.sqrt(np.maximum(2 * np.pi * sma * np.sqrt(
        (1 + (1 - np.hypot(found['e1'], found['e2']))**2) / 2), 1))
    snr = np.exp(-found['value'] / POGSON) / noise
    inside = (sma <= pair.end()) & (found['known'] > 0)
    weight = (inside + 0.2 * (~inside & (snr > 0.25) & (found['known'] > 0))
              ) * (radii + 4)**0.7 / (1 + (found['error'] / _CERTAIN)**2)
    if goes_on:
        weight[radii > _SQUARE * side] = 0
    sky_error = np.nan if frame.sky_error is None else (
        frame.sky_error / frame.sigma)
    told = split_sky_error(np.array([sky_error]), reader.sky_factor)[0]
    centre = (np.array(pair.centre) - 0.5 * (bins - 1)) / bins - first[0]
    row = {'value': value, 'snr': snr, 'weight': weight,
           'e1': found['e1'], 'e2': found['e2'], 'shaped': found['shaped'],
           'centre': centre, 'sky_error': told[0]}
    row = {key: torch.tensor(part, dtype=torch.float32)
           for key, part in row.items()}
    return {'image': image[0] / frame.sigma, 'good': good[0],
            'look': look[0], 'inside': torch.from_numpy(inside), **row}


def turn_squares(batch, k, flip):
    """
    Turn and mirror squares and their profiles.

    Parameters
    ----------
    batch : dict of `torch.Tensor`
        Rows of `make_squares`.

    k : int
        Quarter turns.

    flip : bool
        Whether to mirror left and right first.

    Returns
    -------
    batch : dict of `torch.Tensor`
    """
    out, last = dict(batch), batch['image'].shape[-1] - 1
    for key in ('image', 'good', 'look'):
        plane = batch[key].flip(-1) if flip else batch[key]
        out[key] = torch.rot90(plane, k, (-2, -1))
    x, y = batch['centre'].unbind(1)
    if flip:
        x, out['e2'] = last - x, -batch['e2']
    for _ in range(k):
        x, y = y, last - x
    if k % 2:
        out['e1'], out['e2'] = -out['e1'], -out['e2']
    return {**out, 'centre': torch.stack([x, y], 1)}


def _draw(groups, size, generator):
    """
    Draw a batch of squares, turned and with poor guesses of their centres.
    """
    sizes = torch.tensor([float(len(group['image'])) for group in groups])
    group = groups[int(torch.multinomial(sizes, 1, generator=generator))]
    n = len(group['image'])
    rows = torch.randperm(n, generator=generator)[:size]
    batch = {key: part[rows] for key, part in group.items()}
    u = torch.rand(3, len(rows), generator=generator)
    batch = turn_squares(batch, int(4 * u[2, 0]), bool(u[2, -1] < 0.5))
    # the noise is measured, to a few per cent
    wrong = torch.exp(0.03 * torch.randn(len(rows), 1, generator=generator))
    batch['image'] = batch['image'] / wrong[..., None]
    batch['value'] = batch['value'] + POGSON * torch.log(wrong)
    far = 0.06 * batch['image'].shape[-1] * u[0]**2
    batch['start'] = batch['centre'] + torch.stack(
        [far * torch.cos(6.2832 * u[1]), far * torch.sin(6.2832 * u[1])], 1)
    return batch


def pair_errors(reader, pairs):
    """
    Compute the error of the profile of each pair.

    Parameters
    ----------
    reader : `~astro_pix2prof.networks.readers.rings.RingReader`
        The reader of the network.

    pairs : list of `FramePair`
        The pairs.

    Returns
    -------
    mean, median : 1D `~numpy.ndarray`, shape (n,)
        Mean, of at most 1 mag for each ring, and median of the absolute
        differences (mag) of the rings with signal.
    """
    mean, median = [], []
    captions = reader.read([pair.frame for pair in pairs])
    for pair, caption in zip(pairs, captions, strict=True):
        off = np.abs(pair.compare(caption.sma, caption.intensity))
        mean.append(off.mean())
        median.append(np.median(off))
    return np.array(mean), np.array(median)


def choose_parts(network, unfreeze):
    """
    Choose the weights that learn; the others are frozen.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.rings.network.RingNetwork`
        The network.

    unfreeze : {'last', 'rings', 'all'}
        A key of ``PARTS``.

    Returns
    -------
    weights : dict of `torch.nn.Parameter`
        Those that learn, by name.
    """
    chosen = {}
    for name, weight in network.named_parameters():
        learns = name.split('.')[0] in PARTS[unfreeze]
        weight.requires_grad_(learns)
        if learns:
            chosen[name] = weight
    return chosen


@dataclass
class Tuning:
    """
    Course of a fine-tuning.

    Attributes
    ----------
    network : `~astro_pix2prof.networks.rings.network.RingNetwork`
        The best network, which may be the first.

    steps, best_step : int
        The number of steps, and that of the best network; 0 if that is the
        first.

    seconds : float
        The time that it took.

    stopped : str
        'steps', 'time' or 'no better'.

    curve : list of tuple
        Step, mean error of the held-out pairs (mag).

    before, after : 1D `~numpy.ndarray`
        The errors of the held-out pairs.
    """

    network: torch.nn.Module
    steps: int = 0
    best_step: int = 0
    seconds: float = 0.0
    stopped: str = 'steps'
    curve: list = field(default_factory=list)
    before: np.ndarray = None
    after: np.ndarray = None

    @property
    def improved(self):
        """
        Tell whether held-out pairs became better (bool).
        """
        return self.best_step > 0


def tune_network(network, groups, score, *, steps=200, seconds=None,
                 unfreeze='all', seed=0, learning_rate=1e-3, batch_size=16,
                 patience=5, progress=None):
    """
    Fine-tune a ring network.

    The weights are pulled back to their start, and averaged over the last
    steps; the average that is best on held-out pairs is kept. It counts as
    better if the mean of the held-out errors decreases by more than its
    own uncertainty.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.rings.network.RingNetwork`
        The network to start with, which is not altered.

    groups : list of dict of `torch.Tensor`
        As of `make_squares`.

    score : callable
        Takes a network, returns the error of each held-out pair.

    steps : int, optional
        The number of steps.

    seconds : float, optional
        Stop after this time.

    unfreeze : {'last', 'rings', 'all'}, optional
        The parts that learn.

    seed : int, optional
        The seed of order and turns.

    learning_rate : float, optional
        Highest learning rate.

    batch_size : int, optional
        Squares in a batch.

    patience : int, optional
        Stop after so many scores without a better one.

    progress : callable, optional
        Takes the step, the number of steps and the mean score.

    Returns
    -------
    tuning : `Tuning`
    """
    began = time.monotonic()
    start, network = network, copy.deepcopy(network)
    average = copy.deepcopy(network).requires_grad_(False)
    chosen = choose_parts(network, unfreeze)
    first = {name: weight.detach().clone()
             for name, weight in chosen.items()}
    means = dict(average.named_parameters())
    task = PairTask(network.config)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(chosen.values(), lr=learning_rate,
                                  weight_decay=0.0)
    tuning = Tuning(start)
    tuning.before = best = score(start)
    tuning.after = tuning.before
    tuning.curve.append((0, float(best.mean())))
    every, waited = max(1, steps // 12), 0
    for step in range(1, steps + 1):
        rate = learning_rate * min(1.0, step / 20) * 0.5 * (
            1 + math.cos(math.pi * (step - 1) / steps))
        for group in optimiser.param_groups:
            group['lr'] = rate
        batch = _draw(groups, batch_size, generator)
        loss, _ = task.loss(network, batch, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        size = torch.nn.utils.clip_grad_norm_(chosen.values(), 5.0)
        if bool(torch.isfinite(size)):
            optimiser.step()
        decay = min(_AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, weight in chosen.items():
                weight.lerp_(first[name], _PULL * rate / learning_rate)
                means[name].lerp_(weight, 1 - decay)
        tuning.steps = step
        late = seconds is not None and time.monotonic() - began > seconds
        if step % every and step < steps and not late:
            continue
        found = score(average)
        tuning.curve.append((step, float(found.mean())))
        if progress is not None:
            progress(step, steps, float(found.mean()))
        if found.mean() < best.mean():
            best, waited = found, 0
            tuning.network = copy.deepcopy(average)
            tuning.best_step = step
        else:
            waited += 1
        if late or waited >= patience:
            tuning.stopped = 'time' if late else 'no better'
            break
    gain = tuning.before - best
    if gain.mean() <= gain.std(ddof=1) / math.sqrt(len(gain)):
        tuning.network, tuning.best_step = start, 0
    else:
        tuning.after = best
    tuning.seconds = time.monotonic() - began
    return tuning


@torch.no_grad()
def shift_domain(network, groups):
    """
    Move the domain of a network to the images of pairs.

    The scatter stays that of the images of its training; the mean becomes
    that of the pairs, and 1% of these lie beyond the limit.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.rings.network.RingNetwork`
        The network; its ``domain`` is altered.

    groups : list of dict of `torch.Tensor`
        As of `make_squares`.
    """
    if not bool(network.domain.whiten.any()):
        # nothing is known, and nothing is far from it
        return
    found = []
    for group in groups:
        for at in range(0, len(group['image']), 16):
            part = {key: value[at:at + 16] for key, value in group.items()}
            found.append(network(
                part['image'], part['good'], part['centre'],
                look=part['look'], sky_error=part['sky_error']).summary)
    summary = torch.cat(found)
    network.domain.mean.copy_(summary.mean(0))
    limit = torch.quantile(network.domain(summary), 0.99)
    network.domain.whiten.div_(limit.clamp(min=1e-3))
