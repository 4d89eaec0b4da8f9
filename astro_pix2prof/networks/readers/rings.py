# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles of whole frames, of any size, from a ring network.
"""

from dataclasses import replace

import numpy as np
import torch

from astro_pix2prof.networks.ellipse import POGSON, ellipticity
from astro_pix2prof.networks.readers.frame import crop_filled, crop_frames
from astro_pix2prof.networks.readers.squares import FrameReader
from astro_pix2prof.networks.readers.views import mean_caption, turn_frame
from astro_pix2prof.networks.rings.far import is_on_its_way

__all__ = ['RingReader', 'scale_errors', 'scale_stated', 'split_sky_error']


# The sides of squares that frames are put into; larger frames are binned.
_SIDES = (64, 96, 128, 192, 256, 320)

# Error (mag) of a ring of which no pixel was seen, added below this usable
# part of a ring, and the least part that errors grow with.
_UNSEEN, _FEW, _LEAST_VALID = 0.3, 0.1, 0.02

# Errors are at least so many times those of the noise of a ring, from about
# this semi-major axis on (pixels; farther in, rings share their pixels):
# networks draw faint rings to the profiles that they know, and the galaxy may
# be another.
_OWN_NOISE, _APART = 0.6, 6.0

# How far ellipses may be off where pixels are missing: in pixels, and as a
# part of the semi-major axis.
_OFF = 0.2, 0.01

# From an error of the sky of so many times the noise of a pixel on, at least
# half of it is told to the network, whatever the factor: pipelines overstate
# small errors, and where a galaxy leaves no sky they are as wrong as they say.
_HALF_TOLD = 0.6

# The largest values, in units of the noise, that a network is given: the
# squares of squares of larger ones are beyond single precision. Only images
# whose noise was not found have such.
_MOST = 1e8

# How often centres that have not arrived are looked for again.
_AGAIN = 4

# 68.3% of angles (radians) lie within so much of any other.
_ANY_ANGLE = 0.683 * np.pi / 2


class RingReader(FrameReader):
    """
    Reader of frames with a ring network.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.rings.network.RingNetwork`
        The network.

    card : dict, optional
        Its model card, with the table ``error_model`` (see
        `~astro_pix2prof.training.error_model.measure_errors`).

    batch_size : int, optional
        Squares that are read at once; the result does not depend on it.

    n_views : int, optional
        The mean is taken over so many of the eight turns and reflections of
        a frame. The network does not know left from right, but turned
        images have other pixels in the squares that are averaged.

    precision : {'float32', 'bfloat16'}, optional
        Of the convolutions; see `RingNetwork.use_bfloat16`, which changes
        the network.

    **options
        As for `~astro_pix2prof.networks.readers.squares.FrameReader`.

    Attributes
    ----------
    sky_factor : float
        The part of a small error of the sky that was subtracted that is told
        to the network: ``sky_factor`` of the table ``error_model``, or 1; see
        `split_sky_error`.
    """

    def __init__(self, network, card=None, *, batch_size=16, n_views=1,
                 precision='float32', **options):
        super().__init__(**options)
        if precision not in ('float32', 'bfloat16'):
            msg = ("precision must be 'float32' or 'bfloat16', got "
                   f'{precision!r}')
            raise ValueError(msg)
        if precision == 'bfloat16':
            network.use_bfloat16()
        # the layout that convolutions on CPUs and tensor cores prefer
        self.network = network.to(memory_format=torch.channels_last)
        self.errors = (card or {}).get('error_model')
        self.sky_factor = float((self.errors or {}).get('sky_factor', 1.0))
        self.batch_size = batch_size
        self.n_views = n_views

    def read(self, frames):
        """
        Read the profiles of frames.

        Parameters
        ----------
        frames : list of `~astro_pix2prof.networks.readers.frame.Frame`
            The frames; they may differ in size.

        Returns
        -------
        captions : list of `~astro_pix2prof.networks.readers.frame.Caption`
        """
        if self.n_views == 1:
            return super().read(frames)
        views = super().read([turn_frame(frame, k) for frame in frames
                              for k in range(self.n_views)])
        n = self.n_views
        return [mean_caption(views[n * i:n * (i + 1)], frame.image.shape)
                for i, frame in enumerate(frames)]

    def _side(self, frame):
        """
        Return the smallest side that holds the frame, or the usual one.
        """
        longest = max(frame.image.shape)
        for side in _SIDES:
            if longest <= side:
                return side
        return 256

    def _read_squares(self, frames, side, again=_AGAIN):
        """
        Read squares around the centres of frames, in batches.

        Those that are far from there are read again, ``again`` times at most.
        """
        device = next(self.network.parameters()).device
        # group frames by the arguments of the network
        groups = {}
        for k, frame in enumerate(frames):
            key = (frame.hold, frame.ellipses is not None,
                   frame.filled is not None)
            groups.setdefault(key, []).append(k)
        out, lost = [None] * len(frames), {}
        for (hold, fixed, _), rows in groups.items():
            for start in range(0, len(rows), self.batch_size):
                part = rows[start:start + self.batch_size]
                found = self._read_batch([frames[k] for k in part], side,
                                         hold, fixed, device)
                for k, (result, is_lost) in zip(part, found, strict=True):
                    out[k] = result
                    if is_lost and frames[k].may_be_far:
                        lost[k] = _moved(frames[k], result['centre'])
        if lost and again:
            for k, result in zip(lost, self._read_squares(
                    list(lost.values()), side, again - 1), strict=True):
                out[k] = result
        return out

    @torch.inference_mode()
    def _read_batch(self, frames, side, hold, fixed, device):
        """
        Read a batch: for each frame, its part, and whether it is far.
        """
        image, mask, first = crop_frames(frames, side)
        sigma = np.array([frame.sigma for frame in frames])
        image = (image / torch.from_numpy(sigma).float()[:, None, None]
                 ).clamp_(-_MOST, _MOST)
        good = _weights(frames, ~mask, first)
        look = crop_filled(frames, side, first)
        if look is not None:
            # what is filled is looked at as any other pixel
            look = (good | look if good.dtype == torch.bool else
                    torch.maximum(good, look.float())).to(device)
        start = np.array([frame.centre for frame in frames]) - first
        ellipses = None
        if fixed:
            radii = self.network.radii((side, side)).numpy()
            ellipses = tuple(torch.tensor(np.array([
                np.interp(radii, frame.ellipses[0], frame.ellipses[part])
                for frame in frames]), dtype=torch.float32, device=device)
                for part in (1, 2))
        sky_error = np.array([
            np.nan if frame.sky_error is None
            else min(frame.sky_error / s, _MOST)
            for frame, s in zip(frames, sigma, strict=True)])
        sky_error, untold = split_sky_error(sky_error, self.sky_factor)
        known = torch.from_numpy(np.column_stack([
            start, sky_error])).float().to(device)
        if device.type == 'cuda':
            # (the copies run beside what the processor does next)
            image, good = image.pin_memory(), good.pin_memory()
        far = None
        # (to ask a GPU which are far would cost more than it saves)
        if device.type == 'cpu' and not (hold or fixed):
            far = torch.tensor([
                frame.may_be_far and _fills_evenly(frame, side)
                for frame in frames])
        found = self.network(
            image.to(device, non_blocking=True),
            good.to(device, non_blocking=True),
            known[:, :2], fixed=ellipses, hold=hold or fixed, look=look,
            sky_error=known[:, 2], far=far)
        sma = found.sma.cpu().double().numpy()
        rows = {name: getattr(found, name).cpu().double().numpy()
                for name in ('value', 'log_error', 'e1', 'e2', 'valid',
                             'centre', 'weight', 'excess',
                             'ring_noise')}
        # (of images that are none, a step can be of any size)
        rows['centre'] = np.clip(rows['centre'], -side, 2 * side)
        stated = {name: torch.exp(log_error).cpu().double().numpy()
                  for name, log_error in (
                      ('eps_error', found.log_e_error),
                      ('pa_error', found.log_pa_error),
                      ('enclosed_error', found.log_enclosed_error),
                      ('centre_error', found.log_centre_error))
                  if log_error is not None}
        if self.errors is not None:
            stated = {name: scale_stated(self.errors, name, error)
                      for name, error in stated.items()}
        if 'pa_error' in stated:
            # (at most that of an angle of which nothing is known)
            stated['pa_error'] = np.minimum(stated['pa_error'], _ANY_ANGLE)
        if found.rise is not None:
            stated['rise'] = found.rise.cpu().double().numpy() * sigma[:, None]
        distance = self.network.domain(found.summary).cpu().numpy()
        sky = found.sky.double().cpu().numpy()
        of_sky = (None if found.sky_error is None
                  else found.sky_error.double().cpu().numpy())
        shift = np.zeros(len(frames))
        if len(found.centres) > 1:
            shift = torch.hypot(*(found.centres[-1] - found.centres[-2]).T
                                ).cpu().numpy()
        own_noise = _OWN_NOISE * sma**2 / (sma**2 + _APART**2)
        parts = []
        for k in range(len(frames)):
            value = rows['value'][k]
            e1, e2 = rows['e1'][k], rows['e2'][k]
            error = np.exp(rows['log_error'][k])
            if self.errors is not None:
                error = scale_errors(self.errors, value, error, sma,
                                     ellipticity(e1, e2))
            if look is not None:
                error = _more_error(error, rows['valid'][k], value, sma)
            # (neighbouring rings average out a part of the noise only)
            error = np.maximum(error, own_noise * POGSON * (
                rows['ring_noise'][k] * 10**(0.4 * value)))
            if of_sky is not None:
                # (a ring is not known better than the sky below it)
                error = np.maximum(
                    error, POGSON * of_sky[k] * 10**(0.4 * value))
            parts.append({
                'sma': sma, 'mag': value - 2.5 * np.log10(sigma[k]),
                'error': error,
                'e1': e1, 'e2': e2, 'eps': ellipticity(e1, e2),
                'valid': rows['valid'][k], 'weight': rows['weight'][k],
                'trust': {'sky': float(sky[k] * sigma[k]),
                          'shift': float(shift[k]),
                          'excess': float(rows['excess'][k]),
                          'distance': float(distance[k])},
                **{name: rows_of[k] for name, rows_of in stated.items()},
                'centre': tuple(rows['centre'][k] + first[k])})
            if of_sky is not None:
                parts[-1]['trust'].update(
                    sky_error=float(of_sky[k] * sigma[k]),
                    sky_untold=float(np.nan_to_num(untold[k]) * sigma[k]))
        if hold or fixed:
            return [(part, False) for part in parts]
        lost = is_on_its_way(known[:, :2], found.centres).cpu().numpy()
        return list(zip(parts, lost, strict=True))


def _fills_evenly(frame, side):
    """
    Tell whether a frame lies in the middle of its square as turned ones do.

    Of larger frames, another square is cut about another centre. One with an
    odd number of rows lies half a pixel off the middle; about the centre of
    its galaxy, the same pixels are binned together when it is turned.
    """
    return max(frame.image.shape) <= side and not any(
        n % 2 for n in frame.image.shape)


def _moved(frame, centre):
    """
    A frame to be looked at from another centre, or the pixel next to it.
    """
    x, y = (float(np.clip(c, 0, n - 1)) for c, n in zip(
        centre, frame.image.shape[::-1], strict=True))
    return replace(frame, centre=(x, y))


def split_sky_error(error, factor):
    """
    Split errors of the sky into what a network is told, and what it is not.

    Parameters
    ----------
    error : 1D `~numpy.ndarray`, shape (n,)
        The errors that a pipeline states, in units of the noise of a pixel.

    factor : float
        The part of small errors that is told.

    Returns
    -------
    told, untold : 1D `~numpy.ndarray`, shape (n,)
        The larger an error is, the more of it is told, and the more counts
        of what is not told.
    """
    if factor >= 1:
        return factor * error, np.zeros_like(error)
    part = np.maximum(factor, error / (error + _HALF_TOLD))
    return part * error, part * error * np.sqrt(1 - part**2)


def scale_errors(model, value, error, sma, eps=None):
    """
    Scale the errors of a ring network so that 68% of the rings are within.

    Parameters
    ----------
    model : dict
        As `~astro_pix2prof.training.error_model.fit_error_scale` returns
        it.

    value, error, sma, eps : 1D `~numpy.ndarray`
        Mag relative to the noise of a pixel, error in mag, semi-major axis
        in pixels, and, for models with 'eps', ellipticity.

    Returns
    -------
    error : 1D `~numpy.ndarray`
    """
    log_sma = np.log(np.maximum(sma, 0.5))
    error = (error * np.interp(value, model['value'], model['factor'])
             * np.interp(log_sma, model['log_sma'], model['factor_sma']))
    if eps is not None and 'eps' in model:
        error = error * np.interp(eps, model['eps'], model['factor_eps'])
    return error


def scale_stated(model, name, error):
    """
    Scale the stated errors of ellipses, centre or enclosed light likewise.

    Parameters
    ----------
    model : dict
        Of the model card; it may have 'log_NAME' and 'factor_NAME', as
        `~astro_pix2prof.training.error_model.fit_stated_scale` returns
        them.

    name : str
        'eps_error', 'pa_error', 'enclosed_error' or 'centre_error'.

    error : `~numpy.ndarray`
        What the network states.

    Returns
    -------
    error : `~numpy.ndarray`
    """
    if f'log_{name}' not in model:
        return error
    return error * np.interp(np.log(error), model[f'log_{name}'],
                             model[f'factor_{name}'])


def _more_error(error, valid, value, sma):
    """
    Enlarge the errors of rings that miss pixels.

    The network states those of whole rings, whose mean hardly changes if
    the ellipse is a little off. That of a part of a ring does.
    """
    known = np.clip(valid, _LEAST_VALID, 1.0)
    off = (_OFF[0] + _OFF[1] * sma) * np.abs(np.gradient(value, sma))
    return np.sqrt(error**2 / known + ((1 - known) * off)**2 + (
        _UNSEEN * np.clip(1 - valid / _FEW, 0, 1))**2)


def _weights(frames, good, first):
    """
    Compute the weight of each pixel of the squares, from 0 to 1.
    """
    if all(frame.weight is None for frame in frames):
        return good
    out = good.float()
    for row, frame in enumerate(frames):
        if frame.weight is None:
            continue
        x = np.arange(good.shape[2]) + first[row, 0]
        y = np.arange(good.shape[1]) + first[row, 1]
        ny, nx = frame.weight.shape
        # (beyond the frame nothing is good)
        out[row] *= torch.from_numpy(frame.weight[
            np.clip(y, 0, ny - 1)[:, None], np.clip(x, 0, nx - 1)])
    return out
