# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
A survey on a cluster
=====================

A survey runs for hours on many machines, and something always breaks. Here a
survey is killed, a file of its results is damaged, and a cluster of two
workers finishes the rest. You see which galaxies each run measured, and that
the results are the same to the last bit. It needs ``pip install
'astro_pix2prof[survey]'``.
"""

# %%
# Galaxies
# --------
#
# These are 18 simulated images and a catalogue with their paths. A part of the
# survey has three galaxies here, to have several parts; keep the 500 of the
# default for a real one.

import subprocess
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from distributed import LocalCluster

from astro_pix2prof import collect_survey, read_survey, run_survey
from astro_pix2prof.datasets import write_simulated
from astro_pix2prof.simulation import GalaxySimulator

temporary = TemporaryDirectory()
folder = Path(temporary.name)
galaxies = GalaxySimulator('sdss-r', n_pix=96).simulate(18, seed=5)
paths = write_simulated(galaxies, folder / 'images')
catalogue = folder / 'galaxies.fits'
Table({'path': [f'images/{path.name}' for path in paths]}).write(catalogue)

# %%
# A power cut
# -----------
#
# The survey is started as in a shell::
#
#     python -m astro_pix2prof survey galaxies.fits --images path
#         --chunk-size 3 --workers 1 --quiet --out results
#
# As soon as two parts are there, the process is killed without a warning.

results = folder / 'results'
process = subprocess.Popen(
    [sys.executable, '-m', 'astro_pix2prof', 'survey', str(catalogue),
     '--images', 'path', '--chunk-size', '3', '--workers', '1', '--quiet',
     '--out', str(results)])
while process.poll() is None and len(
        list(results.glob('part-*.parquet'))) < 2:
    time.sleep(0.05)
process.kill()
process.wait()
before = sorted(results.glob('part-*.parquet'))
survey = read_survey(results)
print(f'{len(survey)} of {survey.settings["n_rows"]} galaxies are there')

# %%
# A file appears when it is complete, so that nothing is half done, and what is
# there can be used. Then a disk fault cuts one of these files off:

damaged = before[0]
damaged.write_bytes(damaged.read_bytes()[:3000])
print(f'{damaged.name} has {damaged.stat().st_size} bytes now')

# %%
# Two workers
# -----------
#
# `~astro_pix2prof.run_survey` takes the address of a Dask scheduler. On a real
# cluster it comes from ``dask scheduler``, or from ``SLURMCluster`` of
# dask-jobqueue; everything else is the same. Here the two workers are threads
# of this process, to save the time of starting others.
#
# The call has the options of the command. So it knows what is done, notices
# the damage, and measures what is missing.

with (LocalCluster(n_workers=2, threads_per_worker=1, processes=False,
                   dashboard_address=None) as cluster,
      warnings.catch_warnings(record=True) as caught):
    warnings.simplefilter('always', AstropyUserWarning)
    result = run_survey(catalogue, results, images='path', chunk_size=3,
                        scheduler=cluster.scheduler_address)
for warning in caught:
    if issubclass(warning.category, AstropyUserWarning):
        print(str(warning.message).replace(str(folder), '...'))
print(f'{result.n_skipped} galaxies were done, {result.n_done} are done now')

# %%
# Who did what
# ------------
#
# Each column is a part with its three galaxies. The frames tell which run
# measured them.

first = {path.name for path in before}
styles = {'before it was killed': '#E69F00', 'two workers': '#0072B2',
          'damaged, two workers again': '#CC79A7'}
labels = list(styles)
fig, axes = plt.subplots(3, 6, figsize=(9, 5), layout='constrained')
for number, (ax, image) in enumerate(zip(axes.T.flat, galaxies.image,
                                         strict=True)):
    part = f'part-{number // 3:06d}.parquet'
    label = labels[2 if part == damaged.name else part not in first]
    sigma = float(galaxies.sigma[number])
    image = np.arcsinh(image.numpy() / sigma / 2)
    ax.imshow(image, origin='lower', cmap='gray_r', vmin=-1,
              vmax=np.percentile(image, 99.7))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color=styles[label], linewidth=3)
    if number % 3 == 0:
        ax.set_title(f'part {number // 3}', fontsize='medium')
fig.legend([plt.Line2D([], [], color=colour, lw=4)
            for colour in styles.values()], labels, frameon=False,
           loc='outside lower center', ncols=3)
plt.show()

# %%
# Without Dask: array jobs
# ------------------------
#
# Where a batch system starts a hundred tasks, give each a share of the
# catalogue. In the shell it is ``--part 3/100``. The shares may run at any
# time, in any order, on any machine that sees the folder; here they run one
# after the other. `~astro_pix2prof.collect_survey` checks that all is there.

shares = folder / 'shares'
for share in ('2/3', '1/3', '3/3'):
    done = run_survey(catalogue, shares, images='path', chunk_size=3,
                      part=share, n_workers=1)
    print(f'share {share}: {done.n_done} galaxies')
print(f'all: {collect_survey(shares).n_measured} galaxies')

# %%
# Is it the same?
# ---------------
#
# Killed, damaged, on a cluster or in shares: the files have the same bytes.

same = [path.read_bytes() == (shares / path.name).read_bytes()
        for path in sorted(results.glob('part-*.parquet'))]
print(f'{sum(same)} of {len(same)} files are the same')
temporary.cleanup()

# %%
# Where to go from here: :doc:`/survey_clusters` has Slurm, MPI, GPUs and HATS,
# :doc:`/survey_restarts` what can happen and what is done about it.
