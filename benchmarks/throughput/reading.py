# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure what it costs to read galaxies: out of tiles, and by other processes.

    python -m benchmarks.throughput.reading --out benchmarks/throughput/reading.json

All are measured in turns in one run, in CPU seconds of this process, and
ratios are what counts.
"""  # noqa: E501

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import pickle
import resource
import tempfile
from contextlib import closing
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits

from benchmarks.tables import describe_environment
from benchmarks.throughput.images import N_PIX, SCALE, render_images

__all__ = ['measure_sending', 'measure_tiles', 'write_tile']

# The side of the cut-outs in pixels, and how many there are along a side of
# a tile.
_SIZE, _ALONG = 224, 6

_ROUNDS = 7


def cpu_seconds(function):
    """
    Measure the CPU seconds of a call (user and system).
    """
    start = resource.getrusage(resource.RUSAGE_SELF)
    function()
    end = resource.getrusage(resource.RUSAGE_SELF)
    return (end.ru_utime - start.ru_utime) + (end.ru_stime - start.ru_stime)


def in_turns(functions, n, rounds=_ROUNDS):
    """
    Measure functions in turns.

    Parameters
    ----------
    functions : dict of callable
        The functions, by name.

    n : int
        The galaxies that each reads.

    rounds : int, optional
        How often each is called, after one call that does not count.

    Returns
    -------
    ms : dict of float
        The median, in CPU milliseconds a galaxy.
    """
    found = {name: [] for name in functions}
    for k in range(rounds + 1):
        for name, function in functions.items():
            seconds = cpu_seconds(function)
            if k:
                found[name].append(1000 * seconds / n)
    return {name: float(np.median(values)) for name, values in found.items()}


def write_tile(paths, folder, *, planes=False):
    """
    Write a tile of many images, and each cut-out of it as a file.

    Parameters
    ----------
    paths : list of path-like
        Images of ``N_PIX`` pixels.

    folder : `~pathlib.Path`
        Where to write.

    planes : bool, optional
        Whether an error and a mask come with each.

    Returns
    -------
    tile : `~pathlib.Path`
        The tile.

    positions : list of tuple of float
        The positions (x, y) of the galaxies.

    files : list of `~pathlib.Path`
        A file for each of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    side = _ALONG * N_PIX
    image = np.zeros((side, side), np.float32)
    positions = []
    for k in range(_ALONG**2):
        y, x = (N_PIX * at for at in divmod(k, _ALONG))
        image[y:y + N_PIX, x:x + N_PIX] = fits.getdata(paths[k % len(paths)])
        positions.append((x + (N_PIX - 1) / 2, y + (N_PIX - 1) / 2))

    def write(path, x, y, part):
        header = fits.Header({
            'BUNIT': 'nanomaggy', 'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN',
            'CRPIX1': side / 2 - x, 'CRPIX2': side / 2 - y, 'CRVAL1': 10.0,
            'CRVAL2': 20.0, 'CDELT1': -SCALE / 3600, 'CDELT2': SCALE / 3600,
            'FILTER': 'r', 'GAIN': 900.0})
        hdus = fits.HDUList([fits.PrimaryHDU(part, header)])
        if planes:
            hdus.append(fits.ImageHDU(np.full(part.shape, 0.03, np.float32),
                                      header, name='ERR'))
            hdus.append(fits.ImageHDU(np.zeros(part.shape, np.uint8), header,
                                      name='MASK'))
        hdus.writeto(path, overwrite=True)

    tile = folder / 'tile.fits'
    write(tile, 0, 0, image)
    files = []
    for k, (x, y) in enumerate(positions):
        x0, y0 = (int(np.ceil(at - _SIZE / 2)) for at in (x, y))
        files.append(folder / f'file_{k:03d}.fits')
        write(files[-1], x0, y0, image[y0:y0 + _SIZE, x0:x0 + _SIZE])
    return tile, positions, files


def measure_tiles(paths, folder, *, planes=False):
    """
    Compare galaxies out of a tile with files of each, until they are read.

    Parameters
    ----------
    paths : list of path-like
        The images.

    folder : `~pathlib.Path`
        Where to write.

    planes : bool, optional
        Whether an error and a mask come with each.

    Returns
    -------
    row : dict
        CPU milliseconds a galaxy: ``file``, ``tile``, and ``each``, a tile
        whose header is parsed for each galaxy; and the ratio of a tile to a
        file.
    """
    from astro_pix2prof import GalaxyCutout
    from astro_pix2prof.image.files import open_fits
    from astro_pix2prof.image.sections import cut_section, open_sections

    tile, positions, files = write_tile(paths, folder, planes=planes)
    size = _SIZE * SCALE * u.arcsec

    def from_files():
        for path in files:
            GalaxyCutout(path, size=size)

    def from_tile():
        with closing(open_sections(tile)) as file:
            for position in positions:
                section, place, _ = file.cut(position, size)
                GalaxyCutout(section, position=place, size=size)

    def one_by_one():
        with closing(open_fits(tile)) as hdulist:
            for position in positions:
                section, place, _ = cut_section(hdulist, position,
                                                size)
                GalaxyCutout(section, position=place, size=size)

    row = in_turns({'file': from_files, 'tile': from_tile,
                    'each': one_by_one}, len(positions))
    return {**row, 'planes': planes, 'ratio': row['tile'] / row['file']}


def measure_sending(paths):
    """
    Measure what the process with the network does for a galaxy of a reader.

    Parameters
    ----------
    paths : list of path-like
        The images.

    Returns
    -------
    row : dict
        CPU milliseconds a galaxy to take it from another process:
        ``pickled``, with the WCS as astropy pickles it, and ``shared``, as
        it is sent; kilobytes through the pipe of both; and the ratio of the
        times.
    """
    from astro_pix2prof import Pix2ProfFitter
    from astro_pix2prof.inference.many import PrepareJob
    from astro_pix2prof.inference.processes import pack, unpack

    job = PrepareJob(Pix2ProfFitter(device='cpu'), {})
    found = job(list(enumerate(paths)))
    # (the attributes of a cutout are pickled as they are)
    old = pickle.dumps([({**vars(item), 'cutout': None}, vars(item.cutout))
                        for item in found[1]])
    head, places, block = pack(found)
    # (what goes through the pipe)
    new = pickle.dumps((head, places))
    row = in_turns({
        'pickled': lambda: pickle.loads(old),
        'shared': lambda: unpack((*pickle.loads(new), block))}, len(paths))
    return {**row, 'pickled_kb': len(old) / len(paths) / 1000,
            'shared_kb': len(new) / len(paths) / 1000,
            'ratio': row['pickled'] / row['shared']}


def main():
    """
    Measure all, print the figures and write them.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=_ALONG**2)
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = render_images(folder / 'images', args.images)
        found = {'tiles': [measure_tiles(paths, folder / f'planes_{planes}',
                                         planes=planes)
                           for planes in (False, True)],
                 'sending': measure_sending(paths),
                 'environment': describe_environment()}
    text = json.dumps(found, indent=1)
    print(text)
    if args.out is not None:
        args.out.write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
