# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that the profiles of a dozen galaxies stay as they are stored.

A change of any number is to be seen, and to be stated in the change log.
After such a change, ``python tests/reference/test_reference_profiles.py``
stores the new profiles and prints by how much they differ. Isophote fits of
photutils 3.1, which counts the sectors of its ellipses anew for each size,
are stored by themselves.
"""

import warnings
from pathlib import Path

import numpy as np
import photutils
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table, vstack
from astropy.utils import minversion
from scipy.ndimage import gaussian_filter

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter

STORED = {
    'network': Path(__file__).with_name('profiles_network.ecsv'),
    'isophotes': Path(__file__).with_name(
        'profiles_isophotes_photutils_3.1.ecsv'
        if minversion(photutils, '3.1') else 'profiles_isophotes.ecsv'),
}

COLUMNS = ('radius', 'surface_brightness', 'surface_brightness_err',
           'ellipticity', 'ellipticity_err', 'pa', 'mag_enclosed',
           'mag_enclosed_err', 'n_valid')

FITTERS = {'network': Pix2ProfFitter, 'isophotes': IsophoteFitter}

# Largest differences (mag or fraction; degrees for the angle): networks give
# the same to the last digits on all processors. Isophote fits amplify these
# digits somewhat; see ``TestLastDigit`` of the isophote fit.
# Errors above 1 are compared as parts of them.
TOLERANCE = {'network': 2e-4, 'isophotes': 4e-3}

# Along the rings of a flat core, light varies by nothing but its last digits,
# and these decide on their shape: differences from other processors, as parts
# of the stated errors (of up to 1.9 mag).
SHARE = {('network', 'cut-off core'): 0.06}

STATED = {'surface_brightness': 'surface_brightness_err',
          'ellipticity': 'ellipticity_err',
          'mag_enclosed': 'mag_enclosed_err'}


def draw(mue=21.5, r_eff=10.0, n=1.0, ellip=0.3, theta=40.0, shape=(128, 128),
         centre=None, seed=1, sigma=0.02, extra=None):
    """
    Draw a galaxy in nanomaggies with a PSF of 3 pixels and noise.
    """
    y, x = np.mgrid[:shape[0], :shape[1]].astype(float)
    x_0, y_0 = centre or (shape[1] / 2 - 0.3, shape[0] / 2 + 0.4)
    amplitude = 10**(-0.4 * (mue - 22.5)) * 0.4**2
    image = np.zeros(shape)
    # (the mean over a pixel, which matters at the centre)
    steps = (np.arange(5) - 2) / 5
    for dy in steps:
        for dx in steps:
            image += Sersic2D(amplitude, r_eff, n, x_0, y_0, ellip,
                              np.radians(theta))(x + dx, y + dy) / 25
    if extra is not None:
        image += extra(x, y)
    rng = np.random.default_rng(seed)
    return gaussian_filter(image, 1.27) + rng.normal(0, sigma, shape)


def star(x_0, y_0, flux):
    return lambda x, y: flux * ((x == x_0) & (y == y_0))


def make_galaxies():
    """
    Make a dozen images, each with the options to measure it.
    """
    ramp = np.linspace(0.02, 0.05, 128) * np.ones((128, 128))
    rng = np.random.default_rng(5)
    masked = np.hypot(*np.mgrid[-40:88, -75:53]) < 6
    holes = draw(seed=9)
    holes[:, 80:84] = np.nan
    flat = np.minimum(draw(mue=19, seed=10), 1.6)
    noise = {'uncertainty': StdDevUncertainty(ramp)}
    images = {
        'disc': (draw(), {}),
        'elliptical': (draw(n=4, r_eff=12, ellip=0.15, seed=2), {}),
        'inclined': (draw(ellip=0.7, theta=110, seed=3), {}),
        'faint': (draw(mue=24.5, r_eff=14, seed=4), {}),
        'star': (draw(seed=5, extra=star(90, 70, 30)), {}),
        'masked star': (draw(seed=6, extra=star(75, 40, 60)),
                        {'mask': masked}),
        'off centre': (draw(centre=(50, 75), r_eff=6, seed=7), {}),
        'uneven noise': (draw(sigma=0, seed=8) + rng.normal(0, ramp), noise),
        'bad columns': (holes, {}),
        'cut-off core': (flat, {}),
        'leaves the frame': (draw(r_eff=40, seed=11), {}),
        'sky left in': (draw(seed=12, shape=(160, 144)) + 1.0, {}),
    }
    return {name: (CCDData(data, unit='nmgy', **{
        key: value for key, value in options.items() if key != 'mask'}),
        {'pixel_scale': 0.4, 'mask': options.get('mask')})
        for name, (data, options) in images.items()}


GALAXIES = make_galaxies()


def measure(fitter, name, change=None):
    image, options = GALAXIES[name]
    if change is not None:
        image = change(image)
    return FITTERS[fitter]()(image, **options)


def as_rows(profile):
    """
    Return the columns that are stored, as plain arrays, and the flags.
    """
    rows = {name: np.asarray(getattr(profile[name], 'value', profile[name]),
                             dtype=float) for name in COLUMNS}
    rows['flag'] = np.asarray(profile['flag'])
    rows['galaxy_flag'] = np.full(len(profile), profile.meta['flag'])
    return rows


def differences(rows, stored):
    """
    Calculate the largest difference in each column.
    """
    found = {}
    for name in (*COLUMNS, 'flag', 'galaxy_flag'):
        one, two = rows[name], np.asarray(stored[name])
        both = np.isfinite(one) & np.isfinite(two)
        step = np.abs(one - two)[both]
        if name.endswith('_err'):
            step = step / np.maximum(two[both], 1.0)
        if name == 'pa':
            step = np.minimum(step, 180 - step)
            # the angle of a circle is none
            step = step * rows['ellipticity'][both]
        same = (np.isfinite(one) == np.isfinite(two)).all()
        found[name] = step.max(initial=0.0) if same else np.inf
    return found


@pytest.fixture(scope='module')
def stored():
    return vstack([Table.read(path) for path in STORED.values()])


@pytest.mark.parametrize('fitter', FITTERS)
@pytest.mark.parametrize('name', GALAXIES)
def test_stored(fitter, name, stored):
    rows = as_rows(measure(fitter, name))
    part = stored[(stored['fitter'] == fitter) & (stored['galaxy'] == name)]
    assert len(part) == len(rows['radius'])
    share = SHARE.get((fitter, name))
    for column, step in differences(rows, part).items():
        scale = 180.0 if column == 'pa' else 1.0
        if share is not None and (column in STATED or column == 'pa'
                                  or column.endswith('_err')):
            continue
        assert step <= scale * TOLERANCE[fitter], column
    if share is None:
        return
    for column, stated in STATED.items():
        step, error = np.abs(rows[column] - part[column]), part[stated]
        known = np.isfinite(step)
        assert (np.isfinite(rows[column]) == known).all(), column
        assert (step[known] <= share * error[known]).all(), column
        np.testing.assert_allclose(rows[stated], error, rtol=share)
    # where the galaxy is seen, it is the same
    seen = rows['radius'] > 7
    for column in STATED:
        assert np.abs(rows[column] - part[column])[seen].max() < 1e-3, column


def write():
    """
    Store the profiles, and print the differences from those before.
    """
    for fitter, path in STORED.items():
        old = Table.read(path) if path.exists() else None
        columns = {}
        for name in GALAXIES:
            rows = as_rows(measure(fitter, name))
            n = len(rows['radius'])
            rows = {'fitter': [fitter] * n, 'galaxy': [name] * n, **rows}
            for key, values in rows.items():
                columns.setdefault(key, []).extend(values)
            if old is not None:
                part = old[old['galaxy'] == name]
                same = len(part) == n
                text = {key: f'{step:.2g}' for key, step in differences(
                    rows, part).items() if step} if same else (
                    f'{len(part)} rings before, {n} now')
                print(fitter, name, text)  # noqa: T201
        table = Table(columns)
        for name in COLUMNS:
            table[name].info.format = '.6g'
        table.write(path, overwrite=True)


if __name__ == '__main__':
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        write()
