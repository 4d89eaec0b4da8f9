# Licensed under a 3-clause BSD style license - see LICENSE.rst
# The public names, for type checkers; the modules are imported when a name
# is first used.

from astro_pix2prof.cuts.axes import axis_profile as axis_profile
from astro_pix2prof.cuts.sectors import sector_profiles as sector_profiles
from astro_pix2prof.cuts.vertical import vertical_profile as vertical_profile
from astro_pix2prof.datasets.example import load_example as load_example
from astro_pix2prof.datasets.example import (
    load_example_truth as load_example_truth,
)
from astro_pix2prof.datasets.injection import inject as inject
from astro_pix2prof.datasets.pairs import ImageProfilePair as ImageProfilePair
from astro_pix2prof.datasets.pairs import read_pairs as read_pairs
from astro_pix2prof.datasets.sga import read_sga as read_sga
from astro_pix2prof.datasets.tables import read_autoprof as read_autoprof
from astro_pix2prof.datasets.tables import read_iraf_table as read_iraf_table
from astro_pix2prof.ellipses.model import model_image as model_image
from astro_pix2prof.evaluation.compare import (
    compare_profiles as compare_profiles,
)
from astro_pix2prof.evaluation.detections import (
    measure_detections as measure_detections,
)
from astro_pix2prof.evaluation.evaluate import (
    evaluate_fitters as evaluate_fitters,
)
from astro_pix2prof.evaluation.result import Evaluation as Evaluation
from astro_pix2prof.export.images import write_pixels as write_pixels
from astro_pix2prof.export.isophotes import to_apertures as to_apertures
from astro_pix2prof.export.isophotes import (
    to_isophote_list as to_isophote_list,
)
from astro_pix2prof.export.regions import to_regions as to_regions
from astro_pix2prof.export.regions import write_regions as write_regions
from astro_pix2prof.export.tables import write_autoprof as write_autoprof
from astro_pix2prof.export.tables import write_iraf_table as write_iraf_table
from astro_pix2prof.fitting.bands import BandProfiles as BandProfiles
from astro_pix2prof.fitting.fit import ProfileFit as ProfileFit
from astro_pix2prof.fitting.fourier import fourier_profile as fourier_profile
from astro_pix2prof.image.cutout import GalaxyCutout as GalaxyCutout
from astro_pix2prof.inference.clumps import find_clumps as find_clumps
from astro_pix2prof.inference.encoder import encode_fits as encode_fits
from astro_pix2prof.inference.fine_tuning import FineTuning as FineTuning
from astro_pix2prof.inference.fine_tuning import fine_tune as fine_tune
from astro_pix2prof.inference.fitter import Pix2ProfFitter as Pix2ProfFitter
from astro_pix2prof.inference.heads import Head as Head
from astro_pix2prof.isophote.fitter import IsophoteFit as IsophoteFit
from astro_pix2prof.isophote.fitter import IsophoteFitter as IsophoteFitter
from astro_pix2prof.plotting.bands import plot_colours as plot_colours
from astro_pix2prof.plotting.clumps import plot_clumps as plot_clumps
from astro_pix2prof.plotting.evaluation import (
    plot_evaluation as plot_evaluation,
)
from astro_pix2prof.plotting.evaluation import (
    plot_evaluation_profiles as plot_evaluation_profiles,
)
from astro_pix2prof.plotting.fit import plot_fit as plot_fit
from astro_pix2prof.plotting.gallery import plot_gallery as plot_gallery
from astro_pix2prof.plotting.mass import plot_mass_profile as plot_mass_profile
from astro_pix2prof.plotting.profiles import plot_profiles as plot_profiles
from astro_pix2prof.plotting.weights import plot_weights as plot_weights
from astro_pix2prof.profile.batch import ProfileBatch as ProfileBatch
from astro_pix2prof.profile.csv_files import from_pandas as from_pandas
from astro_pix2prof.profile.csv_files import to_pandas as to_pandas
from astro_pix2prof.profile.flags import ClumpFlag as ClumpFlag
from astro_pix2prof.profile.flags import GalaxyFlag as GalaxyFlag
from astro_pix2prof.profile.flags import RingFlag as RingFlag
from astro_pix2prof.profile.flags import StructureFlag as StructureFlag
from astro_pix2prof.profile.flags import decode_flags as decode_flags
from astro_pix2prof.profile.flags import (
    decode_structure_flags as decode_structure_flags,
)
from astro_pix2prof.profile.flags import describe_flags as describe_flags
from astro_pix2prof.profile.io import read_profile as read_profile
from astro_pix2prof.profile.io import write_profile as write_profile
from astro_pix2prof.profile.meta import (
    profile_correlation as profile_correlation,
)
from astro_pix2prof.profile.samples import sample_profile as sample_profile
from astro_pix2prof.profile.table import build_profile as build_profile
from astro_pix2prof.psf.model import PSF as PSF
from astro_pix2prof.report.galaxy import write_galaxy_page as write_galaxy_page
from astro_pix2prof.report.page import write_report as write_report
from astro_pix2prof.representations.anomalies import (
    AnomalyFinder as AnomalyFinder,
)
from astro_pix2prof.representations.index import (
    SimilarityIndex as SimilarityIndex,
)
from astro_pix2prof.review.counter import VoteCounter as VoteCounter
from astro_pix2prof.review.doubts import (
    learn_flag_probabilities as learn_flag_probabilities,
)
from astro_pix2prof.review.queue import review_queue as review_queue
from astro_pix2prof.review.raters import simulate_votes as simulate_votes
from astro_pix2prof.review.tiers import ReviewTiers as ReviewTiers
from astro_pix2prof.review.tiers import calibrate_tiers as calibrate_tiers
from astro_pix2prof.review.votes import CombinedVotes as CombinedVotes
from astro_pix2prof.review.votes import combine_votes as combine_votes
from astro_pix2prof.spectra.band import band_image as band_image
from astro_pix2prof.spectra.radial import radial_spectra as radial_spectra
from astro_pix2prof.spectra.write import write_spectra as write_spectra
from astro_pix2prof.structure.bar import bar_radius as bar_radius
from astro_pix2prof.structure.extinction import (
    galactic_extinction as galactic_extinction,
)
from astro_pix2prof.structure.inclination import (
    disc_inclination as disc_inclination,
)
from astro_pix2prof.structure.inclination import (
    disc_inclination_err as disc_inclination_err,
)
from astro_pix2prof.structure.limits import (
    surface_brightness_limit as surface_brightness_limit,
)
from astro_pix2prof.structure.limits import upper_limits as upper_limits
from astro_pix2prof.structure.magnitudes import (
    absolute_magnitude as absolute_magnitude,
)
from astro_pix2prof.structure.mass import mass_profile as mass_profile
from astro_pix2prof.structure.measure import (
    measure_structure as measure_structure,
)
from astro_pix2prof.structure.morphology import (
    measure_morphology as measure_morphology,
)
from astro_pix2prof.structure.physical import (
    physical_profile as physical_profile,
)
from astro_pix2prof.structure.relations import MassRelation as MassRelation
from astro_pix2prof.structure.sharpened import correct_psf as correct_psf
from astro_pix2prof.survey.collect import SurveyResult as SurveyResult
from astro_pix2prof.survey.collect import collect_survey as collect_survey
from astro_pix2prof.survey.results import Survey as Survey
from astro_pix2prof.survey.results import read_survey as read_survey
from astro_pix2prof.survey.run import run_survey as run_survey
from astro_pix2prof.survey.services import CutoutService as CutoutService
from astro_pix2prof.training.shards import write_shards as write_shards

__version__: str
