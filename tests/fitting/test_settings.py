# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of options that are given in the wrong place.
"""

import inspect
import pickle

import pytest

from astro_pix2prof import GalaxyCutout, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.arguments import known_as
from astro_pix2prof.fitting.settings import call_options, settings_of

FITTERS = [Pix2ProfFitter, IsophoteFitter]


@pytest.mark.parametrize('kind', FITTERS)
class TestSettings:
    @pytest.mark.parametrize(('name', 'option'), [
        ('ellipticity', 'ellipticity'), ('pa', 'pa'), ('eps', 'ellipticity'),
        ('theta', 'pa'), ('geometry', 'geometry'), ('mask', 'mask'),
        ('position', 'position'), ('centre', 'position'), ('x0', 'position'),
        ('center', 'position'), ('unit', 'unit'), ('zp', 'zeropoint'),
        ('zeropoint', 'zeropoint'), ('pixel_scale', 'pixel_scale'),
        ('pixscale', 'pixel_scale'), ('fwhm', 'psf_fwhm'), ('gain', 'gain'),
        ('error', 'uncertainty'), ('background', 'background')])
    def test_option_of_a_call(self, kind, name, option):
        match = (rf"^'{name}' is an option of the calls of {kind.__name__}, "
                 rf'not a setting of it: give it there, fitter\(image, '
                 rf'{option}=\.\.\.\)$')
        with pytest.raises(TypeError, match=match):
            kind(**{name: 1})

    def test_several(self, kind):
        match = (r"^'ellipticity' and 'pa' are options of the calls of "
                 r'.*fitter\(image, ellipticity=\.\.\., pa=\.\.\.\)$')
        with pytest.raises(TypeError, match=match):
            kind(ellipticity=0.3, pa=20)

    @pytest.mark.parametrize(('name', 'near'), [
        ('radius', 'radii'), ('sma', 'radii'), ('rmax', 'max_radius'),
        ('min_srn', 'min_snr'), ('seach_radius', 'search_radius')])
    def test_other_name(self, kind, name, near):
        match = (f"^'{name}' is not a setting of {kind.__name__}: did you mean"
                 rf' {near}\?$')
        with pytest.raises(TypeError, match=match):
            kind(**{name: 1})

    def test_no_such_name(self, kind):
        match = f"'frogs' is not a setting of {kind.__name__}: it takes .*radi"
        with pytest.raises(TypeError, match=match):
            kind(frogs=1)

    @pytest.mark.parametrize(('name', 'near'), [
        ('centre', 'position'), ('eps', 'ellipticity'), ('sma', 'radii'),
        ('error', 'uncertainty'), ('seeing', 'psf_fwhm')])
    def test_other_name_in_a_call(self, kind, name, near, galaxy_ccd):
        match = (f"'{name}' is not an option of {kind.__name__}: did you mean "
                 rf'{near}\?')
        with pytest.raises(TypeError, match=match):
            kind()(galaxy_ccd, **{name: 1})

    def test_setting_of_the_other_fitter(self, kind, galaxy_ccd):
        name, value, other = ('smooth', False, 'IsophoteFitter') if (
            kind is Pix2ProfFitter) else ('weights', 'rings',
                                          'Pix2ProfFitter')
        match = (f"^'{name}' is a setting of {other}, which {kind.__name__} "
                 rf'does not have: .* {other}\({name}=\.\.\.\)$')
        with pytest.raises(TypeError, match=match):
            kind(**{name: value})
        with pytest.raises(TypeError, match=match):
            kind()(galaxy_ccd, **{name: value})

    def test_signature(self, kind):
        """
        It is that of the method, for help and for surveys.
        """
        names = settings_of(kind)
        assert {'sky', 'radii', 'step', 'min_snr'} <= set(names)
        assert 'self' not in names
        assert inspect.signature(kind.__init__).parameters['sky'].default == (
            'auto')
        assert {'ellipticity', 'mask', 'position', 'radii'} <= set(
            call_options(kind))
        assert not {'image', 'self', 'options'} & set(call_options(kind))
        fitter = pickle.loads(pickle.dumps(kind(min_snr=2)))
        assert fitter.min_snr == 2


def test_weights():
    """
    A slip of the pen is none of another name.
    """
    with pytest.raises(TypeError, match=r'did you mean weights\?'):
        Pix2ProfFitter(weight='rings')
    with pytest.raises(TypeError, match=r'did you mean max_radius\?'):
        Pix2ProfFitter(max_sma=20)


def test_known_as():
    assert known_as('pa', ['pa']) == 'pa'
    assert known_as('Theta', ['pa']) == 'pa'
    assert known_as('theta', ['position']) is None
    assert known_as('frogs', ['pa']) is None


def test_names_are_options():
    """
    No name that stands for another one is an option itself.
    """
    from astro_pix2prof.arguments import _OTHER_NAMES

    everything = {*inspect.signature(GalaxyCutout).parameters}
    for kind in FITTERS:
        everything |= {*settings_of(kind), *call_options(kind)}
    assert set(_OTHER_NAMES) <= everything
    others = [name for names in _OTHER_NAMES.values() for name in names]
    assert len(others) == len(set(others))
    assert set(others) & everything <= {'max_sma'}
