# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Draw galaxies and their residuals for a report.
"""

import ast
import base64
import io
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.nddata import CCDData

from astro_pix2prof.ellipses.geometry import profile_ellipses
from astro_pix2prof.ellipses.model import cutout_model, elliptical_radius
from astro_pix2prof.image.astrometry import celestial_wcs
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.fits import choose_hdu
from astro_pix2prof.image.header import header_wcs
from astro_pix2prof.image.sections import cut_section
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.report.values import _finite, _is_finite, _number, _numbers

__all__ = ['ImageFinder', 'image_options']


# Pixels of a picture at most, and of the part of an image that is compared
# with the model; larger parts are averaged in squares.
_MAX_PICTURE, _MAX_MODEL = 256, 512

# The picture reaches this many last radii from the centre; it has so many
# pixels at least.
_REACH, _MIN_SIDE = 1.15, 25

# Noise at which the colours of a residual end, times its scatter.
_LIMIT = 30.0

# Bytes up to which a file is read as a whole, for galaxies without centre.
_LARGE_FILE = 50_000_000

_FITS_ENDS = ('.fits', '.fit', '.fts', '.fits.gz', '.fits.fz', '.fit.gz')


def image_options(settings):
    """
    Get the extension and the band that a survey read of each file.

    Parameters
    ----------
    settings : dict
        The settings of the survey.

    Returns
    -------
    options : dict
        'hdu' and 'band', `None` if the survey did not name them.
    """
    options = settings.get('options')
    options = options if isinstance(options, dict) else {}
    if settings.get('kind') == 'bands':
        options = options.get(settings.get('reference'), {})
    hdu = options.get('hdu')
    if isinstance(hdu, str) and hdu.startswith('('):
        # a pair of name and version
        hdu = ast.literal_eval(hdu)
    return {'hdu': hdu, 'band': options.get('band')}


class ImageFinder:
    """
    Finds and draws the images of galaxies.

    Parameters
    ----------
    folders : sequence of `~pathlib.Path`, optional
        Where files with relative names may lie; the folder that the
        program runs in is always looked into.

    moved_to : `~pathlib.Path`, optional
        A folder where all files may lie, by their names alone.

    hdu : int, str or tuple, optional
        The extension of the FITS files, by default the one that a fitter
        takes.

    band : int or str, optional
        The band of files with several, by default that of the galaxy.

    source_only : bool, optional
        Whether to look for no other file than 'source': another band has no
        place in the picture.
    """

    def __init__(self, folders=(), moved_to=None, hdu=None, band=None, *,
                 source_only=False):
        self.folders, self.moved_to = list(folders), moved_to
        self.source_only = source_only
        self.hdu, self.band = hdu, band

    def find(self, row):
        """
        Find the file with the image of a galaxy.

        Parameters
        ----------
        row : dict
            The columns of the galaxy: 'source', and any other text that is
            the name of a FITS file.

        Returns
        -------
        path : `~pathlib.Path` or `None`
            The file, `None` if there is none.
        """
        names = [row.get('source') or '']
        if not self.source_only:
            names += [
                value for name, value in row.items() if name != 'source'
                and isinstance(value, str)
                and value.lower().endswith(_FITS_ENDS)]
        for name in names:
            if not name or '\n' in name or '\0' in name:
                continue
            paths = [folder / name for folder in (Path(), *self.folders)]
            if self.moved_to is not None:
                paths = [self.moved_to / name,
                         self.moved_to / Path(name).name, *paths]
            for path in paths:
                try:
                    if path.is_file():
                        return path
                except (OSError, ValueError):
                    # such as a name that is too long
                    continue
        return None

    def draw(self, path, profile):
        """
        Draw a galaxy, its residual, and how the ellipses lie in them.

        Parameters
        ----------
        path : `~pathlib.Path`
            The file.

        profile : `~astropy.table.QTable`
            The profile; an empty one if the galaxy was not measured.

        Returns
        -------
        found : dict
            The entries of a card.
        """
        meta = profile.meta
        failed = not len(profile) or bool(
            meta.get('flag', 0) & GalaxyFlag.FAILED)
        sma = profile['radius'].value
        in_arcsec = profile['radius'].unit == u.arcsec
        if in_arcsec and _is_finite(meta.get('pixel_scale')):
            sma = sma / meta['pixel_scale']
        side = None if failed else max(
            2 * int(np.ceil(_REACH * sma[-1])) + 1, _MIN_SIDE)
        known = side is not None and _is_finite(meta.get('x_centre'))
        if not known and path.stat().st_size > _LARGE_FILE:
            msg = 'a large file, and no centre to show'
            raise ValueError(msg)
        cutout, origin = self._read(path, meta, side if known else None)
        if not known:
            # the whole image, at most a large square around the middle
            side = min(max(cutout.shape), 2048)
        # sides that divide evenly, so that the ellipses lie where they
        # should
        factor = int(np.ceil(side / _MAX_MODEL))
        shrink = int(np.ceil(side / factor / _MAX_PICTURE))
        side = -(-side // (factor * shrink)) * factor * shrink
        cutout = cutout.crop(side)
        noise = _finite(meta.get('noise')) or cutout.background_noise
        pixels = np.where(cutout.mask, np.nan,
                          cutout.data - _finite(meta.get('sky')))
        pixels = _average(pixels, factor)
        found = {'side': side, 'picture': _grey(pixels, noise / factor,
                                                shrink)}
        if not known:
            return found
        sigma = noise if cutout.noise is None else _average(
            np.where(cutout.mask, np.nan, cutout.noise), factor)
        found |= _draw_residual(cutout, pixels, sigma / factor, profile,
                                origin, factor, shrink)
        return found

    def _read(self, path, meta, side):
        """
        Read the part of an image around a galaxy, or all of it.

        Returns the cutout, and the pixel (x, y) of the file that is the
        first of the image that it was made of.
        """
        bands = [self.band]
        if self.band is None and meta.get('band'):
            # a cube: the band of the galaxy is the name of the plane
            bands.append(meta['band'])
        with open_fits(path) as hdulist:
            for band in bands:
                try:
                    return self._cut(hdulist, meta, side, band)
                except ValueError as error:
                    if band == bands[-1]:
                        raise
                    first = error
        raise first

    def _cut(self, hdulist, meta, side, band):
        options = {'hdu': self.hdu, 'band': band, 'calibrated': False}
        if side is None:
            return GalaxyCutout(hdulist, **options), (0, 0)
        position = meta['x_centre'], meta['y_centre']
        chosen = choose_hdu(hdulist, self.hdu, band)
        wcs = celestial_wcs(header_wcs(chosen.header, hdulist))
        if wcs is not None and 'ra' in meta and 'dec' in meta:
            # (the file may be another one of the same galaxy)
            position = SkyCoord(meta['ra'], meta['dec'], unit='deg')
        section, position, origin = cut_section(
            hdulist, position, side, hdu=self.hdu, band=band)
        return GalaxyCutout(section, position=position, **options), origin


def _draw_residual(cutout, pixels, sigma, profile, origin, factor, shrink):
    """
    Draw the image less the model of the profile, in units of the noise.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The part of the image that is shown.

    pixels : 2D `~numpy.ndarray`
        Its pixels without the sky, averaged.

    sigma : float or 2D `~numpy.ndarray`
        Their noise.

    profile : `~astropy.table.QTable`
        The profile.

    origin : tuple of int
        The pixel (x, y) of the file where the image of the cutout begins.

    factor, shrink : int
        The sides of the squares of averaged pixels, and of those of the
        picture.

    Returns
    -------
    found : dict
        The entries of a card.
    """
    meta = profile.meta
    scale = meta.get('pixel_scale') if profile[
        'radius'].unit == u.arcsec else None
    # the profile in averaged pixels
    coarse = profile.copy()
    for k, name in enumerate(('x_centre', 'y_centre')):
        place = meta[name] - origin[k] - cutout.origin[k]
        coarse.meta[name] = (place + 0.5) / factor - 0.5
    if scale is None:
        coarse['radius'] = profile['radius'] / factor
    image = _averaged_cutout(cutout, pixels, profile, scale, factor)
    try:
        centre, sma, eps, theta = profile_ellipses(coarse, image)
    except ValueError:
        return {'theta': [None] * len(profile),
                'note': 'the image has no WCS: isophotes are not drawn'}
    ny, nx = image.shape
    if not (0 <= centre[0] < nx and 0 <= centre[1] < ny):
        msg = 'the centre of the galaxy is outside of the image'
        raise ValueError(msg)
    side = factor * ny
    found = {'x': round(float(centre[0] + 0.5) * factor, 2),
             'y': round(side - float(centre[1] + 0.5) * factor, 2),
             'pixels': _number(1.0 if scale is None else 1.0 / scale, 6),
             'theta': _numbers(theta, 1)}
    model = cutout_model(coarse, image)
    good = np.isfinite(sma + eps + theta)
    inside = elliptical_radius(
        image.shape, centre, sma[good], eps[good],
        np.radians(theta[good])) <= sma[good][-1]
    residual = (pixels - model) / sigma
    part = residual[inside & np.isfinite(residual)]
    scatter = 1.0
    if part.size:
        scatter = 1.4826 * float(np.median(np.abs(part - np.median(part))))
        found['rms'] = _number(scatter, 2)
    # (arms of a bright galaxy are many times the noise: colours as deep as
    # they go everywhere would show nothing)
    found['limit'] = round(_LIMIT * max(scatter, 1.0))
    found['residual'] = _colours(residual, shrink, found['limit'])
    return found


def _averaged_cutout(cutout, pixels, profile, scale, factor):
    """
    Make the cutout of averaged pixels, with the calibration of the profile.
    """
    wcs, meta = cutout.wcs, profile.meta
    unit = u.Unit(meta['unit']) if meta.get('unit') else cutout.unit
    if wcs is not None and factor > 1:
        step = slice(None, None, factor)
        wcs = wcs[step, step]
    options = {'calibrated': False}
    if scale is not None:
        options['pixel_scale'] = factor * scale
        if profile['intensity'].unit != unit:
            options['native_pixel_scale'] = _native_scale(meta, scale)
    image = CCDData(np.nan_to_num(pixels), unit=unit, wcs=wcs,
                    mask=~np.isfinite(pixels))
    return GalaxyCutout(image, **options)


def _native_scale(meta, scale):
    """
    Calculate the size of the pixels that the data refer to, in arcsec.

    It is in the two zero points: that of a pixel, and that of an arcsec2.
    """
    zero, per_area = meta.get('zeropoint'), meta.get('sb_zeropoint')
    if not (_is_finite(zero) and _is_finite(per_area)):
        return scale
    return scale * 10**(-0.2 * (per_area - zero))


def _average(image, factor):
    """
    Calculate the means of squares of pixels; NaN where all of them are.
    """
    if factor == 1:
        return image
    ny, nx = (-(-side // factor) * factor for side in image.shape)
    full = np.full((ny, nx), np.nan)
    full[:image.shape[0], :image.shape[1]] = image
    blocks = full.reshape(ny // factor, factor, nx // factor, factor)
    good = np.isfinite(blocks)
    count = good.sum(axis=(1, 3))
    total = np.where(good, blocks, 0).sum(axis=(1, 3))
    return np.where(count, total / np.maximum(count, 1), np.nan)


def _grey(pixels, noise, factor):
    """
    Draw the picture with an asinh stretch, dark on white.
    """
    pixels, noise = _average(pixels, factor), noise / factor
    good = pixels[np.isfinite(pixels)]
    if not (np.isfinite(noise) and noise > 0):
        noise = max(1e-4 * float(np.ptp(good)) if good.size else 0, 1e-30)
    low = -2 * noise
    high = max(float(np.percentile(good, 99.9)) if good.size else 0.0,
               10 * noise)
    # linear up to a few times the noise, logarithmic above
    shown = np.arcsinh((pixels - low) / (4 * noise)) / np.arcsinh(
        (high - low) / (4 * noise))
    return _jpeg(1 - np.clip(np.nan_to_num(shown), 0, 1), 'gray')


def _colours(residual, factor, limit=_LIMIT):
    """
    Draw the residual from blue (too faint) over white to red.
    """
    residual = np.nan_to_num(_average(residual, factor) * factor)
    # linear up to a tenth of the limit, logarithmic above
    shown = np.arcsinh(10 * residual / limit) / np.arcsinh(10)
    return _jpeg(np.clip(0.5 + 0.5 * shown, 0, 1), 'RdBu_r')


def _jpeg(values, colours):
    """
    Make a data URI of an array between 0 and 1, its first row at the bottom.
    """
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, values, cmap=colours, vmin=0, vmax=1, origin='lower',
           format='jpg', pil_kwargs={'quality': 82})
    return ('data:image/jpeg;base64,'
            + base64.b64encode(file.getvalue()).decode())
