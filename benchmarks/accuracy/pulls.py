# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Stated errors of a fitter's own rings, held against the truth.

Unlike the evaluation, which is read off at the true radii, this counts the
rows of the profiles, with their flags, and the errors of the ellipses.
"""

import numpy as np
from astropy.io import fits
from scipy.interpolate import CubicSpline

from astro_pix2prof import read_profile
from astro_pix2prof.profile.brightness import SB_UNIT
from benchmarks.accuracy.figures import bin_groups

__all__ = ['figures_of_rings', 'interpolate_truth', 'read_rings', 'width']

# Edges of bins of radius (pixels), true ellipticity and S/N of a ring.
RADIUS = (0.0, 1.0, 4.0, 10.0, 30.0, np.inf)
FLATNESS = (0.0, 0.3, 0.6, 0.75, 1.0)
SNR = (1.0, 3.0, 10.0, 100.0, np.inf)
# The angle of a rounder ellipse than this means nothing.
LEAST_FLAT = 0.15
# Fewer rings than this say nothing of a bin.
N_LEAST = 30


def width(pulls):
    """
    Compute half the range of the inner 68.27% of pulls; 1 if errors hold.
    """
    pulls = np.asarray(pulls, dtype=float)
    pulls = pulls[np.isfinite(pulls)]
    if len(pulls) < N_LEAST:
        return np.nan
    low, high = np.quantile(pulls, [0.15865, 0.84135])
    return float(0.5 * (high - low))


def read_rings(paths, folder):
    """
    Read the rings of profiles, with the truth at their radii.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        Images with an extension TRUTH.

    folder : `~pathlib.Path`
        The profiles of a fitter: STEM.ecsv.

    Returns
    -------
    rings : dict of 1D `~numpy.ndarray`
        ``image``, ``sma`` (pixels), ``mu`` and ``snr`` (true), ``delta``,
        ``error``, ``eps`` (true), ``eps_pull``, ``pa_pull``, ``flag`` (of
        the ring) and ``image_flag``; rings of a true S/N below 1, and those
        without a value, are left out.
    """
    parts = []
    for number, path in enumerate(paths):
        kept = folder / f'{path.stem}.ecsv'
        if not kept.exists():
            continue
        profile = read_profile(kept)
        header, true = fits.getheader(path), fits.getdata(path, 'TRUTH')
        pixel = 3600 * header['CDELT2']
        sma = profile['radius'].to_value('arcsec') / pixel

        def at(values, sma=sma, true=true):
            return np.interp(sma, true['sma'], values, right=np.nan)

        with np.errstate(invalid='ignore', divide='ignore'):
            mu = interpolate_truth(true['sma'], 22.5 - 2.5 * np.log10(
                true['intensity'] / pixel**2), sma)
            snr = at(true['intensity'] / true['ring_noise'])
        part = {
            'image': np.full(len(sma), number), 'sma': sma, 'mu': mu,
            'snr': snr, 'eps': at(true['ellipticity']),
            'delta': profile['surface_brightness'].to_value(SB_UNIT) - mu,
            'error': profile['surface_brightness_err'].to_value(SB_UNIT),
            'flag': np.asarray(profile['flag'], dtype=int),
            'image_flag': np.full(len(sma), int(profile.meta['flag']))}
        part |= _shape_pulls(profile, true, sma, at, header)
        good = (snr > 1) & np.isfinite(part['delta']) & (part['error'] > 0)
        parts.append({key: value[good] for key, value in part.items()})
    if not parts:
        return {}
    return {key: np.concatenate([part[key] for part in parts])
            for key in parts[0]}


def interpolate_truth(sma, mu, at):
    """
    Interpolate a true profile between its radii.

    They are a pixel apart, and the core of a profile is no straight line
    from one to the next: that would be off by up to a hundredth of a mag.

    Parameters
    ----------
    sma, mu : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes from 0 on, and surface brightness there.

    at : 1D `~numpy.ndarray`, shape (m,)
        Other semi-major axes.

    Returns
    -------
    mu : 1D `~numpy.ndarray`, shape (m,)
        Not-a-number beyond the first radius without a value.
    """
    known = np.isfinite(mu)
    n = len(mu) if known.all() else int(np.argmin(known))
    if n < 4:
        return np.full(len(at), np.nan)
    # (flat at the centre, as the PSF makes it)
    spline = CubicSpline(sma[:n], mu[:n], bc_type=((1, 0.0), 'not-a-knot'))
    return np.where(at <= sma[n - 1], spline(at), np.nan)


def _shape_pulls(profile, true, sma, at, header):
    """
    Compute ellipticity and angle minus the true ones over their errors.
    """
    twice = 2 * np.radians(true['theta'])
    eps = at(true['ellipticity'])
    theta = 0.5 * np.degrees(np.arctan2(
        at(true['ellipticity'] * np.sin(twice)),
        at(true['ellipticity'] * np.cos(twice))))
    out = {}
    with np.errstate(invalid='ignore', divide='ignore'):
        if 'ellipticity_err' in profile.colnames:
            out['eps_pull'] = (np.asarray(profile['ellipticity']) - eps
                               ) / np.asarray(profile['ellipticity_err'])
        else:
            out['eps_pull'] = np.full(len(sma), np.nan)
        if 'pa_err' in profile.colnames:
            # north is up and east is left: from +y towards -x
            pa = profile['pa'].to_value('deg') + 90
            away = (pa - theta + 90) % 180 - 90
            pull = away / profile['pa_err'].to_value('deg')
            out['pa_pull'] = np.where(eps > LEAST_FLAT, pull, np.nan)
        else:
            out['pa_pull'] = np.full(len(sma), np.nan)
    return out


def figures_of_rings(rings):
    """
    Compute the shares of rings within and far beyond their errors.

    Parameters
    ----------
    rings : dict of 1D `~numpy.ndarray`
        As `read_rings` returns them.

    Returns
    -------
    figures : dict
        ``n_rings``; ``within_error`` (share); ``beyond_3`` (share of the
        unflagged rings of unflagged images that are off by more than three
        of their errors) and ``n_unflagged``; ``bias_26`` (median deviation
        at mu 26 to 27); ``eps_width`` and ``pa_width`` (of the pulls); and
        ``bins``: lists of ``name``, ``n_rings``, ``within_error`` and
        ``bias`` by ``radius``, ``ellipticity`` and ``snr``.
    """
    if not rings:
        return {'n_rings': 0}
    pull = np.abs(rings['delta']) / rings['error']
    plain = (rings['flag'] == 0) & (rings['image_flag'] == 0)
    faint = (rings['mu'] > 26) & (rings['mu'] < 27)
    out = {'n_rings': len(pull), 'within_error': float(np.mean(pull < 1)),
           'n_unflagged': int(plain.sum()),
           'beyond_3': float(np.mean(pull[plain] > 3)) if plain.any()
           else np.nan,
           'bias_26': float(np.median(rings['delta'][faint]))
           if faint.sum() >= N_LEAST else np.nan,
           'eps_width': width(rings['eps_pull']),
           'pa_width': width(rings['pa_pull']), 'bins': {}}
    for name, key, edges in (('radius', 'sma', RADIUS),
                             ('ellipticity', 'eps', FLATNESS),
                             ('snr', 'snr', SNR)):
        rows = []
        for title, part in bin_groups(rings[key], edges):
            if part.sum() >= N_LEAST:
                rows.append({
                    'name': title, 'n_rings': int(part.sum()),
                    'within_error': float(np.mean(pull[part] < 1)),
                    'bias': float(np.median(rings['delta'][part]))})
        out['bins'][name] = rows
    return out
