# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The image of a cube through a filter.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import astropy.constants as const
import astropy.units as u
import numpy as np
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from astro_pix2prof.arguments import check_integer, check_number, check_text
from astro_pix2prof.spectra.cubes import open_cube
from astro_pix2prof.spectra.filters import read_filter

if TYPE_CHECKING:
    from typing import Any

    from astropy.units import UnitBase
    from numpy.typing import ArrayLike

__all__ = ['band_image']


# Part of the light of a filter outside of the cube from which there is a
# warning, and from which there is no image.
_BEYOND, _TOO_MUCH = 0.01, 0.5


def band_image(cube: Any, filter: str | tuple[Any, ...] | np.ndarray = 'white',
               *, hdu: int | str | tuple[str, int] | None = None,
               unit: str | UnitBase | None = None,
               mask: ArrayLike | None = None, bad_bits: int | None = None,
               min_coverage: float = 0.9, name: str | None = None) -> CCDData:
    """
    Make the image of a cube through a filter.

    Each pixel is the mean flux density that a detector which counts photons
    measures through the filter, per unit of frequency, so that its AB
    magnitude is that of synthetic photometry. Fitters take the image as it
    is.

    Parameters
    ----------
    cube : `~specutils.Spectrum`, `~astropy.io.fits.HDUList` or path
        The cube. Of FITS files, those of MUSE, MaNGA, CALIFA, SAMI, KCWI and
        JWST are known, with their errors and masks. Of a file, a few planes
        are in memory at once.

    filter : str, tuple or `~numpy.ndarray`, optional
        'white' for all wavelengths; 'g', 'r', 'i' or 'z' for a constant
        transmission over the width of that band, which is not its curve; a
        range such as '6000:7000' or (6000, 7000); or a curve
        for photons, as a pair (wavelength, transmission) of arrays.
        Wavelengths are in Angstrom or quantities, in air or vacuum as those
        of the cube.

    hdu : int, str or tuple, optional
        The extension of a file that holds the flux.

    unit : str or `~astropy.units.Unit`, optional
        The unit of the flux, in place of the cube's.

    mask : 2D array_like, shape (ny, nx), optional
        Not 0 for spaxels that do not count.

    bad_bits : int, optional
        The bits of an integer mask of the cube that reject a value. By
        default, every bit does.

    min_coverage : float, optional
        The least part of the filter that the usable values of a spaxel have
        to cover; pixels with less are masked. The usable ones stand for the
        others.

    name : str, optional
        The name of the band. By default, that of the filter.

    Returns
    -------
    image : `~astropy.nddata.CCDData`, shape (ny, nx)
        In nJy per pixel (AB zero point 31.4), with the celestial WCS, the
        mask and, if the cube has errors, their standard deviations. The
        errors of the wavelengths count as independent. It is an
        `~astropy.nddata.NDData` if the WCS is none of FITS.

    Raises
    ------
    TypeError
        If the cube or the filter is of a kind that is not known.

    ValueError
        If the cube has no spectral or no spatial axes or no unit of a flux
        density, if half of the filter or more lies outside of it, or if an
        option is out of range.

    OSError
        If the file cannot be read.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If more than 1% of the filter lies outside of the cube: the image is
        that of the part inside.
    """
    min_coverage = check_number(min_coverage, 'min_coverage', above=0,
                                most=1)
    bad_bits = check_integer(bad_bits, 'bad_bits', least=0, most=2**64 - 1,
                             optional=True)
    name = check_text(name, 'name', optional=True)
    with open_cube(cube, hdu=hdu, unit=unit, mask=mask,
                   bad_bits=bad_bits) as opened:
        edges = opened.edges * opened.wave.unit.to(u.AA)
        curve = read_filter(filter, edges)
        scale, weights, pivot = _calibrate(opened, curve, edges)
        image, sigma, covered = _integrate(opened, weights)
        good = covered >= min_coverage
        meta = {'BAND': name or curve.name, 'PIVOT': float(pivot),
                'MEDIUM': opened.medium}
        if opened.name is not None:
            meta['OBJECT'] = opened.name
        error = None if sigma is None else StdDevUncertainty(
            np.where(good, sigma * scale, np.nan))
        # (a CCDData has a WCS of FITS or none)
        kind = CCDData if isinstance(opened.wcs, (WCS, type(None))) else NDData
        return kind(np.where(good, image * scale, np.nan), unit=u.nJy,
                    mask=~good, uncertainty=error, wcs=opened.wcs, meta=meta)


def _calibrate(cube, curve, edges):
    """
    Find the scale to nJy, the weights of the planes and the pivot.
    """
    energy, number = curve.weights(edges)
    beyond = 1 - energy.sum() / curve.total()
    if beyond >= _TOO_MUCH:
        low, high = sorted((edges[0], edges[-1]))
        msg = (f'filter {curve.name!r} must lie in the range of the cube, '
               f'{low:.0f} to {high:.0f} Angstrom, got {100 * beyond:.0f}% '
               'of it outside')
        raise ValueError(msg)
    if beyond > _BEYOND:
        warnings.warn(
            f'{100 * beyond:.1f}% of the filter {curve.name!r} lies outside '
            'of the wavelengths of the cube: the image is that of the part '
            'inside', AstropyUserWarning, stacklevel=3)
    pivot = np.sqrt(energy.sum() / number.sum())
    unit, area = cube.flux_unit()
    if cube.is_per_frequency():
        scale = unit.to(u.nJy)
        return area * scale, number, pivot
    scale = (unit * (pivot * u.AA)**2 / const.c).to(u.nJy)
    return area * scale.value, energy, pivot


def _integrate(cube, weights):
    """
    Calculate weighted means over the planes, their errors and coverage.
    """
    used = np.nonzero(weights)[0]
    n = np.prod(cube.shape)
    light, covered, variance = np.zeros((3, n))
    for planes in cube.planes(used[0], used[-1] + 1):
        weight = weights[planes.part]
        light += weight @ planes.data
        covered += weight @ planes.good.astype(float)
        if planes.variance is not None:
            variance += weight**2 @ planes.variance
    with np.errstate(divide='ignore', invalid='ignore'):
        image, sigma = light / covered, np.sqrt(variance) / covered
    if cube.error is None:
        sigma = None
    return tuple(None if part is None else part.reshape(cube.shape)
                 for part in (image, sigma, covered / weights.sum()))
