# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The captioner's decoders side by side, each trained in the same way.

The plain one of the paper, the one that the image's vector is fed into again
while it decodes (Jia et al. 2015), and a Transformer that writes all values at
once: the options that section 4 of the paper names. All have the encoder, the
galaxies, the steps and the seed of the recipe in common; the budget is small,
so that the figures rank the decoders after so many images and do not say what
each would reach.

    python -m benchmarks.accuracy.decoders --out benchmarks/decoders
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import torch

from astro_pix2prof.networks import load_network
from astro_pix2prof.training import train
from astro_pix2prof.training.error_model import read_simulated
from astro_pix2prof.training.recipe import read_recipe

VARIANTS = {
    'plain': {},
    'reinject every 16 values': {'reinject': 16},
    'transformer': {'decoder': 'transformer'},
}


def measure(name, network, args, folder):
    """
    Train a variant and measure it on galaxies of other seeds.
    """
    recipe = read_recipe('tutorial')
    side = recipe.data.n_pix[0]
    changes = {'network': {**recipe.network, **network},
               'training': {'steps': args.steps,
                            'checkpoint_steps': args.steps}}
    start = time.perf_counter()
    path = train('tutorial', folder, accelerator='cpu', devices=1,
                 progress=False, **changes)
    seconds = time.perf_counter() - start
    trained, card = load_network(path)
    *_, per_image = read_simulated(
        trained, survey=recipe.data.survey, n_pix=side, n_images=args.n,
        n_views=1)
    per_image = torch.from_numpy(per_image)
    low, middle, high = per_image.quantile(torch.tensor(
        [0.25, 0.5, 0.75], dtype=per_image.dtype)).tolist()
    return {'decoder': name, 'parameters': card['parameters'],
            'presentations': card['presentations'],
            'median': round(middle, 4), 'iqr': round(high - low, 4),
            'seconds': round(seconds)}


def main(args=None):
    """
    Train all variants.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--steps', type=int, default=200)
    parser.add_argument('--n', type=int, default=256,
                        help='galaxies to measure')
    parser.add_argument('--out', type=Path, help='write OUT.json')
    args = parser.parse_args(args)
    rows = []
    for name, network in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(name, network, args, folder))
        print(rows[-1], flush=True)
    out = {'what': 'median over images of the median absolute deviation '
                   '(mag/arcsec2) to S/N 1, on galaxies of the training '
                   'simulator with other seeds',
           'recipe': read_recipe('tutorial', training={
               'steps': args.steps}).to_dict(),
           'n_images': args.n, 'results': rows,
           'environment': {'python': platform.python_version(),
                           'torch': torch.__version__,
                           'machine': platform.machine(),
                           'threads': torch.get_num_threads()}}
    if args.out:
        args.out.with_suffix('.json').write_text(
            json.dumps(out, indent=1) + '\n')


if __name__ == '__main__':
    main()
