# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The galaxies that are most like a given one.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import (
    check_choice,
    check_integer,
    check_number,
    named_options,
)
from astro_pix2prof.representations.neighbours import ENGINES, make_engine
from astro_pix2prof.representations.search import VectorSearch
from astro_pix2prof.representations.vectors import GalaxyVectors
from astro_pix2prof.wording import counted, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from astropy.table import Row, Table
    from numpy.typing import ArrayLike

    from astro_pix2prof import Pix2ProfFitter, Survey
    from astro_pix2prof.typing import PathLike

__all__ = ['SimilarityIndex']

# (the examples need an optional package)
__doctest_requires__ = {'SimilarityIndex': ['sklearn']}

_METRICS = ('cosine', 'euclidean')

# Pairs beyond which a search for duplicates is given up.
_MAX_PAIRS = 5_000_000

# Galaxies that a query returns.
_DEFAULT = 10


class SimilarityIndex(VectorSearch):
    """
    Search for the galaxies that are most like a given one.

    Parameters
    ----------
    table : `~astropy.table.Table`, `~astro_pix2prof.Survey`, str or path-like
        A table with a row for each galaxy, as ``fitter.encode`` returns it;
        or a survey that was run with ``embedding=True``, or its folder.
        Galaxies that were not measured or whose vector is not finite are
        left out, with a warning.

    column : str, optional
        The column of vectors.

    columns : list of str, optional
        Columns of numbers that make a vector instead, such as structural
        parameters. Each is centred on its median and divided by its
        scatter.

    metric : {'cosine', 'euclidean'}, optional
        How distances are measured: 1 less the cosine of the angle between
        two vectors, or the length of their difference. By default,
        'cosine' for a column of vectors and 'euclidean' for ``columns``.

    engine : {'sklearn', 'faiss', 'usearch'}, optional
        The package that searches. 'sklearn' and 'faiss' are exact,
        'usearch' is approximate and fast. By default, 'sklearn'; and
        'faiss' for more than 100,000 galaxies if it is installed.

    id_column : str, optional
        The column that names a galaxy; by default 'index', 'id', 'name' or
        'source', whichever is there, and otherwise the number of the row.

    keep : list of str, optional
        The columns of the galaxies that results show; by default, all that
        hold no lists.

    Raises
    ------
    TypeError
        If ``table`` or an option is of the wrong kind.

    ValueError
        If there is no such column, a name occurs twice, no galaxy has a
        vector, or an option has another value.

    ImportError
        If the package is not installed.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If galaxies are left out, or the encoder of embeddings is not known.

    Attributes
    ----------
    n_left_out, left_out : int and dict of int
        How many galaxies were left out, and by their reasons.

    encoder : str
        The network that made the vectors, by the beginning of its
        checksum; empty if it is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astro_pix2prof import SimilarityIndex
    >>> table = QTable({
    ...     'name': ['a', 'b', 'c'],
    ...     'vector': np.array([[1, 0], [0.9, 0.1], [0, 1]])})
    >>> index = SimilarityIndex(table, column='vector')
    >>> index.query('a', n=2)['name'].tolist()
    ['b', 'c']
    """

    @named_options
    def __init__(self, table: Table | Survey | PathLike, *,
                 column: str = 'embedding',
                 columns: Sequence[str] | None = None,
                 metric: Literal['cosine', 'euclidean'] | None = None,
                 engine: Literal['sklearn', 'faiss', 'usearch'] | None = None,
                 id_column: str | None = None,
                 keep: Sequence[str] | None = None) -> None:
        metric = check_choice(metric, 'metric', _METRICS, optional=True)
        engine = check_choice(engine, 'engine', tuple(ENGINES), optional=True)
        vectors = GalaxyVectors(table, column=column, columns=columns,
                                id_column=id_column, keep=keep)
        if columns is None and column == 'embedding' and not vectors.encoder:
            msg = ("the encoder of the column 'embedding' is not known, and "
                   'embeddings of another one will not be noticed: the meta '
                   "of the table has no 'encoder_sha256', which "
                   'fitter.encode writes')
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)
        self._set_up(vectors, metric or (
            'cosine' if columns is None else 'euclidean'), engine)

    def _set_up(self, vectors, metric, engine):
        self._keep(vectors)
        self.metric = metric
        self.engine, self._search = make_engine(
            engine, self._searched(vectors.values, vectors.ids))

    @property
    def exact(self) -> bool:
        """
        State of the search: no nearer galaxy is missed (bool).
        """
        return self._search.exact

    def find(self, name: str | int) -> int:
        """
        Find a galaxy by its name.

        Parameters
        ----------
        name : str or int
            The value of ``id_column``; if none was chosen, a text may also
            be that of any other column of texts.

        Returns
        -------
        row : int
            The row in ``galaxies``.

        Raises
        ------
        ValueError
            If there is no such galaxy, or several.
        """
        return self._vectors.find(name)

    @property
    def embeddings(self) -> np.ndarray:
        """
        The vectors (2D `~numpy.ndarray`, shape (n, d)).
        """
        return self._vectors.values

    @property
    def galaxies(self) -> QTable:
        """
        The columns that are kept (`~astropy.table.QTable`).
        """
        return self._vectors.rows

    def __repr__(self):
        return (f'<{type(self).__name__}: '
                f'{counted(len(self), "galaxy", "galaxies")}, '
                f'{self.embeddings.shape[1]} numbers each, {self.metric}, '
                f'{self.engine}>')

    def query(
            self,
            of: str | int | ArrayLike | Row | Table | Sequence[Any] |
                None = None,
            n: int | None = None, *, images: Any = None,
            fitter: Pix2ProfFitter | None = None) -> QTable:
        """
        Find the galaxies that are most like one, or like several.

        Parameters
        ----------
        of : str, int, array, `~astropy.table.Row`, table or list, optional
            The galaxy: its name in the index; its embedding (an array of
            floats); a row or table of ``fitter.encode``; an image, if
            ``fitter`` is given and ``images`` is not; or several of these.
            Of several, the mean is searched for: of their directions if the
            metric is 'cosine'.

        n : int, optional
            How many galaxies to return; by default 10, or all others of
            a smaller index.

        images : object, optional
            An image or a list of images to encode, in any form that the
            fitter takes.

        fitter : `~astro_pix2prof.Pix2ProfFitter`, optional
            The fitter whose ``encode`` makes embeddings of images.

        Returns
        -------
        table : `~astropy.table.QTable`, n rows
            The columns 'rank' (from 1) and 'distance', and those of the
            galaxies, the nearest first. Galaxies of the index that were
            asked with are not among them.

        Raises
        ------
        TypeError
            If ``of`` is none of these.

        ValueError
            If there is no galaxy of this name, an embedding has another
            length, is not finite or of another encoder, or the index has
            fewer than ``n`` other galaxies.
        """
        if n is not None:
            n = check_integer(n, 'n', least=1)
        if images is None and fitter is not None:
            of, images = None, of
        given = [] if of is None else [of]
        if images is not None:
            given.append(_encode(images, fitter))
        if not given:
            msg = 'give a galaxy: of= or images='
            raise ValueError(msg)
        parts = [self._vectors.of(one) for one in given]
        vectors = np.concatenate([part for part, _ in parts])
        own = set.union(*(rows for _, rows in parts))
        others = len(self) - len(own)
        if n is None:
            n = max(min(_DEFAULT, others), 1)
        if n > others:
            msg = (f'n={n} is more than the index has: '
                   f'{counted(others, "other galaxy", "other galaxies")}')
            raise ValueError(msg)
        centre = self._searched(vectors).mean(axis=0, keepdims=True)
        centre = self._searched(centre)
        rows = self._search.nearest(centre, min(n + len(own), len(self)))[0]
        rows = np.array([row for row in rows.tolist()
                         if row >= 0 and row not in own], dtype=int)
        return self._answer(centre[0], rows, n)

    def _searched(self, values, names=None):
        """
        Scale vectors as the metric needs it, to single precision.
        """
        if self.metric == 'cosine':
            values = np.asarray(values, dtype=float)
            if values.shape[1] == 1:
                msg = ("metric='cosine' compares directions, which one number "
                       "has not: give metric='euclidean', or more columns")
                raise ValueError(msg)
            length = np.linalg.norm(values, axis=1, keepdims=True)
            zero = np.flatnonzero(length[:, 0] == 0)
            if len(zero):
                which = '' if names is None else f' of {shown(names[zero[0]])}'
                msg = (f'the vector{which} is zero, which has no direction: '
                       "give metric='euclidean'")
                raise ValueError(msg)
            values = values / length
        return np.ascontiguousarray(values, dtype='f4')

    def _distances(self, centre, rows):
        """
        Calculate distances in double precision: engines round them.
        """
        values = self._vectors.values[rows].astype(float)
        centre = centre.astype(float)
        if self.metric == 'cosine':
            # 1 - cos, without the loss of digits where they are alike
            values /= np.linalg.norm(values, axis=1, keepdims=True)
            centre = centre / np.linalg.norm(centre)
            return 0.5 * ((values - centre)**2).sum(axis=1)
        return np.linalg.norm(values - centre, axis=1)

    def _answer(self, centre, rows, n):
        distance = self._distances(centre, rows)
        # (of equal ones, in the order of the index)
        order = np.lexsort((rows, distance))[:n]
        rows, distance = rows[order], distance[order]
        table = QTable({'rank': np.arange(1, len(rows) + 1),
                        'distance': distance})
        for name in self.galaxies.colnames:
            table[_free(name, table)] = self.galaxies[name][rows]
        table.meta = {'metric': self.metric, 'engine': self.engine,
                      'encoder': self.encoder, 'n_index': len(self),
                      'n_left_out': self.n_left_out}
        return table

    def duplicates(self, max_distance: float) -> QTable:
        """
        Find pairs of galaxies that are nearly the same.

        Such as one galaxy that was observed twice. All galaxies are
        compared with all: the time grows with the square of their number.

        Parameters
        ----------
        max_distance : float
            The largest distance, in the metric of the index.

        Returns
        -------
        pairs : `~astropy.table.QTable`
            The names of both (the column of names with '_1' and '_2') and
            'distance', the nearest first.

        Raises
        ------
        ValueError
            If ``max_distance`` is not positive, or more than five million
            pairs are that near.
        """
        limit = check_number(max_distance, 'max_distance', above=0)
        # (unit vectors: 1 - cos is half of their squared distance)
        radius = np.sqrt(2 * limit) if self.metric == 'cosine' else limit
        search = self._search if self._search.within is not None else (
            make_engine('sklearn', self._searched(self.embeddings))[1])
        values = self._searched(self.embeddings)
        pairs, n_pairs = [], 0
        # (single precision: a little further, and measured again)
        for row, found in enumerate(search.within(
                values, radius * (1 + 1e-3) + 1e-4)):
            found = np.sort(found[found > row])
            distance = self._distances(values[row], found)
            found, distance = (part[distance <= limit]
                               for part in (found, distance))
            pairs.append((np.full(len(found), row), found, distance))
            n_pairs += len(found)
            if n_pairs > _MAX_PAIRS:
                msg = (f'max_distance={limit:g}: more than {_MAX_PAIRS:,} '
                       'pairs are that near: give a smaller one')
                raise ValueError(msg)
        first, second, distance = map(np.concatenate, zip(*pairs,
                                                          strict=True))
        order = np.argsort(distance, kind='stable')
        name = self._vectors.id_column
        return QTable({f'{name}_1': self.ids[first[order]],
                       f'{name}_2': self.ids[second[order]],
                       'distance': distance[order]})

    def _settings(self):
        return {'metric': self.metric}

    @classmethod
    def load(
            cls, path: PathLike, *,
            engine: Literal['sklearn', 'faiss', 'usearch'] |
                None = None) -> SimilarityIndex:
        """
        Read an index that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.

        engine : {'sklearn', 'faiss', 'usearch'}, optional
            As for the class.

        Returns
        -------
        index : `SimilarityIndex`

        Raises
        ------
        FileNotFoundError
            If there is no such file.

        ValueError
            If it holds no index, or is broken.
        """
        engine = check_choice(engine, 'engine', tuple(ENGINES), optional=True)
        self, vectors, meta = cls._read(path)
        self._set_up(vectors, meta['metric'], engine)
        return self


def _encode(images, fitter):
    """
    Encode images; those that cannot be measured are an error here.
    """
    if fitter is None:
        msg = ('images need a fitter that encodes them: give fitter=, such '
               'as Pix2ProfFitter()')
        raise ValueError(msg)
    if not hasattr(fitter, 'encode'):
        msg = f'fitter must have a method encode, got {shown(fitter)}'
        raise TypeError(msg)
    return fitter.encode(images if isinstance(images, list | tuple)
                         else [images])


def _free(name, table):
    while name in table.colnames:
        name = f'{name}_galaxy'
    return name
