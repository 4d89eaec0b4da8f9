# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure galaxies in a process apart, and find those that end it.

A fault in a library, or the lack of memory, ends a process without an
exception. A mark beside each part that is begun tells the next attempt that
the last one did not come to an end. That attempt takes place in a child, and
in ever smaller pieces until the galaxy that is to blame is alone.
"""

import contextlib
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading

from astro_pix2prof.addresses import is_address
from astro_pix2prof.extras import missing_extra
from astro_pix2prof.survey.arrow import join_results, pack_rows, unpack_rows
from astro_pix2prof.survey.bands import BandError
from astro_pix2prof.survey.cluster import ENVIRONMENT
from astro_pix2prof.survey.storage import put_whole
from astro_pix2prof.survey.warned import WARNED

__all__ = ['ChildProcess', 'ProcessDiedError', 'begin_part', 'close_children',
           'find_marks', 'get_child', 'mark_path', 'measure_apart']


_COMMAND = 'from astro_pix2prof.survey.isolation import main; main()'

# What stands in front of a message: its length in bytes.
_LENGTH = struct.Struct('>Q')

# A galaxy with which a process ends is tried so often, alone: another
# program may have taken the memory.
_TRIES = 2

# If so many galaxies end their processes and none does not, the fault is not
# theirs.
_MAX_KILLERS = 8

# Seconds until a child that is not needed any more is killed.
_END = 5.0

# Explanations of signals.
_CAUSES = {'SIGKILL': ': out of memory?', 'SIGSEGV': ': a fault in a library',
           'SIGBUS': ': a file that became shorter, or a fault in a library'}

# The children of this process, by job and thread.
_CHILDREN = {}


class ProcessDiedError(RuntimeError):
    """
    A process ended in the middle of a task, for instance for lack of memory.
    """


def mark_path(path):
    """
    Make the path of the mark of a part that was begun.
    """
    return path.with_name(f'.{path.name}.started')


def find_marks(folder):
    """
    List the marks of parts that were begun and did not come to an end.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder of a survey.

    Returns
    -------
    marks : list of `~pathlib.Path`
        As `mark_path` gives them.
    """
    return [mark for pattern in ('', 'parts-*/', '.parts/*/')
            for mark in folder.glob(f'{pattern}.part-*.started')]


@contextlib.contextmanager
def begin_part(path):
    """
    Mark a part as begun until it is done, or an exception tells why not.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file of the part.

    Yields
    ------
    died : bool
        Whether an earlier attempt came to no end.
    """
    mark = mark_path(path)
    died = mark.exists()
    try:
        if not died:
            _write_mark(mark, f'process {os.getpid()}\n')
        yield died
    except BaseException:
        # (this process lives; what an earlier one died of may be there yet)
        if not died:
            mark.unlink(missing_ok=True)
        raise
    mark.unlink(missing_ok=True)


def _write_mark(mark, text):
    """
    Write a mark; it need not outlive the machine, only the process.
    """
    if is_address(mark):
        put_whole(mark, lambda part: part.write_text(text))
    else:
        mark.write_text(text, encoding='utf-8')


class ChildProcess:
    """
    A process that does a job, one request after the other.

    It ends with this one, and is replaced when it has died.

    Parameters
    ----------
    job : `~astro_pix2prof.survey.job.SurveyJob`
        The job.

    number : int, optional
        The number of the process: with several GPUs, each has its own.
    """

    def __init__(self, job, number=0):
        self._job, self._number, self._process = job, number, None

    @property
    def bands(self):
        """
        The bands besides the reference (list of str).
        """
        return [] if self._job.bands is None else self._job.bands.others

    def measure(self, rows, start, *, errors=None, strict=False):
        """
        Measure some rows.

        Parameters
        ----------
        rows, start, errors, strict
            As for `~astro_pix2prof.survey.job.SurveyJob`.

        Returns
        -------
        table : `pyarrow.Table`
            The results.

        Raises
        ------
        ProcessDiedError
            If the process ended.

        RuntimeError
            If no process can be started.

        ImportError
            If cloudpickle is needed to send the job, and not installed.
        """
        if self._process is None:
            self._start()
        table, notes = self._ask(
            (pack_rows(rows), start, errors or {}, strict))
        WARNED.update(notes)
        return unpack_rows(table)

    def close(self):
        """
        End the process.
        """
        if self._process is None:
            return
        # (it ends without an owner, along with its fork)
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process = None

    def _start(self):
        request = {'path': sys.path, 'number': self._number,
                   'job': _pickle_job(self._job)}
        self._process = subprocess.Popen(
            [sys.executable, '-c', _COMMAND], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, **ENVIRONMENT})
        try:
            # (it makes the fitter before any galaxy could be to blame)
            self._ask(request)
        except ProcessDiedError as error:
            self.close()
            msg = ('a process to measure in cannot be started: '
                   f'{error}'.replace('the process that measured it', 'it'))
            raise RuntimeError(msg) from error
        except BaseException:
            self.close()
            raise

    def _ask(self, request):
        try:
            _send(self._process.stdin, pickle.dumps(request))
            answer = _receive(self._process.stdout)
        except OSError:
            answer = None
        except BaseException:
            # (an answer that comes later would be taken for the next one)
            self.close()
            raise
        if answer is None:
            self._process.stdout.close()
            code = self._process.wait()
            self.close()
            raise ProcessDiedError(_describe_end(code))
        # (from a child of this process, through a pipe)
        kind, found = pickle.loads(answer)  # nosec B301
        if kind == 'died':
            raise ProcessDiedError(_describe_end(found))
        if kind == 'error':
            raise found
        return found


def _describe_end(code):
    """
    Say in what way a process ended.
    """
    if code >= 0:
        return f'the process that measured it ended with the status {code}'
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f'signal {-code}'
    return (f'the process that measured it was killed by {name}'
            f'{_CAUSES.get(name, "")}')


def _pickle_job(job):
    """
    Convert a job to bytes; functions of the user's script are part of it.
    """
    try:
        import cloudpickle
    except ImportError:
        try:
            return pickle.dumps(job)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise missing_extra(
                package='cloudpickle', extra='survey',
                what='a function in another process') from error
    return cloudpickle.dumps(job)


def _send(file, data):
    file.write(_LENGTH.pack(len(data)))
    file.write(data)
    file.flush()


def _receive(file):
    """
    Read a message, `None` at the end of the file.
    """
    head = _read(file, _LENGTH.size)
    return None if head is None else _read(file, _LENGTH.unpack(head)[0])


def _read(file, size):
    """
    Read so many bytes (a pipe gives fewer at once), `None` if they end.
    """
    data = bytearray()
    while len(data) < size:
        found = file.read(size - len(data))
        if not found:
            return None
        data += found
    return bytes(data)


def main():
    """
    Do a job in a child; standard input tells which, and for which rows.
    """
    # (whatever images or libraries print must not get in between)
    answers = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)
    # an interruption is for the process that started this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = os.fdopen(os.dup(0), 'rb', buffering=0)
    # (from the process that started this one)
    request = pickle.loads(_receive(requests))  # nosec B301
    try:
        sys.path[:] = request['path']
        job = pickle.loads(request['job'])  # nosec B301
        job.prepare(request['number'])
    except Exception as error:
        _send(answers, _pack_answer(('error', error)))
        return
    torch = sys.modules.get('torch')
    # (elsewhere, libraries of the system do not survive it)
    fork = (sys.platform.startswith('linux')
            and threading.active_count() == 1 and not (
                torch is not None and torch.cuda.is_initialized()))
    _send(answers, pickle.dumps(('ok', None)))
    if fork:
        _keep(job, request['number'], requests, answers)
    else:
        # (neither a GPU nor threads can be used after a fork)
        _serve(job, request['number'], requests, answers)


def _serve(job, number, requests, answers):
    """
    Answer requests until there are no more.
    """
    while (data := _receive(requests)) is not None:
        rows, start, errors, strict = pickle.loads(data)  # nosec B301
        try:
            table = pack_rows(job(
                unpack_rows(rows), start, number=number, errors=errors,
                strict=strict))
            found = 'ok', (table, WARNED.take())
        except Exception as error:
            found = 'error', error
        _send(answers, _pack_answer(found))


def _keep(job, number, requests, answers):
    """
    Answer requests by a fork of this process, and replace one that died.

    A fork costs no time; to start a process and to load everything does.
    """
    pid = fork = None
    while (data := _receive(requests)) is not None:
        if pid is None:
            pid, fork = _fork(job, number, requests, answers)
        answer = None
        try:
            _send(fork[1], data)
            # (nothing is asked before the answer: this is the end)
            if requests in select.select([requests, fork[0]], [], [])[0]:
                break
            answer = _receive(fork[0])
        except BrokenPipeError:
            pass
        if answer is None:
            _, status = os.waitpid(pid, 0)
            pid = None
            for file in fork:
                with contextlib.suppress(OSError):
                    file.close()
            answer = pickle.dumps(
                ('died', os.waitstatus_to_exitcode(status)))
        _send(answers, answer)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(job, number, requests, answers):
    """
    Fork this process; return the number of the other, and its two pipes.
    """
    (ask_out, ask_in), (answer_out, answer_in) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid:
        os.close(ask_out)
        os.close(answer_in)
        return pid, (os.fdopen(answer_out, 'rb', buffering=0),
                     os.fdopen(ask_in, 'wb'))
    try:
        for file in (requests, answers):
            os.close(file.fileno())
        os.close(ask_in)
        os.close(answer_out)
        _serve(job, number, os.fdopen(ask_out, 'rb'),
               os.fdopen(answer_in, 'wb'))
    finally:
        os._exit(0)


def _pack_answer(found):
    """
    Convert an answer to bytes; not all exceptions can be sent.
    """
    try:
        data = pickle.dumps(found)
        pickle.loads(data)  # nosec B301
    except Exception:
        data = pickle.dumps(('error', RuntimeError(
            f'{type(found[1]).__name__}: {found[1]}')))
    return data


def get_child(key, job, number=0):
    """
    Get the child of this thread that does a job, or prepare one.

    Parameters
    ----------
    key : str
        The key of the job.

    job, number
        As for `ChildProcess`.

    Returns
    -------
    child : `ChildProcess`
        It starts with the first request.
    """
    place = key, threading.get_ident()
    if place not in _CHILDREN:
        _CHILDREN[place] = ChildProcess(job, number)
    return _CHILDREN[place]


def close_children(key):
    """
    End all children of this process that do a job.
    """
    for place in [place for place in _CHILDREN if place[0] == key]:
        _CHILDREN.pop(place).close()


def measure_apart(child, rows, start):
    """
    Measure rows in a child; if it dies, find the galaxies that are to blame.

    Parameters
    ----------
    child : `ChildProcess`
        The child.

    rows, start
        As for `~astro_pix2prof.survey.job.SurveyJob`.

    Returns
    -------
    table : `pyarrow.Table`
        The results. Galaxies with which a process ends also when they are
        alone have failed; of several bands only in those with which it
        ends, unless that is the reference. Those of the others are the same
        as if the image of these could not be read.

    Raises
    ------
    RuntimeError
        If no galaxy can be measured in this way.
    """
    try:
        return child.measure(rows, start, strict=True)
    except ProcessDiedError as error:
        first = error
    killers = {}
    pieces = list(_measure_pieces(child, rows, start, 0, killers, first))
    if killers and len(killers) < rows.num_rows:
        # together, as in a survey in which these cannot be read
        try:
            return child.measure(rows, start, errors=killers, strict=True)
        except ProcessDiedError:
            pass   # (too many for the memory: in pieces, then)
    return join_results(pieces)


def _find_bands(child, rows, start, error):
    """
    Find out in which bands a galaxy ends its process.

    Returns the error, or a `BandError` if the reference is not to blame.
    """
    others = getattr(child, 'bands', ())

    def dies(*bands):
        left_out = {band: error for band in others if band not in bands}
        for _ in range(_TRIES):
            try:
                child.measure(rows, start, errors={0: BandError(left_out)})
                return None
            except ProcessDiedError as again:
                died = again
        return died

    if not others or dies() is not None:
        return error
    found = {band: died for band in others if (died := dies(band))}
    # (several together may be too much)
    if not found or dies(*(band for band in others if band not in found)):
        return error
    return BandError(found)


def _measure_pieces(child, rows, start, offset, killers, error):
    """
    Measure both halves of rows with which a process ended; yield tables.
    """
    if rows.num_rows == 1:
        for _ in range(_TRIES - 1):
            try:
                yield child.measure(rows, start)
                return
            except ProcessDiedError as again:
                error = again
        killers[offset] = error = _find_bands(child, rows, start, error)
        if offset + 1 == len(killers) == _MAX_KILLERS:
            msg = (f'the first {_MAX_KILLERS} galaxies all end the process '
                   f'that measures them, so that no image is to blame: '
                   f'{error}')
            raise RuntimeError(msg)
        yield child.measure(rows, start, errors={0: error})
        return
    half = rows.num_rows // 2
    for first, last in ((0, half), (half, rows.num_rows)):
        piece = rows.slice(first, last - first)
        try:
            yield child.measure(piece, start + first)
        except ProcessDiedError as died:
            yield from _measure_pieces(child, piece, start + first,
                                       offset + first, killers, died)
