# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Register of published relations between colour and mass-to-light ratio.

All are log10(M/L) = a + b colour, with M/L in solar units of the band, AB
magnitudes in the filters of SDSS, at rest and corrected for Galactic
extinction, but not for dust of the galaxy itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from astro_pix2prof.arguments import check_choice
from astro_pix2prof.structure.bandpasses import find_bandpass

__all__ = ['RELATIONS', 'MassRelation', 'find_relation']


# Colours (mag) of galaxies and of their parts: the papers tabulate no limits,
# and beyond these a colour is rather wrong than a galaxy's.
_COLOUR_RANGE = {'g-r': (-0.1, 1.1), 'g-i': (-0.1, 1.6), 'g-z': (-0.2, 2.0),
                 'r-i': (-0.2, 0.7), 'r-z': (-0.2, 1.0), 'i-z': (-0.2, 0.5)}


@dataclass(frozen=True)
class MassRelation:
    """
    A relation between colour and mass-to-light ratio.

    Attributes
    ----------
    name : str
        Its name.

    source : str
        The paper and where in it the numbers stand.

    coefficients : dict
        For each colour such as 'g-i', by the band of the light, (a, b) of
        log10(M/L) = a + b colour.

    imf : str, optional
        The initial mass function.

    models : str, optional
        The stellar populations.

    scatter : float, optional
        The scatter of log10(M/L) at a given colour (dex): one number for a
        whole galaxy, which its rings share. NaN if it is not known.

    sun : dict, optional
        The absolute magnitudes of the sun that the paper uses, by band.
        Where there is none, those of Willmer 2018 hold.

    colour_range : dict, optional
        The colours (mag) for which it may be used.

    system : str, optional
        The magnitude system.

    filters : str, optional
        The survey whose filters they are.
    """

    name: str
    source: str
    coefficients: dict
    imf: str = ''
    models: str = ''
    scatter: float = np.nan
    sun: dict = field(default_factory=dict)
    colour_range: dict = field(default_factory=lambda: dict(_COLOUR_RANGE))
    system: str = 'AB'
    filters: str = 'SDSS'

    def solar_magnitude(self, band: str) -> float | None:
        """
        Find the absolute magnitude of the sun in a band.
        """
        if band in self.sun:
            return self.sun[band]
        return find_bandpass(band, self.filters).sun

    def log_mass_to_light(self, colour: float | np.ndarray, name: str,
                          band: str) -> np.ndarray:
        """
        Calculate log10(M/L) from a colour.

        Parameters
        ----------
        colour : float or `~numpy.ndarray`
            The colour (mag).

        name : str
            Its name, such as 'g-i'.

        band : str
            The band of the light.

        Returns
        -------
        value : `~numpy.ndarray`
        """
        a, b = self.coefficients[name][band]
        return a + b * np.asarray(colour, dtype=float)


def _griz(*numbers):
    """
    Pair the numbers of a row: a and b of g, of r, of i and of z.
    """
    return dict(zip('griz', zip(numbers[::2], numbers[1::2], strict=True),
                    strict=True))


RELATIONS = {relation.name: relation for relation in (
    MassRelation(
        'taylor2011',
        'Taylor et al. 2011, MNRAS 418, 1587, equations 7 and 8',
        {'g-i': {'i': (-0.68, 0.70)}},
        imf='Chabrier', models='BC03, fitted to the galaxies of GAMA',
        # "<= 0.1 dex (1 sigma)", abstract; the sun stands after equation 7
        scatter=0.10, sun={'i': 4.58}),
    MassRelation(
        'roediger2015_bc03',
        'Roediger & Courteau 2015, MNRAS 452, 3209, appendix, BC03',
        {'g-r': _griz(-0.984, 2.029, -0.792, 1.629, -0.771, 1.438,
                      -0.796, 1.306),
         'g-i': _griz(-1.067, 1.379, -0.861, 1.110, -0.831, 0.979,
                      -0.848, 0.886),
         'g-z': _griz(-1.132, 1.116, -0.916, 0.900, -0.878, 0.793,
                      -0.888, 0.716),
         'r-i': _griz(-1.170, 4.107, -0.952, 3.325, -0.908, 2.925,
                      -0.912, 2.634),
         'r-z': _griz(-1.211, 2.322, -0.987, 1.883, -0.937, 1.655,
                      -0.935, 1.483),
         'i-z': _griz(-1.212, 5.164, -0.991, 4.201, -0.939, 3.683,
                      -0.931, 3.283)},
        imf='Chabrier', models='BC03',
        # the larger of "0.10-0.14 dex", abstract
        scatter=0.14),
    MassRelation(
        'roediger2015_fsps',
        'Roediger & Courteau 2015, MNRAS 452, 3209, appendix, FSPS',
        {'g-r': _griz(-0.811, 1.897, -0.647, 1.497, -0.602, 1.281,
                      -0.583, 1.102),
         'g-i': _griz(-0.805, 1.231, -0.644, 0.973, -0.597, 0.831,
                      -0.576, 0.713),
         'g-z': _griz(-0.764, 0.942, -0.612, 0.744, -0.568, 0.634,
                      -0.548, 0.542),
         'r-i': _griz(-0.745, 3.374, -0.600, 2.675, -0.556, 2.275,
                      -0.537, 1.940),
         'r-z': _griz(-0.670, 1.795, -0.539, 1.421, -0.502, 1.206,
                      -0.487, 1.021),
         'i-z': _griz(-0.550, 3.709, -0.443, 2.933, -0.419, 2.484,
                      -0.411, 2.084)},
        imf='Chabrier', models='FSPS', scatter=0.14),
    MassRelation(
        'zibetti2009',
        'Zibetti, Charlot & Rix 2009, MNRAS 400, 1181, Table B1',
        {'g-r': _griz(-1.030, 2.053, -0.840, 1.654, -0.845, 1.481,
                      -0.914, 1.382),
         'g-i': _griz(-1.197, 1.431, -0.977, 1.157, -0.963, 1.032,
                      -1.019, 0.955),
         'g-z': _griz(-1.370, 1.190, -1.122, 0.965, -1.089, 0.858,
                      -1.129, 0.791),
         'r-i': _griz(-1.405, 4.280, -1.155, 3.482, -1.114, 3.087,
                      -1.145, 2.828),
         'r-z': _griz(-1.576, 2.490, -1.298, 2.032, -1.238, 1.797,
                      -1.250, 1.635)},
        imf='Chabrier', models='CB07, with dust',
        # "30 per cent", abstract
        scatter=0.13),
    MassRelation(
        'into2013_exponential',
        'Into & Portinari 2013, MNRAS 430, 2715, exponential histories',
        {'g-r': {'r': (-0.593, 1.373)}, 'g-i': {'r': (-0.652, 1.005)}},
        imf='Kroupa 1998', models='Padova isochrones'),
    MassRelation(
        'into2013_disc',
        'Into & Portinari 2013, MNRAS 430, 2715, disc galaxies',
        {'g-r': {'r': (-0.663, 1.530)}, 'g-i': {'r': (-0.702, 1.098)}},
        imf='Kroupa 1998', models='Padova isochrones'),
)}


def find_relation(relation, bands, colour=None, band=None):
    """
    Choose a relation, its colour and the band of the light.

    Parameters
    ----------
    relation : str or `MassRelation`
        The name of a relation in the register, or one of your own.

    bands : sequence of str
        The bands that there are.

    colour : str, optional
        The colour, such as 'g-i'; by default, the first of the relation's
        for which there are the bands, 'g-i' before others.

    band : str, optional
        The band of the light; by default the redder of the colour, or else
        the first of the relation's.

    Returns
    -------
    relation : `MassRelation`

    colour, band : str

    Raises
    ------
    TypeError, ValueError
        If there is no such relation, or it has no such colour or band, or
        the bands are missing.
    """
    if not isinstance(relation, MassRelation):
        relation = RELATIONS[check_choice(relation, 'relation',
                                          tuple(RELATIONS))]
    chosen = _ways(relation, bands, colour, band)
    if not chosen:
        ways = '; '.join(f'{name} with light in {", ".join(lights)}'
                         for name, lights in relation.coefficients.items())
        wanted = ' '.join(text for text in (colour, band) if text)
        msg = (f'relation {relation.name!r} has {ways}: bands must have '
               f'these, got {", ".join(bands)}'
               + (f', and {wanted} was asked for' if wanted else ''))
        others = [name for name, other in RELATIONS.items()
                  if _ways(other, bands, colour, band)]
        if others:
            msg += f'; relations that can be used: {", ".join(others)}'
        raise ValueError(msg)
    first = chosen[0][0]
    lights = [light for name, light in chosen if name == first]
    red = first.split('-')[1]
    return relation, first, red if red in lights else lights[0]


def _ways(relation, bands, colour, band):
    """
    List the colours and lights of a relation that the bands allow.
    """
    known = sorted(relation.coefficients, key=lambda name: name != 'g-i')
    return [(name, light) for name in known
            for light in relation.coefficients[name]
            if {*name.split('-'), light} <= set(bands)
            and colour in (None, name) and band in (None, light)]
