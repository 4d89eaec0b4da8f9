# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of distances, extinction, inclination and physical profiles.
"""

import builtins
import sys
import types
import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Distance, SkyCoord
from astropy.cosmology import WMAP9, Planck18
from astropy.table import Column, MaskedColumn
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked
from numpy.testing import assert_allclose
from scipy.integrate import quad

from astro_pix2prof import (
    absolute_magnitude,
    disc_inclination,
    galactic_extinction,
    load_example_truth,
    physical_profile,
)
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.structure.bandpasses import BANDPASSES, find_bandpass
from astro_pix2prof.structure.distances import find_scale
from astro_pix2prof.structure.extinction import (
    extinction_coefficient,
    find_reddening,
)
from astro_pix2prof.structure.inclination import (
    face_on_error,
    face_on_factor,
)
from astro_pix2prof.structure.k_corrections import (
    PolynomialKCorrection,
    power_law_k_correction,
)


class TestScale:
    @pytest.mark.parametrize('cosmology', [Planck18, WMAP9])
    @pytest.mark.parametrize('z', [0.01, 0.2, 2.0])
    def test_astropy(self, z, cosmology):
        scale = find_scale(redshift=z, cosmology=cosmology)
        assert_allclose(scale.luminosity_distance,
                        cosmology.luminosity_distance(z).to_value(u.Mpc))
        assert_allclose(scale.distance_modulus,
                        cosmology.distmod(z).value, rtol=1e-12)
        assert_allclose(1 / scale.kpc_per_arcsec, cosmology.
                        arcsec_per_kpc_proper(z).value, rtol=1e-9)
        assert scale.cosmology == cosmology.name
        assert_allclose(scale.dimming, 2.5 * np.log10((1 + z)**4))

    def test_default(self):
        from astropy.cosmology import default_cosmology

        with default_cosmology.set(WMAP9):
            assert find_scale(redshift=0.1).cosmology == 'WMAP9'

    def test_distance(self):
        scale = find_scale(20 * u.Mpc)
        assert_allclose(scale.distance_modulus,
                        Distance(20 * u.Mpc).distmod.value)
        assert_allclose(scale.kpc_per_arcsec, 20e3 / 206264.806, rtol=1e-8)
        assert scale.redshift == scale.dimming == 0
        assert find_scale(20.0) == find_scale(20e6 * u.pc)

    def test_both(self):
        """
        A distance by brightness is larger than that by size.
        """
        near = find_scale(100 * u.Mpc, 0.1)
        assert_allclose(near.angular_distance, 100 / 1.1**2)

    @pytest.mark.parametrize(('options', 'match'), [
        ({}, 'give distance= or redshift='),
        ({'distance': 0}, 'distance must be positive'),
        ({'distance': 3 * u.s}, "distance must be .* got the unit 's'"),
        # (nobody means milliparsec)
        ({'distance': '20 mpc'}, '20 mpc in milliparsec: .* written Mpc'),
        ({'distance': '20mpc'}, 'milliparsec'),
        ({'distance': 20 * u.mpc}, 'milliparsec'),
        ({'redshift': 0}, 'redshift must be positive without a distance'),
        ({'redshift': -1}, 'redshift must be a finite number above'),
        ({'redshift': -0.1}, 'redshift must be a finite number above'),
        ({'redshift': 1500}, r'at most 30, got 1500\.0: a velocity in km/s'),
        ({'redshift': 1500 * u.km / u.s}, "without unit, got the unit 'km"),
        ({'distance': '50 MPC'}, "unit 'MPC', which is not known: write Mpc"),
        ({'distance': '50 KPC'}, "unit 'KPC', which is not known: write kpc"),
        ({'distance': '50 parsecs'}, "unit 'parsecs', which is not known: gi"),
        ({'distance': '1 m'}, r'from 1 kpc to 1e\+06 Mpc, got 3\.241e-23 Mpc'),
        ({'distance': '10 pc'}, r'from 1 kpc to .*, got 1e-05 Mpc'),
        ({'distance': 5e7}, r'got 5e\+07 Mpc: give Mpc, or a quantity such'),
        ({'distance': -20}, 'distance must be positive and finite, got -20'),
        ({'distance': float('nan')}, 'distance must be positive and finite'),
        ({'distance': 2, 'cosmology': Planck18},
         'cosmology must be left out where distance')])
    def test_wrong(self, options, match):
        with pytest.raises(ValueError, match=match):
            find_scale(**options)

    @pytest.mark.parametrize('distance', ['10', 'far', [1, 2]])
    def test_no_number(self, distance):
        with pytest.raises(TypeError, match='distance must be a positive, f'):
            find_scale(distance)

    def test_texts(self):
        assert find_scale('20 Mpc') == find_scale(20)
        assert_allclose(find_scale('780kpc').luminosity_distance, 0.78)
        assert_allclose(find_scale('1 kpc').luminosity_distance, 1e-3)
        assert find_scale(1, redshift=-0.001).redshift == -0.001

    def test_no_cosmology(self):
        with pytest.raises(TypeError, match='cosmology must be a cosmology'):
            find_scale(redshift=0.1, cosmology='Planck18')


class TestExtinction:
    def test_known(self):
        assert_allclose(galactic_extinction('r', 0.2), 0.2 * 2.285)
        for ebv in ([0.2, 0.0], np.array([0.2, 0]), [0.2, 0] * u.mag):
            assert_allclose(galactic_extinction('r', ebv), [0.2 * 2.285, 0])
        with pytest.raises(ValueError, match='ebv must be'):
            galactic_extinction('r', [0.2, -0.1])
        assert_allclose(galactic_extinction('r', 0.2, filters='des'),
                        0.2 * 2.176)

    def test_recalibrated(self):
        """
        The E(B-V) of Schlafly & Finkbeiner is 0.86 of that of SFD.
        """
        assert_allclose(galactic_extinction('i', 0.086, reddening='SF11'),
                        galactic_extinction('i', 0.1))

    def test_curve(self):
        """
        The register holds what the curve that the authors used gives.
        """
        pytest.importorskip('dust_extinction')
        for bands in BANDPASSES.values():
            for bandpass in bands.values():
                if bandpass.wavelength is None:
                    continue
                assert_allclose(extinction_coefficient(
                    bandpass.wavelength * u.AA), bandpass.extinction,
                    rtol=0.04)

    def test_bands_of_all_surveys(self):
        """
        Alike: the sun as SDSS has it, and dust as a power of wavelength.
        """
        # (Fukugita et al. 1996, and for y Tonry et al. 2012)
        nominal = {'u': 3557, 'g': 4825, 'r': 6261, 'i': 7672, 'z': 9097,
                   'y': 9620}
        # (www.sdss.org, "Estimates for the colors of the Sun")
        sun = {'u': 6.55, 'g': 5.12, 'r': 4.68, 'i': 4.57, 'z': 4.54,
               'y': 4.54}
        for survey, bands in BANDPASSES.items():
            assert {*'griz'} <= set(bands), survey
            for band, known in bands.items():
                if known.wavelength is not None:
                    assert_allclose(known.wavelength, nominal[band],
                                    rtol=0.05)
                if known.sun is not None:
                    assert_allclose(known.sun, sun[band], atol=0.17)
                if band != 'u':
                    assert_allclose(known.extinction, 3.30 * (
                        nominal[band] / 4702)**-1.5, rtol=0.09)

    def test_map(self):
        asked = []

        def query(position):
            asked.append(position)
            return np.array(0.05)

        position = SkyCoord(10, 20, unit='deg')
        assert_allclose(galactic_extinction('g', query, position=position),
                        0.05 * 3.303)
        assert asked == [position]
        with pytest.raises(ValueError, match='position must be the SkyCoord'):
            galactic_extinction('g', query)

    def test_dustmaps(self, monkeypatch):
        module = types.ModuleType('dustmaps.sfd')
        module.SFDQuery = lambda: lambda position: 0.04
        monkeypatch.setitem(sys.modules, 'dustmaps',
                            types.ModuleType('dustmaps'))
        monkeypatch.setitem(sys.modules, 'dustmaps.sfd', module)
        assert find_reddening('sfd', SkyCoord(1, 2, unit='deg')) == 0.04

    @pytest.mark.parametrize(('missing', 'call'), [
        ('dustmaps', lambda: find_reddening('sfd')),
        ('dust_extinction', lambda: extinction_coefficient(5000 * u.AA))])
    def test_not_installed(self, missing, call, monkeypatch):
        kept = builtins.__import__

        def without(name, *args, **kwargs):
            if name.startswith(missing):
                raise ImportError(name)
            return kept(name, *args, **kwargs)

        monkeypatch.setattr(builtins, '__import__', without)
        match = rf'needs {missing}: .*astro_pix2prof\[dust\]'
        with pytest.raises(ImportError, match=match):
            call()

    @pytest.mark.parametrize(('args', 'match'), [
        (('g', -0.1), 'ebv must be a finite number of at least 0'),
        (('g', 'planck'), "ebv must be 'sfd'"),
        (('q', 0.1), "band must be one of u, g, r, i, z of SDSS, got 'q'")])
    def test_wrong(self, args, match):
        with pytest.raises(ValueError, match=match):
            galactic_extinction(*args)

    def test_wrong_scale(self):
        with pytest.raises(ValueError, match="reddening must be 'SFD' or"):
            galactic_extinction('g', 0.1, reddening='SF98')

    def test_wrong_wavelength(self):
        pytest.importorskip('dust_extinction')
        with pytest.raises(ValueError, match='band must be a wavelength from'):
            galactic_extinction(10 * u.um, 0.1)


class TestInclination:
    def test_thin(self):
        assert_allclose(disc_inclination(0.5, thickness=0).value, 60)
        assert_allclose(face_on_factor(60), 0.5)

    @pytest.mark.parametrize('q_0', [0.0, 0.2, 0.5])
    def test_both_ways(self, q_0):
        """
        The factor is the axis ratio that the inclination comes from.
        """
        angle = disc_inclination(0.4, thickness=q_0)
        assert_allclose(face_on_factor(angle, q_0), 0.6)

    def test_edge_on(self):
        assert disc_inclination(0.95).value == 90

    @pytest.mark.parametrize('angle', [0, 35, 70, 90])
    def test_spheroid(self, angle):
        """
        Light through an oblate Gaussian, integrated along the line of sight.
        """
        q_0, i = 0.3, np.radians(angle)

        def along(s, tilt):
            r, z = s * np.sin(tilt), s * np.cos(tilt)
            return np.exp(-0.5 * (r**2 + (z / q_0)**2))

        seen, face_on = (quad(along, -20, 20, args=(tilt,), points=[0])[0]
                         for tilt in (i, 0))
        assert_allclose(face_on / seen, face_on_factor(angle, q_0),
                        rtol=1e-6)

    @pytest.mark.parametrize(('call', 'match'), [
        (lambda: face_on_factor(90), 'inclination must be below 90 deg'),
        (lambda: face_on_factor(100), 'inclination must be a finite number'),
        (lambda: face_on_factor(10, 1.0), 'thickness must be'),
        (lambda: disc_inclination(1.5), 'ellipticity must be')])
    def test_wrong(self, call, match):
        with pytest.raises(ValueError, match=match):
            call()


class TestKCorrection:
    @pytest.mark.parametrize('slope', [0.0, 1.0, 2.5])
    def test_power_law(self, slope):
        """
        The K-correction of a power law, by the definition.
        """
        z = 0.1
        blue, red = (find_bandpass(band).wavelength for band in 'gi')
        colour = 2.5 * slope * np.log10(red / blue)
        # f(nu) as nu**-slope: emitted at nu (1 + z), in a band that much
        # narrower
        expected = -2.5 * np.log10((1 + z) * (1 + z)**-slope)
        assert_allclose(power_law_k_correction('i', z, colour), expected,
                        atol=1e-12)

    def test_wrong(self):
        with pytest.raises(ValueError, match='name must be a colour whose'):
            power_law_k_correction('g', 0.1, 1.0, filters='DES')


    @pytest.mark.parametrize('name', ['g-r', 'g-i', 'g-z'])
    def test_polynomials(self, name):
        """
        Zero at zero, smooth, and more in g than in the other band.

        No power law is far away where spectra are close to one.
        """
        hook = PolynomialKCorrection(name)
        blue, red = name.split('-')
        colour = {'g-r': 0.5, 'g-i': 0.8, 'g-z': 0.9}[name]
        for band in (blue, red):
            assert hook(band, 0.0, colour) == 0
            values = [hook(band, z, colour) for z in np.linspace(0, 0.3, 31)]
            assert np.max(np.abs(np.diff(values, 2))) < 0.01
            if name != 'g-z':
                assert_allclose(hook(band, 0.05, colour),
                                power_law_k_correction(band, 0.05, colour,
                                                       name=name), atol=0.06)
        assert hook(blue, 0.1, colour) > hook(red, 0.1, colour) + 0.02

    def test_polynomials_agree(self):
        """
        From either colour of an old galaxy the same in g: no digit is wrong.
        """
        for z in (0.05, 0.1, 0.2):
            # observed colours of the red sequence, from two bands
            found = [PolynomialKCorrection(name)('g', z, colour)
                     for name, colour in (('g-r', 0.72 + 1.9 * z),
                                          ('g-i', 1.10 + 2.3 * z),
                                          ('g-z', 1.42 + 2.5 * z))]
            assert np.ptp(found) < 0.06, (z, found)

    def test_published_value(self):
        """
        The example of the authors' own program.
        """
        assert_allclose(PolynomialKCorrection('g-r')('g', 0.2, 1.1),
                        0.5209713976, rtol=1e-9)

    @pytest.mark.parametrize(('name', 'blue', 'red'), [
        ('g-r', 1.0524954, 0.3580194), ('g-i', 0.44509662, -0.0444196),
        ('g-z', 0.32173428, -0.22471135)])
    def test_published_coefficients(self, name, blue, red):
        """
        All count: from the authors' tables, typed anew.
        """
        hook = PolynomialKCorrection(name)
        found = [hook(band, 0.4, 1.3) for band in name.split('-')]
        assert_allclose(found, [blue, red], atol=1e-8)

    def test_clipped(self):
        hook = PolynomialKCorrection('g-i')
        assert hook('g', 0.1, 9.0) == hook('g', 0.1, 2.0)
        assert_allclose(hook('i', 0.1, np.array([0.5, -3.0])),
                        [hook('i', 0.1, 0.5), hook('i', 0.1, 0.0)])

    @pytest.mark.parametrize(('call', 'match'), [
        (lambda: PolynomialKCorrection('r-i'), 'need one of the colours g-r'),
        (lambda: PolynomialKCorrection('g-i')('r', 0.1, 1.0),
         "from g-i are for its own bands, got 'r'"),
        (lambda: PolynomialKCorrection('g-i')('g', 0.9, 1.0),
         'redshift must be from 0 to 0.5')])
    def test_no_polynomial(self, call, match):
        with pytest.raises(ValueError, match=match):
            call()


class TestAbsoluteMagnitude:
    def test_all(self):
        z = 0.05
        expected = (17.0 - 0.1 * 3.303 - Planck18.distmod(z).value - 0.12)
        found = absolute_magnitude(
            17.0 * u.mag, band='g', redshift=z, ebv=0.1,
            cosmology=Planck18, k_correction={'g': 0.12})
        assert_allclose(found.value, expected)
        assert found.unit == u.mag

    def test_no_number_for_the_band(self):
        with pytest.raises(ValueError, match="a value for the band 'g'"):
            absolute_magnitude(17.0, band='g', redshift=0.1,
                               k_correction={'r': 0.1})

    def test_wrong_hook(self):
        for hook in ([0.1], True):
            with pytest.raises(TypeError, match='k_correction must be a func'):
                absolute_magnitude(17.0, band='g', redshift=0.1,
                                   k_correction=hook)
        with pytest.raises(ValueError, match='k_correction must be finite'):
            absolute_magnitude(17.0, band='g', redshift=0.1,
                               k_correction=np.nan)
        with pytest.raises(ValueError, match="k_correction must be in 'mag'"):
            absolute_magnitude(17.0, band='g', redshift=0.1,
                               k_correction=0.1 * u.m)

    @pytest.mark.parametrize('value', [0.12, np.float32(0.12), 0.12 * u.mag,
                                       0, -1])
    def test_one_number(self, value):
        number = getattr(value, 'value', value)
        found = [absolute_magnitude(17.0, band='g', redshift=0.1,
                                    k_correction=hook)
                 for hook in (value, {'g': float(number)})]
        assert_allclose(found[0], found[1], atol=0)
        profile = load_example_truth()
        tables = [physical_profile(profile, redshift=0.1, k_correction=hook)
                  for hook in (value, {'r': float(number)})]
        assert_allclose(tables[0]['mag_enclosed'].value,
                        tables[1]['mag_enclosed'].value)

    def test_name_without_a_colour(self):
        with pytest.raises(ValueError, match='need one of the colours'):
            absolute_magnitude(17.0, band='g', redshift=0.1,
                               k_correction='chilingarian2010')
        with pytest.raises(ValueError, match="k_correction must be 'chiling"):
            absolute_magnitude(17.0, band='g', redshift=0.1,
                               k_correction='kcorrect')

    def test_hook_without_redshift(self):
        with pytest.raises(ValueError, match='redshift must be given with'):
            absolute_magnitude(17.0, band='g', distance=10,
                               k_correction={'g': 0.1})

    def test_hook_of_wrong_shape(self):
        with pytest.raises(ValueError, match='k_correction must return a num'):
            absolute_magnitude(17.0, band='g', redshift=0.1,
                               k_correction=lambda *_: np.zeros(3))


class TestColumns:
    """
    Columns of galaxies give what each gives alone.
    """

    REDSHIFT = np.array([0.003, 0.02, 0.3])

    @pytest.mark.parametrize('options', [
        {'redshift': REDSHIFT, 'k_correction': 0.1},
        {'redshift': REDSHIFT, 'ebv': [0.1, 0.0, 0.3],
         'colour': [0.5, 0.7, 1.1]},
        {'redshift': REDSHIFT, 'colour': 0.6, 'cosmology': WMAP9},
        {'distance': [10, 780, 2e4] * u.kpc, 'ebv': 0.1},
        {'distance': Column([1.0, 20, 90]), 'redshift': [0.0, 0.005, 0.02],
         'reddening': 'SF11', 'ebv': Column([0.1, 0.2, 0.3], unit='mag')}])
    def test_rows(self, options):
        def hook(band, redshift, colour):
            assert band == 'g'
            return redshift * colour

        options = dict(options)
        if 'colour' in options:
            options['k_correction'] = hook
        magnitudes = [15.0, 17.0, 20.0] * u.mag
        found = absolute_magnitude(magnitudes, band='g', **options)
        assert found.unit == u.mag
        for k in range(3):
            one = {name: value if np.ndim(value) == 0 else value[k]
                   for name, value in options.items()}
            if isinstance(options.get('ebv'), Column):
                one['ebv'] = float(one['ebv'])
            assert_allclose(found[k].value, absolute_magnitude(
                magnitudes[k], band='g', **one).value, rtol=1e-12)
        # (one magnitude for all)
        assert absolute_magnitude(15.0, band='g', **options).shape == (3,)

    def test_missing(self):
        found = absolute_magnitude(
            MaskedColumn([15.0, 16, 17, 18], mask=[0, 1, 0, 0]), band='r',
            redshift=MaskedColumn([0.01, 0.02, 0.03, 0.0], mask=[0, 0, 1, 0]),
            distance=[10, 20, 30, np.nan] * u.Mpc)
        assert np.isfinite(found).tolist() == [True, False, False, False]
        assert np.isnan(absolute_magnitude(
            [15.0, 16.0], band='r', redshift=[np.nan, np.nan])).all()
        assert_allclose(galactic_extinction('g', MaskedColumn(
            [0.1, 0.2], mask=[0, 1])), [0.3303, np.nan], rtol=1e-3)

    def test_map(self):
        places = SkyCoord([10.0, 20.0], [0.0, 5.0], unit='deg')

        def dust(position):
            return 0.001 * position.ra.deg

        assert_allclose(galactic_extinction('g', dust, position=places),
                        [0.03303, 0.06606], rtol=1e-3)
        found = absolute_magnitude([15.0, 16.0], band='g', ebv=dust,
                                   position=places, distance=10 * u.Mpc)
        assert_allclose(found.value, [-15.03303, -14.06606], rtol=1e-5)

    def test_wrong(self):
        with pytest.raises(ValueError, match='magnitude with 3, redshift wi'):
            absolute_magnitude([15.0, 16, 17], band='r', redshift=[0.1, 0.2])
        with pytest.raises(ValueError, match='redshift must be positive'):
            absolute_magnitude(15.0, band='r', redshift=[0.01, -0.02])
        with pytest.raises(ValueError, match='distance must be that of a g'):
            absolute_magnitude(15.0, band='r', distance=[10, 1e9] * u.Mpc)
        with pytest.raises(TypeError, match='redshift must be numbers'):
            absolute_magnitude(15.0, band='r', redshift=['0.1', '0.2'])
        with pytest.raises(ValueError, match="distance must be in 'Mpc'"):
            absolute_magnitude(15.0, band='r', distance=[1, 2] * u.kg)

    def test_warnings(self):
        with pytest.warns(AstropyUserWarning, match='at the redshift 0.3'
                          ) as found:
            absolute_magnitude(15.0, band='r', redshift=self.REDSHIFT)
        assert len(found) == 1
        assert found[0].filename == __file__


def test_units_of_magnitudes():
    for value in (10.0, 10 * u.mag, 10 * u.ABmag):
        found = absolute_magnitude(value, band='r', distance=10 * u.Mpc)
        assert_allclose(found.value, -20)
    for value in (10 * u.STmag, 10 * u.m):
        with pytest.raises(ValueError, match='magnitude must be in AB'):
            absolute_magnitude(value, band='r', distance=10 * u.Mpc)


class TestPhysicalProfile:
    def test_no_galaxy(self, sersic_profile):
        profile = sersic_profile.copy()
        profile.meta['flag'] = int(GalaxyFlag.NO_SOURCE)
        table = physical_profile(profile, band='r', distance=30 * u.Mpc)
        for name in ('surface_brightness', 'mag_enclosed',
                     'luminosity_enclosed', 'luminosity_enclosed_err'):
            assert np.isnan(table[name].value).all()
        # (as upper limits)
        assert np.isfinite(table['luminosity_density'].value).any()

    def test_another_band(self, sersic_profile):
        """
        Light of one band that is taken as that of another is told.
        """
        profile = sersic_profile.copy()
        profile.meta['band'] = 'g'
        with pytest.warns(AstropyUserWarning, match="band is 'r', but the "
                                                    "profile is of the band"):
            physical_profile(profile, band='r', distance=30)
        for own in ('r', 'F606W', None):
            profile.meta['band'] = own
            with warnings.catch_warnings():
                warnings.simplefilter('error')
                physical_profile(profile, band='r', distance=30)

    def test_distance_against_redshift(self, sersic_profile):
        """
        A redshift whose distance is not the one given is told.
        """
        options = {'band': 'r', 'k_correction': {'r': 0.0}}
        with pytest.warns(AstropyUserWarning, match=(
                r'distance is 35 Mpc, but the redshift 0\.1 belongs to 4')):
            physical_profile(sersic_profile, distance=35, redshift=0.1,
                             **options)
        for distance, redshift in ((400, 0.1), (20, 0.01)):
            with warnings.catch_warnings():
                warnings.simplefilter('error')
                physical_profile(sersic_profile, distance=distance,
                                 redshift=redshift, **options)

    def test_magnitudes(self, sersic_profile):
        """
        Magnitudes within the rings are those of the profile, made absolute.
        """
        options = {'distance': 30 * u.Mpc, 'redshift': 0.02, 'ebv': 0.1,
                   'k_correction': {'r': 0.03}}
        table = physical_profile(sersic_profile, band='r', **options)
        expected = absolute_magnitude(
            sersic_profile['mag_enclosed'], band='r', **options)
        good = np.isfinite(expected)
        assert good.sum() > 30
        assert_allclose(table['mag_enclosed'][good], expected[good],
                        rtol=1e-9)
        assert_allclose(
            -2.5 * np.log10(table['luminosity_enclosed'][good].value) + 4.65,
            expected[good].value)

    def test_density(self, sersic_profile):
        """
        Surface brightness does not depend on the distance.
        """
        near, far = (physical_profile(sersic_profile, band='r', distance=d)
                     for d in (3, 300))
        assert_allclose(near['luminosity_density'], far['luminosity_density'])
        mu = sersic_profile['surface_brightness'].value
        good = np.isfinite(mu)
        assert_allclose(near['luminosity_density'].value[good],
                        10**(-0.4 * (mu[good] - 4.65 - 21.5721)), rtol=1e-4)
        assert_allclose(near['surface_brightness'].value[good], mu[good])
        assert_allclose(far['radius_kpc'], 100 * near['radius_kpc'])
        error = sersic_profile['surface_brightness_err'].value
        assert_allclose(near['surface_brightness_err'].value[good],
                        error[good], rtol=1e-6)

    def test_corrections(self, sersic_profile):
        """
        All that is subtracted from surface brightness.
        """
        plain = physical_profile(sersic_profile, band='r', distance=50)
        with pytest.warns(AstropyUserWarning, match='belongs to'):
            table = physical_profile(
                sersic_profile, band='r', distance=50, redshift=0.1, ebv=0.2,
                k_correction=lambda band, z, colour: z + len(band),
                inclination=60 * u.deg)
        shift = (plain['surface_brightness'] - table['surface_brightness'])
        good = np.isfinite(shift)
        expected = (0.2 * 2.285 + 1.1 + 10 * np.log10(1.1)
                    + 2.5 * np.log10(0.5))
        assert_allclose(shift[good].value, expected)
        assert_allclose(table.meta['extinction'], 0.2 * 2.285)
        assert_allclose(table.meta['k_correction'], 1.1)
        assert table.meta['face_on_factor'] == pytest.approx(0.5)

    @pytest.mark.parametrize(('given', 'error'), [
        ({}, 0.032), ({'ebv_err': 0.01}, 0.01), ({'ebv_err': 0}, 0.0)])
    def test_error_of_dust(self, sersic_profile, given, error):
        """
        The error of E(B-V) is in that of all magnitudes.
        """
        plain, table = (physical_profile(
            sersic_profile, band='r', distance=50, **options)
            for options in ({}, {'ebv': 0.2, **given}))
        more = error * 2.285
        good = np.isfinite(plain['surface_brightness'])
        for name in ('surface_brightness_err', 'mag_enclosed_err'):
            assert_allclose(table[name].value[good],
                            np.hypot(plain[name].value[good], more))
        relative = [(one['luminosity_density_err']
                     / one['luminosity_density']).value[good]
                    for one in (plain, table)]
        assert_allclose(relative[1], np.hypot(
            relative[0], 0.4 * np.log(10) * more))
        # (to first order, of light and of its magnitude)
        within = table['luminosity_enclosed'] > 0
        assert_allclose(
            (table['luminosity_enclosed_err']
             / table['luminosity_enclosed'])[within].value,
            0.4 * np.log(10) * table['mag_enclosed_err'][within].value)
        assert table['luminosity_enclosed_err'].unit == u.solLum
        assert_allclose(table.meta['ebv_err'], error)
        assert_allclose(table.meta['extinction_err'], more)

    def test_wrong_error_of_dust(self, sersic_profile):
        with pytest.raises(ValueError, match='ebv_err must be'):
            physical_profile(sersic_profile, band='r', distance=50, ebv=0.1,
                             ebv_err=-0.01)

    def test_missing_k_correction(self, sersic_profile, recwarn):
        """
        There is a warning above a redshift of 0.05.
        """
        match = 'no K-correction is made at the redshift 0.06: magnitudes'
        with pytest.warns(AstropyUserWarning, match=match):
            physical_profile(sersic_profile, band='r', redshift=0.06)
        with pytest.warns(AstropyUserWarning, match=match):
            absolute_magnitude(15.0, band='r', redshift=0.06)
        for options in ({'redshift': 0.05}, {'distance': 300}, {
                'redshift': 0.06, 'k_correction': {'r': 0.0}}):
            physical_profile(sersic_profile, band='r', **options)
            absolute_magnitude(15.0, band='r', **options)
        assert not recwarn.list

    def test_error_of_the_inclination(self, sersic_profile):
        """
        It is in that of surface brightness, and not in that of the light.
        """
        plain, table = (physical_profile(
            sersic_profile, band='r', distance=50, inclination=60 * u.deg,
            **options) for options in ({}, {'inclination_err': 3 * u.deg}))
        more = face_on_error(60, 3)
        good = np.isfinite(plain['surface_brightness'])
        relative = [(one['luminosity_density_err']
                     / one['luminosity_density']).value[good]
                    for one in (plain, table)]
        assert_allclose(relative[1], np.hypot(relative[0], more))
        assert_allclose(
            table['surface_brightness_err'].value[good], np.hypot(
                plain['surface_brightness_err'].value[good],
                2.5 / np.log(10) * more))
        assert_allclose(table['mag_enclosed_err'], plain['mag_enclosed_err'])
        assert_allclose(table.meta['face_on_factor_err'], 0.5 * more)
        assert plain.meta['face_on_factor_err'] == 0
        with pytest.raises(ValueError, match='inclination must be given with '
                                             'inclination_err, got None and'):
            physical_profile(sersic_profile, band='r', distance=50,
                             inclination_err=3)

    def test_no_error_of_the_light(self, sersic_profile):
        profile = sersic_profile.copy()
        profile.remove_column('mag_enclosed_err')
        names = physical_profile(profile, band='r', distance=50).colnames
        assert 'luminosity_enclosed' in names
        assert not {'luminosity_enclosed_err', 'mag_enclosed_err'} & set(names)

    def test_inclination_keeps_light(self, sersic_profile):
        plain, turned = (physical_profile(
            sersic_profile, band='r', distance=50, inclination=i,
            thickness=0.2) for i in (None, 70))
        assert_allclose(plain['luminosity_enclosed'],
                        turned['luminosity_enclosed'])
        assert np.all(turned['luminosity_density'][:10]
                      < plain['luminosity_density'][:10])

    def test_position_of_the_profile(self, sersic_profile):
        asked = []

        def query(position):
            asked.append(position.ra.deg)
            return 0.1

        physical_profile(sersic_profile, band='r', distance=5, ebv=query)
        assert_allclose(asked, sersic_profile.meta['ra'])

    def test_given_sun(self, sersic_profile):
        bright, faint = (physical_profile(
            sersic_profile, band='x', distance=5, solar=solar)
            for solar in (4.0, 5.0))
        assert_allclose(bright['luminosity_density'] * 10**0.4,
                        faint['luminosity_density'])

    def test_not_calibrated(self, sersic_profile):
        for meta, match in (({'mag_system': 'Vega'}, 'must have AB magnitud'),
                            ({'sb_zeropoint': np.nan}, 'have a zero point')):
            profile = sersic_profile.copy()
            profile.meta.update(meta)
            with pytest.raises(ValueError, match=match):
                physical_profile(profile, band='r', distance=5)
        profile = sersic_profile.copy()
        profile['radius'] = profile['radius'].value * u.pix
        with pytest.raises(ValueError, match='must have radii in arcsec'):
            physical_profile(profile, band='r', distance=5)

    def test_unknown_system(self, sersic_profile):
        profile = sersic_profile.copy()
        del profile.meta['mag_system']
        with pytest.warns(AstropyUserWarning, match='AB is assumed'):
            physical_profile(profile, band='r', distance=5)

    def test_no_sun(self, sersic_profile):
        with pytest.raises(ValueError, match="solar must be given for the ba"):
            physical_profile(sersic_profile, band='i', filters='DES',
                             distance=5)


def test_masked_quantities_of_reddening():
    """
    Those of a QTable, and of places that a map does not cover.
    """
    column = Masked([0.1, 0.2] * u.mag, mask=[False, True])
    found = galactic_extinction('g', column)
    assert found[0] == pytest.approx(galactic_extinction('g', 0.1))
    assert np.isnan(found[1])
    places = SkyCoord([10, 20], [0, 5], unit='deg')
    found = galactic_extinction(
        'g', lambda position: np.ma.array([0.1, 9.9], mask=[0, 1]),
        position=places)
    assert found[0] == pytest.approx(galactic_extinction('g', 0.1))
    assert np.isnan(found[1])
