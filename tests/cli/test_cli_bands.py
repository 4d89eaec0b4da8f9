# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of pix2prof bands.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Sersic2D
from astropy.table import QTable
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof import read_profile
from astro_pix2prof.cli import main

FACTORS = {'g': 0.4, 'r': 0.8, 'i': 1.0}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """
    A disc in three files, and two of its bands in one cube.
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
    header = fits.Header({'BUNIT': 'nanomaggy', 'BANDS': 'gr', 'BAND0': 'g',
                          'BAND1': 'r'})
    fits.writeto(folder / 'cube.fits', np.array(planes[:2]), header)
    return folder


def run(folder, *args, bands='gri', name=None):
    return main(['bands', *(f'{band}={folder / (name or f"disc_{band}")}.fits'
                            for band in bands),
                 '--pixel-scale', '0.396', *args])


def colour(table, name):
    known = (table['radius'].value > 1) & (table[f'{name}_err'].value < 0.1)
    assert known.sum() > 10
    return np.median(table[name].value[known])


def test_profiles_and_colours(folder, tmp_path, capsys):
    """
    The profiles share their ellipses; colours are those of the fluxes.
    """
    assert run(folder, '--colours', 'g-r,g-i', '--plot', '--out',
               str(tmp_path)) == 0
    out, err = capsys.readouterr()
    assert not err
    assert 'ellipses of  r' in out
    assert 'median g-i' in out
    profiles = {band: read_profile(tmp_path / f'disc_{band}_profile.ecsv')
                for band in FACTORS}
    for band in 'gi':
        assert_allclose(profiles[band]['ellipticity'],
                        profiles['r']['ellipticity'])
    table = QTable.read(tmp_path / 'disc_g_colours.ecsv')
    assert_allclose(colour(table, 'g-r'), 2.5 * np.log10(2), atol=0.02)
    assert_allclose(colour(table, 'g-i'), 2.5 * np.log10(2.5), atol=0.02)
    assert 'r-i' not in table.colnames
    assert (tmp_path / 'disc_g_colours.png').exists()
    # results are not replaced
    assert run(folder, '--out', str(tmp_path)) == 1
    assert 'exists' in capsys.readouterr().err


def test_ellipses_of_all_bands(folder, tmp_path):
    """
    The profile of the sum is written, whose ellipses all bands have.
    """
    assert run(folder, '--reference', 'all', '--quiet', '--format', 'fits',
               '--out', str(tmp_path)) == 0
    joint = read_profile(tmp_path / 'disc_g_joint.fits')
    assert joint.meta['bands'].split()[0].startswith('g=')
    for band in FACTORS:
        profile = read_profile(tmp_path / f'disc_{band}_profile.fits')
        assert_allclose(profile['ellipticity'],
                        joint['ellipticity'][:len(profile)])


def test_planes_of_a_cube(folder, tmp_path):
    """
    Planes of one file have the names of the bands in their results.
    """
    assert run(folder, '--quiet', '--out', str(tmp_path), bands='gr',
               name='cube') == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        'cube_g_profile.ecsv', 'cube_r_profile.ecsv', 'cube_colours.ecsv'}
    table = QTable.read(tmp_path / 'cube_colours.ecsv')
    assert_allclose(colour(table, 'g-r'), 2.5 * np.log10(2), atol=0.02)


def test_one_psf_each(folder, tmp_path):
    assert run(folder, '--psf', '1.4', '--psf', '1.1', '--quiet', '--out',
               str(tmp_path), bands='gr') == 0
    table = QTable.read(tmp_path / 'disc_g_colours.ecsv')
    assert table.meta['psf_matched'] == 'g'


def test_a_band_that_fails(folder, tmp_path, capsys):
    """
    The others are written, and the band is named.
    """
    fits.writeto(tmp_path / 'empty.fits', np.full((60, 60), np.nan))
    status = main(['bands', f'z={tmp_path / "empty.fits"}',
                   *(f'{band}={folder}/disc_{band}.fits' for band in 'gr'),
                   '--pixel-scale', '0.396', '--unit', 'nmgy', '--out',
                   str(tmp_path / 'out'), '--quiet'])
    assert status == 1
    assert 'empty.fits' in capsys.readouterr().err
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {
        'disc_g_profile.ecsv', 'disc_r_profile.ecsv', 'empty_colours.ecsv'}


@pytest.mark.parametrize(('bands', 'args', 'match'), [
    ('g', [], 'argument BAND=IMAGE: give two bands or more, got g'),
    ('gg', [], 'give each band once, got g, g'),
    ('gr', ['--reference', 'i'], '--reference: must be one of g, r or all'),
    ('gr', ['--colours', 'g-i'], '--colours: must be a list of names'),
    ('gr', ['--psf', '1', '--psf', 'none'], 'got none for r'),
    ('gri', ['--psf', '1', '--psf', '1'], 'once for each of the 3 files')])
def test_wrong_options(folder, bands, args, match, capsys):
    with pytest.raises(SystemExit) as info:
        run(folder, *args, bands=bands)
    assert info.value.code == 2
    assert match in ' '.join(capsys.readouterr().err.split())
