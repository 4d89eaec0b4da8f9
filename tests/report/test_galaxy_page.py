# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the page about one galaxy.
"""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    ProfileFit,
    RingFlag,
    build_profile,
    write_galaxy_page,
)

BROWSER = next(filter(None, map(shutil.which, (
    'chromium', 'chromium-browser', 'google-chrome'))), None)

NAME = 'N1 </script><b>&"x"'
CENTRE = (70.0, 40.0)
SMA = np.concatenate([[0, 0.5, 1], np.geomspace(2, 30, 12)])
STAR = (80, 55)


def make_fit(*, shape=(100, 120), scale=1, name=NAME, **options):
    """
    A galaxy of ellipticity 0.5 along +x, with a masked star and a flag.
    """
    y, x = np.mgrid[:shape[0], :shape[1]].astype(float)
    centre = tuple(scale * c for c in CENTRE)
    sma = scale * SMA
    a = np.hypot(x - centre[0], (y - centre[1]) / 0.5)
    mask = np.hypot(x - scale * STAR[0], y - scale * STAR[1]) < 2 * scale
    options.setdefault('pixel_scale', 0.5)
    cutout = GalaxyCutout(np.exp(-a / (8 * scale)), unit='nmgy', mask=mask,
                          position=centre, name=name, **options)
    n, value = len(sma), np.exp(-sma / (8 * scale))
    value[-1] = -1e-3
    flag = np.zeros(n, int)
    flag[-2] = int(RingFlag.EXTENDED | RingFlag.EDGE)
    profile = build_profile(
        cutout, sma, value, np.full(n, 0.01), ellipticity=np.full(n, 0.5),
        theta=np.full(n, 0.0), centre=centre, noise=0.01, flag=flag,
        galaxy_flag=int(GalaxyFlag.NEIGHBOUR), fitter='truth')
    return ProfileFit(profile, cutout, cutout.mask, 0.0, centre, sma,
                      np.full(n, 0.5), np.zeros(n), value)


class Page(HTMLParser):
    """
    What a page holds: tags, addresses, ids, and its text.
    """

    def __init__(self, path):
        super().__init__()
        self.open, self.wrong, self.links, self.ids = [], [], [], []
        self.text, self.seen = [], []
        self.html = path.read_text(encoding='utf-8')
        self.feed(self.html)

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        for key, value in attributes:
            if key in ('src', 'href', 'action', 'srcset'):
                self.links.append(value)
            if key == 'id':
                self.ids.append(value)
        if tag not in ('meta', 'input', 'link', 'img', 'br'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text.append(data)

    @property
    def data(self):
        found = re.search(r'<script type="application/json" id="data">(.*?)'
                          '</script>', self.html, re.DOTALL)
        return json.loads(found[1])


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    out = tmp_path_factory.mktemp('page') / 'galaxy.html'
    assert write_galaxy_page(make_fit(), out) == out
    return out


def picture(text):
    head, _, content = text.partition(',')
    kind = {'data:image/png;base64': 'png',
            'data:image/jpeg;base64': 'jpeg'}[head]
    return imread(io.BytesIO(base64.b64decode(content)), format=kind)


def test_page_is_whole_and_loads_nothing(path):
    page = Page(path)
    assert page.html.startswith('<!DOCTYPE html>')
    assert not page.open
    assert not page.wrong
    assert page.links == ['#rings']
    assert "default-src 'none'" in page.html
    assert not re.search(r'(https?:)?//(?!www\.w3\.org)[a-z]+\.', page.html)
    assert len(set(page.ids)) == len(page.ids)
    # a name is text
    assert 'b' not in page.seen[page.seen.index('header'):
                                page.seen.index('main')]
    assert NAME in ''.join(page.text)
    assert page.data['name'] == NAME
    assert '{{' not in page.html.partition('<script>')[0]
    assert [p.name for p in path.parent.iterdir()] == ['galaxy.html']


def test_values(path):
    page = Page(path)
    rows = [name for name in page.ids if name.startswith('row-')]
    assert len(rows) == len(SMA)
    rings = page.data['rings']
    profile = make_fit().profile
    assert rings['a'] == pytest.approx(0.5 * SMA, rel=1e-3)
    assert rings['mu'][:-1] == pytest.approx(
        profile['surface_brightness'].value[:-1], abs=1e-3)
    assert rings['mu'][-1] is None
    assert rings['mu_err'][3] == pytest.approx(
        profile['surface_brightness_err'].value[3], abs=1e-3)
    assert rings['flag'] == list(profile['flag'])
    text = ''.join(page.text)
    assert 'NEIGHBOUR' in text
    assert 'EXTENDED EDGE' in text
    assert 'mag within the last ring' in text
    for name in page.data['flags']:
        assert page.data['flags'][name] == int(RingFlag[name])


def test_rings_lie_on_the_picture(path):
    data = Page(path).data
    assert (data['sma'][-1], data['eps'][3], data['theta'][3]) == (30, 0.5, 0)
    shown = picture(data['views']['image'])
    assert shown.shape[:2] == (data['height'], data['width'])
    # dark on white: the centre is the darkest pixel, the first row on top
    row, column = np.unravel_index(shown[..., 0].argmin(), shown.shape[:2])
    assert (column + 0.5, row + 0.5) == pytest.approx(
        (data['x'], data['y']), abs=1)
    mask = picture(data['mask'])
    y, x = np.nonzero(mask[..., 3] > 0)
    assert x.mean() + 0.5 - data['x'] == pytest.approx(STAR[0] - CENTRE[0])
    assert data['y'] - y.mean() - 0.5 == pytest.approx(STAR[1] - CENTRE[1])
    residual = picture(data['views']['residual'])
    assert np.median(residual[::7, ::7].astype(float)) > 230


def test_large_images_are_averaged(tmp_path):
    fit = make_fit(shape=(1500, 1800), scale=15)
    data = Page(write_galaxy_page(fit, tmp_path / 'a.html')).data
    shown = picture(data['views']['image'])
    factor = data['width'] // shown.shape[1]
    assert factor == 2
    assert max(shown.shape) <= 768
    mask = picture(data['mask'])
    y, x = np.nonzero(mask[..., 3] > 0)
    assert factor * (x.mean() + 0.5) - data['x'] == pytest.approx(
        15 * (STAR[0] - CENTRE[0]), abs=2)
    assert data['y'] - factor * (y.mean() + 0.5) == pytest.approx(
        15 * (STAR[1] - CENTRE[1]), abs=2)


def test_other_objects_without_calibration(tmp_path):
    fit = make_fit(pixel_scale=None, calibrated=False, name=None)
    fit.mask = fit.mask | np.roll(fit.mask, 20, axis=1)
    data = Page(write_galaxy_page(fit, tmp_path / 'a.html')).data
    colours = {tuple(c) for c in picture(data['mask']).reshape(-1, 4)}
    assert len(colours) == 3
    # (an intensity in nanomaggies has magnitudes all the same)
    assert data['rings']['unit'] == ' px'
    fit.cutout.mask[:] = fit.mask[:] = False
    data = Page(write_galaxy_page(fit, tmp_path / 'a.html',
                                  overwrite=True)).data
    assert data['mask'] is None


def test_exceptions(path, tmp_path):
    fit = make_fit()
    with pytest.raises(FileExistsError, match='exists: give overwrite=True'):
        write_galaxy_page(fit, path)
    assert write_galaxy_page(fit, path, overwrite=True) == path
    with pytest.raises(TypeError, match='fit must be the result of the meth'):
        write_galaxy_page(fit.profile, tmp_path / 'a.html')
    with pytest.raises(ValueError, match='is an address: pages are written'):
        write_galaxy_page(fit, 'https://example.org/a.html')
    fit.theta = np.full(len(SMA), np.nan)
    with pytest.raises(ValueError, match='fit must have rings with an ellip'):
        write_galaxy_page(fit, tmp_path / 'a.html')
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which('node') is None, reason='there is no node')
def test_script_can_be_read(path, tmp_path):
    script = path.read_text(encoding='utf-8').rpartition('<script>')[2]
    file = tmp_path / 'a.js'
    file.write_text(script.partition('</script>')[0], encoding='utf-8')
    subprocess.run(['node', '--check', str(file)], check=True)


@pytest.mark.skipif(BROWSER is None, reason='there is no Chromium here')
class TestBrowser:
    def dom(self, page, tmp_path, fragment='', script=''):
        text = page.read_text(encoding='utf-8').replace(
            '</body>', f'<script>{script}</script></body>')
        file = tmp_path / 'page.html'
        file.write_text(text, encoding='utf-8')
        found = subprocess.run(
            [BROWSER, '--headless', '--no-sandbox', '--disable-gpu',
             '--window-size=1200,1400', f'--user-data-dir={tmp_path}',
             '--dump-dom', f'{file.as_uri()}#{fragment}'],
            check=True, capture_output=True, timeout=120)
        return found.stdout.decode()

    def box(self, dom):
        return dom[dom.index('id="ring"'):dom.index('id="charts"')]

    def test_begin(self, path, tmp_path):
        dom = self.dom(path, tmp_path)
        assert 'Point at a ring' in self.box(dom)
        assert dom.count('<ellipse') == len(SMA) - 1
        assert dom.count('<figure>') == 3
        assert 'viewBox="0 0' in dom
        assert 'chosen' not in dom.partition('<main>')[2].partition(
            '<script')[0]

    def test_state_in_the_address(self, path, tmp_path):
        dom = self.dom(path, tmp_path, 'ring=13&view=residual&zoom=4')
        box = self.box(dom)
        assert 'ring 14 of 15' in box
        assert 'EXTENDED' in box
        assert 'EDGE' in box
        data = Page(path).data
        width = float(re.search(r'viewBox="\S+ \S+ (\S+)', dom[dom.index(
            'id="picture"'):])[1])
        assert width == pytest.approx(data['width'] / 4, abs=0.01)
        assert f'href="{data["views"]["residual"][:60]}' in dom
        assert re.search(r'<tr id="row-13" class="chosen"', dom)
        assert re.search(r'class="ring chosen"', dom)
        assert dom.count('doubtful chosen') == 3

    @pytest.mark.parametrize(('dx', 'dy'), [
        (23.0, 0.0), (0.0, 11.5), (0.0, -4.5), (0.1, 0.0)])
    def test_pointing_at_a_ring(self, path, tmp_path, dx, dy):
        """
        The ellipse that passes nearest the pointer is chosen.
        """
        data = Page(path).data
        script = f'''
          const svg = document.querySelector('#picture svg');
          const edge = svg.getBoundingClientRect();
          const at = {{ bubbles: true,
            clientX: edge.left + {data['x'] + dx} * edge.width
              / {data['width']},
            clientY: edge.top + {data['y'] - dy} * edge.height
              / {data['height']} }};
          svg.dispatchEvent(new PointerEvent('pointermove', at));'''
        dom = self.dom(path, tmp_path, script=script)
        ring = np.abs(SMA - np.hypot(dx, dy / 0.5)).argmin()
        assert f'ring {ring + 1} of 15' in self.box(dom)

    def test_wheel_and_keys(self, path, tmp_path):
        script = '''
          const box = document.getElementById('picture');
          const svg = box.querySelector('svg');
          svg.dispatchEvent(new WheelEvent('wheel', { deltaY: -1,
            bubbles: true, cancelable: true, clientX: 200, clientY: 500 }));
          for (const key of ['ArrowRight', 'ArrowRight', '+']) {
            box.dispatchEvent(new KeyboardEvent('keydown', { key }));
          }
          document.getElementById('mask-on').click();'''
        dom = self.dom(path, tmp_path, script=script)
        assert 'ring 2 of 15' in self.box(dom)
        data = Page(path).data
        width = float(re.search(r'viewBox="\S+ \S+ (\S+)', dom[dom.index(
            'id="picture"'):])[1])
        assert width == pytest.approx(data['width'] / 1.8, abs=0.01)
        assert re.search(r'<image [^>]*visibility="visible"', dom)
