# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
From 1,000 galaxies to a report
===============================

A folder of images goes in; a table, the profiles and a page to look at them
come out. You see a contact sheet of the galaxies with what was measured, the
flags, and how far all profiles are from the true ones. The survey needs
``pip install 'astro_pix2prof[survey]'``.
"""

# %%
# A folder of images
# ------------------
#
# The galaxies are simulated as the SDSS would see them in r, so that the truth
# is known. These are 24, for a page that is built in seconds: write 1000 and
# all below stays as it is. One file is cut off, as after a transfer that
# broke: there is always one.

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from matplotlib.patches import Ellipse

from astro_pix2prof import (
    GalaxyFlag,
    decode_flags,
    read_survey,
    run_survey,
    write_report,
)
from astro_pix2prof.datasets import write_simulated
from astro_pix2prof.simulation import GalaxySimulator

n = 24
temporary = TemporaryDirectory()
folder = Path(temporary.name)
galaxies = GalaxySimulator('sdss-r', n_pix=128).simulate(n, seed=7)
paths = write_simulated(galaxies, folder / 'images')
broken = paths[8]
broken.write_bytes(broken.read_bytes()[:20_000])
print(f'{len(paths)} files, the first is {paths[0].name}')

# %%
# A catalogue says where the images are. Its other columns are copied to the
# results; here, these are a number and the true magnitude.

catalogue = Table({
    'id': np.arange(n), 'path': [f'images/{path.name}' for path in paths],
    'mag_true': 22.5 - 2.5 * np.log10(
        galaxies.parameters['flux'][:, 0].numpy())})
catalogue.write(folder / 'galaxies.fits')

# %%
# The survey
# ----------
#
# One call measures everything. A thousand images of this size take some
# minutes on one core. Leave ``n_workers`` out to use all cores, and stop it
# whenever you like: the same call goes on. In the shell, it is::
#
#     pix2prof survey galaxies.fits --images path --structure --out results

result = run_survey(folder / 'galaxies.fits', folder / 'results',
                    images='path', structure=True, n_workers=1)
print(f'{result.n_measured} measured, {result.n_failed} failed')

# %%
# The broken file costs its own galaxy and no other. Which ones failed, and
# why, is in a table:

survey = read_survey(folder / 'results')
for row in survey.failures:
    print(row['index'], row['message'].replace(str(folder), '...')[:70])

# %%
# The table
# ---------
#
# There is one row for each galaxy of the catalogue. ``structure=True`` added
# total magnitudes, sizes and concentrations with their errors.

table = survey.galaxies([
    'id', 'mag_true', 'mag_total', 'mag_total_err', 'r50', 'c28', 'flag'])
for name in table.colnames[1:-1]:
    table[name].info.format = '.2f'
table[:6]

# %%
# Flags
# -----
#
# Flags say which galaxies need care, and why. How often is each set?

names = Counter(name for flag in table['flag']
                for name in decode_flags(flag, kind='galaxy'))
for name, count in names.most_common():
    print(f'{name:20s} {count:3d} of {n}')

# %%
# Small frames leave little sky: TRUNCATED and SKY_UNCERTAIN are about the
# outskirts. Others are about the whole profile: another object is in the way,
# or the centre or the ellipses are not sure. These are marked below.

doubtful = (table['flag'] & int(
    GalaxyFlag.NEIGHBOUR | GalaxyFlag.CENTRE_UNCERTAIN
    | GalaxyFlag.GEOMETRY_UNCERTAIN)) != 0

# %%
# A contact sheet
# ---------------
#
# Look at the galaxies before you use the numbers. The ellipses are those that
# hold half of the light (solid) and the last ring (dashed), the number is the
# total magnitude. Orange frames are the doubtful ones.


def draw(ax, number):
    """
    Draw a galaxy of the survey with two of its ellipses.
    """
    ax.set(xticks=[], yticks=[])
    profile = survey[number]
    if len(profile) == 0:
        ax.set_facecolor('0.93')
        ax.text(0.5, 0.5, 'failed', transform=ax.transAxes, ha='center',
                va='center', color='0.4')
        return
    image = fits.getdata(paths[number]) / profile.meta['noise']
    ax.imshow(np.arcsinh(image / 2), origin='lower', cmap='gray_r',
              vmin=-1, vmax=np.arcsinh(np.percentile(image, 99.7) / 2))
    scale = profile.meta['pixel_scale']
    half = np.searchsorted(profile['radius'], table['r50'][number])
    for k, style in ((min(half, len(profile) - 1), '-'), (-1, '--')):
        a = profile['radius'][k].value / scale
        # (north is up, so that the angle counts from the y axis)
        ax.add_patch(Ellipse(
            (profile.meta['x_centre'], profile.meta['y_centre']),
            2 * a, 2 * a * (1 - profile['ellipticity'][k]),
            angle=90 + profile['pa'][k].value, fill=False, ls=style,
            lw=0.9, ec='#0072B2'))
    ax.text(0.04, 0.93, f'{table["mag_total"][number].value:.1f}',
            transform=ax.transAxes, va='top', fontsize='small')
    if doubtful[number]:
        ax.spines[:].set(color='#D55E00', linewidth=2)


fig, axes = plt.subplots(4, 6, figsize=(9, 6.1), layout='constrained')
for number, ax in enumerate(axes.flat):
    draw(ax, number)
plt.show()

# %%
# Is it right?
# ------------
#
# The truth lies in each file. A line is a galaxy: the error of its rings, from
# the centre outwards, as far as the profile states an error below 0.2 mag. On
# the right, the error of the magnitude within the last ring.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True,
                                  layout='constrained')
differences = {False: [], True: []}
for number in np.flatnonzero(np.isfinite(table['mag_total'])):
    profile = survey[number]
    truth = QTable.read(paths[number], hdu='TRUTH')
    sure = profile['surface_brightness_err'].value < 0.2
    radius, true, enclosed = (truth[name].value for name in (
        'radius', 'surface_brightness', 'mag_enclosed'))
    true = np.interp(profile['radius'].value, radius, true)
    error = profile['surface_brightness'].value - true
    differences[bool(doubtful[number])] += list(error[sure])
    colour = '#D55E00' if doubtful[number] else '#0072B2'
    left.plot(true[sure], error[sure], lw=0.9, color=colour)
    last = np.interp(profile['radius'][-1].value, radius, enclosed)
    right.plot(last, profile['mag_enclosed'][-1].value - last, 'o', ms=5,
               color=colour)
for ax in (left, right):
    ax.axhline(0, color='0.25', lw=0.8)
left.set(xlabel=r'True $\mu_r$ [mag arcsec$^{-2}$]', ylim=(0.6, -0.6),
         ylabel='Measured minus true [mag]')
right.set(xlabel='True magnitude within the last ring')
right.plot([], [], 'o', color='#0072B2', label='others')
right.plot([], [], 'o', color='#D55E00', label='doubtful by their flags')
right.legend(frameon=False)
plt.show()

# %%
# In numbers, for all rings of the left panel:

for label, chosen in (('doubtful', True), ('others', False)):
    error = np.abs(differences[chosen])
    print(f'{label:9s} median error {np.median(error):.3f} mag, '
          f'{np.mean(error < 0.1):.0%} of {len(error)} rings within 0.1 mag')

# %%
# These fields are more crowded than real ones, and one galaxy in two has
# something in the way. That is what the flags and the contact sheet are for.
# Profiles whose errors are wrong without a flag exist, too: :doc:`/accuracy`
# says how many. :doc:`/review` finds those that a look gains most from.

# %%
# The report
# ----------
#
# All of this, and more, is on one page that you can open in a browser and send
# by mail: distributions, flags, failures, and a gallery to search, filter and
# rate. In the shell it is ``pix2prof report results``. What it shows is
# explained in :doc:`/report`, the files in :doc:`/survey_results`.

page = write_report(folder / 'results', folder / 'report.html', n_gallery=12)
print(f'{page.name}: {page.stat().st_size / 1000:.0f} kB')
temporary.cleanup()
