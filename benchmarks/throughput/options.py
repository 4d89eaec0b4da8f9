# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure what each option costs for a galaxy.

    python -m benchmarks.throughput.options --out benchmarks/throughput

The galaxy is the demo galaxy, which is also taken as the other bands. All are
measured in turns on one core, in CPU seconds.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np

from benchmarks.tables import describe_environment, list_table, to_json

__all__ = ['make_table', 'measure_options']

HERE = Path(__file__).parent

# A full width at half maximum (arcsec), and that of another band.
_FWHM, _BROAD = 1.3, 1.8


def _calls(folder):
    """
    Make the calls to measure, by what they are called in the table.
    """
    import astro_pix2prof as ap

    image = ap.load_example()
    network, isophotes = ap.Pix2ProfFitter(device='cpu'), ap.IsophoteFitter()
    fit = network.fit(image)
    profile = fit.profile
    three = dict.fromkeys('gri', image)
    bands = network.fit_bands(three)
    psfs = {'g': _BROAD, 'r': _FWHM, 'i': _FWHM}
    modes = ap.fourier_profile(fit)
    return {
        'profile, network': lambda: network(image),
        'profile, isophotes': lambda: isophotes(image),
        '... ``harmonics=True``, network': lambda: network(
            image, harmonics=True),
        '... and ``free_centres=True``, network': lambda: network(
            image, harmonics=True, free_centres=True),
        '``fourier_profile``': lambda: ap.fourier_profile(fit),
        '``bar_radius`` with ellipses': lambda: ap.bar_radius(
            modes, profile=profile),
        '``measure_structure(fits=False)``': lambda: ap.measure_structure(
            profile, fits=False),
        '``measure_structure``': lambda: ap.measure_structure(profile),
        '``measure_structure(psf=...)``': lambda: ap.measure_structure(
            profile, psf=_FWHM),
        '``correct_psf``': lambda: ap.correct_psf(profile, _FWHM),
        '``fit_bands``, three bands, network': lambda: network.fit_bands(
            three),
        '... ``psf=...``': lambda: network.fit_bands(three, psf=psfs),
        "... ``reference='all'``": lambda: network.fit_bands(
            three, reference='all'),
        '``physical_profile``': lambda: ap.physical_profile(
            profile, band='r', distance=50 * u.Mpc, ebv=0.03),
        '``mass_profile``': lambda: ap.mass_profile(
            bands, distance=50 * u.Mpc, ebv=0.03),
        '``sector_profiles``, four': lambda: ap.sector_profiles(fit),
        '``axis_profile``': lambda: ap.axis_profile(fit),
        '``vertical_profile``, three': lambda: ap.vertical_profile(
            fit, [0, 4, 8] * u.arcsec),
        '``measure_morphology``': lambda: ap.measure_morphology(fit),
        '``surface_brightness_limit`` and ``upper_limits``': lambda: (
            ap.surface_brightness_limit(profile), ap.upper_limits(profile)),
        '``write_pixels``': lambda: ap.write_pixels(
            fit, folder / 'pixels.fits', overwrite=True),
        '``write_regions``': lambda: ap.write_regions(
            fit, folder / 'galaxy.reg', overwrite=True),
        '``to_isophote_list``': lambda: ap.to_isophote_list(fit),
        '``write_galaxy_page``': lambda: ap.write_galaxy_page(
            fit, folder / 'galaxy.html', overwrite=True)}


def measure_options(folder, *, rounds=5):
    """
    Measure all options in turns.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where to write.

    rounds : int, optional
        How often each is called, after one call that does not count.

    Returns
    -------
    seconds : dict of float
        The median CPU seconds of each.
    """
    import torch

    torch.set_num_threads(1)
    calls = _calls(folder)
    found = {name: [] for name in calls}
    for k in range(rounds + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if k:
                found[name].append(time.process_time() - start)
    return {name: float(np.median(values)) for name, values in found.items()}


def make_table(found):
    """
    Write the table of the documentation as text.

    Parameters
    ----------
    found : dict
        The stored figures.

    Returns
    -------
    text : str
    """
    first = next(iter(found['seconds'].values()))
    lines = ['.. Written by benchmarks/throughput/options.py; not to be '
             'edited.', '']
    lines += list_table(
        ('Call', 'CPU seconds', 'Over the profile'),
        [(name, f'{value:.3f}', f'{value / first:.2f}')
         for name, value in found['seconds'].items()])
    return '\n'.join(lines) + '\n'


def main():
    """
    Measure, print the figures and write them.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path)
    parser.add_argument('--table', type=Path,
                        default=HERE.parents[1] / 'docs' / 'options.inc')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    with tempfile.TemporaryDirectory() as name:
        found = to_json({
            'seconds': measure_options(Path(name), rounds=args.rounds),
            'environment': describe_environment()})
    text = json.dumps(found, indent=1)
    print(text)
    if args.out is not None:
        (args.out / 'options.json').write_text(text + '\n', encoding='utf-8')
        args.table.write_text(make_table(found), encoding='utf-8')


if __name__ == '__main__':
    main()
