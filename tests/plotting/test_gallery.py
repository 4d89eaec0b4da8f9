# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the poster of several galaxies.
"""

import numpy as np
import pytest
from astropy.nddata import CCDData

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    Pix2ProfFitter,
    plot_gallery,
    plot_profiles,
)

matplotlib = pytest.importorskip('matplotlib')
matplotlib.use('agg')


@pytest.fixture(scope='module', name='fit')
def fixture_fit(_galaxy_ccd):
    return Pix2ProfFitter().fit(GalaxyCutout(_galaxy_ccd))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close('all')


class TestPlotGallery:
    def test_panels(self, fit):
        fig = plot_gallery([fit] * 3, labels=['a', 'b', 'c'], n_columns=2)
        fig.draw_without_rendering()
        assert len(fig.axes) == 6
        pictures, profiles = fig.axes[::2], fig.axes[1::2]
        assert [ax.get_title(loc='left') for ax in pictures] == [
            'a', 'b', 'c']
        assert all(ax.images and ax.patches for ax in pictures)
        limits = {(ax.get_xlim(), ax.get_ylim()) for ax in profiles}
        assert len(limits) == 1
        for ax in profiles:
            low, high = ax.get_ylim()
            assert low > high, 'magnitudes grow downwards'
            # (no more ticks than can be drawn)
            assert len(ax.xaxis.get_minorticklocs()) == 0
        assert 'arcsec' in profiles[-1].get_xlabel()

    def test_without_a_galaxy(self, fit, make_wcs):
        """
        One without a galaxy leaves the others their axes.
        """
        noise = np.random.default_rng(3).normal(0, 0.1, (80, 80))
        empty = Pix2ProfFitter().fit(CCDData(noise, unit='nmgy',
                                             wcs=make_wcs((80, 80))))
        assert empty.profile.meta['flag'] & GalaxyFlag.NO_SOURCE
        fig = plot_gallery([empty, fit, fit], labels=['', 'a', 'b'])
        fig.draw_without_rendering()
        alone, *others = fig.axes[1::2]
        assert others[0].get_shared_x_axes().joined(*others)
        assert others[0].get_shared_y_axes().joined(*others)
        assert not others[0].get_shared_y_axes().joined(alone, others[0])
        # the axes are those of the galaxies alone
        plain = plot_gallery([fit, fit]).axes[1]
        assert others[0].get_ylim() == plain.get_ylim()
        # and none but such: nothing is shared
        assert len(plot_gallery([empty, empty]).axes) == 4

    def test_one(self, fit):
        fig = plot_gallery(fit, radius_scale='log')
        assert len(fig.axes) == 2
        assert fig.axes[0].get_title(loc='left') == 'sersic'
        assert fig.axes[1].get_xscale() == 'log'

    def test_errors(self, fit):
        with pytest.raises(ValueError, match='fits must hold at least one'):
            plot_gallery([])
        with pytest.raises(TypeError, match=r'fits\[1\] must be a ProfileFit'):
            plot_gallery([fit, fit.profile])
        match = 'labels must be as many as fits, 1, got 2'
        with pytest.raises(ValueError, match=match):
            plot_gallery([fit], labels=['a', 'b'])
        match = 'radius_scale must be one of linear, log, r1/4'
        with pytest.raises(ValueError, match=match):
            plot_gallery([fit], radius_scale='a')
        with pytest.raises(ValueError, match='n_columns must be'):
            plot_gallery([fit], n_columns=0)


def test_ticks_of_profiles(sersic_profile):
    """
    An axis of fourth roots has few ticks, and no minor ones.
    """
    fig = plot_profiles([sersic_profile, sersic_profile.copy()],
                        radius_scale='r1/4')
    fig.draw_without_rendering()
    for ax in fig.axes:
        assert 3 <= len(ax.get_xticks()) <= 9
        assert len(ax.xaxis.get_minorticklocs()) == 0
        assert np.all(np.diff(ax.get_xticks()) > 0)
