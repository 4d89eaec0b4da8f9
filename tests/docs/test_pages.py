# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of what the pages of the documentation say, and of their checker.
"""

import ast
import json
import re
from importlib import import_module, util
from inspect import cleandoc
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest

from astro_pix2prof import describe_flags
from astro_pix2prof.cli.main import _make_parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / 'docs'
if not (DOCS / 'conf.py').is_file():
    pytest.skip('there is no documentation', allow_module_level=True)


class TestFlags:
    @pytest.mark.parametrize(('kind', 'section'), [
        ('galaxy', 'Flags of the galaxy'), ('ring', 'Flags of a ring'),
        ('structure', 'Flags of structural parameters')])
    def test_entries(self, kind, section):
        # every flag has an entry that says what to do, and no other has
        text = (DOCS / 'troubleshooting.rst').read_text(encoding='utf-8')
        part = text.split(f'\n{section}\n')[1].split('\n=')[0]
        titles = re.findall(r'\n([A-Z_]+)(?: \([a-z]+\))?\n-+\n', part)
        assert sorted(titles) == sorted(
            flag.name for flag in describe_flags(kind))

    def test_text(self):
        # an entry is more than a title
        text = (DOCS / 'troubleshooting.rst').read_text(encoding='utf-8')
        entries = re.split(r'\n[A-Z_]+(?: \([a-z]+\))?\n-+\n', text)[1:]
        assert len(entries) > 40
        assert min(len(entry.split()) for entry in entries) > 10


@pytest.mark.filterwarnings('error')
def test_picture_of_masses():
    """
    The galaxy of the example has a colour where its mass is.
    """
    pyplot = pytest.importorskip('matplotlib.pyplot')
    text = (DOCS / 'physical.rst').read_text(encoding='utf-8')
    lines = text.split('.. plot::')[-1].split('\n\n', 1)[1].splitlines()
    names = {}
    exec(cleandoc('\n'.join(
        line for line in takewhile(lambda line: line[:4] in ('', '    '),
                                   lines))), names)
    pyplot.close('all')
    assert names['bands'].mass.meta['held_fraction'] < 0.1


class TestNumbers:
    @pytest.fixture(name='module')
    def fixture_module(self, monkeypatch):
        if not (ROOT / 'benchmarks').is_dir():
            pytest.skip('there are no benchmarks')
        monkeypatch.syspath_prepend(ROOT)
        return lambda name: import_module(f'benchmarks.{name}')

    def test_headline(self, module, tmp_path):
        headline = module('accuracy.headline')
        path = tmp_path / 'headline.inc'
        results = headline.read_results()
        headline.write_inc(*results, path)
        assert path.read_text(encoding='utf-8') == (
            DOCS / 'headline.inc').read_text(encoding='utf-8')
        assert len(headline.rows_of(*results)) == 10

    def test_accuracy(self, module, tmp_path):
        report = module('accuracy.report')
        out = json.loads((ROOT / 'benchmarks' / 'accuracy'
                          / 'run.json').read_text())
        path = tmp_path / 'accuracy.inc'
        report.write_inc(out, path, tmp_path / 'figures')
        assert path.read_text(encoding='utf-8') == (
            DOCS / 'accuracy.inc').read_text(encoding='utf-8')

    def test_captioner(self, module, tmp_path):
        network = module('accuracy.network')
        network.main(['--report', str(ROOT / 'benchmarks' / 'accuracy'
                                      / 'network.json'),
                      '--inc', str(tmp_path / 'network.inc')])
        text = (tmp_path / 'network.inc').read_text(encoding='utf-8')
        assert text == (DOCS / 'network_accuracy.inc').read_text(
            encoding='utf-8')

    def test_throughput(self, module, tmp_path):
        report = module('throughput.report')
        out = json.loads((ROOT / 'benchmarks' / 'throughput'
                          / 'run.json').read_text())
        path = tmp_path / 'throughput.inc'
        report.write_inc(out, path, [])
        made, shown = (re.findall(r'^    [*-] .*$', file.read_text(
            encoding='utf-8'), re.M) for file in (
                path, DOCS / 'throughput.inc'))
        assert made
        assert [row for row in shown if row in set(made)] == made

    @pytest.mark.parametrize('name', ['accuracy', 'network_accuracy',
                                      'headline', 'real_galaxies'])
    def test_labels(self, name):
        # weights and methods have names; classes are not for tables
        text = (DOCS / f'{name}.inc').read_text(encoding='utf-8')
        assert 'Pix2ProfFitter' not in text
        assert 'IsophoteFitter' not in text

    def test_load(self):
        for path in DOCS.glob('*.inc'):
            assert 'load average' not in path.read_text(encoding='utf-8')


class TestColumns:
    def test_photutils(self):
        photutils = pytest.importorskip('photutils.isophote')
        from astropy.modeling.models import Sersic2D

        y, x = np.mgrid[:60, :60]
        image = Sersic2D(10, 8, 1.5, 30, 30, 0.3, 0.5)(x, y)
        first = photutils.EllipseGeometry(30, 30, 8, 0.3, 0.5)
        isophotes = photutils.Ellipse(image, geometry=first).fit_image(
            maxsma=15)
        text = (DOCS / 'coming_from_photutils.rst').read_text()
        part = text.split('.. list-table:: The columns of')[1].split(
            '.. list-table:: Stop codes')[0]
        for name in isophotes.to_table().colnames:
            assert f'``{name}``' in part, name

    def test_autoprof(self):
        tables = import_module('astro_pix2prof.export.tables')
        text = (DOCS / 'coming_from_autoprof.rst').read_text()
        part = text.split('.. list-table:: The columns')[1]
        for name, _ in tables._AUTOPROF:
            assert f'``{name}``' in part, name

    def test_survey(self):
        pytest.importorskip('pyarrow')
        from astro_pix2prof import IsophoteFitter

        batch, = IsophoteFitter().fit_many([np.full((32, 32), np.nan)])
        schema = batch.to_arrow().schema
        text = (DOCS / 'survey_results.rst').read_text()
        part = text.split('The columns of a part')[1].split('\nReading it')[0]
        names = set(re.findall(r'``([a-z]\w*)``', part))
        rings = schema.field('profile').type
        wanted = {*schema.names, *(rings.field(k).name
                                   for k in range(rings.num_fields))}
        assert wanted <= names
        assert names - wanted <= {
            'mag_total', 'r50', 'structure_flag', '_input', 'sky', 'pixel',
            'embedding', 'p_bar'}


def find_tutorials():
    return sorted((DOCS / 'tutorials').glob('plot_*.py'))


class TestTutorials:
    @pytest.mark.parametrize('path', find_tutorials(),
                             ids=lambda path: path.stem)
    def test_names(self, path):
        # each name that a tutorial imports from this package is there
        names = [(node.module, alias.name)
                 for node in ast.walk(ast.parse(path.read_text('utf-8')))
                 if isinstance(node, ast.ImportFrom)
                 and node.module.startswith('astro_pix2prof')
                 for alias in node.names]
        assert names
        for module, name in names:
            try:
                assert hasattr(import_module(module), name), (module, name)
            except ImportError as error:
                # (training needs an extra)
                if (error.name or '').startswith('astro_pix2prof'):
                    raise
                pytest.skip(str(error))

    @pytest.mark.parametrize('path', find_tutorials(),
                             ids=lambda path: path.stem)
    def test_links(self, path):
        text = path.read_text('utf-8')
        for page in re.findall(r':doc:`(?:[^`<]*<)?/([\w/]+)>?`', text):
            assert (DOCS / f'{page}.rst').is_file(), page

    def test_pages(self):
        # the tutorials that pages lead to are there
        linked = {name for page in DOCS.glob('*.rst') for name in re.findall(
            r'generated/tutorials/(plot_\w+)', page.read_text('utf-8'))}
        stems = {path.stem for path in find_tutorials()}
        assert len(linked) > 7
        assert linked <= stems


@pytest.fixture(name='checker')
def fixture_checker():
    spec = util.spec_from_file_location('check_pages',
                                        DOCS / 'check_pages.py')
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestChecker:
    def read(self, checker, folder, **pages):
        for name, body in pages.items():
            (folder / f'{name}.html').write_text(
                f'<html><body><article>{body}</article></body></html>')
        return checker.read_pages(folder)

    def test_links(self, checker, tmp_path):
        pages = self.read(
            checker, tmp_path, one='<a href="two.html#here">x</a>'
            '<a href="two.html">x</a><a href="https://a.b/c">x</a>'
            '<a href="#top">x</a><p id="top"></p>', two='<p id="here"></p>')
        assert checker.find_broken_links(pages) == []
        pages = self.read(
            checker, tmp_path, one='<a href="two.html#there">x</a>'
            '<a href="three.html">x</a>')
        faults = checker.find_broken_links(pages)
        assert len(faults) == 2
        assert 'two.html#there has no such anchor' in faults[0]
        assert 'three.html leads nowhere' in faults[1]

    def test_pictures(self, checker, tmp_path):
        (tmp_path / 'no_image.png').write_bytes(b'x')
        pages = self.read(checker, tmp_path, one='<img src="a.png">'
                          '<img src="no_image.png">')
        faults = checker.find_missing_pictures(pages)
        assert 'a.png is missing' in faults[0]
        assert 'placeholder' in faults[1]

    def test_options(self, checker, tmp_path):
        pages = self.read(checker, tmp_path, one='<p>with –structure</p>'
                          '<code>–no</code><p>a – b</p>')
        fault, = checker.find_long_options(pages)
        assert '–structure' in fault

    def test_directives(self, checker, tmp_path):
        pages = self.read(
            checker, tmp_path, one='<p>===.. list-table::</p>'
            '<pre>.. plot::</pre><p>from 1 .. 5: all; a.. b</p>')
        fault, = checker.find_long_options(pages)
        assert fault.endswith('.. list-table:: is shown, not obeyed')

    def test_main(self, checker, tmp_path, capsys):
        self.read(checker, tmp_path, one='<a href="gone.html">x</a>')
        assert checker.main([str(tmp_path), '--no-browser']) == 1
        assert '1 pages: 1 faults' in capsys.readouterr().out

    def test_nothing(self, checker, tmp_path, capsys):
        with pytest.raises(SystemExit):
            checker.main([str(tmp_path)])
        assert 'there are no pages in' in capsys.readouterr().err


def test_gallery_order():
    """
    Each tutorial has its place; one that the list does not name comes last.
    """
    spec = util.spec_from_file_location('gallery_order',
                                        DOCS / 'gallery_order.py')
    order = util.module_from_spec(spec)
    spec.loader.exec_module(order)
    assert len(set(order.ORDER)) == len(order.ORDER)
    names = ['a/plot_zebra.py', 'a/plot_train.py', 'a/plot_units.py',
             'a/plot_apple.py', 'a/plot_first_profile.py']
    assert sorted(names, key=order.sort_tutorials) == [
        names[k] for k in (4, 2, 1, 3, 0)]


def test_every_option_is_on_a_page():
    """
    Users find the options of all commands in the guides.
    """
    text = '\n'.join(path.read_text(encoding='utf-8')
                     for path in DOCS.glob('*.rst'))
    known = set(re.findall(r'--[a-z0-9][a-z0-9-]*', text))
    commands = next(action.choices for action in _make_parser()._actions
                    if isinstance(action.choices, dict))
    assert len(commands) > 10
    missing = {f'{name} {option}' for name, command in commands.items()
               for action in command._actions
               for option in action.option_strings
               if option.startswith('--') and option not in known}
    assert not missing
