# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Calibrate the errors of a ring network on GalSim images.

The factors of its error model are fitted such that 68.3% of the rings lie
within their errors on images of four surveys that are rendered here, by
another renderer than that of the training images, with seeds that neither
the test sets nor any other script have. They go into the model card; the
weights stay as they are. ``--check`` changes nothing and prints how many
rings lie within the errors.

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
from astro_pix2prof.networks.readers.rings import scale_errors
from astro_pix2prof.networks.weights import find_weights
from astro_pix2prof.training.error_model import (
    SimulatedErrors,
    fit_correlation,
    fit_error_scale,
)
from benchmarks.accuracy.sets import ImageSet, render_set

SETS = {
    'sdss': ImageSet('SDSS g, r, i', 'sdss-r', ('g', 'r', 'i'), 60, 7101),
    'hsc': ImageSet('HSC i', 'hsc-i', (), 80, 7102),
    'lsst': ImageSet('LSST r', 'lsst-r', (), 60, 7103),
    'legacy': ImageSet('Legacy Surveys r', 'legacy-r', (), 80, 7104),
}
N_BINS = 12


def compare(batch, paths, first):
    """
    The errors of the rings of images with known profiles.

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
    """
    rows, per_image = [], []
    for k, path in enumerate(paths):
        profile, scale = batch[k], batch.galaxies['pixel_scale'][k].value
        truth = fits.getdata(path, 'TRUTH')
        true, at = truth['intensity'], truth['sma'].astype(float)
        ends = ~(true > truth['ring_noise'])
        end = int(np.argmax(ends)) if ends.any() else len(at)
        sma = profile['radius'].value / scale
        # at the radii of the truth, which is no straight line between them
        at = at[:max(end, 1)]
        at = at[at <= sma[-1]]
        mag = np.interp(at, sma, -2.5 * np.log10(np.asarray(
            profile['intensity'].value) * scale**2))
        difference = mag + 2.5 * np.log10(np.maximum(true[:len(at)], 1e-30))
        noise = -2.5 * np.log10(profile.meta['noise'])
        error = np.interp(at, sma, profile['surface_brightness_err'].value)
        rows.append(np.stack([mag - noise, error, difference, at,
                              np.full(len(at), first + k)]))
        per_image.append(np.median(np.abs(difference)))
    return SimulatedErrors(*np.concatenate(rows, axis=1),
                           np.array(per_image))


def show(name, errors, scaled):
    """
    Print how many rings lie within their errors.
    """
    ratio = np.abs(errors.difference) / scaled
    snr = 1.0857 / scaled
    parts = [f'{np.mean(ratio[(snr >= low) & (snr < high)] < 1):.1%}'
             for low, high in ((0, 8), (8, 25), (25, 80), (80, np.inf))]
    print(f'{name:8} {len(errors.per_image):4} images: within 1 sigma '
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
    stated = fitter.card['error_model']
    fitter.reader.errors = None
    found = {}
    first = 0
    for name, chosen in SETS.items():
        paths = render_set(chosen, args.folder / name, n_jobs=args.jobs)
        batch = ProfileBatch.concatenate(fitter.fit_many(paths))
        found[name] = compare(batch, paths, first)
        first += len(paths)
        show(f'{name} before', found[name], scale_errors(
            stated, found[name].value, found[name].scatter, found[name].sma))
    if args.check:
        return 0
    rows = SimulatedErrors(*(np.concatenate(column) for column in zip(
        *found.values(), strict=True)))
    model = fit_error_scale(rows.value, rows.scatter, rows.difference,
                            rows.sma, n_bins=N_BINS)
    scaled = scale_errors(model, rows.value, rows.scatter, rows.sma)
    model['correlation'] = fit_correlation(
        rows.sma, rows.difference / scaled, rows.image)
    for name, errors in found.items():
        show(f'{name} after', errors, scale_errors(
            model, errors.value, errors.scatter, errors.sma))
    card_file = Path(find_weights(args.weights)).with_suffix('.json')
    card = json.loads(card_file.read_text())
    card['error_model'] = {
        **model, 'n_images': len(rows.per_image), 'n_views': 1,
        'data': 'GalSim images as of SDSS, HSC, LSST and the Legacy '
                'Surveys, of benchmarks/accuracy/calibrate.py'}
    card_file.write_text(json.dumps(card, indent=1) + '\n')
    print(f'written: {card_file}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
