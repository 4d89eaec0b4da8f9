# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The panels of a figure that show the galaxy itself.
"""

import numpy as np

from astro_pix2prof.ellipses.geometry import (
    profile_ellipses,
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.image.astrometry import local_matrix
from astro_pix2prof.profile.meta import profile_meta

__all__ = ['GalaxyView']


_MASK_COLOUR = '#E69F00'

# The width of the colour bar of a square panel, in sides of the panel.
_BAR = 0.045


class GalaxyView:
    """
    Draw the image of a galaxy in arcsec, or pixels, from its centre.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    profile : `~astropy.table.QTable`
        The profile, which gives the centre, the sky level, and how much of
        the image is shown.

    Raises
    ------
    ValueError
        If the profile has no ring of a positive radius.
    """

    def __init__(self, cutout, profile):
        self.cutout = cutout
        self.centre, sma, ellipticity, theta = profile_ellipses(profile,
                                                                cutout)
        self._ellipses = (sma, *shape_to_components(ellipticity,
                                                    np.radians(theta)))
        self.pixels = cutout.data - profile_meta(profile).get('sky', 0.0)
        self.scale = cutout.radius_scale
        self.unit = 'arcsec' if cutout.pixel_scale is not None else 'pixel'
        ny, nx = cutout.shape
        x, y = self.centre
        self.extent = [self.scale * edge for edge in (
            -0.5 - x, nx - 0.5 - x, -0.5 - y, ny - 0.5 - y)]
        largest = np.max(sma, initial=0.0, where=np.isfinite(sma))
        if not largest > 0:
            msg = ('profile must have a ring of a positive radius, got '
                   f'{len(sma)} rings')
            raise ValueError(msg)
        reach = 1.15 * largest * self.scale
        self.xlim = (max(-reach, self.extent[0]), min(reach, self.extent[1]))
        self.ylim = (max(-reach, self.extent[2]), min(reach, self.extent[3]))
        self.aspect = np.ptp(self.xlim) / np.ptp(self.ylim)

    def _shown(self):
        """
        Select the pixels within the limits of the axes.
        """
        ny, nx = self.cutout.shape
        x = (np.arange(nx) - self.centre[0]) * self.scale
        y = (np.arange(ny) - self.centre[1]) * self.scale
        return ((x >= self.xlim[0]) & (x <= self.xlim[1])
                & ((y >= self.ylim[0]) & (y <= self.ylim[1]))[:, None])

    def _show(self, ax, pixels, mask, **kwargs):
        from matplotlib.colors import to_rgba

        style = {'origin': 'lower', 'extent': self.extent,
                 'interpolation': 'nearest'}
        drawn = ax.imshow(np.where(self.cutout.mask, np.nan, pixels), **style,
                          **kwargs)
        overlay = np.zeros((*mask.shape, 4))
        overlay[mask] = to_rgba(_MASK_COLOUR, 0.45)
        ax.imshow(overlay, zorder=2, **style)
        ax.set(xlim=self.xlim, ylim=self.ylim, aspect='equal',
               xlabel=rf'$\Delta x$ [{self.unit}]',
               ylabel=rf'$\Delta y$ [{self.unit}]')
        ax.tick_params(direction='in', top=True, right=True, color='0.4')
        return drawn

    def _sky_noise(self):
        sigma = self.cutout.background_noise
        if np.isfinite(sigma) and sigma > 0:
            return sigma
        # an image without noise
        return max(1e-4 * float(np.ptp(self.pixels)), np.finfo('f4').tiny)

    def plot_image(self, ax, mask):
        """
        Plot the image with an asinh stretch, and the mask over it.

        Parameters
        ----------
        ax : `~matplotlib.axes.Axes`
            Where to draw.

        mask : 2D bool `~numpy.ndarray`
            The pixels that did not count.
        """
        from astropy.visualization import AsinhStretch, ImageNormalize

        sigma = self._sky_noise()
        usable = self.pixels[self._shown() & ~mask]
        # (nor does a nucleus of some pixels set what is black)
        middle, high = (np.percentile(usable, (75, 99.95)) if usable.size
                        else (0.0, 0.0))
        low, high = -2 * sigma, max(float(high), 10 * sigma)
        # linear up to a few times the noise, or up to the brightness of a
        # galaxy that fills the frame, and logarithmic above
        soft = max(4 * sigma, float(middle))
        stretch = AsinhStretch(min(soft / (high - low), 1.0))
        self._show(ax, self.pixels, mask, cmap='gray_r', norm=ImageNormalize(
            vmin=low, vmax=high, stretch=stretch))

    def plot_isophotes(self, ax, rows, *, colours, dashed):
        """
        Plot ellipses of the profile.

        Parameters
        ----------
        ax : `~matplotlib.axes.Axes`
            Where to draw.

        rows : 1D `~numpy.ndarray`
            The rows of the profile, with fractions.

        colours : sequence of colours
            The colour of each.

        dashed : sequence of bool
            Whether an ellipse is dashed.
        """
        from matplotlib.patches import Ellipse
        from matplotlib.patheffects import withStroke

        index = np.arange(len(self._ellipses[0]))
        # two tones, so that a line shows on the bright and on the dark
        halo = [withStroke(linewidth=3.0, foreground='w', alpha=0.9)]
        for row, colour, dash in zip(rows, colours, dashed, strict=True):
            sma, *shape = (np.interp(row, index, values)
                           for values in self._ellipses)
            eps, theta = shape_from_components(*shape)
            width = 2 * sma * self.scale
            ax.add_patch(Ellipse(
                (0, 0), width, width * (1 - eps),
                angle=np.degrees(theta), fill=False,
                ec=colour, lw=1.3, ls='--' if dash else '-',
                path_effects=halo, zorder=3))

    def plot_residual(self, ax, mask, model):
        """
        Plot the image less the model, in units of the noise.

        Parameters
        ----------
        ax : `~matplotlib.axes.Axes`
            Where to draw.

        mask : 2D bool `~numpy.ndarray`
            The pixels that did not count.

        model : 2D `~numpy.ndarray`
            The model in the unit of the image, without the sky.
        """
        from matplotlib.colors import AsinhNorm

        noise, label = self.cutout.noise, r'Residual [$\sigma$]'
        if noise is None:
            noise, label = self._sky_noise(), r'Residual [$\sigma$ of the sky]'
        residual = (self.pixels - model) / noise
        usable = np.abs(residual[self._shown() & ~mask])
        limit = max(5.0, float(np.percentile(usable, 99.7))
                    if usable.size else 0.0)
        drawn = self._show(ax, residual, mask, cmap='RdBu_r',
                           norm=AsinhNorm(3.0, -limit, limit))
        # (in the axes, so that these stay as large as those of the image)
        bar = ax.figure.colorbar(drawn, cax=ax.inset_axes(
            [1.02, 0.0, _BAR / np.sqrt(self.aspect), 1.0]), label=label)
        steps = np.array([5, 10, 20, 50, 100, 200, 500, 1000])
        steps = steps[steps <= limit][::2 if limit > 100 else 1]
        ticks = [*-steps[::-1], 0, *steps]
        bar.set_ticks(ticks, labels=[f'{tick}' for tick in ticks])
        bar.minorticks_off()

    def plot_compass(self, ax):
        """
        Plot the directions of north and east, if there is a WCS.

        Parameters
        ----------
        ax : `~matplotlib.axes.Axes`
            Where to draw.
        """
        if self.cutout.wcs is None:
            return
        to_pixels = np.linalg.inv(local_matrix(self.cutout.wcs, *self.centre))
        # (a narrow picture is drawn larger, and letters are not)
        width = np.ptp(self.xlim) * np.clip(self.aspect**-0.5, 0.7, 1.6)
        arrows = {}
        for name, vector in (('E', (1, 0)), ('N', (0, 1))):
            arrow = to_pixels @ vector
            arrows[name] = 0.11 * width * arrow / np.hypot(*arrow)
        # the foot lies so that both letters stay in the upper right corner
        tips = 1.35 * np.array([np.zeros(2), *arrows.values()])
        foot = (np.array([self.xlim[1], self.ylim[1]]) - 0.05 * width
                - tips.max(axis=0))
        for name, arrow in arrows.items():
            ax.annotate('', foot + arrow, foot, zorder=5,
                        arrowprops={'arrowstyle': '-|>', 'lw': 1.0,
                                    'color': 'k', 'shrinkA': 0, 'shrinkB': 0})
            ax.text(*(foot + 1.3 * arrow), name, ha='center', va='center',
                    fontsize='small', zorder=5)

    def plot_scale_bar(self, ax):
        """
        Plot a bar of a round length.

        Parameters
        ----------
        ax : `~matplotlib.axes.Axes`
            Where to draw.
        """
        width = self.xlim[1] - self.xlim[0]
        lengths = np.array([1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800])
        lengths = lengths[lengths < 0.3 * width]
        if len(lengths) == 0:
            return
        left = self.xlim[0] + 0.05 * width
        bottom = self.ylim[0] + 0.06 * (self.ylim[1] - self.ylim[0])
        ax.plot([left, left + lengths[-1]], [bottom, bottom], color='k',
                lw=1.8, zorder=5, solid_capstyle='butt')
        unit = '″' if self.unit == 'arcsec' else ' px'
        ax.annotate(f'{lengths[-1]}{unit}', (left + lengths[-1] / 2, bottom),
                    (0, 3), textcoords='offset points', ha='center',
                    va='bottom', fontsize='small', zorder=5)
