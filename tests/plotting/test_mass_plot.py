# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the figure of a mass profile.
"""

import matplotlib.pyplot as plt
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import mass_profile, plot_mass_profile


def test_plot(sersic_profile):
    blue = sersic_profile.copy()
    blue['intensity'] *= 0.4
    blue['intensity_err'] *= 0.4
    blue['surface_brightness'] += 0.9948 * blue['surface_brightness'].unit
    table = mass_profile({'g': blue, 'i': sersic_profile}, distance=20)
    fig = plot_mass_profile(table)
    assert len(fig.axes) == 3
    assert fig.axes[2].get_ylabel() == 'g-i [mag]'
    # (after the radius of half the mass and the line)
    points = fig.axes[2].lines[2].get_xdata()
    assert_allclose(points,
                    table['radius_kpc'][~table['colour_held']].value)
    fig.canvas.draw()
    plt.close(fig)
    match = 'table must be a mass profile, as mass_profile returns it, got QT'
    with pytest.raises(TypeError, match=match):
        plot_mass_profile(sersic_profile)
