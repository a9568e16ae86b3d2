"""What leads to sessions' proxies: how it is kept, and who may know it."""

import base64
import secrets

import pytest

from gateway_contracts import Proxy, SessionSettings, SessionUpdateData
from gateway_worker.errors import InvalidCommandError, UnsupportedError, UpstreamTimeoutError
from gateway_worker.sessions.proxies import Proxies, ProxyUnreadableError
from gateway_worker.sessions.settings import told_settings
from gateway_worker.storage.objects.crypto import Keyring

URL = "http://proxy.example:3128"
GIVEN = Proxy(url=URL, username="a@user", password="p@ss:w/rd")


def keyring() -> Keyring:
    """Return a key of its own."""
    return Keyring({"k": secrets.token_bytes(32)})


def settings(proxy: Proxy) -> SessionSettings:
    """Return what a session is set to."""
    return SessionSettings(proxy=proxy)


def test_credentials_are_kept_encrypted_and_opened_where_they_are_needed() -> None:
    """Each time otherwise, and for that session only; they are never told."""
    proxies = Proxies(seal=keyring())

    kept = proxies.sealed("shop", SessionUpdateData(proxy=GIVEN))

    assert isinstance(kept, SessionUpdateData)
    assert kept.proxy is not None
    text = f"{kept!r}{kept.model_dump_json()}{base64.b64decode(kept.proxy.password or '')!r}"
    assert GIVEN.username is not None
    assert GIVEN.password is not None
    assert GIVEN.username not in text
    assert GIVEN.password not in text
    assert proxies.url_of("shop", kept) == "http://a%40user:p%40ss%3Aw%2Frd@proxy.example:3128"
    assert told_settings(kept)["proxy"] == Proxy(url=URL)
    with pytest.raises(ProxyUnreadableError):
        proxies.url_of("other", kept)
    with pytest.raises(ProxyUnreadableError):
        Proxies(seal=keyring()).url_of("shop", kept)
    with pytest.raises(ProxyUnreadableError):
        Proxies().url_of("shop", kept)
    SessionSettings.model_validate_json(kept.model_dump_json())


def test_credentials_that_cannot_be_kept_are_refused() -> None:
    """Without a key, or if they are longer than what has room."""
    with pytest.raises(UnsupportedError):
        Proxies().sealed("shop", settings(GIVEN))
    long = Proxy(url=URL, username="a", password="/" * 4_000)
    with pytest.raises(InvalidCommandError) as caught:
        Proxies(seal=keyring()).sealed("shop", settings(long))
    assert caught.value.pointer == "/data/proxy/password"
    longest = Proxy(url=URL, username="/" * 255, password="x" * 2_000)
    Proxies(seal=keyring()).sealed("shop", settings(longest))


def test_a_proxy_without_credentials_is_kept_as_it_is() -> None:
    """And an empty one is none."""
    proxies = Proxies(otherwise="http://sandbox:1")
    open_to_all = settings(Proxy(url=URL))
    assert proxies.sealed("shop", open_to_all) is open_to_all
    assert proxies.url_of("shop", open_to_all) == URL
    assert proxies.url_of("shop", settings(Proxy())) == "http://sandbox:1"
    assert Proxies().url_of("shop", SessionSettings()) is None


def test_nothing_goes_without_a_proxy_that_is_not_known() -> None:
    """The session may have one."""
    proxies = Proxies(otherwise="http://sandbox:1")
    with pytest.raises(UpstreamTimeoutError):
        proxies.of("shop")
    there = {"shop": SessionSettings(), "bar": settings(Proxy(url=URL, password="?"))}
    proxies.serve(there.get)
    assert proxies.of("shop") == "http://sandbox:1"
    with pytest.raises(UpstreamTimeoutError):
        proxies.of("bar")
