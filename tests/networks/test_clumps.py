# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the maps in which clumps are found, and of their network.
"""

import math

import pytest
import torch
from torch.testing import assert_close

from astro_pix2prof.networks.clumps import (
    ClumpConfig,
    ClumpNetwork,
    find_peaks,
    galaxy_maps,
)
from astro_pix2prof.networks.clumps.maps import gaussian_filter
from astro_pix2prof.networks.clumps.resampling import (
    average_pixels,
    bin_factor,
    enlarge,
    enlargement,
)
from astro_pix2prof.networks.clumps.rings import signed_log
from astro_pix2prof.networks.clumps.stamps import (
    SIDE,
    STAMP_CHANNELS,
    cut_stamps,
    turn_stamps,
)

N, FWHM, EPS, THETA = 81, 3.0, 0.4, 0.6
CENTRE = (41.3, 39.6)


def disc(height=60.0, size=9.0, arms=0.0):
    """
    Make an inclined exponential disc with a bar-like second mode.
    """
    x = torch.arange(N) - CENTRE[0]
    y = torch.arange(N)[:, None] - CENTRE[1]
    c, s = math.cos(THETA), math.sin(THETA)
    u, v = x * c + y * s, (y * c - x * s) / (1 - EPS)
    r = torch.sqrt(u * u + v * v + 4)
    return height * torch.exp(-r / size) * (
        1 + arms * torch.cos(2 * torch.atan2(v, u)) * (1 - torch.exp(-r / 9)))


def star(x, y, flux, fwhm=FWHM):
    s2 = (fwhm / 2.355)**2
    gx = torch.arange(N) - x
    gy = torch.arange(N)[:, None] - y
    return flux / (2 * math.pi * s2) * torch.exp(-(gx**2 + gy**2) / (2 * s2))


def make(image, good=None, **options):
    sma = torch.tensor([[0.5, 10.0, 40.0]])
    e1 = torch.full_like(sma, EPS * math.cos(2 * THETA))
    e2 = torch.full_like(sma, EPS * math.sin(2 * THETA))
    if good is None:
        good = torch.ones(N, N, dtype=torch.bool)
    options = {'gain': torch.tensor([torch.inf]), **options}
    return galaxy_maps(image[None], good[None], torch.tensor([CENTRE]), sma,
                       e1, e2, r50=torch.tensor([15.0]),
                       fwhm=torch.tensor([FWHM]), **options)


class TestMaps:
    def test_disc(self):
        maps = make(disc())
        rest = maps.residual[0][maps.radius[0] > 2]
        assert rest.abs().max() < 0.6
        assert maps.matched.abs().max() < 3

    def test_radius(self):
        maps = make(disc())
        a = 12.0
        for t in (0.0, 1.0, 2.5):
            u, v = a * math.cos(t), a * (1 - EPS) * math.sin(t)
            x = CENTRE[0] + u * math.cos(THETA) - v * math.sin(THETA)
            y = CENTRE[1] + u * math.sin(THETA) + v * math.cos(THETA)
            assert abs(float(maps.radius[0, round(y), round(x)]) - a) < 1.5

    def test_second_mode(self):
        """
        A bar or two arms belong to the model, not to what is left.
        """
        image = disc(arms=0.4)
        maps = make(image)
        outer = maps.radius[0] > 10
        mode = (image - disc())[outer].abs().max()
        assert mode > 4
        # (next to the core, modes are held back)
        assert maps.residual[0][outer].abs().max() < 0.25 * mode
        far = maps.radius[0] > 18
        assert maps.residual[0][far].abs().max() < 0.05 * mode

    def test_star_is_no_ring(self):
        """
        A bright source changes its ring by less than 2% of its peak.
        """
        light = star(60.0, 45.0, 2000.0)
        before, after = make(disc()), make(disc() + light)
        change = (after.model - before.model).abs().max()
        assert change < 0.02 * light.max()

    def test_matched(self):
        flux = 40.0
        maps = make(disc() + star(60.0, 45.0, flux))
        error = math.sqrt(4 * math.pi) * FWHM / 2.355
        assert_close(maps.matched_noise[0, 45, 60], torch.tensor(error),
                     rtol=0.02, atol=0)
        assert abs(float(maps.matched[0, 45, 60]) - flux / error) < 1
        top = int(maps.compact[0].argmax())
        assert divmod(top, N) == (45, 60)

    def test_photon_noise(self):
        """
        In the light of the galaxy, the same source is seen less well.
        """
        image = disc() + star(45.0, 45.0, 200.0)
        clear = make(image).matched[0, 45, 45]
        dim = make(image, gain=torch.tensor([1.0])).matched[0, 45, 45]
        assert 0 < dim < 0.4 * clear

    def test_correlated_noise(self):
        generator = torch.Generator().manual_seed(1)
        noise = torch.randn(1, 1, N, N, generator=generator)
        soft = gaussian_filter(noise, torch.tensor([1.0]))[0, 0]
        assert float(make(disc() + noise[0, 0]).correlation) < 1.25
        assert float(make(disc() + soft / soft.std()).correlation) > 1.6

    def test_masked(self):
        """
        Bad pixels hold nothing, and do not spread.
        """
        good = torch.ones(N, N, dtype=torch.bool)
        good[40:50, 55:65] = False
        image = disc()
        image[~good] = 1e6
        maps = make(image, good)
        assert maps.residual[0][~good].abs().max() == 0
        assert maps.matched.abs().max() < 3
        assert maps.channels.isfinite().all()

    def test_all_bad(self):
        maps = make(disc(), torch.zeros(N, N, dtype=torch.bool))
        assert maps.channels.isfinite().all()
        assert maps.matched.abs().max() == 0

    def test_signed_log(self):
        x = torch.tensor([-1e4, -1.0, 0.0, 1e-3, 50.0])
        assert_close(signed_log(x), torch.asinh(x), rtol=1e-4, atol=1e-6)


class TestResampling:
    def test_factors(self):
        assert [bin_factor(f) for f in (1.5, 4.9, 5.1, 16.0)] == [1, 1, 2, 6]
        assert enlargement(3.0) == enlargement(2.1) == 1
        assert enlargement(1.25) == 2
        assert enlargement(0.5) == 2

    def test_average(self):
        generator = torch.Generator().manual_seed(2)
        noise = torch.randn(60, 63, generator=generator)
        good = torch.ones_like(noise, dtype=torch.bool)
        good[:3, :2] = False
        image, known = average_pixels(noise, good, 3)
        assert image.shape == (20, 21)
        assert 0.9 < float(image.std()) < 1.1
        assert not known[0, 0]
        assert known.sum() == 20 * 21 - 1

    def test_enlarge(self):
        good = torch.ones(N, N, dtype=torch.bool)
        image, _ = enlarge(star(45.0, 40.0, 100.0), good,
                           torch.tensor([40.0, 40.0]), 2.0)
        # (twice as far from the point that stays)
        assert divmod(int(image.argmax()), N) == (40, 50)


class TestNetwork:
    def test_shapes(self):
        network = ClumpNetwork(ClumpConfig(channels=8, dilations='1,2'))
        logits, offset = network(torch.zeros(2, 8, 33, 40))
        assert logits.shape == offset.shape == (2, 2, 17, 20)
        # at first, nothing is anywhere
        assert torch.sigmoid(logits).max() < 0.2

    def test_peaks(self):
        logits = torch.full((2, 10, 12), -9.0)
        offset = torch.zeros(2, 10, 12)
        logits[0, 4, 5], logits[1, 4, 5], logits[1, 8, 2] = 1.0, -1.0, 3.0
        logits[0, 4, 6] = 0.5
        offset[:, 4, 5] = torch.tensor([0.25, -0.5])
        peaks = find_peaks(logits, offset, least=0.3)
        assert_close(peaks[:, :2], torch.tensor([[4.0, 16.0], [10.5, 7.0]]))
        assert_close(peaks[1, 2], torch.sigmoid(torch.tensor(1.0)))
        assert len(find_peaks(logits, offset, least=0.99)) == 0

    def test_class_head(self):
        config = ClumpConfig(channels=8, dilations='1', measured=5)
        network = ClumpNetwork(config)
        image = torch.randn(1, 8, 24, 24)
        logits, offset, seen = network.look(image)
        assert_close(network(image), (logits, offset))
        assert seen.shape == (1, 8, 12, 12)
        marks = seen[0, :, 3:6, 4].T
        measured = torch.zeros(3, 5)
        found = network.classify(marks, measured)
        assert found.shape == (3, 3)
        # both that is seen and that is measured counts
        assert not torch.equal(found, network.classify(marks, measured + 1))
        assert not torch.equal(found, network.classify(marks + 1, measured))
        bare = ClumpNetwork(ClumpConfig(channels=8, dilations='1'))
        assert not any(name.startswith('judge') for name in bare.state_dict())
        with pytest.raises(ValueError, match='has no class head: train one'):
            bare.classify(marks, measured)

    @pytest.mark.parametrize('turn', [0, 1, 2, 3])
    @pytest.mark.parametrize('mirror', [False, True])
    @pytest.mark.parametrize('shape', [(30, 31), (33, 28)])
    def test_turned(self, turn, mirror, shape):
        """
        What is marked is the same, however the image is turned.
        """
        torch.manual_seed(1)
        network = ClumpNetwork(ClumpConfig(channels=8, dilations='1,2'))
        h, w = shape
        image = torch.randn(1, 8, h, w)
        # (a flip of an image of even width moves the cells by a pixel)
        x, y = 14.2, 17.4
        image[:, :, round(y), round(x)] = 20.0
        marks = []
        for turned in (False, True):
            place, shown = (x, y), image
            if turned:
                if mirror:
                    shown, place = shown.flip(-1), (w - 1 - x, y)
                shown = torch.rot90(shown, turn, (-2, -1))
                for k in range(turn):
                    side = h if k % 2 else w
                    place = place[1], side - 1 - place[0]
            with torch.inference_mode():
                logits, offset, seen, first = network.look_around(
                    shown, place)
            j, i = (round((v - f) / 2) for v, f in zip(
                place[::-1], first[::-1], strict=True))
            found = torch.tensor([i, j]) * 2 + torch.tensor(first) - (
                torch.tensor(place))
            marks.append((logits[0, :, j, i], seen[0, :, j, i],
                          offset[0, :, j, i], found))
        for a, b in zip(marks[0][:2], marks[1][:2], strict=True):
            assert_close(a, b, rtol=1e-4, atol=1e-5)
        # (offsets turn with the image)
        assert_close(*(torch.hypot(*mark[2]) for mark in marks), rtol=1e-4,
                     atol=1e-5)
        assert marks[0][3].abs().max() < 1

    def test_stamps(self):
        """
        Stamps show the same of a star, whatever the width of the PSF.
        """
        found = []
        for fwhm in (3.0, 4.5):
            maps = make(disc(5.0) + star(60.0, 45.0, 900.0, fwhm))
            peak = 900.0 / (2 * math.pi * (fwhm / 2.355)**2)
            stamps = cut_stamps(maps, torch.tensor([[60.0, 45.0]]),
                                torch.tensor([peak]), fwhm)
            assert stamps.shape == (1, STAMP_CHANNELS, SIDE, SIDE)
            assert stamps.isfinite().all()
            found.append(stamps[0, 0])
        assert_close(found[0], found[1], atol=0.08, rtol=0)
        middle = SIDE // 2
        assert_close(found[0][middle, middle], torch.tensor(1.0), atol=0.1,
                     rtol=0)
        assert found[0][0].abs().max() < 0.1

    def test_stamped_head(self):
        """
        A head that looks at stamps says the same of turned ones.
        """
        torch.manual_seed(2)
        network = ClumpNetwork(ClumpConfig(channels=8, dilations='1',
                                           measured=5, stamp=8))
        seen, measured = torch.randn(3, 8), torch.randn(3, 5)
        stamps = torch.randn(3, STAMP_CHANNELS, SIDE, SIDE)
        found = network.classify(seen, measured, stamps)
        assert found.shape == (3, 3)
        for turned in turn_stamps(stamps):
            assert_close(network.classify(seen, measured, turned), found)
        assert not torch.allclose(
            network.classify(seen, measured, stamps.roll(3, -1)), found)

    def test_settings(self):
        with pytest.raises(ValueError, match='from 0 to 128, got 300'):
            ClumpConfig(measured=5, stamp=300)
        with pytest.raises(ValueError, match='stamp must be 0 for a network '
                                             'without a class head'):
            ClumpConfig(stamp=8)
        with pytest.raises(ValueError, match='from 0 to 256, got -1'):
            ClumpConfig(measured=-1)
        with pytest.raises(ValueError, match='multiple of 8, got 12'):
            ClumpConfig(channels=12)
        with pytest.raises(ValueError, match="with commas, got '1;2'"):
            ClumpConfig(dilations='1;2')
        with pytest.raises(ValueError, match='dilations must be integers'):
            ClumpConfig(dilations='0')
