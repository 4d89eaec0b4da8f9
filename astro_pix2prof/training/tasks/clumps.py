# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train networks that find clumps.
"""

import math

import torch
from torch.nn import functional

from astro_pix2prof.networks.clumps.maps import galaxy_maps, gaussian_filter
from astro_pix2prof.networks.clumps.network import STRIDE, find_peaks
from astro_pix2prof.networks.ellipse import ellipse_components, ellipse_shape
from astro_pix2prof.simulation.planting import (
    GalaxyFrame,
    draw_sources,
    plant_sources,
    source_snr,
)
from astro_pix2prof.training.tasks.distortion import distort
from astro_pix2prof.training.tasks.views import Views

__all__ = ['ClumpTask', 'known_sources', 'make_targets', 'planted_sources',
           'simulated_views', 'view_frame']


# The side of the maps relative to that of the images: the galaxy is in the
# middle of the crop.
_SIDE = 0.75

# A planted source is one to be found if it has this signal-to-noise ratio
# and contrast, one of the simulator's own clumps if it has that and this
# share of the galaxy, and one of other light in the frame with that;
# others, if more than the last, neither are nor are not.
_FOUND, _CONTRAST = 5.0, 0.12
_OWN, _OWN_CONTRAST, _OWN_SHARE = 8.0, 0.3, 0.003
_OTHER, _UNSURE = 6.0, 2.0

# The error of the ellipses, and of centre (pixels), R50, FWHM and noise (in
# their logarithms).
_OFF_SHAPE, _OFF_CENTRE, _OFF_SIZE, _OFF_FWHM, _OFF_NOISE = (
    0.02, 0.2, 0.08, 0.08, 0.04)

# Objects are this wide on the heat maps (FWHM), at least so many cells.
_WIDTH, _LEAST = 0.3, 0.6


class ClumpTask:
    """
    Training task of clump networks: heat maps of planted clumps.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : `~astro_pix2prof.networks.clumps.network.ClumpConfig`
        The settings of the network.
    """

    def __init__(self, recipe, config):
        self.recipe = recipe
        self.config = config

    def batch(self, views, generator):
        """
        Plant sources, and make the maps and the heat maps that are wanted.

        Parameters
        ----------
        views : `Views`
            The galaxies.

        generator : `torch.Generator`
            The source of random numbers.

        Returns
        -------
        batch : dict of `torch.Tensor`
            ``image`` (the channels), ``heat``, ``weight`` and ``offset`` of
            the cells, and ``sources`` (B, M, 6): x, y, class, whether it is
            to be found, FWHM, signal-to-noise ratio; padded with NaN.

        Raises
        ------
        ValueError
            If the galaxies have no true profiles and clumps.
        """
        if views.clumps is None or views.e1 is None:
            msg = ('data.source: a clump network needs the true profiles and '
                   "clumps, which only 'simulation' has")
            raise ValueError(msg)
        side = 8 * round(_SIDE * views.image.shape[-1] / 8)
        parts = [self._one(views, k, side, generator)
                 for k in range(len(views.image))]
        stacked = {key: torch.stack([part[key] for part in parts])
                   for key in parts[0] if key != 'sources'}
        maps = galaxy_maps(
            stacked['image'], stacked['good'], stacked['centre'],
            stacked['sma'], stacked['e1'], stacked['e2'],
            r50=stacked['r50'], fwhm=stacked['fwhm'], gain=stacked['gain'])
        most = max(max(len(part['sources']) for part in parts), 1)
        sources = torch.full((len(parts), most, 6), torch.nan)
        for k, part in enumerate(parts):
            sources[k, :len(part['sources'])] = part['sources']
        return {'image': maps.channels, 'sources': sources,
                **make_targets(sources, side)}

    def _one(self, views, k, side, generator):
        """
        Prepare one galaxy: a crop of ``side`` pixels in units of the noise.
        """
        frame = view_frame(views, k)
        known = known_sources(views, k, frame)
        drawn = draw_sources(frame, generator)
        image = plant_sources(frame, drawn, generator) / frame.sigma
        planted = planted_sources(drawn, frame)
        sources = torch.cat([planted[planted[:, 4] > _UNSURE], known])
        good = ~views.mask[k] & torch.isfinite(image)
        return distort(image, good, frame, sources, side, generator, off=(
            _OFF_SHAPE, _OFF_CENTRE, _OFF_SIZE, _OFF_FWHM, _OFF_NOISE))

    def loss(self, network, batch, generator):
        """
        Compute the loss of heat maps and offsets.

        Parameters
        ----------
        network : `torch.nn.Module`
            The network.

        batch : dict of `torch.Tensor`
            The batch.

        generator : `torch.Generator`
            Not used.

        Returns
        -------
        loss : `torch.Tensor`
            The loss.

        parts : dict of `torch.Tensor`
            Its parts.
        """
        logits, offset = network(batch['image'])
        heat, weight = batch['heat'], batch['weight']
        p = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
        hit = heat > 0.999
        # the focal loss of CenterNet
        miss = -(1 - p)**2 * torch.log(p) * hit
        false = -(1 - heat)**4 * p**2 * torch.log(1 - p) * ~hit
        n = hit.sum().clamp(min=8)
        marks = ((miss + false) * weight).sum() / n
        at = hit.any(1, keepdim=True)
        moved = ((offset - batch['offset']).abs() * at).sum() / n
        return marks + 0.5 * moved, {'train_marks': marks.detach(),
                                     'train_offset': moved.detach()}

    def errors(self, network, batch):
        """
        Compute 1 - F1 of the clumps of groups of images, at their best.

        F1 is the harmonic mean of completeness and purity at the threshold
        at which it is highest.
        """
        with torch.no_grad():
            logits, offset = network(batch['image'])
        hits, scores, n_true = [], [], 0
        for k, sources in enumerate(batch['sources']):
            sources = sources[torch.isfinite(sources[:, 0])]
            wanted = (sources[:, 2] == 0) & (sources[:, 3] == 1)
            peaks = find_peaks(logits[k], offset[k])
            peaks = peaks[peaks[:, 2] > peaks[:, 3]]
            n_true += int(wanted.sum())
            used = torch.zeros(len(sources), dtype=torch.bool)
            for x, y, score in peaks[:, :3].tolist():
                away = torch.hypot(sources[:, 0] - x, sources[:, 1] - y)
                away = torch.where(used, torch.inf, away)
                j = int(away.argmin()) if len(away) else -1
                near = j >= 0 and float(away[j]) <= float(sources[j, 4])
                if near:
                    used[j] = True
                    # (neither right nor wrong)
                    if sources[j, 3] == 0:
                        continue
                hits.append(bool(near and wanted[j]))
                scores.append(score)
        order = torch.tensor(scores).argsort(descending=True)
        right = torch.tensor(hits, dtype=torch.float32)[order].cumsum(0)
        f1 = 2 * right / (torch.arange(1, len(right) + 1) + max(n_true, 1))
        return 1 - (f1.max() if len(f1) else torch.tensor(0.0))[None]


def simulated_views(galaxies, *, snr=1.0):
    """
    Make views of simulated galaxies as they are.

    Parameters
    ----------
    galaxies : `~astro_pix2prof.simulation.SimulatedGalaxies`
        The galaxies.

    snr : float, optional
        A profile ends where the signal-to-noise ratio of its rings falls to
        this.

    Returns
    -------
    views : `~astro_pix2prof.training.tasks.views.Views`
    """
    ratio = galaxies.intensity / galaxies.ring_noise
    above = ratio > snr
    above |= torch.arange(above.shape[1]) <= ratio.argmax(1)[:, None]
    inside = torch.cumprod(above.int(), 1).sum(1).clamp(min=1)
    e1, e2 = ellipse_components(galaxies.ellipticity, galaxies.theta)
    return Views(
        image=galaxies.image, mask=galaxies.mask, sigma=galaxies.sigma,
        sma=galaxies.sma, intensity=galaxies.intensity,
        end=galaxies.sma[inside - 1], pixel_area=galaxies.pixel_scale**2,
        ring_noise=galaxies.ring_noise, e1=e1, e2=e2,
        centre=galaxies.centre, kind=galaxies.kind,
        others=galaxies.contamination, sky=galaxies.sky,
        enclosed=galaxies.enclosed, fwhm=galaxies.fwhm, gain=galaxies.gain,
        clumps=galaxies.clumps)


def view_frame(views, k):
    """
    Make the frame of a galaxy, in which sources are planted.

    Parameters
    ----------
    views : `Views`
        The galaxies.

    k : int
        The number of the galaxy.

    Returns
    -------
    frame : `~astro_pix2prof.simulation.planting.GalaxyFrame`
    """
    sma, enclosed = views.sma, views.enclosed[k]
    eps, theta = ellipse_shape(views.e1[k], views.e2[k])
    half = int((enclosed < 0.5 * enclosed[-1]).sum())
    # beyond what is seen, the ellipses go on as they are
    last = int((sma <= views.end[k]).sum().clamp(min=2)) - 1
    hold = torch.arange(len(sma)).clamp(max=last)
    return GalaxyFrame(
        image=views.image[k], centre=views.centre[k], sma=sma,
        intensity=views.intensity[k], eps=eps[hold], theta=theta[hold],
        flux=float(enclosed[-1]), r50=max(float(sma[half]), 1.0),
        fwhm=float(views.fwhm[k]), sigma=float(views.sigma[k]),
        gain=float(views.gain[k]))


def planted_sources(drawn, frame):
    """
    List planted sources as `known_sources` lists the others.

    Parameters
    ----------
    drawn : `torch.Tensor`, shape (M, 6)
        See `~astro_pix2prof.simulation.planting.draw_sources`.

    frame : `~astro_pix2prof.simulation.planting.GalaxyFrame`
        The galaxy.

    Returns
    -------
    sources : `torch.Tensor`, shape (M, 5)
    """
    snr, contrast = source_snr(frame, *drawn[:, :4].T)
    found = (snr > _FOUND) & (contrast > _CONTRAST)
    return torch.stack([
        drawn[:, 0], drawn[:, 1], (drawn[:, 4] > 0).float(), found.float(),
        snr], 1)


def known_sources(views, k, frame):
    """
    List the clumps, stars and galaxies that the simulator drew.

    Parameters
    ----------
    views : `Views`
        The galaxies.

    k : int
        The number of the galaxy.

    frame : `~astro_pix2prof.simulation.planting.GalaxyFrame`
        Its frame.

    Returns
    -------
    sources : `torch.Tensor`, shape (M, 5)
        x, y, class, 1 if it is to be found and 0 if it may be, and the
        signal-to-noise ratio.
    """
    clumps = views.clumps[k]
    clumps = clumps[clumps[:, 2] > 0]
    snr, contrast = source_snr(frame, *clumps.T)
    found = ((snr > _OWN) & (contrast > _OWN_CONTRAST)
             & (clumps[:, 2] > _OWN_SHARE * frame.flux))
    own = torch.stack([clumps[:, 0], clumps[:, 1], torch.zeros(len(clumps)),
                       found.float(), snr], 1)[snr > _UNSURE]
    others = torch.nan_to_num(views.others[k])
    s = torch.tensor([frame.fwhm / 2.355])
    flux = gaussian_filter(others[None, None], s)[0, 0] * (
        4 * math.pi * float(s)**2)
    top = functional.max_pool2d(flux[None, None], 5, 1, 2)[0, 0]
    least = _UNSURE * frame.sigma * math.sqrt(4 * math.pi) * float(s)
    y, x = ((flux >= top) & (flux > least)).nonzero(as_tuple=True)
    snr, contrast = source_snr(frame, x.float(), y.float(), flux[y, x],
                               torch.zeros(len(x)))
    found = (snr > _OTHER) & (contrast > _OWN_CONTRAST)
    odd = torch.stack([x.float(), y.float(), torch.ones(len(x)),
                       found.float(), snr], 1)[snr > _UNSURE]
    return torch.cat([own, odd])


def make_targets(sources, side):
    """
    Make the heat maps, their weights and the offsets that are wanted.

    Parameters
    ----------
    sources : `torch.Tensor`, shape (B, M, 6)
        See `ClumpTask.batch`.

    side : int
        The side of the maps in pixels.

    Returns
    -------
    targets : dict of `torch.Tensor`
    """
    b, n = len(sources), (side + STRIDE - 1) // STRIDE
    heat = torch.zeros(b, 2, n, n)
    weight = torch.ones(b, 2, n, n)
    offset = torch.zeros(b, 2, n, n)
    axis = torch.arange(n)
    for k in range(b):
        # (those that are to be found at last)
        rows = sources[k][torch.isfinite(sources[k][:, 0])]
        for x, y, kind, found, fwhm, _ in rows[rows[:, 3].argsort()].tolist():
            u, v = x / STRIDE, y / STRIDE
            i, j = round(u), round(v)
            if not (0 <= i < n and 0 <= j < n):
                continue
            width = max(_WIDTH * fwhm / STRIDE, _LEAST)
            bump = torch.exp(-0.5 * ((axis - u)**2 + (axis[:, None] - v)**2)
                             / width**2)
            if found:
                bump[j, i] = 1.0
                kind = int(kind)
                heat[k, kind] = torch.maximum(heat[k, kind], bump)
                weight[k, :, j, i] = 1.0
                offset[k, :, j, i] = torch.tensor([u - i, v - j])
            else:
                weight[k] = torch.minimum(weight[k], 1 - bump)
    return {'heat': heat, 'weight': weight, 'offset': offset}
