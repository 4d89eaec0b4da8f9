# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figures of several profiles.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.plotting.columns import (
    _brightness,
    _check_radius_scale,
    _fitter_text,
    _is_calibrated,
    _set_brightness_axis,
    _set_radius_axis,
    _shown_radius,
    _unit_text,
)
from astro_pix2prof.plotting.style import (
    _COLOURS,
    _MARKERS,
    _band,
    _new_figure,
    _style,
)
from astro_pix2prof.profile.checks import complete_profile
from astro_pix2prof.profile.identity import magnitude_systems
from astro_pix2prof.profile.table import interpolate_profile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from astropy.table import QTable
    from matplotlib.figure import Figure

__all__ = ['plot_profiles']


def plot_profiles(profiles: QTable | dict[str, QTable] | Sequence[QTable], *,
                  reference: str | QTable | None = None,
                  radius_scale: Literal['linear', 'log', 'r1/4'] = 'linear',
                  fig: Figure | None = None) -> Figure:
    """
    Compare the profiles of several fitters, or of several bands.

    Parameters
    ----------
    profiles : `~astropy.table.QTable`, or dict or sequence of these
        A profile, or several by their labels. In a sequence their labels
        are the names of the weights (``isophotes`` where there are none) or
        the bands, if these differ, else numbers. Of a published one, a
        table with the columns ``radius`` and ``surface_brightness`` is
        enough.

    reference : str or `~astropy.table.QTable`, optional
        The label of the profile, or a further one, from which the lower
        panel shows the differences. By default, the first of ``profiles``
        if there is more than one.

    radius_scale : {'linear', 'log', 'r1/4'}, optional
        The scale of the semi-major axis: linear, logarithmic (without the
        ring at the centre), or its fourth root.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in. By default, a new one of pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.

    Raises
    ------
    TypeError
        If something is no profile table.

    ValueError
        If there is no profile, their radii have different units, the
        reference is not the label of one, there is a reference and a
        profile is not calibrated, or the scale is not known.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If their magnitudes are of different systems.

    Examples
    --------
    .. plot::
        :include-source:

        from astro_pix2prof import (
            IsophoteFitter,
            load_example,
            load_example_truth,
            plot_profiles,
        )

        profile = IsophoteFitter()(load_example())
        plot_profiles({'isophotes': profile},
                      reference=load_example_truth())
    """
    profiles = _labelled(profiles)
    scale = _check_radius_scale(radius_scale)
    if isinstance(reference, str):
        if reference not in profiles:
            msg = (f'reference must be one of {", ".join(profiles)}, or a '
                   f'profile, got {reference!r}')
            raise ValueError(msg)
        reference = profiles[reference]
    elif reference is not None:
        reference = complete_profile(reference, 'reference')
    units = {_unit_text(profile) for profile in (
        *profiles.values(), *([] if reference is None else [reference]))}
    if len(units) > 1:
        msg = ('profiles must all have radii in arcsec or all in pixels, got '
               f'{" and ".join(sorted(units))}')
        raise ValueError(msg)
    calibrated = all(_is_calibrated(profile) for profile in (
        *profiles.values(), *([] if reference is None else [reference])))
    if reference is not None and not calibrated:
        msg = ('reference needs profiles with surface brightnesses, but one '
               'of them is not calibrated')
        raise ValueError(msg)
    if reference is None and calibrated and len(profiles) > 1:
        reference = next(iter(profiles.values()))
    systems = magnitude_systems([profile.meta for profile in (
        *profiles.values(), *([] if reference is None else [reference]))])
    if calibrated and len(systems) > 1:
        warnings.warn(
            f'profiles have {" and ".join(systems)} magnitudes, which are '
            'drawn as they are: give images zeropoint= and mag_system= of '
            'one system', AstropyUserWarning, stacklevel=2)

    fig = _new_figure(fig, (7.0, 6.0))
    if reference is None:
        axes = [fig.add_subplot()]
    else:
        grid = fig.add_gridspec(2, 1, height_ratios=(2.4, 1), hspace=0.0)
        axes = [fig.add_subplot(grid[0])]
        axes.append(fig.add_subplot(grid[1], sharex=axes[0]))
        axes[0].tick_params(labelbottom=False)
        if not any(reference is profile for profile in profiles.values()):
            _, value, _ = _brightness(reference)
            axes[0].plot(_shown_radius(reference, scale), value,
                         color='0.25', lw=1.0, zorder=1,
                         label=_fitter_text(reference) or 'reference')
    shown = []
    for i, (label, profile) in enumerate(profiles.items()):
        _, value, error = _brightness(profile)
        radius = _shown_radius(profile, scale)
        style = {'color': _COLOURS[i % len(_COLOURS)], 'ms': 3.5,
                 'marker': _MARKERS[i % len(_MARKERS)], 'lw': 0.8}
        axes[0].plot(radius, value, label=label, zorder=3 + i, **style)
        largest = 1.5 if _is_calibrated(profile) else np.inf
        _band(axes[0], radius, value, error, style['color'],
              largest=largest)
        if reference is not None and profile is not reference:
            difference = value - interpolate_profile(
                reference, profile['radius']).value
            axes[1].plot(radius, difference, zorder=3 + i, **style)
            # the faintest rings scatter by more than is worth showing
            shown.append(difference[~(error > 0.3)])
            _band(axes[1], radius, difference, error, style['color'],
                  largest=largest)
    first = next(iter(profiles.values()))
    _set_brightness_axis(axes[0], [*profiles.values()])
    axes[0].legend(frameon=False)
    if reference is not None:
        axes[1].axhline(0, color='0.25', lw=0.8, zorder=1)
        axes[1].set_ylabel(r'$\Delta\mu$ [mag arcsec$^{-2}$]')
        shown = np.abs(np.concatenate([*shown, [0.04]]))
        limit = 1.2 * np.nanmax(shown)
        axes[1].set_ylim(min(limit, 2.0), -min(limit, 2.0))
        fig.align_ylabels(axes)
    axes[-1].set_xlabel(f'Semi-major axis [{_unit_text(first)}]')
    for ax in axes:
        _style(ax)
        _set_radius_axis(ax, scale, [*profiles.values()])
    return fig


def _labelled(profiles):
    """
    Check profiles and return them by their labels.
    """
    if isinstance(profiles, Mapping):
        profiles = {str(label): profile
                    for label, profile in profiles.items()}
    elif isinstance(profiles, list | tuple):
        labels = [f'profile {k}' for k in range(1, len(profiles) + 1)]
        known = [complete_profile(profile, f'profiles[{label!r}]')
                 for label, profile in zip(labels, profiles, strict=True)]
        for found in ([_fitter_text(profile) for profile in known],
                      [profile.meta.get('band') for profile in known]):
            if all(found) and len(set(found)) == len(found):
                labels = found
                break
        profiles = dict(zip(labels, profiles, strict=True))
    else:
        profile = complete_profile(profiles, 'profiles')
        return {_fitter_text(profile) or 'profile': profile}
    if not profiles:
        msg = 'profiles must hold at least one profile, got none'
        raise ValueError(msg)
    return {label: complete_profile(profile, f'profiles[{label!r}]')
            for label, profile in profiles.items()}
