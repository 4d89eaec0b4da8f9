# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Models fitted to a profile behind a point-spread function.
"""

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from scipy.optimize import least_squares
from scipy.special import gammaincinv

from astro_pix2prof.profile.covariance import has_isophotes, shared_noise
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.meta import profile_meta, profile_sky_err
from astro_pix2prof.profile.samples import ring_correlations
from astro_pix2prof.psf.deconvolution import sharpen_rings
from astro_pix2prof.structure.models import (
    fit_disc,
    fit_sersic,
    sersic_flux,
)
from astro_pix2prof.structure.parameter_errors import (
    invert_normal,
    part_of_errors,
    with_limits,
)

__all__ = [
    'MODELS',
    'MODEL_COLUMNS',
    'SmearedRings',
    'check_for_psf',
    'read_rings',
]


# The columns of the parameters of each model.
MODEL_COLUMNS = {
    'sersic': ('sersic_mu_e', 'sersic_r_e', 'sersic_n'),
    'bulge_disc': ('bulge_mu_e', 'bulge_r_e', 'bulge_n', 'disc_mu_0',
                   'disc_h', 'b_t'),
    'core': ('core_mu_b', 'core_r_b', 'core_gamma', 'core_r_e', 'core_n')}

# The signal-to-noise ratio of a ring without an error.
_BEST_SNR = 30.0

# The centre of a galaxy is known if it has this signal-to-noise ratio.
_CLEAR = 10.0

# How sharp the break of a core is (Graham et al. 2003).
SHARPNESS = 5.0

# The smallest size that is fitted, in full widths at half maximum.
_SMALLEST = 0.05

# Rings are never known better than this (relative), as no PSF is.
FLOOR = 0.01

# The part of the light of the model, at so many outermost radii, that the sky
# may hold: it is measured beyond the galaxy, where wings still are. The error
# of the sky is found with the model, in so many rounds.
_WINGS, _BEYOND, _ROUNDS = 0.5, 1.15, 2


def _sersic(r, amplitude, r_e, n):
    b = gammaincinv(2 * n, 0.5)
    return amplitude * np.exp(-b * ((r / r_e)**(1 / n) - 1))


def _exponential(r, amplitude, h):
    return amplitude * np.exp(-r / h)


def _core_sersic(r, amplitude, r_b, gamma, r_e, n):
    """
    Calculate a core-Sersic law with the intensity ``amplitude`` at r_b.
    """
    b, a = gammaincinv(2 * n, 0.5), SHARPNESS

    def law(x):
        return (gamma / a * np.log1p((r_b / x)**a)
                - b * ((x**a + r_b**a) / r_e**a)**(1 / (n * a)))

    return amplitude * np.exp(law(r) - law(r_b))


# PSFs with a larger elongation (axis ratios below 0.93) are not round.
ELONGATED = 0.1


@dataclass
class Fit:
    """
    Record of a fit of a model.

    Attributes
    ----------
    law : callable
        Takes radii and the parameters, and returns intensities.

    values : 1D `~numpy.ndarray`, shape (p,)
        The parameters; scales and amplitudes in their logarithm.

    covariance : 2D `~numpy.ndarray`, shape (p, p)
        Their covariance, widened where the fit is worse than the errors.

    logs : tuple of bool
        The parameters that are logarithms.

    chi2 : float
        Chi squared.

    n_free : int
        Rings minus parameters.

    sky : float
        The level that was fitted with the model.
    """

    law: object
    values: np.ndarray
    covariance: np.ndarray
    logs: tuple
    chi2: float
    n_free: int
    sky: float

    def parameters(self, values=None):
        """
        Return the parameters without logarithms.
        """
        values = self.values if values is None else values
        return np.where(self.logs, np.exp(values), values)

    def __call__(self, radius, values=None):
        """
        Calculate the intensity without PSF.
        """
        return self.law(radius, *self.parameters(values))

    def pairs(self):
        """
        List pairs of parameter and error.
        """
        found = self.parameters()
        spread = np.sqrt(np.maximum(np.diag(self.covariance), 0))
        return list(zip(found, np.where(self.logs, found * spread, spread),
                        strict=True))

    @property
    def bic(self):
        """
        Bayesian information criterion, up to a constant.
        """
        p = len(self.values)
        return self.chi2 + p * np.log(self.n_free + p)


@dataclass
class SmearedRings:
    """
    Record of the rings of a profile and of the map from a galaxy to them.

    Attributes
    ----------
    radius, intensity, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, intensities and errors.

    galaxy : `~astro_pix2prof.psf.deconvolution.SharpGalaxy`
        The galaxy in front of the PSF.

    fwhm : float
        Full width at half maximum of the PSF, in the unit of the radii.

    sky_err : float
        The error of the sky, which all rings share.

    pixel : float
        The side of a pixel, in the unit of the radii.

    eps, eps_err : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities of the rings and their errors.

    share : 2D `~numpy.ndarray`, shape (n, n)
        The correlation of the errors of the rings, without that of the sky.

    noise : 1D `~numpy.ndarray`, shape (n,)
        The variance by noise of pixels that rings share.

    noise_share : 2D `~numpy.ndarray`, shape (n, n)
        The correlation of this noise.

    disturbed : bool, optional
        Whether errors, the noise apart, are those of a disturbed galaxy.
    """

    radius: np.ndarray
    intensity: np.ndarray
    error: np.ndarray
    galaxy: object
    fwhm: float
    sky_err: float
    pixel: float
    eps: np.ndarray
    eps_err: np.ndarray
    share: np.ndarray
    noise: np.ndarray
    noise_share: np.ndarray
    disturbed: bool = False

    def covariances(self):
        """
        Calculate covariances of the rings, no smaller than models are known.

        Returns
        -------
        rest, noise : 2D `~numpy.ndarray`, shape (n, n)
            By all but the noise of pixels, and by that.
        """
        # (the error of the sky is common to all, and fitted)
        own = np.maximum(self.error**2 - self.sky_err**2,
                         (0.05 * self.error)**2)
        noise = np.minimum(self.noise, own)
        own, noise = np.sqrt(own - noise), np.sqrt(noise)
        # A ring that is too flat reads another part of the slope: half of
        # the relative error of the axis ratio.
        rings = self.galaxy.rings
        model = rings.matrix @ self.galaxy.intensity
        slope = np.gradient(model, self.radius) * self.radius
        shape = 0.5 * self.eps_err / (1 - self.eps) * slope
        return (self.share * (np.outer(own, own) + np.outer(shape, shape))
                + np.diag((FLOOR * self.intensity)**2),
                self.noise_share * np.outer(noise, noise))

    def half_radii(self):
        """
        Find where galaxy and star fall to half of their centre.

        Returns
        -------
        galaxy, star : float
            Radii; that of a galaxy with a noisy centre is infinite.
        """
        seen, star = (_half_radius(self.radius, part) for part in (
            self.intensity, self.galaxy.rings.of_star()))
        clear = self.intensity[0] > _CLEAR * self.error[0]
        return (seen if clear else np.inf), star

    def smear(self, law, parameters):
        """
        Calculate the means on the rings of a law behind the PSF.
        """
        rings = self.galaxy.rings
        return rings.matrix @ law(rings.nodes, *parameters)

    def fit(self, law, starts, bounds, logs):
        """
        Fit a law from several starts.

        Parameters
        ----------
        law : callable
            Takes radii and the parameters.

        starts : list of sequence of float
            Parameters to begin with.

        bounds : list of tuple of 2 floats
            The smallest and the largest value of each.

        logs : tuple of bool
            Parameters to fit in their logarithm.

        Returns
        -------
        fit : `Fit` or `None`
            `None` if there are too few rings or no start converged.
        """
        (rest, noise), logs = self.covariances(), np.array(logs)
        variance = np.diagonal(rest) + np.diagonal(noise)
        use = (np.isfinite(self.intensity) & np.isfinite(variance)
               & (variance > 0))
        if use.sum() < len(logs) + 2:
            return None
        matrix = self.galaxy.rings.matrix[use]
        nodes = self.galaxy.rings.nodes
        data = self.intensity[use]
        # Rings count by their own errors, which holds better than weights
        # by the inverse covariance where that is not exact; the errors of
        # the parameters are those with the covariance.
        sigma = variance[use]**0.5
        rest, noise = (part[np.ix_(use, use)] / np.outer(sigma, sigma)
                       for part in (rest, noise))
        with_sky = self.sky_err > 0
        unit = self.sky_err if with_sky else 1.0
        low, high = (np.where(logs, np.log(np.maximum(limit, 1e-300)), limit)
                     for limit in np.array(bounds, dtype=float).T)

        def residuals(x):
            values = np.where(logs, np.exp(x[:len(logs)]), x[:len(logs)])
            with np.errstate(over='ignore', invalid='ignore'):
                model = matrix @ law(nodes, *values)
            if with_sky:
                model = model + unit * x[-1]
            off = np.nan_to_num((model - data) / sigma, nan=1e6,
                                posinf=1e6, neginf=-1e6)
            return np.append(off, x[-1]) if with_sky else off

        def improve(start):
            margin = 1e-6 * (high - low)
            x0 = np.clip(start, low + margin, high - margin)
            limits = low, high
            if with_sky:
                x0 = np.append(x0, 0.0)
                limits = np.append(low, -10), np.append(high, 10)
            try:
                return least_squares(residuals, x0, bounds=limits,
                                     x_scale='jac', max_nfev=300)
            except (ValueError, np.linalg.LinAlgError):
                return None

        best, p = None, len(logs)
        for start in starts:
            found = improve(np.where(
                logs, np.log(np.maximum(start, 1e-300)), start))
            if found is not None and np.isfinite(found.cost) and (
                    best is None or found.cost < best.cost):
                best = found
        if best is None:
            return None
        for _ in range(_ROUNDS if with_sky else 0):
            values = np.where(logs, np.exp(best.x[:p]), best.x[:p])
            unit = np.hypot(self.sky_err, _WINGS * law(
                _BEYOND * self.radius[-1], *values))
            best = improve(best.x[:p]) or best
        n_free = max(len(data) - p, 1)
        try:
            inverse, limits = invert_normal(best.jac, high - low)
            jac = best.jac[:len(data)]
            if self.disturbed:
                sure = noise + with_sky * np.outer(jac[:, -1], jac[:, -1])
                rest = rest * part_of_errors(best.fun[:len(data)], jac,
                                             inverse, rest, sure)
            covariance = inverse @ (
                jac.T @ (rest + noise) @ jac + limits) @ inverse
            if with_sky:
                covariance += np.outer(inverse[:, -1], inverse[:, -1])
            covariance = with_limits(covariance[:p, :p] * max(
                2 * float(best.cost) / n_free, 1.0), high - low)
        except np.linalg.LinAlgError:
            covariance = np.full((p, p), np.nan)
        return Fit(law, best.x[:p], covariance, tuple(logs),
                   2 * float(best.cost), n_free,
                   unit * best.x[-1] if with_sky else 0.0)


def read_rings(profile, psf, use, *, steady=False):
    """
    Prepare the rings of a profile for models behind a PSF.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile that was checked.

    psf : `~astro_pix2prof.PSF`
        The point-spread function.

    use : 1D bool `~numpy.ndarray`, shape (n,)
        The rings to use, with a finite intensity.

    steady : bool, optional
        Whether the galaxy has one shape unless its rings say otherwise.

    Returns
    -------
    rings : `SmearedRings`

    Raises
    ------
    ValueError
        If the widths of PSF and profile are in units that do not meet.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the PSF is elongated and angles are those on the sky.
    """
    meta = profile_meta(profile)
    scale = meta.get('pixel_scale')
    in_pixels = profile['radius'].unit == u.pix
    sampled = psf.sampled(None if in_pixels else scale)
    on_sky = meta.get('pa_frame') == 'sky'
    # The profile does not say how the PSF lies on the sky.
    if on_sky:
        if sampled.elongation > ELONGATED:
            warnings.warn(
                'the psf is elongated and the profile has angles on the sky: '
                'the mean of the psf in azimuth is used, and ellipticities '
                'of rings that it smears are wrong by more than their errors',
                AstropyUserWarning, stacklevel=3)
        sampled = sampled.rounded()
    radius = profile['radius'].value[use]
    value = profile['intensity'].value[use]
    error = np.nan_to_num(profile['intensity_err'].value[use])
    theta = np.radians(np.nan_to_num(profile['pa'].value[use]))
    eps = np.nan_to_num(np.asarray(profile['ellipticity'], float)[use])
    with np.errstate(divide='ignore', invalid='ignore'):
        snr = np.where(error > 0, value / error, _BEST_SNR)
    eps_err = np.zeros(len(eps))
    if 'ellipticity_err' in profile.colnames:
        eps_err = np.clip(np.nan_to_num(np.asarray(
            profile['ellipticity_err'], float)[use]), 0, 0.5)
    flag = np.asarray(profile['flag'])[use]
    forced = bool(meta.get('flag', 0) & GalaxyFlag.FORCED
                  or np.all(flag & RingFlag.FIXED_GEOMETRY))
    galaxy = sharpen_rings(sampled, radius, value, np.minimum(snr, 1 / 1e-3),
                           eps, theta, forced=forced,
                           eps_err=eps_err if steady else None)
    sky = profile_sky_err(profile)
    return SmearedRings(radius, value, error, galaxy, sampled.fwhm,
                        sky if np.isfinite(sky) else 0.0,
                        1.0 if in_pixels else scale or 0.0, eps, eps_err,
                        ring_correlations(profile)[np.ix_(use, use)],
                        *shared_noise(profile, use),
                        has_isophotes(profile))


def _half_radius(radius, value):
    """
    Find the radius where a profile first falls to half of its centre.
    """
    low = np.nonzero(value < 0.5 * value[0])[0]
    if not len(low):
        return np.inf
    k = low[0]
    return float(np.interp(0.5 * value[0], value[[k, k - 1]],
                           radius[[k, k - 1]]))


def _fit_sersic(rings):
    r, i = rings.radius, rings.intensity
    plain = fit_sersic(r, i, rings.error)
    if plain is None:
        return None
    level, size, n = (plain[name][0] for name in (
        'sersic_mu_e', 'sersic_r_e', 'sersic_n'))
    starts = [(level, size, n)] + [
        (level, size, index) for index in (1.0, 2.5, 4.0)]
    top = rings.intensity.max()
    return rings.fit(_sersic, starts, [
        (1e-9 * top, 1e6 * top), (_SMALLEST * rings.fwhm, 10 * r[-1]),
        (0.2, 10.0)], (True, True, False))


def _fit_bulge_disc(rings):
    r, i = rings.radius, rings.intensity
    disc = fit_disc(r, i, rings.error)
    if len(r) < 8 or disc is None:
        return None
    h, mu_0, top = disc['h'][0], disc['i_0'], i.max()
    starts = [(max(np.interp(size * h, r, i) - mu_0 * np.exp(-size),
                   0.05 * top), size * h, n, mu_0, h)
              for n, size in ((1.0, 0.2), (2.5, 0.3), (4.0, 0.5),
                              (2.0, 0.08))]

    def law(radius, i_e, r_e, n, i_0, scale):
        return _sersic(radius, i_e, r_e, n) + _exponential(radius, i_0,
                                                            scale)

    small = _SMALLEST * rings.fwhm
    return rings.fit(law, starts, [
        (1e-9 * top, 1e6 * top), (small, 3 * h), (0.3, 8.0),
        (1e-9 * top, 1e3 * top), (small, 5 * r[-1])],
        (True, True, False, True, True))


def _fit_core(rings):
    r, i = rings.radius, rings.intensity
    whole = _fit_sersic(rings)
    if whole is None or len(r) < 8:
        return None
    _, r_e, n = whole.parameters()
    top = i.max()
    starts = []
    for r_b in (0.5 * rings.fwhm, 1.5 * rings.fwhm, 4 * rings.fwhm):
        level = max(np.interp(r_b, r, i), 1e-3 * top)
        starts += [(level, r_b, gamma, max(r_e, 2 * r_b), max(n, 2.0))
                   for gamma in (0.1, 0.5)]
    small = _SMALLEST * rings.fwhm
    return rings.fit(_core_sersic, starts, [
        (1e-9 * top, 1e6 * top), (small, 0.5 * r[-1]), (0.0, 1.5),
        (small, 10 * r[-1]), (0.3, 10.0)],
        (True, True, False, True, False))


def _sersic_columns(fit):
    return dict(zip(MODEL_COLUMNS['sersic'], fit.pairs(), strict=True))


def _bulge_disc_columns(fit):
    found = dict(zip(MODEL_COLUMNS['bulge_disc'][:-1], fit.pairs(),
                     strict=True))

    def part(values):
        i_e, r_e, n, i_0, h = fit.parameters(values)
        bulge = sersic_flux(i_e, r_e, n)
        return bulge / (bulge + 2 * np.pi * i_0 * h**2)

    # First order, with the covariance of all parameters.
    step = 1e-4
    slope = np.array([(part(fit.values + step * unit)
                       - part(fit.values - step * unit)) / (2 * step)
                      for unit in np.eye(len(fit.values))])
    spread = np.sqrt(max(slope @ fit.covariance @ slope, 0)) if np.all(
        np.isfinite(fit.covariance)) else np.nan
    found['b_t'] = part(fit.values), min(spread, 1.0)
    return found


def _core_columns(fit):
    return dict(zip(MODEL_COLUMNS['core'], fit.pairs(), strict=True))


def check_for_psf(profile):
    """
    Check that the PSF can be taken out of a profile.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile.

    Raises
    ------
    ValueError
        If it has a column ``psf_correction``, or is a cut: models behind a
        PSF are averaged along whole ellipses.
    """
    cut = profile_meta(profile).get('cut')
    if cut is not None:
        msg = (f'profile is a cut ({cut}), and a PSF is taken out of the mean '
               'along whole ellipses: give the profile of the galaxy, such '
               'as fit.profile')
        raise ValueError(msg)
    if 'psf_correction' in profile.colnames:
        msg = ('profile is one of correct_psf, without the PSF: give the one '
               'that was measured')
        raise ValueError(msg)


# Fits and their columns, by the first part of the names of these.
MODELS = {'sersic': (_fit_sersic, _sersic_columns),
          'bulge_disc': (_fit_bulge_disc, _bulge_disc_columns),
          'core': (_fit_core, _core_columns)}
