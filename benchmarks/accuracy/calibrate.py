# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Calibrate the errors of a ring network on GalSim images.

The factors of its error model are fitted such that 68.3% of the rings lie
within their errors on images of four surveys, and on images that are hard
to measure, that are rendered here, by another renderer than that of the
training images, with seeds that neither the test sets nor any other script
have; likewise those of ellipticity, angle, centre and enclosed light, if it
states them. Networks that are told the error of the sky are told it times
the factor of ``SKY_FACTORS`` with which images are off by least in the mean
(where one off by more than ``LOST`` counts as that): pipelines and the
training images do not mean quite the same. All this goes into the model card;
the weights stay as they are.
``--check`` changes nothing and prints how many rings lie within the errors.

    python -m benchmarks.accuracy.calibrate build/validation rings
    python -m benchmarks.accuracy.calibrate build/validation rings --check
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits

from astro_pix2prof import Pix2ProfFitter, ProfileBatch
from astro_pix2prof.networks.readers.rings import scale_errors, scale_stated
from astro_pix2prof.networks.weights import find_weights
from astro_pix2prof.profile.interpolation import interpolate_smoothly
from astro_pix2prof.training.error_model import (
    SimulatedErrors,
    fit_correlation,
    fit_error_scale,
    fit_stated_scale,
)
from benchmarks.accuracy.sets import ImageSet, render_set

SETS = {
    'sdss': ImageSet('SDSS g, r, i', 'sdss-r', ('g', 'r', 'i'), 60, 7101),
    'hsc': ImageSet('HSC i', 'hsc-i', (), 80, 7102),
    'lsst': ImageSet('LSST r', 'lsst-r', (), 60, 7103),
    'legacy': ImageSet('Legacy Surveys r', 'legacy-r', (), 80, 7104),
    'hard': ImageSet('Hard, SDSS r', 'sdss-r', (), 140, 7105, 'hard'),
    'sersic': ImageSet('Flat Sersic laws', 'sdss-r', (), 40, 7106, 'sersic'),
}
# Sets that are shown, and with which nothing is fitted.
HARD = ('hard',)
N_BINS = 12
SKY_FACTORS = 1.0, 0.5, 0.25
# An image is off if the median of its absolute errors is more (mag).
FAR, LOST = 0.1, 0.5
# The angle of a rounder ellipse than this means nothing.
LEAST_FLAT = 0.1
# What a profile may state, besides its values.
STATED = {'eps_error': 'ellipticity', 'pa_error': 'position angle',
          'enclosed_error': 'magnitude within', 'centre_error': 'centre'}


def compare(batch, paths, first):
    """
    Compare the rings of images with the truth.

    Parameters
    ----------
    batch : `~astro_pix2prof.ProfileBatch`
        What was measured.

    paths : list of `~pathlib.Path`
        The images.

    first : int
        The number of the first image.

    Returns
    -------
    errors : `~astro_pix2prof.training.error_model.SimulatedErrors`

    stated : dict of tuple of 1D `~numpy.ndarray`
        By the names of ``STATED``: errors, and how far it is off.
    """
    rows, per_image = [], []
    stated = {name: [] for name in STATED}
    for k, path in enumerate(paths):
        profile, scale = batch[k], batch.galaxies['pixel_scale'][k].value
        if len(profile) < 2:
            # nothing was found
            continue
        truth, header = fits.getdata(path, 'TRUTH'), fits.getheader(path)
        true, at = truth['intensity'], truth['sma'].astype(float)
        ends = ~(true > truth['ring_noise'])
        end = int(np.argmax(ends)) if ends.any() else len(at)
        sma = profile['radius'].value / scale
        for name, pair in compare_stated(profile, sma, truth, header,
                                         at[max(end, 1) - 1]).items():
            stated[name].append(pair)
        # at the radii of the truth, which is no straight line between them
        at = at[:max(end, 1)]
        at = at[at <= sma[-1]]
        mag = interpolate_smoothly(sma, -2.5 * np.log10(np.asarray(
            profile['intensity'].value) * scale**2), np.maximum(at, sma[0]))
        difference = mag + 2.5 * np.log10(np.maximum(true[:len(at)], 1e-30))
        noise = -2.5 * np.log10(profile.meta['noise'])
        error = np.interp(at, sma, profile['surface_brightness_err'].value)
        eps = np.interp(at, sma, np.asarray(profile['ellipticity']))
        found = np.stack([mag - noise, error, difference, at,
                          np.full(len(at), first + k), eps])
        found = found[:, np.isfinite(found).all(0) & (error > 0)]
        rows.append(found)
        per_image.append(np.median(np.abs(found[2])) if found.size
                         else np.nan)
    return (SimulatedErrors(*np.concatenate(rows, axis=1),
                            np.array(per_image)),
            {name: np.concatenate(pairs, axis=1)
             for name, pairs in stated.items() if pairs})


def compare_stated(profile, sma, truth, header, end):
    """
    Compare what a profile states besides its values with the truth.
    """
    if 'mag_enclosed_err' not in profile.colnames:
        return {}
    at = truth['sma'].astype(float)
    # (within two pixels, the light within is that of parts of pixels)
    use = (sma <= end) & (sma > 2)
    twice, eps = 2 * np.radians(truth['theta']), truth['ellipticity']
    e1, e2 = (np.interp(sma, at, eps * part(twice))
              for part in (np.cos, np.sin))
    own = np.asarray(profile['ellipticity'])
    # north is up and east is left: from +y towards -x
    theta = np.radians(profile['pa'].to_value('deg') + 90)
    away = theta - 0.5 * np.arctan2(e2, e1)
    flat = use & (np.hypot(e1, e2) > LEAST_FLAT)
    light = np.cumsum(np.diff(np.pi * at**2 * (1 - eps), prepend=0.0)
                      * 0.5 * (truth['intensity'] + np.append(
                          truth['intensity'][:1], truth['intensity'][:-1])))
    within = np.interp(sma, at, light)
    mag = profile['mag_enclosed'].to_value('mag') - 22.5
    with np.errstate(divide='ignore'):
        mag = mag + 2.5 * np.log10(within)
    off = [profile.meta[name] - header[key] for name, key in (
        ('x_centre', 'XTRUE'), ('y_centre', 'YTRUE'))]
    found = {
        'eps_error': (profile['ellipticity_err'], own - np.hypot(e1, e2),
                      use),
        'pa_error': (np.radians(profile['pa_err'].to_value('deg')),
                     (away + np.pi / 2) % np.pi - np.pi / 2, flat),
        'enclosed_error': (profile['mag_enclosed_err'].value, mag, use)}
    found = {name: np.array([np.asarray(error, dtype=float)[part],
                             difference[part]])
             for name, (error, difference, part) in found.items()}
    found['centre_error'] = np.array([
        [profile.meta.get('centre_err', np.nan)] * 2, off])
    return {name: pair[:, np.isfinite(pair).all(0) & (pair[0] > 0)]
            for name, pair in found.items()}


def measure(fitter, images):
    """
    Measure all sets of images and compare them with the truth.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter.

    images : dict of list of `~pathlib.Path`
        The images of each set.

    Returns
    -------
    errors, stated : dict
        What `compare` returns, by the names of the sets.
    """
    found, others, first = {}, {}, 0
    for name, paths in images.items():
        batch = ProfileBatch.concatenate(fitter.fit_many(paths))
        found[name], others[name] = compare(batch, paths, first)
        first += len(paths)
    return found, others


def choose_sky_factor(fitter, images):
    """
    Choose the factor of the error of the sky, and measure all with it.

    Parameters
    ----------
    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The fitter; its reader keeps the factor.

    images : dict of list of `~pathlib.Path`
        The images of each set.

    Returns
    -------
    errors, stated : dict
        As of `measure`.
    """
    tried, mean = {}, {}
    for factor in SKY_FACTORS:
        fitter.reader.sky_factor = factor
        tried[factor] = measure(fitter, images)
        off = np.concatenate([part.per_image
                              for part in tried[factor][0].values()])
        mean[factor] = np.nanmean(off.clip(max=LOST))
        print(f'error of the sky told {factor:g} times: median '
              f'{np.nanmedian(off):.4f} mag, mean {mean[factor]:.4f} mag, '
              f'off by more than {FAR:g}: {np.nanmean(off > FAR):.1%}')
    best = min(SKY_FACTORS, key=mean.get)
    fitter.reader.sky_factor = best
    return tried[best]


def show(name, errors, scaled):
    """
    Print how many rings lie within their errors.
    """
    ratio = np.abs(errors.difference) / scaled
    snr = 1.0857 / scaled
    parts = [f'{np.mean(ratio[(snr >= low) & (snr < high)] < 1):.1%}'
             for low, high in ((0, 8), (8, 25), (25, 80), (80, np.inf))]
    print(f'{name:8} {len(errors.per_image):4} images: median '
          f'{np.nanmedian(errors.per_image):.4f} mag; within 1 sigma '
          f'{np.mean(ratio < 1):.1%}, 2 sigma {np.mean(ratio < 2):.1%}; by '
          f'error, large to small: {", ".join(parts)}')


def main(args=None):
    """
    Render, measure, fit and write.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path, help='of the images')
    parser.add_argument('weights', help='a name or a .safetensors file')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--jobs', type=int, default=2)
    args = parser.parse_args(args)
    fitter = Pix2ProfFitter(args.weights, device='cpu')
    if fitter.card['architecture'] != 'rings':
        print(f'weights: must be of a ring network, got {args.weights}',
              file=sys.stderr)
        return 1
    stated = fitter.card.get('error_model')
    if not args.check:
        fitter.reader.errors = None
    images = {name: render_set(chosen, args.folder / name, n_jobs=args.jobs)
              for name, chosen in SETS.items()}
    if args.check or not fitter.network.config.sky_prior:
        found, others = measure(fitter, images)
    else:
        found, others = choose_sky_factor(fitter, images)
    for name in SETS:
        scaled = found[name].scatter
        if not args.check and stated:
            scaled = scale_errors(stated, found[name].value, scaled,
                                  found[name].sma, found[name].eps)
        show(f'{name} before', found[name], scaled)
    if not args.check:
        # (of hard images the network is the less sure: with them, errors of
        # usual images would come out too small)
        found, others = ({name: part for name, part in parts.items()
                          if name not in HARD} for parts in (found, others))
    rows = SimulatedErrors(*(np.concatenate(column) for column in zip(
        *found.values(), strict=True)))
    others = {name: np.concatenate([
        part[name] for part in others.values() if name in part], axis=1)
        for name in STATED if any(part[name].size for part in others.values()
                                  if name in part)}
    if args.check:
        for name, (error, off) in others.items():
            print(f'{STATED[name]}: {np.mean(np.abs(off) < error):.1%} of '
                  f'{len(off)} within the error')
        return 0
    model = fit_error_scale(rows.value, rows.scatter, rows.difference,
                            rows.sma, eps=rows.eps, n_bins=N_BINS)
    scaled = scale_errors(model, rows.value, rows.scatter, rows.sma,
                          rows.eps)
    if fitter.network.config.sky_prior:
        model['sky_factor'] = fitter.reader.sky_factor
    model['correlation'] = fit_correlation(
        rows.sma, rows.difference / scaled, rows.image)
    for name, (error, off) in others.items():
        model[f'log_{name}'], model[f'factor_{name}'] = fit_stated_scale(
            error, off)
        held = np.mean(np.abs(off) < scale_stated(model, name, error))
        print(f'{STATED[name]}: {np.mean(np.abs(off) < error):.1%} of '
              f'{len(off)} within the error before, {held:.1%} after')
    for name, errors in found.items():
        show(f'{name} after', errors, scale_errors(
            model, errors.value, errors.scatter, errors.sma, errors.eps))
    card_file = Path(find_weights(args.weights)).with_suffix('.json')
    card = json.loads(card_file.read_text())
    card['error_model'] = {
        **model, 'n_images': len(rows.per_image), 'n_views': 1,
        'data': 'GalSim images as of SDSS, HSC, LSST and the Legacy '
                'Surveys, and flat Sersic laws, of '
                'benchmarks/accuracy/calibrate.py'}
    card_file.write_text(json.dumps(card, indent=1) + '\n')
    print(f'written: {card_file}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
