# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Arrow tables of profiles.
"""


__all__ = []


def import_pyarrow():
    """
    The module `pyarrow`, or an error that says how to get it.
    """
    try:
        import pyarrow
    except ImportError as error:
        msg = ("Parquet files need pyarrow: pip install "
               "'astro_pix2prof[survey]'")
        raise ImportError(msg) from error
    return pyarrow


def _unit_of(unit):
    """
    The metadata of a field.
    """
    return None if unit is None else {b'unit': unit.to_string().encode()}
