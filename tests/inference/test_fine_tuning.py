# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of fine-tuning with pairs of images and profiles.
"""

import json
import warnings

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    GalaxyFlag,
    ImageProfilePair,
    Pix2ProfFitter,
    fine_tune,
)
from astro_pix2prof.inference.tuning_pairs import (
    HeldOut,
    calibrate,
    check_profiles,
    prepare_pairs,
    split_pairs,
)
from astro_pix2prof.networks.readers.rings import scale_errors
from astro_pix2prof.networks.weights import load_network, read_card

SIGMA, PIXEL = 0.03, 0.4


def make_pair(seed, *, n=64, lost=0.0, group=None, **changes):
    """
    A disc with noise and its profile; ``lost`` (in units of the noise) is
    sky that was subtracted too much around it.
    """
    rng = np.random.default_rng(seed)
    eps, theta = rng.uniform(0.1, 0.5), rng.uniform(0, np.pi)
    scale, peak = rng.uniform(3, 5), SIGMA * rng.uniform(60, 300)
    x0, y0 = (n - 1) / 2 + rng.uniform(-2, 2, 2)
    y, x = np.indices((n, n), dtype=float)
    u = (x - x0) * np.cos(theta) + (y - y0) * np.sin(theta)
    v = ((y - y0) * np.cos(theta) - (x - x0) * np.sin(theta)) / (1 - eps)
    bowl = lost * SIGMA * np.exp(-0.5 * (np.hypot(u, v) / 15)**2)
    image = (peak * np.exp(-np.sqrt(u**2 + v**2 + 1) / scale) - bowl
             + rng.normal(0, SIGMA, (n, n)))
    sma = np.arange(0.0, 0.65 * n)
    intensity = peak * np.exp(-np.sqrt(sma**2 + 1) / scale)
    options = {
        'name': f'galaxy_{seed}', 'group': group or f'galaxy_{seed}',
        'band': 'r', 'data': image, 'sigma': SIGMA, 'pixel_scale': PIXEL,
        'zeropoint': 22.5, 'centre': (x0, y0), 'sma': sma,
        'intensity': intensity, 'ellipticity': np.full(len(sma), eps),
        'theta': np.full(len(sma), np.degrees(theta)),
        'intensity_err': np.zeros(len(sma))}
    for key, value in changes.items():
        options[key] = value(options[key]) if callable(value) else value
    return ImageProfilePair(**options)


@pytest.fixture(scope='module')
def pairs():
    return [make_pair(seed) for seed in range(22)]


@pytest.fixture(scope='module')
def fitter():
    return Pix2ProfFitter(device='cpu')


@pytest.fixture(scope='module')
def prepared(fitter, pairs):
    return prepare_pairs(fitter, pairs)


@pytest.fixture(scope='module')
def tuning(pairs, tmp_path_factory):
    out = tmp_path_factory.mktemp('tuned') / 'mine.safetensors'
    return fine_tune('rings', pairs, out=out, steps=2, seed=3,
                     licence='CC0-1.0', description='discs')


def test_weights_and_card(tuning, pairs):
    """
    The file is read by the fitter, and its card tells where it is from.
    """
    card = read_card(tuning.path)
    assert card == tuning.card
    start = read_card('rings')
    assert card['start'] == {'weights': 'rings', 'sha256': start['sha256']}
    assert card['data']['pairs'] == 22
    assert card['data']['held_out'] + card['data']['trained_with'] == 22
    assert (card['licence'], card['seed']) == ('CC0-1.0', 3)
    assert card['training']['steps'] == 2
    assert 'held-out' in card['validation']['data']
    assert 'losses' in card['training']
    assert card['error_model']['sky_factor'] == start['error_model'][
        'sky_factor']
    fitter = Pix2ProfFitter(tuning.path, device='cpu')
    pair = pairs[0]
    profile = fitter(pair.data, unit='nmgy', pixel_scale=PIXEL)
    assert profile.meta['weights'] == 'mine'
    assert not profile.meta['flag'] & GalaxyFlag.OUT_OF_DOMAIN
    sma = profile['radius'].value / PIXEL
    mu = 22.5 - 2.5 * np.log10(np.interp(sma, pair.sma, pair.intensity)
                               / PIXEL**2)
    bright = mu < 24.5
    off = profile['surface_brightness'].value[bright] - mu[bright]
    assert np.median(np.abs(off)) < 0.03


def test_table(tuning):
    table = tuning.table
    assert table['weights'].tolist() == ['before', 'after']
    # what was calibrated holds
    assert abs(table['within_1_sigma'][1] - 0.683) < 0.03
    assert table['median_error'].unit == 'mag'
    text = str(tuning)
    assert str(tuning.path) in text
    assert ('did not become better' in text) != tuning.improved


def test_not_better_keeps_the_start(pairs, tmp_path, monkeypatch):
    """
    Without a gain, the weights are those of the start, and it says so.
    """
    from astro_pix2prof.inference import fine_tuning

    monkeypatch.setattr(
        fine_tuning, 'pair_errors',
        lambda reader, frames: (np.arange(len(frames)), None))
    tuning = fine_tune('rings', pairs, out=tmp_path / 'a.safetensors',
                       steps=1)
    assert not tuning.improved
    # the same weights have the same errors
    for name in ('median_error', 'mean_error', 'bias'):
        before, after = tuning.table[name]
        np.testing.assert_allclose(after.value, before.value, rtol=1e-5)
    assert 'those of the start' in tuning.card['result']
    assert 'did not become better' in str(tuning)
    tuned, start = (load_network(weights)[0].state_dict()
                    for weights in (tuning.path, 'rings'))
    for name, value in start.items():
        if not name.startswith('domain.'):
            assert (tuned[name] == value).all()


def test_frames_are_those_of_the_fitter(fitter, pairs, prepared):
    """
    The centre of the profile is where the galaxy is in the frame.
    """
    for item, pair in zip(prepared, pairs, strict=True):
        assert item.name == pair.name
        found = np.subtract(item.caption.centre, pair.centre)
        assert np.hypot(*found) < 1
        frame = item.pair.frame
        y, x = (round(v) for v in item.pair.centre[::-1])
        peak = frame.image[y - 1:y + 2, x - 1:x + 2].max()
        assert peak > 0.9 * frame.image.max()


def test_trimmed_frames(fitter):
    """
    Borders without pixels are cut off, and the centre moves with them.
    """
    pair = make_pair(1)
    pair.mask[:, :20] = True
    item, = prepare_pairs(fitter, [pair])
    shift = np.subtract(item.pair.centre, pair.centre)
    assert shift[0] != 0
    frame, (x, y) = item.pair.frame, item.pair.centre
    peak = np.unravel_index(frame.image.argmax(), frame.image.shape)
    assert np.hypot(peak[1] - x, peak[0] - y) < 2


def test_split_keeps_groups(fitter):
    pairs = [make_pair(k, group=f'g{k // 3}') for k in range(18)]
    train, held = split_pairs(prepare_pairs(fitter, pairs), 0.3, 1)
    groups = [{item.pair.group for item in part} for part in (train, held)]
    assert not groups[0] & groups[1]
    assert len(train) + len(held) == 18
    assert 5 <= len(held) <= 7


def test_calibration(fitter, prepared):
    """
    68% of the rings are within the errors, by the factors of the card.
    """
    errors = HeldOut.measure(fitter, prepared)
    rings = errors.rings._replace(scatter=errors.rings.scatter * 3)
    model = calibrate(HeldOut(rings, errors.stated),
                      fitter.card['error_model'])
    scaled = scale_errors(model, rings.value, rings.scatter, rings.sma)
    assert abs(np.mean(np.abs(rings.difference) < scaled) - 0.683) < 0.03
    assert model['sky_factor'] == fitter.card['error_model']['sky_factor']
    assert {'length', 'smooth', 'common'} == set(model['correlation'])
    for name in ('eps_error', 'pa_error', 'enclosed_error', 'centre_error'):
        assert f'factor_{name}' in model


def test_calibration_of_few(fitter, prepared):
    """
    What few pairs do not tell is that of the start.
    """
    start = fitter.card['error_model']
    errors = HeldOut.measure(fitter, prepared[:6])
    model = calibrate(HeldOut(errors.rings, {}), start)
    assert len(model['factor']) == 1
    assert model['correlation'] == start['correlation']
    assert model['factor_pa_error'] == start['factor_pa_error']


def test_too_few_pairs(pairs, tmp_path):
    with pytest.raises(ValueError, match='20 usable pairs are needed at '
                                         'least, got 3'):
        fine_tune('rings', pairs[:3], out=tmp_path / 'a.safetensors')
    assert not list(tmp_path.iterdir())


def test_one_galaxy(fitter, tmp_path):
    pairs = [make_pair(k, group='all') for k in range(20)]
    with pytest.raises(ValueError, match='all are of one galaxy or group'):
        fine_tune('rings', pairs, out=tmp_path / 'a.safetensors')


def test_other_units(pairs, tmp_path):
    """
    Profiles in the units of another zero point are refused.
    """
    wrong = [make_pair(k, intensity=lambda v: 1000 * v) for k in range(20)]
    with pytest.raises(ValueError, match=r'7.5 mag brighter than the images '
                                         r'\(median\)'):
        fine_tune('rings', wrong, out=tmp_path / 'a.safetensors')


def test_doubtful_units(fitter):
    found = prepare_pairs(fitter, [make_pair(k, intensity=lambda v: 2 * v)
                                   for k in range(6)])
    with pytest.warns(AstropyUserWarning, match='6 of 6 profiles are more '
                                                'than 0.5 mag'):
        check_profiles(found)


def test_wrong_radii(fitter):
    """
    Radii in pixels of another image are found.
    """
    found = prepare_pairs(fitter, [make_pair(k, sma=lambda v: 0.6 * v)
                                   for k in range(8)])
    with pytest.warns(AstropyUserWarning, match='more than 0.5 mag'), (
            pytest.warns(AstropyUserWarning,
                         match=r'with 1\.[5678] times as large')):
        check_profiles(found)


def test_right_radii(prepared):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        check_profiles(prepared)


def test_unusable_pairs_are_left_out(fitter, pairs):
    """
    Pairs whose galaxy is not seen are left out, NaN does no harm.
    """
    faint = make_pair(30, intensity=lambda v: 1e-6 * v)

    def holes(values):
        values = values.copy()
        values[:4] = values[20:] = np.nan
        return values

    gaps = make_pair(31, intensity=holes)
    with pytest.warns(AstropyUserWarning,
                      match=r'galaxy_30: the profile has no ring .*left out'):
        found = prepare_pairs(fitter, [faint, gaps, pairs[0]])
    assert [item.name for item in found] == ['galaxy_31', 'galaxy_0']
    assert found[0].pair.radii()[0] == 4
    errors = HeldOut.measure(fitter, found)
    assert np.isfinite(errors.rings.per_image).all()


def test_wrong_arguments(pairs, tmp_path, monkeypatch):
    out = tmp_path / 'a.safetensors'
    with pytest.raises(ValueError, match='out must end in'):
        fine_tune('rings', pairs, out=tmp_path / 'a.pt')
    with pytest.raises(ValueError, match='labels are for the encoder'):
        fine_tune('rings', pairs, out=out, labels='ring')
    with pytest.raises(ValueError, match='weights must be those of a ring '
                                         'network'):
        fine_tune('captioner', pairs, out=out)
    with pytest.raises(TypeError, match='number 0 is a int'):
        fine_tune('rings', [1, 2], out=out)
    with pytest.raises(TypeError, match='must be a folder of pairs'):
        fine_tune('rings', 3, out=out)
    with pytest.raises(ValueError, match='validation must be'):
        fine_tune('rings', pairs, out=out, validation=0.9)
    with pytest.raises(ValueError, match='unfreeze must be'):
        fine_tune('rings', pairs, out=out, unfreeze='some')
    with pytest.raises(ValueError, match='steps must be'):
        fine_tune('rings', pairs, out=out, steps=0)
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match=r'out: .*/file is not a folder: give '
                                      r'another place for b\.safetensors'):
        fine_tune('rings', pairs, out=tmp_path / 'file' / 'b.safetensors')
    monkeypatch.setattr('os.access', lambda path, mode: False)
    with pytest.raises(OSError, match=r'out: .* may not be written to: gi'):
        fine_tune('rings', pairs, out=tmp_path / 'new' / 'b.safetensors')
    out.with_suffix('.json').write_text('{}')
    with pytest.raises(OSError, match='exists; give overwrite=True'):
        fine_tune('rings', pairs, out=out)


def test_from_folder_by_command(pairs, tmp_path, capsys):
    """
    The command reads a folder of pairs and prints before and after.
    """
    from astropy.io import fits
    from astropy.table import Table

    from astro_pix2prof.cli.main import main

    folder = tmp_path / 'pairs'
    folder.mkdir()
    for pair in pairs[:20]:
        header = fits.Header()
        header['BUNIT'] = 'nanomaggy'
        header['CTYPE1'], header['CTYPE2'] = 'RA---TAN', 'DEC--TAN'
        header['CDELT1'], header['CDELT2'] = -PIXEL / 3600, PIXEL / 3600
        header['CRPIX1'] = header['CRPIX2'] = 32.5
        header['XTRUE'], header['YTRUE'] = pair.centre
        truth = Table([pair.sma, pair.intensity, pair.ellipticity,
                       pair.theta], names=['sma', 'intensity',
                                           'ellipticity', 'theta'])
        fits.HDUList([fits.PrimaryHDU(pair.data, header),
                      fits.BinTableHDU(truth, name='TRUTH')]).writeto(
            folder / f'{pair.name}.fits')
    out = tmp_path / 'my.safetensors'
    status = main(['fine-tune', 'rings', '--pairs', str(folder), '--out',
                   str(out), '--steps', '1', '--unfreeze', 'last',
                   '--licence', 'CC0-1.0'])
    text = capsys.readouterr().out
    assert status == 0
    assert 'before' in text
    assert 'after' in text
    card = json.loads(out.with_suffix('.json').read_text())
    assert card['training']['unfreeze'] == 'last'
    assert card['data']['source'] == str(folder)


def test_wrong_usage_of_the_command(tmp_path, monkeypatch, capsys):
    from astro_pix2prof.cli.main import main
    from astro_pix2prof.cli.output import option_text

    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.py').write_text('x = 1')
    (tmp_path / 'a.csv').write_text('id,size\n1,1.5\n2,2.5\n')
    for args, text in (
            ('rings --pairs none', 'argument --pairs: none is not a folder'),
            ('rings --pairs . --steps 0', 'argument --steps: must be an'),
            ('rings --pairs . --minutes -1', 'argument --minutes: must be'),
            ('rings --pairs . --validation 0.9', '--validation: must be')):
        with pytest.raises(SystemExit) as info:
            main(['fine-tune', *args.split(), '--out', 'x.safetensors'])
        assert info.value.code == 2
        assert text in capsys.readouterr().err
    for table, text in (
            ('none.csv', 'no such file: none.csv'),
            ('a.py', '--table: a.py cannot be read as a table: it is no CSV, '
                     'ECSV, FITS, Parquet or VOTable file')):
        assert main(['fine-tune', 'encoder', '--table', table, '--label',
                     'size', '--out', 'x.safetensors']) == 1
        assert capsys.readouterr().err.endswith(f'{text}\n')
    assert option_text('labels: size must hold classes, got numbers such as '
                       '1.5; give kind numbers', fine_tune_parser()) == (
        '--label: size must hold classes, got numbers such as 1.5; give '
        '--kind numbers')


def fine_tune_parser():
    import argparse

    from astro_pix2prof.cli.fine_tune import add_fine_tune_command

    commands = argparse.ArgumentParser().add_subparsers()
    add_fine_tune_command(commands)
    return commands.choices['fine-tune']


@pytest.mark.slow
def test_learns_a_survey_that_loses_light(tmp_path):
    """
    Where a pipeline takes light from every galaxy, profiles become better,
    also those of other galaxies, and the errors hold.
    """
    out = tmp_path / 'bowl.safetensors'
    tuning = fine_tune('rings', [make_pair(k, lost=0.6) for k in range(100)],
                       out=out, steps=60, seed=1)
    assert tuning.improved
    start = Pix2ProfFitter(device='cpu')
    test = prepare_pairs(start, [make_pair(1000 + k, lost=0.6)
                                 for k in range(50)])
    before, after = (HeldOut.measure(fitter, test).summary() for fitter in (
        start, Pix2ProfFitter(out, device='cpu')))
    assert after['mean_error'] < 0.85 * before['mean_error']
    assert 0.55 < after['within_1_sigma'] < 0.8
