# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Train your own network
======================

This tutorial trains a captioner, a small one and in about a minute, and
measures a galaxy with it. A network for science is trained in the same way,
with another recipe and more patience. Training needs
``pip install 'astro_pix2prof[train]'``.
"""

# %%
# A recipe
# --------
#
# All that decides what a training run does is in its recipe, a TOML file. The
# package brings some; ``tutorial`` is the smallest.

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import torch

from astro_pix2prof import (
    Pix2ProfFitter,
    load_example,
    load_example_truth,
)
from astro_pix2prof.networks import CaptionerConfig, load_network
from astro_pix2prof.training import list_recipes, read_recipe, train
from astro_pix2prof.training.data import make_loader

print(list_recipes())
recipe = read_recipe('tutorial')
print(f'{recipe.training.steps} steps, {recipe.presentations} images')

# %%
# Settings are changed in a copy of the file, or as you read it:
# ``read_recipe('tutorial', training={'steps': 400})``.
#
# What the network will see
# -------------------------
#
# The images are simulated while the network learns. Each comes with the exact
# profile of its galaxy. Here the recipe asks for the SDSS, in frames of 64
# pixels. ``make_loader`` is what training itself uses.

config = CaptionerConfig.from_dict(recipe.network)
batch = next(iter(make_loader(recipe, config, split='validation')))

fig, axes = plt.subplots(2, 8, figsize=(10, 2.7), layout='constrained')
for ax, image in zip(axes.flat, batch['image'][:, 0], strict=False):
    ax.imshow(image, origin='lower', cmap='gray_r', vmin=-0.5, vmax=1.5)
    ax.set_axis_off()

# %%
# The network reads asinh(I / σ) / 4, where σ is the noise of a pixel of sky,
# and writes the magnitude of every ring above that noise. Neither has a unit:
# the same network serves every survey.
#
# Train
# -----
#
# ``train`` writes checkpoints and logs to a folder. If it is interrupted, the
# same call goes on where it was. On the command line this is
# ``pix2prof train tutorial --out DIR``.

temporary = TemporaryDirectory()
folder = Path(temporary.name)
path = train(recipe, folder, accelerator='cpu', devices=1, progress=False)
print(sorted(file.name for file in folder.iterdir()))

# %%
# Weights are a ``.safetensors`` file with a model card, which tells how they
# came about, how good they are, and what it cost.

network, card = load_network(path)
print(f"{card['parameters']:,} parameters, {card['precision']}")
print(f"{card['energy']['energy_kwh']:.4f} kWh, "
      f"{1000 * card['energy']['co2_kg']:.1f} g CO2")
print(card['limits'])

# %%
# The learning curve
# ------------------
#
# At every checkpoint the network writes the profiles of galaxies that it never
# sees in training. The median over galaxies of the median absolute deviation
# along the profile should fall. Where it still falls at the end, more steps
# would help.

shown, error = np.array(card['learning_curve']['rows']).T
fig, ax = plt.subplots(layout='constrained')
ax.plot(shown, error, 'o-')
ax.set_xlabel('images shown')
ax.set_ylabel('median absolute deviation (mag)')
ax.set_yscale('log')

# %%
# What it writes
# --------------
#
# Four of the validation galaxies: the truth, and what the network wrote, up to
# the radius where the signal-to-noise ratio of a ring is 1.

n_radii = batch['target'].shape[1]
values, _ = network.caption(batch['image'][:4], length=n_radii)
span = config.value_high - config.value_low
truth = batch['target'] * span + config.value_low
radius = torch.arange(n_radii) * config.radius_step

fig, axes = plt.subplots(1, 4, figsize=(10, 2.8), sharey=True,
                         layout='constrained')
for k, ax in enumerate(axes):
    n = int(batch['n_values'][k])
    ax.plot(radius[:n], truth[k, :n], 'k', label='truth')
    ax.plot(radius[:n], values[k, :n], 'C1', label='network')
    ax.set_xlabel('radius (pixels)')
axes[0].set_ylabel('mag above the noise')
axes[0].invert_yaxis()
axes[0].legend()

# %%
# Use it
# ------
#
# A fitter takes the path of the weights, and from there on all is as with the
# weights that come with the package. These saw some thousand small images, so
# do not expect much. The profile is drawn from intensities: where the errors
# of such a network are so large that no galaxy is sure (``NO_SOURCE``), the
# fitter gives no surface brightness.

image = load_example()
with warnings.catch_warnings():
    # a network of one minute may have something to warn about
    warnings.simplefilter('ignore')
    profile = Pix2ProfFitter(weights=path)(image)

truth = load_example_truth()
level = profile.meta['sb_zeropoint'] - 2.5 * np.log10(
    profile['intensity'].value)
fig, ax = plt.subplots(layout='constrained')
ax.plot(truth['radius'], truth['surface_brightness'], 'k', label='truth')
ax.plot(profile['radius'], level, 'C1.', label='our network')
ax.set_xlabel('radius (arcsec)')
ax.set_ylabel('surface brightness (mag/arcsec$^2$)')
ax.invert_yaxis()
ax.legend()

# %%
# Where to go from here: :doc:`/training` has all settings of recipes, real
# images, and training on many machines.

temporary.cleanup()
