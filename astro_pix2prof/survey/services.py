# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Services on the web that cut images of galaxies out of sky surveys.
"""

from __future__ import annotations

import hashlib
import io
import re
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.config.paths import get_cache_dir_path
from astropy.coordinates import SkyCoord
from astropy.io import fits

from astro_pix2prof.addresses import is_address
from astro_pix2prof.arguments import (
    check_choice,
    check_integer,
    check_positive,
    check_text,
)
from astro_pix2prof.image.files import read_pixels
from astro_pix2prof.image.fits import choose_hdu
from astro_pix2prof.image.position import read_position
from astro_pix2prof.image.units import is_surface_brightness, parse_unit
from astro_pix2prof.image.zeropoint import unit_zeropoint
from astro_pix2prof.survey.download import (
    Downloader,
    DownloadError,
    answer_text,
)

if TYPE_CHECKING:
    from typing import Any

    from astropy.units import Quantity

    from astro_pix2prof.typing import PathLike

__all__ = ['CutoutService']


_URLS = {
    'legacy': 'https://www.legacysurvey.org/viewer/fits-cutout',
    'ps1': 'https://ps1images.stsci.edu/cgi-bin',
    'hips2fits': 'https://alasky.cds.unistra.fr/hips-image-services/hips2fits',
}

# Pixel scales in arcsec of the coadds of the Legacy Surveys and of the stacks
# of Pan-STARRS1.
_LEGACY_SCALE, _PS1_SCALE = 0.262, 0.25

# Layers of the viewer whose values are nanomaggies in a pixel of a coadd,
# whatever the scale of the cut-out: it is resampled, not summed up.
_LEGACY_LAYERS = re.compile(r'ls-dr\d[\w.-]*')

_BANDS = {'legacy': 'ugriz', 'ps1': 'grizy'}

# Pixels along a side.
_WIDEST = 10000

# Requests in a second, of public services.
_FASTEST = 10

# Characters of a layer in the name of a file.
_NAME = 60


class CutoutService:
    """
    A service on the web that cuts images of galaxies out of a sky survey.

    Give it as ``images`` to `~astro_pix2prof.run_survey`: a catalogue of
    positions is enough then. Each image is fetched once and kept.

    Parameters
    ----------
    service : {'legacy', 'ps1', 'hips2fits'}
        The viewer of the Legacy Surveys, the image server of Pan-STARRS1, or
        hips2fits of the CDS.

    layer : str, optional
        The survey: of 'legacy', a layer of the viewer, by default
        'ls-dr10'; of 'hips2fits', the name of a HiPS such as
        'CDS/P/DES-DR2/r'.

    band : str, optional
        The band, by default 'r'; with 'hips2fits', only its name.

    pixel_scale : float or `~astropy.units.Quantity`, optional
        The pixel scale to ask for in arcsec. It is that of the coadds
        (0.262) by default for 'legacy', has to be given for 'hips2fits',
        and cannot be chosen for 'ps1' (0.25).

    cache : str or path-like, optional
        The folder of this machine where the images are kept, by default
        astropy's folder for such files. All processes of a cluster need it
        under the same name.

    rate : float, optional
        The requests in a second at most, of all processes together that
        have the same ``cache`` and ``rate``.

    attempts : int, optional
        How often an image is asked for at most, from 1 to 4, if the
        service does not answer or is overloaded.

    url : str, optional
        The address of another server that answers as the service does.

    Raises
    ------
    ValueError, TypeError
        If an option is not known, missing, or of no use for the service.

    See Also
    --------
    run_survey : Measure the galaxies of a catalogue.

    Examples
    --------
    >>> from astro_pix2prof import CutoutService
    >>> service = CutoutService('legacy', 'ls-dr9', band='g')
    >>> service
    <CutoutService: legacy ls-dr9, band g, 0.262 arcsec>
    >>> service.options['unit'], service.options['native_pixel_scale']
    ('nmgy', 0.262)
    """

    def __init__(self, service: str,
                 layer: str | None = None, *, band: str | None = None,
                 pixel_scale: float | Quantity | None = None,
                 cache: PathLike | None = None, rate: float = 1.0,
                 attempts: int = 4, url: str | None = None) -> None:
        self.service = check_choice(service, 'service', tuple(_URLS))
        self.layer = check_text(layer, 'layer', optional=True)
        self.band = check_text(band, 'band', optional=True)
        scale = check_positive(pixel_scale, 'pixel_scale', optional=True,
                               unit=(u.arcsec, u.arcsec / u.pix))
        check = {'legacy': self._check_legacy, 'ps1': self._check_ps1,
                 'hips2fits': self._check_hips}[self.service]
        self.pixel_scale = check(scale)
        self.url = _URLS[self.service]
        if url is not None:
            self.url = check_text(url, 'url').rstrip('/')
            if not re.match(r'https?://[^/?#]+[^?#]*$', self.url):
                msg = (f'url={url!r} must be the address of a service, such '
                       f'as {_URLS[self.service]!r}')
                raise ValueError(msg)
        self.rate = check_positive(rate, 'rate')
        if url is None and self.rate > _FASTEST:
            msg = (f'rate={rate} is more than a public service should get: '
                   f'{_FASTEST} requests in a second at most')
            raise ValueError(msg)
        if cache is None:
            cache = get_cache_dir_path('astro_pix2prof',
                                       ensure_exists=False) / 'cutouts'
        if is_address(cache):
            msg = f'cache={str(cache)!r} must be a folder of this machine'
            raise ValueError(msg)
        self.cache = Path(cache).expanduser().absolute()
        self.attempts = check_integer(attempts, 'attempts', least=1, most=4)
        self._downloader = Downloader(self.cache, self.rate, self.attempts)

    def __repr__(self):
        return f'<CutoutService: {self.describe()}>'

    @classmethod
    def from_text(cls, text: str, **options: Any) -> CutoutService:
        """
        Make a service of its name and layer in one text.

        Parameters
        ----------
        text : str
            Such as 'ps1', 'legacy:ls-dr9' or 'hips2fits:CDS/P/DES-DR2/r'.

        **options
            The other options.

        Returns
        -------
        service : `CutoutService`
        """
        service, _, layer = text.partition(':')
        return cls(service, layer or None, **options)

    def in_band(self, band: str) -> CutoutService:
        """
        Make the same service in another band.

        Parameters
        ----------
        band : str
            The band. ``{band}`` in the layer stands for it.

        Returns
        -------
        service : `CutoutService`
            It shares the cache, and the rate of requests.
        """
        layer = self.layer and self.layer.replace('{band}', band)
        own = self.pixel_scale if self.service != 'ps1' else None
        return CutoutService(
            self.service, layer, band=band, pixel_scale=own,
            cache=self.cache, rate=self.rate, attempts=self.attempts,
            url=None if self.url == _URLS[self.service] else self.url)

    def _check_legacy(self, scale):
        """
        Check the options of the Legacy Surveys; return the pixel scale.
        """
        self.layer = self.layer or 'ls-dr10'
        self._check_band()
        return _LEGACY_SCALE if scale is None else scale

    def _check_ps1(self, scale):
        """
        Check the options of Pan-STARRS1; return the pixel scale.
        """
        if self.layer is not None:
            msg = (f'layer={self.layer!r} is of no use for ps1, which gives '
                   'the stacks of Pan-STARRS1')
            raise ValueError(msg)
        if scale not in (None, _PS1_SCALE):
            msg = (f'pixel_scale={scale} is of no use for ps1, whose pixels '
                   f'are {_PS1_SCALE} arcsec')
            raise ValueError(msg)
        self._check_band()
        return _PS1_SCALE

    def _check_hips(self, scale):
        """
        Check the options of hips2fits; return the pixel scale.
        """
        if self.layer is None:
            msg = ('hips2fits needs layer=, the name of a HiPS such as '
                   "'CDS/P/DES-DR2/r'")
            raise ValueError(msg)
        if scale is None:
            msg = ('hips2fits needs pixel_scale=, the size of a pixel in '
                   'arcsec: a good choice is that of the survey')
            raise ValueError(msg)
        return scale

    def _check_band(self):
        self.band = 'r' if self.band is None else self.band
        known = _BANDS[self.service]
        if len(self.band) != 1 or self.band not in known:
            msg = (f'band={self.band!r} must be one of the bands of '
                   f'{self.service}: {", ".join(known)}')
            raise ValueError(msg)

    @property
    def _known(self):
        """
        The unit of the values, and the pixels that they refer to, if known.
        """
        if self.service == 'legacy' and _LEGACY_LAYERS.fullmatch(self.layer):
            return {'unit': 'nmgy', 'native_pixel_scale': _LEGACY_SCALE}
        return {}

    @property
    def options(self) -> dict[str, Any]:
        """
        Options of `~astro_pix2prof.GalaxyCutout` for its images (dict).
        """
        found = dict(self._known)
        if self.band is not None:
            found['band'] = self.band
        return found

    def describe(self) -> str:
        """
        Describe all that determines the images.

        Returns
        -------
        text : str
        """
        text = self.service
        if self.layer is not None:
            text += f' {self.layer}'
        if self.band is not None:
            text += f', band {self.band}'
        text += f', {self.pixel_scale:.10g} arcsec'
        if self.url != _URLS[self.service]:
            text += f', {self.url}'
        return text

    def complete(self, options: dict[str, Any]) -> dict:
        """
        Complete the options of all images, which the headers do not tell.

        Parameters
        ----------
        options : dict
            Options of `~astro_pix2prof.GalaxyCutout`, as the user gave them.

        Returns
        -------
        options : dict
            With those that are known of the service.

        Raises
        ------
        ValueError
            If they contradict what is known, or if nothing is known of the
            unit of the images and the user does not give it.
        """
        if options.get('pixel_scale') is not None:
            msg = ('pixel_scale= is an option of the CutoutService: its '
                   'images have a WCS')
            raise ValueError(msg)
        for name, value in self.options.items():
            given = options.get(name)
            same = given is None or (
                parse_unit(given) == parse_unit(value) if name == 'unit'
                else given == value)
            if not same:
                msg = (f'{name}={given!r} contradicts the images of '
                       f'{self.service}, for which it is {value!r}')
                raise ValueError(msg)
        options = {**options, **self.options}
        # (the headers of Pan-STARRS1 tell)
        if not (self._known or self.service == 'ps1'
                or options.get('calibrated') is False):
            self._check_unit(options)
        return options

    def _check_unit(self, options):
        """
        Demand the unit of the pixels, and the pixels that it refers to.
        """
        what = f'images of {self.service} {self.layer}'
        unit = parse_unit(options.get('unit'))
        if options.get('zeropoint') is None and unit_zeropoint(unit) is None:
            msg = (f'{what} have no unit that is known: give unit= (a flux '
                   "unit like 'nmgy' or 'MJy/sr') or zeropoint= (the "
                   'magnitude of one data unit) of the survey that it is '
                   'made of, or calibrated=False for a profile without '
                   'magnitudes')
            raise ValueError(msg)
        if (options.get('native_pixel_scale') is None
                and not is_surface_brightness(unit)):
            msg = (f'{what} are resampled: give native_pixel_scale=, the size '
                   'in arcsec of the pixels of the survey that it is made '
                   'of, to which the values refer')
            raise ValueError(msg)

    def width(self, size: int | str | Quantity) -> int:
        """
        Convert the size of a cut-out to pixels.

        Parameters
        ----------
        size : int, str or `~astropy.units.Quantity`
            Pixels, or an angle; of two, the larger one counts.

        Returns
        -------
        width : int
            The pixels along each side.

        Raises
        ------
        ValueError
            If it is no angle, not positive, or more than 10000 pixels.
        """
        if isinstance(size, str):
            size = u.Quantity(size)
        if isinstance(size, u.Quantity):
            if size.unit in (u.pix, u.dimensionless_unscaled):
                size = size.value
            else:
                size = size.to_value(u.arcsec) / self.pixel_scale
        # (a little less, for angles that are whole numbers of pixels)
        width = np.ceil(np.max(size) - 1e-6)
        if not 1 <= width <= _WIDEST:
            msg = (f'size is {width:.0f} pixels of {self.pixel_scale:g} '
                   f'arcsec, but must be from 1 to {_WIDEST}')
            raise ValueError(msg)
        return int(width)

    def fetch(self, position: tuple[float, float] | SkyCoord | str,
              size: int | str | Quantity) -> Path:
        """
        Fetch the image around a position, or find it in the cache.

        Parameters
        ----------
        position : `~astropy.coordinates.SkyCoord`, tuple or str
            A position on the sky, as for `~astro_pix2prof.GalaxyCutout`.

        size : int, str or `~astropy.units.Quantity`
            The size: pixels or an angle such as '60arcsec'.

        Returns
        -------
        path : `~pathlib.Path`
            The FITS file.

        Raises
        ------
        OSError
            If the service does not give the image.

        RuntimeError
            If the service does not work at all, or nothing can be written to
            the cache.

        TypeError, ValueError
            If the position is none on the sky, or the size is none.
        """
        position = read_position(position)
        if not isinstance(position, SkyCoord):
            msg = ('position must be on the sky, such as a SkyCoord or '
                   "'184.7 12.4' (degrees)")
            raise TypeError(msg)
        sky = position.icrs
        return self.fetch_name(self.name(
            float(sky.ra.deg), float(sky.dec.deg), self.width(size)))

    def prepare(self) -> None:
        """
        Check that images can be kept.

        Raises
        ------
        RuntimeError
            If nothing can be written to the cache.
        """
        self._downloader.prepare()

    def name(self, ra: float, dec: float, width: int) -> str:
        """
        Make the name of the file of an image, which says all about it.

        Parameters
        ----------
        ra, dec : float
            The position in degrees (ICRS).

        width : int
            The pixels along each side.

        Returns
        -------
        name : str
            Its name in the cache.
        """
        # (0.4 mas)
        ra, dec = round(ra % 360, 7) % 360, round(dec, 7) + 0.0
        what = '_'.join(part[:_NAME] for part in (
            self.service, self.layer, self.band) if part)
        what = re.sub(r'[^\w.+-]', '_', what)
        digest = hashlib.sha256(
            f'{self.describe()} {ra:.7f} {dec:.7f} {width}'.encode())
        # (folders of some 1/256 each: large ones take long to list)
        key = digest.hexdigest()
        return (f'{key[:2]}/{what}_{ra:.7f}{dec:+.7f}_{width}_{key[:12]}'
                '.fits')

    def fetch_name(self, name: str) -> Path:
        """
        Fetch the image of a name, or find it in the cache.

        Parameters
        ----------
        name : str
            As `name` makes it.

        Returns
        -------
        path : `~pathlib.Path`
            The FITS file.
        """
        ra, dec, width = re.search(
            r'_(\d+\.\d+)([+-]\d+\.\d+)_(\d+)_\w+\.fits$', name).groups()
        dec = dec.removeprefix('+')
        load = {'legacy': self._load_legacy, 'ps1': self._load_ps1,
                'hips2fits': self._load_hips}[self.service]
        return self._downloader.fetch(
            name, lambda get: load(get, ra, dec, int(width)))

    def _load_legacy(self, get, ra, dec, width):
        query = {'ra': ra, 'dec': dec, 'layer': self.layer,
                 'pixscale': f'{self.pixel_scale:.10g}', 'bands': self.band,
                 'size': width}
        # (a band that the layer does not have is replaced by all others)
        return get(_join(self.url, query), _check_image(width, self.band))

    def _load_hips(self, get, ra, dec, width):
        query = {'hips': self.layer, 'ra': ra, 'dec': dec, 'width': width,
                 'height': width, 'projection': 'TAN', 'coordsys': 'icrs',
                 'fov': f'{width * self.pixel_scale / 3600:.12g}',
                 'format': 'fits'}
        return get(_join(self.url, query), _check_image(width))

    def _load_ps1(self, get, ra, dec, width):
        listing = get(_join(f'{self.url}/ps1filenames.py', {
            'ra': ra, 'dec': dec, 'filters': self.band, 'type': 'stack'}))
        query = {'ra': ra, 'dec': dec, 'size': width, 'format': 'fits',
                 'red': self._stack_in(listing, ra, dec)}
        return get(_join(f'{self.url}/fitscut.cgi', query), _check_image())

    def _stack_in(self, listing, ra, dec):
        """
        Find the stack of the band in a list of images.
        """
        head, *rows = listing.decode('utf-8', 'replace').splitlines() or ['']
        names = head.split()
        if not {'filter', 'type', 'filename'} <= set(names):
            msg = ('the service answers without a list of images: '
                   f'{answer_text(listing) or "nothing"}')
            raise DownloadError(msg)
        for row in rows:
            found = dict(zip(names, row.split(), strict=False))
            if (found.get('filter'), found.get('type')) == (
                    self.band, 'stack') and 'filename' in found:
                return found['filename']
        msg = f'Pan-STARRS1 has no stack in {self.band} at {ra} {dec}'
        raise FileNotFoundError(msg)


def _join(address, query):
    return f'{address}?{urllib.parse.urlencode(query, safe="/")}'


def _check_image(width=None, band=None):
    """
    Make a check that an answer is a whole image with something in it.

    Services send smaller images than those asked for if these are too large,
    empty ones where they have no data, and other bands (BANDS) than one that
    they do not have.
    """
    def check(data):
        if not data.startswith(b'SIMPLE  ='):
            msg = ('the answer is no FITS image but '
                   f'{answer_text(data)!r}')
            raise DownloadError(msg)
        try:
            with fits.open(io.BytesIO(data), memmap=False) as hdulist:
                chosen = choose_hdu(hdulist, None, None)
                pixels, bands = read_pixels(chosen), chosen.header.get('BANDS')
        except (OSError, ValueError, TypeError, KeyError) as error:
            text = ' '.join(str(error).split())[:200]
            msg = f'the answer is no whole FITS image ({text})'
            raise DownloadError(msg, retry=True) from error
        shape = pixels.shape[-2:]
        if width is not None and shape != (width, width):
            msg = (f'the service sends {shape[1]} x {shape[0]} pixels instead '
                   f'of {width} x {width}: give a smaller size or larger '
                   'pixels')
            raise DownloadError(msg)
        if band is not None and str(bands).strip() != band:
            msg = (f'the service sends the bands {bands!r} instead of {band!r}'
                   ', which the survey may not have')
            raise DownloadError(msg)
        if not np.any(np.isfinite(pixels) & (pixels != 0)):
            msg = ('the service has no data at this position: all pixels of '
                   'the image are 0 or not-a-number')
            raise DownloadError(msg)

    return check
