# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Register of network architectures.

A new architecture needs one record here: the loader of weights, the
training and the fitter ask the record, and nothing else, in which way
networks differ. Classes are named by their import paths and imported when
they are used, so that this module imports neither readers nor training.
"""

from dataclasses import dataclass
from importlib import import_module

__all__ = [
    'ARCHITECTURES',
    'READERS',
    'Architecture',
    'architecture_of',
    'find_architecture',
]


@dataclass(frozen=True)
class Architecture:
    """
    Properties of a network architecture.

    Attributes
    ----------
    name : str
        The name in recipes and model cards.

    title : str
        The name in sentences, in the singular.

    network, reader : str
        The network and the reader that runs it over frames, as
        ``'package.module:Class'``; no reader for a network that measures no
        profiles.

    config : str
        The settings of the network, likewise; empty for a network that is
        not loaded from safetensors files.

    task : str
        The training task, likewise; empty for a network that cannot be
        trained here.

    n_views : int
        The default number of turned and mirrored views that are averaged.

    n_channels : int
        The number of channels of an image.

    least_size : int
        The smallest side of an image in pixels.

    calibrated : bool
        Whether images need a zero point and a pixel scale, whatever the
        settings are.

    bfloat16 : bool
        Whether the network can compute its convolutions in bfloat16.

    finds_geometry : bool
        Whether the network measures the centre, the ellipses and the usable
        part of the rings. If not, they are measured on the image.

    gives_embeddings : bool
        Whether the network gives embeddings of measured galaxies.

    states_errors : bool
        Whether the network states an error for each ring. If not, errors
        follow from the scatter of the views.

    has_domain : bool
        Whether the network measures the distance of an image from those
        that it was trained on.

    error_unit : str
        The unit of the errors of its training task.

    error_columns : tuple of tuple of str
        The keys that the table ``error_model`` of a model card must have, in
        groups of equal length; the first of a group does not decrease.

    more_error_columns : tuple of tuple of str
        Groups that it may have.
    """

    name: str
    title: str
    network: str
    reader: str = ''
    config: str = ''
    task: str = ''
    n_views: int = 1
    n_channels: int = 1
    least_size: int = 1
    calibrated: bool = False
    bfloat16: bool = False
    finds_geometry: bool = False
    gives_embeddings: bool = False
    states_errors: bool = False
    has_domain: bool = False
    error_unit: str = 'mag'
    error_columns: tuple = ()
    more_error_columns: tuple = ()

    @property
    def network_class(self):
        """
        Class of the network.
        """
        return _import(self.network)

    @property
    def config_class(self):
        """
        Class of the settings.
        """
        return _import(self.config)

    @property
    def reader_class(self):
        """
        Class of the reader.
        """
        return _import(self.reader)

    @property
    def task_class(self):
        """
        Class of the training task.
        """
        return _import(self.task)

    def make_network(self, settings):
        """
        Make a network with random weights.

        Parameters
        ----------
        settings : dict
            Settings; those left out have their defaults.

        Returns
        -------
        network : `torch.nn.Module`

        Raises
        ------
        ValueError
            If a setting is unknown or out of range.
        """
        return self.network_class(self.config_class.from_dict(settings))

    def make_reader(self, network, card=None, *, precision='float32',
                    **options):
        """
        Make the reader of a network.

        Parameters
        ----------
        network : `torch.nn.Module`
            The network.

        card : dict, optional
            Its model card.

        precision : {'float32', 'bfloat16'}, optional
            The precision of the convolutions.

        **options
            Passed to the reader: ``batch_size``, and ``n_views``,
            ``min_snr`` and ``measure_noise`` of readers of whole frames.

        Returns
        -------
        reader : object
            An object with the method ``read``.

        Raises
        ------
        ValueError
            If the network measures no profiles, does not know the
            precision, or an option is out of range.
        """
        if not self.reader:
            readers = ' and '.join(f'{item.title}s' for item in
                                   ARCHITECTURES.values() if item.reader)
            msg = (f'weights: a {self.title} measures no profiles, as '
                   f'{readers} do: give the weights of one of these')
            raise ValueError(msg)
        if precision != 'float32' and not self.bfloat16:
            others = ' and '.join(f'{item.title}s' for item in
                                  ARCHITECTURES.values() if item.bfloat16)
            msg = (f"precision must be 'float32' for a {self.title}: only "
                   f'{others} know another; got {precision!r}')
            raise ValueError(msg)
        if self.bfloat16:
            options['precision'] = precision
        return self.reader_class(network, card, **options)

    def check_reader(self, weights):
        """
        Check that weights are those of a network that measures profiles.

        Parameters
        ----------
        weights : str or path-like
            The weights, for the message.

        Raises
        ------
        ValueError
            If the network measures none.
        """
        if self.reader:
            return
        article = 'an' if self.title[0] in 'aeio' else 'a'
        msg = (f'weights={str(weights)!r} are those of {article} '
               f"{self.title}, which measures no profiles: use "
               "weights='rings' and the method encode, or find_clumps")
        raise ValueError(msg)

    def needs_calibration(self, config=None):
        """
        Tell whether images need a zero point and a pixel scale.

        Parameters
        ----------
        config : object, optional
            The settings of the network.

        Returns
        -------
        needed : bool
        """
        return self.calibrated or bool(getattr(config, 'needs_calibration',
                                               False))


def _import(path):
    module, name = path.split(':')
    return getattr(import_module(module), name)


_NETWORKS = 'astro_pix2prof.networks.'
_TASKS = 'astro_pix2prof.training.tasks.'

ARCHITECTURES = {item.name: item for item in (
    Architecture(
        'captioner', 'captioner',
        network=_NETWORKS + 'captioner:Captioner',
        config=_NETWORKS + 'captioner:CaptionerConfig',
        reader=_NETWORKS + 'readers.captioner:CaptionReader',
        task=_TASKS + 'captioner:CaptionTask',
        # a captioner does not know that a turned galaxy is the same galaxy
        n_views=8,
        error_columns=(('value', 'floor'), ('scatter_factor',))),
    Architecture(
        'rings', 'ring network',
        network=_NETWORKS + 'rings.network:RingNetwork',
        config=_NETWORKS + 'rings.config:RingConfig',
        reader=_NETWORKS + 'readers.rings:RingReader',
        task=_TASKS + 'rings:RingTask',
        bfloat16=True, finds_geometry=True, states_errors=True,
        has_domain=True,
        error_columns=(('value', 'factor'), ('log_sma', 'factor_sma')),
        more_error_columns=(
            ('eps', 'factor_eps'),
            *((f'log_{name}_error', f'factor_{name}_error')
              for name in ('eps', 'pa', 'enclosed', 'centre')))),
    Architecture(
        'clumps', 'clump network',
        network=_NETWORKS + 'clumps.network:ClumpNetwork',
        config=_NETWORKS + 'clumps.network:ClumpConfig',
        task=_TASKS + 'clumps:ClumpTask',
        error_unit='1 - F1 of the clumps of a batch'),
    # the checkpoint of the authors, see networks.original.load_original
    Architecture(
        'original', 'original network',
        network=_NETWORKS + 'original:OriginalPix2Prof',
        reader=_NETWORKS + 'readers.original:OriginalReader',
        least_size=256, calibrated=True),
    # (it looks at galaxies that were measured: see inference.encoder)
    Architecture(
        'encoder', 'encoder',
        network=_NETWORKS + 'encoder.network:Encoder',
        config=_NETWORKS + 'encoder.config:EncoderConfig',
        task=_TASKS + 'encoder:EncoderTask', gives_embeddings=True,
        # logarithms of likelihoods
        error_unit='nat'),
)}


# Those that measure profiles.
READERS = tuple(item.name for item in ARCHITECTURES.values() if item.reader)


def find_architecture(name):
    """
    Find the record of an architecture.

    Parameters
    ----------
    name : str
        A key of ``ARCHITECTURES``.

    Returns
    -------
    architecture : `Architecture`

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if not isinstance(name, str) or name not in ARCHITECTURES:
        msg = (f'architecture must be one of {", ".join(ARCHITECTURES)}; '
               f'got {name!r}')
        raise ValueError(msg)
    return ARCHITECTURES[name]


def architecture_of(network):
    """
    Find the record of the architecture that a network has.

    Parameters
    ----------
    network : `torch.nn.Module`
        A network of one of the classes in the register, or of a subclass.

    Returns
    -------
    architecture : `Architecture`

    Raises
    ------
    TypeError
        If the class is not in the register.
    """
    for kind in type(network).__mro__:
        path = f'{kind.__module__}:{kind.__qualname__}'
        for item in ARCHITECTURES.values():
            if item.network == path:
                return item
    msg = (f'network must be of one of the architectures '
           f'{", ".join(ARCHITECTURES)}; got {type(network).__name__}')
    raise TypeError(msg)
