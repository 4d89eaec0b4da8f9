# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of which segments of an image are deblended.
"""

import numpy as np
import photutils.segmentation
import pytest
from numpy.testing import assert_array_equal
from scipy.ndimage import gaussian_filter

from astro_pix2prof.detection.galaxy import _segments, _with_peaks


def test_peaks():
    image = np.zeros((9, 20))
    image[2:5, 2:5] = 1
    image[3, 3] = 2
    image[2:5, 8:15] = 1
    image[3, 9] = image[3, 13] = 2
    image[7, 18] = 1
    segments = np.zeros(image.shape, int)
    segments[2:5, 2:5] = 1
    segments[2:5, 8:15] = 2
    # (what is beyond a segment is none of its peaks)
    segments[7, 18] = 3
    assert_array_equal(_with_peaks(image, segments), [2])
    assert not len(_with_peaks(image, np.where(segments == 2, 0, segments)))


@pytest.mark.parametrize('seed', range(3))
def test_same_segments(monkeypatch, seed):
    """
    Segments that are not looked at could not be divided.
    """
    rng = np.random.default_rng(seed)
    image = gaussian_filter(rng.normal(size=(90, 100)), 1.5)
    none = np.zeros(image.shape, bool)
    asked, deblend = [], photutils.segmentation.deblend_sources

    def all_sources(*args, labels, **options):
        asked.append((len(labels), args[1].n_labels))
        return deblend(*args, **options)

    found = _segments(image, 0.1, none, 0.004, none)
    monkeypatch.setattr(photutils.segmentation, 'deblend_sources',
                        all_sources)
    assert_array_equal(_segments(image, 0.1, none, 0.004, none), found)
    assert asked[0][0] < asked[0][1]
