# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read FITS files: choose the extension and its companions.
"""

import warnings
from contextlib import closing, contextmanager

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import is_address
from astro_pix2prof.image.archives import (
    companion_files,
    mask_bits,
    unpack_pixels,
)
from astro_pix2prof.image.arrays import _header_unit, _read_array
from astro_pix2prof.image.astrometry import BrokenWCSError
from astro_pix2prof.image.beside import file_role, unread_files, warn_of_role
from astro_pix2prof.image.companions import extension_hint
from astro_pix2prof.image.compression import check_compression
from astro_pix2prof.image.extensions import (
    hdu_role,
    is_companion,
    named_suffix,
)
from astro_pix2prof.image.files import (
    check_sums,
    header_block,
    open_fits,
    read_pixels,
)
from astro_pix2prof.image.header import _header_text, header_values, read_wcs
from astro_pix2prof.image.plain import extension_wcs, read_plain
from astro_pix2prof.image.planes import ErrorPlane, mask_to_bool
from astro_pix2prof.image.units import is_counts_like, is_rate, parse_unit
from astro_pix2prof.image.wcs_cards import find_contradiction
from astro_pix2prof.wording import counted

__all__ = ['choose_hdu', 'same_chip']


# (as messages call them)
_KINDS = {'mask': 'mask', 'error': 'uncertainty'}


# Names of extensions with the image that is meant.
_SCIENCE = ('SCI', 'SCIENCE')

# Extensions that a message lists.
_LISTED = 6


def _read_file(path, hdu, band, bad_bits):
    first = hdu is None or (type(hdu) is int and hdu == 0)
    plain = read_plain(path) if first and not is_address(path) else None
    if plain is not None:
        parts = _read_plain_image(plain, band)
    else:
        # (all pixels are in memory when the file is closed)
        with _hinting(path), closing(open_fits(path)) as hdulist:
            parts = _read_hdulist(hdulist, hdu, band, bad_bits, check=True)
    # (bytes of a file name that are no UTF-8)
    name = path.name.encode('utf-8', 'replace').decode()
    parts.stem = name.split('.fit')[0]
    role = file_role(path.name)
    if role is not None:
        warn_of_role(parts.stem, role)
    companions = companion_files(path)
    for companion in companions:
        _add_file(parts, companion, bad_bits)
    parts.unread = unread_files(path, [item.path for item in companions])
    for companion in companions:
        parts.unread.pop(companion.role, None)
    if parts.name is None:
        parts.name = parts.stem
    return parts


@contextmanager
def _hinting(path):
    """
    Say how an extension is chosen, if FILE[EXT] was given and is no file.
    """
    try:
        yield
    except FileNotFoundError as exc:
        hint = '' if is_address(path) else extension_hint(path)
        if not hint:
            raise
        msg = f'no such file: {path}{hint}'
        raise FileNotFoundError(msg) from exc


def _read_plain_image(image, band):
    parts = _read_pixels(image.pixels, image.cards, band,
                         header_values(image.cards))
    parts.wcs = image.wcs
    _warn_of_wcs(parts.wcs, image.cards)
    return parts


def _warn_of_wcs(wcs, header):
    """
    Warn of a WCS whose keywords contradict each other.
    """
    text = '' if wcs is None else find_contradiction(header)
    if text:
        warnings.warn(f'the WCS contradicts itself: the header has {text}; '
                      'give an image with one WCS if that is wrong',
                      AstropyUserWarning, stacklevel=3)


def _is_image(hdu):
    # (the size in the header, so that nothing is read from disk)
    return hdu.is_image and len(hdu.shape) >= 2


def _hdu_band(hdu):
    return _header_text(hdu.header, 'BAND', 'FILTER')


def _read_hdulist(hdulist, hdu, band, bad_bits, *, check=False):
    """
    Read the image of a file or list, and what comes with it.

    Parameters
    ----------
    hdulist : `~astropy.io.fits.HDUList`
        The file.

    hdu, band, bad_bits : optional
        As for `astro_pix2prof.image.reading.read_image`.

    check : bool, optional
        Whether the headers are those of the file: the pixels are compared
        with their DATASUM and CHECKSUM.

    Returns
    -------
    parts : `ImageParts`
    """
    chosen = choose_hdu(hdulist, hdu, band)
    header = header_values(hdulist[0].header, chosen.header)

    def verify(item):
        if check:
            check_sums(hdulist, hdulist.index_of(item))

    if _is_image(chosen):
        verify(chosen)
    parts = _read_hdu(chosen, band, header, hdulist, of_file=check)
    parts.extension = chosen.name, chosen.ver
    found = _companions(hdulist, chosen)
    names = [(role.kind, role.name) for role, _ in found]
    weight = 'WGT' if ('weight', 'WGT') in names else ''
    is_des = weight and 'error' not in dict(names) and (
        'mask', 'MSK') in names
    for role, companion in found:
        verify(companion)
        pixels = unpack_pixels(read_pixels(companion), companion.header)
        kind, name = role.kind, role.name
        if kind == 'mask':
            if bad_bits is None:
                bits = mask_bits(companion.header, header, name=name,
                                 band=parts.band, weight=weight)
            else:
                bits = bad_bits
            _add_mask(parts, pixels, bits, f'the extension {name}')
        elif kind == 'context':
            _add_context(parts, pixels, name)
        elif kind == 'weight' and not (is_des and name == 'WGT'):
            _add_weight(parts, pixels, name)
        else:
            # (WGT of DES is an inverse variance)
            _add_error(parts, companion, pixels,
                       role.power if kind == 'error' else -2)
    return parts


def _add_mask(parts, pixels, bits, name):
    parts.masks.append(parts.select(mask_to_bool(pixels, bad_bits=bits,
                                                 name=name)))
    parts.flagged = True


def _add_context(parts, pixels, name):
    """
    Mask the pixels to which no exposure contributes.
    """
    used = np.asarray(pixels) != 0
    # (one plane for every 32 exposures)
    used = used if used.shape == parts.select.full else np.any(
        used.reshape(-1, *used.shape[-2:]), axis=0)
    _add_weight(parts, used, name)


def _add_weight(parts, pixels, name):
    """
    Mask the pixels without weight.
    """
    weight = parts.select(np.asarray(pixels), 'weight')
    missing = ~(weight > 0)
    if missing.all():
        warnings.warn(f'{name} is nowhere positive and is ignored',
                      AstropyUserWarning, stacklevel=2)
        return
    parts.masks.append(missing)


def _add_file(parts, companion, bad_bits):
    """
    Add a mask, an error or a weight from a file beside that of the image.
    """
    if companion.role == 'error' and parts.error is not None:
        return
    with closing(open_fits(companion.path)) as hdulist:
        images = [item for item in hdulist if _is_image(item)]
        shapes = (parts.select.full, parts.select.shape)
        same = same_chip([item for item in images if item.shape in shapes],
                         parts.extension)
        if len(same) != 1:
            number = counted(len(same), 'image') if same else 'no image'
            warnings.warn(f'{companion.path.name} has {number} of the shape '
                          f'{shapes[-1]} and is not used as {companion.role}',
                          AstropyUserWarning, stacklevel=2)
            return
        check_sums(hdulist, hdulist.index_of(same[0]))
        pixels = unpack_pixels(read_pixels(same[0]), same[0].header)
        if companion.role == 'mask':
            _add_mask(parts, pixels,
                      companion.bits if bad_bits is None else bad_bits,
                      companion.path.name)
        elif companion.role == 'weight':
            _add_weight(parts, pixels, companion.path.name)
        else:
            _add_error(parts, same[0], pixels, companion.power)


def same_chip(images, extension):
    """
    Choose, among images of one shape, that with the name of another image.

    Parameters
    ----------
    images : list of HDU
        Images of a file beside that of the other image.

    extension : tuple of str and int, or `None`
        The name and version of the extension of the other image.

    Returns
    -------
    images : list of HDU
        The one with this name and version, or all.
    """
    found = [item for item in images if (item.name, item.ver) == extension]
    return found if len(found) == 1 else images


def choose_hdu(hdulist, hdu, band):
    """
    The extension of a FITS file that holds the image.
    """
    if isinstance(hdu, (bool, np.bool_)):
        msg = f'hdu must be a number, a name or (name, version), got {hdu}'
        raise TypeError(msg)
    if hdu is not None:
        try:
            chosen = hdulist[hdu]
        except (KeyError, IndexError, TypeError):
            listing = ', '.join(f'{i} {item.name}'.strip()
                                for i, item in enumerate(hdulist))
            msg = f'hdu={hdu!r} is not in the file, which holds: {listing}'
            raise ValueError(msg) from None
        return chosen
    images = [item for item in hdulist if _is_image(item)]
    science = [item for item in images
               if hdu_role(item) is None] or images[:1]
    flat = [item for item in science if len(item.shape) == 2] or science
    name = hdulist.filename()
    place = f'the file {name}' if name else 'the list of extensions'
    if not flat:
        tables = [item for item in hdulist if not item.is_image]
        msg = f'{place} holds no image' + (
            f', but {counted(len(tables), "table")} ({_list_hdus(tables)}): '
            'give the file of the image' if tables else '')
        raise ValueError(msg)
    if isinstance(band, str) and len(flat) > 1:
        bands = [_hdu_band(item) for item in flat]
        if any(bands):
            if band not in bands:
                known = ', '.join(sorted({b for b in bands if b}))
                msg = (f'band={band!r} is not one of the bands of the file '
                       f'({known})')
                raise ValueError(msg)
            return flat[bands.index(band)]
    # (an image that comes before all extensions is the one that is meant,
    # unless another one is called that)
    if len(flat) > 1 and (flat[0] is not hdulist[0] or any(
            item.name.upper() in _SCIENCE for item in flat[1:])):
        known = sorted({_hdu_band(item) for item in flat} - {None})
        more = f', or band= ({", ".join(known)})' if len(known) > 1 else ''
        numbers = [hdulist.index_of(item) for item in flat]
        warnings.warn(f'{place} holds {len(flat)} images '
                      f'({_list_hdus(flat, numbers)}): the first is taken; '
                      f'choose one with hdu={more}', AstropyUserWarning,
                      stacklevel=3)
    return flat[0]


def _list_hdus(items, numbers=None):
    """
    List some extensions by their numbers and names, for messages.
    """
    numbers = [''] * len(items) if numbers is None else numbers
    names = [f'{number} {item.name}'.strip() or 'without a name'
             for number, item in zip(numbers, items, strict=True)]
    return ', '.join(names[:_LISTED]) + (
        ', ...' if len(names) > _LISTED else '')


def _companions(hdulist, chosen):
    """
    The masks, errors and weights among the extensions that belong to an image.

    Returns
    -------
    found : list of tuple
        Their roles and extensions: at most one mask and one error, and one
        weight of each name.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are several masks or errors, of which none is taken; or
        extensions of unknown names that may be masks, errors or weights.
    """
    groups, unknown = {}, []
    roles = [(item, hdu_role(item)) for item in hdulist if _is_image(item)]
    alone = sum(role is None for _, role in roles) == 1
    for item, role in roles:
        if item is chosen:
            continue
        shape = item.shape
        if role is None:
            if shape[-2:] == chosen.shape[-2:] and is_companion(
                    item.name) and not is_companion(chosen.name):
                unknown.append(item)
            continue
        if role.kind in ('objects', 'other'):
            continue
        key = role.kind, role.name if role.kind in (
            'weight', 'context') else ''
        if role.kind == 'context' and shape[-2:] == chosen.shape:
            shape = chosen.shape
        if key[0] != 'error' and shape == chosen.shape[-2:]:
            # (one mask for all planes of a cube)
            shape = chosen.shape
        if shape == chosen.shape and _same_band(item, chosen):
            groups.setdefault(key, []).append((role, item))
        elif shape != chosen.shape and alone and key[0] in _KINDS:
            warnings.warn(
                f'the extension {hdulist.index_of(item)} {item.name} has the '
                f'shape {item.shape} and not that of the image, '
                f'{chosen.shape}: it is not used as its {_KINDS[key[0]]}',
                AstropyUserWarning, stacklevel=4)
    if unknown:
        numbers = [hdulist.index_of(item) for item in unknown]
        warnings.warn(
            f'{counted(len(unknown), "extension")} may be a mask, error or '
            f'weight by the name ({_list_hdus(unknown, numbers)}), which is '
            'not known, and not used: give mask=, noise= or invvar= if it '
            'matters', AstropyUserWarning, stacklevel=4)
    # (the versions of other images of the same name: chips)
    others = {item.ver for item, role in roles
              if role is None and item is not chosen
              and item.name == chosen.name}
    found = []
    for (kind, _), items in groups.items():
        if len(items) > 1 or (chosen.ver not in others
                              and items[0][1].ver in others):
            items = [item for item in items if item[1].ver == chosen.ver]
        if len(items) == 1:
            found.append(items[0])
        elif items and kind in _KINDS:
            items = [item for _, item in items]
            numbers = [hdulist.index_of(item) for item in items]
            warnings.warn(
                f'the image has {len(items)} extensions that may be its '
                f'{_KINDS[kind]} ({_list_hdus(items, numbers)}): none is '
                'used; give the right one', AstropyUserWarning, stacklevel=4)
    # (drizzle writes the context of the same exposures beside their weights)
    weighted = any(role.kind == 'weight' for role, _ in found)
    return [(role, item) for role, item in found
            if not (weighted and role.kind == 'context')]


def _same_band(item, chosen):
    own, suffix = _hdu_band(item), named_suffix(item.name)
    if suffix and named_suffix(chosen.name) not in ('', suffix):
        return False
    return own is None or own == _hdu_band(chosen)


def _add_error(parts, companion, pixels, power):
    """
    Set the errors of an image to those of an extension.
    """
    # as written by CCDData.write
    kinds = {'StdDevUncertainty': 1, 'VarianceUncertainty': 2,
             'InverseVariance': -2}
    stored = companion.header.get('UTYPE')
    if stored is not None and stored not in kinds:
        return
    unit = None
    text = _header_text(companion.header, 'BUNIT')
    if text is not None:
        try:
            unit = parse_unit(text)
        except ValueError:
            unit = None
    power = kinds.get(stored, power)
    if power == -2 and unit is not None and unit.is_equivalent(u.s):
        warnings.warn(
            f"{companion.name or 'the inverse variance'} is in '{unit}', as "
            'exposure times are: only its zeros are used, which have no data',
            AstropyUserWarning, stacklevel=2)
        _add_weight(parts, pixels, companion.name)
        return
    error = ErrorPlane(parts.select(pixels, 'uncertainty'), power, unit)
    own = parts.unit if isinstance(parts.unit, u.UnitBase) else None
    # many files repeat the image's BUNIT for variances
    if unit is not None and not (
            own is not None and unit.is_equivalent(own**error.power)):
        error.unit = None
        if own is not None and _is_foreign(unit, own):
            warnings.warn(
                f"the unit '{unit}' of {companion.name} does not go with the "
                f"unit '{own}' of the image and is ignored: its values are "
                f"taken in '{own**error.power}'", AstropyUserWarning,
                stacklevel=2)
    parts.error = error


def _is_foreign(unit, own):
    """
    Tell whether errors cannot be in the unit of the image.
    """
    # (what a detector counts has many names)
    counts = (is_counts_like(unit) and is_counts_like(own)
              and is_rate(unit) == is_rate(own))
    return not counts and not unit.is_equivalent(own) and (
        u.dimensionless_unscaled not in (unit, own))


def _read_hdu(hdu, band, header, hdulist=None, *, of_file=False):
    if not hdu.is_image:
        msg = (f"the extension '{hdu.name}' is a table, not an image: "
               'choose another one with hdu=')
        raise ValueError(msg)
    # (files that are decompressed piece by piece are read onwards only)
    block = header_block(hdu) if of_file else b''
    data = read_pixels(hdu)
    if data is None:
        msg = (f"the extension '{hdu.name}' holds no data: choose another "
               'one with hdu=')
        raise ValueError(msg)
    role = hdu_role(hdu)
    if role is not None and role.kind != 'other':
        warn_of_role(f'the extension {hdu.name}', role)
    check_compression(hdu, data, f"the extension '{hdu.name}'"
                      if hdu.name else 'the image')
    parts = _read_pixels(data, hdu.header, band, header)
    try:
        # (astropy takes many times as long for the same one)
        parts.wcs = extension_wcs(block) or read_wcs(hdu.header, hdulist)
        _warn_of_wcs(parts.wcs, hdu.header)
    except BrokenWCSError as exc:
        # pixel_scale= may replace it
        parts.wcs = exc
    return parts


def _read_pixels(data, own, band, header):
    """
    Read an array with its header; ``header`` has the cards of others too.
    """
    parts = _read_array(unpack_pixels(data, own), band, header)
    _header_unit(parts)
    return parts
