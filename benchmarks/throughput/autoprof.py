# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Run AutoProf over images, in the environment that has it.

It is called by others.py with a JSON of ``paths``, ``folder``
(for AutoProf's files) and ``scale`` (arcsec per pixel), and prints a JSON
in its last line. It needs AutoProf and nothing of astro_pix2prof.
"""

import json
import sys
import time
from pathlib import Path


def main():
    """
    Time each image.
    """
    options = json.loads(sys.argv[1])
    start = time.perf_counter()
    # (this file has the name of the package)
    sys.path.pop(0)
    from autoprof.Pipeline import Isophote_Pipeline

    folder = Path(options['folder'])
    pipeline = Isophote_Pipeline(loggername=str(folder / 'autoprof.log'))
    out = {'start_up': time.perf_counter() - start, 'images': []}
    for path in options['paths']:
        start = time.perf_counter()
        # (it returns 1 if it failed)
        found = pipeline.Process_Image({
            'ap_process_mode': 'image', 'ap_image_file': path,
            'ap_pixscale': options['scale'], 'ap_zeropoint': 22.5,
            'ap_saveto': f'{folder}/', 'ap_doplot': False})
        out['images'].append({
            'seconds': time.perf_counter() - start, 'failed': found == 1,
            'steps': found if isinstance(found, dict) else {}})
    print(json.dumps(out))


if __name__ == '__main__':
    main()
