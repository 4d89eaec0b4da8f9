# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Make a ring network of twice the channels that says the same.

Each channel of the stages is doubled, as in Net2Net (Chen et al. 2016,
ICLR): the weights of what reads both copies are halves, made different by
opposite numbers, so that the copies part as soon as it is trained. What
normalises the channels sees the same means and variances.

    python -m benchmarks.training.widen rings --out wide.safetensors
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from astro_pix2prof.networks.rings.network import RingNetwork
from astro_pix2prof.networks.weights import load_network, write_weights


def double_rows(value):
    """
    Double what a layer makes, along the first axis.
    """
    return value.repeat_interleave(2, 0)


def double_columns(value, first, n, generator):
    """
    Halve what a layer reads, for ``n`` channels from ``first`` on.
    """
    part = value[:, first:first + n]
    apart = 0.5 * part.std() * torch.randn(part.shape, generator=generator)
    both = torch.stack([0.5 * part + apart, 0.5 * part - apart], 2)
    return torch.cat([value[:, :first], both.flatten(1, 2),
                      value[:, first + n:]], 1)


def widen(network, seed=0):
    """
    Make a network of twice the channels.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.rings.network.RingNetwork`
        A network with ``refine`` and ``geometry_errors``.

    seed : int, optional
        The seed of the numbers by which copies differ.

    Returns
    -------
    wide : `~astro_pix2prof.networks.rings.network.RingNetwork`
    """
    c = network.config.channels
    wide = RingNetwork(replace(network.config, channels=2 * c))
    generator = torch.Generator().manual_seed(seed)
    rows_all = {'into.weight', 'into.bias'} | {
        f'blocks.{k}.{name}' for k in range(3) for name in (
            'first.weight', 'first.bias', 'second.weight', 'second.bias',
            'norm.weight', 'norm.bias')}
    state = {}
    for name, value in network.state_dict().items():
        if name.startswith('domain.'):
            # (its size depends on the channels; it is fitted anew)
            continue
        stage, _, part = name.partition('.')
        new = value
        if stage in ('look', 'along'):
            if part in rows_all:
                new = double_rows(new)
            if part == 'out.weight' or (
                    part.startswith('blocks.') and new.dim() == 4):
                new = double_columns(new, 0, c, generator)
            if part in ('sequence.into.weight', 'gate.into.weight'):
                # means and sizes of channels
                new = double_columns(new, 0, 2 * c, generator)
            if part in ('sequence.out.weight', 'sequence.out.bias'):
                new = torch.cat([double_rows(new[:c]), new[c:]])
        elif name == 'geometry.sequence.into.weight':
            new = double_columns(new, network.correction.n_features, 2 * c,
                                 generator)
        state[name] = new
    missing, unexpected = wide.load_state_dict(state, strict=False)
    if unexpected or any(not name.startswith('domain.') for name in missing):
        msg = f'network: cannot be widened, {missing}, {unexpected}'
        raise ValueError(msg)
    return wide


def main(args=None):
    """
    Widen, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('weights')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(args)
    network, card = load_network(args.weights)
    wide = widen(network, args.seed)
    # (its errors and its domain are not known before it is trained)
    card = {name: value for name, value in card.items()
            if name not in ('error_model', 'metrics', 'domain')}
    write_weights(wide, card, args.out, half=False)


if __name__ == '__main__':
    main()
