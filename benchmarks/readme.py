# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The picture and the numbers of README.rst.

The picture is made anew; the numbers are those of the stored results.

    python -m benchmarks.readme
"""

import argparse
import json
from pathlib import Path
from statistics import median

from benchmarks.tables import list_table, wrap
from benchmarks.throughput.report import rounds_of

__all__ = ['draw_picture', 'make_block', 'replace_block']

HERE = Path(__file__).parent
README = HERE.parent / 'README.rst'
PICTURE = HERE.parent / 'docs' / 'figures' / 'readme.png'

BEGIN = '.. numbers: written by benchmarks/readme.py'
END = '.. end of numbers'

NETWORK, ISOPHOTES = 'Pix2ProfFitter', 'IsophoteFitter'


def _read(name):
    return json.loads((HERE / name).read_text(encoding='utf-8'))


def _link(name):
    return f'`{Path(name).name} <{name}>`__'


def make_block():
    """
    Make the table of numbers from the stored results.

    Returns
    -------
    lines : list of str
    """
    run = _read('accuracy/run.json')
    sets = run['sets']
    captioner = _read('accuracy/network.json')['fitters'][NETWORK]
    plain = _read('accuracy/isophotes.json')['photutils tutorial']
    through = _read('throughput/run.json')
    survey = through['survey']['killed']
    rates = {cores: median(row['per_second'] for row in rounds_of(through)[
        'float32', cores]) for cores in (1, 2)}
    sdss, hard = (sets[name]['fitters'] for name in ('sdss', 'hard'))
    inside = [part['fitters'][NETWORK]['within_error']
              for part in sets.values()]
    images = sum(part['fitters'][NETWORK]['n_images']
                 for part in sets.values())
    failed = sum(part['fitters'][NETWORK]['n_failed']
                 for part in sets.values())
    again = survey['rows'][1]
    script = _link('benchmarks/accuracy/run.py')
    rows = [
        ('Accuracy',
         f'{sdss[NETWORK]["median_bright"]:.3f} mag/arcsec² '
         f'(``rings``); isophotes {sdss[ISOPHOTES]["median_bright"]:.3f}, '
         f'``captioner`` {captioner["median_bright"]:.2f}. Called as in '
         'its tutorial, with no sky, mask or first guess, photutils '
         f'measures {plain["complete"]:.0%} of the images (*)',
         f'{script}, {_link("benchmarks/accuracy/network.py")}, '
         f'{_link("benchmarks/accuracy/isophotes.py")}'),
        ('Hard images',
         f'{hard[NETWORK]["median_bright"]:.3f} mag/arcsec², and '
         f'{hard[NETWORK]["success"]:.1%} of the images measured (*); '
         f'isophotes {hard[ISOPHOTES]["median_bright"]:.3f} and '
         f'{hard[ISOPHOTES]["success"]:.1%}', script),
        ('Errors',
         f'{min(inside):.0%} to {max(inside):.0%} of the rings lie within '
         'their stated error of one sigma, from one kind of image to '
         f'another (68% is right); {failed} of {images} fits failed', script),
        ('Speed',
         f'{rates[1]:.0f} galaxies a second from file to table on one core, '
         f'{rates[2]:.0f} on two ({through["rates"]["made"]["cpu"]}, 256 x '
         '256 pixels)',
         _link('benchmarks/throughput/run.py')),
        ('Surveys',
         f'{survey["n"]:,} galaxies whose run was killed after '
         f'{again["n_done"]:,} and started again: '
         f'{again["n_different"]} results differ from those of a run '
         'without a break', _link('benchmarks/throughput/survey.py')),
    ]
    note = ('Accuracy is the median, over simulated galaxies of another '
            'renderer than the one of training (SDSS g, r and i), of the '
            'median absolute difference from the true profile down to 26.5 '
            'mag/arcsec²; a radius without a value counts as 1. The '
            'captioner and photutils were measured on other galaxies of the '
            'same renderer. Hard images have thin discs, strong arms, '
            'neighbours that overlap, masked stars beside the nucleus, '
            'gaps, edges close by, or no sky in the frame. (*) With a '
            'value at 80% of the radii or more.')
    return [BEGIN, '', *list_table(('', 'Measured', 'Script'), rows),
            *wrap(note), END]


def replace_block(text):
    """
    Put the current numbers into the text of the README.

    Parameters
    ----------
    text : str
        The text, with both marks.

    Returns
    -------
    text : str
    """
    before, rest = text.split(f'{BEGIN}\n')
    _, after = rest.split(f'{END}\n')
    return before + '\n'.join(make_block()) + '\n' + after


def draw_picture():
    """
    Draw the demo galaxy: image, ellipses, profile and residual.

    Returns
    -------
    fig : `~matplotlib.figure.Figure`
    """
    import numpy as np
    from matplotlib.figure import Figure

    from astro_pix2prof import (
        Pix2ProfFitter,
        load_example,
        load_example_truth,
    )
    from astro_pix2prof.plotting.columns import (
        _isophote_levels,
        _level_colours,
    )
    from astro_pix2prof.plotting.galaxy import GalaxyView

    image = load_example()
    fit = Pix2ProfFitter().fit(image, gain=image.header['GAIN'])
    profile, truth = fit.profile, load_example_truth()
    rows, levels = _isophote_levels(profile)
    colours = _level_colours(len(rows))
    view = GalaxyView(fit.cutout, profile)
    mask = np.zeros(fit.cutout.shape, dtype=bool)

    fig = Figure(figsize=(13.2, 3.5), layout='constrained')
    first, second, middle, last = fig.subplots(
        1, 4, gridspec_kw={'width_ratios': (1, 1, 1.25, 1)})
    view.plot_image(first, mask)
    view.plot_image(second, mask)
    view.plot_isophotes(second, rows, colours=colours,
                        dashed=[False] * len(rows))
    view.plot_residual(last, mask, fit.model())
    for child in list(last.child_axes):
        child.remove()
    view.plot_scale_bar(first)
    for ax in (first, second, last):
        ax.set(xticks=[], yticks=[], xlabel='', ylabel='')
    radius, error = (profile[name].value for name in (
        'radius', 'surface_brightness_err'))
    value = profile['surface_brightness'].value
    middle.fill_between(radius, value - error, value + error, lw=0,
                        color='#0072B2', alpha=0.25)
    middle.plot(truth['radius'].value, truth['surface_brightness'].value,
                color='0.2', lw=1.0, label='truth')
    middle.plot(radius, value, 'o', ms=3.5, color='#0072B2', label='measured')
    at = np.interp(rows, np.arange(len(profile)), radius)
    middle.scatter(at, levels, s=60, lw=1.8, facecolors='none',
                   edgecolors=colours, zorder=5)
    middle.set(xlim=(0, 1.03 * radius[-1]), ylim=(28.6, 18.2),
               xlabel='semi-major axis [arcsec]',
               ylabel='mag per square arcsec')
    middle.legend(frameon=False)
    for ax, title in ((first, 'the image'), (second, 'ellipses'),
                      (middle, 'the profile'),
                      (last, 'what is left')):
        ax.set_title(title, loc='left', fontsize='medium')
    return fig


def main(args=None):
    """
    Write the picture and the numbers.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--no-picture', action='store_true',
                        help='write the numbers only')
    args = parser.parse_args(args)
    README.write_text(replace_block(README.read_text(encoding='utf-8')),
                      encoding='utf-8')
    if not args.no_picture:
        from PIL import Image

        draw_picture().savefig(PICTURE, dpi=110)
        # (256 colours are a third of the bytes)
        Image.open(PICTURE).convert('RGB').quantize(256).save(
            PICTURE, optimize=True)


if __name__ == '__main__':
    main()
