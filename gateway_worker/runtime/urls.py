"""What the URLs of all services have in common."""

import re
from typing import Final

ENCODED: Final = "; in a name or a password write %2F, %3F, %23 and %40 for / ? # and @"
"""What whoever has written a URL that is none may have to know."""
_TORN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#@]+[/?#][^=]*@.*", re.DOTALL)


def has_torn_login(url: str) -> bool:
    """Tell whether a password has a character in it that ends the part of a URL in which it stands.

    Its beginning would be taken for a port then, and the rest for a path, which is shown in logs.
    """
    return _TORN.fullmatch(url) is not None
