# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the search for clumps.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from numpy.testing import assert_allclose
from PIL import Image

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    decode_flags,
    find_clumps,
    plot_clumps,
)
from astro_pix2prof.inference.clump_classes import (
    N_MEASURED,
    class_features,
    class_probabilities,
    classify_marks,
)
from astro_pix2prof.inference.clump_marks import clearest_marks
from astro_pix2prof.inference.clumps import measure_marks
from astro_pix2prof.networks.clumps import ClumpConfig, ClumpNetwork
from astro_pix2prof.networks.weights import load_network, write_weights
from astro_pix2prof.profile.flags import GalaxyFlag

N, FWHM, SIGMA, SCALE = 128, 3.2, 1.0, 0.4
CENTRE, Q = (63.4, 64.2), 0.7

# x, y and flux; the host has about 20,000.
CLUMPS = [(78.2, 70.3, 1500.0), (50.5, 57.0, 900.0), (70.0, 84.6, 1100.0)]


def gaussian(x, y, flux, fwhm=FWHM, shape=(N, N)):
    s2 = (fwhm / 2.3548)**2
    gy, gx = np.indices(shape)
    return flux / (2 * np.pi * s2) * np.exp(
        -((gx - x)**2 + (gy - y)**2) / (2 * s2))


def make_image(clumps=(), *, size=9.0, seed=1, sigma=SIGMA, nucleus=0.0,
               q=Q):
    gy, gx = np.indices((N, N))
    r = np.sqrt((gx - CENTRE[0])**2 + ((gy - CENTRE[1]) / q)**2 + 3)
    image = 20000 / (2 * np.pi * size**2 * q) * np.exp(-r / size)
    for x, y, flux in [*clumps, (*CENTRE, nucleus)]:
        image = image + gaussian(x, y, flux)
    return image + np.random.default_rng(seed).normal(0, sigma, image.shape)


OPTIONS = {'pixel_scale': SCALE, 'zeropoint': 25.0,
           'psf_fwhm': FWHM * SCALE}


@pytest.fixture(scope='module')
def fitter():
    return Pix2ProfFitter('rings-fast', device='cpu')


@pytest.fixture(scope='module')
def fit(fitter):
    return fitter.fit(make_image(CLUMPS), **OPTIONS)


@pytest.fixture(scope='module')
def smooth(fitter):
    return fitter.fit(make_image(), **OPTIONS)


def near(table, x, y):
    """
    Select the one detection within half a FWHM.
    """
    away = np.hypot(table['x'] - x, table['y'] - y)
    assert np.sum(away < 0.5 * FWHM) == 1
    return table[int(np.argmin(away))]


@pytest.mark.parametrize('method', ['network', 'matched'])
class TestFind:
    def test_found(self, fit, method):
        table = find_clumps(fit, method=method)
        for x, y, flux in CLUMPS:
            row = near(table, x, y)
            # (the PSF is a Gaussian here, for which fluxes are too large)
            assert_allclose(float(row['flux'].value) / 1.185, flux, rtol=0.15)
            assert abs(row['x'] - x) < 0.8
            assert row['snr'] > 15
            host = table.meta['host_flux']
            assert_allclose(row['share'], row['flux'].value / host)
            # (the rings leave the clumps out)
            assert_allclose(host, 20000, rtol=0.06)
            mag = 25 - 2.5 * np.log10(1.185 * flux)
            assert_allclose(row['mag'].to_value(u.mag), mag, atol=0.25)
            dy = (y - CENTRE[1]) / Q
            assert_allclose(row['radius'].to_value(u.arcsec),
                            SCALE * np.hypot(x - CENTRE[0], dy), rtol=0.15)
            assert_allclose(row['radius_r50'] * table.meta['r50'],
                            row['radius'].to_value(u.arcsec), rtol=1e-6)

    def test_radius_of_place(self, fit, method):
        """
        The semi-major axis is that at the place, not at its nearest pixel.
        """
        table = find_clumps(fit, method=method)
        ok = np.isfinite(fit.intensity)
        assert np.ptp(fit.theta[ok]) < 40
        for row in table:
            radius = row['radius'].to_value(u.arcsec) / SCALE
            eps = np.interp(radius, fit.sma[ok], fit.eps[ok])
            angle = np.radians(np.interp(radius, fit.sma[ok],
                                         fit.theta[ok]))
            dx, dy = row['x'] - fit.centre[0], row['y'] - fit.centre[1]
            along = dx * np.cos(angle) + dy * np.sin(angle)
            across = dy * np.cos(angle) - dx * np.sin(angle)
            assert_allclose(radius, np.hypot(along, across / (1 - eps)),
                            rtol=5e-3)

    @pytest.mark.parametrize('flip', [False, True])
    def test_positions(self, method, flip):
        """
        Positions are right to a part of a pixel, whatever the grid.
        """
        places = [(82.0, 72.0), (50.0, 56.0), (70.0, 88.0)]
        image = make_image([(x, y, 1500.0) for x, y in places])
        if flip:
            image = image[::-1].copy()
            places = [(x, N - 1 - y) for x, y in places]
        table = find_clumps(Pix2ProfFitter().fit(image, **OPTIONS),
                            method=method)
        for x, y in places:
            row = near(table, x, y)
            assert np.hypot(row['x'] - x, row['y'] - y) < 0.12

    def test_smooth(self, smooth, method):
        """
        A galaxy without clumps has none.
        """
        table = find_clumps(smooth, method=method, classes='clump')
        assert len(table) == 0
        assert table.colnames[:2] == ['x', 'y']

    def test_nucleus(self, fitter, method):
        """
        A point source in the centre is no clump.
        """
        image = make_image(nucleus=4000.0)
        table = find_clumps(image, method=method, fitter=fitter, **OPTIONS)
        away = np.hypot(table['x'] - CENTRE[0], table['y'] - CENTRE[1])
        assert np.all(away > 2 * FWHM)

    def test_masked(self, fitter, method):
        """
        Bad pixels hold nothing; a clump beside them has a flag.
        """
        image = make_image(CLUMPS)
        x, y, _ = CLUMPS[0]
        image[int(y) + 1:int(y) + 9, int(x) - 4:int(x) + 6] = np.nan
        image[:, 20] = 1e5
        mask = np.zeros(image.shape, bool)
        mask[:, 20] = True
        table = find_clumps(image, method=method, fitter=fitter, mask=mask,
                            **OPTIONS)
        near(table, *CLUMPS[1][:2])
        assert np.all(np.abs(table['x'] - 20) > 2)
        beside = np.hypot(table['x'] - x, table['y'] - y) < FWHM
        for row in table[beside]:
            assert 'MASKED' in decode_flags(row['flag'], kind='clump')

    @pytest.mark.parametrize('dx', [-2, -1, 1, 2])
    def test_gap(self, method, dx):
        """
        A masked column drives a clump away: it has a flag, others have not.
        """
        x, y, _ = CLUMPS[0]
        image = make_image(CLUMPS)
        image[:, round(x) + dx] = np.nan
        table = find_clumps(Pix2ProfFitter().fit(image, **OPTIONS),
                            method=method)
        beside = np.hypot(table['x'] - x, table['y'] - y) < FWHM
        assert beside.any()
        for row in table[beside]:
            assert 'MASKED' in decode_flags(row['flag'], kind='clump')
        row = near(table, *CLUMPS[1][:2])
        assert 'MASKED' not in decode_flags(row['flag'], kind='clump')

    def test_binned_and_enlarged(self, fitter, method):
        """
        Positions and fluxes are those of the pixels of the image.
        """
        image = make_image(CLUMPS)
        double = np.repeat(np.repeat(image, 2, 0), 2, 1) / 4
        half = image.reshape(N // 2, 2, N // 2, 2).sum((1, 3))
        for data, step in ((double, 2), (half, 0.5)):
            table = find_clumps(
                data, method=method, fitter=fitter, psf=FWHM * SCALE,
                pixel_scale=SCALE / step, zeropoint=25.0)
            x, y, flux = CLUMPS[0]
            px, py = ((v + 0.5) * step - 0.5 for v in (x, y))
            away = np.hypot(table['x'] - px, table['y'] - py)
            row = table[int(np.argmin(away))]
            assert away.min() < 0.6 * FWHM * step
            assert_allclose(row['flux'].value / 1.185, flux, rtol=0.2)


class TestClasses:
    def test_star_outside(self, fitter):
        """
        A bright star beside the galaxy is odd, though the fitter masks it.
        """
        image = make_image([(88.0, 88.0, 20000.0)])
        table = find_clumps(Pix2ProfFitter().fit(image, **OPTIONS))
        row = near(table, 88.0, 88.0)
        assert row['class'] == 'odd'
        assert len(find_clumps(image, fitter=fitter, classes='clump',
                               **OPTIONS)) == 0

    def test_order(self, fit):
        table = find_clumps(fit)
        assert np.all(np.diff(table['probability']) <= 0)
        assert np.all(table['probability'] >= 0.5 * table.meta['threshold'])
        assert len(find_clumps(fit, threshold=0.999)) < len(table)

    @pytest.mark.parametrize('turn', [
        lambda image: image[::-1, ::-1], lambda image: image[:, ::-1],
        lambda image: image[::-1]])
    def test_turned(self, turn):
        """
        A galaxy that is turned or mirrored has the same clumps and classes.
        """
        # (of a source out here, the class is a close call)
        image = make_image([*CLUMPS, (88.0, 88.0, 500.0),
                            (40.0, 72.0, 400.0)])
        y, x = np.indices(image.shape)
        found = []
        for data, px, py in ((image, x, y), (turn(image), turn(x), turn(y))):
            table = find_clumps(
                IsophoteFitter().fit(np.ascontiguousarray(data), **OPTIONS),
                threshold=0.05)
            i, j = (np.round(np.asarray(table[name])).astype(int)
                    for name in 'xy')
            found.append((px[j, i], py[j, i], table))
        (x0, y0, first), (x1, y1, second) = found
        assert len(first) >= 5
        away = np.hypot(x0[:, None] - x1, y0[:, None] - y1)
        clear = first['probability'] > 0.2
        assert np.all(away.min(1)[clear] < 1.5)
        for k in np.flatnonzero(clear):
            other = second[int(away[k].argmin())]
            assert other['class'] == first['class'][k]
            assert_allclose(other['probability'], first['probability'][k],
                            atol=0.03)

    def test_max_radius(self, fit):
        table = find_clumps(fit, max_radius=1.0)
        assert np.all(table['radius_r50'] <= 1)

    def test_blended(self, fitter):
        x, y, flux = CLUMPS[0]
        image = make_image([(x, y, flux), (x + 4.2, y, flux)])
        table = find_clumps(image, fitter=fitter, method='matched', **OPTIONS)
        for place in (x, x + 4.2):
            row = near(table, place, y)
            assert 'BLENDED' in decode_flags(row['flag'], kind='clump')
            # (of each other, they take and lack)
            assert_allclose(row['flux'].value / 1.185, flux, rtol=0.3)


@pytest.mark.parametrize('method', ['network', 'matched'])
def test_wide_psf(fit, method):
    with pytest.raises(ValueError, match=(
            r'psf must be narrow in the image, of \d+ x \d+ pixels, got a '
            r'full width at half maximum of 99\.9 pixels')):
        find_clumps(fit, method=method, psf=100 * u.pix)


class TestImages:
    def test_sky(self, fitter):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
        wcs.wcs.crval, wcs.wcs.crpix = (150.0, 2.0), (60, 60)
        wcs.wcs.cdelt = -SCALE / 3600, SCALE / 3600
        from astropy.nddata import CCDData

        image = CCDData(make_image(CLUMPS), unit='adu', wcs=wcs)
        fit = fitter.fit(image, zeropoint=25.0)
        table = find_clumps(fit, psf=FWHM * u.pix)
        ra, dec = fit.cutout.sky_position(table['x'][0], table['y'][0])
        assert table['flux'].unit == u.adu
        assert_allclose([table['ra'][0].to_value(u.deg),
                         table['dec'][0].to_value(u.deg)], [ra, dec])

    def test_uncalibrated(self, fitter):
        fit = fitter.fit(make_image(CLUMPS), calibrated=False)
        table = find_clumps(fit, psf=FWHM * u.pix)
        assert 'mag' not in table.colnames
        assert 'ra' not in table.colnames
        assert table['radius'].unit == u.pix

    def test_picture(self, fitter, tmp_path):
        image = make_image(CLUMPS, sigma=2.0)
        grey = np.clip(30 + 70 * np.arcsinh(image / 30), 0, 255)
        path = tmp_path / 'galaxy.jpg'
        Image.fromarray(np.stack([grey] * 3, -1).astype('u1')).save(
            path, quality=92)
        table = find_clumps(path, fitter=fitter, psf=FWHM * u.pix,
                            threshold=0.1)
        assert table.meta['picture']
        near(table, *CLUMPS[0][:2])
        for flag in table['flag']:
            assert 'NONLINEAR' in decode_flags(flag, kind='clump')
        with pytest.warns(AstropyUserWarning, match='has no zero point'):
            again = find_clumps(path, fitter=fitter, psf=FWHM * u.pix,
                                threshold=0.1, zeropoint=25.0)
        assert again.colnames == table.colnames
        assert 'mag' not in again.colnames or np.isnan(again['mag']).all()

    def test_tiny(self, fitter):
        """
        A galaxy of the size of the PSF is no error, and has no clumps.
        """
        image = gaussian(*CENTRE, 5000.0, 1.2 * FWHM)
        image += np.random.default_rng(3).normal(0, 1, image.shape)
        with pytest.warns(AstropyUserWarning, match='POINT_SOURCE'):
            table = find_clumps(image, fitter=fitter, classes='clump',
                                **OPTIONS)
        assert len(table) == 0

    def test_no_galaxy(self, fitter):
        image = np.random.default_rng(5).normal(0, 1, (N, N))
        with pytest.warns(AstropyUserWarning, match='there is no galaxy'):
            table = find_clumps(image, fitter=fitter, **OPTIONS)
        assert len(table) == 0

    def test_doubtful(self, fit, recwarn):
        """
        The flag of the galaxy is kept, and warned of where it matters.
        """
        table = find_clumps(fit, method='matched')
        before = int(fit.profile.meta['flag'])
        assert table.meta['galaxy_flag'] == before
        assert not recwarn.list
        for name in ('CENTRE_UNCERTAIN', 'GEOMETRY_UNCERTAIN',
                     'POINT_SOURCE', 'FAILED'):
            fit.profile.meta['flag'] = before | int(GalaxyFlag[name])
            try:
                with pytest.warns(AstropyUserWarning,
                                  match=f'the galaxy has the flag {name}: '):
                    table = find_clumps(fit, method='matched')
            finally:
                fit.profile.meta['flag'] = before
            assert name in table.meta['galaxy_flags'].split()

    @pytest.mark.parametrize('width', [0.1, 50.0])
    def test_width(self, fit, width):
        with pytest.warns(AstropyUserWarning,
                          match='pixels: outside 1 to 30, clumps are not'):
            find_clumps(fit, method='matched', psf=width * u.pix)

    def test_edge_on(self, fitter):
        table = find_clumps(make_image(q=0.15), fitter=fitter,
                            classes='clump', **OPTIONS)
        assert len(table) <= 1


def test_assumed_width(fitter):
    fit = fitter.fit(make_image(), calibrated=False)
    with pytest.warns(AstropyUserWarning, match='the width of the PSF is '
                      'not known, .* 3 pixels are assumed; give psf'):
        table = find_clumps(fit)
    assert table.meta['fwhm_from'] == 'assumed'


class TestMarks:
    def test_once(self):
        """
        Of marks beside each other, the first, which is clearest, counts.
        """
        places = [(10.0, 10.0), (11.0, 10.5), (14.0, 10.0), (10.0, 12.3),
                  (12.5, 10.0)]
        # (the last is beside the third)
        assert clearest_marks(places, 2.2) == [0, 2, 3]
        assert clearest_marks([], 2.2) == []

    @pytest.mark.parametrize('angle', [0.0, 0.8, 2.5])
    def test_near_nucleus(self, angle):
        """
        A bright clump near the nucleus is one object.
        """
        x = CENTRE[0] + 2.2 * FWHM * np.cos(angle)
        y = CENTRE[1] + 2.2 * FWHM * np.sin(angle)
        image = make_image([(x, y, 1500.0)])
        table = find_clumps(IsophoteFitter().fit(image, **OPTIONS),
                            threshold=0.05)
        away = np.hypot(table['x'] - x, table['y'] - y)
        assert np.sum(away < 0.69 * FWHM) == 1

    def test_measured(self, fit):
        network, card = load_network('clumps')
        assert network.config.measured == N_MEASURED
        rows = measure_marks(fit, FWHM * u.pix, network)
        assert np.isfinite([class_features(row) for row in rows]).all()
        by_place = {k: min(rows, key=lambda row, k=k: np.hypot(
            row['x'] - CLUMPS[k][0], row['y'] - CLUMPS[k][1]))
            for k in range(3)}
        # point sources on a disc, with nothing around them
        for row in by_place.values():
            assert abs(row['log_width']) < 0.25
            assert row['elongation'] < 0.15
            assert row['peak'] > 3 * abs(row['halo'])
            assert row['apart'] > 1
        # the first two face each other, the third nothing
        assert by_place[0]['opposite'] > 50
        assert by_place[2]['opposite'] < 5
        assert card['class_head_training']['galaxies'] > 200

    def test_crowded(self):
        """
        Sources beside the galaxy make its frame crowded.
        """
        rng = np.random.default_rng(8)
        stars = [(x, y, 2500.0) for x, y in rng.uniform(8, 120, (25, 2))
                 if np.hypot(x - CENTRE[0], y - CENTRE[1]) > 38]
        network, _ = load_network('clumps')
        crowding = [measure_marks(IsophoteFitter().fit(image, **OPTIONS),
                                  None, network)[0]['crowding']
                    for image in (make_image(CLUMPS),
                                  make_image([*CLUMPS, *stars]))]
        assert crowding[1] > crowding[0] + 1

    def test_no_head(self):
        """
        Without a class head, the scores of the network are probabilities.
        """
        network = ClumpNetwork(ClumpConfig(channels=8, dilations='1'))
        rows = [{'scores': (0.2, 0.7), 'r50': 1.0, 'flag': 0}]
        assert_allclose(class_probabilities(network, rows), [[0.2, 0.7]])
        assert class_probabilities(network, []).shape == (0, 2)
        row, = classify_marks(rows, network)
        assert row['class'] == 'odd'
        assert row['flag'] == 0


class TestErrors:
    def test_other_head(self, fit, tmp_path):
        network = ClumpNetwork(ClumpConfig(channels=8, dilations='1',
                                           measured=3))
        path = write_weights(network, {'name': 'x', 'architecture': 'clumps'},
                             tmp_path / 'x.safetensors')
        with pytest.raises(ValueError, match='takes 3 numbers of a mark, '
                                             'this version measures 17'):
            find_clumps(fit, weights=path)

    def test_arguments(self, fit):
        with pytest.raises(ValueError, match='method must be'):
            find_clumps(fit, method='eye')
        with pytest.raises(ValueError, match='classes must be'):
            find_clumps(fit, classes='star')
        with pytest.raises(ValueError, match='threshold'):
            find_clumps(fit, threshold=1.5)
        with pytest.raises(TypeError, match='position must not be given with '
                                            'a fit'):
            find_clumps(fit, position=(3, 4))
        with pytest.raises(ValueError, match='weights must not be given with '
                           "method='matched', which uses no network, got "
                           r"'x\.safetensors': leave them out"):
            find_clumps(fit, method='matched', weights='x.safetensors')
        with pytest.raises(ValueError, match='weights must be those of a '
                           "clump network, got 'rings-fast'"):
            find_clumps(fit, weights='rings-fast')

    def test_fitter(self):
        with pytest.raises(ValueError, match='are those of a clump network, '
                           'which measures no profiles'):
            Pix2ProfFitter('clumps')


class TestPlot:
    def test_marks(self, fit):
        table = find_clumps(fit)
        fig = plot_clumps(fit, table)
        first, second = fig.axes
        assert len(first.patches) == 1 + len(table)
        own = int(np.sum(table['class'] == 'clump'))
        assert f'{own} clump' in second.get_title()

    def test_other_frame(self, fit):
        table = find_clumps(fit, method='matched')
        other = table.copy()
        other.meta['x_centre'] += 8
        with pytest.raises(ValueError, match='clumps must be those of this '
                                             'fit, but lie 8 pixels off'):
            plot_clumps(fit, other)

    def test_cut_out(self, make_wcs):
        """
        A part has the centre of the whole image, but not its pixels.
        """
        whole = GalaxyCutout(CCDData(make_image(CLUMPS), unit='nmgy',
                                     wcs=make_wcs((N, N))))
        fits = [IsophoteFitter().fit(cutout)
                for cutout in (whole, whole.crop(100))]
        tables = [find_clumps(one, method='matched', psf=FWHM * SCALE)
                  for one in fits]
        assert all(len(table) for table in tables)
        plot_clumps(fits[0], tables[0])
        plot_clumps(fits[1], tables[1])
        with pytest.raises(ValueError, match='but lie 20 pixels off'):
            plot_clumps(fits[1], tables[0])

    def test_errors(self, fit):
        with pytest.raises(TypeError, match='fit must be the result'):
            plot_clumps(None, None)
        with pytest.raises(TypeError, match='clumps must be a table of '
                                            'find_clumps, got list'):
            plot_clumps(fit, [])


def test_cutout_of_a_surface_brightness(fitter):
    """
    Fluxes of an image per arcsec2 are sums over pixels in its unit.
    """
    image = GalaxyCutout(make_image(CLUMPS), unit='MJy/sr', pixel_scale=SCALE)
    table = find_clumps(fitter.fit(image), psf=FWHM * SCALE)
    assert len(table) > 0
    assert np.all(np.isfinite(table['mag'].value))
