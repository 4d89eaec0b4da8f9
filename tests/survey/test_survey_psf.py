# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the colours of a survey behind one point-spread function.

Discs with a small bulge have one colour everywhere; g is smeared more than r.
"""

import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Sersic2D
from astropy.table import Table
from astropy.wcs import WCS
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    PSF,
    Pix2ProfFitter,
    RingFlag,
    read_survey,
    run_survey,
)
from astro_pix2prof.cli.main import main
from astro_pix2prof.survey.psfs import BandPSFs

pytest.importorskip('pyarrow')

N, PIXEL, COLOUR = 3, 0.4, 0.6
# Full widths at half maximum (arcsec), and what the catalogue knows of them.
WIDTHS = {'g': 2.2, 'r': 1.0}


def write_image(path, band, seed):
    y, x = np.mgrid[:120, :120]
    image = sum(Sersic2D(amplitude, r_e, 1.0, 59.5, 59.5, 0.2, 0.4)(x, y)
                for amplitude, r_e in ((20.0, 3.0), (4.0, 11.0)))
    image = gaussian_filter(image, WIDTHS[band] / PIXEL / 2.3548)
    image *= 10**(-0.4 * COLOUR) if band == 'g' else 1.0
    image += np.random.default_rng([seed, ord(band)]).normal(
        0, 0.01, image.shape)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
    wcs.wcs.crval = 150.0, 2.0
    wcs.wcs.crpix = 60.5, 60.5
    wcs.wcs.cdelt = -PIXEL / 3600, PIXEL / 3600
    header = wcs.to_header()
    header['BUNIT'] = 'nmgy'
    fits.writeto(path, image.astype(np.float32), header)


@pytest.fixture(name='folder', scope='module')
def make_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('psf')
    for k in range(N):
        for band in 'gr':
            write_image(folder / f'{k}_{band}.fits', band, k)
    table = Table({'id': np.arange(N), 'seeing_g': [2.2, 2.2, np.nan],
                   'seeing_r': [1.0, 2.6, 1.0]})
    table.write(folder / 'cat.ecsv')
    return folder


def run(folder, out, **options):
    return run_survey(folder / 'cat.ecsv', out, **{
        'images': f'{folder}/{{id}}_{{band}}.fits', 'bands': ['g', 'r'],
        'n_workers': 1, **options})


@pytest.fixture(name='done', scope='module')
def run_once(folder):
    run(folder, folder / 'done', psf=WIDTHS)
    return read_survey(folder / 'done')


def test_as_fit_bands(folder, done):
    images = {band: folder / f'1_{band}.fits' for band in 'gr'}
    expected = Pix2ProfFitter().fit_bands(images, psf=WIDTHS)
    found = done.band_profiles(1)
    assert found.colours.meta['psf_matched'] == 'g'
    assert expected.colours.meta['psf_matched'] == 'g'
    for name in expected.colours.colnames:
        one, two = (np.asarray(getattr(table[name], 'value', table[name]))
                    for table in (found.colours, expected.colours))
        assert_allclose(one, two, rtol=2e-4, atol=3e-4, err_msg=name)
    # the profiles are as measured
    assert not np.any(found.profiles['r']['flag'] & RingFlag.PSF_CORRECTED)
    assert np.any(found.colours['r_flag'] & RingFlag.PSF_CORRECTED)


def test_of_galaxies(folder, done, tmp_path):
    """
    The colour within the half-light radius, and that of the rings.
    """
    run(folder, tmp_path / 'plain')
    plain = read_survey(tmp_path / 'plain')
    off, before = (np.abs(survey.galaxies(['g-r'])['g-r'].value - COLOUR)
                   for survey in (done, plain))
    assert np.all(off < 0.02)
    assert np.all(before > 0.05)
    for k in range(N):
        colours = done.band_profiles(k).colours
        inner = colours['radius'].value < 10
        assert_allclose(colours['g-r'][inner].value, COLOUR, atol=0.04)
        raw = plain.band_profiles(k).colours
        assert np.abs(raw['g-r'][0].value - COLOUR) > 0.3
    # (only the colours differ)
    for name in ('mag_g', 'mag_r', 'radius_50'):
        assert_allclose(done.galaxies([name])[name].value,
                        plain.galaxies([name])[name].value, rtol=1e-6)
    assert 'psf_matched' not in plain.galaxies().colnames
    assert 'psf_matched' not in plain.band_profiles(0).colours.meta


def test_columns(folder, tmp_path):
    """
    Each galaxy has its own widths; without one there is no colour.
    """
    run(folder, tmp_path / 'out', columns=['id'],
        psf={'g': 'seeing_g', 'r': 'seeing_r'})
    survey = read_survey(tmp_path / 'out')
    table = survey.galaxies()
    assert list(table['psf_matched']) == ['g', 'r', 'r']
    assert 'seeing_g' not in table.colnames
    assert_allclose(table['g-r'][0].value, COLOUR, atol=0.02)
    assert np.isfinite(table['g-r'][1])
    assert np.isnan(table['g-r'][2])
    assert np.isfinite(table['mag_g'][2])
    colours = survey.band_profiles(2).colours
    assert np.isnan(colours['g']).all()
    assert np.isfinite(colours['r']).any()


def test_reference_without_width(folder, tmp_path):
    run(folder, tmp_path / 'out', reference='g',
        psf={'g': 'seeing_g', 'r': 1.0})
    table = read_survey(tmp_path / 'out').galaxies()
    assert list(table['psf_matched']) == ['g', 'g', '']
    assert np.isnan(table['g-r'][2])


def test_failed_band(folder, tmp_path):
    """
    A band without an image loses nothing but its colours.
    """
    for k in range(N):
        shutil.copy(folder / f'{k}_r.fits', tmp_path)
    shutil.copy(folder / '0_g.fits', tmp_path)
    (tmp_path / 'cat.ecsv').write_text((folder / 'cat.ecsv').read_text())
    run(tmp_path, tmp_path / 'out', psf=WIDTHS)
    table = read_survey(tmp_path / 'out').galaxies()
    assert np.isfinite(table['g-r'].value).tolist() == [True, False, False]
    assert np.isfinite(table['mag_r']).all()


def test_other_survey(folder, done):
    """
    Colours behind another PSF are other results.
    """
    with pytest.raises(ValueError, match='another survey'):
        run(folder, done.folder, psf={'g': 2.2, 'r': 1.1})
    assert run(folder, done.folder, psf=WIDTHS).n_skipped == N


def test_descriptions():
    y, x = np.mgrid[-10:11, -10:11]
    array = np.exp(-(x**2 + y**2) / 8.0)
    known = [BandPSFs({'g': one, 'r': 'seeing'}, ['g', 'r'],
                      ['seeing']).describe()
             for one in (1.4, array, PSF(array), 1.5)]
    assert known[0]['r'] == 'column seeing'
    assert known[1] == known[2]
    assert len({text['g'] for text in known}) == 3


@pytest.mark.parametrize(('options', 'error', 'match'), [
    ({'psf': WIDTHS, 'bands': None, 'images': '{id}_r.fits'}, ValueError,
     'is for the colours of several bands'),
    ({'psf': {'g': 1.4}}, ValueError, 'must have a PSF for each of the'),
    ({'psf': 1.4}, TypeError, 'must be a dict with the PSF of each band'),
    ({'psf': {'g': 1.4, 'r': 'seeing_x'}}, FileNotFoundError, 'seeing_x'),
    ({'psf': {'g': 1.4, 'r': 'seeing_x'}}, FileNotFoundError,
     r"psf: 'seeing_x' of band 'r' is neither a column of the catalogue "
     r'\(id, seeing_g, seeing_r\) nor a file: give a column'),
    ({'psf': {'g': 1.4, 'r': 'psf.fits[2]'}}, FileNotFoundError,
     r"'psf\.fits\[2\]' of band 'r' is neither")])
def test_errors(folder, tmp_path, options, error, match):
    with pytest.raises(error, match=match):
        run(folder, tmp_path / 'out', **options)
    assert not (tmp_path / 'out').exists()


def test_command(folder, done, tmp_path, capsys):
    base = ['survey', str(folder / 'cat.ecsv'), '--out',
            str(tmp_path / 'out'), '--images',
            f'{folder}/{{id}}_{{band}}.fits', '--bands', 'g,r', '--workers',
            '1', '--quiet']
    assert main([*base, '--psf', 'g=2.2,r=nocol']) == 1
    assert "--psf: 'nocol' of band 'r' is neither a column of" in (
        capsys.readouterr().err)
    assert main([*base, '--psf', 'g=2.2,r=seeing_r']) == 0
    table = read_survey(tmp_path / 'out').galaxies()
    assert list(table['psf_matched']) == ['g', 'r', 'g']
    expected = done.galaxies(['g-r'])
    assert_allclose(table['g-r'][0].value, expected['g-r'][0].value,
                    atol=1e-4)
    for args, match in ((['--psf', '1.4'], 'give one for each band'),):
        with pytest.raises(SystemExit):
            main([*base, *args])
        assert match in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*base[:4], '--images', 'id', '--psf', 'g=1.4'])
    assert '--psf goes with --bands' in capsys.readouterr().err
