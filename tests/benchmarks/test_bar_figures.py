# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the figures of bar radii that benchmarks/accuracy/bars.py computes.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


def test_part_of_the_length(monkeypatch):
    # of all bars that were found, and of those that fade at their ends
    monkeypatch.syspath_prepend(ROOT)
    bars = import_module('benchmarks.accuracy.bars')
    lengths = [[5.0, 0.1]] * len(bars.LENGTHS)
    rows = [{'kind': 'bar', 'length': 10.0, 'radius': radius, 'error': 0.5,
             'flat': flat, 'lengths': lengths}
            for radius, flat in ((7.0, 0.1), (8.0, 0.3), (9.0, 0.4),
                                 (10.0, 0.9), (np.nan, 0.2))]
    found = bars.summarise(rows)
    assert found['part_of_length'] == {
        'n': 4, '0': 0.7, '0.16': 0.748, '0.5': 0.85, '0.84': 0.952, '1': 1.0}
    assert found['part_of_length_fading'] == {
        'n': 2, '0': 0.7, '0.16': 0.716, '0.5': 0.75, '0.84': 0.784, '1': 0.8}
