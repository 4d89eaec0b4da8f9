# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Morphology of a galaxy beside its profile, by statmorph.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import binary_fill_holes, gaussian_filter, label

from astro_pix2prof.arguments import check_flag, check_positive
from astro_pix2prof.extras import missing_extra
from astro_pix2prof.psf.model import PSF

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike

    from astro_pix2prof import ProfileFit
    from astro_pix2prof.typing import PSFLike

__all__ = ['MORPHOLOGY_COLUMNS', 'find_segment', 'import_statmorph',
           'measure_morphology']


# Standard deviation (pixels) of the kernel that the image is smoothed with for
# the segmentation, and the threshold in units of the noise of a pixel after
# smoothing, as it is in the detection of the fitters.
_KERNEL, _THRESHOLD = 1.2, 1.5

# Masked part of a galaxy above which there is a warning.
_LARGE_PART = 0.2

# What the flags of statmorph mean.
_QUALITIES = {0: 'good', 1: 'suspect', 2: 'bad', 4: 'catastrophic'}

# A value that statmorph has for what cannot be measured.
_MISSING = -99.0

# A full width at half maximum in units of the standard deviation.
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


class MorphologyColumn(NamedTuple):
    """
    A column of the table of morphologies.

    Attributes
    ----------
    name : str
        Its name, which is that in statmorph.

    unit : str
        'pix' for a position, 'length' for the unit of the profile's
        radius, 'angle', 'flux' for the unit of the image, 'sum' for
        that of sums over its pixels, or '' for none.

    text : str
        Its definition.
    """

    name: str
    unit: str
    text: str


MORPHOLOGY_COLUMNS = tuple(MorphologyColumn(*row) for row in (
    ('concentration', '', 'C, 5 log10(R80 / R20) (Conselice 2003).'),
    ('asymmetry', '', 'A, less that of the sky (Abraham et al. 1996; '
                      'Conselice 2003).'),
    ('smoothness', '', 'S, or clumpiness, less that of the sky (Conselice '
                       '2003; Lotz et al. 2004).'),
    ('gini', '', 'Gini coefficient of the pixels (Lotz et al. 2004).'),
    ('m20', '', 'Second moment of the brightest fifth of the light (Lotz et '
                'al. 2004).'),
    ('gini_m20_bulge', '', 'Bulge statistic F(G, M20) (Snyder et al. '
                           '2015).'),
    ('gini_m20_merger', '', 'Merger statistic S(G, M20) (Snyder et al. '
                            '2015).'),
    ('multimode', '', 'M of the MID statistics (Freeman et al. 2013; Peth '
                      'et al. 2016).'),
    ('intensity', '', 'I of the MID statistics.'),
    ('deviation', '', 'D of the MID statistics.'),
    ('outer_asymmetry', '', 'Asymmetry outside of the half-light ellipse '
                            '(Wen et al. 2014).'),
    ('shape_asymmetry', '', 'Asymmetry of the shape (Pawlik et al. 2016).'),
    ('rms_asymmetry2', '', 'Square of the asymmetry of root mean squares '
                           '(Sazonova et al. 2024).'),
    ('sn_per_pixel', '', 'Mean signal-to-noise ratio of a pixel.'),
    ('xc_centroid', 'pix', 'Centroid of the segment, in pixels of the '
                           'cutout.'),
    ('yc_centroid', 'pix', 'The same in y.'),
    ('xc_asymmetry', 'pix', 'Centre of the least asymmetry.'),
    ('yc_asymmetry', 'pix', 'The same in y.'),
    ('ellipticity_asymmetry', '', 'Ellipticity about that centre, from '
                                  'moments.'),
    ('orientation_asymmetry', 'angle', 'Angle of the major axis, '
                                       'counter-clockwise from +x.'),
    ('flux_circ', 'sum', 'Flux within two circular Petrosian radii.'),
    ('flux_ellip', 'sum', 'Flux within two elliptical Petrosian radii.'),
    ('rpetro_circ', 'length', 'Circular Petrosian radius.'),
    ('rpetro_ellip', 'length', 'Elliptical Petrosian radius.'),
    ('rhalf_circ', 'length', 'Circular half-light radius.'),
    ('rhalf_ellip', 'length', 'Semi-major axis of the half-light ellipse.'),
    ('rmax_circ', 'length', 'Distance of the farthest pixel of the segment '
                            'of the shape asymmetry.'),
    ('rmax_ellip', 'length', 'The same as a semi-major axis.'),
    ('r20', 'length', 'Radius of 20% of the light within 1.5 Petrosian '
                      'radii.'),
    ('r50', 'length', 'Radius of half of it.'),
    ('r80', 'length', 'Radius of 80% of it.'),
    ('sersic_amplitude', 'flux', 'Sersic fit to the image: value at the '
                                 'half-light radius.'),
    ('sersic_rhalf', 'length', 'Sersic fit: half-light semi-major axis.'),
    ('sersic_n', '', 'Sersic fit: index.'),
    ('sersic_xc', 'pix', 'Sersic fit: centre.'),
    ('sersic_yc', 'pix', 'The same in y.'),
    ('sersic_ellip', '', 'Sersic fit: ellipticity.'),
    ('sersic_theta', 'angle', 'Sersic fit: angle from +x.'),
    ('sersic_chi2_dof', '', 'Sersic fit: reduced chi squared.'),
    ('sky_mean', 'flux', 'Mean of a box of sky, which the sky was '
                         'subtracted from.'),
    ('sky_median', 'flux', 'Its median.'),
    ('sky_sigma', 'flux', 'Its standard deviation.'),
))


def import_statmorph():
    """
    Import statmorph, which is an optional dependency.

    Returns
    -------
    statmorph : module

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import statmorph
    except ImportError as error:
        package, extra = 'statmorph', 'morphology'
        raise missing_extra(package, extra, 'the morphology') from error
    return statmorph


def measure_morphology(fit: ProfileFit, *, psf: PSFLike | None = None,
                       segmentation: ArrayLike | None = None,
                       fill: bool = True, **options: Any) -> QTable:
    """
    Measure the morphology of a galaxy that was fitted, by statmorph.

    The image is that of the fit without its sky and without the other
    objects that it found, and the errors are those of the image.

    Parameters
    ----------
    fit : `~astro_pix2prof.fitting.fit.ProfileFit`
        The result of ``fitter.fit(image)``.

    psf : `~astro_pix2prof.PSF`, 2D array_like, float or \
`~astropy.units.Quantity`, optional
        The point-spread function, for the Sersic fit only: a `PSF`; its
        image, with odd sides and the peak in the middle; or its full width
        at half maximum in arcsec (or pixels) for a Gaussian. By default, the
        ``psf_fwhm`` of the image; without one, the fit has no PSF.

    segmentation : 2D array_like, optional
        Not 0 in the pixels of the galaxy. By default, what is connected to
        the centre and brighter than 1.5 times the noise after smoothing, as
        `find_segment` does.

    fill : bool, optional
        Whether pixels that did not count in the profile are filled with the
        smooth model of the galaxy. `False` masks them, and statmorph counts
        the masked part of a galaxy as empty: concentration, radii, Gini and
        M20 are then off by more than the object that is masked would have
        changed them.

    **options
        Passed to ``statmorph.SourceMorphology``, such as ``cutout_extent``.

    Returns
    -------
    morphology : `~astropy.table.QTable`
        One row: the measures, NaN where statmorph has none; ``flag`` and
        ``flag_sersic`` as statmorph has them, ``quality`` in a word
        ('good', 'suspect', 'bad' or 'catastrophic') and ``messages``, its
        warnings; and ``masked_fraction``, the part of the segment that did
        not count in the profile. There are no errors.

    Raises
    ------
    ImportError
        If statmorph is not installed.

    TypeError
        If ``fit`` is not the result of a fit, or an option does not exist.

    ValueError
        If the galaxy has no pixel above the threshold, or an argument does
        not fit the image.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the quality is 'bad' or worse, with the reasons; or if more than
        a fifth of the segment is filled or masked.
    """
    if not all(hasattr(fit, name) for name in ('cutout', 'mask', 'model')):
        msg = ('fit must be the result of fitter.fit(image), not of calling '
               f'the fitter, got {type(fit).__name__}')
        raise TypeError(msg)
    fill = check_flag(fill, 'fill')
    statmorph = import_statmorph()
    cutout = fit.cutout
    image = cutout.data.astype(float) - fit.sky
    mask = _bad_pixels(fit)
    if segmentation is None:
        segment = find_segment(fit, mask)
    else:
        segment = np.asarray(segmentation) != 0
        if segment.shape != cutout.shape:
            msg = ('segmentation must have the shape of the image, '
                   f'{cutout.shape}, got {segment.shape}')
            raise ValueError(msg)
        if not (segment & ~mask).any():
            msg = ('segmentation must have a usable pixel, got none that is '
                   'not masked')
            raise ValueError(msg)
    kernel = _find_psf(psf, cutout)
    masked = float(mask[segment].mean())
    if masked > _LARGE_PART:
        warnings.warn(
            f'{100 * masked:.0f}% of the galaxy is masked: its morphology is '
            + ('partly that of its smooth model' if fill else 'that of the '
               'rest'), AstropyUserWarning, stacklevel=2)
    if fill:
        image = np.where(mask, fit.model(), image)
        mask = ~np.isfinite(image)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstropyUserWarning)
        try:
            # (verbose: the warnings of what is only suspect, too)
            result = statmorph.SourceMorphology(
                image, segment.astype(int), 1, mask=mask,
                weightmap=_sigma(fit), psf=kernel,
                **{'verbose': True, **options})
        except TypeError as error:
            if 'unexpected keyword' not in str(error):
                raise
            msg = f'measure_morphology has no such option: {error}'
            raise TypeError(msg) from error
    messages = list(dict.fromkeys(
        ' '.join(str(item.message).split()) for item in caught
        if issubclass(item.category, AstropyUserWarning)))
    if result.flag >= 2:
        warnings.warn('the morphology is '
                      f'{_QUALITIES.get(result.flag, "bad")}: '
                      f'{" ".join(messages) or "statmorph does not say why"}',
                      AstropyUserWarning, stacklevel=2)
    table = _make_table(result, cutout, messages)
    table['masked_fraction'] = [masked]
    return table


def _bad_pixels(fit):
    """
    Collect the pixels that did not count in the profile.
    """
    mask = np.array(fit.mask, dtype=bool)
    # (a network sees other objects by low weights)
    objects = fit.object_mask()
    return mask if objects is None else mask | objects


def _noise(fit):
    """
    Find the noise of a sky pixel in the unit of the data.
    """
    noise = fit.cutout.noise
    if noise is None:
        return float(fit.cutout.background_noise)
    return float(np.median(noise[~fit.cutout.mask]))


def _sigma(fit):
    """
    Make the map of standard deviations.
    """
    cutout = fit.cutout
    if cutout.noise is not None:
        return cutout.noise.astype(float)
    variance = np.full(cutout.shape, _noise(fit)**2)
    if cutout.gain is not None:
        # (photons of the galaxy, whose model has no noise)
        variance += np.maximum(fit.model(), 0.0) / cutout.gain
    return np.sqrt(variance)


def find_segment(fit, mask=None):
    """
    Find the pixels of the galaxy: connected to its centre, above the noise.

    Masked pixels are filled with the model of the galaxy, so that they
    neither cut it nor add to it.

    Parameters
    ----------
    fit : `~astro_pix2prof.fitting.fit.ProfileFit`
        The result of a fit.

    mask : 2D bool `~numpy.ndarray`, optional
        Pixels that do not count. By default, those of the fit.

    Returns
    -------
    segment : 2D bool `~numpy.ndarray`

    Raises
    ------
    ValueError
        If no pixel near the centre is above the threshold.
    """
    mask = _bad_pixels(fit) if mask is None else mask
    data = np.where(mask, fit.model(),
                    fit.cutout.data.astype(float) - fit.sky)
    smooth = gaussian_filter(np.nan_to_num(data), _KERNEL)
    noise = _noise(fit) / (2 * np.sqrt(np.pi) * _KERNEL)
    regions, _ = label(smooth > _THRESHOLD * noise)
    x, y = fit.centre
    rows, columns = np.ogrid[:data.shape[0], :data.shape[1]]
    near = np.hypot(columns - x, rows - y) < 3.0
    labels = regions[near]
    labels = labels[labels > 0]
    if not labels.size:
        msg = ('fit must have a galaxy that is brighter than 1.5 times the '
               'noise at its centre: give segmentation=')
        raise ValueError(msg)
    segment = binary_fill_holes(regions == np.bincount(labels).argmax())
    if mask[segment].all():
        msg = ('fit must have usable pixels in the galaxy, got all masked: '
               'give segmentation=')
        raise ValueError(msg)
    return segment


def _find_psf(psf, cutout):
    """
    Make the image of the PSF, or none.
    """
    if psf is None:
        if cutout.psf_fwhm is None:
            return None
        psf = cutout.psf_fwhm / cutout.radius_scale * u.pix
    if isinstance(psf, PSF):
        return _sample_psf(psf, cutout)
    psf = getattr(psf, 'data', psf) if not isinstance(
        psf, (u.Quantity, np.ndarray, float, int, np.generic)) else psf
    if np.ndim(psf) == 0:
        scale = cutout.pixel_scale
        fwhm = check_positive(
            psf, 'psf', unit=u.pix if scale is None else u.arcsec,
            equivalencies=() if scale is None else u.pixel_scale(
                scale * u.arcsec / u.pix))
        sigma = fwhm / cutout.radius_scale / _FWHM
        half = int(np.ceil(4 * sigma))
        t = np.arange(-half, half + 1)
        kernel = np.exp(-0.5 * (t / sigma)**2)
        kernel = kernel[:, None] * kernel
        return kernel / kernel.sum()
    kernel = np.asarray(psf, dtype=float)
    if (kernel.ndim != 2 or kernel.shape[0] % 2 == 0
            or kernel.shape[1] % 2 == 0 or not np.isfinite(kernel).all()
            or kernel.sum() <= 0):
        msg = ('psf must be an image with odd sides and a positive sum, or a '
               f'width in arcsec, got an array of the shape {kernel.shape}')
        raise ValueError(msg)
    return kernel / kernel.sum()


def _sample_psf(psf, cutout):
    """
    Sample a PSF at the pixels of an image.
    """
    scale = cutout.pixel_scale
    sampled = psf.sampled(scale)
    half = max(int(sampled.radius / (scale or 1.0)), 1)
    y, x = np.mgrid[-half:half + 1, -half:half + 1] * (scale or 1.0)
    kernel = sampled(x, y)
    return kernel / kernel.sum()


def _flux_unit(cutout):
    """
    Find the unit of sums over pixels, and the sum of one in that unit.
    """
    unit = cutout.unit
    if unit is not None and cutout.pixel_scale is not None:
        plain = unit.decompose()
        if dict(zip(plain.bases, plain.powers, strict=True)).get(u.rad) == -2:
            area = (cutout.pixel_scale * u.arcsec)**2
            return area.to_value(u.sr), unit * u.sr
    return 1.0, unit


def _make_table(result, cutout, messages):
    """
    Put the measures into a table with units.
    """
    units = {'pix': (1.0, u.pix), '': (1.0, None),
             'length': (cutout.radius_scale, cutout.radius_unit),
             'angle': (np.degrees(1.0), u.deg), 'flux': (1.0, cutout.unit),
             'sum': _flux_unit(cutout)}
    table = QTable()
    for column in MORPHOLOGY_COLUMNS:
        scale, unit = units[column.unit]
        value = float(getattr(result, column.name, _MISSING))
        value = np.nan if value == _MISSING else value * scale
        table[column.name] = [value] if unit is None else [value] * unit
    table['flag'] = np.array([result.flag], dtype=np.int32)
    table['flag_sersic'] = np.array([result.flag_sersic], dtype=np.int32)
    table['quality'] = [_QUALITIES.get(int(result.flag), 'bad')]
    table['messages'] = [' '.join(messages)]
    return table
