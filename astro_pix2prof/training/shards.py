# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Write and read files of image-profile pairs for training.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from numbers import Integral
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.networks.ellipse import ellipse_components, ellipse_shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astro_pix2prof import ImageProfilePair
    from astro_pix2prof.typing import PathLike

__all__ = ['read_shards', 'write_shards']


_SPLITS = ('train', 'validation', 'test')


def write_shards(pairs: Iterable[ImageProfilePair], folder: PathLike, *,
                 n_pix: int = 256, n_sma: int | None = None,
                 per_shard: int = 256,
                 split: tuple[float, float, float] = (0.9, 0.05, 0.05),
                 seed: int = 0, source: str = '',
                 overwrite: bool = False) -> dict:
    """
    Write pairs to files from which networks are trained.

    Every image is cropped or padded to a square around the galaxy, every
    profile interpolated to semi-major axes of 0, 1, 2, ... pixels, the
    logarithm of the intensity linearly. The files need numpy only.

    Parameters
    ----------
    pairs : iterable of `~astro_pix2prof.ImageProfilePair`
        The pairs; only ``per_shard`` of them are in memory at a time.

    folder : str or `~pathlib.Path`
        Folder of ``train-000.npz``, ``validation-000.npz``,
        ``test-000.npz``, ... and ``index.json``.

    n_pix : int, optional
        The side of the images in pixels.

    n_sma : int, optional
        The number of semi-major axes, by default three quarters of
        ``n_pix``.

    per_shard : int, optional
        The number of pairs in a file.

    split : tuple of 3 float or int, optional
        The parts to train, validate and test with: fractions that add up
        to 1, or numbers of pairs. All pairs of one group go to the same
        part, so that the parts may differ by some pairs.

    seed : int, optional
        The seed of the split and of the order.

    source : str, optional
        Origin of the pairs, for the index.

    overwrite : bool, optional
        Whether to replace the shards that are in the folder.

    Returns
    -------
    index : dict
        Contents of ``index.json``: counts, seed, source, the files with
        their checksums, and ``hash``, that of all arrays.

    Raises
    ------
    ValueError
        If there are no pairs, or an argument is out of its range.

    OSError
        If the folder holds shards and ``overwrite`` is `False`.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are too few galaxies for one of the parts.
    """
    if n_sma is None:
        n_sma = max(2, 3 * n_pix // 4)
    for key, value, least in (('n_pix', n_pix, 8), ('n_sma', n_sma, 2),
                              ('per_shard', per_shard, 1)):
        if not isinstance(value, Integral) or value < least:
            msg = f'{key} must be an integer from {least} on, got {value!r}'
            raise ValueError(msg)
    split = _check_split(split)
    folder = Path(folder)
    old = [path for name in _SPLITS
           for path in folder.glob(f'{name}-[0-9]*.npz')]
    old += [path for path in [folder / 'index.json'] if path.exists()]
    if old and not overwrite:
        msg = f'{old[0]} exists; give overwrite=True to replace all shards'
        raise OSError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    sma = np.arange(n_sma, dtype=np.float32)
    with TemporaryDirectory(dir=folder, prefix='.shards-') as spool:
        groups = []
        for k, pair in enumerate(pairs):
            np.savez(Path(spool) / f'{k}.npz', **_record(pair, n_pix, sma))
            groups.append(pair.group)
        parts = _split_groups(groups, split, seed)
        for path in old:
            path.unlink()
        shards, total = [], hashlib.sha256()
        for name, members in parts.items():
            for k, start in enumerate(range(0, len(members), per_shard)):
                chosen = members[start:start + per_shard]
                path = folder / f'{name}-{k:03d}.npz'
                _write_shard(path, spool, chosen, sma, total)
                shards.append({
                    'file': path.name, 'n': len(chosen),
                    'sha256': hashlib.sha256(path.read_bytes()).hexdigest()})
    index = {
        'counts': {name: len(members) for name, members in parts.items()},
        'groups': {name: len({groups[k] for k in members})
                   for name, members in parts.items()},
        'left_out': len(groups) - sum(map(len, parts.values())),
        'n_pix': int(n_pix), 'n_sma': int(n_sma),
        'per_shard': int(per_shard), 'split': list(split), 'seed': seed,
        'source': str(source), 'hash': total.hexdigest(), 'shards': shards}
    (folder / 'index.json').write_text(json.dumps(index, indent=1) + '\n')
    return index


def _check_split(split):
    split = tuple(split)
    good = len(split) == 3 and all(np.isfinite(v) and v >= 0 for v in split)
    if good and all(isinstance(v, Integral) for v in split):
        split, good = tuple(int(v) for v in split), sum(split) > 0
    elif good:
        split, good = tuple(float(v) for v in split), abs(sum(split) - 1
                                                          ) < 1e-6
    if not good:
        msg = ('split must be three fractions that add up to 1 or three '
               f'numbers of pairs, got {split}')
        raise ValueError(msg)
    return split


def _split_groups(groups, split, seed):
    """
    Assign the numbers of the pairs to the parts, in random order.
    """
    n, rng = len(groups), np.random.default_rng(seed)
    counts = all(isinstance(v, int) for v in split)
    if n == 0:
        msg = 'pairs must hold a pair at least, got none'
        raise ValueError(msg)
    if counts and sum(split) > n:
        msg = f'split asks for {sum(split)} pairs, but there are {n}'
        raise ValueError(msg)
    members = {}
    for k, group in enumerate(groups):
        members.setdefault(group, []).append(k)
    names = sorted(members)
    waiting = [names[k] for k in rng.permutation(len(names))]
    parts = {name: [] for name in _SPLITS}
    wanted = [(name, v) for name, v in zip(_SPLITS, split, strict=True)
              if v > 0][::-1]
    for name, value in wanted:
        target = value if counts else value * n
        rest = not counts and name == wanted[-1][0]
        passed = []
        for group in waiting:
            size = len(members[group])
            # counts are kept, fractions met as closely as may be
            room = target - len(parts[name]) - (size if counts else size / 2)
            if rest or room >= 0:
                parts[name] += members[group]
            else:
                passed.append(group)
        waiting = passed
        if not parts[name]:
            # (astropy's class of warnings is not to be had in this folder)
            warnings.warn(f'no pairs for {name}: {len(names)} galaxies are '
                          f'too few for the split {split}',
                          UserWarning, stacklevel=3)
    return {name: [int(k) for k in rng.permutation(parts[name])]
            for name in _SPLITS}


def _write_shard(path, spool, chosen, sma, total):
    arrays = {}
    for k in chosen:
        with np.load(Path(spool) / f'{k}.npz', allow_pickle=False) as record:
            for key in record.files:
                arrays.setdefault(key, []).append(record[key])
    arrays = {key: np.stack(values) for key, values in arrays.items()}
    arrays['sma'] = sma
    for key in sorted(arrays):
        total.update(f'{key} {arrays[key].dtype} {arrays[key].shape}'
                     .encode())
        total.update(arrays[key].tobytes())
    np.savez(path, **arrays)


def _record(pair, n_pix, sma):
    """
    Make the arrays of one pair; those of a shard have one more axis.
    """
    data, mask, centre = _crop(pair, n_pix)
    record = {'image': data, 'mask': mask,
              'centre': np.array(centre, dtype=np.float32)}
    for key in ('sigma', 'pixel_scale', 'zeropoint', 'fwhm', 'sky'):
        record[key] = np.float32(getattr(pair, key))
    for key, values in _resample(pair, sma).items():
        record[key] = values.astype(np.float32)
    for key in ('name', 'group', 'band'):
        record[key] = np.array(str(getattr(pair, key)))
    return record


def _crop(pair, n_pix):
    x, y = pair.centre
    # the rounding of astropy.nddata.Cutout2D
    x0, y0 = (int(np.ceil(v - n_pix / 2)) for v in (x, y))
    ny, nx = pair.data.shape
    inside = (slice(max(y0, 0), min(y0 + n_pix, ny)),
              slice(max(x0, 0), min(x0 + n_pix, nx)))
    target = tuple(slice(s.start - o, s.stop - o)
                   for s, o in zip(inside, (y0, x0), strict=True))
    data = np.zeros((n_pix, n_pix), dtype=np.float32)
    mask = np.ones((n_pix, n_pix), dtype=bool)
    data[target], mask[target] = pair.data[inside], pair.mask[inside]
    return data, mask, (x - x0, y - y0)


def _resample(pair, sma):
    """
    Interpolate a profile to other semi-major axes; NaN outside of it.
    """
    def linear(values, good):
        if not good.any():
            return np.full(len(sma), np.nan)
        return np.interp(sma, pair.sma[good], values[good], left=np.nan,
                         right=np.nan)

    good = np.isfinite(pair.intensity)
    value = linear(pair.intensity, good)
    # log-linear between two radii where the intensity is positive at both
    positive = pair.intensity > 0
    log = linear(np.log(np.where(positive, pair.intensity, 1.0)), good)
    both = linear(np.where(positive, 1.0, 0.0), good) == 1
    value = np.where(both, np.exp(log), value)
    error = linear(pair.intensity_err, good & np.isfinite(pair.intensity_err))
    # the components have no jump at 180 degrees
    e1, e2 = ellipse_components(pair.ellipticity, np.radians(
        np.where(pair.ellipticity == 0, 0.0, pair.theta)))
    shaped = np.isfinite(e1)
    e1, e2 = linear(e1, shaped), linear(e2, shaped)
    eps, theta = ellipse_shape(e1, e2)
    return {'intensity': value, 'intensity_err': error, 'ellipticity': eps,
            'theta': np.mod(np.degrees(theta), 180.0)}


def read_shards(folder, split):
    """
    Read the shards of a split that `~astro_pix2prof.write_shards` wrote.

    Parameters
    ----------
    folder : path-like
        The folder.

    split : str
        'train', 'validation' or 'test'.

    Returns
    -------
    arrays : dict of `numpy.ndarray`

    Raises
    ------
    FileNotFoundError
        If there is no shard of that split.
    """
    paths = sorted(Path(folder).glob(f'{split}-*.npz'))
    if not paths:
        msg = f'data.folder: {folder} has no {split}-*.npz'
        raise FileNotFoundError(msg)
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            parts.append({key: file[key] for key in file.files})
    return {key: (parts[0][key] if key == 'sma' and parts[0][key].ndim == 1
                  else np.concatenate([part[key] for part in parts]))
            for key in parts[0]}
