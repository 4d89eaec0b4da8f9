# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compute point-spread functions as their Fourier transforms.

A PSF is a circular profile, sheared to an ellipse, with a faint aureole.
In Fourier space each has a closed form, so that an image convolved with
it is right to the band limit of its pixels, and its flux is exact.
"""

from functools import lru_cache

import numpy as np
import torch
from scipy.special import gamma as gamma_function
from scipy.special import j0, kv

__all__ = ['PSF', 'draw_psf', 'transfer_function']

# Moffat indices in the table; rows between two are interpolated.
_BETAS = np.geomspace(1.6, 8.0, 24)
_KOLMOGOROV, _AIRY, _DOUBLE = 24, 25, 26
_K_MAX, _N_K = 8.0, 4096


def _moffat(x, beta):
    """
    Transform a Moffat profile; ``x`` is frequency times FWHM.
    """
    alpha = 0.5 / np.sqrt(2**(1 / beta) - 1)
    u = 2 * np.pi * alpha * np.maximum(x, 1e-9)
    out = 2 / gamma_function(beta - 1) * (u / 2)**(beta - 1) * kv(beta - 1, u)
    return np.where(x < 1e-8, 1.0, out)


def _overlap(d, big, small):
    """
    Compute the common area of two circles, their centres ``d`` apart.
    """
    if big < small:
        big, small = small, big
    d = np.maximum(d, 1e-12)
    c1 = np.clip((d**2 + small**2 - big**2) / (2 * d * small), -1, 1)
    c2 = np.clip((d**2 + big**2 - small**2) / (2 * d * big), -1, 1)
    root = np.clip((-d + small + big) * (d + small - big)
                   * (d - small + big) * (d + small + big), 0, None)
    area = (small**2 * np.arccos(c1) + big**2 * np.arccos(c2)
            - 0.5 * np.sqrt(root))
    return np.where(d >= big + small, 0.0,
                    np.where(d <= big - small, np.pi * small**2, area))


def _airy(x, obscuration=0.3):
    """
    Transform an obscured Airy profile.
    """
    def otf(k):   # frequency in units of the cut-off
        d = 2 * k
        e = obscuration
        return (_overlap(d, 1, 1) - 2 * _overlap(d, 1, e)
                + _overlap(d, e, e)) / (np.pi * (1 - e**2))

    # The FWHM in units of 1 / cut-off, from the profile itself.
    k = np.linspace(0, 1, 2001)
    r = np.linspace(0, 1.2, 1201)
    weight = otf(k) * k
    profile = np.trapezoid(weight * j0(2 * np.pi * r[:, None] * k), k)
    fwhm = 2 * np.interp(-0.5, -profile / profile[0], r)
    return otf(np.asarray(x) / fwhm)


def _double_gaussian(x):
    """
    Transform two Gaussians of 0.9 and 0.1 of the peak, 2.6 in width.

    The form that SDSS fits to its stars (Stoughton et al. 2002).
    """
    ratio, peak = 2.6, 0.11
    sigma = 1 / 2.3548 * 0.955   # of the core, for a FWHM of 1
    flux = np.array([1.0, peak * ratio**2])
    flux /= flux.sum()
    s = sigma * np.array([1.0, ratio])
    return (flux[0] * np.exp(-2 * (np.pi * x * s[0])**2)
            + flux[1] * np.exp(-2 * (np.pi * x * s[1])**2))


@lru_cache(maxsize=1)
def _table():
    x = np.linspace(0, _K_MAX, _N_K)
    rows = [_moffat(x, beta) for beta in _BETAS]
    # Fried 1966: exp(-3.44 (lambda k / r0)^(5/3)), FWHM 0.9759 lambda/r0
    rows.append(np.exp(-3.44 * (x / 0.9759)**(5 / 3)))
    rows.append(_airy(x))
    rows.append(_double_gaussian(x))
    return torch.tensor(np.stack(rows), dtype=torch.float32)


class PSF:
    """
    Point-spread functions of a batch of images.

    Attributes
    ----------
    fwhm : `torch.Tensor`, shape (B,)
        Full width at half maximum in pixels, of the geometric mean.

    row : `torch.Tensor`, shape (B,)
        The kind: a Moffat index (see `moffat_row`), Kolmogorov, Airy or
        double Gaussian.

    shear : `torch.Tensor`, shape (B, 2)
        Ellipticity times cosine and sine of twice its angle.

    aureole : `torch.Tensor`, shape (B,)
        The fraction of flux in the wings, a Moffat profile of index 1.6
        (an intensity that falls as r^-3.2).

    extent : `torch.Tensor`, shape (B,)
        FWHM of the wings in units of ``fwhm``; five by default.
    """

    def __init__(self, fwhm, row, shear, aureole, extent=None):
        self.fwhm = fwhm
        self.row = row
        self.shear = shear
        self.aureole = aureole
        self.extent = torch.full_like(aureole, 5.0) if (
            extent is None) else extent

    def to(self, device):
        """
        Move to another device.
        """
        return PSF(*(t.to(device) for t in (self.fwhm, self.row, self.shear,
                                            self.aureole, self.extent)))

    @classmethod
    def moffat(cls, fwhm, beta, *, shear=(0.0, 0.0)):
        """
        Make round or sheared Moffat profiles without aureole.
        """
        fwhm = torch.as_tensor(fwhm, dtype=torch.float32).reshape(-1)
        n = len(fwhm)
        return cls(fwhm, torch.full((n,), moffat_row(beta)),
                   torch.tensor(shear, dtype=torch.float32).expand(n, 2),
                   torch.zeros(n))


def moffat_row(beta):
    """
    Compute the (fractional) table row of a Moffat index of 1.6 to 8.
    """
    return float(np.interp(np.log(float(beta)), np.log(_BETAS), np.arange(24)))


def draw_psf(instruments, generator):
    """
    Draw the point-spread functions of ``instruments``.

    Moffat indices are uniform from 2.3 to 4.7, for one frame in six from
    1.7 to 2.4. Seven frames in ten have an aureole of up to 7% of the
    flux, one in ten an extended one of 5 to 15% and 4 to 12 times the
    FWHM.
    """
    n = len(instruments['fwhm'])
    u = torch.rand(10, n, generator=generator)
    beta = torch.where(u[6] < 0.16, 1.7 + 0.7 * u[0], 2.3 + 2.4 * u[0])
    row = torch.tensor([moffat_row(b) for b in beta])
    row = torch.where(u[1] < 0.25, float(_KOLMOGOROV), row)
    row = torch.where(u[1] > 0.85, float(_DOUBLE), row)
    row = torch.where(instruments['space'], float(_AIRY), row)
    e = 0.06 * u[2]
    shear = torch.stack([e * torch.cos(6.2832 * u[3]),
                         e * torch.sin(6.2832 * u[3])], -1)
    aureole = torch.where(u[4] < 0.7, 0.07 * u[5], 0.0)
    wide = u[7] < 0.1
    aureole = torch.where(wide, 0.05 + 0.1 * u[8], aureole)
    extent = torch.where(wide, 4 * 3**u[9], 5.0)
    return PSF(instruments['fwhm'].float(), row, shear, aureole, extent)


def transfer_function(psf, kx, ky):
    """
    Compute the Fourier transform of PSF and pixel.

    Parameters
    ----------
    psf : `PSF`
        The point-spread functions.

    kx, ky : `torch.Tensor`, shapes (K,) and (J,)
        Frequencies in cycles per pixel.

    Returns
    -------
    transfer : `torch.Tensor`, shape (B, J, K)
    """
    table = _table().to(kx.device)
    e1, e2 = psf.shear[:, 0], psf.shear[:, 1]
    norm = (1 - e1**2 - e2**2).sqrt()
    # the shear of the image, transposed in Fourier space
    a, b, d = ((1 + e1) / norm)[:, None, None], (e2 / norm)[:, None, None], (
        (1 - e1) / norm)[:, None, None]
    x, y = kx[None, None, :], ky[None, :, None]
    k = torch.sqrt((a * x + b * y)**2 + (b * x + d * y)**2)
    k = k * psf.fwhm[:, None, None]                       # (B, J, K)
    low = psf.row.long().clamp(max=len(table) - 1)
    high = (low + 1).clamp(max=len(table) - 1)
    part = (psf.row - low)[:, None]
    rows = table[low] * (1 - part) + table[high] * part   # (B, N_K)
    wing = table[0]
    out = _look_up(rows, k)
    if (psf.aureole > 0).any():
        wings = _look_up(wing.expand_as(rows),
                         psf.extent[:, None, None] * k)
        f = psf.aureole[:, None, None]
        out = (1 - f) * out + f * wings
    return out * torch.sinc(x) * torch.sinc(y)


def _look_up(rows, k):
    """
    Interpolate in the table: (B, N_K), (B, J, K) to (B, J, K).
    """
    at = (k * ((_N_K - 1) / _K_MAX)).clamp(max=_N_K - 1.001).flatten(1)
    low = at.long()
    value = rows.gather(1, low)
    slope = rows.gather(1, low + 1) - value
    return (value + (at - low) * slope).view_as(k)
