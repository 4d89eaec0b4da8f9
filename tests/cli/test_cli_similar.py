# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the commands ``pix2prof similar`` and ``pix2prof anomalies``.
"""

import json

import numpy as np
import pytest
from astropy.table import QTable

from astro_pix2prof import ProfileBatch
from astro_pix2prof.cli.main import main

pytest.importorskip('sklearn')
pa = pytest.importorskip('pyarrow')
import pyarrow.parquet as pq

N = 40


@pytest.fixture(scope='module')
def survey(tmp_path_factory, sersic_profile):
    """
    A survey of 40 galaxies, whose embeddings lie on a quarter of a circle.
    """
    profiles = [sersic_profile.copy() for _ in range(N)]
    for k, profile in enumerate(profiles):
        profile.meta['source'] = f'images/{k}.fits'
    rows = ProfileBatch.from_profiles(profiles).to_arrow()
    angle = np.linspace(0, np.pi / 2, N)
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    # one is unlike all others
    vectors[30] = -1, -1
    rows = rows.append_column('embedding', pa.array(vectors.tolist()))
    rows = rows.append_column('objid', pa.array([f'obj{k}' for k in range(N)]))
    rows = rows.append_column('c', pa.array(np.arange(N) % 7 * 1.0))
    folder = tmp_path_factory.mktemp('survey') / 'out.parquet'
    folder.mkdir()
    pq.write_table(rows, folder / 'part-000000.parquet')
    (folder / '_survey.json').write_text(json.dumps({'n_rows': N}))
    return folder


def test_similar(survey, tmp_path, capsys):
    out = tmp_path / 'new' / 'like.ecsv'
    args = ['similar', str(survey), '--id', '10', '-n', '4']
    assert main([*args, '--out', str(out)]) == 0
    text = capsys.readouterr().out
    assert f'table in {out}' in text
    assert 'like the galaxy with the index 10: images/10.fits' in text
    assert 'images/11.fits' in text
    table = QTable.read(out)
    assert set(table['index'][:2]) == {9, 11}
    assert set(table['index'][2:]) == {8, 12}
    assert main([*args, '--out', str(out)]) == 1
    assert '--overwrite' in capsys.readouterr().err
    # by another name, and the mean of two
    assert main(['similar', str(survey), '--id', 'obj10', '--id', 'obj14',
                 '-n', '1', '--out', str(out), '--overwrite',
                 '--quiet']) == 0
    assert capsys.readouterr().out == ''
    assert QTable.read(out)['index'].tolist() == [12]


def test_similar_by_columns(survey, tmp_path):
    out = tmp_path / 'like.csv'
    assert main(['similar', str(survey), '--id', 'obj3', '--id-column',
                 'objid', '--columns', 'c', '-n', '5', '--out',
                 str(out)]) == 0
    table = QTable.read(out)
    assert (table['index'] % 7 == 3).all()


def test_similar_by_image(survey, monkeypatch, tmp_path, galaxy_ccd, capsys):
    """
    An image is encoded with the options of images.
    """
    from astro_pix2prof.cli import similar

    seen = []

    class Fitter:
        def encode(self, images, **options):
            seen.append((images, options))
            return QTable({'embedding': [[0.0, 1.0]]})

    monkeypatch.setattr(similar, 'make_fitter', lambda *args: Fitter())
    path = tmp_path / 'new.fits'
    galaxy_ccd.write(path)
    out = tmp_path / 'like.ecsv'
    assert main(['similar', str(survey), '--image', str(path), '-n', '1',
                 '--zeropoint', '25', '--out', str(out)]) == 0
    assert seen == [([path], {'zeropoint': 25.0})]
    assert QTable.read(out)['index'].tolist() == [N - 1]
    assert main(['similar', str(survey), '--image', 'none.fits']) == 1
    assert 'no such file: none.fits' in capsys.readouterr().err


@pytest.mark.parametrize(('args', 'match'), [
    ([], 'give a galaxy: --id or --image'),
    (['--id', '1', '-n', '0'], 'argument -n: must be an integer of 1 or more'),
    (['--image', 'x.fits', '--columns', 'c'], 'an image has no --columns'),
    (['--id', '1', '--zeropoint', '25'], 'options of images are of --image'),
    (['--id', '1', '--engine', 'x'], 'argument --engine'),
])
def test_wrong_usage(survey, capsys, args, match):
    with pytest.raises(SystemExit):
        main(['similar', str(survey), *args])
    assert match in capsys.readouterr().err


def test_few_galaxies(tmp_path, sersic_profile, capsys):
    """
    A survey with fewer galaxies than are listed by default lists all.
    """
    rows = ProfileBatch.from_profiles([sersic_profile.copy()
                                       for _ in range(4)]).to_arrow()
    rows = rows.append_column('c', pa.array([1.0, 2.0, 3.0, 5.0]))
    pq.write_table(rows, tmp_path / 'part-000000.parquet')
    (tmp_path / '_survey.json').write_text(json.dumps({'n_rows': 4}))
    assert main(['similar', str(tmp_path), '--id', '1', '--columns',
                 'c']) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3 + 3
    assert main(['similar', str(tmp_path), '--id', '1', '--columns', 'c',
                 '-n', '4']) == 1


@pytest.mark.parametrize(('args', 'match'), [
    (['--id', 'x'], "no galaxy 'x' in the column 'index' of 40 galaxies, the "
     "first of which is '0'; nor in the other columns of texts ('source', "
     "'band', 'message' and others)"),
    (['--id', '-1'], "no galaxy '-1' in the column 'index' of 40 galaxies"),
    (['--id', '1', '-n', '40'], '-n 40 is more than the index has: 39'),
    (['--id', '1', '--column', 'vector'], "no column 'vector'; or give "
     '--columns of numbers'),
    (['--id', '1', '--columns', 'x'], "no column 'x'"),
    (['--id', 'x', '--id-column', 'c'], "--id-column 'c' must hold"),
])
def test_messages_speak_of_options(survey, capsys, args, match):
    assert main(['similar', str(survey), *args]) == 1
    assert match in capsys.readouterr().err


def test_survey_without_embeddings(survey, tmp_path, capsys):
    path = tmp_path / 'part.parquet'
    rows = pq.read_table(survey / 'part-000000.parquet')
    pq.write_table(rows.drop_columns('embedding'), path)
    assert main(['similar', str(path), '--id', '1']) == 1
    error = capsys.readouterr().err
    assert 'run the survey with pix2prof survey --embedding, which' in error


def test_anomalies(survey, tmp_path, capsys):
    out, page = tmp_path / 'odd.ecsv', tmp_path / 'rate.html'
    args = ['anomalies', str(survey), '-n', '5']
    assert main([*args, '--out', str(out), '--page', str(page)]) == 0
    text = capsys.readouterr().out
    assert f'page in {page}' in text
    assert '0 rated of 40 galaxies' in text
    assert QTable.read(out)['index'][0] == 30
    assert '5 galaxies of a list' in page.read_text(encoding='utf-8')
    # somebody likes one end of the circle, and changes a rating
    first, second = tmp_path / 'a.csv', tmp_path / 'b.csv'
    first.write_text('index,source,rating\n30,,5\n1,images/1.fits,5\n'
                     '38,,0\n20,,1\n')
    second.write_text('index,rating\n30,0\n')
    rated = [*args, '--ratings', str(first), '--ratings', str(second),
             '--out', str(out), '--overwrite']
    assert main(rated) == 0
    assert '4 rated of 40 galaxies' in capsys.readouterr().out
    table = QTable.read(out)
    assert table['index'][0] == 1
    assert set(table['index']) <= set(range(12))
    assert main([*rated, '--next']) == 0
    assert not set(QTable.read(out)['index']) & {30, 1, 38, 20}
    assert main([*rated[:3], '50', *rated[4:], '--next']) == 1
    assert '-n 50 is more than there are: 36' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*args, '--images', str(tmp_path)])
    assert 'only --page shows images' in capsys.readouterr().err
    first.write_text('index,source,rating\n30,,\n')
    assert main([*args, '--ratings', str(first)]) == 0
    assert (f'--ratings: {first} has no rating: the order is that of isolation'
            in capsys.readouterr().err)
    assert main([*args, '--ratings', 'none.csv']) == 1
    assert 'none.csv does not exist' in capsys.readouterr().err
