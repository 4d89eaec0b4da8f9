# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Cuts through an edge-on galaxy
==============================

Ellipses average what an edge-on galaxy has to show. You see cuts instead:
along the disc, above it, and in wedges, with a thin and a thick disc told
apart by their scale heights.
"""

# %%
# An edge-on galaxy
# -----------------
#
# A disc seen from the side falls as a Bessel function along its plane and as
# sech\ :sup:`2` above it. Here are two, a thin and a thick one, with a small
# bulge.

# sphinx_gallery_thumbnail_number = 1

import matplotlib.pyplot as plt
import numpy as np
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData
from matplotlib.patches import Rectangle
from scipy.optimize import curve_fit
from scipy.special import k1

from astro_pix2prof import (
    Pix2ProfFitter,
    axis_profile,
    inject,
    load_example,
    sector_profiles,
    vertical_profile,
)

scale, fwhm = 0.396, 1.1
discs = {'thin': (20.8, 7.0, 1.5), 'thick': (23.0, 8.0, 5.0)}


def intensity(mu):
    """Convert mag/arcsec2 to nanomaggies in a pixel."""
    return scale**2 * 10**(0.4 * (22.5 - mu))    # nanomaggies in a pixel


def edge_on(mu_0, h, z_0, along, height):
    """Calculate the light of a disc seen from the side."""
    u = np.maximum(np.abs(along), 1e-3) / h
    return intensity(mu_0) * u * k1(u) / np.cosh(height / z_0)**2


theta = np.radians(28)
y, x = np.mgrid[:256, :256] - 128.0
along = scale * (x * np.cos(theta) + y * np.sin(theta))
height = scale * (y * np.cos(theta) - x * np.sin(theta))
rng = np.random.default_rng(12)
image = CCDData(rng.normal(0, 0.005, x.shape), unit='nmgy',
                wcs=load_example().wcs)
options = {'position': (128, 128), 'psf': fwhm, 'noise': True, 'gain': 3000,
           'seed': rng}
light = sum(edge_on(*disc, along, height) for disc in discs.values())
image = inject(light, image, **options)
image = inject(Sersic2D(intensity(20.5), 1.8 / scale, 1.5, ellip=0.2,
                        theta=theta), image, **options)

# %%
# The cuts
# --------
#
# All cuts share the centre, the sky and the mask of a fit. In the image, the
# strip along the disc is green, and the slices above and below it are orange.

fit = Pix2ProfFitter().fit(image)
slices, slice_width, strip_width = (10, 16, 22), 4, 2           # arcsec
major = axis_profile(fit, width=f'{strip_width}arcsec')
vertical = vertical_profile(fit, '10,16,22arcsec',
                            width=f'{slice_width}arcsec')

fig, ax = plt.subplots(figsize=(6.4, 4.8), layout='constrained')
ax.imshow(np.arcsinh(image.data / 0.008), origin='lower', cmap='gray_r',
          vmin=-0.5)
angle = fit.cutout.from_sky_pa(major.meta['angle'])


def draw(centre, half_length, half_width, colour):
    """Draw a strip across the galaxy."""
    corner = np.array(fit.centre) + (
        [(centre - half_length) / scale, -half_width / scale]
        @ np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))],
                    [-np.sin(np.radians(angle)), np.cos(np.radians(angle))]]))
    ax.add_patch(Rectangle(corner, 2 * half_length / scale,
                           2 * half_width / scale, angle=float(angle),
                           fill=False, color=colour))


draw(0, 40, strip_width / 2, '#009E73')
for place in slices:
    for side in (-place, place):
        draw(side, slice_width / 2, 14, '#D55E00')
ax.set(xlim=(28, 228), ylim=(53, 203))
ax.set_axis_off()
plt.show()

# %%
# Above the disc
# --------------
#
# The table has a row for each distance from the centre and each height; all
# four quadrants are averaged. The lines are the true discs, behind the seeing.

fine = np.arange(-30, 30, 0.05)
kernel = np.exp(-0.5 * ((fine[np.abs(fine) < 3]) / (fwhm / 2.355))**2)
kernel /= kernel.sum()


def seen(values):
    """Smear a cut along the heights by the seeing."""
    return np.convolve(values, kernel, mode='same')


fig, ax = plt.subplots(figsize=(7, 4.4), layout='constrained')
for place, colour in zip(slices, ('#0072B2', '#009E73', '#D55E00'),
                         strict=True):
    part = vertical[np.isclose(vertical['radius'].value, place)]
    part = part[part['surface_brightness_err'].value < 0.4]
    ax.errorbar(part['height'].value, part['surface_brightness'].value,
                part['surface_brightness_err'].value, fmt='.', color=colour,
                label=f'{place} arcsec from the centre')
    across = np.linspace(-0.5, 0.5, 9)[:, None] * slice_width + place
    both = sum(seen(edge_on(*disc, across, fine).mean(axis=0))
               for disc in discs.values())
    ax.plot(fine, 22.5 - 2.5 * np.log10(both / scale**2), color=colour,
            lw=0.8)
ax.set(xlim=(0, 15), ylim=(29.5, 20.5), xlabel='Height [arcsec]',
       ylabel=r'$\mu$ [mag arcsec$^{-2}$]')
ax.legend(frameon=False)
plt.show()

# %%
# Two straight parts: the thin disc below 4 arcsec, the thick one above. Both
# scale heights, from a fit of two discs behind the seeing to the second slice,
# where the bulge does not count:


def two_discs(height, thin, z_thin, thick, z_thick):
    """Calculate a thin and a thick disc behind the seeing."""
    model = seen(thin / np.cosh(fine / z_thin)**2
                 + thick / np.cosh(fine / z_thick)**2)
    return np.interp(height, fine, model)


part = vertical[np.isclose(vertical['radius'].value, slices[1])]
found, covariance = curve_fit(
    two_discs, part['height'].value, part['intensity'].value,
    (0.3, 2, 0.05, 6), part['intensity_err'].value, absolute_sigma=True,
    bounds=((0, 0.5, 0, 0.5), np.inf))
errors = np.sqrt(np.diag(covariance))
for name, k in (('thin', 1), ('thick', 3)):
    print(f'{name:6s} {found[k]:.2f} +- {errors[k]:.2f} arcsec, true '
          f'{discs[name][2]:.2f}')

# %%
# Along the disc, and around
# --------------------------
#
# The profile along ellipses and the one along the major axis are different
# things: an ellipse that is not as flat as the disc leaves it. So does a
# wedge, here of 20 degrees along arcs of circles, which widens outwards. A
# strip of constant width stays in the disc. The dashed line is what both discs
# have in the strip.

wedges = sector_profiles(fit, 4, opening=20, ellipses='circles')
names = list(wedges)
curves = {'ellipses': fit.profile, 'major axis': major,
          'wedge along the disc': wedges[names[0]],
          'wedge above the disc': wedges[names[1]]}
fig, ax = plt.subplots(figsize=(7, 4.4), layout='constrained')
for (label, profile), colour in zip(curves.items(), (
        '0.6', '#009E73', '#0072B2', '#D55E00'), strict=True):
    profile = profile[profile['surface_brightness_err'].value < 0.3]
    ax.errorbar(profile['radius'].value, profile['surface_brightness'].value,
                profile['surface_brightness_err'].value, fmt='.-', lw=0.8,
                color=colour, label=label)
inside = np.abs(fine) < strip_width / 2
radius = np.linspace(5, 42, 60)
strip = [sum(seen(edge_on(*disc, r, fine)) for disc in discs.values())[
    inside].mean() for r in radius]
ax.plot(radius, 22.5 - 2.5 * np.log10(np.array(strip) / scale**2),
        color='0.2', ls='--', lw=0.9, label='true major axis')
ax.set(xlim=(0, 42), ylim=(29.5, 17.5), ylabel=r'$\mu$ [mag arcsec$^{-2}$]',
       xlabel='Distance from the centre [arcsec]')
ax.legend(frameon=False)
plt.show()
