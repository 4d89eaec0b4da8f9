# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Errors that name the missing optional dependencies. It imports nothing.
"""

__all__ = ['missing_extra']


def missing_extra(package, extra, what='this'):
    """
    Make the error for an optional package that is not installed.

    Parameters
    ----------
    package : str
        The package, or several.

    extra : str
        The extra of this package that brings it.

    what : str, optional
        The subject of the message: the task that needs the package.

    Returns
    -------
    error : ImportError
        The error, to be raised.
    """
    msg = (f"{what} needs {package}: install the extra, e.g. pip install "
           f"'astro_pix2prof[{extra}]' or, in a checkout, pip install "
           f"'.[{extra}]'")
    return ImportError(msg)
