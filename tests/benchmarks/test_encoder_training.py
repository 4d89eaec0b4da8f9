# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the script that trains the encoder on maps made once.
"""

from importlib import import_module
from pathlib import Path

import pytest
import torch

from astro_pix2prof.networks import load_network

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='script')
def fixture_script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.training.encoder')


def write(path, n, value):
    path.parent.mkdir(exist_ok=True)
    torch.save({'image': torch.full((n, 6, 24, 64), value).half(),
                'rings': torch.zeros(n, 9, 24).half(),
                'type': torch.zeros(n, dtype=torch.long)}, path)


def test_maps_of_fits_are_shown_more_often(script, tmp_path):
    write(tmp_path / '000000.pt', 2, 0.0)
    write(tmp_path / '000003.pt', 1, 1.0)
    write(tmp_path / 'fitted' / '000001.pt', 3, 2.0)
    write(tmp_path / 'fitted' / '000023.pt', 4, 3.0)
    training, validation = script.read_files(tmp_path, tmp_path / 'fitted')
    values = training['image'][:, 0, 0, 0]
    assert values.tolist() == [0.0] * 2 + [1.0] + [2.0] * (3 * script.REPEAT)
    # (maps of one galaxy are in several files of the first kind)
    assert validation['image'][:, 0, 0, 0].tolist() == [3.0] * 4
    assert training['image'].dtype == torch.float32
    assert training['type'].dtype == torch.long


def test_begin(script):
    """
    Training begins with what the mean and the stretch were added to.
    """
    bundled, _ = load_network('encoder', device='cpu')
    network = script.begin('encoder')
    assert not network.centre.any()
    assert torch.equal(network.stretch, torch.eye(64))
    assert bundled.centre.any()
    for name, value in network.named_parameters():
        assert value.requires_grad
        assert torch.equal(value, bundled.get_parameter(name))


def test_stretch(script):
    """
    What a head looks at counts more, and what it answers stays.
    """
    torch.manual_seed(0)
    network = script.begin('encoder').eval()
    maps = script.GalaxyMaps(torch.randn(4, 6, 24, 64),
                             torch.randn(4, 9, 24))
    with torch.no_grad():
        script.take_mean(network, {'image': maps.image, 'rings': maps.rings})
        before = network(maps)
        votes = network.votes(before)
        script.stretch(network, 2.0)
        after = network(maps)
        again = network.votes(after)
    row = sum(list(script.HEADS.values())[:list(script.HEADS).index('tides')])
    along = torch.nn.functional.normalize(network.heads.weight[row], dim=0)
    assert ((after @ along).abs() > (before @ along).abs()).all()
    torch.testing.assert_close(again['tides'], votes['tides'], atol=2e-3,
                               rtol=1e-3)
