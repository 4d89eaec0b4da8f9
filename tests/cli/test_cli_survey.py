# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the command ``pix2prof survey``.
"""

import errno
import os
import re
import shutil

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
    # no progress, but what went wrong
    assert captured.out == ''
    assert captured.err == (
        'pix2prof: warning: 1 of 3 galaxies could not be measured: see '
        f'{out}/_failures.ecsv\n')
    survey = read_survey(out)
    assert survey.galaxies().colnames[:2] == ['id', 'index']
    assert list(survey.failures['index']) == [2]
    # what is there is not measured again, and a failure is no error
    assert main(args) == 0
    text = capsys.readouterr()
    assert text.out.startswith('3 galaxies: 2 measured, 1 failed; 3 of these '
                               'by earlier calls\n')
    assert f'1 of 3 galaxies could not be measured: see {out}/' in text.err
    assert text.err.endswith('; a new attempt at those of earlier calls is '
                             '--overwrite\n')
    assert main([*args, '--chunk-size', '2']) == 1
    text = capsys.readouterr().err
    assert '--chunk-size was 500 and is 2' in text
    assert main([*args, '--sky', '0']) == 1
    assert '--sky was not given and is 0.0. Give' in capsys.readouterr().err
    assert 'overwrite=' not in text
    assert main([*args, '--chunk-size', '2', '--overwrite']) == 0
    text = capsys.readouterr()
    assert re.match(r'3 galaxies: 2 measured, 1 failed in \d+ s \(',
                    text.out)
    assert '3/3' in text.err
    assert '1 failed' in text.err, 'the progress bar'
    assert len(read_survey(out).files) == 2
    (out / 'part-000001.parquet').unlink()
    assert main([*args, '--chunk-size', '2']) == 0
    assert re.match(r'3 galaxies: 2 measured, 1 failed; 2 of these by earlier '
                    r'calls; 1 now in \d+ s \(', capsys.readouterr().out)


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
    assert main([*args, '--part', '1/2']) == 0
    capsys.readouterr()
    assert main(collect) == 0
    assert capsys.readouterr().out.startswith('3 galaxies: 2 measured, 1 fa')
    assert read_survey(out).complete
    # a part that is damaged is not missing, and stays there
    part = out / 'part-000000.parquet'
    content = part.read_bytes()
    part.write_bytes(content[:3000])
    for _ in range(2):
        assert main([*collect, '--quiet']) == 1
        text = capsys.readouterr().err
        assert '1 of 2 parts of' in text
        assert 'cannot be used: part-000000.parquet is damaged (' in text
        assert 'missing' not in text
        assert 'Run the survey again' in text
    # the share to which it belongs measures it again, and says so
    assert main([*args, '--part', '1/2', '--quiet']) == 0
    assert ('pix2prof: warning: 1 part is measured again: part-000000.parquet '
            'is damaged' in capsys.readouterr().err)
    assert part.read_bytes() == content
    assert main(collect) == 0
    capsys.readouterr()
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
    text = capsys.readouterr().err
    assert f'no galaxy could be measured: see {out}/_failures.ecsv' in text
    # the first reason is not left to be looked up
    assert 'the first because of FileNotFoundError: ' in text
    assert 'no_0.fits' in text
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


@pytest.mark.parametrize(('options', 'message'), [
    (['--part', '3/2'], '--part 3/2: the number must be from 1 to 2'),
    (['--part', 'x'], "--part must be such as '3/8'"),
    (['--part', '0/2'], '--part 0/2: the number must be from 1 to 2'),
    (['--part', '1/0'], '--part 1/0: the number of shares must be 1 or more'),
    (['--part', '1/2', '--overwrite'],
     '--overwrite and --part do not go together'),
    (['--workers', '0'], '--workers must be a positive integer, got 0'),
    (['--readers', '-1'], '--readers must be an integer of at least 0'),
    (['--chunk-size', '0'], '--chunk-size must be a positive integer'),
    (['--step', '10'], '--step must be a finite number from 0.01 to 0.5'),
    (['--step', '10', '--method', 'isophote'], "got 10.0: write '10pix'"),
    (['--radii', '5', '--step', '10%'], '--radii must not be given with'),
    (['--min-snr', '-1'], '--min-snr must be positive'),
    (['--weights', 'none'],
     '--weights must be a name (captioner, rings, rings-fast) or a '),
    (['--weights', 'encoder'], 'which measures no profiles: give --weights '
     'rings (pix2prof survey --embedding'),
    (['--weights', 'captioner', '--bands', 'g,r', '--images', '{band}.fits'],
     "--bands must not be given with --weights 'captioner', a network that "
     'measures along no ellipses, which the bands would share: use --weights '
     "'rings' or --method isophote"),
    (['--bands', 'g=path'], 'argument --bands: give two bands or more, got g'),
    (['--bands', 'g,r', '--images', '{band}.fits', '--reference', 'z'],
     'argument --reference: must be one of g, r, got'),
    (['--out', 'cat.csv'], 'argument --out: '),
    (['--out', 'cat.csv'], 'cat.csv is a file: give the name of a folder'),
    (['--out', 'cat.csv/x'], 'cat.csv is a file, no folder'),
    (['--out', 'full'], 'full is not empty and holds no survey'),
    (['--out', 'https://a.b/c'], 'cannot be written to: give a folder of')])
def test_usage(options, message, tmp_path, monkeypatch, capsys):
    """
    Wrong values end the program at once, with the status of wrong usage.
    """
    monkeypatch.chdir(tmp_path)
    Table({'path': ['a.fits']}).write('cat.csv')
    os.makedirs('full/of/things')
    with pytest.raises(SystemExit) as info:
        main(['survey', 'cat.csv', '--out', 'out', *options])
    assert info.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith('usage: pix2prof survey ')
    assert message in text
    assert 'np.' not in text
    assert not os.path.exists('out')


@pytest.mark.parametrize('collect', [False, True])
def test_no_permission(collect, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('os.access', lambda *args: False)
    with pytest.raises(SystemExit) as info:
        main(['survey', '--out', str(tmp_path),
              '--collect' if collect else 'cat.csv'])
    assert info.value.code == 2
    assert (f'argument --out: {tmp_path}: no permission to write there'
            in capsys.readouterr().err)


def test_out_cannot_be_made(catalogue, tmp_path, monkeypatch, capsys):
    """
    A folder that only the attempt shows to be impossible; others errors of
    files are none of usage.
    """
    out = tmp_path / 'out'

    def fail(path):
        raise OSError(errno.EROFS, 'Read-only file system', str(path))

    args = ['survey', str(catalogue), '--out', str(out)]
    monkeypatch.setattr('astro_pix2prof.survey.run.make_folder', fail)
    with pytest.raises(SystemExit) as info:
        main(args)
    assert info.value.code == 2
    assert (f'argument --out: {out}: read-only file system'
            in capsys.readouterr().err)
    monkeypatch.setattr('astro_pix2prof.survey.run.make_folder',
                        lambda path: fail(path / 'x'))
    assert main(args) == 1
    assert f'{out}/x: read-only file system' in capsys.readouterr().err


def test_columns_with_commas(catalogue, tmp_path):
    out = tmp_path / 'out'
    assert main(['survey', str(catalogue), '--images', 'path', '--out',
                 str(out), '--workers', '1', '--quiet', '--columns',
                 'id,side', 'path']) == 0
    assert read_survey(out).galaxies().colnames[:4] == ['id', 'side', 'path',
                                                        'index']


def test_bands_without_images(catalogue, tmp_path, capsys):
    assert main(['survey', str(catalogue), '--images', 'path', '--out',
                 str(tmp_path / 'out'), '--bands', 'g,r']) == 1
    err = capsys.readouterr().err
    assert err.startswith('pix2prof: error: --bands g,r needs --images with '
                          '{band} in it')
    assert err.endswith('or --cutouts; or --bands with the images of each, as '
                        'g=path_g,r=path_r\n')


def test_quiet(catalogue, tmp_path, capsys):
    """
    No progress, but that images have changed; the option is named once.
    """
    folder = tmp_path / 'data'
    shutil.copytree(catalogue.parent, folder)
    args = ['survey', str(folder / catalogue.name), '--out',
            str(tmp_path / 'out'), '--workers', '1', '--quiet', '--columns',
            'id', '--max-radius', '4']
    assert main(args) == 0
    text = capsys.readouterr()
    assert (text.out, text.err) == ('', '')
    path = next(folder.glob('*_00001_*.fits'))
    os.utime(path, ns=(5, 10**18 + 5))
    assert main(args) == 0
    text = capsys.readouterr()
    assert text.out == ''
    assert text.err == (
        'pix2prof: warning: the images of 1 galaxy that is done, or its '
        'masks, errors or skies, have changed since (row 1 of the catalogue);'
        ' their results are kept: --changed redo measures these parts '
        'again\n')
    assert main([*args, '--changed', 'redo']) == 0
    assert ('row 1 of the catalogue): 1 part is measured again'
            in capsys.readouterr().err)


@pytest.mark.parametrize(('options', 'message'), [
    (['--images', 'path', '--size', '80kpc'], "--size: must be pixels, an "
     "angle such as 90arcsec or a column, got '80kpc'"),
    (['--cutouts', 'hips2fits'],
     'give --cutouts hips2fits:CDS/P/DES-DR2/r'),
    (['--cutouts', 'legcy'], '--cutouts must be'),
    (['--cutouts', 'legacy', '--cutout-rate', '0'], '--cutout-rate must be'),
    (['--cutouts', 'legacy', '--band', 'q'],
     "--band 'q' must be one of the bands"),
])
def test_usage_of_places(catalogue, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as stop:
        main(['survey', str(catalogue), *options, '--out',
              str(tmp_path / 'out')])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_pixels_of_tiles(catalogue, tmp_path, capsys):
    assert main(['survey', str(catalogue), '--images',
                 f'{catalogue.parent}/*.fits', '--position', 'x', 'y',
                 '--pixels', '--size', '80', '--out',
                 str(tmp_path / 'out')]) == 1
    assert ('galaxies in tiles are found by ra and dec: leave out --pixels'
            in capsys.readouterr().err)


def test_empty_share_and_structure(catalogue, tmp_path, capsys):
    args = ['survey', str(catalogue), '--images', 'path', '--out',
            str(tmp_path / 'out'), '--workers', '1', '--method', 'isophote']
    assert main([*args, '--part', '1/3']) == 0
    assert ('there is no galaxy in the share 1/3: shares are of whole parts, '
            'of 500 galaxies here') in capsys.readouterr().err
    assert main([*args, '--structure']) == 1
    text = capsys.readouterr().err
    assert '--structure was not given and is ' in text
    assert 'None' not in text
