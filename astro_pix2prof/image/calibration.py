# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The unit, gain, saturation and magnitudes of an image.
"""

import re
import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import check_positive
from astro_pix2prof.image.conventions import (
    stated_zeros,
    text_zeros,
    unread_keywords,
)
from astro_pix2prof.image.exposure import exposure_time, find_exposure
from astro_pix2prof.image.header import header_comment, header_number
from astro_pix2prof.image.units import (
    count_scale,
    is_counts_like,
    is_rate,
    is_surface_brightness,
    parse_unit,
)
from astro_pix2prof.image.zeropoint import find_zeropoint, unit_zeropoint

__all__ = ['Calibration', 'check_brightness', 'choose_unit',
           'find_calibration', 'find_gain', 'find_saturation', 'given_fwhm',
           'given_gain', 'given_saturation', 'refuse_unscaled']


# No image has its brightest pixel beyond these (mag/arcsec2): the Sun has -11,
# and the deepest images are lost in noise before 35.
_BRIGHTEST, _FAINTEST = -12.0, 40.0

# Keywords of the size of pixels, in units that differ.
_SCALE_KEYWORDS = ('PIXSCALE', 'PIXSCAL1', 'PIXSCAL', 'SECPIX', 'SECPIX1',
                   'PIXSIZE', 'PIXSIZE1', 'SCALE', 'PSCALE')

# A part by which gains may differ.
_GAINS = 0.2

_GAIN_KEYWORDS = ('GAIN', 'EGAIN', 'CCDGAIN')

# Comments of gains that are data units per electron, as ESO has them.
_INVERSE = re.compile(
    r'\b(adus?|dns?|counts?)\s*(/|per)\s*(e-|(photo-?)?electrons?\b|e\b)',
    re.IGNORECASE)

# Comments that tell the unit of SATURATE. (SWarp writes ADU, although it
# scales the number as the image.)
_RATE = re.compile(r'/\s*s|\bper\s+s|\bs(ec)?(\^|\*\*)?-1\b|\bcps\b',
                   re.IGNORECASE)
_COUNTS = re.compile(r'\b(adu|dn|counts?|electrons?)\b|\be-', re.IGNORECASE)

# Of the level that counts would have, the part from which pixels may be
# saturated, and that which none exceeds.
_FULL, _OVERFULL = 0.9, 1.1

# No detector is full with fewer counts.
_LEAST_FULL = 3000.0


def find_gain(unit, header):
    """
    Find the number of electrons that one data unit stands for.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit of the image. Only counts, adu, DN, electrons and their
        rates have a gain; rates need an exposure time in the header.

    header : dict
        Header values by upper-case keyword; GAIN, EGAIN and CCDGAIN are
        read for units other than electrons.

    Returns
    -------
    gain : float or `None`
        Electrons per data unit, `None` if it is not known.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If two keywords differ by more than a fifth.
    """
    if not is_counts_like(unit) or is_surface_brightness(unit):
        return None
    gain = None
    if u.electron in unit.bases or u.photon in unit.bases:
        gain = 1.0
    else:
        found = [(keyword, value) for keyword in _GAIN_KEYWORDS if (
            value := _gain_of(header, keyword)) is not None]
        if found:
            gain = found[0][1]
        for keyword, value in found[1:]:
            # (of amateur cameras, GAIN is a setting)
            if abs(value / gain - 1) > _GAINS:
                warnings.warn(
                    f'the header gives {found[0][0]}={gain:g} and '
                    f'{keyword}={value:g}: {found[0][0]} is used for the '
                    'noise of the galaxy; give gain= to choose',
                    AstropyUserWarning, stacklevel=3)
                break
    if gain is not None and is_rate(unit):
        exptime = exposure_time(header)
        gain = None if exptime is None else gain * exptime
    return None if gain is None else gain * count_scale(unit)


def _gain_of(header, keyword):
    """
    Read the electrons per data unit of a keyword; `None` without any.
    """
    value = header_number(header, keyword)
    if value is None or not value > 0:
        return None
    return 1 / value if _INVERSE.search(
        header_comment(header, keyword)) else value


def find_saturation(unit, header, data=None, mask=None):
    """
    Find the level at which pixels are saturated.

    SATURATE is in the unit of the image, as SExtractor and SWarp have it. In
    an image of count rates it may still be that of the counts: it is, if its
    comment says so and no pixel is brighter.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit of the image. Only counts and their rates have a level.

    header : dict
        Header values by upper-case keyword; SATURATE is read.

    data : `~numpy.ndarray`, optional
        The pixels of the image.

    mask : 2D bool `~numpy.ndarray`, optional
        Pixels that do not count.

    Returns
    -------
    saturation : float or `None`
        The level in data units, `None` if it is not known.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If pixels of a count rate are saturated unless the level is that of
        the rate, and the header does not tell.
    """
    value = header_number(header, 'SATURATE')
    if value is None or value <= 0 or not is_counts_like(unit):
        return None
    exptime = exposure_time(header) if is_rate(unit) else None
    comment = '' if exptime is None else header_comment(header, 'SATURATE')
    if exptime is None or exptime <= 1 or data is None or (
            _RATE.search(comment)):
        return value
    rate = value / exptime / count_scale(unit)
    good = data[np.isfinite(data) if mask is None
                else np.isfinite(data) & ~mask]
    peak = float(good.max()) if good.size else -np.inf
    if (peak <= _OVERFULL * rate and _COUNTS.search(comment)
            and 'COMBINET' not in header):
        return rate
    if value >= _LEAST_FULL and _FULL * rate < peak <= value:
        warnings.warn(
            f'SATURATE={value:g} is taken in the unit of the image, '
            f'{unit.to_string()!r}; pixels of {peak:.4g} are saturated if it '
            f'is in counts: give saturation={rate:.4g} then, otherwise '
            f'saturation={value:g}', AstropyUserWarning, stacklevel=3)
    return value


def choose_unit(own, given, *, from_header=False):
    """
    Choose between the unit of an image and the one that was given.

    Parameters
    ----------
    own : `~astropy.units.UnitBase`, `ValueError` or `None`
        The unit of the image, or why its unit cannot be used.

    given : str, `~astropy.units.UnitBase` or `None`
        The unit that was given; it wins.

    from_header : bool, optional
        Whether ``own`` is the text of a header, which may be wrong.

    Returns
    -------
    unit : `~astropy.units.UnitBase`
        The unit, dimensionless if there is none.

    Raises
    ------
    ValueError
        If the units contradict each other and ``own`` is not only a
        header's.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the units contradict each other and ``own`` is a header's.
    """
    if given is None:
        if isinstance(own, ValueError):
            raise own
        return u.dimensionless_unscaled if own is None else own
    unit = parse_unit(given)
    if own is None or isinstance(own, ValueError):
        return unit
    own_zero, zero = unit_zeropoint(own), unit_zeropoint(unit)
    # counts may be called anything, a flux may not
    if own_zero is None or (
            zero is not None and zero.system == own_zero.system
            and zero.per_area == own_zero.per_area
            and abs(zero.value - own_zero.value) < 1e-3):
        return unit
    if not from_header:
        msg = (f"unit='{unit}' contradicts the unit '{own}' of the image: "
               'convert the image (its to or convert_unit_to method) instead')
        raise ValueError(msg)
    warnings.warn(f"unit='{unit}' is used, although the header says "
                  f"BUNIT='{own}'", AstropyUserWarning, stacklevel=3)
    return unit


def given_gain(gain, unit):
    """
    Check the gain that a user gives.

    Parameters
    ----------
    gain : float, `~astropy.units.Quantity` or `None`
        Electrons per data unit; quantities in electrons (or photons) per
        unit of the image.

    unit : `~astropy.units.UnitBase`
        The unit of the image.

    Returns
    -------
    gain : float or `None`
        Electrons per data unit.

    Raises
    ------
    TypeError
        If it is not a number.

    ValueError
        If it is not positive and finite, or in another unit.
    """
    if gain is None:
        return None
    units = [electrons / unit for electrons in (u.electron, u.photon,
                                                u.dimensionless_unscaled)]
    if unit == u.dimensionless_unscaled or (is_counts_like(unit)
                                            and not is_rate(unit)):
        # counts may be called anything
        units += [u.electron / count for count in (u.adu, u.ct, u.DN)]
    return check_positive(gain, 'gain', unit=tuple(units))


def given_fwhm(psf_fwhm, pixel_scale):
    """
    Convert the full width at half maximum of a PSF to arcsec.

    Parameters
    ----------
    psf_fwhm : float or `~astropy.units.Quantity` or None
        In arcsec, or in pixels with that unit.

    pixel_scale : float or None
        In arcsec.

    Returns
    -------
    psf_fwhm : float or None
    """
    if psf_fwhm is None:
        return None
    pixels = () if pixel_scale is None else u.pixel_scale(
        pixel_scale * u.arcsec / u.pix)
    return check_positive(psf_fwhm, 'psf_fwhm', unit=u.arcsec,
                          equivalencies=pixels)


def given_saturation(saturation, unit):
    """
    Check the level of saturation that a user gives.

    Parameters
    ----------
    saturation : float, `~astropy.units.Quantity` or `None`
        The level, in data units or as a quantity.

    unit : `~astropy.units.UnitBase`
        The unit of the image.

    Returns
    -------
    saturation : float or `None`
        The level in data units.

    Raises
    ------
    TypeError
        If it is not a number.

    ValueError
        If it is not positive and finite, or in a unit that is not
        equivalent to that of the image.
    """
    if unit == u.dimensionless_unscaled:
        unit = None
    return check_positive(saturation, 'saturation', unit=unit, optional=True)


@dataclass(frozen=True)
class Calibration:
    """
    The conversion of pixel values to intensities and magnitudes.

    The attributes are those of `astro_pix2prof.GalaxyCutout`.
    """

    intensity_unit: u.UnitBase
    intensity_scale: float
    radius_unit: u.UnitBase
    radius_scale: float
    zeropoint: float = np.nan
    sb_zeropoint: float = np.nan
    mag_system: str = ''
    mag_unit: u.UnitBase = u.mag


def find_calibration(unit, header, *, pixel_scale=None,
                     native_pixel_scale=None, zeropoint=None,
                     mag_system=None, calibrated=True, data_scale=1.0):
    """
    Find how pixel values become intensities and magnitudes.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit of the image.

    header : dict
        Header values by upper-case keyword.

    pixel_scale, native_pixel_scale : float, optional
        The sizes of pixels in arcsec: of the image, and of those to which
        the values refer.

    zeropoint, mag_system : optional
        As for `~astro_pix2prof.image.zeropoint.find_zeropoint`.

    calibrated : bool, optional
        `False` allows for an image without zero point.

    data_scale : float, optional
        The factor by which the data were divided.

    Returns
    -------
    calibration : `Calibration`
        The calibration of the divided data.

    Raises
    ------
    ValueError
        If there is no zero point and ``calibrated`` is `True`; or if
        ``native_pixel_scale`` goes with a unit of surface brightness.
    """
    zero = find_zeropoint(
        unit, zeropoint=zeropoint, mag_system=mag_system, header=header,
        pixel_scale=native_pixel_scale or pixel_scale)
    if zero is None and calibrated:
        _refuse_uncalibrated(unit, header)
    scale, native = pixel_scale, native_pixel_scale
    radius = (u.pix, 1.0) if scale is None else (u.arcsec, scale)
    if is_surface_brightness(unit):
        if native is not None:
            msg = ('native_pixel_scale is for images of flux per pixel, '
                   f"but the unit '{unit}' is a surface brightness")
            raise ValueError(msg)
        intensity_unit, factor = unit, 1.0
    elif scale is None:
        intensity_unit, factor = unit / u.pix**2, 1.0
    else:
        intensity_unit = unit / u.arcsec**2
        factor = 1 / (scale if native is None else native)**2
    intensity = (intensity_unit, factor * data_scale)
    if zero is None:
        return Calibration(*intensity, *radius)
    fainter = 2.5 * np.log10(data_scale)
    if scale is None:
        value = np.nan if zero.per_area else zero.value - fainter
        return Calibration(*intensity, *radius, value,
                           mag_system=zero.system)
    sb_zeropoint = zero.value
    if zero.per_area:
        # the zero point is that of a data unit, not of an intensity
        sb_zeropoint += 2.5 * np.log10(factor)
    value = sb_zeropoint - 2.5 * np.log10(factor * scale**2) - fainter
    return Calibration(*intensity, *radius, float(value),
                       float(sb_zeropoint), zero.system)


def check_brightness(calibration, peak, unit):
    """
    Warn if no image can be as bright or as faint as a header has it.

    Parameters
    ----------
    calibration : `Calibration`
        The calibration that was found.

    peak : float
        The brightest pixel.

    unit : `~astropy.units.UnitBase`
        The unit of the image.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the brightest pixel is brighter than the Sun or fainter than
        40 mag/arcsec2.
    """
    peak = float(peak) * calibration.intensity_scale
    if not (peak > 0 and np.isfinite(calibration.sb_zeropoint)):
        return
    level = calibration.sb_zeropoint - 2.5 * np.log10(peak)
    if not _BRIGHTEST < level < _FAINTEST:
        warnings.warn(
            f"the unit '{unit}' and the header give the brightest pixel "
            f'{level:.1f} mag/arcsec2, which cannot be: give the right unit= '
            'or zeropoint=', AstropyUserWarning, stacklevel=3)


def _refuse_uncalibrated(unit, header):
    shown = (f"unit '{unit}'" if unit != u.dimensionless_unscaled
             else 'no unit')
    msg = (f'the image has {shown} and no zero point: give unit= (a '
           "flux unit like 'nmgy', 'Jy' or 'MJy/sr'), zeropoint= "
           '(the magnitude of one data unit), or calibrated=False '
           'for a profile without magnitudes')
    if any(key in header for key in ('PHOTFLAM', 'PHOTMJSR', 'PHOTFNU')):
        msg += (". PHOTFLAM, PHOTFNU and PHOTMJSR of the header need a unit "
                "like 'electron/s' or 'DN/s', or else 'electron' or "
                "'DN' and an exposure time; PHOTPLAM is in Angstrom")
    timeless = _need_time(unit, header)
    if timeless:
        msg += (f'. {" and ".join(timeless)} of the header is the magnitude '
                'of one count per second and needs an exposure time, such as '
                'EXPTIME')
    exposure = find_exposure(header)
    if exposure is not None and not exposure.is_usable:
        msg += (f'. The header has {exposure.text}, which may be the time of '
                'one exposure or of all: a zero point per second needs '
                f'zeropoint= (that of a second + 2.5 log10 of '
                f'{exposure.seconds:g} or {exposure.other:g})')
    texts = text_zeros(header)
    if texts:
        msg += (f'. The header has {" and ".join(texts)}, which is not used: '
                'it is a text where a number belongs')
    unread = [text for text in unread_keywords(header)
              if text.partition('=')[0] not in timeless
              and text not in texts]
    if unread:
        msg += (f'. The header has {", ".join(unread)}, which is not used: '
                'the keyword is not known, no zero point has this value, or '
                'the unit has none')
    raise ValueError(msg)


def _need_time(unit, header):
    """
    List the zero points per second of a header without an exposure time.
    """
    if not is_counts_like(unit) and unit != u.dimensionless_unscaled:
        return []
    return [zero.keyword for zero in stated_zeros(header, u.ct / u.s)
            if not zero.keyword.startswith('PHOT')]


def refuse_unscaled(header):
    """
    Refuse an image without a pixel scale.

    Parameters
    ----------
    header : mapping
        Header values by upper-case keyword.

    Raises
    ------
    ValueError
        Always; the message has the keyword that may hold the scale.
    """
    msg = ('the image has no pixel scale: give an image with a celestial WCS '
           'or pixel_scale= in arcsec')
    for keyword in _SCALE_KEYWORDS:
        value = header_number(header, keyword)
        if value is not None and value > 0:
            msg += (f' ({keyword}={value:g} of the header does not tell its '
                    f'unit: pixel_scale={value:g} if it is in arcsec)')
            break
    raise ValueError(msg)
