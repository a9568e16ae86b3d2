"""What leads to sessions' proxies: where they may be, how it is kept, and who may know it."""

import base64
import secrets
from collections.abc import Sequence
from typing import Any

import pytest

from gateway_contracts import Proxy, SessionSettings, SessionUpdateData
from gateway_worker.errors import (
    InvalidCommandError,
    MediaUnavailableError,
    UnsupportedError,
    UpstreamTimeoutError,
)
from gateway_worker.media.fetching.addresses import IPAddress
from gateway_worker.sessions.proxies import Proxies
from gateway_worker.sessions.proxy_addresses import ProxyAddresses, ProxyUnusableError
from gateway_worker.sessions.settings import told_settings
from gateway_worker.storage.objects.crypto import Keyring
from gateway_worker.whatsapp.settings import WhatsAppSettings
from tests.support.web import Names

URL = "http://proxy.example:3128"
GIVEN = Proxy(url=URL, username="a@user", password="p@ss:w/rd")


PUBLIC = Names(proxy_example=[["9.9.9.9"]])


class Unknown(Names):
    """Knows no name."""

    async def resolve(self, name: str, *, owner: str) -> Sequence[IPAddress]:
        """Say so."""
        raise MediaUnavailableError(f"there is no host {name}")


def addresses(names: Names = PUBLIC, *, allowed: str = "", private: str = "") -> ProxyAddresses:
    """Return what an operator's settings make of proxies."""
    settings = WhatsAppSettings(proxy_allowed_hosts=allowed, proxy_private_hosts=private)
    return ProxyAddresses(permissions=settings.proxy_permissions(), resolver=names)


def proxies(**more: Any) -> Proxies:
    """Return what knows a name, and has a key."""
    return Proxies(**{"seal": keyring(), "addresses": addresses(), **more})


def keyring() -> Keyring:
    """Return a key of its own."""
    return Keyring({"k": secrets.token_bytes(32)})


def settings(proxy: Proxy) -> SessionSettings:
    """Return what a session is set to."""
    return SessionSettings(proxy=proxy)


async def test_credentials_are_kept_encrypted_and_opened_where_they_are_needed() -> None:
    """Each time otherwise, and for that session only; they are never told."""
    ours = proxies()

    kept = await ours.accepted("shop", SessionUpdateData(proxy=GIVEN))

    assert isinstance(kept, SessionUpdateData)
    assert kept.proxy is not None
    text = f"{kept!r}{kept.model_dump_json()}{base64.b64decode(kept.proxy.password or '')!r}"
    assert GIVEN.username is not None
    assert GIVEN.password is not None
    assert GIVEN.username not in text
    assert GIVEN.password not in text
    assert await ours.url_of("shop", kept) == "http://a%40user:p%40ss%3Aw%2Frd@9.9.9.9:3128"
    assert told_settings(kept)["proxy"] == Proxy(url=URL)
    for session, others in (("other", ours), ("shop", proxies()), ("shop", proxies(seal=None))):
        with pytest.raises(ProxyUnusableError):
            await others.url_of(session, kept)
    SessionSettings.model_validate_json(kept.model_dump_json())


async def test_credentials_that_cannot_be_kept_are_refused() -> None:
    """Without a key, or if they are longer than what has room."""
    with pytest.raises(UnsupportedError):
        await proxies(seal=None).accepted("shop", settings(GIVEN))
    long = Proxy(url=URL, username="a", password="/" * 4_000)
    with pytest.raises(InvalidCommandError) as caught:
        await proxies().accepted("shop", settings(long))
    assert caught.value.pointer == "/data/proxy/password"
    longest = Proxy(url=URL, username="/" * 255, password="x" * 2_000)
    await proxies().accepted("shop", settings(longest))


async def test_a_proxy_without_credentials_is_kept_as_it_is() -> None:
    """And an empty one is none."""
    ours = proxies(otherwise="http://sandbox:1")
    open_to_all = settings(Proxy(url=URL))
    assert await ours.accepted("shop", open_to_all) is open_to_all
    assert await ours.url_of("shop", open_to_all) == "http://9.9.9.9:3128"
    assert await ours.accepted("shop", settings(Proxy())) == settings(Proxy())
    assert await ours.url_of("shop", settings(Proxy())) == "http://sandbox:1"
    assert await proxies().url_of("shop", SessionSettings()) is None


async def test_nothing_goes_without_a_proxy_that_is_not_known() -> None:
    """The session may have one."""
    ours = proxies(otherwise="http://sandbox:1")
    with pytest.raises(UpstreamTimeoutError):
        await ours.of("shop")
    there = {
        "shop": SessionSettings(),
        "bar": settings(Proxy(url=URL, password="?")),
        "inside": settings(Proxy(url="http://10.0.0.1:3128")),
    }
    ours.serve(there.get)
    assert await ours.of("shop") == "http://sandbox:1"
    for session in ("bar", "inside"):
        with pytest.raises(UpstreamTimeoutError):
            await ours.of(session)


WITHIN = Names(
    near_example=[["9.9.9.9", "10.0.0.1"]],
    cloud_example=[["169.254.169.254"]],
    gone_example=[["9.9.9.9"], ["127.0.0.1"]],
    both_example=[["2606:4700::1", "2606:4700::2"]],
)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379",
        "http://10.0.0.1:3128/",
        "http://[::1]:5432",
        "http://[::ffff:127.0.0.1]:3128",
        "http://[fd00::1]:3128",
        "http://169.254.169.254:80",
        "http://0.0.0.0:3128",
        "http://127.1:3128",
        "http://0x7f000001:3128",
        "http://2130706433:3128",
        "http://localhost:3128",
        "http://redis:6379",
        "http://near.example:3128",
        "http://cloud.example:80",
        "http://9.9.9.9:0",
        "http://9.9.9.9:65536",
    ],
)
async def test_a_proxy_is_where_everybody_can_be(url: str) -> None:
    """Not in this machine's networks, unless the operator says so; neither by another spelling."""
    ours = proxies(addresses=addresses(WITHIN))
    with pytest.raises(InvalidCommandError) as caught:
        await ours.accepted("shop", settings(Proxy(url=url)))
    assert caught.value.pointer == "/data/proxy/url"
    with pytest.raises(ProxyUnusableError):
        await ours.url_of("shop", settings(Proxy(url=url)))


@pytest.mark.parametrize(
    ("url", "allowed", "private", "leads_to"),
    [
        ("http://127.0.0.1:3128", "", "127.0.0.1", "http://127.0.0.1:3128"),
        ("http://127.0.0.1:3128", "", "127.0.0.1:3128", "http://127.0.0.1:3128"),
        ("http://127.0.0.1:6379", "", "127.0.0.1:3128", None),
        ("http://10.0.0.1:3128", "", "10.0.0.0/24", "http://10.0.0.1:3128"),
        ("http://[fd00::1]:3128", "", "[fd00::/64]", "http://[fd00::1]:3128"),
        ("http://[fd00:1::1]:3128", "", "[fd00::/64]", None),
        ("http://near.example:3128", "", "near.example", "http://"),
        ("http://cloud.example:80", "", "cloud.example", None),
        ("http://cloud.example:80", "", "169.254.169.254", "http://169.254.169.254:80"),
        ("http://9.9.9.9:1080", "9.9.9.0/24", "", "http://9.9.9.9:1080"),
        ("http://8.8.8.8:1080", "9.9.9.0/24", "", None),
        ("http://10.0.0.1:3128", "10.0.0.0/24", "", None),
        ("http://10.0.0.1:3128", "9.9.9.0/24", "10.0.0.1", "http://10.0.0.1:3128"),
        ("http://both.example:1", "*.example", "", "http://[2606:4700::"),
    ],
)
async def test_an_operator_says_where_proxies_may_be(
    url: str, allowed: str, private: str, leads_to: str | None
) -> None:
    """Only there, or also where nobody else is let; a metadata address by its own name only."""
    ours = proxies(addresses=addresses(WITHIN, allowed=allowed, private=private))
    wanted = settings(Proxy(url=url))
    if leads_to is None:
        with pytest.raises(InvalidCommandError):
            await ours.accepted("shop", wanted)
        return
    await ours.accepted("shop", wanted)
    assert str(await ours.url_of("shop", wanted)).startswith(leads_to)


async def test_a_name_is_looked_at_again_before_each_connection() -> None:
    """It was fit when the command came."""
    ours = proxies(addresses=addresses(WITHIN))
    wanted = settings(Proxy(url="http://gone.example:3128"))
    await ours.accepted("shop", wanted)
    with pytest.raises(ProxyUnusableError):
        await ours.url_of("shop", wanted)


async def test_a_name_that_is_not_known_yet() -> None:
    """Is accepted; nothing goes there before it is."""
    ours = proxies(addresses=addresses(Unknown()))
    wanted = settings(Proxy(url=URL))
    await ours.accepted("shop", wanted)
    with pytest.raises(ProxyUnusableError):
        await ours.url_of("shop", wanted)
