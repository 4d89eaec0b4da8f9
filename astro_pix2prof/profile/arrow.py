# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Arrow tables of profiles.
"""

from astro_pix2prof.extras import missing_extra

__all__ = ['import_pyarrow', 'unit_metadata']


def import_pyarrow():
    """
    Import `pyarrow`.

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise missing_extra(
            package='pyarrow', extra='survey',
            what='reading or writing Parquet') from error
    return pyarrow


def unit_metadata(unit):
    """
    Make the metadata of a field that has a unit.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase` or `None`
        The unit.

    Returns
    -------
    metadata : dict of bytes or `None`
    """
    return None if unit is None else {b'unit': unit.to_string().encode()}
