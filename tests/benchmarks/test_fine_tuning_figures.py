# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the figures of fine-tuning.
"""

import itertools
import json
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='script')
def fixture_script(monkeypatch, tmp_path):
    """
    Import the script, whose results go to an empty folder.
    """
    monkeypatch.syspath_prepend(ROOT)
    module = import_module('benchmarks.accuracy.fine_tuning')
    monkeypatch.setattr(module, 'RESULTS', tmp_path)
    return module


def test_result_files(script):
    """
    No result overwrites that of other pairs or of another part.
    """
    files = [script.result_file(*case) for case in itertools.product(
        script.KINDS, script.PAIRS, script.PARTS)]
    assert len(set(files)) == len(files) == 18
    assert script.result_file('boxes', 200).name == 'fine_tuning_boxes.json'
    assert script.result_file('boxes', 50, 'last').name == (
        'fine_tuning_boxes_50_last.json')


@pytest.mark.parametrize(('improved', 'shown'), [
    (True, '-40% (-50% to -30%)'), (False, 'none: the start is kept')])
def test_row(script, tmp_path, improved, shown):
    """
    A start that was kept is not shown as galaxies that did not change.
    """
    errors = {'median_error': 0.1, 'within_1_sigma': 0.6}
    script.result_file('atlas', 50, 'last').write_text(json.dumps({
        'before': errors, 'after': errors, 'improved': improved,
        'change_of_median': -0.4, 'change_of_median_68': [-0.5, -0.3],
        'change_of_mean': -0.35, 'better': 0.7, 'cpu_minutes': 0.5}))
    script.write_table(tmp_path / 'table.inc')
    text = (tmp_path / 'table.inc').read_text(encoding='utf-8')
    assert text.count('    * -') == 2
    assert f'- {shown}\n' in text
    assert '- ``last``\n' in text
    assert ('-35%' in text) == improved
