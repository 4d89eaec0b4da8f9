# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that the tutorials of the documentation use what there is.
"""

import ast
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / 'docs' / 'tutorials'
TUTORIALS = sorted(FOLDER.glob('plot_*.py'))

pytestmark = pytest.mark.skipif(not TUTORIALS, reason='needs the tutorials')


@pytest.mark.parametrize('path', TUTORIALS, ids=lambda path: path.stem)
def test_names(path):
    tree = ast.parse(path.read_text(encoding='utf-8'))
    ours = [node for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            and node.module.split('.')[0] == 'astro_pix2prof']
    assert ours
    for node in ours:
        module = import_module(node.module)
        for alias in node.names:
            assert hasattr(module, alias.name)
            # only what is public
            assert alias.name in module.__all__


@pytest.mark.parametrize('path', TUTORIALS, ids=lambda path: path.stem)
def test_head(path):
    head = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8')))
    title, line, blank, *text = head.splitlines()
    assert len(line) == len(title)
    assert set(line) == {'='}
    assert blank == ''
    # a sentence tells what the reader gets
    assert '.' in ' '.join(text)
