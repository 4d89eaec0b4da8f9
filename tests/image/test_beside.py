# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the beside module: files beside an image that are not read.
"""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.beside import file_role, unread_files
from astro_pix2prof.image.cutout import GalaxyCutout

SHAPE = (30, 40)


@pytest.fixture(name='folder')
def make_folder(tmp_path):
    image = np.random.default_rng(0).normal(5.0, 0.5, SHAPE)
    header = fits.Header({'BUNIT': 'nmgy'})
    for name in ('x', 'x_sci', 'y'):
        fits.PrimaryHDU(image, header).writeto(tmp_path / f'{name}.fits')
    return tmp_path


def put(folder, name, value=1.0):
    fits.PrimaryHDU(np.full(SHAPE, value)).writeto(folder / name)


def cut_quietly(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return GalaxyCutout(path, pixel_scale=0.4, **options)


MASK, ONES = np.zeros(SHAPE, dtype=bool), np.ones(SHAPE)


@pytest.mark.parametrize(('name', 'match', 'given'), [
    ('x_mask.fits', 'give it as mask=', {'mask': MASK}),
    ('x.flag.fits', 'give it as mask=', {'mask': MASK}),
    ('x-dq.fits', 'give it as mask=', {'mask': MASK}),
    ('x_unc.fits', 'give it as noise=', {'noise': 1.0}),
    ('x.ivar.fits', 'inverse variances, invvar=', {'invvar': ONES}),
    ('x.rms.fits', 'give it as noise=', {'uncertainty': ONES}),
    ('x_expmap.fits', 'there may be no data', {'mask': MASK}),
    ('x.weight.fits', 'there may be no data', {'invvar': ONES}),
    ('x_conf.fits', 'there may be no data', {'noise': 1.0})])
def test_not_read(folder, name, match, given):
    put(folder, name)
    match = f'{name} lies beside the image and is not read: .* {match}'
    with pytest.warns(AstropyUserWarning, match=match):
        cutout = GalaxyCutout(folder / 'x.fits', pixel_scale=0.4)
    assert not cutout.mask.any()
    assert cutout.noise is None
    # (those of another image, and what was given)
    cut_quietly(folder / 'y.fits')
    cut_quietly(folder / 'x.fits', **given)


def test_name_of_the_image_itself(folder):
    put(folder, 'x_mask.fits')
    assert unread_files(folder / 'x_sci.fits') == {'mask': 'x_mask.fits'}


def test_files_that_are_read(folder):
    put(folder, 'x_rms.fits', 0.5)
    put(folder, 'x_weight.fits')
    # (the errors tell where there are no data)
    np.testing.assert_allclose(cut_quietly(folder / 'x.fits').noise, 0.5)
    assert set(unread_files(folder / 'x.fits')) == {'error', 'weight'}
    assert set(unread_files(folder / 'x.fits', [folder / 'x_rms.fits'])) == {
        'weight'}


@pytest.mark.parametrize('name', [
    'x_seg.fits', 'x_psf.fits', 'x_exp.fits', 'x_mask.png', 'xmask.fits',
    'x_model.fits', 'x_mask_old.fits'])
def test_no_such_files(folder, name):
    (folder / name).write_bytes(b'')
    assert unread_files(folder / 'x.fits') == {}
    cut_quietly(folder / 'x.fits')


@pytest.mark.parametrize('name', [
    'galaxy_noise.fits', 'star_var.fits', 'NGC1234_cov.fits'])
def test_images_with_such_a_name(folder, name):
    """
    As of a galaxy with noise, or a variable star.
    """
    assert file_role(name) is None
    (folder / 'x.fits').rename(folder / name)
    cut_quietly(folder / name)


def test_mask_and_errors(folder):
    put(folder, 'x_mask.fits')
    put(folder, 'x_err.fits')
    with pytest.warns(AstropyUserWarning) as caught:
        GalaxyCutout(folder / 'x.fits', pixel_scale=0.4)
    assert [str(item.message).split()[0] for item in caught] == [
        'x_err.fits', 'x_mask.fits']
