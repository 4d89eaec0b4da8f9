# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the table of flags.
"""

import copy
import enum
import pickle

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table, join
from astropy.utils.masked import Masked

from astro_pix2prof import (
    ClumpFlag,
    GalaxyFlag,
    RingFlag,
    StructureFlag,
    decode_flags,
    decode_structure_flags,
    describe_flags,
)

KINDS = {'ring': RingFlag, 'galaxy': GalaxyFlag, 'structure': StructureFlag,
         'clump': ClumpFlag}

# Bits stand in files of users: they never change.
BITS = {
    'ring': {
        'NEGATIVE': 1, 'LOW_SNR': 2, 'EXTENDED': 4, 'INTERPOLATED': 8,
        'FIXED_GEOMETRY': 16, 'FEW_PIXELS': 32, 'SATURATED': 64, 'EDGE': 128,
        'UNRESOLVED': 256, 'EXTRAPOLATED': 512,
        'GROWTH_EXTRAPOLATED': 1024},
    'galaxy': {
        'UNCALIBRATED': 1, 'SECOND_GUESS': 2, 'FIXED_ELLIPSES': 4,
        'CENTRE_UNCERTAIN': 8, 'CENTRE_OFFSET': 16, 'NEIGHBOUR': 32,
        'TRUNCATED': 64, 'SATURATED': 128, 'SKY_UNCERTAIN': 256,
        'NO_SOURCE': 512, 'OUT_OF_DOMAIN': 1024, 'FORCED': 2048,
        'HEAVILY_MASKED': 4096, 'NO_INITIAL': 8192, 'FAILED': 16384,
        'POINT_SOURCE': 32768, 'WRONG_NOISE': 65536},
    'structure': {
        'UNCALIBRATED': 1, 'TOO_FEW_RINGS': 2, 'NOT_ASYMPTOTIC': 4,
        'LEVEL_NOT_REACHED': 8, 'PETROSIAN_NOT_REACHED': 16,
        'SERSIC_FAILED': 32, 'BULGE_DISC_FAILED': 64, 'DISC_FAILED': 128,
        'EXTRAPOLATED': 256, 'NO_SOURCE': 512},
    'clump': {'EDGE': 1, 'MASKED': 2, 'BLENDED': 4, 'NUCLEUS': 8,
              'NONLINEAR': 16, 'UNSURE_CLASS': 32}}


@pytest.mark.parametrize('kind', KINDS)
class TestTable:
    def test_bits(self, kind):
        found = {flag.name: flag.bit for flag in describe_flags(kind)}
        assert found.items() >= BITS[kind].items()
        assert {flag.name: int(flag) for flag in KINDS[kind]} == found
        bits = np.array(list(found.values()))
        assert np.all(bits & (bits - 1) == 0)
        assert np.all(np.diff(bits) > 0)

    def test_descriptions(self, kind):
        for flag in describe_flags(kind):
            assert flag.line.endswith('.')
            assert len(flag.line) < 75
            assert flag.text.endswith('.')
            assert len(flag.text) > len(flag.line) / 2
            member = KINDS[kind][flag.name]
            assert member.__doc__ == flag.line
            assert f'``{flag.name}`` ({flag.bit})' in KINDS[kind].__doc__
            assert flag.line in KINDS[kind].__doc__

    def test_decode(self, kind):
        for name, bit in BITS[kind].items():
            assert decode_flags(bit, kind) == [name]
        everything = sum(KINDS[kind])
        assert decode_flags(everything, kind) == list(
            KINDS[kind].__members__)

    def test_members(self, kind):
        members = KINDS[kind]
        assert issubclass(members, enum.IntFlag)
        assert set(BITS[kind]) <= set(dir(members))
        one, two = list(members)[:2]
        both = one | two
        assert isinstance(both, members)
        assert int(both) == 3
        assert both & ~one == two
        for flag in (one, both, members(0)):
            for again in (pickle.loads(pickle.dumps(flag)),
                          copy.deepcopy(flag)):
                assert again == flag
                assert type(again) is members
        assert pickle.loads(pickle.dumps(one)) is one


class TestDecode:
    def test_arrays(self):
        value = np.array([[0, 5], [2, 96]], dtype='>i4')
        assert decode_flags(value) == [
            [[], ['NEGATIVE', 'EXTENDED']],
            [['LOW_SNR'], ['FEW_PIXELS', 'SATURATED']]]
        assert decode_flags([]) == []
        assert decode_flags(value[None]) == [decode_flags(value)]

    def test_masked(self):
        """
        A value that is not known is not the same as a flag of 0.
        """
        column = MaskedColumn([1, 2, 0], mask=[False, True, False])
        for values in (column, np.ma.array(column), Masked(
                column.data.data, mask=column.mask)):
            assert decode_flags(values) == [['NEGATIVE'], None, []]
            assert decode_flags(values[1]) is None
            assert decode_flags(values[2]) == []
        assert decode_flags(np.ma.masked) is None
        assert decode_flags(np.ma.array([[1, 2]], mask=[[True, False]])) == [
            [None, ['LOW_SNR']]]
        # as of a join of tables
        rows = join(Table({'id': [1, 2]}), Table({'id': [1], 'flag': [3]}),
                    join_type='left')
        assert decode_flags(rows['flag']) == [['NEGATIVE', 'LOW_SNR'], None]

    def test_float(self):
        # pandas makes a column with gaps one of floats
        assert decode_flags(np.array([3.0])) == [['NEGATIVE', 'LOW_SNR']]

    def test_unknown_bits(self):
        assert decode_flags(2**30 + 1) == ['NEGATIVE']
        # all 31 bits
        assert decode_flags(2**31 - 1) == list(RingFlag.__members__)

    @pytest.mark.parametrize('value', ['x', '5', 0.5, np.nan, np.inf, b'1',
                                       {}, [1, 0.5], ['EDGE'], None, True,
                                       np.bool_(False), [True], [1, None]])
    def test_wrong_value(self, value):
        with pytest.raises(ValueError, match='value must be an integer flag'):
            decode_flags(value)

    @pytest.mark.parametrize('value', [-1, 2**40, [1, -1], np.int64(2**31)])
    def test_no_sum_of_flags(self, value):
        with pytest.raises(ValueError, match='value must be a flag from 0 to'):
            decode_flags(value)

    @pytest.mark.parametrize('kind', ['star', None, RingFlag, ['ring']])
    def test_wrong_kind(self, kind):
        match = "kind must be 'ring', 'galaxy', 'structure' or 'clump', got"
        with pytest.raises(ValueError, match=match):
            decode_flags(1, kind)
        with pytest.raises(ValueError, match=match):
            describe_flags(kind)

    def test_structure(self):
        assert decode_structure_flags(5) == ['UNCALIBRATED', 'NOT_ASYMPTOTIC']
        assert decode_structure_flags([0, 2]) == [[], ['TOO_FEW_RINGS']]
        assert decode_flags(2, 'structure') == ['TOO_FEW_RINGS']
