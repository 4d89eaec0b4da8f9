# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compare detectors of clumps: centre heat maps, and Faster R-CNN.

Both look at the same maps of the training simulator and have the same body
of three blocks. `FasterDetector` puts the detection head of torchvision on
it. Each is trained on the same batches for the same time of a processor;
`compare` gives the errors of both on other galaxies, and their cost.

    python -m benchmarks.training.clump_detectors --seconds 240
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from astro_pix2prof.networks.clumps.maps import CHANNELS
from astro_pix2prof.networks.clumps.network import (
    CLASSES,
    STRIDE,
    ClumpConfig,
    ClumpNetwork,
)
from astro_pix2prof.training.data import make_loader
from astro_pix2prof.training.recipe import read_recipe
from astro_pix2prof.training.tasks import make_task

# Half the side of a box in FWHM.
_HALF = 1.25


class _Body(nn.Module):
    """
    Stem and blocks of a clump network.
    """

    def __init__(self, config):
        super().__init__()
        network = ClumpNetwork(config)
        self.stem, self.blocks = network.stem, network.blocks
        self.out_channels = config.channels

    def forward(self, x):
        return self.blocks(torch.relu(self.stem(x)))


class FasterDetector(nn.Module):
    """
    Faster R-CNN on the body of a clump network.

    Parameters
    ----------
    config : `~astro_pix2prof.networks.clumps.ClumpConfig`
        The settings of the body.

    side : int
        The side of the maps in pixels.
    """

    def __init__(self, config, side):
        super().__init__()
        n = len(CHANNELS)
        self.detector = FasterRCNN(
            _Body(config), num_classes=None,
            rpn_anchor_generator=AnchorGenerator(((8.0,),), ((1.0,),)),
            box_roi_pool=MultiScaleRoIAlign(['0'], 5, 2),
            box_head=_BoxHead(25 * config.channels),
            box_predictor=_Predictor(64, 1 + len(CLASSES)),
            min_size=side, max_size=side, image_mean=[0.0] * n,
            image_std=[1.0] * n, rpn_pre_nms_top_n_train=300,
            rpn_post_nms_top_n_train=100, rpn_pre_nms_top_n_test=300,
            rpn_post_nms_top_n_test=100, rpn_batch_size_per_image=128,
            box_batch_size_per_image=64, box_nms_thresh=0.3,
            box_score_thresh=0.05, box_detections_per_img=50)

    def loss(self, batch):
        """
        Compute the loss of a batch of the training task.
        """
        targets = []
        for rows in batch['sources']:
            rows = rows[(rows[:, 3] == 1)]
            half = _HALF * rows[:, 4:5]
            targets.append({
                'boxes': torch.cat([rows[:, :2] - half,
                                    rows[:, :2] + half], 1),
                'labels': rows[:, 2].long() + 1})
        return sum(self.detector(list(batch['image']), targets).values())

    def forward(self, image):
        """
        Write the detections as heat maps and offsets, as a clump network.
        """
        n = -(-image.shape[-1] // STRIDE)
        logits = torch.full((len(image), 2, n, n), -12.0)
        offset = torch.zeros(len(image), 2, n, n)
        for k, found in enumerate(self.detector(list(image))):
            place = (found['boxes'][:, :2] + found['boxes'][:, 2:]) / (
                2 * STRIDE)
            for (u, v), label, score in zip(
                    place.tolist(), found['labels'].tolist(),
                    found['scores'], strict=True):
                i, j = (min(max(round(c), 0), n - 1) for c in (u, v))
                logits[k, label - 1, j, i] = torch.maximum(
                    logits[k, label - 1, j, i], torch.logit(score, 1e-5))
                offset[k, :, j, i] = torch.tensor([u - i, v - j])
        return logits, offset


class _BoxHead(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(n, 64),
                                    nn.ReLU(), nn.Linear(64, 64), nn.ReLU())

    def forward(self, x):
        return self.layers(x)


class _Predictor(nn.Module):
    def __init__(self, n, n_classes):
        super().__init__()
        self.score = nn.Linear(n, n_classes)
        self.box = nn.Linear(n, 4 * n_classes)

    def forward(self, x):
        return self.score(x), self.box(x)


def train_detector(name, batches, validation, seconds, *, rate=2e-3):
    """
    Train a detector for so many seconds of a processor.

    Parameters
    ----------
    name : {'heat maps', 'Faster R-CNN'}
        The detector.

    batches : iterator of dict
        Batches of the training task.

    validation : list of dict
        Batches of other galaxies.

    seconds : float
        The time, in which batches are not made.

    rate : float, optional
        The highest learning rate.

    Returns
    -------
    row : dict
        The errors and the cost.
    """
    torch.manual_seed(1)
    config = ClumpConfig()
    task = make_task(read_recipe('clumps'), config)
    side = validation[0]['image'].shape[-1]
    network = (ClumpNetwork(config) if name == 'heat maps'
               else FasterDetector(config, side))
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate,
                                  weight_decay=0.01)
    spent, shown = 0.0, 0
    while spent < seconds:
        batch = next(batches)
        start = time.process_time()
        for group in optimiser.param_groups:
            group['lr'] = rate * min(1.0, 2.5 * (1 - spent / seconds),
                                     (shown + 16) / 800)
        loss = (task.loss(network, batch, None)[0] if name == 'heat maps'
                else network.loss(batch))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        spent += time.process_time() - start
        shown += len(batch['image'])
    network.eval()
    start = time.process_time()
    with torch.inference_mode():
        out = [network(batch['image']) for batch in validation]
    cost = time.process_time() - start
    n = sum(len(batch['image']) for batch in validation)
    errors = []
    for batch, found in zip(validation, out, strict=True):
        errors.append(task.errors(lambda _, found=found: found, batch))
    return {'detector': name, 'parameters': sum(
        p.numel() for p in network.parameters()), 'images': shown,
        'train_s': spent / shown, 'test_s': cost / n,
        'error': float(torch.cat(errors).mean())}


def compare(seconds, *, recipe='clumps'):
    """
    Train both detectors, and measure their errors on other galaxies.

    Parameters
    ----------
    seconds : float
        Seconds of a processor for each, without the making of batches.

    recipe : str, optional
        The recipe of the batches.

    Returns
    -------
    rows : list of dict
        1 - F1 ('error'), images that were shown, and seconds of a processor
        for an image.
    """
    recipe = read_recipe(recipe, data={'workers': 0})
    config = ClumpConfig()
    validation = list(make_loader(recipe, config, split='validation'))
    rows = []
    for name in ('heat maps', 'Faster R-CNN'):
        loader = make_loader(recipe, config, split='train')
        rows.append(train_detector(name, iter(loader), validation, seconds))
    return rows


def main():
    """
    Compare, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--seconds', type=float, default=240)
    parser.add_argument('--out', type=Path, default=None)
    args = parser.parse_args()
    torch.set_num_threads(1)
    text = json.dumps(compare(args.seconds), indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
