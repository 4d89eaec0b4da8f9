# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the width of enlarged noise, and fit the fluxes of point-like sources.
"""

import numpy as np

__all__ = ['SourceFit', 'error_beside_noise', 'fit_fluxes', 'noise_width']


# Noise that was interpolated loses half of its correlation over this part of
# an original pixel; PSFs of surveys are so many original pixels wide. Longer
# correlations (pixels) are not looked for.
_HALF_LAG, _SAMPLED, _LONGEST = 0.58, 3.2, 24

# The exponent of the Moffat function that stands for the PSF: that of
# turbulence (Trujillo et al. 2001). Fluxes are 19% too large for a Gaussian
# PSF, and 13% too small for an exponent of 3.
_BETA = 4.765

# Widths of a source in units of that of the PSF that are tried, for its light
# beside that of neighbours and for its shape.
_WIDTHS = (1.0, 1.25, 1.6)
_SHAPES = (0.7, 0.85, 1.0, 1.15, 1.35, 1.6, 2.0, 2.5)

# Widths that a source may have, and how probable that of the PSF is before
# the pixels are looked at: all others are as probable as each other.
_LIKELY = np.array([1.0, 1.08, 1.16, 1.25, 1.35, 1.47, 1.6, 1.8, 2.0])
_POINT = 0.5

# Parts that are an error of a flux besides noise and width: of the flux, as
# PSFs have other wings and clumps other profiles; and of the light of the
# galaxy under it, of which the rings leave or take some: less on smooth discs,
# more where there are arms. Set on 155 objects of 150 GalSim discs for
# calibration (seeds from 6,610,000).
_OTHER_SHAPE, _OF_GALAXY = 0.06, 0.15

# The window around a source in FWHM, and the rounds of the fit of
# neighbours.
_WINDOW, _ROUNDS = 2.2, 3


def noise_width(image, sky):
    """
    Estimate the width of the PSF from the noise of an enlarged image.

    Noise that was interpolated to smaller pixels is correlated over the
    original ones, and the PSFs of surveys have about 3.2 of these.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky and its galaxy.

    sky : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels without objects.

    Returns
    -------
    fwhm : float or `None`
        In pixels; `None` if the noise is not correlated, or not seen.
    """
    if sky.sum() < 1000:
        return None
    size = 1.48 * np.median(np.abs(image[sky] - np.median(image[sky])))
    if not size > 0:
        return None
    use = sky & (np.abs(image) < 4 * size)
    value = np.where(use, image - image[use].mean(), 0.0)
    total = np.mean(value[use]**2)
    before = 1.0
    for lag in range(1, _LONGEST):
        both, product = 0, 0.0
        for a, b, c, d in (
                (value[:, :-lag], value[:, lag:], use[:, :-lag],
                 use[:, lag:]),
                (value[:-lag], value[lag:], use[:-lag], use[lag:])):
            both += int(np.sum(c & d))
            product += float(np.sum(a * b))
        now = product / max(both, 1) / total
        if now < 0.5:
            half = lag - 1 + (before - 0.5) / max(before - now, 1e-6)
            step = half / _HALF_LAG
            return _SAMPLED * step if step > 1.3 else None
        before = now
    return None


class SourceFit:
    """
    Result of the fit of one source.

    Attributes
    ----------
    flux, error : float
        In units of the noise of a pixel; with the width that fits best, and
        of the noise alone.

    width : float
        That width: the FWHM in units of that of the PSF.

    likely_flux, likely_error, likely_width : float
        The mean flux of all widths that the source may have, its error by
        the noise and by the width, and the mean width.

    covered : float
        The part of the weight of the PSF that is on good pixels.

    log_width : float
        The natural logarithm of the width that fits best, from 0.7 to 2.5.

    extended : float
        The significance of that width against that of the PSF, in standard
        deviations; negative if it is less.

    elongation : float
        The ellipticity (a^2 - b^2) / (a^2 + b^2) of second moments.
    """

    def __init__(self, flux, error, width, covered):
        self.flux, self.error = flux, error
        self.width, self.covered = width, covered
        self.likely_flux, self.likely_error = flux, error
        self.likely_width = width
        self.log_width = self.extended = self.elongation = 0.0


def fit_fluxes(residual, good, variance, x, y, fwhm, *, shapes=False,
               widths=None):
    """
    Fit the fluxes of sources, neighbours together, above their surroundings.

    Parameters
    ----------
    residual, variance : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without the galaxy, and the variance of its pixels.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that count.

    x, y : 1D `~numpy.ndarray`, shape (n,)
        Positions in pixels.

    fwhm : float
        The full width at half maximum of the PSF in pixels.

    shapes : bool, optional
        Whether widths and elongations are measured, too.

    widths : sequence of float, length n, optional
        The widths of the sources in units of that of the PSF; by default,
        those that fit.

    Returns
    -------
    sources : list of `SourceFit`
    """
    shape = residual.shape
    sources = [None] * len(x)
    light = np.zeros(shape)
    parts = [None] * len(x)
    for _ in range(_ROUNDS):
        for k, (cx, cy) in enumerate(zip(x, y, strict=True)):
            box = _box(cx, cy, _WINDOW * fwhm, shape)
            own = 0.0
            if parts[k] is not None:
                own = parts[k]
            data = residual[box] - (light[box] - own)
            best = None
            for width in (_WIDTHS if widths is None else (widths[k],)):
                found = _fit_one(data, good[box], variance[box], box,
                                 (cx, cy), width * fwhm, _WINDOW * fwhm)
                if found is not None and (best is None
                                          or found[2] < best[2] - 4):
                    best = (*found, width)
            if best is None:
                sources[k] = SourceFit(np.nan, np.nan, 1.0, 0.0)
                continue
            flux, error, _, template, covered, width = best
            light[box] += max(flux, 0.0) * template - own
            parts[k] = max(flux, 0.0) * template
            sources[k] = SourceFit(flux, error, width, covered)
    for k, (cx, cy) in enumerate(zip(x, y, strict=True)):
        if parts[k] is None:
            continue
        box = _box(cx, cy, _WINDOW * fwhm, shape)
        pixels = (residual[box] - (light[box] - parts[k]), good[box],
                  variance[box], box, (cx, cy), fwhm)
        if widths is None:
            _weigh_widths(sources[k], *pixels)
        if shapes:
            _shape(sources[k], *pixels)
    return sources


def error_beside_noise(flux, level, width):
    """
    Estimate the error of a flux that is not of the noise.

    Parameters
    ----------
    flux : float
        The flux of the source.

    level : float
        The light of the galaxy in a pixel there.

    width : float
        The full width at half maximum of the source in pixels.

    Returns
    -------
    error : float
        In the unit of the flux.
    """
    # (the area of a Gaussian of this width)
    area = 2 * np.pi / (8 * np.log(2)) * width**2
    return float(np.hypot(_OTHER_SHAPE * flux,
                          _OF_GALAXY * area * max(level, 0.0)))


def _weigh_widths(source, data, good, variance, box, centre, fwhm):
    """
    Average the flux over the widths that a source may have.

    With the one width of a few that fits best, fluxes of sources between two
    of them would jump from one to the other, by more than their errors.
    """
    found = [_fit_one(data, good, variance, box, centre, width * fwhm,
                      _WINDOW * fwhm) for width in _LIKELY]
    if any(one is None for one in found):
        return
    flux, error, chi2 = np.array([one[:3] for one in found]).T
    other = (1 - _POINT) / (len(_LIKELY) - 1)
    probable = np.exp(-0.5 * (chi2 - chi2.min())) * np.where(
        _LIKELY == 1.0, _POINT, other)
    probable /= probable.sum()
    mean = probable @ flux
    source.likely_flux = float(mean)
    source.likely_error = float(np.sqrt(
        probable @ (error**2 + (flux - mean)**2)))
    source.likely_width = float(probable @ _LIKELY)


def _shape(source, data, good, variance, box, centre, fwhm):
    """
    Measure the width and the elongation of a source.
    """
    window = _WINDOW * fwhm
    found = [_fit_one(data, good, variance, box, centre, width * fwhm, window)
             for width in _SHAPES]
    if any(one is None for one in found):
        return
    chi2 = np.array([one[2] if one[0] > 0 else np.inf for one in found])
    best = int(np.argmin(chi2))
    if not np.isfinite(chi2[best]):
        return
    width = np.log(_SHAPES)
    place = width[best]
    if 0 < best < len(width) - 1 and np.isfinite(
            chi2[best - 1:best + 2]).all():
        # the vertex of the parabola through three points
        bend, slope, _ = np.polyfit(width[best - 1:best + 2] - place,
                                    chi2[best - 1:best + 2], 2)
        if bend > 0:
            place -= slope / (2 * bend)
    plain = chi2[_SHAPES.index(1.0)]
    gain = max(plain - chi2[best], 0.0) if np.isfinite(plain) else 0.0
    source.log_width = float(place)
    source.extended = float(np.sign(place) * np.sqrt(gain))
    v, u = np.indices(data.shape)
    u = u + box[1].start - centre[0]
    v = v + box[0].start - centre[1]
    r2 = u * u + v * v
    weight = np.exp(-0.5 * r2 / (0.5 * fwhm)**2) * (
        good & (r2 < window**2)) * data
    sums = [float(np.sum(weight * part)) for part in (
        u * u - v * v, 2 * u * v, r2)]
    if sums[2] > 0:
        source.elongation = min(float(np.hypot(*sums[:2])) / sums[2], 1.0)


def _box(x, y, half, shape):
    ny, nx = shape
    return np.s_[max(int(y - half), 0):min(int(y + half) + 2, ny),
                 max(int(x - half), 0):min(int(x + half) + 2, nx)]


def _fit_one(data, good, variance, box, centre, fwhm, window):
    """
    Fit the flux of a Moffat function and a level.
    """
    v, u = np.indices(data.shape)
    r2 = ((u + box[1].start - centre[0])**2
          + (v + box[0].start - centre[1])**2)
    scale = 4 * (2**(1 / _BETA) - 1) / fwhm**2
    template = (_BETA - 1) / np.pi * scale * (1 + scale * r2)**-_BETA
    inside = r2 < window**2
    weight = good * inside / variance
    covered = float(np.sum(template[good & inside])
                    / max(template[inside].sum(), 1e-12))
    a, b, d = (np.sum(weight * part) for part in (
        template**2, template, np.ones_like(template)))
    # (what is left of the galaxy is not far from zero)
    loose = d + d / 25
    if not (a > 0 and a * loose > b * b):
        return None
    p, q = np.sum(weight * template * data), np.sum(weight * data)
    det = a * loose - b * b
    flux, level = (loose * p - b * q) / det, (a * q - b * p) / det
    chi2 = np.sum(weight * (data - flux * template - level)**2)
    return flux, np.sqrt(loose / det), chi2, template, covered
