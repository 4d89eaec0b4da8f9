# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Files beside an image that look like its mask, errors or weights.
"""

import os
import re
import warnings

from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import is_address
from astro_pix2prof.image.extensions import find_role

__all__ = ['file_role', 'unread_files', 'warn_of_role', 'warn_of_unread']


# What follows the name of an image, and the kind of values. Numbers of objects
# are left out: they are no mask of the galaxy's pixels.
_WORDS = {
    'mask': ('mask', 'msk', 'bpm', 'dq', 'flag'),
    'error': ('rms', 'err', 'error', 'sigma', 'unc', 'noise', 'var', 'ivar',
              'invvar'),
    'weight': ('wht', 'weight', 'conf', 'expmap', 'cov')}

# Between the name and the word.
_SEPARATORS = '_.-'

# What images themselves have at the end of their names.
_IMAGE = re.compile(r'(.+)[_.-](sci|img|image|int|data)')

_SUFFIX = re.compile(r'\.(fits?|fts)(\.(gz|fz|bz2|xz|Z))?$', re.IGNORECASE)

# (as messages call them)
_HELD = {'mask': 'a mask', 'error': 'errors', 'weight': 'weights',
         'context': 'bits of exposures', 'objects': 'numbers of objects'}

# (words that names of images have, too, as of simulations with noise)
_UNCLEAR = ('noise', 'var', 'cov', 'conf')

_ALL = '|'.join(word for words in _WORDS.values() for word in words
                if word not in _UNCLEAR)

_LAST = re.compile(rf'[_.-]({_ALL})$')

# What to do about them.
_ADVICE = {'mask': 'give it as mask=', 'error': 'give it as noise= or, if it '
           'holds inverse variances, invvar=',
           'weight': 'where it is 0 there may be no data: give these pixels '
                     'as mask=, or it as invvar= if it is that'}


def unread_files(path, known=()):
    """
    Find files beside an image that may be its mask, errors or weights.

    Parameters
    ----------
    path : `~pathlib.Path` or ``upath.UPath``
        The file of the image. Nothing is looked for beside an address.

    known : iterable of `~pathlib.Path`
        Files that are read already.

    Returns
    -------
    files : dict
        The name of one file by its kind: 'mask', 'error', 'weight'. Each
        name is tried, with the ending of the image, since a folder may have
        very many files.
    """
    suffix = None if is_address(path) else _SUFFIX.search(path.name)
    if suffix is None:
        return {}
    stem = path.name[:suffix.start()]
    stems = [stem]
    if (match := _IMAGE.fullmatch(stem)) is not None:
        stems.append(match[1])
    folder = os.path.join(path.parent, '')
    known = {os.path.basename(name) for name in known}
    found = {}
    for kind, words in _WORDS.items():
        names = (f'{base}{separator}{word}{suffix.group()}' for base in stems
                 for word in words for separator in _SEPARATORS)
        for name in names:
            # (a test that raises no error, which would take longer)
            if os.access(f'{folder}{name}', os.F_OK) and name not in known:
                found[kind] = name
                break
    return found


def file_role(name):
    """
    Find the role that the last word in the name of a file tells.

    Parameters
    ----------
    name : str
        The name, such as 'x_rms.fits'.

    Returns
    -------
    role : `~astro_pix2prof.image.extensions.Role` or `None`
        `None` if it is, or may be, the name of an image.
    """
    suffix = _SUFFIX.search(name)
    match = suffix and _LAST.search(name[:suffix.start()])
    return find_role(match[1]) if match else None


def warn_of_role(name, role):
    """
    Warn of an image that is a mask, error or weight by its name.

    Parameters
    ----------
    name : str
        The extension or file.

    role : `~astro_pix2prof.image.extensions.Role`
        Its role.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        Always.
    """
    warnings.warn(f'{name} is taken as the image, although it holds '
                  f'{_HELD[role.kind]} by its name: choose the image itself',
                  AstropyUserWarning, stacklevel=4)


def warn_of_unread(files, option, is_given):
    """
    Warn of files beside an image that may belong to it and are not read.

    Parameters
    ----------
    files : dict
        As `unread_files` returns them; those that are dealt with are taken
        out.

    option : {'error', 'mask'}
        What is looked for: the errors first, then the mask.

    is_given : bool
        Whether there is one already.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        Once for each kind of file.
    """
    # (either may tell where there are no data, as a weight does)
    kinds = (option, 'weight') if is_given or option == 'mask' else (option,)
    for kind in kinds:
        name = files.pop(kind, None)
        if name is not None and not is_given:
            warnings.warn(f'{name} lies beside the image and is not read: if '
                          f'it belongs to it, {_ADVICE[kind]}',
                          AstropyUserWarning, stacklevel=4)
