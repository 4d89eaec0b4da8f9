# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The classical method: isophotes fitted with photutils, automated.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.arguments import check_flag, check_number
from astro_pix2prof.ellipses.given import read_ellipses
from astro_pix2prof.fitting.base import ProfileFitter
from astro_pix2prof.fitting.common_settings import (
    check_settings,
    check_sky_err,
)
from astro_pix2prof.fitting.fit import ProfileFit, with_border
from astro_pix2prof.fitting.harmonics import RingChoice, add_harmonics
from astro_pix2prof.fitting.radii import RingRadii
from astro_pix2prof.fitting.settings import named_settings
from astro_pix2prof.image.cropping import without_border
from astro_pix2prof.isophote.initial import check_initial, initial_geometry
from astro_pix2prof.isophote.measure import STEP
from astro_pix2prof.isophote.steps import IsophoteSteps
from astro_pix2prof.profile.build import make_profile
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.wording import shown

if TYPE_CHECKING:
    from typing import Any, Literal

    from astropy.units import Quantity
    from numpy.typing import ArrayLike

    from astro_pix2prof.typing import EllipsesLike, ImageLike

__all__ = ['IsophoteFit', 'IsophoteFitter']


@dataclass(repr=False)
class IsophoteFit(ProfileFit):
    """
    A galaxy measured by isophote fitting.

    Its ``mask`` holds bad pixels and other objects.

    Attributes
    ----------
    n_fits : int
        How many times photutils fitted the galaxy.
    """

    n_fits: int = 0


class IsophoteFitter(ProfileFitter):
    """
    Surface-brightness profiles by isophote fitting, without manual steps.

    The seven steps of Courteau (1996), as listed in Table 1 of Smith et
    al. (2021), on `photutils.isophote`: find the centre; estimate and
    remove the sky; mask foreground objects and neighbours; fit the
    isophotes; extend them to where the signal ends; smooth them;
    interpolate the badly fitted ones. It always returns a profile; flags
    tell what it took.

    Parameters
    ----------
    step : float or `~astropy.units.Quantity`, optional
        Relative step between the semi-major axes of the table (beyond
        the inner pixels, which are sampled every half pixel); a quantity
        is a constant step.

    sky : 'auto', 'plane', float or `~astropy.units.Quantity`, optional
        'auto' measures the sky, 'plane' a sky with a gradient. A sky level
        is not altered; a plain number is in the image's unit.

    sky_err : float or `~astropy.units.Quantity`, optional
        The error of a given sky level; that of a measured one is measured.

    search_radius : float, optional
        How far the galaxy may lie from the position, in pixels. By
        default 25, or 8 if a position was given, and at most a quarter
        of the frame; a galaxy that becomes brighter beyond is followed to
        its peak, up to three times as far.

    fit_centre : bool, optional
        Whether to refine the position. `False` measures around it.

    max_sma : float, optional
        As ``max_radius``, in pixels: the name that photutils has for it.

    min_snr : float, optional
        Signal-to-noise ratio of the last ring.

    radii : 1D array_like or `~astropy.units.Quantity`, optional
        The semi-major axes of the profile, increasing: angles or pixels;
        plain numbers are pixels. Each has its row, whatever there is to
        measure.

    linear : bool, optional
        Whether a ``step`` without unit is a constant one in pixels, as in
        `photutils.isophote`.

    max_radius : float or `~astropy.units.Quantity`, optional
        The largest semi-major axis, an angle or pixels. By default the
        profile ends where the signal-to-noise ratio of a ring falls below
        ``min_snr``, or at the frame's edge.

    smooth : bool, optional
        Whether to smooth the ellipses along radius (steps 6 and 7).
        `False` follows every isophote as photutils fits it, its centre
        free and the image interpolated bilinearly, and only bridges those
        that failed: for comparison with IRAF and photutils, and for
        bright, well-resolved galaxies whose twists one wants to see.

    mask_sources : bool, optional
        Whether to detect and mask other objects. `False` trusts the mask
        that comes with the image.

    initial : fitter, optional
        Another fitter, such as a `Pix2ProfFitter`, that finds centre,
        ellipses and other objects first; the fit begins with them. Any
        object will do whose ``fit(image)`` takes a `GalaxyCutout` and
        returns a `ProfileFit`. If it fails or finds no galaxy, there is a
        warning, the galaxy flag ``NO_INITIAL``, and the profile that there
        would be without it.

    harmonics : bool, optional
        Whether to add columns to the profile: ``a3``, ``b3``, ``a4``,
        ``b4``, ``gradient``, ``rms`` and more; see the guide to rings.

    free_centres : bool, optional
        Whether to add the centre of each ring, too, and to measure these
        columns about it. The profile is that about the common centre.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or is none of the settings, such
        as ``ellipticity``, which is an option of the calls.

    ValueError
        If an argument is out of range.

    Notes
    -----
    The error of a ring adds up in quadrature: photon and read noise from
    the scatter of sky pixels (or from the uncertainty that came with the
    image) and, if the gain is known, the galaxy's own photons; the
    scatter along the ring, by which arms and a wrong ellipse add; and
    the error of the sky, which all rings share.

    References
    ----------
    Courteau 1996, ApJS 103, 363; Smith et al. 2021, MNRAS 503, 96;
    Jedrzejewski 1987, MNRAS 226, 747 (the ellipse fit).
    """

    @named_settings
    def __init__(
            self, *, step: float | Quantity = 0.06,
            sky: float | Quantity | Literal['auto', 'plane'] = 'auto',
            sky_err: float | Quantity = 0.0,
            search_radius: float | None = None,
            fit_centre: bool = True, max_sma: float | None = None,
            min_snr: float = 1.0, radii: ArrayLike | Quantity | None = None,
            linear: bool | None = None,
            max_radius: float | Quantity | None = None, smooth: bool = True,
            mask_sources: bool = True, initial: ProfileFitter | None = None,
            harmonics: bool = False, free_centres: bool = False) -> None:
        check_initial(initial)
        self.max_sma = check_number(max_sma, 'max_sma', least=2,
                                    optional=True)
        if max_sma is not None and max_radius is not None:
            msg = ('max_sma must not be given with max_radius, which means '
                   f'the same, got {max_sma!r} and {max_radius!r}')
            raise ValueError(msg)
        self._radii = _choose_radii(radii, step, linear, (
            self.max_sma if max_radius is None else max_radius))
        self.radii, self.step = self._radii.radii, step
        self.linear, self.max_radius = linear, max_radius
        self.sky, self.search_radius, self.fit_centre, self.min_snr = (
            check_settings(sky, search_radius, fit_centre, min_snr))
        self.sky_err = check_sky_err(sky_err, self.sky)
        self.smooth = check_flag(smooth, 'smooth')
        self.mask_sources = check_flag(mask_sources, 'mask_sources')
        self.initial = initial
        self.harmonics = check_flag(harmonics, 'harmonics')
        self.free_centres = check_flag(free_centres, 'free_centres')

    def __repr__(self):
        values = {name: getattr(self, name) for name in _DEFAULTS}
        changed = [f'{name}={value!r}' for name, value in values.items()
                   if not _is_default(value, _DEFAULTS[name])]
        return f'{type(self).__name__}({", ".join(changed)})'

    def fit(
            self, image: ImageLike, *, geometry: EllipsesLike | None = None,
            ellipticity: float | str | Quantity | None = None,
            pa: float | str | Quantity | None = None,
            radii: ArrayLike | Quantity | None = None,
            step: float | Quantity | None = None, linear: bool | None = None,
            max_radius: float | Quantity | None = None,
            initial: EllipsesLike | ProfileFitter | None = None,
            harmonics: bool | None = None, free_centres: bool | None = None,
            **options: Any) -> IsophoteFit:
        """
        Measure a galaxy and return the full result.

        Calling the fitter returns the profile of it.

        Parameters
        ----------
        image : any image that `GalaxyCutout` takes
            The image.

        geometry : profile, table, ellipse or list of isophotes, optional
            The ellipses to measure on, as they are: a profile of the same
            galaxy, such as in another band (forced photometry); an
            `~photutils.isophote.EllipseGeometry` or
            `~photutils.isophote.IsophoteList`, whose angles count from +x;
            or a table with the columns ``radius`` (or ``sma``),
            ``ellipticity`` and ``pa``. Their centre is used if they have
            one, and their radii if there are several and none are asked
            for.

        ellipticity : float, str or `~astropy.units.Quantity`, optional
            The ellipticity of all ellipses: 0.4, '40%' or
            ``40 * u.percent``. The centre is found.

        pa : float, str or `~astropy.units.Quantity`, optional
            Their position angle in degrees, as in the column ``pa`` of the
            profile: from north through east if the image has a WCS,
            otherwise from +x counter-clockwise.

        radii, step, linear, max_radius : optional
            As in the settings of the fitter, for this image.

        initial : `~astropy.table.QTable` or fitter, optional
            A profile of the galaxy whose centre and ellipses the fit begins
            with; or a fitter in place of the one in the settings. Not used
            with ``geometry``.

        harmonics, free_centres : bool, optional
            As in the settings of the fitter, for this image.

        **options
            Passed to `GalaxyCutout`: ``zeropoint``, ``pixel_scale``,
            ``mask``, ``position`` and the rest.

        Returns
        -------
        fit : `IsophoteFit`
            With the profile, the image, the mask, the sky and the ellipses.

        Raises
        ------
        ValueError
            If the image cannot be used, see `GalaxyCutout`, or is a line of
            pixels; if ``geometry`` does not fit the image, or all of its
            radii are larger than ``max_radius``; or if ``initial`` is
            neither a profile nor a fitter.
        """
        choice = RingChoice(self.harmonics, self.free_centres).updated({
            'harmonics': harmonics, 'free_centres': free_centres})
        whole = self._read_image(image, options)
        cutout = without_border(whole)
        check_initial(initial, profile=True)
        initial = self.initial if initial is None else initial
        asked = self._radii.updated({
            'radii': radii, 'step': step, 'linear': linear,
            'max_radius': max_radius})
        asked.check(cutout)
        if min(cutout.shape) < 2:
            msg = ('image must have at least 2 pixels along each axis, got '
                   f'{cutout.shape[1]} x {cutout.shape[0]}')
            raise ValueError(msg)
        given = read_ellipses(cutout, geometry, ellipticity, pa)
        if given is not None and step is not None:
            given.has_radii = False
        _check_radii(given, asked, cutout)
        first = None
        if given is None and initial is not None:
            first = initial_geometry(initial, cutout)
        steps = IsophoteSteps(self, cutout, given, first, asked)
        if given is None and initial is not None and first is None:
            steps.first_flag |= GalaxyFlag.NO_INITIAL
        rings = steps.run()
        self._add_harmonics(steps, rings, choice)
        return with_border(IsophoteFit(
            profile=make_profile(rings, {'fitter': type(self).__name__}),
            cutout=cutout, mask=steps.mask, sky=rings.sky,
            centre=rings.centre, sma=rings.sma, eps=rings.eps,
            theta=np.degrees(rings.theta), intensity=rings.intensity,
            tilt=steps.tilt, n_fits=steps.n_fits), whole)

    def _add_harmonics(self, steps, rings, choice):
        """
        Measure the columns of rings that were asked for.
        """
        if not choice.harmonics:
            return
        centre = None
        if steps.ring_centre is not None:
            centre = [np.interp(rings.sma, steps.thin, part) + first
                      for part, first in zip(steps.ring_centre, steps.corner,
                                             strict=True)]
        add_harmonics(
            rings, choice, steps.image * steps.unit - (
                rings.sky - steps.level * steps.unit), ~steps.masked,
            centre=centre, window=steps.window)

    def _chooses_radii(self, options):
        asked = self._radii.updated(options)
        return asked.radii is not None or asked.is_linear


def _check_radii(given, asked, cutout):
    """
    Refuse ellipses whose radii are all larger than what was asked for.
    """
    if given is None or not given.has_radii or asked.radii is not None or (
            asked.is_linear):
        return
    largest = asked.max_pixels(cutout)
    if largest is not None and given.sma[0] > largest:
        msg = ('max_radius must be at least the least radius of geometry, '
               f'{given.sma[0]:.4g} pixels, got {shown(asked.max_radius)}: '
               'give a larger one, or radii=')
        raise ValueError(msg)


def _choose_radii(radii, step, linear, max_radius):
    """
    Check the settings of the radii; the default of the step is none.
    """
    is_default = isinstance(step, float) and step == STEP
    if is_default and not linear:
        step = None
    return RingRadii(radii, step, linear, max_radius)


def _is_default(value, default):
    """
    Tell whether a setting, which may be an array, is the default.
    """
    return value is default or (
        not isinstance(value, np.ndarray) and value == default)


# Defaults of the options, which the representation of a fitter leaves out.
_DEFAULTS = {name: parameter.default for name, parameter in
             signature(IsophoteFitter).parameters.items()}
