# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pix2ProfFitter on real galaxies, beside IsophoteFitter.

Nobody knows the true profile of a real galaxy. Both fitters measure each
image with ellipses of their own; where they differ by more than their errors,
one of them is wrong. M51 and NGC 4608 were measured with IRAF as well.

    python -m benchmarks.real.network --weights rings --out docs/figures/real

IsophoteFitter takes most of the time. With ``--keep FOLDER`` its profiles are
kept, and the next network is compared with the same ones.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    decode_flags,
    measure_structure,
    plot_profiles,
    read_profile,
    write_profile,
)
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.ellipses.geometry import profile_ellipses
from astro_pix2prof.plotting.galaxy import GalaxyView
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.table import interpolate_profile
from benchmarks.accuracy.checks import (
    common_rings,
    growth_difference,
    real_images,
)
from benchmarks.real.galaxies import TABLES, read_table
from benchmarks.real.report import FITTERS, make_tables, report
from benchmarks.tables import describe_environment, describe_weights, plain

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / 'shared' / 'data' / 'real'
TABLE = HERE.parents[1] / 'docs' / 'real_galaxies.inc'
# A ring counts if both fitters state an error below this (mag/arcsec2).
LARGEST_ERROR = 0.2
COLOURS = '#0072B2', '#D55E00'
N_ELLIPSES = 7
# The first of these ellipses is so many times smaller than the last.
INNERMOST = 16


def measure(images, weights, *, n_views=None, keep=None):
    """
    All images by both fitters.

    Parameters
    ----------
    images : list of tuple
        What `real_images` returns.

    weights : str
        The weights of the network.

    n_views : int, optional
        As for `~astro_pix2prof.Pix2ProfFitter`.

    keep : `~pathlib.Path`, optional
        Where the profiles of the isophotes are kept. Those that are there
        are read.

    Returns
    -------
    measured : dict
        By galaxy, and by band: the fit of the network and the profile of
        the isophotes.

    fitter : `~astro_pix2prof.Pix2ProfFitter`
        The last one.
    """
    measured, fitter = {}, None
    for name, band, path, options, sky in images:
        fitter = Pix2ProfFitter(weights, device='cpu', sky=sky,
                                n_views=n_views)
        fit = fitter.fit(path, **options)
        kept = keep and keep / f'{path.stem}_{band.replace(" ", "")}.ecsv'
        if kept and kept.exists():
            isophotes = read_profile(kept)
        else:
            isophotes = IsophoteFitter(sky=sky)(path, **options)
            if kept:
                keep.mkdir(parents=True, exist_ok=True)
                write_profile(isophotes, kept)
        measured.setdefault(name, {})[band] = fit, isophotes
    return measured, fitter


def against_iraf(name, data, cutout, profile, limit):
    """
    A profile minus that of IRAF, out to a radius.

    Parameters
    ----------
    name : str
        The galaxy.

    data : `~pathlib.Path`
        The folder of the real galaxies.

    cutout : `~astro_pix2prof.GalaxyCutout`
        Its image.

    profile : `~astropy.table.QTable`
        The profile.

    limit : `~astropy.units.Quantity`
        The largest semi-major axis.

    Returns
    -------
    row : dict
        ``n`` radii, ``median`` and ``median_abs`` in mag/arcsec2. The table
        of M51 has a scale of its own: there, ``median`` is taken off first.
    """
    sma, intensity = read_table(name, data)
    ok = np.isfinite(intensity) & (intensity > 0) & (sma > 1)
    radius = sma[ok] * cutout.radius_scale * limit.unit
    mu = cutout.sb_zeropoint - 2.5 * np.log10(
        intensity[ok] * cutout.intensity_scale)
    difference = interpolate_profile(profile, radius).value - mu
    difference = difference[np.isfinite(difference) & (radius <= limit)]
    median = np.median(difference)
    off = difference - (median if name == 'M51' else 0.0)
    return {'n': len(difference), 'median': plain(median),
            'median_abs': plain(np.median(np.abs(off)))}


def explain(fit, isophotes, rings):
    """
    How much of a difference comes from the sky and from the ellipses.

    Parameters
    ----------
    fit, isophotes
        As for `describe`.

    rings : 1D `~numpy.ndarray` of int
        The rings of the network that count.

    Returns
    -------
    row : dict
        Medians in mag/arcsec2: of means of the pixels along the ellipses of
        the network with its sky, minus those with the sky of the isophotes
        (``sky``); and of the latter minus those along the ellipses of the
        isophotes (``ellipses``).
    """
    cutout, sky = fit.cutout, isophotes.meta['sky']
    _, sma, eps, theta = profile_ellipses(isophotes, cutout)
    twice = np.radians(2 * theta)
    e1, e2 = (np.interp(fit.sma, sma, eps * part(twice))
              for part in (np.cos, np.sin))
    own = fit.eps, np.radians(fit.theta)
    other = np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)
    mu = []
    for (eps, theta), level in ((own, fit.sky), (own, sky), (other, sky)):
        mean = measure_rings(cutout.data - level, ~cutout.mask, fit.centre,
                             fit.sma[rings], eps[rings], theta[rings],
                             sigma=cutout.background_noise, clip=3.0).mean
        mu.append(-2.5 * np.log10(np.where(mean > 0, mean, np.nan)))
    return {'sky': plain(np.nanmedian(mu[0] - mu[1])),
            'ellipses': plain(np.nanmedian(mu[1] - mu[2]))}


def describe(fit, isophotes):
    """
    What the profiles say, and how they differ.

    Parameters
    ----------
    fit : `~astro_pix2prof.fitting.fit.ProfileFit`
        What the network found.

    isophotes : `~astropy.table.QTable`
        The profile of the isophotes.

    Returns
    -------
    row : dict
        ``n_rings``, where both state an error below `LARGEST_ERROR`;
        ``median`` and ``median_abs`` (network minus isophotes,
        mag/arcsec2), and the median in the inner, middle and outer third of
        these rings; ``outer``, what `explain` says beyond a third
        of the last semi-major axis; ``ellipticity`` (the median difference);
        ``centre`` (pixels); ``growth`` (the median of the curve of growth
        of the network minus sums of the pixels, mag); and, for both,
        the number of rings, the last radius (arcsec), total, R50 (arcsec)
        and flags.
    """
    network = fit.profile
    good, difference = common_rings(network, isophotes,
                                    min_snr=POGSON / LARGEST_ERROR)
    out = {'n_rings': int(good.sum()),
           'centre': plain(np.hypot(*(
               network.meta[key] - isophotes.meta[key]
               for key in ('x_centre', 'y_centre'))))}
    if good.any():
        flat = network['ellipticity'] - interpolate_profile(
            isophotes, network['radius'], 'ellipticity')
        last = np.flatnonzero(good & (fit.sma > fit.sma[good][-1] / 3))
        outer = {'difference': plain(np.median(difference[last])),
                 'n_rings': len(last), **explain(fit, isophotes, last)}
        out.update(
            median=plain(np.median(difference[good])),
            median_abs=plain(np.median(np.abs(difference[good]))),
            thirds=[plain(np.median(part)) for part in np.array_split(
                difference[good], 3) if part.size],
            last_common=plain(network['radius'][good][-1]),
            outer=outer,
            ellipticity=plain(np.nanmedian(flat[good])))
    growth = growth_difference(fit, fit.cutout.data - fit.sky)
    out['growth'] = plain(np.median(growth)) if growth.size else None
    for label, profile in zip(('network', 'isophotes'),
                              (network, isophotes), strict=True):
        found = measure_structure(profile, fits=False)
        out[label] = {
            'n_rings': len(profile),
            'last_radius': plain(profile['radius'][-1]),
            'mag_total': plain(found['mag_total'][0]),
            'r50': plain(found['r50'][0]),
            'flags': decode_flags(profile.meta['flag'], 'galaxy')}
    return out


def draw_image(ax, fit):
    """
    The galaxy with ellipses of the network.
    """
    import matplotlib as mpl

    view = GalaxyView(fit.cutout, fit.profile)
    # the innermost ones would hide the galaxy
    rows = np.linspace(np.searchsorted(fit.sma, fit.sma[-1] / INNERMOST),
                       len(fit.sma) - 1, N_ELLIPSES)
    view.plot_image(ax, fit.mask)
    view.plot_isophotes(
        ax, rows, dashed=np.zeros(N_ELLIPSES, bool),
        colours=mpl.colormaps['viridis'](np.linspace(0.05, 0.92,
                                                     N_ELLIPSES)))
    view.plot_compass(ax)
    view.plot_scale_bar(ax)


def draw_geometry(axes, profiles):
    """
    Ellipticity and position angle of both.

    Parameters
    ----------
    axes : sequence of 2 `~matplotlib.axes.Axes`
        Where to draw.

    profiles : tuple of 2 `~astropy.table.QTable`
        The network's and the isophotes'.
    """
    network, angles = profiles[0], []
    at = network['radius'].value
    # without jumps; the outer ellipses have the surest angle
    branch = np.unwrap(network['pa'].value[::-1], period=180)[::-1]
    for profile, colour, marker in zip(profiles, COLOURS, 'os', strict=True):
        radius = profile['radius'].value
        near = np.interp(radius, at, branch)
        pa = near + (profile['pa'].value - near + 90) % 180 - 90
        style = {'color': colour, 'marker': marker, 'ms': 2.5, 'lw': 0.8}
        axes[0].plot(radius, profile['ellipticity'], **style)
        axes[1].plot(radius, pa, **{**style, 'lw': 0})
        # round isophotes have no angle
        angles.append(pa[np.asarray(profile['ellipticity']) > 0.05])
    shown = np.concatenate(angles)
    shown = shown[np.isfinite(shown)]
    if shown.size:
        low, high = np.percentile(shown, (3, 97))
        pad = 5 + 0.2 * (high - low)
        axes[1].set_ylim(low - pad, high + pad)
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel('Ellipticity')
    sky = network.meta.get('pa_frame') == 'sky'
    axes[1].set_ylabel('PA [deg]' if sky else 'Angle [deg]')
    axes[1].set_xlabel('Semi-major axis [arcsec]')
    axes[0].tick_params(labelbottom=False)
    for ax in axes:
        ax.tick_params(direction='in', top=True, right=True)


def draw(name, bands):
    """
    A column for each band: image, profiles, difference and ellipses.

    Parameters
    ----------
    name : str
        The galaxy.

    bands : dict
        By band: the fit of the network and the profile of the isophotes.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    # (of three bands, small enough that the page does not shrink the text)
    width = 3.5 if len(bands) > 1 else 5.2
    fig = plt.figure(figsize=(width * len(bands), 11.5))
    # panels that share an axis touch
    fig.set_layout_engine('constrained', h_pad=0.03, hspace=0.0)
    parts = fig.subfigures(3, len(bands), squeeze=False,
                           height_ratios=(4.4, 5.6, 3.0))
    columns = []
    for part, (band, (fit, isophotes)) in zip(parts.T, bands.items(),
                                              strict=True):
        top = part[0].subplots()
        draw_image(top, fit)
        top.set_title(f'{name}, {band}', fontsize='medium')
        plot_profiles(dict(zip(FITTERS, (fit.profile, isophotes),
                               strict=True)),
                      reference=FITTERS[1], fig=part[1])
        axes = part[2].subplots(2, 1, sharex=True,
                                gridspec_kw={'hspace': 0.0})
        draw_geometry(axes, (fit.profile, isophotes))
        columns.append([*part[1].axes, *axes])
    # the bands of a galaxy have the same axes
    right = max(ax.get_xlim()[1] for column in columns for ax in column)
    for row in zip(*columns, strict=True):
        limits = np.array([ax.get_ylim() for ax in row])
        down = limits[0, 0] > limits[0, 1]
        for ax in row:
            ax.set_xlim(0, right)
            ax.set_ylim(*((limits[:, 0].max(), limits[:, 1].min()) if down
                          else (limits[:, 0].min(), limits[:, 1].max())))
    return fig


def file_stem(name):
    """
    A galaxy's name as its figures have it.
    """
    return name.lower().replace(' ', '')


def main(args=None):
    """
    Measure all galaxies.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--data', type=Path, default=DATA,
                        help='the folder of the real galaxies')
    parser.add_argument('--weights', default='rings',
                        help='a name, or a .safetensors file')
    parser.add_argument('--n-views', type=int,
                        help='turns and reflections to average over')
    parser.add_argument('--keep', type=Path,
                        help='keep the profiles of the isophotes here')
    parser.add_argument('--galaxies', nargs='+',
                        help='only these, by their names')
    parser.add_argument('--out', type=Path,
                        help='write figures and real.json to this folder, '
                        'and the tables to --inc')
    parser.add_argument('--inc', type=Path, default=TABLE,
                        help='the tables in reStructuredText')
    args = parser.parse_args(args)
    images = [image for image in real_images(args.data)
              if not args.galaxies or image[0] in args.galaxies]
    if not images:
        print(f'skipped: none of the galaxies is in {args.data}; give '
              'their folder with --data')
        return
    measured, fitter = measure(images, args.weights, n_views=args.n_views,
                               keep=args.keep)
    found = {}
    for name, bands in measured.items():
        found[name] = {}
        for band, (fit, isophotes) in bands.items():
            row = found[name][band] = describe(fit, isophotes)
            if name in TABLES and row['n_rings']:
                limit = row['last_common'] * fit.profile['radius'].unit
                row['iraf'] = {
                    label: against_iraf(name, args.data, fit.cutout, profile,
                                        limit)
                    for label, profile in (('network', fit.profile),
                                           ('isophotes', isophotes))}
    print(report(found))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        card = describe_weights(fitter)
        (args.out / 'real.json').write_text(json.dumps(
            {'galaxies': found, 'weights': card,
             'environment': describe_environment()}, indent=1) + '\n')
        args.inc.write_text('\n'.join(make_tables(
            found, card, LARGEST_ERROR)) + '\n')
        for name, bands in measured.items():
            draw(name, bands).savefig(
                args.out / f'{file_stem(name)}.png', dpi=120)


if __name__ == '__main__':
    main()
