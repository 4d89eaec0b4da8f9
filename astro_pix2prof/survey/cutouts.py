# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Images of galaxies that a service on the web cuts out.
"""

import os

__all__ = ['CutoutSource']


class CutoutSource:
    """
    Cut-outs around positions on the sky; see the other kinds in ``sources``.

    Parameters
    ----------
    service : `~astro_pix2prof.survey.services.CutoutService`
        The service.
    """

    kind, columns = 'cutouts', ()

    def __init__(self, service):
        self.service = service
        self.folder = os.fspath(service.cache)

    def describe(self):
        """
        Describe the service (str).
        """
        return self.service.describe()

    def find(self, item, record):
        """
        Leave the name to `place`, which knows the position.
        """

    def check_names(self, loaded):
        """
        Trust the names: no text of the catalogue is in them.
        """

    def place(self, loaded, where):
        """
        Note the images of positions on the sky, and fetch none of them.
        """
        for item, sky in zip(loaded, where, strict=True):
            if item.error is not None:
                continue
            # (the image has this size)
            size = item.options.pop('size')
            try:
                item.source = self.service.name(
                    float(sky.ra.deg), float(sky.dec.deg),
                    self.service.width(size))
            except ValueError as error:
                item.error = error

    def locate(self, item):
        """
        Fetch an image, or find it in the cache.
        """
        return os.fspath(self.service.fetch_name(item.source))
