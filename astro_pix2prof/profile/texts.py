# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Texts in columns of tables: of any length, and such that files hold them.
"""

import numpy as np

__all__ = ['text_array', 'utf8_text']


# Bytes that an array of a fixed width may always have, and how many times
# the size of its texts a larger one may have.
_SMALL, _FACTOR = 1 << 24, 16


def text_array(texts):
    """
    Convert texts to an array.

    Parameters
    ----------
    texts : sequence of str or `None`
        The texts; `None` becomes an empty one.

    Returns
    -------
    array : 1D `~numpy.ndarray`
        Of a fixed width, which FITS tables need, unless a few long texts
        would widen many short ones: then of objects.
    """
    texts = ['' if text is None else str(text) for text in texts]
    longest = max(map(len, texts), default=0)
    size = 4 * longest * len(texts)
    if size > max(_SMALL, _FACTOR * 4 * sum(map(len, texts))):
        array = np.empty(len(texts), dtype=object)
        array[:] = texts
        return array
    return np.array(texts, dtype=str)


def utf8_text(text):
    r"""
    Replace what UTF-8 cannot hold, such as in names of files.

    Parameters
    ----------
    text : str
        A text that may hold lone surrogates.

    Returns
    -------
    text : str
        The same text, with ``\udce9`` in place of such a character.
    """
    return text.encode('utf-8', 'backslashreplace').decode('utf-8')
