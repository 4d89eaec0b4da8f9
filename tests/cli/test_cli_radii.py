# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the options of radii and ellipses on the command line.
"""

import argparse

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

from astro_pix2prof import read_profile
from astro_pix2prof.cli.main import main
from astro_pix2prof.cli.options import length, lengths
from astro_pix2prof.survey.fitter_spec import FitterSpec


@pytest.mark.parametrize(('text', 'expected'), [
    ('1,2,5', [1, 2, 5]), ('1 2 5', [1, 2, 5]),
    ('1,2,5arcsec', [1, 2, 5] * u.arcsec), ('1, 2.5 "', [1, 2.5] * u.arcsec),
    ('1e1,2e1 pixels', [10, 20] * u.pix), ("2'", [2] * u.arcmin)])
def test_lengths(text, expected):
    found = lengths(text)
    assert getattr(found, 'unit', None) == getattr(expected, 'unit', None)
    assert_allclose(u.Quantity(found).value, u.Quantity(expected).value)


@pytest.mark.parametrize('text', ['', 'far', '1,x', '1,2 parrots'])
def test_wrong_lengths(text):
    with pytest.raises(argparse.ArgumentTypeError, match='must be pixels'):
        lengths(text)


def test_length():
    assert length('0.1') == 0.1
    assert length('2arcsec') == 2 * u.arcsec
    with pytest.raises(argparse.ArgumentTypeError, match='must be one'):
        length('1,2')


def test_radii_beyond_the_image(galaxy_ccd, tmp_path, monkeypatch, capsys):
    """
    A profile without a single value is told.
    """
    monkeypatch.chdir(tmp_path)
    galaxy_ccd.write('a.fits')
    ny, nx = galaxy_ccd.shape
    args = ['fit', 'a.fits', '--method', 'isophote', '--overwrite']
    assert main([*args, '--radii', '1000,2000']) == 0
    assert ('warning: a.fits: no ring of --radii has a usable pixel in the '
            f'image, of {nx} x {ny} pixels: plain numbers are pixels'
            in capsys.readouterr().err)
    assert main([*args, '--radii', '5,2000']) == 0
    assert 'no ring of' not in capsys.readouterr().err


def test_fit(galaxy_ccd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    galaxy_ccd.write('a.fits')
    assert main(['fit', 'a.fits', '--radii', '0,2,4,8arcsec', '--quiet',
                 '--ellipticity', '40%', '--pa', '30']) == 0
    profile = read_profile('a_profile.ecsv')
    assert_allclose(profile['radius'].value, [0, 2, 4, 8])
    assert_allclose(profile['ellipticity'], 0.4, atol=1e-4)
    assert_allclose(profile['pa'].value, 30, atol=0.01)
    Table({'sma': [2.0, 9.0], 'ellipticity': [0.1, 0.2],
           'theta': [30, 30]}).write('shape.csv')
    assert main(['fit', 'a.fits', '--geometry', 'shape.csv', '--step',
                 '2arcsec', '--max-radius', '8arcsec', '--quiet',
                 '--overwrite']) == 0
    profile = read_profile('a_profile.ecsv')
    assert_allclose(profile['radius'].value, [0, 2, 4, 6, 8])
    assert_allclose(profile['ellipticity'][-1], 0.2, atol=1e-3)


@pytest.mark.parametrize(('format', 'name'), [
    ('iraf', 'a_profile.fits'), ('autoprof', 'a_profile.prof'),
    ('csv', 'a_profile.csv')])
def test_written_tables_are_geometries(galaxy_ccd, tmp_path, capsys, format,
                                       name):
    """
    The rings are those of the profile, whatever it was written as.
    """
    galaxy_ccd.write(tmp_path / 'a.fits')
    fit = ['fit', str(tmp_path / 'a.fits'), '--out']
    for kind in ('ecsv', format):
        assert main([*fit, str(tmp_path), '--format', kind, '--quiet']) == 0
    capsys.readouterr()
    assert main([*fit, str(tmp_path / 'again'), '--geometry',
                 str(tmp_path / name)]) == 0
    assert ('angles are taken to count from north' in capsys.readouterr().err
            ) == (format == 'csv')
    first = read_profile(tmp_path / 'a_profile.ecsv')
    again = read_profile(tmp_path / 'again/a_profile.ecsv')
    assert_allclose(again['radius'].value, first['radius'].value, atol=1e-4)
    turn = (again['pa'] - first['pa']).value[2:]
    assert_allclose((turn + 90) % 180 - 90, 0, atol=0.1)
    assert_allclose(again['ellipticity'][2:], first['ellipticity'][2:],
                    atol=1e-3)
    for key in ('x_centre', 'y_centre'):
        assert_allclose(again.meta[key], first.meta[key], atol=0.02)


@pytest.mark.parametrize(('options', 'message'), [
    (['--radii', '5,2'], '--radii must increase'),
    (['--radii', '5', '--step', '0.1'], '--radii must not be given with'),
    (['--ellipticity', '40'], 'argument --ellipticity: must be from 0'),
    (['--pa', 'north'], 'argument --pa: must be degrees'),
    (['--step', '3'], '--step must be')])
def test_refusals(options, message, capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(['fit', str(tmp_path / 'a.fits'), *options])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(('options', 'message'), [
    (['--pa', '30'], '--pa needs an ellipticity: give --ellipticity'),
    (['--ellipticity', '0.4'], '--ellipticity needs a position angle'),
    (['--radii', '5', '--step', '10%', '--max-radius', '9'],
     '--radii must not be given with --step or --max-radius: they')])
def test_usage(options, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(['fit', str(tmp_path / 'a.fits'), *options])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_survey_tells_radii_apart():
    """
    A text of many radii leaves out the middle, in which they may differ.
    """
    one, two = np.arange(2000.0), np.arange(2000.0)
    two[1000] += 0.5
    specs = [FitterSpec({'method': 'isophote', 'radii': radii * u.arcsec})
             for radii in (one, two)]
    assert specs[0].describe() != specs[1].describe()
    assert specs[0].make() is not specs[1].make()
    assert specs[0].make() is FitterSpec(
        {'method': 'isophote', 'radii': one * u.arcsec}).make()


def test_harmonics(galaxy_ccd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    galaxy_ccd.write('a.fits')
    assert main(['fit', 'a.fits', '--harmonics', '--quiet']) == 0
    profile = read_profile('a_profile.ecsv')
    assert 'b4_err' in profile.colnames
    assert 'x_offset' not in profile.colnames
    assert main(['fit', 'a.fits', '--free-centres', '--quiet',
                 '--overwrite']) == 0
    assert 'x_offset' in read_profile('a_profile.ecsv').colnames
    assert main(['fit', 'a.fits', '--quiet', '--overwrite']) == 0
    assert 'b4' not in read_profile('a_profile.ecsv').colnames
