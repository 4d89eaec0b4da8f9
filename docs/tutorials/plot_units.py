# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
An image and its unit: the trap
===============================

An image in "counts" has no magnitudes until somebody says what a count is
worth. You see the same galaxy three times: with its unit, without one, and
with a zero point that is wrong by the pixel area.
"""

# %%
# With a unit
# -----------
#
# The image of the demo galaxy is in nanomaggies, whose zero point is 22.5 mag.

import warnings

import numpy as np
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    GalaxyCutout,
    Pix2ProfFitter,
    load_example,
    load_example_truth,
    plot_profiles,
)

image = load_example()
GalaxyCutout(image)

# %%
# Without one
# -----------
#
# The same pixels in counts, as many archives deliver them. A profile in
# magnitudes would be a guess, so that there is none:

counts = CCDData(image.data * 270.0, unit='adu', wcs=image.wcs)
try:
    GalaxyCutout(counts)
except ValueError as error:
    print(error)

# %%
# The zero point of counts stands in the header, or in the paper of the survey.
# One nanomaggy has 22.5 mag and is 270 counts here:

zeropoint = 22.5 + 2.5 * np.log10(270)
GalaxyCutout(counts, zeropoint=zeropoint)

# %%
# The trap
# --------
#
# Some images are in brightness *per square arcsec*, as MJy/sr, and some per
# pixel. A zero point that means the one and is used for the other shifts the
# whole profile, and no error tells. Here, the zero point of a square arcsec is
# given for the pixels of 0.396 arcsec:

fitter = Pix2ProfFitter()
wrong = zeropoint + 2.5 * np.log10(0.396**2)
with warnings.catch_warnings():
    warnings.simplefilter('ignore', AstropyUserWarning)
    profiles = {'right zero point': fitter(counts, zeropoint=zeropoint),
                'per arcsec2 for per pixel': fitter(counts, zeropoint=wrong)}
fig = plot_profiles(profiles, reference=load_example_truth())

# %%
# The curves are parallel: the shape is right, the magnitudes are not. Give the
# *unit* where there is one (``unit='MJy/sr'``): then the area of the pixels is
# taken care of. And compare the magnitude with a catalogue, once for every
# survey:

for label, profile in profiles.items():
    print(f'{label:28s} {profile["mag_enclosed"][-1]:.2f}')
print(f'{"truth":28s} {load_example_truth().meta["magnitude"]:.2f} mag')
