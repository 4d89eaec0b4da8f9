# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the processes module of inference.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from astro_pix2prof.inference.processes import map_parts, pack, unpack

LARGE = 2**18 + 3

SCRIPT = '''
import sys, time
import numpy as np
from astro_pix2prof.inference.processes import map_parts

def job(part):
    return np.full(2**20, float(part[0]))

if __name__ == '__main__':
    held = []
    for found in map_parts(job, iter([[k] for k in range(100)]), 1):
        held.append(found)
        if len(held) == 3:
            print('ready', flush=True)
            time.sleep(100)
'''


def double(part):
    """
    A part of numbers, and a large array with each.
    """
    return [(k, {'array': np.full(LARGE, 2.0 * k), 'small': np.arange(k)})
            for k in part]


def is_shared(packed):
    return isinstance(packed[2], torch.Tensor) and packed[2].is_shared()


@pytest.mark.parametrize('kind', ['f4', '>f4', 'f8', 'i2', '?'])
def test_arrays_are_shared(kind):
    """
    Arrays come back as they were, and can be written to.
    """
    array = np.arange(2 * LARGE).reshape(2, -1) % 100
    array = array.astype(kind)
    found = {'a': array, 'b': array[:, ::2], 'c': array.T, 'd': 'text',
             'e': np.zeros(0), 'f': (np.float64(3.5), None)}
    packed = pack([found] * 4)
    assert is_shared(packed)
    # (nothing but the record is pickled)
    assert len(packed[0]) < 2 * found['b'].nbytes + 4000
    again = unpack(packed)[3]
    for name in 'abce':
        # (numpy pickles what is not contiguous in the order of the machine)
        assert again[name].dtype == found[name].dtype or name == 'b'
        np.testing.assert_array_equal(again[name], found[name])
    assert (again['d'], again['f']) == (found['d'], found['f'])
    again['a'][0, 0] = 1
    assert again['a'].flags.writeable
    assert again['a'].ctypes.data % 64 == 0


def test_few_bytes_are_not_shared():
    packed = pack({'a': np.arange(9)})
    assert not is_shared(packed)
    found = unpack(packed)['a']
    np.testing.assert_array_equal(found, np.arange(9))
    found += 1


def test_no_space(monkeypatch):
    """
    Without shared memory the bytes go through the pipe.
    """
    def fail(tensor):
        msg = 'unable to allocate shared memory(shm)'
        raise RuntimeError(msg)

    monkeypatch.setattr(torch.Tensor, 'share_memory_', fail)
    packed = pack(np.arange(10.0 * LARGE))
    assert not is_shared(packed)
    np.testing.assert_array_equal(unpack(packed), np.arange(10.0 * LARGE))


def test_map_parts():
    parts = [[k, k + 1] for k in range(0, 20, 2)]
    found = list(map_parts(double, iter(parts), 2))
    for part, result in zip(parts, found, strict=True):
        assert [k for k, _ in result] == part
        for k, arrays in result:
            assert (arrays['array'] == 2 * k).all()
            assert len(arrays['small']) == k


@pytest.mark.skipif(not Path('/dev/shm').is_dir(),
                    reason='the system shows no files of shared memory')
def test_no_file_is_left(tmp_path):
    """
    Memory is given back even if the process that holds it is killed.
    """
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT)
    before = set(os.listdir('/dev/shm'))
    process = subprocess.Popen([sys.executable, str(script)],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == 'ready\n'
        # (none has a name even now)
        assert not any(name.startswith('torch_')
                       and str(process.pid) in name.split('_')
                       for name in os.listdir('/dev/shm'))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    end = time.monotonic() + 20

    def left():
        return [name for name in set(os.listdir('/dev/shm')) - before
                if name.startswith('torch_')]

    while left() and time.monotonic() < end:
        time.sleep(0.2)
    assert not left()
