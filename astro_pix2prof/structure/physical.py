# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles in physical units: kpc, luminosities and absolute magnitudes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import check_choice, check_number
from astro_pix2prof.profile.brightness import (
    POGSON,
    SB_UNIT,
    curve_of_growth,
)
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.structure.bandpasses import (
    FILTERS,
    find_bandpass,
)
from astro_pix2prof.structure.distances import (
    PhysicalScale,
    find_scale,
    warn_of_redshift,
)
from astro_pix2prof.structure.extinction import (
    REDDENINGS,
    find_reddening,
    galactic_extinction,
)
from astro_pix2prof.structure.inclination import (
    face_on_error,
    face_on_factor,
)
from astro_pix2prof.structure.inner_light import NO_CENTRE, centre_factor
from astro_pix2prof.structure.k_corrections import (
    K_CORRECTIONS,
    PolynomialKCorrection,
)
from astro_pix2prof.structure.mass_checks import warn_of_bands

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from astropy.cosmology import FLRW
    from astropy.units import Quantity

__all__ = ['DENSITY_ZERO', 'Corrections', 'check_calibrated',
           'find_corrections', 'of_one_band', 'physical_profile']


# The relative error of E(B-V) of the map of Schlegel et al. 1998.
EBV_ERROR = 0.16

# The surface brightness (mag/arcsec2) of a luminosity per pc2 that is one of
# absolute magnitude 0: 5 log10 of a radian in arcsec, less 5.
DENSITY_ZERO = float(5 * np.log10(u.rad.to(u.arcsec)) - 5)


@dataclass(frozen=True)
class Corrections:
    """
    The corrections of a galaxy's magnitudes.

    Attributes
    ----------
    scale : `PhysicalScale`
        The distance.

    filters : str
        The survey whose filters the bands are.

    reddening : dict
        ``ebv``, ``position`` and ``reddening``, see `galactic_extinction`.

    k_correction : callable, dict or `None`
        The hook of the K-corrections.

    face_on : float
        The factor by which surface brightness is lower face-on.

    ebv_err : float
        The error of E(B-V) (mag), on the scale that was given.

    face_on_err : float
        The relative error of ``face_on``.
    """

    scale: PhysicalScale
    filters: str
    reddening: dict
    k_correction: object
    face_on: float
    ebv_err: float = 0.0
    face_on_err: float = 0.0

    def extinction(self, band):
        """
        Calculate the Galactic extinction of a band (mag).
        """
        return self._extinction_for(band, self.reddening['ebv'])

    def extinction_err(self, band):
        """
        Calculate the error of the extinction of a band (mag).

        Those of all bands have the same sign.
        """
        return self._extinction_for(band, self.ebv_err)

    def _extinction_for(self, band, ebv):
        if ebv == 0:
            # (a band need not be in the register for nothing)
            return 0.0
        return galactic_extinction(band, filters=self.filters,
                                   **{**self.reddening, 'ebv': ebv})

    def k(self, band, colour=None):
        """
        Calculate the K-correction of a band (mag).
        """
        hook = self.k_correction
        if hook is None:
            return 0.0
        if isinstance(hook, Mapping):
            if band not in hook:
                msg = (f'k_correction must have a value for the band '
                       f'{band!r}, got {sorted(hook)}')
                raise ValueError(msg)
            return check_number(hook[band], f'k_correction[{band!r}]')
        value = np.asarray(hook(band, self.scale.redshift, colour),
                           dtype=float)
        if value.shape not in ((), np.shape(colour)):
            msg = ('k_correction must return a number, or one for each '
                   f'colour, got the shape {value.shape}')
            raise ValueError(msg)
        return float(value) if value.shape == () else value

    def meta(self):
        """
        List what was done, for the meta of a table.
        """
        scale = self.scale
        meta = {'luminosity_distance': scale.luminosity_distance,
                'redshift': scale.redshift,
                'distance_modulus': scale.distance_modulus,
                'kpc_per_arcsec': scale.kpc_per_arcsec,
                'dimming': scale.dimming, 'filters': self.filters,
                'ebv': self.reddening['ebv'], 'ebv_err': self.ebv_err,
                'ebv_scale': self.reddening['reddening'],
                'face_on_factor': self.face_on,
                'face_on_factor_err': self.face_on * self.face_on_err}
        if scale.cosmology:
            meta['cosmology'] = scale.cosmology
        return meta


def find_corrections(profile, *, distance=None, redshift=None,
                     cosmology=None, ebv=0.0, ebv_err=None, position=None,
                     reddening='SFD', filters='SDSS', k_correction=None,
                     inclination=None, inclination_err=None, thickness=0.0,
                     colour=None):
    """
    Check and collect the corrections of a galaxy.

    Parameters
    ----------
    profile : `~astropy.table.QTable` or `None`
        A profile, whose meta has the position of the galaxy.

    distance, redshift, cosmology, ebv, ebv_err, position, reddening
        See `physical_profile`.

    filters, k_correction, inclination, inclination_err, thickness
        Likewise.

    colour : str, optional
        The name of the colour that K-corrections follow from.

    Returns
    -------
    corrections : `Corrections`

    Raises
    ------
    TypeError, ValueError
        If one of them is wrong.
    """
    scale = find_scale(distance, redshift, cosmology)
    meta = {} if profile is None else profile.meta
    if position is None and 'ra' in meta and 'dec' in meta:
        position = SkyCoord(meta['ra'], meta['dec'], unit='deg')
    ebv_err = check_number(ebv_err, 'ebv_err', unit=u.mag, least=0,
                           optional=True)
    found = {'ebv': find_reddening(ebv, position),
             'reddening': check_choice(reddening, 'reddening', REDDENINGS)}
    if isinstance(k_correction, str):
        check_choice(k_correction, 'k_correction', K_CORRECTIONS)
        k_correction = PolynomialKCorrection(colour)
    if k_correction is not None and not callable(k_correction) and (
            not isinstance(k_correction, Mapping)):
        msg = ('k_correction must be a function of band, redshift and '
               "colour, a dict with a number for each band, or "
               f"'chilingarian2010', got {type(k_correction).__name__}")
        raise TypeError(msg)
    if k_correction is not None and redshift is None:
        msg = 'redshift must be given with k_correction, got None'
        raise ValueError(msg)
    if inclination is None and inclination_err is not None:
        msg = ('inclination must be given with inclination_err, got '
               f'None and {inclination_err!r}')
        raise ValueError(msg)
    face_on = (1.0 if inclination is None
               else face_on_factor(inclination, thickness))
    face_on_err = (0.0 if inclination_err is None else face_on_error(
        inclination, inclination_err, thickness))
    if ebv_err is None:
        ebv_err = EBV_ERROR * found['ebv']
    return Corrections(scale, check_choice(filters, 'filters', FILTERS),
                       found, k_correction, face_on, ebv_err, face_on_err)


def check_calibrated(profile, name):
    """
    Check that a profile has magnitudes and arcseconds.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    name : str
        The name of the argument, for messages.

    Returns
    -------
    profile : `~astropy.table.QTable`
        As `check_profile` returns it.

    Raises
    ------
    TypeError, ValueError
        If it is no profile, or has no zero point, no AB magnitudes or no
        pixel scale.
    """
    profile = check_profile(profile, name, ordered=True)
    if profile['radius'].unit != u.arcsec:
        msg = (f'{name} must have radii in arcsec, got '
               f'{profile["radius"].unit}: give the image its pixel scale')
        raise ValueError(msg)
    if not np.isfinite(profile.meta.get('sb_zeropoint', np.nan)):
        msg = (f'{name} must have a zero point in its meta, got none: give '
               'the image its zeropoint')
        raise ValueError(msg)
    system = profile.meta.get('mag_system')
    if system is None:
        warnings.warn(f'{name} does not say its magnitude system: AB is '
                      'assumed', AstropyUserWarning, stacklevel=3)
    elif system != 'AB':
        msg = (f'{name} must have AB magnitudes, got {system}: measure the '
               'image with a zero point in AB')
        raise ValueError(msg)
    return profile


def of_one_band(k_correction, band):
    """
    Take one number as the K-correction of the only band.

    Parameters
    ----------
    k_correction : object
        The K-correction: one number (mag), or anything else.

    band : str
        The band.

    Returns
    -------
    k_correction : object
        A dict with the number of the band, or what was given.

    Raises
    ------
    ValueError
        If the number is not finite, or has another unit.
    """
    if isinstance(k_correction, u.Quantity) or (
            isinstance(k_correction, Real)
            and not isinstance(k_correction, bool)):
        return {band: check_number(k_correction, 'k_correction', unit=u.mag)}
    return k_correction


def _solar(band, filters, solar):
    solar = check_number(solar, 'solar', unit=u.mag, optional=True)
    if solar is None:
        solar = find_bandpass(band, filters).sun
    if solar is None:
        msg = (f'solar must be given for the band {band!r} of {filters}: the '
               'absolute magnitude of the sun is not in the register')
        raise ValueError(msg)
    return solar


def physical_profile(
        profile: QTable, *, band: str | None = None,
        distance: float | Quantity | None = None,
        redshift: float | None = None, cosmology: FLRW | None = None,
        ebv: float | Literal['sfd'] | Callable[..., Any] = 0.0,
        ebv_err: float | None = None, position: SkyCoord | None = None,
        reddening: Literal['SFD', 'SF11'] = 'SFD',
        filters: Literal['SDSS', 'DES', 'PS1'] = 'SDSS',
        k_correction: (Callable[..., Any] | dict[str, float] | float
                       | Quantity | None) = None,
        inclination: float | Quantity | None = None,
        inclination_err: float | Quantity | None = None,
        thickness: float = 0.0, solar: float | None = None) -> QTable:
    """
    Convert a profile to physical units.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile in AB magnitudes.

    band : str, optional
        The band; by default ``profile.meta['band']``.

    distance : `~astropy.units.Quantity` or float, optional
        The distance by brightness; a plain number is in Mpc. By default,
        that of the redshift.

    redshift : float, optional
        The redshift: for the distance if that is not given, for dimming
        and for K-corrections.

    cosmology : `~astropy.cosmology.FLRW`, optional
        The cosmology; by default astropy's default.

    ebv : float, callable or 'sfd', optional
        The reddening E(B-V) by the Milky Way (mag), or a map of it, see
        `galactic_extinction`. By default, there is no correction.

    ebv_err : float, optional
        Its error (mag), which is part of the errors of the table and moves
        all of its rings together; by default 16% of ``ebv``, as Schlegel et
        al. 1998 state it for their map.

    position : `~astropy.coordinates.SkyCoord`, optional
        The position for a map; by default that of the profile.

    reddening : {'SFD', 'SF11'}, optional
        The scale of E(B-V).

    filters : {'SDSS', 'DES', 'PS1'}, optional
        The survey whose filters the bands are.

    k_correction : callable, dict, float or `~astropy.units.Quantity`, optional
        K-corrections (mag) by the definition of Hogg et al. 2002: a
        function of band, redshift and colour, a number for each band, or
        one for this band. For a function, the colour is `None` here.

    inclination : `~astropy.units.Quantity` or float, optional
        The inclination of a disc without dust, for surface brightness
        face-on; a plain number is in degrees. See `disc_inclination`.

    inclination_err : `~astropy.units.Quantity` or float, optional
        Its error, which is part of the errors of surface brightness and
        luminosity density, and moves all rings together. By default, the
        inclination is exact. See `disc_inclination_err`.

    thickness : float, optional
        The axis ratio of the disc seen edge-on.

    solar : float, optional
        The absolute AB magnitude of the sun; by default that of the
        register.

    Returns
    -------
    table : `~astropy.table.QTable`
        For each ring: ``radius``, ``radius_kpc``;
        ``surface_brightness`` and its error (mag/arcsec2), corrected;
        ``luminosity_density`` and its error (Lsun/pc2 of the band);
        ``luminosity_enclosed`` (Lsun) and ``mag_enclosed``, absolute, and
        their errors where the profile has that of the latter; and ``flag``.
        The meta holds the corrections.

    Raises
    ------
    TypeError, ValueError
        If the profile is not calibrated, or an argument is wrong.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the redshift is above 0.05 and there is no K-correction, or it is
        above 0.02 and the distance is another one by more than a factor of
        1.5, or the profile is of another band, or it does not begin at the
        centre and does not say how much light is inside its first ring:
        enclosed light has no error then.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astro_pix2prof import (Pix2ProfFitter, load_example,
    ...                             physical_profile)
    >>> profile = Pix2ProfFitter()(load_example())
    >>> table = physical_profile(profile, band='r', distance=50 * u.Mpc)
    >>> table['luminosity_density'].unit
    Unit("solLum / pc2")
    """
    profile = check_calibrated(profile, 'profile')
    own = profile.meta.get('band')
    band = own if band is None else band
    k_correction = of_one_band(k_correction, band)
    found = find_corrections(
        profile, distance=distance, redshift=redshift, cosmology=cosmology,
        ebv=ebv, ebv_err=ebv_err, position=position, reddening=reddening,
        filters=filters, k_correction=k_correction, inclination=inclination,
        inclination_err=inclination_err, thickness=thickness)
    warn_of_redshift(found.scale, k_correction)
    sun = _solar(band, found.filters, solar)
    warn_of_bands({band: own})
    extinction, k = found.extinction(band), found.k(band)
    dust = found.extinction_err(band)
    shift = extinction + k + found.scale.dimming
    # From the image's unit per arcsec2 to solar luminosities per pc2.
    factor = 10**(-0.4 * (profile.meta['sb_zeropoint'] - shift - sun
                          - DENSITY_ZERO))
    radius, eps = profile['radius'].value, profile['ellipticity']
    light = profile['intensity'].value * factor
    error = np.hypot(profile['intensity_err'].value * factor,
                     light * dust / POGSON)
    kpc = radius * found.scale.kpc_per_arcsec
    within = curve_of_growth(1e3 * kpc, light, np.asarray(eps, dtype=float))
    within, seen = _with_centre(profile, within)
    error = np.hypot(error, light * found.face_on_err)
    face_on = light * found.face_on
    with np.errstate(invalid='ignore', divide='ignore'):
        mu = sun + DENSITY_ZERO - 2.5 * np.log10(face_on)
        mu_err = POGSON * error / light
        enclosed = sun - 2.5 * np.log10(within)
    dark = ~(light > 0)
    if profile.meta.get('flag', 0) & GalaxyFlag.NO_SOURCE:
        # (intensities remain, as upper limits)
        dark[:] = True
        within = np.full(len(light), np.nan)
    table = QTable()
    table['radius'] = profile['radius']
    table['radius_kpc'] = kpc * u.kpc
    table['surface_brightness'] = np.where(dark, np.nan, mu) * SB_UNIT
    table['surface_brightness_err'] = np.where(dark, np.nan,
                                               mu_err) * SB_UNIT
    unit = u.solLum / u.pc**2
    table['luminosity_density'] = face_on * unit
    table['luminosity_density_err'] = error * found.face_on * unit
    table['luminosity_enclosed'] = within * u.solLum
    table['mag_enclosed'] = np.where(within > 0, enclosed, np.nan) * u.mag
    if 'mag_enclosed_err' in profile.colnames:
        mag_err = np.where(seen & (within > 0), np.hypot(
            profile['mag_enclosed_err'].value, dust), np.nan)
        table['mag_enclosed_err'] = mag_err * u.mag
        table.add_column(within * mag_err / POGSON * u.solLum, name=(
            'luminosity_enclosed_err'), index=table.index_column(
                'luminosity_enclosed') + 1)
    table['flag'] = np.asarray(profile['flag'])
    table.meta.update(
        {key: profile.meta[key] for key in (
            'fitter', 'version', 'weights', 'source', 'ra', 'dec', 'flag')
            if key in profile.meta})
    table.meta.update(found.meta(), band=band, solar_magnitude=sun,
                      extinction=extinction, extinction_err=dust,
                      k_correction=k)
    return table


def _with_centre(profile, within):
    """
    Add what is brighter than a flat centre to light within rings.

    Returns the light, and whether the light of the centre is measured.
    """
    light = profile['intensity'].value
    ok = np.isfinite(light)
    if not ok.any():
        return within, True
    first = np.argmax(ok)
    factor, seen = centre_factor(profile, ok, light[None, ok], np.asarray(
        profile['ellipticity'], dtype=float)[ok], 0)
    if not seen:
        warnings.warn(NO_CENTRE, AstropyUserWarning, stacklevel=3)
    return np.where(np.arange(len(light)) < first, np.nan, within + (
        factor[0] - 1) * within[first]), seen
