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

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from astro_pix2prof import (
    Pix2ProfFitter,
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
# On the left: how many labels are wrong, against the votes on each galaxy.
# (Two votes that differ are a tie, and go to 'none', which most galaxies are:
# hence the dip of the majority.) On the right: the skill that was found for
# each person, against the share of right votes, which only the truth knows.
# Larger points have more votes.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8),
                                  layout='constrained')
for (name, wrong), colour in zip(share_wrong.items(), (
        '0.45', '#0072B2', '#D55E00'), strict=True):
    left.plot(numbers, 100 * np.array(wrong), 'o-', ms=4, color=colour,
              label=name)
left.axhline(100 * np.mean((p_ring > 0.5) != is_ring), color='0.6', ls=':',
             label='network alone')
left.set(xlabel='Votes on each galaxy', ylabel='Wrong labels [%]',
         xticks=numbers[2:], ylim=(0, None))
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
plt.show()

# %%
# Who always says 'none' is right on three galaxies in four, and yet has no
# skill: the confusion matrix tells. With the network, five votes do nearly
# what ten do without.
#
# Which need no look?
# -------------------
#
# Take three votes and the network, and let an expert look at 500 galaxies at
# random. `~astro_pix2prof.calibrate_tiers` finds limits such that at most 5
# per cent of the rings are lost among those that nobody looks at, with 95 per
# cent confidence. The other 500 galaxies tell whether it holds.

labels = combine_votes(votes[rank < 3], machine=machine).labels
score = np.empty(n)
score[labels['galaxy'].astype(int)] = labels['p_ring']
expert = np.arange(n) < 500
tiers = calibrate_tiers(score[expert], is_ring[expert], false_negative=0.05,
                        false_positive=0.05)
tier = tiers.assign(score[~expert])
for name, text in (('accept', 'no ring'), ('look', 'look'),
                   ('reject', 'a ring')):
    chosen = tier == name
    print(f'{text:8s} {chosen.sum():4d} galaxies, '
          f'{is_ring[~expert][chosen].sum():3d} with a ring')
lost = np.mean(tier[is_ring[~expert]] == 'accept')
print(f'{lost:.1%} of the rings are lost')

# %%
# Which profiles to look at first?
# --------------------------------
#
# Profiles are measured by the thousand, and some are wrong.
# `~astro_pix2prof.review_queue` puts those first where a look is expected to
# gain most, by their flags and stated errors. The galaxies here are simulated,
# in a crowded field, and every third image is a short exposure.

galaxies = GalaxySimulator('sdss-r', n_pix=96).simulate(24, seed=1)
images = galaxies.image.numpy()
rng = np.random.default_rng(2)
for k in range(1, 24, 3):
    images[k] += rng.normal(0, 6 * float(galaxies.sigma[k]), (96, 96))
batch, = Pix2ProfFitter().fit_many(images, zeropoint=22.5, pixel_scale=0.396)
queue = review_queue(batch, budget=8)
for row in queue[:4]:
    print(f'{row["rank"]}. galaxy {row["index"]:2d}, p_wrong '
          f'{row["p_wrong"]:.2f}: {row["reason"][:52]}...')

# %%
# All galaxies in the order of the queue. Above each is the probability that
# its profile is wrong; below, from the truth, the share of its rings that are
# off by more than 0.2 mag. The darker a frame, the more are.


def share_off(number):
    """
    Compare a profile with the truth.
    """
    profile = batch[number]
    level = np.interp(profile['radius'].value, 0.396 * galaxies.sma,
                      galaxies.intensity[number])
    true = 22.5 - 2.5 * np.log10(level / 0.396**2)
    error = np.abs(profile['surface_brightness'].value - true)
    # (a ring without a value is off, too)
    return np.mean(~(error < 0.2))


shares = np.array([share_off(int(number)) for number in queue['index']])
fig, axes = plt.subplots(3, 8, figsize=(9, 4.6), layout='constrained')
for ax, row, share in zip(axes.flat, queue, shares, strict=True):
    image = images[row['index']] / float(galaxies.sigma[row['index']])
    image = np.arcsinh(image / 2)
    ax.imshow(image, origin='lower', cmap='gray_r', vmin=-1,
              vmax=np.percentile(image, 99.7))
    ax.set(xticks=[], yticks=[])
    ax.set_title(f'{row["p_wrong"]:.2f}', fontsize='small', pad=3)
    ax.set_xlabel(f'{share:.0%}', fontsize='small', labelpad=2)
    ax.spines[:].set(color=plt.cm.Oranges(0.15 + min(2 * share, 0.85)),
                     linewidth=3)
plt.show()

# %%
# On average:

print(f'{shares[:8].mean():.0%} of the rings of the first 8 are off, and '
      f'{shares[8:].mean():.0%} of those of the other 16')

# %%
# The order is one of probabilities: some of the first are fine, and some that
# come late are off in their outskirts.
#
# In the shell it is ``pix2prof review OUT.parquet --budget 200``, and the
# :doc:`report </report>` shows the queue to rate it by a click. :doc:`/review`
# has more: votes as they come in, costs, and how well the probabilities hold.
