# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the start and the end of a process of the command line.
"""

import gc
import subprocess
import sys

import pytest

from astro_pix2prof.cli import fit as cli_fit
from astro_pix2prof.cli import main
from astro_pix2prof.cli.collector import pause_collector


@pytest.mark.parametrize('running', [True, False])
def test_pause(running):
    """
    The collector rests, and is afterwards as it was before.
    """
    was = gc.isenabled()
    (gc.enable if running else gc.disable)()
    try:
        with pause_collector():
            assert not gc.isenabled()
        assert gc.isenabled() is running
        with pytest.raises(KeyError), pause_collector():
            raise KeyError
        assert gc.isenabled() is running
    finally:
        (gc.enable if was else gc.disable)()


def test_own_process_only(capsys):
    """
    Only a process that ends is exempt from the search for garbage.
    """
    before = gc.get_freeze_count()
    assert main([]) == 2
    assert gc.get_freeze_count() == before
    code = (
        'import gc, sys\n'
        'from astro_pix2prof.cli import main\n'
        "sys.argv = ['pix2prof']\n"
        'status = main()\n'
        'print(status, gc.get_freeze_count() > 1000)\n')
    done = subprocess.run([sys.executable, '-c', code], check=True,
                          capture_output=True, text=True)
    assert done.stdout.split()[-2:] == ['2', 'True']


@pytest.mark.parametrize('names', [['a.fits'], ['a.fits', 'b.fits']])
def test_threads(tmp_path, monkeypatch, names):
    """
    One image is measured by one thread; torch has its threads afterwards.
    """
    torch = pytest.importorskip('torch')
    seen = []

    class Fitting:
        beside = None

        def __init__(self, args):
            pass

        def __call__(self, path, stem):
            seen.append(torch.get_num_threads())
            msg = 'no galaxy'
            raise ValueError(msg)

    monkeypatch.setattr(cli_fit, '_Fitting', Fitting)
    for name in names:
        (tmp_path / name).touch()
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        main(['fit', *(str(tmp_path / name) for name in names), '--out',
              str(tmp_path), '--quiet'])
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert seen == ([1] if len(names) == 1 else [3, 3])
