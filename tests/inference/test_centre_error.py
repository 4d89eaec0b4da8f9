# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the error of the centre that some networks state.
"""

import numpy as np
import pytest
import torch

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    load_example,
)
from astro_pix2prof.networks.rings.config import RingConfig
from astro_pix2prof.networks.rings.network import RingNetwork
from astro_pix2prof.networks.weights import write_weights


@pytest.fixture(name='make', scope='module')
def make_fitters(tmp_path_factory):
    """
    A function that makes fitters with a small network, not trained.
    """
    folder = tmp_path_factory.mktemp('weights')

    def make(name, **options):
        torch.manual_seed(3)
        network = RingNetwork(RingConfig(channels=8, channels_find=8,
                                         hidden=8, **options))
        path = write_weights(network, {'architecture': 'rings', 'name': name},
                             folder / f'{name}.safetensors')
        return Pix2ProfFitter(path, device='cpu')

    return make


@pytest.fixture(name='stating', scope='module')
def make_stating(make):
    return make('stating', geometry_errors=True)


@pytest.fixture(name='image', scope='module')
def make_image():
    return GalaxyCutout(load_example()).crop(100)


def test_single_and_many_agree(stating, image):
    """
    The column of a batch is the entry of a single profile.
    """
    single = stating(image)
    error = single.meta['centre_err']
    assert np.isfinite(error)
    assert error > 0
    keys = list(single.meta)
    assert keys.index('centre_err') == keys.index('y_centre') + 1
    batch, = stating.fit_many([image, 'no.fits', image])
    np.testing.assert_allclose(batch.galaxies['centre_err'],
                               [error, np.nan, error], rtol=1e-5)
    names = batch.galaxies.colnames
    assert names.index('centre_err') == names.index('y_centre') + 1
    assert batch[0].meta['centre_err'] == batch.galaxies['centre_err'][0]
    assert 'centre_err' not in batch[1].meta
    # with radii of its own, too
    batch, = stating.fit_many([image], radii=[0, 5, 10])
    assert batch.galaxies['centre_err'][0] == pytest.approx(error, rel=1e-5)


def test_given_centre(stating, image):
    """
    A centre that was given has no error.
    """
    batch, = stating.fit_many([
        (image, {'geometry': stating(image)}), image])
    assert np.isnan(batch.galaxies['centre_err'][0])
    assert batch.galaxies['centre_err'][1] > 0
    held = Pix2ProfFitter(stating.weights, device='cpu', fit_centre=False)
    assert 'centre_err' not in held(image).meta


def test_not_stated(make, image):
    """
    Other networks and fitters leave it open.
    """
    for fitter in (make('silent'), IsophoteFitter(max_radius=10)):
        assert 'centre_err' not in fitter(image).meta
        batch, = fitter.fit_many([image])
        assert np.isnan(batch.galaxies['centre_err']).all()
