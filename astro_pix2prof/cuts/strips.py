# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Straight strips across a galaxy.
"""

import numpy as np

__all__ = ['both_sides', 'strip_points']


def strip_points(centre, theta, across, width, *, offsets=(0.0,),
                 signs=(1,)):
    """
    Make the function that places points on the lines across a strip.

    Parameters
    ----------
    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    theta, across : float
        The directions of the strip, and at right angles to it, in radians
        from +x.

    width : float
        The width of the strip in pixels.

    offsets : sequence of float, optional
        Distances of the middle of the strip from the centre, along
        ``across``, in pixels; several are averaged.

    signs : sequence of int, optional
        1 for the side that ``theta`` points to, -1 for the other; both are
        averaged.

    Returns
    -------
    points : callable
        Takes a distance (pixels) along the strip; see
        `~astro_pix2prof.cuts.lines.measure_lines`.
    """
    n = max(int(np.ceil(2 * width)), 1)
    side = ((np.arange(n) + 0.5) / n - 0.5) * width
    side = np.concatenate([side + offset for offset in offsets])
    dx, dy = np.cos(theta), np.sin(theta)
    ex, ey = np.cos(across), np.sin(across)

    def points(at):
        # (both sides of the middle are the same line)
        way = np.array(signs if at != 0 else signs[:1], dtype=float) * at
        x = (centre[0] + way[:, None] * dx + side * ex).ravel()
        y = (centre[1] + way[:, None] * dy + side * ey).ravel()
        return x, y, np.full(x.size, width / n)

    return points


def both_sides(distances):
    """
    Continue distances to the other side.

    Parameters
    ----------
    distances : 1D `~numpy.ndarray`, shape (n,)
        From 0 on, increasing.

    Returns
    -------
    positions : 1D `~numpy.ndarray`
        From the largest negative one on, increasing.
    """
    return np.concatenate([-distances[distances > 0][::-1], distances])
