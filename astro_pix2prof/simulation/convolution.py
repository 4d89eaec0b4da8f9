# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Convolve galaxies on nested grids with a PSF.

The light of a galaxy is concentrated: its centre needs many samples per
pixel, its outskirts one. A model is evaluated on the pixels of the frame
and, around its centre, on three grids that are finer each. The frame is
convolved as it is; what the finer grids add is a correction close to the
centre.
"""

import torch
from torch.nn import functional

from astro_pix2prof.simulation.psf import transfer_function

__all__ = ['NestedGrid']

# Parent pixels covered (odd) and samples per parent pixel (odd), of each
# finer grid: 1/3, 1/15 and 1/135 of a pixel.
_LEVELS = ((49, 3), (15, 5), (9, 9))
# The outermost pixels of the patch, which feel that it wraps around.
_BORDER = 2


class NestedGrid:
    """
    Sampling points of a batch of galaxies.

    Parameters
    ----------
    n_pix : int
        The side of the frame.

    centre : `torch.Tensor`, shape (B, 2)
        The galaxies' centres (x, y) in pixels of the frame.

    pad : int, optional
        Pixels around the frame that are computed too.

    Attributes
    ----------
    x, y : `torch.Tensor`, shape (B, P)
        The points, in pixels from each centre.
    """

    def __init__(self, n_pix, centre, *, pad=16):
        self.n_pix = n_pix
        self.pad = pad
        self.size = n_pix + 2 * pad
        self.centre = centre
        self.anchor = torch.round(centre)                 # (B, 2)
        device = centre.device
        step = 1.0
        frame = torch.arange(self.size, device=device) - pad
        blocks = [(frame[None, :].expand(self.size, -1),
                   frame[:, None].expand(-1, self.size))]
        self.sides = [self.size]
        for covered, factor in _LEVELS:
            side = covered * factor
            step /= factor
            axis = (torch.arange(side, device=device) - side // 2) * step
            blocks.append((axis[None, :].expand(side, -1),
                           axis[:, None].expand(-1, side)))
            self.sides.append(side)
        xs, ys = [], []
        for level, (bx, by) in enumerate(blocks):
            origin = centre if level == 0 else centre - self.anchor
            xs.append(bx.reshape(1, -1) - origin[:, :1])
            ys.append(by.reshape(1, -1) - origin[:, 1:])
        self.x = torch.cat(xs, 1)
        self.y = torch.cat(ys, 1)

    def split(self, values):
        """
        Split values at the points, (B, P), into one square per grid.
        """
        parts = values.split([side**2 for side in self.sides], 1)
        return [p.view(-1, side, side)
                for p, side in zip(parts, self.sides, strict=True)]

    def gather_flux(self, values):
        """
        Compute the flux per pixel, with each finer grid put into its parent.

        Parameters
        ----------
        values : `torch.Tensor`, shape (B, P)
            Surface brightness at the points, per square pixel.

        Returns
        -------
        frame : `torch.Tensor`, shape (B, size, size)
            Flux of the frame's pixels.

        fine : `torch.Tensor`, shape (B, 147, 147)
            Flux of the pixels of the first finer grid.

        coarse : `torch.Tensor`, shape (B, 49, 49)
            The same in the frame's pixels.
        """
        frame, *finer = self.split(values)
        child = None
        for level in range(len(_LEVELS) - 1, 0, -1):
            grid = finer[level]
            if child is not None:
                grid = _insert(grid, child)
            child = functional.avg_pool2d(grid[:, None],
                                          _LEVELS[level][1])[:, 0]
        fine = _insert(finer[0], child)
        factor = _LEVELS[0][1]
        coarse = functional.avg_pool2d(fine[:, None], factor)[:, 0]
        frame = frame.clone()
        rows, columns = self._patch(frame.device)
        batch = torch.arange(len(frame), device=frame.device)[:, None, None]
        frame[batch, rows, columns] = coarse
        return frame, fine / factor**2, coarse

    def _patch(self, device):
        side = _LEVELS[0][0]
        k = torch.arange(side, device=device) - side // 2 + self.pad
        anchor = self.anchor.long()
        return ((anchor[:, 1:] + k)[:, :, None],
                (anchor[:, :1] + k)[:, None, :])

    def convolve(self, values, psf, *, extra=None):
        """
        Convolve a galaxy with the PSF and the pixel.

        Parameters
        ----------
        values : `torch.Tensor`, shape (B, P)
            Surface brightness at the points, per square pixel.

        psf : `~astro_pix2prof.simulation.psf.PSF`
            The point-spread functions.

        extra : `torch.Tensor`, shape (B, size, size), optional
            Flux of the frame's pixels to be added before.

        Returns
        -------
        image : `ConvolvedImage`
        """
        frame, fine, coarse = self.gather_flux(values)
        if extra is not None:
            frame = frame + extra
        device = frame.device
        wide = self.blur(frame, psf)
        # The patch at its true resolution minus the patch as the frame
        # saw it. Both wrap around in the same way, so what wraps cancels.
        side, factor = _LEVELS[0]
        n = side * factor
        kx = torch.fft.rfftfreq(n, 1 / factor, device=device)
        ky = torch.fft.fftfreq(n, 1 / factor, device=device)
        sharp = torch.fft.irfft2(
            torch.fft.rfft2(fine) * transfer_function(psf, kx, ky), s=(n, n))
        sharp = sharp * factor**2
        kx = torch.fft.rfftfreq(side, 1.0, device=device)
        ky = torch.fft.fftfreq(side, 1.0, device=device)
        blunt = torch.fft.irfft2(
            torch.fft.rfft2(coarse) * transfer_function(psf, kx, ky),
            s=(side, side))
        rows, columns = self._patch(device)
        batch = torch.arange(len(frame), device=device)[:, None, None]
        rest = wide.clone()
        rest[batch, rows, columns] -= blunt
        total = wide
        half = factor // 2
        finer = sharp[:, half::factor, half::factor] - blunt
        keep = slice(_BORDER, side - _BORDER)
        total[batch, rows[:, keep], columns[:, :, keep]] += (
            finer[:, keep, keep])
        return ConvolvedImage(self, total, rest, sharp, frame)

    def blur(self, frame, psf):
        """
        Convolve flux in the frame's pixels with PSF and pixel.
        """
        spectrum = torch.fft.rfft2(frame)
        return self.from_spectrum(spectrum, psf)

    def from_spectrum(self, spectrum, psf):
        """
        Convolve a Fourier transform of the sky, and transform it back.
        """
        n, device = self.size, spectrum.device
        kx = torch.fft.rfftfreq(n, 1.0, device=device)
        ky = torch.fft.fftfreq(n, 1.0, device=device)
        return torch.fft.irfft2(spectrum * transfer_function(psf, kx, ky),
                                s=(n, n))


class ConvolvedImage:
    """
    Image of a galaxy that can be sampled between its pixels.

    Attributes
    ----------
    padded : `torch.Tensor`, shape (B, size, size)
        The image with its border.

    flux : `torch.Tensor`, shape (B, size, size)
        Flux of the frame's pixels with their border before the PSF.
    """

    def __init__(self, grid, padded, rest, sharp, flux):
        self.grid = grid
        self.padded = padded
        self.flux = flux
        self._rest = rest
        self._sharp = sharp

    @property
    def frame(self):
        """
        Image without its border, shape (B, n_pix, n_pix).
        """
        pad, n = self.grid.pad, self.grid.n_pix
        return self.padded[:, pad:pad + n, pad:pad + n]

    def sample(self, dx, dy):
        """
        Sample the image at points around the centres.

        Parameters
        ----------
        dx, dy : `torch.Tensor`, shape (B, N, M)
            Offsets from the centres in pixels.

        Returns
        -------
        values : `torch.Tensor`, shape (B, N, M)
            Zero outside of the padded frame.
        """
        grid = self.grid
        x = dx + (grid.centre[:, 0] + grid.pad)[:, None, None]
        y = dy + (grid.centre[:, 1] + grid.pad)[:, None, None]
        side, factor = _LEVELS[0]
        off = (grid.centre - grid.anchor)[:, :, None, None]
        fx, fy = dx + off[:, 0], dy + off[:, 1]
        limit = side / 2 - 0.5 - _BORDER
        inside = torch.maximum(fx.abs(), fy.abs()) < limit
        out = torch.where(inside, _bicubic(self._rest, x, y),
                          _bicubic(self.padded, x, y))
        middle = (side * factor - 1) / 2
        near = inside.flatten(2).any(2).any(0)            # rows in use
        if near.any():
            last = int(near.nonzero().max()) + 1
            part = _bicubic(self._sharp, fx[:, :last] * factor + middle,
                            fy[:, :last] * factor + middle)
            out[:, :last] += torch.where(inside[:, :last], part, 0.0)
        return out


def _insert(parent, child):
    """
    Put a square into the middle of another.
    """
    start = (parent.shape[-1] - child.shape[-1]) // 2
    stop = start + child.shape[-1]
    parent = parent.clone()
    parent[:, start:stop, start:stop] = child
    return parent


def _bicubic(image, x, y):
    """
    Interpolate cubically: (B, H, W) at (B, N, M); zero outside.
    """
    n = image.shape[-1]
    grid = torch.stack([2 * x / (n - 1) - 1, 2 * y / (n - 1) - 1], -1)
    out = functional.grid_sample(image[:, None], grid, mode='bicubic',
                                 padding_mode='border', align_corners=True)
    outside = (torch.maximum(grid[..., 0].abs(), grid[..., 1].abs()) > 1)
    return out[:, 0].masked_fill_(outside, 0.0)
