# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The report on a survey: one HTML page that holds all it shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.arguments import check_integer
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.report.bands import band_table, shorten_row
from astro_pix2prof.report.charts import (
    N_SERIES,
    density_chart,
    histogram_chart,
    quantile_chart,
)
from astro_pix2prof.report.gallery import make_cards
from astro_pix2prof.report.pictures import ImageFinder, image_options
from astro_pix2prof.report.summary import (
    COLOUR_BINS,
    EXTREMES,
    LISTED,
    PLANES,
    QUANTITIES,
    RADII,
    bin_edges,
    read_rows,
    summarise_survey,
)
from astro_pix2prof.report.values import _duration, _share, _shown_unit
from astro_pix2prof.survey.results import read_survey
from astro_pix2prof.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astro_pix2prof.typing import PathLike

__all__ = ['write_report']

# (the examples need an optional package)
__doctest_requires__ = {'write_report': ['pyarrow']}


_DATA = Path(__file__).parent / 'template'

# Bands with a line of their own in the distributions.
_MAX_BANDS = N_SERIES

_LABELS = {
    'mag': ('Magnitude', 'within the last ring', 'magnitude', ' mag'),
    'radius_50': ('R50', 'semi-major axis that holds half of the light',
                  'R50', ''),
    'central_sb': ('Central surface brightness', 'of the innermost ring',
                   'mag/arcsec²', ' mag/arcsec²'),
    'effective_sb': ('Effective surface brightness', 'at R50',
                     'mag/arcsec²', ' mag/arcsec²'),
    'last_radius': ('Length of the profiles', 'last semi-major axis',
                    'last radius', ''),
    'n_rings': ('Rings', 'of a profile', 'rings', ' rings'),
}


def write_report(survey: PathLike, out: PathLike = 'report.html', *,
                 n_gallery: int = 60, seed: int = 0,
                 images: bool | PathLike = True, overwrite: bool = False,
                 galaxies: Sequence[int] | None = None) -> Path:
    """
    Write a page to look at a survey with.

    The files are read block by block, so that a survey of any size takes
    little memory. The page loads nothing from elsewhere: it can be sent and
    kept as one file.

    Parameters
    ----------
    survey : str, path-like or ``upath.UPath``
        The folder that a survey has written, or one Parquet file of the
        form of `~astro_pix2prof.ProfileBatch.to_arrow`.

    out : str or path-like, optional
        The HTML file.

    n_gallery : int, optional
        How many galaxies to choose at random for the gallery. Three of each
        flag, one of each reason of failures, and the extremes in magnitude,
        R50, central surface brightness and length are added.

    seed : int, optional
        The seed of the choice; the same seed gives the same page.

    images : bool or path-like, optional
        Whether to show the images, read again from where the column
        'source', or another one with names of FITS files, says that they
        are; or the folder where they are now.

    overwrite : bool, optional
        Whether to replace a file that exists.

    galaxies : sequence of int, optional
        Values of the column 'index': the gallery shows these galaxies, in
        this order, instead of those chosen at random and for their flags.

    Returns
    -------
    path : `~pathlib.Path`
        The HTML file.

    Raises
    ------
    FileNotFoundError
        If there is no such survey, or no folder ``images``.

    FileExistsError
        If ``out`` exists, and ``overwrite`` is `False`.

    ValueError
        If ``survey`` holds no profiles, ``n_gallery`` is negative, or there
        is none of ``galaxies``.

    TypeError
        If ``n_gallery``, ``seed`` or one of ``galaxies`` is not an integer,
        or ``survey`` is no path.

    ImportError
        If pyarrow is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pyarrow.parquet as pq
    >>> from astro_pix2prof import load_example_truth, ProfileBatch
    >>> from astro_pix2prof import write_report
    >>> batch = ProfileBatch.from_profiles([load_example_truth()])
    >>> with TemporaryDirectory() as folder:
    ...     pq.write_table(batch.to_arrow(), f'{folder}/survey.parquet')
    ...     path = write_report(f'{folder}/survey.parquet',
    ...                         f'{folder}/report.html')
    ...     path.name, path.read_text(encoding='utf-8')[:15]
    ('report.html', '<!DOCTYPE html>')
    """
    if not isinstance(survey, str | os.PathLike) and not is_address(survey):
        msg = ('survey must be the folder that a survey has written, or a '
               f'Parquet file, got {type(survey).__name__}; for one galaxy, '
               'there is write_galaxy_page(fit)')
        raise TypeError(msg)
    survey, out = find_path(survey, 'survey'), Path(out)
    n_gallery = check_integer(n_gallery, 'n_gallery', least=0)
    seed = check_integer(seed, 'seed', least=0)
    if galaxies is not None:
        galaxies = list(dict.fromkeys(
            check_integer(number, 'galaxies') for number in galaxies))
        if not galaxies:
            msg = ('galaxies is empty, so that there is nothing to show: give '
                   'the number of one galaxy at least')
            raise ValueError(msg)
    if out.exists() and not overwrite:
        msg = f'out: {out} exists: give overwrite=True to replace it'
        raise FileExistsError(msg)
    moved_to = (None if isinstance(images, bool | np.bool_)
                else Path(images))
    if moved_to is not None and not moved_to.is_dir():
        msg = f'images: no such folder, got {str(images)!r}'
        raise FileNotFoundError(msg)
    found = read_survey(survey)
    summary = summarise_survey(found, n_sample=n_gallery, seed=seed,
                               galaxies=galaxies)
    settings = found.settings
    times = {key: value for key, value in found.times.items()
             if key != 'runs'}
    # (images at addresses are not fetched)
    files = ImageFinder(
        folders=[Path(folder) for folder in (
            found.folder, found.folder.parent, settings.get('images_folder'),
            settings.get('catalogue_folder'))
            if folder and not is_address(folder)],
        moved_to=moved_to, source_only=bool(found.bands),
        **image_options(settings))
    rows = read_rows(summary.files, summary.chosen)
    if found.bands:
        rows = ((key, shorten_row(row, found.bands)) for key, row in rows)
    cards = make_cards(rows, summary.chosen, files if images is not False
                       else None)
    html = _page(survey, summary, cards, {**settings, **times}, times,
                 n_gallery if galaxies is None else None)
    # complete or not at all
    part = out.with_name(f'.{out.name}.part')
    part.write_text(html, encoding='utf-8')
    os.replace(part, out)
    return out


def flag_meanings(kind):
    """
    List the meaning of each flag.

    Parameters
    ----------
    kind : type
        `~astro_pix2prof.GalaxyFlag` or `~astro_pix2prof.RingFlag`.

    Returns
    -------
    meanings : dict of str
        A line on each, by its name: see `~astro_pix2prof.describe_flags`.
    """
    return {flag.name: flag.line.replace('``', '') for flag in kind}


def _page(survey, summary, cards, job, times, n_gallery):
    """
    Fill the template of the page.
    """
    from astro_pix2prof import __version__

    rms = [card['rms'] for card in cards if card['rms'] is not None
           and 'random sample' in card['why']]
    note = 'The isophote drawn in dashes is the last ring.'
    if n_gallery is None:
        note = f'{counted(len(cards), "galaxy", "galaxies")} of a list. {note}'
    else:
        note = (f'{min(n_gallery, summary.n):,} galaxies at random, and some '
                'of each flag, of each reason of failures, and of the '
                f'extremes. {note}')
    if rms:
        note += (' Residual: robust scatter of image less model, in units '
                 'of the noise, within the last ellipse; the median of the '
                 f'random sample is {np.median(rms):.2f}.')
    meta = summary.meta
    parts = [str(meta[key]) for key in ('fitter', 'weights') if meta.get(key)]
    files = len(summary.files)
    parts.append(f'{files:,} file{"s" if files != 1 else ""}')
    for card in cards:
        card['order'] = next((
            int(text.removeprefix(LISTED)) for text in card['why']
            if text.startswith(LISTED)), None)
    data = {
        'cards': cards, 'failed': int(GalaxyFlag.FAILED),
        'survey': _survey_key(survey, summary, job, times),
        'extremes': list(EXTREMES),
        'flags': [{'name': bit.name, 'bit': int(bit), 'meaning': meaning}
                  for bit, meaning in zip(
                      GalaxyFlag, flag_meanings(GalaxyFlag).values(),
                      strict=True)],
        'ring_flags': [{'name': bit.name, 'bit': int(bit)}
                       for bit in RingFlag]}
    legend, charts = _charts(summary)
    values = {
        'title': escape(survey.name if is_address(survey)
                        else survey.resolve().name),
        'subtitle': escape(' · '.join(parts)),
        'version': escape(__version__),
        'css': (_DATA / 'report.css').read_text(encoding='utf-8'),
        'js': (_DATA / 'report.js').read_text(encoding='utf-8'),
        'tiles': _tiles(summary, times),
        'legend': legend, 'charts': charts,
        'flags': _flag_table(summary.flags, GalaxyFlag, summary.n,
                             'galaxies', link=True),
        'ring_flags': _flag_table(summary.ring_flags, RingFlag,
                                  summary.n_rings, 'rings'),
        'failures': band_table(summary) + _failures(summary),
        'gallery_note': escape(note),
        # (the model card is a page of its own)
        'job': _job_list(_flat({key: value for key, value
                                in {**meta, **job}.items()
                                if key != 'card'})),
        # no '<' in the data can end the script
        'data': json.dumps(data, ensure_ascii=False, allow_nan=False,
                           separators=(',', ':')).replace('<', '\\u003c'),
    }
    template = (_DATA / 'report.html').read_text(encoding='utf-8')
    return re.sub(r'\{\{(\w+)\}\}', lambda found: values[found[1]], template)


def _survey_key(survey, summary, job, times):
    """
    Make a text that tells this survey from others, for what a browser keeps.
    """
    # (the times change with each call)
    stated = {key: value for key, value in job.items() if key not in times}
    text = json.dumps([survey.name, summary.meta, stated], default=str,
                      sort_keys=True)
    return hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:16]


def _tiles(summary, times):
    """
    Make the large numbers at the top.
    """
    measured = summary.n - summary.n_failed
    tiles = [('', f'{summary.n:,}', 'galaxies'),
             ('', f'{measured:,}',
              f'measured ({_share(measured, summary.n)})'),
             ('bad' if summary.n_failed else '', f'{summary.n_failed:,}',
              f'failed ({_share(summary.n_failed, summary.n)})'),
             ('', f'{summary.n_flagged:,}',
              f'measured with flags ({_share(summary.n_flagged, summary.n)})'),
             ('', f'{summary.n_rings:,}', 'rings')]
    seconds = times.get('seconds')
    if isinstance(seconds, (int, float)) and seconds > 0:
        done = times.get('n_done')
        if not isinstance(done, (int, float)) or isinstance(done, bool):
            done = summary.n
        tiles.append(('', f'{done / seconds:,.1f}',
                      f'galaxies/s ({done:,} in {_duration(seconds)})'))
        workers = times.get('n_workers')
        if isinstance(workers, int) and workers > 0:
            tiles.append(('', f'{done / seconds / workers:,.1f}',
                          f'galaxies/s of each of {workers} '
                          f'process{"es" if workers > 1 else ""}'))
    return ''.join(f'<div class="tile {kind}"><b>{number}</b>'
                   f'<span>{escape(text)}</span></div>'
                   for kind, number, text in tiles)


def _charts(summary):
    """
    Make the legend of the bands, and all charts.
    """
    largest = sorted(summary.bands, key=lambda band: (-summary.bands[band],
                                                      band))
    bands = sorted(largest[:_MAX_BANDS])
    if len(largest) > _MAX_BANDS:
        # the rest has one line
        bands = [*sorted(largest[:_MAX_BANDS - 1]), 'other']
    legend = ''
    if len(bands) > 1:
        legend = '<p class="legend">' + ''.join(
            f'<span class="s{k % N_SERIES}">{escape(band or "no band")}'
            '</span>' for k, band in enumerate(bands)) + '</p>'
    figures = []
    for name, (title, small, label, unit) in _LABELS.items():
        for radius_unit in sorted({key[1] for key in summary.histograms
                                   if key[0] == name}):
            counts = {band: 0 for band in bands}
            for (kind, its_unit, band), values in summary.histograms.items():
                if kind == name and its_unit == radius_unit:
                    band = band if band in counts else 'other'
                    counts[band] = counts[band] + values
            log = name in RADII
            shown = _shown_unit(radius_unit)
            chart = histogram_chart(
                counts, bin_edges(QUANTITIES[name]), log=log,
                label=f'{label} [{shown}]' if log else label,
                unit=f' {shown}' if log else unit)
            if chart:
                figures.append((title, small, chart))
    for name, counts in summary.colours.items():
        figures.append((
            f'Colour {escape(name)}', 'within R50', histogram_chart(
                {bands[0] if bands else '': counts}, bin_edges(COLOUR_BINS),
                label=f'{name} [mag]', unit=' mag')))
    for (name, unit), counts in sorted(summary.planes.items()):
        edges = [bin_edges(bins) for bins in PLANES[name]]
        if name == 'size':
            figures.append((
                'Size and magnitude', 'the darker, the more galaxies',
                density_chart(
                    counts, *edges, log=(False, True),
                    labels=('magnitude', f'R50 [{_shown_unit(unit)}]'),
                    title='R50 against magnitude')))
        elif name == 'error':
            figures.append((
                'Stated errors', 'of rings: median, and the middle 68%',
                quantile_chart(
                    counts, *edges, log=(False, True),
                    labels=('surface brightness [mag/arcsec²]',
                            'error [mag/arcsec²]'),
                    title='Error against surface brightness')))
        else:
            figures.append((
                'Shape of the profiles',
                'surface brightness less that at R50: median, and the '
                'middle 68%',
                quantile_chart(
                    counts, *edges, log=(True, False), flip=True,
                    labels=('semi-major axis / R50', 'mag/arcsec²'),
                    title='Profiles around R50')))
    shown = ''.join(
        f'<figure><figcaption>{title}<small>{small}</small></figcaption>'
        f'{chart}</figure>' for title, small, chart in figures if chart)
    return legend, shown or '<p>Nothing was measured.</p>'


def _flag_table(counts, kind, total, what, *, link=False):
    """
    Make the table of flags, their meaning and their shares.
    """
    meanings = flag_meanings(kind)
    rows = []
    for name, count in counts.items():
        shown = f'<code>{name}</code>'
        if link and count:
            shown = f'<a href="#flag={name}">{shown}</a>'
        rows.append(
            f'<tr{"" if count else " class=none"}><td>{shown}'
            f'<small>{escape(meanings[name])}</small></td>'
            f'<td class="n">{count:,}</td>'
            f'<td class="n">{_share(count, total)}</td></tr>')
    return ('<div class="scroll"><table><thead><tr><th>Flag</th>'
            f'<th class="n">{what}</th><th class="n">share</th></tr></thead>'
            '<tbody>'
            + ''.join(rows) + '</tbody></table></div>')


def _failures(summary):
    """
    Make the table of the reasons of failures.
    """
    if not summary.reasons:
        return ''
    rows = [f'<tr><td class="n">{count:,}</td><td>{escape(reason)}</td>'
            f'<td><code>{escape(message[:300])}</code></td></tr>'
            for reason, (count, message) in sorted(
                summary.reasons.items(), key=lambda item: -item[1][0])[:50]]
    return ('<section aria-labelledby="h-failed">'
            '<h2 id="h-failed">Failures</h2><p class="sub">'
            '<a href="#show=failed">Those in the gallery</a></p>'
            '<div class="scroll"><table><thead><tr><th class="n">galaxies'
            '</th><th>Reason</th><th>First message</th></tr></thead><tbody>'
            + ''.join(rows) + '</tbody></table></div></section>')


def _flat(values):
    """
    Flatten settings that hold others, such as the options of the fitter.
    """
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update({f'{key}: {name}': item
                         for name, item in _flat(value).items()})
        else:
            flat[key] = value
    return flat


def _job_list(values):
    """
    Make the list of the settings of the survey.
    """
    rows = []
    for key, value in values.items():
        if isinstance(value, list):
            value = ', '.join(str(v) for v in value[:20])
        if value is not None and str(value) != '':
            rows.append(f'<dt>{escape(key.replace("_", " "))}</dt>'
                        f'<dd>{escape(str(value)[:500])}</dd>')
    if not rows:
        return ''
    return ('<section><h2>The job</h2><dl>' + ''.join(rows)
            + '</dl></section>')
