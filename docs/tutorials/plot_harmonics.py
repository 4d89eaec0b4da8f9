# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Boxy, discy and barred galaxies
===============================

A ring is more than its mean. You see the isophotes of a boxy and of a discy
galaxy, which deviate from ellipses by two per cent, and a bar, with its
strength, its direction and its end.
"""

# %%
# Boxy and discy
# --------------
#
# Two elliptical galaxies whose isophotes are ellipses but for a cosine of four
# times the angle: positive for a discy galaxy, negative for a boxy one.

# sphinx_gallery_thumbnail_number = 3

import matplotlib.pyplot as plt
import numpy as np
from astropy.convolution import Gaussian2DKernel, convolve
from astropy.modeling.models import Sersic1D
from astropy.nddata import CCDData
from matplotlib.patches import Ellipse

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    bar_radius,
    fourier_profile,
    inject,
    load_example,
)

scale, wcs = 0.396, load_example().wcs
y, x = scale * (np.mgrid[:256, :256] - 128.0)    # arcsec
colours = {'discy': '#0072B2', 'boxy': '#D55E00'}


def along_axes(ellip, theta):
    """Calculate coordinates along the axes of an ellipse (arcsec)."""
    along = x * np.cos(theta) + y * np.sin(theta)
    return along, (y * np.cos(theta) - x * np.sin(theta)) / (1 - ellip)


def observe(light, seed):
    """Put light on a sky, behind seeing and with noise."""
    rng = np.random.default_rng(seed)
    sky = CCDData(rng.normal(0, 0.01, x.shape), unit='nmgy', wcs=wcs)
    return inject(light, sky, position=(128, 128), psf=1.1, noise=True,
                  gain=2000, seed=rng)


spheroid = Sersic1D(amplitude=0.9, r_eff=9, n=2.5)
images, fits = {}, {}
for name, b4 in (('discy', 0.02), ('boxy', -0.02)):
    along, across = along_axes(0.35, 0.7)
    angle = np.arctan2(across, along)
    images[name] = observe(
        spheroid(np.hypot(along, across) / (1 + b4 * np.cos(4 * angle))), 3)
    fits[name] = IsophoteFitter(harmonics=True).fit(images[name])

# %%
# Contours, as the eye sees them: two per cent are easier to measure than to
# see.

fig, axes = plt.subplots(1, 2, figsize=(8, 4.1), layout='constrained')
for ax, (name, image) in zip(axes, images.items(), strict=True):
    smooth = convolve(image.data, Gaussian2DKernel(1.5))
    ax.imshow(np.arcsinh(smooth / 0.02), origin='lower', cmap='gray_r',
              extent=(-50.7, 50.7, -50.7, 50.7))
    ax.contour(smooth, levels=0.05 * 2.5**np.arange(5), colors=colours[name],
               linewidths=1, extent=(-50.7, 50.7, -50.7, 50.7))
    ax.set(title=name, xlim=(-32, 32), ylim=(-32, 32))
    ax.set_axis_off()
plt.show()

# %%
# ``harmonics=True`` adds columns to the profile. ``b4`` is the cosine of order
# four, relative to the radius; dashed is what was put in.

fig, ax = plt.subplots(figsize=(7, 3.6), layout='constrained')
for name, fit in fits.items():
    profile = fit.profile
    ax.errorbar(profile['radius'].value, profile['b4'], profile['b4_err'],
                fmt='.', lw=0.8, color=colours[name], label=name)
    ax.axhline(0.02 if name == 'discy' else -0.02, color=colours[name],
               ls='--', lw=0.8)
    inner = ((profile['radius'].value > 3) & (profile['radius'].value < 20))
    print(f'{name:6s} b4 = {np.median(profile["b4"][inner]):+.4f}, error of '
          f'a ring {np.median(profile["b4_err"][inner]):.4f}')
ax.axhline(0, color='0.25', lw=0.8)
ax.set(xlim=(0, 32), ylim=(-0.06, 0.06), ylabel='b4',
       xlabel='Semi-major axis [arcsec]')
ax.legend(frameon=False)
plt.show()

# %%
# Beyond 8 arcsec, both are found. Inside, the seeing makes isophotes round,
# and the deviation is lost with the ellipticity.
#
# A bar
# -----
#
# A disc with a bar of 12 arcsec and two arms. The bar lies 60 degrees from the
# line of nodes, in the plane of the disc. `~astro_pix2prof.fourier_profile`
# measures modes along circles in this plane, whose inclination follows from
# the outer rings. `~astro_pix2prof.bar_radius` looks for a bar in mode 2.

disc, length, phase = Sersic1D(amplitude=0.12, r_eff=17, n=1), 12.0, 60.0


def barred(along, across):
    """Calculate the light of a barred galaxy in its plane."""
    radius, angle = np.hypot(along, across), np.arctan2(across, along)
    turned = angle - np.radians(phase)
    inside = 1 - (radius * np.cos(turned) / length)**2 - (
        radius * np.sin(turned) / (0.3 * length))**2
    arms = 0.6 * np.cos(2 * (turned - np.log(np.maximum(radius, 1) / length)
                             / np.tan(0.4)))
    arms *= np.exp(-0.5 * ((radius - 19) / 3.5)**2)
    return (disc(radius) * (1 + arms) + 0.5 * np.maximum(inside, 0)**0.7
            + Sersic1D(amplitude=1.2, r_eff=1.6, n=1)(radius))


image = observe(barred(*along_axes(0.3, 0.4)), 5)
fit = Pix2ProfFitter().fit(image)
modes = fourier_profile(fit)
bar = bar_radius(modes)

# %%
# On the left, the bar as it was found, and the circle in the plane of the disc
# on which it ends. On the right, the amplitude of mode 2 and its phase, with
# those of the galaxy before seeing and noise (dashed). Along the bar, the
# phase is constant; where the arms begin, it turns.

radius, row = modes['radius'].value, bar[0]
turn = np.radians(np.arange(360))
circles = barred(radius[:, None] * np.cos(turn),
                 radius[:, None] * np.sin(turn))
wave = np.mean(circles * np.exp(2j * turn), axis=1)
true_amplitude = 2 * np.abs(wave) / circles.mean(axis=1)
true_phase = np.where(true_amplitude > 0.02,
                      np.degrees(np.angle(wave) / 2) % 180, np.nan)

fig = plt.figure(figsize=(9, 4.4), layout='constrained')
left, right = fig.subfigures(1, 2, width_ratios=(1, 1.15))
ax = left.subplots()
ax.imshow(np.arcsinh(image.data / 0.03), origin='lower', cmap='gray_r')
eps, pa = (float(getattr(modes.meta[key], 'value', modes.meta[key]))
           for key in ('ellipticity', 'pa'))
length_pix = row['bar_radius'].value / scale
major = np.radians(fit.cutout.from_sky_pa(pa))
ax.add_patch(Ellipse(fit.centre, 2 * length_pix, 2 * length_pix * (1 - eps),
                     angle=np.degrees(major), fill=False, color='#009E73'))
angle = np.radians(row['bar_phase'].value)
end = length_pix * np.array([np.cos(angle), (1 - eps) * np.sin(angle)])
end = np.array([[np.cos(major), -np.sin(major)],
                [np.sin(major), np.cos(major)]]) @ end
ax.plot(*np.transpose([fit.centre - end, fit.centre + end]), color='#D55E00',
        lw=2)
ax.set(xlim=(58, 198), ylim=(58, 198))
ax.set_axis_off()
top, low = right.subplots(2, 1, sharex=True)
top.errorbar(radius, modes['amplitude_2'], modes['amplitude_2_err'], fmt='.',
             lw=0.8, color='#0072B2')
top.plot(radius, true_amplitude, color='0.25', ls='--', lw=0.9)
low.errorbar(radius, modes['phase_2'].value, modes['phase_2_err'].value,
             fmt='.', lw=0.8, color='#0072B2')
low.plot(radius, true_phase, color='0.25', ls='--', lw=0.9)
for panel in (top, low):
    panel.axvspan(*(row['bar_radius'].value + row['bar_radius_err'].value
                    * np.array([-1, 1])), color='#009E73', alpha=0.2, lw=0)
top.set(ylabel='amplitude of mode 2', ylim=(0, 0.7))
low.set(xlim=(0, 35), ylim=(0, 180), ylabel='phase [deg]',
        xlabel='Semi-major axis [arcsec]', yticks=(0, 60, 120, 180))
plt.show()

# %%
# Strength and phase of the bar are those that were put in. Its end is where
# half of the amplitude is left, which is 9.6 arcsec here: the length of 12
# arcsec is where its last light is. Papers differ in what they call the
# length; say which one you use. In the inner 3 arcsec, the seeing has made the
# nucleus round, and a round nucleus is no circle in the plane of the disc.

for name in ('bar_radius', 'bar_strength', 'bar_phase'):
    print(f'{name:13s} {row[name]:.2f} +- {row[f"{name}_err"]:.2f}')
print(f'true strength {true_amplitude[radius < length].max():.2f}')
