# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The network method: image in, profile out.
"""

import os

import numpy as np
import torch

from astro_pix2prof.background.noise import measure_noise
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.fitting.bands import FitBandsMixin
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.fitting.flags import galaxy_flags, ring_flags
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.inference.filling import read_filled
from astro_pix2prof.inference.many import FitManyMixin
from astro_pix2prof.inference.preparation import frame_of, prepare_galaxy
from astro_pix2prof.networks.original import N_PIX
from astro_pix2prof.networks.readers.captioner import CaptionReader
from astro_pix2prof.networks.readers.rings import RingReader
from astro_pix2prof.networks.weights import load_network, read_card
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.rings import MeasuredRings
from astro_pix2prof.profile.samples import (
    SAMPLES,
    check_n_samples,
    sample_profile,
)
from astro_pix2prof.profile.table import build_profile

__all__ = ['Pix2ProfFitter']


# Views of an image that are averaged, where it pays.
_VIEWS = {'captioner': 8}

# Galaxies that a network reads at once.
_BATCH, _GPU_BATCH = 16, 256


class Pix2ProfFitter(FitBandsMixin, FitManyMixin):
    """
    Surface-brightness profiles by a neural network, without manual steps.

    A network decides where the centre is, how the isophotes lie, which
    pixels belong to other objects, and where the sky begins; the pixels
    then give the value. It was trained on simulated galaxies whose
    profiles are known. The idea of a network that gives the profile of an
    image is that of Smith et al. (2021).

    Parameters
    ----------
    weights : str or path-like, optional
        Trained weights: a name of
        `~astro_pix2prof.networks.list_weights`, or a ``.safetensors``
        file with its model card beside it.

    device : str, optional
        Where the network runs, such as 'cpu' or 'cuda'; by default a GPU
        if there is one.

    batch_size : int, optional
        Galaxies that the network reads at once; by default 16, which fit
        into the cache of a processor, or 256 on a GPU.

    n_views : int, optional
        The profile is averaged over so many of the eight turns and
        reflections of the image, and their scatter is added to its errors.
        By default 1, or 8 for captioners, which do not know that a turned
        galaxy is the same galaxy. With 8, the profile of a turned image is
        the same but for the last digits.

    sky : 'auto' or float, optional
        'auto' subtracts a sky level if the image obviously has one; the
        network knows how to treat what survey pipelines leave. A number is
        the sky level in the image's unit.

    search_radius : float, optional
        How far the galaxy may lie from the position, in pixels; by
        default 25, or 8 if a position was given, and at most a quarter of
        the frame.

    fit_centre : bool, optional
        Whether to refine the position. `False` measures around it.

    min_snr : float, optional
        Signal-to-noise ratio of the last ring.

    precision : {'float32', 'bfloat16'}, optional
        Of the convolutions of a ring network. 'bfloat16' is faster on
        processors and GPUs that know it; the profile changes by much less
        than its errors.

    Raises
    ------
    ValueError
        If an argument is out of range, the weights are unknown, or their
        checksum is not that of their model card.

    FileNotFoundError
        If the file of the weights does not exist.

    Attributes
    ----------
    card : dict
        The model card of the weights.

    Notes
    -----
    The error of a ring is what the network says, photon noise included,
    times a factor of brightness and radius with which 68% of the rings of
    rendered galaxies that it was not trained on lie within it; and, with
    more views than one, their scatter. ``meta['correlation']`` tells how
    the errors of rings are correlated.

    The captioner of the paper (the weights 'captioner') writes a profile
    and no geometry: the ellipticity and the position angle of the table
    are those of one ellipse, from the moments of the light, and have the
    ring flag ``FIXED_GEOMETRY``.

    References
    ----------
    Smith et al. 2021, MNRAS 503, 96.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> profile = Pix2ProfFitter()(load_example())
    >>> profile['radius'].unit, profile['surface_brightness'].unit
    (Unit("arcsec"), Unit("mag / arcsec2"))
    """

    def __init__(self, weights='rings', *, device=None, batch_size=None,
                 n_views=None, sky='auto', search_radius=None, fit_centre=True,
                 min_snr=1.0, precision='float32'):
        if precision not in ('float32', 'bfloat16'):
            msg = ("precision must be 'float32' or 'bfloat16', got "
                   f'{precision!r}')
            raise ValueError(msg)
        if n_views is None:
            n_views = _VIEWS.get(read_card(weights)['architecture'], 1)
        self._set_options(device, batch_size, n_views, sky, search_radius,
                          fit_centre, min_snr)
        self.network, self.card = load_network(weights, device=self.device)
        self.weights = str(weights)
        options = {'batch_size': self.batch_size, 'min_snr': min_snr,
                   'n_views': self.n_views, 'measure_noise': measure_noise}
        self.precision = precision
        if self.card['architecture'] == 'rings':
            self.reader = RingReader(self.network, self.card,
                                     precision=precision, **options)
        elif precision != 'float32':
            msg = (f"precision must be 'float32' for the weights {weights!r}: "
                   'only ring networks know another')
            raise ValueError(msg)
        else:
            self.reader = CaptionReader(self.network, self.card, **options)

    def _set_options(self, device, batch_size, n_views, sky, search_radius,
                     fit_centre, min_snr):
        for name, value, most in (('batch_size', 1 if batch_size is None
                                   else batch_size, np.inf),
                                  ('n_views', n_views, 8)):
            if isinstance(value, bool) or not isinstance(
                    value, int | np.integer) or not 1 <= value <= most:
                text = ('a positive integer' if most == np.inf
                        else f'an integer from 1 to {most}')
                msg = f'{name} must be {text}, got {value!r}'
                raise ValueError(msg)
        if sky != 'auto' and (isinstance(sky, str) or not np.isscalar(sky)
                              or not np.isfinite(sky)):
            msg = f"sky must be 'auto' or a finite number, got {sky!r}"
            raise ValueError(msg)
        if search_radius is not None and not search_radius >= 2:
            msg = ('search_radius must be at least 2 pixels, got '
                   f'{search_radius}')
            raise ValueError(msg)
        if not min_snr > 0:
            msg = f'min_snr must be positive, got {min_snr}'
            raise ValueError(msg)
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        try:
            self.device = torch.device(device)
        except RuntimeError as error:
            msg = (f"device must be a device of torch, such as 'cpu' or "
                   f"'cuda', got {device!r}")
            raise ValueError(msg) from error
        if batch_size is None:
            batch_size = _BATCH if self.device.type == 'cpu' else _GPU_BATCH
        self.batch_size, self.n_views = int(batch_size), int(n_views)
        self.sky, self.search_radius = sky, search_radius
        self.fit_centre, self.min_snr = fit_centre, min_snr

    @classmethod
    def from_original(cls, path, *, radius_step=None, device=None,
                      batch_size=None, sky=0.0, search_radius=None,
                      fit_centre=True):
        """
        A fitter with the network that the authors of the paper published.

        It gives what that network gives in evaluation mode. It was trained
        on images of the Sloan survey, in nanomaggies and with pixels of
        0.396 arcsec, and on no other. It sees the 256 x 256 pixels around
        the position, by default the middle of the image.

        Parameters
        ----------
        path : path-like
            The checkpoint that the authors' code writes, such as
            ``pix2prof_2020-10-08.pth``. Only its tensors are read.

        radius_step : float, optional
            The step between the radii of its profiles in arcsec; by
            default one pixel of the image.

        device, batch_size, search_radius, fit_centre : optional
            As for `Pix2ProfFitter`.

        sky : 'auto' or float, optional
            Likewise; by default the image is taken as it is.

        Returns
        -------
        fitter : `Pix2ProfFitter`
            Its errors are not-a-number, as nobody has measured them.

        Raises
        ------
        FileNotFoundError
            If there is no such file.

        ValueError
            If the file is not a checkpoint of that network, or
            ``radius_step`` is not positive.
        """
        from astro_pix2prof.networks.original import load_original
        from astro_pix2prof.networks.readers.original import OriginalReader
        from astro_pix2prof.networks.weights import file_sha256

        if radius_step is not None and not radius_step > 0:
            msg = f'radius_step must be positive, got {radius_step}'
            raise ValueError(msg)
        fitter = cls.__new__(cls)
        fitter._set_options(device, batch_size, 1, sky, search_radius,
                            fit_centre, 1.0)
        fitter.network = load_original(path).to(fitter.device)
        fitter.weights = os.path.basename(path)
        fitter.card = {'architecture': 'original', 'name': fitter.weights,
                       'sha256': file_sha256(path)}
        fitter.reader = OriginalReader(fitter.network, radius_step,
                                       fitter.batch_size)
        return fitter

    def __repr__(self):
        return (f'<{type(self).__name__}: weights {self.weights!r}, '
                f'{self.card["architecture"]}, on {self.device}>')

    def __call__(self, image, *, geometry=None, n_samples=0,
                 seed=None, **options):
        """
        Measure the profile of a galaxy.

        Parameters
        ----------
        image : any image that `GalaxyCutout` takes
            The image.

        geometry : `~astropy.table.QTable`, optional
            A profile of the same galaxy whose centre and ellipses are
            used.

        n_samples : int, optional
            How many noisy versions of the profile to add, in the column
            ``surface_brightness_samples``; see `sample_profile`.

        seed : int, optional
            The seed of these.

        **options
            Passed to `GalaxyCutout`: ``zeropoint``, ``pixel_scale``,
            ``mask``, ``position`` and the rest.

        Returns
        -------
        profile : `~astropy.table.QTable`
            See `build_profile` for its columns.

        Raises
        ------
        ValueError
            If the image cannot be used, see `GalaxyCutout`; if the network
            needs calibrated images and this one is not; or if
            ``n_samples`` is not an integer from 0 on.
        """
        return self.fit(image, geometry=geometry,
                        n_samples=n_samples, seed=seed, **options).profile

    def fit(self, image, *, geometry=None, n_samples=0, seed=None,
            **options):
        """
        As calling the fitter, but keep mask, sky and model.

        Parameters
        ----------
        image, geometry, n_samples, seed, **options
            See `__call__`.

        Returns
        -------
        fit : `ProfileFit`
        """
        n_samples = check_n_samples(n_samples)
        cutout = GalaxyCutout.from_any(image, **options)
        prepared = self._prepare(cutout, geometry)
        caption, = read_filled(self.reader, [frame_of(prepared)])
        return self._finish(prepared, caption, n_samples, seed)

    def measure_all(self, images, *, progress=False, n_samples=0, seed=None,
                    **options):
        """
        Measure many galaxies, in batches.

        Parameters
        ----------
        images : iterable
            Images of any kind that `GalaxyCutout` takes. Few are held in
            memory at once.

        progress : bool, optional
            Whether to show a progress bar.

        n_samples, seed : int, optional
            As for `__call__`; the seed is the same for all images.

        **options
            As for `__call__`, the same for all images.

        Returns
        -------
        profiles : list
            For each image its profile, the same as that of a single call,
            or the exception that it led to: one bad image loses nothing.
        """
        n_samples = check_n_samples(n_samples)

        def finish(prepared, caption):
            return self._finish(prepared, caption, n_samples, seed).profile

        if progress:
            from tqdm import tqdm

            images = tqdm(images, unit='image')
        profiles, batch = [], []
        for image in images:
            try:
                cutout = GalaxyCutout.from_any(image, **options)
                batch.append(self._prepare(cutout, None))
            except Exception as error:  # it is the image's result
                batch.append(error)
            if len(batch) == self.batch_size:
                profiles += self._read_each(batch, finish)
                batch = []
        return profiles + self._read_each(batch, finish)

    def _check(self, cutout):
        """
        Whether the network can read the image.
        """
        config = getattr(self.network, 'config', None)
        absolute = config is None or 'absolute' == getattr(
            config, 'value', '') or 'fixed' == getattr(
            config, 'image_scaling', '')
        if absolute and not (np.isfinite(cutout.zeropoint)
                             and cutout.pixel_scale):
            msg = (f'the weights {self.weights!r} need images with a zero '
                   'point and a pixel scale; this one has none: give '
                   "zeropoint= and pixel_scale=, or use weights='rings'")
            raise ValueError(msg)
        if self.card['architecture'] == 'original' and min(
                cutout.shape) < N_PIX:
            msg = (f'the original network needs images of {N_PIX} x {N_PIX} '
                   f'pixels or more, got {cutout.shape[1]} x '
                   f'{cutout.shape[0]}: give a larger cut-out')
            raise ValueError(msg)

    def _prepare(self, cutout, geometry):
        self._check(cutout)
        return prepare_galaxy(
            cutout, sky=self.sky, search_radius=self.search_radius,
            fit_centre=self.fit_centre, geometry=geometry,
            detect=self.card['architecture'] != 'rings')

    def _finish(self, prepared, caption, n_samples=0, seed=None):
        """
        The profile table of what the network wrote.
        """
        cutout = prepared.cutout
        rings = self._rings(prepared, caption)
        profile = build_profile(
            cutout, rings.sma, rings.intensity, rings.intensity_err,
            surface_brightness_err=rings.error, ellipticity=rings.eps,
            theta=np.degrees(rings.theta), n_valid=rings.n_valid,
            flag=rings.flag, centre=rings.centre, sky=prepared.sky,
            noise=prepared.sigma, fitter=type(self).__name__,
            galaxy_flag=int(rings.galaxy_flag),
            weights=self.card.get('name', self.weights),
            sha256=self.card['sha256'])
        correlation = self.card.get('error_model', {}).get('correlation')
        if correlation is not None:
            profile.meta['correlation'] = dict(correlation)
        if n_samples:
            profile[SAMPLES] = sample_profile(profile, n_samples, seed=seed)
        return ProfileFit(
            profile=profile, cutout=cutout, mask=cutout.mask,
            sky=prepared.sky, centre=prepared.centre, sma=rings.sma,
            eps=rings.eps, theta=np.degrees(rings.theta),
            intensity=rings.intensity, weight=caption.weight)

    def _rings(self, prepared, caption):
        """
        What the network wrote, as rings, with flags.
        """
        cutout, sma = prepared.cutout, caption.sma
        intensity = caption.intensity
        centre = prepared.centre
        if caption.e1 is not None:
            e1, e2, centre = caption.e1, caption.e2, caption.centre
        elif prepared.ellipses is not None:
            e1, e2 = (np.interp(sma, prepared.ellipses[0], part)
                      for part in prepared.ellipses[1:])
        else:
            e1, e2 = (np.full(len(sma), prepared.eps * part(
                2 * prepared.theta)) for part in (np.cos, np.sin))
        eps, theta = np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)
        snr = frame_of(prepared).ring_snr(
            sma, intensity, None if caption.e1 is None else eps)
        # a ring network states its error, photon noise included
        error = caption.error
        if caption.e1 is None:
            error = np.hypot(error, POGSON / np.maximum(snr, 1e-3))
        n_valid, mean = caption.valid, None
        if caption.valid is None:
            rings = measure_rings(
                prepared.image, ~cutout.mask, centre, sma, eps, theta,
                sigma=prepared.sigma, clip=3.0)
            n_valid, mean = rings.n_valid, rings.mean
        prepared.centre = tuple(float(c) for c in centre)
        flag = ring_flags(prepared, caption, n_valid, eps, theta)
        galaxy = galaxy_flags(prepared, caption, n_valid, snr, flag, mean)
        return MeasuredRings(
            cutout=cutout, sma=sma, intensity=intensity, error=error,
            eps=eps, theta=theta, n_valid=n_valid, flag=flag,
            galaxy_flag=galaxy, centre=prepared.centre, sky=prepared.sky,
            noise=prepared.sigma)
