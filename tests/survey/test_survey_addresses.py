# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Surveys whose catalogue, images, tiles and results lie at addresses.
"""

import http.server
import logging
import pickle
import re
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from astro_pix2prof import load_example_truth, read_survey, run_survey
from astro_pix2prof.addresses import as_source, find_path
from astro_pix2prof.image.reading import read_image
from astro_pix2prof.survey.arrow import pack_rows
from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.files import part_files, write_parquet
from astro_pix2prof.survey.images import SurveyImages

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
    (folder / 'tiles').mkdir()
    random = np.random.default_rng(1)
    for k in range(N):
        pixels = random.normal(10, 1, (20, 20)).astype('f4')
        fits.PrimaryHDU(pixels).writeto(folder / f'images/g{k}.fits')
        fits.PrimaryHDU((pixels > 11).astype('u1')).writeto(
            folder / f'images/g{k}_mask.fits')
        fits.PrimaryHDU(np.full_like(pixels, k + 1)).writeto(
            folder / f'images/g{k}_rms.fits')
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
            time.sleep(2)
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

    def send(self, data, kind, body):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(data)))
        self.send_header('Accept-Ranges', 'bytes')
        self.end_headers()
        self.wfile.write(data if body else b'')

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
                 'masks': '{base}/images/{{name}}_mask.fits[0]'},
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
        if kind == 'column' or place == 'file':
            assert there == here
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

        def write(table, path):
            write_parquet(table, path)
            raise Stopped

        with monkeypatch.context() as patch:
            patch.setattr('astro_pix2prof.survey.engine.write_parquet', write)
            with pytest.raises(Stopped):
                run(f'{base}/cat.parquet', out)
        assert [path.name for path in part_files(out)] == [
            'part-000000.parquet']
        assert not read_survey(out).complete
        assert '2 of' not in repr(read_survey(out))
        found = run(f'{base}/cat.parquet', out)
        assert (found.n_done, found.n_skipped) == (1, 3)
        run(folder / 'cat.parquet', tmp_path / 'plain')
        assert contents(out) == contents(tmp_path / 'plain')
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

    def test_whole_or_not(self, bucket, monkeypatch):
        """
        An upload that breaks off leaves no part behind.
        """
        import s3fs

        async def fail(self, path, *args, **kwargs):
            if '_survey.json' not in path:
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
            f'{bucket}/broken').iterdir()] == ['_survey.json']

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

    def test_options(self, folder, tmp_path, bucket, store, monkeypatch):
        """
        Credentials can be those of a UPath, and are written nowhere.
        """
        for name in ('ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'):
            monkeypatch.delenv(f'AWS_{name}')
        forget()
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
        assert contents(found.out) == contents(tmp_path / 'plain')

    @pytest.mark.parametrize('readers', [0, 1])
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
                                  'masks': f'{bucket}/images/{{name}}_mask'
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
        monkeypatch.setattr('astro_pix2prof.addresses._TIMEOUT', 0.5)
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
        item, = SurveyImages([f'{web.url}/plain/tile.fits'], open_catalogue(
            Table({'ra': [359.99], 'dec': [0.01]})), size=9)(
                next(open_catalogue(Table({'ra': [359.99], 'dec': [0.01]})
                                    ).parts(1)))
        assert item.error is None
        assert len(web.seen) < 12

    def test_limit(self, web, monkeypatch):
        monkeypatch.setattr('astro_pix2prof.addresses._LARGEST', 1000)
        with pytest.raises(ConnectionError, match='it holds more than'):
            read_image(f'{web.url}/old/images/g0.fits')
