# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of numbers and values in messages.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from astro_pix2prof.arguments import check_number
from astro_pix2prof.wording import counted, shown


@pytest.mark.parametrize(('n', 'words', 'expected'), [
    (0, ['part'], '0 parts'), (1, ['part'], '1 part'),
    (2, ['part'], '2 parts'), (1, ['galaxy', 'galaxies'], '1 galaxy'),
    (3, ['galaxy', 'galaxies'], '3 galaxies')])
def test_counted(n, words, expected):
    assert counted(n, *words) == expected


@pytest.mark.parametrize(('value', 'expected'), [
    (2, '2'), (2.5, '2.5'), ('2', "'2'"), (None, 'None'),
    (np.float64(2.5), '2.5'), (np.int32(-1), '-1'), (np.bool_(True), 'True'),
    (np.array(3.0), '3.0'), (2 * u.arcsec, '2.0 arcsec'),
    (Table({'a': [1]}), 'Table'),
    (np.array([1, 2]), 'array([1, 2])'), ([1] * u.pix, '<Quantity [1.] pix>'),
    (np.zeros((3, 5)), 'ndarray of the shape (3, 5)')])
def test_shown(value, expected):
    assert shown(value) == expected


@pytest.mark.parametrize('value', [np.float64(7), 7 * u.arcsec])
def test_messages_show_plain_values(value):
    with pytest.raises(ValueError, match=r'at most 2, got 7.0( arcsec)?$'):
        check_number(value, 'x', unit=u.arcsec, most=2)
