# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The galaxies that are unlike others, and those that interest a person.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import check_integer, named_options
from astro_pix2prof.representations.acquisition import (
    InterestModel,
    reduce_vectors,
)
from astro_pix2prof.representations.neighbours import import_sklearn
from astro_pix2prof.representations.ratings import read_ratings
from astro_pix2prof.representations.search import VectorSearch
from astro_pix2prof.representations.vectors import GalaxyVectors
from astro_pix2prof.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from astropy.table import Table

    from astro_pix2prof import Survey
    from astro_pix2prof.typing import PathLike

__all__ = ['AnomalyFinder']

# (the examples need an optional package)
__doctest_requires__ = {'AnomalyFinder': ['sklearn']}

# Trees of the forest, and galaxies that each sees.
_TREES, _SAMPLES = 200, 512


class AnomalyFinder(VectorSearch):
    """
    Find unusual galaxies, and learn from ratings which ones are interesting.

    To begin with, galaxies are sorted by an isolation forest: how few
    random cuts separate one from all others. As soon as ratings differ, a
    Gaussian process predicts the rating of all galaxies, and those to be
    rated next are the ones of which it is least certain whether they are
    interesting, that is, above the middle between the lowest and the highest
    rating so far. Every tenth is an isolated one that is unlike those rated.

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
        Columns of numbers that make a vector instead.

    id_column : str, optional
        The column that names a galaxy; by default 'index', 'id', 'name' or
        'source', whichever is there, and otherwise the number of the row.

    keep : list of str, optional
        The columns of the galaxies that results show; by default, all that
        hold no lists.

    n_components : int, optional
        Principal components of the vectors that are used, at most.

    seed : int, optional
        The seed of the forest and of the fits; the same seed gives the same
        results.

    Raises
    ------
    TypeError
        If ``table`` or an option is of the wrong kind.

    ValueError
        If there is no such column, a name occurs twice, or there are fewer
        than two galaxies with vectors.

    ImportError
        If scikit-learn is not installed.

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
    >>> from astro_pix2prof import AnomalyFinder
    >>> rng = np.random.default_rng(1)
    >>> embedding = rng.normal(size=(200, 8))
    >>> embedding[17] += 6
    >>> finder = AnomalyFinder(QTable({'embedding': embedding}))
    >>> finder.next(2)['index'].tolist()[0]
    17
    >>> finder.rate({17: 5, 3: 0})
    >>> int(finder.scores['index'][0])
    17
    """

    @named_options
    def __init__(self, table: Table | Survey | PathLike, *,
                 column: str = 'embedding',
                 columns: Sequence[str] | None = None,
                 id_column: str | None = None,
                 keep: Sequence[str] | None = None, n_components: int = 40,
                 seed: int = 0) -> None:
        self.n_components = check_integer(n_components, 'n_components',
                                          least=1)
        self.seed = check_integer(seed, 'seed', least=0, most=2**32 - 1)
        self._set_up(GalaxyVectors(table, column=column, columns=columns,
                                   id_column=id_column, keep=keep))

    def _set_up(self, vectors):
        if len(vectors) < 2:
            msg = ('the table has 1 galaxy with a vector: there must be two '
                   'or more')
            raise ValueError(msg)
        self._keep(vectors)
        self._points = reduce_vectors(vectors.values, self.n_components,
                                      self.seed)
        self._isolation = self._isolate()
        self._ratings = np.full(len(vectors), np.nan)
        self._model = self._predicted = None

    def _isolate(self):
        """
        Calculate how isolated each galaxy is, from 0 to 1.
        """
        module = import_sklearn('ensemble', 'a search for anomalies')
        forest = module.IsolationForest(
            n_estimators=_TREES, max_samples=min(_SAMPLES, len(self._points)),
            random_state=self.seed)
        return -forest.fit(self._points).score_samples(self._points)

    @property
    def n_rated(self) -> int:
        """
        Number of galaxies that are rated (int).
        """
        return int(np.isfinite(self._ratings).sum())

    def __repr__(self):
        return (f'<{type(self).__name__}: '
                f'{counted(len(self), "galaxy", "galaxies")}, '
                f'{self.n_rated} rated>')

    @property
    def ratings(self) -> QTable:
        """
        The ratings so far (`~astropy.table.QTable`).
        """
        rated = np.isfinite(self._ratings)
        name = self._vectors.id_column
        return QTable({name: self.ids[rated],
                       'rating': self._ratings[rated]})

    def rate(self, ratings: dict[Any, Any] | Table | PathLike) -> None:
        """
        Add the ratings of a person.

        Parameters
        ----------
        ratings : dict, `~astropy.table.Table`, str or path-like
            Numbers by the names of the galaxies, the larger the more
            interesting, such as 0 to 5; or a table, or a CSV or ECSV file,
            with the column of names, or another column that names them
            here too ('id', 'name', 'source'), and 'rating', as the page of
            `~astro_pix2prof.write_report` exports it. A later rating of a
            galaxy replaces an earlier one; `None` or an empty one takes it
            back (in a table or file, also not-a-number).

        Raises
        ------
        TypeError
            If it is none of these, or a rating is not a number.

        ValueError
            If there is no such galaxy, or several have a name, a rating is
            not finite, or the ratings are of the images of another survey.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If ratings of one galaxy differ in a table or file, whose mean
            is used then, or galaxies have no vector.
        """
        found, sources, column = read_ratings(
            ratings, self._vectors.id_column, self._vectors.name_columns())
        if column == self._vectors.id_column:
            self._check_sources(sources)
        else:
            found = self._vectors.rename(found, column)
        rows, values, absent = [], [], 0
        for name, value in found.items():
            if name in self._vectors.ids_left_out:
                absent += 1
                continue
            rows.append(self._vectors.find(name))
            values.append(value)
        if absent:
            msg = (f'{counted(absent, "rating")} of galaxies without a '
                   'vector not used')
            warnings.warn(msg, AstropyUserWarning, stacklevel=2)
        self._ratings[rows] = values
        self._model = self._predicted = None

    def _check_sources(self, sources):
        """
        Check that ratings are of the same images.
        """
        rows = self._vectors.rows
        if not sources or 'source' not in rows.colnames:
            return
        known = dict(zip(map(str, self.ids), map(str, rows['source']),
                         strict=True))
        for name, source in sources.items():
            its = known.get(name, source)
            if source and its and source != its:
                msg = (f'ratings: the galaxy {name} is {source!r} there and '
                       f'{its!r} here: they are of another survey')
                raise ValueError(msg)

    def _predict(self):
        """
        Predict all ratings; `None` while they do not differ.
        """
        rated = np.flatnonzero(np.isfinite(self._ratings))
        if len(np.unique(self._ratings[rated])) < 2:
            return None
        if self._model is None:
            self._model = InterestModel(self._points, rated,
                                        self._ratings[rated], self.seed)
            self._predicted = self._model.predict()
        return self._predicted

    def next(self, n: int = 10) -> QTable:
        """
        Choose the galaxies to rate next.

        Parameters
        ----------
        n : int, optional
            How many.

        Returns
        -------
        table : `~astropy.table.QTable`, n rows
            As `scores`, in the order of choice.

        Raises
        ------
        ValueError
            If fewer galaxies than that are not rated.
        """
        n = check_integer(n, 'n', least=1)
        free = len(self) - self.n_rated
        if n > free:
            msg = (f'n={n} is more than there are: '
                   f'{counted(free, "galaxy", "galaxies")} not rated')
            raise ValueError(msg)
        predicted = self._predict()
        if predicted is None:
            order = np.argsort(-self._isolation, kind='stable')
            rows = order[~np.isfinite(self._ratings[order])][:n]
        else:
            rows = self._model.next_rows(n, *predicted, self._isolation)
        return self._describe(rows)

    @property
    def scores(self) -> QTable:
        """
        All galaxies, the most interesting first: `~astropy.table.QTable`.

        'rank' counts from 1. 'score' is what they are sorted by: the
        rating that a galaxy has, or 'predicted', its expectation; while the
        ratings do not differ, 'isolation', the score of the isolation
        forest (0 to 1). 'predicted_err' is the standard deviation of the
        expectation, and 'rating' that of the person. The columns of the
        galaxies follow.
        """
        score = self._score()
        # (equal ratings: by their prediction)
        predicted = self._predict()
        second = self._isolation if predicted is None else predicted[0]
        return self._describe(np.lexsort((-second, -score)))

    def _score(self):
        predicted = self._predict()
        if predicted is None:
            return self._isolation
        return np.where(np.isfinite(self._ratings), self._ratings,
                        predicted[0])

    def _describe(self, rows):
        rows = np.asarray(rows, dtype=int)
        predicted = self._predict()
        if predicted is None:
            predicted = np.full((2, len(self)), np.nan)
        galaxies, name = self._vectors.rows, self._vectors.id_column
        table = QTable({
            'rank': np.arange(1, len(rows) + 1), name: galaxies[name][rows],
            'score': self._score()[rows],
            'isolation': self._isolation[rows],
            'predicted': predicted[0][rows],
            'predicted_err': predicted[1][rows],
            'rating': self._ratings[rows]})
        for other in galaxies.colnames:
            if other != name:
                taken = other in table.colnames
                table[f'{other}_galaxy' if taken else other] = (
                    galaxies[other][rows])
        table.meta = {'n_galaxies': len(self), 'n_rated': self.n_rated,
                      'n_left_out': self.n_left_out,
                      'encoder': self.encoder, 'seed': self.seed}
        return table

    def _settings(self):
        rated = np.flatnonzero(np.isfinite(self._ratings))
        return {'n_components': self.n_components, 'seed': self.seed,
                'rated': rated.tolist(),
                'ratings': self._ratings[rated].tolist()}

    @classmethod
    def load(cls, path: PathLike) -> AnomalyFinder:
        """
        Read what `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        finder : `AnomalyFinder`

        Raises
        ------
        FileNotFoundError
            If there is no such file.

        ValueError
            If it holds no finder, or is broken.
        """
        self, vectors, meta = cls._read(path)
        self.n_components, self.seed = meta['n_components'], meta['seed']
        self._set_up(vectors)
        self._ratings[meta['rated']] = meta['ratings']
        return self
