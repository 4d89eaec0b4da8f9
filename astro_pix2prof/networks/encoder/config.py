# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Settings of the encoder.
"""

from dataclasses import dataclass

from astro_pix2prof.networks.settings import NetworkSettings

__all__ = ['EncoderConfig']


@dataclass(frozen=True)
class EncoderConfig(NetworkSettings):
    """
    Settings of an encoder.

    Attributes
    ----------
    n_radius, n_angle : int
        Radii and angles of the maps; the angles are a multiple of 8.

    inner, outer : float
        The first and the last radius in units of the half-light radius.

    channels : int
        Channels of the first convolutions of the maps; a multiple of 4.

    hidden : int
        Channels of the convolutions along the radius, likewise.

    orders : int
        The highest Fourier order over the angle whose power is taken.

    size : int
        The length of the embedding.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    n_radius: int = 24
    n_angle: int = 64
    inner: float = 0.1
    outer: float = 5.0
    channels: int = 16
    hidden: int = 64
    orders: int = 8
    size: int = 64

    def __post_init__(self):
        if self.n_angle % 8 or self.n_angle < 16:
            msg = ('n_angle must be a multiple of 8 from 16 on, got '
                   f'{self.n_angle}')
            raise ValueError(msg)
        if not 0 < self.inner < self.outer:
            msg = ('inner and outer must be positive and increase, got '
                   f'{self.inner} and {self.outer}')
            raise ValueError(msg)
        if not 0 <= self.orders <= self.n_angle // 8:
            msg = (f'orders must be from 0 to {self.n_angle // 8}, got '
                   f'{self.orders}')
            raise ValueError(msg)
        if self.channels % 4 or self.hidden % 4 or min(
                self.channels, self.hidden) < 4:
            msg = ('channels and hidden must be multiples of 4, got '
                   f'{self.channels} and {self.hidden}')
            raise ValueError(msg)
        if self.n_radius < 8 or self.n_radius % 4:
            msg = ('n_radius must be a multiple of 4 from 8 on, got '
                   f'{self.n_radius}')
            raise ValueError(msg)
