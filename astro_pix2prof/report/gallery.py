# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The cards of a report's gallery: a galaxy's picture, residual and profile.
"""

import numpy as np

from astro_pix2prof.report.pictures import _pictures, find_image
from astro_pix2prof.report.values import _number, _numbers, _text

__all__ = ['make_card', 'make_cards']


# What a card shows elsewhere, and what is not worth showing.
_NOT_EXTRA = {'index', 'source', 'band', 'flag', 'message', 'n_rings', 'mag',
              'radius_50', 'radius_unit', 'intensity_unit', 'profile',
              'sb_zeropoint'}


def make_cards(rows, chosen, *, folders=(), moved_to=None, images=True,
               hdu=None):
    """
    Make the cards of some galaxies.

    Parameters
    ----------
    rows : iterable of (key, dict)
        Rows as `~astro_pix2prof.report.summary.read_rows` yields them.

    chosen : dict
        By the key of a row: why it was chosen (list of str).

    folders : sequence of `~pathlib.Path`, optional
        Where files with relative names may lie.

    moved_to : `~pathlib.Path`, optional
        A folder where all files may lie, by their names alone.

    images : bool, optional
        Whether to look for the images at all.

    hdu : int or str, optional
        The extension of the FITS files.

    Returns
    -------
    cards : list of dict
        What the page needs of each galaxy: text, numbers, lists of numbers
        and pictures as data URIs. Not-a-number is `None`.
    """
    return [make_card(row, chosen[key], folders=folders, moved_to=moved_to,
                      images=images, hdu=hdu) for key, row in rows]


def make_card(row, why=(), *, folders=(), moved_to=None, images=True,
              hdu=None):
    """
    Make the card of a galaxy.

    Parameters
    ----------
    row : dict
        The columns of the galaxy; 'profile' is a dict of lists.

    why : list of str, optional
        Why it was chosen.

    folders, moved_to, images, hdu
        As for `make_cards`.

    Returns
    -------
    card : dict
    """
    rings = {name: np.asarray([np.nan if v is None else v
                               for v in values or []], dtype=float)
             for name, values in (row.get('profile') or {}).items()}
    radius = rings.get('radius', np.zeros(0))
    sb = rings.get('surface_brightness', np.full(len(radius), np.nan))
    error = rings.get('surface_brightness_err',
                      np.full(len(radius), np.nan))
    calibrated = bool(np.isfinite(sb).any())
    if not calibrated and 'intensity' in rings:
        intensity = np.where(rings['intensity'] > 0, rings['intensity'],
                             np.nan)
        sb = -2.5 * np.log10(intensity)
        error = 1.0857 * rings['intensity_err'] / intensity
    card = {
        'index': row.get('index'), 'source': row.get('source') or '',
        'band': row.get('band') or '', 'flag': int(row.get('flag') or 0),
        'message': row.get('message') or '', 'why': list(why),
        'n_rings': len(radius), 'calibrated': calibrated,
        'unit': '″' if row.get('radius_unit') == 'arcsec' else ' px',
        'mag': _number(row.get('mag'), 3),
        'r50': _number(row.get('radius_50'), 4, significant=True),
        'mu0': _number(sb[0] if calibrated else None, 2),
        'reach': _number(radius[-1] if len(radius) else None, 4,
                         significant=True),
        'rms': None, 'picture': None, 'residual': None, 'note': '',
        'extra': {name: _text(value) for name, value in row.items()
                  if name not in _NOT_EXTRA and _text(value) != ''},
        'rings': {
            'a': _numbers(radius, 4, significant=True),
            'mu': _numbers(sb, 3), 'err': _numbers(error, 3),
            'e': _numbers(rings.get('ellipticity', radius * np.nan), 3),
            'pa': _numbers(rings.get('pa', radius * np.nan), 1),
            'flag': [int(v) for v in np.nan_to_num(
                rings.get('flag', radius * 0))],
        },
    }
    if not images:
        return card
    path = find_image(row, folders, moved_to)
    if path is None:
        card['note'] = 'image not found: profile only'
        return card
    try:
        card.update(_pictures(path, row, rings, hdu))
    except Exception as error:
        # whatever is wrong with an image, the page shows the others
        card['note'] = f'image not shown: {type(error).__name__}: {error}'
    return card
