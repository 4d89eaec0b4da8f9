# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
photutils, step by step, on the same galaxy
===========================================

`photutils.isophote` fits ellipses to an array. You see what has to be done
around it on a real frame (sky, mask, first ellipse, zero point), and the two
fitters of this package, which do it by themselves, on the same galaxy.
"""

# %%
# As the tutorial has it
# ----------------------
#
# The image has a sky and other objects. The sky is estimated with
# sigma-clipping, the objects are left in, the first ellipse is a guess.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from astropy.stats import sigma_clipped_stats
from photutils.isophote import Ellipse, EllipseGeometry

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    load_example,
    load_example_truth,
)

image = load_example()
_, sky, noise = sigma_clipped_stats(image.data, sigma=3)
geometry = EllipseGeometry(x0=131.4, y0=124.7, sma=15, eps=0.3,
                           pa=np.radians(60))
with warnings.catch_warnings():
    # (rings without data)
    warnings.simplefilter('ignore')
    isolist = Ellipse(image.data - sky, geometry).fit_image()
print(f'{len(isolist)} isophotes to {isolist.sma[-1]:.0f} pixels')

# %%
# The intensities are counts in a pixel; magnitudes need the pixel scale and
# the zero point, 0.396 arcsec and 22.5 mag here.

radius = 0.396 * isolist.sma
with np.errstate(invalid='ignore', divide='ignore'):
    mu = 22.5 - 2.5 * np.log10(isolist.intens / 0.396**2)

# %%
# The two fitters
# ---------------
#
# `~astro_pix2prof.IsophoteFitter` uses the same isophote fit, with a mask, a
# sky from the outskirts, first guesses and retries;
# `~astro_pix2prof.Pix2ProfFitter` is the network.

profiles = {'isophotes': IsophoteFitter()(image),
            'rings': Pix2ProfFitter()(image)}
truth = load_example_truth()

fig, (top, bottom) = plt.subplots(
    2, 1, sharex=True, figsize=(7, 6), layout='constrained',
    height_ratios=(2.2, 1))
true_radius = truth['radius'].value
true_mu = truth['surface_brightness'].value
top.plot(true_radius, true_mu, color='0.25', lw=1, label='truth')
curves = {'photutils alone': (radius, mu), **{
    label: (profile['radius'].value, profile['surface_brightness'].value)
    for label, profile in profiles.items()}}
for (label, (x, y)), colour in zip(
        curves.items(), ('#CC79A7', '#D55E00', '#0072B2'), strict=True):
    top.plot(x, y, '.-', color=colour, lw=0.8, label=label)
    bottom.plot(x, y - np.interp(x, true_radius, true_mu), '.-', lw=0.8,
                color=colour)
top.set(ylim=(29, 18), ylabel=r'$\mu$ [mag arcsec$^{-2}$]')
top.legend(frameon=False)
bottom.axhline(0, color='0.25', lw=0.8)
bottom.set(ylim=(0.6, -0.6), xlim=(0, 48), ylabel='minus truth',
           xlabel='Semi-major axis [arcsec]')
plt.show()

# %%
# Up to 9 arcsec all agree to about 0.1 mag. From there on, isophotes that are
# fitted one by one follow the bar and the arms; photutils alone stops soon
# after. In the outskirts the sky decides. How well each does on many galaxies
# is in :doc:`/network` and :doc:`/isophote`.
