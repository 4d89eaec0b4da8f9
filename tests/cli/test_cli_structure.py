# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the options of structural parameters, modes and bars.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import QTable

from astro_pix2prof import (
    GalaxyCutout,
    ProfileFit,
    bar_radius,
    fourier_profile,
    measure_structure,
    read_profile,
    upper_limits,
)
from astro_pix2prof.cli import main
from astro_pix2prof.cli.methods import METHODS


@pytest.fixture
def image_file(galaxy_ccd, tmp_path):
    path = tmp_path / 'galaxy.fits'
    galaxy_ccd.write(path)
    return path


@pytest.fixture
def faint_rings(sersic_profile):
    """
    Make the last three rings noise, for one test.
    """
    error = sersic_profile['intensity_err'].copy()
    sersic_profile['intensity_err'][-3:] = sersic_profile['intensity'][-3:]
    yield [37, 38, 39]
    sersic_profile['intensity_err'] = error


@pytest.fixture(autouse=True)
def fits(monkeypatch, sersic_profile):
    """
    Replace the fit by the true profile; return those that were made.
    """
    made = []

    def measure(image, **options):
        cutout = GalaxyCutout(image, **options)
        profile = sersic_profile.copy()
        centre = profile.meta['x_centre'], profile.meta['y_centre']
        made.append(ProfileFit(
            profile, cutout, cutout.mask, 0.0, centre,
            profile['radius'].value / 0.396,
            np.asarray(profile['ellipticity']), cutout.from_sky_pa(
                profile['pa'].value),
            profile['intensity'].value / cutout.intensity_scale))
        return made[-1]

    monkeypatch.setitem(METHODS, 'pix2prof', lambda *args, **settings:
                        SimpleNamespace(fit=measure))
    return made


def run(*args):
    return main([str(arg) for arg in args])


@pytest.mark.parametrize(('kind', 'suffix'), [
    ('ecsv', '.ecsv'), ('fits', '.fits'), ('csv', '.csv')])
def test_bar(image_file, tmp_path, capsys, fits, kind, suffix):
    out = tmp_path / 'out'
    args = ['fit', image_file, '--bar', '--out', out, '--format', kind]
    assert run(*args) == 0
    assert 'warning' not in capsys.readouterr().err
    modes = fourier_profile(fits[0])
    bar = bar_radius(modes, profile=fits[0].profile)
    if kind == 'csv':
        text = (out / 'galaxy_modes.csv').read_text(encoding='utf-8')
        assert text.startswith('radius [arcsec],intensity [nmgy / arcsec2],')
        assert text.count('\n') == len(modes) + 1
        assert 'galaxy' in (out / 'bar.csv').read_text(encoding='utf-8')
        return
    again = QTable.read(out / f'galaxy_modes{suffix}')
    np.testing.assert_allclose(again['amplitude_2'], modes['amplitude_2'])
    found = QTable.read(out / f'bar{suffix}')
    assert list(found['image']) == ['galaxy']
    assert not found['is_barred'][0]
    assert found['reason'][0] == bar['reason'][0]
    assert found['bar_strength'][0] == pytest.approx(
        bar['bar_strength'][0], nan_ok=True)
    # nothing is replaced unasked
    (out / f'bar{suffix}').unlink()
    (out / f'galaxy_profile{suffix}').unlink()
    assert run(*args) == 1
    assert f'galaxy_modes{suffix} exists' in capsys.readouterr().err


def test_a_profile_without_modes(image_file, tmp_path, capsys, monkeypatch):
    def fail(*args, **kwargs):
        msg = 'there are none'
        raise ValueError(msg)

    monkeypatch.setattr('astro_pix2prof.fitting.fourier.fourier_profile',
                        fail)
    assert run('fit', image_file, '--bar', '--out', tmp_path / 'out') == 1
    assert 'no bar: there are none' in capsys.readouterr().err
    assert len(read_profile(tmp_path / 'out' / 'galaxy_profile.ecsv')) == 40


def test_settings(image_file, tmp_path, fits):
    out = tmp_path / 'out'
    assert run('fit', image_file, '--structure', '--petrosian-ratio', '0.3',
               '--petrosian-aperture', '1.5', '--fractions', '25,75',
               '--out', out) == 0
    found = QTable.read(out / 'structure.ecsv')[0]
    own = measure_structure(fits[0].profile, petrosian_ratio=0.3,
                            petrosian_aperture=1.5, fractions=[25, 75])[0]
    for name in ('r_petro', 'mag_petro', 'r25', 'r75'):
        assert found[name].value == pytest.approx(own[name].value)


@pytest.mark.parametrize(('args', 'message'), [
    (['--petrosian-ratio', '0.3'], '--petrosian-ratio needs --structure'),
    (['--structure', '--petrosian-ratio', '1'], 'above 0 of at most 0.9'),
    (['--structure', '--petrosian-aperture', 'x'], 'must be a positive num'),
    (['--structure', '--fractions', '0.75'], 'from 1 to below 100'),
    (['--structure', '--fractions', '25,25'], 'must be different numbers')])
def test_wrong_settings(image_file, tmp_path, capsys, args, message):
    with pytest.raises(SystemExit):
        run('fit', image_file, *args, '--out', tmp_path / 'out')
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('suffix', ['.ecsv', '.fits', '.csv'])
def test_upper_limits(image_file, fits, faint_rings, tmp_path, suffix):
    """
    Rings without signal have limits in the profile, and others none.
    """
    assert run('fit', image_file, '--upper-limits', '--quiet', '--out',
               tmp_path, '--format', suffix[1:]) == 0
    profile = read_profile(tmp_path / f'galaxy_profile{suffix}')
    expected = upper_limits(fits[0].profile)
    assert np.flatnonzero(np.isfinite(expected)).tolist() == faint_rings
    assert profile['upper_limit'].unit == expected.unit
    np.testing.assert_allclose(profile['upper_limit'].value, expected.value)
