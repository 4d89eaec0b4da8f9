# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Filters, and the weights that they give to the planes of a cube.
"""

from dataclasses import dataclass

import astropy.units as u
import numpy as np

from astro_pix2prof.wording import shown

__all__ = ['BANDS', 'Filter', 'read_filter']


# Ranges (Angstrom) of filters of constant transmission in place of griz of the
# SDSS: their centres and widths (Fukugita et al. 1996, AJ 111, 1748; Gunn et
# al. 1998, AJ 116, 3040).
BANDS = {'g': (4100.0, 5500.0), 'r': (5550.0, 6950.0),
         'i': (6950.0, 8450.0), 'z': (8500.0, 9700.0)}


@dataclass
class Filter:
    """
    Record of the transmission of a filter.

    Attributes
    ----------
    name : str
        Its name.

    wave : 1D `~numpy.ndarray`, shape (n,)
        Wavelengths in Angstrom, increasing; there is no transmission
        outside of them.

    transmission : 1D `~numpy.ndarray`, shape (n,)
        The transmission for a photon at these, from 0 on, linear between
        them.
    """

    name: str
    wave: np.ndarray
    transmission: np.ndarray

    def weights(self, edges):
        """
        Integrate over the planes of a cube, exactly for a linear curve.

        Parameters
        ----------
        edges : 1D `~numpy.ndarray`, shape (m + 1,)
            The edges of the planes in Angstrom, in either order.

        Returns
        -------
        energy : 1D `~numpy.ndarray`, shape (m,)
            The integral of the transmission times the wavelength over each
            plane: weights of a flux density per wavelength in a count of
            photons.

        number : 1D `~numpy.ndarray`, shape (m,)
            The integral of the transmission over the wavelength: weights
            of a flux density per frequency.
        """
        turned = edges[0] > edges[-1]
        edges = edges[::-1] if turned else edges
        nodes = np.union1d(edges, self.wave)
        nodes = nodes[(nodes >= max(edges[0], self.wave[0]))
                      & (nodes <= min(edges[-1], self.wave[-1]))]
        sums = np.zeros((2, len(edges) - 1))
        if len(nodes) > 1:
            low, high = nodes[:-1], nodes[1:]
            first, last = (np.interp(at, self.wave, self.transmission)
                           for at in (low, high))
            width, middle = high - low, 0.5 * (low + high)
            slope = (last - first) / width
            where = np.searchsorted(edges, middle) - 1
            # (Simpson's rule is exact for a parabola)
            np.add.at(sums[0], where, width / 6 * (
                first * low + 2 * (first + last) * middle + last * high))
            np.add.at(sums[1], where, slope * width + (
                first - slope * low) * np.log(high / low))
        return tuple(part[::-1] if turned else part for part in sums)

    def total(self):
        """
        Integrate the transmission times the wavelength over the filter.

        Returns
        -------
        energy : float
            In Angstrom squared.
        """
        return float(self.weights(self.wave)[0].sum())


def read_filter(given, edges):
    """
    Read a filter in any of the forms that a user may give.

    Parameters
    ----------
    given : str, tuple or `~numpy.ndarray`
        'white' for all wavelengths of the cube; the name of a range in
        ``BANDS``; a range such as '6000:7000' or (6000, 7000); or a curve,
        as a pair (wavelength, transmission) of arrays or an array of two
        columns. Wavelengths are in Angstrom or quantities.

    edges : 1D `~numpy.ndarray`, shape (m + 1,)
        The edges of the planes of the cube in Angstrom.

    Returns
    -------
    filter : `Filter`

    Raises
    ------
    TypeError
        If it is none of these.

    ValueError
        If the range or the curve is empty or not in order, or the name is
        not known.
    """
    if isinstance(given, str):
        return _read_text(given.strip(), edges)
    try:
        wave, transmission = _pair(given)
    except (TypeError, ValueError):
        msg = ("filter must be 'white', the name of a band, a range such as "
               "'6000:7000' or (6000, 7000), or a curve (wavelength, "
               f'transmission), got {shown(given)}')
        raise TypeError(msg) from None
    if np.ndim(wave) == 0:
        return _range(_angstroms(wave), _angstroms(transmission), given)
    return _curve(_angstroms(wave), transmission)


def _read_text(text, edges):
    low, high = sorted((float(edges[0]), float(edges[-1])))
    if text.lower() == 'white':
        return _range(low, high, text, 'white')
    if text in BANDS:
        return _range(*BANDS[text], text, f'{text} (box)')
    first, colon, last = text.partition(':')
    try:
        if not colon:
            raise ValueError
        limits = [float(part) for part in (first, last)]
    except ValueError:
        msg = (f"filter must be 'white', {', '.join(map(repr, BANDS))} or a "
               f"range of Angstrom such as '6000:7000', got {text!r}")
        raise ValueError(msg) from None
    return _range(*limits, text)


def _pair(given):
    """
    Take a range or a curve apart into two numbers or two arrays.
    """
    if not isinstance(given, (tuple, list)):
        given = given if isinstance(given, u.Quantity) else np.asarray(
            given, dtype=float)
        if given.ndim == 2 and given.shape[0] != 2:
            given = given.T
    first, second = given
    if isinstance(first, str) or isinstance(second, str):
        raise TypeError
    if np.ndim(first) != np.ndim(second) or np.ndim(first) > 1:
        raise ValueError
    if np.ndim(first) == 1:
        second = u.Quantity(second).to_value(u.dimensionless_unscaled)
        if np.shape(first) != np.shape(second) or np.size(first) < 2:
            raise ValueError
    return first, second


def _angstroms(wave):
    """
    Convert wavelengths to Angstrom, which plain numbers are in already.
    """
    if getattr(wave, 'unit', None) is None:
        return np.asarray(wave, dtype=float)
    try:
        return u.Quantity(wave).to_value(u.AA, u.spectral())
    except u.UnitConversionError:
        msg = ('filter must have wavelengths in Angstrom or another length, '
               f"got the unit '{wave.unit}'")
        raise ValueError(msg) from None


def _range(low, high, given, name=None):
    low, high = float(low), float(high)
    if not 0 < low < high < np.inf:
        msg = ('filter must be a range of increasing wavelengths in '
               f'Angstrom, got {shown(given)}')
        raise ValueError(msg)
    return Filter(name or f'{low:g}-{high:g} Angstrom',
                  np.array([low, high]), np.ones(2))


def _curve(wave, transmission):
    transmission = np.asarray(transmission, dtype=float)
    if wave[0] > wave[-1]:
        wave, transmission = wave[::-1], transmission[::-1]
    if not (np.isfinite(wave).all() and wave[0] > 0
            and np.all(np.diff(wave) > 0)):
        msg = ('filter must have positive wavelengths in order, got '
               f'{np.array2string(wave, threshold=6)}')
        raise ValueError(msg)
    if not (np.isfinite(transmission).all() and transmission.min() >= 0
            and transmission.max() > 0):
        msg = ('filter must have a transmission from 0 on that is not 0 '
               f'everywhere, got {np.array2string(transmission, threshold=6)}'
               )
        raise ValueError(msg)
    return Filter('curve', wave, transmission)
