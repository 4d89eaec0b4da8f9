# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the encoder and of the maps that it reads.
"""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from astro_pix2prof.networks.encoder import (
    Encoder,
    EncoderConfig,
    GalaxyMaps,
    find_scale,
    make_maps,
)
from astro_pix2prof.networks.encoder.network import HEADS
from astro_pix2prof.networks.weights import find_weights, load_network
from astro_pix2prof.simulation import GalaxySimulator


@pytest.fixture(scope='module')
def galaxies():
    found = GalaxySimulator('sdss-r', n_pix=96).simulate(6, seed=11)
    return {name: getattr(found, name).double().numpy()
            for name in ('image', 'sigma', 'centre', 'sma', 'intensity',
                         'ellipticity', 'theta')} | {
        'mask': found.mask.numpy()}


@pytest.fixture(scope='module')
def network():
    return load_network('encoder')[0]


def maps_of(galaxies, k, *, turns=0, flip=False, change=None):
    image, mask = galaxies['image'][k], galaxies['mask'][k]
    x, y = galaxies['centre'][k]
    theta = galaxies['theta'][k]
    last = len(image) - 1
    if flip:
        image, mask = image[:, ::-1], mask[:, ::-1]
        x, theta = last - x, np.pi - theta
    for _ in range(turns):
        image, mask = np.rot90(image), np.rot90(mask)
        x, y, theta = y, last - x, theta - np.pi / 2
    eps = galaxies['ellipticity'][k]
    if change is not None:
        image = change(image)
    return make_maps(image, ~mask, galaxies['sigma'][k], (x, y),
                     galaxies['sma'], eps * np.cos(2 * theta),
                     eps * np.sin(2 * theta), galaxies['intensity'][k],
                     EncoderConfig())


@torch.inference_mode()
def encode(network, maps):
    return network(GalaxyMaps.stack(maps)).numpy()


class TestInvariance:
    @pytest.mark.parametrize(('turns', 'flip'), [
        (1, False), (2, False), (3, False), (0, True), (1, True), (3, True)])
    def test_pixels(self, galaxies, network, turns, flip):
        usual = encode(network, [maps_of(galaxies, k) for k in range(6)])
        turned = encode(network, [maps_of(galaxies, k, turns=turns, flip=flip)
                                  for k in range(6)])
        assert_allclose(turned, usual, atol=1e-5)
        # and they are not all the same
        assert np.abs(usual[0] - usual[1:]).max() > 0.05

    def test_maps(self, galaxies):
        usual = maps_of(galaxies, 0).image
        turned = maps_of(galaxies, 0, turns=1).image
        # (a quarter of the angles, against the clock or with it)
        assert min((torch.roll(usual, step, -1) - turned).abs().max()
                   for step in (16, -16)) < 1e-4
        assert (usual - turned).abs().max() > 0.1

    @pytest.mark.parametrize('angle', [17.0, 45.0, 71.0])
    def test_any_angle(self, network, angle):
        """
        Turned galaxies are much more alike than different ones.
        """
        def draw(theta, arms):
            y, x = np.indices((121, 121)) - 60.0
            u = x * np.cos(theta) + y * np.sin(theta)
            v = (y * np.cos(theta) - x * np.sin(theta)) / 0.7
            r, phi = np.hypot(u, v), np.arctan2(v, u)
            wave = np.cos(2 * (phi - 3 * np.log(r + 1)))
            light = 500 * np.exp(-r / 9) * (1 + arms * wave)
            sma = np.arange(0, 45.0)
            e = np.full(45, 0.3)
            return make_maps(light, np.ones(light.shape, bool), 1.0,
                             (60.0, 60.0), sma, e * np.cos(2 * theta),
                             e * np.sin(2 * theta), 500 * np.exp(-sma / 9),
                             EncoderConfig())

        usual, turned, other = encode(network, [
            draw(0.0, 0.5), draw(np.radians(angle), 0.5), draw(0.0, 0.0)])
        away = np.linalg.norm(turned - usual)
        assert away < 0.15
        assert away < 0.3 * np.linalg.norm(other - usual)

    def test_unit_and_size(self, galaxies, network):
        vectors = encode(network, [maps_of(galaxies, k) for k in range(6)])
        assert vectors.shape == (6, 64)
        assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        single = np.concatenate([encode(network, [maps_of(galaxies, k)])
                                 for k in range(6)])
        assert_allclose(single, vectors, atol=1e-5)

    def test_small_file(self):
        assert find_weights('encoder').stat().st_size < 1.3e6


class TestMaps:
    def test_find_scale(self):
        sma = np.linspace(0, 100, 2001)
        intensity = np.exp(-sma / 10)
        for eps in (0.0, 0.5):
            scale = find_scale(sma, np.full(len(sma), eps), intensity)
            # of an exponential disc
            assert_allclose(scale, 16.783, rtol=1e-3)
        intensity[5] = np.nan
        assert_allclose(find_scale(sma, 0 * sma, intensity), 16.783,
                        rtol=1e-3)

    @pytest.mark.parametrize('intensity', [
        np.zeros(20), -np.ones(20), np.full(20, np.nan), np.ones(2)])
    def test_no_scale(self, intensity):
        sma = np.arange(len(intensity), dtype=float)
        assert np.isnan(find_scale(sma, 0 * sma, intensity))
        assert make_maps(np.ones((30, 30)), np.ones((30, 30), bool), 1.0,
                         (15, 15), sma, 0 * sma, 0 * sma, intensity,
                         EncoderConfig()) is None

    def test_smooth_galaxy(self):
        """
        A galaxy that is its profile has empty maps.
        """
        y, x = np.indices((201, 201)) - 100.0
        q, sma = 0.6, np.arange(0, 95.0)
        light = 1e4 * np.exp(-np.hypot(x, y / q) / 12)
        e = np.full(len(sma), 1 - q)
        maps = make_maps(light, np.ones(light.shape, bool), 1.0, (100, 100),
                         sma, e, 0 * e, 1e4 * np.exp(-sma / 12),
                         EncoderConfig())
        assert maps.image.shape == (1, 6, 24, 64)
        assert maps.rings.shape == (1, 9, 24)
        inside = maps.image[0, 0, 3:18]
        assert inside.abs().max() < 0.06
        assert (maps.image[0, 5, :18] == 1).all()
        assert_allclose(maps.rings[0, 3], 0.4, atol=1e-6)
        # a galaxy of twice the size in pixels is the same galaxy
        sma = 0.5 * sma
        small = make_maps(light[::2, ::2], np.ones((101, 101), bool), 1.0,
                          (50, 50), sma, e, 0 * e, 1e4 * np.exp(-sma / 6),
                          EncoderConfig())
        assert_allclose(small.rings[0, :2], maps.rings[0, :2], atol=0.02)

    def test_hole(self, galaxies):
        """
        Values of pixels that are not usable do not matter.
        """
        def spoil(value):
            def change(image):
                image = image.copy()
                image[10:40, 30:50] = value
                return image
            return change

        galaxies = dict(galaxies, mask=galaxies['mask'].copy())
        galaxies['mask'][:, 10:40, 30:50] = True
        first, second = (maps_of(galaxies, 1, change=spoil(value))
                         for value in (np.nan, 1e5))
        assert torch.isfinite(first.image).all()
        assert_allclose(first.image, second.image)
        assert (first.image[0, 5] == 0).any()


class TestNetwork:
    def test_votes(self):
        network = Encoder()
        votes = network.votes(torch.zeros(3, 64))
        assert {name: tuple(value.shape) for name, value in votes.items()
                } == {name: (3, size) for name, size in HEADS.items()}

    def test_centre(self, galaxies):
        """
        Votes are the same whatever mean is taken away from embeddings.
        """
        network = Encoder().eval()
        maps = GalaxyMaps.stack(maps_of(galaxies, k) for k in range(6))
        with torch.inference_mode():
            vectors = network(maps)
            usual = network.votes(vectors)
            network.centre.copy_(vectors.mean(0))
            moved = network(maps)
            again = network.votes(moved)
        assert_allclose(moved.norm(dim=1), 1, rtol=1e-5)
        assert (moved - vectors).abs().max() > 0.1
        for name, votes in usual.items():
            assert_allclose(again[name], votes, atol=1e-3)

    def test_gradient(self, galaxies):
        network = Encoder(EncoderConfig(channels=4, hidden=8)).train()
        network(maps_of(galaxies, 0)).square().sum().backward()
        assert all(torch.isfinite(p.grad).all()
                   for name, p in network.named_parameters()
                   if 'heads' not in name)

    @pytest.mark.parametrize(('settings', 'message'), [
        ({'n_angle': 20}, 'n_angle must be a multiple of 8 from 16 on'),
        ({'inner': 6.0}, 'inner and outer must be positive and increase'),
        ({'orders': 9}, 'orders must be from 0 to 8, got 9'),
        ({'channels': 6}, 'channels and hidden must be multiples of 4'),
        ({'n_radius': 10}, 'n_radius must be a multiple of 4 from 8 on')])
    def test_settings(self, settings, message):
        with pytest.raises(ValueError, match=message):
            EncoderConfig(**settings)
