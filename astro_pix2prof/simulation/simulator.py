# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Simulate images of galaxies with exact profiles.
"""

from dataclasses import dataclass, field, fields

import torch

from astro_pix2prof.networks.ellipse import (
    NANOMAGGY_ZEROPOINT,
    ellipse_shape,
)
from astro_pix2prof.simulation.clutter import (
    add_defects,
    add_saturation,
    draw_stars,
    galaxy_field,
    neighbour_field,
    star_spectrum,
)
from astro_pix2prof.simulation.convolution import NestedGrid
from astro_pix2prof.simulation.encounters import (
    draw_encounters,
    encounter_light,
)
from astro_pix2prof.simulation.features import strengthen_features
from astro_pix2prof.simulation.galaxies import TYPES, draw_galaxies
from astro_pix2prof.simulation.light import (
    clump_light,
    detail_light,
    smooth_light,
)
from astro_pix2prof.simulation.missing import mask_missing
from astro_pix2prof.simulation.psf import draw_psf
from astro_pix2prof.simulation.sky import (
    add_noise,
    quantise,
    residual_sky,
    subtract_prior,
    subtract_sky,
)
from astro_pix2prof.simulation.surveys import draw_instruments
from astro_pix2prof.simulation.truth import sma_grid, true_profile

__all__ = ['GalaxySimulator', 'SimulatedGalaxies']


@dataclass
class SimulatedGalaxies:
    """
    Batch of simulated images with all that is known about them.

    Attributes
    ----------
    image : `torch.Tensor`, shape (B, n, n)
        Image as a telescope and its pipeline deliver it, in nanomaggies per
        pixel (zero point 22.5).

    clean : `torch.Tensor`, shape (B, n, n)
        The galaxy alone, noise-free, convolved with the PSF.

    contamination : `torch.Tensor`, shape (B, n, n)
        Stars, neighbours and other galaxies, noise-free.

    mask : `torch.Tensor`, shape (B, n, n), bool
        Bad pixels that a pipeline would have flagged.

    sky : `torch.Tensor`, shape (B, n, n)
        The sky that is left in the image, after ``sky_prior`` was
        subtracted.

    sky_prior, sky_prior_error : `torch.Tensor`, shape (B,)
        The sky level that a pipeline measured on the frame and subtracted
        from it, and the error that it states, in nanomaggies per pixel.
        ``image + sky_prior`` is the frame before. The mean of ``sky``,
        weighted towards pixels that hold no light of objects, is not normal
        in units of that error: see
        `~astro_pix2prof.simulation.sky.subtract_prior`. Tilt, bend and the
        divot of a sky that took light from the galaxy add to it locally.
        Both are 0 without clutter.

    centre : `torch.Tensor`, shape (B, 2)
        The galaxy's centre (x, y), in pixels from 0.

    pixel_scale, fwhm, sigma, gain : `torch.Tensor`, shape (B,)
        Arcsec per pixel; seeing in pixels; noise of a sky pixel in
        nanomaggies; electrons per nanomaggy.

    sma : `torch.Tensor`, shape (N,)
        Semi-major axes of the truth in pixels.

    intensity, ellipticity, theta, enclosed, ring_noise : `torch.Tensor`
        The truth, shape (B, N): nanomaggies per pixel, ellipticity, angle
        of the major axis in radians counter-clockwise from +x, flux
        within the ellipse in nanomaggies, and the least possible noise of
        a ring one pixel wide.

    clumps : `torch.Tensor`, shape (B, M, 4)
        Star-forming clumps of the galaxy: x and y in pixels from 0, flux in
        nanomaggies and size in pixels (the standard deviation of a
        Gaussian before the PSF); zeros where there is none. They may lie
        beyond the frame.

    kind : `torch.Tensor`, shape (B,)
        The index in ``TYPES``.

    survey : list of str
        The names of the instruments.

    parameters : dict of `torch.Tensor`
        The galaxies' parameters, shape (B, 1) each, and of the frame:
        ``noise_kernel`` (standard deviation in px of the Gaussian that
        correlates the noise, 0 for none), ``quantum`` (step of the values
        in units of sigma, 0 for none), ``poisson`` (few photons),
        ``bright`` (very high signal), ``aureole`` (share of light in the
        wings of the PSF).

    seed : int or `None`
        The seed of the batch.
    """

    image: torch.Tensor
    clean: torch.Tensor
    contamination: torch.Tensor
    mask: torch.Tensor
    sky: torch.Tensor
    sky_prior: torch.Tensor
    sky_prior_error: torch.Tensor
    centre: torch.Tensor
    pixel_scale: torch.Tensor
    fwhm: torch.Tensor
    sigma: torch.Tensor
    gain: torch.Tensor
    sma: torch.Tensor
    intensity: torch.Tensor
    ellipticity: torch.Tensor
    theta: torch.Tensor
    enclosed: torch.Tensor
    ring_noise: torch.Tensor
    clumps: torch.Tensor
    kind: torch.Tensor
    survey: list = field(default_factory=list)
    parameters: dict = field(default_factory=dict)
    seed: int | None = None

    zeropoint = NANOMAGGY_ZEROPOINT

    def __len__(self):
        return len(self.image)

    def type_name(self, k):
        """
        Return the type of a galaxy, a key of ``TYPES``.

        Parameters
        ----------
        k : int
            The number of the galaxy in the batch.

        Returns
        -------
        name : str
        """
        return list(TYPES)[int(self.kind[k])]

    @classmethod
    def concatenate(cls, parts):
        """
        Concatenate several batches of equal frames.
        """
        out = {}
        for item in fields(cls):
            values = [getattr(part, item.name) for part in parts]
            if item.name == 'sma':
                out['sma'] = values[0]
            elif item.name == 'seed':
                # of one seed, or of none
                out['seed'] = values[0] if len(set(values)) == 1 else None
            elif item.name == 'survey':
                out['survey'] = [name for value in values for name in value]
            elif item.name == 'parameters':
                out['parameters'] = {key: torch.cat([v[key] for v in values])
                                     for key in values[0]}
            else:
                out[item.name] = torch.cat(values)
        return cls(**out)


class GalaxySimulator:
    """
    Simulate images of galaxies with exact profiles.

    Parameters
    ----------
    survey : str, optional
        A survey, a band of one ('sdss', 'sdss-r', ...), 'any' or 'mix';
        see `~astro_pix2prof.simulation.surveys.draw_instruments`.

    n_pix : int, optional
        The side of the frames in pixels.

    wobble : float, optional
        The largest distance of a galaxy from the middle of its frame, as
        a fraction of the side.

    clutter : bool, optional
        Whether there are stars, other galaxies, defects, and a residual
        sky. Noise is always there.

    kind : str, optional
        The only type of galaxy, a key of ``TYPES``.

    features : bool, optional
        Whether bars, rings, clumps and tides are more common and stronger
        than in the local Universe, and there are tidal tails, detached
        rings and second nuclei.

    device : str, optional
        Device of the computation and of the results.

    chunk : int, optional
        Images that are computed at once.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from astro_pix2prof.simulation import GalaxySimulator
    >>> galaxies = GalaxySimulator('sdss-r', n_pix=96).simulate(2, seed=1)
    >>> galaxies.image.shape
    torch.Size([2, 96, 96])
    """

    def __init__(self, survey='mix', *, n_pix=256, wobble=0.06,
                 clutter=True, kind=None, features=False, device='cpu',
                 chunk=8):
        if int(n_pix) != n_pix or n_pix < 64 or n_pix % 2:
            msg = f'n_pix must be an even integer of 64 or more, got {n_pix}'
            raise ValueError(msg)
        if not 0 <= wobble <= 0.25:
            msg = f'wobble must be from 0 to 0.25, got {wobble}'
            raise ValueError(msg)
        if chunk < 1:
            msg = f'chunk must be 1 or more, got {chunk}'
            raise ValueError(msg)
        if kind is not None and kind not in TYPES:
            msg = f'kind must be one of {", ".join(TYPES)}; got {kind!r}'
            raise ValueError(msg)
        # an unknown survey ends here, not in the first batch
        draw_instruments(survey, 1, torch.Generator().manual_seed(0))
        self.survey = survey
        self.n_pix = int(n_pix)
        self.wobble = wobble
        self.clutter = clutter
        self.kind = kind
        self.features = features
        self.device = torch.device(device)
        self.chunk = chunk

    def simulate(self, n, *, seed):
        """
        Simulate galaxies.

        Parameters
        ----------
        n : int
            Number of galaxies.

        seed : int
            The same seed gives the same galaxies, for the same options and
            device; with another ``chunk``, the galaxies are others, and the
            last ones change with ``n`` unless it is a multiple of
            ``chunk``.

        Returns
        -------
        galaxies : `SimulatedGalaxies`
            On the simulator's device.

        Raises
        ------
        ValueError
            If ``n`` is not an integer from 1 on.
        """
        if int(n) != n or n < 1:
            msg = f'n must be an integer from 1 on, got {n}'
            raise ValueError(msg)
        generator = torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            parts = [self._chunk(min(self.chunk, n - start), generator)
                     for start in range(0, n, self.chunk)]
            galaxies = SimulatedGalaxies.concatenate(parts)
        galaxies.seed = int(seed)
        return galaxies

    def _chunk(self, n, generator):
        device = self.device
        tools = draw_instruments(self.survey, n, generator)
        galaxies = draw_galaxies(tools, self.n_pix, generator,
                                 kind=self.kind)
        if self.features:
            galaxies = strengthen_features(galaxies, generator)
            galaxies.update(draw_encounters(galaxies, generator))
        u = torch.rand(2, n, generator=generator)
        shift = self.wobble * self.n_pix * u[0].sqrt()
        centre = (self.n_pix - 1) / 2 + torch.stack(
            [shift * torch.cos(6.2832 * u[1]),
             shift * torch.sin(6.2832 * u[1])], 1)
        psf = draw_psf(tools, generator).to(device)
        galaxies = {k: v.to(device) for k, v in galaxies.items()}
        grid = NestedGrid(self.n_pix, centre.to(device))
        light, disc = smooth_light(galaxies, grid.x, grid.y)
        detail = detail_light(galaxies, grid.x, grid.y, disc, generator)
        if self.features:
            detail += encounter_light(galaxies, grid.x, grid.y)
        extra, clumps = clump_light(galaxies, grid, tools['fwhm'], generator)
        smooth = grid.convolve(light, psf)
        total = grid.convolve(light + detail, psf, extra=extra)
        sma = sma_grid(self.n_pix, device=device)
        truth = true_profile(total, smooth, sma)
        clean = total.frame.contiguous()

        device_generator = torch.Generator(device).manual_seed(
            int(torch.randint(2**31, (), generator=generator)))
        mask = torch.zeros_like(clean, dtype=torch.bool)
        sigma = tools['sigma'].float().to(device)
        gain = tools['gain'].float().to(device)
        if self.clutter:
            others = self._others(total.flux, galaxies, tools, grid, psf,
                                  generator)
            stars = others.pop('stars')
            others = others['image']
        else:
            others = torch.zeros_like(clean)
        model = clean + others
        noise, kernel = add_noise(model, tools, generator, device_generator)
        image = model + noise
        sky = torch.zeros_like(clean)
        prior, prior_error = torch.zeros_like(sigma), torch.zeros_like(sigma)
        if self.clutter:
            sky = residual_sky(tools, self.n_pix, generator, device)
            sky = sky - self._halo_loss(galaxies, grid, sigma, generator)
            image += sky
            add_saturation(image, stars, tools, grid, mask, generator)
            sky = sky - subtract_sky(image, tools, mask, generator)
            prior, prior_error = subtract_prior(image, sky, clean, others,
                                                sigma, generator)
            quantise(image, tools, generator)
            add_defects(image, tools, mask, generator)
            mask_missing(image, stars, tools, grid, mask, generator)
        frame = {'noise_kernel': kernel, 'aureole': psf.aureole,
                 **{k: tools[k] for k in ('quantum', 'poisson', 'bright')}}
        galaxies.update({k: v.to(device)[:, None] for k, v in frame.items()})
        eps, theta = ellipse_shape(truth['e1'], truth['e2'])
        n_ring = (2 * torch.pi * sma * torch.sqrt(
            (1 + (1 - eps)**2) / 2)).clamp(min=1)
        ring_noise = torch.sqrt(
            (sigma[:, None]**2 + truth['intensity'].clamp(min=0)
             / gain[:, None]) / n_ring)
        return SimulatedGalaxies(
            image=image, clean=clean, contamination=others, mask=mask,
            sky=sky, sky_prior=prior, sky_prior_error=prior_error,
            centre=grid.centre,
            pixel_scale=tools['pixel_scale'].float().to(device),
            fwhm=tools['fwhm'].float().to(device), sigma=sigma, gain=gain,
            sma=sma, intensity=truth['intensity'], ellipticity=eps,
            theta=theta, enclosed=truth['enclosed'], ring_noise=ring_noise,
            clumps=clumps, kind=galaxies['kind'][:, 0],
            survey=tools['names'], parameters=galaxies)

    def _others(self, flux, galaxies, tools, grid, psf, generator):
        """
        Draw stars, background galaxies and neighbours in one image.
        """
        field_ = galaxy_field(tools, grid, generator)
        field_ += neighbour_field(flux, galaxies, grid, generator)
        stars = draw_stars(tools, grid, galaxies['r_e'].cpu(), generator)
        spectrum = torch.fft.rfft2(field_) + star_spectrum(stars, grid)
        image = grid.from_spectrum(spectrum, psf)
        stop = grid.pad + self.n_pix
        return {'image': image[:, grid.pad:stop, grid.pad:stop].contiguous(),
                'stars': stars}

    def _halo_loss(self, galaxies, grid, sigma, generator):
        """
        Draw the divot that a flexible sky model leaves around a galaxy.
        """
        n = len(sigma)
        u = torch.rand(3, n, generator=generator).to(sigma.device)
        depth = torch.where(u[0] < 0.1, 0.5 * u[1], 0.0) * sigma
        width = galaxies['r_e'][:, 0] * (2 + 2 * u[2])
        axis = torch.arange(self.n_pix, device=sigma.device)
        dx = axis[None, None, :] - grid.centre[:, 0, None, None]
        dy = axis[None, :, None] - grid.centre[:, 1, None, None]
        return depth[:, None, None] * torch.exp(
            -0.5 * (dx**2 + dy**2) / width[:, None, None]**2)
