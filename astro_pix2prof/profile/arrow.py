# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Arrow tables of profiles.
"""


__all__ = []


def import_pyarrow():
    """
    Import `pyarrow`, or raise an error that says how to install it.
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
    Make the metadata of a field, with its unit.
    """
    return None if unit is None else {b'unit': unit.to_string().encode()}
