# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
A cube of spectra
=================

A cube is an image at each wavelength. You see a MaNGA-like cube of a disc
that forms stars and an old bulge: its image, its ellipses, one spectrum
for each annulus, and how the lines change from the centre outwards.
"""

# %%
# A small cube
# ------------
#
# Spaxels of 0.5 arcsec and wavelengths in vacuum, as MaNGA has them, with an
# inverse variance and a mask: a file like those of the survey, but for its
# simple spectra. The bulge has absorption lines, the disc has emission lines.

from pathlib import Path
from tempfile import TemporaryDirectory

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from matplotlib.patches import Ellipse

from astro_pix2prof import IsophoteFitter, band_image, radial_spectra

wave = np.arange(4700.0, 6900.0, 4.0)             # Angstrom
lines = {'bulge': {4862.7: (-0.30, 6), 5176: (-0.45, 9), 5270: (-0.25, 7),
                   5895: (-0.35, 6), 6564.6: (-0.15, 6)},
         'disc': {4862.7: (0.9, 5), 4960.3: (0.25, 5), 5008.2: (0.75, 5),
                  5176: (-0.12, 9), 5895: (-0.10, 6), 6549.9: (0.35, 5),
                  6564.6: (2.6, 5), 6585.3: (1.05, 5), 6718: (0.5, 5),
                  6733: (0.4, 5)}}
slope = {'bulge': 1.0, 'disc': -1.2}


def spectrum(part):
    """Draw the spectrum of a part, in units of its continuum."""
    return (wave / 5500)**slope[part] * (1 + sum(
        depth * np.exp(-0.5 * ((wave - centre) / width)**2)
        for centre, (depth, width) in lines[part].items()))


scale, n_pix, ellip, theta = 0.5, 64, 0.4, np.radians(35)
y, x = scale * (np.mgrid[:n_pix, :n_pix] - 31.5)
radius = np.hypot(x * np.cos(theta) + y * np.sin(theta),
                  (y * np.cos(theta) - x * np.sin(theta)) / (1 - ellip))


def brightness(part, r):
    """Calculate the continuum of a part at a radius (arcsec)."""
    return {'bulge': 8.0 * np.exp(-r / 1.3), 'disc': 1.6 * np.exp(-r / 4.5)}[
        part]


flux = sum(spectrum(part)[:, None, None] * brightness(part, radius)
           for part in lines)
sigma = 0.04
flux += np.random.default_rng(9).normal(0, sigma, flux.shape)
mask = np.zeros(flux.shape, dtype=np.int32)
mask[:, 40:43, 20:23] = 1                          # a dead fibre

header = WCS(naxis=3)
header.wcs.ctype = 'RA---TAN', 'DEC--TAN', 'WAVE'
header.wcs.cunit = 'deg', 'deg', 'Angstrom'
header.wcs.crval, header.wcs.crpix = (190.0, 20.0, wave[0]), (32.5, 32.5, 1)
header.wcs.cdelt = -scale / 3600, scale / 3600, 4.0
header = header.to_header()
header['BUNIT'] = '1e-17 erg / (s cm2 Angstrom)'
folder = TemporaryDirectory()
cube = Path(folder.name) / 'cube.fits'
fits.HDUList([
    fits.PrimaryHDU(), fits.ImageHDU(flux, header, name='FLUX'),
    fits.ImageHDU(np.full(flux.shape, sigma**-2), name='IVAR'),
    fits.ImageHDU(mask, name='MASK')]).writeto(cube)

# %%
# An image of it
# --------------
#
# `~astro_pix2prof.band_image` makes an image of a band, in physical units, for
# every fitter.

image = band_image(cube, '5300:5800')
fit = IsophoteFitter().fit(image)
print(f'image in {image.unit}, ellipticity '
      f'{np.median(fit.profile["ellipticity"][-10:]):.2f}, true {ellip:.2f}')

# %%
# Spectra of annuli
# -----------------
#
# `~astro_pix2prof.radial_spectra` sums the spaxels of each annulus, of the
# ones at its edge the part that lies inside. What is masked is filled with the
# mean of the rest. Noise is independent here; in a cube of the survey it is
# not, and ``covariance='manga'`` gives the errors of sums that it has.

edges = np.array([0, 1.5, 3, 5, 7.5, 10, 13])
spectra = radial_spectra(cube, fit, edges=edges * u.arcsec)
for one in spectra[::5]:
    print(f'{one.meta["n_spaxels"]:5.0f} spaxels, in {one.flux.unit}')

# %%
# From the centre (violet) to the outskirts (yellow), the absorption lines of
# the old bulge give way to the emission lines of the disc.

colours = plt.get_cmap('plasma')(np.linspace(0.05, 0.85, len(spectra)))
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 5),
                                  layout='constrained', width_ratios=(1, 1.2))
left.imshow(np.arcsinh(image.data / 300), origin='lower', cmap='gray_r')
left.set_axis_off()
for k, (one, colour) in enumerate(zip(spectra, colours, strict=True)):
    width = 2 * one.meta['sma_out'].value / scale
    left.add_patch(Ellipse(
        fit.centre, width, width * (1 - one.meta['ellipticity']),
        angle=float(fit.cutout.from_sky_pa(one.meta['pa'].value)),
        fill=False, color=colour, lw=1.8))
    level = one.flux.value / np.median(one.flux.value) + 0.8 * k
    right.plot(wave, level, color=colour, lw=1)
    right.text(6905, level[-1], f'{edges[k]:g}-{edges[k + 1]:g}"',
               color=colour, va='center', fontsize='small')
for name, place in (('H$\\beta$', 4863), ('[OIII]', 5008), ('Mg', 5176),
                    ('Na', 5895), ('H$\\alpha$ [NII]', 6566),
                    ('[SII]', 6726)):
    right.axvline(place, color='0.85', lw=0.8, zorder=0)
    right.text(place, 8.3, name, rotation=90, ha='center', va='top',
               fontsize='small', color='0.3')
right.set(xlim=(4690, 7200), ylim=(0.4, 8.5), yticks=[],
          xlabel='Wavelength [Angstrom]', ylabel='Flux, shifted')
plt.show()

# %%
# Two numbers for each annulus
# ----------------------------
#
# The equivalent widths of the H-alpha line with its neighbours, and of the
# magnesium line, against the truth of the same annulus (dashes). Errors are
# the scatter over noisy versions of the spectrum. In the centre, a spaxel is
# too large for the bulge, and the truth is missed by two per cent.


def equivalent_width(flux, low, high):
    """Measure the equivalent width (Angstrom)."""
    line = (wave > low) & (wave < high)
    side = (np.abs(wave - (low + high) / 2) < 0.5 * (high - low) + 60) & ~line
    continuum = np.polyval(np.polyfit(wave[side], flux[side], 1), wave)
    return np.sum(4.0 * (1 - flux / continuum)[line])


rng = np.random.default_rng(1)
fine = np.linspace(0, 13, 2601)
windows = {'H-alpha + [NII]': (6525, 6610), 'Mg': (5145, 5207)}
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout='constrained')
for ax, (name, window) in zip(axes, windows.items(), strict=True):
    for k, one in enumerate(spectra):
        inside = (fine >= edges[k]) & (fine < edges[k + 1])
        light = {part: np.sum((fine * brightness(part, fine))[inside])
                 for part in lines}
        true = equivalent_width(sum(spectrum(part) * light[part]
                                    for part in lines), *window)
        value = equivalent_width(one.flux.value, *window)
        error = np.std([equivalent_width(
            rng.normal(one.flux.value, one.uncertainty.array), *window)
            for _ in range(50)])
        middle = one.meta['radius'].value
        ax.errorbar(middle, value, error, fmt='o', color=colours[k])
        ax.plot(middle, true, '_', color='0.2', ms=16)
        print(f'{name:15s} {middle:5.2f} arcsec: {value:8.3f} +- {error:.3f}, '
              f'true {true:8.3f}')
    ax.set(title=name, xlabel='Semi-major axis [arcsec]',
           ylabel='Equivalent width [Angstrom]')
folder.cleanup()
plt.show()
