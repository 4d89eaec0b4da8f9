# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Timings of ten operations, on the galaxy that ships with the package.

``asv run --quick --python=same`` times them once, in the environment that is
active; ``asv continuous main`` tells whether a branch is slower.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    compare_profiles,
    load_example,
    load_example_truth,
    measure_structure,
    model_image,
    read_profile,
    sample_profile,
    sector_profiles,
    write_profile,
)

__all__ = ['Command', 'Files', 'Fits', 'Profiles']


class Fits:
    """
    From an image to a profile.
    """

    timeout = 300

    def setup(self):
        self.image = load_example()
        self.network, self.isophotes = Pix2ProfFitter(), IsophoteFitter()
        # (the weights are read, and memory is taken, before the clock runs)
        self.fit = self.network.fit(self.image)

    def time_cutout(self):
        GalaxyCutout(self.image)

    def time_network(self):
        self.network(self.image)

    def time_network_16(self):
        for _ in self.network.fit_many([self.image] * 16):
            pass

    def time_isophotes(self):
        self.isophotes(self.image)

    def time_sectors(self):
        sector_profiles(self.fit)

    def peakmem_network(self):
        self.network(self.image)


class Profiles:
    """
    From a profile to numbers and images.
    """

    def setup(self):
        self.image, self.profile = load_example(), load_example_truth()
        self.measured = Pix2ProfFitter()(self.image)

    def time_structure(self):
        measure_structure(self.measured)

    def time_samples(self):
        sample_profile(self.measured, 100, seed=1)

    def time_model_image(self):
        model_image(self.measured, self.image)

    def time_compare(self):
        compare_profiles({'rings': self.measured}, self.profile)


class Files:
    """
    A profile to a file and back.
    """

    params = ['ecsv', 'fits']
    param_names = ['ending']

    def setup(self, ending):
        self.profile = load_example_truth()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / f'profile.{ending}'

    def teardown(self, ending):
        self.folder.cleanup()

    def time_write_and_read(self, ending):
        write_profile(self.profile, self.path, overwrite=True)
        read_profile(self.path)


class Command:
    """
    The start of the command line.
    """

    def time_help(self):
        subprocess.run([sys.executable, '-m', 'astro_pix2prof', '--help'],
                       check=True, stdout=subprocess.DEVNULL)
