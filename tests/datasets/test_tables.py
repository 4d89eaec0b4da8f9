# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the tables of IRAF and AutoProf.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astro_pix2prof import write_profile
from astro_pix2prof.datasets.tables import (
    read_autoprof,
    read_foreign_ellipses,
    read_iraf_table,
    recognise_table,
)
from astro_pix2prof.profile.columns import is_profile

AUTOPROF = """\
# arcsec,mag*arcsec^-2,mag*arcsec^-2,mag,mag,unitless,unitless,deg,deg,count,\
count
R,SB,SB_e,totmag,totmag_e,ellip,ellip_e,pa,pa_e,pixels,maskedpixels
0.5,20.0,0.01,21.0,0.01,0.2,0.0,15.0,0.0,15,0
1.0,22.5,0.02,20.0,0.01,0.3,0.1,190.0,2.0,30,10
2.0,99.999,99.999,99.999,99.999,0.3,0.1,-20.0,2.0,30,0
"""


@pytest.fixture(name='iraf')
def write_iraf(tmp_path):
    """
    A table as IRAF writes it: no ellipse and no error at the centre.
    """
    nan = np.float32(np.nan)
    columns = {'SMA': [0.0, 2.0, 4.0], 'INTENS': [400.0, 100.0, -1.0],
               'INT_ERR': [nan, 1.0, 2.0], 'ELLIP': [nan, 0.2, 0.3],
               'ELLIP_ERR': [nan, 0.01, 0.02], 'PA': [nan, -30.0, 89.0],
               'PA_ERR': [nan, 1.0, 2.0]}
    units = {'SMA': 'pix', 'PA': 'degrees', 'PA_ERR': 'degrees'}
    hdu = fits.BinTableHDU.from_columns([
        fits.Column(name=name, format='E', array=values,
                    unit=units.get(name))
        for name, values in columns.items()])
    path = tmp_path / 'el_galaxy.fits'
    hdu.writeto(path)
    return path


@pytest.fixture(name='autoprof')
def write_autoprof(tmp_path):
    path = tmp_path / 'galaxy.prof'
    path.write_text(AUTOPROF, encoding='utf-8')
    return path


class TestRecognise:
    def test_tables(self, iraf, autoprof, sersic_profile, tmp_path):
        assert recognise_table(iraf) == 'iraf'
        assert recognise_table(autoprof) == 'autoprof'
        for name in ('p.ecsv', 'p.fits', 'p.vot'):
            write_profile(sersic_profile, tmp_path / name)
            assert recognise_table(tmp_path / name) == 'profile'

    def test_parquet(self, sersic_profile, tmp_path):
        pytest.importorskip('pyarrow')
        pytest.importorskip('pandas')
        write_profile(sersic_profile, tmp_path / 'p.parquet')
        assert recognise_table(tmp_path / 'p.parquet') == 'profile'

    def test_images(self, galaxy_ccd, sersic_profile, tmp_path):
        """
        An image may bring its profile as a further extension.
        """
        galaxy_ccd.write(tmp_path / 'a.fits')
        assert recognise_table(tmp_path / 'a.fits') is None
        with fits.open(tmp_path / 'a.fits') as hdus:
            table = Table({'radius': [1.0], 'intensity': [1.0],
                           'ellipticity': [0.1], 'pa': [0.0]})
            hdus.append(fits.BinTableHDU(table))
            hdus.writeto(tmp_path / 'b.fits.gz')
        assert recognise_table(tmp_path / 'b.fits.gz') is None
        (tmp_path / 'c.png').write_bytes(b'\x89PNG\xff\xfe')
        assert recognise_table(tmp_path / 'c.png') is None

    @pytest.mark.parametrize('header', [
        'radius,surface_brightness', 'radius surface_brightness',
        '"radius [arcsec]","surface_brightness [mag / arcsec2]"'])
    def test_published(self, tmp_path, header):
        path = tmp_path / 'paper.csv'
        path.write_text(f'{header}\n', encoding='utf-8')
        assert recognise_table(path) == 'published'

    def test_other_tables(self, tmp_path):
        path = tmp_path / 'rotation.prof'
        path.write_text('# arcsec, km s^-1\nR,V,V_e\n1.0,100.0,7.0\n',
                        encoding='utf-8')
        with pytest.raises(ValueError, match=r'neither an image nor a profile'
                                             '.* and has R, V, V_e'):
            recognise_table(path)


class TestIraf:
    def test_counts(self, iraf, recwarn):
        profile = read_iraf_table(iraf, pixel_scale=0.5, zeropoint=25.0)
        assert is_profile(profile)
        assert not recwarn.list
        np.testing.assert_allclose(profile['radius'].to_value(u.arcsec),
                                   [0, 1, 2])
        # 100 counts in a pixel of 0.25 square arcseconds
        sb = profile['surface_brightness'].to_value(u.mag / u.arcsec**2)
        np.testing.assert_allclose(sb[:2], 25 - 2.5 * np.log10([1600, 400]))
        assert np.isnan(sb[2]), 'negative'
        error = profile['surface_brightness_err'].value
        np.testing.assert_allclose(error, [np.nan, 0.0108574, np.nan],
                                   rtol=1e-5)
        np.testing.assert_allclose(profile['intensity'].value[1], 400)
        np.testing.assert_allclose(profile['ellipticity'],
                                   [np.nan, 0.2, 0.3], rtol=1e-6)
        np.testing.assert_allclose(profile['pa'].to_value(u.deg),
                                   [np.nan, 60, 179])
        assert profile.meta['pa_frame'] == 'pixel'
        assert profile.meta['fitter'] == 'IRAF ellipse'
        assert profile.meta['source'] == iraf.name

    def test_units(self, iraf):
        """
        A surface brightness does not depend on the pixel scale.
        """
        profile = read_iraf_table(iraf, pixel_scale=0.5, unit='MJy/sr')
        expected = (100 * u.MJy / u.sr * u.arcsec**2).to_value(u.ABmag)
        np.testing.assert_allclose(profile['surface_brightness'].value[1],
                                   expected, atol=1e-4)
        profile = read_iraf_table(iraf, pixel_scale=0.5, unit='nmgy')
        np.testing.assert_allclose(profile['surface_brightness'].value[1],
                                   22.5 - 2.5 * np.log10(400), atol=1e-4)
        assert profile.meta['mag_system'] == 'AB'

    @pytest.mark.parametrize(('options', 'match'), [
        ({'pixel_scale': 0, 'zeropoint': 25.0},
         'pixel_scale must be positive and finite, got 0'),
        ({'pixel_scale': 1.0}, 'no zero point: give zeropoint='),
        ({'pixel_scale': 1.0, 'unit': 'adu'}, 'or unit= if it is a flux')])
    def test_exceptions(self, iraf, options, match):
        with pytest.raises(ValueError, match=match):
            read_iraf_table(iraf, **options)

    def test_no_column(self, tmp_path):
        Table({'SMA': [1.0]}).write(tmp_path / 'a.fits')
        with pytest.raises(ValueError, match='is no table of IRAF: it has no '
                                             'column ELLIP, INTENS, PA'):
            read_iraf_table(tmp_path / 'a.fits', pixel_scale=1,
                            zeropoint=25.0)

    @pytest.mark.parametrize(('name', 'n_rings'), [
        ('ngc4608_irac1/el_n4608irac1ss.fits', 91),
        ('m51_photutils/M51_table.fits', 52)])
    def test_real(self, real_data, name, n_rings):
        path = real_data / name
        assert recognise_table(path) == 'iraf'
        profile = read_iraf_table(path, pixel_scale=0.6, zeropoint=25.0)
        assert len(profile) == n_rings
        # light and brightness have one zero point: that within the ring of
        # half the light is what the rings add up to
        light = 10**(-0.4 * profile['mag_enclosed'].value)
        radius = profile['radius'].value
        row = np.searchsorted(light, light[-1] / 2)
        ring = (np.pi * np.diff(radius**2)
                * (1 - profile['ellipticity'][1:].value)
                * (profile['intensity'].value[1:]
                   + profile['intensity'].value[:-1]) / 2)
        assert np.isclose(-2.5 * np.log10(ring[:row].sum()) + 25.0,
                          profile['mag_enclosed'].value[row], atol=0.15)
        good = np.isfinite(profile['surface_brightness'].value)
        assert good.all()
        assert np.all(np.diff(profile['radius'].value) > 0)


class TestAutoprof:
    def test_values(self, autoprof):
        profile = read_autoprof(autoprof)
        assert is_profile(profile)
        np.testing.assert_allclose(profile['surface_brightness'].value,
                                   [20, 22.5, np.nan])
        np.testing.assert_allclose(profile['surface_brightness_err'].value,
                                   [0.01, 0.02, np.nan])
        np.testing.assert_allclose(profile['intensity'].value,
                                   [10, 1, np.nan])
        np.testing.assert_allclose(profile['intensity_err'].value[1],
                                   0.02 / 1.0857362)
        np.testing.assert_allclose(profile['mag_enclosed_err'].value,
                                   [0.01, 0.01, np.nan])
        np.testing.assert_allclose(profile['ellipticity'], [0.2, 0.3, 0.3])
        np.testing.assert_allclose(profile['pa'].value, [105, 100, 70])
        assert profile.meta['pa_frame'] == 'pixel'
        np.testing.assert_allclose(profile['mag_enclosed'].value,
                                   [21, 20, np.nan])
        np.testing.assert_allclose(profile['n_valid'], [1, 0.75, 1])

    def test_exceptions(self, tmp_path):
        path = tmp_path / 'a.prof'
        path.write_text(AUTOPROF.replace('arcsec,mag', 'pix,mag', 1),
                        encoding='utf-8')
        with pytest.raises(ValueError, match='must be in arcsec and '
                                             r'mag\*arcsec.*got pix'):
            read_autoprof(path)
        path.write_text('R,SB,SB_e,ellip\n1.0,20.0,0.1,0.2\n',
                        encoding='utf-8')
        with pytest.raises(ValueError, match='no column pa'):
            read_autoprof(path)

    @pytest.mark.parametrize('band', ['g', 'r', 'z', 'w1'])
    def test_real(self, real_data, band):
        path = real_data / 'eso479_profiles' / f'ESO479-G001_{band}.prof'
        assert recognise_table(path) == 'autoprof'
        profile = read_autoprof(path)
        assert len(profile) > 50
        sb = profile['surface_brightness'].value
        assert np.nanmin(sb) > 16
        assert np.nanmax(sb) < 40
        with pytest.raises(ValueError, match=r'and has R, V'):
            recognise_table(path.with_name('ESO479-G001_rc.prof'))


class TestEllipses:
    def test_iraf(self, iraf):
        """
        Angles from +x, and the centre with the shape of the first ring.
        """
        found = read_foreign_ellipses(iraf)
        assert found['radius'].unit == u.pix
        np.testing.assert_allclose(found['radius'].value, [0, 2, 4])
        np.testing.assert_allclose(found['pa'].value, [60, 60, 179])
        np.testing.assert_allclose(found['ellipticity'], [0.2, 0.2, 0.3])
        np.testing.assert_allclose(found['ellipticity_err'][1:], [0.01, 0.02])
        assert 'x0' not in found.colnames
        data = fits.getdata(iraf)
        table = Table({name: data[name][::-1] for name in data.names})
        table['X0'], table['Y0'] = 11.5, 21.0
        table.write(iraf, overwrite=True)
        found = read_foreign_ellipses(iraf)
        np.testing.assert_allclose(found['radius'].value, [0, 2, 4])
        np.testing.assert_allclose(found['x0'], 10.5)
        np.testing.assert_allclose(found['y0'], 20)

    def test_autoprof(self, autoprof):
        found = read_foreign_ellipses(autoprof)
        assert found['radius'].unit == u.arcsec
        np.testing.assert_allclose(found['pa'].value, [105, 100, 70])
        assert found.meta == {'pa_frame': 'pixel'}

    def test_others(self, sersic_profile, tmp_path):
        write_profile(sersic_profile, tmp_path / 'a.fits')
        Table({'sma': [1.0], 'eps': [0.1]}).write(tmp_path / 'b.csv')
        for name in ('a.fits', 'b.csv', 'missing.fits'):
            assert read_foreign_ellipses(tmp_path / name) is None

    def test_iraf_as_text(self, iraf, tmp_path):
        Table(fits.getdata(iraf)).write(tmp_path / 'a.txt', format='ascii')
        with pytest.raises(ValueError, match='must be a FITS file'):
            read_foreign_ellipses(tmp_path / 'a.txt')
