# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Conventions of archives: packed pixels, and files and flags beside an image.
"""

import glob
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import beside, is_address
from astro_pix2prof.image.header import header_number

__all__ = ['BITS_KEYWORD', 'Companion', 'companion_files', 'mask_bits',
           'unpack_pixels']


# Pogson's ratio, 2.5 log10(e), by which the pixels of Pan-STARRS1 are packed
_POGSON = 2.5 * np.log10(np.e)

# Packed pixels are magnitudes: no flux is e**90 times the softening.
_LARGEST_PACKED = 100.0

# Where the bits of a mask are noted that is cut out of a file.
BITS_KEYWORD = 'BADBITS'

# Mask planes of the Rubin and HSC pipelines that spoil a pixel; others,
# like DETECTED, mark the galaxy itself.
_LSST_PLANES = ('BAD', 'SAT', 'CR', 'NO_DATA', 'EDGE', 'SUSPECT',
                'UNMASKEDNAN', 'BRIGHT_OBJECT')

# The DQ flag DO_NOT_USE, and INVALID of Euclid; the other flags tell what was
# corrected, or mark objects.
_DO_NOT_USE = {'JWST': 1, 'ROMAN': 1, 'EUCLID': 1}

# DES (Morganson et al. 2018, PASP 130, 074501): dead, saturated, interpolated
# pixels, bad amplifiers, cosmic rays, bleed trails, edges and streaks. Not:
# STAR, SSXTALK, SUSPECT, FIXED, NEAREDGE and TAPEBUMP, which cover the light
# of galaxies near stars, or were corrected.
_DES = 1 | 2 | 4 | 8 | 16 | 64 | 128 | 512 | 1024

# Pan-STARRS1 (Waters et al. 2020, ApJS 251, 4): all but SUSPECT, STARCORE,
# CONV.POOR and MARK.
_PS1 = 0xffff & ~(0x0080 | 0x1000 | 0x4000 | 0x8000)

# KiDS (de Jong et al. 2017, A&A 604, A134): readout spikes, saturated cores,
# diffraction spikes and bad pixels, not the wide haloes of stars.
_KIDS = 1 | 2 | 4 | 64

# Euclid: INVALID, which goes with every flag that spoils a pixel. Others
# mark objects.
_EUCLID = 1

# Legacy Surveys (DR8 to DR10): SATUR and ALLMASK of each band. NPRIMARY,
# BRIGHT, MEDIUM, GALAXY and CLUSTER do not tell that a pixel is bad.
_LEGACY = {'g': 1 << 2 | 1 << 5, 'r': 1 << 3 | 1 << 6, 'z': 1 << 4 | 1 << 7,
           'i': 1 << 14 | 1 << 15}


@dataclass(frozen=True)
class Companion:
    """
    A file that belongs to the image of another file.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    role : {'mask', 'error', 'weight'}
        The meaning of its pixels. Only the zeros of a weight matter: its
        unit differs from archive to archive.

    power : {1, 2, -2}, optional
        The power of sigma that the values of an error are.

    bits : int, optional
        The bits of a mask that reject a pixel, all if `None`.
    """

    path: Path
    role: str
    power: int = 1
    bits: int | None = None


# Names of images, without .fits and what may follow; and of the files that
# belong to them, in which * stands for anything: role, power, bits.
_FILES = (
    # Pan-STARRS1, stacks and warps
    (r'(?P<stem>rings\.v\d+\.skycell\..+)', (
        ('{stem}.mask', 'mask', 1, _PS1), ('{stem}.wt', 'error', 2, None))),
    (r'(?P<stem>legacysurvey-.+)-image-(?P<band>\w+)', (
        ('{stem}-maskbits', 'mask', 1, None),
        ('{stem}-invvar-{band}', 'error', -2, None))),
    (r'(?P<stem>KiDS_.+)_sci', (
        ('{stem}_msk', 'mask', 1, _KIDS), ('{stem}_wei', 'weight', 1, None))),
    (r'EUC_MER_(BGSUB-)?MOSAIC-(?P<stem>[\w-]+)_(?P<tile>TILE\d+)-.+', (
        ('EUC_MER_MOSAIC-{stem}-FLAG_{tile}-*', 'mask', 1, _EUCLID),
        ('EUC_MER_MOSAIC-{stem}-RMS_{tile}-*', 'error', 1, None))),
    # pipelines of NOIRLab (DECam, 90Prime, Mosaic-3): every code of the mask
    # rejects a pixel
    (r'(?P<stem>(c4d|ksb|k4m)_\d{6}_\d{6}_o[a-z])i(?P<rest>_.+)', (
        ('{stem}d{rest}', 'mask', 1, None),
        ('{stem}w{rest}', 'weight', 1, None))),
    # UNIONS and MegaPipe
    (r'(?P<stem>(MegaPipe|CFIS|UNIONS|PSUNIONS|WISHES|WHIGS)[._-].+)', (
        ('{stem}.weight', 'weight', 1, None),)),
    # Atlas images of WISE
    (r'(?P<stem>.+-w[1-4])-int-3', (
        ('{stem}-unc-3', 'error', 1, None),
        ('{stem}-cov-3', 'weight', 1, None))),
    (r'(?P<stem>unwise-.+-w[1-4])-img-(?P<kind>[mu])', (
        ('{stem}-invvar-{kind}', 'error', -2, None),
        ('{stem}-n-{kind}', 'weight', 1, None))),
    # VISTA and UKIDSS: confidence maps (of tiles and stacks)
    (r'(?P<stem>[vw]\d{8}_\d+.*)', (('{stem}_conf', 'weight', 1, None),)),
    # drizzled images of HST and JWST
    (r'(?P<stem>.+)_(sci|drz|drc)', (
        ('{stem}_wht', 'weight', 1, None), ('{stem}_rms', 'error', 1, None))),
    # maps of the noise, as SExtractor and others have them
    (r'(?P<stem>.+)', (('{stem}_rms', 'error', 1, None),)),
)

_SUFFIX = re.compile(r'\.(fits?|fts)(\.(gz|fz|bz2|xz|Z))?$', re.IGNORECASE)

# The endings of files that are looked for beside an image.
_ENDINGS = [f'.{kind}{packed}' for kind in ('fits', 'fit', 'fts')
            for packed in ('', '.gz', '.fz', '.bz2', '.xz', '.Z')]


def companion_files(path):
    """
    Find the masks, errors and weights beside an image of an archive.

    Parameters
    ----------
    path : `~pathlib.Path` or ``upath.UPath``
        The file of the image, which has the name that the archive gave it.
        Beside an address, files are tried that have the same ending, since
        a folder with many of them takes long to list.

    Returns
    -------
    companions : list of `Companion`
        The files that exist in the same folder.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are several of a kind, which are not used then.
    """
    suffix = _SUFFIX.search(path.name)
    if suffix is None:
        return []
    stem = path.name[:suffix.start()]
    matches = [(re.fullmatch(pattern, stem), companions)
               for pattern, companions in _FILES]
    match, companions = next((item for item in matches if item[0]),
                             (None, ()))
    if match is None:
        return []
    found = []
    for template, role, power, bits in companions:
        if is_address(path):
            # (no name with * is tried)
            name = template.format(**match.groupdict()) + suffix.group()
            other = None if '*' in template else beside(path, name)
            files = [] if other is None or other == path else [other]
        else:
            files = _list_files(template, match.groupdict(), path)
        if len(files) > 1:
            # the same file, packed in another way
            same = [file for file in files
                    if file.name.endswith(suffix.group())]
            files = same if len(same) == 1 else files
        if len(files) > 1:
            warnings.warn(f'{path.name} has {len(files)} files beside it '
                          f'that may be its {role}, which are not used: '
                          f'{", ".join(file.name for file in files)}',
                          AstropyUserWarning, stacklevel=2)
        elif files:
            if template.endswith('maskbits'):
                bits = _legacy_bits(match['band'])
            found.append(Companion(files[0], role, power, bits))
    return found


def _list_files(template, values, path):
    """
    List the files beside an image that a template stands for.
    """
    if '*' not in template:
        # (each by its name: a folder of a survey takes long to list)
        stem = os.path.join(path.parent, template.format(**values))
        files = [f'{stem}{ending}' for ending in _ENDINGS
                 if os.path.lexists(f'{stem}{ending}')]
    else:
        stem = template.format(**{key: glob.escape(value)
                                  for key, value in values.items()})
        files = glob.glob(f'{glob.escape(str(path.parent))}/{stem}.f*')
    return [Path(name) for name in sorted(files)
            if _SUFFIX.search(name) and Path(name) != path]


def _legacy_bits(band):
    return _LEGACY.get(band, sum(_LEGACY.values()))


def mask_bits(mask_header, header, *, name='', band=None, weight=''):
    """
    Find the bits of a mask that reject a pixel, as its archive defines them.

    Parameters
    ----------
    mask_header : `~astropy.io.fits.Header`
        The header of the mask.

    header : mapping
        Header values of the image by upper-case keyword.

    name : str, optional
        The name of the mask's extension.

    band : str, optional
        The band of the image.

    weight : str, optional
        The name of the extension with the weights.

    Returns
    -------
    bits : int or `None`
        The bits, `None` for all.
    """
    bits = mask_header.get(BITS_KEYWORD)
    if type(bits) is int:
        return bits
    planes = [mask_header.get(f'MP_{plane}') for plane in _LSST_PLANES]
    planes = {plane for plane in planes
              if type(plane) is int and 0 <= plane < 64}
    if planes:
        return sum(1 << plane for plane in planes)
    if (name, weight) == ('MSK', 'WGT'):
        return _DES
    if name == 'MASKBITS':
        return _legacy_bits(band)
    telescope = header.get('TELESCOP')
    return (_DO_NOT_USE.get(telescope.strip().upper())
            if isinstance(telescope, str) else None)


def unpack_pixels(data, header):
    """
    Convert the packed pixels of Pan-STARRS1 to fluxes.

    Parameters
    ----------
    data : `~numpy.ndarray`
        The pixels.

    header : mapping
        The header. Pixels are packed if it has BSOFTEN and BOFFSET:
        flux = BOFFSET + 2 BSOFTEN sinh(data / (2.5 log10 e)).

    Returns
    -------
    data : `~numpy.ndarray`
        The fluxes; the pixels themselves if they are not packed.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the header says that pixels are packed, but they are too large.
    """
    softening = header_number(header, 'BSOFTEN')
    offset = header_number(header, 'BOFFSET')
    if softening is None or offset is None or softening <= 0:
        return data
    if np.asarray(data).dtype.kind not in 'iuf' or np.size(data) == 0:
        return data
    data = np.asarray(data, dtype=float)
    finite = np.abs(data[np.isfinite(data)])
    if finite.size and finite.max() > _LARGEST_PACKED:
        warnings.warn('the header has BSOFTEN and BOFFSET, but the pixels '
                      f'are up to {finite.max():.4g} and cannot be packed: '
                      'they are taken as fluxes',
                      AstropyUserWarning, stacklevel=2)
        return data
    return offset + 2 * softening * np.sinh(data / _POGSON)
