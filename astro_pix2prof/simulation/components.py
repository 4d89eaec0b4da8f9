# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compute the light of the parts of galaxies.

Each function takes points around the centre, shape (B, P), and parameters
of shape (B, 1), and returns the surface brightness per square pixel.
"""

import math

import torch
from torch.nn import functional

__all__ = ['bar', 'broken_disc', 'disc_norm', 'edge_on_disc', 'edge_on_norm',
           'elliptical_radius', 'rotate', 'sersic', 'sersic_b', 'sersic_norm']


def rotate(x, y, angle):
    """
    Rotate to coordinates along and across an axis (radians from +x).
    """
    c, s = torch.cos(angle), torch.sin(angle)
    return x * c + y * s, y * c - x * s


def elliptical_radius(x, y, q, *, boxy=None):
    """
    Compute the semi-major axis of the ellipse through each point.

    Parameters
    ----------
    x, y : `torch.Tensor`
        Coordinates along the major and minor axis.

    q : `torch.Tensor`
        The axis ratio.

    boxy : `torch.Tensor`, optional
        The fourth cosine coefficient of the isophotes, a4/a: positive for
        discy, negative for boxy ones (Bender et al. 1988).
    """
    v = y / q
    r2 = x * x + v * v
    r = torch.sqrt(r2 + 1e-12)
    if boxy is not None:
        # cos 4t = 1 - 8 cos^2 t sin^2 t
        cs = (x * v) / (r2 + 1e-12)
        r = r * (1 - boxy * (1 - 8 * cs * cs))
    return r


def sersic_b(n):
    """
    Compute the coefficient b of Sersic profiles (Ciotti & Bertin 1999).
    """
    return (2 * n - 1 / 3 + 4 / (405 * n) + 46 / (25515 * n**2)
            + 131 / (1148175 * n**3) - 2194697 / (30690717750 * n**4))


def sersic_norm(n, r_e, q):
    """
    Compute the central brightness of a Sersic profile of unit flux.
    """
    b = sersic_b(n)
    log = (math.log(2 * math.pi) + torch.log(n * r_e**2 * q)
           + torch.lgamma(2 * n) - 2 * n * torch.log(b))
    return torch.exp(-log)


def sersic(r, n, r_e, q):
    """
    Compute a Sersic profile of unit flux; ``r`` is a semi-major axis.
    """
    x = torch.exp2(torch.log2(r / r_e) / n)
    return sersic_norm(n, r_e, q) * torch.exp(-sersic_b(n) * x)


def _disc_log(r, h, breaks):
    """
    Compute ln of a disc with breaks, relative to its extrapolated centre.
    """
    out = -r / h
    for r_b, slope, sharp in breaks:
        # Erwin et al. 2008, eq. 5, in a form that cannot overflow
        out = out + slope * functional.softplus(sharp * (r - r_b)) / sharp
    return out


def disc_norm(h, breaks, *, n_r=256):
    """
    Compute the central brightness of a face-on round disc of unit flux.
    """
    t = torch.linspace(0, 1, n_r, device=h.device)
    # quadratic in t: fine at the centre, and out to 25 scale lengths
    r = 25 * h * t * t                                    # (B, n_r)
    f = torch.exp(_disc_log(r, h, breaks)) * r
    return 1 / (2 * math.pi * torch.trapezoid(f, r, dim=1)[:, None])


def broken_disc(r, h, breaks, q):
    """
    Compute an exponential disc with breaks, of unit flux.

    Parameters
    ----------
    r : `torch.Tensor`, shape (B, P)
        Semi-major axes.

    h : `torch.Tensor`, shape (B, 1)
        The inner scale length.

    breaks : list of tuple of `torch.Tensor`
        Radius, change of slope 1/h_in - 1/h_out, and sharpness (1/px) of
        each break; a change of zero is no break.

    q : `torch.Tensor`, shape (B, 1)
        The axis ratio.
    """
    return disc_norm(h, breaks) / q * torch.exp(_disc_log(r, h, breaks))


def edge_on_disc(x, y, h, h_z, breaks, norm):
    """
    Compute a disc seen edge-on, exponential and isothermal in height.

    The integral along the line of sight, (R/h) K1(R/h) (van der Kruit &
    Searle 1981), is replaced by its asymptotic form exp(-R/h) (1 +
    pi R / 2h)^1/2, right at both ends and to 2% between.

    Parameters
    ----------
    x, y : `torch.Tensor`, shape (B, P)
        Coordinates along and across the disc.

    h, h_z : `torch.Tensor`, shape (B, 1)
        Scale length, and scale height of sech^2(z / h_z).

    breaks : list
        As in `broken_disc`.

    norm : `torch.Tensor`, shape (B, 1)
        Central brightness for unit flux (see `edge_on_norm`).
    """
    r = x.abs()
    z = (y / h_z).abs()
    # sech^2 z = 4 e^-2z / (1 + e^-2z)^2
    e = torch.exp(-2 * z)
    height = 4 * e / (1 + e)**2
    return (norm * torch.exp(_disc_log(r, h, breaks))
            * torch.sqrt(1 + (math.pi / 2) * r / h) * height)


def edge_on_norm(h, h_z, breaks, *, n_r=256):
    """
    Compute the central brightness of an edge-on disc of unit flux.
    """
    t = torch.linspace(0, 1, n_r, device=h.device)
    r = 25 * h * t * t
    f = torch.exp(_disc_log(r, h, breaks)) * torch.sqrt(
        1 + (math.pi / 2) * r / h)
    # two sides; the integral of sech^2(z / h_z) is 2 h_z
    return 1 / (4 * h_z * torch.trapezoid(f, r, dim=1)[:, None])


def bar(x, y, a, q, shape, flatness):
    """
    Compute a bar of about unit flux, in the plane of the disc.

    Parameters
    ----------
    x, y : `torch.Tensor`, shape (B, P)
        Coordinates along and across the bar.

    a, q : `torch.Tensor`, shape (B, 1)
        Half-length and axis ratio.

    shape : `torch.Tensor`, shape (B, 1)
        The exponent of the generalised ellipse: 2 is an ellipse, more is
        boxy (Athanassoula et al. 1990).

    flatness : `torch.Tensor`, shape (B, 1)
        0 for a Ferrers bar, (1 - m^2)^2; 1 for a flat bar that ends
        abruptly.
    """
    m = ((x / a).abs()**shape + (y / (q * a)).abs()**shape + 1e-12)**(
        1 / shape)
    ferrers = (1 - m * m).clamp(min=0)**2 * (3 / math.pi)
    flat = torch.sigmoid((0.85 - m) / 0.08) / (math.pi * 0.74)
    return ((1 - flatness) * ferrers + flatness * flat) / (q * a * a)
