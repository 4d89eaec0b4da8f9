# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Turn and mirror frames, and average the profiles of the views.
"""

from dataclasses import replace

import numpy as np

__all__ = ['mean_caption', 'turn_frame']


def turn_frame(frame, k):
    """
    Make one of the eight views of a frame.

    Parameters
    ----------
    frame : `~astro_pix2prof.networks.readers.frame.Frame`
        The frame.

    k : int
        Quarter turns, from 0 to 3; with 4 more, of the mirrored frame.

    Returns
    -------
    frame : `~astro_pix2prof.networks.readers.frame.Frame`
    """
    def turn(plane):
        if plane is None:
            return None
        plane = plane[:, ::-1] if k >= 4 else plane
        return np.ascontiguousarray(np.rot90(plane, k % 4))

    def move(point):
        return point and _move(point, frame.image.shape, k)

    ellipses = frame.ellipses
    if ellipses is not None:
        ellipses = (ellipses[0], *_turn_ellipses(*ellipses[1:], k))
    return replace(frame, image=turn(frame.image), mask=turn(frame.mask),
                   weight=turn(frame.weight), filled=turn(frame.filled),
                   centre=move(frame.centre), position=move(frame.position),
                   ellipses=ellipses)


def _move(point, shape, k):
    """
    Move a point (x, y) of a frame to its view.
    """
    x, y = point
    ny, nx = shape
    if k >= 4:
        x = nx - 1 - x
    for _ in range(k % 4):
        x, y = y, nx - 1 - x
        ny, nx = nx, ny
    return x, y


def _move_back(point, shape, k):
    """
    Move a point (x, y) of a view back to the frame.
    """
    x, y = point
    ny, nx = shape if k % 2 == 0 else shape[::-1]
    for _ in range(k % 4):
        ny, nx = nx, ny
        x, y = nx - 1 - y, x
    if k >= 4:
        x = nx - 1 - x
    return x, y


def _turn_ellipses(e1, e2, k):
    """
    Turn ellipses of a frame into its view, or of a view into its frame.
    """
    if k >= 4:
        e2 = -e2
    # a quarter turn is half a turn of twice the angle
    return (-e1, -e2) if k % 2 else (e1, e2)


def mean_caption(captions, shape):
    """
    Average the profiles of the views.

    Parameters
    ----------
    captions : list of `~astro_pix2prof.networks.readers.frame.Caption`
        The profiles of the views 0, 1, ...

    shape : tuple of 2 ints
        The shape of the frame.

    Returns
    -------
    caption : `~astro_pix2prof.networks.readers.frame.Caption`
        The means, with the scatter of the views added to the errors. The
        weights of the points are those of the first view.
    """
    # (radii are the same as far as all go)
    n = min(len(caption.sma) for caption in captions)
    mag = np.array([-2.5 * np.log10(caption.intensity[:n])
                    for caption in captions])
    error = np.array([caption.error[:n] for caption in captions])
    e1, e2 = np.mean([_turn_ellipses(caption.e1[:n], caption.e2[:n], k)
                      for k, caption in enumerate(captions)], 0)
    centre = np.mean([_move_back(caption.centre, shape, k)
                      for k, caption in enumerate(captions)], 0)
    first = captions[0]
    errors = {}
    for name in ('eps_error', 'pa_error', 'enclosed_error', 'centre_error'):
        if getattr(first, name) is not None:
            errors[name] = np.sqrt(np.mean([
                np.square(getattr(caption, name) if name == 'centre_error'
                          else getattr(caption, name)[:n])
                for caption in captions], 0))
    rise = first.rise
    if rise is not None:
        rise = np.mean([caption.rise[:n] for caption in captions], 0)
    return replace(
        first, **errors, rise=rise, sma=first.sma[:n],
        intensity=10**(-0.4 * mag.mean(0)),
        error=np.hypot(np.sqrt(np.mean(error**2, 0)), mag.std(0)),
        reached_edge=all(caption.reached_edge for caption in captions),
        e1=e1, e2=e2, valid=np.mean(
            [caption.valid[:n] for caption in captions], 0),
        centre=tuple(float(c) for c in centre), weight=first.weight[:n],
        trust={name: float(np.mean([caption.trust[name]
                                    for caption in captions]))
               for name in first.trust})
