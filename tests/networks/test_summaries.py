# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Test of the first lines of docstrings.
"""

import ast
from pathlib import Path

import pytest

import astro_pix2prof

PACKAGE = Path(astro_pix2prof.__file__).parent
REFUSED = {'What', 'How', 'Where', 'Those', 'As', 'Whether', 'Likewise', 'To',
           'One', 'The', 'All'}


@pytest.mark.parametrize('folder', ['networks', 'training', 'simulation'])
def test_summaries(folder):
    """
    A summary is one sentence that begins with a verb or a noun.
    """
    found = []
    for path in sorted((PACKAGE / folder).rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.Module | ast.ClassDef
                              | ast.FunctionDef):
                continue
            text = ast.get_docstring(node)
            if text is None:
                continue
            first = text.splitlines()[0]
            words = first.split()
            if words[0] in REFUSED or len(words) < 2 or first[-1] != '.':
                found.append(f'{path.name}: {first}')
    assert found == []
