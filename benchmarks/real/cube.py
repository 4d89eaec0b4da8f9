# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compare the band image of a MUSE cube with an HST image of the same galaxy.

The galaxy is the brightest of Abell 478; the cube is 8 arcsec wide and has
planes of 11.25 Angstrom. Both images are measured on the same ellipses, those
that are fitted to the band image, about the centre of the galaxy in each (the
coordinates differ by 0.8 arcsec), from twice the seeing outwards. The sky of
HST is that of its whole frame, in which the galaxy has no end, and the cube
has none that could be measured: there are rows with a free level, too. Rows
with a width have HST smoothed by a Gaussian to the seeing of the cube.

    python benchmarks/real/cube.py FOLDER [FILE]
"""

import json
import sys
import warnings

import numpy as np
from astropy.io import fits
from scipy.ndimage import gaussian_filter
from scipy.optimize import least_squares

from astro_pix2prof import GalaxyCutout, IsophoteFitter, band_image
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.ellipses.geometry import profile_ellipses

# The seeing of the cube (arcsec): full widths of its point sources in the
# header, 0.80 to 0.95 of the well-measured ones.
FWHM = 0.88

# The range of F814W that the cube covers (Angstrom).
BAND = (7000, 9350)


def main(folder, out=None):
    """
    Measure both images and print the differences.
    """
    warnings.simplefilter('ignore')
    image = band_image(f'{folder}/a478_muse_cube_bin9.fits.gz', BAND)
    muse = IsophoteFitter(sky=0.0).fit(image)
    path = f'{folder}/a478_hst_f814w.fits.gz'
    mask = fits.getdata(path, 'WHT') <= 0
    hst = GalaxyCutout(path, hdu='SCI', mask=mask, position=(305.0, 313.0))
    sky = IsophoteFitter().fit(hst).sky
    near = IsophoteFitter(sky=0.0).fit(hst.crop(120))
    radius = np.arange(1.8, 6.5, 0.2)
    profile = muse.profile
    at = [np.interp(radius, profile['radius'].value, np.asarray(part, float))
          for part in (muse.eps, np.radians(muse.theta))]
    ours = measure_rings(
        muse.cutout.data.astype(float), ~muse.mask, muse.centre,
        radius / muse.cutout.pixel_scale, *at, sigma=1.0)
    theta = profile_ellipses(profile, hst)[3]
    theta = np.interp(radius, profile['radius'].value, theta)
    centre = tuple(np.add(near.centre, near.cutout.origin))
    full = np.where(hst.mask, 0.0, hst.data - sky).astype(float)
    result = {}
    for fwhm in (0.0, FWHM):
        smooth = gaussian_filter(full, fwhm / 2.3548 / hst.pixel_scale)
        theirs = measure_rings(smooth, ~hst.mask, centre,
                               radius / hst.pixel_scale, at[0],
                               np.radians(theta), sigma=0.01)
        mags = [-2.5 * np.log10(one.mean) for one in (ours, theirs)]
        rows = {'zero point': mags[0] - mags[1]}
        fit = least_squares(lambda p, t=theirs.mean, o=ours.mean:
                            2.5 * np.log10(np.maximum(
                                (p[0] * t + p[1]) / o, 1e-3)),
                            (np.median(ours.mean / theirs.mean), 0.0))
        rows['zero point and sky'] = fit.fun
        for name, miss in rows.items():
            miss = miss - miss.mean()
            result[f'{name}, HST smoothed by {fwhm}'] = {
                'scatter': round(float(miss.std()), 4),
                'largest': round(float(np.abs(miss).max()), 4),
                'trend': round(float(np.polyfit(radius, miss, 1)[0]), 4)}
    for name, row in result.items():
        print(f'{name:45s} scatter {row["scatter"]:.4f} mag, largest '
              f'{row["largest"]:.4f}, trend {row["trend"]:+.4f} per arcsec')
    if out:
        with open(out, 'w', encoding='utf-8') as file:
            json.dump(result, file, indent=1)
            file.write('\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
