# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of masks, errors and sky from files.
"""

from pathlib import Path
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance, VarianceUncertainty

from astro_pix2prof import read_profile
from astro_pix2prof.cli.main import main
from astro_pix2prof.cli.planes import read_planes

SHAPE = (4, 5)


def planes(image='galaxy.fits', **options):
    """
    The planes that options name, for an image.
    """
    args = SimpleNamespace(**{'mask': None, 'uncertainty': None,
                              'invvar': None, 'background': None, **options})
    return read_planes(args, Path(image))


@pytest.fixture(name='folder')
def write_planes(tmp_path, monkeypatch):
    """
    A folder with files of one and of several extensions.
    """
    monkeypatch.chdir(tmp_path)
    image = np.ones(SHAPE)
    fits.writeto('one.fits', image.astype('i2'))
    sigma = fits.ImageHDU(2 * image, name='SIG')
    sigma.header['BUNIT'] = 'nanomaggy'
    variance = fits.ImageHDU(4 * image, name='VAR')
    variance.header['BUNIT'] = 'nanomaggy'
    inverse = fits.ImageHDU(image / 4, name='IVAR')
    inverse.header['BUNIT'] = 'Jy-2'
    fits.HDUList([
        fits.PrimaryHDU(image), fits.ImageHDU(5 * image.astype('i2'),
                                              name='MASK'),
        sigma, variance, inverse, fits.BinTableHDU(name='TABLE'),
    ]).writeto('many.fits')
    fits.writeto('two[1].fits', 7 * image.astype('i2'))
    return tmp_path


class TestReadPlanes:
    def test_nothing(self):
        assert planes() == {}

    @pytest.mark.parametrize(('text', 'value'), [
        ('one.fits', 1), ('many.fits[MASK]', 5), ('many.fits[1]', 5),
        ('many.fits[mask, 1]', 5), ('many.fits', 5), ('two[1].fits', 7)])
    def test_extensions(self, folder, text, value):
        mask = planes(mask=text)['mask']
        np.testing.assert_array_equal(mask, np.full(SHAPE, value))

    def test_kinds(self, folder):
        found = planes(uncertainty='many.fits[SIG]', invvar='many.fits',
                       background='one.fits')
        assert found['uncertainty'].unit == u.nmgy
        assert np.all(found['uncertainty'].value == 2)
        assert found['invvar'].unit == u.Jy**-2
        assert np.all(found['background'] == 1)

    def test_variances(self, folder):
        """
        Extensions that say what they hold are taken for it.
        """
        found = planes(uncertainty='many.fits[VAR]')['uncertainty']
        assert isinstance(found, VarianceUncertainty)
        # (the unit of the image, repeated for the variance)
        assert found.unit is None
        assert np.all(found.array == 4)
        found = planes(uncertainty='many.fits[IVAR]')['uncertainty']
        assert isinstance(found, InverseVariance)
        assert found.unit == u.Jy**-2
        found = planes(invvar='many.fits[SIG]')['invvar']
        assert not hasattr(found, 'unit')

    def test_template(self, folder):
        fits.writeto('galaxy_mask.fits', np.full(SHAPE, 9))
        for image in ('galaxy.fits', 'x/galaxy.fits.gz'):
            mask = planes(image, mask='{name}_mask.fits')['mask']
            assert np.all(mask == 9)

    @pytest.mark.parametrize(('text', 'match'), [
        ('none.fits', '--mask: no such file: none.fits'),
        ('none.fits[1]', '--mask: no such file: none.fits'),
        ('{name}_x.fits', '--mask: no such file: galaxy_x.fits'),
        ('.', 'is a folder'), ('/dev/null', 'is not a regular file')])
    def test_no_file(self, folder, text, match):
        with pytest.raises(OSError, match=match):
            planes(mask=text)

    def test_no_fits(self, folder):
        (folder / 'text').write_text('no image', encoding='utf-8')
        with pytest.raises(OSError, match='--invvar: text is not a readable'):
            planes(invvar='text')

    @pytest.mark.parametrize(('text', 'match'), [
        ('many.fits[9]', 'many.fits has no extension 9; it holds: 0 PRIMARY'),
        ('many.fits[X]', "no extension 'X'"),
        ('many.fits[TABLE]', "extension 'TABLE' holds no image"),
        ('many.fits', r'holds several images .* such as many.fits\[4\]'),
        ('table.fits', 'table.fits holds no image')])
    def test_no_extension(self, folder, text, match):
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU()]).writeto(
            'table.fits')
        with pytest.raises(ValueError, match=f'--background: .*{match}'):
            planes(background=text)


class TestFit:
    @pytest.fixture(name='image')
    def write_image(self, galaxy_ccd, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        galaxy_ccd.uncertainty = None
        galaxy_ccd.write('galaxy.fits')
        return 'galaxy.fits'

    def fit(self, *options):
        assert main(['fit', 'galaxy.fits', '--overwrite', '--quiet',
                     *options]) == 0
        return read_profile('galaxy_profile.ecsv')

    def test_mask(self, image, galaxy_ccd):
        """
        A star spoils the profile, and its mask repairs it; bits choose.
        """
        shape = galaxy_ccd.shape
        yy, xx = np.indices(shape)
        outer = np.hypot(xx - 62.3, yy - 65.8) > 30
        mask = np.where(outer & (xx > 62), 4, 0).astype('u1')
        fits.writeto('mask.fits', mask)
        plain = self.fit()
        same = self.fit('--mask', 'mask.fits', '--bad-bits', '3')
        np.testing.assert_array_equal(plain['n_valid'], same['n_valid'])
        masked = self.fit('--mask', 'mask.fits')
        far = np.argmin(np.abs(masked['radius'].value - 45 * 0.396))
        assert plain['n_valid'][far] > 0.9
        assert masked['n_valid'][far] < 0.7

    def test_uncertainty(self, image, galaxy_ccd):
        """
        Ten times the noise ends the profile further in.
        """
        for factor in (1, 10):
            fits.writeto(f'sigma_{factor}.fits',
                         np.full(galaxy_ccd.shape, 0.01 * factor))
            fits.writeto(f'invvar_{factor}.fits',
                         np.full(galaxy_ccd.shape, 1e4 / factor**2))
        small, large = (self.fit('--uncertainty', f'sigma_{factor}.fits')
                        for factor in (1, 10))
        inverse = self.fit('--invvar', 'invvar_10.fits')
        assert large['radius'][-1] < 0.9 * small['radius'][-1]
        np.testing.assert_allclose(inverse['intensity_err'].value,
                                   large['intensity_err'].value, rtol=1e-4)

    def test_background(self, image, galaxy_ccd):
        level = np.full(galaxy_ccd.shape, 0.05)
        fits.writeto('sky.fits', level)
        with fits.open(image, mode='update') as hdus:
            hdus[0].data += level.astype('f4')
        sky = ('--sky', '0', '--method', 'isophote')
        spoilt, good = self.fit(*sky), self.fit(*sky, '--background',
                                                'sky.fits')
        at = np.argmin(np.abs(good['radius'].value - 25 * 0.396))
        difference = spoilt['intensity'][at] - good['intensity'][at]
        assert difference.value == pytest.approx(0.05 / 0.396**2, rel=0.05)

    def test_shared_file_is_missing(self, image, capsys):
        with pytest.raises(SystemExit) as info:
            main(['fit', image, '--mask', 'none.fits'])
        assert info.value.code == 2
        assert ('argument --mask: no such file: none.fits'
                in capsys.readouterr().err)

    def test_one_of_the_files_is_missing(self, image, galaxy_ccd, capsys):
        galaxy_ccd.write('other.fits')
        fits.writeto('galaxy_m.fits', np.zeros(galaxy_ccd.shape, dtype='u1'))
        assert main(['fit', image, 'other.fits', '--mask',
                     '{name}_m.fits']) == 1
        text = capsys.readouterr()
        assert ('pix2prof: error: other.fits: --mask: no such file: '
                'other_m.fits' in text.err)
        assert '1 of 2 images measured' in text.out

    def test_both_errors(self, image, capsys):
        with pytest.raises(SystemExit):
            main(['fit', image, '--uncertainty', 'a', '--invvar', 'b'])
        assert 'not allowed with argument' in capsys.readouterr().err
