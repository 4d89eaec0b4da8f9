# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fine-tune the networks of the package with few examples of one's own.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from astropy.table import QTable, Table

from astro_pix2prof.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_positive,
    check_text,
)
from astro_pix2prof.datasets.pairs import read_pairs
from astro_pix2prof.inference.encoder import (
    encode_with_maps,
    encoder_sha256,
)
from astro_pix2prof.inference.fitter import Pix2ProfFitter
from astro_pix2prof.inference.heads import (
    Head,
    read_embeddings,
    usable_labels,
    warn_of_encoder,
    write_head,
)
from astro_pix2prof.inference.label_checks import (
    check_labels,
    describe_labels,
)
from astro_pix2prof.inference.label_groups import label_groups
from astro_pix2prof.inference.tuning_pairs import (
    HeldOut,
    calibrate,
    check_profiles,
    compare_table,
    prepare_pairs,
    split_pairs,
    with_network,
)
from astro_pix2prof.inference.tuning_progress import StepBar, TrainingBar
from astro_pix2prof.networks.architectures import find_architecture
from astro_pix2prof.networks.encoder.maps import GalaxyMaps
from astro_pix2prof.networks.weights import (
    load_network,
    read_card,
    write_weights,
)
from astro_pix2prof.training.few_labels import fit_head
from astro_pix2prof.training.few_maps import ENCODER_PARTS, tune_encoder
from astro_pix2prof.training.few_pairs import (
    PARTS,
    make_squares,
    pair_errors,
    shift_domain,
    tune_network,
)
from astro_pix2prof.training.gains import describe_result, is_significant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal

    from numpy.typing import ArrayLike

    from astro_pix2prof.typing import PathLike

__all__ = ['FineTuning', 'fine_tune']


# The encoder, whose embeddings heads are fitted to.
_ENCODER = 'encoder'

# The fewest pairs, and the steps of a training.
_LEAST_PAIRS, _STEPS = 20, 100

# The longest time (minutes), and the share of pairs that is held out.
_MINUTES, _VALIDATION = 10.0, 0.2


@dataclass
class FineTuning:
    """
    Result of a fine-tuning.

    Attributes
    ----------
    path : `~pathlib.Path`
        The weights, a ``.safetensors`` file with its model card, a
        ``.json`` file, beside it.

    table : `~astropy.table.QTable`
        What held-out galaxies tell: of pairs, the errors before and after;
        of labels, the figures of the cross-validation.

    improved : bool
        Whether held-out galaxies became better; if not, the weights are
        those of the start. Of labels, whether they are told better than by
        their shares (or their mean), by more than twice the uncertainty of
        that.

    card : dict
        The model card.

    head : `Head` or `None`
        The head, of labels.
    """

    path: Path
    table: QTable
    improved: bool
    card: dict
    head: Head | None = None

    def __str__(self):
        lines = [*self.table.pformat(max_lines=-1, max_width=-1), '']
        if not self.improved:
            # (a head has no start that it could be better than)
            lines.append(self.card['result'] if self.head is not None else
                         'held-out galaxies did not become better: '
                         + self.card['result'])
        return '\n'.join([*lines, f'weights: {self.path}'])


def fine_tune(
        weights: PathLike, data: PathLike | Iterable[Any] | Table | ArrayLike,
        *, out: PathLike, labels: str | ArrayLike | None = None,
        kind: Literal['classes', 'numbers'] = 'classes',
        groups: str | ArrayLike | None = None,
        unfreeze: Literal['all', 'rings', 'last'] | None = None,
        steps: int | None = None, minutes: float = _MINUTES,
        validation: float = _VALIDATION, seed: int = 0,
        licence: str | None = None, description: str = '',
        overwrite: bool = False, progress: bool = False) -> FineTuning:
    """
    Fine-tune a network with tens to hundreds of examples.

    A ring network learns from pairs of images and measured profiles: those
    of a new survey, or profiles of another kind. Part of the galaxies is
    held out; they choose the best weights and calibrate the errors. If
    these do not become better, the weights are those of the start.

    With the encoder, a head is fitted that tells a class or a number of a
    galaxy from its embedding. With some hundreds of labels, the encoder may
    learn, too (``unfreeze``).

    Parameters
    ----------
    weights : str or path-like
        The weights to start with: 'rings' or another ring network, or
        'encoder'.

    data : path-like, iterable, `~astropy.table.Table` or array
        For a ring network, a folder as for `read_pairs`, or an iterable of
        `ImageProfilePair`, at least 20. For the encoder, a table with the
        column ``embedding``, embeddings of the shape (n, d), or a list of
        images.

    out : path-like
        The ``.safetensors`` file to write; its model card goes beside it.

    labels : str or 1D array_like, shape (n,), optional
        For the encoder: a column of ``data``, or the labels. Galaxies
        without a label (masked, empty, not-a-number) are left out.

    kind : {'classes', 'numbers'}, optional
        The kind of the labels. Classes are yes and no (bool, or 0 and 1),
        or texts or integers.

    groups : str or 1D array_like, shape (n,), optional
        For the encoder: a column of ``data``, or values, that rows of one
        galaxy have in common, such as its name, if there are several
        (bands, or images). They are held out together.

    unfreeze : {'all', 'rings', 'last'}, optional
        Parts of the ring network that learn: all (by default); not those
        that find the first centre and ellipses; or only the last one, which
        corrects the profile and states its errors. Of the encoder, none by
        default; 'all', or 'last', those after the maps were read. It then
        needs images as ``data``, or a table with their paths in a column
        ``image``, and 100 labels at least. Unless it stays as it was, it is
        written to ``NAME_encoder.safetensors`` beside the head.

    steps : int, optional
        The number of steps of 16 images, by default 100. This, ``minutes``
        and ``validation`` are for ring networks, too.

    minutes : float, optional
        Stop after this time, if the steps take longer.

    validation : float, optional
        The share of the pairs to hold out, from 0.1 to 0.5, at least 5.

    seed : int, optional
        The seed of everything that is drawn.

    licence : str, optional
        The licence of the weights, for the model card.

    description : str, optional
        What the weights are for, likewise.

    overwrite : bool, optional
        Whether to replace a file that exists.

    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    tuning : `FineTuning`

    Raises
    ------
    ValueError
        If there are too few pairs or labels, or all labels are of one
        class; if profiles do not belong to their images; or an argument is
        out of range, or not used with these weights.

    TypeError
        If an argument is of the wrong kind.

    OSError
        If the file exists and ``overwrite`` is `False`.

    ImportError
        If scikit-learn is needed and is not installed.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For pairs and galaxies that are left out, profiles that are
        doubtful, and embeddings whose encoder is not known.
    """
    out = Path(out)
    if out.suffix != '.safetensors':
        msg = f'out must end in .safetensors, got {str(out)!r}'
        raise ValueError(msg)
    _check_new(out, overwrite)
    seed = check_integer(seed, 'seed', least=0)
    common = {
        'name': out.stem,
        'description': check_text(description, 'description'),
        'licence': check_text(licence, 'licence', optional=True)
        or 'not stated', 'seed': seed,
        'date': time.strftime('%Y-%m-%d', time.gmtime())}
    if str(weights) == _ENCODER:
        _refuse_unused('the encoder', steps=(steps, None),
                       minutes=(minutes, _MINUTES),
                       validation=(validation, _VALIDATION))
        if unfreeze is not None:
            check_choice(unfreeze, 'unfreeze', tuple(ENCODER_PARTS))
        return _tune_encoder(
            data, labels, out, common, groups=groups, kind=check_choice(
                kind, 'kind', ('classes', 'numbers')), unfreeze=unfreeze,
            overwrite=overwrite, progress=check_flag(progress, 'progress'))
    if labels is not None:
        msg = (f'labels are for the encoder; the weights {str(weights)!r} '
               "learn from pairs of images and profiles: give 'encoder', or "
               'leave labels out')
        raise ValueError(msg)
    # (those that find ellipses themselves)
    if not find_architecture(read_card(weights, kinds=(
            'rings', _ENCODER))['architecture']).finds_geometry:
        msg = ('weights must be those of a ring network, such as '
               f"'rings', or 'encoder', got {str(weights)!r}")
        raise ValueError(msg)
    _refuse_unused('a ring network', kind=(kind, 'classes'),
                   groups=(None if groups is None else 'given', None))
    return _tune_rings(
        weights, data, out, common,
        validation=check_number(validation, 'validation', least=0.1,
                                most=0.5),
        unfreeze=check_choice('all' if unfreeze is None else unfreeze,
                              'unfreeze', tuple(PARTS)),
        steps=check_integer(_STEPS if steps is None else steps, 'steps',
                            least=1),
        minutes=check_positive(minutes, 'minutes'),
        progress=check_flag(progress, 'progress'))


def _check_new(path, overwrite):
    """
    Check that weights and their card can be written, and what is there.
    """
    for file in (path, path.with_suffix('.json')):
        if file.exists() and not check_flag(overwrite, 'overwrite'):
            msg = f'out: {file} exists; give overwrite=True to replace it'
            raise OSError(msg)
    # (before anything is learned)
    folder = next(folder for folder in path.absolute().parents
                  if os.path.lexists(folder))
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = ('may not be written to' if folder.is_dir()
                else 'is not a folder')
        msg = f'out: {folder} {what}: give another place for {path.name}'
        raise OSError(msg)


def _refuse_unused(what, **options):
    """
    Refuse options that would change nothing: values and defaults by name.
    """
    given = [f'{name}=' for name, (value, default) in options.items()
             if value != default]
    if given:
        msg = f'{" and ".join(given)} not used with {what}: leave it out'
        raise ValueError(msg)


def _tune_rings(weights, data, out, common, *, validation, unfreeze, steps,
                minutes, progress):
    pairs = data
    if isinstance(data, (str, Path)):
        pairs = read_pairs(data)
    elif not hasattr(data, '__iter__'):
        msg = ('data must be a folder of pairs or an iterable of '
               f'ImageProfilePair, got {type(data).__name__}')
        raise TypeError(msg)
    fitter = Pix2ProfFitter(weights, device='cpu')
    found = prepare_pairs(fitter, pairs)
    if len(found) < _LEAST_PAIRS:
        msg = (f'pairs: {_LEAST_PAIRS} usable pairs are needed at least, '
               f'got {len(found)}; 50 or more are better')
        raise ValueError(msg)
    check_profiles(found)
    train, held = split_pairs(found, validation, common['seed'])
    if not train:
        msg = ('pairs: all are of one galaxy or group, so that none can be '
               'held out; give pairs of several galaxies')
        raise ValueError(msg)
    bare = {**fitter.card, 'error_model': None}
    frames = [item.pair for item in held]

    def score(network):
        return pair_errors(with_network(fitter, network, bare).reader,
                           frames)[0]

    before = HeldOut.measure(fitter, held)
    groups = make_squares([item.pair for item in train], fitter.reader)
    with StepBar(progress, steps) as show:
        tuning = tune_network(
            fitter.network, groups, score, steps=steps,
            seconds=60 * minutes, unfreeze=unfreeze, seed=common['seed'],
            progress=show)
    network = tuning.network
    shift_domain(network, make_squares([item.pair for item in found],
                                       fitter.reader))
    # (what is calibrated is what will be read: in half precision)
    with TemporaryDirectory() as folder:
        network, _ = load_network(write_weights(
            network, bare, Path(folder) / 'tuned.safetensors'))
    after = HeldOut.measure(with_network(fitter, network, bare), held)
    model = calibrate(after, fitter.card.get('error_model'))
    table = compare_table(before, after, model)
    result = (f'tuned for {tuning.best_step} of {tuning.steps} steps'
              if tuning.improved else 'the weights are those of the start, '
              'with errors that were calibrated with the held-out pairs')
    card = {
        **common, 'architecture': 'rings', 'result': result,
        'start': {'weights': fitter.card.get('name', str(weights)),
                  'sha256': fitter.card['sha256']},
        'data': {
            'kind': 'pairs of images and measured profiles',
            'source': str(data) if isinstance(data, (str, Path)) else
            'pairs that were given', 'pairs': len(found),
            'groups': len({item.pair.group for item in found}),
            'trained_with': len(train), 'held_out': len(held)},
        'training': {
            'unfreeze': unfreeze, 'steps': tuning.steps,
            'best_step': tuning.best_step, 'stopped': tuning.stopped,
            'minutes': round(tuning.seconds / 60, 2),
            'losses': 'Laplacian likelihood of the profile, its absolute '
                      'error, that of the means before the correction, '
                      'ellipses, centres, and their stated errors; pulled '
                      'to the weights of the start'},
        'validation': {
            'data': f'{len(held)} held-out pairs, which also chose the '
                    'best step and calibrated the errors',
            'columns': table.colnames,
            'rows': [[_plain(value) for value in row] for row in table]},
        'learning_curve': {
            'columns': ['step', 'mean_error'], 'unit': 'mag',
            'rows': [[step, round(value, 5)]
                     for step, value in tuning.curve]},
        'limits': 'images like those of the pairs; the flag '
                  'OUT_OF_DOMAIN tells which are not',
        'domain': {'data': 'the mean of the pairs, the scatter of the '
                           'weights to start with', 'share': 0.01},
        'error_model': {
            **model, 'n_images': len(held), 'n_views': 1,
            'data': 'held-out pairs of the fine-tuning'},
        'software': _software()}
    path = write_weights(network, card, out)
    return FineTuning(path, table, tuning.improved, read_card(path))


def _plain(value):
    value = getattr(value, 'value', value)
    return str(value) if isinstance(value, str) else round(float(value), 5)


def _software():
    from astro_pix2prof import __version__

    return {'python': platform.python_version(), 'torch': torch.__version__,
            'astro_pix2prof': __version__}


def _tune_encoder(data, labels, out, common, *, kind, groups, unfreeze,
                  overwrite, progress):
    label, values = 'label', labels
    if labels is None:
        msg = ('labels must be a column of data or one label for each '
               'galaxy: a head learns from labels')
        raise ValueError(msg)
    if isinstance(labels, str):
        label = labels
        if not isinstance(data, Table) or labels not in data.colnames:
            known = (', '.join(data.colnames) if isinstance(data, Table)
                     else 'no columns')
            msg = (f'labels: data must be a table with the column '
                   f'{labels!r}, it has {known}')
            raise ValueError(msg)
        values = data[labels]
    table, maps = data, None
    if unfreeze is not None:
        _check_new(_encoder_file(out), overwrite)
        images = _images_of(data)
        check_labels(data if isinstance(data, Table) else images, values,
                     kind, label, groups, unfreeze)
        table, maps = encode_with_maps(
            Pix2ProfFitter(), images, progress=progress)
    elif not isinstance(data, Table) and not _is_numeric(data):
        table = Pix2ProfFitter().encode(list(data), progress=progress)
    embedding, values, left_out, used = usable_labels(
        read_embeddings(table), values, kind, label, table)
    groups = label_groups(groups, data, len(table), used, label=label)
    warn_of_encoder(table, stacklevel=3)
    meta = getattr(table, 'meta', {})
    start = {'name': meta.get('encoder', _ENCODER),
             'sha256': meta.get('encoder_sha256', '')}
    card = {
        **common, 'kind': kind, 'label': label,
        'start': {'weights': start['name'], 'sha256': start['sha256']},
        'encoder': start,
        'data': describe_labels(values, kind, groups, left_out),
        'losses': ('logistic regression' if kind == 'classes'
                   else 'ridge regression') + ' on frozen embeddings',
        'limits': 'galaxies and images like the labelled ones; '
                  'probabilities hold for their shares of the classes',
        'software': _software()}
    note = ''
    if maps is None:
        fitted = fit_head(embedding, values, kind=kind, seed=common['seed'],
                          groups=groups)
    else:
        fitted, note = _unfreeze([maps[k] for k in used], embedding, values,
                                 out, card, kind, groups, unfreeze, progress)
    figures = {name: value for name, value in fitted.metrics.items()
               if isinstance(value, float)}
    found = QTable(rows=[figures])
    for name in found.colnames:
        found[name].info.format = '.4g'
    improved = is_significant(figures, kind)
    card['result'] = describe_result(figures, kind) + note
    head = Head(write_head(fitted, card, out))
    return FineTuning(head.path, found, improved, head.card, head)


def _images_of(data):
    """
    Return the images that an encoder learns from.
    """
    if isinstance(data, Table) and 'image' in data.colnames:
        return [str(path) for path in data['image']]
    if isinstance(data, Table) or _is_numeric(data):
        msg = ('data must be a list of images, or a table with their paths '
               'in a column image, with unfreeze=: an encoder learns from '
               'images and not from embeddings')
        raise ValueError(msg)
    return list(data)


def _encoder_file(out):
    """
    Return the path of the encoder of a head.
    """
    return out.with_name(f'{out.stem}_encoder.safetensors')


def _unfreeze(maps, embedding, values, out, card, kind, groups, unfreeze,
              progress):
    """
    Train the encoder with a head, write it, and complete the head's card.

    Returns
    -------
    fitted : `~astro_pix2prof.training.few_labels.FittedHead`
        The head.

    note : str
        What became of the encoder.
    """
    network, _ = load_network(_ENCODER)
    with TrainingBar(progress) as show:
        tuned = tune_encoder(
            network, GalaxyMaps.stack(maps), embedding, values, kind=kind,
            unfreeze=unfreeze, seed=card['seed'], groups=groups,
            progress=show)
    card['training'] = {
        'unfreeze': unfreeze, 'passes': tuned.epochs,
        'held_out_losses': [[n, round(loss, 5)] for n, loss in tuned.curve]}
    if not tuned.improved:
        return tuned.head, ('; held-out galaxies did not become better when '
                            'the encoder learned, which stays as it was')
    start = read_card(_ENCODER)
    path = write_weights(tuned.network, {
        **{key: card[key] for key in ('description', 'licence', 'seed',
                                      'date', 'start', 'data', 'training',
                                      'software')},
        'name': _encoder_file(out).stem, 'architecture': 'encoder',
        'embedding': start.get('embedding', {}),
        'losses': 'those of the head', 'metrics': tuned.head.metrics,
        'limits': card['limits']}, _encoder_file(out))
    card['encoder'] = {'name': path.stem, 'sha256': encoder_sha256(path)}
    card['losses'] = ('cross-entropy' if kind == 'classes' else
                      'squared error') + ' of the head and the encoder'
    return tuned.head, f'; with the embeddings of {path.name}'


def _is_numeric(data):
    """
    Tell whether data are embeddings rather than images.
    """
    try:
        array = np.asarray(data)
    except (ValueError, TypeError):
        return False
    return array.ndim == 2 and array.dtype.kind in 'iuf'
