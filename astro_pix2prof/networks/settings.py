# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Convert settings of networks to and from dictionaries.
"""

from dataclasses import asdict, fields

__all__ = ['NetworkSettings']


class NetworkSettings:
    """
    Base of dataclasses of settings, to and from a dictionary.
    """

    @classmethod
    def from_dict(cls, values):
        """
        Make settings from a dictionary, such as a table of a recipe.

        Parameters
        ----------
        values : dict
            Settings; those left out have their defaults.

        Returns
        -------
        settings : `NetworkSettings`

        Raises
        ------
        ValueError
            If there is no such setting, or a value is of another type or out
            of range.
        """
        known = {item.name for item in fields(cls)}
        unknown = set(values) - known
        if unknown:
            msg = (f'unknown settings of the network: '
                   f'{", ".join(sorted(unknown))}; known are '
                   f'{", ".join(sorted(known))}')
            raise ValueError(msg)
        for item in fields(cls):
            value, kind = values.get(item.name, item.default), item.type
            allowed = (int, float) if kind is float else kind
            # True is an integer to Python, and a mistake here
            if not isinstance(value, allowed) or (
                    isinstance(value, bool) and kind is not bool):
                msg = (f'{item.name} of the network must be of the type '
                       f'{kind.__name__}, got {value!r}')
                raise ValueError(msg)
        return cls(**values)

    def to_dict(self):
        """
        Return the settings as a dictionary.

        Returns
        -------
        values : dict
        """
        return asdict(self)
