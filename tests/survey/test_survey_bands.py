# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of surveys of several bands.

The galaxies are exponential discs with the colours g-r = 2.5 log10(2) and
r-i = 2.5 log10(1.5); the pixels of i have half the size.
"""

import json
import os
import re
import signal
import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Sersic2D
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import (
    CutoutService,
    GalaxyCutout,
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
    collect_survey,
    load_example_truth,
    read_survey,
    run_survey,
    write_report,
)
from astro_pix2prof.cli.main import main
from astro_pix2prof.cli.options import band_pairs, split_by_band
from astro_pix2prof.report.pictures import image_options
from astro_pix2prof.survey.bands import BandError, find_bands
from astro_pix2prof.survey.files import part_files
from astro_pix2prof.survey.isolation import ProcessDiedError, measure_apart

pa = pytest.importorskip('pyarrow')

N = 5
PIXEL = 0.396
FACTORS = {'g': 0.5, 'r': 1.0, 'i': 1.5}
COLOURS = {'g-r': 2.5 * np.log10(2), 'r-i': 2.5 * np.log10(1.5)}


def make_hdu(places, band, *, n_pix=81, seed=0):
    """
    Discs at places (arcsec) from the middle, with the pixels of the band.
    """
    fine = 2 if band == 'i' else 1
    n = n_pix * fine
    y, x = np.mgrid[:n, :n]
    middle = (n - 1) / 2
    image = np.random.default_rng(seed + ord(band)).normal(
        0.0, 0.02 / fine, (n, n))
    for k, (east, north) in enumerate(places):
        image += Sersic2D(
            2 * FACTORS[band] / fine**2, 7.0 * fine, 1.0,
            middle - east / PIXEL * fine, middle + north / PIXEL * fine,
            0.3, 0.5 + k)(x, y)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
    wcs.wcs.crval = 150.0, 2.0
    wcs.wcs.crpix = middle + 1, middle + 1
    wcs.wcs.cdelt = -PIXEL / 3600 / fine, PIXEL / 3600 / fine
    header = wcs.to_header()
    header['BUNIT'] = 'nmgy'
    return fits.PrimaryHDU(image.astype(np.float32), header)


@pytest.fixture(name='folder', scope='module')
def make_folder(tmp_path_factory):
    """
    Images of a catalogue: 1 has no g, 2 no r, and g of 3 is empty.
    """
    folder = tmp_path_factory.mktemp('bands')
    for band in FACTORS:
        for k in range(N):
            hdu = make_hdu([(0.3 * k, 0.0)], band, seed=100 * k)
            if (k, band) == (3, 'g'):
                hdu.data[:] = np.nan
            if (k, band) not in ((1, 'g'), (2, 'r')):
                hdu.writeto(folder / f'{k}_{band}.fits')
    table = Table({'id': np.arange(N), 'mag_g': np.full(N, 99.0)})
    for band in FACTORS:
        table[f'path_{band}'] = [f'{k}_{band}.fits' for k in range(N)]
    table.write(folder / 'cat.ecsv')
    return folder


PATHS = {band: f'path_{band}' for band in FACTORS}


def run(folder, out, **options):
    options = {'bands': PATHS, 'n_workers': 1, 'chunk_size': 3, **options}
    return run_survey(folder / 'cat.ecsv', out, **options)


@pytest.fixture(name='done', scope='module')
def run_once(folder):
    return run(folder, folder / 'done', psf_fwhm={'g': 2.0, 'r': 1.0})


def contents(folder):
    # (the time that it took is never the same)
    return {path.name: path.read_bytes() for path in folder.iterdir()
            if path.is_file() and path.name != '_times.json'}


def rows_of(folder):
    return pa.concat_tables(
        pa.parquet.read_table(path) for path in part_files(folder))


def assert_same(result, expected):
    """
    Compare the profiles of bands with those of ``fit_bands``.
    """
    assert list(result.profiles) == list(expected.profiles)
    assert result.reference == expected.reference
    assert result.failed.keys() == expected.failed.keys()
    assert result.colours.colnames == expected.colours.colnames
    tables = [(result.colours, expected.colours), *(
        (result.profiles[band], expected.profiles[band])
        for band in expected.profiles)]
    for band, profile in expected.profiles.items():
        assert (result.profiles[band].meta['flag']
                == profile.meta['flag']), band
    for found, wanted in tables:
        for name in wanted.colnames:
            one, two = found[name], wanted[name]
            assert getattr(one, 'unit', None) == getattr(two, 'unit', None)
            assert_allclose(getattr(one, 'value', one),
                            getattr(two, 'value', two), rtol=2e-5,
                            atol=2e-4, err_msg=name)
            if name.endswith('flag'):
                assert_array_equal(one, two)


class TestResults:
    @pytest.mark.parametrize('number', [0, 1, 3])
    def test_as_fit_bands(self, folder, done, number):
        images = {band: folder / f'{number}_{band}.fits' for band in FACTORS}
        expected = Pix2ProfFitter().fit_bands(
            images, reference='r', psf_fwhm={'g': 2.0, 'r': 1.0})
        found = read_survey(done.out).band_profiles(number)
        assert_same(found, expected)
        assert ('g' in found.failed) == (number in (1, 3))

    def test_flags_of_ellipses(self, folder, tmp_path):
        """
        Uncertain ellipses are uncertain in all bands, neighbours in one.
        """
        uncertain = int(GalaxyFlag.CENTRE_UNCERTAIN | GalaxyFlag.NEIGHBOUR)
        plain = Pix2ProfFitter()

        def fit(image, geometry=None):
            if geometry is not None:
                return plain(image, geometry=geometry)
            profile = plain(image)
            profile.meta['flag'] |= uncertain
            return profile

        run(folder, tmp_path / 'out', fitter=fit)
        survey = read_survey(tmp_path / 'out')
        profiles = survey.band_profiles(0).profiles
        assert profiles['r'].meta['flag'] & uncertain == uncertain
        for band in 'gi':
            assert profiles[band].meta['flag'] & uncertain == (
                GalaxyFlag.CENTRE_UNCERTAIN)

    def test_counts(self, done):
        assert (done.n_rows, done.n_done, done.n_failed) == (N, N, 1)
        assert done.n_failed_bands == {'g': 3, 'r': 1, 'i': 1}
        assert collect_survey(done.out).n_failed_bands == done.n_failed_bands

    def test_galaxies(self, done):
        """
        A missing band loses nothing else, a missing reference all.
        """
        survey = read_survey(done.out)
        assert survey.bands == ['g', 'r', 'i']
        assert survey.reference == 'r'
        assert survey.colours == ['g-r', 'r-i']
        table = survey.galaxies()
        for band, bad in (('g', [1, 2, 3]), ('r', [2]), ('i', [2])):
            failed = (table[f'flag_{band}'] & GalaxyFlag.FAILED) != 0
            assert_array_equal(np.flatnonzero(failed), bad)
            assert_array_equal(np.isnan(table[f'mag_{band}'].value), failed)
            assert_array_equal(table[f'message_{band}'] != '', failed)
        assert table['flag_i'][0] & GalaxyFlag.FORCED
        assert not table['flag_r'][0] & GalaxyFlag.FORCED
        assert_array_equal(table['flag'], table['flag_r'])
        assert_array_equal(table['band'], ['r'] * N)
        assert_allclose(table['pixel_scale_i'][0].to_value(u.arcsec),
                        PIXEL / 2)
        assert table['source_g'][1] == '1_g.fits'
        assert table['message_g'][1].startswith('FileNotFoundError: no such')
        assert 'usable' in table['message_g'][3]
        assert table['message_i'][2] == ('ValueError: the reference band r '
                                         'has no profile')

    def test_colours_of_galaxies(self, done):
        """
        Within R50 of the reference, with the flags of that radius.
        """
        table = read_survey(done.out).galaxies()
        good = [0, 4]
        for name, true in COLOURS.items():
            value, error = table[name], table[f'{name}_err']
            assert value.unit == error.unit == u.mag
            assert_allclose(value[good].value, true, atol=0.03)
            assert np.all(np.abs(value[good].value - true)
                          < 3 * error[good].value)
            assert not np.any(table[f'{name}_flag'][good]
                              & RingFlag.UNRESOLVED)
        bad = np.isnan(table['g-r'].value)
        assert_array_equal(np.flatnonzero(bad), [1, 2, 3])
        assert_array_equal((table['g-r_flag'] & RingFlag.EXTRAPOLATED) != 0,
                           bad)
        assert np.isfinite(table['r-i'][1])

    def test_input_columns(self, done):
        table = read_survey(done.out).galaxies()
        assert_array_equal(table['mag_g_input'], np.full(N, 99.0))

    def test_failures(self, done):
        """
        A row for each band, and one for a galaxy without reference.
        """
        rows = read_survey(done.out).failures
        assert rows.colnames == ['index', 'id', 'band', 'source', 'message']
        assert list(zip(rows['index'].tolist(), rows['band'].tolist(),
                        strict=True)) == [(1, 'g'), (2, 'r'), (3, 'g')]
        assert rows['source'].tolist() == ['1_g.fits', '2_r.fits',
                                           '3_g.fits']

    def test_in_band(self, done):
        survey = read_survey(done.out)
        view = survey.in_band('i')
        assert len(view) == N
        first, _ = view
        assert list(first.failed) == [False, False, True]
        assert first.galaxies['band'].tolist() == ['i', 'i', '']
        found = survey.band_profiles(4).profiles['i']
        assert_array_equal(view[4]['intensity'], found['intensity'])
        assert_array_equal(view[3:5].galaxies['mag'],
                           survey.galaxies()['mag_i'][3:5])
        assert_array_equal(survey[4]['intensity'],
                           survey.in_band('r')[4]['intensity'])

    def test_of_a_file(self, done):
        """
        A file alone knows its bands, too.
        """
        survey = read_survey(part_files(done.out)[1])
        assert survey.bands == ['g', 'r', 'i']
        assert survey.band_profiles(-1).reference == 'r'

    def test_exceptions(self, folder, done, tmp_path):
        survey = read_survey(done.out)
        with pytest.raises(IndexError, match='galaxy 2 was not measured: '
                                             'FileNotFoundError'):
            survey.band_profiles(2)
        with pytest.raises(IndexError, match='has 5 galaxies, got the '
                                             'number 5'):
            survey.band_profiles(5)
        with pytest.raises(ValueError, match=r"band must be .* got 'z'"):
            survey.in_band('z')
        run(folder, tmp_path, bands=None, images='path_r')
        survey = read_survey(tmp_path)
        assert survey.bands == []
        with pytest.raises(ValueError, match='a survey of one band: it has '
                                             'no colours'):
            survey.band_profiles(0)
        with pytest.raises(ValueError, match="of one band, got band='g'"):
            survey.in_band('g')

    def test_reference_is_that_of_one_band(self, folder, done, tmp_path):
        """
        The columns of the reference are those of a survey of it alone.
        """
        run(folder, tmp_path, bands=None, images='path_r', psf_fwhm=1.0)
        one, many = rows_of(tmp_path), rows_of(done.out)
        for name in one.column_names:
            if name not in ('band', 'mag_g', 'profile'):
                assert_array_equal(one[name].to_numpy(),
                                   many[name].to_numpy(), err_msg=name)
        for name in ('intensity', 'ellipticity', 'flag'):
            first, second = (pa.compute.struct_field(
                table['profile'], name).combine_chunks().flatten().to_numpy()
                for table in (one, many))
            assert_array_equal(first, second)


@pytest.mark.parametrize('fitter', [
    IsophoteFitter(), Pix2ProfFitter(radii=[1, 2, 4, 8, 12]),
    Pix2ProfFitter(step=0.3)])
def test_fitters(folder, tmp_path, fitter):
    """
    Isophotes, and radii that were asked for, as with ``fit_bands``.
    """
    table = Table.read(folder / 'cat.ecsv')[:1]
    run_survey(table, tmp_path, fitter=fitter, n_workers=1, bands={
        band: str(folder / f'{{id}}_{band}.fits') for band in FACTORS})
    images = {band: folder / f'0_{band}.fits' for band in FACTORS}
    assert_same(read_survey(tmp_path).band_profiles(0),
                fitter.fit_bands(images, reference='r'))


class TestSources:
    """
    All kinds of sources lead to the same.
    """

    def check(self, out, *, colours=tuple(COLOURS)):
        table = read_survey(out).galaxies()
        for name in colours:
            assert_allclose(table[name].value, COLOURS[name], atol=0.05)
        assert not np.any(table['flag_g'] & GalaxyFlag.FAILED)
        return table

    @pytest.fixture(name='tiles')
    def make_tiles(self, tmp_path):
        places = [(-40.0, -35.0), (45.0, 40.0), (-35.0, 45.0)]
        for band in FACTORS:
            (tmp_path / band).mkdir()
            make_hdu(places, band, n_pix=361).writeto(
                tmp_path / band / f'tile_{band}.fits')
        places = np.array(places) / 3600
        return Table({'id': [0, 1, 2], 'ra': 150 + places[:, 0] / np.cos(
            np.radians(2.0)), 'dec': 2 + places[:, 1]})

    def test_tiles(self, tiles, tmp_path):
        """
        A pattern of tiles for each band, cut to the same angle.
        """
        run_survey(tiles, tmp_path / 'out', n_workers=1, size='30arcsec',
                   bands={band: f'{tmp_path}/{band}/*.fits'
                          for band in FACTORS})
        table = self.check(tmp_path / 'out')
        # (centres are those in the pixels of the file of each band)
        assert_allclose(table['x_centre_g'], table['x_centre_r'], atol=1e-3)
        assert_allclose(table['x_centre_i'], 2 * table['x_centre_r'] + 0.5,
                        atol=2e-3)
        assert_allclose(table['y_centre_i'], 2 * table['y_centre_r'] + 0.5,
                        atol=2e-3)
        run_survey(tiles, tmp_path / 'list', n_workers=1, size='30arcsec',
                   images=f'{tmp_path}/{{band}}/*.fits', bands=['g', 'r'],
                   colours=['r-g'])
        found = read_survey(tmp_path / 'list').galaxies()
        assert_allclose(found['mag_g'].value, table['mag_g'].value)
        assert_allclose(found['r-g'].value, -table['g-r'].value)

    def test_pixels(self, tiles, tmp_path):
        """
        Without WCS, the centre is that in the pixels of the files.
        """
        table = self.tiles_without_wcs(tiles, tmp_path)
        for k, size in enumerate((61, {'g': 61, 'r': 75})):
            out = tmp_path / f'out{k}'
            run_survey(table, out, n_workers=1, x='x', y='y', size=size,
                       bands={band: f'path_{band}' for band in 'gr'},
                       pixel_scale=PIXEL)
            found = read_survey(out).galaxies()
            assert_allclose(found['x_centre_g'], found['x_centre_r'])
            assert_allclose(found['x_centre_r'], table['x'], atol=0.5)
            assert_allclose(found['g-r'].value, COLOURS['g-r'], atol=0.05)

    @pytest.mark.parametrize('size', [None, 61])
    @pytest.mark.parametrize('kind', ['paths', 'arrays'])
    def test_other_pixels(self, tmp_path, size, kind):
        """
        Without WCS, files of other shapes have other pixels.
        """
        for band in 'gri':
            data = make_hdu([(0, 0)], 'g' if band == 'i' else band).data
            if band == 'g':
                data = data[3:-1, 5:-3]
            fits.PrimaryHDU(data, fits.Header({'BUNIT': 'nmgy'})).writeto(
                tmp_path / f'{band}.fits')
        table = Table({'id': [0], 'x': [40.0], 'y': [40.0]})
        where = {} if size is None else {'x': 'x', 'y': 'y', 'size': size}
        sources = {band: f'{tmp_path}/{band}.fits' for band in 'gri'}
        if kind == 'arrays':
            sources = {band: lambda row, path=path: fits.getdata(path)
                       for band, path in sources.items()}
            where['unit'] = 'nmgy'
        else:
            for band, path in sources.items():
                table[f'path_{band}'] = [path]
            sources = {band: f'path_{band}' for band in sources}
        run_survey(table, tmp_path / 'out', n_workers=1, bands=sources,
                   pixel_scale=PIXEL, **where)
        found = read_survey(tmp_path / 'out').band_profiles(0)
        assert list(found.failed) == ['g']
        assert re.search(r'shape of the image is \(77, 73\) and that of the '
                         r'reference \(81, 81\)', found.failed['g'])

    def tiles_without_wcs(self, tiles, folder):
        table = Table({'id': tiles['id']})
        for band in 'gr':
            path = folder / band / f'tile_{band}.fits'
            with fits.open(path) as hdulist:
                wcs = WCS(hdulist[0].header)
                fits.PrimaryHDU(hdulist[0].data, fits.Header(
                    {'BUNIT': 'nmgy'})).writeto(folder / f'{band}.fits')
            table[f'path_{band}'] = [f'{folder}/{band}.fits'] * 3
        table['x'], table['y'] = wcs.wcs_world2pix(
            tiles['ra'], tiles['dec'], 0)
        return table

    def test_functions_and_planes(self, folder, tmp_path):
        """
        A function for a band, and bands that are extensions of one file.
        """
        hdus = [make_hdu([(0, 0)], band) for band in FACTORS]
        fits.HDUList([fits.PrimaryHDU(), *(
            fits.ImageHDU(hdu.data, hdu.header) for hdu in hdus)]).writeto(
                tmp_path / 'all.fits')
        table = Table({'id': [0]})
        path = str(tmp_path / 'all.fits')
        hdu = {'g': 1, 'r': 2, 'i': 3}

        def image(row):
            return path, {'psf_fwhm': 3.0}

        run_survey(table, tmp_path / 'one', n_workers=1, hdu=hdu,
                   bands=dict.fromkeys(FACTORS, image))
        first = self.check(tmp_path / 'one')
        rings = read_survey(tmp_path / 'one').band_profiles(0).colours
        assert_array_equal((rings['g-r_flag'] & RingFlag.UNRESOLVED) != 0,
                           rings['radius'].value < 3.0)
        run_survey(table, tmp_path / 'two', n_workers=1, hdu=hdu,
                   bands=['g', 'r', 'i'], images=image)
        second = self.check(tmp_path / 'two')
        assert_allclose(first['mag_i'].value, second['mag_i'].value)

    def test_service(self, monkeypatch, tmp_path):
        """
        A service in each band; the cache is shared.
        """
        asked = []

        def fetch_name(service, name):
            asked.append((service.band, name))
            path = service.cache / f'{service.band}.fits'
            if not path.exists():
                make_hdu([(0, 0)], service.band).writeto(path)
            return path

        monkeypatch.setattr(CutoutService, 'fetch_name', fetch_name)
        run_survey(Table({'ra': [150.0], 'dec': [2.0]}), tmp_path / 'out',
                   images=CutoutService('legacy', 'ls-dr9', cache=tmp_path),
                   bands=['g', 'r'], n_workers=1, size='20arcsec')
        self.check(tmp_path / 'out', colours=['g-r'])
        assert sorted(band for band, _ in asked) == ['g', 'r']
        assert len({name for _, name in asked}) == 2
        layer = CutoutService('hips2fits', 'CDS/P/DES-DR2/{band}',
                              pixel_scale=0.3).in_band('g')
        assert (layer.layer, layer.band) == ('CDS/P/DES-DR2/g', 'g')
        assert CutoutService('ps1').in_band('z').pixel_scale == 0.25


class TestCompanions:
    def test_masks(self, folder, tmp_path):
        """
        A mask for each band; a band without one has failed.
        """
        mask = np.zeros((81, 81), dtype=np.uint8)
        mask[:20] = 1
        for k in range(N):
            if k != 4:
                fits.PrimaryHDU(mask).writeto(tmp_path / f'{k}_g_mask.fits')
        run(folder, tmp_path / 'out',
            masks={'g': f'{tmp_path}/{{name}}_mask.fits'})
        table = read_survey(tmp_path / 'out').galaxies()
        assert table['flag_g'][4] & GalaxyFlag.FAILED
        assert table['message_g'][4].startswith('FileNotFoundError: mask: no')
        assert not table['flag'][4] & GalaxyFlag.FAILED
        found = read_survey(tmp_path / 'out').band_profiles(0).profiles
        assert found['g']['n_valid'][-1] < 0.9 < found['r']['n_valid'][-1]

    def test_none_is_there(self, folder, tmp_path):
        with pytest.raises(FileNotFoundError,
                           match=r'band g: masks=.* leads to no file'):
            run(folder, tmp_path, masks={'g': 'none/{name}_mask.fits'})

    def test_structure(self, folder, tmp_path):
        run(folder, tmp_path, structure=True)
        table = read_survey(tmp_path).galaxies()
        colour = table['mag_total_g'][[0, 4]] - table['mag_total_r'][[0, 4]]
        assert_allclose(colour.value, COLOURS['g-r'], atol=0.06)
        assert_array_equal(table['mag_total'], table['mag_total_r'])
        assert 'structure_flag_i' in table.colnames
        assert np.isnan(table['mag_total_g'][1])


def measure(image, *, geometry=None, calls=None, **options):
    """
    A fitter: a known profile, fainter by the first pixel.
    """
    image = GalaxyCutout.from_any(image, calibrated=False)
    profile = load_example_truth()[:9]
    profile['intensity'] *= float(image.data[0, 0])
    profile.meta.update(x_centre=4.0, y_centre=4.0)
    for name in ('ra', 'dec'):
        del profile.meta[name]
    return profile


def image_of(factor, *, killers=()):
    def image(row):
        if row['id'] in killers:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((9, 9), factor * (1.0 + row['id'])), {
            'calibrated': False}

    return image


def run_stub(out, *, n=12, killers=(), **options):
    """
    A survey without files; the images of g kill their process.
    """
    options = {'n_workers': 1, 'chunk_size': 6, 'isolate': bool(killers),
               'bands': {'g': image_of(0.5, killers=killers),
                         'r': image_of(1.0)}, **options}
    return run_survey(Table({'id': np.arange(n)}), out, fitter=measure,
                      **options)


class TestRuns:
    @pytest.mark.parametrize('fitter', [
        {'weights': 'captioner'}, Pix2ProfFitter('captioner')])
    def test_network_without_ellipses(self, tmp_path, fitter):
        """
        It is refused before anything is measured.
        """
        with pytest.raises(ValueError, match=(
                "bands must not be given with weights='captioner', a "
                'network that measures along no ellipses')):
            run_survey(Table({'id': [1]}), tmp_path / 'out', fitter=fitter,
                       bands={'g': image_of(0.5), 'r': image_of(1.0)})
        assert not (tmp_path / 'out').exists()

    def test_settings(self, folder, done):
        """
        Everything that determines the results is known.
        """
        again = {'psf_fwhm': {'g': 2.0, 'r': 1.0}}
        assert run(folder, done.out, **again).n_done == 0
        for options, match in (
                ({'reference': 'i'}, "reference was 'r' and is 'i'"),
                ({'colours': ['g-i']}, 'colours was .* and is'),
                ({'bands': {**PATHS, 'g': 'path_i', 'i': 'path_g'}},
                 'g among the bands was'),
                ({'psf_fwhm': {'g': 2.5, 'r': 1.0}}, 'g was .* and is'),
                ({'bands': None, 'images': 'path_r', 'psf_fwhm': 1.0},
                 "kind was 'bands' and is 'column'")):
            with pytest.raises(ValueError, match=match):
                run(folder, done.out, **{**again, **options})

    def test_changed(self, folder, tmp_path):
        """
        An image of any band that changed is noticed.
        """
        copy = tmp_path / 'images'
        copy.mkdir()
        for path in folder.glob('*.fits'):
            (copy / path.name).write_bytes(path.read_bytes())
        table = Table.read(folder / 'cat.ecsv')
        table.write(copy / 'cat.ecsv')
        out = tmp_path / 'out'
        run(copy, out)
        before = rows_of(out)
        with warnings.catch_warnings():
            warnings.simplefilter('error', AstropyUserWarning)
            assert run(copy, out).n_done == 0
        with fits.open(copy / '4_i.fits', 'update') as hdulist:
            hdulist[0].data *= 2
        os.utime(copy / '4_i.fits', (0, 0))
        with pytest.warns(AstropyUserWarning, match='changed since .row 4 '):
            assert run(copy, out).n_done == 0
        with pytest.warns(AstropyUserWarning, match='measured again'):
            assert run(copy, out, changed='redo').n_done == 2
        after = rows_of(out)
        assert_array_equal(before['mag_g'].to_numpy(),
                           after['mag_g'].to_numpy())
        found = read_survey(out).galaxies()['r-i'].value
        assert_allclose(found[4], COLOURS['r-i'] + 2.5 * np.log10(2),
                        atol=0.05)

    def test_restart_and_shares(self, tmp_path):
        """
        Bit for bit the results of one call.
        """
        run_stub(tmp_path / 'whole')
        whole = contents(tmp_path / 'whole')
        out = tmp_path / 'out'
        for number in (2, 1):
            run_stub(out, part=(number, 2))
        assert contents(collect_survey(out).out).keys() >= whole.keys()
        assert {name: data for name, data in contents(out).items()
                if name in whole} == whole
        part_files(out)[1].unlink()
        assert run_stub(out).n_done == 6
        part = part_files(out)[0]
        part.write_bytes(part.read_bytes()[:-50])
        with pytest.warns(AstropyUserWarning, match='is damaged'):
            assert run_stub(out).n_done == 6
        assert {name: data for name, data in contents(out).items()
                if name in whole} == whole

    @pytest.mark.slow
    @pytest.mark.parametrize('readers', [0, 1])
    def test_processes(self, folder, done, tmp_path, readers):
        """
        Two processes, with or without readers.
        """
        pytest.importorskip('distributed')
        run(folder, tmp_path, n_workers=2, readers=readers,
            psf_fwhm={'g': 2.0, 'r': 1.0})
        assert contents(tmp_path) == contents(done.out)

    @pytest.mark.slow
    @pytest.mark.skipif(os.name != 'posix', reason='needs signals')
    def test_image_that_kills(self, tmp_path):
        """
        It loses its band, and nothing else.
        """
        pytest.importorskip('cloudpickle')
        result = run_stub(tmp_path / 'out', n=4, killers=(2,))
        assert (result.n_failed, result.n_failed_bands) == (
            0, {'g': 1, 'r': 0})
        rows = read_survey(tmp_path / 'out').failures
        assert list(rows['index']) == [2]
        assert 'killed by SIGKILL' in rows['message'][0]
        run_stub(tmp_path / 'quiet', n=4)
        one, two = (rows_of(tmp_path / name) for name in ('out', 'quiet'))
        assert one['mag_r'].equals(two['mag_r'])
        good = pa.array([k != 2 for k in range(4)])
        assert one['mag_g'].filter(good).equals(two['mag_g'].filter(good))

    def test_reference_that_kills(self):
        """
        Then no band is measured; nor if they kill only together.
        """
        class Child:
            def __init__(self, guilty):
                self.bands, self.guilty = ['g', 'i'], guilty

            def measure(self, rows, start, *, errors=None, strict=False):
                error = (errors or {}).get(0)
                left = {'g', 'r', 'i'}
                if isinstance(error, BandError):
                    left -= set(error.errors)
                elif error is not None:
                    left = set()
                if self.guilty <= left:
                    msg = 'died'
                    raise ProcessDiedError(msg)
                return rows.append_column('left', pa.array(
                    [''.join(sorted(left))]))

        for guilty, left in (({'r'}, ''), ({'g'}, 'ir'), ({'i'}, 'gr'),
                             ({'g', 'i'}, '')):
            table = measure_apart(Child(guilty), pa.table({'id': [0]}), 0)
            assert table['left'].to_pylist() == [left]

    def test_fitter_that_raises(self, tmp_path):
        """
        An error of the fitter in one band fails that band only.
        """
        class Fitter:
            def __call__(self, image):
                raise NotImplementedError

            def fit_many(self, images, *, workers=0):
                from astro_pix2prof import ProfileBatch

                profiles = []
                for image, options in images:
                    if 'geometry' in options and image.data[0, 0] == 2.0:
                        msg = 'a fault'
                        raise KeyError(msg)
                    profiles.append(measure(image))
                yield ProfileBatch.from_profiles(profiles)

        run_survey(Table({'id': np.arange(6)}), tmp_path, fitter=Fitter(),
                   bands={'g': image_of(0.5), 'r': image_of(1.0)},
                   n_workers=1)
        rows = read_survey(tmp_path).failures
        assert rows['index'].tolist() == [3]
        assert rows['band'].tolist() == ['g']
        assert rows['message'][0] == "KeyError: 'a fault'"

    @pytest.mark.slow
    @pytest.mark.filterwarnings('ignore:The inplace keyword')
    def test_hats(self, folder, tmp_path):
        lsdb = pytest.importorskip('lsdb')
        table = Table.read(folder / 'cat.ecsv')
        table['ra'], table['dec'] = 150 + 0.1 * np.arange(N), 2.0
        for band in FACTORS:
            table[f'path_{band}'] = [f'{folder}/{text}' for text
                                     in table[f'path_{band}']]
        lsdb.from_dataframe(
            table.to_pandas(), ra_column='ra', dec_column='dec',
            lowest_order=1, highest_order=2,
        ).write_catalog(tmp_path / 'hats', progress_bar=False)
        # (the galaxies are where their images say)
        result = run_survey(tmp_path / 'hats', tmp_path / 'out',
                            bands=PATHS, n_workers=1)
        assert (result.n_rows, result.n_failed) == (N, 1)
        assert result.n_failed_bands == {'g': 3, 'r': 1, 'i': 1}
        frame = lsdb.open_catalog(tmp_path / 'out').compute()
        assert_allclose(frame.set_index('id')['r-i'][4], COLOURS['r-i'],
                        atol=0.05)


@pytest.fixture(name='page', scope='module')
def write_page(done):
    path = write_report(done.out, done.out.parent / 'report.html')
    return path.read_text(encoding='utf-8')


class TestReport:
    def test_bands(self, page):
        """
        The flags of each band, and a chart of each colour.
        """
        start = page.index('id="h-bands"')
        table = page[start:page.index('</table>', start)]
        assert re.findall(r'<th class="n">(.)</th>', table) == ['g', 'r', 'i']
        row, = re.findall(r'<code>FAILED</code></td>(.*?)</tr>', table)
        assert re.findall(r'>(\d) ', row) == ['3', '1', '1']
        row, = re.findall(r'<td>measured</td>(.*?)</tr>', table)
        assert re.findall(r'>(\d) ', row) == ['2', '4', '4']
        for name in COLOURS:
            assert f'<figcaption>Colour {name}<small>within R50' in page

    def test_cards(self, page):
        """
        The image of the reference, and few columns of the others.
        """
        text, = re.findall(r'<script type="application/json" id="data">'
                           '(.*?)</script>', page, re.S)
        cards = {card['index']: card for card in json.loads(text)['cards']}
        assert sorted(cards) == list(range(N))
        extra = cards[0]['extra']
        assert extra['flag_i'] == 'FORCED'
        assert {'mag_g', 'mag_i', 'g-r'} <= extra.keys()
        assert not {'sky_g', 'profile_g', 'colours'} & extra.keys()
        assert cards[1]['extra']['flag_g'] == 'FAILED'
        # (an image of another band would not belong to the profile)
        assert cards[2]['note'] == 'image not found: profile only'
        assert cards[0]['picture'].startswith('data:image')
        assert cards[0]['rms'] < 1.5

    def test_options_of_reference(self):
        settings = {'kind': 'bands', 'reference': 'r',
                    'options': {'g': {'hdu': 1}, 'r': {'hdu': 2}}}
        assert image_options(settings) == {'hdu': 2, 'band': None}


class TestCommand:
    """
    The same in the shell.
    """

    def call(self, folder, out, *args):
        return main(['survey', str(folder / 'cat.ecsv'), '--out', str(out),
                     '--workers', '1', '--chunk-size', '3', *args])

    def test_columns(self, folder, done, tmp_path, capsys):
        assert self.call(folder, tmp_path, '--bands',
                         'g=path_g,r=path_r,i=path_i', '--psf-fwhm',
                         'g=2,r=1') == 0
        assert contents(tmp_path) == contents(done.out)
        text = capsys.readouterr().err
        assert ('warning: measured in other bands, but not in g: 2 galaxies:'
                f' see {tmp_path}/_failures.ecsv' in text)

    def test_names(self, folder, tmp_path):
        assert self.call(
            folder, tmp_path, '--bands', 'g', 'i', '--reference', 'i',
            '--colours', 'i-g', '--images', f'{folder}/{{id}}_{{band}}.fits',
            '--mag-system', 'g=Vega,i=AB', '--unit', 'g=nmgy,i=uJy') == 0
        survey = read_survey(tmp_path)
        assert (survey.reference, survey.colours) == ('i', ['i-g'])
        table = survey.galaxies()
        assert set(table['unit_i']) <= {'uJy', ''}
        assert survey.settings['options']['g'] == {
            'mag_system': 'Vega', 'unit': 'nmgy'}

    @pytest.mark.parametrize(('args', 'match'), [
        (['--reference', 'r'], '--reference goes with --bands'),
        (['--bands', 'g=a,g=b'], 'a band is named twice'),
        (['--bands', 'g=path_g', 'r'], 'either the images of all bands'),
        (['--bands', 'g=a,r=b', '--images', 'path_g'],
         'the images stand in it'),
        (['--bands', 'g,r', '--mag-system', 'g=AC,r=AB'],
         "argument --mag-system: invalid choice: 'AC'"),
        (['--bands', 'g,r', '--gain', 'g=x,r=1'],
         'argument --gain: must be a finite number above 0'),
    ])
    def test_usage(self, folder, tmp_path, capsys, args, match):
        with pytest.raises(SystemExit, match='2'):
            self.call(folder, tmp_path / 'out', *args)
        assert match in capsys.readouterr().err

    @pytest.mark.parametrize(('args', 'match'), [
        (['--bands', 'g,r'], '--bands'),
        (['--zeropoint', 'g=25'], 'give --bands'),
        (['--images', 'path_g', '--bands', 'g,r', '--hdu', 'g=1'],
         '--hdu or --band must have a value for r'),
        (['--bands', 'g=path_g,r=path_z'],
         '--bands r=path_z is neither a column of the catalogue'),
    ])
    def test_errors(self, folder, tmp_path, capsys, args, match):
        assert self.call(folder, tmp_path / 'out', *args) == 1
        text = capsys.readouterr().err
        assert match in text
        assert 'bands=' not in text
        assert 'images=' not in text

    def test_pairs(self):
        """
        A comma that no band follows belongs to the value.
        """
        assert band_pairs('g=a,b.fits,r=c') == [('g', 'a,b.fits'),
                                                ('r', 'c')]
        assert band_pairs('g, r') == [('g', None), ('r', None)]
        assert split_by_band('g=a,r=b', ['g', 'r']) == {'g': 'a', 'r': 'b'}
        for text in ('x=1.fits', 'a.fits', None):
            assert split_by_band(text, ['g', 'r']) == text


class TestArguments:
    @pytest.mark.parametrize(('bands', 'options', 'match'), [
        ({'r': 'a'}, {}, "two or more, got .'r'.: give images="),
        ({'r': 'a', 'g': 'b'}, {'images': 'c'},
         'images and bands do not go together'),
        (['g', 'r'], {}, 'needs images= with .band. in it'),
        (['g', 'r'], {'images': 'path'}, 'needs images= with .band. in it'),
        (['g', 'g'], {'images': '{band}'}, 'must differ from each other'),
        (['g', 'r r'], {'images': '{band}'}, "spaces.* got 'r r'"),
        ({'g': 'a', 1: 'b'}, {}, 'names without spaces.*got 1'),
        ({'g': 'a', 'i': 'b'}, {}, "reference must be given where no band "
                                   "is called 'r'"),
        ({'g': 'a', 'r': 'b'}, {'reference': 'z'},
         "reference must be one of the bands .* got 'z'"),
        ({'g': 'a', 'r': 'b'}, {'colours': ['g-z']},
         'colours must be a list of names'),
        ({'err': 'a', 'r': 'b'}, {}, "'err' cannot be used.*sky_err"),
        ({'total': 'a', 'r': 'b'}, {}, "'total' cannot be used.*mag_total"),
        ({'radius': 'a', 'r': 'b'}, {}, "'radius' cannot be used"),
        ({'a': 'a', 'a_err': 'b', 'r': 'c'}, {}, 'must differ from each '
                                                 'other, with _err'),
        (['g', 'r'], {'images': 'm.fits', 'options': {'hdu': {'g': 1}}},
         'bands g and r have the same images: hdu= or band= must have a '
         'value for r'),
        (['g', 'r'], {'images': 'm.fits', 'options': {
            'hdu': {'g': 1, 'r': 1}, 'gain': {'g': 1, 'r': 2}}},
         'bands g and r have the same images and hdu=1: .* must differ'),
        (['g', 'r'], {'images': 'm.fits', 'options': {
            'hdu': 1, 'band': {'g': 0}}}, 'must have a value for r'),
        ({'g': 'a', 'i': 'b', 'r': 'a'}, {},
         'bands g and r have the same images: hdu= or band= must have a '
         'value for g'),
        (None, {'reference': 'r'}, "reference='r' goes with several bands"),
        (None, {'colours': ['g-r']}, 'colours=.* goes with several bands'),
        (None, {'options': {'zeropoint': {'g': 25.0}}},
         'zeropoint has values for the bands .*: give bands='),
    ])
    def test_values(self, bands, options, match):
        with pytest.raises(ValueError, match=match):
            find_bands(bands, options.pop('images', None), **options)

    def test_planes(self):
        """
        Extensions and planes of the same files.
        """
        for options in ({'hdu': {'g': 1, 'r': 2}},
                        {'hdu': 1, 'band': {'g': 0, 'r': 1}},
                        {'hdu': {'g': 1, 'r': 1}, 'band': {'g': 0, 'r': 1}}):
            found = find_bands(['g', 'r'], 'm.fits', options=options)
            assert found.sources == {'g': 'm.fits', 'r': 'm.fits'}

    def test_kinds(self):
        with pytest.raises(TypeError, match='bands must be a dict'):
            find_bands('gr', '{band}')
        with pytest.raises(TypeError, match='reference must be'):
            find_bands(['g', 'r'], '{band}', reference=3)

    @pytest.mark.parametrize(('options', 'match'), [
        ({'bands': {**PATHS, 'g': 'path_z'}},
         "band g: images='path_z' is neither a column"),
        ({'zeropoint': {'z': 25.0}},
         "zeropoint has values for the bands .'z'., which are not in bands"),
        ({'masks': {'z': 'a'}}, 'masks has values for the bands'),
        ({'bands': {**PATHS, 'g': '*.fits'}, 'size': None},
         'band g: no|band g: give|band g: images'),
    ])
    def test_survey(self, folder, tmp_path, options, match, monkeypatch):
        monkeypatch.chdir(folder)
        with pytest.raises(ValueError, match=match):
            run(folder, tmp_path / 'out', **options)
        assert not (tmp_path / 'out').exists()

    def test_kind_of_images(self, folder, tmp_path):
        with pytest.raises(TypeError, match='band g: images must be a '
                                            'column'):
            run(folder, tmp_path / 'out', bands={**PATHS, 'g': 3})
