# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Clumps of a galaxy in several bands: the sum of all, and fluxes in each.
"""

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.fitting.bands import (
    BandProfiles,
    colour_pairs,
    options_of,
    signal_to_noise,
    warn_of_colours,
)
from astro_pix2prof.fitting.base import as_fitter
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.fitting.joint import check_grids, stack_bands
from astro_pix2prof.image.astrometry import sky_to_pixel
from astro_pix2prof.inference.clump_maps import (
    MARGIN,
    USUAL_WIDTH,
    find_gain,
    known_width,
    make_maps,
    sky_noise,
)
from astro_pix2prof.inference.clump_table import source_flags
from astro_pix2prof.inference.point_sources import fit_fluxes
from astro_pix2prof.profile.flags import ClumpFlag

__all__ = ['BandFits', 'is_fit', 'read_bands']


# The noise of a sky pixel of the sum is this quantile of that of all pixels.
_DARK = 0.1

# In a band in which less than this part of the weight of the PSF is on good
# pixels, there is no flux.
_LEAST = 0.3


@dataclass
class BandFits:
    """
    The fits of a galaxy in several bands.

    Attributes
    ----------
    fits : dict of `~astro_pix2prof.ProfileFit`
        The fit of each band.

    reference : str
        The band whose pixels and ellipses count.

    pairs : list of tuple of str
        The bands of the colours.

    failed : list of str
        The bands that could not be measured.

    widths : dict of tuple
        By band, the full width at half maximum of the PSF in pixels and
        where it is from; see `find_widths`.

    shares : dict of float
        The part of each band in the sum; see `stack`.

    maps : dict of `~astro_pix2prof.inference.clump_maps.ClumpMaps`
        Of the bands whose fluxes were measured; see `measure`.
    """

    fits: dict
    reference: str
    pairs: list
    failed: list = field(default_factory=list)
    widths: dict = field(default_factory=dict)
    shares: dict = field(default_factory=dict)
    maps: dict = field(default_factory=dict)

    @property
    def first(self):
        """
        The fit of the reference.
        """
        return self.fits[self.reference]

    def find_widths(self, psf):
        """
        Find the widths of the PSFs.

        A band in which nothing tells the width takes that of another, in
        arcsec.

        Parameters
        ----------
        psf : optional
            One for all bands, or a dict with one for some of them, as for
            `~astro_pix2prof.find_clumps`.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If a width is not known.
        """
        for band, fit in self.fits.items():
            own = options_of(band, [*self.fits, *self.failed],
                             {'psf': psf}, where='fit')
            found = known_width(fit, own.get('psf'))
            if found is not None:
                self.widths[band] = found
        unknown = [band for band in self.fits if band not in self.widths]
        if not unknown:
            return
        others = [width * self._pixel(band)
                  for band, (width, _) in self.widths.items()]
        what = ('the width of other bands is taken' if others else
                f'{USUAL_WIDTH:g} pixels are assumed')
        warnings.warn(
            f'the width of the PSF in {", ".join(unknown)} is not known, and '
            f'no star in the image tells it: {what}, and colours may be '
            "wrong; give psf= a dict such as {'g': 1.4, 'r': 1.2}",
            AstropyUserWarning, stacklevel=3)
        for band in unknown:
            width = (np.median(others) / self._pixel(band) if others
                     else USUAL_WIDTH)
            self.widths[band] = float(width), 'assumed'

    def _pixel(self, band):
        """
        The length of a pixel of a band in pixels of the reference.
        """
        own, first = (fit.cutout.pixel_scale
                      for fit in (self.fits[band], self.first))
        return own / first if own and first else 1.0

    def stack(self):
        """
        Add the bands, each by its signal-to-noise ratio.

        Returns
        -------
        fit : `~astro_pix2prof.ProfileFit`
            The sum of all images with the ellipses of the reference, in its
            pixels and its unit.

        fwhm : float
            The width of the PSF in the sum, in pixels.

        source : str
            Where that is from.
        """
        cutouts = {band: _free_of_sky(fit, self.widths[band][0])
                   for band, fit in self.fits.items()}
        stack, self.shares = stack_bands(
            cutouts, first=self.reference, skies=dict.fromkeys(cutouts, 0.0))
        profile = self.first.profile.copy()
        profile.meta['noise'] = float(np.quantile(
            stack.noise[~stack.mask], _DARK))
        fwhm = sum(share * self.widths[band][0] * self._pixel(band)
                   for band, share in self.shares.items())
        sources = {source for _, source in self.widths.values()}
        source = next(name for name in ('assumed', 'noise', 'stars', 'given')
                      if name in sources)
        return replace(self.first, profile=profile, cutout=stack, sky=0.0,
                       tilt=0.0), float(fwhm), source

    def measure(self, rows, maps, max_radius):
        """
        Measure the fluxes of clumps in each band.

        Places and widths are those in the sum; the width is that of the
        clump behind the PSF of the band.

        Parameters
        ----------
        rows : list of dict
            All marks, as neighbours are fitted together; ``bands`` is added:
            flux, error and flag by band.

        maps : `~astro_pix2prof.inference.clump_maps.ClumpMaps`
            Those of the sum.

        max_radius : float
            As for `~astro_pix2prof.find_clumps`.
        """
        for row in rows:
            row['bands'] = {}
        room = max_radius * maps.r50 * maps.step + 2 * MARGIN * (
            maps.fwhm * maps.step)
        # (of what is wider than the PSF, the width without the PSF)
        beyond = np.array([max(row['width']**2 - 1, 0.0) for row in rows]) * (
            maps.fwhm * maps.step)**2
        for band, fit in self.fits.items():
            fwhm, pixel = self.widths[band][0], self._pixel(band)
            own = make_maps(fit, fwhm, reach=max_radius,
                            room=room / pixel + MARGIN * fwhm)
            if own is None:
                warnings.warn(
                    f'the galaxy has no light in {band}: clumps have no '
                    'flux in it', AstropyUserWarning, stacklevel=3)
                for row in rows:
                    row['bands'][band] = np.nan, np.nan, 0
                continue
            self.maps[band] = own
            self._measure_band(band, rows, np.sqrt(
                1 + beyond / (fwhm * pixel)**2))

    def _measure_band(self, band, rows, widths):
        fit, maps = self.fits[band], self.maps[band]
        px, py = self._place(band, rows)
        x, y = maps.to_maps(px, py)
        ny, nx = maps.good.shape
        inside = ((x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5))
        places = np.flatnonzero(inside)
        sources = fit_fluxes(
            maps.maps.residual[0].numpy(), maps.good, maps.variance(),
            x[inside], y[inside], maps.fwhm, widths=widths[inside])
        flags = source_flags(
            fit.cutout, fit.centre, px[inside], py[inside],
            self.widths[band][0], [source.covered for source in sources])
        for row in rows:
            row['bands'][band] = np.nan, np.nan, int(ClumpFlag.MASKED)
        for k, source, flag in zip(places, sources, flags, strict=True):
            flux, error = (value * maps.unit if source.covered > _LEAST
                           else np.nan for value in (
                               source.flux, source.error))
            rows[k]['bands'][band] = flux, error, flag
        for row in rows:
            row['flag'] |= row['bands'][band][2]

    def _place(self, band, rows):
        """
        Find the places of clumps in the pixels of a band.
        """
        x, y = (np.array([row[name] for row in rows], dtype=float)
                for name in 'xy')
        base, own = self.first.cutout, self.fits[band].cutout
        if band == self.reference:
            return x, y
        if base.wcs is None or own.wcs is None:
            return tuple(value + first - other for value, first, other in zip(
                (x, y), base.origin, own.origin, strict=True))
        places = np.array([sky_to_pixel(own.wcs, SkyCoord(
            *base.sky_position(*place), unit='deg')) for place in zip(
                x, y, strict=True)], dtype=float).reshape(-1, 2)
        return tuple(np.nan_to_num(places.T, nan=-1e6))

    def columns(self, rows, flux_columns):
        """
        Make the columns of fluxes, and of colours.

        Parameters
        ----------
        rows : list of dict
            The clumps, as `measure` leaves them.

        flux_columns : callable
            Makes the columns of one band of its cutout, of fluxes and their
            errors, and of the light of the galaxy and its error.

        Returns
        -------
        columns : dict
            The columns of each band, with ``_x`` at the end of their names,
            ``flag_x``, and for each colour ``x-y``, ``x-y_err`` and
            ``x-y_host``.
        """
        columns, host = {}, {}
        for band, fit in self.fits.items():
            found = np.array([row['bands'].get(band, (np.nan, np.nan, 0))
                              for row in rows], dtype=float).reshape(-1, 3)
            maps = self.maps.get(band)
            light = ((np.nan, np.nan) if maps is None
                     else (maps.flux, maps.flux_err))
            made = flux_columns(fit.cutout, found[:, 0], found[:, 1], *light)
            columns.update({f'{name}_{band}': values
                            for name, values in made.items()})
            columns[f'flag_{band}'] = found[:, 2].astype(np.int32)
            around = self._host_light(band, rows)
            host[band] = flux_columns(fit.cutout, around, around, np.nan,
                                      np.nan).get('mag')
        for one, two in self.pairs:
            if not {f'mag_{one}', f'mag_{two}'} <= columns.keys():
                continue
            name = f'{one}-{two}'
            columns[name] = columns[f'mag_{one}'] - columns[f'mag_{two}']
            columns[f'{name}_err'] = np.hypot(columns[f'mag_err_{one}'],
                                              columns[f'mag_err_{two}'])
            columns[f'{name}_host'] = host[one] - host[two]
        return columns

    def _host_light(self, band, rows):
        """
        Find the light of the galaxy at the radii of clumps.

        It is that of the rings that were fitted robustly in the search, the
        mean along the ellipse: clumps are in the rings of profiles in part.
        """
        maps = self.maps.get(band)
        if maps is None:
            return np.full(len(rows), np.nan)
        model, radius = (part[0].numpy() for part in (
            maps.maps.model, maps.maps.radius))
        out = []
        for row in rows:
            at = row['sma'] / self._pixel(band) / maps.step
            along = maps.good & (np.abs(radius - at) < max(
                0.5 * maps.fwhm, 1.0))
            out.append(np.mean(model[along]) if along.any() else np.nan)
        return np.array(out) * maps.unit / maps.step**2 / (
            self.fits[band].cutout.pixel_scale or 1.0)**2

    def meta(self):
        """
        Describe the bands (dict of texts and numbers).
        """
        systems = dict.fromkeys(filter(None, (
            fit.profile.meta.get('mag_system')
            for fit in self.fits.values())))
        described = {
            'bands': ' '.join(self.fits), 'reference': self.reference,
            'colours': ' '.join(f'{one}-{two}' for one, two in self.pairs),
            'mag_system': ' '.join(systems)}
        if self.shares:
            described['in_sum'] = ' '.join(
                f'{band}={share:.3f}' for band, share in self.shares.items())
        for band, (width, _) in self.widths.items():
            described[f'fwhm_{band}'] = float(width)
        for band, maps in self.maps.items():
            described[f'host_flux_{band}'] = maps.flux
        return described


def _free_of_sky(fit, fwhm):
    """
    Subtract the sky of a fit, and make a map of its noise.
    """
    cutout = copy.copy(fit.cutout)
    if cutout.noise is None:
        noise = sky_noise(fit)
        cutout.noise = np.sqrt(noise**2 + np.maximum(
            np.nan_to_num(fit.model()), 0) / find_gain(fit, noise, fwhm))
    cutout.data = fit.subtracted()
    return cutout


def is_fit(fit):
    """
    Tell whether an object is the result of the method ``fit`` (bool).
    """
    return isinstance(fit, ProfileFit) or all(
        hasattr(fit, name) for name in ('profile', 'cutout', 'mask', 'sma',
                                        'theta'))


def read_bands(fit, fitter, options, colours):
    """
    Read the fits of several bands, or measure their images.

    Parameters
    ----------
    fit : object
        The argument of `~astro_pix2prof.find_clumps`.

    fitter : `~astro_pix2prof.fitting.base.ProfileFitter` or `None`
        The fitter of images.

    options : dict
        Options of ``fit_bands``.

    colours : sequence of str, optional
        The colours.

    Returns
    -------
    bands : `BandFits` or `None`
        `None` if ``fit`` is one image or one fit.

    Raises
    ------
    TypeError, ValueError
        If they are not the fits or the images of several bands of one
        galaxy.
    """
    fits, reference = _find_fits(fit), None
    # (who measured several bands has warned of their colours)
    warned = isinstance(fit, BandProfiles)
    if warned:
        reference = fit.reference
        failed = fit.failed
        if colours is None:
            colours = fit.colours.meta.get('colours')
    elif fits is None and isinstance(fit, Mapping):
        if fitter is None:
            from astro_pix2prof.inference.fitter import Pix2ProfFitter

            fitter = Pix2ProfFitter()
        result = as_fitter(fitter).fit_bands(
            fit, colours=colours, keep_fits=True, **options)
        fits, reference, failed = result.fits, result.reference, result.failed
        colours = result.colours.meta['colours']
        options = {}
        fitter = None
        warned = True
    elif fits is None:
        if colours is not None:
            msg = ('colours need several bands: give a dict such as '
                   "{'g': image, 'r': image}")
            raise TypeError(msg)
        return None
    else:
        failed = {}
    given = [*options, *(['fitter'] if fitter is not None else [])]
    if given:
        msg = (f'{", ".join(given)} must not be given with fits, whose '
               'images were measured before')
        raise TypeError(msg)
    if failed:
        text = '; '.join(f'{band}: {what}' for band, what in failed.items())
        warnings.warn(f'clumps have no flux in bands that were not measured: '
                      f'{text}', AstropyUserWarning, stacklevel=3)
    pairs = [pair for pair in colour_pairs(
        [*fits, *failed] if colours else fits, colours)
        if set(pair) <= set(fits)]
    if reference not in fits:
        # (as for fit_bands; the ellipses may be those of the sum of all)
        reference = 'r' if 'r' in fits else max(
            fits, key=lambda band: signal_to_noise(fits[band].profile))
    if not warned:
        warn_of_colours({band: one.profile for band, one in fits.items()},
                        pairs)
    check_grids({band: one.cutout for band, one in fits.items()},
                name='the search in several bands')
    bands = BandFits(fits, reference, pairs, list(failed))
    _check_galaxy(bands)
    return bands


def _find_fits(fit):
    """
    Find the fits of several bands (dict), `None` if there are none.
    """
    if isinstance(fit, BandProfiles):
        if not fit.fits:
            msg = ('fit is a BandProfiles without its images: give the '
                   'images, {"g": image, ...}, or the result of fit_bands '
                   'with keep_fits=True')
            raise TypeError(msg)
        return dict(fit.fits)
    if isinstance(fit, Mapping):
        are = [is_fit(one) for one in fit.values()]
        if not any(are):
            return None
        wrong = [band for band, known in zip(fit, are, strict=True)
                 if not known]
        fits = dict(fit)
    elif isinstance(fit, list | tuple) and any(is_fit(one) for one in fit):
        fits, wrong = {}, []
        for k, one in enumerate(fit):
            if not is_fit(one):
                wrong.append(k)
                continue
            band = one.profile.meta.get('band')
            if band is None or band in fits:
                msg = ('fit is a list of fits whose images name no band of '
                       "their own: give a dict such as {'g': fit_g, 'r': "
                       f'fit_r}}, got the band {band!r} in number {k}')
                raise ValueError(msg)
            fits[band] = one
    else:
        return None
    if wrong:
        msg = ('fit must have images of all bands, or fits of all (as '
               f'fitter.fit(image) returns them), but {wrong} are no fits')
        raise TypeError(msg)
    if len(fits) < 2 or not all(isinstance(band, str) and band
                                for band in fits):
        msg = ('fit must have two or more bands, named by strings, got '
               f'{list(fits)}: for one band, give its fit')
        raise ValueError(msg)
    return fits


def _check_galaxy(bands):
    """
    Refuse fits of different galaxies.
    """
    for band, fit in bands.fits.items():
        x, y = bands._place(bands.reference, [dict(zip(
            'xy', bands.first.centre, strict=True))])
        (px,), (py,) = bands._place(band, [{'x': x[0], 'y': y[0]}])
        apart = np.hypot(px - fit.centre[0], py - fit.centre[1])
        size = float(np.nanmax(bands.first.sma)) / bands._pixel(band)
        if apart > size:
            msg = (f'fit must have the bands of one galaxy, but the centre in '
                   f'{band} is {apart:.0f} pixels from that in '
                   f'{bands.reference}')
            raise ValueError(msg)
