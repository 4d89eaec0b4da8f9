# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Add galaxies of known profiles to images, to see what a fitter recovers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.modeling import CompoundModel, Fittable2DModel
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from astropy.wcs import WCS
from numpy.polynomial.legendre import leggauss
from scipy.ndimage import shift
from scipy.signal import fftconvolve

from astro_pix2prof.arguments import check_flag
from astro_pix2prof.ellipses.geometry import profile_ellipses
from astro_pix2prof.ellipses.model import ring_model
from astro_pix2prof.image.copying import image_header
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.units import (
    is_counts_like,
    is_rate,
    is_surface_brightness,
)
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.psf.model import PSF

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from astropy.coordinates import SkyCoord
    from astropy.table import QTable
    from numpy.typing import ArrayLike

    from astro_pix2prof.typing import ImageLike, PSFLike

__all__ = ['inject']


# Points on a side of a pixel, of which the pixel of a model is the mean.
_OVERSAMPLING = 5

# Cells closer to the centre of a model than this multiple of their side are
# divided, so many times: then they have no light that counts, even of a Sersic
# law of index 10.
_CUSP, _DIVISIONS = 2.5, 20


def inject(galaxy: QTable | ArrayLike | Callable[..., Any], image: ImageLike,
           *, position: tuple[float, float] | SkyCoord | str | None = None,
           psf: PSFLike | None = None, noise: bool = False,
           gain: float | None = None,
           seed: int | np.random.Generator | None = None,
           **options: Any) -> CCDData:
    """
    Add a galaxy to an image.

    The fit of the result is compared with the galaxy that was put in:
    injection and recovery.

    Parameters
    ----------
    galaxy : profile, 2D model or 2D array
        The galaxy, without sky:

        * A profile (a `~astropy.table.QTable` of this package). Its
          magnitudes, its position angles on the sky and its radii in arcsec
          are kept, so that it may come from another image; beyond the last
          ring there is no light.
        * A two-dimensional model of `astropy.modeling`, such as
          `~astropy.modeling.functional_models.Sersic2D`, in data units and
          pixels, with parameters ``x_0`` and ``y_0`` (or ``x_mean`` and
          ``y_mean``), which ``position`` replaces.
        * An array in data units, such as a rendered galaxy; its middle comes
          to lie at ``position``.

    image : image of any kind
        The image: see `~astro_pix2prof.GalaxyCutout`.

    position : optional
        The centre, as for `~astro_pix2prof.GalaxyCutout`: pixels (x, y) or a
        position on the sky. By default, that of the cutout, which is the
        middle of the image.

    psf : `~astro_pix2prof.PSF`, or what it takes, optional
        The point-spread function that the galaxy is convolved with. By
        default, it is taken as it is: a measured profile has that of its
        image already.

    noise : bool, optional
        Whether the photons of the galaxy bring their Poisson noise.

    gain : float, optional
        Electrons per data unit, for ``noise``. By default, that of the
        header.

    seed : int or `~numpy.random.Generator`, optional
        The seed of the noise.

    **options
        The options of `~astro_pix2prof.GalaxyCutout`, but for ``size``.

    Returns
    -------
    result : `~astropy.nddata.CCDData`
        A new image with the galaxy, in the unit of the image and with its
        header. A standard deviation or variance grows
        by the noise that is added. The header holds the truth, numbered
        from 1 on (n) if several are added one after another: ``INJXn`` and
        ``INJYn`` (pixels from 0 on), ``INJRAn`` and ``INJDEn`` (deg),
        ``INJFLn`` (the sum of the galaxy's pixels in the image, in data
        units and without noise), ``INJMGn`` (its magnitude), ``INJTYn``
        ('profile', 'model' or 'array'); ``NINJECT`` is their number.

    Raises
    ------
    TypeError
        If ``galaxy`` is nothing of this kind.

    ValueError
        If the galaxy is not finite or has no light in the image, its
        calibration is not that of the image, the model has no centre, there
        is no gain for the noise, or ``size`` is given.

    Examples
    --------
    >>> from astropy.modeling.models import Sersic2D
    >>> from astro_pix2prof import inject, load_example
    >>> galaxy = Sersic2D(amplitude=0.1, r_eff=8, n=1, ellip=0.4, theta=0.5)
    >>> field = load_example()
    >>> image = inject(galaxy, field, position=(60, 200), psf=1.3,
    ...                noise=True, gain=field.header['GAIN'], seed=1)
    >>> print(image.header['INJX1'], image.header['INJY1'])
    60.0 200.0
    >>> f'{image.header["INJMG1"]:.2f}'
    '18.35'
    """
    noise = check_flag(noise, 'noise')
    if 'size' in options:
        msg = ('size cannot be given: the galaxy is added to the whole image; '
               'cut it out afterwards')
        raise ValueError(msg)
    cutout = GalaxyCutout.from_any(image, **{key: value for key, value in {
        'position': position, 'gain': gain, **options}.items()
        if value is not None})
    result = _as_ccddata(image, cutout, options.get('hdu'),
                         options.get('band'))
    if noise and cutout.gain is None:
        why = _why_no_gain(result)
        msg = f'noise needs the electrons per data unit, and {why}; give gain='
        raise ValueError(msg)
    # (very small and very large values have another unit in the cutout)
    factor = cutout._data_scale
    kernel = None if psf is None else _kernel(psf, cutout.pixel_scale)
    kind, model = _draw(galaxy, cutout,
                        0 if kernel is None else len(kernel) // 2)
    if kind != 'profile':
        model = model / factor
    if not np.all(np.isfinite(model)):
        msg = f'galaxy must be finite, but {kind} has other values'
        raise ValueError(msg)
    if kernel is not None:
        model = fftconvolve(model, kernel, mode='valid')
    if not np.any(model):
        msg = f'galaxy must have light in the image, but {kind} has none'
        raise ValueError(msg)
    added = model
    if noise:
        # (a model may dip below zero; photons do not)
        electrons = np.maximum(model, 0) * cutout.gain
        added = model + (np.random.default_rng(seed).poisson(electrons)
                         - electrons) / cutout.gain
    result.data = np.asarray(result.data, dtype=float) + factor * added
    if noise and result.uncertainty is not None:
        result.uncertainty = _more_noise(
            result.uncertainty, factor**2 * electrons / cutout.gain**2)
    _write_truth(result.header, cutout, factor * model.sum(), model.sum(),
                 kind)
    return result


def _why_no_gain(image):
    """
    Tell why the header gives no electrons per data unit.
    """
    key = next((key for key in ('GAIN', 'EGAIN', 'CCDGAIN')
                if key in image.header), None)
    if key is None:
        return 'the header has none'
    if not is_counts_like(image.unit) or is_surface_brightness(image.unit):
        return (f'{key} of the header is electrons per count and not used '
                f"for the unit '{image.unit}'")
    rate = ', or no exposure time' if is_rate(image.unit) else ''
    return f'the header has no valid one{rate}: {key}={image.header[key]!r}'


def _kernel(psf, pixel_scale):
    """
    Sample a point-spread function at pixels; its sum is 1.
    """
    sampled = (psf if isinstance(psf, PSF) else PSF(psf)).sampled(pixel_scale)
    scale = pixel_scale or 1.0
    half = int(np.ceil(sampled.radius / scale))
    at = scale * np.arange(-half, half + 1)
    kernel = sampled(at[None, :], at[:, None])
    return kernel / kernel.sum()


def _draw(galaxy, cutout, margin):
    """
    Draw a galaxy in data units, with a margin around the image.

    Returns
    -------
    kind : {'profile', 'model', 'array'}

    model : 2D `~numpy.ndarray`
    """
    shape = tuple(n + 2 * margin for n in cutout.shape)
    x, y = (at + margin for at in cutout.position)
    if isinstance(galaxy, Table):
        return 'profile', _draw_profile(galaxy, cutout, shape, (x, y))
    if isinstance(galaxy, Fittable2DModel):
        return 'model', _draw_model(galaxy, shape, x, y)
    if isinstance(galaxy, CompoundModel):
        msg = ('galaxy must be a single model: add the parts of a compound '
               'model one after another (inject(b, inject(a, image))), or '
               'give an array')
        raise TypeError(msg)
    if isinstance(galaxy, np.ndarray | list):
        galaxy = np.asarray(galaxy, dtype=float)
        if galaxy.ndim == 2 and galaxy.size:
            return 'array', _draw_array(galaxy, shape, x, y)
        msg = ('galaxy must be a profile, a 2D model of astropy or a 2D '
               f'array, got an array of shape {galaxy.shape}')
        raise ValueError(msg)
    msg = ('galaxy must be a profile, a 2D model of astropy or a 2D array, '
           f'got {type(galaxy).__name__}')
    raise TypeError(msg)


def _draw_profile(profile, cutout, shape, centre):
    profile = check_profile(profile).copy()
    # (only the place is another)
    for key in ('ra', 'dec'):
        profile.meta.pop(key, None)
    profile.meta['x_centre'], profile.meta['y_centre'] = (0.0, 0.0)
    _, sma, ellipticity, theta = profile_ellipses(profile, cutout)
    value = _intensity(profile, cutout) / cutout.intensity_scale
    good = np.isfinite(value + sma + ellipticity + theta)
    if np.count_nonzero(good) < 2:
        msg = ('galaxy must have at least two rings of finite intensity, got '
               f'{np.count_nonzero(good)}')
        raise ValueError(msg)
    return ring_model(shape, centre, *(
        column[good] for column in (sma, value, ellipticity, theta)))


def _intensity(profile, cutout):
    """
    Convert the intensities of a profile to those of another image.
    """
    intensity = u.Quantity(profile['intensity'])
    own = profile.meta.get('sb_zeropoint', np.nan)
    if np.isfinite(own) and np.isfinite(cutout.sb_zeropoint):
        systems = profile.meta.get('mag_system'), cutout.mag_system
        if all(systems) and systems[0] != systems[1]:
            msg = (f'galaxy has {systems[0]} magnitudes, and the image '
                   f'{systems[1]}: give images of one system')
            raise ValueError(msg)
        return intensity.value * 10**(0.4 * (cutout.sb_zeropoint - own))
    try:
        return intensity.to_value(cutout.intensity_unit)
    except u.UnitConversionError:
        msg = (f'galaxy has intensities in {intensity.unit}, but the image '
               f'needs {cutout.intensity_unit}, and one of them has no zero '
               'point: give zeropoint= for the image')
        raise ValueError(msg) from None


def _draw_model(model, shape, x, y):
    names = next((pair for pair in (('x_0', 'y_0'), ('x_mean', 'y_mean'))
                  if set(pair) <= set(model.param_names)), None)
    if names is None:
        msg = ('galaxy must be a model with parameters x_0 and y_0, or '
               f'x_mean and y_mean, got {", ".join(model.param_names)}')
        raise ValueError(msg)
    model = model.copy()
    for name, value in zip(names, (x, y), strict=True):
        setattr(model, name, value)
    # the mean over a pixel, by the points of Gauss and Legendre
    nodes, weights = leggauss(_OVERSAMPLING)
    offsets, weights = nodes / 2, weights / 2
    rows, columns = np.mgrid[:shape[0], :shape[1]].astype(float)
    total = np.zeros(shape)
    for dy, share in zip(offsets, weights, strict=True):
        for dx, part in zip(offsets, weights, strict=True):
            total += share * part * model(columns + dx, rows + dy)
    _refine_centre(model, total, x, y)
    return total


def _refine_centre(model, image, x, y):
    """
    Integrate the pixels about the centre of a model, which may be a cusp.

    Cells near the centre are divided in four, again and again: a point on
    the cusp would stand for too large an area.
    """
    rows, columns = np.indices(image.shape, sparse=True)
    near = (np.abs(rows - y) <= _CUSP) & (np.abs(columns - x) <= _CUSP)
    pixel = np.flatnonzero(near)
    if not len(pixel):
        return
    cy, cx = (one.astype(float) for one in np.unravel_index(
        pixel, image.shape))
    nodes, weights = leggauss(_OVERSAMPLING)
    dy, dx = (one.ravel() for one in np.meshgrid(nodes / 2, nodes / 2,
                                                 indexing='ij'))
    weights = np.outer(weights, weights).ravel() / 4
    light, size = np.zeros(image.size), 1.0
    for level in range(_DIVISIONS + 1):
        split = np.maximum(np.abs(cx - x), np.abs(cy - y)) < _CUSP * size
        if level == _DIVISIONS:
            split[:] = False
        whole = ~split
        np.add.at(light, pixel[whole], size**2 * model(
            cx[whole, None] + size * dx,
            cy[whole, None] + size * dy) @ weights)
        size /= 2
        cx, cy, pixel = (np.repeat(one[split], 4) for one in (cx, cy, pixel))
        cx = cx + np.resize([-0.5, 0.5, -0.5, 0.5], len(cx)) * size
        cy = cy + np.resize([-0.5, -0.5, 0.5, 0.5], len(cy)) * size
    image[near] = light.reshape(image.shape)[near]


def _draw_array(array, shape, x, y):
    """
    Put an array in its place; a part of a pixel is shared by neighbours.
    """
    ny, nx = array.shape
    first = np.array([y - (ny - 1) / 2, x - (nx - 1) / 2])
    corner = np.floor(first).astype(int)
    # (one more row and column, for what moves out of the last)
    moved = shift(np.pad(array, ((0, 1), (0, 1))), first - corner, order=1,
                  mode='grid-constant') if np.any(first != corner) else array
    canvas = np.zeros(shape)
    low = np.maximum(corner, 0)
    high = np.minimum(corner + moved.shape, shape)
    if np.all(low < high):
        canvas[low[0]:high[0], low[1]:high[1]] = moved[
            low[0] - corner[0]:high[0] - corner[0],
            low[1] - corner[1]:high[1] - corner[1]]
    return canvas


def _as_ccddata(image, cutout, hdu, band):
    """
    Copy an image, or make one of what was read.
    """
    if isinstance(image, CCDData):
        result = image.copy()
        # (the header of some images is a plain dict)
        result.header = fits.Header(result.header) if isinstance(
            result.header, fits.Header) else dict(result.header)
        return result
    # (in the unit of the image, which its header speaks of)
    scale = cutout._data_scale
    header = image_header(image, hdu=hdu, band=band)
    cards = [('OBJECT', cutout.name), ('FILTER', cutout.band)]
    if not header:
        cards += [('GAIN', None if cutout.gain is None
                   else cutout.gain / scale), *_zeropoint_cards(cutout)]
    for key, value in cards:
        if value is not None:
            header[key] = value
    data = cutout.data if cutout.background is None else (
        cutout.data + cutout.background)
    return CCDData(
        scale * np.asarray(data, dtype=float),
        unit=u.Unit(cutout.unit / scale), header=header,
        mask=cutout.mask.copy(),
        wcs=cutout.wcs if isinstance(cutout.wcs, WCS) else None,
        uncertainty=None if cutout.noise is None else StdDevUncertainty(
            scale * np.asarray(cutout.noise, dtype=float)))


def _zeropoint_cards(cutout):
    """
    List the zero point of counts, which have none by their unit.
    """
    unit = u.Unit(cutout.unit / cutout._data_scale)
    if (not is_counts_like(unit) or is_surface_brightness(unit)
            or not np.isfinite(cutout.zeropoint)):
        return []
    return [('MAGZERO', float(cutout.zeropoint
                              + 2.5 * np.log10(cutout._data_scale))),
            ('MAGSYS', cutout.mag_system)]


def _more_noise(uncertainty, variance):
    """
    Add a variance to an uncertainty of any kind.
    """
    kind = uncertainty.uncertainty_type
    array = np.asarray(uncertainty.array, dtype=float)
    with np.errstate(divide='ignore', invalid='ignore'):
        total = {'std': lambda: np.sqrt(array**2 + variance),
                 'var': lambda: array + variance,
                 # (a weight of zero stays one)
                 'ivar': lambda: array / (1 + array * variance)}.get(kind)
    if total is None:
        msg = ('the image must have a standard deviation, variance or '
               f'inverse variance for noise=True, got {kind!r}')
        raise ValueError(msg)
    return type(uncertainty)(total(), unit=uncertainty.unit)


def _write_truth(header, cutout, flux, total, kind):
    """
    Write where the galaxy is, and how bright, to the header.
    """
    n = int(header.get('NINJECT', 0)) + 1
    x, y = (at + first for at, first in zip(cutout.position, cutout.origin,
                                            strict=True))
    ra, dec = cutout.sky_position(*cutout.position)
    mag = (cutout.zeropoint - 2.5 * np.log10(total) if total > 0
           else np.nan)
    header['NINJECT'] = n
    for key, value in (('X', x), ('Y', y), ('RA', ra), ('DE', dec),
                       ('FL', flux), ('MG', mag)):
        # (not-a-number has no place in a header)
        if np.isfinite(value):
            header[f'INJ{key}{n}'] = float(value)
    header[f'INJTY{n}'] = kind
