# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Cuts through analytic galaxies against integrals of their light.

With ``--table`` it writes the table of the documentation.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy.special import gammaincinv

from astro_pix2prof import (
    GalaxyCutout,
    Pix2ProfFitter,
    ProfileFit,
    RingFlag,
    axis_profile,
    build_profile,
    sector_profiles,
    vertical_profile,
)
from benchmarks.tables import (
    describe_environment,
    describe_weights,
    list_table,
    plain,
)

HERE = Path(__file__).parent
SIZE, PIXEL, NOISE = 201, 0.4, 0.02

# The wedges, the widths of the strips (pixels) and the distances (pixels) of
# the vertical slices.
ANGLE, OPENING, WIDTH, SLICES = 20.0, 45.0, 4.0, (0.0, 10.0, 25.0)

KINDS = ('wedges along the ellipses', 'wedges along circles', 'major axis',
         'minor axis', 'vertical, edge-on')


class Galaxy:
    """
    A galaxy whose light is known at each point, drawn at random.

    The cores are as wide as that of a PSF with a FWHM of about three pixels
    along the minor axis.
    """

    def __init__(self, rng, edge_on=False):
        self.edge_on = edge_on
        self.centre = tuple(SIZE / 2 + rng.uniform(-3, 3, 2))
        self.theta = rng.uniform(0, 180)
        self.n, self.size = rng.uniform(0.7, 4), rng.uniform(8, 20)
        self.eps = 0.75 if edge_on else rng.uniform(0, 0.7)
        self.core = 1.5 / (1 - self.eps)
        self.height = rng.uniform(1.8, 5)
        self.peak = 10**rng.uniform(0.3, 1.5)
        self.b = gammaincinv(2 * self.n, 0.5)

    def ring(self, a):
        """
        Calculate the light on the major axis.
        """
        a = np.hypot(a, self.core)
        power = 1 if self.edge_on else 1 / self.n
        b = 1.678 if self.edge_on else self.b
        return self.peak * np.exp(-b * (
            (a / self.size)**power - (self.core / self.size)**power))

    def light(self, x, y):
        """
        Calculate the light at points relative to the centre (pixels).
        """
        t = np.radians(self.theta)
        u, v = x * np.cos(t) + y * np.sin(t), y * np.cos(t) - x * np.sin(t)
        if self.edge_on:
            return self.ring(np.abs(u)) / np.cosh(v / self.height)**2
        return self.ring(np.hypot(u, v / (1 - self.eps)))

    def image(self):
        """
        Make the image without noise.
        """
        y, x = np.mgrid[:SIZE, :SIZE].astype(float)
        return self.light(x - self.centre[0], y - self.centre[1])

    def fit(self, image, noise=NOISE):
        """
        Make the fit that found the true ellipses and sky.
        """
        sma = np.concatenate([np.arange(0, 8, 0.5), np.exp(np.arange(
            np.log(8), np.log(80), 0.06))])
        n = len(sma)
        cutout = GalaxyCutout(image, unit='nmgy', pixel_scale=PIXEL,
                              position=self.centre)
        eps, theta = np.full(n, self.eps), np.full(n, self.theta)
        profile = build_profile(
            cutout, sma, self.ring(sma), np.full(n, 1e-9), ellipticity=eps,
            theta=theta, centre=self.centre, noise=noise)
        return ProfileFit(profile, cutout, cutout.mask, 0.0, self.centre,
                          sma, eps, theta, self.ring(sma))

    def strip(self, along, across, turn):
        """
        Integrate across a strip in the direction ``turn`` (degrees).
        """
        t = np.radians(turn)
        s = across + WIDTH * (np.arange(400) / 400 - 0.5 + 1 / 800)
        return np.array([np.mean([self.light(
            sign * a * np.cos(t) - s * np.sin(t),
            sign * a * np.sin(t) + s * np.cos(t)).mean()
            for sign in (1, -1)]) for a in along])


def measure_cuts(galaxy, fit):
    """
    Measure the cuts of a galaxy, and integrate its light.

    Yields
    ------
    kind : str
        One of `KINDS`.

    table : `~astropy.table.QTable`
        The cut.

    true : 1D `~numpy.ndarray`
        The mean pixel values; `None` where the ellipses of the fit are to be
        followed.
    """
    if galaxy.edge_on:
        for place in SLICES:
            table = vertical_profile(fit, [place], width=WIDTH,
                                     pa=galaxy.theta)
            z = table['height'].value / PIXEL
            yield KINDS[4], table, galaxy.strip(
                z, -place, galaxy.theta + 90)
        return
    angle = (galaxy.theta + ANGLE) % 360
    for kind, ellipses in zip(KINDS[:2], ('fitted', 'circles'),
                              strict=True):
        table, = sector_profiles(fit, angles=[angle], opening=OPENING,
                                 ellipses=ellipses).values()
        a = table['radius'].value / PIXEL
        true = galaxy.ring(a)
        if ellipses == 'circles':
            t = np.radians(angle + OPENING * (np.arange(2000) / 2000 - 0.5
                                              + 1 / 4000))
            true = np.array([galaxy.light(r * np.cos(t), r * np.sin(t)).mean()
                             for r in a])
        yield kind, table, true
    for kind, axis, turn in ((KINDS[2], 'major', 0), (KINDS[3], 'minor', 90)):
        table = axis_profile(fit, axis, width=WIDTH, pa=galaxy.theta)
        r = table['radius'].value / PIXEL
        yield kind, table, galaxy.strip(r, 0.0, galaxy.theta + turn)


def inside(table, resolved=False):
    """
    Tell which rows lie in the frame, and not in the innermost pixel.
    """
    outside = int(RingFlag.EDGE | RingFlag.EXTRAPOLATED)
    if resolved:
        outside |= int(RingFlag.UNRESOLVED)
    return (np.asarray(table['flag']) & outside) == 0


def run(n, seed, network):
    """
    Measure galaxies without noise, with noise, and by the network.
    """
    clean, pulls, real, off = ({kind: [] for kind in KINDS}
                               for _ in range(4))
    rng = np.random.default_rng(seed)
    for k in range(n):
        galaxy = Galaxy(rng, edge_on=k % 4 == 3)
        image = galaxy.image()
        noisy = image + rng.normal(0, NOISE, image.shape)
        for kind, table, true in measure_cuts(
                galaxy, galaxy.fit(image, noise=1e-4 * NOISE)):
            value = table['intensity'].value * PIXEL**2
            # (fainter than this, no image shows anything)
            use = inside(table) & (true > 0.02 * NOISE)
            clean[kind].append(value[use] / true[use] - 1)
        for kind, table, true in measure_cuts(galaxy, galaxy.fit(noisy)):
            error = (table['intensity'] - true / PIXEL**2 * table[
                'intensity'].unit) / table['intensity_err']
            pulls[kind].append(error.value[inside(table, resolved=True)])
        fit = network.fit(noisy, unit='nmgy', pixel_scale=PIXEL,
                          position=galaxy.centre)
        for kind, table, true in measure_cuts(galaxy, fit):
            value = table['intensity'].value * PIXEL**2
            error = table['intensity_err'].value * PIXEL**2
            snr = true / error
            use = inside(table) & (snr > 10)
            off[kind].append(value[use] / true[use] - 1)
            use = inside(table) & (snr < 10)
            real[kind].append((value - true)[use] / error[use])
    rows = []
    for kind in KINDS:
        parts = {name: np.concatenate(values[kind]) for name, values in (
            ('clean', clean), ('pulls', pulls), ('real', real),
            ('off', off))}
        size = np.abs(parts['clean'])
        rows.append({'cut': kind, 'n': len(clean[kind]), **{
            key: plain(float(value)) for key, value in (
                ('median', np.median(size)), ('p99', np.quantile(size, 0.99)),
                ('largest', size.max()), ('scatter', parts['pulls'].std()),
                ('within', np.mean(np.abs(parts['pulls']) < 1)),
                ('network_off', np.median(np.abs(parts['off']))),
                ('network_within', np.mean(np.abs(parts['real']) < 1)))}})
        print(rows[-1], flush=True)
    return rows


def make_table(out):
    """
    The figures as a part of a page of the documentation.
    """
    heading = ['Cut', 'Median', '99%', 'Largest', 'Scatter', '1 sigma holds',
               'Network', '1 sigma holds']
    rows = [[row['cut'], *(f'{100 * row[key]:.2f}%' for key in (
        'median', 'p99', 'largest')), f'{row["scatter"]:.2f}',
        f'{100 * row["within"]:.0f}%', f'{100 * row["network_off"]:.1f}%',
        f'{100 * row["network_within"]:.0f}%'] for row in out['rows']]
    return '\n'.join([
        '.. Written by benchmarks/accuracy/cuts.py; not to be edited.', '',
        *list_table(heading, rows)]).rstrip() + '\n'


def main(args=None):
    """
    Print the table, and write it.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=80)
    parser.add_argument('--seed', type=int, default=9510)
    parser.add_argument('--weights', default='rings')
    parser.add_argument('--out', type=Path, metavar='FILE.json',
                        default=HERE / 'cuts.json')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    network = Pix2ProfFitter(args.weights, device='cpu')
    out = {'n': args.n, 'seed': args.seed,
           'weights': describe_weights(network),
           'environment': describe_environment(),
           'rows': run(args.n, args.seed, network)}
    args.out.write_text(json.dumps(out, indent=1) + '\n', encoding='utf-8')
    if args.table:
        args.table.write_text(make_table(out), encoding='utf-8')


if __name__ == '__main__':
    main()
