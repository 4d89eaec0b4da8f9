# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
People and the machine: combine votes, and choose what people look at.

The command line and users import it; it reads profiles and surveys, and
needs neither images nor networks.
"""

from astro_pix2prof.review.counter import VoteCounter
from astro_pix2prof.review.doubts import learn_flag_probabilities
from astro_pix2prof.review.queue import review_queue
from astro_pix2prof.review.raters import simulate_votes
from astro_pix2prof.review.tiers import ReviewTiers, calibrate_tiers
from astro_pix2prof.review.votes import CombinedVotes, combine_votes

__all__ = ['CombinedVotes', 'ReviewTiers', 'VoteCounter', 'calibrate_tiers',
           'combine_votes', 'learn_flag_probabilities', 'review_queue',
           'simulate_votes']
