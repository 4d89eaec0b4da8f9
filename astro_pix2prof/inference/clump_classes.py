# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell clumps from stars, other galaxies and remains of the rings.
"""

import numpy as np
import torch
from scipy.ndimage import maximum_filter

from astro_pix2prof.networks.clumps.network import CLASSES, STRIDE
from astro_pix2prof.profile.flags import ClumpFlag

__all__ = ['N_MEASURED', 'class_features', 'class_probabilities',
           'classify_marks', 'describe_surroundings', 'seen_at',
           'trained_share']


# The matched filter tells a clump from another object by its distance from
# the centre only (R50).
_OUTSIDE = 2.2

# Two classes of which none is so many times as likely as the other.
_UNSURE = 2.0

# Sources of the field lie beyond so many R50 and have so many times the
# noise.
_FIELD, _CLEAR = 2.2, 8.0

# The surroundings of a mark reach from and to so many FWHM.
_INNER, _OUTER = 1.4, 3.5

# The numbers of `class_features`.
N_MEASURED = 17


def describe_surroundings(maps, x, y):
    """
    Describe where marks lie: what is around them, opposite, and in the field.

    Parameters
    ----------
    maps : `~astro_pix2prof.inference.clump_maps.ClumpMaps`
        The maps of the galaxy.

    x, y : 1D `~numpy.ndarray`, shape (n,)
        Positions in pixels of the maps.

    Returns
    -------
    rows : list of dict
        ``level`` (the light of the rings), ``halo`` (the median residual
        around the mark), both in units of the noise of a pixel, ``opposite``
        (the signal-to-noise ratio at the other side of the galaxy),
        ``crowding`` (the logarithm of the number of clear sources in the
        field, on an area as large as that within R50), ``apart`` (the
        distance of the nearest other mark in FWHM) and ``size`` (R50 in
        FWHM).
    """
    one, good = maps.maps, maps.good
    model, residual, matched = (part[0].numpy() for part in (
        one.model, one.residual, one.matched))
    ny, nx = model.shape
    crowding = _crowding(maps)
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(apart, np.inf)
    rows = []
    half = int(np.ceil(_OUTER * maps.fwhm))
    for k, (cx, cy) in enumerate(zip(x, y, strict=True)):
        i, j = _pixel(cx, cy, model.shape)
        box = np.s_[max(j - half, 0):j + half + 1,
                    max(i - half, 0):i + half + 1]
        v, u = np.indices(model[box].shape)
        away = np.hypot(u + box[1].start - cx, v + box[0].start - cy)
        ring = good[box] & (away > _INNER * maps.fwhm) & (
            away < _OUTER * maps.fwhm)
        halo = float(np.median(residual[box][ring])) if ring.any() else 0.0
        mx, my = 2 * maps.centre[0] - cx, 2 * maps.centre[1] - cy
        opposite = 0.0
        if -0.5 < mx < nx - 0.5 and -0.5 < my < ny - 0.5:
            i2, j2 = _pixel(mx, my, model.shape)
            opposite = float(matched[max(j2 - 1, 0):j2 + 2,
                                     max(i2 - 1, 0):i2 + 2].max())
        rows.append({'level': max(float(model[j, i]), 0.0), 'halo': halo,
                     'opposite': opposite, 'crowding': crowding,
                     'apart': float(apart[k].min()) / maps.fwhm,
                     'size': maps.r50 / maps.fwhm})
    return rows


def _pixel(x, y, shape):
    """
    Find the pixel of a position, within the image.
    """
    return tuple(int(np.clip(round(v), 0, n - 1))
                 for v, n in ((x, shape[1]), (y, shape[0])))


def _crowding(maps):
    """
    Measure how many clear sources there are beside the galaxy.
    """
    compact = maps.maps.compact[0].numpy()
    radius = maps.maps.radius[0].numpy()
    field = maps.good & (radius > _FIELD * maps.r50)
    side = 2 * round(0.5 * maps.fwhm) + 1
    top = (compact >= maximum_filter(compact, max(side, 3))) & (
        compact > _CLEAR) & field
    area = float(field.sum()) / (np.pi * maps.r50**2)
    return float(np.log((top.sum() + 0.25) / (area + 1.0)))


def seen_at(seen, marks):
    """
    Take what a network saw at its marks.

    Parameters
    ----------
    seen : `torch.Tensor`, shape (C, h, w)
        The last hidden layer of one image.

    marks : `torch.Tensor`, shape (N, 2)
        x and y of the marks in pixels of the maps.

    Returns
    -------
    seen : `torch.Tensor`, shape (N, C)
    """
    h, w = seen.shape[1:]
    column, row = (marks[:, k].div(STRIDE).round().long().clamp(0, n - 1)
                   for k, n in ((0, w), (1, h)))
    return seen[:, row, column].T


def class_features(row):
    """
    List what tells the class of a mark, besides what the network saw.

    Parameters
    ----------
    row : dict
        A mark that was measured, see
        `~astro_pix2prof.inference.clumps.measure_marks`.

    Returns
    -------
    features : list of float
        ``N_MEASURED`` numbers of order 1.
    """
    scores = np.clip(row['scores'], 1e-3, 1 - 1e-3)
    away = np.log(row['r50'] + 0.1)
    share = np.log(np.clip(row['share'], 1e-5, 3)) + 3.5
    snr = np.clip(row['snr'], 0.5, 1e4)
    # the light of a pixel at the peak of a point source
    peak = max(row['peak'], 1e-3)
    return [
        *(np.log(scores / (1 - scores)) / 2), away, away**2, share / 2,
        share**2 / 8, np.log(snr) - 2.5, 3 * row['log_width'],
        np.arcsinh(row['extended'] / 2), 3 * row['elongation'],
        np.clip(np.log(peak / (row['level'] + 0.1)), -4, 6) / 2,
        np.clip(row['halo'] / peak, -0.5, 0.5) * 4,
        np.clip(row['opposite'] / snr, -1, 1), row['crowding'] / 2,
        np.log(row['size']), min(row['apart'], 6.0) / 3,
        np.log(row['light'] + 1.0) - 2]


def class_probabilities(network, rows):
    """
    Compute the probabilities of both classes of marks.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        The network. Without a class head, its scores are returned.

    rows : list of dict
        The marks.

    Returns
    -------
    probabilities : 2D `~numpy.ndarray`, shape (n, 2)
    """
    if network.judge is None or not rows:
        return np.array([row['scores'] for row in rows]).reshape(-1, 2)
    measured = torch.tensor([class_features(row) for row in rows],
                            dtype=torch.float32)
    seen = torch.stack([row['seen'] for row in rows])
    stamps = None
    if network.stamped is not None:
        stamps = torch.stack([row['stamp'] for row in rows])
    with torch.inference_mode():
        found = torch.softmax(network.classify(seen, measured, stamps), 1)
    return found[:, 1:].double().numpy()


def trained_share(card):
    """
    Find the share of odd objects for which probabilities were trained.

    Parameters
    ----------
    card : dict
        The model card of the network.

    Returns
    -------
    share : float or `None`
        Odd objects among the objects, as they counted; `None` if the card
        does not tell.
    """
    try:
        _, clumps, odd = card['class_head_training']['bright']
        odd *= card['class_head']['odd_weight']
    except (KeyError, TypeError, ValueError):
        return None
    share = odd / max(clumps + odd, 1)
    return share if 0 < share < 1 else None


def _of_share(pairs, share, trained):
    """
    Change probabilities to those for another share of odd objects.

    By the rule of Bayes: each class counts as much more as it is more common
    than in training, and nothing counts as before.
    """
    nothing = np.clip(1 - pairs.sum(1, keepdims=True), 0, 1)
    changed = pairs * [(1 - share) / (1 - trained), share / trained]
    return changed / (changed.sum(1, keepdims=True) + nothing)


def classify_marks(rows, network=None, shares=None):
    """
    Add probabilities, classes and flags to marks.

    Parameters
    ----------
    rows : list of dict
        The marks; ``probability``, ``object`` (the probability of either
        class) and ``class`` are added.

    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`, optional
        The network; without one, the distance from the centre decides.

    shares : tuple of 2 floats, optional
        The share of odd objects that is expected, and that of training.

    Returns
    -------
    rows : list of dict
    """
    if network is None:
        pairs = [(1.0, 0.0) if row['r50'] < _OUTSIDE else (0.0, 1.0)
                 for row in rows]
    else:
        pairs = class_probabilities(network, rows)
        if shares is not None:
            pairs = _of_share(pairs, *shares)
    for row, pair in zip(rows, pairs, strict=True):
        known = network is not None
        row['probability'] = float(max(pair)) if known else np.nan
        row['object'] = float(sum(pair)) if known else 1.0
        row['class'] = CLASSES[0] if pair[0] >= pair[1] else CLASSES[1]
        if not known or max(pair) < _UNSURE * min(pair):
            row['flag'] |= int(ClumpFlag.UNSURE_CLASS)
    return rows
