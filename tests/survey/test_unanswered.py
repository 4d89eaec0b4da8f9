# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of surveys whose service of cut-outs is away.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from astro_pix2prof import (
    CutoutService,
    GalaxyCutout,
    ProfileBatch,
    run_survey,
)
from astro_pix2prof.profile.build import build_batch
from astro_pix2prof.profile.rings import MeasuredRings
from astro_pix2prof.survey.files import part_files
from astro_pix2prof.survey.stop import StopSurveyError

pytest.importorskip('pyarrow')

SMA = np.arange(5.0)
N = 3


class Stub:
    """
    A fitter that gives the same profile to each image that it can read.
    """

    def __call__(self, image):
        raise NotImplementedError

    def fit_many(self, images, *, workers=0, **options):
        for image, _ in images:
            try:
                cutout = GalaxyCutout(image, unit='nmgy')
            except OSError as error:
                yield ProfileBatch.from_profiles([error])
                continue
            yield build_batch([MeasuredRings(
                cutout=cutout, sma=SMA, intensity=np.exp(-SMA),
                intensity_err=0.1 * np.exp(-SMA), eps=np.full(5, 0.2),
                theta=np.full(5, 0.3), n_valid=np.ones(5),
                flag=np.zeros(5, dtype=int), galaxy_flag=0,
                centre=(10.0, 10.0), noise=1.0)])


@pytest.fixture(name='service')
def make_service(tmp_path):
    # (nobody answers there)
    return CutoutService('legacy', url='http://127.0.0.1:9/legacy',
                         attempts=1, rate=1000.0, cache=tmp_path / 'cache')


@pytest.fixture(name='catalogue')
def make_catalogue(tmp_path):
    names = [str(tmp_path / f'{k}.fits') for k in range(N)]
    for k, name in enumerate(names):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
        wcs.wcs.crval, wcs.wcs.crpix = (10.0 + k, k - 1.0), (11.0, 11.0)
        wcs.wcs.cdelt = -1 / 3600, 1 / 3600
        fits.writeto(name, np.random.default_rng(k).normal(size=(20, 20)),
                     wcs.to_header())
    return Table({'ra': 10.0 + np.arange(N), 'dec': np.arange(N) - 1.0,
                  'path': names})


def run(catalogue, out, **options):
    return run_survey(catalogue, out, fitter=Stub(), n_workers=1,
                      chunk_size=2, **options)


def run_bands(catalogue, out, blue):
    size = {'size': {'g': '60arcsec'}} if not isinstance(blue, str) else {}
    return run(catalogue, out, bands={'g': blue, 'r': 'path'}, **size)


def test_other_band(catalogue, service, tmp_path):
    """
    A band whose service is away is not stored as failed for ever.
    """
    with pytest.raises(StopSurveyError, match=r'any of 3 images in the band '
                                              r'g: .*no answer'):
        run_bands(catalogue, tmp_path / 'out', service.in_band('g'))
    assert not part_files(tmp_path / 'out')


def test_other_band_without_reference(catalogue, service, tmp_path):
    """
    Only images that were asked for tell whether a service is there.
    """
    (tmp_path / '0.fits').write_text('no image')
    with pytest.raises(StopSurveyError, match='any of 2 images in the band'):
        run_bands(catalogue, tmp_path / 'out', service.in_band('g'))
    for k in range(N):
        (tmp_path / f'{k}.fits').write_text('no image')
    result = run_bands(catalogue, tmp_path / 'two', service.in_band('g'))
    assert result.n_failed == N
    assert len(part_files(tmp_path / 'two')) == 2


@pytest.mark.filterwarnings('ignore:The inplace keyword')
def test_hats(catalogue, service, tmp_path):
    lsdb = pytest.importorskip('lsdb')
    lsdb.from_dataframe(
        catalogue.to_pandas(), ra_column='ra', dec_column='dec',
        catalog_name='galaxies', lowest_order=0, highest_order=0,
        margin_threshold=None,
    ).write_catalog(tmp_path / 'cat', progress_bar=False)
    out = tmp_path / 'out'
    with pytest.raises(StopSurveyError, match=r'any of 3 images: .*no answer'
                                              r'.*call again to go on'):
        run(tmp_path / 'cat', out, images=service, size='60arcsec')
    assert not part_files(out)
    assert not (out / 'hats.properties').exists()
    # (a partition that was measured tells that the service answers)
    result = run(tmp_path / 'cat', tmp_path / 'two', images='path')
    assert result.n_failed == 0
