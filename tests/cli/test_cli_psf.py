# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the options --psf and --correct-psf of ``pix2prof fit``.
"""

from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from astro_pix2prof import GalaxyCutout, build_profile, read_profile
from astro_pix2prof.cli import main
from astro_pix2prof.cli.methods import METHODS
from astro_pix2prof.cli.psf import psf as _psf


@pytest.fixture
def image_file(monkeypatch, tmp_path):
    """
    An image whose profile is an exponential, whatever the fitter.
    """
    path = tmp_path / 'galaxy.fits'
    fits.PrimaryHDU(np.ones((60, 60), 'f4')).writeto(path)
    sma = np.concatenate([np.arange(0, 6, 0.5), np.geomspace(6, 30, 15)])
    value = np.exp(-np.hypot(sma, 1.0) / 5)

    def fit(image, **options):
        profile = build_profile(
            GalaxyCutout(np.ones((60, 60)), zeropoint=25, pixel_scale=0.4),
            sma, value, 1e-3 * value, ellipticity=np.zeros(len(sma)),
            theta=np.zeros(len(sma)))
        return SimpleNamespace(profile=profile, mask=None, cutout=None)

    for name in METHODS:
        monkeypatch.setitem(METHODS, name,
                            lambda **_: SimpleNamespace(fit=fit))
    return path


def run(image_file, *options):
    out = image_file.parent / 'out'
    return main(['fit', str(image_file), '--out', str(out), '--zeropoint',
                 '25', '--pixel-scale', '0.4', *options]), out


def test_structure(image_file):
    star = image_file.parent / 'star.fits'
    y, x = np.mgrid[-15:16, -15:16]
    fits.PrimaryHDU(np.exp(-(x**2 + y**2) / 4.5)).writeto(star)
    status, out = run(image_file, '--structure', '--psf', str(star))
    assert status == 0
    table = QTable.read(out / 'structure.ecsv')
    assert 'core_r_b' in table.colnames
    assert np.isfinite(table['sersic_n'][0])
    assert not (out / 'galaxy_corrected.ecsv').exists()


def test_correct(image_file, capsys):
    status, out = run(image_file, '--correct-psf', '--psf', '0.8')
    assert status == 0
    sharp = read_profile(out / 'galaxy_corrected.ecsv')
    assert sharp['psf_correction'][0] < 0
    assert 'psf_correction' not in read_profile(
        out / 'galaxy_profile.ecsv').colnames
    # neither of the two is replaced
    assert run(image_file, '--correct-psf', '--psf', '0.8')[0] == 1
    assert 'give --overwrite' in capsys.readouterr().err


@pytest.mark.parametrize(('options', 'match'), [
    (['--psf', '0.8'], '--psf needs --structure, --correct-psf or'),
    (['--correct-psf'], '--correct-psf needs a point-spread function'),
    (['--radius-scale', 'log'], '--radius-scale is that of a figure: give'),
    (['--psf', '-1', '--structure'], 'argument --psf: must be positive'),
    (['--psf', '3s', '--structure'], 'argument --psf: must be an angle or '
     "pixels, such as 1.3 (arcsec), 1.3arcsec or 3pix, got '3s'"),
    (['--psf', '1.3kpc', '--structure'], "or 3pix, got '1.3kpc'"),
    (['--psf', 'nothere', '--structure'], 'argument --psf: nothere: no such '
     'file: give a FITS file, or the full width at half maximum such as 1.3'),
    (['--psf', 'none.fits', '--structure'],
     'argument --psf: none.fits: no such file')])
def test_wrong(image_file, capsys, options, match):
    with pytest.raises(SystemExit):
        run(image_file, *options)
    assert match in ' '.join(capsys.readouterr().err.split())


def test_widths():
    assert _psf('1.2').sampled(0.4).fwhm == pytest.approx(1.2, rel=0.01)
    assert _psf('3pix').sampled(0.4).fwhm == pytest.approx(1.2, rel=0.01)
    assert _psf('0.02arcmin').fwhm == pytest.approx(1.2, rel=0.01)
    assert u.Quantity('3pix').unit == u.pix


def test_warnings_name_the_option(tmp_path, capsys):
    y, x = np.mgrid[-10:11, -10:11]
    fits.writeto(tmp_path / 'psf.fits', np.exp(-(x**2 + y**2) / 8.0) + 0.01)
    _psf(str(tmp_path / 'psf.fits'))
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith('pix2prof: warning: --psf does not fall to zero: ')


def test_no_abbreviations(image_file, capsys):
    with pytest.raises(SystemExit):
        run(image_file, '--struct')
    assert 'unrecognized arguments: --struct' in capsys.readouterr().err
