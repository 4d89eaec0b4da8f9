# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Files of radial spectra.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specutils import Spectrum

    from astro_pix2prof.typing import PathLike

__all__ = ['write_spectra']


def write_spectra(spectra: Spectrum | Sequence[Spectrum], path: PathLike, *,
                  overwrite: bool = False) -> None:
    """
    Write radial spectra to a FITS file.

    The first table has a row for each wavelength, and vectors of all annuli
    in the columns ``flux``, ``uncertainty`` and ``mask``:
    ``Spectrum.read(path, format='tabular-fits')`` reads it. The second,
    ANNULI, has a row for each annulus.

    Parameters
    ----------
    spectra : `~specutils.Spectrum` or list of these
        As `radial_spectra` returns them, or one of them.

    path : str or `~pathlib.Path`
        The file.

    overwrite : bool, optional
        Whether to replace a file that exists.

    Raises
    ------
    ValueError
        If there is no spectrum, or they are not those of one cube.

    OSError
        If the file exists and ``overwrite`` is `False`.
    """
    path = Path(path)
    # (a Spectrum has a length and items, each of them a Spectrum)
    spectra = ([spectra] if hasattr(spectra, 'spectral_axis')
               else list(spectra))
    if not spectra or any('sma_out' not in one.meta for one in spectra):
        msg = ('spectra must be those of radial_spectra, at least one, got '
               f'{len(spectra)} without annuli')
        raise ValueError(msg)
    wave = spectra[0].spectral_axis
    if any(one.shape != spectra[0].shape
           or not np.array_equal(one.spectral_axis, wave)
           for one in spectra):
        msg = 'spectra must have the same wavelengths, got different ones'
        raise ValueError(msg)
    if path.exists() and not overwrite:
        msg = f'{path} exists; give overwrite=True to replace it'
        raise OSError(msg)
    table = QTable()
    table['wavelength'] = u.Quantity(wave)
    table['flux'] = np.stack([one.flux.value for one in spectra],
                             axis=1) * spectra[0].flux.unit
    if spectra[0].uncertainty is not None:
        table['uncertainty'] = np.stack(
            [one.uncertainty.array for one in spectra],
            axis=1) * spectra[0].flux.unit
    table['mask'] = np.stack([one.mask for one in spectra], axis=1)
    first = fits.table_to_hdu(table)
    first.name = 'SPECTRA'
    meta = spectra[0].meta
    first.header['MEDIUM'] = (meta['medium'] or 'unknown',
                              'of the wavelengths')
    first.header['STATIST'] = (meta['statistic'], 'sum or mean of annuli')
    if 'OBJECT' in meta:
        first.header['OBJECT'] = meta['OBJECT']
    rings = QTable([_annulus(one.meta) for one in spectra])
    second = fits.table_to_hdu(rings)
    second.name = 'ANNULI'
    second.header['PAFRAME'] = (meta['pa_frame'], 'pa: sky from north')
    fits.HDUList([fits.PrimaryHDU(), first, second]).writeto(
        path, overwrite=overwrite)


def _annulus(meta):
    """
    Collect the values of one annulus for a row of the table.
    """
    row = {name: meta[name] for name in (
        'sma_in', 'sma_out', 'radius', 'ellipticity', 'pa', 'area',
        'n_spaxels')}
    row['n_valid_min'], row['n_valid_max'] = meta['n_valid']
    row['covariance_factor'] = meta['covariance_factor']
    return row
