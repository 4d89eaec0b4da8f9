# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the names of galaxies, and of those that several rows have.
"""

import warnings

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    IsophoteFitter,
    load_example,
    read_survey,
    run_survey,
)
from astro_pix2prof.survey import repeated_ids
from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.repeated_ids import warn_of_repeated_ids

pytest.importorskip('pyarrow')


def _is_told(table):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        warn_of_repeated_ids(open_catalogue(table))
    return bool(seen)


@pytest.mark.parametrize('size', [2, 100])
def test_first_names_and_their_rows(size, monkeypatch):
    monkeypatch.setattr(repeated_ids, '_SIZE', size)
    match = (r"table: the column 'ID' has 2 names in more than one row, such "
             r"as \(with their rows, counted from 0\) 'g1' \(0, 2, 5\), 'g3' "
             r'\(3, 4\); each row is measured')
    with pytest.warns(AstropyUserWarning, match=match):
        warn_of_repeated_ids(open_catalogue(Table({
            'ID': ['g1', 'g2', 'g1', 'g3', 'g3', 'g1']})))


def test_numbers_and_long_lists():
    with pytest.warns(AstropyUserWarning, match=(
            r'5000 names .* 0 \(0, 5000\), 1 \(1, 5001\), .*4 \(4, 5004\);')):
        warn_of_repeated_ids(open_catalogue(Table({
            'objid': np.arange(10000) % 5000})))
    with pytest.warns(AstropyUserWarning, match=(
            r'1 name in .* 7 \(0, 1, 2, 3, 4, \.\.\.\);')):
        warn_of_repeated_ids(open_catalogue(Table({'id': np.full(99, 7)})))


@pytest.mark.parametrize('columns', [
    {'id': ['a', 'b', 'A']}, {'id': np.arange(5)},
    # rows without a name, and columns that are none of names
    {'id': ['', 'a', '']}, {'path': ['a', 'a']}, {'id': [0.5, 0.5]},
    {'id': np.ones((3, 2), int)},
    {'id': MaskedColumn([1, 1, 2], mask=[True, True, False])},
    # (two names of the same hash)
    {'id': [-1, -2]}])
def test_catalogues_that_are_right(columns):
    assert not _is_told(Table(columns))


@pytest.mark.parametrize('part', [None, '1/2', '2/2'])
def test_survey(tmp_path, part):
    table = Table({'id': ['g1', 'g2', 'g1']})
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        run_survey(table, tmp_path / 'out', n_workers=1, part=part,
                   images=lambda row: load_example(), chunk_size=2,
                   fitter=IsophoteFitter())
    told = [str(item.message) for item in seen
            if "'g1' (0, 2)" in str(item.message)]
    # (each share would say the same)
    assert len(told) == (part != '2/2')


@pytest.mark.parametrize(('name', 'values', 'expected'), [
    ('objID', [7, 2**40, 9], [2**40, 9]),
    ('ID', ['a', 'NGC 1 "b"', ''], ['NGC 1 "b"', '']),
    ('id', MaskedColumn([7, 8, 9], mask=[0, 1, 0]), [np.ma.masked, 9]),
    ('label', ['a', 'b', 'c'], None), ('id', [0.5, 1.5, 2.5], None)])
def test_failures_have_the_name_of_the_galaxy(tmp_path, name, values,
                                              expected):
    def images(row):
        if row['number']:
            msg = 'two\nlines'
            raise OSError(msg)
        return load_example()

    result = run_survey(Table({'number': [0, 1, 2], name: values}),
                        tmp_path / 'out', images=images, n_workers=1)
    failures = read_survey(result.out).failures
    assert list(failures['index']) == [1, 2]
    assert list(failures['message']) == 2 * ['OSError: two lines']
    if expected is None:
        assert failures.colnames == ['index', 'source', 'message']
    else:
        assert failures.colnames == ['index', name, 'source', 'message']
        assert list(failures[name]) == expected
