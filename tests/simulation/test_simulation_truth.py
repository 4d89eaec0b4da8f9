# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of simulated galaxies against GalSim and photutils.
"""

import warnings

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyWarning
from numpy.testing import assert_allclose
from scipy.ndimage import map_coordinates, spline_filter

torch = pytest.importorskip('torch')
galsim = pytest.importorskip('galsim')

from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.simulation.components import (
    bar,
    broken_disc,
    edge_on_disc,
    edge_on_norm,
    elliptical_radius,
    rotate,
    sersic,
)
from astro_pix2prof.simulation.convolution import NestedGrid
from astro_pix2prof.simulation.psf import PSF, draw_psf
from astro_pix2prof.simulation.surveys import draw_instruments
from astro_pix2prof.simulation.truth import sma_grid, true_profile

N_PIX = 128
CENTRE = (63.7, 64.2)
ANGLE = 0.6
OVERSAMPLE = 5
# Sersic index, r_e and FWHM in pixels, Moffat index, axis ratio: seeing as
# in surveys, a compact galaxy among them.
SIZES = ((5.0, 2.2, 3.0, 0.6), (8.0, 3.3, 3.5, 0.4), (12.0, 3.0, 2.5, 0.8))

# (GalSim takes a minute for the steepest ones)
SERSICS = [pytest.param((n, *size),
                        marks=pytest.mark.slow if n == 6.0 else ())
           for n in (0.5, 1.0, 2.5, 4.0, 6.0) for size in SIZES]

PARAMS = galsim.GSParams(maximum_fft_size=16384, kvalue_accuracy=1e-6,
                         folding_threshold=1e-3, maxk_threshold=1e-4)


def column(value):
    return torch.tensor([[float(value)]])


def simulate(n, r_e, fwhm, beta, q):
    grid = NestedGrid(N_PIX, torch.tensor([CENTRE]))
    u, v = rotate(grid.x, grid.y, column(ANGLE))
    light = sersic(elliptical_radius(u, v, column(q)), column(n),
                   column(r_e), column(q))
    return grid.convolve(light, PSF.moffat([fwhm], beta))


def make_galsim(n, r_e, fwhm, beta, q):
    # GalSim's r_e is that of the circle of the same area
    galaxy = galsim.Sersic(n, half_light_radius=r_e * q**0.5,
                           gsparams=PARAMS)
    galaxy = galaxy.shear(q=q, beta=ANGLE * galsim.radians)
    return galsim.Convolve(galaxy, galsim.Moffat(beta, fwhm=fwhm,
                                                 gsparams=PARAMS),
                           galsim.Pixel(1), gsparams=PARAMS)


def draw(galaxy, n_pix, scale, offset=(0, 0)):
    image = galsim.Image(n_pix, n_pix, scale=scale, dtype=float)
    galaxy.drawImage(image, method='no_pixel', offset=offset)
    return image.array / scale**2


def mean_along(image, x0, y0, sma, eps, theta, scale):
    """
    Mean of an oversampled image along ellipses, weighted by arc length.
    """
    t = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    a, b = (scale * v[:, None] for v in (sma, sma * (1 - eps)))
    u, v = a * np.cos(t), b * np.sin(t)
    c, s = np.cos(theta)[:, None], np.sin(theta)[:, None]
    values = map_coordinates(spline_filter(image), [
        y0 + u * s + v * c, x0 + u * c - v * s], prefilter=False)
    arc = np.hypot(a * np.sin(t), b * np.cos(t)) + 1e-9
    return (values * arc).sum(1) / arc.sum(1)


def profile_of(image, smooth=None):
    sma = sma_grid(N_PIX)
    profile = true_profile(image, image if smooth is None else smooth, sma)
    return sma.double().numpy(), {key: value[0].double().numpy()
                                  for key, value in profile.items()}


@pytest.mark.parametrize('case', SERSICS)
class TestGalSim:
    def test_flux(self, case):
        image = simulate(*case).frame[0].numpy()
        middle = (N_PIX - 1) / 2
        wanted = draw(make_galsim(*case), N_PIX, 1,
                      (CENTRE[0] - middle, CENTRE[1] - middle))
        assert_allclose(image.sum(), wanted.sum(), rtol=0.005)
        # the pixels, as far down as noise would let one see
        seen = wanted > 1e-3 * wanted.max()
        delta = 2.5 * np.log10(image[seen] / wanted[seen])
        assert np.abs(delta).max() < 0.03
        assert np.sqrt(np.mean(delta**2)) < 0.005

    def test_profile(self, case):
        sma, profile = profile_of(simulate(*case))
        eps = np.hypot(profile['e1'], profile['e2'])
        theta = 0.5 * np.arctan2(profile['e2'], profile['e1'])
        side = N_PIX * OVERSAMPLE + 1
        fine = draw(make_galsim(*case), side, 1 / OVERSAMPLE)
        wanted = mean_along(fine, side // 2, side // 2, sma, eps, theta,
                            OVERSAMPLE)
        seen = (wanted > 1e-3 * wanted[0]) & (sma < 0.43 * N_PIX)
        assert seen.sum() > 40
        delta = 2.5 * np.log10(profile['intensity'][seen] / wanted[seen])
        assert np.abs(delta).max() < 0.01
        assert np.median(np.abs(delta)) < 0.002


class TestGeometry:
    @pytest.mark.parametrize('q', [0.3, 0.6, 0.9])
    def test_intrinsic_ellipse(self, q):
        # far outside of the PSF
        sma, profile = profile_of(simulate(1.0, 12.0, 2.0, 4.0, q))
        outer = (sma > 20) & (sma < 45)
        eps = np.hypot(profile['e1'], profile['e2'])[outer]
        theta = 0.5 * np.arctan2(profile['e2'], profile['e1'])[outer]
        assert_allclose(eps, 1 - q, atol=0.02)
        assert_allclose(theta, ANGLE, atol=0.02)

    def test_psf_makes_round(self):
        sma, profile = profile_of(simulate(1.0, 3.0, 4.0, 3.0, 0.3))
        eps = np.hypot(profile['e1'], profile['e2'])
        assert eps[np.searchsorted(sma, 2)] < 0.5

    def test_photutils(self):
        # isophotes of noise-free images of galaxies without detail
        from photutils.isophote import Ellipse, EllipseGeometry

        batch = GalaxySimulator('sdss-r', n_pix=128, kind='elliptical',
                                clutter=False).simulate(8, seed=11)
        # (ellipses that turn fast are others for photutils, which takes each
        # on its own)
        g = batch.parameters
        wanted = [k for k in range(8) if g['tides'][k] == 0
                  and g['r_e'][k] > 8 and abs(g['pa_slope'][k]) < 0.2]
        assert len(wanted) >= 2
        for k in wanted[:3]:
            self.check(batch, k, Ellipse, EllipseGeometry)

    def check(self, batch, k, ellipse, geometry):
        sma = batch.sma.double().numpy()
        eps, theta = (getattr(batch, name)[k].double().numpy()
                      for name in ('ellipticity', 'theta'))
        start = np.searchsorted(sma, 12)
        guess = geometry(float(batch.centre[k, 0]), float(
            batch.centre[k, 1]), 12.0, float(np.clip(eps[start], 0.05, 1)),
            float(theta[start]))
        fit = ellipse(batch.clean[k].double().numpy(), geometry=guess)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyWarning)
            warnings.simplefilter('ignore', RuntimeWarning)
            found = fit.fit_image(minsma=3, maxsma=40, fix_center=True)
        good = (np.array(found.sma) > 4) & (np.array(found.stop_code) == 0)
        assert good.sum() > 10
        true = np.exp(np.interp(np.array(found.sma), sma, np.log(
            batch.intensity[k].clamp(min=1e-9).double().numpy())))
        delta = 2.5 * np.log10(np.array(found.intens) / true)[good]
        assert np.median(np.abs(delta)) < 0.01
        assert np.percentile(np.abs(delta), 90) < 0.03
        shape = np.interp(np.array(found.sma), sma, eps)
        assert np.median(np.abs(np.array(found.eps) - shape)[good]) < 0.02


class TestTruth:
    def test_grid(self):
        sma = sma_grid(256)
        assert sma[0] == 0
        assert_allclose(sma[-1], 192, rtol=1e-4)
        assert (sma.diff() > 0).all()
        assert len(sma_grid(64, n_sma=20)) == 20

    def test_growth(self):
        # the whole light of a compact galaxy is enclosed
        sma, profile = profile_of(simulate(1.0, 5.0, 2.5, 4.0, 0.7))
        at = np.searchsorted(sma, 45)
        assert_allclose(profile['enclosed'][at], 1, atol=0.01)
        assert profile['enclosed'][0] == 0

    def test_detail_does_not_steer(self):
        # the mean has the light of the arms, the ellipses come without
        smooth, total = (simulate(1.0, r_e, 2.5, 4.0, q)
                         for r_e, q in ((8.0, 0.5), (10.0, 0.8)))
        _, alone = profile_of(smooth)
        _, both = profile_of(total, smooth)
        assert_allclose(both['e1'], alone['e1'])
        assert (np.abs(both['intensity'] - alone['intensity'])
                > 0.01 * alone['intensity']).any()

    def test_image_of_truth(self):
        # the intensity at a radius is that of the clean pixels there
        batch = GalaxySimulator('sdss-r', n_pix=96, kind='elliptical',
                                clutter=False).simulate(2, seed=3)
        x, y = batch.centre[0].tolist()
        column, row = round(x), round(y)
        r = np.hypot(column - x, row - y)
        true = np.interp(r, batch.sma, batch.intensity[0])
        assert_allclose(batch.clean[0, row, column], true, rtol=0.05)


def draw_point(psf, *, fine):
    """
    A point source in the middle of pixel (64, 64), of unit flux.

    As galaxies are drawn, on the finest grid, or as stars are, on the
    pixels of the frame.
    """
    grid = NestedGrid(N_PIX, torch.tensor([[64.0, 64.0]]))
    if fine:
        values = torch.zeros_like(grid.x)
        middle = (grid.x**2 + grid.y**2)[0, -grid.sides[-1]**2:].argmin()
        # brightness of a cell that holds all of the flux
        cell = grid.x[0, -1] - grid.x[0, -2]
        values[0, values.shape[1] - grid.sides[-1]**2 + middle] = 1 / cell**2
        image = grid.convolve(values, psf).frame
    else:
        point = torch.zeros(1, grid.size, grid.size)
        point[0, 64 + grid.pad, 64 + grid.pad] = 1
        image = grid.blur(point, psf)[:, grid.pad:-grid.pad,
                                      grid.pad:-grid.pad]
    return image[0].double().numpy()


def make_airy(fwhm):
    airy = galsim.Airy(lam_over_diam=1, obscuration=0.3)
    r = np.linspace(0, 1, 4001)
    value = np.array([airy.xValue(v, 0) for v in r])
    return airy.dilate(fwhm / (2 * np.interp(-0.5, -value / value[0], r)))


class TestPSF:
    # stars are drawn without what lies beyond the band limit of the pixels,
    # which makes those of 2 pixels 2% wider
    @pytest.mark.parametrize('beta', [1.8, 2.5, 3.5, 4.765])
    @pytest.mark.parametrize(('fwhm', 'fine'), [
        (2.0, True), (3.3, True), (6.0, True), (3.3, False), (6.0, False)])
    def test_moffat(self, beta, fwhm, fine):
        image = draw_point(PSF.moffat([fwhm], beta), fine=fine)
        psf = galsim.Convolve(galsim.Moffat(beta, fwhm=fwhm,
                                            gsparams=PARAMS),
                              galsim.Pixel(1), gsparams=PARAMS)
        # GalSim's frame of 129 pixels has its centre in the middle of one
        wanted = draw(psf, N_PIX + 1, 1)[:N_PIX, :N_PIX]
        sizes = [self.fwhm(a) for a in (image, wanted)]
        assert_allclose(sizes[0], sizes[1], rtol=0.01)
        assert_allclose(image.max(), wanted.max(), rtol=0.01)
        assert_allclose(image[60:69, 60:69].sum(),
                        wanted[60:69, 60:69].sum(), rtol=0.01)

    def fwhm(self, image):
        """
        Twice the radius at half of the maximum, along a row.
        """
        line = spline_filter(image)
        r = np.linspace(0, 10, 2001)
        value = map_coordinates(line, [np.full(len(r), 64.0), 64 + r],
                                prefilter=False)
        return 2 * np.interp(-0.5, -value / value[0], r)

    @pytest.mark.parametrize(('row', 'make'), [
        (24, lambda fwhm: galsim.Kolmogorov(fwhm=fwhm)), (25, make_airy)])
    def test_other_kinds(self, row, make):
        fwhm = 4.0
        psf = PSF(torch.tensor([fwhm]), torch.tensor([float(row)]),
                  torch.zeros(1, 2), torch.zeros(1))
        image = draw_point(psf, fine=True)
        wanted = draw(galsim.Convolve(make(fwhm), galsim.Pixel(1)),
                      N_PIX + 1, 1)[:N_PIX, :N_PIX]
        assert_allclose(self.fwhm(image), self.fwhm(wanted), rtol=0.01)
        assert_allclose(image.max(), wanted.max(), rtol=0.02)

    def test_drawn(self):
        tools = draw_instruments('any', 200, torch.Generator().manual_seed(0))
        psf = draw_psf(tools, torch.Generator().manual_seed(1))
        assert (psf.shear.norm(dim=1) <= 0.06 + 1e-6).all()
        # what scatters most light is an extended aureole
        assert ((psf.aureole >= 0) & (psf.aureole <= 0.15)).all()
        assert 0.02 < (psf.aureole > 0.07).float().mean() < 0.2
        grid = NestedGrid(N_PIX, torch.full((200, 2), 64.0))
        point = torch.zeros(200, grid.size, grid.size)
        point[:, 80, 80] = 1
        image = grid.blur(point, psf)
        assert_allclose(image.sum((1, 2)), 1, rtol=1e-3)
        # nothing is negative but for the ringing of undersampled ones
        image = image[psf.fwhm > 2.5]
        assert (image > -2e-3 * image.amax((1, 2), keepdim=True)).all()


class TestComponents:
    axis = torch.arange(-400, 401) * 0.25
    points = torch.meshgrid(axis, axis, indexing='xy')

    def flux(self, light):
        return float(light.sum()) * 0.25**2

    def xy(self):
        x, y = self.points
        return x.reshape(1, -1), y.reshape(1, -1)

    def test_broken_disc(self):
        x, y = self.xy()
        r = elliptical_radius(x, y, column(0.5))
        h = column(8.0)
        breaks = [(column(20.0), column(-1 / 8), column(0.5)),
                  (column(30.0), column(0.05), column(0.5))]
        assert_allclose(self.flux(broken_disc(r, h, breaks, column(0.5))), 1,
                        rtol=0.01)

    def test_edge_on(self):
        x, y = self.xy()
        h, h_z = column(10.0), column(2.5)
        light = edge_on_disc(x, y, h, h_z, [], edge_on_norm(h, h_z, []))
        assert_allclose(self.flux(light), 1, rtol=0.01)

    @pytest.mark.parametrize('flatness', [0.0, 1.0])
    def test_bar(self, flatness):
        x, y = self.xy()
        light = bar(x, y, column(20.0), column(0.4), column(2.0),
                    column(flatness))
        assert_allclose(self.flux(light), 1, rtol=0.03)

    def test_boxy(self):
        x, y = self.xy()
        r, box, disc = (elliptical_radius(x, y, column(0.6), boxy=column(a))
                        for a in (0.0, -0.03, 0.03))
        on_axis = (y == 0) & (x > 10)
        # the major axis of the same isophote is longer for discy ones
        assert (disc[on_axis] < r[on_axis]).all()
        assert (box[on_axis] > r[on_axis]).all()
