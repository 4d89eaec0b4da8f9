# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Similar galaxies and odd ones
=============================

Which galaxies look like this one? Which look like no other? You see the
nearest neighbours of four galaxies, and a search for tidal tails that learns
from a few ratings. It needs ``pip install 'astro_pix2prof[search]'``.
"""

# %%
# Galaxies
# --------
#
# Seventy-two galaxies of all types are simulated, with more bars, rings and
# tails than the local Universe has.
# `~astro_pix2prof.simulation.visible_features` knows what an observer could
# see in each image: the truth of this tutorial. Yours are the images of a
# survey; see the end.

import matplotlib.pyplot as plt
import numpy as np

from astro_pix2prof import AnomalyFinder, Pix2ProfFitter, SimilarityIndex
from astro_pix2prof.simulation import GalaxySimulator, visible_features
from astro_pix2prof.simulation.labels import CLASSES

n = 72
galaxies = GalaxySimulator('sdss-r', n_pix=96, features=True,
                           clutter=False).simulate(n, seed=4)
images = galaxies.image.numpy()
truth = {name: values.numpy()
         for name, values in visible_features(galaxies).items()}
types = np.array(list(CLASSES))[truth['type']]

# %%
# Sixty-four numbers
# ------------------
#
# ``encode`` measures each galaxy and turns its look into 64 numbers, close to
# each other for galaxies that look alike. Size, inclination and orientation
# drop out.

table = Pix2ProfFitter().encode(images, zeropoint=22.5, pixel_scale=0.396)
table['embedding'].shape

# %%
# Galaxies like this one
# ----------------------

index = SimilarityIndex(table)
examples = {}
for name in ('edge-on', 'spiral', 'elliptical', 'dwarf'):
    # the first galaxy of each type with a clear image
    clear = (types == name) & (table['flag'] == 0)
    examples[name] = int(np.flatnonzero(clear)[0])
like = index.query(examples['edge-on'], n=6)
like['rank', 'distance', 'index', 'radius_50']

# %%
# Look at them. On the left is the galaxy that was asked with, beside it are
# its six nearest. Blue frames have the same true type; spirals and
# lenticulars, or dwarfs and ellipticals, are often alike in truth, too.


def draw(ax, number, colour=None):
    """
    Draw a galaxy, five times as large as the ellipse of half its light.
    """
    size = np.nan_to_num(table['radius_50'][number].value / 0.396, nan=10)
    half = int(np.clip(5 * size, 14, 47))
    x, y = (round(v) for v in galaxies.centre[number].tolist())
    cut = images[number][max(y - half, 0):y + half + 1,
                         max(x - half, 0):x + half + 1]
    cut = np.arcsinh(cut / float(galaxies.sigma[number]) / 2)
    ax.imshow(cut, origin='lower', cmap='gray_r', vmin=-1,
              vmax=np.percentile(cut, 99.7))
    ax.set(xticks=[], yticks=[])
    if colour is not None:
        ax.spines[:].set(color=colour, linewidth=2.5)


fig, axes = plt.subplots(4, 7, figsize=(9, 5.4), layout='constrained')
for row, (name, number) in zip(axes, examples.items(), strict=True):
    draw(row[0], number, '0.15')
    row[0].set_ylabel(name)
    for ax, near in zip(row[1:], index.query(number, n=6)['index'],
                        strict=True):
        same = types[near] == name
        draw(ax, near, '#0072B2' if same else '0.8')
plt.show()

# %%
# Is it right?
# ------------
#
# For all galaxies: how often has a neighbour the same type, and how often
# would it by chance?

same = [np.mean(types[index.query(int(k), n=3)['index']] == types[k])
        for k in index.ids]
_, counts = np.unique(types, return_counts=True)
print(f'{np.mean(same):.0%} of the three nearest have the same type; by '
      f'chance, {np.sum((counts / n)**2):.0%} would')

# %%
# Odd galaxies
# ------------
#
# `~astro_pix2prof.AnomalyFinder` begins with galaxies that are unlike all
# others. You rate some, and it learns what you find interesting. Here,
# somebody looks for tidal tails: 5 for a galaxy with one, 0 for the others.

finder = AnomalyFinder(table)
looked_at = []
for _ in range(4):
    asked = finder.next(6)['index'].tolist()
    finder.rate({k: 5 if truth['tides'][k] else 0 for k in asked})
    looked_at += asked
found = np.cumsum(truth['tides'][looked_at])
print(f'{found[-1]:.0f} of {truth["tides"].sum():.0f} galaxies with tails '
      f'after {len(looked_at)} looks at {n} galaxies')

# %%
# Above, the galaxies that score highest in the end; orange frames have a tail
# in truth. First come those that were rated 5, then those that nobody has
# looked at yet. Below, how the search went, beside looks in random order.

fig = plt.figure(figsize=(9, 5.6), layout='constrained')
top, bottom = fig.subfigures(2, 1, height_ratios=(1.15, 1))
best = finder.scores['index'][:14]
for ax, number in zip(top.subplots(2, 7).flat, best, strict=True):
    draw(ax, number, '#D55E00' if truth['tides'][number] else '0.8')
ax = bottom.subplots()
new = [k for k in finder.scores['index'].tolist() if k not in looked_at][:5]
print(f'{truth["tides"][new].sum():.0f} of the 5 best that nobody has looked '
      'at have a tail')
looks = np.arange(1, len(looked_at) + 1)
ax.step(looks, found, where='post', color='#D55E00', label='with ratings')
ax.plot(looks, looks * truth['tides'].mean(), color='0.4', ls='--',
        label='in random order')
ax.set(xlabel='Galaxies looked at', ylabel='Tails found', xlim=(0, None),
       ylim=(0, None))
ax.legend(frameon=False)
plt.show()

# %%
# Seventy galaxies are few to learn from, and the numbers above are of so few.
# For a survey, ``pix2prof survey --embedding`` writes the embeddings, and
# ``pix2prof anomalies`` a page on which you rate by clicking.
# :doc:`/similarity` has all of it and says how well it does,
# :doc:`/embeddings` how the numbers come about.
