# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of heads: classes and numbers from embeddings and few labels.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, vstack
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import Head, Pix2ProfFitter, fine_tune
from astro_pix2prof.cli.main import main
from astro_pix2prof.networks.weights import WeightsError

pytest.importorskip('sklearn')


@pytest.fixture(scope='module')
def table():
    rng = np.random.default_rng(1)
    found = rng.normal(size=(80, 6))
    found /= np.linalg.norm(found, axis=1)[:, None]
    return QTable({
        'id': np.arange(80), 'embedding': found, 'ring': found[:, 0] > 0.1,
        'kind': np.array(['disc', 'dwarf', 'round'])[
            found[:, :3].argmax(1)],
        'size': 2 + found[:, 1] + rng.normal(0, 0.05, 80)},
        meta={'encoder': 'encoder', 'encoder_sha256': 'a' * 64})


@pytest.fixture(scope='module')
def ring(table, tmp_path_factory):
    out = tmp_path_factory.mktemp('heads') / 'ring.safetensors'
    return fine_tune('encoder', table, labels='ring', out=out, seed=5,
                     licence='CC-BY-4.0')


def test_yes_and_no(ring, table):
    found = ring.head.predict(table)
    assert found.colnames == ['id', 'p_ring']
    assert np.mean((found['p_ring'] > 0.5) == table['ring']) > 0.9
    assert ring.table['auc'][0] > 0.9
    assert ring.improved
    assert 'auc' in str(ring)


def test_read_again(ring, table):
    """
    A head is a safetensors file and a card, and predicts the same again.
    """
    head = Head(ring.path)
    np.testing.assert_array_equal(head.predict(table)['p_ring'],
                                  ring.head.predict(table)['p_ring'])
    assert repr(head) == '<Head: ring, classes False, True>'
    card = json.loads(ring.path.with_suffix('.json').read_text())
    assert card['licence'] == 'CC-BY-4.0'
    assert card['seed'] == 5
    assert card['encoder']['sha256'] == 'a' * 64
    assert card['data']['counts'] == {
        'False': int((~table['ring']).sum()), 'True': int(
            table['ring'].sum())}
    assert {path.name for path in ring.path.parent.iterdir()} == {
        'ring.safetensors', 'ring.json'}


def test_several_classes(table, tmp_path):
    head = fine_tune('encoder', table, labels='kind',
                     out=tmp_path / 'a.safetensors').head
    found = head.predict(table)
    assert np.mean(found['kind'] == table['kind']) > 0.85
    total = sum(found[f'p_kind_{name}'] for name in head.classes)
    np.testing.assert_allclose(total, 1)
    assert (found['p_kind'] == np.max([
        found[f'p_kind_{name}'] for name in head.classes], axis=0)).all()
    assert repr(head) == '<Head: kind, classes disc, dwarf, round>'


def test_numbers(table, tmp_path):
    tuning = fine_tune('encoder', table, labels='size', kind='numbers',
                       out=tmp_path / 'a.safetensors')
    found = tuning.head.predict(table)
    off = np.abs(found['size'] - table['size'])
    assert 0.5 < np.mean(off < found['size_err']) < 0.9
    assert repr(tuning.head) == '<Head: size, a number>'


@pytest.mark.parametrize('option', [
    {'steps': 5}, {'minutes': 1.0}, {'validation': 0.4}])
def test_options_of_ring_networks(table, tmp_path, capsys, option):
    (name, value), out = next(iter(option.items())), tmp_path / 'a.safetensors'
    with pytest.raises(ValueError, match=f'{name}= not used with the '
                                         'encoder'):
        fine_tune('encoder', table, labels='ring', out=out, **option)
    with pytest.raises(SystemExit):
        main(['fine-tune', 'encoder', '--table', 'x.ecsv', '--label', 'ring',
              '--out', str(out), f'--{name}', str(value)])
    assert f'--{name} does not belong to encoder' in capsys.readouterr().err
    assert not out.exists()


def test_options_of_the_encoder(tmp_path):
    with pytest.raises(ValueError, match='kind= not used with a ring '
                                         'network'):
        fine_tune('rings', [], out=tmp_path / 'a.safetensors',
                  kind='numbers')


def test_unknown_encoder(ring, table, tmp_path):
    plain = table.copy()
    plain.meta.clear()
    match = "encoder of the column 'embedding' is not known"
    with pytest.warns(AstropyUserWarning, match=match):
        head = fine_tune('encoder', plain, labels='ring',
                         out=tmp_path / 'a.safetensors').head
    with pytest.warns(AstropyUserWarning, match=match):
        found = ring.head.predict(plain)
    assert (found['p_ring'] == ring.head.predict(table)['p_ring']).all()
    # (it was said when it was fitted)
    assert len(head.predict(plain)) == 80


def test_missing_embeddings(ring, table):
    """
    A galaxy without an embedding has no probability, and no class.
    """
    part = table[:3].copy()
    part['embedding'][1] = np.nan
    found = ring.head.predict(part)['p_ring']
    assert np.isnan(found).tolist() == [False, True, False]


def test_missing_labels(table, tmp_path):
    """
    Galaxies without a label, or without an embedding, are left out.
    """
    part = table.copy()
    part['note'] = np.where(part['ring'], 'yes', 'no').astype('U4')
    part['note'][:4] = ' '
    part['ring'] = MaskedColumn(part['ring'], mask=np.arange(80) < 7)
    part['embedding'][10] = np.nan
    with pytest.warns(AstropyUserWarning, match='1 of 73 labelled galaxies '
                                                'have no embedding'):
        tuning = fine_tune('encoder', part, labels='ring',
                           out=tmp_path / 'a.safetensors')
    assert tuning.card['data']['unlabelled'] == 7
    assert tuning.card['data']['galaxies'] == 72
    with pytest.warns(AstropyUserWarning, match='1 of 76'):
        tuning = fine_tune('encoder', part, labels='note',
                           out=tmp_path / 'b.safetensors')
    assert tuning.head.classes == ['no', 'yes']


def test_labels_that_nothing_tells(table, tmp_path):
    labels = np.random.default_rng(8).random(80) > 0.5
    tuning = fine_tune('encoder', np.asarray(table['embedding']),
                       labels=labels, out=tmp_path / 'a.safetensors')
    assert tuning.table['auc'][0] < 0.7
    if not tuning.improved:
        assert 'do not tell the labels' in str(tuning)


@pytest.mark.parametrize('seed', [4, 16])
def test_labels_of_chance(table, tmp_path, seed):
    """
    Labels that are told a little better than by chance are no success.
    """
    labels = np.random.default_rng(seed).random(80) > 0.5
    tuning = fine_tune('encoder', np.asarray(table['embedding']),
                       labels=labels, out=tmp_path / 'a.safetensors')
    figures = tuning.table[0]
    assert 0 < figures['gain'] < 2 * figures['gain_err']
    assert 0.04 < figures['auc_err'] < 0.08
    assert tuning.improved is False
    assert str(tuning).splitlines()[-2] == tuning.card['result']
    assert tuning.card['result'] == (
        'the embeddings do not tell the labels better than by chance (auc '
        f'{figures["auc"]:.2f} +- {figures["auc_err"]:.2f}); more labels may '
        'help')


def test_counts_of_galaxies(table, tmp_path):
    """
    With several rows of a galaxy, the card counts galaxies, and rows apart.
    """
    twice = vstack([table, table], metadata_conflicts='silent')
    twice['ring'] = MaskedColumn(twice['ring'], mask=np.arange(160) < 3)
    card = fine_tune('encoder', twice, labels='ring', groups='id',
                     out=tmp_path / 'a.safetensors').card['data']
    assert card['galaxies'] == sum(card['counts'].values()) == 80
    assert card['rows'] == 157
    assert card['rows_unlabelled'] == 3
    assert 'unlabelled' not in card


@pytest.mark.parametrize('values', [
    lambda table: np.where(table['ring'], 'yes', 'no'),
    lambda table: table['ring']])
def test_label_that_has_the_name_of_a_name(table, tmp_path, values):
    """
    A label in a column 'galaxy' is no name of a galaxy that has two rows.
    """
    named = table['embedding', 'ring']
    named['galaxy'] = values(table)
    with warnings.catch_warnings():
        warnings.simplefilter('error', AstropyUserWarning)
        fine_tune('encoder', named, labels='galaxy',
                  out=tmp_path / 'a.safetensors')
        if named['galaxy'].dtype.kind == 'b':
            fine_tune('encoder', named, labels='ring',
                      out=tmp_path / 'b.safetensors')
    assert (tmp_path / 'a.safetensors').is_file()


def test_images_are_encoded(table, tmp_path, monkeypatch):
    """
    A list of images is encoded, in its order.
    """
    monkeypatch.setattr(
        Pix2ProfFitter, 'encode', lambda self, images, **options:
        table[np.array(images, dtype=object).astype(str).astype(int)],
        raising=False)
    images = [str(k) for k in range(79, -1, -1)]
    tuning = fine_tune('encoder', images, labels=table['ring'][::-1],
                       out=tmp_path / 'a.safetensors')
    assert tuning.table['auc'][0] > 0.9


def test_encoder_of_another_network():
    with pytest.raises(ValueError, match="encoder must be the weights of an "
                       "encoder, got 'rings'"):
        Pix2ProfFitter().encode([], encoder='rings')


def test_wrong_labels(table, tmp_path):
    out = tmp_path / 'a.safetensors'
    with pytest.raises(ValueError, match='a head learns from labels'):
        fine_tune('encoder', table, out=out)
    with pytest.raises(ValueError, match="with the column 'bar', it has id"):
        fine_tune('encoder', table, labels='bar', out=out)
    with pytest.raises(ValueError, match='it has no columns'):
        fine_tune('encoder', np.asarray(table['embedding']), labels='bar',
                  out=out)
    with pytest.raises(ValueError, match='one for each of 80 galaxies'):
        fine_tune('encoder', table, labels=[1, 2], out=out)
    with pytest.raises(ValueError, match='must hold numbers'):
        fine_tune('encoder', table, labels='kind', kind='numbers', out=out)
    with pytest.raises(ValueError, match='give kind numbers'):
        fine_tune('encoder', table, labels='size', out=out)
    with pytest.raises(ValueError, match='of the class True'):
        fine_tune('encoder', table, labels=np.ones(80, dtype=bool), out=out)
    with pytest.raises(ValueError, match='no galaxy has both'):
        fine_tune('encoder', table, labels=[''] * 80, out=out)
    with pytest.raises(ValueError, match='kind must be'):
        fine_tune('encoder', table, labels='ring', kind='words', out=out)
    with pytest.raises(ValueError, match='must have a column embedding'):
        fine_tune('encoder', table['id', 'ring'], labels='ring', out=out)
    flat = QTable({'embedding': np.ones(80)})
    with pytest.raises(ValueError, match=r'must be 2D.*shape \(80,\)'):
        fine_tune('encoder', flat, labels=table['ring'], out=out)
    assert not out.exists()


@pytest.mark.parametrize(('change', 'match'), [
    (lambda x: 2 * x, r'the length 1, .* got 2 in row 0 \(in all, 80 of 80'),
    (lambda x: 0 * x, 'the length 1, .* got 0 in row 0'),
    (lambda x: np.where(np.arange(80)[:, None] == 3, 1.5 * x, x),
     r'the length 1, .* got 1\.5 in row 3 \(in all, 1 of 80'),
    (lambda x: np.where(x > 0.5, np.inf, x), 'embeddings must be finite'),
    (lambda x: np.where((np.arange(80)[:, None] == 3) & (x == x.max(1)[
        :, None]), np.nan, x), 'got 1 of 80 that are not, the first in row 3')
])
def test_no_vectors_of_an_encoder(ring, table, change, match):
    """
    Numbers of the right shape that are no embeddings tell nothing.
    """
    other = table.copy()
    other['embedding'] = change(np.asarray(table['embedding']))
    with pytest.raises(ValueError, match=match):
        ring.head.predict(other)


def test_vectors_of_any_length(table, tmp_path):
    """
    A head that was fitted to other vectors takes them.
    """
    vectors = 3 * np.asarray(table['embedding'])
    head = fine_tune('encoder', vectors, labels=table['ring'],
                     out=tmp_path / 'a.safetensors').head
    vectors[0] = np.nan
    found = head.predict(1.1 * vectors)['p_label']
    assert np.isnan(found[0])
    assert np.isfinite(found[1:]).all()


def test_reasons_of_failed_images(table, tmp_path):
    out = tmp_path / 'a.safetensors'
    failed = table.copy()
    failed['source'] = [f'{k}.fits' for k in range(80)]
    failed['message'] = ['no such file'] * 9 + [''] * 71
    failed['message'][2] = 'not there'
    failed['embedding'][:10] = np.nan
    with pytest.warns(AstropyUserWarning, match=(
            r'10 of 80 labelled galaxies have no embedding \(left out\): '
            r'0\.fits: no such file; 2\.fits: not there$')):
        fine_tune('encoder', failed, labels='ring', out=out)
    failed['embedding'] = np.nan
    failed['message'] = [f'reason {k}' for k in range(80)]
    with pytest.raises(ValueError, match=(
            'no galaxy has both an embedding and a ring: .*; '
            r'2\.fits: reason 2; and 77 more$')):
        fine_tune('encoder', failed, labels='ring', out=tmp_path / 'b'
                  '.safetensors')
    with pytest.raises(ValueError, match=(
            r'label: nothing\.fits: .*does not exist|No such file')):
        fine_tune('encoder', [str(tmp_path / 'nothing.fits')], labels=[1],
                  out=tmp_path / 'c.safetensors')


def test_one_image_for_all(tmp_path, capsys):
    """
    A template without a column would label one image with everything.
    """
    QTable({'id': np.arange(20), 'ring': np.arange(20) % 2}).write(
        tmp_path / 'labels.csv')
    (tmp_path / 'a.fits').touch()
    assert main(['fine-tune', 'encoder', '--table',
                 str(tmp_path / 'labels.csv'), '--label', 'ring', '--images',
                 str(tmp_path / 'a.fits'), '--out',
                 str(tmp_path / 'ring.safetensors')]) == 1
    line = capsys.readouterr().err
    assert "a.fits' is the same image for each of 20 rows" in line
    assert line.endswith('put its columns in braces, such as {id}\n')


@pytest.mark.parametrize('command', [
    ['fit', 'a.fits', '--weights'], ['clumps', 'a.fits', '--weights'],
    ['survey', 'a.csv', '--images', 'a', '--weights']])
def test_head_in_the_shell(ring, tmp_path, capsys, monkeypatch, command):
    """
    The shell names the file that was given, and no Python.
    """
    monkeypatch.chdir(tmp_path)
    Path('a.fits').touch()
    with pytest.raises(SystemExit) as info:
        main([*command, str(ring.path), '--out', 'new.ecsv'])
    assert info.value.code == 2
    line = capsys.readouterr().err
    assert f'--weights: {ring.path} is a head, which pix2prof fine-' in line
    assert 'Head(' not in line
    assert 'fitter.' not in line


def test_head_in_place_of_weights(ring, tmp_path):
    match = r'belongs to a head, .* give it to Head\(.*ring\.safetensors'
    with pytest.raises(WeightsError, match=match):
        Pix2ProfFitter(ring.path)
    with pytest.raises(WeightsError, match=match):
        fine_tune(ring.path, [], out=tmp_path / 'a.safetensors')


def test_other_embeddings(ring, table):
    with pytest.raises(ValueError, match='embeddings of 6 numbers, got 3'):
        ring.head.predict(np.ones((2, 3)))
    other = table.copy()
    other.meta['encoder_sha256'] = 'b' * 64
    with pytest.raises(ValueError, match='of another encoder'):
        ring.head.predict(other)


@pytest.mark.parametrize(('data', 'match'), [
    ('a.fits', r"got 'a\.fits': of images, give Pix2ProfFitter\(\)\.encode"),
    (Path('folder'), r"got 'folder': .* of a survey, survey\.galaxies"),
    (['a.fits', 'b.fits'], 'got an object of the type list'),
    (object(), 'got an object of the type object')])
def test_no_embeddings(ring, data, match):
    with pytest.raises(TypeError, match=match):
        ring.head.predict(data)


def test_row(ring, table):
    with pytest.raises(TypeError, match=r'got a row: give table\[k:k \+ 1\]'):
        ring.head.predict(table[0])


def test_damaged_files(ring, tmp_path):
    path = tmp_path / 'a.safetensors'
    with pytest.raises(FileNotFoundError, match='must lie side by side'):
        Head(path)
    path.write_bytes(ring.path.read_bytes())
    card = json.loads(ring.path.with_suffix('.json').read_text())
    file = path.with_suffix('.json')
    file.write_text('{')
    with pytest.raises(WeightsError, match='not valid JSON'):
        Head(path)
    file.write_text(json.dumps({**card, 'architecture': 'rings'}))
    with pytest.raises(WeightsError, match='not the model card of a head'):
        Head(path)
    file.write_text(json.dumps({**card, 'sha256': '0'}))
    with pytest.raises(WeightsError, match='SHA-256'):
        Head(path)
    path.write_bytes(b'x')
    from astro_pix2prof.networks.weights import file_sha256

    file.write_text(json.dumps({**card, 'sha256': file_sha256(path)}))
    with pytest.raises(WeightsError, match='not a safetensors file'):
        Head(path)
    from safetensors.numpy import save_file

    save_file({'mean': np.ones(3)}, path)
    file.write_text(json.dumps({**card, 'sha256': file_sha256(path)}))
    with pytest.raises(WeightsError, match='must hold finite'):
        Head(path)


class TestCommand:
    def run(self, *args):
        return main(['fine-tune', *map(str, args)])

    def test_table_with_embeddings(self, table, tmp_path, capsys):
        table.write(tmp_path / 'labels.ecsv')
        assert self.run('encoder', '--table', tmp_path / 'labels.ecsv',
                        '--label', 'ring', '--out',
                        tmp_path / 'ring.safetensors') == 0
        assert 'auc' in capsys.readouterr().out
        assert Head(tmp_path / 'ring.safetensors').classes == [False, True]

    def test_images(self, table, tmp_path, monkeypatch, capsys):
        """
        Images are named by a template; those that do not exist are left
        out, with a warning.
        """
        seen = []

        def encode(self, images, **options):
            seen.extend(path.name for path in images)
            return table[[int(path.stem[1:]) for path in images]]

        monkeypatch.setattr(Pix2ProfFitter, 'encode', encode, raising=False)
        table['id', 'ring'].write(tmp_path / 'labels.csv')
        for k in range(1, 80):
            (tmp_path / f'g{k}.fits').touch()
        assert self.run('encoder', '--table', tmp_path / 'labels.csv',
                        '--images', f'{tmp_path}/g{{id}}.fits', '--label',
                        'ring', '--out', tmp_path / 'a.safetensors') == 0
        assert len(seen) == 79
        assert '1 of 80 images do not exist' in capsys.readouterr().err
        card = json.loads((tmp_path / 'a.json').read_text())
        assert card['data']['galaxies'] == 79
        assert card['encoder']['sha256'] == 'a' * 64

    def test_problems(self, table, tmp_path, capsys):
        table['id', 'ring'].write(tmp_path / 'labels.csv')
        start = ['encoder', '--table', tmp_path / 'labels.csv', '--out',
                 tmp_path / 'a.safetensors', '--label']
        for args, text in (
                ([*start, 'bar'], "must have the column 'bar'"),
                ([*start, 'ring'], 'give --images'),
                ([*start, 'ring', '--images', '{name}.fits'],
                 '--images: .* must have columns'.replace('.* ', "'{name}"
                                                          ".fits' ")),
                ([*start, 'ring', '--images', '{id}.fits'],
                 '80 of 80 images do not exist')):
            assert self.run(*args) == 1
            assert text in capsys.readouterr().err

    @pytest.mark.parametrize(('args', 'text'), [
        (['encoder', '--pairs', 'x'], '--pairs does not belong to encoder'),
        (['rings', '--label', 'x'], '--label does not belong to rings'),
        (['rings'], 'rings needs --pairs'),
        (['encoder'], 'encoder needs --table and --label')])
    def test_usage(self, args, text, capsys, tmp_path):
        with pytest.raises(SystemExit):
            self.run(*args, '--out', tmp_path / 'a.safetensors')
        assert text in capsys.readouterr().err


class TestGroups:
    @pytest.fixture
    def bands(self, table):
        """
        Each galaxy twice, as in two bands, with labels by chance.
        """
        bands = vstack([table, table])
        bands['ring'] = np.tile(np.random.default_rng(4).random(80) < 0.5, 2)
        bands.meta = table.meta
        return bands

    def test_column_and_values(self, bands, tmp_path):
        one, two = (fine_tune('encoder', bands, labels='ring', groups=groups,
                              out=tmp_path / f'{k}.safetensors')
                    for k, groups in enumerate(('id', bands['id'] + 7)))
        assert one.table['auc'][0] == two.table['auc'][0] < 0.75
        assert one.card['data']['galaxies'] == 80

    def test_warning(self, bands, tmp_path):
        with pytest.warns(AstropyUserWarning, match="the column 'id' has "
                          "names that occur .* give groups='id'"):
            fine_tune('encoder', bands, labels='ring',
                      out=tmp_path / 'a.safetensors')

    def test_wrong(self, bands, tmp_path):
        out = tmp_path / 'a.safetensors'
        for groups, match in (
                ('galaxy', "must be a table with the column 'galaxy'"),
                ([1, 2], 'one value for each of 160'),
                (np.ma.masked_equal(bands['id'], 3), '2 labelled rows with'),
                (np.where(bands['id'] == 3, np.nan, bands['id']),
                 '2 labelled rows with'),
                ([None, *bands['id'][1:]], '1 labelled row with'),
                (np.where(bands['id'] == 3, b'', b'a'),
                 '2 labelled rows with')):
            with pytest.raises(ValueError, match=match):
                fine_tune('encoder', bands, labels='ring', out=out,
                          groups=groups)
        with pytest.raises(ValueError, match='groups= not used with a ring'):
            fine_tune('rings', [], out=out, groups='id')

    def test_command(self, bands, tmp_path, capsys):
        bands.write(tmp_path / 'labels.ecsv')
        args = ['fine-tune', 'encoder', '--table', str(
            tmp_path / 'labels.ecsv'), '--label', 'ring', '--out']
        assert main([*args, str(tmp_path / 'a.safetensors')]) == 0
        assert "; give --group 'id'" in capsys.readouterr().err
        assert main([*args, str(tmp_path / 'b.safetensors'), '--group',
                     'id']) == 0
        assert not capsys.readouterr().err
        assert main([*args, str(tmp_path / 'c.safetensors'), '--group',
                     'x']) == 1
        assert "labels.ecsv must have the column 'x', it has id" in (
            capsys.readouterr().err)
