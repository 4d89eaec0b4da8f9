# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof bands``.
"""

from astro_pix2prof.cli.bands import (
    add_band_options,
    add_colour_options,
    check_bands,
    check_colours,
    options_by_band,
)
from astro_pix2prof.cli.methods import make_fitter
from astro_pix2prof.cli.options import image_options, split_options
from astro_pix2prof.cli.output import (
    check_new,
    file_stem,
    make_folder,
    print_columns,
    quietly,
    report,
    save_figure,
    warn,
)
from astro_pix2prof.cli.planes import check_planes
from astro_pix2prof.cli.products import (
    FORMATS,
    table_suffix,
    write_table,
    write_table_beside,
)
from astro_pix2prof.cli.psf import find_psfs, psf_or_none

__all__ = ['add_bands_command']


def add_bands_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'bands', help='measure a galaxy in several bands on the same '
                      'ellipses',
        usage='%(prog)s [OPTION ...] BAND=IMAGE BAND=IMAGE ...',
        description='Measure a galaxy in several bands on the same ellipses, '
                    'and write the profile of each band and a table of the '
                    'colours. Options of the images may be given once, or '
                    "once for each image in their order ('none' where one "
                    'does not apply).')
    add_colour_options(command)
    command.add_argument('--psf', metavar='FILE|FWHM', type=psf_or_none,
                         action='append',
                         help='point-spread function of the images, once or '
                              'for each: a FITS file or its full width at '
                              'half maximum, in arcsec or with a unit such '
                              'as 3pix; colours are as seen behind the '
                              'broadest')
    add_band_options(command, formats=FORMATS, plot='the profiles and colours')
    command.set_defaults(run=_run_bands, command=command)


def _run_bands(args):
    paths = check_bands(args, args.images)
    if len(paths) < 2:
        args.command.error('argument BAND=IMAGE: give two bands or more, got '
                           f'{", ".join(paths)}')
    check_colours(args, paths)
    parts, shared = split_options(args, len(paths))
    for part in parts:
        check_planes(part)
    each = [image_options(part) for part in parts]
    psfs = _psf_of_each(args, paths)
    files = _files(args, paths)
    make_folder(args.out, args)
    for file in files.values():
        check_new(file, args)
    fitter = make_fitter(args.method, shared)
    result, notes = quietly(
        fitter.fit_bands, paths, reference=args.reference,
        colours=args.colours, psf=psfs, keep_fits=True,
        **options_by_band(paths, parts, each))
    for note in notes:
        warn(note, args)
    for band, what in result.failed.items():
        report(what, args, file=paths[band])
    _write(result, files, args)
    if not args.quiet:
        _print_bands(result)
        print(f'results: {args.out.resolve()}')
    return 1 if result.failed else 0


def _psf_of_each(args, paths):
    """
    Find the PSF of each band; the option is for all or for none.
    """
    found = find_psfs(args, paths)
    if found is None:
        return None
    if not isinstance(found, dict):
        return dict.fromkeys(paths, found)
    without = [band for band in paths if band not in found]
    if without:
        args.command.error('argument --psf: all bands need one for their '
                           f'colours, got none for {", ".join(without)}')
    return found


def _files(args, paths):
    """
    Name the results by what they are: those of bands by their names.
    """
    suffix, beside = FORMATS[args.format], table_suffix(args)
    stems = {band: file_stem(path) for band, path in paths.items()}
    if len(set(stems.values())) < len(stems):
        # (planes of one file, or files of one name in several folders)
        stems = {band: f'{stem}_{band}' for band, stem in stems.items()}
    stem = file_stem(next(iter(paths.values())))
    files = {band: args.out / f'{own}_profile{suffix}'
             for band, own in stems.items()}
    files['', 'colours'] = args.out / f'{stem}_colours{beside}'
    if args.reference == 'all' and 'all' not in paths:
        files['', 'joint'] = args.out / f'{stem}_joint{beside}'
    if args.plot:
        files['', 'plot'] = args.out / f'{stem}_colours.png'
    return files


def _write(result, files, args):
    """
    Write the profiles, the colours and what else was asked for.
    """
    for band, fit in result.fits.items():
        write_table(fit, files[band], args)
    write_table_beside(result.colours, files['', 'colours'], args)
    if result.geometry is not None:
        from astro_pix2prof.profile.io import write_profile

        write_profile(result.geometry, files['', 'joint'],
                      overwrite=args.overwrite)
    if args.plot:
        from astro_pix2prof.plotting.bands import plot_colours

        save_figure(plot_colours, files['', 'plot'], result,
                    figsize=(6.4, 6.4))


def _print_bands(result):
    """
    Print magnitudes, flags and the median of each colour.
    """
    import numpy as np

    from astro_pix2prof.profile.flags import decode_flags

    rows = [('band', 'mag', 'flags')]
    for band, profile in result.profiles.items():
        inside = np.asarray(profile['mag_enclosed'], dtype=float)
        inside = inside[np.isfinite(inside)]
        flags = decode_flags(profile.meta['flag'], kind='galaxy')
        rows.append((band, f'{inside[-1]:.2f}' if inside.size else '-',
                     ' '.join(flags) or '-'))
    print_columns(rows)
    colours = result.colours
    print_columns([
        ('ellipses of', result.reference),
        *((f'median {name}', _median(colours[name], colours[f'{name}_err']))
          for name in colours.meta['colours'])])


def _median(values, errors):
    """
    Describe the median colour of the rings that tell it.
    """
    import numpy as np

    values, errors = (np.asarray(column, dtype=float)
                      for column in (values, errors))
    known = np.isfinite(values) & (errors < 0.2)
    return (f'{np.median(values[known]):.2f} of {known.sum()} rings'
            if known.any() else '-')
