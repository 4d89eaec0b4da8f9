# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Prepare pairs of images and profiles for fine-tuning, and measure errors.
"""

import copy
import warnings
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.background.noise import measure_noise
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.inference.many import read_each
from astro_pix2prof.inference.preparation import read_galaxies
from astro_pix2prof.networks.readers.rings import scale_errors, scale_stated
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.training.error_model import (
    SimulatedErrors,
    fit_correlation,
    fit_error_scale,
    fit_stated_scale,
)
from astro_pix2prof.training.few_pairs import FramePair

__all__ = ['HeldOut', 'PreparedPair', 'calibrate', 'check_profiles',
           'prepare_pairs', 'split_pairs', 'with_network']


# Profiles that differ from the start by more than so much (mag) in the
# median over pairs are of other units than the images; by more than the
# second, that is worth a warning.
_WRONG, _DOUBTFUL = 2.0, 0.5

# Radii are stretched by these factors to find those of another unit, and
# are doubtful beyond this one if it makes the difference so much smaller.
_STRETCH = np.geomspace(0.2, 5.0, 33)
_STRETCHED, _SMALLER = 1.2, 0.5

# Held-out galaxies for a bin of the factors of errors, and for the
# correlation of the errors of rings.
_PER_BIN, _FOR_CORRELATION = 10, 20

# Errors that a network states besides those of the profile.
_STATED = 'eps_error', 'pa_error', 'enclosed_error', 'centre_error'


@dataclass
class PreparedPair:
    """
    Pair of an image, prepared for a network, and its measured profile.

    Attributes
    ----------
    name : str
        Its name.

    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The image.

    pair : `~astro_pix2prof.training.few_pairs.FramePair`
        The frame that a network reads last, and the profile.

    caption : `~astro_pix2prof.networks.readers.frame.Caption`
        What the network to start with makes of it.

    centre : tuple of 2 floats
        The centre of the profile in pixels of the image.
    """

    name: str
    prepared: object
    pair: FramePair
    caption: object
    centre: tuple


class _Recorder:
    """
    Reader that keeps the last frame that it read.
    """

    def __init__(self, reader):
        self.reader = reader
        self.last = None

    def read(self, frames):
        captions = self.reader.read(frames)
        if len(frames) == 1:
            self.last = frames[0], captions[0]
        return captions


def prepare_pairs(fitter, pairs):
    """
    Prepare pairs as the fitter prepares images.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter, with the weights to start with.

    pairs : iterable of `~astro_pix2prof.ImageProfilePair`
        The pairs.

    Returns
    -------
    found : list of `PreparedPair`
        Pairs that cannot be used are left out.

    Raises
    ------
    TypeError
        If a pair is something else.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For each pair that cannot be used.
    """
    found = []
    for number, pair in enumerate(pairs):
        if not hasattr(pair, 'intensity') or not hasattr(pair, 'sigma'):
            msg = ('pairs must be a folder, or hold ImageProfilePair as of '
                   f'read_pairs; number {number} is a {type(pair).__name__}')
            raise TypeError(msg)
        try:
            found.append(_prepare(fitter, pair))
        except ValueError as error:
            warnings.warn(f'{pair.name}: {error} (left out)',
                          AstropyUserWarning, stacklevel=3)
    return found


def _prepare(fitter, pair):
    image = np.where(pair.mask, np.nan, pair.data)
    cutout = GalaxyCutout(
        image, pixel_scale=pair.pixel_scale, zeropoint=pair.zeropoint,
        mag_system='AB', position=pair.centre)
    # (a cut-out may hold its data in another multiple of the unit)
    scale = 10**(0.4 * (cutout.zeropoint - pair.zeropoint))
    prepared = fitter._prepare(cutout)
    recorder = _Recorder(fitter.reader)
    caption, = read_galaxies(recorder, [prepared])
    frame, last = recorder.last
    offset = np.round(np.subtract(last.centre, caption.centre))
    own = FramePair(
        frame, tuple(np.add(pair.centre, offset)), pair.sma,
        pair.intensity * scale, pair.intensity_err * scale,
        pair.ellipticity, np.radians(pair.theta), group=pair.group)
    if own.end() <= 1:
        msg = ('the profile has no ring with a signal-to-noise ratio above '
               '1 in the image')
        raise ValueError(msg)
    return PreparedPair(pair.name, prepared, own, caption, pair.centre)


def check_profiles(found):
    """
    Check that the profiles belong to the images.

    Parameters
    ----------
    found : list of `PreparedPair`
        The pairs.

    Raises
    ------
    ValueError
        If most of the profiles are far from what the image shows.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If they are off by less, or if their radii seem to be in another
        unit.
    """
    offsets, others, stretches, rests = np.transpose([
        _compare_with_start(item) for item in found])
    size = np.abs(offsets)
    stretch, off = np.median(stretches), np.median(offsets)
    # (other radii must explain it better than another zero point does)
    smaller = np.median(rests) < _SMALLER * min(np.median(size),
                                                np.median(others))
    if smaller and abs(np.log(stretch)) > np.log(_STRETCHED):
        warnings.warn(
            'the radii of the profiles seem to be wrong: with '
            f'{stretch:.2g} times as large ones, they agree better with the '
            'images; check their unit and the pixel scale',
            AstropyUserWarning, stacklevel=4)
    many = f'{np.count_nonzero(size > _DOUBTFUL)} of {len(size)}'
    if np.median(size) > _WRONG:
        msg = (f'pairs: the profiles are {abs(off):.1f} mag '
               f'{"fainter" if off > 0 else "brighter"} than the images '
               '(median): they are not of these images, or in another unit; '
               'check zero points, units and pixel scales')
        raise ValueError(msg)
    if np.median(size) > _DOUBTFUL:
        warnings.warn(
            f'{many} profiles are more than {_DOUBTFUL} mag from what the '
            f'images show (median {off:+.2f} mag): a ring network measures '
            'pixels and cannot learn other units; check zero points, units '
            'and pixel scales', AstropyUserWarning, stacklevel=4)


def _compare_with_start(item):
    """
    Compare a profile with what the network to start with measures.

    Returns
    -------
    offset : float
        The profile less the measured one (mag, median of the rings).

    other : float
        Their difference without this offset (mag).

    stretch : float
        Factor of the radii with which they agree best.

    rest : float
        Their difference with other radii (mag).
    """
    pair, caption = item.pair, item.caption
    sma = pair.radii()
    mag = pair.at(sma)['value']
    value = -POGSON * np.log(np.maximum(caption.intensity, 1e-30))
    difference = mag - np.interp(sma, caption.sma, value)
    offset = np.median(difference)
    other = np.median(np.abs(difference - offset))
    rests = []
    for factor in _STRETCH:
        at = sma * factor
        at, off = at[at <= caption.sma[-1]], mag[at <= caption.sma[-1]]
        rests.append(np.median(np.abs(off - np.interp(
            at, caption.sma, value))) if len(at) > 2 else np.inf)
    best = int(np.argmin(rests))
    return offset, other, _STRETCH[best], rests[best]


def split_pairs(found, share, seed):
    """
    Hold out some groups of pairs.

    Parameters
    ----------
    found : list of `PreparedPair`
        The pairs.

    share : float
        The share to hold out, at least 5 pairs.

    seed : int
        The seed.

    Returns
    -------
    train, held : list of `PreparedPair`
    """
    groups = sorted({item.pair.group for item in found})
    order = np.random.default_rng(seed).permutation(len(groups))
    wanted, chosen, n = max(5, round(share * len(found))), set(), 0
    for k in order:
        if n >= wanted:
            break
        chosen.add(groups[k])
        n += sum(item.pair.group == groups[k] for item in found)
    return ([item for item in found if item.pair.group not in chosen],
            [item for item in found if item.pair.group in chosen])


def with_network(fitter, network, card):
    """
    Copy a fitter, with another network.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    network : `torch.nn.Module`
        The network, of the same architecture.

    card : dict
        Its model card.

    Returns
    -------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
    """
    other = copy.copy(fitter)
    other.network, other.card = network, card
    other.reader = fitter.architecture.make_reader(
        network, card, batch_size=fitter.batch_size,
        min_snr=fitter.min_snr, measure_noise=measure_noise)
    # (a card without error model does not tell it, and what is measured
    # and calibrated must be what will be read)
    other.reader.sky_factor = fitter.reader.sky_factor
    return other


@dataclass
class HeldOut:
    """
    Errors of a network on held-out pairs, as the fitter measures them.

    Attributes
    ----------
    rings : `~astro_pix2prof.training.error_model.SimulatedErrors`
        Of all rings with signal.

    stated : dict of tuple of 1D `~numpy.ndarray`
        Errors of ellipses, enclosed light and centres, and how far these
        are off.
    """

    rings: SimulatedErrors
    stated: dict

    @classmethod
    def measure(cls, fitter, held):
        """
        Measure held-out pairs and compare with their profiles.

        Parameters
        ----------
        fitter : `~astro_pix2prof.Pix2ProfFitter`
            The fitter.

        held : list of `PreparedPair`
            The pairs.

        Returns
        -------
        errors : `HeldOut`
        """
        measured = read_each(fitter.reader, [item.prepared for item in held],
                             fitter._measure)
        rows, per_image = [], []
        stated = {name: [] for name in _STATED}
        for number, (item, rings) in enumerate(zip(held, measured,
                                                   strict=True)):
            if isinstance(rings, Exception):
                raise rings
            rows.append(_compare(item, rings, number))
            per_image.append(np.median(np.abs(
                item.pair.compare(rings.sma, rings.intensity))))
            for name, found in _compare_stated(item, rings).items():
                stated[name].append(found)
        return cls(SimulatedErrors(*np.concatenate(rows, axis=1),
                                   np.array(per_image)),
                   {name: np.concatenate(parts, axis=1)
                    for name, parts in stated.items() if parts})

    def summary(self):
        """
        Summarise: error, bias (mag) and rings within 1 and 2 sigma.
        """
        ratio = np.abs(self.rings.difference) / self.rings.scatter
        return {'median_error': float(np.nanmedian(self.rings.per_image)),
                'mean_error': float(np.nanmean(self.rings.per_image)),
                'bias': float(np.median(self.rings.difference)),
                'within_1_sigma': float(np.mean(ratio < 1)),
                'within_2_sigma': float(np.mean(ratio < 2))}


def _compare(item, rings, number):
    """
    Compare rings at the radii of the profile of a pair.
    """
    sma = item.pair.radii()
    sma = sma[sma <= rings.sma[-1]]
    value, error, eps = (np.interp(sma, rings.sma, column) for column in (
        -POGSON * np.log(np.maximum(rings.intensity, 1e-30)), rings.sb_err,
        rings.eps))
    found = np.stack([
        value + POGSON * np.log(rings.noise), error,
        value - item.pair.at(sma)['value'], sma, np.full(len(sma), number),
        eps])
    return found[:, np.isfinite(found).all(0) & (error > 0)]


def _compare_stated(item, rings):
    """
    Compare what is stated besides the profile with that of the pair.
    """
    known = item.pair.at(rings.sma)
    shaped = ((known['known'] * known['shaped'] > 0) & (rings.sma > 2)
              & (rings.sma <= item.pair.end()))
    eps = np.hypot(known['e1'], known['e2'])
    away = rings.theta - 0.5 * np.arctan2(known['e2'], known['e1'])
    found = {}
    if rings.eps_err is not None:
        found['eps_error'] = rings.eps_err, rings.eps - eps, shaped
    if rings.theta_err is not None:
        found['pa_error'] = (rings.theta_err, (away + np.pi / 2) % np.pi
                             - np.pi / 2, shaped & (eps > 0.1))
    if rings.mag_enclosed_err is not None:
        found['enclosed_error'] = (
            rings.mag_enclosed_err, _enclosed(
                rings.sma, rings.intensity, rings.eps) - _enclosed(
                rings.sma, np.exp(-known['value'] / POGSON), eps), shaped)
    found = {name: np.array([error[part], off[part]])
             for name, (error, off, part) in found.items()}
    if np.isfinite(rings.centre_err):
        found['centre_error'] = np.array([
            [rings.centre_err] * 2, np.subtract(rings.centre, item.centre)])
    return {name: pair[:, np.isfinite(pair).all(0) & (pair[0] > 0)]
            for name, pair in found.items()}


def _enclosed(sma, intensity, eps):
    """
    Compute the magnitude within each ellipse.
    """
    area = np.pi * sma**2 * (1 - eps)
    mean = 0.5 * (intensity[1:] + intensity[:-1])
    total = np.append(0.0, np.cumsum(mean * np.diff(area)))
    return -POGSON * np.log(np.maximum(total, 1e-30))


def calibrate(errors, start):
    """
    Fit an error model with which 68% of held-out rings are within.

    Parameters
    ----------
    errors : `HeldOut`
        Of a reader without error model.

    start : dict or `None`
        The error model of the weights to start with. What the pairs do not
        tell is taken from it.

    Returns
    -------
    model : dict
        For the model card.
    """
    rings, n_images = errors.rings, len(errors.rings.per_image)
    n_bins = int(np.clip(n_images // _PER_BIN, 1, 12))
    model = fit_error_scale(rings.value, rings.scatter, rings.difference,
                            rings.sma, n_bins=n_bins)
    if start and 'sky_factor' in start:
        model['sky_factor'] = start['sky_factor']
    correlation = (start or {}).get('correlation')
    if n_images >= _FOR_CORRELATION:
        scaled = scale_errors(model, rings.value, rings.scatter, rings.sma)
        correlation = fit_correlation(rings.sma, rings.difference / scaled,
                                      rings.image)
    if correlation is not None:
        model['correlation'] = correlation
    for name in _STATED:
        found = errors.stated.get(name)
        if found is not None and found.shape[1] >= 2 * n_bins:
            model[f'log_{name}'], model[f'factor_{name}'] = fit_stated_scale(
                *found, n_bins=max(1, n_bins // 2))
        elif start and f'log_{name}' in start:
            for key in (f'log_{name}', f'factor_{name}'):
                model[key] = start[key]
    return model


def compare_table(before, after, calibrated):
    """
    Make the table of errors before and after a fine-tuning.

    Parameters
    ----------
    before, after : `HeldOut`
        The errors of the weights to start with, and of the tuned ones
        without error model.

    calibrated : dict
        The error model of the latter.

    Returns
    -------
    table : `~astropy.table.QTable`
    """
    rings = after.rings
    scaled = scale_errors(calibrated, rings.value, rings.scatter, rings.sma)
    after = HeldOut(rings._replace(scatter=scaled), {
        name: np.array([scale_stated(calibrated, name, found[0]), found[1]])
        for name, found in after.stated.items()})
    rows = [before.summary(), after.summary()]
    table = QTable({'weights': ['before', 'after']})
    for key in rows[0]:
        table[key] = [row[key] for row in rows]
        if key in ('median_error', 'mean_error', 'bias'):
            table[key].unit = 'mag'
        table[key].info.format = '.4f'
    return table
