# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of surveys whose images have masks and errors in files of their own.
"""

import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import (
    ProfileBatch,
    load_example_truth,
    measure_structure,
    run_survey,
)
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.survey import read_survey
from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.companions import CompanionFiles
from astro_pix2prof.survey.images import SurveyImages

pytest.importorskip('pyarrow')

N, SHAPE = 4, (40, 50)


class Recorder:
    """
    A fitter that keeps the options of each image.
    """

    def __init__(self):
        self.seen = []

    def __call__(self, image, **options):
        raise NotImplementedError

    def fit_many(self, images, *, workers=0, **options):
        for _, own in images:
            self.seen.append({**options, **own})
            yield ProfileBatch.from_profiles([load_example_truth()])


@pytest.fixture(name='folder')
def make_folder(tmp_path, monkeypatch):
    """
    Images and their masks, whose values are the numbers of the galaxies.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'images').mkdir()
    (tmp_path / 'extra').mkdir()
    for k in range(N):
        fits.writeto(f'images/g{k}.fits', np.zeros(SHAPE, 'f4'))
        mask = np.full(SHAPE, k + 1, 'i2')
        mask[7, 9] = 100
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(mask),
                      fits.ImageHDU(2 * mask, name='OTHER')]).writeto(
            f'extra/{k:02d}_mask.fits')
        fits.writeto(f'extra/g{k}_sig.fits', np.full(SHAPE, 0.5 + k))
    Table({'id': np.arange(N), 'path': [f'images/g{k}.fits'
                                        for k in range(N)],
           'm': [f'extra/{k:02d}_mask.fits[OTHER]' for k in range(N)],
           'x': np.full(N, 20.0), 'y': np.full(N, 18.0)}).write('cat.csv')
    return tmp_path


def run(folder, out='out', fitter=None, **options):
    return run_survey(folder / 'cat.csv', folder / out, n_workers=1,
                      fitter=fitter or Recorder(), **options)


class TestFiles:
    def test_templates(self, folder):
        fitter = Recorder()
        run(folder, fitter=fitter, masks='extra/{id:02d}_mask.fits[1]',
            uncertainties='extra/{name}_sig.fits', bad_bits=3)
        assert [own['mask'][0, 0] for own in fitter.seen] == [1, 2, 3, 4]
        assert [own['uncertainty'][0, 0] for own in fitter.seen] == [
            0.5, 1.5, 2.5, 3.5]
        assert all(own['bad_bits'] == 3 for own in fitter.seen)
        assert fitter.seen[0]['mask'].shape == SHAPE

    def test_column(self, folder):
        fitter = Recorder()
        run(folder, fitter=fitter, masks='m')
        assert [own['mask'][0, 0] for own in fitter.seen] == [2, 4, 6, 8]

    def test_one_file(self, folder):
        fitter = Recorder()
        run(folder, fitter=fitter, backgrounds='extra/g1_sig.fits')
        assert [own['background'][0, 0] for own in fitter.seen] == N * [1.5]

    def test_sections(self, folder):
        """
        Only the pixels around the galaxy are read, of the mask too.
        """
        source = SurveyImages(
            'path', open_catalogue(folder / 'cat.csv'), x='x', y='y', size=8,
            companions={'masks': 'extra/{id:02d}_mask.fits[1]'})
        rows, = open_catalogue(folder / 'cat.csv').parts(100)
        for item in source(rows):
            assert item.error is None
            x, y = item.origin
            mask = item.options['mask']
            assert mask.shape == item.image[0].data.shape != SHAPE
            assert_array_equal(mask, item.row + 1)
            assert x > 9
            assert y > 7

    def test_same_as_single(self, galaxy_ccd, folder):
        """
        A mask counts as it does in a single call.
        """
        from astro_pix2prof import IsophoteFitter

        galaxy_ccd.uncertainty = None
        galaxy_ccd.write('images/g0.fits', overwrite=True)
        mask = np.zeros(galaxy_ccd.shape, 'u1')
        mask[:, 80:] = 1
        fits.writeto('extra/00_mask.fits', mask, overwrite=True)
        Table({'id': [0], 'path': ['images/g0.fits']}).write(
            'cat.csv', overwrite=True)
        options = {'fitter': {'method': 'isophote', 'sky': 0.0}}
        run(folder, masks='extra/{id:02d}_mask.fits', **options)
        run(folder, out='plain', **options)
        masked, plain = (read_survey(folder / out)[0]
                         for out in ('out', 'plain'))
        single = IsophoteFitter(sky=0.0)('images/g0.fits', mask=mask)
        assert_allclose(masked['intensity'].value, single['intensity'].value,
                        rtol=1e-5)
        assert masked['n_valid'].min() < plain['n_valid'].min()


class TestMissing:
    def test_row(self, folder):
        """
        A galaxy without its mask has failed, and is not measured without.
        """
        os.remove('extra/02_mask.fits')
        fitter = Recorder()
        result = run(folder, fitter=fitter,
                     masks='extra/{id:02d}_mask.fits[1]')
        assert result.n_failed == 1
        assert len(fitter.seen) == N - 1
        failures = read_survey(result.out).failures
        assert list(failures['index']) == [2]
        assert failures['message'][0].startswith(
            'FileNotFoundError: mask: no such file: ')
        assert failures['message'][0].endswith('02_mask.fits')

    @pytest.mark.parametrize(('masks', 'message'), [
        ('extra/{id:02d}_mask.fits[9]', 'has no extension 9'),
        ('extra/{id:02d}_mask.fits', 'holds several images'),
        ('images/g{id}.fits[3]', 'has no extension 3')])
    def test_extension(self, folder, masks, message):
        result = run(folder, masks=masks)
        failures = read_survey(result.out).failures
        assert all(message in text for text in failures['message'])
        assert len(failures) == N

    def test_shape(self, folder):
        fits.writeto('small.fits', np.zeros((5, 6), 'u1'))
        result = run(folder, masks='small.fits', x='x', y='y', size=8)
        assert result.n_failed == N
        assert 'holds 6 x 5 pixels, but the image has 50 x 40' in (
            read_survey(result.out).failures['message'][0])

    def test_all(self, folder):
        """
        Before anything is measured, it is an error.
        """
        with pytest.raises(FileNotFoundError, match=r"masks='no_\{id\}.fits' "
                           'leads to no file for the first 4 image'):
            run(folder, masks='no_{id}.fits')
        assert not (folder / 'out').exists()

    def test_outside(self, folder):
        """
        A template leads to no other folder than its own.
        """
        table = Table.read('cat.csv')
        table['id'] = [f'../extra/0{k}' for k in range(N)]
        table.write('cat.csv', overwrite=True)
        with pytest.raises(FileNotFoundError, match='leads out of'):
            run(folder, masks='images/{id}_mask.fits[1]')

    def test_empty_cell(self, folder):
        table = Table.read('cat.csv')
        table['m'][1] = ''
        table.write('cat.csv', overwrite=True)
        result = run(folder, masks='m')
        assert list(read_survey(result.out).failures['message']) == [
            "ValueError: mask: the column 'm' has no value"]

    def test_exceptions(self, folder):
        for options, error, match in (
                ({'masks': 3}, TypeError, 'masks must be a column or'),
                ({'masks': '{no}.fits'}, ValueError, "masks='no' is not a c"),
                ({'masks': '{id.fits'}, ValueError, 'is no template'),
                ({'masks': 'http://a/{id}'}, ValueError, 'is an address'),
                ({'masks': 'none.fits'}, FileNotFoundError, 'is neither a'),
                ({'invvars': 'm', 'uncertainties': 'm'}, ValueError,
                 'give one of them'),
                ({'fitter': {'sky': 'banana'}}, ValueError, 'sky must be'),
                ({'fitter': {'min_snr': -1}}, ValueError, 'min_snr must be')):
            with pytest.raises(error, match=match):
                run(folder, **options)
        assert not (folder / 'out').exists()


def test_settings(folder):
    """
    Other masks are another survey; without them, nothing is new.
    """
    run(folder, masks='m')
    settings = read_survey(folder / 'out').settings
    assert settings['masks'] == 'm'
    with pytest.raises(ValueError, match=r'masks was .m. and is not given'):
        run(folder)
    assert run(folder, masks='m').n_skipped == N
    run(folder, out='plain')
    assert 'masks' not in read_survey(folder / 'plain').settings


def test_broken_file(folder):
    (folder / 'extra' / '01_mask.fits').write_text('no image')
    result = run(folder, masks='extra/{id:02d}_mask.fits[1]')
    survey = read_survey(result.out)
    assert survey.galaxies()['flag'][1] == GalaxyFlag.FAILED
    assert survey.failures['message'][0].startswith('OSError: mask: ')


def test_locate(folder):
    """
    The name of an image counts as {name}, unless there is such a column.
    """
    catalogue = open_catalogue(folder / 'cat.csv')
    files = CompanionFiles('masks', 'extra/{name}_sig.fits', catalogue)
    assert files.columns == []
    path, hdu = files.locate({}, 'images/g1.fits')
    assert path.endswith('extra/g1_sig.fits')
    assert hdu is None
    with pytest.raises(FileNotFoundError, match='mask: no such file'):
        files.locate({}, 'images/g9.fits')


def test_structure(folder):
    """
    Structural parameters of each galaxy, also of one that failed.
    """
    os.remove('extra/02_mask.fits')
    result = run(folder, masks='extra/{id:02d}_mask.fits[1]', structure=True)
    galaxies = read_survey(result.out).galaxies()
    row = measure_structure(load_example_truth(), fits=False)[0]
    good = [0, 1, 3]
    for name in ('mag_total', 'r50', 'extrapolated_fraction', 'r25_0'):
        assert_allclose(galaxies[name][good], row[name])
        assert np.isnan(galaxies[name][2])
    assert galaxies['r50'].unit == row['r50'].unit
    assert galaxies['structure_flag'][0] == row['flag']
    with pytest.raises(ValueError,
                       match='structure was True and is not given'):
        run(folder, masks='extra/{id:02d}_mask.fits[1]')
    with pytest.raises(TypeError, match='structure must be'):
        run(folder, out='no', structure=1)
