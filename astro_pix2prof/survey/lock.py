# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A lock that lets one run at a time write into a folder.
"""

import contextlib
import getpass
import json
import os
import socket
import threading
import time
import uuid
from datetime import UTC, datetime

from astro_pix2prof.addresses import is_address

__all__ = ['hold_folder']


# Seconds between signs of life, and without one until a lock of another
# machine counts as left behind.
_BEAT, _STALE = 30.0, 600.0

# Difference of two starts (ticks or seconds) that are not the same.
_SET = 10

# Seconds that another run may take to write its name into its lock.
_WRITE = 5.0


@contextlib.contextmanager
def hold_folder(folder, part=None):
    """
    Hold the lock of a folder; in an object store there is none.

    Parameters
    ----------
    folder : `~pathlib.Path` or ``upath.UPath``
        The folder, which is there.

    part : tuple of int, optional
        The number (from 1) of a share of the work, and of all shares: these
        can be held at the same time.

    Yields
    ------
    path : `~pathlib.Path` or `None`
        The file of the lock.

    Raises
    ------
    FileExistsError
        If another run holds it; the message says which. The lock of a run
        that has ended without removing it is taken over.
    """
    if is_address(folder):
        # (no sign of life could be given without another request for each)
        yield None
        return
    name = '.lock' if part is None else f'.lock-{part[0]}-of-{part[1]}'
    path, owner = folder / name, _describe_owner()
    _acquire(path, owner)
    stop = threading.Event()

    def beat():
        while not stop.wait(_BEAT):
            with contextlib.suppress(OSError):
                os.utime(path)

    try:
        # (own lock first, then a look at the others: of two that begin at
        # once, at least one sees the other)
        for other in folder.glob('.lock*'):
            if other == path or '.old.' in other.name:
                continue
            if part is not None and other.name.endswith(f'-of-{part[1]}'):
                continue
            found = _read(other)
            if found is None:
                continue   # (it is gone by now)
            if not _is_stale(other, found):
                raise _locked(folder, other, found)
            _remove(other, found)
        threading.Thread(target=beat, daemon=True).start()
        yield path
    finally:
        stop.set()
        if (_read(path) or {}).get('token') == owner['token']:
            path.unlink(missing_ok=True)


def _describe_owner():
    """
    Describe this process such that nobody takes it for another one.
    """
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ''
    return {'host': socket.gethostname(), 'pid': os.getpid(), 'user': user,
            'begin': datetime.now(UTC).isoformat(timespec='seconds'),
            'machine': _machine(), 'process': _process_start(os.getpid()),
            'token': uuid.uuid4().hex}


def _machine():
    """
    Name the running system whose numbers of processes these are.
    """
    found = [socket.gethostname()]
    with contextlib.suppress(OSError):
        with open('/proc/sys/kernel/random/boot_id') as file:
            found.append(file.read().strip())
        # (containers have numbers of their own)
        found.append(os.readlink('/proc/self/ns/pid'))
    return ' '.join(found)


def _process_start(pid):
    """
    Tell when a process began, 0 if unknown, `None` if there is none.
    """
    if os.path.exists('/proc/self/stat'):
        # (ticks since the start of the machine, whatever its clock does)
        try:
            with open(f'/proc/{pid}/stat') as file:
                return int(file.read().rpartition(')')[2].split()[19])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, IndexError):
            return 0
    try:
        import psutil
    except ImportError:
        return 0
    try:
        return round(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return 0


def _acquire(path, owner):
    """
    Make the file of a lock, or raise an error that names its owner.
    """
    while True:
        try:
            with path.open('x', encoding='utf-8') as file:
                json.dump(owner, file)
        except FileExistsError:
            found = _read(path)
            if found is None:
                continue   # (it is gone by now)
            if not _is_stale(path, found):
                raise _locked(path.parent, path, found) from None
            _remove(path, found)
        except OSError:
            # (on a full disk, it is there without an owner)
            path.unlink(missing_ok=True)
            raise
        else:
            return


def _read(path):
    """
    Read the owner of a lock: `None` without lock, empty if it is broken.
    """
    limit = time.monotonic() + _WRITE
    while True:
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
        except FileNotFoundError:
            return None
        except ValueError:
            # (it is being written, or its owner died while it did that)
            if time.monotonic() > limit:
                return {}
            time.sleep(0.05)
        else:
            return found if isinstance(found, dict) else {}


def _is_stale(path, owner):
    """
    Tell whether the owner of a lock is gone.
    """
    if owner.get('machine') == _machine() and isinstance(
            owner.get('pid'), int):
        start = _process_start(owner['pid'])
        # (the clock that the time comes from may have been set)
        return start is None or bool(
            start and owner.get('process')
            and abs(start - owner['process']) > _SET)
    if owner.get('machine', '').split(' ')[0] == socket.gethostname() and (
            _boot(owner['machine']) not in (None, _boot(_machine()))):
        return True   # (the machine was started again)
    # of another machine: by the clock of the file system
    probe = path.with_name(f'.lock.old.{uuid.uuid4().hex}')
    try:
        probe.touch()
        age = probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return True
    finally:
        probe.unlink(missing_ok=True)
    return not owner or age > _STALE


def _boot(machine):
    parts = machine.split(' ')
    return parts[1] if len(parts) > 2 else None


def _remove(path, owner):
    """
    Remove a lock that was left behind, and no newer one.
    """
    aside = path.with_name(f'.lock.old.{uuid.uuid4().hex}')
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    now = _read(aside) or {}
    if owner is not None and now.get('token') != owner.get('token'):
        # another run was faster, and this is its lock
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)


def _locked(folder, path, owner):
    """
    Make the error that says who uses a folder.
    """
    user = f' of {owner["user"]}' if owner.get('user') else ''
    msg = (f'{folder} is in use by another run: process {owner.get("pid")}'
           f'{user} on {owner.get("host")}, since {owner.get("begin")}. Wait '
           f'for it or end it; if there is none, remove {path}')
    return FileExistsError(msg)
