# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of embeddings of images.
"""

from pathlib import Path

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    encode_fits,
    load_example,
)
from astro_pix2prof.image.pictures import is_picture, read_picture


@pytest.fixture(scope='module')
def fitter():
    return Pix2ProfFitter()


@pytest.fixture(scope='module')
def example():
    return load_example()


@pytest.fixture(scope='module')
def pixels(example):
    data = GalaxyCutout.from_any(example).data
    return data[65:185, 71:191]


@pytest.fixture(scope='module')
def picture(example):
    data = GalaxyCutout.from_any(example).data
    stretched = np.arcsinh(np.clip(data / np.percentile(data, 60), 0, None))
    grey = (255 * np.clip(stretched / stretched.max(), 0, 1)).astype('u1')
    return np.stack([grey, grey, grey], -1)


class TestEncode:
    def test_table(self, fitter, example):
        table = fitter.encode([example, np.zeros((5, 5)), example])
        assert table['embedding'].shape == (3, 64)
        assert table['embedding'].dtype == np.float32
        assert_allclose(np.linalg.norm(table['embedding'][[0, 2]], axis=1),
                        1, rtol=1e-5)
        assert_array_equal(table['embedding'][0], table['embedding'][2])
        # nothing is lost of what cannot be measured
        assert np.isnan(table['embedding'][1]).all()
        assert_array_equal((table['flag'] & GalaxyFlag.FAILED) != 0,
                           [False, True, False])
        assert 'ValueError' in table['message'][1]
        assert table['source'][0] == 'demo galaxy'
        assert table.meta['encoder'] == 'encoder'
        assert len(table.meta['encoder_sha256']) == 64
        # and the profile is the one of a fit
        batch, = fitter.fit_many([example])
        assert_allclose(table['radius_50'][0].value,
                        batch.galaxies['radius_50'][0].value, rtol=1e-5)

    def test_fits(self, fitter, example):
        """
        A fit is encoded as its image is, in a batch or alone.
        """
        table = fitter.encode([example, (example, {'position': (150, 150)})])
        fit = fitter.fit(example)
        again = encode_fits([fit, ValueError('no image'), fit])
        assert_allclose(again['embedding'][0], table['embedding'][0],
                        atol=1e-5)
        assert_allclose(again['embedding'][2], table['embedding'][0],
                        atol=1e-5)
        assert again['message'][1] == 'ValueError: no image'
        assert again['flag'][1] == GalaxyFlag.FAILED
        for name in table.colnames:
            if name.startswith('p_'):
                assert 0 <= table[name][0] <= 1
                assert np.isnan(again[name][1])

    def test_other_fitter(self, fitter, example):
        table = encode_fits([IsophoteFitter().fit(example),
                             fitter.fit(example)])
        first, second = table['embedding']
        # (galaxies that have nothing in common have 0)
        assert first @ second > 0.7

    def test_no_fit(self, fitter, example):
        with pytest.raises(TypeError, match=r'fits must be results of the '
                                            r'method fit .* got QTable'):
            encode_fits([fitter(example)])
        assert len(encode_fits([])) == 0
        with pytest.raises(TypeError, match=r'got one ProfileFit: give '
                                            r'\[fit\]'):
            encode_fits(fitter.fit(example))
        with pytest.raises(ValueError, match=r'encoder must be a name '
                                             r"\(encoder\) .*, got 'nope'"):
            fitter.encode([example], encoder='nope')
        assert fitter.encode([])['embedding'].shape == (0, 64)

    def test_no_scale(self, fitter, example):
        """
        A profile without a half-light radius has no embedding.
        """
        table = fitter.encode([example], radii=[5.0, 10.0])
        assert np.isnan(table['embedding']).all()
        assert table['flag'][0] & GalaxyFlag.FAILED
        assert 'half-light radius' in table['message'][0]

    @pytest.mark.parametrize(('turns', 'flip'), [(1, False), (0, True)])
    def test_turned(self, fitter, example, turns, flip):
        """
        The fit of turned pixels differs by little, and so do embeddings.
        """
        data = GalaxyCutout.from_any(example).data
        turned = data[:, ::-1] if flip else np.rot90(data, turns)
        table = fitter.encode([data, turned], pixel_scale=0.396,
                              zeropoint=22.5)
        first, second = table['embedding']
        assert_allclose(second, first, atol=0.03)

    def test_workers(self, fitter, example):
        usual = fitter.encode([example, 'nothing.fits'], batch_size=1)
        spread = fitter.encode([example, 'nothing.fits'], batch_size=1,
                               workers=1)
        assert_allclose(spread['embedding'], usual['embedding'], atol=1e-6)
        assert_array_equal(spread['index'], [0, 1])

    def test_arguments(self, fitter, example):
        with pytest.raises(ValueError, match='batch_size must be a positive '
                                             'integer, got 0'):
            fitter.encode([example], batch_size=0)

    @pytest.mark.parametrize(('image', 'match'), [
        ('a.png', "got the path 'a.png'"), (Path('a.fits'), 'got the path'),
        (b'a.fits', 'got the path'),
        (np.zeros((9, 8)), r'array of the shape \(9, 8\)'),
        (np.ma.zeros((9, 8)), r'array of the shape \(9, 8\)'),
        (np.zeros((9, 8, 3)), r'array of the shape \(9, 8, 3\)'),
        (('a.fits', {'position': (1, 1)}), 'an image with its options'),
        (3, 'got int')])
    def test_one_image(self, fitter, image, match):
        match = rf'give one image in a list.*{match}'
        for measure in (fitter.encode, fitter.fit_many,
                        IsophoteFitter().fit_many):
            with pytest.raises(TypeError, match=match):
                measure(image)

    def test_a_stack_is_a_list(self, fitter):
        assert len(fitter.encode(np.zeros((2, 5, 5)))) == 2

    def test_weights(self):
        with pytest.raises(ValueError, match='are those of an encoder, which '
                                             'measures no profiles'):
            Pix2ProfFitter(weights='encoder')


class TestPictures:
    @pytest.mark.parametrize('kind', ['array', 'pillow', 'png', 'jpg',
                                      'grey'])
    def test_kinds(self, fitter, picture, tmp_path, kind):
        image = Image.fromarray(picture)
        options = {}
        if kind == 'array':
            image = picture
        elif kind != 'pillow':
            path = tmp_path / ('galaxy.jpg' if kind == 'jpg'
                               else 'galaxy.png')
            (image.convert('L') if kind == 'grey' else image).save(path)
            image = str(path) if kind == 'jpg' else path
        table = fitter.encode([(image, options), picture])
        assert np.isfinite(table['embedding']).all()
        assert (table['flag'] & GalaxyFlag.UNCALIBRATED).all()
        assert not (table['flag'] & GalaxyFlag.FAILED).any()
        first, second = table['embedding']
        assert first @ second > (0.9 if kind == 'jpg' else 0.999)
        if kind in ('jpg', 'png'):
            assert table['source'][0].endswith(kind)

    def test_damaged(self, fitter, tmp_path):
        path = tmp_path / 'galaxy.jpg'
        path.write_bytes(b'no picture')
        table = fitter.encode([path, tmp_path / 'none.png'])
        assert (table['flag'] == GalaxyFlag.FAILED).all()
        assert 'cannot identify image file' in table['message'][0]
        assert 'FileNotFoundError' in table['message'][1]
        assert np.isnan(table['embedding']).all()

    def test_cube(self, fitter, picture):
        """
        A chosen band of an array is an image, and a profile needs one.
        """
        assert not is_picture(picture.transpose(2, 0, 1))
        assert not is_picture('galaxy.fits')
        assert is_picture('galaxy.JPG')
        batch, = fitter.fit_many([picture], calibrated=False)
        assert batch.failed.all()

    def test_grey(self):
        picture = np.zeros((8, 9, 4), dtype='u1')
        picture[..., :3] = 30, 60, 90
        picture[1:, :, 3] = 255
        grey = read_picture(picture)
        assert (grey[1:] == 60).all()
        assert np.isnan(grey[0]).all()
        assert_array_equal(read_picture(Image.fromarray(picture)), grey)
        assert (read_picture(picture[..., :3]) == 60).all()

    @pytest.mark.parametrize('options', [
        {'zeropoint': 22.5}, {'unit': 'nmgy'}, {'calibrated': True},
        {'zeropoint': 22.5, 'mag_system': 'AB'}])
    @pytest.mark.parametrize('own', [True, False])
    def test_never_calibrated(self, fitter, example, picture, options, own):
        """
        A zero point that is given for all images is not one of pictures.
        """
        images, shared = [picture, picture], {'pixel_scale': 0.396}
        if own:
            images = [(image, options) for image in images]
        else:
            shared |= options
        match = f'a colour picture has no zero point.*{next(iter(options))}='
        with pytest.warns(AstropyUserWarning, match=match) as found:
            table = fitter.encode(images, **shared)
        assert len(found) == 1
        assert (table['flag'] & GalaxyFlag.UNCALIBRATED).all()
        assert np.isnan(table['mag']).all()
        assert np.isfinite(table['embedding']).all()

    def test_mixed_with_images(self, fitter, pixels, picture, tmp_path):
        path = tmp_path / 'galaxy.png'
        Image.fromarray(picture).save(path)
        with pytest.warns(AstropyUserWarning, match='galaxy.png has no zero '
                                                    'point'):
            table = fitter.encode([pixels, path], zeropoint=22.5,
                                  pixel_scale=0.396)
        assert_array_equal(np.isfinite(table['mag']), [True, False])
