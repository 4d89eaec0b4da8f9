# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The galaxy's own pixels, and the pixels of everything else.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.utils import minversion
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import (
    binary_dilation,
    gaussian_filter,
    label,
    map_coordinates,
    maximum_filter,
)

from astro_pix2prof.background.interpolated import is_interpolated
from astro_pix2prof.detection.gaps import fill_gaps

__all__ = ['Detection', 'find_galaxy', 'point_symmetric']


# Standard deviations (pixels) of the kernels that detection smooths with.
FINE = 1.2

COARSE = 4.0

# The core of a galaxy is what is brighter than this part of its peak.
CORE = 0.6


@dataclass
class Detection:
    """
    The galaxy near the position, and the objects around it.

    Attributes
    ----------
    galaxy : 2D bool `~numpy.ndarray`
        Pixels of the galaxy above the detection threshold.

    others : 2D int `~numpy.ndarray`
        The deblended other objects above the threshold: labels, 0 for
        none.

    centre : tuple of 2 floats
        Centre (x, y) in pixels.

    theta, eps, sma : float
        Angle (radians), ellipticity and semi-major axis (pixels) from
        second moments.

    found : bool
        Whether anything was found near the position.

    touching : float
        Part of the galaxy's outline that touches another object.

    scale : float
        The kernel (pixels) that the galaxy was detected with.
    """

    galaxy: np.ndarray
    others: np.ndarray
    centre: tuple
    theta: float
    eps: float
    sma: float
    found: bool
    touching: float
    scale: float


def _moments(image, centre):
    """
    Angle, ellipticity and semi-major axis from second moments.
    """
    y, x = np.nonzero(image > 0)
    w = image[y, x]
    x, y = x - centre[0], y - centre[1]
    total = w.sum()
    xx, yy, xy = ((w * p).sum() / total for p in (x * x, y * y, x * y))
    # The second moment of a pixel keeps one-pixel sources finite.
    xx, yy = xx + 1 / 12, yy + 1 / 12
    mean, diff = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    q = np.sqrt(max(mean - diff, 1e-3) / (mean + diff))
    theta = 0.5 * np.arctan2(2 * xy, xx - yy)
    return theta, float(np.clip(1 - q, 0.0, 0.9)), 2 * np.sqrt(mean + diff)


def choose_peak(smooth, galaxy, start, sma, sigma, *, bad=None, limit=None):
    """
    Choose the peak about which the galaxy is most nearly point-symmetric.

    A star on the galaxy may be brighter than its nucleus; the galaxy is
    not symmetric about it.

    Parameters
    ----------
    smooth : 2D `~numpy.ndarray`
        The sky-subtracted, slightly smoothed image.

    galaxy : 2D bool `~numpy.ndarray`
        The galaxy's pixels.

    start : tuple of 2 floats
        A first guess (x, y) in pixels.

    sma : float
        The galaxy's semi-major axis in pixels, from its moments.

    sigma : float
        The noise of a pixel of the smoothed image.

    bad : 2D bool `~numpy.ndarray`, optional
        Missing pixels, which are not compared with others. Where the core
        is missing, no peak counts but the centre of symmetry alone.

    limit : tuple of 3 floats, optional
        A position (x, y) and how far from it the peak may be, in pixels.

    Returns
    -------
    peak : tuple of 2 floats
        The peak (x, y).
    """
    reach = max(0.7 * sma, 5.0)
    if limit is None:
        limit = (*start, np.inf)
    start = _within(start, limit)
    inner = np.where(galaxy, smooth, 0.0)
    size = 5
    tops = (inner == maximum_filter(inner, size)) & (inner > 5 * sigma)
    y, x = np.nonzero(tops)
    near = np.hypot(x - start[0], y - start[1]) < reach
    near &= np.hypot(x - limit[0], y - limit[1]) <= limit[2]
    y, x = y[near], x[near]
    order = np.argsort(-inner[y, x])[:8]
    candidates = [(float(x[k]), float(y[k])) for k in order
                  if inner[y[k], x[k]] > 0.25 * inner[y[order[0]],
                                                      x[order[0]]]]
    # A star close to the nucleus hides its peak: the middle of the outer
    # isophotes is a candidate as well.
    # (filled pixels have no say: a wide gap beside the nucleus is no core)
    seen = galaxy if bad is None else galaxy & ~bad
    seen = seen if seen.any() else galaxy
    levels = np.quantile(smooth[seen], [0.2, 0.5, 0.75])
    # (nothing is brighter than a plateau)
    levels = np.minimum(levels, np.nextafter(smooth[seen].max(), -np.inf))
    middles = [np.mean(np.nonzero(seen & (smooth > v)), axis=1)
               for v in levels]
    middle = _within(np.median(middles, axis=0)[::-1], limit)
    # Compressed, so that the star's own light does not decide.
    image = np.arcsinh(smooth / (3 * sigma))
    if bad is not None and bad.any():
        image = np.where(bad, np.nan, image)
    # More than any asymmetry; finite, as the search takes differences.
    worst = 2.0 * float(np.nanmax(np.abs(image), initial=0.0)) + 1.0

    def asymmetry(c):
        rows, cols = (slice(max(int(p - reach), 0), int(p + reach) + 2)
                      for p in (c[1], c[0]))
        part = image[rows, cols]
        mirror = point_symmetric(part, (c[0] - cols.start,
                                        c[1] - rows.start))
        miss = np.abs(part - mirror)
        known = np.isfinite(miss)
        # Too few pairs of pixels say nothing.
        if known.sum() < max(0.05 * miss.size, 8):
            return worst
        return miss[known].mean()

    if not candidates or (bad is not None
                          and is_hidden(bad, middle, sma)):
        return _within(_symmetric_centre(asymmetry, middle, sma, worst),
                       limit)
    score = [asymmetry(c) for c in candidates]
    first = score[0]
    best = candidates[int(np.argmin(score))]
    if np.hypot(middle[0] - best[0], middle[1] - best[1]) > 2.0:
        from scipy.optimize import minimize

        search = minimize(asymmetry, middle, method='Nelder-Mead', options={
            'initial_simplex': np.array(middle) + [[0, 0], [2, 0], [0, 2]],
            'xatol': 0.2, 'fatol': 1e-4, 'maxiter': 40})
        if search.fun < 0.9 * min(score):
            candidates.append(_within(search.x, limit))
            score.append(search.fun)
    # Symmetry must speak clearly against the brightest peak.
    best = int(np.argmin(score))
    return candidates[best if score[best] < 0.8 * first else 0]


def _within(point, limit):
    """
    The nearest point to another that lies within a circle.
    """
    x, y, radius = limit
    shift = np.array(point, dtype=float) - (x, y)
    size = np.hypot(*shift)
    if size > radius:
        shift *= radius / size
    return float(x + shift[0]), float(y + shift[1])


def is_hidden(bad, centre, sma):
    """
    Tell whether the core of a galaxy is missing.

    Parameters
    ----------
    bad : 2D bool `~numpy.ndarray`
        Missing pixels.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    sma : float
        The galaxy's semi-major axis in pixels, from its moments.

    Returns
    -------
    hidden : bool
    """
    y, x = np.ogrid[:bad.shape[0], :bad.shape[1]]
    core = np.hypot(x - centre[0], y - centre[1]) <= max(3.0, 0.1 * sma)
    return bool(core.any() and bad[core].mean() > 0.2)


def _symmetric_centre(asymmetry, start, sma, worst):
    """
    Find the point about which the image is most nearly symmetric.
    """
    from scipy.optimize import minimize

    size = float(np.clip(0.15 * sma, 1.0, 5.0))
    found = start
    # The second time from where the first ended, with smaller steps.
    for step in (size, 0.3 * size):
        simplex = np.array(found) + [[-step / 2, -step / 3], [step, 0],
                                     [0, step]]
        result = minimize(asymmetry, found, method='Nelder-Mead', options={
            'initial_simplex': simplex, 'xatol': 0.02, 'fatol': 1e-6,
            'maxiter': 80})
        if result.fun < worst:
            found = tuple(result.x)
    return found


def refine_centre(smooth, galaxy, start, *, max_shift=None, reach=None):
    """
    Measure the centroid of the galaxy's core.

    The core is what is connected to the peak and brighter than 60% of
    it: the peak itself in a cuspy galaxy, the middle of the plateau in a
    flat one.

    Parameters
    ----------
    smooth : 2D `~numpy.ndarray`
        The sky-subtracted, slightly smoothed image.

    galaxy : 2D bool `~numpy.ndarray`
        The galaxy's pixels.

    start : tuple of 2 floats
        The position (x, y) in pixels.

    max_shift : float, optional
        The largest distance of the peak from ``start``, in pixels.

    reach : float, optional
        Pixels farther from the centre do not count. By default 1.5 times
        ``max_shift``.

    Returns
    -------
    centre : tuple of 2 floats
        The centre (x, y).
    """
    image = np.where(galaxy, smooth, 0.0)
    if max_shift is None:
        max_shift = float(max(image.shape))
    if reach is None:
        reach = 1.5 * max_shift
    rows, cols = np.ogrid[:image.shape[0], :image.shape[1]]
    centre = tuple(start)
    # The window follows the centroid, so that it does not cut the core.
    for _ in range(3):
        search = image * (np.hypot(cols - start[0], rows - start[1])
                          <= max_shift)
        if search.max() <= 0:
            return centre
        py, px = np.unravel_index(np.argmax(search), image.shape)
        # The core must not reach over to a star nearby.
        window = np.hypot(cols - centre[0], rows - centre[1])
        part = np.where(window <= reach, image, 0.0)
        level = CORE * image[py, px]
        region, _ = label(part > level)
        if region[py, px] == 0:
            break
        core = np.where(region == region[py, px], part - level, 0.0)
        y, x = np.nonzero(core)
        w = core[y, x]
        centre = (float((w * x).sum() / w.sum()),
                  float((w * y).sum() / w.sum()))
    return centre


def find_galaxy(data, bad, sigma, position, *, search_radius, n_sigma=1.5,
                contrast=0.004):
    """
    Detect and deblend the sources and pick the galaxy.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The sky-subtracted image, bad pixels filled.

    bad : 2D bool `~numpy.ndarray`
        Bad pixels.

    sigma : float
        Noise of a sky pixel.

    position : tuple of 2 floats
        First guess (x, y) in pixels.

    search_radius : float
        How far from the position the galaxy may be, in pixels.

    n_sigma : float, optional
        The detection threshold in units of the smoothed image's noise.

    contrast : float, optional
        The part of the flux that a peak needs to be an object of its own.

    Returns
    -------
    detection : `Detection`
    """
    # Missing pixels are no dark ones, and a tilted sky is no galaxy.
    data, blind = fill_gaps(data, bad)
    data = data - sky_tilt(data, bad, sigma)
    data[blind] = 0.0
    smooth = gaussian_filter(data, FINE)
    enlarged = is_interpolated(data, bad)
    noise = _smoothed_noise(sigma, FINE, smooth[~blind] if enlarged else None)
    seg = _segments(smooth, n_sigma * noise, blind, contrast, bad)
    ny, nx = data.shape
    y, x = np.mgrid[:ny, :nx]
    distance = np.hypot(x - position[0], y - position[1])
    # Extended beats bright: a star beside the nucleus has more flux than
    # a faint galaxy and fewer pixels. The light within the search radius
    # counts, the nearer the more.
    near_weight = np.exp(-0.5 * (distance / (0.5 * search_radius))**2)
    weight = np.clip(smooth / noise, 0.0, 8.0) * near_weight
    best = _best_segment(seg, weight, distance <= search_radius)
    galaxy = (seg == best) if best else np.zeros(data.shape, bool)
    others = np.where(galaxy, 0, seg)
    scale = FINE
    # A diffuse galaxy falls into crumbs at this scale: look again with a
    # wide kernel where no compact source stands.
    blank = blind | binary_dilation(
        (seg > 0) & (smooth > 12 * noise) & ~galaxy, iterations=2)
    hidden = np.where(blank, 0.0, data)
    share = gaussian_filter((~blank).astype(float), COARSE)
    wide = gaussian_filter(hidden, COARSE) / np.maximum(share, 0.1)
    noise_wide = _smoothed_noise(sigma, COARSE,
                                 wide[~blank] if enlarged else None)
    seg_wide = _segments(wide, 2.5 * noise_wide, blind, 0.3, bad)
    best = _best_segment(seg_wide, np.clip(wide / noise_wide, 0, 8.0)
                         * near_weight, distance <= search_radius)
    if best:
        diffuse = seg_wide == best
        faint = (not galaxy.any()
                 or np.quantile(smooth[galaxy], 0.8) < 9 * noise)
        if faint and diffuse.sum() > 1.3 * galaxy.sum():
            # Crumbs of the galaxy are not other objects.
            for number in np.unique(others[diffuse & (others > 0)]):
                piece = seg == number
                if (diffuse[piece].mean() > 0.5
                        and smooth[piece].max() < 9 * noise):
                    others[piece] = 0
            galaxy, smooth, scale = diffuse & (others == 0), wide, COARSE
    # Noise has segments of six pixels, but no peaks.
    noise = noise if scale == FINE else noise_wide
    if galaxy.any() and smooth[galaxy].max() < 5.5 * noise:
        galaxy = np.zeros(data.shape, bool)
    if not galaxy.any():
        galaxy = distance <= max(0.25 * search_radius, 3)
        others[galaxy] = 0
        return Detection(galaxy & ~bad, others, tuple(position),
                         0.0, 0.0, 5.0, False, 0.0, FINE)
    limit = (*position, search_radius)
    light = np.where(galaxy, smooth, 0)
    middle = refine_centre(smooth, galaxy, position,
                           max_shift=search_radius)
    theta, eps, sma = _moments(light, middle)
    peak = choose_peak(smooth, galaxy, middle, sma, noise, bad=bad,
                       limit=limit)
    centre = peak
    if not is_hidden(bad, peak, sma):
        centre = _within(refine_centre(smooth, galaxy, peak,
                                       max_shift=2.0 * scale), limit)
    theta, eps, sma = _moments(_completed(light, bad, centre), centre)
    outline = binary_dilation(galaxy) & ~galaxy
    touching = (outline & (others > 0)).sum() / max(outline.sum(), 1)
    return Detection(galaxy, others, centre, theta, eps, sma, True,
                     float(touching), scale)


def _completed(light, bad, centre):
    """
    Fill missing pixels from their point-symmetric ones, for moments.
    """
    if not bad.any():
        return light
    mirror = point_symmetric(np.where(bad, np.nan, light), centre)
    return np.where(bad & np.isfinite(mirror), mirror, light)


def sky_tilt(data, bad, sigma, *, cells=8):
    """
    Fit a plane to the medians of cells, for detection.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The sky-subtracted image.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Missing pixels.

    sigma : float
        Noise of a sky pixel.

    cells : int, optional
        The number of cells each way.

    Returns
    -------
    tilt : float or 2D `~numpy.ndarray`, shape (ny, nx)
        The plane, zero in the middle of the frame. One that is slight
        against the noise is drawn towards zero.
    """
    ny, nx = data.shape
    if min(ny, nx) < 8 * cells:
        return 0.0
    rows, columns = (np.array_split(np.arange(n), cells) for n in (ny, nx))
    points = []
    for part in rows:
        for other in columns:
            here = np.s_[part[0]:part[-1] + 1, other[0]:other[-1] + 1]
            good = ~bad[here]
            if good.mean() > 0.5:
                points.append((other.mean() / (nx - 1) - 0.5,
                               part.mean() / (ny - 1) - 0.5,
                               np.median(data[here][good])))
    if len(points) < cells * cells // 2:
        return 0.0
    x, y, value = np.array(points).T
    design = np.stack([np.ones_like(x), x, y], -1)
    weight = np.ones_like(x)
    for _ in range(10):
        lhs = (design * weight[:, None]).T @ design
        coeff = np.linalg.lstsq(lhs, design.T @ (weight * value),
                                rcond=None)[0]
        miss = value - design @ coeff
        width = np.sqrt(np.median(miss**2) + (0.02 * sigma)**2)
        # Objects add light.
        weight = 1 / (1 + (miss / (np.where(miss > 0, 1.0, 3.0)
                                   * width))**2)
    size = 0.5 * np.hypot(*coeff[1:])
    if not size > 0:
        return 0.0
    share = size**2 / (size**2 + (0.15 * sigma)**2)
    return share * (coeff[1] * (np.arange(nx) / (nx - 1) - 0.5)
                    + coeff[2] * (np.arange(ny) / (ny - 1) - 0.5)[:, None])


def _smoothed_noise(sigma, kernel, sky=None):
    """
    Calculate the noise of a smoothed image; from its own pixels, if given.
    """
    noise = sigma / (2 * np.sqrt(np.pi) * kernel)
    if sky is not None and (sky < 0).any():
        # (objects are no dark pixels)
        noise = max(noise, np.median(-sky[sky < 0]) / 0.6745)
    return noise


def _segments(smooth, threshold, blind, contrast, bad):
    """
    Deblended segments of a smoothed image; zeros if there are none.
    """
    # (these take a second to import, and a ring network needs no detection)
    from photutils.segmentation import deblend_sources, detect_sources
    from photutils.utils.exceptions import NoDetectionsWarning

    with warnings.catch_warnings():
        # No sources, or one that cannot be deblended: both are fine.
        warnings.simplefilter('ignore', AstropyUserWarning)
        warnings.simplefilter('ignore', NoDetectionsWarning)
        segments = detect_sources(smooth, threshold, n_pixels=6, mask=blind)
        if segments is None:
            return np.zeros(smooth.shape, int)
        labels = _with_peaks(smooth, segments.data)
        if not len(labels):
            return segments.data
        # (photutils 3.1 has no bar, and a warning for who wants none)
        bar = {} if minversion('photutils', '3.1') else {'progress_bar': False}
        parts = deblend_sources(smooth, segments, n_pixels=6, n_levels=24,
                                contrast=contrast, labels=labels,
                                **bar).data
    return _joined(parts, segments.data, bad)


def _with_peaks(image, segments):
    """
    The labels of segments that have several peaks.

    Others cannot be divided, and to see that takes photutils most of the
    time.
    """
    inside = segments > 0
    values = np.where(inside, image, -np.inf)
    peaks = inside & (values >= maximum_filter(values, 3))
    return np.flatnonzero(np.bincount(segments[peaks]) > 1)


def _joined(parts, segments, bad):
    """
    Join what a gap alone divides: parts of one segment that share it.
    """
    gaps, n = label(bad & (parts > 0), np.ones((3, 3)))
    if n == 0:
        return parts
    parts = parts.copy()
    here = gaps > 0
    found = np.unique(np.stack([gaps[here], segments[here], parts[here]]),
                      axis=1)
    target = np.arange(parts.max() + 1)
    for gap, segment in np.unique(found[:2], axis=1).T:
        same = found[2, (found[0] == gap) & (found[1] == segment)]
        roots = np.unique(target[same])
        target[np.isin(target, roots)] = roots[0]
    return target[parts]


def _best_segment(seg, weight, near):
    """
    The label with the largest weight of those that lie near; 0 if none.
    """
    score = np.bincount(seg.ravel(), weight.ravel())
    allowed = np.zeros(len(score), bool)
    allowed[np.unique(seg[near])] = True
    score[~allowed] = 0
    score[0] = 0
    best = int(np.argmax(score))
    return best if score[best] > 0 else 0


def point_symmetric(image, centre):
    """
    Turn an image by 180 degrees about a point.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image.

    centre : tuple of 2 floats
        The point (x, y) in pixels.

    Returns
    -------
    turned : 2D `~numpy.ndarray`, shape (ny, nx)
        Not-a-number beyond the end of the image.
    """
    ny, nx = image.shape
    y = 2 * centre[1] - np.arange(ny)
    x = 2 * centre[0] - np.arange(nx)
    return map_coordinates(image, np.meshgrid(y, x, indexing='ij'), order=1,
                           cval=np.nan)
