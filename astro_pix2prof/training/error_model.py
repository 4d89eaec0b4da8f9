# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the errors of a network on simulated galaxies.
"""

import itertools
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import least_squares

from astro_pix2prof.networks.architectures import architecture_of
from astro_pix2prof.networks.readers.frame import Frame
from astro_pix2prof.networks.readers.rings import scale_errors
from astro_pix2prof.simulation import GalaxySimulator

__all__ = ['SimulatedErrors', 'fit_correlation', 'fit_error_model',
           'fit_error_scale', 'fit_stated_scale', 'measure_errors',
           'read_simulated']

# Galaxies whose errors are measured come from this branch of the seeds,
# which neither training nor validation uses.
_SEED = 7_000_000_000

# The share of a Gaussian within one standard deviation.
_ONE_SIGMA = 0.6827

# Separations of rings (differences of ln radius) at which their correlation
# is measured, and between which its length is looked for.
_SEPARATIONS = np.concatenate([[0.0], np.geomspace(0.01, 7.0, 40)])
_LENGTHS = 0.02, 5.0


class SimulatedErrors(NamedTuple):
    """
    Measured and true values of simulated galaxies, ring by ring.

    Of each ring that it measured, if its true signal-to-noise ratio is
    above 1.

    Attributes
    ----------
    value : 1D `~numpy.ndarray`
        Magnitude relative to the noise of a pixel.

    scatter : 1D `~numpy.ndarray`
        The scatter of the views; of a ring network, the error that it
        states (mag).

    difference : 1D `~numpy.ndarray`
        The value less the truth (mag).

    sma : 1D `~numpy.ndarray`
        The semi-major axis in pixels.

    image : 1D `~numpy.ndarray`
        The number of the image.

    eps : 1D `~numpy.ndarray`
        The ellipticity that was measured; zeros, if none was.

    per_image : 1D `~numpy.ndarray`, shape (n_images,)
        The median absolute difference of each image (mag).
    """

    value: np.ndarray
    scatter: np.ndarray
    difference: np.ndarray
    sma: np.ndarray
    image: np.ndarray
    eps: np.ndarray
    per_image: np.ndarray


def read_simulated(network, *, survey='mix', n_pix=256, n_images=128,
                   n_views=8, seed=0):
    """
    Read simulated galaxies, and compare with their true profiles.

    Parameters
    ----------
    network : `~torch.nn.Module`
        A captioner or a ring network.

    survey : str, optional
        The instruments that the simulator draws.

    n_pix : int, optional
        The side of the images.

    n_images, n_views, seed : int, optional
        Number of images; views of each; the first seed of the simulator.

    Returns
    -------
    errors : `SimulatedErrors`
    """
    architecture = architecture_of(network)
    if architecture.states_errors:
        reader = architecture.make_reader(network)
    else:
        # the scatter as it is: no floor, and all of it
        card = {'error_model': {'value': [0.0], 'floor': [0.0],
                                'scatter_factor': 1.0}}
        reader = architecture.make_reader(network, card, n_views=n_views)
    rows, per_image = [], []
    numbers = itertools.count()
    block = 64
    for start in range(0, n_images, block):
        galaxies = GalaxySimulator(survey, n_pix=n_pix).simulate(
            min(block, n_images - start), seed=_SEED + seed + start)
        sigma = galaxies.sigma.numpy().astype(float)
        area = galaxies.pixel_scale.numpy().astype(float)**2
        centre = galaxies.centre.numpy().astype(float)
        if architecture.finds_geometry:
            centre[:] = (n_pix - 1) / 2
        sky_error = galaxies.sky_prior_error.numpy().astype(float)
        frames = [Frame(image.numpy(), mask.numpy(), s, tuple(c),
                        pixel_area=a, sky_error=told)
                  for image, mask, s, c, a, told in zip(
                      galaxies.image, galaxies.mask, sigma, centre.tolist(),
                      area, sky_error, strict=True)]
        sma = galaxies.sma.numpy().astype(float)
        for k, caption in enumerate(reader.read(frames)):
            true = galaxies.intensity[k].numpy().astype(float)
            ends = ~(true > galaxies.ring_noise[k].numpy())
            end = sma[np.argmax(ends)] if ends.any() else sma[-1]
            use = caption.sma < max(end, 1.0)
            # (the truth is no straight line between its radii)
            mag = PchipInterpolator(sma, -2.5 * np.log10(np.maximum(
                true, 1e-30)))(caption.sma[use])
            value = -2.5 * np.log10(caption.intensity[use])
            scale = 2.5 * np.log10(sigma[k])
            eps = np.zeros(use.sum())
            if caption.e1 is not None:
                eps = np.hypot(caption.e1, caption.e2)[use]
            rows.append(np.stack([value + scale, caption.error[use],
                                  value - mag, caption.sma[use],
                                  np.full(use.sum(), next(numbers)), eps]))
            per_image.append(np.median(np.abs(value - mag)))
    return SimulatedErrors(*np.concatenate(rows, axis=1),
                           np.array(per_image))


def fit_error_model(value, scatter, difference, *, n_bins=16):
    """
    Describe errors as a floor and a share of the scatter of the views.

    In bins of the value, error^2 = floor^2 + (factor x scatter)^2, such
    that 68.3% of the differences lie within the error; the factor is that
    of the largest likelihood.

    Parameters
    ----------
    value, scatter, difference : 1D `~numpy.ndarray`
        As `read_simulated` returns them.

    n_bins : int, optional
        The number of bins, which hold equal numbers of rings.

    Returns
    -------
    model : dict
        'value', 'floor' (lists, mag) and 'scatter_factor'.
    """
    size = np.abs(difference)
    group, centre = _bins(value, n_bins)
    n_bins = len(centre)
    best = (np.inf, None)
    for factor in (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0):
        floor = np.array([_floor(size[group == g], factor
                                 * scatter[group == g])
                          for g in range(n_bins)])
        error = np.maximum(np.hypot(floor[group], factor * scatter), 1e-3)
        # of a Laplacian, which outliers do not rule
        cost = np.mean(np.log(error) + size / error)
        if cost < best[0]:
            best = (cost, (factor, floor))
    factor, floor = best[1]
    return {'value': [round(v, 3) for v in centre],
            'floor': [round(float(f), 4) for f in floor],
            'scatter_factor': factor}


def fit_error_scale(value, error, difference, sma, *, eps=None, n_bins=16):
    """
    Fit factors with which 68.3% of the differences lie within the errors.

    One factor depends on the value of a ring, one on its radius, and one on
    its ellipticity; each in turn is chosen such that 68.3% of the
    differences in each of its bins lie within the error.

    Parameters
    ----------
    value, error, difference, sma : 1D `~numpy.ndarray`
        As in `SimulatedErrors`.

    eps : 1D `~numpy.ndarray`, optional
        Likewise.

    n_bins : int, optional
        The number of bins, which hold equal numbers of rings.

    Returns
    -------
    model : dict
        'value' and 'factor', 'log_sma' and 'factor_sma' (lists), and with
        ``eps`` 'eps' and 'factor_eps', for
        `~astro_pix2prof.networks.readers.rings.scale_errors`.
    """
    ratio = np.abs(difference) / error
    axes = {'value': value, 'log_sma': np.log(np.maximum(sma, 0.5))}
    if eps is not None:
        axes['eps'] = eps
    groups, centres = {}, {}
    for name, along in axes.items():
        groups[name], centres[name] = _bins(along, n_bins)
    factors = {name: np.ones(len(centre))
               for name, centre in centres.items()}
    for _ in range(8):
        for name, group in groups.items():
            left = ratio.copy()
            for other in axes:
                if other != name:
                    left /= np.interp(axes[other], centres[other],
                                      factors[other])
            factors[name] = np.array([
                np.quantile(left[group == g], _ONE_SIGMA)
                for g in range(len(centres[name]))])
    names = {'value': 'factor', 'log_sma': 'factor_sma',
             'eps': 'factor_eps'}
    model = {}
    for name in axes:
        model[name] = [round(float(v), 3) for v in centres[name]]
        model[names[name]] = [round(float(v), 4) for v in factors[name]]
    return model


def fit_stated_scale(error, difference, *, n_bins=6):
    """
    Fit factors for stated errors, by how large they are.

    Parameters
    ----------
    error, difference : 1D `~numpy.ndarray`
        What is stated of a quantity, and how far it is off.

    n_bins : int, optional
        The number of bins, which hold equal numbers of them.

    Returns
    -------
    log_error, factor : list of float
        For `~astro_pix2prof.networks.readers.rings.scale_stated`.
    """
    along = np.log(error)
    group, centre = _bins(along, n_bins)
    ratio = np.abs(difference) / error
    factor = [np.quantile(ratio[group == g], _ONE_SIGMA)
              for g in range(len(centre))]
    return ([round(float(v), 3) for v in centre],
            [round(float(v), 4) for v in factor])


def _bins(along, n_bins):
    """
    Divide values into bins of equal numbers: the bin of each, and medians.
    """
    edges = np.quantile(along, np.linspace(0, 1, n_bins + 1))
    group = np.clip(np.searchsorted(edges, along, 'right') - 1, 0,
                    n_bins - 1)
    # few rings, or equal ones, leave bins empty
    group = np.unique(group, return_inverse=True)[1]
    return group, np.array([np.median(along[group == g])
                            for g in range(group.max() + 1)])


def fit_correlation(sma, normalised, image):
    """
    Fit the correlation of the errors of rings along radius.

    The mean product of the normalised errors of two rings of an image, in
    units of their mean square, is described by
    ``common + smooth exp(-abs(ln(a_i / a_j)) / length)``.

    Parameters
    ----------
    sma : 1D array-like, shape (n,)
        Semi-major axis of each ring in pixels. Those below half a pixel
        count as half a pixel.

    normalised : 1D array-like, shape (n,)
        Its value less the truth, divided by its error; clipped at 4, as
        outliers say nothing of the correlation. Rings with NaN are left
        out.

    image : 1D array-like of int, shape (n,)
        The number of the image that the ring belongs to.

    Returns
    -------
    correlation : dict
        'length' (in the natural logarithm of the radius), 'smooth' and
        'common', as `~astro_pix2prof.sample_profile` takes them.

    Raises
    ------
    ValueError
        If the arrays differ in shape, or fewer than three separations of
        rings are to be had.
    """
    sma, normalised = (np.asarray(v, dtype=float) for v in (sma, normalised))
    image = np.asarray(image)
    if not sma.shape == normalised.shape == image.shape or sma.ndim != 1:
        msg = ('sma, normalised and image must be 1D arrays of one length, '
               f'got the shapes {sma.shape}, {normalised.shape} and '
               f'{image.shape}')
        raise ValueError(msg)
    good = np.isfinite(normalised) & np.isfinite(sma)
    place = np.log(np.maximum(sma[good], 0.5))
    value = np.clip(normalised[good], -4, 4)
    n_bins = len(_SEPARATIONS) - 1
    # sums over pairs: number, separation, product; images with such pairs
    sums, n_images = np.zeros((3, n_bins)), np.zeros(n_bins)
    for number in np.unique(image[good]):
        x, z = (v[image[good] == number] for v in (place, value))
        i, j = np.triu_indices(len(x), 1)
        apart = np.abs(x[i] - x[j])
        group = np.digitize(apart, _SEPARATIONS) - 1
        inside = group < n_bins
        part = [np.bincount(group[inside], w[inside], minlength=n_bins)
                for w in (np.ones(len(i)), apart, z[i] * z[j])]
        sums += part
        n_images += part[0] > 0
    full = sums[0] > 0
    square = np.mean(value**2) if len(value) else 0.0
    if full.sum() < 3 or not square > 0:
        msg = ('normalised must hold several rings of each image, with '
               f'errors that are not zero, got {len(value)} usable rings at '
               f'{full.sum()} separations')
        raise ValueError(msg)
    apart, product = sums[1:, full] / sums[0, full]
    # The pairs of an image are not independent: images count, not pairs.
    weight = np.sqrt(n_images[full])

    def residual(parameters):
        # (the sum of both parts, of which a share is common: their sum
        # cannot exceed 1)
        length, both, share = np.exp(parameters[0]), *parameters[1:]
        model = both * (share + (1 - share) * np.exp(-apart / length))
        return weight * (model - product / square)

    bounds = (np.log(_LENGTHS[0]), 0, 0), (np.log(_LENGTHS[1]), 1, 1)
    fits = [least_squares(residual, (np.log(length), 0.7, 0.3),
                          bounds=bounds) for length in (0.05, 0.3, 1.5)]
    length, both, share = min(fits, key=lambda fit: fit.cost).x
    return {'length': round(float(np.exp(length)), 4),
            'smooth': round(float(both * (1 - share)), 4),
            'common': round(float(both * share), 4)}


def _floor(size, part):
    """
    Compute the floor with which 68.3% of the differences are within.
    """
    # each difference is within its error from this floor on
    needed = np.sort(np.sqrt(np.maximum(size**2 - part**2, 0.0)))
    return needed[min(int(_ONE_SIGMA * len(needed)), len(needed) - 1)]


def measure_errors(network, *, survey='mix', n_pix=(128, 256), n_images=256,
                   n_views=8):
    """
    Measure the error model of a network, for its model card.

    Parameters
    ----------
    network : `~torch.nn.Module`
        A captioner or a ring network.

    survey : str, optional
        The instruments that the simulator draws.

    n_pix : sequence of int, optional
        The sides of the images.

    n_images, n_views : int, optional
        Images of each side; views of each.

    Returns
    -------
    entries : dict
        'error_model' (see `fit_error_model` and `fit_error_scale`) and
        'metrics': the median absolute deviations on these galaxies, which
        are simulated with the simulator that the network was trained with.
    """
    parts = [read_simulated(network, survey=survey, n_pix=side,
                            n_images=n_images, n_views=n_views, seed=1000
                            * number)
             for number, side in enumerate(n_pix)]
    # the images of each side have numbers of their own
    first = np.cumsum([0] + [len(part.per_image) for part in parts])
    rows = SimulatedErrors(*(np.concatenate(column) for column in zip(
        *(part._replace(image=part.image + start)
          for part, start in zip(parts, first, strict=False)), strict=True)))
    per_image = rows.per_image
    states_errors = architecture_of(network).states_errors
    if states_errors:
        model = fit_error_scale(rows.value, rows.scatter, rows.difference,
                                rows.sma, eps=rows.eps)
        error = scale_errors(model, rows.value, rows.scatter, rows.sma,
                             rows.eps)
        model['correlation'] = fit_correlation(
            rows.sma, rows.difference / error, rows.image)
    else:
        model = fit_error_model(rows.value, rows.scatter, rows.difference)
    return {
        'error_model': {**model,
                        'n_images': len(per_image),
                        'n_views': 1 if states_errors else n_views},
        'metrics': {
            'data': f'{len(per_image)} images of the training simulator, '
                    'with seeds of their own',
            'unit': 'mag',
            'median_absolute_deviation': round(float(np.median(per_image)),
                                               4),
            'bias': round(float(np.median(rows.difference)), 4)}}
