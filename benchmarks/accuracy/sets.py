# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The test sets of the evaluation, and the measurements of each method.

A set is rendered once and measured once by each method; what is found in
the folder is used again.
"""

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from astro_pix2prof import (
    Evaluation,
    IsophoteFitter,
    evaluate_fitters,
    write_profile,
)
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.fitting.base import ProfileFitter
from astro_pix2prof.profile.brightness import POGSON, SB_UNIT

__all__ = [
    'ISOPHOTES',
    'NETWORK',
    'ORACLE',
    'SETS',
    'ImageSet',
    'classify',
    'measure_set',
    'render_set',
]

NETWORK, ISOPHOTES = 'Pix2ProfFitter', 'IsophoteFitter'
ORACLE = 'true ellipses'
METHODS = (NETWORK, ISOPHOTES, ORACLE)
# An inclined disc (ellipticity of the isophotes).
INCLINED = 0.6
DISCS = ('spiral', 'barred', 's0', 'edge-on')
CLASSES = ('discs, ellipticity > 0.6', 'arms', 'bars',
           'overlapping neighbour', 'rest')


@dataclass(frozen=True)
class ImageSet:
    """
    A set of images of a survey.

    Attributes
    ----------
    title : str
        What it is called in tables.

    survey : str
        A key of ``benchmarks.render.galaxies.SURVEYS``.

    bands : tuple of str
        The bands of each galaxy; without any, that of the survey.

    n_galaxies, seed : int
        The number of galaxies and their seed.

    renderer : str, optional
        The module of ``benchmarks.render`` that renders them: 'galaxies'
        (or 'bands'), 'hard' or 'sersic'.
    """

    title: str
    survey: str
    bands: tuple
    n_galaxies: int
    seed: int
    renderer: str = 'galaxies'

    @property
    def n_images(self):
        """
        The number of images (int).
        """
        return self.n_galaxies * max(len(self.bands), 1)


# No other script and no test has these seeds.
SETS = {
    'sdss': ImageSet('SDSS g, r, i', 'sdss-r', ('g', 'r', 'i'), 100, 5111),
    'hsc': ImageSet('HSC i', 'hsc-i', (), 60, 5112),
    'lsst': ImageSet('LSST r', 'lsst-r', (), 60, 5113),
    'legacy': ImageSet('Legacy Surveys r', 'legacy-r', (), 60, 5114),
    'hard': ImageSet('Hard, SDSS r', 'sdss-r', (), 210, 5105, 'hard'),
    'sersic': ImageSet('Flat Sersic laws', 'sdss-r', (), 60, 5106, 'sersic'),
}


def _render(path, seed, survey, band, renderer):
    """
    Write one image, whole or not at all; none that GalSim cannot draw.
    """
    # GalSim is not needed where the images are there
    from galsim import GalSimError

    from benchmarks.render.bands import Band
    from benchmarks.render.galaxies import render
    from benchmarks.render.hard import render_hard
    from benchmarks.render.sersic import render_sersic

    part = path.with_suffix('.part')
    try:
        if renderer == 'hard':
            hdus = render_hard(seed, survey=survey)
        elif renderer == 'sersic':
            hdus = render_sersic(seed)
        else:
            hdus = render(seed, survey=survey, keep_galaxy=True,
                          band=None if band is None else Band(seed, band))
    except GalSimError as error:
        print(f'{path}: {error}')
        return
    hdus.writeto(part, overwrite=True)
    part.replace(path)


def render_set(chosen, folder, *, n_jobs=1):
    """
    Render the images of a set that are not there yet.

    Parameters
    ----------
    chosen : `ImageSet`
        The set.

    folder : `~pathlib.Path`
        Where its images lie.

    n_jobs : int, optional
        The number of processes.

    Returns
    -------
    paths : list of `~pathlib.Path`
        The images, galaxy by galaxy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths, jobs = [], []
    for k in range(chosen.n_galaxies):
        seed = chosen.seed * 100_000 + k
        for band in chosen.bands or (None,):
            ending = f'_{band}' if band else ''
            path = folder / f'galaxy_{k:04d}{ending}.fits'
            paths.append(path)
            if not path.exists():
                jobs.append((path, seed, chosen.survey, band,
                             chosen.renderer))
            elif fits.getval(path, 'SEED') != seed:
                msg = (f'{path} must have the seed {seed}, got '
                       f'{fits.getval(path, "SEED")}; give another folder')
                raise ValueError(msg)
    if jobs:
        with ProcessPoolExecutor(n_jobs, get_context('spawn')) as pool:
            for _ in pool.map(_render, *zip(*jobs, strict=True)):
                pass
    return [path for path in paths if path.exists()]


def classify(path, *, cases=False):
    """
    The classes of `CLASSES` that an image belongs to.

    Parameters
    ----------
    path : path-like
        An image that `render_set` wrote.

    cases : bool, optional
        Whether the classes are the cases that the headers tell.

    Returns
    -------
    names : list of str
        One or more; 'rest' if it is in no other.
    """
    header = fits.getheader(path)
    if cases:
        return [header['CASE']]
    truth = fits.getdata(path, 'TRUTH')
    kind = header['G_TYPE']
    # what the PSF has rounded is as easy as a round galaxy
    outside = (truth['sma'] * 3600 * header['CDELT2'] > header['FWHM'])
    outside &= truth['intensity'] > 3 * truth['ring_noise']
    ellipticity = np.median(truth['ellipticity'][outside]) if (
        outside.any()) else 0.0
    found = (kind in DISCS and ellipticity > INCLINED,
             kind == 'spiral' and bool(header.get('G_ARMS', True)),
             kind == 'barred', header['CASE'] == 'neighbour')
    names = [name for name, member in zip(CLASSES, found, strict=False)
             if member]
    return names or [CLASSES[-1]]


class NetworkKeeper(ProfileFitter):
    """
    Measure with a network and keep the profiles as FOLDER/STEM.ecsv.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    folder : `~pathlib.Path`
        Where the profiles are written.
    """

    def __init__(self, fitter, folder):
        self.fitter, self.folder = fitter, folder

    def fit(self, image, **options):
        """
        Measure an image and return the full result.
        """
        fit = self.fitter.fit(image, **options)
        self._keep(image, fit.profile)
        return fit

    def fit_many(self, images, **options):
        """
        Measure all images in batches.
        """
        images = list(images)
        for batch in self.fitter.fit_many(images, **options):
            first = batch.galaxies['index'][0]
            for k, profile in enumerate(batch):
                if not batch.failed[k]:
                    self._keep(images[first + k], profile)
            yield batch

    def _keep(self, path, profile):
        write_profile(profile, self.folder / f'{path.stem}.ecsv',
                      overwrite=True)


class IsophoteKeeper(ProfileFitter):
    """
    Fit isophotes and keep the profiles, the masks and the skies.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where they are written: STEM.ecsv and STEM.npz.
    """

    def __init__(self, folder):
        self.folder = folder

    def fit(self, path, **options):
        """
        Fit the isophotes of an image and return the full result.
        """
        fit = IsophoteFitter().fit(path, **options)
        write_profile(fit.profile, self.folder / f'{path.stem}.ecsv',
                      overwrite=True)
        np.savez_compressed(self.folder / f'{path.stem}.npz', sky=fit.sky,
                            mask=fit.mask)
        return fit


class Oracle:
    """
    Masked means of rings one pixel wide along the true ellipses.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where an `IsophoteKeeper` left its masks and skies.
    """

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, path):
        """
        The profile of an image, with the photon noise as its error.
        """
        with np.load(self.folder / f'{path.stem}.npz') as kept:
            sky, mask = float(kept['sky']), kept['mask']
        with fits.open(path) as hdus:
            header, data = hdus[0].header, hdus[0].data.astype(float)
            true = QTable(hdus['TRUTH'].data)
        mask |= ~np.isfinite(data)
        rings = measure_rings(
            np.where(mask, 0.0, data - sky), ~mask,
            (header['XTRUE'], header['YTRUE']),
            true['sma'], true['ellipticity'], np.radians(true['theta']),
            sigma=header['SKYNOISE'])
        pixel = 3600 * header['CDELT2']
        with np.errstate(invalid='ignore', divide='ignore'):
            mu = 22.5 - 2.5 * np.log10(rings.mean / pixel**2)
        mu[~np.isfinite(mu)] = np.nan
        return QTable({
            'radius': true['sma'] * pixel * u.arcsec,
            'surface_brightness': mu * SB_UNIT,
            'surface_brightness_err': POGSON * (
                true['ring_noise'] / true['intensity']) * SB_UNIT})


def measure_set(paths, folder, fitter, *, n_jobs=1, fresh=False):
    """
    All methods on the images of a set.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        The images.

    folder : `~pathlib.Path`
        Where the evaluations and the profiles are kept.

    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The network; what is kept of it is told apart by its checksum.

    n_jobs : int, optional
        The number of processes for the isophotes.

    fresh : bool, optional
        Whether to measure again what has been measured.

    Returns
    -------
    evaluations : list of `~astro_pix2prof.Evaluation`
        One for each of `METHODS`.

    profiles : dict of `~pathlib.Path`
        The folders of the profiles of the two fitters.
    """
    # (the same weights measure otherwise with other settings)
    used = json.dumps([fitter.card.get(key) for key in (
        'sha256', 'config', 'error_model')])
    used = hashlib.sha256(used.encode()).hexdigest()[:12]
    profiles = {NETWORK: folder / f'network_{used}',
                ISOPHOTES: folder / 'isophotes'}
    for part in profiles.values():
        part.mkdir(parents=True, exist_ok=True)
    fitters = {NETWORK: NetworkKeeper(fitter, profiles[NETWORK]),
               ISOPHOTES: IsophoteKeeper(profiles[ISOPHOTES]),
               ORACLE: Oracle(profiles[ISOPHOTES])}
    names = {NETWORK: profiles[NETWORK].name, ISOPHOTES: 'isophotes',
             ORACLE: 'true_ellipses'}
    evaluations = []
    for label, method in fitters.items():
        kept = Path(folder / f'{names[label]}_{len(paths)}.ecsv')
        if kept.exists() and not fresh:
            evaluations.append(Evaluation.read(kept))
            continue
        found = evaluate_fitters({label: method}, paths, n_jobs=(
            n_jobs if label == ISOPHOTES else 1), progress=True)
        found.write(kept, overwrite=True)
        evaluations.append(found)
    return evaluations, profiles
