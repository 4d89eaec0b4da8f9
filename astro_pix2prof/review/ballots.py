# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read tables of votes, of known labels, and of a machine's probabilities.
"""

import unicodedata
import warnings

import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.wording import counted, shown

__all__ = ['Votes', 'as_table', 'code_labels', 'first_votes',
           'number_values', 'read_classes', 'read_gold', 'read_machine',
           'read_names', 'read_votes', 'warn_repeated']


# Other names of columns, as crowd-kit and Zooniverse have them.
_OTHER_NAMES = {'galaxy': ('task', 'subject', 'subject_id', 'subject_ids'),
                'rater': ('worker', 'user', 'user_name', 'user_id'),
                'label': ('vote', 'annotation')}


class Votes:
    """
    Votes as numbers, in their order.

    Parameters
    ----------
    galaxies, raters, labels : list of str
        The names that the numbers stand for.

    galaxy, rater, label : 1D `~numpy.ndarray` of int, shape (n,)
        The numbers of each vote.

    n_skipped : int
        Rows that are no votes.
    """

    def __init__(self, galaxies, raters, labels, galaxy, rater, label,
                 n_skipped):
        self.galaxies, self.raters, self.labels = galaxies, raters, labels
        self.galaxy, self.rater, self.label = galaxy, rater, label
        self.n_skipped = n_skipped


def as_table(table, name, columns):
    """
    Convert to a table and check that it has some columns.

    Parameters
    ----------
    table : `~astropy.table.Table`, or what that is made of
        The table.

    name : str
        The name of the argument.

    columns : sequence of str
        The columns that are needed; some may have other names.

    Returns
    -------
    table : `~astropy.table.Table`
        With these names.

    Raises
    ------
    TypeError
        If it is no table.

    ValueError
        If a column is missing.
    """
    try:
        table = Table(table, copy=False)
    except (TypeError, ValueError) as error:
        msg = (f'{name} must be a table with the columns '
               f'{", ".join(columns)}, got {type(table).__name__}')
        raise TypeError(msg) from error
    found = {}
    for column in columns:
        names = (column, *_OTHER_NAMES.get(column, ()))
        known = next((n for n in names if n in table.colnames), None)
        if known is None:
            msg = (f'{name} must have a column {column!r}, got the columns '
                   f'{", ".join(table.colnames) or "of none"}')
            raise ValueError(msg)
        found[column] = known
    for column, known in found.items():
        if known != column:
            table.rename_column(known, column)
    return table


def _text(value):
    """
    Write a name of a galaxy, a rater or a class; `None` if it is empty.
    """
    if value is None or value is np.ma.masked:
        return None
    if isinstance(value, bytes):
        value = value.decode('utf-8', 'backslashreplace')
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return None
        if value == int(value):
            value = int(value)
    return unicodedata.normalize('NFC', str(value).strip()) or None


def read_names(column):
    """
    Number the values of a column.

    Parameters
    ----------
    column : array_like, shape (n,)
        Texts or numbers, perhaps masked.

    Returns
    -------
    names : list of str
        The different values, without white space around them and in
        Unicode's normal form C; whole numbers have no decimal point.

    index : 1D `~numpy.ndarray` of int, shape (n,)
        The number of each row's value; -1 for a masked or empty one, and
        for not-a-number.
    """
    mask = np.ma.getmaskarray(np.ma.asarray(column)) if hasattr(
        column, 'mask') else np.zeros(len(column), dtype=bool)
    values = np.asarray(np.ma.getdata(np.ma.asarray(column)))
    if values.dtype.kind == 'O':
        texts = [None if m else _text(v)
                 for v, m in zip(values, mask, strict=True)]
        mask = np.array([text is None for text in texts], dtype=bool)
        values = np.array(['' if text is None else text for text in texts],
                          dtype=str)
    if not len(values):
        return [], np.zeros(0, dtype=np.int64)
    unique, inverse = np.unique(values, return_inverse=True)
    texts = [_text(value) for value in unique.tolist()]
    names = list(dict.fromkeys(text for text in texts if text is not None))
    number = {text: k for k, text in enumerate(names)} | {None: -1}
    index = np.array([number[text] for text in texts])[inverse.ravel()]
    index[mask] = -1
    # (a name of masked rows alone is none)
    used = np.zeros(len(names), dtype=bool)
    used[index[index >= 0]] = True
    if not used.all():
        new = np.where(used, np.cumsum(used) - 1, -1)
        index = np.where(index >= 0, new[index], -1)
        names = [name for name, keep in zip(names, used, strict=True)
                 if keep]
    return names, index


def number_values(names):
    """
    Make a column of names: of integers if all of them are such.

    Parameters
    ----------
    names : sequence of str
        The names.

    Returns
    -------
    values : 1D `~numpy.ndarray`
    """
    try:
        numbers = np.array([int(name) for name in names], dtype=np.int64)
    except (ValueError, OverflowError):
        return np.array(list(names), dtype=str)
    # (007 is no number)
    if all(str(number) == name for number, name in zip(
            numbers.tolist(), names, strict=True)):
        return numbers
    return np.array(list(names), dtype=str)


def read_classes(classes, name='classes'):
    """
    Read the names of the classes.

    Parameters
    ----------
    classes : sequence of str or int
        At least two different ones.

    name : str, optional
        The name of the argument.

    Returns
    -------
    classes : list of str

    Raises
    ------
    TypeError
        If it is a text or no sequence.

    ValueError
        If there are fewer than two, or one is empty or there twice.
    """
    if isinstance(classes, str | bytes) or not hasattr(classes, '__len__'):
        msg = (f'{name} must be a sequence of two labels or more, got '
               f'{shown(classes)}')
        raise TypeError(msg)
    texts = [_text(value) for value in classes]
    if len(texts) < 2 or None in texts or len(set(texts)) < len(texts):
        msg = (f'{name} must be two different labels or more, got '
               f'{", ".join(map(str, texts)) or "none"}')
        raise ValueError(msg)
    return texts


def _check_labels(found, classes, name, hint):
    unknown = [label for label in found if label not in classes]
    if unknown:
        msg = (f'{name} have the label {unknown[0]!r}, which is none of the '
               f'classes {", ".join(classes)}{hint}')
        raise ValueError(msg)


def read_votes(votes, *, unknown=()):
    """
    Read a table of votes.

    Parameters
    ----------
    votes : `~astropy.table.Table`
        With the columns galaxy, rater and label, and perhaps time.

    unknown : sequence, optional
        Labels that are no votes, such as "don't know".

    Returns
    -------
    votes : `Votes`
        In the order of time.

    Raises
    ------
    TypeError, ValueError
        If it is no such table.
    """
    table = as_table(votes, 'votes', ('galaxy', 'rater', 'label'))
    if 'time' in table.colnames and len(table):
        times = table['time']
        if np.any(getattr(times, 'mask', False)):
            msg = ("votes: the column 'time' has masked values; leave it out "
                   'if the rows are in order')
            raise ValueError(msg)
        if hasattr(times, 'jd'):
            order = np.lexsort((times.jd2, times.jd1))
        else:
            order = np.argsort(np.asarray(times), kind='stable')
        table = table[order]
    galaxies, galaxy = read_names(table['galaxy'])
    raters, rater = read_names(table['rater'])
    labels, label = read_names(table['label'])
    if isinstance(unknown, str):
        unknown = (unknown,)
    skipped = {_text(value) for value in unknown}
    for k, text in enumerate(labels):
        if text in skipped:
            label[label == k] = -1
    use = (galaxy >= 0) & (label >= 0)
    return Votes(galaxies, raters, labels, galaxy[use], rater[use],
                 label[use], int(np.count_nonzero(~use)))


def code_labels(votes, classes):
    """
    Number the labels of votes by the classes.

    Parameters
    ----------
    votes : `Votes`
        The votes.

    classes : list of str
        The classes.

    Returns
    -------
    label : 1D `~numpy.ndarray` of int, shape (n,)

    Raises
    ------
    ValueError
        If a label is none of the classes.
    """
    used = np.unique(votes.label)
    _check_labels([votes.labels[k] for k in used], classes, 'votes',
                  '; give it as unknown= if it is no vote')
    number = np.array([classes.index(text) if text in classes else -1
                       for text in votes.labels], dtype=np.int64)
    return number[votes.label] if len(number) else votes.label


def read_gold(gold, classes=None):
    """
    Read the labels of galaxies that are known.

    Parameters
    ----------
    gold : `~astropy.table.Table`, dict or `None`
        A table with the columns galaxy and label, or labels by galaxy.

    classes : list of str, optional
        The classes, for a check.

    Returns
    -------
    gold : dict of str
        Labels by galaxy.

    Raises
    ------
    TypeError, ValueError
        If it is no such table, has a galaxy with two labels or a label that
        is none of the classes.
    """
    if gold is None:
        return {}
    if isinstance(gold, dict) and not {'galaxy', 'task'} & set(gold):
        gold = {'galaxy': np.array(list(gold), dtype=object),
                'label': np.array(list(gold.values()), dtype=object)}
    table = as_table(gold, 'gold', ('galaxy', 'label'))
    galaxies, galaxy = read_names(table['galaxy'])
    labels, label = read_names(table['label'])
    result = {}
    for k, c in zip(galaxy.tolist(), label.tolist(), strict=True):
        if k < 0 or c < 0:
            continue
        if result.setdefault(galaxies[k], labels[c]) != labels[c]:
            msg = (f'gold: galaxy {galaxies[k]} has two labels, '
                   f'{result[galaxies[k]]!r} and {labels[c]!r}')
            raise ValueError(msg)
    if classes is not None:
        _check_labels(sorted(set(result.values())), classes, 'gold', '')
    return result


def read_machine(machine, classes):
    """
    Read the probabilities that a machine gives.

    Parameters
    ----------
    machine : `~astropy.table.Table`
        With the column galaxy, and one of the name of each class, or of
        ``p_`` and that name.

    classes : list of str
        The classes.

    Returns
    -------
    galaxies : list of str
        The galaxies; rows with masked or not finite numbers are left out.

    probability : 2D `~numpy.ndarray`, shape (n, k)
        Sums to 1 for each galaxy.

    Raises
    ------
    TypeError, ValueError
        If it is no such table, a galaxy is there twice, or a number is
        negative or above 1 (such as per cent).

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If no row can be used.
    """
    table = as_table(machine, 'machine', ('galaxy',))
    columns = []
    for name in classes:
        known = next((n for n in (name, f'p_{name}') if n in table.colnames),
                     None)
        if known is None:
            msg = (f'machine must have a column {name!r} or '
                   f'{"p_" + name!r} for each class, got the columns '
                   f'{", ".join(table.colnames)}')
            raise ValueError(msg)
        columns.append(np.ma.filled(np.ma.asarray(
            table[known]).astype(float), np.nan))
    values = np.column_stack(columns)
    names, index = read_names(table['galaxy'])
    total = values.sum(axis=1)
    # (a little above 1 by rounding)
    bad = (values < 0) | (values > 1.001)
    if np.any(bad) or np.any(total == 0):
        got = f', got {values[bad][0]:g}' if np.any(bad) else ''
        msg = ('machine must have probabilities from 0 to 1 that are not all '
               f'0 for a galaxy{got}')
        raise ValueError(msg)
    use = (index >= 0) & np.isfinite(total)
    if len(use) and not np.any(use):
        warnings.warn('machine has no galaxy with finite probabilities and '
                      'is of no use', AstropyUserWarning, stacklevel=3)
    if len(np.unique(index[use])) < np.count_nonzero(use):
        again = np.flatnonzero(np.bincount(index[use]) > 1)[0]
        msg = f'machine has galaxy {names[again]} more than once'
        raise ValueError(msg)
    return ([names[k] for k in index[use]],
            values[use] / total[use][:, None])


def first_votes(galaxy, rater, seen=None):
    """
    Find the first vote of each rater on each galaxy.

    Parameters
    ----------
    galaxy, rater : 1D `~numpy.ndarray` of int, shape (n,)
        The votes; a rater of -1 has no name, and all its votes count.

    seen : 1D `~numpy.ndarray` of int, optional
        Earlier pairs, as ``galaxy * 2**32 + rater``.

    Returns
    -------
    first : 1D `~numpy.ndarray` of bool, shape (n,)
    """
    pair = (galaxy.astype(np.int64) << 32) + rater
    first = np.zeros(len(pair), dtype=bool)
    _, where = np.unique(pair, return_index=True)
    first[where] = True
    if seen is not None and len(seen):
        first &= ~np.isin(pair, seen)
    return first | (rater < 0)


def warn_repeated(n):
    """
    Warn that a rater voted on a galaxy again.

    Parameters
    ----------
    n : int
        How many votes are left out.
    """
    if n:
        warnings.warn(
            f'votes: {counted(n, "vote is", "votes are")} left out, since '
            'the same rater voted on the same galaxy before',
            AstropyUserWarning, stacklevel=3)
