# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the report on a survey: its parts, the page, and the page at work.
"""

import base64
import csv
import io
import json
import re
import shutil
import subprocess
from html import unescape

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from astro_pix2prof import (
    GalaxyFlag,
    ProfileBatch,
    RingFlag,
    read_survey,
    write_report,
)
from astro_pix2prof.cli.main import main

pa = pytest.importorskip('pyarrow')
pq = pytest.importorskip('pyarrow.parquet')

from astro_pix2prof.report.charts import (
    density_chart,
    histogram_chart,
    quantile_chart,
)
from astro_pix2prof.report.gallery import make_card
from astro_pix2prof.report.page import flag_meanings
from astro_pix2prof.report.pictures import ImageFinder, image_options
from astro_pix2prof.report.summary import (
    QUANTITIES,
    bin_edges,
    read_rows,
    reason_of,
    summarise_survey,
)

BROWSER = next(filter(None, map(shutil.which, (
    'chromium', 'chromium-browser', 'google-chrome'))), None)

# What is wrong with galaxy 3, and with galaxies 5 and 7.
GONE = 'gone/<script>alert(1)<|script>.fits'
N = 12


@pytest.fixture(scope='module')
def survey(tmp_path_factory, _galaxy_ccd, sersic_profile):
    """
    A survey of 12 galaxies in three files, two of which failed.
    """
    root = tmp_path_factory.mktemp('survey')
    (root / 'images').mkdir()
    profiles, sources = [], []
    for k in range(N):
        path = root / 'images' / f'{k}.fits'
        profile = sersic_profile.copy()
        profile['mag_enclosed'] += ((k * 5) % N) * u.mag
        profile.meta['source'] = f'images/{k}.fits'
        if k == 3:
            profile.meta['source'] = GONE
        else:
            _galaxy_ccd.write(path)
        if k in (2, 4, 6):
            profile.meta['flag'] = int(GalaxyFlag.NEIGHBOUR)
        if k == 4:
            profile.meta['flag'] |= int(GalaxyFlag.TRUNCATED)
        if k >= 8:
            profile.meta['band'] = 'g'
        if k in (5, 7):
            profile = ValueError(f"the image '/a/{k}.fits' has {k} pixels")
        profiles.append(profile)
        sources.append(f'images/{k}.fits')
    batch = ProfileBatch.from_profiles(profiles, sources=sources)
    folder = root / 'run.parquet'
    folder.mkdir(parents=True)
    names = [f'part-00000{k}.parquet' for k in range(3)]
    for k, name in enumerate(names):
        part = batch[4 * k:4 * k + 4]
        table = part.to_arrow().append_column(
            'objid', pa.array([f'obj{i}' for i in part.galaxies['index']]))
        pq.write_table(table, folder / name, row_group_size=3)
    # none of these belongs to the results
    for name in ('.part-000009.parquet', '_hidden.parquet',
                 'data_thumbnail.parquet', 'bright.parquet',
                 'part-best.parquet', 'part-000001 (copy).parquet'):
        pq.write_table(table, folder / name)
    (folder / '_survey.json').write_text(json.dumps(
        {'n_rows': N, 'chunk_size': 4, 'fitter_options': {'m': '<b>x</b>'}}))
    (folder / '_times.json').write_text(json.dumps(
        {'n_done': N, 'seconds': 6.0, 'n_workers': 2}))
    return folder


@pytest.fixture(scope='module')
def page(survey, tmp_path_factory):
    """
    The report on the survey.
    """
    return write_report(survey, tmp_path_factory.mktemp('page') / 'r.html')


def page_data(path):
    text = path.read_text(encoding='utf-8')
    return json.loads(re.search(
        r'<script type="application/json" id="data">(.*?)</script>', text,
        re.DOTALL)[1])


def cards_of(path):
    return {card['index']: card for card in page_data(path)['cards']}


def decode(uri):
    from matplotlib.image import imread

    head, text = uri.split(',')
    assert head == 'data:image/jpeg;base64'
    return imread(io.BytesIO(base64.b64decode(text)), format='jpg')


class TestSummary:
    def test_files(self, survey):
        """
        A table that the user saved beside the parts is none of them.
        """
        found = summarise_survey(survey).files
        assert [path.name for path in found] == [
            f'part-00000{k}.parquet' for k in range(3)]
        assert summarise_survey(found[0]).n == 4

    def test_no_survey(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='none does not exist'):
            summarise_survey(tmp_path / 'none')
        with pytest.raises(FileNotFoundError, match='not the folder of a s'):
            summarise_survey(tmp_path)
        path = tmp_path / 'a.parquet'
        pq.write_table(pa.table({'a': [1]}), path)
        with pytest.raises(ValueError, match="has no column 'profile'"):
            summarise_survey(path)
        # (only a damaged file of a survey is to be deleted)
        path.write_bytes(b'PAR1 cut off')
        with pytest.raises(ValueError, match='is no file of a survey: give'):
            summarise_survey(path)
        path = path.rename(tmp_path / 'part-000000.parquet')
        with pytest.raises(ValueError, match='delete it and run the survey'):
            summarise_survey(path)

    def test_counts(self, survey, sersic_profile):
        found = summarise_survey(survey)
        assert (found.n, found.n_failed, found.n_flagged) == (N, 2, 3)
        assert found.n_rings == (N - 2) * len(sersic_profile)
        assert found.flags['NEIGHBOUR'] == 3
        assert found.flags['TRUNCATED'] == 1
        assert found.flags['FAILED'] == 2
        assert found.ring_flags['EXTENDED'] == (N - 2) * np.count_nonzero(
            sersic_profile['flag'] & RingFlag.EXTENDED)
        assert found.bands == {'g': 4, 'r': 6}
        assert found.reasons == {
            "ValueError: the image '…' has # pixels":
            [2, "ValueError: the image '/a/5.fits' has 5 pixels"]}
        assert found.meta['fitter'] == 'truth'

    def test_histograms(self, survey, sersic_profile, galaxy_truth):
        found = summarise_survey(survey)
        for (name, unit, _), counts in found.histograms.items():
            assert counts.sum() in (4, 6)
            assert unit == ('arcsec' if name in ('radius_50', 'last_radius')
                            else '')

        def where(name, unit=''):
            edges = bin_edges(QUANTITIES[name])
            k = np.flatnonzero(found.histograms[name, unit, 'r'])
            return edges[k[0]], edges[k[-1] + 1]

        first, last = where('central_sb')
        assert first <= sersic_profile['surface_brightness'][0].value <= last
        first, last = where('last_radius', 'arcsec')
        assert first <= np.log10(60 * 0.396) <= last
        half = ProfileBatch.from_profiles(
            [sersic_profile]).galaxies['radius_50'][0].value
        expected = np.interp(half, sersic_profile['radius'].value,
                             sersic_profile['surface_brightness'].value)
        first, last = where('effective_sb')
        assert last - first == pytest.approx(0.1)
        assert first <= expected <= last

    def test_blocks_make_no_difference(self, survey, monkeypatch):
        whole = summarise_survey(survey, n_sample=4, seed=3)
        monkeypatch.setattr('astro_pix2prof.report.summary._BLOCK', 2)
        parts = summarise_survey(survey, n_sample=4, seed=3)
        assert parts.chosen == whole.chosen
        for key, counts in whole.histograms.items():
            np.testing.assert_array_equal(parts.histograms[key], counts)
        for key, counts in whole.planes.items():
            np.testing.assert_array_equal(parts.planes[key], counts)

    def test_choice(self, survey):
        found = summarise_survey(survey, n_sample=2, seed=1)
        kinds = [kind for why in found.chosen.values() for kind in why]
        assert kinds.count('random sample') == 2
        assert kinds.count('flag NEIGHBOUR') == 3
        assert kinds.count('flag TRUNCATED') == 1
        assert kinds.count('flag FAILED') == 2
        assert kinds.count('one of each failure') == 1
        assert kinds.count('brightest') == kinds.count('faintest') == 2
        rows = {row['index']: found.chosen[key]
                for key, row in read_rows(found.files, found.chosen)}
        assert len(rows) == len(found.chosen)
        # galaxy k is fainter by (5 k) % 12 mag than the first
        for kind, expected in (('brightest', {0, 10}), ('faintest', {2, 9})):
            assert {k for k, why in rows.items() if kind in why} == expected
        other = summarise_survey(survey, n_sample=2, seed=2)
        assert other.chosen != found.chosen

    def test_reason(self):
        one, two = (reason_of(f"OSError: '/d/{k}.fits' at /x/{k}.fits: {k}")
                    for k in (1, 22.5))
        assert one == two == "OSError: '…' at … #"
        assert reason_of('') == 'no message'


class TestCharts:
    def test_histogram(self):
        edges = np.arange(11) * 0.5
        counts = np.array([0, 0, 3, 0, 0, 7, 1, 0, 0, 0])
        svg = histogram_chart({'r': counts}, edges, label='a < b')
        assert svg.count('class="bar') >= 2
        assert sum(int(n) for n in re.findall(
            r'to [\d.]+: (\d+)</title>', svg)) == 11
        assert 'a &lt; b' in svg
        many = histogram_chart({'r': 5000 * counts}, edges, label='x')
        assert '>20k</text>' in many
        two = histogram_chart({'r': counts, '<g>': 2 * counts}, edges,
                              label='x')
        assert two.count('<path class="step') == 2
        assert '&lt;g&gt;: 22' in two
        assert histogram_chart({'r': 0 * counts}, edges, label='x') == ''

    def test_quantiles(self):
        edges = np.arange(6.0)
        counts = np.zeros((5, 5), dtype=int)
        counts[1:4, 2] = 10
        options = {'labels': ('x', 'y'), 'log': (False, False),
                   'title': 'T'}
        svg = quantile_chart(counts, edges, edges, **options)
        assert re.findall(r'<title>(.*?)</title>', svg) == [
            'T', '1.5: 2.5 (10 rings)', '2.5: 2.5 (10 rings)',
            '3.5: 2.5 (10 rings)']
        assert quantile_chart(0 * counts, edges, edges, **options) == ''
        svg = density_chart(counts, edges, edges, **options)
        assert svg.count('class="cell') == 3
        assert density_chart(0 * counts, edges, edges, **options) == ''


class TestCards:
    def row(self, profile, **values):
        table = ProfileBatch.from_profiles([profile]).to_arrow()
        row = table.drop_columns('profile').to_pylist()[0]
        return {**row, 'profile': ProfileBatch.from_arrow(table)[0], **values}

    def test_card(self, galaxy_ccd, sersic_profile, galaxy_truth, tmp_path):
        path = tmp_path / 'a.fits'
        galaxy_ccd.write(path)
        row = self.row(sersic_profile, source=str(path), objid=5)
        card = make_card(row, ['faintest'], ImageFinder())
        truth = galaxy_truth
        # noise and nothing else is left of a galaxy with the right profile
        assert card['rms'] == pytest.approx(1.0, abs=0.05)
        scale = card['pixels']
        assert scale == pytest.approx(1 / truth['pixel_scale'], rel=1e-4)
        theta = np.array(card['theta'][5:])
        np.testing.assert_allclose(theta, truth['theta'], atol=0.2)
        assert card['extra']['objid'] == '5'
        assert 'sb_zeropoint' not in card['extra']
        assert card['side'] >= 2 * 1.15 * 60
        # the brightest, that is darkest, pixel of the picture lies where
        # the ellipses have their centre
        image = decode(card['picture'])[..., 0].astype(float)
        assert image.shape == (card['side'], card['side'])
        y, x = np.unravel_index(image.argmin(), image.shape)
        assert abs(x + 0.5 - card['x']) < 2
        assert abs(y + 0.5 - card['y']) < 2
        assert decode(card['residual']).shape == (*image.shape, 3)

    def test_scale_of_the_residual(self, galaxy_ccd, sersic_profile,
                                   tmp_path):
        """
        The colours end at 30 times the scatter, where that exceeds the noise.
        """
        path = tmp_path / 'a.fits'
        galaxy_ccd.write(path)
        row = self.row(sersic_profile, source=str(path))
        card = make_card(row, (), ImageFinder())
        assert card['limit'] == pytest.approx(30, abs=2)
        wrong = sersic_profile.copy()
        wrong['intensity'] *= 0.5
        other = make_card(self.row(wrong, source=str(path)), (),
                          ImageFinder())
        assert other['rms'] > 2
        assert other['limit'] == pytest.approx(30 * other['rms'], rel=0.02)
        # and the strongest colours are not everywhere
        red = decode(other['residual']).astype(int)
        assert np.mean(red[..., 0] - red[..., 2] > 150) < 0.1

    def test_large_picture(self, galaxy_ccd, sersic_profile, tmp_path,
                           monkeypatch):
        path = tmp_path / 'a.fits'
        galaxy_ccd.write(path)
        row = self.row(sersic_profile, source=str(path))
        whole = make_card(row, (), ImageFinder())
        monkeypatch.setattr('astro_pix2prof.report.pictures._MAX_MODEL', 60)
        monkeypatch.setattr('astro_pix2prof.report.pictures._MAX_PICTURE', 30)
        card = make_card(row, (), ImageFinder())
        side = len(decode(card['picture']))
        assert side <= 30
        assert card['side'] % side == 0
        # (the sides differ, and the centre is in the middle of both)
        assert card['x'] - card['side'] / 2 == pytest.approx(
            whole['x'] - whole['side'] / 2, abs=1)
        np.testing.assert_allclose(card['theta'], whole['theta'], atol=0.1)
        assert card['rms'] == pytest.approx(1.0, abs=0.3)

    def test_no_image(self, sersic_profile, tmp_path):
        card = make_card(self.row(sersic_profile, source='gone.fits'), (),
                         ImageFinder())
        assert card['note'] == 'image not found: profile only'
        assert card['picture'] is None
        assert len(card['rings']['mu']) == len(sersic_profile)
        bad = tmp_path / 'bad.fits'
        bad.write_bytes(b'SIMPLE  =')
        card = make_card(self.row(sersic_profile, source=str(bad)), (),
                         ImageFinder())
        assert card['note'].startswith('image not shown: OSError')
        card = make_card(self.row(sersic_profile, source=str(bad)))
        assert card['note'] == ''

    def test_failed(self, galaxy_ccd, tmp_path):
        path = tmp_path / 'a.fits'
        galaxy_ccd.write(path)
        row = self.row(ValueError('no'), source=str(path))
        card = make_card(row, (), ImageFinder())
        assert card['message'] == 'ValueError: no'
        assert len(decode(card['picture'])) == 128
        assert card['residual'] is None
        assert card['mag'] is None

    def test_uncalibrated(self, sersic_profile):
        row = self.row(sersic_profile)
        value = row['profile']['intensity'].value
        row['profile']['surface_brightness'][:] = np.nan
        card = make_card(row)
        assert not card['calibrated']
        np.testing.assert_allclose(card['rings']['mu'],
                                   -2.5 * np.log10(value), atol=1e-3)

    def test_find_image(self, tmp_path):
        (tmp_path / 'sub').mkdir()
        path = tmp_path / 'sub' / 'a.fits'
        path.touch()
        files = ImageFinder([tmp_path])
        assert files.find({'source': 'sub/a.fits'}) == path
        assert files.find({'source': 'x', 'file': 'sub/a.fits'}) == path
        assert files.find({'source': '/old/a.fits'}) is None
        assert files.find({'source': 'sub'}) is None
        assert ImageFinder(moved_to=tmp_path / 'sub').find(
            {'source': '/old/a.fits'}) == path
        for name in ('a' * 5000, 'a\0.fits', '\ud800.fits'):
            assert files.find({'source': name}) is None
        assert image_options({'options': {'hdu': "('SCI', 2)"}}) == {
            'hdu': ('SCI', 2), 'band': None}

    @pytest.mark.parametrize('on_sky', [True, False])
    @pytest.mark.parametrize('hdu', [None, 'SCI', ('SCI', 1)])
    def test_chosen_extension(self, galaxy_ccd, sersic_profile, tmp_path,
                              monkeypatch, hdu, on_sky):
        """
        The science image is shown though errors come first, also in part.
        """
        path = tmp_path / 'a.fits'
        image = galaxy_ccd.to_hdu()[0]
        wide = np.zeros((500, 600), 'f4')
        wide[200:328, 300:428] = image.data
        header = image.header
        header['CRPIX1'] += 300
        header['CRPIX2'] += 200
        if not on_sky:
            header['CTYPE1'] = header['CTYPE2'] = ''
        fits.HDUList([
            fits.PrimaryHDU(),
            fits.ImageHDU(np.full_like(wide, 0.01), header, name='ERR'),
            fits.ImageHDU(wide, header, name='SCI')]).writeto(path)
        row = self.row(sersic_profile, source=str(path))
        meta = row['profile'].meta
        meta['x_centre'] += 300
        meta['y_centre'] += 200
        if not on_sky:
            meta['pa_frame'] = 'pixel'
            row['profile']['pa'] -= 90 * u.deg
        monkeypatch.setattr('astro_pix2prof.report.pictures._LARGE_FILE', 0)
        card = make_card(row, (), ImageFinder(hdu=hdu))
        assert card['note'] == ''
        assert card['rms'] == pytest.approx(1.0, abs=0.05)
        if hdu is None:
            failed = self.row(ValueError('no'), source=str(path))
            assert 'a large file' in make_card(
                failed, (), ImageFinder())['note']
            assert "hdu='X' is not in the file" in make_card(
                row, (), ImageFinder(hdu='X'))['note']

    def test_calibrations(self, galaxy_ccd, sersic_profile, tmp_path):
        """
        Resampled pixels, and images in pixels without a scale.
        """
        path = tmp_path / 'a.fits'
        galaxy_ccd.write(path)
        row = self.row(sersic_profile, source=str(path))
        # the data refer to pixels of half the side
        row['profile']['intensity'] *= 4
        row['profile'].meta['sb_zeropoint'] += 2.5 * np.log10(4)
        card = make_card(row, (), ImageFinder())
        assert card['rms'] == pytest.approx(1.0, abs=0.05)
        row = self.row(sersic_profile, source=str(path))
        profile, scale = row['profile'], row['pixel_scale']
        profile['radius'] = profile['radius'].value / scale * u.pix
        profile['intensity'] = (
            profile['intensity'].value * scale**2 * u.nmgy / u.pix**2)
        for key in ('pixel_scale', 'zeropoint', 'sb_zeropoint'):
            profile.meta.pop(key)
        fits.setval(path, 'CTYPE1', value='')
        fits.setval(path, 'CTYPE2', value='')
        profile.meta['pa_frame'] = 'pixel'
        profile['pa'] -= 90 * u.deg
        card = make_card(row, (), ImageFinder())
        assert card['note'] == ''
        assert card['rms'] == pytest.approx(1.0, abs=0.05)
        assert card['pixels'] == 1
        profile.meta['pa_frame'] = 'sky'
        assert 'no WCS: isophotes' in make_card(
            row, (), ImageFinder())['note']

    def test_no_model(self, galaxy_ccd, sersic_profile, tmp_path):
        path = tmp_path / 'a.fits'
        galaxy_ccd.write(path)
        row = self.row(sersic_profile, source=str(path))
        row['profile']['intensity'][1:] = np.nan
        assert 'at least two rings of finite' in make_card(
            row, (), ImageFinder())['note']

    @pytest.mark.parametrize('band', ['r', 1, None])
    @pytest.mark.parametrize('named', [True, False])
    def test_cube(self, galaxy_ccd, sersic_profile, tmp_path, band, named,
                  monkeypatch):
        """
        Of a cube of any size, the plane that was measured, or none.
        """
        path = tmp_path / 'cube.fits'
        hdu = galaxy_ccd.to_hdu()[0]
        hdu.data = np.stack([0 * hdu.data + 1, hdu.data])
        if named:
            hdu.header['BAND0'], hdu.header['BAND1'] = 'g', 'r'
        hdu.writeto(path)
        monkeypatch.setattr('astro_pix2prof.report.pictures._LARGE_FILE', 0)
        row = self.row(sersic_profile, source=str(path), band='r')
        row['profile'].meta['band'] = 'r'
        card = make_card(row, (), ImageFinder(band=band))
        if named or band == 1:
            assert card['rms'] == pytest.approx(1.0, abs=0.05)
        else:
            assert 'the planes of the image have no names' in card['note']
            assert card['picture'] is None


class TestPage:
    def test_self_contained(self, page):
        text = page.read_text(encoding='utf-8')
        assert '{{' not in re.sub(r'<script.*?</script>', '', text,
                                  flags=re.DOTALL)
        assert "default-src 'none'" in text
        for word in (' src="http', ' href="http', '@import', 'url('):
            assert word not in text
        assert set(re.findall(r'xlink|<link|<iframe|<object', text)) == set()

    def test_counts_shown(self, page):
        text = page.read_text(encoding='utf-8')
        for number, what in ((12, 'galaxies'), (10, 'measured (83.3%)'),
                             (2, 'failed (16.7%)'),
                             (3, 'measured with flags (25.0%)')):
            assert f'<b>{number}</b><span>{what}</span>' in text
        assert '<b>2.0</b><span>galaxies/s (12 in 6.0 s)</span>' in text
        assert 'galaxies/s of each of 2 processes' in text
        assert 'Another object touches the galaxy.' in text
        assert '<a href="#flag=NEIGHBOUR">' in text
        assert 'href="#flag=SATURATED"' not in text
        assert 'has # pixels' in text
        assert text.count('<svg class="chart"') == 9

    def test_names_are_text(self, page):
        text = page.read_text(encoding='utf-8')
        assert '<script>alert' not in text
        assert '<b>x</b>' not in text
        assert cards_of(page)[3]['source'] == GONE

    def test_gallery(self, page):
        cards = cards_of(page)
        assert sorted(cards) == list(range(N))
        for k, card in cards.items():
            assert (card['picture'] is None) == (k == 3)
            assert (card['residual'] is None) == (k in (3, 5, 7))
        assert cards[4]['flag'] == (GalaxyFlag.NEIGHBOUR
                                    | GalaxyFlag.TRUNCATED)

    def test_same_bytes(self, survey, page, tmp_path):
        again = write_report(survey, tmp_path / 'r.html')
        assert again.read_bytes() == page.read_bytes()

    def test_one_file(self, survey, tmp_path):
        path = write_report(survey / 'part-000001.parquet',
                            tmp_path / 'r.html', n_gallery=0, images=False)
        cards = cards_of(path)
        assert {5, 7, 4, 6} >= set(cards)
        assert all(card['picture'] is None for card in cards.values())

    def test_nothing_measured(self, tmp_path):
        batch = ProfileBatch.from_profiles([ValueError('no')] * 3)
        pq.write_table(batch.to_arrow(), tmp_path / 'a.parquet')
        text = write_report(tmp_path / 'a.parquet',
                            tmp_path / 'r.html').read_text(encoding='utf-8')
        assert 'Nothing was measured.' in text
        assert '<b>0</b><span>measured (0.0%)</span>' in text
        pq.write_table(ProfileBatch.from_profiles([]).to_arrow(),
                       tmp_path / 'a.parquet')
        text = write_report(tmp_path / 'a.parquet',
                            tmp_path / 'r.html',
                            overwrite=True).read_text(encoding='utf-8')
        assert '<b>0</b><span>galaxies</span>' in text

    def test_errors(self, survey, tmp_path):
        path = tmp_path / 'r.html'
        with pytest.raises(ValueError, match='n_gallery must be an integer'):
            write_report(survey, path, n_gallery=-1)
        with pytest.raises(FileNotFoundError, match='images: no such folder'):
            write_report(survey, path, images=tmp_path / 'none')
        assert not path.exists()
        with pytest.raises(TypeError, match='for one galaxy, there is write_'):
            write_report(read_survey(survey)[0], path)
        path.write_text('mine')
        with pytest.raises(FileExistsError, match='overwrite=True'):
            write_report(survey, path)
        assert path.read_text() == 'mine'
        assert write_report(survey, path, overwrite=True) == path
        assert path.read_text(encoding='utf-8').startswith('<!DOCTYPE html>')

    @pytest.mark.parametrize('kind', [GalaxyFlag, RingFlag])
    def test_every_flag_has_a_meaning(self, kind):
        meanings = flag_meanings(kind)
        assert list(meanings) == [bit.name for bit in kind]
        assert all(text.endswith('.') for text in meanings.values())
        assert len(set(meanings.values())) == len(meanings)


def test_command(survey, tmp_path, capsys):
    out = tmp_path / 'new' / 'r.html'
    args = ['report', str(survey), '--out', str(out), '--gallery', '3']
    assert main([*args, '--seed', '2', '--no-images']) == 0
    assert f'report: {out}' in capsys.readouterr().out
    assert sum('random sample' in card['why']
               for card in cards_of(out).values()) == 3
    assert main(args) == 1
    assert '--overwrite' in capsys.readouterr().err
    images = survey.parent / 'images'
    assert main([*args, '--images', str(images), '--overwrite',
                 '--quiet']) == 0
    assert capsys.readouterr().out == ''
    with pytest.raises(SystemExit):
        main(['report', str(survey), '--gallery', '-1'])
    assert '--gallery' in capsys.readouterr().err
    assert main(['report', str(tmp_path / 'none'), '--out',
                 str(tmp_path / 'x.html')]) == 1
    assert 'none does not exist' in capsys.readouterr().err


def test_list_of_galaxies(survey, tmp_path, capsys):
    path = write_report(survey, tmp_path / 'r.html', galaxies=[7, 2, 9, 2])
    cards = cards_of(path)
    assert {k: card['order'] for k, card in cards.items()} == {
        7: 1, 2: 2, 9: 3}
    assert cards[2]['why'] == ['in the list: 2']
    assert '3 galaxies of a list' in path.read_text(encoding='utf-8')
    with pytest.raises(ValueError, match='index 99 in the survey'):
        write_report(survey, tmp_path / 'x.html', galaxies=[99])
    with pytest.raises(ValueError, match='galaxies is empty'):
        write_report(survey, tmp_path / 'x.html', galaxies=[])
    with pytest.raises(TypeError, match='galaxies must be an integer'):
        write_report(survey, tmp_path / 'x.html', galaxies=['2'])
    table = tmp_path / 'list.csv'
    table.write_text('rank,index\n1,4\n2,0\n')
    out = tmp_path / 'list.html'
    args = ['report', str(survey), '--out', str(out), '--no-images']
    assert main([*args, '--galaxies', str(table)]) == 0
    assert set(cards_of(out)) == {0, 4}
    table.write_text('rank,number\n1,4\n')
    assert main([*args, '--galaxies', str(table), '--overwrite']) == 1
    assert "has no column 'index'" in capsys.readouterr().err


def test_ratings_of_surveys_are_kept_apart(survey, page, tmp_path):
    key = page_data(page)['survey']
    # another page of the same survey knows them
    again = write_report(survey, tmp_path / 'r.html', n_gallery=1)
    assert page_data(again)['survey'] == key
    other = tmp_path / 'run.parquet'
    shutil.copytree(survey, other)
    settings = json.loads((other / '_survey.json').read_text())
    (other / '_survey.json').write_text(json.dumps(
        {**settings, 'catalogue': 'another'}))
    moved = write_report(other, tmp_path / 'o.html', images=False)
    assert page_data(moved)['survey'] != key


@pytest.mark.skipif(BROWSER is None, reason='there is no Chromium here')
class TestBrowser:
    def dom(self, page, tmp_path, fragment):
        found = subprocess.run(
            [BROWSER, '--headless', '--no-sandbox', '--disable-gpu',
             f'--user-data-dir={tmp_path}', '--dump-dom',
             f'{page.as_uri()}#{fragment}'],
            check=True, capture_output=True, timeout=120)
        return found.stdout.decode()

    def shown(self, dom):
        return [int(k) for k in re.findall(
            r'<li class="card" data-index="(\d+)"', dom)]

    def test_sort_and_filter(self, page, tmp_path):
        dom = self.dom(page, tmp_path, 'sort=mag&desc=1')
        cards = cards_of(page)
        mags = [cards[k]['mag'] for k in self.shown(dom)]
        assert len(mags) == N
        # what is not known comes last
        assert mags[-2:] == [None, None]
        assert mags[:-2] == sorted(mags[:-2], reverse=True)
        assert '12 of 12 galaxies' in dom
        # the title of galaxy 3 is text
        assert '&lt;script&gt;alert' in dom

    def test_filter_and_open(self, page, tmp_path):
        dom = self.dom(page, tmp_path,
                       'flag=NEIGHBOUR&q=obj4&galaxy=4&sort=mag')
        assert self.shown(dom) == [4]
        assert '1 of 12 galaxies' in dom
        dialog = dom[dom.index('<dialog'):dom.index('</dialog>')]
        assert ' open' in dialog[:80]
        assert '#4 4.fits' in dialog
        assert dialog.count('<ellipse') >= 5
        assert 'Ellipticity' in dialog

    def test_failed_and_limits(self, page, tmp_path):
        dom = self.dom(page, tmp_path, 'show=failed&sort=source&desc=1')
        assert self.shown(dom) == [7, 5]
        cards = cards_of(page)
        limit = cards[0]['mag'] + 3.5
        dom = self.dom(page, tmp_path, f'mag1={limit}&band=r')
        assert self.shown(dom) == [
            k for k in sorted(cards) if cards[k]['band'] == 'r'
            and cards[k]['mag'] is not None and cards[k]['mag'] <= limit]

    def run(self, page, folder, script, fragment=''):
        """
        Run a script in the page; what it puts into OUT.
        """
        path = folder / 'scripted.html'
        text = page.read_text(encoding='utf-8')
        path.write_text(text.replace('</body>', (
            f'<pre id="out"></pre><script>{script}</script></body>')),
            encoding='utf-8')
        found = subprocess.run(
            [BROWSER, '--headless', '--no-sandbox', '--disable-gpu',
             '--disable-quic', '--no-first-run', '--disable-sync',
             '--disable-background-networking', '--disable-component-update',
             f'--user-data-dir={folder / "user"}', '--dump-dom',
             '--virtual-time-budget=3000', f'{path.as_uri()}#{fragment}'],
            check=True, capture_output=True, timeout=120)
        dom = found.stdout.decode()
        return unescape(re.search(r'<pre id="out">(.*?)</pre>', dom,
                                  re.DOTALL)[1]), dom

    def test_rate(self, page, tmp_path):
        """
        Rate by clicks and keys, and export a file that is read here.
        """
        text, dom = self.run(page, tmp_path, """
            const button = (k, grade) => document.querySelector(
              `li [data-rate="${k}"] [data-grade="${grade}"]`);
            button(4, 5).click();
            button(3, 2).click();
            button(6, 1).click();
            button(6, 1).click();
            // the other kinds of grades
            button(8, 1).click();
            button(8, 3).click();
            const key = (node, key) => node.dispatchEvent(
              new KeyboardEvent('keydown', { key, bubbles: true }));
            const card = (k) => document.querySelector(
              `li.card[data-index="${k}"] .open`);
            key(card(9), '4');
            key(card(9), '4');
            key(card(0), '4');
            key(card(0), 'Delete');
            key(document.getElementById('q'), '5');
            // in the dialog, on to the next one
            card(1).click();
            key(document.getElementById('large'), '0');
            document.getElementById('large').close();
            URL.createObjectURL = (blob) => {
              blob.text().then((text) => {
                document.getElementById('out').textContent = text;
              });
              return '#';
            };
            document.getElementById('export').click();
            """)
        sources = {k: card['source'] for k, card in cards_of(page).items()}
        rows = list(csv.reader(io.StringIO(text)))
        assert rows[0] == ['index', 'source', 'rating']
        assert {int(k): (name, float(grade))
                for k, name, grade in rows[1:]} == {
            k: (sources[k], grade)
            for k, grade in ((1, 0), (3, 2), (4, 5), (8, 3), (9, 4))}
        assert '5 rated: kept in this browser' in dom
        pressed = re.findall(r'data-grade="(\d)"[^>]*aria-pressed="true"',
                             dom[:dom.index('<dialog')])
        assert sorted(pressed) == ['0', '2', '3', '4', '5']

    def test_ratings_are_kept(self, page, tmp_path):
        key = f"pix2prof-ratings-{page_data(page)['survey']}"
        kept = json.dumps({'2': {'rating': 4, 'source': ''},
                           '5': {'rating': 'x'}})
        # (as a page that was closed left them)
        text = page.read_text(encoding='utf-8')
        path = tmp_path / 'before.html'
        path.write_text(text.replace('<body>', (
            f'<body><script>localStorage.setItem({json.dumps(key)}, '
            f'{json.dumps(kept)})</script>'), 1), encoding='utf-8')
        _, dom = self.run(path, tmp_path, '', 'show=rated&sort=rating')
        assert self.shown(dom) == [2]
        _, dom = self.run(path, tmp_path, '', 'show=unrated')
        assert self.shown(dom) == [k for k in range(N) if k != 2]

    def test_list_in_its_order(self, survey, tmp_path):
        path = write_report(survey, tmp_path / 'r.html', images=False,
                            galaxies=[7, 2, 9])
        assert self.shown(self.dom(path, tmp_path, '')) == [7, 2, 9]
        dom = self.dom(path, tmp_path, 'sort=index')
        assert self.shown(dom) == [2, 7, 9]
