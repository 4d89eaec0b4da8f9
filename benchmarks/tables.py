# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tables and descriptions of machines for all benchmarks.
"""

import os
import os.path
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
from astropy.table import vstack

from astro_pix2prof import (
    Evaluation,
)

PACKAGES = ('astro_pix2prof', 'astropy', 'numpy', 'photutils', 'scipy',
            'torch', 'torchvision')


def plain(value):
    """
    A value as JSON has it: not-a-number is null.
    """
    value = getattr(value, 'value', value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f'{value:.6g}') if np.isfinite(value) else None
    return value


def find_cpu():
    """
    The name of the processor's model.
    """
    path = Path('/proc/cpuinfo')
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def describe_environment():
    """
    The machine and the versions that the figures were made with.
    """
    return {'cpu': find_cpu(), 'cores': os.cpu_count(),
            'threads': int(os.environ['OMP_NUM_THREADS']),
            'machine': platform.machine(),
            'python': platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES}}


def describe_weights(fitter):
    """
    What tells the weights from others.
    """
    names = ('name', 'sha256', 'architecture', 'seed', 'presentations',
             'recipe_digest', 'parameters', 'precision')
    return {**{name: fitter.card.get(name) for name in names},
            'n_views': fitter.n_views, 'batch_size': fitter.batch_size,
            'device': str(fitter.device)}


def join(evaluations):
    """
    One evaluation of the fitters of several, on the same images.

    Raises
    ------
    ValueError
        If the images are not the same.
    """
    if len(evaluations) == 1:
        return evaluations[0]
    seen = []
    for evaluation in evaluations:
        label, rings = evaluation.labels[0], evaluation.rings
        mine = np.asarray(rings['fitter'], dtype=str) == label
        seen.append([np.asarray(rings[name][mine], dtype=float) for name in (
            'image', 'radius', 'surface_brightness')])
    for other in seen[1:]:
        if not all(len(a) == len(b) and np.allclose(a, b)
                   for a, b in zip(seen[0], other, strict=True)):
            msg = ('the evaluation that was read must be of the same images; '
                   'leave out --isophotes to measure these')
            raise ValueError(msg)
    return Evaluation(
        vstack([e.runs for e in evaluations], metadata_conflicts='silent'),
        vstack([e.rings for e in evaluations], metadata_conflicts='silent'),
        mu_limit=evaluations[0].mu_limit)


def text(value, form='.3f'):
    """
    A number, or a dash where there is none.
    """
    return '-' if value is None else format(value, form)


def to_json(value):
    """
    The same with plain values: not-a-number is null.
    """
    if isinstance(value, dict):
        return {str(key): to_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(part) for part in value]
    return plain(value)


def list_table(heading, rows):
    """
    A table in reStructuredText.
    """
    lines = ['.. list-table::', '    :header-rows: 1', '']
    for row in (heading, *rows):
        for i, cell in enumerate(row):
            mark = '*' if not i else ' '
            # (a hyphen would begin a list)
            cell = '–' if cell == '-' else cell
            lines.append(f'    {mark} - {cell}'.rstrip())
    return [*lines, '']


def wrap(sentences, width=79):
    """
    A paragraph of lines that are not too long.
    """
    from textwrap import wrap as wrap_text

    return [*wrap_text(sentences, width, break_long_words=False,
                       break_on_hyphens=False), '']
