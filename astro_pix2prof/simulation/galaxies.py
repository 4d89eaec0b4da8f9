# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Draw galaxies with the statistics of the local Universe.

Each number has its source beside it; where the literature disagrees, or
where a value was only guessed, the range is wide, because a network that
was trained on a narrow range fails outside of it without saying so.
"""

import math

import torch

from astro_pix2prof.networks.ellipse import NANOMAGGY_ZEROPOINT

__all__ = ['TYPES', 'draw_galaxies']

# Shares of the types; a choice, to show each often enough.
# A thin disc is a plain Sersic profile of an ellipticity of 0.75 to 0.94.
TYPES = {'elliptical': 0.13, 's0': 0.12, 'early spiral': 0.19,
         'late spiral': 0.19, 'dwarf': 0.13, 'edge-on': 0.10,
         'thin disc': 0.14}


class _Draw:
    """
    Source of random numbers of shape (n, 1).
    """

    def __init__(self, n, generator):
        self.n, self.generator = n, generator

    def uniform(self, low=0.0, high=1.0):
        return low + (high - low) * torch.rand(
            self.n, 1, generator=self.generator)

    def normal(self, mean=0.0, sigma=1.0):
        return mean + sigma * torch.randn(
            self.n, 1, generator=self.generator)

    def lognormal(self, median, sigma):
        return median * torch.exp(self.normal(0, sigma))

    def chance(self, p):
        return self.uniform() < p

    def beta(self, a, b):
        u = torch.distributions.Beta(a, b)
        # the cumulative distribution, inverted on a grid: torch's own
        # sampler of the beta distribution takes no generator
        grid = torch.linspace(1e-4, 1 - 1e-4, 2001)
        cdf = torch.cumsum(torch.exp(u.log_prob(grid)), 0)
        cdf = cdf / cdf[-1]
        at = torch.searchsorted(cdf, self.uniform().clamp(max=0.9999))
        return grid[at.clamp(max=2000)]


def draw_galaxies(instruments, n_pix, generator, *, kind=None):
    """
    Draw the parameters of galaxies.

    Parameters
    ----------
    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    n_pix : int
        The side of the frames in pixels.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    kind : str, optional
        A key of ``TYPES``; drawn if `None`.

    Returns
    -------
    galaxies : dict of `torch.Tensor`, shape (B, 1)
        Lengths in pixels, angles in radians counter-clockwise from +x,
        ``flux`` in nanomaggies; ``kind`` is the index in ``TYPES``.

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    fwhm = instruments['fwhm'][:, None].float()
    n = len(fwhm)
    draw = _Draw(n, generator)
    names = list(TYPES)
    if kind is None:
        edges = torch.tensor(list(TYPES.values())).cumsum(0)
        kind = torch.searchsorted(edges, draw.uniform() * edges[-1])
        kind = kind.clamp(max=len(names) - 1)
    elif kind in TYPES:
        kind = torch.full((n, 1), names.index(kind))
    else:
        msg = f'kind must be one of {", ".join(TYPES)}; got {kind!r}'
        raise ValueError(msg)

    def by_type(**values):
        table = torch.tensor([float(values.get(
            name.replace(' ', '_').replace('-', '_'), 0.0))
            for name in names])
        return table[kind]

    early = (kind == 1) | (kind == 2)
    late = kind == 3
    elliptical, dwarf, edge_on = kind == 0, kind == 4, kind == 5
    thin = kind == 6
    disc = early | late | edge_on
    spiral = (kind == 2) | late
    g = {'kind': kind}

    # -- size and brightness ---------------------------------------------
    # sizes are uniform in their logarithm: a survey's catalogue is cut
    # at some multiple of the seeing, and frames are chosen to suit
    largest = 0.36 * n_pix * draw.uniform(0.45, 1.0)
    low = (0.9 * fwhm).clamp(min=0.012 * n_pix)
    # the seeing makes small discs round, however thin they are: two in
    # three have minor axes that it resolves
    large = (edge_on | thin) & draw.chance(0.67)
    low = torch.where(large, torch.maximum(low, 4 * fwhm), low)
    low = torch.minimum(low, torch.where(large, 0.7, 0.5) * largest)
    r_e = low * (largest / low)**draw.uniform()
    # one galaxy in twenty fills its frame
    g['fills'] = draw.chance(0.05)
    r_e = torch.where(g['fills'], n_pix * draw.uniform(0.2, 0.35), r_e)
    h = r_e / 1.6
    g['h'] = h
    # thin discs: the size is that of the major axis, and r_e that of the
    # circle of the same area
    q_thin = 0.06 * (0.25 / 0.06)**(draw.uniform()**1.5)
    r_e = torch.where(thin, r_e * q_thin.sqrt(), r_e)
    g['r_e'] = r_e
    # mean surface brightness within r_e in r (Shen et al. 2003; Fathi
    # 2010), a tail of low surface brightness (Venhola et al. 2017)
    mu = draw.normal(21.2, 1.1)
    mu = torch.where(elliptical, draw.normal(20.9, 1.0), mu)
    mu = torch.where(dwarf, draw.normal(22.9, 0.9), mu)
    mu = torch.where(thin, draw.normal(21.7, 1.3), mu)
    mu = torch.where(draw.chance(0.10), draw.uniform(22.5, 26.0), mu)
    # g - r 0.4 to 0.8, r - i 0.15 to 0.4, by type
    colour = by_type(elliptical=0.75, s0=0.72, early_spiral=0.62,
                     late_spiral=0.48, dwarf=0.45, edge_on=0.6,
                     thin_disc=0.55)
    colour = colour + draw.normal(0, 0.08)
    band = instruments['band'][:, None]
    mu = mu + torch.where(band == 0, colour, 0.0) - torch.where(
        band == 2, 0.5 * colour, 0.0)
    pixel = instruments['pixel_scale'][:, None].float()
    sigma = instruments['sigma'][:, None].float()
    # deep surveys are pointed at fainter galaxies too
    depth = 2.5 * torch.log10(0.030 / 0.396 * pixel / sigma)
    mu = mu + depth * draw.uniform(0.0, 0.9)
    # dwarfs at the limit of deep surveys, with centres of 24 to 26
    mu = torch.where(dwarf & (depth > 2.5) & draw.chance(0.3),
                     draw.uniform(25.0, 27.0), mu)
    # require a total signal-to-noise ratio of at least 50
    flux = 2 * math.pi * (r_e * pixel)**2 * 10**(
        -0.4 * (mu - NANOMAGGY_ZEROPOINT))
    least = 50 * sigma * (4 * math.pi * (r_e**2 + 0.18 * fwhm**2)).sqrt()
    flux = torch.maximum(flux, least * draw.uniform(1, 3))
    # frames of very high signal: a mean within r_e of 100 to 1600 sigma
    high = 2 * math.pi * r_e**2 * sigma * 10**draw.uniform(2.0, 3.2)
    g['flux'] = torch.where(instruments['bright'][:, None], high, flux)

    # -- orientation ------------------------------------------------------
    g['pa'] = draw.uniform(0, math.pi)
    # thickness: Padilla & Strauss 2008, 0.21; Kregel et al. 2002
    # and one in three thinner, down to the superthin ones
    q0 = draw.normal(0.22, 0.06).clamp(0.08, 0.45)
    q0 = torch.where(draw.chance(0.35), draw.uniform(0.07, 0.16), q0)
    g['q0'] = q0
    cos_i = draw.uniform(0.02, 1.0)
    cos_i = torch.where(edge_on, draw.uniform(0.0, 0.16), cos_i)
    g['cos_i'] = cos_i
    # discs are not quite round: ln e = -2.33 +- 0.79
    round_ = 1 - torch.exp(draw.normal(-2.33, 0.79)).clamp(max=0.35)
    q_disc = torch.sqrt(cos_i**2 * (1 - q0**2) + q0**2) * torch.where(
        cos_i > 0.5, round_, torch.ones_like(round_))
    g['q_disc'] = q_disc.clamp(min=0.07)
    # ellipticals: triaxial, Kimm & Yi 2007; dwarfs rounder than thin
    q_e = torch.sqrt(draw.uniform()**2 * (1 - 0.16) + 0.16).clamp(0.42, 1.0)
    q_d = torch.sqrt(draw.uniform()**2 * (1 - 0.14) + 0.14).clamp(0.35, 1.0)
    g['q_body'] = torch.where(thin, q_thin, torch.where(dwarf, q_d, q_e))
    # drift of e and PA with log r (Hao et al. 2006), one in five strong
    strong = torch.where(draw.chance(0.2), 4.0, 1.0)
    strong = torch.where(thin, 0.1, strong)
    g['e_slope'] = draw.normal(0, 0.06) * strong
    g['pa_slope'] = draw.normal(0, 0.10) * strong
    g['boxy'] = draw.normal(0.003, 0.009).clamp(-0.03, 0.03)
    # ------------------------------------------------------------ bodies
    n_body = draw.lognormal(4.0, 0.4).clamp(1.8, 8.0)
    n_body = torch.where(dwarf, draw.uniform(0.45, 1.6), n_body)
    # thin discs: exponential ones, and for each two of these a steeper one
    n_thin = torch.where(draw.chance(0.35), draw.uniform(1.2, 4.5),
                         draw.normal(1.0, 0.35).clamp(0.5, 2.5))
    n_body = torch.where(thin, n_thin, n_body)
    g['n_body'] = n_body
    g['core'] = torch.where(elliptical & draw.chance(0.2), draw.uniform(
        0.01, 0.12) * r_e, 0.0)
    # haloes of massive ellipticals (Sola et al. 2025), cD envelopes
    g['halo'] = torch.where(elliptical & draw.chance(0.15),
                            draw.uniform(0.05, 0.3), 0.0)
    g['halo_size'] = draw.uniform(2.5, 5.0)
    # -- bulge (Weinzirl et al. 2009; Gao et al. 2020) ---------------------
    b_t = torch.where(kind == 1, draw.beta(3.0, 5.0), draw.beta(1.4, 6.0))
    b_t = torch.where(late, draw.beta(1.0, 14.0), b_t)
    b_t = torch.where(edge_on, draw.beta(1.2, 7.0), b_t)
    g['bulge'] = torch.where(disc, b_t, 0.0)
    g['n_bulge'] = draw.lognormal(1.8, 0.45).clamp(0.6, 5.0)
    g['r_bulge'] = h * draw.lognormal(0.2, 0.4).clamp(0.04, 0.8)
    # wings of steep bulges end with the disc, but for one disc in six and
    # one thin disc in ten, in which they rule outside of it
    winged = (disc | thin) & (draw.uniform() < torch.where(thin, 0.1, 0.17))
    g['bulge'] = torch.where(winged, draw.uniform(0.15, 0.6), g['bulge'])
    g['n_bulge'] = torch.where(winged, draw.uniform(2.0, 4.2), g['n_bulge'])
    g['r_bulge'] = torch.where(winged, h * draw.uniform(0.4, 1.8),
                               g['r_bulge'])
    g['bulge_end'] = torch.where(winged, 40 * h, 9 * h)
    q_b = draw.uniform(0.6, 1.0)
    # the flattening of the bulge follows the inclination
    g['q_bulge'] = torch.sqrt(cos_i**2 * (1 - q_b**2) + q_b**2)
    # -- thick discs (Yoachim & Dalcanton 2006; Comeron, Salo & Knapen 2018)
    # and haloes: rounder light around the discs, above all seen in inclined
    # ones; how many have it, and how much, is chosen
    p = torch.where(g['q_disc'] < 0.5, 0.4, 0.15)
    p = torch.where(thin, 0.2, p)
    enveloped = (disc | thin) & (draw.uniform() < p)
    thick = draw.chance(0.5)
    g['envelope'] = torch.where(enveloped, torch.where(
        thick, draw.uniform(0.08, 0.45), draw.uniform(0.03, 0.3)), 0.0)
    q_t = torch.where(thick, draw.uniform(0.22, 0.5), draw.uniform(0.6, 1.0))
    g['q_envelope'] = torch.sqrt(cos_i**2 * (1 - q_t**2) + q_t**2)
    g['q_envelope'] = torch.where(thin, q_t, g['q_envelope'])
    g['n_envelope'] = torch.where(thick, draw.uniform(0.8, 1.2),
                                  draw.uniform(1.5, 4.0))
    # the semi-major axis that holds half of its light
    g['r_envelope'] = 1.68 * h * torch.where(
        thick, draw.uniform(1.0, 2.0), draw.uniform(1.2, 3.0))
    # -- breaks (Pohlen & Trujillo 2006; Erwin et al. 2008) ---------------
    u = draw.uniform()
    down, up = (u > 0.2), (u > 0.7)
    both = draw.chance(0.06)
    r_1 = h * draw.uniform(1.5, 4.5)
    ratio = draw.lognormal(2.1, 0.25).clamp(1.3, 4.0)
    g['break_1'] = r_1
    g['slope_1'] = torch.where(disc & down & ~up, (1 - ratio) / h, 0.0)
    g['sharp_1'] = 1 / (draw.uniform(0.05, 0.3) * r_1)
    r_2 = h * draw.uniform(3.5, 6.0)
    outer = draw.uniform(0.3, 0.8)
    g['break_2'] = r_2
    g['slope_2'] = torch.where(disc & (up | both), (1 - outer) / h, 0.0)
    g['sharp_2'] = 1 / (draw.uniform(0.05, 0.3) * r_2)
    # truncated edge-on discs (Kregel et al. 2002)
    cut = edge_on & draw.chance(0.4)
    g['break_1'] = torch.where(cut, h * draw.uniform(2.8, 4.5), r_1)
    g['slope_1'] = torch.where(cut, -4 / h, g['slope_1'])
    # one in three is thinner: an outer ellipticity of up to 0.93
    flat = torch.where(draw.chance(0.35), draw.uniform(9.0, 17.0),
                       draw.normal(7.3, 2.0).clamp(3.5, 13))
    g['h_z'] = torch.sqrt((2.2 * h / flat)**2 + (0.55 * h * cos_i)**2)
    # -- bar (Erwin 2005, 2018; Barazza et al. 2008) ----------------------
    barred = (early & draw.chance(0.5)) | (late & draw.chance(0.5)) | (
        edge_on & draw.chance(0.2))
    a_bar = torch.where(late, draw.lognormal(0.6, 0.4),
                        draw.lognormal(1.1, 0.4)).clamp(0.25, 2.5) * h
    g['bar'] = torch.where(barred, draw.beta(1.5, 9.0), 0.0)
    g['a_bar'] = a_bar
    g['q_bar'] = 1 - draw.uniform(0.4, 0.8)
    g['bar_shape'] = 2 + draw.uniform(0, 1.4)
    g['bar_flat'] = draw.uniform()
    g['bar_pa'] = draw.uniform(0, math.pi)
    g['ansae'] = torch.where(barred & draw.chance(0.25),
                             draw.uniform(0.02, 0.12), 0.0)
    # -- rings (Comeron et al. 2014) --------------------------------------
    g['ring_in'] = torch.where(disc & draw.chance(0.3), draw.uniform(
        0.05, 0.5), 0.0)
    g['r_ring_in'] = torch.where(barred, a_bar * draw.uniform(0.95, 1.15),
                                 h * draw.uniform(0.6, 1.8))
    g['ring_out'] = torch.where(disc & draw.chance(0.15), draw.uniform(
        0.1, 0.8), 0.0)
    g['r_ring_out'] = torch.maximum(g['r_ring_in'] * draw.uniform(1.7, 2.5),
                                    h * draw.uniform(2.0, 3.5))
    g['ring_width'] = draw.uniform(0.06, 0.22)
    g['ring_q'] = draw.uniform(0.75, 1.0)
    g['ring_pa'] = draw.uniform(0, math.pi)
    # -- arms (Diaz-Garcia et al. 2019; Hart et al. 2017) ------------------
    u = draw.uniform()
    armed = spiral & (g['cos_i'] > 0.2) & draw.chance(0.9)
    g['arms'] = torch.where(armed & (u > 0.45), draw.uniform(0.08, 0.9), 0.0)
    g['n_arms'] = torch.where(
        u > 0.8, torch.floor(draw.uniform(3, 5)),
        torch.where(draw.chance(0.08), 1.0, 2.0))
    g['pitch'] = (draw.normal(18, 7) + torch.where(barred, 4.0, 0.0)).clamp(
        5, 42) * (math.pi / 180)
    g['winding'] = torch.where(draw.chance(0.5), 1.0, -1.0)
    g['arm_phase'] = draw.uniform(0, 2 * math.pi)
    g['arm_sharp'] = draw.uniform(0.6, 3.0)
    g['arm_start'] = torch.where(barred, a_bar * 0.95,
                                 h * draw.uniform(0.3, 1.0))
    g['arm_end'] = h * draw.uniform(2.5, 5.5)
    g['flocculence'] = torch.where(
        armed, draw.uniform(0.03, 0.35),
        torch.where(dwarf & draw.chance(0.4), draw.uniform(0.05, 0.35), 0.0))
    # one in three has grand arms: exp(c cos), with c up to 1.6; one in
    # six strong patches instead
    u = draw.uniform()
    grand, patchy = armed & (u < 0.35), armed & (u > 0.84)
    g['arms'] = torch.where(grand, 1.0, g['arms'])
    g['arms'] = torch.where(patchy, 0.0, g['arms'])
    g['arm_sharp'] = torch.where(grand, draw.uniform(0.6, 1.6),
                                 g['arm_sharp'])
    g['n_arms'] = torch.where(grand, torch.floor(draw.uniform(2, 4.999)),
                              g['n_arms'])
    g['pitch'] = torch.where(grand, draw.uniform(10, 32) * (math.pi / 180),
                             g['pitch'])
    g['arm_start'] = torch.where(grand & ~barred, h * draw.uniform(0.1, 0.7),
                                 g['arm_start'])
    g['arm_end'] = torch.where(grand, h * draw.uniform(3.0, 7.0),
                               g['arm_end'])
    g['flocculence'] = torch.where(patchy, draw.uniform(0.3, 0.7),
                                   g['flocculence'])
    # -- clumps (Bradley et al. 2006: slope 1.8) ---------------------------
    clumpy = (spiral & draw.chance(0.75)) | (dwarf & draw.chance(0.4)) | (
        (edge_on | thin) & draw.chance(0.4))
    g['clumps'] = torch.where(clumpy, draw.beta(1.2, 9.0) * torch.where(
        band == 0, 0.5, 0.3), 0.0)
    # -- dust in edge-on discs (Xilouris et al. 1999) ----------------------
    g['tau'] = torch.where(edge_on & draw.chance(0.5),
                           draw.uniform(0.2, 1.6) * torch.where(
                               band == 0, 1.3, 1.0), 0.0)
    g['dust_z'] = g['h_z'] * draw.uniform(0.2, 0.5)
    g['dust_shift'] = g['h_z'] * draw.normal(0, 0.3)
    # -- nucleus (Sanchez-Janssen et al. 2019), and active ones ------------
    p = torch.where(dwarf, 0.5, 0.4)
    g['nucleus'] = torch.where(draw.uniform() < p, 10**draw.normal(
        -2.6, 0.5), 0.0).clamp(max=0.1)
    g['nucleus'] = torch.where(draw.chance(0.03), draw.uniform(0.02, 0.3),
                               g['nucleus'])
    # -- disturbance --------------------------------------------------------
    # lopsidedness: Rudnick & Rix 1998, median A1 0.11
    g['lopsided'] = torch.where(disc | dwarf, draw.lognormal(
        0.08, 0.6).clamp(max=0.4), 0.0)
    g['lopsided_pa'] = draw.uniform(0, 2 * math.pi)
    g['warp'] = torch.where(disc & draw.chance(0.3), draw.normal(0, 0.15),
                            0.0)
    # shells and tails: Atkinson et al. 2013, 12 to 18%, about 2% of light
    g['tides'] = torch.where(draw.chance(0.14), draw.uniform(0.005, 0.05),
                             0.0)
    return g
