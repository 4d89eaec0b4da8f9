# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Estimate the energy and the carbon dioxide of a training run.

An estimate, as that of the paper: power times time (Lacoste et al. 2019,
arXiv:1910.09700).
"""

import os
import time

import torch

__all__ = ['EnergyMeter']

# Watts. A core of a server's processor with its share of memory and fans;
# a GPU whose power cannot be read.
_CORE_WATTS = 12.0
_GPU_WATTS = 300.0
# World mean of the carbon intensity of electricity, kg CO2 per kWh
# (Ember, Global Electricity Review 2024: 480 g for 2023).
_CARBON = 0.48


class EnergyMeter:
    """
    Meter of the energy of a run, over all of its resumptions.

    Parameters
    ----------
    seconds : float, optional
        The time that earlier parts of the run took.

    device : str, optional
        'cpu' or 'cuda'.

    n_devices : int, optional
        GPUs or processes.
    """

    def __init__(self, seconds=0.0, *, device='cpu', n_devices=1):
        self._earlier = seconds
        self._start = time.monotonic()
        self.device = device
        self.n_devices = n_devices

    @property
    def seconds(self):
        """
        Time of the run so far in seconds.
        """
        return self._earlier + time.monotonic() - self._start

    def report(self):
        """
        Report time (h), energy (kWh) and CO2 (kg), and their assumptions.
        """
        n_cores = len(os.sched_getaffinity(0)) if hasattr(
            os, 'sched_getaffinity') else os.cpu_count()
        if self.device == 'cuda':
            watts = _GPU_WATTS
            try:
                watts = torch.cuda.power_draw() / 1000
            except (RuntimeError, AttributeError, ModuleNotFoundError):
                pass
            power = watts * self.n_devices + 4 * _CORE_WATTS
            how = f'{self.n_devices} x {torch.cuda.get_device_name(0)}'
        else:
            power = n_cores * _CORE_WATTS
            how = f'{n_cores} CPU cores of {_CORE_WATTS:.0f} W'
        kwh = power * self.seconds / 3.6e6
        return {'hours': round(self.seconds / 3600, 3),
                'machine': how, 'watts': round(power),
                'energy_kwh': round(kwh, 4),
                'co2_kg': round(kwh * _CARBON, 4),
                'co2_kg_per_kwh': _CARBON}
