# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Completeness and purity of clumps, on three kinds of images.

The training's simulator with other seeds, discs that GalSim renders after
other laws, and colour pictures (JPEG) of such discs as of the Sloan survey.
Each galaxy is fitted and searched as a user does it; the width of the PSF is
given but for pictures.

    python -m benchmarks.accuracy.clumps --n 60 --table docs/clumps.inc
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table, vstack

from astro_pix2prof import (
    GalaxyCutout,
    Pix2ProfFitter,
    find_clumps,
    measure_detections,
)
from astro_pix2prof.networks.weights import read_card
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.simulation.planting import (
    draw_sources,
    plant_sources,
    source_snr,
)
from astro_pix2prof.training.tasks.clumps import (
    known_sources,
    simulated_views,
    view_frame,
)
from benchmarks.render.clumpy import render_clumpy, render_picture
from benchmarks.tables import describe_environment, list_table, text, to_json

HERE = Path(__file__).parent

SETS = {'simulator': 'Training simulator', 'galsim': 'GalSim discs',
        'pictures': 'Colour pictures'}
METHODS = {'network': 'Network', 'matched': 'Matched filter'}

# The objects that count, and those of which completeness and purity are
# given in bins.
MIN_SNR, MIN_SHARE = 8.0, 0.03


def simulated_cases(n, seed):
    """
    Plant clumps in galaxies of the simulator: image, options, truth.
    """
    simulator = GalaxySimulator('mix', n_pix=160, wobble=0.03)
    generator = torch.Generator().manual_seed(seed)
    for block in range(-(-n // 8)):
        galaxies = simulator.simulate(8, seed=seed * 10_000 + block)
        views = simulated_views(galaxies)
        for k in range(min(8, n - 8 * block)):
            frame = view_frame(views, k)
            known = known_sources(views, k, frame)
            drawn = draw_sources(frame, generator)
            image = plant_sources(frame, drawn, generator)
            snr, contrast = source_snr(frame, *drawn[:, :4].T)
            clumps = views.clumps[k][views.clumps[k][:, 2] > 0]
            own_snr, _ = source_snr(frame, *clumps.T)
            host = frame.flux + float(drawn[drawn[:, 4] == 0, 2].sum())
            truth = Table({
                'x': drawn[:, 0].numpy(), 'y': drawn[:, 1].numpy(),
                'snr': snr.numpy(), 'share': drawn[:, 2].numpy() / host,
                'contrast': contrast.numpy(), 'class': np.where(
                    drawn[:, 4].numpy() > 0, 'odd', 'clump').astype('U5')})
            own = Table({
                'x': clumps[:, 0].numpy(), 'y': clumps[:, 1].numpy(),
                'snr': own_snr.numpy(), 'share': clumps[:, 2].numpy() / host,
                'class': np.full(len(clumps), 'clump', dtype='U5')})
            odd = known[known[:, 2] == 1].numpy()
            others = Table({'x': odd[:, 0], 'y': odd[:, 1],
                            'snr': odd[:, 4], 'class': np.full(
                                len(odd), 'odd', dtype='U5')})
            truth = vstack([truth, own[own['snr'] > 3], others])
            truth.meta['n_clumps'] = int((drawn[:, 4] == 0).sum()) + int(
                (own['snr'] > 3).sum())
            cutout = GalaxyCutout(
                image.numpy(), mask=views.mask[k].numpy(),
                pixel_scale=float(galaxies.pixel_scale[k]), zeropoint=22.5,
                unit='nmgy', position=tuple(frame.centre.tolist()),
                psf_fwhm=frame.fwhm * float(galaxies.pixel_scale[k]))
            yield cutout, {}, truth, frame.fwhm


def rendered_cases(n, seed):
    """
    Render discs with GalSim: image, options, truth.
    """
    for k in range(n):
        frame = render_clumpy(seed * 10_000 + k)
        truth = frame['truth']
        truth.meta['n_clumps'] = int((truth['class'] == 'clump').sum())
        yield GalaxyCutout(
            frame['image'], pixel_scale=frame['pixel_scale'], zeropoint=22.5,
            unit='nmgy', psf_fwhm=frame['fwhm'] * frame['pixel_scale']), {
                }, truth, frame['fwhm']


def picture_cases(n, seed):
    """
    Render colour pictures: file, options, truth.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'galaxy.jpg'
        for k in range(n):
            content, frame = render_picture(seed * 10_000 + k)
            path.write_bytes(content)
            truth = frame['truth']
            truth.meta['n_clumps'] = int((truth['class'] == 'clump').sum())
            yield path, {}, truth, frame['fwhm']


CASES = {'simulator': simulated_cases, 'galsim': rendered_cases,
         'pictures': picture_cases}


def search(name, n, seed, *, weights='clumps'):
    """
    Search the galaxies of a set with both methods.

    Parameters
    ----------
    name : str
        A key of ``SETS``.

    n, seed : int
        The number of galaxies, and the seed.

    weights : str, optional
        The weights of the clump network.

    Returns
    -------
    truth : `~astropy.table.Table`
        All true objects, positions in FWHM.

    found : dict of `~astropy.table.Table`
        By method.

    galaxies : `~astropy.table.Table`
        Number of true clumps, and seconds of each method.
    """
    fitter = Pix2ProfFitter(device='cpu')
    truths, found, rows = [], {method: [] for method in METHODS}, []
    for k, (image, options, truth, fwhm) in enumerate(
            CASES[name](n, seed)):
        row = {'galaxy': k, 'n_clumps': truth.meta.pop('n_clumps')}
        try:
            if isinstance(image, Path):
                first = find_clumps(image, fitter=fitter, weights=weights,
                                    **options)
                row['fwhm_ratio'] = first.meta.get('fwhm', np.nan) / fwhm
                other = find_clumps(image, fitter=fitter, method='matched',
                                    **options)
                tables = {'network': first, 'matched': other}
            else:
                fit, tables = fitter.fit(image), {}
                for method in METHODS:
                    start = time.process_time()
                    tables[method] = find_clumps(
                        fit, method=method, weights=weights)
                    row[f'{method}_s'] = time.process_time() - start
        except ValueError as error:
            # (an image that no fitter takes)
            print(name, k, error)
            continue
        rows.append(row)
        for table, keep in ((truth, truths), *(
                (tables[method], found[method]) for method in METHODS)):
            new = Table({column: np.asarray(table[column], dtype=(
                'U5' if column == 'class' else float)) for column in (
                    'x', 'y', 'snr', 'share', 'class', 'probability', 'flag',
                    'radius_r50') if column in table.colnames})
            new['x'], new['y'] = new['x'] / fwhm, new['y'] / fwhm
            new['galaxy'] = np.full(len(new), k)
            if len(new):
                keep.append(new)
    return vstack(truths), {method: vstack(parts) if parts else Table(
        names=('x', 'y', 'snr', 'share', 'class', 'galaxy'),
        dtype=('f8',) * 4 + ('U5', 'i8'))
        for method, parts in found.items()}, Table(rows)


def summarise(truth, found, galaxies):
    """
    Summarise a method on a set: rates, bins, false detections.
    """
    out = {}
    cuts = {'min_snr': MIN_SNR, 'min_share': MIN_SHARE}
    truth = truth.copy()
    if hasattr(truth['share'], 'filled'):
        truth['share'] = truth['share'].filled(0)
    for key, label, limits in (
            ('bright', 'clump', cuts), ('bright_any', None, cuts),
            ('all', 'clump', {'min_snr': 5.0})):
        result = measure_detections(found, truth, radius=1.0, label=label,
                                    **limits)
        out[key] = {name: to_json(result[name][0]) for name in (
            'n_truth', 'completeness', 'completeness_low',
            'completeness_high', 'n_found', 'purity', 'purity_low',
            'purity_high')}
        if key == 'bright':
            out['confusion'] = result.meta['confusion']
        if key == 'all':
            out['bins'] = [{name: to_json(row[name]) for name in (
                'quantity', 'low', 'high', 'n_truth', 'completeness',
                'n_found', 'purity')} for row in result[1:]]
    matched = {j for _, j in measure_detections(
        found, truth, radius=1.0, label=None).meta['pairs']}
    false = np.array([j not in matched for j in range(len(found))], bool)
    false &= np.asarray(found['class']) == 'clump'
    none = set(galaxies['galaxy'][galaxies['n_clumps'] == 0])
    empty = np.isin(found['galaxy'], list(none)) & false
    out['false_per_galaxy'] = float(false.sum() / max(len(galaxies), 1))
    out['n_without'] = len(none)
    out['false_without_clumps'] = float(empty.sum() / max(len(none), 1))
    return out


def _share(value, number):
    """
    A rate and the number that it is of; a dash alone where there is none.
    """
    return f'{value:.2f} (of {number})' if number else text(None)


def make_table(out):
    """
    Make the tables of the page of the documentation.
    """
    heading = ['Images', 'Method', 'Completeness', 'Purity',
               'Completeness, class left aside', 'Purity, class left aside',
               'False clumps in a galaxy without']
    rows = []
    for name, label in SETS.items():
        if name not in out['sets']:
            continue
        for method, title in METHODS.items():
            one = out['sets'][name][method]
            bright, any_ = one['bright'], one['bright_any']
            rows.append([label, title, *(
                _share(part[key], part[n])
                for part, key, n in (
                    (bright, 'completeness', 'n_truth'),
                    (bright, 'purity', 'n_found'),
                    (any_, 'completeness', 'n_truth'),
                    (any_, 'purity', 'n_found'))),
                f'{one["false_without_clumps"]:.2f}'])
    lines = ['.. Written by benchmarks/accuracy/clumps.py; not to be edited.',
             '', *list_table(heading, rows)]
    heading = ['Signal-to-noise ratio, share', *(
        f'{label}: {what}' for label in ('Simulator', 'GalSim')
        for what in ('completeness', 'purity'))]
    first, second = (out['sets'][name]['network']['bins']
                     for name in ('simulator', 'galsim'))
    rows = []
    for one, two in zip(first, second, strict=True):
        high = one['high']
        if one['quantity'] == 'snr':
            label = f'S/N {one["low"]:g} to {high:g}' if high else (
                f'S/N above {one["low"]:g}')
        else:
            label = f'{100 * one["low"]:g} to {100 * high:g}% of the light'
        rows.append([label, *(
            _share(part[key], part[n])
            for part in (one, two) for key, n in (
                ('completeness', 'n_truth'), ('purity', 'n_found')))])
    return '\n'.join([*lines, *list_table(heading, rows)]).rstrip() + '\n'


def main(args=None):
    """
    Search, print the rates, and write them.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=60)
    parser.add_argument('--seed', type=int, default=8403)
    parser.add_argument('--weights', default='clumps')
    parser.add_argument('--sets', nargs='+', default=list(SETS))
    parser.add_argument('--out', type=Path, metavar='FILE.json',
                        default=HERE / 'clumps.json')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    card = read_card(args.weights)
    out = {'n': args.n, 'seed': args.seed, 'weights': {
        key: card.get(key) for key in ('name', 'sha256', 'threshold',
                                       'parameters', 'presentations')},
           'environment': describe_environment(), 'sets': {}}
    if args.out.exists():
        # (sets that are not asked for stay)
        out['sets'] = json.loads(args.out.read_text())['sets']
    for name in args.sets:
        truth, found, galaxies = search(name, args.n, args.seed,
                                        weights=args.weights)
        out['sets'][name] = {'n': len(galaxies), **{
            method: summarise(truth, table, galaxies)
            for method, table in found.items()}}
        for method in METHODS:
            if f'{method}_s' in galaxies.colnames:
                out['sets'][name][method]['seconds'] = float(
                    np.median(galaxies[f'{method}_s']))
            print(name, method, json.dumps(to_json({
                key: value for key, value in out['sets'][name][
                    method].items() if key != 'bins'})), flush=True)
        args.out.write_text(json.dumps(to_json(out), indent=1) + '\n',
                            encoding='utf-8')
    if args.table:
        args.table.write_text(make_table(to_json(out)), encoding='utf-8')


if __name__ == '__main__':
    main()
