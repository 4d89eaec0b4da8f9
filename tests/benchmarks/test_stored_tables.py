# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that the tables of the documentation are those of the stored results.
"""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='load')
def fixture_load(monkeypatch):
    """
    Import a module of the benchmarks.
    """
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: import_module(f'benchmarks.{name}')


def stored(name):
    return json.loads((ROOT / name).read_text(encoding='utf-8'))


def shown(name):
    return (ROOT / 'docs' / f'{name}.inc').read_text(encoding='utf-8')


def written(write, tmp_path):
    """
    What a function writes to a file.
    """
    path = tmp_path / 'table.inc'
    write(path)
    return path.read_text(encoding='utf-8')


# Files whose script writes them from one stored result: the script, the
# result, and what it makes of it.
WHOLE = {
    'accuracy': lambda load, out, tmp: written(
        lambda path: load('accuracy.report').write_inc(
            out, path, path.parent / 'figures'), tmp),
    'network_accuracy': lambda load, out, tmp: written(
        lambda path: load('accuracy.network').write_inc(
            out, path, path.parent / 'figures'), tmp),
    'anomalies': lambda load, out, tmp: written(
        lambda path: load('accuracy.anomalies').write_table(out, path), tmp),
    'clumps': lambda load, out, tmp: load('accuracy.clumps').make_table(out),
    'embeddings': lambda load, out, tmp: load(
        'accuracy.embeddings').make_table(out),
    # (it has one result for each survey, and reads them)
    'fine_tuning': lambda load, out, tmp: written(
        lambda path: load('accuracy.fine_tuning').write_table(path), tmp),
    'neighbours': lambda load, out, tmp: written(
        lambda path: load('throughput.neighbours').write_table(out, path),
        tmp),
    'ablations': lambda load, out, tmp: written(
        lambda path: load('accuracy.ablations').write_table(
            out['rows'], path), tmp),
    'cuts': lambda load, out, tmp: load('accuracy.cuts').make_table(out),
    'definitions': lambda load, out, tmp: load(
        'real.definitions').make_tables(out),
    'masses': lambda load, out, tmp: written(
        lambda path: load('accuracy.masses').write_inc(path, out), tmp),
    'metamorphic': lambda load, out, tmp: load(
        'accuracy.metamorphic').make_table(out),
    'mutants': lambda load, out, tmp: load('mutants').make_table(out),
    'options': lambda load, out, tmp: load(
        'throughput.options').make_table(out),
    'psf': lambda load, out, tmp: '\n'.join(
        load('accuracy.psf').make_tables(out)),
    'headline': lambda load, out, tmp: written(
        lambda path: load('accuracy.headline').write_inc(
            *load('accuracy.headline').read_results(), path), tmp),
    'review': lambda load, out, tmp: load('accuracy.votes').make_table(out),
    'rings_bars': lambda load, out, tmp: '\n'.join(
        load('accuracy.rings').bar_table(out)),
    'rings_pulls': lambda load, out, tmp: '\n'.join(
        load('accuracy.rings').pull_table(out)),
    'rings_real': lambda load, out, tmp: '\n'.join(
        load('accuracy.rings').real_table(out)),
    'real_tables': lambda load, out, tmp: load(
        'real.tables').make_tables(out),
    'trust': lambda load, out, tmp: load('accuracy.trust').make_table(
        out['rows']),
    'stated': lambda load, out, tmp: load('accuracy.stated').make_table(out),
    'spectra': lambda load, out, tmp: written(
        lambda path: load('accuracy.cubes').write_table(
            out, stored('benchmarks/real/cube.json'), path), tmp),
}
RESULTS = {
    'accuracy': 'accuracy/run', 'definitions': 'real/definitions',
    'network_accuracy': 'accuracy/network',
    'headline': 'accuracy/run', 'masses': 'accuracy/masses',
    'fine_tuning': 'accuracy/fine_tuning_boxes', 'mutants': 'mutants',
    'neighbours': 'throughput/neighbours', 'options': 'throughput/options',
    'review': 'accuracy/votes', 'rings_bars': 'accuracy/bars',
    'rings_pulls': 'accuracy/harmonics', 'rings_real': 'real/harmonics',
    'real_tables': 'real/tables',
    'spectra': 'accuracy/cubes'}
# Files of which parts are not made of stored figures (pictures, timings):
# each has a test of its own.
PARTS = {'isophote_accuracy', 'morphology', 'real_galaxies', 'throughput',
         'variants'}


def test_all_are_tested():
    names = {path.stem for path in (ROOT / 'docs').glob('*.inc')}
    empty = {name for name in names if len(shown(name).split('\n')) < 4}
    assert names - empty == {*WHOLE, *PARTS}


@pytest.mark.parametrize('name', WHOLE)
def test_whole(load, tmp_path, name):
    """
    What the script would write now is what is there.
    """
    out = stored(f'benchmarks/{RESULTS.get(name, f"accuracy/{name}")}.json')
    assert WHOLE[name](load, out, tmp_path).rstrip() == shown(name).rstrip()


def test_morphology(load):
    pytest.importorskip('statmorph')
    out = stored('benchmarks/accuracy/morphology.json')
    assert load('accuracy.morphology').make_table(out) == shown('morphology')


def without_figures(text):
    """
    The text without pictures and their captions.
    """
    return re.sub(r'^\.\. figure::.*\n(?:    .*\n|\n(?=    ))*', '', text,
                  flags=re.MULTILINE)


def squeeze(text):
    return re.sub(r'\n\n+', '\n\n', text).strip()


def test_throughput(load, tmp_path):
    """
    All but the pictures.
    """
    out = stored('benchmarks/throughput/run.json')
    made = written(lambda path: load('throughput.report').write_inc(
        out, path, []), tmp_path)
    assert squeeze(made) == squeeze(without_figures(shown('throughput')))


def test_variants(load, tmp_path):
    """
    All but the first column, whose weights are gone, and the timings.
    """
    module = load('accuracy.variants')
    figures = [stored(f'benchmarks/accuracy/{name}.json')
               for name in ('run', 'run_fast')]
    made = written(lambda path: module.write_table(
        [{'sets': {}}, *figures], ['First ``rings``', '``rings``',
                                   '``rings-fast``'],
        [1.0, 0.85, 0.32], path), tmp_path)
    cells = [re.split(r'\n {4}[* ] - ?', text)[1:]
             for text in (made, shown('variants'))]
    # (rows of four: what it is, the first weights, and those of today)
    made, there = ([part[k:k + 4] for k in range(0, len(part), 4)]
                   for part in cells)
    assert len(made) == len(there) > 5
    for one, other in zip(made, there, strict=True):
        assert one[0].strip() == other[0].strip()
        assert [c.strip() for c in one[2:]] == [c.strip() for c in other[2:]]


def test_real_galaxies(load):
    out = stored('docs/figures/real/real.json')
    network = load('real.network')
    lines = network.make_tables(out['galaxies'], out['weights'],
                                network.LARGEST_ERROR)
    assert '\n'.join(lines).rstrip() == shown('real_galaxies').rstrip()


def test_isophotes():
    """
    The numbers of a text that is written by hand.
    """
    out = stored('benchmarks/accuracy/isophotes.json')
    text = ' '.join(shown('isophote_accuracy').split())
    for title, name in (
            ('`~astro_pix2prof.IsophoteFitter`', 'IsophoteFitter'),
            ('as in its tutorial', 'photutils tutorial'),
            ('the oracle', 'oracle')):
        cells = text.split(title)[1].split(' - ')[1:4]
        row = out[name]
        assert [float(cell) for cell in cells[:2]] == pytest.approx(
            [row['bright'], row['to_one']], abs=5.1e-4)
        assert float(cells[2].split('%')[0]) == pytest.approx(
            100 * row['complete'], abs=0.05)
    kinds = re.search(r'By type: (.*) mag;', text).group(1).split(', ')
    assert len(kinds) == 6
    found = out['IsophoteFitter']['by']
    for kind in kinds:
        name, value = kind.rsplit(' ', 1)
        assert value == f'{found[name.lower()][1]:.3f}'
    assert f'neighbour {found["neighbour"][1]:.3f}' in text
    assert f'hold for {100 * out["one_sigma_holds"]:.0f} per cent' in text


def test_few_labels():
    """
    The table stands in the page itself.
    """
    text = (ROOT / 'docs/fine_tuning.rst').read_text(encoding='utf-8')
    rows = stored('benchmarks/accuracy/few_labels.json')['rows']
    assert len(rows) == 3
    for row in rows:
        scratch = row['auc_from_scratch']
        found, = re.findall(rf'^{row["train"]} +(\S+) +(\S+) to (\S+)$', text,
                            re.MULTILINE)
        assert list(found) == [f'{value:.3f}' for value in (
            row['auc'], min(scratch), max(scratch))]
