# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A fitter over a catalogue of galaxies, in parallel and restartable.

It knows fitters by name; ``report`` and ``cli`` import it.
"""

from astro_pix2prof.survey.collect import SurveyResult, collect_survey
from astro_pix2prof.survey.results import Survey, read_survey
from astro_pix2prof.survey.run import run_survey

__all__ = ['Survey', 'SurveyResult', 'collect_survey', 'read_survey',
           'run_survey']
