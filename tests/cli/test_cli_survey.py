# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the command ``pix2prof survey``.
"""

import numpy as np
import pytest
from astropy.table import Table

from astro_pix2prof import read_survey
from astro_pix2prof.cli.main import main
from astro_pix2prof.datasets.simulated import write_simulated
from astro_pix2prof.simulation import GalaxySimulator

pytest.importorskip('pyarrow')


@pytest.fixture(name='catalogue', scope='module')
def make_catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp('survey')
    galaxies = GalaxySimulator('sdss-r', n_pix=80, clutter=False).simulate(
        3, seed=5)
    paths = write_simulated(galaxies, folder)
    table = Table({'id': [0, 1, 2], 'RA': [0.0, 0.1, 0.2],
                   'Dec': [0.0, 0.0, 0.0], 'x': [39.5, 39.5, np.nan],
                   'y': [39.5, 39.5, 39.5], 'side': [70, 72, 74],
                   'path': [path.name for path in paths]})
    table.write(folder / 'cat.ecsv')
    return folder / 'cat.ecsv'


def test_survey(catalogue, tmp_path, capsys):
    out = tmp_path / 'out.parquet'
    args = ['survey', str(catalogue), '--images', 'path', '--out', str(out),
            '--workers', '1', '--position', 'x', 'y', '--columns', 'id']
    assert main([*args, '--quiet']) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ('', '')
    survey = read_survey(out)
    assert survey.galaxies().colnames[:2] == ['id', 'index']
    assert list(survey.failures['index']) == [2]
    # what is there is not measured again, and a failure is no error
    assert main(args) == 0
    text = capsys.readouterr().out
    assert text.startswith('3 galaxies: 0 done in ')
    assert '3 measured before, 1 failed' in text
    assert f'failures: {out}/_failures.ecsv' in text
    assert main([*args, '--chunk-size', '2']) == 1
    text = capsys.readouterr().err
    assert '--chunk-size was 500 and is 2' in text
    assert 'overwrite=' not in text
    assert main([*args, '--chunk-size', '2', '--overwrite']) == 0
    assert len(read_survey(out).files) == 2


def test_shares(catalogue, tmp_path, capsys):
    """
    Shares of the catalogue, which are joined in the end.
    """
    out = tmp_path / 'out'
    args = ['survey', str(catalogue), '--images', 'path', '--out', str(out),
            '--workers', '1', '--columns', 'id', '--chunk-size', '2',
            '--position', 'x', 'y', '--changed', 'ignore']
    collect = ['survey', '--collect', '--out', str(out)]
    assert main([*args, '--part', '2/2', '--quiet']) == 1
    assert 'no galaxy could be measured' in capsys.readouterr().err
    assert main(collect) == 1
    assert '1 of 2 parts of' in capsys.readouterr().err
    assert main([*args, '--part', '3/2']) == 1
    assert '--part 3/2: the number must be' in capsys.readouterr().err
    assert main([*args, '--part', '1/2', '--overwrite']) == 1
    text = capsys.readouterr().err
    assert '--overwrite and --part do not go together' in text
    assert main([*args, '--part', '1/2']) == 0
    capsys.readouterr()
    assert main(collect) == 0
    assert capsys.readouterr().out.startswith('3 galaxies: 0 done in ')
    assert read_survey(out).complete
    for wrong, match in (([*collect, '--part', '1/2'], '--collect takes'),
                         ([*collect, str(catalogue)], '--collect takes'),
                         (collect[:1] + collect[2:], 'CATALOGUE')):
        with pytest.raises(SystemExit):
            main(wrong)
        assert match in capsys.readouterr().err


def test_tiles(catalogue, tmp_path):
    """
    Positions on the sky; each image is the tile of one galaxy.
    """
    out = tmp_path / 'out'
    assert main(['survey', str(catalogue), '--images',
                 f'{catalogue.parent}/*.fits', f'{catalogue.parent}/no.fits',
                 '--out', str(out)]) == 1   # (there is no such file)
    assert main(['survey', str(catalogue), '--images',
                 f'{catalogue.parent}/*.fits', '--out', str(out),
                 '--size', 'side', '--workers', '1', '--quiet']) == 0
    survey = read_survey(out)
    assert [name[-19:] for name in survey.galaxies()['source']] == [
        f'galaxy_0000{k}_r.fits' for k in range(3)]
    assert survey.settings['ra, dec'] == ['RA', 'Dec']
    again = tmp_path / 'again'
    assert main(['survey', str(catalogue), '--out', str(again), '--position',
                 'RA', 'Dec', '--size', 'side', '--workers', '1',
                 '--quiet']) == 0
    np.testing.assert_allclose(
        read_survey(again)[1]['intensity'].value,
        survey[1]['intensity'].value, rtol=1e-5)


def test_allow_remote(catalogue, tmp_path):
    """
    Addresses are refused, unless the command allows them.
    """
    args = ['survey', str(catalogue), '--images', 'http://127.0.0.1:1/{id}',
            '--workers', '1', '--quiet', '--method', 'isophote', '--out']
    assert main([*args, str(tmp_path / 'no')]) == 1
    assert not (tmp_path / 'no').exists()
    assert main([*args, str(tmp_path / 'yes'), '--allow-remote']) == 1
    survey = read_survey(tmp_path / 'yes')
    assert survey.settings['allow_remote']
    assert ('ConnectionError: http://127.0.0.1:1/0 cannot be read'
            in survey.failures['message'][0])


def test_nothing_works(catalogue, tmp_path, capsys):
    out = tmp_path / 'out'
    assert main(['survey', str(catalogue), '--images', 'no_{id}.fits',
                 '--out', str(out), '--workers', '1', '--method',
                 'isophote', '--quiet']) == 1
    assert ('no galaxy could be measured: see '
            in capsys.readouterr().err)
    assert len(read_survey(out).failures) == 3


def test_exceptions(catalogue, tmp_path, capsys):
    out = ['--out', str(tmp_path / 'out')]
    assert main(['survey', str(tmp_path / 'none.fits'), *out]) == 1
    assert 'none.fits does not exist' in capsys.readouterr().err
    assert main(['survey', str(catalogue), '--images', 'nix', *out]) == 1
    assert "--images 'nix' is neither a column" in capsys.readouterr().err
    assert main(['survey', str(catalogue), '--position', 'u', 'v',
                 *out]) == 1
    assert "--position 'u' is not a column" in capsys.readouterr().err
    assert main(['survey', str(catalogue), '--position', 'u', 'v', '--pixels',
                 *out]) == 1
    assert "--position 'u' is not a column" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
    with pytest.raises(SystemExit):
        main(['survey', str(catalogue)])
