# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train on two processes; `test_distributed` runs this twice at a time.

Arguments: the folder, the recipe, and the runs in turn: 'straight', without
interruption; 'killed', in which both processes end at once in a step after a
checkpoint; 'resumed', which goes on with that.
"""

import os
import sys
from pathlib import Path

from safetensors.torch import save_file
from test_distributed import small_recipe

from astro_pix2prof.training import run
from astro_pix2prof.training.module import ProfileModule


def measure_nothing(network, **options):
    """
    Leave out the measurement of errors, which takes longest.
    """
    return {}


def main():
    """
    Run the parts.
    """
    folder, name, *parts = sys.argv[1:]
    folder = Path(folder)
    run.measure_errors = run.fit_domain = measure_nothing
    step = ProfileModule.training_step

    def dies(self, batch, number):
        if self.global_step == 3:
            os._exit(9)
        return step(self, batch, number)

    def keeps(self):
        state = {key: value.detach().clone().contiguous() for key, value in
                 self.network.named_parameters()}
        save_file(state, folder / f'straight_{self.global_rank}.safetensors')

    for part in parts:
        ProfileModule.training_step = dies if part == 'killed' else step
        if part == 'straight':
            ProfileModule.on_train_end = keeps
        run.train(small_recipe(name), folder / part.replace(
            'resumed', 'killed'), accelerator='cpu', devices=2,
            progress=False)


if __name__ == '__main__':
    main()
