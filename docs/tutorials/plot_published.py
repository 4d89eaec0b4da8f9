# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
A published profile beside yours
================================

A paper has a profile of your galaxy, and it differs from yours. You see why:
first the ellipses are made the same, then the sky, and what is left is the
masks.
"""

# %%
# The table of the paper
# ----------------------
#
# For an example that needs no download, the "paper" is made here: photutils
# fits ellipses to the demo galaxy, with a sky from sigma clipping and no mask,
# and the table is written as the task ellipse of IRAF does it, in counts.
# Yours is a file: begin with the next step.

# sphinx_gallery_thumbnail_number = 2

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from astropy.stats import sigma_clipped_stats
from astropy.table import Table
from matplotlib.patches import Ellipse
from photutils import isophote

from astro_pix2prof import (
    Pix2ProfFitter,
    compare_profiles,
    load_example,
    load_example_truth,
    plot_profiles,
    read_iraf_table,
)

image = load_example()
counts = 270 * image.data
_, their_sky, _ = sigma_clipped_stats(counts, sigma=3)
with warnings.catch_warnings():
    warnings.simplefilter('ignore')              # (rings without data)
    isophotes = isophote.Ellipse(counts - their_sky, isophote.EllipseGeometry(
        131.4, 124.7, 15, 0.3, np.radians(60))).fit_image(maxsma=100)
folder = TemporaryDirectory()
paper = Path(folder.name) / 'el_demo_r.fits'
Table({'SMA': isophotes.sma, 'INTENS': isophotes.intens,
       'INT_ERR': isophotes.int_err, 'ELLIP': isophotes.eps,
       'ELLIP_ERR': isophotes.ellip_err,
       'PA': (np.degrees(isophotes.pa) - 90) % 180,
       'PA_ERR': np.degrees(isophotes.pa_err),
       'X0': isophotes.x0 + 1, 'Y0': isophotes.y0 + 1}).write(paper)

# %%
# Read it
# -------
#
# Such a table tells neither the pixel scale nor the zero point: both stand in
# the paper. Position angles of IRAF count from the y axis; here they are
# turned. If a paper lists radii and surface brightnesses only, a table of
# these two columns, with units, may be plotted and compared as well.

theirs = read_iraf_table(paper, pixel_scale=0.396,
                         zeropoint=22.5 + 2.5 * np.log10(270))
folder.cleanup()
fitter = Pix2ProfFitter()
ours = fitter.fit(image)
fig = plot_profiles({'paper': theirs, 'ours': ours.profile},
                    reference='ours')


# %%
# The two agree to 5 arcsec, and differ by 0.3 mag farther out, by far more
# than both errors. Who is right?
#
# The same ellipses
# -----------------
#
# Look at the ellipses first. On the left are those of the paper: they follow
# the bar and then a star, and hardly change from there on. On the right, ours.

fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout='constrained')
angles = {'paper': theirs['pa'].value, 'ours': ours.theta}
for ax, (label, profile), colour in zip(
        axes, (('paper', theirs), ('ours', ours.profile)),
        ('#0072B2', '#D55E00'), strict=True):
    ax.imshow(np.arcsinh(image.data / 0.05), origin='lower', cmap='gray_r',
              vmin=-0.6, vmax=5)
    for radius in (4, 7, 10, 14, 19, 25, 32):
        ring = np.argmin(np.abs(profile['radius'].value - radius))
        width = 2 * profile['radius'][ring].value / 0.396
        ax.add_patch(Ellipse(
            (131.4, 124.7), width,
            width * (1 - profile['ellipticity'][ring]),
            angle=angles[label][ring], fill=False, color=colour))
    ax.set(title=label, xlim=(31, 231), ylim=(25, 225))
    ax.set_axis_off()
plt.show()

# %%
# ``geometry=`` measures the image on the ellipses of the paper. What is left
# of the difference now is no matter of ellipses: the sky, or what was masked.

forced = fitter.fit(image, geometry=theirs)

# %%
# The same sky
# ------------
#
# A sky that is too high takes the same intensity from every ring. The paper
# says how much it subtracted, and the fit knows its own level:

paper_sky = their_sky / 270
print(f'sky of the paper {paper_sky:.4f}, ours {ours.sky:.4f} +- '
      f'{ours.profile.meta["sky_err"]:.4f} nanomaggies in a pixel')

# (intensities of the table are counts per square arcsec)
shift = 270 * (paper_sky - ours.sky) / 0.396**2
stages = {
    'as published, minus ours': (theirs['intensity'].value, ours.profile),
    'on the same ellipses': (theirs['intensity'].value, forced.profile),
    'and with the same sky': (theirs['intensity'].value + shift,
                              forced.profile)}
fig, axes = plt.subplots(3, 1, figsize=(7, 6.6), sharex=True, sharey=True,
                         layout='constrained')
radius = theirs['radius'].value
for ax, (label, (values, own)) in zip(axes, stages.items(), strict=True):
    with np.errstate(invalid='ignore', divide='ignore'):
        mu = 22.5 - 2.5 * np.log10(values / 270)
    difference = mu - np.interp(radius, own['radius'].value,
                                own['surface_brightness'].value)
    ax.axhline(0, color='0.25', lw=0.8)
    ax.plot(radius, difference, '.-', lw=0.8, color='#0072B2')
    ax.set_title(label, loc='left', fontsize='medium')
axes[1].set_ylabel(r'$\Delta\mu$ [mag arcsec$^{-2}$]')
axes[2].set(xlim=(0, 40), ylim=(0.8, -0.8),
            xlabel='Semi-major axis [arcsec]')
plt.show()

# %%
# The ellipses explain what differs within 17 arcsec. The sky of the paper is
# too high by six thousandths of a nanomaggy, and hides that stars and
# background galaxies, which it did not mask, make its rings too bright from 18
# arcsec on.
#
# Who is right?
# -------------
#
# The galaxy is simulated, so that we know. On the ellipses of the paper, our
# mask and our sky do not help: from 22 to 27 mag/arcsec2, its profile and ours
# on its ellipses are too faint by 0.2 mag and more. On ellipses that follow
# the galaxy, the differences are 0.02 mag, but for the last ring.

table = compare_profiles({'paper': theirs, 'ours': ours.profile,
                          'ours on their ellipses': forced.profile},
                         load_example_truth())
for name in ('median', 'median_abs'):
    table[name].info.format = '.3f'
table
