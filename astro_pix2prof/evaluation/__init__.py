# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Differences between profiles, and the errors of fitters.

Errors are those on galaxies whose true profiles are known. It takes any
fitter, and asks none which one it is; ``cli`` imports it.
"""

from astro_pix2prof.evaluation.compare import compare_profiles
from astro_pix2prof.evaluation.evaluate import evaluate_fitters
from astro_pix2prof.evaluation.result import Evaluation

__all__ = ['Evaluation', 'compare_profiles', 'evaluate_fitters']
