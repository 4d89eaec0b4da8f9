# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Check the addresses that a catalogue, or a template with its values, names.

Nobody trusts them: they are of few kinds, and do not leave the folder of a
template, nor the bucket or host of the catalogue that they are relative to.
"""

import re
from string import Formatter
from urllib.parse import unquote

from astro_pix2prof.addresses import find_path

__all__ = ['check_below', 'check_remote', 'is_remote', 'join_address',
           'template_folder']


_REMOTE = re.compile(r'[A-Za-z][A-Za-z0-9+.-]+://')

# Addresses that can be fetched; 'file://' would be a way around the checks.
_SCHEMES = tuple(f'{name}://' for name in (
    'http', 'https', 'ftp', 's3', 's3a', 'gs', 'gcs', 'abfs', 'abfss', 'az',
    'memory'))


def is_remote(text):
    """
    Tell whether a name is an address.
    """
    return isinstance(text, str) and _REMOTE.match(text) is not None


def check_remote(text, allow_remote):
    """
    Return an address if it may be fetched.
    """
    if text.lower().startswith('file://'):
        msg = (f'{text[:200]!r} cannot be a name in a catalogue: give the '
               'path without file://')
        raise ValueError(msg)
    if not allow_remote:
        msg = (f'{text[:200]!r} is an address: only files of this machine '
               'are read, unless allow_remote=True (--allow-remote)')
        raise ValueError(msg)
    if not text.lower().startswith(_SCHEMES):
        msg = (f'{text[:200]!r} cannot be fetched: the address must begin '
               f'with {", ".join(_SCHEMES)}')
        raise ValueError(msg)
    return text


def template_folder(template, option='images'):
    """
    Find the folder of a template that is an address.

    Parameters
    ----------
    template : str
        Such as 's3://bucket/images/{id}.fits'.

    option : str, optional
        The argument, for messages.

    Returns
    -------
    folder : str
        Such as 's3://bucket/images/'.

    Raises
    ------
    ValueError
        If a column stands in the name of the host or the bucket.

    ImportError
        If a package for it is not installed.
    """
    folder = template.split('{')[0].split('?')[0]
    folder = folder[:folder.rfind('/') + 1]
    if not re.fullmatch(r'[^/]+://[^/]+/.*', folder):
        msg = (f'{option}={template!r} must hold the name of the host or '
               'bucket and a / before the first column in braces')
        raise ValueError(msg)
    find_path(folder, option)
    return folder


def check_below(text, folder, template):
    """
    Check that an address lies below the folder of its template.

    Parameters
    ----------
    text : str
        The address: the template with values of a row.

    folder : str
        As `template_folder` returns it.

    template : str
        The template.

    Raises
    ------
    ValueError
        If the values lead to another folder, or add a query to an address
        of the web.
    """
    tail = text[len(folder):]
    inside = text.startswith(folder) and not _leads_up(tail)
    if text.lower().startswith(('http:', 'https:')):
        # (these would end the path, or begin another parameter)
        literal = ''.join(part for part, *_ in Formatter().parse(template))
        inside = inside and all(text.count(sign) == literal.count(sign)
                                for sign in '?#&')
    if not inside:
        msg = (f'{text[:200]!r} leads out of {folder}, the folder of the '
               'template; give a column of addresses if the images lie '
               'elsewhere')
        raise ValueError(msg)


def _leads_up(text):
    """
    Tell whether a part of an address leads up, or does so once decoded.
    """
    for _ in range(3):
        if any(part in ('.', '..') for part in re.split(r'[/?=&]', text)) or (
                '\\' in text or '::' in text or not text.isprintable()):
            return True
        text = unquote(text)
    return False


def join_address(base, text):
    """
    Find the file of a relative name in a catalogue that has an address.

    Parameters
    ----------
    base : ``upath.UPath``
        The folder of the catalogue.

    text : str
        The name.

    Returns
    -------
    path : ``upath.UPath``
        The address, in the same bucket or on the same host.

    Raises
    ------
    ValueError
        If the name is absolute or leads elsewhere.
    """
    scheme, _, rest = str(base).rstrip('/').partition('://')
    # (the first is the host or the bucket)
    parts, own = rest.split('/'), []
    outside = text.startswith('/')
    for part in text.split('/'):
        if part == '..':
            outside = outside or len(parts) == 1
            parts.pop()
        elif part != '.':
            parts.append(part)
            own.append(part)
        if not parts:
            break
    new = '/'.join(parts)
    if outside or _leads_up('/'.join(own)):
        msg = (f'{text[:200]!r} leads away from {base}, where the catalogue '
               'lies: give names relative to it, addresses or a template')
        raise ValueError(msg)
    return type(base)(f'{scheme}://{new}', **base.storage_options)
