# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the morphology by statmorph.

The values of its own regression test, on its own image, are those of version
0.7 of statmorph (Rodriguez-Gomez et al. 2019).
"""

import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Sersic2D
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import GalaxyCutout, IsophoteFitter, measure_morphology
from astro_pix2prof.cli import main
from astro_pix2prof.psf.model import PSF
from astro_pix2prof.structure.morphology import (
    MORPHOLOGY_COLUMNS,
    _bad_pixels,
    _find_psf,
    _sigma,
    find_segment,
)

statmorph = pytest.importorskip('statmorph')

SHAPE = (81, 85)
SKY, SIGMA = 40.0, 1.0


def make_image(seed=0, *, star=None, amplitude=60.0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    image = Sersic2D(amplitude, r_eff=5, n=1.5, x_0=42.3, y_0=39.6,
                     ellip=0.3, theta=0.5)(x, y) + SKY
    if star is not None:
        height, x_0, y_0 = star
        image += height * np.exp(-0.5 * ((x - x_0)**2 + (y - y_0)**2)
                                 / 1.5**2)
    return image + rng.normal(scale=SIGMA, size=SHAPE)


def fit_image(image, **options):
    return IsophoteFitter().fit(image * u.nJy, pixel_scale=0.5, **options)


@pytest.fixture(scope='module')
def fit():
    return fit_image(make_image())


@pytest.fixture(scope='module')
def morphology(fit):
    return measure_morphology(fit)


def test_columns(morphology):
    for column in MORPHOLOGY_COLUMNS:
        unit = {'pix': u.pix, 'length': u.arcsec, 'angle': u.deg,
                'flux': u.nJy, 'sum': u.nJy, '': None}[column.unit]
        assert getattr(morphology[column.name], 'unit', None) == unit
        assert np.isfinite(morphology[column.name][0])
    assert (morphology['flag'][0], morphology['quality'][0]) == (0, 'good')
    assert 'Image' not in morphology['messages'][0]
    assert morphology['masked_fraction'][0] < 0.02


def test_values_of_a_sersic_galaxy(morphology):
    row = morphology[0]
    assert_allclose(row['sersic_n'], 1.5, rtol=0.05)
    assert_allclose(row['sersic_rhalf'].to_value(u.arcsec), 2.5, rtol=0.03)
    assert_allclose(row['sersic_ellip'], 0.3, atol=0.02)
    assert_allclose(row['sersic_theta'].to_value(u.deg), np.degrees(0.5),
                    atol=2)
    assert_allclose([row['xc_asymmetry'].value, row['yc_asymmetry'].value],
                    [42.3, 39.6], atol=0.2)
    assert abs(row['asymmetry']) < 0.03
    assert_allclose(row['sky_sigma'].value, SIGMA, rtol=0.2)


@pytest.mark.parametrize('fill', [True, False])
def test_same_as_statmorph_by_hand(fill):
    """
    The image, mask, segment and errors that are fed are those of the fit.
    """
    fit = fit_image(make_image(star=(100.0, 51.0, 47.0)))
    data = fit.cutout.data.astype(float) - fit.sky
    if fill:
        data = np.where(fit.mask, fit.model(), data)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        by_hand = statmorph.SourceMorphology(
            data, find_segment(fit).astype(int), 1,
            mask=None if fill else fit.mask,
            weightmap=np.full(SHAPE, float(fit.cutout.background_noise)))
        found = measure_morphology(fit, fill=fill)
    for name in ('gini', 'm20', 'concentration', 'asymmetry', 'smoothness',
                 'multimode', 'intensity', 'deviation', 'shape_asymmetry',
                 'sn_per_pixel', 'sersic_n'):
        assert_allclose(found[name][0], by_hand[name], rtol=1e-10)
    assert_allclose(found['rpetro_ellip'][0].value,
                    0.5 * by_hand.rpetro_ellip)
    assert found['quality'][0] == {0: 'good', 1: 'suspect',
                                   2: 'bad'}[by_hand.flag]


def test_regression_of_statmorph(real_data):
    """
    The values that statmorph's own tests have for its own image.
    """
    with fits.open(real_data / 'statmorph_slice' / 'slice.fits') as hdus:
        image, segment, mask = (hdu.data.astype(kind) for hdu, kind in zip(
            hdus, (np.float32, int, bool), strict=True))
    expected = {
        'concentration': 2.19100140632153, 'asymmetry': 0.00377345808887,
        'smoothness': 0.00430880839402, 'gini': 0.38993180299621,
        'm20': -1.54448930789228, 'multimode': 0.23423423423423,
        'intensity': 0.51203949030140, 'deviation': 0.01522525597953,
        'outer_asymmetry': -0.01821399684443,
        'shape_asymmetry': 0.16308278287864,
        'sn_per_pixel': 6.80319166183472,
        'gini_m20_bulge': -0.95950648479940,
        'gini_m20_merger': -0.15565152883078,
        'xc_asymmetry': 82.23985214801982,
        'rpetro_circ': 40.93755531944313, 'rpetro_ellip': 41.64283484446126,
        'rhalf_ellip': 22.08125638365687, 'r20': 11.69548630967248,
        'flux_circ': 5758942.65115976985544, 'sky_sigma': 150.91754150390625,
        'orientation_asymmetry': np.degrees(-0.85405676626920)}
    # its weights are those of a gain of 1
    sigma = np.sqrt(np.abs(image) + expected['sky_sigma']**2)
    cutout = GalaxyCutout(image, noise=sigma, mask=mask, calibrated=False)
    done = SimpleNamespace(cutout=cutout, mask=mask, sky=0.0, centre=(81, 80),
                           model=lambda: image, object_mask=lambda: None)
    found = measure_morphology(done, segmentation=segment)
    for name, value in expected.items():
        got = found[name][0]
        assert_allclose(getattr(got, 'value', got), value, rtol=2e-6,
                        err_msg=name)
    # least squares of another version of astropy end a little elsewhere
    assert_allclose(found['sersic_n'][0], 0.61206828194077, rtol=1e-4)
    assert_allclose(found['sersic_rhalf'][0].value, 22.45788866502031,
                    rtol=1e-4)
    assert (found['flag'][0], found['flag_sersic'][0]) == (0, 0)


def test_star_is_taken_out(morphology):
    """
    A star that counts without the mask of the fit changes little with it.
    """
    fit = fit_image(make_image(star=(100.0, 51.0, 47.0)))
    assert fit.mask[47, 51]
    # (a good part of this small galaxy is masked)
    with pytest.warns(AstropyUserWarning, match='of the galaxy is masked'):
        found = measure_morphology(fit)
    fit.mask[:] = False
    bare = measure_morphology(fit)
    assert abs(found['asymmetry'][0] - morphology['asymmetry'][0]) < 0.03
    for name, most in (('gini', 0.01), ('m20', 0.05),
                       ('concentration', 0.05)):
        clean = morphology[name][0]
        assert abs(found[name][0] - clean) < most
        assert abs(bare[name][0] - clean) > 2 * abs(found[name][0] - clean)


def test_masked_galaxy(fit):
    mask = fit.mask.copy()
    mask[:, 44:] = True
    half = replace(fit, mask=mask)
    with pytest.warns(AstropyUserWarning, match=r'4\d% of the galaxy is '
                                                r'masked: its morphology is '
                                                r'partly that of its smooth'):
        found = measure_morphology(half)
    assert 0.35 < found['masked_fraction'][0] < 0.5
    with pytest.raises(TypeError, match='fill must be'):
        measure_morphology(fit, fill='no')


def test_segment(fit):
    segment = find_segment(fit)
    assert segment[40, 42]
    assert not segment[:5].any()
    # everything is connected
    radius = np.sqrt(segment.sum() / np.pi)
    assert 10 < radius < 30
    # masked pixels neither cut the galaxy nor add to it
    mask = fit.mask.copy()
    mask[36:45, 46] = True
    assert (find_segment(fit, mask) != segment).mean() < 0.01


def test_given_segment(fit):
    segment = np.zeros(SHAPE, bool)
    segment[28:52, 30:55] = True
    found = measure_morphology(fit, segmentation=segment)
    assert_allclose(found['xc_centroid'][0].value, 42.3, atol=0.5)
    with pytest.raises(ValueError, match=r'segmentation must have the shape '
                                         r'of the image, \(81, 85\)'):
        measure_morphology(fit, segmentation=segment[1:])
    with pytest.raises(ValueError, match='must have a usable pixel'):
        measure_morphology(fit, segmentation=np.zeros(SHAPE))


def test_psf(fit, morphology):
    """
    A PSF makes the Sersic fit steeper; a width is a Gaussian.
    """
    size = np.arange(-8, 9)
    kernel = np.exp(-0.5 * (size / (3.0 / 2.35482))**2)
    kernel = kernel[:, None] * kernel
    assert measure_morphology(fit, psf=kernel)['sersic_n'][0] > (
        morphology['sersic_n'][0] * 1.03)
    cutout = fit.cutout
    image = _find_psf(kernel, cutout)
    assert_allclose(image.sum(), 1)
    middle = slice(3, -3)
    for width in (1.5, 1.5 * u.arcsec, 3 * u.pix):
        found = _find_psf(width, cutout)
        assert found.shape == (13, 13)
        assert_allclose(found, image[2:-2, 2:-2], rtol=2e-3)
        assert found[middle, middle].argmax() == 24
    of_class = _find_psf(PSF(1.5), cutout)
    assert_allclose(of_class.sum(), 1)
    trim = len(of_class) // 2 - 4
    assert_allclose(of_class[trim:-trim, trim:-trim], image[4:-4, 4:-4],
                    rtol=0.05)
    known = GalaxyCutout.from_any(cutout, psf_fwhm=1.5)
    assert_allclose(_find_psf(None, known), found)
    assert _find_psf(None, cutout) is None
    with pytest.raises(ValueError, match='psf must be an image with odd'):
        measure_morphology(fit, psf=np.ones((4, 5)))
    with pytest.raises(ValueError, match='psf must be'):
        measure_morphology(fit, psf=-1.0)


def test_errors_of_the_image(fit):
    """
    The noise of the image, or its gain, is used for the weights.
    """
    cutout = fit.cutout
    assert_allclose(_sigma(fit), cutout.background_noise)
    assert_allclose(_sigma(fit), SIGMA, rtol=0.1)
    noise = np.linspace(1, 2, cutout.data.size).reshape(SHAPE)
    given = GalaxyCutout(cutout.data, noise=noise, calibrated=False)
    assert_allclose(_sigma(replace(fit, cutout=given)), noise, rtol=1e-6)
    gain = replace(fit, cutout=GalaxyCutout.from_any(cutout, gain=0.5))
    expected = np.sqrt(cutout.background_noise**2
                       + np.maximum(fit.model(), 0) / 0.5)
    assert_allclose(_sigma(gain), expected)
    assert _sigma(gain).max() > 5


def test_flags_in_words():
    """
    A galaxy that fills its frame has no sky, and a word that says so.
    """
    y, x = np.mgrid[:41, :41]
    image = Sersic2D(100.0, r_eff=20, n=1, x_0=20, y_0=20, ellip=0.2,
                     theta=0)(x, y)
    image += np.random.default_rng(1).normal(scale=0.1, size=image.shape)
    fit = IsophoteFitter(sky=0.0).fit(image * u.nJy, pixel_scale=0.5)
    with pytest.warns(AstropyUserWarning, match=r'morphology is bad: .*sky'):
        found = measure_morphology(fit)
    assert found['quality'][0] == 'bad'
    assert 'Skybox not found' in found['messages'][0]
    assert np.isnan(found['sky_sigma'][0])


def test_no_galaxy(fit):
    empty = SimpleNamespace(
        cutout=fit.cutout, mask=fit.mask, sky=1e4, centre=fit.centre,
        model=lambda: np.zeros(SHAPE), object_mask=lambda: None)
    with pytest.raises(ValueError, match=r'brighter than 1\.5 times'):
        measure_morphology(empty)
    hidden = SimpleNamespace(
        cutout=fit.cutout, mask=np.ones(SHAPE, bool), sky=fit.sky,
        centre=fit.centre, model=fit.model, object_mask=lambda: None)
    with pytest.raises(ValueError, match='got all masked'):
        measure_morphology(hidden)
    with pytest.raises(TypeError, match='fit must be the result of fitter'):
        measure_morphology(fit.profile)
    with pytest.raises(TypeError, match=r'has no such option: .*petro'):
        measure_morphology(fit, petro=2)


def test_objects_of_a_network_are_masked(fit):
    star = np.zeros(SHAPE, bool)
    star[46, 52] = True
    seen = SimpleNamespace(
        cutout=fit.cutout, mask=fit.mask, sky=fit.sky, centre=fit.centre,
        model=fit.model, object_mask=lambda: star)
    assert_array_equal(_bad_pixels(seen), fit.mask | star)


def test_without_statmorph(fit, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, 'statmorph', None)
    with pytest.raises(ImportError, match=r'the morphology needs statmorph: '
                                          r'.*astro_pix2prof\[morphology\]'):
        measure_morphology(fit)
    with pytest.raises(SystemExit):
        main(['fit', 'x.fits', '--morphology', '--out', str(tmp_path)])
    assert '--morphology: the morphology needs' in capsys.readouterr().err


def test_command_line(tmp_path, capsys):
    header = fits.Header({'BUNIT': 'nJy'})
    for name, amplitude in (('a', 60.0), ('b', 30.0)):
        fits.writeto(tmp_path / f'{name}.fits', make_image(
            amplitude=amplitude).astype('f4'), header)
    out = tmp_path / 'out'
    args = ['fit', str(tmp_path / 'a.fits'), str(tmp_path / 'b.fits'),
            '--pixel-scale', '0.5', '--quiet',
            '--morphology', '--out', str(out)]
    assert main(args) == 0
    table = QTable.read(out / 'morphology.ecsv')
    assert list(table['image']) == ['a', 'b']
    assert list(table['quality']) == ['good', 'good']
    assert table['r50'].unit == u.arcsec
    assert main(args) == 1
    assert '--morphology' in capsys.readouterr().err


def test_unlike_units(tmp_path):
    """
    Images of unlike units have a column for the unit, and lose nothing.
    """
    for name, unit in (('a', 'nJy'), ('b', 'MJy/sr')):
        fits.writeto(tmp_path / f'{name}.fits', make_image().astype('f4'),
                     fits.Header({'BUNIT': unit}))
    out = tmp_path / 'out'
    assert main(['fit', str(tmp_path / 'a.fits'), str(tmp_path / 'b.fits'),
                 '--pixel-scale', '0.5', '--quiet',
                 '--morphology', '--psf', '1.5', '--out', str(out)]) == 0
    table = QTable.read(out / 'morphology.ecsv')
    assert list(table['sky_mean_unit']) == ['nJy', 'MJy / sr']
    assert_allclose(table['sky_mean'][1], table['sky_mean'][0])
    # (sums of a surface brightness over pixels are fluxes)
    area = ((0.5 * u.arcsec)**2).to_value(u.sr)
    flux = table['flux_ellip'].to_value(u.nJy)
    assert_allclose(flux[1] / flux[0], area * 1e15, rtol=1e-4)
    # --psf is that of the Sersic fit
    fit = fit_image(make_image())
    assert table['sersic_n'][0] > measure_morphology(fit)['sersic_n'][0] * 1.03


def test_command_line_without_a_galaxy(tmp_path, capsys, monkeypatch):
    """
    Without a morphology there is still a profile, and a status that says so.
    """
    fits.writeto(tmp_path / 'a.fits', make_image().astype('f4'),
                 fits.Header({'BUNIT': 'nJy'}))

    def fail(fit, psf=None):
        msg = 'no segment'
        raise ValueError(msg)

    monkeypatch.setattr(
        'astro_pix2prof.structure.morphology.measure_morphology', fail)
    assert main(['fit', str(tmp_path / 'a.fits'),
                 '--pixel-scale', '0.5', '--morphology', '--out',
                 str(tmp_path)]) == 1
    assert 'no morphology: no segment' in capsys.readouterr().err
    assert (tmp_path / 'a_profile.ecsv').is_file()
    assert not (tmp_path / 'morphology.ecsv').exists()
