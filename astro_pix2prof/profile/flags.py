# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Bit flags of rings, profiles, structural parameters and clumps.

Each member of the classes below is a row of the table of flags: its bit, one
line, and a paragraph that says what it means and what to do. The constants,
`decode_flags`, `describe_flags`, the docstrings, the documentation and the
report all follow from these rows.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from astro_pix2prof.wording import shown

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike

__all__ = ['ClumpFlag', 'FlagDescription', 'GalaxyFlag', 'RingFlag',
           'StructureFlag', 'decode_flags', 'decode_structure_flags',
           'describe_flags']


# Corrections for the PSF beyond this (mag) have the flag PSF_CORRECTED.
LARGE_CORRECTION = 0.1


class _DescribedFlag(enum.IntFlag):
    """
    Bit flags of which each has a line and a paragraph of description.
    """

    def __new__(cls, bit, line='', text=''):
        # A combination of flags is made from its value alone.
        flag = int.__new__(cls, bit)
        flag._value_ = bit
        flag.__doc__ = flag.line = line
        flag.text = text
        return flag


def _list_members(kind):
    """
    Append the names, bits and lines of all members to a class docstring.
    """
    rows = [f'``{flag.name}`` ({int(flag)})\n    {flag.line}'
            for flag in kind]
    # (there is no docstring under python -OO)
    kind.__doc__ = '\n'.join([kind.__doc__ or '', *rows])
    return kind


@_list_members
class RingFlag(_DescribedFlag):
    """
    Bit flags for individual rings of a profile: its column ``flag``.

    See `describe_flags` for what to do about each.
    """

    NEGATIVE = (
        1, 'The intensity is not positive: the surface brightness is NaN.',
        'The mean of the ring lies below the sky level, as happens by chance '
        'where the galaxy has faded into the noise. The intensity and its '
        'error are kept: use these for sums and fits, since leaving such '
        'rings out makes the outskirts too bright.')
    LOW_SNR = (
        2, 'The signal-to-noise ratio of the ring is below 1.',
        'The intensity is smaller than its error. Such rings are consistent '
        'with no light: use them in weighted fits only.')
    EXTENDED = (
        4, 'The ellipse carries on the outermost fitted one.',
        'No ellipse could be fitted from here outwards. The brightness is '
        'that of the pixels on the ellipse; ellipticity and position angle '
        'tell nothing new.')
    INTERPOLATED = (
        8, 'No good fit at this radius: the ellipse is interpolated.',
        'The ellipse follows from those fitted inside and outside of it. '
        'Brightness is measured; do not use its shape as a measurement of '
        'its own.')
    FIXED_GEOMETRY = (
        16, 'The ellipse was given or held, not fitted.',
        'The shape comes from another profile (geometry), from the moments '
        'of the galaxy, or from a network that finds no ellipses. Errors of '
        'the shape do not enter the errors of the brightness.')
    FEW_PIXELS = (
        32, 'Less than half of the ring was usable.',
        'The rest is masked, bad or outside of the frame, as the column '
        '``n_valid`` tells. Where the galaxy is not symmetric the mean may '
        'be off by more than its error.')
    SATURATED = (
        64, 'Saturated pixels on the ring.',
        'The true brightness is higher; the error holds what an '
        'exponential through the next rings adds. Leave the ring out of '
        'fits, or mask the saturated pixels and fit again.')
    EDGE = (
        128, 'The ring leaves the frame.',
        'The mean is that of the part inside the frame. Take a larger '
        'cut-out if there is one.')
    UNRESOLVED = (
        256, 'Inside the core of the PSF, or the innermost pixel.',
        'Brightness and shape are those of the point-spread function as much '
        'as of the galaxy. Leave these rings out of fits of models that are '
        'not convolved, and out of colours of bands with different seeing.')
    EXTRAPOLATED = (
        512, 'The value does not come from pixels of this ring.',
        'No pixel of the ring was usable, or the radius lies outside of the '
        'measured profile. Leave the ring out where values have to be '
        'measured.')
    GROWTH_EXTRAPOLATED = (
        1024, 'More than 5% of the light in mag_enclosed is beyond the frame.',
        'The parts of ellipses beyond the frame count with the mean of those '
        'inside: ``mag_enclosed`` is an estimate, without an error, from '
        'here outwards. The ring itself is judged by its other flags. Take a '
        'larger cut-out, or the magnitudes of `measure_structure`, which '
        'state how much is extrapolated and its error.')
    PSF_CORRECTED = (
        2048, 'The correction for the PSF is larger than 0.1 mag.',
        'The value is that of a model as much as of the pixels of the ring. '
        'See the columns ``psf_correction`` and ``psf_correction_err``; '
        'leave the ring out where values have to be measured.')


@_list_members
class GalaxyFlag(_DescribedFlag):
    """
    Bit flags for a whole profile: ``profile.meta['flag']``.

    See `describe_flags` for what to do about each.
    """

    UNCALIBRATED = (
        1, 'No zero point: magnitudes are NaN.',
        'The image has no unit or header keyword that gives a zero point. '
        'Intensities and shapes are measured as usual; give ``zeropoint=`` '
        'or ``unit=`` to have magnitudes.')
    SECOND_GUESS = (
        2, 'The first geometry led nowhere, a later one did.',
        'Isophotes could be fitted only from another first ellipse. The '
        'result is as good as others, but look at the ellipses.')
    FIXED_ELLIPSES = (
        4, 'No isophote could be fitted: annuli of fixed shape.',
        'All rings have the shape that the moments of the galaxy give. The '
        'brightness is that of annuli; ellipticity and position angle are '
        'rough.')
    CENTRE_UNCERTAIN = (
        8, 'The galaxy has no clear centre.',
        'It is faint or clumpy, the centre moved until the last step or was '
        'kept within the search radius, which ring networks are free to '
        'leave, or so many pixels around it are '
        'missing side by side that the peak may be one of them. Or the stated '
        'error of the centre is above half a pixel, and the brightness '
        'changes over it, or a higher peak is close by, or the core that '
        '``IsophoteFitter`` measured is lopsided about the centre; the flat '
        'middle of a '
        'faint disc has no flag, while ``centre_err`` has its error. The '
        'innermost rings are affected the most; give ``position=`` and hold '
        'the centre if it is known.')
    CENTRE_OFFSET = (
        16, 'The galaxy was found far from the position.',
        'It lies beyond six tenths of the search radius, which is 15 pixels '
        'from the middle of a large frame without a position, and may be '
        'another one. The profile of the galaxy found holds all the same. '
        'Look at the image, and give ``position=`` or a smaller '
        '``search_radius=`` if it is another.')
    NEIGHBOUR = (
        32, 'Another object touches the galaxy.',
        'Its light was left out by a network, a tenth of the light of the '
        'galaxy or more, or masked by the isophote fit, 5 per cent of its '
        'pixels or 2 of its light: a merger, a star in front, a trail. Or '
        'there is a second nucleus, or a star that blends with the nucleus, '
        'much light on one side only, an arc '
        'on one side in some rings, or a faint copy of the galaxy on one '
        'side, as of frames that were added with a wrong offset, or many '
        'compact sources in the outskirts, as of a star cluster in front, '
        'which a network left out in part, or a smooth companion, fainter '
        'than the noise of a pixel, that an isophote fit could not mask: '
        'then the profile may be that of two galaxies, or of a galaxy and '
        'stars. Look at the mask or the weights; '
        'totals and outskirts may hold light of the other.')
    TRUNCATED = (
        64, 'The galaxy reaches the edge of the frame.',
        'There is significant light in the outermost ring, and more than 1 '
        'per cent of all lies beyond the frame: totals and radii '
        'of a fraction of the light are lower limits, and the sky level may '
        'hold light of the galaxy. Take a larger cut-out, or give the sky.')
    SATURATED = (
        128, 'The centre is saturated.',
        'The header says so, or several pixels there share the largest '
        'value, or differ from it by much less than the pixels next to them '
        'do, or scatter about one value by much more than these do, or have '
        'less noise than the sky, or are darker than these, with an edge '
        'that no light has, or are flat within a radius at which the light '
        'of a galaxy breaks off more sharply than any does. The innermost '
        'rings, with the flag SATURATED, and the light within, are too '
        'faint; totals and radii of measure_structure do without them.')
    SKY_UNCERTAIN = (
        256, 'Too little sky in the frame, or a sky that is not flat.',
        'The level of the sky is found from the decline of the galaxy, or '
        'from few pixels; or its means over parts of the frame differ by '
        'more than noise and faint objects allow, and the error of the sky '
        'holds that; or the sky is darker around the galaxy than farther out, '
        'as where a map of the sky took light from the outskirts; or an '
        'area at the galaxy is darker than the sky, as under dust on the '
        'detector, or where a star was subtracted (mask it); or an '
        'area on one side of the galaxy is evenly brighter than the '
        'opposite, as by scattered light of a bright star, or has a circle '
        'as its edge, as a star that a camera reflects out of focus; or a '
        'network took a steep plane from the image; or the '
        'pixels are rounded to some three times their noise or more, or cut '
        'off below, and that is part of the errors of all rings. Take a '
        'larger cut-out, give ``sky=`` and its error; '
        "subtract a map (``background=``), or try ``sky='plane'``.")
    NO_SOURCE = (
        512, 'Nothing significant at the position.',
        'There is no galaxy to measure: do not use the profile. Its '
        'intensities and their errors are kept as upper limits; surface '
        'brightness, magnitudes and radii of a fraction of the light are '
        'NaN, but for ellipses that were given (FORCED). If there should be '
        'a galaxy, check the position and the image; in a sky with a strong '
        'gradient, give ``sky="plane"``.')
    OUT_OF_DOMAIN = (
        1024, 'The image is unlike those that the network was trained on.',
        'What the network saw is farther from its training images than 99 '
        'per cent of these, or its profile disagrees with the pixels. Do '
        'not trust the profile without a look, or use ``IsophoteFitter``. '
        'For any fitter, bright pixels have significantly less noise than the '
        'sky: a picture whose values are a logarithm, a root or the like of '
        'the light. Then the profile means nothing; take the image itself. '
        'Or the image was sharpened, or smoothed by a median filter: its '
        'core is wrong; take the image before that.')
    FORCED = (
        2048, 'The ellipses were given.',
        'They were given by ``geometry=``, such as for colours, or by '
        '``ellipticity=`` and ``pa=``. Ellipticity and position angle are not '
        'measured on this image, nor is the centre if it was given with '
        'them.')
    HEAVILY_MASKED = (
        4096, 'More than half of a bright ring is masked.',
        'The light there is known from the rest of the ring only. One pixel '
        'in the centre does not count. Check the mask; where the galaxy is '
        'not symmetric the profile may be off by more than its error.')
    NO_INITIAL = (
        8192, 'The initial geometry was of no use: measured without it.',
        'The fit or profile given by ``initial=`` failed or found no galaxy '
        'in the image. The result is that of a fit without it.')
    FAILED = (
        16384, 'Nothing was measured; ``message`` says why.',
        'A row of a batch or survey without a profile. The column '
        '``message`` holds the error.')
    POINT_SOURCE = (
        32768,
        'As compact as the point-spread function: a star, or not resolved.',
        'The profile falls as a point-spread function does and is round, or '
        'as elongated within the core as beyond, as stars that were guided '
        'badly are. Its shape tells nothing of a galaxy. It is not set where '
        'a galaxy is seen around a bright nucleus, nor where round sources in '
        'the image are much narrower. Give ``psf_fwhm=`` if the '
        'point-spread function is wider than eight pixels, or if the pixels '
        'are coarse and the image shows no star.')
    WRONG_NOISE = (
        65536,
        'The noise is not as stated, correlated or uneven: no error holds.',
        'Neighbouring pixels differ by less than the noise allows, as in '
        'smoothed or resampled images, rows and columns repeat the one '
        'before, as in enlarged ones, a part of the frame has more noise '
        'than another, or the map of the noise says too little. Values '
        'hold, errors do not; give the noise as it is. Or two parts of the '
        'detector with different gains meet in the galaxy, as noise and '
        'light tell, which change by the same factor there, or some rows or '
        'columns, or parts of them, lost or gained as much light all along, '
        'or a row or column was read twice, or the light breaks off at one, '
        'as where rows were lost or halves of an image were joined wrongly, '
        'or an area of the galaxy is as dark as the sky, as gaps between '
        'chips whose borders were smoothed or that were filled with noise: '
        'then values do not hold either. Mask such lines and areas, or take '
        'another image.')
    GEOMETRY_UNCERTAIN = (
        131072,
        'The ellipses are known roughly: the profile may be off with them.',
        'The errors of the ellipticity, in the column ``ellipticity_err``, '
        'change the surface brightness much over half of the galaxy, as of '
        'faint and clumpy galaxies, thin discs and mergers. Where the light '
        'is flat they do not matter. Or a polar ring, or a second disc, lies '
        'across the ellipses of a network, and makes a ring brighter by a '
        'fifth. Look at the ellipses; compare '
        'with another fitter, or give ``ellipticity=`` and ``pa=`` or '
        '``geometry=`` if they are known.')


@_list_members
class StructureFlag(_DescribedFlag):
    """
    Bit flags for structural parameters: the column ``flag`` of these.

    See `describe_flags` for what to do about each.
    """

    UNCALIBRATED = (
        1, 'No zero point: magnitudes and isophotal radii are NaN.',
        'Radii that enclose a fraction of the light, concentrations and the '
        'shapes of fitted models need none and are measured.')
    TOO_FEW_RINGS = (
        2, 'Fewer than five usable rings: nothing was measured.',
        'Usable are finite rings out to the last with a signal-to-noise '
        'ratio above 1. All quantities are NaN.')
    NOT_ASYMPTOTIC = (
        4,
        'The growth curve has not levelled off, or the frame cuts it.',
        'The total is that of a fit to the outer rings, with an error that '
        'holds what is not known of their shape. Where ``mag_total_err`` is '
        'NaN there is no such fit: the total is that of the aperture, a '
        'lower limit of the light, and radii that enclose a fraction of it '
        'are too small. Measure the galaxy further out, in a larger or '
        'deeper image.')
    LEVEL_NOT_REACHED = (
        8, 'The profile does not reach one of the isophotal levels.',
        'The radius of that level is NaN: the profile ends at a brighter '
        'one, the level is below the error of the rings, or the centre is '
        'fainter.')
    PETROSIAN_NOT_REACHED = (
        16,
        'The profile does not reach the Petrosian radius, or twice of it.',
        'The Petrosian magnitude, and the radius if it is not reached '
        'either, are NaN. If only twice of it is not reached, the flag is set '
        'where a tenth of the light or more lies outside of the profile. '
        'Measure the galaxy further out.')
    SERSIC_FAILED = (
        32, 'The Sersic fit failed.',
        'No start converged; its parameters are NaN.')
    BULGE_DISC_FAILED = (
        64, 'The Sersic + exponential fit failed.',
        'No start converged, the fit is worse than that of a Sersic law '
        'alone, or there is no disc to begin with; its parameters are NaN.')
    DISC_FAILED = (
        128, 'No disc scale length could be fitted.',
        'The outer profile does not decline, or has fewer than six '
        'significant rings.')
    EXTRAPOLATED = (
        256, 'More than a tenth of the light lies beyond the profile.',
        'The column ``extrapolated_fraction`` says how much. That part of '
        'the total, and of all radii that enclose a fraction of it, rests '
        'on the decline of the outer rings.')
    NO_SOURCE = (
        512, 'The profile has the flag NO_SOURCE: nothing was measured.',
        'There is no galaxy at the position. All quantities are NaN.')
    CORE_FAILED = (
        1024, 'The core-Sersic fit failed.',
        'No start converged; its parameters are NaN. It is made only if a '
        'PSF is given (psf).')
    PSF_SIZED = (
        2048, 'The galaxy is no larger than the PSF.',
        'The effective radius of the Sersic fit behind the PSF that was '
        'given is below its full width at half maximum. The parameters rest '
        'on how well the PSF is known: an error of a few per cent of its '
        'width changes them by more than their errors.')
    CENTRE_MISSING = (
        4096, 'More than a tenth of the light lies inside the first ring.',
        'Rings at the centre were left out, and the table does not say how '
        'much light they enclose, or they are saturated. The '
        'light there is that of Sersic fits to the inner rings; a nucleus or '
        'a small bulge is not in it. Radii inside the first ring, and '
        '``mu_0``, are NaN. Saturated rings with a third of the light count '
        'as they are: totals are too faint by more than their errors.')
    COMPONENT_UNSEEN = (
        8192,
        'The profile does not need a bulge, or a disc, beside the other.',
        'In the fit of a bulge and a disc, the surface brightness of one of '
        'them has an error above 2.5 mag, or no error as no ring depends on '
        'it: its parameters are NaN, and so is ``b_t`` if it is not known. '
        'Those of the other component, and the Sersic fit, remain.')


@_list_members
class ClumpFlag(_DescribedFlag):
    """
    Bit flags of clumps: the column ``flag`` of `find_clumps`.

    See `describe_flags` for what to do about each.
    """

    EDGE = (
        1, 'The clump is within 1.5 FWHM of the edge of the image.',
        'A part of its light is missing: the flux is what a point-spread '
        'function that fits the rest would have.')
    MASKED = (
        2, 'Pixels within 1 FWHM of it are masked.',
        'Or more than 15% of the weight of the point-spread function lies on '
        'pixels that do not count. Flux and position rest on the others: the '
        'clump may lie under the masked pixels, and its flux be too small.')
    BLENDED = (
        4, 'Another object is within 1.5 FWHM.',
        'The fluxes were fitted together, and their errors are '
        'underestimated: what one has too much, the other lacks.')
    NUCLEUS = (
        8, 'The clump is within 2 FWHM of the centre of the galaxy.',
        'The light of the centre is steep there, and what is left of it '
        'after the subtraction of the rings can look like a clump.')
    NONLINEAR = (
        16, 'The image is a picture: its values are not fluxes.',
        'Pictures are compressed in brightness: fluxes, their errors and '
        'shares of the galaxy are those of the values in the picture, in '
        'which faint light counts for too much. Positions are not affected.')
    UNSURE_CLASS = (
        32, 'The other class is nearly as likely.',
        'The probabilities of a clump and of another object differ by less '
        'than a factor of 2: one image in one band does not tell a star '
        'before the galaxy from a compact clump in it.')


_KINDS = {'ring': RingFlag, 'galaxy': GalaxyFlag, 'structure': StructureFlag,
          'clump': ClumpFlag}


class FlagDescription(NamedTuple):
    """
    A row of the table of flags.

    Attributes
    ----------
    name : str
        The name of the flag.

    bit : int
        Its bit, a power of 2.

    line : str
        A sentence on its meaning.

    text : str
        A paragraph on what it means and what to do.
    """

    name: str
    bit: int
    line: str
    text: str


def _kind(kind):
    if isinstance(kind, str) and kind in _KINDS:
        return _KINDS[kind]
    msg = ("kind must be 'ring', 'galaxy', 'structure' or 'clump', got "
           f'{kind!r}')
    raise ValueError(msg)


def describe_flags(kind: str = 'ring') -> list[Any]:
    """
    List the flags of a kind, with their meaning.

    Parameters
    ----------
    kind : {'ring', 'galaxy', 'structure', 'clump'}, optional
        'ring' for the column ``flag`` of a profile, 'galaxy' for
        ``meta['flag']``, 'structure' for the column ``flag`` of structural
        parameters, 'clump' for that of `find_clumps`.

    Returns
    -------
    flags : list of named tuple
        ``name``, ``bit``, ``line`` (a sentence) and ``text`` (a paragraph)
        of each flag, in the order of the bits.

    Raises
    ------
    ValueError
        If ``kind`` is none of the four.

    Examples
    --------
    >>> from astro_pix2prof import describe_flags
    >>> flag = describe_flags('ring')[1]
    >>> flag.name, flag.bit
    ('LOW_SNR', 2)
    >>> flag.line
    'The signal-to-noise ratio of the ring is below 1.'
    """
    return [FlagDescription(flag.name, int(flag), flag.line, flag.text)
            for flag in _kind(kind)]


# All bits of the columns of flags, which are of 32 bits with a sign.
_LARGEST = 2**31 - 1


def decode_flags(value: int | ArrayLike, kind: str = 'ring') -> Any:
    """
    List the names of the flags that are set.

    Parameters
    ----------
    value : int or array-like of int
        A flag, or a column of flags. Bits without a name are left out.

    kind : {'ring', 'galaxy', 'structure', 'clump'}, optional
        'ring' for the column ``flag`` of a profile, 'galaxy' for
        ``meta['flag']``, 'structure' for the column ``flag`` of structural
        parameters, 'clump' for that of `find_clumps`.

    Returns
    -------
    names : list of str, or list of such lists
        `None` for a masked value, of which nothing is known: an empty list
        is that of a flag of 0, with which all is well.

    Raises
    ------
    ValueError
        If ``kind`` is none of the four, or a flag is not an integer, or
        none that 31 bits hold.

    Examples
    --------
    >>> from astro_pix2prof import decode_flags
    >>> decode_flags(5)
    ['NEGATIVE', 'EXTENDED']
    >>> decode_flags([0, 2])
    [[], ['LOW_SNR']]
    >>> decode_flags(96, kind='galaxy')
    ['NEIGHBOUR', 'TRUNCATED']
    """
    members = _kind(kind)
    array = value
    if hasattr(value, 'unmasked'):
        array = np.ma.MaskedArray(value.unmasked, value.mask)
    array = np.ma.asarray(array)
    if array.ndim:
        if array.ndim > 1:
            return [decode_flags(row, kind) for row in array]
        return [None if is_masked else decode_flags(element, kind)
                for element, is_masked in zip(
                    array.data.tolist(), np.ma.getmaskarray(array).tolist(),
                    strict=True)]
    if np.any(getattr(value, 'mask', False)):
        return None
    try:
        bits = int(value)
        exact = bits == value and not isinstance(value, bool | np.bool_)
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact:
        msg = f'value must be an integer flag, got {shown(value)}'
        raise ValueError(msg)
    if not 0 <= bits <= _LARGEST:
        msg = (f'value must be a flag from 0 to {_LARGEST}, got '
               f'{shown(value)}: no sum of flags is that')
        raise ValueError(msg)
    return [flag.name for flag in members if bits & flag]


def decode_structure_flags(value: int | ArrayLike) -> list[Any]:
    """
    List the names of the `StructureFlag` bits that are set.

    Parameters
    ----------
    value : int or array-like of int
        A flag, or a column of flags.

    Returns
    -------
    names : list of str, or list of such lists
        As ``decode_flags(value, kind='structure')`` returns them.
    """
    return decode_flags(value, kind='structure')
