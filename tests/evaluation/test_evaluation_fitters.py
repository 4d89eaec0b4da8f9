# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the evaluation of fitters: fitters of known error.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import QTable, Table
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, GalaxyFlag, ProfileBatch
from astro_pix2prof.evaluation.evaluate import Evaluation, evaluate_fitters
from astro_pix2prof.plotting.evaluation import (
    plot_evaluation,
    plot_evaluation_profiles,
)
from astro_pix2prof.profile.batch import failure_message

SB = u.mag / u.arcsec**2
SCALE = 0.4  # arcsec per pixel
KINDS = ('spiral', 'elliptical')
BANDS = ('g', 'r', 'i')
N_RINGS = 40


def true_mu(sma):
    """
    The true profile: 20.1 mag/arcsec2 and 0.25 mag for each pixel.
    """
    return 20.1 + 0.25 * np.asarray(sma, dtype=float)


def make_truth():
    sma = np.arange(N_RINGS, dtype=float)
    intensity = 10**(-0.4 * (true_mu(sma) - 22.5)) * SCALE**2
    # The signal-to-noise ratio falls to 1 at 27.2 mag/arcsec2.
    noise = np.full(N_RINGS, 10**(-0.4 * (27.2 - 22.5)) * SCALE**2)
    return Table({'sma': sma, 'intensity': intensity, 'ring_noise': noise})


def make_image(i, make_wcs):
    band, kind = BANDS[i % 3], KINDS[i // 3 % 2]
    return CCDData(np.zeros((8, 8)) + i, unit=u.nmgy,
                   wcs=make_wcs((8, 8), pixel_scale=SCALE),
                   meta={'FILTER': band, 'G_TYPE': kind, 'OBJECT': f'no{i}'})


@pytest.fixture(name='pairs')
def fixture_pairs(make_wcs):
    """
    Twelve galaxies: four for each band, six of each type.
    """
    return [(make_image(i, make_wcs), make_truth()) for i in range(12)]


class Offset:
    """
    A fitter that is wrong by so much, and fails as told.

    Parameters
    ----------
    offset : float or function
        The error in mag/arcsec2, or a function of the semi-major axis.

    stated : float
        The error that it states.

    fails : function
        Tells from the number of the image whether to raise.

    last : float
        The last semi-major axis (pixels).
    """

    def __init__(self, offset=0.1, *, stated=0.2, fails=None, last=40,
                 first=0.0):
        self.offset, self.stated, self.fails = offset, stated, fails
        self.first, self.last = first, last

    def profile(self, image):
        number = int(image.data[0, 0])
        if self.fails and self.fails(number):
            msg = f'no galaxy\nin image {number}'
            raise RuntimeError(msg)
        sma = np.arange(self.first, self.last, 0.5)
        offset = self.offset(sma) if callable(self.offset) else self.offset
        return QTable({
            'radius': sma * SCALE * u.arcsec,
            'surface_brightness': (true_mu(sma) + offset) * SB,
            'surface_brightness_err': np.full(len(sma), self.stated) * SB})

    def __call__(self, image):
        return self.profile(image)


class Batch(Offset):
    """
    The same with ``fit_many``, which gives batches of five.
    """

    calls = workers = 0
    calls_single = 0
    surplus = 0

    def fit_many(self, images, *, workers=0):
        self.calls += 1
        self.workers = workers
        for start in range(0, len(images), 5):
            yield self.batch(images[start:start + 5])
        if self.surplus:
            yield self.batch(images[:self.surplus])

    def batch(self, images):
        galaxies = {'flag': [], 'message': [],
                    'radius_unit': ['arcsec'] * len(images)}
        rings = {'radius': [], 'surface_brightness': [],
                 'surface_brightness_err': []}
        offsets = [0]
        for image in images:
            flag, message = 0, ''
            try:
                profile = self.profile(image)
                for name, values in rings.items():
                    values += profile[name].value.tolist()
            except RuntimeError as error:
                flag = int(GalaxyFlag.FAILED)
                message = failure_message(error) if image.data[0, 0] else ''
            galaxies['flag'].append(flag)
            galaxies['message'].append(message)
            offsets.append(len(rings['radius']))
        return ProfileBatch(galaxies, rings, offsets)

    def __call__(self, image):
        self.calls_single += 1
        return self.profile(image)


def every_third(number):
    return number % 3 == 0


class TestEvaluateFitters:
    def test_known_error(self, pairs):
        evaluation = evaluate_fitters(
            {'faint': Offset(0.1), 'bright': Offset(-0.3, stated=0.25)},
            pairs)
        assert evaluation.labels == ['faint', 'bright']
        assert evaluation.n_images == 12
        assert 'faint, bright' in repr(evaluation)
        table = evaluation.summary()
        assert list(table['fitter']) == ['faint', 'bright']
        for ending in ('', '_bright'):
            assert_allclose(table[f'median{ending}'].to_value(SB),
                            [0.1, 0.3], rtol=1e-9)
            assert_allclose(table[f'iqr{ending}'].to_value(SB), 0,
                            atol=1e-9)
            assert_allclose(table[f'missing{ending}'], 0)
        assert_allclose(table['success'], 1)
        assert_allclose(table['within_error'], [1, 0])
        assert list(table['n_failed']) == [0, 0]
        assert np.all(table['seconds'] > 0 * u.s)
        # ring 26 is fainter than 26.5, ring 28 the last above a ratio of 1
        runs = evaluation.to_table()
        assert set(runs['n_rings_bright']) == {26}
        assert set(runs['n_rings']) == {29}
        assert runs['name'][2] == 'no2'

    def test_median(self, pairs):
        """
        The median over an image, not the mean, and by images.
        """
        # 9 of the 26 bright rings are off by 2 mag
        fitter = Offset(lambda sma: np.where(sma < 8.6, 2.0, 0.05))
        table = evaluate_fitters({'a': fitter}, pairs).summary()
        assert_allclose(table['median_bright'][0].value, 0.05)
        fitter = Offset(lambda sma: np.where(sma < 13.6, 2.0, 0.05))
        table = evaluate_fitters({'a': fitter}, pairs).summary()
        assert_allclose(table['median_bright'][0].value, 2.0)

    def test_iqr(self, pairs):
        class Growing(Offset):
            def profile(self, image):
                self.offset = 0.01 * image.data[0, 0]
                return super().profile(image)

        table = evaluate_fitters({'a': Growing()}, pairs).summary()
        assert_allclose(table['median'][0].value, 0.055)
        assert_allclose(table['iqr'][0].value, 0.055)

    @pytest.mark.parametrize('cls', [Offset, Batch])
    def test_failures(self, pairs, cls):
        fitter = cls(0.1, fails=every_third)
        evaluation = evaluate_fitters({'a': fitter}, pairs)
        row = evaluation.summary()[0]
        assert row['n_failed'] == 4
        assert_allclose(row['success'], 2 / 3)
        assert_allclose(row['missing'], 1 / 3)
        # the failures count 1 mag, but are the minority
        assert_allclose(row['median'].value, 0.1)
        runs = evaluation.to_table()
        assert runs['message'][3] == 'RuntimeError: no galaxy in image 3'
        assert runs['message'][1] == ''
        assert_allclose(runs['median'][3].value, 1)
        assert_allclose(runs['missing'][3], 1)
        assert not runs['success'][3]
        assert np.isnan(runs['within_error'][3])
        # the bands are g, r, i, g, ...: all of g have failed
        bands = evaluation.by_band()
        assert list(bands['band']) == ['g', 'r', 'i']
        assert_allclose(bands['success'], [0, 1, 1])
        assert_allclose(bands['median'].value, [1, 0.1, 0.1])
        if cls is Batch:
            assert (fitter.calls, fitter.calls_single) == (1, 0)
            assert runs['message'][0] == 'no profile'

    def test_all_fail(self, pairs):
        fitter = Offset(fails=lambda number: True)
        evaluation = evaluate_fitters({'a': fitter}, pairs[:2])
        row = evaluation.summary()[0]
        assert row['success'] == 0
        assert_allclose(row['median'].value, 1)
        assert np.isnan(row['within_error'])
        assert np.isnan(evaluation.by_radius()['bias'][0])

    def test_fit_many_raises(self, pairs):
        """
        One bad image in a batch is not the end of the others.
        """
        class Fragile(Batch):
            def batch(self, images):
                if any(every_third(int(im.data[0, 0])) for im in images[1:]):
                    msg = 'broken'
                    raise MemoryError(msg)
                return super().batch(images)

        fitter = Fragile(0.1, fails=every_third)
        row = evaluate_fitters({'a': fitter}, pairs).summary()[0]
        assert_allclose(row['success'], 2 / 3)
        assert fitter.calls_single > 0

    def test_fit_many_only(self, pairs):
        class Short:
            def __init__(self, error=None):
                self.error = error

            def fit_many(self, images, *, workers=0):
                if self.error is not None:
                    raise self.error
                return []

        evaluation = evaluate_fitters({
            'a': Short(), 'b': Short(OSError('x' * 5000))}, pairs[:2])
        assert evaluation.runs['message'][1] == (
            'ValueError: fit_many must give 2 profiles, got 0')
        # one long message does not widen the column
        assert len(evaluation.runs['message'][3]) == 1000
        assert evaluation.runs['message'][3].startswith('OSError: xxx')

    def test_too_many(self, pairs):
        fitter = Batch()
        fitter.surplus = 2
        with pytest.raises(ValueError, match='must give 7 profiles, got 9'):
            evaluate_fitters({'a': fitter}, pairs[:7])

    def test_integers(self, pairs):
        """
        Every integer counts, and booleans are none.
        """
        fitter = Batch()
        evaluate_fitters({'a': fitter}, pairs[:2], n_jobs=np.int64(1))
        assert fitter.workers == 0
        evaluate_fitters({'a': fitter}, pairs[:2], n_jobs=np.int32(2))
        assert fitter.workers == 2
        for value in (True, 1.0, '2', np.True_):
            with pytest.raises(TypeError, match='n_jobs must be a positive '
                                                'integer, got'):
                evaluate_fitters({'a': fitter}, pairs[:2], n_jobs=value)
        with pytest.raises(TypeError, match='mu_limit must be a finite'):
            evaluate_fitters({'a': fitter}, pairs[:2], mu_limit='26')

    def test_long_labels(self, pairs):
        label = 'a' * 100
        evaluation = evaluate_fitters({label: Batch()}, pairs[:2])
        assert set(evaluation.by_radius()['fitter']) == {label}

    @pytest.mark.parametrize('result', [
        None, 3.0, QTable({'radius': [1] * u.arcsec}),
        QTable({'radius': [1] * u.m, 'surface_brightness': [20] * SB})])
    def test_not_a_profile(self, pairs, result):
        evaluation = evaluate_fitters({'a': lambda image: result}, pairs[:1])
        assert evaluation.summary()['n_failed'][0] == 1
        assert 'Error' in evaluation.runs['message'][0]

    def test_empty_profile(self, pairs):
        empty = QTable({'radius': [] * u.arcsec,
                        'surface_brightness': [] * SB})
        row = evaluate_fitters({'a': lambda image: empty},
                               pairs[:1]).summary()[0]
        assert row['missing'] == 1
        assert row['n_failed'] == 0

    def test_missing(self, pairs):
        """
        A profile that ends early counts 1 mag where it has no value.
        """
        # values for rings 0 to 20 of 26: 81%; and to 19: 77%
        for last, success in ((20.1, 1), (19.1, 0)):
            row = evaluate_fitters({'a': Offset(0.0, last=last)},
                                   pairs).summary()[0]
            assert row['success'] == success
            assert_allclose(row['missing_bright'],
                            (25 - np.floor(last)) / 26)
            assert_allclose(row['median_bright'].value, 0, atol=1e-9)
        row = evaluate_fitters({'a': Offset(0.0, last=8)}, pairs).summary()[0]
        assert_allclose(row['median_bright'].value, 1)

    def test_nan_is_missing(self, pairs):
        def fitter(image):
            profile = Offset(0.1).profile(image)
            profile['surface_brightness'][20] = np.nan  # ring 10
            return profile

        evaluation = evaluate_fitters({'a': fitter}, pairs[:1])
        gone = np.isnan(evaluation.rings['difference'])
        assert list(np.flatnonzero(gone)) == [10]

    def test_innermost(self, pairs):
        """
        A profile from half a pixel on stands for the centre, a later one
        does not.
        """
        evaluation = evaluate_fitters(
            {'half': Offset(0.0, first=0.5), 'one': Offset(0.0, first=1.0)},
            pairs[:1])
        first = evaluation.rings['difference'][
            evaluation.rings['radius'] == 0].value
        assert_allclose(first, [0.125, np.nan], atol=1e-9)

    def test_files(self, pairs, tmp_path):
        paths = []
        for i, (image, truth) in enumerate(pairs[:3]):
            hdus = image.to_hdu()
            # as in the files of benchmarks/render/galaxies.py
            hdus[0].header['BUNIT'] = 'nanomaggy'
            hdus.append(fits.BinTableHDU(truth, name='TRUTH'))
            paths.append(tmp_path / f'galaxy_{i}.fits')
            hdus.writeto(paths[-1])

        def fitter(path):
            return Offset(0.1)(CCDData.read(path))

        evaluation = evaluate_fitters({'a': fitter}, [paths[0], *map(
            str, paths[1:])])
        assert_allclose(evaluation.summary()['median'][0].value, 0.1)
        assert list(evaluation.runs['band']) == ['g', 'r', 'i']
        assert set(evaluation.runs['type']) == {'spiral'}

    def test_truths(self, pairs):
        images, truths = zip(*pairs, strict=True)
        evaluation = evaluate_fitters({'a': Offset(0.2)}, images,
                                      truths=truths)
        assert_allclose(evaluation.summary()['median'][0].value, 0.2)

    def test_profile_as_truth(self, pairs):
        truth = Offset(0.0).profile(pairs[0][0])
        truth['intensity'] = 10**(
            -0.4 * truth['surface_brightness'].value)
        evaluation = evaluate_fitters({'a': Offset(0.2)},
                                      [(pairs[0][0], truth)])
        row = evaluation.summary()[0]
        assert_allclose(row['median'].value, 0.2)
        assert np.all(np.isinf(evaluation.rings['snr']))

    def test_noisy_centre(self, pairs):
        """
        The profile of a faint dwarf does not end at its central pixel.
        """
        image, truth = pairs[0]
        truth['ring_noise'][0] = 2 * truth['intensity'][0]
        evaluation = evaluate_fitters({'a': Offset()}, [(image, truth)])
        in_snr = np.asarray(evaluation.rings['in_snr'])
        assert list(in_snr) == [False, *[True] * 28]

    def test_contiguous(self, pairs):
        image, truth = pairs[0]
        truth['ring_noise'][15] *= 1e4
        truth['ring_noise'][0] /= 1e4
        evaluation = evaluate_fitters({'a': Offset()}, [(image, truth)])
        assert evaluation.to_table()['n_rings'][0] == 15
        assert evaluation.to_table()['n_rings_bright'][0] == 26

    def test_mu_limit(self, pairs):
        evaluation = evaluate_fitters({'a': Offset()}, pairs[:1],
                                      mu_limit=22 * SB)
        assert evaluation.to_table()['n_rings_bright'][0] == 8
        assert evaluation.summary().meta['mu_limit'] == 22

    def test_progress(self, pairs, capsys):
        evaluate_fitters({'some fitter': Offset()}, pairs[:2], progress=True)
        assert 'some fitter' in capsys.readouterr().err

    def test_processes(self, pairs):
        """
        The same with two processes; what cannot be sent to one fails.
        """
        evaluation = evaluate_fitters(
            {'a': Offset(0.1, fails=every_third), 'b': lambda image: None},
            pairs[:3], n_jobs=2)
        first, second = evaluation.summary()
        assert_allclose(first['success'], 2 / 3)
        assert_allclose(first['median'].value, 0.1)
        assert second['n_failed'] == 3


class TestBadInput:
    @pytest.mark.parametrize(('fitters', 'error', 'match'), [
        ({}, ValueError, 'fitters must hold at least one'),
        ([Offset()], TypeError, 'fitters must be a dict'),
        ({'a': 3}, TypeError, r"fitters\['a'\] must be callable, got int")])
    def test_fitters(self, pairs, fitters, error, match):
        with pytest.raises(error, match=match):
            evaluate_fitters(fitters, pairs)

    def test_images(self, pairs, tmp_path):
        fitters = {'a': Offset()}
        match = 'images must hold at least one image'
        with pytest.raises(ValueError, match=match):
            evaluate_fitters(fitters, [])
        with pytest.raises(TypeError, match='images must be a sequence'):
            evaluate_fitters(fitters, 'galaxy.fits')
        match = r'images\[1\] must be a path or a pair'
        with pytest.raises(TypeError, match=match):
            evaluate_fitters(fitters, [pairs[0], pairs[1][0]])
        path = tmp_path / 'bare.fits'
        fits.PrimaryHDU(np.zeros((8, 8))).writeto(path)
        match = r'images\[0\] must have an extension TRUTH'
        with pytest.raises(ValueError, match=match):
            evaluate_fitters(fitters, [path])
        with pytest.raises(FileNotFoundError):
            evaluate_fitters(fitters, [tmp_path / 'none.fits'])

    def test_uncalibrated(self, pairs):
        image = pairs[0][0].copy()
        image.wcs = None
        match = r'images\[1\] cannot be measured: .* no pixel scale'
        with pytest.raises(ValueError, match=match):
            evaluate_fitters({'a': Offset()},
                             [pairs[0], (image, pairs[0][1])])
        image = GalaxyCutout(np.zeros((8, 8)), calibrated=False)
        match = r'images\[0\] must have a pixel scale and a zero point'
        with pytest.raises(ValueError, match=match):
            evaluate_fitters({'a': Offset()}, [(image, pairs[0][1])])

    def test_truths(self, pairs):
        image, truth = pairs[0]
        fitters = {'a': Offset()}
        match = 'truths must be as many as images, 1, got 2'
        with pytest.raises(ValueError, match=match):
            evaluate_fitters(fitters, [image], truths=[truth, truth])
        match = r'truth of images\[0\] must be a table with the columns'
        for bad in (truth['sma', 'ring_noise'], 3.0):
            with pytest.raises(ValueError, match=match):
                evaluate_fitters(fitters, [(image, bad)])
        truth['intensity'] *= 1e-9
        match = r'truth of images\[0\] must have a ring with'
        with pytest.raises(ValueError, match=match):
            evaluate_fitters(fitters, [(image, truth)])

    @pytest.mark.parametrize('n_jobs', [0, 1.5, True, '2'])
    def test_n_jobs(self, pairs, n_jobs):
        match = 'n_jobs must be a positive integer'
        error = ValueError if n_jobs == 0 else TypeError
        with pytest.raises(error, match=match):
            evaluate_fitters({'a': Offset()}, pairs, n_jobs=n_jobs)

    def test_evaluation(self, pairs):
        evaluation = evaluate_fitters({'a': Offset()}, pairs[:1])
        match = 'rings must be a table with the columns .* lacks error'
        with pytest.raises(ValueError, match=match):
            Evaluation(evaluation.runs,
                       evaluation.rings['fitter', 'image', 'radius',
                                        'surface_brightness', 'snr',
                                        'in_snr', 'difference'])


class TestBins:
    @pytest.fixture(name='evaluation')
    def fixture_evaluation(self, pairs):
        """
        Errors that grow outwards, and a fitter that stops.
        """
        grows = Offset(lambda sma: -0.01 * sma, stated=0.105)
        stops = Offset(0.1, last=10.1, fails=every_third)
        return evaluate_fitters({'grows': grows, 'stops': stops}, pairs)

    def test_by_radius(self, evaluation):
        table = evaluation.by_radius([0, 4.3, 8.3, 100])
        assert list(table['fitter']) == ['grows'] * 3 + ['stops'] * 3
        assert table['inner'].unit == u.arcsec
        assert list(table['n_rings'][:3]) == [11 * 12, 10 * 12, 8 * 12]
        assert_allclose(table['median'].value,
                        [0.05, 0.155, 0.245, 0.1, 1, 1])
        assert_allclose(table['bias'].value[:4], [-0.05, -0.155, -0.245, 0.1])
        assert np.all(np.isnan(table['bias'][4:]))
        assert_allclose(table['missing'], [0, 0, 0, 1 / 3, 1, 1])
        assert_allclose(table['within_error'][:2], [1, 0])
        assert_allclose(table['fraction_images'], 1)
        assert_allclose(table['q25'].value[0], 0.02, atol=0.01)

    def test_units(self, evaluation):
        table = evaluation.by_radius([0, 0.1, 1] * u.arcmin)
        assert_allclose(table['outer'].to_value(u.arcsec)[:2], [6, 60])

    def test_by_surface_brightness(self, evaluation):
        table = evaluation.by_surface_brightness()
        first = table[table['fitter'] == 'grows']
        assert_allclose(first['bright'].to_value(SB), np.arange(20, 28))
        assert_allclose(first['median'].value[:7],
                        0.015 + 0.04 * np.arange(7))
        # the ratio is the error over 1.0857 / (S/N)
        at = np.arange(24, 28)
        snr = 10**(0.4 * (27.2 - true_mu(at)))
        assert_allclose(first['over_photon_limit'][6],
                        np.median(0.01 * at * snr / 1.0857362))

    def test_band(self, evaluation):
        assert evaluation.bands == ['g', 'r', 'i']
        table = evaluation.by_radius([0, 4], band='g')
        assert list(table['n_images']) == [4, 4]
        assert_allclose(table['fraction_images'], 1)
        assert_allclose(table['missing'], [0, 1])
        match = "band must be one of g, r, i, got 'z'"
        with pytest.raises(ValueError, match=match):
            evaluation.by_surface_brightness(band='z')

    def test_by_type(self, evaluation):
        table = evaluation.by_type()
        assert list(table['type']) == ['elliptical', 'spiral'] * 2
        assert list(table['n_images']) == [6] * 4
        assert_allclose(table['median'].value[:2], 0.14)

    def test_nothing_in_bins(self, evaluation):
        table = evaluation.by_radius([200, 300])
        assert len(table) == 0
        assert table['median'].unit == SB

    @pytest.mark.parametrize('edges', [[1], [2, 1], [[0, 1], [2, 3]]])
    def test_edges(self, evaluation, edges):
        match = 'edges must be two or more increasing numbers'
        with pytest.raises(ValueError, match=match):
            evaluation.by_radius(edges)

    def test_edges_unit(self, evaluation):
        with pytest.raises(ValueError, match='edges must be in a unit like'):
            evaluation.by_surface_brightness([0, 1] * u.arcsec)


class TestFiles:
    def test_round_trip(self, pairs, tmp_path):
        evaluation = evaluate_fitters(
            {'a, b': Offset(0.1, fails=every_third), 'c': Offset(0.2)},
            pairs, mu_limit=25)
        path = tmp_path / 'test.ecsv'
        evaluation.write(path)
        again = Evaluation.read(path)
        assert again.mu_limit == 25 * SB
        assert again.labels == evaluation.labels
        for name in ('summary', 'by_band', 'by_type', 'by_radius',
                     'by_surface_brightness', 'to_table'):
            old, new = getattr(evaluation, name)(), getattr(again, name)()
            assert old.colnames == new.colnames
            for column in old.colnames:
                if old[column].dtype.kind in 'US':
                    assert list(old[column]) == list(new[column])
                else:
                    assert getattr(old[column], 'unit', None) == getattr(
                        new[column], 'unit', None)
                    assert_allclose(
                        np.asarray(getattr(old[column], 'value',
                                           old[column])),
                        np.asarray(getattr(new[column], 'value',
                                           new[column])))
        # the first file is a table of its own
        table = QTable.read(path, format='ascii.ecsv')
        assert_allclose(table['median'][1].value, 0.1)

    def test_overwrite(self, pairs, tmp_path):
        evaluation = evaluate_fitters({'a': Offset()}, pairs[:1])
        path = tmp_path / 'test.ecsv'
        (tmp_path / 'test_rings.ecsv').write_text('mine')
        with pytest.raises(OSError, match=r'test_rings.ecsv exists; give'):
            evaluation.write(path)
        assert not path.exists()
        evaluation.write(path, overwrite=True)
        assert Evaluation.read(path).n_images == 1

    def test_path(self, pairs, tmp_path):
        evaluation = evaluate_fitters({'a': Offset()}, pairs[:1])
        with pytest.raises(ValueError, match=r'path must end in \.ecsv'):
            evaluation.write(tmp_path / 'test.txt')


class TestPlots:
    @pytest.fixture(autouse=True, name='pyplot')
    def fixture_pyplot(self):
        matplotlib = pytest.importorskip('matplotlib')
        matplotlib.use('agg')
        import matplotlib.pyplot as plt

        yield plt
        plt.close('all')

    @pytest.fixture(name='evaluation')
    def fixture_evaluation(self, pairs):
        scatter = Offset(lambda sma: 0.05 + 0.02 * sma)
        fails = Offset(-0.3, fails=every_third, last=20.1)
        return evaluate_fitters({'scatter': scatter, 'fails': fails}, pairs)

    def test_panels(self, evaluation):
        fig = plot_evaluation(evaluation)
        fig.draw_without_rendering()
        assert [ax.get_title() for ax in fig.axes] == [
            'S/N > 1', r'$\mu$ < 26.5', 'All images, S/N > 1', 'g band',
            'r band', 'i band']
        labels = [text.get_text() for text in fig.axes[0].get_yticklabels()]
        assert labels == ['scatter', 'fails']
        texts = [text.get_text() for text in fig.legends[0].get_texts()]
        assert texts == ['scatter', 'fails']
        for ax in fig.axes[2:]:
            assert ax.get_xlabel() == 'Semi-major axis [arcsec]'
            assert ax.get_yscale() == 'log'

    def test_values(self, evaluation):
        fig = plot_evaluation(evaluation)
        table = evaluation.summary()
        for ax, column in zip(fig.axes[:2], ('median', 'median_bright'),
                              strict=True):
            drawn = [line.get_xdata()[0] for line in ax.get_lines()]
            assert_allclose(10**np.array(drawn), table[column].value,
                            rtol=1e-5)
            assert f'{table[column][0].value:.3f}' in [
                text.get_text() for text in ax.texts]
            assert len(ax.collections) == 4, 'a violin and a bar for each'
        line = fig.axes[2].get_lines()[0]
        assert line.get_label() == 'scatter'
        radius, error = line.get_data()
        # 0.02 mag for a pixel
        assert_allclose(error, 0.05 + 0.02 * radius / SCALE, atol=0.02)

    def test_colours(self, evaluation):
        fig = plot_evaluation(evaluation)
        for ax in fig.axes[2:]:
            colours = [line.get_color() for line in ax.get_lines()]
            assert colours == ['#0072B2', '#D55E00']
            assert len(ax.collections) == 2, 'the interquartile ranges'
        for ax in fig.axes[:2]:
            colours = [line.get_markeredgecolor() for line in ax.get_lines()]
            assert colours == ['#0072B2', '#D55E00']

    def test_reach(self, pairs):
        """
        The lines end where nine of ten profiles have ended.
        """
        for i, (_, truth) in enumerate(pairs):
            truth['ring_noise'][3 * i:] *= 1e9
        evaluation = evaluate_fitters({'a': Offset()}, pairs[1:])
        fig = plot_evaluation(evaluation)
        # of 11 profiles, the last but one ends at ring 29, i.e. with 28
        end = fig.axes[2].get_lines()[0].get_xdata()[-1]
        assert 24 * SCALE < end < 30 * SCALE

    def test_one_image(self, pairs):
        """
        Neither a distribution nor bands.
        """
        evaluation = evaluate_fitters({'perfect': Offset(0.0)}, pairs[:1])
        fig = plot_evaluation(evaluation)
        fig.draw_without_rendering()
        assert len(fig.axes) == 3
        assert len(fig.axes[0].get_lines()) == 1

    def test_figure(self, evaluation, pyplot):
        fig = pyplot.figure()
        assert plot_evaluation(evaluation, fig=fig) is fig
        assert len(fig.axes) == 6

    def test_profiles(self, evaluation):
        fig = plot_evaluation_profiles(evaluation)
        fig.draw_without_rendering()
        assert len(fig.axes) == 24, 'two panels for each image'
        texts = [text.get_text() for text in fig.legends[0].get_texts()]
        assert texts == ['truth', 'scatter', 'fails']
        assert fig.axes[0].texts[0].get_text() == 'no0 spiral g'
        truth, scatter, fails = fig.axes[0].get_lines()
        at = truth.get_xdata() / SCALE
        assert_allclose(truth.get_ydata()[1:], true_mu(at[1:]))
        assert_allclose(scatter.get_ydata()[1:],
                        true_mu(at[1:]) + 0.05 + 0.02 * at[1:])
        assert np.all(np.isnan(fails.get_ydata()))
        residual = fig.axes[3].get_lines()[1].get_ydata()
        assert_allclose(residual[:21], -0.3)
        bottom, top = fig.axes[0].get_ylim()
        assert bottom > top, 'magnitudes grow downwards'

    def test_sample(self, evaluation):
        def titles(**options):
            fig = plot_evaluation_profiles(evaluation, **options)
            return [ax.texts[0].get_text() for ax in fig.axes[::2]]

        assert len(titles(n=5)) == 5
        assert titles(n=5) == titles(n=5)
        assert titles(n=5) != titles(n=5, seed=1)

    def test_all_failed(self, pairs):
        evaluation = evaluate_fitters({'a': lambda image: None}, pairs[:2])
        fig = plot_evaluation_profiles(evaluation)
        fig.draw_without_rendering()
        plot_evaluation(evaluation).draw_without_rendering()
        assert len(fig.axes) == 4

    @pytest.mark.parametrize('n', [0, 2.5, True])
    def test_n(self, evaluation, n):
        with pytest.raises(ValueError, match='n must be a positive integer'):
            plot_evaluation_profiles(evaluation, n=n)
