# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Copy the header of an image for another image of the same pixels.
"""

import os
import re
from collections.abc import Mapping
from contextlib import closing, suppress

import numpy as np
from astropy.io import fits
from astropy.nddata import NDData

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.fits import choose_hdu
from astro_pix2prof.image.plain import PlainImage

__all__ = ['image_header']


# Cards of the file, of how pixels are stored (packed ones of Pan-STARRS1
# too), of the unit and of the WCS: whoever writes the new image sets these.
_OF_FILE = re.compile(
    r'SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|NEXTEND|PCOUNT|GCOUNT|GROUPS|'
    r'EXTNAME|EXTVER|EXTLEVEL|INHERIT|CHECKSUM|DATASUM|END|'
    r'BSCALE|BZERO|BLANK|ZBLANK|BUNIT|BSOFTEN|BOFFSET|'
    r'WCS(AXES|NAME)[A-Z]?|(CTYPE|CRVAL|CRPIX|CDELT|CUNIT|CROTA)\d[A-Z]?|'
    r'(CD|PC|PV|PS)\d+_\d+[A-Z]?|PC00\d00\d|[AB]P?_(\d+_\d+|ORDER|DMAX)|'
    r'(LONPOLE|LATPOLE|RADESYS|EQUINOX)[A-Z]?|RADECSYS|EPOCH|'
    r'(CPDIS|CPERR|CQDIS|D2IMDIS|D2IMERR|DP|DQ|D2IM)\d.*|D2IMEXT|AXISCORR')


def image_header(image, *, hdu=None, band=None):
    """
    Copy the header of an image, without its structure and its WCS.

    Parameters
    ----------
    image : image of any kind
        See `astro_pix2prof.GalaxyCutout`.

    hdu, band : optional
        As for `astro_pix2prof.GalaxyCutout`.

    Returns
    -------
    header : `~astropy.io.fits.Header`
        The cards of the primary extension and of the one that holds the
        image; empty for images without a header.
    """
    if isinstance(image, (str, os.PathLike)) or is_address(image):
        path = find_path(image, 'image').expanduser()
        with closing(open_fits(path)) as hdulist:
            return image_header(hdulist, hdu=hdu, band=band)
    if isinstance(image, fits.HDUList):
        headers = [image[0].header, choose_hdu(image, hdu, band).header]
        if headers[0] is headers[1]:
            del headers[0]
    elif isinstance(image, PlainImage):
        headers = [image.cards]
    elif isinstance(image, NDData):
        headers = [image.meta]
    else:
        headers = [getattr(image, 'header', {})]
    result = fits.Header()
    for header in headers:
        _add_cards(result, header)
    return result


def _add_cards(result, header):
    """
    Add the cards of a header; those that cannot be read are left out.
    """
    if not isinstance(header, fits.Header):
        for key in header:
            value = header[key]
            if str(key).lower() == 'header' and isinstance(
                    value, (Mapping, fits.Header)):
                _add_cards(result, value)
            elif isinstance(key, str) and isinstance(
                    value, (str, bool, int, float, np.generic)) and (
                        not _OF_FILE.fullmatch(key.upper())):
                # (no place in a FITS header: not-a-number, line breaks)
                with suppress(ValueError):
                    result[key] = value
        return
    for card in header.cards:
        try:
            keyword, value, comment = card
        except (fits.VerifyError, ValueError):
            continue
        if keyword in ('COMMENT', 'HISTORY'):
            result.add_history(value) if keyword == 'HISTORY' else (
                result.add_comment(value))
        elif keyword and not _OF_FILE.fullmatch(keyword):
            result[keyword] = value, comment
