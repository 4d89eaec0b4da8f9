# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The tables of the guide to rings, from the stored figures.

    python -m benchmarks.accuracy.rings --out docs
"""

import argparse
import json
from pathlib import Path

HERE = Path(__file__).parent

# The lengths of a bar by their columns.
LENGTHS = ('bar_radius', 'radius_amplitude', 'radius_phase',
           'radius_ellipticity', 'radius_turn')

WAYS = {'ellipses': 'True ellipses', 'network': 'rings',
        'isophotes': 'isophotes'}
REAL = {'isophotes': 'isophotes', 'network': 'rings',
        'pixels': 'Pixels, the centre of each ring as in the table',
        'pixels, polar angle': 'The same with the polar angle',
        'photutils': '`photutils.isophote`, the same centres'}


def list_table(head, rows):
    """
    Make the lines of a table in reStructuredText.
    """
    lines = ['.. list-table::', '    :header-rows: 1', '']
    for row in (head, *rows):
        lines += [('    * - ' if k == 0 else '      - ') + str(cell)
                  for k, cell in enumerate(row)]
    return [*lines, '']


def pull_table(found):
    """
    Widths of the pulls of a3 to b4, and the part of the amplitude found.
    """
    rows = []
    for way, label in WAYS.items():
        part = found[way]
        rows.append((label, part['n_galaxies'], *(
            f'{part[name]["width"]:.2f}' for name in ('a3', 'b3', 'a4', 'b4')),
            ', '.join(f'{part[level]["width"]:.2f}'
                      for level in ('2', '10', '50')),
            f'{part["50"]["slope"]:.3f} ± {part["50"]["slope_err"]:.3f}'))
    return list_table(
        ('Ellipses of', 'Galaxies', 'a3', 'b3', 'a4', 'b4',
         'All, by signal', 'Amplitude'), rows)


def real_table(found):
    """
    Differences from the table of IRAF, and errors.
    """
    rows = []
    for way, label in REAL.items():
        rows.append((label, *(
            f'{found[way][name]["difference"]:.4f} '
            f'({found[way][name]["iraf_error"]:.4f})'
            for name in ('A3', 'B3', 'A4', 'B4'))))
    return list_table(('Measured by', 'A3', 'B3', 'A4', 'B4'), rows)


def bar_table(found):
    """
    Radii of bars in units of their length, and what is taken for a bar.

    Then those of the other definitions.
    """
    rows = []
    for way in ('network', 'isophotes'):
        part = found[way]
        rows.append((
            WAYS[way], f'{part["found"]} of {part["n_bars"]}',
            f'{part["median_ratio"]:.2f}', f'{part["scatter"]:.2f}',
            f'{part["median_error"]:.2f}',
            f'{part["arms"]["taken_for_bars"]} of {part["arms"]["n"]}',
            f'{part["disc"]["taken_for_bars"]} of {part["disc"]["n"]}'))
    lines = list_table(
        ('Ellipses of', 'Bars found', 'Radius / length', 'Scatter',
         'Stated error', 'Arms taken for bars', 'Discs'), rows)
    return [*lines, '', *list_table(
        ('Definition', 'Ellipses of', 'Measured', 'Radius / length',
         'Scatter', 'Stated error'),
        [(f'``{name}``', WAYS[way],
          f'{part["found"]} of {part["n"]}',
          f'{part["median_ratio"]:.2f}', f'{part["scatter"]:.2f}',
          f'{part["median_error"]:.2f}')
         for name in LENGTHS for way in ('network', 'isophotes')
         for part in (found[way][name],)])]


def main():
    """
    Write ``rings_pulls.inc``, ``rings_real.inc`` and ``rings_bars.inc``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--out', type=Path, default=HERE.parents[1] / 'docs')
    args = parser.parse_args()
    for name, path, table in (
            ('pulls', HERE / 'harmonics.json', pull_table),
            ('real', HERE.parent / 'real' / 'harmonics.json', real_table),
            ('bars', HERE / 'bars.json', bar_table)):
        lines = table(json.loads(path.read_text()))
        (args.out / f'rings_{name}.inc').write_text(
            '\n'.join(lines), encoding='utf-8')


if __name__ == '__main__':
    main()
