# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
FITS files of simulated galaxies.
"""

import os
from numbers import Integral
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS

from astro_pix2prof.profile.brightness import POGSON, SB_UNIT

__all__ = ['make_simulated_hdus', 'write_simulated']


# The galaxies lie on the celestial equator, one every 0.1 degrees, so that
# each has a position of its own.
_STEP = 0.1

# The columns of the truth in nanomaggies, and the comments of all.
_FLUXES = ('intensity', 'enclosed', 'ring_noise')

_COLUMNS = {
    'radius': 'semi-major axis',
    'surface_brightness': 'mean along the isophote, with the PSF, AB',
    'ellipticity': '1 - b/a of the isophote',
    'pa': 'position angle, east of north',
    'mag_enclosed': 'magnitude within the ellipse, AB',
    'photon_limit': 'least error of a ring 1 pixel wide',
    'x_centre': 'pixels from 0', 'y_centre': 'pixels from 0',
    'sma': 'semi-major axis',
    'intensity': 'nanomaggy per pixel',
    'theta': 'of the major axis, counter-clockwise from +x',
    'enclosed': 'nanomaggy within the ellipse',
    'ring_noise': 'nanomaggy per pixel, ring 1 pixel wide'}


def write_simulated(galaxies, folder, *, start=0, overwrite=False):
    """
    Write simulated galaxies to FITS files, one each.

    The files are named ``galaxy_00000_r.fits``, with the band if it has a
    letter for a name. `~astro_pix2prof.GalaxyCutout` and all that measures
    images reads them, with their units, mask and noise;
    `~astro_pix2prof.read_pairs` reads a folder of them as pairs to
    train networks with, and
    `~astro_pix2prof.evaluate_fitters` takes their paths.

    Parameters
    ----------
    galaxies : `~astro_pix2prof.simulation.SimulatedGalaxies`
        The galaxies.

    folder : str or `~pathlib.Path`
        Where to write; it is made if it is not there.

    start : int, optional
        The number of the first file.

    overwrite : bool, optional
        Whether to replace files that are there.

    Returns
    -------
    paths : list of `~pathlib.Path`
        The files, in the order of the galaxies.

    Raises
    ------
    ValueError
        If there are no galaxies, or the number is negative.

    OSError
        If a file is there and ``overwrite`` is `False`; nothing is written
        then.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from astro_pix2prof.datasets.simulated import write_simulated
    >>> from astro_pix2prof.simulation import GalaxySimulator
    >>> galaxies = GalaxySimulator('sdss-r', n_pix=96).simulate(2, seed=1)
    >>> with TemporaryDirectory() as folder:
    ...     paths = write_simulated(galaxies, folder)
    >>> [path.name for path in paths]
    ['galaxy_00000_r.fits', 'galaxy_00001_r.fits']
    """
    if (isinstance(start, bool) or not isinstance(start, Integral)
            or start < 0):
        msg = f'start must be an integer from 0 on, got {start!r}'
        raise ValueError(msg)
    n = len(galaxies)
    if n == 0:
        msg = 'galaxies must hold an image at least, got none'
        raise ValueError(msg)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(n):
        band = _band(galaxies, k)
        # a band that is a number would be taken for a part of the name
        end = f'_{band}' if band[:1].isalpha() else ''
        paths.append(folder / f'galaxy_{start + k:05d}{end}.fits')
    old = [path for path in paths if path.exists()]
    if old and not overwrite:
        msg = (f'{old[0]} exists; give overwrite=True to replace it, or '
               'another start')
        raise OSError(msg)
    for k, path in enumerate(paths):
        # a file that is there is whole
        part = path.with_name(f'.{path.name}.part')
        make_simulated_hdus(galaxies, k, number=start + k).writeto(
            part, overwrite=True)
        os.replace(part, path)
    return paths


def make_simulated_hdus(galaxies, k, *, number=None):
    """
    Make the FITS extensions of a simulated galaxy.

    Parameters
    ----------
    galaxies : `~astro_pix2prof.simulation.SimulatedGalaxies`
        The galaxies.

    k : int
        The number of the galaxy in the batch.

    number : int, optional
        The number in its name and of its place on the sky, by default
        ``k``.

    Returns
    -------
    hdus : `~astropy.io.fits.HDUList`
        The image in nanomaggies with a WCS; ``ERR``, the standard deviation
        of the pixels in nanomaggies; ``MASK``, 1 where a pipeline would
        have flagged a pixel; ``OTHERS``, the light of everything but the
        galaxy, without noise, in nanomaggies; ``TRUTH``, the table of the
        true profile.

    Raises
    ------
    ValueError
        If there is no such galaxy.
    """
    if not 0 <= k < len(galaxies):
        msg = (f'k must be the number of one of {len(galaxies)} galaxies, '
               f'from 0 on, got {k!r}')
        raise ValueError(msg)
    number = k if number is None else number
    wcs = _wcs(galaxies, k, number).to_header()
    primary = fits.PrimaryHDU(_array(galaxies.image[k]),
                              _header(galaxies, k, number, wcs))
    # the noise as it is, not as it would be estimated from the image
    model = _array(galaxies.clean[k]) + _array(galaxies.contamination[k])
    noise = np.sqrt(float(galaxies.sigma[k])**2
                    + np.maximum(model, 0) / float(galaxies.gain[k]))
    planes = []
    for name, data, unit in (
            ('ERR', noise.astype(np.float32), 'nanomaggy'),
            ('MASK', _array(galaxies.mask[k]).astype(np.uint8), None),
            ('OTHERS', _array(galaxies.contamination[k]), 'nanomaggy')):
        hdu = fits.ImageHDU(data, wcs, name=name)
        if unit:
            hdu.header['BUNIT'] = unit
        planes.append(hdu)
    truth = fits.BinTableHDU(_truth_table(galaxies, k), name='TRUTH')
    # the FITS standard has no nanomaggy: the comment of the column tells it
    for j, name in enumerate(truth.columns.names, start=1):
        truth.header[f'TCOMM{j}'] = _COLUMNS[name]
    return fits.HDUList([primary, *planes, truth])


def _array(tensor):
    return tensor.detach().cpu().numpy()


def _band(galaxies, k):
    # simulation needs torch, which reading this module does not
    from astro_pix2prof.simulation import SURVEYS

    name = galaxies.survey[k]
    return SURVEYS[name].band if name in SURVEYS else ''


def _wcs(galaxies, k, number):
    """
    Make a TAN projection, north up and east to the left.
    """
    n_y, n_x = galaxies.image.shape[1:]
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
    wcs.wcs.cunit = 'deg', 'deg'
    wcs.wcs.radesys = 'ICRS'
    wcs.wcs.crval = (_STEP * number) % 360, 0.0
    wcs.wcs.crpix = (n_x + 1) / 2, (n_y + 1) / 2
    # the shortest decimal number that is the float32 scale
    scale = float(str(np.float32(galaxies.pixel_scale[k].item()))) / 3600
    wcs.wcs.cdelt = -scale, scale
    return wcs


def _header(galaxies, k, number, wcs):
    header = wcs.copy()
    scale = galaxies.pixel_scale[k].item()
    x, y = (v.item() for v in galaxies.centre[k])
    header['OBJECT'] = f'simulated {number:05d}'
    header['BUNIT'] = 'nanomaggy'
    header['MAGZP'] = (galaxies.zeropoint, 'AB magnitude of 1 nanomaggy')
    band = _band(galaxies, k)
    if band:
        header['FILTER'] = band
    header['SURVEY'] = (galaxies.survey[k], 'instrument that is simulated')
    header['GAIN'] = (galaxies.gain[k].item(), 'electrons per nanomaggy')
    header['SKYNOISE'] = (galaxies.sigma[k].item(),
                          'noise of a sky pixel, nanomaggy')
    header['FWHM'] = (galaxies.fwhm[k].item() * scale,
                      'FWHM of the PSF, arcsec')
    header['XTRUE'] = (x, 'centre of the galaxy, pixels from 0')
    header['YTRUE'] = (y, 'centre of the galaxy, pixels from 0')
    header['G_TYPE'] = (galaxies.type_name(k), 'type of galaxy')
    if galaxies.seed is not None:
        header['SEED'] = (galaxies.seed, 'seed of the batch')
    header['NUMBER'] = (k, 'number in the batch')
    for key, name, factor, note in (
            ('G_FLUX', 'flux', 1.0, 'total flux, nanomaggy'),
            ('G_RE', 'r_e', scale, 'half-light scale, arcsec'),
            ('G_BT', 'bulge', 1.0, 'bulge to total'),
            ('G_BAR', 'bar', 1.0, 'bar to total'),
            ('G_COSI', 'cos_i', 1.0, 'cosine of the inclination')):
        if name in galaxies.parameters:
            header[key] = (galaxies.parameters[name][k].item() * factor,
                           note)
    return header


def _truth_table(galaxies, k):
    scale = galaxies.pixel_scale[k].item()
    zeropoint = galaxies.zeropoint
    sma = _array(galaxies.sma).astype(float)
    intensity, enclosed, noise = (
        _array(getattr(galaxies, name)[k]).astype(float)
        for name in _FLUXES)
    theta = np.degrees(_array(galaxies.theta[k]).astype(float)) % 180
    x, y = (v.item() for v in galaxies.centre[k])
    with np.errstate(divide='ignore', invalid='ignore'):
        mu = zeropoint - 2.5 * np.log10(intensity / scale**2)
        limit = POGSON * noise / intensity
        growth = zeropoint - 2.5 * np.log10(enclosed)
    positive = intensity > 0
    table = QTable()
    table['radius'] = sma * scale * u.arcsec
    table['surface_brightness'] = np.where(positive, mu, np.nan) * SB_UNIT
    table['ellipticity'] = _array(galaxies.ellipticity[k]).astype(float)
    # east is to the left: from north through east is from +y to -x
    table['pa'] = (theta - 90) % 180 * u.deg
    table['mag_enclosed'] = np.where(enclosed > 0, growth, np.nan) * u.mag
    # the least possible error of a ring one pixel wide
    table['photon_limit'] = np.where(positive, limit, np.nan) * SB_UNIT
    table['x_centre'] = np.full(len(sma), x) * u.pix
    table['y_centre'] = np.full(len(sma), y) * u.pix
    table['sma'] = sma * u.pix
    table['intensity'] = intensity
    table['theta'] = theta * u.deg
    table['enclosed'] = enclosed
    table['ring_noise'] = noise
    return table
