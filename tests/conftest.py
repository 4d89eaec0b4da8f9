# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fixtures shared by the tests.
"""

import os

# tests run in as many processes as there are cores
os.environ.setdefault('OMP_NUM_THREADS', '1')

import gc
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS

try:
    from pytest_astropy_header.display import (
        PYTEST_HEADER_MODULES,
        TESTED_VERSIONS,
    )
except ImportError:
    pass
else:

    def pytest_configure(config):
        import astro_pix2prof

        config.option.astropy_header = True
        PYTEST_HEADER_MODULES.clear()
        for name in ('Numpy', 'Scipy', 'Matplotlib', 'Astropy', 'Photutils'):
            PYTEST_HEADER_MODULES[name] = name.lower()
        TESTED_VERSIONS['astro_pix2prof'] = astro_pix2prof.__version__


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session):
    """
    Let the collector of garbage rest while the tests are found.

    It would search the modules again and again, a quarter of the time; what
    there is then stays to the end, and is left out of later searches.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def make_wcs(shape, *, pixel_scale=0.396, rotation=0.0, parity=-1):
    """
    Make a TAN WCS with its reference in the middle of the image.

    Parameters
    ----------
    shape : tuple of int
        The shape (ny, nx) of the image.

    pixel_scale : float, optional
        The pixel scale in arcsec per pixel.

    rotation : float, optional
        The angle in degrees by which the pixel axes are turned.

    parity : -1 or 1, optional
        -1 for the usual view of the sky, with east to the left of
        north.

    Returns
    -------
    wcs : `~astropy.wcs.WCS`
        The WCS.
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    scale = pixel_scale / 3600
    cos, sin = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    wcs.wcs.cd = [
        [parity * scale * cos, -parity * scale * sin],
        [scale * sin, scale * cos],
    ]
    wcs.wcs.set()
    return wcs


@pytest.fixture(scope='session', name='make_wcs')
def fixture_make_wcs():
    """
    The function `make_wcs`.
    """
    return make_wcs


@pytest.fixture(scope='session')
def real_data():
    """
    The folder with the images of real galaxies, where there is one.
    """
    default = Path(__file__).parents[1] / '..' / 'shared' / 'data' / 'real'
    folder = Path(os.environ.get('ASTRO_PIX2PROF_REAL_DATA', default))
    if not folder.is_dir():
        pytest.skip(
            'the images of real galaxies are not here: set '
            'ASTRO_PIX2PROF_REAL_DATA to their folder'
        )
    return folder.resolve()


@pytest.fixture(scope='session')
def galaxy_truth():
    """
    The parameters of the galaxy in ``galaxy_ccd`` (pixels, degrees).
    """
    return {
        'amplitude': 1.0,
        'r_eff': 12.0,
        'n': 1.5,
        'x_0': 62.3,
        'y_0': 65.8,
        'ellip': 0.4,
        'theta': 35.0,
        'noise': 0.01,
        'zeropoint': 22.5,
        'pixel_scale': 0.396,
    }


@pytest.fixture(scope='session')
def _galaxy_ccd(galaxy_truth):
    truth = galaxy_truth
    shape = (128, 128)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    model = Sersic2D(
        amplitude=truth['amplitude'],
        r_eff=truth['r_eff'],
        n=truth['n'],
        x_0=truth['x_0'],
        y_0=truth['y_0'],
        ellip=truth['ellip'],
        theta=np.radians(truth['theta']),
    )
    rng = np.random.default_rng(42)
    data = model(xx, yy) + rng.normal(0.0, truth['noise'], shape)
    return CCDData(
        data.astype(np.float32),
        unit=u.nmgy,
        wcs=make_wcs(shape, pixel_scale=truth['pixel_scale']),
        uncertainty=StdDevUncertainty(
            np.full(shape, truth['noise'], dtype=np.float32)
        ),
        meta={'FILTER': 'r', 'OBJECT': 'sersic'},
    )


@pytest.fixture
def galaxy_ccd(_galaxy_ccd):
    """
    A noisy Sersic galaxy in nanomaggies with a WCS: a fresh `CCDData`.
    """
    return _galaxy_ccd.copy()


@pytest.fixture(scope='session')
def sersic_profile(_galaxy_ccd, galaxy_truth):
    """
    The exact profile of ``galaxy_ccd``, as a fitter would return it.
    """
    from astropy.modeling.models import Sersic1D

    from astro_pix2prof import GalaxyCutout, build_profile

    truth = galaxy_truth
    sma = np.concatenate([np.arange(0, 5, 0.5), np.geomspace(5, 60, 30)])
    model = Sersic1D(amplitude=truth['amplitude'], r_eff=truth['r_eff'],
                     n=truth['n'])
    error = truth['noise'] / np.sqrt(1 + 4 * sma)
    return build_profile(
        GalaxyCutout(_galaxy_ccd), sma, model(sma), error,
        ellipticity=np.full(len(sma), truth['ellip']),
        ellipticity_err=np.full(len(sma), 0.01),
        theta=np.full(len(sma), truth['theta']),
        theta_err=np.full(len(sma), 1.0),
        flag=np.where(sma > 40, 4, 0),
        centre=(truth['x_0'], truth['y_0']),
        sky_err=1e-4, noise=truth['noise'], fitter='truth')


def assert_same_profile(one, two, *, rtol=1e-12):
    """
    Whether two profiles are the same but for the time of their making.
    """
    assert one.colnames == two.colnames
    for name in one.colnames:
        first, second = one[name], two[name]
        assert getattr(first, 'unit', None) == getattr(second, 'unit', None)
        np.testing.assert_allclose(
            np.asarray(getattr(first, 'value', first), dtype=float),
            np.asarray(getattr(second, 'value', second), dtype=float),
            rtol=rtol, atol=1e-12, err_msg=name)
    # (what a network states is known to its last digits)
    stated = 'sky', 'sky_err', 'centre_err'
    places = {'x_centre': 2e-5, 'y_centre': 2e-5, 'ra': 5e-9, 'dec': 5e-9}
    for name, most in places.items():
        np.testing.assert_allclose(
            one.meta.get(name, np.nan), two.meta.get(name, np.nan), rtol=0,
            atol=most if rtol else 0, err_msg=name)
    for name in stated:
        np.testing.assert_allclose(
            one.meta.get(name, np.nan), two.meta.get(name, np.nan), rtol=rtol,
            atol=max(rtol, 1e-12) * one.meta.get('noise', 1.0),
            err_msg=name)
    first, second = ({key: value for key, value in table.meta.items()
                      if key not in ('created', *stated, *places)}
                     for table in (one, two))
    assert first == second


@pytest.fixture(scope='session')
def assert_same():
    """
    The function `assert_same_profile`.
    """
    return assert_same_profile
