# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the messages of the command line: options, and no Python.
"""

import argparse
import re
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import IsophoteFitter, load_example_truth, write_profile
from astro_pix2prof.cli.main import main
from astro_pix2prof.cli.methods import make_fitter
from astro_pix2prof.cli.options import any_path
from astro_pix2prof.cli.output import option_text, report, show_warnings

# An argument of Python, such as zeropoint= or hdu=3.
PYTHON = re.compile(r'\b[a-z_]+=')


@pytest.fixture(name='raw')
def write_raw(galaxy_ccd, tmp_path):
    """
    The pixels of the galaxy without a header.
    """
    path = tmp_path / 'raw.fits'
    fits.writeto(path, galaxy_ccd.data)
    return path


def error_of(capsys, *args):
    """
    The only line that a command writes to the standard error.
    """
    assert main([str(arg) for arg in args]) == 1
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith('pix2prof: error: ')
    assert not PYTHON.search(line)
    return line


def usage_of(capsys, *args):
    """
    The message of wrong usage that a command ends with.
    """
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in args])
    assert stop.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert not PYTHON.search(line)
    return line


class TestCommonErrors:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(('options', 'message'), [
        ([], 'or --pixel-scale in arcsec'),
        (['--pixel-scale', 1], 'no zero point: give --unit'),
        (['--pixel-scale', 1], "'MJy/sr'), --zeropoint (the magnitude of one "
         'data unit), or --uncalibrated for a profile'),
        (['--hdu', 7], '--hdu 7 is not in the file'),
        (['--hdu', 'SCI,2'], '--hdu SCI,2 is not in the file'),
        (['--band', 3], '--band 3 chooses the plane of a cube'),
        (['--bad-bits', 3], '--bad-bits selects bits of an integer mask, but '
         'the image has none: give --mask'),
        (['--position', '184.7', '12.4'], '--position'),
        (['--position', '184.7', '12.4'],
         'degrees have a unit: 184.7d 12.4d'),
        (['--position', '184.7d', '12.4d'], '--position'),
        (['--position', '184.7d', '12.4d'], 'no celestial WCS'),
    ])
    def test_image(self, raw, capsys, options, message):
        line = error_of(capsys, 'fit', raw, '--method', 'isophote', *options)
        assert message in line
        assert 'SkyCoord' not in line

    def test_extension_in_the_name(self, raw, capsys):
        line = error_of(capsys, 'fit', f'{raw}[SCI,2]')
        assert line.endswith(f'[SCI,2]: give {raw} with --hdu SCI,2')

    def test_sky_position_is_not_pixels(self, galaxy_ccd, tmp_path, capsys):
        galaxy_ccd.write(tmp_path / 'a.fits')
        line = error_of(capsys, 'fit', 'a.fits', '--method', 'isophote',
                        '--position', '10d', '10d')
        assert '--position' in line
        assert 'degrees have a unit' not in line

    def test_weights_of_isophotes(self, raw, capsys):
        args = ['fit', str(raw), '--uncalibrated', '--method', 'isophote']
        assert ('--weights does not go with --method isophote, which has no '
                'network') in usage_of(
                    capsys, *args, '--weights', 'rings-fast')
        assert main(args) == 0
        assert '--weights' not in capsys.readouterr().err

    def test_given_ellipses(self, raw, tmp_path, capsys):
        (tmp_path / 'e.csv').write_text(
            'radius,ellipticity,pa,x0,y0\n5,0.2,30,70,70\n9,0.2,30,70,70\n')
        args = ['fit', raw, '--uncalibrated']
        shape = ['--ellipticity', 0.4, '--pa', 80]
        for given in (shape, ['--geometry', 'e.csv']):
            line = usage_of(capsys, *args, *given, '--weights', 'captioner')
            assert 'must not be given with --weights captioner' in line
            assert given[0] in line
        args = [*args, '--geometry', 'e.csv', '--method', 'isophote']
        assert ('--position is 50 pixels from the centre of --geometry'
                in error_of(capsys, *args, '--position', 40, 30))
        assert main([str(arg) for arg in [*args, '--position', 70, 72]]) == 0

    def test_no_file_of_ellipses(self, raw, tmp_path, capsys):
        (tmp_path / 'folder').mkdir()
        (tmp_path / 'e.txt').write_text('nothing')
        args = ['fit', raw, '--method', 'isophote', '--uncalibrated']
        assert '--geometry: folder is a folder: give' in error_of(
            capsys, *args, '--geometry', 'folder')
        line = error_of(capsys, *args, '--geometry', 'e.txt')
        assert '.prof' in line
        assert 'format be given' not in line
        for option, text in (('--geometry', 'the file of a profile'),
                             ('--psf', 'a FITS file or a width')):
            assert f'{option}: must be {text}' in usage_of(
                capsys, *args, option, '')

    def test_degrees_without_a_unit(self, galaxy_ccd, tmp_path, capsys):
        galaxy_ccd.wcs.wcs.crval = 60.0, 50.0
        galaxy_ccd.write(tmp_path / 'a.fits')
        for position, told in ((('60', '50'), True), (('60', '51'), False)):
            assert main(['fit', 'a.fits', '--method', 'isophote',
                         '--overwrite', '--position', *position]) == 0
            text = capsys.readouterr().err
            assert text.count('--position') == told
            assert ('a.fits: --position 60,50 is taken for pixels, but in '
                    'degrees on the sky it lies in the image as well: if it '
                    'is one, give degrees with their unit, 60d 50d'
                    in text) is told

    def test_mask(self, raw, tmp_path, capsys):
        fits.writeto(tmp_path / 'mask.fits', np.zeros((5, 5), dtype='u1'))
        line = error_of(capsys, 'fit', raw, '--method', 'isophote', '--unit',
                        'nmgy', '--pixel-scale', 1, '--mask', 'mask.fits')
        assert line.startswith(f'pix2prof: error: {raw}: --mask must have '
                               'the shape of the image')

    def test_warning(self, raw, capsys, monkeypatch):
        """
        Warnings speak of options too.
        """
        with fits.open(raw, mode='update') as hdus:
            hdus[0].header['BUNIT'] = 'blorp'
        assert main(['fit', str(raw), '--method', 'isophote', '--zeropoint',
                     '22.5', '--pixel-scale', '0.4']) == 0
        text = capsys.readouterr().err
        assert 'give --unit if it matters' in text
        assert 'unit=' not in text

    @pytest.mark.parametrize(('options', 'message'), [
        (['--sky', 'banana'],
         "--sky must be 'auto', 'plane' or a finite number"),
        (['--sky', 'nan'], '--sky must be'),
        (['--sky-err', '0.1'], 'give --sky a level, too, or leave --sky-err'),
        (['--sky', '0', '--sky-err', '-1'], '--sky-err must be a finite'),
        (['--unit', 'blorp'], "argument --unit: 'blorp' is not understood"),
        (['--pixel-scale', '-1'], 'argument --pixel-scale: must be a finite'),
        (['--weights', 'none'], '--weights must be a name')])
    def test_fitter(self, raw, capsys, options, message):
        """
        Options that are wrong for each image are wrong usage, said once.
        """
        method = 'pix2prof' if '--weights' in options else 'isophote'
        with pytest.raises(SystemExit) as info:
            main(['fit', str(raw), str(raw), '--method', method, *options])
        assert info.value.code == 2
        text = capsys.readouterr().err
        assert text.count(message) == 1

    @pytest.mark.parametrize('command', [
        ['fit', 'raw.fits', '--weights', 'nope'],
        ['clumps', 'raw.fits', '--detector-weights', 'nope'],
        ['mass', 'g=raw.fits', '--distance', '35Mpc'],
        ['physical', 'profile.ecsv', '--distance', '1 mpc'],
        ['survey', 'raw.fits', '--cutouts', 'nope', '--out', 'survey'],
        ['train', 'nope']])
    def test_debug(self, raw, capsys, command):
        """
        Wrong usage has the same exit status and message with its traceback.
        """
        texts = []
        write_profile(load_example_truth(), 'profile.ecsv')
        for more in ([], ['--debug']):
            with pytest.raises(SystemExit) as info:
                main([*command, *more])
            assert info.value.code == 2
            texts.append(capsys.readouterr().err)
        assert 'Traceback' not in texts[0]
        assert 'Traceback (most recent call last)' in texts[1]
        assert texts[0].splitlines()[-1] == texts[1].splitlines()[-1]

    @pytest.mark.parametrize('size', ['-5', 'nan', '0arcsec', 'inf'])
    def test_size(self, raw, capsys, size):
        with pytest.raises(SystemExit) as info:
            main(['fit', str(raw), '--size', size])
        assert info.value.code == 2
        assert 'argument --size: must be positive' in capsys.readouterr().err

    def test_not_fits(self, tmp_path, capsys):
        (tmp_path / 'a.txt').write_text('no image', encoding='utf-8')
        line = error_of(capsys, 'fit', 'a.txt', '--method', 'isophote')
        assert 'a.txt is not a readable FITS file' in line
        assert line.count('a.txt') == 1

    def test_folder(self, tmp_path, capsys):
        (tmp_path / 'images').mkdir()
        line = error_of(capsys, 'fit', 'images', '--method', 'isophote')
        assert line.endswith('images is a folder: give its files, such as '
                             'images/*.fits')

    def test_no_permission(self, raw, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr('os.access', lambda *args: False)
        with pytest.raises(SystemExit) as info:
            main(['fit', str(raw), '--method', 'isophote', '--out',
                  str(tmp_path / 'out')])
        assert info.value.code == 2
        assert 'argument --out' in (text := capsys.readouterr().err)
        assert 'no permission to write there' in text


def test_home(raw, tmp_path, monkeypatch):
    """
    The shell leaves ~ as it is in --out=~/folder.
    """
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'home').mkdir()
    raw.rename(tmp_path / 'home' / 'a.fits')
    assert main(['fit', '~/a.fits', '--out=~/x', '--method', 'isophote',
                 '--uncalibrated']) == 0
    assert (tmp_path / 'home' / 'x' / 'a_profile.ecsv').is_file()
    assert not (tmp_path / '~').exists()
    # (a name of nobody is a name)
    assert str(any_path('~nobody-here/a.fits')) == '~nobody-here/a.fits'


class TestOptionText:
    @pytest.fixture(name='command')
    def make_command(self):
        command = argparse.ArgumentParser()
        for name in ('--size', '--pixel-scale', '--hdu', '--uncalibrated',
                     '--overwrite'):
            command.add_argument(name)
        command.add_argument('--type', dest='kind')
        return command

    @pytest.mark.parametrize(('text', 'expected'), [
        ('give size in pixels or pixel_scale=',
         'give --size in pixels or --pixel-scale'),
        ('size must be one', '--size must be one'),
        ('a.fits: size must be one', 'a.fits: --size must be one'),
        ('the size must be one', 'the size must be one'),
        ('hdu=3 is not', '--hdu 3 is not'),
        ("hdu='A B' is not", "--hdu 'A B' is not"),
        ("hdu=('A', 1) is not", '--hdu A,1 is not'),
        ('(hdu=3)', '(--hdu 3)'),
        ('size and hdu were given', '--size and --hdu were given'),
        ('calibrated=False for', '--uncalibrated for'),
        ('give overwrite=True (--overwrite)', 'give --overwrite'),
        ("give kind='new' (--type new) once", 'give --type new once'),
        ('give size=3 (--size 3), or', 'give --size 3, or'),
        ("give kind='new' (--type old)", "give --type 'new' (--type old)"),
        ('kind must be', '--type must be'),
        ('the header has HDU=3', 'the header has HDU=3'),
        ('no option of it: gain=', 'no option of it: gain='),
        ('/a/pixel_scale/b_pixel_scale.fits', '/a/pixel_scale/'
         'b_pixel_scale.fits'),
        ("the column 'pixel_scale'", "the column 'pixel_scale'"),
        ('of pixel_scale.', 'of --pixel-scale.'),
        # (columns of a table have the names of options, too)
        ('has: id, pixel_scale, sky', 'has: id, pixel_scale, sky'),
        ('there are pixel_scale, sky', 'there are pixel_scale, sky'),
        ('the catalogue has: pixel_scale', 'the catalogue has: pixel_scale'),
        ("size=['g', 'r'] needs", '--size g,r needs'),
        # (addresses, names of files and what is quoted)
        ('https://host/cut?size=60&hdu=3 did not answer: give size=',
         'https://host/cut?size=60&hdu=3 did not answer: give --size'),
        ("no file '/a b/size=3_r.fits': give hdu=",
         "no file '/a b/size=3_r.fits': give --hdu"),
        ('see cuts/hdu=2.fits, hdu=2', 'see cuts/hdu=2.fits, --hdu 2'),
        ("the text 'give size=3' is no size='a/{b}' of hdu='[1]'",
         "the text 'give size=3' is no --size 'a/{b}' of --hdu '[1]'"),
        ('"give size=3": size must be', '"give size=3": --size must be'),
        ("the image's hdu=2 isn't 'x'", "the image's --hdu 2 isn't 'x'")])
    def test_texts(self, command, text, expected):
        assert option_text(text, command) == expected

    def test_without_command(self):
        assert option_text('give size=') == 'give size='

    def test_file_with_the_name_of_an_option(self, command, capsys):
        args = argparse.Namespace(command=command)
        report(FileNotFoundError(2, 'No such file', 'size'), args)
        assert capsys.readouterr().err == (
            'pix2prof: error: size: no such file\n')


def test_show_warnings(capsys):
    """
    At once, each once, in the words of options; those of users only.
    """
    command = argparse.ArgumentParser()
    command.add_argument('--size')
    with show_warnings(argparse.Namespace(command=command)):
        for _ in range(2):
            warnings.warn('size must\nbe odd', AstropyUserWarning,
                          stacklevel=1)
        warnings.warn('of no interest', ResourceWarning, stacklevel=1)
        assert capsys.readouterr().err == (
            'pix2prof: warning: --size must be odd\n')
    with pytest.warns(AstropyUserWarning, match='as before'):
        warnings.warn('as before', AstropyUserWarning, stacklevel=1)


class TestReport:
    def test_file_is_named_once(self, tmp_path, capsys):
        path = tmp_path / 'a.fits'
        report(ValueError('is\nodd'), file=path)
        report(ValueError(f'{path} is odd'), file=path)
        report(ValueError(f'{path}x is odd'), file=path)
        report(PermissionError(13, 'Permission denied', 'b'), file=path)
        report(ValueError())
        assert capsys.readouterr().err.splitlines() == [
            f'pix2prof: error: {path}: is odd',
            f'pix2prof: error: {path} is odd',
            f'pix2prof: error: {path}: {path}x is odd',
            f'pix2prof: error: {path}: b: permission denied',
            'pix2prof: error: ValueError']


def test_make_fitter():
    """
    The options of the command line are those of the fitter.
    """
    args = argparse.Namespace(weights='rings', device=None, sky=-0.5,
                              min_snr=3.0, debug=False)
    fitter = make_fitter('isophote', args)
    assert isinstance(fitter, IsophoteFitter)
    assert (fitter.sky, fitter.min_snr) == (-0.5, 3.0)
    args.sky = 'plane'
    assert make_fitter('isophote', args).sky == 'plane'
    args.sky = args.min_snr = None
    fitter = make_fitter('isophote', args)
    assert (fitter.sky, fitter.min_snr) == ('auto', 1.0)
    assert make_fitter('pix2prof', args) is make_fitter('pix2prof', args)


@pytest.mark.parametrize(('command', 'args'), [
    ('fit', ['a.fits', '--bogus']), ('fit', ['a.fits', '--bogus', '3']),
    ('survey', ['a.csv', '--out', 'b', '--mak', 'c']),
    ('compare', ['a.fits', '--nothing'])])
def test_unknown_option(capsys, command, args):
    """
    The usage is that of the command.
    """
    with pytest.raises(SystemExit) as info:
        main([command, *args])
    assert info.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith(f'usage: pix2prof {command} ')
    assert f'pix2prof {command}: error: unrecognized arguments: --' in text


def test_nothing_is_logged(tmp_path, capfd):
    """
    Isophotes that cannot be fitted have flags, and no lines of a log.
    """
    path = tmp_path / 'noise.fits'
    fits.writeto(path, np.random.default_rng(1).normal(size=(60, 60)))
    assert main(['fit', str(path), '--method', 'isophote', '--zeropoint',
                 '25', '--pixel-scale', '0.4', '--out', str(tmp_path),
                 '--quiet']) == 0
    text = capfd.readouterr()
    assert (text.out, text.err) == ('', '')


def test_warnings_of_a_report(tmp_path, monkeypatch, capsys):
    """
    They are lines of the program, also when it is quiet.
    """
    def write(survey, out, **options):
        warnings.warn('the images have gone: give images=', AstropyUserWarning,
                      stacklevel=2)
        out.write_text('page')
        return out

    monkeypatch.setattr('astro_pix2prof.report.page.write_report', write)
    assert main(['report', 'none', '--quiet', '--out',
                 str(tmp_path / 'a.html')]) == 0
    text = capsys.readouterr()
    assert text.out == ''
    assert text.err == ('pix2prof: warning: the images have gone: give '
                        '--images\n')


@pytest.mark.parametrize('command', ['compare', 'report'])
@pytest.mark.parametrize('more', [[], ['--overwrite']])
def test_out_is_a_folder(command, more, tmp_path, capsys):
    """
    A folder where a file is wanted is wrong usage.
    """
    with pytest.raises(SystemExit) as info:
        main([command, str(tmp_path / 'a'), '--out', str(tmp_path), *more])
    assert info.value.code == 2
    assert (f'argument --out: {tmp_path} is a folder: give the name of a file'
            in capsys.readouterr().err)


@pytest.mark.parametrize(('text', 'expected'), [
    ("of an encoder: use weights='rings' and the method encode, or "
     'find_clumps', 'of an encoder: give --weights rings (pix2prof survey '
     '--embedding and pix2prof clumps use these)'),
    ('no GPU: leave device out', 'no GPU: leave out --device'),
    ('it has no TRUTH; or give truths', 'it has no TRUTH'),
    ("['z'], which are not in bands: its bands", "['z'], which are not in "
     '--bands: its bands')])
def test_phrases_of_python(text, expected):
    assert option_text(text) == expected


@pytest.mark.parametrize(('weights', 'message'), [
    ('captioner', "must be those of a ring network, such as 'rings', or "
     "'encoder', got 'captioner'"),
    ('foo', 'must be a name (encoder, rings, rings-fast) or a .safetensors'),
    ('foo.safetensors', 'foo.safetensors does not exist')])
def test_weights_to_tune(weights, message, tmp_path, capsys):
    """
    The weights have no option: the message names their place.
    """
    with pytest.raises(SystemExit) as info:
        main(['fine-tune', weights, '--pairs', str(tmp_path), '--out',
              str(tmp_path / 'a.safetensors')])
    assert info.value.code == 2
    assert (f'fine-tune: error: argument WEIGHTS: {message}'
            in capsys.readouterr().err)


def test_images_of_a_band(tmp_path, capsys):
    """
    They stand in --bands, and there is no --images.
    """
    (tmp_path / 'a.csv').write_text('id\n1\n')
    assert main(['survey', str(tmp_path / 'a.csv'), '--bands',
                 'g=path_g,r=path_r', '--workers', '1', '--out',
                 str(tmp_path / 'out')]) == 1
    text = capsys.readouterr().err
    assert 'error: --bands g=path_g is neither a column of the cat' in text
    assert '--images' not in text


@pytest.mark.parametrize(('options', 'code', 'message'), [
    (['--out', 'h'], 2, 'argument --out: must end in .safetensors, got h'),
    (['--label', 'name'], 1, "--label: each class needs 5 galaxies at least, "
     "got 'a': 1"),
    (['--label', 'name', '--kind', 'numbers'], 1, '--label: name must hold '
     'numbers'),
    (['--group', 'part'], 1, 'got 0: 2, 1: 2 (24 labelled rows are of 2 '
     'galaxies by --group)'),
    (['--kind', 'numbers', '--group', 'part'], 1, 'got 2 (24 labelled rows'),
])
def test_labels_before_images(options, code, message, tmp_path, capsys,
                              monkeypatch):
    """
    Nothing is encoded for labels that cannot be learned.
    """
    def encode(*args, **kwargs):
        msg = 'the images were encoded'
        raise AssertionError(msg)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('astro_pix2prof.Pix2ProfFitter.encode', encode)
    names = 'abcdefghijklmnopqrstuvwx'
    rows = [f'{name},{k // 2 % 2},{k % 2}' for k, name in enumerate(names)]
    (tmp_path / 'l.csv').write_text('\n'.join(['name,ring,part', *rows]))
    for name in names:
        (tmp_path / f'{name}.fits').touch()
    try:
        found = main(['fine-tune', 'encoder', '--table', 'l.csv', '--images',
                      '{name}.fits', '--label', 'ring', '--out',
                      'h.safetensors', *options])
    except SystemExit as stop:
        found = stop.code
    assert found == code
    assert message in capsys.readouterr().err
