# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Render clumpy discs with GalSim, and colour pictures of them.

Another hand than the training's: discs follow the law of Spergel (2010),
bulges that of de Vaucouleurs or Sersic, arms are beads on logarithmic
spirals, the PSF is that of Kolmogorov turbulence, clumps are sheared
exponentials or Gaussians.
"""

import io

import galsim
import numpy as np
from astropy.table import Table
from astropy.visualization import make_lupton_rgb
from scipy.ndimage import zoom

__all__ = ['render_clumpy', 'render_picture']


# Shares of galaxies with 0, 1, 2, ... clumps, as volunteers marked them, and
# of those without any; mean numbers of stars and companions.
_NUMBERS = (0.25, 0.30, 0.22, 0.10, 0.06, 0.04, 0.03)
_STARS, _COMPANIONS = 0.35, 0.25

# SDSS in g, r and i: noise of a pixel in nanomaggies, and electrons per
# nanomaggy.
_BANDS = {'g': (0.021, 1056.0), 'r': (0.030, 954.0), 'i': (0.050, 698.0)}
_PIXEL = 0.396


def _galaxy(rng, r50, flux):
    """
    Make a galaxy in its plane, with arms: smooth part, half-light radius.
    """
    nu = rng.uniform(-0.2, 1.0)
    disc = galsim.Spergel(nu, half_light_radius=r50)
    q, beta = rng.uniform(0.25, 1.0), rng.uniform(0, np.pi)
    shear = galsim.Shear(q=q, beta=beta * galsim.radians)
    bulge = rng.choice([0.0, rng.uniform(0.03, 0.3)])
    arms = rng.choice([0.0, 0.0, rng.uniform(0.05, 0.2)])
    parts = [disc.withFlux(flux * (1 - bulge - arms))]
    if bulge:
        index, size = rng.uniform(1.5, 4), r50 * rng.uniform(0.12, 0.35)
        parts.append(_bulge(index, size, 6 * r50).withFlux(flux * bulge))
    if arms:
        pitch, turn = np.tan(np.radians(rng.uniform(12, 30))), rng.uniform(
            0, np.pi)
        r = np.linspace(0.5, 2.0, 14) * r50
        weight = np.exp(-r / (0.6 * r50)) * r
        weight *= flux * arms / (2 * weight.sum())
        for side in (0, np.pi):
            phi = np.log(r / r50) / pitch + turn + side
            parts += [galsim.Gaussian(sigma=0.22 * r50).withFlux(w).shift(
                a * np.cos(p), a * np.sin(p))
                for a, p, w in zip(r, phi, weight, strict=True)]
    return galsim.Sum(parts).shear(shear), q, beta


def _bulge(index, size, end):
    """
    Make a bulge that ends at a radius, if GalSim can solve for it.
    """
    try:
        return galsim.Sersic(index, half_light_radius=size, trunc=end)
    except galsim.GalSimError:
        # (far beyond its light, no root is found: it need not end)
        return galsim.Sersic(index, half_light_radius=size)


def _objects(rng, r50, q, beta, flux, fwhm):
    """
    Draw clumps, stars and companions: list of dictionaries.
    """
    n = rng.choice(len(_NUMBERS), p=_NUMBERS)
    kinds = (['clump'] * n + ['star'] * rng.poisson(_STARS)
             + ['companion'] * rng.poisson(_COMPANIONS))
    rows = []
    for kind in kinds:
        r = r50 * 1.15 * np.exp(0.45 * rng.normal())
        if kind != 'clump':
            r *= rng.uniform(0.6, 2.2)
        phi = rng.uniform(0, 2 * np.pi)
        # (a shear keeps the area: the axes are those of R50 / sqrt q)
        a, b = r * np.cos(phi) / np.sqrt(q), r * np.sin(phi) * np.sqrt(q)
        dx = a * np.cos(beta) - b * np.sin(beta)
        dy = a * np.sin(beta) + b * np.cos(beta)
        away = np.hypot(dx, dy)
        push = max(1.0, 1.2 * fwhm / max(away, 1e-3))
        share = 0.004 * 50**rng.uniform()
        size = {'clump': rng.uniform(0.02, 0.5), 'star': 0.0,
                'companion': rng.uniform(0.4, 1.6)}[kind] * fwhm
        rows.append({'kind': kind, 'x': dx * push, 'y': dy * push,
                     'flux': share * flux, 'size': size,
                     'q': rng.uniform(0.4, 1), 'beta': rng.uniform(0, np.pi)})
    return rows


def _profile(row):
    """
    Make the light of an object; its size is a standard deviation.
    """
    if row['kind'] == 'star':
        light = galsim.DeltaFunction()
    elif row['kind'] == 'clump':
        # (a standard deviation of 1 is that of each axis)
        light = (galsim.Gaussian(sigma=row['size']) if row['q'] > 0.7 else
                 galsim.Exponential(scale_radius=row['size'] / 3**0.5))
    else:
        light = galsim.Sersic(1.5, half_light_radius=1.2 * row['size'])
        light = light.shear(galsim.Shear(
            q=row['q'], beta=row['beta'] * galsim.radians))
    return light.withFlux(row['flux']).shift(row['x'], row['y'])


def render_clumpy(seed, *, n_pix=160, bands=None):
    """
    Render a clumpy disc galaxy.

    Parameters
    ----------
    seed : int
        The seed of everything.

    n_pix : int, optional
        The side of the frame in pixels.

    bands : tuple of str, optional
        Of 'g', 'r' and 'i': an SDSS galaxy in each, clumps being bluer. By
        default one band of a survey drawn at random.

    Returns
    -------
    frame : dict
        ``image`` (or a dictionary of them, by band), ``pixel_scale``
        (arcsec), ``fwhm`` (pixels), ``sigma``, ``gain`` and ``truth``: a
        table of ``x``, ``y``, ``flux``, ``share``, ``snr``, ``class`` and
        ``contrast``.
    """
    rng = np.random.default_rng([seed, 20260711])
    pixel = _PIXEL if bands else rng.choice([0.396, 0.262, 0.2, 0.168])
    fwhm = rng.uniform(1.1, 1.4) / pixel if bands else rng.uniform(2.4, 5.5)
    r50 = fwhm * np.exp(rng.uniform(np.log(1.3), np.log(7)))
    r50 = min(r50, n_pix / 7)
    sigma, gain = 0.030, 10**rng.uniform(2.8, 4.5)
    # (mean signal-to-noise ratio of a pixel within R50, from 3 to 60)
    flux = 2 * np.pi * r50**2 * sigma * 3 * 20**rng.uniform()
    galaxy, q, beta = _galaxy(rng, r50, flux)
    rows = _objects(rng, r50, q, beta, flux, fwhm)
    psf = galsim.Kolmogorov(fwhm=fwhm)
    off = rng.uniform(-3, 3, 2)
    middle = (n_pix - 1) / 2
    smooth = galsim.Convolve(galaxy, psf).drawImage(
        nx=n_pix, ny=n_pix, scale=1.0, offset=off).array.astype(float)
    light = {}
    for row in rows:
        light.setdefault(row['kind'] == 'clump', []).append(_profile(row))
    drawn = {own: galsim.Convolve(galsim.Sum(parts), psf).drawImage(
        nx=n_pix, ny=n_pix, scale=1.0, offset=off).array.astype(float)
        for own, parts in light.items()}
    truth = _truth(rows, off + middle, smooth, flux, fwhm, sigma, gain)
    frame = {'pixel_scale': float(pixel), 'fwhm': float(fwhm),
             'sigma': sigma, 'gain': float(gain), 'truth': truth,
             'r50': float(r50), 'n_pix': n_pix}
    zero = np.zeros_like(smooth)
    if bands is None:
        total = smooth + sum(drawn.values(), zero)
        frame['image'] = total + rng.normal(size=total.shape) * np.sqrt(
            sigma**2 + np.maximum(total, 0) / gain)
        return frame
    frame['image'] = {}
    for band in bands:
        noise, electrons = _BANDS[band]
        host = {'g': 0.6, 'r': 1.0, 'i': 1.35}[band]
        own = {'g': 0.9, 'r': 1.0, 'i': 1.05}[band]
        total = host * (smooth + drawn.get(False, zero)) + (
            own * drawn.get(True, zero))
        frame['image'][band] = total + rng.normal(
            size=total.shape) * np.sqrt(
                noise**2 + np.maximum(total, 0) / electrons)
    return frame


def _truth(rows, centre, smooth, flux, fwhm, sigma, gain):
    table = Table(names=('x', 'y', 'flux', 'share', 'snr', 'contrast'))
    n = len(smooth)
    total = flux + sum(r['flux'] for r in rows if r['kind'] == 'clump')
    for row in rows:
        x, y = row['x'] + centre[0], row['y'] + centre[1]
        i, j = (int(np.clip(round(v), 0, n - 1)) for v in (x, y))
        s2 = (fwhm / 2.355)**2 + row['size']**2
        level = max(smooth[j, i], 0.0)
        snr = row['flux'] / np.sqrt(4 * np.pi * s2 * (
            sigma**2 + level / gain))
        table.add_row((x, y, row['flux'], row['flux'] / total, snr,
                       row['flux'] / (2 * np.pi * s2) / max(level, 1e-6)))
    table['class'] = np.array(['clump' if r['kind'] == 'clump' else 'odd'
                               for r in rows], dtype='U5')
    return table


def render_picture(seed, *, side=400, quality=88):
    """
    Render a colour picture as of the Sloan survey, as a JPEG file.

    The cut-out is six Petrosian radii wide, resampled to ``side`` pixels,
    in the stretch of Lupton et al. (2004).

    Parameters
    ----------
    seed : int
        The seed of everything.

    side : int, optional
        The side of the picture in pixels.

    quality : int, optional
        The quality of the JPEG file.

    Returns
    -------
    content : bytes
        The file; its first row is at the top.

    frame : dict
        As of `render_clumpy`; ``truth`` and ``fwhm`` are in pixels of the
        picture, ``y`` from the top.
    """
    from PIL import Image

    rng = np.random.default_rng([seed, 7])
    frame = render_clumpy(seed, bands=('g', 'r', 'i'))
    n_pix = frame['n_pix']
    # (Petrosian radii are twice the half-light radius of a disc)
    width = int(min(12 * frame['r50'], n_pix)) // 2 * 2
    first = (n_pix - width) // 2
    scale = side / width
    planes = [zoom(frame['image'][band][first:first + width,
                                        first:first + width], scale, order=3,
                   grid_mode=True, mode='nearest') for band in 'irg']
    rgb = make_lupton_rgb(*(plane * by for plane, by in zip(
        planes, (0.75, 1.0, 1.55), strict=True)), minimum=-0.02,
        stretch=rng.uniform(0.3, 0.8), Q=rng.uniform(5, 10))
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, 'JPEG', quality=quality)
    truth = frame['truth']
    for name in ('x', 'y'):
        truth[name] = (truth[name] - first + 0.5) * scale - 0.5
    frame['fwhm'] *= scale
    return file.getvalue(), frame
