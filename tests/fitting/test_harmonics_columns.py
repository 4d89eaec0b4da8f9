# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the columns of rings that fitters add on request.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    ProfileBatch,
    read_profile,
    write_profile,
)
from astro_pix2prof.fitting.harmonics import RingChoice, ring_noise
from astro_pix2prof.profile.columns import (
    CENTRE_COLUMNS,
    COLUMNS,
    HARMONIC_COLUMNS,
)

CENTRE, KNOWN = (62.4, 59.7), {'a3': 0.02, 'b3': -0.02, 'a4': 0.015,
                               'b4': 0.03}
# (isophotes need seconds for each image: few images, with few rings)
OPTIONS = {'zeropoint': 22.5, 'pixel_scale': 0.4}
GIVEN = {'ellipticity': 0.3, 'pa': 40.0}


def make(*, theta=40.0, sense=1, peak=400.0, seed=1):
    """
    A disc with isophotes that are no ellipses, and noise of 1.
    """
    y, x = np.indices((121, 125), dtype=float)
    x, y = x - CENTRE[0], y - CENTRE[1]
    c, s = np.cos(np.radians(theta)), np.sin(np.radians(theta))
    u_, v = x * c + y * s, sense * (y * c - x * s) / 0.7
    angle = np.arctan2(v, u_)
    away = sum(size * (np.sin if name[0] == 'a' else np.cos)(
        int(name[1]) * angle) for name, size in KNOWN.items())
    light = peak * np.exp(-np.hypot(u_, v) / (1 + away) / 8)
    return light + np.random.default_rng(seed).normal(size=light.shape)


@pytest.fixture(scope='module')
def network():
    return Pix2ProfFitter()


@pytest.fixture(scope='module', params=['network', 'isophotes'])
def profile(request, network):
    fitter = (network if request.param == 'network'
              else IsophoteFitter(step=0.1, max_radius=35))
    return fitter(make(), **GIVEN, **OPTIONS, harmonics=True)


def sure(profile, least=2.0, most=10.0):
    radius = profile['radius'].value
    return (radius > least) & (radius < most)


class TestColumns:
    def test_names(self, profile):
        assert tuple(profile.colnames) == (*COLUMNS, *HARMONIC_COLUMNS)

    @pytest.mark.parametrize('name', KNOWN)
    def test_deviations(self, profile, name):
        rows = sure(profile)
        off = profile[name][rows] - KNOWN[name]
        assert np.all(np.abs(off) < 4 * profile[f'{name}_err'][rows] + 1e-3)
        assert np.all(profile[f'{name}_err'][rows] < 0.01)

    def test_units(self, profile):
        intensity, radius = (profile[name].unit
                             for name in ('intensity', 'radius'))
        assert profile['gradient'].unit == intensity / radius
        assert profile['rms'].unit == intensity
        assert profile['area'].unit == u.arcsec**2
        rows = sure(profile)
        assert_allclose(profile['area'][rows].value,
                        0.16 * profile['n_pixels'][rows])
        # the gradient of an exponential: 8 pixels are 3.2 arcsec
        assert_allclose(profile['gradient'][rows].value,
                        -profile['intensity'][rows].value / 3.2, rtol=0.08)
        assert_allclose(profile['gradient_err'][rows].value
                        / profile['gradient'][rows].value, 0, atol=0.05)
        # the scatter is at least the noise
        assert np.all(profile['rms'][rows].value > 0.85 / 0.16)

    def test_centre_has_none(self, profile):
        assert np.isnan(profile['b4'][0])

    @pytest.mark.parametrize('suffix', ['ecsv', 'fits', 'vot'])
    def test_files(self, profile, tmp_path, suffix):
        path = tmp_path / f'p.{suffix}'
        write_profile(profile, path)
        again = read_profile(path)
        assert again.colnames == profile.colnames
        assert again['gradient'].unit == profile['gradient'].unit
        assert_allclose(again['b4'], profile['b4'])
        # (VOTable masks what is not known)
        assert not any(hasattr(again[name], 'mask')
                       for name in HARMONIC_COLUMNS)

    def test_nothing_else_changes(self, network):
        plain = network(make(), **OPTIONS)
        more = network(make(), **OPTIONS, harmonics=True)
        assert tuple(plain.colnames) == COLUMNS
        for name in COLUMNS:
            assert np.array_equal(np.asarray(plain[name]),
                                  np.asarray(more[name]), equal_nan=True)


class TestOnTheSky:
    """
    The deviations belong to the position angle, whatever the image is like.
    """

    @pytest.mark.parametrize(('parity', 'rotation'), [
        (-1, 0.0), (-1, 200.0), (1, 0.0), (1, 75.0)])
    def test_turned(self, network, make_wcs, parity, rotation):
        wcs = make_wcs((121, 125), parity=parity, rotation=rotation)
        cutout = GalaxyCutout(CCDData(make(), unit='nmgy', wcs=wcs))
        # north is where the position angle is 0: draw along pa 40
        matrix_theta = cutout.from_sky_pa(40.0)
        t = np.radians(matrix_theta)
        along = cutout.pixel_to_sky(CENTRE[0] + np.cos(t),
                                    CENTRE[1] + np.sin(t))
        middle = cutout.pixel_to_sky(*CENTRE)
        if abs(middle.position_angle(along).deg - 40) > 90:
            matrix_theta += 180
        image = make(theta=matrix_theta, sense=-parity)
        profile = network(CCDData(image, unit='nmgy', wcs=wcs), **GIVEN,
                          harmonics=True)
        rows = sure(profile)
        assert rows.sum() > 3
        for name, value in KNOWN.items():
            assert_allclose(np.median(profile[name][rows]), value, atol=3e-3)

    def test_no_wcs(self, network):
        # the axis counts from 0 to 180, where the fit has it from -90 to 90
        image = make(theta=140.0)
        profile = network(image, harmonics=True, **OPTIONS)
        rows = sure(profile)
        assert_allclose(profile['pa'][rows].value, 140, atol=3)
        for name, value in KNOWN.items():
            assert_allclose(np.median(profile[name][rows]), value, atol=4e-3)


class TestChoice:
    def test_settings_and_calls(self, network):
        image = make()
        fitter = Pix2ProfFitter(harmonics=True)
        assert 'b4' in fitter(image, **OPTIONS).colnames
        assert 'b4' not in fitter(image, harmonics=False,
                                  **OPTIONS).colnames
        free = network(image, free_centres=True, **OPTIONS)
        assert tuple(free.colnames) == (*COLUMNS, *HARMONIC_COLUMNS,
                                        *CENTRE_COLUMNS)
        assert free['x_offset'].unit == u.pix
        assert_allclose(free['x_offset'][sure(free)].value, 0, atol=0.15)

    def test_rules(self):
        assert not RingChoice().harmonics
        assert RingChoice(free_centres=True).harmonics
        both = RingChoice(True, True)
        assert both.updated({}).columns == both.columns
        assert not both.updated({'harmonics': False}).columns
        assert both.updated({'free_centres': False}).columns == (
            HARMONIC_COLUMNS)
        assert RingChoice().updated({'free_centres': True}).harmonics

    @pytest.mark.parametrize('kind', [IsophoteFitter, Pix2ProfFitter])
    @pytest.mark.parametrize('name', ['harmonics', 'free_centres'])
    def test_wrong(self, kind, name, network):
        with pytest.raises(TypeError, match=f'{name} must be True or False'):
            kind(**{name: 'yes'})
        fitter = network if kind is Pix2ProfFitter else IsophoteFitter()
        with pytest.raises(TypeError, match=f'{name} must be True or False'):
            fitter(make(), **{name: 1}, **OPTIONS)

    def test_wrong_choice(self):
        with pytest.raises(TypeError, match='harmonics must be True'):
            RingChoice(1)

    def test_asked_radii(self, network):
        profile = network(make(), radii=[5, 10, 20], harmonics=True,
                          **OPTIONS)
        assert_allclose(profile['b4'], 0.03, atol=0.01)


class TestMany:
    def test_batch(self, network):
        image = make()
        batch, = network.fit_many([image, 'missing.fits'], harmonics=True,
                                  **OPTIONS)
        single = network(image, harmonics=True, **OPTIONS)
        assert batch[0].colnames == single.colnames
        assert batch[0]['gradient'].unit == single['gradient'].unit
        assert_allclose(batch[0]['b4'], single['b4'], atol=1e-4)
        assert batch.to_table()['b4'].shape == (2, len(single))
        again = ProfileBatch.from_profiles([single])
        assert_allclose(again[0]['a3'], single['a3'])

    @pytest.mark.parametrize('kind', [IsophoteFitter, Pix2ProfFitter])
    def test_none_measured(self, kind, network):
        # all files of a survey have the same columns
        fitter = network if kind is Pix2ProfFitter else IsophoteFitter()
        options = {'harmonics': True, 'free_centres': True}
        for batch in (*fitter.fit_many(['missing.fits'], **options),
                      *kind(**options).fit_many(['missing.fits'])):
            assert batch.failed.all()
            assert 'y_offset_err' in batch.rings.colnames

    def test_arrow(self, network):
        pytest.importorskip('pyarrow')
        batch, = network.fit_many([make()], harmonics=True, **OPTIONS)
        again = ProfileBatch.from_arrow(batch.to_arrow())
        assert again[0].colnames == batch[0].colnames
        assert_allclose(again[0]['b4'], batch[0]['b4'], rtol=1e-5)

    def test_mixed(self, network):
        with_them, = network.fit_many([make()], harmonics=True, **OPTIONS)
        without, = network.fit_many([make()], **OPTIONS)
        both = ProfileBatch.concatenate([without, with_them])
        assert np.isnan(both[0]['b4']).all()
        assert_allclose(both[1]['b4'], with_them[0]['b4'])


class TestNoise:
    def test_sky_and_photons(self):
        cutout = GalaxyCutout(np.zeros((20, 20)), gain=4.0, calibrated=False)
        assert_allclose(ring_noise(cutout, 2.0, np.array([8.0, -1.0, np.nan])),
                        [6.0, 4.0, 4.0])

    def test_map(self):
        noise = np.full((20, 20), 0.1)
        noise[3] = 5.0
        cutout = GalaxyCutout(np.zeros((20, 20)), uncertainty=noise,
                              calibrated=False)
        found = ring_noise(cutout, 1.0, None, (slice(2, 5), slice(0, 4)))
        assert found.shape == (3, 4)
        assert_allclose(found[:, 0], [0.25, 25, 0.25], rtol=1e-5)


class TestRealGalaxy:
    """
    NGC 4608 against the table that P. Erwin made with IRAF.
    """

    @pytest.mark.parametrize('kind', [Pix2ProfFitter, IsophoteFitter])
    def test_ngc4608(self, real_data, kind):
        folder = real_data / 'ngc4608_irac1'
        path = folder / 'n4608irac1ss_fitted_cutout.fits'
        header = fits.getheader(path)
        rows = fits.getdata(folder / 'el_n4608irac1ss.fits')
        iraf = {name: np.asarray(rows[name], dtype=float)
                for name in rows.names}
        use = (iraf['SMA'] > 4) & (iraf['SMA'] < 90) & (
            iraf['B4_ERR'] > 0) & (iraf['STOP'] <= 2)
        iraf = {name: values[use] for name, values in iraf.items()}
        fitter = kind() if kind is Pix2ProfFitter else kind(
            mask_sources=False)
        theta = iraf['PA'] + 90
        from astropy.table import Table

        profile = fitter(path, unit=u.MJy / u.sr, harmonics=True,
                         position=(iraf['X0'][5] + header['LTV1'] - 1,
                                   iraf['Y0'][5] + header['LTV2'] - 1),
                         geometry=Table({'sma': iraf['SMA'],
                                         'ellipticity': iraf['ELLIP'],
                                         'theta': theta}))
        radius = profile['radius'].value / profile.meta['pixel_scale']
        for name in ('A3', 'B3', 'A4', 'B4'):
            # (IRAF's axis may point to the other end, and to the other side)
            own = np.abs(np.interp(iraf['SMA'], radius,
                                   np.abs(profile[name.lower()])))
            error = np.hypot(iraf[f'{name}_ERR'], np.interp(
                iraf['SMA'], radius, profile[f'{name.lower()}_err']))
            away = np.abs(own - np.abs(iraf[name]))
            good = np.isfinite(away)
            assert good.mean() > 0.8
            assert np.median(away[good]) < np.median(error[good])


def test_bands(network):
    """
    Columns that are asked for in a call are those of all bands.
    """
    image = make()
    for reference in ('r', 'all'):
        found = network.fit_bands({'g': image, 'r': image},
                                  reference=reference, harmonics=True,
                                  **OPTIONS)
        assert not found.failed
        for profile in found.profiles.values():
            assert 'a4' in profile.colnames
