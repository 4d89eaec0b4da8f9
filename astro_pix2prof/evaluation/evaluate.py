# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Comparison of profiles with each other and with the truth.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table

from astro_pix2prof.evaluation.result import MU_LIMIT, Evaluation
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.brightness import SB_UNIT, intensity_to_sb

__all__ = ['evaluate_fitters']


def evaluate_fitters(fitters, images, *, truths=None, mu_limit=MU_LIMIT,
                     n_jobs=1, progress=False):
    """
    Measure the errors of fitters on galaxies with known profiles.

    Every fitter measures every image. Its profile is interpolated to the
    radii of the truth and compared there, as far out as the ring's
    signal-to-noise ratio, which the truth tells, has not fallen to 1, and
    where the truth is brighter than ``mu_limit``. A fitter that raises has
    failed on the image; the run goes on.

    Parameters
    ----------
    fitters : dict of callable
        The fitters by their labels: functions of an image that return its
        profile. A fitter with a method ``measure_all`` gets all images at
        once; it returns a list of profiles, with `None` or an exception
        where it failed.

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
        The number of processes for fitters without ``measure_all``; more
        than one needs fitters that can be pickled.

    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    evaluation : `Evaluation`
        The errors.

    Raises
    ------
    TypeError
        If ``fitters`` is not a dict of callables, or an image has no truth.

    ValueError
        If there is no fitter or no image, the truths are not as many as the
        images, or a truth or its image is not what it has to be.

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
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        msg = f'n_jobs must be a positive integer, got {n_jobs!r}'
        raise ValueError(msg)
    mu_limit = u.Quantity(mu_limit, SB_UNIT)
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
                except Exception as problem:  # so is an unreadable profile
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
    An image and its true profile: arcsec, mag/arcsec2.
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
        if not callable(fitter) and not hasattr(fitter, 'measure_all'):
            msg = (f'fitters[{label!r}] must be callable, got '
                   f'{type(fitter).__name__}')
            raise TypeError(msg)
    return {str(label): fitter for label, fitter in fitters.items()}


def _pair(images, truths):
    """
    Pairs of images and truths; a path's truth may be in the file.
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
    The plain numbers of a column; what is masked is not-a-number.
    """
    if hasattr(column, 'mask'):
        column = column.filled(np.nan)
    if unit is not None:
        return np.array(u.Quantity(column).to_value(unit), dtype=float)
    return np.array(getattr(column, 'value', column), dtype=float)


def _at_radii(profile, target):
    """
    Surface brightness and its error at the radii of the truth.

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
        columns.append(np.interp(want, at, _numbers(
            profile[name], SB_UNIT)[order], left=np.nan, right=np.nan))
    columns[0][~np.isfinite(columns[0])] = np.nan
    return columns


def _text(problem):
    return ' '.join(f'{type(problem).__name__}: {problem}'.split())


def _measure_one(fitter, image):
    """
    Profile, seconds, and why there is no profile.
    """
    start = time.perf_counter()
    profile, message = None, ''
    try:
        profile = fitter(image)
    except Exception as problem:  # failures are part of what is measured
        message = _text(problem)
    return profile, time.perf_counter() - start, message


def _measure(fitter, images, n_jobs):
    """
    What `_measure_one` returns, for each image.
    """
    if hasattr(fitter, 'measure_all'):
        yield from _measure_at_once(fitter, images)
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
                except Exception as problem:  # the process has died
                    yield None, np.nan, _text(problem)


def _measure_at_once(fitter, images):
    start = time.perf_counter()
    try:
        profiles = list(fitter.measure_all(images))
        if len(profiles) != len(images):
            msg = (f'measure_all must return {len(images)} profiles, got '
                   f'{len(profiles)}')
            raise ValueError(msg)
    except Exception as problem:
        if callable(fitter):
            # one of the images may be to blame for all
            for image in images:
                yield _measure_one(fitter, image)
            return
        profiles = [problem] * len(images)
    seconds = (time.perf_counter() - start) / len(images)
    for profile in profiles:
        message = ''
        if profile is None:
            message = 'no profile'
        elif isinstance(profile, Exception):
            message = _text(profile)
        yield profile, seconds, message
