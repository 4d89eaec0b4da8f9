# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of which fit a figure of clumps shows.
"""

from types import SimpleNamespace

import pytest
from astropy.table import QTable

from astro_pix2prof.fitting.bands import BandProfiles
from astro_pix2prof.plotting.clumps import plot_clumps


def a_fit(band):
    return SimpleNamespace(profile=QTable(meta={'band': band}), band=band)


@pytest.mark.parametrize('as_list', [False, True])
def test_reference_is_missing(as_list):
    fits = {band: a_fit(band) for band in 'gi'}
    clumps = QTable(meta={'reference': 'r'})
    given = list(fits.values()) if as_list else fits
    with pytest.raises(ValueError, match="the band 'r', the reference of its"
                       ' clumps, got fits of the bands g, i'):
        plot_clumps(given, clumps)


def test_clumps_of_one_band():
    # (the fit has no sma, of which there is an error of its own)
    with pytest.raises(TypeError, match='got SimpleNamespace'):
        plot_clumps({'r': a_fit('r')}, QTable())
    with pytest.raises(ValueError, match='of one band, as its clumps are, got '
                       'fits of the bands r, i'):
        plot_clumps({'r': a_fit('r'), 'i': a_fit('i')}, QTable())


def test_fits_were_not_kept():
    bands = BandProfiles({'r': QTable()}, QTable(), 'r', {})
    with pytest.raises(ValueError, match=r'keep_fits=True'):
        plot_clumps(bands, QTable(meta={'reference': 'r'}))
