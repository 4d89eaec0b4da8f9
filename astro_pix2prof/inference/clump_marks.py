# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Mark objects on the maps of a galaxy: by a network, or as peaks.
"""

import warnings

import numpy as np
import torch
from photutils.detection import find_peaks as find_maxima
from photutils.utils.exceptions import NoDetectionsWarning

from astro_pix2prof.inference.clump_classes import seen_at
from astro_pix2prof.networks.clumps.network import find_peaks

__all__ = ['SAME', 'clearest_marks', 'filter_marks', 'network_marks']


# Marks of the network that are measured have at least this score.
_LEAST = 0.04

# The peak of the filtered image lies so close to a mark of the network, and
# of marks that are closer than that to each other only the clearest counts
# (FWHM).
_BESIDE, SAME = 0.4, 0.7


def network_marks(network, maps, *, turned=True):
    """
    Mark objects with a network.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        The network.

    maps : `~astro_pix2prof.inference.clump_maps.ClumpMaps`
        The maps of the galaxy.

    turned : bool, optional
        Whether the mean of all eight ways of turning and mirroring the maps
        is taken.

    Returns
    -------
    marks : list of tuple
        x, y (pixels of the maps), and the probabilities of both classes, the
        clearest first.

    seen : list of `torch.Tensor`, shape (C,)
        What the network saw there.
    """
    with torch.inference_mode():
        # (what is found must not change when the image is turned)
        logits, offset, seen, first = (
            network.look_around(maps.maps.channels, maps.centre) if turned
            else (*network.look(maps.maps.channels), (0, 0)))
        peaks = find_peaks(logits[0], offset[0], least=_LEAST)
        seen = seen_at(seen[0], peaks[:, :2])
        peaks[:, :2] += torch.tensor(first, dtype=peaks.dtype)
    rows = peaks.double().tolist()
    places = _sharpen(maps, [row[:2] for row in rows])
    kept = clearest_marks(places, SAME * maps.fwhm)
    return ([(*places[k], *rows[k][2:4]) for k in kept],
            [seen[k] for k in kept])


def clearest_marks(places, radius):
    """
    Leave out marks beside clearer ones: one object is marked once.

    Parameters
    ----------
    places : list of tuple
        x and y, the clearest first.

    radius : float
        The least distance, in the same unit.

    Returns
    -------
    kept : list of int
        The numbers of those that stay.
    """
    kept = []
    for k, (x, y) in enumerate(places):
        if all(np.hypot(x - places[j][0], y - places[j][1]) >= radius
               for j in kept):
            kept.append(k)
    return kept


def _sharpen(maps, places):
    """
    Move marks of the network to the peaks of the filtered image beside them.

    The network tells where an object is to a part of the two pixels of its
    cells; the filtered image does better. A mark with no peak beside it, or
    whose peak is that of a clearer mark, stays.
    """
    image = maps.maps.compact[0].numpy().astype(float)
    ny, nx = image.shape
    reach = max(_BESIDE * maps.fwhm, 1.0)
    taken, out = set(), []
    for x, y in places:
        best = 0.0, None, None
        for j in range(max(int(np.ceil(y - reach)), 1),
                       min(int(y + reach), ny - 2) + 1):
            for i in range(max(int(np.ceil(x - reach)), 1),
                           min(int(x + reach), nx - 2) + 1):
                around = np.s_[j - 1:j + 2, i - 1:i + 2]
                if (image[j, i] > best[0]
                        and image[j, i] >= image[around].max()
                        and maps.good[around].all()):
                    best = image[j, i], i, j
        if best[1] is not None and best[1:] not in taken:
            _, i, j = best
            taken.add((i, j))
            dx, dy = _vertex(image, i, j)
            x, y = i + dx, j + dy
        out.append((x, y))
    return out


def filter_marks(maps, threshold):
    """
    Find peaks of the filtered image.

    Parameters
    ----------
    maps : `~astro_pix2prof.inference.clump_maps.ClumpMaps`
        The maps of the galaxy.

    threshold : float
        The least signal-to-noise ratio.

    Returns
    -------
    marks : list of tuple
        x, y (pixels of the maps) and two not-a-numbers, the clearest first.
    """
    image = maps.maps.compact[0].numpy().astype(float)
    # (an area with a peak is as wide as the PSF: neighbours are told apart)
    side = 2 * round(0.5 * maps.fwhm) + 1
    with warnings.catch_warnings():
        # (no peaks are no cause for a warning)
        warnings.simplefilter('ignore', NoDetectionsWarning)
        table = find_maxima(image, threshold, box_size=max(side, 3),
                            mask=~maps.good)
    if table is None:
        return []
    rows = []
    for x, y in zip(table['x_peak'], table['y_peak'], strict=True):
        dx, dy = _vertex(image, int(x), int(y))
        rows.append((x + dx, y + dy, np.nan, np.nan, image[y, x]))
    rows.sort(key=lambda row: -row[4])
    return [row[:4] for row in rows]


def _vertex(image, x, y):
    """
    Find the vertex of the parabolas through a peak and its neighbours.
    """
    out = []
    for line in (image[y, max(x - 1, 0):x + 2],
                 image[max(y - 1, 0):y + 2, x]):
        bend = line[0] - 2 * line[1] + line[2] if len(line) == 3 else 0.0
        out.append(float(np.clip(0.5 * (line[0] - line[2]) / bend, -0.5, 0.5))
                   if bend < 0 else 0.0)
    return out
