# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of pix2prof physical.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import WMAP9
from astropy.table import QTable
from numpy.testing import assert_allclose

from astro_pix2prof import (
    Pix2ProfFitter,
    load_example,
    read_profile,
    write_profile,
)
from astro_pix2prof.cli import main
from astro_pix2prof.structure.physical import physical_profile


@pytest.fixture(scope='module')
def profiles(tmp_path_factory):
    """
    A profile as g, as r, and without a band.
    """
    folder = tmp_path_factory.mktemp('profiles')
    profile = Pix2ProfFitter()(load_example())
    profile.meta.pop('band', None)
    write_profile(profile, folder / 'none_profile.ecsv')
    for band in 'gr':
        profile.meta['band'] = band
        write_profile(profile, folder / f'ngc1.5_{band}_profile.fits')
    return folder


def test_all_options(profiles, tmp_path, capsys):
    """
    Two bands at once; the tables are those of physical_profile.
    """
    paths = sorted(map(str, profiles.glob('*.fits')))
    assert main(['physical', *paths, '--redshift', '0.02', '--cosmology',
                 'WMAP9', '--ebv', '0.05', '--ebv-err', '0.01',
                 '--reddening', 'SF11', '--filters', 'PS1', '--inclination',
                 '60', '--inclination-err', '3', '--thickness', '0.2',
                 '--k-correction', 'g=0.05,r=0.02', '--out',
                 str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert '2 of 2 profiles converted' in out
    for band, k in (('g', 0.05), ('r', 0.02)):
        table = QTable.read(tmp_path / f'ngc1.5_{band}_physical.ecsv')
        profile = read_profile(profiles / f'ngc1.5_{band}_profile.fits')
        expected = physical_profile(
            profile, band=band, redshift=0.02, cosmology=WMAP9, ebv=0.05,
            ebv_err=0.01, reddening='SF11', filters='PS1', inclination=60,
            inclination_err=3, thickness=0.2, k_correction={band: k})
        for name in expected.colnames:
            assert_allclose(np.asarray(table[name].value, dtype=float),
                            np.asarray(expected[name].value, dtype=float),
                            rtol=1e-12)
        assert table.meta['k_correction'] == k
        assert table.meta['cosmology'] == 'WMAP9'
        last = np.flatnonzero(np.isfinite(expected['mag_enclosed']))[-1]
        assert f'{expected["mag_enclosed"][last].value:.2f}' in out


def test_distance_and_one_number(profiles, tmp_path):
    """
    A distance with a unit, the band and the sun of an option.
    """
    path = profiles / 'none_profile.ecsv'
    assert main(['physical', str(path), '--distance', '50000kpc', '--band',
                 'F606W', '--solar', '4.7', '--out', str(tmp_path),
                 '--format', 'csv', '--quiet']) == 0
    assert (tmp_path / 'none_physical.csv').exists()
    assert main(['physical', str(path), '--distance', '50', '--band', 'i',
                 '--redshift', '0.01', '--k-correction', '-0.03', '--out',
                 str(tmp_path), '--quiet']) == 0
    table = QTable.read(tmp_path / 'none_physical.ecsv')
    assert table.meta['k_correction'] == -0.03
    scale = (50 * u.Mpc * (u.arcsec.to(u.rad))).to_value(u.kpc)
    assert_allclose(table.meta['kpc_per_arcsec'], scale / 1.01**2,
                    rtol=1e-3)


def test_sun_of_each_band(profiles, tmp_path, capsys):
    """
    One number is not taken for the sun of several bands.
    """
    paths = sorted(map(str, profiles.glob('*.fits')))
    for option in (['--solar', '5'], ['--k-correction', '0.1']):
        with pytest.raises(SystemExit):
            main(['physical', *paths, '--redshift', '0.02', *option])
        assert ('give one for each band of several profiles'
                in capsys.readouterr().err)
    assert main(['physical', *paths, '--distance', '9', '--out',
                 str(tmp_path), '--solar', 'g=5.5,r=4.5,z=4']) == 0
    assert '--solar: there is no profile of z' in capsys.readouterr().err
    for band, sun in (('g', 5.5), ('r', 4.5)):
        table = QTable.read(tmp_path / f'ngc1.5_{band}_physical.ecsv')
        assert table.meta['solar_magnitude'] == sun


def test_results_of_one_name(profiles, tmp_path):
    """
    Tables of one name in two formats have two results.
    """
    profile = read_profile(profiles / 'ngc1.5_r_profile.fits')
    paths = [tmp_path / f'a_profile.{kind}' for kind in ('ecsv', 'fits')]
    for path in paths:
        write_profile(profile, path)
    assert main(['physical', *map(str, paths), '--distance', '9', '--quiet',
                 '--out', str(tmp_path / 'out')]) == 0
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'a_2_physical.ecsv', 'a_physical.ecsv']


def test_what_is_not_used(profiles, tmp_path, capsys):
    """
    A K-correction of a band without a profile, and a band that it is not.
    """
    path = str(profiles / 'ngc1.5_r_profile.fits')
    options = ['--redshift', '0.06', '--overwrite', '--out', str(tmp_path)]
    assert main(['physical', path, *options, '--k-correction',
                 'g=0.1,r=0.1']) == 0
    assert ('--k-correction: there is no profile of g'
            in capsys.readouterr().err)
    assert main(['physical', path, *options, '--band', 'i']) == 0
    err = capsys.readouterr().err
    assert "--band is 'i', but the profile is of the band 'r'" in err
    assert 'give --k-correction, which may be 0' in err
    table = tmp_path / 'x.prof'
    table.write_text('R,I\n')
    assert main(['physical', str(table), *options]) == 1
    assert 'path must end in one of' in capsys.readouterr().err


@pytest.mark.parametrize(('args', 'match'), [
    ([], 'give --distance or --redshift'),
    (['--distance', 'far'], 'must be a number of Mpc, or as 35Mpc'),
    (['--distance', '9', '--k-correction', '0.1'],
     '--redshift must be given with --k-correction'),
    (['--redshift', '0.1', '--k-correction', 'g='],
     'argument --k-correction: must be a number, or one for each band'),
    (['--redshift', '0.1', '--k-correction', 'g=1,g=2'],
     'argument --k-correction: must be a number, or one for each band'),
    (['--redshift', '0.1', '--cosmology', 'Mine'],
     'argument --cosmology: must be one of')])
def test_wrong_options(profiles, args, match, capsys):
    with pytest.raises(SystemExit) as info:
        main(['physical', str(profiles / 'none_profile.ecsv'), *args])
    assert info.value.code == 2
    assert match in ' '.join(capsys.readouterr().err.split())


def test_a_profile_that_fails(profiles, tmp_path, capsys):
    """
    The others are converted; a profile without a band needs the option.
    """
    paths = [profiles / 'none_profile.ecsv', tmp_path / 'missing.ecsv',
             profiles / 'ngc1.5_r_profile.fits']
    assert main(['physical', *map(str, paths), '--distance', '9', '--out',
                 str(tmp_path / 'out')]) == 1
    out, err = capsys.readouterr()
    assert 'none_profile.ecsv: the profile does not say its band' in err
    assert 'no such file' in err
    assert '1 of 3 profiles converted' in out
    # results are not replaced
    assert main(['physical', str(paths[2]), '--distance', '9', '--out',
                 str(tmp_path / 'out')]) == 1
    assert 'exists' in capsys.readouterr().err
