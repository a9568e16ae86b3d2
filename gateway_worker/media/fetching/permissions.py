"""What the operator has set about URLs: which hosts and ports, and what else than public."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, Self

from gateway_worker.errors import MediaRefusedError
from gateway_worker.media.fetching.addresses import IPAddress, IPNetwork, Reach, reach
from gateway_worker.media.fetching.urls import Target, normal_name

_ENTRY: Final = re.compile(
    r"(?:(https?)://)?(?:\[([0-9A-Fa-f:.]+(?:/[0-9]{1,3})?)\]|(\*\.)?([^\[\]:*]+))(?::([0-9]{1,5}))?"
)
_NETWORK: Final = re.compile(r"[0-9.]+(?:/[0-9]{1,2})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of a setting: `[https://|http://]host[:port]`.

    Attributes:
        scheme: What is written; otherwise the one that is usual.
        network: Addresses, if the host is one or a network of them.
        name: Otherwise its name.
        with_below: Whether every name below is meant (`*.example.com`), and not the name itself.
        port: None for every port.
    """

    scheme: str
    network: IPNetwork | None
    name: str
    with_below: bool
    port: int | None

    @classmethod
    def parse(cls, text: str, *, scheme: str = "https") -> Self:
        """Read an entry.

        Args:
            text: The entry.
            scheme: The one that is usual.

        Raises:
            ValueError: It is none.
        """
        found = _ENTRY.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no host[:port], address or network")
        written, v6, below, host, port = found.groups()
        network, name = None, ""
        if v6 or _NETWORK.fullmatch(host):
            network = ip_network(v6 or host)
        else:
            try:
                name = normal_name(host)
            except MediaRefusedError:
                raise ValueError(f"{text!r} is no host[:port], address or network") from None
        return cls(
            scheme=written or scheme,
            network=network,
            name=name,
            with_below=below is not None,
            port=None if port is None else int(port),
        )

    def may_hold(self, target: Target) -> bool:
        """Whether a target can be meant, as far as is known without its addresses."""
        if target.scheme != self.scheme or self.port not in {None, target.port}:
            return False
        return self.network is not None or self.is_named(target)

    def holds(self, target: Target, address: IPAddress | None) -> bool:
        """Whether a target at an address is meant; None if its address is not known."""
        if not self.may_hold(target):
            return False
        if self.network is None:
            return True
        return address is not None and address in self.network

    def is_named(self, target: Target) -> bool:
        """Whether it is the target's name that is meant."""
        if target.address is not None or self.network is not None:
            return False
        if self.with_below:
            return target.host.endswith(f".{self.name}")
        return target.host == self.name


def places(text: str, *, scheme: str = "https") -> tuple[Place, ...]:
    """Read entries between commas.

    Args:
        text: The entries.
        scheme: Of those that say none.

    Raises:
        ValueError: One is none.
    """
    entries = (entry.strip() for entry in text.split(","))
    return tuple(Place.parse(entry, scheme=scheme) for entry in entries if entry)


class Permissions:
    """Decides which targets may be fetched, and at which addresses.

    Args:
        allowed: Only these, if there are any; their ports are allowed too.
        private: May be fetched where they are, public or not, with or without TLS as written. By
            its name a host may be in a private network; what is forbidden in any case, such as
            link-local addresses, has to be named as an address.
        ports: Of all others; None for every port.
        scheme: Likewise.
    """

    def __init__(
        self,
        *,
        allowed: Iterable[Place],
        private: Iterable[Place],
        ports: Iterable[int] | None,
        scheme: str = "https",
    ) -> None:
        self._allowed = tuple(allowed)
        self._private = tuple(private)
        self._ports = None if ports is None else frozenset(ports)
        self._scheme = scheme

    def check_target(self, target: Target) -> None:
        """Refuse what no address could make right, before anybody is asked for it.

        Raises:
            MediaRefusedError: It must not be fetched.
        """
        if any(place.may_hold(target) for place in self._private):
            return
        self._check_public(target)
        if self._allowed and not any(place.may_hold(target) for place in self._allowed):
            raise MediaRefusedError(f"{target.host} is not among the allowed hosts")

    def check_address(self, target: Target, address: IPAddress | None) -> None:
        """Refuse an address that a target must not have; None if the egress proxy resolves it.

        Raises:
            MediaRefusedError: It must not be fetched there.
        """
        for place in self._private:
            if place.holds(target, address) and not (
                place.network is None and address is not None and reach(address) is Reach.FORBIDDEN
            ):
                return
        self._check_public(target)
        if self._allowed and not any(place.holds(target, address) for place in self._allowed):
            raise MediaRefusedError(f"{target.host} is not among the allowed hosts")
        if address is not None and reach(address) is not Reach.PUBLIC:
            raise MediaRefusedError(f"{target.host} leads to an address that is not public")

    def _check_public(self, target: Target) -> None:
        if target.scheme != self._scheme:
            raise MediaRefusedError(f"the URL's scheme is not {self._scheme}")
        if target.address is None and "." not in target.host:
            raise MediaRefusedError(f"{target.host} is a name of a private network")
        if self._ports is None or target.port in self._ports:
            return
        if not any(place.port == target.port and place.may_hold(target) for place in self._allowed):
            raise MediaRefusedError(f"port {target.port} is not among the allowed ones")
