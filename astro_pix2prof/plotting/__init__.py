# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figures of fits, profiles, colours, weights and evaluations.

matplotlib is imported when a figure is drawn.
"""

from astro_pix2prof.plotting.bands import plot_colours
from astro_pix2prof.plotting.evaluation import (
    plot_evaluation,
    plot_evaluation_profiles,
)
from astro_pix2prof.plotting.fit import plot_fit
from astro_pix2prof.plotting.gallery import plot_gallery
from astro_pix2prof.plotting.profiles import plot_profiles
from astro_pix2prof.plotting.simulated import plot_contact_sheet
from astro_pix2prof.plotting.weights import plot_weights

__all__ = ['plot_colours', 'plot_contact_sheet', 'plot_evaluation',
           'plot_evaluation_profiles', 'plot_fit', 'plot_gallery',
           'plot_profiles', 'plot_weights']
