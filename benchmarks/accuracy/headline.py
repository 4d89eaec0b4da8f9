# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Ten numbers and a picture for the first page on accuracy and speed.

Nothing is measured: the numbers are those that the other benchmarks stored.

    python -m benchmarks.accuracy.headline --out docs/headline.inc \
        --plots docs/figures
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.accuracy.report import name_by_weights
from benchmarks.accuracy.sets import ORACLE
from benchmarks.tables import list_table, wrap

__all__ = ['plot_headline', 'read_results', 'rows_of', 'write_inc']

HERE = Path(__file__).parent

# The sets of images in the picture, from the simplest on.
SETS = ('sdss', 'legacy', 'hsc', 'lsst', 'hard', 'sersic')


def read_results(folder=HERE):
    """
    Read the stored results.

    Parameters
    ----------
    folder : `~pathlib.Path`, optional
        The folder ``benchmarks/accuracy``.

    Returns
    -------
    run, captioner : dict
        Those of ``benchmarks.accuracy.run`` and of
        ``benchmarks.accuracy.network``.
    """
    return tuple(name_by_weights(json.loads(
        (folder / f'{name}.json').read_text())) for name in (
            'run', 'network'))


def rows_of(run, captioner):
    """
    List ten numbers, each with what it is and where it comes from.

    Parameters
    ----------
    run, captioner : dict
        As `read_results` returns them.

    Returns
    -------
    rows : list of tuple of str
        Number, meaning and page.
    """
    weights = run['weights']['name']
    sets = run['sets']
    sdss, hsc, lsst = (sets[name]['fitters'] for name in (
        'sdss', 'hsc', 'lsst'))
    own = sets['sdss']['rings'][weights]
    total = sets['sdss']['structure'][weights]['mag_total']
    pairs = [row['median_abs'] for row in run['real'] if 'failed' not in row]
    speed = run['speed']
    page = ':doc:`accuracy_rings`'

    def mag(figures):
        return f'{figures["median_bright"]:.3f} mag'

    return [
        (mag(sdss[weights]),
         'median error of the network on images like those of the SDSS, where '
         'the galaxy is brighter than 26.5 mag/arcsec\\ :sup:`2`', page),
        (mag(sdss['isophotes']), 'the same of the isophote fit', page),
        (mag(sdss[ORACLE]),
         'the same of masked means along the true ellipses, which nobody '
         'knows of a real galaxy', page),
        (mag(hsc[weights]), 'the network on images like those of HSC', page),
        (mag(lsst[weights]), 'the network on images like those of LSST after '
         'ten years', page),
        (f'{own["within_error"]:.0%}', 'of the network\'s rings lie within '
         'their stated error (68% if errors are honest)', page),
        (f'{total["median_abs"]:.3f} mag', 'median error of total magnitudes '
         'by the network, SDSS', page),
        (f'{np.median(pairs):.3f} mag', 'median difference of the two '
         f'methods on {len({row["galaxy"] for row in run["real"]})} real '
         'galaxies, where both have a signal-to-noise ratio above 5',
         ':doc:`real_galaxies`'),
        (mag(captioner['fitters']['captioner']),
         'median error of the captioner, the architecture of Smith et al. '
         '(2021), on other images of the first kind',
         ':doc:`accuracy_captioner`'),
        (f'{speed["fitter_seconds"]:.2f} s', 'for a galaxy of 256 x 256 '
         'pixels by the network on one core, '
         f'{speed["fitter_faster"]:.0f} times faster than the isophote fit '
         'measured beside it', ':doc:`throughput`')]


CAPTION = (
    'How far profiles are from the truth: the median over the images (dot) '
    'and what nine of ten images stay below (end of the line). Further to '
    'the left is better. *True ellipses* is what masked means along '
    'the true ellipses reach: no method can know them.')


def write_inc(run, captioner, path):
    """
    Write numbers and picture as a part of a page.

    Parameters
    ----------
    run, captioner : dict
        As `read_results` returns them.

    path : `~pathlib.Path`
        The file.
    """
    lines = [
        '.. Written by benchmarks/accuracy/headline.py; not to be edited.',
        '', '.. figure:: figures/accuracy_headline.png',
        '    :alt: Errors of the methods on six sets of images.', '',
        *(f'    {line}'.rstrip() for line in wrap(CAPTION, 75)),
        *list_table(('Number', 'Meaning', 'More'), rows_of(run, captioner))]
    text = '\n'.join(lines).rstrip() + '\n'
    first = '    :header-rows: 1\n'
    path.write_text(text.replace(first, f'{first}    :widths: 14 62 24\n'),
                    encoding='utf-8')


def plot_headline(run, path):
    """
    Draw median and 90th percentile of the errors on each set.

    Parameters
    ----------
    run : dict
        As `read_results` returns it.

    path : `~pathlib.Path`
        The picture.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    names = [name for name in SETS if name in run['sets']]
    styles = {run['weights']['name']: ('#0072B2', 'o'),
              'isophotes': ('#D55E00', 's'), ORACLE: ('0.45', 'D')}
    fig, ax = plt.subplots(figsize=(8.5, 4.4), layout='constrained')
    for k, (label, (colour, marker)) in enumerate(styles.items()):
        found = [run['sets'][name]['fitters'][label] for name in names]
        place = -np.arange(len(names)) + 0.22 * (1 - k)
        middle, most = ([row[key] for row in found]
                        for key in ('median_bright', 'p90_bright'))
        ax.hlines(place, middle, most, color=colour, lw=2, alpha=0.55)
        ax.plot(most, place, '|', color=colour, ms=8, mew=2, alpha=0.8)
        ax.plot(middle, place, marker, color=colour, ms=6, label=label)
    ax.set_yticks(-np.arange(len(names)),
                  [run['sets'][name]['title'] for name in names])
    ticks = 0.01, 0.02, 0.05, 0.1, 0.2
    ax.set_xscale('log')
    ax.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
    ax.minorticks_off()
    ax.grid(axis='x', color='0.9')
    ax.set_axisbelow(True)
    ax.set_xlabel('Error of a profile (mag arcsec$^{-2}$)')
    # (above the plot: whiskers may end anywhere)
    ax.legend(loc='lower right', bbox_to_anchor=(1, 1), ncol=3, frameon=False)
    fig.savefig(path, dpi=150)


def main(args=None):
    """
    Write the numbers, and draw the picture.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--out', type=Path, metavar='FILE.inc', required=True,
                        help='write the numbers for the documentation')
    parser.add_argument('--plots', type=Path, metavar='DIR',
                        help='write accuracy_headline.png')
    args = parser.parse_args(args)
    run, captioner = read_results()
    write_inc(run, captioner, args.out)
    if args.plots:
        plot_headline(run, args.plots / 'accuracy_headline.png')


if __name__ == '__main__':
    main()
