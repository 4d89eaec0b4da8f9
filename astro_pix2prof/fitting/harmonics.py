# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Columns of a profile that tell how the light is spread along its rings.
"""

import numpy as np

from astro_pix2prof.arguments import check_flag
from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.ellipses.harmonics import measure_harmonics
from astro_pix2prof.image.astrometry import axis_senses, local_matrix
from astro_pix2prof.profile.columns import CENTRE_COLUMNS, HARMONIC_COLUMNS

__all__ = ['HARMONIC_OPTIONS', 'RingChoice', 'add_harmonics', 'ring_noise',
           'ring_width']


# Options of fitters and of their calls from which the columns follow.
HARMONIC_OPTIONS = ('harmonics', 'free_centres')

# Half the width of a ring as a part of its semi-major axis, and at least
# (pixels): that of the rings of isophotes.
_WIDTH, _NARROWEST = 0.072, 1.0

# Least variance of a pixel in units of that of the sky, whatever a map of
# errors says: it knows nothing of faint sources.
_FLOOR = 0.25


class RingChoice:
    """
    The columns of rings that a user asks for.

    Parameters
    ----------
    harmonics : bool, optional
        Whether to add harmonics, gradient, rms, pixels and area.

    free_centres : bool, optional
        Whether to add the centre of each ring, too, and to measure the
        harmonics about it.

    Raises
    ------
    TypeError
        If one of them is no bool.
    """

    def __init__(self, harmonics=False, free_centres=False):
        self.free_centres = check_flag(free_centres, 'free_centres')
        self.harmonics = (check_flag(harmonics, 'harmonics')
                          or self.free_centres)

    def updated(self, options):
        """
        Replace the choice by that of a call.

        Parameters
        ----------
        options : dict
            Perhaps with 'harmonics' and 'free_centres', `None` as before.

        Returns
        -------
        choice : `RingChoice`
        """
        harmonics, free = (options.get(name) for name in HARMONIC_OPTIONS)
        if harmonics is None:
            harmonics = self.harmonics
        elif free is None:
            free = self.free_centres and bool(check_flag(harmonics,
                                                         'harmonics'))
        return type(self)(harmonics,
                          self.free_centres if free is None else free)

    @property
    def columns(self):
        """
        The names of the columns (tuple of str).
        """
        return (HARMONIC_COLUMNS if self.harmonics else ()) + (
            CENTRE_COLUMNS if self.free_centres else ())


def ring_width(sma):
    """
    Choose the half widths of the rings on which harmonics are measured.

    Parameters
    ----------
    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels.

    Returns
    -------
    width : 1D `~numpy.ndarray`, shape (n,)
        In pixels.
    """
    return np.maximum(_WIDTH * sma, _NARROWEST)


def ring_noise(cutout, noise, intensity, window=None):
    """
    Find the variances of pixels on rings.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    noise : float
        The noise of a sky pixel.

    intensity : 1D `~numpy.ndarray`, shape (n,)
        The mean intensities of the rings.

    window : tuple of 2 slices, optional
        The part of the image that is wanted.

    Returns
    -------
    variance : 2D or 1D `~numpy.ndarray`
        That of each pixel of the window if the image has a map of errors,
        otherwise that of pixels of each ring: of the sky, and of photons
        if the gain is known.
    """
    if cutout.noise is not None:
        given = cutout.noise if window is None else cutout.noise[window]
        return np.maximum(np.asarray(given, dtype=float)**2,
                          _FLOOR * noise**2)
    gain = cutout.gain or np.inf
    return noise**2 + np.maximum(np.nan_to_num(intensity), 0) / gain


def add_harmonics(rings, choice, image, good, *, centre=None, window=None,
                  weight=None):
    """
    Measure the columns that were asked for, and add them to rings.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings; their ``extra`` is set.

    choice : `RingChoice`
        The columns.

    image : 2D `~numpy.ndarray`
        The image without its sky, or the window of it.

    good : 2D bool `~numpy.ndarray`
        Its pixels that count.

    centre : tuple of 2 1D `~numpy.ndarray`, shape (n,), optional
        The centre of each ring in pixels of the whole image; by default
        that of the galaxy.

    window : tuple of 2 slices, optional
        The place of ``image`` in the whole image.

    weight : 2D `~numpy.ndarray`, shape (n, m), optional
        The weights of points along each ring, from +x.

    Notes
    -----
    Lengths are in pixels, and intensities in the unit of the image.
    """
    if not choice.harmonics:
        return
    corner = (0, 0) if window is None else (window[1].start, window[0].start)
    width = ring_width(rings.sma)
    if weight is not None:
        # Other objects are on one side; a galaxy's own bar or arms, which
        # may have lost weight, too, are on two opposite ones.
        left_out = 1 - weight
        weight = weight + np.minimum(left_out, np.roll(
            left_out, weight.shape[1] // 2, axis=1))
    found = measure_harmonics(
        image, good, tuple(c - first for c, first in zip(
            rings.centre if centre is None else centre, corner,
            strict=True)),
        rings.sma, rings.eps, rings.theta, width=width,
        variance=ring_noise(rings.cutout, rings.noise, rings.intensity,
                            window),
        weight=weight, free_centres=choice.free_centres,
        correlation=ring_correlation(rings.noise_correlation, width))
    wcs = rings.cutout.wcs
    along, sense = axis_senses(
        None if wcs is None else local_matrix(wcs, *rings.centre),
        np.degrees(rings.theta))
    extra = {}
    for order in (3, 4):
        a, a_err, b, b_err = found.deviation(order, rings.sma)
        extra |= {f'a{order}': a * sense * along**order,
                  f'a{order}_err': a_err, f'b{order}': b * along**order,
                  f'b{order}_err': b_err}
    extra |= {'gradient': found.gradient, 'gradient_err': found.gradient_err,
              'rms': found.rms, 'n_pixels': found.n_pixels.astype(float),
              'area': found.n_pixels.astype(float)}
    if choice.free_centres:
        shift = found.shift
        if centre is not None:
            shift = shift + np.stack(centre, -1) - rings.centre
        extra |= {'x_offset': shift[:, 0],
                  'x_offset_err': found.shift_err[:, 0],
                  'y_offset': shift[:, 1],
                  'y_offset_err': found.shift_err[:, 1]}
    rings.extra = {name: extra[name] for name in choice.columns}
