# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The interface of all fitters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from astro_pix2prof.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_options,
)
from astro_pix2prof.fitting.bands import measure_bands
from astro_pix2prof.fitting.forced import ForcedImage
from astro_pix2prof.fitting.harmonics import HARMONIC_OPTIONS, RingChoice
from astro_pix2prof.fitting.parts import (
    PartJob,
    check_images,
    split_options,
    split_parts,
)
from astro_pix2prof.fitting.processes import map_parts
from astro_pix2prof.fitting.settings import (
    call_options,
    refuse_setting_of_another,
    settings_of,
)
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.batch import ProfileBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Literal

    from astropy.table import QTable

    from astro_pix2prof import BandProfiles
    from astro_pix2prof.typing import ImageLike

__all__ = ['FunctionFitter', 'ProfileFitter', 'as_fitter']

# Galaxies of a batch: enough that what is done once for a batch is little,
# few enough that their images fit into memory many times.
_BATCH = 64

# Pixels on a side of a crop that a galaxy with sky around it needs at least:
# fewer are a slip in the unit.
_LEAST_SIDE = 10


class ProfileFitter(ABC):
    """
    Measure surface-brightness profiles of galaxies.

    Whoever takes a fitter takes any object of this class. A subclass has a
    method `fit`; the others follow from it, and a subclass that measures
    many galaxies at once overrides ``_measure_part``.
    """

    def __call__(self, image: ImageLike, **options: Any) -> QTable:
        """
        Measure the profile of a galaxy.

        Parameters
        ----------
        image : any image that `GalaxyCutout` takes
            The image.

        **options
            As for `fit`.

        Returns
        -------
        profile : `~astropy.table.QTable`
            See `build_profile` for its columns.

        Raises
        ------
        ValueError
            If the image cannot be used, see `GalaxyCutout`.

        TypeError
            If an option is not known.
        """
        return self.fit(image, **options).profile

    @abstractmethod
    def fit(self, image, **options):
        """
        Measure a galaxy and return the full result.

        Parameters
        ----------
        image : any image that `GalaxyCutout` takes
            The image.

        **options
            Options of the fitter and of `GalaxyCutout`.

        Returns
        -------
        fit : `ProfileFit`
        """

    def fit_many(self, images: Iterable[ImageLike], *,
                 batch_size: int | None = None, workers: int = 0,
                 progress: bool = False,
                 **options: Any) -> Iterator[ProfileBatch]:
        """
        Measure any number of galaxies.

        Few images are in memory at a time. What cannot be read or measured
        becomes a row with the flag ``FAILED`` and a message.

        Parameters
        ----------
        images : iterable
            Images of any kind that `GalaxyCutout` takes, or tuples of an
            image and a dict of options of its own, such as ``position``,
            ``size`` or ``geometry``. It may be a generator.

        batch_size : int, optional
            The number of galaxies in a batch; by default 64, or more for
            fitters that read more at once.

        workers : int, optional
            The number of processes that measure, each on one core, which is
            faster than several cores on the same image. By default 0: this
            process does it all. If a network runs on a GPU, they read the
            images.

        progress : bool, optional
            Whether to show a progress bar.

        **options
            As for `fit`, for all images.

        Yields
        ------
        batch : `~astro_pix2prof.ProfileBatch`
            The next galaxies, in the order of the images. ``batch[i]`` is
            the profile that a single call gives.

        Raises
        ------
        TypeError
            If ``images`` is a single image or a dict.

        TypeError, ValueError
            If ``batch_size`` or ``workers`` is no integer or out of range.

        RuntimeError
            If a process died, for instance for lack of memory.

        Notes
        -----
        Where processes are started afresh, a script needs
        ``if __name__ == '__main__':``, and the images are sent to the
        processes: give paths.
        """
        return self._batches_with(self._parts, images, batch_size, workers,
                                  progress, options)

    def fit_bands(self, images: dict[str, Any], *,
                  reference: str | None = None,
                  colours: Sequence[str] | None = None,
                  psf: dict[str, Any] | None = None,
                  predict: Literal['light', 'mass'] = 'light',
                  keep_fits: bool = False,
                  **options: Any) -> BandProfiles:
        """
        Measure a galaxy in several bands on the same ellipses.

        One band is measured by itself; its centre, ellipses and radii are
        then those of all bands (forced photometry). Images with a WCS may
        have different pixels; images without one must share theirs: a
        band whose shape or pixel scale is another one fails.

        Parameters
        ----------
        images : dict
            For each band, by its name, an image of any kind that
            `GalaxyCutout` takes.

        reference : str, optional
            The band that is measured first. By default 'r' if there is
            one, otherwise the band with the highest signal-to-noise ratio,
            for which each is measured by itself first. With 'all', the
            ellipses are those of the sum of all bands, in which each counts
            by its signal: its colour over its noise, squared. Images
            without a WCS must have one shape then.

        colours : sequence of str, optional
            The colours, such as ``['g-r', 'g-z']``. By default, those of
            bands that follow each other in ``images``, failed ones left
            out.

        psf : dict, optional
            For each band what `~astro_pix2prof.PSF` takes, such as
            ``{'g': 1.4, 'r': 'psf_r.fits'}``: the table of colours has all
            bands as seen behind the broadest of these. The profiles, and a
            mass, are as measured.

        predict : {'light', 'mass'}, optional
            With 'mass', the result has the stellar-mass profile as well,
            ``result.mass``; options of `~astro_pix2prof.mass_profile` such
            as ``distance`` and ``relation`` are then allowed. A mass that
            cannot be measured stands in ``failed``.

        keep_fits : bool, optional
            Whether ``result.fits`` keeps the full result of each band, with
            its image, as `~astro_pix2prof.find_clumps` takes them. By
            default images are let go, to save memory.

        **options
            As for a single image. The value of an option that differs
            between bands is a dict with a value for each band, such as
            ``zeropoint={'g': 25.1, 'r': 24.8}``. A ``position`` in pixels
            is that in the reference band; with 'all', in every band (where
            bands have other pixels, give sky coordinates).

        Returns
        -------
        result : `BandProfiles`
            A band that cannot be measured stands in ``failed`` and loses
            nothing else.

        Raises
        ------
        TypeError
            If ``images`` is not a dict.

        ValueError
            If there are fewer than two bands; the reference, a colour or
            an option names a band that is not there; no band can be
            measured; or the network measures along no ellipses. A
            ``reference`` that was given raises what went wrong with it.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If two bands are the same image of one file; if, with 'all', a
            position in pixels is not the same place in all bands; or if the
            galaxy is off by more than 1.5 pixels in one of them.

        Notes
        -----
        Without ``psf``, the PSFs are not matched. Where they differ, a
        colour within about one FWHM of the broader one is wrong, and has
        the flag UNRESOLVED if ``psf_fwhm`` is given. Errors of the bands are
        taken as independent. Nothing is corrected for extinction.

        With ``reference='all'``, all bands have the flag FORCED, and those
        of SECOND_GUESS, FIXED_ELLIPSES, CENTRE_UNCERTAIN, CENTRE_OFFSET and
        GEOMETRY_UNCERTAIN that the fit of the sum has; other flags are
        those of the band.

        Examples
        --------
        >>> from astro_pix2prof import Pix2ProfFitter, load_example
        >>> image = load_example()
        >>> Pix2ProfFitter().fit_bands({'g': image, 'r': image})
        <BandProfiles: g, r on the ellipses of r, ... rings>
        """
        predict = check_choice(predict, 'predict', ('light', 'mass'))
        if predict == 'light' and {'distance', 'redshift'} & options.keys():
            msg = ("distance and redshift are options of masses: give "
                   "predict='mass', too")
            raise TypeError(msg)
        fit = self._fit_of_bands()
        measure = measure_bands
        if predict == 'mass':
            from astro_pix2prof.fitting.masses import (
                measure_masses as measure,
            )
        return measure(fit, images, reference=reference,
                       colours=colours, psf=psf,
                       keep_fits=check_flag(keep_fits, 'keep_fits'),
                       **options)

    def _chooses_radii(self, options):
        """
        Tell whether the radii are those that the user asked for (bool).
        """
        return False

    def _read_image(self, image, options):
        """
        Read an image with the options of a call that are not of the fit.
        """
        name, settings = type(self).__name__, settings_of(type(self))
        known = call_options(type(self))
        for option in options:
            if option in settings and option not in known:
                msg = (f'{option!r} is a setting of {name}, not an option of '
                       f'its calls: give it there, {name}({option}=...)')
                raise TypeError(msg)
            refuse_setting_of_another(type(self), option, known)
        check_options(options, known, name)
        if isinstance(image, ForcedImage):
            return image.read()
        cutout = GalaxyCutout.from_any(image, **options)
        if options.get('size') is not None:
            _check_crop(cutout.shape, options['size'])
        return cutout

    def _batches_with(self, parts, images, batch_size, workers, progress,
                      options):
        """
        Check the arguments of a call now, and not with the first batch.

        Parameters
        ----------
        parts : callable
            Measures the images part by part, as `_parts` does.

        images, batch_size, workers, progress, options
            As for `fit_many`.

        Returns
        -------
        batches : iterator
            Of what ``parts`` gives.
        """
        check_images(images)
        if batch_size is None:
            batch_size = max(_BATCH, getattr(self, 'batch_size', 1))
        return self._batches(
            parts, images, check_integer(batch_size, 'batch_size', least=1),
            check_integer(workers, 'workers', least=0), progress, options)

    def _batches(self, parts, images, size, workers, progress, options):
        bar = None
        if progress:
            from tqdm import tqdm

            total = len(images) if hasattr(images, '__len__') else None
            bar = tqdm(total=total, unit='galaxy')
        try:
            for batch in parts(images, size, workers, options):
                yield batch
                if bar is not None:
                    # (of a batch, or of a batch and what goes with it)
                    bar.update(len(batch[0] if isinstance(batch, tuple)
                                   else batch))
        finally:
            if bar is not None:
                bar.close()

    def _parts(self, images, size, workers, options):
        """
        Measure the images part by part, here or in other processes.
        """
        job = PartJob(self, options)
        parts = split_parts(images, size)
        if workers == 0:
            return map(job, parts)
        return map_parts(job, parts, workers)

    def _measure_part(self, start, images, options):
        """
        Measure some galaxies one after the other.

        Parameters
        ----------
        start : int
            The number of the first.

        images : list
            As for `fit_many`.

        options : dict
            Options for all images.

        Returns
        -------
        batch : `~astro_pix2prof.ProfileBatch`
        """
        profiles, sources = [], []
        for item in images:
            image, own, source = split_options(item, options)
            sources.append(source)
            try:
                profiles.append(self(image, **own))
            except Exception as error:
                # Store the exception so that one bad image does not stop
                # the others.
                profiles.append(error)
        return ProfileBatch.from_profiles(
            profiles, sources=sources, start=start,
            columns=self._ring_columns(options))

    def _fit_of_bands(self):
        """
        Return the function that measures bands, if they can share ellipses.
        """
        return self.fit

    def _ring_columns(self, options):
        """
        List the columns of rings that are added on request.
        """
        choice = RingChoice(*(getattr(self, name, False) is True
                              for name in HARMONIC_OPTIONS))
        return choice.updated(options).columns


class FunctionFitter(ProfileFitter):
    """
    Give a function of an image the methods of a fitter.

    Parameters
    ----------
    function : callable
        Takes an image and returns its profile.
    """

    def __init__(self, function):
        self.function = function

    def __call__(self, image, **options):
        """
        Measure the profile of a galaxy.
        """
        return self.function(image, **options)

    def fit(self, image, **options):
        """
        Raise an error: a function returns a profile only.
        """
        msg = (f'{self.function!r} returns a profile and no full result: '
               'call it')
        raise TypeError(msg)


def as_fitter(fitter):
    """
    Take any object that measures galaxies as a fitter.

    Parameters
    ----------
    fitter : object
        An object with the method ``fit_many``, or a function of an image
        that returns its profile.

    Returns
    -------
    fitter : object
        The same object, or a `FunctionFitter`.

    Raises
    ------
    TypeError
        If it is a class, or nothing that can be called.
    """
    if isinstance(fitter, type) and hasattr(fitter, 'fit_many'):
        msg = (f'fitter must be a fitter and not its class: '
               f'{fitter.__name__}()')
        raise TypeError(msg)
    if not (hasattr(fitter, 'fit_many') or callable(fitter)):
        msg = ('fitter must be a fitter, such as IsophoteFitter(), or a '
               f'function of an image, got {type(fitter).__name__}')
        raise TypeError(msg)
    return fitter if hasattr(fitter, 'fit_many') else FunctionFitter(fitter)


def _check_crop(shape, size):
    """
    Refuse a crop in which no profile could be measured.

    Parameters
    ----------
    shape : tuple of int
        The shape (ny, nx) of the image.

    size : optional
        The size that was asked for.

    Raises
    ------
    ValueError
        If a side has less than 10 pixels.
    """
    if min(shape) < _LEAST_SIDE:
        msg = (f'size={size} leaves {shape[1]} x {shape[0]} pixels of the '
               f'image: a profile needs {_LEAST_SIDE} at least. Numbers '
               "without a unit are pixels; angles have one, such as "
               "'90arcsec'")
        raise ValueError(msg)
