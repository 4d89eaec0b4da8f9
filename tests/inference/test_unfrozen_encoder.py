# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of heads whose encoder is trained, too.
"""

import copy
import json

import numpy as np
import pytest
import torch
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import Head, fine_tune
from astro_pix2prof.cli.main import main
from astro_pix2prof.inference import encoder, fine_tuning
from astro_pix2prof.networks.encoder.maps import GalaxyMaps
from astro_pix2prof.training.few_labels import fit_head
from astro_pix2prof.training.few_maps import TunedEncoder

pytest.importorskip('sklearn')


class TestUnfreeze:
    @pytest.fixture(name='encoded')
    def make_encoded(self, monkeypatch):
        """
        Embeddings and maps of 110 images, of which the third has none.
        """
        n, seen = 110, []
        _, config = encoder._network('encoder', 'cpu')
        rng = torch.Generator().manual_seed(1)
        maps = [GalaxyMaps(
            torch.randn(1, 6, config.n_radius, config.n_angle,
                        generator=rng),
            torch.randn(1, 9, config.n_radius, generator=rng))
            for _ in range(n)]
        maps[2] = None
        found = encoder._encode(maps)

        def encode(fitter, images, **options):
            seen.extend(images)
            return QTable({'embedding': found.vectors}, meta={
                'encoder': 'encoder',
                'encoder_sha256': encoder.encoder_sha256()}), maps

        monkeypatch.setattr(fine_tuning, 'encode_with_maps', encode)
        return seen, maps, found.vectors

    @pytest.fixture(name='tune')
    def make_tune(self, monkeypatch):
        """
        Stand-in for the training: it turns the embeddings.
        """
        calls = []

        def tune(network, maps, embedding, labels, **options):
            calls.append((len(maps), len(embedding), options))
            network = copy.deepcopy(network)
            network.stretch.mul_(-1)
            head = fit_head(-embedding, labels, kind=options['kind'])
            return TunedEncoder(network, head, options['unfreeze'] == 'all',
                                3, [(0, 0.6), (3, 0.5)])

        monkeypatch.setattr(fine_tuning, 'tune_encoder', tune)
        return calls

    def test_encoder_is_written(self, encoded, tune, tmp_path):
        """
        The head is for the embeddings of the encoder beside it alone.
        """
        seen, maps, vectors = encoded
        labels = np.arange(110) % 2 == 0
        with pytest.warns(AstropyUserWarning, match='1 of 110 labelled'):
            tuning = fine_tune(
                'encoder', [f'{k}.fits' for k in range(110)], labels=labels,
                unfreeze='all', out=tmp_path / 'ring.safetensors', seed=3,
                licence='MIT')
        assert seen == [f'{k}.fits' for k in range(110)]
        (n_maps, n_rows, options), = tune
        assert n_maps == n_rows == 109
        assert options['unfreeze'] == 'all'
        path = tmp_path / 'ring_encoder.safetensors'
        assert {file.name for file in tmp_path.iterdir()} == {
            'ring.safetensors', 'ring.json', path.name, 'ring_encoder.json'}
        card = json.loads(path.with_suffix('.json').read_text())
        assert card['architecture'] == 'encoder'
        assert card['start']['sha256'] == encoder.encoder_sha256()
        assert card['licence'] == 'MIT'
        assert card['training']['unfreeze'] == 'all'
        assert 'votes' not in card
        assert tuning.card['encoder'] == {'name': 'ring_encoder',
                                          'sha256': card['sha256']}
        assert 'ring_encoder.safetensors' in tuning.card['result']
        # embeddings of the encoder of the package are refused
        with pytest.raises(ValueError, match='of another encoder'):
            tuning.head.predict(QTable(
                {'embedding': vectors},
                meta={'encoder_sha256': encoder.encoder_sha256()}))
        # those of the new one are not, and have no probabilities
        found = encoder._encode(maps, encoder=path)
        assert found.votes == {}
        there = np.arange(110) != 2
        np.testing.assert_allclose(found.vectors[there], -vectors[there],
                                   atol=2e-3)
        p = tuning.head.predict(QTable(
            {'embedding': found.vectors},
            meta={'encoder_sha256': card['sha256']}))['p_label']
        assert np.isfinite(p).tolist() == there.tolist()
        with pytest.raises(OSError, match=r'ring\.safetensors exists'):
            fine_tune('encoder', ['a'], labels=labels, unfreeze='all',
                      out=tmp_path / 'ring.safetensors')
        (tmp_path / 'ring.safetensors').unlink()
        (tmp_path / 'ring.json').unlink()
        with pytest.raises(OSError, match=r'ring_encoder\.safetensors '
                                          'exists'):
            fine_tune('encoder', ['a'], labels=labels, unfreeze='all',
                      out=tmp_path / 'ring.safetensors')

    def test_not_better(self, encoded, tune, tmp_path):
        """
        The encoder stays, and its embeddings are those of the head.
        """
        table = QTable({'image': [f'{k}.fits' for k in range(110)],
                        'ring': np.arange(110) % 2})
        with pytest.warns(AstropyUserWarning, match='1 of 110 labelled'):
            tuning = fine_tune('encoder', table, labels='ring',
                               unfreeze='last',
                               out=tmp_path / 'ring.safetensors')
        assert encoded[0][5] == '5.fits'
        assert 'which stays as it was' in tuning.card['result']
        assert tuning.card['label'] == 'ring'
        assert tuning.card['encoder']['sha256'] == encoder.encoder_sha256()
        assert {file.name for file in tmp_path.iterdir()} == {
            'ring.safetensors', 'ring.json'}

    def test_embeddings(self, tmp_path):
        out = tmp_path / 'a.safetensors'
        table = QTable({'embedding': np.eye(80),
                        'ring': np.arange(80) % 2 == 0})
        for data in (table, np.ones((120, 3))):
            with pytest.raises(ValueError, match='data must be a list of '
                               'images, or a table with their paths'):
                fine_tune('encoder', data, labels=np.arange(len(data)) % 2,
                          unfreeze='all', out=out)
        with pytest.raises(ValueError, match='unfreeze must be'):
            fine_tune('encoder', table, labels='ring', unfreeze='rings',
                      out=out)

    def test_few_labels(self, encoded, tmp_path, capsys):
        """
        Too few labels are told before any image is encoded.
        """
        labels = np.arange(110) % 2
        match = 'needs 100 labelled galaxies at least, got 99'
        out = tmp_path / 'ring.safetensors'
        masked = np.ma.array(labels, mask=np.arange(110) < 11)
        with pytest.raises(ValueError, match=match):
            fine_tune('encoder', (f'{k}.fits' for k in range(110)),
                      labels=masked, unfreeze='all', out=out)
        QTable({'id': np.arange(99), 'ring': labels[:99]}).write(
            tmp_path / 'labels.csv')
        for k in range(99):
            (tmp_path / f'g{k}.fits').touch()
        assert main(['fine-tune', 'encoder', '--table',
                     str(tmp_path / 'labels.csv'), '--label', 'ring',
                     '--images', f'{tmp_path}/g{{id}}.fits', '--unfreeze',
                     'all', '--out', str(out)]) == 1
        assert match in capsys.readouterr().err
        assert encoded[0] == []

    def test_command(self, encoded, tune, tmp_path, capsys):
        QTable({'id': np.arange(110), 'ring': np.arange(110) % 2}).write(
            tmp_path / 'labels.csv')
        for k in range(110):
            (tmp_path / f'g{k}.fits').touch()
        args = ['fine-tune', 'encoder', '--table',
                str(tmp_path / 'labels.csv'), '--label', 'ring', '--out',
                str(tmp_path / 'ring.safetensors')]
        images = ['--images', f'{tmp_path}/g{{id}}.fits']
        assert main([*args, *images, '--unfreeze', 'all', '--quiet']) == 0
        assert (tmp_path / 'ring_encoder.safetensors').is_file()
        assert Head(tmp_path / 'ring.safetensors').card['label'] == 'ring'
        assert encoded[0][7] == str(tmp_path / 'g7.fits')
        for more, text in (
                (['--unfreeze', 'all'], 'encoder needs --images'),
                ([*images, '--unfreeze', 'rings'], '--unfreeze of the '
                 'encoder must be')):
            with pytest.raises(SystemExit):
                main([*args, *more])
            assert text in capsys.readouterr().err
