# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fourier modes of a galaxy along the circles of its disc.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.ellipses.geometry import (
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.ellipses.given import check_ellipticity, check_pa
from astro_pix2prof.ellipses.harmonics import ORDERS, measure_harmonics
from astro_pix2prof.fitting.harmonics import ring_noise, ring_width
from astro_pix2prof.fitting.radii import RingRadii, geometric_radii
from astro_pix2prof.image.astrometry import axis_senses, local_matrix
from astro_pix2prof.profile.flags import RingFlag

if TYPE_CHECKING:
    from astropy.units import Quantity
    from numpy.typing import ArrayLike

    from astro_pix2prof import ProfileFit

__all__ = ['fourier_profile']


# Step between the rings, and the least semi-major axis (pixels).
_STEP, _LEAST = 0.06, 1.5

# The disc has the shape of the rings beyond this part of the last one that is
# so many times its error.
_OUTER, _SNR = 0.6, 5.0

# Flags of rings whose ellipses are not their own.
_NOT_OWN = RingFlag.EXTENDED | RingFlag.EXTRAPOLATED

# Light that is less than so many times its error has no phases.
_SEEN = 3.0

# A disc that is flatter than this is seen too much from the side for its
# modes to be those of the disc.
_FLAT = 0.65


def fourier_profile(fit: ProfileFit, *,
                    ellipticity: float | str | Quantity | None = None,
                    pa: float | str | Quantity | None = None,
                    radii: ArrayLike | Quantity | None = None) -> QTable:
    """
    Measure Fourier modes of the light of a galaxy, of the orders 1 to 4.

    The modes are those along ellipses of one shape, that of the disc, so
    that for a thin disc they are those along circles in its plane. Mode 1
    is the lopsidedness, mode 2 the strength of a bar or of two arms.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The galaxy, as ``fitter.fit(image)`` returns it.

    ellipticity : float, str or `~astropy.units.Quantity`, optional
        The ellipticity of the disc. By default, that of the outer rings of
        the profile; 0 takes the galaxy as it is seen.

    pa : float, str or `~astropy.units.Quantity`, optional
        The position angle of its major axis, as in the profile.

    radii : 1D array_like or `~astropy.units.Quantity`, optional
        The semi-major axes: angles or pixels. By default 6% apart, out to
        the last ring of the profile.

    Returns
    -------
    modes : `~astropy.table.QTable`
        ``radius``; ``intensity`` and its error; for the order m,
        ``amplitude_m`` relative to the mean and ``phase_m``, the angle in
        the plane of the disc from the major axis, in the direction in
        which position angles increase, of the first maximum (deg, from 0
        to 360 / m), both with errors; ``n_valid``. ``meta`` has the
        'ellipticity' and 'pa' of the disc. Not-a-number where a ring is
        not seen or has no light.

    Raises
    ------
    TypeError
        If ``fit`` is no result of ``fit``, or ``ellipticity`` or ``pa`` is
        no number.

    ValueError
        If ``ellipticity`` is out of range, ``pa`` has a wrong unit, or
        ``radii`` are wrong.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the disc is seen from the side.

    Notes
    -----
    The amplitude is the square root of the squares of the cosine and the
    sine term less the square of its error (Wardle & Kronberg 1974), as
    noise alone has an amplitude; the error is that of a term. The error of
    the sky counts in the mean. The sky is one level: a gradient that is
    left in the image is a mode 1 in the outskirts.

    References
    ----------
    Lopsidedness: Zaritsky & Rix 1997, ApJ 477, 118. Bars: Ohta, Hamabe &
    Wakamatsu 1990, ApJ 357, 71; Aguerri, Beckman & Prieto 1998, AJ 116,
    2136.

    Examples
    --------
    >>> from astro_pix2prof import (Pix2ProfFitter, fourier_profile,
    ...                             load_example)
    >>> modes = fourier_profile(Pix2ProfFitter().fit(load_example()))
    >>> bool(modes['amplitude_2'][10] < 0.2)
    True
    """
    if not all(hasattr(fit, name) for name in ('profile', 'cutout', 'mask',
                                               'sma', 'theta')):
        msg = ('fit must be the result of the method fit of a fitter, got '
               f'{type(fit).__name__}: fitter.fit(image)')
        raise TypeError(msg)
    cutout = fit.cutout
    eps, theta = _disc(fit, ellipticity, pa)
    if eps > _FLAT:
        warnings.warn(
            f'the disc has an ellipticity of {eps:.2f}: it is seen from the '
            'side, and the modes along its ellipses are not those in its '
            'plane', AstropyUserWarning, stacklevel=2)
    if radii is None:
        sma = geometric_radii(fit.sma[-1] * (1 + 1e-9), _STEP)
    else:
        sma = RingRadii(radii).wanted(cutout, None)
    if radii is None:
        sma = sma[sma >= _LEAST]
    meta = fit.profile.meta
    image = cutout.data.astype(float) - fit.sky
    bad = fit.mask
    objects = fit.object_mask()
    if objects is not None:
        bad = bad | objects
    image[bad] = 0.0
    mean = np.interp(sma, fit.sma, fit.intensity)
    width = ring_width(sma)
    shape = np.full(len(sma), eps), np.full(len(sma), theta)
    found = measure_harmonics(
        image, ~bad, fit.centre, np.where(sma < _LEAST, 0.0, sma), *shape,
        width=width,
        variance=ring_noise(cutout, meta.get('noise', 0.0), mean),
        correlation=ring_correlation(
            meta.get('noise_correlation', 1.0), width))
    wcs = cutout.wcs
    along, sense = axis_senses(
        None if wcs is None else local_matrix(wcs, *fit.centre),
        np.degrees(theta))
    return _table(fit, found, sma, (eps, theta), float(along), sense)


def _disc(fit, ellipticity, pa):
    """
    Choose the ellipticity of the disc and its angle (radians) from +x.
    """
    given = None if ellipticity is None else check_ellipticity(ellipticity)
    angle = None
    if pa is not None:
        angle = np.radians(fit.cutout.from_sky_pa(check_pa(pa)))
    if given is not None and (angle is not None or given == 0):
        return float(given), float(0.0 if angle is None else angle)
    profile = fit.profile
    with np.errstate(invalid='ignore', divide='ignore'):
        snr = (profile['intensity'] / profile['intensity_err']).value
    sure = (snr > _SNR) & np.isfinite(fit.eps) & (
        (np.asarray(profile['flag']) & int(_NOT_OWN)) == 0)
    if not sure.any():
        sure = np.isfinite(fit.eps)
    outer = sure & (fit.sma >= _OUTER * fit.sma[sure][-1])
    own, turned = shape_from_components(*(
        float(np.median(part[outer])) for part in shape_to_components(
            fit.eps, np.radians(fit.theta))))
    return (float(own if given is None else given),
            float(turned if angle is None else angle))


def _table(fit, found, sma, disc, along, sense):
    """
    Make the table of the modes of all rings.
    """
    cutout, (eps, theta) = fit.cutout, disc
    sky_err = fit.profile.meta.get('sky_err', 0.0)
    level = found.level
    level_err = np.hypot(np.sqrt(found.covariance[:, 0, 0]), sky_err)
    with np.errstate(invalid='ignore'):
        seen = level > _SEEN * level_err
    level_known = np.where(seen, level, np.nan)
    table = QTable()
    table['radius'] = sma * cutout.radius_scale * cutout.radius_unit
    for name, values in (('intensity', level), ('intensity_err', level_err)):
        table[name] = (values * cutout.intensity_scale
                       * cutout.intensity_unit)
    for order in range(1, ORDERS + 1):
        turned = along**order
        cosine = turned * found.cosine[:, order - 1] / level_known
        sine = sense * turned * found.sine[:, order - 1] / level_known
        k = 2 * order
        square = cosine**2 + sine**2
        # (mean variance of both terms, and what the mean adds)
        noise = 0.5 * (found.covariance[:, k, k]
                       + found.covariance[:, k + 1, k + 1]) / level_known**2
        error = np.sqrt(noise + square * (level_err / level_known)**2)
        amplitude = np.sqrt(np.maximum(square - noise, 0.0))
        with np.errstate(divide='ignore', invalid='ignore'):
            spread = np.degrees(np.sqrt(noise) / (order * amplitude))
        most = 180 / order
        table[f'amplitude_{order}'] = amplitude
        table[f'amplitude_{order}_err'] = error
        table[f'phase_{order}'] = np.mod(np.degrees(np.arctan2(
            sine, cosine)) / order, 2 * most) * u.deg
        # (of a phase of which nothing is known, the scatter is that of all)
        table[f'phase_{order}_err'] = np.minimum(
            spread, most / np.sqrt(3)) * u.deg
    table['n_valid'] = found.n_valid
    pa, frame = cutout.to_sky_pa(np.degrees(theta))
    table.meta.update(ellipticity=float(eps), pa=float(pa), pa_frame=frame)
    table.meta.update({key: fit.profile.meta[key] for key in (
        'source', 'band', 'x_centre', 'y_centre', 'ra', 'dec', 'pixel_scale',
        'flag') if key in fit.profile.meta})
    return table
