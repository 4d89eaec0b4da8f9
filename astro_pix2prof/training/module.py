# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train networks with Lightning, step by step.
"""

import math

import lightning
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from astro_pix2prof.networks.architectures import ARCHITECTURES
from astro_pix2prof.networks.weights import (
    describe_mismatch,
    load_network,
)
from astro_pix2prof.training.checkpoint import describe_run
from astro_pix2prof.training.tasks.registry import make_task

__all__ = ['ProfileModule', 'make_network']


def make_network(recipe):
    """
    Make the network of a recipe, before it is trained.

    Raises
    ------
    ValueError
        If the architecture or a setting of it is unknown, or if the weights
        to start with are of another network.

    FileNotFoundError
        If there are no such weights.
    """
    known = [item.name for item in ARCHITECTURES.values() if item.task]
    if recipe.architecture not in known:
        msg = (f'recipe: architecture must be one of {", ".join(known)}; got '
               f'{recipe.architecture!r}')
        raise ValueError(msg)
    network = ARCHITECTURES[recipe.architecture].make_network(recipe.network)
    start = recipe.training.start
    if start:
        trained, card = load_network(start)
        state = trained.state_dict()
        if describe_mismatch(network.state_dict(), state):
            msg = (f'training.start: the weights {start!r} '
                   f'({card["architecture"]}, {card["config"]}) do not fit '
                   f'the network of the recipe ({recipe.architecture}, '
                   f'{network.config.to_dict()}): give the same settings')
            raise ValueError(msg)
        network.load_state_dict(state)
    return network


class ProfileModule(lightning.LightningModule):
    """
    Network with its optimiser, its average and its loss.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.
    """

    def __init__(self, recipe):
        super().__init__()
        self.recipe = recipe
        # the layout that convolutions on CPUs and tensor cores prefer
        self.network = make_network(recipe).to(
            memory_format=torch.channels_last)
        decay = recipe.training.ema
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(decay),
            use_buffers=True) if decay else None
        if decay:
            # DDP waits for the gradient of whatever asks for one
            self.average.requires_grad_(False)
        self.register_buffer('presentations', torch.zeros((),
                                                          dtype=torch.long))
        self.register_buffer('skipped', torch.zeros((), dtype=torch.long))
        self._errors = []
        self.task = make_task(recipe, self.network.config)

    @property
    def best_network(self):
        """
        Network that is validated and exported.
        """
        return self.network if self.average is None else self.average.module

    def configure_optimizers(self):
        """
        Make the optimiser and its schedule.
        """
        t = self.recipe.training
        cls = (torch.optim.Adam if t.optimiser == 'adam'
               else torch.optim.AdamW)
        optimiser = cls(self.network.parameters(), lr=t.learning_rate,
                        weight_decay=t.weight_decay)

        def factor(step):
            rise = min(1.0, (step + 1) / t.warmup) if t.warmup else 1.0
            if t.schedule == 'constant':
                return rise
            part = min(1.0, step / t.steps)
            if t.schedule == 'trapezoid':
                return rise * min(1.0, 4 * (1 - part))
            return rise * 0.5 * (1 + math.cos(math.pi * part))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {'optimizer': optimiser,
                'lr_scheduler': {'scheduler': schedule, 'interval': 'step'}}

    def on_train_batch_start(self, batch, number):
        """
        Seed the dropout with the step, so that a resumed run repeats it.
        """
        torch.manual_seed(
            (self.recipe.training.seed * 1_000_003 + self.global_step)
            * 10_007 + self.global_rank)

    def _freeze_norm(self):
        """
        Freeze batch normalisation: use its averages, not those of the batch.
        """
        start = self.recipe.training.freeze_norm
        if not start or self.global_step < start:
            return
        layers = [layer for layer in self.network.modules()
                  if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
        if self.global_step == start and self.average is not None:
            # averages over many more batches than those of the network
            means = dict(self.average.module.named_buffers())
            for name, values in self.network.named_buffers():
                if name.endswith(('running_mean', 'running_var')):
                    values.copy_(means[name])
        for layer in layers:
            layer.eval()

    def training_step(self, batch, number):
        """
        Compute the loss of a batch.
        """
        self._freeze_norm()
        # drawn from the step, so that all processes and a resumed run agree
        generator = torch.Generator().manual_seed(
            self.recipe.training.seed * 1_000_003 + self.global_step)
        loss, more = self.task.loss(self.network, batch, generator)
        self.presentations += len(batch['image']) * self.trainer.world_size
        self.log('train_loss', loss, prog_bar=True, on_step=True,
                 on_epoch=False)
        self.log_dict(more, on_step=True, on_epoch=False)
        return loss

    def on_before_optimizer_step(self, optimiser):
        """
        Skip a step whose gradient is not finite, and count it.
        """
        finite = all(torch.isfinite(p.grad).all()
                     for p in self.network.parameters() if p.grad is not None)
        if not finite:
            self.skipped += 1
            optimiser.zero_grad(set_to_none=True)

    def optimizer_step(self, *args, **kwargs):
        """
        Step, and average the weights.
        """
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            # a short memory at first, so that the start is forgotten
            n = int(self.average.n_averaged)
            decay = min(self.recipe.training.ema, (1 + n) / (10 + n))
            self.average.multi_avg_fn = get_ema_multi_avg_fn(decay)
            self.average.update_parameters(self.network)

    def on_save_checkpoint(self, checkpoint):
        """
        Note in a checkpoint which run it is of.
        """
        checkpoint['run'] = describe_run(self.recipe,
                                         self.trainer.world_size)

    def validation_step(self, batch, number):
        """
        Compute the errors (mag) of a batch of images.
        """
        self._errors.append(self.task.errors(self.best_network, batch))

    def on_validation_epoch_end(self):
        """
        Log the median over images of the median absolute deviation.
        """
        if self._errors:
            errors = self._gather(torch.cat(self._errors))
            self._errors = []
            self.log('val_mad', errors.median(), prog_bar=True)
            self.log('val_mad_mean', errors.mean())
            self.log('presentations', self.presentations.float())
            self.log('skipped', self.skipped.float())

    def _gather(self, errors):
        """
        Gather the errors of the images of all processes.
        """
        world = self.trainer.world_size
        if world == 1:
            return errors
        # (their numbers may differ from process to process)
        found = [None] * world
        torch.distributed.all_gather_object(found, errors.cpu())
        return torch.cat(found).to(errors.device)
