# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Surveys on a disk that is full.
"""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from astro_pix2prof import collect_survey, load_example_truth, run_survey
from astro_pix2prof.survey import failures, isolation
from astro_pix2prof.survey.stop import (
    StopSurveyError,
    is_disk_full,
    resumable,
    stop_if_full,
)

pq = pytest.importorskip('pyarrow.parquet')

N = 6


def full(path=None):
    return OSError(errno.ENOSPC, 'No space left on device', path)


def measure(image, **options):
    profile = load_example_truth()
    profile['intensity'] *= float(image[0, 0])
    return profile


def image_of(row):
    return np.full((8, 8), 1.0 + row['id'])


def run(out, **options):
    return run_survey(Table({'id': np.arange(N)}), out, images=image_of,
                      **{'fitter': measure, 'n_workers': 1, 'chunk_size': 2,
                         **options})


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob('*')
            if path.is_file() and path.name != '_times.json'}


@pytest.fixture(name='whole')
def run_undisturbed(tmp_path):
    run(tmp_path / 'whole')
    return contents(tmp_path / 'whole')


def test_part(whole, tmp_path, monkeypatch):
    """
    A part that finds no space ends the survey, and damages nothing.
    """
    write = pq.ParquetWriter.write_table
    seen = []

    def half(writer, table, *args, **options):
        seen.append(int(table['index'][0].as_py()))
        if seen[-1] == 2:
            # (some of it is written)
            write(writer, table.slice(0, 1), *args, **options)
            raise full()
        write(writer, table, *args, **options)

    out = tmp_path / 'out'
    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, 'write_table', half)
        with pytest.raises(RuntimeError, match=(
                rf'no space is left on the disk of {out}: make room there, '
                r'or move it to another disk\. What is done is kept: call '
                'again')):
            run(out)
    # (not once more for each of the other parts)
    assert seen == [0, 2]
    assert sorted(path.name for path in out.iterdir()) == [
        '_survey.json', '_times.json', 'part-000000.parquet']
    result = run(out)
    assert (result.n_skipped, result.n_failed) == (2, 0)
    assert contents(out) == whole


def test_every_write(whole, tmp_path, monkeypatch):
    """
    Whichever file finds no space: one clear error, and a restart goes on.
    """
    names = []
    left, message = 0, ''

    def limited(file):
        nonlocal left
        names.append(os.path.basename(os.readlink(f'/proc/self/fd/{file}')))
        if left == 0:
            raise full()
        left -= 1

    if not Path('/proc/self/fd').exists():
        pytest.skip('needs the names of open files')
    # (what is written need not outlive this machine)
    monkeypatch.setattr(os, 'fsync', lambda file: None)
    for k in range(100):
        left, names[:] = k, []
        out = tmp_path / f'out{k}'
        with monkeypatch.context() as patch:
            patch.setattr(os, 'fsync', limited)
            try:
                run(out)
            except StopSurveyError as error:
                message = str(error)
            else:
                break
        assert f'disk of {out}: make room' in message
        assert message.count('call again to go on') == 1
        # no file is there in part, and nothing else is left
        assert {name: data for name, data in contents(out).items()
                if data != whole[name]} == {}
        if (out / '_times.json').exists():
            json.loads((out / '_times.json').read_text())
        assert run(out).n_failed == 0
        assert contents(out) == whole
    # the files of parts, settings, times and failures, and their folder
    assert k == len(names) == 2 * (1 + 2 + 3 + 1)
    assert sum('part-' in name for name in names) == 3


@pytest.mark.parametrize('what', ['mark', 'lock', 'folder'])
def test_small_files(whole, tmp_path, monkeypatch, what):
    """
    Marks and locks without a content are not left behind.
    """
    out = tmp_path / 'out'

    def write_text(path, *args, **options):
        path.touch()
        raise full(str(path))

    def make_folder(*args, **options):
        raise full(str(out))

    def dump(*args):
        raise full()

    with monkeypatch.context() as patch:
        if what == 'mark':
            patch.setattr(isolation, '_write_mark', write_text)
        elif what == 'lock':
            patch.setattr(json, 'dump', dump)
        else:
            patch.setattr(Path, 'mkdir', make_folder)
        with pytest.raises(StopSurveyError, match='no space is left on the'):
            run(out)
    assert set(contents(out) if out.exists() else ()) <= {'_survey.json'}
    assert run(out).n_done == N
    assert contents(out) == whole


def test_images(whole, tmp_path, monkeypatch):
    """
    No galaxy has failed because a temporary file found no space.
    """
    def broken(row):
        if row['id'] == 3:
            try:
                raise full()
            except OSError as error:
                msg = 'the image cannot be unpacked'
                raise ValueError(msg) from error
        return image_of(row)

    # (the survey is the same one)
    broken.__module__, broken.__qualname__ = __name__, 'image_of'
    out = tmp_path / 'out'
    with pytest.raises(StopSurveyError, match=r'no space is left on a disk: '
                                              'the image cannot be unpacked'):
        run_survey(Table({'id': np.arange(N)}), out, images=broken,
                   fitter=measure, n_workers=1, chunk_size=2)
    assert len(list(out.glob('part-*'))) == 1
    run(out)
    assert contents(out) == whole

    class Fitter:
        def __call__(self, image, **options):
            return measure(image)

        def fit_many(self, images, **options):
            list(images)
            raise full()

    with pytest.raises(StopSurveyError, match=r'on a disk: .* on device\. '
                                              'What is done is kept'):
        run(tmp_path / 'two', fitter=Fitter())
    assert not list((tmp_path / 'two').glob('part-*'))


def test_collect(whole, tmp_path, monkeypatch):
    """
    To join shares needs space, too.
    """
    out = tmp_path / 'out'
    for number in (1, 2):
        run(out, part=(number, 2))
    (out / '_failures.ecsv').unlink()

    def no_space(*args):
        raise full()

    with monkeypatch.context() as patch:
        patch.setattr(failures, 'write_whole', no_space)
        with pytest.raises(RuntimeError, match=f'on the disk of {out}'):
            collect_survey(out)
    collect_survey(out)
    assert contents(out) == whole


def test_store():
    """
    What goes to a store is written to the disk of this machine first.
    """
    upath = pytest.importorskip('upath')
    with pytest.raises(StopSurveyError, match=r'on the disk of /\S*: make'):
        with stop_if_full(upath.UPath('memory://x/out')):
            raise full()


def test_other_errors():
    """
    Other errors are what they were.
    """
    for error in (OSError('No space left on device'), PermissionError(13, ''),
                  ValueError('x')):
        assert not is_disk_full(error)
        with pytest.raises(type(error)) as caught, resumable(Path('out')):
            raise error
        assert caught.value is error
    assert is_disk_full(OSError(errno.EDQUOT, 'quota'))
