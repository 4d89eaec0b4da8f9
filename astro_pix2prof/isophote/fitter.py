# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The classical method: isophotes fitted with photutils, automated.
"""

from dataclasses import dataclass

import numpy as np

from astro_pix2prof.background.level import MEASURED
from astro_pix2prof.fitting.bands import FitBandsMixin
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.isophote.initial import check_initial, initial_geometry
from astro_pix2prof.isophote.steps import IsophoteSteps
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['IsophoteFit', 'IsophoteFitter']


@dataclass
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


class IsophoteFitter(FitBandsMixin):
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
        if not 0.01 <= step <= 0.5:
            msg = f'step must lie between 0.01 and 0.5, got {step}'
            raise ValueError(msg)
        measured = isinstance(sky, str) and sky in MEASURED
        if not measured and (isinstance(sky, str) or not np.isscalar(sky)):
            msg = f"sky must be 'auto', 'plane' or a number, got {sky!r}"
            raise ValueError(msg)
        if not measured and not np.isfinite(float(sky)):
            msg = f'sky must be finite, got {sky}'
            raise ValueError(msg)
        for name, value in (('search_radius', search_radius),
                            ('max_sma', max_sma)):
            if value is not None and not value >= 2:
                msg = f'{name} must be at least 2 pixels, got {value}'
                raise ValueError(msg)
        self.step = step
        self.sky = sky
        self.sky_err = sky_err
        self.search_radius = search_radius
        self.fit_centre = fit_centre
        self.max_sma = max_sma
        self.min_snr = min_snr
        self.smooth = smooth
        self.mask_sources = mask_sources
        self.initial = initial

    def __call__(self, image, *, geometry=None, initial=None, **options):
        """
        Measure the profile of a galaxy.

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
        profile : `~astropy.table.QTable`
            See `build_profile` for its columns.

        Raises
        ------
        ValueError
            If the image cannot be used, see `GalaxyCutout`; if
            ``geometry`` does not fit the image; or if ``initial`` is
            neither a profile nor a fitter.
        """
        return self.fit(image, geometry=geometry, initial=initial,
                        **options).profile

    def fit(self, image, *, geometry=None, initial=None, **options):
        """
        As calling the fitter, but keep mask, sky and model.

        Parameters
        ----------
        image, geometry, initial, **options
            See `__call__`.

        Returns
        -------
        fit : `IsophoteFit`
        """
        cutout = GalaxyCutout.from_any(image, **options)
        check_initial(initial, profile=True)
        initial = self.initial if initial is None else initial
        first = None
        if geometry is None and initial is not None:
            first = initial_geometry(initial, cutout)
        steps = IsophoteSteps(self, cutout, geometry, first)
        if geometry is None and initial is not None and first is None:
            steps.flag |= GalaxyFlag.NO_INITIAL
        return IsophoteFit(**steps.run())
