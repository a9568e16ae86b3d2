"""Settings that cannot work are refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway_worker.whatsapp.settings import WhatsAppSettings

SANDBOX = {
    "sandbox_proxy_url": "http://127.0.0.1:1",
    "sandbox_ca_file": Path("ca.pem"),
    "sandbox_root_key": "0" * 64,
}


def test_defaults_speak_to_whatsapp() -> None:
    """Nobody gets a sandbox without asking."""
    assert WhatsAppSettings().sandbox_proxy_url is None


def test_a_whole_sandbox() -> None:
    """All three parts."""
    assert WhatsAppSettings.model_validate(SANDBOX).sandbox_proxy_url is not None


@pytest.mark.parametrize("missing", sorted(SANDBOX))
def test_a_part_of_a_sandbox(missing: str) -> None:
    """Two parts would connect to WhatsApp, or trust a stranger."""
    parts = {name: value for name, value in SANDBOX.items() if name != missing}

    with pytest.raises(ValidationError, match="belong together"):
        WhatsAppSettings.model_validate(parts)


@pytest.mark.parametrize("wrong", ["a b", "10.0.0.1/8", "proxy:port", "socks5://proxy:1"])
def test_where_proxies_cannot_be(wrong: str) -> None:
    """It is told at the start."""
    for name in ("proxy_allowed_hosts", "proxy_private_hosts"):
        with pytest.raises(ValidationError):
            WhatsAppSettings.model_validate({name: wrong})


def test_a_root_key_of_another_length() -> None:
    """It is 32 bytes."""
    with pytest.raises(ValidationError):
        WhatsAppSettings.model_validate(SANDBOX | {"sandbox_root_key": "00"})


def test_times_that_contradict() -> None:
    """A host must have the time to drain before it is killed."""
    with pytest.raises(ValidationError, match="drain_seconds"):
        WhatsAppSettings(drain_seconds=5, stop_seconds=5)
