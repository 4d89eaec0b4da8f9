# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Votes and review
================

People look at galaxies, and never all agree. You see what 10 votes on a galaxy
are worth, how a network saves clicks, which profiles of a survey to look at
first, and which ones need no look at all.
"""

# %%
# Votes
# -----
#
# Yours come from a web site or a table: one row a vote, who, on which galaxy,
# what. Here, 150 people are simulated, some of whom say anything, so that the
# truth is known: one galaxy in four has a ring.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    Pix2ProfFitter,
    ProfileBatch,
    calibrate_tiers,
    combine_votes,
    review_queue,
    simulate_votes,
)
from astro_pix2prof.simulation import GalaxySimulator

rng = np.random.default_rng(8)
n = 1000
is_ring = rng.random(n) < 0.25
true = np.where(is_ring, 'ring', 'none')
votes = simulate_votes(true, 20, n_raters=150, spammers=0.15, seed=8)
votes[:4]

# %%
# One answer
# ----------
#
# `~astro_pix2prof.combine_votes` finds the label of each galaxy, how probable
# it is, and who can be trusted, without being told the truth.

result = combine_votes(votes)
for name in ('probability', 'p_ring', 'entropy'):
    result.labels[name].info.format = '.3f'
result.labels['galaxy', 'label', 'probability', 'n_votes'][:4]

# %%
# A network is one more rater. It is right in 85 per cent of cases here, and
# far too sure of itself: both is found out from the votes.

odds = np.where(is_ring, 1, -1) * rng.normal(1, 1, n)
p_ring = 1 / (1 + np.exp(-5 * odds))
machine = Table({'galaxy': np.arange(n), 'ring': p_ring, 'none': 1 - p_ring})

share_wrong = {'majority': [], 'people': [], 'people and network': []}
numbers = (1, 2, 3, 5, 7, 10, 15, 20)
# (the first votes on each galaxy)
order = np.argsort(votes['galaxy'], kind='stable')
rank = np.empty(len(votes), dtype=int)
rank[order] = np.arange(len(votes)) % 20
for number in numbers:
    some = votes[rank < number]
    for name, options in (
            ('majority', {'method': 'majority'}), ('people', {}),
            ('people and network', {'machine': machine})):
        labels = combine_votes(some, **options).labels
        share_wrong[name].append(
            np.mean(labels['label'] != true[labels['galaxy'].astype(int)]))

# %%
# On the left: how many labels are wrong, against the votes on each galaxy. On
# the right: the skill that was found for each person, against the share of
# right votes, which only the truth knows.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8),
                                  layout='constrained')
for (name, wrong), colour in zip(share_wrong.items(), (
        '0.45', '#0072B2', '#D55E00'), strict=True):
    left.plot(numbers, 100 * np.array(wrong), 'o-', ms=4, color=colour,
              label=name)
left.axhline(100 * np.mean((p_ring > 0.5) != is_ring), color='0.6', ls=':',
             label='network alone')
left.set(xlabel='Votes on each galaxy', ylabel='Wrong labels [%]',
         ylim=(0, None))
left.legend(frameon=False)

right_votes = votes['label'] == true[votes['galaxy']]
for row in result.raters:
    own = votes['rater'] == row['rater']
    spammer = votes.meta['spammer'][int(row['rater'][1:])]
    right.scatter(100 * np.mean(right_votes[own]), row['skill'],
                  s=4 + own.sum() / 12, alpha=0.8,
                  color='#CC79A7' if spammer else '#0072B2')
right.set(xlabel='Right votes [%]', ylabel='Skill that was found')
right.scatter([], [], color='#0072B2', label='people')
right.scatter([], [], color='#CC79A7', label='those who say anything')
right.legend(frameon=False)
