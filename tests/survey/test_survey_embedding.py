# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of embeddings in surveys.
"""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose
from PIL import Image

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    Pix2ProfFitter,
    load_example,
    read_survey,
    run_survey,
)
from astro_pix2prof.cli import main


@pytest.fixture
def catalogue(tmp_path):
    load_example().write(tmp_path / 'a.fits')
    shutil.copy(tmp_path / 'a.fits', tmp_path / 'b.fits')
    path = tmp_path / 'catalogue.csv'
    Table({'id': ['a', 'none', 'b'],
           'image': ['a.fits', 'none.fits', 'b.fits']}).write(path)
    return path


def test_column(catalogue, tmp_path):
    run_survey(catalogue, tmp_path / 'out', n_workers=1, chunk_size=2,
               embedding=True)
    survey = read_survey(tmp_path / 'out')
    table = survey.galaxies(['id', 'embedding'])
    assert table['embedding'].shape == (3, 64)
    assert table['embedding'].dtype == np.float32
    assert np.isnan(table['embedding'][1]).all()
    usual = Pix2ProfFitter().encode([tmp_path / 'a.fits'])['embedding'][0]
    for row in (0, 2):
        assert_allclose(table['embedding'][row], usual, atol=1e-5)
    for file in survey.files:
        schema = pq.read_schema(file)
        assert schema.field('embedding').type == pa.list_(pa.float32(), 64)
    # whoever uses them knows of which encoder they are
    expected = Pix2ProfFitter().encode([]).meta
    for source in (survey, read_survey(survey.files[1])):
        meta = source.galaxies(['id', 'embedding']).meta
        for key in ('encoder', 'encoder_sha256'):
            assert meta[key] == expected[key]
        assert 'encoder' not in source.galaxies(['id']).meta
    # the columns of lists are read on request, the probabilities always
    names = survey.galaxies().colnames
    assert 'embedding' not in names
    assert {name for name in schema.names if name.startswith('p_')} <= set(
        names)
    # and the profiles are those of other surveys
    assert len(survey[0]) > 10
    # another encoder would be another survey
    assert len(survey.settings['embedding']) == 64


def test_bands(catalogue, tmp_path):
    shutil.copy(tmp_path / 'a.fits', tmp_path / 'a_r.fits')
    images = {'g': str(tmp_path / '{id}.fits'),
              'r': str(tmp_path / '{id}_r.fits')}
    run_survey(Table({'id': ['a', 'b']}), tmp_path / 'out', n_workers=1,
               bands=images, embedding=True)
    survey = read_survey(tmp_path / 'out')
    assert survey.bands == ['g', 'r']
    vectors = survey.galaxies(['embedding'])['embedding']
    # those of the reference, which the second galaxy does not have
    usual = Pix2ProfFitter().encode([tmp_path / 'a_r.fits'])['embedding'][0]
    assert_allclose(vectors[0], usual, atol=1e-5)
    assert np.isnan(vectors[1]).all()
    assert [name for name in survey.galaxies().colnames
            if name.startswith('embedding')] == []


def test_without(catalogue, tmp_path):
    run_survey(catalogue, tmp_path / 'out', n_workers=1)
    survey = read_survey(tmp_path / 'out')
    assert 'embedding' not in survey.settings
    with pytest.raises(ValueError, match="no column 'embedding'"):
        survey.galaxies(['embedding'])


def test_other_fitter(catalogue, tmp_path):
    with pytest.raises(ValueError, match='embedding needs a Pix2ProfFitter, '
                                         r'got IsophoteFitter\(\)'):
        run_survey(catalogue, tmp_path / 'out', n_workers=1, embedding=True,
                   fitter={'method': 'isophote'})
    with pytest.raises(TypeError, match='embedding must be True or False'):
        run_survey(catalogue, tmp_path / 'out', embedding='yes')


def test_command_line(catalogue, tmp_path, capsys):
    main(['survey', str(catalogue), '--out', str(tmp_path / 'out'),
          '--workers', '1', '--embedding', '--quiet'])
    assert read_survey(tmp_path / 'out').galaxies(
        ['embedding'])['embedding'].shape == (3, 64)
    with pytest.raises(SystemExit):
        main(['survey', str(catalogue), '--out', str(tmp_path / 'other'),
              '--embedding', '--method', 'isophote'])
    assert '--embedding needs --method pix2prof' in capsys.readouterr().err


def test_pictures_are_not_calibrated(tmp_path):
    """
    The zero point of a survey is none of the pictures in it.
    """
    image = GalaxyCutout.from_any(load_example()).data
    grey = np.clip(255 * np.arcsinh(20 * np.clip(image, 0, None)
                                    / image.max()) / 4, 0, 255).astype('u1')
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / 'a.png')
    load_example().write(tmp_path / 'b.fits')
    path = tmp_path / 'catalogue.csv'
    Table({'image': ['a.png', 'b.fits']}).write(path)
    main(['survey', str(path), '--out', str(tmp_path / 'out'),
          '--workers', '1', '--embedding', '--quiet', '--zeropoint',
          '22.5', '--pixel-scale', '0.4'])
    table = read_survey(tmp_path / 'out').galaxies()
    assert np.isfinite(table['mag']).tolist() == [False, True]
    assert table['flag'][0] & GalaxyFlag.UNCALIBRATED
