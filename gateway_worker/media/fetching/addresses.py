"""Which addresses lead into the open internet, and which somewhere that only this machine sees.

The lists are our own: what Python's `ipaddress` calls global has changed between its releases, and
it does not know the addresses at which clouds hand out credentials.
"""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class Reach(Enum):
    """Where an address leads."""

    PUBLIC = "public"
    PRIVATE = "private"
    """To this machine or its networks: where an operator may have a store."""
    FORBIDDEN = "forbidden"
    """To the machine's metadata, to many, to an address in disguise, or nowhere."""


def _networks(*texts: str) -> tuple[IPNetwork, ...]:
    return tuple(ip_network(text) for text in texts)


_METADATA: Final = _networks(
    "169.254.0.0/16",  # link-local, and 169.254.169.254 and 169.254.170.2 in it
    "100.100.100.200/32",  # Alibaba
    "168.63.129.16/32",  # Azure, a public address
    "192.0.0.192/32",  # Oracle
    "fd00:ec2::/32",  # AWS
    "fd20:ce::254/128",  # Google
)
_PRIVATE: Final = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",  # behind a provider's NAT; overlay networks use it too
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
)
_SPECIAL_IPV4: Final = _networks(
    "0.0.0.0/8",
    "192.0.0.0/24",
    "192.0.2.0/24",  # documentation, as the two in 198 and 203
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",  # 6to4's relays
    "192.175.48.0/24",
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
)
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")
"""All that is assigned. Outside are IPv4 addresses in disguise: mapped, compatible and NAT64."""
_SPECIAL_IPV6: Final = _networks(
    "2001::/23",  # protocols, and Teredo, which carries an IPv4 address
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4 carries an IPv4 address
    "2620:4f:8000::/48",
    "3fff::/20",  # documentation
    "3ffe::/16",  # an experiment that has ended
)


def reach(address: IPAddress) -> Reach:
    """Return where an address leads."""
    if getattr(address, "scope_id", None) or _is_in(address, _METADATA):
        return Reach.FORBIDDEN
    if _is_in(address, _PRIVATE):
        return Reach.PRIVATE
    if isinstance(address, IPv4Address):
        is_public = not _is_in(address, _SPECIAL_IPV4)
    else:
        is_public = address in _GLOBAL_IPV6 and not _is_in(address, _SPECIAL_IPV6)
    return Reach.PUBLIC if is_public else Reach.FORBIDDEN


def _is_in(address: IPAddress, networks: tuple[IPNetwork, ...]) -> bool:
    return any(address in network for network in networks)
