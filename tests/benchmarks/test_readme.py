# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that the numbers and links of README.rst are those of the checkout.
"""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='readme')
def fixture_readme(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.readme')


def test_numbers(readme):
    """
    The numbers are those of the stored results.

    If this fails, run ``python -m benchmarks.readme --no-picture``.
    """
    text = readme.README.read_text(encoding='utf-8')
    assert '\n'.join(readme.make_block()) + '\n' in text
    assert readme.replace_block(text) == text


def test_numbers_follow_the_results(readme, monkeypatch):
    """
    Another result makes another README.
    """
    stored = readme._read

    def read(name):
        result = stored(name)
        if name == 'accuracy/run.json':
            result['sets']['sdss']['fitters']['Pix2ProfFitter'][
                'median_bright'] = 0.9876
        return result

    monkeypatch.setattr(readme, '_read', read)
    text = readme.README.read_text(encoding='utf-8')
    changed = readme.replace_block(text)
    assert '0.988 mag' in changed
    assert '0.988 mag' not in text
    # and nothing else of the text
    assert len(changed.split('\n')) == len(text.split('\n'))


def test_picture(readme):
    assert 20_000 < readme.PICTURE.stat().st_size <= 200_000
    text = readme.README.read_text(encoding='utf-8')
    name = readme.PICTURE.relative_to(ROOT).as_posix()
    assert f'.. image:: {name}\n' in text


def test_links(readme):
    """
    The files that the text links to are there.
    """
    text = readme.README.read_text(encoding='utf-8')
    targets = re.findall(r'<((?!https?:)[^<>\s]+)>`__', text)
    assert len(targets) >= 5
    for target in targets:
        assert (ROOT / target).is_file(), target


def test_syntax(readme):
    """
    docutils reads the text without a complaint.
    """
    core = pytest.importorskip('docutils.core')
    text = readme.README.read_text(encoding='utf-8')
    tree = core.publish_doctree(text, settings_overrides={
        'halt_level': 2, 'report_level': 2})
    # (notes of level 1 are no complaints)
    assert not [node for node in tree.findall()
                if node.tagname == 'problematic'
                or (node.tagname == 'system_message' and node['level'] > 1)]
