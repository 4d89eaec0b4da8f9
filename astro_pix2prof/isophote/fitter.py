# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The classical method: isophotes fitted with photutils, automated.
"""

from dataclasses import dataclass
from inspect import signature

import numpy as np

from astro_pix2prof.arguments import check_flag, check_number
from astro_pix2prof.fitting.base import ProfileFitter, check_settings
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.isophote.initial import check_initial, initial_geometry
from astro_pix2prof.isophote.steps import IsophoteSteps
from astro_pix2prof.profile.build import make_profile
from astro_pix2prof.profile.flags import GalaxyFlag

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
    step : float, optional
        Relative step between the semi-major axes of the table (beyond
        the inner pixels, which are sampled every half pixel).

    sky : 'auto', 'plane' or float, optional
        'auto' measures the sky, 'plane' a sky with a gradient; a number is
        the sky level in the image's unit, and is not altered.

    sky_err : float, optional
        The error of a given sky level.

    search_radius : float, optional
        How far the galaxy may lie from the position, in pixels; by
        default 25, or 8 if a position was given, and at most a quarter
        of the frame.

    fit_centre : bool, optional
        Whether to refine the position. `False` measures around it.

    max_sma : float, optional
        The largest semi-major axis in pixels. By default the profile
        ends where the signal-to-noise ratio of a ring falls below
        ``min_snr``, or at the frame's edge.

    min_snr : float, optional
        Signal-to-noise ratio of the last ring.

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

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.

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

    def __init__(self, *, step=0.06, sky='auto', sky_err=0.0,
                 search_radius=None, fit_centre=True, max_sma=None,
                 min_snr=1.0, smooth=True, mask_sources=True, initial=None):
        check_initial(initial)
        self.step = check_number(step, 'step', least=0.01, most=0.5)
        self.sky, self.search_radius, self.fit_centre, self.min_snr = (
            check_settings(sky, search_radius, fit_centre, min_snr))
        self.sky_err = check_number(sky_err, 'sky_err', least=0)
        self.max_sma = check_number(max_sma, 'max_sma', least=2,
                                    optional=True)
        self.smooth = check_flag(smooth, 'smooth')
        self.mask_sources = check_flag(mask_sources, 'mask_sources')
        self.initial = initial

    def __repr__(self):
        changed = [f'{name}={value!r}' for name, value in vars(self).items()
                   if value != _DEFAULTS[name]]
        return f'{type(self).__name__}({", ".join(changed)})'

    def fit(self, image, *, geometry=None, initial=None, **options):
        """
        Measure a galaxy and return the full result.

        Calling the fitter returns the profile of it.

        Parameters
        ----------
        image : any image that `GalaxyCutout` takes
            The image.

        geometry : `~astropy.table.QTable`, optional
            A profile whose centre and ellipses are used as they are: the
            same galaxy in another band (forced photometry).

        initial : `~astropy.table.QTable` or fitter, optional
            A profile of the galaxy whose centre and ellipses the fit begins
            with; or a fitter in place of the one in the settings. Not used
            with ``geometry``.

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
            If the image cannot be used, see `GalaxyCutout`; if
            ``geometry`` does not fit the image; or if ``initial`` is
            neither a profile nor a fitter.
        """
        cutout = GalaxyCutout.from_any(image, **options)
        check_initial(initial, profile=True)
        initial = self.initial if initial is None else initial
        first = None
        if geometry is None and initial is not None:
            first = initial_geometry(initial, cutout)
        steps = IsophoteSteps(self, cutout, geometry, first)
        if geometry is None and initial is not None and first is None:
            steps.first_flag |= GalaxyFlag.NO_INITIAL
        rings = steps.run()
        return IsophoteFit(
            profile=make_profile(rings, {'fitter': type(self).__name__}),
            cutout=cutout, mask=steps.mask, sky=rings.sky,
            centre=rings.centre, sma=rings.sma, eps=rings.eps,
            theta=np.degrees(rings.theta), intensity=rings.intensity,
            n_fits=steps.n_fits)


# Defaults of the options, which the representation of a fitter leaves out.
_DEFAULTS = {name: parameter.default for name, parameter in
             signature(IsophoteFitter.__init__).parameters.items()}
