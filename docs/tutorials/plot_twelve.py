# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Twelve galaxies on a poster
===========================

Many galaxies are measured as easily as one. You see twelve simulated galaxies
of many types with their isophotes, and their profiles on the same axes.
"""

# %%
# Images
# ------
#
# `~astro_pix2prof.simulation.GalaxySimulator` draws galaxies as a survey would
# see them: here, the Legacy Surveys in r. Yours come from files.

from pathlib import Path
from tempfile import TemporaryDirectory

from astro_pix2prof import Pix2ProfFitter, plot_gallery
from astro_pix2prof.datasets.simulated import write_simulated
from astro_pix2prof.simulation import GalaxySimulator

folder = TemporaryDirectory()
galaxies = GalaxySimulator('legacy-r', n_pix=192).simulate(12, seed=11)
paths = write_simulated(galaxies, Path(folder.name))

# %%
# Fits and the poster
# -------------------
#
# For a table of thousands, ``fit_many`` gives the profiles without the
# pictures; ``fit`` keeps the mask and the pixels, for a picture.

fitter = Pix2ProfFitter()
fits = [fitter.fit(path) for path in paths]
labels = [galaxies.type_name(k) for k in range(len(fits))]
fig = plot_gallery(fits, labels=labels)
folder.cleanup()
