# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of catalogues whose positions and sizes are no numbers.
"""

from types import SimpleNamespace

import pytest

from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.images import SurveyImages, _first_text

pytest.importorskip('pyarrow')


@pytest.mark.parametrize(('cells', 'row', 'value'), [
    (['150.1', 'abc', '150.3'], 1, "'abc'"),
    (['10:00:00', '10:01:00', ''], 0, "'10:00:00'")])
def test_bad_cell(tmp_path, cells, row, value):
    """
    The message names column, row and value, and says what is wanted.
    """
    path = tmp_path / 'cat.csv'
    path.write_text('path,ra,dec,side\n' + ''.join(
        f'a.fits,{cell},2.2,{cell}\n' for cell in cells), encoding='utf-8')
    catalogue = open_catalogue(path)
    with pytest.raises(ValueError, match=r"ra='ra' must be a column of number"
                       rf's, .*: row {row} \(from 0\) has {value}. Positions '
                       'are in degrees, such as 184.731'):
        SurveyImages('path', catalogue, ra='ra', dec='dec')
    with pytest.raises(ValueError, match=r"size='side' must be a column of nu"
                       rf'mbers, .*: row {row} \(from 0\) has {value}$'):
        SurveyImages('path', catalogue, size='side')


def test_first_text(tmp_path):
    path = tmp_path / 'cat.ecsv'
    path.write_text('# %ECSV 1.0\n# ---\n# datatype:\n'
                    '# - {name: ra, datatype: string}\nra\n"1.5"\n"2"\n',
                    encoding='utf-8')
    assert _first_text(open_catalogue(path), 'ra') == ''
    # (of a HATS catalogue, rows are not read for a message)
    assert _first_text(SimpleNamespace(), 'ra') == ''


@pytest.mark.parametrize('name', ['cat.vot', 'cat.tsv'])
def test_other_formats(tmp_path, name):
    (tmp_path / name).write_text('ra\tdec\n1\t2\n', encoding='utf-8')
    with pytest.raises(ValueError, match='Other tables that astropy reads are'
                       rf" converted by Table.read\('{name}'\).write\('cat.e"):
        open_catalogue(tmp_path / name)
