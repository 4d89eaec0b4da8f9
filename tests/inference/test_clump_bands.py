# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the search for clumps in several bands.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from numpy.testing import assert_allclose

from astro_pix2prof import (
    Pix2ProfFitter,
    decode_flags,
    find_clumps,
    plot_clumps,
)
from astro_pix2prof.export.clumps import clump_regions
from astro_pix2prof.fitting.bands import BandProfiles

N, SCALE, CENTRE, Q, SIZE = 128, 0.4, (63.4, 64.2), 0.7, 9.0

# The width of the PSF (pixels), the noise and the host's magnitude less that
# in r.
BANDS = {'g': (3.6, 1.0, 0.6), 'r': (3.0, 1.0, 0.0), 'i': (2.8, 1.3, -0.3)}
PSF = {band: SCALE * values[0] for band, values in BANDS.items()}

# x, y, flux in r, and the colours g-r and r-i: a blue clump, one that is
# less so, and a red star.
OBJECTS = [(78.2, 70.3, 1500.0, 0.0, -0.1), (50.5, 57.0, 1200.0, 0.2, 0.0),
           (70.0, 84.6, 1500.0, 1.4, 0.9)]


def moffat(x, y, flux, fwhm, shape, beta=4.765):
    gy, gx = np.indices(shape)
    a2 = fwhm**2 / 4 / (2**(1 / beta) - 1)
    return flux * (beta - 1) / np.pi / a2 * (
        1 + ((gx - x)**2 + (gy - y)**2) / a2)**-beta


def magnitude(band, objects):
    return {'g': objects[3], 'r': 0.0, 'i': -objects[4]}[band]


def make_image(band, *, objects=OBJECTS, fine=1.0, seed=0, sigma=None):
    """
    Render the galaxy in a band, on pixels that may be finer.
    """
    n, (fwhm, noise, mag) = round(N * fine), BANDS[band]
    noise = noise if sigma is None else sigma
    gy, gx = np.indices((n, n))
    r = np.sqrt((gx / fine - CENTRE[0])**2
                + ((gy / fine - CENTRE[1]) / Q)**2 + 3)
    image = 20000 * 10**(-0.4 * mag) / (
        2 * np.pi * SIZE**2 * Q * fine**2) * np.exp(-r / SIZE)
    for one in objects:
        image += moffat(one[0] * fine, one[1] * fine, one[2] * 10**(
            -0.4 * magnitude(band, one)), fwhm * fine, (n, n))
    rng = np.random.default_rng([seed, *map(ord, band)])
    image += rng.normal(0, noise / fine, (n, n))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ('RA---TAN', 'DEC--TAN'), (150.0, 2.0)
    wcs.wcs.crpix = 64 * fine + 1, 64 * fine + 1
    wcs.wcs.cdelt = -SCALE / 3600 / fine, SCALE / 3600 / fine
    return CCDData(image, unit='adu', wcs=wcs)


def near(table, one):
    away = np.hypot(table['x'] - one[0], table['y'] - one[1])
    assert np.sum(away < 1.5) == 1
    return table[int(np.argmin(away))]


@pytest.fixture(scope='module')
def fitter():
    return Pix2ProfFitter('rings-fast', device='cpu')


@pytest.fixture(scope='module')
def images():
    return {band: make_image(band) for band in BANDS}


@pytest.fixture(scope='module')
def bands(fitter, images):
    return fitter.fit_bands(images, zeropoint=25.0, keep_fits=True)


@pytest.fixture(scope='module')
def table(bands):
    return find_clumps(bands, psf=PSF)


class TestFluxes:
    @pytest.mark.parametrize('one', OBJECTS)
    def test_colours(self, table, one):
        """
        Colours are right within their errors; the host's is its own.
        """
        row = near(table, one)
        for colour, true, host in (('g-r', one[3], 0.6),
                                   ('r-i', one[4], 0.3)):
            error = row[f'{colour}_err'].to_value(u.mag)
            assert 0 < error < 0.03
            found = row[colour].to_value(u.mag)
            # (the galaxy behind is known to a per cent of the clump)
            assert abs(found - true) < 3 * np.hypot(error, 0.01)
            around = row[f'{colour}_host'].to_value(u.mag)
            assert_allclose(around, host, atol=0.12)
            assert (found < around) == (true < host)

    @pytest.mark.parametrize('one', OBJECTS)
    def test_bands(self, table, one):
        row = near(table, one)
        for band, (_, _, mag) in BANDS.items():
            flux = one[2] * 10**(-0.4 * magnitude(band, one))
            assert row[f'flux_{band}'].unit == u.adu
            found = row[f'flux_{band}'].value
            assert_allclose(found, flux, rtol=0.05)
            error = row[f'flux_err_{band}'].value
            assert_allclose(row[f'snr_{band}'], found / error)
            assert_allclose(row[f'mag_{band}'].to_value(u.mag),
                            25 - 2.5 * np.log10(found), atol=1e-4)
            assert_allclose(row[f'mag_err_{band}'].to_value(u.mag),
                            2.5 / np.log(10) * error / found)
            host = table.meta[f'host_flux_{band}']
            assert_allclose(host, 20000 * 10**(-0.4 * mag), rtol=0.25)
            assert_allclose(row[f'share_{band}'], found / host)
        # (the sum counts for more than any band)
        assert row['snr'] > max(row[f'snr_{band}'] for band in BANDS)

    def test_meta(self, table):
        meta = table.meta
        assert meta['bands'] == 'g r i'
        assert meta['reference'] == 'r'
        assert meta['colours'] == 'g-r r-i'
        assert meta['mag_system'] == 'AB'
        parts = dict(part.split('=') for part in meta['in_sum'].split())
        assert_allclose(sum(map(float, parts.values())), 1, atol=2e-3)
        # (the host is faintest in g, and as noisy as in r)
        assert float(parts['g']) < 0.5 * float(parts['r'])
        for band, width in PSF.items():
            assert_allclose(meta[f'fwhm_{band}'], width / SCALE, rtol=0.01)
        assert meta['fwhm_from'] == 'given'
        assert 2.8 < meta['fwhm'] < 3.6

    def test_errors(self, bands):
        """
        The errors of colours are those of the scatter.
        """
        from astro_pix2prof.inference.clump_bands import BandFits
        from astro_pix2prof.inference.clump_maps import make_maps

        pulls = []
        for seed in range(4):
            fits = {band: _with_noise(fit, band, seed)
                    for band, fit in bands.fits.items()}
            found = BandFits(fits, 'r', [])
            found.find_widths(PSF)
            whole, fwhm, _ = found.stack()
            rows = [{'x': one[0], 'y': one[1], 'width': 1.0, 'flag': 0}
                    for one in OBJECTS]
            found.measure(rows, make_maps(whole, fwhm, reach=3), 3)
            for band in BANDS:
                pulls.append([row['bands'][band][:2] for row in rows])
        # (seed, band, object)
        flux, error = np.moveaxis(np.reshape(pulls, (4, 3, 3, 2)), 3, 0)
        scatter = np.std(flux, axis=0, ddof=1) / error.mean(0)
        assert 0.6 < np.sqrt(np.mean(scatter**2)) < 1.4

    def test_faint(self, fitter):
        """
        The sum shows what no single band does.
        """
        one = (84.0, 72.0, 30.0, 0.6, 0.3)
        images = {band: make_image(band, objects=[one], seed=5,
                                   sigma=10**(-0.4 * BANDS[band][2]))
                  for band in BANDS}
        psf = dict.fromkeys(BANDS, 3.1 * SCALE)
        result = fitter.fit_bands(images, zeropoint=25.0, keep_fits=True)
        row = near(find_clumps(result, psf=psf, method='matched'), one)
        for band, fit in result.fits.items():
            alone = find_clumps(fit, psf=psf[band], method='matched')
            assert not np.any(np.hypot(alone['x'] - one[0],
                                       alone['y'] - one[1]) < 1.5)
            assert row['snr'] > 1.25 * row[f'snr_{band}']


def _with_noise(fit, band, seed):
    """
    Replace the noise of an image.
    """
    import copy
    from dataclasses import replace

    cutout = copy.copy(fit.cutout)
    cutout.data = make_image(band, seed=100 + seed).data.astype('f4')
    return replace(fit, cutout=cutout)


class TestPixels:
    def test_other_pixels(self, fitter, images):
        """
        Bands with a WCS may have other pixels.
        """
        images = {**images, 'i': make_image('i', fine=1.5)}
        table = find_clumps(images, fitter=fitter, psf=PSF, zeropoint=25.0,
                            method='matched')
        for one in OBJECTS:
            row = near(table, one)
            assert_allclose(row['flux_i'].value, one[2] * 10**(
                0.4 * one[4]), rtol=0.06)
            assert_allclose(row['r-i'].value, one[4], atol=0.04)
        turned = find_clumps(images, fitter=fitter, psf=PSF, zeropoint=25.0,
                             method='matched', reference='i')
        assert turned.meta['reference'] == 'i'
        for one in OBJECTS:
            row = near(turned, (1.5 * one[0], 1.5 * one[1]))
            assert_allclose(row['r-i'].value, one[4], atol=0.05)
            # the host is redder by 0.3 wherever it is measured
            for one_table in (table, turned):
                assert_allclose(one_table['r-i_host'].value, 0.3, atol=0.05)

    def test_masked(self, fitter, images):
        """
        A clump on missing pixels of a band has no flux there only.
        """
        g_band = images['g'].copy()
        g_band.mask = np.zeros((N, N), dtype=bool)
        g_band.mask[65:76, 73:84] = True
        table = find_clumps({**images, 'g': g_band}, fitter=fitter, psf=PSF,
                            zeropoint=25.0)
        row = near(table, OBJECTS[0])
        assert np.isnan(row['flux_g'])
        assert np.isnan(row['g-r'])
        assert 'MASKED' in decode_flags(row['flag_g'], kind='clump')
        assert 'MASKED' in decode_flags(row['flag'], kind='clump')
        assert row['flag_r'] == row['flag_i'] == 0
        assert_allclose(row['r-i'].value, -0.1, atol=0.04)
        other = near(table, OBJECTS[2])
        assert other['flag_g'] == 0
        assert np.isfinite(other['g-r'])

    def test_no_wcs(self, fitter, images):
        data = {band: image.data for band, image in images.items()}
        options = {'zeropoint': 25.0, 'pixel_scale': SCALE}
        table = find_clumps(data, fitter=fitter, psf=PSF, **options)
        assert 'ra' not in table.colnames
        assert_allclose(near(table, OBJECTS[0])['g-r'].value, 0, atol=0.04)
        fits = {'g': fitter.fit(data['g'], **options),
                'r': fitter.fit(data['r'][:-10], **options)}
        with pytest.raises(ValueError, match='several bands needs images '
                           'with a WCS, or of one shape'):
            find_clumps(fits, psf=1.2)


class TestInput:
    def test_kinds(self, fitter, images, bands):
        """
        Images, fits and the result of fit_bands give the same clumps.
        """
        options = {'psf': PSF, 'method': 'matched'}
        table = find_clumps(bands, **options)
        first = find_clumps(images, fitter=fitter, zeropoint=25.0, **options)
        second = find_clumps(dict(bands.fits), **options)
        fits = [fitter.fit(image, band=band, zeropoint=25.0, geometry=(
            None if band == 'r' else bands.profiles['r']))
            for band, image in images.items()]
        third = find_clumps(fits, **options)
        for other in (first, second, third):
            assert other.colnames == table.colnames
            for name in ('x', 'snr', 'flux_g', 'g-r', 'share'):
                assert_allclose(getattr(other[name], 'value', other[name]),
                                getattr(table[name], 'value', table[name]),
                                rtol=5e-3, atol=2e-3)

    def test_choose_colours(self, bands):
        table = find_clumps(bands, psf=PSF, colours=['g-i'],
                            method='matched')
        assert 'g-i' in table.colnames
        assert 'g-r' not in table.colnames
        assert_allclose(near(table, OBJECTS[0])['g-i'].value, -0.1,
                        atol=0.04)

    def test_classes(self, bands, table):
        for wrong in ((), None):
            with pytest.raises(ValueError, match='classes must be one or more '
                                                 'of clump, odd, got'):
                find_clumps(bands, psf=PSF, classes=wrong)
        own = find_clumps(bands, psf=PSF, classes='clump')
        assert set(own['class']) == {'clump'}
        assert len(own) == np.sum(table['class'] == 'clump')

    def test_uncalibrated(self, fitter, images):
        table = find_clumps({band: image.data for band, image
                             in images.items()}, fitter=fitter,
                            calibrated=False, psf=3 * u.pix)
        assert 'flux_g' in table.colnames
        assert not {'mag_g', 'g-r', 'g-r_host'} & set(table.colnames)

    def test_no_galaxy(self, fitter):
        rng = np.random.default_rng(5)
        images = {band: rng.normal(0, 1, (N, N)) for band in 'gr'}
        with pytest.warns(AstropyUserWarning, match='there is no galaxy'), (
                pytest.warns(AstropyUserWarning, match='NO_SOURCE')):
            table = find_clumps(images, fitter=fitter, zeropoint=25.0,
                                pixel_scale=SCALE, psf=1.2)
        assert len(table) == 0
        assert {'flux_g', 'g-r', 'flag_r', 'snr'} <= set(table.colnames)

    def test_failed_band(self, fitter, images):
        with pytest.warns(AstropyUserWarning, match='clumps have no flux in '
                          'bands that were not measured: i: '):
            table = find_clumps({**images, 'i': 'no_such_file.fits'},
                                fitter=fitter, psf=PSF, zeropoint=25.0)
        assert table.meta['bands'] == 'g r'
        assert 'g-r' in table.colnames

    def test_width(self, fitter):
        """
        A band whose PSF is not known takes that of the others.
        """
        images = {band: make_image(band, objects=[]) for band in BANDS}
        bands = fitter.fit_bands(images, zeropoint=25.0, keep_fits=True)
        with pytest.warns(AstropyUserWarning, match='PSF in g, i is not '
                          'known, .* the width of other bands is taken'):
            table = find_clumps(bands, psf={'r': PSF['r']},
                                method='matched')
        assert_allclose(table.meta['fwhm_g'], 3.0, rtol=0.01)
        assert table.meta['fwhm_from'] == 'assumed'

    def test_systems(self, bands):
        fits = dict(bands.fits)
        meta = fits['g'].profile.meta
        meta['mag_system'] = 'Vega'
        try:
            with pytest.warns(AstropyUserWarning,
                              match='the difference of Vega and AB'):
                find_clumps(fits, psf=PSF, method='matched')
        finally:
            meta['mag_system'] = 'AB'

    def test_wrong(self, fitter, images, bands):
        fits = dict(bands.fits)
        cases = [
            (BandProfiles(bands.profiles, bands.colours, 'r'), {}, TypeError,
             'BandProfiles without its images.*keep_fits=True'),
            ({'g': fits['g']}, {}, ValueError, 'must have two or more bands'),
            ({'g': fits['g'], 'r': images['r']}, {}, TypeError,
             r"fits of all .*but \['r'\] are no fits"),
            ([fits['g'], fits['r']], {}, ValueError, 'name no band'),
            (fits, {'zeropoint': 25.0}, TypeError,
             'zeropoint must not be given with fits'),
            (bands, {'fitter': fitter}, TypeError,
             'fitter must not be given with fits'),
            (fits['g'], {'colours': ['g-r']}, TypeError,
             'colours need several bands'),
            (fits, {'colours': ['g-z']}, ValueError, 'colours must be a list'),
            (fits, {'psf': {'z': 1.2}}, ValueError,
             r"psf has values for the bands \['z'\]"),
            (fits, {'psf': {'g': 40.0}}, ValueError,
             'psf must be narrow in the image')]
        for what, options, kind, match in cases:
            with pytest.raises(kind, match=match):
                find_clumps(what, **options)

    def test_other_galaxy(self, fitter, images, bands):
        far = images['g'].copy()
        far.wcs = far.wcs.deepcopy()
        far.wcs.wcs.crval = 150.0, 2.1
        fits = {'g': fitter.fit(far, zeropoint=25.0), 'r': bands.fits['r']}
        with pytest.raises(ValueError, match='bands of one galaxy, but the '
                           r'centre in g is 9\d\d pixels from that in r'):
            find_clumps(fits, psf=PSF['r'])


def test_keep_fits(bands, fitter, images):
    assert list(bands.fits) == list(BANDS)
    few = fitter.fit_bands({'g': images['g'], 'r': images['r']},
                           zeropoint=25.0)
    assert few.fits == {}


def test_figure_and_regions(bands, table, tmp_path):
    import matplotlib.pyplot as plt

    pytest.importorskip('regions')
    for fits in (bands, bands.fits, bands.fits['r']):
        fig = plot_clumps(fits, table)
        assert len(fig.axes[0].patches) == len(table) + 1
        plt.close(fig)
    assert len(clump_regions(table)) == len(table)


def test_fluxes_below_zero(images, fitter):
    """
    Their errors are above zero, as all errors are.
    """
    blank = make_image('g', objects=[], seed=5)
    table = find_clumps({**images, 'g': blank}, fitter=fitter, psf=PSF,
                        zeropoint=25.0, reference='r')
    below = table['flux_g'].value < 0
    assert below.any()
    for name in ('flux_err_g', 'mag_err_g', 'share_err_g'):
        assert np.all(np.asarray(table[name], float)[below] > 0)


def test_bands_of_a_picture(fitter, images):
    """
    Fits of the colours of one picture are those of a picture.
    """
    fits = {}
    for band in ('g', 'r'):
        fits[band] = fitter.fit(images[band].data, calibrated=False)
        fits[band].profile.meta['picture'] = True
    table = find_clumps(fits, psf=3 * u.pix, method='matched')
    assert table.meta['picture'] is True
    alone = find_clumps(fits['g'], psf=3 * u.pix, method='matched')
    assert set(table['flag']) & set(alone['flag'])
    fits['g'].profile.meta['picture'] = fits['r'].profile.meta[
        'picture'] = False
    assert find_clumps(fits, psf=3 * u.pix,
                       method='matched').meta['picture'] is False
