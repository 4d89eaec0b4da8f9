# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Make the cards of the gallery: picture, residual and profile of a galaxy.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.texts import utf8_text
from astro_pix2prof.report.values import _number, _numbers, _text

__all__ = ['make_card', 'make_cards']


# Columns that a card shows elsewhere, or that say little.
_NOT_EXTRA = {'index', 'source', 'band', 'flag', 'message', 'n_rings', 'mag',
              'radius_50', 'radius_unit', 'intensity_unit', 'profile',
              'sb_zeropoint'}


def make_cards(rows, chosen, files=None):
    """
    Make the cards of some galaxies.

    Parameters
    ----------
    rows : iterable of (key, dict)
        Rows as `~astro_pix2prof.report.summary.read_rows` yields them.

    chosen : dict
        The reasons why each row was chosen (list of str), by its key.

    files : `~astro_pix2prof.report.pictures.ImageFinder`, optional
        The images; by default, none are shown.

    Returns
    -------
    cards : list of dict
        The text, numbers, lists of numbers, and pictures as data URIs that
        the page needs of each galaxy. Not-a-number is `None`.
    """
    return [make_card(row, chosen[key], files) for key, row in rows]


def make_card(row, why=(), files=None):
    """
    Make the card of a galaxy.

    Parameters
    ----------
    row : dict
        The columns of the galaxy; 'profile' is its profile.

    why : list of str, optional
        The reasons why it was chosen.

    files : `~astro_pix2prof.report.pictures.ImageFinder`, optional
        The images; by default, none are shown.

    Returns
    -------
    card : dict
    """
    profile = row['profile']
    rings = {name: np.asarray(getattr(column, 'value', column), dtype=float)
             for name, column in profile.items()}
    radius, sb = rings['radius'], rings['surface_brightness']
    error = rings['surface_brightness_err']
    calibrated = bool(np.isfinite(sb).any())
    if not calibrated:
        positive = np.where(rings['intensity'] > 0, rings['intensity'],
                            np.nan)
        sb = -2.5 * np.log10(positive)
        error = POGSON * rings['intensity_err'] / positive
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
            'e': _numbers(rings['ellipticity'], 3),
            'pa': _numbers(rings['pa'], 1),
            'flag': [int(v) for v in rings['flag']],
        },
    }
    if files is None:
        return card
    path = files.find(row)
    if path is None:
        card['note'] = 'image not found: profile only'
        return card
    try:
        with warnings.catch_warnings():
            # (the survey has heard them, and its flags tell)
            warnings.simplefilter('ignore', AstropyUserWarning)
            card.update(files.draw(path, profile))
    except Exception as error:
        # One bad image does not stop the page
        card['note'] = (f'image not shown: {type(error).__name__}: '
                        f'{utf8_text(str(error))}')
    return card
