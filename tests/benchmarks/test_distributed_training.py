# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the benchmark of training on several processes.
"""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import astro_pix2prof

ROOT = Path(astro_pix2prof.__file__).parents[1]


@pytest.fixture(name='distributed')
def load_distributed(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.training.distributed')


def test_summary(distributed):
    """
    The median counts, of pairs that were measured one after the other.
    """
    rounds = [{'one': {'rate': one, 'cpu': 0.05},
               'many': {'rate': many, 'cpu': cpu},
               'apart': {'rate': 16.0, 'cpu': 0.05}}
              for one, many, cpu in ((10, 19, 0.05), (5, 9.2, 0.1),
                                     (10, 4, 0.0625))]
    found = distributed.summarise(rounds, 2)
    assert found['efficiency_rounds'] == [0.95, 0.92, 0.2]
    assert found['efficiency'] == 0.92
    assert found['efficiency_cpu'] == 0.8
    assert found['efficiency_beside_apart'] == 0.575
    assert found['images_per_s']['many'] == [19, 9.2, 4]


def test_without_apart(distributed):
    rounds = [{'one': {'rate': 10, 'cpu': 0.1},
               'many': {'rate': 36, 'cpu': 0.1}}]
    found = distributed.summarise(rounds, 4)
    assert found['efficiency'] == 0.9
    assert 'efficiency_beside_apart' not in found


def test_script(distributed):
    assert ast.parse(distributed._SCRIPT).body


def test_options(distributed, capsys):
    with pytest.raises(SystemExit):
        distributed.main(['--warmup', '36'])
    assert '--warmup must be less than --steps' in capsys.readouterr().err
