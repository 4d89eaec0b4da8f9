# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Addresses: files that are not on this machine, by fsspec.

A plain path stays what it is, and nothing of fsspec is imported for it. An
address such as ``s3://bucket/x.fits`` becomes a ``upath.UPath``, which has the
methods of a path; credentials come from the environment or from fsspec's
configuration, never out of the address.
"""

import io
import os
import re
import time
from contextlib import contextmanager
from pathlib import Path, PurePath

from astro_pix2prof.extras import missing_extra

__all__ = ['STORES', 'as_source', 'beside', 'copy_here', 'find_path',
           'is_address', 'open_address', 'require_found', 'translated']


# Object stores: an object appears whole or not at all, so that results can be
# written there. (The memory of a process is one, too, for tests.)
STORES = ('s3', 's3a', 'gs', 'gcs', 'abfs', 'abfss', 'az', 'oss', 'memory')

# Servers that are read only.
_SERVERS = ('http', 'https', 'ftp', 'sftp', 'ssh')

_WEB = ('http', 'https')

# (fsspec chains addresses by '::')
_ADDRESS = re.compile(r'([A-Za-z][A-Za-z0-9+.-]+)(::[A-Za-z][A-Za-z0-9+.-]+)*'
                      r'://')

# What `pathlib` and the shell's user make of an address: 's3:/bucket'
_COLLAPSED = re.compile(r'[A-Za-z][A-Za-z0-9+.-]+:/')

# Bytes that are fetched at once; of longer files, only what is read.
_WHOLE = 1 << 24

# Bytes of a file that can only be read as a whole.
_LARGEST = 1 << 30

# Seconds without an answer of a web server.
_TIMEOUT = 60

# Seconds before another attempt at a web server that is overloaded.
_WAITS = (0.5, 2.0)

_OVERLOADED = (429, 500, 502, 503, 504)


class _Name(str):
    """
    The name of an open file, which keeps the place it was read from.
    """

    __slots__ = ('place',)

    place: Path


class _Content(io.BytesIO):
    """
    The content of a file, which keeps its name.
    """

    name = ''


def is_address(path):
    """
    Tell whether a path is an address, such as 's3://bucket/x.fits'.

    Parameters
    ----------
    path : object
        A text, a path, or a ``upath.UPath``.

    Returns
    -------
    found : bool
        Whether it is a text with a scheme, or a ``upath.UPath`` of files that
        are not on this machine.
    """
    if isinstance(path, str):
        return '://' in path and _ADDRESS.match(path) is not None
    # (asking the path itself for its fs would connect to a server)
    return (not isinstance(path, os.PathLike)
            and hasattr(path, 'storage_options')
            and hasattr(type(path), 'fs'))


def find_path(path, name='the path') -> Path:
    """
    Make a path of a text, or of an address once it is known to be of use.

    Parameters
    ----------
    path : str, path-like or ``upath.UPath``
        The path or the address.

    name : str, optional
        The argument, for messages.

    Returns
    -------
    path : `~pathlib.Path` or ``upath.UPath``
        Plain paths, and those after ``file://``, are `~pathlib.Path`.

    Raises
    ------
    ValueError
        If the scheme is not known, or the address holds a password or
        several addresses.

    ImportError
        If a package for it is not installed.
    """
    if not is_address(path):
        found = Path(path)
        if (isinstance(path, PurePath | str)
                and _COLLAPSED.match(str(path))
                and not os.path.lexists(found.parts[0])):
            msg = (f'{name}={str(path)!r} looks like an address that has '
                   'lost a slash, as in pathlib.Path: give it as a text '
                   'with ://, or a upath.UPath')
            raise ValueError(msg)
        return found
    if isinstance(path, _Name):
        return path.place
    if not isinstance(path, str):
        return _make_path(str(path), name, path.storage_options)
    scheme, _, rest = path.partition('://')
    if scheme.lower() == 'file':
        rest = rest.removeprefix('localhost')
        if not rest.startswith('/'):
            msg = (f'{name}={path!r} names another machine: a file of this '
                   'one is file:///folder/name')
            raise ValueError(msg)
        return Path(rest)
    return _make_path(path, name, {})


def _make_path(text, name, options):
    """
    Make a path of fsspec.
    """
    scheme, _, rest = text.partition('://')
    scheme = scheme.lower()
    # (not the colons of an IPv6 address)
    if '::' in re.sub(r'://\[[^/\]]*\]', '://', text):
        msg = f'{name}={text!r} holds several addresses (::): give one'
        raise ValueError(msg)
    user, _, host = rest.partition('/')[0].rpartition('@')
    if ':' in user:
        msg = (f'{name}: the address at {host} holds a password, which would '
               'be written into the results: give it in the environment or '
               'in the configuration of fsspec')
        raise ValueError(msg)
    if scheme not in (*STORES, *_SERVERS):
        msg = (f'{name}={text!r} is an address of a kind that is not known; '
               f'known are file, {", ".join((*_SERVERS, *STORES))}')
        raise ValueError(msg)
    try:
        import fsspec
        from upath import UPath
    except ImportError as error:
        raise missing_extra(
            package='universal_pathlib', extra='survey',
            what=f'the address {name}={text!r}') from error
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        msg = (f'the address {name}={text!r} needs a package that is not '
               f'installed: {error}')
        raise ImportError(msg) from error
    # (other processes write there, too)
    options = {'use_listings_cache': False, **options}
    if scheme in _WEB and not any(
            'client_kwargs' in found for found in (
                options, *map(fsspec.config.conf.get, _WEB, ({}, {})))):
        from aiohttp import ClientTimeout

        options['client_kwargs'] = {'trust_env': True, 'timeout': (
            ClientTimeout(total=None, sock_connect=_TIMEOUT,
                          sock_read=_TIMEOUT))}
    return UPath(f'{scheme}://{rest}', **options)


@contextmanager
def translated(path, task='be read', what=''):
    """
    Name the address in errors, which are those of files.

    Parameters
    ----------
    path : ``upath.UPath``
        The address.

    task : str, optional
        What was to be done, for messages.

    what : str, optional
        The beginning of messages, such as 'catalogue '.

    Raises
    ------
    FileNotFoundError, PermissionError, ConnectionError
        Instead of the exceptions of fsspec and of what it uses.
    """
    try:
        yield
    except Exception as error:
        # (each file system raises kinds of its own)
        cause = error
        while cause is not None and not hasattr(cause, 'status'):
            cause = cause.__cause__
        status = getattr(cause, 'status', None)
        if status in (404, 410) or (
                status is None and isinstance(error, FileNotFoundError)
                and not _is_refused(error)):
            msg = f'{what}no such file: {path}'
            if 'written' in task:
                msg = (f'{what}{path} cannot be written: there is no such '
                       'bucket')
            raise FileNotFoundError(msg) from error
        if status is not None:
            reason = (f'the server answers {status} '
                      f'{getattr(cause, "message", "")}'.strip())
        else:
            while (isinstance(error, FileNotFoundError)
                   and error.__cause__ is not None):
                error = error.__cause__
            reason = ' '.join(str(error).split()) or 'no answer in time'
            if type(error).__name__ not in reason:
                reason = f'{type(error).__name__}: {reason}'
        refused = isinstance(error, PermissionError) or status in (401, 403)
        if refused or 'Credential' in type(error).__name__:
            reason += ('; credentials are read from the environment and the '
                       'configuration of fsspec')
        msg = f'{what}{path} cannot {task}: {reason[:500]}'
        raise (PermissionError if refused else ConnectionError)(msg) from error


def _is_refused(error):
    """
    Tell whether a file is called missing for want of an answer.
    """
    cause = error.__cause__
    while isinstance(cause, FileNotFoundError):
        cause = cause.__cause__
    module = type(cause).__module__ or ''
    return cause is not None and (
        isinstance(cause, TimeoutError | ConnectionError)
        or module.split('.')[0] == 'aiohttp')


def open_address(path, name='the path'):
    """
    Open the file at an address to read it.

    Parameters
    ----------
    path : str or ``upath.UPath``
        The address.

    name : str, optional
        The argument, for messages.

    Returns
    -------
    file : file-like object
        It can seek, and has the address as its ``name``. Up to 16 MiB are
        read at once; of longer files, only the parts that are asked for, if
        the server allows it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    OSError
        If it cannot be read, or is longer than 1 GiB and the server sends
        it as a whole only.
    """
    path = find_path(path, name)
    if isinstance(path, Path):
        return path.open('rb')
    if path.protocol in _WEB:
        for wait in (*_WAITS, None):
            try:
                with translated(path):
                    file = _open_web(path)
                break
            except OSError as error:
                cause = error.__cause__
                while cause is not None and not hasattr(cause, 'status'):
                    cause = cause.__cause__
                if wait is None or getattr(
                        cause, 'status', None) not in _OVERLOADED:
                    raise
                time.sleep(wait)
    else:
        with translated(path):
            file = _open_store(path)
    file.name = _Name(path)
    file.name.place = path
    return file


def _open_store(path):
    """
    Read a file of a store at once if it is short.
    """
    data = path.fs.cat_file(path.path, start=0, end=_WHOLE)
    if len(data) < _WHOLE:
        return _Content(data)
    return path.fs.open(path.path, 'rb', cache_type='readahead')


def _open_web(path):
    """
    Read a file of a web server at once if it is short.
    """
    file = path.fs.open(path.path, 'rb')
    size = getattr(file, 'size', None)
    if size is not None and file.seekable():
        if size > _WHOLE:
            return file
        with file:
            data = file.read()
        if len(data) != size:
            msg = f'{len(data)} of {size} bytes came: it is cut short'
            raise OSError(msg)
        return _Content(data)
    # the server does not tell the size, or gives no parts
    data = bytearray()
    with file:
        while chunk := file.read(1 << 20):
            data += chunk
            if len(data) > _LARGEST:
                msg = f'it holds more than {_LARGEST >> 30} GiB'
                raise OSError(msg)
    return _Content(data)


def as_source(path):
    """
    Give the readers of Arrow a path, or the open file of an address.

    Parameters
    ----------
    path : `~pathlib.Path` or ``upath.UPath``
        The path.

    Returns
    -------
    source : `~pathlib.Path` or file-like object
    """
    return open_address(path) if is_address(path) else path


def require_found(path, what):
    """
    Check that there is a file at an address.

    Parameters
    ----------
    path : ``upath.UPath``
        The address.

    what : str
        The beginning of the message, such as 'catalogue'.

    Raises
    ------
    FileNotFoundError
        If there is none.

    OSError
        If it cannot be reached.
    """
    try:
        with translated(path, what=f'{what} '):
            found = path.fs.info(path.path)
    except FileNotFoundError as error:
        msg = f'{what} {path} does not exist'
        raise FileNotFoundError(msg) from error
    if found.get('type') == 'directory':
        msg = f'{what} {path} is not a regular file'
        raise ValueError(msg)


def beside(path, name):
    """
    Find a file of another name beside that at an address.

    Parameters
    ----------
    path : ``upath.UPath``
        The address.

    name : str
        The name.

    Returns
    -------
    other : ``upath.UPath`` or `None`
        Its address, `None` if there is no such file.

    Raises
    ------
    OSError
        If the server does not answer.
    """
    other = path.parent / name
    try:
        with translated(other):
            found = other.fs.info(other.path)
    except (FileNotFoundError, PermissionError):
        # (stores whose objects may not be listed refuse missing ones)
        return None
    # (servers answer with a page for people, too)
    return None if found.get('mimetype') == 'text/html' else other


@contextmanager
def copy_here(path):
    """
    Copy the file at an address to a folder that is removed afterwards.

    Parameters
    ----------
    path : `~pathlib.Path` or ``upath.UPath``
        The path; a plain one is left where it is.

    Yields
    ------
    path : `~pathlib.Path`
        The copy, of the same name.
    """
    if not is_address(path):
        yield path
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix='astro_pix2prof-') as folder:
        copy = Path(folder) / path.name.partition('?')[0]
        with open_address(path) as file, copy.open('wb') as stream:
            while chunk := file.read(1 << 24):
                stream.write(chunk)
        yield copy
