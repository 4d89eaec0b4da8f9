# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Differences between two profiles.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.profile.checks import complete_profile
from astro_pix2prof.profile.identity import centres_apart, magnitude_systems
from astro_pix2prof.profile.table import interpolate_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ['compare_profiles']


def compare_profiles(
        profiles: dict[str, QTable], reference: QTable, *,
        edges: Sequence[float] = (0.0, 20.0, 22.0, 24.0, 25.0, 26.0, 27.0,
            35.0)) -> QTable:
    """
    Compare profiles with a reference in bins of surface brightness.

    Parameters
    ----------
    profiles : dict of `~astropy.table.QTable`
        The profiles by their labels. The columns ``radius`` and
        ``surface_brightness`` are enough, as a paper may have them.

    reference : `~astropy.table.QTable`
        The profile to compare with, of such columns at least, interpolated
        to the radii of each of the others.

    edges : sequence of float, optional
        The edges of the bins, in mag/arcsec2 of the reference.

    Returns
    -------
    table : `~astropy.table.QTable`
        A row for each profile and bin with rings in it: ``profile``,
        ``bright`` and ``faint`` (the edges of the bin), ``n_rings``,
        ``median`` (of the difference from the reference; positive where the
        profile is fainter) and ``median_abs`` (of its absolute value).

    Raises
    ------
    TypeError
        If something is no profile table.

    ValueError
        If the edges do not increase, or a column has a wrong unit.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If a profile has its centre elsewhere on the sky than the reference,
        or magnitudes of another system.

    Examples
    --------
    >>> from astro_pix2prof import compare_profiles, load_example_truth
    >>> truth = load_example_truth()
    >>> fainter = truth.copy()
    >>> fainter['surface_brightness'] += 0.1 * truth['surface_brightness'].unit
    >>> table = compare_profiles({'fainter': fainter}, truth)
    >>> table['median'][0]
    <Quantity 0.1 mag / arcsec2>
    """
    edges = np.asarray(edges, dtype=float)
    if np.ndim(edges) != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        msg = f'edges must be two or more increasing numbers, got {edges}'
        raise ValueError(msg)
    if not isinstance(profiles, Mapping):
        given = "'a': profile"
        if isinstance(profiles, (list, tuple)):
            given = ', '.join(f"'{name}': profiles[{k}]" for k, name in zip(
                range(len(profiles)), 'abc', strict=False))
        msg = ('profiles must be a dict of profiles by their labels, such as '
               f"{{{given}}}, got {type(profiles).__name__}")
        raise TypeError(msg)
    unit = u.mag / u.arcsec**2
    rows = []
    reference = complete_profile(reference, 'reference')
    for label, profile in profiles.items():
        profile = complete_profile(profile, f'profiles[{label!r}]')
        _check_radii(profile, reference, label)
        apart = centres_apart([reference.meta, profile.meta],
                              _last_radius(reference))
        if apart:
            warnings.warn(f'the centres of {label!r} and of the reference '
                          f'are {apart:.3g} arcsec apart: are they profiles '
                          'of one galaxy?', AstropyUserWarning, stacklevel=2)
        systems = magnitude_systems([profile.meta, reference.meta])
        if len(systems) > 1:
            warnings.warn(
                f'{label!r} has {systems[0]} magnitudes and the reference '
                f'{systems[1]}: the differences hold that of the systems; '
                'give images zeropoint= and mag_system= of one system',
                AstropyUserWarning, stacklevel=2)
        level = interpolate_profile(reference, profile['radius'])
        level = u.Quantity(level).to_value(unit)
        value = u.Quantity(profile['surface_brightness']).to_value(unit)
        difference = value - level
        for bright, faint in pairwise(edges):
            inside = (level >= bright) & (level < faint)
            found = difference[inside & np.isfinite(difference)]
            if found.size:
                rows.append((label, bright, faint, found.size,
                             np.median(found), np.median(np.abs(found))))
    names = ('profile', 'bright', 'faint', 'n_rings', 'median', 'median_abs')
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    table = QTable(dict(zip(names, (
        np.array(column, dtype=kind) for column, kind in zip(
            columns, (str, float, float, int, float, float), strict=True)),
        strict=True)))
    for name in ('bright', 'faint', 'median', 'median_abs'):
        table[name] = u.Quantity(table[name], unit)
    return table


def _last_radius(profile):
    """
    Find the radius of the last ring (arcsec); 0 for radii in pixels.
    """
    radius = profile['radius']
    return (0.0 if radius.unit == u.pix or not len(radius)
            else float(np.nanmax(radius.to_value(u.arcsec))))


def _check_radii(profile, reference, label):
    """
    Refuse radii in pixels beside radii on the sky.
    """
    own, other = profile['radius'].unit, reference['radius'].unit
    if not own.is_equivalent(other):
        in_pixels = ('the reference' if own.is_equivalent(u.arcsec)
                     else f'profiles[{label!r}]')
        msg = (f'profiles[{label!r}] has radii in {own} and the reference in '
               f'{other}: measure the image of {in_pixels} with its pixel '
               'scale (pixel_scale=)')
        raise ValueError(msg)
