# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Random instances of each kind of flaw that real frames have.

A failure is a profile that is wrong without saying so. A profile is right if
the median difference from the truth is below 0.05 mag, or below three stated
errors; it says so if it has one of the flags ``DOUBT``. How many profiles
need this excuse is counted, too: flags on everything would excuse all.

Each slow test draws 20 instances with a fixed seed. (Holes of other kinds:
``test_filling.py``; blanks alone: ``image/test_blanks.py``.)
"""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Sersic2D
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
    measure_structure,
    read_profile,
    read_survey,
    run_survey,
)
from astro_pix2prof.cli.main import main

N = 20
SIGMA, PIXEL = 0.03, 0.5
OPTIONS = {'unit': 'nmgy', 'pixel_scale': PIXEL}

# What says that a profile may be wrong
DOUBT = (GalaxyFlag.CENTRE_UNCERTAIN | GalaxyFlag.NEIGHBOUR
         | GalaxyFlag.TRUNCATED | GalaxyFlag.SKY_UNCERTAIN
         | GalaxyFlag.NO_SOURCE | GalaxyFlag.OUT_OF_DOMAIN
         | GalaxyFlag.HEAVILY_MASKED | GalaxyFlag.FIXED_ELLIPSES)
GUESSED = RingFlag.EXTRAPOLATED | RingFlag.FEW_PIXELS | RingFlag.EDGE


class Scene:
    """
    A galaxy with known light, as a camera sees it.
    """

    def __init__(self, rng, *, size=128, shift=3.0, centre=None, level=None,
                 r_e=(6, 12), n=(0.7, 2.5), q=(0.45, 1.0)):
        self.shape = (size, size)
        self.centre = (size / 2 + rng.uniform(-shift, shift, 2)
                       if centre is None else np.array(centre))
        self.level = np.exp(rng.uniform(-1.5, 0.7)) if level is None else level
        self.r_e, self.n, self.q = (rng.uniform(*part)
                                    for part in (r_e, n, q))
        self.theta = rng.uniform(0, np.pi)
        y, x = np.mgrid[:size, :size].astype(float)
        model = Sersic2D(self.level, self.r_e, self.n, *self.centre,
                         1 - self.q, self.theta)
        steps = (np.arange(4) + 0.5) / 4 - 0.5
        image = sum(model(x + dx, y + dy) for dx in steps for dy in steps)
        self.clean = gaussian_filter(image / 16, 1.2)
        self.noise = rng.normal(0, SIGMA, self.shape)
        self.image = self.clean + self.noise

    def grid(self):
        """
        The pixels, from the centre.
        """
        y, x = np.mgrid[:self.shape[0], :self.shape[1]]
        return x - self.centre[0], y - self.centre[1]

    def true(self, sma):
        """
        The value on the isophote with a semi-major axis.

        (The point-spread function makes isophotes rounder than ellipses of
        the model: it is the major axis that tells.)
        """
        along = np.array([sma, -sma])
        x = self.centre[0] + along * np.cos(self.theta)
        y = self.centre[1] + along * np.sin(self.theta)
        return map_coordinates(self.clean, [y, x], order=3).mean(axis=0)

    def part_of_ring(self, sma, pixels):
        """
        The part of ellipses that lies in some pixels.
        """
        angle = np.linspace(0, 2 * np.pi, 128, endpoint=False)
        u = np.outer(sma, np.cos(angle))
        v = np.outer(sma, self.q * np.sin(angle))
        cos, sin = np.cos(self.theta), np.sin(self.theta)
        x = self.centre[0] + u * cos - v * sin
        y = self.centre[1] + u * sin + v * cos
        return map_coordinates(pixels.astype(float), [y, x],
                               order=1).mean(axis=1)


def verdict(profile, scene, *, inner=2.5, faint=0.4):
    """
    Judge a profile: 'right', 'said' (wrong, as its flag says) or 'wrong'.
    """
    sma = profile['radius'].value / PIXEL
    true = scene.true(sma) / PIXEL**2
    part = (sma > inner) & (true > faint * SIGMA / PIXEL**2)
    part &= np.isfinite(profile['intensity'].value)
    if np.count_nonzero(part) < 3:
        good = False
    else:
        value, error = (profile[name].value[part]
                        for name in ('intensity', 'intensity_err'))
        change = -2.5 * np.log10(np.maximum(value, 1e-9) / true[part])
        score = np.abs(value - true[part]) / error
        good = abs(np.median(change)) < 0.05 or np.median(score) < 3
        # nor may some rings be far off, unless these say so themselves
        sure = (profile['flag'][part] & int(GUESSED)) == 0
        far = (score > 5) & (np.abs(change) > 0.2)
        good &= np.count_nonzero(far & sure) <= 0.1 * len(far)
    if good:
        return 'right'
    return 'said' if profile.meta['flag'] & int(DOUBT) else 'wrong'


def check_verdicts(verdicts, excused):
    """
    Assert that no profile is wrong, and few are excused by their flag.
    """
    wrong, said = ([k for k, name in enumerate(verdicts) if name == kind]
                   for kind in ('wrong', 'said'))
    assert wrong == [], f'wrong: {wrong}; said: {said}'
    assert len(said) <= excused, f'said: {said}'


def fit(fitter, image, **options):
    """
    A profile; warnings are for other tests.
    """
    if isinstance(image, np.ndarray):
        options = {**OPTIONS, **options}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyUserWarning)
        return fitter(image, **options)


def largest_change(one, two, factor=1.0):
    """
    The largest change of a ring in units of its error.
    """
    n = min(len(one), len(two))
    assert n >= max(len(one), len(two)) - 2
    value, error = (one[name].value[:n]
                    for name in ('intensity', 'intensity_err'))
    return np.nanmax(np.abs(two['intensity'].value[:n] / factor - value)
                     / error)


FITTERS = {'rings': Pix2ProfFitter(device='cpu'), 'isophotes':
           IsophoteFitter()}
both = pytest.mark.parametrize('method', list(FITTERS))


# Kind 1: missing pixels near the nucleus.

def hide(scene, rng, kind):
    """
    Hide pixels: the options of a call, and the image.
    """
    x, y = scene.grid()
    image = scene.image.copy()
    d, width = rng.uniform(3, 14), rng.integers(2, 13)
    angle = rng.uniform(0, 2 * np.pi)
    if kind == 'star':
        near = np.hypot(x - d * np.cos(angle), y - d * np.sin(angle))
        return image, {'mask': near < rng.uniform(3, 9)}
    if kind == 'columns':
        image[:, (x[0] > d - 4) & (x[0] < d - 4 + width)] = np.nan
        return image, {}
    if kind == 'rows':
        weight = np.full(scene.shape, SIGMA**-2)
        weight[(y[:, 0] > d - 4) & (y[:, 0] < d - 4 + width)] = 0
        return image, {'invvar': weight}
    if kind == 'pixel':
        return image, {'mask': np.hypot(x, y) == np.hypot(x, y).min()}
    # the edge of the frame
    first = int(scene.centre[0] - d)
    return image[:, first:], {'position': (scene.centre[0] - first,
                                           scene.centre[1])}


@pytest.mark.slow
@both
def test_missing_pixels(method):
    rng = np.random.default_rng(101)
    verdicts = []
    for k in range(N):
        scene = Scene(rng)
        kind = ('star', 'columns', 'rows', 'pixel', 'edge')[k % 5]
        image, options = hide(scene, rng, kind)
        profile = fit(FITTERS[method], image, **options)
        verdicts.append(verdict(profile, scene))
    check_verdicts(verdicts, 3)


# Kind 2: blanks that are filled with a constant.

def blank_area(scene, rng, kind):
    x, y = scene.grid()
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    first = rng.uniform(4, 40)
    if kind == 'corner':
        return (x + y) > rng.uniform(20, 70)
    if kind == 'strip':
        return (along > first) & (along < first + rng.uniform(2, 20))
    if kind == 'side':
        return along > first
    return np.hypot(x, y) > rng.uniform(30, 55)


@pytest.mark.slow
@both
def test_constant_blanks(method):
    """
    They count as missing: ``n_valid`` tells, to 5% of a ring.
    """
    rng = np.random.default_rng(102)
    verdicts, miscounted = [], []
    for k in range(N):
        scene = Scene(rng)
        kind = ('corner', 'strip', 'side', 'round')[k % 4]
        blank = blank_area(scene, rng, kind)
        level = rng.choice([0.0, -99.0, -2 * SIGMA, 1e9, rng.normal()])
        profile = fit(FITTERS[method], np.where(blank, level, scene.image))
        verdicts.append(verdict(profile, scene))
        sma = profile['radius'].value / PIXEL
        part = (sma > 5) & (scene.true(sma) > SIGMA)
        valid = scene.part_of_ring(sma, ~blank)
        off = np.abs(profile['n_valid'] - valid)[part]
        # (what else is masked, as objects, counts in the same column)
        miscounted.append(part.any() and np.median(off) > 0.05)
    check_verdicts(verdicts, 3)
    assert not any(miscounted), np.flatnonzero(miscounted)


# Kind 3: conventions of archives. Flux in nanomaggies, as documented there.

def archive(name, flux, rng):
    """
    The pixels and cards with which an archive would publish an image.
    """
    time, zero = float(rng.uniform(20, 3000)), float(rng.uniform(23, 31))
    counts = flux * 10**(0.4 * (zero - 22.5))
    pogson = 2.5 / np.log(10)
    photplam = float(rng.uniform(4000, 16000))
    photflam = 10**rng.uniform(-20.5, -18)
    rate = flux * 3.631e-6 * 2.99792458e-5 / photplam**2 / photflam
    sr = (PIXEL / 206264.806)**2
    # (what FPA.ZP says is per second, and pixels are not)
    stack = counts * time
    return {
        'PS1': lambda: (stack, {'FPA.ZP': zero, 'EXPTIME': time}),
        'PS1 packed': lambda: (
            pogson * np.arcsinh((stack - 3.0) / (2 * 5.0)),
            {'FPA.ZP': zero, 'EXPTIME': time, 'BSOFTEN': 5.0,
             'BOFFSET': 3.0}),
        'SDSS': lambda: (flux, {'BUNIT': 'nanomaggy', 'EXPTIME': 53.9}),
        'DES': lambda: (counts, {'MAGZERO': zero, 'EXPTIME': time,
                                 'INSTRUME': 'DECam'}),
        'ZTF': lambda: (counts, {'MAGZP': zero, 'EXPTIME': time,
                                 'BUNIT': 'DN', 'INSTRUME': 'ZTF/MOSAIC'}),
        'UNIONS': lambda: (counts, {'PHOTZP': zero, 'EXPTIME': time,
                                    'BUNIT': 'adu', 'INSTRUME': 'MegaPrime'}),
        'KiDS': lambda: (flux * 1e-9, {'PHOTZP': 0.0, 'PHOTSYS': 'AB',
                                       'EXPTIME': time, 'BUNIT': 'adu'}),
        'VISTA': lambda: (stack, {'MAGZPT': zero, 'EXPTIME': time,
                                  'INSTRUME': 'VIRCAM', 'BUNIT': 'adu'}),
        'HSC': lambda: (counts, {'FLUXMAG0': 10**(0.4 * zero)}),
        'Euclid': lambda: (flux * 10**0.56, {
            'MAGZERO': 23.9, 'EXPTIME': 2280.0, 'TELESCOP': 'EUCLID'}),
        'LSST': lambda: (flux * 3631, {'BUNIT': 'nJy'}),
        'HST': lambda: (rate, {
            'PHOTFLAM': photflam, 'PHOTPLAM': photplam, 'EXPTIME': time,
            'BUNIT': 'ELECTRONS/S'}),
        'HST counts': lambda: (rate * time, {
            'PHOTFLAM': photflam, 'PHOTPLAM': photplam, 'EXPTIME': time,
            'BUNIT': 'ELECTRONS'}),
        'JWST': lambda: (flux * 3.631e-12 / sr, {
            'BUNIT': 'MJy/sr', 'PHOTMJSR': 0.3, 'XPOSURE': time}),
        'JWST rates': lambda: (flux * 3.631e-12 / sr / 0.7, {
            'BUNIT': 'DN/s', 'PHOTMJSR': 0.7, 'XPOSURE': time}),
    }[name]()


ARCHIVES = ('PS1', 'PS1 packed', 'SDSS', 'DES', 'ZTF', 'UNIONS', 'KiDS',
            'VISTA', 'HSC', 'Euclid', 'LSST', 'HST', 'HST counts', 'JWST',
            'JWST rates')


def make_hdu(pixels, cards):
    """
    An image with the WCS of a survey.
    """
    header = fits.Header()
    header['CTYPE1'], header['CTYPE2'] = 'RA---TAN', 'DEC--TAN'
    header['CRVAL1'], header['CRVAL2'] = 150.0, 2.0
    header['CRPIX1'] = header['CRPIX2'] = (len(pixels) + 1) / 2
    header['CD1_1'], header['CD2_2'] = -PIXEL / 3600, PIXEL / 3600
    for key, value in cards.items():
        header[f'HIERARCH {key}' if '.' in key else key] = value
    return fits.PrimaryHDU(pixels.astype('f4'), header)


def check_archive(name, rng):
    """
    An image as an archive has it; no pixel may be wrong, nor a warning.
    """
    scene = Scene(rng)
    # (another brightness, with the noise)
    factor = 10**rng.uniform(-1, 1)
    hdu = make_hdu(*archive(name, scene.image * factor, rng))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        cutout = GalaxyCutout(hdu)
    bright = scene.image > 5 * SIGMA
    expected = -2.5 * np.log10(scene.image[bright] * factor / PIXEL**2)
    found = cutout.sb_zeropoint - 2.5 * np.log10(
        cutout.data[bright] * cutout.intensity_scale)
    np.testing.assert_allclose(found, 22.5 + expected, atol=2e-3)
    return cutout, scene.image * factor


@pytest.mark.slow
@pytest.mark.parametrize('name', ARCHIVES)
def test_archives(name):
    """
    The brightness of each pixel, and of the last profile.
    """
    rng = np.random.default_rng(103)
    for _ in range(N):
        cutout, image = check_archive(name, rng)
    profile, plain = (fit(FITTERS['rings'], data)
                      for data in (cutout, image))
    n = min(len(profile), len(plain)) - 6
    np.testing.assert_allclose(
        profile['surface_brightness'].value[:n],
        plain['surface_brightness'].value[:n], atol=5e-3)


@pytest.mark.parametrize('name', ARCHIVES)
def test_pixels_of_archive(name):
    """
    The pixels have the magnitudes that the archive documents.
    """
    check_archive(name, np.random.default_rng(113))


# Kind 4: a sky that is left over.

@pytest.mark.slow
@both
def test_left_over_sky(method):
    """
    -3 to 3 sigma, and a galaxy that fills its frame with -1 to 1 sigma.
    """
    rng = np.random.default_rng(104)
    verdicts = []
    for k in range(N):
        fills = k % 2
        scene = Scene(rng, r_e=(18, 30) if fills else (6, 12), n=(0.8, 1.5))
        level = rng.uniform(-1, 1) if fills else rng.uniform(-3, 3)
        profile = fit(FITTERS[method], scene.image + level * SIGMA)
        verdicts.append(verdict(profile, scene))
    check_verdicts(verdicts, 4)


@pytest.mark.slow
@both
def test_constants(method):
    """
    No constant changes a ring by more than 0.1 of its error.
    """
    rng = np.random.default_rng(114)
    changes = []
    for k in range(N):
        scene = Scene(rng, r_e=(6, 12) if k % 2 else (15, 30))
        level = SIGMA * rng.choice([rng.uniform(-5, 5),
                                    10**rng.uniform(1, 3)])
        one, two = (fit(FITTERS[method], scene.image + sky)
                    for sky in (0, level))
        changes.append(largest_change(one, two))
    assert np.flatnonzero(np.array(changes) > 0.1).size == 0, changes


# Kind 5: units and scales.

@pytest.mark.slow
@both
def test_scales(method):
    """
    No scale changes a ring by more than 0.1 of its error.
    """
    rng = np.random.default_rng(105)
    changes = []
    for _ in range(N):
        scene = Scene(rng)
        factor = 10**rng.uniform(-12, 12)
        one = fit(FITTERS[method], scene.image)
        two = FITTERS[method](scene.image * factor, pixel_scale=PIXEL,
                              zeropoint=22.5 + 2.5 * np.log10(factor))
        changes.append(largest_change(one, two, factor))
        n = min(len(one), len(two)) - 6
        np.testing.assert_allclose(
            two['surface_brightness'].value[:n],
            one['surface_brightness'].value[:n],
            atol=5e-3)
    assert np.flatnonzero(np.array(changes) > 0.1).size == 0, changes


# Kind 6: isophotes in frames that are not what they should be.

def spoil(scene, rng, kind):
    """
    The image and options of a bad frame, and the radius that is good.
    """
    x, y = scene.grid()
    image, radius = scene.image.copy(), rng.uniform(2, 7)
    row, column = np.round(scene.centre[::-1]).astype(int)
    if kind == 'core':
        return image, {'mask': np.hypot(x, y) < radius}, radius + 2
    if kind == 'cosmic ray':
        image[row + rng.integers(-2, 3), column + rng.integers(-2, 3)] += (
            10**rng.uniform(1, 3))
    elif kind == 'tilt':
        angle = rng.uniform(0, 2 * np.pi)
        image += rng.uniform(0.3, 1) * SIGMA * (
            x * np.cos(angle) + y * np.sin(angle)) / 128
    elif kind == 'trail':
        d = int(column + rng.choice([-1, 1]) * rng.integers(9, 30))
        image[:, d:d + rng.integers(1, 4)] += 10**rng.uniform(0, 2)
    return image, {}, 2.5


@pytest.mark.slow
def test_isophotes():
    rng = np.random.default_rng(106)
    fitter = FITTERS['isophotes']
    verdicts, off = [], []
    for k in range(N):
        scene = Scene(rng)
        kind = ('core', 'cosmic ray', 'tilt', 'trail')[k % 4]
        image, options, inner = spoil(scene, rng, kind)
        profile = fit(fitter, image, **options)
        verdicts.append(verdict(profile, scene, inner=inner, faint=1.0))
        centre = [profile.meta[key] for key in ('x_centre', 'y_centre')]
        off.append(np.hypot(*(centre - scene.centre)))
    check_verdicts(verdicts, 2)
    assert max(off) < 2, off


@pytest.mark.slow
def test_isophotes_last_digit():
    """
    Noise of 1e-7 changes nothing by more than 0.003 mag.
    """
    rng = np.random.default_rng(116)
    fitter = FITTERS['isophotes']
    changes = []
    for _ in range(N):
        scene = Scene(rng)
        one = fit(fitter, scene.image)
        two = fit(fitter, scene.image * (1 + 1e-7 * rng.standard_normal(
            scene.shape)))
        n = min(len(one), len(two))
        snr = (one['intensity'] / one['intensity_err']).value[:n]
        change = np.abs(one['surface_brightness'][:n]
                        - two['surface_brightness'][:n]).value
        changes.append(np.max(change[snr > 2]))
    assert np.flatnonzero(np.array(changes) > 0.003).size == 0, changes


@pytest.mark.slow
def test_isophotes_large_frame():
    """
    A small galaxy in a large frame has the profile it has in a small one.
    """
    rng = np.random.default_rng(126)
    fitter = FITTERS['isophotes']
    verdicts = []
    for _ in range(N):
        scene = Scene(rng, r_e=(4, 8))
        x, y = rng.integers(0, 900 - 128, 2)
        large = rng.normal(0, SIGMA, (900, 900))
        large[y:y + 128, x:x + 128] = scene.image
        profile = fit(fitter, large, position=scene.centre + (x, y))
        verdicts.append(verdict(profile, scene))
    check_verdicts(verdicts, 1)


# Kind 7: a second look, a WCS that is singular, totals.

@pytest.mark.slow
def test_far_from_position():
    rng = np.random.default_rng(107)
    verdicts = []
    for _ in range(N):
        angle, d = rng.uniform(0, 2 * np.pi), rng.uniform(20, 40)
        centre = 96 + d * np.array([np.cos(angle), np.sin(angle)])
        scene = Scene(rng, size=192, centre=centre)
        verdicts.append(verdict(fit(FITTERS['rings'], scene.image), scene))
    check_verdicts(verdicts, 2)


def break_wcs(hdu, rng):
    """
    Make the matrix of a WCS singular.
    """
    a, b, c = rng.normal(0, 1e-4, 3)
    matrix = [(0, 0, a, b), (a, 0, b, 0), (0, 0, 0, 0),
              (a, b, c * a, c * b)][rng.integers(4)]
    for name, value in zip(('CD1_1', 'CD1_2', 'CD2_1', 'CD2_2'), matrix,
                           strict=True):
        hdu.header[name] = value


@pytest.mark.slow
def test_singular_wcs():
    """
    A pixel scale overrules it: the profile is that of the array, exactly.
    """
    rng = np.random.default_rng(117)
    for _ in range(N):
        scene = Scene(rng)
        hdu = make_hdu(scene.image, {'BUNIT': 'nanomaggy'})
        break_wcs(hdu, rng)
        with pytest.warns(AstropyUserWarning, match='WCS'):
            profile = FITTERS['rings'](hdu, pixel_scale=PIXEL)
        plain = fit(FITTERS['rings'], scene.image.astype('f4'))
        np.testing.assert_array_equal(profile['intensity'].value,
                                      plain['intensity'].value)
        with pytest.raises(ValueError, match='pixel_scale='):
            FITTERS['rings'](hdu)


@pytest.mark.slow
@both
def test_truncated_totals(method):
    """
    Light beyond the frame is counted within its error, and its part told.
    """
    rng = np.random.default_rng(127)
    wrong, unflagged = [], []
    for k in range(N):
        scene = Scene(rng, size=224, r_e=(15, 25), n=(0.8, 3.0),
                      level=rng.uniform(0.5, 3), shift=0)
        half = int(rng.uniform(1.3, 2.2) * scene.r_e)
        cut = np.s_[112 - half:113 + half]
        profile = fit(FITTERS[method], scene.image[cut, cut])
        row = measure_structure(profile)
        y, x = np.mgrid[:2000, :2000] - 1000.0
        total = Sersic2D(scene.level, scene.r_e, scene.n, 0, 0, 1 - scene.q)(
            x, y).sum()
        true = 22.5 - 2.5 * np.log10(total)
        value, error, part = (float(np.asarray(row[name]).ravel()[0])
                              for name in ('mag_total', 'mag_total_err',
                                           'extrapolated_fraction'))
        if not (abs(value - true) < max(0.05, 3 * error) and error < 1
                and 0 <= part < 1):
            wrong.append((k, value - true, error))
        if not profile.meta['flag'] & GalaxyFlag.TRUNCATED:
            unflagged.append(k)
    assert wrong == []
    assert unflagged == []


@pytest.mark.slow
@both
def test_absent_galaxy(method):
    """
    Where nothing is, there is no total.
    """
    rng = np.random.default_rng(137)
    seen = []
    for k in range(N):
        image = SIGMA * rng.normal(size=(128, 128)) + rng.normal()
        row = measure_structure(fit(FITTERS[method], image))
        if np.isfinite(np.asarray(row['mag_total'], dtype=float)).any():
            seen.append(k)
    assert seen == []


# Kind 8: noise that is correlated.

@pytest.mark.slow
@both
def test_correlated_noise(method):
    """
    Between 0.55 and 0.95 of the rings are within their error.
    """
    rng = np.random.default_rng(108)
    within, twice = [], []
    for _ in range(N):
        scene = Scene(rng)
        smooth = gaussian_filter(scene.noise, rng.uniform(0.4, 1.1))
        image = scene.clean + SIGMA * smooth / smooth.std()
        profile = fit(FITTERS[method], image)
        sma = profile['radius'].value / PIXEL
        true = scene.true(sma) / PIXEL**2
        part = (sma > 4) & (true > 0.1 * SIGMA / PIXEL**2)
        score = np.abs(profile['intensity'].value - true)[part]
        score /= profile['intensity_err'].value[part]
        within.append((score < 1).mean())
        twice.append((score < 2).mean())
    assert 0.55 < np.mean(within) < 0.95
    assert np.mean(twice) > 0.85


# Kind 9: masks and errors from files.

def write_files(folder, k, rng):
    """
    An image, and its mask, error and sky in files of another folder.

    (Beside the image, those that a run does not ask for would be told.)
    """
    planes = folder / 'planes'
    planes.mkdir(exist_ok=True)
    scene = Scene(rng)
    x, y = scene.grid()
    star = np.hypot(x - rng.uniform(-20, 20), y - 9) < rng.uniform(2, 7)
    mask = np.where(star, 4, 0) | np.where(x > 40, 1, 0)
    sigma = SIGMA * (1 + 0.3 * rng.random(scene.shape))
    sky = rng.normal() + 0.001 * x
    fits.writeto(folder / f'g{k}.fits', (scene.image + sky).astype('f4'))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((4, 4), 'u1')),
                  fits.ImageHDU(mask.astype('i2'), name='M')]).writeto(
        planes / f'g{k}_m.fits')
    fits.writeto(planes / f'g{k}_sigma.fits', sigma)
    fits.writeto(planes / f'g{k}_invvar.fits', sigma**-2)
    fits.writeto(planes / f'g{k}_sky.fits', sky)
    return {'image': (scene.image + sky).astype('f4'), 'mask': mask,
            'uncertainty': sigma, 'invvar': sigma**-2, 'background': sky}


def companions(k):
    """
    Which files go with a run: options, templates and bits.
    """
    names = ['mask'] * (k % 2) + ['background'] * (k // 2 % 2)
    names += [['uncertainty'], ['invvar'], []][k % 3]
    files = {'mask': 'planes/{name}_m.fits[M]',
             'uncertainty': 'planes/{name}_sigma.fits',
             'invvar': 'planes/{name}_invvar.fits',
             'background': 'planes/{name}_sky.fits'}
    return {name: files[name] for name in names}, [None, 4][k // 2 % 2]


def compare_runs(folder, method, runs, rng):
    """
    Measure images with their files in all ways.
    """
    planes = [write_files(folder, k, rng) for k in range(2)]
    for k in runs:
        files, bits = companions(k)
        options = [word for name, text in files.items()
                   for word in (f'--{name}', text)]
        given = {'bad_bits': bits} if bits and 'mask' in files else {}
        if given:
            options += ['--bad-bits', str(bits)]
        expected = [fit(FITTERS[method], plane['image'], **given,
                        **{name: plane[name] for name in files})
                    for plane in planes]
        name = {'rings': 'pix2prof', 'isophotes': 'isophote'}[method]
        common = ['--method', name, '--unit', 'nanomaggy', '--pixel-scale',
                  str(PIXEL), '--quiet', '--overwrite', *options]
        if name == 'pix2prof':
            common += ['--device', 'cpu']
        assert main(['fit', 'g0.fits', 'g1.fits', *common]) == 0
        found = [read_profile(f'g{i}_profile.ecsv') for i in range(2)]
        yield k, expected, found
        Table({'id': [0, 1], 'path': ['g0.fits', 'g1.fits']}).write(
            'cat.csv', overwrite=True)
        plural = {'mask': 'masks', 'uncertainty': 'uncertainties',
                  'invvar': 'invvars', 'background': 'backgrounds'}
        run_survey('cat.csv', f'out{k}', n_workers=1, fitter={
            'method': name}, **OPTIONS, **given,
            **{plural[key]: text for key, text in files.items()})
        survey = read_survey(f'out{k}')
        yield k, expected, [survey[i] for i in range(2)]


def check_runs(runs):
    """
    The same numbers as with arrays.
    """
    different = []
    for k, expected, found in runs:
        for one, two in zip(expected, found, strict=True):
            if (len(one) != len(two) or largest_change(one, two) > 1e-3
                    or not np.allclose(one['n_valid'], two['n_valid'],
                                       atol=1e-4)):
                different.append(k)
    assert different == []


@pytest.mark.slow
@both
def test_files(method, tmp_path, monkeypatch):
    pytest.importorskip('pyarrow')
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(109)
    check_runs(compare_runs(tmp_path, method, range(N // 2), rng))


def test_one_of_each_way(tmp_path, monkeypatch):
    """
    Mask, inverse variance and sky of the command line and of a survey.
    """
    pytest.importorskip('pyarrow')
    monkeypatch.chdir(tmp_path)
    check_runs(compare_runs(tmp_path, 'rings', [7],
                            np.random.default_rng(119)))
