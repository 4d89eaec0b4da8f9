# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The columns of a table of structural parameters.
"""

from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.brightness import SB_UNIT

__all__ = ['STRUCTURE_COLUMNS', 'StructureColumn', 'join_structures',
           'level_name', 'part_name', 'structure_table']


class StructureColumn(NamedTuple):
    """
    A column of the table of structural parameters.

    Attributes
    ----------
    name : str
        Its name; ``r_level`` stands for one column for each level, and
        ``r_part`` for one for each further part of the light.

    unit : str
        'mag', 'mag/arcsec2', 'deg', 'arcsec' for the unit of the profile's
        radius, or '' for none.

    has_error : bool
        Whether a column ``name_err`` follows.

    fitted : bool
        Whether it comes from the fit of a model.

    text : str
        Its definition.

    needs_psf : bool
        Whether it is there only if the models are behind a PSF.
    """

    name: str
    unit: str
    has_error: bool
    fitted: bool
    text: str
    needs_psf: bool = False


def _read_off(name, unit, text):
    return StructureColumn(name, unit, True, False, text)


def _fitted(name, unit, text, *, has_error=True, needs_psf=False):
    return StructureColumn(name, unit, has_error, True, text, needs_psf)


STRUCTURE_COLUMNS = (
    _read_off('mag_total', 'mag',
              'Asymptotic magnitude: a straight line through enclosed '
              'magnitude against its gradient, in the outer half of the '
              'profile, gives the magnitude at gradient zero (Cairos et al. '
              '2001), with no more light beyond the profile than Sersic fits '
              'to the outer rings say. Where the growth curve has not '
              'levelled off, or the '
              'frame cuts the galaxy, the light beyond the last ring is that '
              'of Sersic fits to the outer rings, and a flag says so; the '
              'error holds what is not known of the shape of the outskirts.'),
    _read_off('mag_aperture', 'mag',
              'Magnitude within the last ring with a signal-to-noise ratio '
              'above 1.'),
    _read_off('extrapolated_fraction', '',
              'Part of the total light that lies beyond the last ring of '
              '``mag_aperture``.'),
    _read_off('interpolated_fraction', '',
              'Part of the total light within that ring whose pixels are '
              'masked or outside of the frame; the rest of each ring stands '
              'for them.'),
    _read_off('r20', 'arcsec', 'Radius that encloses 20% of the total.'),
    _read_off('r50', 'arcsec', 'Radius that encloses half of the total.'),
    _read_off('r80', 'arcsec', 'Radius that encloses 80% of the total.'),
    _read_off('r90', 'arcsec', 'Radius that encloses 90% of the total.'),
    _read_off('r_part', 'arcsec',
              'Radii that enclose other parts of the total, such as ``r75``; '
              '``fractions=`` chooses them.'),
    _read_off('c28', '', '5 log10(R80 / R20) (Kent 1985).'),
    _read_off('c59', '', 'R90 / R50.'),
    _read_off('r_level', 'arcsec',
              'Outermost radius of a surface brightness, such as ``r23_5`` '
              'for 23.5 mag/arcsec2; ``levels=`` chooses them.'),
    _read_off('r_petro', 'arcsec',
              'Petrosian radius: the local mean from 0.8 to 1.25 r is a '
              'fifth of the mean within r (Blanton et al. 2001); '
              '``petrosian_ratio=`` chooses another part.'),
    _read_off('mag_petro', 'mag',
              'Magnitude within twice the Petrosian radius '
              '(``petrosian_aperture=``). Where the profile ends before and '
              'less than a tenth of the light lies outside, the outer rings '
              'tell the rest; otherwise NaN with a flag.'),
    _read_off('mu_0', 'mag/arcsec2',
              'Surface brightness at the centre, smeared by the PSF; NaN if '
              'the profile does not begin there.'),
    _read_off('mu_mean_50', 'mag/arcsec2',
              'Mean surface brightness within R50.'),
    StructureColumn('mu_limit', 'mag/arcsec2', False, False,
                    'Surface-brightness limit of the image: 3 times the '
                    'noise of means in boxes of 10 by 10 arcsec (Roman et '
                    'al. 2020); see `~astro_pix2prof.surface_brightness_limit'
                    '`.'),
    _read_off('ellipticity_50', '', 'Ellipticity at R50.'),
    _read_off('pa_50', 'deg', 'Position angle at R50.'),
    _read_off('ellipticity_out', '', 'Ellipticity at R90.'),
    _read_off('pa_out', 'deg', 'Position angle at R90.'),
    _fitted('sersic_mu_e', 'mag/arcsec2',
            'Sersic fit to the profile: surface brightness at the effective '
            'radius.'),
    _fitted('sersic_r_e', 'arcsec', 'Sersic fit: effective radius.'),
    _fitted('sersic_n', '', 'Sersic fit: index.'),
    _fitted('sersic_chi2', '', 'Sersic fit: reduced chi squared.',
            has_error=False),
    _fitted('bulge_mu_e', 'mag/arcsec2',
            'Fit of a Sersic bulge and an exponential disc: surface '
            'brightness of the bulge at its effective radius.'),
    _fitted('bulge_r_e', 'arcsec', 'Effective radius of the bulge.'),
    _fitted('bulge_n', '', 'Sersic index of the bulge.'),
    _fitted('disc_mu_0', 'mag/arcsec2',
            'Central surface brightness of the disc.'),
    _fitted('disc_h', 'arcsec', 'Scale length of the disc.'),
    _fitted('b_t', '',
            'Part of the bulge in the flux to infinity (Graham & Driver '
            '2005), both components having the same ellipticity.'),
    _fitted('bulge_disc_chi2', '',
            'Reduced chi squared of bulge and disc.', has_error=False),
    _fitted('core_mu_b', 'mag/arcsec2',
            'With ``psf=``: core-Sersic fit (Graham et al. 2003, with a '
            'sharpness of 5): surface brightness at the break radius.',
            needs_psf=True),
    _fitted('core_r_b', 'arcsec', 'With ``psf=``: break radius of the core.',
            needs_psf=True),
    _fitted('core_gamma', '',
            'With ``psf=``: logarithmic slope inside the core.',
            needs_psf=True),
    _fitted('core_r_e', 'arcsec',
            'With ``psf=``: effective radius of the Sersic law outside of '
            'the core.', needs_psf=True),
    _fitted('core_n', '', 'With ``psf=``: its index.', needs_psf=True),
    _fitted('core_chi2', '',
            'With ``psf=``: reduced chi squared of the core-Sersic fit.',
            has_error=False, needs_psf=True),
    _fitted('h_disc', 'arcsec',
            'Scale length of a straight line through the logarithmic '
            'profile outside the radius of 35% of the light.'),
    _fitted('r_break', 'arcsec',
            'Radius where two such lines meet, if they lower the Bayesian '
            'information criterion by more than 10 (Pohlen & Trujillo '
            '2006).'),
    _fitted('h_in', 'arcsec', 'Scale length inside the break.'),
    _fitted('h_out', 'arcsec', 'Scale length outside the break.'),
    _fitted('disc_type', '',
            '1 without a break, 2 bending down, 3 bending up (Erwin et al. '
            '2008); 0 without a disc.', has_error=False),
)


def level_name(level):
    """
    Name the column of an isophotal radius.

    Parameters
    ----------
    level : float
        Surface brightness (mag/arcsec2).

    Returns
    -------
    name : str
        Such as ``r24_0`` or ``r22_25``, to a hundredth.
    """
    text = f'{level:.2f}'
    return 'r' + (text[:-1] if text[-1] == '0' else text).replace('.', '_')


def part_name(part):
    """
    Name the column of a radius that encloses a part of the light.

    Parameters
    ----------
    part : float
        In per cent.

    Returns
    -------
    name : str
        Such as ``r75`` or ``r99_5p``.
    """
    text = f'{part:g}'
    return f'r{text}' if text.isdigit() else f'r{text.replace(".", "_")}p'


def structure_table(values, flag, *, length, levels, fits, psf=False,
                    fractions=()):
    """
    Make the table of structural parameters.

    Parameters
    ----------
    values : dict of tuple of 2 floats
        Value and error by the name of the column.

    flag : `~astro_pix2prof.StructureFlag`
        The flag.

    length : `~astropy.units.Unit`
        The unit of radii.

    levels : sequence of float
        Surface brightnesses (mag/arcsec2) of isophotal radii.

    fits : bool
        Whether models were fitted.

    psf : bool, optional
        Whether they are behind a PSF.

    fractions : sequence of float, optional
        Further parts of the light (per cent).

    Returns
    -------
    table : `~astropy.table.QTable`
        One row; the description of each column is its definition.
    """
    units = {'mag': u.mag, 'mag/arcsec2': SB_UNIT, 'deg': u.deg,
             'arcsec': length, '': None}
    table = QTable()
    for column in STRUCTURE_COLUMNS:
        if (column.fitted and not fits) or (column.needs_psf and not psf):
            continue
        named = {
            'r_level': [(level_name(level), 'Outermost radius of a surface '
                         f'brightness of {level:g} mag/arcsec2.')
                        for level in levels],
            'r_part': [(part_name(part), f'Radius that encloses {part:g}% of '
                        'the total.') for part in fractions]}.get(
                column.name, [(column.name, _plain(column.text))])
        for name, text in named:
            value, error = values[name]
            table[name] = _cell(value, units[column.unit])
            table[name].info.description = text
            if column.has_error:
                table[f'{name}_err'] = _cell(error, units[column.unit])
                table[f'{name}_err'].info.description = f'Error of {name}.'
    table['flag'] = np.array([int(flag)], dtype=np.int32)
    table['flag'].info.description = 'Bits of StructureFlag.'
    return table


def _plain(text):
    """
    Take the marks of reStructuredText out of a definition.
    """
    return text.replace('`~astro_pix2prof.', '').replace('`', '')


def join_structures(tables, length):
    """
    Join structural parameters of galaxies whose radii may differ in unit.

    Parameters
    ----------
    tables : list of `~astropy.table.QTable`
        Tables of one row.

    length : `~astropy.units.Unit` or `None`
        The unit of radii, `None` if it is not the same for all.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row for each.
    """
    table = QTable()
    for name in tables[0].colnames if tables else ():
        parts = [one[name] for one in tables]
        values = np.concatenate([np.asarray(getattr(part, 'value', part))
                                 for part in parts])
        unit = getattr(parts[0], 'unit', None)
        if unit in (u.arcsec, u.pix):
            unit = length
        table[name] = values if unit is None else values * unit
        table[name].info.description = parts[0].info.description
    systems = ' '.join(dict.fromkeys(
        one.meta['MAGSYS'] for one in tables if 'MAGSYS' in one.meta))
    if systems:
        table.meta['MAGSYS'] = systems
    return table


def _cell(value, unit):
    return [float(value)] if unit is None else [float(value)] * unit
