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
from astro_pix2prof.image.pictures import picture_options, read_picture
from astro_pix2prof.networks.weights import read_card
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.simulation.planting import (
    draw_sources,
    plant_sources,
    source_snr,
)
from astro_pix2prof.training.tasks.clumps import (
    known_sources,
    planted_sources,
    simulated_views,
    view_frame,
)
from benchmarks.render.clumpy import render_clumpy, render_picture
from benchmarks.tables import describe_environment, list_table, text, to_json

HERE = Path(__file__).parent

SETS = {'simulator': 'Training simulator', 'galsim': 'GalSim discs',
        'pictures': 'Colour pictures'}
METHODS = {'network': 'Network', 'matched': 'Matched filter'}

# Kinds of objects that are planted.
PLANTED = np.array(['clump', 'star', 'companion'], dtype='U9')

# The objects that count, and those of which completeness and purity are
# given in bins.
MIN_SNR, MIN_SHARE = 8.0, 0.03

# The part of odd objects in the boxes of volunteers.
VOLUNTEERS = 0.28

# Objects closer than this (FWHM) are one.
MERGED = 0.7


def simulated_cases(n, seed, *, draw=draw_sources):
    """
    Plant clumps in galaxies of the simulator: image, options, truth.

    ``draw`` draws the sources of a frame, as `draw_sources` does.
    """
    simulator = GalaxySimulator('mix', n_pix=160, wobble=0.03)
    generator = torch.Generator().manual_seed(seed)
    for block in range(-(-n // 8)):
        galaxies = simulator.simulate(8, seed=seed * 10_000 + block)
        views = simulated_views(galaxies)
        for k in range(min(8, n - 8 * block)):
            frame = view_frame(views, k)
            known = known_sources(views, k, frame)
            drawn = draw(frame, generator)
            image = plant_sources(frame, drawn, generator)
            snr, contrast = source_snr(frame, *drawn[:, :4].T)
            clumps = views.clumps[k][views.clumps[k][:, 2] > 0]
            own_snr, _ = source_snr(frame, *clumps.T)
            host = frame.flux + float(drawn[drawn[:, 4] == 0, 2].sum())
            truth = Table({
                'x': drawn[:, 0].numpy(), 'y': drawn[:, 1].numpy(),
                'snr': snr.numpy(), 'share': drawn[:, 2].numpy() / host,
                'contrast': contrast.numpy(), 'class': np.where(
                    drawn[:, 4].numpy() > 0, 'odd', 'clump').astype('U5'),
                'kind': PLANTED[drawn[:, 4].long().numpy()],
                'size': drawn[:, 3].numpy() / frame.fwhm,
                'q': np.where(drawn[:, 4] == 2, drawn[:, 5], 1.0),
                'clear': planted_sources(drawn, frame)[:, 3].numpy() > 0})
            own = Table({
                'x': clumps[:, 0].numpy(), 'y': clumps[:, 1].numpy(),
                'snr': own_snr.numpy(), 'share': clumps[:, 2].numpy() / host,
                'class': np.full(len(clumps), 'clump', dtype='U5'),
                'kind': np.full(len(clumps), 'own', dtype='U9')})[
                    own_snr.numpy() > 3]
            # (both leave the same ones out)
            of_own = (known[:, 2] == 0) & (known[:, 4] > 3)
            own['clear'] = known[of_own, 3].numpy() > 0
            odd = known[known[:, 2] == 1].numpy()
            others = Table({'x': odd[:, 0], 'y': odd[:, 1],
                            'snr': odd[:, 4], 'class': np.full(
                                len(odd), 'odd', dtype='U5'),
                            'kind': np.full(len(odd), 'field',
                                            dtype='U9'),
                            'clear': odd[:, 3] > 0})
            truth = vstack([truth, own, others])
            truth.meta['n_clumps'] = int((drawn[:, 4] == 0).sum()) + len(own)
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


def countable(truth, mask, fwhm):
    """
    List the true objects that an image shows as objects of their own.

    Pixels that the image masks are not searched, and what lies closer than
    0.7 FWHM together is one object in the image: it has the light of all, and
    the place and class of the brightest.

    Parameters
    ----------
    truth : `~astropy.table.Table`
        ``x``, ``y`` (pixels), ``snr``, ``share`` and ``class``.

    mask : 2D bool `~numpy.ndarray` or `None`
        Pixels that the image masks.

    fwhm : float
        That of the PSF in pixels.

    Returns
    -------
    truth : `~astropy.table.Table`
        A new table.
    """
    truth = truth[np.argsort(-np.asarray(truth['snr'], dtype=float),
                             kind='stable')]
    x, y = (np.asarray(truth[name], dtype=float) for name in 'xy')
    kept = np.ones(len(truth), dtype=bool)
    if mask is not None:
        inside = ((x > -0.5) & (x < mask.shape[1] - 0.5)
                  & (y > -0.5) & (y < mask.shape[0] - 0.5))
        i, j = (np.clip(np.round(v).astype(int), 0, n - 1)
                for v, n in zip((x, y), mask.shape[::-1], strict=True))
        kept = inside & ~mask[j, i]
    owner = np.arange(len(truth))
    for k in range(len(truth)):
        for before in range(k):
            if kept[k] and kept[before] and owner[before] == before and (
                    np.hypot(x[k] - x[before], y[k] - y[before])
                    < MERGED * fwhm):
                owner[k] = before
                break
    for k in np.flatnonzero(kept & (owner != np.arange(len(truth)))):
        for name in ('snr', 'share'):
            if np.isfinite(float(np.ma.filled(truth[name][k], np.nan))):
                truth[name][owner[k]] += truth[name][k]
    return truth[kept & (owner == np.arange(len(truth)))]


def search(name, n, seed, *, weights='clumps', fitter='rings',
           odd_share=None):
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

    fitter : str, optional
        The weights of the network that measures the profiles.

    odd_share : float, optional
        The part of odd objects that is expected, see
        `~astro_pix2prof.find_clumps`.

    Returns
    -------
    truth, plain : `~astropy.table.Table`
        The true objects, positions in FWHM: those that are `countable`, and
        all as they were planted.

    found : dict of `~astropy.table.Table`
        By method.

    galaxies : `~astropy.table.Table`
        Number of true clumps, and seconds of each method.
    """
    fitter = Pix2ProfFitter(fitter, device='cpu')
    truths, plain, rows = [], [], []
    found = {method: [] for method in METHODS}
    for k, (image, options, truth, fwhm) in enumerate(
            CASES[name](n, seed)):
        row = {'galaxy': k, 'n_clumps': truth.meta.pop('n_clumps')}
        try:
            if isinstance(image, Path):
                fit = fitter.fit(read_picture(image, None),
                                 **picture_options(options))
            else:
                fit = fitter.fit(image)
            tables = {}
            for method in METHODS:
                start = time.process_time()
                tables[method] = find_clumps(fit, method=method, **(
                    {'weights': weights, 'odd_share': odd_share}
                    if method == 'network' else {}))
                row[f'{method}_s'] = time.process_time() - start
            if isinstance(image, Path):
                row['fwhm_ratio'] = tables['network'].meta.get(
                    'fwhm', np.nan) / fwhm
        except ValueError as error:
            # (an image that no fitter takes)
            print(name, k, error)
            continue
        rows.append(row)
        mask = getattr(image, 'mask', None)
        for table, keep in ((truth, plain), (
                countable(truth, mask, fwhm), truths), *(
                (tables[method], found[method]) for method in METHODS)):
            new = Table({column: np.asarray(table[column], dtype=(
                'U5' if column == 'class' else float)) for column in (
                    'x', 'y', 'snr', 'share', 'class', 'probability', 'flag',
                    'radius_r50') if column in table.colnames})
            new['x'], new['y'] = new['x'] / fwhm, new['y'] / fwhm
            new['galaxy'] = np.full(len(new), k)
            if len(new):
                keep.append(new)
    nothing = Table(names=('x', 'y', 'snr', 'share', 'class', 'galaxy'),
                    dtype=('f8',) * 4 + ('U5', 'i8'))
    return vstack(truths), vstack(plain), {
        method: vstack(parts) if parts else nothing
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
            out[key].update(usual_purity(found, truth, result.meta['pairs']))
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


def usual_purity(found, truth, pairs):
    """
    Compute the purity of bright clumps if 28% of the objects were odd.

    That many were in the boxes of volunteers; frames of the simulator have
    more, most of them stars of the field. Odd objects count as much less as
    there are more of them among the bright detections that are real.
    """
    bright = (np.asarray(found['snr']) >= MIN_SNR) & (
        np.asarray(found['share']) >= MIN_SHARE)
    kind = np.zeros(len(found), dtype='U5')
    for i, j in pairs:
        kind[j] = truth['class'][i]
    own, odd = (bright & (kind == name) for name in ('clump', 'odd'))
    part = odd.sum() / max((own | odd).sum(), 1)
    weight = VOLUNTEERS / (1 - VOLUNTEERS) * own.sum() / max(odd.sum(), 1)
    called = bright & (np.asarray(found['class']) == 'clump')
    n = [(called & which).sum() for which in (own, odd, kind == '')]
    total = n[0] + weight * n[1] + n[2]
    return {'odd_part': float(part),
            'purity_usual': float(n[0] / total) if total else np.nan}


def _share(value, number):
    """
    A rate and the number that it is of; a dash alone where there is none.
    """
    return f'{value:.2f} (of {number})' if number else text(None)


def _rates(part):
    return [_share(part[key], part[n]) for key, n in (
        ('completeness', 'n_truth'), ('purity', 'n_found'))]


def make_table(out):
    """
    Make the tables of the page of the documentation.
    """
    heading = ['Images', 'Method', 'Completeness', 'Purity',
               'Purity for 28% of odd objects']
    more = ['Images', 'Method', 'Completeness, class left aside',
            'Purity, class left aside', 'Completeness, all planted',
            'Purity, all planted', 'Odd among the bright',
            'False clumps in a galaxy without']
    rows, details = [], []
    for name, label in SETS.items():
        if name not in out['sets']:
            continue
        for method, title in METHODS.items():
            one = out['sets'][name][method]
            bright, any_ = one['bright'], one['bright_any']
            rows.append([label, title, *_rates(bright),
                         text(bright['purity_usual'], '.2f')])
            details.append([label, title, *_rates(any_),
                            *_rates(one['planted']),
                            f'{100 * bright["odd_part"]:.0f}%',
                            f'{one["false_without_clumps"]:.2f}'])
    lines = ['.. Written by benchmarks/accuracy/clumps.py; not to be edited.',
             '', *list_table(heading, rows), *list_table(more, details)]
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
        rows.append([label, *_rates(one), *_rates(two)])
    return '\n'.join([*lines, *list_table(heading, rows)]).rstrip() + '\n'


def main(args=None):
    """
    Search, print the rates, and write them.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=60)
    parser.add_argument('--seed', type=int, default=8403)
    parser.add_argument('--weights', default='clumps')
    parser.add_argument('--fitter', default='rings',
                        help='weights of the network for the profiles')
    parser.add_argument('--odd-share', type=float, metavar='SHARE',
                        help='the part of odd objects that is expected')
    parser.add_argument('--sets', nargs='+', default=list(SETS))
    parser.add_argument('--out', type=Path, metavar='FILE.json',
                        default=HERE / 'clumps.json')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    card = read_card(args.weights)
    out = {'n': {}, 'seed': args.seed, 'fitter': args.fitter, 'weights': {
        key: card.get(key) for key in ('name', 'sha256', 'threshold',
                                       'parameters', 'presentations')},
           'environment': describe_environment(), 'sets': {}}
    if args.odd_share is not None:
        out['odd_share'] = args.odd_share
    if args.out.exists():
        # (sets that are not asked for stay)
        before = json.loads(args.out.read_text())
        out['sets'], out['n'] = before['sets'], before['n']
    for name in args.sets:
        truth, plain, found, galaxies = search(
            name, args.n, args.seed, weights=args.weights,
            fitter=args.fitter, odd_share=args.odd_share)
        out['n'][name] = args.n
        out['sets'][name] = {'n': len(galaxies), **{
            method: summarise(truth, table, galaxies)
            for method, table in found.items()}}
        for method, table in found.items():
            # (as it was counted before)
            out['sets'][name][method]['planted'] = summarise(
                plain, table, galaxies)['bright']
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
