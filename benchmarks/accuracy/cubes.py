# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Check band images and radial spectra of cubes against known values.

    python -m benchmarks.accuracy.cubes --out benchmarks/accuracy/cubes.json
        --real benchmarks/real/cube.json --table docs/spectra.inc

Simulated cubes have the spaxels (0.5 arcsec), the size and the noise of those
of MaNGA, and a line whose velocity and strength change linearly with radius.
The large cube is a sparse file of zeros with 300 x 300 x 3700 values.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.wcs import WCS
from photutils.aperture import EllipticalAnnulus
from specutils import Spectrum

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    band_image,
    build_profile,
    radial_spectra,
)

FLAM = u.Unit('1e-17 erg / (s cm2 AA)')
SCALE, LINE, C = 0.5, 5175.0, 299792.458


def make_wcs(shape, wave, step):
    """
    Make a WCS with spaxels of MaNGA.
    """
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN', 'WAVE'
    wcs.wcs.cunit = 'deg', 'deg', 'Angstrom'
    wcs.wcs.crval = 40.0, -5.0, wave
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2, 1.0
    wcs.wcs.cdelt = -SCALE / 3600, SCALE / 3600, step
    wcs.wcs.set()
    return wcs


def simulate(seed, size=64, noise=0.004):
    """
    Simulate a galaxy with gradients.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size].astype(float)
    x_0, y_0 = size / 2 - 0.5 + rng.uniform(-2, 2, 2)
    eps, theta = rng.uniform(0.0, 0.6), rng.uniform(0, np.pi)
    scale = rng.uniform(2.0, 3.5)
    truth = {'v': rng.uniform(500, 3000), 'v_slope': rng.uniform(-60, 60),
             'ew': rng.uniform(3, 6), 'ew_slope': rng.uniform(-0.4, 0.0)}
    along = (x - x_0) * np.cos(theta) + (y - y_0) * np.sin(theta)
    across = (y - y_0) * np.cos(theta) - (x - x_0) * np.sin(theta)
    radius = np.hypot(along, across / (1 - eps)) * SCALE
    wave = 5090.0 + 1.5 * np.arange(200)
    middle = LINE * (1 + (truth['v'] + truth['v_slope'] * radius) / C)
    width = 4.0
    depth = np.maximum(truth['ew'] + truth['ew_slope'] * radius, 0) / (
        width * np.sqrt(2 * np.pi))
    data = np.exp(-radius / scale) * (1 - depth * np.exp(-0.5 * (
        (wave[:, None, None] - middle) / width)**2))
    data += rng.normal(scale=noise, size=data.shape)
    cube = Spectrum(data.astype('f4') * FLAM,
                    wcs=make_wcs((size, size), 5090.0, 1.5),
                    uncertainty=StdDevUncertainty(np.full(data.shape, noise)))
    return cube, truth | {'scale': scale}


def gradients(seed):
    """
    Measure the gradients of one cube; return the deviations.
    """
    cube, truth = simulate(seed)
    fit = IsophoteFitter().fit(band_image(cube))
    edges = np.arange(0, 3.0 * truth['scale'], 1) * u.arcsec
    rows = []
    for one in radial_spectra(cube, fit, edges=edges):
        wave = one.spectral_axis.to_value(u.AA)
        near = np.abs(wave - LINE * (1 + truth['v'] / C)) < 30
        level = np.median(one.flux.value[~near])
        depth = 1 - one.flux.value / level
        total = depth[near].sum()
        inner, outer = (one.meta[k].value for k in ('sma_in', 'sma_out'))
        r = np.linspace(inner, outer, 200)
        rows.append((np.average(r, weights=r * np.exp(-r / truth['scale'])),
                     ((depth * wave)[near].sum() / total / LINE - 1) * C,
                     total * 1.5, level / one.uncertainty.array[0]))
    radius, velocity, strength, weight = np.array(rows).T
    v_slope, v = np.polyfit(radius, velocity, 1, w=weight)
    ew_slope, ew = np.polyfit(radius, strength, 1, w=weight)
    return {'velocity, km/s': v - truth['v'],
            'its slope, km/s per arcsec': v_slope - truth['v_slope'],
            'line strength, Angstrom': ew - truth['ew'],
            'its slope, Angstrom per arcsec': ew_slope - truth['ew_slope']}


def conservation(seed):
    """
    Compare fluxes of annuli with direct sums; return relative differences.
    """
    rng = np.random.default_rng(seed)
    shape = (44, 47)
    centre = (23 + rng.uniform(-3, 3), 21 + rng.uniform(-3, 3))
    eps, theta = rng.uniform(0, 0.7), rng.uniform(0, 180)
    data = rng.uniform(1, 2, (4, *shape))
    cube = Spectrum(data * FLAM, wcs=make_wcs(shape, 5000.0, 2.0))
    sma = np.arange(1.0, 15.0)
    ones = np.ones(14)
    profile = build_profile(GalaxyCutout(band_image(cube)), sma, ones, ones,
                            ellipticity=eps * ones, theta=theta * ones,
                            centre=centre)
    edges = np.sort(rng.uniform(0.5, 14, 6))
    spectra = radial_spectra(cube, profile, edges=edges)
    miss = []
    for k, one in enumerate(spectra):
        aperture = EllipticalAnnulus(
            centre, edges[k], edges[k + 1], edges[k + 1] * (1 - eps),
            theta=theta * u.deg).to_mask(method='exact')
        direct = [aperture.multiply(plane).sum() for plane in data]
        miss.append(np.abs(one.flux.value / direct - 1).max())
    whole = radial_spectra(cube, profile, edges=[0, 10, 40, 200],
                           fill=False)
    total = sum(one.flux.value for one in whole)
    frame = np.abs(total / data.sum(axis=(1, 2)) - 1).max()
    return max(miss), frame


def large():
    """
    Measure a cube of 300 x 300 x 3700; print seconds and memory (MiB).
    """
    shape = (3700, 300, 300)
    header = make_wcs(shape[1:], 4750.0, 1.25).to_header()
    header['BUNIT'] = '10**(-20)*erg/s/cm**2/Angstrom'
    # (the axes of a new image, without its pixels)
    hdu = fits.ImageHDU(np.zeros((1, 1, 1), 'f4'), header, name='DATA')
    hdu.header.update(NAXIS1=300, NAXIS2=300, NAXIS3=3700)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'cube.fits'
        with path.open('wb') as file:
            file.write(fits.PrimaryHDU().header.tostring().encode())
            file.write(hdu.header.tostring().encode())
            size = 4 * np.prod(shape, dtype=int)
            file.truncate(file.tell() + -(-size // 2880) * 2880)
        sma = np.arange(1.0, 140.0, 4)
        ones = np.ones(len(sma))
        cutout = GalaxyCutout(np.arange(9e4).reshape(300, 300) * u.nJy,
                              pixel_scale=SCALE)
        profile = build_profile(cutout, sma, ones, ones,
                                ellipticity=0.3 * ones, theta=20 * ones,
                                centre=(150, 150))
        profile.meta.update(pa_frame='sky', ra=40.0, dec=-5.0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.process_time()
        band_image(path, '5000:9000')
        middle = time.process_time()
        radial_spectra(path, profile)
        end = time.process_time()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({
        'cube, MiB': size / 2**20, 'memory beside Python, MiB':
        after - before, 'band image, s': middle - start,
        'radial spectra, s': end - middle, 'annuli': len(sma) - 1}))


def write_table(result, real, path):
    """
    Write the table of the documentation.
    """
    lines = ['.. list-table::', '    :header-rows: 1',
             '    :widths: 60 40', '', '    * - Check', '      - Result']

    def row(name, text):
        lines.extend([f'    * - {name}', f'      - {text}'])

    flux = result['conservation']
    row(f'Flux of annuli against direct sums, {flux["n"]} cubes, largest '
        'relative difference', f'{flux["annuli"]:.0e}')
    row('Sum of all annuli against the whole cube, largest relative '
        'difference', f'{flux["frame"]:.0e}')
    for name, value in result['gradients'].items():
        if name != 'n':
            row(f'Recovered {name}: mean and scatter of '
                f'{result["gradients"]["n"]} simulated galaxies',
                f'{value["mean"]:+.3f} and {value["scatter"]:.3f}')
    names = {'zero point, HST smoothed by 0.0':
             'Abell 478: MUSE image against HST F814W from 1.8 to 6.5 '
             'arcsec, one zero point, scatter',
             'zero point and sky, HST smoothed by 0.0':
             'The same with a free sky level',
             'zero point and sky, HST smoothed by 0.88':
             'The same, HST smoothed to a seeing of 0.88 arcsec'}
    for key, text in names.items():
        row(text, f'{real[key]["scatter"]:.3f} mag (largest '
                  f'{real[key]["largest"]:.3f})')
    big = result['large']
    row(f'Memory for a cube of {big["cube, MiB"]:.0f} MiB',
        f'{big["memory beside Python, MiB"]:.0f} MiB')
    row('Seconds (one core) for its band image',
        f'{big["band image, s"]:.0f}')
    row(f'Seconds for {big["annuli"]} radial spectra',
        f'{big["radial spectra, s"]:.0f}')
    Path(path).write_text('\n'.join(lines) + '\n', encoding='utf-8')


def main():
    """
    Run the checks.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--out', required=True)
    parser.add_argument('--real')
    parser.add_argument('--table')
    parser.add_argument('--n', type=int, default=20)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    flux = np.array([conservation(seed) for seed in range(args.n)])
    found = [gradients(100 + seed) for seed in range(args.n)]
    slopes = {name: {'mean': float(np.mean([one[name] for one in found])),
                     'scatter': float(np.std([one[name] for one in found]))}
              for name in found[0]}
    done = subprocess.run([sys.executable, '-W', 'ignore', '-m',
                           'benchmarks.accuracy.cubes', 'large'],
                          check=True, capture_output=True, text=True)
    result = {'conservation': {'n': args.n, 'annuli': float(flux[:, 0].max()),
                               'frame': float(flux[:, 1].max())},
              'gradients': {'n': args.n, **slopes},
              'large': json.loads(done.stdout)}
    Path(args.out).write_text(json.dumps(result, indent=1) + '\n',
                              encoding='utf-8')
    print(json.dumps(result, indent=1))
    if args.table:
        real = json.loads(Path(args.real).read_text(encoding='utf-8'))
        write_table(result, real, args.table)


if __name__ == '__main__':
    if sys.argv[1:] == ['large']:
        large()
    else:
        main()
