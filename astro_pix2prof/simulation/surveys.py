# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Draw instruments: pixels, seeing, gain and noise of surveys.
"""

from dataclasses import dataclass

import torch

from astro_pix2prof.networks.ellipse import NANOMAGGY_ZEROPOINT

__all__ = ['SURVEYS', 'Survey', 'draw_instruments']


@dataclass(frozen=True)
class Survey:
    """
    Pixel scale, seeing, gain and noise of a band of a survey.

    Attributes
    ----------
    band : str
        The band.

    pixel_scale : float
        Arcsec per pixel.

    fwhm : float
        Median seeing in arcsec.

    fwhm_scatter : float
        Scatter of the natural logarithm of the seeing.

    gain : float
        Electrons per nanomaggy.

    sigma : tuple of float
        Lowest and highest noise of a sky pixel in nanomaggies.

    psf : str
        'ground' (Moffat, Kolmogorov, or a double Gaussian with wings) or
        'space' (Airy).

    saturation : float
        AB magnitude of the faintest saturated star.
    """

    band: str
    pixel_scale: float
    fwhm: float
    fwhm_scatter: float
    gain: float
    sigma: tuple
    psf: str = 'ground'
    saturation: float = 15.0


# Pixels, seeing, gain and noise: SDSS DR17 frames and York et al. 2000;
# Dey et al. 2019 (DESI Legacy); Chambers et al. 2016 (Pan-STARRS1);
# Aihara et al. 2022 (HSC-SSP); Ivezic et al. 2019 (LSST, ten years);
# Euclid Q1 (VIS); Sheth et al. 2010 (Spitzer S4G, 3.6 micron). The noise
# follows from sky, gain and exposure, and from the published depths.
SURVEYS = {
    'sdss-g': Survey('g', 0.396, 1.44, 0.13, 1056, (0.017, 0.026), 'ground',
                     14.1),
    'sdss-r': Survey('r', 0.396, 1.32, 0.13, 954, (0.024, 0.038), 'ground',
                     14.1),
    'sdss-i': Survey('i', 0.396, 1.26, 0.13, 698, (0.040, 0.062), 'ground',
                     13.8),
    'legacy-g': Survey('g', 0.262, 1.29, 0.13, 8.1e3, (0.0030, 0.0046),
                       'ground', 16.0),
    'legacy-r': Survey('r', 0.262, 1.18, 0.13, 8.4e3, (0.0048, 0.0092),
                       'ground', 16.0),
    'legacy-z': Survey('z', 0.262, 1.11, 0.13, 8.6e3, (0.013, 0.024),
                       'ground', 16.0),
    # per-second counts of zero point 25, as nanomaggies (x 0.1)
    'panstarrs-g': Survey('g', 0.25, 1.47, 0.15, 5.9e3, (0.0080, 0.0135),
                          'ground', 14.0),
    'panstarrs-r': Survey('r', 0.25, 1.31, 0.15, 6.6e3, (0.0100, 0.0165),
                          'ground', 14.0),
    'panstarrs-i': Survey('i', 0.25, 1.19, 0.15, 7.3e3, (0.0120, 0.0200),
                          'ground', 14.0),
    # counts of zero point 27 (x 0.01585)
    'hsc-g': Survey('g', 0.168, 0.79, 0.15, 2.2e5, (0.00055, 0.00085),
                    'ground', 18.0),
    'hsc-r': Survey('r', 0.168, 0.75, 0.15, 2.1e5, (0.00070, 0.00105),
                    'ground', 18.0),
    'hsc-i': Survey('i', 0.168, 0.61, 0.15, 3.3e5, (0.00100, 0.00145),
                    'ground', 18.0),
    # nanojansky (x 2.7542e-4), the coadd of ten years
    'lsst-g': Survey('g', 0.2, 0.86, 0.10, 9.0e5, (0.00022, 0.00040),
                     'ground', 17.5),
    'lsst-r': Survey('r', 0.2, 0.81, 0.10, 9.6e5, (0.00030, 0.00052),
                     'ground', 17.5),
    'lsst-i': Survey('i', 0.2, 0.79, 0.10, 8.0e5, (0.00042, 0.00080),
                     'ground', 17.5),
    # microjansky (x 0.27542)
    'euclid-vis': Survey('VIS', 0.10, 0.16, 0.03, 5.1e4, (0.00040, 0.00065),
                         'space', 18.0),
    # MJy/sr at 0.75 arcsec (x 3.64)
    'spitzer-irac1': Survey('3.6', 0.75, 1.90, 0.03, 5.0e3, (0.020, 0.036),
                            'space', 13.0),
}
GROUPS = {
    'sdss': ['sdss-g', 'sdss-r', 'sdss-i'],
    'legacy': ['legacy-g', 'legacy-r', 'legacy-z'],
    'panstarrs': ['panstarrs-g', 'panstarrs-r', 'panstarrs-i'],
    'hsc': ['hsc-g', 'hsc-r', 'hsc-i'],
    'lsst': ['lsst-g', 'lsst-r', 'lsst-i'],
    'euclid': ['euclid-vis'],
    'spitzer': ['spitzer-irac1'],
}


def draw_instruments(survey, n, generator):
    """
    Draw the instruments of ``n`` images.

    Parameters
    ----------
    survey : str
        A key of ``SURVEYS``; the name of a survey ('sdss', 'legacy',
        'panstarrs', 'hsc', 'lsst', 'euclid', 'spitzer'), for a random
        band of each image; 'any', for pixels, seeing, gain and noise
        drawn widely; or 'mix': half SDSS, three tenths another survey
        with its values spread, one fifth 'any'.

    n : int
        The number of images.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    Returns
    -------
    instruments : dict
        ``names`` (list of str), and tensors of shape (n,): ``pixel_scale``
        (arcsec), ``fwhm`` (px), ``gain`` (electrons/nanomaggy), ``sigma``
        (nanomaggy), ``saturation`` (mag), ``space`` (bool), ``band`` (0
        blue, 1 red, 2 infrared); and, other than False and 0 for 'mix'
        only, ``bright`` (bool; very high signal: 5%, with the gain up to
        100 times larger), ``poisson`` (bool; 3%, 0.3 to 30 electrons of
        sky in a pixel) and ``quantum`` (step of the pixel values in units
        of sigma; 4%, from 0.2 to 1.5).

    Raises
    ------
    ValueError
        If the survey is unknown.
    """
    def rand():
        return torch.rand((), generator=generator).item()

    def pick(names):
        return names[int(rand() * len(names))]

    if survey not in {*SURVEYS, *GROUPS, 'any', 'mix'}:
        known = ', '.join([*GROUPS, *SURVEYS, 'any', 'mix'])
        msg = f'survey must be one of {known}; got {survey!r}'
        raise ValueError(msg)
    others = [name for name in SURVEYS if not name.startswith('sdss')]
    rows, names = [], []
    for _ in range(n):
        name, spread = survey, 0.0
        if survey == 'mix':
            u = rand()
            name = 'sdss' if u < 0.5 else pick(others) if u < 0.8 else 'any'
            spread = 0.1 if u < 0.5 else 0.3
        if name in GROUPS:
            name = pick(GROUPS[name])
        if name == 'any':
            row = _any_instrument(rand)
        else:
            s = SURVEYS[name]
            normal = torch.randn(2, generator=generator)
            low, high = s.sigma
            sigma = low * (high / low)**rand() * torch.exp(
                spread * normal[0]).item()
            fwhm = s.fwhm * torch.exp(s.fwhm_scatter * normal[1]).item()
            if spread:
                fwhm *= 1 + 0.15 * (2 * rand() - 1)
            band = {'g': 0, 'i': 2, 'z': 2, '3.6': 2}.get(s.band, 1)
            row = (s.pixel_scale, max(fwhm / s.pixel_scale, 1.5),
                   s.gain * 2**(2 * spread * (2 * rand() - 1)), sigma,
                   s.saturation, s.psf == 'space', band)
        rows.append(row)
        names.append(name)
    columns = [torch.tensor(c) for c in zip(*rows, strict=True)]
    keys = ('pixel_scale', 'fwhm', 'gain', 'sigma', 'saturation', 'space',
            'band')
    tools = {'names': names, **dict(zip(keys, columns, strict=True))}
    return {**tools, **_draw_extremes(survey, tools, generator)}


def _draw_extremes(survey, tools, generator):
    """
    Draw which frames are of very high signal, few photons or coarse values.
    """
    sigma, gain = tools['sigma'].float(), tools['gain'].float()
    n = len(sigma)
    if survey != 'mix':
        none = torch.zeros(n, dtype=torch.bool)
        return {'bright': none, 'poisson': none, 'quantum': torch.zeros(n)}
    u = torch.rand(4, n, generator=generator)
    bright = u[0] < 0.05
    poisson = (u[0] > 0.97)
    gain = torch.where(bright, gain * 100**u[1], gain)
    # a pixel of k electrons has a noise of k^1/2 of them
    electrons = 0.3 * 100**u[1]
    gain = torch.where(poisson, electrons.sqrt() / sigma, gain)
    quantum = torch.where((u[2] < 0.04) & ~poisson, 0.2 * 7.5**u[3], 0.0)
    return {'bright': bright, 'poisson': poisson, 'quantum': quantum,
            'gain': gain}


def _any_instrument(rand):
    """
    Draw pixels, seeing and depth of a survey that may not exist.
    """
    pixel = 0.1 * 8**rand()
    fwhm = 1.5 * 4**rand()
    # limiting surface brightness: 3 sigma in 10 x 10 arcsec
    limit = 25.0 + 5.0 * rand()
    sigma = 10**(0.4 * (NANOMAGGY_ZEROPOINT - limit)) * 10 * pixel / 3
    # sky electrons in a pixel between 50 and 50 000
    gain = (50 * 1000**rand())**0.5 / sigma
    return (pixel, fwhm, gain, sigma, 14 + 4 * rand(), rand() < 0.15,
            int(3 * rand()))
