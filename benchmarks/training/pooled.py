# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train a ring network on one GPU, for a given time.

A GPU shows images faster than processors can simulate them, and `train`
waits for them. Here, processes simulate without a pause into a pool on the
GPU, from which each step draws at random, and the oldest images give way. A
run ends with the time, not with a number of steps: the learning rate is
constant, and falls linearly to zero from ``--fall`` of the time on. As the
pool depends on how fast the processors are, a run cannot be repeated to the
bit; `train` can.

On a GPU each kind of step (a side and a number of looks) is recorded once as a
CUDA graph: a step has thousands of small kernels, and to start them one by one
takes longer than to run them.

    python -m benchmarks.training.pooled RECIPE --out FOLDER --minutes 9

It writes ``average.pt`` (the averaged weights, every minute and at the end)
and ``log.jsonl``; ``benchmarks.training.finish`` makes weights of these.
"""

import argparse
import json
import queue
import threading
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import multiprocessing

from astro_pix2prof.networks.ellipse import ellipse_components
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.training.module import make_network
from astro_pix2prof.training.recipe import read_recipe
from astro_pix2prof.training.tasks.registry import make_task
from astro_pix2prof.training.tasks.views import Views, show_differently

# Images that a process simulates at once.
_CHUNK = 8


@dataclass
class Plan:
    """
    What a run shows: sides, their shares of the steps, batches and pools.
    """

    sides: list
    shares: list
    batches: list
    pools: list


def simulate_forever(recipe, plan, seed, found, stop):
    """
    Simulate galaxies of all sides in turn, and send them.
    """
    torch.set_num_threads(1)
    random = np.random.default_rng(seed)
    data = recipe.data
    simulators = [GalaxySimulator(
        data.survey, n_pix=side + 2 * data.wobble, wobble=0.03,
        clutter=data.clutter, chunk=_CHUNK) for side in plan.sides]
    # as many images of each side as its steps show
    weight = np.array(plan.shares) * np.array(plan.batches)
    # (each side comes soon)
    k = seed[-1] % len(plan.sides)
    while not stop.is_set():
        galaxies = simulators[k].simulate(
            2 * _CHUNK, seed=int(random.integers(2**62)))
        e1, e2 = ellipse_components(galaxies.ellipticity, galaxies.theta)
        above = galaxies.intensity > data.snr * galaxies.ring_noise
        best = (galaxies.intensity / galaxies.ring_noise).argmax(1)
        above |= torch.arange(above.shape[1]) <= best[:, None]
        inside = torch.cumprod(above.int(), 1).sum(1).clamp(min=1)
        parts = {
            'image': galaxies.image, 'mask': galaxies.mask,
            'others': galaxies.contamination, 'sky': galaxies.sky,
            'sigma': galaxies.sigma, 'intensity': galaxies.intensity,
            'end': galaxies.sma[inside - 1],
            'pixel_area': galaxies.pixel_scale**2,
            'ring_noise': galaxies.ring_noise, 'e1': e1, 'e2': e2,
            'centre': galaxies.centre, 'kind': galaxies.kind,
            'sky_error': galaxies.sky_prior_error}
        found.put((k, galaxies.sma.numpy(),
                   {name: value.numpy() for name, value in parts.items()}))
        k = random.choice(len(plan.sides), p=weight / weight.sum())


class Pool:
    """
    Galaxies of one side on a device, of which the oldest give way.
    """

    def __init__(self, size, device):
        self.size = size
        self.device = device
        self.n = self.made = 0
        self.parts = None
        self.sma = None

    def add(self, sma, parts):
        """
        Add galaxies.
        """
        n = len(parts['image'])
        if self.parts is None:
            self.sma = torch.from_numpy(sma).to(self.device)
            self.parts = {
                name: torch.zeros((self.size, *value.shape[1:]),
                                  dtype=torch.from_numpy(value).dtype,
                                  device=self.device)
                for name, value in parts.items()}
        at = (self.made + torch.arange(n, device=self.device)) % self.size
        for name, value in parts.items():
            self.parts[name][at] = torch.from_numpy(value).to(self.device)
        self.made += n
        self.n = min(self.made, self.size)

    def draw(self, n, generator):
        """
        Draw galaxies.
        """
        rows = torch.randint(self.n, (n,), generator=generator).to(
            self.device)
        return Views(sma=self.sma, **{name: value[rows] for name, value
                                      in self.parts.items()})


class Step:
    """
    Loss and gradients of a batch, run one by one.

    Parameters
    ----------
    network, task
        What is trained, and its task.

    looks : int
        How often the network looks along the ellipses.

    generator : `torch.Generator`
        The source of random numbers.
    """

    def __init__(self, network, task, looks, generator):
        self.network, self.task, self.looks = network, task, looks
        self.generator = generator
        self.parameters = [value for value in network.parameters()
                           if value.requires_grad]

    def __call__(self, batch):
        """
        Compute the gradients; return the loss and its parts.
        """
        for value in self.parameters:
            value.grad = None
        whole = self.network.config
        self.network.config = replace(whole, looks=self.looks)
        loss, more = self.task.loss(self.network, batch, self.generator)
        self.network.config = whole
        loss.backward()
        return torch.stack([loss.detach(), *(more[name].detach() for name in (
            'train_mag', 'train_shape', 'train_sky'))])


class RecordedStep:
    """
    The same, recorded as a CUDA graph.

    Parameters
    ----------
    step : `Step`
        The step.

    batch : dict of `torch.Tensor`
        A batch of the shapes that come.

    memory : tuple
        Of the graphs that are recorded, which never run at once.
    """

    def __init__(self, step, batch, memory):
        self.parameters = step.parameters
        self.batch = {name: value.clone() for name, value in batch.items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                step(self.batch)
        torch.cuda.current_stream().wait_stream(side)
        for value in self.parameters:
            value.grad = None
        self.graph = torch.cuda.CUDAGraph()
        # (images go on coming in another thread)
        with torch.cuda.graph(self.graph, pool=memory,
                              capture_error_mode='thread_local'):
            self.found = step(self.batch)
        self.gradients = [value.grad for value in self.parameters]

    def __call__(self, batch):
        """
        Compute the gradients; return the loss and its parts.
        """
        for name, value in self.batch.items():
            value.copy_(batch[name])
        self.graph.replay()
        for value, gradient in zip(self.parameters, self.gradients,
                                   strict=True):
            value.grad = gradient
        return self.found.clone()


def record(step, batch, memory):
    """
    Record a step, if it can be, and compare it with what was recorded.
    """
    try:
        recorded = RecordedStep(step, batch, memory)
        found = recorded(batch).tolist()
        of_it = [None if value.grad is None else value.grad.clone()
                 for value in step.parameters]
        wanted = step(batch).tolist()
        size = max((value.grad - other).norm() / (value.grad.norm() + 1e-6)
                   for value, other in zip(step.parameters, of_it,
                                           strict=True)
                   if other is not None)
        print('recorded', len(batch['image']), step.looks, found, wanted,
              f'gradients differ by {float(size):.1e}', flush=True)
    except Exception:
        # (whatever it is, steps go on unrecorded)
        traceback.print_exc()
        torch.cuda.synchronize()
        return step
    return recorded


def train_pooled(recipe, plan, out, *, minutes, fall, workers, device,
                 fewer=1.0, frozen=(), graphs=True):
    """
    Train for some minutes.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe; its number of steps and its schedule are not read.

    plan : `Plan`
        What is shown.

    out : `~pathlib.Path`
        The folder.

    minutes : float
        The time.

    fall : float
        The part of the time after which the learning rate falls.

    workers : int
        Processes that simulate.

    device : str
        The device.

    fewer : float, optional
        The part of the steps in which the number of looks is drawn, so that
        fewer serve, too.

    frozen : sequence of str, optional
        Parts of the network that stay as they are.

    graphs : bool, optional
        Whether steps on a GPU are recorded as graphs.
    """
    started = time.monotonic()
    settings = recipe.training
    torch.manual_seed(settings.seed)
    context = multiprocessing.get_context('spawn')
    found, stop = context.Queue(4 * workers), context.Event()
    helpers = [context.Process(
        target=simulate_forever, daemon=True,
        args=(recipe, plan, [settings.seed, k], found, stop))
        for k in range(workers)]
    for helper in helpers:
        helper.start()
    pools = [Pool(size, device) for size in plan.pools]
    lock = threading.Lock()

    def receive():
        while not stop.is_set():
            try:
                k, sma, parts = found.get(timeout=1)
            except queue.Empty:
                continue
            with lock:
                pools[k].add(sma, parts)

    receiver = threading.Thread(target=receive, daemon=True)
    receiver.start()

    network = make_network(recipe).to(device)
    whole = network.config
    task = make_task(recipe, whole)
    for name in frozen:
        getattr(network, name).requires_grad_(False)
    parameters = [value for value in network.parameters()
                  if value.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, lr=settings.learning_rate,
        weight_decay=settings.weight_decay, fused=device != 'cpu')
    # (tensors that share their memory with the network)
    present = network.state_dict()
    average = {name: value.detach().clone()
               for name, value in present.items()}
    moving = [name for name, value in present.items()
              if value.is_floating_point()]
    generator = torch.Generator().manual_seed(settings.seed)

    def draw(k):
        u = torch.rand(4, generator=generator).tolist()
        w = recipe.data.wobble
        views = show_differently(
            pools[k].draw(plan.batches[k], generator), plan.sides[k],
            int((2 * w + 1) * u[0]) - w, int((2 * w + 1) * u[1]) - w,
            int(4 * u[2]), u[3] < 0.5)
        return task.batch(views, generator)

    def wait(least):
        while any(pool.n < n for pool, n in zip(pools, least, strict=True)):
            time.sleep(0.2)
            if time.monotonic() - started > 60 * minutes:
                msg = 'no images came'
                raise RuntimeError(msg)

    numbers = range(1, whole.looks + 1) if fewer else [whole.looks]
    steps = {(k, looks): Step(network, task, looks, generator)
             for k in range(len(plan.sides)) for looks in numbers}
    if graphs and device != 'cpu':
        wait([1] * len(pools))
        memory = torch.cuda.graph_pool_handle()
        for (k, looks), one in steps.items():
            with lock:
                steps[k, looks] = record(one, draw(k), memory)
        print(f'recorded after {time.monotonic() - started:.0f} s',
              flush=True)
    wait(plan.batches)
    begin = time.monotonic()
    length = 60 * minutes - (begin - started)
    print(f'pools are filled after {begin - started:.0f} s', flush=True)
    step = shown = skipped = 0
    saved = begin
    shares = torch.tensor(plan.shares)
    log = (out / 'log.jsonl').open('w', encoding='utf-8')
    sums, last = {}, begin

    def save():
        torch.save({'average': average, 'network': network.state_dict(),
                    'step': step, 'presentations': shown,
                    'skipped': int(skipped)}, out / 'average.pt')

    while (part := (time.monotonic() - begin) / length) < 1:
        rate = settings.learning_rate * min(
            1, (step + 1) / max(settings.warmup, 1), (1 - part) / (1 - fall))
        for group in optimiser.param_groups:
            group['lr'] = rate
        k = int(torch.multinomial(shares, 1, generator=generator))
        looks = whole.looks
        if fewer:
            u = torch.rand(2, generator=generator).tolist()
            if u[0] < fewer:
                looks = 1 + int(looks * u[1])
        parts = steps[k, looks](draw(k))
        norm = torch.nn.utils.clip_grad_norm_(
            parameters, settings.clip or torch.inf)
        bad = ~torch.isfinite(norm)
        if device != 'cpu':
            # (to ask the GPU would make it wait)
            optimiser.found_inf = bad.float()
            optimiser.step()
        elif not bad:
            optimiser.step()
        skipped = skipped + bad.int()
        step += 1
        shown += plan.batches[k]
        decay = min(settings.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_([average[name] for name in moving],
                                 [present[name] for name in moving],
                                 1 - decay)
        sums.setdefault(plan.sides[k], []).append(parts)
        if step % 50 == 0:
            now = time.monotonic()
            row = {'step': step, 'seconds': round(now - started, 1),
                   'presentations': shown, 'skipped': int(skipped),
                   'rate': rate,
                   'steps_per_s': round(50 / (now - last), 2),
                   'simulated': [pool.made for pool in pools],
                   **{f'{side}': [round(v, 4) for v in torch.stack(
                       values).mean(0).tolist()]
                      for side, values in sorted(sums.items())}}
            log.write(json.dumps(row) + '\n')
            log.flush()
            print(json.dumps(row), flush=True)
            sums, last = {}, now
            if now - saved > 60:
                save()
                saved = now
    save()
    log.close()
    stop.set()
    if device != 'cpu':
        print(f'{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB',
              flush=True)
    for helper in helpers:
        helper.terminate()


def main():
    """
    Train, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('recipe')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=float, default=9)
    parser.add_argument('--fall', type=float, default=0.55)
    parser.add_argument('--workers', type=int, default=14)
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--sides', type=int, nargs='+',
                        default=[64, 128, 256, 384])
    parser.add_argument('--shares', type=float, nargs='+',
                        default=[0.25, 0.4, 0.27, 0.08])
    parser.add_argument('--batches', type=int, nargs='+',
                        default=[384, 320, 160, 64])
    parser.add_argument('--pools', type=int, nargs='+',
                        default=[24000, 24000, 10000, 2000])
    parser.add_argument('--lr', type=float, default=None)
    parser.add_argument('--fewer', type=float, default=1.0,
                        help='the part of the steps in which the number of '
                        'looks is drawn')
    parser.add_argument('--precision', choices=('highest', 'high'),
                        default='highest',
                        help="of products of matrices; 'high' is faster")
    parser.add_argument('--frozen', nargs='*', default=[],
                        help='parts of the network that stay as they are')
    parser.add_argument('--no-graphs', action='store_true',
                        help='do not record steps as CUDA graphs')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    more = {} if args.lr is None else {'learning_rate': args.lr}
    recipe = read_recipe(args.recipe, training=more)
    plan = Plan(args.sides, args.shares, args.batches, args.pools)
    torch.set_float32_matmul_precision(args.precision)
    torch.backends.cudnn.benchmark = True
    train_pooled(recipe, plan, args.out, minutes=args.minutes,
                 fall=args.fall, workers=args.workers, device=args.device,
                 fewer=args.fewer, frozen=args.frozen,
                 graphs=not args.no_graphs)


if __name__ == '__main__':
    main()
