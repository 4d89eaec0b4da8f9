# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The header and the table of truth that all rendered frames have.
"""

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS

__all__ = ['start_header', 'truth_table']


def start_header(n_pix, pixel):
    """
    Make the header of a frame in nanomaggies, with its WCS.

    Parameters
    ----------
    n_pix : int
        The side of the frame.

    pixel : float
        The side of a pixel in arcsec.

    Returns
    -------
    header : `~astropy.io.fits.Header`
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
    wcs.wcs.crval = 180.0, 20.0
    wcs.wcs.crpix = (n_pix + 1) / 2, (n_pix + 1) / 2
    wcs.wcs.cdelt = -pixel / 3600, pixel / 3600
    header = wcs.to_header()
    header['BUNIT'] = 'nanomaggy'
    return header


def truth_table(true, sigma, gain):
    """
    Make the table of a true profile.

    Parameters
    ----------
    true : `~benchmarks.render.truth.TrueProfile`
        The profile.

    sigma : float
        The noise of a sky pixel, in nanomaggies.

    gain : float
        Electrons per nanomaggy.

    Returns
    -------
    table : `~astropy.table.Table`
        With the columns ``sma`` (pixels), ``intensity`` (nanomaggies per
        pixel), ``ellipticity``, ``theta`` (degrees from +x) and
        ``ring_noise``.
    """
    table = Table([true.sma, true.intensity, true.eps,
                   np.degrees(true.theta)],
                  names=['sma', 'intensity', 'ellipticity', 'theta'])
    # Noise of a one-pixel ring from all its pixels: the photon limit.
    n_ring = np.maximum(2 * np.pi * true.sma * np.sqrt(
        (1 + (1 - true.eps)**2) / 2), 1)
    table['ring_noise'] = np.sqrt(
        (sigma**2 + np.maximum(true.intensity, 0) / gain) / n_ring)
    return table
