# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof clumps``.
"""

import argparse
from pathlib import Path

from astro_pix2prof.cli.bands import (
    add_colour_options,
    band_and_path,
    check_bands,
    check_colours,
    options_by_band,
)
from astro_pix2prof.cli.methods import METHODS, make_fitter
from astro_pix2prof.cli.options import (
    add_common_options,
    add_fitter_options,
    add_image_options,
    add_plane_options,
    any_path,
    image_options,
    local_path,
    split_options,
)
from astro_pix2prof.cli.output import (
    check_figure,
    check_file,
    check_new,
    make_folder,
    print_columns,
    quietly,
    save_figure,
    show_traceback,
    show_warnings,
    warn,
)
from astro_pix2prof.cli.planes import check_planes, read_planes
from astro_pix2prof.cli.psf import find_psfs, psf_or_none
from astro_pix2prof.cli.values import number

__all__ = ['add_clumps_command']


# Formats of astropy by the endings of tables.
_FORMATS = {'.ecsv': 'ascii.ecsv', '.fits': 'fits', '.csv': 'ascii.csv',
            '.parquet': 'parquet'}


def add_clumps_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'clumps', help='find the clumps of a galaxy',
        usage='%(prog)s [OPTION ...] IMAGE\n'
              '       %(prog)s [OPTION ...] BAND=IMAGE BAND=IMAGE ...',
        description='Fit a galaxy, find its clumps and the stars and '
                    'galaxies in front of it on what is left without its '
                    'rings, and write them as a table. Of several bands, '
                    'the sum is searched, and the table has the fluxes in '
                    'each and the colours; options of the images may be '
                    'given once, or once for each image in their order '
                    "('none' where one does not apply).")
    command.add_argument('images', nargs='+', metavar='IMAGE',
                         help='FITS file, or its address; or a JPEG or PNG '
                              'picture; or BAND=IMAGE for each of several '
                              'bands, such as g=ngc1234_g.fits')
    command.add_argument('--method', choices=METHODS, default='pix2prof',
                         help='how to measure the galaxy (default: '
                              'pix2prof)')
    command.add_argument('--detector', choices=('network', 'matched'),
                         default='network',
                         help='how to find clumps: by a network (default), '
                              'or as peaks of the filtered image')
    command.add_argument('--detector-weights', metavar='FILE',
                         help='weights of the network of --detector network: '
                              'a .safetensors file beside its model card '
                              '(default: those of the package)')
    command.add_argument('--threshold', type=number(above=0), metavar='P',
                         help='least probability (of clumps and other '
                              'objects together), or signal-to-noise ratio '
                              'of --detector matched')
    command.add_argument('--odd-share', type=number(above=0, most=1),
                         metavar='SHARE',
                         help='the part of objects that is expected to be '
                              'odd, for the probabilities of the network '
                              '(default: that of training, about 0.3)')
    command.add_argument('--classes', choices=('clump', 'odd', 'both'),
                         default='both',
                         help='clumps, other objects (odd) or both '
                              '(default)')
    command.add_argument('--within', type=number(above=0, most=20),
                         default=3.0, metavar='R50',
                         help='largest distance from the centre, in radii '
                              'of half the light (default: 3)')
    command.add_argument('--psf', metavar='FILE|FWHM', type=psf_or_none,
                         action='append',
                         help='point-spread function of the image: a FITS '
                              'file or its full width at half maximum, in '
                              'arcsec or with a unit such as 3pix (default: '
                              'from the image)')
    add_colour_options(command)
    add_fitter_options(command, each=True)
    command.add_argument('--out', metavar='FILE', type=local_path,
                         default=Path('clumps.ecsv'),
                         help='file for the table: .ecsv, .fits, .csv or '
                              '.parquet (default: clumps.ecsv)')
    command.add_argument('--regions', metavar='FILE', type=local_path,
                         nargs='?', const=True,
                         help='write circles for DS9, too (default: the name '
                              'of --out with .reg)')
    command.add_argument('--plot', metavar='FILE', type=local_path,
                         nargs='?', const=True,
                         help='write a figure, too (default: the name of '
                              '--out with .png)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace results that exist')
    add_common_options(command)
    add_image_options(command, each=True)
    add_plane_options(command, each=True)
    command.set_defaults(run=_run_clumps, command=command)


def _run_clumps(args):
    from astro_pix2prof.inference.clumps import find_clumps, load_detector

    if args.out.suffix not in _FORMATS:
        args.command.error('--out must end in .ecsv, .fits, .csv or '
                           f'.parquet, got {args.out}')
    if args.detector == 'network' and (args.threshold or 0) > 1:
        args.command.error('argument --threshold: must be a probability, at '
                           f'most 1, for a network, got {args.threshold:g}')
    if args.detector == 'matched' and args.detector_weights is not None:
        args.command.error('argument --detector-weights: must not be given '
                           'with --detector matched, which uses no network')
    if args.odd_share is not None and (args.detector == 'matched'
                                       or args.odd_share == 1):
        args.command.error('argument --odd-share: must be below 1, and not '
                           'be given with --detector matched, which knows '
                           'no probabilities')
    if args.detector_weights is not None:
        # (before the galaxy is measured)
        try:
            load_detector(args.detector_weights)
        except (ValueError, FileNotFoundError) as error:
            show_traceback(error, args)
            text = str(error).removeprefix('weights').lstrip(': ')
            args.command.error(f'argument --detector-weights: {text}')
    bands = _read_bands(args)
    parts, shared = split_options(args, len(args.images))
    for part in parts:
        check_planes(part)
    # (they lie beside the table, so that each galaxy has its own)
    for name, ending in (('regions', '.reg'), ('plot', '.png')):
        if getattr(args, name) is True:
            setattr(args, name, args.out.with_suffix(ending))
    if args.plot is not None:
        check_figure(args.plot, args, '--plot')
    for path, option in ((args.out, '--out'), (args.regions, '--regions'),
                         (args.plot, '--plot')):
        if path is not None:
            make_folder(path.parent, args, option)
            check_new(path, args, option)
    each = [image_options(part) for part in parts]
    widths = find_psfs(args, bands)
    fitter = make_fitter(args.method, shared)
    if bands is None:
        fit, notes = _fit_image(fitter, parts[0], each[0], args)
        shown = fit
    else:
        fit, notes = quietly(fitter.fit_bands, bands, keep_fits=True,
                             reference=args.reference, colours=args.colours,
                             **options_by_band(bands, parts, each))
        shown = fit.fits
    classes = (('clump', 'odd') if args.classes == 'both'
               else args.classes)
    clumps, more = quietly(
        find_clumps, fit, method=args.detector, threshold=args.threshold,
        psf=widths, classes=classes, max_radius=args.within,
        weights=args.detector_weights, odd_share=args.odd_share)
    for note in [*notes, *more]:
        warn(note, args, file=None if bands else any_path(args.images[0]))
    # (FITS warns of long keys)
    quietly(clumps.write, args.out, format=_FORMATS[args.out.suffix],
            overwrite=args.overwrite)
    if args.regions is not None:
        from astro_pix2prof.export.clumps import clump_regions

        clump_regions(clumps, frame='sky' if 'ra' in clumps.colnames
                      else 'pixel').write(
                          args.regions, format='ds9',
                          overwrite=args.overwrite)
    if args.plot is not None:
        from astro_pix2prof.plotting.clumps import plot_clumps

        save_figure(plot_clumps, args.plot, shown, clumps, figsize=(10, 5))
    if not args.quiet:
        own = clumps['class'] == 'clump'
        meta = clumps.meta
        print_columns([
            ('clumps', str(int(own.sum()))),
            ('their share of the light', f'{clumps["share"][own].sum():.1%}'),
            ('other objects', str(int((~own).sum()))),
            ('FWHM (pixels)', f'{meta.get("fwhm", float("nan")):.2f} '
                              f'({meta.get("fwhm_from", "not known")})'),
            *([('bands', meta['bands'])] if bands else []),
            ('table', str(args.out))])
    return 1 if bands and fit.failed else 0


def _read_bands(args):
    """
    Read BAND=IMAGE (dict); `None` if there is one image.
    """
    if len(args.images) > 1:
        try:
            images = [band_and_path(text) for text in args.images]
        except argparse.ArgumentTypeError as error:
            args.command.error(f'of several images, each {error}')
        paths = check_bands(args, images)
        check_colours(args, paths)
        return paths
    for name in ('reference', 'colours'):
        if getattr(args, name) is not None:
            args.command.error(f'argument --{name}: needs several bands, '
                               'BAND=IMAGE BAND=IMAGE ...')
    text, = args.images
    if '=' in text and not any_path(text).exists() and band_and_path(
            text)[1].exists():
        args.command.error(f'argument IMAGE: {text} is one band: give two or '
                           'more, or the file alone')
    return None


def _fit_image(fitter, args, options, shared):
    """
    Measure one image: its fit, and the warnings.
    """
    from astro_pix2prof.image.pictures import (
        is_picture,
        picture_options,
        read_picture,
        warn_of_calibration,
    )

    path = any_path(args.images[0])
    check_file(path)
    picture, image = is_picture(path), path
    if picture:
        with show_warnings(shared):
            warn_of_calibration(options, str(path))
        image = read_picture(path, options.pop('band', None))
        options = picture_options(options)
    options |= read_planes(args, path)
    fit, notes = quietly(fitter.fit, image, **options)
    if picture:
        fit.profile.meta['picture'] = True
    return fit, notes
