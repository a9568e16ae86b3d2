"""A database's URL, taken apart as libpq does.

`urlsplit` will not do: it refuses lists of hosts in which one is an IPv6 address, in newer releases
of Python, and so does the driver, which uses it.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Self
from urllib.parse import parse_qsl, quote, urlencode

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<login>[^/?#]*)@)?(?P<hosts>[^/?#@]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """The parts of a URL.

    Attributes:
        scheme: In lower case.
        login: User and password as they are written; None if there are none.
        hosts: As they are written, with ports; empty for a socket, or if `parameters` has `host`.
        path: With the slash in front; empty if no database is named.
        parameters: libpq's parameters.
    """

    scheme: str
    login: str | None
    hosts: str
    path: str
    parameters: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a URL apart. Raises ValueError if it is none, without showing it."""
        found = _URL.fullmatch(text)
        if found is None:
            raise ValueError("not a URL")
        return cls(
            scheme=found["scheme"].lower(),
            login=found["login"],
            hosts=found["hosts"],
            path=found["path"] or "",
            parameters=dict(parse_qsl(found["query"] or "", keep_blank_values=True)),
        )

    @property
    def host_names(self) -> list[str]:
        """Hosts without ports and brackets; a path is the directory of a socket."""
        hosts = self.hosts or self.parameters.get("host", "")
        return [_without_port(host) for host in hosts.split(",") if host]

    def by_host(self) -> tuple[Self, ...]:
        """Return a URL for each host, in order; a list in the parameter `host` stays together."""
        return tuple(replace(self, hosts=host) for host in self.hosts.split(","))

    def dsn(self) -> str:
        """Return the URL as the driver reads it; it has the password."""
        hosts, parameters = self.hosts, self.parameters
        if "[" in hosts and "," in hosts:  # the driver reads such a list only as a parameter
            hosts, parameters = "", parameters | {"host": hosts}
        login = "" if self.login is None else f"{self.login}@"
        query = urlencode(parameters, quote_via=quote, safe=",/[]:")
        return f"postgresql://{login}{hosts}{self.path}{'?' if query else ''}{query}"


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.startswith("/") else host.partition(":")[0]
