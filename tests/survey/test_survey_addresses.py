# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Surveys whose catalogue, images, tiles and results lie at addresses.
"""

import http.server
import io
import json
import logging
import pickle
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from astro_pix2prof import (
    collect_survey,
    load_example_truth,
    read_survey,
    run_survey,
)
from astro_pix2prof.addresses import as_source, find_path
from astro_pix2prof.image.reading import read_image
from astro_pix2prof.survey.arrow import pack_rows
from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.files import part_files
from astro_pix2prof.survey.images import SurveyImages
from astro_pix2prof.survey.integrity import write_part
from astro_pix2prof.survey.isolation import begin_part, find_marks, mark_path

pq = pytest.importorskip('pyarrow.parquet')
upath = pytest.importorskip('upath')
fsspec = pytest.importorskip('fsspec')

N = 4


def measure(image, **options):
    """
    Measure the mean brightness only: what was read is seen in the results.
    """
    parts = read_image(image)
    profile = load_example_truth()
    pixels = np.ma.array(parts.data, mask=parts.find_mask())
    profile['intensity'] = float(pixels.mean()) * profile['intensity'].unit
    profile.meta['name'] = parts.name
    return profile


@pytest.fixture(name='folder', scope='module')
def make_folder(tmp_path_factory):
    """
    Catalogues, images with masks and errors, and tiles.
    """
    folder = tmp_path_factory.mktemp('addresses')
    (folder / 'images').mkdir()
    (folder / 'planes').mkdir()
    (folder / 'tiles').mkdir()
    random = np.random.default_rng(1)
    for k in range(N):
        pixels = random.normal(10, 1, (20, 20)).astype('f4')
        fits.PrimaryHDU(pixels).writeto(folder / f'images/g{k}.fits')
        fits.PrimaryHDU((pixels > 11).astype('u1')).writeto(
            folder / f'planes/g{k}_mask.fits')
        fits.PrimaryHDU(np.full_like(pixels, k + 1)).writeto(
            folder / f'planes/g{k}_rms.fits')
    for k in range(2):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
        wcs.wcs.crval, wcs.wcs.crpix = (10.0 + k, 0.0), (50, 50)
        wcs.wcs.cdelt = -1e-3, 1e-3
        fits.PrimaryHDU(random.normal(10, 1, (99, 99)).astype('f4'),
                        wcs.to_header()).writeto(folder / f'tiles/t{k}.fits')
    table = Table({'id': np.arange(N), 'name': [f'g{k}' for k in range(N)],
                   'path': [f'images/g{k}.fits' for k in range(N)],
                   'ra': [10.0, 11.0, 10.01, 11.02],
                   'dec': [0.0, 0.01, -0.02, 0.0]})
    for name in ('cat.parquet', 'cat.fits', 'cat.csv', 'cat.ecsv'):
        table.write(folder / name)
    (folder / 'parts').mkdir()
    table[:3].write(folder / 'parts' / 'a.parquet')
    table[3:].write(folder / 'parts' / 'b.parquet')
    return folder


@pytest.fixture(name='table')
def make_table(folder):
    return Table.read(folder / 'cat.fits')


class Web(http.server.ThreadingHTTPServer):
    """
    A server of the files of a folder, with the faults of servers.
    """

    daemon_threads = True

    def __init__(self, folder):
        self.folder, self.seen, self.busy = folder, [], 0
        self.ended, self.sent = threading.Event(), 0
        super().__init__(('127.0.0.1', 0), Answer)
        self.url = f'http://127.0.0.1:{self.server_port}'


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer()

    def answer(self, *, body=True):
        _, kind, *path = self.path.split('?')[0].split('/')
        self.server.seen.append((self.command, self.path))
        if kind == 'old' and not body:
            self.send_error(501)
            return
        if kind == 'away':
            self.send_response(302)
            self.send_header('Location', 'file:///etc/passwd')
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        if kind == 'slow':
            self.server.ended.wait(60)
        if kind == 'busy' and body and self.server.busy > 0:
            self.server.busy -= 1
            self.send_error(503)
            return
        if kind == 'closed':
            self.send_error(403)
            return
        file = self.server.folder.joinpath(*path)
        if not file.is_file():
            if kind == 'soft':
                self.send(b'<html>not here</html>', 'text/html', body)
                return
            self.send_error(404)
            return
        data = file.read_bytes()
        if kind == 'cut':
            self.send_response(200)
            self.send_header('Content-Length', str(len(data)))
            self.end_headers()
            self.wfile.write(data[:3000] if body else b'')
            self.close_connection = True
            return
        wanted = re.fullmatch(r'bytes=(\d+)-(\d+)',
                              self.headers.get('Range', ''))
        if kind == 'old':
            self.send_response(200)
            self.send_header('Connection', 'close')
            self.end_headers()
            self.wfile.write(data)
            return
        if wanted is None:
            self.send(data, 'image/fits', body)
            return
        first, last = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
        self.send_response(206)
        self.send_header('Content-Range', f'bytes {first}-{last}/{len(data)}')
        self.send_header('Content-Length', str(last + 1 - first))
        self.end_headers()
        self.wfile.write(data[first:last + 1] if body else b'')
        self.server.sent += last + 1 - first

    def send(self, data, kind, body):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(data)))
        self.send_header('Accept-Ranges', 'bytes')
        self.end_headers()
        self.wfile.write(data if body else b'')
        self.server.sent += len(data) if body else 0

    def log_message(self, *args):
        pass


@pytest.fixture(name='web')
def start_web(folder):
    """
    A web server on the loopback interface.
    """
    pytest.importorskip('aiohttp')
    with Web(folder) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()


@pytest.fixture(name='store', scope='module')
def start_store():
    """
    A server of S3 on the loopback interface, and its environment.
    """
    pytest.importorskip('s3fs')
    moto = pytest.importorskip('moto.server')
    logging.getLogger('werkzeug').setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address='127.0.0.1', port=0,
                                     verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (('AWS_ENDPOINT_URL', f'http://{host}:{port}'),
                            ('AWS_ACCESS_KEY_ID', 'somebody'),
                            ('AWS_SECRET_ACCESS_KEY', 'secret'),
                            ('AWS_DEFAULT_REGION', 'us-east-1'),
                            ('AWS_EC2_METADATA_DISABLED', 'true')):
            patch.setenv(name, value)
        forget()
        yield server
        forget()
    server.stop()


def forget():
    """
    Forget connections that were made with other credentials.
    """
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(name='bucket', scope='module')
def make_bucket(store, folder):
    """
    A bucket with the files of the folder.
    """
    import s3fs

    files = s3fs.S3FileSystem(use_listings_cache=False)
    name = 'bucket'
    files.mkdir(name)
    for path in folder.rglob('*'):
        if path.is_file():
            files.pipe_file(f'{name}/{path.relative_to(folder).as_posix()}',
                            path.read_bytes())
    return f's3://{name}'


@pytest.fixture(name='anonymous')
def remove_credentials(bucket, monkeypatch):
    for name in ('ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'):
        monkeypatch.delenv(f'AWS_{name}')
    forget()
    yield
    monkeypatch.undo()
    forget()


@pytest.fixture(name='memory')
def fill_memory(folder):
    """
    A folder in the memory of this process.
    """
    files = fsspec.filesystem('memory')
    files.store.clear()
    for path in folder.rglob('*'):
        if path.is_file():
            files.pipe_file(f'/box/{path.relative_to(folder).as_posix()}',
                            path.read_bytes())
    yield 'memory://box'
    files.store.clear()
    files.pseudo_dirs[:] = ['']


def contents(folder):
    """
    Read all files but those with times and places in them.
    """
    folder = find_path(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()
            if path.name not in ('_times.json', '_survey.json')
            and not path.name.startswith('.')}


def results(folder):
    """
    Read the same as `contents`, but of parts the rows and their schema.

    Their metadata tell where the catalogue lies, and the dates of local
    images.
    """
    folder = find_path(folder)
    return {name: pack_rows(pq.read_table(as_source(folder / name),
                                          partitioning=None))
            if name.endswith('.parquet') else found
            for name, found in contents(folder).items()}


def without_source(path):
    """
    Read a part without the names of images, which tell where they lie.
    """
    table = pq.read_table(as_source(path), partitioning=None)
    return pack_rows(table.drop_columns(['source']))


def run(catalogue, out, **options):
    return run_survey(catalogue, out, fitter=measure, n_workers=1,
                      chunk_size=3, **options)


KINDS = {
    'column': {},
    'template': {'images': '{base}/images/{{name}}.fits',
                 'masks': '{base}/planes/{{name}}_mask.fits[0]'},
    'position': {'images': '{base}/images/{{name}}.fits', 'size': 9,
                 'x': 'id', 'y': 'id'},
    'tiles': {'images': '{base}/tiles/*.fits', 'size': 9},
}


def options_of(kind, base):
    return {name: value.format(base=base) if isinstance(value, str)
            else value for name, value in KINDS[kind].items()}


class TestStores:
    @pytest.mark.parametrize('kind', KINDS)
    @pytest.mark.parametrize('place', ['file', 'memory', 'bucket'])
    def test_same_as_local(self, folder, tmp_path, request, place, kind):
        """
        Everything at addresses gives the bytes of everything on disk.
        """
        base = (f'file://{folder}' if place == 'file'
                else request.getfixturevalue(place))
        out = f'{base}/same-{kind}' if place != 'file' else (
            f'file://{tmp_path}/results')
        plain = run(folder / 'cat.parquet', tmp_path / 'plain',
                    **options_of(kind, str(folder)))
        found = run(f'{base}/cat.parquet', out, allow_remote=place != 'file',
                    **options_of(kind, base))
        assert (found.n_done, found.n_failed) == (N, 0)
        assert plain.n_failed == 0
        here, there = contents(tmp_path / 'plain'), contents(out)
        assert sorted(there) == ['_failures.ecsv', 'part-000000.parquet',
                                 'part-000001.parquet']
        if place == 'file' and kind in ('column', 'tiles'):
            # (a part knows the template that was given)
            assert there == here
        if place == 'file' or kind == 'column':
            assert results(out) == results(tmp_path / 'plain')
        survey = read_survey(out)
        assert survey.complete
        assert survey.times['n_done'] == N
        assert len(survey.failures) == 0
        for mine, other in zip(part_files(out), part_files(plain.out),
                               strict=True):
            # (the name of the image is where it lies)
            assert without_source(mine) == without_source(other)
        # nothing is done twice
        again = run(f'{base}/cat.parquet', out, allow_remote=place != 'file',
                    **options_of(kind, base))
        assert (again.n_done, again.n_skipped) == (0, N)

    @pytest.mark.parametrize('place', ['memory', 'bucket'])
    def test_restart(self, folder, tmp_path, request, place, monkeypatch):
        """
        A run that is stopped goes on, and gives what it would have given.
        """
        base = request.getfixturevalue(place)
        out = f'{base}/stopped'

        class Stopped(BaseException):
            pass

        def write(*args):
            write_part(*args)
            raise Stopped

        with monkeypatch.context() as patch:
            patch.setattr('astro_pix2prof.survey.engine.write_part', write)
            with pytest.raises(Stopped):
                run(f'{base}/cat.parquet', out)
        assert [path.name for path in part_files(out)] == [
            'part-000000.parquet']
        assert not read_survey(out).complete
        assert '2 of' not in repr(read_survey(out))
        found = run(f'{base}/cat.parquet', out)
        assert (found.n_done, found.n_skipped) == (1, 3)
        run(folder / 'cat.parquet', tmp_path / 'plain')
        assert results(out) == results(tmp_path / 'plain')
        run(f'{base}/cat.parquet', f'{base}/undisturbed')
        assert contents(out) == contents(f'{base}/undisturbed')
        with pytest.raises(ValueError, match=f'{out} holds another survey: c'
                                             'hunk_size was 3 and is 2'):
            run_survey(f'{base}/cat.parquet', out, fitter=measure,
                       n_workers=1, chunk_size=2)
        found = run_survey(f'{base}/cat.parquet', out, fitter=measure,
                           n_workers=1, chunk_size=2, overwrite=True)
        assert (found.n_done, len(part_files(out))) == (N, 2)
        # other objects in the folder are those of the user
        other = find_path(f'{base}/images')
        with pytest.raises(FileExistsError, match='is not empty and holds n'):
            run(f'{base}/cat.parquet', other)

    @pytest.mark.parametrize('place', ['memory', 'bucket'])
    @pytest.mark.parametrize('how', ['cut', 'flipped', 'other'])
    def test_damaged(self, folder, request, place, how):
        """
        A part with a fault is measured again, as it is on a disk.
        """
        base = request.getfixturevalue(place)
        out = find_path(f'{base}/damaged-{how}')
        run(f'{base}/cat.parquet', out)
        before = contents(out)
        part = out / 'part-000000.parquet'
        data = part.read_bytes()
        at = len(data) // 3
        bad = {'cut': data[:-100], 'other': before['part-000001.parquet'],
               'flipped': data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
               }[how]
        part.write_bytes(bad)
        with pytest.warns(AstropyUserWarning,
                          match='holds other galaxies' if how == 'other'
                          else r'1 part is .*000.parquet is damaged \('):
            found = run(f'{base}/cat.parquet', out)
        assert (found.n_done, found.n_skipped) == (3, 1)
        assert contents(out) == before
        kept = out / f'.{part.name}.other'
        assert kept.is_file() == (how == 'other')
        if how == 'other':
            assert kept.read_bytes() == bad
        # the parts know what was asked for
        (out / '_survey.json').unlink()
        assert read_survey(out).complete
        assert run(f'{base}/cat.parquet', out).n_skipped == N
        assert (out / '_survey.json').is_file()

    def test_connection_lost(self, bucket, monkeypatch):
        """
        A part that cannot be fetched is no part with a fault.
        """
        import s3fs

        async def fail(self, path, *args, **kwargs):
            if path.endswith('.parquet') and 'part-' in path:
                msg = 'the cable'
                raise ConnectionResetError(msg)
            return await before(self, path, *args, **kwargs)

        out = f'{bucket}/lost'
        run(f'{bucket}/cat.parquet', out)
        found = contents(out)
        before = s3fs.S3FileSystem._cat_file
        with monkeypatch.context() as patch:
            patch.setattr(s3fs.S3FileSystem, '_cat_file', fail)
            forget()
            with pytest.raises(ConnectionError, match=r'000\.parquet cannot '
                                                      'be read: Connection'):
                run(f'{bucket}/cat.parquet', out)
        forget()
        assert contents(out) == found

    @pytest.mark.parametrize('place', ['memory', 'bucket'])
    def test_shares(self, request, place, monkeypatch):
        """
        Shares, in folders of parts, join to the parts of a single run.
        """
        base = request.getfixturevalue(place)
        monkeypatch.setattr('astro_pix2prof.survey.files._FLAT', 2)
        options = {'fitter': measure, 'n_workers': 1, 'chunk_size': 1}
        one, out = f'{base}/one', f'{base}/shares'
        run_survey(f'{base}/cat.parquet', one, **options)
        run_survey(f'{base}/cat.parquet', out, part='2/2', **options)
        with pytest.raises(RuntimeError, match=r'2 of 4 parts of .* missing'):
            collect_survey(out)
        run_survey(f'{base}/cat.parquet', out, part='1/2', **options)
        assert collect_survey(out).n_skipped == N
        assert read_survey(out).times['n_done'] == N
        assert len(part_files(out)) == N
        assert part_files(out)[3] == find_path(
            out) / 'parts-00001' / 'part-000003.parquet'
        for mine, other in zip(part_files(out), part_files(one),
                               strict=True):
            assert mine.read_bytes() == other.read_bytes()
        # all of it goes, and nothing else
        run_survey(f'{base}/cat.parquet', out, overwrite=True,
                   **{**options, 'chunk_size': 2})
        assert [path.name for path in part_files(out)] == [
            'part-000000.parquet', 'part-000001.parquet']
        with pytest.raises(FileNotFoundError, match='is not the folder of a'):
            collect_survey(f'{base}/nothing')

    @pytest.mark.parametrize('place', ['memory', 'bucket'])
    def test_marks(self, request, place):
        """
        The part with which a process ended has a mark in the store, too.
        """
        base = request.getfixturevalue(place)
        path = find_path(f'{base}/marks/parts-00000/part-000000.parquet')
        with begin_part(path) as died:
            assert not died
            assert find_marks(find_path(f'{base}/marks')) == [mark_path(path)]
        assert not mark_path(path).exists()
        mark_path(path).write_text('of a process that is gone')
        with begin_part(path) as died:
            assert died
        assert find_marks(find_path(f'{base}/marks')) == []

    def test_whole_or_not(self, bucket, monkeypatch):
        """
        An upload that breaks off leaves no part behind.
        """
        import s3fs

        async def fail(self, path, *args, **kwargs):
            if path.endswith('.parquet'):
                msg = 'the cable'
                raise ConnectionResetError(msg)
            return await before(self, path, *args, **kwargs)

        before = s3fs.S3FileSystem._pipe_file
        with monkeypatch.context() as patch:
            patch.setattr(s3fs.S3FileSystem, '_pipe_file', fail)
            forget()
            with pytest.raises(RuntimeError, match=r'000\.parquet cannot be '
                                                   r'written: ConnectionRes'):
                run(f'{bucket}/cat.parquet', f'{bucket}/broken')
        forget()
        assert [path.name for path in find_path(
            f'{bucket}/broken').iterdir()] == ['_survey.json', '_times.json']

    @pytest.mark.parametrize('place', ['memory', 'bucket', 'web'])
    @pytest.mark.parametrize('name', ['cat.parquet', 'cat.fits', 'cat.csv',
                                      'cat.ecsv', 'parts'])
    def test_catalogues(self, folder, request, place, name):
        base = request.getfixturevalue(place)
        if place == 'web':
            base = f'{base.url}/plain'
            if name == 'parts':
                with pytest.raises(FileNotFoundError,
                                   match=r'catalogue http.*does not exist'):
                    open_catalogue(f'{base}/{name}')
                return
        found = open_catalogue(f'{base}/{name}')
        plain = open_catalogue(folder / name)
        assert found.fingerprint == plain.fingerprint
        assert (found.name, found.n_rows) == (plain.name, plain.n_rows)
        assert str(found.base).rstrip('/') == (
            f'{base}/parts' if name == 'parts' else base)
        for mine, other in zip(found.parts(3), plain.parts(3), strict=True):
            assert mine.equals(other)

    def test_options(self, folder, tmp_path, bucket, anonymous):
        """
        Credentials can be those of a UPath, and are written nowhere.
        """
        base = upath.UPath(bucket, key='somebody', secret='hidden')
        out = base / 'results'
        found = run(base / 'cat.parquet', out)
        assert found.n_failed == 0
        run(base / 'cat.parquet', base / 'tiled', size=9,
            images=[base / 'tiles' / f't{k}.fits' for k in range(2)])
        run(base / 'cat.parquet', base / 'folder', size=9,
            images=base / 'tiles')
        for name in ('tiled', 'folder'):
            assert read_survey(base / name).failures['index'].size == 0
        written = b''.join(path.read_bytes() for name in (
            'results', 'tiled', 'folder') for path in (base / name).iterdir())
        assert b'hidden' not in written
        assert b'somebody' not in written
        # (the same parts from the same rows)
        run(folder / 'cat.parquet', tmp_path / 'plain')
        assert results(found.out) == results(tmp_path / 'plain')

    @pytest.mark.parametrize('readers', [
        0, pytest.param(1, marks=pytest.mark.slow)])
    def test_missing_object(self, bucket, table, readers):
        """
        One galaxy has failed, the others are measured.
        """
        names = [f'{bucket}/{path}' for path in table['path']]
        names[1] = f'{bucket}/images/none.fits'
        table['path'] = names
        found = run_survey(table, f'{bucket}/missing{readers}', n_workers=1,
                           fitter=measure, allow_remote=True, readers=readers)
        assert (found.n_done, found.n_failed) == (N, 1)
        failures = read_survey(found.out).failures
        assert list(failures['index']) == [1]
        assert failures['source'][0] == f'{bucket}/images/none.fits'
        assert 'no such file: s3://' in failures['message'][0]

    def test_pickled(self, bucket, table, tmp_path):
        """
        Another process opens what this one was given.
        """
        catalogue = open_catalogue(f'{bucket}/cat.parquet')
        images = SurveyImages(f'{bucket}/images/{{name}}.fits', catalogue,
                              allow_remote=True, companions={
                                  'masks': f'{bucket}/planes/{{name}}_mask'
                                           '.fits'})
        tiles = SurveyImages(f'{bucket}/tiles', catalogue, size=9)
        rows = next(catalogue.parts(9))
        (tmp_path / 'job').write_bytes(pickle.dumps(
            (images, tiles, rows, find_path(f'{bucket}/new'))))
        done = subprocess.run([sys.executable, '-c', textwrap.dedent('''
            import pickle, sys
            from astro_pix2prof.image.reading import read_image
            from astro_pix2prof.survey.files import write_whole
            with open(sys.argv[1], 'rb') as file:
                *sources, rows, out = pickle.load(file)
            for source in sources:
                for item in source(rows):
                    assert item.error is None, item.error
                    print(read_image(item.image).data.shape)
            write_whole(out / 'a', lambda part: part.write_text('b'))
            '''), str(tmp_path / 'job')], check=True, capture_output=True,
            text=True)
        assert done.stdout.count('(20, 20)') == N
        assert done.stdout.count('\n') == 2 * N
        assert find_path(f'{bucket}/new/a').read_text() == 'b'


class TestProcesses:
    @pytest.mark.slow
    def test_dask(self, bucket, folder, tmp_path, monkeypatch):
        """
        Two processes read from the store and write to it.
        """
        pytest.importorskip('distributed')
        pytest.importorskip('cryptography')
        # (other tests have the cores)
        monkeypatch.setattr('astro_pix2prof.survey.cluster._START', 400)
        options = {'fitter': {'method': 'isophote', 'step': 0.5},
                   'chunk_size': 2, 'calibrated': False}
        found = run_survey(f'{bucket}/cat.parquet', f'{bucket}/dask',
                           n_workers=2, **options)
        assert found.n_done == N
        run_survey(folder / 'cat.parquet', tmp_path / 'plain', n_workers=1,
                   **options)
        assert results(found.out) == results(tmp_path / 'plain')

    @pytest.mark.slow
    def test_killed(self, bucket, folder, tmp_path):
        """
        A process is killed in the middle; the next call goes on.
        """
        out = find_path(f'{bucket}/killed')
        code = textwrap.dedent('''
            import os, sys
            from astro_pix2prof import load_example_truth, run_survey
            profile, n_done = load_example_truth(), 0
            def measure(image, **options):
                global n_done
                n_done += 1
                if n_done > 3:
                    os.kill(os.getpid(), 9)
                return profile
            run_survey(sys.argv[1], sys.argv[2], fitter=measure, n_workers=1,
                       chunk_size=2)
            ''')
        done = subprocess.run([sys.executable, '-c', code,
                               f'{bucket}/cat.parquet', str(out)])
        assert done.returncode == -9
        assert [path.name for path in part_files(out)] == [
            'part-000000.parquet']
        # (the part at which it happened is measured in a child)
        assert find_marks(out) == [mark_path(out / 'part-000001.parquet')]
        settings = json.loads((out / '_survey.json').read_text())
        profile = load_example_truth()

        def measure(image, **options):
            return profile

        measure.__module__ = '__main__'
        measure.__qualname__ = 'measure'
        found = run_survey(f'{bucket}/cat.parquet', out, fitter=measure,
                           n_workers=1, chunk_size=2)
        assert (found.n_done, found.n_skipped) == (2, 2)
        assert find_marks(out) == []
        assert json.loads((out / '_survey.json').read_text()) == settings
        run_survey(folder / 'cat.parquet', tmp_path / 'plain', n_workers=1,
                   fitter=measure, chunk_size=2)
        assert results(out) == results(tmp_path / 'plain')

    @pytest.mark.slow
    @pytest.mark.filterwarnings('ignore:The inplace keyword')
    def test_hats(self, bucket, tmp_path):
        """
        A HATS catalogue in the store becomes another one there.
        """
        lsdb = pytest.importorskip('lsdb')
        pd = pytest.importorskip('pandas')
        import s3fs

        lsdb.from_dataframe(
            pd.DataFrame({'id': np.arange(N), 'ra': 0.1 * np.arange(N),
                          'dec': np.zeros(N)}), catalog_name='some',
            margin_threshold=None,
        ).write_catalog(tmp_path / 'hats', progress_bar=False)
        s3fs.S3FileSystem().put(f'{tmp_path}/hats', f'{bucket}/hats',
                                recursive=True)
        options = {'images': f'{bucket}/images/g{{id}}.fits',
                   'allow_remote': True}
        plain = run(tmp_path / 'hats', tmp_path / 'out', **options)
        found = run(f'{bucket}/hats', f'{bucket}/out', **options)
        assert (found.n_done, found.n_failed) == (N, 0)
        mine = {path.relative_to(found.out).as_posix(): path.read_bytes()
                for path in found.out.rglob('*') if path.is_file()}
        other = {path.relative_to(plain.out).as_posix(): path.read_bytes()
                 for path in plain.out.rglob('*') if path.is_file()}
        for name in ('_times.json', '_survey.json'):
            mine.pop(name)
            other.pop(name)
        for files in (mine, other):
            for name, found in files.items():
                if name.endswith('properties'):
                    files[name] = re.sub(rb'_date=.*|hats_estsize=.*', b'',
                                         found)
                if name.endswith('.parquet'):
                    # (the metadata tell where the catalogue lies)
                    files[name] = pack_rows(pq.read_table(io.BytesIO(found)))
        assert mine == other
        assert 'dataset/Norder=0/Dir=0/Npix=4.parquet' in mine
        catalogue = lsdb.open_catalog(upath.UPath(f'{bucket}/out'))
        assert sorted(catalogue.compute()['id']) == list(range(N))
        assert len(read_survey(f'{bucket}/out')) == N
        assert run(f'{bucket}/hats', f'{bucket}/out', **options).n_done == 0


class TestNames:
    @pytest.mark.parametrize('name', [
        '../secret', 'a/../../secret', '%2e%2e/secret', '%252e%252e/secret',
        '..\\secret', 'x?a=/../y', 'x::file:///etc/passwd',
        'a\nb', 'x?', 'x#', 'x&y=1'])
    def test_template_of_the_web(self, name):
        """
        Values of a catalogue lead out of no folder and add no query.
        """
        for start in ('http://127.0.0.1:1/images/', 'https://h/cut?id='):
            item, = load(f'{start}{{id}}.fits', Table({'id': [name]}))
            with pytest.raises(ValueError, match='leads out of http'):
                raise item.error

    @pytest.mark.parametrize('name', [
        '../secret', 'a/../../b', '..', '.', 'a\\..', '%2e%2e/x'])
    @pytest.mark.parametrize('scheme', ['s3', 'memory'])
    def test_template_of_a_store(self, scheme, name):
        item, = load(f'{scheme}://box/images/{{id}}/x.fits',
                     Table({'id': [name]}))
        with pytest.raises(ValueError, match=r'leads out of .*://box/images/'):
            raise item.error

    def test_good_names(self, memory):
        """
        Folders, and what looks odd but leads nowhere, stay allowed.
        """
        images = find_path(f'{memory}/images')
        names = ['g0', 'sub/g1', 'a b', '..c', 'x#y', 'x?y&z']
        for name in names[1:]:
            images.fs.pipe_file(f'{images.path}/{name}.fits',
                                (images / 'g0.fits').read_bytes())
        for item in load(f'{memory}/images/{{id}}.fits',
                         Table({'id': names}), held=True):
            assert item.error is None
            assert read_image(item.image).data.shape == (20, 20)

    @pytest.mark.parametrize('template', [
        'https://{name}/x.fits', 's3://{name}/x.fits', 'http://h{name}/x',
        'https://h:{name}/x', 's3://box{name}'])
    def test_host_in_template(self, template):
        """
        No value chooses the host or the bucket.
        """
        with pytest.raises(ValueError, match=r'images=.* must hold the name o'
                                             r'f the host or bucket'):
            load(template, Table({'name': ['a']}))
        with pytest.raises(ValueError, match=r'masks=.* must hold the name of'
                                             r' the host or bucket'):
            load('name', Table({'name': ['a']}),
                 companions={'masks': template})

    @pytest.mark.parametrize('name', [
        '/etc/passwd', '../../other/x.fits', '../..', '%2e%2e/x.fits',
        'a\\b', 'x::file:///etc/passwd', '/x.fits'])
    def test_relative_names(self, memory, name):
        """
        Names in a catalogue at an address stay in its bucket.
        """
        files = find_path(memory).fs
        files.pipe_file('/box/sub/cat.csv',
                        f'path\n{name}\n../images/g0.fits\n'.encode())
        catalogue = open_catalogue(f'{memory}/sub/cat.csv')
        bad, good = sorted(SurveyImages('path', catalogue)(
            next(catalogue.parts(9))), key=lambda item: item.row)
        with pytest.raises(ValueError, match='leads away from memory://box/s'):
            raise bad.error
        assert good.error is None
        assert good.source == '../images/g0.fits'

    def test_files_stay_refused(self, memory, folder):
        """
        'file://' is for the user, not for names in a catalogue.
        """
        path = f'file://{folder}/images/g0.fits'
        item, = load('path', Table({'path': [path]}))
        with pytest.raises(ValueError, match='give the path without file://'):
            raise item.error
        item, = load(f'file://{folder}/images/{{name}}.fits',
                     Table({'name': ['../cat']}))
        with pytest.raises(ValueError, match='leads out of /'):
            raise item.error

    def test_functions(self, memory, table, tmp_path):
        """
        An address that a function takes from the catalogue is none to trust.
        """
        for allow_remote, n_failed in ((False, N), (True, 0)):
            found = run(table, tmp_path / str(allow_remote),
                        images=lambda row: f'{memory}/{row["path"]}',
                        allow_remote=allow_remote)
            assert found.n_failed == n_failed
        assert 'is an address: only files' in read_survey(
            tmp_path / 'False').failures['message'][0]

    def test_companions(self, memory, table):
        table['mask'] = [f'{memory}/planes/g{k}_mask.fits[0]'
                         for k in range(N)]
        for masks in ('mask', f'{memory}/planes/{{name}}_mask.fits',
                      f'{memory}/planes/g0_mask.fits[0]'):
            for item in load(f'{memory}/images/{{name}}.fits', table,
                             held=True, companions={'masks': masks}):
                assert item.error is None
                assert item.options['mask'].shape == (20, 20)
        with pytest.raises(ValueError, match=r'masks: .* is an address: only'):
            SurveyImages('path', open_catalogue(table), companions={
                'masks': f'{memory}/{{name}}.fits'})
        with pytest.raises(FileNotFoundError, match='masks: memory://box/no '
                                                    'does not exist'):
            load('path', table, companions={'masks': f'{memory}/no'})


def load(images, table, *, held=False, **options):
    catalogue = open_catalogue(table)
    found = SurveyImages(images, catalogue, allow_remote=True, **options)(
        next(catalogue.parts(100)))
    # (an image is let go with the next one)
    return found if held else list(found)


class TestBefore:
    """
    One clear error before anything is measured or written.
    """

    @pytest.mark.parametrize(('out', 'error', 'match'), [
        ('https://host/out', ValueError, 'out=.* cannot be written to: give '),
        ('sftp://host/out', ImportError, 'out=.* needs a package that is'),
        ('nfs://host/out', ValueError, 'out=.* of a kind that is not known'),
        ('gs://bucket/out', ImportError, 'out=.* not installed: .*gcsfs'),
        ('s3://me:hidden@bucket/out', ValueError, 'out: .* holds a password'),
        ('zip://a::s3://bucket/out', ValueError, 'out=.* several addresses'),
        ('file://host/out', ValueError, 'out=.* names another machine'),
        (Path('s3://bucket/out'), ValueError, 'out=.* has lost a slash'),
        ('memory://box/out', ValueError, 'out=.* give n_workers=1'),
    ])
    def test_results(self, table, out, error, match, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        if error is ImportError:
            package = 'gcsfs' if 'gs' in str(out) else 'paramiko'
            monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(error, match=match) as caught:
            run_survey(table, out, images='path', fitter=measure)
        assert 'hidden' not in str(caught.value)
        # nothing was made, such as a folder with the name s3:
        assert list(tmp_path.iterdir()) == []

    def test_credentials(self, bucket, table, anonymous):
        for catalogue, out, match in (
                (table, f'{bucket}/x', 'out: s3://bucket/x cannot be reached:'
                                       ' NoCredentialsError.*environment and'),
                (f'{bucket}/cat.csv', '/tmp/x', 'catalogue s3://bucket/cat.cs'
                                                'v cannot be read: NoCred')):
            with pytest.raises(ConnectionError, match=match):
                run_survey(catalogue, out, images='path', fitter=measure)

    def test_no_bucket(self, store, table):
        with pytest.raises(FileNotFoundError, match='there is no such bucket'):
            run_survey(table, 's3://other/x', images='path', fitter=measure)

    def test_extras(self, table, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, 'upath', None)
        for options in ({'out': 's3://bucket/x'},
                        {'catalogue': 's3://bucket/cat.csv'},
                        {'images': ['s3://bucket/tile.fits']}):
            name, = options
            with pytest.raises(ImportError, match=rf'the address {name}.* need'
                                                  r's universal_pathlib.*\[su'
                                                  r'rvey\]'):
                run_survey(**{'catalogue': table, 'out': tmp_path / 'out',
                              'size': 9, **options})
        assert not (tmp_path / 'out').exists()

    def test_columns(self, table, tmp_path, monkeypatch):
        """
        A column of addresses is no row of failures for each galaxy.
        """
        table['path'] = [f'https://host/g{k}.fits' for k in range(N)]
        with pytest.raises(ValueError, match=r"images='path': none of the fi"
                                             r"rst 4 image.*--allow-remote"):
            run_survey(table, tmp_path / 'out', fitter=measure)
        table['path'] = [f'gs://host/g{k}.fits' for k in range(N)]
        monkeypatch.setitem(sys.modules, 'gcsfs', None)
        with pytest.raises(ImportError, match=r'images=.*gs://host/g0.*gcsfs'):
            run_survey(table, tmp_path / 'out', fitter=measure,
                       allow_remote=True)
        assert not (tmp_path / 'out').exists()

    def test_tiles(self, web, memory, table, tmp_path):
        options = {'size': 9, 'fitter': measure, 'n_workers': 1}
        for images, error, match in (
                (f'{web.url}/plain/tiles/*.fits', ValueError,
                 'a web server does not list its files'),
                ([f'{web.url}/plain/no.fits'], FileNotFoundError,
                 'images: .* does not exist'),
                ([f'{web.url}/closed/tiles/t0.fits'], PermissionError,
                 'images: .* the server answers 403'),
                (f'{memory}/none/*.fits', ValueError, 'is neither a column')):
            with pytest.raises(error, match=match):
                run_survey(table, tmp_path / 'out', images=images, **options)


class TestWeb:
    @pytest.mark.parametrize('server', ['plain', 'old', 'soft'])
    @pytest.mark.parametrize('kind', ['column', 'template', 'position',
                                      'tiles'])
    def test_same_as_local(self, folder, tmp_path, web, kind, server):
        """
        Also of servers without parts of files, and with pages for errors.
        """
        base = f'{web.url}/{server}'
        local, options = (options_of(kind, place) for place in (
            str(folder), base))
        if kind == 'tiles':
            local['images'], options['images'] = (
                [f'{place}/tiles/t{k}.fits' for k in range(2)]
                for place in (str(folder), base))
        plain = run(folder / 'cat.parquet', tmp_path / 'plain', **local)
        found = run(f'{base}/cat.parquet', tmp_path / 'out',
                    allow_remote=kind in ('template', 'position'), **options)
        assert (found.n_failed, plain.n_failed) == (0, 0)
        for mine, other in zip(part_files(found.out), part_files(plain.out),
                               strict=True):
            assert without_source(mine) == without_source(other)

    def test_failures(self, web, table, tmp_path, monkeypatch):
        """
        Each fault of a server is one galaxy that has failed, with a reason.
        """
        monkeypatch.setattr('astro_pix2prof.addresses._TIMEOUT', 3)
        monkeypatch.setattr('astro_pix2prof.addresses._WAITS', (0.01, 0.01))
        faults = {'plain/images/none.fits': 'no such file: http',
                  'cut/images/g0.fits': 'cannot be read: .*[Pp]ayload',
                  'slow/images/g0.fits': 'cannot be read: .*[Tt]imeout',
                  'closed/images/g0.fits': 'the server answers 403',
                  'away/images/g0.fits': 'cannot be read: NonHttpUrlRedirect',
                  'plain/cat.csv': 'is not a readable FITS file',
                  'busy/images/g0.fits': None,
                  'plain/images/g0.fits': None}
        web.busy = 2
        table = Table({'url': [f'{web.url}/{name}' for name in faults]})
        found = run(table, tmp_path / 'out', images='url', allow_remote=True)
        failures = read_survey(found.out).failures
        assert list(failures['index']) == list(range(6))
        for message, match in zip(failures['message'], faults.values(),
                                  strict=False):
            assert re.search(match, message)
        assert web.busy == 0
        # an image that stays away is one that failed
        web.busy = 100
        found = run(table[-2:], tmp_path / 'busy', images='url',
                    allow_remote=True)
        failures = read_survey(found.out).failures
        assert 'the server answers 503' in failures['message'][0]
        assert web.busy == 97

    def test_parts_of_files(self, web, tmp_path, monkeypatch):
        """
        Of a long tile, only what is needed is fetched.
        """
        monkeypatch.setattr('astro_pix2prof.addresses._WHOLE', 1 << 16)
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
        wcs.wcs.cdelt = -1e-3, 1e-3
        pixels = np.arange(4000 * 4000, dtype='>i4').reshape(4000, 4000)
        web.folder = tmp_path
        fits.PrimaryHDU(pixels, wcs.to_header()).writeto(
            tmp_path / 'tile.fits')
        catalogue = open_catalogue(Table({'ra': [358.0], 'dec': [2.0]}))
        images = SurveyImages([f'{web.url}/plain/tile.fits'], catalogue,
                              size=9)
        for item in images(next(catalogue.parts(1))):
            assert item.error is None
            cut, (x, y) = item.image[0].data, item.origin
        ny, nx = cut.shape
        assert x > 1900 < y
        np.testing.assert_array_equal(cut, pixels[y:y + ny, x:x + nx])
        assert len(web.seen) < 12
        # the file has 64 MB
        assert web.sent < 25e6

    def test_limit(self, web, monkeypatch):
        monkeypatch.setattr('astro_pix2prof.addresses._LARGEST', 1000)
        with pytest.raises(ConnectionError, match='it holds more than'):
            read_image(f'{web.url}/old/images/g0.fits')
