# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Batches for training: simulated on the fly, or from shards of real pairs.
"""

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from astro_pix2prof.networks.ellipse import (
    NANOMAGGY_ZEROPOINT,
    ellipse_components,
)
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.simulation.labels import visible_features
from astro_pix2prof.training.shards import read_shards
from astro_pix2prof.training.tasks.captioner import cut_profile
from astro_pix2prof.training.tasks.registry import make_task
from astro_pix2prof.training.tasks.views import Views, show_differently

__all__ = ['PairBatches', 'SimulatedBatches', 'StepSampler', 'make_loader']


# Batches that one block of simulated galaxies fills.
_POOL = 4


class StepSampler(Sampler):
    """
    Sampler of the numbers of the batches of an epoch.

    Batch number n of a run is the same batch whenever it is asked for, so
    that a run that was killed goes on where it was.

    Parameters
    ----------
    steps_per_epoch, steps : int
        Steps in an epoch and in the whole run.

    rank, world : int, optional
        The process, and the number of processes.

    step : callable, optional
        Tells the number of steps that were done. The epochs that Lightning
        counts do not: after a resumption it passes over one.
    """

    def __init__(self, steps_per_epoch, steps, rank=0, world=1, step=None):
        self.steps_per_epoch = steps_per_epoch
        self.steps = steps
        self.rank = rank
        self.world = world
        self.step = step or (lambda: 0)

    def __iter__(self):
        start, per = self.step(), self.steps_per_epoch
        stop = min((start // per + 1) * per, self.steps)
        return (k * self.world + self.rank for k in range(start, stop))

    def __len__(self):
        return min(self.steps_per_epoch, self.steps)


class _Batches(Dataset):
    """
    Base of the two sources of batches.
    """

    def __init__(self, recipe, config, *, first_seed):
        self.recipe = recipe
        self.data = recipe.data
        self.task = make_task(recipe, config)
        self.first_seed = first_seed

    def _generator(self, *key):
        seed = np.random.SeedSequence([self.first_seed, *key])
        return torch.Generator().manual_seed(
            int(seed.generate_state(1, np.uint64)[0] >> 1))


class SimulatedBatches(_Batches):
    """
    Batches of simulated images with true profiles.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : `~astro_pix2prof.networks.captioner.CaptionerConfig`
        The settings of the network.

    first_seed : int
        Batches of different seeds have no galaxy in common.

    augment : bool, optional
        Whether to turn and shift the images.

    world : int, optional
        The number of processes. Each draws galaxies of its own, so that
        none is simulated twice.
    """

    def __init__(self, recipe, config, *, first_seed, augment=True, world=1):
        super().__init__(recipe, config, first_seed=first_seed)
        self.augment = augment
        self.world = world
        self._blocks = {}

    def __getitem__(self, number):
        data = self.data
        worker = torch.utils.data.get_worker_info()
        n_workers = worker.num_workers if worker else 1
        # The sides take turns. A block of galaxies serves so many batches,
        # in another order each time that they are shown.
        repeat = data.repeat if self.augment else 1
        step, rank = divmod(number, self.world)
        per_worker, lane = divmod(step, n_workers)
        per_block = _POOL * repeat
        turns, size = divmod(per_worker, len(data.n_pix))
        cycle, place = divmod(turns, per_block)
        show, part = divmod(place, _POOL)
        block = (cycle * n_workers + lane) * self.world + rank
        n_pix, n = data.n_pix[size], data.batch_size[size]
        galaxies = self._block(block, size, n_pix, n * _POOL)
        order = torch.randperm(
            n * _POOL, generator=self._generator(3, block, size, show))
        rows = order[part * n:(part + 1) * n]
        u = torch.rand(4, generator=self._generator(2, number))
        intensity = galaxies.intensity[rows]
        ring_noise = galaxies.ring_noise[rows]
        # The first radius at which the ring is lost, beyond that of the most
        # signal: the centre of a faint galaxy has few pixels.
        above = intensity > data.snr * ring_noise
        best = (intensity / ring_noise).argmax(1)
        above |= torch.arange(above.shape[1]) <= best[:, None]
        inside = torch.cumprod(above.int(), 1).sum(1).clamp(min=1)
        told = getattr(galaxies, 'sky_prior_error', None)
        e1, e2 = ellipse_components(galaxies.ellipticity[rows],
                                    galaxies.theta[rows])
        views = Views(
            image=galaxies.image[rows], mask=galaxies.mask[rows],
            sigma=galaxies.sigma[rows], sma=galaxies.sma,
            intensity=intensity, end=galaxies.sma[inside - 1],
            pixel_area=galaxies.pixel_scale[rows]**2,
            ring_noise=ring_noise, e1=e1, e2=e2,
            centre=galaxies.centre[rows], kind=galaxies.kind[rows],
            others=galaxies.contamination[rows], sky=galaxies.sky[rows],
            sky_error=None if told is None else told[rows],
            enclosed=galaxies.enclosed[rows], fwhm=galaxies.fwhm[rows],
            gain=galaxies.gain[rows], clumps=galaxies.clumps[rows],
            labels=self._labels(galaxies, rows))
        dx = dy = k = flip = 0
        if self.augment:
            w = data.wobble
            dx, dy = (int((2 * w + 1) * float(v)) - w for v in u[:2])
            k, flip = int(4 * u[2]), bool(u[3] < 0.5)
        return self.task.batch(show_differently(views, n_pix, dx, dy, k,
                                                flip),
                               self._generator(4, number))

    def _labels(self, galaxies, rows):
        """
        Label galaxies for the tasks that ask for it.
        """
        if not getattr(self.task, 'labelled', False):
            return None
        return {name: value[rows] for name, value in
                visible_features(galaxies).items()}

    def _block(self, block, size, n_pix, n):
        key = (block, size)
        if key not in self._blocks:
            if len(self._blocks) >= len(self.data.n_pix):
                self._blocks.clear()
            border = 2 * self.data.wobble if self.augment else 0
            simulator = GalaxySimulator(
                self.data.survey, n_pix=n_pix + border, wobble=0.03,
                clutter=self.data.clutter, features=self.data.features)
            seed = self._generator(1, block, size).initial_seed()
            self._blocks[key] = simulator.simulate(n, seed=seed)
        return self._blocks[key]


class PairBatches(_Batches):
    """
    Batches of real images with measured profiles, from shards.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe; ``data.folder`` is read.

    config : `~astro_pix2prof.networks.captioner.CaptionerConfig`
        The settings of the network.

    first_seed : int
        The seed of the order and of the augmentation.

    split : str, optional
        The split.

    augment : bool, optional
        Whether to turn and shift the images.
    """

    def __init__(self, recipe, config, *, first_seed, split='train',
                 augment=True):
        super().__init__(recipe, config, first_seed=first_seed)
        self.augment = augment
        arrays = read_shards(self.data.folder, split)
        self.arrays = {key: torch.from_numpy(np.ascontiguousarray(value))
                       for key, value in arrays.items()
                       if value.dtype.kind in 'fbi'}
        self.sma = self.arrays['sma'].float()
        self.n = len(self.arrays['image'])
        # the unit is calibrated to nanomaggies, as the simulator's is
        factor = 10**(-0.4 * (self.arrays['zeropoint'].float()
                            - NANOMAGGY_ZEROPOINT))
        self.factor = torch.where(torch.isfinite(factor), factor, 1.0)
        # profiles are above the sky, which may still be in the images
        self.sky = self.arrays.get('sky', torch.zeros(self.n)).float()

    def __getitem__(self, number):
        data, n_pix = self.data, self.data.n_pix[0]
        n = min(self.data.batch_size[0], self.n)
        generator = self._generator(2, number)
        per_epoch = max(1, self.n // n)
        epoch, part = divmod(number, per_epoch)
        order = torch.randperm(self.n, generator=self._generator(3, epoch))
        if not self.augment:
            order = torch.arange(self.n)
        rows = order[part * n:(part + 1) * n]
        factor = self.factor[rows]
        image = ((self.arrays['image'][rows].float()
                  - self.sky[rows, None, None]) * factor[:, None, None])
        mask = self.arrays['mask'][rows].bool()
        u = torch.rand(4, generator=generator)
        w = data.wobble if self.augment else 0
        dx, dy = (int((2 * w + 1) * float(v)) - w for v in u[:2])
        k, flip = (int(4 * u[2]), bool(u[3] < 0.5)) if self.augment else (
            0, False)
        intensity = self.arrays['intensity'][rows].float() * factor[:, None]
        n_values = cut_profile(intensity, window=data.cut_window,
                               threshold=data.cut_snr).clamp(min=1)
        views = Views(
            image=image, mask=mask,
            sigma=self.arrays['sigma'][rows].float() * factor, sma=self.sma,
            intensity=torch.nan_to_num(intensity),
            end=self.sma[n_values - 1],
            pixel_area=self.arrays['pixel_scale'][rows].float()**2)
        return self.task.batch(show_differently(views, n_pix, dx, dy, k,
                                                flip), generator)


def make_loader(recipe, config, *, split, rank=0, world=1, step=None):
    """
    Make the loader of the batches of a recipe.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : `~astro_pix2prof.networks.captioner.CaptionerConfig`
        The settings of the network.

    split : str
        'train' or 'validation'.

    rank, world : int, optional
        The process, and the number of processes.

    step : callable, optional
        Tells the number of steps that were done.

    Returns
    -------
    loader : `torch.utils.data.DataLoader`
    """
    train = split == 'train'
    data, training = recipe.data, recipe.training
    # validation galaxies come from another branch of the seeds
    seed = training.seed * 2 + (0 if train else 1)
    if data.source == 'pairs':
        batches = PairBatches(recipe, config, first_seed=seed, split=split,
                              augment=train)
    else:
        batches = SimulatedBatches(recipe, config, first_seed=seed,
                                   augment=train, world=world)
    if train:
        sampler = StepSampler(training.checkpoint_steps, training.steps,
                              rank, world, step)
        workers = data.workers
    else:
        per = sum(data.batch_size)
        n = max(1, round(data.validation / per)) * len(data.n_pix)
        # as many for each process: they wait for each other at the end
        sampler = range(rank, n + -n % world, world)
        workers = 0
    return DataLoader(batches, batch_size=None, sampler=sampler,
                      num_workers=workers, persistent_workers=workers > 0,
                      worker_init_fn=_one_thread,
                      multiprocessing_context='spawn' if workers else None,
                      prefetch_factor=3 if workers else None)


def _one_thread(worker):
    torch.set_num_threads(1)
