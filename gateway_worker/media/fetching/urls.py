"""A URL as a stranger wrote it, read so that there is one way to understand it.

Libraries disagree about odd URLs: one sees a user where the next sees the host, and a resolver
takes `0x7f.1` for an address. Whatever could be read in two ways is refused instead of repaired.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, urljoin

import idna

from gateway_worker.errors import MediaRefusedError
from gateway_worker.media.fetching.addresses import IPAddress

MAX_URL_CHARACTERS: Final = 8_192
"""Presigned links with a session's token have some 2,000."""
_MAX_NAME_CHARACTERS: Final = 253
_MAX_PORT: Final = 65_535

_WHOLE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(?:#.*)?")
_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_KEPT: Final = "!$&'()*+,;=:@/?-._~%[]"
"""What stands in a path or a query as it is; a signature may cover its spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a URL leads.

    Attributes:
        scheme: `https` or `http`.
        host: The name in lower case and ASCII without a dot at its end, or the address.
        address: The address, if that is what the URL names.
        port: The port, also if it is the scheme's own.
        path: Path and query, encoded, beginning with `/`; never to be logged.
    """

    scheme: str
    host: str
    address: IPAddress | None
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """What the server is told to have been asked for."""
        host = bracketed(self.host) if self.address is not None else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def url_at(self, host: str) -> str:
        """Return the URL with another host, a name or an address."""
        return f"{self.scheme}://{bracketed(host)}:{self.port}{self.path}"

    def follow(self, location: str) -> "Target":
        """Return where a redirect leads from here.

        Raises:
            MediaRefusedError: It is no URL that is fetched, or leads from https to http.
        """
        _check_characters(location)
        target = parse(urljoin(self.url_at(self.host), location))
        if self.scheme == "https" and target.scheme != "https":
            raise MediaRefusedError("a redirect leads from https to http")
        return target


def bracketed(host: str) -> str:
    """Return a host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def parse(url: str) -> Target:
    """Read a URL.

    Raises:
        MediaRefusedError: It is none, or could be read in more than one way.
    """
    _check_characters(url)
    whole = _WHOLE.fullmatch(url)
    if whole is None:
        raise MediaRefusedError("the URL is not one with a scheme and a host")
    scheme, authority, path = whole[1].lower(), whole[2], whole[3]
    if scheme not in _DEFAULT_PORTS:
        raise MediaRefusedError("the URL's scheme is not https")
    if "@" in authority:
        raise MediaRefusedError("the URL has a user or a password")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None or "%" in authority:
        raise MediaRefusedError("the URL's host is not written as one")
    host, address = _host(parts[1])
    port = _DEFAULT_PORTS[scheme] if parts[2] is None else int(parts[2])
    if not 0 < port <= _MAX_PORT:
        raise MediaRefusedError("the URL's port is none")
    path = path if path.startswith("/") else f"/{path}"
    path = quote(path, safe=_KEPT)
    return Target(scheme=scheme, host=host, address=address, port=port, path=path)


def normal_name(name: str) -> str:
    """Return a host's name in lower case and ASCII, without a dot at its end.

    Raises:
        MediaRefusedError: It is no name.
    """
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise MediaRefusedError("the URL's host is no name") from None
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > _MAX_NAME_CHARACTERS or not all(map(_LABEL.fullmatch, labels)):
        raise MediaRefusedError("the URL's host is no name")
    return name


def _check_characters(url: str) -> None:
    if len(url) > MAX_URL_CHARACTERS:
        raise MediaRefusedError(f"the URL has more than {MAX_URL_CHARACTERS} characters")
    # Spaces other than the plain one, controls and half characters are not printable.
    if not url.isprintable() or " " in url or "\\" in url:
        raise MediaRefusedError("the URL has characters that do not belong into one")


def _host(text: str) -> tuple[str, IPAddress | None]:
    if text.startswith("["):
        try:
            v6 = IPv6Address(text[1:-1])
        except AddressValueError:
            raise MediaRefusedError("the URL's host is no IPv6 address") from None
        return str(v6), v6
    name = normal_name(text)
    if not _NUMBER.fullmatch(name.rpartition(".")[2]):
        return name, None
    # Resolvers read it as an address, in octal, hexadecimal or with parts left out.
    try:
        v4 = IPv4Address(text)
    except AddressValueError:
        raise MediaRefusedError("the URL's host is an address in an odd spelling") from None
    return str(v4), v4
