# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Contact sheets of simulated galaxies.
"""

import math
from numbers import Integral, Real

import numpy as np

from astro_pix2prof.plotting.style import _given_figure

__all__ = ['plot_contact_sheet', 'sheet_size']


# The stretch of a sky survey's viewer: the sky is dark grey with visible
# noise, the core of a bright galaxy is not burnt out.
_LOW, _SOFT, _TOP = -2.0, 3.0, 400.0


def sheet_size(n, *, n_columns=8, n_max=80, panel=1.4):
    """
    Calculate the size of a contact sheet whose rows are nearly full.

    Parameters
    ----------
    n : int
        The number of galaxies.

    n_columns, n_max, panel : optional
        As for `plot_contact_sheet`.

    Returns
    -------
    size : tuple of float
        Width and height in inches.
    """
    shape = _sheet_shape(n, n_columns, n_max)
    return panel * shape[1], panel * shape[0]


def _sheet_shape(n, n_columns, n_max):
    """
    Calculate the numbers of rows and columns, with few empty places.
    """
    n = min(n, int(n_max))
    n_rows = math.ceil(n / n_columns)
    return n_rows, math.ceil(n / n_rows)


def plot_contact_sheet(galaxies, *, n_columns=8, n_max=80, panel=1.4,
                       labels=True, truth=False, fig=None):
    """
    Plot simulated images side by side, as small pictures.

    The stretch is an inverse hyperbolic sine of the image in units of its
    sky noise, the same for all images (Lupton et al. 2004). Masked pixels
    are blue.

    Parameters
    ----------
    galaxies : `~astro_pix2prof.simulation.SimulatedGalaxies`
        The galaxies.

    n_columns : int, optional
        The largest number of pictures in a row. Rows are of one length: nine
        pictures are two rows of five and four.

    n_max : int, optional
        The largest number of pictures; the first ones are shown.

    panel : float, optional
        The side of a picture in inches.

    labels : bool, optional
        Whether the number, the type and the instrument are written on each
        picture.

    truth : bool, optional
        Whether to draw the true isophotes of 24 and 26 mag/arcsec2.

    fig : `~matplotlib.figure.Figure`, optional
        The figure to draw in, see `sheet_size`. By default, a new one of
        pyplot's.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
        The figure.

    Raises
    ------
    TypeError
        If ``galaxies`` are not simulated ones.

    ValueError
        If there are no galaxies, or a number is out of its range.

    Examples
    --------
    .. plot::
        :include-source:

        from astro_pix2prof.simulation import GalaxySimulator
        from astro_pix2prof.plotting import plot_contact_sheet

        galaxies = GalaxySimulator('sdss').simulate(16, seed=3)
        plot_contact_sheet(galaxies)
    """
    # simulated images without the command line need no matplotlib
    import matplotlib as mpl

    for key, value in (('n_columns', n_columns), ('n_max', n_max)):
        if not isinstance(value, Integral) or value < 1:
            msg = f'{key} must be an integer from 1 on, got {value!r}'
            raise ValueError(msg)
    if not (isinstance(panel, Real) and np.isfinite(panel) and panel > 0):
        msg = f'panel must be a positive size in inches, got {panel!r}'
        raise ValueError(msg)
    if hasattr(galaxies, '__len__') and len(galaxies) == 0:
        msg = 'galaxies must hold an image at least, got none'
        raise ValueError(msg)
    # (the class needs torch, which its objects bring)
    if not all(hasattr(galaxies, name) for name in ('image', 'sigma',
                                                    'mask', 'sma')):
        msg = ('galaxies must be simulated ones, as GalaxySimulator makes '
               f'them, got {type(galaxies).__name__}')
        raise TypeError(msg)
    n = min(len(galaxies), int(n_max))
    n_rows, n_columns = _sheet_shape(n, n_columns, n_max)
    fig = _given_figure(fig, (panel * n_columns, panel * n_rows))
    fig.set_facecolor('black')
    axes = fig.subplots(n_rows, n_columns, squeeze=False, gridspec_kw={
        'left': 0, 'right': 1, 'bottom': 0, 'top': 1, 'wspace': 0.015,
        'hspace': 0.015})
    colours = mpl.colormaps['gray'].with_extremes(bad='#16365c')
    for k, ax in enumerate(axes.flat):
        ax.set_axis_off()
        if k >= n:
            continue
        ax.imshow(_stretch(galaxies, k), origin='lower', cmap=colours,
                  vmin=0, vmax=1, interpolation='nearest')
        if truth:
            _draw_isophotes(ax, galaxies, k)
        if labels:
            ax.text(0.03, 0.96, _label(galaxies, k), transform=ax.transAxes,
                    color='white', fontsize=4.5 * panel / 1.4, va='top')
    return fig


def _numpy(tensor):
    return tensor.detach().cpu().numpy()


def _stretch(galaxies, k):
    """
    Scale an image from 0 (black) to 1 (white); NaN where it is masked.
    """
    image = _numpy(galaxies.image[k]) / float(galaxies.sigma[k])
    low, top = np.arcsinh(_LOW / _SOFT), np.arcsinh(_TOP / _SOFT)
    value = (np.arcsinh(image / _SOFT) - low) / (top - low)
    return np.where(_numpy(galaxies.mask[k]), np.nan, value.clip(0, 1))


def _label(galaxies, k):
    name = galaxies.survey[k] if galaxies.survey else ''
    return f'{k}  {galaxies.type_name(k)}\n{name}'


def _draw_isophotes(ax, galaxies, k):
    area = float(galaxies.pixel_scale[k])**2
    sma = _numpy(galaxies.sma)
    intensity = _numpy(galaxies.intensity[k]) / area
    t = np.linspace(0, 2 * np.pi, 100)
    x0, y0 = (float(v) for v in galaxies.centre[k])
    n_pix = galaxies.image.shape[-1]
    for mu, colour in ((24.0, '#E69F00'), (26.0, '#56B4E9')):
        level = 10**(-0.4 * (mu - galaxies.zeropoint))
        above = np.flatnonzero(intensity > level)
        # not there, or beyond the last radius
        if len(above) == 0 or above[-1] == len(sma) - 1:
            continue
        last = above[-1]
        a = sma[last]
        b = a * (1 - float(galaxies.ellipticity[k, last]))
        theta = float(galaxies.theta[k, last])
        u, v = a * np.cos(t), b * np.sin(t)
        ax.plot(x0 + u * np.cos(theta) - v * np.sin(theta),
                y0 + u * np.sin(theta) + v * np.cos(theta), color=colour,
                lw=0.5)
    ax.set_xlim(-0.5, n_pix - 0.5)
    ax.set_ylim(-0.5, n_pix - 0.5)
