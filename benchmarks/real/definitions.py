# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compare real galaxies with tables of others, one definition at a time.

M51: the same image is averaged along IRAF's own ellipses and along others, so
that each step from IRAF's table to a profile of this package has its own
difference: how pixels are interpolated, whether every isophote has a centre
of its own, and the ellipses. Abell 478: the profile of MUSE minus that of HST
with several skies of the MUSE frame, which the galaxy fills, beside the errors
that are stated.

    python -m benchmarks.real.definitions DATA --table docs/definitions.inc
"""

import argparse
import json
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from scipy.ndimage import map_coordinates

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.profile.interpolation import interpolate_intensity
from astro_pix2prof.profile.table import interpolate_profile
from benchmarks.real.galaxies import TABLES
from benchmarks.real.tables import HST, MUSE, RADII, muse_image
from benchmarks.tables import plain

HERE = Path(__file__).resolve().parent
# Half of the radii of M51's table are within this semi-major axis (pixels).
NUCLEUS = 5.0
N_ANGLES = 720


def read_isophotes(data):
    """
    Read the isophotes of M51 that IRAF fitted.

    Returns
    -------
    rows : `~astropy.table.Table`
        ``sma`` (pixels), ``intensity``, ``eps``, ``theta`` (radians), ``x``
        and ``y`` (pixels, from 0).
    """
    table = fits.getdata(data / TABLES['M51'][1])
    rows = Table({name: np.asarray(table[column], dtype=float)
                  for name, column in (
                      ('sma', 'SMA'), ('intensity', 'INTENS'),
                      ('eps', 'ELLIP'), ('theta', 'PA'), ('x', 'X0'),
                      ('y', 'Y0'))})
    rows['theta'] = np.radians(rows['theta'] + 90)
    rows['x'] -= 1
    rows['y'] -= 1
    return rows[(rows['intensity'] > 0) & (rows['sma'] > 0)]


def average(image, rows, *, order, centre=None, statistic=np.mean):
    """
    Average an image along ellipses, each point of an ellipse counting alike.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image.

    rows : `~astropy.table.Table`
        The ellipses, as `read_isophotes` returns them.

    order : int
        Of the splines that interpolate: 1 is bilinear, as IRAF has it.

    centre : tuple of 2 floats, optional
        One centre (x, y) for all ellipses.

    statistic : callable, optional
        What is taken of the points.

    Returns
    -------
    mean : 1D `~numpy.ndarray`
    """
    angle = np.linspace(0, 2 * np.pi, N_ANGLES, endpoint=False)
    means = []
    for row in rows:
        x, y = (row['x'], row['y']) if centre is None else centre
        cos, sin = np.cos(row['theta']), np.sin(row['theta'])
        along = row['sma'] * np.cos(angle)
        across = row['sma'] * (1 - row['eps']) * np.sin(angle)
        means.append(statistic(map_coordinates(
            image, [y + along * sin + across * cos,
                    x + along * cos - across * sin],
            order=order, mode='nearest')))
    return np.array(means)


def off(found, rows):
    """
    Compare intensities with those of the table, about the median.

    Returns
    -------
    row : dict
        Medians of the absolute differences (mag) of all radii, of those
        within `NUCLEUS` and of those beyond, and the 90th percentile.
    """
    delta = -2.5 * np.log10(found / rows['intensity'])
    delta = np.abs(delta - np.nanmedian(delta))
    within = rows['sma'] < NUCLEUS
    return {'median': float(np.nanmedian(delta)),
            'within': float(np.nanmedian(delta[within])),
            'beyond': float(np.nanmedian(delta[~within])),
            'p90': float(np.nanquantile(delta, 0.9))}


def steps_from_iraf(data):
    """
    Compare averages of M51 with IRAF's table, a step at a time.

    Returns
    -------
    rows : list of dict
        ``what``, and what `off` returns.
    """
    path, _, options = TABLES['M51']
    iraf = read_isophotes(data)
    image = fits.getdata(data / path).astype(float)
    fitter = Pix2ProfFitter()
    fit = fitter.fit(data / path, **options)
    centre = fit.centre
    own = iraf.copy()
    own['eps'] = np.interp(iraf['sma'], fit.sma, fit.eps)
    own['theta'] = 0.5 * np.interp(iraf['sma'], fit.sma,
                                   np.unwrap(2 * fit.theta))

    def profile(fit):
        return fit.sky + interpolate_intensity(fit.sma, fit.intensity,
                                               iraf['sma'])

    given = fitter.fit(data / path, geometry=Table({
        'sma': iraf['sma'], 'ellipticity': iraf['eps'],
        'theta': np.degrees(iraf['theta'])}), **options)
    found = (
        ("The pixels along IRAF's ellipses, bilinear",
         average(image, iraf, order=1)),
        ("The pixels along IRAF's ellipses, splines",
         average(image, iraf, order=3)),
        ("The same with one centre for all ellipses",
         average(image, iraf, order=3, centre=centre)),
        ("The pixels along the network's ellipses, splines",
         average(image, own, order=3, centre=centre)),
        ("The pixels along the network's ellipses, bilinear",
         average(image, own, order=1, centre=centre)),
        ("The medians along the network's ellipses, splines",
         average(image, own, order=3, centre=centre, statistic=np.median)),
        ('The profile of the network', profile(fit)),
        ("The profile of the network, with IRAF's ellipticity and angle",
         profile(given)))
    return [{'what': what, **off(values, iraf)} for what, values in found]


def wandering(data):
    """
    Describe how far neighbouring isophotes of IRAF's table differ.

    Returns
    -------
    row : dict
        ``n``, ``shift`` (the largest distance of a centre from the median of
        those within `NUCLEUS`, pixels), ``jump`` (the largest change of
        ellipticity from one isophote to the next).
    """
    rows = read_isophotes(data)
    inner = rows['sma'] < NUCLEUS
    shift = np.hypot(rows['x'] - np.median(rows['x'][inner]),
                     rows['y'] - np.median(rows['y'][inner]))
    return {'n': len(rows), 'shift': float(shift.max()),
            'jump': float(np.abs(np.diff(rows['eps'])).max())}


def skies_of_muse(data):
    """
    Compare MUSE with HST for several skies of the two frames.

    Returns
    -------
    rows : list of dict
        ``hst`` and ``muse`` (their skies), ``level`` and ``error`` (of MUSE,
        in the unit of the image), ``scatter`` (mag), and ``off``: the
        largest difference about the median over the errors that both profiles
        state.
    """
    image, zeropoint = muse_image(data / MUSE)
    rows = []
    for skies in (('auto', 'auto'), ('auto', 0.0), (0.0, 0.0)):
        hst, hst_err = at_radii(Pix2ProfFitter(sky=skies[0])(data / HST))
        fit = Pix2ProfFitter(sky=skies[1]).fit(image, zeropoint=zeropoint)
        muse, muse_err = at_radii(fit.profile)
        delta = muse - hst
        rows.append({
            'hst': str(skies[0]), 'muse': str(skies[1]),
            'level': float(fit.sky),
            'error': float(fit.profile.meta['sky_err']),
            'scatter': float(np.nanstd(delta)),
            'off': float(np.nanmax(np.abs(delta - np.nanmedian(delta))
                                   / np.hypot(muse_err, hst_err)))})
    return rows


def at_radii(profile):
    """
    Interpolate surface brightnesses and their errors at `RADII` (arcsec).
    """
    return tuple(interpolate_profile(profile, RADII * u.arcsec, name).value
                 for name in ('surface_brightness', 'surface_brightness_err'))


def make_tables(found):
    """
    Make the tables of the guide.
    """
    path = found['isophotes']
    lines = [f'M51 against the {path["n"]} isophotes of IRAF, about the '
             'median (mag). The centres',
             f'of these move by up to {path["shift"]:.1f} pixels, and the '
             'ellipticity changes by up to',
             f'{path["jump"]:.2f} from one to the next:', '',
             '.. list-table::', '    :header-rows: 1',
             '    :widths: 40 15 15 15 15', '', '    * - What',
             '      - Median', f'      - Within {NUCLEUS:.0f} pixels',
             '      - Beyond', '      - 90%']
    for row in found['steps']:
        lines += [f'    * - {row["what"]}'] + [
            f'      - {row[name]:.4f}'
            for name in ('median', 'within', 'beyond', 'p90')]
    lines += ['', 'Abell 478, MUSE minus HST with the network (mag), with '
              'the ``sky`` of each, the level', 'that this is for MUSE in '
              'the unit of the image, and the largest difference over the',
              'errors that both profiles state:', '', '.. list-table::',
              '    :header-rows: 1', '    :widths: 20 20 20 20 20', '',
              '    * - HST', '      - MUSE', '      - Level of MUSE',
              '      - Scatter', '      - Largest / error']
    for row in found['skies']:
        lines += [f'    * - {row["hst"]}', f'      - {row["muse"]}',
                  f'      - {row["level"]:.2f} ± {row["error"]:.2f}',
                  f'      - {row["scatter"]:.3f}', f'      - {row["off"]:.1f}']
    return '\n'.join(lines) + '\n'


def main(args=None):
    """
    Print the tables, and write them.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('data', type=Path)
    parser.add_argument('--out', type=Path, metavar='FILE.json',
                        default=HERE / 'definitions.json')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    args = parser.parse_args(args)
    steps, path, skies = (measure(args.data) for measure in (
        steps_from_iraf, wandering, skies_of_muse))
    found = {
        'steps': [{k: plain(v) for k, v in row.items()} for row in steps],
        'isophotes': {k: plain(v) for k, v in path.items()},
        'skies': [{k: plain(v) for k, v in row.items()} for row in skies]}
    text = make_tables(found)
    print(text)
    args.out.write_text(json.dumps(found, indent=1) + '\n')
    if args.table:
        args.table.write_text(text)


if __name__ == '__main__':
    main()
