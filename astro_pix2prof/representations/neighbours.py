# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Nearest neighbours of vectors, by one of three packages.
"""

import importlib.util
from itertools import pairwise

import numpy as np

from astro_pix2prof.extras import missing_extra

__all__ = ['ENGINES', 'import_sklearn', 'make_engine']

# Vectors beyond which faiss is taken if it is installed.
_MANY = 100_000

# Graph of usearch, and effort of its search.
_GRAPH = {'connectivity': 16, 'expansion_add': 128, 'expansion_search': 128}

# Queries at once, such that their distances to 10^6 vectors take 0.5 GB.
_BLOCK = 128


def import_sklearn(name, what):
    """
    Import a module of scikit-learn.

    Parameters
    ----------
    name : str
        The module, such as 'decomposition'.

    what : str
        The task that needs it, for the message.

    Returns
    -------
    module : module

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(f'sklearn.{name}')
    except ImportError as error:
        raise missing_extra(package='scikit-learn', extra='search',
                            what=what) from error


class _Sklearn:
    """
    Exact neighbours by scikit-learn.
    """

    exact = True

    def __init__(self, vectors):
        module = import_sklearn('neighbors', 'a search for neighbours')
        self._found = module.NearestNeighbors(algorithm='brute').fit(vectors)

    def nearest(self, vectors, n):
        """
        Find the rows of the n nearest vectors, (k, n).
        """
        return np.concatenate([self._found.kneighbors(
            vectors[start:start + _BLOCK], n_neighbors=n,
            return_distance=False)
            for start in range(0, len(vectors), _BLOCK)])

    def within(self, vectors, radius):
        """
        Yield for each vector the rows at most ``radius`` away.
        """
        for start in range(0, len(vectors), _BLOCK):
            yield from self._found.radius_neighbors(
                vectors[start:start + _BLOCK], radius,
                return_distance=False)


class _Faiss:
    """
    Exact neighbours by faiss.
    """

    exact = True

    def __init__(self, vectors):
        self._found = _import('faiss').IndexFlatL2(vectors.shape[1])
        self._found.add(vectors)

    def nearest(self, vectors, n):
        """
        Find the rows of the n nearest vectors, (k, n).
        """
        return self._found.search(np.ascontiguousarray(vectors), n)[1]

    def within(self, vectors, radius):
        """
        Yield for each vector the rows at most ``radius`` away.
        """
        for start in range(0, len(vectors), _BLOCK):
            ends, _, rows = self._found.range_search(np.ascontiguousarray(
                vectors[start:start + _BLOCK]), radius**2)
            for first, last in pairwise(ends.tolist()):
                yield rows[first:last]


class _Usearch:
    """
    Approximate neighbours by a graph of usearch.
    """

    exact = False

    def __init__(self, vectors):
        module = _import('usearch.index', 'usearch')
        self._found = module.Index(ndim=vectors.shape[1], metric='l2sq',
                                   dtype='f32', **_GRAPH)
        self._found.add(np.arange(len(vectors)), vectors)

    def nearest(self, vectors, n):
        """
        Find the rows of the n nearest vectors, (k, n).
        """
        # (a graph may find fewer than asked for near its borders)
        found = self._found.search(vectors, n)
        keys = np.atleast_2d(found.keys).astype(np.int64)
        counts = np.atleast_1d(getattr(found, 'counts', len(keys[0])))
        short = np.arange(keys.shape[1]) >= counts[:, None]
        keys[short] = -1
        return keys

    within = None


ENGINES = {'sklearn': _Sklearn, 'faiss': _Faiss, 'usearch': _Usearch}

_PACKAGES = {'faiss': 'faiss-cpu', 'usearch': 'usearch'}


def _import(name, package=None):
    package = package or name
    try:
        return importlib.import_module(name)
    except ImportError as error:
        msg = (f'engine={package!r} needs the package '
               f'{_PACKAGES[package]}: pip install {_PACKAGES[package]}, or '
               "give engine='sklearn'")
        raise ImportError(msg) from error


def make_engine(engine, vectors):
    """
    Make a search of nearest neighbours in Euclidean distance.

    Parameters
    ----------
    engine : {'sklearn', 'faiss', 'usearch'} or `None`
        The package; `None` is scikit-learn, or faiss if it is installed and
        there are more than 100,000 vectors.

    vectors : 2D `~numpy.ndarray`, shape (n, d), float32
        The vectors.

    Returns
    -------
    name : str
        The package.

    search : object
        With the methods ``nearest`` and ``within``, and whether it is
        ``exact``.
    """
    if engine is None:
        many = len(vectors) > _MANY
        engine = ('faiss' if many and importlib.util.find_spec('faiss')
                  else 'sklearn')
    return engine, ENGINES[engine](vectors)
