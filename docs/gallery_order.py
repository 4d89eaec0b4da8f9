# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Order of the tutorials in the gallery: from one image to a survey.
"""

from pathlib import Path

__all__ = ['ORDER', 'sort_tutorials']

ORDER = (
    # one image
    'first_profile', 'units', 'fitting', 'masks', 'photutils', 'published',
    # what follows from a profile
    'structure', 'colours', 'harmonics', 'edge_on', 'clumps', 'cube',
    # how far to trust it
    'injection',
    # many galaxies
    'twelve', 'survey', 'cluster', 'similar', 'review',
    # networks
    'train', 'fine_tune', 'fine_tuning', 'original',
)


def sort_tutorials(path):
    """
    Return the sort key of a tutorial: its place in `ORDER`, then its name.

    Parameters
    ----------
    path : str
        The file, such as 'plot_units.py'.

    Returns
    -------
    key : tuple of int and str
        Tutorials that `ORDER` does not name come last, by their names.
    """
    name = Path(path).stem.removeprefix('plot_')
    return (ORDER.index(name) if name in ORDER else len(ORDER)), name
