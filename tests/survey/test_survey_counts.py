# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the numbers with which a survey ends.
"""

from argparse import Namespace

import numpy as np
import pytest
from astropy.table import Table

from astro_pix2prof import (
    GalaxyFlag,
    ProfileBatch,
    load_example_truth,
    run_survey,
)
from astro_pix2prof.cli.survey import _finish
from astro_pix2prof.survey.collect import collect_survey
from astro_pix2prof.survey.failures import FailureCounts

pytest.importorskip('pyarrow')

EMPTY, MASKED = int(GalaxyFlag.NO_SOURCE), int(GalaxyFlag.HEAVILY_MASKED)


class Flags:
    """
    A fitter whose images are the flags of its profiles.
    """

    def __call__(self, image):
        raise NotImplementedError

    def fit_many(self, images, *, workers=0):
        profiles = []
        for flag, _ in images:
            profile = load_example_truth()
            profile.meta['flag'] = flag
            profiles.append(profile)
        yield ProfileBatch.from_profiles(profiles)


def survey(out, flags):
    def image(row):
        if row['flag'] < 0:
            msg = 'no image'
            raise ValueError(msg)
        return row['flag']

    return run_survey(Table({'flag': np.array(flags)}), out, images=image,
                      fitter=Flags(), chunk_size=2, n_workers=1)


def finish(result, capsys):
    _finish(result, Namespace(quiet=False, part=None))
    return capsys.readouterr()


def test_galaxies_without_a_source(tmp_path, capsys):
    result = survey(tmp_path, [EMPTY | MASKED, 8, -1, EMPTY, 0])
    expected = {'NO_SOURCE': 2, 'HEAVILY_MASKED': 1}
    assert result.n_flagged == expected
    assert collect_survey(tmp_path).n_flagged == expected
    text = finish(result, capsys)
    assert text.out.startswith('5 galaxies: 4 measured (2 NO_SOURCE, '
                               '1 HEAVILY_MASKED), 1 failed in ')
    assert 'nothing significant' not in text.err


def test_none_has_a_source(tmp_path, capsys):
    result = survey(tmp_path, [EMPTY, EMPTY])
    assert ('warning: nothing significant was found at the position of any '
            'galaxy (NO_SOURCE)') in finish(result, capsys).err


def test_plain_numbers(tmp_path, capsys):
    result = survey(tmp_path, [0, 8])
    assert result.n_flagged == {}
    assert finish(result, capsys).out.startswith(
        '2 galaxies: 2 measured, 0 failed in ')


def test_add():
    counts = FailureCounts.add([
        FailureCounts(1, {'g': 2}, {'NO_SOURCE': 3}),
        FailureCounts(4, {'g': 1, 'r': 1}, {'HEAVILY_MASKED': 1}),
        FailureCounts(0, {}, {'NO_SOURCE': 1})])
    assert counts == (5, {'g': 3, 'r': 1},
                      {'NO_SOURCE': 4, 'HEAVILY_MASKED': 1})
