# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Find out which parts of a survey are done, and which have to be done again.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import is_address
from astro_pix2prof.arguments import check_integer
from astro_pix2prof.survey.files import part_files, part_path
from astro_pix2prof.survey.integrity import check_part, read_identity
from astro_pix2prof.survey.isolation import find_marks, mark_path
from astro_pix2prof.survey.stamps import changed_rows, read_stamps
from astro_pix2prof.survey.storage import copy_file
from astro_pix2prof.wording import counted

__all__ = ['CHANGES', 'PartPlan', 'check_share', 'set_aside', 'share_of',
           'shortened', 'warn_again']


# What to do about images that changed.
CHANGES = 'warn', 'redo', 'ignore'

# Names that a warning lists.
_SHOWN = 5


def check_share(part):
    """
    Check the share of the work that one of several runs does.

    Parameters
    ----------
    part : str, tuple of int or `None`
        Such as '3/8' or (3, 8), the third of eight; `None` for all.

    Returns
    -------
    part : tuple of int or `None`
        The number, from 1, and the number of shares.

    Raises
    ------
    ValueError, TypeError
        If it is something else.
    """
    if part is None:
        return None
    given = part
    if isinstance(part, str):
        try:
            part = tuple(int(text) for text in part.split('/'))
        except ValueError:
            part = ()
    if not isinstance(part, tuple | list) or len(part) != 2:
        msg = (f"part must be such as '3/8', the third of eight, got "
               f'{given!r}')
        raise ValueError(msg)
    number, n_shares = (check_integer(value, 'part') for value in part)
    if n_shares < 1:
        msg = (f'part={number}/{n_shares}: the number of shares must be 1 or '
               'more')
        raise ValueError(msg)
    if not 1 <= number <= n_shares:
        msg = (f'part={number}/{n_shares}: the number must be from 1 to '
               f'{n_shares}')
        raise ValueError(msg)
    return number, n_shares


def share_of(part, n):
    """
    List the items of a share.

    Parameters
    ----------
    part : tuple of int or `None`
        As `check_share` returns it.

    n : int
        The number of items.

    Returns
    -------
    items : range
        Neighbours: the catalogue is read where they are.
    """
    number, n_shares = part or (1, 1)
    return range(n * (number - 1) // n_shares, n * number // n_shares)


class PartPlan:
    """
    The parts of a survey: where they lie, and which are done.

    Parameters
    ----------
    out : `~pathlib.Path`
        The folder.

    n_rows, chunk_size : int
        The galaxies of the survey, and of a part.

    part : tuple of int or `None`
        The share, as `check_share` returns it.

    Attributes
    ----------
    n_parts : int
        The parts of the survey.

    numbers : range
        Those of the share.

    done : set of int
        Those of the share that are done, once `find_done` has been called.

    faults : dict of str
        What is wrong with parts of the share that cannot be used, such as
        'is damaged', by their number, once `find_done` has been called.

    died : bool
        Whether a process ended in the middle of one of the others.
    """

    def __init__(self, out, n_rows, chunk_size, part=None):
        self.out, self.n_rows, self.chunk_size = out, n_rows, chunk_size
        self.n_parts = -(-n_rows // chunk_size)
        self.numbers = share_of(part, self.n_parts)
        self.done, self.faults, self.died = set(), {}, False

    def path(self, number):
        """
        Make the path of a part.
        """
        return part_path(self.out, number, self.n_parts)

    def start(self, number):
        """
        Get the number of the first galaxy of a part.
        """
        return number * self.chunk_size

    def size(self, number):
        """
        Count the galaxies of a part.
        """
        return min(self.chunk_size, self.n_rows - self.start(number))

    def n_galaxies(self, numbers):
        """
        Count the galaxies of several parts.
        """
        return sum(self.size(number) for number in numbers)

    def last_time(self):
        """
        Get the time of the newest part in s since 1970, `None` without one.
        """
        return max((self.path(number).stat().st_mtime
                    for number in self.done), default=None)

    def find_done(self, settings, *, repair=True):
        """
        Check the parts that are there.

        Parameters
        ----------
        settings : dict
            Everything that determines the results.

        repair : bool, optional
            Whether to remove parts with a fault, and warn that they are
            measured again.
        """
        settings = json.loads(json.dumps(settings))
        # (in a store, one request lists many)
        is_there = (set(part_files(self.out)).__contains__
                    if is_address(self.out) else Path.is_file)
        for number in self.numbers:
            path = self.path(number)
            if not is_there(path):
                continue
            problem, foreign = check_part(path, settings, self.start(number),
                                          self.size(number))
            if problem is None:
                self.done.add(number)
                continue
            self.faults[number] = problem
            if repair:
                self.faults[number] += set_aside(path, keep=foreign)
        if self.faults and repair:
            warn_again(self.fault_texts())
        begun = set(find_marks(self.out))
        for number in self.numbers:
            mark = mark_path(self.path(number))
            if mark in begun and number in self.done:
                mark.unlink(missing_ok=True)
            elif mark in begun:
                self.died = True

    def fault_texts(self):
        """
        Describe the parts that cannot be used (list of str).
        """
        return [f'{self.path(number).name} {problem}'
                for number, problem in self.faults.items()]

    def check_images(self, catalogue, images, changed):
        """
        Find parts that are done, of which images have changed since.

        Parameters
        ----------
        catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
            The catalogue.

        images : `~astro_pix2prof.survey.images.SurveyImages`
            The images.

        changed : str
            One of ``CHANGES``.
        """
        if changed == 'ignore' or not self.done or not images.has_files:
            return
        names, n_changed, again = [], 0, []
        first = self.numbers.start
        for number, rows in enumerate(catalogue.parts(
                self.chunk_size, images.needed, start=first), first):
            if number not in self.numbers:
                break
            if number not in self.done:
                continue
            _, before = read_identity(self.path(number))
            if not before:
                continue
            other = changed_rows(before, read_stamps(images, rows))
            if other.any():
                again.append(number)
                n_changed += int(other.sum())
                names += [str(self.start(number) + row) for row in
                          np.flatnonzero(other)[:_SHOWN]]
        if not again:
            return
        many = n_changed != 1
        text = (f'the images of {counted(n_changed, "galaxy", "galaxies")} '
                f'that {"are" if many else "is"} done, or '
                f'{"their" if many else "its"} masks, errors or skies, have '
                f'changed since ({"rows" if many else "row"} '
                f'{shortened(names)} of the catalogue)')
        if changed == 'warn':
            text += ("; their results are kept: changed='redo' (--changed "
                     'redo) measures these parts again')
        else:
            text += f': {_measured_again(again)}'
            for number in again:
                self.path(number).unlink()
                self.done.remove(number)
        warnings.warn(text, AstropyUserWarning, stacklevel=4)


def warn_again(again):
    """
    Warn of files that are measured again.

    Parameters
    ----------
    again : list of str
        The file and its fault, for each.
    """
    warnings.warn(f'{_measured_again(again)}: {shortened(again)}',
                  AstropyUserWarning, stacklevel=5)


def _measured_again(parts):
    return f'{counted(len(parts), "part is", "parts are")} measured again'


def set_aside(path, *, keep, folder=None):
    """
    Take a file out of a survey; whole ones get another name.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    keep : bool
        Whether it is worth keeping.

    folder : `~pathlib.Path`, optional
        Where it is kept; by default, where it is.

    Returns
    -------
    note : str
        The name that it has now, for a message.
    """
    if not keep:
        path.unlink()
        return ''
    # (hidden, so that it does not belong to the survey)
    kept = (folder or path.parent) / f'.{path.name}.other'
    if is_address(path):
        copy_file(path, kept)
        path.unlink()
    else:
        path.rename(kept)
    return f' (kept as {kept.name})'


def shortened(names):
    """
    List the first of some names, and the number of others (str).
    """
    rest = len(names) - _SHOWN
    return ', '.join(names[:_SHOWN]) + (f' and {rest} more' if rest > 0
                                        else '')
