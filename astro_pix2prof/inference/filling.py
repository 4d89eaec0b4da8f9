# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Estimates of missing pixels, so that networks are not misled by holes.

Masked pixels and what lies beyond the edge of a frame reach the
convolutions of a network as zeros, next to a bright nucleus as well. A hole
on one side of a galaxy then bends its ellipses. Here such pixels are filled
from the other side of the galaxy before the network looks; they have no
weight in what it measures.
"""

from dataclasses import replace

import numpy as np
from scipy.ndimage import map_coordinates

from astro_pix2prof.background.medians import median
from astro_pix2prof.detection.hidden import find_hidden_centre
from astro_pix2prof.ellipses.model import elliptical_radius, radius_at
from astro_pix2prof.networks.rings.far import FAR
from astro_pix2prof.profile.brightness import POGSON

__all__ = ['fill_frame', 'fill_pixels', 'read_filled']


# Fill and read again so many times: the first centre and ellipses suffer
# from the holes.
_ROUNDS = 2

# Not again if the last reading moved no ring that matters by more than this
# (mag), and by more than this part of its error.
_MOVED, _OF_ERROR = 0.01, 0.1

# Pixels matter where the galaxy is brighter than this part of their noise.
_BRIGHT = 0.3

# Filled are pixels up to this many times that radius and so many pixels
# more.
_BEYOND, _MARGIN = 1.3, 8

# Networks know galaxies whose frame ends beyond this part of its longer
# side.
_EDGE = 0.35

# A mirror image that is brighter than so many times the median of the ring
# (or lower by this factor), and by so many times the noise, shows something
# else.
_CONTRAST, _SIGNIFICANT = 2.5, 8.0

# A pixel between others is known if those that are bad have less than this
# part of the interpolation.
_TOUCHED = 0.3

# The least part of an annulus that must be usable for its median.
_USABLE = 0.1

# A ring of which less than this part is usable is not seen. The slope of the
# first one that is comes from those up to this many times its radius, and may
# be so much different (as a part of it) inside.
_SEEN, _SLOPE, _INWARDS = 0.1, 1.5, 0.7

# Cells of a pixel of the table of annuli; missing pixels are looked at alone
# first if they are fewer than one of so many; splines reach so many pixels
# (their coefficients fall by a factor of 3.7 from each to the next).
_CELLS, _ALONE, _SPLINE = 16, 4, 24

# The core of a profile is continued from so many pixels around a hole; up to
# this radius (pixels) as the core of a point-spread function is shaped, and
# beyond as a disc is.
_AROUND, _CORE = 3.0, 3.0


def read_filled(reader, frames):
    """
    Read the profiles of frames, with missing pixels filled.

    A frame without missing pixels in its galaxy is read once, as it is.
    Borders that are missing are no part of a frame: its size decides how a
    network reads it.

    Parameters
    ----------
    reader : object
        A reader of `~astro_pix2prof.networks.readers`.

    frames : list of `~astro_pix2prof.networks.readers.frame.Frame`
        The frames.

    Returns
    -------
    captions : list of `~astro_pix2prof.networks.readers.frame.Caption`
    """
    whole = frames
    frames, before = zip(*map(_trim, frames), strict=True) if frames else (
        [], [])
    captions = _read_trimmed(reader, list(frames))
    return [caption if frame is trimmed else _in_frame(frame, caption, first)
            for frame, trimmed, caption, first in zip(
                whole, frames, captions, before, strict=True)]


def _read_trimmed(reader, frames):
    """
    Read frames that have no missing borders.
    """
    captions = reader.read(frames)
    # The distance from the training images is known for frames as they are,
    # and not for filled ones.
    distances = [caption.trust.get('distance') for caption in captions]
    hidden, left = {}, list(range(len(frames)))
    for _ in range(_ROUNDS + 1):
        filled = {}
        for k in left:
            frame, caption = frames[k], captions[k]
            if k not in hidden:
                found = _find_hidden(frame, caption)
                if found is not None:
                    hidden[k] = found
            found = fill_frame(
                frame, caption,
                centre=hidden[k].centre if k in hidden else None)
            if found is not None:
                filled[k] = found
        if not filled:
            break
        # (nothing changes any more for the others)
        left = []
        again = reader.read([frame for frame, _ in filled.values()])
        for (k, (_, before)), caption in zip(filled.items(), again,
                                             strict=True):
            caption = _in_frame(frames[k], caption, before)
            if distances[k] is not None:
                caption.trust['distance'] = distances[k]
            if not _is_settled(captions[k], caption, frames[k].sigma):
                left.append(k)
            captions[k] = caption
    shifted = {k: _shifted(frames[k], captions[k], found)
               for k, found in hidden.items()}
    # (those of all galaxies at once, which takes less time)
    again = iter(reader.read([frame for part in shifted.values()
                              for frame in part]) if shifted else ())
    for k, part in shifted.items():
        if part:
            captions[k] = _with_error_of_centre(
                captions[k], hidden[k], [next(again) for _ in part])
    return captions


def _is_settled(before, after, sigma):
    """
    Tell whether two readings of a galaxy agree where it is bright.
    """
    bright = np.flatnonzero(before.intensity > _BRIGHT * sigma)
    n = bright[-1] + 1 if len(bright) else 0
    if n > len(after.sma):
        return False
    mag, now = (POGSON * np.log(caption.intensity[:n])
                for caption in (before, after))
    return bool(np.all(np.abs(now - mag) <= np.minimum(
        _MOVED, _OF_ERROR * after.error[:n])))


def _find_hidden(frame, caption):
    """
    Find the centre of a galaxy whose nucleus is missing, if it may move.
    """
    centre = frame.centre if caption.centre is None else caption.centre
    bright = caption.sma[caption.intensity > _BRIGHT * frame.sigma]
    if (frame.hold or frame.ellipses is not None or caption.e1 is None
            or not len(bright) or not np.isfinite(centre).all()):
        return None
    middle = len(bright) // 2
    e1, e2 = caption.e1[middle], caption.e2[middle]
    return find_hidden_centre(
        frame.image, frame.mask, centre, frame.sigma,
        extent=float(bright[-1]), eps=float(np.hypot(e1, e2)),
        theta=0.5 * float(np.arctan2(e2, e1)))


def _shifted(frame, caption, hidden):
    """
    Fill a frame about centres that are moved by their error, and hold them.

    There are none if there is nothing to fill.
    """
    # (a centre that could be anywhere is somewhere in the frame)
    last = np.array(frame.image.shape[::-1]) - 1.0
    shifted = [tuple(np.clip(centre, 0.0, last))
               for centre in hidden.shifted()]
    filled = [fill_frame(frame, caption, centre=centre)
              for centre in shifted]
    if any(found is None for found in filled):
        return []
    return [wide for wide, _ in filled]


def _with_error_of_centre(caption, hidden, shifted):
    """
    Add to the errors what the error of a centre does to a profile.

    The galaxy was measured again from centres that are moved by their error.
    """
    mag = np.log(caption.intensity)
    change = [np.interp(caption.sma, other.sma, np.log(other.intensity))
              - mag for other in shifted]
    change = POGSON * np.array(change)
    variance = 0.5 * np.sum(change**2, axis=0)
    trust = {**caption.trust, 'hidden': hidden.error, 'shift': max(
        hidden.error, caption.trust.get('shift', 0.0))}
    variance += _core_error(caption)**2
    return replace(caption, error=np.sqrt(caption.error**2 + variance),
                   trust=trust)


def _core_error(caption):
    """
    Calculate the errors (mag) of rings inside the first one that is seen.

    Nobody knows how a profile goes on inwards: as steep as it is, steeper,
    or flat.
    """
    seen = caption.valid >= _SEEN
    error = np.zeros(len(caption.sma))
    if seen[0] or not seen.any():
        return error
    first = int(np.argmax(seen))
    edge = caption.sma[first]
    near = (caption.sma >= edge) & (caption.sma <= _SLOPE * edge + 1)
    near[first:first + 3] = True
    slope = np.polyfit(caption.sma[near],
                       POGSON * np.log(caption.intensity[near]), 1)[0] if (
        near.sum() > 1) else 0.0
    error[:first] = _INWARDS * abs(slope) * (edge - caption.sma[:first])
    return error


def fill_frame(frame, caption, *, centre=None):
    """
    Fill the missing pixels of a galaxy, those beyond the frame included.

    Parameters
    ----------
    frame : `~astro_pix2prof.networks.readers.frame.Frame`
        The frame.

    caption : `~astro_pix2prof.networks.readers.frame.Caption`
        What a network found in it so far.

    centre : tuple of 2 floats, optional
        A centre (x, y) in pixels to fill about and to hold; by default that
        of ``caption``, which may still move.

    Returns
    -------
    filled : `~astro_pix2prof.networks.readers.frame.Frame`
        A frame with estimates, which may be larger.

    before : tuple of 2 ints
        The columns and rows that were added before the first.

    Notes
    -----
    The result is `None` if no pixel of the galaxy is missing.
    """
    held = centre
    if not held:
        centre = frame.centre if caption.centre is None else caption.centre
    x, y = centre
    bright = caption.sma[caption.intensity > _BRIGHT * frame.sigma]
    if not (len(bright) and np.isfinite(centre).all()):
        return None
    extent = float(bright[-1])
    reach = _BEYOND * extent + _MARGIN
    ny, nx = frame.image.shape
    # beyond a near edge
    add = np.zeros((2, 2), dtype=int)
    near = min(extent, _EDGE * max(nx, ny))
    for row, (at, n) in enumerate(((y, ny), (x, nx))):
        for column, room in enumerate((at + 0.5, n - 0.5 - at)):
            if room < near:
                add[row, column] = max(int(np.ceil(reach - room)), 0)
    if not (add.any() or frame.mask.any()):
        return None
    shapes = (np.hypot(caption.e1, caption.e2),
              0.5 * np.arctan2(caption.e2, caption.e1)) if (
        caption.e1 is not None) else (
            np.full(len(caption.sma), part) for part in (
                frame.eps, frame.theta))
    before = add[1, 0], add[0, 0]
    wide = _enlarge(frame, add)
    centre = x + before[0], y + before[1]
    if held:
        wide = replace(wide, centre=centre, hold=True)
    elif frame.may_be_far and np.hypot(
            x - frame.centre[0], y - frame.centre[1]) > FAR:
        # (it need not be looked for again)
        wide = replace(wide, centre=centre)
    image, filled = fill_pixels(
        wide.image, wide.mask, centre, caption.sma, *shapes,
        sigma=frame.sigma, extent=extent, reach=reach)
    if not filled.any():
        return None
    return replace(wide, image=image, filled=filled), before


def fill_pixels(image, mask, centre, sma, eps, theta, *, sigma, extent,
                reach):
    """
    Fill missing pixels by their point-symmetric ones.

    Where these are missing, too, or show another object, by the median of
    the elliptical annulus; where all of it is missing, as its neighbours
    go on.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Missing pixels.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Ellipses: semi-major axes in pixels, ellipticities, and angles in
        radians counter-clockwise from +x.

    sigma : float
        The noise of a sky pixel.

    extent : float
        The semi-major axis (pixels) up to which missing pixels matter.

    reach : float
        The distance from the centre (pixels) up to which they are filled.

    Returns
    -------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image with estimates, none of which has noise added.

    filled : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Where these are; nowhere if no pixel within ``extent`` is missing.
    """
    filled = np.zeros(mask.shape, dtype=bool)
    ny, nx = mask.shape
    x0, y0 = (max(int(c - reach), 0) for c in centre)
    x1, y1 = (int(c + reach) + 2 for c in centre)
    box = np.s_[y0:min(y1, ny), x0:min(x1, nx)]
    if not mask[box].any():
        return image, filled
    data, bad = image[box].astype(float), mask[box]
    middle = centre[0] - x0, centre[1] - y0
    y, x = np.nonzero(bad)
    dx, dy = x - middle[0], y - middle[1]
    distance = np.sqrt(dx * dx + dy * dy)
    if not (distance <= extent).any():
        # (the semi-major axis through a pixel is no less)
        return image, filled
    if _ALONE * len(x) < bad.size and not (radius_at(
            dx, dy, sma, eps, theta) <= extent).any():
        # (few pixels are looked at before all of them)
        return image, filled
    radius = elliptical_radius(data.shape, middle, sma, eps, theta)
    if not (radius[bad] <= extent).any():
        return image, filled
    level = _annulus_values(data, ~bad, radius, sigma)
    guess = data.copy()
    guess[bad] = level
    missing = np.zeros(bad.shape, dtype=bool)
    missing[bad] = near = distance <= reach
    y, x = y[near], x[near]
    mirror = 2 * middle[1] - y, 2 * middle[0] - x
    inside = ((mirror[0] >= 0) & (mirror[0] <= data.shape[0] - 1)
              & (mirror[1] >= 0) & (mirror[1] <= data.shape[1] - 1))
    value = _interpolate(guess, mirror)
    touched = map_coordinates(bad.astype(float), mirror, order=1,
                              mode='nearest')
    usual = level[near]
    much = np.abs(usual) * (_CONTRAST - 1) + _SIGNIFICANT * sigma
    known = inside & (touched < _TOUCHED) & (np.abs(value - usual) < much)
    out = image.copy()
    most = np.finfo(out.dtype).max
    out[box][missing] = np.clip(np.where(known, value, usual), -most, most)
    filled[box] = missing
    return out, filled


def _interpolate(image, places):
    """
    Interpolate an image by cubic splines, with the part that matters.
    """
    box, moved = [], []
    for place, n in zip(places, image.shape, strict=True):
        first = int(np.clip(place.min() - _SPLINE, 0, n - 1))
        last = int(np.clip(place.max() + _SPLINE + 1, first + 1, n))
        box.append(slice(first, last))
        moved.append(place - first)
    return map_coordinates(image[tuple(box)], moved, order=3, mode='nearest')


def _annulus_values(data, good, radius, sigma):
    """
    The median of the annulus that each missing pixel lies in.
    """
    edges = _annuli(float(radius.max()))
    which = _which_annulus(edges, radius)
    total = np.bincount(which.ravel(), minlength=len(edges))
    wanted = radius[~good]
    radius_of, which, values = radius[good], which[good], data[good]
    count = np.bincount(which, minlength=len(edges))
    known = np.flatnonzero(count >= np.maximum(_USABLE * total, 1))
    if not len(known):
        return np.zeros(len(wanted))
    at = np.bincount(which, radius_of, len(edges))[known] / count[known]
    # (medians of those that pixels lie between)
    place = np.searchsorted(at, wanted)
    needed = np.zeros(len(edges), dtype=bool)
    for step in (-1, 0):
        needed[known[np.clip(place + step, 0, len(at) - 1)]] = True
    some = needed[which]
    which, values = which[some], values[some]
    # (small integers are sorted several times as fast)
    order = np.argsort(which, kind='stable')
    values = values[order]
    middle = np.zeros(len(edges))
    last = 0
    for k in np.flatnonzero(needed):
        first, last = last, last + count[k]
        middle[k] = median(values[first:last])
    value = np.arcsinh(middle[known] / sigma)
    level = np.interp(wanted, at, value)
    # a core that is missing
    hole = wanted < at[0]
    if hole.any():
        level[hole] = _core_values(data, good, radius, at[0], sigma)(
            wanted[hole])
    return sigma * np.sinh(level)


def _annuli(largest):
    """
    The edges of annuli: a pixel wide, and wider from eight pixels on.
    """
    edges = [float(k) for k in range(9)]
    while edges[-1] <= largest:
        edges.append(1.12 * edges[-1])
    return np.array(edges)


def _which_annulus(edges, radius):
    """
    The number of the annulus of each pixel (faster than a search).
    """
    # (no annulus is as narrow as a cell of the table)
    cell = np.arange(int(_CELLS * edges[-1]) + 2) / _CELLS
    table = (np.searchsorted(edges, cell, 'right') - 1).astype(np.uint16)
    which = table.take((_CELLS * radius).astype(np.intp))
    which += radius >= np.append(edges[1:], np.inf).take(which)
    return which


def _core_values(data, good, radius, edge, sigma):
    """
    Continue a profile inwards: a function of the radius.
    """
    use = good & (radius < edge + _AROUND)
    power = 2 if edge < _CORE else 1
    value = np.arcsinh(data[use] / sigma)
    if len(value) < 6:
        return lambda a: np.full(len(a), np.median(value))
    slope, peak = np.polyfit(radius[use]**power, value, 1)
    slope = min(slope, 0.0)
    peak = np.mean(value) - slope * np.mean(radius[use]**power)
    return lambda a: peak + slope * a**power


def _enlarge(frame, add):
    """
    A frame with more rows and columns, all of them missing.
    """
    if not add.any():
        return frame

    def pad(plane, value):
        return None if plane is None else np.pad(
            plane, add, constant_values=value)

    (below, _), (left, _) = add
    position = frame.position and (frame.position[0] + left,
                                   frame.position[1] + below)
    return replace(
        frame, image=pad(frame.image, 0), mask=pad(frame.mask, True),
        weight=pad(frame.weight, 1), position=position,
        centre=(frame.centre[0] + left, frame.centre[1] + below))


def _trim(frame):
    """
    A frame without its missing borders, and what is added before it.
    """
    ny, nx = frame.mask.shape
    x, y = zip(frame.centre, frame.position or frame.centre, strict=True)
    kept = []
    for axis, n, places in ((0, nx, x), (1, ny, y)):
        some = np.flatnonzero(~frame.mask.all(axis))
        if not (some.size and np.isfinite(places).all()):
            return frame, (0, 0)
        # (the place of the galaxy stays within)
        kept.append((max(min(int(some[0]), int(min(places))), 0),
                     min(max(int(some[-1]), int(max(places)) + 1) + 1, n)))
    (x0, x1), (y0, y1) = kept
    if (x0, y0, x1, y1) == (0, 0, nx, ny):
        return frame, (0, 0)

    def cut(plane):
        return None if plane is None else plane[y0:y1, x0:x1]

    position = frame.position and (frame.position[0] - x0,
                                   frame.position[1] - y0)
    return replace(
        frame, image=cut(frame.image), mask=cut(frame.mask),
        weight=cut(frame.weight), filled=cut(frame.filled),
        position=position, centre=(frame.centre[0] - x0,
                                   frame.centre[1] - y0)), (-x0, -y0)


def _in_frame(frame, caption, before):
    """
    A caption of an enlarged frame, for the frame.
    """
    if not any(before) and caption.centre is None:
        return caption
    centre = caption.centre
    if centre is not None:
        centre = centre[0] - before[0], centre[1] - before[1]
    x, y = frame.centre if centre is None else centre
    ny, nx = frame.image.shape
    # nothing is known beyond the farthest corner
    corner = np.hypot(max(x, nx - 1 - x), max(y, ny - 1 - y))
    n = max(int((caption.sma <= corner).sum()), 1)
    cut = {name: getattr(caption, name)[:n] for name in (
        'sma', 'intensity', 'error', 'e1', 'e2', 'valid', 'weight',
        'eps_error', 'pa_error', 'enclosed_error', 'rise')
        if getattr(caption, name) is not None}
    return replace(caption, centre=centre, **cut)
