# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Ring network: it decides where to measure, and the pixels give the value.

The network decides what a person decides in the classical method: where
the centre is, how the isophotes lie, which pixels are not the galaxy, where
the sky begins. The profile is then the weighted mean of the pixels along
the ellipses; only where that drowns in noise does the network say more than
the pixels.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from astro_pix2prof.networks.ellipse import ellipticity
from astro_pix2prof.networks.rings.config import RingConfig
from astro_pix2prof.networks.rings.domain import Domain, summarise_rings
from astro_pix2prof.networks.rings.far import look_again
from astro_pix2prof.networks.rings.layers import log_shape
from astro_pix2prof.networks.rings.sampling import (
    Pyramid,
    ellipse_points,
    ring_radii,
)
from astro_pix2prof.networks.rings.settling import (
    flatness,
    has_flat_ellipses,
    settle_ellipses,
)
from astro_pix2prof.networks.rings.stages import (
    CircleStage,
    EllipseStage,
    GeometryErrors,
    MeanCorrection,
    light_left_out,
)

__all__ = ['RingNetwork', 'RingProfile']


# If less than this part of a ring is usable, estimates of its bad pixels
# take part in its mean; of less than the second, nothing was seen.
_FEW, _UNSEEN = 0.1, 0.02

# An error of the sky that says nothing, in units of the noise of a pixel,
# and the least one that is told apart from none.
_NO_PRIOR, _SURE = 1.0, 1e-3

# Logarithm of the error of a sky from rings, and its largest change.
_SKY_ERROR = -3.0, 3.0


@dataclass
class RingProfile:
    """
    Output of the network for a batch of B images and K rings.

    Attributes
    ----------
    sma : `torch.Tensor`, shape (K,)
        Semi-major axes in pixels.

    centre : `torch.Tensor`, shape (B, 2)
        Centres (x, y) in pixels.

    e1, e2 : `torch.Tensor`, shape (B, K)
        Ellipticity times cosine and sine of twice the angle from +x.

    value : `torch.Tensor`, shape (B, K)
        -2.5 log10 of the intensity in units of the noise of a pixel.

    log_error : `torch.Tensor`, shape (B, K)
        Natural logarithm of the error of ``value`` in mag.

    mean : `torch.Tensor`, shape (B, K)
        The weighted mean of the pixels, in units of the noise.

    ring_noise : `torch.Tensor`, shape (B, K)
        The noise of that mean.

    sky : `torch.Tensor`, shape (B,)
        Level that was subtracted from the means, in units of the noise.

    valid : `torch.Tensor`, shape (B, K)
        The usable part of each ring.

    weight : `torch.Tensor`, shape (B, K, T)
        The weight of each point, from 0 to 1.

    excess : `torch.Tensor`, shape (B,)
        The light that the weights leave out, where the galaxy is seen, as a
        fraction of that of the galaxy.

    x, y : `torch.Tensor`, shape (B, K, T)
        The points.

    centres : list of `torch.Tensor`, shape (B, 2)
        The centre after each stage.

    shapes : list of `torch.Tensor`, shape (B, K, 2)
        The ellipses after each stage.

    summary : `torch.Tensor`, shape (B, n)
        Input of `~astro_pix2prof.networks.rings.domain.Domain`.

    rise : `torch.Tensor`, shape (B, K), optional
        What was added beyond their noise (units of that of a pixel).

    sky_error : `torch.Tensor`, shape (B,), optional
        The error of ``sky``, from networks that know that of the sky that
        was subtracted before.

    sky_rings : tuple of `torch.Tensor`, shape (B,), optional
        What the rings alone say of it, and the natural logarithm of the
        error of that, likewise.

    log_e_error, log_pa_error : `torch.Tensor`, shape (B, K), optional
        Natural logarithms of the errors of ellipticity and position angle
        (radians) of each ring, from networks that state them; not of fixed
        ellipses.

    log_centre_error : `torch.Tensor`, shape (B,), optional
        That of the error of each coordinate of the centre (pixels),
        likewise; not of centres that are held.

    log_enclosed_error : `torch.Tensor`, shape (B, K), optional
        That of the error of the magnitude within each ring (mag), likewise.
    """

    sma: torch.Tensor
    centre: torch.Tensor
    e1: torch.Tensor
    e2: torch.Tensor
    value: torch.Tensor
    log_error: torch.Tensor
    mean: torch.Tensor
    ring_noise: torch.Tensor
    sky: torch.Tensor
    valid: torch.Tensor
    weight: torch.Tensor
    excess: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    centres: list
    shapes: list
    summary: torch.Tensor
    rise: torch.Tensor = None
    sky_error: torch.Tensor = None
    sky_rings: tuple = None
    log_e_error: torch.Tensor = None
    log_pa_error: torch.Tensor = None
    log_centre_error: torch.Tensor = None
    log_enclosed_error: torch.Tensor = None


@dataclass
class _Look:
    """
    Output of the stage along the ellipses, of one look.
    """

    weight: torch.Tensor
    shift: torch.Tensor
    e: torch.Tensor
    sky: tuple
    known: torch.Tensor
    last: torch.Tensor


class RingNetwork(nn.Module):
    """
    Network that measures centre, ellipses, weights of points and profile.

    Parameters
    ----------
    config : `RingConfig`, optional
        The settings.
    """

    def __init__(self, config=None):
        super().__init__()
        self.config = config or RingConfig()
        cfg = self.config
        self.find = CircleStage(cfg, cfg.channels_find, 2)
        self.look = CircleStage(cfg, cfg.channels, 3)
        if cfg.refine:
            self.along = EllipseStage(cfg)
        self.correction = MeanCorrection(cfg)
        n_known = self.correction.n_features + (
            cfg.channels if cfg.refine else 0)
        if cfg.geometry_errors:
            self.geometry = GeometryErrors(
                cfg, self.correction.n_features
                + (2 * cfg.channels if cfg.refine else 0))
        self.domain = Domain(3 * n_known)
        self.register_buffer('quantiles', torch.tensor(
            [0.1, 0.25, 0.5, 0.75]), persistent=False)

    def use_bfloat16(self):
        """
        Hold and compute the convolutions in bfloat16.

        It is faster where the processor multiplies such numbers; all sums
        of pixels, and what is recurrent, stay in single precision.
        """
        for name in ('find', 'look', 'along'):
            stage = getattr(self, name, None)
            if stage is not None:
                for part in (stage.into, stage.blocks, stage.out):
                    part.to(torch.bfloat16)

    def radii(self, shape, device=None):
        """
        Compute the semi-major axes (pixels) for frames of a shape.
        """
        return ring_radii(self.config.reach * max(shape),
                          ratio=self.config.ratio, device=device)

    def forward(self, image, good, start, *, fixed=None, hold=False,
                look=None, sky_error=None, far=None):
        """
        Measure centre, ellipses, weights and profile of each image.

        Parameters
        ----------
        image : `torch.Tensor`, shape (B, H, W)
            In units of the noise of a sky pixel.

        good : `torch.Tensor`, shape (B, H, W), bool or float
            Usable pixels, or how much each counts, from 0 to 1.

        start : `torch.Tensor`, shape (B, 2)
            First guess of the centres (x, y) in pixels.

        fixed : tuple of 2 `torch.Tensor`, shape (B, K), optional
            Ellipses (e1, e2) to measure on.

        hold : bool, optional
            Whether the centres are held.

        look : `torch.Tensor`, shape (B, H, W), optional
            As ``good``, and also true where bad pixels hold estimated
            values. The stages that find centre, ellipses and weights look
            at these; means are taken over good pixels only, as far as a
            ring has some.

        sky_error : `torch.Tensor`, shape (B,), optional
            The error of the sky that was subtracted before, in units of the
            noise of a sky pixel; NaN where it is not known. Networks
            without ``sky_prior`` do not ask.

        far : `torch.Tensor`, shape (B,), bool, optional
            Which galaxies may lie far from the first guess: those that do are
            looked at again from where they are found. By default, none.

        Returns
        -------
        profile : `RingProfile`
        """
        measured = pyramid = Pyramid(image, good)
        if look is not None:
            pyramid = Pyramid(image, look)
        radii = self.radii(image.shape[1:], image.device)
        centre, centres, shapes = start, [], []
        if not hold:
            centre = centre + self.find(pyramid, centre, radii)[0]
            centres.append(centre)
        if fixed is None or not hold:
            shift, e = self.look(pyramid, centre.detach(), radii)
            if far is not None and not hold:
                centre, (shift, e) = look_again(
                    lambda *part: self.look(*part, radii),
                    pyramid, far, start, centre, (shift, e))
            shapes.append(e)
            if not hold:
                centre = centre.detach() + shift
                centres.append(centre)
        if fixed is not None:
            e = torch.stack(fixed, -1)
        prior = self._prior(image, sky_error)
        seen = None
        for _ in range(self.config.looks if self.config.refine else 0):
            seen = self._look_along(pyramid, centre.detach(), radii,
                                    e.detach(), prior)
            if fixed is None:
                e = seen.e
                shapes.append(e)
            if not hold:
                centre = centre.detach() + seen.shift
                centres.append(centre)
        if self.config.settle and fixed is None and not self.training:
            e = self._settle(pyramid, centre.detach(), radii, e.detach(),
                             seen.weight.detach())
        return self._measure(measured, centre, radii, e, seen, prior,
                             centres, shapes, fixed=fixed is not None,
                             filled=None if look is None else pyramid)

    def _prior(self, image, sky_error):
        """
        Describe what is known of the sky: its error, and whether it is told.
        """
        if not self.config.sky_prior:
            return None
        if sky_error is None:
            sky_error = image.new_full((len(image),), torch.nan)
        told = torch.isfinite(sky_error)
        error = torch.where(told, sky_error, _NO_PRIOR).clamp(0, _NO_PRIOR)
        return error, told.to(error.dtype)

    def ring_levels(self, pyramid, radii, eps):
        """
        Choose the level of the pyramid at which each ring is sampled.

        Parameters
        ----------
        pyramid : `~astro_pix2prof.networks.rings.sampling.Pyramid`
            The images.

        radii : `torch.Tensor`, shape (K,)
            Semi-major axes.

        eps : `torch.Tensor`, shape (B, K)
            Ellipticities.

        Returns
        -------
        level : `torch.Tensor`, shape (B, K, 1), int
        """
        # squares neither longer than the step along the ellipse nor wide
        # enough to smear a flat galaxy across its thickness
        size = torch.minimum(radii * (2 * math.pi / self.config.n_angle_fine),
                             0.3 * radii * (1 - eps))
        return torch.log2(size.clamp(min=1)).floor().long().clamp(
            max=pyramid.n_levels - 2)[..., None]

    def _points(self, centre, radii, e, phase=0.0):
        """
        Compute points along ellipses and the length of their arcs: (B, K, T).
        """
        dx, dy, arc = ellipse_points(
            radii.expand(e.shape[:2]), e[..., 0], e[..., 1],
            self.config.n_angle_fine, phase=phase)
        return (centre[:, 0, None, None] + dx, centre[:, 1, None, None] + dy,
                arc)

    def _look_along(self, pyramid, centre, radii, e, prior):
        """
        Predict weights of points, steps to better ellipses, and the sky.
        """
        x, y, arc = self._points(centre, radii, e)
        level = self.ring_levels(pyramid, radii, ellipticity(*e.unbind(-1)))
        fine = None
        if self.config.harmonics:
            fine = self._light(pyramid, x, y, arc, level)
        level = level + 1
        value, valid = pyramid.sample(x, y, level)
        if prior is not None:
            error, told = prior
            prior = torch.stack([
                torch.log(error.clamp(min=_SURE)) / 3 * told, told], -1)
        weight, *others = self.along(value, valid, level, radii, e, prior,
                                     fine=fine)
        if not self.config.attention:
            weight = torch.ones_like(weight)
        return _Look(weight, *others)

    def _light(self, pyramid, x, y, arc, level):
        """
        Sample the light along ellipses, and count independent samples.
        """
        number = (arc.sum(-1) / 2.0**level[..., 0]).clamp(
            1, self.config.n_angle_fine)
        return *pyramid.sample(x, y, level), number

    def _settle(self, pyramid, centre, radii, e, weight):
        """
        Take the last steps of flat ellipses.
        """
        if e.device.type == 'cpu':
            # (to ask a GPU would cost more than it saves)
            flat = has_flat_ellipses(e)
            if not flat.any():
                return e
            if not flat.all():
                settled = e.clone()
                settled[flat] = self._settle(
                    pyramid.select(flat), centre[flat], radii, e[flat],
                    weight[flat])
                return settled

        def look(e):
            level = self.ring_levels(pyramid, radii,
                                     ellipticity(*e.unbind(-1)))
            x, y, arc = self._points(centre, radii, e)
            value, valid, number = self._light(pyramid, x, y, arc, level)
            return pyramid.sharpen(value, x, y, level), valid, number
        return settle_ellipses(look, radii, e, weight)

    def _measure(self, pyramid, centre, radii, e, seen, prior, centres,
                 shapes, fixed=False, filled=None):
        """
        Measure the profile along given ellipses around given centres.

        ``filled`` is the pyramid that holds estimates of bad pixels.
        """
        # the ellipses learn from the true ellipses, not from the light
        where, lying = centre.detach(), e.detach()
        eps = ellipticity(*lying.unbind(-1))
        x, y, arc = self._points(where, radii, lying)
        level = self.ring_levels(pyramid, radii, eps)
        value, valid = pyramid.sample(x, y, level)
        # (on the CPU: a GPU would have to be waited for)
        n_fine = int((self.radii(pyramid.shape[1:]) <= 8).sum())
        fine = pyramid.refine(where, filled).sample(
            x[:, :n_fine], y[:, :n_fine])
        value = torch.cat([torch.where(level[:, :n_fine] == 0, fine[0],
                                       value[:, :n_fine]),
                           value[:, n_fine:]], 1)
        value = self._sharpen(pyramid, value, x, y, level, eps, n_fine)
        weight = torch.ones_like(value) if seen is None else seen.weight
        part = weight * arc * valid
        norm = part.sum(-1).clamp(min=1e-6)
        mean = (part * value).sum(-1) / norm
        length = arc.sum(-1)
        usable = (arc * valid).sum(-1)
        if filled is not None:
            usable = torch.where(usable > _UNSEEN * length, usable, 0.0)
            # (nothing was kept, either, where nothing was seen)
            norm = torch.where(usable > 0, norm, 1e-6)
            guess = self._filled_mean(filled, x, y, level, weight * arc,
                                      value, n_fine, eps)
            share = (usable / length / _FEW).clamp(max=1)
            mean = share * mean + (1 - share) * guess
        # pixels that the ring averages, each once
        cell = 2.0**level[..., 0]
        n_pixels = torch.minimum(
            length * cell, self.config.n_angle_fine * cell**2).clamp(min=1)
        n_pixels = (n_pixels * (norm / length)).clamp(min=0.5)
        noise = n_pixels**-0.5
        scatter = ((part * (value - mean[..., None])**2).sum(-1)
                   / norm + 1e-8).sqrt()
        inner, outer = self._beside(pyramid, where, radii, lying, level,
                                    weight, mean, n_fine)
        level_of_sky = torch.zeros_like(mean[:, 0])
        error_of_sky = rings_of_sky = None
        if prior is not None:
            error_of_sky = prior[0]
        if seen is not None and self.config.correct:
            level_of_sky, error_of_sky, rings_of_sky = self._sky(
                mean, usable / length, *seen.sky, prior)
            below = level_of_sky[:, None]
            mean, inner, outer = mean - below, inner - below, outer - below
        excess = light_left_out(value, valid, weight, mean, noise, radii, eps)
        rings = {
            'mean': mean, 'inner': inner, 'outer': outer, 'noise': noise,
            'radii': radii, 'eps': eps, 'scatter': scatter,
            'used': usable / length, 'kept': norm / usable.clamp(min=1e-6),
            'level': level[..., 0], 'sky': level_of_sky, 'given': fixed,
            'dark': self._dark(pyramid)}
        if prior is not None:
            rings.update(sky_before=prior[0], sky_after=error_of_sky,
                         sky_told=prior[1])
        value, log_error, features, rise = self.correction(rings)
        more = self._errors(radii, e, features, seen, centres, shapes, fixed)
        if seen is not None:
            features = torch.cat([features, seen.known], -1)
        summary = summarise_rings(features.detach(), mean.detach() / noise)
        return RingProfile(
            sma=radii, centre=centre, e1=e[..., 0], e2=e[..., 1],
            value=value, log_error=log_error, mean=mean, ring_noise=noise,
            sky=level_of_sky, valid=usable / length, weight=weight,
            excess=excess, x=x, y=y, rise=rise, centres=centres, shapes=shapes,
            summary=summary, sky_error=error_of_sky, sky_rings=rings_of_sky,
            **more)

    def _errors(self, radii, e, features, seen, centres, shapes, fixed):
        """
        State the errors of ellipses, centre and enclosed light.
        """
        if not self.config.geometry_errors:
            return {}
        if seen is not None:
            features = torch.cat([features, seen.last], -1)
        step, shift = torch.zeros_like(e), e.new_zeros(len(e), 2)
        if len(shapes) > 1:
            step = log_shape(shapes[-1]) - log_shape(shapes[-2])
        if len(centres) > 1:
            shift = centres[-1] - centres[-2]
        # (what it learns must not make the ellipses worse)
        shape, angle, enclosed, centre = self.geometry(
            features, radii, e.detach(), step.detach(), shift.detach())
        found = {'log_enclosed_error': enclosed}
        if not fixed:
            found.update(log_e_error=shape, log_pa_error=angle)
        if centres:
            found['log_centre_error'] = centre
        return found

    def _sharpen(self, pyramid, value, x, y, level, eps, n_fine):
        """
        Take off what squares smear across the thickness of flat rings.

        Not where the first rings, of which there are ``n_fine``, are read
        from single pixels.
        """
        if not self.config.settle or self.training:
            return value
        share = flatness(eps)[..., None] * (
            (level > 0) | (torch.arange(
                eps.shape[1], device=eps.device)[:, None] >= n_fine))
        # (to ask a GPU would cost more than it saves)
        rows = slice(None)
        if value.device.type == 'cpu':
            rows = (share > 0).any(1)[:, 0].nonzero()[:, 0]
            if not len(rows):
                return value
            pyramid = pyramid.select(rows)
        sharp = pyramid.sharpen(value[rows], x[rows], y[rows], level[rows])
        value = value.clone()
        value[rows] = torch.lerp(value[rows], sharp, share[rows])
        return value

    def _filled_mean(self, filled, x, y, level, weight, value, n_fine, eps):
        """
        Calculate the means of rings with estimates of bad pixels.
        """
        guess, known = filled.sample(x, y, level)
        guess = self._sharpen(filled, guess, x, y, level, eps, n_fine)
        # (close to the centre, the interpolation holds them)
        near = level[:, :n_fine] == 0
        guess = torch.cat([torch.where(near, value[:, :n_fine],
                                       guess[:, :n_fine]),
                           guess[:, n_fine:]], 1)
        part = weight * known
        return (part * guess).sum(-1) / part.sum(-1).clamp(min=1e-6)

    def _beside(self, pyramid, centre, radii, e, level, weight, mean, n_fine):
        """
        Compute the means on ellipses a third of the way to the next rings.

        There lie the pixels that the rings leave out. Close to the centre
        there are none, and the ring itself stands for them.
        """
        # points halfway between the others, with the mean of their weights
        weight = 0.5 * (weight + weight.roll(-1, -1))[:, n_fine:]
        step = self.config.ratio**(1 / 3)
        found = []
        for factor in (1 / step, step):
            x, y, arc = self._points(centre, radii[n_fine:] * factor,
                                     e[:, n_fine:], phase=0.5)
            value, valid = pyramid.sample(x, y, level[:, n_fine:])
            part = weight * arc * valid
            norm = part.sum(-1)
            there = (part * value).sum(-1) / norm.clamp(min=1e-6)
            there = torch.where(norm > 1e-3, there, mean[:, n_fine:])
            found.append(torch.cat([mean[:, :n_fine], there], 1))
        return found

    def _sky(self, mean, used, share, none, prior):
        """
        Compute the level of the sky as a mean over the rings that are sky.

        And its error, if there is a prior, and what the rings alone say:
        level and logarithm of its error.
        """
        # bright rings are not, whatever the network says before it has
        # learned to tell them
        share = share - (mean / 1.5)**2
        share = torch.where(used > 0.2, share.clamp(min=-50), -1e4)
        if prior is None:
            part = torch.softmax(torch.cat([share, none[:, None]], 1), 1)
            return (part[:, :-1] * mean.clamp(-3, 3)).sum(1), None, None
        found = (torch.softmax(share, 1) * mean.clamp(-3, 3)).sum(1)
        # the mean of what was known before and of what the rings say, each
        # by its error; a sky that is known is not altered
        before = prior[0]**2
        # (a bound that is reached nowhere: beyond one, nothing is learned)
        log_error = _SKY_ERROR[0] + _SKY_ERROR[1] * torch.tanh(
            none / _SKY_ERROR[1])
        rings = torch.exp(2 * log_error)
        rings = torch.where((used > 0.2).any(1), rings, torch.inf)
        part = before / (before + rings)
        # (of nothing, a root has no finite gradient)
        return part * found, (before * (1 - part) + 1e-12).sqrt(), (
            found, log_error)

    def _dark(self, pyramid):
        """
        Compute low quantiles of the means of 16 x 16 pixels: (B, 4).
        """
        k = min(4, pyramid.n_levels - 1)
        value, weight = pyramid.levels[k], pyramid.weights[k]
        hidden = torch.where(weight > 0.5, value, torch.nan).flatten(1)
        hidden = torch.where(hidden.isfinite().any(1, keepdim=True), hidden,
                             0.0)
        return torch.nanquantile(hidden, self.quantiles.to(value.dtype),
                                 dim=1).T
