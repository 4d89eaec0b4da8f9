# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Values of options that are wrong for every file: the status is 2.
"""

import argparse

import pytest

from astro_pix2prof.cli.main import main
from astro_pix2prof.cli.values import angle, fwhm, number, unit


@pytest.mark.parametrize(('kind', 'limits', 'text', 'value'), [
    (float, {}, ' -3.5', -3.5),
    (float, {'above': 0}, '1e-9', 1e-9),
    (float, {'least': 0, 'most': 1}, '0', 0.0),
    (float, {'least': 0, 'most': 1}, '1', 1.0),
    (int, {'least': 0}, '0', 0)])
def test_number(kind, limits, text, value):
    found = number(kind, **limits)(text)
    assert found == value
    assert type(found) is kind


@pytest.mark.parametrize(('kind', 'limits', 'text', 'match'), [
    (float, {}, 'x', "must be a finite number, got 'x'"),
    (float, {}, 'inf', 'must be a finite number, got'),
    (float, {'above': 0}, ' 0', "must be a finite number above 0, got '0'"),
    (float, {'above': 0, 'most': 20}, '21', 'above 0 and at most 20, got'),
    (float, {'least': 0, 'most': 1}, '1.01', 'number from 0 to 1, got'),
    (float, {'least': 0}, '-1', 'a finite number of 0 or more, got'),
    (int, {'least': 0}, '1.5', 'an integer of 0 or more, got'),
    (int, {'least': 1}, '0', 'an integer of 1 or more, got'),
    (int, {}, 'x', "must be an integer, got 'x'"),
    (int, {}, '9' * 400, 'must be an integer, got')])
def test_number_out_of_range(kind, limits, text, match):
    with pytest.raises(argparse.ArgumentTypeError, match=match):
        number(kind, **limits)(text)


@pytest.mark.parametrize(('text', 'value'), [
    ('0.6', 0.6), ('0.6arcsec', 0.6), ('0.01 arcmin', 0.6),
    ('0.6 arcsec/pix', 0.6), ('600mas', 0.6)])
def test_angle(text, value):
    assert angle(text) == pytest.approx(value)


@pytest.mark.parametrize('text', ['0', '-1arcsec', '0.6kpc', 'x', 'inf',
                                  '3pix', 'nanarcsec'])
def test_no_angle(text):
    match = f'must be a finite number above 0, in arcsec, got {text!r}'
    with pytest.raises(argparse.ArgumentTypeError, match=match):
        angle(text)


def test_unit():
    assert unit('nanomaggies') == 'nanomaggies'
    with pytest.raises(argparse.ArgumentTypeError,
                       match="'bananas' is not understood"):
        unit('bananas')


@pytest.mark.parametrize(('text', 'value', 'name'), [
    ('1.2', 1.2, ''), ('1.2arcsec', 1.2, ''), ('0.05 arcmin', 3.0, ''),
    ('3pix', 3.0, 'pix'), ('2.5 px', 2.5, 'pix'), ('4 pixels', 4.0, 'pix')])
def test_fwhm(text, value, name):
    found = fwhm(text)
    assert getattr(found, 'value', found) == pytest.approx(value)
    assert str(getattr(found, 'unit', '')) == name


@pytest.mark.parametrize('args', [
    # (nothing of them exists: the option is wrong before a file is read)
    'clumps no.fits --threshold 0', 'clumps no.fits --threshold 1.5',
    'clumps no.fits --detector matched --threshold nan',
    'clumps no.fits --within 21', 'clumps no.fits --gain 0',
    'clumps no.fits --zeropoint nan', 'clumps no.fits --unit bananas',
    'clumps no.fits --pixel-scale -1', 'clumps no.fits --saturation 0',
    'fit no.fits --psf-fwhm 0', 'fit no.fits --psf-fwhm 0pix',
    'fit no.fits --psf-fwhm pix', 'fit no.fits --native-pixel-scale inf',
    'compare no.fits --gain -1', 'survey no.csv --unit bananas',
    'survey no.csv --bands g,r --zeropoint g=25,r=nan',
    'review no --budget -1', 'review no --tolerance 0',
    'review no --miss -1', 'review no --lost nan', 'review no --look -0.1',
    'review no --repair 1.1', 'review no --out queue.txt',
    'anomalies no --components 0', 'anomalies no --seed -1',
    'anomalies no --out table.txt', 'similar no --id 1 -n 0',
    'similar no --id 1 --out table.txt', 'spectra no.fits --unit bananas',
    'report no --out page.txt', 'report no --gallery 2.5',
    'simulate --n 2.5', 'survey no.csv --out x --workers two',
    'evaluate no --jobs x'])
def test_wrong_usage(args, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as info:
        main(args.split())
    assert info.value.code == 2
    assert f'argument {args.split()[-2]}: ' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_threshold_of_a_filter(tmp_path, capsys):
    """
    A ratio of signal to noise may be above 1.
    """
    assert main(['clumps', str(tmp_path / 'no.fits'), '--threshold', '5',
                 '--detector', 'matched', '--out',
                 str(tmp_path / 'x.ecsv')]) == 1
    assert 'no such file' in capsys.readouterr().err
