# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the command ``pix2prof clumps``.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from astro_pix2prof import load_example
from astro_pix2prof.cli import main
from astro_pix2prof.export.clumps import clump_regions


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'galaxy.fits'
    load_example().write(path)
    return path


class TestCommand:
    def test_files(self, image, tmp_path, capsys, monkeypatch):
        pytest.importorskip('regions')
        monkeypatch.chdir(tmp_path)
        assert main(['clumps', str(image), '--weights', 'rings-fast',
                     '--detector', 'matched', '--psf', '1.3', '--regions',
                     '--plot', '--out', 'm51.ecsv']) == 0
        table = QTable.read('m51.ecsv')
        assert len(table) > 0
        assert table.meta['fwhm_from'] == 'given'
        assert 'clumps' in capsys.readouterr().out
        text = (tmp_path / 'm51.reg').read_text()
        assert text.count('circle') == len(table)
        assert (tmp_path / 'm51.png').stat().st_size > 10_000
        # (nothing is replaced unasked)
        assert main(['clumps', str(image), '--weights', 'rings-fast', '--out',
                     'm51.ecsv']) == 1
        assert '--overwrite' in capsys.readouterr().err

    def test_origin(self, tmp_path):
        """
        Circles without a WCS are in pixels of the file, not of the cutout.
        """
        regions = pytest.importorskip('regions')
        data = np.pad(np.asarray(load_example().data, dtype=float),
                      ((37, 0), (61, 0)), mode='reflect')
        path, out = tmp_path / 'bare.fits', tmp_path / 'bare.ecsv'
        fits.writeto(path, data)
        ny, nx = load_example().shape
        place = (61 + nx // 2, 37 + ny // 2)
        assert main(['clumps', str(path), '--pixel-scale', '0.4',
                     '--uncalibrated',
                     '--method', 'isophote', '--detector', 'matched',
                     '--psf', '3pix', '--size',
                     '101', '--position', str(place[0]), str(place[1]),
                     '--out', str(out),
                     '--regions', str(tmp_path / 'bare.reg')]) == 0
        table = QTable.read(out)
        assert len(table) > 0
        x0, y0 = table.meta['x_origin'], table.meta['y_origin']
        assert (x0, y0) == (place[0] - 50, place[1] - 50)
        circles = regions.Regions.read(tmp_path / 'bare.reg')
        np.testing.assert_allclose(
            [(c.center.x, c.center.y) for c in circles],
            np.transpose([table['x'] + x0, table['y'] + y0]), atol=0.01)

    def test_picture(self, tmp_path, capsys):
        from PIL import Image

        data = np.asarray(load_example().data, dtype=float)
        path = tmp_path / 'galaxy.png'
        Image.fromarray((40 + 200 * np.clip(np.arcsinh(
            data / 0.05) / 6, -0.2, 1)).astype('u1')).save(path)
        out = tmp_path / 'found.fits'
        assert main(['clumps', str(path), '--weights', 'rings-fast',
                     '--psf', '3.3pix', '--out', str(out)]) == 0
        table = fits.getdata(out)
        assert 'x' in table.names
        assert 'mag' not in table.names

    def test_mask_of_a_picture(self, tmp_path, capsys):
        from PIL import Image

        path, out = tmp_path / 'galaxy.png', tmp_path / 'a.ecsv'
        y, x = np.mgrid[:90, :90]
        light = np.exp(-np.hypot(x - 45, y - 45) / 9)
        Image.fromarray((250 * light).astype('u1')).save(path)
        fits.writeto(tmp_path / 'mask.fits', np.ones((90, 90), 'u1'))
        assert main(['clumps', str(path), '--mask',
                     str(tmp_path / 'mask.fits'), '--out', str(out)]) == 1
        assert 'has no usable pixel: all are masked' in (
            capsys.readouterr().err)
        # what the width of the PSF was assumed to be names the option
        assert main(['clumps', str(path), '--weights', 'rings-fast', '--out',
                     str(out)]) == 0
        assert '3 pixels are assumed; give --psf' in capsys.readouterr().err

    def test_bands(self, image, tmp_path, capsys, monkeypatch):
        """
        Of several bands, the table has the fluxes of each, and colours.
        """
        monkeypatch.chdir(tmp_path)
        other = tmp_path / 'other.fits'
        with fits.open(image) as hdus:
            hdus[0].data = hdus[0].data * np.float32(0.5)
            hdus.writeto(other)
        assert main(['clumps', f'g={other}', f'r={image}', '--detector',
                     'matched', '--weights', 'rings-fast', '--psf', '1.4',
                     '--psf', '1.4', '--regions', '--plot', '--out',
                     'two.fits']) == 0
        assert 'g r' in capsys.readouterr().out
        table = fits.getdata('two.fits')
        assert len(table) > 2
        np.testing.assert_allclose(table['g-r'], 2.5 * np.log10(2),
                                   atol=2e-3)
        np.testing.assert_allclose(table['flux_r'], 2 * table['flux_g'],
                                   rtol=2e-3)
        assert (tmp_path / 'two.png').stat().st_size > 10_000
        # (a band that cannot be read is told, and the others are there)
        assert main(['clumps', f'g={other}', f'r={image}', f'i={image}',
                     '--detector', 'matched', '--weights', 'rings-fast',
                     '--psf', '1.4', '--psf', 'none', '--psf', '1.4',
                     '--hdu', '0', '--hdu', '0', '--hdu', '7', '--colours',
                     'g-r', '--out', 'one.ecsv']) == 1
        assert 'bands that were not measured: i: ' in capsys.readouterr().err
        assert 'g-r' in QTable.read('one.ecsv').colnames

    def test_wrong_bands(self, image, tmp_path, capsys):
        pair = [f'g={image}', f'r={image}']
        for given, text in (
                ([str(image), str(image)], 'each must be BAND=IMAGE such as'),
                ([pair[0], pair[0]], 'give each band once, got g, g'),
                ([str(image), '--colours', 'g-r'], '--colours: needs several'),
                ([str(image), '--reference', 'r'],
                 '--reference: needs several bands'),
                ([pair[0]], 'is one band: give two or more, or the file'),
                ([*pair, '--colours', 'g-z'], '--colours: must be a list of'),
                ([*pair, '--reference', 'z'],
                 "--reference: must be one of g, r or all, got 'z'"),
                ([*pair, *(['--psf', '1'] * 3)],
                 '--psf: give it once, or once for each of the 2 files; got')):
            with pytest.raises(SystemExit):
                main(['clumps', *given, '--out', str(tmp_path / 'a.ecsv')])
            assert text in ' '.join(capsys.readouterr().err.split())

    def test_wrong(self, image, tmp_path, capsys):
        with pytest.raises(SystemExit):
            main(['clumps', str(image), '--out', str(tmp_path / 'a.txt')])
        assert '--out must end in .ecsv' in capsys.readouterr().err
        for given, text in (
                (['--detector', 'matched', '--detector-weights', 'clumps'],
                 '--detector-weights: must not be given with --detector '
                 'matched, which uses no network'),
                (['--detector-weights', 'rings'],
                 '--detector-weights: must be those of a clump network, got '
                 "'rings'"),
                (['--detector-weights', 'foo'],
                 '--detector-weights: must be a name (clumps) or a '),
                (['--detector-weights', 'no.safetensors'],
                 '--detector-weights: no.safetensors does not exist')):
            with pytest.raises(SystemExit):
                main(['clumps', str(image), *given])
            assert text in capsys.readouterr().err
        for value in ('-1', 'nan', '21'):
            with pytest.raises(SystemExit):
                main(['clumps', str(image), '--within', value])
            assert ('--within: must be a finite number above 0 and at most '
                    f'20, got {value!r}') in capsys.readouterr().err


class TestRegions:
    def test_frames(self):
        pytest.importorskip('regions')
        table = QTable({'x': [3.0], 'y': [4.0], 'class': ['clump'],
                        'share': [0.05]})
        table.meta['fwhm'] = 2.5
        circle, = clump_regions(table, frame='pixel')
        assert (circle.center.x, circle.radius) == (3, 2.5)
        assert circle.meta['text'] == 'clump 5.0%'
        with pytest.raises(ValueError, match="frame must be 'pixel': the "
                                             'clumps have no sky'):
            clump_regions(table)

    def test_missing(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, 'regions', None)
        with pytest.raises(ImportError, match='clump_regions needs regions'):
            clump_regions(QTable())
