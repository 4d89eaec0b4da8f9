# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the archives module: headers, files and flags as archives
document them.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.archives import (
    companion_files,
    mask_bits,
    unpack_pixels,
)
from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.header import header_values, matching_values
from astro_pix2prof.image.sections import cut_section
from astro_pix2prof.image.zeropoint import header_zeropoint

SHAPE = (30, 40)


@pytest.fixture(name='array')
def make_array():
    return np.random.default_rng(0).normal(5.0, 0.5, SHAPE)


def make_header(**cards):
    header = fits.Header()
    header['CTYPE1'], header['CTYPE2'] = 'RA---TAN', 'DEC--TAN'
    header['CRVAL1'], header['CRVAL2'] = 150.0, 2.0
    header['CRPIX1'], header['CRPIX2'] = 20.5, 15.5
    header['CD1_1'], header['CD2_2'] = -0.25 / 3600, 0.25 / 3600
    for key, value in cards.items():
        header[key] = value
    return header


def make_ps1(**cards):
    header = make_header(EXPTIME=900.0, **cards)
    header['HIERARCH FPA.ZP'] = 25.0
    header['HIERARCH FPA.TELESCOPE'] = 'PS1'
    return header


class TestZeroPoints:
    """
    Headers as documented; 22.5 + 2.5 log10 and the like by hand.
    """

    @pytest.mark.parametrize(('cards', 'unit', 'value', 'system'), [
        # Pan-STARRS1: one count per second; 25 + 2.5 log10(900)
        ({'FPA.ZP': 25.0, 'EXPTIME': 900.0}, '', 32.3856, 'AB'),
        ({'FPA.ZP': 25.0, 'EXPTIME': 900.0}, 'adu', 32.3856, 'AB'),
        ({'FPA.ZP': 25.0, 'EXPTIME': 900.0}, 'adu/s', 25.0, 'AB'),
        # DES: coadds are scaled to 30
        ({'MAGZERO': 30.0, 'EXPTIME': 900.0, 'GAIN': 200.0,
          'INSTRUME': 'DECam'}, '', 30.0, 'AB'),
        # ZTF: one DN of the exposure
        ({'MAGZP': 26.275, 'EXPTIME': 30.0, 'INSTRUME': 'ZTF/MOSAIC'}, 'DN',
         26.275, 'AB'),
        # 2MASS and WISE: Vega
        ({'MAGZP': 20.9044, 'ORIGIN': '2MASS'}, 'DN', 20.9044, 'Vega'),
        ({'MAGZP': 20.5, 'TELESCOP': 'WISE'}, 'DN', 20.5, 'Vega'),
        # MegaPipe, UNIONS
        ({'PHOTZP': 30.0, 'EXPTIME': 600.0}, 'adu', 30.0, 'AB'),
        # KiDS in the archive of ESO: pixels are maggies
        ({'PHOTZP': 0.0, 'PHOTSYS': 'AB', 'EXPTIME': 1800.0}, 'adu', 0.0,
         'AB'),
        # VISTA in the archive of ESO: mag = -2.5 log10(data) + PHOTZP
        ({'PHOTZP': 26.1, 'PHOTSYS': 'VEGA', 'MAGZPT': 23.6, 'EXPTIME': 10.0,
          'INSTRUME': 'VIRCAM'}, 'adu', 26.1, 'Vega'),
        # VISTA and UKIDSS from the pipeline of CASU: per second
        ({'MAGZPT': 23.6, 'EXPTIME': 10.0, 'INSTRUME': 'VIRCAM'}, 'adu',
         26.1, 'Vega'),
        ({'MAGZPT': 22.8, 'EXPTIME': 10.0, 'INSTRUME': 'WFCAM'}, 'ct',
         25.3, 'Vega'),
        ({'MAGZPT': 25.6, 'EXPTIME': 100.0, 'INSTRUME': 'WFC'}, 'adu',
         30.6, 'AB'),
        # VST ATLAS (data release 3): MAGZPT - EXTINCT * (airmass - 1)
        # + 2.5 log10 EXPTIME
        ({'MAGZPT': 24.8, 'EXPTIME': 50.0, 'INSTRUME': 'OMEGACAM',
          'EXTINCT': 0.1, 'ESO TEL AIRM START': 1.2,
          'ESO TEL AIRM END': 1.4}, 'adu', 29.0174, 'AB'),
        ({'MAGZPT': 23.6, 'EXPTIME': 10.0, 'INSTRUME': 'VIRCAM'}, 'adu/s',
         23.6, 'Vega'),
        # Euclid MER
        ({'MAGZERO': 23.9, 'EXPTIME': 2280.0, 'TELESCOP': 'EUCLID'}, '',
         23.9, 'AB'),
        # HSC and early LSST coadds: counts of magnitude 0
        ({'FLUXMAG0': 63095734448.0194, 'EXPTIME': 600.0}, '', 27.0, 'AB'),
        # Legacy Surveys
        ({'MAGZERO': 22.5}, '', 22.5, 'AB'),
        # HST: PHOTFLAM is of one electron per second
        ({'PHOTFLAM': 3.0386574e-20, 'PHOTPLAM': 10551.0}, 'electron/s',
         26.269, 'AB'),
        ({'PHOTFLAM': 3.0386574e-20, 'PHOTPLAM': '10551.0 Angstrom'},
         'electron/s', 26.269, 'AB'),
        ({'PHOTFLAM': 3.0386574e-20, 'PHOTPLAM': 10551.0, 'EXPTIME': 100.0},
         'electron', 31.269, 'AB'),
        # JWST count rates; 20.4721 - 2.5 log10(2.0)
        ({'PHOTMJSR': 2.0, 'PIXAR_SR': 2.1e-14, 'EFFEXPTM': 1000.0}, 'DN/s',
         19.7196, 'AB')])
    def test_keywords(self, cards, unit, value, system):
        zero = header_zeropoint(header_values(cards), u.Unit(unit))
        assert zero.value == pytest.approx(value, abs=1e-3)
        assert zero.system == system

    @pytest.mark.parametrize('cards', [
        {'FPA.ZP': 25.0}, {'FPA.ZP': 25.0, 'EXPTIME': 0.0},
        {'MAGZPT': 23.6, 'INSTRUME': 'VIRCAM'}, {'PHOTZP': 0.0}])
    def test_not_enough(self, cards):
        assert header_zeropoint(header_values(cards), u.adu) is None

    def test_error_tells(self, array):
        header = make_ps1()
        del header['EXPTIME']
        with pytest.raises(ValueError, match=r'FPA\.ZP .* needs an exposure'):
            GalaxyCutout(fits.PrimaryHDU(array, header))

    @pytest.mark.parametrize(('text', 'value'), [
        ('nanomaggy', 22.5), ('nanomaggies', 22.5), ('NMGY', 22.5),
        ('nJy', 31.4), ('uJy', 23.9), ('MJy/sr', None), ('10.0*nanoJansky',
                                                         28.9),
        ('microJy', 23.9), ('mJy/pixel', 16.4)])
    def test_bunit_of_surveys(self, text, value, array):
        header = make_header(BUNIT=text, EXPTIME=900.0, PIXAR_SR=2.1e-14)
        cutout = GalaxyCutout(fits.PrimaryHDU(array, header))
        if value is None:
            # 20.4721 + 2.5 log10(1 / 0.25**2)
            assert cutout.zeropoint == pytest.approx(23.482, abs=2e-3)
            assert cutout.sb_zeropoint == pytest.approx(20.472, abs=1e-3)
        else:
            assert cutout.zeropoint == pytest.approx(value, abs=1e-3)

    @pytest.mark.parametrize(('text', 'unit'), [
        ('ELECTRONS/S', 'electron/s'), ('cps', 'ct/s'), ('CPS', 'ct/s'),
        ('DN/s', 'DN/s'), ('counts/sec', 'ct/s'), ('e-/sec', 'electron/s'),
        ('ADU', 'adu'), ('ELECTRONS', 'electron')])
    def test_bunit_of_counts(self, text, unit, array):
        header = make_header(BUNIT=text, MAGZP=25.0)
        cutout = GalaxyCutout(fits.PrimaryHDU(array, header))
        assert cutout.unit == u.Unit(unit)

    @pytest.mark.parametrize(('bunit', 'drizzled', 'unit'), [
        (None, 'cps', 'ct/s'), (None, 'counts', 'ct'),
        ('ELECTRONS/S', 'cps', 'electron/s'),
        ('ELECTRONS', 'counts', 'electron')])
    def test_unit_of_drizzle(self, bunit, drizzled, unit, array):
        """
        PHOTFLAM is per second: the exposure time counts for counts only.
        """
        header = make_header(EXPTIME=100.0, PHOTFLAM=1e-19, PHOTPLAM=8000.0,
                             D001OUUN=drizzled)
        if bunit is not None:
            header['BUNIT'] = bunit
        cutout = GalaxyCutout(fits.PrimaryHDU(array, header))
        assert cutout.unit == u.Unit(unit)
        zero = -2.5 * np.log10(1e-19 * 8000**2 / 2.99792458e18) - 48.6
        if 's' not in unit:
            zero += 5
        assert cutout.zeropoint == pytest.approx(zero, abs=2e-3)

    @pytest.mark.parametrize(('bunit', 'drizzled', 'unit'), [
        ('ELECTRONS', 'cps', 'electron/s'), ('COUNTS/S', 'counts', 'ct')])
    def test_stale_unit_of_drizzle(self, bunit, drizzled, unit, array):
        header = make_header(EXPTIME=100.0, MAGZP=30.0, BUNIT=bunit,
                             D001OUUN=drizzled, D002OUUN=drizzled)
        with pytest.warns(AstropyUserWarning,
                          match=f"D001OUUN='{drizzled}', the output of dri"):
            cutout = GalaxyCutout(fits.PrimaryHDU(array, header))
        assert cutout.unit == u.Unit(unit)

    @pytest.mark.parametrize('notes', [
        {'D001OUUN': 'cps', 'D002OUUN': 'counts'}, {'D001OUUN': 'odd'}])
    def test_notes_of_drizzle_that_say_nothing(self, notes, array):
        header = make_header(MAGZP=25.0, BUNIT='ELECTRONS', **notes)
        assert GalaxyCutout(fits.PrimaryHDU(array, header)).unit == u.electron

    def test_only_notes_are_read(self):
        class Header(dict):
            def __getitem__(self, key):
                assert key.startswith('D00')
                return super().__getitem__(key)

        header = header_values(Header(
            D001OUUN='cps', OBJECT='x', D002OUUN='counts'))
        assert matching_values(header, r'D\d{3}OUUN') == ['cps', 'counts']
        assert matching_values({'A1': 1, 'B': 2}, r'A\d') == [1]

    def test_absent_and_unreadable_values(self):
        header = header_values({'A1': 1, 'A2': [3]}, {'A1': None})
        assert header.get('A1') == 1
        assert header.get('A2') is None
        assert header.get('A2', 5) == header.get('A3', 5) == 5

    def test_flux_is_no_unit_of_drizzle(self, array):
        header = make_header(BUNIT='uJy', D001OUUN='cps')
        assert GalaxyCutout(fits.PrimaryHDU(array, header)).unit == u.uJy


class TestPacked:
    def pack(self, flux, softening, offset):
        # documented as value = 2.5 log10(e) asinh(flux / (2 b))
        return 1.0857362 * np.arcsinh((flux - offset) / (2 * softening))

    def test_values(self, array):
        flux = 1000 * array
        flux[3, 4] = np.nan
        header = make_ps1(BSOFTEN=3.2, BOFFSET=1.5)
        hdu = fits.PrimaryHDU(self.pack(flux, 3.2, 1.5), header)
        ccd = CCDData(hdu.data, unit=u.adu, meta=header)
        for image in (hdu, fits.HDUList([hdu]), ccd):
            cutout = GalaxyCutout(image, pixel_scale=0.25)
            np.testing.assert_allclose(cutout.data[~cutout.mask],
                                       flux[~cutout.mask], rtol=1e-4)
            np.testing.assert_array_equal(cutout.mask, np.isnan(flux))
            assert cutout.zeropoint == pytest.approx(32.3856, abs=1e-3)

    def test_other_form(self):
        # also documented: 10**(0.4 v) - 10**(-0.4 v)
        value = np.array([[-3.0, 0.0, 0.2, 9.0]])
        flux = unpack_pixels(value, {'BSOFTEN': 2.0, 'BOFFSET': 0.5})
        np.testing.assert_allclose(
            flux, 0.5 + 2.0 * (10**(0.4 * value) - 10**(-0.4 * value)))

    @pytest.mark.parametrize('header', [
        {}, {'BSOFTEN': 2.0}, {'BOFFSET': 2.0}, {'BSOFTEN': 'x',
                                                 'BOFFSET': 1.0},
        {'BSOFTEN': 0.0, 'BOFFSET': 1.0}])
    def test_not_packed(self, header, array):
        assert unpack_pixels(array, header) is array

    def test_unpacked_before(self, array):
        header = make_ps1(BSOFTEN=3.2, BOFFSET=1.5)
        match = 'the header has BSOFTEN and BOFFSET, but the pixels are up'
        with pytest.warns(AstropyUserWarning, match=match):
            cutout = GalaxyCutout(fits.PrimaryHDU(100 * array, header))
        np.testing.assert_allclose(cutout.data, 100 * array, rtol=1e-6)

    def test_section(self, array, tmp_path):
        header = make_ps1(BSOFTEN=3.2, BOFFSET=1.5)
        path = tmp_path / 'a.fits'
        fits.PrimaryHDU(self.pack(array, 3.2, 1.5), header).writeto(path)
        with open_fits(path) as hdulist:
            part, (x, y), _ = cut_section(hdulist, '150.0 2.0', 8)
        cutout = GalaxyCutout(part, position=(x, y), size=8)
        np.testing.assert_allclose(
            cutout.data, array[11:19, 16:24], rtol=1e-4)


def write(path, data, **cards):
    fits.PrimaryHDU(data, make_header(**cards)).writeto(path)


FLAGS = np.zeros(SHAPE, dtype='i4')
for _bit in range(20):
    FLAGS[3, 5 + _bit] = 1 << _bit


def rejected(cutout):
    return {int(bit) for bit in np.flatnonzero(cutout.mask[3, 5:25])}


class TestFiles:
    @pytest.mark.parametrize('suffix', ['.fits', '.fits.gz'])
    def test_ps1(self, suffix, array, tmp_path):
        stem = 'rings.v3.skycell.1405.053.stk.r.unconv'
        path = tmp_path / f'{stem}{suffix}'
        fits.PrimaryHDU(array, make_ps1()).writeto(path)
        assert GalaxyCutout(path).noise is None
        write(tmp_path / f'{stem}.mask{suffix}', FLAGS)
        write(tmp_path / f'{stem}.wt{suffix}', np.full(SHAPE, 0.25))
        cutout = GalaxyCutout(path)
        np.testing.assert_allclose(cutout.noise, 0.5)
        assert rejected(cutout) == {0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 13}
        assert rejected(GalaxyCutout(path, bad_bits=2)) == {1}
        # what is given comes first
        np.testing.assert_allclose(GalaxyCutout(path, noise=2.0).noise, 2.0)

    def test_ps1_packed_variance(self, array, tmp_path):
        stem = tmp_path / 'rings.v3.skycell.1405.053.wrp.i.55000_4'
        fits.PrimaryHDU(array, make_ps1()).writeto(f'{stem}.fits')
        packed = TestPacked().pack(np.full(SHAPE, 0.25), 0.1, 0.0)
        write(f'{stem}.wt.fits', packed, BSOFTEN=0.1, BOFFSET=0.0)
        np.testing.assert_allclose(GalaxyCutout(f'{stem}.fits').noise, 0.5,
                                   rtol=1e-6)

    @pytest.mark.parametrize(('band', 'bits'), [
        ('r', {3, 6}), ('z', {4, 7}), ('i', {14, 15})])
    def test_legacy(self, band, bits, array, tmp_path):
        stem = tmp_path / 'legacysurvey-1861p137'
        path = f'{stem}-image-{band}.fits'
        write(path, array, BUNIT='nanomaggy')
        invvar = np.full(SHAPE, 4.0)
        invvar[20, 20] = 0.0
        write(f'{stem}-invvar-{band}.fits', invvar, BUNIT='1/nanomaggy^2')
        write(f'{stem}-maskbits.fits', FLAGS)
        write(f'{stem}-invvar-g.fits', np.full(SHAPE, 1.0))
        cutout = GalaxyCutout(path)
        np.testing.assert_allclose(cutout.noise, 0.5)
        assert cutout.mask[20, 20]
        assert rejected(cutout) == bits
        with open_fits(path) as hdulist:
            part, position, (x0, y0) = cut_section(hdulist, (15, 12), 20)
        section = GalaxyCutout(part, position=position)
        np.testing.assert_array_equal(
            section.mask, cutout.mask[y0:y0 + section.shape[0],
                                      x0:x0 + section.shape[1]])
        np.testing.assert_allclose(section.noise, 0.5)

    def test_kids(self, array, tmp_path):
        stem = tmp_path / 'KiDS_DR4.0_180.0_-0.5_r'
        write(f'{stem}_sci.fits', array, PHOTZP=0.0, PHOTSYS='AB')
        weight = np.full(SHAPE, 7.0)
        weight[10:12] = 0.0
        write(f'{stem}_wei.fits', weight)
        write(f'{stem}_msk.fits', FLAGS)
        cutout = GalaxyCutout(f'{stem}_sci.fits')
        assert cutout.zeropoint == pytest.approx(0.0)
        assert cutout.noise is None
        assert rejected(cutout) == {0, 1, 2, 6}
        assert cutout.mask[10:12].all()
        assert np.count_nonzero(cutout.mask) == 84

    def test_euclid(self, array, tmp_path):
        names = ['BGSUB-MOSAIC-NIR-H_TILE101158277-1.fits',
                 'MOSAIC-NIR-H-RMS_TILE101158277-2.fits',
                 'MOSAIC-NIR-H-FLAG_TILE101158277-3.fits',
                 'MOSAIC-NIR-H-RMS_TILE101158278-4.fits']
        image, rms, flag, other = (tmp_path / f'EUC_MER_{n}' for n in names)
        write(image, array, MAGZERO=23.9)
        write(rms, np.full(SHAPE, 0.5))
        write(other, np.full(SHAPE, 5.0))
        write(flag, FLAGS)
        cutout = GalaxyCutout(image)
        np.testing.assert_allclose(cutout.noise, 0.5)
        assert rejected(cutout) == {0}
        write(rms.with_name(rms.name.replace('-2', '-5')),
              np.full(SHAPE, 0.7))
        with pytest.warns(AstropyUserWarning, match='has 2 files beside it'):
            assert GalaxyCutout(image).noise is None

    def test_unions(self, array, tmp_path):
        write(tmp_path / 'CFIS.187.270.r.fits', array, PHOTZP=30.0)
        weight = np.ones(SHAPE)
        weight[:, 30:] = 0.0
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(weight)]).writeto(
            tmp_path / 'CFIS.187.270.r.weight.fits.fz')
        cutout = GalaxyCutout(tmp_path / 'CFIS.187.270.r.fits')
        np.testing.assert_array_equal(cutout.mask, weight == 0)

    @pytest.mark.parametrize(('image', 'weight'), [
        ('hst_acs_f814w_drz_sci', 'hst_acs_f814w_drz_wht'),
        ('hlsp_candels_hst_f160w_v1.0_drz', 'hlsp_candels_hst_f160w_v1.0_wht'),
        ('m_f277w_drc_sci', 'm_f277w_drc_wht')])
    def test_drizzled(self, image, weight, array, tmp_path):
        write(tmp_path / f'{image}.fits', array, PHOTFLAM=1e-19,
              PHOTPLAM=8000.0, BUNIT='ELECTRONS/S')
        values = np.ones(SHAPE)
        values[5:8, :10] = 0.0
        write(tmp_path / f'{weight}.fits', values)
        cutout = GalaxyCutout(tmp_path / f'{image}.fits')
        np.testing.assert_array_equal(cutout.mask, values == 0)
        assert cutout.noise is None

    def test_noise_map_of_any_image(self, array, tmp_path):
        write(tmp_path / 'galaxy_f105w.fits.gz', array, MAGZP=25.0)
        write(tmp_path / 'galaxy_f105w_rms.fits.gz', np.full(SHAPE, 0.25))
        cutout = GalaxyCutout(tmp_path / 'galaxy_f105w.fits.gz')
        np.testing.assert_allclose(cutout.noise, 0.25)

    def test_folder_is_not_listed(self, array, tmp_path, monkeypatch):
        """
        The folder of a survey has a hundred thousand files.
        """
        write(tmp_path / 'a.fits', array, MAGZP=25.0)
        write(tmp_path / 'a_rms.fits.gz', np.full(SHAPE, 0.25))
        for name in ('scandir', 'listdir'):
            monkeypatch.setattr(f'os.{name}', None)
        found = companion_files(tmp_path / 'a.fits')
        assert [item.path.name for item in found] == ['a_rms.fits.gz']
        assert companion_files(tmp_path / 'b.fits') == []

    def test_other_shape(self, array, tmp_path):
        write(tmp_path / 'a_sci.fits', array, MAGZP=25.0)
        write(tmp_path / 'a_wht.fits', np.ones((5, 5)))
        match = r'a_wht\.fits has no image of the shape \(30, 40\) and is not'
        with pytest.warns(AstropyUserWarning, match=match):
            GalaxyCutout(tmp_path / 'a_sci.fits')

    @pytest.mark.parametrize('name', [
        'galaxy.fits', 'a.txt', 'rings.v3.skycell.1.2.stk.r.fits',
        'legacysurvey-1861p137-image-r.fits', '[a]_sci.fits'])
    def test_nothing_beside(self, name, tmp_path):
        assert companion_files(tmp_path / name) == []

    def test_odd_names(self, array, tmp_path):
        # no pattern of the shell in names of folders and files
        folder = tmp_path / '[x]*'
        folder.mkdir()
        write(folder / '[a]_sci.fits', array, MAGZP=25.0)
        write(folder / '[a]_wht.fits', np.ones(SHAPE))
        write(folder / 'a_wht.fits', np.ones(SHAPE))
        found = companion_files(folder / '[a]_sci.fits')
        assert [item.path.name for item in found] == ['[a]_wht.fits']


class TestExtensions:
    def images(self, array, *others, **cards):
        return fits.HDUList([
            fits.PrimaryHDU(),
            fits.ImageHDU(array, make_header(**cards), name='SCI'), *others])

    def test_muse(self, array):
        cutout = GalaxyCutout(fits.HDUList([
            fits.PrimaryHDU(),
            fits.ImageHDU(array, make_header(MAGZP=25.0), name='DATA'),
            fits.ImageHDU(np.full(SHAPE, 4.0), name='STAT')]))
        np.testing.assert_allclose(cutout.noise, 2.0)

    def test_des(self, array):
        weight = np.full(SHAPE, 4.0)
        weight[20, 20] = 0.0
        cutout = GalaxyCutout(self.images(
            array, fits.ImageHDU(FLAGS, name='MSK'),
            fits.ImageHDU(weight, name='WGT'), MAGZERO=30.0))
        np.testing.assert_allclose(cutout.noise, 0.5)
        assert cutout.mask[20, 20]
        assert rejected(cutout) == {0, 1, 2, 3, 4, 6, 7, 9, 10}

    @pytest.mark.parametrize('name', ['WHT', 'WEIGHT', 'EXP', 'COVERAGE'])
    def test_weight(self, name, array):
        weight = np.full(SHAPE, 900.0)
        weight[:4], weight[6, 7], weight[8, 9] = 0.0, np.nan, -1.0
        context = fits.ImageHDU(np.zeros(SHAPE, 'i4'), name='CTX')
        images = self.images(array, fits.ImageHDU(weight, name=name),
                             context, MAGZP=25.0)
        cutout = GalaxyCutout(images)
        np.testing.assert_array_equal(cutout.mask, ~(weight > 0))
        assert cutout.noise is None

    def test_no_weight_at_all(self, array):
        images = self.images(array, fits.ImageHDU(np.zeros(SHAPE), name='WHT'),
                             MAGZP=25.0)
        with pytest.warns(AstropyUserWarning, match='WHT is nowhere positive'):
            assert not GalaxyCutout(images).mask.any()

    def test_jwst(self, array):
        error = np.full(SHAPE, 0.5)
        images = self.images(
            array, fits.ImageHDU(error, name='ERR'),
            fits.ImageHDU(FLAGS.astype('u4'), name='DQ'), BUNIT='MJy/sr',
            PHOTMJSR=2.0, PIXAR_SR=2.1e-14)
        images[0].header['TELESCOP'] = 'JWST'
        cutout = GalaxyCutout(images)
        np.testing.assert_allclose(cutout.noise, 0.5)
        assert rejected(cutout) == {0}
        assert cutout.sb_zeropoint == pytest.approx(20.472, abs=1e-3)

    @pytest.mark.parametrize('name', ['FLG', 'FLAG'])
    def test_euclid_flags(self, name, array):
        images = self.images(array, fits.ImageHDU(FLAGS.astype('u4'),
                                                  name=name), BUNIT='nmgy')
        images[0].header['TELESCOP'] = 'EUCLID'
        assert rejected(GalaxyCutout(images)) == {0}

    def test_lsst(self, array):
        mask = fits.ImageHDU(FLAGS, name='MASK')
        mask.header['MP_BAD'], mask.header['MP_SAT'] = 0, 1
        mask.header['HIERARCH MP_DETECTED'] = 5
        mask.header['HIERARCH MP_NO_DATA'] = 8
        mask.header['MP_CR'] = 400
        variance = fits.ImageHDU(np.full(SHAPE, 0.25), name='VARIANCE')
        variance.header['BUNIT'] = 'nJy2'
        cutout = GalaxyCutout(self.images(array, mask, variance, BUNIT='nJy'))
        np.testing.assert_allclose(cutout.noise, 0.5)
        assert rejected(cutout) == {0, 1, 8}

    def test_maskbits(self):
        header = fits.Header()
        assert mask_bits(header, {}, name='MASKBITS', band='g') == 36
        assert mask_bits(header, {}, name='MASKBITS', band='W1') == (
            0b1100000011111100)
        assert mask_bits(header, {}, name='MSK') is None
        assert mask_bits(header, {'TELESCOP': 3}) is None


class TestBits:
    @pytest.mark.parametrize(('name', 'other', 'good'), [
        # SUSPECT, STARCORE, CONV.POOR and MARK of Pan-STARRS1
        ('rings.v3.skycell.1.stk.r.unconv.fits',
         'rings.v3.skycell.1.stk.r.unconv.mask.fits', (7, 12, 14, 15)),
        # all but spikes, saturated cores and bad pixels of KiDS
        ('KiDS_DR4.0_1_r_sci.fits', 'KiDS_DR4.0_1_r_msk.fits',
         (3, 4, 5, *range(7, 16)))])
    def test_masks(self, tmp_path, name, other, good):
        for file in (name, other):
            (tmp_path / file).touch()
        found, = companion_files(tmp_path / name)
        assert (found.role, found.path.name) == ('mask', other)
        assert [k for k in range(16) if not found.bits & 1 << k] == [*good]

    @pytest.mark.parametrize(('image', 'mask', 'weight'), [
        ('c4d_140118_041242_ooi_r_v1.fits.fz',
         'c4d_140118_041242_ood_r_v1.fits.fz',
         'c4d_140118_041242_oow_r_v1.fits.fz'),
        ('ksb_160211_082719_osi_g_v1.fits', 'ksb_160211_082719_osd_g_v1.fits',
         'ksb_160211_082719_osw_g_v1.fits')])
    def test_noirlab(self, tmp_path, image, mask, weight):
        for name in (image, mask, weight):
            (tmp_path / name).touch()
        found = companion_files(tmp_path / image)
        assert [(item.role, item.path.name, item.bits) for item in found] == [
            ('mask', mask, None), ('weight', weight, None)]
        assert companion_files(tmp_path / mask) == []

    def test_megapipe(self, tmp_path):
        for end in ('', '.weight'):
            (tmp_path / f'MegaPipe.234.256.R.MP9601{end}.fits').touch()
        found, = companion_files(
            tmp_path / 'MegaPipe.234.256.R.MP9601.fits')
        assert found.role == 'weight'

    def test_powers(self, tmp_path):
        # the errors of Pan-STARRS1 are variances
        name = 'rings.v3.skycell.1.stk.r.unconv'
        for end in ('', '.wt'):
            (tmp_path / f'{name}{end}.fits').touch()
        found, = companion_files(tmp_path / f'{name}.fits')
        assert (found.role, found.power, found.bits) == ('error', 2, None)
        for end in ('sci', 'wei'):
            (tmp_path / f'KiDS_1_{end}.fits').touch()
        found, = companion_files(tmp_path / 'KiDS_1_sci.fits')
        assert (found.role, found.power, found.bits) == ('weight', 1, None)

    def test_packed_in_two_ways(self, tmp_path):
        # the file that has the ending of the image
        for end in ('.fits', '_rms.fits', '_rms.fits.gz'):
            (tmp_path / f'a{end}').touch()
        found, = companion_files(tmp_path / 'a.fits')
        assert found.path.name == 'a_rms.fits'
        assert found.power == 1
        # or none if there is no such file
        (tmp_path / 'a_rms.fits').unlink()
        (tmp_path / 'a_rms.fits.fz').touch()
        with pytest.warns(AstropyUserWarning, match='has 2 files beside it'):
            assert companion_files(tmp_path / 'a.fits') == []
