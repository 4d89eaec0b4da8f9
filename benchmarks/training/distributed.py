# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure how training scales from one process to many on a machine.

The same recipe is trained for some steps by one process and by N that
average their gradients (DDP), each with the same number of threads. A round
is a pair of such runs, one after the other, and rounds begin with one and
with the other in turn, so that other load on the machine meets both. The
efficiency is the rate of N processes over N times the rate of one, and the
median over the rounds counts.

    python -m benchmarks.training.distributed --recipe encoder

On a machine that does something else, or has fewer cores than processes,
waiting for a core looks like waiting for another process. Two figures tell
how far this goes. With ``--apart``, N processes that know nothing of each
other train at the same time, too: the rate of N over theirs is what the
distribution itself costs. And the efficiency in CPU time (seconds that the
processes computed for each image, of one over N) leaves waiting out.

Galaxies are simulated within the processes. With ``--repeat`` r, each is
shown r times, and a simulation comes every 4 r steps: ``--warmup`` and
``--steps`` are multiples of this, or some rounds simulate more than others.
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

# Result of the run that the documentation cites.
RESULT = Path(__file__).with_suffix('.json')

# A simulation fills so many batches.
_POOL = 4

# Program of each of the processes. The first steps, in which galaxies are
# simulated and libraries set up, do not count.
_SCRIPT = """
import json
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings('ignore')
import torch

from astro_pix2prof.training import read_recipe, run

options = json.loads(sys.argv[1])
torch.set_num_threads(options['threads'])


class Clock(run._Record):
    def on_train_batch_start(self, trainer, module, batch, number):
        if trainer.global_step == options['warmup']:
            self.start = time.perf_counter(), time.process_time()
            self.shown = int(module.presentations)

    def on_train_batch_end(self, trainer, module, *args):
        if trainer.global_step == options['steps']:
            wall, cpu = time.perf_counter(), time.process_time()
            path = Path(options['out']) / f'{trainer.global_rank}.json'
            path.write_text(json.dumps({
                'seconds': wall - self.start[0], 'cpu': cpu - self.start[1],
                'images': int(module.presentations) - self.shown}))


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
    run.train(recipe, options['out'], accelerator=options['accelerator'],
              devices=options['processes'], progress=False)


if __name__ == '__main__':
    main()
"""


def start(processes, args, folder):
    """
    Start a run of so many processes.

    Returns
    -------
    run : tuple
        The process that leads, and the folder of its results.
    """
    script = folder / 'train.py'
    script.write_text(_SCRIPT)
    out = Path(tempfile.mkdtemp(dir=folder))
    options = {
        **{key: getattr(args, key) for key in (
            'recipe', 'n_pix', 'batch_size', 'repeat', 'steps', 'warmup',
            'threads', 'accelerator')},
        'processes': processes, 'out': str(out)}
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, 'OMP_NUM_THREADS': str(args.threads),
           'PYTHONPATH': os.pathsep.join(
               [root, os.environ.get('PYTHONPATH', '')])}
    return subprocess.Popen(
        [sys.executable, script, json.dumps(options)], env=env, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE), out


def finish(run, processes):
    """
    Wait for a run.

    Returns
    -------
    rates : dict
        Images per second ('rate'), and CPU seconds per image ('cpu').
    """
    leader, out = run
    _, text = leader.communicate()
    found = [json.loads(path.read_text())
             for path in sorted(out.glob('[0-9]*.json'))]
    if leader.returncode or len(found) != processes:
        sys.exit(f'{processes} processes failed:\n{text[-3000:]}')
    images = found[0]['images']
    return {'rate': images / max(item['seconds'] for item in found),
            'cpu': sum(item['cpu'] for item in found) / images}


def measure(kind, args, folder):
    """
    Measure one process, N of them, or N that are apart.
    """
    if kind != 'apart':
        n = 1 if kind == 'one' else args.processes
        return finish(start(n, args, folder), n)
    runs = [start(1, args, folder) for _ in range(args.processes)]
    found = [finish(run, 1) for run in runs]
    return {'rate': sum(item['rate'] for item in found),
            'cpu': statistics.mean(item['cpu'] for item in found)}


def summarise(rounds, processes):
    """
    Compute the efficiency of each round, and medians.

    Parameters
    ----------
    rounds : list of dict
        What was measured of 'one', of 'many' and perhaps of 'apart'.

    processes : int
        The number of processes.

    Returns
    -------
    result : dict
    """
    ratios = {
        'efficiency': [item['many']['rate'] / (
            processes * item['one']['rate']) for item in rounds],
        'efficiency_cpu': [item['one']['cpu'] / item['many']['cpu']
                           for item in rounds]}
    if 'apart' in rounds[0]:
        ratios['efficiency_beside_apart'] = [
            item['many']['rate'] / item['apart']['rate'] for item in rounds]
    return {
        'images_per_s': {kind: [round(item[kind]['rate'], 3)
                                for item in rounds] for kind in rounds[0]},
        **{f'{name}_rounds': [round(v, 3) for v in values]
           for name, values in ratios.items()},
        **{name: round(statistics.median(values), 3)
           for name, values in ratios.items()}}


def main(args=None):
    """
    Run the benchmark.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--recipe', default='encoder')
    parser.add_argument('--n-pix', type=int, default=128)
    parser.add_argument('--batch-size', type=int, default=32,
                        help='of each process')
    parser.add_argument('--repeat', type=int, default=3,
                        help='how often a simulated image is shown')
    parser.add_argument('--steps', type=int, default=36)
    parser.add_argument('--warmup', type=int, default=12)
    parser.add_argument('--threads', type=int, default=1,
                        help='of each process')
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--apart', action='store_true',
                        help='measure processes that are not connected, too')
    parser.add_argument('--accelerator', default='cpu')
    parser.add_argument('--out', type=Path, default=RESULT)
    args = parser.parse_args(args)
    if not 0 <= args.warmup < args.steps:
        parser.error('--warmup must be less than --steps')
    if args.warmup % (_POOL * args.repeat) or args.steps % (
            _POOL * args.repeat):
        print(f'--warmup and --steps are no multiples of '
              f'{_POOL * args.repeat}: rounds may simulate more or less')
    kinds = ['one', 'many', *(['apart'] if args.apart else [])]
    rounds, loads = [], []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(args.rounds):
            loads.append(round(os.getloadavg()[0], 1))
            order = kinds if k % 2 == 0 else kinds[::-1]
            rounds.append({kind: measure(kind, args, Path(folder))
                           for kind in order})
            print(f'{time.strftime("%H:%M:%S")} load {loads[-1]}', *(
                f'{kind}: {rounds[-1][kind]["rate"]:.2f} images/s, '
                f'{1000 * rounds[-1][kind]["cpu"]:.1f} CPU ms/image;'
                for kind in kinds), flush=True)
    result = {
        'settings': {key: value for key, value in vars(args).items()
                     if key != 'out'},
        'machine': {'cores': os.cpu_count(),
                    'processor': platform.machine(),
                    'load_1min': loads,
                    'python': platform.python_version()},
        **summarise(rounds, args.processes)}
    text = json.dumps(result, indent=1)
    print(text)
    args.out.write_text(text + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
