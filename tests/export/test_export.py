# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of results in the forms of other tools, read back again.
"""

import builtins

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from photutils.isophote import build_ellipse_model

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    ProfileFit,
    build_profile,
    model_image,
    read_autoprof,
    read_iraf_table,
    to_apertures,
    to_isophote_list,
    to_regions,
    write_autoprof,
    write_iraf_table,
    write_pixels,
    write_regions,
)
from astro_pix2prof.export.source import fit_rings, masked_pixels

CENTRE = (33.2, 30.6)
SMA = np.concatenate([np.arange(0, 6, 0.5), np.exp(
    np.arange(np.log(6), np.log(29), 0.08))])


def light(a):
    return 2 * np.exp(-np.hypot(a, 1.2) / 6)


@pytest.fixture(scope='module')
def mask():
    """
    A ring of masked pixels, a bar, a corner and two that touch.
    """
    y, x = np.mgrid[:60, :64]
    away = np.hypot(x - 48, y - 44)
    mask = (away < 6) & (away > 3)
    mask[10:12, 20:26] = mask[0, :3] = True
    mask[40, 10] = mask[41, 11] = True
    return mask


def make_fit(mask=None, *, wcs=None, size=None, theta=160.0, others=None,
             **options):
    """
    Make the fit of a galaxy whose angle passes the half turn.
    """
    y, x = np.mgrid[:60, :64].astype(float)
    turn = theta + np.linspace(0, 40, len(SMA))
    t = np.radians(theta + 20)
    a = np.hypot((x - CENTRE[0]) * np.cos(t) + (y - CENTRE[1]) * np.sin(t),
                 ((y - CENTRE[1]) * np.cos(t) - (x - CENTRE[0]) * np.sin(t))
                 / 0.7)
    image = CCDData(light(a) + 0.1, unit='nmgy', wcs=wcs, mask=mask)
    options.setdefault('pixel_scale', None if wcs is not None else 0.4)
    cutout = GalaxyCutout(image, position=CENTRE, size=size, **options)
    centre = tuple(c - o for c, o in zip(CENTRE, cutout.origin, strict=True))
    n = len(SMA)
    value, eps = light(SMA), np.full(n, 0.3)
    profile = build_profile(
        cutout, SMA, value, 0.01 * value, ellipticity=eps, theta=turn,
        ellipticity_err=np.full(n, 0.02), theta_err=np.full(n, 3.0),
        n_valid=np.linspace(1, 0.5, n), centre=centre, noise=0.01, sky=0.1,
        fitter='truth')
    used = cutout.mask if others is None else cutout.mask | others
    return ProfileFit(profile, cutout, used, 0.1, centre, SMA, eps,
                      turn % 180, value)


@pytest.fixture(scope='module')
def fit(mask, make_wcs):
    return make_fit(mask, wcs=make_wcs((60, 64), rotation=20))


class TestPixels:
    def test_images(self, fit, mask, tmp_path):
        path = write_pixels(fit, tmp_path / 'p.fits')
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus[1:]] == ['MODEL', 'RESIDUAL',
                                                      'MASK']
            model = model_image(fit.profile, fit.cutout)
            assert hdus['MODEL'].data == pytest.approx(model, rel=1e-5)
            total = hdus['MODEL'].data + hdus['RESIDUAL'].data + 0.1
            good = ~mask
            assert total[good] == pytest.approx(fit.cutout.data[good],
                                                rel=1e-5)
            assert np.isnan(hdus['RESIDUAL'].data[mask]).all()
            assert np.array_equal(hdus['MASK'].data, mask.astype(int))
            assert hdus['MODEL'].header['BUNIT'] == 'nmgy'
            card = hdus[0].header
            assert card['FITTER'] == 'truth'
            assert card['SKY'] == pytest.approx(0.1)
            assert card['XCENTRE'] == pytest.approx(CENTRE[0] + 1)
            for hdu in hdus[1:]:
                wcs = WCS(hdu.header)
                here, there = (w.pixel_to_world(5.0, 50.0) for w in (
                    wcs, fit.cutout.wcs))
                assert here.separation(there).arcsec < 1e-4

    def test_reads_back_as_an_image(self, fit, tmp_path):
        write_pixels(fit, tmp_path / 'p.fits')
        cutout = GalaxyCutout(tmp_path / 'p.fits', hdu='MODEL',
                              zeropoint=22.5)
        assert cutout.shape == fit.cutout.shape

    def test_other_objects_have_a_bit_of_their_own(self, mask, tmp_path):
        others = np.roll(mask, 3, axis=1)
        fit = make_fit(mask, others=others)
        path = write_pixels(fit, tmp_path / 'p.fits')
        found = fits.getdata(path, 'MASK')
        assert np.array_equal(found & 1 > 0, mask)
        assert np.array_equal(found & 2 > 0, others & ~mask)
        residual = fits.getdata(path, 'RESIDUAL')
        assert np.isfinite(residual[others & ~mask]).all()

    def test_crop_and_gradient(self, tmp_path):
        fit = make_fit(size=41)
        fit.tilt = np.linspace(-1, 1, 41) * np.ones((41, 1))
        path = write_pixels(fit, tmp_path / 'p.fits')
        header = fits.getheader(path, 'MODEL')
        assert (header['LTV1'], header['LTV2']) == tuple(
            -c for c in fit.cutout.origin)
        assert fits.getdata(path, 'SKY')[3] == pytest.approx(
            0.1 + fit.tilt[3], abs=1e-6)

    def test_weights(self, tmp_path, galaxy_ccd):
        fit = Pix2ProfFitter().fit(galaxy_ccd)
        path = write_pixels(fit, tmp_path / 'p.fits')
        weight = fits.getdata(path, 'WEIGHT')
        assert np.nanmin(weight) >= 0
        assert np.nanmax(weight) <= 1 + 1e-6
        assert weight == pytest.approx(fit.weight_map(), nan_ok=True,
                                       rel=1e-5)

    def test_exceptions(self, fit, tmp_path, make_wcs):
        path = tmp_path / 'p.fits'
        path.touch()
        with pytest.raises(FileExistsError, match='exists; give overwrite='):
            write_pixels(fit, path)
        write_pixels(fit, path, overwrite=True)
        with pytest.raises(TypeError, match='fit must be the result of the'):
            write_pixels(fit.profile, path)
        with pytest.raises(ValueError, match='is an address: results are'):
            write_pixels(fit, 'https://example.org/p.fits')
        wrapped = HighLevelWCSWrapper(make_wcs((60, 64)))
        other = make_fit()
        other.cutout.wcs = wrapped
        with pytest.warns(AstropyUserWarning, match='cannot be written to F'):
            write_pixels(other, path, overwrite=True)
        assert 'CTYPE1' not in fits.getheader(path, 'MODEL')


class TestIsophoteList:
    def test_model_of_photutils(self, fit):
        isophotes = to_isophote_list(fit)
        assert len(isophotes) == len(SMA)
        model = build_ellipse_model(fit.cutout.shape, isophotes)
        own = model_image(fit.profile, fit.cutout)
        seen = (own > 0.03 * own.max()) & (model > 0)
        off = model[seen] / own[seen] - 1
        assert np.median(np.abs(off)) < 0.005
        assert np.quantile(np.abs(off), 0.99) < 0.05

    def test_values(self, fit):
        isophotes = to_isophote_list(fit)
        assert isophotes.sma == pytest.approx(SMA)
        assert isophotes.intens == pytest.approx(light(SMA))
        assert isophotes.int_err == pytest.approx(0.01 * light(SMA))
        assert isophotes.eps[1:] == pytest.approx(0.3)
        assert isophotes.ellip_err[1:] == pytest.approx(0.02)
        assert np.degrees(isophotes.pa_err[1:]) == pytest.approx(3)
        # angles go on beyond the half turn
        turn = np.degrees(isophotes.pa[1:])
        assert np.abs(np.diff(turn)).max() < 5
        assert turn % 180 == pytest.approx(fit.theta[1:])
        table = isophotes.to_table()
        assert len(table) == len(SMA)

    def test_a_list_measures_the_same(self, fit):
        """
        A fitter takes it as a geometry.
        """
        isophotes = to_isophote_list(fit)
        again = IsophoteFitter(sky=0.1)(fit.cutout, geometry=isophotes)
        own = again['radius'].value / fit.cutout.pixel_scale
        assert own == pytest.approx(SMA[1:])
        assert again['ellipticity'] == pytest.approx(0.3)

    def test_rings_without_value_are_left_out(self, fit):
        other = make_fit()
        other.intensity = np.where(SMA > 20, np.nan, other.intensity)
        isophotes = to_isophote_list(other)
        assert isophotes.sma.max() <= 20
        other.intensity[:] = np.nan
        with pytest.raises(ValueError, match='fit must have rings with an e'):
            fit_rings(other)

    def test_apertures(self, fit):
        pixels, sky = to_apertures(fit), to_apertures(fit, sky=True)
        assert len(pixels) == len(sky) == len(SMA) - 1
        assert pixels[-1].a == pytest.approx(SMA[-1])
        assert pixels[-1].b == pytest.approx(0.7 * SMA[-1])
        assert pixels[-1].area == pytest.approx(np.pi * 0.7 * SMA[-1]**2)
        assert sky[-1].a.to_value('arcsec') == pytest.approx(
            SMA[-1] * fit.cutout.pixel_scale, rel=1e-4)
        back = sky[-1].to_pixel(fit.cutout.wcs)
        assert back.positions == pytest.approx(CENTRE)
        with pytest.raises(ValueError, match='sky=True needs an image with'):
            to_apertures(make_fit(), sky=True)
        with pytest.raises(TypeError, match='fit must be the result of the'):
            to_apertures(fit.profile)


class TestRegions:
    @pytest.mark.parametrize('frame', ['pixel', 'sky'])
    def test_file_and_mask(self, fit, mask, frame, tmp_path):
        regions = pytest.importorskip('regions')
        path = write_regions(fit, tmp_path / 'a.reg', frame=frame)
        found = regions.Regions.read(path, format='ds9')
        if frame == 'sky':
            found = [region.to_pixel(fit.cutout.wcs) for region in found]
        kinds = [type(region).__name__ for region in found]
        n = kinds.count('EllipsePixelRegion')
        assert n == len(SMA) - 1
        assert set(kinds[n:]) == {'PolygonPixelRegion'}
        last = found[n - 1]
        assert (last.center.x, last.center.y) == pytest.approx(CENTRE,
                                                               abs=1e-2)
        assert last.width == pytest.approx(2 * SMA[-1], rel=1e-3)
        assert last.height == pytest.approx(1.4 * SMA[-1], rel=1e-3)
        turn = last.angle.to_value('deg') - fit.theta[-1]
        assert (turn + 90) % 180 - 90 == pytest.approx(0, abs=0.2)
        assert 'mag/arcsec2' in last.meta['text']
        if frame == 'pixel':
            drawn = np.zeros(mask.shape, bool)
            for region in found[n:]:
                drawn |= region.to_mask('center').to_image(
                    mask.shape).astype(bool)
            assert np.array_equal(drawn, mask)

    def test_choices(self, fit):
        pytest.importorskip('regions')
        rings = to_regions(fit, frame='pixel', n_rings=4, mask=False)
        assert len(rings) == 4
        assert rings[-1].width == pytest.approx(2 * SMA[-1])
        one = to_regions(fit, frame='pixel', n_rings=1, mask=False)
        assert one[0].width == pytest.approx(2 * SMA[-1])

    def test_pixels_are_those_of_the_whole_image(self, mask):
        pytest.importorskip('regions')
        whole, part = (to_regions(make_fit(mask, size=size), frame='pixel')
                       for size in (None, 56))
        assert part[0].center.x == pytest.approx(whole[0].center.x)
        assert part[0].center.y == pytest.approx(CENTRE[1])
        # the hole lies in both
        ends = [sorted(set(np.round(np.concatenate([
            region.vertices.x for region in found if hasattr(
                region, 'vertices') and region.vertices.x.min() > 40]), 3)))
            for found in (whole, part)]
        assert ends[0] == ends[1]

    def test_other_objects(self, mask):
        pytest.importorskip('regions')
        found = to_regions(make_fit(others=mask), frame='pixel')
        assert {region.meta['text'] for region in found
                if hasattr(region, 'vertices')} == {'another object'}

    def test_exceptions(self, fit, tmp_path, monkeypatch):
        with pytest.raises(ValueError, match="frame='sky' needs an image wit"):
            to_regions(make_fit())
        with pytest.raises(TypeError, match='fit must be the result of the'):
            to_regions(fit.profile)
        path = tmp_path / 'a.reg'
        path.touch()
        with pytest.raises(FileExistsError, match='exists; give overwrite='):
            write_regions(fit, path)
        real = builtins.__import__

        def refuse(name, *args, **kwargs):
            if name == 'regions':
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, '__import__', refuse)
        with pytest.raises(ImportError, match=r'to_regions needs regions: '
                                              r'install .*\[regions\]'):
            to_regions(fit)


class TestTables:
    def test_iraf_round_trip(self, fit, tmp_path):
        path = write_iraf_table(fit, tmp_path / 'el.fits')
        table = Table.read(path)
        assert {'SMA', 'INTENS', 'PA', 'A3', 'B4', 'STOP'} <= set(
            table.colnames)
        assert table['X0'] == pytest.approx(CENTRE[0] + 1)
        assert np.all(np.abs(table['PA']) <= 90)
        again = read_iraf_table(path, unit='nmgy',
                                pixel_scale=fit.cutout.pixel_scale)
        for name in ('radius', 'intensity', 'intensity_err',
                     'surface_brightness', 'surface_brightness_err'):
            assert again[name].value == pytest.approx(
                fit.profile[name].value, rel=1e-6), name
        # (the sum of whole pixels against the growth of the rings)
        assert again['mag_enclosed'].value[5:] == pytest.approx(
            fit.profile['mag_enclosed'].value[5:], abs=0.03)
        assert again['pa'].value[1:] == pytest.approx(fit.theta[1:])
        assert again['ellipticity'][1:] == pytest.approx(0.3)
        assert again['n_valid'][5:] == pytest.approx(
            fit.profile['n_valid'][5:], abs=0.04)
        assert again.meta['x_centre'] == pytest.approx(CENTRE[0])
        # measured on these ellipses, without a WCS
        other = make_fit()
        forced = IsophoteFitter(sky=0.1).fit(other.cutout, geometry=again)
        assert forced.centre == pytest.approx(CENTRE)
        assert forced.theta[3:] % 180 == pytest.approx(fit.theta[3:])
        with pytest.raises(TypeError, match='fit must be the result of the'):
            write_iraf_table(fit.profile, path, overwrite=True)

    def test_iraf_pixels_of_the_whole_image(self, tmp_path):
        path = write_iraf_table(make_fit(size=41), tmp_path / 'el.fits')
        table = Table.read(path)
        assert table['X0'] == pytest.approx(CENTRE[0] + 1)
        assert table['Y0'] == pytest.approx(CENTRE[1] + 1)

    def test_autoprof_round_trip(self, fit, tmp_path):
        path = write_autoprof(fit, tmp_path / 'a.prof')
        again = read_autoprof(path)
        for name in ('radius', 'surface_brightness',
                     'surface_brightness_err', 'mag_enclosed'):
            assert again[name].value == pytest.approx(
                fit.profile[name].value, nan_ok=True), name
        assert again['pa'].value == pytest.approx(fit.theta)
        assert again['ellipticity_err'] == pytest.approx(0.02)
        assert again['n_valid'][8:] == pytest.approx(
            fit.profile['n_valid'][8:], abs=0.05)
        bare = make_fit(pixel_scale=None, calibrated=False)
        with pytest.raises(ValueError, match='AutoProf tables have radii in'):
            write_autoprof(bare, path, overwrite=True)
        with pytest.raises(TypeError, match='fit must be the result of the'):
            write_autoprof(fit.profile, path, overwrite=True)

    def test_autoprof_has_the_columns_of_real_files(self, fit, real_data,
                                                    tmp_path):
        real = (real_data / 'eso479_profiles'
                / 'ESO479-G001_r.prof').read_text().splitlines()[:2]
        path = write_autoprof(fit, tmp_path / 'a.prof')
        for own, theirs in zip(path.read_text().splitlines(), real,
                               strict=False):
            own, theirs = ([text.strip(' #') for text in line.split(',')]
                           for line in (own, theirs))
            assert own == theirs[:len(own)]

    def test_real_image_on_the_ellipses_of_iraf(self, real_data):
        """
        Its table gives centre, shapes and angles in the pixels of the image.
        """
        folder = real_data / 'ngc4608_irac1'
        table = read_iraf_table(folder / 'el_n4608irac1ss.fits',
                                pixel_scale=0.6, unit='MJy/sr')
        # (the image is a section of the one that was measured)
        table.meta['x_centre'] -= 948
        table.meta['y_centre'] -= 283
        rows = table['radius'].value < 60
        sky = IsophoteFitter(mask_sources=False, sky=0.0)
        with pytest.warns(AstropyUserWarning, match='is used, although'):
            profile = sky(folder / 'n4608irac1ss_fitted_cutout.fits',
                          unit=u.MJy / u.sr / 187.75, geometry=table[rows])
        off = np.abs((profile['surface_brightness']
                      - table['surface_brightness'][rows]).value)
        flat = table['ellipticity'][rows] > 0.25
        # a turn by 90 degrees makes this 0.038
        assert np.median(off[flat]) < 0.012


def test_masked_pixels_of_a_network(galaxy_ccd):
    fit = Pix2ProfFitter().fit(galaxy_ccd)
    bad, others = masked_pixels(fit)
    assert np.array_equal(bad, fit.cutout.mask)
    assert np.array_equal(others, fit.object_mask() & ~bad)
