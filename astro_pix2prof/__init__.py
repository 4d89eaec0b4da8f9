# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Surface-brightness profiles of galaxies from astropy images.
"""

from importlib import import_module

# Every public name and the module that defines it. The modules are
# imported when a name is first used (PEP 562), so that the import of
# the package costs nothing and needs nothing.
_EXPORTS = {
    'BandProfiles': 'bands',
    'Evaluation': 'evaluation',
    'GalaxyCutout': 'cutout',
    'GalaxyFlag': 'profile',
    'ImageProfilePair': 'pairs',
    'IsophoteFit': 'isophote',
    'IsophoteFitter': 'isophote',
    'Pix2ProfFitter': 'fitter',
    'ProfileBatch': 'profile_batch',
    'ProfileFit': 'fit',
    'RingFlag': 'profile',
    'StructureFlag': 'structure',
    'Survey': 'survey_output',
    'SurveyResult': 'survey',
    'build_profile': 'profile',
    'compare_profiles': 'evaluation',
    'decode_flags': 'profile',
    'decode_structure_flags': 'structure',
    'evaluate_fitters': 'evaluation',
    'load_example': 'example',
    'load_example_truth': 'example',
    'measure_structure': 'structure',
    'model_image': 'model',
    'plot_colours': 'band_plots',
    'plot_evaluation': 'evaluation_plots',
    'plot_evaluation_profiles': 'evaluation_plots',
    'plot_fit': 'plotting',
    'plot_profiles': 'plotting',
    'plot_weights': 'weight_plots',
    'read_pairs': 'pairs',
    'read_profile': 'profile_io',
    'read_sga': 'sga',
    'read_survey': 'survey',
    'run_survey': 'survey',
    'sample_profile': 'samples',
    'write_profile': 'profile_io',
    'write_report': 'survey_report',
    'write_shards': 'shards',
}

__all__ = [*_EXPORTS, '__version__']


def _find_version():
    """
    Return the version of the package, installed or not.
    """
    try:
        # written by setuptools_scm when the package is built or installed
        from astro_pix2prof._version import version
    except ImportError:
        from importlib import metadata

        try:
            version = metadata.version('astro_pix2prof')
        except metadata.PackageNotFoundError:
            # a checkout that was never installed
            version = '0+unknown'
    return version


def __getattr__(name):
    if name == '__version__':
        value = _find_version()
    elif name in _EXPORTS:
        value = getattr(import_module(f'{__name__}.{_EXPORTS[name]}'), name)
    else:
        msg = f'module {__name__!r} has no attribute {name!r}'
        raise AttributeError(msg)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
