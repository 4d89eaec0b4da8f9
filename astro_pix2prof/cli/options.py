# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Options that several commands share.
"""

from astro_pix2prof.cli.output import one_line

__all__ = ['add_common_options', 'add_image_options', 'add_network_options',
           'image_options']


def add_image_options(command, *, position=None, size=None):
    """
    Options that say what the header does not.

    Other help for the position and the size may be given.
    """
    group = command.add_argument_group(
        'the images', 'Whatever is not given comes from the header.')
    group.add_argument('--zeropoint', type=float, metavar='MAG',
                       help='magnitude of one data unit in one pixel')
    group.add_argument('--pixel-scale', type=float, metavar='ARCSEC',
                       help='size of a pixel, if there is no WCS')
    group.add_argument('--native-pixel-scale', type=float, metavar='ARCSEC',
                       help='size of the pixels to which the values refer, '
                            'for cut-outs of sky viewers')
    group.add_argument('--unit', help='unit of the data, such as nanomaggy')
    group.add_argument('--position', nargs=2, metavar=('X', 'Y'),
                       help=position or (
                           'position of the galaxy: pixels from 0, or right '
                           'ascension and declination such as 184.73d '
                           '12.41d or 12:18:55.5 +12:24:30 (default: the '
                           'middle)'))
    group.add_argument('--size', help=size or (
        'crop to this size: pixels, or with a unit such as 90arcsec'))
    group.add_argument('--hdu', type=int_or_str,
                       help='extension, number or name (default: the first '
                            'image)')
    group.add_argument('--band', type=int_or_str,
                       help='band or plane of a cube, or name of the band')
    group.add_argument('--gain', type=float, metavar='G',
                       help='electrons per data unit, for the Poisson noise')
    group.add_argument('--uncalibrated', action='store_true',
                       help='allow an image without zero point')


def add_network_options(command):
    """
    Options that choose the network.
    """
    command.add_argument('--weights', default='rings', metavar='NAME',
                         help='weights of the network, a name or a '
                              '.safetensors file (default: rings)')
    command.add_argument('--device', help='where the network runs, such as '
                                          'cpu or cuda (default: a GPU if '
                                          'there is one)')


def add_common_options(command):
    """
    Options that all commands have.
    """
    command.add_argument('--quiet', action='store_true',
                         help='print errors only')
    command.add_argument('--debug', action='store_true',
                         help='show the traceback of errors')


def int_or_str(text):
    """
    An integer if the text is one.
    """
    try:
        return int(text)
    except ValueError:
        return text


def image_options(args):
    """
    The options of GalaxyCutout; wrong ones end the program.
    """
    import astropy.units as u

    options = {name: getattr(args, name) for name in (
        'zeropoint', 'pixel_scale', 'native_pixel_scale', 'unit', 'hdu',
        'band', 'gain') if getattr(args, name) is not None}
    if args.uncalibrated:
        options['calibrated'] = False
    if args.position is not None:
        options['position'] = parse_position(args)
    if args.size is not None:
        try:
            size = u.Quantity(args.size)
        except TypeError:
            args.command.error(f'argument --size: cannot read {args.size!r}')
        if size.unit == u.dimensionless_unscaled or size.unit == u.pix:
            size = round(size.value)
        options['size'] = size
    return options


def parse_position(args):
    """
    The position as pixels or `~astropy.coordinates.SkyCoord`.
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
        args.command.error('argument --position: cannot read '
                           f'{first!r} {second!r}: {one_line(error)}')
