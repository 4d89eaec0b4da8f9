# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Options that several commands share.
"""

import argparse
import functools
import re

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.cli.output import option_text
from astro_pix2prof.cli.values import angle, fwhm, number, unit

__all__ = ['add_common_options', 'add_fitter_options', 'add_image_options',
           'add_network_options', 'add_plane_options', 'any_path',
           'band_pairs', 'fitter_options', 'image_options', 'local_path',
           'split_by_band', 'split_options']


# Options of GalaxyCutout that are passed on as they are.
_PLAIN = ('zeropoint', 'pixel_scale', 'native_pixel_scale', 'unit', 'hdu',
          'band', 'gain', 'mag_system', 'psf_fwhm', 'saturation', 'bad_bits')

_PLANES = ('mask', 'uncertainty', 'invvar', 'background')

# Options of the fitters.
_FITTER = ('sky', 'sky_err', 'min_snr', 'radii', 'step', 'max_radius',
           'harmonics', 'free_centres')

# Options that may be given for each file of a command.
_EACH = (*_PLAIN, *_PLANES, 'position', 'size', 'sky', 'sky_err')


# A band with its value at the beginning of a text, and after a comma.
_BAND = re.compile(r'[\w.+-]+=')

_BANDS = re.compile(r',(?=[\w.+-]+=)')


def add_image_options(command, *, position=None, size=None, each=False,
                      by_band=False):
    """
    Add the options that complete the header of an image.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.

    position, size : str, optional
        Other help for these options.

    each : bool, optional
        Whether the options may be repeated, once for each file.

    by_band : bool, optional
        Whether they may have a value for each band, such as g=25.1,r=24.8.
    """
    group = command.add_argument_group(
        'the images', 'Whatever is not given comes from the header.')
    add = functools.partial(_add, group, each, by_band=by_band)
    add('--zeropoint', type=number(), metavar='MAG',
        help='magnitude of one data unit in one pixel')
    add('--mag-system', type=_mag_system, choices=('AB', 'ST', 'Vega'),
        help='magnitude system of the zero point')
    add('--pixel-scale', type=angle, metavar='ARCSEC',
        help='size of a pixel, if there is no WCS')
    add('--native-pixel-scale', type=angle, metavar='ARCSEC',
        help='size of the pixels to which the values refer, for cut-outs of '
             'sky viewers')
    add('--unit', type=unit, help='unit of the data, such as nanomaggy')
    add('--position', nargs=2, metavar=('X', 'Y'), help=position or (
        'position of the galaxy: two numbers are pixels from 0; right '
        'ascension and declination have units, such as 184.73d 12.41d, '
        '12h18m55.5s +12d24m30s or 12:18:55.5 +12:24:30 (default: the '
        'middle)'))
    add('--size', help=size or (
        'crop to this size: pixels, or with a unit such as 90arcsec'))
    add('--hdu', type=hdu_name, metavar='EXT',
        help='extension: number, name, or NAME,VERSION (default: the first '
             'image)')
    add('--band', type=int_or_str,
        help='band or plane of a cube, or name of the band')
    add('--gain', type=number(above=0), metavar='G',
        help='electrons per data unit, for the Poisson noise')
    add('--psf-fwhm', type=fwhm, metavar='ARCSEC',
        help='full width at half maximum of the point-spread function')
    add('--saturation', type=number(above=0), metavar='LEVEL',
        help='data value from which pixels are saturated')
    add('--bad-bits', type=bit_flags, metavar='BITS',
        help='bits of integer masks that reject a pixel, such as 5 or 0x5 '
             '(default: all)')
    group.add_argument('--uncalibrated', action='store_true',
                       help='allow images without zero point or pixel scale')


def add_plane_options(command, *, each=False, text=None):
    """
    Add the options for files with one value for each pixel.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.

    each : bool, optional
        Whether the options may be repeated, once for each file.

    text : str, optional
        Another description of the files.
    """
    group = command.add_argument_group(
        'masks, errors and sky', text or (
            'Images of the same shape: a FITS file, FILE[2] or FILE[NAME] '
            'for an extension; {name} stands for the name of each image '
            'without its ending, such as {name}_mask.fits.'))
    _add(group, each, '--mask', metavar='FILE',
         help='not 0 (or BITS of --bad-bits) where a pixel is not to be used')
    errors = group if each else group.add_mutually_exclusive_group()
    _add(errors, each, '--uncertainty', metavar='FILE',
         help='standard deviation of each pixel')
    _add(errors, each, '--invvar', metavar='FILE',
         help='inverse variance of each pixel')
    _add(group, each, '--background', metavar='FILE',
         help='sky to subtract from each pixel')


def add_network_options(command):
    """
    Add the options that choose the network.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.
    """
    command.add_argument('--weights', default='rings', metavar='NAME',
                         help='weights of the network, a name or a '
                              '.safetensors file (default: rings)')
    command.add_argument('--device', help='where the network runs, such as '
                                          'cpu or cuda (default: a GPU if '
                                          'there is one)')


def add_fitter_options(command, *, each=False):
    """
    Add the options of the fitters, with those of the network.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.

    each : bool, optional
        Whether the sky may be given for each file.
    """
    add_network_options(command)
    _add(command, each, '--sky', type=number_or_word, metavar='LEVEL',
         help='sky level in the unit of the data, auto, or plane for a sky '
              'with a gradient (default: auto)')
    _add(command, each, '--sky-err', type=number_or_word, metavar='ERROR',
         help='error of a sky level that is given (default: 0)')
    command.add_argument('--min-snr', type=float, metavar='SNR',
                         help='signal-to-noise ratio of the last ring '
                              '(default: 1)')
    command.add_argument('--harmonics', action='store_true', default=None,
                         help='add the columns a3, b3, a4, b4, gradient, rms, '
                              'n_pixels and area of each ring')
    command.add_argument('--free-centres', action='store_true', default=None,
                         help='add the centre of each ring, too, about which '
                              'these columns are measured')
    group = command.add_argument_group(
        'the radii', 'Semi-major axes in pixels, or with a unit such as '
        '90arcsec.')
    group.add_argument('--radii', type=lengths, metavar='R,R,...',
                       help='the radii of the profile, such as '
                            '1,2,5,10arcsec')
    group.add_argument('--step', type=length, metavar='STEP',
                       help='relative step between radii, such as 0.1 or '
                            '10%%, or a constant one with a unit, such as '
                            '2arcsec or 5pix')
    group.add_argument('--max-radius', type=length, metavar='R',
                       help='measure up to this radius (default: as far as '
                            'the signal goes)')


def add_common_options(command):
    """
    Add the options that all commands have.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.
    """
    command.add_argument('--quiet', action='store_true',
                         help='print warnings and errors only')
    command.add_argument('--debug', action='store_true',
                         help='show the traceback of errors')


def _add(group, each, name, *, by_band=False, **options):
    """
    Add an option; it may be repeated, and be 'none', if it is for each file.
    """
    if by_band and 'type' in options:
        choices = options.pop('choices', None)
        if choices is not None:
            options['metavar'] = '{' + ','.join(choices) + '}'
        options['type'] = _for_each_band(options['type'], choices)
    if each:
        kind = options.get('type', str)

        @functools.wraps(kind, updated=())
        def convert(text):
            return None if text.strip().lower() == 'none' else kind(text)

        options.update(type=convert, action='append')
    group.add_argument(name, **options)


def _for_each_band(kind, choices):
    """
    Make the type of an option that may have a value for each band.
    """
    @functools.wraps(kind, updated=())
    def convert(text):
        pairs = band_pairs(text)
        if any(value is None for _, value in pairs):
            return one(text)
        return {band: one(value) for band, value in pairs}

    def one(text):
        value = kind(text)
        if choices is not None and value not in choices:
            msg = (f'invalid choice: {text!r} (choose from '
                   f'{", ".join(choices)})')
            raise argparse.ArgumentTypeError(msg)
        return value

    return convert


def band_pairs(text):
    """
    Read bands, and what is given for each.

    Parameters
    ----------
    text : str
        Such as 'g=25.1,r=24.8', or 'g,r'. A comma that is not followed by
        another band belongs to the value in front.

    Returns
    -------
    pairs : list of tuple
        The band and its text, `None` without one.
    """
    if not _BAND.match(text):
        return [(band.strip(), None) for band in text.split(',')]
    ends = [found.start() for found in _BANDS.finditer(text)]
    parts = [text[start:end] for start, end in zip(
        [0, *(end + 1 for end in ends)], [*ends, None], strict=True)]
    return [tuple(part.split('=', 1)) for part in parts]


def split_by_band(text, bands):
    """
    Separate the texts of each band, if a text is one for each.

    Parameters
    ----------
    text : str or `None`
        Such as 'g=mask_g,r=mask_r', or one for all bands.

    bands : list of str
        The bands.

    Returns
    -------
    value : str, dict of str or `None`
    """
    if text is None or not _BAND.match(text):
        return text
    pairs = dict(band_pairs(text))
    # (a name of a file may have an equals sign)
    return pairs if pairs.keys() <= set(bands) else text


def any_path(text):
    """
    Read the path or the address of a file.

    Parameters
    ----------
    text : str
        Such as 'x.fits', 'https://host/x.fits' or 's3://bucket/x.fits'.

    Returns
    -------
    path : `~pathlib.Path` or ``upath.UPath``

    Raises
    ------
    argparse.ArgumentTypeError
        If it is an address of a kind that cannot be read here.
    """
    try:
        path = find_path(text, '')
        # (the shell leaves ~ as it is after = and in quotes)
        return path if is_address(text) else path.expanduser()
    except RuntimeError:
        # (~name of nobody)
        return path
    except (ValueError, ImportError) as error:
        message = str(error).replace("='", "'", 1).removeprefix(': ')
        raise argparse.ArgumentTypeError(message) from None


def local_path(text):
    """
    Read the path of a file or a folder of this machine.

    Parameters
    ----------
    text : str
        The path.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    argparse.ArgumentTypeError
        If it is an address.
    """
    if is_address(text) and not text.lower().startswith('file:'):
        msg = f'must be a path of this machine, got the address {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return any_path(text)


def lengths(text):
    """
    Read lengths with one unit, or pixels.

    Parameters
    ----------
    text : str
        Such as '1,2,5,10arcsec', '5 10 20' or '2pix'.

    Returns
    -------
    lengths : list of float or `~astropy.units.Quantity`
        A list of pixels, or a quantity.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    from astro_pix2prof.arguments import read_lengths

    try:
        return read_lengths(text)
    except ValueError:
        msg = ('must be pixels, or numbers followed by a unit such as '
               f'1,2,5arcsec, got {text!r}')
        raise argparse.ArgumentTypeError(msg) from None


def length(text):
    """
    Read one length with a unit, or a number.

    Parameters
    ----------
    text : str
        Such as '90arcsec' or '0.1'.

    Returns
    -------
    length : float or `~astropy.units.Quantity`

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    found = lengths(text)
    if len(found) != 1:
        msg = f'must be one length, got {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return found[0]


def int_or_str(text):
    """
    Convert a text to an integer if it is one.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    value : int or str
    """
    try:
        return int(text)
    except ValueError:
        return text


def hdu_name(text):
    """
    Read the number, the name, or name and version of an extension.

    Parameters
    ----------
    text : str
        Such as '2', 'SCI' or 'SCI,2'.

    Returns
    -------
    hdu : int, str or tuple
    """
    from astro_pix2prof.image import companions

    return companions.hdu_name(text)


def number_or_word(text):
    """
    Convert a text to a number if it is one.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    value : float or str
    """
    try:
        return float(text)
    except ValueError:
        return text


def bit_flags(text):
    """
    Read a whole number, in any of the notations of Python.

    Parameters
    ----------
    text : str
        Such as '5', '0x5' or '0b101'.

    Returns
    -------
    bits : int

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    try:
        return int(text, 0)
    except ValueError:
        msg = f'must be a whole number such as 5 or 0x5, got {text!r}'
        raise argparse.ArgumentTypeError(msg) from None


def _mag_system(text):
    return {'ab': 'AB', 'st': 'ST', 'vega': 'Vega'}.get(text.lower(), text)


def split_options(args, n_files):
    """
    Separate the options of each file.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments of a command whose options may be repeated. Wrong ones
        end the program.

    n_files : int
        The number of files.

    Returns
    -------
    parts : list of `argparse.Namespace`
        The arguments for each file, without lists.

    shared : `argparse.Namespace`
        The same with the options that were given once, for all files.
    """
    parts = [argparse.Namespace(**vars(args)) for _ in range(n_files)]
    shared = argparse.Namespace(**vars(args))
    for name in _EACH:
        values = getattr(args, name)
        if values is None:
            continue
        if len(values) not in (1, n_files):
            many = '' if n_files == 1 else (
                f', or once for each of the {n_files} files (none where it '
                'does not apply)')
            args.command.error(f'argument --{name.replace("_", "-")}: give '
                               f'it once{many}; got {len(values)}')
        # (a position is a list of two)
        values = [None if isinstance(value, list) and None in value
                  else value for value in values]
        once = len(values) == 1
        setattr(shared, name, values[0] if once else None)
        for k, part in enumerate(parts):
            setattr(part, name, values[0 if once else k])
    return parts, shared


def image_options(args):
    """
    Collect the options of `GalaxyCutout`; wrong ones end the program.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    Returns
    -------
    options : dict
        Those that are the same for all images.
    """
    options = {name: getattr(args, name) for name in _PLAIN
               if getattr(args, name) is not None}
    if args.uncalibrated:
        options['calibrated'] = False
    if args.position is not None:
        options['position'] = _parse_position(args)
    if args.size is not None:
        options['size'] = _parse_size(args)
    return options


def fitter_options(args):
    """
    Collect the options of the fitters that were given.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments; commands need not have all of them.

    Returns
    -------
    options : dict
    """
    return {name: getattr(args, name) for name in _FITTER
            if getattr(args, name, None) is not None}


def _parse_size(args):
    import astropy.units as u
    import numpy as np

    try:
        size = u.Quantity(args.size)
    except TypeError:
        args.command.error(f'argument --size: cannot read {args.size!r}: '
                           'give pixels, or an angle such as 90arcsec')
    if not np.isscalar(size.value) or not 0 < size.value < np.inf:
        args.command.error('argument --size: must be positive, got '
                           f'{args.size!r}')
    if size.unit == u.dimensionless_unscaled or size.unit == u.pix:
        return round(size.value)
    return size


def _parse_position(args):
    """
    Read the position as pixels or `~astropy.coordinates.SkyCoord`.
    """
    first, second = (text.strip() for text in args.position)
    try:
        return float(first), float(second)
    except ValueError:
        pass
    from astro_pix2prof.image.position import parse_sky

    try:
        return parse_sky(first, second)
    except ValueError as error:
        return args.command.error(option_text(' '.join(str(error).split()),
                                              args.command))
