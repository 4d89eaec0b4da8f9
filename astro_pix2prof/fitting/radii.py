# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The radii at which a user wants a profile.
"""

from dataclasses import dataclass

import astropy.units as u
import numpy as np

from astro_pix2prof.arguments import (
    check_flag,
    check_number,
    check_positive,
    read_lengths,
)
from astro_pix2prof.profile.brightness import (
    curve_of_growth,
    intensity_to_sb,
)
from astro_pix2prof.wording import shown

__all__ = ['RADII_META', 'RADIUS_OPTIONS', 'RingRadii',
           'enclosed_magnitudes', 'geometric_radii']


# Options of fitters and of their calls from which the radii follow.
RADIUS_OPTIONS = ('radii', 'step', 'linear', 'max_radius')


# The entry of the meta of a profile whose radii the user chose.
RADII_META = {'radii': 'given'}

# Largest number of rings: more are a wrong unit.
_MOST = 20_000

# Range of relative steps.
_RELATIVE = 0.01, 0.5

# Least radius (pixels) that a profile may end at.
_LEAST = 2.0


def geometric_radii(max_sma, step):
    """
    Make semi-major axes: half a pixel apart, then evenly in the logarithm.

    Parameters
    ----------
    max_sma : float
        The largest, in pixels.

    step : float
        The relative step; where it is less than half a pixel, the radii are
        half a pixel apart.

    Returns
    -------
    sma : 1D `~numpy.ndarray`, shape (n,)
        In pixels, from 0 on.
    """
    linear = np.arange(0, 0.5 / step, 0.5)
    outer = np.exp(np.arange(np.log(linear[-1] + 0.5), np.log(max_sma),
                             step))
    return np.concatenate([linear, outer])


@dataclass(frozen=True)
class RingRadii:
    """
    Semi-major axes that a user asks for, before the image is known.

    Plain numbers are pixels of the image, as everywhere in the fitters;
    quantities are angles or pixels. Texts of quantities will do, such as
    '2arcsec', '10%' and '1,2,5pix'.

    Parameters
    ----------
    radii : 1D array_like or `~astropy.units.Quantity`, optional
        The semi-major axes. Without them, they follow from the others.

    step : float or `~astropy.units.Quantity`, optional
        The relative step from one to the next; or the constant step, if it
        is a quantity or ``linear`` is `True`.

    linear : bool, optional
        Whether ``step`` is constant. By default, if it is a quantity.

    max_radius : float or `~astropy.units.Quantity`, optional
        The largest semi-major axis.

    Raises
    ------
    TypeError
        If a value is of the wrong kind.

    ValueError
        If a value is out of range or in the wrong unit, or if they
        contradict each other.
    """

    radii: object = None
    step: object = None
    linear: object = None
    max_radius: object = None

    def __post_init__(self):
        given = self.step
        for name in ('step', 'max_radius'):
            object.__setattr__(self, name, _plain(getattr(self, name), name))
        if self.radii is not None:
            more = [name for name in ('step', 'linear', 'max_radius')
                    if getattr(self, name) is not None]
            if more:
                names = ' or '.join(f'{name}=' for name in more)
                msg = (f'radii must not be given with {names}: they say '
                       'where every ring lies')
                raise ValueError(msg)
            object.__setattr__(self, 'radii', _check_radii(self.radii))
        if self.linear is not None:
            check_flag(self.linear, 'linear')
        self._check_step(given)
        if self.max_radius is not None:
            _check_length(self.max_radius, 'max_radius')
            if not isinstance(self.max_radius, u.Quantity):
                check_number(self.max_radius, 'max_radius', least=_LEAST)

    def _check_step(self, given):
        """
        Check the step; messages show it as it was given.
        """
        step, linear = self.step, self.linear
        if step is None:
            if linear:
                msg = ('linear=True needs a step: give step= in pixels or as '
                       'an angle, got None')
                raise ValueError(msg)
            return
        if isinstance(step, u.Quantity) and (
                step.unit != u.dimensionless_unscaled):
            if linear is False:
                msg = ('step must be a number without unit with '
                       f"linear=False, got the unit '{step.unit}'")
                raise ValueError(msg)
            _check_length(step, 'step')
        elif linear:
            check_positive(step, 'step')
        else:
            _check_relative(step, given)

    @property
    def is_linear(self):
        """
        Tell whether the step is constant (bool).
        """
        return bool(self.linear) or (
            isinstance(self.step, u.Quantity)
            and self.step.unit != u.dimensionless_unscaled)

    @property
    def is_free(self):
        """
        Tell whether nothing was asked for (bool).
        """
        return self.radii is None and self.step is None and (
            self.max_radius is None)

    def updated(self, options):
        """
        Replace the choice by that of a call.

        Parameters
        ----------
        options : dict
            Some of ``radii``, ``step``, ``linear`` and ``max_radius``.
            Radii replace all of the settings, and a step replaces radii.

        Returns
        -------
        radii : `RingRadii`
        """
        given = {name: value for name, value in options.items()
                 if value is not None}
        if not given:
            return self
        kept = {name: getattr(self, name) for name in RADIUS_OPTIONS}
        if 'radii' in given:
            kept = {}
        else:
            del kept['radii']
        if 'step' in given:
            kept.pop('linear', None)
        return type(self)(**{**kept, **given})

    def max_pixels(self, cutout):
        """
        Convert the largest semi-major axis to pixels.

        Parameters
        ----------
        cutout : `~astro_pix2prof.GalaxyCutout`
            The image.

        Returns
        -------
        max_sma : float or `None`
            `None` if none was given.

        Raises
        ------
        ValueError
            If it is less than two pixels, or an angle and the image has no
            pixel scale.
        """
        if self.max_radius is None:
            return None
        largest = float(_pixels(self.max_radius, cutout, 'max_radius'))
        if largest < _LEAST:
            msg = (f'max_radius must be at least {_LEAST:g} pixels, got '
                   f'{self.max_radius}, which are {largest:.3g} pixels of '
                   'this image')
            raise ValueError(msg)
        # (nothing of an image is farther from anything in it)
        return min(largest, float(np.hypot(*cutout.shape)))

    def check(self, cutout):
        """
        Check that the radii can be converted to pixels of an image.

        Parameters
        ----------
        cutout : `~astro_pix2prof.GalaxyCutout`
            The image.

        Raises
        ------
        ValueError
            If they cannot.
        """
        if self.radii is not None:
            _pixels(self.radii, cutout, 'radii')
        self.max_pixels(cutout)
        if self.is_linear:
            _pixels(self.step, cutout, 'step')

    def wanted(self, cutout, own):
        """
        Make the semi-major axes that were asked for.

        Parameters
        ----------
        cutout : `~astro_pix2prof.GalaxyCutout`
            The image.

        own : 1D `~numpy.ndarray`, shape (n,)
            The semi-major axes (pixels) that the fitter chooses.

        Returns
        -------
        sma : 1D `~numpy.ndarray`, shape (m,), or `None`
            In pixels; `None` if those of the fitter are as good.

        Raises
        ------
        ValueError
            If an angle was given and the image has no pixel scale, or if
            the steps are so small that there are too many.
        """
        if self.radii is not None:
            return _pixels(self.radii, cutout, 'radii')
        largest = self.max_pixels(cutout)
        if self.step is None:
            return None if largest is None else _continue(own, largest)
        end = own[-1] if largest is None else largest
        # (the last one counts, whatever rounding does to it)
        end *= 1 + 1e-9
        if not self.is_linear:
            return geometric_radii(end, float(self.step))
        step = float(_pixels(self.step, cutout, 'step'))
        if end / step > _MOST:
            msg = (f'step must be larger: {self.step} makes more than '
                   f'{_MOST} rings out to {end:.0f} pixels')
            raise ValueError(msg)
        return step * np.arange(int(end / step) + 1)


def _plain(value, name):
    """
    Convert a text to a number or a quantity, and per cent to a number.
    """
    if isinstance(value, str):
        try:
            value, = read_lengths(value)
        except ValueError:
            kind = ("a number, or a quantity such as '2arcsec' or '10%'"
                    if name == 'step' else
                    "a number of pixels, or a quantity such as '10arcsec'")
            msg = f'{name} must be {kind}, got {value!r}'
            raise ValueError(msg) from None
    if name == 'step' and isinstance(value, u.Quantity) and (
            value.unit == u.percent):
        return float(value.to_value(u.dimensionless_unscaled))
    return value


def _check_relative(step, given):
    """
    Check a relative step; tell how another one is written.
    """
    number = check_number(step, 'step')
    least, most = _RELATIVE
    if least <= number <= most:
        return
    hint = ''
    is_plain = not isinstance(given, u.Quantity) and '%' not in str(given)
    if number > most and is_plain:
        hint = (f": write '{number:g}pix' or '{number:g}arcsec' for a "
                'constant step')
        if number <= 100 * most:
            hint += f", '{number:g}%' for a relative one"
    msg = (f'step must be a finite number from {least} to {most}, got '
           f'{shown(given)}{hint}')
    raise ValueError(msg)


def _check_radii(radii):
    """
    Check radii, in any form, and convert them to a quantity.
    """
    if isinstance(radii, np.ma.MaskedArray):
        radii = radii.astype(float).filled(np.nan) * (
            getattr(radii, 'unit', None) or u.dimensionless_unscaled)
    kind = 'a list of numbers or a Quantity, of angles or pixels'
    try:
        found = u.Quantity(read_lengths(radii) if isinstance(radii, str)
                           else radii, dtype=float, ndmin=1)
    except (TypeError, ValueError):
        found = None
    if found is None or isinstance(radii, bool):
        msg = f'radii must be {kind}, got {radii!r}'
        raise TypeError(msg)
    if found.ndim != 1 or not len(found):
        msg = f'radii must be {kind}, at least one, got the shape ' + str(
            found.shape)
        raise ValueError(msg)
    if len(found) > _MOST:
        msg = f'radii must be at most {_MOST}, got {len(found)}'
        raise ValueError(msg)
    _check_unit(found, 'radii')
    value = found.value
    if not np.isfinite(value).all() or np.any(value < 0):
        wrong = value[~(np.isfinite(value) & (value >= 0))][0]
        msg = f'radii must be finite and not negative, got {wrong}'
        raise ValueError(msg)
    back = np.nonzero(np.diff(value) <= 0)[0]
    if len(back):
        k = back[0]
        msg = ('radii must increase from one to the next, got '
               f'{value[k]:g} before {value[k + 1]:g}: sort them, '
               'each once')
        raise ValueError(msg)
    return found


def _check_unit(value, name):
    unit = value.unit
    if unit not in (u.dimensionless_unscaled, u.pix) and not (
            unit.is_equivalent(u.arcsec)):
        msg = (f'{name} must be angles or pixels, got the unit '
               f"'{unit}'")
        raise ValueError(msg)


def _check_length(value, name):
    """
    Check one length, in pixels or as an angle.
    """
    if isinstance(value, u.Quantity):
        _check_unit(value, name)
        check_positive(value, name, unit=value.unit)
    else:
        check_positive(value, name)


def _pixels(value, cutout, name):
    """
    Convert angles or pixels to plain pixels.
    """
    value = u.Quantity(value)
    if value.unit in (u.dimensionless_unscaled, u.pix):
        return value.value
    if cutout.pixel_scale is None:
        msg = (f'{name} must be in pixels for an image without a pixel '
               f"scale, got the unit '{value.unit}': give pixel_scale=, or "
               'pixels')
        raise ValueError(msg)
    return value.to_value(u.arcsec) / cutout.pixel_scale


def _continue(own, largest):
    """
    End radii at the largest, or carry their steps on to it.
    """
    largest *= 1 + 1e-9
    if own[-1] > largest or len(own) < 3:
        return own[own <= largest]
    ratio = max(own[-1] / own[-2], 1.01)
    n = min(int(np.log(largest / own[-1]) / np.log(ratio)), _MOST)
    return np.concatenate([own, own[-1] * ratio**np.arange(1, n + 1)])


def _column(rings, name):
    """
    Return a column of rings, or zeros.
    """
    column = getattr(rings, name)
    return np.zeros(len(rings)) if column is None else column


def enclosed_magnitudes(whole, part):
    """
    Integrate the light within rings that were asked for.

    Rings may be few and far apart, and need not begin at the centre: the
    light between them is that of the whole profile.

    Parameters
    ----------
    whole, part : `~astro_pix2prof.profile.rings.MeasuredRings`
        The whole profile of the galaxy, and the rings that were asked for.

    Returns
    -------
    mag : 1D `~numpy.ndarray`, shape (n,)
        The magnitude within each ring of ``part``; not-a-number where no
        light was measured at this radius or beyond.
    """
    cutout = part.cutout
    # (a ring that is in both counts once)
    other = np.abs(whole.sma[:, None] - part.sma).min(1) > 1e-6 * np.maximum(
        whole.sma, 1.0)
    sma, value, eps, area = (np.concatenate([
        _column(whole, name)[other], _column(part, name)])
        for name in ('sma', 'intensity', 'eps', 'area_excess'))
    value = value + area
    order = np.argsort(sma, kind='stable')
    flux = np.empty(len(sma))
    flux[order] = curve_of_growth(
        sma[order] * cutout.radius_scale,
        value[order] * cutout.intensity_scale, eps[order])
    return intensity_to_sb(flux[np.count_nonzero(other):],
                           zeropoint=cutout.sb_zeropoint)[0]
