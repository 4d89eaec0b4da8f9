# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Spectra of elliptical annuli.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
)
from astro_pix2prof.ellipses.geometry import (
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.ellipses.given import read_ellipses
from astro_pix2prof.profile.columns import is_profile
from astro_pix2prof.profile.meta import profile_meta
from astro_pix2prof.spectra.annuli import make_annuli
from astro_pix2prof.spectra.covariance import covariance_factor
from astro_pix2prof.spectra.cubes import open_cube
from astro_pix2prof.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from astropy.units import Quantity, UnitBase
    from numpy.typing import ArrayLike
    from specutils import SpectrumList

    from astro_pix2prof.typing import EllipsesLike

__all__ = ['radial_spectra']


# An annulus of less than this area (spaxels) has hardly a light of its own.
_SMALL = 0.5


def radial_spectra(
        cube: Any, profile: EllipsesLike, *,
        edges: ArrayLike | Quantity | None = None,
        statistic: Literal['sum', 'mean'] = 'sum', fill: bool = True,
        covariance: float | Literal['manga'] | Callable[..., Any] |
            None = None,
        min_valid: float = 0.5, hdu: int | str | tuple[str, int] | None = None,
        unit: str | UnitBase | None = None, mask: ArrayLike | None = None,
        bad_bits: int | None = None) -> SpectrumList:
    """
    Measure one spectrum for each annulus of the ellipses of a profile.

    Pixels at the edge of an annulus count with the exact part of their area
    inside of it, so that the annuli share no light and lose none.

    Parameters
    ----------
    cube : `~specutils.Spectrum`, `~astropy.io.fits.HDUList` or path
        The cube, as for `band_image`. Of a file, a few planes are in memory
        at once.

    profile : `~astropy.table.QTable`, `ProfileFit` or other ellipses
        The profile. If its centre and position angles are known on the sky,
        it may come from any other image of the galaxy. Of a fit to an image
        of this cube, the mask is used too. Otherwise, anything that fitters
        take as ``geometry``.

    edges : 1D array_like, `~astropy.units.Quantity` or str, optional
        The semi-major axes between the annuli, the inner edge of the first
        included; plain numbers are spaxels, and a text is such as
        '0,2,4arcsec'. By default, half-way between the rings of the
        profile, and at least a spaxel apart.

    statistic : {'sum', 'mean'}, optional
        The flux density of each annulus, or its mean surface brightness,
        per arcsec2.

    fill : bool, optional
        Whether the mean of the usable part of an annulus stands for the
        rest of a sum, at each wavelength: for masked values and for what
        lies outside of the cube. `False` sums the usable values only.

    covariance : {'manga'}, float or callable, optional
        By how much errors of sums exceed those of N independent spaxels: as
        in the survey, ``1 + beta log10 N`` with this slope beta, or a
        function of N. By default, spaxels are independent, which those of
        cubes that were resampled are not.

    min_valid : float, optional
        The least usable part of an annulus; wavelengths with less are
        masked.

    hdu : int, str or tuple, optional
        The extension of a file that holds the flux.

    unit : str or `~astropy.units.Unit`, optional
        The unit of the flux, in place of the cube's.

    mask : 2D array_like, shape (ny, nx), optional
        Not 0 for spaxels that do not count, such as those of other objects.

    bad_bits : int, optional
        The bits of an integer mask of the cube that reject a value. By
        default, every bit does.

    Returns
    -------
    spectra : `~specutils.SpectrumList` of `~specutils.Spectrum`
        One for each annulus, from the centre out, with the unit and the
        wavelengths of the cube (in air or vacuum as they were, see
        ``meta['medium']``), a mask and, if the cube has errors, standard
        deviations. The ``meta`` has the semi-major axes ``sma_in`` and
        ``sma_out`` and their middle ``radius`` (arcsec, or pixels without a
        WCS), ``ellipticity`` and ``pa`` at the middle, ``area`` (arcsec2 or
        pixels), ``n_spaxels``, the least and largest ``n_valid``, and the
        largest ``covariance_factor`` that the errors hold.

    Raises
    ------
    TypeError
        If an argument is of a kind that is not known.

    ValueError
        If the cube has no spectral or no spatial axes, if the profile does
        not fit it, or if an option is out of range.

    OSError
        If the file cannot be read.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If ellipses cross each other, if the mask of a fit is not on the
        spaxels of the cube and is not used, or if the profile has no
        coordinates on the sky but the cube has; or if a spectrum is masked
        at all wavelengths.
    """
    statistic = check_choice(statistic, 'statistic', ('sum', 'mean'))
    fill = check_flag(fill, 'fill')
    min_valid = check_number(min_valid, 'min_valid', least=0, most=1)
    bad_bits = check_integer(bad_bits, 'bad_bits', least=0, most=2**64 - 1,
                             optional=True)
    # (an option that is wrong is found before the cube is read)
    covariance_factor(covariance, np.array([1.0, 2.0]))
    with open_cube(cube, hdu=hdu, unit=unit, mask=mask,
                   bad_bits=bad_bits) as opened:
        frame = opened.frame()
        if hasattr(profile, 'profile') and hasattr(profile, 'mask'):
            _take_mask(opened, frame, profile)
            profile = profile.profile
        ellipses = _read_profile(profile, frame)
        annuli = make_annuli(ellipses, ellipses.centre, opened.shape,
                             frame.pixel_scale, edges)
        if edges is not None:
            _warn_of_small(annuli, frame)
        sums = _sum(opened, annuli)
        return _make_spectra(opened, frame, annuli, sums, {
            'statistic': statistic, 'fill': fill, 'covariance': covariance,
            'min_valid': min_valid})


def _read_profile(profile, frame):
    """
    Read the ellipses of a profile in the spaxels of the cube.
    """
    if profile is None:
        msg = 'profile must be a profile or other ellipses, got None'
        raise TypeError(msg)
    try:
        ellipses = read_ellipses(frame, profile)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace('geometry', 'profile', 1)
                          ) from error
    if ellipses.centre is None:
        msg = ('profile must have a centre, ra and dec or x_centre and '
               'y_centre in its meta: give a profile that a fitter returned')
        raise ValueError(msg)
    if is_profile(profile) and frame.wcs is not None and profile_meta(
            profile).get('pa_frame') != 'sky':
        warnings.warn(
            'the profile has no coordinates on the sky: its centre and '
            'angles are taken as those in the spaxels of the cube',
            AstropyUserWarning, stacklevel=3)
    return ellipses


def _take_mask(cube, frame, fit):
    """
    Use the mask of a fit, if it is on the spaxels of the cube.
    """
    cutout = fit.cutout
    same = cutout.shape == cube.shape and tuple(cutout.origin) == (0, 0)
    if same and frame.wcs is not None and cutout.wcs is not None:
        corners = [[0, cube.shape[1] - 1], [0, cube.shape[0] - 1]]
        here, there = (np.array(image.wcs.pixel_to_world_values(*corners))
                       for image in (frame, cutout))
        same = np.allclose(here, there, rtol=0, atol=1e-6)
    if same:
        hidden = np.asarray(fit.mask, dtype=bool)
        cube.hidden = hidden if cube.hidden is None else hidden | cube.hidden
    elif cube.hidden is None and np.any(fit.mask):
        warnings.warn(
            'the mask of the fit is not on the spaxels of the cube and is '
            'not used: give mask= for other objects, or no fit but its '
            'profile', AstropyUserWarning, stacklevel=3)


def _sum(cube, annuli):
    """
    Sum flux, area, variance and squared weights over each annulus.
    """
    n, n_wave = len(annuli.area), len(cube.wave)
    flux, area, variance, squares = np.zeros((4, n, n_wave))
    weights = annuli.weights
    squared = weights.multiply(weights).tocsr()
    # (most annuli are far smaller than the cube)
    used = np.unique(weights.indices)
    weights, squared = weights[:, used], squared[:, used]
    for planes in cube.planes():
        part = planes.part
        good = planes.good[:, used].T.astype(float)
        flux[:, part] = weights @ planes.data[:, used].T
        area[:, part] = weights @ good
        squares[:, part] = squared @ good
        if planes.variance is not None:
            variance[:, part] = squared @ planes.variance[:, used].T
    return flux, area, variance, squares


def _make_spectra(cube, frame, annuli, sums, options):
    """
    Make spectra of the sums.
    """
    from specutils import Spectrum, SpectrumList

    flux, area, variance, squares = sums
    unit, solid = cube.flux_unit()
    whole = annuli.area[:, None]
    with np.errstate(divide='ignore', invalid='ignore'):
        valid = area / whole
        n_spaxels = np.where(squares > 0, area**2 / squares, 0.0)
        factor = covariance_factor(options['covariance'], n_spaxels)
        scale = np.full(area.shape, solid)
        if options['statistic'] == 'mean':
            per = 1.0 if frame.pixel_scale is None else frame.pixel_scale**2
            unit = unit / (u.pix if frame.pixel_scale is None
                           else u.arcsec**2)
            scale = scale / (area * per)
        elif options['fill']:
            scale = scale * whole / area
        value = np.where(area > 0, flux * scale, np.nan)
        error = np.where(area > 0, np.sqrt(variance) * factor * scale,
                         np.nan)
    bad = ~(valid >= options['min_valid']) | ~(area > 0)
    _warn_of_masked(bad, annuli, frame)
    length = u.pix if frame.pixel_scale is None else u.arcsec
    edges = annuli.edges * frame.radius_scale * length
    spectra = SpectrumList()
    for k in range(len(whole)):
        eps, pa, pa_frame = _shape(frame, annuli, k)
        known = factor[k][area[k] > 0]
        meta = {
            'sma_in': edges[k], 'sma_out': edges[k + 1],
            'radius': 0.5 * (edges[k] + edges[k + 1]),
            'ellipticity': eps, 'pa': pa * u.deg, 'pa_frame': pa_frame,
            'area': annuli.area[k] * (1.0 if frame.pixel_scale is None else
                                      frame.pixel_scale**2) * length**2,
            'n_spaxels': float(annuli.weights[[k]].sum()),
            'n_valid': (float(valid[k].min()), float(valid[k].max())),
            'covariance_factor': float(known.max()) if known.size else 1.0,
            'statistic': options['statistic'], 'medium': cube.medium}
        if cube.name is not None:
            meta['OBJECT'] = cube.name
        spectra.append(Spectrum(
            flux=value[k] * unit, spectral_axis=cube.wave.copy(),
            wcs=None if cube.spectral_wcs is None
            else cube.spectral_wcs.deepcopy(),
            uncertainty=None if cube.error is None
            else StdDevUncertainty(error[k]),
            mask=bad[k], meta=meta))
    return spectra


def _warn_of_small(annuli, frame):
    """
    Warn of annuli whose spectra are those of parts of a spaxel.
    """
    small = np.flatnonzero(annuli.area < _SMALL)
    if not small.size:
        return
    k = int(small[0])
    edges = annuli.edges[k:k + 2] * frame.radius_scale
    unit = 'pixels' if frame.pixel_scale is None else 'arcsec'
    warnings.warn(
        f'the annulus from {edges[0]:.4g} to {edges[1]:.4g} {unit} has the '
        f'area of {annuli.area[k]:.2g} spaxels: its spectrum is that of the '
        f'spaxels in which it lies ({small.size} of '
        f'{counted(len(annuli.area), "annulus", "annuli")}); give wider '
        'edges=', AstropyUserWarning, stacklevel=3)


def _warn_of_masked(bad, annuli, frame):
    """
    Warn of annuli whose spectra are masked at all wavelengths.
    """
    lost = np.flatnonzero(bad.all(axis=1))
    if not lost.size:
        return
    k = int(lost[0])
    edges = annuli.edges[k:k + 2] * frame.radius_scale
    unit = 'pixels' if frame.pixel_scale is None else 'arcsec'
    part = float(annuli.weights[[k]].sum() / annuli.area[k])
    warnings.warn(
        f'{len(lost)} of {counted(len(bad), "spectrum", "spectra")} '
        f'{"is" if len(lost) == 1 else "are"} masked at all wavelengths: too '
        'little of the annulus is usable. The first is that from '
        f'{edges[0]:.4g} to {edges[1]:.4g} {unit}, of which {part:.0%} lies '
        'inside of the cube: give other edges=',
        AstropyUserWarning, stacklevel=4)


def _shape(frame, annuli, k):
    """
    Average the shapes of the two edges of an annulus.
    """
    # (an edge at the centre has no shape of its own)
    both = slice(k + 1 if annuli.edges[k] == 0 else k, k + 2)
    eps, theta = shape_from_components(*(
        part.mean() for part in shape_to_components(annuli.eps[both],
                                                    annuli.theta[both])))
    pa, pa_frame = frame.to_sky_pa(np.degrees(theta))
    return float(eps), float(pa), pa_frame
