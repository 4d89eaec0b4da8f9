# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fetch files of a web service once, and not too many at a time.

The caches of fsspec send two requests for a file (to find out whether it is
there, too) and do not look at what they keep; so the files are kept here, once
they are checked, in the way of the parts of a survey.
"""

import contextlib
import http.client
import logging
import re
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape

from astro_pix2prof.survey.files import write_whole
from astro_pix2prof.survey.stop import StopSurveyError

__all__ = ['DownloadError', 'Downloader', 'answer_text', 'tells_away']

_LOGGER = logging.getLogger(__name__)


# Seconds before another attempt, if the server does not say how long.
_WAITS = (1.0, 4.0, 16.0)

# Seconds without a word before another attempt.
_SILENT = 3.0

# Seconds that a server may ask to wait; what asks for more is called later.
_LONGEST = 300.0

# Seconds without a byte, and for all bytes of a file.
_TIMEOUT, _TOTAL = 60, 600

# Bytes of an answer.
_LARGEST = 1 << 30

# Answers after which another attempt makes sense.
_RETRIED = (408, 425, 429, 500, 502, 503, 504)

# Those that say that no image is to blame. (500 may be one without data.)
_AWAY = (429, 502, 503, 504)

# Messages of errors for which a service is to blame.
_TELLS_AWAY = re.compile(
    r'cannot be fetched: (no answer \(|the answer takes more than|'
    rf'the server answers ({"|".join(map(str, _AWAY))})\b)')

# So many images one after the other that a service does not deliver.
_MOST_AWAY = 5

# Seconds after which this process removes the file of a slot, and after which
# another one does.
_KEPT, _OLD = 60, 86400


class DownloadError(ConnectionError):
    """
    A file that a server does not give.

    Parameters
    ----------
    message : str
        The reason.

    retry : bool, optional
        Whether another attempt makes sense.

    away : bool, optional
        Whether it is the service that is to blame, and not the file.

    wait : float, optional
        The seconds to wait for, as the server says.
    """

    def __init__(self, message, *, retry=False, away=False, wait=None):
        super().__init__(message)
        self.retry, self.away, self.wait = retry, away, wait


class Downloader:
    """
    Fetches files, each of them once.

    All processes that have the same folder keep the rate together.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where the files are kept.

    rate : float
        The requests in a second at most, on average.

    attempts : int, optional
        How often a file is asked for at most, from 1 to 4.
    """

    def __init__(self, folder, rate, attempts=4):
        self.folder, self.rate, self.attempts = folder, rate, attempts
        self._slots, self._n_away = [], 0

    def prepare(self):
        """
        Make the folder, and remove what ended processes left in it.

        Raises
        ------
        StopSurveyError
            If the folder cannot be made or written to.
        """
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            # (a file of its own, since a folder that is there may be one
            # that only others may write to)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
            for slot in self.folder.glob('.slot-*'):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - slot.stat().st_mtime > _OLD:
                        slot.unlink()

    def fetch(self, name, load):
        """
        Find a file, or fetch it.

        Parameters
        ----------
        name : str
            Its name in the folder.

        load : callable
            ``load(get)`` returns the bytes, which it gets by
            ``get(address, check)``, as `get` does.

        Returns
        -------
        path : `~pathlib.Path`
            The file. It appears when it is complete.

        Raises
        ------
        OSError
            If it cannot be fetched.

        StopSurveyError
            If the service does not work at all.
        """
        path = self.folder / name
        if path.is_file():
            return path
        try:
            data = load(self.get)
        except DownloadError as error:
            self._n_away = self._n_away + 1 if error.away else 0
            if self._n_away < _MOST_AWAY:
                raise
            msg = (f'the service does not deliver, {self._n_away} images in '
                   f'a row: {error}')
            raise StopSurveyError(msg) from error
        except OSError:
            self._n_away = 0
            raise
        self._n_away = 0
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda part: part.write_bytes(data))
        return path

    def get(self, address, check=None):
        """
        Get the answer to a request, with several attempts.

        Parameters
        ----------
        address : str
            The address (http or https).

        check : callable, optional
            ``check(data)`` raises a `DownloadError` if the answer is none.

        Returns
        -------
        data : bytes

        Raises
        ------
        FileNotFoundError
            If there is no such file.

        DownloadError
            If the server does not give it.

        StopSurveyError
            If the server asks to come back much later.
        """
        waits = (*_WAITS[:self.attempts - 1], None)
        for number, wait in enumerate(waits, 1):
            self._take_turn(address)
            try:
                data = _request(address)
                if check is not None:
                    check(data)
            except DownloadError as error:
                if (error.wait or 0) > _LONGEST:
                    msg = (f'{error}; it asks to wait for '
                           f'{error.wait / 60:.0f} minutes')
                    raise StopSurveyError(msg) from error
                if error.wait:
                    # (for all processes, and for the next file)
                    self._pause(address, error.wait)
                if not error.retry or wait is None:
                    text = f'{address} cannot be fetched: {error}'
                    raise DownloadError(text, away=error.away) from error
                self._tell(address, error, number, wait)
                if error.wait is None:
                    time.sleep(wait)
            else:
                return data

    def _tell(self, address, error, number, wait):
        """
        Log that another attempt follows, if it is not at once.
        """
        wait = wait if error.wait is None else error.wait
        if wait < _SILENT:
            return
        # (a warning would come with all others when the survey is finished)
        _LOGGER.warning(
            '%s: %s: attempt %d of %d follows in %.0f s '
            '(attempts=1, in the shell --cutout-attempts 1, gives up at '
            'once)', _host(address), error, number + 1, self.attempts,
            wait)

    def _take_turn(self, address):
        """
        Wait until the next request may be sent.

        The seconds are divided into slots; whoever makes the file of a slot
        has it. (No lock, which might be left behind, is needed for that.)
        """
        host = _host(address)
        while True:
            while delay := self._pause_left(host):
                time.sleep(delay)
            self._take_slot(host)
            # (the server may have asked another process to wait meanwhile)
            if not self._pause_left(host):
                return

    def _take_slot(self, host):
        """
        Wait for a slot that no other process has.
        """
        number = now = int(time.time() * self.rate)
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            while True:
                slot = self.folder / f'.slot-{host}-{self.rate:g}-{number}'
                try:
                    slot.touch(exist_ok=False)
                    break
                except FileExistsError:
                    number += 1
            # (not those that the clock of another machine has yet to reach)
            for old in [item for item in self._slots
                        if item[0] < now - _KEPT * max(self.rate, 1)]:
                old[1].unlink(missing_ok=True)
                self._slots.remove(old)
        self._slots.append((number, slot))
        time.sleep(max(number / self.rate - time.time(), 0))

    def _pause_left(self, host):
        """
        Get the seconds that a server wants to be left alone for.
        """
        try:
            until = float((self.folder / f'.pause-{host}').read_text())
        except (OSError, ValueError):
            return 0.0
        delay = until - time.time()
        # (a clock may have been set)
        return delay if 0 < delay <= _LONGEST else 0.0

    def _pause(self, address, seconds):
        """
        Let all processes wait, as the server asks to.
        """
        path = self.folder / f'.pause-{_host(address)}'
        with self._writing():
            write_whole(path, lambda part: part.write_text(
                f'{time.time() + seconds}\n', encoding='utf-8'))

    @contextlib.contextmanager
    def _writing(self):
        """
        Name the folder in errors: they are not those of an image.
        """
        try:
            yield
        except OSError as error:
            msg = (f'images cannot be kept in {self.folder}: '
                   f'{error.strerror or error}. Make room or give another '
                   'folder, cache=')
            raise StopSurveyError(msg) from error


def _host(address):
    """
    Get the host of an address, as a part of the name of a file.
    """
    host = urllib.parse.urlsplit(address).netloc.rpartition('@')[2]
    return re.sub(r'[^\w.-]', '_', host)


def _request(address):
    """
    Send one request and read the whole answer.
    """
    from astro_pix2prof import __version__

    request = urllib.request.Request(address, headers={
        'User-Agent': f'astro_pix2prof/{__version__}'})
    try:
        # (the address is http or https, and so is what it is sent on to)
        with urllib.request.urlopen(  # nosec B310
                request, timeout=_TIMEOUT) as answer:
            return _read(answer)
    except urllib.error.HTTPError as error:
        text = ''
        with contextlib.suppress(OSError, http.client.HTTPException), error:
            text = answer_text(error.read(10000))
        msg = f'the server answers {error.code} {error.reason}'.strip()
        if text:
            msg += f': {text}'
        if error.code in (404, 410):
            msg = f'no such image: {address} ({msg})'
            raise FileNotFoundError(msg) from error
        raise DownloadError(
            msg, retry=error.code in _RETRIED, away=error.code in _AWAY,
            wait=_wait(error.headers.get('Retry-After'))
            if error.code in _RETRIED else None) from error
    except DownloadError:
        raise
    except http.client.IncompleteRead as error:
        msg = 'the answer is cut short'
        raise DownloadError(msg, retry=True) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, 'reason', None) or error
        text = str(reason) or type(reason).__name__
        msg = f'no answer ({text})'
        raise DownloadError(msg, retry=True, away=True) from error


def _read(answer):
    """
    Read an answer to its end, within limits of time and size.
    """
    data, end = bytearray(), time.monotonic() + _TOTAL
    while chunk := answer.read1(1 << 20):
        data += chunk
        if len(data) > _LARGEST:
            msg = f'the answer holds more than {_LARGEST >> 20} MiB'
            raise DownloadError(msg)
        if time.monotonic() > end:
            msg = f'the answer takes more than {_TOTAL} s'
            raise DownloadError(msg, retry=True, away=True)
    size = answer.headers.get('Content-Length', '')
    if size.isdecimal() and len(data) != int(size):
        msg = f'the answer is cut short: {len(data)} of {size} bytes came'
        raise DownloadError(msg, retry=True)
    return bytes(data)


def _wait(text):
    """
    Read the seconds of Retry-After, which may be a date; `None` if unknown.
    """
    text = (text or '').strip()
    if text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - datetime.now(UTC)).total_seconds(), 0.0)


def tells_away(message):
    """
    Tell whether a message says that a service did not answer.

    Parameters
    ----------
    message : str
        The message of a `DownloadError`, or another one.

    Returns
    -------
    found : bool
    """
    return _TELLS_AWAY.search(message or '') is not None


def answer_text(data):
    """
    Get the beginning of an answer that is for people, without its markup.

    Parameters
    ----------
    data : bytes
        The answer.

    Returns
    -------
    text : str
        At most 200 characters in one line.
    """
    text = data[:10000].decode('utf-8', 'replace')
    text = re.sub(r'(?is)<(script|style).*?(</\1>|$)|<[^>]*>', ' ', text)
    text = ''.join(sign if sign.isprintable() else ' '
                   for sign in unescape(text))
    return ' '.join(text.split())[:200]
