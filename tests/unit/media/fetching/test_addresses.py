"""Where addresses lead."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_worker.media.fetching.addresses import Reach, reach

FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c:0:fbff:80ff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "3ffe::1",
    "5f00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%1",
    "fec0::1",
    "ff02::1",
]
PRIVATE = [
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, Reach.FORBIDDEN) for text in FORBIDDEN),
        *((text, Reach.PRIVATE) for text in PRIVATE),
        *((text, Reach.PUBLIC) for text in PUBLIC),
    ],
)
def test_reach(text: str, expected: Reach) -> None:
    """Only what leads into the open internet is public."""
    assert reach(ip_address(text)) is expected


@given(st.ip_addresses())
def test_nothing_is_public_that_is_not_global(address: object) -> None:
    """Our lists are never wider than the registry of special addresses that Python has."""
    parsed = ip_address(str(address))
    if reach(parsed) is Reach.PUBLIC:
        assert parsed.is_global
        assert not parsed.is_multicast


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_an_ipv6_one_is_never_public(address: object) -> None:
    """Mapped, compatible, translated, 6to4 and Teredo are refused, whatever they carry."""
    number = int(ip_address(str(address)))
    for carrier in (
        int(ip_address("::ffff:0:0")) | number,
        number,
        int(ip_address("::ffff:0:0:0")) | number,
        int(ip_address("64:ff9b::")) | number,
        int(ip_network("2002::/16").network_address) | number << 80,
        int(ip_address("2001::")) | number << 64,
        int(ip_address("2001::")) | number ^ 0xFFFFFFFF,
    ):
        v6 = ip_address(carrier.to_bytes(16, "big"))
        assert reach(v6) is not Reach.PUBLIC
