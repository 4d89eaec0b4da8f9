# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The figures of the evaluation as text, as tables and as pictures.
"""

import os
from pathlib import Path

import numpy as np

from benchmarks.accuracy.sets import ORACLE
from benchmarks.tables import list_table, text, wrap

__all__ = ['plot_errors', 'plot_reliability', 'report', 'tables_of',
           'write_inc']

STRUCTURE = {'mag_total': 'total magnitude', 'r25': 'R25 (relative)'}
BINS = {'radius': 'radius (pixels)', 'ellipticity': 'true ellipticity',
        'snr': 'S/N'}
GROWTH = (('n', 'd'), ('median', '.4f'), ('median_last', '.4f'),
          ('worst_last', '.4f'), ('worst', '.4f'), ('within_0_02', '.1%'))


def _each(out):
    """
    Title, label and figures of each fitter on each set.
    """
    for part in out['sets'].values():
        for label, figures in part['fitters'].items():
            yield part['title'], label, figures


def with_error(figures, key):
    """
    A median with its standard error.
    """
    value, error = figures[key], figures[f'{key}_err']
    if value is None or error is None:
        return text(value)
    return f'{value:.3f} ± {error:.3f}'


def _overall(out):
    heading = ('Images', 'Method', 'Number', 'To 26.5', 'To S/N 1',
               'Complete', 'Failed', 'Within 1 sigma')
    rows = [(title, label, str(row['n_images']),
             with_error(row, 'median_bright'), with_error(row, 'median'),
             text(row['success'], '.1%'), str(row['n_failed']),
             text(row['within_error'], '.1%'))
            for title, label, row in _each(out)]
    return 'Accuracy (median absolute deviation, mag/arcsec2)', heading, rows


def _ratios(out):
    heading = ('Images', 'Method', 'To 26.5', 'To S/N 1',
               '90th percentile, to 26.5', '90th percentile, to S/N 1')
    keys = 'median_bright', 'median', 'p90_bright', 'p90'
    rows = []
    for part in out['sets'].values():
        least = part['fitters'].get(ORACLE)
        if least is None:
            continue
        rows += [(part['title'], label, *(
            text(figures[key] / least[key] if figures[key] and least[key]
                 else None, '.2f') for key in keys))
            for label, figures in part['fitters'].items() if label != ORACLE]
    return ('Deviations over those of masked means on the true ellipses '
            '(medians and 90th percentiles over the images)', heading, rows)


def _rings(out):
    heading = ('Images', 'Method', 'Rings', 'Within 1 sigma',
               'Beyond 3 sigma, unflagged', 'Bias at 26 to 27',
               'Width, ellipticity', 'Width, angle')
    rows = []
    for part in out['sets'].values():
        for label, row in part['rings'].items():
            rows.append((
                part['title'], label, str(row['n_rings']),
                text(row.get('within_error'), '.1%'),
                text(row.get('beyond_3'), '.1%'),
                text(row.get('bias_26'), '+.3f'),
                text(row.get('eps_width'), '.2f'),
                text(row.get('pa_width'), '.2f')))
    return ("The fitters' own rings (S/N above 1): shares within and far "
            'beyond the stated errors, and widths of the pulls (1 if errors '
            'hold)', heading, rows)


def _ring_bins(out):
    rows = []
    for part in out['sets'].values():
        for label, found in part['rings'].items():
            for key, bins in found.get('bins', {}).items():
                rows += [(part['title'], label, BINS[key], row['name'],
                          str(row['n_rings']), text(row['within_error'],
                                                    '.0%'),
                          text(row['bias'], '+.3f')) for row in bins]
    return ('Own rings within the stated error, and their bias, in bins',
            ('Images', 'Method', 'By', 'Bin', 'Rings', 'Within 1 sigma',
             'Bias'), rows)


def _classes(out):
    names = list(dict.fromkeys(
        row['class'] for _, _, figures in _each(out)
        for row in figures['by_class']))
    rows = []
    for title, label, figures in _each(out):
        found = {row['class']: row for row in figures['by_class']}
        rows.append((title, label, *(
            f'{text(found[name]["median_bright"])} '
            f'({found[name]["n_images"]})' if name in found else '-'
            for name in names)))
    return ('By type of galaxy, to 26.5 mag/arcsec2 (number of images; an '
            'image may count in several)', ('Images', 'Method', *names), rows)


def _bins(out):
    bins = sorted({(row['bright'], row['faint'])
                   for _, _, figures in _each(out)
                   for row in figures['by_surface_brightness']})
    rows = []
    for title, label, figures in _each(out):
        found = {(row['bright'], row['faint']): row
                 for row in figures['by_surface_brightness']}
        rows.append((title, label, *(
            text(found[place]['bias'], '+.3f') if place in found else '-'
            for place in bins)))
    return ('Bias by surface brightness (median deviation, mag/arcsec2; '
            'positive is too faint)', ('Images', 'Method', *(
                f'{low:g} to {high:g}' for low, high in bins)), rows)


def _photon(out):
    bins = sorted({(row['bright'], row['faint'])
                   for _, _, figures in _each(out)
                   for row in figures['photon']})
    rows = []
    for title, label, figures in _each(out):
        found = {(row['bright'], row['faint']): row['ratio']
                 for row in figures['photon']}
        rows.append((title, label, *(text(found.get(place), '.2f')
                                     for place in bins)))
    return ('Median absolute deviation in units of the photon noise of a '
            'ring one pixel wide', ('Images', 'Method', *(
                f'{low:g} to {high:g}' for low, high in bins)), rows)


def _coverage(out):
    heading = ['By', 'Bin']
    columns, names = [], {}
    for title, label, figures in _each(out):
        heading.append(f'{title}, {label}')
        column = {(key, row['name']): row['within_error']
                  for key, rows in figures['coverage'].items()
                  for row in rows}
        columns.append(column)
        names.update(dict.fromkeys(column))
    order = list(dict.fromkeys(key for key, _ in names))

    def place(name):
        first = name[1].lstrip('> ').partition(' ')[0]
        number = first.replace('.', '', 1).isdigit()
        return (order.index(name[0]), float(first) if number else 0.0,
                name[1])

    rows = [(*name, *(text(column.get(name), '.0%') for column in columns))
            for name in sorted(names, key=place)]
    return ('Rings within the stated error (honest errors: 68%)',
            tuple(heading), rows)


def _structure(out):
    heading = ('Images', 'Method', 'Quantity', 'Number', 'Within 1 sigma',
               'Bias', 'Median deviation', 'Median error')
    rows = []
    for part in out['sets'].values():
        for label, found in part['structure'].items():
            for key, row in found.items():
                rows.append((
                    part['title'], label, STRUCTURE[key], str(row['n']),
                    text(row.get('within_error'), '.1%'),
                    text(row.get('bias'), '+.3f'),
                    text(row.get('median_abs')),
                    text(row.get('median_error'))))
    return ('Total magnitudes (mag) and R25, with their errors', heading,
            rows)


def _growth(out):
    heading = ('Images', 'Method', 'Galaxies', 'Median', 'Last, median',
               'Last, worst', 'Worst', 'Last within 0.02')
    rows = [(part['title'], label, *(text(row.get(key), form)
                                     for key, form in GROWTH))
            for part in out['sets'].values()
            for label, row in part['growth'].items()]
    return ('Curves of growth of clean images minus sums of the pixels in '
            'the same ellipses (absolute, mag)', heading, rows)


SPEED = (
    ('Network and sampling only, images/s', 'network_per_second', '.1f'),
    ('The whole network fitter, s for an image', 'fitter_seconds', '.3f'),
    ('IsophoteFitter, s for an image', 'isophotes_seconds', '.2f'),
    ('IsophoteFitter, median', 'isophotes_seconds_median', '.2f'),
    ('IsophoteFitter, 95th percentile', 'isophotes_seconds_p95', '.2f'),
    ('IsophoteFitter over the network fitter', 'fitter_faster', '.0f'),
    ('IsophoteFitter over the network only', 'network_faster', '.0f'))


def _speed(out):
    row = out['speed']
    return (f'Speed on one core ({row["n_images"]} images of 256 x 256 '
            f'pixels, batches of {row["batch"]})', ('Figure', 'Value'),
            [(name, text(row.get(key), form)) for name, key, form in SPEED])


def _real(out):
    rows = []
    for row in out['real']:
        if 'failed' in row:
            cells = 'failed', row['failed'], '-'
        else:
            cells = (str(row['n_rings']), text(row.get('median'), '+.3f'),
                     text(row.get('median_abs')))
        rows.append((row['galaxy'], row['band'], *cells))
    return ('Real galaxies: network minus isophotes where both have a '
            'signal-to-noise ratio above 5 (mag/arcsec2)',
            ('Galaxy', 'Band', 'Rings', 'Median', 'Median absolute'), rows)


def tables_of(out):
    """
    Title, heading and rows of all tables that have any.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``.

    Returns
    -------
    tables : list of tuple
    """
    makers = (_overall, _ratios, _classes, _bins, _photon, _coverage,
              _rings, _ring_bins, _structure, _growth, _speed, _real)
    return [table for table in (make(out) for make in makers) if table[2]]


def describe(out):
    """
    What the figures were made of: a sentence or two.
    """
    weights, made = out['weights'], out['environment']
    sets = ', '.join(f'{part["title"]} {part["seed"]}'
                     for part in out['sets'].values())
    trial = 'A trial with few images: the figures mean nothing. ' if (
        out['quick']) else ''
    return (
        f'{trial}Weights ``{weights["name"]}`` (sha256 '
        f'``{weights["sha256"]}``); seeds of the images: {sets}. Made by '
        f'``benchmarks/accuracy/run.py`` on {made["date"]} with '
        f'{made["jobs"]} of {made["cores"]} cores of {made["cpu"]} '
        f'(Python {made["python"]}, astro_pix2prof '
        f'{made["astro_pix2prof"]}, astropy {made["astropy"]}, photutils '
        f'{made["photutils"]}, torch {made["torch"]}, GalSim '
        f'{made["galsim"]}).')


def report(out):
    """
    All tables as text.
    """
    lines = [describe(out)]
    for title, heading, rows in tables_of(out):
        widths = [max(len(row[i]) for row in (heading, *rows))
                  for i in range(len(heading))]
        lines += ['', title]
        lines += ['  '.join(cell.ljust(width) for cell, width in zip(
            row, widths, strict=True)).rstrip() for row in (heading, *rows)]
    return '\n'.join(lines)


def write_inc(out, path, figures):
    """
    All tables and pictures as a part of a page of the documentation.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``.

    path : `~pathlib.Path`
        The file.

    figures : list of tuple
        Paths of pictures and their captions.
    """
    lines = ['.. Written by benchmarks/accuracy/run.py; not to be edited.', '']
    lines += wrap(
        'A radius without a value counts as 1 mag/arcsec2. The medians are '
        'those over the images of the medians along the radius, with '
        'standard errors from drawing the galaxies anew. '
        'Complete are the images with a value at 80 per cent of the radii '
        'brighter than 26.5 mag/arcsec2 or more. The true ellipses have the '
        'sky and the mask of IsophoteFitter.')
    for title, heading, rows in tables_of(out):
        lines += [f'{title}:', '', *list_table(heading, rows)]
    for figure, caption in figures:
        place = Path(os.path.relpath(figure, path.parent)).as_posix()
        lines += [f'.. figure:: {place}',
                  f'    :alt: {caption.partition(".")[0]}.', '']
        lines += [f'    {line}'.rstrip() for line in wrap(caption, 75)]
    lines += wrap(describe(out))
    path.write_text('\n'.join(lines).rstrip() + '\n', encoding='utf-8')


def _panels(out, n_rows):
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    n = len(out['sets'])
    fig, axes = plt.subplots(n_rows, n, figsize=(3.2 * n + 0.8,
                                                 2.9 * n_rows),
                             sharex='row', sharey='row', squeeze=False,
                             layout='constrained')
    for ax, part in zip(axes[0], out['sets'].values(), strict=True):
        ax.set_title(part['title'], fontsize='medium')
    return fig, axes


def _middle(rows):
    return [0.5 * (row['bright'] + row['faint']) for row in rows]


def plot_errors(out, path):
    """
    Deviation and bias against surface brightness, for each set.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``.

    path : `~pathlib.Path`
        The picture.

    Returns
    -------
    path, caption : tuple
    """
    fig, axes = _panels(out, 2)
    for column, part in zip(axes.T, out['sets'].values(), strict=True):
        for label, figures in part['fitters'].items():
            rows = figures['by_surface_brightness']
            for ax, key in zip(column, ('median', 'bias'), strict=True):
                ax.plot(_middle(rows), [row[key] for row in rows], 'o-',
                        ms=3, label=label)
        column[0].set_yscale('log')
        column[1].axhline(0, color='0.5', lw=0.8)
        column[1].set_xlabel('true surface brightness (mag/arcsec$^2$)')
    axes[0, 0].set_ylabel('median |deviation| (mag/arcsec$^2$)')
    axes[1, 0].set_ylabel('bias (mag/arcsec$^2$)')
    axes[0, 0].legend(fontsize='small')
    fig.savefig(path, dpi=100)
    return path, ('Deviations against the true surface brightness, for '
                  'galaxies as four surveys see them. Above the median of '
                  'the absolute deviation, below the bias.')


def plot_reliability(out, path):
    """
    Stated against actual errors, and the share within one sigma.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``.

    path : `~pathlib.Path`
        The picture.

    Returns
    -------
    path, caption : tuple
    """
    fig, axes = _panels(out, 2)
    for column, part in zip(axes.T, out['sets'].values(), strict=True):
        seen = []
        for label, figures in part['fitters'].items():
            rows = figures['reliability']
            stated = [row['stated'] for row in rows]
            column[0].plot(stated, [row['actual'] for row in rows], 'o-',
                           ms=3, label=label)
            seen += stated
            rows = figures['coverage']['surface brightness']
            bins = [[float(edge) for edge in row['name'].split(' to ')]
                    for row in rows]
            column[1].plot([np.mean(edges) for edges in bins],
                           [row['within_error'] for row in rows], 'o-',
                           ms=3, label=label)
        if seen:
            ends = [min(seen), max(seen)]
            column[0].plot(ends, ends, color='0.5', lw=0.8)
        column[0].set(xscale='log', yscale='log',
                      xlabel='stated error (mag/arcsec$^2$)')
        column[1].axhline(0.683, color='0.5', lw=0.8)
        column[1].set(ylim=(0, 1),
                      xlabel='true surface brightness (mag/arcsec$^2$)')
    axes[0, 0].set_ylabel('actual error (mag/arcsec$^2$)')
    axes[1, 0].set_ylabel('share within 1 sigma')
    axes[0, 0].legend(fontsize='small')
    fig.savefig(path, dpi=100)
    return path, ('Whether the errors can be believed. Above, what 68 per '
                  'cent of the absolute deviations are below, in bins of '
                  'the stated error; below, the share of the rings within '
                  'the stated error. Grey lines: honest errors.')
