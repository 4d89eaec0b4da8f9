# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The figures of the throughput as text, as tables and as pictures.
"""

import os
from pathlib import Path
from statistics import median

from benchmarks.tables import list_table, text, wrap

__all__ = ['report', 'sentences_of', 'tables_of', 'write_inc', 'write_plots']

METHODS = {
    'rings': 'Pix2ProfFitter.fit_many, to Parquet',
    'plain': 'photutils.isophote.Ellipse',
    'masked': 'photutils.isophote.Ellipse, with a mask',
    'isophotes': 'IsophoteFitter',
    'autoprof': 'AutoProf, in a process that has started',
    'autoprof_started': 'AutoProf, its command for each image'}

KILLED = {'one': 'one of two processes',
          'all': 'all processes; started again'}

MANY = 1000   # galaxies from which on a rate is one


def rounds_of(out):
    """
    Rounds of the rates end to end, for each precision and number of cores.
    """
    found = {}
    for row in out['rates']['rows']:
        found.setdefault((row['precision'], row['cores']), []).append(row)
    return found


def _rates(out):
    if 'rates' not in out:
        return None
    rows = []
    for (precision, cores), found in rounds_of(out).items():
        rates = [row['per_second'] for row in found]
        rows.append((precision, str(cores), f'{found[0]["n"]:,}', text(
            median(rates), '.1f'), text(min(rates), '.1f'),
            text(max(rates), '.1f'),
            text(median(row['peak'] for row in found), '.0f'),
            str(max(row['n_failed'] for row in found))))
    apart = {}
    for row in out['rates'].get('unrelated', ()):
        apart.setdefault(row['precision'], []).append(row)
    for precision, found in apart.items():
        rates = [row['per_second'] for row in found]
        rows.append((precision, '1 + 1, two runs at once',
                     f'{2 * found[0]["n"]:,}', text(median(rates), '.1f'),
                     text(min(rates), '.1f'), text(max(rates), '.1f'),
                     '', ''))
    return ('From FITS to Parquet', (
        'Precision', 'Cores', 'Galaxies', 'Galaxies/s', 'Least', 'Most',
        'Memory (MiB)', 'Failed'), rows)


def _split(out):
    if 'rates' not in out:
        return None
    split = out['rates']['split']
    totals = [sum(row['ms'] for row in rows) for rows in split.values()]
    rows = []
    for steps in zip(*split.values(), strict=True):
        cells = [steps[0]['step']]
        for row, total in zip(steps, totals, strict=True):
            cells += [text(row['ms'], '.2f'), text(row['ms'] / total, '.0%')]
        rows.append(tuple(cells))
    heading = ['Step']
    for precision in split:
        heading += [f'{precision}, ms', 'Share']
    last = ['total']
    for total in totals:
        last += [text(total, '.2f'), '']
    return ('What the time of a galaxy goes into, on one core',
            tuple(heading), [*rows, tuple(last)])


def _limit(out):
    if 'rates' not in out:
        return None
    columns = []
    for precision, row in out['rates']['limit'].items():
        whole = median(1000 / part['per_second']
                       for part in rounds_of(out)[precision, 1])
        arithmetic = 1000 * row['gflop'] / row['gflops']
        columns.append((
            ('Arithmetic of the network for an image (10⁹ operations)',
             text(row['gflop'], '.3f')),
            ('Large matrix products (10⁹ operations/s)',
             text(row['gflops'], '.1f')),
            ('The arithmetic at that rate (ms)', text(arithmetic, '.2f')),
            ('The network (ms)', text(row['network_ms'], '.2f')),
            ('Share of that rate that the network reaches',
             text(arithmetic / row['network_ms'], '.0%')),
            ('A file (kB)', text(row['bytes'] / 1000, '.0f')),
            ('Reading files that are in memory (10⁹ bytes/s)',
             text(row['read_gbs'], '.1f')),
            ('Copying memory (10⁹ bytes/s)', text(row['copy_gbs'], '.1f')),
            ('Arithmetic and reading of an image at these rates (ms)',
             text(row['limit_ms'], '.2f')),
            ('The whole, from FITS to Parquet (ms)', text(whole, '.2f')),
            ('Share of the limit that the whole reaches',
             text(row['limit_ms'] / whole, '.0%'))))
    return ('The limit of one core', ('Figure', *out['rates']['limit']), [
        (cells[0][0], *(cell for _, cell in cells))
        for cells in zip(*columns, strict=True)])


def _start(out):
    if 'rates' not in out:
        return None
    row = out['rates']['start']
    return ('Start', ('What', 'Seconds'), [
        ('pix2prof fit of one image', text(
            median(row['command']), '.2f')),
        ('of which Python with the import of torch', text(
            median(row['torch']), '.2f'))])


def _others(out):
    if 'others' not in out:
        return None
    rows = []
    for name, title in METHODS.items():
        row = out['others']['methods'].get(name)
        if row is None:
            rows.append((title, *'-----', 'not measured'))
            continue
        n, failed = row['n'], str(row['n_failed'])
        if name == 'rings':
            n, failed = out['others']['n_rings'], '-'
        rows.append((title, str(n), failed, text(row['mean'], '.3g'),
                     text(row['median'], '.3g'), text(row['p95'], '.3g'),
                     text(row['ratio'], '.4g')))
    return ('Seconds for an image on one core', (
        'Method', 'Images', 'Failed', 'Mean', 'Median', '95th percentile',
        'Mean over that of fit_many'), rows)


def _sizes(out):
    if 'sizes' not in out:
        return None
    return ('Images by size, on one core', (
        'Side (px)', 'Images', 'ms for an image', 'ms for a megapixel'), [
            (str(row['n_pix']), str(row['n']), text(row['ms'], '.1f'),
             text(row['ms'] / row['n_pix']**2 * 1e6, '.0f'))
            for row in out['sizes']['rows']])


def _numbers(out):
    if 'numbers' not in out:
        return None
    return ('Number of galaxies, on two cores', (
        'Galaxies', 'Seconds', 'Galaxies/s', 'Memory (MiB)',
        'Parquet (MB)'), [
            (f'{row["n"]:,}', text(row['seconds'], '.1f'),
             text(row['per_second'], '.1f'), text(row['peak'], '.0f'),
             text(row['bytes'] / 1e6, '.2f'))
            for row in out['numbers']['rows']])


def _gpu(out):
    found = out.get('gpu')
    if not found or found['name'] is None:
        return None
    return (f'{found["name"]}', (
        'Batch', 'Precision', 'Network, images/s', 'Share of the limit',
        'From FITS to batches, galaxies/s'), [
            (str(row['batch']), row['precision'],
             text(row['network_per_second'], '.0f'),
             text(row['network_per_second'] / row['limit_per_second'],
                  '.0%'), text(row['per_second'], '.0f'))
            for row in found['rows']])


def _survey(out):
    if 'survey' not in out:
        return None
    return ('A survey in several processes', (
        'Processes', 'Seconds', 'Efficiency', 'Galaxies/s once started',
        'Efficiency once started'), [
            (str(row['n_workers']), text(row['seconds'], '.1f'),
             text(row['efficiency_whole'], '.2f'),
             text(row['per_second'], '.1f'), text(row['efficiency'], '.2f'))
            for row in out['survey']['processes']['rows']])


def _killed(out):
    if 'survey' not in out:
        return None
    found = out['survey']['killed']
    return (f'Processes killed in a survey of {found["n"]:,} galaxies', (
        'Killed', 'Galaxies done', 'Files', 'Files that differ',
        'Files left over'), [
            (KILLED[row['killed']], f'{row["n_done"]:,}',
             str(row['n_files']), str(row['n_different']),
             str(row['n_rest'])) for row in found['rows']])


def _rows(out):
    if 'rows' not in out:
        return None
    return ('Memory of surveys of many rows (MiB)', (
        'Rows', 'Processes', 'Rows/s', 'After 10%', 'After 50%', 'In the end',
        'Peak', 'Second call, rows/s', 'Its peak', 'Files', 'In a folder'), [
            (f'{row["n"]:,}', str(row['n_workers']),
             f'{row["per_second"]:,}', str(row['mib_10']),
             str(row['mib_50']), str(row['mib_100']), str(row['peak']),
             f'{row["again_per_second"]:,}', str(row['again_peak']),
             f'{row["n_files"]:,}', f'{row["most_in_a_folder"]:,}')
            for row in out['rows']['rows']])


# what tables are of, and what is said of them
PARTS = (('rates', (_rates, _split, _limit, _start)), ('others', (_others,)),
         ('sizes', (_sizes,)), ('numbers', (_numbers,)), ('gpu', (_gpu,)),
         ('survey', (_survey, _killed)), ('rows', (_rows,)))

TITLES = {'rates': 'End to end', 'others': 'Against other methods',
          'sizes': 'Size of the images', 'numbers': 'Number of galaxies',
          'gpu': 'On a GPU', 'survey': 'Surveys',
          'rows': 'Surveys of many rows'}


def tables_of(out, name):
    """
    Title, heading and rows of the tables of a part that was measured.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.throughput.run``.

    name : str
        The part.

    Returns
    -------
    tables : list of tuple
    """
    return [table for table in (make(out) for make in dict(PARTS)[name])
            if table is not None]


def sentences_of(out, name):
    """
    What is said of a part that was measured, or nothing.

    Parameters
    ----------
    out, name : optional
        As for `tables_of`.

    Returns
    -------
    sentences : str
    """
    part = out.get(name)
    if part is None:
        return 'This was not measured.'
    if name == 'rates' and part['difference'] is None:
        return ('bfloat16 was not measured: this processor does not multiply '
                'it.')
    if name == 'rates':
        return _precisions(part['difference'])
    if name == 'others' and part['autoprof'] is None:
        return ('AutoProf was not measured, as no environment could be made '
                f'for it: {part["autoprof_reason"].rstrip(".")}.')
    if name == 'others':
        return (f'AutoProf {part["autoprof"]["version"]} measured the first '
                'images of each round.')
    if name == 'numbers':
        many = [row for row in part['rows'] if row['n'] >= MANY]
        if len(many) < 2:
            return ''
        first, last = many[0], many[-1]
        return (f'From {first["n"]:,} to {last["n"]:,} galaxies, the time '
                'for a galaxy changes by a factor of '
                f'{first["per_second"] / last["per_second"]:.2f}, and the '
                f'memory by {last["peak"] / first["peak"]:.2f}.')
    if name == 'gpu':
        if part['name'] is None:
            return 'Not measured yet.'
        return _precisions(part['difference'])
    if name == 'survey':
        row = part['processes']
        return (f'{row["n"]:,} galaxies in parts of {row["chunk"]}, as files '
                'of one galaxy; one process works without Dask. Medians; '
                f'number of rounds, in turns: {row["rounds"]}.')
    if name == 'rows':
        return _flatness(part['rows'])
    return ''


def _flatness(rows):
    """
    Say how the memory of surveys changes with the number of rows.
    """
    alone = [row for row in rows if row['n_workers'] == 1]
    if len(alone) < 2:
        return ''
    first, last = alone[0], alone[-1]
    return (f'With ten times as many rows, from {first["n"]:,} to '
            if last['n'] == 10 * first['n'] else
            f'From {first["n"]:,} to ') + (
        f'{last["n"]:,}, the peak of the memory of one process changes by a '
        f'factor of {last["peak"] / first["peak"]:.2f}, and the rate by '
        f'{last["per_second"] / first["per_second"]:.2f}.')


def _precisions(found):
    return ('Surface brightnesses in bfloat16 differ from those in float32 '
            f'by {found["median"]:.4f} mag/arcsec2 in the median, and 99% of '
            f'them by less than {found["p99"]:.4f}.')


def describe(out, name):
    """
    What a part was made with.
    """
    made = out[name]['made']
    trial = 'A trial with few galaxies: the figures mean nothing. ' if (
        made['quick']) else ''
    return (f'{trial}Weights ``{made["weights"]["name"]}``; {made["date"]}; '
            f'{made["cores"]} cores of {made["cpu"]} (Python '
            f'{made["python"]}, astro_pix2prof {made["astro_pix2prof"]}, '
            f'torch {made["torch"]}, astropy {made["astropy"]}, photutils '
            f'{made["photutils"]}).')


def report(out):
    """
    All tables as text.
    """
    lines = []
    for name, _ in PARTS:
        if name not in out:
            continue
        lines += ['', *wrap(f'{TITLES[name]}. {describe(out, name)} '
                            f'{sentences_of(out, name)}')[:-1]]
        for title, heading, rows in tables_of(out, name):
            widths = [max(len(row[i]) for row in (heading, *rows))
                      for i in range(len(heading))]
            lines += ['', title]
            lines += ['  '.join(cell.ljust(width) for cell, width in zip(
                row, widths, strict=True)).rstrip()
                for row in (heading, *rows)]
    return '\n'.join(lines)


def write_inc(out, path, figures):
    """
    Tables and pictures as parts of a page of the documentation.

    The page takes each part by its name: it lies between the comments
    ``begin NAME`` and ``end NAME``.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.throughput.run``.

    path : `~pathlib.Path`
        The file.

    figures : list of tuple
        Parts, paths of pictures and their captions.
    """
    lines = ['.. Written by benchmarks/throughput/run.py; not to be edited.',
             '']
    for name, _ in PARTS:
        lines += [f'.. begin {name}', '']
        sentences = sentences_of(out, name)
        if sentences:
            lines += wrap(sentences)
        for title, heading, rows in tables_of(out, name):
            lines += [f'{title}:', '', *list_table(heading, rows)]
        for part, figure, caption in figures:
            if part != name:
                continue
            place = Path(os.path.relpath(figure, path.parent)).as_posix()
            lines += [f'.. figure:: {place}',
                      f'    :alt: {caption.partition(".")[0]}.', '']
            lines += [f'    {line}'.rstrip() for line in wrap(caption, 75)]
        if name in out:
            lines += wrap(describe(out, name))
        lines += [f'.. end {name}', '']
    path.write_text('\n'.join(lines).rstrip() + '\n', encoding='utf-8')


def write_plots(out, folder):
    """
    The pictures of what was measured.

    Parameters
    ----------
    out : dict
        The figures of ``benchmarks.throughput.run``.

    folder : `~pathlib.Path`
        Where they are written.

    Returns
    -------
    figures : list of tuple
        Parts, paths and captions.
    """
    import matplotlib

    matplotlib.use('Agg')
    folder.mkdir(parents=True, exist_ok=True)
    return [(name, *plot(out, folder)) for name, plot in (
        ('others', _plot_others), ('sizes', _plot_sizes),
        ('numbers', _plot_numbers)) if name in out]


def _axes(n=1, height=3.0):
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, n, figsize=(4.2 * n, height),
                             layout='constrained', squeeze=False)
    return fig, axes[0]


def _save(fig, path):
    import matplotlib.pyplot as plt

    fig.savefig(path, dpi=100)
    plt.close(fig)
    return path


def _plot_others(out, folder):
    import matplotlib.pyplot as plt

    found = out['others']['methods']
    names = [name for name in METHODS
             if found.get(name, {}).get('mean') is not None][::-1]
    values = [found[name]['mean'] for name in names]
    fig, ax = plt.subplots(figsize=(7, 0.6 + 0.4 * len(names)),
                           layout='constrained')
    bars = ax.barh([METHODS[name] for name in names], values, height=0.6)
    ax.bar_label(bars, [f'{value:.2g} s' for value in values], padding=3)
    ax.set(xscale='log', xlabel='seconds for an image, one core')
    ax.margins(x=0.15)
    path = _save(fig, folder / 'others.png')
    return path, ('Seconds for an image of 256 x 256 pixels, on one core. '
                  'Images that a method failed on do not count.')


def _plot_sizes(out, folder):
    rows = out['sizes']['rows']
    fig, (ax,) = _axes()
    sides = [row['n_pix'] for row in rows]
    ax.plot(sides, [row['ms'] / 1000 for row in rows], 'o-', ms=4)
    last = rows[-1]
    ax.plot(sides, [last['ms'] / 1000 * (side / last['n_pix'])**2
                    for side in sides], color='0.6', lw=0.8)
    ax.set(xscale='log', yscale='log', xlabel='side of the image (pixels)',
           ylabel='seconds for an image')
    ax.set_xticks(sides, [str(side) for side in sides])
    ax.minorticks_off()
    path = _save(fig, folder / 'sizes.png')
    return path, ('Seconds for a galaxy that fills an image, on one core, by '
                  'the side of the image. Grey: proportional to the number '
                  'of pixels.')


def _plot_numbers(out, folder):
    rows = out['numbers']['rows']
    fig, (left, right) = _axes(2)
    numbers = [row['n'] for row in rows]
    left.plot(numbers, [row['seconds'] for row in rows], 'o-', ms=4)
    last = rows[-1]
    left.plot(numbers, [last['seconds'] * n / last['n'] for n in numbers],
              color='0.6', lw=0.8)
    left.set(xscale='log', yscale='log', xlabel='galaxies',
             ylabel='seconds')
    right.plot(numbers, [row['peak'] for row in rows], 'o-', ms=4)
    right.set(xscale='log', xlabel='galaxies', ylabel='peak memory (MiB)')
    right.set_ylim(0, 1.2 * max(row['peak'] for row in rows))
    path = _save(fig, folder / 'numbers.png')
    return path, ('Seconds and memory by the number of galaxies, on two '
                  'cores, from FITS to Parquet. Grey: proportional to the '
                  'number. The memory is that of all processes together; '
                  'what they share counts once.')
