# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pictures of galaxies and models in a report.
"""

import base64
import io
from pathlib import Path

import numpy as np

from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.report.values import _finite, _is_finite, _number, _numbers

__all__ = []


# Pixels of a picture at most, and of the part of an image that is compared
# with the model; larger parts are averaged in squares.
_MAX_PICTURE, _MAX_MODEL = 256, 512

# The picture reaches this many last radii from the centre.
_REACH = 1.15

# Bytes from which only the part of a file that is shown is read.
_LARGE_FILE = 50_000_000

_FITS_ENDS = ('.fits', '.fit', '.fts', '.fits.gz', '.fits.fz', '.fit.gz')


def find_image(row, folders=(), moved_to=None):
    """
    The file with the image of a galaxy.

    Parameters
    ----------
    row : dict
        The columns of the galaxy: 'source', and any other text that is the
        name of a FITS file.

    folders : sequence of `~pathlib.Path`, optional
        Where files with relative names may lie; the folder that the
        program runs in is always looked into.

    moved_to : `~pathlib.Path`, optional
        A folder where all files may lie, by their names alone.

    Returns
    -------
    path : `~pathlib.Path` or `None`
    """
    names = [row.get('source') or ''] + [
        value for name, value in row.items() if name != 'source'
        and isinstance(value, str) and value.lower().endswith(_FITS_ENDS)]
    for name in names:
        if not name or '\n' in name or '\0' in name:
            continue
        paths = [folder / name for folder in (Path(), *folders)]
        if moved_to is not None:
            paths = [moved_to / name, moved_to / Path(name).name, *paths]
        for path in paths:
            try:
                if path.is_file():
                    return path
            except OSError:
                # such as a name that is too long
                continue
    return None


def _pictures(path, row, rings, hdu):
    """
    The picture, the residual and how the ellipses lie in them.
    """
    radius = rings.get('radius', np.zeros(0))
    scale = row.get('pixel_scale')
    in_arcsec = row.get('radius_unit') == 'arcsec'
    sma = radius / scale if in_arcsec and scale else radius
    failed = bool((row.get('flag') or 0) & GalaxyFlag.FAILED) or not len(sma)
    n = None if failed else max(2 * int(np.ceil(_REACH * sma[-1])) + 1, 25)
    cutout, centre = _read(path, row, n, hdu)
    if n is None or centre is None:
        # the whole image, at most a large square around the middle
        n = min(max(cutout.shape), 2048)
    # sides that divide evenly, so that the ellipses lie where they should
    factor = int(np.ceil(n / _MAX_MODEL))
    shrink = int(np.ceil(n / factor / _MAX_PICTURE))
    n = -(-n // (factor * shrink)) * factor * shrink
    cutout = cutout.crop(n)
    if centre is not None:
        centre = cutout.position
    sky = _finite(row.get('sky'))
    noise = _finite(row.get('noise')) or cutout.background_noise
    pixels = np.where(cutout.mask, np.nan, cutout.data - sky)
    theta = (cutout.from_sky_pa(rings['pa'])
             if row.get('pa_frame') == 'sky' and cutout.wcs is not None
             else rings.get('pa'))
    pixels = _average(pixels, factor)
    found = {'side': n, 'picture': _grey(pixels, noise / factor, shrink)}
    if failed or centre is None:
        return found
    x, y = centre
    found |= {'x': round(x + 0.5, 2), 'y': round(n - 0.5 - y, 2),
              'pixels': _number(1.0 / scale if in_arcsec and scale else 1.0,
                                6),
              'theta': _numbers(theta, 1)}
    if row.get('pa_frame') == 'sky' and cutout.wcs is None:
        found['theta'] = [None] * len(sma)
        found['note'] = 'the image has no WCS: isophotes are not drawn'
        return found
    sigma = noise if cutout.noise is None else _average(
        np.where(cutout.mask, np.nan, cutout.noise), factor)
    model, inside = _model(row, rings, sma / factor, theta, pixels.shape,
                           ((x + 0.5) / factor - 0.5,
                            (y + 0.5) / factor - 0.5))
    residual = (pixels - model) / (sigma / factor)
    part = residual[inside & np.isfinite(residual)]
    if part.size:
        found['rms'] = _number(1.4826 * np.median(np.abs(
            part - np.median(part))), 2)
    found['residual'] = _colours(residual, shrink)
    return found


def _read(path, row, size, hdu):
    """
    The part of an image around a galaxy, or all of it; and the centre.
    """
    from astro_pix2prof.image.cutout import GalaxyCutout

    x, y = _finite(row.get('x_centre')), _finite(row.get('y_centre'))
    known = _is_finite(row.get('x_centre')) and size is not None
    origin, image, options = (0, 0), path, {'calibrated': False, 'hdu': hdu}
    if Path(path).stat().st_size > _LARGE_FILE:
        if not known:
            msg = 'a large file, and no centre to show'
            raise ValueError(msg)
        origin = tuple(max(int(c) - size, 0) for c in (x, y))
        image = _section(path, origin, (int(x) + size, int(y) + size), hdu)
        options = {'calibrated': False}
    try:
        cutout = GalaxyCutout(image, **options)
    except ValueError:
        # a cube: the band says which plane
        cutout = GalaxyCutout(image, band=row.get('band') or 0, **options)
    if not known:
        return cutout, None
    centre = _centre(cutout, row, origin)
    nx, ny = cutout.shape[::-1]
    if not (0 <= centre[0] < nx and 0 <= centre[1] < ny):
        msg = 'the centre of the galaxy is outside of the image'
        raise ValueError(msg)
    return GalaxyCutout.from_any(cutout, position=centre,
                                 calibrated=False), centre


def _section(path, first, last, hdu):
    """
    A part of a large image, as an HDU: from pixel (x, y) to another.
    """
    from astropy.io import fits

    with fits.open(path) as hdus:
        whole = hdus[hdu] if hdu is not None else next(
            (item for item in hdus
             if item.is_image and len(item.shape) == 2), None)
        if whole is None or len(whole.shape) != 2:
            msg = 'the file holds no 2D image'
            raise ValueError(msg)
        header = whole.header.copy()
        for axis, start in zip('12', first, strict=True):
            if f'CRPIX{axis}' in header:
                header[f'CRPIX{axis}'] -= start
        return fits.ImageHDU(np.array(whole.section[
            first[1]:last[1], first[0]:last[0]]), header)


def _centre(cutout, row, origin):
    """
    The centre of the galaxy in pixels of what was read.
    """
    if (cutout.wcs is not None and _is_finite(row.get('ra'))
            and _is_finite(row.get('dec'))):
        from astropy.coordinates import SkyCoord

        from astro_pix2prof.image.astrometry import sky_to_pixel

        return sky_to_pixel(cutout.wcs, SkyCoord(row['ra'], row['dec'],
                                                 unit='deg'))
    return tuple(row[name] - origin[k] for k, name
                 in enumerate(('x_centre', 'y_centre')))


def _model(row, rings, sma, theta, shape, centre):
    """
    The model in the unit of the image, and the pixels within its end.
    """
    from astro_pix2prof.ellipses.model import ellipse_model, elliptical_radius

    value = rings['intensity'] / _intensity_scale(row)
    good = np.isfinite(value + sma + theta + rings['ellipticity'])
    if np.count_nonzero(good) < 2:
        msg = 'fewer than two rings with an intensity'
        raise ValueError(msg)
    ellipses = (sma[good], rings['ellipticity'][good],
                np.radians(np.asarray(theta)[good]))
    model = ellipse_model(shape, centre, *ellipses, value[good])
    inside = elliptical_radius(shape, centre, *ellipses) <= sma[good][-1]
    return model, inside


def _intensity_scale(row):
    """
    What turns the value of a pixel into an intensity.
    """
    if row.get('intensity_unit') == row.get('unit') and row.get('unit'):
        return 1.0
    scale = row.get('pixel_scale')
    if row.get('radius_unit') != 'arcsec' or not _is_finite(scale):
        return 1.0
    if (_is_finite(row.get('sb_zeropoint'))
            and _is_finite(row.get('zeropoint'))):
        return 10**(0.4 * (row['sb_zeropoint']
                           - row['zeropoint'])) / scale**2
    return 1 / scale**2


def _average(image, factor):
    """
    Means of squares of pixels; NaN where all of them are.
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
    The picture with an asinh stretch, dark on white.
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


def _colours(residual, factor, limit=30.0):
    """
    The residual from blue (too faint) over white to red, in asinh steps.
    """
    residual = np.nan_to_num(_average(residual, factor) * factor)
    shown = np.arcsinh(residual / 3) / np.arcsinh(limit / 3)
    return _jpeg(np.clip(0.5 + 0.5 * shown, 0, 1), 'RdBu_r')


def _jpeg(values, colours):
    """
    A data URI of an array between 0 and 1, its first row at the bottom.
    """
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, values, cmap=colours, vmin=0, vmax=1, origin='lower',
           format='jpg', pil_kwargs={'quality': 82})
    return ('data:image/jpeg;base64,'
            + base64.b64encode(file.getvalue()).decode())
