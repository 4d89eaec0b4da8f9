# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
What the commands of the command line have in common.
"""

import re
import sys
import warnings

__all__ = ['SUFFIXES', 'file_stem', 'make_folder', 'one_line', 'output_stems',
           'print_columns', 'quietly', 'report', 'save_figure']


SUFFIXES = {'ecsv': '.ecsv', 'fits': '.fits', 'parquet': '.parquet'}


def one_line(error):
    """
    The text of an exception without line breaks.
    """
    text = ' '.join(str(error).split())
    return text or type(error).__name__


def report(text):
    """
    Print an error.
    """
    print(f'pix2prof: error: {text}', file=sys.stderr)


def file_stem(path):
    """
    The name of a file without the suffixes of FITS and of compression.
    """
    return re.sub(r'\.(fits?|fts|fz)(\.(gz|bz2|xz|fz|Z))?$', '', path.name,
                  flags=re.IGNORECASE)


def quietly(function, *args, **kwargs):
    """
    Call a function; return its result and its warnings, as lines.
    """
    from astropy.utils.exceptions import AstropyUserWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstropyUserWarning)
        result = function(*args, **kwargs)
    return result, list(dict.fromkeys(one_line(item.message)
                                      for item in caught))


def save_figure(function, path, *args, **kwargs):
    """
    Draw with a function of the plotting module, without pyplot.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=kwargs.pop('figsize'))
    function(*args, fig=fig, **kwargs)
    fig.savefig(path, dpi=150)


def make_folder(folder, args):
    """
    Make the folder for the results.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        args.command.error(f'argument --out: {folder}: {error.strerror}')


def output_stems(images):
    """
    One name for the results of each image, though images share a name.
    """
    stems = []
    for path in images:
        stem, number = file_stem(path), 1
        while stem in stems:
            number += 1
            stem = f'{file_stem(path)}_{number}'
        stems.append(stem)
    return stems


def print_columns(rows):
    """
    Print rows of texts with aligned columns.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print('  '.join(text.ljust(width) for text, width
                        in zip(row, widths, strict=True)).rstrip())
