# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Correction of a profile for the point-spread function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.brightness import (
    POGSON,
    curve_of_growth,
    intensity_to_sb,
    sb_to_intensity,
)
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.flags import (
    LARGE_CORRECTION,
    GalaxyFlag,
    RingFlag,
)
from astro_pix2prof.profile.samples import SAMPLES, symmetric_root
from astro_pix2prof.psf.model import PSF
from astro_pix2prof.structure.broad_psf import (
    refuse_sharp,
    warn_of_centre,
)
from astro_pix2prof.structure.smeared import (
    MODELS,
    check_for_psf,
    read_rings,
)

if TYPE_CHECKING:
    from astro_pix2prof.typing import PSFLike

__all__ = ['correct_psf']


# Models and PSFs are never known better than this part of the correction.
_UNKNOWN = 0.15

# No galaxy needs a larger correction (mag), and none moves more than this part
# of its light.
_MOST, _MOST_LIGHT = 10.0, 1.0

# Draws of the parameters of each model.
_DRAWS = 60


def correct_psf(profile: QTable, psf: PSFLike, *,
                seed: int | None = 0) -> QTable:
    """
    Correct a profile for the point-spread function.

    Each ring is multiplied by the ratio of a model without PSF to the same
    model behind it. The models are those of `measure_structure`: a Sersic
    law and a bulge with a disc, weighted by the Bayesian information
    criterion.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile, as a fitter returns it.

    psf : `~astro_pix2prof.PSF` or what it takes
        The point-spread function of the image.

    seed : int or `None`, optional
        The seed of the draws from which the errors come; `None` is another
        each time.

    Returns
    -------
    profile : `~astropy.table.QTable`
        A copy, in which brightness, intensity, enclosed magnitudes and
        ellipticity are those of the galaxy without PSF, and in which the
        columns ``psf_correction`` (mag, negative where the galaxy gets
        brighter) and ``psf_correction_err`` are new. Errors hold those of
        the correction. Rings that are corrected by more than 0.1 mag have
        the flag PSF_CORRECTED, and one without a value has no correction.

    Raises
    ------
    TypeError
        If ``profile`` is not a profile table, or the PSF is of an unknown
        kind.

    ValueError
        If the PSF cannot be used, if it was taken out of the profile before,
        if the profile is a cut, or if no model could be fitted.

    Notes
    -----
    The error of a correction is the spread of the models and of their
    parameters, and at least 15 per cent of the correction: the galaxy is no
    such model, and its PSF is not known exactly. The central ring is
    compared with the mean of the model over one pixel.

    Examples
    --------
    >>> from astro_pix2prof import (Pix2ProfFitter, correct_psf,
    ...                             load_example)
    >>> profile = Pix2ProfFitter()(load_example())
    >>> sharp = correct_psf(profile, 1.3)
    >>> bool(sharp['psf_correction'][0] < 0)
    True
    """
    profile = check_profile(profile, ordered=True)
    check_for_psf(profile)
    psf = psf if isinstance(psf, PSF) else PSF(psf)
    if profile.meta.get('flag', 0) & GalaxyFlag.NO_SOURCE:
        msg = ('profile must show a galaxy, got one with the flag NO_SOURCE')
        raise ValueError(msg)
    use = _usable(profile)
    if np.count_nonzero(use) < 5:
        msg = ('profile must have at least five rings with a signal to be '
               f'corrected, got {np.count_nonzero(use)}')
        raise ValueError(msg)
    rings = read_rings(profile, psf, use)
    refuse_sharp(rings)
    fit, change, spread = _corrections(rings, np.random.default_rng(seed))
    return _apply(profile, use, rings, fit, (change, spread))


def _usable(profile):
    """
    Choose the rings out to the last with a signal.
    """
    value = profile['intensity'].value
    error = np.nan_to_num(profile['intensity_err'].value)
    with np.errstate(invalid='ignore'):
        good = np.isfinite(value) & (value > error)
    good &= (np.asarray(profile['flag']) & RingFlag.EXTRAPOLATED) == 0
    if not good.any():
        return good
    return np.isfinite(value) & (
        np.arange(len(value)) <= np.nonzero(good)[0][-1])


def _corrections(rings, rng):
    """
    Calculate the best fit, and the correction of each ring and its error.
    """
    found = []
    for model in ('sersic', 'bulge_disc'):
        fit = MODELS[model][0](rings)
        if fit is not None:
            found.append(fit)
    if not found:
        msg = ('profile could not be corrected: neither a Sersic law nor a '
               'bulge with a disc could be fitted')
        raise ValueError(msg)
    warn_of_centre(rings, found)
    bic = np.array([fit.bic for fit in found])
    weight = np.exp(-0.5 * (bic - bic.min()))
    weight /= weight.sum()
    # (what hardly counts may be infinite)
    found, weight = [fit for fit, part in zip(
        found, weight, strict=True) if part > 1e-6], weight[weight > 1e-6]
    means, spreads = [], []
    for fit in found:
        best = _ratio(rings, fit, fit.values)
        draws = [best]
        if np.all(np.isfinite(fit.covariance)):
            noise = rng.normal(size=(_DRAWS, len(fit.values)))
            for values in fit.values + noise @ symmetric_root(fit.covariance):
                one = _ratio(rings, fit, values)
                if np.all(np.isfinite(one)):
                    draws.append(one)
        low, high = np.quantile(draws, [0.16, 0.84], axis=0)
        means.append(best)
        spreads.append(0.5 * (high - low))
    means, spreads = np.array(means), np.array(spreads)
    change = weight @ means
    variance = weight @ (spreads**2 + (means - change)**2)
    # (a galaxy that is sharper than the PSF has no correction)
    wrong = ~(np.abs(change) < _MOST)
    change, variance = (np.where(wrong, np.nan, part)
                        for part in (change, variance))
    return (found[int(np.argmax(weight))], change,
            np.sqrt(variance + (_UNKNOWN * change)**2))


def _ratio(rings, fit, values):
    """
    Calculate the correction (mag) of a model with these parameters.
    """
    with np.errstate(all='ignore'):
        smeared = rings.smear(fit.law, fit.parameters(values))
        sharp = fit(np.maximum(rings.radius, 1e-30), values)
        # Inside of the pixel: the mean over a circle of its area.
        half = rings.pixel / np.sqrt(np.pi)
        if half > 0:
            at = half * np.sqrt((np.arange(200) + 0.5) / 200)
            mean = fit(at, values).mean()
            sharp = np.where(rings.radius < half, mean, sharp)
        return -2.5 * np.log10(sharp / smeared)


def _enclosed_change(rings, fit):
    """
    Calculate by how much more light of a model the PSF would let in.
    """
    smeared = curve_of_growth(rings.radius, rings.smear(
        fit.law, fit.parameters()), rings.eps)
    # (a cusp needs the nodes of the model: the rings are too far apart)
    nodes = rings.galaxy.rings.nodes
    area = np.pi * nodes**2 * (1 - rings.galaxy.shape(nodes)[0])
    value = fit(nodes)
    flux = np.concatenate([[value[0] * area[0]], np.diff(area) * 0.5 * (
        value[1:] + value[:-1])]).cumsum()
    sharp = np.interp(rings.radius, nodes, flux, left=0.0)
    return sharp - smeared


def _apply(profile, use, rings, fit, correction):
    """
    Make the table of the corrected profile.
    """
    change, spread = correction
    out = QTable(profile, copy=True)
    full, error = (np.where(use, 0.0, np.nan) for _ in range(2))
    full[use], error[use] = change, spread
    # (a ring without a correction has no value)
    factor = np.where(use, 10**(-0.4 * full), 1.0)
    relative = np.nan_to_num(error) / POGSON
    value = profile['intensity'].value * factor
    out['intensity'] = value * profile['intensity'].unit
    own = profile['intensity_err'].value * factor
    out['intensity_err'] = np.hypot(own, relative * value) * profile[
        'intensity'].unit
    zero = profile.meta.get('sb_zeropoint', np.nan)
    for name in ('surface_brightness', SAMPLES):
        if name in out.colnames:
            shift = np.where(use, full, 0.0)
            old = profile[name].value
            out[name] = (old + (shift if old.ndim == 1 else shift[:, None])
                         ) * profile[name].unit
    if 'surface_brightness_err' in out.colnames:
        out['surface_brightness_err'] = np.hypot(
            profile['surface_brightness_err'].value,
            np.nan_to_num(error)) * profile['surface_brightness_err'].unit
        # (the columns lose what stood in the description)
        out['surface_brightness_err'].info.description = profile[
            'surface_brightness_err'].info.description
    eps = np.array(profile['ellipticity'], dtype=float)
    eps[use] = rings.galaxy.shape(rings.radius)[0]
    out['ellipticity'] = eps
    if 'mag_enclosed' in out.colnames:
        more = np.zeros(len(profile))
        more[use] = _enclosed_change(rings, fit)
        flux = sb_to_intensity(profile['mag_enclosed'].value,
                               zeropoint=zero)[0] + more
        most = _MOST_LIGHT * np.nanmax(np.abs(flux - more), initial=0.0)
        flux = np.where(np.abs(more) <= most, flux, np.nan)
        out['mag_enclosed'] = intensity_to_sb(
            flux, zeropoint=zero)[0] * u.mag
        if 'mag_enclosed_err' in out.colnames:
            moved = np.nan_to_num((
                out['mag_enclosed'] - profile['mag_enclosed']).value)
            out['mag_enclosed_err'] = np.hypot(
                profile['mag_enclosed_err'].value,
                _UNKNOWN * moved) * u.mag
    flag = np.array(profile['flag'])
    with np.errstate(invalid='ignore'):
        flag[np.abs(full) > LARGE_CORRECTION] |= RingFlag.PSF_CORRECTED
    out['flag'] = flag
    out['psf_correction'] = full * u.mag
    out['psf_correction_err'] = error * u.mag
    out.meta['psf_fwhm'] = float(rings.fwhm)
    return out
