# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of relations of mass-to-light ratio and of mass profiles.

Profiles are made from analytic laws, so that the masses are known.
"""

import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from astro_pix2prof import (
    MassRelation,
    absolute_magnitude,
    mass_profile,
    measure_structure,
)
from astro_pix2prof.fitting.bands import BandProfiles, make_colours
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.structure.band_light import match_light, read_band
from astro_pix2prof.structure.colours import hold_colours
from astro_pix2prof.structure.inclination import face_on_error
from astro_pix2prof.structure.k_corrections import PolynomialKCorrection
from astro_pix2prof.structure.mass import check_mass_options
from astro_pix2prof.structure.relations import RELATIONS, find_relation

ZERO, H, EPS = 22.5, 8.0, 0.3
PARSEC = 1e6 * (1 * u.arcsec).to_value(u.rad)


def make_profile(mu_0, *, h=H, noise=1e-4, sky_err=0.0, radius=None, rng=None,
                 offset=0.0, **meta):
    """
    An exponential disc: mu_0 (mag/arcsec2) at the centre, h in arcsec.
    """
    if radius is None:
        radius = np.concatenate([[0.0, 0.3], np.geomspace(0.6, 12 * h, 70)])
    light = 10**(-0.4 * (mu_0 - ZERO)) * np.exp(-radius / h)
    area = np.maximum(2 * np.pi * radius, 1.0)
    error = np.hypot(noise / np.sqrt(area), sky_err)
    if rng is not None:
        light = (light + rng.normal(size=len(light)) * noise / np.sqrt(area)
                 + offset)
    table = QTable()
    table['radius'] = radius * u.arcsec
    table['intensity'] = light * u.nmgy / u.arcsec**2
    table['intensity_err'] = error * u.nmgy / u.arcsec**2
    with np.errstate(invalid='ignore', divide='ignore'):
        table['surface_brightness'] = np.where(
            light > 0, ZERO - 2.5 * np.log10(light), np.nan
            ) * u.mag / u.arcsec**2
        table['surface_brightness_err'] = np.where(
            light > 0, 1.0857 * error / light, np.nan) * u.mag / u.arcsec**2
    table['ellipticity'] = np.full(len(radius), EPS)
    table['pa'] = np.full(len(radius), 10.0) * u.deg
    table['flag'] = np.zeros(len(radius), dtype=np.int32)
    table.meta.update(sb_zeropoint=ZERO, zeropoint=ZERO, mag_system='AB',
                      pixel_scale=1.0, sky_err=sky_err, flag=0, **meta)
    return table


def disc_mass(mu_0, ratio, sun, distance, h=H):
    """
    The mass of an exponential disc (Msun) of a constant ratio.
    """
    density = ratio * 10**(-0.4 * (mu_0 - sun - 21.57212569))
    return 2 * np.pi * (h * distance * PARSEC)**2 * (1 - EPS) * density


class TestRelations:
    @pytest.mark.parametrize('name', ['roediger2015_bc03', 'zibetti2009',
                                      'roediger2015_fsps'])
    def test_bands_agree(self, name):
        """
        One paper's bands give one mass: no coefficient is mistyped.

        For an old galaxy with the colours of those in SDSS.
        """
        relation = RELATIONS[name]
        mags = {'g': 1.16, 'r': 0.41, 'i': 0.03, 'z': -0.26}
        for colour, lights in relation.coefficients.items():
            blue, red = colour.split('-')
            masses = [relation.log_mass_to_light(
                mags[blue] - mags[red], colour, light)
                - 0.4 * (mags[light] - relation.solar_magnitude(light))
                for light in lights]
            spread = 0.3 if colour in ('i-z', 'r-z') else 0.16
            assert np.ptp(masses) < spread, colour

    @pytest.mark.parametrize('name', ['roediger2015_bc03', 'zibetti2009',
                                      'roediger2015_fsps'])
    def test_both_bands_of_a_colour(self, name):
        """
        One mass: the ratios differ by the colour less that of the sun.
        """
        relation = RELATIONS[name]
        for colour, lights in relation.coefficients.items():
            blue, red = colour.split('-')
            sun = (relation.solar_magnitude(blue)
                   - relation.solar_magnitude(red))
            (a, b), (c, d) = lights[blue], lights[red]
            assert_allclose(b - d, 0.4, atol=0.006)
            assert_allclose(a - c, -0.4 * sun, atol=0.035)

    @pytest.mark.parametrize('name', ['into2013_exponential',
                                      'into2013_disc'])
    def test_two_colours(self, name):
        """
        Of a spiral and of an old galaxy, both colours give one ratio.
        """
        relation = RELATIONS[name]
        for g_r, g_i in ((0.38, 0.56), (0.75, 1.13)):
            assert_allclose(relation.log_mass_to_light(g_r, 'g-r', 'r'),
                            relation.log_mass_to_light(g_i, 'g-i', 'r'),
                            atol=0.06)

    def test_zibetti(self):
        """
        Sums over g, r, i and z of the published table, typed anew.
        """
        expected = {'g-r': (-3.629, 6.570), 'g-i': (-4.156, 4.575),
                    'g-z': (-4.710, 3.804), 'r-i': (-4.819, 13.677),
                    'r-z': (-5.362, 7.954)}
        for colour, lights in RELATIONS['zibetti2009'].coefficients.items():
            assert set(lights) == {*'griz'}
            assert_allclose(np.sum([*lights.values()], axis=0),
                            expected.pop(colour), atol=1e-6)
        assert not expected

    def test_all_agree(self):
        """
        The relations agree to 0.3 dex for g-i = 1.
        """
        mags = {'g': 1.0, 'r': 0.33, 'i': 0.0}
        masses = {}
        for name, relation in RELATIONS.items():
            light = 'i' if 'i' in relation.coefficients['g-i'] else 'r'
            masses[name] = float(
                relation.log_mass_to_light(1.0, 'g-i', light)
                - 0.4 * (mags[light] - relation.solar_magnitude(light)))
        assert np.ptp(list(masses.values())) < 0.3

    def test_taylor(self):
        """
        log M = 1.15 + 0.70 (g-i) - 0.4 M_i, to the digits that are given.
        """
        relation = RELATIONS['taylor2011']
        for colour, mag in ((0.5, -18.0), (1.2, -22.0)):
            log_mass = relation.log_mass_to_light(
                colour, 'g-i', 'i') - 0.4 * (mag - relation.sun['i'])
            assert_allclose(log_mass, 1.15 + 0.70 * colour - 0.4 * mag,
                            atol=0.003)

    def test_sources(self):
        for relation in RELATIONS.values():
            assert 'MNRAS' in relation.source
            assert relation.imf
            assert relation.system == 'AB'

    @pytest.mark.parametrize(('args', 'expected'), [
        (('taylor2011', 'gri'), ('g-i', 'i')),
        (('Zibetti2009', 'gr'), ('g-r', 'r')),
        (('zibetti2009', 'griz'), ('g-i', 'i')),
        (('zibetti2009', 'griz', 'g-r'), ('g-r', 'r')),
        (('zibetti2009', 'griz', None, 'z'), ('g-i', 'z')),
        (('into2013_disc', 'gri'), ('g-i', 'r')),
        (('into2013_disc', 'gr'), ('g-r', 'r'))])
    def test_find(self, args, expected):
        relation, *found = find_relation(*args)
        assert tuple(found) == expected
        assert relation.name == args[0].lower()

    @pytest.mark.parametrize(('args', 'match'), [
        (('taylor2011', 'gr'), "'taylor2011' has g-i with light in i: bands "
                               'must have these, got g, r; relations that can '
                               'be used: roediger2015_bc03, '
                               'roediger2015_fsps, zibetti2009, '
                               'into2013_exponential, into2013_disc$'),
        (('zibetti2009', 'gri', 'g-z'), 'and g-z was asked for'),
        (('bell2003', 'gri'), "relation must be 'taylor2011', ")])
    def test_wrong(self, args, match):
        with pytest.raises(ValueError, match=match):
            find_relation(*args)


class TestHoldColours:
    def test_holes(self):
        radius = np.arange(1.0, 7.0)
        colour = np.array([[9.0, 1.0, 9.0, 2.0, 9.0, 9.0],
                           [9.0, 1.1, 9.0, np.nan, 9.0, 9.0]])
        known = np.array([0, 1, 0, 1, 0, 0], dtype=bool)
        found, held = hold_colours(radius, colour, np.full(6, 0.1), known,
                                   np.random.default_rng(1))
        assert_allclose(found[0], [1, 1, 1.5, 2, 2, 2])
        # (a version without a colour has the measured one)
        assert_allclose(found[1, :4], [1.1, 1.1, 1.55, 2])
        assert list(held) == [True, False, True, False, True, True]

    def test_drift(self):
        """
        What is not known of a gradient grows outwards.
        """
        radius = np.geomspace(1, 100, 41)
        colour = np.tile(1 - 0.2 * np.log(radius), (501, 1))
        found, _ = hold_colours(radius, colour, np.full(41, 0.01),
                                radius <= 10, np.random.default_rng(1))
        spread = found[1:].std(0)
        assert np.all(spread[radius <= 10] < 1e-9)
        assert_allclose(spread[-1], 0.2 * np.log(10), rtol=0.1)
        assert found[0, -1] == found[0, radius > 10][0]


class TestMassProfile:
    @pytest.mark.parametrize('name', RELATIONS)
    def test_disc(self, name):
        """
        A disc of one colour has one ratio, and its total to 0.1%.
        """
        bands = {'g': make_profile(21.0), 'r': make_profile(20.4),
                 'i': make_profile(20.0), 'z': make_profile(19.7)}
        table = mass_profile(bands, relation=name, distance=20 * u.Mpc)
        relation, meta = RELATIONS[name], table.meta
        colour, light = meta['colour'], meta['light']
        ratio = 10**float(relation.log_mass_to_light(1.0, colour, light))
        assert colour == 'g-i'
        assert_allclose(table['mass_to_light'].value, ratio, rtol=2e-3)
        mu_0 = {'r': 20.4, 'i': 20.0}[light]
        true = disc_mass(mu_0, ratio, relation.solar_magnitude(light), 20)
        assert_allclose(meta['mass'], true, rtol=1e-3)
        assert_allclose(meta['log_mass'], np.log10(true), atol=5e-4)
        assert_allclose(meta['r50_mass'], 1.67835 * H * 20e-3 * PARSEC,
                        rtol=2e-3)
        assert meta['extrapolated_fraction'] < 1e-3
        assert meta['relation_source'] == relation.source

    def test_columns(self):
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        table = mass_profile(bands, distance=20)
        radius = table['radius'].value
        true = 10**(-0.68 + 0.70 - 0.4 * (20.0 - 4.58 - 21.57212569))
        assert_allclose(table['mass_density'][0].value, true, rtol=1e-3)
        inner = radius < 4 * H
        assert_allclose(table['mass_density'][inner].value,
                        true * np.exp(-radius[inner] / H), rtol=2e-3)
        x = radius[inner] / H
        assert_allclose(
            table['mass_enclosed'][inner].value,
            table.meta['mass'] * (1 - np.exp(-x) * (1 + x)), rtol=3e-3,
            atol=1e-3 * table.meta['mass'])
        assert_allclose(table['radius_kpc'].value, radius * 20e-3 * PARSEC)
        assert table['mass_density'].unit == u.solMass / u.pc**2
        assert table['mass_enclosed'].unit == u.solMass

    def test_of_totals(self):
        """
        One colour: the mass of the total magnitudes.
        """
        bands = {'g': make_profile(21.0), 'i': make_profile(20.2)}
        table = mass_profile(bands, distance=40, ebv=0.1)
        mags = {band: absolute_magnitude(
            measure_structure(profile, fits=False)['mag_total'][0],
            band=band, distance=40, ebv=0.1).value
            for band, profile in bands.items()}
        expected = 1.152 + 0.70 * (mags['g'] - mags['i']) - 0.4 * mags['i']
        assert_allclose(table.meta['log_mass'], expected, atol=2e-3)

    def test_gradient(self):
        """
        A redder centre: the mass is more concentrated than the light.
        """
        bands = {'g': make_profile(20.8, h=9.0), 'i': make_profile(19.6)}
        table = mass_profile(bands, distance=20)
        assert table.meta['r50_mass'] < 1.67835 * H * 20e-3 * PARSEC * 0.98
        # log ratio is linear in radius
        radius = table['radius'].value
        inner = (radius > 1) & (radius < 40)
        assert_allclose(
            table['colour'][inner].value,
            1.2 - 1.085736 * (radius[inner] / 8 - radius[inner] / 9) * -1
            - 2 * 1.085736 * (radius[inner] / 8 - radius[inner] / 9),
            atol=2e-3)

    def test_own_relation(self):
        relation = MassRelation('mine', 'this test', {'g-r': {'g': (0.3, 0)}})
        bands = {'g': make_profile(21.0), 'r': make_profile(20.4)}
        table = mass_profile(bands, relation=relation, distance=20)
        assert_allclose(table.meta['mass'],
                        disc_mass(21.0, 10**0.3, 5.11, 20), rtol=1e-3)
        assert np.isnan(table.meta['relation_scatter'])

    def test_other_radii(self):
        """
        Profiles that have rings of their own.
        """
        radius = np.concatenate([[0.0, 0.4], np.geomspace(0.7, 90, 95)])
        bands = {'g': make_profile(21.0, radius=radius),
                 'i': make_profile(20.0)}
        table = mass_profile(bands, distance=20)
        assert len(table) == len(bands['i'])
        assert_allclose(table['colour'].value, 1.0, atol=2e-3)
        # (rings beyond the last of the other band)
        beyond = table['radius'].value > 90
        assert np.all(table['flag'][beyond] & RingFlag.EXTRAPOLATED)
        assert np.all(table['colour_held'][beyond])

    def test_corrections(self):
        """
        Extinction makes galaxies redder and fainter, dimming fainter.
        """
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        plain = mass_profile(bands, distance=20)
        with pytest.warns(AstropyUserWarning, match='belongs to'):
            table = mass_profile(
                bands, distance=20, redshift=0.05, ebv=0.1,
                k_correction=lambda band, z, colour: {
                    'g': 0.1, 'i': 0.05}[band] * np.ones(len(colour)))
        colour = 1.0 - 0.1 * (3.303 - 1.698) - 0.05
        assert_allclose(table['colour'].value, colour, atol=2e-3)
        ratio = (table['mass_density'] / plain['mass_density']).value
        expected = (0.7 * (colour - 1) + 0.4 * (
            0.1 * 1.698 + 0.05 + 10 * np.log10(1.05)))
        assert_allclose(np.log10(ratio[:40]), expected, atol=2e-3)
        # the distance is by brightness: dimming is no part of the mass
        assert_allclose(table.meta['log_mass'] - plain.meta['log_mass'],
                        expected - 4 * np.log10(1.05), atol=2e-3)

    def test_no_k_correction(self):
        """
        At a redshift of 0.3, the mass was too large without a word.
        """
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        with pytest.warns(AstropyUserWarning,
                          match='no K-correction is made at the redshift 0.3'):
            table = mass_profile(bands, redshift=0.3)
        assert table.meta['k_correction'] == 'none'
        for k_correction, name in (
                ('chilingarian2010', 'chilingarian2010'),
                ({'g': 0.5, 'i': 0.1}, 'given')):
            table = mass_profile(bands, redshift=0.3,
                                 k_correction=k_correction)
            assert table.meta['k_correction'] == name
        assert mass_profile(bands, redshift=0.04).meta['log_mass'] > 5

    def test_satellite(self):
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        with pytest.warns(AstropyUserWarning, match='distance is 0.035 Mpc'):
            mass_profile(bands, distance=35 * u.kpc)

    def test_polynomials(self):
        """
        K-corrections by the name of their authors.
        """
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        plain, table = (mass_profile(bands, redshift=0.1, k_correction=k)
                        for k in ({'g': 0, 'i': 0}, 'chilingarian2010'))
        k_g, k_i = (PolynomialKCorrection('g-i')(band, 0.1, 1.0)
                    for band in 'gi')
        assert_allclose(table['colour'].value, 1 - k_g + k_i, atol=2e-3)
        assert_allclose(table.meta['log_mass'] - plain.meta['log_mass'],
                        0.7 * (k_i - k_g) + 0.4 * k_i, atol=2e-3)

    def test_inclination(self):
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        plain, turned = (mass_profile(bands, distance=20, inclination=i)
                         for i in (None, 60))
        assert_allclose(turned['mass_density'], 0.5 * plain['mass_density'])
        assert_allclose(turned['mass_enclosed'], plain['mass_enclosed'])
        assert turned.meta['mass'] == plain.meta['mass']
        table = mass_profile(bands, distance=20, inclination=60,
                             inclination_err=3)
        more = face_on_error(60, 3) * turned['mass_density']
        assert_allclose(table['mass_density_err'], np.hypot(
            turned['mass_density_err'], more))
        assert table.meta['mass_err'] == turned.meta['mass_err']

    def test_scatter_apart(self):
        """
        Relation and distance are stated apart from the errors.
        """
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        table = mass_profile(bands, distance=20 * u.Mpc,
                             distance_err=2000 * u.kpc)
        assert table.meta['relation_scatter'] == 0.10
        assert_allclose(table.meta['distance_scatter'],
                        2 * 0.1 / np.log(10))
        assert table.meta['log_mass_err'] < 0.005
        assert mass_profile(bands, distance=20).meta['distance_scatter'] == 0

    @pytest.mark.parametrize(('given', 'error'), [
        ({}, 0.032), ({'ebv_err': 0.06}, 0.06), ({'ebv_err': 0}, 0.0)])
    def test_error_of_dust(self, given, error):
        """
        The error of E(B-V): redder and fainter galaxies at the same time.
        """
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        table = mass_profile(bands, distance=20, ebv=0.2, n_samples=4000,
                             **given)
        inner = table['radius'].value < 3 * H
        change = error * (3.303 - 1.698)
        assert_allclose(table['colour_err'].value[inner], change, rtol=0.05,
                        atol=2e-3)
        mass = error * abs(0.4 * 1.698 - 0.7 * (3.303 - 1.698))
        assert_allclose(table.meta['log_mass_err'], mass, rtol=0.05,
                        atol=2e-3)
        relative = table['mass_density_err'] / table['mass_density']
        assert_allclose(relative.value[inner] / np.log(10), mass, rtol=0.05,
                        atol=2e-3)
        assert_allclose(table.meta['ebv_err'], error)

    def test_error_of_dust_alone(self):
        """
        The other noise is the same, whatever dust does.
        """
        bands = {'g': make_profile(22.0, noise=0.01),
                 'i': make_profile(21.0, noise=0.01)}
        plain, dusty = (mass_profile(bands, distance=20, ebv_err=error)
                        for error in (None, 0.02))
        assert plain.meta['ebv_err'] == 0
        for name in ('colour', 'mass_density', 'mass_enclosed'):
            assert_allclose(dusty[name], plain[name])
        assert dusty.meta['log_mass_err'] > plain.meta['log_mass_err']

    def test_held(self):
        """
        Beyond the last certain colour, that of inner rings holds.
        """
        bands = {'g': make_profile(23.0, noise=0.02),
                 'i': make_profile(22.0, noise=0.02)}
        table = mass_profile(bands, distance=20)
        held = table['colour_held']
        first = np.nonzero(held)[0][0]
        assert np.all(held[first:])
        assert not np.any(held[:first])
        assert 0.01 < table.meta['held_fraction'] < 0.6
        all_known = mass_profile(bands, distance=20, max_colour_err=5.0)
        assert all_known.meta['held_fraction'] < table.meta['held_fraction']

    def test_repeatable(self):
        bands = {'g': make_profile(22.0, noise=0.02),
                 'i': make_profile(21.0, noise=0.02)}
        one, two, other = (mass_profile(bands, distance=20, seed=seed)
                           for seed in (1, 1, 2))
        assert_allclose(one['mass_density_err'], two['mass_density_err'])
        assert one.meta['mass_err'] != other.meta['mass_err']
        assert one.meta['mass'] == other.meta['mass']

    def test_samples_of_one_seed(self):
        """
        Samples that were drawn with one seed are not the same noise.
        """
        bands = {}
        for band, mu_0 in (('g', 22.0), ('i', 21.0)):
            profile = make_profile(mu_0, noise=0.02)
            noise = np.random.default_rng(3).normal(size=(len(profile), 300))
            mu = profile['surface_brightness']
            profile['surface_brightness_samples'] = mu[:, None] + noise * (
                0.05 * u.mag / u.arcsec**2)
            bands[band] = profile
        table = mass_profile(bands, distance=20, max_colour_err=0.5)
        known = ~table['colour_held']
        assert_allclose(np.median(table['colour_err'][known].value),
                        0.05 * 2**0.5, rtol=0.1)

    def test_pulls(self):
        """
        Errors hold: rings that are independent, and a common sky.
        """
        rng = np.random.default_rng(5)
        relation = RELATIONS['taylor2011']
        true = disc_mass(21.0, 10**float(relation.log_mass_to_light(
            1.0, 'g-i', 'i')), 4.58, 20)
        pulls, within = [], []
        for k in range(40):
            sky = 3e-4
            bands = {band: make_profile(
                mu_0, noise=5e-3, sky_err=sky, rng=rng,
                offset=rng.normal() * sky)
                for band, mu_0 in (('g', 22.0), ('i', 21.0))}
            table = mass_profile(bands, distance=20, seed=k, n_samples=60)
            meta = table.meta
            pulls.append((meta['mass'] - true) / meta['mass_err'])
            at = np.argmin(np.abs(table['radius'].value - 4 * H))
            x = table['radius'].value[at] / H
            within.append((table['mass_enclosed'][at].value - true * (
                1 - np.exp(-x) * (1 + x)))
                / table['mass_enclosed_err'][at].value)
        for values in (pulls, within):
            assert 0.75 < np.std(values) < 1.35
            assert abs(np.median(values)) < 0.4

    def test_gaps(self):
        """
        Rings without a value are bridged.
        """
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        for profile in bands.values():
            profile['intensity'][20:24] = np.nan
            profile['surface_brightness'][20:24] = np.nan
        table = mass_profile(bands, distance=20)
        true = mass_profile({'g': make_profile(21.0),
                             'i': make_profile(20.0)}, distance=20)
        assert np.all(np.isnan(table['mass_density'][20:24]))
        assert np.all(np.isnan(table['mass_enclosed'][20:24]))
        assert_allclose(table.meta['mass'], true.meta['mass'], rtol=2e-3)


    def test_beyond(self):
        """
        A disc that ends early: the part beyond is that of its light.
        """
        radius = np.concatenate([[0.0, 0.3], np.geomspace(0.6, 4 * H, 40)])
        bands = {band: make_profile(mu_0, radius=radius, noise=0.01)
                 for band, mu_0 in (('g', 21.0), ('i', 20.0))}
        for profile in bands.values():
            profile.meta['flag'] = int(GalaxyFlag.TRUNCATED)
        meta = mass_profile(bands, distance=20).meta
        light = measure_structure(bands['i'], fits=False)
        assert_allclose(meta['extrapolated_fraction'],
                        light['extrapolated_fraction'][0], rtol=1e-3)
        assert_allclose(meta['extrapolated_fraction'], 5 * np.exp(-4),
                        rtol=0.2)
        # (with that of the colour)
        of_light = light['mag_total_err'][0].value / 1.0857
        assert of_light < meta['mass_err'] / meta['mass'] < 10 * of_light

    def test_nothing_beyond(self):
        """
        Rings that do not decline have a mass, and no total with an error.
        """
        bands = {}
        for band, mu_0 in (('g', 22.0), ('i', 21.0)):
            profile = make_profile(mu_0, h=-200.0,
                                   radius=np.linspace(0, 60, 40))
            profile.meta['flag'] = int(GalaxyFlag.TRUNCATED)
            bands[band] = profile
        with pytest.warns(AstropyUserWarning, match='an unknown part of the'):
            table = mass_profile(bands, distance=20)
        assert_allclose(table.meta['mass'], table['mass_enclosed'][-1].value)
        assert np.isnan(table.meta['mass_err'])
        assert np.isnan(table.meta['extrapolated_fraction'])
        assert np.isfinite(table['mass_enclosed_err'][-1])


class TestWarnings:
    def test_uncertain(self):
        bands = {'g': make_profile(23.0, noise=0.05),
                 'i': make_profile(22.0, noise=0.05)}
        with pytest.warns(AstropyUserWarning) as caught:
            table = mass_profile(bands, distance=20, max_colour_err=1e-4)
        texts = ' '.join(str(one.message) for one in caught)
        assert 'no ring has a colour g-i with an error below 0.0001' in texts
        assert 'has the colour of other rings' in texts
        known = ~table['colour_held']
        assert 1 <= known.sum() < len(table)
        # (those with the smallest errors)
        error = np.hypot(*(bands[band]['surface_brightness_err'].value
                           for band in 'gi'))
        assert error[known].max() <= 1.5 * error.min()

    @pytest.mark.parametrize(('reach', 'match'), [
        (6.0, 'an unknown part of the mass lies beyond'),
        (12.0, r'^[5-8]\d% of the mass lies beyond the last ring: the total '
               'is rough')])
    def test_extrapolated(self, reach, match):
        """
        A galaxy that its frame cuts at its centre.
        """
        radius = np.concatenate([[0.0, 0.3], np.geomspace(0.6, reach, 30)])
        bands = {band: make_profile(mu_0, radius=radius)
                 for band, mu_0 in (('g', 21.0), ('i', 20.0))}
        for profile in bands.values():
            profile.meta['flag'] = int(GalaxyFlag.TRUNCATED)
        with pytest.warns(AstropyUserWarning, match=match):
            mass_profile(bands, distance=20)

    def test_out_of_range(self):
        bands = {'g': make_profile(24.0), 'i': make_profile(20.0)}
        with pytest.warns(AstropyUserWarning, match='100% of the mass has a '
                                                    'colour g-i out of the'):
            table = mass_profile(bands, distance=20)
        assert np.all(table['colour_outside'])

    def test_filters(self):
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        with pytest.warns(AstropyUserWarning, match='is for the filters of '
                                                    'SDSS'):
            mass_profile(bands, distance=20, filters='PS1')

    def test_correlation(self):
        bands = {'g': make_profile(21.0, fitter='Pix2ProfFitter'),
                 'i': make_profile(20.0)}
        with pytest.warns(AstropyUserWarning, match='rings are taken as'):
            mass_profile(bands, distance=20)


class TestErrors:
    @pytest.mark.parametrize(('options', 'match'), [
        ({}, 'give distance= or redshift='),
        ({'distance': 5, 'relation': 'zibetti2009', 'colour': 'r-i'},
         'bands must have these, got g, i, and r-i was asked for'),
        ({'distance': 5, 'distance_err': -1}, 'distance_err must be'),
        ({'distance': 5, 'distance_err': '1 mpc'}, '1 mpc in milliparsec'),
        ({'distance': 5, 'max_colour_err': 0}, 'max_colour_err must be'),
        ({'redshift': 0.1, 'k_correction': {'g': 0.1}},
         "k_correction must have a value for the band 'i'"),
        ({'redshift': 0.9, 'k_correction': 'chilingarian2010'},
         'redshift must be from 0 to 0.5 for K-corrections'),
        ({'distance': 5, 'n_samples': 1}, 'n_samples must be an integer')])
    def test_options(self, options, match):
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        with pytest.raises(ValueError, match=match):
            mass_profile(bands, **options)
        if 'n_samples' not in options:
            with pytest.raises(ValueError, match=match):
                check_mass_options('gi', **options)

    def test_no_map(self, monkeypatch):
        """
        A map whose package is missing is told before anything is measured.
        """
        monkeypatch.setitem(sys.modules, 'dustmaps.sfd', None)
        with pytest.raises(ImportError, match='needs dustmaps'):
            check_mass_options('gi', distance=5, ebv='sfd')

    def test_kind(self):
        with pytest.raises(TypeError, match='bands must be the result of fit'):
            mass_profile(make_profile(21.0), distance=5)

    def test_no_profile(self):
        bands = {'g': make_profile(21.0), 'i': QTable()}
        match = r"bands\['i'\] must be a profile table"
        with pytest.raises(TypeError, match=match):
            mass_profile(bands, distance=5)

    def test_system(self):
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        bands['g'].meta['mag_system'] = 'Vega'
        match = r"bands\['g'\] must have AB magnitudes, got Vega"
        with pytest.raises(ValueError, match=match):
            mass_profile(bands, distance=5)

    def test_no_source(self):
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        bands['g'].meta['flag'] = int(GalaxyFlag.NO_SOURCE)
        with pytest.raises(ValueError, match='got a profile with the flag NO'):
            mass_profile(bands, distance=5)

    def test_no_colour(self):
        bands = {'g': make_profile(21.0), 'i': make_profile(20.0)}
        bands['g']['intensity'] *= -1
        bands['g']['surface_brightness'] *= np.nan
        with pytest.raises(ValueError, match='must have a ring with the colo'):
            mass_profile(bands, distance=5)


def test_few_rings():
    few = make_profile(20.0, radius=np.array([0.0, 5.0, 10.0]))
    with pytest.warns(AstropyUserWarning, match='has 3 rings with a mass'):
        table = mass_profile({'g': few, 'i': few}, distance=50 * u.Mpc)
    assert np.isfinite(table['mass_density'].value).all()
    assert np.isnan(table.meta['mass'])


def test_unlike_profiles():
    here = make_profile(20.0, ra=10.0, dec=0.0)
    there = make_profile(20.5, ra=10.01, dec=0.0)
    with pytest.warns(AstropyUserWarning, match='36 arcsec apart'):
        mass_profile({'g': there, 'i': here}, distance=50 * u.Mpc)
    here = make_profile(20.0, x_centre=50.0, y_centre=50.0)
    there = make_profile(20.5, x_centre=450.0, y_centre=50.0)
    with pytest.warns(AstropyUserWarning, match=r'at pixels \(450.0, 50.0\) '
                      r'and \(50.0, 50.0\): are the profiles those of one'):
        mass_profile({'g': there, 'i': here}, distance=50 * u.Mpc)
    here = make_profile(20.0, ra=10.0, dec=0.0)
    sharp = make_profile(20.5, ra=10.0, dec=0.0)
    sharp['psf_correction'] = 0.0
    with pytest.warns(AstropyUserWarning, match='of g are corrected for'):
        mass_profile({'g': sharp, 'i': here}, distance=50 * u.Mpc)


class TestMatched:
    """
    Bands whose colours are those behind one point-spread function.
    """

    @pytest.fixture(name='bands')
    def fixture_bands(self):
        # the seeing of g has taken light from its centre
        sharp, i_band = make_profile(20.5), make_profile(19.5)
        radius = sharp['radius'].value
        loss = 0.4 * np.exp(-radius)
        g_band = sharp.copy()
        g_band['surface_brightness'] += loss * u.mag / u.arcsec**2
        g_band['intensity'] *= 10**(-0.4 * loss)
        zero = np.zeros(len(radius), dtype=np.int32)
        columns = {'g': sharp['surface_brightness'].value,
                   'i': i_band['surface_brightness'].value,
                   'g-i': np.full(len(radius), 1.0)}
        for name in tuple(columns):
            columns[f'{name}_err'] = np.full(len(radius), 0.01)
            columns[f'{name}_flag'] = zero
        colours = make_colours(sharp['radius'], columns, [('g', 'i')])
        return BandProfiles({'g': g_band, 'i': i_band}, colours, 'i')

    def test_colours(self, bands):
        plain = mass_profile(bands, distance=50 * u.Mpc)
        assert plain['colour'][0].value > 1.3
        assert 'psf_matched' not in plain.meta
        bands.colours.meta['psf_matched'] = 'i'
        table = mass_profile(bands, distance=50 * u.Mpc)
        assert_allclose(table['colour'].value[:30], 1.0, atol=1e-6)
        assert table.meta['psf_matched'] == 'i'
        known = mass_profile({'g': make_profile(20.5),
                              'i': bands.profiles['i']},
                             distance=50 * u.Mpc)
        assert_allclose(table.meta['mass'], known.meta['mass'], rtol=1e-6)

    def test_light_stays(self, bands):
        # the light is in i here, whose PSF is not the broadest
        bands.colours.meta['psf_matched'] = 'g'
        bands.profiles['i'], bands.profiles['g'] = (
            bands.profiles['g'], bands.profiles['i'])
        bands.colours['i'] = bands.profiles['g']['surface_brightness']
        bands.colours['g'] = bands.colours['i'] + 1 * bands.colours['i'].unit
        table = mass_profile(bands, distance=50 * u.Mpc)
        assert_allclose(table['colour'].value[:30], 1.0, atol=1e-6)
        light = table['mass_density'] / table['mass_to_light']
        measured = bands.profiles['i']['intensity']
        assert_allclose((light / light[20])[:40],
                        (measured / measured[20])[:40], rtol=1e-6)

    def test_errors_and_flags(self, bands):
        profile = bands.profiles['g']
        bands.colours['g_err'][0] = (
            3 * profile['surface_brightness_err'][0])
        light = read_band(profile, 50, np.random.default_rng(1))
        matched = match_light(light, bands.colours, 'g')
        assert matched.profile['flag'][0] == RingFlag.PSF_CORRECTED
        assert matched.profile['flag'][-1] == 0
        zero = np.zeros(1)
        assert_allclose(matched.error(zero), 3 * light.error(zero))
        assert_allclose(np.std(matched.rows[1:, 0] / matched.rows[0, 0]),
                        3 * np.std(light.rows[1:, 0] / light.rows[0, 0]))
        # what the table does not know stays as it was
        short = match_light(light, bands.colours[:10], 'g')
        assert_allclose(short.rows[:, 20], light.rows[:, 20])
        assert short.rows[0, 0] > light.rows[0, 0]


def with_bands(g, i, **columns):
    profiles = {'g': make_profile(20.5), 'i': make_profile(19.5)}
    for (band, profile), stated in zip(profiles.items(), (g, i),
                                       strict=True):
        profile.meta['band'] = stated
        for name, values in columns.items():
            profile[name] = np.full(len(profile), values[band])
    return profiles


def test_other_bands():
    """
    Profiles that say that they are of another band were taken silently.
    """
    with pytest.warns(AstropyUserWarning, match="band is 'g', but the profile "
                      "is of the band 'r'"):
        mass_profile(with_bands('r', 'i'), distance=50 * u.Mpc)
    # one image for all bands, and names of no survey, say nothing
    mass_profile(with_bands('r', 'r'), distance=50 * u.Mpc)
    mass_profile(with_bands('F606W', 'i'), distance=50 * u.Mpc)


def test_other_ellipses():
    ellipses = {'ellipticity': {'g': 0.4, 'i': 0.3}}
    with pytest.warns(AstropyUserWarning, match="ellipticities of 'g' and 'i'"
                      ' differ by 0.10: their colour'):
        mass_profile(with_bands('g', 'i', **ellipses), distance=50 * u.Mpc)
    # differences within the errors are those of noise
    ellipses['ellipticity_err'] = {'g': 0.02, 'i': 0.02}
    mass_profile(with_bands('g', 'i', **ellipses), distance=50 * u.Mpc)
