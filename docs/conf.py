# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Configuration of the documentation.
"""

import sys
import tomllib
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

try:
    from sphinx_astropy.conf.v3 import *
except ImportError:
    msg = "the documentation needs the docs extra: pip install -e '.[docs]'"
    sys.exit(msg)

from sphinx.util.docutils import SphinxDirective

# (gallery_order.py)
sys.path.append(str(Path(__file__).parent))

# -- Project ------------------------------------------------------------------
with (Path(__file__).parents[1] / 'pyproject.toml').open('rb') as file:
    _project = tomllib.load(file)['project']

project = _project['name']
author = _project['authors'][0]['name']
copyright = f'2026-{datetime.now(tz=UTC).year}, {author}'.replace(
    '2026-2026', '2026')
release = metadata.version(project)
version = '.'.join(release.split('.')[:2])

# -- General ------------------------------------------------------------------
highlight_language = 'python3'
exclude_patterns += ['tutorials/*', 'reference/api/*.inc']
root_doc = 'index'
# the docstrings name the types of arguments
autodoc_typehints = 'none'

extensions += ['sphinx_gallery.gen_gallery']

intersphinx_mapping.update({
    'pandas': ('https://pandas.pydata.org/docs/', None),
    'photutils': ('https://photutils.readthedocs.io/en/stable/', None),
    'regions': ('https://astropy-regions.readthedocs.io/en/stable/', None),
})

nitpicky = True
nitpick_ignore = []
with (Path(__file__).parent / 'nitpick-exceptions.txt').open() as file:
    for line in file:
        text = line.strip()
        if text and not text.startswith('#'):
            nitpick_ignore.append(tuple(text.split(None, 1)))

# two hyphens stay two hyphens: they begin an option, in prose, too
smartquotes_action = 'qe'

# -- HTML ---------------------------------------------------------------------
html_theme = 'pydata_sphinx_theme'
html_title = f'{project} {release}'
html_logo = '_static/mark.svg'
html_favicon = '_static/mark.svg'
html_static_path = ['_static']
html_css_files = ['pages.css']
html_theme_options = {
    'logo': {'text': project},
    'icon_links': [{
        'name': 'Source code', 'url': _project['urls']['Homepage'],
        'icon': 'fa-brands fa-github'}],
    'header_links_before_dropdown': 7,
    'navbar_align': 'left',
    'navigation_with_keys': False,
    'show_nav_level': 1,
    'show_toc_level': 2,
    'show_prev_next': True,
    'back_to_top_button': True,
    'secondary_sidebar_items': ['page-toc'],
    'footer_start': ['copyright'],
    'footer_end': [],
    'pygments_light_style': 'a11y-high-contrast-light',
    'pygments_dark_style': 'a11y-high-contrast-dark',
}
# the front page leads to the sections by cards
html_sidebars = {'index': []}
html_context = {'default_mode': 'auto'}
html_show_sourcelink = False
html_copy_source = False
htmlhelp_basename = f'{project}doc'

# -- Links to issues in the change log ----------------------------------------
github_issues_url = f'{_project["urls"]["Homepage"]}/issues/'

# -- Figures in the pages -----------------------------------------------------
plot_formats = [('png', 150)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = {'figure.dpi': 100, 'savefig.bbox': None}
plot_apply_rcparams = True

# -- Tutorials ----------------------------------------------------------------
sphinx_gallery_conf = {
    'examples_dirs': 'tutorials',
    'gallery_dirs': 'generated/tutorials',
    'backreferences_dir': 'generated/backreferences',
    'filename_pattern': r'/plot_',
    # the first steps come first
    'within_subsection_order': 'gallery_order.sort_tutorials',
    'doc_module': ('astro_pix2prof',),
    'abort_on_example_error': True,
    'show_memory': False,
    'min_reported_time': 1e9,
    'image_srcset': ['2x'],
    # (which picture is the thumbnail is no matter of the reader)
    'remove_config_comments': True,
}

# -- Link check ---------------------------------------------------------------
linkcheck_anchors = False
linkcheck_ignore = [
    r'https://doi\.org/.*',
    r'https://ui\.adsabs\.harvard\.edu/.*',
    r'https://github\.com/astro-pix2prof/.*',
]


# -- Tables that follow from the code -----------------------------------------
class FlagTable(SphinxDirective):
    """
    Directive that lists the flags of a kind: ``.. flag-table:: ring``.
    """

    required_arguments = 1

    def run(self):
        from astro_pix2prof import describe_flags

        lines = ['.. list-table::', '    :header-rows: 1',
                 '    :widths: 10 28 62', '', '    * - Bit', '      - Name',
                 '      - Meaning']
        for flag in describe_flags(self.arguments[0]):
            lines += [f'    * - {flag.bit}', f'      - ``{flag.name}``',
                      f'      - {flag.line}', '', f'        {flag.text}']
        return self.parse_text_to_nodes('\n'.join(lines))


class StructureTable(SphinxDirective):
    """
    Directive that lists the columns of structural parameters.
    """

    def run(self):
        from astro_pix2prof.structure.columns import STRUCTURE_COLUMNS

        lines = ['.. list-table::', '    :header-rows: 1',
                 '    :widths: 26 18 56', '', '    * - Column',
                 '      - Unit', '      - Definition']
        for column in STRUCTURE_COLUMNS:
            name = column.name.replace('r_level', 'r23_5`` ... ``r26_5')
            lines += [f'    * - ``{name}``', f'      - {column.unit}',
                      f'      - {column.text}']
        return self.parse_text_to_nodes('\n'.join(lines))


class BandpassTable(SphinxDirective):
    """
    Directive that lists the filters that are known.
    """

    def run(self):
        from astro_pix2prof.structure.bandpasses import BANDPASSES

        lines = ['.. list-table::', '    :header-rows: 1', '',
                 '    * - Filters', '      - Band',
                 '      - Extinction for E(B-V) = 1 of SFD',
                 '      - The sun (absolute AB mag)']
        for filters, bands in BANDPASSES.items():
            for band, bandpass in bands.items():
                sun = '' if bandpass.sun is None else f'{bandpass.sun:.2f}'
                lines += [f'    * - ``{filters}``', f'      - {band}',
                          f'      - {bandpass.extinction:.3f}',
                          f'      - {sun}']
        return self.parse_text_to_nodes('\n'.join(lines))


class RelationTable(SphinxDirective):
    """
    Directive that lists the relations of mass-to-light ratios.
    """

    def run(self):
        from astro_pix2prof.structure.relations import RELATIONS

        lines = ['.. list-table::', '    :header-rows: 1',
                 '    :widths: 22 22 14 12 30', '', '    * - Name',
                 '      - Colours: bands of the light',
                 '      - IMF', '      - Scatter (dex)', '      - Source']
        for relation in RELATIONS.values():
            ways = '; '.join(f'{colour}: {", ".join(lights)}' for
                             colour, lights in relation.coefficients.items())
            scatter = (f'{relation.scatter:.2f}' if relation.scatter > 0
                       else 'not known')
            lines += [f'    * - ``{relation.name}``', f'      - {ways}',
                      f'      - {relation.imf}', f'      - {scatter}',
                      f'      - {relation.source} ({relation.models})']
        return self.parse_text_to_nodes('\n'.join(lines))


class MorphologyTable(SphinxDirective):
    """
    Directive that lists the columns of the morphology.
    """

    def run(self):
        from astro_pix2prof.structure.morphology import MORPHOLOGY_COLUMNS

        units = {'pix': 'pix', 'length': 'arcsec', 'angle': 'deg',
                 'flux': 'of the image', 'sum': 'of its sums', '': ''}
        lines = ['.. list-table::', '    :header-rows: 1',
                 '    :widths: 28 16 56', '', '    * - Column',
                 '      - Unit', '      - Definition']
        for column in MORPHOLOGY_COLUMNS:
            lines += [f'    * - ``{column.name}``',
                      f'      - {units[column.unit]}',
                      f'      - {column.text}']
        return self.parse_text_to_nodes('\n'.join(lines))


def setup(app):
    """
    Register the directives of this documentation.
    """
    app.add_directive('flag-table', FlagTable)
    app.add_directive('morphology-table', MorphologyTable)
    app.add_directive('structure-table', StructureTable)
    app.add_directive('bandpass-table', BandpassTable)
    app.add_directive('relation-table', RelationTable)
