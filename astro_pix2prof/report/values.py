# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Numbers and words as a report shows them.
"""


import numpy as np

__all__ = []


def _is_finite(value):
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and bool(np.isfinite(value)))


def _finite(value):
    return float(value) if _is_finite(value) else 0.0


def _number(value, digits, *, significant=False):
    """
    A number that JSON can hold in few characters, or `None`.
    """
    if value is None or not np.isfinite(value):
        return None
    return (float(f'{value:.{digits}g}') if significant
            else round(float(value), digits))


def _numbers(values, digits, *, significant=False):
    return [_number(value, digits, significant=significant)
            for value in np.asarray(values, dtype=float)]


def _text(value):
    """
    A value in a cell of a table; empty if there is none.
    """
    if value is None or isinstance(value, (dict, list)):
        return ''
    if isinstance(value, float):
        return f'{value:.7g}' if np.isfinite(value) else ''
    return str(value)[:300]


def _share(part, total):
    """
    A share in per cent, in words.
    """
    if total == 0:
        return '–'
    share = 100 * part / total
    if 0 < share < 0.01:
        return '<0.01%'
    return f'{share:.2f}%' if share < 1 and part else f'{share:.1f}%'


def _shown_unit(unit):
    return {'pix': 'pixels', '': 'pixels'}.get(unit, unit)


def _duration(seconds):
    """
    A time in the largest units.
    """
    if seconds < 120:
        return f'{seconds:.1f} s'
    if seconds < 7200:
        return f'{seconds / 60:.1f} min'
    return f'{seconds / 3600:.1f} h'
