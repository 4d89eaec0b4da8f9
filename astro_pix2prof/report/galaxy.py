# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A page about one galaxy: its image to zoom into, its rings to point at.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.ellipses.model import model_image
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.report.pictures import _average, _colours, _grey
from astro_pix2prof.report.values import _number, _numbers, _text

if TYPE_CHECKING:
    from astro_pix2prof.typing import PathLike

__all__ = ['write_galaxy_page']


_DATA = Path(__file__).parent / 'template'

# The picture reaches this many outermost semi-major axes from the centre, and
# has so many pixels on a side at most, and so many of the image at least.
_REACH, _MAX_PICTURE, _MIN_HALF = 1.15, 768, 12

# Columns of the table of rings: heading, column of the profile, and digits.
_COLUMNS = (
    ('radius', 'radius', 4), ('surface brightness', 'surface_brightness', 3),
    ('error', 'surface_brightness_err', 3), ('intensity', 'intensity', 5),
    ('ellipticity', 'ellipticity', 3), ('pa', 'pa', 1),
    ('mag enclosed', 'mag_enclosed', 3), ('usable', 'n_valid', 2))

# The colours of bad pixels and of other objects: red, green, blue, opacity.
_BAD, _OTHER = (0.80, 0.10, 0.10, 0.75), (0.95, 0.60, 0.05, 0.65)


def write_galaxy_page(fit: ProfileFit, out: PathLike, *,
                      overwrite: bool = False) -> Path:
    """
    Write a page to look at one galaxy with.

    It shows the image, the model, the residual and the mask, to zoom into
    and with the rings over them, beside the profile. The ring under the
    pointer is marked in all of them, with its values and flags. The page
    loads nothing from elsewhere: it can be sent and kept as one file.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    out : str or path-like
        The HTML file.

    overwrite : bool, optional
        Whether to replace a file that exists.

    Returns
    -------
    path : `~pathlib.Path`
        The HTML file.

    Raises
    ------
    TypeError
        If ``fit`` is no fit.

    ValueError
        If ``out`` is an address, or no ring has an ellipse and a value.

    FileExistsError
        If ``out`` exists, and ``overwrite`` is `False`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> from astro_pix2prof import write_galaxy_page
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> with TemporaryDirectory() as folder:
    ...     path = write_galaxy_page(fit, f'{folder}/galaxy.html')
    ...     path.read_text(encoding='utf-8')[:15]
    '<!DOCTYPE html>'
    """
    if not isinstance(fit, ProfileFit):
        msg = ('fit must be the result of the method fit of a fitter, got '
               f'{type(fit).__name__}')
        raise TypeError(msg)
    out = find_path(out, 'out')
    if is_address(out):
        msg = (f'out={str(out)!r} is an address: pages are written to files '
               'of this machine')
        raise ValueError(msg)
    if out.exists() and not overwrite:
        msg = f'out: {out} exists: give overwrite=True to replace it'
        raise FileExistsError(msg)
    html = _page(fit)
    # complete or not at all
    part = out.with_name(f'.{out.name}.part')
    part.write_text(html, encoding='utf-8')
    os.replace(part, out)
    return out


def _page(fit):
    """
    Fill the template of the page.
    """
    from astro_pix2prof import __version__

    meta = fit.profile.meta
    name = str(meta.get('source') or 'Galaxy')
    what = [str(meta[key]) for key in ('band', 'fitter', 'weights')
            if meta.get(key)]
    flags = [flag for flag in GalaxyFlag if meta.get('flag', 0) & flag]
    data = _pictures(fit) | {'rings': _rings(fit), 'name': name,
                             'flags': {bit.name: int(bit)
                                       for bit in RingFlag}}
    values = {
        'title': escape(name), 'subtitle': escape(' · '.join(what)),
        'version': escape(__version__),
        'css': ''.join((_DATA / file).read_text(encoding='utf-8')
                       for file in ('report.css', 'galaxy.css')),
        'js': (_DATA / 'galaxy.js').read_text(encoding='utf-8'),
        'tiles': _tiles(fit), 'flags': _flag_list(flags),
        'table': _table(fit), 'meta': _meta_list(meta),
        # no '<' in the data can end the script
        'data': json.dumps(data, ensure_ascii=False, allow_nan=False,
                           separators=(',', ':')).replace('<', '\\u003c'),
    }
    template = (_DATA / 'galaxy.html').read_text(encoding='utf-8')
    return re.sub(r'\{\{(\w+)\}\}', lambda found: values[found[1]], template)


def _pictures(fit):
    """
    Draw the part of the image around the galaxy, and place the rings in it.
    """
    model = model_image(fit.profile, fit.cutout)
    ny, nx = fit.cutout.shape
    x, y = fit.centre
    half = max(_REACH * float(np.nanmax(fit.sma)), _MIN_HALF)
    left, right = max(int(x - half), 0), min(int(np.ceil(x + half)) + 1, nx)
    low, high = max(int(y - half), 0), min(int(np.ceil(y + half)) + 1, ny)
    window = np.s_[low:high, left:right]
    bad = np.asarray(fit.cutout.mask[window], dtype=bool)
    others = np.asarray(fit.mask[window], dtype=bool)
    seen = fit.object_mask()
    if seen is not None:
        others = others | seen[window]
    pixels = np.where(bad, np.nan, fit.subtracted()[window])
    model = model[window]
    meta = fit.profile.meta
    noise = float(meta.get('noise') or fit.cutout.background_noise)
    sigma = noise
    if fit.cutout.noise is not None:
        sigma = fit.cutout.noise[window]
    factor = max(int(np.ceil(max(pixels.shape) / _MAX_PICTURE)), 1)
    width, height = (-(-n // factor) * factor for n in pixels.shape[::-1])
    rings = _ring_places(fit)
    return {
        'width': width, 'height': height,
        'x': round(float(x - left + 0.5), 2),
        'y': round(height - float(y - low + 0.5), 2),
        'sma': _numbers(rings['sma'], 2), 'eps': _numbers(fit.eps, 4),
        'theta': _numbers(fit.theta, 2),
        'views': {
            'image': _grey(pixels, noise, factor),
            # (as bright as in the image)
            'model': _grey(np.where(bad, np.nan, model), noise, factor),
            'residual': _colours((pixels - model) / sigma, factor)},
        'mask': _mask_picture(bad, others & ~bad, factor)}


def _ring_places(fit):
    sma = np.asarray(fit.sma, dtype=float)
    known = np.isfinite(sma + fit.eps + fit.theta)
    if not known.any():
        msg = ('fit must have rings with an ellipse, got none in '
               f'{len(sma)}')
        raise ValueError(msg)
    return {'sma': np.where(known, sma, np.nan)}


def _mask_picture(bad, others, factor):
    """
    Make a data URI of the mask, clear where pixels count; `None` if all do.
    """
    if not (bad.any() or others.any()):
        return None
    from matplotlib.image import imsave

    shares = [np.nan_to_num(_average(plane.astype(float), factor))
              for plane in (bad, others)]
    shown = np.zeros((*shares[0].shape, 4))
    # (a pixel of the picture that holds any of it)
    shown[shares[1] > 0] = _OTHER
    shown[shares[0] > 0] = _BAD
    file = io.BytesIO()
    imsave(file, (255 * shown).astype(np.uint8), origin='lower', format='png')
    return ('data:image/png;base64,'
            + base64.b64encode(file.getvalue()).decode())


def _rings(fit):
    """
    Collect the values of the rings, as the page shows them.
    """
    profile = fit.profile
    columns = {name: np.asarray(getattr(profile[name], 'value',
                                        profile[name]), dtype=float)
               for name in profile.colnames if profile[name].ndim == 1}
    sb, error = (columns['surface_brightness'],
                 columns['surface_brightness_err'])
    calibrated = bool(np.isfinite(sb).any())
    if not calibrated:
        positive = np.where(columns['intensity'] > 0, columns['intensity'],
                            np.nan)
        sb = -2.5 * np.log10(positive)
        error = POGSON * columns['intensity_err'] / positive
    return {
        'calibrated': calibrated,
        'unit': '″' if str(profile['radius'].unit) == 'arcsec' else ' px',
        'a': _numbers(columns['radius'], 4, significant=True),
        'mu': _numbers(sb, 3), 'mu_err': _numbers(error, 3),
        'e': _numbers(columns['ellipticity'], 3),
        'e_err': _numbers(columns['ellipticity_err'], 3),
        'pa': _numbers(columns['pa'], 1),
        'pa_err': _numbers(columns['pa_err'], 1),
        'mag': _numbers(columns['mag_enclosed'], 3),
        'valid': _numbers(columns['n_valid'], 2),
        'flag': [int(v) for v in profile['flag']]}


def _tiles(fit):
    """
    Make the large numbers at the top.
    """
    profile = fit.profile
    mag = profile['mag_enclosed'].value
    mag = mag[np.isfinite(mag)]
    last = profile['radius'][-1]
    tiles = [(f'{mag[-1]:.2f}', 'mag within the last ring')] if len(
        mag) else []
    tiles += [(f'{len(profile)}', 'rings'),
              (f'{last.value:.4g} {last.unit}', 'last semi-major axis')]
    return ''.join(f'<div class="tile"><b>{escape(number)}</b>'
                   f'<span>{escape(text)}</span></div>'
                   for number, text in tiles)


def _flag_list(flags):
    """
    List the flags of the galaxy and what they mean.
    """
    if not flags:
        return '<p class="sub">The galaxy has no flags.</p>'
    return '<ul class="flags">' + ''.join(
        f'<li><span class="chip flag">{flag.name}</span> '
        f'{escape(flag.line.replace("``", ""))}</li>'
        for flag in flags) + '</ul>'


def _table(fit):
    """
    Make the table of the rings, which needs no script.
    """
    profile, rows = fit.profile, []
    units = {name: getattr(profile[name], 'unit', None)
             for _, name, _ in _COLUMNS}
    heads = ''.join(
        f'<th class="n">{escape(text)}'
        + (f'<small> [{escape(str(units[name]))}]</small>' if units[name]
           else '') + '</th>' for text, name, _ in _COLUMNS)
    columns = [(np.asarray(getattr(profile[name], 'value', profile[name]),
                           dtype=float), digits, name in (
                               'radius', 'intensity'))
               for _, name, digits in _COLUMNS]
    for k, bits in enumerate(profile['flag']):
        cells = ''.join(
            f'<td class="n">{_cell(values[k], digits, significant)}</td>'
            for values, digits, significant in columns)
        names = ' '.join(flag.name for flag in RingFlag if bits & flag)
        rows.append(f'<tr id="row-{k}">{cells}<td>{names}</td></tr>')
    return ('<div class="scroll"><table><thead><tr>' + heads
            + '<th>flags</th></tr></thead><tbody>' + ''.join(rows)
            + '</tbody></table></div>')


def _cell(value, digits, significant):
    number = _number(value, digits, significant=significant)
    if number is None:
        return '–'
    return f'{number:.{digits}g}' if significant else f'{number:.{digits}f}'


def _meta_list(meta):
    """
    List the meta of the profile.
    """
    rows = [f'<dt>{escape(str(key).replace("_", " "))}</dt>'
            f'<dd>{escape(_text(value)[:500])}</dd>'
            for key, value in meta.items() if _text(value) != '']
    return '<dl>' + ''.join(rows) + '</dl>'
