# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Withdraw the results of a run in which a service gave no answer.

A service that is away ends a run after five images in a row. A run of fewer
would store that all of them have failed, and no later call would ask again.
"""

from astro_pix2prof.addresses import as_source
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.survey.bands import read_bands
from astro_pix2prof.survey.download import tells_away
from astro_pix2prof.survey.stop import StopSurveyError

__all__ = ['withdraw_unanswered']


def withdraw_unanswered(paths):
    """
    Remove the parts of a run whose galaxies all failed without an answer.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        The parts that this run has written, no galaxy of which could be
        measured.

    Raises
    ------
    StopSurveyError
        If no answer came for any galaxy: none of them is to blame.
    """
    first, n = None, 0
    for path in paths:
        messages = _messages(path)
        if not all(map(tells_away, messages)):
            return
        n += len(messages)
        first = first or messages[0]
    if first is None:
        return
    for path in paths:
        path.unlink(missing_ok=True)
    what = 'its image' if n == 1 else f'any of {n} images'
    msg = (f'the service did not answer for {what}: '
           f'{first.removeprefix("DownloadError: ")}')
    raise StopSurveyError(msg)


def _messages(path):
    """
    Read why the galaxies of a part failed, in the reference of several bands.
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    with pq.ParquetFile(as_source(path)) as opened:
        reference = read_bands(opened.schema_arrow).get('reference')
        name = 'message' if reference is None else f'message_{reference}'
        if name not in opened.schema_arrow.names:
            return ['']
        return opened.read(columns=[name])[name].to_pylist()
