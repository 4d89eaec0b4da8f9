# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the share of odd objects that is expected among clumps.
"""

import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from astro_pix2prof import Pix2ProfFitter, find_clumps, load_example
from astro_pix2prof.cli import main
from astro_pix2prof.inference.clump_classes import _of_share, trained_share
from astro_pix2prof.networks.clumps import ClumpConfig, ClumpNetwork
from astro_pix2prof.networks.weights import read_card, write_weights


@pytest.fixture(scope='module')
def fit():
    return Pix2ProfFitter('rings-fast', device='cpu').fit(
        load_example(), size=129)


def test_bayes():
    """
    Numbers worked by hand: twice as many odd objects as in training.
    """
    pairs = np.array([[0.5, 0.3], [0.0, 0.0]])
    total = 0.5 * 0.5 / 0.75 + 0.3 * 2 + 0.2
    assert_allclose(_of_share(pairs, 0.5, 0.25), [
        [0.5 * 0.5 / 0.75 / total, 0.6 / total], [0, 0]])
    assert_allclose(_of_share(pairs, 0.25, 0.25), pairs)


def test_trained():
    # (1,159 clumps and 1,730 odd objects, which counted 0.3)
    assert_allclose(trained_share(read_card('clumps')),
                    519 / (1159 + 519), rtol=1e-6)
    assert trained_share({'class_head': {'odd_weight': 0.3}}) is None
    assert trained_share({'class_head': {'odd_weight': 0.3},
                          'class_head_training': {'bright': None}}) is None


def test_search(fit):
    """
    The more odd objects there are, the less probable are clumps.
    """
    number, probability, trained = [], [], trained_share(read_card('clumps'))
    for share in (0.05, None, trained, 0.5):
        table = find_clumps(fit, psf=1.3, odd_share=share)
        own = table[table['class'] == 'clump']
        number.append(len(own))
        probability.append(own['probability'].max())
        assert table.meta.get('odd_share') == share
    assert number[0] >= number[1] == number[2] > number[3]
    assert probability[0] > probability[1] > probability[3]
    assert_allclose(probability[1], probability[2])


def test_wrong(fit, tmp_path):
    for value in (0, 1.5, np.nan):
        with pytest.raises(ValueError, match='odd_share must be a finite'):
            find_clumps(fit, odd_share=value)
    for options in ({'odd_share': 1}, {'odd_share': 0.5,
                                       'method': 'matched'}):
        with pytest.raises(ValueError, match='odd_share must be below 1, and '
                           "not be given with method='matched'"):
            find_clumps(fit, **options)
    path = tmp_path / 'small.safetensors'
    write_weights(ClumpNetwork(ClumpConfig(channels=8)), {
        'name': 'small', 'architecture': 'clumps'}, path)
    with pytest.raises(ValueError, match='odd_share needs weights whose model '
                                         r'card tells .*small\.safetensors'):
        find_clumps(fit, psf=1.3, odd_share=0.5, weights=path)


def test_command(tmp_path, capsys):
    image, out = tmp_path / 'a.fits', tmp_path / 'a.ecsv'
    load_example().write(image)
    assert main(['clumps', str(image), '--method', 'isophote', '--psf', '1.3',
                 '--odd-share', '0.6', '--out', str(out)]) == 0
    assert QTable.read(out).meta['odd_share'] == 0.6
    with pytest.raises(SystemExit):
        main(['clumps', str(image), '--odd-share', '0.6', '--detector',
              'matched'])
    assert '--odd-share: must be below 1, and not' in ' '.join(
        capsys.readouterr().err.split())
