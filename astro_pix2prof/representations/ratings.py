# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Ratings that a person gave to galaxies, from a file, a table or a dict.
"""

import csv
import os
import warnings
from collections.abc import Mapping

import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.survey.files import require_file
from astro_pix2prof.wording import counted, shown

__all__ = ['read_ratings']


def read_ratings(ratings, id_column, others=()):
    """
    Read ratings in any of their forms.

    Parameters
    ----------
    ratings : dict, `~astropy.table.Table`, str or path-like
        Ratings by the names of galaxies; or a table, or a CSV or ECSV file,
        with the columns ``id_column`` and 'rating', and perhaps 'source'.
        An empty rating and `None` take one back, and so does not-a-number
        in a table or file, where it means that there is none.

    id_column : str
        The column of names.

    others : sequence of str, optional
        Columns of names that may take its place if it is not there.

    Returns
    -------
    ratings : dict of float
        The ratings by the names as texts. Of several, the mean.

    sources : dict of str
        The files of the images, where they are told.

    column : str
        The column that the names are of.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    TypeError
        If it is none of these, or a rating is not a number.

    ValueError
        If a column is missing, or a rating is not finite.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If ratings of one galaxy differ.
    """
    sources, of = {}, 'ratings'
    if isinstance(ratings, Mapping):
        pairs = list(ratings.items())
    else:
        if isinstance(ratings, Table):
            columns = {name: ratings[name].tolist() for name in (
                ratings.colnames)}
        elif isinstance(ratings, str | os.PathLike) or is_address(ratings):
            of = str(ratings)
            columns = _read_columns(ratings)
        else:
            msg = ('ratings must be a dict, a table or a file, got '
                   f'{shown(ratings)}')
            raise TypeError(msg)
        if id_column not in columns:
            id_column = next((name for name in others if name in columns),
                             id_column)
        missing = [name for name in (id_column, 'rating')
                   if name not in columns]
        if missing:
            msg = (f'{of}: no column {" and ".join(map(repr, missing))}; '
                   f'there are {", ".join(columns)}; ratings need '
                   'the number and a column that names the galaxies')
            raise ValueError(msg)
        pairs = list(zip(columns[id_column], columns['rating'], strict=True))
        if 'source' in columns and id_column != 'source':
            sources = {str(name): str(source) for name, source in zip(
                columns[id_column], columns['source'], strict=True)}
    found = {}
    is_dict = isinstance(ratings, Mapping)
    for name, rating in pairs:
        found.setdefault(str(name), []).append(
            _number(rating, name, of, is_dict))
    _warn_of_several(found, of)
    return {name: float(np.mean(values)) for name, values in found.items()
            }, sources, id_column


def _warn_of_several(found, of):
    """
    Warn of galaxies with ratings that differ.
    """
    several = [(name, values) for name, values in found.items()
               if len({str(value) for value in values}) > 1]
    if several:
        name, values = several[0]
        msg = (f'{of}: {counted(len(several), "galaxy", "galaxies")} with '
               f'ratings that differ, such as {name} with '
               f'{" and ".join(f"{value:g}" for value in values[:5])}: the '
               'mean is used')
        warnings.warn(msg, AstropyUserWarning, stacklevel=4)


def _number(rating, name, of, needs_finite):
    if rating is None or rating is np.ma.masked or (
            isinstance(rating, str) and not rating.strip()):
        return np.nan
    try:
        value = float(rating if not isinstance(rating, bool) else 'bool')
    except (TypeError, ValueError):
        msg = (f'{of}: the rating of {shown(name)} must be a number, got '
               f'{shown(rating)}')
        raise TypeError(msg) from None
    if np.isinf(value) or (needs_finite and np.isnan(value)):
        msg = (f'{of}: the rating of {shown(name)} must be finite, got '
               f'{value}')
        raise ValueError(msg)
    return value


def _read_columns(path):
    path = find_path(path, 'ratings')
    require_file(path, 'ratings')
    if str(path).lower().endswith('.ecsv'):
        table = Table.read(path, format='ascii.ecsv')
        return {name: table[name].tolist() for name in table.colnames}
    # (spreadsheets begin a file with a mark)
    with path.open(encoding='utf-8-sig', newline='') as file:
        try:
            rows = list(csv.reader(file))
        except (csv.Error, UnicodeDecodeError) as error:
            msg = f'ratings: {path} is no CSV or ECSV file: {error}'
            raise ValueError(msg) from error
    if not rows:
        msg = f'ratings: {path} is empty'
        raise ValueError(msg)
    names, *rows = [row for row in rows if row]
    for row in rows:
        if len(row) != len(names):
            msg = (f'ratings: {path} has a row of {len(row)} values below '
                   f'{len(names)} names: {row[:3]}')
            raise ValueError(msg)
    return {name.strip(): [row[k] for row in rows]
            for k, name in enumerate(names)}
