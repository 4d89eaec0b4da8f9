# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Rendered galaxies as a survey shows them that no training has seen.

The scenes are those of ``benchmarks/render/galaxies.py``, rendered with the
galaxy alone (``keep_galaxy``). They become two things that users meet:

* ``boxes``: images whose pipeline subtracted the sky in small boxes, which
  takes light from the outskirts of every galaxy, with noise that resampling
  has correlated. The profiles are the true ones, as deeper images or those
  of another survey give them.
* ``atlas``: profiles of another kind: medians along ellipses of one fixed
  shape, that of the moments of the galaxy, as the Siena Galaxy Atlas has
  them. The images are as they were.

This was written down before any network was tuned to it.
"""

import numpy as np
from astropy.io import fits
from astropy.stats import SigmaClip
from photutils.background import Background2D, SExtractorBackground
from scipy.ndimage import gaussian_filter, map_coordinates

__all__ = ['KINDS', 'make_atlas', 'make_boxes']


# Side of the boxes of the sky in pixels: a fifth of the frame of 128.
BOX = 24
# Standard deviation of the kernel that correlates the noise, in pixels.
KERNEL = 0.85
# Points along an ellipse.
N_POINTS = 180


def make_boxes(hdus, seed):
    """
    Observe a scene with correlated noise, and subtract the sky in boxes.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        A scene, with the extensions OTHERS and GALAXY.

    seed : int
        The seed of the noise.

    Returns
    -------
    hdus : `~astropy.io.fits.HDUList`
        Image and TRUTH.
    """
    header, rng = hdus[0].header, np.random.default_rng([seed, 77])
    model = hdus['GALAXY'].data.astype(float) + hdus['OTHERS'].data
    sigma, gain = header['SKYNOISE'], header['GAIN']
    pad = 8
    white = rng.normal(size=[n + 2 * pad for n in model.shape])
    noise = gaussian_filter(white, KERNEL)[pad:-pad, pad:-pad]
    # (the noise of a pixel is as before, and that of many is larger)
    noise *= 2 * np.sqrt(np.pi) * KERNEL
    ny, nx = model.shape
    yy, xx = np.mgrid[:ny, :nx] / max(ny, nx) - 0.5
    sky = sigma * (rng.normal(0, 0.3) + rng.uniform(-0.3, 0.3) * xx
                   + rng.uniform(-0.3, 0.3) * yy)
    image = model + sky + noise * np.sqrt(
        sigma**2 + np.maximum(model, 0) / gain)
    background = Background2D(
        image, BOX, filter_size=3, sigma_clip=SigmaClip(3.0),
        bkg_estimator=SExtractorBackground())
    out = fits.HDUList([
        fits.PrimaryHDU((image - background.background).astype('f4'),
                        header), hdus['TRUTH'].copy()])
    out[0].header['SURVEY'] = 'boxes'
    return out


def make_atlas(hdus, seed):
    """
    Replace the profile by medians along ellipses of one fixed shape.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        A scene, with the extension GALAXY.

    seed : int
        Not used.

    Returns
    -------
    hdus : `~astropy.io.fits.HDUList`
        Image and TRUTH.
    """
    header, galaxy = hdus[0].header, hdus['GALAXY'].data.astype(float)
    eps, theta = moment_shape(galaxy, header['SKYNOISE'],
                              header['XTRUE'], header['YTRUE'])
    truth = hdus['TRUTH'].copy()
    sma = np.array(truth.data['sma'], dtype=float)
    # (not beyond the frame)
    ny, nx = galaxy.shape
    room = min(header['XTRUE'], header['YTRUE'], nx - 1 - header['XTRUE'],
               ny - 1 - header['YTRUE'])
    truth.data = truth.data[sma <= room]
    sma = sma[sma <= room]
    t = np.linspace(0, 2 * np.pi, N_POINTS, endpoint=False)
    u, v = np.cos(t), (1 - eps) * np.sin(t)
    dx = u * np.cos(theta) - v * np.sin(theta)
    dy = u * np.sin(theta) + v * np.cos(theta)
    value = map_coordinates(
        galaxy, [header['YTRUE'] + sma[:, None] * dy,
                 header['XTRUE'] + sma[:, None] * dx], order=3,
        mode='nearest')
    truth.data['intensity'] = np.median(value, axis=1)
    truth.data['ellipticity'] = eps
    truth.data['theta'] = np.degrees(theta) % 180
    return fits.HDUList([hdus[0].copy(), truth])


def moment_shape(galaxy, sigma, x, y):
    """
    Measure ellipticity and angle (radians) by the moments of the light.

    Of the pixels that are brighter than half the noise, as the footprint
    of a detection has them.
    """
    light = np.where(galaxy > 0.5 * sigma, galaxy, 0.0)
    yy, xx = np.mgrid[:galaxy.shape[0], :galaxy.shape[1]]
    dx, dy = xx - x, yy - y
    xx, yy, xy = (np.sum(light * part) / light.sum()
                  for part in (dx * dx, dy * dy, dx * dy))
    mean, half = 0.5 * (xx + yy), 0.5 * np.hypot(xx - yy, 2 * xy)
    axis = np.sqrt(max(mean - half, 0.01 * mean) / (mean + half))
    return 1 - axis, 0.5 * np.arctan2(2 * xy, xx - yy)


KINDS = {'boxes': make_boxes, 'atlas': make_atlas}
