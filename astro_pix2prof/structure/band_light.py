# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The light of a galaxy in one band, with noisy versions, at any radii.
"""

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import LARGE_CORRECTION, RingFlag
from astro_pix2prof.structure.growth import draw_intensities

__all__ = ['BandLight', 'match_light', 'read_band']


@dataclass
class BandLight:
    """
    Intensities of a band, and noisy versions, on the rings of another.

    Attributes
    ----------
    profile : `~astropy.table.QTable`
        The profile of the band.

    rows : 2D `~numpy.ndarray`, shape (1 + m, n)
        Its intensities, then noisy versions.
    """

    profile: QTable
    rows: np.ndarray

    def magnitudes(self, radius):
        """
        Calculate surface brightness at other radii (mag/arcsec2).

        Parameters
        ----------
        radius : 1D `~numpy.ndarray`, shape (k,)
            The radii, in the unit of the profile.

        Returns
        -------
        mu : 2D `~numpy.ndarray`, shape (1 + m, k)
            Not-a-number beyond the profile.
        """
        with np.errstate(invalid='ignore', divide='ignore'):
            mu = self.profile.meta['sb_zeropoint'] - 2.5 * np.log10(
                np.where(self.rows > 0, self.rows, np.nan))
        return self._at(radius, mu)

    def _at(self, radius, rows):
        own = self.profile['radius'].value
        # (forced photometry has the same radii but for rounding)
        if len(own) == len(radius) and np.allclose(own, radius, rtol=1e-6,
                                                   atol=1e-6):
            return rows
        return np.array([np.interp(radius, own, row, left=np.nan,
                                   right=np.nan) for row in rows])

    def error(self, radius):
        """
        Calculate the stated error of surface brightness (mag).

        Parameters
        ----------
        radius : 1D `~numpy.ndarray`, shape (k,)
            The radii, in the unit of the profile.

        Returns
        -------
        error : 1D `~numpy.ndarray`, shape (k,)
        """
        value = self.profile['intensity'].value
        with np.errstate(invalid='ignore', divide='ignore'):
            error = POGSON * self.profile['intensity_err'].value / value
        if 'surface_brightness_err' in self.profile.colnames:
            stated = self.profile['surface_brightness_err'].value
            error = np.where(np.isfinite(stated), stated, error)
        error = np.where(value > 0, error, np.nan)
        return self._at(radius, error[None])[0]

    def flags(self, radius):
        """
        Find the flags of the nearest rings.

        Parameters
        ----------
        radius : 1D `~numpy.ndarray`, shape (k,)
            The radii, in the unit of the profile.

        Returns
        -------
        flag : 1D `~numpy.ndarray` of int, shape (k,)
            With ``EXTRAPOLATED`` beyond the profile.
        """
        own, flag = self.profile['radius'].value, np.asarray(
            self.profile['flag'])
        found = flag[np.abs(radius[:, None] - own).argmin(1)].copy()
        found[(radius < own[0] - 1e-6) | (radius > own[-1] + 1e-6)] |= (
            RingFlag.EXTRAPOLATED)
        return found


def match_light(light, colours, band):
    """
    Change the light of a band to that behind the PSF of all bands.

    Parameters
    ----------
    light : `BandLight`
        The light of the band, as measured.

    colours : `~astropy.table.QTable`
        The table of colours of ``fit_bands``, with matched PSFs.

    band : str
        The band.

    Returns
    -------
    matched : `BandLight`
        With the brightness and the errors of the table. Rings that the table
        does not know are as they were. Enclosed magnitudes are left out, as
        they are those of the image.
    """
    profile = light.profile
    radius = profile['radius'].value
    rings = colours['radius'].to_value(profile['radius'].unit)
    # (rounding apart, both have the same rings)
    beyond = (radius < rings[0] - 1e-6) | (radius > rings[-1] + 1e-6)
    own, error = (profile[name] for name in (
        'surface_brightness', 'surface_brightness_err'))
    seen, seen_err = (np.where(beyond, np.nan, np.interp(
        radius, rings, colours[name].value)) for name in (
            band, f'{band}_err'))
    change = np.nan_to_num(seen - own.value)
    with np.errstate(invalid='ignore', divide='ignore'):
        more = seen_err / error.value
    more = np.where(np.isfinite(more), np.maximum(more, 1.0), 1.0)
    factor = 10**(-0.4 * change)
    matched = QTable(profile, copy=True)
    matched.remove_columns([name for name in (
        'mag_enclosed', 'mag_enclosed_err', 'surface_brightness_samples')
        if name in matched.colnames])
    matched['surface_brightness'] = own + change * own.unit
    matched['surface_brightness_err'] = error * more
    matched['intensity'] = profile['intensity'] * factor
    matched['intensity_err'] = profile['intensity_err'] * factor * more
    flag = np.array(profile['flag']) & ~int(RingFlag.UNRESOLVED)
    flag[np.abs(change) > LARGE_CORRECTION] |= int(RingFlag.PSF_CORRECTED)
    matched['flag'] = flag
    rows = factor * (light.rows[:1] + more * (light.rows - light.rows[:1]))
    return BandLight(matched, rows)


def read_band(profile, n_samples, rng):
    """
    Draw noisy versions of the intensities of a band.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A calibrated profile.

    n_samples : int
        The number of noisy versions, where the profile brings none.

    rng : `~numpy.random.Generator`
        The source of random numbers.

    Returns
    -------
    light : `BandLight`
    """
    value = profile['intensity'].value
    everything = np.ones(len(value), dtype=bool)
    rows = draw_intensities(profile, value, everything,
                      profile.meta['sb_zeropoint'], n_samples, rng)
    # Samples that a fitter wrote may have been drawn with the same seed in
    # all bands: their noise is not the same in truth.
    rows[1:] = rows[1:][rng.permutation(len(rows) - 1)]
    return BandLight(profile, rows)
