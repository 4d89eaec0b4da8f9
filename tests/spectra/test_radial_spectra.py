# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the spectra of elliptical annuli.

Independent values: sums over finely subdivided pixels, areas of ellipses, and
a simulated cube like those of MaNGA with known gradients.
"""

from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal
from photutils.aperture import EllipticalAnnulus
from specutils import Spectrum, SpectrumList

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    band_image,
    build_profile,
    radial_spectra,
    write_spectra,
)
from astro_pix2prof.spectra.covariance import COVARIANCES

FLAM = u.Unit('1e-17 erg / (s cm2 AA)')
SCALE = 0.5
SHAPE = (40, 44)
CENTRE = (21.3, 18.6)
EPS, THETA = 0.35, 30.0


def make_wcs(shape, *, wave=(5000.0, 2.0), ctype='WAVE', rotation=0.0,
             scale=SCALE):
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN', ctype
    wcs.wcs.cunit = 'deg', 'deg', 'Angstrom'
    wcs.wcs.crval = 40.0, -5.0, wave[0]
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2, 1.0
    wcs.wcs.cdelt = -scale / 3600, scale / 3600, wave[1]
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    wcs.wcs.pc = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    wcs.wcs.set()
    return wcs


def make_cube(data, *, sigma=0.1, mask=None, unit=FLAM, **options):
    return Spectrum(
        data * unit, wcs=make_wcs(data.shape[1:], **options), mask=mask,
        uncertainty=None if sigma is None
        else StdDevUncertainty(np.full(data.shape, sigma)))


def make_profile(shape=SHAPE, centre=CENTRE, *, sma=None, theta=THETA,
                 **options):
    """
    A profile of constant shape, of an image on the spaxels of the cube.
    """
    sma = np.arange(1.0, 14.0) if sma is None else sma
    n = len(sma)
    return build_profile(GalaxyCutout(make_ccd(shape, **options)), sma,
                         np.exp(-sma / 5), np.full(n, 0.01),
                         ellipticity=np.full(n, EPS),
                         theta=np.full(n, theta), centre=centre)


def make_ccd(shape, **options):
    data = np.random.default_rng(1).normal(size=shape)
    return CCDData(data, unit='nJy', wcs=make_wcs(shape, **options).celestial)


def random_data(n=5, seed=0):
    return np.random.default_rng(seed).uniform(1.0, 2.0, (n, *SHAPE))


def annulus_sum(plane, sma_in, sma_out, *, theta=THETA):
    """
    Sum by photutils, with exact areas.
    """
    aperture = EllipticalAnnulus(
        CENTRE, max(sma_in, 1e-9), sma_out, sma_out * (1 - EPS),
        theta=theta * u.deg)
    return aperture.to_mask(method='exact').multiply(plane).sum()


def fine_sum(plane, sma, n=25):
    """
    Sum over pixels that are divided into n by n.
    """
    step = (np.arange(n) + 0.5) / n - 0.5
    y, x = (np.add.outer(np.arange(size), step).ravel() for size in SHAPE)
    dx, dy = x[None] - CENTRE[0], y[:, None] - CENTRE[1]
    c, s = np.cos(np.radians(THETA)), np.sin(np.radians(THETA))
    inside = ((dx * c + dy * s)**2 + ((dy * c - dx * s) / (1 - EPS))**2
              < sma**2)
    return (np.kron(plane, np.ones((n, n))) * inside).sum() / n**2


EDGES = np.array([0, 2.5, 4, 7.2, 11.0])


def test_flux_is_conserved():
    data = random_data()
    spectra = radial_spectra(make_cube(data), make_profile(), edges=EDGES)
    assert isinstance(spectra, SpectrumList)
    flux = np.array([one.flux.value for one in spectra])
    assert spectra[0].flux.unit == FLAM
    for k, plane in enumerate(data):
        expected = [annulus_sum(plane, *pair)
                    for pair in pairwise(EDGES)]
        assert_allclose(flux[:, k], expected, rtol=1e-9)
    # photutils is not the only witness
    assert_allclose(flux[:, 0].sum(), fine_sum(data[0], EDGES[-1]),
                    rtol=3e-4)
    # nor are annuli lost between each other
    whole = radial_spectra(make_cube(data), make_profile(),
                           edges=EDGES[[0, -1]])
    assert_allclose(flux.sum(axis=0), whole[0].flux.value, rtol=1e-12)


def test_everything_within_the_frame_counts_once():
    data = random_data()
    with pytest.warns(AstropyUserWarning, match='masked at all wavelengths'):
        spectra = radial_spectra(make_cube(data), make_profile(), fill=False,
                                 edges=[0, 1.3, 5, 12, 30, 80.0])
    total = sum(one.flux.value for one in spectra)
    assert_allclose(total, data.sum(axis=(1, 2)), rtol=1e-12)


def test_parts_of_a_spaxel():
    """
    A warning tells of an annulus that is smaller than a spaxel.
    """
    with pytest.warns(AstropyUserWarning, match=(
            r'from 0 to 0\.05 arcsec has the area of 0\.\d+ spaxels: .* '
            r'\(1 of 2 annuli\)')):
        radial_spectra(make_cube(random_data()), make_profile(),
                       edges=[0, 0.05, 4] * u.arcsec)


def test_meta_and_axes():
    cube = make_cube(random_data(), ctype='AWAV')
    cube.meta['OBJECT'] = 'NGC 1'
    spectra = radial_spectra(cube, make_profile(), edges=EDGES * u.pix)
    one = spectra[2]
    assert_allclose(one.spectral_axis.to_value(u.AA), 5000 + 2 * np.arange(5))
    assert one.wcs.wcs.ctype[0] == 'AWAV'
    meta = one.meta
    assert (meta['medium'], meta['OBJECT']) == ('air', 'NGC 1')
    assert_allclose(meta['sma_in'].to_value(u.arcsec), 2.0)
    assert_allclose(meta['sma_out'].to_value(u.arcsec), 3.6)
    area = np.pi * (1 - EPS) * (7.2**2 - 4**2)
    assert_allclose(meta['n_spaxels'], area, rtol=1e-9)
    assert_allclose(meta['area'].to_value(u.arcsec**2), area * SCALE**2,
                    rtol=1e-6)
    assert_allclose(meta['ellipticity'], EPS)
    # east is at -x
    assert_allclose(meta['pa'].to_value(u.deg), 30 + 90, atol=1e-3)
    assert meta['pa_frame'] == 'sky'
    assert_allclose(meta['n_valid'], 1.0)
    assert not one.mask.any()


def test_profile_of_another_image():
    """
    A profile on the sky is placed by the WCS of the cube.
    """
    data = random_data()
    here = make_profile()
    # the same sky in pixels of a fifth the size, turned by 35 degrees
    options = {'scale': 0.1, 'rotation': 35.0}
    wcs = make_wcs((200, 220), **options).celestial
    sky = make_wcs(SHAPE).celestial.pixel_to_world(*CENTRE)
    centre = tuple(float(v) for v in wcs.world_to_pixel(sky))
    pa = here['pa'][0].to_value(u.deg)
    cutout = GalaxyCutout(make_ccd((200, 220), **options))
    there = make_profile((200, 220), centre, sma=5 * np.arange(1.0, 14.0),
                         theta=float(cutout.from_sky_pa(pa)), **options)
    assert abs(cutout.from_sky_pa(pa) - THETA) > 20
    flux = [[one.flux.value for one in radial_spectra(
        make_cube(data), profile)] for profile in (here, there)]
    assert_allclose(flux[0], flux[1], rtol=1e-4)


def test_default_edges():
    sma = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0])
    spectra = radial_spectra(make_cube(random_data()), make_profile(sma=sma))
    edges = [one.meta['sma_out'].value / SCALE for one in spectra]
    assert_allclose(edges, [1.25, 2.5, 4.0, 6.5, 9.5])
    # what is left at the end belongs to the last annulus
    spectra = radial_spectra(make_cube(random_data()), make_profile(
        sma=np.array([2.0, 4.0, 4.4])))
    assert_allclose([one.meta['sma_out'].value / SCALE for one in spectra],
                    [3.0, 4.6])


def test_mean():
    data = np.full((3, *SHAPE), 2.0)
    spectra = radial_spectra(make_cube(data), make_profile(), edges=EDGES,
                             statistic='mean')
    for one in spectra:
        assert one.flux.unit == FLAM / u.arcsec**2
        assert_allclose(one.flux.value, 2.0 / SCALE**2, rtol=1e-6)


def test_surface_brightness_cube():
    data = np.full((3, *SHAPE), 2.0)
    cube = make_cube(data, unit=u.MJy / u.sr)
    one = radial_spectra(cube, make_profile(), edges=EDGES)[1]
    area = one.meta['area']
    assert_allclose(one.flux.to_value(u.mJy),
                    (2 * u.MJy / u.sr * area).to_value(u.mJy), rtol=1e-9)
    mean = radial_spectra(cube, make_profile(), edges=EDGES,
                          statistic='mean')[1]
    assert_allclose(mean.flux.to_value(u.MJy / u.sr), 2.0, rtol=1e-9)


def test_masked_values_are_filled():
    """
    A masked value neither lowers a sum nor makes a line.
    """
    data = np.full((4, *SHAPE), 3.0)
    mask = np.zeros(data.shape, bool)
    mask[1, 18:21, 18:27] = True
    data[mask] = -1e5
    cube = make_cube(data, mask=mask)
    spectra = radial_spectra(cube, make_profile(), edges=EDGES)
    for k, one in enumerate(spectra):
        size = np.pi * (1 - EPS) * (EDGES[k + 1]**2 - EDGES[k]**2)
        good = np.isfinite(one.flux.value)
        assert_allclose(one.flux.value[good], 3 * size, rtol=1e-9)
        assert_array_equal(one.mask, [False, k < 1, False, False])
    direct = radial_spectra(cube, make_profile(), edges=EDGES, fill=False)
    plane = np.where(mask[1], 0, 3.0)
    assert_allclose(direct[2].flux.value[1], annulus_sum(plane, 4, 7.2),
                    rtol=1e-9)
    assert direct[2].meta['n_valid'][0] < 0.95


@pytest.mark.parametrize('text', ['0,0.8,1.6arcsec', '0 4 8', '0,4,8pix'])
def test_edges_as_text(text):
    cube, profile = make_cube(random_data(2)), make_profile()
    unit = u.arcsec if 'arcsec' in text else u.pix
    wanted = [0, 0.8, 1.6] if 'arcsec' in text else [0, 4, 8]
    found, expected = (radial_spectra(cube, profile, edges=edges)
                       for edges in (text, wanted * unit))
    assert len(found) == 2
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one.flux, other.flux)
        assert one.meta['sma_out'] == other.meta['sma_out']


def test_edges_that_are_no_lengths():
    with pytest.raises(ValueError, match="edges must be lengths such as '0,2"):
        radial_spectra(make_cube(random_data(2)), make_profile(),
                       edges='0,2,far')


def test_annulus_beyond_the_frame():
    data = np.full((2, *SHAPE), 3.0)
    cube = make_cube(data)
    edges = np.array([0, 15, 30, 70, 120, 140.0])
    with pytest.warns(AstropyUserWarning, match=r'^3 of 5 spectra are masked '
                      r'at all wavelengths: .* from 15 to 35 arcsec, of which '
                      r'\d+% lies inside of the cube: give other edges='):
        spectra = radial_spectra(cube, make_profile(), edges=edges)
    size = np.pi * (1 - EPS) * np.diff(edges**2)
    assert_allclose(spectra[1].flux.value, 3 * size[1], rtol=1e-9)
    assert spectra[1].meta['n_valid'][0] < 0.8
    assert spectra[2].mask.all()
    assert np.isnan(spectra[4].flux.value).all()
    assert spectra[4].mask.all()
    kept = radial_spectra(cube, make_profile(), edges=[0, 15, 30, 70],
                          min_valid=0)
    assert not kept[2].mask.any()


def test_errors():
    data = random_data()
    cube = make_cube(data, sigma=0.2)
    options = {'edges': EDGES, 'cube': cube, 'profile': make_profile()}
    plain = radial_spectra(**options)
    for k, one in enumerate(plain):
        weights = EllipticalAnnulus(
            CENTRE, max(EDGES[k], 1e-9), EDGES[k + 1],
            EDGES[k + 1] * (1 - EPS), theta=THETA * u.deg).to_mask(
                method='exact').to_image(SHAPE)
        assert_allclose(one.uncertainty.array,
                        0.2 * np.sqrt((weights**2).sum()), rtol=1e-6)
        n = weights.sum()**2 / (weights**2).sum()
        for covariance, factor in (
                (1.3, 1 + 1.3 * np.log10(n)),
                ('MaNGA', 1 + 1.62 * np.log10(min(n, 100))),
                (lambda n: n**0.25, n**0.25)):
            other = radial_spectra(**options, covariance=covariance)[k]
            assert_allclose(other.uncertainty.array,
                            factor * one.uncertainty.array, rtol=1e-6)
            assert_allclose(other.meta['covariance_factor'], factor,
                            rtol=1e-6)
    assert set(COVARIANCES) == {'manga'}
    cube = make_cube(data, sigma=None)
    assert radial_spectra(cube, make_profile())[0].uncertainty is None


def test_errors_are_those_of_repeated_cubes():
    profile = make_profile()
    flux, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        data = 5 + rng.normal(scale=0.3, size=(20, *SHAPE))
        one = radial_spectra(make_cube(data, sigma=0.3), profile,
                             edges=EDGES)[1]
        flux.append(one.flux.value)
        errors.append(one.uncertainty.array)
    assert_allclose(np.std(flux), np.mean(errors), rtol=0.07)


def test_crossing_ellipses():
    profile = make_profile()
    profile['ellipticity'] = np.where(profile['radius'].value < 3.2, 0.0,
                                      0.6)
    data = random_data(2)
    with pytest.warns(AstropyUserWarning, match='cross each other'):
        spectra = radial_spectra(make_cube(data), profile,
                                 edges=[0, 6.0, 7.0, 9.0, 12.0], fill=False)
    with pytest.warns(AstropyUserWarning, match='cross each other'):
        whole = radial_spectra(make_cube(np.ones((2, *SHAPE))), profile,
                               edges=[0, 6.0, 7.0, 9.0, 12.0])
    # areas stay those of what counts, and nothing is negative
    for one in whole:
        assert_allclose(one.flux.value[0], one.meta['n_spaxels'], rtol=1e-9)
        assert one.meta['n_spaxels'] > 0
    assert all(one.flux.value.min() > 0 for one in spectra)


def test_fit_of_the_band_image():
    """
    The mask of a fit of the same cube is used, that of others is not.
    """
    cube, _, _ = make_galaxy(seed=2)
    fit = IsophoteFitter().fit(band_image(cube))
    fit.mask[30:33, 30:34] = True
    spectra = radial_spectra(cube, fit)
    n_valid = min(one.meta['n_valid'][0] for one in spectra[:-2])
    assert n_valid < 0.99
    assert_allclose(
        [one.flux.value[0] for one in spectra[:8]],
        [one.flux.value[0] for one in radial_spectra(cube, fit.profile,
                                                     mask=fit.mask)[:8]])
    smaller = IsophoteFitter().fit(GalaxyCutout(band_image(cube)).crop(52))
    smaller.mask[0, 0] = True
    with pytest.warns(AstropyUserWarning, match='mask of the fit is not on'):
        radial_spectra(cube, smaller)


# A galaxy like one in MaNGA: a velocity and a line strength that change with
# radius (km/s and Angstrom, per arcsec).
LINE, C = 5175.0, 299792.458
V_0, V_SLOPE = 900.0, 35.0
EW_0, EW_SLOPE = 5.0, -0.45
WIDTH = 4.0
N_SPAXELS = 56


def make_galaxy(seed, *, noise=0.004):
    """
    Simulate a cube with an absorption line.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:N_SPAXELS, :N_SPAXELS].astype(float)
    centre = 27.0 + rng.uniform(-1, 1, 2)
    eps, theta = rng.uniform(0.2, 0.5), rng.uniform(0, np.pi)
    dx, dy = x - centre[0], y - centre[1]
    u_, v_ = (dx * np.cos(theta) + dy * np.sin(theta),
              dy * np.cos(theta) - dx * np.sin(theta))
    radius = np.hypot(u_, v_ / (1 - eps)) * SCALE
    light = np.exp(-radius / 3.0)
    wave = 5100.0 + 1.5 * np.arange(160)
    middle = LINE * (1 + (V_0 + V_SLOPE * radius) / C)
    depth = (EW_0 + EW_SLOPE * radius) / WIDTH / np.sqrt(2 * np.pi)
    data = light * (1 - depth * np.exp(-0.5 * (
        (wave[:, None, None] - middle) / WIDTH)**2))
    data = data + rng.normal(scale=noise, size=data.shape)
    cube = make_cube(data.astype('f4'), sigma=noise, wave=(5100.0, 1.5))
    return cube, eps, np.degrees(theta)


@pytest.mark.parametrize('seed', [1, 5])
def test_gradients_are_recovered(seed):
    """
    Band image, fit, spectra: the gradients that were put in come out.
    """
    cube, eps, _ = make_galaxy(seed)
    fit = IsophoteFitter().fit(band_image(cube))
    spectra = radial_spectra(cube, fit, edges=np.arange(0, 9.1, 1) * u.arcsec)
    radius, velocity, strength, error = [], [], [], []
    for one in spectra:
        wave = one.spectral_axis.to_value(u.AA)
        side = np.abs(wave - LINE * (1 + V_0 / C)) > 30
        level = np.median(one.flux.value[side])
        depth = 1 - one.flux.value / level
        part = ~side
        total = depth[part].sum()
        middle = (depth * wave)[part].sum() / total
        velocity.append((middle / LINE - 1) * C)
        strength.append(total * 1.5)
        error.append(one.uncertainty.array[0] / level)
        # the light in the annulus has its own mean radius
        inner, outer = (one.meta[key].value for key in ('sma_in', 'sma_out'))
        r = np.linspace(inner, outer, 200)
        radius.append(np.average(r, weights=r * np.exp(-r / 3.0)))
    weight = 1 / np.array(error)
    slope, start = np.polyfit(radius, velocity, 1, w=weight)
    assert abs(slope - V_SLOPE) < 0.05 * V_SLOPE
    assert abs(start - V_0) < 10
    slope, start = np.polyfit(radius, strength, 1, w=weight)
    assert abs(slope - EW_SLOPE) < 0.05 * abs(EW_SLOPE)
    assert abs(start - EW_0) < 0.1
    found = np.median(fit.eps[fit.sma > 6])
    assert abs(found - eps) < 0.03


@pytest.mark.slow
def test_muse_against_hst(real_data):
    """
    The band image of a real cube has the profile of HST, beyond the seeing.
    """
    folder = real_data / 'abell478_muse_hst'
    image = band_image(folder / 'a478_muse_cube_bin9.fits.gz', '7000:9350')
    hst = GalaxyCutout(folder / 'a478_hst_f814w.fits.gz', hdu='SCI',
                       position=(305.0, 313.0), size=160)
    radius = np.arange(1.8, 6.5, 0.4) * u.arcsec
    fits = [IsophoteFitter(sky=0.0).fit(one) for one in (image, hst)]
    shape = {'ellipticity': 0.2, 'pa': 45.0, 'radii': radius}
    muse, other = (
        IsophoteFitter(sky=0.0, fit_centre=False).fit(
            one, position=fit.cutout.pixel_to_sky(*fit.centre), **shape)
        for one, fit in zip((image, hst), fits, strict=True))
    values = [one.profile['intensity'].value for one in (muse, other)]
    # one zero point and one level of the sky
    line = np.polyfit(values[1], values[0], 1, w=1 / values[0])
    miss = 2.5 * np.log10(np.polyval(line, values[1]) / values[0])
    assert np.std(miss) < 0.03


def test_write(tmp_path):
    spectra = radial_spectra(make_cube(random_data(9), ctype='AWAV'),
                             make_profile(), edges=EDGES)
    path = tmp_path / 'spectra.fits'
    write_spectra(spectra, path)
    back = Spectrum.read(path, format='tabular-fits')
    assert back.shape == (4, 9)
    assert_allclose(back.flux.value, [one.flux.value for one in spectra])
    assert back.flux.unit == FLAM
    assert_allclose(back.uncertainty.array,
                    [one.uncertainty.array for one in spectra])
    assert_allclose(back.spectral_axis.to_value(u.AA),
                    5000 + 2 * np.arange(9))
    rings = QTable.read(path, hdu='ANNULI')
    assert_allclose(rings['sma_out'].to_value(u.arcsec), EDGES[1:] * SCALE)
    assert rings.meta['PAFRAME'] == 'sky'
    assert QTable.read(path, hdu=1).meta['MEDIUM'] == 'air'
    with pytest.raises(OSError, match='overwrite=True to replace it'):
        write_spectra(spectra, path)
    write_spectra(spectra, path, overwrite=True)
    with pytest.raises(ValueError, match='spectra must be those of radial'):
        write_spectra([], path)
    # one of them
    write_spectra(spectra[1], path, overwrite=True)
    back = Spectrum.read(path, format='tabular-fits')
    assert_allclose(np.ravel(back.flux.value), spectra[1].flux.value)
    assert len(QTable.read(path, hdu='ANNULI')) == 1
    other = radial_spectra(make_cube(random_data(6)), make_profile())
    with pytest.raises(ValueError, match='must have the same wavelengths'):
        write_spectra([*spectra, other[0]], path)


@pytest.mark.parametrize(('options', 'error', 'match'), [
    ({'edges': [3, 2]}, ValueError, 'edges must be at least two increasing'),
    ({'edges': [8, 4, 2] * u.pix}, ValueError, 'on, got 8, 4, 2 pix$'),
    ({'edges': [3.0]}, ValueError, 'edges must be at least two increasing'),
    ({'edges': [-1, 2]}, ValueError, 'semi-major axes from 0 on'),
    ({'edges': [1, 2] * u.kg}, ValueError, "edges must be in .* unit 'kg'"),
    ({'statistic': 'median'}, ValueError, 'statistic must be'),
    ({'fill': 3}, TypeError, 'fill must be'),
    ({'min_valid': 2}, ValueError, 'min_valid must be'),
    ({'covariance': 'sami'}, ValueError, "be 'manga', a slope"),
    ({'covariance': -1}, ValueError, 'covariance must be a slope from 0'),
    ({'covariance': [1]}, TypeError, 'covariance must be the name of a'),
    ({'covariance': lambda n: -n}, ValueError, 'covariance must return'),
    ({'profile': None}, TypeError, 'profile must be a profile or other'),
    ({'profile': 3}, TypeError, 'profile must be a profile table'),
])
def test_wrong_options(options, error, match):
    given = {'cube': make_cube(random_data()), 'profile': make_profile(),
             **options}
    with pytest.raises(error, match=match):
        radial_spectra(**given)


def test_profile_without_coordinates():
    """
    A profile of an image without a WCS is placed by its pixels.
    """
    image = GalaxyCutout(make_ccd(SHAPE).data * u.nJy, pixel_scale=SCALE)
    sma = np.arange(1.0, 14.0)
    profile = build_profile(
        image, sma, np.exp(-sma / 5), np.full(13, 0.01), centre=CENTRE,
        ellipticity=np.full(13, EPS), theta=np.full(13, THETA))
    data = random_data()
    with pytest.warns(AstropyUserWarning, match='no coordinates on the sky'):
        spectra = radial_spectra(make_cube(data), profile, edges=EDGES)
    assert_allclose(spectra[2].flux.value[0], annulus_sum(data[0], 4, 7.2),
                    rtol=1e-6)


def test_table_of_ellipses():
    """
    A table will do, if it has a centre.
    """
    table = QTable({'sma': np.arange(1.0, 14.0), 'ellipticity': [EPS] * 13,
                    'theta': [THETA] * 13})
    data = random_data()
    with pytest.raises(ValueError, match='profile must have a centre'):
        radial_spectra(make_cube(data), table)
    table.meta.update(x_centre=CENTRE[0], y_centre=CENTRE[1])
    spectra = radial_spectra(make_cube(data), table, edges=EDGES)
    assert_allclose(spectra[2].flux.value[0], annulus_sum(data[0], 4, 7.2),
                    rtol=1e-9)


def test_too_few_rings():
    profile = make_profile()[:1]
    with pytest.raises(ValueError, match='at least two rings, for the edges'):
        radial_spectra(make_cube(random_data()), profile)
