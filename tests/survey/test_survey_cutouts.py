# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Surveys whose images are cut out by a service on the web.
"""

import errno
import http.server
import io
import os
import pickle
import shutil
import threading
import time
import urllib.parse
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from astro_pix2prof import (
    CutoutService,
    GalaxyCutout,
    load_example_truth,
    read_survey,
    run_survey,
)
from astro_pix2prof.cli.main import main
from astro_pix2prof.survey import download, services
from astro_pix2prof.survey.download import (
    Downloader,
    DownloadError,
    _wait,
    answer_text,
)
from astro_pix2prof.survey.files import part_files
from astro_pix2prof.survey.stop import StopSurveyError

pytest.importorskip('pyarrow')

# The magnitude of the galaxy that the servers show, and its scale in arcsec.
MAG, SCALE = 16.0, 3.0

HTML = (b'<!DOCTYPE html><html><head><title>Down</title><style>p {}</style>'
        b'</head><body><p>We are &lt;moving&gt; today</p></body></html>')

HEAD = 'projcell subcell ra dec filter mjd type filename shortname badflag\n'


def measure(image, **options):
    """
    Measure the total magnitude only, of what was read.
    """
    cutout = GalaxyCutout(image, **options)
    profile = load_example_truth()
    profile['intensity'] = profile['intensity'].unit * (
        cutout.zeropoint - 2.5 * np.log10(cutout.data.sum()))
    for name in ('zeropoint', 'sb_zeropoint', 'pixel_scale', 'band'):
        profile.meta[name] = getattr(cutout, name)
    profile.meta['unit'] = str(cutout.unit)
    profile.meta['source'] = cutout.name
    profile.meta['x_centre'], profile.meta['y_centre'] = cutout.position
    return profile


def draw(query, width, scale, *, native=None, zeropoint=22.5, **cards):
    """
    Draw a galaxy as a service does: not summed up to larger pixels.
    """
    y, x = np.mgrid[:width, :width] - (width - 1) / 2
    flux = 10 ** (-0.4 * (MAG - zeropoint)) / (2 * np.pi * SCALE**2)
    pixels = (native or scale) ** 2 * flux * np.exp(
        -np.hypot(x, y) * scale / SCALE)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
    wcs.wcs.crval = float(query['ra']), float(query['dec'])
    wcs.wcs.crpix = (width + 1) / 2, (width + 1) / 2
    wcs.wcs.cdelt = -scale / 3600, scale / 3600
    hdu = fits.PrimaryHDU(pixels.astype('f4'), wcs.to_header())
    for key, value in cards.items():
        hdu.header[key] = value
    return hdu


def encode(hdu):
    file = io.BytesIO()
    hdu.writeto(file)
    return file.getvalue()


def empty(data):
    hdu = fits.open(io.BytesIO(data))[0]
    hdu.data[...] = 0
    hdu.data[3, 4] = np.nan
    return encode(hdu)


def rename(data, bands):
    hdu = fits.open(io.BytesIO(data))[0]
    hdu.header['BANDS'] = bands
    if bands is None:
        del hdu.header['BANDS']
    else:
        hdu.data = np.array([hdu.data] * len(bands))
    return encode(hdu)


class Service(http.server.ThreadingHTTPServer):
    """
    A server that answers as the services do, with the faults of servers.

    ``faults`` tells what goes wrong at a right ascension (in whole degrees):
    a list of answers, of which the last one is repeated; an answer is None
    for an image, a status, a status with Retry-After, or a function that
    changes the image.
    """

    daemon_threads = True

    def __init__(self):
        self.seen, self.faults, self.count = [], {}, {}
        super().__init__(('127.0.0.1', 0), Answer)
        self.url = f'http://127.0.0.1:{self.server_port}'

    def fault(self, place):
        found = self.faults.get(place, self.faults.get('all', [None]))
        k = self.count[place] = self.count.get(place, -1) + 1
        return found[min(k, len(found) - 1)]


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        path, _, text = self.path.partition('?')
        query = dict(urllib.parse.parse_qsl(text))
        server = self.server
        server.seen.append((path, query, self.headers.get('User-Agent')))
        if path == '/ps1/ps1filenames.py':
            self.send(self.list_stacks(query))
            return
        fault = server.fault(int(float(query['ra'])))
        if isinstance(fault, int | tuple):
            code, wait = fault if isinstance(fault, tuple) else (fault, None)
            self.send(b'<p>no way</p>', code, wait)
            return
        if path == '/legacy':
            hdu = draw(query, int(query['size']), float(query['pixscale']),
                       native=0.262, BANDS=query['bands'],
                       BAND0=query['bands'])
        elif path == '/hips':
            width = int(query['width'])
            hdu = draw(query, width, 3600 * float(query['fov']) / width,
                       native=0.2, zeropoint=30.0)
        else:
            hdu = draw(query, int(query['size']), 0.25,
                       zeropoint=25 + 2.5 * np.log10(1000.0), EXPTIME=1000.0)
            hdu.header['HIERARCH FPA.ZP'] = 25.0
        if fault == 'cut':
            self.send_response(200)
            self.send_header('Content-Length', '100000')
            self.end_headers()
            self.wfile.write(encode(hdu)[:5000])
            self.close_connection = True
            return
        if fault == 'broken':
            self.send_response(200)
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            self.wfile.write(b'2000\r\n' + encode(hdu)[:3000])
            self.close_connection = True
            return
        data = encode(hdu)
        self.send(data if fault is None else fault(data))

    def list_stacks(self, query):
        place = int(float(query['ra']))
        if place == 70:
            return HTML
        if place == 60:
            return HEAD.encode()
        row = f'1 2 {query["ra"]} {query["dec"]} '
        return (HEAD + row + 'g 0 stack /rings/g.fits g 0\n'
                + row + 'r 5 warp /rings/w.fits w 0\n'
                + row + 'r 0 stack /rings/r.fits r 0\n').encode()

    def send(self, data, code=200, wait=None):
        self.send_response(code)
        if wait is not None:
            self.send_header('Retry-After', str(wait))
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture(name='web')
def start_web(monkeypatch):
    monkeypatch.setattr(download, '_WAITS', (0.01, 0.02, 0.03))
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,),
                                  daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(name='service')
def make_service(web, tmp_path):
    def make(name='legacy', layer=None, **options):
        path = {'legacy': 'legacy', 'ps1': 'ps1', 'hips2fits': 'hips'}[name]
        return CutoutService(name, layer, **{
            'cache': tmp_path / 'cache', 'rate': 1000.0,
            'url': f'{web.url}/{path}', **options})
    return make


def table(*ra):
    return Table({'ra': np.array(ra, dtype=float),
                  'dec': np.linspace(-1, 1, len(ra))})


def run(catalogue, out, service, **options):
    return run_survey(catalogue, out, images=service, **{
        'fitter': measure, 'n_workers': 1, 'size': '60arcsec', **options})


def magnitudes(result):
    survey = read_survey(result.out)
    return [float(survey[k]['intensity'][0].value)
            for k in np.flatnonzero(survey.galaxies()['n_rings'])]


def content(out):
    return [path.read_bytes() for path in part_files(out)]


class TestLegacy:
    def test_run(self, web, service, tmp_path):
        """
        A file with positions is enough, and each image is fetched once.
        """
        (tmp_path / 'cat.csv').write_text('ra,dec\n10,2\n359.99999999,-3\n')
        result = run(tmp_path / 'cat.csv', tmp_path / 'out', service(),
                     chunk_size=1)
        assert (result.n_done, result.n_failed) == (2, 0)
        galaxies = read_survey(result.out).galaxies()
        assert set(galaxies['unit']) == {'nmgy'}
        assert set(galaxies['band']) == {'r'}
        assert np.allclose(galaxies['pixel_scale'].value, 0.262)
        assert np.allclose(galaxies['zeropoint'].value, 22.5)
        assert magnitudes(result) == pytest.approx([MAG, MAG], abs=0.01)
        # the middle of the image, by its WCS
        assert np.allclose(galaxies['x_centre'], 114.5, atol=0.01)
        path, query, agent = web.seen[0]
        assert path == '/legacy'
        # (60 arcsec are 229.01 pixels)
        assert query == {'ra': '10.0000000', 'dec': '2.0000000',
                         'layer': 'ls-dr10', 'pixscale': '0.262',
                         'bands': 'r', 'size': '230'}
        assert agent.startswith('astro_pix2prof/')
        assert web.seen[1][1]['ra'] == '0.0000000'
        # the names of the files tell what they are
        source = galaxies['source'][0]
        assert '/legacy_ls-dr10_r_10.0000000+2.0000000_230_' in source
        assert (tmp_path / 'cache' / source).is_file()
        # another survey of the same images
        again = run(tmp_path / 'cat.csv', tmp_path / 'two', service(),
                    structure=True)
        assert (again.n_failed, len(web.seen)) == (0, 2)
        assert run(tmp_path / 'cat.csv', tmp_path / 'out', service(),
                   chunk_size=1).n_skipped == 2

    def test_scale(self, web, service, tmp_path):
        """
        Coarser pixels are not brighter: the values refer to the coadds.
        """
        result = run(table(10), tmp_path / 'out', service(
            layer='ls-dr9-north', band='g', pixel_scale=0.524), size=120)
        assert web.seen[0][1]['pixscale'] == '0.524'
        assert web.seen[0][1]['layer'] == 'ls-dr9-north'
        assert web.seen[0][1]['size'] == '120'
        found = read_survey(result.out).galaxies()[0]
        assert found['band'] == 'g'
        assert found['sb_zeropoint'].value == pytest.approx(22.5)
        assert magnitudes(result) == pytest.approx([MAG], abs=0.01)

    def test_size_column(self, web, service, tmp_path):
        catalogue = table(10, 20, 30)
        catalogue['side'] = [30.0, np.nan, 3000.0] * u.arcsec
        result = run(catalogue, tmp_path / 'out', service(), size='side')
        assert [query['size'] for _, query, _ in web.seen] == ['115']
        failed = read_survey(result.out).failures
        assert "the size in the column 'side'" in failed['message'][0]
        assert 'size is 11451 pixels of 0.262 arcsec' in failed['message'][1]

    def test_no_position(self, web, service, tmp_path):
        result = run(table(10, np.nan), tmp_path / 'out', service())
        assert list(read_survey(result.out).failures['message']) == [
            'ValueError: the catalogue has no position']
        assert len(web.seen) == 1

    def test_masks(self, service, tmp_path):
        """
        Masks go with the images, and those that are missing are a failure.
        """
        mask = np.zeros((230, 230), dtype='u1')
        mask[:, :115] = 1
        fits.PrimaryHDU(mask).writeto(tmp_path / 'mask.fits')
        catalogue = table(10, 20)
        catalogue['mask'] = [str(tmp_path / 'mask.fits'), 'none.fits']
        result = run(catalogue, tmp_path / 'out', service(), masks='mask')
        assert result.n_failed == 1
        assert magnitudes(result)[0] == pytest.approx(
            MAG + 2.5 * np.log10(2), abs=0.03)


class TestFaults:
    # (answers, attempts, message; none if the image is there in the end)
    cases = (
        ([404], 1, 'FileNotFoundError: no such image: http'),
        ([400], 1, 'cannot be fetched: the server answers 400 Bad Request: '
                   'no way'),
        ([500, None], 2, ''),
        ([(429, 0), (503, 0), None], 3, ''),
        ([500], 4, 'the server answers 500 Internal Server Error'),
        ([(429, 0)], 4, 'the server answers 429 Too Many Requests'),
        ([lambda data: HTML], 1, "the answer is no FITS image but 'Down We "
                                 "are <moving> today'"),
        ([lambda data: b''], 1, "the answer is no FITS image but ''"),
        (['cut', None], 2, ''),
        (['cut'], 4, 'the answer is cut short: 5000 of 100000 bytes came'),
        (['broken'], 4, 'cannot be fetched: the answer is cut short'),
        ([lambda data: data[:9000]], 4, 'the answer is no whole FITS image'),
        ([lambda data: data[:2880]], 4, 'the answer is no whole FITS image'),
        ([lambda data: data[:1000]], 4, 'the answer is no whole FITS image'),
        ([lambda data: encode(draw({'ra': 1, 'dec': 1}, 9, 1.0))], 1,
         'the service sends 9 x 9 pixels instead of 230 x 230: give a'),
        ([empty], 1,
         'the service has no data at this position'),
        # (bands that the viewer sends instead of one that it does not have)
        ([lambda data: rename(data, 'grz')], 1,
         "the service sends the bands 'grz' instead of 'r', which"),
        ([lambda data: rename(data, None)], 1, 'the bands None instead of'),
    )

    def test_run(self, web, service, tmp_path):
        """
        Each image that does not come is a row with a reason.
        """
        places = np.arange(10, 10 + len(self.cases) + 1)
        web.faults = {int(place): case[0] for place, case in zip(
            places, self.cases, strict=False)}
        with (pytest.warns(AstropyUserWarning, match='truncated.*in this sur'),
              pytest.warns(AstropyUserWarning, match='multiple of 2880')):
            result = run(table(*places), tmp_path / 'out', service())
        survey = read_survey(result.out)
        messages = list(survey.galaxies()['message'])
        for place, (_, n, text), message in zip(
                places, self.cases, messages, strict=False):
            assert (text in message) if text else (message == ''), text
            assert web.count[place] + 1 == n, text
        assert messages[-1] == ''
        n_failed = sum(bool(case[2]) for case in self.cases)
        assert result.n_failed == n_failed
        assert len(survey.failures) == n_failed
        # nothing of these is kept
        kept = list((tmp_path / 'cache').glob('??/*'))
        assert len(kept) == len(places) - n_failed
        # to ask again costs the others nothing
        web.faults, n_seen = {}, len(web.seen)
        again = run(table(*places), tmp_path / 'out', service(),
                    overwrite=True)
        assert again.n_failed == 0
        assert len(web.seen) == n_seen + n_failed

    def test_retry_after(self, web, service, tmp_path):
        """
        A server is left alone for as long as it says, by all processes.
        """
        web.faults = {10: [(429, 1), None]}
        start = time.monotonic()
        service().fetch('10 0', 20)
        assert time.monotonic() - start > 0.9
        (pause,) = (tmp_path / 'cache').glob('.pause-*')
        pause.write_text(f'{time.time() + 0.5}\n')
        start = time.monotonic()
        service().fetch('11 0', 20)
        assert 0.4 < time.monotonic() - start < 5
        # the next image waits, too, if this one is given up
        web.faults = {14: [(429, 0), (429, 0), (429, 0), (429, 1)]}
        with pytest.raises(DownloadError, match='answers 429'):
            service().fetch('14 0', 20)
        start = time.monotonic()
        service().fetch('15 0', 20)
        assert time.monotonic() - start > 0.5
        # (of a clock that was wrong, or of a file that is)
        for text in (f'{time.time() + 1e6}', 'soon'):
            pause.write_text(text)
            service().fetch('12 0', 20)

    def test_much_later(self, web, service, tmp_path):
        """
        Who is asked to come back much later does, and has lost nothing.
        """
        catalogue = table(10, 20, 30, 40)
        whole = run(catalogue, tmp_path / 'whole', service(), chunk_size=2)
        shutil.rmtree(tmp_path / 'cache')
        web.faults, web.count = {40: [(429, 3600), None]}, {}
        with pytest.raises(RuntimeError, match=r'wait for 60 minutes\. What '
                                               'is done is kept: call again'):
            run(catalogue, tmp_path / 'out', service(), chunk_size=2)
        assert len(part_files(tmp_path / 'out')) == 1
        result = run(catalogue, tmp_path / 'out', service(), chunk_size=2)
        assert (result.n_skipped, result.n_failed) == (2, 0)
        # (the fourth one twice, and no other)
        assert web.count == {10: 0, 20: 0, 30: 0, 40: 1}
        assert content(result.out) == content(whole.out)

    def test_away(self, web, service, tmp_path):
        """
        A service that is away is not held against the galaxies.
        """
        web.faults = {'all': [503]}
        catalogue = table(*range(10, 22))
        with pytest.raises(RuntimeError, match='does not deliver, 5 images '
                                               r'in a row: http.* 503 Serv'):
            run(catalogue, tmp_path / 'out', service())
        assert len(web.seen) == 5 * 4
        assert not part_files(tmp_path / 'out')
        # an image that cannot be had in between shows that it is there
        web.faults = {'all': [503], 13: [404], 17: [None]}
        web.count = {}
        result = run(catalogue[:11], tmp_path / 'out', service(),
                     overwrite=True, chunk_size=1)
        assert result.n_failed == 10
        with pytest.raises(StopSurveyError, match=r'no answer .*refused'):
            run(catalogue, tmp_path / 'two', service(
                url='http://127.0.0.1:9/legacy'))

    @pytest.mark.parametrize(('n', 'text'), [
        (1, 'did not answer for its image: '),
        (4, 'did not answer for any of 4 images: ')])
    def test_away_for_few(self, web, service, tmp_path, n, text):
        """
        Nor is it if the run has too few galaxies to tell by a row of them.
        """
        web.faults = {'all': [503]}
        catalogue, once = table(*range(10, 10 + n)), service(attempts=1)
        with pytest.raises(StopSurveyError, match=text + r'http.* 503 Serv.*'
                                                  'call again to go on'):
            run(catalogue, tmp_path / 'out', once, chunk_size=3)
        assert not part_files(tmp_path / 'out')
        web.faults = {}
        result = run(catalogue, tmp_path / 'out', once, chunk_size=3)
        assert (result.n_measured, result.n_failed) == (n, 0)

    def test_away_for_one_band(self, web, service, tmp_path):
        web.faults = {'all': [503]}
        once = service(attempts=1)
        with pytest.raises(StopSurveyError, match='any of 2 images'):
            run(table(10, 11), tmp_path / 'out', None, bands={
                'g': once.in_band('g'), 'r': once})
        assert not part_files(tmp_path / 'out')

    def test_some_answer(self, web, service, tmp_path):
        """
        An answer to any request shows that the service is there.
        """
        web.faults = {10: [503], 11: [404]}
        result = run(table(10, 11), tmp_path / 'out', service(attempts=1))
        assert result.n_failed == 2
        assert len(part_files(tmp_path / 'out')) == 1

    def test_killed(self, web, service, tmp_path):
        """
        What a run has fetched before it ended is not fetched again.
        """
        def interrupted(image, **options):
            if '_30.0000000' in str(image):
                raise KeyboardInterrupt
            return measure(image, **options)

        interrupted.__module__ = measure.__module__
        interrupted.__qualname__ = measure.__qualname__
        catalogue = table(10, 20, 30, 40)
        with pytest.raises(KeyboardInterrupt):
            run(catalogue, tmp_path / 'out', service(), fitter=interrupted)
        n_seen = len(web.seen)
        assert n_seen > 0
        run(catalogue, tmp_path / 'out', service())
        assert len(web.seen) == 4

    @pytest.mark.slow
    def test_children(self, web, service, tmp_path):
        """
        Processes share the images, and an error comes through.
        """
        web.faults = {30: [(429, 3600), None]}
        options = {'isolate': True, 'fitter': {'method': 'isophote'},
                   'size': 20}
        with pytest.raises(StopSurveyError, match='wait for 60 minutes'):
            run(table(10, 20, 30), tmp_path / 'out', service(), **options)
        n_seen = len(web.seen)
        run(table(10, 20, 30), tmp_path / 'out', service(), **options)
        assert len({query['ra'] for _, query, _ in web.seen}) == 3
        assert len(web.seen) <= n_seen + 3


    @pytest.mark.slow
    def test_processes(self, web, service, tmp_path):
        """
        Two processes fetch each image once, in turns, for the same results.
        """
        pytest.importorskip('distributed')
        web.faults = {12: [404]}
        options = {'fitter': {'method': 'isophote'}, 'size': 60,
                   'chunk_size': 2}
        catalogue = table(*range(10, 18))
        start = time.time()
        result = run(catalogue, tmp_path / 'out', service(rate=2.0),
                     n_workers=2, **options)
        assert time.time() - start > 6 / 2
        assert (result.n_failed, len(web.seen)) == (1, 8)
        run(catalogue, tmp_path / 'one', service(rate=2.0), **options)
        assert content(tmp_path / 'one') == content(result.out)


class TestFolder:
    def test_no_folder(self, web, service, tmp_path):
        (tmp_path / 'file').write_text('')
        with pytest.raises(RuntimeError, match=r'cannot be kept in .*file/x: '
                                               'Not a directory. Make room'):
            run(table(10), tmp_path / 'out',
                service(cache=tmp_path / 'file/x'))
        assert not web.seen
        assert not (tmp_path / 'out').exists()

    def test_full(self, service, tmp_path, monkeypatch):
        """
        A disk that is full is not held against the galaxies.
        """
        def full(path, write):
            raise OSError(errno.ENOSPC, 'No space left on device', str(path))

        monkeypatch.setattr(download, 'write_whole', full)
        with pytest.raises(RuntimeError, match=r'cannot be kept in .*cache: '
                                               'No space left on device'):
            run(table(10, 20), tmp_path / 'out', service())
        assert not part_files(tmp_path / 'out')
        monkeypatch.undo()
        assert run(table(10, 20), tmp_path / 'out', service()).n_failed == 0

    def test_default(self):
        cache = CutoutService('ps1').cache
        assert cache.is_absolute()
        assert cache.parts[-2:] == ('astro_pix2prof', 'cutouts')

    def test_old_slots(self, service, tmp_path):
        """
        What ended processes left is removed, and no images.
        """
        service().fetch('10 0', 20)
        (slot,) = (tmp_path / 'cache').glob('.slot-*')
        service().prepare()
        assert slot.exists()
        os.utime(slot, (1, 1))
        service().prepare()
        assert not slot.exists()
        assert len(list((tmp_path / 'cache').glob('??/*'))) == 1


class TestRate:
    def test_together(self, tmp_path):
        """
        Processes with the same folder keep the rate together.
        """
        loaders = [Downloader(tmp_path, 20.0) for _ in range(3)]
        start = time.time()
        for _ in range(4):
            for loader in loaders:
                loader._take_turn('http://host/x')
        # (the first one may go at the end of its slot)
        assert time.time() - start > 10 / 20
        # another host has a rate of its own
        start = time.time()
        loaders[0]._take_turn('http://other/x')
        assert time.time() - start < 0.2

    def test_pause_meanwhile(self, tmp_path):
        """
        A pause that begins while a process waits for its turn holds for it.
        """
        one, other = Downloader(tmp_path, 4.0), Downloader(tmp_path, 4.0)
        one._take_turn('http://host/x')
        timer = threading.Timer(0.02, one._pause, ('http://host/x', 0.8))
        start = time.time()
        timer.start()
        other._take_turn('http://host/x')
        assert time.time() - start > 0.7
        timer.join()

    def test_slow_service(self, tmp_path):
        """
        Who waits for answers anyway does not wait for a turn, too.
        """
        loader = Downloader(tmp_path, 20.0)
        for _ in range(3):
            loader._take_turn('http://host/x')
            time.sleep(0.11)
            start = time.time()
            loader._take_turn('http://host/x')
            assert time.time() - start < 0.05
            time.sleep(0.06)

    def test_files(self, tmp_path, monkeypatch):
        """
        Few files are left of many turns.
        """
        monkeypatch.setattr(download, '_KEPT', 0.01)
        loader = Downloader(tmp_path, 500.0)
        for _ in range(50):
            loader._take_turn('http://host/x')
        assert len(list(tmp_path.iterdir())) < 20


class TestOthers:
    def test_ps1(self, web, service, tmp_path):
        """
        The stack of the band is found; its header has the zero point.
        """
        result = run(table(10, 60, 70), tmp_path / 'out', service('ps1'),
                     chunk_size=1)
        survey = read_survey(result.out)
        assert survey.galaxies()['zeropoint'][0].value == pytest.approx(32.5)
        assert magnitudes(result)[0] == pytest.approx(MAG, abs=0.01)
        assert list(survey.failures['message']) == [
            'FileNotFoundError: Pan-STARRS1 has no stack in r at 60.0000000 '
            '0.0000000', 'DownloadError: the service answers without a list '
            'of images: Down We are <moving> today']
        assert [path for path, _, _ in web.seen][:2] == [
            '/ps1/ps1filenames.py', '/ps1/fitscut.cgi']
        assert web.seen[0][1] == {'ra': '10.0000000', 'dec': '-1.0000000',
                                  'filters': 'r', 'type': 'stack'}
        assert web.seen[1][1] == {
            'ra': '10.0000000', 'dec': '-1.0000000', 'size': '240',
            'format': 'fits', 'red': '/rings/r.fits'}
        # neither is asked for again
        n_seen = len(web.seen)
        run(table(10), tmp_path / 'two', service('ps1'))
        assert len(web.seen) == n_seen

    def test_hips(self, web, service, tmp_path):
        """
        The user tells the unit, and to which pixels it refers.
        """
        hips = service('hips2fits', 'CDS/P/DES-DR2/r', pixel_scale=0.4)
        result = run(table(10), tmp_path / 'out', hips, zeropoint=30.0,
                     native_pixel_scale=0.2)
        assert web.seen[0][1] == {
            'hips': 'CDS/P/DES-DR2/r', 'ra': '10.0000000',
            'dec': '-1.0000000', 'width': '150', 'height': '150',
            'projection': 'TAN', 'coordsys': 'icrs',
            'fov': '0.0166666666667', 'format': 'fits'}
        assert magnitudes(result) == pytest.approx([MAG], abs=0.01)

    def test_unit(self, service):
        """
        A unit that is not known is demanded, and not guessed.
        """
        hips = service('hips2fits', 'P/X', pixel_scale=1.0)
        other = service(layer='sdss')
        for found in (hips, other):
            with pytest.raises(ValueError, match='have no unit that is known'):
                found.complete({})
            with pytest.raises(ValueError, match='have no unit that is known'):
                found.complete({'unit': 'adu', 'native_pixel_scale': 0.4})
            for options in ({'unit': 'nmgy'}, {'zeropoint': 25.0}):
                with pytest.raises(ValueError,
                                   match='give native_pixel_scale='):
                    found.complete(options)
                options['native_pixel_scale'] = 0.4
                assert found.complete(options).items() >= options.items()
            for options in ({'unit': 'MJy/sr'}, {'calibrated': False},
                            {'unit': 'adu/arcsec2', 'zeropoint': 20.0}):
                assert found.complete(options).items() >= options.items()
        assert service('ps1').complete({}) == {'band': 'r'}

    @pytest.mark.parametrize(('options', 'match'), [
        ({'unit': 'Jy'}, "unit='Jy' contradicts the images of legacy"),
        ({'native_pixel_scale': 0.5}, 'native_pixel_scale=0.5 contradicts'),
        ({'band': 'g'}, "band='g' contradicts the images of legacy, for "),
        ({'pixel_scale': 0.3}, 'pixel_scale= is an option of the Cutout'),
        ({'size': None}, 'cut-outs of a service need size='),
        ({'size': 0}, 'size must be positive'),
        ({'size': '2deg'}, r'size is 27481 pixels .* from 1 to 10000'),
        ({'size': '5kg'}, "size='5kg' must be pixels or an angle such as"),
        ({'x': 'ra', 'y': 'dec'}, 'cut-outs of a service are found by ra'),
        ({'ra': 'x'}, 'ra and dec go together'),
    ])
    def test_options(self, web, service, tmp_path, options, match):
        with pytest.raises(ValueError, match=match):
            run(table(10), tmp_path / 'out', service(), **options)
        assert not web.seen
        assert not (tmp_path / 'out').exists()

    def test_same_options(self, service):
        """
        The same in other words is no contradiction.
        """
        found = service().complete({'unit': 'nanomaggies', 'band': 'r',
                                    'native_pixel_scale': 0.262})
        assert found == {'unit': 'nmgy', 'band': 'r',
                         'native_pixel_scale': 0.262}

    def test_another_survey(self, service, tmp_path):
        """
        Other images are another survey; another cache or rate are not.
        """
        run(table(10), tmp_path / 'out', service())
        run(table(10), tmp_path / 'out',
            service(cache=tmp_path / 'x', rate=7.0))
        for other in (service(band='g'), service(layer='ls-dr9'),
                      service(pixel_scale=0.3)):
            with pytest.raises(ValueError, match='another survey: images was'
                                                 " 'legacy ls-dr10, band r"):
                run(table(10), tmp_path / 'out', other)


class TestService:
    @pytest.mark.parametrize(('args', 'options', 'match'), [
        (['sdss'], {}, "service must be 'legacy', 'ps1' or 'hips2fits'"),
        (['ps1', 'x'], {}, "layer='x' is of no use for ps1"),
        (['ps1'], {'pixel_scale': 0.5}, 'pixel_scale=0.5 is of no use'),
        (['ps1'], {'band': 'u'}, "band='u' must be one of the bands of ps1"),
        (['legacy'], {'band': 'grz'}, "band='grz' must be one of the bands"),
        (['legacy'], {'pixel_scale': 0}, 'pixel_scale must be positive'),
        (['legacy'], {'rate': 0}, 'rate must be positive'),
        (['legacy'], {'rate': 11}, 'rate=11 is more than a public service'),
        (['legacy'], {'url': 'ftp://x/y'}, "url='ftp://x/y' must be the "),
        (['legacy'], {'url': 'http://x/y?a=b'}, 'must be the address of a'),
        (['legacy'], {'cache': 's3://x/y'}, 'must be a folder of this mach'),
        (['hips2fits'], {'pixel_scale': 1}, 'hips2fits needs layer='),
        (['hips2fits', 'P/X'], {}, 'hips2fits needs pixel_scale='),
    ])
    def test_exceptions(self, args, options, match):
        with pytest.raises(ValueError, match=match):
            CutoutService(*args, **options)

    def test_types(self):
        for args, options, match in (
                ([3], {}, "service must be 'legacy'"),
                (['legacy', 3], {}, 'layer must be a text'),
                (['legacy'], {'band': 1}, 'band must be a text'),
                (['legacy'], {'url': 1}, 'url must be a text')):
            with pytest.raises(TypeError, match=match):
                CutoutService(*args, **options)

    def test_from_text(self):
        found = CutoutService.from_text('hips2fits:CDS/P/DES-DR2/r',
                                        pixel_scale=0.3 * u.arcsec)
        assert repr(found) == ('<CutoutService: hips2fits CDS/P/DES-DR2/r, '
                               '0.3 arcsec>')
        assert repr(CutoutService.from_text('ps1', band='g')) == (
            '<CutoutService: ps1, band g, 0.25 arcsec>')
        assert CutoutService.from_text('Legacy').layer == 'ls-dr10'

    def test_fetch(self, web, service):
        """
        A single image serves, too; services are sent to other processes.
        """
        found = pickle.loads(pickle.dumps(service()))
        path = found.fetch(SkyCoord(10, 2, unit='deg'), '60arcsec')
        assert found.fetch('10 2', 60 * u.arcsec) == path
        assert found.fetch((10 * u.deg, 2 * u.deg), 230) == path
        assert len(web.seen) == 1
        cutout = GalaxyCutout(path, **found.options)
        assert cutout.zeropoint == pytest.approx(22.5)
        for size in (229, 231):
            assert found.fetch('10 2', size) != path
        with pytest.raises(TypeError, match='position must be on the sky'):
            found.fetch((10, 2), 230)
        with pytest.raises(ValueError, match='must be from 1 to 10000'):
            found.fetch('10 2', 10001)

    def test_names(self):
        """
        Different images have different names, in names of any length.
        """
        names = {CutoutService('hips2fits', layer, pixel_scale=scale).name(
            ra, dec, width) for layer in ('a/b', 'a_b', 'ä' * 300)
            for scale in (1, 1.5) for ra, dec in ((1, 2), (1, -2), (1.1, 2))
            for width in (10, 11)}
        assert len(names) == 3 * 2 * 3 * 2
        assert max(len(name.encode()) for name in names) < 255
        name = CutoutService('ps1').name
        assert name(-10.0, 0.0, 9) == name(350.0, 0.0, 9)
        assert name(10.0, -0.0, 9) == name(10.0, 0.0, 9)

    def test_wait(self):
        """
        Retry-After is a number of seconds or a date.
        """
        later = datetime.now(UTC) + timedelta(seconds=100)
        for text in (format_datetime(later, usegmt=True),
                     later.strftime('%a, %d %b %Y %H:%M:%S')):
            assert _wait(text) == pytest.approx(100, abs=3)
        assert _wait(' 7 ') == 7.0
        assert _wait('Thu, 01 Jan 1970 00:00:00 GMT') == 0.0
        assert _wait('soon') is None
        assert _wait(None) is None

    def test_answer_text(self):
        assert answer_text(b'a \x00 b\n<b>c</b><script>d') == 'a b c'
        assert len(answer_text(b'x' * 9999)) == 200

    def test_large(self, web, service, monkeypatch):
        monkeypatch.setattr(download, '_LARGEST', 1 << 20)
        with pytest.raises(DownloadError, match='holds more than 1 MiB'):
            service().fetch('10 0', 600)
        monkeypatch.setattr(download, '_TOTAL', -1)
        with pytest.raises(DownloadError, match='takes more than -1 s'):
            service().fetch('10 0', 20)
        assert len(web.seen) == 1 + 4


def test_command(web, tmp_path, capsys, monkeypatch):
    """
    The same in the shell.
    """
    monkeypatch.setitem(services._URLS, 'legacy', f'{web.url}/legacy')
    web.faults = {20: [404]}
    table(10, 20).write(tmp_path / 'cat.csv')
    args = ['survey', str(tmp_path / 'cat.csv'), '--out',
            str(tmp_path / 'out'), '--workers', '1']
    good = [*args, '--cutouts', 'legacy:ls-dr9', '--band', 'g', '--size',
            '20arcsec', '--pixel-scale', '0.5', '--cutout-cache',
            str(tmp_path / 'cache'), '--cutout-rate', '10', '--method',
            'isophote', '--quiet', '--chunk-size', '1']
    assert main(good) == 0
    assert web.seen[0][1] == {
        'ra': '10.0000000', 'dec': '-1.0000000', 'layer': 'ls-dr9',
        'pixscale': '0.5', 'bands': 'g', 'size': '40'}
    found = read_survey(tmp_path / 'out').galaxies()
    assert found['unit'][0] == 'nmgy'
    assert found['sb_zeropoint'][0].value == pytest.approx(22.5)
    assert 'no such image' in found['message'][1]
    assert list((tmp_path / 'cache').glob('??/legacy_ls-dr9_g_10*.fits'))
    capsys.readouterr()
    for more, text in (
            (['--cutouts', 'ps1'], 'cut-outs of a service need --size'),
            (['--cutouts', 'hips2fits:P/X', '--size', '9', '--pixel-scale',
              '1'], 'give --unit (a flux unit')):
        assert main([*args, *more]) == 1
        assert text in capsys.readouterr().err
    for more, text in (
            (['--cutouts', 'sdss', '--size', '9'],
             "--cutouts must be 'legacy', 'ps1' or 'hips2fits'"),
            (['--cutouts', 'ps1', '--size', '9', '--cutout-rate', '99'],
             '--cutout-rate 99.0 is more than a public service should get'),
            (['--cutouts', 'ps1', '--images', 'x'], 'do not go together'),
            (['--cutout-rate', '1'], 'go with --cutouts')):
        with pytest.raises(SystemExit):
            main([*args, *more])
        assert text in capsys.readouterr().err


def test_ps1_packed(web, service, tmp_path):
    """
    Stacks of which the service has not unpacked the pixels are unpacked.
    """
    def pack(data):
        hdu = fits.open(io.BytesIO(data))[0]
        hdu.data = (2.5 * np.log10(np.e) * np.arcsinh(
            (hdu.data - 1.5) / (2 * 30.0))).astype('f4')
        hdu.header['BSOFTEN'], hdu.header['BOFFSET'] = 30.0, 1.5
        return encode(hdu)

    web.faults = {10: [pack]}
    result = run(table(10), tmp_path / 'out', service('ps1'))
    assert magnitudes(result) == pytest.approx([MAG], abs=0.01)


def test_zeropoint_is_told(service, tmp_path):
    """
    Another zero point than that of the unit is used, with a warning.
    """
    path = service().fetch('10 0', 30)
    with pytest.warns(AstropyUserWarning, match='zeropoint=25.0000 is used'):
        GalaxyCutout(path, zeropoint=25.0, **service().options)


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:The inplace keyword')
def test_hats(web, service, tmp_path):
    """
    Positions of a HATS catalogue are enough, too; a restart goes on.
    """
    lsdb = pytest.importorskip('lsdb')
    frame = table(10, 10.01, 20, 30).to_pandas()
    lsdb.from_dataframe(
        frame, ra_column='ra', dec_column='dec', catalog_name='galaxies',
        lowest_order=4, highest_order=4, margin_threshold=None,
    ).write_catalog(tmp_path / 'hats', progress_bar=False)
    web.faults = {20: [(429, 3600), None], 30: [404]}
    with pytest.raises(StopSurveyError, match='wait for 60 minutes'):
        run(tmp_path / 'hats', tmp_path / 'out', service())
    result = run(tmp_path / 'hats', tmp_path / 'out', service())
    assert result.n_failed == 1
    assert len(part_files(tmp_path / 'out')) > 1
    assert magnitudes(result) == pytest.approx([MAG] * 3, abs=0.01)
    assert sum(query['ra'] == '10.0000000' for _, query, _ in web.seen) == 1


class TestAttempts:
    """
    Whoever waits for a service says so, and may wait less.
    """

    @pytest.fixture(autouse=True)
    def _no_answer(self, monkeypatch):
        def fail(address):
            self.n_asked += 1
            msg = 'no answer (refused)'
            raise DownloadError(msg, retry=True, away=True)

        self.n_asked = 0
        monkeypatch.setattr(download, '_request', fail)

    @pytest.mark.parametrize(('attempts', 'lines'), [
        (1, []), (2, []), (3, ['3 of 3 follows in 4 s']),
        (4, ['3 of 4 follows in 4 s', '4 of 4 follows in 16 s'])])
    def test_lines(self, attempts, lines, tmp_path, caplog, monkeypatch):
        monkeypatch.setattr(download, 'time', SimpleNamespace(
            time=time.time, sleep=lambda seconds: None))
        loader = Downloader(tmp_path, 1000.0, attempts)
        with pytest.raises(DownloadError, match='cannot be fetched'):
            loader.get('https://a.b/c?ra=1')
        assert self.n_asked == attempts
        assert [record.getMessage() for record in caplog.records] == [
            f'a.b: no answer (refused): attempt {line} (attempts=1, in the '
            'shell --cutout-attempts 1, gives up at once)' for line in lines]

    def test_option(self, tmp_path, capsys):
        service = CutoutService('legacy', 'ls-dr9', band='r', attempts=2,
                                cache=tmp_path)
        assert service.in_band('g').attempts == 2
        for wrong in (0, 5):
            with pytest.raises(ValueError, match='attempts must be an integ'):
                CutoutService('legacy', attempts=wrong)
        Table({'ra': [1.0], 'dec': [2.0]}).write(tmp_path / 'a.csv')
        assert main(['survey', str(tmp_path / 'a.csv'), '--cutouts', 'legacy',
                     '--band', 'r', '--size', '60arcsec', '--cutout-attempts',
                     '1', '--cutout-cache', str(tmp_path / 'cache'),
                     '--workers', '1', '--out', str(tmp_path / 'out')]) == 1
        assert self.n_asked == 1
        assert 'no answer (refused)' in capsys.readouterr().err
