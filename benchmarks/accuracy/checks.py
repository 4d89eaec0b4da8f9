# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Checks of the evaluation beside the deviations of the rings.

Structural parameters and their errors, curves of growth, speed, and real
galaxies.
"""

import time

import astropy.units as u
import numpy as np
import torch
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS
from photutils.aperture import EllipticalAperture

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    measure_structure,
    read_profile,
)
from astro_pix2prof.profile.brightness import SB_UNIT
from astro_pix2prof.profile.table import interpolate_profile
from benchmarks.real.galaxies import CUBES, PAIRS, TABLES

__all__ = ['common_rings', 'compare_growth', 'compare_real',
           'compare_structure', 'difference_of', 'isophotal_radius',
           'measure_speed', 'real_images']

# Both methods see the galaxy well (signal-to-noise ratio of a ring).
MIN_SNR = 5.0
# Apertures of fewer pixels than this radius are mostly edge.
LEAST_APERTURE = 2.0


def isophotal_radius(radius, mu, level):
    """
    The outermost radius where a profile falls below a level.

    Parameters
    ----------
    radius, mu : 1D `~numpy.ndarray`, shape (n,)
        Radii, and surface brightnesses in mag/arcsec2.

    level : float
        The level in mag/arcsec2.

    Returns
    -------
    radius : float
        NaN if the profile is nowhere as bright or does not end.
    """
    good = np.isfinite(mu)
    radius, mu = radius[good], mu[good]
    inside = np.flatnonzero(mu <= level)
    if not inside.size or inside[-1] == len(mu) - 1:
        return np.nan
    k = inside[-1]
    share = (level - mu[k]) / (mu[k + 1] - mu[k])
    return float(radius[k] + share * (radius[k + 1] - radius[k]))


def compare_structure(paths, folder):
    """
    R25 and total magnitudes, in units of their errors.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        Images that ``benchmarks.render.galaxies.render`` made.

    folder : `~pathlib.Path`
        The profiles of a fitter: STEM.ecsv.

    Returns
    -------
    rows : dict
        For ``mag_total`` (mag) and ``r25`` (relative to the true radius):
        ``n``, ``within_error`` (the share), ``bias``, ``median_abs`` and
        ``median_error``.
    """
    found = {'mag_total': [], 'r25': []}
    for path in paths:
        kept = folder / f'{path.stem}.ecsv'
        if not kept.exists():
            continue
        row = measure_structure(read_profile(kept), fits=False)[0]
        header, truth = fits.getheader(path), fits.getdata(path, 'TRUTH')
        pixel = 3600 * header['CDELT2']
        with np.errstate(invalid='ignore', divide='ignore'):
            mu = 22.5 - 2.5 * np.log10(truth['intensity'] / pixel**2)
        true = isophotal_radius(truth['sma'] * pixel, mu, 25.0)
        found['mag_total'].append((
            row['mag_total'].to_value(u.mag) - header['MAGTRUE'],
            row['mag_total_err'].to_value(u.mag)))
        found['r25'].append((
            row['r25_0'].to_value(u.arcsec) / true - 1,
            row['r25_0_err'].to_value(u.arcsec) / true))
    return {name: _pulls(pairs) for name, pairs in found.items()}


def _pulls(pairs):
    pairs = np.array(pairs, dtype=float).reshape(-1, 2)
    difference, error = pairs[np.isfinite(pairs).all(1)
                              & (pairs[:, 1] > 0)].T
    if not len(difference):
        return {'n': 0}
    return {'n': len(difference),
            'within_error': float(np.mean(np.abs(difference) < error)),
            'bias': float(np.median(difference)),
            'median_abs': float(np.median(np.abs(difference))),
            'median_error': float(np.median(error))}


def growth_difference(fit, image):
    """
    Curve of growth minus sums of the pixels in the same ellipses.

    Parameters
    ----------
    fit : `~astro_pix2prof.IsophoteFit` or another fit
        What a fitter measured.

    image : 2D `~numpy.ndarray`
        The image, without sky.

    Returns
    -------
    difference : 1D `~numpy.ndarray`
        In mag, for the ellipses that lie inside of the frame.
    """
    mag = fit.profile['mag_enclosed'].to_value(u.mag)
    size = image.shape[::-1]
    out = []
    for a, eps, theta, enclosed in zip(fit.sma, fit.eps, fit.theta, mag,
                                       strict=True):
        if not (a >= LEAST_APERTURE and np.isfinite(eps + enclosed)):
            continue
        angle, b = np.radians(theta), a * (1 - eps)
        reach = np.hypot(a * np.cos(angle), b * np.sin(angle)), np.hypot(
            a * np.sin(angle), b * np.cos(angle))
        if any(c - r < -0.5 or c + r > n - 0.5
               for c, r, n in zip(fit.centre, reach, size, strict=True)):
            continue
        aperture = EllipticalAperture(fit.centre, a, b, theta=angle)
        flux = aperture.to_mask(method='exact').multiply(image).sum()
        if flux > 0:
            out.append(enclosed - fit.cutout.zeropoint
                       + 2.5 * np.log10(flux))
    return np.array(out)


def compare_growth(paths, fitters):
    """
    Curves of growth of clean images against sums of their pixels.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        Images with an extension GALAXY: the galaxy alone, without noise.

    fitters : dict
        Fitters by their labels, which take no sky.

    Returns
    -------
    rows : dict
        By label: ``n`` galaxies, ``median`` (over the galaxies, of the
        median absolute difference in mag along the radius), ``median_last``
        (of the absolute difference at the last ellipse), ``worst`` (the
        largest of all ellipses), ``worst_last`` and ``within_0_02`` (the
        share of the galaxies whose last ellipse is within 0.02 mag).
    """
    found = {label: [] for label in fitters}
    failed = dict.fromkeys(fitters, 0)
    for path in paths:
        with fits.open(path) as hdus:
            header, clean = hdus[0].header, hdus['GALAXY'].data.astype(float)
        image = CCDData(clean, unit=u.nmgy, wcs=WCS(header))
        for label, fitter in fitters.items():
            try:
                # the errors tell how faint the networks need to see
                fit = fitter.fit(image, zeropoint=22.5,
                                 noise=header['SKYNOISE'])
            except Exception:  # a failure is counted
                failed[label] += 1
                continue
            difference = np.abs(growth_difference(fit, clean))
            if difference.size:
                found[label].append((np.median(difference),
                                     difference[-1], difference.max()))
    out = {}
    for label, rows in found.items():
        row = {'n': len(rows), 'n_failed': failed[label]}
        if rows:
            mid, last, worst = np.array(rows).T
            row.update(median=float(np.median(mid)),
                       median_last=float(np.median(last)),
                       worst=float(worst.max()),
                       worst_last=float(last.max()),
                       within_0_02=float(np.mean(last <= 0.02)))
        out[label] = row
    return out


def _best(call, n_repeat):
    times = []
    for _ in range(n_repeat):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_speed(paths, weights, *, batch=16, n_repeat=3):
    """
    Time of the network alone, of the network fitter and of the isophotes.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        Images of 256 x 256 pixels.

    weights : str
        The weights of the network.

    batch : int, optional
        The images that the network gets at once.

    n_repeat : int, optional
        The network alone is timed so many times; the shortest counts.

    Returns
    -------
    row : dict
        Images per second, seconds for an image, and ratios; all on one
        core, one after the other.
    """
    torch.set_num_threads(1)
    fitter = Pix2ProfFitter(weights, device='cpu', batch_size=batch)
    images = [np.nan_to_num(fits.getdata(path)).astype(np.float32)
              for path in paths]
    sigma = [fits.getval(path, 'SKYNOISE') for path in paths]
    stack = torch.from_numpy(np.stack([
        images[k % len(paths)] / sigma[k % len(paths)]
        for k in range(batch)]))
    row = {'n_images': len(paths), 'batch': batch, 'threads': 1}
    if fitter.card['architecture'] == 'rings':
        good = torch.ones(stack.shape, dtype=torch.bool)
        middle = torch.full((batch, 2), (stack.shape[-1] - 1) / 2)

        @torch.inference_mode()
        def forward():
            fitter.network(stack, good, middle)

        forward()
        row['network_per_second'] = batch / _best(forward, n_repeat)
    start = time.perf_counter()
    list(fitter.fit_many(paths))
    row['fitter_seconds'] = (time.perf_counter() - start) / len(paths)
    times = []
    for path in paths:
        start = time.perf_counter()
        try:
            IsophoteFitter()(path)
        except Exception:  # to fail takes time, too
            row['isophotes_failed'] = row.get('isophotes_failed', 0) + 1
        times.append(time.perf_counter() - start)
    row.update(
        isophotes_seconds=float(np.mean(times)),
        isophotes_seconds_median=float(np.median(times)),
        isophotes_seconds_p95=float(np.quantile(times, 0.95)))
    row['fitter_faster'] = row['isophotes_seconds'] / row['fitter_seconds']
    if 'network_per_second' in row:
        row['network_faster'] = (row['isophotes_seconds']
                                 * row['network_per_second'])
    return row


def common_rings(network, isophotes, *, min_snr=MIN_SNR):
    """
    The rings of the network where both are well measured.

    Parameters
    ----------
    network, isophotes : `~astropy.table.QTable`
        Profiles of the same galaxy.

    min_snr : float, optional
        The least signal-to-noise ratio of both.

    Returns
    -------
    good : 1D bool `~numpy.ndarray`, shape (n,)
        The rings of the network.

    difference : 1D `~numpy.ndarray`, shape (n,)
        Network minus isophotes at all of them, in mag/arcsec2.
    """
    def ratio(profile):
        with np.errstate(invalid='ignore', divide='ignore'):
            return (profile['intensity'] / profile['intensity_err']
                    ).to_value('')

    level = u.Quantity(interpolate_profile(isophotes, network['radius'])
                       ).to_value(SB_UNIT)
    at = network['radius'].to_value(u.arcsec)
    other = np.interp(at, isophotes['radius'].to_value(u.arcsec),
                      ratio(isophotes), left=np.nan, right=np.nan)
    difference = network['surface_brightness'].to_value(SB_UNIT) - level
    return (ratio(network) > min_snr) & (other > min_snr) & np.isfinite(
        difference), difference


def difference_of(network, isophotes, *, min_snr=MIN_SNR):
    """
    Network minus isophotes where both are well measured.

    Parameters
    ----------
    network, isophotes, min_snr
        As for `common_rings`.

    Returns
    -------
    difference : 1D `~numpy.ndarray`
        In mag/arcsec2, at the radii of the network.
    """
    good, difference = common_rings(network, isophotes, min_snr=min_snr)
    return difference[good]


def real_images(folder):
    """
    The real galaxies of a folder.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder; what it lacks is left out.

    Returns
    -------
    images : list of tuple
        Galaxy, band, path, options of the fitters' call, and the sky to
        subtract.
    """
    images = []
    for name, (stem, bands, native) in CUBES.items():
        path = folder / 'sdss_legacy_viewer_cubes' / f'{stem}.fits'
        images += [(name, band, path, {
            'band': band, 'unit': 'nanomaggy',
            'native_pixel_scale': native}, 'auto') for band in bands]
    # no sky is to be seen in these, and it is subtracted
    images += [(name, band, folder / TABLES[name][0], TABLES[name][2], 0.0)
               for name, band in (('M51', 'B'), ('NGC 4608', '3.6 um'))]
    images += [(name, band, folder / path, {
        'band': band, 'unit': 'nanomaggy', 'psf_fwhm': fwhm}, 'auto')
        for name, (path, bands) in PAIRS.items()
        for band, fwhm in bands.items()]
    return [image for image in images if image[2].exists()]


def compare_real(folder, weights, *, n=None):
    """
    The network beside the isophotes on real galaxies.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder of the galaxies.

    weights : str
        The weights of the network.

    n : int, optional
        Only the first images.

    Returns
    -------
    rows : list of dict
        ``galaxy``, ``band``, ``n_rings``, ``median`` (network minus
        isophotes, mag/arcsec2) and ``median_abs``; or ``failed``, why there
        is no comparison.
    """
    rows = []
    for name, band, path, options, sky in real_images(folder)[:n]:
        row = {'galaxy': name, 'band': band}
        try:
            network = Pix2ProfFitter(weights, device='cpu', sky=sky)(
                path, **options)
            isophotes = IsophoteFitter(sky=sky)(path, **options)
            difference = difference_of(network, isophotes)
        except Exception as problem:  # a failure is a result
            row['failed'] = ' '.join(
                f'{type(problem).__name__}: {problem}'.split())
        else:
            row['n_rings'] = len(difference)
            if len(difference):
                row.update(median=float(np.median(difference)),
                           median_abs=float(np.median(np.abs(difference))))
        rows.append(row)
    return rows
