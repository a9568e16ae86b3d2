"""What an operator allows."""

from ipaddress import ip_address

import pytest

from gateway_worker.errors import MediaRefusedError
from gateway_worker.media.fetching.permissions import Permissions, places
from gateway_worker.media.fetching.urls import parse


def allows(
    url: str, address: str | None, *, allowed: str = "", private: str = "", ports: str = "443"
) -> bool:
    """Tell whether a URL may be fetched at an address."""
    permissions = Permissions(
        allowed=places(allowed), private=places(private), ports=map(int, ports.split(","))
    )
    target = parse(url)
    try:
        permissions.check_target(target)
        permissions.check_address(target, None if address is None else ip_address(address))
    except MediaRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("url", "address", "settings"),
    [
        ("https://a.example/", "8.8.8.8", {}),
        ("https://a.example/", None, {}),
        ("https://a.example:8443/", "8.8.8.8", {"ports": "443,8443"}),
        ("https://a.example/", "8.8.8.8", {"allowed": "b.example, A.example"}),
        ("https://b.a.example/", "8.8.8.8", {"allowed": "*.a.example"}),
        ("https://a.example:9000/", "8.8.8.8", {"allowed": "a.example:9000"}),
        ("https://a.example/", "8.8.8.8", {"allowed": "8.8.8.0/24"}),
        ("https://8.8.8.8/", "8.8.8.8", {"allowed": "8.8.8.8"}),
        ("https://a.example/", "10.0.0.1", {"private": "a.example"}),
        ("https://a.example:9000/", "10.0.0.1", {"private": "a.example:9000"}),
        ("https://store:9000/", "10.0.0.1", {"private": "store"}),
        ("https://a.example/", "fd12::1", {"private": "a.example"}),
        ("https://a.example/", "8.8.8.8", {"private": "a.example", "allowed": "b.example"}),
        ("http://a.example:9000/", "10.0.0.1", {"private": "http://a.example:9000"}),
        ("http://a.example/", "8.8.8.8", {"private": "http://a.example"}),
        ("https://10.1.2.3:9000/", "10.1.2.3", {"private": "10.1.0.0/16"}),
        ("https://a.example/", "10.1.2.3", {"private": "10.1.0.0/16"}),
        ("http://127.0.0.1:9000/", "127.0.0.1", {"private": "http://127.0.0.1"}),
        ("https://[fd12::1]:9000/", "fd12::1", {"private": "[fd12::/16]:9000"}),
        ("https://169.254.1.1/", "169.254.1.1", {"private": "169.254.1.1"}),
    ],
)
def test_allowed(url: str, address: str | None, settings: dict[str, str]) -> None:
    """What is public, and what was named."""
    assert allows(url, address, **settings)


@pytest.mark.parametrize(
    ("url", "address", "settings"),
    [
        ("http://a.example/", "8.8.8.8", {}),
        ("https://a.example:8443/", "8.8.8.8", {}),
        ("https://a.example:22/", "8.8.8.8", {"ports": "443,8443"}),
        ("https://localhost/", "127.0.0.1", {}),
        ("https://localhost/", None, {}),
        ("https://a.example/", "127.0.0.1", {}),
        ("https://a.example/", "169.254.169.254", {}),
        ("https://a.example/", "8.8.8.8", {"allowed": "b.example"}),
        ("https://a.example/", "8.8.8.8", {"allowed": "*.a.example"}),
        ("https://ba.example/", "8.8.8.8", {"allowed": "*.a.example"}),
        ("https://a.example.evil.example/", "8.8.8.8", {"allowed": "a.example"}),
        ("https://a.example:443/", "8.8.8.8", {"allowed": "a.example:9000"}),
        ("https://a.example:9001/", "8.8.8.8", {"allowed": "a.example:9000"}),
        ("https://a.example/", "10.0.0.1", {"allowed": "a.example"}),
        ("https://a.example/", "10.0.0.1", {"allowed": "10.0.0.0/8"}),
        ("https://a.example/", None, {"allowed": "8.8.8.0/24"}),
        ("https://a.example:9001/", "10.0.0.1", {"private": "a.example:9000"}),
        ("http://a.example/", "10.0.0.1", {"private": "a.example"}),
        ("https://a.example/", "10.0.0.1", {"private": "http://a.example"}),
        ("https://a.example/", "169.254.169.254", {"private": "a.example"}),
        ("https://a.example/", "fd00:ec2::254", {"private": "a.example"}),
        ("https://a.example/", "0.0.0.0", {"private": "a.example"}),
        ("https://a.example/", "10.2.0.1", {"private": "10.1.0.0/16"}),
        ("http://a.example/", "10.1.0.1", {"private": "10.1.0.0/16"}),
        ("http://a.example/", "8.8.8.8", {"private": "http://10.1.0.0/16"}),
        ("https://[::ffff:10.1.0.1]/", "::ffff:10.1.0.1", {"private": "10.1.0.0/16"}),
    ],
)
def test_not_allowed(url: str, address: str | None, settings: dict[str, str]) -> None:
    """A name is no licence for another address, port or way, nor an allowed one for a private."""
    assert not allows(url, address, **settings)


@pytest.mark.parametrize(
    "text",
    ["a b", "https://", "a.example/path", "10.0.0.0/33", "10.0.0.1/8", "[::1", "ftp://a", "*"],
)
def test_what_is_no_entry(text: str) -> None:
    """It is told at the start."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the settings' matter
        places(f"a.example,{text}")
