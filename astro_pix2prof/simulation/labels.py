# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Label simulated galaxies with what an observer can see in their images.

A simulated galaxy has features that its image does not show, because they
are smaller than the seeing, seen from the side, or fainter than the noise.
Like the votes of people, labels tell what is seen.
"""

import math

import torch

__all__ = ['CLASSES', 'visible_features']


# Classes of the label ``type``, and the types of the simulator in each.
CLASSES = {'elliptical': (0,), 'lenticular': (1,), 'spiral': (2, 3),
           'dwarf': (4,), 'edge-on': (5, 6)}

# The cosine of the inclination below which any disc is edge-on.
_EDGE_ON = 0.2

# A feature is seen if it is so many FWHM large and its ring has so high a
# signal-to-noise ratio; of tails, the whole has it.
_RESOLVED, _CLEAR, _CLEAR_TAIL = 1.5, 6.0, 15.0

# A detached ring has so large a part of the light at its radius.
_RING = 0.25


def visible_features(galaxies):
    """
    Label simulated galaxies.

    Parameters
    ----------
    galaxies : `~astro_pix2prof.simulation.SimulatedGalaxies`
        The galaxies.

    Returns
    -------
    labels : dict of `torch.Tensor`, shape (B,)
        ``type``, the index in ``CLASSES``; 0 or 1 for ``bar``, ``arms``,
        ``ring``, ``clumps``, ``tides``, ``dust`` (a lane) and ``merger`` (a
        companion within two effective radii with more than 15% of the
        light); and the numbers ``pitch`` (radians; not-a-number without
        arms) and ``lopsided`` (amplitude).
    """
    p = {name: value[:, 0] for name, value in galaxies.parameters.items()}
    kind, fwhm = p['kind'], galaxies.fwhm
    snr = galaxies.intensity / galaxies.ring_noise
    disc = (kind >= 1) & (kind <= 3)
    open_ = disc & (p['cos_i'] > 0.25)
    resolved = p['h'] > fwhm

    def clear(radius):
        at = torch.searchsorted(galaxies.sma, radius.contiguous()).clamp(
            max=len(galaxies.sma) - 1)
        return (snr.gather(1, at[:, None])[:, 0] > _CLEAR) & (
            radius > _RESOLVED * fwhm)

    types = torch.zeros_like(kind)
    for number, members in enumerate(CLASSES.values()):
        for member in members:
            types[kind == member] = number
    types[disc & (p['cos_i'] < _EDGE_ON)] = list(CLASSES).index('edge-on')
    arms = open_ & resolved & (
        (p['arms'] > 0.1) | (p['flocculence'] > 0.15)) & clear(1.5 * p['h'])
    ring = open_ & (
        ((p['ring_in'] > 0.25) & clear(p['r_ring_in']))
        | ((p['ring_out'] > 0.3) & clear(p['r_ring_out'])))
    tail = p['tides'] * p['flux'] / (2 * p['r_e'] * galaxies.sigma)
    inside = _within(galaxies, 2 * p['r_e'])
    share = (galaxies.contamination * inside).sum((1, 2)) / (
        galaxies.clean * inside).sum((1, 2)).clamp(min=1e-12)
    seen = _encounters(p, galaxies)
    labels = {
        'type': types,
        'bar': open_ & (p['bar'] > 0.03) & clear(p['a_bar']),
        'arms': arms, 'ring': ring | seen['hoop'],
        'clumps': resolved & (p['clumps'] > 0.04) & clear(p['h']),
        'tides': seen['tails'] | (p['tides'] > 0.01) & (
            tail > _CLEAR_TAIL) & (2 * p['r_e'] > _RESOLVED * fwhm),
        'dust': (p['tau'] > 0.4) & (p['h_z'] > 0.7 * fwhm),
        'merger': (share > 0.15) | seen['second'],
        'pitch': torch.where(arms & (p['arms'] > 0.1), p['pitch'],
                             torch.nan),
        'lopsided': p['lopsided']}
    return {name: value if name == 'type' else value.float()
            for name, value in labels.items()}


def _encounters(p, galaxies):
    """
    Tell whether tails, detached rings and second nuclei are seen.
    """
    if 'tails' not in p:
        none = torch.zeros_like(galaxies.sigma, dtype=torch.bool)
        return {'tails': none, 'hoop': none, 'second': none}
    fwhm, flux, sigma = galaxies.fwhm, p['flux'], galaxies.sigma
    large = 2 * p['r_e'] > _RESOLVED * fwhm
    tails = p['tails'] * flux / (2 * p['r_e'] * sigma)
    # a ring is seen where it is bright beside the galaxy, and wide
    width = p['hoop_width'].square().add((0.42 * fwhm)**2).sqrt()
    area = (2 * math.pi)**1.5 * p['r_hoop'] * width * p['hoop_q']
    hoop = p['hoop'] * flux
    at = torch.searchsorted(galaxies.sma, p['r_hoop'].contiguous()).clamp(
        max=len(galaxies.sma) - 1)
    beside = galaxies.intensity.gather(1, at[:, None])[:, 0]
    return {
        'tails': (tails > _CLEAR_TAIL) & large,
        'hoop': (hoop / (area.sqrt() * sigma) > 2 * _CLEAR) & (
            hoop / area > _RING * beside) & (p['r_hoop'] * p['hoop_q']
                                             > 1.5 * _RESOLVED * fwhm),
        'second': (p['second'] > 0.15) & (
            p['second_away'] > _RESOLVED * fwhm) & (
                p['second'] * flux > 3 * _CLEAR * p['second_size'] * sigma)}


def _within(galaxies, radius):
    """
    Select the pixels within circles about the centres.
    """
    ny, nx = galaxies.clean.shape[-2:]
    device = galaxies.clean.device
    x = torch.arange(nx, device=device) - galaxies.centre[:, :1]
    y = torch.arange(ny, device=device) - galaxies.centre[:, 1:]
    return (x[:, None]**2 + y[..., None]**2) < radius[:, None, None]**2
