# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
An image that is measured on the ellipses of another band.
"""

from dataclasses import dataclass, field

from astropy.coordinates import SkyCoord
from astropy.table import QTable

from astro_pix2prof.ellipses.given import GEOMETRY_OPTIONS
from astro_pix2prof.fitting.harmonics import HARMONIC_OPTIONS
from astro_pix2prof.fitting.radii import RADII_META, RADIUS_OPTIONS
from astro_pix2prof.image.astrometry import is_inside, sky_to_pixel
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.sections import find_shape

__all__ = ['OF_CALL', 'SAME_SCALE', 'ForcedImage']


# Options of a fitter's call that are none of GalaxyCutout.
OF_CALL = ('n_samples', 'seed', *HARMONIC_OPTIONS)

# Options that the ellipses and the radii of the reference stand in for.
_OF_REFERENCE = ('position', 'initial', *GEOMETRY_OPTIONS, *RADIUS_OPTIONS)

# Pixels without a WCS are the same if their scales are within this part of
# each other.
SAME_SCALE = 0.02


@dataclass
class ForcedImage:
    """
    An image of another band, to measure where the reference has the galaxy.

    Attributes
    ----------
    image : image of any kind
        The image, as `GalaxyCutout` takes it.

    options : dict
        The options of this image, those of the call among them.

    shape : `~astropy.table.QTable`
        The profile of the reference band.

    given_radii : bool or `None`
        Whether the radii of the reference are those that the user chose; by
        default, its meta tells.

    reference : image of any kind or tuple of int, optional
        The image of the reference or its shape (ny, nx), of which the
        profile has the pixels. By default, it is not known.

    reference_options : dict, optional
        The options ``hdu`` and ``band`` of that image.

    grid : tuple of int, optional
        The shape (ny, nx) of the file, where ``image`` is only a part of it
        and the profile has the pixels of that part. By default, that of
        ``image``.
    """

    image: object
    options: dict
    shape: QTable
    given_radii: bool | None = None
    reference: object = None
    reference_options: dict = field(default_factory=dict)
    grid: tuple | None = None

    @property
    def call(self):
        """
        The options of the fitter's call (dict).
        """
        call = {name: self.options[name] for name in OF_CALL
                if name in self.options}
        given = self.given_radii
        if given is None:
            given = RADII_META.items() <= self.shape.meta.items()
        if given:
            # (in the unit of the sky: the pixels of bands may differ)
            call['radii'] = self.shape['radius']
        return {'geometry': self.shape, **call}

    def read(self):
        """
        Read the image, and place the galaxy where the reference has it.

        Returns
        -------
        cutout : `GalaxyCutout`

        Raises
        ------
        ValueError
            If this image or the reference has no WCS, and their pixels
            differ.
        """
        own = {name: value for name, value in self.options.items()
               if name not in (*_OF_REFERENCE, *OF_CALL, 'size')}
        cutout = GalaxyCutout.from_any(self.image, **own)
        meta = self.shape.meta
        position = meta['x_centre'], meta['y_centre']
        if cutout.wcs is not None and 'ra' in meta:
            position = SkyCoord(meta['ra'], meta['dec'], unit='deg')
            _check_sky(cutout, position)
        else:
            self._check_pixels(cutout)
        # The galaxy is where the reference has it, on whatever pixels.
        return GalaxyCutout.from_any(cutout, position=position,
                                     size=self.options.get('size'))

    def _check_pixels(self, cutout):
        """
        Check that the pixels of the reference are those of this image.
        """
        which = [name for name, has in (
            ('the image', cutout.wcs is not None),
            ('the reference', 'ra' in self.shape.meta)) if not has]
        known = (self.reference if isinstance(self.reference, tuple)
                 else find_shape(self.reference, **{
                     name: self.reference_options.get(name)
                     for name in ('hdu', 'band')}))
        grid = self.grid or cutout.input_shape
        if known is not None and tuple(known) != tuple(grid):
            msg = (f'there is no WCS of {" and of ".join(which)}, so that '
                   'both must have the same pixels, but the shape of the '
                   f'image is {tuple(grid)} and that of the reference '
                   f'{tuple(known)}: give images with a WCS, or of one shape')
            raise ValueError(msg)
        scale = self.shape.meta.get('pixel_scale')
        if scale and cutout.pixel_scale and (
                abs(cutout.pixel_scale / scale - 1) > SAME_SCALE):
            msg = (f'there is no WCS of {" and of ".join(which)}, so that '
                   'both must have the same pixels, but the pixel scale of '
                   f'the image is {cutout.pixel_scale:.4g} arcsec and that of '
                   f'the reference {scale:.4g}: give images with a WCS')
            raise ValueError(msg)


def _check_sky(cutout, position):
    """
    Refuse an image of another part of the sky.
    """
    if not is_inside(*sky_to_pixel(cutout.wcs, position), cutout.shape):
        ny, nx = cutout.shape
        msg = (f'the galaxy of the reference, at {position.ra.deg:.5f}d '
               f'{position.dec.deg:.5f}d, is outside of the image, which has '
               f'{nx} x {ny} pixels: give images of one galaxy')
        raise ValueError(msg)
