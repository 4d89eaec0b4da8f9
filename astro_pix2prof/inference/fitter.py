# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The network method: image in, profile out.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
import torch
from astropy.utils.exceptions import AstropyDeprecationWarning

from astro_pix2prof.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_positive,
)
from astro_pix2prof.background.noise import measure_noise
from astro_pix2prof.fitting.base import ProfileFitter
from astro_pix2prof.fitting.common_settings import (
    check_settings,
    check_sky_err,
)
from astro_pix2prof.fitting.fit import ProfileFit, with_border
from astro_pix2prof.fitting.flags import flag_rings
from astro_pix2prof.fitting.harmonics import RingChoice, add_harmonics
from astro_pix2prof.fitting.parts import PartJob, split_parts
from astro_pix2prof.fitting.radii import (
    RADII_META,
    RADIUS_OPTIONS,
    RingRadii,
    enclosed_magnitudes,
)
from astro_pix2prof.fitting.saturation import mark_saturated
from astro_pix2prof.fitting.settings import named_settings
from astro_pix2prof.image.cropping import without_border
from astro_pix2prof.inference.captions import rings_of_caption
from astro_pix2prof.inference.many import (
    PrepareJob,
    measure_prepared,
    prepare_part,
)
from astro_pix2prof.inference.preparation import (
    check_forced,
    check_readable,
    prepare_galaxy,
    read_galaxies,
)
from astro_pix2prof.inference.processes import map_parts
from astro_pix2prof.inference.radii import rings_at
from astro_pix2prof.networks.architectures import (
    READERS,
    find_architecture,
)
from astro_pix2prof.networks.weights import load_network, read_card
from astro_pix2prof.profile.build import make_profile
from astro_pix2prof.profile.meta import correlation_text
from astro_pix2prof.profile.samples import (
    SAMPLES,
    check_n_samples,
    sample_profile,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal

    from astropy.table import QTable
    from astropy.units import Quantity
    from numpy.typing import ArrayLike

    from astro_pix2prof.typing import EllipsesLike, ImageLike, PathLike

__all__ = ['Pix2ProfFitter']


# Galaxies that a network reads at once.
_BATCH, _GPU_BATCH = 16, 256


class Pix2ProfFitter(ProfileFitter):
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
        galaxy is the same galaxy. A ring network does; for it, more views
        than 1 are deprecated.

    sky : 'auto', 'plane', float or `~astropy.units.Quantity`, optional
        'auto' measures the sky beyond the galaxy, or the level that its
        outskirts decline to where it fills the frame, and the network finds
        what that leaves; a steep gradient (more than twice the noise of a
        pixel from side to side) is taken away as a plane, with the flag
        ``SKY_UNCERTAIN``. 'plane' does so with every gradient.
        A number is the sky level in the image's unit, a quantity in its
        own.

    sky_err : float or `~astropy.units.Quantity`, optional
        The error of a given sky level, which every ring has then; that of a
        measured one is measured.

    search_radius : float, optional
        How far the galaxy may lie from the position, in pixels; by
        default 25, or 8 if a position was given, and at most a quarter of
        the frame. Ring networks go further for a galaxy that they see there
        if there is neither this nor a position.

    fit_centre : bool, optional
        Whether to refine the position. `False` measures around it.

    min_snr : float, optional
        Signal-to-noise ratio of the last ring.

    radii : 1D array_like or `~astropy.units.Quantity`, optional
        The semi-major axes of the profile, increasing: angles or pixels;
        plain numbers are pixels. Each has its row, whatever there is to
        measure. By default, the network's own: 0, then 20% apart.

    step : float or `~astropy.units.Quantity`, optional
        The relative step between the semi-major axes (0.1 for 10%), half a
        pixel near the centre; a quantity is a constant step.

    linear : bool, optional
        Whether a ``step`` without unit is a constant one in pixels, as in
        `photutils.isophote`.

    max_radius : float or `~astropy.units.Quantity`, optional
        The semi-major axis up to which to measure, an angle or pixels. By
        default the profile ends where its signal does.

    precision : {'float32', 'bfloat16'}, optional
        Of the convolutions of a ring network. 'bfloat16' is faster on
        processors and GPUs that know it; the profile changes by much less
        than its errors.

    harmonics : bool, optional
        Whether to add columns to the profile: ``a3``, ``b3``, ``a4``,
        ``b4``, ``gradient``, ``rms`` and more; see the guide to rings.

    free_centres : bool, optional
        Whether to add the centre of each ring, too, and to measure these
        columns about it. The profile is that about the common centre.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or is none of the settings, such
        as ``ellipticity``, which is an option of the calls.

    ValueError
        If an argument is out of range, the weights are unknown, or their
        checksum is not that of their model card; or if options of the radii
        contradict each other.

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
    rendered galaxies that it was not trained on lie within it; the error of
    the sky (``meta['sky_err']``); what is added by noise that is correlated
    between pixels (``meta['noise_correlation']``); and, with more views
    than one, their scatter. ``meta['correlation']`` tells how
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

    @named_settings
    def __init__(
            self, weights: PathLike = 'rings', *, device: str | None = None,
            batch_size: int | None = None, n_views: int | None = None,
            sky: float | Quantity | Literal['auto', 'plane'] = 'auto',
            sky_err: float | Quantity = 0.0,
            search_radius: float | None = None, fit_centre: bool = True,
            min_snr: float = 1.0, radii: ArrayLike | Quantity | None = None,
            step: float | Quantity | None = None, linear: bool | None = None,
            max_radius: float | Quantity | None = None,
            precision: Literal['float32', 'bfloat16'] = 'float32',
            harmonics: bool = False, free_centres: bool = False) -> None:
        self.harmonics = check_flag(harmonics, 'harmonics')
        self.free_centres = check_flag(free_centres, 'free_centres')
        self._choose_radii(RingRadii(radii, step, linear, max_radius))
        precision = check_choice(precision, 'precision',
                                 ('float32', 'bfloat16'))
        architecture = find_architecture(
            read_card(weights, kinds=READERS)['architecture'])
        architecture.check_reader(weights)
        usual = architecture.n_views
        if n_views is None:
            n_views = usual
        n_views = check_integer(n_views, 'n_views', least=1, most=8)
        if usual == 1 and n_views > 1:
            warnings.warn(
                f'n_views={n_views} is deprecated for ring networks and will '
                'be removed: the average of turned images takes several times '
                'as long and is no better; leave it out',
                AstropyDeprecationWarning, stacklevel=3)
        self._set_options(device, batch_size, n_views, sky, search_radius,
                          fit_centre, min_snr)
        self.sky_err = check_sky_err(sky_err, self.sky)
        self.network, self.card = load_network(weights, device=self.device)
        self.weights = str(weights)
        self.architecture = find_architecture(self.card['architecture'])
        self.precision = precision
        self.reader = self.architecture.make_reader(
            self.network, self.card, precision=precision,
            batch_size=self.batch_size, min_snr=min_snr,
            n_views=self.n_views, measure_noise=measure_noise)

    def _set_options(self, device, batch_size, n_views, sky, search_radius,
                     fit_centre, min_snr):
        check_integer(batch_size, 'batch_size', least=1, optional=True)
        check_integer(n_views, 'n_views', least=1, most=8)
        self.sky, self.search_radius, self.fit_centre, self.min_snr = (
            check_settings(sky, search_radius, fit_centre, min_snr))
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        try:
            self.device = torch.device(device)
        except RuntimeError as error:
            msg = (f"device must be a device of torch, such as 'cpu' or "
                   f"'cuda', got {device!r}")
            raise ValueError(msg) from error
        if self.device.type == 'cuda' and not torch.cuda.is_available():
            msg = (f'device={str(device)!r} needs a GPU, and torch finds none '
                   "here: leave device out, or give 'cpu'")
            raise ValueError(msg)
        if batch_size is None:
            batch_size = _BATCH if self.device.type == 'cpu' else _GPU_BATCH
        self.batch_size, self.n_views = int(batch_size), int(n_views)

    def _choose_radii(self, choice):
        """
        Store the radii that were asked for.
        """
        self._radii = choice
        for name in RADIUS_OPTIONS:
            setattr(self, name, getattr(choice, name))

    @classmethod
    def from_original(cls, path: PathLike, *, radius_step: float | None = None,
                      device: str | None = None, batch_size: int | None = None,
                      sky: float | Quantity | Literal['auto', 'plane'] = 0.0,
                      search_radius: float | None = None,
                      fit_centre: bool = True) -> Pix2ProfFitter:
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

        sky : 'auto', 'plane' or float, optional
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
        from astro_pix2prof.networks.weights import file_sha256

        radius_step = check_positive(radius_step, 'radius_step',
                                     unit=u.arcsec, optional=True)
        fitter = cls.__new__(cls)
        fitter._choose_radii(RingRadii())
        fitter.harmonics = fitter.free_centres = False
        fitter.sky_err = 0.0
        fitter._set_options(device, batch_size, 1, sky, search_radius,
                            fit_centre, 1.0)
        fitter.network = load_original(path).to(fitter.device)
        fitter.weights = os.path.basename(path)
        fitter.card = {'architecture': 'original', 'name': fitter.weights,
                       'sha256': file_sha256(path)}
        fitter.architecture = find_architecture('original')
        fitter.reader = fitter.architecture.make_reader(
            fitter.network, fitter.card, radius_step=radius_step,
            batch_size=fitter.batch_size)
        return fitter

    def __repr__(self):
        return (f'<{type(self).__name__}: weights {self.weights!r}, '
                f'{self.card["architecture"]}, on {self.device}>')

    def fit(self, image: ImageLike, *, geometry: EllipsesLike | None = None,
            ellipticity: float | str | Quantity | None = None,
            pa: float | str | Quantity | None = None,
            radii: ArrayLike | Quantity | None = None,
            step: float | Quantity | None = None, linear: bool | None = None,
            max_radius: float | Quantity | None = None, n_samples: int = 0,
            seed: int | None = None, harmonics: bool | None = None,
            free_centres: bool | None = None, **options: Any) -> ProfileFit:
        """
        Measure a galaxy and return the full result.

        Calling the fitter returns the profile of it.

        Parameters
        ----------
        image : any image that `GalaxyCutout` takes
            The image.

        geometry : profile, table, ellipse or list of isophotes, optional
            The ellipses to measure on: a profile of the same galaxy; an
            `~photutils.isophote.EllipseGeometry` or
            `~photutils.isophote.IsophoteList`, whose angles count from +x;
            or a table with the columns ``radius`` (or ``sma``),
            ``ellipticity`` and ``pa``. Their centre is used if they have
            one. Networks that measure along no ellipses, such as
            'captioner', take none.

        ellipticity : float, str or `~astropy.units.Quantity`, optional
            The ellipticity of all ellipses: 0.4, '40%' or
            ``40 * u.percent``. The network finds the centre.

        pa : float, str or `~astropy.units.Quantity`, optional
            Their position angle in degrees, as in the column ``pa`` of the
            profile: from north through east if the image has a WCS,
            otherwise from +x counter-clockwise.

        radii, step, linear, max_radius, harmonics, free_centres : optional
            As in the settings of the fitter, for this image.

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
        fit : `ProfileFit`
            With the profile, the image, the mask, the sky, the ellipses and
            the weights of the pixels.

        Raises
        ------
        ValueError
            If the image cannot be used, see `GalaxyCutout`; if the network
            needs calibrated images and this one is not; or if
            ``n_samples`` is not an integer from 0 on.
        """
        n_samples = check_n_samples(n_samples)
        whole = self._read_image(image, options)
        cutout = without_border(whole)
        prepared = self._prepare(
            cutout, geometry=geometry, ellipticity=ellipticity, pa=pa,
            radii=radii, step=step, linear=linear, max_radius=max_radius,
            harmonics=harmonics, free_centres=free_centres)
        caption, = read_galaxies(self.reader, [prepared])
        rings, weight = self._rings_and_weight(prepared, caption)
        profile = make_profile(rings, {'fitter': type(self).__name__,
                                       **self._meta()})
        if n_samples:
            profile[SAMPLES] = sample_profile(profile, n_samples, seed=seed)
        return with_border(ProfileFit(
            profile=profile, cutout=prepared.cutout,
            mask=prepared.cutout.mask,
            sky=rings.sky, centre=rings.centre, sma=rings.sma,
            eps=rings.eps, theta=np.degrees(rings.theta),
            intensity=rings.intensity, weight=weight,
            tilt=prepared.background.over(cutout.shape) - prepared.sky), whole)

    def encode(self, images: Iterable[ImageLike], *,
               batch_size: int | None = None, workers: int = 0,
               progress: bool = False, **options: Any) -> QTable:
        """
        Measure galaxies and compute their embeddings.

        An embedding is 64 numbers that tell how a galaxy looks, whatever
        its size, inclination and orientation; those that look alike are
        close. See the guide to embeddings.

        Parameters
        ----------
        images : iterable
            As for `fit_many`; and colour pictures: arrays of shape
            (ny, nx, 3) and files such as JPEG and PNG. Pictures hold no
            fluxes and are never calibrated.

        batch_size, workers, progress, **options : optional
            As for `fit_many`; and ``encoder``, the weights of an encoder
            that `fine_tune` wrote.

        Returns
        -------
        table : `~astropy.table.QTable`
            The columns of ``ProfileBatch.galaxies``; ``embedding``, shape
            (n, 64), of unit length; and probabilities such as ``p_bar``.
            A galaxy without one has the flag ``FAILED``, a message and NaN.

        Raises
        ------
        TypeError
            If ``images`` is a single image.

        TypeError, ValueError
            If ``batch_size`` or ``workers`` is no integer or out of range.

        Examples
        --------
        >>> from astro_pix2prof import Pix2ProfFitter, load_example
        >>> table = Pix2ProfFitter().encode([load_example()])
        >>> table['embedding'].shape
        (1, 64)
        """
        from astro_pix2prof.inference.encoder import encode_images

        return encode_images(self, images, batch_size=batch_size,
                             workers=workers, progress=progress, **options)

    def _parts(self, images, size, workers, options):
        job = PartJob(self, options)
        parts = split_parts(images, size)
        if workers == 0:
            return map(job, parts)
        if self.device.type == 'cpu':
            return map_parts(job, parts, workers)
        # the processes read, and the GPU of this one measures
        columns = self._ring_columns(options)
        return (measure_prepared(self, *part, columns) for part in
                map_parts(PrepareJob(self, options), parts, workers))

    def _measure_part(self, start, images, options):
        return measure_prepared(self, start,
                                *prepare_part(self, images, options),
                                self._ring_columns(options))

    def _meta(self):
        """
        Collect the meta that all profiles of this fitter share.
        """
        meta = {'weights': self.card.get('name', self.weights),
                'sha256': self.card['sha256']}
        correlation = self.card.get('error_model', {}).get('correlation')
        if correlation is not None:
            meta['correlation'] = correlation_text(correlation)
        return meta

    def _fit_of_bands(self):
        check_forced(self.architecture, self.weights,
                     **{'several bands': True})
        return super()._fit_of_bands()

    def _chooses_radii(self, options):
        return not self._radii.updated(options).is_free

    def _prepare(self, cutout, *, geometry=None, ellipticity=None, pa=None,
                 harmonics=None, free_centres=None, **radii):
        check_forced(self.architecture, self.weights, geometry=geometry,
                     ellipticity=ellipticity, pa=pa)
        check_readable(cutout, self.architecture, self.network, self.weights)
        prepared = prepare_galaxy(
            cutout, sky=self.sky, sky_err=self.sky_err,
            search_radius=self.search_radius, fit_centre=self.fit_centre,
            geometry=geometry, ellipticity=ellipticity, pa=pa,
            detect=not self.architecture.finds_geometry)
        prepared.columns = RingChoice(
            self.harmonics, self.free_centres).updated({
                'harmonics': harmonics, 'free_centres': free_centres})
        prepared.radii = self._radii.updated(radii)
        # (before the network has worked)
        prepared.radii.check(cutout)
        return prepared

    def _measure(self, prepared, caption):
        """
        Convert the network output to rings at the radii asked for.
        """
        return self._rings_and_weight(prepared, caption)[0]

    def _rings_and_weight(self, prepared, caption):
        """
        Convert the network output to rings, and weights of their points.
        """
        rings, weight = self._rings_at_radii(prepared, caption)
        if prepared.columns.harmonics:
            add_harmonics(
                rings, prepared.columns,
                prepared.image - (rings.sky - prepared.sky),
                ~prepared.cutout.mask, weight=weight)
        return rings, weight

    def _rings_at_radii(self, prepared, caption):
        """
        Convert the network output to rings at the radii asked for.
        """
        rings = rings_of_caption(prepared, caption)
        sma = prepared.radii.wanted(prepared.cutout, rings.sma)
        if sma is None:
            return rings, caption.weight
        part, weight = rings_at(rings, prepared, sma, caption.weight)
        part.flag = flag_rings(
            part, fixed=caption.e1 is None or prepared.ellipses is not None)
        mark_saturated(part, rings)
        part.mag_enclosed = enclosed_magnitudes(rings, part)
        part.meta.update(RADII_META)
        return part, weight
