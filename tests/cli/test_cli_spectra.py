# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the command ``pix2prof spectra``.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import QTable
from astropy.wcs import WCS
from numpy.testing import assert_allclose

from astro_pix2prof.cli import main


@pytest.fixture(scope='module')
def cube(tmp_path_factory):
    """
    A round exponential galaxy in the format of MUSE.
    """
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN', 'AWAV'
    wcs.wcs.cunit = 'deg', 'deg', 'Angstrom'
    wcs.wcs.crval = 40.0, -5.0, 6000.0
    wcs.wcs.crpix = 32.5, 32.5, 1.0
    wcs.wcs.cdelt = -0.2 / 3600, 0.2 / 3600, 50.0
    header = wcs.to_header()
    header['BUNIT'] = '10**(-20)*erg/s/cm**2/Angstrom'
    y, x = np.mgrid[:64, :64]
    radius = np.hypot(x - 31.3, (y - 32.1) / 0.8)
    rng = np.random.default_rng(4)
    light = 100 * np.exp(-radius / 5.0) * np.linspace(1, 2, 12)[:, None, None]
    data = light + rng.normal(scale=0.5, size=light.shape)
    path = tmp_path_factory.mktemp('cube') / 'cube.fits'
    fits.HDUList([
        fits.PrimaryHDU(),
        fits.ImageHDU(data.astype('f4'), header, name='DATA'),
        fits.ImageHDU(np.full(data.shape, 0.25, 'f4'), header, name='STAT'),
    ]).writeto(path)
    return path


def test_band(cube, tmp_path, capsys):
    out, image = tmp_path / 'new' / 'out.fits', tmp_path / 'image.fits'
    args = ['spectra', str(cube), '--band', '6000:6500', '--out', str(out),
            '--image', str(image), '--edges', '0,1,2,3arcsec',
            '--covariance', 'manga']
    assert main(args) == 0
    text = capsys.readouterr().out
    assert '3 spectra of 12 wavelengths' in text
    assert 'out.fits' in text
    rings = QTable.read(out, hdu='ANNULI')
    assert_allclose(rings['sma_out'].value, [1, 2, 3])
    assert np.all(rings['covariance_factor'] > 2)
    flux = QTable.read(out, hdu='SPECTRA')['flux']
    assert_allclose(flux[-1] / flux[0], 2.0, rtol=0.01)
    assert CCDData.read(image).unit == 'nJy'
    # nothing is replaced without being asked
    assert main(args) == 1
    assert 'out.fits exists: give --overwrite' in capsys.readouterr().err
    assert main([*args, '--overwrite', '--quiet']) == 0
    assert capsys.readouterr().out == ''


def test_profile(cube, tmp_path, capsys):
    image, out = tmp_path / 'image.fits', tmp_path / 'out.fits'
    assert main(['spectra', str(cube), '--out', str(tmp_path / 'x.fits'),
                 '--image', str(image), '--quiet']) == 0
    assert main(['fit', str(image), '--method', 'isophote', '--out',
                 str(tmp_path), '--quiet']) == 0
    profile = tmp_path / 'image_profile.ecsv'
    assert main(['spectra', str(cube), '--profile', str(profile), '--out',
                 str(out), '--statistic', 'mean']) == 0
    table = QTable.read(out, hdu='SPECTRA')
    assert 'arcsec' in table['flux'].unit.to_string()
    assert table['flux'].shape[1] > 5
    capsys.readouterr()


@pytest.mark.parametrize(('args', 'match'), [
    (['--band', '100:200'], 'must lie in the range of the cube'),
    (['--hdu', 'SCI'], "--hdu 'SCI' is not in the file"),
    (['--unit', 'ct'], "got the unit 'ct': give --unit"),
    (['--profile', 'nothing.ecsv'], 'no such file: nothing.ecsv'),
])
def test_errors(cube, tmp_path, capsys, args, match):
    out = tmp_path / 'out.fits'
    assert main(['spectra', str(cube), '--out', str(out), *args]) == 1
    assert match in capsys.readouterr().err
    assert not out.exists()


def test_wrong_usage(cube, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(['spectra', str(cube), '--profile', 'a', '--image', 'b.fits'])
    assert 'leave out --profile' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['spectra', str(cube), '--profile', 'a', '--band', 'r'])
    assert 'not allowed with argument' in capsys.readouterr().err
    for option in ('--out', '--image'):
        with pytest.raises(SystemExit):
            main(['spectra', str(cube), option, 'a.txt'])
        assert f'argument {option}: must end in .fits, got a.txt' in (
            capsys.readouterr().err)
    for band, text in (
            ('x', "range of Angstrom such as '6000:7000', got 'x'"),
            ('7000:6000', "increasing wavelengths in Angstrom, got '7000")):
        with pytest.raises(SystemExit) as stop:
            main(['spectra', 'nothing.fits', '--band', band])
        assert stop.value.code == 2
        line = capsys.readouterr().err
        assert 'argument --band: must be ' in line
        assert text in line
    for covariance, text in (('sami', "must be 'manga' or a slope, got 'sam"),
                             ('-3', 'must be a slope from 0 on, got -3.0')):
        with pytest.raises(SystemExit) as stop:
            main(['spectra', 'nothing.fits', '--covariance', covariance])
        assert stop.value.code == 2
        assert f'argument --covariance: {text}' in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(['spectra', 'nothing.fits', '--edges', '0,1,2kpc'])
    assert stop.value.code == 2
    assert ("--edges: must be angles or pixels, got the unit 'kpc' in "
            "'0,1,2kpc'" in capsys.readouterr().err)
    for edges in ('3,2', '1', '0,2,2arcsec'):
        with pytest.raises(SystemExit) as stop:
            main(['spectra', str(cube), '--edges', edges])
        assert stop.value.code == 2
        assert ('argument --edges: must be at least two increasing semi-major '
                f'axes from 0 on, got {edges!r}' in capsys.readouterr().err)
    flat = tmp_path / 'flat.fits'
    fits.PrimaryHDU(np.zeros((4, 5))).writeto(flat)
    assert main(['spectra', str(flat), '--out',
                 str(tmp_path / 'out.fits')]) == 1
    line = capsys.readouterr().err
    assert f'{flat}: cube must have three axes' in line
    assert '0 PRIMARY (5 x 4)' in line
    assert main(['spectra', 'nothing.fits']) == 1
    assert 'no such file: nothing.fits' in capsys.readouterr().err


def test_warnings_of_the_file_once(cube, tmp_path, capsys):
    """
    What the file lacks is told once, and what part of it is usable.
    """
    path = tmp_path / 'nounit.fits'
    with fits.open(cube) as hdus:
        hdus['DATA'].data[4] = np.nan
        for hdu in hdus[1:]:
            hdu.header['CRVAL3'] *= 1e10
            hdu.header['CDELT3'] *= 1e10
            del hdu.header['CUNIT3']
        hdus.writeto(path)
    assert main(['spectra', str(path), '--edges', '0,1,2arcsec', '--out',
                 str(tmp_path / 'out.fits')]) == 0
    out, err = capsys.readouterr()
    assert err.count('they are taken as Angstrom') == 1
    assert '0 to 100%' in out
