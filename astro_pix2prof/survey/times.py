# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The time that a survey took, over all its runs.
"""

import json
import time

from astro_pix2prof.survey.files import TIMES, read_json, write_whole

__all__ = ['RunClock', 'join_times', 'times_file', 'write_times']


def times_file(folder, part=None):
    """
    Make the path of the times of a survey, or of a share of it.
    """
    return folder / (TIMES if part is None
                     else f'.times-{part[0]}-of-{part[1]}.json')


class RunClock:
    """
    Notes the times of runs, also of those that were killed.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; see `times_file`.

    n_present : int
        The galaxies that are there.

    last : float or `None`
        The time of the newest of their files, in s since 1970.
    """

    def __init__(self, path, n_present, last):
        self._path, self._run = path, None
        self._runs = _read_runs(path)
        killed = [run for run in self._runs if 'seconds' not in run]
        # what no run has counted was done by those that were killed
        n_left = max(n_present - sum(run.get('n_done', 0)
                                     for run in self._runs), 0)
        for run in killed:
            run['n_done'], n_left = n_left, 0
            run['seconds'] = round(max((last or 0) - run['begin'], 0.0), 3)
        if killed:
            self._runs = [run for run in self._runs if run['seconds']]
            self._write()

    def start(self):
        """
        Note that a run begins.
        """
        self._run = {'begin': round(time.time(), 3)}
        self._runs.append(self._run)
        self._write()

    def stop(self, n_done, n_workers):
        """
        Note that the run is over.

        Parameters
        ----------
        n_done : int
            The galaxies that it measured.

        n_workers : int or `None`
            The number of its processes.
        """
        self._run.update(
            n_done=n_done, n_workers=n_workers,
            seconds=round(max(time.time() - self._run['begin'], 0.0), 3))
        if not n_done:
            self._runs.remove(self._run)
        self._write()

    def _write(self):
        write_times(self._path, self._runs)


def _read_runs(path):
    """
    Read the runs of a file; earlier versions knew their sum only.
    """
    try:
        found = read_json(path) if path.is_file() else {}
    except ValueError:
        return []   # (no result depends on it)
    if 'runs' in found:
        return found['runs']
    return [{'begin': 0.0, 'n_workers': found.get('n_workers'),
             'n_done': found['n_done'], 'seconds': found['seconds']}
            ] if found.get('n_done') else []


def write_times(path, runs):
    """
    Write the runs of a survey and their sum.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    runs : list of dict
        The runs: 'begin' (s since 1970) and, of those that are over,
        'seconds', 'n_done' and 'n_workers'.
    """
    over = [run for run in runs if 'seconds' in run]
    seconds, end = 0.0, -1.0
    for run in sorted(over, key=lambda run: run['begin']):
        # (shares run at the same time: no second counts twice)
        stop = run['begin'] + run['seconds']
        seconds += max(stop - max(run['begin'], end), 0.0)
        end = max(end, stop)
    found = {'n_done': sum(run['n_done'] for run in over),
             'seconds': round(seconds, 3),
             'n_workers': next((run['n_workers'] for run in reversed(over)
                                if run.get('n_workers')), None),
             'runs': runs}
    write_whole(path, lambda part: part.write_text(
        json.dumps(found, indent=1) + '\n', encoding='utf-8'))


def join_times(folder):
    """
    Join the times of shares with those of the survey.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder of a survey.
    """
    paths = sorted(folder.glob('.times-*-of-*.json'))
    if not paths:
        return
    runs = [run for path in (folder / TIMES, *paths)
            for run in _read_runs(path)]
    write_times(folder / TIMES, sorted(runs, key=lambda run: run['begin']))
    for path in paths:
        path.unlink(missing_ok=True)
