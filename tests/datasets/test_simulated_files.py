# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the simulated_files and simulated_plots modules.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip('torch')

from astro_pix2prof import GalaxyCutout, build_profile
from astro_pix2prof.datasets.pairs import read_pairs
from astro_pix2prof.datasets.simulated import (
    make_simulated_hdus,
    write_simulated,
)
from astro_pix2prof.evaluation.evaluate import evaluate_fitters
from astro_pix2prof.plotting.simulated import plot_contact_sheet, sheet_size
from astro_pix2prof.simulation import SURVEYS, GalaxySimulator
from astro_pix2prof.training.shards import write_shards

N = 6


@pytest.fixture(scope='module')
def galaxies():
    return GalaxySimulator('sdss', n_pix=96).simulate(N, seed=3)


@pytest.fixture(scope='module')
def paths(galaxies, tmp_path_factory):
    return write_simulated(galaxies, tmp_path_factory.mktemp('simulated'))


class TestWrite:
    def test_names(self, galaxies, paths):
        bands = [SURVEYS[name].band for name in galaxies.survey]
        assert [path.name for path in paths] == [
            f'galaxy_{k:05d}_{band}.fits' for k, band in enumerate(bands)]
        # nothing else, no unfinished files
        assert sorted(paths[0].parent.iterdir()) == sorted(paths)

    def test_standard(self, paths):
        for path in paths:
            with fits.open(path) as hdus:
                hdus.verify('exception')
                assert [hdu.name for hdu in hdus] == [
                    'PRIMARY', 'ERR', 'MASK', 'OTHERS', 'TRUTH']

    def test_header(self, galaxies, paths):
        for k, path in enumerate(paths):
            header = fits.getheader(path)
            assert header['BUNIT'] == 'nanomaggy'
            assert header['SEED'] == 3
            assert header['NUMBER'] == k
            assert header['SURVEY'] == galaxies.survey[k]
            assert header['FILTER'] == galaxies.survey[k][-1]
            assert header['G_TYPE'] == galaxies.type_name(k)
            assert_allclose(header['FWHM'], float(
                galaxies.fwhm[k] * galaxies.pixel_scale[k]), rtol=1e-6)

    def test_planes(self, galaxies, paths):
        with fits.open(paths[1]) as hdus:
            assert_array_equal(hdus[0].data, galaxies.image[1])
            assert_array_equal(hdus['MASK'].data, galaxies.mask[1])
            assert_array_equal(hdus['OTHERS'].data,
                               galaxies.contamination[1])
            noise = hdus['ERR'].data
        assert_allclose(noise.min(), galaxies.sigma[1], rtol=1e-3)

    def test_overwrite(self, galaxies, tmp_path):
        first = write_simulated(galaxies, tmp_path)
        with pytest.raises(OSError, match='give overwrite=True'):
            write_simulated(galaxies, tmp_path)
        assert write_simulated(galaxies, tmp_path, overwrite=True) == first
        more = write_simulated(galaxies, tmp_path, start=N)
        assert not set(more) & set(first)
        assert more[0].name.startswith(f'galaxy_{N:05d}_')

    @pytest.mark.parametrize('start', [-1, 1.5, True])
    def test_start(self, galaxies, tmp_path, start):
        with pytest.raises(ValueError, match='start must be an integer from '
                                             '0 on'):
            write_simulated(galaxies, tmp_path, start=start)

    def test_empty(self, galaxies, tmp_path):
        class Empty:
            def __len__(self):
                return 0

        with pytest.raises(ValueError, match='galaxies must hold an image'):
            write_simulated(Empty(), tmp_path)

    def test_number(self, galaxies):
        with pytest.raises(ValueError, match='k must be the number of one '
                                             'of 6 galaxies'):
            make_simulated_hdus(galaxies, N)

    @pytest.mark.parametrize('survey', ['any', 'spitzer', 'euclid'])
    def test_bands_without_letter(self, survey, tmp_path):
        batch = GalaxySimulator(survey, n_pix=64).simulate(1, seed=1)
        path, = write_simulated(batch, tmp_path)
        ends = {'euclid': '_VIS'}.get(survey, '')
        assert path.name == f'galaxy_00000{ends}.fits'
        cutout = GalaxyCutout(path)
        assert cutout.band == {'spitzer': '3.6', 'euclid': 'VIS'}.get(survey)
        assert len(list(read_pairs(tmp_path, strict=True))) == 1


class TestRead:
    def test_cutout(self, galaxies, paths):
        for k, path in enumerate(paths):
            cutout = GalaxyCutout(path)
            bad = galaxies.mask[k].numpy()
            assert_array_equal(cutout.mask, bad)
            assert_array_equal(cutout.data[~bad],
                               galaxies.image[k].numpy()[~bad])
            assert cutout.unit == u.nmgy
            assert cutout.mag_system == 'AB'
            assert_allclose(cutout.zeropoint, galaxies.zeropoint)
            assert_allclose(cutout.pixel_scale, galaxies.pixel_scale[k],
                            rtol=1e-5)
            assert_allclose(np.median(cutout.noise), galaxies.sigma[k],
                            rtol=0.2)
            assert cutout.band == galaxies.survey[k][-1]

    def test_magnitude(self, galaxies, paths):
        # the clean image, measured through the cutout's calibration, has
        # the magnitude that the galaxy was given
        cutout = GalaxyCutout(paths[0])
        total = float(galaxies.clean[0].sum())
        mag = cutout.zeropoint - 2.5 * np.log10(total)
        flux = float(galaxies.parameters['flux'][0])
        assert_allclose(mag, 22.5 - 2.5 * np.log10(flux), atol=0.2)
        truth = QTable.read(paths[0], hdu='TRUTH')
        mu = cutout.sb_zeropoint - 2.5 * np.log10(
            truth['intensity'] * cutout.intensity_scale)
        good = np.isfinite(truth['surface_brightness'].value)
        assert_allclose(truth['surface_brightness'].value[good],
                        np.asarray(mu)[good], atol=1e-3)

    def test_sky(self, galaxies, paths):
        # each at a place of its own, with pixels of the right size and
        # north up, east to the left
        places = []
        for k, path in enumerate(paths):
            wcs = GalaxyCutout(path).wcs
            x, y = galaxies.centre[k].tolist()
            here, up, left = (wcs.pixel_to_world(*p) for p in (
                (x, y), (x, y + 5), (x - 5, y)))
            scale = float(galaxies.pixel_scale[k])
            assert_allclose(here.separation(up).arcsec, 5 * scale, rtol=1e-4)
            assert_allclose(here.position_angle(up).wrap_at(
                180 * u.deg).deg, 0, atol=0.01)
            assert_allclose(here.position_angle(left).deg, 90, atol=0.01)
            places.append(here)
        places = SkyCoord(places)
        _, apart, _ = places.match_to_catalog_sky(places, 2)
        assert apart.arcmin.min() > 3

    def test_truth(self, galaxies, paths):
        truth = QTable.read(paths[2], hdu='TRUTH')
        assert len(truth) == len(galaxies.sma)
        assert truth['radius'].unit == u.arcsec
        assert truth['surface_brightness'].unit == u.mag / u.arcsec**2
        assert truth['pa'].unit == u.deg
        assert truth['mag_enclosed'].unit == u.mag
        assert_allclose(truth['radius'].value, galaxies.sma
                        * galaxies.pixel_scale[2], rtol=1e-5)
        assert_allclose(truth['intensity'], galaxies.intensity[2])
        assert_allclose(truth['ellipticity'], galaxies.ellipticity[2])
        assert_allclose(truth['ring_noise'], galaxies.ring_noise[2])
        # the photon limit in magnitudes
        bright = truth['intensity'] > 10 * truth['ring_noise']
        limit = 1.0857 * truth['ring_noise'] / truth['intensity']
        assert_allclose(truth['photon_limit'].value[bright], limit[bright],
                        rtol=1e-4)
        assert_allclose(truth['x_centre'].value, galaxies.centre[2, 0])
        grown = truth['mag_enclosed'].value
        assert_allclose(grown[-1], 22.5 - 2.5 * np.log10(
            float(galaxies.enclosed[2, -1])), rtol=1e-5)

    def test_position_angle(self, galaxies, paths):
        # as the cutout's own WCS turns angles
        truth = QTable.read(paths[2], hdu='TRUTH')
        cutout = GalaxyCutout(paths[2])
        theta = cutout.from_sky_pa(truth['pa'].value)
        delta = (theta - truth['theta'].value + 90) % 180 - 90
        assert_allclose(delta, 0, atol=0.01)

    def test_pairs(self, galaxies, paths):
        pairs = list(read_pairs(paths[0].parent, strict=True))
        assert len(pairs) == N
        for k, pair in enumerate(pairs):
            assert pair.group == f'galaxy_{k:05d}'
            assert pair.band == galaxies.survey[k][-1]
            assert_allclose(pair.centre, galaxies.centre[k])
            assert_allclose(pair.intensity, galaxies.intensity[k])
            assert_allclose(pair.sigma, galaxies.sigma[k])
            assert_allclose(pair.fwhm, float(
                galaxies.fwhm[k] * galaxies.pixel_scale[k]), rtol=1e-6)
            assert_allclose(pair.zeropoint, 22.5)
            assert (pair.intensity_err == 0).all()

    def test_shards(self, paths, tmp_path):
        index = write_shards(read_pairs(paths[0].parent, strict=True),
                             tmp_path, n_pix=64, split=(4, 1, 1))
        assert index['counts'] == {'train': 4, 'validation': 1, 'test': 1}

    def test_evaluation(self, paths):
        # a fitter that returns the truth has no error
        class Truth:
            def __call__(self, image, **options):
                cutout = GalaxyCutout.from_any(image)
                number = int(cutout.name.split()[-1])
                with fits.open(paths[number]) as hdus:
                    t = hdus['TRUTH'].data
                    n = len(t)
                    return build_profile(
                        cutout, t['sma'], t['intensity'], t['ring_noise'],
                        ellipticity=t['ellipticity'],
                        ellipticity_err=np.full(n, 0.01), theta=t['theta'],
                        theta_err=np.full(n, 1.0), flag=np.zeros(n, int),
                        centre=(t['x_centre'][0], t['y_centre'][0]),
                        sky_err=1e-4, noise=float(np.median(cutout.noise)),
                        fitter='truth')

        evaluation = evaluate_fitters({'truth': Truth()},
                                      [str(path) for path in paths])
        text = str(evaluation)
        assert 'truth' in text


class TestContactSheet:
    def test_panels(self, galaxies):
        fig = plot_contact_sheet(galaxies, n_columns=4)
        # (six pictures are two rows of three, with no place left over)
        assert len(fig.axes) == N == 6
        assert_allclose(fig.get_size_inches(), sheet_size(N, n_columns=4))
        assert fig.get_facecolor() == (0, 0, 0, 1)
        shown = [ax for ax in fig.axes if ax.images]
        assert len(shown) == N
        text = shown[1].texts[0].get_text()
        assert galaxies.survey[1] in text
        assert galaxies.type_name(1) in text

    def test_stretch(self, galaxies):
        fig = plot_contact_sheet(galaxies, n_max=2, labels=False, truth=True)
        for k, ax in enumerate(fig.axes):
            picture = ax.images[0].get_array()
            assert_array_equal(np.ma.getmaskarray(np.ma.masked_invalid(
                picture)), galaxies.mask[k])
            assert picture.min() >= 0
            assert picture.max() <= 1
            assert not ax.texts
        assert any(ax.lines for ax in fig.axes)

    @pytest.mark.parametrize(('n', 'size'), [
        (1, (1.4, 1.4)), (8, (11.2, 1.4)), (9, (7.0, 2.8)),
        (200, (11.2, 14.0))])
    def test_size(self, n, size):
        assert_allclose(sheet_size(n), size)

    def test_given_figure(self, galaxies):
        """
        A figure that is given becomes black all over, too.
        """
        from matplotlib.figure import Figure

        fig = plot_contact_sheet(galaxies, fig=Figure(figsize=(4, 4)))
        assert fig.get_facecolor() == (0, 0, 0, 1)

    def test_saved(self, galaxies, tmp_path):
        fig = plot_contact_sheet(galaxies, panel=0.8)
        fig.savefig(tmp_path / 'contact_sheet.png')
        assert (tmp_path / 'contact_sheet.png').stat().st_size > 10_000

    @pytest.mark.parametrize(('options', 'match'), [
        ({'n_columns': 0}, 'n_columns must be an integer from 1 on, got 0'),
        ({'n_max': 1.5}, 'n_max must be an integer from 1 on, got 1.5'),
        ({'panel': -1}, 'panel must be a positive size in inches, got -1'),
    ])
    def test_invalid(self, galaxies, options, match):
        with pytest.raises(ValueError, match=match):
            plot_contact_sheet(galaxies, **options)

    def test_empty(self):
        with pytest.raises(ValueError, match='galaxies must hold an image'):
            plot_contact_sheet([])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt
    plt.close('all')
