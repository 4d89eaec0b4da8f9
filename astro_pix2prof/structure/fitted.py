# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Structural parameters from fits of models.
"""

import numpy as np

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import StructureFlag
from astro_pix2prof.structure.broad_psf import warn_of_centre
from astro_pix2prof.structure.models import (
    fit_bulge_disc,
    fit_disc,
    fit_sersic,
)
from astro_pix2prof.structure.smeared import MODEL_COLUMNS, MODELS

__all__ = ['magnitude_of', 'put_fits', 'put_smeared']


# The part of the difference between the two scale lengths of a disc that is an
# error of that of the line: set on 63 discs (GalSim, seed 9931).
_TWO_WAYS = 0.85

# A fit of bulge and disc whose reduced chi squared is larger than that of a
# Sersic law by this factor, and chi squared by this much, did not converge.
_WORSE, _LEAST_WORSE = 1.5, 9.0

# Errors (mag) of the surface brightness of a component that is seen: above the
# last, its light is not known to a factor of ten; below the first, it is a
# component of no light, on which no ring depends.
_LEAST_ERROR, _MOST_ERROR = 1e-6, 2.5


def magnitude_of(flux, zero):
    """
    Convert fluxes or intensities to magnitudes.

    Parameters
    ----------
    flux : float or `~numpy.ndarray`
        The fluxes.

    zero : float
        The zero point.

    Returns
    -------
    mag : `~numpy.ndarray`
        Not-a-number where there is no positive flux.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        mag = zero - 2.5 * np.log10(flux)
    return np.where(np.isfinite(mag), mag, np.nan)


def put_smeared(result, radius, intensity, error, zero, few, *, rings,
                covariance=None):
    """
    Fit models behind a PSF to the profile; return flags.

    Parameters
    ----------
    result : dict of tuple
        Values and errors by the name of the column; added to.

    radius, intensity, error : 1D `~numpy.ndarray`, shape (n,)
        The profile.

    zero : float
        Zero point of surface brightness.

    few : bool
        Whether there are too few rings for a fit.

    rings : `~astro_pix2prof.structure.smeared.SmearedRings`
        The rings behind the PSF.

    covariance : 2D `~numpy.ndarray`, shape (n, n), optional
        The covariance of the intensities.

    Returns
    -------
    flag : `~astro_pix2prof.StructureFlag`
    """
    flag, none = StructureFlag(0), (np.nan, np.nan)
    fits = []
    for model, bit in (('sersic', StructureFlag.SERSIC_FAILED),
                       ('bulge_disc', StructureFlag.BULGE_DISC_FAILED),
                       ('core', StructureFlag.CORE_FAILED)):
        names, fit, columns = MODEL_COLUMNS[model], None, None
        if not few:
            make, columns = MODELS[model]
            fit = make(rings)
        if fit is None:
            flag |= bit
            result.update(dict.fromkeys(names, none))
            result[f'{model}_chi2'] = none
            continue
        fits.append(fit)
        result.update(columns(fit))
        result[f'{model}_chi2'] = fit.chi2 / fit.n_free, np.nan
        _to_magnitudes(result, names[:1], zero)
        if model == 'bulge_disc':
            _to_magnitudes(result, ['disc_mu_0'], zero)
    if fits:
        warn_of_centre(rings, fits)
    if not few and result['sersic_r_e'][0] < rings.fwhm:
        flag |= StructureFlag.PSF_SIZED
    flag |= _put_disc(result, radius, intensity, error, few, covariance)
    return flag | _hide_unseen(result, len(radius))


def _to_magnitudes(result, names, zero):
    """
    Convert intensities of models to surface brightnesses.
    """
    for name in names:
        value, spread = result[name]
        with np.errstate(invalid='ignore', divide='ignore'):
            result[name] = (magnitude_of(value, zero), POGSON * spread / value)


def put_fits(result, radius, intensity, error, zero, few, *,
             covariance=None):
    """
    Fit models to the profile; return flags.

    Parameters
    ----------
    result : dict of tuple
        Values and errors by the name of the column; added to.

    radius, intensity, error : 1D `~numpy.ndarray`, shape (n,)
        The profile.

    zero : float
        Zero point of surface brightness.

    few : bool
        Whether there are too few rings for a fit.

    covariance : 2D `~numpy.ndarray`, shape (n, n), optional
        The covariance of the intensities.

    Returns
    -------
    flag : `~astro_pix2prof.StructureFlag`
    """
    flag, none = StructureFlag(0), (np.nan, np.nan)
    for fitter, bit, names, chi2 in (
            (fit_sersic, StructureFlag.SERSIC_FAILED,
              MODEL_COLUMNS['sersic'], 'sersic_chi2'),
            (fit_bulge_disc, StructureFlag.BULGE_DISC_FAILED,
             MODEL_COLUMNS['bulge_disc'], 'bulge_disc_chi2')):
        fit = None if few else fitter(radius, intensity, error, covariance)
        if fit is None:
            flag |= bit
            fit = dict.fromkeys(names, none) | {'chi2': np.nan}
        for name in names:
            result[name] = fit[name]
        if 'arms' in fit:
            length, spread = fit['disc_h']
            result['disc_h'] = length, np.hypot(spread, fit['arms'])
        result[chi2] = (fit['chi2'], np.nan)
    # the models have intensities
    _to_magnitudes(result, ['sersic_mu_e', 'bulge_mu_e', 'disc_mu_0'], zero)
    flag |= _put_disc(result, radius, intensity, error, few, covariance)
    return flag | _hide_unseen(result, len(radius))


def _put_disc(result, radius, intensity, error, few, covariance):
    """
    Fit a broken disc to the profile; return flags.
    """
    flag, none = StructureFlag(0), (np.nan, np.nan)
    fit = None if few else fit_disc(radius, intensity, error, covariance)
    if fit is None:
        flag |= StructureFlag.DISC_FAILED
        fit = dict.fromkeys(('h', 'r_break', 'h_in', 'h_out'),
                            none) | {'type': 0}
    h, spread = fit['h']
    # (a bulge that reaches far out bends the line)
    other = result['disc_h'][0] - h
    if np.isfinite(other):
        spread = np.hypot(spread, _TWO_WAYS * min(abs(other), h))
    # (no disc is an exponential)
    result['h_disc'] = h, np.hypot(spread, fit.get('arms', 0.0))
    for name in ('r_break', 'h_in', 'h_out'):
        result[name] = fit[name]
    result['disc_type'] = (fit['type'], np.nan)
    return flag


def _hide_unseen(result, n_rings):
    """
    Take out what a fit of bulge and disc does not know; return flags.
    """
    none = np.nan, np.nan
    names = MODEL_COLUMNS['bulge_disc']
    if not np.isfinite(result['disc_h'][0]):
        return StructureFlag(0)
    chi2, single = (result[name][0] for name in (
        'bulge_disc_chi2', 'sersic_chi2'))
    free = max(n_rings - 5, 1)
    if chi2 > _WORSE * single and (chi2 - single) * free > _LEAST_WORSE:
        # (a Sersic law alone is a bulge with a disc of no light)
        result.update(dict.fromkeys((*names, 'bulge_disc_chi2'), none))
        return StructureFlag.BULGE_DISC_FAILED
    unseen = [name for name in ('bulge_mu_e', 'disc_mu_0')
              if not _LEAST_ERROR < result[name][1] < _MOST_ERROR]
    if not unseen:
        return StructureFlag(0)
    if 'bulge_mu_e' in unseen:
        result.update(dict.fromkeys(names[:3], none))
    if 'disc_mu_0' in unseen:
        result.update(dict.fromkeys(names[3:5], none))
    if not _LEAST_ERROR < result['b_t'][1] < 1:
        result['b_t'] = none
    return StructureFlag.COMPONENT_UNSEEN
