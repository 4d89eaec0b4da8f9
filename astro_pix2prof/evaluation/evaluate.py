# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the errors of fitters on galaxies with known profiles.
"""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import check_integer, check_number
from astro_pix2prof.evaluation.result import MU_LIMIT, Evaluation
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.brightness import SB_UNIT, intensity_to_sb
from astro_pix2prof.profile.identity import magnitude_systems
from astro_pix2prof.profile.interpolation import interpolate_smoothly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from astropy.units import Quantity

    from astro_pix2prof.typing import ImageLike

__all__ = ['evaluate_fitters']


# Characters of a message at most.
_LONGEST = 1000


def evaluate_fitters(fitters: dict[str, Callable[..., Any]],
                     images: Sequence[ImageLike], *,
                     truths: Sequence[Table] | None = None,
                     mu_limit: float | Quantity = MU_LIMIT, n_jobs: int = 1,
                     progress: bool = False) -> Evaluation:
    """
    Measure the errors of fitters on galaxies with known profiles.

    Every fitter measures every image. Its profile is interpolated to the
    radii of the truth, by a cubic that does not overshoot, and compared
    there, as far out as the ring's signal-to-noise ratio, which the truth
    tells, has not fallen to 1, and where the truth is brighter than
    ``mu_limit``. A fitter that raises has failed on the image; the run goes
    on.

    Parameters
    ----------
    fitters : dict of fitters or callables
        The fitters by their labels: fitters with a method ``fit_many``, or
        functions of an image that return its profile.

    images : sequence
        Paths of FITS files with an extension TRUTH, or pairs of an image of
        any kind (see `~astro_pix2prof.GalaxyCutout`) and its truth. Images
        need a pixel scale and a zero point. The header's G_TYPE is the
        type of the galaxy.

    truths : sequence of `~astropy.table.Table`, optional
        The truths, if ``images`` does not hold them. A truth has the columns
        ``sma`` (pixels), ``intensity`` (the image's unit per pixel) and, for
        the signal-to-noise ratio, ``ring_noise``; or it is a profile.

    mu_limit : float or `~astropy.units.Quantity`, optional
        Where the bright part of the profiles ends, in mag/arcsec2.

    n_jobs : int, optional
        The number of processes; more than one needs fitters that can be
        pickled.

    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    evaluation : `Evaluation`
        The errors.

    Raises
    ------
    TypeError
        If ``fitters`` is not a dict of callables, an image has no truth, or
        ``n_jobs`` is not an integer.

    ValueError
        If ``n_jobs`` is not positive, there is no fitter or no image, the
        truths are not as many as the images, or a truth or its image
        cannot be used.

    Examples
    --------
    >>> from astro_pix2prof import (IsophoteFitter, evaluate_fitters,
    ...                             load_example, load_example_truth)
    >>> evaluation = evaluate_fitters({'isophotes': IsophoteFitter()},
    ...                               [(load_example(), load_example_truth())])
    >>> evaluation.summary()['n_images', 'n_failed', 'success'].pprint()
    n_images n_failed success
    -------- -------- -------
           1        0       1
    """
    fitters = _check_fitters(fitters)
    n_jobs = check_integer(n_jobs, 'n_jobs', least=1)
    mu_limit = check_number(mu_limit, 'mu_limit', unit=SB_UNIT) * SB_UNIT
    targets = [_read_target(i, image, truth, mu_limit.value)
               for i, (image, truth) in enumerate(_pair(images, truths))]
    runs, rings = [], []
    for label, fitter in fitters.items():
        results = _measure(fitter, [t.image for t in targets], n_jobs)
        if progress:
            from tqdm import tqdm

            results = tqdm(results, desc=label, total=len(targets))
        for i, (target, (profile, seconds, message)) in enumerate(
                zip(targets, results, strict=True)):
            value = error = np.full(len(target.radius), np.nan)
            if not message:
                try:
                    value, error = _at_radii(profile, target)
                except Exception as problem:
                    # Count a table that is no profile as a failure
                    message = _text(problem)
            runs.append((label, i, target.name, target.band, target.kind,
                         seconds * u.s, message))
            n = len(target.radius)
            rings.append(QTable({
                'fitter': np.full(n, label), 'image': np.full(n, i),
                'radius': target.radius * u.arcsec,
                'surface_brightness': target.mu * SB_UNIT,
                'snr': target.snr, 'in_snr': target.in_snr,
                'difference': (value - target.mu) * SB_UNIT,
                'error': error * SB_UNIT}))
    return Evaluation(
        QTable(rows=runs, names=('fitter', 'image', 'name', 'band', 'type',
                                 'seconds', 'message')),
        QTable({name: np.concatenate([t[name] for t in rings])
                for name in rings[0].colnames}), mu_limit=mu_limit)


@dataclass
class _Target:
    """
    An image and its true profile, in arcsec and mag/arcsec2.
    """

    image: object
    name: str
    band: str
    kind: str
    half_pixel: float
    radius: np.ndarray
    mu: np.ndarray
    snr: np.ndarray
    in_snr: np.ndarray


def _check_fitters(fitters):
    if not isinstance(fitters, dict):
        msg = ('fitters must be a dict of callables by their labels, got '
               f'{type(fitters).__name__}')
        raise TypeError(msg)
    if not fitters:
        msg = 'fitters must hold at least one fitter, got none'
        raise ValueError(msg)
    for label, fitter in fitters.items():
        if not callable(fitter) and _many(fitter) is None:
            msg = (f'fitters[{label!r}] must be callable, got '
                   f'{type(fitter).__name__}')
            raise TypeError(msg)
    return {str(label): fitter for label, fitter in fitters.items()}


def _pair(images, truths):
    """
    Make pairs of images and truths; a path's truth may be in the file.
    """
    if isinstance(images, str | Path):
        msg = f'images must be a sequence of images, got {str(images)!r}'
        raise TypeError(msg)
    images = list(images)
    if not images:
        msg = 'images must hold at least one image, got none'
        raise ValueError(msg)
    if truths is not None:
        truths = list(truths)
        if len(truths) != len(images):
            msg = (f'truths must be as many as images, {len(images)}, got '
                   f'{len(truths)}')
            raise ValueError(msg)
        return zip(images, truths, strict=True)
    pairs = []
    for i, image in enumerate(images):
        if isinstance(image, str | Path):
            pairs.append((image, _read_truth(i, image)))
        elif isinstance(image, tuple | list) and len(image) == 2:
            pairs.append(tuple(image))
        else:
            msg = (f'images[{i}] must be a path or a pair of an image and '
                   f'its truth, got {type(image).__name__}; or give truths')
            raise TypeError(msg)
    return pairs


def _read_truth(i, path):
    with fits.open(path) as hdus:
        if 'TRUTH' not in hdus:
            msg = (f'images[{i}] must have an extension TRUTH, which {path} '
                   'has not; or give truths')
            raise ValueError(msg)
        truth = Table(hdus['TRUTH'].data)
        truth.meta['G_TYPE'] = hdus[0].header.get('G_TYPE', '')
    return truth


def _read_target(i, image, truth, mu_limit):
    try:
        cutout = GalaxyCutout.from_any(image)
    except (TypeError, ValueError) as error:
        msg = f'images[{i}] cannot be measured: {error}'
        raise ValueError(msg) from error
    if cutout.radius_unit != u.arcsec or not np.isfinite(
            cutout.sb_zeropoint):
        msg = f'images[{i}] must have a pixel scale and a zero point'
        raise ValueError(msg)
    names = set(getattr(truth, 'colnames', ()))
    if {'sma', 'intensity'} <= names:
        radius = _numbers(truth['sma']) * cutout.radius_scale
        intensity = _numbers(truth['intensity'])
        mu, _ = intensity_to_sb(intensity * cutout.intensity_scale,
                                zeropoint=cutout.sb_zeropoint)
        noise = 'ring_noise'
    elif {'radius', 'surface_brightness', 'intensity'} <= names:
        radius = _numbers(truth['radius'], u.arcsec)
        intensity = _numbers(truth['intensity'])
        mu = _numbers(truth['surface_brightness'], SB_UNIT)
        noise = 'intensity_err'
        systems = magnitude_systems([truth.meta, {
            'mag_system': cutout.mag_system}])
        if len(systems) > 1:
            warnings.warn(
                f'the truth of images[{i}] has {systems[0]} magnitudes and '
                f'the image {systems[1]}: deviations hold that of the '
                'systems', AstropyUserWarning, stacklevel=4)
    else:
        msg = (f'the truth of images[{i}] must be a table with the columns '
               'sma and intensity, or a profile, got '
               f'{sorted(names) or type(truth).__name__}')
        raise ValueError(msg)
    noise = (_numbers(truth[noise]) if noise in names
             else np.zeros(len(radius)))
    with np.errstate(divide='ignore', invalid='ignore'):
        snr = np.where(noise > 0, intensity / noise, np.inf)
    good = np.isfinite(mu)
    high = good & (snr > 1)
    # The central pixel of a faint dwarf is noisier than the rings around
    # it: the profile ends beyond the ring of the highest ratio.
    peak = int(np.argmax(np.where(high, snr, -1.0)))
    ends = np.flatnonzero(~high & (np.arange(len(high)) > peak))
    in_snr = high & (np.arange(len(high)) < (
        ends[0] if ends.size else len(high)))
    rows = in_snr | (good & (mu < mu_limit))
    if not rows.any():
        msg = (f'the truth of images[{i}] must have a ring with a '
               'signal-to-noise ratio above 1 or brighter than mu_limit')
        raise ValueError(msg)
    header = {**getattr(image, 'meta', {}), **truth.meta}
    return _Target(
        image=image, name=cutout.name or '', band=cutout.band or '',
        kind=str(header.get('G_TYPE', '')),
        half_pixel=0.5 * cutout.radius_scale, radius=radius[rows],
        mu=mu[rows], snr=snr[rows], in_snr=in_snr[rows])


def _numbers(column, unit=None):
    """
    Convert a column to plain numbers; masked ones become not-a-number.
    """
    if hasattr(column, 'mask'):
        column = column.filled(np.nan)
    if unit is not None:
        return np.array(u.Quantity(column).to_value(unit), dtype=float)
    return np.array(getattr(column, 'value', column), dtype=float)


def _at_radii(profile, target):
    """
    Interpolate surface brightness and error to the radii of the truth.

    Where a value between two rings has one that is not-a-number beside it,
    there is none. A profile that begins within half a pixel of the centre
    stands for the centre, too.
    """
    names = getattr(profile, 'colnames', ())
    if not {'radius', 'surface_brightness'} <= set(names):
        msg = ('the fitter must return a profile table, got '
               f'{type(profile).__name__}')
        raise TypeError(msg)
    at = _numbers(profile['radius'], u.arcsec)
    order = np.argsort(at)
    order = order[np.isfinite(at[order])]
    at, want = at[order], target.radius.copy()
    columns = []
    if at.size:
        # not to lose the last ring by rounding
        want[np.isclose(want, at[-1], rtol=1e-9, atol=0)] = at[-1]
        if at[0] <= target.half_pixel * (1 + 1e-6):
            want = np.maximum(want, at[0])
    for name in ('surface_brightness', 'surface_brightness_err'):
        if name not in names or not at.size:
            columns.append(np.full(len(want), np.nan))
            continue
        values = _numbers(profile[name], SB_UNIT)[order]
        columns.append(np.interp(want, at, values, left=np.nan,
                                 right=np.nan))
        known = np.isfinite(values)
        if name == 'surface_brightness' and known.any():
            smooth = interpolate_smoothly(at[known], values[known], want)
            columns[0] = np.where(np.isfinite(columns[0]), smooth,
                                  columns[0])
    columns[0][~np.isfinite(columns[0])] = np.nan
    return columns


def _text(problem):
    return _shorten(' '.join(f'{type(problem).__name__}: {problem}'.split()))


def _shorten(text):
    """
    Cut a message: one long text would widen the column of all.
    """
    return text if len(text) <= _LONGEST else text[:_LONGEST - 1] + '…'


def _many(fitter):
    """
    Get the method for many images, `None` of a function of an image.
    """
    return getattr(fitter, 'fit_many', None)


def _measure(fitter, images, n_jobs):
    """
    Measure the images.

    Yields for each image the profile, the seconds, and the reason if there
    is no profile.
    """
    if _many(fitter) is not None:
        yield from _measure_many(fitter, images, n_jobs)
    elif n_jobs == 1:
        for image in images:
            yield _measure_one(fitter, image)
    else:
        # a process that is forked beside the threads of torch may hang
        with ProcessPoolExecutor(n_jobs, get_context('spawn')) as pool:
            jobs = [pool.submit(_measure_one, fitter, image)
                    for image in images]
            for job in jobs:
                try:
                    yield job.result()
                except Exception as problem:
                    # The process has died
                    yield None, np.nan, _text(problem)


def _measure_one(fitter, image):
    """
    Measure an image with a function.
    """
    start = time.perf_counter()
    profile, message = None, ''
    try:
        profile = fitter(image)
    except Exception as problem:
        # Store the exception: failures are part of the result
        message = _text(problem)
    return profile, time.perf_counter() - start, message


def _measure_many(fitter, images, n_jobs):
    """
    Measure images with a fitter, in its batches.
    """
    done, problem = 0, None
    start = time.perf_counter()
    try:
        for batch in fitter.fit_many(images,
                                     workers=0 if n_jobs == 1 else n_jobs):
            seconds = (time.perf_counter() - start) / max(len(batch), 1)
            results = [(profile, seconds, '') for profile in batch]
            for k in np.flatnonzero(batch.failed).tolist():
                message = str(batch.galaxies['message'][k])
                results[k] = None, seconds, _shorten(message) or 'no profile'
            done += len(results)
            yield from results[:len(images) + len(results) - done]
            start = time.perf_counter()
    except Exception as error:
        problem = error
    if done > len(images):
        msg = (f'fit_many must give {len(images)} profiles, got {done} or '
               'more')
        raise ValueError(msg)
    for image in images[done:]:
        if problem is not None and callable(fitter):
            # one of the images may be to blame for all
            yield _measure_one(fitter, image)
            continue
        problem = problem or ValueError(
            f'fit_many must give {len(images)} profiles, got {done}')
        yield None, np.nan, _text(problem)
