# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof survey``.
"""

import glob
import os
import re
from pathlib import Path

from astro_pix2prof.addresses import is_address
from astro_pix2prof.cli.methods import METHODS
from astro_pix2prof.cli.options import (
    add_common_options,
    add_fitter_options,
    add_image_options,
    add_plane_options,
    any_path,
    band_pairs,
    fitter_options,
    image_options,
    local_path,
    split_by_band,
)
from astro_pix2prof.cli.output import (
    option_text,
    report,
    show_traceback,
    show_warnings,
    warn,
)
from astro_pix2prof.cli.values import number
from astro_pix2prof.wording import counted

__all__ = ['add_survey_command']


def add_survey_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'survey', help='measure the galaxies of a catalogue',
        usage='%(prog)s [OPTION ...] --out OUT CATALOGUE',
        description='Measure all galaxies of a catalogue, in parallel. The '
                    'same command goes on after an interruption.')
    command.add_argument('catalogue', metavar='CATALOGUE', type=any_path,
                         nargs='?',
                         help='Parquet (file or folder), FITS, ECSV or CSV '
                              'table, or folder of a HATS catalogue; or its '
                              'address (https://..., s3://...)')
    command.add_argument('--images', nargs='+', metavar='IMAGES',
                         help='a column of paths, a template such as '
                              "'images/{id}.fits', or tiles out of which "
                              "galaxies are cut: files, 'tiles/*.fits' or a "
                              "folder (default: a column such as 'path')")
    command.add_argument('--cutouts', metavar='SERVICE[:LAYER]',
                         help='fetch the images from a service on the web, '
                              'instead of --images: legacy (Legacy Surveys, '
                              'such as legacy:ls-dr9), ps1 (Pan-STARRS1) or '
                              'hips2fits:HIPS; see --band, --size and '
                              '--pixel-scale')
    command.add_argument('--cutout-cache', metavar='FOLDER', type=local_path,
                         help='where these images are kept (default: the '
                              'folder of astropy for such files)')
    command.add_argument('--cutout-rate', metavar='N', type=float,
                         help='requests in a second at most (default: 1)')
    command.add_argument('--cutout-attempts', metavar='N',
                         type=number(int, least=1, most=4),
                         help='how often an image is asked for if the '
                              'service does not answer, 1 to 4 (default: 4)')
    command.add_argument('--bands', nargs='+', metavar='BAND[=IMAGES]',
                         help='several bands, measured on the same ellipses: '
                              'for each, where its images are, such as '
                              'g=path_g,r=path_r; or their names, such as '
                              'g,r, with {band} in --images, or with '
                              '--cutouts. Options of the images may then be '
                              'such as --zeropoint g=25.1,r=24.8')
    command.add_argument('--reference', metavar='BAND',
                         help='the band whose ellipses all share (default: '
                              'r)')
    command.add_argument('--colours', nargs='+', metavar='X-Y',
                         help='the colours, such as g-r g-z (default: those '
                              'of neighbours in --bands)')
    command.add_argument('--psf', metavar='BAND=PSF', nargs='+',
                         help='the point-spread function of each band, such '
                              'as g=1.4,r=psf_r.fits: its full width at half '
                              'maximum in arcsec, a column of these, or a '
                              'FITS file; colours are as seen behind the '
                              'broadest')
    command.add_argument('--out', metavar='OUT', type=any_path, required=True,
                         help='folder for the results, such as '
                              'profiles.parquet or s3://bucket/profiles')
    add_image_options(
        command, position='columns of the catalogue: pixels from 0, or, '
        'unless their names are x and y, right ascension and declination; '
        'see --pixels (default for tiles and --cutouts: columns such as ra '
        'and dec)',
        size='crop to this size: pixels, an angle such as 90arcsec, or a '
        'column (pixels if it has no unit, as in CSV); needed for tiles and '
        '--cutouts', by_band=True)
    add_plane_options(
        command, text='For each image, a column of paths or a template with '
        "columns in braces, such as '{id}_mask.fits'; {name} is the name of "
        'the image without its ending. [2] or [NAME] at the end is the '
        'extension. A galaxy whose file is missing has failed.')
    command.add_argument('--pixels', action='store_true',
                         help='the columns of --position are pixels')
    command.add_argument('--columns', nargs='*', metavar='NAME',
                         help='columns of the catalogue to copy, such as '
                              'id,mag (default: all)')
    command.add_argument('--method', choices=METHODS, default='pix2prof',
                         help='how to measure (default: pix2prof, the '
                              'neural network)')
    add_fitter_options(command)
    command.add_argument('--structure', action='store_true',
                         help='add total magnitudes, radii and more, with '
                              'errors, to the results')
    command.add_argument('--embedding', action='store_true',
                         help='add the 64 numbers that tell how a galaxy '
                              'looks to the results')
    command.add_argument('--workers', type=number(int), metavar='N',
                         help='processes (default: one for each GPU or '
                              'core)')
    command.add_argument('--readers', type=number(int), default=0,
                         metavar='N',
                         help='further processes that read images for each '
                              'of these, for GPUs (default: 0)')
    command.add_argument('--scheduler', metavar='ADDRESS',
                         help='Dask scheduler whose workers to use')
    command.add_argument('--chunk-size', type=number(int), default=500,
                         metavar='N',
                         help='galaxies of a file (default: 500)')
    command.add_argument('--allow-remote', action='store_true',
                         help='read images also from the addresses (https, s3 '
                              'and others) that a column or template gives '
                              '(default: files of this machine only)')
    command.add_argument('--overwrite', action='store_true',
                         help='begin anew, without the results that exist')
    command.add_argument('--part', metavar='I/N',
                         help='measure only the I-th of N shares of the '
                              'catalogue: one for each task of an array job')
    command.add_argument('--collect', action='store_true',
                         help='check and join what such shares have '
                              'measured; the catalogue is not needed')
    command.add_argument('--isolate', action='store_true',
                         help='measure in child processes from the start, so '
                              'that an image that ends its process ends '
                              'nothing else (default: once that happened)')
    command.add_argument('--changed', choices=['warn', 'redo', 'ignore'],
                         default='warn',
                         help='galaxies that are done, whose files have '
                              'changed since: warn, measure their parts '
                              'again, or do not look (default: warn)')
    add_common_options(command)
    command.set_defaults(run=_run_survey, command=command)


def _run_survey(args):
    from astro_pix2prof.survey.collect import collect_survey
    from astro_pix2prof.survey.run import run_survey

    if args.collect:
        if args.catalogue is not None or args.part is not None:
            args.command.error('--collect takes the folder of --out only')
        _check_out(args)
        with show_warnings(args):
            return _finish(collect_survey(args.out), args)
    if args.catalogue is None:
        args.command.error('the following arguments are required: CATALOGUE')
    bands = _read_bands(args)
    psf = _read_psf(args)
    columns = None if args.columns is None else [
        name for text in args.columns for name in text.split(',') if name]
    service = _cutout_service(args)
    if args.size is not None:
        _check_size(args)
    options = _position_options(args)
    if bands is not None:
        names = list(bands)
        options.update(
            {name: split_by_band(value, names) if isinstance(value, str)
             else value for name, value in options.items()},
            bands=bands, reference=args.reference, colours=args.colours)
        for name in ('mask', 'uncertainty', 'invvar', 'background'):
            setattr(args, name, split_by_band(getattr(args, name), names))
    images = _find_images(args.images) if service is None else service
    fitter = {'method': args.method}
    if args.method == 'pix2prof':
        fitter.update(weights=args.weights, device=args.device)
    fitter.update(fitter_options(args))
    _check_usage(args, fitter)
    with show_warnings(args):
        try:
            result = run_survey(
                args.catalogue, args.out, images=images, fitter=fitter,
                chunk_size=args.chunk_size, scheduler=args.scheduler,
                n_workers=args.workers, readers=args.readers,
                progress=not args.quiet, overwrite=args.overwrite,
                columns=columns, allow_remote=args.allow_remote,
                structure=args.structure, embedding=args.embedding,
                psf=psf, masks=args.mask,
                uncertainties=args.uncertainty, invvars=args.invvar,
                backgrounds=args.background, part=args.part,
                isolate=args.isolate, changed=args.changed, **options)
        except OSError as error:
            if error.filename is not None and not is_address(args.out) and (
                    Path(error.filename) in _folders(args.out)):
                # (it could not be made)
                _refuse_out(args, error)
            raise
        except ValueError as error:
            # (the images of a band stand in --bands)
            text = re.sub(r"^band ([^\s:]+): images='([^']*)'",
                          r'--bands \1=\2', str(error))
            if args.debug or args.images is not None or text == str(error):
                raise
            raise ValueError(text) from error
        return _finish(result, args)


def _find_images(images):
    """
    Tell where images are, in the way of `run_survey`, from texts.
    """
    if images is None or len(images) == 1:
        return images and images[0]
    # (the shell, or this, has replaced the patterns)
    return [path if is_address(path) else os.path.abspath(path)
            for text in images
            for path in sorted(glob.glob(text)) or [text]]


def _check_size(args):
    """
    End the program for a size in a unit that is none of the sky.
    """
    import astropy.units as u

    try:
        unit = u.Quantity(args.size).unit
    except (TypeError, ValueError):
        # (the name of a column)
        return
    if unit not in (u.dimensionless_unscaled, u.pix) and (
            unit.physical_type != 'angle'):
        args.command.error('argument --size: must be pixels, an angle such '
                           f'as 90arcsec or a column, got {args.size!r}')


def _read_bands(args):
    """
    Read the bands of ``--bands``: a dict, a list of names, or `None`.
    """
    if args.bands is None:
        for name in ('reference', 'colours', 'psf'):
            if getattr(args, name) is not None:
                args.command.error(f'--{name} goes with --bands')
        return None
    pairs = [pair for text in args.bands for pair in band_pairs(text)]
    names = [band for band, _ in pairs]
    if len(set(names)) < len(names):
        args.command.error('argument --bands: a band is named twice, got '
                           f'{", ".join(names)}')
    if len(names) < 2:
        args.command.error('argument --bands: give two bands or more, got '
                           f'{names[0]}: --images is for a survey of one')
    if args.reference is not None and args.reference not in names:
        args.command.error('argument --reference: must be one of '
                           f'{", ".join(names)}, got {args.reference!r}')
    with_images = [band for band, images in pairs if images is not None]
    if not with_images:
        return names
    if len(with_images) < len(names):
        args.command.error('argument --bands: give either the images of all '
                           'bands, such as g=path_g,r=path_r, or their names '
                           f'only, got {", ".join(args.bands)}')
    if args.images is not None or args.cutouts is not None:
        args.command.error('argument --bands: the images stand in it: leave '
                           'out --images and --cutouts, or give the names of '
                           'the bands only')
    return dict(pairs)


def _read_psf(args):
    """
    Read the PSFs of ``--psf``: a dict of numbers and texts, or `None`.
    """
    if args.psf is None:
        return None
    found = {}
    for band, text in (pair for part in args.psf
                       for pair in band_pairs(part)):
        if text is None:
            args.command.error('argument --psf: give one for each band, such '
                               f'as g=1.4,r=1.1, got {" ".join(args.psf)}')
        try:
            found[band] = float(text)
        except ValueError:
            found[band] = text
    return found


def _check_usage(args, fitter):
    """
    End the program for wrong values of options, before any work is done.
    """
    from astro_pix2prof.arguments import check_integer
    from astro_pix2prof.survey.fitter_spec import FitterSpec
    from astro_pix2prof.survey.resume import check_share

    try:
        for value, name, least in ((args.workers, 'n_workers', 1),
                                   (args.readers, 'readers', 0),
                                   (args.chunk_size, 'chunk_size', 1)):
            check_integer(value, name, least=least, optional=True)
        check_share(args.part)
        spec = FitterSpec(fitter)
        spec.describe()
        if args.bands is not None:
            spec.check_bands()
    except (ValueError, TypeError, FileNotFoundError) as error:
        args.command.error(option_text(' '.join(str(error).split()),
                                       args.command))
    if args.embedding and args.method != 'pix2prof':
        args.command.error('--embedding needs --method pix2prof, got '
                           f'{args.method}')
    if args.part is not None and args.overwrite:
        args.command.error('--overwrite and --part do not go together: a '
                           'share would remove the results of the others')
    _check_out(args)


def _folders(out):
    """
    List a folder of this machine and those in which it lies.
    """
    out = out.absolute()
    return [out, *out.parents]


def _check_out(args):
    """
    End the program if no results can be written to the folder of ``--out``.
    """
    from astro_pix2prof.survey.files import check_folder
    from astro_pix2prof.survey.integrity import recover_settings
    from astro_pix2prof.survey.storage import check_place

    try:
        check_place(args.out, 'out')
        if is_address(args.out):
            # (asking the store takes time: the survey will)
            return
        if not (args.overwrite and args.out.is_dir()):
            check_folder(args.out, recover_settings)
    except (ValueError, OSError) as error:
        _refuse_out(args, error)
    there = next(path for path in _folders(args.out) if path.exists())
    if not there.is_dir():
        args.command.error(f'argument --out: {there} is a file, no folder')
    if not os.access(there, os.W_OK | os.X_OK):
        args.command.error(f'argument --out: {there}: no permission to write '
                           'there')


def _refuse_out(args, error):
    """
    End the program because of the folder of ``--out``.
    """
    text = (f'{error.filename}: {error.strerror.lower()}'
            if isinstance(error, OSError) and error.strerror
            else re.sub(r'^out=', '', ' '.join(str(error).split())))
    args.command.error('argument --out: '
                       + option_text(text, args.command))


def _cutout_service(args):
    """
    Make the service of ``--cutouts``, `None` without it.
    """
    given = {'cache': args.cutout_cache, 'rate': args.cutout_rate,
             'attempts': args.cutout_attempts}
    given = {name: value for name, value in given.items()
             if value is not None}
    if args.cutouts is None:
        if given:
            args.command.error('--cutout-cache, --cutout-rate and '
                               '--cutout-attempts go with --cutouts')
        return None
    if args.images is not None:
        args.command.error('--images and --cutouts do not go together')
    from astro_pix2prof.survey.services import CutoutService

    # (of several bands, each has its own)
    band = args.band if isinstance(args.band, str) else None
    try:
        service = CutoutService.from_text(
            args.cutouts, pixel_scale=args.pixel_scale, band=band, **given)
    except (ValueError, TypeError) as error:
        show_traceback(error, args)
        args.command.error(option_text(' '.join(str(error).split()),
                                       args.command))
    # (what the image has; its WCS tells)
    args.pixel_scale = None
    return service


def _finish(result, args):
    """
    Print the result of a survey; return the exit status.
    """
    if not args.quiet:
        _print_result(result)
    # (a galaxy without its reference has no profile in any band)
    lost = {band: n - result.n_failed
            for band, n in result.n_failed_bands.items()
            if n > result.n_failed}
    if lost:
        warn('measured in other bands, but not in '
             + ', '.join(f'{band}: {counted(n, "galaxy", "galaxies")}'
                         for band, n in lost.items())
             + f': see {result.out / "_failures.ecsv"}')
    if args.part and not result.n_rows:
        warn(f'there is no galaxy in the share {args.part}: shares are of '
             f'whole parts, of {args.chunk_size} galaxies here; give a '
             'smaller --chunk-size to all of them, or fewer shares')
    n_empty = result.n_flagged.get('NO_SOURCE', 0)
    if n_empty and n_empty == result.n_measured:
        warn('nothing significant was found at the position of any galaxy '
             '(NO_SOURCE): look at the masks, the positions and the sizes')
    if not result.n_failed:
        return 0
    table = result.out / '_failures.ecsv'
    # (the last of several shares writes it)
    where = (f'see {table}' if table.is_file() else
             'the column message of the results says why')
    if result.n_skipped:
        # (of failures, the same call would say the same for ever)
        where += '; a new attempt at those of earlier calls is --overwrite'
    if result.n_failed == result.n_rows:
        report(f'no galaxy could be measured: {where}'
               + ('' if args.part else _first_reason(result.out)), args)
        return 1
    warn(f'{result.n_failed} of '
         f'{counted(result.n_rows, "galaxy", "galaxies")} could not be '
         f'measured: {where}')
    return 0


def _first_reason(out):
    """
    Tell why the first galaxy of a survey could not be measured.
    """
    from astro_pix2prof.survey.results import read_survey

    batch = next(iter(read_survey(out)))
    message = next((text for text in batch.galaxies['message'] if text), '')
    return f'; the first because of {message}' if message else ''


def _position_options(args):
    """
    The options of the images; positions and sizes are columns here.
    """
    position, size = args.position, args.size
    args.position = args.size = None
    options = image_options(args)
    if position is not None:
        first, second = (text.strip() for text in position)
        pixels = args.pixels or (first.lower(), second.lower()) == ('x', 'y')
        names = ('x', 'y') if pixels else ('ra', 'dec')
        options.update(zip(names, (first, second), strict=True))
    if size is not None:
        options['size'] = size
    return options


def _print_result(result):
    flags = ', '.join(f'{n} {name}' for name, n in result.n_flagged.items())
    text = (f'{counted(result.n_rows, "galaxy", "galaxies")}: '
            f'{result.n_measured} measured{flags and f" ({flags})"}, '
            f'{result.n_failed} failed')
    if result.n_skipped:
        text += f'; {result.n_skipped} of these by earlier calls'
    if result.n_done:
        text += (f'; {result.n_done} now' if result.n_skipped else '') + (
            f' in {result.seconds:.0f} s '
            f'({result.n_done / result.seconds:.1f}/s)')
    print(text)
    print(f'results: {result.out}')
