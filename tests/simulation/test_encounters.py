# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of tidal tails, detached rings and second nuclei.
"""

import math
from types import SimpleNamespace

import pytest
import torch

from astro_pix2prof.simulation import GalaxySimulator, visible_features
from astro_pix2prof.simulation.encounters import (
    draw_encounters,
    encounter_light,
)

KINDS = ('tails', 'hoop', 'second')


def draw(n, **values):
    """
    Draw encounters of galaxies of an effective radius of 10 pixels.
    """
    one = torch.ones(n, 1)
    g = {'kind': torch.ones(n, 1, dtype=torch.long), 'r_e': 10 * one,
         'q_disc': 0.6 * one, 'q_body': one, 'pa': 0.3 * one,
         'flux': 5 * one}
    g.update(draw_encounters(g, torch.Generator().manual_seed(4)))
    return {**g, **{name: value * one for name, value in values.items()}}


def light(g, size=301, step=0.5):
    """
    Sample the light on a square grid: (B, size, size), y by x.
    """
    axis = (torch.arange(size) - size // 2) * step
    x, y = (part.reshape(1, -1).expand(len(g['flux']), -1) for part in (
        axis.expand(size, -1), axis[:, None].expand(-1, size)))
    return encounter_light(g, x, y).view(-1, size, size)


def only(kind):
    return {name: 0.0 for name in KINDS if name != kind}


class TestDraw:
    def test_shares(self):
        g = draw(4000)
        for name, share, low, high in (('tails', 0.22, 0.03, 0.4),
                                       ('hoop', 0.13, 0.04, 0.5),
                                       ('second', 0.15, 0.1, 1.0)):
            there = g[name] > 0
            assert float(there.float().mean()) == pytest.approx(
                share, abs=0.025)
            assert low <= float(g[name][there].min())
            assert float(g[name].max()) <= high

    def test_reach(self):
        """
        Tails end within the radii of the maps of the encoder.
        """
        g = draw(300)
        for name in ('tail_end', 'tail_other_end'):
            assert float(g[name].max()) <= 50
            assert (g[name] > g['tail_start'] + 10).all()


class TestLight:
    @pytest.mark.parametrize('kind', KINDS)
    def test_flux(self, kind):
        """
        Their flux is the part of that of the galaxy.
        """
        g = draw(6, **{**only(kind), kind: 0.2, 'pulled': 0.1,
                        'second_n': 1.0, 'tail_width': 0.6,
                        'tail_wider': 0.5})
        flux = light(g).sum((1, 2)) * 0.25
        # the pulled light is a part of the galaxy as well
        wanted = 5 * (0.2 + 0.1 * (kind == 'second'))
        # (tails have round ends)
        room = 0.12 if kind == 'tails' else 0.02
        assert flux / wanted == pytest.approx(torch.ones(6).numpy(),
                                              abs=room)

    def test_none(self):
        assert (light(draw(3, tails=0.0, hoop=0.0, second=0.0)) == 0).all()

    def test_opposite_tails(self):
        g = draw(3, **only('tails'), tails=0.2, tail_other=1.0,
                 tail_apart=math.pi)
        g['tail_other_turn'], g['tail_other_end'] = (
            g['tail_turn'], g['tail_end'])
        found = light(g)
        torch.testing.assert_close(found, found.flip(1, 2), rtol=1e-3,
                                   atol=1e-6)

    def test_a_straight_tail(self):
        """
        A tail along +x is brighter there than beside it, and ends.
        """
        g = draw(1, **only('tails'), tails=0.2, tail_other=0.0,
                 tail_pa=0.0, tail_turn=0.0, tail_start=10.0, tail_end=40.0,
                 tail_width=2.0, tail_wider=0.0, tail_fade=0.0)
        x = torch.tensor([[25.0, 25.0, 60.0, -25.0, 25.0]])
        y = torch.tensor([[0.0, 8.0, 0.0, 0.0, 2.0]])
        on, beside, beyond, behind, near = encounter_light(g, x, y)[0]
        # unit flux over 30 pixels, of a Gaussian across
        assert float(on) == pytest.approx(
            1.0 / (30 * 2 * math.sqrt(2 * math.pi)), rel=0.05)
        assert float(near / on) == pytest.approx(math.exp(-0.5), rel=1e-2)
        assert float(beside) < 1e-3 * on
        assert float(beyond) < 1e-3 * on
        assert float(behind) == 0

    def test_ring_and_nucleus(self):
        g = draw(1, **only('hoop'), hoop=0.3, r_hoop=20.0, hoop_q=0.5,
                 hoop_pa=0.0, hoop_uneven=0.0, hoop_width=2.0)
        x, y = torch.tensor([[20.0, 0.0, 0.0]]), torch.tensor(
            [[0.0, 10.0, 20.0]])
        major, minor, outside = encounter_light(g, x, y)[0]
        assert float(major) == pytest.approx(float(minor), rel=1e-4)
        assert float(outside) < 1e-6 * major
        g = draw(1, **only('second'), second=0.5, second_away=12.0,
                 second_angle=math.pi / 2)
        row, column = divmod(int(light(g)[0].argmax()), 301)
        assert (column - 150, row - 150) == (0, 24)


@pytest.fixture(scope='module')
def galaxies():
    """
    Two bright galaxies without encounters, of features that are drawn.
    """
    found = GalaxySimulator('sdss-r', n_pix=64, clutter=False, features=True
                            ).simulate(2, seed=8)
    return change(found, tails=0.0, hoop=0.0, second=0.0, tides=0.0,
                  ring_in=0.0, ring_out=0.0, r_e=10.0, flux=1e4)


def change(galaxies, **values):
    """
    Change parameters of galaxies.
    """
    known = galaxies.parameters
    return SimpleNamespace(**{**vars(galaxies), 'parameters': {
        **known, **{name: torch.full_like(known[name], value)
                    for name, value in values.items()}}})


# Parameters of features that are plain to see.
PLAIN = {'tails': {'tails': 0.1},
         'hoop': {'hoop': 0.5, 'r_hoop': 25.0, 'hoop_q': 0.9,
                  'hoop_width': 2.0},
         'second': {'second': 0.3, 'second_away': 8.0,
                    'second_size': 3.0}}


class TestLabels:
    @pytest.mark.parametrize(('kind', 'label'), [
        ('tails', 'tides'), ('hoop', 'ring'), ('second', 'merger')])
    def test_seen(self, galaxies, kind, label):
        assert not visible_features(galaxies)[label].any()
        there = change(galaxies, **PLAIN[kind])
        assert visible_features(there)[label].all()
        # noise hides it
        loud = SimpleNamespace(**{**vars(there), 'sigma': 1e5 * there.sigma})
        assert not visible_features(loud)[label].any()

    @pytest.mark.parametrize('values', [
        {'second': 0.3, 'second_away': 1.0}, {'second': 0.05},
        {'hoop': 0.5, 'r_hoop': 25.0, 'hoop_q': 0.05},
        {'hoop': 1e-4, 'r_hoop': 5.0}])
    def test_not_seen(self, galaxies, values):
        """
        Seeing hides what is small, the galaxy what is faint beside it.
        """
        labels = visible_features(change(galaxies, **values))
        assert not labels['ring'].any()
        assert not labels['merger'].any()

    def test_usual_galaxies(self):
        """
        Without more features there are none.
        """
        usual = GalaxySimulator('sdss-r', n_pix=64, clutter=False).simulate(
            2, seed=1)
        assert not set(KINDS) & set(usual.parameters)
        assert visible_features(usual)['merger'].sum() == 0
