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


# How the messages of other bands begin where the reference has failed: nobody
# asked for their images.
_NOT_ASKED = 'ValueError: the reference band '


def withdraw_unanswered(paths):
    """
    Remove the parts of a run if no image of a band was answered for.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        The parts, or partitions, that this run has written.

    Raises
    ------
    StopSurveyError
        If no answer came for any image, of a survey of several bands for
        any image of one of them: no galaxy is to blame.
    """
    counts = None
    for path in paths:
        messages = _messages(path)
        if counts is None:
            counts = dict.fromkeys(messages, (0, ''))
        counts = {band: _add(counts[band], texts)
                  for band, texts in messages.items()
                  if band in counts and all(map(tells_away, texts))}
        if not counts:
            return
    for band, (n, first) in (counts or {}).items():
        if not n:
            continue
        for path in paths:
            path.unlink(missing_ok=True)
        what = 'its image' if n == 1 else f'any of {n} images'
        where = f' in the band {band}' if band else ''
        msg = (f'the service did not answer for {what}{where}: '
               f'{first.removeprefix("DownloadError: ")}')
        raise StopSurveyError(msg)


def _add(count, messages):
    """
    Add the messages of a part to their number and the first of them.
    """
    n, first = count
    return n + len(messages), first or next(iter(messages), '')


def _messages(path):
    """
    Read why the galaxies of a part failed, by band (one is called '').

    They are those of images that were asked for: all of the reference.
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    with pq.ParquetFile(as_source(path)) as opened:
        bands = read_bands(opened.schema_arrow)
        order = sorted(bands.get('bands', ['']),
                       key=lambda band: band != bands.get('reference'))
        names = {band: f'message_{band}' if band else 'message'
                 for band in order}
        if not set(names.values()) <= set(opened.schema_arrow.names):
            return {}
        rows = opened.read(columns=list(names.values()))
    return {band: [text for text in rows[name].to_pylist()
                   if not (text or '').startswith(_NOT_ASKED)]
            for band, name in names.items()}
