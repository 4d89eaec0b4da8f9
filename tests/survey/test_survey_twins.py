# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of bands of a survey that are one image.
"""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.survey.bands import BandImages, find_bands
from astro_pix2prof.survey.catalogue import open_catalogue

pytest.importorskip('pyarrow')

SHAPE = (12, 14)


def check(folder, bands, images=None, **options):
    catalogue = open_catalogue(folder / 'catalogue.csv')
    found = find_bands(bands, images, reference='r', options=options)
    found.options = {band: found.choose(band, options)
                     for band in found.sources}
    BandImages(found, catalogue).check_first(catalogue)


@pytest.fixture(name='folder')
def make_folder(tmp_path):
    table = Table({'id': ['a', 'b']})
    header = fits.Header({'BANDS': 'gr'})
    for name, shape in (('flat', SHAPE), ('other', SHAPE),
                        ('cube', (2, *SHAPE))):
        for row in table['id']:
            fits.PrimaryHDU(np.zeros(shape), header).writeto(
                tmp_path / f'{row}_{name}.fits')
        table[name] = [f'{row}_{name}.fits' for row in table['id']]
    table['same'] = table['flat']
    for row in table['id']:
        fits.HDUList([fits.PrimaryHDU(), *(
            fits.ImageHDU(np.zeros(SHAPE), fits.Header({'FILTER': band}))
            for band in 'gr')]).writeto(tmp_path / f'{row}_parts.fits')
    table['parts'] = [f'{row}_parts.fits' for row in table['id']]
    table.write(tmp_path / 'catalogue.csv')
    return tmp_path


@pytest.mark.parametrize(('bands', 'images', 'options'), [
    ({'g': 'flat', 'r': 'flat'}, None, {'band': {'g': 'g', 'r': 'r'}}),
    (['g', 'r'], 'flat', {'band': {'g': 'g', 'r': 'r'}}),
    # (a catalogue with the same names in two columns)
    ({'g': 'flat', 'r': 'same'}, None, {}),
    ({'g': 'flat', 'r': 'same'}, None, {'hdu': 0}),
    # both names of the band are those of no plane
    (['g', 'r'], 'flat', {'band': {'g': 'x', 'r': 'y'}})])
def test_same_pixels(folder, bands, images, options):
    match = (r'the bands g and r have the same pixels, such as those of '
             r'.*a_flat\.fits: their colour is 0\. band= chooses')
    with pytest.warns(AstropyUserWarning, match=match):
        check(folder, bands, images, **options)


@pytest.mark.parametrize(('bands', 'images', 'options'), [
    ({'g': 'flat', 'r': 'other'}, None, {}),
    (['g', 'r'], 'cube', {'band': {'g': 'g', 'r': 'r'}}),
    (['g', 'r'], 'cube', {'band': {'g': 0, 'r': 1}}),
    (['g', 'r'], 'parts', {'band': {'g': 'g', 'r': 'r'}}),
    (['g', 'r'], 'parts', {'hdu': {'g': 1, 'r': 2}})])
def test_other_pixels(folder, bands, images, options):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        check(folder, bands, images, **options)
