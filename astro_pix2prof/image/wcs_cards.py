# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Contradictions between the keywords of a WCS.
"""

import numpy as np

from astro_pix2prof.image.header import header_number

__all__ = ['find_contradiction']


# Differences worth a warning: a part of the size of a pixel, and degrees.
_SCALE, _DEGREES = 0.05, 3.0

_NAMES = frozenset(f'{name}{k}' for name, ends in (
    ('CD', ('1_1', '1_2', '2_1', '2_2')), ('PC', ('1_1', '1_2', '2_1', '2_2')),
    ('CDELT', '12'), ('CROTA', '12'), ('CUNIT', '1'), ('CTYPE', '1'),
    ('CRVAL', '12')) for k in ends)

# Units of a WCS in which coordinates of degrees would be next to zero, and
# their number in a degree.
_SMALL_UNITS = {'arcsec': 3600, 'arcmin': 60}


def find_contradiction(header):
    """
    Find keywords of a WCS that contradict those that are used.

    The standard has the matrix of CD, or that of PC with CDELT, or CROTA2 with
    CDELT; files that were binned or rotated may have an old one beside a new
    one.

    Parameters
    ----------
    header : mapping
        The header of the image.

    Returns
    -------
    text : str
        What a warning should say; empty if there is no contradiction.
    """
    names = _NAMES.intersection(header)
    # (what is read is quick to look up, what is missing is not)
    header = {name: header[name] for name in names}
    if 'CUNIT1' in header and (text := _find_degrees(header)):
        return text
    if not any(name.startswith(('CD1', 'CD2', 'PC', 'CRO'))
               for name in names):
        return ''
    delta = [header_number(header, f'CDELT{k}') for k in (1, 2)]
    # (0 and 1 are placeholders)
    has_delta = all(value not in (None, 0.0, 1.0) for value in delta)
    matrix, used = _read_matrix(header, 'CD', 0.0), 'CD'
    parts = _read_matrix(header, 'PC', 1.0)
    if parts is not None:
        both = np.array([[1.0 if value is None else value]
                         for value in delta]) * parts
        if matrix is not None and not np.allclose(
                both, matrix, rtol=0, atol=_SCALE * np.abs(matrix).max()):
            return ('CD and PC with CDELT, which give different pixels: PC is '
                    'used')
        matrix, used = both, 'PC'
    elif matrix is not None and has_delta:
        sizes = [np.sqrt(abs(value)) for value in (
            np.linalg.det(matrix), delta[0] * delta[1])]
        if sizes[0] > 0 and abs(sizes[1] / sizes[0] - 1) > _SCALE:
            return (f'CD with pixels of {sizes[0]:.4g} and CDELT with pixels '
                    f'of {sizes[1]:.4g}: CD is used')
    first, second = (header_number(header, f'CROTA{k}') or 0.0
                     for k in (1, 2))
    if matrix is not None:
        angle = np.degrees(np.arctan2(-matrix[0, 1], matrix[1, 1])) + 0.0
        if second and min(_turn(angle - second), _turn(
                angle + second)) > _DEGREES:
            return (f'CROTA2={second:g} and {used} with a rotation by '
                    f'{angle:.4g} degrees: {used} is used')
    elif not second and _turn(first) > _DEGREES:
        return (f'CROTA1={first:g} and no CROTA2, which alone rotates an '
                'image: no rotation is used')
    return ''


def _find_degrees(header):
    """
    Describe a reference position that seems to be in degrees and is not.

    CUNIT is the unit of CDELT and CD, and of CRVAL, too (FITS standard 4.0,
    section 8.2).
    """
    unit = str(header['CUNIT1']).strip().lower()
    place = [header_number(header, f'CRVAL{k}') for k in (1, 2)]
    if (unit not in _SMALL_UNITS or None in place
            or not str(header.get('CTYPE1', '')).startswith(
                ('RA', 'DEC', 'GL'))):
        return ''
    # (relative coordinates begin at or near 0)
    if not (abs(place[0]) <= 360 and abs(place[1]) <= 90
            and max(map(abs, place)) > 1):
        return ''
    degrees = [value / _SMALL_UNITS[unit] for value in place]
    return (f'CUNIT1={unit!r}, which is the unit of CRVAL1={place[0]:g} and '
            f'CRVAL2={place[1]:g}, too: these are {degrees[0]:.4g} and '
            f'{degrees[1]:.4g} degrees, as if CRVAL were in degrees and only '
            'the pixels in this unit: positions on the sky are wrong then')


def _read_matrix(header, name, diagonal):
    """
    Read the matrix of CD or PC; `None` if there is none.
    """
    values = [header_number(header, f'{name}{i}_{j}') for i in (1, 2)
              for j in (1, 2)]
    if all(value is None for value in values):
        return None
    return np.array([default if value is None else value
                     for value, default in zip(
                         values, (diagonal, 0.0, 0.0, diagonal), strict=True)
                     ]).reshape(2, 2)


def _turn(angle):
    """
    Calculate how far an angle is from half turns (degrees).
    """
    return abs((angle + 90) % 180 - 90)
