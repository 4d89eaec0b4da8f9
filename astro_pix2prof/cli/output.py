# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Print results, warnings and errors, and write files.
"""

import os
import re
import sys
import traceback
import warnings
from contextlib import contextmanager

from astro_pix2prof.addresses import is_address

__all__ = ['SUFFIXES', 'add_radius_scale', 'check_figure', 'check_file',
           'check_new', 'check_table', 'file_stem', 'make_folder',
           'option_text', 'output_stems', 'print_columns',
           'print_differences', 'quietly', 'report', 'save_figure',
           'show_traceback', 'show_warnings', 'warn']


# The endings of tables, and of figures.
_TABLES = '.ecsv', '.csv', '.fits', '.parquet'

_FIGURES = ('.png', '.pdf', '.svg', '.eps', '.ps', '.jpg', '.jpeg', '.tif',
            '.tiff', '.webp')

SUFFIXES = {'ecsv': '.ecsv', 'fits': '.fits', 'parquet': '.parquet'}

# Python arguments for which an option has another name: its destination.
_ALIASES = {'calibrated': 'uncalibrated', 'noise': 'uncertainty',
            'n_workers': 'workers', 'n_gallery': 'gallery',
            'num_nodes': 'nodes', 'ra': 'position', 'dec': 'position',
            'x': 'position', 'y': 'position', 'masks': 'mask',
            'uncertainties': 'uncertainty', 'invvars': 'invvar',
            'backgrounds': 'background', 'service': 'cutouts',
            'layer': 'cutouts', 'cache': 'cutout_cache',
            'rate': 'cutout_rate', 'attempts': 'cutout_attempts',
            'labels': 'label', 'filter': 'band'}

# Phrases of the library that are not of the command line.
_PHRASES = (
    (re.compile(r'give a SkyCoord, or angles, \((\S+) \* u\.deg, (\S+) \* '
                r'u\.deg\)'), r'give degrees with their unit, \1d \2d'),
    (re.compile(r'\ba SkyCoord\b'), 'on the sky'),
    (re.compile(r'\s*If this is really a FITS file, try with '
                r'ignore_missing_simple=True'), ''),
    (re.compile(r'or a CutoutService; or bands= as a dict that says where the '
                r'images of each are; or hdu= or band= as a dict, if they are '
                r'in the same file'),
     'or --cutouts; or --bands with the images of each, as g=path_g,r=path_r'),
    (re.compile(r'give kind numbers'), 'give --kind numbers'),
    (re.compile(r'embedding=True \((pix2prof survey --embedding)\)'),
     r'\1'),
    (re.compile(r"use weights='rings' and the method encode, or find_clumps"),
     "give --weights rings (pix2prof survey --embedding and pix2prof clumps "
     "use these)"),
    (re.compile(r'leave out x and y, which are pixels'),
     'leave out --pixels, and name two columns of angles in --position'),
    (re.compile(r'hips2fits needs layer=, the name of a HiPS such as '
                r"'([^']*)'"),
     r'hips2fits needs the name of a HiPS: give --cutouts hips2fits:\1'),
    (re.compile(r'or an IsophoteFitter$'), 'or --method isophote'),
    (re.compile(r'(weights: (.*)\.)json belongs to a head, which fine_tune '
                r'fitted to embeddings, and a fitter needs a network: .*'),
     r'\1safetensors is a head, which pix2prof fine-tune encoder made, and a '
     'network is needed: give one such as rings; heads are applied in Python, '
     'as the guide to fine-tuning shows'),
    (re.compile(r'galaxies by groups\)'), 'galaxies by --group)'),
    (re.compile(r'leave device out'), 'leave out --device'),
    (re.compile(r'give k_correction, a function of band, redshift and colour, '
                r'or the magnitudes of each band, which may be 0'),
     'give --k-correction, which may be 0'),
    (re.compile(r'(path must end in one of .*) or format be given, got'),
     r'\1, got'),
    (re.compile(r'; or give truths\b'), ''),
    (re.compile(r', a slope or a function of the number of spaxels'),
     ' or a slope'),
    (re.compile(r'which are not in bands:'), 'which are not in --bands:'),
)

# The value of an argument, if one follows.
_VALUE = r"""('[^']*'|"[^"]*"|\([^)]*\)|\[[^]]*\]|[^\s,;:()]*)"""

# What is never altered: addresses, paths with an ending, and what is quoted
# (unless it is the value of an argument, the first group).
_LITERAL = re.compile(
    r"""(='[^'\n]*'|="[^"\n]*")|\b[a-zA-Z][\w+.-]*://[^\s'"]+"""
    r"""|(?<![\w.=/~-])[\w.~-]*/\S*\.\w{2,7}\b"""
    r"""|(?<!\w)'[^'\n]*'(?!\w)|(?<!\w)"[^"\n]*"(?!\w)""")

# Text that follows the name of an argument, and hardly another noun.
_FOLLOWS = (r"(?= (?:must|is|has|had|was|were|chooses|selects|needs|cannot|"
            r"and|or|in|with|goes?|does|holds?)\b|, | \(| '|:)")


def report(problem, args=None, *, file=None):
    """
    Print an error, and with ``--debug`` its traceback.

    Parameters
    ----------
    problem : `Exception` or str
        The error.

    args : `argparse.Namespace`, optional
        The arguments of the command, which say what its options are.

    file : `~pathlib.Path`, optional
        The file that led to it.
    """
    if isinstance(problem, Exception):
        show_traceback(problem, args)
    print(f'pix2prof: error: {_describe(problem, args, file)}',
          file=sys.stderr)


def show_traceback(error, args):
    """
    Print the traceback of an error with ``--debug``, and nothing without.

    Parameters
    ----------
    error : `Exception`
        The error.

    args : `argparse.Namespace` or `None`
        The arguments of the command.
    """
    if getattr(args, 'debug', False):
        traceback.print_exception(error)


def warn(note, args=None, *, file=None):
    """
    Print a warning.

    Parameters
    ----------
    note : str
        The warning.

    args, file : optional
        As for `report`.
    """
    print(f'pix2prof: warning: {_describe(note, args, file)}',
          file=sys.stderr)


def _describe(problem, args, file):
    """
    Describe an error or a warning in one line that names its file once.
    """
    if (isinstance(problem, OSError) and problem.filename is not None
            and problem.strerror):
        # (a file may have the name of an option)
        text = f'{problem.filename}: {problem.strerror.lower()}'
    else:
        text = ' '.join(str(problem).split()) or type(problem).__name__
        text = option_text(text, getattr(args, 'command', None))
    if 'is outside of the image' in text:
        text += _degrees(getattr(args, 'position', None))
    if file is None or re.search(
            rf'(?<![\w./-]){re.escape(str(file))}(?![\w/-])', text):
        return text
    return f'{file}: {text}'


def _degrees(position):
    """
    Explain how a position outside of the image is written in degrees.
    """
    try:
        first, second = (float(text) for text in position)
    except (TypeError, ValueError):
        return ''
    if not (0 <= first <= 360 and -90 <= second <= 90):
        return ''
    return f'; degrees have a unit: {first:g}d {second:g}d'


def option_text(text, command=None):
    """
    Replace the names of Python arguments by those of options.

    Parameters
    ----------
    text : str
        A message of the library, such as 'give zeropoint= or unit='.
        Addresses and what it quotes are left as they are.

    command : `argparse.ArgumentParser`, optional
        The command whose options are meant. Names of which it has no option
        are left as they are.

    Returns
    -------
    text : str
        Such as 'give --zeropoint or --unit'.
    """
    for pattern, phrase in _PHRASES:
        text = pattern.sub(phrase, text)
    options = {} if command is None else _find_options(command)
    if not options:
        return text
    literals = []

    def hide(match):
        if match[1]:
            return match[0]
        literals.append(match[0].strip('\'"'))
        # (rules below look at the quotes)
        ends = match[0][0] if match[0][0] in '\'"' else ''
        return f'{ends}\0{len(literals) - 1}\0{ends}'

    text = _LITERAL.sub(hide, text)
    names = '|'.join(sorted(options, key=len, reverse=True))

    def replace_value(match):
        option, value = options[match[1]], match[2]
        if value in ('', 'True', 'False'):
            return option
        if value.startswith(('(', '[')):
            # ('SCI', 2) is given as SCI,2
            value = re.sub(r"[][()'\" ]", '', value)
        return f'{option} {value}'

    text = re.sub(rf"""(?<![\w.'"/-])({names})={_VALUE}""", replace_value,
                  text)
    # A word such as size is an option where it is the subject of a clause
    # or what shall be given; one such as pixel_scale always is.
    text = re.sub(rf'(^|: |; |\bgive )({names}){_FOLLOWS}',
                  lambda match: match[1] + options[match[2]], text)
    text = re.sub(rf'(--[\w-]+ and )({names})\b',
                  lambda match: match[1] + options[match[2]], text)
    long = '|'.join(name for name in options if '_' in name)
    if long:
        # (not the columns that a message lists)
        text = re.sub(rf"""(?<![\w.'"/-])(?<!, )(?<!are )(?<!has: )({long})"""
                      r"""(?![\w'"/-]|\.\w)""",
                      lambda match: options[match[1]], text)
    # (a message may name both, with a value or without)
    text = re.sub(r'(--[\w-]+) \(\1\)', r'\1', text)
    text = re.sub(r'''(--[\w-]+) (['"]?)([^\s'"();,]+)\2 \(\1 \3\)''',
                  r'\1 \3', text)
    return re.sub('\0(\\d+)\0', lambda match: literals[int(match[1])], text)


def _find_options(command):
    """
    Find the options of a command by the names of Python arguments.
    """
    options = {action.dest: action.option_strings[-1]
               for action in command._actions if action.option_strings}
    for name, other in _ALIASES.items():
        if other in options:
            options.setdefault(name, options[other])
    return options


def quietly(function, *args, **kwargs):
    """
    Call a function and catch its warnings.

    Parameters
    ----------
    function : callable
        The function.

    *args, **kwargs
        Its arguments.

    Returns
    -------
    result : object
        Its result.

    notes : list of str
        Its warnings, each once and in one line.
    """
    from astropy.utils.exceptions import AstropyUserWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstropyUserWarning)
        result = function(*args, **kwargs)
    return result, list(dict.fromkeys(' '.join(str(item.message).split())
                                      for item in caught))


@contextmanager
def show_warnings(args):
    """
    Print the warnings of what takes long as they come, each once.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments of the command.
    """
    from astropy.utils.exceptions import AstropyUserWarning
    from tqdm import tqdm

    shown = set()

    def show(message, category, filename, lineno, file=None, line=None):
        note = ' '.join(str(message).split())
        if note in shown:
            return
        shown.add(note)
        # (above the bar, if there is one)
        with tqdm.external_write_mode(file=sys.stderr):
            warn(note, args)

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstropyUserWarning)
        warnings.showwarning = show
        yield


def file_stem(path):
    """
    Remove the suffixes of FITS and of compression from the name of a file.

    Parameters
    ----------
    path : `~pathlib.Path` or ``upath.UPath``
        The file.

    Returns
    -------
    stem : str
    """
    from astro_pix2prof.image.companions import image_stem

    name = path.name
    return image_stem(name.partition('?')[0] if is_address(path) else name)


def output_stems(paths):
    """
    Choose different names for the results of files that may share a name.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        The files.

    Returns
    -------
    stems : list of str
        The name of each file without its suffixes, and with a number if it
        is not the first of that name.
    """
    stems = []
    for path in paths:
        stem, number = file_stem(path), 1
        while stem in stems:
            number += 1
            stem = f'{file_stem(path)}_{number}'
        stems.append(stem)
    return stems


def check_file(path):
    """
    Check that a file exists and is a regular one.

    Parameters
    ----------
    path : `~pathlib.Path` or ``upath.UPath``
        The file; an address is not asked for.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    OSError
        If it is a folder or a device.
    """
    if is_address(path):
        # (opening it tells)
        return
    if path.is_dir():
        msg = f'{path} is a folder: give its files, such as {path}/*.fits'
        raise OSError(msg)
    if not path.exists():
        from astro_pix2prof.image.companions import extension_hint

        msg = f'no such file: {path}{extension_hint(path)}'
        raise FileNotFoundError(msg)
    if not path.is_file():
        msg = f'{path} is not a regular file'
        raise OSError(msg)


def make_folder(folder, args, option='--out'):
    """
    Make the folder for the results; end the program if that fails.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder.

    args : `argparse.Namespace`
        The arguments.

    option : str, optional
        The option that asks for it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        args.command.error(f'argument {option}: {folder}: '
                           f'{error.strerror.lower()}')
    if not os.access(folder, os.W_OK | os.X_OK):
        args.command.error(f'argument {option}: {folder}: no permission to '
                           'write there')


def check_new(path, args, option='--out'):
    """
    Check that no file exists that is not to be replaced.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    args : `argparse.Namespace`
        The arguments, with ``overwrite``.

    option : str, optional
        The option that asks for the file.

    Raises
    ------
    FileExistsError
        If there is such a file. A folder of this name ends the program.
    """
    if path.is_dir():
        args.command.error(f'argument {option}: {path} is a folder: give the '
                           'name of a file')
    if path.exists() and not args.overwrite:
        msg = f'{option}: {path} exists: give --overwrite to replace it'
        raise FileExistsError(msg)


def check_table(path, args, option='--out'):
    """
    End the program if a table cannot be written, as its ending tells.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    args : `argparse.Namespace`
        The arguments.

    option : str, optional
        The option that asks for the file.
    """
    _check_ending(path, args, option, _TABLES)


def check_figure(path, args, option='--out'):
    """
    End the program if a figure cannot be written, as its ending tells.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    args : `argparse.Namespace`
        The arguments.

    option : str, optional
        The option that asks for the file.
    """
    _check_ending(path, args, option, _FIGURES)


def _check_ending(path, args, option, endings):
    """
    End the program if a file has none of the endings.
    """
    if path.suffix.lower() not in endings:
        args.command.error(f'argument {option}: must end in '
                           f'{", ".join(endings[:-1])} or {endings[-1]}, '
                           f'got {path}')


def add_radius_scale(command):
    """
    Add the option that chooses the scale of the radii of a figure.

    Parameters
    ----------
    command : `~argparse.ArgumentParser`
        The command.
    """
    command.add_argument('--radius-scale', metavar='SCALE',
                         choices=('linear', 'log', 'r1/4'), default='linear',
                         help='scale of the semi-major axis in the figure: '
                              'linear, log, or r1/4 for the fourth root '
                              '(default: linear)')


def save_figure(function, path, *args, **kwargs):
    """
    Draw with a function of the plotting module, without pyplot.

    Parameters
    ----------
    function : callable
        The function, with an argument ``fig``.

    path : `~pathlib.Path`
        The file to write.

    *args, **kwargs
        Arguments of the function, and ``figsize`` in inches.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=kwargs.pop('figsize'))
    function(*args, fig=fig, **kwargs)
    fig.savefig(path, dpi=150)


def print_columns(rows):
    """
    Print rows of texts with aligned columns.

    Parameters
    ----------
    rows : list of tuple of str
        The rows.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print('  '.join(text.ljust(width) for text, width
                        in zip(row, widths, strict=True)).rstrip())


def print_differences(profiles, first):
    """
    Print the differences of profiles from one of them.

    Parameters
    ----------
    profiles : dict of `~astropy.table.QTable`
        The profiles by their labels.

    first : str
        The label of the profile to compare with.
    """
    from astro_pix2prof.evaluation.compare import compare_profiles

    table = compare_profiles(
        {label: profile for label, profile in profiles.items()
         if label != first}, profiles[first])
    for name in ('median', 'median_abs'):
        table[name].info.format = '+.3f' if name == 'median' else '.3f'
    print(f'difference from {first} in bins of surface brightness:')
    print('\n'.join(table.pformat(max_lines=-1, max_width=-1)))
