# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of wedges, axes and vertical profiles against analytic galaxies.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning

import astro_pix2prof.cuts.lines as lines
from astro_pix2prof import (
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
    axis_profile,
    correct_psf,
    load_example,
    measure_structure,
    read_profile,
    sector_profiles,
    vertical_profile,
    write_profile,
)
from astro_pix2prof.ellipses.geometry import given_ellipses
from astro_pix2prof.profile.checks import check_profile

EXACT = 0.005


def has(table, flag):
    return (np.asarray(table['flag']) & int(flag)) > 0


def inside(table):
    return ~has(table, RingFlag.EDGE)


@pytest.fixture(scope='module')
def fit(galaxy):
    return galaxy.fit(galaxy.image())


@pytest.fixture(scope='module')
def disc(galaxy):
    return galaxy.fit(galaxy.image(galaxy.disc))


@pytest.mark.parametrize(('angle', 'opening'), [
    (35, 90), (125, 20), (300, 5), (10, 360), (215, 200)])
def test_wedges_along_ellipses_are_the_rings(galaxy, fit, angle, opening):
    profile, = sector_profiles(fit, angles=[angle], opening=opening).values()
    off = galaxy.values(profile) / galaxy.ring(galaxy.sma) - 1
    assert inside(profile).sum() > 30
    assert np.abs(off[inside(profile)]).max() < EXACT
    assert profile['ellipticity'][9] == pytest.approx(0.4)
    assert profile['pa'][9].value == pytest.approx(35)
    assert np.isnan(profile['mag_enclosed']).all()
    assert profile.meta['cut'] == 'sector'
    assert profile.meta['opening'] == opening
    assert profile.meta['fitter'] == 'truth'


@pytest.mark.parametrize(('angle', 'opening'), [(70, 40), (215, 90)])
def test_wedges_along_circles(galaxy, fit, angle, opening):
    profile, = sector_profiles(fit, angles=[angle], opening=opening,
                               ellipses='circles').values()
    t = np.radians(angle + opening * (np.arange(4000) / 4000 - 0.5))
    true = np.array([galaxy.light(a * np.cos(t), a * np.sin(t)).mean()
                     for a in galaxy.sma])
    off = galaxy.values(profile) / true - 1
    assert np.abs(off[inside(profile)]).max() < EXACT
    assert np.all(profile['ellipticity'] == 0)
    assert has(profile, RingFlag.FIXED_GEOMETRY).all()


def test_wedges_begin_at_the_major_axis(fit):
    profiles = sector_profiles(fit, 3)
    assert [t.meta['angle'] for t in profiles.values()] == pytest.approx(
        [35, 155, 275])
    assert [t.meta['opening'] for t in profiles.values()] == [120] * 3
    assert list(sector_profiles(fit, angles=90)) == ['90 deg']
    assert list(sector_profiles(fit, angles=[72.0098, 72.02])) == [
        '72.01 deg', '72.02 deg']


def test_wedges_average_to_the_profile():
    fit = IsophoteFitter().fit(load_example())
    parts = sector_profiles(fit, 4).values()
    mean = np.mean([t['intensity'].value for t in parts], axis=0)
    clear = fit.profile['surface_brightness_err'].value < 0.03
    clear &= fit.sma > 2
    off = mean[clear] / fit.profile['intensity'].value[clear] - 1
    assert clear.sum() > 20
    assert abs(np.median(off)) < 0.005
    assert np.abs(off).max() < 0.04


def test_a_side_that_is_brighter(galaxy, make_wcs):
    """
    Directions are those on the sky, whichever way the image is turned.
    """
    for parity, rotation in ((-1, 0), (-1, 50), (1, 130)):
        wcs = make_wcs((180, 184), pixel_scale=galaxy.pixel, parity=parity,
                       rotation=rotation)
        y, x = np.mgrid[:180, :184]
        centre = wcs.pixel_to_world(*galaxy.centre)
        pa = centre.position_angle(wcs.pixel_to_world(x, y)).deg
        away = np.abs((pa - 60 + 180) % 360 - 180)
        image = np.where(away < 45, 2.0, 1.0) * galaxy.image()
        fit = galaxy.fit(CCDData(image, unit='nmgy', wcs=wcs),
                         pixel_scale=None)
        at = (galaxy.sma > 10) & (galaxy.sma < 40)
        found = sector_profiles(fit, angles=[60, 150, 240], opening=60,
                                ellipses='circles')
        bright, _, faint = (galaxy.values(t)[at] for t in found.values())
        assert bright / faint == pytest.approx(2.0, rel=0.02)
        cut = axis_profile(fit, pa=60, width=2, fold=False)
        r = cut['radius'].value / galaxy.pixel
        value = galaxy.values(cut)
        rows = (r > 10) & (r < 40)
        assert value[rows] / value[::-1][rows] == pytest.approx(2, rel=0.02)
        assert cut.meta['angle'] == 60


@pytest.mark.parametrize('axis', ['major', 'minor'])
@pytest.mark.parametrize('fold', [True, False])
def test_axes(galaxy, fit, axis, fold):
    profile = axis_profile(fit, axis, width=5, fold=fold)
    angle = np.radians(35 if axis == 'major' else 125)
    s = np.linspace(-2.5, 2.5, 400)
    r = profile['radius'].value / galaxy.pixel
    true = np.array([galaxy.light(
        a * np.cos(angle) - s * np.sin(angle),
        a * np.sin(angle) + s * np.cos(angle)).mean() for a in r])
    off = galaxy.values(profile) / true - 1
    assert np.abs(off[inside(profile)]).max() < EXACT
    assert (r.min() < -20) is not fold
    assert r.max() > (60 if axis == 'major' else 35)
    assert np.isnan(profile['ellipticity']).all()
    assert profile['pa'][0].value == pytest.approx(np.degrees(angle))
    assert profile.meta['cut'] == f'{axis} axis'
    assert profile.meta['width'] == pytest.approx(2.5)


@pytest.mark.parametrize(('heights', 'radii'), [
    (True, True), (False, True), (True, False), (False, False)])
def test_heights(galaxy, disc, heights, radii):
    table = vertical_profile(disc, '0,10,20arcsec', width=4, heights=np.arange(
        0, 15, 0.75), fold_heights=heights, fold_radii=radii)
    place = table['radius'].value / galaxy.pixel
    z = table['height'].value / galaxy.pixel
    assert sorted(set(np.round(place, 6))) == (
        [0, 20, 40] if radii else [-40, -20, 0, 20, 40])
    assert (z.min() < 0) is not heights
    s = np.linspace(-2, 2, 400)
    true = np.array([np.exp(-np.hypot(a + s, 1) / galaxy.scale).mean()
                     for a in place]) / np.cosh(z / galaxy.height)**2
    off = galaxy.values(table) / true - 1
    assert np.abs(off[inside(table)]).max() < EXACT
    assert table['height'].unit == 'arcsec'
    check_profile(table)


def test_default_heights_and_width(galaxy, disc):
    table = vertical_profile(disc, [0])
    z = table['height'].value / galaxy.pixel
    assert 1.3 < z.max() / (galaxy.sma[-1] * 0.6) < 1.5
    assert table.meta['width'] == pytest.approx(
        0.05 * galaxy.sma[-1] * galaxy.pixel)


def test_above_and_below(galaxy):
    def lopsided(x, y):
        _, v = galaxy.axes(x, y)
        return galaxy.disc(x, y) * np.where(v > 0, 1.5, 1.0)

    table = vertical_profile(galaxy.fit(galaxy.image(lopsided)), [10],
                             heights=[3, 6], fold_heights=False)
    below_far, below, above, above_far = galaxy.values(table)
    assert above / below == pytest.approx(1.5, rel=0.02)
    assert above_far / below_far == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize('gain', [None, 400.0])
def test_errors_hold(galaxy, gain):
    """
    The scatter of measurements of noisy images is as they state.
    """
    clean = galaxy.image()
    noise = np.sqrt(0.02**2 + (clean / gain if gain else 0))

    def measure(fit):
        return [t for t in (
            *sector_profiles(fit, angles=[80, 200], opening=30).values(),
            axis_profile(fit, width=3), vertical_profile(
                fit, [0, 12], width=4))]

    true = measure(galaxy.fit(clean))
    pulls = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        found = measure(galaxy.fit(
            clean + rng.normal(0, 1, clean.shape) * noise, noise=0.02,
            gain=gain))
        pulls.append(np.concatenate([
            (t['intensity'] - p['intensity']) / t['intensity_err']
            for t, p in zip(found, true, strict=True)]))
    scatter = np.nanstd(pulls)
    assert 0.88 < scatter < 1.1


def test_errors_of_a_noise_map_and_of_the_sky(galaxy):
    image = galaxy.image()
    plain, = sector_profiles(galaxy.fit(image, noise=0.02), 1).values()
    y, _ = np.mgrid[:180, :184]
    noise = np.where(y > galaxy.centre[1], 0.06, 0.02)
    fit = galaxy.fit(image, noise=0.02, uncertainty=noise)
    sides = sector_profiles(fit, angles=[90, 270], opening=60)
    upper, lower = sides.values()
    rows = galaxy.sma > 5
    ratio = (upper['intensity_err'] / lower['intensity_err'])[rows]
    assert ratio.value == pytest.approx(3, rel=0.02)
    fit = galaxy.fit(image, noise=0.02, sky_err=0.004)
    table, = sector_profiles(fit, 1).values()
    both = np.hypot(plain['intensity_err'].value, 0.004 / galaxy.pixel**2)
    assert table['intensity_err'].value == pytest.approx(both)


def test_correlated_noise_counts(galaxy, fit):
    before = axis_profile(fit, width=4)['intensity_err']
    fit = galaxy.fit(galaxy.image())
    fit.profile.meta['noise_correlation'] = 2.0
    after = axis_profile(fit, width=4)['intensity_err']
    ratio = (after / before).value
    assert np.all((ratio > 1.3) & (ratio < 2))
    assert ratio[-1] > ratio[0]


def test_masked_pixels_do_not_count(galaxy):
    y, x = np.mgrid[:180, :184]
    star = np.hypot(x - galaxy.centre[0] - 25, y - galaxy.centre[1]) < 6
    image = galaxy.image() + 50.0 * star
    fit = galaxy.fit(image, mask=star)
    wedge, = sector_profiles(fit, angles=[0], opening=60).values()
    off = galaxy.values(wedge) / galaxy.ring(galaxy.sma) - 1
    assert np.abs(off[inside(wedge)]).max() < EXACT
    assert 0.2 < np.nanmin(wedge['n_valid'][inside(wedge)]) < 0.9
    # a mask that is given counts as well
    given, = sector_profiles(galaxy.fit(image), angles=[0], opening=60,
                             mask=star).values()
    assert given['intensity'].value == pytest.approx(
        wedge['intensity'].value, rel=1e-3, nan_ok=True)
    # nothing is left of a narrow cut
    cut = axis_profile(fit, pa=0, width=3, radii=[10, 25, 40], fold=False)
    gone = cut[cut['radius'].value == 25 * galaxy.pixel]
    assert np.isnan(gone['intensity'].value).all()
    assert has(gone, RingFlag.EXTRAPOLATED).all()
    assert has(gone, RingFlag.FEW_PIXELS).all()
    assert not has(cut, RingFlag.EXTRAPOLATED)[
        np.abs(cut['radius'].value) != 25 * galaxy.pixel].any()


def test_flags(galaxy):
    flag = np.where(galaxy.sma > 30, int(RingFlag.EXTENDED), 0)
    fit = galaxy.fit(galaxy.image(), flag=flag, psf_fwhm=2.0, saturation=0.8)
    table, = sector_profiles(fit, angles=[0], opening=90, radii=[
        0.5, 10, 40, 85, 130]).values()
    assert has(table, RingFlag.UNRESOLVED).tolist() == [True] + 4 * [False]
    assert has(table, RingFlag.SATURATED).tolist() == [True] + 4 * [False]
    assert has(table, RingFlag.EXTENDED).tolist() == 2 * [False] + 3 * [True]
    assert has(table, RingFlag.EDGE).tolist() == 4 * [False] + [True]
    assert table['radius'].value / galaxy.pixel == pytest.approx(
        [0.5, 10, 40, 85, 130])


def test_a_tilted_sky_is_subtracted():
    image = load_example()[60:200, 60:200]
    y, _ = np.mgrid[:image.shape[0], :image.shape[1]]
    slope = 0.0015
    tilted = image.add(slope * y * image.unit,
                       handle_meta='first_found')
    tilted.wcs = image.wcs
    for fitter in (IsophoteFitter(sky='plane'), Pix2ProfFitter(sky='plane')):
        fit = fitter.fit(tilted)
        rise = np.ptp(fit.tilt[:, 0])
        assert rise == pytest.approx(slope * (image.shape[0] - 1), rel=0.1)
        whole = fit.subtracted() - (image.data - fit.sky)
        # the level belongs to the centre
        whole -= slope * fit.centre[1]
        assert np.abs(whole).max() < 0.02
    assert np.ndim(IsophoteFitter().fit(image).tilt) == 0


def test_parts_at_a_time_are_the_same(fit, monkeypatch):
    before = axis_profile(fit, width=3)
    monkeypatch.setattr(lines, '_CHUNK', 50)
    after = axis_profile(fit, width=3)
    assert after['intensity'].value == pytest.approx(
        before['intensity'].value, nan_ok=True)


def test_tables_survive_files(fit, disc, tmp_path):
    tables = [axis_profile(fit, fold=False), vertical_profile(disc, [0, 9]),
              *sector_profiles(fit, 2).values()]
    for k, table in enumerate(tables):
        for end in ('ecsv', 'fits'):
            path = tmp_path / f'{k}.{end}'
            write_profile(table, path)
            again = read_profile(path)
            assert again.colnames == table.colnames
            assert again.meta == table.meta
            assert np.array_equal(again['intensity'], table['intensity'],
                                  equal_nan=True)


@pytest.mark.parametrize(('options', 'match'), [
    ({'n_sectors': 0}, 'n_sectors must be an integer from 1'),
    ({'opening': 400}, 'opening must be at most 360 deg, got 400'),
    ({'opening': -1}, 'opening must be'),
    ({'opening': np.nan}, 'opening must be finite, got nan'),
    ({'angles': []}, 'angles must be one or more'),
    ({'angles': [3 * u.m]}, "angles must be an angle, got the unit 'm'"),
    ({'angles': [0, 360]}, 'angles must be one or more, each once'),
    ({'ellipses': 'round'}, "ellipses must be .*got 'round'"),
    ({'radii': [3, 2]}, 'radii must be finite and increase from 0 on'),
    ({'radii': [-3, 2]}, 'radii must be finite and increase from 0 on'),
    ({'radii': '2kg'}, "radii must be angles or pixels, got the unit 'kg'"),
    ({'mask': np.zeros((3, 3))}, 'mask must have the shape of the image'),
])
def test_wrong_wedges(fit, options, match):
    with pytest.raises(ValueError, match=match):
        sector_profiles(fit, **options)


def test_other_wrong_arguments(galaxy, fit):
    with pytest.raises(TypeError, match='fit must be the result of the meth'):
        sector_profiles(fit.profile)
    with pytest.raises(TypeError, match='radii must be numbers of pixels'):
        axis_profile(fit, radii='far')
    with pytest.raises(ValueError, match='width must be one positive length'):
        axis_profile(fit, width=-1)
    with pytest.raises(ValueError, match=r"axis must be .*got 'short'"):
        axis_profile(fit, 'short')
    with pytest.raises(TypeError, match='fold must be'):
        axis_profile(fit, fold='no')
    with pytest.raises(ValueError, match='heights must be finite and incr'):
        vertical_profile(fit, [0], heights=[2, 2])
    bare = galaxy.fit(galaxy.image(), pixel_scale=None, calibrated=False)
    with pytest.raises(ValueError, match='width must be in pixels for an im'):
        axis_profile(bare, width='2arcsec')
    assert axis_profile(bare, width=2)['radius'].unit == 'pix'


class TestElsewhere:
    """
    What takes profiles of whole galaxies only.
    """

    @pytest.fixture
    def cuts(self, fit):
        return {'minor axis': axis_profile(fit, 'minor'),
                'sector': next(iter(sector_profiles(fit).values()))}

    @pytest.mark.parametrize('kind', ['minor axis', 'sector'])
    def test_no_psf(self, cuts, kind):
        match = rf'profile is a cut \({kind}\)'
        with pytest.raises(ValueError, match=match):
            correct_psf(cuts[kind], 1.2)
        with pytest.raises(ValueError, match=match):
            measure_structure(cuts[kind], psf=1.2)

    def test_no_ellipses(self, cuts, galaxy):
        with pytest.raises(ValueError, match='geometry must have ellipticiti'):
            given_ellipses(cuts['minor axis'], galaxy.fit(
                galaxy.image()).cutout)

    def test_no_warning_of_correlation(self, cuts, recwarn):
        wedge = cuts['sector'].copy()
        wedge.meta['weights'] = 'rings'
        measure_structure(wedge, fits=False, n_samples=4)
        assert not recwarn.list
        del wedge.meta['cut']
        with pytest.warns(AstropyUserWarning, match="no 'correlation'"):
            measure_structure(wedge, fits=False, n_samples=4)
