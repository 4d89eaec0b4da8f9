# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Injection and recovery
======================

How good is a profile on *your* frames? Put galaxies in that you know, and
measure them. You see a galaxy made fainter and fainter in the same field, and
how far each profile can be trusted.
"""

# %%
# A field
# -------
#
# Yours would be a piece of the survey with few bright objects. Here it is
# noise with some stars.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from astropy.modeling.models import Gaussian2D
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    Pix2ProfFitter,
    inject,
    load_example,
    load_example_truth,
)

example, truth = load_example(), load_example_truth()
rng = np.random.default_rng(3)
field = CCDData(rng.normal(0.0, 0.022, example.shape), unit='nmgy',
                wcs=example.wcs)
gain = example.header['GAIN']
for _ in range(15):
    star = Gaussian2D(rng.uniform(0.1, 2), x_stddev=1.4, y_stddev=1.4)
    field = inject(star, field, position=tuple(rng.uniform(5, 250, 2)),
                   noise=True, gain=gain, seed=rng)

# %%
# A known galaxy, fainter and fainter
# -----------------------------------
#
# `~astro_pix2prof.inject` takes a profile, a model of astropy, or an array.
# The true profile of the demo galaxy is dimmed by 0, 2 and 4 magnitudes.

fitter = Pix2ProfFitter()
images, measured = {}, {}
for dim in (0, 2, 4):
    galaxy = truth.copy()
    galaxy['intensity'] *= 10**(-0.4 * dim)
    image = inject(galaxy, field, position=(128, 128), noise=True, gain=gain,
                   seed=dim)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyUserWarning)
        images[dim], measured[dim] = image, fitter(image)
    last = image.header['NINJECT']
    print(f'{dim} mag fainter: put in {image.header[f"INJMG{last}"]:.2f}, '
          f'found {measured[dim]["mag_enclosed"][-1]:.2f}')

# %%
# What comes out
# --------------
#
# Above, the frames; below, the profiles on the true ones (lines). The fainter
# the galaxy, the earlier its profile ends, and the less light its last ring
# holds. How far the points stay on the lines is what to check on your frames,
# with many galaxies rather than three.

fig = plt.figure(figsize=(9, 6.4), layout='constrained')
top, bottom = fig.subfigures(2, 1, height_ratios=(1, 1.25))
for ax, (dim, image) in zip(top.subplots(1, 3), images.items(), strict=True):
    ax.imshow(np.arcsinh(image.data / 0.06), origin='lower', cmap='gray_r',
              vmin=-0.6, vmax=4)
    ax.set_title(f'{dim} mag fainter', loc='left', fontsize='medium')
    ax.set_axis_off()
ax = bottom.subplots()
for (dim, profile), colour in zip(
        measured.items(), ('#0072B2', '#D55E00', '#009E73'), strict=True):
    good = profile['surface_brightness_err'].value < 0.5
    ax.plot(truth['radius'].value, truth['surface_brightness'].value + dim,
            color=colour, lw=0.8)
    ax.errorbar(profile['radius'].value[good],
                profile['surface_brightness'].value[good],
                profile['surface_brightness_err'].value[good], fmt='.',
                color=colour, label=f'{dim} mag fainter')
ax.set(ylim=(30, 18), xlim=(0, 45), xlabel='Semi-major axis [arcsec]',
       ylabel=r'$\mu_r$ [mag arcsec$^{-2}$]')
ax.legend(frameon=False)
plt.show()
