# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of what benchmarks/throughput/run.py measures and writes.
"""

import os
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='load')
def fixture_load(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)

    def load(name):
        if name == 'survey':
            pytest.importorskip('psutil')
        return import_module(f'benchmarks.throughput.{name}')

    return load


@pytest.fixture(name='images')
def fixture_images(load):
    return load('images')


def make_figures():
    """
    Figures of all parts, as they are read from JSON.
    """
    made = {'weights': {'name': 'rings'}, 'date': '2026-01-01', 'cores': 2,
            'cpu': 'a CPU', 'load': 0.1, 'quick': False, 'python': '3.11',
            'astro_pix2prof': '0.1', 'torch': '2', 'astropy': '7',
            'photutils': '2'}
    rate = {'n_failed': 0, 'seconds': 10.0, 'peak': 500.0, 'bytes': 1e6}
    times = {'n': 4, 'n_failed': 1, 'median': 0.5, 'p95': 2.0}
    return {
        'rates': {
            'made': made,
            'difference': {'median': 0.001, 'p99': 0.0123},
            'rows': [{**rate, 'n': 500, 'cores': cores, 'per_second': value,
                      'precision': 'float32'}
                     for cores, value in ((1, 40), (1, 50), (1, 90),
                                          (2, 80))],
            'unrelated': [{'precision': 'float32', 'n': 250,
                           'per_second': value} for value in (88, 92, 99)],
            'split': {'float32': [{'step': 'read the file', 'ms': 5.0},
                                  {'step': 'network', 'ms': 15.0}]},
            'start': {'command': [3.0], 'torch': [2.0]},
            'limit': {'float32': {
                'gflop': 1.0, 'gflops': 100.0, 'network_ms': 12.5,
                'bytes': 4e5, 'read_gbs': 4.0, 'copy_gbs': 8.0,
                'limit_ms': 10.1}}},
        'others': {
            'made': made, 'n': 4, 'n_rings': 32, 'autoprof': None,
            'autoprof_reason': 'no Python.',
            'methods': {'rings': {**times, 'mean': 0.02, 'ratio': 1.0},
                        'plain': {**times, 'mean': 1.0, 'ratio': 50.0}}},
        'sizes': {'made': made, 'rows': [
            {'n_pix': side, 'n': 2, 'ms': side / 10, 'n_failed': 0}
            for side in (64, 1000)]},
        'numbers': {'made': made, 'rows': [
            {**rate, 'n': n, 'per_second': 100.0, 'peak': peak}
            for n, peak in ((100, 400.0), (1000, 500.0), (10000, 525.0))]},
        'gpu': {'made': made, 'name': None},
        'survey': {
            'made': made,
            'processes': {'n': 2000, 'chunk': 100, 'rounds': 3, 'rows': [
                {'n_workers': k, 'seconds': 20 / k, 'per_second': 100.0 * k,
                 'efficiency': 1.0, 'efficiency_whole': 1.0}
                for k in (1, 2)]},
            'killed': {'n': 2000, 'rows': [
                {'killed': 'one', 'n_done': 800, 'n_files': 20,
                 'n_different': 3, 'n_rest': 0}]}},
        'rows': {'made': made, 'rows': [
            {'n': n, 'n_workers': k, 'per_second': 10_000 // k,
             'mib_10': 200, 'mib_50': 201, 'mib_100': 202, 'peak': peak,
             'again_per_second': 20_000, 'again_peak': 199,
             'n_files': n // 500, 'most_in_a_folder': min(n // 500, 1000)}
            for n, peak in ((100_000, 200), (1_000_000, 210))
            for k in (1, 2)]}}


class TestReport:
    def test_rates(self, load):
        report = load('report')
        rates, split, limit, _ = report.tables_of(make_figures(), 'rates')
        # medians of the rounds; extremes beside them
        assert rates[2] == [
            ('float32', '1', '500', '50.0', '40.0', '90.0', '500', '0'),
            ('float32', '2', '500', '80.0', '80.0', '80.0', '500', '0'),
            ('float32', '1 + 1, two runs at once', '500', '92.0', '88.0',
             '99.0', '', '')]
        # figures of before have no such runs
        before = make_figures()
        del before['rates']['unrelated']
        assert report.tables_of(before, 'rates')[0][2] == rates[2][:2]
        assert split[2] == [('read the file', '5.00', '25%'),
                            ('network', '15.00', '75%'),
                            ('total', '20.00', '')]
        assert '0.0123' in report.sentences_of(make_figures(), 'rates')
        values = dict(limit[2])
        assert values['Share of that rate that the network reaches'] == '80%'
        # 10.1 ms of the 20 ms at 50 galaxies/s
        assert limit[2][-1][1] == '50%'

    def test_others(self, load):
        report = load('report')
        out = make_figures()
        (_, heading, rows), = report.tables_of(out, 'others')
        assert {len(row) for row in rows} == {len(heading)}
        found = {row[0]: row[1:] for row in rows}
        assert found[report.METHODS['plain']] == (
            '4', '1', '1', '0.5', '2', '50')
        # AutoProf is missing, and it is said why
        assert found[report.METHODS['autoprof']][-1] == 'not measured'
        assert 'no Python.' in report.sentences_of(out, 'others')

    def test_numbers(self, load):
        report = load('report')
        text = report.sentences_of(make_figures(), 'numbers')
        assert 'From 1,000 to 10,000 galaxies' in text
        assert 'factor of 1.00' in text
        assert 'memory by 1.05' in text

    def test_killed(self, load):
        report = load('report')
        *_, (_, _, rows) = report.tables_of(make_figures(), 'survey')
        assert rows == [('one of two processes', '800', '20', '3', '0')]

    def test_rows(self, load):
        report = load('report')
        (_, heading, rows), = report.tables_of(make_figures(), 'rows')
        assert {len(row) for row in rows} == {len(heading)}
        assert rows[2] == ('1,000,000', '1', '10,000', '200', '201', '202',
                           '210', '20,000', '199', '2,000', '1,000')
        text = report.sentences_of(make_figures(), 'rows')
        assert text == (
            'With ten times as many rows, from 100,000 to 1,000,000, the '
            'peak of the memory of one process changes by a factor of 1.05, '
            'and the rate by 1.00.')

    def test_rows_are_surveyed(self, load, tmp_path):
        """
        In a process of its own, as the benchmark does it.
        """
        pytest.importorskip('pyarrow')
        row = load('parts').run_apart(
            'rows.survey_rows', n=300, folder=str(tmp_path), chunk_size=100)
        assert (row['n_done'], row['n_failed']) == (300, 3)
        assert (row['again_n_done'], row['again_n_failed']) == (0, 3)
        assert (row['n_files'], row['most_in_a_folder']) == (3, 3)
        assert row['peak'] >= row['mib_10'] > 0

    def test_write(self, load, tmp_path):
        pytest.importorskip('matplotlib')
        report = load('report')
        out = make_figures()
        figures = report.write_plots(out, tmp_path / 'figures')
        assert [name for name, *_ in figures] == ['others', 'sizes',
                                                  'numbers']
        path = tmp_path / 'throughput.inc'
        report.write_inc(out, path, figures)
        text = path.read_text(encoding='utf-8')
        for name in out:
            part = text.split(f'.. begin {name}')[1].split(f'.. end {name}')[
                0]
            assert ('list-table' in part) == (name != 'gpu')
            assert ('.. figure::' in part) == (
                name in ('others', 'sizes', 'numbers'))
        assert 'Not measured yet.' in text
        assert 'load average' not in text
        assert '.. figure:: figures/sizes.png' in text
        assert report.report(out).count('2026-01-01') == len(out)

    def test_missing(self, load, tmp_path):
        report = load('report')
        path = tmp_path / 'throughput.inc'
        out = {'sizes': make_figures()['sizes']}
        report.write_inc(out, path, [])
        assert path.read_text(encoding='utf-8').count(
            'This was not measured.') == 6


class TestImages:
    def test_smooth(self, images, tmp_path):
        path, = images.write_smooth(tmp_path, 128, 1)
        data = fits.getdata(path)
        assert data.shape == (128, 128)
        # it fills the frame: light at the edge, the brightest in the middle
        edge = np.concatenate([data[0], data[-1], data[:, 0], data[:, -1]])
        assert 0 < edge.mean() < 0.05 * data[60:68, 60:68].mean()

    def test_simulated(self, images, tmp_path, load, monkeypatch):
        monkeypatch.setattr(images, '_AT_ONCE', 2)
        paths = images.render_images(tmp_path, 3)
        truths = images.read_truths(tmp_path, 3)
        assert len(paths) == len(truths) == 3
        with fits.open(paths[2]) as hdus:
            assert len(hdus) == 1
            header = hdus[0].header
            assert header['BUNIT'] == 'nanomaggy'
            assert_allclose([truths[2]['x'], truths[2]['y']],
                            [header['XTRUE'], header['YTRUE']], atol=1e-3)
            assert truths[2]['mask'].shape == hdus[0].data.shape
        # what is there is used
        before = paths[2].stat().st_mtime_ns
        images.render_images(tmp_path, 3)
        assert paths[2].stat().st_mtime_ns == before
        others = load('others')
        assert any(
            not others.time_photutils(path, truth, masked=False)[1]
            for path, truth in zip(paths, truths, strict=True))


class TestMeasure:
    def test_files(self, load, tmp_path):
        pq = pytest.importorskip('pyarrow.parquet')
        pytest.importorskip('psutil')
        parts, limit = load('parts'), load('limit')
        images = load('images')
        paths = images.write_smooth(tmp_path, 64, 2)
        out = tmp_path / 'out.parquet'
        row = parts.fit_files([*paths, 'missing.fits'], 7, out)
        # each third image is missing
        assert (row['n'], row['n_failed']) == (7, 2)
        assert row['bytes'] == out.stat().st_size
        table = pq.read_table(out)
        assert table['index'].to_pylist() == list(range(7))
        rows = {found['step']: found['ms']
                for found in limit.split_time(paths, 4, out)}
        assert pq.read_table(out).num_rows == 4
        assert all(value >= 0 for value in rows.values())
        assert rows['network'] > rows['rings and flags'] > 0
        assert rows['read the file'] > 0

    def test_precisions(self, load, tmp_path):
        limit = load('limit')
        paths = load('images').write_smooth(tmp_path, 64, 2)
        found = limit.compare_precisions(paths)
        assert found['n_galaxies'] == 2
        # they are not the same, but nearly so
        assert 0 < found['median'] < found['p99'] < 0.2

    def test_clock(self, load):
        clock = load('limit')._Clock()
        inner = clock.wrap(lambda: time.sleep(0.05), 'inner')

        def both():
            time.sleep(0.02)
            inner()

        clock.wrap(both, 'outer')()
        # what is inside counts once
        assert 0.05 <= clock.seconds['inner']
        assert 0.02 <= clock.seconds['outer'] < 0.05

    def test_memory(self, load):
        pytest.importorskip('psutil')
        parts = load('parts')
        with parts.Memory(0.01) as before:
            time.sleep(0.05)
        with parts.Memory(0.01) as memory:
            held = np.ones(2**24)   # 128 MiB
            time.sleep(0.1)
        assert held[0] == 1
        assert memory.peak > before.peak + 100


class TestOthers:
    def test_pythons(self, load):
        others = load('others')
        assert others.find_pythons('a_python') == ['a_python']

    def test_no_environment(self, load, tmp_path):
        others = load('others')
        python, reason = others.make_autoprof(
            tmp_path / 'env', python=str(tmp_path / 'no_such_python'))
        assert python is None
        assert 'no_such_python' in reason

    def test_summary(self, load):
        module = load('run')
        row = module._summarise([(1.0, False), (3.0, False), (0.01, True)])
        assert (row['n'], row['n_failed']) == (3, 1)
        assert row['mean'] == row['median'] == 2.0
        assert module._summarise([(1.0, True)])['mean'] is None


class TestSurvey:
    def test_compare(self, load, tmp_path):
        survey = load('survey')
        for name in 'ab':
            folder = tmp_path / name
            folder.mkdir()
            for k in range(3):
                (folder / f'part-{k:06d}.parquet').write_bytes(bytes([k]))
        one, other = tmp_path / 'a', tmp_path / 'b'
        assert survey.compare_folders(one, other) == {
            'n_files': 3, 'n_different': 0, 'n_rest': 0}
        (other / 'part-000001.parquet').write_bytes(b'other')
        (other / 'part-000002.parquet').unlink()
        (other / '.part-000002.parquet.1.tmp').write_bytes(b'')
        assert survey.compare_folders(one, other) == {
            'n_files': 3, 'n_different': 2, 'n_rest': 1}

    def test_parts(self, load, tmp_path):
        survey = load('survey')
        for k in range(8):
            path = tmp_path / f'part-{k:06d}.parquet'
            path.touch()
            # two processes start for 50 s, and need 4 s for a part
            os.utime(path, (0, 50 + 4 * (k // 2)))
        assert_allclose(survey.time_parts(tmp_path, 10, 2), 60 / 12)
        assert survey.time_parts(tmp_path, 10, 3) is None


class TestCommand:
    def test_arguments(self, load, tmp_path, capsys):
        module = load('run')
        with pytest.raises(SystemExit):
            module.parse(['--galaxies', '0'])
        assert '--galaxies must be' in capsys.readouterr().err
        with pytest.raises(SystemExit):
            module.parse(['--report', '--json', str(tmp_path / 'none.json')])
        assert 'measure first' in ' '.join(capsys.readouterr().err.split())
        args = module.parse(['--quick', '--folder', str(tmp_path)])
        assert args.galaxies == module.QUICK['galaxies']
        # a trial does not replace the figures
        assert args.json == tmp_path / 'run.json'
