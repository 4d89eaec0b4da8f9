# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Models fitted to a profile: Sersic, Sersic + exponential, broken disc.
"""

import warnings

import numpy as np
from astropy.modeling.fitting import TRFLSQFitter
from astropy.modeling.models import Exponential1D, Sersic1D
from astropy.utils.exceptions import AstropyUserWarning
from scipy.special import gamma, gammaincinv

from astro_pix2prof.structure.lines import (
    excess,
    fit_broken_line,
    fit_line,
)

__all__ = ['fit_bulge_disc', 'fit_disc', 'fit_sersic', 'sersic_flux']


# Profiles are never known better than this (relative): arms, clumps and
# the limits of the models themselves.
FLOOR = 0.03

# Parts of the light within which a profile is not that of the disc alone, as
# is usual and at most; fewer rings than this beyond them tell no scale length.
INSIDE, WELL_INSIDE, N_DISC = 0.35, 0.6, 5

# The part of the differences between scale lengths that were measured in other
# ways, or on other rings, that is an error of each: set on 80 discs with
# bulges, bars and arms (GalSim, seeds 9812 and 9814).
_OTHER_WAY, DISC_ONLY = 0.7, 1.4

# Discs are no exponentials: arms, and what fitters make of them, are off by
# this part of the intensity. Rings share it up to this distance in log
# (natural) radius, as a triangle: set on 63 discs (GalSim, seed 9931).
_ARMS, _ARMS_REACH = 0.045, 0.55


def sersic_flux(amplitude, r_eff, n):
    """
    Calculate the flux of a round Sersic profile to infinity.

    Parameters
    ----------
    amplitude, r_eff, n : float
        Intensity at the effective radius, that radius, Sersic index.

    Returns
    -------
    flux : float
        Graham & Driver 2005, PASA 22, 118, equation 4.
    """
    b = gammaincinv(2 * n, 0.5)
    return (amplitude * r_eff**2 * 2 * np.pi * n * np.exp(b) / b**(2 * n)
            * gamma(2 * n))


def _select(radius, intensity, error, covariance=None):
    """
    Choose the usable rings; return their covariance over that of their errors.
    """
    floor = FLOOR * np.abs(intensity)
    sigma = np.hypot(error, floor)
    use = (np.isfinite(intensity) & np.isfinite(sigma) & (sigma > 0)
           & (radius > 0))
    radius, intensity, sigma = radius[use], intensity[use], sigma[use]
    if covariance is None:
        share = np.diag((error[use] / sigma)**2)
    else:
        share = covariance[np.ix_(use, use)] / sigma / sigma[:, None]
    return radius, intensity, sigma, share + np.diag((floor[use] / sigma)**2)


def _fit(models, radius, intensity, sigma, share):
    """
    Fit from several starts.

    Rings count by their errors, which holds better than weights by the
    inverse covariance; the errors are those with the covariance. Returns the
    model, its covariance, that of rings which count by their errors alone,
    and reduced chi squared.
    """
    best = None
    for start in models:
        fitter = TRFLSQFitter()
        with warnings.catch_warnings(), np.errstate(all='ignore'):
            warnings.simplefilter('ignore', AstropyUserWarning)
            warnings.simplefilter('ignore', RuntimeWarning)
            try:
                model = fitter(start, radius, intensity, weights=1 / sigma,
                               maxiter=400)
            except (ValueError, np.linalg.LinAlgError):
                continue
        chi2 = float((((model(radius) - intensity) / sigma)**2).sum())
        if np.isfinite(chi2) and (best is None or chi2 < best[1]):
            best = model, chi2
    if best is None:
        return None
    model, chi2 = best
    n_free = max(len(radius) - len(model.parameters), 1)
    cov, plain = _parameter_covariance(model, radius, sigma, share)
    # Rings that scatter more than their errors widen those of the fit.
    return model, cov * max(chi2 / n_free, 1.0), plain, chi2 / n_free


def _spread(covariance):
    return np.sqrt(np.maximum(np.diag(covariance), 0))


def _parameter_covariance(model, radius, sigma, share):
    """
    Propagate the covariance of the rings to the parameters of a fit.
    """
    values = np.array(model.parameters)
    slopes = []
    for k, step in enumerate(1e-5 * np.abs(values) + 1e-12):
        sides = []
        for sign in (1, -1):
            moved = model.copy()
            moved.parameters = values + sign * step * (
                np.arange(len(values)) == k)
            with np.errstate(all='ignore'):
                sides.append(moved(radius))
        with np.errstate(invalid='ignore'):
            slopes.append((sides[0] - sides[1]) / (2 * step) / sigma)
    jac = np.nan_to_num(np.stack(slopes, -1), posinf=0.0, neginf=0.0)
    try:
        inverse = np.linalg.pinv(jac, rcond=len(radius)
                                 * np.finfo(float).eps)
    except np.linalg.LinAlgError:
        return (np.full((len(values), len(values)), np.nan),) * 2
    return inverse @ share @ inverse.T, inverse @ inverse.T


def fit_sersic(radius, intensity, error, covariance=None):
    """
    Fit a Sersic profile.

    The profile is fitted as it is, smeared by the PSF.

    Parameters
    ----------
    radius, intensity, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, intensities and their errors.

    covariance : 2D `~numpy.ndarray`, shape (n, n), optional
        The covariance of the intensities; by default, rings are independent.

    Returns
    -------
    fit : dict or None
        ``sersic_mu_e`` (as an intensity), ``sersic_r_e``, ``sersic_n``:
        (value, error); ``chi2``, reduced. `None` if there are too few
        rings or no start converged.
    """
    r, i, s, share = _select(radius, intensity, error, covariance)
    if len(r) < 5 or i.max() <= 0:
        return None
    growth = np.cumsum(np.gradient(r) * r * np.maximum(i, 0))
    half = max(np.interp(0.5 * growth[-1], growth, r), r[0])
    level = max(np.interp(half, r, i), 1e-3 * i.max())
    found = _fit([Sersic1D(level, half, n, bounds={
        'amplitude': (0, None), 'r_eff': (0.1 * r[0], 10 * r[-1]),
        'n': (0.2, 10)}) for n in (1.0, 2.5, 4.0)], r, i, s, share)
    if found is None:
        return None
    model, covariance, _, chi2 = found
    values = list(zip(model.parameters, _spread(covariance), strict=True))
    return {'sersic_mu_e': values[0], 'sersic_r_e': values[1],
            'sersic_n': values[2], 'chi2': chi2}


def fit_bulge_disc(radius, intensity, error, covariance=None):
    """
    Fit a Sersic bulge and an exponential disc.

    Parameters
    ----------
    radius, intensity, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, intensities and their errors.

    covariance : 2D `~numpy.ndarray`, shape (n, n), optional
        The covariance of the intensities; by default, rings are independent.

    Returns
    -------
    fit : dict or None
        ``bulge_mu_e``, ``disc_mu_0`` (as intensities), ``bulge_r_e``,
        ``bulge_n``, ``disc_h``, ``b_t``: (value, error); ``chi2``,
        reduced; ``arms``, the error of ``disc_h`` that arms make, which is
        no part of its own. `None` if there are too few rings or no start
        converged.
    """
    r, i, s, share = _select(radius, intensity, error, covariance)
    disc = fit_disc(radius, intensity, error)
    if len(r) < 8 or disc is None or i.max() <= 0:
        return None
    h, mu_0 = disc['h'][0], disc['i_0']
    starts = []
    for n, size in ((1.0, 0.2), (2.5, 0.3), (4.0, 0.5)):
        bulge = Sersic1D(max(np.interp(size * h, r, i) - mu_0 * np.exp(-size),
                             0.05 * i.max()), size * h, n, bounds={
            'amplitude': (0, None), 'r_eff': (0.2 * r[0], 3 * h),
            'n': (0.3, 8)})
        line = Exponential1D(mu_0, -h, bounds={
            'amplitude': (0, None), 'tau': (-5 * r[-1], -0.2 * r[0])})
        starts.append(bulge + line)
    found = _fit(starts, r, i, s, share)
    if found is None:
        return None
    model, cov, plain, chi2 = found
    values = np.array(model.parameters)
    amplitude, r_e, n, i_0, tau = values
    # A disc with arms has another length farther out.
    rest = fit_disc(r, i - model[0](r), s)
    if rest is not None:
        other = DISC_ONLY * np.hypot(
            excess(-tau - rest['h'][0], rest['h'][1]), rest['change'])
        # (with it, the bulge is another, too)
        with np.errstate(divide='ignore', invalid='ignore'):
            change = plain[:, 4] / plain[4, 4]
        change = np.where(np.arange(5) == 4, 1.0, np.nan_to_num(
            change, posinf=0.0, neginf=0.0))
        cov = cov + other**2 * np.outer(change, change)
    spread = _spread(cov)
    return {'bulge_mu_e': (amplitude, spread[0]), 'bulge_r_e': (r_e,
            spread[1]), 'bulge_n': (n, spread[2]), 'disc_mu_0': (i_0,
            spread[3]), 'disc_h': (-tau, spread[4]), 'chi2': chi2,
            'arms': disc['arms'],
            'b_t': (_bulge_part(values), _bulge_part_error(values, cov))}


def _bulge_part(values):
    """
    Calculate the part of the bulge in the flux of bulge and disc.
    """
    amplitude, r_e, n, i_0, tau = values
    bulge = sersic_flux(amplitude, r_e, n)
    return bulge / (bulge + 2 * np.pi * i_0 * tau**2)


def _bulge_part_error(values, covariance):
    """
    Propagate the covariance of the parameters to that part, to first order.
    """
    steps = np.diag(1e-4 * np.abs(values) + 1e-12)
    with np.errstate(all='ignore'):
        slope = np.array([(_bulge_part(values + step) - _bulge_part(
            values - step)) / (2 * step.sum()) for step in steps])
        error = np.sqrt(slope @ covariance @ slope)
    return min(error, 1.0) if np.isfinite(error) else np.nan


def _slope_by_arms(x, weight):
    """
    Calculate the error of the slope of log intensity by arms.
    """
    place = np.log(np.maximum(x, 1e-3 * x[-1]))
    near = np.clip(1 - np.abs(place[:, None] - place) / _ARMS_REACH, 0, 1)
    share = near * np.sqrt(np.outer(weight, weight))
    return _ARMS * fit_line(x, x, weight, share)[1][1, 1]**0.5


def _change(h, x, y, w, share, far):
    """
    Calculate by how much a scale length is another beyond some radius.
    """
    if far.sum() < N_DISC:
        return 0.0
    coeff, cov, chi2 = fit_line(x[far], y[far], w[far],
                                share[np.ix_(far, far)])
    if coeff[1] >= 0:
        return h
    widen = max(chi2 / max(far.sum() - 2, 1), 1.0)**0.5
    error = widen * cov[1, 1]**0.5 / coeff[1]**2
    return min(excess(-1 / coeff[1] - h, error), h)


def fit_disc(radius, intensity, error, covariance=None):
    """
    Fit one straight line, or two that meet, to log intensity.

    Only the profile outside the bulge counts.

    Parameters
    ----------
    radius, intensity, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, intensities and their errors.

    covariance : 2D `~numpy.ndarray`, shape (n, n), optional
        The covariance of the intensities; by default, rings are independent.

    Returns
    -------
    fit : dict or None
        ``h`` (scale length of the single line), ``r_break``, ``h_in``,
        ``h_out``: (value, error), the last three NaN without a break;
        ``change``, by how much ``h`` is another farther out; ``arms``,
        the error that arms make, which is no part of that of ``h``;
        ``i_0``, the line's central intensity; ``type``, 1 (no break),
        2 (down-bending) or 3 (up-bending), the broken line being
        preferred if it lowers the Bayesian information criterion by more
        than 10 and the scale lengths differ by a fifth, of ten rings or
        more if it is up-bending. `None` if there are fewer than six rings
        or the profile does not decline.
    """
    r, i, s, share = _select(radius, intensity, error, covariance)
    positive = i > 2 * s
    r, i, s = r[positive], i[positive], s[positive]
    share = share[np.ix_(positive, positive)]
    if len(r) < 6:
        return None
    growth = np.cumsum(np.gradient(r) * r * i)
    inner, outer = np.interp([INSIDE * growth[-1], WELL_INSIDE * growth[-1]],
                             growth, r)
    part = r >= inner
    if part.sum() < 6:
        part = np.arange(len(r)) >= len(r) - 6
    x, y, w = r[part], np.log(i[part]), (i[part] / s[part])**2
    share = share[np.ix_(part, part)]
    coeff, cov, chi2 = fit_line(x, y, w, share)
    if coeff[1] >= 0:
        return None
    nan = (np.nan, np.nan)
    widen = max(chi2 / max(len(x) - 2, 1), 1.0)**0.5
    h = -1 / coeff[1]
    change = _change(h, x, y, w, share, x >= outer)
    fit = {'h': (h, np.hypot(widen * cov[1, 1]**0.5 * h**2,
                             _OTHER_WAY * change)), 'change': change,
           'arms': min(h**2 * _slope_by_arms(x, w), h),
           'i_0': float(np.exp(coeff[0])), 'type': 1, 'r_break': nan,
           'h_in': nan, 'h_out': nan}
    fit.update(fit_broken_line(x, y, w, share, chi2) or {})
    return fit
