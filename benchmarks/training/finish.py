# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Make weights of what `benchmarks.training.pooled` wrote.

Their errors and their domain are measured on images of the training
simulator, as `train` does at its end, and written into the model card, with
the entries of a JSON file (how they were trained).

    python -m benchmarks.training.finish average.pt RECIPE --out FOLDER
"""

import argparse
import json
from pathlib import Path

import torch

from astro_pix2prof.training.data import make_loader
from astro_pix2prof.training.module import ProfileModule
from astro_pix2prof.training.recipe import read_recipe
from astro_pix2prof.training.run import export


def finish(path, recipe, folder, entries):
    """
    Write weights and their model card.

    Parameters
    ----------
    path : path-like
        The averaged weights.

    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe of the network.

    folder : path-like
        The folder.

    entries : dict
        Of the model card.

    Returns
    -------
    path : `~pathlib.Path`
    """
    state = torch.load(path, map_location='cpu', weights_only=True)['average']
    module = ProfileModule(recipe)
    network = module.best_network
    network.load_state_dict({
        name: value for name, value in state.items()
        if not name.startswith('domain.')}, strict=False)
    errors = []
    with torch.inference_mode():
        for batch in make_loader(recipe, network.config, split='validation'):
            errors.append(module.task.errors(network, batch))
    found = round(float(torch.cat(errors).median()), 5)
    curve = entries.get('learning_curve')
    if curve is not None:
        curve['rows'].append([entries['presentations'], found])
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = export(module, folder, metrics=entries)
    card = path.with_suffix('.json')
    content = json.loads(card.read_text(encoding='utf-8'))
    content['metrics']['val_mad'] = found
    card.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    return path


def main():
    """
    Finish, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('average', type=Path)
    parser.add_argument('recipe')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--entries', type=Path, default=None,
                        help='JSON file of entries of the model card')
    args = parser.parse_args()
    entries = {}
    if args.entries is not None:
        entries = json.loads(args.entries.read_text(encoding='utf-8'))
    print(finish(args.average, read_recipe(args.recipe), args.out, entries))


if __name__ == '__main__':
    main()
