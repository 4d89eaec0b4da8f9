# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Names of filters whose zero points often are Vega.
"""

import re
from functools import lru_cache

__all__ = ['is_vega_filter']


# Bands of the near infrared, and those of Johnson and Cousins. (V is the same
# in both systems, by 0.02 mag.)
_INFRARED = re.compile(r"J|H|K|Ks|Kshort|Kp|K'", re.IGNORECASE)
_JOHNSON = re.compile(r'U|B|R|I|Rc|Ic|RC|IC')

# Words beside the band, none of which makes it another one: photometric
# systems, cameras, places in a wheel, wavelengths. (In others, such as H-beta
# or K-cont, the letter is no band.)
_BESIDE = re.compile(
    r'band|filter|broad|mko|2mass|wfcam|vista|vircam|ukidss|ukirt|niri|nirc2|'
    r'nirc|mosfire|hawki|isaac|sofi|fourstar|newfirm|wircam|flamingos\d?|'
    r'johnson|john|cousins|bessell|bessel|bess|harris|har|landolt|'
    r'krc|kpno|ctio|new|open|clear|air|none|g\d{4}|[#]?\d+(\.\d+)?'
    r'(nm|um|micron)?|nm|um|micron|eso\d+|c\d{4,5}', re.IGNORECASE)

_PARTS = re.compile(r'[\s_.\-+/,;()\[\]]+')


@lru_cache(maxsize=256)
def is_vega_filter(name):
    """
    Tell whether a filter is one whose zero points often are Vega.

    Parameters
    ----------
    name : str
        The name of the filter, as headers have it.

    Returns
    -------
    result : bool
        `True` for J, H, K and those of Johnson and Cousins but V, also with
        words such as a system or camera, and only if all words are known.
    """
    # (the subscript of K_s)
    name = re.sub(r'^\s*([Kk])_(s(hort)?)(?![a-z])', r'\1\2', name)
    words = [word for word in _PARTS.split(name) if word]
    for place, word in enumerate(words):
        others = words[:place] + words[place + 1:]
        if all(_BESIDE.fullmatch(other) for other in others) and (
                _JOHNSON.fullmatch(word)
                or (place == 0 and _INFRARED.fullmatch(word))):
            return True
    return False
