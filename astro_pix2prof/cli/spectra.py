# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof spectra``.
"""

import argparse
import re
from pathlib import Path

from astro_pix2prof.cli.methods import METHODS, make_fitter
from astro_pix2prof.cli.options import (
    add_common_options,
    add_fitter_options,
    any_path,
    bit_flags,
    hdu_name,
    lengths,
    local_path,
    number_or_word,
)
from astro_pix2prof.cli.output import (
    check_file,
    check_new,
    make_folder,
    option_text,
    print_columns,
    quietly,
    report,
    warn,
)
from astro_pix2prof.cli.values import sky_lengths, spectral_band, unit

__all__ = ['add_spectra_command']


def add_spectra_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'spectra', help='measure radial spectra in a cube',
        usage='%(prog)s [OPTION ...] CUBE',
        description='Measure one spectrum for each annulus of the ellipses '
                    'of a galaxy, which are those of a profile, or are '
                    'fitted to the image of the cube in a band.')
    command.add_argument('cube', metavar='CUBE', type=any_path,
                         help='FITS file with a cube of spectra (MUSE, '
                              'MaNGA, CALIFA, SAMI, KCWI, JWST), or its '
                              'address')
    source = command.add_mutually_exclusive_group()
    source.add_argument('--profile', metavar='FILE', type=any_path,
                        help='take the ellipses of this profile, which may '
                             'be of another image of the galaxy')
    source.add_argument('--band', metavar='LOW:HIGH', default='white',
                        type=spectral_band,
                        help='fit the image of this range of Angstrom, such '
                             'as 6000:7000, or of the box g, r, i or z '
                             '(default: white, all wavelengths)')
    command.add_argument('--out', metavar='FITS', type=local_path,
                         default=Path('spectra.fits'),
                         help='the file for the spectra (default: '
                              'spectra.fits)')
    command.add_argument('--image', metavar='FITS', type=local_path,
                         help='write the image of the band, too')
    command.add_argument('--method', choices=METHODS, default='isophote',
                         help='how to fit the image (default: isophote)')
    command.add_argument('--edges', metavar='R,R,...', type=_edges,
                         help='semi-major axes between the annuli in '
                              'spaxels, or with a unit, such as '
                              '0,2,4,8arcsec (default: half-way between '
                              'the rings of the profile)')
    command.add_argument('--statistic', choices=('sum', 'mean'),
                         default='sum',
                         help='flux of an annulus, or its mean per arcsec2 '
                              '(default: sum)')
    command.add_argument('--covariance', metavar='SURVEY',
                         type=_covariance,
                         help='correlation of the noise of spaxels: manga, '
                              'or the slope b of 1 + b log10 N (default: '
                              'none)')
    command.add_argument('--hdu', type=hdu_name, metavar='EXT',
                         help='extension of the flux: number, name, or '
                              'NAME,VERSION')
    command.add_argument('--unit', type=unit, help='unit of the flux, such as '
                                        "'1e-17 erg/s/cm2/Angstrom'")
    command.add_argument('--bad-bits', type=bit_flags, metavar='BITS',
                         help='bits of the mask of the cube that reject a '
                              'value (default: all)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace files that exist')
    add_fitter_options(command)
    add_common_options(command)
    command.set_defaults(run=_run_spectra, command=command)


def _edges(text):
    """
    Read increasing lengths.
    """
    import numpy as np

    edges = sky_lengths(lengths(text), text)
    values = np.asarray(getattr(edges, 'value', edges), dtype=float)
    if len(values) < 2 or not (values[0] >= 0 and np.all(
            np.diff(values) > 0)):
        msg = ('must be at least two increasing semi-major axes from 0 on, '
               f'got {text!r}')
        raise argparse.ArgumentTypeError(msg)
    return edges


def _covariance(text):
    """
    Read the name of a survey or a slope.
    """
    from astro_pix2prof.spectra.covariance import covariance_factor

    value = number_or_word(text)
    try:
        covariance_factor(value, [1])
    except ValueError as error:
        reason = option_text(str(error)).removeprefix('covariance ')
        raise argparse.ArgumentTypeError(reason) from None
    return value


def _run_spectra(args):
    if args.image is not None and args.profile is not None:
        args.command.error('--image writes the image of a --band: leave out '
                           '--profile')
    for path, option in ((args.out, '--out'), (args.image, '--image')):
        if path is not None:
            if not re.search(r'\.(fits?|fts)(\.gz)?$', path.name.lower()):
                args.command.error(f'argument {option}: must end in .fits, '
                                   f'got {path}')
            check_new(path, args, option)
            make_folder(path.parent, args, option)
    check_file(args.cube)
    try:
        return _measure(args)
    except ValueError as error:
        if args.debug or not str(error).startswith('cube '):
            raise
        report(error, args, file=args.cube)
        return 1


def _measure(args):
    """
    Measure the spectra and write them.
    """
    from astro_pix2prof.spectra.radial import radial_spectra
    from astro_pix2prof.spectra.write import write_spectra

    options = {'hdu': args.hdu, 'unit': args.unit, 'bad_bits': args.bad_bits}
    profile, before = _profile(args, options)
    spectra, notes = quietly(
        radial_spectra, args.cube, profile, edges=args.edges,
        statistic=args.statistic, covariance=args.covariance, **options)
    for note in notes:
        if note not in before:
            warn(note, args, file=args.cube)
    write_spectra(spectra, args.out, overwrite=args.overwrite)
    if not args.quiet:
        print_columns([('annulus', 'from', 'to', 'spaxels', 'usable', 'S/N'),
                       *(_row(k, one) for k, one in enumerate(spectra))])
        print(f'{len(spectra)} spectra of {spectra[0].shape[0]} wavelengths: '
              f'{args.out.resolve()}')
    return 0


def _profile(args, options):
    """
    Read the profile, or fit the image of the band; with its warnings.
    """
    from astro_pix2prof.profile.io import read_profile

    if args.profile is not None:
        check_file(args.profile)
        return read_profile(args.profile), []
    from astro_pix2prof.spectra.band import band_image

    fitter = make_fitter(args.method, args)
    image, notes = quietly(band_image, args.cube, args.band, **options)
    if args.image is not None:
        # (--overwrite was given, or there is no such file)
        image.write(args.image, overwrite=True)
    fit, more = quietly(fitter.fit, image)
    notes = list(dict.fromkeys((*notes, *more)))
    for note in notes:
        warn(note, args, file=args.cube)
    return fit, notes


def _row(k, spectrum):
    """
    Describe an annulus for the table on the screen.
    """
    import numpy as np

    meta = spectrum.meta
    ratio = '-'
    if spectrum.uncertainty is not None and not spectrum.mask.all():
        good = ~spectrum.mask
        with np.errstate(divide='ignore', invalid='ignore'):
            values = spectrum.flux.value / spectrum.uncertainty.array
        ratio = f'{np.nanmedian(values[good]):.1f}'
    return (str(k), f'{meta["sma_in"]:.2f}', f'{meta["sma_out"]:.2f}',
            f'{meta["n_spaxels"]:.1f}', _range(*meta["n_valid"]), ratio)


def _range(least, most):
    """
    Describe what part is usable at all wavelengths.
    """
    least, most = f'{100 * least:.0f}', f'{100 * most:.0f}'
    return f'{most}%' if least == most else f'{least} to {most}%'
