# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The parts of a report on a survey of several bands.
"""

from html import escape

from astro_pix2prof.profile.flags import GalaxyFlag, decode_flags
from astro_pix2prof.report.values import _share
from astro_pix2prof.survey.bands import band_columns

__all__ = ['band_table', 'shorten_row']


def band_table(summary):
    """
    Make the table of the flags in each band.

    Parameters
    ----------
    summary : `~astro_pix2prof.report.summary.SurveySummary`
        The summary.

    Returns
    -------
    html : str
        A section, empty for a survey of one band.
    """
    counts = summary.band_flags
    if not counts:
        return ''
    names = [name for name in ('any', *(bit.name for bit in GalaxyFlag))
             if any(flags[name] for flags in counts.values())]
    head = ''.join(f'<th class="n">{escape(band)}</th>' for band in counts)
    rows = ['<tr><td>measured</td>' + ''.join(
        _cell(summary.n - flags['FAILED'], summary.n)
        for flags in counts.values()) + '</tr>']
    for name in names:
        text = ('measured with flags' if name == 'any'
                else f'<code>{name}</code>')
        rows.append(f'<tr><td>{text}</td>' + ''.join(
            _cell(flags[name], summary.n) for flags in counts.values())
            + '</tr>')
    return ('<section aria-labelledby="h-bands"><h2 id="h-bands">Bands</h2>'
            '<p class="sub">All else on this page is about the reference, '
            'whose ellipses all bands share</p><div class="scroll"><table>'
            f'<thead><tr><th>Galaxies</th>{head}</tr></thead><tbody>'
            + ''.join(rows) + '</tbody></table></div></section>')


def _cell(count, total):
    return f'<td class="n">{count:,} ({_share(count, total)})</td>'


def shorten_row(row, bands):
    """
    Leave out what is too much for the card of a galaxy.

    Parameters
    ----------
    row : dict
        The columns of the galaxy.

    bands : list of str
        The bands.

    Returns
    -------
    row : dict
        Of the columns of each band, the magnitude, the names of flags and
        the message; and the colours.
    """
    row = dict(row)
    row.pop('colours', None)
    for band in bands:
        row.pop(f'profile_{band}', None)
        columns = band_columns(band)
        for name, column in columns.items():
            if name not in ('mag', 'flag', 'message'):
                row.pop(column, None)
        flags = row.get(columns['flag'])
        if flags is not None:
            row[columns['flag']] = ' '.join(decode_flags(
                flags, kind='galaxy'))
    return row
