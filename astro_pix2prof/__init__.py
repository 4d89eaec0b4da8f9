# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Surface-brightness profiles of galaxies from astropy images.
"""

from importlib import import_module

# Every public name and the module that defines it. The modules are
# imported when a name is first used (PEP 562), so that the import of
# the package costs nothing and needs nothing.
_EXPORTS = {
    'AnomalyFinder': 'representations.anomalies',
    'BandProfiles': 'fitting.bands',
    'ClumpFlag': 'profile.flags',
    'CombinedVotes': 'review.votes',
    'CutoutService': 'survey.services',
    'Evaluation': 'evaluation.result',
    'FineTuning': 'inference.fine_tuning',
    'GalaxyCutout': 'image.cutout',
    'GalaxyFlag': 'profile.flags',
    'Head': 'inference.heads',
    'ImageProfilePair': 'datasets.pairs',
    'IsophoteFit': 'isophote.fitter',
    'IsophoteFitter': 'isophote.fitter',
    'MassRelation': 'structure.relations',
    'PSF': 'psf.model',
    'Pix2ProfFitter': 'inference.fitter',
    'ProfileBatch': 'profile.batch',
    'ProfileFit': 'fitting.fit',
    'ReviewTiers': 'review.tiers',
    'RingFlag': 'profile.flags',
    'SimilarityIndex': 'representations.index',
    'StructureFlag': 'profile.flags',
    'Survey': 'survey.results',
    'SurveyResult': 'survey.collect',
    'VoteCounter': 'review.counter',
    'absolute_magnitude': 'structure.magnitudes',
    'axis_profile': 'cuts.axes',
    'band_image': 'spectra.band',
    'bar_radius': 'structure.bar',
    'build_profile': 'profile.table',
    'calibrate_tiers': 'review.tiers',
    'collect_survey': 'survey.collect',
    'combine_votes': 'review.votes',
    'compare_profiles': 'evaluation.compare',
    'correct_psf': 'structure.sharpened',
    'decode_flags': 'profile.flags',
    'decode_structure_flags': 'profile.flags',
    'describe_flags': 'profile.flags',
    'disc_inclination': 'structure.inclination',
    'disc_inclination_err': 'structure.inclination',
    'encode_fits': 'inference.encoder',
    'evaluate_fitters': 'evaluation.evaluate',
    'find_clumps': 'inference.clumps',
    'fine_tune': 'inference.fine_tuning',
    'fourier_profile': 'fitting.fourier',
    'from_pandas': 'profile.csv_files',
    'galactic_extinction': 'structure.extinction',
    'inject': 'datasets.injection',
    'learn_flag_probabilities': 'review.doubts',
    'load_example': 'datasets.example',
    'load_example_truth': 'datasets.example',
    'mass_profile': 'structure.mass',
    'measure_detections': 'evaluation.detections',
    'measure_morphology': 'structure.morphology',
    'measure_structure': 'structure.measure',
    'model_image': 'ellipses.model',
    'physical_profile': 'structure.physical',
    'plot_clumps': 'plotting.clumps',
    'plot_colours': 'plotting.bands',
    'plot_evaluation': 'plotting.evaluation',
    'plot_evaluation_profiles': 'plotting.evaluation',
    'plot_fit': 'plotting.fit',
    'plot_gallery': 'plotting.gallery',
    'plot_mass_profile': 'plotting.mass',
    'plot_profiles': 'plotting.profiles',
    'plot_weights': 'plotting.weights',
    'profile_correlation': 'profile.meta',
    'radial_spectra': 'spectra.radial',
    'read_autoprof': 'datasets.tables',
    'read_iraf_table': 'datasets.tables',
    'read_pairs': 'datasets.pairs',
    'read_profile': 'profile.io',
    'read_sga': 'datasets.sga',
    'read_survey': 'survey.results',
    'review_queue': 'review.queue',
    'run_survey': 'survey.run',
    'sample_profile': 'profile.samples',
    'sector_profiles': 'cuts.sectors',
    'simulate_votes': 'review.raters',
    'surface_brightness_limit': 'structure.limits',
    'to_apertures': 'export.isophotes',
    'to_isophote_list': 'export.isophotes',
    'to_pandas': 'profile.csv_files',
    'to_regions': 'export.regions',
    'upper_limits': 'structure.limits',
    'vertical_profile': 'cuts.vertical',
    'write_autoprof': 'export.tables',
    'write_galaxy_page': 'report.galaxy',
    'write_iraf_table': 'export.tables',
    'write_pixels': 'export.images',
    'write_profile': 'profile.io',
    'write_regions': 'export.regions',
    'write_report': 'report.page',
    'write_shards': 'training.shards',
    'write_spectra': 'spectra.write',
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
    # (completion shows the public names, and no module that was imported)
    return sorted({*(n for n in globals() if n.startswith('__')), *__all__})
