# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pix2ProfFitter on a real galaxy, NGC 3610 in g, r and i.

Nobody knows the true profile of a real galaxy; IsophoteFitter measures it
for comparison. The image is a cut-out of the SDSS that was resampled to
pixels of 1 arcsec, whose values are nanomaggies for each of the survey's own
pixels.

    python benchmarks/real_network.py --weights captioner --out ngc3610
"""

import argparse
import json
from pathlib import Path

import numpy as np
from network_accuracy import (
    describe_environment,
    describe_weights,
    plain,
    text,
)
from real_galaxies import CUBES

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    compare_profiles,
    decode_flags,
    measure_structure,
    plot_profiles,
)

DATA = Path(__file__).parents[2] / 'shared' / 'data' / 'real'
GALAXY = 'NGC 3610'
STEM, BANDS, NATIVE = CUBES[GALAXY]
EDGES = (0.0, 18.0, 19.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.5)


def measure(path, fitter):
    """
    The profiles of both fitters: a dict of pairs by band.
    """
    profiles, reference = {}, None
    # the ellipses are those of the reddest band, the deepest one here
    for band in reversed(BANDS):
        options = {'band': band, 'unit': 'nanomaggy',
                   'native_pixel_scale': NATIVE}
        isophotes = IsophoteFitter()(path, geometry=reference,
                                     **options)
        reference = isophotes if reference is None else reference
        profiles[band] = fitter(path, **options), isophotes
    return {band: profiles[band] for band in BANDS}


def describe(network, isophotes):
    """
    What the profiles say, and how they differ.
    """
    mu = network['surface_brightness'].value
    rows = compare_profiles({'network': network}, isophotes, edges=EDGES)
    out = {'finite': bool(np.isfinite(mu).all()),
           # rings that are brighter than the one inside of them
           'rising': float(np.mean(np.diff(mu) < 0)),
           'bins': [{name: plain(row[name]) for name in rows.colnames
                     if name != 'profile'} for row in rows]}
    for label, profile in (('network', network), ('isophotes', isophotes)):
        found = measure_structure(profile)
        out[label] = {
            'n_rings': len(profile),
            'last_radius': plain(profile['radius'][-1]),
            'mag_total': plain(found['mag_total'][0]),
            'r50': plain(found['r50'][0]),
            'flags': decode_flags(profile.meta['flag'], 'galaxy')}
    return out


def report(found):
    """
    The comparison as lines of text.
    """
    lines = []
    for band, row in found.items():
        for label in ('network', 'isophotes'):
            one = row[label]
            lines.append(
                f'{GALAXY} {band}, {label}: {one["n_rings"]} rings to '
                f'{one["last_radius"]:.1f} arcsec, total '
                f'{text(one["mag_total"])}, R50 {text(one["r50"], ".2f")}, '
                f'{one["flags"]}')
        lines.append(
            f'{GALAXY} {band}: '
            f'{"all rings finite" if row["finite"] else "NOT FINITE"}, '
            f'{row["rising"]:.1%} of the rings brighter than the one inside')
    lines += ['', 'network minus isophotes, median (median of the absolute '
              'values), mag/arcsec2', 'mu'.ljust(14) + ''.join(
                  band.rjust(18) for band in found)]
    places = sorted({(part['bright'], part['faint'])
                     for row in found.values() for part in row['bins']})
    for place in places:
        cells = []
        for row in found.values():
            part = [part for part in row['bins']
                    if (part['bright'], part['faint']) == place]
            cells.append(f'{part[0]["median"]:+.3f} '
                         f'({part[0]["median_abs"]:.3f})' if part else '-')
        lines.append('{:g} to {:g}'.format(*place).ljust(14) + ''.join(
            cell.rjust(18) for cell in cells))
    return '\n'.join(lines)


def draw(profiles):
    """
    A column for each band: both profiles, and their difference.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(4.4 * len(profiles), 5.2))
    # the panels of a band touch
    fig.set_layout_engine('constrained', h_pad=0.02, hspace=0.0)
    parts = fig.subfigures(1, len(profiles))
    for part, (band, (network, isophotes)) in zip(
            parts, profiles.items(), strict=True):
        plot_profiles({'Pix2ProfFitter': network,
                       'IsophoteFitter': isophotes},
                      reference='IsophoteFitter', fig=part)
        part.axes[0].set_title(f'{GALAXY}, {band}', fontsize='medium')
    for row in zip(*(part.axes for part in parts), strict=True):
        limits = np.array([ax.get_ylim() for ax in row])
        right = max(ax.get_xlim()[1] for ax in row)
        for ax in row:
            # magnitudes grow downwards
            ax.set_ylim(limits[:, 0].max(), limits[:, 1].min())
            ax.set_xlim(0, right)
    return fig


def main(args=None):
    """
    Measure the galaxy in all bands.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--data', type=Path, default=DATA,
                        help='the folder of the real galaxies')
    parser.add_argument('--weights', default='captioner',
                        help='a name, or a .safetensors file')
    parser.add_argument('--n-views', type=int, default=8,
                        help='turns and reflections to average over')
    parser.add_argument('--out', type=Path,
                        help='write OUT.json and OUT.png')
    args = parser.parse_args(args)
    path = args.data / 'sdss_legacy_viewer_cubes' / f'{STEM}.fits'
    if not path.exists():
        print(f'skipped: {path.name} is not in {path.parent}; give the '
              'folder of the real galaxies with --data')
        return
    fitter = Pix2ProfFitter(args.weights, n_views=args.n_views, device='cpu')
    profiles = measure(path, fitter)
    found = {band: describe(*pair) for band, pair in profiles.items()}
    print(report(found))
    if args.out:
        args.out.with_suffix('.json').write_text(json.dumps(
            {'galaxy': GALAXY, 'bands': found,
             'weights': describe_weights(fitter),
             'environment': describe_environment()}, indent=1) + '\n')
        draw(profiles).savefig(args.out.with_suffix('.png'), dpi=100)


if __name__ == '__main__':
    main()
