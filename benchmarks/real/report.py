# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The tables of real galaxies.
"""

from benchmarks.tables import text

__all__ = ['make_tables', 'report']

# Labels: the weights of the network, and the other method
FITTERS = 'rings', 'isophotes'
HEAD = ('Galaxy', 'Band', 'Rings', 'Median', 'Median absolute', 'Centre',
        'Ellipticity', 'Total', 'R50')


def cells_of(name, band, row):
    """
    A row of the table: a list of texts.
    """
    pairs = [[text(row[label][key], form) for label in (
        'network', 'isophotes')] for key, form in (
            ('mag_total', '.2f'), ('r50', '.1f'))]
    return [name, band, str(row['n_rings']),
            text(row.get('median'), '+.3f'), text(row.get('median_abs')),
            text(row['centre'], '.2f'), text(row.get('ellipticity'), '+.3f'),
            *(' / '.join(pair) for pair in pairs)]


def list_table(head, rows, widths):
    """
    Lines of a table in reStructuredText.
    """
    lines = ['.. list-table::', '    :header-rows: 1',
             f'    :widths: {widths}', '']
    for row in (head, *rows):
        lines += [f'    {"*" if k == 0 else " "} - {cell}'
                  for k, cell in enumerate(row)]
    return [*lines, '']


def make_tables(found, card, largest):
    """
    The tables for the documentation.

    Parameters
    ----------
    found : dict
        The rows of ``real_network.describe``, by galaxy and band.

    card : dict
        What tells the weights from others.

    largest : float
        The largest error of the rings that count, in mag/arcsec2.

    Returns
    -------
    lines : list of str
    """
    each = [(name, band, row) for name, bands in found.items()
            for band, row in bands.items()]
    lines = [
        'Network minus isophotes (mag/arcsec2) over the rings where both',
        f'state an error below {largest:g} mag/arcsec2, the distance',
        'of the centres in pixels, the difference of ellipticity, and',
        'network / isophotes: total magnitude, and radius of half the light',
        'in arcsec. In M51, the zero point is arbitrary.', '',
        *list_table(HEAD, [cells_of(*item) for item in each],
                    '15 8 7 9 10 8 11 17 15'),
        'Beyond a third of the last semi-major axis of these rings: the',
        'median difference, and what the different skies and the different',
        'ellipses make of it (mag/arcsec2, from the pixels):', '',
        *list_table(
            ('Galaxy', 'Band', 'Rings', 'Difference', 'Sky', 'Ellipses'),
            [(name, band, str(row['outer']['n_rings']),
              *(text(row['outer'][key], '+.3f')
                for key in ('difference', 'sky', 'ellipses')))
             for name, band, row in each if 'outer' in row],
            '20 10 10 20 20 20'),
        'Flags of the galaxies:', '',
        *list_table(
            ('Galaxy', 'Band', *FITTERS),
            [(name, band, *(', '.join(f'``{flag}``'
                                      for flag in row[label]['flags']) or '–'
                            for label in ('network', 'isophotes')))
             for name, band, row in each], '15 8 30 47')]
    tables = [(name, label, row['iraf'][key]) for name, _, row in each
              if 'iraf' in row
              for label, key in zip(FITTERS, ('network', 'isophotes'),
                                    strict=True)]
    if tables:
        lines += [
            'Both minus the tables that were made with IRAF, at the radii',
            'of these where both are well measured (mag/arcsec2; for M51,',
            'whose table may have a scale of its own, the median absolute',
            'difference is that about the median):', '',
            *list_table(('Galaxy', 'Fitter', 'Radii', 'Median',
                         'Median absolute'),
                        [(name, label, str(row['n']),
                          text(row['median'], '+.3f'),
                          text(row['median_abs']))
                         for name, label, row in tables],
                        '20 30 10 15 25')]
    return [*lines, f'The weights are ``{card["name"]}`` (SHA-256 '
            f'{card["sha256"][:12]}).']


def report(found):
    """
    The comparison as lines of text.
    """
    lines = []
    for name, bands in found.items():
        for band, row in bands.items():
            lines.append('  '.join(cells_of(name, band, row)))
            thirds = ', '.join(text(value, '+.3f')
                               for value in row.get('thirds', []))
            lines.append(f'    inner, middle, outer third {thirds}; growth '
                         f'{text(row["growth"], "+.3f")}; outside '
                         f'{row.get("outer")}')
            lines += [f'    {label}: {row[label]["flags"]}, '
                      f'{row[label]["n_rings"]} rings to '
                      f'{row[label]["last_radius"]:.1f}'
                      for label in ('network', 'isophotes')]
            if 'iraf' in row:
                lines.append(f'    minus IRAF: {row["iraf"]}')
    return '\n'.join(lines)
