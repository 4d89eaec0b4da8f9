# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Embeddings of galaxies: 64 numbers that tell how a galaxy looks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from astro_pix2prof.ellipses.geometry import shape_to_components
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.fitting.parts import split_options, split_parts
from astro_pix2prof.image.pictures import warn_of_calibration
from astro_pix2prof.inference.many import (
    PrepareJob,
    prepare_part,
    read_each,
    shared_meta,
    takes_picture,
)
from astro_pix2prof.inference.processes import map_parts
from astro_pix2prof.networks.architectures import find_architecture
from astro_pix2prof.networks.encoder.maps import GalaxyMaps, make_maps
from astro_pix2prof.networks.encoder.network import HEADS
from astro_pix2prof.networks.weights import (
    find_weights,
    list_weights,
    load_network,
    read_card,
)
from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.profile.build import build_batch
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.rings import MeasuredRings

if TYPE_CHECKING:
    from astropy.table import QTable

    from astro_pix2prof.typing import PathLike

__all__ = ['Embeddings', 'EncodingFitter', 'check_encoder',
           'encode_batches', 'encode_fits', 'encode_images',
           'encode_with_maps', 'encoder_sha256']


# The encoder that ships with the package.
_WEIGHTS = 'encoder'

_NO_SCALE = ('no embedding: the profile has too few rings, or no light, and '
             'no half-light radius')


class Embeddings:
    """
    Embeddings of n galaxies, and what the encoder sees in them.

    Parameters
    ----------
    vectors : 2D `~numpy.ndarray` of float32, shape (n, 64)
        The embeddings, not-a-number where there is none.

    votes : dict of 1D `~numpy.ndarray` of float32, shape (n,)
        Probabilities by the names of their columns.
    """

    def __init__(self, vectors, votes):
        self.vectors, self.votes = vectors, votes

    def __len__(self):
        return len(self.vectors)

    @property
    def failed(self):
        """
        Mask of galaxies without an embedding: bool array, shape (n,).
        """
        return ~np.isfinite(self.vectors).all(1)

    @classmethod
    def concatenate(cls, parts):
        """
        Join embeddings of galaxies that follow each other.
        """
        parts = list(parts)
        return cls(np.concatenate([part.vectors for part in parts]),
                   {name: np.concatenate([part.votes[name] for part in parts])
                    for name in parts[0].votes})

    @classmethod
    def missing(cls, n, encoder=_WEIGHTS):
        """
        Make the embeddings of n galaxies that have none.
        """
        return _encode([None] * n, encoder=encoder)


def encode_fits(fits: Iterable[ProfileFit | Exception], *,
                encoder: PathLike = _WEIGHTS, device: str = 'cpu') -> QTable:
    """
    Compute the embeddings of galaxies that were measured.

    Parameters
    ----------
    fits : iterable of `~astro_pix2prof.ProfileFit` or Exception
        Full results of any fitter, as its method ``fit`` returns them; or
        the reason why there is none.

    encoder : str or path-like, optional
        The weights of the encoder: a ``.safetensors`` file that `fine_tune`
        wrote.

    device : str, optional
        Where the encoder runs, such as 'cpu' or 'cuda'.

    Returns
    -------
    table : `~astropy.table.QTable`
        A row per galaxy, as of `Pix2ProfFitter.encode`.

    Raises
    ------
    TypeError
        If an element is neither a fit nor an exception.

    ValueError
        If ``encoder`` are not the weights of an encoder.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, encode_fits, load_example
    >>> table = encode_fits([Pix2ProfFitter().fit(load_example())])
    >>> table['embedding'].shape
    (1, 64)
    """
    check_encoder(encoder)
    if not isinstance(fits, Iterable):
        msg = ('fits must be a list of results of the method fit of a fitter, '
               f'got one {type(fits).__name__}: give [fit]')
        raise TypeError(msg)
    profiles: list[Any] = []
    maps: list[Any] = []
    for fit in fits:
        if isinstance(fit, BaseException):
            profiles.append(fit)
            maps.append(None)
            continue
        if not isinstance(fit, ProfileFit):
            msg = ('fits must be results of the method fit of a fitter, or '
                   f'exceptions, got {type(fit).__name__}')
            raise TypeError(msg)
        profiles.append(fit.profile)
        noise = fit.profile.meta.get('noise')
        if noise is None or not noise > 0:
            noise = fit.cutout.background_noise
        # (the encoder has learned to look past other objects, and knows
        # none that are masked)
        maps.append(_make_maps(
            fit.subtracted(), fit.cutout.mask, float(noise), fit.centre,
            fit.sma, fit.eps, np.radians(fit.theta), fit.intensity, encoder))
    return _to_table(ProfileBatch.from_profiles(profiles),
                     _encode(maps, device, encoder), encoder)


def check_encoder(encoder):
    """
    Check that weights are those of an encoder.

    Parameters
    ----------
    encoder : str or path-like
        The weights.

    Raises
    ------
    ValueError
        If they are of another network, or there are none of this name.
    """
    if isinstance(encoder, str | os.PathLike) and (
            Path(encoder).suffix != '.safetensors'
            and str(encoder) not in list_weights()):
        msg = (f'encoder must be a name ({_WEIGHTS}) or a .safetensors file, '
               f'got {str(encoder)!r}')
        raise ValueError(msg)
    architecture = find_architecture(read_card(encoder)['architecture'])
    if not architecture.gives_embeddings:
        msg = (f'encoder must be the weights of an encoder, got '
               f'{str(encoder)!r}, which are of the architecture '
               f'{architecture.name!r}')
        raise ValueError(msg)


def encode_with_maps(fitter, images, *, encoder=_WEIGHTS, progress=False):
    """
    Measure galaxies, and compute their embeddings and their maps.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    images : iterable
        As for `Pix2ProfFitter.encode`.

    encoder : str or path-like, optional
        The weights of the encoder.

    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    table : `~astropy.table.QTable`
        As of `Pix2ProfFitter.encode`.

    maps : list of `~astro_pix2prof.networks.encoder.maps.GalaxyMaps`
        A map for each galaxy; `None` where there is no embedding.
    """
    kept = []
    parts = list(fitter._batches_with(
        _EncodeParts(fitter, encoder, kept), images, None, 0, progress, {}))
    return _to_table(
        ProfileBatch.concatenate(part[0] for part in parts),
        Embeddings.concatenate(part[1] for part in parts), encoder), kept


def encode_images(fitter, images, *, batch_size=None, workers=0,
                  progress=False, encoder=_WEIGHTS, **options):
    """
    Measure galaxies with a network, and compute their embeddings.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    images, batch_size, workers, progress, encoder, **options
        As for `Pix2ProfFitter.encode`.

    Returns
    -------
    table : `~astropy.table.QTable`
    """
    check_encoder(encoder)
    parts = list(encode_batches(fitter, images, batch_size=batch_size,
                                workers=workers, progress=progress,
                                encoder=encoder, **options))
    if not parts:
        return _to_table(ProfileBatch.concatenate([]),
                         Embeddings.missing(0, encoder), encoder)
    return _to_table(ProfileBatch.concatenate(part[0] for part in parts),
                     Embeddings.concatenate(part[1] for part in parts),
                     encoder)


def encode_batches(fitter, images, *, batch_size=None, workers=0,
                   progress=False, encoder=_WEIGHTS, **options):
    """
    Measure galaxies in batches, and compute their embeddings.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    images, batch_size, workers, progress, **options
        As for `~astro_pix2prof.Pix2ProfFitter.fit_many`.

    encoder : str or path-like, optional
        The weights of the encoder.

    Returns
    -------
    parts : iterator of tuple
        The `~astro_pix2prof.ProfileBatch` that ``fit_many`` gives, and the
        `Embeddings` of its galaxies.
    """
    return fitter._batches_with(_EncodeParts(fitter, encoder), images,
                                batch_size, workers, progress, options)


class EncodingFitter:
    """
    Fitter that keeps the embeddings of the galaxies that it measures.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    Attributes
    ----------
    plain : `~astro_pix2prof.Pix2ProfFitter`
        The same.
    """

    def __init__(self, fitter):
        self.plain, self._parts = fitter, []

    def fit_many(self, images, **options):
        """
        Measure galaxies as the fitter does, and keep their embeddings.

        Parameters
        ----------
        images, **options
            As for `~astro_pix2prof.Pix2ProfFitter.fit_many`.

        Yields
        ------
        batch : `~astro_pix2prof.ProfileBatch`
        """
        self._parts = []
        for batch, embeddings in encode_batches(self.plain, images,
                                                **options):
            self._parts.append(embeddings)
            yield batch

    def embeddings(self, n_more=0):
        """
        Return the embeddings of the last call, and some that are missing.

        Parameters
        ----------
        n_more : int, optional
            The number of galaxies at the end that were not measured.

        Returns
        -------
        embeddings : `Embeddings`
        """
        return Embeddings.concatenate(
            [*self._parts, Embeddings.missing(n_more)])


def encoder_sha256(encoder=_WEIGHTS):
    """
    Return the checksum of the weights of an encoder (str).
    """
    return read_card(encoder)['sha256']


class _EncodeParts:
    """
    Measure and encode parts of the images, here or in other processes.

    Maps are appended to ``kept``, if it is given, without other processes.
    """

    def __init__(self, fitter, encoder=_WEIGHTS, kept=None):
        self.fitter, self.encoder, self.kept = fitter, encoder, kept

    def __call__(self, images, size, workers, options):
        """
        Yield profiles and embeddings, part by part.
        """
        parts = split_parts(_watch_pictures(images, options), size)
        job = _EncodeJob(self.fitter, options, self.encoder, self.kept)
        if workers == 0:
            return map(job, parts)
        if self.fitter.device.type == 'cpu':
            return map_parts(job, parts, workers)
        # the processes read, and the GPU of this one measures
        found = map_parts(PrepareJob(self.fitter, options, pictures=True),
                          parts, workers)
        return (job.measure(*part) for part in found)


def _watch_pictures(images, options):
    """
    Pass images on, and warn once if a picture is to be calibrated.
    """
    warned = False
    for item in images:
        image, own, source = split_options(item, options)
        if not warned and takes_picture(image, own):
            warned = warn_of_calibration(own, source)
        yield item


class _EncodeJob:
    """
    Measure and encode a part of the images.
    """

    def __init__(self, fitter, options, encoder, kept=None):
        self.fitter, self.options = fitter, options
        self.encoder, self.kept = encoder, kept

    def __call__(self, part):
        """
        Take a list of pairs of numbers and images.
        """
        images = [image for _, image in part]
        return self.measure(part[0][0], *prepare_part(
            self.fitter, images, self.options, pictures=True))

    def measure(self, start, prepared, sources):
        """
        Measure and encode prepared galaxies.
        """
        fitter = self.fitter
        measured = read_each(fitter.reader, prepared, fitter._measure)
        batch = build_batch(
            measured, start=start, sources=sources, meta=shared_meta(fitter),
            columns=fitter._ring_columns(self.options))
        maps = [_maps_of(item, rings, self.encoder)
                if isinstance(rings, MeasuredRings) else None
                for item, rings in zip(prepared, measured, strict=True)]
        if self.kept is not None:
            self.kept.extend(maps)
        return batch, _encode(maps, fitter.device, self.encoder)


def _maps_of(prepared, rings, encoder):
    """
    Make the maps of a galaxy that a network measured.
    """
    cutout = prepared.cutout
    tilt = prepared.background.over(cutout.shape) - prepared.sky
    return _make_maps(
        cutout.data - (rings.sky + tilt), cutout.mask, rings.noise,
        rings.centre, rings.sma, rings.eps, rings.theta, rings.intensity,
        encoder)


def _make_maps(image, mask, noise, centre, sma, eps, theta, intensity,
               encoder):
    _, config = _network(encoder, 'cpu')
    e1, e2 = shape_to_components(np.asarray(eps, dtype=float),
                                 np.asarray(theta, dtype=float))
    # (rings without an ellipticity have none that matters)
    return make_maps(image, ~mask, noise, centre, np.asarray(sma, float),
                     np.nan_to_num(e1), np.nan_to_num(e2),
                     np.asarray(intensity, float), config)


def _network(encoder, device):
    """
    Load an encoder, once for each device: the network and its settings.
    """
    return _load(str(encoder), device, _time_of(encoder))


def _time_of(encoder):
    """
    Return the time of the weights, a file that may be written again.
    """
    return find_weights(encoder).stat().st_mtime_ns


@lru_cache(maxsize=4)
def _load(encoder, device, time):
    network, _ = load_network(encoder, device=device)
    return network, network.config


def _encode(maps, device='cpu', encoder=_WEIGHTS):
    """
    Encode maps of galaxies, `None` where there are none.
    """
    network, config = _network(encoder, str(device))
    there = [k for k, part in enumerate(maps) if part is not None]
    vectors = np.full((len(maps), config.size), np.nan, dtype=np.float32)
    names = _vote_columns(str(encoder), _time_of(encoder))
    votes = {name: np.full(len(maps), np.nan, dtype=np.float32)
             for name in names}
    if there:
        stacked = GalaxyMaps.stack(maps[k] for k in there)
        with torch.inference_mode():
            found = network(GalaxyMaps(stacked.image.to(device),
                                       stacked.rings.to(device)))
            answers = network.votes(found)
        vectors[there] = found.float().cpu().numpy()
        for column, (head, offset, factor) in names.items():
            logit = answers[head][:, 0].double().cpu().numpy()
            votes[column][there] = 1 / (1 + np.exp(
                -(factor * logit + offset)))
    return Embeddings(vectors, votes)


@lru_cache(maxsize=4)
def _vote_columns(encoder, time):
    """
    List the probabilities: head, offset and factor of its logit, by column.
    """
    # (an encoder that learned something else has forgotten what they meant)
    calibration = read_card(encoder).get('votes', {})
    return {f'p_{head}': (head, *calibration[head]) for head in HEADS
            if head in calibration}


def _to_table(batch, embeddings, encoder=_WEIGHTS):
    """
    Make the table of galaxies with their embeddings.
    """
    table = batch.galaxies.copy()
    lost = embeddings.failed & ~batch.failed
    table['flag'] = np.where(lost, table['flag'] | GalaxyFlag.FAILED,
                             table['flag']).astype(table['flag'].dtype)
    table['message'] = np.where(lost, _NO_SCALE, table['message'])
    table['embedding'] = embeddings.vectors
    for name, values in embeddings.votes.items():
        table[name] = values
    card = read_card(encoder)
    table.meta.update(encoder=card.get('name', _WEIGHTS),
                      encoder_sha256=card['sha256'])
    return table
