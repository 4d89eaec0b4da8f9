# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
People and the machine: combine votes, and choose what people look at.

The command line and users import it; it reads profiles and surveys, and
needs neither images nor networks.
"""

from astro_pix2prof.review.counter import VoteCounter
from astro_pix2prof.review.votes import CombinedVotes, combine_votes

__all__ = ['CombinedVotes', 'VoteCounter', 'combine_votes']
