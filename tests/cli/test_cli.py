# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the command line.

Most of them replace the fit by an exact profile, so that they take no time
and know what to expect; one of each command fits.
"""

import subprocess
import sys
import warnings
from functools import partial
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    GalaxyCutout,
    Pix2ProfFitter,
    read_profile,
    write_profile,
)
from astro_pix2prof.cli import main
from astro_pix2prof.cli.methods import METHODS
from astro_pix2prof.cli.output import file_stem


@pytest.fixture
def image_file(galaxy_ccd, tmp_path):
    path = tmp_path / 'galaxy.fits'
    galaxy_ccd.write(path)
    return path


@pytest.fixture
def calls(monkeypatch, sersic_profile):
    """
    Replace the fit; return a list of the options of each call.
    """
    seen = []

    def network(weights, device, **settings):
        assert (weights, device) == ('rings', None)
        return SimpleNamespace(fit=partial(fit, settings))

    def isophotes(weights=None, device=None, **settings):
        return SimpleNamespace(fit=measure)

    def fit(settings, image, **options):
        seen.append({**settings, **options})
        return measure(image, **options)

    def measure(image, **options):
        if image.name.startswith('bad'):
            msg = 'this galaxy\nis bad'
            raise ValueError(msg)
        if image.name.startswith('stop'):
            raise KeyboardInterrupt
        if image.name.startswith('warn'):
            warnings.warn('look at this one', AstropyUserWarning,
                          stacklevel=2)
        options.pop('geometry', None)
        cutout = GalaxyCutout(image, **options)
        return SimpleNamespace(profile=sersic_profile.copy(), cutout=cutout,
                               mask=cutout.mask)

    monkeypatch.setitem(METHODS, 'pix2prof', network)
    monkeypatch.setitem(METHODS, 'isophote', isophotes)
    # (a figure takes two seconds; that of a real fit is drawn)
    monkeypatch.setattr(
        'astro_pix2prof.plotting.fit.plot_fit',
        lambda image, profile, *, fig, **options: fig)
    return seen


def run(*args):
    return main([str(arg) for arg in args])


class TestMain:
    def test_nothing(self, capsys):
        assert run() == 2
        assert 'usage: pix2prof' in capsys.readouterr().out

    @pytest.mark.parametrize('args', [
        ['what'], ['fit'], ['fit', 'a.fits', '--format', 'xls'],
        ['fit', 'a.fits', '--zeropoint', 'x'], ['demo', 'x']])
    def test_usage(self, args, capsys):
        with pytest.raises(SystemExit) as info:
            main(args)
        assert info.value.code == 2
        assert 'usage: pix2prof' in capsys.readouterr().err

    def test_version(self, capsys):
        from astro_pix2prof import __version__

        with pytest.raises(SystemExit) as info:
            run('--version')
        assert info.value.code == 0
        assert capsys.readouterr().out == f'pix2prof {__version__}\n'

    @pytest.mark.parametrize('command', [
        'fit', 'compare', 'demo', 'simulate', 'train', 'evaluate'])
    def test_help(self, command, capsys):
        with pytest.raises(SystemExit) as info:
            run(command, '--help')
        assert info.value.code == 0
        assert '--debug' in capsys.readouterr().out

    def test_help_fits_the_screen(self, capsys, monkeypatch):
        monkeypatch.setenv('COLUMNS', '80')
        for command in ((), ('fit',), ('compare',), ('survey',)):
            with pytest.raises(SystemExit):
                run(*command, '--help')
            text = capsys.readouterr().out
            assert max(map(len, text.splitlines())) <= 80

    def test_reader_of_the_output_ends(self, sersic_profile, tmp_path):
        """
        As in ``pix2prof compare ... | head -1``: no error is shown.
        """
        write_profile(sersic_profile, tmp_path / 'a.ecsv')
        process = subprocess.Popen(
            [sys.executable, '-m', 'astro_pix2prof', 'compare', 'a.ecsv',
             'a.ecsv'], cwd=tmp_path, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        process.stdout.close()
        assert process.stderr.read() == ''
        process.stderr.close()
        assert process.wait() == 1
        assert (tmp_path / 'comparison.png').exists()

    def test_module_and_imports(self):
        """
        ``python -m astro_pix2prof`` works, and help needs no science.
        """
        code = ('import sys; from astro_pix2prof.cli.main import main\n'
                'try: main(["fit", "--help"])\n'
                'except SystemExit: pass\n'
                'sys.exit(any(name in sys.modules for name in '
                '("numpy", "astropy", "matplotlib", "torch")))')
        done = subprocess.run([sys.executable, '-c', code], check=False,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        done = subprocess.run([sys.executable, '-m', 'astro_pix2prof',
                               '--help'], check=True, capture_output=True,
                              text=True)
        assert done.stdout.startswith('usage: pix2prof')


class TestFit:
    @pytest.mark.parametrize(('kind', 'suffix'), [
        ('ecsv', '.ecsv'), ('fits', '.fits'), ('parquet', '.parquet')])
    def test_one(self, image_file, tmp_path, calls, capsys, sersic_profile,
                 kind, suffix):
        if kind == 'parquet':
            pytest.importorskip('pyarrow')
            pytest.importorskip('pandas')
        out = tmp_path / 'out' / 'deep'
        assert run('fit', image_file, '--out', out, '--format', kind) == 0
        profile = read_profile(out / f'galaxy_profile{suffix}')
        assert profile['intensity'].unit == sersic_profile['intensity'].unit
        assert profile.meta['fitter'] == 'truth'
        text = capsys.readouterr()
        assert '1 of 1 images measured' in text.out
        assert text.err == ''
        assert [path.name for path in out.iterdir()] == [
            f'galaxy_profile{suffix}']

    def test_options(self, image_file, tmp_path, calls):
        assert run(
            'fit', image_file, '--out', tmp_path / 'out', '--zeropoint', 25,
            '--unit', 'adu', '--gain', '2.5', '--position', '61', '66',
            '--size', '90', '--band', 'g', '--hdu', 0) == 0
        assert calls[0] == {'zeropoint': 25.0, 'unit': 'adu', 'gain': 2.5,
                            'position': (61.0, 66.0), 'size': 90, 'band': 'g',
                            'hdu': 0}

    def test_more_options(self, image_file, tmp_path, calls, sersic_profile):
        write_profile(sersic_profile, tmp_path / 'geometry.ecsv')
        assert run(
            'fit', image_file, '--out', tmp_path / 'out', '--pixel-scale',
            '0.396', '--native-pixel-scale', '0.4', '--size', '30arcsec',
            '--hdu', 'PRIMARY', '--uncalibrated', '--geometry',
            tmp_path / 'geometry.ecsv') == 0
        assert calls[0]['pixel_scale'] == 0.396
        assert calls[0]['native_pixel_scale'] == 0.4
        assert calls[0]['size'] == 30 * u.arcsec
        assert calls[0]['hdu'] == 'PRIMARY'
        assert calls[0]['calibrated'] is False

    @pytest.mark.parametrize(('text', 'ra', 'dec'), [
        (('150.0003d', '2.0002d'), 150.0003, 2.0002),
        (('150.0003deg', '2.0002deg'), 150.0003, 2.0002),
        (('10:00:00.072', '+02:00:00.72'), 150.0003, 2.0002),
        (('10h00m00.072s', '2d00m00.72s'), 150.0003, 2.0002),
        (('10:00:00.072', '-00:30:00'), 150.0003, -0.5)])
    def test_sky_position(self, monkeypatch, image_file, text, ra, dec):
        seen = {}

        def fit(image, **options):
            seen.update(options)
            raise ValueError

        monkeypatch.setitem(METHODS, 'pix2prof',
                            lambda **_: SimpleNamespace(fit=fit))
        assert run('fit', image_file, '--position', *text) == 1
        expected = SkyCoord(ra, dec, unit='deg')
        assert seen['position'].separation(expected) < 1e-3 * u.arcsec

    @pytest.mark.parametrize(('args', 'text'), [
        (('--position', 'here', 'there'),
         "error: --position 'here there' cannot be read"),
        (('--position', '10:00:00', '99d'),
         "error: --position '10:00:00 99d' cannot be read"),
        (('--size', 'large'), "argument --size: cannot read 'large'")])
    def test_wrong_options(self, image_file, capsys, args, text):
        with pytest.raises(SystemExit) as info:
            run('fit', image_file, *args)
        assert info.value.code == 2
        assert text in capsys.readouterr().err

    def test_out_is_a_file(self, image_file, capsys):
        with pytest.raises(SystemExit) as info:
            run('fit', image_file, '--out', image_file)
        assert info.value.code == 2
        assert 'argument --out' in capsys.readouterr().err

    def test_fitter_options(self, image_file, tmp_path, calls):
        fits.writeto(tmp_path / 'mask.fits', np.zeros((128, 128), dtype='u1'))
        assert run(
            'fit', image_file, '--out', tmp_path, '--sky', '-0.25', '--mask',
            tmp_path / 'mask.fits',
            '--min-snr', 3, '--psf-fwhm', 1.2, '--saturation', 60000,
            '--mag-system', 'vega', '--zeropoint', 25, '--hdu', 'PRIMARY,1',
            '--bad-bits', '0x5') == 0
        assert calls[0].pop('mask').shape == (128, 128)
        assert calls[0] == {
            'sky': -0.25, 'min_snr': 3.0, 'psf_fwhm': 1.2,
            'saturation': 60000.0, 'mag_system': 'Vega', 'zeropoint': 25.0,
            'hdu': ('PRIMARY', 1), 'bad_bits': 5}

    @pytest.mark.parametrize(('args', 'text'), [
        (('--bad-bits', 'x'), 'argument --bad-bits: must be a whole number'),
        (('--mag-system', 'Gunn'), 'argument --mag-system: invalid choice')])
    def test_unreadable_options(self, image_file, capsys, args, text):
        with pytest.raises(SystemExit) as info:
            run('fit', image_file, *args)
        assert info.value.code == 2
        assert text in capsys.readouterr().err

    def test_no_isophotes(self, image_file, tmp_path, calls, monkeypatch):
        """
        The network is alone unless the comparison is asked for.
        """
        def fail(**options):
            pytest.fail('the isophotes are made')

        monkeypatch.setitem(METHODS, 'isophote', fail)
        assert run('fit', image_file, '--out', tmp_path / 'out') == 0

    def test_compare(self, image_file, tmp_path, calls, capsys,
                     sersic_profile):
        out = tmp_path / 'out'
        args = ('fit', image_file, '--out', out, '--compare', '--plot')
        assert run(*args) == 0
        assert {path.name for path in out.iterdir()} == {
            'galaxy_profile.ecsv', 'galaxy_isophote.ecsv',
            'galaxy_profile.png'}
        other = read_profile(out / 'galaxy_isophote.ecsv')
        np.testing.assert_array_equal(other['intensity'],
                                      sersic_profile['intensity'])
        text = capsys.readouterr().out
        assert 'isophote: median absolute difference' in text
        assert 'difference from isophote in bins' in text
        (out / 'galaxy_profile.ecsv').unlink()
        assert run(*args) == 1
        assert 'galaxy_isophote.ecsv exists: give --overwrite' in (
            capsys.readouterr().err)
        # from the other side
        assert run('fit', image_file, '--out', tmp_path, '--compare',
                   '--method', 'isophote', '--format', 'fits') == 0
        assert (tmp_path / 'galaxy_pix2prof.fits').exists()

    def test_compare_fails(self, image_file, tmp_path, calls, capsys,
                           monkeypatch):
        """
        The profile is there, though there is none to compare with.
        """
        def fail(image, **options):
            msg = 'it is too round'
            raise ValueError(msg)

        monkeypatch.setitem(METHODS, 'isophote',
                            lambda **_: SimpleNamespace(fit=fail))
        out = tmp_path / 'out'
        assert run('fit', image_file, '--out', out, '--compare') == 1
        text = capsys.readouterr()
        assert (f'pix2prof: error: {image_file}: no profile to compare with: '
                'it is too round') in text.err
        assert [path.name for path in out.iterdir()] == [
            'galaxy_profile.ecsv']

    def test_several(self, image_file, tmp_path, calls, capsys):
        """
        A bad file is told in one line and stops nothing.
        """
        for name in ('bad', 'warned'):
            (tmp_path / f'{name}.fits').write_bytes(image_file.read_bytes())
        out = tmp_path / 'out'
        status = run('fit', tmp_path / 'bad.fits', tmp_path / 'nothing.fits',
                     tmp_path / 'warned.fits', image_file, '--out', out,
                     '--plot', '--structure')
        assert status == 1
        text = capsys.readouterr()
        errors = [line for line in text.err.replace('\r', '\n').splitlines()
                  if line.startswith('pix2prof: error')]
        assert errors == [
            f'pix2prof: error: {tmp_path}/bad.fits: this galaxy is bad',
            f'pix2prof: error: no such file: {tmp_path}/nothing.fits']
        assert 'warned.fits: look at this one' in text.err
        assert 'Traceback' not in text.err
        assert '4/4' in text.err, 'the progress bar'
        assert '2 of 4 images measured, 2 failed; results in' in text.out
        assert '2 failed' in text.err, 'the progress bar'
        assert {path.name for path in out.iterdir()} == {
            'warned_profile.ecsv', 'warned_profile.png',
            'galaxy_profile.ecsv', 'galaxy_profile.png', 'structure.ecsv'}
        structure = QTable.read(out / 'structure.ecsv')
        assert list(structure['image']) == ['warned', 'galaxy']

    def test_quiet(self, image_file, tmp_path, calls, capsys, monkeypatch):
        """
        No progress, but warnings and errors, each once.
        """
        for name in ('bad', 'warned'):
            (tmp_path / f'{name}.fits').write_bytes(image_file.read_bytes())
        bad, warned = tmp_path / 'bad.fits', tmp_path / 'warned.fits'
        assert run('fit', bad, warned, '--out', tmp_path, '--quiet',
                   '--compare') == 1
        text = capsys.readouterr()
        assert text.out == ''
        assert text.err.splitlines() == [
            f'pix2prof: error: {bad}: this galaxy is bad',
            f'pix2prof: warning: {warned}: look at this one']
        # what only the other method says
        monkeypatch.setitem(
            METHODS, 'isophote', lambda **_: SimpleNamespace(
                fit=lambda image, **_: warnings.warn(
                    'odd', AstropyUserWarning, stacklevel=2)))
        assert run('fit', image_file, '--out', tmp_path, '--quiet',
                   '--compare') == 1
        assert (f'pix2prof: warning: {image_file}: odd'
                in capsys.readouterr().err)
        assert run('compare', warned, image_file, '--quiet', '--out',
                   tmp_path / 'a.png') == 0
        text = capsys.readouterr()
        assert text.out == ''
        assert text.err == ('pix2prof: warning: '
                            f'{warned}: look at this one\n')

    def test_same_name(self, image_file, tmp_path, calls):
        other = tmp_path / 'other' / 'galaxy.fits.gz'
        other.parent.mkdir()
        with fits.open(image_file) as hdus:
            hdus.writeto(other)
        out = tmp_path / 'out'
        assert run('fit', image_file, other, '--out', out, '--quiet') == 0
        assert {path.name for path in out.iterdir()} == {
            'galaxy_profile.ecsv', 'galaxy_2_profile.ecsv'}

    @pytest.mark.parametrize(('name', 'stem'), [
        ('a.fits', 'a'), ('a.b.fits.gz', 'a.b'), ('a.FIT', 'a'),
        ('a.fits.fz', 'a'), ('ngc1.5', 'ngc1.5'), ('fits', 'fits')])
    def test_stem(self, tmp_path, name, stem):
        assert file_stem(tmp_path / name) == stem

    def test_overwrite(self, image_file, tmp_path, calls, capsys):
        args = ('fit', image_file, '--out', tmp_path, '--plot')
        assert run(*args) == 0
        assert run(*args) == 1
        assert 'galaxy_profile.ecsv exists: give --overwrite' in (
            capsys.readouterr().err)
        assert len(calls) == 1, 'there is no need to fit'
        assert run(*args, '--overwrite') == 0
        (tmp_path / 'galaxy_profile.ecsv').unlink()
        assert run(*args) == 1
        assert 'galaxy_profile.png exists' in capsys.readouterr().err

    def test_overwrite_structure(self, image_file, tmp_path, calls, capsys):
        (tmp_path / 'structure.ecsv').touch()
        args = ('fit', image_file, '--out', tmp_path, '--structure')
        assert run(*args) == 1
        assert '--structure: ' in (text := capsys.readouterr().err)
        assert 'structure.ecsv exists: give --overwrite' in text
        assert '\n' not in text.strip()
        calls.clear()
        assert run(*args, '--quiet') == 1
        assert calls == []
        assert 'structure.ecsv exists: give --overwrite' in (
            capsys.readouterr().err)
        assert run(*args, '--overwrite') == 0

    def test_structures_do_not_fit_together(self, image_file, tmp_path, calls,
                                            capsys, monkeypatch):
        """
        The profiles are there, though the table of structures is not.
        """
        def fail(*args, **kwargs):
            msg = 'units differ'
            raise TypeError(msg)

        monkeypatch.setattr('astropy.table.vstack', fail)
        assert run('fit', image_file, '--out', tmp_path, '--structure') == 1
        text = capsys.readouterr()
        assert text.err == 'pix2prof: error: units differ\n'
        assert '1 of 1 images measured' in text.out
        assert (tmp_path / 'galaxy_profile.ecsv').exists()

    def test_debug(self, tmp_path, image_file, calls, capsys):
        bad = tmp_path / 'bad.fits'
        bad.write_bytes(image_file.read_bytes())
        assert run('fit', bad, '--debug') == 1
        text = capsys.readouterr().err
        assert 'Traceback (most recent call last)' in text
        assert 'pix2prof: error' in text

    def test_interrupt(self, tmp_path, image_file, calls, capsys):
        stop = tmp_path / 'stop.fits'
        stop.write_bytes(image_file.read_bytes())
        assert run('fit', stop) == 130
        assert capsys.readouterr().err == 'pix2prof: error: interrupted\n'

    def test_geometry_is_missing(self, image_file, tmp_path, capsys):
        assert run('fit', image_file, '--geometry',
                   tmp_path / 'nothing.ecsv') == 1
        text = capsys.readouterr().err
        assert text.startswith('pix2prof: error: --geometry: ')
        assert text.count('\n') == 1

    def test_real_fit(self, image_file, tmp_path, galaxy_truth, capsys):
        """
        Without any replacement: fit, structure and figure.
        """
        assert run('fit', image_file, '--out', tmp_path, '--plot',
                   '--structure') == 0
        profile = read_profile(tmp_path / 'galaxy_profile.ecsv')
        assert profile.meta['x_centre'] == pytest.approx(
            galaxy_truth['x_0'], abs=0.3)
        inner = profile[np.abs(profile['radius'].value / 0.396 - 12) < 3]
        assert np.median(inner['ellipticity']) == pytest.approx(0.4, abs=0.03)
        assert (tmp_path / 'galaxy_profile.png').stat().st_size > 10_000
        assert len(QTable.read(tmp_path / 'structure.ecsv')) == 1


class TestCompare:
    def test_reference(self, image_file, tmp_path, calls, capsys,
                       sersic_profile):
        fainter = sersic_profile.copy()
        fainter['surface_brightness'] += 0.1 * u.mag / u.arcsec**2
        write_profile(fainter, tmp_path / 'published.ecsv')
        png = tmp_path / 'figures' / 'a.png'
        assert run('compare', image_file, '--reference',
                   tmp_path / 'published.ecsv', '--out', png) == 0
        text = capsys.readouterr().out
        assert 'difference from published' in text
        assert '-0.100' in text
        assert png.stat().st_size > 10_000
        assert run('compare', image_file, '--out', png) == 1
        assert 'exists: give --overwrite' in capsys.readouterr().err
        assert run('compare', image_file, '--out', png, '--overwrite') == 0
        assert 'there is one profile and none to compare it with: give an' in (
            capsys.readouterr().err)

    def test_figure(self, image_file, tmp_path, calls, capsys):
        with pytest.raises(SystemExit):
            run('compare', image_file, '--out', tmp_path / 'a.xyz')
        assert 'argument --out: must end in .png, .pdf, ' in (
            capsys.readouterr().err)

    def test_no_brightness(self, tmp_path, sersic_profile, capsys):
        dark = sersic_profile.copy()
        dark['surface_brightness'] *= np.nan
        for name, profile in (('a', sersic_profile), ('b', dark)):
            write_profile(profile, tmp_path / f'{name}.ecsv')
        assert run('compare', tmp_path / 'a.ecsv', tmp_path / 'b.ecsv',
                   '--out', tmp_path / 'a.png') == 1
        assert ('error: b has no surface brightness to compare: it is not '
                'calibrated, or has no light') in capsys.readouterr().err

    def test_two_galaxies(self, tmp_path, sersic_profile, capsys):
        there = sersic_profile.copy()
        there.meta['ra'] += 0.1
        for name, profile in (('a', sersic_profile), ('b', there)):
            write_profile(profile, tmp_path / f'{name}.ecsv')
        assert run('compare', tmp_path / 'a.ecsv', tmp_path / 'b.ecsv',
                   '--out', tmp_path / 'a.png') == 0
        line, = capsys.readouterr().err.splitlines()
        assert line.startswith("pix2prof: warning: the centres of 'b' and of")

    def test_images(self, image_file, tmp_path, calls, capsys):
        for name in ('other', 'bad', 'warned'):
            (tmp_path / f'{name}.fits').write_bytes(image_file.read_bytes())
        png = tmp_path / 'a.png'
        status = run('compare', image_file, *(
            tmp_path / f'{name}.fits' for name in ('other', 'bad', 'warned')),
            '--out', png)
        assert status == 1
        text = capsys.readouterr()
        assert 'difference from galaxy' in text.out
        assert '+0.000' in text.out
        assert text.err.splitlines() == [
            f'pix2prof: error: {tmp_path}/bad.fits: this galaxy is bad',
            f'pix2prof: warning: {tmp_path}/warned.fits: look at this one']

    def test_methods(self, image_file, tmp_path, calls, monkeypatch, capsys):
        monkeypatch.setitem(METHODS, 'other', METHODS['isophote'])
        assert run('compare', image_file, '--method', 'isophote', '--method',
                   'other', '--out', tmp_path / 'a.png') == 0
        text = capsys.readouterr().out
        assert 'difference from galaxy (isophote)' in text
        assert 'galaxy (other)' in text

    def test_nothing_left(self, image_file, tmp_path, calls, capsys):
        bad = tmp_path / 'bad.fits'
        bad.write_bytes(image_file.read_bytes())
        assert run('compare', bad, '--out', tmp_path / 'a.png',
                   '--debug') == 1
        assert 'Traceback' in capsys.readouterr().err
        assert not (tmp_path / 'a.png').exists()

    def test_quiet(self, image_file, tmp_path, calls, capsys):
        assert run('compare', image_file, '--quiet', '--out',
                   tmp_path / 'a.png') == 0
        assert capsys.readouterr().out == ''


    def test_radius_scale(self, tmp_path, capsys, sersic_profile):
        """
        The figure differs, and an unknown scale is refused.
        """
        path = tmp_path / 'ours.ecsv'
        write_profile(sersic_profile, path)
        pictures = []
        for scale in ('linear', 'log', 'r1/4'):
            out = tmp_path / f'{len(pictures)}.png'
            assert run('compare', path, '--out', out, '--radius-scale',
                       scale) == 0
            pictures.append(out.read_bytes())
        assert len(set(pictures)) == 3
        with pytest.raises(SystemExit):
            run('compare', path, '--radius-scale', 'cubic')
        assert "invalid choice: 'cubic'" in capsys.readouterr().err

    def test_tables(self, tmp_path, capsys, sersic_profile, monkeypatch):
        """
        Profiles of three programs of the same galaxy; nothing is measured.
        """
        def fail(**options):
            pytest.fail('a fitter is made')

        for method in list(METHODS):
            monkeypatch.setitem(METHODS, method, fail)
        monkeypatch.chdir(tmp_path)
        profile = sersic_profile[np.isfinite(
            sersic_profile['surface_brightness'])]
        write_profile(profile, tmp_path / 'ours.ecsv')
        write_profile(profile, tmp_path / 'ours_too.fits')
        rows = zip(*(profile[name].value for name in (
            'radius', 'surface_brightness', 'surface_brightness_err')),
            strict=True)
        (tmp_path / 'theirs.prof').write_text(
            'R,SB,SB_e,ellip,pa\n' + ''.join(
                f'{r},{sb + 0.05},{err},0.4,35.0\n' for r, sb, err in rows),
            encoding='utf-8')
        table = QTable({
            'SMA': profile['radius'].value / 0.396,
            'INTENS': profile['intensity'].value * 0.396**2 * 10,
            'ELLIP': profile['ellipticity'], 'PA': profile['pa'].value})
        table.write(tmp_path / 'iraf.fits')
        assert run('compare', 'ours.ecsv', 'ours_too.fits', 'theirs.prof',
                   'iraf.fits', '--zeropoint', 25.1, '--pixel-scale', 0.396,
                   '--out', 'a.png') == 0
        text = capsys.readouterr().out
        assert (tmp_path / 'a.png').stat().st_size > 10_000
        medians = {}
        for line in text.splitlines():
            words = line.split()
            if words and words[0] in ('ours_too', 'theirs', 'iraf'):
                medians.setdefault(words[0], []).append(float(words[4]))
        assert set(medians['ours_too']) == {0.0}
        assert set(medians['theirs']) == {0.05}
        # ten times the counts, and 2.6 mag instead of 2.5
        np.testing.assert_allclose(medians['iraf'], 0.1, atol=0.0011)

    def test_iraf_needs_options(self, tmp_path, capsys, sersic_profile):
        QTable({'SMA': [1.0], 'INTENS': [1.0], 'ELLIP': [0.1],
                'PA': [0.0]}).write(tmp_path / 'iraf.fits')
        out = ('--out', tmp_path / 'a.png')
        assert run('compare', tmp_path / 'iraf.fits', *out) == 1
        assert 'an IRAF table has no pixel scale: give --pixel-scale' in (
            capsys.readouterr().err)
        assert run('compare', tmp_path / 'iraf.fits', '--pixel-scale', '1',
                   *out) == 1
        assert 'no zero point: give --zeropoint' in capsys.readouterr().err
        # a reference has the options that all files share
        write_profile(sersic_profile, tmp_path / 'ours.ecsv')
        assert run('compare', tmp_path / 'ours.ecsv', '--reference',
                   tmp_path / 'iraf.fits', '--pixel-scale', '1',
                   '--zeropoint', 22, *out) == 0

    def test_reference_is_an_image(self, image_file, tmp_path, capsys):
        with pytest.raises(SystemExit) as info:
            run('compare', image_file, '--reference', image_file, '--out',
                tmp_path / 'a.png')
        assert info.value.code == 2
        assert 'holds no profile: give images as FILE' in (
            capsys.readouterr().err)

    def test_options_of_each(self, image_file, tmp_path, calls, monkeypatch):
        """
        Options are given once, or once for each file.
        """
        other = tmp_path / 'other.fits'
        other.write_bytes(image_file.read_bytes())
        fits.writeto(tmp_path / 'm.fits', np.zeros((128, 128), dtype='u1'))
        out = ('--out', tmp_path / 'a.png', '--overwrite')
        assert run('compare', image_file, other, '--band', 'g', '--gain', 2,
                   '--gain', 'none', '--mask', 'none', '--mask',
                   tmp_path / 'm.fits', '--position', 60, 61, '--position',
                   'none', 'none', '--sky', 0.5, '--sky', 'auto',
                   '--sky-err', 0.1, '--sky-err', 'none', *out) == 0
        first, second = calls
        assert first == {'band': 'g', 'gain': 2.0, 'position': (60.0, 61.0),
                         'sky': 0.5, 'sky_err': 0.1}
        assert second.pop('mask').shape == (128, 128)
        assert second == {'band': 'g', 'sky': 'auto'}

    def test_wrong_number_of_options(self, image_file, tmp_path, capsys):
        with pytest.raises(SystemExit) as info:
            run('compare', image_file, image_file, image_file,
                '--pixel-scale', 1, '--pixel-scale', 2)
        assert info.value.code == 2
        assert ('argument --pixel-scale: give it once, or once for each of '
                'the 3 files') in capsys.readouterr().err

    def test_missing_file(self, image_file, tmp_path, calls, capsys):
        assert run('compare', image_file, tmp_path / 'no.ecsv', '--method',
                   'pix2prof', '--method', 'isophote', '--out',
                   tmp_path / 'a.png') == 1
        assert capsys.readouterr().err == (
            f'pix2prof: error: no such file: {tmp_path}/no.ecsv\n')


class TestDemo:
    def test_demo(self, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert run('demo') == 0
        text = capsys.readouterr().out
        assert 'surface_brightness' in text
        assert 'the galaxy was rendered with 14.50' in text
        folder = tmp_path / 'pix2prof_demo'
        assert str(folder / 'demo_galaxy_r.ecsv') in text
        assert str(folder / 'demo_galaxy_r.png') in text
        profile = read_profile(folder / 'demo_galaxy_r.ecsv')
        assert profile['mag_enclosed'][-1].value == pytest.approx(14.5,
                                                                  abs=0.05)
        # a second time, elsewhere, and without a word
        # (the isophotes need not be measured again)
        monkeypatch.setattr('astro_pix2prof.cli.demo.make_fitter',
                            lambda method, args: Pix2ProfFitter())
        assert run('demo', '--out', tmp_path / 'again', '--quiet') == 0
        assert capsys.readouterr().out == ''
        assert (tmp_path / 'again' / 'demo_galaxy_r.png').exists()
