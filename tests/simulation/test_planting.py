# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of clumps, stars and companions that are planted in images.
"""

import math

import pytest
import torch
from torch.testing import assert_close

from astro_pix2prof.simulation.planting import (
    GalaxyFrame,
    draw_sources,
    plant_sources,
    source_snr,
)


def make_frame(**options):
    sma = torch.linspace(0, 60, 61)
    values = {
        'image': torch.zeros(101, 101), 'centre': torch.tensor([50.0, 52.0]),
        'sma': sma, 'intensity': 50 * torch.exp(-sma / 8),
        'eps': torch.full((61,), 0.5), 'theta': torch.full((61,), 0.3),
        'flux': 1e4, 'r50': 13.0, 'fwhm': 3.0, 'sigma': 1.0, 'gain': 1e9}
    return GalaxyFrame(**{**values, **options})


class TestPlant:
    def test_flux(self):
        generator = torch.Generator().manual_seed(1)
        sources = torch.tensor([[30.2, 40.7, 500.0, 1.0, 0.0, 1.0],
                                [70.0, 60.0, 300.0, 2.0, 2.0, 0.5]])
        image = plant_sources(make_frame(), sources, generator, beta=4.0)
        assert image.sum() == pytest.approx(800, rel=0.03)
        j, i = divmod(int(image.argmax()), 101)
        assert (i, j) == (30, 41)

    def test_width(self):
        """
        A star is as wide as the PSF, a clump wider.
        """
        generator = torch.Generator().manual_seed(1)
        peaks = [plant_sources(make_frame(), torch.tensor(
            [[50.0, 50.0, 100.0, size, kind, 1.0]]), generator,
            beta=200.0).max() for size, kind in ((0.0, 1.0), (2.0, 0.0))]
        s2 = (3 / 2.355)**2
        assert_close(peaks[0], torch.tensor(100 / (2 * math.pi * s2)),
                     rtol=0.02, atol=0)
        assert_close(peaks[0] / peaks[1], torch.tensor((s2 + 4) / s2),
                     rtol=0.03, atol=0)

    def test_photon_noise(self):
        generator = torch.Generator().manual_seed(1)
        star = torch.tensor([[50.0, 50.0, 1e5, 0.0, 1.0, 1.0]])
        smooth = plant_sources(make_frame(), star, generator, beta=4.0)
        noisy = plant_sources(make_frame(gain=1.0), star, generator,
                              beta=4.0)
        pull = (noisy - smooth)[48:53, 48:53] / smooth[48:53, 48:53].sqrt()
        assert 0.6 < float(pull.std()) < 1.5


class TestSNR:
    def test_matched(self):
        far = torch.tensor([1.0])
        snr, contrast = source_snr(make_frame(), far, far,
                                   torch.tensor([100.0]), torch.zeros(1))
        s2 = (3 / 2.355)**2
        assert_close(snr, torch.tensor([100 / math.sqrt(4 * math.pi * s2)]),
                     rtol=1e-3, atol=0)
        assert contrast > 100
        close = torch.tensor([55.0]), torch.tensor([53.0])
        dim, low = source_snr(make_frame(gain=0.1), *close,
                              torch.tensor([100.0]), torch.zeros(1))
        assert dim < 0.1 * snr
        assert low < 1


class TestDraw:
    def test_statistics(self):
        """
        As volunteers marked them: 1, 2 and 4 in most galaxies with any.
        """
        generator = torch.Generator().manual_seed(3)
        numbers, odd = [], 0
        for _ in range(800):
            sources = draw_sources(make_frame(), generator)
            numbers.append(int((sources[:, 4] == 0).sum()))
            odd += int((sources[:, 4] > 0).sum())
        numbers = torch.tensor(numbers, dtype=torch.float)
        some = numbers[numbers > 0]
        assert 0.2 < float((numbers == 0).float().mean()) < 0.3
        assert some.quantile(0.1) == 1
        assert some.quantile(0.5) == 2
        assert 4 <= some.quantile(0.9) <= 5
        # about a quarter is odd
        assert 0.2 < odd / (odd + float(numbers.sum())) < 0.35

    def test_places(self):
        generator = torch.Generator().manual_seed(4)
        frame = make_frame()
        sources = torch.cat([draw_sources(frame, generator)
                             for _ in range(200)])
        away = torch.hypot(sources[:, 0] - 50, sources[:, 1] - 52)
        assert away.min() > 1.19 * frame.fwhm
        clumps = sources[sources[:, 4] == 0]
        radius = frame.radius(clumps[:, 0], clumps[:, 1]) / frame.r50
        assert 0.9 < float(radius.median()) < 1.4
        assert (clumps[:, 2] <= 0.25 * frame.flux).all()
