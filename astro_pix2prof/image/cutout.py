# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A galaxy image of any kind, with its noise, mask and calibration.
"""

import copy
from functools import cached_property

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.background.noise import measure_noise
from astro_pix2prof.image.astrometry import (
    celestial_wcs,
    check_inside,
    find_pixel_scale,
    is_inside,
    local_matrix,
    pixel_position,
    pixel_size,
    shift_wcs,
    sky_to_pixel,
)
from astro_pix2prof.image.calibration import (
    choose_unit,
    find_gain,
    find_saturation,
)
from astro_pix2prof.image.planes import clean_planes
from astro_pix2prof.image.reading import read_image
from astro_pix2prof.image.units import is_surface_brightness, positive_number
from astro_pix2prof.image.zeropoint import find_zeropoint

__all__ = ['GalaxyCutout']


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

    pixel_scale : float or `~astropy.units.Quantity`, optional
        The pixel scale in arcsec per pixel, if there is no WCS.

    native_pixel_scale : float or `~astropy.units.Quantity`, optional
        The pixel scale in arcsec of the pixels to which the data values
        refer, for images that were resampled without conserving the flux,
        as the cut-outs of sky viewers are.

    zeropoint : float or `~astropy.units.Quantity`, optional
        The magnitude of one data unit in one pixel (for a unit of surface
        brightness: in mag/arcsec2).

    unit : str or `~astropy.units.Unit`, optional
        The unit of the data, if the image has none.

    gain : float, optional
        Electrons per data unit, for the Poisson noise.

    band : str or int, optional
        The band or plane of a cube; otherwise, the name of the band.

    hdu : int, str or tuple, optional
        The extension of a FITS file, as number, name or (name, version).
        By default, the first 2D image.

    position : tuple of float or `~astropy.coordinates.SkyCoord`, optional
        The position of the galaxy: (x, y) in pixels of the input image, 0
        for the centre of the first pixel, or sky coordinates. By default,
        the position of the `~astropy.nddata.Cutout2D` or the middle.

    size : int, tuple of int or `~astropy.units.Quantity`, optional
        Crop to this size around the position: pixels, (ny, nx) pixels or an
        angle (or two). Pixels beyond the image are masked.

    calibrated : bool, optional
        `False` allows for an image without zero point or pixel scale.

    psf_fwhm : float or `~astropy.units.Quantity`, optional
        The full width at half maximum of the point-spread function in
        arcsec.

    saturation : float, optional
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
        (and ``calibrated`` is `True`), or if options contradict each other.

    TypeError
        If the image or an option is of a kind that is not known.

    Attributes
    ----------
    data : 2D `~numpy.ndarray`
        The pixel values, float32; 0 where masked.

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

    wcs : WCS object or `None`
        The celestial WCS of the cutout.

    pixel_scale : float or `None`
        The pixel scale in arcsec, from the pixel area at the position.

    unit : `~astropy.units.UnitBase`
        The unit of ``data``.

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

    band, name : str or `None`
        As given or as found in the header.

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

    def __init__(self, image, *, mask=None, uncertainty=None, noise=None,
                 invvar=None, bad_bits=None, pixel_scale=None,
                 native_pixel_scale=None, zeropoint=None, unit=None,
                 gain=None, band=None, hdu=None, position=None, size=None,
                 calibrated=True, psf_fwhm=None, saturation=None, name=None,
                 mag_system=None):

        if isinstance(image, GalaxyCutout):
            msg = ('image is a GalaxyCutout already: use its crop method, or '
                   'start again from the image to change its calibration')
            raise TypeError(msg)
        if bad_bits is not None and (isinstance(bad_bits, bool)
                                     or not isinstance(bad_bits,
                                                       (int, np.integer))):
            msg = f'bad_bits must be a whole number, got {bad_bits!r}'
            raise TypeError(msg)

        parts = read_image(image, hdu=hdu, band=band, bad_bits=bad_bits)
        header = parts.header
        self.name = name if name is not None else parts.name
        self.band = parts.band
        self.unit = choose_unit(parts.unit, unit,
                                from_header=parts.unit_from_header)
        sigma = parts.find_sigma(self.unit, uncertainty=uncertainty,
                                 noise=noise, invvar=invvar)
        mask = parts.find_mask(mask, bad_bits=bad_bits)

        wcs = celestial_wcs(parts.wcs)
        shape = parts.data.shape
        x, y = self._find_position(parts, position, wcs, shape)
        matrix = None if wcs is None else local_matrix(wcs, x, y)
        self._matrix = matrix
        self.pixel_scale = find_pixel_scale(
            matrix, positive_number(pixel_scale, 'pixel_scale', u.arcsec))
        if self.pixel_scale is None and calibrated:
            msg = ('the image has no pixel scale: give an image with a '
                   'celestial WCS or pixel_scale= in arcsec')
            raise ValueError(msg)

        self.data, self.mask, self.noise = clean_planes(parts.data, mask,
                                                        sigma)
        self.position = (x, y)
        self.origin = (0, 0)
        self.wcs = wcs
        self._calibrate(native_pixel_scale, zeropoint, mag_system, header,
                        calibrated)

        self.gain = positive_number(gain, 'gain')
        if self.gain is None:
            self.gain = find_gain(self.unit, header)
        self.saturation = positive_number(saturation, 'saturation')
        if self.saturation is None:
            self.saturation = find_saturation(self.unit, header)
        self.psf_fwhm = positive_number(psf_fwhm, 'psf_fwhm', u.arcsec)

        if size is not None:
            self._crop(size)
        _check_usable(self.mask, cropped=size is not None)

    @classmethod
    def from_any(cls, image, **options):
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
        ValueError
            If an option does not go with a `GalaxyCutout`.
        """
        if not isinstance(image, GalaxyCutout):
            return cls(image, **options)
        options = {key: value for key, value in options.items()
                   if value is not None
                   and not (key == 'calibrated' and value is False)
                   and not (key == 'calibrated'
                            and np.isfinite(image.sb_zeropoint))}
        if not options:
            return image
        allowed = {'position', 'size', 'gain', 'psf_fwhm', 'saturation',
                   'name'}
        other = sorted(set(options) - allowed - {'calibrated'})
        if other:
            msg = (f'{", ".join(other)} cannot be changed in a GalaxyCutout: '
                   'start again from the image')
            raise ValueError(msg)
        if 'calibrated' in options:
            msg = ('the GalaxyCutout has no zero point, as it was made with '
                   'calibrated=False: give calibrated=False here too')
            raise ValueError(msg)
        new = copy.copy(image)
        for key, unit in (('gain', None), ('saturation', None),
                          ('psf_fwhm', u.arcsec)):
            if key in options:
                setattr(new, key, positive_number(options[key], key, unit))
        new.name = options.get('name', new.name)
        if 'position' in options:
            position = options['position']
            if isinstance(position, SkyCoord):
                x, y = sky_to_pixel(image.wcs, position)
            else:
                x, y = pixel_position(position)
                x, y = x - image.origin[0], y - image.origin[1]
            check_inside(x, y, image.shape)
            new.position, new.position_given = (x, y), True
            if new.wcs is not None:
                new._matrix = local_matrix(new.wcs, x, y)
        if 'size' in options:
            new._crop(options['size'])
            _check_usable(new.mask, cropped=True)
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
    def shape(self):
        """
        The shape (ny, nx) of the cutout.
        """
        return self.data.shape

    @cached_property
    def background_noise(self):
        """
        The standard deviation of the sky in one pixel, in data units.

        It is measured in a way that galaxies and stars do not raise.
        """
        return measure_noise(self.data, self.mask)

    def crop(self, size):
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
        new._crop(size)
        _check_usable(new.mask, cropped=True)
        return new

    def pixel_to_sky(self, x, y):
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

    def to_sky_pa(self, theta):
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
        theta = np.asarray(theta, dtype=float)
        if self._matrix is None:
            return _fold(theta), 'pixel'
        angle = np.radians(theta)
        east, north = np.tensordot(
            self._matrix, np.array([np.cos(angle), np.sin(angle)]), 1)
        return _fold(np.degrees(np.arctan2(east, north))), 'sky'

    def from_sky_pa(self, pa):
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
        pa = np.asarray(pa, dtype=float)
        if self._matrix is None:
            return _fold(pa)
        angle = np.radians(pa)
        dx, dy = np.tensordot(
            np.linalg.inv(self._matrix),
            np.array([np.sin(angle), np.cos(angle)]), 1)
        return _fold(np.degrees(np.arctan2(dy, dx)))

    def _find_position(self, parts, position, wcs, shape):
        self.position_given = True
        if isinstance(position, SkyCoord):
            x, y = sky_to_pixel(wcs, position)
        elif position is not None:
            x, y = pixel_position(position)
        elif parts.position is not None and is_inside(*parts.position, shape):
            x, y = parts.position
        else:
            self.position_given = False
            x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
        check_inside(x, y, shape)
        return x, y

    def _calibrate(self, native_pixel_scale, zeropoint, mag_system, header,
                   calibrated):
        native = positive_number(native_pixel_scale, 'native_pixel_scale',
                           u.arcsec)
        zero = find_zeropoint(self.unit, zeropoint=zeropoint,
                              mag_system=mag_system, header=header)
        if zero is None and calibrated:
            shown = (f"unit '{self.unit}'"
                     if self.unit != u.dimensionless_unscaled else 'no unit')
            msg = (f'the image has {shown} and no zero point: give unit= (a '
                   "flux unit like 'nmgy', 'Jy' or 'MJy/sr'), zeropoint= "
                   '(the magnitude of one data unit), or calibrated=False '
                   'for a profile without magnitudes')
            if 'PHOTFLAM' in header or 'PHOTMJSR' in header:
                msg += (". PHOTFLAM and PHOTMJSR of the header need a unit "
                        "like 'electron/s' or 'DN/s', or else 'electron' or "
                        "'DN' and an exposure time")
            raise ValueError(msg)

        scale = self.pixel_scale
        self.mag_unit = u.mag
        self.radius_unit = u.pix if scale is None else u.arcsec
        self.radius_scale = 1.0 if scale is None else scale
        if is_surface_brightness(self.unit):
            if native is not None:
                msg = ('native_pixel_scale is for images of flux per pixel, '
                       f"but the unit '{self.unit}' is a surface brightness")
                raise ValueError(msg)
            self.intensity_unit, self.intensity_scale = self.unit, 1.0
        elif scale is None:
            self.intensity_unit = self.unit / u.pix**2
            self.intensity_scale = 1.0
        else:
            self.intensity_unit = self.unit / u.arcsec**2
            self.intensity_scale = 1 / (scale if native is None
                                        else native)**2

        self.sb_zeropoint = self.zeropoint = np.nan
        self.mag_system = '' if zero is None else zero.system
        if zero is None:
            return
        if scale is None:
            self.zeropoint = np.nan if zero.per_area else zero.value
            return
        self.sb_zeropoint = zero.value
        if zero.per_area:
            # the zero point is that of a data unit, not of an intensity
            self.sb_zeropoint += 2.5 * np.log10(self.intensity_scale)
        self.zeropoint = float(
            self.sb_zeropoint
            - 2.5 * np.log10(self.intensity_scale * scale**2))
        self.sb_zeropoint = float(self.sb_zeropoint)

    def _crop(self, size):
        shape = pixel_size(size, self.pixel_scale)
        x, y = self.position
        # the rounding of astropy.nddata.Cutout2D
        x0 = int(np.ceil(x - shape[1] / 2))
        y0 = int(np.ceil(y - shape[0] / 2))

        def window(array, fill):
            new = np.full(shape, fill, dtype=array.dtype)
            ny, nx = array.shape
            inside = (slice(max(y0, 0), min(y0 + shape[0], ny)),
                      slice(max(x0, 0), min(x0 + shape[1], nx)))
            target = tuple(slice(s.start - o, s.stop - o)
                           for s, o in zip(inside, (y0, x0), strict=True))
            new[target] = array[inside]
            return new

        self.__dict__.pop('background_noise', None)
        self.data = window(self.data, 0)
        if self.noise is not None:
            good = self.noise[~self.mask]
            fill = np.median(good) if good.size else 0
            self.noise = window(self.noise, fill)
        self.mask = window(self.mask, True)
        self.position = (x - x0, y - y0)
        self.origin = (self.origin[0] + x0, self.origin[1] + y0)
        self.wcs = shift_wcs(self.wcs, (x0, y0), shape)


def _fold(angle):
    folded = np.mod(angle, 180.0)
    # the modulus of a tiny negative number rounds to 180
    folded = np.where(folded >= 180.0, 0.0, folded)
    return float(folded) if folded.ndim == 0 else folded


def _check_usable(mask, *, cropped):
    if np.all(mask):
        where = ' in the cropped part' if cropped else ''
        msg = (f'the image has no usable pixel{where}: all are masked or '
               'not finite')
        raise ValueError(msg)
