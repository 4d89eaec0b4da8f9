# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Sizes, Sersic and discs, with errors
====================================

What does an error of the profile do to a size, a Sersic index, or anything
that you compute from it? You see a profile together with noisy versions of it,
and the distribution of each number that follows.
"""

# %%
# A profile with samples
# ----------------------
#
# The galaxy has a bulge and a disc that are known. With ``n_samples``, the
# fitter adds noisy versions of the profile to its table. Neighbouring rings
# move together in them, and all outer rings with the sky, as the errors of
# real profiles do.

# sphinx_gallery_thumbnail_number = 1

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from astropy.modeling.models import Sersic1D, Sersic2D
from astropy.nddata import CCDData

from astro_pix2prof import (
    Pix2ProfFitter,
    inject,
    load_example,
    measure_structure,
)

scale = 0.396


def intensity(mu):
    """Convert mag/arcsec2 to nanomaggies in a pixel."""
    return scale**2 * 10**(0.4 * (22.5 - mu))    # nanomaggies in a pixel


# mag/arcsec2 at the effective radius, this radius (arcsec), Sersic index
parts = {'bulge': (19.4, 1.6, 2.5), 'disc': (21.9, 10.0, 1)}
ellip = 0.3


def make_image(seed):
    """Observe the galaxy, with noise of this seed."""
    rng = np.random.default_rng(seed)
    image = CCDData(rng.normal(0, 0.022, (256, 256)), unit='nmgy',
                    wcs=load_example().wcs)
    for mu, r_e, n in parts.values():
        galaxy = Sersic2D(intensity(mu), r_e / scale, n, ellip=ellip, theta=2)
        image = inject(galaxy, image, position=(127, 128), psf=1.3,
                       noise=True, gain=954, seed=rng)
    return image


fitter = Pix2ProfFitter()
profile = fitter(make_image(4), n_samples=300, seed=1)


# %%
# The samples, as differences from the true profile. They are smooth: a sample
# is too bright or too faint over many rings. The truth lies within them but
# for the inner arcsec, where the seeing has taken light from the centre.


def true_mu(radius):
    """Calculate the true surface brightness (mag/arcsec2)."""
    return -2.5 * np.log10(sum(Sersic1D(10**(-0.4 * mu), r_e, n)(radius)
                               for mu, r_e, n in parts.values()))


radius = profile['radius'].value
samples = profile['surface_brightness_samples'].value
true = true_mu(np.maximum(radius, 0.1))
fig, ax = plt.subplots(figsize=(7, 4), layout='constrained')
ax.plot(radius, samples[:, :60] - true[:, None], color='#0072B2', lw=0.5,
        alpha=0.35)
ax.errorbar(radius, profile['surface_brightness'].value - true,
            profile['surface_brightness_err'].value, fmt='o', ms=4,
            color='k', label='measured')
ax.axhline(0, color='#D55E00', label='truth')
ax.plot([], [], color='#0072B2', label='samples')
ax.set(xlim=(0, 40), ylim=(0.5, -0.5), xlabel='Semi-major axis [arcsec]',
       ylabel='minus truth [mag arcsec$^{-2}$]')
ax.legend(frameon=False, loc='upper left')
plt.show()

# %%
# What catalogues list
# --------------------
#
# `~astro_pix2prof.measure_structure` reads sizes and magnitudes off every
# sample; their scatter is the error. Bulge and disc are fitted, here behind
# the seeing. The true numbers follow from the two parts; all are met within
# two errors.

grid = np.geomspace(0.01, 300, 4000)


def true_light(*names):
    """Integrate the light of some parts within each radius."""
    mu = -2.5 * np.log10(sum(
        Sersic1D(10**(-0.4 * mu), r_e, n)(grid)
        for mu, r_e, n in (parts[name] for name in names)))
    ring = 2 * np.pi * (1 - ellip) * grid**2 * 10**(-0.4 * mu)
    return np.cumsum(ring) * np.log(grid[1] / grid[0])


light, bulge = true_light('bulge', 'disc'), true_light('bulge')
truth = {
    'mag_total': -2.5 * np.log10(light[-1]),
    'r50': np.interp(0.5 * light[-1], light, grid),
    'r90': np.interp(0.9 * light[-1], light, grid),
    'r25_0': np.interp(25, true_mu(grid), grid),
    'disc_h': parts['disc'][1] / 1.678,
    'disc_mu_0': parts['disc'][0] - 1.822,
    'bulge_n': parts['bulge'][2],
    'b_t': bulge[-1] / light[-1]}
structure = measure_structure(profile, psf=1.3)[0]
for name, value in truth.items():
    found, error = (u.Quantity(structure[key])
                    for key in (name, f'{name}_err'))
    print(f'{name:10s} {found.value:7.3f} +- {error.value:5.3f}   true '
          f'{value:7.3f}  {found.unit}')

# %%
# Your own numbers
# ----------------
#
# Whatever you compute from a profile, compute it from each sample. Here: the
# magnitude of the light from 5 to 25 arcsec, the radius of 25 mag/arcsec2, and
# the scale length of a line through the disc.
# (`~astro_pix2prof.sample_profile` draws samples for a profile that has none.)


def derive(radius, mu):
    """Calculate a magnitude, R25 and a scale length."""
    inside = np.linspace(5, 25, 300)
    intensity = 10**(-0.4 * np.interp(inside, radius, mu))
    magnitude = -2.5 * np.log10(np.trapezoid(
        2 * np.pi * (1 - ellip) * inside * intensity, inside))
    disc = (radius > 12) & (radius < 32)
    slope, _ = np.polyfit(radius[disc], mu[disc], 1)
    return magnitude, np.interp(25, mu, radius), 1.0857 / slope


derived = np.array([derive(radius, mu) for mu in samples.T])

# %%
# Are these errors right? Two comparisons: the same galaxy, measured in 24
# images with other noise; and samples whose rings vary independently, as one
# would draw them from the column of errors alone.

again = []
for seed in range(100, 124):
    other = fitter(make_image(seed))
    again.append(derive(other['radius'].value,
                        other['surface_brightness'].value))
again = np.array(again)

rng = np.random.default_rng(2)
noise = rng.normal(size=samples.shape) * profile[
    'surface_brightness_err'].value[:, None]
independent = np.array([derive(radius, mu) for mu in (
    profile['surface_brightness'].value[:, None] + noise).T])

labels = ('light from 5" to 25" [mag]', '$R_{25}$ [arcsec]',
          'scale length [arcsec]')
wanted = derive(grid, true_mu(grid))
fig, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout='constrained',
                         sharey=True)
for k, ax in enumerate(axes):
    bins = np.linspace(derived[:, k].min(), derived[:, k].max(), 22)
    ax.hist(derived[:, k], bins, color='#56B4E9', label='samples')
    ax.hist(independent[:, k], bins, histtype='step', color='0.5',
            label='rings independent')
    ax.plot(again[:, k], np.full(len(again), 4.0), '|', color='k', ms=16,
            label='24 images')
    ax.axvline(wanted[k], color='#D55E00', label='truth')
    ax.set_xlabel(labels[k])
    ax.set_yticks([])
fig.legend(*axes[0].get_legend_handles_labels(), frameon=False, ncols=4,
           loc='outside upper center')
plt.show()

# %%
# The magnitude is the sum of many rings: were their errors independent, its
# error would be less than half. For a size it matters less. The
# scatter by noise alone is about half of the error of the samples, which has
# room for what the network does wrong in all images of a galaxy alike, and for
# arms, stars and neighbours, of which this smooth galaxy has none.

for k, label in enumerate(('light', 'R25', 'scale length')):
    print(f'{label:13s} samples {derived[:, k].std():.3f}, 24 images '
          f'{again[:, k].std():.3f}, independent rings '
          f'{independent[:, k].std():.3f}')
