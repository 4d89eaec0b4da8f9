# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Share the parts of all searches among the vectors of galaxies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from astro_pix2prof.representations.files import load_table, save_table
from astro_pix2prof.representations.vectors import GalaxyVectors

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import numpy as np

    from astro_pix2prof.typing import PathLike

__all__ = ['VectorSearch']


class VectorSearch:
    """
    Base class of searches among galaxies that have a vector each.

    A subclass calls ``_keep``, and says in ``_settings`` what its ``load``
    needs besides the vectors.

    Attributes
    ----------
    n_left_out, left_out : int and dict of int
        How many galaxies were left out, and by their reasons.

    encoder : str
        The network that made the vectors, by the beginning of its
        checksum; empty if it is not known.
    """

    _vectors: GalaxyVectors
    encoder: str
    left_out: dict[str, int]

    def _keep(self, vectors: GalaxyVectors) -> None:
        self._vectors = vectors
        self.encoder, self.left_out = vectors.encoder, vectors.left_out

    def _settings(self) -> dict[str, Any]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def n_left_out(self) -> int:
        """
        Number of galaxies that were left out (int).
        """
        return sum(self.left_out.values())

    @property
    def ids(self) -> np.ndarray:
        """
        The names of the galaxies (1D `~numpy.ndarray`).
        """
        return self._vectors.ids

    @property
    def id_column(self) -> str:
        """
        The column that names a galaxy (str).
        """
        return self._vectors.id_column

    def save(self, path: PathLike, *, overwrite: bool = False) -> Path:
        """
        Write the vectors, and all that belongs to them, to a file.

        Parameters
        ----------
        path : str or path-like
            The file; it ends in ``.parquet`` or ``.ecsv``.

        overwrite : bool, optional
            Whether to replace a file that exists.

        Returns
        -------
        path : `~pathlib.Path`

        Raises
        ------
        ValueError
            If the ending is another one.

        FileExistsError
            If the file exists, and ``overwrite`` is `False`.
        """
        table, meta = self._vectors.state()
        return save_table(table, path, type(self).__name__,
                          {**meta, **self._settings()}, overwrite=overwrite)

    @classmethod
    def _read(cls, path: PathLike) -> tuple[Any, GalaxyVectors,
                                            dict[str, Any]]:
        """
        Read what `save` wrote: an empty object, its vectors, its settings.
        """
        table, meta = load_table(path, cls.__name__)
        return cls.__new__(cls), GalaxyVectors.from_state(table, meta), meta
