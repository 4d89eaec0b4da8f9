# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the warnings of a survey.
"""

import warnings

import numpy as np
import pytest
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    ProfileBatch,
    load_example_truth,
    read_survey,
    run_survey,
)
from astro_pix2prof.fitting.notes import (
    NotingJob,
    record_warnings,
    repeat_warnings,
)
from astro_pix2prof.survey.engine import Engine
from astro_pix2prof.survey.warned import WARNED, WarningCounts

pytest.importorskip('pyarrow')


def make_fitter():
    """
    A fitter that warns of each image; it goes to other processes as it is.
    """
    class Warns:
        def __call__(self, image):
            raise NotImplementedError

        def fit_many(self, images, *, workers=0, **options):
            profiles = []
            for image, _ in images:
                warnings.warn(f"zeropoint=25.0 is used for '/d/{image}' "
                              f'(sky {len(profiles)}.5e-3)',
                              AstropyUserWarning, stacklevel=2)
                profiles.append(load_example_truth())
            yield ProfileBatch.from_profiles(profiles)

    return Warns()


@pytest.mark.parametrize('tiles', [False, True])
def test_files_beside_images_that_are_cut(tiles, galaxy_ccd, tmp_path):
    galaxy_ccd.write(tmp_path / 'x.fits')
    galaxy_ccd.write(tmp_path / 'x_mask.fits')
    sky = galaxy_ccd.wcs.pixel_to_world(62, 65)
    catalogue = Table({'ra': [sky.ra.deg], 'dec': [sky.dec.deg],
                       'path': [str(tmp_path / 'x.fits')]})
    options = {'size': 60, 'fitter': make_reader(), 'n_workers': 1,
               'images': [str(tmp_path / 'x.fits')] if tiles else 'path'}
    if not tiles:
        options |= {'ra': 'ra', 'dec': 'dec'}
    with pytest.warns(AstropyUserWarning, match='x_mask.fits lies beside the '
                      'image and is not read: .* mask='):
        result = run_survey(catalogue, tmp_path / 'out', **options)
    assert result.n_measured == 1
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        run_survey(catalogue, tmp_path / 'two', masks=str(
            tmp_path / 'x_mask.fits'), **options)


def make_reader():
    """
    A fitter that takes all images and measures none.
    """
    class Reads:
        def __call__(self, image):
            raise NotImplementedError

        def fit_many(self, images, *, workers=0, **options):
            yield ProfileBatch.from_profiles(
                [load_example_truth() for _ in images])

    return Reads()


def survey(out, **options):
    return run_survey(
        Table({'id': np.arange(5)}), out, fitter=make_fitter(), chunk_size=2,
        images=lambda row: f'{row["id"]}.fits', **options)


@pytest.mark.parametrize('options', [
    {'n_workers': 1},
    pytest.param({'n_workers': 1, 'isolate': True}, marks=pytest.mark.slow),
    pytest.param({'n_workers': 2}, marks=pytest.mark.slow)])
def test_each_once_with_a_number(tmp_path, options):
    if options['n_workers'] > 1:
        pytest.importorskip('distributed')
    with pytest.warns(AstropyUserWarning, match='zeropoint') as caught:
        result = survey(tmp_path / 'out', **options)
    # (of several processes, any may be the first)
    texts = [str(item.message) for item in caught]
    assert len(texts) == 1
    assert texts[0].startswith("zeropoint=25.0 is used for '/d/")
    assert texts[0].endswith(' (warned 5 times in this survey)')
    assert result.n_measured == 5
    # nothing is measured, and nothing warned of
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert survey(tmp_path / 'out', n_workers=1).n_skipped == 5


def test_after_an_error():
    """
    What was warned of before an error is told, too.
    """
    class Job:
        fitter = None

    def measure(key, number):
        WARNED.add('an old sky')
        if number:
            msg = 'no disk'
            raise RuntimeError(msg)
        return number

    def run():
        engine = Engine(Job(), n_workers=1)
        with engine.warned.shown(), engine:
            list(engine.map(measure, [(0,), (1,)]))

    with (pytest.warns(AstropyUserWarning, match=r'^an old sky \(warned 2 ti'),
          pytest.raises(RuntimeError, match='no disk')):
        run()


def test_warnings_that_are_errors(tmp_path):
    """
    The survey is finished before the first is raised.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(AstropyUserWarning, match='in this survey'):
            survey(tmp_path / 'out', n_workers=1)
    assert len(read_survey(tmp_path / 'out').galaxies()) == 5
    assert (tmp_path / 'out' / '_failures.ecsv').is_file()


def test_kinds():
    counts = WarningCounts()
    for text in ['pixel_scale=0.4 is used', 'pixel_scale=0.25 is used',
                 'a.fits[1] has no sky', 'band_b.fits[1] has no sky',
                 'a/b: no unit']:
        counts.add(text)
    assert len(counts) == 3
    counts.update([('a/c: no unit', 4)])
    assert counts.take() == [('pixel_scale=0.4 is used', 2),
                             ('a.fits[1] has no sky', 2),
                             ('a/b: no unit', 5)]
    assert not counts


def test_many_kinds():
    """
    The most frequent are shown, and memory is bounded.
    """
    counts = WarningCounts()
    for k in range(300):
        counts.add('x' * k)
    counts.add('xx', 7)
    with pytest.warns(AstropyUserWarning) as caught:
        counts.show()
    assert len(caught) == 21
    assert str(caught[0].message) == 'xx (warned 8 times in this survey)'
    assert str(caught[1].message) == ' (warned once in this survey)'
    assert str(caught[-1].message).startswith('80 further kinds')


def test_record_warnings():
    """
    Other kinds of warnings are shown as ever.
    """
    found = []

    def measure():
        for _ in range(2):
            warnings.warn('an\nold sky', AstropyUserWarning, stacklevel=1)
        warnings.warn('overflow', RuntimeWarning, stacklevel=1)

    with (pytest.warns(RuntimeWarning, match='overflow') as caught,
          record_warnings(found)):
        measure()
    assert found == ['an old sky'] * 2
    assert len(caught) == 1


def test_noting_job():
    def job(part):
        warnings.warn(f'bad {part}', AstropyUserWarning, stacklevel=1)
        return part

    results = [NotingJob(job)(part) for part in (1, 2)]
    assert results == [(1, ['bad 1']), (2, ['bad 2'])]
    with pytest.warns(AstropyUserWarning, match='bad') as caught:
        assert list(repeat_warnings(results)) == [1, 2]
    assert [str(item.message) for item in caught] == ['bad 1', 'bad 2']
