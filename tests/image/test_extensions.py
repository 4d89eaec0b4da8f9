# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the extensions module: the roles that names of extensions and
files tell.
"""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance, VarianceUncertainty
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.companions import read_plane
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.extensions import find_role, is_companion

SHAPE = (30, 40)


def make_images(*planes, primary=False):
    image = np.random.default_rng(0).normal(5.0, 0.5, SHAPE)
    header = fits.Header({'BUNIT': 'nmgy'})
    first = [fits.PrimaryHDU(image, header)] if primary else [
        fits.PrimaryHDU(), fits.ImageHDU(image, header, name='SCI')]
    return fits.HDUList([*first, *planes])


def cut_quietly(images, **options):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return GalaxyCutout(images, pixel_scale=0.4, **options)


def read_quietly(*args):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return read_plane(*args)


@pytest.mark.parametrize(('name', 'kind', 'power'), [
    ('EXPMAP', 'weight', 1), ('exposure_map', 'weight', 1),
    ('WEIGHTMAP', 'weight', 1), ('Weight Map', 'weight', 1),
    ('WHT', 'weight', 1), ('COVERAGE', 'weight', 1), ('COVMAP', 'weight', 1),
    ('GOODPIX', 'weight', 1), ('RMSMAP', 'error', 1), ('RMS_MAP', 'error', 1),
    ('ERROR IMAGE', 'error', 1), ('VARMAP', 'error', 2),
    ('IVAR_MAP', 'error', -2), ('INVVAR_R', 'error', -2),
    ('FLAGMAP', 'mask', 1), ('BPM', 'mask', 1), ('BAD_PIXEL_MASK', 'mask', 1),
    ('OBJMASK', 'objects', 1), ('SEGM', 'objects', 1),
    ('SEGMENTATION', 'objects', 1), ('SEGMENTATION_MAP', 'objects', 1),
    ('BACKGROUND', 'other', 1)])
def test_names(name, kind, power):
    role = find_role(name)
    assert (role.kind, role.power) == (kind, power)


@pytest.mark.parametrize('name', [
    '', 'SCI', 'IMAGE', 'SIGNAL', 'EXP_1', 'EXPOSURE_3', 'CHIP1', 'MAP',
    'VARIABLE', 'PRIMARY'])
def test_names_of_images(name):
    assert find_role(name) is None
    assert not is_companion(name)


@pytest.mark.parametrize('primary', [True, False])
class TestBesideAnImage:
    @pytest.mark.parametrize('name', ['EXPMAP', 'WEIGHTMAP', 'COVERAGE_MAP'])
    def test_weights(self, name, primary):
        plane = np.full(SHAPE, 900.0)
        plane[:4] = 0
        cutout = cut_quietly(make_images(fits.ImageHDU(plane, name=name),
                                         primary=primary))
        np.testing.assert_array_equal(cutout.mask, plane == 0)
        assert cutout.noise is None

    @pytest.mark.parametrize(('name', 'value'), [
        ('RMSMAP', 0.5), ('VAR_MAP', 0.25), ('ivar map', 4.0)])
    def test_errors(self, name, value, primary):
        plane = fits.ImageHDU(np.full(SHAPE, value), name=name)
        cutout = cut_quietly(make_images(plane, primary=primary))
        np.testing.assert_allclose(cutout.noise, 0.5)

    @pytest.mark.parametrize('name', ['FLAGMAP', 'FLAGS', 'BADPIXELMASK'])
    def test_masks(self, name, primary):
        plane = np.zeros(SHAPE, 'i2')
        plane[3, 5] = 2
        cutout = cut_quietly(make_images(fits.ImageHDU(plane, name=name),
                                         primary=primary))
        np.testing.assert_array_equal(cutout.mask, plane == 2)

    @pytest.mark.parametrize('name', ['OBJMASK', 'SEGM', 'SEGMENTATION'])
    def test_objects(self, name, primary):
        plane = fits.ImageHDU(np.ones(SHAPE, 'i2'), name=name)
        assert not cut_quietly(make_images(plane, primary=primary)).mask.any()


def test_image_after_others():
    images = make_images()
    for name in ('EXPMAP', 'RMSMAP', 'SKY'):
        images.insert(1, fits.ImageHDU(np.full(SHAPE, 7.0), name=name))
    cutout = cut_quietly(images)
    assert cutout.data.mean() == pytest.approx(5.0, abs=0.1)


def test_unknown_name_that_looks_like_one():
    planes = [fits.ImageHDU(np.ones(SHAPE), name='NIGHT1_RMS'),
              fits.ImageHDU(np.ones(SHAPE), name='STAR MASK'),
              fits.ImageHDU(np.ones((5, 5)), name='PSF_ERR')]
    match = (r'2 extensions may be a mask, error or weight by the name \(1 '
             r'NIGHT1_RMS, 2 STAR MASK\), which is not known, and not used')
    with pytest.warns(AstropyUserWarning, match=match):
        cutout = GalaxyCutout(make_images(*planes, primary=True),
                              pixel_scale=0.4)
    assert cutout.noise is None
    assert not cutout.mask.any()


def test_inverse_variance_that_is_a_time():
    plane = np.full(SHAPE, 900.0)
    plane[:4] = 0
    images = make_images(fits.ImageHDU(plane, fits.Header({'BUNIT': 's'}),
                                       name='IVAR'))
    match = "IVAR is in 's', as exposure times are: only its zeros are used"
    with pytest.warns(AstropyUserWarning, match=match):
        cutout = GalaxyCutout(images, pixel_scale=0.4)
    assert cutout.noise is None
    np.testing.assert_array_equal(cutout.mask, plane == 0)


@pytest.fixture(name='path')
def make_path(tmp_path):
    path = tmp_path / 'planes.fits'
    fits.HDUList([fits.PrimaryHDU(), *(
        fits.ImageHDU(np.full(SHAPE, 4.0), name=name)
        for name in ('CONF', 'WHT', 'RMS', 'VAR_MAP', 'IVAR', 'BPM', 'SEG',
                     'SKY', 'EXPMAP'))]).writeto(path)
    return path


@pytest.mark.parametrize(('option', 'name', 'match'), [
    ('mask', 'CONF', 'of which high values are good, by its name, and is not '
     r'what mask takes: make a mask of them, .* weight == 0'),
    ('mask', 'EXPMAP', 'weights, exposures'), ('mask', 'RMS', 'errors of the'),
    ('uncertainty', 'WHT', 'invvar'), ('uncertainty', 'BPM', 'a mask'),
    ('invvar', 'RMS', 'holds errors .* are given as uncertainty'),
    ('invvar', 'VAR_MAP', 'holds errors'), ('invvar', 'EXPMAP', 'exposures'),
    ('invvar', 'CONF', 'confidences'), ('invvar', 'BPM', 'a mask'),
    ('background', 'BPM', 'a mask'), ('background', 'IVAR', 'errors')])
def test_extension_of_another_kind(path, option, name, match):
    with pytest.raises(ValueError, match=match):
        read_plane(option, path, name)


def test_extensions_of_the_right_kind(path):
    for option, name in (('mask', 'BPM'), ('uncertainty', 'RMS'),
                         ('invvar', 'IVAR'), ('invvar', 'WHT'),
                         ('background', 'SKY')):
        assert np.asarray(read_quietly(option, path, name))[0, 0] == 4.0
    assert isinstance(read_quietly('uncertainty', path, 'VAR_MAP'),
                      VarianceUncertainty)
    assert isinstance(read_quietly('uncertainty', path, 'IVAR'),
                      InverseVariance)
    assert read_quietly('mask', path)[0, 0] == 4.0


def test_objects_as_a_mask(path):
    match = 'numbers of objects, of which the galaxy is one, .* all the same'
    with pytest.warns(AstropyUserWarning, match=match):
        assert read_plane('mask', path, 'SEG')[0, 0] == 4.0


@pytest.mark.parametrize(('option', 'name', 'is_told'), [
    ('mask', 'x.weight.fits', True), ('mask', 'x_conf.fits.gz', True),
    ('mask', 'x_exp_map.fits', True), ('mask', 'x-seg.fits', True),
    ('invvar', 'x_rms.fits', True), ('uncertainty', 'x_mask.fits', True),
    ('mask', 'x_mask.fits', False), ('mask', 'noweight.fits', False),
    ('invvar', 'x_wht.fits', False), ('uncertainty', 'x_rms.fits', False),
    ('background', 'x_sky.fits', False), ('mask', 'mask.fits', False)])
def test_names_of_files(tmp_path, option, name, is_told):
    path = tmp_path / name
    fits.PrimaryHDU(np.full(SHAPE, 4.0)).writeto(path)
    if not is_told:
        assert read_quietly(option, path)[0, 0] == 4.0
        return
    match = f'{name} holds .* not what {option} takes: it is used as {option}'
    with pytest.warns(AstropyUserWarning, match=match):
        assert read_plane(option, path)[0, 0] == 4.0


@pytest.mark.parametrize(('name', 'match'), [
    ('x_var.fits', 'holds variances, .* the name VAR'),
    ('x.ivar.fits', 'holds inverse variances, .* give it as invvar')])
def test_variances_by_the_name_of_a_file(tmp_path, name, match):
    path = tmp_path / name
    fits.PrimaryHDU(np.full(SHAPE, 4.0)).writeto(path)
    with pytest.warns(AstropyUserWarning, match=match):
        assert read_plane('uncertainty', path)[0, 0] == 4.0


class TestTakenAsTheImage:
    """
    A mask, error or weight that is measured as if it were an image.
    """

    @pytest.mark.parametrize(('name', 'held'), [
        ('WHT', 'weights'), ('DQ', 'a mask'), ('RMSMAP', 'errors'),
        ('SEGM', 'numbers of objects'), ('CTX', 'bits of exposures')])
    def test_extension(self, name, held):
        plane = fits.ImageHDU(np.random.default_rng(1).normal(5, 1, SHAPE),
                              fits.Header({'BUNIT': 'nmgy'}), name=name)
        match = (f'the extension {name} is taken as the image, although it '
                 f'holds {held} by its name')
        for image, hdu in ((make_images(plane), 2), (plane, None)):
            with pytest.warns(AstropyUserWarning, match=match):
                GalaxyCutout(image, hdu=hdu, pixel_scale=0.4)

    @pytest.mark.parametrize(('name', 'is_told'), [
        ('x_rms', True), ('x.weight', True), ('x-mask', True),
        ('x_sci', False), ('mask', False), ('x_rms_2', False),
        ('nomask', False)])
    def test_file(self, tmp_path, name, is_told):
        path = tmp_path / f'{name}.fits'
        make_images(primary=True).writeto(path)
        if not is_told:
            cut_quietly(path)
            return
        match = f'{name} is taken as the image, although it holds'
        with pytest.warns(AstropyUserWarning, match=match):
            GalaxyCutout(path, pixel_scale=0.4)

    def test_primary_image_before_the_science_image(self):
        """
        As a thumbnail or a model, which is the first image.
        """
        images = make_images()
        images[0].data = np.random.default_rng(1).normal(9.0, 0.5, SHAPE)
        match = r'holds 2 images \(0 PRIMARY, 1 SCI\): the first is taken'
        with pytest.warns(AstropyUserWarning, match=match):
            cutout = GalaxyCutout(images, unit='nmgy', pixel_scale=0.4)
        assert cutout.data.mean() == pytest.approx(9.0, abs=0.1)
        assert cut_quietly(images, hdu=1).data.mean() == pytest.approx(
            5.0, abs=0.1)
        # (where nothing says that another one is meant)
        images[1].name = 'MODEL'
        cut_quietly(images, unit='nmgy')


def test_flags_of_ccddata():
    image = np.random.default_rng(0).normal(5.0, 0.5, SHAPE)
    flags = np.zeros(SHAPE, int)
    cut_quietly(CCDData(image, unit='nmgy', flags=flags))
    flags[2, 3] = 4
    with pytest.warns(AstropyUserWarning, match='flags of the image are not'):
        GalaxyCutout(CCDData(image, unit='nmgy', flags=flags),
                     pixel_scale=0.4)


def test_error_of_another_version():
    """
    The only error of a file may be that of another chip.
    """
    images = make_images(fits.ImageHDU(np.full(SHAPE, 0.5), name='ERR'))
    images.append(fits.ImageHDU(images[1].data, images[1].header, ver=2))
    assert cut_quietly(images, hdu=('SCI', 2)).noise is None
    np.testing.assert_allclose(cut_quietly(images, hdu=('SCI', 1)).noise, 0.5)
    # (of a list without versions, all are 1)
    images[3].ver = 1
    np.testing.assert_allclose(cut_quietly(images, hdu=3).noise, 0.5)
