# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the commands simulate, train and evaluate.
"""

import numpy as np
import pytest
from astropy.io import fits

from astro_pix2prof import GalaxyCutout, read_profile
from astro_pix2prof.cli.main import main
from astro_pix2prof.evaluation.result import Evaluation


def run(*args):
    return main([str(arg) for arg in args])


@pytest.fixture(scope='module')
def simulated(tmp_path_factory):
    """
    A folder of three simulated galaxies.
    """
    out = tmp_path_factory.mktemp('simulated')
    assert run('simulate', '--survey', 'sdss-r', '--n', 3, '--n-pix', 96,
               '--seed', 7, '--out', out, '--quiet') == 0
    return out


class TestSimulate:
    def test_files(self, simulated):
        files = sorted(simulated.glob('*.fits'))
        assert len(files) == 3
        assert (simulated / 'contact_sheet.png').stat().st_size > 10_000
        for path in files:
            cutout = GalaxyCutout(path)
            assert cutout.shape == (96, 96)
            assert cutout.band == 'r'
            np.testing.assert_allclose(cutout.pixel_scale, 0.396, rtol=1e-3)
            np.testing.assert_allclose(cutout.zeropoint, 22.5)
            with fits.open(path) as hdus:
                truth = hdus['TRUTH'].data
                assert np.all(truth['surface_brightness'][:5] < 26)
                assert np.all(np.diff(truth['sma']) > 0)

    def test_seed(self, simulated, tmp_path, capsys):
        assert run('simulate', '--survey', 'sdss-r', '--n', 3, '--n-pix', 96,
                   '--seed', 7, '--out', tmp_path) == 0
        assert '3 images in' in capsys.readouterr().out
        for path in tmp_path.glob('*.fits'):
            np.testing.assert_array_equal(fits.getdata(path),
                                          fits.getdata(simulated / path.name))

    @pytest.mark.parametrize(('args', 'match'), [
        (['--survey', 'hubble'], 'hubble'), (['--n', '0'], '--n'),
        (['--n-pix', '63'], '--n-pix must be'),
        (['--type', 'blob'], '--type must be one of')])
    def test_usage(self, tmp_path, capsys, args, match):
        with pytest.raises(SystemExit) as info:
            run('simulate', '--out', tmp_path, *args)
        assert info.value.code == 2
        assert match in capsys.readouterr().err

    def test_no_overwrite(self, simulated, capsys):
        assert run('simulate', '--n', 1, '--out', simulated) == 1
        assert '--overwrite' in capsys.readouterr().err


class TestEvaluate:
    def test_tables_and_figures(self, simulated, tmp_path, capsys):
        assert run('evaluate', simulated, '--out', tmp_path) == 0
        text = capsys.readouterr().out
        for title in ('all images:', 'by band:', 'by type:'):
            assert title in text
        evaluation = Evaluation.read(tmp_path / 'evaluation.ecsv')
        summary = evaluation.summary()
        assert list(summary['fitter']) == ['rings', 'isophotes']
        assert np.all(summary['n_images'] == 3)
        assert np.all(summary['n_failed'] == 0)
        assert (tmp_path / 'evaluation.png').stat().st_size > 10_000
        assert (tmp_path / 'profiles.png').stat().st_size > 10_000
        assert run('evaluate', simulated, '--out', tmp_path) == 1
        assert '--overwrite' in capsys.readouterr().err

    def test_no_files(self, tmp_path, capsys):
        with pytest.raises(SystemExit) as info:
            run('evaluate', tmp_path)
        assert info.value.code == 2
        assert 'no FITS files' in capsys.readouterr().err

    def test_unknown_weights(self, simulated, tmp_path, capsys):
        with pytest.raises(SystemExit) as info:
            run('evaluate', simulated, '--weights', 'nothing', '--out',
                tmp_path)
        assert info.value.code == 2
        text = capsys.readouterr().err
        assert 'error: --weights must be' in text
        assert "got 'nothing'" in text


class TestTrain:
    def test_unknown_recipe(self, tmp_path, capsys):
        with pytest.raises(SystemExit) as info:
            run('train', 'no-such-recipe', '--out', tmp_path)
        assert info.value.code == 2
        assert ('error: argument RECIPE: no-such-recipe does not exist, and '
                'is none of captioner, ' in capsys.readouterr().err)

    def test_tiny_run(self, tmp_path, capsys):
        """
        A few steps of a small network; its weights measure a galaxy.
        """
        recipe = tmp_path / 'tiny.toml'
        recipe.write_text("""
name = 'tiny'
[network]
size = 32
layers = 1
n_pix = 64
[data]
survey = 'sdss-r'
n_pix = [64]
batch_size = [4]
repeat = 1
workers = 0
validation = 4
[training]
steps = 2
checkpoint_steps = 1
ema = 0.9
""", encoding='utf-8')
        assert run('train', recipe, '--out', tmp_path / 'run',
                   '--accelerator', 'cpu', '--devices', 1, '--quiet') == 0
        weights = tmp_path / 'run' / 'tiny.safetensors'
        image = tmp_path / 'image'
        assert run('simulate', '--n', 1, '--n-pix', 64, '--out', image,
                   '--quiet') == 0
        path, = image.glob('*.fits')
        assert run('fit', path, '--weights', weights, '--out', tmp_path) == 0
        profile = read_profile(tmp_path / f'{path.stem}_profile.ecsv')
        assert profile.meta['weights'] == 'tiny'
        assert len(profile) >= 4
