# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of what ``pix2prof fit`` writes besides profiles.
"""

import builtins
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from astro_pix2prof import (
    GalaxyCutout,
    ProfileFit,
    read_autoprof,
    read_iraf_table,
    read_profile,
)
from astro_pix2prof.cli import main
from astro_pix2prof.cli.methods import METHODS


@pytest.fixture
def image_file(galaxy_ccd, tmp_path):
    path = tmp_path / 'galaxy.fits'
    galaxy_ccd.write(path)
    return path


@pytest.fixture(autouse=True)
def exact(monkeypatch, sersic_profile):
    """
    Replace the fit by the true profile.
    """
    def measure(image, **options):
        cutout = GalaxyCutout(image, **options)
        profile = sersic_profile.copy()
        sma = profile['radius'].value / 0.396
        theta = (cutout.from_sky_pa(profile['pa'].value)
                 if cutout.wcs is not None else profile['pa'].value)
        centre = profile.meta['x_centre'], profile.meta['y_centre']
        return ProfileFit(profile, cutout, cutout.mask, 0.0, centre, sma,
                          np.asarray(profile['ellipticity']), theta,
                          profile['intensity'].value
                          / cutout.intensity_scale)

    for name in ('pix2prof', 'isophote'):
        monkeypatch.setitem(METHODS, name, lambda *args, **settings:
                            SimpleNamespace(fit=measure))


def run(*args):
    return main([str(arg) for arg in args])


def test_everything_at_once(image_file, tmp_path, capsys):
    pytest.importorskip('regions')
    out = tmp_path / 'out'
    args = ['fit', image_file, '--out', out, '--pixels', '--regions',
            '--html', tmp_path / '{name}-page.html', '--sectors', '3',
            '--axes', '2arcsec', '--vertical', '0,4arcsec']
    assert run(*args) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        'galaxy.reg', 'galaxy_axes.ecsv', 'galaxy_pixels.fits',
        'galaxy_profile.ecsv', 'galaxy_sectors.ecsv',
        'galaxy_vertical.ecsv']
    sectors = read_profile(out / 'galaxy_sectors.ecsv')
    assert len(np.unique(np.round(sectors['angle'].value, 3))) == 3
    assert sectors.meta['opening'] == pytest.approx(120)
    assert 'angle' not in sectors.meta
    axes = read_profile(out / 'galaxy_axes.ecsv')
    assert set(axes['axis']) == {'major', 'minor'}
    assert axes['radius'].value.min() < 0
    assert axes.meta['width'] == pytest.approx(2)
    vertical = read_profile(out / 'galaxy_vertical.ecsv')
    assert set(np.round(vertical['radius'].value, 6)) == {-4, 0, 4}
    assert fits.getdata(out / 'galaxy_pixels.fits', 'MODEL').shape == (
        128, 128)
    assert (out / 'galaxy.reg').read_text().count('ellipse(') == 39
    page = (tmp_path / 'galaxy-page.html').read_text(encoding='utf-8')
    assert page.startswith('<!DOCTYPE html>')
    # nothing is replaced unasked
    files = [*out.iterdir(), tmp_path / 'galaxy-page.html']
    for path in files:
        path.unlink()
    for path in files:
        path.touch()
        capsys.readouterr()
        assert run(*args) == 1
        assert f'{path} exists' in capsys.readouterr().err
        path.unlink()
        assert not any(other.exists() for other in files)
    files[0].touch()
    assert run(*args, '--overwrite') == 0
    assert all(path.stat().st_size for path in files)


@pytest.mark.parametrize(('format', 'end'), [
    ('votable', 'vot'), ('csv', 'csv'), ('iraf', 'fits'),
    ('autoprof', 'prof')])
def test_formats(image_file, tmp_path, format, end, sersic_profile):
    out = tmp_path / 'out'
    assert run('fit', image_file, '--out', out, '--format', format,
               '--structure', '--sectors', '2', '--compare', '--quiet') == 0
    tables = 'ecsv' if format in ('iraf', 'autoprof') else end
    assert sorted(path.name for path in out.iterdir()) == sorted([
        f'galaxy_profile.{end}', f'galaxy_isophote.{end}',
        f'galaxy_sectors.{tables}', f'structure.{tables}'])
    path = out / f'galaxy_profile.{end}'
    read = {'iraf': lambda path: read_iraf_table(
        path, pixel_scale=0.396, unit='nmgy'),
            'autoprof': read_autoprof}.get(format, read_profile)
    found = read(path)
    assert found['surface_brightness'].value == pytest.approx(
        sersic_profile['surface_brightness'].value, nan_ok=True)
    if format != 'csv':
        structure = QTable.read(out / f'structure.{tables}')
        assert structure['image'][0] == 'galaxy'


@pytest.mark.parametrize(('args', 'match'), [
    (['--html', 'galaxy.fits'], "argument --html: must end in .html, got 'g"),
    (['--html', '/dev/null/a.html'], 'argument --html: /dev/null: '),
    (['b.fits', '--html', 'a.html'], 'argument --html: several images need'),
    (['--html', 'https://a.org/a.html'], 'argument --html: must be a path of'),
    (['--sectors', '0'], "argument --sectors: must be an integer from 1 to"),
    (['--sectors', 'x'], "argument --sectors: must be an integer from 1 to"),
    (['--axes', '0'], "argument --axes: must be positive, got '0'"),
    (['--axes', '2kpc'], "argument --axes: must be angles or pixels, got the "
     "unit 'kpc' in '2kpc'"),
    (['--vertical', '0,2kpc'], 'argument --vertical: must be angles or pi'),
    (['--axes', 'wide'], 'argument --axes: must be pixels, or numbers'),
    (['--vertical', '5,0'], 'argument --vertical: must be at least two le'),
    (['--vertical', '5arcsec'], 'argument --vertical: must be at least two'),
    (['--vertical', '1kg2'], 'argument --vertical: must be pixels, or num')])
def test_usage(args, match, image_file, capsys):
    with pytest.raises(SystemExit) as info:
        run('fit', image_file, *args)
    assert info.value.code == 2
    assert match in ' '.join(capsys.readouterr().err.split())


@pytest.mark.parametrize('page', ['new/a.html', 'new/{name}/a.html'])
def test_page_in_a_new_folder(page, image_file, tmp_path):
    assert run('fit', image_file, '--out', tmp_path, '--quiet', '--html',
               tmp_path / page) == 0
    path = tmp_path / page.replace('{name}', 'galaxy')
    assert '</html>' in path.read_text()


def test_image_without_wcs(galaxy_ccd, tmp_path, capsys):
    """
    Regions are in pixels then, and a width cannot be an angle.
    """
    pytest.importorskip('regions')
    path = tmp_path / 'bare.fits'
    fits.writeto(path, galaxy_ccd.data)
    options = ['fit', path, '--uncalibrated', '--out', tmp_path]
    assert run(*options, '--axes', '2arcsec') == 1
    assert '--axes: width must be in pixels for an image without' in (
        capsys.readouterr().err)


def test_without_the_package_regions(image_file, monkeypatch, capsys):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == 'regions':
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(SystemExit):
        run('fit', image_file, '--regions')
    text = ' '.join(capsys.readouterr().err.split())
    assert '--regions needs regions: install the extra' in text
