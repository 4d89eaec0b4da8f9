# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of ``pix2prof compare`` with tables.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, vstack

from astro_pix2prof import load_example_truth, write_profile
from astro_pix2prof.cli.main import main


@pytest.fixture(name='folder')
def make_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_profile(load_example_truth(), 'ours.ecsv')
    return tmp_path


def compare(*args):
    return main(['compare', *map(str, args)])


def paper(profile):
    """
    A table of a paper, 0.2 mag fainter.
    """
    table = QTable({name: profile[name][2:12]
                    for name in ('radius', 'surface_brightness')})
    table['surface_brightness'] += 0.2 * u.mag / u.arcsec**2
    return table


@pytest.mark.parametrize(('column', 'values', 'what'), [
    ('angle', [0.0, 90.0], 'sectors'), ('height', [-1.0, 1.0], 'vertical cut'),
    ('axis', ['major', 'minor'], 'cuts along the axes')])
def test_several_profiles_in_one(folder, capsys, column, values, what):
    one = load_example_truth()
    parts = []
    for value in values:
        part = one.copy()
        part[column] = [value] * len(one)
        parts.append(part)
    write_profile(vstack(parts, metadata_conflicts='silent'), 'cuts.ecsv')
    assert compare('ours.ecsv', 'cuts.ecsv') == 1
    error = capsys.readouterr().err
    assert error.startswith('pix2prof: error: cuts.ecsv must have radii that '
                            'increase, one row for each ring, got ')
    assert f"Its column '{column}' is that of {what}" in error
    assert not (folder / 'comparison.png').exists()
    # one of them is a profile as any other
    write_profile(parts[0], 'one.ecsv')
    assert compare('ours.ecsv', 'one.ecsv') == 0


@pytest.mark.parametrize('name', ['paper.ecsv', 'paper.csv', 'paper.fits'])
def test_table_of_a_paper(folder, capsys, name):
    table = paper(load_example_truth())
    if name.endswith('csv') and not name.endswith('ecsv'):
        np.savetxt(name, np.transpose([column.value for column
                                       in table.itercols()]),
                   delimiter=',', comments='', header='radius [arcsec],'
                   'surface_brightness [mag/arcsec2]')
    else:
        table.write(name)
    assert compare('ours.ecsv', '--reference', name) == 0
    text = capsys.readouterr().out
    assert 'difference from paper' in text
    medians = [float(line.split()[4]) for line in text.splitlines()
               if line.strip().startswith('ours')]
    assert medians
    np.testing.assert_allclose(medians, -0.2, atol=0.0011)


def test_columns_without_units(folder, capsys):
    (folder / 'paper.csv').write_text(
        'radius,surface_brightness\n1,20\n2,21\n', encoding='utf-8')
    assert compare('ours.ecsv', '--reference', 'paper.csv') == 1
    assert ('paper.csv must have its column radius in arcsec or pix, got no '
            'unit: in CSV, units stand in the first line, as in \'radius '
            '[arcsec]') in capsys.readouterr().err


def test_figure_of_the_default_name(folder, capsys):
    """
    It is left as it is, and the differences are printed.
    """
    assert compare('ours.ecsv', 'ours.ecsv') == 0
    assert 'figure: ' in capsys.readouterr().out
    figure = folder / 'comparison.png'
    figure.write_bytes(b'')
    assert compare('ours.ecsv', 'ours.ecsv') == 0
    text = capsys.readouterr()
    assert 'difference from ours' in text.out
    assert 'figure: ' not in text.out
    assert 'warning: no figure is drawn, since comparison.png' in text.err
    assert figure.read_bytes() == b''
    assert compare('ours.ecsv', 'ours.ecsv', '--overwrite') == 0
    assert figure.stat().st_size > 10_000


def test_nothing_to_compare_with(folder, capsys):
    assert compare('ours.ecsv', 'nowhere.ecsv') == 1
    assert 'no such file: nowhere.ecsv' in capsys.readouterr().err
    assert not (folder / 'comparison.png').exists()


def test_names_that_are_the_same(folder, capsys):
    for name in ('a', 'b'):
        (folder / name).mkdir()
        write_profile(load_example_truth(), f'{name}/ours.ecsv')
    assert compare('a/ours.ecsv', 'b/ours.ecsv') == 0
    text = capsys.readouterr().out
    assert 'difference from a/ours.ecsv' in text
    assert text.count('b/ours.ecsv') > 1
    # in one folder, the endings differ
    write_profile(load_example_truth(), 'a/ours.fits')
    assert compare('a/ours.ecsv', 'a/ours.fits') == 0
    text = capsys.readouterr().out
    assert 'difference from ours in bins' in text
    assert text.count('a/ours.fits') > 1
