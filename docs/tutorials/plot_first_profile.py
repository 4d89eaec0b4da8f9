# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Your first profile
==================

A spiral galaxy goes in, its surface-brightness profile comes out: in three
lines, by the network that is the default. You see the image with the ellipses,
the profile beside the true one, and what the flags say.
"""

# %%
# Measure
# -------
#
# `~astro_pix2prof.load_example` gives the image of a simulated galaxy, as the
# SDSS would see it. The path of a FITS file does as well, if its header has a
# unit (or a zero point) and a WCS.

import astropy.units as u

from astro_pix2prof import (
    Pix2ProfFitter,
    compare_profiles,
    decode_flags,
    load_example,
    load_example_truth,
    measure_structure,
    plot_fit,
    plot_profiles,
)

image = load_example()
fit = Pix2ProfFitter().fit(image)
profile = fit.profile

# %%
# Look
# ----
#
# The ellipses follow the galaxy, not the stars. In the residual, the image
# less the ellipses, the spiral arms and the other objects are left: they are
# not part of an average along ellipses.

fig = plot_fit(fit)

# %%
# The table
# ---------
#
# Every row is a ring: its semi-major axis, its brightness with the error, its
# shape, and a flag.

rows = profile['radius', 'surface_brightness', 'surface_brightness_err',
               'ellipticity', 'pa', 'flag'][::6]
for name in rows.colnames[:-1]:
    rows[name].info.format = '.3f'
rows

# %%
# Flags say what needs care, in a ring or in the whole galaxy.

print('the galaxy:', decode_flags(profile.meta['flag'], kind='galaxy'))
print('last ring: ', decode_flags(profile['flag'][-1:])[0])

# %%
# Is it right?
# ------------
#
# The galaxy is simulated, so that the truth is known. On an axis with the
# fourth root of the radius, the centre is seen as well as the outskirts.

truth = load_example_truth()
fig = plot_profiles({'rings': profile}, reference=truth, radius_scale='r1/4')

# %%
# In bins of brightness, the median and the median absolute difference:

table = compare_profiles({'rings': profile}, truth)
for name in ('median', 'median_abs'):
    table[name].info.format = '.3f'
table

# %%
# What catalogues list
# --------------------

structure = measure_structure(profile)
for name in ('mag_total', 'r50', 'c28', 'sersic_n'):
    value, error = (u.Quantity(structure[key][0]).value
                    for key in (name, f'{name}_err'))
    print(f'{name:10s} {value:7.3f} +- {error:.3f}')
print(f'the true magnitude is {truth.meta["magnitude"]:.2f}')
