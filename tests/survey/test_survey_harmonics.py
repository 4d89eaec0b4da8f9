# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of surveys whose profiles have columns on request.
"""

import numpy as np
import pytest
from astropy.table import Table

from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    read_survey,
    run_survey,
)
from astro_pix2prof.fitting.base import ProfileFitter
from astro_pix2prof.profile.columns import CENTRE_COLUMNS, HARMONIC_COLUMNS
from astro_pix2prof.survey.files import part_files
from astro_pix2prof.survey.fitter_spec import FitterSpec

pq = pytest.importorskip('pyarrow.parquet')


def test_columns(galaxy_ccd, tmp_path):
    """
    All files have the columns, also that of images that cannot be read.
    """
    galaxy_ccd.write(tmp_path / 'a.fits')
    names = ['a.fits', 'a.fits', 'none.fits', 'none.fits']
    Table({'path': [str(tmp_path / name) for name in names]}).write(
        tmp_path / 'cat.ecsv')
    out = tmp_path / 'out'
    result = run_survey(tmp_path / 'cat.ecsv', out, n_workers=1,
                        chunk_size=2, fitter={'harmonics': True})
    assert result.n_failed == 2
    schemas = [pq.read_schema(path) for path in part_files(out)]
    assert len(schemas) == 2
    names = [[field.name for field in schema.field('profile').type]
             for schema in schemas]
    assert names[0] == names[1]
    profile = read_survey(out)[1]
    assert np.isfinite(profile['b4']).any()
    assert set(HARMONIC_COLUMNS) <= set(profile.colnames)


class Own(ProfileFitter):
    """
    A fitter of someone else, whose attribute means something else.
    """

    harmonics = 7

    def fit(self, image, **options):
        return IsophoteFitter().fit(image, **options)


@pytest.mark.parametrize(('fitter', 'columns'), [
    (None, ()), ({'harmonics': True}, HARMONIC_COLUMNS),
    ({'method': 'isophote', 'free_centres': True},
     HARMONIC_COLUMNS + CENTRE_COLUMNS),
    (IsophoteFitter(harmonics=True), HARMONIC_COLUMNS), (Own(), ())])
def test_spec(fitter, columns):
    assert FitterSpec(fitter).ring_columns == columns


def test_loaded_weights():
    # (a fitter that is sent as it is)
    fitter = Pix2ProfFitter(harmonics=True)
    fitter.card = {**fitter.card, 'name': 'mine'}
    spec = FitterSpec(fitter)
    assert spec.fitter is not None
    assert spec.ring_columns == HARMONIC_COLUMNS


def test_identity():
    """
    Surveys that were begun before there were such columns can go on.
    """
    described = FitterSpec(IsophoteFitter()).describe()['options']
    assert not {'harmonics', 'free_centres'} & set(described)
    asked = FitterSpec(IsophoteFitter(harmonics=True)).describe()
    assert asked['options']['harmonics'] is True


def test_refused():
    with pytest.raises(TypeError, match='harmonics must be True or False'):
        FitterSpec({'harmonics': 'yes'})


def test_elsewhere(tmp_path):
    Table({'path': ['a.fits']}).write(tmp_path / 'cat.ecsv')
    with pytest.raises(ValueError, match=r"give fitter=\{'harmonics'"):
        run_survey(tmp_path / 'cat.ecsv', tmp_path / 'out', harmonics=True)
