# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A galaxy image of any kind, with its noise, mask and calibration.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.arguments import (
    check_flag,
    check_integer,
    check_options,
    check_positive,
    check_text,
    named_options,
    option_names,
)
from astro_pix2prof.background.noise import measure_noise
from astro_pix2prof.image import double_reads
from astro_pix2prof.image.astrometry import (
    check_inside,
    find_pixel_scale,
    image_to_sky_angle,
    local_matrix,
    pixel_to_icrs,
    sky_to_image_angle,
    sky_to_pixel,
)
from astro_pix2prof.image.calibration import (
    check_brightness,
    choose_unit,
    find_calibration,
    find_gain,
    find_saturation,
    given_fwhm,
    given_gain,
    given_saturation,
    refuse_unscaled,
)
from astro_pix2prof.image.contradictions import warn_contradictions
from astro_pix2prof.image.cropping import check_usable, crop_cutout
from astro_pix2prof.image.packing import pack_wcs, unpack_wcs
from astro_pix2prof.image.pictures import place_of_defects
from astro_pix2prof.image.planes import clean_planes, data_scale
from astro_pix2prof.image.position import find_place, read_position
from astro_pix2prof.image.precision import near_zero
from astro_pix2prof.image.reading import read_background, read_image

if TYPE_CHECKING:
    from typing import Any, Literal

    from astropy.nddata import NDUncertainty
    from astropy.units import Quantity, UnitBase
    from numpy.typing import ArrayLike

    from astro_pix2prof.typing import ImageLike, PathLike

__all__ = ['GalaxyCutout']


# What a pixel scale is given in
_SCALE = (u.arcsec, u.arcsec / u.pix)


class GalaxyCutout:
    """
    A galaxy image, ready to be measured.

    Every fitter begins by making one of these from whatever image it was
    given.

    Parameters
    ----------
    image : image of any kind
        A `~astropy.nddata.CCDData` or other `~astropy.nddata.NDData`, a
        `~astropy.nddata.Cutout2D`, a `~astropy.units.Quantity`, an array
        (masked arrays too), an HDU or `~astropy.io.fits.HDUList` of
        `astropy.io.fits`, or the path of a FITS file. For cubes see
        ``band``.

    mask : 2D array_like, optional
        `True` for pixels not to use, or integer bit flags (``bad_bits``).
        It is combined with the mask of the image.

    uncertainty : `~astropy.nddata.NDUncertainty` or 2D array_like, optional
        The uncertainty of the pixels; plain arrays are standard deviations.

    noise : float, 2D array_like or `~astropy.units.Quantity`, optional
        The standard deviation of the pixels, in the unit of the image.

    invvar : 2D array_like or `~astropy.units.Quantity`, optional
        The inverse variance of the pixels.

    bad_bits : int, optional
        The bits of integer masks that reject a pixel. By default, every bit
        does.

    background : 2D array_like, float, `~astropy.units.Quantity`, HDU or \
path, optional
        The sky, in the unit of the image: a map or one level, which is
        subtracted. Not-a-number masks a pixel.

    pixel_scale : float or `~astropy.units.Quantity`, optional
        The pixel scale in arcsec per pixel, if there is no WCS or if it is
        wrong. Where the WCS gives no coordinates at all, it is left aside
        then, and angles are those in the image.

    native_pixel_scale : float or `~astropy.units.Quantity`, optional
        The pixel scale in arcsec of the pixels to which the data values
        refer, for images that were resampled without conserving the flux,
        as the cut-outs of sky viewers are.

    zeropoint : float or `~astropy.units.Quantity`, optional
        The magnitude of one data unit in one pixel (for a unit of surface
        brightness: in mag/arcsec2).

    unit : str or `~astropy.units.Unit`, optional
        The unit of the data, if the image has none.

    gain : float or `~astropy.units.Quantity`, optional
        Electrons per data unit, for the Poisson noise.

    band : str or int, optional
        The band or plane of a cube; otherwise, the name of the band.

    hdu : int, str or tuple, optional
        The extension of a FITS file, as number, name or (name, version).
        By default, the first 2D image.

    position : tuple, `~astropy.coordinates.SkyCoord` or str, optional
        The position of the galaxy: (x, y) in pixels of the input image, 0
        for the centre of the first pixel; or sky coordinates, as a
        `~astropy.coordinates.SkyCoord`, two angles (right ascension and
        declination, ICRS) or a text such as '12h34m56s +41d16m' or
        '184.7 12.4' (degrees). By default, the position of the
        `~astropy.nddata.Cutout2D` or the middle.

    size : int, tuple of int, `~astropy.units.Quantity` or str, optional
        Crop to this size around the position: pixels, (ny, nx) pixels or an
        angle (or two), at most four times the frame (or 1024 pixels). Pixels
        beyond the image are masked.

    calibrated : bool, optional
        `False` allows for an image without zero point or pixel scale.

    psf_fwhm : float or `~astropy.units.Quantity`, optional
        The full width at half maximum of the point-spread function in
        arcsec, or a quantity in pixels.

    saturation : float or `~astropy.units.Quantity`, optional
        The level, in data units, from which pixels are saturated.

    name : str, optional
        The name of the galaxy. By default, the header's ``OBJECT`` or the
        name of the file.

    mag_system : {'AB', 'ST', 'Vega'}, optional
        The system of ``zeropoint`` or of the header's zero point. By
        default, what the header says or AB.

    Raises
    ------
    ValueError
        If the image is not a 2D numeric image with a usable pixel, if the
        position is outside of it, if it has no zero point or no pixel scale
        (and ``calibrated`` is `True`), if its WCS is broken and no pixel
        scale is given, or if options contradict each other.

    TypeError
        If the image or an option is of a kind that is not known.

    OSError
        If a file cannot be read.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If parts of the image contradict each other or cannot be used: see
        the guide to images.

    Attributes
    ----------
    data : 2D `~numpy.ndarray`
        The pixel values without the background that was given, 0 where
        masked: float32, or float64 on a large constant.

    mask : 2D `~numpy.ndarray` of bool
        `True` for pixels not to use, those of areas that were filled with a
        constant included.

    noise : 2D `~numpy.ndarray` or `None`
        The standard deviation of every pixel, float32; the median where
        masked. `None` if the image has no uncertainty.

    position : tuple of float
        The (x, y) position of the galaxy in pixels of the cutout.

    position_given : bool
        Whether the position was given, or is only the middle.

    origin : tuple of int
        The (x, y) pixel of the input image that is pixel (0, 0) here.

    input_shape : tuple of int
        The shape (ny, nx) of the input image.

    wcs : WCS object or `None`
        The celestial WCS of the cutout.

    pixel_scale : float or `None`
        The pixel scale in arcsec, from the pixel area at the position.

    background : 2D `~numpy.ndarray`, float or `None`
        The background that was given and subtracted, in ``unit``.

    background_level : float
        Its mean over the usable pixels; 0 if there is none.

    unit : `~astropy.units.UnitBase`
        The unit of ``data``. For values below 1e-15 or above 1e15, which
        float32 cannot square, it is a power of ten of the image's unit.

    intensity_unit : `~astropy.units.UnitBase`
        The unit of the intensities in a profile.

    intensity_scale : float
        The intensity of a pixel is ``data * intensity_scale``.

    sb_zeropoint : float
        The surface brightness in mag/arcsec2 of one unit of intensity;
        not-a-number if not calibrated.

    zeropoint : float
        The magnitude of one data unit in one pixel; not-a-number if not
        calibrated.

    mag_system : {'AB', 'ST', 'Vega', ''}
        The magnitude system; empty if not calibrated.

    mag_unit : `~astropy.units.UnitBase`
        The unit of magnitudes, ``mag``.

    radius_unit : `~astropy.units.UnitBase`
        arcsec, or pixels without a pixel scale.

    radius_scale : float
        The size of a pixel in ``radius_unit``.

    gain, saturation, psf_fwhm : float or `None`
        As given or, for ``gain`` and ``saturation``, as found in the header.

    band, name, stem : str or `None`
        As given or as in the header; the name of the file without its ending.

    double_reads : list of tuple of 2 ints
        The axis and number, in the whole image, of lines that were read twice.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.cutout import GalaxyCutout
    >>> rng = np.random.default_rng(0)
    >>> image = rng.normal(0.0, 0.02, (128, 128))
    >>> GalaxyCutout(image, unit='nanomaggies', pixel_scale=0.396)
    <GalaxyCutout: 128 x 128 pixels of 0.396 arcsec, unit nmgy, zero point \
22.500 AB, 0 masked>
    """

    # (those of `Calibration`)
    intensity_unit: UnitBase
    intensity_scale: float
    radius_unit: UnitBase
    radius_scale: float
    zeropoint: float
    sb_zeropoint: float
    mag_system: str
    mag_unit: UnitBase

    @named_options
    def __init__(
            self, image: ImageLike, *, mask: ArrayLike | None = None,
            uncertainty: NDUncertainty | ArrayLike | None = None,
            noise: float | ArrayLike | Quantity | None = None,
            invvar: ArrayLike | Quantity | None = None,
            bad_bits: int | None = None,
            background: ArrayLike | Quantity | PathLike | Any | None = None,
            pixel_scale: float | Quantity | None = None,
            native_pixel_scale: float | Quantity | None = None,
            zeropoint: float | Quantity | None = None,
            unit: str | UnitBase | None = None,
            gain: float | Quantity | None = None,
            band: str | int | None = None,
            hdu: int | str | tuple[str, int] | None = None,
            position: tuple[float, float] | SkyCoord | str | None = None,
            size: int | tuple[int, int] | Quantity | str | None = None,
            calibrated: bool = True, psf_fwhm: float | Quantity | None = None,
            saturation: float | Quantity | None = None,
            name: str | None = None,
            mag_system: Literal['AB', 'ST', 'Vega'] | None = None) -> None:
        if isinstance(image, GalaxyCutout):
            msg = ('image is a GalaxyCutout already: use its crop method, or '
                   'start again from the image to change its calibration')
            raise TypeError(msg)
        calibrated = check_flag(calibrated, 'calibrated')
        bad_bits = check_integer(bad_bits, 'bad_bits', least=0,
                                 most=2**64 - 1, optional=True)
        name = check_text(name, 'name', optional=True)
        pixel_scale, native_pixel_scale = (
            check_positive(value, option, unit=_SCALE, optional=True)
            for option, value in {
                'pixel_scale': pixel_scale,
                'native_pixel_scale': native_pixel_scale}.items())

        parts = read_image(image, hdu=hdu, band=band, bad_bits=bad_bits)
        header = parts.header
        self.name = name if name is not None else parts.name
        self.band, self.stem = parts.band, parts.stem
        given = unit is not None
        unit = choose_unit(
            parts.unit, unit, from_header=parts.unit_from_header)
        sigma = parts.find_sigma(unit, uncertainty=uncertainty,
                                 noise=noise, invvar=invvar)
        mask = parts.find_mask(mask, bad_bits=bad_bits)
        if background is not None:
            background = read_background(background, unit, parts.select)
        place = find_place(parts.wcs, position, parts.data.shape,
                           default=parts.position, pixel_scale=pixel_scale,
                           calibrated=calibrated)
        self.wcs, self._matrix = place.wcs, place.matrix
        self.position, self.origin = place.position, (0, 0)
        self.position_given = place.given
        self.pixel_scale = find_pixel_scale(place.matrix, pixel_scale)
        if self.pixel_scale is None and calibrated:
            refuse_unscaled(header)
        self.gain = given_gain(gain, unit) or find_gain(unit, header)
        self.saturation = given_saturation(saturation, unit)
        if self.saturation is None:
            self.saturation = find_saturation(unit, header, parts.data, mask)
        self.psf_fwhm = given_fwhm(psf_fwhm, self.pixel_scale)

        self._data_scale = scale = data_scale(parts.data, mask)
        calibration = find_calibration(
            unit, header, pixel_scale=self.pixel_scale,
            native_pixel_scale=native_pixel_scale, zeropoint=zeropoint,
            mag_system=mag_system, calibrated=calibrated, data_scale=scale)
        vars(self).update(vars(calibration))  # intensity_unit and others
        self.unit = unit if scale == 1 else u.Unit(scale * unit)
        if self.gain is not None:
            self.gain *= scale
        if self.saturation is not None:
            self.saturation /= scale
        self.background = None if background is None else background / scale
        self.double_reads = double_reads.find_double_reads(
            parts.data, self.position, mask)
        self.data, self.mask, self.noise = clean_planes(
            parts.data, mask, sigma, background=background, scale=scale,
            position=place_of_defects(image, self.position))
        self.input_shape = self.data.shape
        if zeropoint is None and parts.unit_from_header and not given:
            check_brightness(calibration, np.max(
                self.data, where=~self.mask, initial=-np.inf), self.unit)
        if size is not None:
            crop_cutout(self, size)
        check_usable(self.mask, cropped=size is not None, given=mask,
                     position=self.position, origin=self.origin)
        warn_contradictions(self, gain=gain, psf_fwhm=psf_fwhm)

    def __copy__(self):
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        return new

    def __getstate__(self):
        return {**vars(self), 'wcs': pack_wcs(self.wcs)}

    def __setstate__(self, state):
        vars(self).update(state)
        self.wcs = unpack_wcs(self.wcs)

    @classmethod
    def from_any(cls, image: ImageLike, **options: Any) -> GalaxyCutout:
        """
        Make a cutout of any image.

        Parameters
        ----------
        image : image of any kind
            As for `GalaxyCutout`, or a `GalaxyCutout`.

        **options
            The options of `GalaxyCutout`. For an image that is a
            `GalaxyCutout`, only ``position`` (in pixels of its input image
            or on the sky), ``size`` and what does not change the pixels
            (``gain``, ``psf_fwhm``, ``saturation``, ``name``) may be given.

        Returns
        -------
        cutout : `GalaxyCutout`
            The cutout; ``image`` itself if it is one and no option is given.

        Raises
        ------
        TypeError
            If an option does not exist.

        ValueError
            If an option does not go with a `GalaxyCutout`, or as for
            `GalaxyCutout`.
        """
        check_options(options, option_names(cls), 'GalaxyCutout')
        if not isinstance(image, GalaxyCutout):
            return cls(image, **options)
        calibrated = check_flag(options.pop('calibrated', False),
                                'calibrated')
        options = {key: value for key, value in options.items()
                   if value is not None}
        if calibrated and not np.isfinite(image.sb_zeropoint):
            msg = ('the GalaxyCutout has no zero point, as it was made with '
                   'calibrated=False: give calibrated=False here too')
            raise ValueError(msg)
        if not options:
            return image
        other = sorted(set(options) - {'position', 'size', 'gain',
                                       'psf_fwhm', 'saturation', 'name'})
        if other:
            msg = (f'{", ".join(other)} cannot be changed in a GalaxyCutout: '
                   'start again from the image')
            raise ValueError(msg)
        new = copy.copy(image)
        unit = u.Unit(image.unit / image._data_scale)
        if 'gain' in options:
            new.gain = given_gain(options['gain'], unit) * image._data_scale
        if 'saturation' in options:
            new.saturation = given_saturation(
                options['saturation'], unit) / image._data_scale
        new.psf_fwhm = given_fwhm(options.get(
            'psf_fwhm'), image.pixel_scale) or image.psf_fwhm
        new.name = check_text(options.get('name', new.name), 'name',
                              optional=True)
        if 'position' in options:
            position = read_position(options['position'])
            if isinstance(position, SkyCoord):
                x, y = sky_to_pixel(image.wcs, position)
            else:
                x, y = (value - first for value, first
                        in zip(position, image.origin, strict=True))
            check_inside(x, y, image.shape, image.wcs, position)
            new.position, new.position_given = (x, y), True
            new.double_reads = double_reads.move_double_reads(image, (x, y))
            if new.wcs is not None:
                new._matrix = local_matrix(new.wcs, x, y)
        if 'size' in options:
            crop_cutout(new, options['size'])
            check_usable(new.mask, cropped=True)
        warn_contradictions(new, **options)
        return new

    def __repr__(self):
        ny, nx = self.shape
        text = f'{nx} x {ny} pixels'
        if self.pixel_scale is not None:
            text += f' of {self.pixel_scale:.4g} arcsec'
        if self.unit != u.dimensionless_unscaled:
            text += f', unit {self.unit}'
        if np.isfinite(self.zeropoint):
            text += f', zero point {self.zeropoint:.3f} {self.mag_system}'
        else:
            text += ', not calibrated'
        if self.band is not None:
            text += f', band {self.band}'
        name = '' if self.name is None else f' {self.name!r}'
        return (f'<{type(self).__name__}{name}: {text}, '
                f'{np.count_nonzero(self.mask)} masked>')

    @property
    def shape(self) -> tuple[int, int]:
        """
        The shape (ny, nx) of the cutout.
        """
        return self.data.shape

    @cached_property
    def background_noise(self) -> float:
        """
        The noise of a sky pixel in data units, not raised by galaxies.
        """
        return measure_noise(near_zero(self.data, self.mask), self.mask)

    @cached_property
    def background_level(self) -> float:
        """
        The mean of the background that was subtracted, in data units.
        """
        if self.background is None:
            return 0.0
        used = np.broadcast_to(self.background, self.shape)[~self.mask]
        return float(np.mean(used, dtype=float))

    def crop(self, size: int | tuple[int, int] | Quantity) -> GalaxyCutout:
        """
        Crop around the position.

        Parameters
        ----------
        size : int, tuple of int or `~astropy.units.Quantity`
            The new size: pixels, (ny, nx) pixels or an angle (or two).

        Returns
        -------
        cutout : `GalaxyCutout`
            A new cutout of exactly this size. Pixels beyond the edge of the
            old one are masked.
        """
        new = copy.copy(self)
        crop_cutout(new, size)
        check_usable(new.mask, cropped=True)
        return new

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> SkyCoord | None:
        """
        Find the sky coordinates of pixel positions.

        Parameters
        ----------
        x, y : float or array_like
            Positions in pixels of the cutout.

        Returns
        -------
        coord : `~astropy.coordinates.SkyCoord` or `None`
            The coordinates, `None` if there is no WCS.
        """
        if self.wcs is None:
            return None
        return self.wcs.pixel_to_world(x, y)

    def sky_position(self, x: float, y: float) -> tuple[float, float]:
        """
        Calculate right ascension and declination of a pixel position.

        Parameters
        ----------
        x, y : float
            The position in pixels of the cutout.

        Returns
        -------
        ra, dec : float
            In degrees (ICRS); not-a-number if there is no WCS.
        """
        if self.wcs is None:
            return np.nan, np.nan
        ra, dec = pixel_to_icrs(self.wcs, x, y)
        return float(ra), float(dec)

    def to_sky_pa(self, theta: ArrayLike) -> tuple[Any, str]:
        """
        Turn angles in the image into position angles.

        Parameters
        ----------
        theta : float or array_like
            Angles in degrees, counter-clockwise from the +x axis.

        Returns
        -------
        pa : float or `~numpy.ndarray`
            Position angles in degrees from 0 to 180. Distortion, rotation
            and parity at the position are accounted for.

        frame : {'sky', 'pixel'}
            'sky' if ``pa`` is east of north (ICRS), 'pixel' if there is no
            WCS and ``pa`` is ``theta`` modulo 180.
        """
        frame = 'pixel' if self._matrix is None else 'sky'
        return image_to_sky_angle(self._matrix, theta), frame

    def from_sky_pa(self, pa: ArrayLike) -> float | np.ndarray:
        """
        Turn position angles into angles in the image.

        Parameters
        ----------
        pa : float or array_like
            Position angles in degrees, as `to_sky_pa` gives them.

        Returns
        -------
        theta : float or `~numpy.ndarray`
            Angles in degrees from 0 to 180, counter-clockwise from the +x
            axis.
        """
        return sky_to_image_angle(self._matrix, pa)
