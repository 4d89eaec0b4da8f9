# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Accuracy of Pix2ProfFitter on GalSim galaxies, beside IsophoteFitter.

The figures are those of Smith et al. (2021), whose test set was 100 galaxies
in the bands g, r and i.

    python -m benchmarks.render.bands --n 100 --seed 300 --out DIR
    python -m benchmarks.accuracy.network DIR --weights captioner \
        --out benchmarks/accuracy/network --save evaluation.ecsv \
        --plots docs/figures --inc docs/network_accuracy.inc
"""

import argparse
import json
import os
import os.path
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits

from astro_pix2prof import (
    Evaluation,
    IsophoteFitter,
    Pix2ProfFitter,
    evaluate_fitters,
)
from benchmarks.accuracy.report import name_by_weights
from benchmarks.tables import (
    describe_environment,
    describe_weights,
    join,
    list_table,
    plain,
    text,
    wrap,
)

os.environ.setdefault('OMP_NUM_THREADS', '1')

# Section 3 of Smith et al. (2021): with images of their own.
PAPER = {
    'reference': 'Smith et al. 2021, MNRAS 503, 96',
    'images': '300 real SDSS images (100 galaxies in g, r and i) and their '
              'profiles measured with the method of Courteau (1996); not '
              'the images of this benchmark',
    'n_images': 300, 'median': 0.41, 'iqr': 0.21, 'median_bright': 0.34,
    'iqr_bright': 0.22, 'seconds': 1 / 0.9, 'cpu': 'Intel Xeon E5-2650 v3'}

NETWORK, ISOPHOTES = 'Pix2ProfFitter', 'IsophoteFitter'

FITTERS = {'network': NETWORK, 'isophotes': ISOPHOTES}

RADII = (0, 1, 2, 4, 6, 8, 10, 15, 20, 30, 40, 60)


def to_rows(table, label):
    """
    The rows of a fitter in a table: a list of dicts.
    """
    rows = table[np.asarray(table['fitter'], dtype=str) == label]
    return [{name: plain(row[name]) for name in table.colnames
             if name != 'fitter'} for row in rows]


def describe_images(files):
    """
    The number of images and galaxies, and the seed they came from.
    """
    seeds = [fits.getval(path, 'SEED') for path in files]
    return {'n_images': len(files), 'n_galaxies': len(set(seeds)),
            'seed': sorted({seed // 100_000 for seed in seeds}),
            'script': 'benchmarks/render/bands.py'}


def summarise(evaluation):
    """
    The figures of each fitter, as a nested dict.
    """
    out = {}
    last = float(np.max(evaluation.rings['radius'].value))
    edges = [*RADII, np.ceil(last)] if last > RADII[-1] else RADII
    for label in evaluation.labels:
        out[label] = {
            **to_rows(evaluation.summary(), label)[0],
            'by_band': to_rows(evaluation.by_band(), label),
            'by_type': to_rows(evaluation.by_type(), label),
            'by_radius': to_rows(evaluation.by_radius(edges), label),
            'by_surface_brightness': to_rows(
                evaluation.by_surface_brightness(), label)}
        for band in evaluation.bands:
            out[label][f'by_radius_{band}'] = to_rows(
                evaluation.by_radius(edges, band=band), label)
    return out


def columns_of(out):
    """
    The columns of the tables: the fitters' labels.
    """
    return list(out['fitters'])


def overall_rows(out):
    """
    Heading, and for each figure its name and values in all columns.
    """
    labels = columns_of(out)
    names = (('Median to S/N 1', 'median', '.3f'),
             ('IQR to S/N 1', 'iqr', '.3f'),
             ('Median to 26.5', 'median_bright', '.3f'),
             ('IQR to 26.5', 'iqr_bright', '.3f'),
             ('Success', 'success', '.1%'),
             ('Failed', 'n_failed', 'd'),
             ('Within the stated error', 'within_error', '.1%'),
             ('Seconds for an image', 'seconds', '.2f'))
    rows = [(name, *(text(out['fitters'][label][key], form)
                     for label in labels),
             text(PAPER.get(key), '.2f'))
            for name, key, form in names]
    for ending, where in (('', 'to S/N 1'), ('_bright', 'to 26.5')):
        for row in out['fitters'][labels[0]]['by_band']:
            values = [text(part[f'median{ending}']) for label in labels
                      for part in out['fitters'][label]['by_band']
                      if part['band'] == row['band']]
            rows.append((f'Median {where}, {row["band"]}', *values, '-'))
    return ('', *labels, 'Smith et al. (2021)'), rows


def binned_rows(out, key, names):
    """
    The same for bins: median, bias and photon limits in each.
    """
    labels = columns_of(out)
    found = {label: {tuple(row[name] for name in names): row
                     for row in out['fitters'][label][key]}
             for label in labels}
    rows = []
    for place, row in found[labels[0]].items():
        name = ' to '.join(f'{value:g}' if isinstance(value, float)
                           else str(value) for value in place)
        cells = [name, str(row.get('n_rings', row['n_images']))]
        for label in labels:
            other = found[label].get(place, {})
            if 'bias' in row:
                cells += [text(other.get('median')),
                          text(other.get('bias'), '+.3f')]
            else:
                cells += [text(other.get('median_bright')),
                          text(other.get('median'))]
        rows.append(tuple(cells))
    if 'bias' in out['fitters'][labels[0]][key][0]:
        first, second, count = 'median', 'bias', 'rings'
    else:
        first, second, count = 'to 26.5', 'to S/N 1', 'images'
    heading = ['', count]
    for label in labels:
        heading += [f'{label}, {first}', second]
    return tuple(heading), rows


TABLES = (
    ('By surface brightness (mag/arcsec2)', 'by_surface_brightness',
     ('bright', 'faint')),
    ('By semi-major axis (arcsec)', 'by_radius', ('inner', 'outer')),
    ('By type of galaxy', 'by_type', ('type',)))


def report(out):
    """
    The figures as lines of text.
    """
    lines = [f'{out["images"]["n_images"]} images of '
             f'{out["images"]["n_galaxies"]} galaxies; the column of Smith '
             'et al. is of other, real images']
    tables = [('', *overall_rows(out))]
    tables += [(title, *binned_rows(out, key, names))
               for title, key, names in TABLES]
    for title, heading, rows in tables:
        widths = [max(len(row[i]) for row in (heading, *rows))
                  for i in range(len(heading))]
        lines += ['', title] if title else ['']
        lines += ['  '.join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
            for row in (heading, *rows)]
    return '\n'.join(lines)


def write_inc(out, path, folder):
    """
    The figures as a part of a page of the documentation.
    """
    out = name_by_weights(out)
    images, made = out['images'], out['environment']
    seed = ', '.join(map(str, images['seed']))
    lines = ['.. Written by benchmarks/accuracy/network.py; not to be edited.',
             '']
    lines += wrap(
        f'{images["n_images"]} images ({images["n_galaxies"]} galaxies in g, '
        'r and i, rendered with GalSim as the SDSS sees them) were measured. '
        'For each image, the median of the absolute deviation from the true '
        'profile was taken over the radii where a ring has a signal-to-noise '
        'ratio above 1, and over those brighter than 26.5 mag/arcsec2; a '
        'radius without a value counts as 1 mag. The table has the medians '
        'over the images and their interquartile ranges (IQR), in '
        'mag/arcsec2. The last column has what Smith et al. (2021) '
        'published: on 300 other, real images of the SDSS, and against '
        'profiles measured with the method of Courteau (1996) instead of the '
        'truth. It is there for orientation; only the other columns can be '
        'compared number by number.')
    lines += list_table(*overall_rows(out))
    lines += wrap(
        'Success means a value at 80 per cent or more of the radii brighter '
        'than 26.5. Within the stated error are 68 per cent of the rings if '
        'errors are honest. In the tables below, the median is that of the '
        'absolute deviations of all rings in the bin, and the bias the median '
        'deviation: positive is too faint.')
    for title, key, names in TABLES:
        lines += [f'{title}:', '']
        lines += list_table(*binned_rows(out, key, names))
    place = Path(os.path.relpath(folder, path.parent)).as_posix()
    lines += [f'.. figure:: {place}/network_errors.png',
              f'    :alt: {CAPTION.partition(",")[0]}.', '']
    lines += [f'    {line}'.rstrip() for line in wrap(CAPTION, 75)]
    weights = out.get('weights')
    if weights:
        count = weights['presentations']
        trained = f' after {count} image presentations' if count else ''
        views = weights['n_views']
        cores = ('one core' if made['threads'] == 1
                 else f'{made["threads"]} cores')
        where = (f'{cores} of {made["cpu"]}' if weights['device'] == 'cpu'
                 else f'{weights["device"]}, the isophotes on {cores} of '
                 f'{made["cpu"]}')
        lines += wrap(
            f'Weights ``{weights["name"]}``{trained} (sha256 '
            f'``{weights["sha256"][:12]}...``), with '
            f'``n_views={views}``. Made by ``benchmarks/render/bands.py '
            f'--n {images["n_galaxies"]} --seed {seed}`` and '
            f'``benchmarks/accuracy/network.py`` on {where} '
            f'(Python {made["python"]}, astropy '
            f'{made["astropy"]}, photutils {made["photutils"]}, torch '
            f'{made["torch"]}); all numbers are in '
            '``benchmarks/accuracy/network.json``.')
    path.write_text('\n'.join(lines).rstrip() + '\n')


CAPTION = (
    'How far both methods are from the truth, along the radius, for all '
    'images and in each band, where a ring has a signal-to-noise ratio above '
    '1. A lower line is better (as Fig. 5 of Smith et al. 2021, whose radii '
    'are in kpc).')


def write_plots(out, folder):
    """
    Draw the deviations along the radius.

    Parameters
    ----------
    out : dict
        The figures.

    folder : `~pathlib.Path`
        The folder of ``network_errors.png``.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    out = name_by_weights(out)
    found = out['fitters'].values()
    bands = [row['band'] for row in next(iter(found))['by_band']]
    fig, axes = plt.subplots(2, 2, figsize=(9, 6.4), sharex=True,
                             sharey=True, layout='constrained')
    for ax, ending, title in zip(
            axes.flat, ('', *(f'_{band}' for band in bands)),
            ('all images', *(f'{band} band' for band in bands)),
            strict=False):
        for label, figures in out['fitters'].items():
            rows = figures[f'by_radius{ending}']
            ax.plot([0.5 * (row['inner'] + row['outer']) for row in rows],
                    [row['median'] for row in rows], 'o-', ms=3, label=label)
        ax.set(yscale='log', title=title)
    fig.supxlabel('Semi-major axis (arcsec)', fontsize='medium')
    fig.supylabel('Median deviation, absolute (mag arcsec$^{-2}$)',
                  fontsize='medium')
    axes[0, 0].legend()
    fig.savefig(folder / 'network_errors.png', dpi=150)


def main(args=None):
    """
    Measure all images of a folder.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path, nargs='?',
                        help='the folder that benchmarks.render.bands wrote')
    parser.add_argument('--weights', default='captioner',
                        help='a name, or a .safetensors file')
    parser.add_argument('--n-views', type=int, default=8,
                        help='turns and reflections to average over')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--fitters', nargs='+', choices=FITTERS,
                        default=list(FITTERS))
    parser.add_argument('--isophotes', type=Path, metavar='FILE.ecsv',
                        help='take the isophotes from an evaluation that '
                        '--save wrote')
    parser.add_argument('--workers', type=int, default=1,
                        help='processes for the isophotes')
    parser.add_argument('--n', type=int, help='only the first images')
    parser.add_argument('--out', type=Path, help='write OUT.json')
    parser.add_argument('--save', type=Path, metavar='FILE.ecsv',
                        help='write the evaluation')
    parser.add_argument('--plots', type=Path, metavar='DIR',
                        help='write the figures')
    parser.add_argument('--inc', type=Path, metavar='FILE.inc',
                        help='write the tables for the documentation')
    parser.add_argument('--report', type=Path, metavar='FILE.json',
                        help='measure nothing: tables and figures of these '
                        'numbers')
    args = parser.parse_args(args)
    if args.report:
        out = json.loads(args.report.read_text())
        if args.plots:
            write_plots(out, args.plots)
        if args.inc:
            write_inc(out, args.inc, args.plots
                      or args.inc.parent / 'figures')
        return
    if args.folder is None:
        parser.error('give the folder of the images, or --report')
    files = sorted(args.folder.glob('*.fits'))[:args.n]
    if not files:
        sys.exit(f'there is no .fits file in {args.folder}; write some with '
                 'benchmarks/render/bands.py')
    out = {'images': describe_images(files), 'weights': None,
           'environment': describe_environment(),
           'isophotes': 'read' if args.isophotes else 'measured',
           'paper': PAPER}
    evaluations = []
    if 'network' in args.fitters:
        fitter = Pix2ProfFitter(args.weights, n_views=args.n_views,
                                device=args.device)
        out['weights'] = describe_weights(fitter)
        evaluations.append(evaluate_fitters({NETWORK: fitter}, files))
    if args.isophotes:
        # a file of both fitters will do
        old = Evaluation.read(args.isophotes)
        parts = [table[np.asarray(table['fitter'], dtype=str) == ISOPHOTES]
                 for table in (old.runs, old.rings)]
        if not len(parts[0]):
            sys.exit(f'{args.isophotes} has no evaluation of {ISOPHOTES}')
        evaluations.append(Evaluation(*parts, mu_limit=old.mu_limit))
    elif 'isophotes' in args.fitters:
        evaluations.append(evaluate_fitters(
            {ISOPHOTES: IsophoteFitter()}, files, n_jobs=args.workers,
            progress=True))
    evaluation = join(evaluations)
    out['fitters'] = summarise(evaluation)
    print(report(out))
    if args.save:
        evaluation.write(args.save, overwrite=True)
    if args.out:
        args.out.with_suffix('.json').write_text(
            json.dumps(out, indent=1) + '\n')
    if args.plots:
        write_plots(out, args.plots)
    if args.inc:
        write_inc(out, args.inc, args.plots or args.inc.parent / 'figures')


if __name__ == '__main__':
    main()
