# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Votes of simulated people: clicks saved, calibration, spammers and tiers.

Galaxies of two classes, three in ten of them featured, get the votes of
people who err (`astro_pix2prof.simulate_votes`: raters differ, galaxies
differ, one rater in twenty gives any label). A machine, right in 86 per cent
of cases and twice as sure of itself as it may be, knows all of them. The
threshold of the online method is varied, and its clicks are read off where
it is as accurate as the majority of 20 or 40 votes. The queue is that of
wrong.ecsv (``benchmarks.accuracy.wrong``), whose first half the
probabilities of flags are learned from, and whose second half is queued.

    python -m benchmarks.accuracy.votes --plot docs/figures/review.png \
        --table docs/review.inc
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from astropy.table import Table
from scipy.stats import norm, spearmanr

from astro_pix2prof import (
    calibrate_tiers,
    combine_votes,
    learn_flag_probabilities,
    simulate_votes,
)
from astro_pix2prof.review.doubts import wrong_probability
from benchmarks.tables import list_table

HERE = Path(__file__).resolve().parent
CLASSES = ('featured', 'smooth')
THRESHOLDS = (0.9, 0.97, 0.99, 0.996, 0.998)
MAJORITIES = (1, 5, 10, 20, 40)
TOLERANCE = 0.2
# Seeds with which nothing was chosen.
SEEDS = (101, 102, 103)
# Probabilities of a label in which its reliability is counted.
EDGES = (0.5, 0.7, 0.85, 0.95, 0.99, 1.0)


def make_galaxies(n, seed):
    """
    Draw labels and what a machine says of them.
    """
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n) < 0.3, *CLASSES)
    logit = 2 * (1.5 * np.where(labels == CLASSES[0], 1, -1)
                 + 1.47 * rng.normal(size=n) - 0.4)
    p = 1 / (1 + np.exp(-logit))
    return labels, Table({'galaxy': np.arange(n), CLASSES[0]: p,
                          CLASSES[1]: 1 - p})


def first_of_each(votes, n):
    """
    Keep the first n votes on each galaxy.
    """
    order = np.argsort(votes['galaxy'], kind='stable')
    galaxy = np.asarray(votes['galaxy'])[order]
    return votes[order[np.arange(len(order)) - np.searchsorted(
        galaxy, galaxy) < n]]


def score(result, labels):
    """
    Tell which labels are right, how sure they are, and how many votes it took.
    """
    table = result.labels[np.argsort(result.labels['galaxy'])]
    return (table['label'] == labels, np.asarray(table['probability']),
            np.asarray(table['n_votes']), np.asarray(table['state']))


def measure_clicks(n, seeds):
    """
    Measure accuracy against clicks, for all methods.
    """
    curves = {}
    for seed in seeds:
        labels, machine = make_galaxies(n, seed)
        votes = simulate_votes(labels, 40, seed=seed)

        def add(name, key, result, labels=labels):
            right, _, count, state = score(result, labels)
            curves.setdefault(name, {}).setdefault(str(key), []).append(
                [float(right.mean()), float(count.mean()),
                 float((state == 'open').mean())])

        for k in MAJORITIES:
            part = first_of_each(votes, k)
            add('majority', k, combine_votes(part, 'majority'))
            if k in (5, 10):
                add('Dawid-Skene', k, combine_votes(part))
                add('Dawid-Skene, machine', k,
                    combine_votes(part, machine=machine))
        for limit in THRESHOLDS:
            for name, more in (('online', {}), ('online, machine', {
                    'machine': machine})):
                add(name, limit, combine_votes(votes, 'swap',
                                               retire_at=limit, **more))
        print('seed', seed, flush=True)
    return {name: {key: np.mean(rows, axis=0).tolist()
                   for key, rows in curve.items()}
            for name, curve in curves.items()}


def clicks_saved(curves):
    """
    Compare clicks where the online method is as accurate as the majority.
    """
    saved = {}
    for k in ('20', '40'):
        accuracy, clicks, _ = curves['majority'][k]
        for name, curve in curves.items():
            if not name.startswith('online'):
                continue
            found = np.array(sorted(curve.values()))
            if found[-1, 0] < accuracy:
                saved[f'{name}, {k}'] = None
                continue
            # (between two thresholds, by the logarithm of the errors)
            need = np.interp(-np.log(1 - accuracy),
                             -np.log(1 - found[:, 0]), found[:, 1])
            saved[f'{name}, {k}'] = [accuracy, clicks, float(need),
                                     float(clicks / need)]
    return saved


def measure_calibration(n, seeds):
    """
    Count how often labels of each probability are right.
    """
    rows = {}
    for seed in seeds:
        labels, machine = make_galaxies(n, seed)
        votes = simulate_votes(labels, 20, seed=seed)
        for k in (5, 20):
            part = first_of_each(votes, k)
            for name, more in ((f'{k} votes, alike', {'n_levels': 1}),
                               (f'{k} votes', {}),
                               (f'{k} votes, machine',
                                {'machine': machine})):
                rows.setdefault(name, []).append(np.column_stack(
                    score(combine_votes(part, **more), labels)[:2]))
        rows.setdefault('online, machine', []).append(np.column_stack(
            score(combine_votes(votes, 'swap', machine=machine),
                  labels)[:2]))
    result = {}
    for name, parts in rows.items():
        right, p = np.concatenate(parts).T
        result[name] = [
            [float(p[use].mean()), float(right[use].mean()), int(use.sum())]
            for low, high in zip(EDGES, (*EDGES[1:-1], 1.1), strict=False)
            if (use := (p >= low) & (p < high)).sum() >= 20]
    return result


def measure_spammers(n, seeds):
    """
    Measure the accuracy of 10 votes as more raters give any label.
    """
    rows = {}
    for share in (0.0, 0.2, 0.4):
        found = []
        for seed in seeds:
            labels, _ = make_galaxies(n, seed)
            votes = simulate_votes(labels, 10, spammers=share, seed=seed)
            one = combine_votes(votes)
            bad = votes.meta['spammer'][[int(name[1:]) for name in
                                         one.raters['rater']]]
            info = np.asarray(one.raters['information'])
            found.append([
                score(combine_votes(votes, 'majority'), labels)[0].mean(),
                score(one, labels)[0].mean(), info[~bad].mean(),
                info[bad].mean() if bad.any() else 0.0])
        rows[str(share)] = np.mean(found, axis=0).tolist()
    return rows


def measure_difficulty(n, seed):
    """
    Correlate difficulty and skill with the true ones, beside GLAD.
    """
    from crowdkit.aggregation import GLAD
    from pandas import DataFrame

    labels, _ = make_galaxies(n, seed)
    votes = simulate_votes(labels, 20, seed=seed)
    result = combine_votes(votes)
    table = result.labels[np.argsort(result.labels['galaxy'])]
    ease, ability = votes.meta['ease'], votes.meta['ability']
    raters = [int(name[1:]) for name in result.raters['rater']]
    real = ~votes.meta['spammer'][raters]
    glad = GLAD(n_iter=20).fit(DataFrame({
        'task': votes['galaxy'], 'worker': votes['rater'],
        'label': votes['label']}))
    return {
        'difficulty': float(-spearmanr(table['difficulty'], ease)[0]),
        'difficulty, GLAD': float(spearmanr(
            glad.betas_.loc[np.arange(n)], ease)[0]),
        'skill': float(spearmanr(np.asarray(result.raters['skill'])[real],
                                 ability[raters][real])[0])}


def measure_tiers(repeats, seed):
    """
    Measure the rates of tiers on galaxies that were not calibrated on.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for n_bad, rate, confidence in ((300, 0.01, 0.95), (1000, 0.01, 0.95),
                                    (100, 0.05, 0.95), (300, 0.05, 0.9),
                                    (100, 0.01, None), (300, 0.05, None)):
        missed, looks = [], []
        for _ in range(repeats):
            is_bad = np.arange(10 * n_bad) < n_bad
            # (scores with ties: flags give few values)
            scores = np.round(rng.normal(size=len(is_bad))
                              + 2.5 * is_bad, 1)
            tiers = calibrate_tiers(
                scores, is_bad, false_negative=rate, false_positive=None,
                confidence=confidence)
            # the shares below the limit, of all galaxies there could be
            limit = tiers.accept_below - 0.05
            missed.append(norm.cdf(limit - 2.5))
            looks.append(norm.sf(limit))
        rows.append([n_bad, rate, confidence, float(np.mean(missed)),
                     float(np.mean(np.array(missed) > rate)),
                     float(np.mean(looks))])
    return rows


def measure_queue(path):
    """
    Count the wrong profiles that looks find, of galaxies kept apart.
    """
    table = Table.read(path)
    table = table[table['fitter'] == 'Pix2ProfFitter']
    wrong = np.asarray(table['error']) > TOLERANCE
    flags, stated = np.asarray(table['flag']), np.asarray(table['stated'])
    half = len(table) // 2
    # (not from what these galaxies have taught already)
    start = {name: 0.0 if name in ('UNCALIBRATED', 'FORCED') else 0.1
             for name in list_bits() if name != 'FAILED'} | {'none': 0.02}
    learned = learn_flag_probabilities(
        flags[:half], stated[:half], wrong[:half], weight=5.0, start=start)
    p = wrong_probability(flags[half:], stated[half:],
                          probabilities=learned)
    order = np.argsort(-p, kind='stable')
    found = np.cumsum(wrong[half:][order])
    share = np.linspace(0, 1, 21)
    rows = np.round(share * len(p)).astype(int)
    bins = []
    for low, high in ((0, 0.05), (0.05, 0.2), (0.2, 0.6), (0.6, 1.01)):
        use = (p >= low) & (p < high)
        if use.any():
            bins.append([float(p[use].mean()), float(wrong[half:][use].mean()),
                         int(use.sum())])
    both = learn_flag_probabilities(flags, stated, wrong, weight=5.0,
                                    start=start)
    seen = {name: int(np.count_nonzero(flags & bit)) for name, bit in
            list_bits().items()}
    return {'n': len(p), 'n_wrong': int(wrong[half:].sum()),
            'looks': share.tolist(), 'found': [
                0.0 if r == 0 else float(found[r - 1] / found[-1])
                for r in rows], 'reliability': bins,
            'probabilities': {name: round(value, 3) for name, value
                              in both.items()}, 'seen': seen}


def list_bits():
    """
    List the bits of galaxy flags.
    """
    from astro_pix2prof import GalaxyFlag

    return {flag.name: int(flag) for flag in GalaxyFlag}


def measure_speed(n):
    """
    Measure the processor's seconds for ten votes on each of n galaxies.
    """
    labels, _ = make_galaxies(n, 9)
    votes = simulate_votes(labels, 10, seed=9)
    seconds = {}
    for name, method, more in (('Dawid-Skene, alike', 'dawid-skene',
                                {'n_levels': 1}),
                               ('Dawid-Skene', 'dawid-skene', {}),
                               ('online', 'swap', {})):
        start = time.process_time()
        combine_votes(votes, method, **more)
        seconds[name] = time.process_time() - start
    return {'votes': len(votes), **seconds}


def make_table(out):
    """
    Make the table of clicks for the guide.
    """
    names = {'online': 'Online, people alone',
             'online, machine': 'Online, with the machine'}
    rows = [[names[name.rpartition(', ')[0]],
             f'{name.rpartition(" ")[2]} votes',
             (f'{value[0]:.3f}', f'{value[2]:.1f}', f'{value[3]:.1f}')
             if value else ('-', 'not reached', '-')]
            for name, value in out['saved'].items()]
    rows = [[row[0], row[1], *row[2]] for row in rows]
    return '\n'.join(list_table(
        ('Method', 'As accurate as the majority of', 'Right',
         'Votes a galaxy', 'Times fewer'), rows))


def plot(out, path):
    """
    Draw clicks against accuracy, and what looks find.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(9.2, 3.8), layout='constrained')
    one, two = fig.subplots(1, 2)
    for name, marker in (('majority', 'o'), ('online', 's'),
                         ('online, machine', 'D')):
        rows = np.array(sorted(out['clicks'][name].values(),
                               key=lambda row: row[1]))
        one.plot(rows[:, 1], 100 * (1 - rows[:, 0]), marker=marker,
                 label=name)
    one.set(xscale='log', yscale='log', xlabel='Votes a galaxy',
            ylabel='Wrong labels (%)')
    one.set_xticks([1, 2, 5, 10, 20, 40], [1, 2, 5, 10, 20, 40])
    one.set_yticks([0.5, 1, 2, 5, 10, 20], [0.5, 1, 2, 5, 10, 20])
    one.minorticks_off()
    one.legend()
    queue = out['queue']
    two.plot(100 * np.array(queue['looks']), 100 * np.array(queue['found']),
             marker='o', ms=4, label='by review_queue')
    two.plot([0, 100], [0, 100], 'k:', label='at random')
    two.set(xlabel='Galaxies looked at (%)',
            ylabel='Wrong profiles found (%)')
    two.legend()
    fig.savefig(path, dpi=110)


def main(args=None):
    """
    Measure all, and write votes.json.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, default=1500)
    parser.add_argument('--repeats', type=int, default=500)
    parser.add_argument('--speed', type=int, default=100_000)
    parser.add_argument('--wrong', type=Path, default=HERE / 'wrong.ecsv')
    parser.add_argument('--out', type=Path, default=HERE / 'votes.json')
    parser.add_argument('--only', metavar='PART', help='measure one part')
    parser.add_argument('--plot', type=Path, metavar='FILE.png')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    args = parser.parse_args(args)
    out = json.loads(args.out.read_text()) if args.only else {}
    out |= {'n': args.n, 'seeds': SEEDS}
    for name, call in (
            ('queue', lambda: measure_queue(args.wrong)),
            ('tiers', lambda: measure_tiers(args.repeats, 5)),
            ('clicks', lambda: measure_clicks(args.n, SEEDS)),
            ('calibration', lambda: measure_calibration(args.n, SEEDS)),
            ('spammers', lambda: measure_spammers(args.n, SEEDS)),
            ('speed', lambda: measure_speed(args.speed)),
            ('difficulty', lambda: measure_difficulty(300, 5))):
        if args.only and name != args.only:
            continue
        out[name] = call()
        if name == 'clicks':
            out['saved'] = clicks_saved(out['clicks'])
        print(name, json.dumps(out[name]), flush=True)
        args.out.write_text(json.dumps(out, indent=1) + '\n')
    if args.plot:
        plot(out, args.plot)
    if args.table:
        args.table.write_text(make_table(out))


if __name__ == '__main__':
    main()
