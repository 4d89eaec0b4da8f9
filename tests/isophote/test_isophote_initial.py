# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for isophote fits that begin with the geometry of another fitter.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import Gaussian2D, Sersic2D
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyCutout, IsophoteFitter
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.isophote.initial import initial_geometry
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.table import build_profile

SHAPE = (121, 121)
CENTRE = (78.0, 52.0)
EPS, THETA = 0.82, 0.6
SIGMA = 0.03
OPTIONS = {'unit': u.nmgy, 'pixel_scale': 0.4}


class Known:
    """
    A fitter that knows the galaxy: its ellipses, and weights if wanted.
    """

    def __init__(self, *, flag=0, centre=CENTRE, weight=None):
        self.flag, self.centre, self.weight = flag, centre, weight
        self.calls = 0

    def fit(self, image):
        self.calls += 1
        cutout = GalaxyCutout.from_any(image)
        sma = np.arange(0.5, 45, 1.5)
        intensity = np.exp(-sma / 8)
        eps, theta = np.full((2, len(sma)), [[EPS], [np.degrees(THETA)]])
        profile = build_profile(
            cutout, sma, intensity, 0.1 * intensity, ellipticity=eps,
            theta=theta, centre=self.centre, fitter='Known',
            galaxy_flag=self.flag)
        fit = ProfileFit(profile, cutout, cutout.mask, 0.0, self.centre, sma,
                         eps, theta, intensity)
        if self.weight is not None:
            fit.weight_map = lambda: self.weight
        return fit


class Failing:
    """
    A fitter that cannot measure anything.
    """

    def fit(self, image):
        msg = 'no network today'
        raise RuntimeError(msg)


@pytest.fixture(name='scene', scope='module')
def fixture_scene():
    """
    A disc seen edge-on, off the centre; a round neighbour nearer to it.
    """
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    disc = gaussian_filter(Sersic2D(1.5, 13, 1.0, *CENTRE, EPS, THETA)(x, y),
                           1.2)
    other = gaussian_filter(Sersic2D(3.0, 5, 1.0, 58, 66, 0.1, 0.0)(x, y),
                            1.2)
    noise = np.random.default_rng(3).normal(scale=SIGMA, size=SHAPE)
    return disc, disc + other + noise


@pytest.fixture(name='plain', scope='module')
def fixture_plain(scene):
    return IsophoteFitter().fit(scene[1], **OPTIONS)


class TestInitial:
    def test_edge_on_beside_neighbour(self, scene, plain):
        disc, image = scene
        known = Known()
        fit = IsophoteFitter(initial=known).fit(image, **OPTIONS)
        assert known.calls == 1
        # Without it, the neighbour is measured.
        assert np.hypot(*np.subtract(plain.centre, (58, 66))) < 2
        assert_allclose(fit.centre, CENTRE, atol=0.5)
        middle = (fit.sma > 12) & (fit.sma < 28)
        assert_allclose(fit.eps[middle], EPS, atol=0.08)
        assert_allclose(fit.theta[middle], np.degrees(THETA), atol=3)
        # The ellipses follow the isophotes: their mean is the value at the
        # end of the major axis in the image of the disc alone.
        along = [disc[round(CENTRE[1] + a * np.sin(THETA)),
                      round(CENTRE[0] + a * np.cos(THETA))]
                 for a in fit.sma[middle]]
        assert np.median(np.abs(np.log(fit.intensity[middle]
                                       / along))) < 0.15
        assert fit.mask[66, 58]
        assert fit.profile.meta['initial'] == 'Known'
        assert not fit.profile.meta['flag'] & (GalaxyFlag.NO_INITIAL
                                               | GalaxyFlag.FORCED)

    def test_no_more_fits(self, scene, plain):
        fit = IsophoteFitter(initial=Known()).fit(scene[1], **OPTIONS)
        assert 0 < fit.n_fits <= plain.n_fits

    def test_profile(self, scene):
        image = scene[1]
        fitter = IsophoteFitter()
        cutout = GalaxyCutout(image, **OPTIONS)
        profile = fitter(cutout, initial=Known().fit(cutout).profile)
        same = IsophoteFitter(initial=Known())(cutout)
        assert_allclose(profile['intensity'], same['intensity'], rtol=1e-10)
        # The call has the last word.
        unused = Known()
        IsophoteFitter(initial=unused).fit(cutout, initial=profile)
        assert unused.calls == 0

    def test_not_used_with_geometry(self, scene, plain):
        known = Known()
        profile = IsophoteFitter(initial=known)(
            scene[1], geometry=plain.profile, **OPTIONS)
        assert known.calls == 0
        assert profile.meta['flag'] & GalaxyFlag.FORCED

    @pytest.mark.parametrize(('initial', 'match'), [
        (Failing(), 'without it: no network today'),
        (Known(flag=int(GalaxyFlag.NO_SOURCE)), 'it has the flag NO_SOURCE'),
        (Known(centre=(150.0, 20.0)), r'\(150.0, 20.0\), outside the image')])
    def test_no_use(self, scene, plain, initial, match):
        with pytest.warns(AstropyUserWarning, match=match):
            profile = IsophoteFitter(initial=initial)(scene[1], **OPTIONS)
        assert profile.meta['flag'] == (plain.profile.meta['flag']
                                        | GalaxyFlag.NO_INITIAL)
        assert_allclose(profile['intensity'], plain.profile['intensity'],
                        rtol=0)
        assert 'initial' not in profile.meta

    @pytest.mark.parametrize('value', ['captioner', 3, IsophoteFitter])
    def test_wrong(self, scene, value):
        with pytest.raises(ValueError, match='initial must be a fitter such'):
            IsophoteFitter(initial=value)
        with pytest.raises(ValueError, match='or the profile of the galaxy'):
            IsophoteFitter()(scene[1], initial=value, **OPTIONS)

    def test_profile_for_all_images(self, sersic_profile):
        match = (r'got QTable: a profile belongs to one image, '
                 r'fitter\.fit\(image, initial=profile\)$')
        with pytest.raises(ValueError, match=match):
            IsophoteFitter(initial=sersic_profile)


class TestWeights:
    @pytest.mark.parametrize('scale', [1.0, 0.1])
    def test_low_weights_are_masked(self, scene, scale):
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
        star = Gaussian2D(1, 88, 58, 3, 3)(x, y) > 0.3
        weight = np.where(star, 0.05, 0.9) * scale
        weight[:20] = np.nan
        weight[50:54, 76:80] = 0.0    # the centre is never masked
        cutout = GalaxyCutout(scene[1], **OPTIONS)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            first = initial_geometry(Known(weight=weight), cutout)
        assert first.low[star].all()
        assert not first.low[52, 78]
        assert not first.low[:20].any()
        elsewhere = ~star
        elsewhere[50:54, 76:80] = False
        assert not first.low[elsewhere].any()

    def test_nothing_known(self, scene):
        cutout = GalaxyCutout(scene[1], **OPTIONS)
        weight = np.full(SHAPE, np.nan)
        first = initial_geometry(Known(weight=weight), cutout)
        assert not first.low.any()

    def test_reach_the_mask(self, scene):
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
        # Too faint to be masked without a hint, and where there is no light
        # but that of the galaxy.
        blob = Gaussian2D(2.5 * SIGMA, 90, 30, 2, 2)(x, y)
        part = np.hypot(x - 90, y - 30) < 2
        own = np.hypot(x - 50, y - 20) < 4
        image = scene[1] + blob
        weight = np.where(part | own, 0, 1.0)
        options = {'initial': Known(weight=weight)}
        mask = IsophoteFitter(**options).fit(image, **OPTIONS).mask
        without = IsophoteFitter(initial=Known()).fit(image, **OPTIONS).mask
        assert mask[part].mean() > without[part].mean() + 0.5
        assert mask[own].mean() < 0.5
        fitter = IsophoteFitter(mask_sources=False, **options)
        assert not fitter.fit(image, **OPTIONS).mask.any()
