"""A broker's URL that names several hosts, as a cluster's nodes are named: one URL for each."""

import re
from typing import Final

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<login>[^/?#]*@)?(?P<hosts>[^/?#@]*)(?P<rest>[/?#].*)?"
)


def single_urls(text: str) -> tuple[str, ...]:
    """Return a URL for each host, in order: `amqp://u:p@a,b:5673/v` is two.

    Raises ValueError for what is no URL, without showing it.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError("not a URL")
    return tuple(
        f"{found['scheme']}://{found['login'] or ''}{host}{found['rest'] or ''}"
        for host in found["hosts"].split(",")
    )
