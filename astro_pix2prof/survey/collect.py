# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Join the shares of a survey: the table of failures, and the times.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from astro_pix2prof.survey.failures import count_failures, write_failures
from astro_pix2prof.survey.files import (
    check_folder,
    part_files,
    prepare_folder,
)
from astro_pix2prof.survey.integrity import recover_settings
from astro_pix2prof.survey.lock import hold_folder
from astro_pix2prof.survey.resume import PartPlan, shortened
from astro_pix2prof.survey.stop import resumable
from astro_pix2prof.survey.storage import find_folder, is_folder
from astro_pix2prof.survey.times import join_times
from astro_pix2prof.wording import counted

if TYPE_CHECKING:
    from astro_pix2prof.typing import PathLike

__all__ = ['SurveyResult', 'collect_survey', 'finish_parts']


@dataclass(frozen=True)
class SurveyResult:
    """
    The numbers of galaxies that `run_survey` measured.

    Attributes
    ----------
    out : `~pathlib.Path` or ``upath.UPath``
        The folder of the results.

    n_rows : int
        The galaxies of the catalogue, or of the share that was asked for.

    n_done : int
        Those that this call took on, failed ones too: ``n_measured`` and
        ``n_failed`` tell them apart.

    n_skipped : int
        Those that an earlier call had done.

    n_failed : int
        Those that could not be measured, now or by an earlier call.

    seconds : float
        The time that it took.

    n_failed_bands : dict of int
        Of several bands, the galaxies without a profile in each.

    n_flagged : dict of int
        The galaxies whose profile may tell nothing of them, by the flag
        that says so (``NO_SOURCE`` or ``HEAVILY_MASKED``): they count as
        measured. Flags that none has are left out.
    """

    out: Path
    n_rows: int
    n_done: int
    n_skipped: int
    n_failed: int
    seconds: float
    n_failed_bands: dict = field(default_factory=dict)
    n_flagged: dict = field(default_factory=dict)

    def __repr__(self):
        return (f'<{type(self).__name__} {self.out}: {self.n_rows} galaxies, '
                f'{self.n_measured} measured, {self.n_failed} failed; '
                f'{self.n_done} by this call>')

    @property
    def n_measured(self) -> int:
        """
        Count the galaxies that have a profile, now or from before (int).
        """
        return self.n_rows - self.n_failed


def finish_parts(plan, part=None):
    """
    Write the failures and times of a survey once all its parts are there.

    Parameters
    ----------
    plan : `~astro_pix2prof.survey.resume.PartPlan`
        The parts.

    part : tuple of int, optional
        The share that this run did.

    Returns
    -------
    counts : `~astro_pix2prof.survey.failures.FailureCounts`
        The galaxies of the share that could not be measured.
    """
    if part is None:
        counts = write_failures(plan.out)
        join_times(plan.out)
        return counts
    # (of two shares that end at once, the last one sees all parts)
    if len(part_files(plan.out)) == plan.n_parts:
        write_failures(plan.out)
    return count_failures(map(plan.path, plan.numbers))


def collect_survey(out: PathLike) -> SurveyResult:
    """
    Join the shares of a survey that runs with ``part=`` measured.

    All parts are checked, and nothing is measured. The last of these runs
    writes the table of failures by itself; here, the times are joined, too.

    Parameters
    ----------
    out : str, path-like or ``upath.UPath``
        The folder of the survey, or its address in an object store.

    Returns
    -------
    result : `SurveyResult`
        How many galaxies are there, and how many of them have failed.

    Raises
    ------
    FileNotFoundError
        If it is not the folder of a survey.

    FileExistsError
        If a run uses the folder.

    RuntimeError
        If parts are missing or damaged; the message says which. They stay
        where they are, until a run measures them again. Or if the disk is
        full.

    See Also
    --------
    run_survey : Measure the galaxies of a catalogue.
    """
    begin = time.perf_counter()
    out = find_folder(out, 'out')
    settings = check_folder(out, recover_settings)
    if not settings:
        msg = f'{out} is not the folder of a survey'
        raise FileNotFoundError(msg)
    if is_folder(out / 'dataset'):
        msg = (f'{out} is a survey of a HATS catalogue: call run_survey '
               '(pix2prof survey without --collect) again to complete it')
        raise ValueError(msg)
    with resumable(out), hold_folder(out):
        prepare_folder(out, settings, recover=recover_settings)
        plan = PartPlan(out, settings['n_rows'], settings['chunk_size'])
        plan.find_done(settings, repair=False)
        _check_parts(plan)
        counts = finish_parts(plan)
    return SurveyResult(out, plan.n_rows, 0, plan.n_rows, counts.galaxies,
                        time.perf_counter() - begin, counts.bands,
                        counts.flags)


def _check_parts(plan):
    """
    Refuse a survey of which parts are missing or have a fault.
    """
    n_parts = counted(plan.n_parts, 'part')
    missing = [plan.path(number).name for number in plan.numbers
               if number not in plan.done and number not in plan.faults]
    texts = []
    if missing:
        texts.append(f'{len(missing)} of {n_parts} of {plan.out} '
                     f'{"is" if len(missing) == 1 else "are"} missing, the '
                     f'first is {missing[0]}')
    if plan.faults:
        texts.append(f'{len(plan.faults)} of {n_parts} of {plan.out} cannot '
                     f'be used: {shortened(plan.fault_texts())}')
    if texts:
        msg = (f'{"; ".join(texts)}. Run the survey again, as a whole or the '
               'shares to which they belong: these parts are measured, and '
               'no others')
        raise RuntimeError(msg)
