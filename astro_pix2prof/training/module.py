# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The training step, for Lightning.
"""

import math

import lightning
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from astro_pix2prof.networks.weights import ARCHITECTURES

__all__ = ['ProfileModule', 'make_network']


def make_network(recipe):
    """
    The untrained network of a recipe.

    Raises
    ------
    ValueError
        If the architecture or a setting of it is unknown.
    """
    if recipe.architecture not in ARCHITECTURES:
        msg = (f'recipe: architecture must be one of '
               f'{", ".join(ARCHITECTURES)}; got {recipe.architecture!r}')
        raise ValueError(msg)
    network_class, config_class = ARCHITECTURES[recipe.architecture]
    return network_class(config_class.from_dict(recipe.network))


class ProfileModule(lightning.LightningModule):
    """
    A network and how it is trained.

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
        self._errors = []

    @property
    def best_network(self):
        """
        The network that is validated and exported.
        """
        return self.network if self.average is None else self.average.module

    def configure_optimizers(self):
        """
        The optimiser and its schedule.
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
            return rise * 0.5 * (1 + math.cos(math.pi * part))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {'optimizer': optimiser,
                'lr_scheduler': {'scheduler': schedule, 'interval': 'step'}}

    def _weights(self, batch):
        """
        1 along the profile, less on the values that follow its end.
        """
        length = batch['target'].shape[1]
        at = torch.arange(length, device=batch['target'].device)
        n = batch['n_values'][:, None]
        w = (at < n).float() + 0.2 * ((at >= n) & (
            at < n + self.recipe.data.tail)).float()
        return w / w.sum(1, keepdim=True)

    def on_train_batch_start(self, batch, number):
        """
        Draw the dropout from the step, so that a resumed run repeats it.
        """
        torch.manual_seed(
            (self.recipe.training.seed * 1_000_003 + self.global_step)
            * 10_007 + self.global_rank)

    def training_step(self, batch, number):
        """
        The loss of a batch.
        """
        t = self.recipe.training
        image, target = batch['image'], batch['target']
        # drawn from the step, so that all processes and a resumed run agree
        generator = torch.Generator().manual_seed(
            t.seed * 1_000_003 + self.global_step)
        forced = bool(torch.rand((), generator=generator)
                      < t.teacher_forcing)
        values = self.network.train_step(image, target, forced=forced)
        d = values.float() - target
        error = d.square() if t.loss == 'mse' else d.abs()
        loss = (error * self._weights(batch)).sum(1).mean()
        self.presentations += len(image) * self.trainer.world_size
        self.log('train_loss', loss, prog_bar=True, on_step=True,
                 on_epoch=False)
        return loss

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

    def validation_step(self, batch, number):
        """
        Errors of free-running profiles, in mag.
        """
        network = self.best_network
        span = network.config.value_high - network.config.value_low
        values, _ = network.caption(batch['image'],
                                    length=batch['target'].shape[1])
        target = batch['target'] * span + network.config.value_low
        d = (values - target).abs()
        at = torch.arange(d.shape[1], device=d.device)
        d = torch.where(at < batch['n_values'][:, None], d, torch.nan)
        self._errors.append(d.nanmedian(1).values)

    def on_validation_epoch_end(self):
        """
        Log the median over images of the median absolute deviation.
        """
        if self._errors:
            errors = torch.cat(self._errors)
            self._errors = []
            self.log('val_mad', errors.median(), prog_bar=True,
                     sync_dist=True)
            self.log('val_mad_mean', errors.mean(), sync_dist=True)
            self.log('presentations', self.presentations.float())
