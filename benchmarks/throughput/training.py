# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure how training scales from one process to many on a machine.

Each number of processes trains the same recipe for some steps, with the same
number of threads per process; gradients are averaged over the processes
(DDP). The efficiency is the rate of N processes over N times the rate of one.
The rounds alternate, so that other load on the machine meets all alike.

    python -m benchmarks.throughput.training --out training_scaling.json

With more processes than cores divided by threads, or while other programs
run, the result says little. Simulation runs within each process here, so a
step is simulation and training; ``--repeat`` large leaves training only.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# What each of the processes runs. The first steps, in which galaxies are
# simulated and libraries set up, do not count.
_SCRIPT = """
import json
import sys
import time
import warnings

warnings.filterwarnings('ignore')
import torch
from lightning.pytorch.callbacks import Callback

from astro_pix2prof.training import read_recipe, run

options = json.loads(sys.argv[1])
torch.set_num_threads(options['threads'])


class Clock(run._Record):
    def on_train_batch_start(self, trainer, module, batch, number):
        if trainer.global_step == options['warmup']:
            self.start = time.perf_counter()
            self.shown = int(module.presentations)

    def on_train_batch_end(self, trainer, module, *args):
        if (trainer.global_step == options['steps']
                and trainer.is_global_zero):
            seconds = time.perf_counter() - self.start
            shown = int(module.presentations) - self.shown
            with open(options['out'], 'w') as file:
                json.dump({'seconds': seconds, 'images': shown}, file)


def main():
    recipe = read_recipe(
        options['recipe'],
        data={'n_pix': [options['n_pix']], 'workers': 0, 'validation': 1,
              'batch_size': [options['batch_size']],
              'repeat': options['repeat']},
        training={'steps': options['steps'], 'precision': '32-true',
                  'checkpoint_steps': options['steps']})
    run._Record = Clock
    run.export = lambda *args, **kwargs: None
    run.train(recipe, options['folder'], accelerator=options['accelerator'],
              devices=options['processes'], progress=False)


if __name__ == '__main__':
    main()
"""


def measure(processes, args, folder):
    """
    Images per second with so many processes.
    """
    script = Path(folder) / 'train.py'
    script.write_text(_SCRIPT)
    out = Path(folder) / f'result_{processes}_{time.monotonic_ns()}.json'
    options = {
        **{key: getattr(args, key) for key in (
            'recipe', 'n_pix', 'batch_size', 'repeat', 'steps', 'warmup',
            'threads', 'accelerator')},
        'processes': processes, 'out': str(out),
        'folder': str(out.with_suffix(''))}
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, 'OMP_NUM_THREADS': str(args.threads),
           'PYTHONPATH': os.pathsep.join(
               [root, os.environ.get('PYTHONPATH', '')])}
    done = subprocess.run(
        [sys.executable, script, json.dumps(options)], check=False, env=env,
        capture_output=True, text=True)
    if done.returncode or not out.exists():
        sys.exit(f'{processes} processes failed:\n{done.stderr[-3000:]}')
    result = json.loads(out.read_text())
    return result['images'] / result['seconds']


def main():
    """
    Run the benchmark.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--recipe', default='captioner')
    parser.add_argument('--n-pix', type=int, default=128)
    parser.add_argument('--batch-size', type=int, default=16,
                        help='of each process')
    parser.add_argument('--repeat', type=int, default=3,
                        help='how often a simulated image is shown')
    parser.add_argument('--steps', type=int, default=28)
    parser.add_argument('--warmup', type=int, default=4)
    parser.add_argument('--threads', type=int, default=1,
                        help='of each process')
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--accelerator', default='cpu')
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    if not 0 <= args.warmup < args.steps:
        parser.error('--warmup must be less than --steps')

    rates = {n: [] for n in args.processes}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.rounds):
            for n in args.processes:
                rates[n].append(measure(n, args, folder))
                print(f'{n} processes: {rates[n][-1]:.2f} images/s',
                      flush=True)
    median = {n: statistics.median(values) for n, values in rates.items()}
    base = args.processes[0]
    result = {
        'settings': {key: value for key, value in vars(args).items()
                     if key != 'out'},
        'machine': {'cores': os.cpu_count(), 'processor': platform.machine(),
                    'load_1min': round(os.getloadavg()[0], 2),
                    'python': platform.python_version()},
        'images_per_s': {n: [round(v, 3) for v in values]
                         for n, values in rates.items()},
        'median': {n: round(v, 3) for n, v in median.items()},
        'efficiency': {n: round(v * base / (median[base] * n), 3)
                       for n, v in median.items()}}
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
