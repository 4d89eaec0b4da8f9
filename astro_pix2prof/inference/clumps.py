# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Find the clumps of a galaxy, and what lies before and beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import is_address
from astro_pix2prof.arguments import check_choice, check_number
from astro_pix2prof.ellipses.model import elliptical_radius
from astro_pix2prof.fitting.base import as_fitter
from astro_pix2prof.image.pictures import (
    is_picture,
    picture_options,
    read_picture,
    warn_of_calibration,
)
from astro_pix2prof.inference.clump_bands import is_fit, read_bands
from astro_pix2prof.inference.clump_classes import (
    N_MEASURED,
    classify_marks,
    describe_surroundings,
    trained_share,
)
from astro_pix2prof.inference.clump_maps import find_width, make_maps
from astro_pix2prof.inference.clump_marks import (
    SAME,
    clearest_marks,
    filter_marks,
    network_marks,
)
from astro_pix2prof.inference.clump_table import make_table, source_flags
from astro_pix2prof.inference.point_sources import (
    error_beside_noise,
    fit_fluxes,
)
from astro_pix2prof.networks.architectures import architecture_of
from astro_pix2prof.networks.clumps.network import (
    CLASSES,
    ClumpNetwork,
)
from astro_pix2prof.networks.clumps.stamps import cut_stamps
from astro_pix2prof.networks.weights import find_weights, load_network
from astro_pix2prof.profile.flags import GalaxyFlag, decode_flags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from astropy.table import QTable

    from astro_pix2prof import ProfileFit
    from astro_pix2prof.fitting.base import ProfileFitter
    from astro_pix2prof.typing import (
        BandsLike,
        ImageLike,
        PathLike,
        PSFLike,
    )

__all__ = ['find_clumps', 'load_detector', 'measure_candidates',
           'measure_marks']


# Thresholds: the signal-to-noise ratio of the matched filter, and the
# probability of the network where its model card names none.
_SNR, _PROBABILITY = 5.0, 0.3

# Widths of a PSF (pixels) that are sensible.
_SHARPEST, _WIDEST = 1.0, 30.0

# A PSF of this part of the frame, or wider, cannot be that of the image.
_MOST_OF_FRAME = 0.5

# No clump is so close to the centre (FWHM).
_CORE = 0.8

# Flags of a galaxy whose rings are not to be trusted, nor what is left
# without them.
_DOUBTFUL = (GalaxyFlag.CENTRE_UNCERTAIN | GalaxyFlag.GEOMETRY_UNCERTAIN
             | GalaxyFlag.POINT_SOURCE | GalaxyFlag.FAILED)


def find_clumps(fit: ProfileFit | ImageLike | BandsLike, *,
                method: Literal['network', 'matched'] = 'network',
                threshold: float | None = None,
                psf: PSFLike | dict[str, PSFLike] | None = None,
                classes: str | Sequence[str] = CLASSES,
                max_radius: float = 3.0, fitter: ProfileFitter | None = None,
                weights: PathLike | None = None,
                odd_share: float | None = None,
                colours: Sequence[str] | None = None,
                **options: Any) -> QTable:
    """
    Find the clumps of a galaxy, and stars and galaxies in front of it.

    The rings of the galaxy and their low Fourier modes (bars and arms) are
    subtracted. On what is left, a small network marks the centres of clumps
    of the galaxy and of odd objects, which are foreground stars and other
    galaxies; or peaks of the image filtered with the point-spread function
    (PSF) are taken. Fluxes are those of point-like sources above their
    surroundings, neighbours fitted together.

    Of several bands, the sum is searched, in which each band counts by its
    signal-to-noise ratio, and fluxes and colours are measured at the places
    that are found there.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`, image of any kind or bands
        The galaxy, as ``fitter.fit(image)`` returns it. An image is
        measured first; the path of a JPEG or PNG picture may be given. Of
        several bands: a dict of images, which are measured by
        ``fit_bands``, a dict or list of fits, or a
        `~astro_pix2prof.BandProfiles` that keeps its fits.

    method : {'network', 'matched'}, optional
        'matched' takes each peak of the filtered image: it finds spiral
        arms, too, and knows no probabilities.

    threshold : float, optional
        The least probability that there is an object of either class, by
        default 0.55; for 'matched', the least signal-to-noise ratio, by
        default 5.

    psf : optional
        The PSF, as for `~astro_pix2prof.PSF`: a full width at half maximum
        in arcsec or as a `~astropy.units.Quantity` in pixels will do. By
        default that of the image (``psf_fwhm``), or the width of the stars
        in it; or, of an enlarged image, about 3.2 of the original pixels,
        over which its noise is correlated. A dict gives it for each band.

    classes : str or sequence of str, optional
        The classes that are wanted: 'clump', 'odd' or both.

    max_radius : float, optional
        The largest distance from the centre, along the ellipses, in
        semi-major axes that hold half of the light (R50).

    fitter : `~astro_pix2prof.IsophoteFitter` or other fitter, optional
        The fitter of an image; by default a `~astro_pix2prof.Pix2ProfFitter`.

    weights : str or path-like, optional
        The weights of the network; by default 'clumps', those of the
        package. 'matched' has none.

    odd_share : float, optional
        The part of objects within ``max_radius`` that you expect to be odd,
        between 0 and 1: the probabilities of the network are those for it,
        by the rule of Bayes. By default, that of training, about 0.3. With
        more than that, the catalogue of clumps is purer and less complete.

    colours : sequence of str, optional
        Of several bands, the colours, such as ``['g-r', 'g-z']``. By
        default, those of bands that follow each other.

    **options
        The options of the fitter's ``fit`` for an image, such as
        ``position``, or of its ``fit_bands`` for several; a picture has
        ``calibrated=False`` of itself.

    Returns
    -------
    clumps : `~astropy.table.QTable`
        By decreasing probability (signal-to-noise ratio for 'matched'):
        ``x``, ``y`` (pixels of the cutout that was measured, 0 is the
        centre of the first), ``ra``, ``dec`` if there is a WCS, ``flux``
        and ``flux_err`` in the unit of the image, ``mag`` and ``mag_err``
        if it is calibrated, ``snr``, ``share`` and ``share_err`` (relative
        to the light of the rings of the profile), ``radius`` (the
        semi-major axis of the ellipse through the clump), ``radius_r50``,
        ``probability`` (of the class), ``class``
        and ``flag`` (see `~astro_pix2prof.describe_flags` with 'clump'). Its
        ``meta`` has 'fwhm' (pixels) and 'fwhm_from' ('given', 'stars',
        'noise' or 'assumed'), 'r50', 'host_flux', 'threshold', 'x_origin'
        and 'y_origin' (the pixel of the image that is the first of the
        cutout), 'galaxy_flag' and 'galaxy_flags' (the flag of the galaxy,
        and its names), and others.

        Of several bands, ``flux``, ``flux_err``, ``mag``, ``mag_err``,
        ``snr``, ``share``, ``share_err`` and ``flag`` are those of the band
        ``x`` with ``_x`` at the end of their names. For each colour ``x-y``
        of calibrated bands there are ``x-y``, ``x-y_err`` and
        ``x-y_host``, the colour of the galaxy along the ellipse through
        the clump. ``snr`` and ``share`` are those in the sum of all bands,
        ``flag`` has the bits of all, and ``x`` and ``y`` are pixels of the
        band ``meta['reference']``. 'in_sum' is the part of each band in
        the sum.

    Raises
    ------
    TypeError
        If ``fit`` is a fit and there are options of an image, if colours
        are asked of one band, or if some bands are fits and others are not.

    ValueError
        If an argument is out of range or unknown, the PSF is wider than
        half of the image, the weights are not those of a clump network,
        or weights are given for 'matched'; if bands have no names, are of
        different galaxies, or have other pixels and no WCS; if
        ``odd_share`` is given for 'matched', or for weights whose model
        card does not tell that of training.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the width of the PSF had to be assumed or is out of the range that
        was tested, if there is no galaxy, or if its centre or geometry are
        uncertain, it is a point source, or its fit failed; if a band could
        not be measured, or has magnitudes of another system.

    Notes
    -----
    Pixels that the fitter masked as other objects are looked at, those that
    the image itself masks are not. Nothing is reported within 0.8 FWHM of
    the centre. See the guide for completeness and purity.

    Errors of fluxes hold the noise, the width of the clump, which is not
    known, 6% for the shapes of clumps and PSFs, and the light of the galaxy
    below it. ``snr``, and errors in several bands, are of the noise alone.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, find_clumps, load_example
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> clumps = find_clumps(fit, method='matched', psf=1.3)
    >>> clumps.colnames[:2]
    ['x', 'y']

    In two bands (here, the demo image stands for both):

    >>> clumps = find_clumps({'g': load_example(), 'r': load_example()},
    ...                      method='matched', psf={'g': 1.3, 'r': 1.3})
    >>> [name for name in clumps.colnames if 'g-r' in name]
    ['g-r', 'g-r_err', 'g-r_host']
    """
    method = check_choice(method, 'method', ('network', 'matched'))
    classes = _check_classes(classes)
    if method == 'matched' and weights is not None:
        msg = ("weights must not be given with method='matched', which uses "
               f"no network, got {str(weights)!r}: leave them out, or use "
               "method='network'")
        raise ValueError(msg)
    odd_share = check_number(odd_share, 'odd_share', above=0, most=1,
                             optional=True)
    if odd_share is not None and (method == 'matched' or odd_share == 1):
        msg = ('odd_share must be below 1, and not be given with '
               "method='matched', which knows no probabilities, got "
               f'{odd_share:g}')
        raise ValueError(msg)
    max_radius = check_number(max_radius, 'max_radius', above=0, most=20)
    most = None if method == 'matched' else 1
    threshold = check_number(threshold, 'threshold', above=0, most=most,
                             optional=True)
    bands = read_bands(fit, fitter, options, colours)
    picture = False
    if bands is not None:
        fit = bands.first
        picture = any(one.profile.meta.get('picture', False)
                      for one in bands.fits.values())
    elif is_fit(fit):
        given = [*options, *(['fitter'] if fitter is not None else [])]
        if given:
            msg = (f'{", ".join(given)} must not be given with a fit, whose '
                   'image was measured before')
            raise TypeError(msg)
        picture = bool(fit.profile.meta.get('picture', False))
    else:
        fit, picture = _fit_image(fit, fitter, options)
    network, card = None, {}
    if method == 'network':
        network, card = load_detector(
            'clumps' if weights is None else str(weights))
    shares = _find_shares(odd_share, card, weights)
    if threshold is None:
        threshold = (_SNR if network is None
                     else card.get('threshold', _PROBABILITY))
    meta = {} if bands is None else bands.meta()
    if not _has_galaxy(fit):
        return make_table(fit, None, [], picture, meta, bands)
    whole, fwhm, source = fit, None, None
    if bands is None:
        fwhm, source = find_width(fit, psf)
    else:
        bands.find_widths(psf)
        for band, (width, known) in bands.widths.items():
            _check_width(bands.fits[band].cutout, width, known)
        whole, fwhm, source = bands.stack()
    _check_width(whole.cutout, fwhm, source)
    maps = make_maps(whole, fwhm, reach=max_radius)
    if maps is None:
        return make_table(fit, None, [], picture, meta, bands)
    found, seen = ((filter_marks(maps, threshold), None) if network is None
                   else network_marks(network, maps))
    rows = classify_marks(_measure(whole, maps, found, seen, max_radius),
                          network, shares)
    if bands is not None:
        bands.measure(rows, maps, max_radius)
        meta = bands.meta()
    if network is not None:
        rows = [row for row in rows if row['object'] >= threshold]
        rows.sort(key=lambda row: -row['probability'])
    rows = [row for row in rows if row['class'] in classes]
    return make_table(whole, maps, rows, picture, {
        **meta, **({} if shares is None else {'odd_share': odd_share}),
        'method': method, 'threshold': float(threshold),
        'fwhm': float(fwhm), 'fwhm_from': source}, bands)


def _check_classes(classes):
    """
    Check the classes that are wanted (tuple of str).
    """
    if isinstance(classes, str):
        classes = (classes,)
    found = tuple(classes) if isinstance(classes, Iterable) else ()
    if not found:
        msg = (f'classes must be one or more of {", ".join(CLASSES)}, got '
               f'{classes!r}')
        raise ValueError(msg)
    return tuple(check_choice(name, 'classes', CLASSES) for name in found)


def _find_shares(odd_share, card, weights):
    """
    Find the share of odd objects that is expected, and that of training.
    """
    if odd_share is None:
        return None
    trained = trained_share(card)
    if trained is None:
        msg = ('odd_share needs weights whose model card tells the share of '
               'odd objects in training, in class_head and '
               f'class_head_training; got {str(weights)!r}')
        raise ValueError(msg)
    return odd_share, trained


def _has_galaxy(fit):
    """
    Tell whether there is a galaxy, and warn of what is doubtful about it.
    """
    flag = int(fit.profile.meta.get('flag', 0))
    if flag & int(GalaxyFlag.NO_SOURCE):
        warnings.warn('there is no galaxy in the image: no clumps are looked '
                      'for', AstropyUserWarning, stacklevel=3)
        return False
    if flag & int(_DOUBTFUL):
        names = decode_flags(flag & int(_DOUBTFUL), kind='galaxy')
        warnings.warn(
            f'the galaxy has the flag {", ".join(names)}: its centre or '
            'parts of it may be listed as clumps; look at a figure',
            AstropyUserWarning, stacklevel=3)
    return True


def _check_width(cutout, fwhm, source):
    """
    Refuse the width of a PSF that is none, and warn of one not tested.
    """
    if source != 'given':
        return
    if fwhm > _MOST_OF_FRAME * min(cutout.shape):
        ny, nx = cutout.shape
        msg = (f'psf must be narrow in the image, of {nx} x {ny} pixels, got '
               f'a full width at half maximum of {fwhm:.3g} pixels: give it '
               'in arcsec, or as a quantity in pixels')
        raise ValueError(msg)
    if not _SHARPEST <= round(fwhm, 2) <= _WIDEST:
        warnings.warn(
            f'the full width at half maximum of the PSF is {fwhm:.3g} '
            f'pixels: outside {_SHARPEST:g} to {_WIDEST:g}, clumps are not '
            'found reliably; is psf in arcsec, and the pixel scale right?',
            AstropyUserWarning, stacklevel=3)


def measure_marks(fit, psf, network, *, max_radius=3.0):
    """
    Measure all marks of a network, for the calibration of its classes.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The galaxy.

    psf : optional
        As for `find_clumps`.

    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        The network.

    max_radius : float, optional
        As for `find_clumps`.

    Returns
    -------
    rows : list of dict
        As `~astro_pix2prof.inference.clump_classes.class_features` takes
        them, with ``seen``; ``x`` and ``y`` are pixels of the image.
    """
    maps = make_maps(fit, find_width(fit, psf)[0], reach=max_radius)
    if maps is None:
        return []
    return _measure(fit, maps, *network_marks(network, maps), max_radius)


def measure_candidates(fit, maps, network, *, least=0.08, peak=4.5,
                       max_radius=3.0):
    """
    Measure the marks of a network, and peaks that it did not mark.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The galaxy.

    maps : `~astro_pix2prof.inference.clump_maps.ClumpMaps`
        Its maps.

    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        The network.

    least, peak : float, optional
        The least score of a mark, and the least signal-to-noise ratio of a
        peak.

    max_radius : float, optional
        As for `find_clumps`.

    Returns
    -------
    rows : list of dict
        As of `measure_marks`, with ``place`` in pixels of the maps.
    """
    marks, seen = network_marks(network, maps, turned=False)
    both = [(mark, part) for mark, part in zip(marks, seen, strict=True)
            if max(mark[2:]) >= least]
    both += [((*mark[:2], 1e-3, 1e-3), torch.zeros_like(seen[0]))
             for mark in (filter_marks(maps, peak) if both else [])]
    kept = clearest_marks([mark[:2] for mark, _ in both], SAME * maps.fwhm)
    return _measure(fit, maps, [both[k][0] for k in kept],
                    [both[k][1] for k in kept], max_radius)


def _fit_image(image, fitter, options):
    """
    Measure an image: its fit, and whether it is a picture.
    """
    if fitter is None:
        from astro_pix2prof.inference.fitter import Pix2ProfFitter

        fitter = Pix2ProfFitter()
    picture = isinstance(image, str | bytes) or hasattr(image, '__fspath__')
    picture = picture and not is_address(image) and is_picture(image)
    if picture:
        warn_of_calibration(options, str(image), stacklevel=3)
        image = read_picture(image, options.pop('band', None))
        options = picture_options(options)
    fit = as_fitter(fitter).fit(image, **options)
    if picture:
        fit.profile.meta['picture'] = True
    return fit, picture


@lru_cache(maxsize=2)
def load_detector(weights):
    """
    Load the weights of a clump network, once.

    Parameters
    ----------
    weights : str
        As for `find_clumps`.

    Returns
    -------
    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
    card : dict

    Raises
    ------
    ValueError
        If they are those of another network, or of another version.
    FileNotFoundError
        If the file or its model card does not exist.
    """
    find_weights(weights, kinds=('clumps',))
    network, card = load_network(weights)
    if not isinstance(network, ClumpNetwork):
        msg = (f'weights must be those of a clump network, got {weights!r}, '
               f'which are of a {architecture_of(network).title}')
        raise ValueError(msg)
    if network.config.measured not in (0, N_MEASURED):
        msg = (f'weights: the class head of {weights!r} takes '
               f'{network.config.measured} numbers of a mark, this version '
               f'measures {N_MEASURED}: train the head again')
        raise ValueError(msg)
    return network, card


def _measure(fit, maps, found, seen, max_radius):
    """
    Measure what was found: a list of dictionaries, without classes.
    """
    shapes = seen is not None
    ny, nx = maps.good.shape
    kept, rest = [], []
    for k, (x, y, *p) in enumerate(found):
        i, j = (int(np.clip(round(v), 0, n - 1))
                for v, n in ((x, nx), (y, ny)))
        away = float(np.hypot(x - maps.centre[0], y - maps.centre[1]))
        if not maps.good[j, i] or away < _CORE * maps.fwhm:
            continue
        radius = _radius_at(fit, *maps.to_image(x, y)) / maps.step
        if radius > max_radius * maps.r50:
            continue
        kept.append((x, y, *p, radius))
        rest.append(seen[k] if shapes else None)
    if not kept:
        return []
    x, y, clump, odd, sma = np.array(kept, dtype=float).T
    one = maps.maps
    sources = fit_fluxes(one.residual[0].numpy(), maps.good,
                         maps.variance(), x, y, maps.fwhm, shapes=shapes)
    around = (describe_surroundings(maps, x, y) if shapes
              else [{}] * len(x))
    light = maps.flux / maps.unit / (np.pi * maps.r50**2)
    px, py = maps.to_image(x, y)
    flags = source_flags(fit.cutout, fit.centre, px, py,
                         maps.fwhm * maps.step,
                         [source.covered for source in sources])
    rows = []
    for k, source in enumerate(sources):
        # (what has no light above its surroundings is nothing)
        if not min(source.flux, source.likely_flux) > 0:
            continue
        rows.append({
            'x': px[k], 'y': py[k],
            **_likely_flux(maps, source, x[k], y[k]),
            'snr': source.flux / source.error,
            'share': source.flux * maps.unit / maps.flux,
            'sma': sma[k] * maps.step, 'r50': sma[k] / maps.r50,
            'scores': (clump[k], odd[k]), 'flag': flags[k],
            'width': source.width})
        if shapes:
            rows[-1].update(
                around[k], seen=rest[k], light=light,
                peak=source.flux / (1.13 * maps.fwhm**2), place=(x[k], y[k]),
                log_width=source.log_width, extended=source.extended,
                elongation=source.elongation)
    if shapes and rows:
        stamps = cut_stamps(one, *(torch.tensor(
            [row[name] for row in rows], dtype=torch.float32)
            for name in ('place', 'peak')), maps.fwhm)
        for row, stamp in zip(rows, stamps, strict=True):
            row['stamp'] = stamp
    return rows


def _likely_flux(maps, source, x, y):
    """
    Convert the flux of a source and its error to the unit of the image (dict).
    """
    model = maps.maps.model[0].numpy()
    j, i = (int(np.clip(round(v), 0, n - 1))
            for v, n in zip((y, x), model.shape, strict=True))
    beside = error_beside_noise(source.likely_flux, float(model[j, i]),
                                source.likely_width * maps.fwhm)
    error = np.hypot(source.likely_error, beside)
    return {'flux': source.likely_flux * maps.unit,
            'flux_err': float(error) * maps.unit}


def _radius_at(fit, x, y):
    """
    Find the semi-major axis through a place (pixels of the image).
    """
    ok = np.isfinite(fit.intensity) & np.isfinite(fit.eps)
    # (the one pixel of an image whose first pixel is there)
    offset = fit.centre[0] - float(x), fit.centre[1] - float(y)
    return float(elliptical_radius(
        (1, 1), offset, fit.sma[ok], fit.eps[ok],
        np.radians(fit.theta[ok]))[0, 0])
