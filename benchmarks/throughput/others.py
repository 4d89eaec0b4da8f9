# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Time other methods on the same images.

photutils is called as its tutorial does, and with a mask; AutoProf runs as
it is, with its defaults, in a virtual environment that is made for it, as it
needs versions of numpy and astropy of its own.
"""

import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

__all__ = ['AUTOPROF', 'find_pythons', 'make_autoprof', 'time_autoprof',
           'time_isophotes', 'time_photutils']

AUTOPROF = 'autoprof==1.3.4'

# Versions of Python for which AutoProf's requirements have wheels, best
# first.
_PYTHONS = ('3.10', '3.9', '3.11')

# Images that AutoProf's command line gets one by one: starting it takes
# about the same time each time.
_N_STARTED = 2

_HERE = Path(__file__).parent


def time_photutils(path, truth, *, masked):
    """
    Seconds of `photutils.isophote.Ellipse`, from the file to the table.

    Parameters
    ----------
    path : path-like
        The FITS file.

    truth : dict
        ``x``, ``y``, ``sma`` (pixels), ``eps`` and ``theta`` (radians) of
        an ellipse of the galaxy, and ``mask``, True on other objects.

    masked : bool
        Whether to give the mask.

    Returns
    -------
    seconds : float

    failed : bool
        Whether there was an exception, or no isophotes.
    """
    from photutils.isophote import Ellipse, EllipseGeometry

    start = time.perf_counter()
    data = fits.getdata(path).astype(float)
    if masked:
        data = np.ma.masked_array(data, truth['mask'])
    geometry = EllipseGeometry(truth['x'], truth['y'], truth['sma'],
                               truth['eps'], truth['theta'])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            found = Ellipse(data, geometry=geometry).fit_image()
            failed = len(found) < 2
            if not failed:
                found.to_table()
        except Exception:  # to fail takes time, too
            failed = True
    return time.perf_counter() - start, failed


def time_isophotes(path):
    """
    Seconds of `astro_pix2prof.IsophoteFitter`, and whether it failed.
    """
    from astro_pix2prof import IsophoteFitter

    start = time.perf_counter()
    try:
        IsophoteFitter()(path)
        failed = False
    except Exception:  # to fail takes time, too
        failed = True
    return time.perf_counter() - start, failed


def find_pythons(given=None):
    """
    Interpreters to make the environment with, best first.

    Parameters
    ----------
    given : str, optional
        The only one to try.

    Returns
    -------
    commands : list of str
    """
    if given is not None:
        return [given]
    pyenv = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'))
    found = []
    for version in _PYTHONS:
        names = [f'python{version}', *map(str, sorted(
            (pyenv / 'versions').glob(f'{version}*/bin/python')))]
        found += [name for name in names if _is_version(name, version)][:1]
    return found


def _is_version(command, version):
    code = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([command, '-c', code], check=True,
                              capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return done.stdout.strip() == version


def make_autoprof(folder, *, python=None):
    """
    A virtual environment with AutoProf.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where to make it, or where it is.

    python : str, optional
        The interpreter; by default the first that works.

    Returns
    -------
    python : `~pathlib.Path` or `None`
        The interpreter of the environment; `None` if none could be made.

    reason : str
        Why not.
    """
    inner = folder / ('Scripts' if os.name == 'nt' else 'bin') / 'python'
    check = [str(inner), '-c', 'from autoprof.Pipeline import '
             'Isophote_Pipeline']
    reason = f'none of Python {", ".join(_PYTHONS)} was found'
    if inner.exists() and not _call(check):
        return inner, ''
    for command in find_pythons(python):
        for step in ([command, '-m', 'venv', '--clear', str(folder)],
                     [str(inner), '-m', 'pip', 'install', '--quiet',
                      '--only-binary', ':all:', AUTOPROF], check):
            reason = _call(step)
            if reason:
                break
        else:
            return inner, ''
    return None, reason


def _call(command):
    """
    The last line of what a command that failed printed, or nothing.
    """
    # (packages of this environment are not those of the other)
    env = {key: value for key, value in os.environ.items()
           if key not in ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV')}
    try:
        done = subprocess.run(command, check=False, capture_output=True,
                              text=True, env=env)
    except OSError as error:
        return str(error)
    if not done.returncode:
        return ''
    lines = done.stderr.strip().splitlines() or done.stdout.splitlines()
    return lines[-1] if lines else f'exit status {done.returncode}'


def time_autoprof(python, paths, folder, *, scale, n_started=_N_STARTED):
    """
    Seconds of AutoProf for each image.

    Parameters
    ----------
    python : `~pathlib.Path`
        The interpreter of its environment.

    paths : list of `~pathlib.Path`
        The images.

    folder : `~pathlib.Path`
        Where it may write.

    scale : float
        Pixel scale in arcsec.

    n_started : int, optional
        So many of the images are also given to its command line, one by
        one.

    Returns
    -------
    row : dict
        ``seconds`` and ``failed`` for the images, in a process that has
        started; ``start_up``, seconds to import it; ``started``, seconds
        of the whole command for each of some images; ``steps``, the mean
        seconds of its steps.
    """
    folder.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'MPLBACKEND': 'Agg'}
    env.pop('PYTHONPATH', None)
    options = {'paths': [str(path) for path in paths], 'scale': scale,
               'folder': str(folder)}
    done = subprocess.run(
        [python, _HERE / 'autoprof.py', json.dumps(options)],
        check=False, capture_output=True, text=True, env=env, cwd=folder)
    if done.returncode:
        sys.exit(f'AutoProf stopped: {done.stderr[-2000:]}')
    found = json.loads(done.stdout.splitlines()[-1])
    steps = {}
    for row in found['images']:
        for name, seconds in row['steps'].items():
            steps[name] = steps.get(name, 0) + seconds / len(paths)
    return {'seconds': [row['seconds'] for row in found['images']],
            'failed': [row['failed'] for row in found['images']],
            'start_up': found['start_up'], 'steps': steps,
            'started': [_time_command(python, path, folder, scale, env)
                        for path in paths[:n_started]]}


def _time_command(python, path, folder, scale, env):
    """
    Seconds of AutoProf's command for an image.
    """
    config = folder / 'autoprof_config.py'
    config.write_text(
        f"ap_process_mode = 'image'\nap_image_file = {str(path)!r}\n"
        f'ap_pixscale = {scale!r}\nap_zeropoint = 22.5\n'
        f"ap_saveto = {str(folder) + '/'!r}\nap_doplot = False\n")
    start = time.perf_counter()
    subprocess.run([python.parent / 'autoprof', str(config)], check=True,
                   capture_output=True, env=env, cwd=folder)
    return time.perf_counter() - start
