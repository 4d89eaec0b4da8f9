# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the command line with addresses.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astro_pix2prof import (
    IsophoteFitter,
    load_example,
    load_example_truth,
    read_profile,
    read_survey,
    write_profile,
)
from astro_pix2prof.addresses import find_path
from astro_pix2prof.cli import main

fsspec = pytest.importorskip('fsspec')
pytest.importorskip('upath')


@pytest.fixture(name='box')
def fill_box(tmp_path, monkeypatch):
    """
    An image, its mask, a profile and a catalogue at an address and here.
    """
    monkeypatch.chdir(tmp_path)
    image = load_example()[90:-90, 90:-90]
    image.write(tmp_path / 'g.fits')
    fits.PrimaryHDU(np.zeros(image.shape, 'u1')).writeto(
        tmp_path / 'mask_g.fits')
    write_profile(load_example_truth(), tmp_path / 'g.ecsv')
    Table({'id': [1], 'path': ['g.fits']}).write(tmp_path / 'cat.csv')
    files = fsspec.filesystem('memory')
    files.store.clear()
    for path in tmp_path.iterdir():
        files.pipe_file(f'/box/{path.name}', path.read_bytes())
    yield 'memory://box'
    files.store.clear()
    files.pseudo_dirs[:] = ['']


def run(*args):
    return main([str(arg) for arg in args])


def test_fit(box, tmp_path, capsys):
    """
    An image is the same wherever it lies; so are its mask and its errors.
    """
    options = ('--method', 'isophote', '--step', '0.4', '--mask')
    assert run('fit', 'g.fits', '--out', 'here', *options,
               'mask_{name}.fits') == 0
    assert run('fit', f'{box}/g.fits', '--out', 'there', *options,
               f'{box}/mask_{{name}}.fits') == 0
    assert run('fit', f'file://{tmp_path}/g.fits', '--out', 'file', *options,
               f'{box}/mask_g.fits[0]') == 0
    here = read_profile('here/g_profile.ecsv')
    for folder in ('there', 'file'):
        there = read_profile(f'{folder}/g_profile.ecsv')
        for name in here.colnames:
            np.testing.assert_array_equal(here[name], there[name])
    capsys.readouterr()
    assert run('fit', f'{box}/none.fits', f'{box}/g.ecsv', '--out', 'none',
               *options[:4]) == 1
    text = capsys.readouterr().err
    assert 'error: no such file: memory://box/none.fits' in text
    assert 'memory://box/g.ecsv is not a readable FITS file' in text


def test_names_of_results(box):
    """
    The query of an address is no part of the name of a file.
    """
    from astro_pix2prof.cli.output import output_stems

    assert output_stems([find_path('https://h/cut.fits?ra=3'),
                         find_path('https://h/cut.fits?ra=4'),
                         Path('odd?.fits')]) == ['cut', 'cut_2', 'odd?']


def test_compare_and_report(box, tmp_path, capsys):
    assert run('compare', f'{box}/g.ecsv', f'{box}/g.fits', '--method',
               'isophote', '--reference', f'{box}/g.ecsv') == 0
    assert 'difference from g in bins' in capsys.readouterr().out
    out = f'{box}/results'
    assert run('survey', f'{box}/cat.csv', '--out', out, '--workers', 1,
               '--method', 'isophote', '--step', '0.4') == 0
    assert f'results: {out}' in capsys.readouterr().out
    assert len(read_survey(out)) == 1
    assert run('report', out, '--out', 'page.html') == 0
    assert (tmp_path / 'page.html').stat().st_size > 10_000
    assert run('fit', 'g.fits', '--geometry', f'{box}/g.ecsv', '--method',
               'isophote') == 0


def test_python(box, tmp_path):
    """
    Fitters and readers take addresses as they take paths.
    """
    fitter = IsophoteFitter(step=0.4)
    profile = fitter('g.fits')
    address = find_path(f'{box}/g.fits')
    for image in (str(address), address):
        np.testing.assert_array_equal(
            fitter(image)['intensity'], profile['intensity'])
    batch, = fitter.fit_many([address])
    np.testing.assert_array_equal(batch[0]['intensity'],
                                  profile['intensity'])
    found = read_profile(f'{box}/g.ecsv')
    assert len(found) == len(load_example_truth())
    with pytest.raises(FileNotFoundError, match=r'no such file: memory://box/n'
                                                r'o\.ecsv'):
        read_profile(f'{box}/no.ecsv')
    with pytest.raises(ValueError, match='is an address: profiles are writte'):
        write_profile(profile, f'{box}/new.ecsv')
    write_profile(profile, f'file://{tmp_path}/new.ecsv')
    assert (tmp_path / 'new.ecsv').is_file()


@pytest.mark.parametrize('command', [
    ('fit', 'g.fits'), ('compare', 'g.ecsv'), ('report', 'g.parquet'),
    ('simulate',), ('demo',), ('evaluate', '.'), ('train', 'rings')])
def test_no_place(box, tmp_path, command, capsys):
    """
    Results that cannot be written to an address go to no folder 's3:'.
    """
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit):
        run(*command, '--out', 's3://bucket/out')
    assert ("argument --out: must be a path of this machine, got the address "
            "'s3://bucket/out'") in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(*command, '--out', 's3:/bucket/out')
    assert 'has lost a slash' in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_messages(box, capsys, monkeypatch):
    """
    Errors speak of options, and come before anything is done.
    """
    for args, message in (
            (('fit', 'nfs://a/x.fits'), "argument IMAGE: 'nfs://a/x.fits' is "
             'an address of a kind that is not known'),
            (('fit', 's3://me:word@b/x.fits'), 'argument IMAGE: the address '
             'at b holds a password'),
            (('fit', 'g.fits', '--mask', 'nfs://a/x.fits'),
             'argument --mask: mask='),
            (('survey', 'nfs://a/x.csv', '--out', 'out'),
             'argument CATALOGUE: ')):
        with pytest.raises(SystemExit):
            run(*args)
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit, match='2'):
        run('survey', 'cat.csv', '--out', 'https://host/out')
    assert ("error: argument --out: 'https://host/out' cannot be written to: "
            'give a') in capsys.readouterr().err
    Table({'path': ['https://host/x.fits']}).write('web.csv')
    assert run('survey', 'web.csv', '--out', 'out') == 1
    assert "error: --images 'path': none of the first 1 image(s) can be" in (
        capsys.readouterr().err)
    assert not Path('out').exists()
    monkeypatch.setitem(sys.modules, 'upath', None)
    with pytest.raises(SystemExit):
        run('fit', f'{box}/g.fits')
    assert "the address 'memory://box/g.fits' needs universal_pathlib" in (
        capsys.readouterr().err)
