# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Names of extensions and files, and the role of their pixels.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ['BACKGROUNDS', 'Role', 'find_role', 'hdu_role', 'is_companion',
           'named_suffix']


@dataclass(frozen=True)
class Role:
    """
    The role of the pixels of an extension or file beside an image.

    Parameters
    ----------
    name : str
        The name of the role, in capital letters, such as 'ERR'.

    kind : {'mask', 'error', 'weight', 'context', 'objects', 'other'}
        The kind of values.

    power : {1, 2, -2}, optional
        The power of sigma that the values of an error are.
    """

    name: str
    kind: str
    power: int = 1


_MASKS = ('MASK', 'DQ', 'BADPIX', 'BPM', 'MSK', 'MASKBITS', 'FLAG', 'FLAGS',
          'BADPIXEL', 'BADPIXELS', 'BADPIXMASK', 'BADPIXELMASK', 'BPMASK',
          'PIXMASK', 'PIXELMASK', 'BADMASK', 'DQI', 'DATAQUALITY', 'QUALITY',
          'DQMASK', 'BITMASK', 'FLG')

_ERRORS = {
    'ERR': 1, 'ERROR': 1, 'SIGMA': 1, 'UNCERT': 1, 'UNC': 1, 'STDDEV': 1,
    'STD': 1, 'RMS': 1, 'NOISE': 1, 'UNCERTAINTY': 1, 'ERRORS': 1,
    'VAR': 2, 'VARIANCE': 2, 'IVAR': -2, 'INVVAR': -2,
    'INVVARIANCE': -2, 'INVERSEVARIANCE': -2,
    # Herschel (PACS)
    'STDEV': 1,
    # ESO (MUSE and others)
    'STAT': 2,
}

# Where these are zero, there are no data: weights, numbers and times of
# exposures, and the confidence maps of VISTA and UKIDSS, whose full value is
# 100.
_WEIGHTS = ('WHT', 'WGT', 'WEIGHT', 'EXP', 'EXPTIME', 'NEXP', 'COVERAGE',
            'COV', 'CONF', 'CONFIDENCE', 'NCOMBINE', 'WEIGHTS', 'EXPOSURE',
            'WT', 'HITS', 'GOOD', 'GOODPIX', 'GOODPIXELS', 'GOODMASK')

# The bits of drizzle for the exposures in a pixel, in several planes if there
# are more than 32; they are read where there are no weights.
_CONTEXTS = ('CTX', 'CON')

# Numbers of objects, of which the galaxy is one.
_OBJECTS = ('OBJMASK', 'OBJECTMASK', 'SEGMAP', 'SEG', 'SEGM', 'SEGMENT',
            'SEGMENTATION', 'SEGIM', 'SEGMASK', 'SOURCEMASK', 'DETMASK')

BACKGROUNDS = ('SKY', 'BACKGROUND', 'BKG')

_EXPOSURES = (*BACKGROUNDS, 'EXPOSURE', 'EXP', 'STD', 'TIME')

_OTHERS = (*BACKGROUNDS, 'AREA', 'PSF', 'PSFIMAGE', 'PSFSIZE', 'VAR_POISSON',
           'VAR_RNOISE', 'VAR_FLAT', 'SAMP', 'TIME', 'D2IMARR', 'WCSDVARR')

_ROLES = {name: Role(name, kind) for names, kind in (
    (_MASKS, 'mask'), (_WEIGHTS, 'weight'), (_CONTEXTS, 'context'),
    (_OBJECTS, 'objects'), (_OTHERS, 'other')) for name in names}
_ROLES |= {name: Role(name, 'error', power)
           for name, power in _ERRORS.items()}

# Names that others use for images, if a number follows.
_PLAIN = ('EXP', 'EXPTIME', 'EXPOSURE', 'TIME', 'AREA', 'CON', 'CTX', 'SAMP')

# Names with that of a band or a chip, such as INVVAR_R (Legacy Surveys).
_NAMED = re.compile(r'([A-Z]+)_([A-Z]|[A-Z]?[0-9]{1,2})')

# Words that tell nothing about the values, as in WEIGHT_MAP and RMSMAP.
_FILLING = re.compile(r'(?<=[A-Z]{2})[\s_-]*(MAPS?|IMAGE|IMG|PLANE|ARRAY)$')

# Words that tell that values are no light, in a name that is not known.
_TELLING = re.compile(
    r'(?<![A-Z])(RMS|ERR(OR)?S?|SIGMA|NOISE|UNC(ERT[A-Z]*)?|(I|INV)?VAR|'
    r'VARIANCE|STDDEV|WEIGHTS?|WHT|WGT|WTMAP|EXPMAP|COV(ERAGE)?|'
    r'CONF(IDENCE)?|[A-Z]*MASK|FLAGS?|FLG|BAD(PIX[A-Z]*)?|DQ|BPM)(MAP)?'
    r'(?![A-Z])')


@lru_cache(maxsize=256)
def find_role(name):
    """
    Find the role that the name of an extension or file tells.

    Parameters
    ----------
    name : str
        The name, such as 'ERR', 'weight_map' or 'INVVAR_R'.

    Returns
    -------
    role : `Role` or `None`
        `None` if the name is that of an image, or not known.
    """
    name = name.strip().upper()
    match = _NAMED.fullmatch(name)
    for text in (name, match[1] if match else name):
        for whole in (text, _compact(text)):
            # (several images named EXP_1, EXP_2 are no weights)
            if text != name and whole in _PLAIN:
                continue
            if whole in _ROLES:
                return _ROLES[whole]
    return None


def _compact(name):
    """
    Leave out separators, and words such as MAP at the end.
    """
    return re.sub(r'[\s_-]', '', _FILLING.sub('', name))


def is_companion(name):
    """
    Tell whether an unknown name looks like that of a mask, error or weight.

    Parameters
    ----------
    name : str
        The name of an extension, which has no role.

    Returns
    -------
    result : bool
        Whether it is.
    """
    return _TELLING.search(name.upper()) is not None


def hdu_role(hdu):
    """
    Find the role that an extension tells by EXTNAME or IMAGETYP.

    Parameters
    ----------
    hdu : HDU of `astropy.io.fits`
        The extension.

    Returns
    -------
    role : `Role` or `None`
        `None` if it is an image.
    """
    for keyword in ('EXTNAME', 'IMAGETYP'):
        value = hdu.header.get(keyword)
        role = find_role(value) if isinstance(value, str) else None
        # (exposures of the sky have such an IMAGETYP)
        if role is not None and (keyword == 'EXTNAME'
                                 or role.name not in _EXPOSURES):
            return role
    return None


def named_suffix(name):
    """
    Find the band or chip in the name of an extension.

    Parameters
    ----------
    name : str
        The name, such as 'INVVAR_R'.

    Returns
    -------
    suffix : str
        Such as 'R'; empty if there is none.
    """
    match = _NAMED.fullmatch(name.upper())
    return match[2] if match else ''
