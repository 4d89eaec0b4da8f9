# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of fit_many.
"""

import itertools

import numpy as np
import pytest
import torch
from astropy.io import fits

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    Pix2ProfFitter,
    ProfileBatch,
    load_example,
)


@pytest.fixture(scope='module')
def fitter():
    return Pix2ProfFitter(device='cpu')


@pytest.fixture(scope='module')
def cutouts():
    """
    Six images of three sizes.
    """
    example = GalaxyCutout(load_example())
    rng = np.random.default_rng(3)
    made = []
    for size in (256, 100, (64, 90), 256, 100, 100):
        cutout = example.crop(size)
        cutout.data = cutout.data + rng.normal(
            0, 0.005, cutout.shape).astype(np.float32)
        made.append(cutout)
    return made


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    """
    Files: five images, and the third of them is none.
    """
    folder = tmp_path_factory.mktemp('many')
    example = load_example()
    found = []
    for k in range(5):
        path = folder / f'{k}.fits'
        if k == 2:
            path.write_text('no image')
        else:
            header = example.wcs.to_header()
            header['BUNIT'] = 'nanomaggy'
            part = np.roll(example.data, k, axis=1)
            fits.PrimaryHDU(part, header).writeto(path)
        found.append(path)
    return found


class TestFitMany:

    def test_as_single_calls(self, fitter, cutouts, assert_same):
        batches = list(fitter.fit_many(cutouts, batch_size=4))
        assert [len(batch) for batch in batches] == [4, 2]
        batch = ProfileBatch.concatenate(batches)
        assert batch.galaxies['index'].tolist() == list(range(6))
        assert not batch.failed.any()
        for cutout, profile in zip(cutouts, batch, strict=True):
            # (sums of other batches differ in the last digits)
            assert_same(fitter(cutout), profile, rtol=2e-4)

    def test_bad_images(self, fitter, paths, assert_same):
        images = [paths[0], paths[2], '/no/such.fits', 'x', 3,
                  np.full((64, 64), np.nan), paths[1]]
        batch, = fitter.fit_many(images)
        assert batch.failed.tolist() == [False, True, True, True, True, True,
                                         False]
        messages = batch.galaxies['message'].tolist()
        assert 'not a readable FITS file' in messages[1]
        assert messages[2].startswith('FileNotFoundError')
        assert 'got the shape ()' in messages[4]
        assert messages[5].startswith('ValueError')
        assert batch.galaxies['source'][2] == '/no/such.fits'
        assert (batch.galaxies['flag'][1:6] == GalaxyFlag.FAILED).all()
        assert_same(fitter(paths[1]), batch[6], rtol=2e-4)

    def test_options_of_one(self, fitter, paths):
        batch, = fitter.fit_many(
            [(paths[0], {'size': 101, 'name': 'small',
                         'position': (130, 126)}),
             paths[0]], band='r')
        assert batch.galaxies['source'][0] == 'small'
        assert batch.galaxies['band'].tolist() == ['r', 'r']
        assert batch[0]['radius'][-1] < batch[1]['radius'][-1]

    def test_geometry(self, fitter, cutouts):
        profile = fitter(cutouts[0])
        batch, = fitter.fit_many([(cutouts[3], {'geometry': profile})])
        assert batch[0].meta['flag'] & GalaxyFlag.FORCED

    def test_error_within_the_network(self, fitter, cutouts, monkeypatch):
        """
        What one image does to the network is no other image's concern.
        """
        read = fitter.reader.read

        def broken(frames):
            if any(frame.image.shape == (64, 90) for frame in frames):
                msg = 'the network broke'
                raise RuntimeError(msg)
            return read(frames)

        monkeypatch.setattr(fitter.reader, 'read', broken)
        batch, = fitter.fit_many(cutouts[:4])
        assert batch.failed.tolist() == [False, False, True, False]
        assert batch.galaxies['message'][2] == (
            'RuntimeError: the network broke')

    def test_stream(self, fitter, cutouts):
        """
        Of a generator without end, only what is needed is taken.
        """
        taken = []

        def images():
            for k in itertools.count():
                taken.append(k)
                yield cutouts[1]

        many = fitter.fit_many(images(), batch_size=2)
        next(many)
        second = next(many)
        assert second.galaxies['index'].tolist() == [2, 3]
        assert len(taken) == 4
        many.close()
        assert list(fitter.fit_many([])) == []

    def test_workers(self, fitter, paths, assert_same):
        """
        Other processes find the same, in the same order.
        """
        images = [paths[k % 5] for k in range(9)]
        here, there = (ProfileBatch.concatenate(fitter.fit_many(
            images, batch_size=2, workers=workers)) for workers in (0, 2))
        assert there.galaxies['index'].tolist() == list(range(9))
        assert there.galaxies['message'].tolist() == (
            here.galaxies['message'].tolist())
        for one, two in zip(here, there, strict=True):
            assert_same(one, two, rtol=2e-4)

    def test_prepared_by_workers(self, fitter, paths, monkeypatch,
                                 assert_same):
        """
        As on a GPU: processes read, this one measures.
        """
        here, = fitter.fit_many(paths)
        monkeypatch.setattr(fitter, 'device', torch.device('meta'))
        there, = fitter.fit_many(paths, workers=1)
        for one, two in zip(here, there, strict=True):
            assert_same(one, two, rtol=2e-4)

    def test_progress(self, fitter, cutouts, capsys):
        list(fitter.fit_many(cutouts[1:3], progress=True))
        assert '2/2' in capsys.readouterr().err

    @pytest.mark.parametrize(('name', 'value'), [
        ('batch_size', 0), ('batch_size', 2.5), ('workers', -1),
        ('workers', True)])
    def test_wrong_arguments(self, fitter, name, value):
        with pytest.raises((TypeError, ValueError), match=(
                f'{name} must be .* integer.*, got {value}')):
            fitter.fit_many([], **{name: value})


class TestPrecision:

    def test_bfloat16(self, fitter, cutouts):
        """
        Less precise convolutions change much less than the errors.
        """
        other = Pix2ProfFitter(device='cpu', precision='bfloat16')
        one, = fitter.fit_many(cutouts)
        two, = other.fit_many(cutouts)
        for first, second in zip(one, two, strict=True):
            n = min(len(first), len(second))
            difference = (first['surface_brightness'][:n]
                          - second['surface_brightness'][:n])
            error = first['surface_brightness_err'][:n]
            assert 0 < np.nanmedian(np.abs(difference.value)) < 0.002
            assert np.nanmax(np.abs(difference / error)) < 1

    def test_wrong(self):
        with pytest.raises(ValueError, match="'bfloat16', got 'half'"):
            Pix2ProfFitter(precision='half')
        with pytest.raises(ValueError, match='only ring networks'):
            Pix2ProfFitter('captioner', precision='bfloat16')
