# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compute the light of galaxies at points from their parameters.
"""

import math

import torch

from astro_pix2prof.simulation.components import (
    bar,
    broken_disc,
    edge_on_disc,
    edge_on_norm,
    elliptical_radius,
    rotate,
    sersic,
)

__all__ = ['clump_light', 'detail_light', 'smooth_light']


class _Subset:
    """
    Galaxies that have a component, and their parameters.
    """

    def __init__(self, galaxies, rows):
        self._galaxies, self._rows = galaxies, rows

    def __getattr__(self, name):
        return self._galaxies[name][self._rows]


def _add(total, rows, light):
    if len(rows) == len(total):
        total += light
    else:
        total.index_add_(0, rows, light)


def _rows(condition):
    return condition[:, 0].nonzero()[:, 0]


def smooth_light(galaxies, x, y):
    """
    Compute the light of bodies, bulges, discs, bars, rings and nuclei.

    Parameters
    ----------
    galaxies : dict
        See `~astro_pix2prof.simulation.galaxies.draw_galaxies`.

    x, y : `torch.Tensor`, shape (B, P)
        Points in pixels from the centres.

    Returns
    -------
    light : `torch.Tensor`, shape (B, P)
        Surface brightness in nanomaggies per square pixel.

    disc : `torch.Tensor`, shape (B, P)
        The disc alone, which arms and dust modulate.
    """
    g = galaxies
    total = torch.zeros_like(x)
    disc = torch.zeros_like(x)
    u, v = rotate(x, y, g['pa'])
    kind = g['kind']

    rows = _rows((kind == 0) | (kind == 4) | (kind == 6))
    if len(rows):
        _add(total, rows, _body(_Subset(g, rows), u[rows], v[rows]))
    rows = _rows((kind == 4) & (g['lopsided'] > 0))
    if len(rows):
        s = _Subset(g, rows)
        total[rows] *= _lopsided(s, u[rows], v[rows], s.r_e)

    rows = _rows((kind > 0) & (kind < 4))
    if len(rows):
        s, du, dv = _Subset(g, rows), u[rows], v[rows]
        q = s.q_disc
        if (s.warp != 0).any():
            bend = s.warp * (torch.hypot(du, dv / q) / (4 * s.h)).clamp(
                max=1.5)**2
            du, dv = rotate(du, dv, bend)
        r = elliptical_radius(du, dv, q)
        light = broken_disc(r, s.h, [(s.break_1, s.slope_1, s.sharp_1),
                                     (s.break_2, s.slope_2, s.sharp_2)], q)
        light = light * _lopsided(s, du, dv / q, 2 * s.h)
        light = light * (1 - s.bulge - s.bar - s.nucleus).clamp(min=0.05)
        light = light * _rings(s, du, dv / q)
        _add(disc, rows, light)

    rows = _rows(kind == 5)
    if len(rows):
        s, du, dv = _Subset(g, rows), u[rows], v[rows]
        if (s.warp != 0).any():
            # an integral-sign warp of the outer disc
            out = (du.abs() / (2.5 * s.h) - 1).clamp(min=0)
            dv = dv - 0.3 * s.warp * s.h * out**2 * torch.sign(du)
        breaks = [(s.break_1, s.slope_1, s.sharp_1),
                  (s.break_2, s.slope_2, s.sharp_2)]
        light = edge_on_disc(du, dv, s.h, s.h_z, breaks,
                             edge_on_norm(s.h, s.h_z, breaks))
        light = light * _lopsided(s, du, 0 * dv, 2 * s.h)
        light = light * (1 - s.bulge - s.bar - s.nucleus).clamp(min=0.05)
        _add(disc, rows, light)

    total += disc
    rows = _rows(g['bulge'] > 0)
    if len(rows):
        s = _Subset(g, rows)
        r = elliptical_radius(u[rows], v[rows], s.q_bulge, boxy=s.boxy)
        light = s.bulge * sersic(r, s.n_bulge, s.r_bulge, s.q_bulge)
        if (s.n_bulge > 2.0).any():
            light = light * torch.exp(-(r / s.bulge_end)**4)
        _add(total, rows, light)
    rows = _rows(g['bar'] > 0)
    if len(rows):
        s = _Subset(g, rows)
        _add(total, rows, s.bar * _bar(s, u[rows], v[rows]))
    rows = _rows(g['envelope'] > 0)
    if len(rows):
        s = _Subset(g, rows)
        r = elliptical_radius(u[rows], v[rows], s.q_envelope)
        total[rows] = (1 - s.envelope) * total[rows] + s.envelope * sersic(
            r, s.n_envelope, s.r_envelope, s.q_envelope)
        disc[rows] *= 1 - s.envelope
    rows = _rows(g['nucleus'] > 0)
    if len(rows):
        s = _Subset(g, rows)
        # unresolved: a Gaussian of 0.15 px, which the grids still sample
        r2 = (x[rows]**2 + y[rows]**2) / (2 * 0.15**2)
        _add(total, rows, s.nucleus / (2 * math.pi * 0.15**2)
             * torch.exp(-r2))
    rows = _rows(g['tau'] > 0)
    if len(rows):
        s = _Subset(g, rows)
        z = (v[rows] - s.dust_shift).abs() / s.dust_z
        tau = s.tau * torch.exp(-z - u[rows].abs() / (1.4 * s.h))
        screen = torch.exp(-tau)
        total[rows] *= screen
        disc[rows] *= screen
    return total * g['flux'], disc * g['flux']


def _body(s, u, v):
    """
    Compute Sersic profiles of drifting ellipses, as of ellipticals.
    """
    r = torch.hypot(u, v) + 1e-6
    log_r = torch.log(r / s.r_e).clamp(-2.0, 1.6)
    u, v = rotate(u, v, s.pa_slope * log_r)
    q = s.q_body - s.e_slope * log_r
    q = torch.maximum(q, s.q_body.clamp(max=0.3)).clamp(max=1.0)
    r = elliptical_radius(u, v, q, boxy=s.boxy)
    # r_e is that of the circularised profile
    r_e = s.r_e / s.q_body.sqrt()
    r = torch.sqrt(r * r + s.core**2)
    light = (1 - s.halo - s.nucleus - s.bulge) * sersic(r, s.n_body, r_e,
                                                        s.q_body)
    if (s.halo > 0).any():
        one = torch.ones_like(s.halo)
        light = light + s.halo * sersic(
            r, one, r_e * s.halo_size, s.q_body)
    return light


def _lopsided(s, u, v, scale):
    """
    Compute a first harmonic that grows up to 1.5 times the scale.
    """
    r = torch.hypot(u, v) + 1e-6
    cos = (u * torch.cos(s.lopsided_pa) + v * torch.sin(s.lopsided_pa)) / r
    return 1 + s.lopsided * (r / scale).clamp(max=1.5) * cos


def _rings(s, u, v):
    """
    Compute rings as a factor on the disc, in the plane of the disc.
    """
    factor = 1.0
    if (s.ring_in <= 0).all() and (s.ring_out <= 0).all():
        return factor
    a, b = rotate(u, v, s.ring_pa)
    r = torch.hypot(a, b / s.ring_q)
    for height, radius in ((s.ring_in, s.r_ring_in),
                           (s.ring_out, s.r_ring_out)):
        t = (r / radius - 1) / s.ring_width
        # a shallow gap inside of the ring, as where gas was swept up
        factor = factor + height * (torch.exp(-0.5 * t * t) - 0.3
                                    * torch.exp(-0.5 * (t + 2.2)**2))
    return factor


def _bar(s, u, v):
    q = s.q_disc.clamp(min=0.15)
    a, b = rotate(u, v / q, s.bar_pa)
    light = bar(a, b, s.a_bar, s.q_bar, s.bar_shape, s.bar_flat) / q
    if (s.ansae > 0).any():
        w = 0.14 * s.a_bar
        for sign in (-1, 1):
            r2 = (a - sign * 0.88 * s.a_bar)**2 + b**2
            light = light + s.ansae / 2 * torch.exp(
                -r2 / (2 * w * w)) / (2 * math.pi * w * w * q)
    return light


def detail_light(galaxies, x, y, disc, generator):
    """
    Compute arms, flocculence and tides, which do not steer the ellipses.

    Parameters
    ----------
    galaxies : dict
        See `~astro_pix2prof.simulation.galaxies.draw_galaxies`.

    x, y : `torch.Tensor`, shape (B, P)
        Points in pixels from the centres.

    disc : `torch.Tensor`, shape (B, P)
        The light of the disc.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    Returns
    -------
    light : `torch.Tensor`, shape (B, P)
        To be added; arms take as much as they give.
    """
    g = galaxies
    out = torch.zeros_like(x)
    rows = _rows((g['arms'] > 0) | (g['flocculence'] > 0))
    if len(rows):
        s = _Subset(g, rows)
        u, v = rotate(x[rows], y[rows], s.pa)
        dwarf = s.kind == 4
        v = v / torch.where(dwarf, s.q_body, s.q_disc)
        base = disc[rows]
        if dwarf.any():
            # a dwarf has no disc apart: its own body is modulated
            w = torch.where(dwarf, s.q_body, 1.0)
            base = torch.where(dwarf, s.flux * sersic(
                torch.hypot(u, v), s.n_body.clamp(max=4),
                s.r_e / w.sqrt(), w), base)
        out[rows] += base * _arms(s, u, v, generator)
    rows = _rows(g['tides'] > 0)
    if len(rows):
        s = _Subset(g, rows)
        out[rows] += s.flux * s.tides * _tides(s, x[rows], y[rows],
                                               generator)
    return out


def _arms(s, u, v, generator):
    """
    Compute arms and patches, as a factor of zero mean on a circle.
    """
    device = u.device
    r2 = u * u + v * v + 1e-4
    # two scale lengths around which the spiral winds
    log_r = 0.5 * torch.log(r2) - torch.log(s.h)
    phi = torch.atan2(v, u) * s.winding
    r = torch.exp(log_r)                                  # in units of h
    start = torch.sigmoid((r - s.arm_start / s.h) * 6)
    end = torch.sigmoid((s.arm_end / s.h - r) * 3)
    wind = log_r / torch.tan(s.pitch)
    out = torch.zeros_like(u)
    some = s.arms[:, 0] > 0
    if some.any():
        k = some.nonzero()[:, 0]
        sharp = s.arm_sharp[k]
        phase = s.n_arms[k] * (phi[k] - wind[k]) - s.arm_phase[k]
        # exp(s cos) has the mean I0(s) over a circle
        wave = torch.exp(sharp * (torch.cos(phase) - 1))
        wave = wave / torch.special.i0e(sharp) - 1
        out[k] = (s.arms[k] * wave * start[k] * end[k]).clamp(min=-0.92)
    # patches: a few waves of high order, sheared as the arms are
    n, n_wave = len(u), 5
    rand = torch.rand(4, n, n_wave, generator=generator).to(device)
    for k in range(n_wave):
        m = torch.floor(3 + 12 * rand[0, :, k:k + 1]**1.5)
        shear = (rand[1, :, k:k + 1] - 0.3) * 2
        knots = 2 * torch.pi * (rand[2, :, k:k + 1] - 0.5) * 3
        out = out + s.flocculence * 0.6 * end * torch.cos(
            m * (phi - shear * wind) + knots * r + 6.2832
            * rand[3, :, k:k + 1]) * (r / 0.4).clamp(max=1)
    return out.clamp(min=-0.95)


def _tides(s, x, y, generator):
    """
    Compute a shell (sharp outer edge) or a tail (ridge) of about unit flux.
    """
    rand = torch.rand(5, len(x), 1, generator=generator).to(x.device)
    r = torch.hypot(x, y) + 1e-3
    angle = 6.2832 * rand[0]
    phi = torch.remainder(torch.atan2(y, x) - angle, 2 * math.pi) - math.pi
    shell = rand[1] < 0.5
    r_0 = s.r_e * (1.8 + 2.2 * rand[2])
    width = s.r_e * (0.15 + 0.4 * rand[3])
    span = 0.5 + 0.8 * rand[4]
    # the ridge of a tail moves outwards with angle
    ridge = torch.where(shell, r_0, r_0 * torch.exp(0.25 * phi))
    t = (r - ridge) / width
    inner = torch.exp(-0.5 * t * t)
    sharp = torch.exp(-0.5 * (t / 0.15)**2)
    radial = torch.where(shell & (t > 0), sharp, inner)
    around = torch.exp(-0.5 * (phi / span)**2)
    return radial * around / (2 * math.pi * r_0 * width * span * 0.4)


def clump_light(galaxies, grid, fwhm, generator, *, n_max=80):
    """
    Draw HII regions and associations on the frame's pixels.

    Parameters
    ----------
    galaxies : dict
        See `~astro_pix2prof.simulation.galaxies.draw_galaxies`.

    grid : `~astro_pix2prof.simulation.convolution.NestedGrid`
        The grid.

    fwhm : `torch.Tensor`, shape (B,)
        The seeing in pixels.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    n_max : int, optional
        The largest number of clumps in a galaxy.

    Returns
    -------
    flux : `torch.Tensor`, shape (B, size, size), or None
        Flux in the pixels; `None` if no galaxy has clumps.

    clumps : `torch.Tensor`, shape (B, n_max, 4)
        Of each clump, the position x, y (px from the frame's first pixel),
        flux (nanomaggies) and size (standard deviation of a Gaussian in
        pixels, before the PSF); zeros where there is none.
    """
    g = galaxies
    rows = _rows(g['clumps'] > 0)
    clumps = torch.zeros(len(grid.x), n_max, 4, device=grid.x.device)
    if not len(rows):
        return None, clumps
    s = _Subset(g, rows)
    device, n = grid.x.device, len(rows)
    u = torch.rand(4, n, n_max, generator=generator).to(device)
    # luminosity function dN/dL ~ L^-1.8, over two decades
    lum = (1 - u[0] * (1 - 0.01**0.8))**(-1 / 0.8)
    count = 5 + (n_max - 5) * torch.rand(n, 1, generator=generator).to(device)
    lum = lum * (torch.arange(n_max, device=device) < count)
    lum = lum / lum.sum(1, keepdim=True) * s.clumps * s.flux
    # exponential radii, a hole in the middle; an angle
    r = s.h * (-torch.log((1 - u[1]).clamp(min=1e-4)) * 1.1 + 0.25)
    r = torch.where(s.kind == 4, 0.8 * r, r)
    phi = 6.2832 * u[2]
    # with arms, clumps sit on them
    armed = s.arms > 0
    arm = (torch.log(r / s.h) / torch.tan(s.pitch) + s.arm_phase / s.n_arms
           + torch.floor(u[2] * s.n_arms) * 6.2832 / s.n_arms
           + 0.5 * (u[3] - 0.5)) * s.winding
    phi = torch.where(armed, arm, phi)
    q = torch.where((s.kind == 4) | (s.kind == 6), s.q_body,
                    torch.where(s.kind == 5, s.h_z / s.h, s.q_disc))
    a, b = r * torch.cos(phi), q * r * torch.sin(phi)
    dx, dy = rotate(a, b, -s.pa)
    # sizes of 100 to 400 pc beside a scale length of a few kpc
    width = (0.02 + 0.08 * u[3]) * s.h
    width = torch.sqrt(width**2 + 0.45**2)
    axis = torch.arange(grid.size, device=device) - grid.pad
    cx, cy = grid.centre[rows, :1] + dx, grid.centre[rows, 1:] + dy
    gx = torch.exp(-0.5 * ((axis - cx[..., None]) / width[..., None])**2)
    gy = torch.exp(-0.5 * ((axis - cy[..., None]) / width[..., None])**2)
    gy = gy * (lum / (2 * math.pi * width**2))[..., None]
    out = torch.zeros(len(grid.x), grid.size, grid.size, device=device)
    out[rows] = torch.bmm(gy.transpose(1, 2), gx)
    clumps[rows] = torch.stack([cx, cy, lum, width], -1) * (
        lum > 0)[..., None]
    return out, clumps
