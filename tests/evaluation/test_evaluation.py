# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the comparison of profiles.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from astro_pix2prof import compare_profiles

SB = u.mag / u.arcsec**2


@pytest.fixture(name='line')
def fixture_line():
    """
    A profile with 1 mag per arcsec, from 20 to 26 mag/arcsec2.
    """
    radius = np.linspace(0, 6, 13)
    zero = np.zeros(13)
    return QTable({'radius': radius * u.arcsec,
                   'surface_brightness': (20 + radius) * SB,
                   'intensity': 10**(1 - 0.4 * radius), 'intensity_err': zero,
                   'ellipticity': zero, 'pa': zero * u.deg,
                   'flag': zero.astype(int)})


class TestCompareProfiles:
    def test_values(self, line):
        other = line.copy()
        other['surface_brightness'][:5] += 0.2 * SB
        other['surface_brightness'][5:] -= 0.1 * SB
        table = compare_profiles({'other': other, 'same': line}, line,
                                 edges=(20, 22.2, 30))
        assert list(table['profile']) == ['other', 'other', 'same', 'same']
        assert list(table['n_rings']) == [5, 8, 5, 8]
        assert_allclose(table['median'].to_value(SB), [0.2, -0.1, 0, 0],
                        atol=1e-12)
        assert_allclose(table['median_abs'].to_value(SB), [0.2, 0.1, 0, 0],
                        atol=1e-12)
        assert_allclose(table['faint'].to_value(SB), [22.2, 30, 22.2, 30])

    def test_published(self, line):
        # a paper may have radii and surface brightness only
        paper = line['radius', 'surface_brightness']
        paper['surface_brightness'] += 0.2 * SB
        for args, median in ((({'paper': paper}, line), 0.2),
                             (({'line': line}, paper), -0.2)):
            table = compare_profiles(*args, edges=(10, 30))
            assert_allclose(table['median'].to_value(SB), [median])
        match = 'reference must be a profile table'
        with pytest.raises(TypeError, match=match):
            compare_profiles({'line': line}, paper['radius', ])

    def test_two_galaxies(self, line):
        here, there = line.copy(), line.copy()
        here.meta.update(ra=150.0, dec=0.0)
        there.meta.update(ra=150.01, dec=0.0)
        with pytest.warns(AstropyUserWarning, match="'far' and of the referen"
                          'ce are 36 arcsec apart: are they profiles of one'):
            compare_profiles({'near': here, 'far': there}, here)

    def test_two_systems(self, line):
        ab, vega = line.copy(), line.copy()
        ab.meta.update(mag_system='AB', sb_zeropoint=22.5)
        vega.meta.update(mag_system='Vega', sb_zeropoint=22.5)
        with pytest.warns(AstropyUserWarning, match="'v' has Vega magnitudes "
                          'and the reference AB: the differences hold that'):
            compare_profiles({'a': ab, 'v': vega}, ab)
        # (one that does not say is not doubted)
        compare_profiles({'a': ab, 'b': line}, ab)

    @pytest.mark.parametrize('profiles', ['line', 'list'])
    def test_no_dict(self, line, profiles):
        match = "profiles must be a dict of profiles by their labels, such as"
        with pytest.raises(TypeError, match=match):
            compare_profiles([line] if profiles == 'list' else line, line)
        with pytest.raises(TypeError, match=(
                r"such as \{'a': profiles\[0\], 'b': profiles\[1\]\}, got")):
            compare_profiles([line, line], line)

    def test_radii_in_pixels(self, line):
        pixels = line.copy()
        pixels['radius'] = np.arange(len(line)) * u.pix
        for profile, reference, match in (
                (pixels, line, r"profiles\['a'\] has radii in pix and the "
                 r"reference in arcsec: .* image of profiles\['a'\] with"),
                (line, pixels, r"profiles\['a'\] has radii in arcsec and the "
                 'reference in pix: .* image of the reference with')):
            with pytest.raises(ValueError, match=match):
                compare_profiles({'a': profile}, reference)
        assert len(compare_profiles({'a': pixels}, pixels))

    def test_nothing_in_common(self, line):
        other = line.copy()
        other['radius'] += 10 * u.arcsec
        table = compare_profiles({'other': other}, line)
        assert len(table) == 0
        assert table['median'].unit == SB

    @pytest.mark.parametrize('edges', [(20,), (20, 20), (22, 20), 20])
    def test_edges(self, line, edges):
        match = 'edges must be two or more increasing numbers'
        with pytest.raises(ValueError, match=match):
            compare_profiles({'line': line}, line, edges=edges)
