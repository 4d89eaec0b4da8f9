# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the figures: what is in them, not how they look.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose
from scipy.ndimage import binary_dilation

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    build_profile,
    load_example,
    model_image,
    plot_colours,
    plot_evaluation,
    plot_evaluation_profiles,
    plot_fit,
    plot_profiles,
    plot_weights,
    write_profile,
)
from astro_pix2prof.plotting.galaxy import GalaxyView
from astro_pix2prof.plotting.simulated import plot_contact_sheet

matplotlib = pytest.importorskip('matplotlib')
matplotlib.use('agg')

SB = u.mag / u.arcsec**2


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close('all')


def axes_by_label(fig):
    # (a colour bar lies in the axes of its picture)
    every = [*fig.axes, *(child for ax in fig.axes for child in ax.child_axes)]
    return {ax.get_ylabel(): ax for ax in every}


def find_line(ax, label):
    return next(line for line in ax.get_lines() if line.get_label() == label)


class TestPlotFit:
    def test_of_fit(self):
        fit = IsophoteFitter().fit(load_example())
        mask = np.zeros(fit.cutout.shape, bool)
        mask[:20, :30] = True
        for given, kept in ((plot_fit(fit), fit.mask),
                            (plot_fit(fit, mask=mask), mask)):
            other = plot_fit(fit.cutout, fit.profile, mask=kept)
            for own, drawn in zip(given.axes, other.axes, strict=True):
                assert own.get_ylim() == drawn.get_ylim()
                for a, b in zip(own.images, drawn.images, strict=True):
                    assert_allclose(a.get_array().filled(-1),
                                    b.get_array().filled(-1))
        # another profile on the fit's image
        fig = plot_fit(fit, fit.profile[:10])
        assert fig.axes[2].get_xlim()[1] < given.axes[2].get_xlim()[1]
        with pytest.raises(TypeError, match=r'profile= is missing: .*fit\)'):
            plot_fit(fit.cutout)

    @pytest.mark.parametrize('name', ['m51', 60 * 'w'])
    def test_title_fits(self, galaxy_ccd, sersic_profile, name):
        profile = sersic_profile.copy()
        profile.meta['source'] = f'{name}.fits'
        fig = plot_fit(galaxy_ccd, profile)
        fig.draw_without_rendering()
        ax = fig.axes[2]
        title = next(text for text in ax.get_children()
                     if isinstance(text, matplotlib.text.Text)
                     and text.get_text() == ax.get_title(loc='left'))
        assert name in title.get_text()
        assert (title.get_window_extent().x1
                <= ax.get_window_extent().x1 + 1)
        assert (title.get_fontsize() == 12) == (name == 'm51')

    def test_panels(self, galaxy_ccd, sersic_profile):
        fig = plot_fit(galaxy_ccd, sersic_profile)
        fig.draw_without_rendering()
        axes = axes_by_label(fig)
        assert set(axes) == {
            r'$\Delta y$ [arcsec]', r'$\mu$ [mag arcsec$^{-2}$]',
            'Ellipticity', 'PA [deg]', r'$m(<a)$ [mag]',
            r'Residual [$\sigma$]'}
        bottom, top = axes[r'$\mu$ [mag arcsec$^{-2}$]'].get_ylim()
        assert bottom > top, 'magnitudes grow downwards'
        title = axes[r'$\mu$ [mag arcsec$^{-2}$]'].get_title(loc='left')
        assert title == 'sersic, r band, truth'

    def test_isophotes(self, galaxy_ccd, sersic_profile, galaxy_truth):
        """
        The ellipses lie where the galaxy has whole magnitudes.
        """
        from matplotlib.patches import Ellipse

        fig = plot_fit(galaxy_ccd, sersic_profile)
        ellipses = [patch for patch in fig.axes[0].patches
                    if isinstance(patch, Ellipse)]
        mu = sersic_profile['surface_brightness'].value
        assert len(ellipses) == np.floor(mu.max()) - np.ceil(mu.min()) + 1
        for ellipse in ellipses:
            level = np.interp(ellipse.width / 2,
                              sersic_profile['radius'].value, mu)
            assert level == pytest.approx(round(level), abs=0.01)
            assert ellipse.angle == pytest.approx(galaxy_truth['theta'])
            assert ellipse.height == pytest.approx(0.6 * ellipse.width)
        # from 40 pixels on the ellipse is carried over
        sma = np.array([ellipse.width for ellipse in ellipses]) / 2 / 0.396
        dashed = np.array([e.get_linestyle() == '--' for e in ellipses])
        assert np.all(dashed[sma > 42])
        assert not np.any(dashed[sma < 38])
        assert 0 < np.count_nonzero(dashed) < len(ellipses)

    def test_residual(self, galaxy_ccd, sersic_profile):
        """
        The residual of a perfect model is the noise.
        """
        fig = plot_fit(galaxy_ccd, sersic_profile)
        residual = fig.axes[1].images[0].get_array()[100:, 100:]
        assert np.std(residual) == pytest.approx(1.0, abs=0.1)

    def test_model_and_mask(self, galaxy_ccd, sersic_profile):
        mask = np.zeros((128, 128), dtype=bool)
        mask[10:20, 30:50] = True
        model = model_image(sersic_profile, galaxy_ccd)
        fig = plot_fit(galaxy_ccd, sersic_profile, mask=mask,
                       model=model + 0.5)
        overlay = fig.axes[0].images[1].get_array()
        assert np.array_equal(overlay[..., 3] > 0, mask)
        # the noise is 0.01
        residual = fig.axes[1].images[0].get_array()[100:, 100:]
        assert np.mean(residual) == pytest.approx(-50, abs=1)

    def test_bad_pixels_are_left_out(self, galaxy_ccd, sersic_profile):
        galaxy_ccd.data[5, 7] = np.nan
        fig = plot_fit(galaxy_ccd, sersic_profile)
        shown = fig.axes[0].images[0].get_array()
        assert np.ma.getmaskarray(np.ma.masked_invalid(shown))[5, 7]

    def test_flags(self, galaxy_ccd, sersic_profile):
        profile = sersic_profile.copy()
        profile['flag'][20:23] = 2
        ax = axes_by_label(plot_fit(galaxy_ccd, profile))[
            r'$\mu$ [mag arcsec$^{-2}$]']
        assert len(find_line(ax, 'doubtful').get_xdata()) == 3
        n_carried = np.count_nonzero(profile['flag'] == 4)
        assert len(find_line(
            ax, 'ellipse carried over').get_xdata()) == n_carried > 0
        assert len(find_line(ax, 'ellipse fitted').get_xdata()) == (
            len(profile) - 3 - n_carried)

    def test_uncalibrated(self, galaxy_ccd, sersic_profile):
        cutout = GalaxyCutout(galaxy_ccd.data, calibrated=False)
        sma = np.arange(1.0, 40)
        profile = build_profile(
            cutout, sma, np.exp(-sma / 10), 0.001 * np.ones(39),
            ellipticity=np.full(39, 0.4), theta=np.full(39, 35.0),
            centre=(62.3, 65.8))
        fig = plot_fit(cutout, profile)
        fig.draw_without_rendering()
        axes = axes_by_label(fig)
        assert axes['Intensity [1 / pix2]'].get_yscale() == 'log'
        assert {'Angle [deg]', r'$F(<a)\,/\,F$', r'$\Delta y$ [pixel]',
                r'Residual [$\sigma$ of the sky]'} <= set(axes)
        growth = axes[r'$F(<a)\,/\,F$'].get_lines()[0].get_ydata()
        assert growth[-1] == 1.0
        # 3.8 scale lengths are 4.1 magnitudes
        assert len(fig.axes[0].patches) == 4

    def test_options_and_figure(self, galaxy_ccd, sersic_profile):
        from matplotlib.figure import Figure

        fig = Figure()
        result = plot_fit(CCDData(galaxy_ccd.data, unit='adu',
                                  wcs=galaxy_ccd.wcs),
                          sersic_profile, fig=fig, zeropoint=22.5,
                          model=np.zeros((128, 128)))
        assert result is fig
        assert len(fig.axes) == 6
        assert len(fig.axes[1].child_axes) == 1
        # and pyplot was left alone
        assert matplotlib.pyplot.get_fignums() == []

    def test_all_noise(self, galaxy_ccd, sersic_profile):
        """
        A profile without one good ring is drawn all the same.
        """
        profile = sersic_profile.copy()
        profile['intensity'] *= -1
        profile['surface_brightness'] = np.nan * SB
        profile['mag_enclosed'] = np.nan * u.mag
        profile['flag'] = 3
        fig = plot_fit(galaxy_ccd, profile)
        fig.draw_without_rendering()
        assert len(fig.axes[0].patches) == 0

    @pytest.mark.parametrize('shape', [
        (40, 128), (128, 36), (128, 100), *(
            pytest.param(shape, marks=pytest.mark.slow)
            for shape in ((128, 128), (70, 128), (128, 80)))])
    def test_oblong(self, galaxy_ccd, sersic_profile, shape):
        """
        The pictures are of one size, in line, large, and within the figure.
        """
        low, left = ((128 - n) // 2 for n in shape)
        image = galaxy_ccd[low:low + shape[0], left:left + shape[1]]
        profile = sersic_profile.copy()
        profile.meta['x_centre'] -= left
        profile.meta['y_centre'] -= low
        fig = plot_fit(image, profile)
        fig.draw_without_rendering()
        first, second = (ax.get_position() for ax in fig.axes[:2])
        assert_allclose(second.size, first.size, rtol=1e-6)
        assert (abs(first.x0 - second.x0) < 1e-6
                or abs(first.y0 - second.y0) < 1e-6)
        assert first.width * first.height > 0.065
        boxes = [ax.get_tightbbox() for ax in fig.axes]
        for box in boxes:
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= fig.bbox.x1
            assert box.y1 <= fig.bbox.y1
        for picture in boxes[:2]:
            for panel in boxes[2:]:
                assert not picture.overlaps(panel)

    @pytest.mark.parametrize('scale', ['log', 'r1/4'])
    def test_radius_scale(self, galaxy_ccd, sersic_profile, scale):
        fig = plot_fit(galaxy_ccd, sersic_profile, radius_scale=scale,
                       beside={'other': sersic_profile})
        fig.draw_without_rendering()
        radius = sersic_profile['radius'].value
        for ax in fig.axes[2:]:
            low, high = ax.get_xlim()
            assert high > radius[-1]
            # (the places of three radii, in widths of the panel)
            places = [ax.transAxes.inverted().transform(
                ax.transData.transform((r, ax.get_ylim()[0])))[0]
                for r in (2.0, 4.0, 8.0)]
            assert np.all(np.diff(places) > 0.05)
            if scale == 'log':
                assert 0 < low <= radius[1]
                assert_allclose(*np.diff(places))
            else:
                assert low == 0
                assert_allclose((places[2] / places[0])**4, 4.0)
        labels = [float(label.get_text())
                  for label in fig.axes[-1].get_xticklabels()
                  if label.get_text()]
        assert len(labels) >= 3
        line = find_line(fig.axes[2], 'ellipse fitted')
        # only an axis of logarithms has no place for the centre
        assert np.isnan(line.get_xdata()[0]) == (scale == 'log')

    @pytest.mark.parametrize('scale', ['cubic', None, 3])
    def test_unknown_scale(self, galaxy_ccd, sersic_profile, scale):
        match = 'radius_scale must be one of linear, log, r1/4, got'
        with pytest.raises(ValueError, match=match):
            plot_fit(galaxy_ccd, sersic_profile, radius_scale=scale)
        with pytest.raises(ValueError, match=match):
            plot_profiles(sersic_profile, radius_scale=scale)

    def test_title(self, galaxy_ccd, sersic_profile, tmp_path):
        """
        The title names the file, the galaxy and the weights.
        """
        path = tmp_path / 'ngc1234_r.fits'
        galaxy_ccd.write(path)
        profile = sersic_profile.copy()
        profile.meta.update(fitter='Pix2ProfFitter', weights='captioner')
        fig = plot_fit(path, profile)
        assert fig.axes[2].get_title(loc='left') == (
            'ngc1234_r (sersic), r band, captioner')
        profile.meta.update(fitter='IsophoteFitter', source='NGC 1234 r')
        del profile.meta['weights']
        fig = plot_fit(path, profile)
        assert fig.axes[2].get_title(loc='left') == (
            'ngc1234_r, r band, isophotes')
        assert plot_profiles(profile).axes[0].get_legend().texts[
            0].get_text() == 'isophotes'

    def test_bright_frame(self, galaxy_ccd, sersic_profile):
        """
        A galaxy that fills its frame is not one shade of grey.
        """
        galaxy_ccd.data *= 1000
        galaxy_ccd.uncertainty.array *= 10
        small = galaxy_ccd[46:86, 42:82]
        profile = sersic_profile.copy()
        for name in ('x_centre', 'y_centre'):
            profile.meta[name] -= {'x_centre': 42, 'y_centre': 46}[name]
        picture = plot_fit(small, profile).axes[0].images[0]
        grey = picture.norm(picture.get_array())
        dark, light = np.percentile(np.asarray(grey), (90, 10))
        assert dark - light > 0.4

    @pytest.mark.parametrize('name', ['mask', 'model'])
    def test_shapes(self, galaxy_ccd, sersic_profile, name):
        match = (rf'{name} must have the shape \(128, 128\) of the image, '
                 r'got \(3, 3\)')
        with pytest.raises(ValueError, match=match):
            plot_fit(galaxy_ccd, sersic_profile, **{name: np.zeros((3, 3))})


class TestGalaxyView:
    @pytest.mark.parametrize(('rotation', 'parity', 'north', 'east'), [
        (0.0, -1, (0, 1), (-1, 0)),
        (90.0, -1, (1, 0), (0, 1)),
        (0.0, 1, (0, 1), (1, 0)),
    ])
    def test_compass(self, galaxy_ccd, sersic_profile, make_wcs, rotation,
                     parity, north, east):
        import matplotlib.pyplot as plt

        image = CCDData(galaxy_ccd.data, unit='nmgy', wcs=make_wcs(
            (128, 128), rotation=rotation, parity=parity))
        view = GalaxyView(GalaxyCutout(image), sersic_profile)
        ax = plt.figure().add_subplot()
        view.plot_compass(ax)
        arrows = [text for text in ax.texts if text.get_text() == '']
        directions = [np.subtract(text.xy, text.xyann) for text in arrows]
        directions = [d / np.hypot(*d) for d in directions]
        assert_allclose(directions, [east, north], atol=1e-3)
        for text in ax.texts:
            assert view.xlim[0] < text.get_position()[0] < view.xlim[1]
            assert view.ylim[0] < text.get_position()[1] < view.ylim[1]

    def test_limits(self, galaxy_ccd, sersic_profile):
        """
        No more is shown than there is, or than the profile needs.
        """
        cutout = GalaxyCutout(galaxy_ccd)
        whole = GalaxyView(cutout, sersic_profile)
        assert_allclose(whole.xlim, np.array([-62.8, 65.2]) * 0.396,
                        rtol=1e-5)
        part = GalaxyView(cutout, sersic_profile[:20])
        reach = 1.15 * sersic_profile['radius'][19].value
        assert_allclose(part.ylim, (-reach, reach), rtol=1e-5)

    def test_no_noise(self, sersic_profile, galaxy_ccd):
        """
        The image of a model, without noise, is drawn too.
        """
        import matplotlib.pyplot as plt

        model = model_image(sersic_profile, galaxy_ccd)
        view = GalaxyView(GalaxyCutout(CCDData(
            model, unit='nmgy', wcs=galaxy_ccd.wcs)), sersic_profile)
        ax = plt.figure().add_subplot()
        view.plot_residual(ax, np.zeros(model.shape, bool), model)
        assert np.nanmax(np.abs(ax.images[0].get_array())) < 1


class TestArguments:
    def test_plot_fit(self, galaxy_ccd, sersic_profile):
        with pytest.raises(TypeError, match='profile must be a profile tab'):
            plot_fit(galaxy_ccd, 3)
        match = 'beside must be a dict of profiles by their labels'
        with pytest.raises(TypeError, match=match):
            plot_fit(galaxy_ccd, sersic_profile, beside=[sersic_profile])
        with pytest.raises(TypeError, match=r"beside\['a'\] must be a prof"):
            plot_fit(galaxy_ccd, sersic_profile, beside={'a': 1})
        with pytest.raises(TypeError, match='fig must be a matplotlib Figure'):
            plot_fit(galaxy_ccd, sersic_profile, fig='a')
        match = 'profile must have a ring of a positive radius, got 1 rings'
        with pytest.raises(ValueError, match=match):
            plot_fit(galaxy_ccd, sersic_profile[:1],
                     model=np.zeros(galaxy_ccd.shape))

    def test_many_beside(self, galaxy_ccd, sersic_profile):
        beside = {f'p{k}': sersic_profile for k in range(5)}
        fig = plot_fit(galaxy_ccd, sersic_profile, beside=beside)
        ax = axes_by_label(fig)[r'$\mu$ [mag arcsec$^{-2}$]']
        labels = [text.get_text() for text in ax.get_legend().texts]
        assert set(beside) <= set(labels)

    def test_profile_of_a_file(self, galaxy_ccd, sersic_profile, tmp_path):
        """
        FITS, read with astropy alone, has a meta in upper case.
        """
        write_profile(sersic_profile, tmp_path / 'a.fits')
        profile = QTable.read(tmp_path / 'a.fits')
        assert 'pa_frame' not in profile.meta
        fig = plot_fit(galaxy_ccd, profile)
        assert 'PA [deg]' in axes_by_label(fig)

    def test_others(self):
        for function in (plot_evaluation, plot_evaluation_profiles):
            with pytest.raises(TypeError, match='evaluation must be an Eval'):
                function({'a': 1})
        for wrong in (3, [1, 2], None):
            with pytest.raises(TypeError, match='galaxies must be simulated'):
                plot_contact_sheet(wrong)
        with pytest.raises(TypeError, match='result must be a BandProfiles'):
            plot_colours(3)


class TestPlotProfiles:
    def test_one(self, sersic_profile):
        fig = plot_profiles({'one': sersic_profile})
        assert len(fig.axes) == 1
        line = find_line(fig.axes[0], 'one')
        assert_allclose(line.get_xdata(), sersic_profile['radius'].value)

    def test_difference(self, sersic_profile):
        other = sersic_profile.copy()
        other['surface_brightness'] += 0.25 * SB
        for reference in (None, 'one', sersic_profile):
            fig = plot_profiles({'one': sersic_profile, 'two': other},
                                reference=reference)
            top, bottom = fig.axes
            assert_allclose(bottom.get_lines()[0].get_ydata(), 0.25)
            low, high = bottom.get_ylim()
            assert low == pytest.approx(0.3)
            assert high == pytest.approx(-0.3)
            labels = [text.get_text() for text in top.get_legend().texts]
            assert labels == ['one', 'two']

    def test_published(self, sersic_profile):
        # a paper may have radii and surface brightness only
        paper = sersic_profile['radius', 'surface_brightness']
        paper['surface_brightness'] += 0.25 * SB
        fig = plot_profiles({'paper': paper, 'ours': sersic_profile},
                            reference='ours')
        assert_allclose(fig.axes[1].get_lines()[0].get_ydata(), 0.25)
        fig = plot_profiles({'ours': sersic_profile}, reference=paper)
        assert_allclose(fig.axes[1].get_lines()[0].get_ydata(), -0.25)

    def test_two_systems(self, sersic_profile):
        vega = sersic_profile.copy()
        vega.meta['mag_system'] = 'Vega'
        match = 'profiles have AB and Vega magnitudes, which are drawn as'
        with pytest.warns(AstropyUserWarning, match=match):
            plot_profiles({'a': sersic_profile, 'b': vega})
        with pytest.warns(AstropyUserWarning, match=match):
            plot_profiles({'a': sersic_profile}, reference=vega)

    def test_other_reference(self, sersic_profile):
        other = sersic_profile.copy()
        other['surface_brightness'] += 0.25 * SB
        fig = plot_profiles({'one': sersic_profile}, reference=other)
        assert_allclose(fig.axes[1].get_lines()[0].get_ydata(), -0.25)
        labels = [text.get_text() for text in fig.axes[0].get_legend().texts]
        assert labels == ['truth', 'one']

    def test_uncalibrated(self, sersic_profile):
        profile = sersic_profile.copy()
        profile['surface_brightness'] = np.nan * SB
        fig = plot_profiles({'one': profile, 'two': profile})
        assert len(fig.axes) == 1
        assert fig.axes[0].get_yscale() == 'log'
        match = 'reference needs profiles with surface brightnesses'
        with pytest.raises(ValueError, match=match):
            plot_profiles({'one': profile}, reference=sersic_profile)

    def test_single_profile(self, sersic_profile):
        fig = plot_profiles(sersic_profile)
        assert len(fig.axes) == 1
        line = find_line(fig.axes[0], 'truth')
        assert_allclose(line.get_ydata(),
                        sersic_profile['surface_brightness'].value)

    @pytest.mark.parametrize('kind', [list, tuple])
    def test_sequence(self, sersic_profile, kind):
        others = [sersic_profile.copy() for _ in range(2)]
        fig = plot_profiles(kind(others), reference='profile 2')
        labels = [text.get_text() for text in fig.axes[0].get_legend().texts]
        assert labels == ['profile 1', 'profile 2']
        others[1].meta['fitter'] = 'other'
        fig = plot_profiles(kind(others))
        labels = [text.get_text() for text in fig.axes[0].get_legend().texts]
        assert labels == ['truth', 'other']

    def test_profile_of_a_file(self, sersic_profile, tmp_path):
        """
        A VOTable brings masked columns.
        """
        write_profile(sersic_profile, tmp_path / 'a.vot')
        profile = QTable.read(tmp_path / 'a.vot', format='votable')
        fig = plot_profiles(profile)
        assert_allclose(find_line(fig.axes[0], 'profile').get_ydata(),
                        sersic_profile['surface_brightness'].value)

    @pytest.mark.parametrize('nothing', [{}, [], ()])
    def test_none(self, nothing):
        match = 'profiles must hold at least one profile, got none'
        with pytest.raises(ValueError, match=match):
            plot_profiles(nothing)

    @pytest.mark.parametrize('layout', [None, 'constrained'])
    def test_part_of_a_figure(self, sersic_profile, layout):
        import matplotlib.pyplot as plt

        whole = plt.figure(layout=layout)
        left, right = whole.subfigures(1, 2)
        assert plot_profiles(sersic_profile, fig=right) is right
        assert len(right.axes) == 1
        assert not left.axes
        whole.canvas.draw()

    def test_no_profile(self, sersic_profile):
        for wrong, name in ((3, 'profiles'), (QTable({'a': [1]}), 'profiles'),
                            ([sersic_profile, 3], r"profiles\['profile 2'\]"),
                            ({'a': None}, r"profiles\['a'\]")):
            with pytest.raises(TypeError, match=f'{name} must be a profile'):
                plot_profiles(wrong)
        with pytest.raises(TypeError, match='reference must be a profile'):
            plot_profiles(sersic_profile, reference=3)
        with pytest.raises(TypeError, match='fig must be a matplotlib Figure'):
            plot_profiles(sersic_profile, fig=3)

    def test_different_units(self, sersic_profile):
        pixels = sersic_profile.copy()
        pixels['radius'] = pixels['radius'].value * u.pix
        match = 'profiles must all have radii in arcsec or all in pixels'
        with pytest.raises(ValueError, match=match):
            plot_profiles([sersic_profile, pixels])
        with pytest.raises(ValueError, match=match):
            plot_profiles(sersic_profile, reference=pixels)

    def test_odd_profiles(self, sersic_profile):
        for rows in (slice(0, 0), slice(0, 1), slice(3, 5)):
            fig = plot_profiles(sersic_profile[rows])
            fig.draw_without_rendering()
            assert fig.axes
        nothing = sersic_profile.copy()
        for name in ('surface_brightness', 'intensity', 'intensity_err'):
            nothing[name] *= np.nan
        plot_profiles(nothing).draw_without_rendering()
        plot_profiles([nothing, sersic_profile]).draw_without_rendering()

    def test_unknown_reference(self, sersic_profile):
        match = "reference must be one of one, or a profile, got 'two'"
        with pytest.raises(ValueError, match=match):
            plot_profiles({'one': sersic_profile}, reference='two')


class TestPlotWeights:
    def test_panels(self):
        fit = Pix2ProfFitter().fit(load_example())
        fig = plot_weights(fit)
        left, right, bar = fig.axes
        assert left.get_xlim() == right.get_xlim()
        weight = right.images[0].get_array()
        np.testing.assert_array_equal(np.isnan(weight.filled(np.nan)),
                                      np.isnan(fit.weight_map()))
        assert np.nanmin(weight) >= 0
        assert np.nanmax(weight) <= 1
        assert bar.get_ylabel() == 'weight'
        # other objects are outlined
        outline, = right.collections
        x, y = np.concatenate(outline.get_paths()[0].to_polygons()).T
        assert len(x) > 10
        left, right, bottom, top = right.images[0].get_extent()
        ny, nx = fit.cutout.shape
        column = ((x - left) / (right - left) * nx - 0.5).round().astype(int)
        row = ((y - bottom) / (top - bottom) * ny - 0.5).round().astype(int)
        near = binary_dilation(fit.object_mask(), iterations=2)
        assert near[row.clip(0, ny - 1), column.clip(0, nx - 1)].all()

    def test_errors(self):
        fit = Pix2ProfFitter('captioner', n_views=1).fit(load_example())
        with pytest.raises(ValueError, match='fit must come from a network'):
            plot_weights(fit)
        with pytest.raises(TypeError, match='fit must be a ProfileFit'):
            plot_weights(fit.profile)
