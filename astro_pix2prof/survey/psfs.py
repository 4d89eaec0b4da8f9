# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Point-spread functions of the bands of a survey, for colours behind one.
"""

import hashlib
from pathlib import Path

import numpy as np

from astro_pix2prof.addresses import is_address
from astro_pix2prof.fitting.matching import (
    as_seen,
    match_profiles,
    read_psfs,
)
from astro_pix2prof.image.companions import split_extension

__all__ = ['BandPSFs', 'match_row']


# A PSF is told from others by its values on so many points a side, out to so
# many times its width, to so many digits.
_POINTS, _REACH, _DIGITS = 21, 3.0, 5

# Columns of the catalogue that a message lists
_LISTED = 12


class BandPSFs:
    """
    The point-spread functions of the bands of a survey.

    Parameters
    ----------
    psf : dict
        For each band what `~astro_pix2prof.PSF` takes, or a column of the
        catalogue with the full width at half maximum (arcsec) of each
        galaxy.

    bands : list of str
        The bands.

    columns : sequence of str
        The columns of the catalogue.

    Raises
    ------
    TypeError, ValueError, OSError
        If ``psf`` is no such dict, or a PSF cannot be read.
    """

    def __init__(self, psf, bands, columns):
        # (a band that is missing, or unknown, is refused with all of them)
        fixed = psf
        if isinstance(psf, dict):
            self.columns = {band: one for band, one in psf.items()
                            if isinstance(one, str) and one in columns}
            fixed = {**psf, **dict.fromkeys(self.columns, 1.0)}
            _check_texts(fixed, columns)
        self.fixed = {band: one for band, one in read_psfs(
            fixed, bands).items() if band not in self.columns}

    @property
    def needed(self):
        """
        The columns that are read (list of str).
        """
        return list(self.columns.values())

    def describe(self):
        """
        Describe the functions as a dict that JSON can hold.
        """
        return {**{band: f'column {name}'
                   for band, name in self.columns.items()},
                **{band: _fingerprint(psf)
                   for band, psf in self.fixed.items()}}

    def of(self, rows, row):
        """
        Make the functions of a galaxy.

        Parameters
        ----------
        rows : `pyarrow.Table`
            Rows of the catalogue.

        row : int
            The row.

        Returns
        -------
        psfs : dict of `~astro_pix2prof.PSF`
            Without the bands for which the catalogue has no width.
        """
        found = dict(self.fixed)
        widths = {}
        for band, name in self.columns.items():
            value = rows[name][row].as_py()
            try:
                value = float(value)
            except (TypeError, ValueError):
                continue
            if np.isfinite(value) and value > 0:
                widths[band] = value
        if widths:
            found.update(read_psfs(widths, list(widths)))
        return found


def _check_texts(psf, columns):
    """
    Refuse texts that are neither columns nor files.
    """
    for band, one in psf.items():
        if not isinstance(one, str) or is_address(one):
            continue
        name, _ = split_extension(one)
        if not Path(name).expanduser().exists():
            names = ', '.join(list(columns)[:_LISTED]) + (
                ', ...' if len(columns) > _LISTED else '')
            msg = (f'psf: {one!r} of band {band!r} is neither a column of '
                   f'the catalogue ({names}) nor a file: give a column with '
                   'the full width at half maximum, a FITS file or a number, '
                   'in arcsec')
            raise FileNotFoundError(msg)


def _fingerprint(psf):
    """
    Describe a function by its values.
    """
    sampled = psf.sampled(1.0)
    at = np.linspace(-_REACH, _REACH, _POINTS) * sampled.fwhm
    values = np.round(sampled(*np.meshgrid(at, at)) * sampled.fwhm**2,
                      _DIGITS) + 0.0
    return f'{psf!r} {hashlib.sha256(values.tobytes()).hexdigest()[:16]}'


def match_row(profiles, psfs, reference):
    """
    Change the profiles of a galaxy to those behind its broadest PSF.

    Parameters
    ----------
    profiles : dict of `~astropy.table.QTable`
        The profiles, by band; with that of the reference.

    psfs : dict of `~astro_pix2prof.PSF`
        The point-spread functions that are known.

    reference : str
        The band whose ellipses all share.

    Returns
    -------
    seen : dict of `~astropy.table.QTable`
        The profiles of bands whose PSF is known.

    broadest : str
        The band of the broadest PSF; '' if the reference has none.
    """
    if reference not in psfs:
        return {}, ''
    known = {band: profile for band, profile in profiles.items()
             if band in psfs}
    changes, broadest = match_profiles(
        known, psfs, (profiles[reference], reference))
    return {band: as_seen(profile, *changes[band])
            for band, profile in known.items()}, broadest
