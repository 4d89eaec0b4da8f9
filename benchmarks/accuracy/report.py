# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The figures of the evaluation as text, as tables and as pictures.
"""

import os
from pathlib import Path

import numpy as np

from benchmarks.accuracy.sets import ISOPHOTES, NETWORK, ORACLE
from benchmarks.tables import list_table, text, wrap

__all__ = ['FIGURES', 'name_by_weights', 'plot_figures', 'report',
           'tables_of', 'write_inc']

STRUCTURE = {'mag_total': 'total magnitude', 'r25': 'R25 (relative)'}
BINS = {'radius': 'radius (pixels)', 'ellipticity': 'true ellipticity',
        'snr': 'S/N'}
GROWTH = (('n', 'd'), ('median', '.4f'), ('median_last', '.4f'),
          ('worst_last', '.4f'), ('worst', '.4f'), ('within_0_02', '.1%'))


# The tables of the short page, by their functions; the others have pages of
# their own.
FIRST = '_overall', '_classes', '_structure', '_speed'

# Number of pictures side by side
N_COLUMNS = 3


def name_by_weights(out):
    """
    Name the methods for readers: the network by its weights.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``, or of
        ``benchmarks.accuracy.network``.

    Returns
    -------
    out : dict
        The same, with other labels.
    """
    names = {ISOPHOTES: 'isophotes'}
    if out.get('weights'):
        names[NETWORK] = out['weights']['name']

    def rename(part):
        if isinstance(part, dict):
            return {names.get(key, key): rename(value)
                    for key, value in part.items()}
        return part

    return rename(out)


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
    ('The isophote fit, s for an image', 'isophotes_seconds', '.2f'),
    ('The isophote fit, median', 'isophotes_seconds_median', '.2f'),
    ('The isophote fit, 95th percentile', 'isophotes_seconds_p95', '.2f'),
    ('The isophote fit over the network fitter', 'fitter_faster', '.0f'),
    ('The isophote fit over the network only', 'network_faster', '.0f'))


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


def tables_of(out, *, first=None):
    """
    Title, heading and rows of all tables that have any.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``.

    first : bool, optional
        Only the tables of the short page (`True`), or only the others.

    Returns
    -------
    tables : list of tuple
    """
    out = name_by_weights(out)
    makers = (_overall, _ratios, _classes, _bins, _photon, _coverage,
              _rings, _ring_bins, _structure, _growth, _speed, _real)
    return [table for table in (
        make(out) for make in makers
        if first is None or (make.__name__ in FIRST) == first) if table[2]]


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
        f'``{weights["sha256"][:12]}...``); seeds of the images: {sets}. '
        f'Made by ``benchmarks/accuracy/run.py`` on {made["date"]} with '
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


def write_inc(out, path, folder):
    """
    Write all tables and pictures as parts of pages of the documentation.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``.

    path : `~pathlib.Path`
        The file. Pages include what lies between ``begin`` and ``end``.

    folder : `~pathlib.Path`
        The folder of the pictures.
    """
    place = Path(os.path.relpath(folder, path.parent)).as_posix()
    lines = ['.. Written by benchmarks/accuracy/run.py; not to be edited.', '',
             '.. begin first', '']
    lines += wrap(
        'A radius without a value counts as 1 mag/arcsec2. The medians are '
        'those over the images of the medians along the radius, with '
        'standard errors from drawing the galaxies anew. '
        'Complete are the images with a value at 80 per cent of the radii '
        'brighter than 26.5 mag/arcsec2 or more. The true ellipses have the '
        'sky and the mask of the isophote fit.')
    for first in (True, False):
        if not first:
            lines += wrap(describe(out))
            lines += ['.. end first', '', '.. begin others', '']
        for title, heading, rows in tables_of(out, first=first):
            lines += [f'{title}:', '', *list_table(heading, rows)]
    lines += ['.. end others', '', '.. begin pictures', '']
    for name, _, caption in FIGURES:
        lines += [f'.. figure:: {place}/accuracy_{name}.png',
                  f'    :alt: {caption.partition(".")[0]}.', '']
        lines += [f'    {line}'.rstrip() for line in wrap(caption, 75)]
    lines += ['.. end pictures']
    path.write_text('\n'.join(lines).rstrip() + '\n', encoding='utf-8')


def _panels(out):
    """
    Make a figure with a panel for each set of images.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    parts = list(out['sets'].values())
    n_rows = -(-len(parts) // N_COLUMNS)
    fig, axes = plt.subplots(
        n_rows, min(N_COLUMNS, len(parts)), figsize=(9.0, 0.6 + 2.9 * n_rows),
        sharex=True, sharey=True, squeeze=False, layout='constrained')
    for ax in axes.flat[len(parts):]:
        ax.remove()
    for ax, part in zip(axes.flat, parts, strict=False):
        ax.set_title(part['title'], fontsize='medium')
    return fig, list(zip(axes.flat, parts, strict=False))


def _finish(fig, xlabel, ylabel, path):
    fig.supxlabel(xlabel, fontsize='medium')
    fig.supylabel(ylabel, fontsize='medium')
    fig.axes[0].legend(fontsize='small')
    fig.savefig(path, dpi=150)


def _middle(rows):
    return [0.5 * (row['bright'] + row['faint']) for row in rows]


def _plot_brightness(out, path, key, ylabel):
    fig, panels = _panels(out)
    for ax, part in panels:
        for label, figures in part['fitters'].items():
            rows = figures['by_surface_brightness']
            ax.plot(_middle(rows), [row[key] for row in rows], 'o-', ms=3,
                    label=label)
        if key == 'bias':
            ax.axhline(0, color='0.5', lw=0.8)
        else:
            ax.set_yscale('log')
    _finish(fig, 'True surface brightness (mag arcsec$^{-2}$)', ylabel, path)


def plot_errors(out, path):
    """
    Draw deviations against surface brightness, for each set.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``.

    path : `~pathlib.Path`
        The picture.
    """
    _plot_brightness(out, path, 'median',
                     'Median deviation, absolute (mag arcsec$^{-2}$)')


def plot_bias(out, path):
    """
    Draw the bias against surface brightness, for each set.
    """
    _plot_brightness(out, path, 'bias', 'Bias (mag arcsec$^{-2}$)')


def plot_reliability(out, path):
    """
    Draw stated against actual errors, for each set.
    """
    fig, panels = _panels(out)
    for ax, part in panels:
        seen = []
        for label, figures in part['fitters'].items():
            rows = figures['reliability']
            stated = [row['stated'] for row in rows]
            ax.plot(stated, [row['actual'] for row in rows], 'o-', ms=3,
                    label=label)
            seen += stated
        if seen:
            ends = [min(seen), max(seen)]
            ax.plot(ends, ends, color='0.5', lw=0.8)
        ax.set(xscale='log', yscale='log')
    _finish(fig, 'Stated error (mag arcsec$^{-2}$)',
            'Actual error (mag arcsec$^{-2}$)', path)


def plot_coverage(out, path):
    """
    Draw the share of rings within their error, for each set.
    """
    fig, panels = _panels(out)
    for ax, part in panels:
        for label, figures in part['fitters'].items():
            rows = figures['coverage']['surface brightness']
            bins = [[float(edge) for edge in row['name'].split(' to ')]
                    for row in rows]
            ax.plot([np.mean(edges) for edges in bins],
                    [row['within_error'] for row in rows], 'o-', ms=3,
                    label=label)
        ax.axhline(0.683, color='0.5', lw=0.8)
        ax.set_ylim(0, 1)
    _finish(fig, 'True surface brightness (mag arcsec$^{-2}$)',
            'Share within 1 sigma', path)


# Name, function and caption of each picture.
FIGURES = (
    ('errors', plot_errors,
     'How far profiles are from the truth, in six sets of images. A lower '
     'line is better. The green line is what masked means along the true '
     'ellipses reach.'),
    ('bias', plot_bias,
     'Whether profiles are too bright (below zero) or too faint. Look at the '
     'faint end: a bias there is one of the sky or of the ellipses.'),
    ('reliability', plot_reliability,
     'Whether errors can be believed: what 68 per cent of the absolute '
     'deviations are below, against the stated error. On the grey line '
     'errors are honest; above it they are too small.'),
    ('coverage', plot_coverage,
     'The share of the rings that lie within their stated error. The grey '
     'line is at 68 per cent, for honest errors.'))


def plot_figures(out, folder):
    """
    Draw all pictures.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.accuracy.run``.

    folder : `~pathlib.Path`
        The folder of the pictures, ``accuracy_errors.png`` and others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    out = name_by_weights(out)
    for name, plot, _ in FIGURES:
        plot(out, folder / f'accuracy_{name}.png')
