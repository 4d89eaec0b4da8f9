# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of pix2prof mass.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Sersic2D
from astropy.table import QTable
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof import Pix2ProfFitter
from astro_pix2prof.cli import main
from astro_pix2prof.structure.k_corrections import PolynomialKCorrection

FACTORS = {'g': 0.4, 'i': 1.0}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """
    A disc in two files, and in one cube.
    """
    folder = tmp_path_factory.mktemp('images')
    y, x = np.mgrid[:101, :101]
    disc = gaussian_filter(Sersic2D(4.0, 8, 1.0, 50, 50, 0.4, 0.7)(x, y), 1.3)
    planes = []
    for k, (band, factor) in enumerate(FACTORS.items()):
        noise = np.random.default_rng(k).normal(scale=0.01, size=disc.shape)
        planes.append((factor * disc + noise).astype(np.float32))
        header = fits.Header({'BUNIT': 'nanomaggy', 'FILTER': band})
        fits.writeto(folder / f'disc_{band}.fits', planes[-1], header)
    header = fits.Header({'BUNIT': 'nanomaggy', 'BANDS': 'gi', 'BAND0': 'g',
                          'BAND1': 'i'})
    fits.writeto(folder / 'cube.fits', np.array(planes), header)
    return folder


def run(folder, *args, names=('disc_g', 'disc_i')):
    return main(['mass', *(f'{band}={folder / name}.fits' for band, name
                           in zip('gi', names, strict=True)),
                 '--pixel-scale', '0.396', *args])


def test_mass(folder, tmp_path, capsys):
    assert run(folder, '--distance', '50Mpc', '--distance-err', '5', '--out',
               str(tmp_path), '--plot') == 0
    out, err = capsys.readouterr()
    assert not err
    assert 'log M (Msun)' in out
    assert 'taylor2011, g-i and light in i, Chabrier IMF' in out
    table = QTable.read(tmp_path / 'disc_g_mass.ecsv')
    assert table.meta['luminosity_distance'] == 50
    assert_allclose(table.meta['distance_scatter'], 0.2 / np.log(10))
    known = ~table['colour_held'] & (table['radius'].value > 1)
    assert_allclose(np.median(table['colour'][known].value), 0.995,
                    atol=0.03)
    assert (tmp_path / 'disc_g_mass.png').exists()
    # results are not replaced
    assert run(folder, '--distance', '50', '--out', str(tmp_path)) == 1
    assert 'exists' in capsys.readouterr().err


@pytest.mark.parametrize('kind', ['fits', 'parquet'])
def test_cube_and_formats(folder, tmp_path, kind):
    """
    Planes of one file by the names of the bands; all of the meta is kept.
    """
    assert run(folder, '--redshift', '0.01', '--cosmology', 'WMAP9',
               '--relation', 'zibetti2009', '--ebv', '0.1', '--ebv-err',
               '0.03', '--inclination', '60', '--inclination-err', '3',
               '--format', kind,
               '--k-correction', 'chilingarian2010', '--quiet', '--out',
               str(tmp_path),
               names=('cube', 'cube')) == 0
    suffix = {'fits': '.fits', 'parquet': '.parquet'}[kind]
    table = QTable.read(tmp_path / f'cube_mass{suffix}')
    assert len(table) > 10
    meta = {key.lower(): value for key, value in table.meta.items()}
    assert meta['cosmology'] == 'WMAP9'
    assert meta['relation'] == 'zibetti2009'
    assert meta['ebv_err'] == 0.03
    assert_allclose([meta['face_on_factor'], meta['face_on_factor_err']],
                    [0.5, 0.0453], rtol=1e-2)
    known = ~np.asarray(table['colour_held']) & (table['radius'].value > 1)
    observed = 0.995 - 0.1605
    k_g, k_i = (PolynomialKCorrection('g-i')(band, 0.01, observed)
                for band in 'gi')
    assert_allclose(np.median(table['colour'][known].value),
                    observed - k_g + k_i, atol=0.03)


@pytest.mark.parametrize(('args', 'match'), [
    ([], 'give --distance or --redshift'),
    (['--distance', 'far'], 'must be a number of Mpc, or as 35Mpc'),
    (['--distance', '-3'], '--distance must be positive'),
    (['--distance', '3s'], '--distance must be'),
    (['--distance', '5', '--relation', 'x'], '--relation must be'),
    (['--distance', '5', '--k-correction', 'chilingarian2010'],
     '--redshift must be given with --k-correction'),
    (['--distance', '5', '--colour', 'g-r'], 'and g-r was asked for'),
    (['--redshift', '0.1', '--cosmology', 'Mine'],
     'argument --cosmology: must be one of'),
    (['--distance', '5', '--sky', '0', '--sky', '1'],
     'argument --sky: give it once')])
def test_wrong_options(folder, args, match, capsys):
    with pytest.raises(SystemExit) as info:
        run(folder, *args)
    assert info.value.code == 2
    assert match in capsys.readouterr().err


@pytest.mark.parametrize(('images', 'match'), [
    (['g.fits'], 'must be BAND=IMAGE such as g=ngc1234_g.fits'),
    (['g=a.fits', 'g=b.fits'], 'give each band once, got g, g')])
def test_wrong_images(images, match, capsys):
    with pytest.raises(SystemExit):
        main(['mass', *images, '--distance', '5'])
    assert match in capsys.readouterr().err


def test_missing_file(folder, tmp_path, capsys):
    assert run(folder, '--distance', '5', '--out', str(tmp_path),
               names=('disc_g', 'nothing')) == 1
    assert 'nothing.fits' in capsys.readouterr().err


def test_failed_band(folder, tmp_path, capsys):
    data = fits.getdata(folder / 'disc_i.fits')
    fits.writeto(tmp_path / 'bad.fits', data * np.nan,
                 fits.Header({'BUNIT': 'nanomaggy'}))
    assert main(['mass', f'g={folder / "disc_g.fits"}',
                 f'i={tmp_path / "bad.fits"}', '--pixel-scale', '0.396',
                 '--distance', '5', '--out', str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert 'bad.fits' in err
    assert 'bands must have these, got g' in err


def test_one_image_for_two_bands(folder, tmp_path, capsys):
    assert run(folder, '--distance', '50', '--out', str(tmp_path),
               names=('disc_g', 'disc_g')) == 0
    err = capsys.readouterr().err
    assert 'the bands g and i have the same pixels, of ' in err
    assert 'give the file of each band' in err


def test_two_galaxies(folder, tmp_path, capsys):
    for name, ra in (('disc_g', 150.0), ('disc_i', 250.0)):
        image, header = fits.getdata(folder / f'{name}.fits', header=True)
        header.update(CTYPE1='RA---TAN', CTYPE2='DEC--TAN', CRVAL1=ra,
                      CRVAL2=2.0, CRPIX1=51.0, CRPIX2=51.0,
                      CDELT1=-1.1e-4, CDELT2=1.1e-4)
        fits.writeto(tmp_path / f'{name}.fits', image, header)
    assert run(tmp_path, '--distance', '50', '--out', str(tmp_path)) == 1
    err = capsys.readouterr().err
    assert 'disc_g.fits: the galaxy of the reference, at 250.0' in err or (
        'disc_i.fits: the galaxy of the reference, at 150.0' in err)
    assert 'is outside of the image, which has 101 x 101 pixels' in err
    assert 'nan' not in err


def test_ellipses_of_all_bands(folder, tmp_path, capsys):
    """
    The mass along the ellipses of the sum of all bands.
    """
    assert run(folder, '--distance', '50', '--reference', 'all', '--quiet',
               '--out', str(tmp_path)) == 0
    table = QTable.read(tmp_path / 'disc_g_mass.ecsv')
    images = {band: folder / f'disc_{band}.fits' for band in 'gi'}
    for reference, same in (('all', True), ('g', False)):
        mass = Pix2ProfFitter().fit_bands(
            images, pixel_scale=0.396, reference=reference, predict='mass',
            distance=50).mass
        assert same == (len(mass) == len(table) and np.array_equal(
            mass['mass_enclosed'].value, table['mass_enclosed'].value,
            equal_nan=True))
    with pytest.raises(SystemExit):
        run(folder, '--distance', '50', '--reference', 'z')
    assert 'argument --reference: must be one of g, i or all' in (
        capsys.readouterr().err)
