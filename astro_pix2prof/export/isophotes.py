# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Isophote lists and apertures of photutils.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.ellipses.model import model_image
from astro_pix2prof.export.source import fit_rings, masked_pixels

if TYPE_CHECKING:
    from typing import Any

    from astro_pix2prof import ProfileFit

__all__ = ['to_apertures', 'to_isophote_list']


def to_isophote_list(fit: ProfileFit) -> Any:
    """
    Make the isophote list of photutils from a fit.

    Ellipses, intensities and their errors are those of the fit. Photutils
    samples the image along the ellipses for all else: harmonics, gradients
    and fluxes.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    Returns
    -------
    isophotes : `~photutils.isophote.IsophoteList`
        The rings that have a value, and the central pixel, in pixels of
        ``fit.cutout`` and in its unit without the sky. Pixels that do not
        count are filled with the model. Angles are in radians from +x, and
        may exceed a half turn so that they do not jump. ``ellip_err`` and
        ``pa_err`` are those of the fit where it has them.

    Raises
    ------
    TypeError
        If ``fit`` is no fit.

    ValueError
        If less than two rings have an ellipse and a value.

    Examples
    --------
    >>> from photutils.isophote import build_ellipse_model
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> from astro_pix2prof import to_isophote_list
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> isophotes = to_isophote_list(fit)
    >>> model = build_ellipse_model(fit.cutout.shape, isophotes)
    """
    from photutils.isophote import (
        EllipseGeometry,
        EllipseSample,
        Isophote,
        IsophoteList,
    )
    from photutils.isophote.isophote import CentralPixel
    from photutils.isophote.sample import CentralEllipseSample

    rings = fit_rings(fit)
    image = _filled(fit)
    x, y = (float(c) for c in fit.centre)
    eps_err, pa_err = (np.asarray(getattr(
        fit.profile[name], 'value', fit.profile[name]), dtype=float)[
            rings.rows] for name in ('ellipticity_err', 'pa_err'))
    found = []
    with warnings.catch_warnings():
        # (of few samples, of which photutils makes no harmonics)
        warnings.simplefilter('ignore', RuntimeWarning)
        sample = CentralEllipseSample(image, 0.0, geometry=EllipseGeometry(
            x, y, 0.0, 0.0, 0.0))
        sample.update(fixed_parameters=None)
        found.append(CentralPixel(sample))
        for k, sma in enumerate(rings.sma):
            if not sma > 0:
                found[0].intens = rings.intensity[k]
                found[0].int_err = rings.intensity_err[k]
                continue
            sample = EllipseSample(image, sma, geometry=EllipseGeometry(
                x, y, sma, rings.eps[k], rings.theta[k],
                fix_center=True, fix_pa=True, fix_eps=True))
            sample.update(fixed_parameters=[True] * 4)
            isophote = Isophote(sample, 0, True, 0)
            isophote.intens = rings.intensity[k]
            isophote.int_err = rings.intensity_err[k]
            if np.isfinite(eps_err[k]):
                isophote.ellip_err = eps_err[k]
            if np.isfinite(pa_err[k]):
                isophote.pa_err = np.radians(pa_err[k])
            found.append(isophote)
    return IsophoteList(found)


def _filled(fit):
    """
    Subtract the sky, and fill pixels that do not count with the model.
    """
    image = fit.subtracted().astype(float)
    bad, others = masked_pixels(fit)
    holes = bad | others
    image[holes] = model_image(fit.profile, fit.cutout)[holes]
    return image


def to_apertures(fit: ProfileFit, *, sky: bool = False) -> list[Any]:
    """
    Make an elliptical aperture of photutils from each ring.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    sky : bool, optional
        Whether to give them on the sky.

    Returns
    -------
    apertures : list of `~photutils.aperture.EllipticalAperture`
        One for each ring that has a value, from the inside out, without
        radius 0: in pixels of ``fit.cutout``, or
        `~photutils.aperture.SkyEllipticalAperture`.

    Raises
    ------
    TypeError
        If ``fit`` is no fit.

    ValueError
        If no ring has an ellipse and a value, or the sky is wanted and the
        image has no WCS.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> from astro_pix2prof import to_apertures
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> apertures = to_apertures(fit)
    >>> pixels = apertures[-10].to_mask().multiply(fit.subtracted())
    >>> bool(pixels.sum() > 0)
    True
    """
    from photutils.aperture import EllipticalAperture

    rings = fit_rings(fit)
    if sky and fit.cutout.wcs is None:
        msg = ('sky=True needs an image with a WCS: give sky=False for '
               'apertures in pixels')
        raise ValueError(msg)
    found = [EllipticalAperture(fit.centre, sma, sma * (1 - eps), theta=theta)
             for sma, eps, theta in zip(rings.sma, rings.eps, rings.theta,
                                        strict=True) if sma > 0]
    if sky:
        found = [aperture.to_sky(fit.cutout.wcs) for aperture in found]
    return found
