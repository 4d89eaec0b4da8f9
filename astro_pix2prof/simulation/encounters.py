# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Draw tidal tails, detached rings and second nuclei, which encounters leave.

They are rare in the local Universe, so that only networks that learn to see
features are shown them (``features`` of the simulator). Ranges are wide: the
two tails of Toomre & Toomre (1972), rings of collisions and of accretion
(Appleton & Struck-Marcell 1996; Hoag 1950), cores of mergers.
"""

import math

import torch

from astro_pix2prof.simulation.components import rotate, sersic

__all__ = ['draw_encounters', 'encounter_light']

# The last radius of a tail in effective radii.
_REACH = 5.0


def draw_encounters(galaxies, generator):
    """
    Draw the parameters of tails, detached rings and second nuclei.

    Parameters
    ----------
    galaxies : dict of `torch.Tensor`, shape (B, 1)
        Parameters as `~astro_pix2prof.simulation.galaxies.draw_galaxies`
        returns them.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    Returns
    -------
    parameters : dict of `torch.Tensor`, shape (B, 1)
        To be added: ``tails``, ``hoop`` and ``second`` are parts of the
        flux of the galaxy, and 0 where there is none.
    """
    r_e = galaxies['r_e']

    def uniform(low=0.0, high=1.0):
        return low + (high - low) * torch.rand(r_e.shape,
                                               generator=generator)

    def chance(p):
        return uniform() < p

    def part(p, low, high):
        size = low * (high / low)**uniform()
        return torch.where(chance(p), size, 0.0)

    g = {'tails': part(0.22, 0.03, 0.4), 'hoop': part(0.13, 0.04, 0.5),
         'second': part(0.15, 0.1, 1.0)}
    # -- tails: radii, turns, widths and how they fade ---------------------
    g['tail_pa'] = uniform(0, 2 * math.pi)
    g['tail_turn'] = uniform(-1.8, 1.8)
    g['tail_start'] = uniform(0.4, 1.6) * r_e
    g['tail_width'] = uniform(0.08, 0.3) * r_e
    g['tail_wider'] = uniform(0.5, 3.0)
    g['tail_fade'] = uniform(0.0, 1.5)
    # the other one: none, or about as strong and long, and about opposite
    g['tail_other'] = torch.where(chance(0.25), 0.0, uniform(0.4, 1.0))
    g['tail_apart'] = math.pi + 0.5 * (uniform() - 0.5)
    g['tail_other_turn'] = g['tail_turn'] * uniform(0.5, 1.5)
    for name in ('tail_end', 'tail_other_end'):
        end = g['tail_start'] + uniform(1.2, 4.0) * r_e
        g[name] = torch.minimum(end, _REACH * r_e)
    # -- detached rings, in any plane or in that of the galaxy -------------
    own = chance(0.5)
    g['r_hoop'] = uniform(1.0, 2.8) * r_e
    g['hoop_width'] = g['r_hoop'] * uniform(0.05, 0.16)
    disc = (galaxies['kind'] >= 1) & (galaxies['kind'] <= 3)
    q = torch.where(disc, galaxies['q_disc'], galaxies['q_body'])
    g['hoop_q'] = torch.where(own, q, uniform(0.45, 1.0)).clamp(min=0.3)
    g['hoop_pa'] = torch.where(own, galaxies['pa'], uniform(0, math.pi))
    g['hoop_uneven'] = uniform(0.0, 0.6)
    g['hoop_phase'] = uniform(0, 2 * math.pi)
    # -- second nuclei, and light that is pulled to a side -----------------
    g['second_away'] = uniform(0.4, 1.6) * r_e
    g['second_angle'] = uniform(0, 2 * math.pi)
    g['second_size'] = uniform(0.25, 0.8) * r_e
    g['second_n'] = uniform(0.8, 3.5)
    g['second_q'] = uniform(0.5, 1.0)
    g['second_pa'] = uniform(0, math.pi)
    g['pulled'] = torch.where(chance(0.6), uniform(0.02, 0.2), 0.0)
    g['pulled_angle'] = g['second_angle'] + uniform(-2.5, 2.5)
    g['pulled_size'] = uniform(0.6, 1.2) * r_e
    return g


def encounter_light(galaxies, x, y):
    """
    Compute the light of tails, detached rings and second nuclei.

    Parameters
    ----------
    galaxies : dict of `torch.Tensor`, shape (B, 1)
        Parameters of galaxies, with those of `draw_encounters`.

    x, y : `torch.Tensor`, shape (B, P)
        Points in pixels from the centres.

    Returns
    -------
    light : `torch.Tensor`, shape (B, P)
        To be added, in nanomaggies per square pixel.
    """
    out = torch.zeros_like(x)
    for name, shape in (('tails', _tails), ('hoop', _hoop),
                        ('second', _second)):
        rows = (galaxies[name][:, 0] > 0).nonzero()[:, 0]
        if len(rows):
            s = {key: value[rows] for key, value in galaxies.items()}
            out[rows] += s['flux'] * s[name] * shape(s, x[rows], y[rows])
    return out


def _tails(s, x, y):
    r = torch.hypot(x, y) + 1e-3
    phi = torch.atan2(y, x)
    first = _tail(s, r, phi - s['tail_pa'], s['tail_end'], s['tail_turn'])
    other = _tail(s, r, phi - s['tail_pa'] - s['tail_apart'],
                  s['tail_other_end'], s['tail_other_turn'])
    return (first + s['tail_other'] * other) / (1 + s['tail_other'])


def _tail(s, r, phi, end, turn):
    """
    Compute a tail of unit flux: an angle that grows with the radius.
    """
    start, fade = s['tail_start'], s['tail_fade']
    reach = end - start

    def width_at(t):
        return s['tail_width'] * (1 + s['tail_wider'] * t)

    t = ((r - start) / reach).clamp(0, 1)
    slope = turn / reach
    off = torch.remainder(phi - turn * t + math.pi, 2 * math.pi) - math.pi
    width = width_at(t)
    across = off * r / torch.sqrt(1 + (slope * r)**2)
    # beyond the ends, the distance from them
    beyond = torch.relu(start - r) + torch.relu(r - end)
    light = (1 - t + 0.02)**fade / width * torch.exp(
        -0.5 * (across**2 + beyond**2) / width**2)
    # (far from the ridge, on the other side, there is none)
    light = torch.where(off.abs() < 0.5 * math.pi, light, 0.0)
    steps = torch.linspace(0, 1, 24, device=r.device)[None]
    along = (1.02 - steps)**fade * torch.sqrt(
        1 + (slope * (start + steps * reach))**2)
    flux = math.sqrt(2 * math.pi) * reach * along.mean(1, keepdim=True)
    return light / flux


def _hoop(s, x, y):
    u, v = rotate(x, y, s['hoop_pa'])
    v = v / s['hoop_q']
    off = (torch.hypot(u, v) - s['r_hoop']) / s['hoop_width']
    around = 1 + s['hoop_uneven'] * torch.cos(
        torch.atan2(v, u) - s['hoop_phase'])
    flux = (2 * math.pi)**1.5 * s['r_hoop'] * s['hoop_width'] * s['hoop_q']
    return torch.exp(-0.5 * off**2) * around / flux


def _second(s, x, y):
    angle, away = s['second_angle'], s['second_away']
    u, v = rotate(x - away * torch.cos(angle), y - away * torch.sin(angle),
                  s['second_pa'])
    light = sersic(torch.hypot(u, v / s['second_q']), s['second_n'],
                   s['second_size'], s['second_q'])
    side, size = s['pulled_angle'], s['pulled_size']
    off2 = (x - 1.6 * s['r_e'] * torch.cos(side))**2 + (
        y - 1.6 * s['r_e'] * torch.sin(side))**2
    # (a part of the galaxy, not of the companion)
    return light + s['pulled'] / s['second'] * torch.exp(
        -0.5 * off2 / size**2) / (2 * math.pi * size**2)
