# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Attacks on surveys: processes, names in catalogues, files, and long texts.
"""

import http.server
import io
import os
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

from astro_pix2prof import ProfileBatch, load_example, load_example_truth
from astro_pix2prof.extras import missing_extra
from astro_pix2prof.image.reading import read_image
from astro_pix2prof.profile.texts import text_array, utf8_text
from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.images import SurveyImages
from astro_pix2prof.survey.results import read_survey
from astro_pix2prof.survey.run import run_survey

pa = pytest.importorskip('pyarrow')
pq = pytest.importorskip('pyarrow.parquet')


@pytest.fixture(name='images')
def make_images(tmp_path):
    """
    A folder of images, beside files that nobody may read.
    """
    folder = tmp_path / 'images'
    (folder / 'sub').mkdir(parents=True)
    image = fits.PrimaryHDU(np.ones((9, 9), 'f4'))
    for name in ('images/1.fits', 'images/sub/2.fits', 'secret.fits',
                 'images-of-others.fits'):
        image.writeto(tmp_path / name)
    (folder / 'link.fits').symlink_to(folder / '1.fits')
    (folder / 'out.fits').symlink_to(tmp_path / 'secret.fits')
    (folder / 'away').symlink_to(tmp_path)
    (folder / '%2e%2e').mkdir()
    image.writeto(folder / '%2e%2e' / 'secret.fits')
    if hasattr(os, 'mkfifo'):
        os.mkfifo(folder / 'fifo.fits')
    return folder


def load(images, table, **options):
    catalogue = open_catalogue(table)
    rows, = catalogue.parts(100)
    source = SurveyImages(images, catalogue, **options)
    return sorted(source(rows), key=lambda item: item.row)


class TestNames:
    @pytest.mark.parametrize(('name', 'match'), [
        ('../secret', 'leads out of'),
        ('../images-of-others', 'leads out of'),
        ('sub/../../secret', 'leads out of'),
        ('away/secret', 'leads out of'),
        ('out', 'leads out of'),
        ('/etc/passwd\0x', 'is not the name of a file'),
        ('1.fits\0x', 'is not the name of a file'),
        ('x' * 5000, 'name too long'),
        ('http://127.0.0.1:1/a', 'no such file'),
        ('file:///etc/passwd', 'no such file'),
        ('%2e%2e%2fsecret', 'no such file'),
        ('..%2fsecret', 'no such file'),
        ('fifo', 'is not a regular file'),
        ('none', 'no such file'),
    ])
    @pytest.mark.parametrize('section', [False, True])
    def test_template(self, images, name, match, section):
        """
        Ids do not lead out of the folder, with and without positions.
        """
        table = Table({'id': [name, '1', 'sub/2', 'link', '%2e%2e/secret'],
                       'x': [4] * 5})
        options = {'x': 'x', 'y': 'x', 'size': 5} if section else {}
        bad, *good = load(f'{images}/{{id}}.fits', table, **options)
        with pytest.raises((ValueError, OSError), match=match):
            raise bad.error
        assert [item.error for item in good] == [None] * 4

    @pytest.mark.parametrize('name', [
        'http://127.0.0.1:1/a.fits', 'https://x/a', 'ftp://x/a',
        's3://bucket/key', 'sftp://x/a'])
    def test_addresses(self, images, name):
        table = Table({'url': [name], 'x': [4]})
        for source in ('{url}', 'url'):
            for options in ({}, {'x': 'x', 'y': 'x', 'size': 5}):
                item, = load(source, table, **options)
                with pytest.raises(ValueError, match='is an address: only'):
                    raise item.error
        if not name.startswith(('http', 'ftp', 's3')):
            item, = load('{url}', table, allow_remote=True)
            with pytest.raises(ValueError, match='must begin with http://'):
                raise item.error
        with pytest.raises(ValueError, match='is an address: only files of'):
            load('https://host/{url}.fits', table)

    @pytest.mark.parametrize('allow_remote', [False, True])
    @pytest.mark.parametrize('source', ['{url}', 'url'])
    def test_files(self, images, source, allow_remote):
        """
        'file://' would be a way around the checks, and is told from the rest.
        """
        item, = load(source, Table({'url': ['FILE:///etc/passwd']}),
                     allow_remote=allow_remote)
        with pytest.raises(ValueError, match='give the path without file://'):
            raise item.error

    def test_absolute(self, images, tmp_path, monkeypatch):
        monkeypatch.chdir(images)
        table = Table({'id': [str(tmp_path / 'secret.fits'), '1.fits']})
        bad, good = load('{id}', table)
        assert 'leads out of' in str(bad.error)
        assert good.error is None
        # a column of paths is meant to name them
        found = load('id', table)
        assert [item.error for item in found] == [None, None]

    @pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes here')
    @pytest.mark.parametrize('name', ['fifo.fits', '/dev/zero', 'sub'])
    def test_no_files(self, images, name):
        """
        A pipe would wait, and a device never end: in columns and in lists.
        """
        table = Table({'path': [str(images / name)], 'x': [4.0]})
        for options in ({}, {'x': 'x', 'y': 'x', 'size': 5}):
            item, = load('path', table, **options)
            with pytest.raises(ValueError, match='is not a regular file'):
                raise item.error
        with pytest.raises(ValueError, match=r'images: .* is not a regular'):
            load([images / name], table, ra='x', dec='x', size=5)

    def test_template_errors(self, images):
        table = Table({'id': [1], 'width': [3]})
        item, = load(f'{images}/{{id:0{{width}}d}}.fits', table)
        assert item.source.endswith('/001.fits')
        for template, match in (
                ('x/{id', 'is no template: expected'),
                ('x/{}.fits', "images='' is not a column"),
                ('x/{id:{no}}.fits', "images='no' is not a column"),
                ('x/{id.real}.fits', "images='id.real' is not a column")):
            with pytest.raises(ValueError, match=match):
                load(template, table)
        with pytest.raises(TypeError, match='must be a list of names of fil'):
            load([3], table)
        with pytest.raises(ValueError, match="images='id' must be a column "
                                             'of names of files'):
            load('id', table)
        found = load(f'{images}/{{id}}.fits', Table(
            {'id': np.ma.array([1, 2], mask=[False, True])}))
        assert found[0].error is None
        assert "column 'id' has no value for the templ" in str(found[1].error)
        item, = load('x/{id}', Table({'id': [np.nan]}))
        assert 'has no value' in str(item.error)

    def test_positions_are_numbers(self, images):
        table = Table({'id': [1], 'name': ['a'], 'flag': [True]})
        for name in ('name', 'flag'):
            with pytest.raises(ValueError, match=f"x='{name}' must be a col"):
                load(f'{images}/{{id}}.fits', table, x=name, y='id')
            with pytest.raises(ValueError, match=f"size='{name}' must be a"):
                load(f'{images}/{{id}}.fits', table, size=name)

    def test_allow_remote(self, images, tmp_path):
        """
        Addresses are read where the user says so, and links stay refused.
        """
        data = io.BytesIO()
        fits.PrimaryHDU(np.arange(81.0).reshape(9, 9)).writeto(data)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(data.getvalue())

            def log_message(self, *args):
                pass

        with http.server.HTTPServer(('127.0.0.1', 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            host = f'http://127.0.0.1:{server.server_port}'
            try:
                table = Table({'id': ['a'], 'x': [4], 'url': [f'{host}/a']})
                for source in (f'{host}/{{id}}', 'url', '{url}'):
                    for item in self.held(source, table):
                        # (an address, which the reading process fetches)
                        assert read_image(item.image).data[8, 8] == 80
                    for item in self.held(source, table, x='x', y='x',
                                          size=1):
                        assert item.options['position'] == (4.0, 4.0)
            finally:
                server.shutdown()
                thread.join()
        table = Table({'id': ['../secret']})
        item, = load(f'{images}/{{id}}.fits', table, allow_remote=True)
        assert 'leads out of' in str(item.error)
        catalogue = open_catalogue(table)
        options = {'catalogue': catalogue, 'images': '{id}'}
        assert SurveyImages(**options, allow_remote=True).describe()[
            'allow_remote']
        with pytest.raises(TypeError, match='allow_remote must be True or F'):
            run_survey(table, tmp_path / 'out', images='{id}',
                       allow_remote=1)

    def held(self, images, table, **options):
        catalogue = open_catalogue(table)
        rows, = catalogue.parts(100)
        source = SurveyImages(images, catalogue, allow_remote=True,
                              **options)
        for item in source(rows):
            assert item.error is None
            # (the image is let go with the next one)
            yield item


class TestCatalogues:
    @pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes here')
    @pytest.mark.parametrize('name', ['a.csv', 'a.ecsv', 'a.fits',
                                      'a.parquet'])
    def test_no_files(self, tmp_path, name):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ValueError, match='is not a regular file'):
            open_catalogue(tmp_path / name)
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to('/dev/zero')
        with pytest.raises(ValueError, match='is not a regular file'):
            open_catalogue(tmp_path / name)
        if name == 'a.parquet':
            with pytest.raises(ValueError, match='is not a regular file'):
                open_catalogue(tmp_path)

    def test_odd_names(self):
        for name in ('a\0.csv', '\ud800.csv'):
            with pytest.raises(ValueError, match='is not the name of a file'):
                open_catalogue(name)

    @pytest.mark.parametrize(('name', 'content'), [
        ('a.csv', b'name,id\ncaf\xe9,3\n'),
        ('a.ecsv', b'# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype'
                   b': string}\na\ncaf\xe9\n'),
        ('a.ecsv', b'a b\n1 2\n'), ('a.csv', b'a,a\n1,2\n'),
        ('a.csv', b'a,\n1,2\n'), ('a.csv', b'a\n1,2\n'),
        ('a.parquet', b'PAR1 cut off'), ('a.fits', b'SIMPLE  ='),
        ('a.csv', b'\xff\xfe\x00')])
    def test_broken(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f'{name} cannot be read: '):
            open_catalogue(tmp_path / name)

    def test_bytes(self, tmp_path):
        """
        Text that is not UTF-8 is an error that names file and column.
        """
        table = Table({'name': np.array([b'a', b'caf\xe9'])})
        with pytest.raises(ValueError, match="catalogue: the column 'name'"):
            open_catalogue(table)
        table.write(tmp_path / 'a.fits')
        with pytest.raises(ValueError, match=r"a.fits cannot be read: the "
                                             r"column 'name' holds"):
            list(open_catalogue(tmp_path / 'a.fits').parts(10))
        with pytest.raises(ValueError, match="the column 'name' holds what"):
            open_catalogue(Table({'name': ['\ud800']}))
        with pytest.raises(ValueError, match="the column 'any' holds what"):
            open_catalogue(Table({'any': np.array([1, 'a'], dtype=object)}))

    def test_folder(self, tmp_path):
        for name, column in (('a', 'x'), ('b', 'y')):
            pq.write_table(pa.table({column: [1]}),
                           tmp_path / f'{name}.parquet')
        with pytest.raises(ValueError, match=r"b.parquet lacks the colu"):
            open_catalogue(tmp_path)
        pq.write_table(pa.table({'x': ['text']}), tmp_path / 'b.parquet')
        with pytest.raises(ValueError, match='cannot be read: Failed to par'):
            list(open_catalogue(tmp_path).parts(10))

    @pytest.mark.parametrize('name', ['a.csv', 'a.ecsv'])
    def test_long_text(self, tmp_path, name):
        """
        One long name does not widen 1e5 others: 40 GB as an array.
        """
        n, long = 100_000, 'x' * 100_000
        head = 'id,name\n' if name == 'a.csv' else (
            '# %ECSV 1.0\n# ---\n# delimiter: ","\n# datatype:\n'
            '# - {name: id, datatype: int64}\n'
            '# - {name: name, datatype: string}\nid,name\n')
        with (tmp_path / name).open('w') as file:
            file.write(head)
            file.writelines(f'{k},{long if k == 7 else k}\n'
                            for k in range(n))
        catalogue = open_catalogue(tmp_path / name)
        assert catalogue.n_rows == n
        part = next(catalogue.parts(10))
        assert part['id'].to_pylist() == list(range(10))
        assert part['name'][7].as_py() == long
        assert str(part['name'][8].as_py()) == '8'

    @pytest.mark.parametrize('sign', [';', '\t', '|'])
    def test_other_signs(self, tmp_path, sign):
        path = tmp_path / 'a.csv'
        path.write_text(f'id{sign}ra\n1{sign}2\n')
        with pytest.raises(ValueError, match=r'a\.csv has the columns .*, '
                                             'divided by .*: write it with'):
            open_catalogue(path)

    def test_types_of_csv(self, tmp_path):
        """
        The types, the blanks and the short rows are those of astropy.
        """
        path = tmp_path / 'a.csv'
        path.write_text(
            'id,x,name,flag,day,big,plus,one\n'
            '1237648720693755918, 1.5,a b,true,2024-01-01,'
            '99999999999999999999,+5,nan\n'
            ',2e3,"say ""x, y""",false,,1,6,inf\n\n3,-.5\n',
            encoding='utf-8-sig')
        rows, = open_catalogue(path).parts(9)
        assert [str(kind) for kind in rows.schema.types] == [
            'int64', 'double', 'string', 'string', 'string', 'string',
            'int64', 'double']
        assert rows['id'].to_pylist() == [1237648720693755918, None, 3]
        assert rows['x'].to_pylist() == [1.5, 2000.0, -0.5]
        assert rows['name'].to_pylist() == ['a b', 'say "x, y"', None]
        assert rows['plus'].to_pylist() == [5, 6, None]

    @pytest.mark.parametrize('delimiter', [' ', ','])
    def test_ecsv(self, tmp_path, delimiter):
        """
        The content is the same as through astropy.
        """
        import astropy.units as u
        from astropy.coordinates import SkyCoord
        from astropy.time import Time

        table = QTable({
            'id': np.ma.array([1, 2, 3], mask=[0, 1, 0]),
            'name': ['a b', '', 'say "x"'], 'ra': [1.0, 2, 3] * u.deg,
            'sky': SkyCoord([1, 2, 3], [4, 5, 6], unit='deg'),
            'time': Time([1.0, 2, 3], format='mjd'),
            'pair': [[1, 2], [3, 4], [5, 6]],
            'kind': np.ma.array(['p', 'q', 'r'], mask=[0, 1, 0])})
        path = tmp_path / 'a.ecsv'
        table.write(path, delimiter=delimiter)
        rows, = open_catalogue(path).parts(9)
        expected, = open_catalogue(Table.read(path)).parts(9)
        assert rows.equals(expected)
        assert rows.schema.equals(expected.schema, check_metadata=True)
        assert rows['name'].to_pylist() == ['a b', None, 'say "x"']


class TestResults:
    def batch(self, **columns):
        profile = load_example_truth()
        batch = ProfileBatch.from_profiles([profile, ValueError('no')])
        for name, values in columns.items():
            batch._galaxies[name][:] = values
        return batch

    def test_texts(self):
        assert text_array(['a', None, 'bc']).dtype == 'U2'
        many = text_array(['x' * 10**6, *['y'] * 100_000])
        assert many.dtype == object
        assert many[-1] == 'y'
        assert utf8_text('caf\udce9 é') == 'caf\\udce9 é'

    def test_long_texts(self, tmp_path):
        """
        Results and failures with one long name among many.
        """
        table = self.batch(message='x' * 10**6).to_arrow()
        table = pa.concat_tables([table] + [
            self.batch().to_arrow()[1:]] * 20_000).combine_chunks()
        folder = tmp_path / 'survey'
        folder.mkdir()
        pq.write_table(table, folder / 'part-000000.parquet')
        (folder / '_survey.json').write_text(
            f'{{"n_rows": {table.num_rows}}}')
        from astro_pix2prof.survey.failures import write_failures

        survey = read_survey(folder)
        assert survey.galaxies(['message'])['message'].dtype == object
        assert write_failures(folder).galaxies == table.num_rows - 1
        failures = survey.failures
        assert failures['message'].dtype == object
        assert len(failures['message'][0]) == 10**6
        assert failures['message'][1] == 'ValueError: no'
        assert survey[:5].galaxies['message'][4] == 'ValueError: no'

    def test_failures_of_odd_texts(self, tmp_path):
        """
        Spaces, quotes, line feeds, surrogates: as files have them.
        """
        from astro_pix2prof.survey.failures import write_failures

        table = self.batch(source='a "b", c\udce9 #d', band='\ud800',
                           message='two\nlines').to_arrow()
        pq.write_table(table, tmp_path / 'part-000000.parquet')
        (tmp_path / '_survey.json').write_text('{"n_rows": 2}')
        assert write_failures(tmp_path).galaxies == 1
        row, = read_survey(tmp_path).failures
        assert row['source'] == 'a "b", c\\udce9 #d'
        assert row['message'] == 'two lines'
        row, = Table.read(tmp_path / '_failures.ecsv')
        assert row['source'] == 'a "b", c\\udce9 #d'

    def test_own_files(self, tmp_path):
        """
        Tables of the user beside the parts do not count.
        """
        table = self.batch().to_arrow()
        names = ['part-000000.parquet', 'part-000001.parquet']
        for name in (*names, 'mine.parquet', 'part-mine.parquet',
                     'part-000001 (copy).parquet', 'part-1.parquet'):
            pq.write_table(table, tmp_path / name)
        (tmp_path / '_survey.json').write_text('{"n_rows": 4}')
        survey = read_survey(tmp_path)
        assert [path.name for path in survey.files] == names
        assert survey.complete
        assert survey.times == {}
        assert len(read_survey(tmp_path / 'mine.parquet')) == 2

    def test_broken(self, tmp_path):
        for text in ('{', '[1]'):
            (tmp_path / '_survey.json').write_text(text)
            with pytest.raises(ValueError, match=r'_survey.json is not the'):
                read_survey(tmp_path)
        (tmp_path / '_survey.json').write_text('{"n_rows": 1}')
        (tmp_path / 'part-000000.parquet').write_text('PAR1')
        with pytest.raises(ValueError, match='delete it and run the survey'):
            read_survey(tmp_path)
        pq.write_table(pa.table({'a': [1]}), tmp_path / 'part-000000.parquet')
        with pytest.raises(ValueError, match="has no column 'profile'"):
            read_survey(tmp_path)

    def test_names_of_images(self, tmp_path):
        """
        A file whose name is not UTF-8 is measured like others.
        """
        path = os.fsdecode(os.fsencode(tmp_path) + b'/caf\xe9.fits')
        load_example().write(path)
        result = run_survey(
            Table({'id': [1, 2]}), tmp_path / 'out', n_workers=1,
            images=lambda row: path if row['id'] == 1 else path + 'x')
        assert result.n_failed == 1
        assert list(read_survey(result.out).galaxies()['source']) == [
            f'{tmp_path}/caf\\udce9.fits', f'{tmp_path}/caf\\udce9.fitsx']


# Holds a cluster of one worker, and tells where its scheduler is. (A second
# one would listen as the first does, and take seconds to start.)
HOLD = textwrap.dedent('''
    import sys
    from astro_pix2prof.survey.cluster import connect
    with connect(1, None) as client:
        print(client.scheduler.address, flush=True)
        client.submit(sum, [1]).result()
        sys.stdin.read()
''')


@pytest.fixture(name='held', scope='module')
def hold_cluster():
    """
    The address of the scheduler and the processes of a cluster.
    """
    pytest.importorskip('distributed')
    pytest.importorskip('cryptography')
    psutil = pytest.importorskip('psutil')
    process = subprocess.Popen([sys.executable, '-c', HOLD], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    address = process.stdout.readline().strip()
    parent = psutil.Process(process.pid)
    yield address, [parent, *parent.children(recursive=True)]
    process.communicate(timeout=60)


class TestProcesses:
    def listening(self, held):
        return [connection.laddr for process in held[1]
                for connection in process.net_connections(kind='inet')
                if connection.status == 'LISTEN']

    def test_loopback_only(self, held):
        places = self.listening(held)
        # the scheduler, a nanny and a worker
        assert len(places) >= 3
        assert {place.ip for place in places} <= {'127.0.0.1', '::1'}

    def test_no_http(self, held):
        for place in self.listening(held):
            assert place.port != 8787
            for scheme in ('http', 'https'):
                with pytest.raises(OSError, match=r'.'):
                    urllib.request.urlopen(
                        f'{scheme}://{place.ip}:{place.port}/status',
                        timeout=5)

    def test_strangers(self, held):
        """
        Nobody without the certificate of this cluster is let in.
        """
        import asyncio

        from distributed import Security
        from distributed.comm import connect

        async def reach(where, security):
            arguments = (security.get_connection_args('client')
                         if security else {})
            comm = await connect(where, timeout=5, **arguments)
            # a handshake may succeed before the other side hangs up
            await comm.write({'op': 'identity', 'reply': True})
            await asyncio.wait_for(comm.read(), 5)

        address = held[0]
        assert address.startswith('tls://127.0.0.1:')
        plain = address.replace('tls', 'tcp')
        for where, security, match in (
                (plain, None, 'closed|[Tt]imed out'),
                (address, None, 'ssl_context'),
                (address, Security.temporary(), 'certificate')):
            with pytest.raises((OSError, TypeError), match=match):
                asyncio.run(reach(where, security))
        # neither the workers nor their nannies
        from distributed.core import rpc

        async def call(where):
            async with rpc(where) as worker:
                return await worker.run(function=None)

        for place in self.listening(held):
            with pytest.raises(OSError, match=r'.'):
                asyncio.run(asyncio.wait_for(
                    call(f'tcp://{place.ip}:{place.port}'), 5))

    def test_key_is_secret(self, held):
        """
        Neither in the arguments, which all users see, nor in the variables.
        """
        for process in held[1]:
            assert 'PRIVATE KEY' not in ' '.join(process.cmdline())
            assert 'PRIVATE KEY' not in str(process.environ())

    def test_missing(self, monkeypatch):
        from astro_pix2prof.survey.cluster import connect, import_dask

        error = missing_extra('dask', 'survey')
        assert str(error) == (
            "this needs dask: install the extra, e.g. pip install "
            "'astro_pix2prof[survey]' or, in a checkout, pip install "
            "'.[survey]'")
        monkeypatch.setitem(sys.modules, 'cryptography', None)
        with (pytest.raises(ImportError, match='needs cryptography: install'),
              connect(2, None)):
            pass
        monkeypatch.setitem(sys.modules, 'distributed', None)
        with pytest.raises(ImportError, match='needs dask: install the ext'):
            import_dask()

    def test_number_of_processes(self, monkeypatch):
        """
        It depends on the machine and the fitter, not on what is imported.
        """
        from astro_pix2prof.survey import cluster
        from astro_pix2prof.survey.engine import Engine
        from astro_pix2prof.survey.fitter_spec import FitterSpec
        from astro_pix2prof.survey.job import SurveyJob

        cores = len(os.sched_getaffinity(0)) if hasattr(
            os, 'sched_getaffinity') else os.cpu_count()
        monkeypatch.setattr('astro_pix2prof.inference.processes.count_gpus',
                            lambda: 3)
        assert cluster.default_workers(use_gpus=True) == 3
        assert cluster.default_workers() == cores
        for fitter, n_workers in (
                ({}, 3), ({'device': 'cpu'}, cores), (lambda image: 1, cores),
                ({'method': 'isophote'}, cores)):
            job = SurveyJob(FitterSpec(fitter), None, {}, [])
            assert Engine(job).n_workers == n_workers
        monkeypatch.setattr('astro_pix2prof.inference.processes.count_gpus',
                            lambda: 0)
        assert cluster.default_workers(use_gpus=True) == cores


@pytest.mark.parametrize(('name', 'content'), [
    ('catalogue.fits', b'SIMPLE  =  T'), ('a.png', b'\x89PNG'),
    ('part-000000.parquet', b'SIMPLE  =  T'), ('mine.parquet', b'PAR1 cut')])
def test_foreign_files_are_not_to_be_deleted(tmp_path, name, content):
    """
    Nobody is told to delete what a survey has not written.
    """
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'{name} is no file of a survey'
                       ) as error:
        read_survey(path)
    assert 'delete' not in str(error.value)
    (tmp_path / 'part-000001.parquet').write_bytes(b'PAR1 cut off')
    with pytest.raises(ValueError, match='delete it and run the survey'):
        read_survey(tmp_path / 'part-000001.parquet')
