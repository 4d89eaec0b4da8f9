# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Test of training and simulation where no package of astronomy is installed.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import astro_pix2prof

ROOT = Path(astro_pix2prof.__file__).parents[1]


@pytest.mark.slow
def test_without_astronomy(tmp_path):
    """
    Simulate, train a step and read, from a checkout, without astropy.
    """
    pytest.importorskip('lightning')
    pytest.importorskip('tensorboard')
    script = tmp_path / 'run.py'
    script.write_text(textwrap.dedent(f'''
        import pkgutil
        import sys
        from importlib import import_module
        from importlib.abc import MetaPathFinder

        BLOCKED = 'astropy', 'photutils', 'specutils', 'galsim'

        class Finder(MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.split('.')[0] in BLOCKED:
                    raise ModuleNotFoundError(name + ' is blocked')

        sys.meta_path.insert(0, Finder())
        # the checkout, and no installation of the package
        sys.path.insert(0, {str(ROOT)!r})
        import astro_pix2prof

        assert astro_pix2prof.__path__ == [{str(ROOT / 'astro_pix2prof')!r}]
        n = 0
        for folder in ('networks', 'simulation', 'training'):
            package = import_module('astro_pix2prof.' + folder)
            for item in pkgutil.walk_packages(package.__path__,
                                              package.__name__ + '.'):
                import_module(item.name)
                n += 1
        assert n > 25

        from astro_pix2prof.networks import load_network
        from astro_pix2prof.simulation import GalaxySimulator
        from astro_pix2prof.training import read_recipe, train

        galaxies = GalaxySimulator('sdss-r', n_pix=64).simulate(2, seed=1)
        assert galaxies.image.isfinite().all()
        recipe = read_recipe(
            'rings', name='tiny', network={{
                'channels': 8, 'channels_find': 8, 'hidden': 8}},
            data={{'survey': 'sdss-r', 'n_pix': [64], 'batch_size': [2],
                  'wobble': 0, 'repeat': 1, 'workers': 0, 'validation': 10,
                  'clutter': False}},
            training={{'steps': 1, 'checkpoint_steps': 1, 'warmup': 0}})
        path = train(recipe, {str(tmp_path / 'run')!r}, accelerator='cpu',
                     devices=1, progress=False)
        assert load_network(path)[1]['name'] == 'tiny'
        assert not set(BLOCKED) & {{name.split('.')[0]
                                   for name in sys.modules}}
        '''))
    done = subprocess.run([sys.executable, script], check=False,
                          capture_output=True, text=True, timeout=600,
                          cwd=tmp_path, env={'OMP_NUM_THREADS': '1',
                                             'HOME': str(tmp_path)})
    assert done.returncode == 0, done.stderr[-3000:]
