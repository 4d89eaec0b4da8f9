# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Centres that the pixels do not show, and what their errors do to a profile.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, label, map_coordinates

from astro_pix2prof.detection.galaxy import (
    CORE,
    is_hidden,
    refine_centre,
)
from astro_pix2prof.detection.hidden import (
    HiddenCentre,
    find_hidden_centre,
    fit_centre,
)
from astro_pix2prof.ellipses.annuli import (
    SPLINE_RADIUS,
    combine_rings,
    measure_rings,
)

__all__ = ['centre_variance', 'is_even', 'measured_centre',
           'uncertain_centre']


# A centre beyond this part of the search radius is held there, and is not
# where the galaxy has its own.
_HELD = 0.95

# The first ring that is seen has this usable part; inside, the slope is that
# of so many pixels outside of it, and so many pixels are added to the
# distance.
_SEEN, _AROUND, _RIM = 0.7, 3.0, 0.5

# A core whose two sides differ by more than this part of its light, noise
# included, is centred on what is close to its peak.
_UNEVEN = 0.1


def uncertain_centre(steps, missing):
    """
    Find the centre of a galaxy if its nucleus is missing or out of reach.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit, with the galaxy found.

    missing : 2D bool `~numpy.ndarray`
        Pixels of the window that the image lacks.

    Returns
    -------
    found : `~astro_pix2prof.detection.hidden.HiddenCentre` or `None`
        `None` if the pixels show the nucleus. The centre lies within the
        search radius; its error tells how far it is from the fitted one.
    """
    found = steps.found
    if steps.given is not None or not (
            steps.settings.fit_centre and found.found):
        return None
    image = steps.data - steps.level
    options = {'extent': 2.0 * found.sma, 'eps': found.eps,
               'theta': found.theta, 'ignore': found.others > 0}
    hidden = find_hidden_centre(image, missing, steps.centre, steps.sigma,
                                **options)
    away = np.subtract(steps.centre, steps.position)
    if hidden is None and np.hypot(*away) > _HELD * steps.search:
        hidden = fit_centre(image, missing, steps.centre, steps.sigma,
                            **options)
    if hidden is None:
        return None
    away = np.subtract(hidden.centre, steps.position)
    part = steps.search / max(np.hypot(*away), steps.search)
    held = tuple(float(c) for c in steps.position + part * away)
    apart = np.subtract(hidden.centre, held)
    return HiddenCentre(held, hidden.covariance + np.outer(apart, apart))


def measured_centre(steps, filled):
    """
    Measure the centre again, with the other objects filled in.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit.

    filled : 2D `~numpy.ndarray`
        The window without other objects.

    Returns
    -------
    centre : tuple of 2 floats
        As it was if the nucleus is not seen.
    """
    if steps.hidden is not None or is_hidden(steps.bad, steps.centre,
                                             steps.found.sma):
        return steps.centre
    smooth = gaussian_filter(filled, 1.0)
    galaxy = steps.found.galaxy | (steps.radius < 5)
    max_shift = max(3.0, 2.0 * steps.found.scale)
    centre = refine_centre(smooth, galaxy, steps.centre, max_shift=max_shift)
    # The core of a disc is wider than what a search for a peak looks at, and
    # the centroid of an area that is cut lies near the middle of the cut.
    whole = refine_centre(smooth, galaxy, centre, max_shift=max_shift,
                          reach=max(1.5 * max_shift, steps.found.sma))
    if is_even(smooth, whole, steps.found.sma):
        centre = whole
    if np.hypot(centre[0] - steps.position[0],
                centre[1] - steps.position[1]) <= steps.search:
        # (rounded: the last digit of a pixel shall not move masks)
        return tuple(float(c) for c in np.round(centre, 3))
    return steps.centre


def is_even(image, centre, sma):
    """
    Tell whether a core looks the same from both sides of its centre.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image without its sky.

    centre : tuple of 2 floats
        The centre (x, y) of the core, in pixels.

    sma : float
        How far the core may reach, in pixels.

    Returns
    -------
    even : bool
        `False` if what is brighter than `CORE` of the centre differs from its
        mirror image by more than a tenth: noise, or a star besides.
    """
    size = int(np.ceil(sma))
    y, x = np.mgrid[-size:size + 1, -size:size + 1]
    core = map_coordinates(image, (centre[1] + y, centre[0] + x), order=1)
    core -= CORE * core[size, size]
    region, _ = label(core > 0)
    core[region != region[size, size]] = 0.0
    apart = np.abs(core - core[::-1, ::-1]).sum()
    return bool(apart <= _UNEVEN * core.sum())


def centre_variance(steps, want, width, intensity):
    """
    Calculate the variance that a missing nucleus adds to rings.

    The rings are measured again about centres that are moved by their
    error; and the rings inside those that are seen follow from the slope
    of these.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit.

    want, width : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes of the rings and their half widths, in pixels.

    intensity : 1D `~numpy.ndarray`, shape (n,)
        The profile.

    Returns
    -------
    variance : 1D `~numpy.ndarray`, shape (n,)
    """
    variance = _gap_error(steps, want, width)**2
    if steps.hidden is None:
        return variance
    for centre in steps.hidden.shifted():
        rings = measure_rings(
            steps.image, ~steps.masked, centre, steps.thin, steps.eps,
            steps.theta, sigma=steps.sigma, spline_radius=SPLINE_RADIUS,
            from_major=False)
        mean = combine_rings(steps.thin, rings, want, width).mean
        change = mean - (steps.sky - steps.level) - intensity
        variance += 0.5 * np.nan_to_num(change)**2
    return variance


def _gap_error(steps, want, width):
    """
    Calculate the errors of rings whose value is that of another radius.
    """
    rings = steps.rings
    seen = np.isfinite(rings.mean) & (rings.n_valid > _SEEN)
    error = np.zeros(len(want))
    if seen.sum() < 2:
        return error
    at, mean = steps.thin[seen], rings.mean[seen]
    # (what is interpolated at the rim of a hole comes from outside of it)
    gap = at[0] - want + _RIM
    near = at <= at[0] + _AROUND
    near[:2] = True
    slope = np.polyfit(at[near], mean[near], 1)[0]
    return np.where(want < at[0], abs(slope) * gap, error)
