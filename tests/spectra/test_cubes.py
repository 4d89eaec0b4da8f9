# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the reading of cubes of spectra.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal
from specutils import Spectrum

from astro_pix2prof.spectra import cubes
from astro_pix2prof.spectra.cubes import Cube, open_cube

SHAPE = (6, 4, 5)


def make_header(ctype='AWAV', *, unit='10**(-20)*erg/s/cm**2/Angstrom',
                **cards):
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN', ctype
    wcs.wcs.cunit = 'deg', 'deg', 'Angstrom'
    wcs.wcs.crval = 40.0, -5.0, 5000.0
    wcs.wcs.crpix = 3.0, 2.5, 1.0
    wcs.wcs.cdelt = -0.2 / 3600, 0.2 / 3600, 100.0
    header = wcs.to_header()
    # (FITS has metres; most files have Angstrom)
    header['CRVAL3'], header['CDELT3'] = 5000.0, 100.0
    header['CUNIT3'], header['BUNIT'] = 'Angstrom', unit
    header.update(cards)
    return header


def make_hdus(names=('DATA', 'STAT'), *, planes=None, **options):
    rng = np.random.default_rng(3)
    hdus = [fits.PrimaryHDU()]
    for name in names:
        values = rng.uniform(1.0, 2.0, SHAPE).astype('f4')
        hdus.append(fits.ImageHDU(
            (planes or {}).get(name, values), make_header(**options),
            name=name))
    return fits.HDUList(hdus)


def read(cube, **options):
    with open_cube(cube, **options) as opened:
        planes = list(opened.planes())
        return opened, planes[0]


@pytest.mark.parametrize('compressed', [False, True])
def test_muse(tmp_path, compressed):
    hdus = make_hdus()
    path = tmp_path / f'cube.fits{".gz" if compressed else ""}'
    hdus.writeto(path)
    cube, planes = read(path)
    assert cube.unit == u.Unit('1e-20 erg / (s cm2 Angstrom)')
    assert cube.medium == 'air'
    assert cube.spectral_wcs.wcs.ctype[0] == 'AWAV'
    assert cube.wave.unit == u.AA
    assert_allclose(cube.wave.value, 5000 + 100 * np.arange(6))
    assert_allclose(cube.edges, 4950 + 100 * np.arange(7))
    assert cube.wcs.naxis == 2
    assert_allclose(planes.data, hdus['DATA'].data.reshape(6, -1))
    assert_allclose(planes.variance, hdus['STAT'].data.reshape(6, -1))
    assert planes.good.all()


def test_manga(tmp_path):
    mask = np.zeros(SHAPE, 'i4')
    mask[2, 1, 1], mask[3, 0, 0] = 1024, 8
    ivar = np.full(SHAPE, 4.0, 'f4')
    ivar[0, 3, 4] = 0
    hdus = make_hdus(('FLUX', 'IVAR', 'MASK'), ctype='WAVE-LOG',
                     unit='1E-17 erg/s/cm^2/Ang/spaxel',
                     planes={'MASK': mask, 'IVAR': ivar})
    hdus[0].header['OBJECT'] = '1-48157'
    cube, planes = read(hdus)
    assert cube.unit == u.Unit('1e-17 erg / (s cm2 Angstrom)')
    assert cube.medium == 'vacuum'
    assert cube.name == '1-48157'
    # a logarithmic axis
    assert_allclose(cube.wave.value,
                    5000 * np.exp(100 / 5000 * np.arange(6)), rtol=1e-6)
    assert_array_equal(np.argwhere(~planes.good.reshape(SHAPE)),
                       [[0, 3, 4], [2, 1, 1], [3, 0, 0]])
    assert_allclose(planes.variance[planes.good], 0.25)
    _, planes = read(hdus, bad_bits=1024)
    assert (~planes.good).sum() == 2


def test_unit_that_is_not_understood():
    assert read(make_hdus(unit='FLAM16'))[0].unit == u.Unit(
        '1e-16 erg / (s cm2 AA)')
    hdus = make_hdus(unit='foo16')
    with pytest.raises(ValueError, match=r"BUNIT of the cube: unit 'foo16' is "
                                         r'not understood.*; or give unit='):
        read(hdus)
    assert read(hdus, unit='FLAM16')[0].unit == u.Unit(
        '1e-16 erg / (s cm2 AA)')


@pytest.mark.parametrize(('name', 'power'), [
    ('ERROR', 1), ('VARIANCE', 2), ('UNCERT', 1)])
def test_names_of_errors(name, power):
    hdus = make_hdus(('PRIMARY', name))[1:]
    first = fits.PrimaryHDU(hdus[0].data, hdus[0].header)
    _, planes = read(fits.HDUList([first, hdus[1]]))
    assert_allclose(planes.variance.reshape(SHAPE),
                    hdus[1].data**(2 / power), rtol=1e-6)


def test_several_errors():
    with pytest.warns(AstropyUserWarning, match='STAT, ERR: STAT is used'):
        read(make_hdus(('DATA', 'STAT', 'ERR')))


@pytest.mark.parametrize(('name', 'part'), [
    ('VAR', slice(4)), ('WEIRD', slice(None))])
def test_errors_that_are_not_used(name, part):
    hdus = make_hdus(('DATA', name))
    hdus[name].data = hdus[name].data[part]
    size = f'5 x 4 x {len(hdus[name].data)}'
    with pytest.warns(AstropyUserWarning, match=rf'has no errors.*{name} '
                                                rf'\({size}\)'):
        _, planes = read(hdus)
    assert planes.variance is None


def test_wavelengths_without_a_unit():
    """
    Numbers that cannot be metres are Angstrom, or refused.
    """
    hdus = make_hdus()
    for hdu in hdus[1:]:
        del hdu.header['CUNIT3']
    with pytest.warns(AstropyUserWarning, match='5000 to 5500, have no unit '
                                                r'\(CUNIT3\): they are'):
        cube, _ = read(hdus)
    assert_allclose(cube.wave.to_value(u.AA), 5000 + 100 * np.arange(6))
    for hdu in hdus[1:]:
        hdu.header.update(CRVAL3=0.5, CDELT3=0.01)
    with pytest.raises(ValueError, match=r'0\.5 to 0\.55 without a unit: set'):
        read(hdus)
    # metres by the standard, of which they may be
    for hdu in hdus[1:]:
        hdu.header.update(CRVAL3=5e-7, CDELT3=1e-8)
    cube, _ = read(hdus)
    assert_allclose(cube.wave.to_value(u.AA), 5000 + 100 * np.arange(6))
    # frequencies of long waves
    for hdu in hdus[1:]:
        hdu.header.update(CTYPE3='FREQ', CRVAL3=1.5e8, CDELT3=1e6)
    cube, _ = read(hdus)
    assert_allclose(cube.wave.to_value(u.MHz, u.spectral()),
                    150 + np.arange(6))
    for hdu in hdus[1:]:
        hdu.header.update(CTYPE3='AWAV', CRVAL3=5000.0, CDELT3=100.0,
                          CUNIT3='m')
    with pytest.raises(ValueError, match=r"up to 5\.5e\+13 Angstrom by its "
                                         r"unit 'm': correct CUNIT3"):
        read(hdus)


def test_zeros_are_no_data(monkeypatch):
    """
    Planes and spaxels of zeros in noise are missing; those of a model are not.
    """
    rng = np.random.default_rng(1)
    data = rng.normal(size=(20, 4, 5)).astype('f4')
    data[3] = 0
    data[:, 1, 2] = 0
    data[7, 0, 0] = 0
    good = np.ones(data.shape, dtype=bool)
    good[3] = good[:, 1, 2] = False
    data[5] = data[3]
    data[5, 0] = np.nan
    good[5] = False
    hdus = make_hdus(('DATA',), planes={'DATA': data})
    for n_planes in (20, 6):
        monkeypatch.setattr(cubes, '_BLOCK', n_planes * 20)
        with open_cube(hdus) as cube:
            found = np.concatenate([part.good for part in cube.planes()])
        assert_array_equal(found.reshape(data.shape), good)
    # (of 12 planes, too)
    with open_cube(make_hdus(('DATA',), planes={'DATA': data[:12]})) as cube:
        found = np.concatenate([part.good for part in cube.planes()])
    assert_array_equal(found.reshape(good[:12].shape), good[:12])
    for dark in (np.abs(data), data[:9]):
        with open_cube(make_hdus(('DATA',), planes={'DATA': dark})) as cube:
            found = np.concatenate([part.good for part in cube.planes()])
        assert_array_equal(found.reshape(dark.shape), np.isfinite(dark))


def test_planes_that_are_looked_at():
    """
    Spaxels without data are found from a few of many planes.
    """
    data = np.random.default_rng(1).normal(size=(400, 4, 5))
    data[:, 1, 2] = 0

    class Planes:
        shape, read = data.shape, 0

        def __getitem__(self, part):
            Planes.read += len(data[part])
            return data[part]

    cube = Cube(Planes(), u.Jy, np.arange(400.0) * u.AA)
    good = np.ones(cube.shape, dtype=bool)
    good[1, 2] = False
    first = next(cube.planes(0, 1))
    assert_array_equal(first.good[0].reshape(cube.shape), good)
    assert 18 < Planes.read < 38
    # values that are not known are no light
    data[::3, 1, 2] = np.nan
    data[:, 2, 2] = np.nan
    good[2, 2] = False
    first = next(Cube(Planes(), u.Jy, np.arange(400.0) * u.AA).planes(1, 2))
    assert_array_equal(first.good[0].reshape(cube.shape), good)


@pytest.mark.parametrize(('first', 'step', 'taken'), [
    # blue and red ends of spectrographs
    (3500.0, 100.0, True), (20_000.0, 1000.0, True),
    # nm of an infrared one, and a wave that air does not let pass
    (2000.0, 100.0, False), (38_000.0, 1000.0, False)])
def test_numbers_that_may_be_angstrom(first, step, taken):
    hdus = make_hdus(CRVAL3=first, CDELT3=step)
    for hdu in hdus[1:]:
        del hdu.header['CUNIT3']
    if taken:
        with pytest.warns(AstropyUserWarning, match='have no unit'):
            cube, _ = read(hdus)
        assert_allclose(cube.wave[0].value, first)
    else:
        with pytest.raises(ValueError, match='without a unit'):
            read(hdus)


@pytest.mark.parametrize(('unit', 'first', 'taken'), [
    ('cm', 70.0, True), ('m', 1.4, False)])
def test_longest_wavelength(unit, first, taken):
    """
    Hydrogen has a line at 21 cm; the longest cube of wavelengths has 1 m.
    """
    hdus = make_hdus(CUNIT3=unit, CRVAL3=first, CDELT3=0.01)
    if taken:
        assert_allclose(read(hdus)[0].wave[0].to_value(unit), first)
    else:
        with pytest.raises(ValueError, match='correct CUNIT3'):
            read(hdus)


def test_old_wavelengths():
    hdus = make_hdus(('FLUX', 'IVAR'))
    for hdu in hdus[1:]:
        hdu.header['CTYPE3'] = 'WAVELENGTH'
    cube, _ = read(hdus)
    assert_allclose(cube.wave.value, 5000 + 100 * np.arange(6))
    assert (cube.medium, cube.spectral_wcs) == ('', None)
    wave = np.geomspace(4000, 9000, 6)
    hdus.append(fits.ImageHDU(wave, name='WAVE'))
    cube, _ = read(hdus)
    assert_allclose(cube.wave.value, wave)


@pytest.mark.parametrize('move', [None, 'last'])
def test_spectrum(move):
    hdus = make_hdus()
    data = hdus['DATA'].data.astype('f4')
    mask = np.zeros(SHAPE, bool)
    mask[1, 2, 3] = True
    cube = Spectrum(data * u.Unit('1e-17 erg / (s cm2 AA)'),
                    wcs=WCS(hdus['DATA'].header),
                    uncertainty=InverseVariance(np.full(SHAPE, 16.0)),
                    mask=mask, move_spectral_axis=move)
    opened, planes = read(cube)
    assert opened.medium == 'air'
    # the plane has the axes of its WCS
    shape = SHAPE if move is None else (6, 5, 4)
    turn = (0, 1, 2) if move is None else (0, 2, 1)
    assert opened.shape == shape[1:]
    assert_allclose(np.where(mask, 0, data).transpose(turn),
                    planes.data.reshape(shape))
    assert_allclose(planes.variance[planes.good], 1 / 16)
    coord = opened.wcs.pixel_to_world(*((3, 1) if move is None else (1, 3)))
    assert_allclose(coord.ra.deg, WCS(hdus[1].header).celestial
                    .pixel_to_world(3, 1).ra.deg)


def test_spectrum_without_wcs_and_of_frequencies():
    data = np.random.default_rng(0).uniform(size=(4, 5, 6))
    cube = Spectrum(data * u.MJy / u.sr, spectral_axis_index=2,
                    spectral_axis=np.linspace(400, 500, 6) * u.THz)
    opened, planes = read(cube)
    assert (opened.wcs, opened.spectral_wcs, opened.medium) == (None, None,
                                                                '')
    assert_allclose(opened.wave.to_value(u.THz, u.spectral()),
                    np.linspace(400, 500, 6))
    assert_allclose(planes.data.reshape(6, 4, 5), data.transpose(2, 0, 1))
    with pytest.raises(ValueError, match='cube must have a celestial WCS'):
        opened.spaxel_area()


def test_no_copy_of_an_array():
    data = np.ones(SHAPE, 'f4')
    cube = Spectrum(data * u.Jy, spectral_axis_index=0,
                    spectral_axis=np.arange(1.0, 7.0) * u.um,
                    uncertainty=StdDevUncertainty(data.copy()))
    with open_cube(cube) as opened:
        assert np.shares_memory(opened.data, cube.data)
        assert np.shares_memory(opened.error.array, cube.uncertainty.array)


def test_blocks(monkeypatch):
    """
    A few planes are read at a time, and all of them once.
    """
    monkeypatch.setattr('astro_pix2prof.spectra.cubes._BLOCK', 45)
    with open_cube(make_hdus()) as opened:
        parts = [planes.part for planes in opened.planes()]
    assert parts == [slice(0, 2), slice(2, 4), slice(4, 6)]


def test_mask_of_spaxels():
    mask = np.zeros(SHAPE[1:], int)
    mask[1, 2] = 7
    _, planes = read(make_hdus(), mask=mask)
    assert_array_equal(np.argwhere(~planes.good.reshape(SHAPE)[0]), [[1, 2]])
    assert (~planes.good).sum() == 6
    with pytest.raises(ValueError, match=r'mask must have the shape of a '
                                         r'plane, \(4, 5\), got \(2, 2\)'):
        read(make_hdus(), mask=np.zeros((2, 2)))


def test_unit():
    hdus = make_hdus(unit='')
    cube, _ = read(hdus)
    with pytest.raises(ValueError, match="flux densities, got the unit ''"):
        cube.is_per_frequency()
    cube, _ = read(hdus, unit='1e-17 erg/s/cm2/A')
    assert not cube.is_per_frequency()
    cube, _ = read(hdus, unit='MJy/sr')
    unit, area = cube.flux_unit()
    assert unit == u.MJy
    assert_allclose(area, (0.04 * u.arcsec**2).to_value(u.sr), rtol=1e-6)
    assert cube.is_per_frequency()


def test_no_cube(tmp_path):
    with pytest.raises(TypeError, match=r'cube must be a Spectrum of .* got '
                                        r'ndarray'):
        read(np.zeros(SHAPE))
    with pytest.raises(FileNotFoundError, match='nothing'):
        read(tmp_path / 'nothing.fits')
    flat = fits.HDUList([fits.PrimaryHDU(np.zeros((4, 5)))])
    with pytest.raises(ValueError, match='cube must have three axes, two on '
                                         'the sky'):
        read(flat)
    with pytest.raises(ValueError, match=r"hdu='SCI' is not in the file, "
                                         r'which holds: 0 PRIMARY, 1 DATA'):
        read(make_hdus(), hdu='SCI')
    with pytest.raises(ValueError, match='hdu must be a cube with three '
                                         'axes, got 0'):
        read(make_hdus(), hdu=0)
    one = Spectrum(np.ones(5) * u.Jy, spectral_axis=np.arange(1, 6) * u.um)
    with pytest.raises(ValueError, match=r'one spectral axis and two spatial '
                                         r'ones, got a Spectrum of .*\(5,\)'):
        read(one)
    with pytest.raises(ValueError, match='hdu chooses an extension of a '
                                         'file, but cube is a Spectrum'):
        read(one, hdu=1)


def test_file_that_is_cut_short(tmp_path):
    make_hdus().writeto(tmp_path / 'whole.fits')
    content = (tmp_path / 'whole.fits').read_bytes()
    (tmp_path / 'cut.fits').write_bytes(content[:-2800])
    with pytest.raises(OSError, match="extension 'STAT' of the cube cannot "
                                      'be read, the file may be cut short'):
        read(tmp_path / 'cut.fits')


def test_no_spectral_axis():
    hdus = make_hdus()
    hdus['DATA'].header['CTYPE3'] = 'STOKES'
    with pytest.raises(ValueError, match="CTYPE3='STOKES': give a Spectrum"):
        read(hdus)
    hdus['DATA'].header.update(CTYPE3='VELO', CUNIT3='km/s')
    with pytest.raises(ValueError, match="energies, got CTYPE3='VELO'"):
        read(hdus)
    hdus['DATA'].header.update(CTYPE3='RA---TAN', CTYPE1='AWAV',
                               CUNIT3='deg', CUNIT1='Angstrom')
    with pytest.raises(ValueError, match='spectral axis as the third axis'):
        read(hdus)
    data = np.ones((3, 4, 5)) * u.Jy
    cube = Spectrum(data, spectral_axis=np.arange(5) * u.km / u.s,
                    spectral_axis_index=2)
    with pytest.raises(ValueError, match="energies, got the unit 'km / s'"):
        read(cube)


@pytest.mark.parametrize('wave', [[1, 2], [1, 3, 2], [1, 2, np.nan]])
def test_wavelengths_in_order(wave):
    with pytest.raises(ValueError, match='cube must have at least two wave'):
        Cube(np.ones((3, 2, 2)), u.Jy, np.array(wave, float) * u.um)
