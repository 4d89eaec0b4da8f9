# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Settings of the ring network.
"""

from dataclasses import dataclass

from astro_pix2prof.networks.settings import NetworkSettings

__all__ = ['RingConfig']


@dataclass(frozen=True)
class RingConfig(NetworkSettings):
    """
    Settings of a ring network.

    Attributes
    ----------
    ratio : float
        The ratio of successive radii.

    reach : float
        The largest radius as a fraction of the frame's longer side.

    n_angle, n_angle_fine : int
        Points on a circle, and on an ellipse.

    channels, channels_find, hidden : int
        Channels of the convolutions, of those of the first stage, and of
        the recurrent layers.

    refine : bool
        Whether a stage along the ellipses weighs points, betters the
        ellipses and finds the sky.

    attention : bool
        Whether the points on a ring have weights, or count alike.

    correct : bool
        Whether the last stage corrects the means.

    gate : bool
        Whether it does so in units of the noise of each ring, and not in
        magnitudes, with which it can touch bright rings.

    looks : int
        How often the stage along the ellipses looks, each time along those
        that it found before.

    sequence : {'gru', 'conv'}
        Whether the networks along radius are recurrent, or dilated
        convolutions, which take a tenth of the time.

    norm_each : bool
        Whether each block normalises its input, or only the first of each
        stage.

    thin : bool
        Whether ellipses are predicted in the logarithm of their axis ratio,
        in which thin ones are not special.

    harmonics : bool
        Whether ellipses may take the step that makes the light along them
        even; only of ``thin`` ones.

    settle : bool
        Whether flat ellipses take last steps to where the light along them
        is even, and their light is not smeared across them, other than in
        training; only of ``thin`` ones, along which the network looks.

    sky_prior : bool
        Whether the error of the sky that was subtracted before is an input.

    geometry_errors : bool
        Whether errors of ellipses, centre and enclosed light are stated.
    """

    ratio: float = 1.13
    reach: float = 0.55
    n_angle: int = 48
    n_angle_fine: int = 80
    channels: int = 24
    channels_find: int = 16
    hidden: int = 64
    refine: bool = True
    attention: bool = True
    correct: bool = True
    gate: bool = True
    looks: int = 1
    sequence: str = 'gru'
    norm_each: bool = True
    thin: bool = False
    harmonics: bool = False
    settle: bool = False
    sky_prior: bool = False
    geometry_errors: bool = False

    def __post_init__(self):
        if self.looks < 1:
            msg = f'looks must be 1 or more, got {self.looks}'
            raise ValueError(msg)
        if self.sequence not in ('gru', 'conv'):
            msg = f"sequence must be 'gru' or 'conv', got {self.sequence!r}"
            raise ValueError(msg)
        if self.harmonics and not (self.thin and self.refine):
            msg = 'harmonics: networks with thin and refine have them only'
            raise ValueError(msg)
        if self.settle and not (self.thin and self.refine):
            msg = 'settle: networks with thin and refine have it only'
            raise ValueError(msg)
        for name in ('n_angle', 'n_angle_fine'):
            if getattr(self, name) % 8:
                msg = (f'{name} must be a multiple of 8, got '
                       f'{getattr(self, name)}')
                raise ValueError(msg)
        if not 1.02 <= self.ratio <= 1.5:
            msg = f'ratio must be from 1.02 to 1.5, got {self.ratio}'
            raise ValueError(msg)
