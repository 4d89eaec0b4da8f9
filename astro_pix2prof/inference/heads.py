# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Heads: classes or numbers of galaxies from their embeddings.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable, Row, Table
from astropy.utils.exceptions import AstropyUserWarning
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from astro_pix2prof.networks.weights import WeightsError, file_sha256

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from astro_pix2prof.typing import PathLike

__all__ = ['Head', 'read_embeddings']


_TENSORS = 'mean', 'scale', 'weight', 'bias'

# Reasons of failures that a message lists.
_LISTED = 3

# Embeddings have the length 1, to the precision of their storage.
_LENGTH_ERROR = 0.01

# Columns that name a galaxy; they are passed on.
_NAMES = 'id', 'name', 'object_id', 'source', 'ra', 'dec'


def read_embeddings(data):
    """
    Read the embeddings of a table or an array.

    Parameters
    ----------
    data : `~astropy.table.Table` or 2D array_like, shape (n, d)
        A table with a column ``embedding``, or embeddings.

    Returns
    -------
    embedding : 2D `~numpy.ndarray` of float, shape (n, d)
        Not-a-number where there is none.

    Raises
    ------
    ValueError
        If there is no such column, or it has another shape.

    TypeError
        If the data are neither, such as a row, images or a path.
    """
    if isinstance(data, Table):
        if 'embedding' not in data.colnames:
            msg = ('the table must have a column embedding, as that of '
                   'Pix2ProfFitter.encode has; it has '
                   f'{", ".join(data.colnames)}')
            raise ValueError(msg)
        data = data['embedding']
    if isinstance(data, Row):
        msg = ('embeddings must be a table or an array of them, got a row: '
               'give table[k:k + 1] in place of table[k]')
        raise TypeError(msg)
    try:
        values = np.ma.filled(np.ma.asarray(data, dtype=float), np.nan)
    except (TypeError, ValueError) as error:
        msg = ('embeddings must be a table with a column embedding, or an '
               f'array, got {_name_of(data)}: of images, give '
               'Pix2ProfFitter().encode(images); of a survey, '
               'survey.galaxies(); of a file, QTable.read(file)')
        raise TypeError(msg) from error
    if values.ndim != 2 or not values.shape[1]:
        msg = ('embeddings must be 2D, a row for each galaxy, got the shape '
               f'{values.shape}')
        raise ValueError(msg)
    return np.asarray(values)


def _name_of(data):
    return (repr(str(data)) if isinstance(data, (str, Path))
            else f'an object of the type {type(data).__name__}')


class Head:
    """
    Classes or numbers of galaxies from their embeddings.

    `fine_tune` makes one from labelled galaxies, and writes it to a file.

    Parameters
    ----------
    path : str or path-like
        A ``.safetensors`` file that `fine_tune` wrote, with its model card
        beside it.

    Raises
    ------
    FileNotFoundError
        If the file or its card does not exist.

    WeightsError
        If the file is not that of a head, or is damaged.

    Attributes
    ----------
    card : dict
        The model card: labels, encoder, cross-validation, licence, seed.

    kind : str
        'classes' or 'numbers'.

    classes : list
        The classes; empty for numbers.
    """

    def __init__(self, path: PathLike) -> None:
        path = Path(path)
        card_file = path.with_suffix('.json')
        for file in (path, card_file):
            if not file.is_file():
                msg = (f'head: {file} does not exist: a .safetensors file '
                       'and its model card must lie side by side')
                raise FileNotFoundError(msg)
        self.card = _read_head_card(card_file)
        found = file_sha256(path)
        if found != self.card['sha256']:
            msg = (f'head: the SHA-256 of {path} is not that of its model '
                   'card: the file is damaged or another one; copy both '
                   'again')
            raise WeightsError(msg)
        try:
            tensors = load_file(path)
        except SafetensorError as error:
            msg = f'head: {path} is not a safetensors file ({error})'
            raise WeightsError(msg) from error
        missing = [name for name in _TENSORS if name not in tensors]
        if missing or not all(np.isfinite(tensors[name]).all()
                              for name in _TENSORS):
            msg = (f'head: {path} must hold finite '
                   f'{", ".join(_TENSORS)}: fit it again')
            raise WeightsError(msg)
        self.mean, self.scale, self.weight, self.bias = (
            tensors[name].astype(float) for name in _TENSORS)
        self.path = path
        self.kind, self.classes = self.card['kind'], self.card['classes']

    def __repr__(self):
        what = (f'classes {", ".join(map(str, self.classes))}'
                if self.classes else 'a number')
        return f'<{type(self).__name__}: {self.card["label"]}, {what}>'

    def predict(self, data: Table | ArrayLike) -> QTable:
        """
        Predict classes or numbers.

        Parameters
        ----------
        data : `~astropy.table.Table` or 2D array_like, shape (n, d)
            A table with a column ``embedding``, as of
            ``Pix2ProfFitter.encode``, or embeddings.

        Returns
        -------
        table : `~astropy.table.QTable`
            A row for each galaxy, with the columns of ``data`` that name
            it. Of classes, the most probable one and its probability in
            the column of the label and ``p_LABEL``, for yes and no only the
            probability of yes, ``p_LABEL``; for more classes, also
            ``p_LABEL_CLASS`` of each. Of numbers, the number and its error,
            ``LABEL`` and ``LABEL_err``. Galaxies without an embedding have
            not-a-number and an empty text.

        Raises
        ------
        ValueError
            If the embeddings have another number of numbers, some of which
            are not finite, or another length than 1, or if they are, as far
            as the table tells, of another encoder.

        TypeError
            If ``data`` are neither, such as a row or a path.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If a table does not tell its encoder.
        """
        embedding = read_embeddings(data)
        if embedding.shape[1] != len(self.mean):
            msg = (f'the head is for embeddings of {len(self.mean)} numbers, '
                   f'got {embedding.shape[1]}')
            raise ValueError(msg)
        self._check_vectors(embedding)
        meta = getattr(data, 'meta', {})
        other, own = meta.get('encoder_sha256'), self.card.get(
            'encoder', {}).get('sha256')
        if other and own and other != own:
            msg = ('the embeddings are of another encoder (SHA-256 '
                   f'{other[:12]}) than the head ({own[:12]}): encode the '
                   'images again, or fit the head again')
            raise ValueError(msg)
        if own:
            warn_of_encoder(data)
        table = QTable()
        for name in _NAMES:
            if isinstance(data, Table) and name in data.colnames:
                table[name] = data[name]
        logits = (embedding - self.mean) / self.scale @ self.weight.T
        self._fill(table, logits + self.bias)
        table.meta['head'] = self.path.name
        table.meta['head_sha256'] = self.card['sha256']
        return table

    def _check_vectors(self, embedding):
        """
        Refuse vectors that are no embeddings of an encoder.
        """
        there = ~np.isnan(embedding).all(1)
        broken = there & ~np.isfinite(embedding).all(1)
        if broken.any():
            msg = ('embeddings must be finite (or not-a-number throughout '
                   f'where there is none), got {np.count_nonzero(broken)} of '
                   f'{len(broken)} that are not, the first in row '
                   f'{np.flatnonzero(broken)[0]}')
            raise ValueError(msg)
        # (the mean square of the vectors that the head was fitted to)
        fitted = (self.mean**2 + self.scale**2).sum()
        length = np.linalg.norm(embedding, axis=1)
        other = there & ~(np.abs(length - 1) <= _LENGTH_ERROR)
        if abs(fitted - 1) <= 2 * _LENGTH_ERROR and other.any():
            row = np.flatnonzero(other)[0]
            msg = ('embeddings must have the length 1, as Pix2ProfFitter.'
                   f'encode returns them, got {length[row]:.4g} in row {row} '
                   f'(in all, {np.count_nonzero(other)} of {len(other)} '
                   'rows): the vectors are no embeddings, or were rescaled')
            raise ValueError(msg)

    def _fill(self, table, values):
        label = self.card['label']
        if self.kind == 'numbers':
            table[label] = values[:, 0]
            error = self.card['metrics']['error']
            table[f'{label}_err'] = np.where(np.isfinite(values[:, 0]),
                                             error, np.nan)
            return
        if values.shape[1] == 1:
            values = np.column_stack([np.zeros(len(values)), values[:, 0]])
        known = np.isfinite(values).all(1)
        values = np.where(known[:, None], values, 0.0)
        e = np.exp(values - values.max(1, keepdims=True))
        p = np.where(known[:, None], e / e.sum(1, keepdims=True), np.nan)
        if is_yes_no(self.classes):
            table[f'p_{label}'] = p[:, 1]
            return
        best = values.argmax(1)
        names = np.array([str(name) for name in self.classes])
        table[label] = np.where(known, names[best], '')
        table[f'p_{label}'] = p[np.arange(len(p)), best]
        for k, name in enumerate(names):
            table[f'p_{label}_{name}'] = p[:, k]


def warn_of_encoder(data, stacklevel=2):
    """
    Warn of embeddings whose encoder is not known.

    Parameters
    ----------
    data : `~astropy.table.Table` or 2D array_like
        Embeddings; the meta of a table tells the encoder.

    stacklevel : int, optional
        As of `warnings.warn`, seen from the caller.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For a table that does not tell it.
    """
    if isinstance(data, Table) and not data.meta.get('encoder_sha256'):
        msg = ("the encoder of the column 'embedding' is not known, so that "
               'a head for another one is not noticed: the meta of the table '
               "has no 'encoder_sha256', which fitter.encode writes")
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)


def is_yes_no(classes):
    """
    Tell whether classes are no and yes, as `False` and `True` or 0 and 1.
    """
    return len(classes) == 2 and [*map(str, classes)] in (
        ['False', 'True'], ['0', '1'])


def _read_head_card(path):
    try:
        card = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        msg = f'head: the model card {path} is not valid JSON ({error})'
        raise WeightsError(msg) from error
    if not isinstance(card, dict) or card.get('architecture') != 'head' or (
            card.get('kind') not in ('classes', 'numbers')) or any(
            key not in card for key in ('sha256', 'label', 'classes',
                                        'metrics')):
        msg = (f'head: {path} is not the model card of a head: give a file '
               'that fine_tune made of labels')
        raise WeightsError(msg)
    return card


def write_head(fitted, card, path):
    """
    Write a head and its model card.

    Parameters
    ----------
    fitted : `~astro_pix2prof.training.few_labels.FittedHead`
        The head.

    card : dict
        Entries of the card.

    path : path-like
        The ``.safetensors`` file.

    Returns
    -------
    path : `~pathlib.Path`
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # (save_file makes files that only their owner can read)
    path.write_bytes(save({
        name: np.ascontiguousarray(getattr(fitted, name), dtype=np.float32)
        for name in _TENSORS}))
    card = {**card, 'architecture': 'head', 'classes': fitted.classes,
            'metrics': fitted.metrics, 'sha256': file_sha256(path)}
    path.with_suffix('.json').write_text(
        json.dumps(card, indent=1, ensure_ascii=False) + '\n',
        encoding='utf-8')
    return path


def usable_labels(embedding, labels, kind, label, data=None):
    """
    Keep the galaxies that have an embedding and a label.

    Parameters
    ----------
    embedding : 2D `~numpy.ndarray`, shape (n, d)
        Embeddings.

    labels : 1D array_like, shape (n,)
        Labels; masked, empty and not-a-number ones are none.

    kind : {'classes', 'numbers'}
        Their kind.

    label : str
        Their name, for messages.

    data : `~astropy.table.Table` or object, optional
        The table of the embeddings; its columns ``source`` and ``message``
        tell why a galaxy has none.

    Returns
    -------
    embedding, labels : `~numpy.ndarray`
        Of the galaxies that can be used.

    left_out : dict of int
        The numbers of others: 'unlabelled' and 'without_embedding'.

    used : 1D `~numpy.ndarray` of int
        The rows of the galaxies that can be used.

    Raises
    ------
    ValueError
        If the numbers of both differ, or labels are of another kind.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If labelled galaxies have no embedding.
    """
    labels = np.ma.asarray(labels)
    if labels.shape != (len(embedding),):
        msg = (f'labels must be 1D, one for each of {len(embedding)} '
               f'galaxies, got the shape {labels.shape}')
        raise ValueError(msg)
    known = ~np.ma.getmaskarray(labels)
    labels = np.asarray(labels.data)
    if labels.dtype.kind == 'O':
        known &= np.array([item is not None for item in labels])
        labels = np.array([str(item) if item is not None else ''
                           for item in labels])
    if labels.dtype.kind in 'US':
        labels = np.char.strip(labels.astype(str))
        known &= labels != ''
    if labels.dtype.kind == 'f':
        known &= np.isfinite(labels)
    if kind == 'numbers' and labels.dtype.kind not in 'iuf':
        msg = (f'labels: {label} must hold numbers for kind numbers, got '
               f'the type {labels.dtype}')
        raise ValueError(msg)
    if kind == 'classes' and labels.dtype.kind == 'f':
        whole = labels[known] == np.round(labels[known])
        if not whole.all():
            msg = (f'labels: {label} must hold classes, got numbers such as '
                   f'{labels[known][~whole][0]:g}; give kind numbers')
            raise ValueError(msg)
        labels = np.where(known, labels, 0).astype(int)
    there = np.isfinite(embedding).all(1)
    lost = int(np.count_nonzero(known & ~there))
    use = known & there
    reasons = _reasons(data, np.flatnonzero(known & ~there))
    if not use.any():
        msg = (f'labels: no galaxy has both an embedding and a {label}'
               f'{reasons}')
        raise ValueError(msg)
    if lost:
        warnings.warn(f'{lost} of {np.count_nonzero(known)} labelled '
                      f'galaxies have no embedding (left out){reasons}',
                      AstropyUserWarning, stacklevel=4)
    return embedding[use], labels[use], {
        'unlabelled': int(np.count_nonzero(~known)),
        'without_embedding': lost}, np.flatnonzero(use)


def _reasons(data, rows):
    """
    Tell why galaxies have no embedding, as far as a table says it.
    """
    if not isinstance(data, Table) or 'message' not in data.colnames:
        return ''
    found = {}
    for row in rows:
        source = (str(data['source'][row]) if 'source' in data.colnames
                  else f'row {row}')
        # (many fail for one reason)
        found.setdefault(str(data['message'][row]).strip(), source)
    found.pop('', None)
    texts = [f'{source}: {message}' for message, source in found.items()]
    more = f'; and {len(texts) - _LISTED} more' if len(texts) > _LISTED else ''
    return (': ' if texts else '') + '; '.join(texts[:_LISTED]) + more
