# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Rows of labelled tables that belong to one galaxy.
"""

import warnings

import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.wording import counted

__all__ = ['label_groups']


# Columns that name a galaxy, by which repeated rows are noticed.
_NAMES = ('id', 'name', 'galaxy', 'objid')


def label_groups(groups, data, n, used, *, label=None):
    """
    Find which of the rows that are used belong to one galaxy.

    Parameters
    ----------
    groups : str, 1D array_like of n values, or `None`
        A column of the table or its values; rows of equal values belong
        together.

    data : `~astropy.table.Table` or object
        The table of the labels, or anything else.

    n : int
        The number of its rows.

    used : 1D `~numpy.ndarray` of int
        The rows that are used.

    label : str, optional
        The column of the labels, which names no galaxy.

    Returns
    -------
    groups : 1D `~numpy.ndarray` of int or `None`
        The number of the galaxy of each row that is used.

    Raises
    ------
    ValueError
        If there is no such column, it has another length or rows without
        a value.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are no groups, and a column of names has some twice.
    """
    is_table = isinstance(data, Table)
    if groups is None:
        if is_table:
            _warn_of_repeats(data[used], label)
        return None
    values = groups
    if isinstance(groups, str):
        if not is_table or groups not in data.colnames:
            known = ', '.join(data.colnames) if is_table else 'no columns'
            msg = (f'groups: data must be a table with the column '
                   f'{groups!r}, it has {known}')
            raise ValueError(msg)
        values = data[groups]
    values = np.ma.asarray(values)
    if values.shape != (n,):
        msg = (f'groups must be 1D, one value for each of {n} galaxies, got '
               f'the shape {values.shape}')
        raise ValueError(msg)
    known = ~np.ma.getmaskarray(values)[used]
    texts = [_text_of(value) for value in values.data[used]]
    absent = int(np.count_nonzero(~known | (np.array(texts) == '')))
    if absent:
        msg = (f'groups: {counted(absent, "labelled row")} without a value: '
               'give each the name of its galaxy')
        raise ValueError(msg)
    # (in their order, so that other names give the same folds)
    number = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    return np.array([number[text] for text in texts])


def _text_of(value):
    """
    Return the name of a galaxy as text; '' for none.
    """
    if value is None or (isinstance(value, float | np.floating)
                         and not np.isfinite(value)):
        return ''
    if isinstance(value, bytes):
        value = value.decode()
    return str(value).strip()


def _warn_of_repeats(rows, label):
    """
    Warn of rows that seem to be of one galaxy.
    """
    for name in rows.colnames:
        # (yes and no is no name either)
        if (name == label or name.lower() not in _NAMES
                or rows[name].ndim != 1 or rows[name].dtype.kind == 'b'):
            continue
        twice = len(rows) - len({str(value) for value in rows[name]})
        if twice:
            msg = (f'the column {name!r} has names that occur more than '
                   'once: rows of one galaxy are divided between learning '
                   'and testing, which makes the figures too good; give '
                   f'groups={name!r}')
            warnings.warn(msg, AstropyUserWarning, stacklevel=5)
            return
